package signing_test

import (
	"crypto"
	"crypto/x509"
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ecogate/ecogate/signing"
)

// agreeOnDocument holds InspectDocument to what VerifyDocument says, as agree does for messages.
func agreeOnDocument(t *testing.T, doc []byte, candidates []*x509.Certificate, p signing.Policy) {
	t.Helper()
	got, path, err := signing.InspectDocument(doc, p)
	if err != nil {
		if _, verr := signing.VerifyDocument(doc, documentPath, candidates, p); verr == nil || verr.Error() != err.Error() {
			t.Errorf("inspection ends with %v, verification with %v", err, verr)
		}
		return
	}
	if path == nil { // there is no signature with a parent, whatever VerifyDocument is asked for
		if _, verr := signing.VerifyDocument(doc, documentPath, candidates, p); verr == nil || got.Refused == nil {
			t.Errorf("inspection refuses with %v, verification with %v", got.Refused, verr)
		}
		return
	}
	_, verr := signing.VerifyDocument(doc, path, candidates, p)
	differs := func(r signing.InspectedReference) bool { return r.Finding != signing.FindingMatches }
	switch {
	case got.Refused != nil && (verr == nil || verr.Error() != got.Refused.Error()):
		t.Errorf("inspection refuses with %v, verification with %v", got.Refused, verr)
	case verr == nil && (len(got.References) == 0 || slices.ContainsFunc(got.References, differs)):
		t.Errorf("it verifies, but %q", findings(got))
	case errors.Is(verr, signing.ErrDigest) && !slices.ContainsFunc(got.References, differs):
		t.Errorf("nothing differs, verification says %v", verr)
	}
}

func TestInspectDocumentAgreesWithVerifyDocument(t *testing.T) {
	candidates, policy := xadesPolicy(t)
	others, err := signing.ReadCredentials(read(t, filepath.Join(hostileFolder, "credential.pem")))
	if err != nil {
		t.Fatal(err)
	}
	for _, pattern := range []string{"*.txt", "xades/*.txt", "../xsw/*.txt"} {
		files, err := filepath.Glob(filepath.Join(hostileFolder, pattern))
		if err != nil || len(files) == 0 {
			t.Fatal("no files", err)
		}
		for _, path := range files {
			if file := readHostile(t, path); file.kind == "document" {
				t.Run(filepath.Base(path), func(t *testing.T) {
					agreeOnDocument(t, file.body, append(others, candidates...), policy)
				})
			}
		}
	}
	key := keyOf(t, rsaKey)
	here := strings.Replace(xpath(strings.ReplaceAll(enveloping, ">", "&gt;")), "<ds:XPath>", `<ds:XPath xmlns:dsig="http://www.w3.org/2000/09/xmldsig#">`, 1)
	t.Run("here", func(t *testing.T) { agreeOnDocument(t, rewritten(t, key, here), key.Chain, signing.Policy{}) })
	for name, make := range map[string]func() (crypto.Signer, error){"RSA": rsaKey, "Ed25519": edKey} {
		key := keyOf(t, make)
		t.Run("XAdES "+name, func(t *testing.T) {
			signed := signXAdES(t, key, nil)
			agreeOnDocument(t, signed, key.Chain, signing.Policy{})
			got, _, err := signing.InspectDocument(signed, signing.Policy{})
			if err != nil || len(got.References) != 2 || got.Refused != nil {
				t.Errorf("XAdES has two references: %v, %+v", err, got)
			}
			changed := strings.Replace(string(signed), "<xades:SigningTime>2", "<xades:SigningTime>1", 1)
			agreeOnDocument(t, []byte(changed), key.Chain, signing.Policy{})
		})
	}
}

func FuzzInspectDocument(f *testing.F) {
	candidates, policy := xadesPolicy(f)
	files, err := filepath.Glob(filepath.Join(xadesFolder, "*.txt"))
	if err != nil || len(files) == 0 {
		f.Fatal("no files", err)
	}
	for _, path := range files {
		f.Add(readHostile(f, path).body)
	}
	f.Fuzz(func(t *testing.T, doc []byte) { agreeOnDocument(t, doc, candidates, policy) })
}

