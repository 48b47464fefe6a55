package partners_test

import (
	"testing"
	"time"

	"github.com/ecogate/ecogate/internal/pkitest"
	"github.com/ecogate/ecogate/partners"
)

// counts asks, for one use, every question that depends on whether a credential counts, and checks that they agree.
func counts(t *testing.T, r *partners.Registry, partner string, use partners.Use, c *pkitest.Credential, at time.Time) bool {
	t.Helper()
	has := func(list []partners.Credential) bool {
		for _, got := range list {
			if got.X509Cert.Equal(c.X509Cert) && got.Use == use && got.Partner == partner {
				return true
			}
		}
		return false
	}
	answer := has(r.Credentials(partner, use, at))
	if use == partners.UseDocumentSignature {
		country := "TW"
		if partner == "" {
			country = "KR"
		}
		list, err := r.DocumentCredentials(partner, partners.IssuerQuery{Country: country, Body: "BODY", Form: form}, at)
		if err != nil {
			t.Fatal(err)
		}
		if has(list) != answer {
			t.Errorf("DocumentCredentials says %t, Credentials %t", has(list), answer)
		}
	}
	if use == partners.UseTLSClient && partner != "" {
		if id, ok := r.PartnerByTLS(c.X509Cert, at); ok != answer || ok && id != partner {
			t.Errorf("PartnerByTLS says %q, %t, Credentials %t", id, ok, answer)
		}
	}
	if partner == "" {
		body := ""
		if use == partners.UseDocumentSignature {
			body = "BODY"
		}
		key, err := r.Key(use, body, at)
		if got := err == nil && key.Chain[0].Equal(c.X509Cert); got != answer {
			t.Errorf("Key says %t, Credentials %t", got, answer)
		}
	}
	return answer
}

func TestCredentialCountsExactlyInItsWindow(t *testing.T) {
	never := time.Time{}
	tests := []struct {
		name                string
		notBefore, notAfter time.Time
		from, until         time.Time
		first, last         time.Time // [first, last)
	}{
		{"its own validity", spring, autumn, never, never, spring, autumn},
		{"from later", spring, autumn, summer, never, summer, autumn},
		{"from earlier", summer, autumn, spring, never, summer, autumn},
		{"until earlier", spring, autumn, never, summer, spring, summer},
		{"until later", spring, summer, never, autumn, spring, summer},
		{"both inside", spring, autumn, summer, summer.Add(time.Second), summer, summer.Add(time.Second)},
		{"from at its end but one", spring, autumn, autumn.Add(-time.Second), never, autumn.Add(-time.Second), autumn},
	}
	w := newWorld(t)
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			for _, use := range partners.Uses() {
				request := pkitest.Request{Name: "one", Use: pkitest.Use(use), NotBefore: test.notBefore, NotAfter: test.notAfter}
				for _, partner := range []string{"", "tw"} {
					if partner == "" && use == partners.UseTimeStamp {
						continue
					}
					r, c := w.withOne(t, partner, use, request, test.from, test.until)
					for _, at := range []struct {
						name string
						time time.Time
						want bool
					}{
						{"a second before", test.first.Add(-time.Second), false},
						{"a nanosecond before", test.first.Add(-1), false},
						{"first instant", test.first, true},
						{"first instant in another zone", test.first.In(time.FixedZone("KST", 9*3600)), true},
						{"last second", test.last.Add(-time.Second), true},
						{"last nanosecond", test.last.Add(-1), true},
						{"end", test.last, false},
						{"a second after", test.last.Add(time.Second), false},
					} {
						if got := counts(t, r, partner, use, c, at.time); got != at.want {
							t.Errorf("%s of %q, %s: counts = %t", use, partner, at.name, got)
						}
					}
				}
			}
		})
	}
}

// withOne is the registry of w with one credential, made to request, as the only one of partner ("" for the node) for use.
func (w *world) withOne(t *testing.T, partner string, use partners.Use, request pkitest.Request, from, until time.Time) (*partners.Registry, *pkitest.Credential) {
	t.Helper()
	config := w.config
	if partner == "" {
		c, keyFile, chainFile := w.pki["kr"].IssueFiles("one", request)
		key := partners.KeyConfig{KeyFile: keyFile, ChainFile: chainFile, From: from, Until: until}
		if use == partners.UseDocumentSignature {
			issuer := config.Node.Issuers[0]
			issuer.Keys = []partners.KeyConfig{key}
			config.Node.Issuers = []partners.OwnIssuerConfig{issuer}
		} else {
			key.Uses = []partners.Use{use}
			config.Node.Keys = []partners.KeyConfig{key}
		}
		return (&world{config: config}).open(t), c
	}
	c, _, file := w.pki[partner].IssueFiles("one", request)
	entry := partners.CredentialConfig{File: file, From: from, Until: until}
	p := w.partner(partner)
	if use == partners.UseDocumentSignature {
		p.Issuers[0].Credentials = []partners.CredentialConfig{entry}
	} else {
		entry.Uses = []partners.Use{use}
		p.Credentials = []partners.CredentialConfig{entry}
	}
	config.Partners = []partners.PartnerConfig{p}
	config.Agreements = nil
	return (&world{config: config}).open(t), c
}

