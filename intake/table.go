package intake

import (
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"unicode"

	"github.com/ecogate/ecogate/eco"
)

// table is a sheet as it was read from a file.
type table struct {
	rows [][]string
	// at is the place of a cell, both counted from 0.
	at func(row, column int) string
	// serial gives the day that a number in a cell of dates stands for.
	serial func(string) (eco.Date, bool)
}

// tables is one reading of all sheets of a file.
type tables struct {
	problems
	forms   eco.Forms
	columns map[string]column // by plain heading
	// entries are the certificates by their normalised reference, order in the order of the file.
	entries map[string]*entry
	order   []*entry
}

// entry is a certificate under way.
type entry struct {
	Import
	// cells are those of the certificate itself, by heading, and where they stand.
	cells map[string][2]string
	// criteria are the places of criterion boxes, by the item's index.
	criteria map[int]string
}

func newTables(forms eco.Forms) *tables {
	t := &tables{forms: forms, columns: map[string]column{}, entries: map[string]*entry{}}
	for _, c := range columns(forms) {
		t.columns[plain(c.heading)] = c
	}
	return t
}

// read reads one sheet: a row of headings, and a row for each item, or for each certificate. Rows with nothing but a text that begins with # are notes.
func (t *tables) read(s table) {
	top := slices.IndexFunc(s.rows, func(row []string) bool { return !blank(row) && !isNote(row) })
	if top < 0 {
		return
	}
	l := layout{table: s, headings: t.headings(s, top), titles: s.rows[top]}
	l.key = slices.IndexFunc(l.headings, func(c *column) bool { return c != nil && c.heading == headingOfReference })
	if l.key < 0 {
		t.add(s.at(top, 0), "want a row of headings, one of them %q", headingOfReference)
		return
	}
	for i := top + 1; i < len(s.rows) && !t.full(); i++ {
		if row := s.rows[i]; !blank(row) && !isNote(row) {
			t.row(l, i)
		}
	}
}

// layout is a table with what its row of headings says.
type layout struct {
	table
	// titles are the headings as they stand there; headings has the column of each, nil where there is none.
	titles   []string
	headings []*column
	// key is the column of references.
	key int
}

// untitled reports whether no heading stands above a column.
func (l layout) untitled(j int) bool {
	return j >= len(l.titles) || strings.TrimSpace(l.titles[j]) == ""
}

func blank(row []string) bool {
	return !slices.ContainsFunc(row, func(cell string) bool { return strings.TrimSpace(cell) != "" })
}

// isNote reports whether a row holds a note: a text that begins with #, and nothing else.
func isNote(row []string) bool {
	return len(row) > 0 && strings.HasPrefix(strings.TrimSpace(row[0]), "#") && !failed.MatchString(row[0]) && blank(row[1:])
}

// failed is what a cell shows whose formula has failed.
var failed = regexp.MustCompile(`^#(N/A|REF!|VALUE!|DIV/0!|NAME\?|NUM!|NULL!|SPILL!|CALC!)$`)

// headings finds the column of each heading; nil where there is none.
func (t *tables) headings(s table, top int) []*column {
	out := make([]*column, len(s.rows[top]))
	seen := map[string]string{}
	for i, text := range s.rows[top] {
		if text = strings.TrimSpace(text); text == "" {
			continue
		}
		c, ok := t.columns[plain(text)]
		switch {
		case !ok:
			t.add(s.at(top, i), "there is no column %q; the template has all that there are", limited(text))
		case seen[c.heading] != "":
			t.add(s.at(top, i), "column %q stands here twice, first in %s", c.heading, seen[c.heading])
		default:
			seen[c.heading] = s.at(top, i)
			out[i] = &c
		}
	}
	return out
}

// row reads one row into the certificate that its reference names.
func (t *tables) row(l layout, i int) {
	cells := l.rows[i]
	reference := ""
	if l.key < len(cells) {
		reference = strings.TrimSpace(cells[l.key])
	}
	switch {
	case reference == exampleReference:
		return
	case reference == "":
		t.add(l.at(i, l.key), "%s: want the number of the certificate that this row is about, found none", headingOfReference)
		return
	}
	e := t.entry(reference, l.at(i, l.key))
	if e == nil {
		return
	}
	r := &rowReader{tables: t, entry: e, table: l.table, row: i, scopes: map[scope]reflect.Value{}, places: map[string]string{}}
	for j, text := range cells {
		text = strings.TrimSpace(strings.ReplaceAll(text, "\r\n", "\n"))
		switch {
		case text == "":
		case l.untitled(j):
			t.add(l.at(i, j), "want nothing in a column without heading, found %q", limited(text))
		case l.headings[j] != nil: // else the heading was complained about
			r.cell(j, *l.headings[j], text)
		}
	}
	r.join()
}

