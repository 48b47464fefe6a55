package ebms

import (
	"errors"
	"strings"

	"github.com/beevik/etree"
)

// Fault is the answer to a message that cannot be answered in ebXML. SOAP 1.1 §4.4; ebMS 2.0 §2.1.6, Appendix B.2.4.
type Fault struct {
	// Code is the local part of the faultcode: FaultClient, FaultMustUnderstand or FaultServer.
	Code string
	// Text is the faultstring, a sentence for people.
	Text string
}

// The fault codes of SOAP 1.1 §4.4.1 that are used.
const (
	FaultClient         = "Client"
	FaultMustUnderstand = "MustUnderstand"
	FaultServer         = "Server"
)

// FaultFor returns the Fault for an error of ReadPackage or Parse, and whether SOAP demands it: true if a header block was not
// understood, which is told as a Fault even when the message could be answered in ebXML (SOAP 1.1 §4.2.3). Otherwise it is
// the Client fault, for when Parse returned no message. The cause is not told.
func FaultFor(err error) (fault *Fault, demanded bool) {
	var must *MustUnderstandError
	if errors.As(err, &must) {
		return &Fault{Code: FaultMustUnderstand, Text: "A header block that must be understood is not."}, true
	}
	return &Fault{Code: FaultClient, Text: AsError(err).Description}, false
}

// Envelope returns the SOAP envelope with the fault, to be sent as text/xml; charset=UTF-8.
func (f *Fault) Envelope() []byte {
	var w writer
	w.raw(xmlDeclaration)
	w.open("soap:Envelope", "xmlns:soap", nsSOAP)
	w.open("soap:Body")
	w.open("soap:Fault")
	// The parts of a Fault are in no namespace; the value of faultcode is a qualified name.
	w.element("faultcode", "soap:"+f.Code)
	w.element("faultstring", f.Text)
	w.close("soap:Fault")
	w.close("soap:Body")
	w.close("soap:Envelope")
	return w.buf.Bytes()
}

// Error returns code and text for a log. A Fault is an error when a partner sent it.
func (f *Fault) Error() string { return "SOAP Fault " + f.Code + ": " + f.Text }

// readFault reads a partner's Fault as far as a log needs.
func readFault(e *etree.Element) *Fault {
	var fault Fault
	for _, child := range e.ChildElements() {
		text, err := textOf(child)
		if err != nil {
			continue
		}
		switch child.Tag {
		case "faultcode":
			_, local, qualified := strings.Cut(text, ":")
			if fault.Code = local; !qualified {
				fault.Code = text
			}
		case "faultstring":
			fault.Text = text
		}
	}
	return &fault
}
