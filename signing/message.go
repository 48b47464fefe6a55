package signing

import (
	"crypto/x509"
	"fmt"
	"strings"

	"github.com/ecogate/ecogate/signing/internal/c14n"
)

// VerifyMessage verifies the signature of an ebMS message (ebMS 2.0 §4.1.3): of its SOAP envelope, byte for byte as
// received, and of all its other MIME parts.
//
// There must be exactly one ds:Signature, a child of SOAP:Header (ebMS 2.0 §4.1.1 allows more and gives them no meaning); but for
// one of [SignMessageBeside] after it, which it covers and which decides nothing.
// Its references must be one to the envelope and one to each of parts, no more and no less: a part without reference is
// [ErrUnsigned]. The candidates are the credentials that count for the partner at the message's time; p is what was agreed
// with it. What it returns is true of Verified.Octets and of the parts' contents and of nothing else; AckRequested and
// SyncReply for nodes on the way are not in the octets, and a part in Verified.Parts is read from there. The error is an [*Error], or that of reading a part.
func VerifyMessage(envelope []byte, parts []Part, candidates []*x509.Certificate, p Policy) (*Verified, error) {
	doc, err := parse(envelope)
	if err != nil {
		return nil, err
	}
	element, beside, err := messageSignatures(doc)
	if err != nil {
		return nil, err
	}
	s, err := readSignature(element, p, reading{message: true, parts: len(parts)})
	if err != nil {
		return nil, err
	}
	v, err := s.verify(doc, parts, candidates)
	if err == nil {
		v.Beside = beside != nil
	}
	return v, err
}

// SignMessage puts a signature over an ebMS envelope and its parts into the envelope, as the last child of SOAP:Header
// (ebMS 2.0 §4.1.3). All other bytes stay as they are. The references are those of the signature, in its order: the
// envelope, then the parts as given. The algorithm is [Key.Algorithm]. There are 1,024 parts at most. The error is an [*Error], or that of reading a part.
func SignMessage(envelope []byte, parts []Part, key Key) (signed []byte, refs []Reference, err error) {
	doc, header, err := toSign(envelope, parts)
	if err != nil {
		return nil, nil, err
	}
	c, err := newSigner(key)
	if err != nil {
		return nil, nil, err
	}
	references, err := c.messageReferences(doc, parts, signXPath)
	if err != nil {
		return nil, nil, err
	}
	return c.sign(doc, header, references)
}

// toSign reads the envelope of a message and gives its SOAP:Header.
func toSign(envelope []byte, parts []Part) (*c14n.Document, c14n.Element, error) {
	doc, err := parse(envelope)
	if err != nil {
		return nil, c14n.Element{}, err
	}
	header, err := readEnvelope(doc)
	if err != nil {
		return nil, header, err
	}
	return doc, header, checkParts(parts)
}

// messageReferences writes the references to an envelope and its parts, with this filter.
func (s *signer) messageReferences(doc *c14n.Document, parts []Part, filter string) (string, error) {
	digest := sumCanonical(s.algorithm.hash, doc, c14n.Method{Drop: func(e c14n.Element) bool {
		return dropped(e, []string{actorNext, actorNextMSH})
	}})
	xpath := `<ds:Transform Algorithm="` + xpathTransform + `"><ds:XPath xmlns:SOAP="` + soapSpace + `">` + filter +
		`</ds:XPath></ds:Transform>`
	var markup strings.Builder
	markup.WriteString(s.referenceMarkup("", documentTransforms(xpath), digest))
	for _, part := range parts {
		digest, err := sumContent(s.algorithm.hash, part.Content)
		if err != nil {
			return "", fmt.Errorf("reading the part %q: %w", part.URI, err)
		}
		markup.WriteString(s.referenceMarkup(part.URI, "", digest))
	}
	return markup.String(), nil
}

// checkParts refuses parts whose signature could not be verified.
func checkParts(parts []Part) error {
	if len(parts) > MaxParts {
		return fail(ErrMalformed, "%d parts are more than %d", len(parts), MaxParts)
	}
	seen := make(map[string]bool, len(parts))
	for _, part := range parts {
		if !strings.HasPrefix(part.URI, "cid:") {
			return fail(ErrMalformed, "the URI %q of a part does not begin with cid:", part.URI)
		}
		if seen[part.URI] {
			return fail(ErrMalformed, "there is more than one part %q", part.URI)
		}
		seen[part.URI] = true
	}
	return nil
}
