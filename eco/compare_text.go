package eco

import (
	"regexp"
	"slices"
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// Bounds on what is taken for a typing error in a description.
const (
	maxComparedText = 10_000 // octets of each text; longer ones are compared as they are
	maxTypos        = 2      // words with a typing error in one description
	minTypoLetters  = 7      // of a word that may have one: shorter words are too near to others, as SILVER to SLIVER
	minPluralStem   = 4      // letters of a word that may have a plural, so that ARM and ARMS stay apart
)

// compareDescription compares with the whole description, and with the part of it that describes the goods alone.
func compareDescription(declared string, item *Item) Difference {
	d := Difference{Field: "description", Declared: declared, Certified: item.Description, Class: DifferenceMaterial, Reason: ReasonGoods, Text: "other words"}
	if item.Description == "" {
		d.Certified = item.GoodsText
	}
	words := wordsOf(declared)
	for _, certified := range []string{item.Description, item.GoodsText} {
		if certified == "" {
			continue
		}
		switch class, how := compareTexts(declared, certified, words); class {
		case DifferenceIdentical:
			d.Class, d.Reason, d.Text, d.Certified = class, "", "", certified
			return d
		case DifferenceTypographic:
			d.Class, d.Reason, d.Text, d.Certified = class, "", how, certified
		}
	}
	return d
}

// compareTexts compares two texts, the first with its words.
func compareTexts(a, b string, words []string) (DifferenceClass, string) {
	if a == b {
		return DifferenceIdentical, ""
	}
	if len(a) > maxComparedText || len(b) > maxComparedText {
		return DifferenceMaterial, ""
	}
	others := wordsOf(b)
	if len(words) != len(others) || len(words) == 0 {
		return DifferenceMaterial, ""
	}
	typos := 0
	for i := range words {
		switch {
		case words[i] == others[i]:
		case singular(words[i]) == singular(others[i]):
			typos = max(typos, 1)
		case mistyped(words[i], others[i]):
			typos++
		default:
			return DifferenceMaterial, ""
		}
		if typos > maxTypos {
			return DifferenceMaterial, ""
		}
	}
	if typos > 0 {
		return DifferenceTypographic, "typing errors or plurals alone differ"
	}
	return DifferenceTypographic, "case, spaces, punctuation or abbreviations alone differ"
}

// wordsOf are the words of a text in capitals, without the punctuation around them and with known abbreviations written out. What has
// a digit or a sign of meaning in it, a number, a measure or a code, is one word that is compared as it is, but for case and width.
func wordsOf(text string) (words []string) {
	if len(text) > maxComparedText {
		return nil
	}
	text = strings.ToUpper(norm.NFKC.String(text))
	for _, chunk := range strings.FieldsFunc(text, unicode.IsSpace) {
		switch rest, with := strings.CutPrefix(chunk, "W/"); {
		case rest == "O":
			words = append(words, "WITHOUT")
			continue
		case with && !strings.HasPrefix(rest, "O/"):
			words = append(words, "WITH")
			chunk = rest
		}
		words = append(words, wordsOfChunk(chunk)...)
	}
	return words
}

// measurePattern is a number that stands close to its unit.
var measurePattern = regexp.MustCompile(`^([0-9]+(?:[.,][0-9]+)*)([A-Z]+)$`)

// measureWords are units as people write them, which may stand close to a number or apart.
var measureWords = map[string]bool{
	"KG": true, "KGS": true, "G": true, "GM": true, "GMS": true, "GSM": true, "L": true, "LTR": true, "LTRS": true, "ML": true, "M": true, "CM": true, "MM": true,
	"PC": true, "PCS": true, "PCE": true, "PCES": true, "PRS": true, "SET": true, "SETS": true, "CTN": true, "CTNS": true, "YDS": true, "OZ": true, "LB": true, "LBS": true,
}

func wordsOfChunk(chunk string) (words []string) {
	if strings.ContainsFunc(chunk, meaningful) {
		code := strings.TrimFunc(chunk, func(r rune) bool { return strings.ContainsRune(`,;:!?()[]{}"'`, r) })
		code = strings.TrimRight(code, ".")
		if m := measurePattern.FindStringSubmatch(code); m != nil && measureWords[m[2]] {
			return []string{m[1], spelledOut(m[2])}
		}
		return []string{code}
	}
	chunk = apostrophes.Replace(strings.ReplaceAll(chunk, "&", " AND "))
	for _, word := range strings.FieldsFunc(chunk, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsMark(r) }) {
		words = append(words, spelledOut(word))
	}
	return words
}

