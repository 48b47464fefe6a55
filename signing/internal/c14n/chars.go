package c14n

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

const byteOrderMark = "\uFEFF"

// checkCharacters refuses octets that are not UTF-8 and characters that XML forbids (XML 1.0 §2.2), over the whole source,
// so that no later step has to look again.
func checkCharacters(src string) error {
	for i := 0; i < len(src); {
		for i+32 <= len(src) {
			s := src[i : i+32]
			if odd(word(s))|odd(word(s[8:]))|odd(word(s[16:]))|odd(word(s[24:])) != 0 {
				break
			}
			i += 32
		}
		for i+8 <= len(src) && odd(word(src[i:i+8])) == 0 {
			i += 8
		}
		for end := min(i+8, len(src)); i < end; {
			c := src[i]
			if c >= ' ' && c < utf8.RuneSelf || c == '\n' || c == '\t' || c == '\r' {
				i++
				continue
			}
			r, size := utf8.DecodeRuneInString(src[i:])
			if r == utf8.RuneError && size <= 1 {
				return expected(src, i, "UTF-8")
			}
			if !isCharacter(r) {
				return expected(src, i, "a character that XML allows")
			}
			i += size
		}
	}
	return nil
}

const (
	everyOctet = 0x0101010101010101 // times an octet is a word of it
	highBits   = 0x80 * everyOctet
)

// word gives the first eight octets of a text, so that they can be looked at together.
func word(s string) uint64 {
	_ = s[7]
	return uint64(s[0]) | uint64(s[1])<<8 | uint64(s[2])<<16 | uint64(s[3])<<24 |
		uint64(s[4])<<32 | uint64(s[5])<<40 | uint64(s[6])<<48 | uint64(s[7])<<56
}

// odd is 0 if eight octets are all ASCII from the space on or line feeds. The first addition brings a high bit to those from
// the space on, the second one to those that are no line feed; they do not carry into each other, or there is more than ASCII.
func odd(w uint64) uint64 {
	printable := w + (0x80-' ')*everyOctet
	notFeed := w ^ '\n'*everyOctet + 0x7F*everyOctet
	return (w | ^printable&notFeed) & highBits
}

// isCharacter tells whether XML allows a character (XML 1.0 §2.2, Char).
func isCharacter(r rune) bool {
	switch {
	case r < ' ':
		return r == '\t' || r == '\n' || r == '\r'
	case r <= 0xD7FF:
		return true
	}
	return r >= 0xE000 && r <= 0xFFFD || r >= 0x10000 && r <= unicode.MaxRune
}

// Classes of octets, one bit each.
const (
	classNameStart = 1 << iota // ASCII that a name may begin with
	className                  // ASCII that a name may have
	classReference             // "&"
	classLess                  // "<"
	classGreater               // ">"
	classReturn                // carriage return
	classValue                 // what attribute values have normalised: tab, line feed
	classQuote                 // quotation mark
)

// classes are the classes of each octet.
var classes = func() (table [256]byte) {
	for c := range table {
		switch {
		case c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '_':
			table[c] = classNameStart | className
		case c >= '0' && c <= '9' || c == '-' || c == '.':
			table[c] = className
		}
	}
	table['&'], table['<'], table['>'] = classReference, classLess, classGreater
	table['\r'], table['\t'], table['\n'], table['"'] = classReturn, classValue, classValue, classQuote
	return table
}()

// classesIn gives the classes of the octets of a text together, as far as they are those of markup and white space.
func classesIn(s string) (found byte) {
	for len(s) >= 8 {
		if isMarked(word(s)) {
			for i := range 8 {
				found |= classes[s[i]]
			}
		}
		s = s[8:]
	}
	for i := 0; i < len(s); i++ {
		found |= classes[s[i]]
	}
	return found
}

// classesInText gives the classes in a run of text that matter there. In a long one, which may have many line feeds, each is
// searched for by itself.
func classesInText(s string) (found byte) {
	if len(s) < 128 {
		return classesIn(s)
	}
	for _, c := range [...]byte{'&', '>', '\r'} {
		if strings.IndexByte(s, c) >= 0 {
			found |= classes[c]
		}
	}
	return found
}

