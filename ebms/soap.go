package ebms

import (
	"errors"
	"fmt"
)

// blocks are the children of a SOAP envelope's Header and Body.
type blocks struct {
	header, body []*element
}

// readEnvelope reads an XML document that must be one SOAP 1.1 envelope with one Header and one Body (§2.1.3, §2.3). It
// takes the tree apart no further than that.
func readEnvelope(envelope []byte) (blocks, *Error) {
	root, err := readXML(envelope)
	if err != nil {
		return blocks{}, err
	}
	if !root.is(nsSOAP, "Envelope") {
		return blocks{}, NewOtherXML("", fmt.Errorf("document is %s and not a SOAP 1.1 Envelope", root.name()))
	}
	if cause := root.onlySpace(); cause != nil {
		return blocks{}, NewOtherXML(atEnvelope, cause)
	}
	// SOAP 1.1 §4 admits elements after the Body; ebMS has no use for them (§2.3), so that they could only mislead.
	parts := root.children
	if len(parts) == 1 && parts[0].is(nsSOAP, "Body") { // a SOAP Fault has no Header
		return blocks{body: parts[0].children}, nil
	}
	if len(parts) != 2 || !parts[0].is(nsSOAP, "Header") || !parts[1].is(nsSOAP, "Body") {
		return blocks{}, NewOtherXML(atEnvelope, errors.New("envelope is not one Header followed by one Body"))
	}
	for _, part := range parts {
		if cause := part.onlySpace(); cause != nil {
			return blocks{}, NewOtherXML(atEnvelope+"/"+part.local, cause)
		}
	}
	return blocks{header: parts[0].children, body: parts[1].children}, nil
}
