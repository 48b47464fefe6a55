package exchange_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/ecogate/ecogate/internal/pkitest"
	"github.com/ecogate/ecogate/partners"
	"github.com/ecogate/ecogate/partners/announcement"
	"github.com/ecogate/ecogate/signing"
)

func TestAnnouncementComesAsAFile(t *testing.T) {
	t.Parallel()
	var taken decision
	w := newWorld(t, setup{options: decide(&taken)})
	taken = w.stages(w.nextKey(24 * time.Hour))
	file, summary, err := w.KR.AnnouncementFile()
	w.must(err)
	got, err := w.TW.TakeAnnouncement(context.Background(), "operator", "KR", file, false)
	w.must(err)
	signer := w.KR.key(w, partners.UseMessageSignature, "").Chain[0]
	if got.Signer != signing.Fingerprint(signer) || got.Announcement.Number != summary.Number || got.Outcomes[0].Result != announcement.ResultStaged {
		t.Errorf("taken %+v", got)
	}
}

func TestAnnouncementFileIsRefused(t *testing.T) {
	t.Parallel()
	var taken decision
	w := newWorld(t, setup{options: decide(&taken)})
	w.nextKey(24 * time.Hour)
	taken = func(context.Context, string, string, announcement.Announcement, bool) ([]announcement.Outcome, error) {
		t.Error("a refused file was decided on")
		return nil, nil
	}
	file, _, err := w.KR.AnnouncementFile()
	w.must(err)
	own := w.KR.key(w, partners.UseMessageSignature, "")
	policy := signing.Policy{}
	content, err := signing.VerifyAnnouncement(file, nil, own.Chain[:1], policy)
	w.must(err)
	stranger := pkitest.NewTest(t, pkitest.Options{Country: "KR", Organisation: "Demonstration Korea"})
	c := stranger.Must(stranger.Issue(pkitest.Request{Name: "stranger", Use: pkitest.MessageSignature}))
	sign := func(key signing.Key, content string) []byte {
		signed, err := signing.SignAnnouncement([]byte(content), key, w.now())
		w.must(err)
		return signed
	}
	for _, test := range []struct {
		name, text string
		partner    string
		file       []byte
	}{
		{"by a stranger", "is not one of the 1 candidates", "KR", sign(keyOf(c), string(content.Octets))},
		{"by the new key", "candidates", "KR", sign(w.KR.registry.Successors(w.now())[0].Key, string(content.Octets))},
		{"changed", "proof of possession", "KR", sign(own, strings.Replace(string(content.Octets), "<Number>", "<Number>1", 1))},
		{"of another party", "candidates", "VN", file},
		{"about another party", "another one", "KR", sign(own, strings.Replace(withoutProof(string(content.Octets)), "KR-HUB", "VN-HUB", 1))},
		{"no announcement", "not an announcement", "KR", sign(own, "<x/>")},
		{"no CMS", "CMS", "KR", []byte("x")},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := w.TW.TakeAnnouncement(context.Background(), "operator", test.partner, test.file, false)
			if !errors.Is(err, announcement.ErrRefused) || !strings.Contains(err.Error(), test.text) {
				t.Errorf("error %v, want one with %q", err, test.text)
			}
		})
	}
	if _, err := w.TW.TakeAnnouncement(context.Background(), "operator", "XX", file, false); !errors.Is(err, partners.ErrUnknownPartner) {
		t.Errorf("of nobody: %v", err)
	}
	taken = func(context.Context, string, string, announcement.Announcement, bool) ([]announcement.Outcome, error) {
		return nil, announcement.ErrOld
	}
	if _, err := w.TW.TakeAnnouncement(context.Background(), "operator", "KR", file, false); !errors.Is(err, announcement.ErrRefused) || !errors.Is(err, announcement.ErrOld) {
		t.Errorf("an old one: %v", err)
	}
}

// withoutProof is an announcement without its signatures.
func withoutProof(document string) string {
	begin, end := strings.Index(document, "<ds:Signature"), strings.LastIndex(document, "</ds:Signature>")
	return document[:begin] + document[end+len("</ds:Signature>"):]
}
