package signing_test

import (
	"bytes"
	"crypto"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/ecogate/ecogate/signing"
)

func TestSignMessageVerifies(t *testing.T) {
	for _, test := range []struct {
		name      string
		key       func() (crypto.Signer, error)
		algorithm string
		digest    string
	}{
		{"RSA", rsaKey, "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256", "http://www.w3.org/2001/04/xmlenc#sha256"},
		{"P-256", p256Key, "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256", "http://www.w3.org/2001/04/xmlenc#sha256"},
		{"P-384", p384Key, "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha384", "http://www.w3.org/2001/04/xmldsig-more#sha384"},
		{"P-521", p521Key, "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha512", "http://www.w3.org/2001/04/xmlenc#sha512"},
	} {
		t.Run(test.name, func(t *testing.T) {
			key := keyOf(t, test.key)
			signed, refs, err := signing.SignMessage([]byte(envelope), parts, key)
			if err != nil {
				t.Fatal(err)
			}
			candidates := []*x509.Certificate{keyOf(t, otherRSAKey).Chain[0], key.Chain[0]}
			verified, err := signing.VerifyMessage(signed, parts, candidates, signing.Policy{})
			if err != nil {
				t.Fatal(err)
			}
			if verified.Signer != key.Chain[0] || verified.Algorithm != test.algorithm {
				t.Errorf("signer %q with %s", verified.Signer.Subject, verified.Algorithm)
			}
			same := func(a, b signing.Reference) bool {
				return a.URI == b.URI && a.DigestMethod == b.DigestMethod && a.DigestValue == b.DigestValue && bytes.Equal(a.XML, b.XML)
			}
			if len(refs) != 3 || !slices.EqualFunc(refs, verified.References, same) {
				t.Errorf("signed %+v, verified %+v", refs, verified.References)
			}
			for i, uri := range []string{"", parts[0].URI, parts[1].URI} {
				if refs[i].URI != uri || refs[i].DigestMethod != test.digest {
					t.Errorf("reference %d is to %q by %s", i, refs[i].URI, refs[i].DigestMethod)
				}
			}
		})
	}
}

func TestSignMessageOnlyInserts(t *testing.T) {
	for _, test := range []struct{ name, envelope string }{
		{"header with content", envelope},
		{"CR LF and byte order mark", "\uFEFF" + strings.ReplaceAll(envelope, "\n", "\r\n")},
	} {
		t.Run(test.name, func(t *testing.T) {
			signed, _, err := signing.SignMessage([]byte(test.envelope), nil, keyOf(t, p256Key))
			if err != nil {
				t.Fatal(err)
			}
			at := strings.Index(test.envelope, "</soap:Header>")
			if !bytes.HasPrefix(signed, []byte(test.envelope[:at]+"<ds:Signature ")) || !bytes.HasSuffix(signed, []byte("</ds:Signature>"+test.envelope[at:])) {
				t.Errorf("more than the signature is new:\n%s", signed)
			}
		})
	}
	empty := `<S:Envelope xmlns:S="http://schemas.xmlsoap.org/soap/envelope/"><S:Header /><S:Body/></S:Envelope>`
	signed, _, err := signing.SignMessage([]byte(empty), nil, keyOf(t, p256Key))
	if err != nil || !bytes.Contains(signed, []byte("<S:Header ><ds:Signature ")) {
		t.Errorf("empty header: %v\n%s", err, signed)
	}
}

func TestOctetsAreWhatIsCovered(t *testing.T) {
	key := keyOf(t, p256Key)
	signed, _, err := signing.SignMessage([]byte(envelope), parts, key)
	if err != nil {
		t.Fatal(err)
	}
	verified, err := signing.VerifyMessage(signed, parts, key.Chain, signing.Policy{})
	if err != nil {
		t.Fatal(err)
	}
	octets := string(verified.Octets)
	for _, absent := range []string{"Signature", "nextMSH", "SyncReply", "comment", "<?xml"} {
		if strings.Contains(octets, absent) {
			t.Errorf("octets have %q:\n%s", absent, octets)
		}
	}
	for _, present := range []string{"toPartyMSH", "<eb:CPAId>a &amp; b</eb:CPAId>", `<eb:MessageHeader soap:mustUnderstand="1" eb:id="h" eb:version="2.0">`} {
		if !strings.Contains(octets, present) {
			t.Errorf("octets lack %q:\n%s", present, octets)
		}
	}
}

