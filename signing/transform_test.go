package signing_test

import (
	"bytes"
	"errors"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ecogate/ecogate/signing"
)

const (
	enveloping = `count(ancestor-or-self::dsig:Signature | here()/ancestor::dsig:Signature[1]) > count(ancestor-or-self::dsig:Signature)`
	excPrefix  = `<ec:InclusiveNamespaces xmlns:ec="http://www.w3.org/2001/10/xml-exc-c14n#" PrefixList="p"/>`
	exclusive  = `<ds:Transform Algorithm=` + excC14N + `/>`
)

// transformed is a Reference to a part with transforms over these octets.
func transformed(uri, transforms, octets string) string {
	return `<ds:Reference URI="` + uri + `"><ds:Transforms>` + transforms + `</ds:Transforms><ds:DigestMethod Algorithm=` + sha256URI +
		`/><ds:DigestValue>` + digest([]byte(octets)) + `</ds:DigestValue></ds:Reference>`
}

// hugeContent is longer than what has a canonical form, and is not to be read.
type hugeContent struct{ signing.Content }

func (hugeContent) Size() int64                       { return 32<<20 + 1 }
func (hugeContent) ReadAt([]byte, int64) (int, error) { return 0, errors.New("was read") }

func TestPartsInCanonicalForm(t *testing.T) {
	key := keyOf(t, rsaKey)
	const uri, doc, want = "cid:co", "<?xml version='1.0'?>\n<a xmlns:p='urn:p' c='2' b='1' ><!-- x --><b/></a>\n", `<a xmlns:p="urn:p" b="1" c="2"><b></b></a>`
	both := func(transforms string) string { return transformed(uri, transforms, want) }
	for _, test := range []struct {
		name, reference, part string
		want                  error
		text                  string
	}{
		{"inclusive", both(canonical), doc, nil, ""},
		{"comment changed", both(canonical), strings.Replace(doc, "x --", "y --", 1), nil, ""},
		{"exclusive", transformed(uri, exclusive, `<a b="1" c="2"><b></b></a>`), doc, nil, ""},
		{"exclusive with PrefixList", both(strings.Replace(exclusive, "/>", ">"+excPrefix+"</ds:Transform>", 1)), doc, nil, ""},
		{"text changed", both(canonical), strings.Replace(doc, "'2'", "'3'", 1), signing.ErrDigest, "cid:co"},
		{"digest of the octets", transformed(uri, canonical, doc), doc, signing.ErrDigest, "cid:co"},
		{"no XML", transformed(uri, canonical, "x"), "x", signing.ErrMalformed, "no canonical form"},
		{"empty", transformed(uri, canonical, ""), "", signing.ErrPolicy, "digest of nothing"},
		{"second root", both(canonical), doc + "<a/>", signing.ErrMalformed, "no canonical form"},
		{"document type", both(canonical), "<!DOCTYPE a>" + strings.TrimPrefix(doc, "<?xml version='1.0'?>\n"), signing.ErrMalformed, "no canonical form"},
		{"relative namespace, whose error is nothing", transformed(uri, canonical, ""), "<a xmlns:p='relative'/>", signing.ErrPolicy, "digest of nothing"},
		{"relative namespace", both(canonical), strings.Replace(doc, "urn:p", "p", 1), signing.ErrMalformed, "no canonical form"},
		{"twice", both(canonical + canonical), doc, signing.ErrPolicy, "more than one transform"},
		{"no transform", both(""), doc, signing.ErrMalformed, "ds:Transform is expected"},
		{"enveloped signature", both(enveloped), doc, signing.ErrPolicy, "no canonical form"},
		{"XPath", both(xpath(hermesXPath)), doc, signing.ErrPolicy, "no canonical form"},
		{"base64", both(`<ds:Transform Algorithm="http://www.w3.org/2000/09/xmldsig#base64"/>`), doc, signing.ErrPolicy, "no canonical form"},
		{"with comments", both(strings.Replace(canonical, `"/>`, `#WithComments"/>`, 1)), doc, signing.ErrPolicy, "no canonical form"},
	} {
		t.Run(test.name, func(t *testing.T) {
			signed := craft(t, crafted{references: test.reference}, key)
			attached := []signing.Part{{URI: uri, Content: strings.NewReader(test.part)}}
			verified, err := signing.VerifyMessage(signed, attached, key.Chain, signing.Policy{})
			if !errors.Is(err, test.want) || err != nil && !strings.Contains(err.Error(), test.text) {
				t.Fatalf("got %v, want %v with %q", err, test.want, test.text)
			}
			i, err := signing.InspectMessage(signed, attached, signing.Policy{})
			if err != nil || len(i.References) != 2 {
				t.Fatalf("inspected: %v, %+v", err, i)
			}
			finding := signing.FindingNotRead
			switch test.want {
			case nil:
				finding = signing.FindingMatches
			case signing.ErrDigest:
				finding = signing.FindingDiffers
			}
			if i.References[1].Finding != finding {
				t.Errorf("finding %q, want %q", i.References[1].Finding, finding)
			}
			if test.want != nil {
				return
			}
			if got := digest(verified.Parts[uri]); got != verified.References[1].DigestValue || len(verified.Parts) != 1 {
				t.Errorf("octets %q are not what was digested", verified.Parts[uri])
			}
		})
	}
	signed := craft(t, crafted{references: both(canonical)}, key)
	_, err := signing.VerifyMessage(signed, []signing.Part{{URI: uri, Content: hugeContent{}}}, key.Chain, signing.Policy{})
	if !errors.Is(err, signing.ErrMalformed) || !strings.Contains(err.Error(), "longer than") {
		t.Errorf("part of more than 32 MiB: %v", err)
	}
	verified, err := signing.VerifyMessage(craft(t, crafted{}, key), parts, key.Chain, signing.Policy{})
	if err != nil || verified.Parts != nil {
		t.Errorf("parts as they are have canonical octets %v: %v", verified.Parts, err)
	}
}

