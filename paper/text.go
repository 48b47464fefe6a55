package paper

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"unicode"

	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/unicode/bidi"
	"golang.org/x/text/unicode/norm"

	"github.com/ecogate/ecogate/eco"
)

// mm is a typographic point in millimetres.
const mm = 25.4 / 72

// glyph is one character to print: which face prints it, and its width in em.
type glyph struct {
	r     rune
	face  uint8 // 0 is the built-in font, n the n-th of Options.Fonts
	width float32
}

// line is what stands on one line of a box.
type line []glyph

func (l line) width(size float64) float64 {
	var em float64
	for _, g := range l {
		em += float64(g.width)
	}
	return em * size * mm
}

// faces are the fonts of one rendition with the widths that were asked for.
type faces struct {
	fonts  []*Font
	widths []map[rune]float32
	// measure is the width of r in a face, in em.
	measure func(face uint8, r rune) float32
}

// shaped are scripts whose characters change form or order with their neighbours, which nothing here does.
var shaped = []*unicode.RangeTable{
	unicode.Arabic, unicode.Hebrew, unicode.Syriac, unicode.Thaana, unicode.Nko, unicode.Devanagari, unicode.Bengali, unicode.Gurmukhi,
	unicode.Gujarati, unicode.Oriya, unicode.Tamil, unicode.Telugu, unicode.Kannada, unicode.Malayalam, unicode.Sinhala, unicode.Khmer,
	unicode.Myanmar, unicode.Tibetan, unicode.Mongolian, unicode.Balinese, unicode.Javanese,
}

// printable reports whether a font may be asked for r at all.
func printable(r rune) bool {
	if r < 0x7F { // most of all texts
		return r >= ' '
	}
	if r > 0xFFFF || r == unicode.ReplacementChar || !unicode.IsGraphic(r) || unicode.In(r, shaped...) {
		return false
	}
	properties, _ := bidi.LookupRune(r)
	return properties.Class() != bidi.R && properties.Class() != bidi.AL
}

// face finds the font for r among all, the one of the character before it first.
func (f *faces) face(r rune, before uint8) (uint8, bool) {
	if !printable(r) {
		return 0, false
	}
	if before > 0 && f.fonts[before-1].has(r) {
		return before, true
	}
	if builtIn(r) {
		return 0, true
	}
	for i, font := range f.fonts {
		if font.has(r) {
			return uint8(i + 1), true
		}
	}
	return 0, false
}

// builtIn reports whether the built-in font has r.
func builtIn(r rune) bool {
	_, ok := charmap.Windows1252.EncodeRune(r)
	return ok && printable(r)
}

// whole is the first font that has every character of text that can be printed: a name looks best in one.
func (f *faces) whole(text string) uint8 {
	if !strings.ContainsFunc(text, func(r rune) bool { return printable(r) && !builtIn(r) }) {
		return 0
	}
	for i, font := range f.fonts {
		if !strings.ContainsFunc(text, func(r rune) bool { return printable(r) && !font.has(r) }) {
			return uint8(i + 1)
		}
	}
	return 0
}

func (f *faces) width(face uint8, r rune) float32 {
	w, ok := f.widths[face][r]
	if !ok {
		w = f.measure(face, r)
		f.widths[face][r] = w
	}
	return w
}

// set turns text of one line into glyphs. What no font has becomes its code point in brackets.
func (f *faces) set(text string, capitals bool) line {
	text = norm.NFC.String(strings.ToValidUTF8(text, "\uFFFD"))
	face := f.whole(text)
	set := make(line, 0, len(text))
	for _, r := range text {
		if unicode.IsSpace(r) {
			r = ' '
		}
		if capitals {
			r = f.capital(r)
		}
		of, ok := f.face(r, face)
		if !ok {
			for _, r := range codePoint(r) {
				set = append(set, glyph{r, 0, f.width(0, r)})
			}
			continue
		}
		face = of
		set = append(set, glyph{r, face, f.width(face, r)})
	}
	return set
}

func codePoint(r rune) string { return fmt.Sprintf("[%U]", r) }

// capital is the capital of r if that can be printed. The micro sign has a Greek one, which would be read as M.
func (f *faces) capital(r rune) rune {
	upper := unicode.ToUpper(r)
	if _, ok := f.face(upper, 0); !ok || r == 'µ' {
		return r
	}
	return upper
}

