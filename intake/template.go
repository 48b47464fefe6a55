package intake

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"slices"
	"strings"

	"github.com/xuri/excelize/v2"

	"github.com/ecogate/ecogate/eco"
)

// sheetsOfTemplate are the sheets that people fill, with the scopes of their columns.
var sheetsOfTemplate = []struct {
	name   string
	scopes []scope
}{
	{"Certificates", []scope{ofCertificate, ofRelated, ofDocument}},
	{"Items", []scope{ofItem, ofInvoice}},
}

// Template writes an empty spreadsheet with the columns that a form uses, or all of them for no form: headings, a row that shows how
// it is meant and that does not count, and a note for each column; a workbook has drop-downs too. Headings of what the form
// asks for end in *.
func Template(form eco.FormCode, format Format, forms eco.Forms) ([]byte, error) {
	var rules *eco.Form
	if form != "" {
		known, ok := forms.ByCode(form)
		if !ok {
			return nil, fmt.Errorf("want one of the forms %s, found %q", forms.Codes(), form)
		}
		rules = &known
	}
	w := &template{form: rules, forms: forms}
	for _, c := range columns(forms) {
		if w.has(c) {
			w.columns = append(w.columns, c)
		}
	}
	switch format {
	case FormatCSV:
		return w.csv()
	case FormatXLSX:
		return w.workbook()
	}
	return nil, fmt.Errorf("templates are %s or %s, not %q", FormatXLSX, FormatCSV, format)
}

// template is one template under way.
type template struct {
	form    *eco.Form // nil for all forms
	forms   eco.Forms
	columns []column
}

// has reports whether the form has a use for a column.
func (w *template) has(c column) bool {
	if w.form == nil {
		return true
	}
	flag, isFlag := strings.CutPrefix(c.path, "flags.")
	switch {
	case isFlag:
		return w.form.Offers(eco.Flag(flag))
	case strings.HasPrefix(c.path, "exhibition."):
		return w.form.Offers(eco.FlagExhibition)
	case c.kind == criterion:
		return len(w.form.Criteria) > 0
	}
	return true
}

// required is what the template says of a column that must be filled.
const required = "Required."

// need says whether a column must be filled.
func (w *template) need(c column) string {
	if c.always {
		return required
	}
	if w.form == nil {
		return ""
	}
	for _, requirement := range w.form.Required {
		names := strings.Split(requirement, "|")
		if !slices.ContainsFunc(names, func(name string) bool { return within(c, name) }) {
			continue
		}
		if len(names) > 1 {
			return "This or another of its kind is required."
		}
		return required
	}
	return ""
}

// within reports whether a column holds what Form.Required names, or a part of it that it cannot be without.
func within(c column, name string) bool {
	switch c.at() {
	case name, name + ".value", name + ".unit", name + ".currency", name + ".number", name + ".lines", name + ".name":
		return true
	}
	return name == "items.criteria" && c.kind == criterion || name == "items.invoices" && c.kind == numbers
}

func (w *template) heading(c column) string {
	if w.need(c) == required {
		return c.heading + " *"
	}
	return c.heading
}

// note is what the template tells about a column.
func (w *template) note(c column) string {
	parts := []string{w.need(c), c.note}
	if c.path == "form" && w.form != nil {
		parts = append(parts, "Here "+string(w.form.Code)+".")
	}
	if c.kind == criterion && w.form != nil {
		var codes []string
		for _, rule := range w.form.Criteria {
			codes = append(codes, rule.Code)
		}
		parts = append(parts, "Codes: "+strings.Join(codes, ", ")+".")
	}
	return strings.Join(slices.DeleteFunc(parts, func(part string) bool { return part == "" }), " ")
}

// example is what the example row shows.
func (w *template) example(c column) string {
	switch {
	case w.form == nil:
		return c.example
	case c.path == "form":
		return string(w.form.Code)
	case c.kind == criterion:
		return criterionExample(*w.form)
	}
	return c.example
}