// entry finds the certificate with a reference, or begins it.
func (t *tables) entry(reference, place string) *entry {
	key := eco.NormaliseReference(reference)
	if key == "" {
		t.add(place, "%s: want letters or digits, found %q", headingOfReference, limited(reference))
		return nil
	}
	if e := t.entries[key]; e != nil {
		return e
	}
	if len(t.order) == MaxCertificates {
		t.add(place, "want at most %d certificates in one file", MaxCertificates)
		return nil
	}
	e := &entry{Import: Import{places: map[string]string{"": place}}, cells: map[string][2]string{}, criteria: map[int]string{}}
	t.entries[key] = e
	t.order = append(t.order, e)
	return e
}

// rowReader is one row under way.
type rowReader struct {
	*tables
	*entry
	table
	row int
	// scopes has the new entry of each scope that the row has cells of; places are those of these cells, by column path.
	scopes map[scope]reflect.Value
	places map[string]string
	// invoices are the numbers in the row's cell of invoices.
	invoices []string
}

// scientific is how spreadsheet programs write a number that was meant to be a text.
var scientific = regexp.MustCompile(`^-?[0-9](\.[0-9]+)?[eE][+-]?[0-9]+$`)

func (r *rowReader) cell(j int, c column, text string) {
	place := r.at(r.row, j)
	if strings.ContainsFunc(text, func(x rune) bool {
		return unicode.IsControl(x) && x != '\n' && x != '\t' || x == unicode.ReplacementChar
	}) {
		r.add(place, "%s: want text, found control characters in %q", c.heading, limited(text))
		return
	}
	if failed.MatchString(text) {
		r.add(place, "%s: want a value, found the failed formula %s", c.heading, text)
		return
	}
	if scientific.MatchString(text) {
		r.add(place, "%s: found %q, a number that the spreadsheet has rounded: format the cell as text and write it anew", c.heading, limited(text))
		return
	}
	value, err := c.parse(text, r.serial)
	if err != nil {
		r.add(place, "%s: %v", c.heading, err)
		return
	}
	if c.scope == ofCertificate {
		r.ofCertificate(c, value, text, place)
		return
	}
	into, ok := r.scopes[c.scope]
	if !ok {
		list := fieldOf(reflect.ValueOf(&r.Certificate).Elem(), string(c.scope))
		into = reflect.New(list.Type().Elem())
		r.scopes[c.scope] = into
		r.places[string(c.scope)] = place
	}
	if c.kind == numbers {
		r.invoices = splitLines(strings.ReplaceAll(text, ";", "\n"))
		value = ""
		if len(r.invoices) == 1 {
			value = r.invoices[0]
		}
	}
	assign(into, c.path, value)
	r.places[c.at()] = place
}

// ofCertificate takes a cell about the certificate itself. Rows may repeat it, alike.
func (r *rowReader) ofCertificate(c column, value any, text, place string) {
	if before, ok := r.cells[c.heading]; ok {
		if before[0] != text {
			r.add(place, "%s: want %q as in %s, or nothing, found %q", c.heading, limited(before[0]), before[1], limited(text))
		}
		return
	}
	r.cells[c.heading] = [2]string{text, place}
	certificate := reflect.ValueOf(&r.Certificate)
	assign(certificate, c.path, value)
	if c.constant[0] != "" {
		assign(certificate, c.constant[0], c.constant[1])
	}
	r.Import.places[c.path] = place
}

// join puts the row's entries into the certificate.
func (r *rowReader) join() {
	c := &r.Certificate
	if v, ok := r.scopes[ofDocument]; ok {
		c.Documents = joined(c.Documents, *v.Interface().(*eco.Document))
		r.settle(ofDocument, len(c.Documents)-1)
	}
	if v, ok := r.scopes[ofRelated]; ok {
		c.Related = joined(c.Related, *v.Interface().(*eco.RelatedCertificate))
		r.settle(ofRelated, len(c.Related)-1)
	}
	if v, ok := r.scopes[ofInvoice]; ok {
		r.joinInvoices(*v.Interface().(*eco.Invoice))
	}
	v, ok := r.scopes[ofItem]
	if !ok {
		return
	}
	item := *v.Interface().(*eco.Item)
	item.Invoices = r.invoices
	if item.Number == 0 {
		item.Number = len(c.Items) + 1
	}
	at := len(c.Items)
	if item.CriterionText != "" {
		r.criteria[at] = r.places["items.criterion_text"]
	}
	c.Items = append(c.Items, item)
	r.settle(ofItem, at)
	if len(r.invoices) > 0 {
		r.Import.places[fmt.Sprintf("items[%d].invoices", at)] = r.places["invoices.number"]
	}
}