// paragraphs are the lines of a text as it was written, without blank ones: a form is filled in row by row, and a blank row invites
// additions (Lao MOIC Instruction 0118/MOIC.DIMEX).
func paragraphs(text string) []string {
	return slices.DeleteFunc(strings.FieldsFunc(text, lineEnd), func(p string) bool { return strings.TrimSpace(p) == "" })
}

func lineEnd(r rune) bool {
	return r == '\n' || r == '\r' || r == '\v' || r == '\f' || r == '\u0085' || r == '\u2028' || r == '\u2029'
}

// wrap breaks glyphs into lines of at most width millimetres: at spaces, between ideographs and code points, and within words that are
// longer than a line. Every glyph but the spaces at a break is in one of the lines.
func wrap(set line, size, width float64) []line {
	limit := width / (size * mm)
	var lines []line
	for set = trim(set); len(set) > 0; set = trim(set) {
		n := fitting(set, limit)
		lines = append(lines, trim(set[:n]))
		set = set[n:]
	}
	return lines
}

// fitting is how many glyphs go on the next line: at least one.
func fitting(set line, limit float64) int {
	em, last := 0.0, 0
	for i, g := range set {
		if i > 0 && (g.r == ' ' || breaksAnywhere(g.r) || breaksAnywhere(set[i-1].r) || set[i-1].r == ']' && g.r == '[') {
			last = i
		}
		em += float64(g.width)
		if em > limit+1e-6 && g.r != ' ' && i > 0 {
			if last > 0 {
				return last
			}
			return i
		}
	}
	return len(set)
}

func breaksAnywhere(r rune) bool {
	return unicode.In(r, unicode.Han, unicode.Hiragana, unicode.Katakana, unicode.Thai, unicode.Lao) && !unicode.Is(unicode.Mn, r)
}

func trim(l line) line {
	for len(l) > 0 && l[0].r == ' ' {
		l = l[1:]
	}
	for len(l) > 0 && l[len(l)-1].r == ' ' {
		l = l[:len(l)-1]
	}
	return l
}

// listed bounds the characters that one finding names.
const listed = 5

// check names each field whose value holds characters that these fonts cannot print.
func check(c eco.Certificate, f faces) []eco.Finding {
	var findings []eco.Finding
	walk(reflect.ValueOf(c), "", func(path, text string) {
		var missing []string
		text = norm.NFC.String(strings.ToValidUTF8(text, "\uFFFD"))
		for _, r := range text {
			if _, ok := f.face(r, 0); ok || unicode.IsSpace(r) || slices.Contains(missing, codePoint(r)) {
				continue
			}
			missing = append(missing, codePoint(r))
		}
		if len(missing) == 0 {
			return
		}
		more := ""
		if len(missing) > listed {
			missing, more = missing[:listed], fmt.Sprintf(" and %d more", len(missing)-listed)
		}
		findings = append(findings, eco.Finding{
			Code: eco.CodeText, Severity: eco.SeverityWarning, Path: path,
			Text: "characters that the paper's fonts lack, printed as code points: " + strings.Join(missing, " ") + more,
			Fix:  "name a TrueType font that has them in paper.fonts; scripts that need shaping or run from right to left cannot be printed",
		})
	})
	return findings
}

// walk calls visit for each text of a certificate, with its path in the JSON form.
func walk(v reflect.Value, path string, visit func(path, text string)) {
	switch v.Kind() {
	case reflect.String:
		visit(path, v.String())
	case reflect.Pointer:
		if !v.IsNil() {
			walk(v.Elem(), path, visit)
		}
	case reflect.Slice:
		for i := range v.Len() {
			walk(v.Index(i), fmt.Sprintf("%s[%d]", path, i), visit)
		}
	case reflect.Map:
		keys := v.MapKeys()
		slices.SortFunc(keys, func(a, b reflect.Value) int { return strings.Compare(a.String(), b.String()) })
		for _, key := range keys {
			walk(key, path+"."+strings.ToValidUTF8(key.String(), "\uFFFD"), visit)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			name, _, _ := strings.Cut(v.Type().Field(i).Tag.Get("json"), ",")
			walk(v.Field(i), strings.TrimPrefix(path+"."+name, "."), visit)
		}
	}
}
