package paper

import (
	"slices"

	"github.com/ecogate/ecogate/eco"
)

// content names what a box, a column or a tick box holds; content.go says how it reads.
type content string

// The contents of boxes.
const (
	holdsTitle         content = "title" // reference, name of the form, country of issue
	holdsExporter      content = "exporter"
	holdsConsignee     content = "consignee" // and the importer when he differs
	holdsProducer      content = "producer"
	holdsTransport     content = "transport"
	holdsOfficialUse   content = "official use" // the importing customs writes here
	holdsOrigin        content = "origin"
	holdsRemarks       content = "remarks" // and what has no box of its own
	holdsDeclaration   content = "declaration"
	holdsCertification content = "certification"
	holdsTicks         content = "ticks"
)

// The contents of columns.
const (
	holdsItem       content = "item number"
	holdsMarks      content = "marks"
	holdsGoods      content = "goods" // packages, description and what has no column of its own; the form's closing asterisks
	holdsHS         content = "hs"
	holdsCriterion  content = "criterion"
	holdsItemOrigin content = "item origin"
	holdsQuantity   content = "quantity"
	holdsInvoices   content = "invoices"
)

// frame is how a form looks on A4, in millimetres from the upper left corner. Frames are our own drawings: number and subject of each
// box are the form's, its place follows the printed form's order, and captions are short words for the subject.
type frame struct {
	forms []eco.FormCode
	boxes []box
	table table
	// retroactive is the content in whose box the words stand that the certificate was issued after the fact, and the words.
	retroactive      content
	retroactiveWords string
	// ticks are the indicators that the form offers, where package eco does not know the form.
	ticks []eco.Flag
	// words are what this form calls an indicator, where that is not its own name.
	words map[eco.Flag]string
}

// box is one box of a frame.
type box struct {
	number  string
	caption string
	// confirmed says that the box's number and subject were read in a text of the form or its agreement; others come from general
	// knowledge of the trade and wait for a printed form to compare them with.
	confirmed  bool
	x, y, w, h float64
	holds      content
}

// table is the part for the goods. Its columns fill the width of the frame.
type table struct {
	y, h    float64
	columns []column
}

// column is one column of the table. A column without a caption shares the box of the one before it.
type column struct {
	number    string
	caption   string
	confirmed bool
	w         float64
	holds     content
}

// The page, in millimetres. Boxes stand between top and foot, left and right.
const (
	pageWidth, pageHeight = 210.0, 297.0
	left, right           = 10.0, 200.0
	top, foot             = 13.0, 264.0
	middle                = (left + right) / 2
)

// frameOf is the frame of a form, or the plain one.
func frameOf(code eco.FormCode) frame {
	for _, f := range frames {
		if slices.Contains(f.forms, code) {
			return f
		}
	}
	return plain
}

// has reports whether the frame has a box or column of its own for a content.
func (f frame) has(holds content) bool {
	return slices.ContainsFunc(f.boxes, func(b box) bool { return b.holds == holds }) ||
		slices.ContainsFunc(f.table.columns, func(c column) bool { return c.holds == holds })
}
