package signing_test

import (
	"crypto"
	"crypto/hmac"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/ecogate/ecogate/signing"
)

var wrappingFolder = filepath.Join("..", "testdata", "hostile", "xsw")

// TestWrappingsAreRefused verifies every file of testdata/hostile/xsw: the shapes of signature wrapping that are known from
// SAML, carried over to messages and to documents, and what else is done to a signature that is true of something.
func TestWrappingsAreRefused(t *testing.T) {
	if *update {
		writeWrappings(t)
	}
	refuseHostile(t, wrappingFolder)
}

// wrapper makes the corpus.
type wrapper struct {
	t                        *testing.T
	key, attacker, ec, weak  signing.Key
	cases                    []hostileCase
	message, document        string // valid
	messageBare, messageSign string // the message without its signature, the signature
	documentBare, docSign    string
}

// attack is one case: what is done, and what must come of it.
type attack struct{ name, about, expect, reason string }

func writeWrappings(t *testing.T) {
	t.Helper()
	w := &wrapper{t: t, key: keyOf(t, rsaKey), attacker: keyOf(t, otherRSAKey), ec: keyOf(t, p256Key), weak: keyOf(t, weakRSAKey)}
	message, _, err := signing.SignMessage([]byte(envelope), parts, w.key)
	if err != nil {
		t.Fatal(err)
	}
	signed, err := signing.SignDocument([]byte(document), documentPath, w.key)
	if err != nil {
		t.Fatal(err)
	}
	w.message, w.document = string(message), string(signed)
	w.messageBare, w.messageSign = cut(w.message)
	w.documentBare, w.docSign = cut(w.document)
	w.both(attack{"valid", "right in everything, so that the rest is refused for its attack", "none", ""}, strings.Clone)
	w.wrapMessages()
	w.wrapDocuments()
	w.actors()
	w.grammar()
	w.voids()
	w.namespaces()
	w.keys()
	w.algorithms()
	w.parameters()
	writeCases(t, wrappingFolder, w.cases, w.key, w.ec, w.weak)
}

func (w *wrapper) onMessage(a attack, body string) {
	w.cases = append(w.cases, hostileCase{a.name + "-message", "message", a.expect, a.reason, parts, body, a.about})
}

func (w *wrapper) onDocument(a attack, body string) {
	w.cases = append(w.cases, hostileCase{a.name + "-document", "document", a.expect, a.reason, nil, body, a.about})
}

// both does the same to the message and to the document.
func (w *wrapper) both(a attack, change func(string) string) {
	w.onMessage(a, change(w.message))
	w.onDocument(a, change(w.document))
}

// swap puts one text in the place of another, which must be there.
func (w *wrapper) swap(text, old, with string) string {
	w.t.Helper()
	if !strings.Contains(text, old) {
		w.t.Fatalf("no %q in %s", old, text)
	}
	return strings.Replace(text, old, with, 1)
}

// sealed makes the signature value anew, as somebody with a key would.
func (w *wrapper) sealed(text string, c crafted, key signing.Key) string {
	w.t.Helper()
	return withValue(text, craftValue(w.t, c, text, key))
}

func withValue(text, value string) string {
	from, to := strings.Index(text, "<ds:SignatureValue>"), strings.Index(text, "</ds:SignatureValue>")
	return text[:from] + "<ds:SignatureValue>" + value + text[to:]
}

// unnamed leaves out the KeyInfo, so that every candidate is tried.
func unnamed(text string) string {
	return regexp.MustCompile(`<ds:KeyInfo>.*</ds:KeyInfo>`).ReplaceAllLiteralString(text, "")
}

// method writes another SignatureMethod.
func method(text, uri, parameters string) string {
	return regexp.MustCompile(`<ds:SignatureMethod .*</ds:SignatureMethod>`).ReplaceAllLiteralString(text,
		`<ds:SignatureMethod Algorithm="`+uri+`">`+parameters+`</ds:SignatureMethod>`)
}

