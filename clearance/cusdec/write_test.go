package cusdec_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/text/encoding/charmap"
	"pgregory.net/rapid"

	"github.com/ecogate/ecogate/clearance"
	"github.com/ecogate/ecogate/clearance/cusdec"
	"github.com/ecogate/ecogate/eco"
)

// style is how an interchange is spelled.
type style struct {
	version int
	latin1  bool   // UNOC, otherwise UNOY
	advice  string // UNA's six characters, "" for none
	between string // between segments
	comma   bool   // as decimal mark
}

// declarationWriter writes declarations as interchanges, to be read again.
type declarationWriter struct {
	style
	out      bytes.Buffer
	segments int
}

// written is an interchange with a message for each declaration.
func written(s style, declarations ...clearance.Declaration) []byte {
	w := &declarationWriter{style: s}
	if w.advice != "" {
		w.out.WriteString("UNA" + w.advice + w.between)
	} else if w.advice = ":+.? '"; s.version == 4 {
		w.advice = ":+.?*'"
	}
	day := map[bool]string{true: "20261129", false: "261129"}[s.version == 4]
	w.put("UNB", []string{map[bool]string{true: "UNOC", false: "UNOY"}[s.latin1], fmt.Sprint(s.version)}, []string{"A"}, []string{"B"}, []string{day, "0915"}, []string{"I1"})
	for i, d := range declarations {
		reference := fmt.Sprint("M", i+1)
		w.segments = 0
		w.put("UNH", []string{reference}, []string{"CUSDEC", "D", "96B", "UN"})
		w.declaration(d)
		w.put("UNT", []string{fmt.Sprint(w.segments + 1)}, []string{reference})
	}
	w.put("UNZ", []string{fmt.Sprint(len(declarations))}, []string{"I1"})
	return w.out.Bytes()
}

func (w *declarationWriter) put(tag string, elements ...[]string) {
	w.segments++
	w.out.WriteString(tag)
	for _, components := range elements {
		w.out.WriteByte(w.advice[1])
		for i, c := range components {
			if i > 0 {
				w.out.WriteByte(w.advice[0])
			}
			w.out.Write(w.escaped(c))
		}
	}
	w.out.WriteString(w.advice[5:] + w.between)
}

func (w *declarationWriter) escaped(value string) []byte {
	octets := []byte(value)
	if w.latin1 {
		var err error
		if octets, err = charmap.ISO8859_1.NewEncoder().Bytes(octets); err != nil {
			panic(err)
		}
	}
	special := string(w.advice[:2]) + w.advice[3:4] + w.advice[5:]
	if w.version == 4 {
		special += w.advice[4:5]
	}
	var out []byte
	for _, b := range octets {
		if strings.IndexByte(special, b) >= 0 {
			out = append(out, w.advice[3])
		}
		out = append(out, b)
	}
	return out
}

func (w *declarationWriter) declaration(d clearance.Declaration) {
	w.put("BGM", []string{"929"}, []string{d.Number}, []string{"9"})
	if d.Office != "" {
		w.put("LOC", []string{"22"}, []string{d.Office})
	}
	w.put("DTM", []string{"150", strings.ReplaceAll(d.Lodged.String(), "-", ""), "102"})
	if g := d.Guarantee; g != nil {
		w.put("DOC", []string{"430"}, []string{g.Number})
		if !g.Until.IsZero() {
			w.put("DTM", []string{"36", strings.ReplaceAll(g.Until.String(), "-", ""), "102"})
		}
	}
	w.party("IM", d.Importer)
	if d.Agent != nil {
		w.party("DT", *d.Agent)
	}
	w.put("UNS", []string{"D"})
	for _, l := range d.Lines {
		w.line(l)
	}
	w.put("UNS", []string{"S"})
}

func (w *declarationWriter) party(role string, p eco.Party) {
	var id []string
	for _, i := range p.Identifiers {
		if i.Scheme != "VAT" {
			id = []string{i.Value, i.Scheme}
		}
	}
	w.put("NAD", []string{role}, id, nil, []string{p.Name}, p.Address.Lines, []string{p.Address.City}, nil, nil, []string{p.Address.Country})
	for _, i := range p.Identifiers {
		if i.Scheme == "VAT" {
			w.put("RFF", []string{"VA", i.Value})
		}
	}
}

