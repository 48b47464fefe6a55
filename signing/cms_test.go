package signing_test

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/asn1"
	"encoding/pem"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.mozilla.org/pkcs7"

	"github.com/ecogate/ecogate/signing"
)

const announcement = `{"partner":"tw","next":[]}`

// announce signs as the library does, attached.
func announce(tb testing.TB, content string, key signing.Key, digest asn1.ObjectIdentifier, change func(*pkcs7.SignedData)) []byte {
	tb.Helper()
	data, err := pkcs7.NewSignedData([]byte(content))
	if err != nil {
		tb.Fatal(err)
	}
	data.SetDigestAlgorithm(digest)
	if err := data.AddSigner(key.Chain[0], key.Signer, pkcs7.SignerInfoConfig{}); err != nil {
		tb.Fatal(err)
	}
	if change != nil {
		change(data)
	}
	out, err := data.Finish()
	if err != nil {
		tb.Fatal(err)
	}
	return out
}

// cmsParts are what an attacker takes apart and puts together anew.
type cmsParts struct {
	Type asn1.ObjectIdentifier
	Data struct {
		Version      int
		Digests      asn1.RawValue
		Encapsulated struct {
			Type    asn1.ObjectIdentifier
			Content asn1.RawValue `asn1:"optional"`
		}
		Credentials asn1.RawValue `asn1:"optional,tag:0"`
		Signers     []cmsSigner   `asn1:"set"`
	} `asn1:"explicit,tag:0"`
}

type cmsSigner struct {
	Version         int
	Name            asn1.RawValue
	Digest          asn1.RawValue
	Attributes      asn1.RawValue `asn1:"optional,tag:0"`
	SignatureMethod asn1.RawValue
	Value           []byte
}

func takeApart(tb testing.TB, der []byte) *cmsParts {
	tb.Helper()
	parts := new(cmsParts)
	if rest, err := asn1.Unmarshal(der, parts); err != nil || len(rest) > 0 {
		tb.Fatal(err)
	}
	return parts
}

func (p *cmsParts) der(tb testing.TB) []byte {
	tb.Helper()
	out, err := asn1.Marshal(*p)
	if err != nil {
		tb.Fatal(err)
	}
	return out
}

func (p *cmsParts) setContent(tb testing.TB, content []byte) {
	tb.Helper()
	octets, err := asn1.Marshal(content)
	if err != nil {
		tb.Fatal(err)
	}
	p.Data.Encapsulated.Content = asn1.RawValue{Class: asn1.ClassContextSpecific, Tag: 0, IsCompound: true, Bytes: octets}
}

// signAttributes signs these attributes, DER of each, for the only signer.
func (p *cmsParts) signAttributes(tb testing.TB, key signing.Key, attributes ...[]byte) {
	tb.Helper()
	all := bytes.Join(attributes, nil)
	set, err := asn1.Marshal(asn1.RawValue{Class: asn1.ClassUniversal, Tag: asn1.TagSet, IsCompound: true, Bytes: all})
	if err != nil {
		tb.Fatal(err)
	}
	digest := sha256.Sum256(set)
	value, err := key.Signer.Sign(rand.Reader, digest[:], crypto.SHA256)
	if err != nil {
		tb.Fatal(err)
	}
	signer := &p.Data.Signers[0]
	signer.Attributes = asn1.RawValue{Class: asn1.ClassContextSpecific, Tag: 0, IsCompound: true, Bytes: all}
	signer.Value = value
}

func attribute(tb testing.TB, oid asn1.ObjectIdentifier, values ...any) []byte {
	tb.Helper()
	out, err := asn1.Marshal(struct {
		Type   asn1.ObjectIdentifier
		Values []any `asn1:"set"`
	}{oid, values})
	if err != nil {
		tb.Fatal(err)
	}
	return out
}

