package cusdec

import (
	"bufio"
	"errors"
	"fmt"
	"io"
)

// segment is one segment. Its elements do not count the tag, which is "" if it is none.
type segment struct {
	tag      string
	elements []element
	// faults are those of its octets; message and number of the segment are not filled in.
	faults []Fault
}

// element is a data element, each occurrence of it its components. An element that is left out has one occurrence with one empty component.
type element [][]string

// value is component c of element e, both from 1, in its first occurrence; "" if it is not there.
func (s segment) value(e, c int) string {
	if e > len(s.elements) || c > len(s.elements[e-1][0]) {
		return ""
	}
	return s.elements[e-1][0][c-1]
}

// scanner makes segments of octets. It keeps one segment at a time.
type scanner struct {
	in      *bufio.Reader
	limits  Limits
	service service
	charset charset
	read    int64
	// kept are the octets since the last cut, start the place in them where the last segment began.
	kept  []byte
	start int
}

// cut forgets what was kept before the last segment.
func (s *scanner) cut() { s.kept, s.start = append([]byte(nil), s.kept[s.start:]...), 0 }

// halt ends the reading of an interchange: what follows cannot be told apart any more, or is too much.
type halt struct{ fault Fault }

func (h *halt) Error() string { return h.fault.String() }

func stop(code Code, tag, expected, found string) error {
	return &halt{Fault{Code: code, Tag: tag, Expected: expected, Found: found}}
}

// byte is the next octet.
func (s *scanner) byte() (byte, error) {
	b, err := s.in.ReadByte()
	if err != nil {
		return 0, err
	}
	if s.read++; s.read > s.limits.Bytes {
		return 0, stop(CodeUnspecified, "", fmt.Sprintf("at most %d octets in an interchange", s.limits.Bytes), "more")
	}
	s.kept = append(s.kept, b)
	return b, nil
}

// begin reads UNA, if there is one, and finds the service characters.
func (s *scanner) begin() error {
	if err := s.skipSpace(); err != nil {
		return err
	}
	s.kept = nil
	head, err := s.in.Peek(adviceLength)
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	switch {
	case len(head) == adviceLength && string(head[:3]) == "UNA":
		var wrong *Fault
		if s.service, wrong = advice(head[3:]); wrong != nil {
			return &halt{*wrong}
		}
		s.read += adviceLength
		s.kept = append(s.kept, head...)
		if _, err := s.in.Discard(adviceLength); err != nil {
			return err
		}
		return nil
	case len(head) > 3 && string(head[:3]) == "UNB":
		s.service = printed
		if head[3] == unprintable.element {
			s.service = unprintable
		}
		return nil
	}
	return stop(CodeMissing, "UNB", "UNA or UNB at the beginning of an interchange", quoted(string(head)))
}

// skipSpace passes over line ends, spaces and tabs between segments. ISO 9735 has none there; senders put each segment on a line.
func (s *scanner) skipSpace() error {
	for {
		b, err := s.byte()
		if err != nil {
			return err
		}
		if b != '\n' && b != '\r' && b != ' ' && b != '\t' {
			s.read--
			s.kept = s.kept[:len(s.kept)-1]
			return s.in.UnreadByte()
		}
	}
}

// next is the next segment. The error is io.EOF after the last one, a *halt, or the input's.
func (s *scanner) next() (segment, error) {
	if err := s.skipSpace(); err != nil {
		return segment{}, err
	}
	s.start = len(s.kept)
	raw, err := s.raw()
	if err != nil {
		return segment{}, err
	}
	return s.decode(raw), nil
}

// rawElement is an element as octets, by occurrence and component.
type rawElement [][][]byte

