package clearance

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode"

	"github.com/ecogate/ecogate/eco"
)

// Bounds on one declaration, and so on the work that it can cause.
const (
	MaxLines     = 2000 // lines
	MaxCitations = 2000 // citations of all lines together
	maxShort     = 100  // characters of a number or a code
	maxDiffering = 300  // characters of two texts that differ, as a finding tells them
	maxText      = 4000 // characters of a description or another text
)

// countryPattern is ISO 3166-1 alpha-2, unitPattern a code of UN/ECE Recommendation 20, currencyPattern ISO 4217, hsPattern a tariff code:
// the six digits of the Harmonized System and what a national tariff adds.
var (
	countryPattern  = regexp.MustCompile(`^[A-Z]{2}$`)
	unitPattern     = regexp.MustCompile(`^[A-Z0-9]{1,3}$`)
	currencyPattern = regexp.MustCompile(`^[A-Z]{3}$`)
	hsPattern       = regexp.MustCompile(`^[0-9]{6,14}$`)
)

// findings collects what is wrong.
type findings []eco.Finding

func (f *findings) add(severity eco.Severity, code, path, text, fix string) {
	*f = append(*f, eco.Finding{Code: code, Severity: severity, Path: path, Text: text, Fix: fix})
}

func (f *findings) fail(code, path, text, fix string) {
	f.add(eco.SeverityError, code, path, text, fix)
}

func (f *findings) warn(code, path, text, fix string) {
	f.add(eco.SeverityWarning, code, path, text, fix)
}

// Validate checks a declaration by itself and returns what it finds, always in the same order; nil when there is nothing. One with an
// error says too little, or two things at once, to be compared with certificates. The work is linear in its size.
func (d Declaration) Validate() []eco.Finding {
	var f findings
	if d.ID() == "" {
		f.fail(eco.CodeText, "number", fmt.Sprintf("want letters or digits, found %q", d.Number), "state the declaration's number")
	}
	if n := len(d.Number); n > eco.MaxDocument {
		f.fail(eco.CodeText, "number", fmt.Sprintf("want at most %d octets, found %d", eco.MaxDocument, n), "shorten it")
	}
	f.short("number", d.Number)
	f.short("office", d.Office)
	if d.Lodged.IsZero() {
		f.fail(eco.CodeDates, "lodged", "want the day on which it was presented, found none", "state it as YYYY-MM-DD")
	}
	if strings.TrimSpace(d.Importer.Name) == "" && len(d.Importer.Identifiers) == 0 {
		f.fail(eco.CodeText, "importer", "want a name or an identifier, found neither", "say who the importer is")
	}
	f.party("importer", d.Importer)
	if d.Agent != nil {
		f.party("agent", *d.Agent)
	}
	if g := d.Guarantee; g != nil {
		f.guarantee("guarantee", *g)
	}
	f.text("override", d.Override)
	f.lines(d.Lines)
	return f
}

func (f *findings) lines(lines []Line) {
	if n := len(lines); n > MaxLines {
		f.fail(eco.CodeText, "lines", fmt.Sprintf("want at most %d lines, found %d", MaxLines, n), "divide the declaration")
		return
	}
	cited := 0
	for _, l := range lines {
		cited += len(l.Citations)
	}
	switch {
	case cited == 0:
		f.fail(eco.CodeText, "lines", "want at least one line that cites a certificate, found none", "cite the certificates under which preference is claimed")
	case cited > MaxCitations:
		f.fail(eco.CodeText, "lines", fmt.Sprintf("want at most %d citations, found %d", MaxCitations, cited), "divide the declaration")
		return
	}
	seen := make(map[int]bool, len(lines))
	for i, l := range lines {
		path := fmt.Sprintf("lines[%d]", i)
		if l.Number < 1 || seen[l.Number] {
			f.fail(eco.CodeText, path+".number", fmt.Sprintf("want a line's number once, counted from 1, found %d", l.Number), "number the lines")
		}
		seen[l.Number] = true
		f.line(path, l)
	}
}

func (f *findings) line(path string, l Line) {
	f.fits(hsPattern, eco.CodeHS, path+".hs", l.HS, "six to fourteen digits", "write the tariff code without points")
	f.fits(countryPattern, eco.CodeCountries, path+".origin", l.Origin, "an ISO 3166-1 alpha-2 code", "use a code such as KR")
	f.text(path+".description", l.Description)
	f.measure(path+".quantity", l.Quantity)
	f.measure(path+".net_weight", l.NetWeight)
	f.measure(path+".gross_weight", l.GrossWeight)
	f.amount(path+".value", l.Value)
	if l.Packages < 0 {
		f.fail(eco.CodeQuantity, path+".packages", fmt.Sprintf("want 0 or more, found %d", l.Packages), "count the packages")
	}
	type name struct {
		citation Citation
		item     int
	}
	seen := map[name]bool{}
	for i, c := range l.Citations {
		at := fmt.Sprintf("%s.citations[%d]", path, i)
		reference := eco.NormaliseReference(c.Reference)
		if reference == "" {
			f.fail(eco.CodeReferenceFormat, at+".reference", fmt.Sprintf("want letters or digits, found %q", c.Reference), "give the certificate's number as printed")
		}
		f.short(at+".reference", c.Reference)
		f.short(at+".form", string(c.Form))
		f.fits(countryPattern, eco.CodeCountries, at+".country", c.Country, "an ISO 3166-1 alpha-2 code", "use a code such as KR")
		if c.Item < 0 || c.Item > 1_000_000 {
			f.fail(eco.CodeText, at+".item", fmt.Sprintf("want an item's number, found %d", c.Item), "use the number as printed")
		}
		f.measure(at+".quantity", c.Quantity)
		n := name{Citation{Reference: reference, Country: c.Country, Form: c.Form}, c.Item}
		if seen[n] {
			f.fail(eco.CodeText, at, fmt.Sprintf("item %d of certificate %s is cited twice by one line", c.Item, c.Reference), "cite it once, with the whole quantity")
		}
		seen[n] = true
	}
}