func (w *wrapper) wrapMessages() {
	// Blocks for nodes on the way are not signed: without them the wrapped envelope is as true, and no other rule is met first.
	bare := regexp.MustCompile(`<eb:\w+ [^>]*(nextMSH|actor/next)"/>|<!--.*-->`).ReplaceAllString(w.messageBare[strings.Index(w.messageBare, "<soap:Envelope"):], "")
	evil := w.swap(w.messageBare, "a &amp; b", "evil")
	header := func(attributes string) string {
		return `<eb:MessageHeader ` + attributes + `eb:version="2.0"><eb:CPAId>evil</eb:CPAId></eb:MessageHeader>`
	}
	last := func(markup string) string { return w.swap(evil, "</soap:Header>", markup+"</soap:Header>") }
	object := w.swap(w.messageSign, "</ds:Signature>", "<ds:Object>"+bare+"</ds:Object></ds:Signature>")
	next := `soap:actor="` + actorNext + `" `
	for _, c := range []struct {
		attack
		body string
	}{
		{attack{"xsw1", "the signed envelope in a ds:Object of its signature, another envelope around it", "ErrMalformed", "ds:Object is not expected"}, last(object)},
		{attack{"xsw2", "the signed envelope beside its signature, which is detached, in another envelope's Header", "ErrDigest", "the document is not"}, last("<w xmlns='urn:w'>" + bare + "</w>" + w.messageSign)},
		{attack{"xsw3", "another MessageHeader before the signed one", "ErrDigest", "the document is not"}, w.swap(w.message, "<eb:MessageHeader ", header("")+"<eb:MessageHeader ")},
		{attack{"xsw3-actor", "another MessageHeader before the signed one, out of the signature by its actor", "ErrMalformed", "takes it out"}, w.swap(w.message, "<eb:MessageHeader ", header(next)+"<eb:MessageHeader ")},
		{attack{"xsw4", "another envelope around the signed one and its signature", "ErrMalformed", "not a child of SOAP:Header"},
			w.swap(evil, "</soap:Body>", w.swap(bare, "</soap:Header>", w.messageSign+"</soap:Header>")+"</soap:Body>")},
		{attack{"xsw5", "another MessageHeader takes the place of the signed one, which goes to the end", "ErrMalformed", "one Header and one Body"},
			w.swap(last(w.messageSign), "</soap:Envelope>", `<eb:MessageHeader eb:id="h" eb:version="2.0"><eb:CPAId>a &amp; b</eb:CPAId></eb:MessageHeader></soap:Envelope>`)},
		{attack{"xsw6", "the signed envelope in the KeyInfo of its signature, where anything may stand", "ErrDigest", "the document is not"}, last(w.swap(w.messageSign, "<ds:KeyInfo>", "<ds:KeyInfo>"+bare))},
		{attack{"xsw7", "another MessageHeader in a block of any content, out of the signature by its actor", "ErrMalformed", "takes it out"},
			w.swap(w.message, "<eb:MessageHeader ", `<x:Any xmlns:x="urn:x" `+next+`>`+header("")+`</x:Any><eb:MessageHeader `)},
		{attack{"xsw8", "signature and signed envelope in a block of any content", "ErrMalformed", "not a child of SOAP:Header"}, last(`<x:Any xmlns:x="urn:x">` + object + `</x:Any>`)},
		{attack{"xsw9", "a true signature of the Body by its Id; that Body goes into the Header, another takes its place", "ErrPolicy", `"#b"`}, w.bodyByID()},
	} {
		w.onMessage(c.attack, c.body)
	}
}

// bodyByID is the oldest wrapping of SOAP messages. The digest is that of the Body, in its place or moved.
func (w *wrapper) bodyByID() string {
	body := `<soap:Body xmlns:soap="http://schemas.xmlsoap.org/soap/envelope/" Id="b">paid</soap:Body>`
	reference := transformed("#b", exclusive, body)
	signed := string(craft(w.t, crafted{partsOnly: true, references: reference}, w.key))
	return w.swap(signed, "</soap:Header>", `<w xmlns="urn:w">`+body+`</w></soap:Header>`)
}