// raw takes the next segment apart at its service characters. A released character is data (syntax 3 §5.1).
func (s *scanner) raw() ([]rawElement, error) {
	elements := []rawElement{{{nil}}}
	count, size := 1, 0
	for {
		b, err := s.byte()
		if errors.Is(err, io.EOF) {
			return nil, stop(CodeMissing, tagOf(elements), "a segment terminator", "the end of the data")
		}
		if err != nil {
			return nil, err
		}
		if size++; size > s.limits.SegmentBytes {
			return nil, stop(CodeUnspecified, tagOf(elements), fmt.Sprintf("at most %d octets in a segment", s.limits.SegmentBytes), "more")
		}
		last := &elements[len(elements)-1]
		occurrence := &(*last)[len(*last)-1]
		switch {
		case b == s.service.terminator:
			return elements, nil
		case b == s.service.element:
			elements = append(elements, rawElement{{nil}})
			count++
		case b == s.service.repetition && b != 0 && len(elements) > 1:
			*last = append(*last, [][]byte{nil})
			count++
		case b == s.service.component:
			*occurrence = append(*occurrence, nil)
		default:
			if b == s.service.release && b != 0 {
				if b, err = s.byte(); errors.Is(err, io.EOF) {
					return nil, stop(CodeMissing, tagOf(elements), "a character after the release character", "the end of the data")
				} else if err != nil {
					return nil, err
				}
				size++
			}
			component := &(*occurrence)[len(*occurrence)-1]
			*component = append(*component, b)
		}
		if count > s.limits.Elements+1 || len(*occurrence) > s.limits.Components {
			return nil, stop(CodeTooMany, tagOf(elements), fmt.Sprintf("at most %d elements in a segment, and %d components in an element",
				s.limits.Elements, s.limits.Components), "more")
		}
	}
}

// tagOf is the tag of a segment that is not whole, as far as it is one.
func tagOf(elements []rawElement) string {
	tag := string(elements[0][0][0])
	if !isTag(tag) {
		return ""
	}
	return tag
}

// isTag: three capital letters or digits, the first a letter.
func isTag(tag string) bool {
	if len(tag) != 3 || tag[0] < 'A' || tag[0] > 'Z' {
		return false
	}
	for _, b := range []byte(tag) {
		if (b < 'A' || b > 'Z') && (b < '0' || b > '9') {
			return false
		}
	}
	return true
}

// maxCharacterFaults bounds those of one segment: what is in another character set is wrong everywhere.
const maxCharacterFaults = 20

// decode turns octets into text. The tag's element may hold numbers of explicit nesting, which CUSDEC does not use.
func (s *scanner) decode(raw []rawElement) segment {
	out := segment{tag: tagOf(raw)}
	if out.tag == "" {
		out.faults = append(out.faults, Fault{Code: CodeInvalidValue, Expected: "the tag of a segment: three capital letters or digits",
			Found: quoted(string(raw[0][0][0]))})
	}
	if out.tag == "UNB" && len(raw) > 1 { // it names the character set in which it stands itself
		if set, ok := charsetOf(string(raw[1][0][0])); ok {
			s.charset = set
		}
	}
	if len(raw[0][0]) > 1 {
		out.faults = append(out.faults, Fault{Code: CodeNesting, Expected: "a tag alone", Found: "numbers after it"})
	}
	out.elements = make([]element, 0, len(raw)-1)
	for e, occurrences := range raw[1:] {
		decoded := make(element, len(occurrences))
		for o, components := range occurrences {
			decoded[o] = make([]string, len(components))
			for c, octets := range components {
				text, bad := s.charset.decode(octets)
				if decoded[o][c] = text; bad != nil && len(out.faults) < maxCharacterFaults {
					out.faults = append(out.faults, Fault{Code: CodeCharacter, Element: e + 1, Component: c + 1, Occurrence: repeated(o, occurrences),
						Expected: "characters of " + s.charset.name, Found: fmt.Sprintf("%q", bad)})
				}
			}
		}
		out.elements = append(out.elements, decoded)
	}
	return out
}

// repeated is the number of an occurrence, 0 of an element that does not repeat.
func repeated(o int, occurrences rawElement) int {
	if len(occurrences) < 2 {
		return 0
	}
	return o + 1
}
