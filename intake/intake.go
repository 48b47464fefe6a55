// Package intake reads certificates of origin from the files that issuing offices have: our own JSON form, the UN/CEFACT style of JSON,
// and spreadsheets with one row per item (XLSX, CSV). It writes the spreadsheet's template, and watches folders.
//
// Every reader is strict: what a file holds is in the certificate, or the result says where it was left, or the file is refused
// with its place: a JSON path, or a cell. Nothing is guessed, and no file is read in part. Whether a certificate makes sense is for
// eco.Validate, and who may submit it for exchange.
//
// Read in this order: intake.go, node.go (foreign JSON), uncefact.go, columns.go (what a spreadsheet may say), table.go and
// sheet.go (how it is read), workbook.go and csv.go (the two file formats), template.go, then folder.go, watch.go and report.go.
package intake

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/ecogate/ecogate/eco"
)

// Limits of one file.
const (
	// MaxBytes is the size of a file.
	MaxBytes = 4 << 20
	// MaxUnzipped is the size of an XLSX file's parts after unpacking, together.
	MaxUnzipped = 32 << 20
	// MaxRows and MaxColumns bound each sheet.
	MaxRows, MaxColumns = 10_000, 256
	// MaxCertificates is how many certificates one file may hold.
	MaxCertificates = 1_000
	// maxProblems bounds what is told about one file.
	maxProblems = 100
)

// Format is a kind of file.
type Format string

// The formats.
const (
	FormatJSON     Format = "json"     // the certificate's own JSON form; one certificate
	FormatUNCEFACT Format = "uncefact" // JSON in the style of UN/CEFACT; one certificate
	FormatXLSX     Format = "xlsx"     // Office Open XML workbook
	FormatCSV      Format = "csv"      // comma, semicolon or tab separated, UTF-8
)

// Formats lists every format.
func Formats() []Format { return []Format{FormatJSON, FormatUNCEFACT, FormatXLSX, FormatCSV} }

// FormatOf tells the format from a file's name: .xlsx, .csv, .uncefact.json, or .json for the certificate's own form.
func FormatOf(name string) (Format, bool) {
	name = strings.ToLower(name)
	switch {
	case strings.HasSuffix(name, ".uncefact.json"):
		return FormatUNCEFACT, true
	case strings.HasSuffix(name, ".json"):
		return FormatJSON, true
	case strings.HasSuffix(name, ".xlsx"):
		return FormatXLSX, true
	case strings.HasSuffix(name, ".csv"):
		return FormatCSV, true
	}
	return "", false
}

// Import is one certificate that was read.
type Import struct {
	Certificate eco.Certificate
	// Unplaced is what the file says and a certificate has no place for, in the order of the file.
	Unplaced []Field
	// Findings are warnings about what the reader had to decide. Their paths are those of the file.
	Findings []eco.Finding

	// places has the place in the file for each part of the certificate that was filled, by its path.
	places map[string]string
}

// Field is one value of a file.
type Field struct {
	// Path is its place: a JSON path.
	Path string `json:"path"`
	// Value is what stands there; JSON if it is no text.
	Value string `json:"value"`
	// Why says why it has no place, if not because a certificate holds no such thing.
	Why string `json:"why,omitempty"`
}

// Place gives the place in the file of a part of the certificate, such as "items[2].hs", or of the nearest part around it that came from
// one place: "Items!D7". It is empty if there is none; for the certificate's own JSON form the path is the place.
func (i Import) Place(path string) string {
	if i.places == nil {
		return path
	}
	for path != "" {
		if place, ok := i.places[path]; ok {
			return place
		}
		path = path[:max(strings.LastIndexAny(path, ".["), 0)]
	}
	return i.places[""]
}

// Problem is one thing that is wrong in a file.
type Problem struct {
	// Place is a cell ("Sheet1!D7", "line 7, column D"), a JSON path, or empty for the file as a whole.
	Place string `json:"place,omitempty"`
	// Text says what was expected and what was found.
	Text string `json:"text"`
	// Fix says what to do about it, where that is not plain.
	Fix string `json:"fix,omitempty"`
}

// String is place and text on one line.
func (p Problem) String() string {
	if p.Place == "" {
		return p.Text
	}
	return p.Place + ": " + p.Text
}

// Error is why a file was refused as a whole; it has at least one problem, and 100 at most.
type Error struct{ Problems []Problem }

// Error gives one problem per line.
func (e *Error) Error() string {
	lines := make([]string, len(e.Problems))
	for i, p := range e.Problems {
		lines[i] = p.String()
	}
	return strings.Join(lines, "\n")
}

// problems collects what is wrong with a file.
type problems struct{ list []Problem }

// add notes a problem; beyond the bound only that there are more.
func (p *problems) add(place, format string, args ...any) {
	switch n := len(p.list); {
	case n < maxProblems-1:
		p.list = append(p.list, Problem{Place: place, Text: fmt.Sprintf(format, args...)})
	case n == maxProblems-1:
		p.list = append(p.list, Problem{Text: "there are more problems; mend these first"})
	}
}

// full reports whether further problems would not be told.
func (p *problems) full() bool { return len(p.list) >= maxProblems }

func (p *problems) err() error {
	if len(p.list) == 0 {
		return nil
	}
	return &Error{Problems: p.list}
}

// refuse is the error of a file with one problem.
func refuse(place, format string, args ...any) error {
	p := new(problems)
	p.add(place, format, args...)
	return p.err()
}

// Read reads all certificates of a file, in its order, with the forms that it may name. The error is an *Error.
func Read(format Format, data []byte, forms eco.Forms) ([]Import, error) {
	if len(data) > MaxBytes {
		return nil, refuse("", "want a file of %d bytes at most, found %d", MaxBytes, len(data))
	}
	switch format {
	case FormatJSON:
		return one(JSON(data))
	case FormatUNCEFACT:
		return one(UNCEFACT(data, forms))
	case FormatXLSX:
		return XLSX(data, forms)
	case FormatCSV:
		return CSV(data, forms)
	}
	return nil, refuse("", "want one of the formats %q, found %q", Formats(), format)
}

func one(i Import, err error) ([]Import, error) {
	if err != nil {
		return nil, err
	}
	return []Import{i}, nil
}

// JSON reads a certificate in its own JSON form, as strictly as eco.Decode. The error is an *Error.
func JSON(data []byte) (Import, error) {
	c, err := eco.Decode(data)
	if err == nil {
		return Import{Certificate: c}, nil
	}
	place, text, found := strings.Cut(err.Error(), ": ")
	if !found || place == "certificate" || strings.ContainsAny(place, " \"") {
		place, text = "", err.Error()
	}
	return Import{}, refuse(place, "%s", text)
}

// problemsOf gives the problems of an error that a reader returned.
func problemsOf(err error) []Problem {
	var e *Error
	if errors.As(err, &e) {
		return slices.Clone(e.Problems)
	}
	return []Problem{{Text: err.Error()}}
}

// limited is a value of a file as it may stand in a message.
func limited(s string) string {
	const most = 60
	if r := []rune(s); len(r) > most {
		return string(r[:most]) + "…"
	}
	return s
}