func (w *wrapper) wrapDocuments() {
	at := strings.Index(w.document, "<CertificateOfOrigin")
	signedRoot, bareRoot := strings.TrimSpace(w.document[at:]), strings.TrimSpace(w.documentBare[at:])
	evil := w.swap(w.documentBare, "KE-2026-1", "KE-2026-9")
	place := func(signature string) string {
		return w.swap(evil, "<sig:Information/>", "<sig:Information>"+signature+"</sig:Information>")
	}
	if !strings.Contains(evil, "<sig:Information/>") {
		evil = w.swap(evil, "<sig:Information></sig:Information>", "<sig:Information/>")
	}
	end := func(text, markup string) string {
		return w.swap(text, "</CertificateOfOrigin>", markup+"</CertificateOfOrigin>")
	}
	object := w.swap(w.docSign, "</ds:Signature>", "<ds:Object>"+bareRoot+"</ds:Object></ds:Signature>")
	byID := w.sealed(w.swap(w.swap(w.document, `URI=""`, `URI="#co"`), "<CertificateOfOrigin ", `<CertificateOfOrigin Id="co" `), crafted{}, w.key)
	_, byIDSign := cut(byID)
	for _, c := range []struct {
		attack
		body string
	}{
		{attack{"xsw1", "the signed document in a ds:Object of its signature, another document around it", "ErrMalformed", "ds:Object is not expected"}, place(object)},
		{attack{"xsw2", "the signed document beside its signature, which is detached, in another document", "ErrDigest", "the document is not"}, place(bareRoot + w.docSign)},
		{attack{"xsw3", "another root element before the signed one", "ErrMalformed", "nothing after the root"}, evil + signedRoot},
		{attack{"xsw4", "another document around the signed one and its signature", "ErrMalformed", "not in its place"}, end(evil, signedRoot)},
		{attack{"xsw5", "another document takes the signature, the signed one goes to the end", "ErrDigest", "the document is not"}, end(place(w.docSign), bareRoot)},
		{attack{"xsw6", "the signed document in the KeyInfo of its signature, where anything may stand", "ErrDigest", "the document is not"}, place(w.swap(w.docSign, "<ds:KeyInfo>", "<ds:KeyInfo>"+bareRoot))},
		{attack{"xsw7", "another number of the certificate in an extension of any content", "ErrDigest", "the document is not"},
			w.swap(w.document, "<sig:Signatures ", `<x:Any xmlns:x="urn:x"><ID xmlns="urn:co">KE-2026-9</ID></x:Any><sig:Signatures `)},
		{attack{"xsw8", "signature and signed document in an extension of any content", "ErrMalformed", "not in its place"}, end(evil, `<x:Any xmlns:x="urn:x">`+object+`</x:Any>`)},
		{attack{"xsw9", "a true signature by the Id of the document; it goes into another one of the same Id", "ErrPolicy", `"#co"`},
			end(w.swap(place(byIDSign), "<CertificateOfOrigin ", `<CertificateOfOrigin Id="co" `), w.swap(bareRoot, "<CertificateOfOrigin ", `<CertificateOfOrigin Id="co" `))},
	} {
		w.onDocument(c.attack, c.body)
	}
}

// actors: what the XPath filter of ebMS would leave out.
func (w *wrapper) actors() {
	const service = "urn:oasis:names:tc:ebxml-msg:service:nextMSH"
	actor := func(value string) string { return `soap:actor="` + value + `" ` }
	for _, c := range []struct {
		attack
		old, with string
	}{
		{attack{"actor-on-body", "the Body is out of the signature", "ErrMalformed", "takes it out"}, "<soap:Body>", "<soap:Body " + actor(actorNext) + ">"},
		{attack{"actor-on-header", "the Header is out of the signature", "ErrMalformed", "takes it out"}, "<soap:Header>", "<soap:Header " + actor(nextMSH) + ">"},
		{attack{"actor-on-manifest", "the Manifest is out of the signature", "ErrMalformed", "takes it out"}, "<eb:Manifest ", "<eb:Manifest " + actor(service)},
		{attack{"actor-on-reference", "a second part of the Manifest is out of the signature", "ErrMalformed", "takes it out"}, "</eb:Manifest>",
			`<eb:Reference ` + actor(actorNext) + `eb:id="r3" xlink:href="cid:co-1@customs.example"/></eb:Manifest>`},
		{attack{"actor-on-acknowledgment", "an Acknowledgment is out of the signature", "ErrMalformed", "takes it out"}, "</soap:Header>",
			`<eb:Acknowledgment ` + actor(actorNext) + `eb:version="2.0"/></soap:Header>`},
		{attack{"actor-on-signature", "the signature itself is for a node on the way", "ErrMalformed", "takes it out"}, "<ds:Signature ", "<ds:Signature " + actor(actorNext)},
		{attack{"actor-of-white-space", "an actor that some readers trim, on another MessageHeader", "ErrDigest", "the document is not"}, "<eb:MessageHeader ",
			`<eb:MessageHeader soap:actor=" ` + actorNext + ` " eb:version="2.0"/><eb:MessageHeader `},
		{attack{"actor-in-capitals", "an actor that some readers compare without case, on another MessageHeader", "ErrDigest", "the document is not"}, "<eb:MessageHeader ",
			`<eb:MessageHeader ` + strings.ToUpper(actorNext[:4]) + `="" ` + actor(strings.ToUpper(actorNext)) + `eb:version="2.0"/><eb:MessageHeader `},
		{attack{"actor-without-prefix", "an actor in no namespace, on another MessageHeader", "ErrDigest", "the document is not"}, "<eb:MessageHeader ",
			`<eb:MessageHeader actor="` + actorNext + `" eb:version="2.0"/><eb:MessageHeader `},
		{attack{"actor-below-sync-reply", "another MessageHeader in a block that may be out of the signature: it is, so nobody reads it there", "ErrMalformed", "takes it out"}, "<eb:SyncReply ",
			`<eb:SyncReply ` + actor(actorNext) + `><eb:MessageHeader ` + actor(actorNext) + `/></eb:SyncReply><eb:SyncReply `},
	} {
		w.onMessage(c.attack, w.swap(w.message, c.old, c.with))
	}
}

