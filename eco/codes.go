package eco

import (
	"regexp"
	"strconv"
	"strings"
)

var (
	// currencyPattern is the shape of an ISO 4217 alphabetic code.
	currencyPattern = regexp.MustCompile(`^[A-Z]{3}$`)
	// unitPattern is the shape of a UN/ECE Recommendation 20 common code.
	unitPattern = regexp.MustCompile(`^[A-Z0-9]{2,3}$`)
	// packagePattern is the shape of a UN/ECE Recommendation 21 code.
	packagePattern = regexp.MustCompile(`^[A-Z0-9]{2}$`)
	// locodePattern is the shape of a UN/LOCODE: a country and three characters without 0 and 1.
	locodePattern = regexp.MustCompile(`^[A-Z]{2}[A-Z2-9]{3}$`)
	// modePattern is a UN/ECE Recommendation 19 transport mode.
	modePattern = regexp.MustCompile(`^[0-9]$`)
	// documentTypePattern is the shape of a UNCL 1001 document name code.
	documentTypePattern = regexp.MustCompile(`^[0-9]{1,3}$`)
	editionPattern      = regexp.MustCompile(`^(19|20)[0-9]{2}$`)
	digitsPattern       = regexp.MustCompile(`^[0-9]+$`)
)

// CodeList is a list of codes that certificates and business messages use.
type CodeList string

// The code lists. Those of UNCL hold the codes that the exchange of certificates needs, not all.
const (
	ListCountries  CodeList = "countries"  // ISO 3166-1 alpha-2
	ListCurrencies CodeList = "currencies" // ISO 4217
	ListUnits      CodeList = "units"      // UN/ECE Recommendation 20
	ListPackages   CodeList = "packages"   // UN/ECE Recommendation 21
	ListModes      CodeList = "modes"      // UN/ECE Recommendation 19
	ListDocuments  CodeList = "documents"  // UNCL 1001: kind of document
	ListFunctions  CodeList = "functions"  // UNCL 1225: function of a message
	ListStatuses   CodeList = "statuses"   // UNCL 1373: status of a document
)

// CodeLists lists the code lists.
func CodeLists() []CodeList {
	return []CodeList{ListCountries, ListCurrencies, ListUnits, ListPackages, ListModes, ListDocuments, ListFunctions, ListStatuses}
}

// Code is one code with what people should know of it.
type Code struct {
	Code string
	Name string
	// Alpha3 is a country's other code of ISO 3166-1.
	Alpha3 string
	// Digits are the minor units of a currency: decimals of its amounts. -1 is a currency without any, such as gold.
	Digits int
	// Withdrawn: the list had the code once. Partners with an older edition still use it.
	Withdrawn bool
	// Note is a remark, such as why a configuration adds the code.
	Note string
}

// Edition says which issue of a list the program has.
type Edition struct {
	// Name is the list's, such as "ISO 4217".
	Name string
	// Version is the publisher's word for the issue; Date its day, or its year where no more is known.
	Version, Date string
}

// Codes are the code lists: as published, which the zero Codes has, and with what a configuration adds (CodesFrom). It is
// immutable and small: pass it by value.
type Codes struct {
	added map[CodeList]map[string]Code
}

// Find finds a code as it is written, without regard to other spellings. It takes a few comparisons of texts.
func (c Codes) Find(list CodeList, code string) (Code, bool) {
	if own, ok := c.added[list][code]; ok {
		return own, true
	}
	if row, ok := findRow(published(list), code); ok && code != "" && code[0] != '#' {
		return readRow(list, row), true
	}
	if rest, isPackage := strings.CutPrefix(code, "X"); list == ListUnits && isPackage && len(code) == 3 {
		// UN/ECE Recommendation 20: a package of Recommendation 21 becomes a unit by an X in front.
		return c.Find(ListPackages, rest)
	}
	return Code{}, false
}

// Added lists what a configuration added to a list, in no order; nil if nothing.
func (c Codes) Added(list CodeList) []Code {
	var codes []Code
	for _, code := range c.added[list] {
		codes = append(codes, code)
	}
	return codes
}

// EditionOf says which issue of a list the program has; zero for what is no list.
func EditionOf(list CodeList) Edition {
	var e Edition
	for line := range strings.Lines(published(list)) {
		key, value, found := strings.Cut(strings.TrimSpace(line), ": ")
		if !found || !strings.HasPrefix(key, "# ") {
			break
		}
		switch key {
		case "# list":
			e.Name = value
		case "# version":
			e.Version = value
		case "# date":
			e.Date = value
		}
	}
	return e
}

// findRow finds the row of a code in a table: lines that begin with the code and a tab, sorted by code.
func findRow(table, code string) (string, bool) {
	low, high := 0, len(table)
	for low < high {
		middle := (low + high) / 2
		start := strings.LastIndexByte(table[:middle], '\n') + 1
		length := strings.IndexByte(table[start:], '\n')
		if length < 0 {
			length = len(table) - start
		}
		row := table[start : start+length]
		found, _, _ := strings.Cut(row, "\t")
		switch order := strings.Compare(found, code); {
		case order == 0:
			return row, true
		case order < 0:
			low = start + length + 1
		default:
			high = start
		}
	}
	return "", false
}

// withdrawnNote is the note that marks a code as withdrawn.
const withdrawnNote = "withdrawn"

// readRow reads a row whose shape was checked: code, what the list has besides, name, note.
func readRow(list CodeList, row string) Code {
	fields := strings.Split(row, "\t")
	code := Code{Code: fields[0]}
	switch list {
	case ListCountries:
		code.Alpha3, fields = fields[1], fields[2:]
	case ListCurrencies:
		if code.Digits, fields = -1, fields[1:]; fields[0] != "-" {
			code.Digits, _ = strconv.Atoi(fields[0])
		}
		fields = fields[1:]
	default:
		fields = fields[1:]
	}
	code.Name = fields[0]
	if len(fields) > 1 {
		code.Withdrawn, code.Note = fields[1] == withdrawnNote, fields[1]
	}
	return code
}

// IsCountry reports whether code is an officially assigned ISO 3166-1 alpha-2 code, in capitals.
func IsCountry(code string) bool {
	_, ok := Codes{}.Find(ListCountries, code)
	return ok
}

// userAssigned reports whether ISO 3166-1 leaves code to its users, as in XK for Kosovo: AA, QM to QZ, XA to XZ, ZZ.
func userAssigned(code string) bool {
	if len(code) != 2 {
		return false
	}
	switch first, second := code[0], code[1]; first {
	case 'Q':
		return second >= 'M' && second <= 'Z'
	case 'X':
		return second >= 'A' && second <= 'Z'
	default:
		return code == "AA" || code == "ZZ"
	}
}