// TestEmptyPartIsCovered: what is attached may be empty; only a canonical form never is.
func TestEmptyPartIsCovered(t *testing.T) {
	key := keyOf(t, p256Key)
	attached := []signing.Part{{URI: "cid:empty", Content: bytes.NewReader(nil)}}
	signed, _, err := signing.SignMessage([]byte(envelope), attached, key)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := signing.VerifyMessage(signed, attached, key.Chain, signing.Policy{}); err != nil {
		t.Error(err)
	}
	attached[0].Content = strings.NewReader("x")
	if _, err := signing.VerifyMessage(signed, attached, key.Chain, signing.Policy{}); !errors.Is(err, signing.ErrDigest) {
		t.Errorf("changed: %v", err)
	}
}

// rewritten is a document whose enveloped-signature transform is another, signed by craftValue.
func rewritten(t *testing.T, key signing.Key, transforms string) []byte {
	t.Helper()
	signed, err := signing.SignDocument([]byte(document), documentPath, key)
	if err != nil {
		t.Fatal(err)
	}
	text := string(signed)
	from, to := strings.Index(text, "<ds:Transforms>"), strings.Index(text, "</ds:Transforms>")
	text = text[:from] + "<ds:Transforms>" + transforms + text[to:]
	from, to = strings.Index(text, "<ds:SignatureValue>"), strings.Index(text, "</ds:SignatureValue>")
	unsealed := text[:from] + "<ds:SignatureValue>" + text[to:]
	return []byte(text[:from] + "<ds:SignatureValue>" + craftValue(t, crafted{}, unsealed, key) + text[to:])
}