// isMarked tells whether one of eight octets is a control character, "&", "<", ">" or a quotation mark. (A false alarm is no
// harm.) Quotation mark and "&" differ in one bit, and so do "<" and ">". Taking more away from an octet than it has sets its
// high bit.
func isMarked(w uint64) bool {
	control := w - ' '*everyOctet
	quote := w&^(4*everyOctet) ^ '"'*everyOctet - everyOctet
	angle := w&^(2*everyOctet) ^ '<'*everyOctet - everyOctet
	return (control|quote|angle)&^w&highBits != 0
}

func isSpace(c byte) bool { return c == ' ' || c == '\t' || c == '\n' || c == '\r' }

// IsSpace tells whether a text is empty or white space only (XML 1.0 §2.3, S).
func IsSpace(s string) bool {
	for i := 0; i < len(s); i++ {
		if !isSpace(s[i]) {
			return false
		}
	}
	return true
}

// nameStart and nameRest are the characters outside ASCII that a name may begin and go on with (XML 1.0 fifth edition
// §2.3, NameStartChar and NameChar).
var (
	nameStart = &unicode.RangeTable{
		R16: []unicode.Range16{
			{Lo: 0x00C0, Hi: 0x00D6, Stride: 1}, {Lo: 0x00D8, Hi: 0x00F6, Stride: 1}, {Lo: 0x00F8, Hi: 0x02FF, Stride: 1},
			{Lo: 0x0370, Hi: 0x037D, Stride: 1}, {Lo: 0x037F, Hi: 0x1FFF, Stride: 1}, {Lo: 0x200C, Hi: 0x200D, Stride: 1},
			{Lo: 0x2070, Hi: 0x218F, Stride: 1}, {Lo: 0x2C00, Hi: 0x2FEF, Stride: 1}, {Lo: 0x3001, Hi: 0xD7FF, Stride: 1},
			{Lo: 0xF900, Hi: 0xFDCF, Stride: 1}, {Lo: 0xFDF0, Hi: 0xFFFD, Stride: 1},
		},
		R32: []unicode.Range32{{Lo: 0x10000, Hi: 0xEFFFF, Stride: 1}},
	}
	nameRest = &unicode.RangeTable{
		R16: []unicode.Range16{
			{Lo: 0x00B7, Hi: 0x00B7, Stride: 1}, {Lo: 0x0300, Hi: 0x036F, Stride: 1}, {Lo: 0x203F, Hi: 0x2040, Stride: 1},
		},
	}
)

// endsName tells whether an octet is certain to end a qualified name.
func endsName(c byte) bool { return classes[c]&className == 0 && c < utf8.RuneSelf && c != ':' }

// nameEnd gives the offset after the name without colon (Namespaces 1.0 §3, NCName) that begins at an offset; the same
// offset means that there is none.
func nameEnd(src string, at int) int {
	i := at
	for i < len(src) && classes[src[i]]&className != 0 {
		i++
	}
	switch {
	case i < len(src) && src[i] >= utf8.RuneSelf:
		return wideNameEnd(src, at)
	case i > at && classes[src[at]]&classNameStart == 0:
		return at
	}
	return i
}

// wideNameEnd is nameEnd for names that may have characters outside ASCII.
func wideNameEnd(src string, at int) int {
	for i, r := range src[at:] {
		switch {
		case r < utf8.RuneSelf && classes[r]&classNameStart != 0, unicode.Is(nameStart, r):
		case i > 0 && (r < utf8.RuneSelf && classes[r]&className != 0 || unicode.Is(nameRest, r)):
		default:
			return at + i
		}
	}
	return len(src)
}

// The references that the canonical form writes itself (Canonical XML 1.0 §2.3).
var (
	canonicalInText  = []string{"&amp;", "&lt;", "&gt;", "&#xD;"}
	canonicalInValue = []string{"&amp;", "&lt;", "&quot;", "&#x9;", "&#xA;", "&#xD;"}
)