// grammar: a second SignedInfo, and what splits a digest for some readers.
func (w *wrapper) grammar() {
	info := func(text string) string {
		return text[strings.Index(text, "<ds:SignedInfo>") : strings.Index(text, "</ds:SignedInfo>")+len("</ds:SignedInfo>")]
	}
	value := func(text string) string {
		return regexp.MustCompile(`<ds:DigestValue>([^<]+)`).FindStringSubmatch(text)[1]
	}
	forged := func(text string) string { return strings.Replace(info(text), value(text), digest([]byte("evil")), 1) }
	before := func(old string, with func(string) string) func(string) string {
		return func(text string) string { return w.swap(text, old, with(text)+old) }
	}
	split := func(with string) func(string) string {
		return func(text string) string { return w.swap(text, "<ds:DigestValue>", "<ds:DigestValue>"+with) }
	}
	malformed := func(name, about, reason string) attack { return attack{name, about, "ErrMalformed", reason} }
	w.both(malformed("signed-info-before", "a SignedInfo of the attacker before the signed one", "ds:SignatureValue is expected"), before("<ds:SignedInfo>", forged))
	w.both(malformed("signed-info-after", "a SignedInfo of the attacker after the signed one", "ds:SignatureValue is expected"), before("<ds:SignatureValue>", forged))
	w.both(malformed("signed-info-last", "a SignedInfo of the attacker at the end", "is not expected in ds:Signature"), before("</ds:Signature>", forged))
	w.both(malformed("signed-info-in-object", "the signed SignedInfo in a ds:Object", "is not expected in ds:Signature"),
		before("</ds:Signature>", func(text string) string { return "<ds:Object>" + info(text) + "</ds:Object>" }))
	w.both(malformed("signed-info-in-value", "a SignedInfo of the attacker in the SignatureValue", "child elements"), before("</ds:SignatureValue>", forged))
	w.both(malformed("signed-info-around", "a SignedInfo around the signed one", "ds:CanonicalizationMethod is expected"),
		func(text string) string {
			return w.swap(text, info(text), "<ds:SignedInfo>"+info(text)+"</ds:SignedInfo>")
		})
	w.both(malformed("comment-in-digest-value", "a digest of the attacker and a comment before the signed digest", "comment or processing instruction"), split(digest([]byte("evil"))+"<!-- -->"))
	w.both(malformed("comment-hides-digest-value", "the signed digest in a comment", "comment or processing instruction"),
		func(text string) string {
			return w.swap(text, value(text), digest([]byte("evil"))+"<!--"+value(text)+"-->")
		})
	w.both(malformed("instruction-in-digest-value", "a digest of the attacker and an instruction before the signed digest", "processing instructions"), split(digest([]byte("evil"))+"<?x?>"))
	w.both(malformed("digest-value-twice", "a digest of the attacker before the signed one", "is not expected in ds:Reference"),
		before("<ds:DigestValue>", func(string) string { return "<ds:DigestValue>" + digest([]byte("evil")) + "</ds:DigestValue>" }))
	w.both(malformed("digest-value-joined", "two digests in one text", "not base64"), split(digest([]byte("evil"))))
	w.both(malformed("transforms-twice", "other Transforms after the signed ones", "ds:DigestMethod is expected"), before("<ds:DigestMethod ", func(string) string { return "<ds:Transforms/>" }))
	w.both(malformed("uri-twice", "a second URI in another namespace", "has an attribute URI"),
		func(text string) string { return w.swap(text, `URI=""`, `URI="" ds:URI="#x"`) })
	w.both(malformed("uri-left-out", "a Reference whose URI the reader is to guess", "has no URI"), func(text string) string { return w.sealed(w.swap(text, `URI=""`, ""), crafted{}, w.key) })
}