// hostileCMS are announcements that must not be believed, made with a key and by somebody without it.
func hostileCMS(tb testing.TB, key, attacker signing.Key) map[string]struct{ expect, reason, der string } {
	tb.Helper()
	valid := announce(tb, announcement, key, pkcs7.OIDDigestAlgorithmSHA256, nil)
	contentType, sum := attribute(tb, pkcs7.OIDAttributeContentType, pkcs7.OIDData), sha256.Sum256([]byte(announcement))
	digest := attribute(tb, pkcs7.OIDAttributeMessageDigest, sum[:])
	signed := attribute(tb, pkcs7.OIDAttributeSigningTime, time.Date(2027, time.March, 1, 9, 0, 0, 0, time.UTC))
	changed := func(change func(*cmsParts)) string {
		parts := takeApart(tb, valid)
		change(parts)
		return string(parts.der(tb))
	}
	resigned := func(attributes ...[]byte) string {
		return changed(func(p *cmsParts) { p.signAttributes(tb, key, attributes...) })
	}
	two := announce(tb, announcement, key, pkcs7.OIDDigestAlgorithmSHA256, func(d *pkcs7.SignedData) {
		if err := d.AddSigner(attacker.Chain[0], attacker.Signer, pkcs7.SignerInfoConfig{}); err != nil {
			tb.Fatal(err)
		}
	})
	return map[string]struct{ expect, reason, der string }{
		"valid": {"none", "", string(valid)},
		"attributes-become-content": {"ErrUnsigned", "without signed attributes", changed(func(p *cmsParts) {
			attributes := p.Data.Signers[0].Attributes.Bytes
			set, err := asn1.Marshal(asn1.RawValue{Class: asn1.ClassUniversal, Tag: asn1.TagSet, IsCompound: true, Bytes: attributes})
			if err != nil {
				tb.Fatal(err)
			}
			p.setContent(tb, set)
			p.Data.Signers[0].Attributes = asn1.RawValue{}
		})},
		"content-changed": {"ErrDigest", "not what was signed", changed(func(p *cmsParts) { p.setContent(tb, []byte("{}")) })},
		"content-removed": {"ErrUnsigned", "has no content", changed(func(p *cmsParts) { p.Data.Encapsulated.Content = asn1.RawValue{} })},
		"content-of-another-type": {"ErrMalformed", "expected id-data", changed(func(p *cmsParts) {
			p.Data.Encapsulated.Type = pkcs7.OIDEnvelopedData
		})},
		"attribute-content-type-other":   {"ErrMalformed", "the content is id-data", resigned(attribute(tb, pkcs7.OIDAttributeContentType, pkcs7.OIDSignedData), digest)},
		"attribute-content-type-missing": {"ErrMalformed", "0 signed attributes content-type", resigned(digest)},
		"attribute-content-type-twice":   {"ErrMalformed", "2 signed attributes content-type", resigned(contentType, contentType, digest)},
		"attribute-digest-missing":       {"ErrMalformed", "0 signed attributes message-digest", resigned(contentType)},
		"attribute-digest-of-two-values": {"ErrMalformed", "one value of the signed attribute message-digest", resigned(contentType, attribute(tb, pkcs7.OIDAttributeMessageDigest, sum[:], []byte{1}))},
		"attribute-signing-time-twice":   {"ErrMalformed", "2 signed attributes signing-time", resigned(contentType, digest, signed, signed)},
		"attribute-signing-time-no-time": {"ErrMalformed", "one value of the signed attribute signing-time", resigned(contentType, digest, attribute(tb, pkcs7.OIDAttributeSigningTime, 7))},
		"attribute-digest-twice":         {"ErrMalformed", "2 signed attributes message-digest", resigned(contentType, digest, attribute(tb, pkcs7.OIDAttributeMessageDigest, []byte{1}))},
		"signed-by-stranger":             {"ErrUnknownSigner", "not one of the 1 candidates", string(announce(tb, announcement, attacker, pkcs7.OIDDigestAlgorithmSHA256, nil))},
		"signed-by-stranger-in-the-name-of-the-signer": {"ErrSignature", "verifying CMS", changed(func(p *cmsParts) {
			p.signAttributes(tb, attacker, contentType, digest)
			p.Data.Credentials.Bytes = attacker.Chain[0].Raw
			p.Data.Credentials.FullBytes = nil
		})},
		"signed-by-nobody": {"ErrUnsigned", "without a signer", changed(func(p *cmsParts) { p.Data.Signers = nil })},
		"signed-by-two":    {"ErrMalformed", "2 signers", string(two)},
		"sha-1":            {"ErrPolicy", "SHA-1", string(announce(tb, announcement, key, pkcs7.OIDDigestAlgorithmSHA1, nil))},
		"value-changed":    {"ErrSignature", "verifying CMS", changed(func(p *cmsParts) { p.Data.Signers[0].Value[7] ^= 1 })},
		"method-of-another-digest": {"ErrPolicy", "does not go with digest", changed(func(p *cmsParts) {
			p.setMethod(tb, pkcs7.OIDEncryptionAlgorithmRSASHA512)
		})},
		"method-of-another-key": {"ErrPolicy", "does not go with a key", changed(func(p *cmsParts) {
			p.setMethod(tb, pkcs7.OIDDigestAlgorithmECDSASHA256)
		})},
		"method-unknown":    {"ErrPolicy", "is not known", changed(func(p *cmsParts) { p.setMethod(tb, asn1.ObjectIdentifier{1, 2, 3}) })},
		"octets-after-it":   {"ErrMalformed", "expected CMS in DER", string(valid) + "\x00"},
		"cut-short":         {"ErrMalformed", "expected CMS in DER", string(valid[:len(valid)-1])},
		"other-structure":   {"ErrMalformed", "expected CMS in DER", string(key.Chain[0].Raw)},
		"indefinite-length": {"ErrMalformed", "expected CMS in DER", "\x30\x80" + string(valid[4:]) + "\x00\x00"},
	}
}

