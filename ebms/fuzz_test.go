package ebms_test

import (
	"bytes"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/ecogate/ecogate/ebms"
)

// FuzzReadPackage: what is read is within the limits, names its parts without doubt, is the same wherever it lies, and
// comes back from its own bytes.
func FuzzReadPackage(f *testing.F) {
	for _, pattern := range []string{recorded, hostile} {
		for _, file := range corpus(f, pattern) {
			header, body := readHTTP(f, file)
			f.Add(header.Get("Content-Type"), body)
		}
	}
	limits := ebms.Limits{Body: 64 << 10, Parts: 4, HeaderBytes: 1 << 10, Envelope: 32 << 10}
	f.Fuzz(func(t *testing.T, contentType string, body []byte) {
		p, err := ebms.ReadPackage(contentType, ebms.Bytes(body), limits)
		readElsewhere(t, contentType, body, limits, p, err)
		if err != nil {
			var e *ebms.Error
			if !errors.As(err, &e) || e.Code != ebms.CodeMimeProblem || e.Cause == nil {
				t.Fatalf("error %#v", err)
			}
			return
		}
		if len(p.Parts) > 3 || len(p.Envelope) > 32<<10 {
			t.Fatalf("%d parts, envelope of %d bytes", len(p.Parts), len(p.Envelope))
		}
		for i := range p.Parts {
			if part, ok := p.Resolve(ebms.CIDToHref(p.Parts[i].ContentID)); !ok || part != &p.Parts[i] {
				t.Fatalf("Content-ID %q leads to %v", p.Parts[i].ContentID, part)
			}
		}
		const boundary = "a-boundary-that-no-fuzzer-finds-9b1d7c"
		contentType, again, err := p.Pack(boundary)
		if err != nil {
			if bytes.Contains(body, []byte(boundary)) {
				return
			}
			t.Fatalf("writing what was read: %v", err)
		}
		q, err := ebms.ReadPackage(contentType, again, ebms.Limits{})
		if err != nil {
			t.Fatalf("reading it again: %v\n%q", err, octets(t, again))
		}
		if diff := cmp.Diff(p, q, equalPackages, cmpopts.IgnoreFields(ebms.Package{}, "Oddities")); diff != "" {
			t.Fatalf("package differs (-first +second)\n%s", diff)
		}
	})
}

// FuzzParse: what is read keeps the rules, and says the same after it was written and read again.
func FuzzParse(f *testing.F) {
	for _, pattern := range []string{recorded, hostile} {
		for _, file := range corpus(f, pattern) {
			header, body := readHTTP(f, file)
			if p, err := ebms.ReadPackage(header.Get("Content-Type"), ebms.Bytes(body), ebms.Limits{}); err == nil {
				f.Add(p.Envelope)
			}
		}
	}
	f.Add(envelope(f, ebms.NewAcknowledgment(business(), signalOptions())))
	f.Fuzz(readsBackEqual)
}

// readsBackEqual is what every target that feeds Parse checks: an error is told as one, and lets the sender be answered or
// returns no message; what is accepted can be written and says the same when it is read again.
func readsBackEqual(t *testing.T, data []byte) {
	t.Helper()
	m, err := ebms.Parse(data)
	if err != nil {
		var e *ebms.Error
		if !errors.As(err, &e) || e.Cause == nil {
			t.Fatalf("error %#v", err)
		}
		if m != nil && (len(m.From.IDs) == 0 || len(m.To.IDs) == 0 || m.CPAID == "" || m.ConversationID == "" || m.MessageID == "") {
			t.Fatalf("message cannot be answered: %+v", m)
		}
		if m != nil && max(len(m.MessageID), len(m.CPAID), len(m.ConversationID), len(m.From.IDs[0].Value), len(m.RefToMessageID)) > 1024 {
			t.Fatalf("texts without limit: %+v", m)
		}
		return
	}
	for i := range m.Manifest {
		m.Manifest[i].ID = "" // read leniently and written strictly
	}
	again, err := m.Envelope()
	if err != nil {
		t.Fatalf("writing what was read: %v\n%+v", err, m)
	}
	got, err := ebms.Parse(again)
	if err != nil {
		t.Fatalf("reading it again: %v\n%s", err, again)
	}
	truncate := cmp.Transformer("milliseconds", func(at time.Time) int64 { return at.UnixMilli() })
	if diff := cmp.Diff(m, got, truncate, equalMessages, cmpopts.IgnoreFields(ebms.Message{}, "Signed"), actors); diff != "" {
		t.Fatalf("message differs (-first +second)\n%s", diff)
	}
}

// actors: no actor is written as the one that it means.
var actors = cmp.FilterPath(func(p cmp.Path) bool { return p.Last().String() == ".Actor" }, cmp.Comparer(func(a, b string) bool {
	return a == b || a+b == ebms.ActorToPartyMSH
}))

// FuzzRetryAfter: nobody makes us wait for less than no time or for more than a day.
func FuzzRetryAfter(f *testing.F) {
	for _, seed := range []string{"", "0", "120", "-1", "86401", "Fri, 20 Nov 2026 10:16:00 GMT", "Fri Nov 20 10:16:00 2026", "soon"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, value string) {
		if got := ebms.ParseRetryAfter(value, instant); got < 0 || got > 24*time.Hour {
			t.Errorf("%q is %v", value, got)
		}
	})
}

// readElsewhere reads a message that lies elsewhere, in small pieces and with parts in a file, and compares what was read.
func readElsewhere(t *testing.T, contentType string, body []byte, l ebms.Limits, want *ebms.Package, wantErr error) {
	l.SpillBytes = 1
	got, err := ebms.ReadPackageThrough(80, contentType, outside{ebms.Bytes(body)}, l)
	if fmt.Sprint(err) != fmt.Sprint(wantErr) {
		t.Fatalf("error %v, but %v in memory", err, wantErr)
	}
	if err != nil {
		return
	}
	defer got.Close()
	if diff := cmp.Diff(want, got, equalPackages); diff != "" {
		t.Fatalf("package differs (-in memory +elsewhere)\n%s", diff)
	}
}
