package eco

import (
	"strconv"
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
	"golang.org/x/text/width"
)

// NormaliseReference gives the spelling under which a reference is looked up: full-width characters become half-width,
// letters upper case, and spaces, dashes and slashes of every kind and invisible characters go. So "VN-KR 25/02/01234"
// and "ＶＮ－ＫＲ２５／０２／０１２３４" are one reference.
//
// Characters that merely look alike (O and 0, I and 1) stay apart: they may be two certificates. The result is never
// printed or sent; the reference as issued is kept. Normalising twice changes nothing.
func NormaliseReference(s string) string {
	spelled := strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r), unicode.In(r, unicode.Z, unicode.Cc, unicode.Cf), isDash(r), isSlash(r):
			return -1
		}
		return unicode.ToUpper(r)
	}, norm.NFC.String(width.Fold.String(s)))
	// Upper case of some letters, and what was parted by a dash, composes anew.
	return norm.NFC.String(spelled)
}

func isDash(r rune) bool { return unicode.Is(unicode.Dash, r) }

func isSlash(r rune) bool { return r == '/' || r == '\u2044' || r == '\u2215' }

// referenceGroups are the names that a group of a reference's pattern may have.
var referenceGroups = []string{"year", "office", "serial", "importing"}

// ReferenceParts is what a reference says about itself; parts that its shape does not have are empty.
type ReferenceParts struct {
	// Year has two or four digits; Importing is an ISO 3166-1 alpha-2 code.
	Year, Office, Serial, Importing string
}

// Match splits a reference of this shape into its parts.
func (r ReferenceRule) Match(reference string) (ReferenceParts, bool) {
	if r.pattern == nil {
		return ReferenceParts{}, false
	}
	groups := r.pattern.FindStringSubmatch(reference)
	if groups == nil {
		return ReferenceParts{}, false
	}
	named := func(name string) string {
		if i := r.pattern.SubexpIndex(name); i >= 0 {
			return groups[i]
		}
		return ""
	}
	return ReferenceParts{Year: named("year"), Office: named("office"), Serial: named("serial"), Importing: named("importing")}, true
}

// counts reports whether numbers of an issuing body have this shape on a day; the zero Date is any day.
func (r ReferenceRule) counts(country, body string, day Date) bool {
	return r.Country == country && (r.Body == "" || r.Body == body) &&
		(day.IsZero() || !day.Before(r.From) && (r.Until.IsZero() || !day.After(r.Until)))
}

// ReferencesOf are the shapes that count for what a body of a country issues on a day; empty when none is known. A body that
// has shapes of its own has no others.
func (f Form) ReferencesOf(country, body string, day Date) []ReferenceRule {
	var own, general []ReferenceRule
	for _, rule := range f.References {
		switch {
		case !rule.counts(country, body, day):
		case rule.Body != "":
			own = append(own, rule)
		default:
			general = append(general, rule)
		}
	}
	if len(own) > 0 {
		return own
	}
	return general
}

// maxLookAlikes bounds the characters of a reference that Suggest tries in both readings: the work doubles with each.
const maxLookAlikes = 8

// lookAlikes are characters that people and scanners take for each other.
var lookAlikes = map[rune]rune{'O': '0', '0': 'O', 'I': '1', '1': 'I', 'o': '0', 'l': '1', 'i': '1'}

// Suggest gives the spelling of this shape that a reference becomes when O and 0, or I and 1, were taken for each other; it
// reports false when there is none, or more than one. It is a suggestion to a person who can look at the paper: two
// certificates may differ in nothing else.
func (r ReferenceRule) Suggest(reference string) (string, bool) {
	runes := []rune(reference)
	var doubtful []int
	for i, c := range runes {
		if lookAlikes[c] != 0 {
			doubtful = append(doubtful, i)
		}
	}
	if r.pattern == nil || len(doubtful) == 0 || len(doubtful) > maxLookAlikes {
		return "", false
	}
	found := ""
	for reading := 1; reading < 1<<len(doubtful); reading++ {
		other := []rune(reference)
		for bit, i := range doubtful {
			if reading&(1<<bit) != 0 {
				other[i] = lookAlikes[runes[i]]
			}
		}
		if text := string(other); r.pattern.MatchString(text) {
			if found != "" {
				return "", false
			}
			found = text
		}
	}
	return found, found != ""
}

// NearlyFull reports whether serial, a number of this shape, lies in the last tenth of those that there is room for. Numbers
// that ran over would repeat earlier ones.
func (r ReferenceRule) NearlyFull(serial string) bool {
	n, err := strconv.Atoi(serial)
	return err == nil && r.MaxSerial > 0 && n*10 >= r.MaxSerial*9
}
