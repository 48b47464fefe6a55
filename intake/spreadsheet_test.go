package intake

import (
	"archive/zip"
	"bytes"
	"encoding/csv"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/xuri/excelize/v2"

	"github.com/ecogate/ecogate/eco"
	"github.com/ecogate/ecogate/eco/ecotest"
)

// cellOfValue reads what a person would type for a column, from the entry that its scope names.
func cellOfValue(v reflect.Value, c column) string {
	path := c.path
	for path != "" {
		for v.Kind() == reflect.Pointer {
			if v.IsNil() {
				return ""
			}
			v = v.Elem()
		}
		var name string
		name, path = step(path)
		switch v.Kind() {
		case reflect.Map:
			v = v.MapIndex(reflect.ValueOf(name).Convert(v.Type().Key()))
			if !v.IsValid() {
				return ""
			}
			return map[bool]string{true: "YES", false: "NO"}[v.Bool()]
		case reflect.Slice:
			if v.Len() == 0 {
				return ""
			}
			v = v.Index(0)
		default:
			v = fieldOf(v, name)
		}
	}
	if v.IsZero() {
		return ""
	}
	if lines, ok := v.Interface().([]string); ok {
		return strings.Join(lines, "\n")
	}
	return fmt.Sprint(v.Interface())
}

// filled are the rows, by heading, that say all of some certificates: one for each item, invoice, document and related certificate.
func filled(certificates []eco.Certificate) []map[string]string {
	var out []map[string]string
	for i := range certificates {
		c := &certificates[i]
		row := func(s scope, entry any) {
			cells := map[string]string{headingOfReference: c.Reference}
			for _, col := range columns(eco.DefaultForms()) {
				if col.scope == s {
					if text := cellOfValue(reflect.ValueOf(entry), col); text != "" {
						cells[col.heading] = text
					}
				}
			}
			if item, ok := entry.(*eco.Item); ok {
				cells["Invoice"] = strings.Join(item.Invoices, "; ")
			}
			out = append(out, cells)
		}
		row(ofCertificate, c)
		for i := range c.Invoices {
			row(ofInvoice, &c.Invoices[i])
		}
		for i := range c.Documents {
			row(ofDocument, &c.Documents[i])
		}
		for i := range c.Related {
			row(ofRelated, &c.Related[i])
		}
		for i := range c.Items {
			row(ofItem, &c.Items[i])
		}
	}
	return out
}

// samples are the certificates of testdata as far as a sheet can say them.
func samples(t testing.TB) []eco.Certificate {
	t.Helper()
	var out []eco.Certificate
	for _, name := range ecotest.Names(t) {
		c := ecotest.Load(t, name)
		c.UUID = ""
		form, _ := eco.DefaultForms().ByCode(c.Form)
		for i := range c.Items {
			item := &c.Items[i]
			if item.CriterionText == "" {
				item.CriterionText = eco.CriteriaText(item.Criteria)
			}
			if item.CriterionText == "" {
				continue
			}
			var err error
			if item.Criteria, err = form.ParseCriteria(item.CriterionText); err != nil { // a sheet has what is printed, and no more
				t.Fatal(err)
			}
		}
		out = append(out, c)
	}
	return out
}

func inCSV(t testing.TB, comma rune, rows []map[string]string) []byte {
	t.Helper()
	template, err := Template("", FormatCSV, eco.DefaultForms())
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	w := csv.NewWriter(&b)
	w.Comma = comma
	if comma == ',' {
		b.Write(template)
	}
	var head []string
	for _, c := range columns(eco.DefaultForms()) {
		head = append(head, c.heading)
	}
	if comma != ',' {
		if err := w.Write(head); err != nil {
			t.Fatal(err)
		}
	}
	for _, row := range rows {
		var cells []string
		for _, heading := range head {
			cells = append(cells, row[heading])
		}
		if err := w.Write(cells); err != nil {
			t.Fatal(err)
		}
	}
	w.Flush()
	return b.Bytes()
}