// checkReferences refuses a range of the source whose references are not all allowed, and tells whether they are all among
// the canonical ones.
func checkReferences(src string, lo, hi int, canonical []string) (bool, error) {
	all := true
	for at := lo; ; {
		next := strings.IndexByte(src[at:hi], '&')
		if next < 0 {
			return all, nil
		}
		at += next
		_, size, err := reference(src, at)
		if err != nil {
			return false, err
		}
		all = all && slices.Contains(canonical, src[at:at+size])
		at += size
	}
}

// appendDecoded replaces the references of a text that was checked by what they stand for and normalises line ends (XML 1.0
// §2.11) and, in attribute values, white space (§3.3.3: without a declared type every value is CDATA).
func appendDecoded(out []byte, s string, value bool) []byte {
	for {
		plain := 0
		for plain < len(s) && classes[s[plain]]&(classReference|classReturn|classValue) == 0 {
			plain++
		}
		out = append(out, s[:plain]...)
		if s = s[plain:]; s == "" {
			return out
		}
		char, size := rune(s[0]), 1
		switch {
		case char == '&':
			char, size, _ = reference(s, 0)
		case value:
			char, size = ' ', lineEnd(s)
		case char == '\r':
			char, size = '\n', lineEnd(s)
		}
		out = utf8.AppendRune(out, char)
		s = s[size:]
	}
}

// lineEnd gives the length of the white space that a text begins with: two for CR LF, otherwise one.
func lineEnd(s string) int {
	if strings.HasPrefix(s, "\r\n") {
		return 2
	}
	return 1
}

// normaliseLines turns CR LF and CR into LF (XML 1.0 §2.11).
func normaliseLines(s string) string {
	if strings.IndexByte(s, '\r') < 0 {
		return s
	}
	return strings.ReplaceAll(strings.ReplaceAll(s, "\r\n", "\n"), "\r", "\n")
}

// reference reads the character reference or predefined entity at an offset and gives its character and length. No other
// entity can exist, because no document type declaration is accepted.
func reference(src string, at int) (rune, int, error) {
	for _, entity := range [...]struct {
		text string
		char rune
	}{{"&amp;", '&'}, {"&lt;", '<'}, {"&gt;", '>'}, {"&quot;", '"'}, {"&apos;", '\''}} {
		if strings.HasPrefix(src[at:], entity.text) {
			return entity.char, len(entity.text), nil
		}
	}
	const what = `a character reference, "&amp;", "&lt;", "&gt;", "&quot;" or "&apos;"`
	i, base := at+2, rune(10)
	if !strings.HasPrefix(src[at:], "&#") {
		return 0, 0, expected(src, at, what)
	}
	if strings.HasPrefix(src[i:], "x") {
		i, base = i+1, 16
	}
	first, r := i, rune(0)
	for ; i < len(src); i++ {
		d := digit(src[i])
		if d >= base {
			break
		}
		// Once past the last character the value stays there, so that it cannot wrap around to an allowed one.
		r = min(r*base+d, unicode.MaxRune+1)
	}
	if i == first || i == len(src) || src[i] != ';' {
		return 0, 0, expected(src, at, what)
	}
	if !isCharacter(r) {
		return 0, 0, expected(src, at, "a reference to a character that XML allows")
	}
	return r, i + 1 - at, nil
}

// digit gives the value of a hexadecimal digit, or 16 for anything else.
func digit(c byte) rune {
	switch {
	case c >= '0' && c <= '9':
		return rune(c - '0')
	case c >= 'a' && c <= 'f':
		return rune(c-'a') + 10
	case c >= 'A' && c <= 'F':
		return rune(c-'A') + 10
	}
	return 16
}

// isAbsolute tells whether a namespace name begins with a scheme (RFC 3986 §3.1). Canonical XML 1.0 §1.3 makes relative
// ones a failure; a tool that answers that failure with empty output has been tricked into signing nothing.
func isAbsolute(uri string) bool {
	scheme, _, found := strings.Cut(uri, ":")
	if !found || scheme == "" {
		return false
	}
	for i := 0; i < len(scheme); i++ {
		c := scheme[i] | 0x20
		letter := c >= 'a' && c <= 'z'
		other := scheme[i] >= '0' && scheme[i] <= '9' || scheme[i] == '+' || scheme[i] == '-' || scheme[i] == '.'
		if !letter && (i == 0 || !other) {
			return false
		}
	}
	return true
}
