package signing_test

import (
	"bytes"
	"crypto/x509"
	"encoding/xml"
	"errors"
	"strings"
	"testing"

	"github.com/ecogate/ecogate/internal/pkitest"
	"github.com/ecogate/ecogate/signing"
)

var agreementPath = []xml.Name{{Local: "a"}, {Local: "s"}}

const agreementText = `<a><!-- terms --><b x="1"> text </b><s/></a>`

// signers are credentials with their keys, of three kinds.
func signers(t *testing.T) (keys []signing.Key, credentials []*x509.Certificate) {
	t.Helper()
	pki := pkitest.NewTest(t, pkitest.Options{Country: "AA", Organisation: "Parties"})
	for _, algorithm := range []pkitest.Algorithm{pkitest.P256, pkitest.RSA2048, pkitest.Ed25519} {
		c := pki.Must(pki.Issue(pkitest.Request{Name: string(algorithm), Use: pkitest.DocumentSignature, Algorithm: algorithm}))
		key, err := signing.NewKey(c.Key, c.Chain)
		if err != nil {
			t.Fatal(err)
		}
		keys, credentials = append(keys, key), append(credentials, c.X509Cert)
	}
	return keys, credentials
}

func countersigned(t *testing.T, doc string, keys ...signing.Key) []byte {
	t.Helper()
	out := []byte(doc)
	for _, key := range keys {
		var err error
		if out, err = signing.Countersign(out, agreementPath, key); err != nil {
			t.Fatal(err)
		}
	}
	return out
}

func TestEachSignatureCoversThoseBeforeIt(t *testing.T) {
	keys, credentials := signers(t)
	for n := 1; n <= len(keys); n++ {
		doc := countersigned(t, agreementText, keys[:n]...)
		verified, err := signing.VerifySignatures(doc, agreementPath, credentials, signing.Policy{})
		if err != nil || len(verified) != n {
			t.Fatalf("%d signatures: %v, %d verified", n, err, len(verified))
		}
		for i, v := range verified {
			if !v.Signer.Equal(credentials[i]) || bytes.Count(v.Octets, []byte("<ds:Signature ")) != i {
				t.Errorf("signature %d of %d: by %s over %s", i+1, n, v.Signer.Subject, v.Octets)
			}
		}
		if want := `<a><b x="1"> text </b><s></s></a>`; string(verified[0].Octets) != want {
			t.Errorf("got %s, want %s", verified[0].Octets, want)
		}
	}
}

func TestSeveralSignaturesAreRefused(t *testing.T) {
	keys, credentials := signers(t)
	doc := string(countersigned(t, agreementText, keys[:2]...))
	second := strings.LastIndex(doc, "<ds:Signature ")
	end := strings.Index(doc, "</s>")
	first, last := doc[strings.Index(doc, "<ds:Signature "):second], doc[second:end]
	third := string(countersigned(t, agreementText, keys...))
	for _, test := range []struct {
		name, doc string
		want      error
	}{
		{"content changed", strings.Replace(doc, "text", "test", 1), signing.ErrDigest},
		{"first taken away", strings.Replace(doc, first, "", 1), signing.ErrDigest},
		{"exchanged", strings.Replace(doc, first+last, last+first, 1), signing.ErrDigest},
		{"text between them", strings.Replace(doc, first, first+" ", 1), signing.ErrDigest},
		{"none", agreementText, signing.ErrUnsigned},
		{"one elsewhere", strings.Replace(doc, "<b ", "<ds:Signature xmlns:ds='http://www.w3.org/2000/09/xmldsig#'/><b ", 1), signing.ErrMalformed},
		{"one within another", strings.Replace(doc, "<ds:X509Data>", "<ds:Signature/><ds:X509Data>", 1), signing.ErrMalformed},
		{"two places", strings.Replace(doc, last+"</s>", "</s><s>"+last+"</s>", 1), signing.ErrMalformed},
		{"four", strings.Replace(third, "</s>", last+"</s>", 1), signing.ErrMalformed},
		{"not XML", doc[:len(doc)-1], signing.ErrMalformed},
	} {
		t.Run(test.name, func(t *testing.T) {
			if _, err := signing.VerifySignatures([]byte(test.doc), agreementPath, credentials, signing.Policy{}); !errors.Is(err, test.want) {
				t.Errorf("got %v, want %v", err, test.want)
			}
		})
	}
	if _, err := signing.VerifySignatures([]byte(doc), agreementPath, credentials[:1], signing.Policy{}); !errors.Is(err, signing.ErrUnknownSigner) {
		t.Errorf("a signer that is no candidate: %v", err)
	}
	// The first verifies without those that were added after it; the second does not without the first.
	if _, err := signing.VerifySignatures([]byte(strings.Replace(doc, last, "", 1)), agreementPath, credentials, signing.Policy{}); err != nil {
		t.Errorf("the first alone: %v", err)
	}
}

func TestCountersignKeepsToThePlace(t *testing.T) {
	keys, _ := signers(t)
	full := countersigned(t, agreementText, keys...)
	elsewhere := countersigned(t, agreementText, keys[0])
	for name, doc := range map[string][]byte{
		"three there":    full,
		"one elsewhere":  bytes.Replace(elsewhere, []byte("<s>"), []byte("<s/><t>"), 1),
		"no such place":  []byte("<a/>"),
		"two places":     []byte("<a><s/><s/></a>"),
		"no XML":         []byte("<a>"),
		"another's path": bytes.ReplaceAll(bytes.Replace(elsewhere, []byte("<s>"), []byte("<s/><t>"), 1), []byte("</s></a>"), []byte("</t></a>")),
	} {
		if _, err := signing.Countersign(doc, agreementPath, keys[1]); !errors.Is(err, signing.ErrMalformed) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