// inWorkbook fills a template as a person does: below its example rows, each cell in the sheet that has its column.
func inWorkbook(t testing.TB, form eco.FormCode, rows []map[string]string) []byte {
	t.Helper()
	template, err := Template(form, FormatXLSX, eco.DefaultForms())
	if err != nil {
		t.Fatal(err)
	}
	f, err := excelize.OpenReader(bytes.NewReader(template))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	next, headings := map[string]int{}, map[string][]string{}
	for _, sheet := range sheetsOfTemplate {
		table, err := f.GetRows(sheet.name)
		if err != nil {
			t.Fatal(err)
		}
		headings[sheet.name] = table[0]
	}
	for _, row := range rows {
		for _, sheet := range sheetsOfTemplate {
			titles := headings[sheet.name]
			at, any := 3+next[sheet.name], false
			for j, heading := range titles {
				text := row[strings.TrimSuffix(heading, " *")]
				if text == "" || plain(heading) == "reference" && !any && !has(row, titles[1:]) {
					continue
				}
				any = true
				cell, _ := excelize.CoordinatesToCellName(j+1, at)
				if err := f.SetCellStr(sheet.name, cell, text); err != nil {
					t.Fatal(err)
				}
			}
			if any {
				next[sheet.name]++
			}
		}
	}
	b, err := f.WriteToBuffer()
	if err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func has(row map[string]string, headings []string) bool {
	return slices.ContainsFunc(headings, func(h string) bool { return row[strings.TrimSuffix(h, " *")] != "" })
}

func certificatesOf(imports []Import) []eco.Certificate {
	var out []eco.Certificate
	for _, i := range imports {
		out = append(out, i.Certificate)
	}
	return out
}

func TestFilledTemplateIsReadBack(t *testing.T) {
	want := samples(t)
	for _, tt := range []struct {
		name   string
		format Format
		data   []byte
	}{
		{"workbook", FormatXLSX, inWorkbook(t, "", filled(want))},
		{"commas", FormatCSV, inCSV(t, ',', filled(want))},
		{"semicolons", FormatCSV, inCSV(t, ';', filled(want))},
		{"tabs", FormatCSV, inCSV(t, '\t', filled(want))},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := Read(tt.format, tt.data, eco.DefaultForms())
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, certificatesOf(got)); diff != "" {
				t.Errorf("filled (-) and read (+):\n%s", diff)
			}
		})
	}
}

func TestTemplateOfAFormTakesItsCertificates(t *testing.T) {
	for _, c := range samples(t) {
		got, err := XLSX(inWorkbook(t, c.Form, filled([]eco.Certificate{c})), eco.DefaultForms())
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]eco.Certificate{c}, certificatesOf(got)); diff != "" {
			t.Errorf("%s: filled (-) and read (+):\n%s", c.Form, diff)
		}
	}
}

func TestEmptyTemplateHoldsNoCertificate(t *testing.T) {
	for _, format := range []Format{FormatXLSX, FormatCSV} {
		for _, form := range append(eco.DefaultForms().All(), eco.Form{}) {
			data, err := Template(form.Code, format, eco.DefaultForms())
			if err != nil {
				t.Fatal(err)
			}
			if _, err := Read(format, data, eco.DefaultForms()); err == nil || !strings.Contains(err.Error(), "at least one certificate") {
				t.Errorf("%s %s: %v", form.Code, format, err)
			}
		}
	}
}

func TestColumnsAreFieldsOfACertificate(t *testing.T) {
	seen := map[string]bool{}
	for _, c := range columns(eco.DefaultForms()) {
		if seen[plain(c.heading)] {
			t.Errorf("column %q stands there twice", c.heading)
		}
		seen[plain(c.heading)] = true
		if c.list != "" && len(lists(eco.DefaultForms())[c.list]) == 0 {
			t.Errorf("column %q: no list %q", c.heading, c.list)
		}
		v := reflect.ValueOf(new(eco.Certificate))
		if c.scope != ofCertificate {
			v = reflect.New(fieldOf(v.Elem(), string(c.scope)).Type().Elem())
		}
		cellOfValue(v, c) // panics for a path that is none
	}
}

