package paper

import (
	"fmt"
	"math"
	"strings"
)

// Sizes of type, in points.
const (
	captionSize = 5.5
	titleSize   = 11.0
	smallSize   = 6.5
	tableSize   = 7.5
)

// boxSizes are tried in their order until a box holds its text.
var boxSizes = []float64{8.5, 7.5, smallSize}

// The distance of text from the lines around it, in millimetres.
const padding = 1.2

// leading is the height of a line of text in millimetres.
func leading(size float64) float64 { return size * mm * 1.19 }

// sheet is one page as it will be drawn.
type sheet struct {
	overlays []string
	rules    []rule
	texts    []text
	// coded says where the QR code stands; zero for none.
	coded rectangle
}

// rule is a straight line, of hair thickness if it is thin.
type rule struct {
	x1, y1, x2, y2 float64
	thin           bool
}

type rectangle struct{ x, y, w, h float64 }

// text is one line of type; y is its baseline.
type text struct {
	x, y, size float64
	set        line
	bold, red  bool
}

func (s *sheet) frame(x, y, w, h float64) {
	s.rules = append(s.rules, rule{x, y, x + w, y, false}, rule{x, y + h, x + w, y + h, false},
		rule{x, y, x, y + h, false}, rule{x + w, y, x + w, y + h, false})
}

func (s *sheet) square(x, y, side float64) {
	s.rules = append(s.rules, rule{x, y, x + side, y, true}, rule{x, y + side, x + side, y + side, true},
		rule{x, y, x, y + side, true}, rule{x + side, y, x + side, y + side, true})
}

// composer lays one certificate out.
type composer struct {
	*press
	source
	sheets []*sheet
	// notes are texts that found no room in their box; they follow the last item.
	notes []note
	// unprinted is how many fields hold characters that could not be printed.
	unprinted int
}

// note is text that goes on in the column of the goods. moved is the text in its box that will tell where; nil for none.
type note struct {
	group group
	moved *later
}

// group is the text of one entry, which is kept together where that is possible.
type group struct {
	paragraphs []line
	style      style
}

// style is how a group is printed.
type style int

const (
	ordinary style = iota
	bold
	stamped // bold and red
)

// compose lays out every page.
func compose(p *press, s source, unprinted int) ([]*sheet, error) {
	k := &composer{press: p, source: s, unprinted: unprinted}
	first := k.newSheet()
	for _, b := range s.frame.boxes {
		k.box(first, b)
	}
	if !s.frame.has(holdsRemarks) {
		for _, g := range k.groups(s.rest(), ordinary) {
			k.notes = append(k.notes, note{group: g})
		}
	}
	if err := k.table(); err != nil {
		return nil, err
	}
	for i, sheet := range k.sheets {
		k.margins(sheet, i+1)
	}
	return k.sheets, nil
}

func (k *composer) newSheet() *sheet {
	s := &sheet{overlays: k.overlays()}
	k.sheets = append(k.sheets, s)
	return s
}

// groups sets entries in glyphs.
func (k *composer) groups(entries []entry, as style) []group {
	var groups []group
	for _, e := range entries {
		capitals := k.capitals() && !e.exact
		g := group{style: as}
		for i, paragraph := range paragraphs(e.value) {
			set := k.set(strings.TrimSpace(paragraph), capitals)
			if i == 0 && e.label != "" {
				set = append(k.set(e.label, false), set...)
			}
			g.paragraphs = append(g.paragraphs, set)
		}
		if len(g.paragraphs) == 0 {
			g.paragraphs = []line{k.set(e.label, false)}
		}
		groups = append(groups, g)
	}
	return groups
}

// box draws a box with its caption and what it holds.
func (k *composer) box(s *sheet, b box) {
	s.frame(b.x, b.y, b.w, b.h)
	number, words := k.heading(b.number, b.holds)
	y := k.caption(s, number, words, rectangle{b.x, b.y, b.w, b.h})
	area := rectangle{b.x + padding, y, b.w - 2*padding, b.y + b.h - y - 0.8}
	switch b.holds {
	case holdsTitle:
		k.formName(s, &area)
	case holdsOfficialUse:
		k.officialUse(s, &area)
	case holdsTicks:
		k.tickBoxes(s, area)
		return
	case holdsDeclaration:
		k.signature(s, &area, "Signature of the exporter")
	case holdsCertification:
		k.signature(s, &area, "Signature and stamp of the issuing body")
	}
	var stamps []entry
	for _, words := range k.stamps(b.holds) {
		stamps = append(stamps, exact("", words))
	}
	groups := k.groups(stamps, stamped)
	if b.holds == holdsTitle {
		groups = append(k.groups([]entry{exact("REFERENCE NO. ", k.c.Reference)}, bold), groups...)
	}
	k.fill(s, b, area, append(groups, k.groups(k.boxEntries(b.holds), ordinary)...))
}

