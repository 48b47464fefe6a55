package cusdec

import (
	"fmt"
	"slices"
	"strings"

	"github.com/ecogate/ecogate/clearance"
	"github.com/ecogate/ecogate/eco"
)

// section is a part of the message CUSDEC. The header goes up to UNS+D. Then come the commercial documents (DMS) with their lines (LIN),
// and the customs items (CST), up to UNS+S; then totals.
type section string

const (
	header     section = "header"
	commercial section = "commercial"
	line       section = "line" // LIN to the next LIN, DMS, CST or UNS
	item       section = "item" // CST to the next CST or UNS
	summary    section = "summary"
)

// members are the segments that belong to a segment which begins a group, so that the date after a reference is not taken for the
// declaration's. Segment groups of D.96B and D.20A; GIS became GEI.
var members = map[string][]string{
	"RFF": {"DTM", "GIN", "MOA", "IMD", "FTX"},
	"DOC": {"DTM", "LOC", "NAD"},
	"NAD": {"RFF", "CTA", "COM"},
	"TDT": {"TPL"},
	"TOD": {"LOC", "FTX"},
	"MOA": {"CUX", "DTM"},
	"PAC": {"PCI", "FTX"},
	"PCI": {"FTX", "RFF"},
	"TAX": {"MOA", "GIS", "GEI"},
	"GEI": {"PCD", "DTM", "RFF"},
	"GIS": {"PCD", "DTM", "RFF"},
	"QVR": {"QTY"},
	"GDS": {"FTX"},
	"IMD": {"FTX"},
	"ALC": {"RTE", "MOA", "PCD", "QTY", "CUX"},
	"PYT": {"MOA", "PCD", "FTX"},
	"PAT": {"MOA", "PCD", "FTX"},
	"EFI": {"CED", "COM", "RFF", "DTM", "QTY"},
	// Identified single goods of an item; their figures are parts of the item's.
	"GIR": {"GEI", "GIS", "NAD", "MEA", "MOA", "CUX", "TAX", "DOC", "DTM", "LOC"},
}

// builder makes a declaration of a message's segments.
type builder struct {
	reader  *Reader
	message *Message
	seg     segment
	section section
	// group is the segment that began the group in which seg stands, "" for none; goods is the item or line.
	group string
	goods *goods
	items []*goods
	lines []*goods
	// held says by which choice each member of the declaration was read, party and document what the last NAD and DOC are.
	held      map[string]int
	party     *eco.Party
	document  *clearance.Citation
	guarantee *clearance.Guarantee
	// certificates are those that the header names, places where in it each number stands; cited counts the citations of all lines.
	certificates []*clearance.Citation
	headers      []Skipped // their segments
	places       map[string][]int
	cited        int
	// numbers are those of items and lines that were seen, the latter by their document, of which invoices have begun; currency is that of
	// amounts without one.
	numbers  map[string]bool
	invoices int
	currency string
}

func newBuilder(r *Reader, m *Message) *builder {
	return &builder{reader: r, message: m, section: header, held: make(map[string]int), places: make(map[string][]int), numbers: make(map[string]bool)}
}

// take reads one segment, or lists it as skipped.
func (b *builder) take(s segment) {
	b.seg = s
	if s.tag == "" {
		return // its fault says so
	}
	if b.message.Segments == 2 && s.tag != "BGM" {
		b.missing("BGM", "BGM after UNH")
	}
	b.place(s)
	if !b.read() {
		b.skip()
	} else if slices.Contains(unrepeated, s.tag) {
		b.repeated(s)
	}
	if b.group == "" && members[s.tag] != nil {
		b.group = s.tag
	}
}

// unrepeated are segments whose elements come once in every directory. All that they say counts, so that a repetition must not be lost.
var unrepeated = []string{"BGM", "DOC", "RFF", "MEA", "QTY", "PAC", "MOA"}

// repeated refuses repetitions (syntax 4).
func (b *builder) repeated(s segment) {
	for e, occurrences := range s.elements {
		if len(occurrences) > 1 {
			b.fault(CodeTooManyRepetitions, e+1, 0, "the element once", fmt.Sprintf("%d times", len(occurrences)))
		}
	}
}

// read reads the segment by the first row of the table that takes it.
func (b *builder) read() bool {
	for _, row := range readings {
		if rank, ok := row.fits(b); ok && row.read(b, rank) {
			return true
		}
	}
	return false
}

