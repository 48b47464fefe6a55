package signing_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/x509"
	"encoding/asn1"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.mozilla.org/pkcs7"

	"github.com/ecogate/ecogate/signing"
)

// The XAdES documents have a folder of their own, with the signer's credential and the CA of the time-stamp authority.
var xadesFolder = filepath.Join(hostileFolder, "xades")

func xadesPolicy(tb testing.TB) ([]*x509.Certificate, signing.Policy) {
	tb.Helper()
	candidates, err := signing.ReadCredentials(read(tb, filepath.Join(xadesFolder, "credential.pem")))
	if err != nil {
		tb.Fatal(err)
	}
	anchors, err := signing.ReadCredentials(read(tb, filepath.Join(xadesFolder, "authority.pem")))
	if err != nil {
		tb.Fatal(err)
	}
	return candidates, signing.Policy{TimeStampAnchors: anchors}
}

// TestHostileXAdESIsRefused verifies every XAdES document of the corpus.
func TestHostileXAdESIsRefused(t *testing.T) {
	if *update {
		writeHostileXAdES(t)
	}
	candidates, policy := xadesPolicy(t)
	files, err := filepath.Glob(filepath.Join(xadesFolder, "*.txt"))
	if err != nil || len(files) == 0 {
		t.Fatal("no files", err)
	}
	for _, path := range files {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".txt"), func(t *testing.T) {
			file := readHostile(t, path)
			want, known := kinds[file.expect]
			if !known {
				t.Fatalf("unknown expectation %q", file.expect)
			}
			_, err := signing.VerifyDocument(file.body, documentPath, candidates, policy)
			if !errors.Is(err, want) || err != nil && !strings.Contains(err.Error(), file.reason) {
				t.Errorf("got  %v\nwant %v with %q", err, want, file.reason)
			}
		})
	}
}

