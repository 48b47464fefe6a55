package eco

import (
	"fmt"
	"reflect"
	"slices"
	"time"
)

// MaxReasons is how many reasons one answer may give. Who has more to say names the gravest; a person reads them all.
const MaxReasons = 100

// Answer is what the importing side says of one certificate that it received: a business signal, minutes after the
// messaging service acknowledged the message. It tells nothing of the customs outcome (used, used in part, denied), which
// comes days later and is another thing to say.
//
// Values are kept as given. Absent data is the zero value and is left out of the JSON form.
type Answer struct {
	// ID is the answering side's own number of this answer, which it gives to no other.
	ID string `json:"id"`
	// IssueTime is the instant of the answer, in UTC.
	IssueTime time.Time `json:"issue_time"`
	// Kind is what is said.
	Kind AnswerKind `json:"kind"`
	// Certificate is what it is said of.
	Certificate CertificateID `json:"certificate"`
	// Authority is who says it.
	Authority Authority `json:"authority"`
	// Reasons say why a certificate is rejected, the gravest first. Only a rejection has them.
	Reasons []Reason `json:"reasons,omitempty"`
	// Note is for people to read; several lines. Programs draw no conclusion from it.
	Note string `json:"note,omitempty"`
}

// AnswerKind is what an answer says.
type AnswerKind string

// The kinds of answers. An accepted or rejected one decides and may follow a received one; which of several answers holds
// is for the life cycle to say.
const (
	AnswerReceived AnswerKind = "received" // here and its signatures verified; not yet decided
	AnswerAccepted AnswerKind = "accepted" // may be used on import declarations
	AnswerRejected AnswerKind = "rejected" // may not be used, for the reasons given
)

// answerKinds are all of them.
var answerKinds = []AnswerKind{AnswerReceived, AnswerAccepted, AnswerRejected}

// CertificateID identifies the certificate that a business message is about, in the words of that certificate.
type CertificateID struct {
	// IssuingCountry is Certificate.IssuingCountry.
	IssuingCountry string `json:"issuing_country"`
	// Form is Certificate.Form.
	Form FormCode `json:"form"`
	// Reference is Certificate.Reference: the number as printed.
	Reference string `json:"reference"`
	// IssuingBody is the ID of Certificate.IssuingBody.
	IssuingBody string `json:"issuing_body"`
}

// Authority is who speaks: an administration, or an issuing body.
type Authority struct {
	Name    string `json:"name"`
	Country string `json:"country"` // ISO 3166-1 alpha-2
}

// Reason is one reason of a refusal or a doubt.
type Reason struct {
	// Code is of the list that the two sides agreed on: the codes of findings, such as CodeHS, unless they agreed on others.
	Code string `json:"code"`
	// Text says it to people; several lines.
	Text string `json:"text,omitempty"`
}

// ValidateAnswer checks a by itself, without the certificate that it is about but for its form, one of forms, and returns what it finds, always in the
// same order; nil when there is nothing. An answer with an error says too little, or two things at once, to act upon.
//
// The work is linear in the size of the answer.
func ValidateAnswer(a Answer, forms Forms) []Finding {
	v := &validation{codes: forms.codes} // Of no certificate and no form: its tools serve here too.
	v.checkAnswered(a, forms)
	v.checkIssueTime(a.IssueTime)
	v.checkReasons(a)
	walkTexts(reflect.ValueOf(a), "", "", func(path, name, text string) { v.checkText(path, name, text) })
	return v.findings
}

// checkAnswered looks at who says what of which certificate.
func (v *validation) checkAnswered(a Answer, forms Forms) {
	v.checkStated("id", a.ID)
	v.checkCertificateID(a.Certificate, bodyRequired, forms)
	v.checkAuthority("authority", a.Authority)
	if !slices.Contains(answerKinds, a.Kind) {
		v.fail(CodeText, "kind", fmt.Sprintf("want one of %s, found %q", list(answerKinds), a.Kind), "say one of these")
	}
}

// checkIssueTime finds an instant that is missing or that documents cannot hold.
func (v *validation) checkIssueTime(t time.Time) {
	if t.IsZero() {
		v.fail(CodeDates, "issue_time", "issue_time is required and missing", "state the instant of the answer")
		return
	}
	v.checkInstant("issue_time", t)
}

// checkInstant finds an instant that documents cannot hold.
func (v *validation) checkInstant(path string, t time.Time) {
	if year := t.UTC().Year(); year < 1 || year > 9999 {
		v.fail(CodeDates, path, fmt.Sprintf("want a year from 1 to 9999, found %d", year), "check the clock")
	}
}

// checkReasons finds a rejection without reasons, and reasons for anything else.
func (v *validation) checkReasons(a Answer) {
	switch n := len(a.Reasons); {
	case a.Kind == AnswerRejected && n == 0:
		v.fail(CodeText, "reasons", "want at least one reason for a rejection, found none", "say why")
	case a.Kind != AnswerRejected && n > 0:
		v.fail(CodeText, "reasons", fmt.Sprintf("want reasons only for a rejection, found %d for %q", n, a.Kind), "reject it, or say it in the note")
	}
	v.checkReasonList("reasons", a.Reasons)
}