// caption writes number and caption in small type and returns where the text below may begin.
func (k *composer) caption(s *sheet, number, caption string, r rectangle) float64 {
	x, y := r.x+0.8, r.y+0.6
	indent := 0.0
	if number != "" {
		set := k.ours(number + ".")
		s.texts = append(s.texts, text{x: x, y: y + captionSize*mm*0.95, size: captionSize, set: set, bold: true})
		indent = set.width(captionSize)*1.15 + 0.7
	}
	for _, l := range wrap(k.ours(caption), captionSize, r.w-1.6-indent) {
		s.texts = append(s.texts, text{x: x + indent, y: y + captionSize*mm*0.95, size: captionSize, set: l})
		y += leading(captionSize)
	}
	return y + 0.5
}

// ours are words of ours.
func (k *composer) ours(s string) line { return k.set(s, false) }

// fill writes groups into an area, in the largest type in which all fit. If none does, those that do not fit go on after the items,
// and the last line of the box says so.
func (k *composer) fill(s *sheet, b box, area rectangle, groups []group) {
	size := boxSizes[len(boxSizes)-1]
	for _, try := range boxSizes {
		if k.height(groups, try, area.w) <= area.h {
			size = try
			break
		}
	}
	y, bottom := area.y, area.y+area.h
	overflows := k.height(groups, size, area.w) > area.h
	if overflows {
		bottom -= leading(size)
	}
	for i, g := range groups {
		lines := g.lines(size, area.w)
		if room := int((bottom - y + 1e-9) / leading(size)); len(lines) > room {
			rest := groups[i:]
			if i == 0 { // longer than the box by itself: what fits is printed here
				rest = append([]group{g.after(max(room, 0), size, area.w)}, groups[1:]...)
				k.column(s, area.x, &y, lines[:max(room, 0)], size, g.style)
			}
			k.move(s, b, text{x: area.x, y: bottom + leading(size)*0.8, size: size, bold: true}, rest)
			return
		}
		k.column(s, area.x, &y, lines, size, g.style)
	}
}

// column writes lines below one another.
func (k *composer) column(s *sheet, x float64, y *float64, lines []line, size float64, as style) {
	for _, l := range lines {
		s.texts = append(s.texts, text{x: x, y: *y + leading(size)*0.8, size: size, set: l, bold: as != ordinary, red: as == stamped})
		*y += leading(size)
	}
}

func (k *composer) height(groups []group, size, width float64) float64 {
	n := 0
	for _, g := range groups {
		n += len(g.lines(size, width))
	}
	return float64(n) * leading(size)
}

// lines breaks a group into lines. Bold type is wider.
func (g group) lines(size, width float64) []line {
	var lines []line
	for _, p := range g.paragraphs {
		lines = append(lines, wrap(p, size, g.room(width))...)
	}
	return lines
}

func (g group) room(width float64) float64 {
	if g.style != ordinary {
		return width * 0.9
	}
	return width
}

// after is what follows the first n lines of a group.
func (g group) after(n int, size, width float64) group {
	rest := group{style: g.style}
	for _, p := range g.paragraphs {
		for ; n > 0 && len(p) > 0; n-- {
			p = trim(trim(p)[fitting(trim(p), g.room(width)/(size*mm)):])
		}
		if len(p) > 0 {
			rest.paragraphs = append(rest.paragraphs, p)
		}
	}
	return rest
}

// move makes notes of what found no room in box b, and leaves a line there that will say where it went.
func (k *composer) move(s *sheet, b box, at text, rest []group) {
	s.texts = append(s.texts, at)
	name := strings.ToUpper(string(b.holds))
	if number, _ := k.heading(b.number, b.holds); number != "" {
		name = "BOX " + number
	}
	k.notes = append(k.notes, note{group: group{paragraphs: []line{k.ours(name + ", CONTINUED:")}}, moved: &later{s, len(s.texts) - 1}})
	for _, g := range rest {
		k.notes = append(k.notes, note{group: g})
	}
}

// formName writes the agreement and the form's name at the lower end of the title block.
func (k *composer) formName(s *sheet, area *rectangle) {
	lines := wrap(k.ours(strings.ToUpper(k.form.Agreement)), smallSize, area.w-6)
	name := k.title()
	height := float64(len(lines))*leading(smallSize) + 2*leading(titleSize)
	y := area.y + area.h - height - 2
	area.h -= height + 4
	for _, l := range lines {
		s.centred(area, y+leading(smallSize)*0.8, smallSize, l, false)
		y += leading(smallSize)
	}
	if !strings.Contains(name, "CERTIFICATE OF ORIGIN") {
		s.centred(area, y+leading(titleSize)*0.8, titleSize, k.ours("CERTIFICATE OF ORIGIN"), true)
		y += leading(titleSize)
	}
	s.centred(area, y+leading(titleSize)*0.8, titleSize, k.ours(name), true)
}

