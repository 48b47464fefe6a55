package ubl

import (
	"cmp"
	"fmt"
	"slices"
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
		} else if id != "" && r.own == nil {
			r.conflict(n, fmt.Sprintf("want a number of its own, found %.40q again", id))
		}
		r.within("items", i, func() { c.Items = append(c.Items, r.goods(n, id, i+1)) })
	}
	r.goodsItems = goods
	packed := make([]bool, len(c.Items))
	for _, unit := range units {
		r.packages(unit, byID, c.Items, packed)
	}
}

// findGoods gives the goods items. Partners also put them into handling units, into their packages or the consignment; beside
// goods of the shipment such ones say where those are packed, so they must be the same.
func (r *reader) findGoods(shipment, consignment *node, units []*node) []*node {
	goods := r.all(shipment, "cac:GoodsItem")
	var elsewhere []*node
	for _, unit := range units {
		elsewhere = append(elsewhere, r.all(unit, "cac:GoodsItem")...)
		for _, content := range r.all(unit, "cac:ActualPackage") {
			elsewhere = append(elsewhere, r.all(content, "cac:GoodsItem")...)
		}
	}
	for _, consolidated := range r.all(consignment, "cac:ConsolidatedShipment") {
		elsewhere = append(elsewhere, r.all(consolidated, "cac:GoodsItem")...)
	}
	if len(elsewhere) == 0 {
		return goods
	}
	if len(goods) == 0 {
		r.note(elsewhere[0], "goods read from here instead of from the shipment", "")
		return elsewhere
	}
	known := make(map[string]bool, len(goods))
	for _, n := range goods {
		known[r.token(r.child(n, "cbc:ID"))] = true
	}
	for _, n := range elsewhere {
		if id := r.token(r.child(n, "cbc:ID")); id == "" || !known[id] {
			r.conflict(n, "want the goods at the shipment, found others here")
		}
		n.read = false
	}
	return goods
}

// goods reads one item; position stands in for a number that is not one.
func (r *reader) goods(n *node, id string, position int) eco.Item {
	item := eco.Item{
		Description: r.box("description", r.all(n, "cbc:Description")),
		FOB:         r.amount(r.is("fob", r.child(n, "cbc:FreeOnBoardValueAmount"))),
		GrossWeight: r.measure(r.is("gross_weight", r.child(n, "cbc:GrossWeightMeasure"))),
		NetWeight:   r.measure(r.is("net_weight", r.child(n, "cbc:NetWeightMeasure"))),
		Quantity:    r.measure(r.is("quantity", r.child(n, "cbc:Quantity"))),
	}
	item.Number = r.itemNumber(n, id, position)
	r.item(r.only(n, "cac:Item"), &item)
	code := r.child(n, "cbc:PreferenceCriterionCode")
	switch first := r.token(code); {
	case first == "":
	case len(item.Criteria) == 0:
		item.Criteria = []eco.Criterion{{Code: first, Percent: r.percentFor(n, first)}}
		r.is("criteria", code)
	case item.Criteria[0].Code != first:
		r.conflict(code, fmt.Sprintf("criterion %.40q, but the item's properties say %.40q", first, item.Criteria[0].Code))
	}
	return item
}

// itemNumber reads the number of an item on the form from SequenceNumberID, or from ID.
func (r *reader) itemNumber(n *node, id string, position int) int {
	at := r.child(n, "cbc:SequenceNumberID")
	sequence := r.token(at)
	if sequence == "" {
		at, sequence = r.child(n, "cbc:ID"), id
	}
	value, err := number(sequence)
	if err != nil {
		r.note(n, fmt.Sprintf("want an item number, found %.40q: the position was taken", sequence), "")
		r.derive("number", n)
		return position
	}
	if other, err := number(id); err == nil && other != value {
		r.conflict(at, fmt.Sprintf("item number %d, but its ID says %d", value, other))
	}
	r.is("number", at)
	return value
}

// box reads a box of the form.
func (r *reader) box(field string, nodes []*node) string {
	for _, n := range nodes {
		r.is(field, n)
	}
	return r.joined(nodes)
}

