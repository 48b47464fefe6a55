package signing_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/asn1"
	"encoding/base64"
	"math/big"
	"strings"
	"testing"

	"github.com/ecogate/ecogate/signing"
	"github.com/ecogate/ecogate/signing/internal/c14n"
)

const (
	c14n10    = `"http://www.w3.org/TR/2001/REC-xml-c14n-20010315"`
	excC14N   = `"http://www.w3.org/2001/10/xml-exc-c14n#"`
	sha256URI = `"http://www.w3.org/2001/04/xmlenc#sha256"`
	actorNext = "http://schemas.xmlsoap.org/soap/actor/next"
	nextMSH   = "urn:oasis:names:tc:ebxml-msg:actor:nextMSH"

	enveloped   = `<ds:Transform Algorithm="http://www.w3.org/2000/09/xmldsig#enveloped-signature"/>`
	canonical   = `<ds:Transform Algorithm=` + c14n10 + `/>`
	hermesXPath = `not(ancestor-or-self::node()[@soap:actor="` + nextMSH + `"] | ancestor-or-self::node()[@soap:actor="` + actorNext + `"])`
)

// crafted is a ds:Signature as some other product, or an attacker with a key, would make it. Each field has a usual value.
type crafted struct {
	soap       string // the envelope
	method     string // attributes and content of CanonicalizationMethod after "Algorithm="
	transforms string // of the envelope's Reference
	references string // after the envelope's Reference; "" is a bare one for each of parts
	partsOnly  bool   // no Reference to the envelope
	keyInfo    string
	algorithm  string
	parameters string          // content of SignatureMethod
	pss        *rsa.PSSOptions // RSA-PSS instead of PKCS #1 v1.5
	hash       crypto.Hash     // of the value, SHA-256 usually
	der        bool            // ECDSA value in ASN.1
	value      func(string) string
}

func xpath(expression string) string {
	return `<ds:Transform Algorithm="http://www.w3.org/TR/1999/REC-xpath-19991116"><ds:XPath>` + expression + `</ds:XPath></ds:Transform>`
}

func digest(octets []byte) string {
	sum := sha256.Sum256(octets)
	return base64.StdEncoding.EncodeToString(sum[:])
}

func bareReference(part signing.Part) string {
	return `<ds:Reference URI="` + part.URI + `"><ds:DigestMethod Algorithm=` + sha256URI + `/><ds:DigestValue>` +
		digest(octetsOf(part)) + `</ds:DigestValue></ds:Reference>`
}

// craft signs with SHA-256 whatever it is told to, over what the XPath filter of ebMS leaves, in the form that transforms
// say.
func craft(tb testing.TB, c crafted, key signing.Key) []byte {
	tb.Helper()
	if c.soap == "" {
		c.soap = envelope
	}
	if c.method == "" {
		c.method = c14n10 + "/>"
	}
	if c.transforms == "" {
		c.transforms = enveloped + xpath(hermesXPath) + canonical
	}
	if c.references == "" {
		for _, part := range parts {
			c.references += "\n" + bareReference(part)
		}
	}
	if c.algorithm == "" {
		c.algorithm = "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256"
		if _, ok := key.Signer.Public().(*ecdsa.PublicKey); ok {
			c.algorithm = "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256"
		}
	}
	filtered := strings.Contains(c.transforms, "ds:XPath")
	covered := parseXML(tb, c.soap).Canonical(c14n.Method{
		Exclusive: strings.Contains(c.transforms, excC14N),
		Drop: func(e c14n.Element) bool {
			actor, _ := e.Attribute("http://schemas.xmlsoap.org/soap/envelope/", "actor")
			return filtered && (actor == actorNext || actor == nextMSH && !strings.Contains(c.transforms, "service:nextMSH"))
		},
	})
	whole := `<ds:Reference URI=""><ds:Transforms>` + c.transforms + `</ds:Transforms><ds:DigestMethod Algorithm=` + sha256URI + `/><ds:DigestValue>
` + digest(covered) + `</ds:DigestValue></ds:Reference>`
	if c.partsOnly {
		whole = ""
	}
	markup := `<ds:Signature xmlns:ds="http://www.w3.org/2000/09/xmldsig#">
<ds:SignedInfo>
<ds:CanonicalizationMethod Algorithm=` + c.method + `
<ds:SignatureMethod Algorithm="` + c.algorithm + `">` + c.parameters + `</ds:SignatureMethod>
` + whole + c.references + `</ds:SignedInfo>
<ds:SignatureValue>@</ds:SignatureValue>` + c.keyInfo + `</ds:Signature>`
	signed := strings.Replace(c.soap, "\n</soap:Header>", markup+"\n</soap:Header>", 1)
	return []byte(strings.Replace(signed, "@</ds:SignatureValue>", craftValue(tb, c, signed, key)+"</ds:SignatureValue>", 1))
}

// signedInfo gives the canonical octets of the last SignedInfo of a document.
func signedInfo(tb testing.TB, c crafted, signed string) (info []byte) {
	tb.Helper()
	for e := range parseXML(tb, signed).Root().Descendants() {
		if e.Name() == "ds:SignedInfo" {
			m := c14n.Method{Exclusive: strings.HasPrefix(c.method, excC14N)}
			if _, list, found := strings.Cut(c.method, `PrefixList="`); found {
				list, _, _ = strings.Cut(list, `"`)
				m.Prefixes = strings.Fields(list)
			}
			info = e.Canonical(m)
		}
	}
	return info
}

// craftValue signs the SignedInfo of a document.
func craftValue(tb testing.TB, c crafted, signed string, key signing.Key) string {
	tb.Helper()
	info := signedInfo(tb, c, signed)
	if c.hash == 0 {
		c.hash = crypto.SHA256
	}
	var opts crypto.SignerOpts = c.hash
	if c.pss != nil {
		c.hash, opts = c.pss.Hash, c.pss
	}
	h := c.hash.New()
	h.Write(info)
	input := h.Sum(nil)
	if _, edwards := key.Signer.Public().(ed25519.PublicKey); edwards {
		input, opts = info, crypto.Hash(0)
	}
	value, err := key.Signer.Sign(rand.Reader, input, opts)
	if err != nil {
		tb.Fatal(err)
	}
	if public, ok := key.Signer.Public().(*ecdsa.PublicKey); ok && !c.der {
		var parsed struct{ R, S *big.Int }
		if _, err := asn1.Unmarshal(value, &parsed); err != nil {
			tb.Fatal(err)
		}
		width := (public.Params().BitSize + 7) / 8
		value = append(parsed.R.FillBytes(make([]byte, width)), parsed.S.FillBytes(make([]byte, width))...)
	}
	text := base64.StdEncoding.EncodeToString(value)
	if c.value != nil {
		text = c.value(text)
	}
	return text
}

func parseXML(tb testing.TB, doc string) *c14n.Document {
	tb.Helper()
	read, err := c14n.Parse(doc)
	if err != nil {
		tb.Fatal(err)
	}
	return read
}

// octetsOf reads the content of a part.
func octetsOf(p signing.Part) []byte {
	octets := make([]byte, p.Content.Size())
	if n, err := p.Content.ReadAt(octets, 0); n < len(octets) {
		panic(err)
	}
	return octets
}