// TestReferencesStandAlone puts a reference where an Acknowledgment would, and expects its meaning unchanged.
func TestReferencesStandAlone(t *testing.T) {
	key := keyOf(t, p256Key)
	_, refs, err := signing.SignMessage([]byte(envelope), parts, key)
	if err != nil {
		t.Fatal(err)
	}
	want := `<ds:Reference xmlns:ds="http://www.w3.org/2000/09/xmldsig#" URI=""><ds:Transforms>` +
		`<ds:Transform Algorithm="http://www.w3.org/2000/09/xmldsig#enveloped-signature"></ds:Transform>` +
		`<ds:Transform Algorithm="http://www.w3.org/TR/1999/REC-xpath-19991116"><ds:XPath xmlns:SOAP="http://schemas.xmlsoap.org/soap/envelope/">` +
		`not(ancestor-or-self::node()[@SOAP:actor="` + nextMSH + `"] | ancestor-or-self::node()[@SOAP:actor="` + actorNext + `"])` +
		`</ds:XPath></ds:Transform><ds:Transform Algorithm=` + c14n10 + `></ds:Transform></ds:Transforms>` +
		`<ds:DigestMethod Algorithm=` + sha256URI + `></ds:DigestMethod><ds:DigestValue>` + refs[0].DigestValue + `</ds:DigestValue></ds:Reference>`
	if string(refs[0].XML) != want {
		t.Errorf("got  %s\nwant %s", refs[0].XML, want)
	}
	for _, r := range refs {
		if _, err := signing.Canonicalize([]byte(`<other xmlns="urn:d">` + string(r.XML) + `</other>`)); err != nil {
			t.Errorf("reference to %q: %v", r.URI, err)
		}
	}
	verified, err := signing.VerifyMessage(craft(t, crafted{}, key), parts, key.Chain, signing.Policy{})
	if err != nil || !bytes.Contains(verified.References[0].XML, []byte(` xmlns:soap="http://schemas.xmlsoap.org/soap/envelope/"`)) {
		t.Errorf("the inherited prefix of the XPath is lost: %v", err)
	}
}

// TestVerifyMessageAccepts has what other products write and what we do not write ourselves.
func TestVerifyMessageAccepts(t *testing.T) {
	rsa, p256 := keyOf(t, rsaKey), keyOf(t, p256Key)
	step := func(q, actor string) string { return "ancestor-or-self::node()[@soap:actor=" + q + actor + q + "]" }
	certificate := "<ds:X509Certificate>\n" + base64.StdEncoding.EncodeToString(rsa.Chain[0].Raw) + "&#13;\n</ds:X509Certificate>"
	for _, test := range []struct {
		name string
		c    crafted
		key  signing.Key
	}{
		{"no KeyInfo", crafted{}, rsa},
		{"ECDSA", crafted{}, p256},
		{"no XPath", crafted{transforms: enveloped + canonical}, rsa},
		{"canonicalization left out", crafted{transforms: enveloped + xpath(hermesXPath)}, rsa},
		{"only enveloped", crafted{transforms: enveloped}, rsa},
		{"exclusive transform", crafted{transforms: enveloped + xpath(hermesXPath) + `<ds:Transform Algorithm=` + excC14N + `/>`}, rsa},
		{"exclusive SignedInfo", crafted{method: excC14N + "/>"}, rsa},
		{"exclusive SignedInfo with PrefixList", crafted{method: excC14N +
			`><ec:InclusiveNamespaces xmlns:ec="http://www.w3.org/2001/10/xml-exc-c14n#" PrefixList="eb #default  soap"/></ds:CanonicalizationMethod>`}, rsa},
		{"XPath in single quotes, no white space", crafted{transforms: enveloped + xpath("not("+step("'", nextMSH)+"|"+step("'", actorNext)+")")}, rsa},
		{"XPath in other order", crafted{transforms: enveloped + xpath("not("+step(`"`, actorNext)+" | "+step(`'`, nextMSH)+")")}, rsa},
		{"XPath over lines", crafted{transforms: enveloped + xpath("\n not\t( ancestor-or-self\n::\nnode ( ) [ @ soap:actor\r\n = \""+nextMSH+"\" ]\n | "+step(`"`, actorNext)+" ) ")}, rsa},
		{"XPath with service:nextMSH", crafted{transforms: enveloped + xpath(strings.Replace(hermesXPath, ":actor:nextMSH", ":service:nextMSH", 1))}, rsa},
		{"XPath with its own prefix", crafted{transforms: enveloped + strings.ReplaceAll(strings.Replace(xpath(hermesXPath), "<ds:XPath>",
			`<ds:XPath xmlns:SOAP-ENV="http://schemas.xmlsoap.org/soap/envelope/">`, 1), "@soap:", "@SOAP-ENV:")}, rsa},
		{"wrapped signature value", crafted{value: func(v string) string { return "\n\t" + v[:76] + "&#13;\n" + v[76:] + "\r\n " }}, rsa},
		{"chain in KeyInfo", crafted{keyInfo: "<ds:KeyInfo><ds:KeyName>x</ds:KeyName><ds:X509Data><ds:X509Certificate>" +
			base64.StdEncoding.EncodeToString(keyOf(t, otherRSAKey).Chain[0].Raw) + "</ds:X509Certificate>" + certificate + "</ds:X509Data></ds:KeyInfo>"}, rsa},
		{"issuer and serial number", crafted{keyInfo: "<ds:KeyInfo><ds:X509Data><ds:X509IssuerSerial><ds:X509IssuerName>CN=x</ds:X509IssuerName>" +
			"<ds:X509SerialNumber>20260101</ds:X509SerialNumber></ds:X509IssuerSerial></ds:X509Data></ds:KeyInfo>"}, rsa},
		{"subject key identifier", crafted{keyInfo: "<ds:KeyInfo><ds:X509Data><ds:X509SKI>AQIDBA==</ds:X509SKI></ds:X509Data></ds:KeyInfo>"}, rsa},
	} {
		t.Run(test.name, func(t *testing.T) {
			signed := craft(t, test.c, test.key)
			candidates := []*x509.Certificate{p256.Chain[0], rsa.Chain[0]}
			verified, err := signing.VerifyMessage(signed, parts, candidates, signing.Policy{})
			if err != nil {
				t.Fatalf("%v\n%s", err, signed)
			}
			if verified.Signer != test.key.Chain[0] || len(verified.References) != 3 {
				t.Errorf("signer %q, %d references", verified.Signer.Subject, len(verified.References))
			}
			filtered := test.c.transforms == "" || strings.Contains(test.c.transforms, "ds:XPath")
			if strings.Contains(string(verified.Octets), "SyncReply") == filtered {
				t.Errorf("octets are not what the transforms leave:\n%s", verified.Octets)
			}
		})
	}
}

