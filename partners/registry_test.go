package partners_test

import (
	"encoding/xml"
	"errors"
	"fmt"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ecogate/ecogate/eco"
	"github.com/ecogate/ecogate/internal/pkitest"
	"github.com/ecogate/ecogate/partners"
	"github.com/ecogate/ecogate/signing"
)

func TestIssuingBodyIsAuthorisedByCountryFormAndTime(t *testing.T) {
	w := newWorld(t)
	old := w.config.Partners[0].Issuers[0]
	_, _, chamberFile := w.pki["tw"].IssueFiles("chamber", pkitest.Request{Name: "chamber"})
	w.config.Partners[0].Issuers = []partners.IssuerConfig{
		// The same body may issue another form for a while, with a credential for that.
		{ID: "BODY", Forms: []eco.FormCode{otherForm}, From: spring, Until: autumn, Credentials: []partners.CredentialConfig{{File: chamberFile}}},
		old,
		{ID: "MUTE", Country: "CN", Forms: []eco.FormCode{form}},
	}
	r := w.open(t)
	tests := []struct {
		name          string
		partner       string
		country, body string
		form          eco.FormCode
		at            time.Time
		want          error
		signers       string
	}{
		{"authorised", "tw", "TW", "BODY", form, summer, nil, "tw document-signature"},
		{"other form, its own credential", "tw", "TW", "BODY", otherForm, summer, nil, "chamber"},
		{"first instant", "tw", "TW", "BODY", otherForm, spring, nil, "chamber"},
		{"a second before", "tw", "TW", "BODY", otherForm, spring.Add(-time.Second), partners.ErrOutsideAuthorisation, ""},
		{"last second", "tw", "TW", "BODY", otherForm, autumn.Add(-time.Second), nil, "chamber"},
		{"end", "tw", "TW", "BODY", otherForm, autumn, partners.ErrOutsideAuthorisation, ""},
		{"form of nobody", "tw", "TW", "BODY", "LA-GSP-A", summer, partners.ErrFormNotAuthorised, ""},
		{"unknown body", "tw", "TW", "NOBODY", form, summer, partners.ErrUnknownBody, ""},
		{"body in another country", "tw", "CN", "BODY", form, summer, partners.ErrUnknownBody, ""},
		{"a hub's body, without credentials", "tw", "CN", "MUTE", form, summer, nil, ""},
		{"body of another partner", "my", "TW", "BODY", form, summer, partners.ErrUnknownBody, ""},
		{"own body", "", "KR", "BODY", form, summer, nil, "kr document-signature"},
		{"own body, other form", "", "KR", "BODY", otherForm, summer, partners.ErrFormNotAuthorised, ""},
		{"unknown partner", "xx", "TW", "BODY", form, summer, partners.ErrUnknownPartner, ""},
		{"credential ended, authorisation not", "tw", "TW", "BODY", form, summer.AddDate(20, 0, 0), nil, ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			query := partners.IssuerQuery{Country: test.country, Body: test.body, Form: test.form}
			list, err := r.DocumentCredentials(test.partner, query, test.at)
			if !errors.Is(err, test.want) || names(list) != test.signers {
				t.Errorf("got %q, %v; want %q, %v", names(list), err, test.signers, test.want)
			}
		})
	}
}

func TestKeyIsOfItsUseAndBody(t *testing.T) {
	w := newWorld(t)
	_, keyFile, chainFile := w.pki["kr"].IssueFiles("second", pkitest.Request{Name: "second", Use: pkitest.DocumentSignature})
	w.config.Node.Issuers = append(w.config.Node.Issuers, partners.OwnIssuerConfig{
		ID: "SECOND", Forms: []eco.FormCode{otherForm}, Keys: []partners.KeyConfig{{KeyFile: keyFile, ChainFile: chainFile}},
	})
	r := w.open(t)
	for _, test := range []struct {
		use  partners.Use
		body string
		want string
	}{
		{partners.UseMessageSignature, "", "kr message-signature"},
		{partners.UseTLSServer, "", "kr tls-server"},
		{partners.UseTLSClient, "", "kr tls-client"},
		{partners.UseDocumentSignature, "BODY", "kr document-signature"},
		{partners.UseDocumentSignature, "SECOND", "second"},
		{partners.UseDocumentSignature, "", ""},
		{partners.UseDocumentSignature, "THIRD", ""},
		{partners.UseMessageSignature, "BODY", ""},
	} {
		key, err := r.Key(test.use, test.body, summer)
		switch {
		case test.want == "" && !errors.Is(err, partners.ErrNoKey):
			t.Errorf("%s of %q: error %v, want ErrNoKey", test.use, test.body, err)
		case test.want != "" && err != nil:
			t.Errorf("%s of %q: %v", test.use, test.body, err)
		case test.want != "" && (key.Chain[0].Subject.CommonName != test.want || len(key.Chain) != 2 || key.Signer == nil):
			t.Errorf("%s of %q: chain of %d, key %q", test.use, test.body, len(key.Chain), key.Chain[0].Subject)
		}
	}
}