// voids: where a canonical form fails, some products go on with nothing.
func (w *wrapper) voids() {
	first := regexp.MustCompile(`<ds:DigestValue>[^<]+`)
	emptied := func(text string) string {
		found := first.FindString(text)
		return w.swap(text, found, "<ds:DigestValue>"+digest(nil))
	}
	root := regexp.MustCompile(`<(soap:Envelope|CertificateOfOrigin) `)
	relative := func(text string) string { return root.ReplaceAllString(text, `<$1 xmlns:void="relative" `) }
	w.both(attack{"void-digest", "the partner's product digested nothing, and signed it", "ErrPolicy", "digest of nothing"},
		func(text string) string { return w.sealed(emptied(text), crafted{}, w.key) })
	w.both(attack{"void-relative-namespace", "a relative namespace name, for which some products make no canonical form, and the digest of nothing", "ErrMalformed", "absolute namespace name"},
		func(text string) string { return relative(w.sealed(emptied(text), crafted{}, w.key)) })
	nothing := func(text string) string {
		h := sha256.Sum256(nil)
		value, err := w.key.Signer.Sign(nil, h[:], crypto.SHA256)
		if err != nil {
			w.t.Fatal(err)
		}
		return withValue(text, base64.StdEncoding.EncodeToString(value))
	}
	w.both(attack{"void-signed-info", "the signature value is a true one of nothing", "ErrSignature", ""}, nothing)
	w.both(attack{"void-signed-info-relative-namespace", "the signature value is a true one of nothing, and SignedInfo has no canonical form", "ErrMalformed", "absolute namespace name"},
		func(text string) string { return relative(nothing(text)) })
	w.both(attack{"void-unbound-prefix", "a prefix that is not bound", "ErrMalformed", "prefix"},
		func(text string) string { return root.ReplaceAllString(text, `<$1 void:x="" `) })
	w.both(attack{"void-method", "a canonical form of which nothing is known", "ErrPolicy", `"urn:void"`}, func(text string) string {
		return w.sealed(w.swap(text, `<ds:CanonicalizationMethod Algorithm=`+c14n10, `<ds:CanonicalizationMethod Algorithm="urn:void"`), crafted{}, w.key)
	})
	w.both(attack{"void-transform", "a transform that leaves nothing", "ErrPolicy", "not allowed in this place"}, func(text string) string {
		return w.sealed(w.swap(text, `<ds:Transforms>`, `<ds:Transforms><ds:Transform Algorithm="http://www.w3.org/2000/09/xmldsig#base64"/>`), crafted{}, w.key)
	})
}

