package signing_test

import (
	"bytes"
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ecogate/ecogate/internal/tsatest"
	"github.com/ecogate/ecogate/signing"
)

var signingTime = time.Date(2026, 11, 25, 9, 30, 15, 0, time.UTC)

// tsa is a time-stamp authority.
type tsa struct {
	signing.HTTPAuthority
	*tsatest.Authority
	x509Cert, anchor *x509.Certificate
}

// openTSA starts an authority whose credential expires at until; never if that is zero.
func openTSA(tb testing.TB, until time.Time) tsa {
	tb.Helper()
	a := tsatest.Open(tb, until)
	return tsa{signing.HTTPAuthority{URL: a.URL, Client: http.DefaultClient}, a, a.Credential.X509Cert, a.PKI.Root.X509Cert}
}

// chainFile has the CA under which the authority's credential is.
func (a tsa) chainFile(tb testing.TB) string {
	return write(tb, "issuing.pem", a.PKI.Issuing.ChainPEM())
}

// bare asks an authority for tokens that carry no credential.
func (a tsa) bare() answer {
	return func(ctx context.Context, request []byte) ([]byte, error) {
		query := bytes.TrimSuffix(bytes.Clone(request), []byte{1, 1, 0xFF}) // certReq
		query[1] -= 3
		return a.Ask(ctx, query)
	}
}

// Uses of a credential.
var (
	timeStamping = asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 3, 8}
	serverAuth   = asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 3, 1}
)

func timeCredential(tb testing.TB, serial int64, until time.Time, critical bool, uses ...asn1.ObjectIdentifier) *x509.Certificate {
	tb.Helper()
	usage, err := asn1.Marshal(uses)
	if err != nil {
		tb.Fatal(err)
	}
	return &x509.Certificate{
		SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: "Time"}, KeyUsage: x509.KeyUsageDigitalSignature,
		NotBefore: time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC), NotAfter: until,
		ExtraExtensions: []pkix.Extension{{Id: asn1.ObjectIdentifier{2, 5, 29, 37}, Critical: critical, Value: usage}},
	}
}

func issue(tb testing.TB, template, parent *x509.Certificate, key, signer crypto.Signer) *x509.Certificate {
	tb.Helper()
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), signer)
	if err != nil {
		tb.Fatal(err)
	}
	x509Cert, err := x509.ParseCertificate(der)
	if err != nil {
		tb.Fatal(err)
	}
	return x509Cert
}

func signXAdES(tb testing.TB, key signing.Key, authority signing.TimeStampAuthority) []byte {
	tb.Helper()
	signed, err := signing.SignXAdES(tb.Context(), []byte(document), documentPath, key, signing.XAdES{SigningTime: signingTime, Authority: authority})
	if err != nil {
		tb.Fatal(err)
	}
	return signed
}

func TestVerifyDocumentReadsWhatSignXAdESWrites(t *testing.T) {
	stamps := openTSA(t, time.Time{})
	key := keyOf(t, rsaKey)
	want, err := signing.Canonicalize([]byte(document))
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name      string
		authority signing.TimeStampAuthority
		anchors   []*x509.Certificate
		vouched   *x509.Certificate
	}{
		{"BES", nil, []*x509.Certificate{stamps.anchor}, nil},
		{"T with the authority's CA", stamps, []*x509.Certificate{key.Chain[0], stamps.anchor}, stamps.x509Cert},
		{"T with the authority itself", stamps, []*x509.Certificate{stamps.x509Cert}, stamps.x509Cert},
		{"T without anchors", stamps, nil, nil},
		{"T with a token that carries no credential", stamps.bare(), nil, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			before := time.Now().Add(-time.Minute)
			signed := signXAdES(t, key, test.authority)
			verified, err := signing.VerifyDocument(signed, documentPath, key.Chain, signing.Policy{TimeStampAnchors: test.anchors})
			if err != nil {
				t.Fatalf("%v\n%s", err, signed)
			}
			if !bytes.Equal(verified.Octets, want) || verified.Signer != key.Chain[0] || len(verified.References) != 1 {
				t.Errorf("verified %+v", verified)
			}
			if !verified.SigningTime.Equal(signingTime) {
				t.Errorf("signing time %s", verified.SigningTime)
			}
			stamp := verified.TimeStamp
			if (stamp != nil) != (test.authority != nil) {
				t.Fatalf("time-stamp %+v", stamp)
			}
			if stamp == nil {
				return
			}
			if stamp.Time.Before(before) || stamp.Time.After(time.Now().Add(time.Minute)) || stamp.Policy != tsatest.Policy || stamp.SerialNumber.Sign() <= 0 {
				t.Errorf("time-stamp %+v", stamp)
			}
			if test.vouched == nil && stamp.Authority != nil || test.vouched != nil && !test.vouched.Equal(stamp.Authority) {
				t.Errorf("authority %v", stamp.Authority)
			}
		})
	}
}

