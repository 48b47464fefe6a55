package signing_test

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ecogate/ecogate/signing"
	"github.com/ecogate/ecogate/signing/internal/c14n"
)

const (
	pssSpace = "http://www.w3.org/2007/05/xmldsig-more#"
	edURI    = "http://www.w3.org/2021/04/xmldsig-more#eddsa-ed25519"
	sha384   = "http://www.w3.org/2001/04/xmldsig-more#sha384"
	sha512   = "http://www.w3.org/2001/04/xmlenc#sha512"
	sha1URI  = "http://www.w3.org/2000/09/xmldsig#sha1"
	rsaMore  = "http://www.w3.org/2001/04/xmldsig-more#"
)

func TestSigningUsesTheAlgorithmOfTheKey(t *testing.T) {
	for _, test := range []struct {
		name      string
		key       func() (crypto.Signer, error)
		algorithm string
		want      string // algorithm of the signature; "" if it is refused
		digest    string
	}{
		{"Ed25519", edKey, "", edURI, "http://www.w3.org/2001/04/xmlenc#sha256"},
		{"Ed25519 by name", edKey, edURI, edURI, "http://www.w3.org/2001/04/xmlenc#sha256"},
		{"RSA-PSS with SHA-256", rsaKey, pssSpace + "sha256-rsa-MGF1", pssSpace + "sha256-rsa-MGF1", "http://www.w3.org/2001/04/xmlenc#sha256"},
		{"RSA-PSS with SHA-384", rsaKey, pssSpace + "sha384-rsa-MGF1", pssSpace + "sha384-rsa-MGF1", sha384},
		{"RSA-PSS with SHA-512", rsaKey, pssSpace + "sha512-rsa-MGF1", pssSpace + "sha512-rsa-MGF1", sha512},
		{"RSA with SHA-512", rsaKey, rsaMore + "rsa-sha512", rsaMore + "rsa-sha512", sha512},
		{"P-256 with SHA-384", p256Key, rsaMore + "ecdsa-sha384", rsaMore + "ecdsa-sha384", sha384},
		{"RSA-PSS with parameters", rsaKey, pssSpace + "rsa-pss", "", ""},
		{"SHA-1", rsaKey, "http://www.w3.org/2000/09/xmldsig#rsa-sha1", "", ""},
		{"key of another kind", p256Key, pssSpace + "sha256-rsa-MGF1", "", ""},
		{"Ed25519 with an RSA key", rsaKey, edURI, "", ""},
		{"unknown", rsaKey, "urn:x", "", ""},
		{"short name", rsaKey, "rsa-sha256", "", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			key := keyOf(t, test.key)
			key.Algorithm = test.algorithm
			signed, refs, err := signing.SignMessage([]byte(envelope), parts, key)
			if test.want == "" {
				if !errors.Is(err, signing.ErrPolicy) {
					t.Errorf("message: got %v", err)
				}
				if _, err := signing.SignDocument([]byte(document), documentPath, key); !errors.Is(err, signing.ErrPolicy) {
					t.Errorf("document: got %v", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			_, short, _ := strings.Cut(test.want, "#")
			for _, policy := range []signing.Policy{{}, {Algorithms: []string{short}}, {Algorithms: []string{test.want}}} {
				verified, err := signing.VerifyMessage(signed, parts, key.Chain, policy)
				if err != nil || verified.Algorithm != test.want {
					t.Fatalf("%v, %+v\n%s", err, verified, signed)
				}
			}
			if refs[0].DigestMethod != test.digest || refs[2].DigestMethod != test.digest {
				t.Errorf("digests by %s", refs[0].DigestMethod)
			}
			if _, err := signing.VerifyMessage(signed, parts, key.Chain, signing.Policy{Algorithms: []string{"rsa-sha384"}}); !errors.Is(err, signing.ErrPolicy) {
				t.Errorf("not agreed: %v", err)
			}
			if _, err := signing.VerifyMessage(bytes.Replace(signed, []byte("<ds:SignedInfo>"), []byte("<ds:SignedInfo> "), 1), parts, key.Chain, signing.Policy{}); !errors.Is(err, signing.ErrSignature) {
				t.Errorf("changed: %v", err)
			}
			signed, err = signing.SignDocument([]byte(document), documentPath, key)
			if err != nil {
				t.Fatal(err)
			}
			if verified, err := signing.VerifyDocument(signed, documentPath, key.Chain, signing.Policy{}); err != nil || verified.Algorithm != test.want {
				t.Errorf("document: %v", err)
			}
		})
	}
}

// pssParameters writes RSAPSSParams (RFC 6931 §2.3.9).
func pssParameters(content string) string {
	return `<pss:RSAPSSParams xmlns:pss="` + pssSpace + `">` + content + `</pss:RSAPSSParams>`
}

func pssMask(uri string) string {
	return `<pss:MaskGenerationFunction Algorithm="` + pssSpace + `MGF1"><ds:DigestMethod Algorithm="` + uri + `"/></pss:MaskGenerationFunction>`
}

func TestPSSParametersAreReadStrictly(t *testing.T) {
	key := keyOf(t, rsaKey)
	digestOf := func(uri string) string { return `<ds:DigestMethod Algorithm="` + uri + `"/>` }
	sha256 := strings.Trim(sha256URI, `"`)
	salt := func(n string) string { return "<pss:SaltLength>" + n + "</pss:SaltLength>" }
	trailer := func(n string) string { return "<pss:TrailerField>" + n + "</pss:TrailerField>" }
	for _, test := range []struct {
		name, parameters string
		hash             crypto.Hash
		want             error
		text             string
	}{
		{"none", "", crypto.SHA256, nil, ""},
		{"empty", pssParameters(""), crypto.SHA256, nil, ""},
		{"all", pssParameters(digestOf(sha384) + pssMask(sha384) + salt("48") + trailer("1")), crypto.SHA384, nil, ""},
		{"digest alone", pssParameters(digestOf(sha512)), crypto.SHA512, nil, ""},
		{"white space", pssParameters("\n" + digestOf(sha256) + " " + salt(" 32\n")), crypto.SHA256, nil, ""},
		{"short salt", pssParameters(salt("20")), crypto.SHA256, signing.ErrPolicy, "SaltLength"},
		{"no salt", pssParameters(salt("0")), crypto.SHA256, signing.ErrPolicy, "SaltLength"},
		{"negative salt, any in some libraries", pssParameters(salt("-1")), crypto.SHA256, signing.ErrPolicy, "SaltLength"},
		{"salt in other figures", pssParameters(salt("032")), crypto.SHA256, signing.ErrPolicy, "SaltLength"},
		{"other trailer", pssParameters(trailer("2")), crypto.SHA256, signing.ErrPolicy, "TrailerField"},
		{"other hash in MGF1", pssParameters(digestOf(sha512) + pssMask(sha256)), crypto.SHA512, signing.ErrPolicy, "MGF1 of"},
		{"other mask generation", pssParameters(strings.Replace(pssMask(sha256), "MGF1", "MGF2", 1)), crypto.SHA256, signing.ErrPolicy, "is not MGF1"},
		{"SHA-1", pssParameters(digestOf(sha1URI)), crypto.SHA256, signing.ErrPolicy, "SHA-1"},
		{"SHA-1 in MGF1", pssParameters(pssMask(sha1URI)), crypto.SHA256, signing.ErrPolicy, "SHA-1"},
		{"another hash than named", pssParameters(digestOf(sha512)), crypto.SHA256, signing.ErrSignature, ""},
		{"twice", pssParameters("") + pssParameters(""), crypto.SHA256, signing.ErrMalformed, "not expected"},
		{"other order", pssParameters(trailer("1") + salt("32")), crypto.SHA256, signing.ErrMalformed, "not expected"},
		{"salt twice", pssParameters(salt("32") + salt("32")), crypto.SHA256, signing.ErrMalformed, "not expected"},
		{"attribute", strings.Replace(pssParameters(""), "<pss:RSAPSSParams ", "<pss:RSAPSSParams Id='x' ", 1), crypto.SHA256, signing.ErrMalformed, "attribute"},
		{"other namespace", strings.Replace(pssParameters(""), pssSpace, "urn:x", 1), crypto.SHA256, signing.ErrMalformed, "not expected"},
	} {
		t.Run(test.name, func(t *testing.T) {
			signed := craft(t, crafted{algorithm: pssSpace + "rsa-pss", parameters: test.parameters,
				pss: &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash, Hash: test.hash}}, key)
			// The exception must not reach RSA-PSS.
			for _, policy := range []signing.Policy{{}, exceptions(signing.ExceptionSHA1)} {
				_, err := signing.VerifyMessage(signed, parts, key.Chain, policy)
				if !errors.Is(err, test.want) || err != nil && !strings.Contains(err.Error(), test.text) {
					t.Errorf("got %v, want %v with %q", err, test.want, test.text)
				}
			}
		})
	}
}

// TestPSSHasOneSaltLength has values whose salt is not what the algorithm says.
func TestPSSHasOneSaltLength(t *testing.T) {
	key := keyOf(t, rsaKey)
	for _, length := range []int{0, 20, 31, 33, 64} {
		signed := craft(t, crafted{algorithm: pssSpace + "sha256-rsa-MGF1", pss: &rsa.PSSOptions{SaltLength: length, Hash: crypto.SHA256}}, key)
		if length == 0 { // crypto/rsa takes 0 for the longest
			signed = craft(t, crafted{algorithm: pssSpace + "sha256-rsa-MGF1", pss: &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthAuto, Hash: crypto.SHA256}}, key)
		}
		if _, err := signing.VerifyMessage(signed, parts, key.Chain, signing.Policy{}); !errors.Is(err, signing.ErrSignature) {
			t.Errorf("salt of %d octets: %v", length, err)
		}
	}
}

