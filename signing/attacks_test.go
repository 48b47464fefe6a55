package signing_test

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/ecogate/ecogate/signing"
)

// hostileCase is one file of the hostile corpus.
type hostileCase struct {
	name, kind, expect, reason string
	parts                      []signing.Part
	body                       string
	about                      string
}

// cut takes the ds:Signature out of a message.
func cut(message string) (without, signature string) {
	from := strings.Index(message, "<ds:Signature ")
	to := strings.Index(message, "</ds:Signature>") + len("</ds:Signature>")
	return message[:from] + message[to:], message[from:to]
}

// wrapped are the shapes of signature wrapping: the signature stays true of something that nobody reads.
func wrapped(message string) []hostileCase {
	without, signature := cut(message)
	// Blocks for nodes on the way and comments are not signed: without them the wrapped envelope is as true, and no other
	// rule is met first.
	inner := regexp.MustCompile(`<eb:\w+ [^>]*(nextMSH|actor/next)"/>|<!--.*-->`).ReplaceAllString(message[strings.Index(message, "<soap:Envelope"):], "")
	body := message[strings.Index(message, "<soap:Body>") : strings.Index(message, "</soap:Body>")+len("</soap:Body>")]
	evil := strings.Replace(without, "a &amp; b", "evil", 1)
	into := func(doc, before, markup string) string { return strings.Replace(doc, before, markup+before, 1) }
	c := func(name, reason, body string) hostileCase {
		return hostileCase{"wrapping-" + name, "message", "ErrMalformed", reason, parts, body, ""}
	}
	header := `<eb:MessageHeader soap:actor="` + actorNext + `" eb:version="2.0"><eb:CPAId>evil</eb:CPAId></eb:MessageHeader>`
	return []hostileCase{
		{"valid-message", "message", "none", "", parts, message, ""},
		c("signature-in-body", "not a child of SOAP:Header", into(without, "</soap:Body>", signature)),
		c("signature-below-header-block", "not a child of SOAP:Header", strings.Replace(without, "<eb:CPAId>", signature+"<eb:CPAId>", 1)),
		c("signed-envelope-in-header", "not a child of SOAP:Header", into(evil, "</soap:Header>", "<w xmlns=\"urn:w\">"+inner+"</w>")),
		c("signed-envelope-in-body", "not a child of SOAP:Header", into(evil, "</soap:Body>", inner)),
		c("signed-envelope-in-object", "ds:Object is not expected", into(evil, "</soap:Header>", strings.Replace(signature, "</ds:Signature>",
			"<ds:Object>"+strings.Replace(inner, signature, "", 1)+"</ds:Object></ds:Signature>", 1))),
		c("signature-around-signature", "more than one ds:Signature", strings.Replace(message, "</ds:Signature>", "<ds:Object>"+signature+"</ds:Object></ds:Signature>", 1)),
		c("second-signature", "more than one ds:Signature", into(message, "</soap:Header>", signature)),
		c("signature-in-unsigned-block", "more than one ds:Signature", into(message, "</soap:Header>",
			`<eb:SyncReply soap:actor="`+actorNext+`">`+signature+`</eb:SyncReply>`)),
		c("two-bodies", "one Header and one Body", into(message, "<soap:Body>", "<soap:Body>evil</soap:Body>")),
		c("two-headers", "one Header and one Body", into(message, "<soap:Header>", "<soap:Header>"+header+"</soap:Header>")),
		c("body-first", "one Header and one Body", into(strings.Replace(message, body, "", 1), "<soap:Header>", body)),
		c("element-after-body", "one Header and one Body", into(message, "</soap:Envelope>", "<x xmlns='urn:x'/>")),
		c("other-root", "not a SOAP 1.1 Envelope", "<x>"+inner+"</x>"),
		c("header-of-next-actor", "takes it out of the signature", into(message, "<eb:MessageHeader ", header)),
		c("manifest-of-next-msh", "takes it out of the signature", into(message, "<eb:Manifest ", `<eb:Manifest soap:actor="`+nextMSH+`"/>`)),
		c("block-of-misprinted-next-msh", "takes it out of the signature", into(message, "<eb:MessageHeader ",
			`<eb:MessageHeader soap:actor="urn:oasis:names:tc:ebxml-msg:service:nextMSH"/>`)),
		c("envelope-of-next-actor", "takes it out of the signature", strings.Replace(message, "<soap:Envelope ", `<soap:Envelope soap:actor="`+actorNext+`" `, 1)),
		c("actor-by-other-prefix", "takes it out of the signature", into(message, "<eb:MessageHeader ",
			`<eb:MessageHeader xmlns:s="http://schemas.xmlsoap.org/soap/envelope/" s:actor="`+strings.Replace(actorNext, "next", "ne&#120;t", 1)+`"/>`)),
		c("sync-reply-in-body", "takes it out of the signature", into(message, "<eb:Manifest ", `<eb:SyncReply soap:actor="`+actorNext+`"/>`)),
		c("block-in-ack-requested", "takes it out of the signature", into(message, "<eb:MessageHeader ",
			`<eb:AckRequested><eb:AckRequested soap:actor="`+nextMSH+`"/></eb:AckRequested>`)),
	}
}