func TestVerifyMessageChecksKeys(t *testing.T) {
	rsa, other, p256 := keyOf(t, rsaKey), keyOf(t, otherRSAKey), keyOf(t, p256Key)
	weak, p224 := keyOf(t, weakRSAKey), keyOf(t, p224Key)
	certificate := func(key signing.Key) string {
		return "<ds:KeyInfo><ds:X509Data><ds:X509Certificate>" + base64.StdEncoding.EncodeToString(key.Chain[0].Raw) +
			"</ds:X509Certificate></ds:X509Data></ds:KeyInfo>"
	}
	serial := "<ds:KeyInfo><ds:X509Data><ds:X509IssuerSerial><ds:X509IssuerName>CN=x</ds:X509IssuerName>" +
		"<ds:X509SerialNumber>7</ds:X509SerialNumber></ds:X509IssuerSerial></ds:X509Data></ds:KeyInfo>"
	for _, test := range []struct {
		name       string
		c          crafted
		key        signing.Key
		candidates []*x509.Certificate
		policy     signing.Policy
		want       error
	}{
		{"key of somebody else in KeyInfo", crafted{keyInfo: certificate(other)}, other, rsa.Chain, signing.Policy{}, signing.ErrUnknownSigner},
		{"right credential, other key", crafted{keyInfo: certificate(rsa)}, other, rsa.Chain, signing.Policy{}, signing.ErrSignature},
		{"no KeyInfo, other key", crafted{}, other, rsa.Chain, signing.Policy{}, signing.ErrSignature},
		{"no candidate", crafted{}, rsa, nil, signing.Policy{}, signing.ErrUnknownSigner},
		{"no candidate of this kind", crafted{}, rsa, p256.Chain, signing.Policy{}, signing.ErrUnknownSigner},
		{"other serial number", crafted{keyInfo: serial}, rsa, rsa.Chain, signing.Policy{}, signing.ErrUnknownSigner},
		{"other subject key identifier", crafted{keyInfo: "<ds:KeyInfo><ds:X509Data><ds:X509SKI>AAAA</ds:X509SKI></ds:X509Data></ds:KeyInfo>"},
			rsa, rsa.Chain, signing.Policy{}, signing.ErrUnknownSigner},
		{"RSA of 1024 bits", crafted{keyInfo: certificate(weak)}, weak, weak.Chain, signing.Policy{}, signing.ErrPolicy},
		{"P-224", crafted{}, p224, p224.Chain, signing.Policy{}, signing.ErrPolicy},
		{"ECDSA in ASN.1", crafted{der: true}, p256, p256.Chain, signing.Policy{}, signing.ErrSignature},
		{"ECDSA too long", crafted{value: func(v string) string { return "AAAA" + v }}, p256, p256.Chain, signing.Policy{}, signing.ErrSignature},
		{"ECDSA with a wider s", crafted{value: func(v string) string {
			raw, _ := base64.StdEncoding.DecodeString(v)
			return base64.StdEncoding.EncodeToString(slices.Insert(raw, 32, 0))
		}}, p256, p256.Chain, signing.Policy{}, signing.ErrSignature},
		{"second spelling of the value", crafted{value: func(v string) string { return v[:len(v)-3] + string(v[len(v)-3]+1) + "==" }},
			rsa, rsa.Chain, signing.Policy{}, signing.ErrMalformed},
		{"other algorithm agreed", crafted{}, rsa, rsa.Chain, signing.Policy{Algorithms: []string{"rsa-sha512"}}, signing.ErrPolicy},
		{"SHA-1 exception does not widen", crafted{}, rsa, rsa.Chain, signing.Policy{Exceptions: []signing.Exception{{Name: signing.ExceptionSHA1}}, Algorithms: []string{"ecdsa-sha256"}}, signing.ErrPolicy},
		{"agreed by short name", crafted{}, rsa, rsa.Chain, signing.Policy{Algorithms: []string{"rsa-sha512", "rsa-sha256"}}, nil},
		{"agreed by URI", crafted{}, rsa, rsa.Chain, signing.Policy{Algorithms: []string{"http://www.w3.org/2001/04/xmldsig-more#rsa-sha256"}}, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := signing.VerifyMessage(craft(t, test.c, test.key), parts, test.candidates, test.policy)
			if !errors.Is(err, test.want) {
				t.Errorf("got %v, want %v", err, test.want)
			}
		})
	}
}

