package ebms

import (
	"slices"
	"strings"
)

// packageOddities returns what is odd about a multipart message, sorted and each once.
func packageOddities(media mediaType, parts []readPart) []Oddity {
	var found []Oddity
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
