package cusdec

import (
	"bytes"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// MediaType is that of EDIFACT interchanges (RFC 1767 §3), in small letters, as which media types are compared (RFC 2045 §5.1).
const MediaType = "application/edifact"

// Actions of data element 0083 that a report takes.
const (
	actionRejected     = "4" // this level and all below
	actionAcknowledged = "7" // this level, and the next one below if it is not rejected by itself
)

// Outcome is what becomes of a message, for a Report.
type Outcome struct {
	Message *Message
	// Refused: its syntax is right, and the declaration was not taken.
	Refused bool
}

// Report writes the answer to an interchange as an interchange with one message CONTRL, in the interchange's own syntax (ISO 9735-4, and
// CONTRL of syntax 3): UCI for the interchange, UCM for each message, UCS and UCD for each fault in one. The reference is the sender's
// of this answer, unique among its answers, at most 14 characters.
//
// UCI and UCM have room for one fault. CONTRL tells of syntax only, so a declaration that was refused for what it says is told as rejected
// with code 18; JSON says why.
func Report(i Interchange, outcomes []Outcome, reference string, now time.Time) []byte {
	w := newWriter(i)
	version := max(i.SyntaxVersion, 3)
	now = now.UTC()
	day := map[bool]string{true: "20060102", false: "060102"}[version == 4]
	w.segment("UNB", w.parts(w.set.name, strconv.Itoa(version)), w.address(i.Recipient), w.address(i.Sender), w.parts(now.Format(day), now.Format("1504")),
		w.parts(reference))
	w.segment("UNH", w.parts("1"), w.parts(contrlType(version)...))
	rejected := len(i.Faults) > 0
	head := first(i.Faults, interchangeTags...)
	if rejected && head == nil { // what stands outside of messages is told by its code alone
		head = &Fault{Code: i.Faults[0].Code}
	}
	w.service("UCI", [][]string{{i.Reference}, w.address(i.Sender), w.address(i.Recipient)}, rejected, head)
	for _, o := range outcomes {
		if !rejected { // with the interchange all its messages are
			w.message(o)
		}
	}
	w.segment("UNT", w.parts(strconv.Itoa(w.count)), w.parts("1")) // UNB was counted in the place of UNT
	w.segment("UNZ", w.parts("1"), w.parts(reference))
	return w.out.Bytes()
}

// The segments of which 0135 says that the fault of UCI or UCM is in them.
var (
	interchangeTags = []string{"UNA", "UNB", "UNZ"}
	messageTags     = []string{"UNH", "UNT"}
)

// contrlType is S009 of CONTRL.
func contrlType(version int) []string {
	if version == 4 {
		return []string{"CONTRL", "4", "1", "UN"}
	}
	return []string{"CONTRL", "D", "3", "UN"}
}

// message writes UCM with what is wrong in the message.
func (w *writer) message(o Outcome) {
	m := o.Message
	head := first(m.Faults, messageTags...)
	if o.Refused {
		head = &Fault{Code: CodeUnspecified}
	}
	t := m.Type
	w.service("UCM", [][]string{{m.Reference}, {t.Type, t.Version, t.Release, t.Agency, t.Association}}, o.Refused || len(m.Faults) > 0, head)
	last := 0
	for _, f := range m.Faults {
		if slices.Contains(messageTags, f.Tag) {
			continue
		}
		if f.Segment != last || f.Element == 0 {
			w.segment("UCS", w.parts(strconv.Itoa(f.Segment)), w.code(f, f.Element == 0))
			last = f.Segment
		}
		if f.Element > 0 {
			w.segment("UCD", w.code(f, true), w.position(f))
		}
	}
}

// first is the first fault whose segment is one of tags; nil if there is none.
func first(faults []Fault, tags ...string) *Fault {
	if i := slices.IndexFunc(faults, func(f Fault) bool { return slices.Contains(tags, f.Tag) }); i >= 0 {
		return &faults[i]
	}
	return nil
}

// service writes UCI or UCM: what it is about, the action, and a fault in one of its service segments.
func (w *writer) service(tag string, subject [][]string, rejected bool, f *Fault) {
	elements := subject
	if !rejected {
		w.segment(tag, append(elements, w.parts(actionAcknowledged))...)
		return
	}
	elements = append(elements, w.parts(actionRejected))
	if f != nil {
		elements = append(elements, w.code(*f, true), w.parts(f.Tag))
		if f.Element > 0 {
			elements = append(elements, w.position(*f))
		}
	}
	w.segment(tag, elements...)
}

// code is 0085, or nothing.
func (w *writer) code(f Fault, given bool) []string {
	if !given {
		return nil
	}
	return w.parts(strconv.Itoa(int(f.Code)))
}

// position is S011: the positions of element, component and occurrence. The tag is position 1 there (0098).
func (w *writer) position(f Fault) []string {
	parts := []string{strconv.Itoa(f.Element + 1), "", ""}
	if f.Component > 0 {
		parts[1] = strconv.Itoa(f.Component)
	}
	if f.Occurrence > 0 {
		parts[2] = strconv.Itoa(f.Occurrence)
	}
	return parts
}

// writer writes segments in a character set, with the usual service characters.
type writer struct {
	out   bytes.Buffer
	set   charset
	four  bool
	count int
}

// newWriter writes as an interchange was written; in level B if its character set is not known.
func newWriter(i Interchange) *writer {
	set, known := charsetOf(i.Syntax)
	if !known {
		set, _ = charsetOf("UNOB")
	}
	return &writer{set: set, four: i.SyntaxVersion == 4}
}

func (w *writer) parts(values ...string) []string { return values }

// address is S002 or S003.
func (w *writer) address(a Correspondent) []string { return []string{a.ID, a.Qualifier, a.Internal} }

// segment writes a segment without what is empty at its end and at the ends of its elements (syntax 3 §9).
func (w *writer) segment(tag string, elements ...[]string) {
	w.count++
	texts := []string{tag}
	for _, components := range elements {
		var escaped []string
		for _, c := range components {
			escaped = append(escaped, w.escape(c))
		}
		texts = append(texts, strings.Join(trimmed(escaped), ":"))
	}
	fmt.Fprintf(&w.out, "%s'", strings.Join(trimmed(texts), "+"))
}

// trimmed leaves out what is empty at the end.
func trimmed(values []string) []string {
	for len(values) > 0 && values[len(values)-1] == "" {
		values = values[:len(values)-1]
	}
	return values
}

// escape gives a value in the character set, with service characters released.
func (w *writer) escape(value string) string {
	special := "'+:?"
	if w.four {
		special += "*"
	}
	var out strings.Builder
	for _, b := range w.set.encode(value) {
		if strings.IndexByte(special, b) >= 0 {
			out.WriteByte('?')
		}
		out.WriteByte(b)
	}
	return out.String()
}