// namespaces: names that look like others.
func (w *wrapper) namespaces() {
	const dsig = "http://www.w3.org/2000/09/xmldsig#"
	w.both(attack{"namespace-almost", "a signature of another namespace, which looks like the one", "ErrUnsigned", "has no ds:Signature"},
		func(text string) string {
			return w.swap(text, `xmlns:ds="`+dsig, `xmlns:ds="http://www.w3.org/2000/09/xmldsig`)
		})
	w.both(attack{"namespace-rebound", "SignedInfo rebinds the prefix of the signature", "ErrMalformed", "ds:SignedInfo is expected"},
		func(text string) string { return w.swap(text, "<ds:SignedInfo>", `<ds:SignedInfo xmlns:ds="urn:x">`) })
	w.both(attack{"namespace-of-signed-info", "a SignedInfo of no namespace before the signed one", "ErrMalformed", "ds:SignedInfo is expected"},
		func(text string) string {
			return w.swap(text, "<ds:SignedInfo>", `<SignedInfo xmlns=""/><ds:SignedInfo>`)
		})
	w.both(attack{"namespace-other-prefix", "a second signature under another prefix", "ErrMalformed", "more than one ds:Signature"},
		func(text string) string {
			return w.swap(text, "<ds:Signature ", `<x:Signature xmlns:x="`+dsig+`"/><ds:Signature `)
		})
	w.both(attack{"namespace-by-character", "a second signature whose namespace is written with a character reference", "ErrMalformed", "more than one ds:Signature"},
		func(text string) string {
			return w.swap(text, "<ds:Signature ", `<x:Signature xmlns:x="`+strings.Replace(dsig, "#", "&#x23;", 1)+`"/><ds:Signature `)
		})
	w.both(attack{"namespace-xml", "the prefix xml is bound to the signature's namespace", "ErrMalformed", "xml"},
		func(text string) string { return w.swap(text, "<ds:Signature ", `<ds:Signature xmlns:xml="`+dsig+`" `) })
	w.both(attack{"namespace-attribute-twice", "an attribute twice by two prefixes of one namespace", "ErrMalformed", "each attribute once"},
		func(text string) string {
			return w.swap(text, "<ds:SignedInfo>", `<ds:SignedInfo xmlns:p="urn:p" xmlns:q="urn:p" p:Id="1" q:Id="2">`)
		})
	w.onMessage(attack{"namespace-soap-1.2", "the envelope of another SOAP", "ErrMalformed", "not a SOAP 1.1 Envelope"},
		strings.Replace(w.message, "http://schemas.xmlsoap.org/soap/envelope/", "http://www.w3.org/2003/05/soap-envelope", 1))
	w.onMessage(attack{"namespace-of-header", "a second Header that only looks like one", "ErrMalformed", "one Header and one Body"},
		w.swap(w.message, "<soap:Header>", `<Header xmlns="urn:x"/><soap:Header>`))
	w.onDocument(attack{"namespace-of-place", "the signature's place by the same names of other namespaces", "ErrMalformed", "not in its place"},
		w.swap(w.document, `xmlns:sig="urn:sig"`, `xmlns:sig="urn:other"`))
}

// keys: what the signature brings itself does not count.
func (w *wrapper) keys() {
	b64 := func(octets []byte) string { return base64.StdEncoding.EncodeToString(octets) }
	named := func(info string) func(string) string {
		return func(text string) string {
			return w.sealed(w.swap(unnamed(text), "</ds:Signature>", "<ds:KeyInfo>"+info+"</ds:KeyInfo></ds:Signature>"), crafted{}, w.attacker)
		}
	}
	x509Data := func(content string) string { return "<ds:X509Data>" + content + "</ds:X509Data>" }
	certificate := func(key signing.Key) string {
		return "<ds:X509Certificate>" + b64(key.Chain[0].Raw) + "</ds:X509Certificate>"
	}
	public := w.attacker.Signer.Public().(*rsa.PublicKey)
	w.both(attack{"key-in-certificate", "the attacker's key and credential", "ErrUnknownSigner", ""}, named(x509Data(certificate(w.attacker))))
	w.both(attack{"key-beside-certificate", "the attacker's key; its credential stands after the partner's", "ErrSignature", ""}, named(x509Data(certificate(w.key)+certificate(w.attacker))))
	w.both(attack{"key-value", "the attacker's key as KeyValue", "ErrSignature", ""}, named("<ds:KeyValue><ds:RSAKeyValue><ds:Modulus>"+b64(public.N.Bytes())+
		"</ds:Modulus><ds:Exponent>AQAB</ds:Exponent></ds:RSAKeyValue></ds:KeyValue>"))
	w.both(attack{"key-of-same-serial", "the attacker's key, named by issuer and serial number of the partner", "ErrSignature", ""},
		named(x509Data("<ds:X509IssuerSerial><ds:X509IssuerName>CN=Customs of Testland</ds:X509IssuerName><ds:X509SerialNumber>20260101</ds:X509SerialNumber></ds:X509IssuerSerial>")))
	w.both(attack{"key-of-same-identifier", "the attacker's key, named by the partner's subject key identifier", "ErrSignature", ""}, named(x509Data("<ds:X509SKI>AQIDBA==</ds:X509SKI>")))
	w.both(attack{"key-retrieved", "the attacker's key, to be fetched", "ErrSignature", ""},
		named(`<ds:RetrievalMethod Type="http://www.w3.org/2000/09/xmldsig#rawX509Certificate" URI="http://evil.example/"/>`))
	w.both(attack{"key-unnamed", "the attacker's key, and nothing said of it", "ErrSignature", ""}, func(text string) string { return w.sealed(unnamed(text), crafted{}, w.attacker) })
}