func (s *sheet) centred(area *rectangle, y, size float64, set line, bold bool) {
	width := set.width(size)
	if bold {
		width *= 1.08
	}
	s.texts = append(s.texts, text{x: area.x + (area.w-width)/2, y: y, size: size, set: set, bold: bold})
}

// officialUse writes the two answers of the importing customs and the place for its signature.
func (k *composer) officialUse(s *sheet, area *rectangle) {
	const side, row = 2.6, 4.4
	y := area.y + area.h - 2*row - 9
	for i, words := range []string{"Preferential treatment given", "Preferential treatment not given (reason):"} {
		at := y + float64(i)*row
		s.square(area.x, at, side)
		s.texts = append(s.texts, text{x: area.x + side + 1.5, y: at + side*0.85, size: smallSize, set: k.ours(words)})
	}
	k.signature(s, area, "Signature of the importing customs")
	area.h = y - area.y - 0.5
}

// signature reserves room at the lower end of an area for a signature.
func (k *composer) signature(s *sheet, area *rectangle, caption string) {
	y := area.y + area.h - 3
	s.rules = append(s.rules, rule{area.x + 2, y, area.x + area.w - 2, y, true})
	s.texts = append(s.texts, text{x: area.x + 2, y: y + captionSize*mm, size: captionSize, set: k.ours(caption)})
	area.h -= 12
}

// tickBoxes writes the form's indicators, four on a line. What finds no room becomes a note.
func (k *composer) tickBoxes(s *sheet, area rectangle) {
	const perLine, side, row = 4, 2.8, 4.6
	width := area.w / perLine
	rows := int(area.h / row)
	n := 0
	for _, t := range k.ticks() {
		label := k.ours(t.label)
		if n >= rows*perLine || label.width(smallSize) > width-side-2.5 {
			k.notes = append(k.notes, note{group: group{paragraphs: []line{k.ours(t.label + ": " + yesNo(t.on))}}})
			continue
		}
		x, y := area.x+float64(n%perLine)*width, area.y+float64(n/perLine)*row
		s.square(x, y, side)
		if t.on {
			s.texts = append(s.texts, text{x: x + 0.55, y: y + side*0.88, size: 7.5, set: k.ours("X"), bold: true})
		}
		s.texts = append(s.texts, text{x: x + side + 1.3, y: y + side*0.85, size: smallSize, set: label})
		n++
	}
}

// margins writes what stands outside the frame of every page: overlays and the page's number above; the reference, the digest of the
// signed document and the QR code below.
func (k *composer) margins(s *sheet, number int) {
	const size = 8.0
	page := k.ours(fmt.Sprintf("PAGE %d OF %d", number, len(k.sheets)))
	pageWidth := page.width(size) * 1.1
	s.texts = append(s.texts, text{x: right - pageWidth, y: top - 2.5, size: size, set: page, bold: true})
	if len(s.overlays) > 0 {
		words := k.ours(strings.Join(s.overlays, " / "))
		fit := math.Min(size+1, (right-left-pageWidth-6)/(words.width(1)*1.1))
		s.texts = append(s.texts, text{x: left, y: top - 2.5, size: fit, set: words, bold: true, red: true})
	}
	const code = 27.0
	s.coded = rectangle{right - code, foot + 1, code, code}
	y := foot + 4.5
	for _, l := range k.footLines() {
		s.texts = append(s.texts, text{x: left, y: y, size: smallSize, set: k.shortened(l, smallSize, right-left-code-4)})
		y += leading(smallSize) + 0.6
	}
}

func (k *composer) footLines() []string {
	c := k.c
	lines := []string{fmt.Sprintf("REFERENCE %s / FORM %s / ISSUED IN %s ON %s", c.Reference, c.Form, c.IssuingCountry, c.IssuedAt)}
	if k.options.Digest != "" {
		lines = append(lines, "SHA-256 OF THE SIGNED DOCUMENT "+k.options.Digest,
			"The QR code bears the reference and this digest. Only the signed document proves anything; this page shows what it says.")
	} else {
		lines = append(lines, "There is no signed document behind this page.")
	}
	if k.unprinted > 0 {
		lines = append(lines, fmt.Sprintf("Characters that could not be printed, in %d fields, stand as code points: [U+...].", k.unprinted))
	}
	return lines
}

// shortened is text cut to a width with "..." at its end; only for what stands in full elsewhere.
func (k *composer) shortened(s string, size, width float64) line {
	set := k.set(strings.Join(strings.Fields(s), " "), false)
	if set.width(size) <= width {
		return set
	}
	dots := k.ours("...")
	limit := (width - dots.width(size)) / (size * mm)
	for i, g := range set {
		if limit -= float64(g.width); limit < 0 {
			return append(set[:i:i], dots...)
		}
	}
	return set
}