func TestTokenWithoutCredentialIsVerifiedWithTheAnchor(t *testing.T) {
	stamps, key := openTSA(t, time.Time{}), keyOf(t, p256Key)
	signed := signXAdES(t, key, stamps.bare())
	for _, anchors := range [][]*x509.Certificate{{stamps.x509Cert}, {stamps.anchor}} {
		_, err := signing.VerifyDocument(signed, documentPath, key.Chain, signing.Policy{TimeStampAnchors: anchors})
		if known := anchors[0] == stamps.x509Cert; known != (err == nil) || !known && !errors.Is(err, signing.ErrTimeStamp) {
			t.Errorf("with %s: %v", anchors[0].Subject, err)
		}
	}
}

// TestXAdESNamesOneOfTwoCredentialsOfAKey: a renewed credential is not the one that signed, though its key is.
func TestXAdESNamesOneOfTwoCredentialsOfAKey(t *testing.T) {
	key := keyOf(t, rsaKey)
	renewed := *key.Chain[0]
	renewed.SerialNumber = big.NewInt(20270101)
	other := issue(t, &renewed, &renewed, key.Signer, key.Signer)
	// Some products leave KeyInfo out.
	before, rest, _ := strings.Cut(string(signXAdES(t, key, nil)), "<ds:KeyInfo>")
	_, after, _ := strings.Cut(rest, "</ds:KeyInfo>")
	verified, err := signing.VerifyDocument([]byte(before+after), documentPath, []*x509.Certificate{other, key.Chain[0]}, signing.Policy{})
	if err != nil || verified.Signer != key.Chain[0] {
		t.Errorf("got %v, %+v", err, verified)
	}
	_, err = signing.VerifyDocument([]byte(before+after), documentPath, []*x509.Certificate{other}, signing.Policy{})
	if !errors.Is(err, signing.ErrUnknownSigner) {
		t.Errorf("with the other alone: %v", err)
	}
}

var idAttribute = []string{"--id-attr:Id", "http://uri.etsi.org/01903/v1.3.2#:SignedProperties"}

// TestXmlsecVerifiesXAdES asks an independent implementation about the signature, and openssl about the time-stamp.
func TestXmlsecVerifiesXAdES(t *testing.T) {
	xmlsec, openssl := tool(t, "xmlsec1"), tool(t, "openssl")
	stamps := openTSA(t, time.Time{})
	anchor := write(t, "anchor.pem", pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: stamps.anchor.Raw}))
	for _, test := range []struct {
		name string
		key  func() (crypto.Signer, error)
	}{{"RSA", rsaKey}, {"P-256", p256Key}, {"P-384", p384Key}, {"P-521", p521Key}} {
		t.Run(test.name, func(t *testing.T) {
			key := keyOf(t, test.key)
			_, credential := keyFiles(t, key)
			for _, authority := range []signing.TimeStampAuthority{nil, stamps} {
				signed := signXAdES(t, key, authority)
				arguments := append([]string{"--verify", "--enabled-key-data", "x509", "--trusted-pem", credential}, idAttribute...)
				if out, err := exec.Command(xmlsec, append(arguments, write(t, "signed.xml", signed))...).CombinedOutput(); err != nil {
					t.Errorf("%v\n%s\n%s", err, out, signed)
				}
				if authority == nil {
					continue
				}
				value := between(t, string(signed), "<ds:SignatureValue>", "</ds:SignatureValue>")
				stamped := `<ds:SignatureValue xmlns:ds="http://www.w3.org/2000/09/xmldsig#">` + value + `</ds:SignatureValue>`
				out, err := exec.Command(openssl, "ts", "-verify", "-token_in", "-in", write(t, "token", tokenOf(t, string(signed))),
					"-data", write(t, "stamped", []byte(stamped)), "-CAfile", anchor).CombinedOutput()
				if err != nil {
					t.Errorf("%v\n%s", err, out)
				}
			}
		})
	}
}

func between(tb testing.TB, text, before, after string) string {
	tb.Helper()
	_, rest, _ := strings.Cut(text, before)
	found, _, ok := strings.Cut(rest, after)
	if !ok {
		tb.Fatalf("no %s in\n%s", before, text)
	}
	return found
}