// algorithms: what is weaker than what was agreed, or no signature at all.
func (w *wrapper) algorithms() {
	const more, dsig = "http://www.w3.org/2001/04/xmldsig-more#", "http://www.w3.org/2000/09/xmldsig#"
	as := func(uri string, c crafted, key signing.Key) func(string) string {
		return func(text string) string { return w.sealed(method(unnamed(text), uri, c.parameters), c, key) }
	}
	der, err := x509.MarshalPKIXPublicKey(w.key.Signer.Public())
	if err != nil {
		w.t.Fatal(err)
	}
	w.both(attack{"downgrade-hmac", "an HMAC whose secret is the partner's public key", "ErrPolicy", "is not known"}, func(text string) string {
		text = method(unnamed(text), more+"hmac-sha256", "")
		mac := hmac.New(sha256.New, der)
		mac.Write(signedInfo(w.t, crafted{}, text))
		return withValue(text, base64.StdEncoding.EncodeToString(mac.Sum(nil)))
	})
	w.both(attack{"downgrade-hmac-length", "an HMAC of which one octet counts", "ErrPolicy", "is not known"}, func(text string) string {
		return withValue(method(text, dsig+"hmac-sha1", "<ds:HMACOutputLength>8</ds:HMACOutputLength>"), "AA==")
	})
	w.both(attack{"downgrade-none", "an algorithm of no name", "ErrPolicy", "is not known"}, as("", crafted{}, w.key))
	w.both(attack{"downgrade-none-by-name", "an algorithm that says there is none", "ErrPolicy", "is not known"}, as("none", crafted{}, w.key))
	w.both(attack{"downgrade-digest-as-signature", "a digest in the place of the signature algorithm", "ErrPolicy", "is not known"}, as("http://www.w3.org/2001/04/xmlenc#sha256", crafted{}, w.key))
	w.both(attack{"downgrade-sha1", "a true signature with SHA-1", "ErrPolicy", "uses SHA-1"}, as(dsig+"rsa-sha1", crafted{hash: crypto.SHA1}, w.key))
	w.both(attack{"downgrade-ecdsa-sha1", "a true ECDSA signature with SHA-1", "ErrPolicy", "uses SHA-1"}, as(more+"ecdsa-sha1", crafted{hash: crypto.SHA1}, w.ec))
	w.both(attack{"downgrade-md5", "RSA with MD5", "ErrPolicy", "is not known"}, as(more+"rsa-md5", crafted{}, w.key))
	w.both(attack{"downgrade-dsa", "DSA", "ErrPolicy", "is not known"}, as(dsig+"dsa-sha1", crafted{}, w.key))
	w.both(attack{"downgrade-digest-sha1", "a true signature over a digest of SHA-1", "ErrPolicy", "is SHA-1"}, func(text string) string {
		return w.sealed(w.swap(text, "http://www.w3.org/2001/04/xmlenc#sha256", dsig+"sha1"), crafted{}, w.key)
	})
	w.both(attack{"downgrade-weak-rsa", "a true signature with the partner's RSA key of 1,024 bits", "ErrPolicy", "1024 bits"}, func(text string) string {
		certificate := base64.StdEncoding.EncodeToString(w.weak.Chain[0].Raw)
		return w.sealed(w.swap(unnamed(text), "</ds:Signature>", "<ds:KeyInfo><ds:X509Data><ds:X509Certificate>"+certificate+
			"</ds:X509Certificate></ds:X509Data></ds:KeyInfo></ds:Signature>"), crafted{}, w.weak)
	})
	w.both(attack{"downgrade-ecdsa-der", "a true ECDSA signature in ASN.1", "ErrSignature", ""}, as(more+"ecdsa-sha256", crafted{der: true}, w.ec))
	w.both(attack{"downgrade-ecdsa-zero", "an ECDSA signature whose r and s are 0, which is true of everything for some libraries", "ErrSignature", ""}, func(text string) string {
		return withValue(method(unnamed(text), more+"ecdsa-sha256", ""), base64.StdEncoding.EncodeToString(make([]byte, 64)))
	})
	w.both(attack{"downgrade-rsa-zero", "an RSA signature of 0", "ErrSignature", ""}, func(text string) string {
		return withValue(text, base64.StdEncoding.EncodeToString(make([]byte, 256)))
	})
	w.both(attack{"downgrade-other-kind", "an RSA signature that is called Ed25519", "ErrUnknownSigner", ""}, func(text string) string {
		return w.sealed(method(text, edURI, ""), crafted{}, w.key)
	})
}

