package ubl

import (
	"strconv"

	"github.com/beevik/etree"

	"github.com/ecogate/ecogate/eco"
)

// goods writes one item in the order of UBL 2.1 GoodsItemType. The description is the box as printed.
func (w *writer) goods(parent *etree.Element, item *eco.Item, form eco.FormCode) {
	number := strconv.Itoa(item.Number)
	w.group(parent, "cac:GoodsItem", func(e *etree.Element) {
		w.leaf(e, "cbc:ID", number)
		w.leaf(e, "cbc:SequenceNumberID", number)
		w.leaf(e, "cbc:Description", item.Description)
		if item.FOB != nil {
			w.decimal(e, "cbc:FreeOnBoardValueAmount", item.FOB.Value, "currencyID", item.FOB.Currency)
		}
		w.measure(e, "cbc:GrossWeightMeasure", item.GrossWeight)
		w.measure(e, "cbc:NetWeightMeasure", item.NetWeight)
		w.measure(e, "cbc:Quantity", item.Quantity)
		if len(item.Criteria) > 0 {
			w.leaf(e, "cbc:PreferenceCriterionCode", item.Criteria[0].Code, "listID", string(form)+":ORIGIN-CRITERION")
		}
		w.group(e, "cac:Item", func(e *etree.Element) { w.item(e, item) })
	})
}

func (w *writer) item(e *etree.Element, item *eco.Item) {
	w.country(e, "cac:OriginCountry", item.OriginCountry)
	w.group(e, "cac:CommodityClassification", func(e *etree.Element) {
		w.leaf(e, "cbc:CommodityCode", item.HS, "listID", listHS, "listVersionID", item.HSEdition)
		w.leaf(e, "cbc:ItemClassificationCode", item.NationalCode, "listID", item.NationalList)
	})
	for _, criterion := range item.Criteria {
		w.criterion(e, criterion)
	}
	w.property(e, propertyCriterionText, item.CriterionText)
	w.property(e, propertyPackageText, item.PackageText)
	for _, number := range item.Invoices {
		w.property(e, propertyInvoice, number)
	}
	if item.Producer != nil {
		w.party(e, "cac:ManufacturerParty", item.Producer, "items.producer")
	}
}

// criterion writes one property for each criterion: PreferenceCriterionCode holds only one code and no percentage.
func (w *writer) criterion(parent *etree.Element, criterion eco.Criterion) {
	w.group(parent, "cac:AdditionalItemProperty", func(e *etree.Element) {
		w.leaf(e, "cbc:Name", propertyCriterion)
		w.must(e, "cbc:Value", criterion.Code, "items.criteria.code")
		if criterion.Percent != "" {
			w.decimal(e, "cbc:ValueQuantity", criterion.Percent, "unitCode", unitPercent)
		}
	})
}

func (w *writer) property(parent *etree.Element, name, value string) {
	if value == "" {
		return
	}
	w.group(parent, "cac:AdditionalItemProperty", func(e *etree.Element) {
		w.leaf(e, "cbc:Name", name)
		w.leaf(e, "cbc:Value", value)
	})
}

// packages writes marks, number and kind of an item's packages; the handling unit bears the item's number. Marks of
// several lines are one element (UBL 2.1 IND7).
func (w *writer) packages(parent *etree.Element, item *eco.Item) {
	if item.Marks == "" && item.Packages == 0 && item.PackageCode == "" {
		return
	}
	w.group(parent, "cac:TransportHandlingUnit", func(e *etree.Element) {
		w.leaf(e, "cbc:ID", strconv.Itoa(item.Number))
		if item.Packages != 0 {
			w.leaf(e, "cbc:TotalPackageQuantity", strconv.FormatInt(item.Packages, 10))
		}
		w.leaf(e, "cbc:ShippingMarks", item.Marks)
		w.group(e, "cac:ActualPackage", func(e *etree.Element) {
			w.leaf(e, "cbc:PackagingTypeCode", item.PackageCode, "listID", listPackage)
		})
	})
}