func TestVerifyDocumentReadsEnvelopedInXPath(t *testing.T) {
	key := keyOf(t, rsaKey)
	bound := func(expression string) string {
		return strings.Replace(xpath(strings.ReplaceAll(expression, ">", "&gt;")), "<ds:XPath>", `<ds:XPath xmlns:dsig="http://www.w3.org/2000/09/xmldsig#">`, 1)
	}
	for _, test := range []struct {
		name, transforms string
		want             error
		text             string
	}{
		{"as UBL writes it", bound(enveloping), nil, ""},
		{"with canonicalization", bound(enveloping) + canonical, nil, ""},
		{"no white space", bound(strings.ReplaceAll(enveloping, " ", "")), nil, ""},
		{"over lines", bound(strings.NewReplacer("(", "\n( ", "::", " :: ", "[", "\t[ ").Replace(enveloping)), nil, ""},
		{"prefix of the signature", strings.ReplaceAll(bound(enveloping), "dsig:Signature", "ds:Signature"), nil, ""},
		{"other element", bound(strings.Replace(enveloping, "dsig:Signature[1]", "dsig:Object[1]", 1)), signing.ErrPolicy, "not ds:Signature"},
		{"other namespace", strings.Replace(bound(enveloping), "xmldsig#\">count", "xmldsig\">count", 1), signing.ErrPolicy, "not ds:Signature"},
		{"no prefix", bound(strings.ReplaceAll(enveloping, "dsig:Signature", "Signature")), signing.ErrPolicy, "not ds:Signature"},
		{"no prefix and a default namespace", strings.Replace(bound(strings.ReplaceAll(enveloping, "dsig:Signature", "Signature")), "xmlns:dsig", "xmlns", 1), signing.ErrPolicy, "not ds:Signature"},
		{"other position", bound(strings.Replace(enveloping, "[1]", "[2]", 1)), signing.ErrPolicy, `"2" stands for "1"`},
		{"position of two figures", bound(strings.Replace(enveloping, "[1]", "[11]", 1)), signing.ErrPolicy, `"1" stands for "]"`},
		{"not less", bound(strings.Replace(enveloping, ">", ">=", 1)), signing.ErrPolicy, `"=" stands for "count"`},
		{"goes on", bound(enveloping + " or true()"), signing.ErrPolicy, "goes on"},
		{"cut off", bound(enveloping[:45]), signing.ErrPolicy, "is not the enveloped-signature transform"},
		{"other axis", bound(strings.Replace(enveloping, "/ancestor::", "/preceding::", 1)), signing.ErrPolicy, `"preceding"`},
		{"always", bound("true()"), signing.ErrPolicy, `"true"`},
		{"filter of messages", strings.Replace(xpath(hermesXPath), "<ds:XPath>", `<ds:XPath xmlns:soap="http://schemas.xmlsoap.org/soap/envelope/">`, 1), signing.ErrPolicy, `"not"`},
		{"after the transform that it stands for", enveloped + bound(enveloping), signing.ErrPolicy, "not allowed in this place"},
		{"before the transform that it stands for", bound(enveloping) + enveloped, signing.ErrPolicy, "not allowed in this place"},
		{"twice", bound(enveloping) + bound(enveloping), signing.ErrPolicy, "not allowed in this place"},
	} {
		t.Run(test.name, func(t *testing.T) {
			signed := rewritten(t, key, test.transforms)
			verified, err := signing.VerifyDocument(signed, documentPath, key.Chain, signing.Policy{})
			if !errors.Is(err, test.want) || err != nil && !strings.Contains(err.Error(), test.text) {
				t.Fatalf("got %v, want %v with %q\n%s", err, test.want, test.text, signed)
			}
			if want, _ := signing.Canonicalize([]byte(document)); test.want == nil && !bytes.Equal(verified.Octets, want) {
				t.Errorf("octets\n%s\nwant\n%s", verified.Octets, want)
			}
		})
	}
	// A message has the filter of ebMS and not this one.
	signed := craft(t, crafted{transforms: bound(enveloping) + canonical}, key)
	if _, err := signing.VerifyMessage(signed, parts, key.Chain, signing.Policy{}); !errors.Is(err, signing.ErrPolicy) {
		t.Errorf("in a message: %v", err)
	}
}

