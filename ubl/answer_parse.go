package ubl

import (
	"fmt"
	"strings"
	"time"

	"github.com/ecogate/ecogate/eco"
)

// UnmarshalAnswer reads an answer from the octets of an ApplicationResponse, which are those that the signature of the
// message covers.
//
// It is strict about what is said, when, and of what: the error names the element by its path, what was wanted and what
// was found. It takes one answer about one certificate as a whole, and refuses conditions and verdicts on single items
// rather than read them as less than they say. What partners add or put elsewhere is kept apart as findings with code
// CodeStructure, all of them warnings. Whether the answer says enough is for eco.ValidateAnswer.
func UnmarshalAnswer(doc []byte, forms eco.Forms) (eco.Answer, []eco.Finding, error) {
	root, err := open(doc, nsAnswer, "ApplicationResponse")
	if err != nil {
		return eco.Answer{}, nil, fmt.Errorf("unmarshal answer: %w", err)
	}
	r := newReader(forms)
	r.checkRules(doc, root)
	var a eco.Answer
	r.answer(root, &a)
	if r.err != nil {
		return eco.Answer{}, nil, fmt.Errorf("unmarshal answer: %w", r.err)
	}
	r.unread(root)
	return a, r.findings, nil
}

// answer reads the document element.
func (r *reader) answer(root *node, a *eco.Answer) {
	r.skip(root, "cbc:UBLVersionID", "cbc:CustomizationID", "cbc:ProfileID", "cbc:ProfileExecutionID", "cac:ReceiverParty")
	a.ID = r.token(r.must(root, "cbc:ID"))
	a.IssueTime = r.instant(root)
	a.Note = r.joined(r.all(root, "cbc:Note"))
	sender, decision := r.must(root, "cac:SenderParty"), r.must(root, "cac:DocumentResponse")
	response, certificate := r.must(decision, "cac:Response"), r.must(decision, "cac:DocumentReference")
	if r.err != nil {
		return
	}
	a.Authority = eco.Authority{Name: r.partyName(sender), Country: r.country(r.at(sender, "cac:PostalAddress", "cac:Country"))}
	r.response(response, a)
	a.Certificate = r.answered(certificate)
	if verdicts := r.all(decision, "cac:LineResponse"); len(verdicts) > 0 {
		r.fail(verdicts[0], "an answer about the whole certificate", "one about an item")
	}
}

// instant reads IssueDate and IssueTime (XML Schema Part 2 §3.2.8). Without a zone they would not name an instant.
func (r *reader) instant(root *node) time.Time {
	day := r.date(r.must(root, "cbc:IssueDate"))
	n := r.must(root, "cbc:IssueTime")
	text := r.token(n)
	t, err := time.Parse(time.DateOnly+"T15:04:05Z07:00", day.String()+"T"+text)
	// Package time also takes hours of one digit and a comma before decimals.
	if err != nil || text[2] != ':' || strings.Contains(text, ",") {
		r.fail(n, "a time with its zone, such as 15:04:05Z", fmt.Sprintf("%.40q", text))
	}
	return t.UTC()
}

// response reads what is said and why.
func (r *reader) response(n *node, a *eco.Answer) {
	a.Kind = r.answerKind(r.must(n, "cbc:ResponseCode"))
	statuses := r.all(n, "cac:Status")
	if len(statuses) > eco.MaxReasons {
		r.fail(statuses[eco.MaxReasons], fmt.Sprintf("at most %d reasons", eco.MaxReasons), fmt.Sprint(len(statuses)))
		return
	}
	for _, status := range statuses {
		if condition := r.child(status, "cbc:ConditionCode"); condition != nil {
			r.fail(condition, "an answer without conditions", fmt.Sprintf("%.40q", condition.text))
		}
		a.Reasons = append(a.Reasons, eco.Reason{
			Code: r.token(r.child(status, "cbc:StatusReasonCode")),
			Text: r.joined(r.all(status, "cbc:StatusReason")),
		})
	}
	// Partners say here what we say in the document's Note.
	if descriptions := r.all(n, "cbc:Description"); a.Note == "" && len(descriptions) > 0 {
		a.Note = r.joined(descriptions)
		r.note(descriptions[0], "a note read from here instead of from the document's Note", "")
	} else {
		for _, description := range descriptions {
			description.read = false
		}
	}
}

// answerKind reads the response code. Other codes of the list have other meanings, and so may these in other lists.
func (r *reader) answerKind(n *node) eco.AnswerKind {
	code, list := r.token(n), strings.TrimSpace(n.attribute("listID"))
	if list == "" || strings.HasPrefix(list, listResponse) { // Partners put the name of a subset behind it.
		for _, entry := range responseCodes {
			if entry.code == code {
				return entry.kind
			}
		}
	}
	r.fail(n, "AB, AP or RE of list "+listResponse, fmt.Sprintf("%.40q of list %.40q", code, list))
	return ""
}

// answered reads which certificate the answer is about.
func (r *reader) answered(n *node) eco.AnsweredCertificate {
	body := r.issuer(r.child(n, "cac:IssuerParty"))
	return eco.AnsweredCertificate{
		Reference:      r.token(r.must(n, "cbc:ID")),
		Form:           r.answeredForm(n, body.Address.Country),
		IssuingBody:    body.ID,
		IssuingCountry: body.Address.Country,
	}
}

// answeredForm finds the form by its code or title. The document type, which several forms share, must not contradict.
func (r *reader) answeredForm(n *node, country string) eco.FormCode {
	words := r.token(r.first(n, "cbc:DocumentType"))
	code := r.child(n, "cbc:DocumentTypeCode")
	form, known := r.forms.Named(words, country)
	if !known {
		r.note(n, fmt.Sprintf("the form is not known by type %.60q", words), "agree on the form's code with the sender")
		return ""
	}
	if t := r.token(code); t != "" && t != form.DocumentType {
		r.note(code, fmt.Sprintf("want %s, the type of %s, found %.40q", form.DocumentType, form.Code, t), "ask the sender which form is meant")
	}
	return form.Code
}