func (w *template) csv() ([]byte, error) {
	var b bytes.Buffer
	b.WriteString("\xef\xbb\xbf") // spreadsheet programs take the text for UTF-8 then
	out := csv.NewWriter(&b)
	var headings, examples []string
	for _, c := range w.columns {
		if note := w.note(c); note != "" {
			if err := out.Write([]string{"# " + c.heading + ": " + note}); err != nil {
				return nil, err
			}
		}
		headings = append(headings, w.heading(c))
		examples = append(examples, w.example(c))
	}
	for _, row := range [][]string{headings, examples} {
		if err := out.Write(row); err != nil {
			return nil, err
		}
	}
	out.Flush()
	return b.Bytes(), out.Error()
}

// workbook writes a sheet for what is said once of each certificate, one for the items, the notes, and the lists for drop-downs.
func (w *template) workbook() ([]byte, error) {
	f := excelize.NewFile()
	defer f.Close()
	styles, err := newStyles(f)
	if err != nil {
		return nil, err
	}
	s := &book{template: w, file: f, styles: styles}
	for i, sheet := range sheetsOfTemplate {
		if i == 0 {
			err = f.SetSheetName("Sheet1", sheet.name)
		} else {
			_, err = f.NewSheet(sheet.name)
		}
		if err == nil {
			err = s.sheet(sheet.name, sheet.scopes)
		}
		if err != nil {
			return nil, fmt.Errorf("sheet %s: %w", sheet.name, err)
		}
	}
	if err := s.notes(); err != nil {
		return nil, fmt.Errorf("sheet %s: %w", sheetNotes, err)
	}
	if err := s.lists(); err != nil {
		return nil, fmt.Errorf("sheet %s: %w", sheetLists, err)
	}
	b, err := f.WriteToBuffer()
	if err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

// styles are the formats of cells. Cells of text are text, so that no program makes numbers or dates of what is neither.
type styles struct{ heading, required, text, day, number, example int }

func newStyles(f *excelize.File) (s styles, err error) {
	const (
		asText    = 49
		asGeneral = 0
	)
	date := "yyyy-mm-dd"
	fill := func(colour string) excelize.Fill {
		return excelize.Fill{Type: "pattern", Pattern: 1, Color: []string{colour}}
	}
	wrap := &excelize.Alignment{WrapText: true, Vertical: "top"}
	for _, style := range []struct {
		into *int
		is   excelize.Style
	}{
		{&s.heading, excelize.Style{Font: &excelize.Font{Bold: true}, Fill: fill("D9E2EC"), Alignment: wrap}},
		{&s.required, excelize.Style{Font: &excelize.Font{Bold: true}, Fill: fill("F9D8A0"), Alignment: wrap}},
		{&s.text, excelize.Style{NumFmt: asText, Alignment: wrap}},
		{&s.day, excelize.Style{CustomNumFmt: &date, Alignment: wrap}},
		{&s.number, excelize.Style{NumFmt: asGeneral, Alignment: wrap}},
		{&s.example, excelize.Style{NumFmt: asText, Font: &excelize.Font{Italic: true, Color: "808080"}, Alignment: wrap}},
	} {
		if *style.into, err = f.NewStyle(&style.is); err != nil {
			return s, err
		}
	}
	return s, nil
}

// book is the workbook of a template under way.
type book struct {
	*template
	file   *excelize.File
	styles styles
}

// lastRow is the last row for which the template has drop-downs.
const lastRow = 2000

// headingHeight is that of the row of headings, in points: room for two lines.
const headingHeight = 32

// sheet writes one sheet to fill.
func (s *book) sheet(name string, scopes []scope) error {
	at := 0
	for _, c := range s.columns {
		if !slices.Contains(scopes, c.scope) && c.heading != headingOfReference {
			continue
		}
		at++
		if err := s.column(name, at, c); err != nil {
			return fmt.Errorf("column %s: %w", c.heading, err)
		}
	}
	if err := s.file.SetRowHeight(name, 1, headingHeight); err != nil {
		return err
	}
	return s.file.SetPanes(name, &excelize.Panes{Freeze: true, XSplit: 1, YSplit: 1, TopLeftCell: "B2", ActivePane: "bottomRight"})
}

func (s *book) column(sheet string, at int, c column) error {
	name, err := excelize.ColumnNumberToName(at)
	if err != nil {
		return err
	}
	style, head := s.styles.text, s.styles.heading
	switch c.kind {
	case day:
		style = s.styles.day
	case decimal, count:
		style = s.styles.number
	}
	if s.need(c) != "" {
		head = s.styles.required
	}
	steps := []func() error{
		func() error { return s.file.SetColStyle(sheet, name, style) },
		func() error {
			return s.file.SetColWidth(sheet, name, name, float64(max(10, min(30, max(len(c.heading)+4, len(c.example)+2)))))
		},
		func() error { return s.file.SetCellStr(sheet, name+"1", s.heading(c)) },
		func() error { return s.file.SetCellStyle(sheet, name+"1", name+"1", head) },
		func() error { return s.file.SetCellStr(sheet, name+"2", s.example(c)) },
		func() error { return s.file.SetCellStyle(sheet, name+"2", name+"2", s.styles.example) },
		func() error { return s.comment(sheet, name+"1", c) },
		func() error { return s.dropDown(sheet, name, c) },
	}
	for _, step := range steps {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

func (s *book) comment(sheet, cell string, c column) error {
	note := s.note(c)
	if note == "" {
		return nil
	}
	return s.file.AddComment(sheet, excelize.Comment{Cell: cell, Author: "ecogate", Text: note})
}

// dropDown offers the values of a column's list. Lists stand on a sheet of their own, since a rule takes 255 characters only.
func (s *book) dropDown(sheet, column string, c column) error {
	if c.list == "" {
		return nil
	}
	names, values := listNames(), lists(s.forms)
	at, err := excelize.ColumnNumberToName(slices.Index(names, c.list) + 1)
	if err != nil {
		return err
	}
	v := excelize.NewDataValidation(true)
	v.Sqref = fmt.Sprintf("%s2:%s%d", column, column, lastRow)
	v.SetSqrefDropList(fmt.Sprintf("%s!$%s$1:$%s$%d", sheetLists, at, at, len(values[c.list])))
	v.SetError(excelize.DataValidationErrorStyleStop, c.heading, "Choose one of the list.")
	return s.file.AddDataValidation(sheet, v)
}

// listNames orders the lists.
func listNames() []string {
	return []string{"forms", "statuses", "countries", "modes", "relations", "answers", "bases"}
}

// lists writes the hidden sheet of the drop-downs' values.
func (s *book) lists() error {
	if _, err := s.file.NewSheet(sheetLists); err != nil {
		return err
	}
	values := lists(s.forms)
	for i, name := range listNames() {
		for j, value := range values[name] {
			cell, err := excelize.CoordinatesToCellName(i+1, j+1)
			if err != nil {
				return err
			}
			if err := s.file.SetCellStr(sheetLists, cell, value); err != nil {
				return err
			}
		}
	}
	return s.file.SetSheetVisible(sheetLists, false)
}

// notes writes the sheet that explains the columns.
func (s *book) notes() error {
	if _, err := s.file.NewSheet(sheetNotes); err != nil {
		return err
	}
	rows := [][]any{
		{"Fill one row of Certificates for each certificate, and one row of Items for each of its items. Rows belong together by Reference."},
		{"Rows with the reference " + exampleReference + " do not count. Headings with * must be filled. Do not rename headings; columns may be left out or moved."},
		{"Dates: 2026-11-28. Numbers: 1201.50, with a point and without thousands separators. Countries: two letters (ISO 3166-1)."},
		{},
		{"Column", "Sheet", "What to write", "Example"},
	}
	for _, sheet := range sheetsOfTemplate {
		for _, c := range s.columns {
			if slices.Contains(sheet.scopes, c.scope) {
				rows = append(rows, []any{s.heading(c), sheet.name, s.note(c), s.example(c)})
			}
		}
	}
	for i, row := range rows {
		if err := s.file.SetSheetRow(sheetNotes, fmt.Sprintf("A%d", i+1), &row); err != nil {
			return err
		}
	}
	for column, width := range map[string]float64{"A": 26, "B": 14, "C": 70, "D": 40} {
		if err := s.file.SetColWidth(sheetNotes, column, column, width); err != nil {
			return err
		}
	}
	return s.file.SetRowStyle(sheetNotes, 5, 5, s.styles.heading)
}