func (w *declarationWriter) line(l clearance.Line) {
	w.put("CST", []string{fmt.Sprint(l.Number)}, []string{l.HS})
	if l.Description != "" {
		w.put("FTX", []string{"AAA"}, nil, nil, []string{l.Description})
	}
	if l.Origin != "" {
		w.put("LOC", []string{"27"}, []string{l.Origin})
	}
	w.measure("AAF", "G", l.GrossWeight)
	w.measure("AAF", "N", l.NetWeight)
	w.measure("AAR", "", l.Quantity)
	if l.Packages > 0 {
		w.put("PAC", []string{fmt.Sprint(l.Packages)})
	}
	if l.Value != nil {
		w.put("MOA", []string{"38", w.figure(l.Value.Value), l.Value.Currency})
	}
	for _, c := range l.Citations {
		if c.Item > 0 {
			w.put("RFF", []string{"DM", c.Reference, fmt.Sprint(c.Item)})
		}
	}
	named := map[string]bool{}
	for _, c := range l.Citations {
		if named[c.Reference] {
			continue
		}
		named[c.Reference] = true
		w.put("DOC", []string{"861", "", "", string(c.Form)}, []string{c.Reference})
		if c.Country != "" {
			w.put("LOC", []string{"91"}, []string{c.Country})
		}
	}
}

func (w *declarationWriter) measure(purpose, attribute string, m *eco.Measure) {
	if m != nil {
		w.put("MEA", []string{purpose}, []string{attribute}, []string{m.Unit, w.figure(m.Value)})
	}
}

func (w *declarationWriter) figure(d eco.Decimal) string {
	if w.comma {
		return strings.ReplaceAll(string(d), ".", ",")
	}
	return string(d)
}

// drawStyle draws a spelling; with UNA in version 3 the decimal mark is the one that it names.
func drawStyle(t *rapid.T) style {
	s := style{
		version: rapid.IntRange(3, 4).Draw(t, "version"),
		latin1:  rapid.Bool().Draw(t, "latin1"),
		between: rapid.SampledFrom([]string{"", "\n", "\r\n"}).Draw(t, "between"),
		comma:   rapid.Bool().Draw(t, "comma"),
	}
	if rapid.Bool().Draw(t, "una") {
		mark := map[bool]string{true: ",", false: "."}[s.comma]
		s.advice = rapid.SampledFrom([]string{":+%s?*'", "|~%s!^\\", "/;%s#@&", "\x1f\x1d%s?*\x1c"}).Draw(t, "separators")
		s.advice = fmt.Sprintf(s.advice, mark)
	}
	return s
}

