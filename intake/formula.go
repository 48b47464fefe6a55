package intake

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"path"
	"regexp"
	"strings"

	"github.com/xuri/excelize/v2"
)

// formulasWithoutResult lists the cells of each sheet that have a formula and no result of it: programs that write workbooks leave it to
// others to calculate. Read as values such cells would look empty.
func formulasWithoutResult(f *excelize.File) map[string][]string {
	out := map[string][]string{}
	for name, part := range partsOf(f) {
		text, ok := partText(f, part)
		if !ok || !formulaElement.Match(text) {
			continue
		}
		if cells := unsolved(text); len(cells) > 0 {
			out[name] = cells
		}
	}
	return out
}

// formulaElement is where an element f may begin.
var formulaElement = regexp.MustCompile(`[<:]f[\s/>]`)

func partText(f *excelize.File, name string) ([]byte, bool) {
	value, ok := f.Pkg.Load(name)
	if !ok {
		return nil, false
	}
	text, ok := value.([]byte)
	return text, ok
}

// partsOf finds the part of each sheet (ECMA-376 part 1 §18.2.19 with part 2 §9.3).
func partsOf(f *excelize.File) map[string]string {
	var workbook struct {
		Sheets []struct {
			Name string `xml:"name,attr"`
			ID   string `xml:"id,attr"`
		} `xml:"sheets>sheet"`
	}
	var relations struct {
		List []struct {
			ID     string `xml:"Id,attr"`
			Target string `xml:"Target,attr"`
		} `xml:"Relationship"`
	}
	for name, into := range map[string]any{"xl/workbook.xml": &workbook, "xl/_rels/workbook.xml.rels": &relations} {
		if text, ok := partText(f, name); !ok || xml.Unmarshal(text, into) != nil {
			return nil // excelize, which has read both, looks further than this
		}
	}
	out := map[string]string{}
	for _, sheet := range workbook.Sheets {
		for _, relation := range relations.List {
			if relation.ID != sheet.ID {
				continue
			}
			if part, ok := strings.CutPrefix(relation.Target, "/"); ok {
				out[sheet.Name] = part
			} else {
				out[sheet.Name] = path.Join("xl", relation.Target)
			}
		}
	}
	return out
}

// unsolved reads a sheet's cells (ECMA-376 part 1 §18.3.1.4): those with an element f and without a value v.
func unsolved(text []byte) []string {
	var out []string
	decoder := xml.NewDecoder(bytes.NewReader(text))
	cell, formula, value := "", false, false
	for {
		token, err := decoder.RawToken()
		if errors.Is(err, io.EOF) || err != nil || len(out) == maxProblems {
			return out
		}
		switch token := token.(type) {
		case xml.StartElement:
			switch token.Name.Local {
			case "c":
				cell, formula, value = "", false, false
				for _, a := range token.Attr {
					if a.Name.Local == "r" {
						cell = a.Value
					}
				}
			case "f":
				formula = true
			case "v", "is":
				value = true
			}
		case xml.EndElement:
			if token.Name.Local == "c" && formula && !value {
				out = append(out, cell)
			}
		}
	}
}
