package signing

import (
	"slices"

	"github.com/ecogate/ecogate/signing/internal/c14n"
)

const (
	soapSpace = "http://schemas.xmlsoap.org/soap/envelope/"
	ebSpace   = "http://www.oasis-open.org/committees/ebxml-msg/schema/msg-header-2_0.xsd"
)

// readEnvelope checks the shape that the signature relies on and gives the SOAP:Header: a SOAP 1.1 envelope of exactly one
// header and one body (ebMS 2.0 §2.3), no processing instruction anywhere, and nothing but AckRequested and SyncReply
// where a signature does not reach.
func readEnvelope(doc *c14n.Document) (header c14n.Element, err error) {
	root := doc.Root()
	if !root.Is(soapSpace, "Envelope") {
		return header, failAt(root, ErrMalformed, "root element %s is not a SOAP 1.1 Envelope", root.Name())
	}
	// A processing instruction splits a text in two for some readers and not for others.
	if outside, inside := doc.HasInstructions(); outside || inside {
		return header, failAt(root, ErrMalformed, "a SOAP message has no processing instructions (SOAP 1.1 §3)")
	}
	children := root.Children()
	if len(children) != 2 || !children[0].Is(soapSpace, "Header") || !children[1].Is(soapSpace, "Body") {
		return header, failAt(root, ErrMalformed, "Envelope does not consist of one Header and one Body")
	}
	header = children[0]
	return header, checkActors(root, header)
}

// checkActors refuses elements that the XPath filter of ebMS 2.0 §4.1.3 could leave out of a signature, but for the two
// that are made for nodes on the way (ebMS 2.0 §4.3, §6.3.1.1). A MessageHeader or Manifest with such an actor would be in the
// message and not under its signature. The rule does not ask which filter the signature has.
func checkActors(root, header c14n.Element) error {
	for e := range root.Descendants() {
		actor, found := e.Attribute(soapSpace, "actor")
		if !found || !slices.Contains([]string{actorNext, actorNextMSH, serviceNextMSH}, actor) {
			continue
		}
		parent, _ := e.Parent()
		if parent != header || !e.Is(ebSpace, "AckRequested") && !e.Is(ebSpace, "SyncReply") {
			return failAt(e, ErrMalformed, "%s has the actor %s, which takes it out of the signature", e.Name(), actor)
		}
	}
	return nil
}

// theSignature gives the only ds:Signature of a document, wherever it is. Two of them would leave open which one counts.
func theSignature(doc *c14n.Document) (signature c14n.Element, found bool, err error) {
	for e := range doc.Root().Descendants() {
		if !e.Is(dsigSpace, "Signature") {
			continue
		}
		if found {
			return signature, true, failAt(e, ErrMalformed, "there is more than one ds:Signature")
		}
		signature, found = e, true
	}
	return signature, found, nil
}
