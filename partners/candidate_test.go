package partners_test

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ecogate/ecogate/internal/pkitest"
	"github.com/ecogate/ecogate/partners"
)

func TestCandidateIsExamined(t *testing.T) {
	w := newWorld(t)
	w.config.Partners[0].Credentials[0].Until = autumn // message-signature
	w.config.Agreements[0].End = autumn.AddDate(2, 0, 0)
	issue := func(id, name string, use pkitest.Use, from, until time.Time) string {
		_, _, file := w.pki[id].IssueFiles(name, pkitest.Request{Name: name, Use: use, NotBefore: from, NotAfter: until})
		return file
	}
	year := func(n int) time.Time { return autumn.AddDate(n, 0, 0) }
	sameKey := w.pki["tw"].Must(w.pki["tw"].Issue(pkitest.Request{Name: "same key", Use: pkitest.MessageSignature, Key: w.issued["tw"][partners.UseMessageSignature].Key, NotBefore: summer, NotAfter: year(1)}))
	_, sameKeyFile := w.pki["tw"].Write(sameKey, "same-key")
	message := partners.UseMessageSignature
	tests := []struct {
		name              string
		file              string
		use               partners.Use
		from              time.Time
		refused, warnings []string
	}{
		{"a good one", issue("tw", "good", pkitest.MessageSignature, summer, year(1)), message, time.Time{}, nil, nil},
		{"of another PKI", issue("my", "other", pkitest.MessageSignature, summer, year(1)), message, time.Time{}, []string{"does not chain to the partner's anchors"}, nil},
		{"key of another partner", w.file("my", "message-signature.pem"), message, time.Time{}, []string{"a key belongs to one party"}, nil},
		{"a private key", w.file("tw", "message-signature.key"), message, time.Time{}, []string{"private key"}, nil},
		{"no file", filepath.Join(t.TempDir(), "none.pem"), message, time.Time{}, []string{"no such file"}, nil},
		{"same key", sameKeyFile, message, time.Time{}, nil, []string{"it has the key of"}},
		{"there already", w.file("tw", "message-signature.pem"), message, time.Time{}, nil, []string{"it is there already, active"}},
		{"a gap", issue("tw", "late", pkitest.MessageSignature, year(1), year(2)), message, time.Time{}, nil, []string{"nothing counts from 2026-10-01T00:00:00Z", "until 2027-10-01T00:00:00Z"}},
		{"a gap by its window", issue("tw", "narrowed", pkitest.MessageSignature, summer, year(2)), message, year(1), nil, []string{"nothing counts from"}},
		{"ends first", issue("tw", "short", pkitest.MessageSignature, spring, summer.Add(days)), message, time.Time{}, nil, []string{"before those that are there"}},
		{"ended", issue("tw", "over", pkitest.MessageSignature, spring, summer.Add(-days)), message, time.Time{}, nil, []string{"it has ended", "before those that are there"}},
		{"outlives the agreement", issue("tw", "long", pkitest.MessageSignature, summer, year(3)), message, time.Time{}, nil, []string{`agreement "cpa-tw" ends 2028-10-01T00:00:00Z, before the credential`}},
		{"not for servers", issue("tw", "client", pkitest.TLSClient, summer, year(1)), partners.UseTLSServer, time.Time{}, nil, []string{"serverAuth"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			e, err := w.config.Examine(partners.Candidate{
				Partner: "tw", Use: test.use, CredentialConfig: partners.CredentialConfig{File: test.file, From: test.from},
			}, summer)
			if err != nil {
				t.Fatal(err)
			}
			if got := strings.Join(e.Refused, "; "); len(test.refused) == 0 && got != "" || !containsAll(got, test.refused) {
				t.Errorf("refused for %q, want %q", got, test.refused)
			}
			if got := strings.Join(e.Warnings, "; "); len(test.warnings) == 0 && got != "" && test.use == message || !containsAll(got, test.warnings) {
				t.Errorf("warnings %q, want %q", got, test.warnings)
			}
		})
	}
	if _, err := w.config.Examine(partners.Candidate{Partner: "xx", Use: message}, summer); !errors.Is(err, partners.ErrUnknownPartner) {
		t.Errorf("of nobody: %v", err)
	}
	if _, err := w.config.Examine(partners.Candidate{Partner: "tw", Use: partners.UseDocumentSignature, Body: "NONE"}, summer); !errors.Is(err, partners.ErrUnknownBody) {
		t.Errorf("of no body: %v", err)
	}
	if n := len(w.config.Partners[0].Credentials); n != len(usesOf("tw")) {
		t.Errorf("the configuration has %d credentials afterwards", n)
	}
}
