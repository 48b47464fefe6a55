package plainxml_test

import (
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/ecogate/ecogate/internal/plainxml"
)

// letter is a document of this test.
type letter struct {
	to, cc string
	sent   time.Time
}

func read(text string) (l letter, err error) {
	root, err := plainxml.Read([]byte(text))
	if err != nil {
		return l, err
	}
	r := plainxml.Open(root, &err, "version")
	to := r.Open(r.Take("To"))
	l.to = to.Leaf(to.Take("Name"), "title")
	to.End()
	l.cc = r.Optional("Copy")
	l.sent = r.OptionalInstant("Sent")
	r.End()
	return l, err
}

func TestReaderTakesWhatTheFormatNames(t *testing.T) {
	const head = `<Letter xmlns="urn:letter" version="1">`
	for _, test := range []struct{ text, problem string }{
		{head + `<To><Name title="Dr"> A &amp; B </Name></To><Copy>C</Copy><Sent>2026-11-29T10:00:00Z</Sent></Letter>`, ""},
		{head + `<To><Name>A &amp; B</Name></To></Letter>`, ""},
		{head + `<To/></Letter>`, "To: ends where Name is expected"},
		{head + `<Copy/></Letter>`, "Letter: Copy stands where To is expected"},
		{head + `<To><Name>A</Name><Name>B</Name></To></Letter>`, "To: Name is not expected"},
		{head + `<To><Name>A<b/></Name></To></Letter>`, "To: Name has child elements"},
		{head + `<To>A<Name>A</Name></To></Letter>`, "To: text between its elements"},
		{head + `<To><Name lang="en">A</Name></To></Letter>`, "To: an attribute of Name that is not known"},
		{head + `<To xmlns="urn:other"><Name>A</Name></To></Letter>`, "Letter: To stands where To is expected"},
		{head + `<To><Name>A</Name></To><Sent>2026-11-29</Sent></Letter>`, `Letter: Sent "2026-11-29" is not an instant`},
		{head + `<To><Name>A</Name><!-- --></To></Letter>`, "a processing instruction or a comment"},
		{head + strings.Repeat("<To>", 9) + strings.Repeat("</To>", 9) + `</Letter>`, "more than 8 deep"},
		{head, "unexpected EOF"},
		{"", "no root element"},
	} {
		l, err := read(test.text)
		if (err == nil) != (test.problem == "") || err != nil && !strings.Contains(err.Error(), test.problem) {
			t.Errorf("%s: %v, want %q", test.text, err, test.problem)
		}
		if err == nil && l.to != "A & B" {
			t.Errorf("%s: to %q", test.text, l.to)
		}
	}
}

func TestWhatIsWrittenIsRead(t *testing.T) {
	want := letter{to: `A & <"B">`, cc: "C", sent: time.Date(2026, time.November, 29, 10, 0, 0, 0, time.UTC)}
	var w plainxml.Writer
	w.WriteString(`<Letter xmlns="urn:letter" version="1">`)
	w.Group("To", func() { w.Leaf("Name", want.to) })
	w.Optional("Copy", want.cc)
	w.Optional("Copy", "")
	w.Instant("Sent", want.sent.Add(time.Millisecond))
	w.Instant("Sent", time.Time{})
	w.WriteString("</Letter>")
	if got, err := read(w.String()); err != nil || got != want {
		t.Errorf("%+v, %v", got, err)
	}
}

// TestInterruptedTextTakesTimeLikeItsLength: a text in hundreds of thousands of pieces, which is refused when it is opened.
func TestInterruptedTextTakesTimeLikeItsLength(t *testing.T) {
	allocated := func(pieces int) float64 {
		document := []byte("<r>" + strings.Repeat("<a></a>x", pieces) + "</r>")
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		root, err := plainxml.Read(document)
		runtime.ReadMemStats(&after)
		if err != nil || len(root.Text) != pieces {
			t.Fatalf("%d octets of text, %v", len(root.Text), err)
		}
		return float64(after.TotalAlloc-before.TotalAlloc) / float64(pieces)
	}
	if few, many := allocated(1000), allocated(50_000); many > 3*few {
		t.Errorf("%.0f octets for a piece of 1,000, %.0f for one of 50,000", few, many)
	}
}
