package cusdec

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/ecogate/ecogate/clearance"
)

// Message is one message of an interchange.
type Message struct {
	// Reference is the sender's (0062), one in the interchange.
	Reference string      `json:"reference"`
	Type      MessageType `json:"type"`
	// Segments is how many it has, UNH and UNT included.
	Segments int `json:"segments"`
	// Document is the code of the declaration's kind (1001), Function what the message is to do (1225): FunctionOriginal when empty.
	Document string `json:"document,omitempty"`
	Function string `json:"function,omitempty"`
	// Declaration is what the message says; of use only without Faults.
	Declaration clearance.Declaration `json:"declaration"`
	// Original is an interchange of this message alone, in the octets that came but for its UNZ; nil for a message with Faults.
	Original []byte `json:"-"`
	// Places say which segment began each line of the declaration, such as "segment 24 CST".
	Places []string `json:"-"`
	// Faults refuse the message.
	Faults []Fault `json:"faults,omitempty"`
	// Skipped are segments that nothing was read from, in their order; MoreSkipped counts those that were not kept.
	Skipped     []Skipped `json:"skipped,omitempty"`
	MoreSkipped int       `json:"more_skipped,omitempty"`
}

// Skipped is a segment that nothing was read from.
type Skipped struct {
	Segment int `json:"segment"`
	// Text is the segment with the usual service characters, at most 70 characters of it.
	Text string `json:"text"`
}

// Place is the segment that began the part of the declaration to which a path of its JSON form leads, such as "lines[2].hs"; "" for what
// is of the whole message.
func (m *Message) Place(path string) string {
	index, rest, found := strings.Cut(strings.TrimPrefix(path, "lines["), "]")
	if n, err := strconv.Atoi(index); found && err == nil && strings.HasPrefix(path, "lines[") && n >= 0 && n < len(m.Places) {
		return m.Places[n] + strings.TrimSuffix(" "+strings.TrimPrefix(rest, "."), " ")
	}
	return ""
}

// The functions of a message (1225) that this node takes.
const (
	FunctionCancel   = "1"
	FunctionReplace  = "5"
	FunctionOriginal = "9"
)

// releasePattern is the directory of a message type: two digits of the year and a letter.
var releasePattern = regexp.MustCompile(`^[0-9]{2}[A-Z]$`)

// firstRelease is the first directory whose CUSDEC is read here. Directories of the nineties come after 90A, later ones before.
const firstRelease = "96B"

func knownRelease(release string) bool {
	return releasePattern.MatchString(release) && (release < "90" || release >= firstRelease)
}

// message reads from UNH to UNT. A message that is not a CUSDEC is passed over, with a fault.
func (r *Reader) message(header segment) (*Message, error) {
	m := &Message{Segments: 1}
	r.scan.cut()
	r.interchange.Messages++
	wrong := func(code Code, e, c int, expected, found string) {
		r.keep(&m.Faults, Fault{Code: code, Message: m.Reference, Segment: m.Segments, Tag: header.tag, Element: e, Component: c, Expected: expected, Found: found})
	}
	if m.Reference = header.value(1, 1); m.Reference == "" {
		wrong(CodeMissing, 1, 1, "the message's reference", "nothing")
	}
	r.octets(&m.Faults, header, m.Reference, 1)
	if r.references[m.Reference] {
		wrong(CodeDuplicate, 1, 1, "a reference of its own for each message", quoted(m.Reference)+" again")
	}
	r.references[m.Reference] = true
	m.Type = MessageType{header.value(2, 1), header.value(2, 2), header.value(2, 3), header.value(2, 4), header.value(2, 5)}
	for c, want := range []string{"CUSDEC", "D", "", "UN"} {
		if found := header.value(2, c+1); want != "" && found != want {
			wrong(CodeValueNotSupported, 2, c+1, want, quoted(found))
		}
	}
	if !knownRelease(m.Type.Release) {
		wrong(CodeValueNotSupported, 2, 3, "a directory from "+firstRelease+" on", quoted(m.Type.Release))
	}
	if r.interchange.Messages > r.limits.Messages {
		r.fault(Fault{Code: CodeUnspecified, Tag: "UNH", Expected: fmt.Sprintf("at most %d messages in an interchange", r.limits.Messages), Found: "more"})
		r.ended = true
		return m, nil
	}
	return m, r.body(m, len(m.Faults) == 0)
}

// body reads the segments after UNH, up to UNT. If parse is false they are only counted.
func (r *Reader) body(m *Message, parse bool) error {
	b := newBuilder(r, m)
	for {
		s, err := r.segment()
		if err != nil {
			return r.broken(m, err)
		}
		if s.tag == "UNH" || s.tag == "UNZ" || s.tag == "UNB" {
			r.keep(&m.Faults, Fault{Code: CodeMissing, Message: m.Reference, Segment: m.Segments, Tag: "UNT", Expected: "UNT at the end of the message", Found: s.tag})
			r.ahead = &s
			return nil
		}
		m.Segments++
		if s.tag == "UNT" {
			if parse {
				b.finish()
			}
			if r.close(m, s); len(m.Faults) == 0 {
				m.Original = r.alone()
			}
			return nil
		}
		if parse {
			r.octets(&m.Faults, s, m.Reference, m.Segments)
			b.take(s)
		}
	}
}

// broken takes note of why a message has no end, and returns an error of the input. What cannot be read on is the interchange's fault, told
// with its place in the message.
func (r *Reader) broken(m *Message, err error) error {
	found := "the end of the data"
	if halted := (*halt)(nil); errors.As(err, &halted) {
		found = "what cannot be read on"
		halted.fault.Message, halted.fault.Segment = m.Reference, m.Segments+1
	}
	r.keep(&m.Faults, Fault{Code: CodeMissing, Message: m.Reference, Segment: m.Segments + 1, Tag: "UNT", Expected: "UNT at the end of the message", Found: found})
	return r.end(err)
}

// close compares UNT with what came.
func (r *Reader) close(m *Message, s segment) {
	r.octets(&m.Faults, s, m.Reference, m.Segments)
	wrong := func(code Code, e int, expected, found string) {
		r.keep(&m.Faults, Fault{Code: code, Message: m.Reference, Segment: m.Segments, Tag: s.tag, Element: e, Component: 1, Expected: expected, Found: found})
	}
	if count := s.value(1, 1); !isCount(count, m.Segments) {
		wrong(CodeCount, 1, fmt.Sprintf("%d, the number of segments with UNH and UNT", m.Segments), quoted(count))
	}
	if reference := s.value(2, 1); reference != m.Reference {
		wrong(CodeReferences, 2, quoted(m.Reference)+" as in UNH", quoted(reference))
	}
}
