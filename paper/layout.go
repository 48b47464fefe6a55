package paper

import (
	"slices"

	"github.com/ecogate/ecogate/eco"
)

// content names what a box or a column holds; content.go says how it reads.
type content string

// The contents of boxes.
const (
	holdsTitle         content = "title" // reference, name of the form, country of issue
	holdsExporter      content = "exporter"
	holdsConsignee     content = "consignee" // and the importer when he differs
	holdsProducer      content = "producer"
	holdsTransport     content = "transport"
	holdsOfficialUse   content = "official use" // the importing customs writes here
	holdsOrigin        content = "country of origin"
	holdsRemarks       content = "remarks" // and what has no box of its own
	holdsDeclaration   content = "declaration"
	holdsCertification content = "certification"
	holdsTicks         content = "indicators"
)

// The contents of columns.
const (
	holdsItem       content = "item number"
	holdsMarks      content = "marks"
	holdsGoods      content = "goods" // packages, description and what has no column of its own; the form's closing asterisks
	holdsHS         content = "HS code"
	holdsCriterion  content = "origin criterion"
	holdsItemOrigin content = "origin of the item"
	holdsQuantity   content = "quantity"
	holdsInvoices   content = "invoices"
)

// data are the data by which a form says that a box of it has a content: names of eco.Box.Holds.
var data = map[content]string{
	holdsExporter: "exporter", holdsConsignee: "consignee", holdsProducer: "items.producer", holdsTransport: "transport",
	holdsOrigin: "origin_country", holdsRemarks: "remarks", holdsDeclaration: "declaration", holdsCertification: "certification",
	holdsItem: "items.number", holdsMarks: "items.marks", holdsGoods: "items.description", holdsHS: "items.hs",
	holdsCriterion: "items.criteria", holdsItemOrigin: "items.origin_country", holdsQuantity: "items.gross_weight", holdsInvoices: "invoices",
}

// frame is where the boxes of a form stand on A4, in millimetres from the upper left corner. Frames are our own drawings in the order of
// the printed forms. A form of package eco has the frame whose numbers are its own; number and heading of each box are printed as
// eco.Form.Boxes says, which also says what of it no text confirms.
type frame struct {
	boxes []box
	table table
	// lateWords say in the box for them that the certificate was issued after the fact; empty for the usual words.
	lateWords string
}

// box is one box of a frame.
type box struct {
	number     string // the form's; empty when it has none, or when any form may have the frame
	x, y, w, h float64
	holds      content
}

// table is the part for the goods. Its columns fill the width of the frame.
type table struct {
	y, h    float64
	columns []column
}

// column is one column of the table. One with the number of the column before it shares its box.
type column struct {
	number string
	w      float64
	holds  content
}

// The page, in millimetres. Boxes stand between top and foot, left and right.
const (
	pageWidth, pageHeight = 210.0, 297.0
	left, right           = 10.0, 200.0
	top, foot             = 13.0, 264.0
	middle                = (left + right) / 2
)

// frameOf is the frame of a form: the first that puts everything into the boxes of the same numbers, or the plain one.
func frameOf(form eco.Form) frame {
	for _, f := range frames {
		if f.fits(form) {
			return f
		}
	}
	return plain
}

func (f frame) fits(form eco.Form) bool {
	if len(form.Boxes) == 0 {
		return false
	}
	same := func(number string, holds content) bool {
		name, told := data[holds]
		if !told {
			return true
		}
		box, _ := form.BoxOf(name)
		return box.Number == number
	}
	for _, b := range f.boxes {
		if !same(b.number, b.holds) {
			return false
		}
	}
	for _, c := range f.table.columns {
		if !same(c.number, c.holds) {
			return false
		}
	}
	return true
}

// has reports whether the frame has a box or column of its own for a content.
func (f frame) has(holds content) bool {
	return slices.ContainsFunc(f.boxes, func(b box) bool { return b.holds == holds }) ||
		slices.ContainsFunc(f.table.columns, func(c column) bool { return c.holds == holds })
}

// headings are short words for boxes that a form says nothing of.
var headings = map[content]string{
	holdsExporter: "Exporter: name, address, country", holdsConsignee: "Consignee: name, address, country", holdsProducer: "Producer",
	holdsTransport: "Means of transport and route", holdsOfficialUse: "For official use", holdsOrigin: "Country of origin", holdsRemarks: "Remarks",
	holdsDeclaration: "Declaration by the exporter", holdsCertification: "Certification", holdsTicks: "Indicators",
	holdsItem: "Item number", holdsMarks: "Marks and numbers on packages", holdsGoods: "Number and kind of packages; description of goods",
	holdsHS: "HS code", holdsCriterion: "Origin criterion", holdsItemOrigin: "Country of origin",
	holdsQuantity: "Gross weight or other quantity, and value", holdsInvoices: "Number and date of invoices",
}

// heading is the number and the words above a box.
func (s source) heading(number string, holds content) (string, string) {
	for _, b := range s.form.Boxes {
		if number != "" && b.Number == number {
			return b.Number, b.Title
		}
	}
	if name, ok := data[holds]; ok && number == "" {
		if b, found := s.form.BoxOf(name); found {
			return b.Number, b.Title
		}
	}
	return number, headings[holds]
}

// lateBox is the content in whose box the words stand that the certificate was issued after the fact.
func (s source) lateBox() content {
	told, _ := s.form.BoxOf("flags." + string(eco.FlagIssuedRetroactively))
	for _, b := range s.frame.boxes {
		if told.Number != "" && b.number == told.Number && b.holds != holdsTicks {
			return b.holds
		}
	}
	return holdsCertification
}

// ticked reports whether the form has an indicator as a tick box rather than as words.
func (s source) ticked(flag eco.Flag) bool {
	if !s.frame.has(holdsTicks) {
		return false
	}
	told, found := s.form.BoxOf("flags." + string(flag))
	return !found || slices.ContainsFunc(s.frame.boxes, func(b box) bool {
		return b.holds == holdsTicks && (b.number == "" || b.number == told.Number)
	})
}
