package ebms

import (
	"slices"
	"strings"
)

// Oddity is a deviation from the specification, or from its recommendations, that products are known for. All of them are
// read; an agreement says which of them a partner may show. Its text is what a configuration file has.
type Oddity string

// The oddities of the packaging and the HTTP request. ebMS 2.0 §2.1, Appendix B.2.
const (
	// OddityNoStart: multipart/related without a start parameter; the first part is the envelope. Hermes.
	OddityNoStart Oddity = "no-start"
	// OddityStartWithoutBrackets: the start parameter lacks the angle brackets of a Content-ID. NHS Spine.
	OddityStartWithoutBrackets Oddity = "start-without-brackets"
	// OddityTypeParameterMissing: multipart/related without a type parameter, which RFC 2387 §3.1 requires. Not tied to one product.
	OddityTypeParameterMissing Oddity = "type-parameter-missing"
	// OddityTransferEncoding: a part has a Content-Transfer-Encoding that HTTP has no need of, such as base64. NAV's partners,
	// NHS Spine.
	OddityTransferEncoding Oddity = "transfer-encoding"
	// OddityContentIDWithoutBrackets: a Content-ID without its angle brackets. Not tied to one product.
	OddityContentIDWithoutBrackets Oddity = "content-id-without-brackets"
	// OdditySOAPAction: a SOAPAction other than "ebXML" in its double quotes. NHS Spine sends service/action.
	OdditySOAPAction Oddity = "soap-action"
)

// The oddities of the envelope, which Parse collects. ebMS 2.0 §2.3, §3.1.
const (
	// OddityNoRole: a party of a business message has no Role, which the specification leaves optional and other products
	// insist on (§3.1.1.2). NHS Spine.
	OddityNoRole Oddity = "no-role"
	// OddityTimeWithoutZone: a time does not say that it is UTC, and is taken as that (§3.1.6.2). NHS Spine.
	OddityTimeWithoutZone Oddity = "time-without-zone"
	// OddityMustUnderstandInBody: a body element has mustUnderstand, which is for header blocks (§2.3.9). NHS Spine.
	OddityMustUnderstandInBody Oddity = "must-understand-in-body"
	// OddityDuplicateEliminationOnSignal: a signal asks for the elimination of duplicates (§3.1.7). Hermes' acknowledgments.
	OddityDuplicateEliminationOnSignal Oddity = "duplicate-elimination-on-signal"
	// OddityMessageIDForm: MessageId has not the form x@y of RFC 2822's msg-id (§3.1.6.1). NHS Spine and webMethods.
	OddityMessageIDForm Oddity = "message-id-form"
)

// Oddities returns every Oddity, sorted.
func Oddities() []Oddity {
	return []Oddity{
		OddityContentIDWithoutBrackets,
		OddityDuplicateEliminationOnSignal,
		OddityMessageIDForm,
		OddityMustUnderstandInBody,
		OddityNoRole,
		OddityNoStart,
		OdditySOAPAction,
		OddityStartWithoutBrackets,
		OddityTimeWithoutZone,
		OddityTransferEncoding,
		OddityTypeParameterMissing,
	}
}

// odd notes an oddity once.
func (p *parser) odd(o Oddity) {
	if !slices.Contains(p.m.Oddities, o) {
		p.m.Oddities = append(p.m.Oddities, o)
	}
}

// oddities notes what only the whole message shows, and sorts.
func (p *parser) oddities() {
	m := p.m
	if !m.IsSignal() && (m.From.Role == "" || m.To.Role == "") {
		p.odd(OddityNoRole)
	}
	if m.IsSignal() && m.DuplicateElimination {
		p.odd(OddityDuplicateEliminationOnSignal)
	}
	if !isMessageID(m.MessageID) {
		p.odd(OddityMessageIDForm)
	}
	slices.Sort(m.Oddities)
}

// isMessageID reports whether s is a msg-id without its angle brackets, of the forms that are in use: dot-atom-text on both
// sides of one "@", or a domain literal on the right. RFC 2822 §3.6.4.
func isMessageID(s string) bool {
	left, right, _ := strings.Cut(s, "@")
	if literal, ok := strings.CutPrefix(right, "["); ok {
		inner, closed := strings.CutSuffix(literal, "]")
		return isDotAtom(left) && closed && isDotAtom(strings.ReplaceAll(inner, ":", ""))
	}
	return isDotAtom(left) && isDotAtom(right)
}

// isDotAtom reports whether s is dot-atom-text. RFC 2822 §3.2.4.
func isDotAtom(s string) bool {
	const others = "!#$%&'*+-/=?^_`{|}~"
	dot := true // where a dot may not stand
	for _, c := range []byte(s) {
		switch {
		case c == '.' && dot:
			return false
		case c != '.' && !isAlphanumeric(c) && strings.IndexByte(others, c) < 0:
			return false
		}
		dot = c == '.'
	}
	return !dot
}
