package ebms

import (
	"errors"
	"net/http"
	"strings"
)

// Fault is the answer to a message that cannot be answered in ebXML. SOAP 1.1 §4.4; ebMS 2.0 §2.1.6, Appendix B.2.4.
type Fault struct {
	// Code is the local part of the faultcode: FaultClient or FaultMustUnderstand, or whatever a partner sent.
	Code string
	// Text is the faultstring, a sentence for people.
	Text string
}

// The fault codes of SOAP 1.1 §4.4.1 that are used.
const (
	FaultClient         = "Client"
	FaultMustUnderstand = "MustUnderstand"
)

// FaultReply returns the HTTP answer for an error of ReadPackage or Parse that came without a message: status 400 and a Client
// fault. If the error has a MustUnderstandError in its chain the answer is status 500 and a MustUnderstand fault, which SOAP
// 1.1 §4.2.3 and §6.2 demand even of a message that could be answered in ebXML. The cause is not told.
func FaultReply(err error) Reply {
	var must *MustUnderstandError
	if errors.As(err, &must) {
		return faultReply(http.StatusInternalServerError, FaultMustUnderstand, "A header block that must be understood is not.")
	}
	return faultReply(http.StatusBadRequest, FaultClient, AsError(err).Description)
}

func faultReply(status int, code, text string) Reply {
	fault := Fault{Code: code, Text: text}
	return Reply{Status: status, ContentType: envelopeType, Body: fault.Envelope()}
}

// Envelope returns the SOAP envelope with the fault, to be sent as text/xml.
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
func readFault(e *element) *Fault {
	var fault Fault
	for _, child := range e.children {
		text, err := child.ownText()
		if err != nil {
			continue
		}
		switch child.local {
		case "faultcode":
			_, local, qualified := strings.Cut(text, ":")
			if fault.Code = clip(local); !qualified {
				fault.Code = clip(text)
			}
		case "faultstring":
			fault.Text = clip(text)
		}
	}
	return &fault
}

// clip shortens a text to maxText bytes. A Fault is all that the partner says, so it is not refused for its length.
func clip(text string) string { return strings.ToValidUTF8(text[:min(len(text), maxText)], "") }
