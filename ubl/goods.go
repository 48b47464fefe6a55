package ubl

import (
	"fmt"
	"slices"
	"strconv"

	"github.com/beevik/etree"

	"github.com/ecogate/ecogate/eco"
)

// goods writes one item in the order of UBL 2.1 GoodsItemType. The description is the box as printed.
func (w *writer) goods(parent *etree.Element, item *eco.Item, form eco.Form) {
	number := strconv.Itoa(item.Number)
	w.group(parent, "cac:GoodsItem", func(e *etree.Element) {
		w.leaf(e, "cbc:ID", number)
		w.leaf(e, "cbc:SequenceNumberID", number)
		w.leaf(e, "cbc:Description", item.Description)
		w.amount(e, "cbc:FreeOnBoardValueAmount", item.FOB)
		w.measure(e, "cbc:GrossWeightMeasure", item.GrossWeight)
		w.measure(e, "cbc:NetWeightMeasure", item.NetWeight)
		w.measure(e, "cbc:Quantity", item.Quantity)
		if len(item.Criteria) > 0 {
			w.leaf(e, "cbc:PreferenceCriterionCode", item.Criteria[0].Code, "listID", string(form.Code)+":ORIGIN-CRITERION")
		}
		w.group(e, "cac:Item", func(e *etree.Element) { w.item(e, item) })
	})
}

func (w *writer) item(e *etree.Element, item *eco.Item) {
	w.leaf(e, "cbc:Description", item.GoodsText)
	w.leaf(e, "cbc:BrandName", item.Brand)
	w.leaf(e, "cbc:ModelName", item.Model)
	w.country(e, "cac:OriginCountry", item.OriginCountry)
	w.group(e, "cac:CommodityClassification", func(e *etree.Element) {
		w.leaf(e, "cbc:CommodityCode", item.HS, "listID", listHS, "listVersionID", item.HSEdition)
		w.leaf(e, "cbc:ItemClassificationCode", item.NationalCode, "listID", item.NationalList, "listVersionID", item.NationalEdition)
	})
	for _, criterion := range item.Criteria {
		w.criterion(e, criterion)
	}
	w.repeated(e, item.Criteria)
	w.property(e, propertyCriterionText, item.CriterionText)
	w.property(e, propertyOriginBasis, item.OriginBasis)
	w.property(e, propertyHSBasis, item.HSBasis)
	w.property(e, propertyPackageText, item.PackageText)
	w.property(e, propertyQuantityText, item.QuantityText)
	for _, number := range item.Invoices {
		w.property(e, propertyInvoice, number)
	}
	if item.Producer != nil {
		w.party(e, "cac:ManufacturerParty", item.Producer, "items.producer")
	}
}

// criterion writes one property for each criterion: PreferenceCriterionCode holds only one code and no percentage. In UBL
// 2.0, whose properties have no ValueQuantity, the percentage is a property of its own behind that of its criterion.
func (w *writer) criterion(parent *etree.Element, criterion eco.Criterion) {
	w.group(parent, "cac:AdditionalItemProperty", func(e *etree.Element) {
		w.leaf(e, "cbc:Name", propertyCriterion)
		w.must(e, "cbc:Value", criterion.Code, "items.criteria.code")
		if criterion.Percent != "" && !w.isOld() {
			w.decimal(e, "cbc:ValueQuantity", criterion.Percent, "unitCode", unitPercent)
		}
	})
	if criterion.Percent != "" && w.isOld() {
		w.percentage(parent, propertyCriterionPercent, criterion.Percent)
	}
}

// repeated writes what the criteria say once more, under the names by which partners look for it.
func (w *writer) repeated(parent *etree.Element, criteria []eco.Criterion) {
	for _, mirror := range mirrorsOf(criteria) {
		if mirror.percent == "" {
			w.property(parent, mirror.name, "true")
			continue
		}
		w.percentage(parent, mirror.name, mirror.percent)
	}
}

// mirror is a property that repeats a criterion: its percentage or, where that is empty, that it applies.
type mirror struct {
	name    string
	percent eco.Decimal
}

// mirrorsOf lists the properties that repeat criteria, each name once.
func mirrorsOf(criteria []eco.Criterion) []mirror {
	var mirrors []mirror
	for _, criterion := range criteria {
		m := mirror{name: propertyRVC, percent: criterion.Percent}
		switch criterion.Code {
		case "PC", "PK":
			m.name = propertyPC
		case "ACU":
			m = mirror{name: propertyAccumulation}
		case "DMI":
			m = mirror{name: propertyDeMinimis}
		default:
			if criterion.Percent == "" {
				continue
			}
		}
		taken := slices.ContainsFunc(mirrors, func(other mirror) bool { return other.name == m.name })
		if !taken && (m.percent != "" || m.name == propertyAccumulation || m.name == propertyDeMinimis) {
			mirrors = append(mirrors, m)
		}
	}
	return mirrors
}

// percentage writes a property whose value is a percentage.
func (w *writer) percentage(parent *etree.Element, name string, percent eco.Decimal) {
	if w.isOld() {
		if err := percent.Valid(); err != nil {
			w.fail(fmt.Errorf("%s: %w", place(parent, name), err))
		}
		w.property(parent, name, string(percent))
		return
	}
	w.group(parent, "cac:AdditionalItemProperty", func(e *etree.Element) {
		w.leaf(e, "cbc:Name", name)
		w.decimal(e, "cbc:ValueQuantity", percent, "unitCode", unitPercent)
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
