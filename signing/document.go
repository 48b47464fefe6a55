package signing

import (
	"crypto/x509"
	"encoding/xml"

	"github.com/ecogate/ecogate/signing/internal/c14n"
)

// VerifyDocument verifies the enveloped signature of a document (XMLDSig Core 1.1 §6.6.4). There must be exactly one
// ds:Signature in the document, and path must be its ancestors from the root element to its parent. It has one Reference,
// to the document. Processing instructions may stand outside the root element only, because inside it they split texts.
//
// The signature may be a XAdES one (XAdES-BES or XAdES-T, see [XAdES]): then it has one more Reference, to the signed
// properties in its own ds:Object, which must name the credential that verifies it.
//
// Verified.Octets are the document without the signature; nothing else may be used. The error is an [*Error].
func VerifyDocument(doc []byte, path []xml.Name, candidates []*x509.Certificate, p Policy) (*Verified, error) {
	read, err := parseDocument(doc)
	if err != nil {
		return nil, err
	}
	element, found, err := theSignature(read)
	if err != nil {
		return nil, err
	}
	if !found {
		return nil, failAt(read.Root(), ErrUnsigned, "the document has no ds:Signature")
	}
	parent, below := element.Parent()
	if !below || !isAt(parent, path) {
		return nil, failAt(element, ErrMalformed, "ds:Signature is not in its place, %s", pathText(path))
	}
	s, err := readDocumentSignature(read, element, p)
	if err != nil {
		return nil, err
	}
	if s.xades != nil {
		if candidates, err = s.xades.named.among(candidates); err != nil {
			return nil, err
		}
	}
	verified, err := s.verify(read, nil, candidates)
	if err != nil || s.xades == nil {
		return verified, err
	}
	if err := s.verifyProperties(verified, p); err != nil {
		return nil, err
	}
	return verified, nil
}

// readDocumentSignature reads the signature of a document, and sees that nothing else in it has the Id of its XAdES properties.
func readDocumentSignature(doc *c14n.Document, e c14n.Element, p Policy) (*signature, error) {
	s, err := readSignature(e, p, reading{xades: true})
	if err != nil || s.xades == nil {
		return s, err
	}
	return s, onlyOne(doc, s.xades.properties)
}

// SignDocument puts an enveloped signature into a document, as the last child of the only element at path, which names the
// elements from the root to it. All other bytes stay as they are. A document that has a ds:Signature is refused. The
// algorithm follows from the key as in [SignMessage]. The error is an [*Error].
func SignDocument(doc []byte, path []xml.Name, key Key) ([]byte, error) {
	read, place, err := placeFor(doc, path)
	if err != nil {
		return nil, err
	}
	c, err := newSigner(key)
	if err != nil {
		return nil, err
	}
	signed, _, err := c.sign(read, place, c.documentReference(sumCanonical(c.algorithm.hash, read, c14n.Method{})))
	return signed, err
}

// documentReference writes the Reference to the document that a signature goes into, of this digest.
func (s *signer) documentReference(digest []byte) string {
	return s.referenceMarkup("", documentTransforms(""), digest)
}

// placeFor reads a document and gives the only element at path.
func placeFor(doc []byte, path []xml.Name) (*c14n.Document, c14n.Element, error) {
	read, err := parseDocument(doc)
	if err != nil {
		return nil, c14n.Element{}, err
	}
	var places []c14n.Element
	for e := range read.Root().Descendants() {
		if isAt(e, path) {
			places = append(places, e)
		}
	}
	if len(places) != 1 {
		return nil, c14n.Element{}, failAt(read.Root(), ErrMalformed, "the document has %d places %s for its signature", len(places), pathText(path))
	}
	return read, places[0], nil
}

func parseDocument(doc []byte) (*c14n.Document, error) {
	read, err := parse(doc)
	if err != nil {
		return nil, err
	}
	return read, noInstructions(read)
}

// noInstructions refuses processing instructions in the root element, because they split texts.
func noInstructions(doc *c14n.Document) error {
	if _, inside := doc.HasInstructions(); inside {
		return failAt(doc.Root(), ErrMalformed, "a signed document has no processing instructions in its root element")
	}
	return nil
}

// isAt tells whether the element and its ancestors are the ones of a path.
func isAt(e c14n.Element, path []xml.Name) bool {
	return climbs(e, path, func(e c14n.Element, step xml.Name) bool { return e.Is(step.Space, step.Local) })
}

// pathText writes a path for a message.
func pathText(path []xml.Name) string {
	text := ""
	for _, name := range path {
		text += "/" + name.Local
	}
	return text
}
