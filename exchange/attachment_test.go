package exchange_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/ecogate/ecogate/ebms"
	"github.com/ecogate/ecogate/exchange"
	"github.com/ecogate/ecogate/internal/config"
)

// attachments are n files of size bytes, each with content of its own.
func attachments(n, size int) []exchange.Attachment {
	list := make([]exchange.Attachment, n)
	for i := range list {
		content := bytes.Repeat(fmt.Appendf(nil, "%08d", i), (size+7)/8)[:size]
		list[i] = exchange.Attachment{Name: fmt.Sprintf("invoice %d.pdf", i+1), ContentType: "application/pdf", Content: ebms.Bytes(content)}
	}
	return list
}

// manyParts lets nodes read as many parts as there can be, and keeps little of them in memory.
func manyParts(o *exchange.Options) { o.Limits.Parts, o.Limits.SpillBytes = 1024, 64<<10 }

func TestAttachmentsTravelWithTheirCertificate(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name    string
		n, size int
	}{{"one", 1, 1000}, {"empty", 1, 0}, {"a thousand", 1000, 1000}, {"one that memory does not hold", 1, 5 << 20}} {
		t.Run(test.name, func(t *testing.T) {
			bubble(t, setup{options: manyParts}, func(w *world) {
				sent := attachments(test.n, test.size)
				s, err := w.KR.Submit(context.Background(), "issuer", "TW", sample(t), sent...)
				w.must(err)
				if m := w.settled(s.Message.MessageID); m.State != exchange.StateDelivered || len(m.References) != test.n+2 {
					t.Fatalf("%s %+v, %d references", m.State, m.Reason, len(m.References))
				}
				received := w.TW.message(w, exchange.MessageQuery{Direction: exchange.Inbound})
				parts, err := w.TW.Parts(context.Background(), received)
				w.must(err)
				defer parts.Close()
				if len(parts.List) != test.n+1 {
					t.Fatalf("%d parts, want the certificate and %d attachments", len(parts.List), test.n)
				}
				for i, p := range parts.List[1:] {
					if p.Name != sent[i].Name || p.ContentType != sent[i].ContentType || !bytes.Equal(octets(p.Content), octets(sent[i].Content)) {
						t.Fatalf("attachment %d is %q %s, %d bytes", i+1, p.Name, p.ContentType, p.Size)
					}
				}
			})
		})
	}
}

func TestAttachmentsAreBounded(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name    string
		kr      func(*config.Config)
		n, size int
	}{
		{"more than a message can have", nil, 1023, 1},
		{"more than agreed", func(c *config.Config) { c.Agreements[0].MaxParts = 3 }, 2, 1},
		{"larger than agreed", func(c *config.Config) { c.Agreements[0].MaxBytes = 100_000 }, 1, 100_000},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld(t, setup{kr: test.kr})
			_, err := w.KR.Submit(context.Background(), "issuer", "TW", sample(t), attachments(test.n, test.size)...)
			if !errors.Is(err, exchange.ErrTooLarge) || len(w.KR.messages(w, exchange.MessageQuery{})) != 0 {
				t.Errorf("%v, want ErrTooLarge and nothing stored", err)
			}
		})
	}
}

func TestSameCertificateWithOtherAttachmentsIsAConflict(t *testing.T) {
	t.Parallel()
	w := newWorld(t, setup{})
	submit := func(a ...exchange.Attachment) (exchange.Submission, error) {
		return w.KR.Submit(context.Background(), "issuer", "TW", sample(t), a...)
	}
	_, err := submit(attachments(1, 10)...)
	w.must(err)
	if again, err := submit(attachments(1, 10)...); err != nil || again.Fresh {
		t.Errorf("the same again: fresh %t, %v", again.Fresh, err)
	}
	for _, other := range [][]exchange.Attachment{nil, attachments(2, 10), attachments(1, 11)} {
		if _, err := submit(other...); !errors.Is(err, exchange.ErrConflict) {
			t.Errorf("%d attachments: %v, want ErrConflict", len(other), err)
		}
	}
}