// drawDeclaration draws one that CUSDEC can carry.
func drawDeclaration(t *rapid.T, latin1 bool) clearance.Declaration {
	text := rapid.StringMatching(`[A-Za-z0-9+:'?*|~!^/;#@&éß]([ -~éß]{0,20}[A-Za-z0-9+:'?*|~!^/;#@&éß])?`)
	if !latin1 {
		text = rapid.StringMatching(`[A-Z+:'?*泰é]([ -~山機éß]{0,20}[A-Z+:'?*械é])?`)
	}
	code := rapid.StringMatching(`[A-Z0-9]{2,8}`)
	country := rapid.SampledFrom([]string{"KR", "TW", "VN"})
	day := rapid.Custom(func(t *rapid.T) eco.Date {
		return eco.Date{Year: 2026}.AddDays(rapid.IntRange(31, 3000).Draw(t, "day"))
	})
	figure := rapid.Custom(func(t *rapid.T) eco.Decimal {
		return eco.Decimal(rapid.StringMatching(`[1-9][0-9]{0,6}(\.[0-9]{1,3})?`).Draw(t, "figure"))
	})
	measure := func(name string, units ...string) *eco.Measure {
		if !rapid.Bool().Draw(t, name) {
			return nil
		}
		return &eco.Measure{Value: figure.Draw(t, name), Unit: rapid.SampledFrom(units).Draw(t, name)}
	}
	party := func(name string) eco.Party {
		p := eco.Party{Name: text.Draw(t, name)}
		if rapid.Bool().Draw(t, name+" id") {
			p.Identifiers = append(p.Identifiers, eco.Identifier{Scheme: rapid.SampledFrom([]string{"TAX", "BRN"}).Draw(t, "scheme"), Value: code.Draw(t, "id")})
		}
		if rapid.Bool().Draw(t, name+" vat") {
			p.Identifiers = append(p.Identifiers, eco.Identifier{Scheme: "VAT", Value: code.Draw(t, "vat")})
		}
		if rapid.Bool().Draw(t, name+" address") {
			p.Address = eco.Address{Lines: rapid.SliceOfN(text, 1, 4).Draw(t, "lines"), City: text.Draw(t, "city"), Country: country.Draw(t, "country")}
		}
		return p
	}
	d := clearance.Declaration{Number: code.Draw(t, "number"), Office: code.Draw(t, "office"), Lodged: day.Draw(t, "lodged"), Importer: party("importer")}
	if rapid.Bool().Draw(t, "agent") {
		agent := party("agent")
		d.Agent = &agent
	}
	if rapid.Bool().Draw(t, "guarantee") {
		d.Guarantee = &clearance.Guarantee{Number: code.Draw(t, "guarantee number"), Until: day.Draw(t, "until")}
	}
	for n := range rapid.IntRange(1, 4).Draw(t, "lines") {
		l := clearance.Line{
			Number: n + 1, HS: rapid.StringMatching(`[0-9]{6,10}`).Draw(t, "hs"), Description: text.Draw(t, "description"), Origin: country.Draw(t, "origin"),
			Quantity: measure("quantity", "SET", "C62"), NetWeight: measure("net", "KGM"), GrossWeight: measure("gross", "KGM"),
			Packages: int64(rapid.IntRange(0, 99).Draw(t, "packages")),
		}
		if rapid.Bool().Draw(t, "value") {
			l.Value = &eco.Amount{Value: figure.Draw(t, "value"), Currency: "USD"}
		}
		for c := range rapid.IntRange(0, 3).Draw(t, "certificates") {
			cited := clearance.Citation{Reference: fmt.Sprintf("CO-%d%s", c, code.Draw(t, "certificate")), Country: country.Draw(t, "issued in"),
				Form: rapid.SampledFrom([]eco.FormCode{"", "ATIGA-D", "NON-PREFERENTIAL"}).Draw(t, "form")}
			for _, item := range rapid.SliceOfNDistinct(rapid.IntRange(1, 50), 0, 3, rapid.ID).Draw(t, "items") {
				cited.Item = item
				l.Citations = append(l.Citations, cited)
			}
			if cited.Item == 0 {
				l.Citations = append(l.Citations, cited)
			}
		}
		d.Lines = append(d.Lines, l)
	}
	return d
}

func TestDeclarationsSurviveTheirWritingInEverySpelling(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := drawStyle(t)
		want := []clearance.Declaration{drawDeclaration(t, s.latin1), drawDeclaration(t, s.latin1)}
		data := written(s, want...)
		interchange, messages, err := cusdec.Read(bytes.NewReader(data), cusdec.Limits{})
		if err != nil || len(interchange.Faults) > 0 || len(messages) != len(want) {
			t.Fatalf("%q\n%v, %d messages, %v", data, interchange.Faults, len(messages), err)
		}
		for i, m := range messages {
			if len(m.Faults) > 0 || len(m.Skipped) > 0 {
				t.Fatalf("%q\nfaults %v, skipped %v", data, m.Faults, m.Skipped)
			}
			if diff := cmp.Diff(want[i], m.Declaration); diff != "" {
				t.Fatalf("%q\n-written +read:\n%s", data, diff)
			}
			if found := eco.HasErrors(m.Declaration.Validate()); found && cites(m.Declaration) {
				t.Fatalf("%q\nwas read without fault, and is invalid: %v", data, m.Declaration.Validate())
			}
		}
	})
}

// cites reports whether any line claims preference; a declaration without is not one to the gateway.
func cites(d clearance.Declaration) bool {
	for _, l := range d.Lines {
		if len(l.Citations) > 0 {
			return true
		}
	}
	return false
}
