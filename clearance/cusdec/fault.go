package cusdec

import (
	"fmt"
	"strings"
)

// Code is a value of data element 0085, syntax error, coded.
type Code int

// The codes that faults have, of the service code list for 0085.
const (
	CodeSyntaxNotSupported Code = 2  // syntax version or level
	CodeInvalidValue       Code = 12 // the value is not what its element takes
	CodeMissing            Code = 13 // something that must be there is not
	CodeValueNotSupported  Code = 14 // a value that this node does not take in this place
	CodeNotSupported       Code = 15 // a segment or element that this node does not take in this place
	CodeTooMany            Code = 16 // too many elements in a segment, or components in an element
	CodeUnspecified        Code = 18 // an error for which the list has no code, such as a limit of this node
	CodeDecimalNotation    Code = 19
	CodeServiceCharacter   Code = 20 // a character cannot be the service character that UNA makes it
	CodeCharacter          Code = 21 // a character is not in the character set
	CodeDuplicate          Code = 26
	CodeReferences         Code = 28 // header and trailer do not have the same reference
	CodeCount              Code = 29 // a trailer's count is not what was received
	CodeEmpty              Code = 32 // an interchange without message
	CodeOutside            Code = 33 // something stands between messages, or after the interchange
	CodeNesting            Code = 34 // explicit nesting
	CodeTooManyRepetitions Code = 35
	CodeCharacterType      Code = 37 // letters in a number
	CodeNoDigit            Code = 38 // no digit before the decimal mark
	CodeTooLong            Code = 39
	CodeCharacterSet       Code = 46 // this node does not read the character set
	CodeEnvelope           Code = 47 // functional groups, packages
)

// codes says in words what each code means.
var codes = map[Code]string{
	CodeSyntaxNotSupported: "syntax version or level not supported", CodeInvalidValue: "invalid value", CodeMissing: "missing",
	CodeValueNotSupported: "value not supported here", CodeNotSupported: "not supported here", CodeTooMany: "too many elements or components",
	CodeUnspecified: "unspecified error", CodeDecimalNotation: "invalid decimal notation",
	CodeServiceCharacter: "character cannot be a service character", CodeCharacter: "invalid character", CodeDuplicate: "duplicate",
	CodeReferences: "references differ", CodeCount: "count is wrong", CodeEmpty: "nothing in it", CodeOutside: "outside of a message",
	CodeNesting: "explicit nesting not allowed", CodeTooManyRepetitions: "too many repetitions", CodeCharacterType: "not a number",
	CodeNoDigit: "no digit before the decimal mark", CodeTooLong: "too long", CodeCharacterSet: "character set not supported",
	CodeEnvelope: "envelope not supported",
}

// String is the meaning in words.
func (c Code) String() string {
	if text, ok := codes[c]; ok {
		return text
	}
	return fmt.Sprintf("code %d", int(c))
}

// Fault is one syntax error with its place.
type Fault struct {
	// Code is that of data element 0085, Meaning the same in words.
	Code    Code   `json:"code"`
	Meaning string `json:"meaning"`
	// Message is the reference of the message (0062); empty if the fault is the interchange's.
	Message string `json:"message,omitempty"`
	// Segment is the segment's number in its message, UNH being 1; 0 if the fault is the interchange's. Of a missing segment it is the
	// number of the one before which it was missed. Tag is the segment's tag.
	Segment int    `json:"segment,omitempty"`
	Tag     string `json:"tag,omitempty"`
	// Element and Component are positions from 1; the tag is not counted. 0 means the whole segment or element.
	Element   int `json:"element,omitempty"`
	Component int `json:"component,omitempty"`
	// Occurrence counts from 1 in a repeated element (syntax 4); 0 where nothing repeats.
	Occurrence int    `json:"occurrence,omitempty"`
	Expected   string `json:"expected"`
	Found      string `json:"found"`
}

// Place says where the fault is: "message 1, segment 5 LOC, element 2, component 1".
func (f Fault) Place() string {
	var parts []string
	if f.Message != "" {
		parts = append(parts, "message "+f.Message)
	}
	switch {
	case f.Segment > 0:
		parts = append(parts, strings.TrimSpace(fmt.Sprintf("segment %d %s", f.Segment, f.Tag)))
	case f.Tag != "":
		parts = append(parts, f.Tag)
	}
	for _, p := range []struct {
		name string
		n    int
	}{{"element", f.Element}, {"component", f.Component}, {"repetition", f.Occurrence}} {
		if p.n > 0 {
			parts = append(parts, fmt.Sprintf("%s %d", p.name, p.n))
		}
	}
	if len(parts) == 0 {
		return "interchange"
	}
	return strings.Join(parts, ", ")
}

// String is the whole fault in one line.
func (f Fault) String() string {
	return fmt.Sprintf("%s: %s (%d): want %s, found %s", f.Place(), f.Code, int(f.Code), f.Expected, f.Found)
}

// quoted shows a value that was found, at most 40 characters of it.
func quoted(value string) string {
	if value == "" {
		return "nothing"
	}
	return fmt.Sprintf("%.40q", value)
}