// edited are changes to a valid message that no key is needed for.
func edited(message string) []hostileCase {
	without, _ := cut(message)
	replace := func(old, with string) string {
		if !strings.Contains(message, old) {
			return "no " + old
		}
		return strings.Replace(message, old, with, 1)
	}
	c := func(name, expect, reason, body string) hostileCase {
		return hostileCase{"edit-" + name, "message", expect, reason, parts, body, ""}
	}
	info := message[strings.Index(message, "<ds:SignedInfo>") : strings.Index(message, "</ds:SignedInfo>")+len("</ds:SignedInfo>")]
	value := message[strings.Index(message, "<ds:SignatureValue>"):strings.Index(message, "</ds:SignatureValue>")]
	certificate := "cid:co-1@customs.example\"><ds:DigestMethod Algorithm=" + sha256URI + "/><ds:DigestValue>"
	return []hostileCase{
		c("signature-removed", "ErrUnsigned", "has no ds:Signature", without),
		c("header-changed", "ErrDigest", "the document is not what was signed", replace("a &amp; b", "a &amp; c")),
		c("namespace-added", "ErrSignature", "", replace("<soap:Envelope ", "<soap:Envelope xmlns:x='urn:x' ")),
		c("digest-changed", "ErrSignature", "", replace(digest(octetsOf(parts[0])), digest([]byte("evil")))),
		c("comment-in-digest", "ErrMalformed", "comment or processing", replace(certificate, certificate+"<!-- AAAA -->")),
		c("instruction-in-digest", "ErrMalformed", "processing instructions", replace(certificate, certificate+"<?a b?>")),
		c("comment-in-signed-info", "ErrMalformed", "comment or processing", replace("<ds:SignedInfo>", "<ds:SignedInfo>"+strings.Repeat("<!---->", 500))),
		c("signed-info-twice", "ErrMalformed", "ds:SignatureValue is expected", replace("</ds:SignedInfo>", "</ds:SignedInfo>"+info)),
		c("signed-info-last", "ErrMalformed", "is not expected", replace("</ds:Signature>", info+"</ds:Signature>")),
		c("signature-value-twice", "ErrMalformed", "is not expected", replace("</ds:Signature>", "<ds:SignatureValue>AAAA</ds:SignatureValue></ds:Signature>")),
		c("digest-value-twice", "ErrMalformed", "is not expected", replace("</ds:DigestValue>", "</ds:DigestValue><ds:DigestValue>AAAA</ds:DigestValue>")),
		c("text-in-signed-info", "ErrMalformed", "text between", replace("<ds:SignedInfo>", "<ds:SignedInfo>x")),
		c("element-in-digest", "ErrMalformed", "child elements", replace(certificate, certificate+"<ds:x/>")),
		c("value-not-base64", "ErrMalformed", "not base64", replace("<ds:SignatureValue>", "<ds:SignatureValue>*")),
		c("value-empty", "ErrMalformed", "is empty", replace(value, "<ds:SignatureValue> ")),
		c("foreign-signed-info", "ErrMalformed", "ds:SignedInfo is expected", replace("<ds:SignedInfo>", "<x:SignedInfo xmlns:x='urn:x'/><ds:SignedInfo>")),
		c("attribute-on-signature", "ErrMalformed", "has an attribute", replace("<ds:Signature ", "<ds:Signature xml:base='http://x/' ")),
		c("hmac", "ErrPolicy", "is not known", replace("http://www.w3.org/2001/04/xmldsig-more#rsa-sha256", "http://www.w3.org/2000/09/xmldsig#hmac-sha1")),
		c("hmac-output-length", "ErrMalformed", "is not expected", replace(`xmldsig-more#rsa-sha256"/>`, `xmldsig-more#rsa-sha256"><ds:HMACOutputLength>0</ds:HMACOutputLength></ds:SignatureMethod>`)),
		c("downgrade-to-sha1", "ErrPolicy", "uses SHA-1", replace("http://www.w3.org/2001/04/xmldsig-more#rsa-sha256", "http://www.w3.org/2000/09/xmldsig#rsa-sha1")),
		c("downgrade-to-md5", "ErrPolicy", "is not known", replace("xmldsig-more#rsa-sha256", "xmldsig-more#rsa-md5")),
		c("downgrade-of-a-digest", "ErrPolicy", "is SHA-1", replace(sha256URI, `"http://www.w3.org/2000/09/xmldsig#sha1"`)),
		c("document-type", "ErrMalformed", "no document type declaration", replace("<soap:Envelope", "<!DOCTYPE x [<!ENTITY e SYSTEM 'file:///etc/passwd'>]>\n<soap:Envelope")),
		c("instruction", "ErrMalformed", "no processing instructions", replace("<eb:CPAId>", "<eb:CPAId><?x?>")),
		c("instruction-before", "ErrMalformed", "no processing instructions", replace("<soap:Envelope", "<?xml-stylesheet href='x'?><soap:Envelope")),
		c("relative-namespace", "ErrMalformed", "absolute namespace name", replace("<eb:CPAId>", "<eb:CPAId xmlns:x='relative'>")),
		c("attribute-twice", "ErrMalformed", "each attribute once", replace(`soap:mustUnderstand="1"`, `soap:mustUnderstand="1" soap:mustUnderstand="0"`)),
		c("attribute-twice-by-namespace", "ErrMalformed", "each attribute once", replace(`<eb:MessageHeader `,
			`<eb:MessageHeader xmlns:s="http://schemas.xmlsoap.org/soap/envelope/" s:mustUnderstand="0" `)),
		c("second-root", "ErrMalformed", "nothing after the root", message+"<evil/>"),
		c("other-encoding", "ErrMalformed", "encoding UTF-8", replace("UTF-8", "UTF-7")),
		c("namespace-name-long", "ErrMalformed", "at most 1024 octets in a namespace name",
			replace("<soap:Envelope ", "<soap:Envelope xmlns:x='urn:"+strings.Repeat("x", 2000)+"' ")),
		c("attribute-name-long", "ErrMalformed", "at most 256 octets in a name", replace("<soap:Envelope ", "<soap:Envelope "+strings.Repeat("x", 300)+"='' ")),
		c("deep", "ErrMalformed", "at most 64 elements", replace("<eb:CPAId>", strings.Repeat("<x>", 100)+"<eb:CPAId>")),
		c("huge-signature", "ErrMalformed", "longer than", replace("<ds:SignedInfo>", "<ds:SignedInfo>"+strings.Repeat(" ", 66_000))),
	}
}

