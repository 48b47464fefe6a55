package signing_test

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/xml"
	"errors"
	"math/big"
	"mime/multipart"
	"net/textproto"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/ecogate/ecogate/signing"
)

// recorded takes envelope and parts out of a message as it went over the wire.
func recorded(t *testing.T, wire []byte) (envelope []byte, parts []signing.Part) {
	t.Helper()
	boundary := regexp.MustCompile(`boundary="([^"]+)"`).FindSubmatch(wire)
	_, body, found := bytes.Cut(bytes.ReplaceAll(wire, []byte("\r\n"), []byte("\n")), []byte("\n\n"))
	if boundary == nil || !found {
		t.Fatal("not a multipart message")
	}
	// The recording has LF where the wire had CR LF, and the digest of the part does not care: it has no line end.
	reader := multipart.NewReader(bytes.NewReader(body), string(boundary[1]))
	for {
		part, err := reader.NextRawPart()
		if err != nil {
			return envelope, parts
		}
		var content bytes.Buffer
		if _, err := content.ReadFrom(part); err != nil {
			t.Fatal(err)
		}
		if id := textproto.TrimString(part.Header.Get("Content-Id")); envelope != nil {
			parts = append(parts, signing.Part{URI: "cid:" + strings.Trim(id, "<>"), Content: bytes.NewReader(content.Bytes())})
		} else {
			envelope = content.Bytes()
		}
	}
}

// embedded gives the credential in a signature's KeyInfo.
func embedded(t *testing.T, signed []byte) *x509.Certificate {
	t.Helper()
	match := regexp.MustCompile(`(?s)X509Certificate>(.*?)</`).FindSubmatch(signed)
	if match == nil {
		t.Fatal("no X509Certificate")
	}
	der, err := base64.StdEncoding.DecodeString(strings.ReplaceAll(string(match[1]), "&#13;", ""))
	if err != nil {
		t.Fatal(err)
	}
	x509Cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return x509Cert
}

func TestVerifyMessageReadsHermes(t *testing.T) {
	message, attached := recorded(t, read(t, shared(t, "vectors", "hermes", "signed-message.http")))
	for _, test := range []struct {
		name     string
		envelope []byte
		parts    []signing.Part
	}{
		{"message with payload", message, attached},
		{"acknowledgment", read(t, shared(t, "vectors", "hermes", "signed-acknowledgment.xml")), nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			candidates := []*x509.Certificate{keyOf(t, rsaKey).Chain[0], embedded(t, test.envelope)}
			verified, err := signing.VerifyMessage(test.envelope, test.parts, candidates, signing.Policy{Exceptions: []signing.Exception{{Name: signing.ExceptionSHA1}}})
			if err != nil {
				t.Fatal(err)
			}
			if verified.Signer != candidates[1] || len(verified.References) != 1+len(test.parts) {
				t.Errorf("signer %q, %d references", verified.Signer.Subject, len(verified.References))
			}
			_, err = signing.VerifyMessage(test.envelope, test.parts, candidates, signing.Policy{})
			if !errors.Is(err, signing.ErrPolicy) {
				t.Errorf("SHA-1 without exception: %v", err)
			}
			_, err = signing.VerifyMessage(test.envelope, test.parts, candidates[:1], signing.Policy{Exceptions: []signing.Exception{{Name: signing.ExceptionSHA1}}})
			if !errors.Is(err, signing.ErrUnknownSigner) {
				t.Errorf("without the signer's credential: %v", err)
			}
		})
	}
}

// TestVerifyDocumentReadsInteropSet verifies the W3C interoperability set of XML Signature 1.1, which carries bare keys.
func TestVerifyDocumentReadsInteropSet(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(shared(t, "vectors", "xmldsig11"), "*.xml"))
	if err != nil || len(files) == 0 {
		t.Fatal("no vectors", err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			signed := read(t, file)
			candidates := []*x509.Certificate{{PublicKey: keyValue(t, signed)}}
			path := []xml.Name{{Local: "root"}}
			var policy signing.Policy
			if strings.Contains(file, "sha1") {
				policy.Exceptions = []signing.Exception{{Name: signing.ExceptionSHA1}}
			}
			verified, err := signing.VerifyDocument(signed, path, candidates, policy)
			if err != nil {
				t.Fatal(err)
			}
			if want := "<root>\n\t<element1>test</element1>\n</root>"; string(verified.Octets) != want {
				t.Errorf("octets %q, want %q", verified.Octets, want)
			}
			if policy.Exceptions != nil {
				if _, err := signing.VerifyDocument(signed, path, candidates, signing.Policy{}); !errors.Is(err, signing.ErrPolicy) {
					t.Errorf("SHA-1 without exception: %v", err)
				}
			}
			changed := bytes.Replace(signed, []byte("test"), []byte("tent"), 1)
			if _, err := signing.VerifyDocument(changed, path, candidates, policy); !errors.Is(err, signing.ErrDigest) {
				t.Errorf("changed document: %v", err)
			}
		})
	}
}

// keyValue makes the public key of a ds:KeyValue or RFC 4050 ECDSAKeyValue.
func keyValue(t *testing.T, signed []byte) crypto.PublicKey {
	t.Helper()
	var doc struct {
		Modulus  string `xml:"Signature>KeyInfo>KeyValue>RSAKeyValue>Modulus"`
		Exponent string `xml:"Signature>KeyInfo>KeyValue>RSAKeyValue>Exponent"`
		EC       struct {
			Curve struct {
				URN string `xml:",attr"`
			} `xml:"DomainParameters>NamedCurve"`
			X, Y struct {
				Value string `xml:",attr"`
			}
		} `xml:"Signature>KeyInfo>KeyValue>ECDSAKeyValue"`
	}
	// X and Y stand in PublicKey, which encoding/xml cannot flatten beside struct fields of the same names.
	flat := regexp.MustCompile(`</?PublicKey>`).ReplaceAll(signed, nil)
	if err := xml.Unmarshal(flat, &doc); err != nil {
		t.Fatal(err)
	}
	if doc.Modulus != "" {
		modulus, err := base64.StdEncoding.DecodeString(doc.Modulus)
		if err != nil {
			t.Fatal(err)
		}
		return &rsa.PublicKey{N: new(big.Int).SetBytes(modulus), E: 65537}
	}
	curves := map[string]elliptic.Curve{
		"urn:oid:1.2.840.10045.3.1.7": elliptic.P256(), "urn:oid:1.3.132.0.34": elliptic.P384(), "urn:oid:1.3.132.0.35": elliptic.P521(),
	}
	x, okX := new(big.Int).SetString(doc.EC.X.Value, 10)
	y, okY := new(big.Int).SetString(doc.EC.Y.Value, 10)
	if !okX || !okY || curves[doc.EC.Curve.URN] == nil {
		t.Fatalf("no key in %+v", doc)
	}
	width := (curves[doc.EC.Curve.URN].Params().BitSize + 7) / 8
	point := append([]byte{4}, x.FillBytes(make([]byte, width))...)
	public, err := ecdsa.ParseUncompressedPublicKey(curves[doc.EC.Curve.URN], append(point, y.FillBytes(make([]byte, width))...))
	if err != nil {
		t.Fatal(err)
	}
	return public
}