// meaningful reports whether a character makes a word one that is compared as it is: digits, and all signs but punctuation.
func meaningful(r rune) bool {
	return unicode.IsNumber(r) || strings.ContainsRune("%#@", r) ||
		!unicode.IsLetter(r) && !unicode.IsMark(r) && !unicode.IsPunct(r) && r != '`'
}

// apostrophes are left out: MEN'S is MENS.
var apostrophes = strings.NewReplacer("'", "", "’", "", "`", "")

// abbreviations are words of goods descriptions that are written in more than one way.
var abbreviations = map[string]string{
	"PC": "PIECE", "PCS": "PIECE", "PCE": "PIECE", "PCES": "PIECE", "PRS": "PAIR", "CTN": "CARTON", "CTNS": "CARTON", "PKG": "PACKAGE", "PKGS": "PACKAGE",
	"KG": "KILOGRAM", "KGS": "KILOGRAM", "KILOGRAMME": "KILOGRAM", "GM": "GRAM", "GMS": "GRAM", "G": "GRAM", "GRAMME": "GRAM",
	"LTR": "LITRE", "LTRS": "LITRE", "LITER": "LITRE", "L": "LITRE", "ML": "MILLILITRE", "M": "METRE", "MTR": "METRE", "MTRS": "METRE", "METER": "METRE",
	"CM": "CENTIMETRE", "MM": "MILLIMETRE", "YDS": "YARD", "OZ": "OUNCE", "LB": "POUND", "LBS": "POUND",
	"QTY": "QUANTITY", "ASSY": "ASSEMBLY", "EQUIP": "EQUIPMENT", "MATL": "MATERIAL", "APPROX": "APPROXIMATELY", "INCL": "INCLUDING", "EXCL": "EXCLUDING",
	"STD": "STANDARD", "DIA": "DIAMETER", "MFD": "MANUFACTURED", "ALUMINUM": "ALUMINIUM", "COLOR": "COLOUR", "FIBER": "FIBRE", "SULFUR": "SULPHUR",
	"SULFATE": "SULPHATE", "SULFITE": "SULPHITE", "SULFIDE": "SULPHIDE", "TIRE": "TYRE", "GRAY": "GREY", "CENTER": "CENTRE", "MOLD": "MOULD",
}

// spelledOut is a word as others write it, in the singular where it is an abbreviation.
func spelledOut(word string) string {
	if long, known := abbreviations[word]; known {
		return long
	}
	if stem := singular(word); stem != word {
		if long, known := abbreviations[stem]; known && len(stem) >= minPluralStem {
			return long
		}
	}
	return word
}

// singular takes a plural's S off.
func singular(word string) string {
	stem, plural := strings.CutSuffix(word, "S")
	if !plural || strings.HasSuffix(stem, "S") || len(stem) < minPluralStem || strings.ContainsFunc(word, notLatin) {
		return word
	}
	return stem
}

// notLatin reports whether a character is none of the 26 letters: in other scripts one letter may be a word.
func notLatin(r rune) bool { return r < 'A' || r > 'Z' }

// mistyped reports whether two words differ by what fingers do, inside the word: two letters that changed places, a letter doubled
// or not, a vowel left out. A letter in place of another one is never taken for a typing error: SULPHATE is not SULPHITE; nor is a
// consonant more: DIETHYL is not DIMETHYL.
func mistyped(a, b string) bool {
	x, y := []rune(a), []rune(b)
	if len(x) > len(y) {
		x, y = y, x
	}
	if len(x) < minTypoLetters || len(y)-len(x) > 1 || strings.ContainsFunc(a+b, notLatin) {
		return false
	}
	at := 0
	for at < len(x) && x[at] == y[at] {
		at++
	}
	if at == 0 || at >= len(y)-1 {
		return false // the first or the last letter: METHYL and ETHYL, HYDRATE and HYDRATED
	}
	if len(x) == len(y) {
		return at+2 < len(x) && x[at] == y[at+1] && x[at+1] == y[at] && slices.Equal(x[at+2:], y[at+2:])
	}
	more := y[at]
	return slices.Equal(x[at:], y[at+1:]) && (more == y[at-1] || more == y[at+1] || strings.ContainsRune("AEIOU", more))
}