func (r *reader) item(n *node, item *eco.Item) {
	if n == nil {
		return
	}
	item.OriginCountry = r.country(r.is("origin_country", r.child(n, "cac:OriginCountry")))
	r.classes(n, item)
	item.Producer = r.party(r.is("producer", r.only(n, "cac:ManufacturerParty")))
	r.properties(n, item)
	goods := r.all(n, "cbc:Description")
	if item.Description == "" {
		item.Description = r.box("description", goods)
	} else {
		item.GoodsText = r.box("goods_text", goods)
	}
	item.Brand = r.text(r.is("brand", r.first(n, "cbc:BrandName")))
	item.Model = r.text(r.is("model", r.first(n, "cbc:ModelName")))
	if item.CriterionText == "" && item.Criteria == nil {
		box := r.all(n, "cbc:AdditionalInformation") // Partners put the criterion box here.
		if item.CriterionText = r.joined(box); len(box) > 0 {
			r.note(box[0], "the origin criterion read from here instead of from PreferenceCriterionCode", "")
			r.is("criterion_text", box[0])
		}
	}
	r.skip(n, "cbc:Name") // The goods' text apart from the box; the box holds it too.
}

// classes reads the tariff codes. Partners give each list a classification of its own.
func (r *reader) classes(n *node, item *eco.Item) {
	for _, class := range r.all(n, "cac:CommodityClassification") {
		hs, national := r.child(class, "cbc:CommodityCode"), r.child(class, "cbc:ItemClassificationCode")
		switch code := r.token(hs); {
		case hs == nil:
		case item.HS == "":
			r.is("hs", hs)
			item.HS, item.HSEdition = code, r.attribute("hs_edition", hs, "listVersionID")
		case code != item.HS:
			r.conflict(hs, fmt.Sprintf("want one Harmonized System code, found %.20q beside %.20q", code, item.HS))
		}
		switch code := r.token(national); {
		case national == nil:
		case item.NationalCode == "":
			r.is("national_code", national)
			item.NationalCode = code
			item.NationalList = r.attribute("national_list", national, "listID")
			item.NationalEdition = r.attribute("national_edition", national, "listVersionID")
		case code != item.NationalCode:
			r.conflict(national, fmt.Sprintf("want one national code, found %.20q beside %.20q", code, item.NationalCode))
		}
	}
}

// properties reads what UBL items have no element for.
func (r *reader) properties(n *node, item *eco.Item) {
	var mirrors []*node
	for _, property := range r.all(n, "cac:AdditionalItemProperty") {
		value := r.child(property, "cbc:Value")
		switch name := r.token(r.must(property, "cbc:Name")); name {
		case propertyCriterion:
			r.is("criteria", property)
			item.Criteria = append(item.Criteria, eco.Criterion{Code: r.token(r.must(property, "cbc:Value")), Percent: r.percent(r.child(property, "cbc:ValueQuantity"))})
		case propertyCriterionPercent:
			r.criterionPercent(property, value, item)
		case propertyCriterionText:
			item.CriterionText = r.text(r.is("criterion_text", value))
		case propertyPackageText:
			item.PackageText = r.text(r.is("package_text", value))
		case propertyQuantityText:
			item.QuantityText = r.text(r.is("quantity_text", value))
		case propertyHSBasis:
			item.HSBasis = r.token(r.is("hs_basis", value))
		case propertyOriginBasis:
			item.OriginBasis = r.token(r.is("origin_basis", value))
		case propertyInvoice:
			r.is("invoices", value)
			item.Invoices = append(item.Invoices, r.token(value))
		case propertyRVC, propertyPC, propertyAccumulation, propertyDeMinimis:
			r.child(property, "cbc:ValueQuantity")
			mirrors = append(mirrors, property)
		default:
			property.read = false
		}
	}
	for _, property := range mirrors {
		r.checkMirror(property, item)
	}
}

// criterionPercent reads the percentage of the criterion that was read last.
func (r *reader) criterionPercent(property, value *node, item *eco.Item) {
	last := len(item.Criteria) - 1
	if last < 0 || item.Criteria[last].Percent != "" {
		r.fail(property, "a criterion without percentage before it", "none")
		return
	}
	item.Criteria[last].Percent = r.percent(value)
}

// percent reads a number of percent, which in another unit may be a fraction.
func (r *reader) percent(n *node) eco.Decimal {
	if unit := strings.TrimSpace(n.attribute("unitCode")); unit != "" && unit != unitPercent {
		r.note(n, fmt.Sprintf("want a percentage in unit %s, found unit %.20q: read as a percentage", unitPercent, unit), "ask the sender for the percentage")
	}
	return r.decimal(n)
}

// checkMirror compares a property that repeats a criterion. Where criteria are not properties percentFor reads it.
func (r *reader) checkMirror(property *node, item *eco.Item) {
	if len(item.Criteria) == 0 {
		return
	}
	name, percent := r.token(r.child(property, "cbc:Name")), r.percentOf(property)
	for _, m := range mirrorsOf(item.Criteria) {
		if m.name != name {
			continue
		}
		if m.percent != "" && percent.Cmp(m.percent) != 0 {
			r.conflict(property, fmt.Sprintf("want %s as with the criterion, found %.40s", m.percent, percent))
		}
		return
	}
	property.read = false
}