func writeHostileXAdES(t *testing.T) {
	t.Helper()
	key := keyOf(t, rsaKey)
	stamps := openTSA(t, time.Time{})
	if err := os.MkdirAll(xadesFolder, 0o755); err != nil {
		t.Fatal(err)
	}
	old, _ := filepath.Glob(filepath.Join(xadesFolder, "*.txt"))
	for _, path := range old {
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
	}
	for name, x509Cert := range map[string]*x509.Certificate{"credential.pem": key.Chain[0], "authority.pem": stamps.anchor} {
		block := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: x509Cert.Raw})
		if err := os.WriteFile(filepath.Join(xadesFolder, name), block, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	bes, stamped := string(signXAdES(t, key, nil)), string(signXAdES(t, key, stamps))
	cases := hostileProperties(t, bes, key, keyOf(t, otherRSAKey))
	cases = append(cases, hostileStamps(t, stamped, key, stamps)...)
	for _, c := range cases {
		header := fmt.Sprintf("kind: document\nexpect: %s\n", c.expect)
		if c.reason != "" {
			header += "reason: " + c.reason + "\n"
		}
		if err := os.WriteFile(filepath.Join(xadesFolder, c.name+".txt"), []byte(header+"\n"+c.body), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// changes makes cases of a document in which a text was replaced, and fails if it has no such text.
func changes(t *testing.T, doc string) func(name, expect, reason, old, replacement string) hostileCase {
	return func(name, expect, reason, old, replacement string) hostileCase {
		t.Helper()
		if !strings.Contains(doc, old) {
			t.Fatalf("%s: no %s", name, old)
		}
		return hostileCase{name, "document", expect, reason, nil, strings.Replace(doc, old, replacement, 1), ""}
	}
}

// hostileProperties are changes to a valid XAdES-BES document.
func hostileProperties(t *testing.T, bes string, key, attacker signing.Key) []hostileCase {
	t.Helper()
	c := changes(t, bes)
	id := between(t, bes, `<xades:SignedProperties xmlns:xades="http://uri.etsi.org/01903/v1.3.2#" Id="`, `"`)
	object := "<ds:Object>" + between(t, bes, "<ds:Object>", "</ds:Object>") + "</ds:Object>"
	qualifying := between(t, object, "<ds:Object>", "</ds:Object>")
	signed := `<xades:SignedProperties ` + between(t, bes, `<xades:SignedProperties `, `</xades:SignedProperties>`) + `</xades:SignedProperties>`
	reference := `<ds:Reference Type=` + between(t, bes, "<ds:Reference Type=", "</ds:Reference>") + "</ds:Reference>"
	ownDigest, otherDigest := sha256.Sum256(key.Chain[0].Raw), sha256.Sum256(attacker.Chain[0].Raw)
	own, other := base64.StdEncoding.EncodeToString(ownDigest[:]), base64.StdEncoding.EncodeToString(otherDigest[:])
	serial := between(t, bes, "<xades:IssuerSerialV2>", "</xades:IssuerSerialV2>")
	plain, err := signing.SignDocument([]byte(document), documentPath, key)
	if err != nil {
		t.Fatal(err)
	}
	inner := bes[strings.Index(bes, "<CertificateOfOrigin"):]
	without, _ := cut(bes)
	inProperties := func(name, reason, property string) hostileCase {
		return c(name, "ErrMalformed", reason, "</xades:SigningCertificateV2>", "</xades:SigningCertificateV2>"+property)
	}
	return []hostileCase{
		c("valid-bes", "none", "", "<ds:Object>", "<ds:Object>"),
		c("object-beside", "ErrMalformed", "not expected", object, object+"<ds:Object></ds:Object>"),
		c("object-before", "ErrMalformed", "stands where xades:QualifyingProperties", object, "<ds:Object><evil></evil></ds:Object>"+object),
		c("object-missing", "ErrMalformed", "ds:Object is expected", object, ""),
		c("object-twice", "ErrMalformed", "not expected", object, object+object),
		c("object-with-text", "ErrMalformed", "has text", "<ds:Object>", "<ds:Object>text"),
		c("object-with-comment", "ErrMalformed", "comment", "<ds:Object>", "<ds:Object><!-- -->"),
		{"object-without-reference", "document", "ErrMalformed", "not expected", nil, strings.Replace(string(plain), "</ds:Signature>", object+"</ds:Signature>", 1), ""},
		c("qualifying-properties-twice", "ErrMalformed", "not expected", qualifying, qualifying+qualifying),
		c("qualifying-properties-of-another", "ErrMalformed", "not of this signature", `Target="#signature-`, `Target="#signature-0`),
		c("qualifying-properties-of-none", "ErrMalformed", "not of this signature", ` Target="#signature-`, ` Id="#signature-`),
		c("signature-without-id", "ErrMalformed", "not of this signature", ` Id="signature-`+strings.TrimPrefix(id, "properties-")+`"`, ""),
		c("properties-twice", "ErrMalformed", "not expected", signed, signed+signed),
		c("properties-elsewhere", "ErrMalformed", "xades:QualifyingProperties is expected", object, "<ds:Object>"+signed+"</ds:Object>"),
		{"properties-outside", "document", "ErrMalformed", "xades:SignedProperties is expected", nil, strings.Replace(strings.Replace(bes, signed, "", 1), "<ID>", signed+"<ID>", 1), ""},
		{"properties-outside-and-others-inside", "document", "ErrMalformed", "not the SignedProperties with the Id", nil, strings.Replace(strings.Replace(bes, signed, strings.Replace(signed, id, "other", 1), 1), "<ID>", signed+"<ID>", 1), ""},
		c("properties-changed", "ErrDigest", "SignedProperties", "2026-11-25T09:30:15Z", "2025-11-25T09:30:15Z"),
		c("properties-of-another-namespace", "ErrMalformed", "xades:QualifyingProperties", `<xades:QualifyingProperties xmlns:xades="http://uri.etsi.org/01903/v1.3.2#"`, `<xades:QualifyingProperties xmlns:xades="http://uri.etsi.org/01903/v1.1.1#"`),
		c("id-twice-in-key-info", "ErrMalformed", "has the Id", "<ds:KeyInfo>", `<ds:KeyInfo><ds:KeyName Id="`+id+`">evil</ds:KeyName>`),
		c("id-twice-in-lower-case", "ErrMalformed", "has the Id", "<ID>", `<ID id="`+id+`">`),
		c("id-twice-as-xml-id", "ErrMalformed", "has the Id", "<ID>", `<ID xml:id="`+id+`">`),
		c("id-twice-of-another-namespace", "ErrMalformed", "has the Id", "<ID>", `<ID xmlns:wsu="urn:wsu" wsu:Id="`+id+`">`),
		c("id-empty", "ErrPolicy", "instead of an Id", `URI="#`+id+`"`, `URI=""`),
		{"id-of-no-octets", "document", "ErrPolicy", "instead of an Id", nil, strings.NewReplacer(`URI="#`+id+`"`, `URI="#"`, ` Id="`+id+`"`, "").Replace(bes), ""},
		c("reference-twice", "ErrMalformed", "more than one Reference to SignedProperties", reference, reference+reference),
		c("reference-missing", "ErrMalformed", "not expected", reference, ""),
		c("reference-of-no-type", "ErrPolicy", "neither to the document nor to a part", `Type="http://uri.etsi.org/01903#SignedProperties" `, ""),
		c("reference-to-web", "ErrPolicy", "instead of an Id", `URI="#`+id+`"`, `URI="http://evil.example/#`+id+`"`),
		c("reference-to-xpointer", "ErrMalformed", "the signature covers", `URI="#`+id+`"`, `URI="#xpointer(id('`+id+`'))"`),
		c("reference-to-signature", "ErrMalformed", "the signature covers", `URI="#`+id+`"`, `URI="#`+strings.Replace(id, "properties", "signature", 1)+`"`),
		c("reference-with-xpath", "ErrPolicy", "canonicalization", `#properties-`+strings.TrimPrefix(id, "properties-")+`"><ds:Transforms>`, `#`+id+`"><ds:Transforms>`+xpath("true()")),
		c("reference-with-enveloped", "ErrPolicy", "canonicalization", `#`+id+`"><ds:Transforms>`, `#`+id+`"><ds:Transforms>`+enveloped),
		c("reference-with-two-transforms", "ErrMalformed", "not expected", `#`+id+`"><ds:Transforms>`, `#`+id+`"><ds:Transforms>`+canonical),
		c("reference-with-no-transform", "ErrMalformed", "ds:Transform is expected", reference, strings.Replace(reference, between(t, reference, "<ds:Transforms>", "</ds:Transforms>"), "", 1)),
		{"reference-with-sha1", "document", "ErrPolicy", "SHA-1", nil, strings.Replace(bes, reference, strings.Replace(reference, "http://www.w3.org/2001/04/xmlenc#sha256", "http://www.w3.org/2000/09/xmldsig#sha1", 1), 1), ""},
		c("credential-of-another", "ErrUnknownSigner", "SigningCertificateV2 names none", own, other),
		c("credential-of-another-serial", "ErrUnknownSigner", "SigningCertificateV2 names none", serial, serial[:len(serial)-8]+"AAAAAAA="),
		{"credential-of-another-who-signed", "document", "ErrUnknownSigner", "SigningCertificateV2 names none", nil, string(signXAdES(t, attacker, nil)), ""},
		c("credential-by-sha1", "ErrPolicy", "SHA-1", `<ds:DigestMethod xmlns:ds="http://www.w3.org/2000/09/xmldsig#" Algorithm="http://www.w3.org/2001/04/xmlenc#sha256">`, `<ds:DigestMethod xmlns:ds="http://www.w3.org/2000/09/xmldsig#" Algorithm="http://www.w3.org/2000/09/xmldsig#sha1">`),
		c("credential-missing", "ErrMalformed", "SigningCertificateV2 is expected", "<xades:SigningCertificateV2>"+between(t, bes, "<xades:SigningCertificateV2>", "</xades:SigningCertificateV2>")+"</xades:SigningCertificateV2>", ""),
		c("credential-none", "ErrMalformed", "xades:Cert is expected", between(t, bes, "<xades:SigningCertificateV2>", "</xades:SigningCertificateV2>"), ""),
		c("credentials-many", "ErrMalformed", "more than 10", between(t, bes, "<xades:SigningCertificateV2>", "</xades:SigningCertificateV2>"), strings.Repeat(between(t, bes, "<xades:SigningCertificateV2>", "</xades:SigningCertificateV2>"), 11)),
		{"credential-of-first-edition", "document", "ErrMalformed", "xades:SigningCertificateV2 is expected", nil, strings.ReplaceAll(bes, "xades:SigningCertificateV2>", "xades:SigningCertificate>"), ""},
		c("time-without-zone", "ErrMalformed", "SigningTime", "09:30:15Z", "09:30:15"),
		c("time-of-no-day", "ErrMalformed", "SigningTime", "2026-11-25T", "2026-02-30T"),
		inProperties("signature-policy", "SignaturePolicyIdentifier is not expected", "<xades:SignaturePolicyIdentifier><xades:SignaturePolicyImplied></xades:SignaturePolicyImplied></xades:SignaturePolicyIdentifier>"),
		inProperties("unknown-property", "evil is not expected", "<evil></evil>"),
		c("commitment", "ErrMalformed", "CommitmentTypeIndication is not expected", "</xades:SignedSignatureProperties>", "</xades:SignedSignatureProperties><xades:SignedDataObjectProperties><xades:CommitmentTypeIndication></xades:CommitmentTypeIndication></xades:SignedDataObjectProperties>"),
		c("counter-signature", "ErrMalformed", "more than one ds:Signature", "</xades:QualifyingProperties>", "<xades:UnsignedProperties><xades:UnsignedSignatureProperties><xades:CounterSignature><ds:Signature></ds:Signature></xades:CounterSignature></xades:UnsignedSignatureProperties></xades:UnsignedProperties></xades:QualifyingProperties>"),
		c("document-changed", "ErrDigest", "the document", "KE-2026-1", "KE-2026-2"),
		{"wrapped", "document", "ErrMalformed", "not in its place", nil, strings.Replace(without, "</CertificateOfOrigin>", inner+"</CertificateOfOrigin>", 1), ""},
		{"wrapped-in-object", "document", "ErrMalformed", "more than one ds:Signature", nil, strings.Replace(bes, "<ds:Object>", "<ds:Object>"+inner, 1), ""},
		c("reference-to-part", "ErrMalformed", "which there is not", "</ds:SignedInfo>", bareReference(parts[0])+"</ds:SignedInfo>"),
	}
}

// hostileStamps are changes to a valid XAdES-T document.
func hostileStamps(t *testing.T, stamped string, key signing.Key, stamps tsa) []hostileCase {
	t.Helper()
	c := changes(t, stamped)
	text := between(t, stamped, "<xades:EncapsulatedTimeStamp>", "</xades:EncapsulatedTimeStamp>")
	token := tokenOf(t, stamped)
	whole := "<xades:SignatureTimeStamp>" + between(t, stamped, "<xades:SignatureTimeStamp>", "</xades:SignatureTimeStamp>") + "</xades:SignatureTimeStamp>"
	withToken := func(name, reason string, token []byte) hostileCase {
		return c("token-"+name, "ErrTimeStamp", reason, text, base64.StdEncoding.EncodeToString(token))
	}
	madeBy := func(name, reason string, authority signing.TimeStampAuthority) hostileCase {
		return hostileCase{"token-" + name, "document", "ErrTimeStamp", reason, nil, string(signXAdES(t, key, authority)), ""}
	}
	late := time.Date(2050, 1, 1, 0, 0, 0, 0, time.UTC)
	content := contentOf(t, token)
	forge := func(template *x509.Certificate, options ...string) []byte {
		return forgeToken(t, stamps, content, template, options)
	}
	again := func(content []byte) []byte {
		return forgeToken(t, stamps, content, timeCredential(t, 9, late, true, timeStamping), nil)
	}
	otherKey, otherCredential := keyFiles(t, key)
	weaker := append([]byte(nil), token...)
	ecdsa := bytes.LastIndex(weaker, []byte{0x2A, 0x86, 0x48, 0xCE, 0x3D, 4, 3, 2})
	weaker[ecdsa+7] = 1 // ecdsa-with-SHA224
	year := time.Now().UTC().Format("2006")
	at := strings.Index(string(token), year)
	if at < 0 {
		t.Fatal("no time in the token")
	}
	earlier := append([]byte(nil), token...)
	copy(earlier[at:], "2024")
	broken := append([]byte(nil), token...)
	broken[len(broken)-1] ^= 1
	changed := strings.Replace(document, "KE-2026-1", "KE-2026-9", 1)
	other, err := signing.SignXAdES(t.Context(), []byte(changed), documentPath, key, signing.XAdES{SigningTime: signingTime, Authority: stamps})
	if err != nil {
		t.Fatal(err)
	}
	return []hostileCase{
		c("valid-stamped", "none", "", "<ds:Object>", "<ds:Object>"),
		withToken("of-another-document", "something else", tokenOf(t, string(other))),
		withToken("with-another-time", "digest mismatch", earlier),
		withToken("with-a-broken-signature", "signature", broken),
		withToken("cut-short", "is not DER", token[:len(token)-10]),
		withToken("with-octets-after-it", "octets follow", append(append([]byte(nil), token...), 0)),
		withToken("empty-sequence", "", []byte{0x30, 0}),
		withToken("deep", "is not DER", []byte(strings.Repeat("\x30\x80", 5000))),
		withToken("long", "more than 32768", make([]byte, 40_000)),
		withToken("that-is-a-credential", "is not CMS", key.Chain[0].Raw),
		c("token-not-base64", "ErrMalformed", "not base64", text, "?"),
		c("token-twice", "ErrMalformed", "not expected", "</xades:EncapsulatedTimeStamp>", "</xades:EncapsulatedTimeStamp><xades:EncapsulatedTimeStamp>"+text+"</xades:EncapsulatedTimeStamp>"),
		c("token-of-another-encoding", "ErrPolicy", "expected DER", "<xades:EncapsulatedTimeStamp>", `<xades:EncapsulatedTimeStamp Encoding="http://uri.etsi.org/01903/v1.2.2#PER">`),
		madeBy("of-another-authority", "unknown authority", openTSA(t, time.Time{})),
		madeBy("of-an-expired-authority", "outside of certificate validity", openTSA(t, time.Date(2021, 1, 1, 0, 0, 0, 0, time.UTC))),
		withToken("of-an-authority-for-tls-too", "not for time-stamping alone", forge(timeCredential(t, 1, late, true, timeStamping, serverAuth))),
		withToken("of-an-authority-not-critical", "does not say so critically", forge(timeCredential(t, 2, late, false, timeStamping))),
		withToken("of-an-authority-for-tls", "not for time-stamping alone", forge(timeCredential(t, 3, late, true, serverAuth))),
		withToken("of-a-time-after-its-authority", "has expired", again(bytes.Replace(content, []byte(year), []byte("2060"), 1))),
		withToken("of-another-version", "version 2", again(bytes.Replace(content, []byte{2, 1, 1}, []byte{2, 1, 2}, 1))),
		withToken("with-an-extension", "with extensions", again(extended(t, content))),
		withToken("of-a-long-serial", "serial number of 161 bits", again(renumbered(t, content))),
		withToken("with-octets-after-its-content", "octets follow", again(append(append([]byte(nil), content...), 0))),
		withToken("of-another-content", "not a TSTInfo", again([]byte("hello"))),
		withToken("of-two-signers", "2 signers", forge(timeCredential(t, 10, late, true, timeStamping), "-signer", otherCredential, "-inkey", otherKey)),
		withToken("by-sha224", "neither RSA", weaker),
		withToken("by-sha1", "is not SHA-256", forge(timeCredential(t, 5, late, true, timeStamping), "-md", "sha1")),
		withToken("without-signed-attributes", "the signed content type", forge(timeCredential(t, 6, late, true, timeStamping), "-noattr")),
		withToken("of-another-content-type", "instead of TSTInfo", forge(timeCredential(t, 7, late, true, timeStamping), "-econtent_type", "1.2.840.113549.1.7.1")),
		withToken("that-names-no-credential", "does not name the credential", forge(timeCredential(t, 8, late, true, timeStamping), "-not-cades")),
		madeBy("of-nobody", "neither in it nor among", stamps.bare()),
		c("stamp-twice", "ErrMalformed", "not expected", whole, whole+whole),
		c("stamp-with-include", "ErrMalformed", "Include stands where", "<xades:SignatureTimeStamp>", `<xades:SignatureTimeStamp><xades:Include URI="#evil"></xades:Include>`),
		c("stamp-in-xml", "ErrMalformed", "XMLTimeStamp stands where", "<xades:EncapsulatedTimeStamp>"+text+"</xades:EncapsulatedTimeStamp>", "<xades:XMLTimeStamp></xades:XMLTimeStamp>"),
		c("stamp-with-comments", "ErrPolicy", "WithComments", `<ds:CanonicalizationMethod Algorithm="http://www.w3.org/2001/10/xml-exc-c14n#"></ds:CanonicalizationMethod><xades:Enc`, `<ds:CanonicalizationMethod Algorithm="http://www.w3.org/2001/10/xml-exc-c14n#WithComments"></ds:CanonicalizationMethod><xades:Enc`),
		c("stamp-of-all-data", "ErrMalformed", "SignatureTimeStamp is expected", whole, ""),
		c("unsigned-values", "ErrMalformed", "CertificateValues is not expected", whole, whole+"<xades:CertificateValues></xades:CertificateValues>"),
		c("unsigned-twice", "ErrMalformed", "not expected", "</xades:QualifyingProperties>", "<xades:UnsignedProperties></xades:UnsignedProperties></xades:QualifyingProperties>"),
		c("stamped-value-changed", "ErrSignature", "", "<ds:SignatureValue>", "<ds:SignatureValue>AAAA"),
	}
}

func contentOf(t *testing.T, token []byte) []byte {
	t.Helper()
	parsed, err := pkcs7.Parse(token)
	if err != nil {
		t.Fatal(err)
	}
	return parsed.Content
}

// renumbered is a TSTInfo with a serial number of 161 bits.
func renumbered(t *testing.T, content []byte) []byte {
	t.Helper()
	var fields []asn1.RawValue
	if _, err := asn1.Unmarshal(content, &fields); err != nil {
		t.Fatal(err)
	}
	fields[3] = asn1.RawValue{Tag: asn1.TagInteger, Bytes: append([]byte{1}, make([]byte, 20)...)}
	out, err := asn1.Marshal(fields)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// extended is a TSTInfo with an extension that must be understood.
func extended(t *testing.T, content []byte) []byte {
	t.Helper()
	var info asn1.RawValue
	if _, err := asn1.Unmarshal(content, &info); err != nil {
		t.Fatal(err)
	}
	extension := []byte{0xA1, 14, 0x30, 12, 6, 3, 0x2A, 3, 4, 1, 1, 0xFF, 4, 2, 5, 0}
	out, err := asn1.Marshal(asn1.RawValue{Tag: asn1.TagSequence, IsCompound: true, Bytes: append(info.Bytes, extension...)})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// forgeToken signs the content of a token with another credential of the authority's CA, as the options of openssl cms say.
func forgeToken(t *testing.T, stamps tsa, content []byte, template *x509.Certificate, options []string) []byte {
	t.Helper()
	key, issuing := keyOf(t, p256Key), stamps.PKI.Issuing
	private, credential := keyFiles(t, signing.Key{Signer: key.Signer, Chain: []*x509.Certificate{issue(t, template, issuing.X509Cert, key.Signer, issuing.Key)}})
	arguments := []string{"cms", "-sign", "-in", write(t, "content", content), "-binary", "-nodetach", "-outform", "DER", "-nosmimecap",
		"-certfile", stamps.chainFile(t),
		"-signer", credential, "-inkey", private, "-out", filepath.Join(t.TempDir(), "token")}
	out := arguments[len(arguments)-1]
	cades, contentType := true, true
	for _, option := range options {
		switch option {
		case "-not-cades", "-noattr":
			cades = false
		case "-econtent_type":
			contentType = false
		}
		if option != "-not-cades" {
			arguments = append(arguments, option)
		}
	}
	if cades {
		arguments = append(arguments, "-cades")
	}
	if contentType {
		arguments = append(arguments, "-econtent_type", "1.2.840.113549.1.9.16.1.4")
	}
	if text, err := exec.Command(tool(t, "openssl"), arguments...).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	return read(t, out)
}

// FuzzVerifyXAdES looks for panics in the reading of QualifyingProperties, and for octets that cannot be read again.
func FuzzVerifyXAdES(f *testing.F) {
	candidates, policy := xadesPolicy(f)
	files, _ := filepath.Glob(filepath.Join(xadesFolder, "*.txt"))
	for _, path := range files {
		f.Add(readHostile(f, path).body)
	}
	f.Fuzz(func(t *testing.T, doc []byte) {
		verified, err := signing.VerifyDocument(doc, documentPath, candidates, policy)
		if ours := (*signing.Error)(nil); err != nil && !errors.As(err, &ours) {
			t.Fatalf("error of another type: %v", err)
		}
		if err != nil {
			return
		}
		if _, err := signing.Canonicalize(verified.Octets); err != nil || verified.Signer != candidates[0] {
			t.Fatalf("octets %q: %v", verified.Octets, err)
		}
	})
}

// FuzzTimeStampReply lets an authority answer anything, and anybody put anything in the place of a token: it is not signed.
func FuzzTimeStampReply(f *testing.F) {
	candidates, policy := xadesPolicy(f)
	valid := string(readHostile(f, filepath.Join(xadesFolder, "valid-stamped.txt")).body)
	text := between(f, valid, "<xades:EncapsulatedTimeStamp>", "</xades:EncapsulatedTimeStamp>")
	token := tokenOf(f, valid)
	f.Add(token)
	f.Add(append([]byte{0x30, 0x82, byte((len(token) + 5) >> 8), byte(len(token) + 5), 0x30, 3, 2, 1, 0}, token...))
	f.Add([]byte{0x30, 7, 0x30, 5, 2, 1, 2, 0x30, 0})
	key := keyOf(f, p256Key)
	f.Fuzz(func(t *testing.T, reply []byte) {
		authority := answer(func(context.Context, []byte) ([]byte, error) { return reply, nil })
		_, err := signing.SignXAdES(t.Context(), []byte(document), documentPath, key, signing.XAdES{SigningTime: signingTime, Authority: authority})
		if !errors.Is(err, signing.ErrAuthority) {
			t.Fatalf("got %v", err)
		}
		changed := strings.Replace(valid, text, base64.StdEncoding.EncodeToString(reply), 1)
		verified, err := signing.VerifyDocument([]byte(changed), documentPath, candidates, policy)
		if ours := (*signing.Error)(nil); err != nil && !errors.As(err, &ours) {
			t.Fatalf("error of another type: %v", err)
		}
		if err == nil && verified.TimeStamp.Authority == nil {
			t.Fatal("a time-stamp that nobody made")
		}
	})
}