// TestLibreOfficeKeepsATemplate has another program open a filled template and write it anew: as a person does who works with it.
func TestLibreOfficeKeepsATemplate(t *testing.T) {
	office, err := exec.LookPath("soffice")
	if err != nil {
		t.Skip("soffice (Debian package libreoffice-calc-nogui) is missing: no other program opens the template")
	}
	if testing.Short() {
		t.Skip("starts LibreOffice")
	}
	dir := t.TempDir()
	want := samples(t)
	file := filepath.Join(dir, "filled.xlsx")
	if err := os.WriteFile(file, inWorkbook(t, "", filled(want)), 0o600); err != nil {
		t.Fatal(err)
	}
	out := filepath.Join(dir, "out")
	cmd := exec.CommandContext(t.Context(), office, "-env:UserInstallation=file://"+filepath.Join(dir, "profile"), "--headless", "--convert-to", "xlsx", "--outdir", out, file)
	if text, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("soffice: %v\n%s", err, text)
	}
	data, err := os.ReadFile(filepath.Join(out, "filled.xlsx"))
	if err != nil {
		t.Fatal(err)
	}
	got, err := XLSX(data, eco.DefaultForms())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, certificatesOf(got)); diff != "" {
		t.Errorf("filled (-) and read after LibreOffice wrote it (+):\n%s", diff)
	}
	f, err := excelize.OpenReader(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	rules, err := f.GetDataValidations("Certificates")
	if err != nil || len(rules) < 10 {
		t.Errorf("%d drop-downs are left (%v)", len(rules), err)
	}
}

func TestDatesAreDaysAsWorkbooksCountThem(t *testing.T) {
	for _, from1904 := range []bool{false, true} {
		f := excelize.NewFile()
		defer f.Close()
		if err := f.SetWorkbookProps(&excelize.WorkbookPropsOptions{Date1904: &from1904}); err != nil {
			t.Fatal(err)
		}
		serial := 46354.0 // of 2026-11-28
		if from1904 {
			serial -= 1462
		}
		for cell, value := range map[string]any{"A1": "Reference", "B1": "Issue date", "C1": "Departure date", "A2": "A1", "B2": serial, "C2": "2026-11-27"} {
			if err := f.SetCellValue("Sheet1", cell, value); err != nil {
				t.Fatal(err)
			}
		}
		b, err := f.WriteToBuffer()
		if err != nil {
			t.Fatal(err)
		}
		got, err := XLSX(b.Bytes(), eco.DefaultForms())
		if err != nil {
			t.Fatal(err)
		}
		if c := got[0].Certificate; c.IssuedAt.String() != "2026-11-28" || c.Transport.DepartureDate.String() != "2026-11-27" {
			t.Errorf("from 1904 %t: issued %s, departed %s", from1904, c.IssuedAt, c.Transport.DepartureDate)
		}
	}
}

func TestFindingsHaveCells(t *testing.T) {
	c := samples(t)[0]
	got, err := XLSX(inWorkbook(t, "", filled([]eco.Certificate{c})), eco.DefaultForms())
	if err != nil {
		t.Fatal(err)
	}
	last := len(c.Items) - 1
	for path, want := range map[string]string{
		"reference": "Certificates!A3", "exporter.address.lines[1]": "Certificates!P3", fmt.Sprintf("items[%d].description", last): "Items!G",
		fmt.Sprintf("items[%d].fob", last): "Items!", "invoices[0].date": "Items!", "flags.EXHIBITION": "Certificates!", "nothing.of.the.kind": "Certificates!A3",
	} {
		if place := got[0].Place(path); !strings.HasPrefix(place, want) {
			t.Errorf("%s stands in %q, want %s", path, place, want)
		}
	}
}