// exceptions is a policy with exceptions that have no end.
func exceptions(names ...signing.ExceptionName) signing.Policy {
	var p signing.Policy
	for _, name := range names {
		p.Exceptions = append(p.Exceptions, signing.Exception{Name: name})
	}
	return p
}

func TestExceptionsEnd(t *testing.T) {
	rsa, p256 := keyOf(t, rsaKey), keyOf(t, p256Key)
	sha1 := craft(t, crafted{algorithm: "http://www.w3.org/2000/09/xmldsig#rsa-sha1", hash: crypto.SHA1}, rsa)
	der := craft(t, crafted{der: true}, p256)
	plain := craft(t, crafted{}, p256)
	end := time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC)
	for _, test := range []struct {
		name       string
		signed     []byte
		exceptions []signing.Exception
		at         time.Time
		want       error
	}{
		{"SHA-1 without exception", sha1, nil, end, signing.ErrPolicy},
		{"SHA-1 without end", sha1, []signing.Exception{{Name: signing.ExceptionSHA1}}, time.Time{}, nil},
		{"SHA-1 before the end", sha1, []signing.Exception{{Name: signing.ExceptionSHA1, Until: end}}, end.Add(-1), nil},
		{"SHA-1 at the end", sha1, []signing.Exception{{Name: signing.ExceptionSHA1, Until: end}}, end, signing.ErrPolicy},
		{"SHA-1 with an end and no instant", sha1, []signing.Exception{{Name: signing.ExceptionSHA1, Until: end}}, time.Time{}, signing.ErrPolicy},
		{"SHA-1 under another exception", sha1, []signing.Exception{{Name: signing.ExceptionECDSADER}}, end, signing.ErrPolicy},
		{"unknown exception", sha1, []signing.Exception{{Name: "SHA1"}, {}}, end, signing.ErrPolicy},
		{"one of two has ended", sha1, []signing.Exception{{Name: signing.ExceptionSHA1, Until: end}, {Name: signing.ExceptionSHA1}}, end, nil},
		{"DER without exception", der, nil, end, signing.ErrSignature},
		{"DER before the end", der, []signing.Exception{{Name: signing.ExceptionECDSADER, Until: end}}, end.Add(-1), nil},
		{"DER at the end", der, []signing.Exception{{Name: signing.ExceptionECDSADER, Until: end}}, end, signing.ErrSignature},
		{"DER under another exception", der, []signing.Exception{{Name: signing.ExceptionSHA1}}, end, signing.ErrSignature},
		{"r and s under the exception", plain, []signing.Exception{{Name: signing.ExceptionECDSADER}}, end, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			policy := signing.Policy{Exceptions: test.exceptions, At: test.at}
			_, err := signing.VerifyMessage(test.signed, parts, []*x509.Certificate{rsa.Chain[0], p256.Chain[0]}, policy)
			if !errors.Is(err, test.want) {
				t.Errorf("got %v, want %v", err, test.want)
			}
		})
	}
}