// percentOf is the percentage that a property says. UBL 2.0 has no ValueQuantity.
func (r *reader) percentOf(property *node) eco.Decimal {
	if quantity := r.child(property, "cbc:ValueQuantity"); quantity != nil {
		return r.percent(quantity)
	}
	value := r.child(property, "cbc:Value")
	switch name := r.token(r.child(property, "cbc:Name")); name {
	case propertyAccumulation, propertyDeMinimis:
		r.token(value)
		return ""
	}
	return r.decimal(value)
}

// percentFor finds the percentage of a partner's single criterion among the item's properties.
func (r *reader) percentFor(goods *node, code string) eco.Decimal {
	want := propertyRVC
	if code == "PC" || code == "PK" {
		want = propertyPC
	}
	var properties []*node
	for _, item := range r.all(goods, "cac:Item") {
		properties = append(properties, r.all(item, "cac:AdditionalItemProperty")...)
	}
	i := slices.IndexFunc(properties, func(n *node) bool { return r.token(r.child(n, "cbc:Name")) == want })
	if i < 0 {
		return ""
	}
	return r.percentOf(properties[i])
}

// criteria reads the origin criteria of a partner's document that gives them in words: in the box alone, or as PreferenceCriterionCode.
func (r *reader) criteria(form eco.Form, c *eco.Certificate) {
	for i := range c.Items {
		item, words := &c.Items[i], c.Items[i].CriterionText
		if len(item.Criteria) == 1 {
			if _, known := form.Criterion(item.Criteria[0].Code); !known {
				words = item.Criteria[0].Code
			}
		}
		stated := len(item.Criteria) > 0 && words == item.CriterionText
		if stated || words == "" {
			continue
		}
		n := r.goodsItems[i]
		criteria, err := form.ParseCriteria(words)
		if err != nil || len(criteria) == 0 {
			r.note(n, fmt.Sprintf("the origin criterion in words that are not known: %.100q", words), "compare with the printed certificate")
			continue
		}
		r.note(n, fmt.Sprintf("origin criteria %s derived from the words %.100q", eco.CriteriaText(criteria), words), "compare with the printed certificate")
		r.within("items", i, func() { r.derive("criteria", n) })
		if len(item.Criteria) > 0 {
			r.samePercent(n, item.Criteria[0].Percent, criteria)
		}
		item.Criteria, item.CriterionText = criteria, cmp.Or(item.CriterionText, words)
	}
}

// samePercent compares the percentage that an item's property states with those of criteria in words, which may be rounded
// down; the property's is the exact one.
func (r *reader) samePercent(n *node, stated eco.Decimal, criteria []eco.Criterion) {
	if stated == "" {
		return
	}
	whole, _, _ := strings.Cut(string(stated), ".")
	for i, criterion := range criteria {
		if criterion.Percent != "" && (criterion.Percent.Cmp(stated) == 0 || criterion.Percent.Cmp(eco.Decimal(whole)) == 0) {
			criteria[i].Percent = stated
			return
		}
	}
	r.conflict(n, fmt.Sprintf("the property says %.40s %%, the origin criterion in words %.100q", stated, eco.CriteriaText(criteria)))
}

// packages reads one handling unit into the item whose number it bears. A unit without one describes the consignment; it goes
// to the first item, and that is reported unless there is only one.
func (r *reader) packages(n *node, byID map[string]int, items []eco.Item, packed []bool) {
	index, found := byID[r.token(r.child(n, "cbc:ID"))]
	switch {
	case packed[index] && found:
		r.conflict(n, fmt.Sprintf("packages of item %d a second time", items[index].Number))
		return
	case packed[index]:
		r.note(n, "further packages that name no item, not read", "compare with the printed certificate")
		return
	case !found && len(items) > 1:
		r.note(n, "packages that name no item, read as the first item's", "compare with the printed certificate")
	}
	packed[index] = true
	item := &items[index]
	r.within("items", index, func() {
		item.Packages = r.count(r.is("packages", r.child(n, "cbc:TotalPackageQuantity")))
		item.Marks = r.box("marks", r.all(n, "cbc:ShippingMarks"))
		item.PackageCode = r.token(r.is("package_code", r.child(r.first(n, "cac:ActualPackage"), "cbc:PackagingTypeCode")))
	})
}
