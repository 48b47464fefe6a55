package cpa_test

import (
	"strings"
	"testing"

	"github.com/ecogate/ecogate/internal/pkitest"
	"github.com/ecogate/ecogate/partners"
	"github.com/ecogate/ecogate/partners/cpa"
	"github.com/ecogate/ecogate/signing"
)

func TestSignaturesSayWhoSigned(t *testing.T) {
	c := mustRead(t, shapes(t)["signed"])
	if len(c.Signatures) != 2 {
		t.Fatalf("%d signatures", len(c.Signatures))
	}
	for i, s := range c.Signatures {
		if s.Party != i || !strings.Contains(s.Signer.Subject.String(), "messages") || !strings.HasSuffix(s.Algorithm, "rsa-sha256") {
			t.Errorf("signature %d: party %d, %s, %s", i, s.Party, s.Signer.Subject, s.Algorithm)
		}
	}
	if got := as(t, c, 0); got.Refused() {
		t.Error(got.Findings)
	}
}

// signedBy adds signatures to a written CPA.
func signedBy(t *testing.T, doc []byte, keys ...*pkitest.Credential) []byte {
	t.Helper()
	for _, c := range keys {
		key, err := signing.NewKey(c.Key, c.Chain)
		if err != nil {
			t.Fatal(err)
		}
		doc, err = cpa.Sign(doc, key)
		if err != nil {
			t.Fatal(err)
		}
	}
	return doc
}

// A notary's signature verifies, and the CPA says nothing about who that is; so does that of the CA that one party trusts.
func TestSignerThatNoPartyUsesIsNamed(t *testing.T) {
	e := exported(t)
	e.Agreements = []partners.AgreementConfig{{CPAID: "x", Partner: "beta", Service: partners.Service{Type: "t", Value: "s"}, Action: "Submit", OwnRole: "a", PartnerRole: "b", Endpoint: "https://beta.example/"}}
	pki := pkitest.NewTest(t, pkitest.Options{Country: "AA", Organisation: "Notaries"})
	notary := pki.Must(pki.Issue(pkitest.Request{Name: "notary", Use: pkitest.DocumentSignature, Algorithm: pkitest.RSA2048}))
	e.Partner.Anchors = append(e.Partner.Anchors, pki.Issuing.X509Cert)
	doc, err := cpa.Write(e)
	if err != nil {
		t.Fatal(err)
	}
	signed := signedBy(t, doc, notary, pki.Issuing)
	c := mustRead(t, signed)
	for i, s := range c.Signatures {
		if s.Party != -1 {
			t.Errorf("signature %d is said to be of party %d", i, s.Party)
		}
	}
	found := 0
	for _, f := range as(t, c, 0).Findings {
		if f.Severity == cpa.Warned && strings.Contains(f.Text, "whose credential no party of the CPA has") {
			found++
		}
	}
	if found != 2 {
		t.Errorf("%d warnings, want one of each signature", found)
	}
}

func TestSignKeepsWhatIsThere(t *testing.T) {
	pki := pkitest.NewTest(t, pkitest.Options{Country: "AA", Organisation: "Notaries"})
	notary := pki.Must(pki.Issue(pkitest.Request{Name: "notary", Use: pkitest.DocumentSignature}))
	for name, doc := range shapes(t) {
		before := mustRead(t, doc)
		signed := mustRead(t, signedBy(t, doc, notary))
		if got, want := len(signed.Signatures), len(before.Signatures)+1; got != want {
			t.Errorf("%s: %d signatures, want %d", name, got, want)
		}
		if d := cpa.Diff(before, signed); len(d) > 0 {
			t.Errorf("%s: the signature changed %v", name, d)
		}
	}
	if _, err := cpa.Sign([]byte("<a/>"), signing.Key{}); err == nil {
		t.Error("signed what is no CPA")
	}
}

func TestSignedCPAFollowsTheSchema(t *testing.T) {
	engine := schema(t)
	pki := pkitest.NewTest(t, pkitest.Options{Country: "AA", Organisation: "Notaries"})
	notary := pki.Must(pki.Issue(pkitest.Request{Name: "notary", Use: pkitest.DocumentSignature}))
	for name, doc := range shapes(t) {
		validate(t, engine, name, signedBy(t, doc, notary))
	}
}