// place finds out where in the message a segment stands.
func (b *builder) place(s segment) {
	switch {
	case s.tag == "UNS":
		b.begin(map[string]section{"D": commercial, "S": summary}[s.value(1, 1)])
	case b.section == summary:
		if s.tag == "CST" || s.tag == "LIN" {
			b.fault(CodeNotSupported, 0, 0, "goods before UNS+S", s.tag)
		}
	case s.tag == "CST" && b.section == header:
		if _, again := b.held["procedure"]; s.value(1, 1) != "" || again {
			b.missing("UNS", "UNS+D before the goods")
			b.begin(item)
		}
		b.held["procedure"] = 0
	case s.tag == "CST":
		b.begin(item)
	case b.section == commercial || b.section == line:
		if section, ok := map[string]section{"LIN": line, "DMS": commercial}[s.tag]; ok {
			b.begin(section)
		}
		if s.tag == "DMS" {
			b.invoices++
		}
	}
	if !b.goesOn(s.tag) {
		b.group, b.party, b.document, b.guarantee = "", nil, nil, nil
	}
}

// goesOn reports whether a segment belongs to the group that was begun. Parties have further segments in the header only, and documents
// have parties among the goods only (groups 6, 5 and 39 of D.20A).
func (b *builder) goesOn(tag string) bool {
	switch {
	case b.group == "NAD" && b.section != header, b.group == "DOC" && tag == "NAD" && b.section == header:
		return false
	}
	return slices.Contains(members[b.group], tag)
}

// begin enters a section; an unknown one is a fault.
func (b *builder) begin(next section) {
	if next == "" {
		b.fault(CodeInvalidValue, 1, 1, "D before the goods, S after them", quoted(b.seg.value(1, 1)))
		return
	}
	b.section, b.group, b.goods = next, "", nil
}

// skip lists the segment as one that nothing was read from. UNS says what it says.
func (b *builder) skip() {
	if b.seg.tag != "UNS" {
		b.list(b.message.Segments, printable(b.seg))
	}
}

// list adds a segment to the skipped ones.
func (b *builder) list(number int, text string) {
	m := b.message
	if len(m.Skipped) >= b.reader.limits.Skipped {
		m.MoreSkipped++
		return
	}
	if r := []rune(text); len(r) > 70 {
		text = string(r[:70]) + "…"
	}
	m.Skipped = append(m.Skipped, Skipped{Segment: number, Text: text})
}

// printable is a segment with the usual service characters.
func printable(s segment) string {
	var out strings.Builder
	out.WriteString(s.tag)
	for _, e := range s.elements {
		occurrences := make([]string, len(e))
		for i, components := range e {
			occurrences[i] = strings.Join(components, ":")
		}
		out.WriteString("+" + strings.Join(occurrences, "*"))
	}
	return out.String()
}

// fault keeps a fault of the segment.
func (b *builder) fault(code Code, e, c int, expected, found string) {
	b.reader.keep(&b.message.Faults, Fault{Code: code, Message: b.message.Reference, Segment: b.message.Segments, Tag: b.seg.tag, Element: e, Component: c,
		Expected: expected, Found: found})
}

// missing keeps the fault that a segment is not there.
func (b *builder) missing(tag, expected string) {
	b.reader.keep(&b.message.Faults, Fault{Code: CodeMissing, Message: b.message.Reference, Segment: b.message.Segments, Tag: tag, Expected: expected, Found: b.seg.tag})
}

// choose reports whether a value of rank is to be taken for a member: the first one of the best rank is.
func choose(held map[string]int, member string, rank int) bool {
	if old, ok := held[member]; ok && old <= rank {
		return false
	}
	held[member] = rank
	return true
}

// finish puts the declaration together when the message has ended.
func (b *builder) finish() {
	m := b.message
	b.seg = segment{tag: "UNT"}
	if m.Segments < 3 {
		b.missing("BGM", "BGM after UNH")
	}
	if m.Function == FunctionCancel {
		return
	}
	switch {
	case len(b.items) > 0: // what they are made of does not count beside them
		for _, l := range b.lines {
			b.list(l.segment, l.text)
		}
	case len(b.lines) > 0:
		b.items = b.lines
	default:
		b.missing("CST", "at least one goods item")
	}
	for _, g := range b.items {
		m.Declaration.Lines = append(m.Declaration.Lines, g.finish(b))
		m.Places = append(m.Places, fmt.Sprintf("segment %d %.3s", g.segment, g.text))
	}
	b.listUncited()
	slices.SortStableFunc(m.Skipped, func(x, y Skipped) int { return x.Segment - y.Segment })
}

// listUncited lists the certificates of the header that no item claims, so that the sender sees that nothing comes of them.
func (b *builder) listUncited() {
	claimed := make(map[string]bool)
	for _, l := range b.message.Declaration.Lines {
		for _, c := range l.Citations {
			claimed[eco.NormaliseReference(c.Reference)] = true
		}
	}
	for i, c := range b.certificates {
		if !claimed[eco.NormaliseReference(c.Reference)] {
			b.list(b.headers[i].Segment, b.headers[i].Text)
		}
	}
}
