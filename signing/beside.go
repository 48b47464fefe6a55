package signing

import (
	"crypto/x509"
	"encoding/xml"

	"github.com/ecogate/ecogate/signing/internal/c14n"
)

// besideID is the Id of a message's second signature: what tells it from one that somebody put there.
const besideID = "beside"

// SignMessageBeside is [SignMessage] with a second signature after the first (ebMS 2.0 §4.1.1), by another key: one that is to
// take the place of the first, so that the receiver can try it on real messages. The first is what it would be alone and covers the
// second, which has the Id "beside", leaves out every ds:Signature, and can be verified by any product that reads its XPath.
func SignMessageBeside(envelope []byte, parts []Part, key, beside Key) (signed []byte, refs []Reference, err error) {
	doc, header, err := toSign(envelope, parts)
	if err != nil {
		return nil, nil, err
	}
	first, err := newSigner(key)
	if err != nil {
		return nil, nil, err
	}
	second, err := newSigner(beside)
	if err != nil {
		return nil, nil, err
	}
	second.id = besideID
	references, err := second.messageReferences(doc, parts, filterBesideXPath)
	if err != nil {
		return nil, nil, err
	}
	after, _, err := second.markup(doc, header, references, reading{message: true, beside: true})
	if err != nil {
		return nil, nil, err
	}
	whole, err := parse(header.Append(after))
	if err != nil {
		return nil, nil, err
	}
	if references, err = first.messageReferences(whole, parts, signXPath); err != nil {
		return nil, nil, err
	}
	before, refs, err := first.markup(doc, header, references, reading{message: true})
	if err != nil {
		return nil, nil, err
	}
	return header.Append(before + after), refs, nil
}

// VerifyMessageBeside verifies the second signature of a message that [VerifyMessage] has verified; found says whether there is
// one. It covers what the first does, and nothing may be read because of it: it only shows that a key works. The error is an [*Error],
// or that of reading a part.
func VerifyMessageBeside(envelope []byte, parts []Part, candidates []*x509.Certificate, p Policy) (v *Verified, found bool, err error) {
	doc, err := parse(envelope)
	if err != nil {
		return nil, false, err
	}
	_, element, err := messageSignatures(doc)
	if err != nil || element == nil {
		return nil, false, err
	}
	s, err := readSignature(*element, p, reading{message: true, beside: true, parts: len(parts)})
	if err != nil {
		return nil, true, err
	}
	v, err = s.verify(doc, parts, candidates)
	return v, true, err
}

// messageSignatures gives the signature of an envelope: the only one in it, as a child of SOAP:Header, but for one after it there
// with the Id "beside", which is nil if there is none.
func messageSignatures(doc *c14n.Document) (first c14n.Element, beside *c14n.Element, err error) {
	header, err := readEnvelope(doc)
	if err != nil {
		return first, nil, err
	}
	found := false
	for e := range doc.Root().Descendants() {
		if !e.Is(dsigSpace, "Signature") {
			continue
		}
		parent, _ := e.Parent()
		id, _ := e.Attribute("", "Id")
		switch {
		case found && (beside != nil || parent != header || id != besideID):
			return first, nil, failAt(e, ErrMalformed, "there is more than one ds:Signature")
		case found:
			beside = &e
		default:
			first, found = e, true
		}
	}
	if !found {
		return first, nil, failAt(header, ErrUnsigned, "SOAP:Header has no ds:Signature")
	}
	if parent, _ := first.Parent(); parent != header {
		return first, nil, failAt(first, ErrMalformed, "ds:Signature is not a child of SOAP:Header")
	}
	return first, beside, nil
}

// maxTogether is how many signatures a document of SignTogether has at most.
const maxTogether = 16

// SignTogether puts an enveloped signature of each key into a document, as the last children of the only element at path. None
// covers another, so that all cover the same octets and each can be verified by itself. There are 16 at most. The error is an [*Error].
func SignTogether(doc []byte, path []xml.Name, keys []Key) ([]byte, error) {
	read, place, err := placeFor(doc, path)
	if err != nil {
		return nil, err
	}
	if len(keys) == 0 || len(keys) > maxTogether {
		return nil, fail(ErrPolicy, "%d keys, expected 1 to %d", len(keys), maxTogether)
	}
	all := ""
	for _, key := range keys {
		c, err := newSigner(key)
		if err != nil {
			return nil, err
		}
		transforms := `<ds:Transforms><ds:Transform Algorithm="` + xpathTransform + `"><ds:XPath>` + besideXPath + `</ds:XPath></ds:Transform>` +
			`<ds:Transform Algorithm="` + inclusiveC14N + `"></ds:Transform></ds:Transforms>`
		references := c.referenceMarkup("", transforms, sumCanonical(c.algorithm.hash, read, c14n.Method{}))
		markup, _, err := c.markup(read, place, references, reading{beside: true})
		if err != nil {
			return nil, err
		}
		all += markup
	}
	return place.Append(all), nil
}

// Together is what the signatures of a document of [SignTogether] cover.
type Together struct {
	// Octets are the document without its signatures; nothing else may be used.
	Octets []byte
	// Signers are those of the candidates whose keys made them, in the order of the signatures.
	Signers []*x509.Certificate
}

// VerifyTogether verifies every signature of a document of [SignTogether]: there is at least one, all are children of the element
// at path, and each is by one of the candidates. Whether every candidate has signed is for the caller to see. The error is an [*Error].
func VerifyTogether(doc []byte, path []xml.Name, candidates []*x509.Certificate, p Policy) (*Together, error) {
	read, err := parseDocument(doc)
	if err != nil {
		return nil, err
	}
	out := &Together{}
	for element := range read.Root().Descendants() {
		if !element.Is(dsigSpace, "Signature") {
			continue
		}
		parent, below := element.Parent()
		if !below || !isAt(parent, path) {
			return nil, failAt(element, ErrMalformed, "ds:Signature is not in its place, %s", pathText(path))
		}
		if len(out.Signers) == maxTogether {
			return nil, failAt(element, ErrMalformed, "there are more than %d ds:Signature", maxTogether)
		}
		s, err := readSignature(element, p, reading{beside: true})
		if err != nil {
			return nil, err
		}
		verified, err := s.verify(read, nil, candidates)
		if err != nil {
			return nil, err
		}
		out.Octets, out.Signers = verified.Octets, append(out.Signers, verified.Signer)
	}
	if len(out.Signers) == 0 {
		return nil, failAt(read.Root(), ErrUnsigned, "the document has no ds:Signature")
	}
	return out, nil
}
