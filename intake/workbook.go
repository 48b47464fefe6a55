package intake

import (
	"bytes"
	"strconv"
	"strings"
	"time"

	"github.com/xuri/excelize/v2"

	"github.com/ecogate/ecogate/eco"
)

// Sheets of the template that hold no certificates.
const (
	sheetNotes = "Notes"
	sheetLists = "Lists"
)

// XLSX reads a workbook of certificates. Every sheet but the template's Notes and Lists is read, with a row of headings each: the
// rows of all sheets that bear one reference make one certificate. The error is an *Error.
//
// A number in a column of dates is a day as workbooks count them. A cell with a formula counts by the result that the file keeps of it; one
// without is refused. Nothing is unpacked beyond MaxUnzipped, and nothing to disk.
func XLSX(data []byte, forms eco.Forms) ([]Import, error) {
	sheets, err := openWorkbook(data)
	if err != nil {
		return nil, err
	}
	t := newTables(forms)
	for _, s := range sheets {
		for _, cell := range s.unsolved {
			t.add(s.name+"!"+cell, "want a value, found a formula without its result: open and save the file in a spreadsheet program, or write the value")
		}
		t.read(s.table)
	}
	return t.finish()
}

// sheet is one sheet of a workbook.
type sheet struct {
	table
	name string
	// unsolved are its cells with a formula and no result of it.
	unsolved []string
}

// openWorkbook reads all sheets. What makes the library panic is refused: a file must not end the node.
func openWorkbook(data []byte) (out []sheet, err error) {
	defer func() {
		if fault := recover(); fault != nil {
			out, err = nil, refuse("", "want an Office Open XML workbook (.xlsx), found one that cannot be read: %v", fault)
		}
	}()
	f, err := excelize.OpenReader(bytes.NewReader(data), excelize.Options{
		RawCellValue: true, UnzipSizeLimit: MaxUnzipped, UnzipXMLSizeLimit: MaxUnzipped,
	})
	if err != nil {
		return nil, refuse("", "want an Office Open XML workbook (.xlsx) of at most %d bytes unpacked, without password: %v", MaxUnzipped, err)
	}
	defer f.Close()
	serial, err := serialsOf(f)
	if err != nil {
		return nil, err
	}
	unsolved := formulasWithoutResult(f)
	for _, name := range f.GetSheetList() {
		if name == sheetNotes || name == sheetLists {
			continue
		}
		rows, err := rowsOf(f, name)
		if err != nil {
			return nil, err
		}
		at := func(row, column int) string { return cellOf(name, row, column) }
		out = append(out, sheet{table: table{rows: rows, at: at, serial: serial}, name: name, unsolved: unsolved[name]})
	}
	return out, nil
}

// cellOf is "Sheet1!D7".
func cellOf(sheet string, row, column int) string {
	cell, err := excelize.CoordinatesToCellName(column+1, row+1)
	if err != nil {
		return sheet
	}
	return sheet + "!" + cell
}

// rowsOf reads a sheet row by row, so that its bounds hold before it is in memory.
func rowsOf(f *excelize.File, sheet string) ([][]string, error) {
	cursor, err := f.Rows(sheet)
	if err != nil {
		return nil, refuse(sheet, "this sheet cannot be read: %v", err)
	}
	defer cursor.Close()
	var rows [][]string
	for cursor.Next() {
		if len(rows) == MaxRows {
			return nil, refuse(sheet, "want at most %d rows", MaxRows)
		}
		row, err := cursor.Columns()
		if err != nil {
			return nil, refuse(cellOf(sheet, len(rows), 0), "this row cannot be read: %v", err)
		}
		for len(row) > 0 && row[len(row)-1] == "" {
			row = row[:len(row)-1]
		}
		if len(row) > MaxColumns {
			return nil, refuse(cellOf(sheet, len(rows), MaxColumns), "want at most %d columns", MaxColumns)
		}
		rows = append(rows, row)
	}
	if err := cursor.Error(); err != nil {
		return nil, refuse(sheet, "this sheet cannot be read: %v", err)
	}
	return rows, nil
}

// firstYear is the first year that a date may be of when it is a number: "2026" typed into a cell of dates is a day of 1905.
const firstYear = 1970

// serialsOf gives the function that turns the workbook's numbers into days.
func serialsOf(f *excelize.File) (func(string) (eco.Date, bool), error) {
	properties, err := f.GetWorkbookProps()
	if err != nil {
		return nil, refuse("", "the workbook's properties cannot be read: %v", err)
	}
	from1904 := properties.Date1904 != nil && *properties.Date1904
	return func(text string) (eco.Date, bool) {
		whole, fraction, _ := strings.Cut(text, ".")
		n, err := strconv.Atoi(whole)
		if err != nil || n < 1 || n > 100_000 || strings.Trim(fraction, "0") != "" {
			return eco.Date{}, false
		}
		at, err := excelize.ExcelDateToTime(float64(n), from1904)
		if err != nil || at.Year() < firstYear {
			return eco.Date{}, false
		}
		return eco.DateOf(at.In(time.UTC)), true
	}, nil
}