// parameters: what RSA-PSS lets an attacker choose in other products.
func (w *wrapper) parameters() {
	const sha256 = "http://www.w3.org/2001/04/xmlenc#sha256"
	salted := func(length int) *rsa.PSSOptions { return &rsa.PSSOptions{SaltLength: length, Hash: crypto.SHA256} }
	pss := func(name, about, expect, reason, parameters string, options *rsa.PSSOptions) {
		w.both(attack{"pss-" + name, about, expect, reason}, func(text string) string {
			return w.sealed(method(unnamed(text), pssSpace+"rsa-pss", parameters), crafted{pss: options}, w.key)
		})
	}
	usual := salted(32)
	w.both(attack{"valid-pss", "right in everything, with the parameters of RSA-PSS", "none", ""}, func(text string) string {
		parameters := `<ds:DigestMethod Algorithm="` + sha256 + `"/>` + pssMask(sha256) + "<pss:SaltLength>32</pss:SaltLength><pss:TrailerField>1</pss:TrailerField>"
		return w.sealed(method(unnamed(text), pssSpace+"rsa-pss", pssParameters(parameters)), crafted{pss: usual}, w.key)
	})
	pss("short-salt", "a salt of 1 octet, as the parameters say", "ErrPolicy", "SaltLength", pssParameters("<pss:SaltLength>1</pss:SaltLength>"), salted(1))
	pss("any-salt", "a salt length that means any in some libraries", "ErrPolicy", "SaltLength", pssParameters("<pss:SaltLength>-2</pss:SaltLength>"), salted(20))
	pss("other-salt", "a salt of 20 octets, of which the parameters say nothing", "ErrSignature", "", pssParameters(""), salted(20))
	pss("trailer", "a trailer that there is not", "ErrPolicy", "TrailerField", pssParameters("<pss:TrailerField>0</pss:TrailerField>"), usual)
	pss("mask-sha1", "MGF1 with SHA-1", "ErrPolicy", "SHA-1", pssParameters(pssMask(sha1URI)), usual)
	pss("mask-other-hash", "MGF1 with another hash than the signature's", "ErrPolicy", "MGF1 of", pssParameters(pssMask(sha512)), usual)
	pss("mask-unknown", "a mask generation function of which nothing is known", "ErrPolicy", "is not MGF1", pssParameters(strings.Replace(pssMask(sha256), "MGF1", "none", 1)), usual)
	pss("sha1", "SHA-1 as the hash", "ErrPolicy", "SHA-1", pssParameters(`<ds:DigestMethod Algorithm="`+sha1URI+`"/>`), usual)
	pss("twice", "other parameters after the signed ones", "ErrMalformed", "is not expected", pssParameters("")+pssParameters("<pss:SaltLength>0</pss:SaltLength>"), usual)
	pss("child-unknown", "a parameter that there is not", "ErrMalformed", "is not expected", pssParameters("<pss:Hash/>"), usual)
	w.both(attack{"pss-parameters-elsewhere", "parameters of RSA-PSS where the name says them", "ErrMalformed", "is not expected"}, func(text string) string {
		return w.sealed(method(unnamed(text), pssSpace+"sha256-rsa-MGF1", pssParameters("")), crafted{pss: usual}, w.key)
	})
	w.both(attack{"pss-value-of-pkcs1", "a value of PKCS #1 v1.5 that is called RSA-PSS", "ErrSignature", ""}, func(text string) string {
		return w.sealed(method(unnamed(text), pssSpace+"sha256-rsa-MGF1", ""), crafted{}, w.key)
	})
	w.both(attack{"pss-value-as-pkcs1", "a value of RSA-PSS that is called PKCS #1 v1.5", "ErrSignature", ""}, func(text string) string {
		return w.sealed(unnamed(text), crafted{pss: usual}, w.key)
	})
}
