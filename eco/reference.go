package eco

import (
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
