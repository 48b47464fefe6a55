package eco

import (
	"embed"
	"strings"
	"sync"
)

// The tables of the lists: a head that says which issue it is, then one code a line, as CodesFrom reads them too. Those that
// UBL 2.4 has genericode files for are made of these, the others by hand.
//
//go:generate go run ./internal/gencodes ../../shared/ubl/codelists codelists
//go:embed codelists/*.txt
var codeFiles embed.FS

// codeTable is one published list.
type codeTable struct {
	edition Edition
	codes   map[string]Code
}

// published reads the tables once. They are part of the program, and a test holds them to be without fault.
var published = sync.OnceValue(func() map[CodeList]codeTable {
	tables := map[CodeList]codeTable{}
	for _, list := range CodeLists() {
		text, err := codeFiles.ReadFile("codelists/" + string(list) + ".txt")
		if err != nil {
			continue // The list has no code; the test sees it.
		}
		codes, _ := parseTable(list, string(text))
		tables[list] = codeTable{editionIn(string(text)), codes}
	}
	return tables
})

// editionIn reads the head of a table.
func editionIn(text string) (e Edition) {
	for line := range strings.Lines(text) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), ": ")
		switch key {
		case "# list":
			e.Name = value
		case "# version":
			e.Version = value
		case "# date":
			e.Date = value
		default:
			return e
		}
	}
	return e
}
