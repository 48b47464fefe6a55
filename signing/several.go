package signing

import (
	"crypto/x509"
	"encoding/xml"

	"github.com/ecogate/ecogate/signing/internal/c14n"
)

// maxSignatures is how many signatures of one document are verified.
const maxSignatures = 3

// VerifySignatures verifies the signatures of a document that several parties signed one after the other, as CPPA 2.0 §9.9 has it for
// agreements: each covers the document with the signatures before it, and none of those after it. There are one to three
// ds:Signature in the document, all of them children of the only element at path. Each is held to what [VerifyDocument] asks, but for
// XAdES, which there is none in.
//
// The result has one entry for each, in their order. Octets of the first are the document without any signature. The error is an
// [*Error] about the first that is wrong.
func VerifySignatures(doc []byte, path []xml.Name, candidates []*x509.Certificate, p Policy) ([]*Verified, error) {
	read, err := parseDocument(doc)
	if err != nil {
		return nil, err
	}
	elements, err := signaturesAt(read, path)
	if err != nil {
		return nil, err
	}
	var out []*Verified
	for i, element := range elements {
		s, err := readSignature(element, p, reading{})
		if err != nil {
			return nil, err
		}
		s.later = elements[i+1:]
		verified, err := s.verify(read, nil, candidates)
		if err != nil {
			return nil, err
		}
		out = append(out, verified)
	}
	return out, nil
}

// signaturesAt gives every ds:Signature of a document, all of which stand in the only element at path.
func signaturesAt(doc *c14n.Document, path []xml.Name) ([]c14n.Element, error) {
	found := signaturesIn(doc)
	if len(found) == 0 {
		return nil, failAt(doc.Root(), ErrUnsigned, "the document has no ds:Signature")
	}
	first, _ := found[0].Parent()
	for _, e := range found {
		parent, below := e.Parent()
		switch {
		case !below || !isAt(parent, path):
			return nil, failAt(e, ErrMalformed, "ds:Signature is not in its place, %s", pathText(path))
		case parent != first:
			return nil, failAt(e, ErrMalformed, "there is more than one %s with a ds:Signature", pathText(path))
		}
	}
	if len(found) > maxSignatures {
		return nil, failAt(found[maxSignatures], ErrMalformed, "there are more than %d ds:Signature", maxSignatures)
	}
	return found, nil
}

// signaturesIn gives every ds:Signature of a document, in its order.
func signaturesIn(doc *c14n.Document) []c14n.Element {
	var found []c14n.Element
	for e := range doc.Root().Descendants() {
		if e.Is(dsigSpace, "Signature") {
			found = append(found, e)
		}
	}
	return found
}

// Countersign puts one more signature into a document, as [VerifySignatures] wants it: over the document and the signatures that are in
// the only element at path already, after the last of them. In a document without any it does what [SignDocument] does. The
// error is an [*Error].
func Countersign(doc []byte, path []xml.Name, key Key) ([]byte, error) {
	read, place, err := placeFor(doc, path)
	if err != nil {
		return nil, err
	}
	c, err := newSigner(key)
	if err != nil {
		return nil, err
	}
	if c.before = len(signaturesIn(read)); c.before > 0 {
		elements, err := signaturesAt(read, path)
		if err != nil {
			return nil, err
		}
		if c.before == maxSignatures {
			return nil, failAt(elements[0], ErrMalformed, "there are %d ds:Signature already", maxSignatures)
		}
	}
	signed, _, err := c.sign(read, place, c.documentReference(sumCanonical(c.algorithm.hash, read, c14n.Method{})))
	return signed, err
}
