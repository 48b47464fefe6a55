package exchange_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ecogate/ecogate/ebms"
	"github.com/ecogate/ecogate/eco"
	"github.com/ecogate/ecogate/exchange"
	"github.com/ecogate/ecogate/internal/config"
	"github.com/ecogate/ecogate/partners"
	"github.com/ecogate/ecogate/signing"
	"github.com/ecogate/ecogate/ubl"
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

// attached is what KR would send for the sample with one attachment, to which its document refers as cid:at-1.
func (w *world) attached(content []byte) *draft {
	w.Helper()
	d := w.certificateDraft(sample(w))
	unsigned, err := ubl.Options{Attachments: []ubl.Attachment{
		{URI: "cid:at-1", Name: "invoice.pdf", ContentType: "application/pdf", SHA256: sha256.Sum256(content)},
	}}.Marshal(sample(w), eco.DefaultForms())
	w.must(err)
	signed, err := signing.SignDocument(unsigned, ubl.SignaturePath(), w.KR.key(w, partners.UseDocumentSignature, "KCCI"))
	w.must(err)
	d.content(signed)
	d.parts = append(d.parts, ebms.Part{ContentID: "at-1", ContentType: "application/pdf", Content: ebms.Bytes(content)})
	d.header.Manifest = append(d.header.Manifest, ebms.ManifestReference{Href: "cid:at-1"})
	return d
}

// The document's signature covers the attachments, whoever signed the message that brings them.
func TestDocumentCoversItsAttachments(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		change func(*draft)
		cause  string // of the refusal
		// findings are the texts with code T08 that an accepted certificate's record has.
		findings []string
	}{
		{name: "as signed", change: func(*draft) {}},
		{
			name:   "another content",
			change: func(d *draft) { d.parts[1].Content = ebms.Bytes([]byte("INVOICE 2")) },
			cause:  `T08 attachments[0]: part "cid:at-1" has SHA-256`,
		},
		{
			name:   "missing",
			change: func(d *draft) { d.parts, d.header.Manifest = d.parts[:1], d.header.Manifest[:1] },
			cause:  `T08 attachments[0]: the document refers to part "cid:at-1", which is not in the message`,
		},
		{
			name: "under another Content-ID",
			change: func(d *draft) {
				d.parts[1].ContentID, d.header.Manifest[1].Href = "at-2", "cid:at-2"
			},
			cause: `T08 attachments[0]: the document refers to part "cid:at-1"`,
		},
		{
			name: "one more",
			change: func(d *draft) {
				d.parts = append(d.parts, ebms.Part{ContentID: "more", ContentType: "text/plain", Content: ebms.Bytes([]byte("more"))})
				d.header.Manifest = append(d.header.Manifest, ebms.ManifestReference{Href: "cid:more"})
			},
			findings: []string{`the document does not refer to part "more": its signature does not cover it`},
		},
		{
			name:     "as another type",
			change:   func(d *draft) { d.parts[1].ContentType = "text/html" },
			findings: []string{`part "cid:at-1" is sent as "text/html", the document was signed for "application/pdf"`},
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld(t, setup{})
			d := w.attached([]byte("INVOICE 1"))
			test.change(d)
			w.TW.receive(w, d.request(w))
			m := w.TW.message(w, exchange.MessageQuery{Direction: exchange.Inbound})
			if test.cause != "" {
				if m.State != exchange.StateQuarantined || m.Reason == nil || m.Reason.Code != string(ebms.CodeInconsistent) || !strings.Contains(m.Reason.Cause, test.cause) {
					t.Errorf("%s %+v, want a refusal for %q", m.State, m.Reason, test.cause)
				}
				return
			}
			var found []string
			for _, f := range w.TW.certificate(w).Findings {
				if f.Code == "T08" {
					found = append(found, f.Text)
				}
			}
			if m.State != exchange.StateAccepted || !slices.Equal(found, test.findings) {
				t.Errorf("%s %+v, findings %q, want %q", m.State, m.Reason, found, test.findings)
			}
		})
	}
}

func TestCertificateIsWrittenForTheAgreedVersion(t *testing.T) {
	t.Parallel()
	for _, version := range []string{partners.UBLVersion20, partners.UBLVersion21} {
		t.Run(version, func(t *testing.T) {
			bubble(t, setup{kr: func(c *config.Config) { c.Agreements[0].UBLVersion = version }}, func(w *world) {
				s, err := w.KR.Submit(context.Background(), "issuer", "TW", sample(t), attachments(1, 100)...)
				w.must(err)
				if m := w.settled(s.Message.MessageID); m.State != exchange.StateDelivered {
					t.Fatalf("%s %+v", m.State, m.Reason)
				}
				received := w.TW.certificate(w)
				if diff := cmp.Diff(sample(t), received.Data); diff != "" || eco.HasErrors(received.Findings) {
					t.Error(diff, received.Findings)
				}
				if document := w.TW.raw(w, received.Document); !bytes.Contains(document, []byte("<cbc:UBLVersionID>"+version+"<")) {
					t.Errorf("%.2000s\nwant UBL %s", document, version)
				}
			})
		})
	}
}
