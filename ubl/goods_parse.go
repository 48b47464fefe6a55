package ubl

import (
	"fmt"
	"strings"

	"github.com/ecogate/ecogate/eco"
)

// items reads the goods and then their packages, which are handling units that bear the item's number.
func (r *reader) items(shipment, consignment *node, c *eco.Certificate) {
	units := r.all(shipment, "cac:TransportHandlingUnit")
	goods := r.findGoods(shipment, consignment, units)
	if len(goods) == 0 {
		r.fail(&node{name: "cac:GoodsItem", parent: shipment}, "one element or more", "none")
		return
	}
	if len(goods) > eco.MaxItems {
		r.fail(goods[eco.MaxItems], fmt.Sprintf("at most %d goods items", eco.MaxItems), fmt.Sprint(len(goods)))
		return
	}
	byID := make(map[string]int, len(goods))
	c.Items = make([]eco.Item, 0, len(goods))
	for i, n := range goods {
		id := r.token(r.child(n, "cbc:ID"))
		if _, taken := byID[id]; !taken {
			byID[id] = i
		}
		c.Items = append(c.Items, r.goods(n, id, i+1))
	}
	for _, unit := range units {
		r.packages(unit, byID, c.Items)
	}
}

// findGoods gives the goods items. Partners also put them into handling units, into their packages or the consignment.
func (r *reader) findGoods(shipment, consignment *node, units []*node) []*node {
	if goods := r.all(shipment, "cac:GoodsItem"); len(goods) > 0 {
		return goods
	}
	var goods []*node
	for _, unit := range units {
		goods = append(goods, r.all(unit, "cac:GoodsItem")...)
		for _, content := range r.all(unit, "cac:ActualPackage") {
			goods = append(goods, r.all(content, "cac:GoodsItem")...)
		}
	}
	for _, consolidated := range r.all(consignment, "cac:ConsolidatedShipment") {
		goods = append(goods, r.all(consolidated, "cac:GoodsItem")...)
	}
	if len(goods) > 0 {
		r.note(goods[0], "goods read from here instead of from the shipment", "")
	}
	return goods
}

// goods reads one item; position stands in for a number that is not one.
func (r *reader) goods(n *node, id string, position int) eco.Item {
	item := eco.Item{
		Description: r.joined(r.all(n, "cbc:Description")),
		FOB:         r.amount(r.child(n, "cbc:FreeOnBoardValueAmount")),
		GrossWeight: r.measure(r.child(n, "cbc:GrossWeightMeasure")),
		NetWeight:   r.measure(r.child(n, "cbc:NetWeightMeasure")),
		Quantity:    r.measure(r.child(n, "cbc:Quantity")),
	}
	sequence := r.token(r.child(n, "cbc:SequenceNumberID"))
	if sequence == "" {
		sequence = id
	}
	var err error
	if item.Number, err = number(sequence); err != nil {
		item.Number = position
		r.note(n, fmt.Sprintf("want an item number, found %.40q: the position was taken", sequence), "")
	}
	r.item(r.first(n, "cac:Item"), &item)
	code := r.child(n, "cbc:PreferenceCriterionCode")
	if first := r.token(code); first != "" && len(item.Criteria) > 0 && item.Criteria[0].Code != first {
		r.note(code, fmt.Sprintf("criterion %.40q, but the item's properties say %.40q", first, item.Criteria[0].Code), "ask the issuer which one holds")
	} else if first != "" && item.Criteria == nil {
		item.Criteria = []eco.Criterion{{Code: first, Percent: r.percentFor(n, first)}}
	}
	return item
}

func (r *reader) item(n *node, item *eco.Item) {
	if n == nil {
		return
	}
	item.OriginCountry = r.country(r.child(n, "cac:OriginCountry"))
	if class := r.first(n, "cac:CommodityClassification"); class != nil {
		hs, national := r.child(class, "cbc:CommodityCode"), r.child(class, "cbc:ItemClassificationCode")
		item.HS, item.HSEdition = r.token(hs), strings.TrimSpace(hs.attribute("listVersionID"))
		item.NationalCode, item.NationalList = r.token(national), strings.TrimSpace(national.attribute("listID"))
	}
	item.Producer = r.party(r.first(n, "cac:ManufacturerParty"))
	for _, property := range r.all(n, "cac:AdditionalItemProperty") {
		r.property(property, item)
	}
	if item.Description == "" {
		item.Description = r.joined(r.all(n, "cbc:Description"))
	}
	if item.CriterionText == "" && item.Criteria == nil {
		item.CriterionText = r.joined(r.all(n, "cbc:AdditionalInformation")) // Partners put the criterion box here.
	}
	r.skip(n, "cbc:Description", "cbc:Name") // The goods' text apart from the box; the box holds it too.
}

func (r *reader) property(n *node, item *eco.Item) {
	value := r.child(n, "cbc:Value")
	switch r.token(r.must(n, "cbc:Name")) {
	case propertyCriterion:
		item.Criteria = append(item.Criteria, eco.Criterion{Code: r.token(value), Percent: r.decimal(r.child(n, "cbc:ValueQuantity"))})
	case propertyCriterionText:
		item.CriterionText = r.text(value)
	case propertyPackageText:
		item.PackageText = r.text(value)
	case propertyInvoice:
		item.Invoices = append(item.Invoices, r.token(value))
	case propertyRVC, propertyPC:
		r.skip(n, "cbc:ValueQuantity") // percentFor reads it where criteria are not properties.
	default:
		n.read = false
	}
}

// percentFor finds the percentage of a partner's single criterion among the item's properties.
func (r *reader) percentFor(goods *node, code string) eco.Decimal {
	want := propertyRVC
	if code == "PC" {
		want = propertyPC
	}
	for _, property := range r.all(r.first(goods, "cac:Item"), "cac:AdditionalItemProperty") {
		if r.token(r.child(property, "cbc:Name")) != want {
			continue
		}
		if quantity := r.child(property, "cbc:ValueQuantity"); quantity != nil {
			return r.decimal(quantity)
		}
		return r.decimal(r.child(property, "cbc:Value")) // UBL 2.0 has no ValueQuantity.
	}
	return ""
}

// packages reads one handling unit into the item whose number it bears. A unit without one describes the consignment;
// it goes to the first item, and that is reported unless there is only one.
func (r *reader) packages(n *node, byID map[string]int, items []eco.Item) {
	index, found := byID[r.token(r.child(n, "cbc:ID"))]
	if !found && len(items) > 1 {
		r.note(n, "packages that name no item, read as the first item's", "compare with the printed certificate")
	}
	item := &items[index]
	item.Packages = r.count(r.child(n, "cbc:TotalPackageQuantity"))
	item.Marks = r.joined(r.all(n, "cbc:ShippingMarks"))
	item.PackageCode = r.token(r.child(r.first(n, "cac:ActualPackage"), "cbc:PackagingTypeCode"))
}
