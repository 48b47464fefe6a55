package paper

import (
	"bytes"
	"fmt"
	"io"
	"math"
	"strings"

	"github.com/go-pdf/fpdf"
	"golang.org/x/text/encoding/charmap"

	"github.com/ecogate/ecogate/eco"
)

// builtInFamily is one of the fonts that every PDF reader has (ISO 32000-1 §9.6.2.2).
const builtInFamily = "Helvetica"

// press is one run of the PDF library: it measures type first and draws sheets then.
type press struct {
	faces
	pdf *fpdf.Fpdf
	// used is the font that is set, so that it is not set again for every text.
	used usedFont
	// embedded are the parts of Options.Fonts that a text has needed; members says in which part of a font a character is.
	embedded map[string]bool
	members  []map[rune]int
}

type usedFont struct {
	family string
	bold   bool
	size   float64
}

// neighbours bounds the characters in the first part of a font. The library takes time in the third power of how many neighbours of
// equal width a part has, which with the syllables of Korean would be minutes.
const neighbours = 256

// metadata describe the document to readers of PDF.
type metadata struct {
	title, author, subject string
	day                    eco.Date
}

func newPress(fonts []*Font) *press {
	pdf := fpdf.New("P", "mm", "A4", "")
	pdf.SetAutoPageBreak(false, 0)
	pdf.SetCatalogSort(true)
	p := &press{pdf: pdf, faces: faces{fonts: fonts}, embedded: map[string]bool{}}
	p.widths = make([]map[rune]float32, len(fonts)+1)
	for i := range p.widths {
		p.widths[i] = map[rune]float32{}
		p.members = append(p.members, map[rune]int{})
	}
	p.measure = func(face uint8, r rune) float32 {
		p.use(face, 0, false, 1)
		return float32(p.pdf.GetStringSymbolWidth(encoded(face, string(r)))) / 1000
	}
	return p
}

// part says in which part of its font a character is embedded: the first ones together, as most certificates need no more, and any
// further ones apart by odd and even, so that none has a neighbour.
func (p *press) part(g glyph) int {
	if g.face == 0 {
		return 0
	}
	members := p.members[g.face]
	part, ok := members[g.r]
	if !ok {
		if len(members) >= neighbours {
			part = 1 + int(g.r&1)
		}
		members[g.r] = part
	}
	return part
}

// use sets a font. Only the built-in one has a bold style.
func (p *press) use(face uint8, part int, bold bool, size float64) {
	next := usedFont{builtInFamily, bold && face == 0, size}
	if face > 0 {
		next.family = fmt.Sprintf("font%d-%d", face, part)
	}
	if next == p.used {
		return
	}
	if face > 0 && !p.embedded[next.family] {
		p.fonts[face-1].addTo(p.pdf, next.family)
		p.embedded[next.family] = true
	}
	style := ""
	if next.bold {
		style = "B"
	}
	p.pdf.SetFont(next.family, style, size)
	p.used = next
}

// encoded is text as the library wants it for a face.
func encoded(face uint8, s string) string {
	if face != 0 {
		return s
	}
	b := make([]byte, 0, len(s))
	for _, r := range s {
		c, _ := charmap.Windows1252.EncodeRune(r) // faces.face chose this face because it has r
		b = append(b, c)
	}
	return string(b)
}

// write draws the sheets. The library keeps the first error for Output.
func (p *press) write(w io.Writer, sheets []*sheet, code []byte, m metadata) error {
	day := m.day.Time()
	if day.IsZero() {
		day = eco.Date{Year: 2000, Month: 1, Day: 1}.Time() // the library would take the present
	}
	p.pdf.SetCreationDate(day)
	p.pdf.SetModificationDate(day)
	p.pdf.SetProducer("ecogate", true)
	p.pdf.SetTitle(plane0(m.title), true)
	p.pdf.SetAuthor(plane0(m.author), true)
	p.pdf.SetSubject(plane0(m.subject), true)
	p.pdf.SetLang("en")
	const codeName = "code"
	if code != nil {
		p.pdf.RegisterImageOptionsReader(codeName, fpdf.ImageOptions{ImageType: "PNG"}, bytes.NewReader(code))
	}
	for _, s := range sheets {
		p.pdf.AddPage()
		p.used = usedFont{} // a page begins with none
		p.overlay(s.overlays)
		for _, r := range s.rules {
			p.rule(r)
		}
		for _, t := range s.texts {
			p.text(t)
		}
		if code != nil {
			p.pdf.ImageOptions(codeName, s.coded.x, s.coded.y, s.coded.w, s.coded.h, false, fpdf.ImageOptions{ImageType: "PNG"}, 0, "")
		}
	}
	return p.pdf.Output(w)
}

// overlay writes words across the page, below everything else and so pale that what is over them can be read.
func (p *press) overlay(words []string) {
	const angle, length = 50.0, 235.0
	p.pdf.SetTextColor(246, 214, 214)
	for i, w := range words {
		p.use(0, 0, true, 10)
		size := math.Min(72, 10*length/p.pdf.GetStringWidth(w))
		p.use(0, 0, true, size)
		x, y := pageWidth/2, pageHeight/2+(float64(i)-float64(len(words)-1)/2)*52
		p.pdf.TransformBegin()
		p.pdf.TransformRotate(angle, x, y)
		p.pdf.Text(x-p.pdf.GetStringWidth(w)/2, y+size*mm*0.35, w)
		p.pdf.TransformEnd()
	}
	p.pdf.SetTextColor(0, 0, 0)
}

func (p *press) rule(r rule) {
	width := 0.25
	if r.thin {
		width = 0.12
	}
	if p.pdf.GetLineWidth() != width {
		p.pdf.SetLineWidth(width)
	}
	p.pdf.Line(r.x1, r.y1, r.x2, r.y2)
}

// text draws a line of type, one piece for each font in it.
func (p *press) text(t text) {
	if t.red {
		p.pdf.SetTextColor(176, 0, 0)
	}
	x, weight := t.x, 1.0
	if t.bold {
		weight = 1.1 // bold letters are wider by a tenth at most
	}
	for set := t.set; len(set) > 0; {
		n, part := 1, p.part(set[0])
		for n < len(set) && set[n].face == set[0].face && p.part(set[n]) == part {
			n++
		}
		var b strings.Builder
		for _, g := range set[:n] {
			b.WriteRune(g.r)
		}
		p.use(set[0].face, part, t.bold, t.size)
		p.pdf.Text(x, t.y, encoded(set[0].face, b.String()))
		x += set[:n].width(t.size) * weight
		set = set[n:]
	}
	if t.red {
		p.pdf.SetTextColor(0, 0, 0)
	}
}

// plane0 is text for metadata, which the library writes in UTF-16 without surrogates: characters beyond become code points.
func plane0(s string) string {
	var b strings.Builder
	for _, r := range strings.ToValidUTF8(s, "\uFFFD") {
		if r > 0xFFFF {
			b.WriteString(codePoint(r))
		} else {
			b.WriteRune(r)
		}
	}
	return b.String()
}
