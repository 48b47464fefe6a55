package cusdec

import (
	"bufio"
	"cmp"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"time"
)

// Interchange is what one UNB to UNZ holds beside its messages.
type Interchange struct {
	// Syntax (0001) is the character set, SyntaxVersion (0002) 1 to 4.
	Syntax        string        `json:"syntax"`
	SyntaxVersion int           `json:"syntax_version"`
	Sender        Correspondent `json:"sender"`
	Recipient     Correspondent `json:"recipient"`
	// Prepared is the sender's date and time as it stands there (S004), without zone.
	Prepared  string `json:"prepared,omitempty"`
	Reference string `json:"reference"`
	// Test: the sender marks it as a test (0035).
	Test bool `json:"test,omitempty"`
	// Messages is how many were in it.
	Messages int `json:"messages"`
	// Faults are those that refuse the whole interchange. MoreFaults counts those of it and its messages that were not kept.
	Faults     []Fault `json:"faults,omitempty"`
	MoreFaults int     `json:"more_faults,omitempty"`
}

// Correspondent is a sender or recipient of interchanges (S002, S003): identification, code qualifier, and an internal address.
type Correspondent struct {
	ID        string `json:"id"`
	Qualifier string `json:"qualifier,omitempty"`
	Internal  string `json:"internal,omitempty"`
}

// MessageType is S009 of UNH.
type MessageType struct {
	Type        string `json:"type"`
	Version     string `json:"version"`
	Release     string `json:"release"`
	Agency      string `json:"agency"`
	Association string `json:"association,omitempty"`
}

// Reader reads one interchange, message by message. It is for one goroutine.
type Reader struct {
	scan        scanner
	limits      Limits
	interchange Interchange
	// header and trailer were seen; ended: nothing more comes.
	header, trailer, ended bool
	references             map[string]bool
	segments, faults       int
	// head are the octets up to UNB.
	head []byte
	// ahead is a UNH that was met where the trailer of the message before it was missing.
	ahead *segment
}

// NewReader reads from in within limits; zero limits mean DefaultLimits.
func NewReader(in io.Reader, limits Limits) *Reader {
	limits = limits.orDefault()
	levelA, _ := charsetOf("UNOA")
	return &Reader{
		scan:   scanner{in: bufio.NewReader(in), limits: limits, charset: levelA},
		limits: limits, references: make(map[string]bool),
	}
}

// Interchange is what is known of the interchange: all of it after Next has returned io.EOF.
func (r *Reader) Interchange() Interchange { return r.interchange }

// Read reads a whole interchange into memory. The error is the input's; what is wrong with the interchange is in its Faults.
func Read(in io.Reader, limits Limits) (Interchange, []*Message, error) {
	r := NewReader(in, limits)
	var all []*Message
	for {
		m, err := r.Next()
		if errors.Is(err, io.EOF) {
			return r.Interchange(), all, nil
		}
		if err != nil {
			return r.Interchange(), nil, err
		}
		all = append(all, m)
	}
}

// Next is the next message, with its Faults. The error is io.EOF after the last one, or the input's.
func (r *Reader) Next() (*Message, error) {
	for !r.ended {
		s, err := r.segment()
		if err != nil {
			if err = r.end(err); err != nil {
				return nil, err
			}
			break
		}
		switch {
		case r.trailer:
			r.fault(Fault{Code: CodeOutside, Tag: s.tag, Expected: "the end of the data after UNZ", Found: cmp.Or(s.tag, "a segment without tag")})
			r.ended = true
		case !r.header:
			r.begin(s)
		case s.tag == "UNH":
			return r.message(s)
		case s.tag == "UNZ":
			r.finish(s)
		case s.tag == "UNG" || s.tag == "UNE" || s.tag == "UNO" || s.tag == "UNP":
			r.fault(Fault{Code: CodeEnvelope, Tag: s.tag, Expected: "messages without functional groups and packages", Found: s.tag})
			r.ended = true
		default:
			r.fault(Fault{Code: CodeOutside, Tag: s.tag, Expected: "UNH or UNZ", Found: cmp.Or(s.tag, "a segment without tag")})
		}
	}
	return nil, io.EOF
}

// segment is the next segment of the interchange.
func (r *Reader) segment() (segment, error) {
	if s := r.ahead; s != nil {
		r.ahead = nil
		return *s, nil
	}
	if r.scan.read == 0 {
		if err := r.scan.begin(); err != nil {
			return segment{}, err
		}
	}
	s, err := r.scan.next()
	if err != nil {
		return segment{}, err
	}
	if r.segments++; r.segments > r.limits.Segments {
		return segment{}, stop(CodeUnspecified, s.tag, fmt.Sprintf("at most %d segments in an interchange", r.limits.Segments), "more")
	}
	return s, nil
}

// end takes note of why there are no more segments, and returns an error of the input.
func (r *Reader) end(err error) error {
	r.ended = true
	var broken *halt
	switch {
	case errors.As(err, &broken):
		r.fault(broken.fault)
	case !errors.Is(err, io.EOF):
		return fmt.Errorf("reading an interchange: %w", err)
	case !r.header:
		r.fault(Fault{Code: CodeMissing, Tag: "UNB", Expected: "an interchange", Found: "nothing"})
	case !r.trailer:
		r.fault(Fault{Code: CodeMissing, Tag: "UNZ", Expected: "UNZ at the end of the interchange", Found: "the end of the data"})
	}
	return nil
}

