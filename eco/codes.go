package eco

import (
	"maps"
	"regexp"
	"slices"
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

// Find finds a code as it is written, without regard to other spellings.
func (c Codes) Find(list CodeList, code string) (Code, bool) {
	if own, ok := c.added[list][code]; ok {
		return own, true
	}
	if found, ok := published()[list].codes[code]; ok {
		return found, true
	}
	if rest, isPackage := strings.CutPrefix(code, "X"); list == ListUnits && isPackage && len(code) == 3 {
		// UN/ECE Recommendation 20: a package of Recommendation 21 becomes a unit by an X in front.
		return c.Find(ListPackages, rest)
	}
	return Code{}, false
}

// Added lists what a configuration added to a list, ordered by code; nil if nothing.
func (c Codes) Added(list CodeList) []Code {
	return slices.SortedFunc(maps.Values(c.added[list]), func(a, b Code) int { return strings.Compare(a.Code, b.Code) })
}

// EditionOf says which issue of a list the program has; zero for what is no list.
func EditionOf(list CodeList) Edition { return published()[list].edition }

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
