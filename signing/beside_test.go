package signing_test

import (
	"bytes"
	"crypto/x509"
	"errors"
	"os/exec"
	"strings"
	"testing"

	"github.com/ecogate/ecogate/signing"
)

func TestSecondSignatureIsVerifiedBesideTheFirst(t *testing.T) {
	key, next := keyOf(t, rsaKey), keyOf(t, p256Key)
	signed, refs, err := signing.SignMessageBeside([]byte(envelope), parts, key, next)
	if err != nil {
		t.Fatal(err)
	}
	verified, err := signing.VerifyMessage(signed, parts, key.Chain[:1], signing.Policy{})
	if err != nil || verified.Signer != key.Chain[0] || len(refs) != len(verified.References) || refs[0].DigestValue != verified.References[0].DigestValue {
		t.Fatalf("the first: %+v, %v", verified, err)
	}
	beside, found, err := signing.VerifyMessageBeside(signed, parts, next.Chain[:1], signing.Policy{})
	if err != nil || !found || beside.Signer != next.Chain[0] {
		t.Fatalf("the second: %+v, %v, %v", beside, found, err)
	}
	if _, found, err := signing.VerifyMessageBeside(signed, parts, key.Chain[:1], signing.Policy{}); !found || !errors.Is(err, signing.ErrUnknownSigner) {
		t.Errorf("under another credential: %v, %v", found, err)
	}
	if _, err := signing.VerifyMessage(signed, parts, next.Chain[:1], signing.Policy{}); !errors.Is(err, signing.ErrUnknownSigner) {
		t.Errorf("the second stands in for the first: %v", err)
	} else if named := "it names \"" + key.Chain[0].Subject.String() + "\" (SHA-256 " + signing.Fingerprint(key.Chain[0]) + ")"; !strings.Contains(err.Error(), named) {
		t.Errorf("nobody can tell whose it is: %v; want %s", err, named)
	}
	if i, err := signing.InspectMessage(signed, parts, signing.Policy{}); err != nil || i.Refused != nil || len(i.References) != 3 {
		t.Errorf("inspected: %+v, %v", i, err)
	}
}

// TestXmlsecVerifiesBothSignatures asks an independent implementation: the first must look like that of any message, and the second be
// what its transforms say.
func TestXmlsecVerifiesBothSignatures(t *testing.T) {
	xmlsec := tool(t, "xmlsec1")
	key, next := keyOf(t, rsaKey), keyOf(t, p256Key)
	signed, _, err := signing.SignMessageBeside([]byte(envelope), parts, key, next)
	if err != nil {
		t.Fatal(err)
	}
	message := write(t, "message.xml", signed)
	for _, test := range []struct {
		name, id string
		key, not signing.Key
	}{{"first", `not(@Id)`, key, next}, {"second", `@Id="beside"`, next, key}} {
		verify := func(k signing.Key) (string, error) {
			_, credential := keyFiles(t, k)
			arguments := []string{
				"--verify", "--enabled-key-data", "x509", "--trusted-pem", credential,
				"--node-xpath", `//*[local-name()="Signature"][` + test.id + `]`,
			}
			for _, part := range parts {
				arguments = append(arguments, "--url-map:"+part.URI, write(t, "part", octetsOf(part)))
			}
			out, err := exec.Command(xmlsec, append(arguments, message)...).CombinedOutput()
			return string(out), err
		}
		if out, err := verify(test.key); err != nil {
			t.Errorf("%s: %v\n%s", test.name, err, out)
		}
		if out, err := verify(test.not); err == nil {
			t.Errorf("%s is verified by the other's credential\n%s", test.name, out)
		}
	}
}

func TestMessageWithoutSecondSignatureHasNone(t *testing.T) {
	key := keyOf(t, p256Key)
	signed, _, err := signing.SignMessage([]byte(envelope), parts, key)
	if err != nil {
		t.Fatal(err)
	}
	if _, found, err := signing.VerifyMessageBeside(signed, parts, key.Chain[:1], signing.Policy{}); found || err != nil {
		t.Errorf("found %v, %v", found, err)
	}
}

