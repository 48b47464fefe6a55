package ebms

import (
	"slices"
	"strings"
)

// What a package may have that is not as the specifications say and is read all the same.
const (
	// OddityNoStart: multipart/related without a start parameter. ebMS 2.0 §2.1.2.
	OddityNoStart = "no-start"
	// OddityStartWithoutBrackets: the start parameter is a Content-ID without its angle brackets. RFC 2387 §3.4.
	OddityStartWithoutBrackets = "start-without-brackets"
	// OddityTypeParameterMissing: multipart/related without its type parameter. RFC 2387 §3.1.
	OddityTypeParameterMissing = "type-parameter-missing"
	// OddityTransferEncoding: a part in base64 or quoted-printable, which HTTP has no need of. ebMS 2.0 Appendix B.2.2.
	OddityTransferEncoding = "transfer-encoding"
	// OddityContentIDWithoutBrackets: a Content-ID without its angle brackets. RFC 2045 §7.
	OddityContentIDWithoutBrackets = "content-id-without-brackets"
)

// packageOddities returns what is odd about a multipart message, sorted and each once.
func packageOddities(media mediaType, parts []readPart) []string {
	var found []string
	if start, ok := media.params["start"]; !ok {
		found = append(found, OddityNoStart)
	} else if !strings.HasPrefix(start, "<") || !strings.HasSuffix(start, ">") {
		found = append(found, OddityStartWithoutBrackets)
	}
	if _, ok := media.params["type"]; !ok {
		found = append(found, OddityTypeParameterMissing)
	}
	if slices.ContainsFunc(parts, func(p readPart) bool { return p.encoded }) {
		found = append(found, OddityTransferEncoding)
	}
	if slices.ContainsFunc(parts, func(p readPart) bool { return p.bareID }) {
		found = append(found, OddityContentIDWithoutBrackets)
	}
	slices.Sort(found)
	return found
}