func tokenOf(tb testing.TB, signed string) []byte {
	tb.Helper()
	token, err := base64.StdEncoding.DecodeString(between(tb, signed, "<xades:EncapsulatedTimeStamp>", "</xades:EncapsulatedTimeStamp>"))
	if err != nil {
		tb.Fatal(err)
	}
	return token
}

// TestVerifyDocumentReadsOtherXAdES has another implementation sign what other products put into the properties.
func TestVerifyDocumentReadsOtherXAdES(t *testing.T) {
	xmlsec := tool(t, "xmlsec1")
	key := keyOf(t, rsaKey)
	private, credential := keyFiles(t, key)
	cert := func(x509Cert *x509.Certificate, inside string) string {
		return `<x:Cert><x:CertDigest><ds:DigestMethod Algorithm=` + sha256URI + `/><ds:DigestValue>` + digest(x509Cert.Raw) +
			`</ds:DigestValue></x:CertDigest>` + inside + `</x:Cert>`
	}
	plain := `<x:SigningCertificateV2>` + cert(key.Chain[0], "") + `</x:SigningCertificateV2>`
	for _, test := range []struct{ name, transforms, properties, data, when string }{
		{"inclusive, no transforms", "", `<x:SigningTime>2026-11-25T18:30:15.25+09:00</x:SigningTime>` + plain, "", "2026-11-25T09:30:15.25Z"},
		{"inclusive", "<ds:Transforms>" + canonical + "</ds:Transforms>", plain, "", "0001-01-01T00:00:00Z"},
		{"exclusive", "<ds:Transforms><ds:Transform Algorithm=" + excC14N + "/></ds:Transforms>", "\n" + plain + "\n", "", "0001-01-01T00:00:00Z"},
		{"with a chain", "", `<x:SigningCertificateV2>` + cert(key.Chain[0], "") + cert(credentialOf(t, key.Signer), "") + `</x:SigningCertificateV2>`, "", "0001-01-01T00:00:00Z"},
		{
			"with claims", "", plain + `<x:SignatureProductionPlaceV2><x:City>Taipei</x:City></x:SignatureProductionPlaceV2><x:SignerRoleV2><x:ClaimedRoles><x:ClaimedRole>officer</x:ClaimedRole></x:ClaimedRoles></x:SignerRoleV2>`,
			`<x:SignedDataObjectProperties><x:DataObjectFormat ObjectReference="#r1"><x:MimeType>text/xml</x:MimeType></x:DataObjectFormat></x:SignedDataObjectProperties>`, "0001-01-01T00:00:00Z",
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			template := `<ds:Signature xmlns:ds="http://www.w3.org/2000/09/xmldsig#" Id="s"><ds:SignedInfo><ds:CanonicalizationMethod Algorithm=` + excC14N +
				`/><ds:SignatureMethod Algorithm="http://www.w3.org/2001/04/xmldsig-more#rsa-sha256"/>
<ds:Reference Type="http://uri.etsi.org/01903#SignedProperties" URI="#p">` + test.transforms + `<ds:DigestMethod Algorithm=` + sha256URI + `/><ds:DigestValue/></ds:Reference>
<ds:Reference Id="r1" URI=""><ds:Transforms>` + enveloped + canonical + `</ds:Transforms><ds:DigestMethod Algorithm=` + sha256URI + `/><ds:DigestValue/></ds:Reference>
</ds:SignedInfo><ds:SignatureValue Id="v"/><ds:KeyInfo><ds:X509Data/></ds:KeyInfo>
<ds:Object><x:QualifyingProperties xmlns:x="http://uri.etsi.org/01903/v1.3.2#" Target="#s"><x:SignedProperties Id="p"><x:SignedSignatureProperties>` +
				test.properties + `</x:SignedSignatureProperties>` + test.data + `</x:SignedProperties></x:QualifyingProperties></ds:Object></ds:Signature>`
			unsigned := strings.Replace(document, "<sig:Information/>", "<sig:Information>"+template+"</sig:Information>", 1)
			out := filepath.Join(t.TempDir(), "signed.xml")
			arguments := append([]string{"--sign", "--privkey-pem", private + "," + credential, "--output", out}, idAttribute...)
			if text, err := exec.Command(xmlsec, append(arguments, write(t, "template.xml", []byte(unsigned)))...).CombinedOutput(); err != nil {
				t.Fatalf("%v\n%s", err, text)
			}
			verified, err := signing.VerifyDocument(read(t, out), documentPath, key.Chain, signing.Policy{})
			if err != nil {
				t.Fatalf("%v\n%s", err, read(t, out))
			}
			if got := verified.SigningTime.Format(time.RFC3339Nano); got != test.when {
				t.Errorf("signing time %s, want %s", got, test.when)
			}
		})
	}
}

