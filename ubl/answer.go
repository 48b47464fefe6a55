package ubl

import (
	"fmt"
	"reflect"
	"time"

	"github.com/beevik/etree"

	"github.com/ecogate/ecogate/eco"
)

// Response codes (UNCL 4343: AB message acknowledgement, AP accepted, RE rejected). The customs outcome is not among them:
// it has codes of another list (UNCL 1373) and its place in Status/ConditionCode, which answers leave free.
var responseCodes = []struct {
	kind eco.AnswerKind
	code string
}{
	{eco.AnswerReceived, "AB"},
	{eco.AnswerAccepted, "AP"},
	{eco.AnswerRejected, "RE"},
}

// MarshalAnswer writes a, about a certificate of one of forms, as UBL ApplicationResponse, in the subset of UBL 2.1 that every later 2.x contains: UTF-8, an
// element a line. Equal answers give equal octets. The document is not signed and has no place for a signature: the
// signature of the ebMS message that carries it covers it.
//
// MarshalAnswer loses nothing: UnmarshalAnswer reads from its result an answer equal to a (instants being equal in any
// zone, nil and empty lists too), or MarshalAnswer returns an error that names the field that a document cannot carry. It
// does not apply the rules of eco.ValidateAnswer; an answer without errors of those can always be written.
func MarshalAnswer(a eco.Answer, forms eco.Forms) ([]byte, error) {
	doc, err := marshalAnswer(a, forms)
	if err != nil {
		return nil, fmt.Errorf("marshal answer %q: %w", a.ID, err)
	}
	back, _, err := UnmarshalAnswer(doc, forms)
	if err != nil {
		return nil, fmt.Errorf("marshal answer %q: reading it back: %w", a.ID, err)
	}
	if field := difference("", reflect.ValueOf(a), reflect.ValueOf(back)); field != "" {
		return nil, fmt.Errorf("marshal answer %q: %s: a document cannot carry this value", a.ID, field)
	}
	return doc, nil
}

func marshalAnswer(a eco.Answer, forms eco.Forms) ([]byte, error) {
	return write("ApplicationResponse", nsAnswer, func(w *writer, root *etree.Element) {
		w.forms = forms
		w.answer(root, &a)
	})
}

// answer writes the children of the document element in the order of UBL 2.1 ApplicationResponseType.
func (w *writer) answer(root *etree.Element, a *eco.Answer) {
	w.leaf(root, "cbc:UBLVersionID", string(w.version))
	w.leaf(root, "cbc:CustomizationID", answerCustomization)
	w.leaf(root, "cbc:ProfileID", profile("answer"))
	w.must(root, "cbc:ID", a.ID, "id")
	w.instant(root, a.IssueTime, "issue_time")
	w.leaf(root, "cbc:Note", a.Note)
	w.authority(root, "cac:SenderParty", &a.Authority, "authority")
	// The schema requires a receiver. Whom a message goes to is for ebMS to say, so the issuing body stands in.
	w.group(root, "cac:ReceiverParty", func(e *etree.Element) { w.answered(e, &a.Certificate) })
	w.group(root, "cac:DocumentResponse", func(e *etree.Element) {
		w.group(e, "cac:Response", func(e *etree.Element) { w.response(e, a) })
		w.certificate(e, "cac:DocumentReference", &a.Certificate)
	})
}

// instant writes when a message was issued.
func (w *writer) instant(parent *etree.Element, t time.Time, field string) {
	if t.IsZero() {
		w.fail(fmt.Errorf("%s: a document needs it, found nothing", field))
		return
	}
	w.dateAndTime(parent, "Issue", t)
}

// dateAndTime writes an instant in UTC, with as many decimals as it has, as cbc:…Date and cbc:…Time.
func (w *writer) dateAndTime(parent *etree.Element, name string, t time.Time) {
	t = t.UTC()
	w.date(parent, "cbc:"+name+"Date", eco.DateOf(t))
	w.leaf(parent, "cbc:"+name+"Time", t.Format("15:04:05.999999999Z07:00"))
}

// authority writes a party that speaks, or is spoken to.
func (w *writer) authority(parent *etree.Element, name string, a *eco.Authority, field string) {
	w.group(parent, name, func(e *etree.Element) {
		w.group(e, "cac:PartyName", func(e *etree.Element) { w.must(e, "cbc:Name", a.Name, field+".name") })
		w.inCountry(e, a.Country, field+".country")
	})
}

// certificate writes which certificate a message is about, and who certified it.
func (w *writer) certificate(parent *etree.Element, name string, c *eco.CertificateID) {
	w.numbered(parent, name, c, func(e *etree.Element) { w.answered(e, c) })
}

// certificateOfSomebody is certificate where who certified it need not be known.
func (w *writer) certificateOfSomebody(parent *etree.Element, name string, c *eco.CertificateID) {
	w.numbered(parent, name, c, func(e *etree.Element) {
		w.group(e, "cac:PartyIdentification", func(e *etree.Element) { w.leaf(e, "cbc:ID", c.IssuingBody, "schemeID", schemeBody) })
		w.inCountry(e, c.IssuingCountry, "certificate.issuing_country")
	})
}

// numbered writes a certificate's number and form; issuer writes who issued it.
func (w *writer) numbered(parent *etree.Element, name string, c *eco.CertificateID, issuer func(e *etree.Element)) {
	form, known := w.forms.ByCode(c.Form)
	if !known {
		w.fail(fmt.Errorf("certificate.form: want a known form, found %q", c.Form))
	}
	w.group(parent, name, func(e *etree.Element) {
		w.must(e, "cbc:ID", c.Reference, "certificate.reference")
		w.leaf(e, "cbc:DocumentTypeCode", form.DocumentType, "listID", listDocumentType)
		w.leaf(e, "cbc:DocumentType", string(form.Code))
		w.group(e, "cac:IssuerParty", issuer)
	})
}

// reasons writes each reason as a Status. Its code goes without list: the two sides have agreed on one.
func (w *writer) reasons(e *etree.Element, reasons []eco.Reason) {
	for _, reason := range reasons {
		w.group(e, "cac:Status", func(e *etree.Element) {
			w.leaf(e, "cbc:StatusReasonCode", reason.Code)
			w.leaf(e, "cbc:StatusReason", reason.Text)
		})
	}
}

// answered writes who certified the certificate that a message is about.
func (w *writer) answered(e *etree.Element, c *eco.CertificateID) {
	w.group(e, "cac:PartyIdentification", func(e *etree.Element) {
		w.must(e, "cbc:ID", c.IssuingBody, "certificate.issuing_body", "schemeID", schemeBody)
	})
	w.inCountry(e, c.IssuingCountry, "certificate.issuing_country")
}

// inCountry writes the address of a party of which only the country is given.
func (w *writer) inCountry(e *etree.Element, code, field string) {
	w.group(e, "cac:PostalAddress", func(e *etree.Element) {
		w.group(e, "cac:Country", func(e *etree.Element) { w.must(e, "cbc:IdentificationCode", code, field) })
	})
}

// response writes what is said and why.
func (w *writer) response(e *etree.Element, a *eco.Answer) {
	code := ""
	for _, entry := range responseCodes {
		if entry.kind == a.Kind {
			code = entry.code
		}
	}
	if code == "" {
		w.fail(fmt.Errorf("kind: want a known kind of answer, found %q", a.Kind))
	}
	w.leaf(e, "cbc:ResponseCode", code, "listID", listResponse)
	w.reasons(e, a.Reasons)
}