// fault keeps a fault of the interchange.
func (r *Reader) fault(f Fault) { r.keep(&r.interchange.Faults, f) }

// keep adds a fault to a list, as long as the interchange has few.
func (r *Reader) keep(list *[]Fault, f Fault) {
	if r.faults++; r.faults > r.limits.Faults && len(*list) > 0 { // a list that says that something is wrong is never empty
		r.interchange.MoreFaults++
		return
	}
	f.Meaning = f.Code.String()
	*list = append(*list, f)
}

// octets keeps the faults of a service segment's characters.
func (r *Reader) octets(list *[]Fault, s segment, reference string, number int) {
	for _, f := range s.faults {
		f.Tag, f.Message, f.Segment = s.tag, reference, number
		r.keep(list, f)
	}
}

// begin reads UNB (syntax 3 annex A, syntax 4 annex C).
func (r *Reader) begin(s segment) {
	i := &r.interchange
	wrong := func(code Code, e, c int, expected, found string) {
		r.fault(Fault{Code: code, Tag: "UNB", Element: e, Component: c, Expected: expected, Found: found})
	}
	if s.tag != "UNB" {
		r.fault(Fault{Code: CodeMissing, Tag: "UNB", Expected: "UNB", Found: cmp.Or(s.tag, "a segment without tag")})
		r.ended = true
		return
	}
	r.header = true
	i.Syntax = s.value(1, 1)
	i.Sender = Correspondent{s.value(2, 1), s.value(2, 2), s.value(2, 3)}
	i.Recipient = Correspondent{s.value(3, 1), s.value(3, 2), s.value(3, 3)}
	i.Prepared = s.value(4, 1) + ":" + s.value(4, 2)
	i.Reference = s.value(5, 1)
	if _, known := charsetOf(i.Syntax); !known {
		wrong(CodeCharacterSet, 1, 1, "a character set that this node reads: UNOA to UNOK, UNOY", quoted(i.Syntax))
		r.ended = true
		return
	}
	version, err := strconv.Atoi(s.value(1, 2))
	if err != nil || version < 1 || version > 4 {
		wrong(CodeSyntaxNotSupported, 1, 2, "a syntax version from 1 to 4", quoted(s.value(1, 2)))
		r.ended = true
		return
	}
	i.SyntaxVersion = version
	r.scan.service = r.scan.service.forVersion(version)
	r.head = append([]byte(nil), r.scan.kept...)
	r.octets(&i.Faults, s, "", 0)
	for _, p := range []struct {
		e     int
		value string
		what  string
	}{{2, i.Sender.ID, "the sender's identification"}, {3, i.Recipient.ID, "the recipient's identification"}, {5, i.Reference, "the interchange's reference"}} {
		if p.value == "" {
			wrong(CodeMissing, p.e, 1, p.what, "nothing")
		}
	}
	if !isPrepared(s.value(4, 1), s.value(4, 2)) {
		wrong(CodeInvalidValue, 4, 0, "date and time of preparation as YYMMDD:HHMM, or YYYYMMDD:HHMM in syntax 4", quoted(i.Prepared))
	}
	switch test := s.value(11, 1); test { // 0035; syntax 4 has 2 to 4 for other kinds of test
	case "", "0":
	case "1", "2", "3", "4":
		i.Test = true
	default:
		wrong(CodeInvalidValue, 11, 1, "1 for a test, or nothing", quoted(test))
	}
}

// isPrepared judges S004.
func isPrepared(day, clock string) bool {
	layout := map[int]string{6: "060102", 8: "20060102"}[len(day)]
	if layout == "" {
		return false
	}
	if _, err := time.Parse(layout, day); err != nil {
		return false
	}
	_, err := time.Parse("1504", clock)
	return err == nil
}

// finish reads UNZ and compares it with what came.
func (r *Reader) finish(s segment) {
	r.trailer = true
	i := &r.interchange
	r.octets(&i.Faults, s, "", 0)
	if count := s.value(1, 1); !isCount(count, i.Messages) {
		r.fault(Fault{Code: CodeCount, Tag: "UNZ", Element: 1, Component: 1, Expected: fmt.Sprintf("%d, the number of messages", i.Messages), Found: quoted(count)})
	}
	if reference := s.value(2, 1); reference != i.Reference {
		r.fault(Fault{Code: CodeReferences, Tag: "UNZ", Element: 2, Component: 1, Expected: quoted(i.Reference) + " as in UNB", Found: quoted(reference)})
	}
	if i.Messages == 0 {
		r.fault(Fault{Code: CodeEmpty, Tag: "UNZ", Expected: "at least one message", Found: "none"})
	}
}

// alone is the message that was read last as the only one of its interchange: UNB and the message as they came, and a UNZ that counts it.
func (r *Reader) alone() []byte {
	service := r.scan.service
	out := slices.Concat(r.head, r.scan.kept, []byte{'U', 'N', 'Z', service.element, '1', service.element})
	for _, b := range r.scan.charset.encode(r.interchange.Reference) {
		switch b {
		case service.component, service.element, service.release, service.repetition, service.terminator:
			out = append(out, service.release)
		}
		out = append(out, b)
	}
	return append(out, service.terminator)
}

// isCount compares a count with what was counted.
func isCount(text string, n int) bool {
	given, err := strconv.ParseUint(text, 10, 31)
	return err == nil && int(given) == n
}