// answer is an authority that says something else.
type answer func(ctx context.Context, request []byte) ([]byte, error)

func (a answer) Ask(ctx context.Context, request []byte) ([]byte, error) { return a(ctx, request) }

func TestSignXAdESRefusesWhatTheAuthorityMakes(t *testing.T) {
	key, stamps := keyOf(t, p256Key), openTSA(t, time.Time{})
	gone := errors.New("connection refused")
	octets := func(reply []byte, err error) answer {
		return func(context.Context, []byte) ([]byte, error) { return reply, err }
	}
	served := func(status int, mediaType string, size int) signing.TimeStampAuthority {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", mediaType)
			w.WriteHeader(status)
			_, _ = w.Write(make([]byte, size))
		}))
		t.Cleanup(server.Close)
		return signing.HTTPAuthority{URL: server.URL, Client: server.Client()}
	}
	var earlier []byte
	keep := answer(func(ctx context.Context, request []byte) (reply []byte, err error) {
		earlier, err = stamps.Ask(ctx, request)
		return earlier, err
	})
	signXAdES(t, key, keep)
	otherImprint := answer(func(ctx context.Context, request []byte) ([]byte, error) {
		changed := bytes.Clone(request)
		changed[30] ^= 1
		return stamps.Ask(ctx, changed)
	})
	for _, test := range []struct {
		name      string
		authority signing.TimeStampAuthority
		reason    string
	}{
		{"no answer", octets(nil, gone), "connection refused"},
		{"empty", octets(nil, nil), "not a TimeStampResp"},
		{"garbage", octets([]byte("<html>"), nil), "not a TimeStampResp"},
		{"rejection", octets([]byte{0x30, 0x12, 0x30, 0x10, 2, 1, 2, 0x30, 7, 0x0C, 5, 'b', 'u', 's', 'y', '!', 3, 2, 5, 0x20}, nil), "status 2"},
		{"granted nothing", octets([]byte{0x30, 5, 0x30, 3, 2, 1, 0}, nil), "has no time-stamp"},
		{"granted no CMS", octets([]byte{0x30, 7, 0x30, 3, 2, 1, 0, 0x30, 0}, nil), "is not CMS"},
		{"trailing octets", answer(func(ctx context.Context, r []byte) ([]byte, error) {
			reply, err := stamps.Ask(ctx, r)
			return append(reply, 0), err
		}), "octets follow"},
		{"replay", octets(earlier, nil), "nonce"},
		{"other imprint", otherImprint, "something else"},
		{"other authority", openTSA(t, time.Time{}), "unknown authority"},
		{"expired", openTSA(t, time.Date(2021, 1, 1, 0, 0, 0, 0, time.UTC)), "outside of certificate validity"},
		{"error status", served(503, "text/plain", 10), "503"},
		{"web page", served(200, "text/html", 10), "text/html"},
		{"endless", served(200, "application/timestamp-reply", 1<<20), "more than 65536"},
	} {
		t.Run(test.name, func(t *testing.T) {
			signed, err := signing.SignXAdES(t.Context(), []byte(document), documentPath, key,
				signing.XAdES{SigningTime: signingTime, Authority: test.authority, TimeStampAnchors: []*x509.Certificate{stamps.anchor}})
			if !errors.Is(err, signing.ErrAuthority) || !strings.Contains(err.Error(), test.reason) || signed != nil {
				t.Errorf("got %v, want %q", err, test.reason)
			}
		})
	}
}

func TestSignXAdESWaitsNoLongerThanItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.ReadAll(r.Body)
		cancel()
		<-r.Context().Done()
	}))
	defer server.Close()
	_, err := signing.SignXAdES(ctx, []byte(document), documentPath, keyOf(t, p256Key),
		signing.XAdES{SigningTime: signingTime, Authority: signing.HTTPAuthority{URL: server.URL, Client: server.Client()}})
	if !errors.Is(err, signing.ErrAuthority) || !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func TestSignXAdESRefuses(t *testing.T) {
	key := keyOf(t, p256Key)
	for _, test := range []struct {
		name string
		doc  []byte
		key  signing.Key
		at   time.Time
		want error
	}{
		{"no time", []byte(document), key, time.Time{}, signing.ErrPolicy},
		{"no place", []byte("<a/>"), key, signingTime, signing.ErrMalformed},
		{"no key", []byte(document), signing.Key{}, signingTime, signing.ErrKey},
		{"signed", signXAdES(t, key, nil), key, signingTime, signing.ErrMalformed},
	} {
		t.Run(test.name, func(t *testing.T) {
			if _, err := signing.SignXAdES(t.Context(), test.doc, documentPath, test.key, signing.XAdES{SigningTime: test.at}); !errors.Is(err, test.want) {
				t.Errorf("got %v, want %v", err, test.want)
			}
		})
	}
}

// TestNoByteOfXAdESCanChange changes each byte of a time-stamped document. Either it is refused, or what it means is the
// same.
func TestNoByteOfXAdESCanChange(t *testing.T) {
	stamps, key := openTSA(t, time.Time{}), keyOf(t, p256Key)
	signed := signXAdES(t, key, stamps)
	policy := signing.Policy{TimeStampAnchors: []*x509.Certificate{stamps.anchor}}
	meaning := func(v *signing.Verified) string {
		stamp := "none"
		if v.TimeStamp != nil {
			stamp = fmt.Sprint(v.TimeStamp.Time, v.TimeStamp.Policy, v.TimeStamp.SerialNumber, v.TimeStamp.Authority.SerialNumber)
		}
		return fmt.Sprint(string(v.Octets), v.SigningTime, v.Signer.SerialNumber, stamp)
	}
	original, err := signing.VerifyDocument(signed, documentPath, key.Chain, policy)
	if err != nil {
		t.Fatal(err)
	}
	for i := range signed {
		changed := bytes.Clone(signed)
		changed[i] ^= []byte{0x01, 0x20, 0x80}[i%3]
		if verified, err := signing.VerifyDocument(changed, documentPath, key.Chain, policy); err == nil && meaning(verified) != meaning(original) {
			t.Fatalf("byte %d of %q may become %q", i, signed[max(0, i-30):i+30], changed[i])
		}
	}
}

// TestRSAKeysTooLongAreNotTried: verifying under a key that somebody brings along must not keep a processor busy.
func TestRSAKeysTooLongAreNotTried(t *testing.T) {
	key, stamps := keyOf(t, rsaKey), openTSA(t, time.Time{})
	stamped := string(signXAdES(t, key, stamps))
	long := &rsa.PublicKey{N: new(big.Int).SetBit(big.NewInt(1), 20_000, 1), E: 1<<31 - 1}
	late := time.Date(2050, 1, 1, 0, 0, 0, 0, time.UTC)
	der, err := x509.CreateCertificate(rand.Reader, timeCredential(t, 11, late, true, timeStamping), stamps.PKI.Issuing.X509Cert, long, stamps.PKI.Issuing.Key)
	if err != nil {
		t.Fatal(err)
	}
	x509Cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	file := write(t, "long.pem", pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
	token := forgeToken(t, stamps, contentOf(t, tokenOf(t, stamped)), timeCredential(t, 12, late, true, timeStamping), []string{"-certfile", file})
	text := between(t, stamped, "<xades:EncapsulatedTimeStamp>", "</xades:EncapsulatedTimeStamp>")
	doc := strings.Replace(stamped, text, base64.StdEncoding.EncodeToString(token), 1)
	_, err = signing.VerifyDocument([]byte(doc), documentPath, key.Chain, signing.Policy{TimeStampAnchors: []*x509.Certificate{stamps.anchor}})
	if !errors.Is(err, signing.ErrTimeStamp) || !strings.Contains(err.Error(), "RSA key of 20001 bits") {
		t.Errorf("in a token: %v", err)
	}
	plain, err := signing.SignDocument([]byte(document), documentPath, key)
	if err != nil {
		t.Fatal(err)
	}
	unnamed := "<ds:KeyInfo>" + between(t, string(plain), "<ds:KeyInfo>", "</ds:KeyInfo>") + "</ds:KeyInfo>"
	_, err = signing.VerifyDocument([]byte(strings.Replace(string(plain), unnamed, "", 1)), documentPath, []*x509.Certificate{x509Cert}, signing.Policy{})
	if !errors.Is(err, signing.ErrPolicy) || !strings.Contains(err.Error(), "at most 8192") {
		t.Errorf("as candidate: %v", err)
	}
}