// TestSecondSignatureOpensNothing: who adds one, takes it away, changes it or gives it another form has a message that is refused.
func TestSecondSignatureOpensNothing(t *testing.T) {
	key, next := keyOf(t, rsaKey), keyOf(t, p256Key)
	alone, _, err := signing.SignMessage([]byte(envelope), parts, key)
	if err != nil {
		t.Fatal(err)
	}
	both, _, err := signing.SignMessageBeside([]byte(envelope), parts, key, next)
	if err != nil {
		t.Fatal(err)
	}
	text := string(both)
	at := strings.Index(text, `<ds:Signature xmlns:ds="http://www.w3.org/2000/09/xmldsig#" Id="beside">`)
	end := strings.LastIndex(text, "</ds:Signature>") + len("</ds:Signature>")
	first := strings.Index(text, "<ds:Signature ")
	second := text[at:end]
	for _, test := range []struct {
		name, message string
		kind          error
	}{
		{"added", strings.Replace(string(alone), "</soap:Header>", second+"</soap:Header>", 1), signing.ErrDigest},
		{"taken away", text[:at] + text[end:], signing.ErrDigest},
		{"changed", strings.Replace(text, `Id="beside"><ds:SignedInfo>`, `Id="beside" ><ds:SignedInfo xml:lang="x">`, 1), signing.ErrDigest},
		{"alone", text[:first] + second + text[end:], signing.ErrPolicy},
		{"before the first", text[:first] + second + text[first:at] + text[end:], signing.ErrMalformed},
		{"twice", text[:end] + second + text[end:], signing.ErrMalformed},
		{"with another Id", strings.Replace(text, `Id="beside"`, `Id="other"`, 1), signing.ErrMalformed},
		{"in the body", strings.Replace(text[:at]+text[end:], "</soap:Body>", second+"</soap:Body>", 1), signing.ErrMalformed},
	} {
		t.Run(test.name, func(t *testing.T) {
			candidates := []*x509.Certificate{key.Chain[0], next.Chain[0]}
			if _, err := signing.VerifyMessage([]byte(test.message), parts, candidates, signing.Policy{}); !errors.Is(err, test.kind) {
				t.Errorf("error %v, want %v", err, test.kind)
			}
		})
	}
}

func TestSignaturesTogetherCoverTheSameOctets(t *testing.T) {
	keys := []signing.Key{keyOf(t, rsaKey), keyOf(t, p256Key)}
	signed, err := signing.SignTogether([]byte(document), documentPath, keys)
	if err != nil {
		t.Fatal(err)
	}
	candidates := []*x509.Certificate{keys[1].Chain[0], keys[0].Chain[0]}
	out, err := signing.VerifyTogether(signed, documentPath, candidates, signing.Policy{})
	if err != nil {
		t.Fatal(err)
	}
	plain, err := signing.Canonicalize([]byte(document))
	if err != nil || !bytes.Equal(out.Octets, plain) {
		t.Errorf("octets\n%s\nwant, %v,\n%s", out.Octets, err, plain)
	}
	if len(out.Signers) != 2 || out.Signers[0] != keys[0].Chain[0] || out.Signers[1] != keys[1].Chain[0] {
		t.Errorf("signers %v", out.Signers)
	}
	for _, test := range []struct {
		name       string
		doc        string
		candidates []*x509.Certificate
		kind       error
	}{
		{"changed", strings.Replace(string(signed), "KE-2026-1", "KE-2026-2", 1), candidates, signing.ErrDigest},
		{"one of a stranger", string(signed), candidates[:1], signing.ErrUnknownSigner},
		{"none", document, candidates, signing.ErrUnsigned},
		{"elsewhere", strings.Replace(strings.Replace(string(signed), "<sig:Information>", "", 1), "</sig:Information>", "", 1), candidates, signing.ErrMalformed},
	} {
		t.Run(test.name, func(t *testing.T) {
			if _, err := signing.VerifyTogether([]byte(test.doc), documentPath, test.candidates, signing.Policy{}); !errors.Is(err, test.kind) {
				t.Errorf("error %v, want %v", err, test.kind)
			}
		})
	}
	alone, err := signing.SignDocument([]byte(document), documentPath, keys[0])
	if err != nil {
		t.Fatal(err)
	}
	if _, err := signing.VerifyTogether(alone, documentPath, candidates, signing.Policy{}); !errors.Is(err, signing.ErrPolicy) {
		t.Errorf("a document of one signature: %v", err)
	}
	if _, err := signing.VerifyDocument(signed, documentPath, candidates, signing.Policy{}); !errors.Is(err, signing.ErrMalformed) {
		t.Errorf("as a document of one signature: %v", err)
	}
}
