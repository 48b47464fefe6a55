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
	form, ok := forms.ByCode(a.Certificate.Form)
	if !ok {
		return nil, fmt.Errorf("certificate.form: want a known form, found %q", a.Certificate.Form)
	}
	return write("ApplicationResponse", nsAnswer, func(w *writer, root *etree.Element) { w.answer(root, &a, form) })
}

// answer writes the children of the document element in the order of UBL 2.1 ApplicationResponseType.
func (w *writer) answer(root *etree.Element, a *eco.Answer, form eco.Form) {
	w.leaf(root, "cbc:UBLVersionID", string(w.version))
	w.leaf(root, "cbc:CustomizationID", answerCustomization)
	w.leaf(root, "cbc:ProfileID", profile("answer"))
	w.must(root, "cbc:ID", a.ID, "id")
	w.instant(root, a.IssueTime, "issue_time")
	w.leaf(root, "cbc:Note", a.Note)
	w.group(root, "cac:SenderParty", func(e *etree.Element) {
		w.group(e, "cac:PartyName", func(e *etree.Element) { w.must(e, "cbc:Name", a.Authority.Name, "authority.name") })
		w.inCountry(e, a.Authority.Country, "authority.country")
	})
	// The schema requires a receiver. Whom a message goes to is for ebMS to say, so the issuing body stands in.
	w.group(root, "cac:ReceiverParty", func(e *etree.Element) { w.answered(e, &a.Certificate) })
	w.group(root, "cac:DocumentResponse", func(e *etree.Element) {
		w.group(e, "cac:Response", func(e *etree.Element) { w.response(e, a) })
		w.group(e, "cac:DocumentReference", func(e *etree.Element) {
			w.must(e, "cbc:ID", a.Certificate.Reference, "certificate.reference")
			w.leaf(e, "cbc:DocumentTypeCode", form.DocumentType, "listID", listDocumentType)
			w.leaf(e, "cbc:DocumentType", string(form.Code))
			w.group(e, "cac:IssuerParty", func(e *etree.Element) { w.answered(e, &a.Certificate) })
		})
	})
}

// instant writes date and time in UTC, with as many decimals as the instant has.
func (w *writer) instant(parent *etree.Element, t time.Time, field string) {
	if t.IsZero() {
		w.fail(fmt.Errorf("%s: a document needs it, found nothing", field))
		return
	}
	t = t.UTC()
	w.date(parent, "cbc:IssueDate", eco.DateOf(t))
	w.leaf(parent, "cbc:IssueTime", t.Format("15:04:05.999999999Z07:00"))
}

// answered writes who certified the certificate that an answer is about.
func (w *writer) answered(e *etree.Element, c *eco.AnsweredCertificate) {
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

// response writes what is said and why. A reason's code goes without list: the two sides have agreed on one.
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
	for _, reason := range a.Reasons {
		w.group(e, "cac:Status", func(e *etree.Element) {
			w.leaf(e, "cbc:StatusReasonCode", reason.Code)
			w.leaf(e, "cbc:StatusReason", reason.Text)
		})
	}
}