func (p *cmsParts) setMethod(tb testing.TB, oid asn1.ObjectIdentifier) {
	tb.Helper()
	der, err := asn1.Marshal(struct{ OID asn1.ObjectIdentifier }{oid})
	if err != nil {
		tb.Fatal(err)
	}
	p.Data.Signers[0].SignatureMethod = asn1.RawValue{FullBytes: der}
}

var cmsFolder = filepath.Join("..", "testdata", "hostile", "cms")

// TestHostileAnnouncementsAreRefused verifies every file of the corpus under the credential that stands beside them: PEM with
// what is expected as headers.
func TestHostileAnnouncementsAreRefused(t *testing.T) {
	if *update {
		writeHostileCMS(t)
	}
	candidates, err := signing.ReadCredentials(read(t, filepath.Join(cmsFolder, "credential.crt")))
	if err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(cmsFolder, "*.pem"))
	if err != nil || len(files) < 20 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	for _, path := range files {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".pem"), func(t *testing.T) {
			file, _ := pem.Decode(read(t, path))
			if file == nil {
				t.Fatal("no PEM")
			}
			want, known := kinds[file.Headers["Expect"]]
			if !known {
				t.Fatalf("unknown expectation %q", file.Headers["Expect"])
			}
			_, err := signing.VerifyAnnouncement(file.Bytes, nil, candidates, signing.Policy{})
			if !errors.Is(err, want) || err != nil && !strings.Contains(err.Error(), file.Headers["Reason"]) {
				t.Errorf("got  %v\nwant %v with %q", err, want, file.Headers["Reason"])
			}
		})
	}
}

