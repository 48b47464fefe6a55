package cpa_test

import (
	"bytes"
	"encoding/xml"
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
	const space = "http://www.oasis-open.org/committees/ebxml-cppa/schema/cpp-cpa-2_0.xsd"
	doc = bytes.Replace(doc, []byte("  <tp:Comment"), []byte("  <tp:Signature/>\n  <tp:Comment"), 1)
	for _, c := range keys {
		key, err := signing.NewKey(c.Key, c.Chain)
		if err != nil {
			t.Fatal(err)
		}
		doc, err = signing.Countersign(doc, []xml.Name{{Space: space, Local: "CollaborationProtocolAgreement"}, {Space: space, Local: "Signature"}}, key)
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
	c := mustRead(t, signedBy(t, doc, notary, pki.Issuing))
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
