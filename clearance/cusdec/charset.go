package cusdec

import (
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/encoding/charmap"
)

// charset is a character repertoire of ISO 9735 (0001, syntax identifier): which octets are which characters, and which characters may be
// data at all. Control characters never are (syntax 3 §4, syntax 4 clause 6).
type charset struct {
	name    string
	charmap *charmap.Charmap // nil: ASCII or UTF-8
	utf8    bool
	allowed func(r rune) bool // nil: every printable character
}

// charsets are those that this node reads. UNOX, and UNOW with other sets than UTF-8, change sets by escape sequences, which nobody uses.
var charsets = []charset{
	{name: "UNOA", allowed: levelA},
	{name: "UNOB", allowed: levelB},
	{name: "UNOC", charmap: charmap.ISO8859_1},
	{name: "UNOD", charmap: charmap.ISO8859_2},
	{name: "UNOE", charmap: charmap.ISO8859_5},
	{name: "UNOF", charmap: charmap.ISO8859_7},
	{name: "UNOG", charmap: charmap.ISO8859_3},
	{name: "UNOH", charmap: charmap.ISO8859_4},
	{name: "UNOI", charmap: charmap.ISO8859_6},
	{name: "UNOJ", charmap: charmap.ISO8859_8},
	{name: "UNOK", charmap: charmap.ISO8859_9},
	{name: "UNOY", utf8: true},
}

func charsetOf(name string) (charset, bool) {
	for _, c := range charsets {
		if c.name == name {
			return c, true
		}
	}
	return charset{}, false
}

// levelB has the graphic characters of ISO 646 that are the same in all its national versions.
func levelB(r rune) bool {
	switch r {
	case '#', '$', '@', '[', '\\', ']', '^', '`', '{', '|', '}', '~':
		return false
	}
	return r >= ' ' && r <= '~'
}

// levelA is level B without lower case letters.
func levelA(r rune) bool { return levelB(r) && (r < 'a' || r > 'z') }

// decode gives octets as text, and the octets of the first character that is not of the set, nil if all are. Each of those becomes
// U+FFFD.
func (c charset) decode(raw []byte) (text string, bad []byte) {
	out := make([]rune, 0, len(raw))
	for i := 0; i < len(raw); {
		r, size := c.rune(raw[i:])
		if r == utf8.RuneError || unicode.IsControl(r) || c.allowed != nil && !c.allowed(r) {
			if bad == nil {
				bad = raw[i : i+size]
			}
			r = utf8.RuneError
		}
		out = append(out, r)
		i += size
	}
	return string(out), bad
}

// rune is the first character of octets that are not empty.
func (c charset) rune(raw []byte) (rune, int) {
	switch {
	case c.utf8:
		return utf8.DecodeRune(raw)
	case c.charmap != nil:
		return c.charmap.DecodeByte(raw[0]), 1
	case raw[0] >= utf8.RuneSelf:
		return utf8.RuneError, 1
	}
	return rune(raw[0]), 1
}

// encode gives text in the set. A character that the set lacks becomes a full stop: what is encoded are copies of what was received.
func (c charset) encode(text string) []byte {
	out := make([]byte, 0, len(text))
	for _, r := range text {
		switch {
		case unicode.IsControl(r) || r == utf8.RuneError || c.allowed != nil && !c.allowed(r):
			out = append(out, '.')
		case c.utf8 || r < utf8.RuneSelf:
			out = utf8.AppendRune(out, r)
		default:
			b, ok := byte('.'), false
			if c.charmap != nil {
				b, ok = c.charmap.EncodeRune(r)
			}
			if !ok {
				b = '.'
			}
			out = append(out, b)
		}
	}
	return out
}
