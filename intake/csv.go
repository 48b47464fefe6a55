package intake

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"unicode/utf8"

	"github.com/xuri/excelize/v2"

	"github.com/ecogate/ecogate/eco"
)

// CSV reads a table of certificates as text in UTF-8, with or without byte order mark, whose cells are parted by commas,
// semicolons or tabs: whichever the row of headings has most of (RFC 4180 with that separator). The error is an *Error.
func CSV(data []byte, forms eco.Forms) ([]Import, error) {
	data = bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))
	if bytes.HasPrefix(data, []byte("PK\x03\x04")) {
		return nil, refuse("", "want text, found a zip archive; a workbook is named .xlsx")
	}
	if !utf8.Valid(data) || bytes.IndexByte(data, 0) >= 0 {
		return nil, refuse("", "want UTF-8 text: save the sheet as \"CSV UTF-8\"")
	}
	r := csv.NewReader(bytes.NewReader(data))
	r.FieldsPerRecord = -1
	r.Comma = separator(data)
	var lines []int // on which each row begins, from 1
	t := newTables(forms)
	s := table{
		at: func(row, column int) string {
			name, err := excelize.ColumnNumberToName(column + 1)
			if err != nil || row >= len(lines) {
				return ""
			}
			return fmt.Sprintf("line %d, column %s", lines[row], name)
		},
		serial: func(string) (eco.Date, bool) { return eco.Date{}, false },
	}
	for {
		row, err := r.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		var wrong *csv.ParseError
		switch {
		case errors.As(err, &wrong):
			return nil, refuse(fmt.Sprintf("line %d", wrong.Line), "want cells parted by %q, text with quotes or separators in it between double quotes: %v", string(r.Comma), wrong.Err)
		case err != nil:
			return nil, refuse("", "%v", err)
		case len(s.rows) == MaxRows || len(row) > MaxColumns:
			return nil, refuse("", "want at most %d rows and %d columns", MaxRows, MaxColumns)
		}
		line, _ := r.FieldPos(0)
		lines = append(lines, line)
		s.rows = append(s.rows, row)
	}
	t.read(s)
	return t.finish()
}

// separator is the one of which the first line that is no note and holds letters has most.
func separator(data []byte) rune {
	for line := range bytes.Lines(data) {
		trimmed := bytes.TrimLeft(line, "\" \t,;")
		if len(bytes.TrimSpace(trimmed)) == 0 || trimmed[0] == '#' {
			continue
		}
		best := ','
		for _, r := range ";\t" {
			if bytes.Count(line, []byte(string(r))) > bytes.Count(line, []byte(string(best))) {
				best = r
			}
		}
		return best
	}
	return ','
}