// TestXmlsecSignsWhatWeOnlyRead has another implementation, with a whole XPath engine, make the enveloped signature in XPath
// and a Reference to a part in canonical form.
func TestXmlsecSignsWhatWeOnlyRead(t *testing.T) {
	xmlsec := tool(t, "xmlsec1")
	key := keyOf(t, rsaKey)
	private, credential := keyFiles(t, key)
	head := `<ds:Signature xmlns:ds="http://www.w3.org/2000/09/xmldsig#"><ds:SignedInfo><ds:CanonicalizationMethod Algorithm=` + c14n10 +
		`/><ds:SignatureMethod Algorithm="http://www.w3.org/2001/04/xmldsig-more#rsa-sha256"/>`
	reference := func(uri, transforms string) string {
		return `<ds:Reference URI="` + uri + `"><ds:Transforms>` + transforms + `</ds:Transforms><ds:DigestMethod Algorithm=` + sha256URI +
			`/><ds:DigestValue/></ds:Reference>`
	}
	const tail = `</ds:SignedInfo><ds:SignatureValue/><ds:KeyInfo><ds:X509Data/></ds:KeyInfo></ds:Signature>`
	sign := func(template string, arguments ...string) []byte {
		out := filepath.Join(t.TempDir(), "signed.xml")
		arguments = append([]string{"--sign", "--privkey-pem", private + "," + credential, "--output", out}, arguments...)
		if text, err := exec.Command(xmlsec, append(arguments, write(t, "template.xml", []byte(template)))...).CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s\n%s", err, text, template)
		}
		return read(t, out)
	}

	expression := strings.Replace(xpath(strings.ReplaceAll(enveloping, ">", "&gt;")), "<ds:XPath>", `<ds:XPath xmlns:dsig="http://www.w3.org/2000/09/xmldsig#">`, 1)
	signed := sign(strings.Replace(document, "<sig:Information/>", "<sig:Information>"+head+reference("", expression)+tail+"</sig:Information>", 1))
	verified, err := signing.VerifyDocument(signed, documentPath, key.Chain, signing.Policy{})
	if err != nil {
		t.Fatalf("%v\n%s", err, signed)
	}
	if want, _ := signing.Canonicalize([]byte(document)); !bytes.Equal(verified.Octets, want) {
		t.Errorf("octets\n%s\nwant\n%s", verified.Octets, want)
	}

	// The element's own xmlns is there so that the canonical form is more than the text.
	part := signing.Part{URI: "cid:co-1@customs.example", Content: strings.NewReader("<?xml version='1.0'?>\n<a xmlns='urn:a' c='2' b='1'><!-- x --><b/>\r\n</a>\n")}
	for _, transform := range []string{canonical, exclusive} {
		signed = sign(strings.Replace(envelope, "</soap:Header>", head+reference("", enveloped+xpath(hermesXPath)+canonical)+
			reference(part.URI, transform)+tail+"</soap:Header>", 1), "--url-map:"+part.URI, write(t, "part", octetsOf(part)))
		verified, err := signing.VerifyMessage(signed, []signing.Part{part}, key.Chain, signing.Policy{})
		if err != nil {
			t.Fatalf("%v\n%s", err, signed)
		}
		if want := "<a xmlns=\"urn:a\" b=\"1\" c=\"2\"><b></b>\n</a>"; string(verified.Parts[part.URI]) != want {
			t.Errorf("octets %q", verified.Parts[part.URI])
		}
	}
}

// TestReferenceInXPathStandsAlone: the prefix in the expression is not visibly used, and goes with the Reference.
func TestReferenceInXPathStandsAlone(t *testing.T) {
	key := keyOf(t, p256Key)
	bound := strings.Replace(xpath(strings.ReplaceAll(enveloping, ">", "&gt;")), "<ds:XPath>", `<ds:XPath xmlns:dsig="http://www.w3.org/2000/09/xmldsig#">`, 1)
	signed := rewritten(t, key, bound)
	verified, err := signing.VerifyDocument(signed, documentPath, key.Chain, signing.Policy{})
	if err != nil {
		t.Fatal(err)
	}
	if got := string(verified.References[0].XML); !strings.Contains(got, `<ds:XPath xmlns:dsig="http://www.w3.org/2000/09/xmldsig#">`) {
		t.Error(got)
	}
}