func writeHostileCMS(t *testing.T) {
	t.Helper()
	key := keyOf(t, rsaKey)
	if err := os.RemoveAll(cmsFolder); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(cmsFolder, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(cmsFolder, "credential.crt"), credentialPEM(key), 0o644); err != nil {
		t.Fatal(err)
	}
	stranger := keyOf(t, otherRSAKey)
	stranger.Chain = []*x509.Certificate{strangersCredential(t, stranger.Signer)}
	for name, c := range hostileCMS(t, key, stranger) {
		file := &pem.Block{Type: "CMS", Headers: map[string]string{"Expect": c.expect}, Bytes: []byte(c.der)}
		if c.reason != "" {
			file.Headers["Reason"] = c.reason
		}
		if err := os.WriteFile(filepath.Join(cmsFolder, name+".pem"), pem.EncodeToMemory(file), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// TestLibraryAndOpenSSLBelieveAForgedAnnouncement is why the rule of the signed attributes is there.
func TestLibraryAndOpenSSLBelieveAForgedAnnouncement(t *testing.T) {
	file, _ := pem.Decode(read(t, filepath.Join(cmsFolder, "attributes-become-content.pem")))
	credential := filepath.Join(cmsFolder, "credential.crt")
	forged, err := pkcs7.Parse(file.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	if err := forged.Verify(); err != nil {
		t.Errorf("library: %v", err)
	}
	openssl := exec.Command(tool(t, "openssl"), "cms", "-verify", "-noverify", "-binary", "-inform", "DER", "-certfile", credential, "-out", os.DevNull)
	openssl.Stdin = bytes.NewReader(file.Bytes)
	if out, err := openssl.CombinedOutput(); err != nil {
		t.Errorf("openssl: %v\n%s", err, out)
	}
}

func TestAnnouncementIsVerified(t *testing.T) {
	rsaPair, ecPair := keyOf(t, rsaKey), keyOf(t, p384Key)
	detached := func(d *pkcs7.SignedData) { d.Detach() }
	sha256OID, sha384OID := pkcs7.OIDDigestAlgorithmSHA256, pkcs7.OIDDigestAlgorithmSHA384
	rsaCMS := announce(t, announcement, rsaPair, sha256OID, nil)
	for _, test := range []struct {
		name      string
		key       signing.Key
		cms       []byte
		content   []byte
		policy    signing.Policy
		algorithm string
	}{
		{"RSA", rsaPair, rsaCMS, nil, signing.Policy{}, "rsa-sha256"},
		{"PEM", rsaPair, block("CMS", rsaCMS), nil, signing.Policy{}, "rsa-sha256"},
		{"ECDSA", ecPair, announce(t, announcement, ecPair, sha384OID, nil), nil, signing.Policy{}, "ecdsa-sha384"},
		{"detached", ecPair, announce(t, announcement, ecPair, sha256OID, detached), []byte(announcement), signing.Policy{}, "ecdsa-sha256"},
		{"algorithm agreed", rsaPair, rsaCMS, nil, signing.Policy{Algorithms: []string{"rsa-sha256"}}, "rsa-sha256"},
		{"SHA-1 as an exception", rsaPair, announce(t, announcement, rsaPair, pkcs7.OIDDigestAlgorithmSHA1, nil), nil, exceptions(signing.ExceptionSHA1), "rsa-sha1"},
	} {
		t.Run(test.name, func(t *testing.T) {
			candidates := []*x509.Certificate{strangersCredential(t, test.key.Signer), test.key.Chain[0]}
			got, err := signing.VerifyAnnouncement(test.cms, test.content, candidates, test.policy)
			if err != nil {
				t.Fatal(err)
			}
			if string(got.Octets) != announcement || got.Signer != candidates[1] || !strings.HasSuffix(got.Algorithm, "#"+test.algorithm) {
				t.Errorf("got %q of %v with %s", got.Octets, got.Signer.Subject, got.Algorithm)
			}
			if got.SigningTime.IsZero() {
				t.Error("the signing time is lost")
			}
		})
	}
}

func TestAnnouncementIsRefused(t *testing.T) {
	key, weak := keyOf(t, rsaKey), keyOf(t, weakRSAKey)
	sha256OID := pkcs7.OIDDigestAlgorithmSHA256
	attached := announce(t, announcement, key, sha256OID, nil)
	detached := announce(t, announcement, key, sha256OID, func(d *pkcs7.SignedData) { d.Detach() })
	for _, test := range []struct {
		name         string
		key          signing.Key
		cms, content []byte
		policy       signing.Policy
		want         error
		text         string
	}{
		{"other content", key, detached, []byte("{}"), signing.Policy{}, signing.ErrDigest, "not what was signed"},
		{"detached without content", key, detached, nil, signing.Policy{}, signing.ErrUnsigned, "none is given"},
		{"attached with content beside it", key, attached, []byte(announcement), signing.Policy{}, signing.ErrMalformed, "of its own"},
		{"algorithm not agreed", key, attached, nil, signing.Policy{Algorithms: []string{"ecdsa-sha256"}}, signing.ErrPolicy, "not one of those agreed"},
		{"RSA of 1024 bits", weak, announce(t, announcement, weak, sha256OID, nil), nil, signing.Policy{}, signing.ErrPolicy, "1024 bits"},
		{"two blocks of PEM", key, append(block("CMS", attached), block("CMS", attached)...), nil, signing.Policy{}, signing.ErrMalformed, "nothing after it"},
		{"too long", key, make([]byte, 4<<20+1), nil, signing.Policy{}, signing.ErrMalformed, "more than"},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := signing.VerifyAnnouncement(test.cms, test.content, test.key.Chain, test.policy)
			if !errors.Is(err, test.want) || !strings.Contains(err.Error(), test.text) {
				t.Errorf("got %v, want %v with %q", err, test.want, test.text)
			}
		})
	}
}

func TestAnnouncementOfOpenSSLIsVerified(t *testing.T) {
	openssl := tool(t, "openssl")
	for _, test := range []struct {
		name     string
		key      signing.Key
		more     []string
		detached bool
		want     error
	}{
		{"RSA", keyOf(t, rsaKey), nil, false, nil},
		{"RSA, PEM, detached", keyOf(t, rsaKey), []string{"-outform", "PEM"}, true, nil},
		{"ECDSA, SHA-512", keyOf(t, p256Key), []string{"-md", "sha512"}, false, nil},
		{"without credentials inside", keyOf(t, p256Key), []string{"-nocerts"}, false, nil},
		{"without signed attributes", keyOf(t, rsaKey), []string{"-noattr"}, false, signing.ErrUnsigned},
		{"signer named by key identifier", keyOf(t, rsaKey), []string{"-keyid"}, false, signing.ErrMalformed},
		{"RSA-PSS", keyOf(t, rsaKey), []string{"-keyopt", "rsa_padding_mode:pss"}, false, signing.ErrPolicy},
		{"SHA-1", keyOf(t, rsaKey), []string{"-md", "sha1"}, false, signing.ErrPolicy},
	} {
		t.Run(test.name, func(t *testing.T) {
			private, credential := keyFiles(t, test.key)
			args := []string{"cms", "-sign", "-binary", "-outform", "DER", "-signer", credential, "-inkey", private, "-in", write(t, "a.json", []byte(announcement))}
			var content []byte
			if test.detached {
				content = []byte(announcement)
			} else {
				args = append(args, "-nodetach")
			}
			cms, err := exec.Command(openssl, append(args, test.more...)...).Output()
			if err != nil {
				t.Fatal(err)
			}
			got, err := signing.VerifyAnnouncement(cms, content, test.key.Chain, signing.Policy{})
			if !errors.Is(err, test.want) || err == nil && string(got.Octets) != announcement {
				t.Errorf("got %v, %v", got, err)
			}
		})
	}
}

// FuzzVerifyAnnouncement looks for panics and for success with content that was never signed.
func FuzzVerifyAnnouncement(f *testing.F) {
	candidates, err := signing.ReadCredentials(read(f, filepath.Join(cmsFolder, "credential.crt")))
	if err != nil {
		f.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(cmsFolder, "*.pem"))
	if err != nil {
		f.Fatal(err)
	}
	for _, path := range files {
		file, _ := pem.Decode(read(f, path))
		f.Add(file.Bytes)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		got, err := signing.VerifyAnnouncement(data, nil, candidates, signing.Policy{})
		if err == nil && string(got.Octets) != announcement {
			t.Fatalf("%q was never signed", got.Octets)
		}
		if wrong := (*signing.Error)(nil); err != nil && !errors.As(err, &wrong) {
			t.Fatalf("%T: %v", err, err)
		}
	})
}

func TestOpenSSLAndWeBelieveTheSameAnnouncements(t *testing.T) {
	openssl := tool(t, "openssl")
	for _, test := range []struct {
		name   string
		key    signing.Key
		digest asn1.ObjectIdentifier
		spoil  func([]byte)
	}{
		{"RSA", keyOf(t, rsaKey), pkcs7.OIDDigestAlgorithmSHA256, nil},
		{"ECDSA", keyOf(t, p521Key), pkcs7.OIDDigestAlgorithmSHA512, nil},
		{"content changed", keyOf(t, rsaKey), pkcs7.OIDDigestAlgorithmSHA256, func(der []byte) {
			der[bytes.Index(der, []byte(announcement))+3] ^= 1
		}},
		{"value changed", keyOf(t, rsaKey), pkcs7.OIDDigestAlgorithmSHA256, func(der []byte) { der[len(der)-1] ^= 1 }},
	} {
		t.Run(test.name, func(t *testing.T) {
			cms := announce(t, announcement, test.key, test.digest, nil)
			if test.spoil != nil {
				test.spoil(cms)
			}
			got, err := signing.VerifyAnnouncement(cms, nil, test.key.Chain, signing.Policy{})
			command := exec.Command(openssl, "cms", "-verify", "-noverify", "-nointern", "-binary", "-inform", "DER",
				"-certfile", write(t, "crt.pem", credentialPEM(test.key)), "-in", write(t, "a.p7m", cms))
			out, theirs := command.Output()
			if good := test.spoil == nil; (err == nil) != good || (theirs == nil) != good {
				t.Fatalf("we say %v, OpenSSL says %v", err, theirs)
			}
			if err == nil && !bytes.Equal(got.Octets, out) {
				t.Errorf("we read %q, OpenSSL reads %q", got.Octets, out)
			}
		})
	}
}
