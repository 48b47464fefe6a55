package intake_test

import (
	"archive/zip"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"
	"github.com/xuri/excelize/v2"

	"github.com/ecogate/ecogate/eco"
	"github.com/ecogate/ecogate/eco/ecotest"
	"github.com/ecogate/ecogate/intake"
)

// hostile is a file of testdata/hostile/intake. Its head says why it is hostile, its format, and each problem that must come, in order:
//
//	# why      format: csv|xlsx|uncefact      error: place: part of the text
//
// The only file in it is what is read. For a workbook it lists cells that are written over the template, one a line: "Items!A3 = text",
// "Items!A3 := 46354" for a number, "Items!A3 =- A1" for a formula without a result. A column may be given by its heading:
// "Items![Gross weight]3".
type hostile struct {
	name   string
	format intake.Format
	errors []string
	data   []byte
}

func hostileFiles(t testing.TB, format intake.Format) []hostile {
	t.Helper()
	var out []hostile
	for _, file := range ecotest.Files(t, "hostile/intake/*.txt") {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		archive := txtar.Parse(text)
		h := hostile{name: strings.TrimSuffix(filepath.Base(file), ".txt")}
		for line := range strings.Lines(string(archive.Comment)) {
			switch key, value, _ := strings.Cut(strings.TrimSpace(line), ": "); key {
			case "format":
				h.format = intake.Format(value)
			case "error":
				h.errors = append(h.errors, value)
			default:
				if !strings.HasPrefix(line, "#") {
					t.Fatalf("%s: line %q", file, line)
				}
			}
		}
		if len(archive.Files) != 1 {
			t.Fatalf("%s holds %d files", file, len(archive.Files))
		}
		if h.format != format {
			continue
		}
		if h.data = archive.Files[0].Data; format == intake.FormatXLSX {
			h.data = workbook(t, string(h.data), h.errors)
		} else if strings.HasSuffix(archive.Files[0].Name, ".quoted") { // for octets that a text does not hold
			octets, err := strconv.Unquote(strings.TrimSpace(string(h.data)))
			if err != nil {
				t.Fatalf("%s: %v", file, err)
			}
			h.data = []byte(octets)
		}
		out = append(out, h)
	}
	return out
}

// byHeading is a cell whose column is given by its heading.
var byHeading = regexp.MustCompile(`(\w+)!\[([^]]+)\]`)