func TestExceptionForDERTakesNoLooserEncoding(t *testing.T) {
	key := keyOf(t, p256Key)
	for _, test := range []struct {
		name   string
		change func([]byte) []byte
	}{
		{"trailing octet", func(der []byte) []byte { return append(der, 0) }},
		{"long length", func(der []byte) []byte { return append([]byte{der[0], 0x81, der[1]}, der[2:]...) }},
		{"cut off", func(der []byte) []byte { return der[:len(der)-1] }},
	} {
		t.Run(test.name, func(t *testing.T) {
			signed := craft(t, crafted{der: true, value: func(v string) string {
				der, _ := base64.StdEncoding.DecodeString(v)
				return base64.StdEncoding.EncodeToString(test.change(der))
			}}, key)
			if _, err := signing.VerifyMessage(signed, parts, key.Chain, exceptions(signing.ExceptionECDSADER)); !errors.Is(err, signing.ErrSignature) {
				t.Errorf("got %v", err)
			}
		})
	}
}

// TestOpenSSLVerifiesWhatXmlsecCannot asks another implementation about the signature values of RSA-PSS and Ed25519, which
// xmlsec1 of Debian 12 (1.2.37) does not know.
func TestOpenSSLVerifiesWhatXmlsecCannot(t *testing.T) {
	openssl := tool(t, "openssl")
	for _, test := range []struct {
		name      string
		key       func() (crypto.Signer, error)
		algorithm string
		arguments []string
	}{
		{"RSA-PSS", rsaKey, pssSpace + "sha384-rsa-MGF1", []string{"-rawin", "-digest", "sha384", "-pkeyopt", "rsa_padding_mode:pss", "-pkeyopt", "rsa_pss_saltlen:digest", "-pkeyopt", "rsa_mgf1_md:sha384"}},
		{"Ed25519", edKey, "", []string{"-rawin"}},
		{"RSA", rsaKey, "", []string{"-rawin", "-digest", "sha256"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			key := keyOf(t, test.key)
			key.Algorithm = test.algorithm
			signed, _, err := signing.SignMessage([]byte(envelope), parts, key)
			if err != nil {
				t.Fatal(err)
			}
			var info []byte
			for e := range parseXML(t, string(signed)).Root().Descendants() {
				if e.Name() == "ds:SignedInfo" {
					info = e.Canonical(c14n.Method{})
				}
			}
			value, err := base64.StdEncoding.DecodeString(string(regexp.MustCompile(`SignatureValue>([^<]+)`).FindSubmatch(signed)[1]))
			if err != nil {
				t.Fatal(err)
			}
			der, err := x509.MarshalPKIXPublicKey(key.Signer.Public())
			if err != nil {
				t.Fatal(err)
			}
			public := write(t, "pub.pem", pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
			arguments := append([]string{"pkeyutl", "-verify", "-pubin", "-inkey", public, "-in", write(t, "info", info),
				"-sigfile", write(t, "value", value)}, test.arguments...)
			if out, err := exec.Command(openssl, arguments...).CombinedOutput(); err != nil {
				t.Errorf("%v\n%s", err, out)
			}
		})
	}
}

// TestValueOfOtherCurveWidth has r and s of one curve's width under a key of another.
func TestValueOfOtherCurveWidth(t *testing.T) {
	p256, p384 := keyOf(t, p256Key), keyOf(t, p384Key)
	signed := craft(t, crafted{algorithm: rsaMore + "ecdsa-sha256"}, p384)
	if _, ok := p384.Signer.Public().(*ecdsa.PublicKey); !ok {
		t.Fatal("not an ECDSA key")
	}
	if _, err := signing.VerifyMessage(signed, parts, p384.Chain, signing.Policy{}); err != nil {
		t.Errorf("P-384 with SHA-256: %v", err)
	}
	if _, err := signing.VerifyMessage(signed, parts, p256.Chain, exceptions(signing.ExceptionECDSADER)); !errors.Is(err, signing.ErrSignature) {
		t.Errorf("under a P-256 key: %v", err)
	}
}

func TestKeyTakesTheAlgorithmsOfItsKind(t *testing.T) {
	for _, test := range []struct {
		name string
		key  func() (crypto.Signer, error)
		as   string
		want string // the URI; "" for refused
		text string
	}{
		{"usual", rsaKey, "", "", ""},
		{"short", rsaKey, "sha384-rsa-MGF1", pssSpace + "sha384-rsa-MGF1", ""},
		{"URI", p256Key, rsaMore + "ecdsa-sha512", rsaMore + "ecdsa-sha512", ""},
		{"of another kind", p256Key, "rsa-sha256", "", "needs a key of RSA"},
		{"only verified", rsaKey, "rsa-pss", "", "is only verified"},
		{"SHA-1", rsaKey, "rsa-sha1", "", "uses SHA-1"},
		{"unknown", rsaKey, "rsa-md5", "", "is not known"},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, err := keyOf(t, test.key).With(test.as)
			if test.text != "" {
				if !errors.Is(err, signing.ErrPolicy) || !strings.Contains(err.Error(), test.text) {
					t.Errorf("got %v, want %v with %q", err, signing.ErrPolicy, test.text)
				}
				return
			}
			if err != nil || got.Algorithm != test.want {
				t.Errorf("algorithm %q, %v", got.Algorithm, err)
			}
		})
	}
	if all := signing.SigningAlgorithms(); !slices.Contains(all, pssSpace+"sha256-rsa-MGF1") || slices.Contains(all, pssSpace+"rsa-pss") || slices.Contains(all, rsaMore+"ecdsa-sha1") {
		t.Errorf("keys sign with %q", all)
	}
}