// bomb is a workbook whose sheet unpacks to n octets.
func bomb(t testing.TB, n int) []byte {
	t.Helper()
	f := excelize.NewFile()
	defer f.Close()
	b, err := f.WriteToBuffer()
	if err != nil {
		t.Fatal(err)
	}
	in, err := zip.NewReader(bytes.NewReader(b.Bytes()), int64(b.Len()))
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	w := zip.NewWriter(&out)
	for _, file := range in.File {
		part, err := w.Create(file.Name)
		if err != nil {
			t.Fatal(err)
		}
		if file.Name == "xl/worksheets/sheet1.xml" {
			_, err = part.Write([]byte(`<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData>` + strings.Repeat("<row/>", n/6) + `</sheetData></worksheet>`))
		} else {
			var content io.ReadCloser
			if content, err = file.Open(); err == nil {
				_, err = io.Copy(part, content)
			}
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func TestBombsAreRefused(t *testing.T) {
	for n, want := range map[int]string{MaxUnzipped + 1<<20: "bytes unpacked", MaxUnzipped / 2: "at most 10000 rows"} {
		data := bomb(t, n)
		if len(data) > MaxBytes/4 {
			t.Fatalf("the bomb has %d bytes", len(data))
		}
		if _, err := XLSX(data, eco.DefaultForms()); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%d bytes that unpack to %d: %v, want %q", len(data), n, err, want)
		}
	}
	if _, err := Read(FormatCSV, make([]byte, MaxBytes+1), eco.DefaultForms()); err == nil || !strings.Contains(err.Error(), "want a file of 4194304 bytes at most") {
		t.Errorf("a large file: %v", err)
	}
}

func TestFormatFollowsFromTheName(t *testing.T) {
	for name, want := range map[string]Format{
		"a.json": FormatJSON, "A.XLSX": FormatXLSX, "b.csv": FormatCSV, "c.uncefact.json": FormatUNCEFACT, "d.pdf": "", "json": "",
	} {
		if got, ok := FormatOf(name); got != want || ok != (want != "") {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
}

// BenchmarkSheets reads a hundred certificates of ten items each.
func BenchmarkSheets(b *testing.B) {
	c := samples(b)[0]
	var many []eco.Certificate
	for i := range 100 {
		one := c
		one.Reference = fmt.Sprintf("LA26%06d", i)
		one.Items = nil
		for n := range 10 {
			item := c.Items[n%len(c.Items)]
			item.Number = n + 1
			one.Items = append(one.Items, item)
		}
		many = append(many, one)
	}
	rows := filled(many)
	csv := inCSV(b, ';', rows)
	f, err := excelize.OpenReader(bytes.NewReader(inWorkbook(b, "", nil)))
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close()
	for _, sheet := range sheetsOfTemplate {
		table, err := f.GetRows(sheet.name)
		if err != nil {
			b.Fatal(err)
		}
		for i, row := range rows {
			cells := make([]any, len(table[0]))
			for j, heading := range table[0] {
				cells[j] = row[strings.TrimSuffix(heading, " *")]
			}
			if err := f.SetSheetRow(sheet.name, fmt.Sprintf("A%d", i+3), &cells); err != nil {
				b.Fatal(err)
			}
		}
	}
	workbook, err := f.WriteToBuffer()
	if err != nil {
		b.Fatal(err)
	}
	for format, data := range map[Format][]byte{FormatCSV: csv, FormatXLSX: workbook.Bytes()} {
		b.Run(string(format), func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(data)))
			for b.Loop() {
				if got, err := Read(format, data, eco.DefaultForms()); err != nil || len(got) != len(many) {
					b.Fatal(len(got), err)
				}
			}
		})
	}
}
