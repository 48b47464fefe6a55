package signing_test

import (
	"bytes"
	"crypto"
	"crypto/x509"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ecogate/ecogate/signing"
)

// TestNoByteCanChange changes each byte of a signed message, in ways that take turns. Either the message is refused or
// what it means is unchanged.
func TestNoByteCanChange(t *testing.T) {
	key := keyOf(t, rsaKey)
	signed, _, err := signing.SignMessage([]byte(envelope), parts, key)
	if err != nil {
		t.Fatal(err)
	}
	original, err := signing.VerifyMessage(signed, parts, key.Chain, signing.Policy{})
	if err != nil {
		t.Fatal(err)
	}
	accepted := 0
	for i := range signed {
		changed := bytes.Clone(signed)
		changed[i] ^= []byte{0x01, 0x20, 0x80}[i%3]
		verified, err := signing.VerifyMessage(changed, parts, key.Chain, signing.Policy{})
		if err != nil {
			continue
		}
		accepted++
		if !bytes.Equal(verified.Octets, original.Octets) {
			t.Fatalf("byte %d of %q may become %q", i, signed[max(0, i-30):i+30], changed[i])
		}
	}
	t.Logf("%d of %d changes touch nothing that is signed", accepted, len(signed))
	for p := range parts {
		for i := range octetsOf(parts[p]) {
			changed := append([]signing.Part(nil), parts...)
			octets := octetsOf(parts[p])
			octets[i] ^= 1
			changed[p].Content = bytes.NewReader(octets)
			if _, err := signing.VerifyMessage(signed, changed, key.Chain, signing.Policy{}); !errors.Is(err, signing.ErrDigest) {
				t.Fatalf("byte %d of part %d: %v", i, p, err)
			}
		}
	}
}

// TestNoPrefixIsEnough cuts a signed message short at every byte.
func TestNoPrefixIsEnough(t *testing.T) {
	key := keyOf(t, p256Key)
	signed, _, err := signing.SignMessage([]byte(strings.TrimSpace(envelope)), parts, key)
	if err != nil {
		t.Fatal(err)
	}
	for i := range signed {
		if _, err := signing.VerifyMessage(signed[:i], parts, key.Chain, signing.Policy{}); !errors.Is(err, signing.ErrMalformed) {
			t.Fatalf("the first %d bytes: %v", i, err)
		}
	}
}

// TestVerifyMessageReadsXmlsec has another implementation sign our template.
func TestVerifyMessageReadsXmlsec(t *testing.T) {
	xmlsec := tool(t, "xmlsec1")
	key := keyOf(t, rsaKey)
	private, credential := keyFiles(t, key)
	prefixes := `><ec:InclusiveNamespaces xmlns:ec="http://www.w3.org/2001/10/xml-exc-c14n#" PrefixList="eb #default xlink"/>`
	for _, test := range []struct{ name, method, transform string }{
		{"inclusive", c14n10 + "/>", canonical},
		{"exclusive", excC14N + "/>", `<ds:Transform Algorithm=` + excC14N + `/>`},
		{"exclusive with PrefixList", excC14N + prefixes + `</ds:CanonicalizationMethod>`, `<ds:Transform Algorithm=` + excC14N + prefixes + `</ds:Transform>`},
		{"default canonicalization", c14n10 + "/>", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			template := `<ds:Signature xmlns:ds="http://www.w3.org/2000/09/xmldsig#"><ds:SignedInfo><ds:CanonicalizationMethod Algorithm=` +
				test.method + `<ds:SignatureMethod Algorithm="http://www.w3.org/2001/04/xmldsig-more#rsa-sha256"/>
<ds:Reference URI=""><ds:Transforms>` + enveloped + xpath(hermesXPath) + test.transform + `</ds:Transforms><ds:DigestMethod Algorithm=` +
				sha256URI + `/><ds:DigestValue/></ds:Reference>`
			for _, part := range parts {
				template += `<ds:Reference URI="` + part.URI + `"><ds:DigestMethod Algorithm=` + sha256URI + `/><ds:DigestValue/></ds:Reference>`
			}
			template += `</ds:SignedInfo><ds:SignatureValue/><ds:KeyInfo><ds:X509Data/></ds:KeyInfo></ds:Signature>`
			unsigned := strings.Replace(envelope, "</soap:Header>", template+"</soap:Header>", 1)
			out := filepath.Join(t.TempDir(), "signed.xml")
			arguments := []string{"--sign", "--privkey-pem", private + "," + credential, "--output", out}
			for _, part := range parts {
				arguments = append(arguments, "--url-map:"+part.URI, write(t, "part", octetsOf(part)))
			}
			if text, err := exec.Command(xmlsec, append(arguments, write(t, "template.xml", []byte(unsigned)))...).CombinedOutput(); err != nil {
				t.Fatalf("%v\n%s", err, text)
			}
			verified, err := signing.VerifyMessage(read(t, out), parts, key.Chain, signing.Policy{})
			if err != nil {
				t.Fatalf("%v\n%s", err, read(t, out))
			}
			if strings.Contains(string(verified.Octets), "SyncReply") {
				t.Errorf("octets\n%s", verified.Octets)
			}
		})
	}
}