// TestXAdESGoesWithTheOtherTransforms has the signed properties beside an enveloped signature in XPath, for each key.
func TestXAdESGoesWithTheOtherTransforms(t *testing.T) {
	here := strings.Replace(xpath(strings.ReplaceAll(enveloping, ">", "&gt;")), "<ds:XPath>", `<ds:XPath xmlns:dsig="http://www.w3.org/2000/09/xmldsig#">`, 1)
	key := keyOf(t, rsaKey)
	signed := string(signXAdES(t, key, nil))
	transforms := `<ds:Transforms>` + between(t, signed, "<ds:Transforms>", "</ds:Transforms>") + `</ds:Transforms>`
	other := strings.Replace(signed, transforms, "<ds:Transforms>"+here+"</ds:Transforms>", 1)
	value := between(t, other, "<ds:SignatureValue>", "</ds:SignatureValue>")
	other = strings.Replace(other, value, craftValue(t, crafted{method: c14n10}, other, key), 1)
	at := time.Date(2026, 11, 25, 0, 0, 0, 0, time.UTC)
	for _, policy := range []signing.Policy{{}, {At: at, Exceptions: []signing.Exception{{Name: signing.ExceptionSHA1, Until: at}, {Name: signing.ExceptionECDSADER}}}} {
		verified, err := signing.VerifyDocument([]byte(other), documentPath, key.Chain, policy)
		if err != nil || verified.SigningTime.IsZero() || len(verified.References) != 1 {
			t.Errorf("got %+v, %v", verified, err)
		}
		agreeOnDocument(t, []byte(other), key.Chain, policy)
	}
}

// TestTypeOfAReferenceInAMessageMeansNothing: signed properties are of documents. In a message a Reference to an Id is refused,
// whatever its Type, and one to a part covers the part.
func TestTypeOfAReferenceInAMessageMeansNothing(t *testing.T) {
	key := keyOf(t, rsaKey)
	typed := func(uri string) string {
		return strings.Replace(bareReference(parts[0]), `URI="`+parts[0].URI+`"`, `Type="http://uri.etsi.org/01903#SignedProperties" URI="`+uri+`"`, 1)
	}
	rest := ""
	for _, part := range parts[1:] {
		rest += bareReference(part)
	}
	for _, test := range []struct {
		name, references string
		want             error
	}{
		{"to a part", typed(parts[0].URI) + rest, nil},
		{"to an Id", bareReference(parts[0]) + rest + typed("#properties"), signing.ErrPolicy},
	} {
		t.Run(test.name, func(t *testing.T) {
			signed := craft(t, crafted{references: test.references}, key)
			if _, err := signing.VerifyMessage(signed, parts, key.Chain, signing.Policy{}); !errors.Is(err, test.want) {
				t.Errorf("got %v, want %v", err, test.want)
			}
			agree(t, test.name, signed, parts, key.Chain)
		})
	}
}

// longContent says that it is long, and is not to be read.
type longContent struct {
	hugeContent
	size int64
}

func (c longContent) Size() int64 { return c.size }

// TestPartsInCanonicalFormAreBoundedTogether: the sizes are known, so a message with too many such octets is refused before a part
// is read and before its signature is worth anything.
func TestPartsInCanonicalFormAreBoundedTogether(t *testing.T) {
	key := keyOf(t, rsaKey)
	references, large := "", []signing.Part{}
	for _, uri := range []string{"cid:a", "cid:b", "cid:c"} {
		references += transformed(uri, canonical, "<a></a>")
		large = append(large, signing.Part{URI: uri, Content: longContent{size: 11 << 20}})
	}
	signed := craft(t, crafted{references: references}, key)
	for name, candidates := range map[string][]*x509.Certificate{"partner": key.Chain, "stranger": keyOf(t, otherRSAKey).Chain} {
		_, err := signing.VerifyMessage(signed, large, candidates, signing.Policy{})
		if !errors.Is(err, signing.ErrMalformed) || !strings.Contains(err.Error(), "octets together") {
			t.Errorf("%s: %v", name, err)
		}
	}
	// Below the bound, the signature value comes before the parts.
	_, err := signing.VerifyMessage(signed, []signing.Part{large[0], large[1], {URI: "cid:c", Content: longContent{size: 1}}}, keyOf(t, otherRSAKey).Chain, signing.Policy{})
	if !errors.Is(err, signing.ErrSignature) {
		t.Errorf("parts were read for a signature that is not true: %v", err)
	}
}