// workbook writes cells over the template, and puts the letters of columns into places that give their headings.
func workbook(t testing.TB, cells string, places []string) []byte {
	t.Helper()
	template, err := intake.Template("ATIGA-D", intake.FormatXLSX, eco.DefaultForms())
	if err != nil {
		t.Fatal(err)
	}
	f, err := excelize.OpenReader(bytes.NewReader(template))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	lettered := func(text string) string {
		return byHeading.ReplaceAllStringFunc(text, func(found string) string {
			m := byHeading.FindStringSubmatch(found)
			rows, err := f.GetRows(m[1])
			if err != nil {
				t.Fatal(err)
			}
			at := slices.IndexFunc(rows[0], func(heading string) bool { return strings.TrimSuffix(heading, " *") == m[2] })
			letters, err := excelize.ColumnNumberToName(at + 1)
			if err != nil {
				t.Fatalf("%s: %v", found, err)
			}
			return m[1] + "!" + letters
		})
	}
	for i, place := range places {
		places[i] = lettered(place)
	}
	for line := range strings.Lines(lettered(cells)) {
		place, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
		how, value, _ := strings.Cut(rest, " ")
		sheet, cell, _ := strings.Cut(place, "!")
		if at, _ := f.GetSheetIndex(sheet); at < 0 {
			if _, err := f.NewSheet(sheet); err != nil {
				t.Fatal(err)
			}
		}
		switch how {
		case "=":
			err = f.SetCellStr(sheet, cell, value)
		case ":=":
			var number float64
			if number, err = strconv.ParseFloat(value, 64); err == nil {
				err = f.SetCellFloat(sheet, cell, number, -1, 64)
			}
		case "=-":
			err = errors.Join(f.SetCellValue(sheet, cell, nil), f.SetCellFormula(sheet, cell, value))
		default:
			err = fmt.Errorf("no such way to write a cell: %q", how)
		}
		if err != nil {
			t.Fatalf("%s: %v", line, err)
		}
	}
	b, err := f.WriteToBuffer()
	if err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestHostileFilesAreRefusedWithTheirPlaces(t *testing.T) {
	seen := 0
	for _, format := range intake.Formats() {
		for _, h := range hostileFiles(t, format) {
			seen++
			t.Run(h.name, func(t *testing.T) {
				_, err := intake.Read(h.format, h.data, eco.DefaultForms())
				var wrong *intake.Error
				if !errors.As(err, &wrong) {
					t.Fatalf("got %v, want it refused", err)
				}
				for i, p := range wrong.Problems {
					if i >= len(h.errors) || !strings.HasPrefix(p.String(), h.errors[i]) && !strings.Contains(p.String(), h.errors[i]) {
						t.Errorf("problem %d is %q", i+1, p)
					}
				}
				if len(wrong.Problems) < len(h.errors) {
					t.Errorf("%d problems, want %q", len(wrong.Problems), h.errors)
				}
			})
		}
	}
	if files := ecotest.Files(t, "hostile/intake/*.txt"); seen != len(files) || seen < 30 {
		t.Errorf("%d of %d files were read", seen, len(files))
	}
}

// refusedWithPlace holds an error to what callers rely on.
func refusedWithPlace(t *testing.T, err error) {
	t.Helper()
	var wrong *intake.Error
	if !errors.As(err, &wrong) || len(wrong.Problems) == 0 || len(wrong.Problems) > 100 {
		t.Fatalf("refused with %v", err)
	}
	for _, p := range wrong.Problems {
		if p.Text == "" {
			t.Errorf("a problem without text in %v", wrong.Problems)
		}
	}
}

func FuzzCSV(f *testing.F) { fuzzSheets(f, intake.FormatCSV) }

func FuzzXLSX(f *testing.F) { fuzzSheets(f, intake.FormatXLSX) }

// FuzzSheet has arbitrary XML for the first sheet of a workbook that is whole otherwise: archives that are changed anywhere else seldom
// get so far.
func FuzzSheet(f *testing.F) {
	small := excelize.NewFile()
	defer small.Close()
	for i, row := range [][]any{{"Reference", "Form", "Issue date", "Description"}, {"A1", "ATIGA-D", 46354, "GOODS"}, {"A1", nil, "2026-11-28"}} {
		if err := small.SetSheetRow("Sheet1", fmt.Sprintf("A%d", i+1), &row); err != nil {
			f.Fatal(err)
		}
	}
	b, err := small.WriteToBuffer()
	if err != nil {
		f.Fatal(err)
	}
	whole := b.Bytes()
	f.Add(part(f, whole, firstSheet, nil))
	f.Add([]byte(`<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData><row r="3"><c r="B3" t="inlineStr"><is><t>Reference</t></is></c>` +
		`<c r="C3" t="str"><f>1</f><v>Form</v></c></row><row><c t="b"><v>1</v></c><c t="e"><v>#N/A</v></c><c><f>A1</f></c></row></sheetData></worksheet>`))
	f.Fuzz(func(t *testing.T, sheet []byte) {
		imports, err := intake.XLSX(replaced(t, whole, firstSheet, sheet), eco.DefaultForms())
		if err != nil {
			refusedWithPlace(t, err)
		} else if len(imports) == 0 {
			t.Error("neither certificates nor problems")
		}
	})
}

const firstSheet = "xl/worksheets/sheet1.xml"

// part is the content of one part of a workbook; each sees every part.
func part(t testing.TB, workbook []byte, name string, each func(name string, content []byte)) (content []byte) {
	t.Helper()
	archive, err := zip.NewReader(bytes.NewReader(workbook), int64(len(workbook)))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range archive.File {
		reader, err := file.Open()
		if err != nil {
			t.Fatal(err)
		}
		data, err := io.ReadAll(reader)
		if err != nil {
			t.Fatal(err)
		}
		if file.Name == name {
			content = data
		}
		if each != nil {
			each(file.Name, data)
		}
	}
	return content
}

// replaced is a workbook with another content for one part.
func replaced(t testing.TB, workbook []byte, name string, content []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	w := zip.NewWriter(&out)
	part(t, workbook, name, func(each string, data []byte) {
		if each == name {
			data = content
		}
		file, err := w.Create(each)
		if err == nil {
			_, err = file.Write(data)
		}
		if err != nil {
			t.Fatal(err)
		}
	})
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// fuzzSheets holds a reader to what callers rely on: certificates with a place for each finding, or problems.
func fuzzSheets(f *testing.F, format intake.Format) {
	f.Helper()
	template, err := intake.Template("ATIGA-D", format, eco.DefaultForms())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(template)
	f.Add([]byte("Reference;Form;Invoice;Invoice date;Description\nA1;ATIGA-D;I1;2026-11-28;GOODS\n"))
	for _, h := range hostileFiles(f, format) {
		f.Add(h.data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		imports, err := intake.Read(format, data, eco.DefaultForms())
		if err != nil {
			refusedWithPlace(t, err)
			return
		}
		if len(imports) == 0 {
			t.Error("neither certificates nor problems")
		}
		for _, i := range imports {
			for _, finding := range eco.Validate(i.Certificate, eco.DefaultForms(), eco.Quirks{}, ecotest.Now()) {
				if i.Place(finding.Path) == "" {
					t.Errorf("%s has no place", finding.Path)
				}
			}
		}
	})
}