// brokenSigner is a key in hardware that answers with something else than its signature.
type brokenSigner struct {
	crypto.Signer
	value []byte
	err   error
}

func (b brokenSigner) Sign(io.Reader, []byte, crypto.SignerOpts) ([]byte, error) {
	return b.value, b.err
}

func TestSignMessageDoesNotTrustTheKey(t *testing.T) {
	gone := errors.New("token was removed")
	rsa, p256 := keyOf(t, rsaKey), keyOf(t, p256Key)
	for _, test := range []struct {
		name  string
		key   signing.Key
		value []byte
		err   error
		text  string
	}{
		{"error", rsa, nil, gone, "token was removed"},
		{"wrong value", rsa, make([]byte, 256), nil, "does not verify"},
		{"not ASN.1", p256, []byte("x"), nil, "two integers"},
		{"integers without end", p256, append([]byte{0x30, 0x2A, 0x02, 0x25, 1}, make([]byte, 39)...), nil, "two integers"},
		{"negative integer", p256, []byte{0x30, 6, 2, 1, 0xFF, 2, 1, 1}, nil, "two integers"},
		{"trailing octets", p256, []byte{0x30, 6, 2, 1, 1, 2, 1, 1, 0}, nil, "two integers"},
		{"wrong integers", p256, []byte{0x30, 6, 2, 1, 1, 2, 1, 1}, nil, "does not verify"},
	} {
		t.Run(test.name, func(t *testing.T) {
			key := signing.Key{Signer: brokenSigner{test.key.Signer, test.value, test.err}, Chain: test.key.Chain}
			_, _, err := signing.SignMessage([]byte(envelope), parts, key)
			if !errors.Is(err, signing.ErrKey) || !strings.Contains(err.Error(), test.text) || test.err != nil && !errors.Is(err, test.err) {
				t.Errorf("got %v, want %q", err, test.text)
			}
		})
	}
}

func TestKnownAlgorithm(t *testing.T) {
	for name, want := range map[string]bool{
		"rsa-sha256": true, "ecdsa-sha512": true, "http://www.w3.org/2001/04/xmldsig-more#rsa-sha384": true,
		"rsa-md5": false, "RSA-SHA256": false, "": false, "hmac-sha1": false,
	} {
		if got := signing.KnownAlgorithm(name); got != want {
			t.Errorf("%q: %t", name, got)
		}
	}
}

func TestCanonicalizeSaysWhere(t *testing.T) {
	octets, err := signing.Canonicalize([]byte("<a b='1'/>"))
	if err != nil || string(octets) != `<a b="1"></a>` {
		t.Errorf("%s, %v", octets, err)
	}
	_, err = signing.Canonicalize([]byte("<a>\n  <b></a>"))
	var ours *signing.Error
	if !errors.Is(err, signing.ErrMalformed) || !errors.As(err, &ours) || ours.Line != 2 || ours.Column != 6 {
		t.Fatalf("got %+v", err)
	}
	if want := `malformed at line 2:6: expected </b>, found "</a>"`; err.Error() != want {
		t.Errorf("got %s, want %s", err, want)
	}
}

