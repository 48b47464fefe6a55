package c14n

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// Limits of a document. They stand well above what certificates and messages need and well below what makes reading
// expensive: each of them stops a document whose cost grows faster than its size.
const (
	maxBytes      = 32 << 20 // octets of a document
	maxText       = 16 << 20 // octets of one run of text, value or instruction
	maxDepth      = 64       // elements open at once
	maxAttributes = 64       // attributes and namespace declarations of one element
	maxBindings   = 128      // namespace declarations of the elements that are open
	maxNodes      = 500_000  // elements, runs of text and processing instructions
	maxName       = 256      // octets of a prefix or local name
	maxNamespace  = 1 << 10  // octets of a namespace name, which stands for all names with its prefix
)

// Error is a document that is not acceptable: not well-formed, not namespace-well-formed, or outside what this package
// allows. Line and Column count from 1; Column counts characters.
type Error struct {
	Line, Column int
	Expected     string
	Found        string
}

func (e *Error) Error() string {
	return fmt.Sprintf("line %d:%d: expected %s, found %s", e.Line, e.Column, e.Expected, e.Found)
}

// foundLength is how many characters of the offending place an error quotes.
const foundLength = 20

// expected makes the error for what stands at an offset of the source.
func expected(src string, at int, what string) error {
	found := "the end of the document"
	if at < len(src) {
		rest := src[at:min(len(src), at+4*foundLength)]
		for i, n := 0, 0; i < len(rest); n++ {
			if n == foundLength {
				rest = rest[:i] + "..."
				break
			}
			_, size := utf8.DecodeRuneInString(rest[i:])
			i += size
		}
		found = fmt.Sprintf("%q", rest)
	}
	return because(src, at, what, found)
}

// because makes an error that says in words what was found.
func because(src string, at int, what, found string) error {
	line, column := position(src, at)
	return &Error{Line: line, Column: column, Expected: what, Found: found}
}

// tooMany makes the error for a limit that is exceeded at an offset of the source.
func tooMany(src string, at, limit int, what string) error {
	return because(src, at, fmt.Sprintf("at most %d %s", limit, what), "more")
}

// position gives line and column of an offset, both from 1. A byte order mark is in no column.
func position(src string, at int) (line, column int) {
	before := strings.TrimPrefix(src[:min(at, len(src))], byteOrderMark)
	line = 1 + strings.Count(before, "\n")
	return line, 1 + utf8.RuneCountInString(before[strings.LastIndexByte(before, '\n')+1:])
}