func TestPartnersAndSelfAreAsConfigured(t *testing.T) {
	w := newWorld(t)
	w.config.Partners[0].Role = "customs"
	w.config.Agreements[0].OwnRole = "customs"
	r := w.open(t)
	issuer := func(country string) []partners.Issuer {
		return []partners.Issuer{{ID: "BODY", Country: country, Forms: []eco.FormCode{form}}}
	}
	self := partners.Self{ID: "kr", Name: "Customs of Korea", Country: "KR", PartyIDs: partyIDs("kr"), Issuers: issuer("KR")}
	if diff := cmp.Diff(self, r.Self()); diff != "" {
		t.Errorf("self (-want +got):\n%s", diff)
	}
	list := []partners.Partner{
		{ID: "tw", Name: "Customs of tw", Country: "TW", PartyIDs: partyIDs("tw"), Role: "customs", Issuers: issuer("TW"), Mode: partners.ModeLive},
		{ID: "my", Name: "Customs of my", Country: "MY", PartyIDs: partyIDs("my"), Issuers: issuer("MY"), Mode: partners.ModeLive},
	}
	if diff := cmp.Diff(list, r.Partners()); diff != "" {
		t.Errorf("partners (-want +got):\n%s", diff)
	}
	if got, ok := r.Partner("my"); !ok || got.ID != "my" {
		t.Errorf("Partner gives %v, %t", got, ok)
	}
	if got, ok := r.Partner(""); ok {
		t.Errorf("a partner without id is %v", got)
	}
	if list := r.Credentials("xx", partners.UseMessageSignature, summer); len(list) != 0 {
		t.Errorf("an unknown partner has %d credentials", len(list))
	}
	if id, ok := r.PartnerByTLS(nil, summer); ok {
		t.Errorf("no credential is TLS client %q", id)
	}
}

func TestReloadTakesEffectWholeOrNotAtAll(t *testing.T) {
	w := newWorld(t)
	r := w.open(t)
	fewer := w.config
	fewer.Partners, fewer.Agreements = w.config.Partners[:1], w.config.Agreements[:1]
	broken := w.config
	broken.Agreements = []partners.AgreementConfig{{}}

	var readers sync.WaitGroup
	stop := make(chan struct{})
	for range 2 {
		readers.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				if n := len(r.Partners()); n != 1 && n != 2 {
					t.Errorf("%d partners seen", n)
				}
				if got := names(r.Credentials("tw", partners.UseMessageSignature, summer)); got != "tw message-signature" {
					t.Errorf("%q count while reloading", got)
				}
			}
		})
	}
	for i, config := range []partners.Config{fewer, w.config, fewer} {
		if err := r.Reload(config); err != nil {
			t.Fatalf("reload %d: %v", i, err)
		}
	}
	close(stop)
	readers.Wait()
	if err := r.Reload(broken); err == nil {
		t.Error("a broken configuration was taken")
	}
	if n := len(r.Partners()); n != 1 {
		t.Errorf("after a refused reload there are %d partners", n)
	}
}

func ExampleRegistry_Credentials() {
	dir, err := os.MkdirTemp("", "partners")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	pki, err := pkitest.New(pkitest.Options{Country: "TW", Organisation: "Example"})
	if err != nil {
		fmt.Println(err)
		return
	}
	c, err := pki.Issue(pkitest.Request{Name: "message signature"})
	if err != nil {
		fmt.Println(err)
		return
	}
	root, _ := pki.Root.WriteCredential(dir, "root")
	file, _ := c.WriteCredential(dir, "message")

	registry, err := partners.New(partners.Config{
		Node: partners.NodeConfig{ID: "kr", Country: "KR", PartyIDs: []partners.PartyID{{Value: "urn:customs:kr"}}},
		Partners: []partners.PartnerConfig{{
			ID: "tw", Country: "TW", PartyIDs: []partners.PartyID{{Value: "urn:customs:tw"}},
			AnchorFiles: []string{root},
			Credentials: []partners.CredentialConfig{{Uses: []partners.Use{partners.UseMessageSignature}, File: file, From: summer}},
		}},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(len(registry.Credentials("tw", partners.UseMessageSignature, summer.Add(-time.Second))))
	fmt.Println(len(registry.Credentials("tw", partners.UseMessageSignature, summer)))
	// Output:
	// 0
	// 1
}

// TestEveryUseTakesEveryKindOfKey: what signs also does for TLS, at the node and at its partners.
func TestEveryUseTakesEveryKindOfKey(t *testing.T) {
	for _, kind := range []pkitest.Algorithm{pkitest.P256, pkitest.RSA2048, pkitest.Ed25519} {
		t.Run(string(kind), func(t *testing.T) {
			w := newWorld(t)
			for _, id := range []string{"kr", "tw"} {
				for _, use := range partners.Uses() {
					if kind == pkitest.Ed25519 && use == partners.UseEncryption {
						continue // which it cannot
					}
					w.pki[id].IssueFiles(string(use), pkitest.Request{Name: id, Use: pkitest.Use(use), Algorithm: kind})
				}
			}
			r := w.open(t)
			key, err := r.Key(partners.UseMessageSignature, "", summer)
			if err != nil {
				t.Fatal(err)
			}
			tw := &world{pki: w.pki}
			tw.config = partners.Config{
				Node:     partners.NodeConfig{ID: "tw", Country: "TW", PartyIDs: partyIDs("tw"), Keys: []partners.KeyConfig{w.key("tw", partners.UseTLSServer)}},
				Partners: []partners.PartnerConfig{tw.partner("kr")},
			}
			clientErr, serverErr := handshake(t, r.ClientTLS("tw", at(summer)), tw.open(t).ServerTLS(at(summer)), "tw.example")
			if clientErr != nil || serverErr != nil {
				t.Errorf("handshake: client %v, server %v", clientErr, serverErr)
			}
			document := []byte("<a/>")
			place := []xml.Name{{Local: "a"}}
			signed, err := signing.SignDocument(document, place, key)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := signing.VerifyDocument(signed, place, key.Chain[:1], signing.Policy{}); err != nil {
				t.Error(err)
			}
		})
	}
}