func (f *findings) party(path string, p eco.Party) {
	f.text(path+".name", p.Name)
	f.text(path+".contact", p.Contact)
	for i, id := range p.Identifiers {
		at := fmt.Sprintf("%s.identifiers[%d]", path, i)
		if strings.TrimSpace(id.Scheme) == "" || strings.TrimSpace(id.Value) == "" {
			f.fail(eco.CodeText, at, fmt.Sprintf("want a scheme and a value, found %q and %q", id.Scheme, id.Value), "write both, such as TAX and the tax number")
		}
		f.short(at+".scheme", id.Scheme)
		f.short(at+".value", id.Value)
	}
	for i, line := range p.Address.Lines {
		f.text(fmt.Sprintf("%s.address.lines[%d]", path, i), line)
	}
	f.text(path+".address.city", p.Address.City)
	f.fits(countryPattern, eco.CodeCountries, path+".address.country", p.Address.Country, "an ISO 3166-1 alpha-2 code", "use a code such as KR")
}

func (f *findings) guarantee(path string, g Guarantee) {
	if strings.TrimSpace(g.Number) == "" {
		f.fail(eco.CodeText, path+".number", "want the number of the guarantee, found none", "state it, or leave the guarantee out")
	}
	f.short(path+".number", g.Number)
	f.amount(path+".amount", g.Amount)
}

// measure finds a figure or a unit that says nothing; nil is none.
func (f *findings) measure(path string, m *eco.Measure) {
	if m == nil {
		return
	}
	switch err := m.Value.Valid(); {
	case err != nil:
		f.fail(eco.CodeQuantity, path+".value", err.Error(), "write a number such as 1201.50")
	case m.Value.Sign() <= 0:
		f.fail(eco.CodeQuantity, path+".value", fmt.Sprintf("want more than 0, found %s", m.Value), "leave it out if there is none")
	}
	if !unitPattern.MatchString(m.Unit) {
		f.fail(eco.CodeQuantity, path+".unit", fmt.Sprintf("want a code of UN/ECE Recommendation 20, found %q", shortened(m.Unit)), "use a code such as KGM")
	}
}

func (f *findings) amount(path string, a *eco.Amount) {
	if a == nil {
		return
	}
	if err := a.Value.Valid(); err != nil {
		f.fail(eco.CodeText, path+".value", err.Error(), "write a number such as 1201.50")
	}
	if !currencyPattern.MatchString(a.Currency) {
		f.fail(eco.CodeText, path+".currency", fmt.Sprintf("want a code of ISO 4217, found %q", shortened(a.Currency)), "use a code such as USD")
	}
}

// fits finds a value of another shape; an absent one is none.
func (f *findings) fits(shape *regexp.Regexp, code, path, value, want, fix string) {
	if value != "" && !shape.MatchString(value) {
		f.fail(code, path, fmt.Sprintf("want %s, found %q", want, shortened(value)), fix)
	}
}

func (f *findings) short(path, value string) { f.characters(path, value, maxShort, false) }

func (f *findings) text(path, value string) { f.characters(path, value, maxText, true) }

// characters finds text that is too long for what it says, and characters that no text has.
func (f *findings) characters(path, value string, most int, lines bool) {
	if n := len([]rune(value)); n > most {
		f.fail(eco.CodeText, path, fmt.Sprintf("want at most %d characters, found %d", most, n), "shorten it")
	}
	if i := strings.IndexFunc(value, func(r rune) bool {
		return unicode.IsControl(r) && !(lines && r == '\n') || r == unicode.ReplacementChar
	}); i >= 0 {
		f.fail(eco.CodeText, path, fmt.Sprintf("want text, found the character %U", []rune(value[i:])[0]), "take it out")
	}
}

// shortened is text for a message.
func shortened(s string) string { return cut(s, 40) }

// cut is the beginning of a text.
func cut(s string, most int) string {
	if r := []rune(s); len(r) > most {
		return string(r[:most]) + "…"
	}
	return s
}

// validateReasons checks reasons that an officer gives: customs codes, with words where the code says nothing by itself.
func (f *findings) reasons(path string, reasons []eco.Reason) {
	if n := len(reasons); n > eco.MaxReasons {
		f.fail(eco.CodeText, path, fmt.Sprintf("want at most %d reasons, found %d", eco.MaxReasons, n), "give the gravest")
		return
	}
	for i, r := range reasons {
		at := fmt.Sprintf("%s[%d]", path, i)
		known, ok := eco.ReasonByCode(r.Code)
		switch {
		case !ok || known.Kind != eco.ReasonCustoms:
			f.fail(eco.CodeText, at+".code", fmt.Sprintf("want a customs code, %s, found %q", strings.Join(customsCodes(), ", "), shortened(r.Code)), "use one of these")
		case r.Code == eco.ReasonOther && strings.TrimSpace(r.Text) == "":
			f.fail(eco.CodeText, at+".text", "reason "+eco.ReasonOther+" says nothing without words", "say which other reason it is")
		}
		f.text(at+".text", r.Text)
	}
}

// customsCodes are the codes of reasons that customs give.
func customsCodes() []string {
	all := slices.DeleteFunc(eco.Reasons(), func(r eco.ReasonText) bool { return r.Kind != eco.ReasonCustoms })
	codes := make([]string, len(all))
	for i, r := range all {
		codes[i] = r.Code
	}
	return codes
}