// signedBadly are messages with a true signature, by the partner or by an attacker, that must not count.
func signedBadly(t *testing.T, key, attacker signing.Key) []hostileCase {
	t.Helper()
	c := func(name, expect, reason string, shape crafted) hostileCase {
		return hostileCase{"signed-" + name, "message", expect, reason, parts, string(craft(t, shape, key)), ""}
	}
	transform := func(name, reason, transforms string) hostileCase {
		return c("transform-"+name, "ErrPolicy", reason, crafted{transforms: transforms})
	}
	own, all := parts, ""
	for _, part := range own {
		all += bareReference(part)
	}
	many := ""
	for i := range 30 {
		many += bareReference(signing.Part{URI: fmt.Sprintf("cid:%d", i), Content: strings.NewReader("x")})
	}
	withURI := func(uri string) string {
		return all + bareReference(signing.Part{URI: uri, Content: strings.NewReader("x")})
	}
	certificate := "<ds:KeyInfo><ds:X509Data><ds:X509Certificate>" + base64.StdEncoding.EncodeToString(attacker.Chain[0].Raw) +
		"</ds:X509Certificate></ds:X509Data></ds:KeyInfo>"
	keyValue := "<ds:KeyInfo><ds:KeyValue><ds:RSAKeyValue><ds:Modulus>AAAA</ds:Modulus><ds:Exponent>AQAB</ds:Exponent></ds:RSAKeyValue></ds:KeyValue></ds:KeyInfo>"
	extra := append([]signing.Part{{URI: "cid:extra@evil.example", Content: bytes.NewReader([]byte("evil"))}}, parts...)
	inverted := strings.Replace(xpath(hermesXPath), "not(", "boolean(", 1)
	return []hostileCase{
		{"signed-by-key-in-key-info", "message", "ErrUnknownSigner", "", parts, string(craft(t, crafted{keyInfo: certificate}, attacker)), ""},
		{"signed-by-key-value", "message", "ErrSignature", "", parts, string(craft(t, crafted{keyInfo: keyValue}, attacker)), ""},
		{"signed-by-nobody-named", "message", "ErrSignature", "", parts, string(craft(t, crafted{}, attacker)), ""},
		{"signed-without-extra-part", "message", "ErrUnsigned", "cid:extra@evil.example", extra, string(craft(t, crafted{}, key)), ""},
		{"signed-with-missing-part", "message", "ErrMalformed", "which there is not", parts[:1], string(craft(t, crafted{}, key)), ""},
		c("reference-to-id", "ErrPolicy", `"#body"`, crafted{references: withURI("#body")}),
		c("reference-to-file", "ErrPolicy", "file:", crafted{references: withURI("file:///etc/passwd")}),
		c("reference-to-web", "ErrPolicy", "http:", crafted{references: withURI("http://evil.example/")}),
		c("reference-to-xpointer", "ErrPolicy", "#xpointer", crafted{references: withURI("#xpointer(/)")}),
		c("reference-twice", "ErrMalformed", "more than one Reference", crafted{references: all + bareReference(parts[0])}),
		c("references-many", "ErrMalformed", "more than 30", crafted{references: many}),
		c("part-with-transforms", "ErrDigest", "is not what was signed", crafted{references: strings.Replace(all, "><ds:DigestMethod", "><ds:Transforms>"+canonical+"</ds:Transforms><ds:DigestMethod", 1)}),
		c("document-left-out", "ErrUnsigned", "does not cover the document", crafted{partsOnly: true}),
		c("part-left-out", "ErrUnsigned", parts[1].URI, crafted{references: bareReference(parts[0])}),
		c("method-with-comments", "ErrPolicy", "WithComments", crafted{method: strings.TrimSuffix(c14n10, `"`) + `#WithComments"/>`}),
		c("method-1.1", "ErrPolicy", "xml-c14n11", crafted{method: `"http://www.w3.org/2006/12/xml-c14n11"/>`}),
		transform("xslt", "REC-xslt", enveloped+`<ds:Transform Algorithm="http://www.w3.org/TR/1999/REC-xslt-19991116"/>`),
		transform("base64", "#base64", enveloped+`<ds:Transform Algorithm="http://www.w3.org/2000/09/xmldsig#base64"/>`),
		transform("filter2", "xmldsig-filter2", enveloped+`<ds:Transform Algorithm="http://www.w3.org/2002/06/xmldsig-filter2"/>`),
		transform("order", "not allowed in this place", canonical+enveloped),
		transform("canonical-twice", "not allowed in this place", enveloped+canonical+canonical),
		transform("xpath-twice", "not allowed in this place", enveloped+xpath(hermesXPath)+xpath(hermesXPath)+canonical),
		transform("enveloped-twice", "not allowed in this place", enveloped+enveloped+canonical),
		transform("not-enveloped", "not allowed in this place", canonical),
		transform("with-comments", "not allowed in this place", enveloped+strings.Replace(canonical, `"/>`, `#WithComments"/>`, 1)),
		transform("xpath-true", `"true"`, enveloped+xpath("true()")+canonical),
		transform("xpath-inverted", `"boolean"`, enveloped+inverted+canonical),
		transform("xpath-third-actor", "stands for", enveloped+xpath(strings.Replace(hermesXPath, "])", `] | ancestor-or-self::node()[@soap:actor=""])`, 1))+canonical),
		transform("xpath-goes-on", "goes on", enveloped+xpath(hermesXPath+" and false()")+canonical),
		transform("xpath-other-actor", "leaves out", enveloped+xpath(strings.Replace(hermesXPath, nextMSH, "urn:oasis:names:tc:ebxml-msg:actor:toPartyMSH", 1))+canonical),
		transform("xpath-same-actor-twice", "leaves out", enveloped+xpath(strings.Replace(hermesXPath, nextMSH, actorNext, 1))+canonical),
		transform("xpath-next-msh-twice", "leaves out", enveloped+xpath(strings.Replace(hermesXPath, actorNext, nextMSH, 1))+canonical),
		transform("xpath-line-in-string", "leaves out", enveloped+xpath(strings.Replace(hermesXPath, nextMSH, "urn:oasis:names:tc:\nebxml-msg:actor:nextMSH", 1))+canonical),
		transform("xpath-other-prefix", "not the actor attribute", enveloped+xpath(strings.Replace(hermesXPath, "@soap:", "@eb:", 1))+canonical),
		transform("xpath-rebound-prefix", "not the actor attribute", enveloped+strings.Replace(xpath(hermesXPath), "<ds:XPath>", "<ds:XPath xmlns:soap='urn:evil'>", 1)+canonical),
		transform("xpath-plain-attribute", "not the actor attribute", enveloped+xpath(strings.Replace(hermesXPath, "@soap:", "@", 1))+canonical),
		transform("xpath-open-string", "not with a string", enveloped+xpath(strings.Replace(hermesXPath, `"`+nextMSH+`"`, `"`+nextMSH, 1)[:70])+canonical),
	}
}