func TestOverlappingCredentialsAllCountAndTheNewestSigns(t *testing.T) {
	w := newWorld(t)
	tw, kr := w.pki["tw"], w.pki["kr"]
	_, _, oldFile := tw.IssueFiles("old", pkitest.Request{Name: "old", NotBefore: spring, NotAfter: autumn})
	_, _, newFile := tw.IssueFiles("new", pkitest.Request{Name: "new", NotBefore: spring})
	w.config.Partners[0].Credentials = []partners.CredentialConfig{
		{Uses: transportUses, File: oldFile},
		{Uses: transportUses, File: newFile, From: summer},
	}
	_, oldKey, oldChain := kr.IssueFiles("old", pkitest.Request{Name: "old", NotBefore: spring, NotAfter: autumn})
	_, newKey, newChain := kr.IssueFiles("new", pkitest.Request{Name: "new", NotBefore: spring})
	w.config.Node.Keys = []partners.KeyConfig{
		{Uses: transportUses, KeyFile: oldKey, ChainFile: oldChain},
		{Uses: transportUses, KeyFile: newKey, ChainFile: newChain, From: summer},
	}
	r := w.open(t)
	tests := []struct {
		name  string
		at    time.Time
		count string
		key   string
	}{
		{"before both", spring.Add(-time.Second), "", ""},
		{"old alone", summer.Add(-time.Second), "old", "old"},
		{"overlap begins", summer, "new,old", "new"},
		{"overlap ends", autumn.Add(-time.Second), "new,old", "new"},
		{"new alone", autumn, "new", "new"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			for _, use := range transportUses {
				for _, partner := range []string{"tw", ""} {
					if got := names(r.Credentials(partner, use, test.at)); got != test.count {
						t.Errorf("%s of %q: %q count, want %q", use, partner, got, test.count)
					}
				}
				key, err := r.Key(use, "", test.at)
				got := ""
				if err == nil {
					got = key.Chain[0].Subject.CommonName
				}
				if got != test.key {
					t.Errorf("key for %s is %q (%v), want %q", use, got, err, test.key)
				}
			}
		})
	}
}

func TestCredentialCountsOnlyWhileItsChainHolds(t *testing.T) {
	w := newWorld(t)
	// The CA is valid from summer to autumn only, the credential for years.
	short := pkitest.NewTest(t, pkitest.Options{Country: "TW", Organisation: "Short", NotBefore: summer, NotAfter: autumn})
	_, _, file := short.IssueFiles("leaf", pkitest.Request{Name: "leaf"})
	w.config.Partners[0].AnchorFiles = []string{short.Dir + "/root.pem"}
	w.config.Partners[0].Credentials = []partners.CredentialConfig{{Uses: transportUses, File: file}}
	w.config.Partners[0].Issuers = nil
	r := w.open(t)
	for _, test := range []struct {
		at   time.Time
		want string
	}{
		{summer.Add(-time.Second), ""}, {summer, "leaf"}, {autumn.Add(-time.Second), "leaf"}, {autumn, ""}, {autumn.Add(time.Second), ""},
	} {
		if got := names(r.Credentials("tw", partners.UseMessageSignature, test.at)); got != test.want {
			t.Errorf("at %s: %q counts, want %q", test.at, got, test.want)
		}
	}
}

func TestPinnedCredentialCountsWithoutAPKI(t *testing.T) {
	w := newWorld(t)
	alone := w.pki["tw"].Must(w.pki["tw"].SelfSigned(pkitest.Request{Name: "alone", NotBefore: spring, NotAfter: autumn}))
	_, file := w.pki["tw"].Write(alone, "alone")
	p := &w.config.Partners[0]
	p.Credentials = []partners.CredentialConfig{{Uses: transportUses, File: file}}
	w.wantRefused(t, "partners[0].credentials[0].file", "alone.pem", "does not chain to the partner's anchors")

	p.AnchorFiles = append(p.AnchorFiles, file)
	r := w.open(t)
	for _, use := range transportUses {
		if !counts(t, r, "tw", use, alone, summer) {
			t.Errorf("%s: the pinned credential does not count", use)
		}
		if counts(t, r, "tw", use, alone, autumn) {
			t.Errorf("%s: the pinned credential counts after its end", use)
		}
	}
}

func TestIntermediatesMayComeInAFileOfTheirOwn(t *testing.T) {
	w := newWorld(t)
	tw := w.pki["tw"]
	bare := tw.Must(tw.Issue(pkitest.Request{Name: "bare"}))
	bare.Chain = bare.Chain[:1]
	_, file := tw.Write(bare, "bare")
	_, issuing := tw.Write(tw.Issuing, "issuing")
	w.config.Partners[0].Credentials = []partners.CredentialConfig{{Uses: transportUses, File: file}}
	w.wantRefused(t, "partners[0].credentials[0].file", "does not chain")
	w.config.Partners[0].IntermediateFiles = []string{issuing}
	if !counts(t, w.open(t), "tw", partners.UseMessageSignature, bare, summer) {
		t.Error("the credential does not count")
	}
}

// TestNoCredentialCountsForAnotherPartner is the matrix of parties: for every use only the diagonal counts.
func TestNoCredentialCountsForAnotherPartner(t *testing.T) {
	w := newWorld(t)
	r := w.open(t)
	for holder, credentials := range w.issued {
		for asked, partner := range map[string]string{"kr": "", "tw": "tw", "my": "my"} {
			for held, c := range credentials {
				for _, use := range partners.Uses() {
					want := holder == asked && held == use && (holder != "kr" || use != partners.UseTimeStamp)
					for _, got := range r.Credentials(partner, use, summer) {
						if got.X509Cert.Equal(c.X509Cert) != want {
							t.Errorf("%s credential of %s counts for %s as %s = %t", held, holder, asked, use, !want)
						}
					}
				}
				id, ok := r.PartnerByTLS(c.X509Cert, summer)
				if want := holder != "kr" && held == partners.UseTLSClient; ok != want || ok && id != holder {
					t.Errorf("%s credential of %s is TLS client %q, %t", held, holder, id, ok)
				}
			}
		}
	}
}
