package main

import (
	"encoding/xml"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// genericode is a code list file, as far as the tables need it. OASIS genericode 1.0 §3.
type genericode struct {
	Version string `xml:"Identification>Version"`
	Rows    []struct {
		Values []struct {
			Column string `xml:"ColumnRef,attr"`
			Text   string `xml:"SimpleValue"`
		} `xml:"Value"`
	} `xml:"SimpleCodeList>Row"`
}

// row is one row of a list: its values by column, on one line each.
type row map[string]string

func read(folder, name string) (version string, rows []row, err error) {
	data, err := os.ReadFile(filepath.Join(folder, name))
	if err != nil {
		return "", nil, err
	}
	var list genericode
	if err := xml.Unmarshal(data, &list); err != nil {
		return "", nil, fmt.Errorf("%s: %w", name, err)
	}
	for _, r := range list.Rows {
		values := row{}
		for _, v := range r.Values {
			values[v.Column] = strings.Join(strings.Fields(v.Text), " ")
		}
		if values["code"] == "" {
			return "", nil, fmt.Errorf("%s: row %d has no code", name, len(rows)+1)
		}
		rows = append(rows, values)
	}
	if list.Version == "" || len(rows) == 0 {
		return "", nil, fmt.Errorf("%s: want a version and rows, found version %q and %d rows", name, list.Version, len(rows))
	}
	return list.Version, rows, nil
}