// hostileDocuments are changes to a valid document.
func hostileDocuments(signed string) []hostileCase {
	without, signature := cut(signed)
	c := func(name, expect, reason, body string) hostileCase {
		return hostileCase{"document-" + name, "document", expect, reason, nil, body, ""}
	}
	inner := signed[strings.Index(signed, "<CertificateOfOrigin"):]
	return []hostileCase{
		c("valid", "none", "", signed),
		c("unsigned", "ErrUnsigned", "no ds:Signature", without),
		c("moved-up", "ErrMalformed", "not in its place", strings.Replace(without, "</ext:Extensions>", signature+"</ext:Extensions>", 1)),
		c("moved-down", "ErrMalformed", "not in its place", strings.Replace(without, "<ID>", "<ID>"+signature, 1)),
		c("signature-twice", "ErrMalformed", "more than one ds:Signature", strings.Replace(signed, "</sig:Information>", signature+"</sig:Information>", 1)),
		c("wrapped", "ErrMalformed", "not in its place", strings.Replace(without, "</CertificateOfOrigin>", inner+"</CertificateOfOrigin>", 1)),
		c("attribute-added", "ErrDigest", "", strings.Replace(signed, "<ext:Extensions ", "<ext:Extensions x='' ", 1)),
		c("signature-root", "ErrMalformed", "not in its place", signature),
		c("instruction", "ErrMalformed", "no processing instructions", strings.Replace(signed, "KE-2026", "KE-<?x?>2026", 1)),
		c("cdata-changed", "ErrDigest", "", strings.Replace(signed, "KE-2026-1", "KE-<![CDATA[2026]]>-2", 1)),
		c("cid-reference", "ErrMalformed", "which there is not", strings.Replace(signed, "</ds:SignedInfo>", bareReference(parts[0])+"</ds:SignedInfo>", 1)),
		c("xpath", "ErrPolicy", "not allowed in this place", strings.Replace(signed, `enveloped-signature"></ds:Transform>`, `enveloped-signature"></ds:Transform>`+xpath("true()"), 1)),
	}
}
