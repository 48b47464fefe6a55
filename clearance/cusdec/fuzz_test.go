package cusdec_test

import (
	"bytes"
	"os"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"

	"github.com/ecogate/ecogate/clearance/cusdec"
)

// FuzzRead reads any octets: it ends within its limits, says the same however the octets come in, names every message once, and its
// answer is an interchange.
func FuzzRead(f *testing.F) {
	for _, file := range samples(f) {
		data, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	for _, h := range hostileFiles(f) {
		f.Add(h.data)
	}
	limits := cusdec.Limits{Bytes: 64 << 10, SegmentBytes: 1 << 10, Messages: 20, Segments: 500, Items: 50, Faults: 30, Skipped: 20}
	f.Fuzz(func(t *testing.T, data []byte) {
		interchange, messages := read(t, data, limits)
		slowly, again, err := cusdec.Read(iotest.OneByteReader(bytes.NewReader(data)), limits)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(interchange, slowly) + cmp.Diff(messages, again); diff != "" {
			t.Fatalf("read at once and octet by octet:\n%s", diff)
		}
		if interchange.Messages != len(messages) {
			t.Fatalf("%d messages are counted, %d read", interchange.Messages, len(messages))
		}
		kept := len(interchange.Faults)
		for _, m := range messages {
			kept += len(m.Faults)
			if len(m.Skipped) > limits.Skipped || len(m.Declaration.Lines) > limits.Items {
				t.Fatalf("%d skipped, %d lines", len(m.Skipped), len(m.Declaration.Lines))
			}
			for _, fault := range m.Faults {
				if fault.Code == 0 || fault.Meaning == "" || fault.Expected == "" || fault.Found == "" || fault.Message != m.Reference || fault.Segment == 0 {
					t.Fatalf("a fault that does not say all: %+v", fault)
				}
			}
		}
		if most := limits.Faults + len(messages) + 1; kept > most { // one that is the first of its message is always kept
			t.Fatalf("%d faults were kept, %d allowed", kept, most)
		}
		if len(interchange.Faults) == 0 {
			alone(t, messages)
		}
		if !representable(interchange) {
			return
		}
		reported(t, interchange, messages)
	})
}

// alone fails the test if the interchange that is kept of a message says something else than the message.
func alone(t *testing.T, messages []*cusdec.Message) {
	t.Helper()
	for _, m := range messages {
		if len(m.Faults) > 0 {
			continue
		}
		interchange, again := read(t, m.Original, cusdec.Limits{})
		if len(again) != 1 || len(interchange.Faults)+len(again[0].Faults) > 0 {
			t.Fatalf("%q is kept of a message: %d messages, %v", m.Original, len(again), interchange.Faults)
		}
		if diff := cmp.Diff(m.Declaration, again[0].Declaration); diff != "" {
			t.Fatalf("%q is kept of a message:\n%s", m.Original, diff)
		}
	}
}

// representable reports whether the answer can repeat what it has to of the interchange.
func representable(i cusdec.Interchange) bool {
	return !strings.ContainsRune(i.Sender.ID+i.Recipient.ID, '\uFFFD') && strings.TrimSpace(i.Sender.ID) != "" && strings.TrimSpace(i.Recipient.ID) != ""
}