func TestVerifyMessageChecksParts(t *testing.T) {
	key := keyOf(t, rsaKey)
	signed := craft(t, crafted{}, key)
	other := signing.Part{URI: "cid:other@customs.example", Content: bytes.NewReader([]byte("x"))}
	changed := signing.Part{URI: parts[1].URI, Content: bytes.NewReader([]byte{0, 1, 2, 0xFF, '\n'})}
	for _, test := range []struct {
		name  string
		parts []signing.Part
		want  error
		text  string
	}{
		{"all", parts, nil, ""},
		{"in another order", []signing.Part{parts[1], parts[0]}, nil, ""},
		{"one more", append(slices.Clone(parts), other), signing.ErrUnsigned, "cid:other@customs.example"},
		{"one less", parts[:1], signing.ErrMalformed, "cid:annex-1@customs.example"},
		{"one twice", append(slices.Clone(parts), parts[0]), signing.ErrMalformed, "more than one part"},
		{"one changed", []signing.Part{parts[0], changed}, signing.ErrDigest, "cid:annex-1@customs.example"},
		{"contents exchanged", []signing.Part{{URI: parts[0].URI, Content: parts[1].Content}, {URI: parts[1].URI, Content: parts[0].Content}}, signing.ErrDigest, "cid:co-1"},
		{"without URI", append(slices.Clone(parts), signing.Part{}), signing.ErrUnsigned, `the part ""`},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := signing.VerifyMessage(signed, test.parts, key.Chain, signing.Policy{})
			if !errors.Is(err, test.want) || err != nil && !strings.Contains(err.Error(), test.text) {
				t.Errorf("got %v, want %v with %q", err, test.want, test.text)
			}
		})
	}
}

func TestSignMessageRefuses(t *testing.T) {
	key := keyOf(t, rsaKey)
	signed := string(craft(t, crafted{}, key))
	mismatched := signing.Key{Signer: key.Signer, Chain: keyOf(t, otherRSAKey).Chain}
	for _, test := range []struct {
		name, envelope string
		parts          []signing.Part
		key            signing.Key
		want           error
	}{
		{"not XML", "x", nil, key, signing.ErrMalformed},
		{"not SOAP", "<a/>", nil, key, signing.ErrMalformed},
		{"signed already", signed, nil, key, signing.ErrMalformed},
		{"part without cid", envelope, []signing.Part{{URI: "http://x"}}, key, signing.ErrMalformed},
		{"part twice", envelope, []signing.Part{{URI: "cid:x"}, {URI: "cid:x"}}, key, signing.ErrMalformed},
		{"too many parts", envelope, make([]signing.Part, 30), key, signing.ErrMalformed},
		{"actor on the header", strings.Replace(envelope, `<eb:MessageHeader `, `<eb:MessageHeader soap:actor="`+actorNext+`" `, 1), nil, key, signing.ErrMalformed},
		{"no key", envelope, nil, signing.Key{}, signing.ErrKey},
		{"no credential", envelope, nil, signing.Key{Signer: key.Signer}, signing.ErrKey},
		{"credential of another key", envelope, nil, mismatched, signing.ErrKey},
		{"RSA of 1024 bits", envelope, nil, keyOf(t, weakRSAKey), signing.ErrPolicy},
		{"P-224", envelope, nil, keyOf(t, p224Key), signing.ErrPolicy},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, _, err := signing.SignMessage([]byte(test.envelope), test.parts, test.key)
			var ours *signing.Error
			if !errors.Is(err, test.want) || !errors.As(err, &ours) {
				t.Errorf("got %v, want %v", err, test.want)
			}
		})
	}
}