// joined appends entry unless the list has it.
func joined[T comparable](list []T, entry T) []T {
	if slices.Contains(list, entry) {
		return list
	}
	return append(list, entry)
}

// settle remembers the places of the row's cells of a scope as those of its entry with that index.
func (r *rowReader) settle(s scope, index int) {
	at := fmt.Sprintf("%s[%d]", s, index)
	for path, place := range r.places {
		rest, ok := strings.CutPrefix(path, string(s))
		if _, known := r.Import.places[at+rest]; ok && !known {
			r.Import.places[at+rest] = place
		}
	}
}

// maxNumbers is how many invoices one cell may name.
const maxNumbers = 50

// joinInvoices adds the row's invoices to the certificate's, or what the row tells about them.
func (r *rowReader) joinInvoices(told eco.Invoice) {
	c := &r.Certificate
	alone := told.Date.IsZero() && told.Issuer == nil
	switch {
	case len(r.invoices) == 0:
		r.add(r.places["invoices"], "Invoice: want the number of the invoice, found none")
		return
	case len(r.invoices) > 1 && !alone:
		r.add(r.places["invoices.number"], "Invoice: want one number beside a date or an issuer, found %d: give each invoice a row of its own", len(r.invoices))
		return
	}
	for _, number := range r.invoices {
		if len(c.Invoices) == eco.MaxItems || len(r.invoices) > maxNumbers {
			r.add(r.places["invoices.number"], "Invoice: want at most %d numbers in a cell and %d in a certificate", maxNumbers, eco.MaxItems)
			return
		}
		at := slices.IndexFunc(c.Invoices, func(i eco.Invoice) bool { return i.Number == number })
		if at < 0 {
			at = len(c.Invoices)
			c.Invoices = append(c.Invoices, eco.Invoice{Number: number})
		}
		r.tell(&c.Invoices[at], told)
		r.settle(ofInvoice, at)
	}
}

// tell adds what a row says about an invoice to what others said.
func (r *rowReader) tell(invoice *eco.Invoice, told eco.Invoice) {
	switch {
	case told.Date.IsZero():
	case invoice.Date.IsZero():
		invoice.Date = told.Date
	case invoice.Date != told.Date:
		r.add(r.places["invoices.date"], "Invoice date: want %s as elsewhere for invoice %q, found %s", invoice.Date, limited(invoice.Number), told.Date)
	}
	switch {
	case told.Issuer == nil:
	case invoice.Issuer == nil:
		invoice.Issuer = told.Issuer
	case !reflect.DeepEqual(invoice.Issuer, told.Issuer):
		r.add(r.places["invoices"], "Invoice issuer: want the same as elsewhere for invoice %q", limited(invoice.Number))
	}
}

// finish gives the certificates, each with what depends on its form.
func (t *tables) finish() ([]Import, error) {
	out := make([]Import, 0, len(t.order))
	for _, e := range t.order {
		t.finishOne(e)
		out = append(out, e.Import)
	}
	if len(out) == 0 && len(t.list) == 0 {
		t.add("", "want at least one certificate below the headings, found none; rows with the reference %s do not count", exampleReference)
	}
	if err := t.err(); err != nil {
		return nil, err
	}
	return out, nil
}

func (t *tables) finishOne(e *entry) {
	c := &e.Certificate
	form, known := t.forms.ByCode(c.Form)
	if !known {
		return // Validate says so
	}
	for _, flag := range form.Flags {
		if _, given := c.Flags[flag]; !given {
			assign(reflect.ValueOf(c), "flags."+string(flag), false)
		}
	}
	for i := range c.Items {
		if c.Items[i].CriterionText == "" || len(form.Criteria) == 0 {
			continue
		}
		criteria, err := form.ParseCriteria(c.Items[i].CriterionText)
		if err != nil {
			t.add(e.criteria[i], "Origin criterion: want criteria of %s, such as %q: %v", form.Code, criterionExample(form), err)
			continue
		}
		c.Items[i].Criteria = criteria
		e.places[fmt.Sprintf("items[%d].criteria", i)] = e.criteria[i]
	}
}

// criterionExample is a criterion of the form as it is printed.
func criterionExample(form eco.Form) string {
	for _, c := range form.Criteria {
		if c.TakesPercent() {
			return c.Code + " 45%"
		}
	}
	return form.Criteria[0].Code
}
