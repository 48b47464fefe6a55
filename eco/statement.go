package eco

import (
	"fmt"
	"reflect"
	"strings"
	"time"
)

// Statement is what every business message about a certificate says beside its matter: who says it, when, and of which
// certificate. An answer says the same and is older than it.
//
// Values are kept as given. Absent data is the zero value and is left out of the JSON form.
type Statement struct {
	// ID is the speaker's own number of this statement, which it gives to no other.
	ID string `json:"id"`
	// IssueTime is the instant of the statement, in UTC.
	IssueTime time.Time `json:"issue_time"`
	// Certificate is what it is said of.
	Certificate CertificateID `json:"certificate"`
	// Authority is who says it.
	Authority Authority `json:"authority"`
	// Note is for people to read; several lines. Programs draw no conclusion from it.
	Note string `json:"note,omitempty"`
}

// bodyRule says whether a message must name the issuing body of the certificate that it is about; who asks for a
// certificate by its number may not know it.
type bodyRule bool

const (
	bodyRequired bodyRule = true
	bodyOptional bodyRule = false
)

// checkStatement looks at who speaks of which certificate, when; bodyOptional leaves the issuing body open.
func (v *validation) checkStatement(s *Statement, body bodyRule, forms Forms) {
	v.checkStated("id", s.ID)
	v.checkCertificateID(s.Certificate, body, forms)
	v.checkAuthority("authority", s.Authority)
	v.checkIssueTime(s.IssueTime)
}

// checkAllTexts looks at the characters of every value of a message, which is a struct.
func (v *validation) checkAllTexts(message any) {
	walkTexts(reflect.ValueOf(message), "", "", func(path, name, text string) { v.checkText(path, name, text) })
}

// checkStated finds a value that is missing.
func (v *validation) checkStated(path, value string) {
	if value == "" { // White space alone is found with the characters.
		v.require(CodeText, path)
	}
}

func (v *validation) require(code, path string) {
	v.fail(code, path, path+" is required and missing", "state it")
}

// checkCertificateID asks for everything that tells one certificate from all others.
func (v *validation) checkCertificateID(c CertificateID, body bodyRule, forms Forms) {
	required := []struct{ code, path, value string }{
		{CodeCountries, "certificate.issuing_country", c.IssuingCountry},
		{CodeReferenceFormat, "certificate.reference", c.Reference},
		{CodeIssuingBody, "certificate.issuing_body", c.IssuingBody},
	}
	for _, r := range required {
		if r.value == "" && (body == bodyRequired || r.code != CodeIssuingBody) {
			v.require(r.code, r.path)
		}
	}
	if filled(c.Reference) && NormaliseReference(c.Reference) == "" {
		v.fail(CodeReferenceFormat, "certificate.reference", fmt.Sprintf("want letters or digits, found %q", c.Reference), "give the number as printed")
	}
	if _, known := forms.ByCode(c.Form); !known {
		v.fail(CodeForm, "certificate.form", fmt.Sprintf("want one of %s, found %q", forms.Codes(), c.Form), "name the form by its code")
	}
	v.checkCountry("certificate.issuing_country", c.IssuingCountry)
}

// checkAuthority asks for name and country of who speaks.
func (v *validation) checkAuthority(path string, a Authority) {
	v.checkStated(path+".name", a.Name)
	if a.Country == "" {
		v.require(CodeCountries, path+".country")
	}
	v.checkCountry(path+".country", a.Country)
}

// checkReasonList finds reasons that say nothing, and too many.
func (v *validation) checkReasonList(path string, reasons []Reason) {
	if n := len(reasons); n > MaxReasons {
		v.fail(CodeText, path, fmt.Sprintf("want at most %d reasons, found %d", MaxReasons, n), "give the gravest")
	}
	for i, reason := range reasons {
		at := fmt.Sprintf("%s[%d]", path, i)
		switch {
		case reason.Code == "":
			v.fail(CodeText, at+".code", "a reason without a code", "use a code that was agreed with the other side")
		case reason.Code == ReasonOther && reason.Text == "":
			v.fail(CodeText, at+".text", "reason "+ReasonOther+" says nothing without words", "say which other reason it is")
			continue
		}
		if reason.Text == "" {
			v.warn(CodeText, at+".text", "a reason without words", "say it to people too")
		}
	}
}

// list names words for people: "received, accepted, rejected".
func list[T ~string](words []T) string {
	text := make([]string, len(words))
	for i, word := range words {
		text[i] = string(word)
	}
	return strings.Join(text, ", ")
}