// FuzzVerifyMessage looks for panics, and for octets that cannot be read again.
func FuzzVerifyMessage(f *testing.F) {
	candidates, err := signing.ReadCredentials(read(f, filepath.Join(hostileFolder, "credential.pem")))
	if err != nil {
		f.Fatal(err)
	}
	files, _ := filepath.Glob(filepath.Join(hostileFolder, "*.txt"))
	for _, path := range files {
		f.Add(readHostile(f, path).body)
	}
	if recording, err := os.ReadFile(filepath.Join("..", "..", "shared", "vectors", "hermes", "signed-acknowledgment.xml")); err == nil {
		f.Add(recording)
	}
	f.Fuzz(func(t *testing.T, message []byte) {
		for _, attached := range [][]signing.Part{nil, parts} {
			verified, err := signing.VerifyMessage(message, attached, candidates, signing.Policy{Exceptions: []signing.Exception{{Name: signing.ExceptionSHA1}}})
			var ours *signing.Error
			if err != nil && !errors.As(err, &ours) {
				t.Fatalf("error of another type: %v", err)
			}
			if err != nil {
				continue
			}
			if again, err := signing.Canonicalize(verified.Octets); err != nil || verified.Signer == nil || len(again) == 0 {
				t.Fatalf("octets %q: %v", verified.Octets, err)
			}
		}
	})
}

func benchmarkSizes(b *testing.B, run func(b *testing.B, payload []signing.Part, key signing.Key)) {
	for _, size := range []struct {
		name string
		n    int
	}{{"5KB", 5_000}, {"20KB", 20_000}, {"100KB", 100_000}} {
		payload := []signing.Part{{URI: "cid:co-1@customs.example", Content: bytes.NewReader(bytes.Repeat([]byte("x"), size.n))}}
		b.Run(size.name+"/RSA-2048", func(b *testing.B) { run(b, payload, keyOf(b, rsaKey)) })
		b.Run(size.name+"/P-256", func(b *testing.B) { run(b, payload, keyOf(b, p256Key)) })
	}
}

func BenchmarkVerifyMessage(b *testing.B) {
	benchmarkSizes(b, func(b *testing.B, payload []signing.Part, key signing.Key) {
		signed, _, err := signing.SignMessage([]byte(envelope), payload, key)
		if err != nil {
			b.Fatal(err)
		}
		b.SetBytes(int64(len(signed) + int(payload[0].Content.Size())))
		b.ReportAllocs()
		for b.Loop() {
			if _, err := signing.VerifyMessage(signed, payload, key.Chain, signing.Policy{}); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkSignMessage(b *testing.B) {
	benchmarkSizes(b, func(b *testing.B, payload []signing.Part, key signing.Key) {
		b.ReportAllocs()
		for b.Loop() {
			if _, _, err := signing.SignMessage([]byte(envelope), payload, key); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkVerifyDocument(b *testing.B) {
	key := keyOf(b, p256Key)
	for name, lines := range map[string]int{"5KB": 30, "20KB": 120, "100KB": 600} {
		line := "<Line><ID>1</ID><Item name=\"coffee\"><Description>Green coffee beans, not roasted, in bags of 60 kg; Kenya AA, washed</Description><Origin>KE</Origin></Item></Line>\n"
		doc := strings.Replace(document, "</CertificateOfOrigin>", strings.Repeat(line, lines)+"</CertificateOfOrigin>", 1)
		signed, err := signing.SignDocument([]byte(doc), documentPath, key)
		if err != nil {
			b.Fatal(err)
		}
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(signed)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := signing.VerifyDocument(signed, documentPath, []*x509.Certificate{key.Chain[0]}, signing.Policy{}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
