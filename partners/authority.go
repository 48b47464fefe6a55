package partners

import (
	"crypto/x509"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/ecogate/ecogate/eco"
	"github.com/ecogate/ecogate/signing"
)

// IssuerQuery asks who may have signed a document about a certificate.
type IssuerQuery struct {
	// Country and Body are under whose authority and by whom it was issued; Form is what was issued.
	Country, Body string
	Form          eco.FormCode
	// Office and Signatory are as the document names them; "" where it names none.
	Office, Signatory string
	// Issued is the day for which bodies, offices and signatories must have been authorised; zero for that of the instant asked about.
	Issued eco.Date
}

// within reports whether [from, until) holds the day of issue, or without one the instant at. A day counts if any part of it does.
func (q IssuerQuery) within(from, until, at time.Time) bool {
	if q.Issued.IsZero() {
		return inForce(from, until, at)
	}
	begin, end := q.Issued.Time(), q.Issued.AddDays(1).Time()
	return (from.IsZero() || from.Before(end)) && (until.IsZero() || begin.Before(until))
}

// Authority is who may have signed a document in the name of an issuing body.
type Authority struct {
	// Credentials are those with which it may have been signed. There may be none although the body is authorised.
	Credentials []Credential
	// Doubts are what the body's lists do not say: an office or a signatory that is not on them. They are warnings: lists are late
	// more often than offices are false, so that a person is to decide.
	Doubts []eco.Finding
	// body is the query's; limited are its other credentials, and why they do not count.
	body    string
	limited []limitedCredential
}

type limitedCredential struct {
	x509Cert *x509.Certificate
	why      string
}

// Check asks whether the document may have been signed with that credential. The error wraps ErrCredentialNotAuthorised.
func (a Authority) Check(signer *x509.Certificate) error {
	if slices.ContainsFunc(a.Credentials, func(c Credential) bool { return c.X509Cert.Equal(signer) }) {
		return nil
	}
	why := "it is none of its credentials"
	if i := slices.IndexFunc(a.limited, func(l limitedCredential) bool { return l.x509Cert.Equal(signer) }); i >= 0 {
		why = a.limited[i].why
	}
	return fmt.Errorf("%w to sign for issuing body %q: %q (SHA-256 %s): %s", ErrCredentialNotAuthorised, a.body, signer.Subject, signing.Fingerprint(signer), why)
}

// Authority answers q for a partner, or for partner "" for our own issuing bodies: bodies, forms, offices and signatories as of the day
// of issue, credentials as of the instant at. The errors wrap ErrUnknownPartner, ErrUnknownBody, ErrFormNotAuthorised,
// ErrOutsideAuthorisation or ErrOfficeNotAuthorised.
func (r *Registry) Authority(partner string, q IssuerQuery, at time.Time) (Authority, error) {
	d := r.data.Load()
	issuers := d.self.Issuers
	if partner != "" {
		p, ok := d.partner(partner)
		if !ok {
			return Authority{}, fmt.Errorf("%w: %q", ErrUnknownPartner, partner)
		}
		issuers = p.Issuers
	}
	entries, err := authorised(issuers, q, at)
	if err != nil {
		return Authority{}, fmt.Errorf("issuing body %q of %q, form %q, %s: %w", q.Body, q.Country, q.Form, q.when(at), err)
	}
	entries, a, err := officeOf(issuers, entries, q, at)
	if err != nil {
		return Authority{}, err
	}
	a.Doubts = append(a.Doubts, signatoryDoubts(issuers, entries, q, at)...)
	for _, t := range d.counting(partner, UseDocumentSignature, at) {
		if !slices.Contains(entries, t.entry) {
			continue
		}
		if why := t.limit(q); why != "" {
			a.limited = append(a.limited, limitedCredential{t.X509Cert, why})
			continue
		}
		a.Credentials = append(a.Credentials, t.Credential)
	}
	return a, nil
}

// when names the day of issue, or the instant at without one.
func (q IssuerQuery) when(at time.Time) string {
	if q.Issued.IsZero() {
		return "at " + instant(at)
	}
	return "issued on " + q.Issued.String()
}

// authorised gives the indexes of the entries under which q is authorised. The error names the last hurdle that some entry reached.
func authorised(issuers []Issuer, q IssuerQuery, at time.Time) ([]int, error) {
	var entries []int
	err := ErrUnknownBody
	for i, issuer := range issuers {
		switch {
		case issuer.Country != q.Country || issuer.ID != q.Body:
		case !slices.Contains(issuer.Forms, q.Form):
			if err == ErrUnknownBody {
				err = ErrFormNotAuthorised
			}
		case !q.within(issuer.From, issuer.Until, at):
			err = ErrOutsideAuthorisation
		default:
			entries = append(entries, i)
		}
	}
	if entries == nil {
		return nil, err
	}
	return entries, nil
}

// officeOf leaves the entries that have the office of q, or no list of offices. Where none has it, all of them count, and there is a
// doubt; where one has it for other times only, the error wraps ErrOfficeNotAuthorised.
func officeOf(issuers []Issuer, entries []int, q IssuerQuery, at time.Time) ([]int, Authority, error) {
	a := Authority{body: q.Body}
	var fit []int
	var closed *Office
	for _, i := range entries {
		known := slices.ContainsFunc(issuers[i].Offices, func(o Office) bool {
			if o.ID == q.Office && !q.within(o.From, o.Until, at) {
				closed = &o
			}
			return o.ID == q.Office && q.within(o.From, o.Until, at)
		})
		if known || len(issuers[i].Offices) == 0 {
			fit = append(fit, i)
		}
	}
	switch {
	case fit != nil:
		return fit, a, nil
	case closed != nil:
		return nil, a, fmt.Errorf("%w: office %q of issuing body %q, %s: it may %s", ErrOfficeNotAuthorised, q.Office, q.Body, q.when(at), windowText(closed.From, closed.Until))
	}
	text := fmt.Sprintf("office %q is not on the list of issuing body %q", q.Office, q.Body)
	if q.Office == "" {
		text = fmt.Sprintf("the certificate names no office, and issuing body %q has a list of them", q.Body)
	}
	a.Doubts = []eco.Finding{{
		Code: eco.CodeIssuingBody, Severity: eco.SeverityWarning, Path: "issuing_body.office", Text: text,
		Fix: "ask the partner; import its new list of issuers, or release the certificate",
	}}
	return entries, a, nil
}

// windowText writes a window for people.
func windowText(from, until time.Time) string {
	var words []string
	if !from.IsZero() {
		words = append(words, "from "+instant(from))
	}
	if !until.IsZero() {
		words = append(words, "until "+instant(until))
	}
	return strings.Join(words, " ")
}

// signatoryDoubts looks for who signed on the lists of the entries; one without a list does not say.
func signatoryDoubts(issuers []Issuer, entries []int, q IssuerQuery, at time.Time) []eco.Finding {
	text := "is not on the list"
	for _, i := range entries {
		if len(issuers[i].Signatories) == 0 {
			return nil
		}
		for _, s := range issuers[i].Signatories {
			switch {
			case plainName(s.Name) != plainName(q.Signatory):
			case q.Office != "" && len(s.Offices) > 0 && !slices.Contains(s.Offices, q.Office):
				text = fmt.Sprintf("does not sign for office %q", q.Office)
			case !q.within(s.From, s.Until, at):
				text = "signs at other times: " + windowText(s.From, s.Until)
			default:
				return nil
			}
		}
	}
	return []eco.Finding{{
		Code: eco.ReasonSigner, Severity: eco.SeverityWarning, Path: "certification.officer",
		Text: fmt.Sprintf("signatory %q of issuing body %q %s", q.Signatory, q.Body, text),
		Fix:  "ask the partner; import its new list of issuers, or release the certificate",
	}}
}

// plainName is a person's name in one spelling.
func plainName(name string) string { return strings.ToUpper(strings.Join(strings.Fields(name), " ")) }

// limit says why t may not sign for q, "" if it may. A document that names no office is held to none.
func (t *trusted) limit(q IssuerQuery) string {
	switch {
	case len(t.forms) > 0 && !slices.Contains(t.forms, q.Form):
		return fmt.Sprintf("it may not sign form %s, only %s", q.Form, t.forms)
	case q.Office != "" && len(t.offices) > 0 && !slices.Contains(t.offices, q.Office):
		return fmt.Sprintf("it may not sign for office %q, only for %q", q.Office, t.offices)
	}
	return ""
}

// offices holds the lists of an issuing body to each other.
func (k *checker) offices(at string, issuer Issuer) {
	seen := map[string]bool{}
	for i, office := range issuer.Offices {
		at := item(at+".offices", i)
		switch {
		case office.ID == "" || strings.TrimSpace(office.ID) != office.ID:
			k.add(at+".id", "is required, without space around it; found %q", office.ID)
		case seen[office.ID]:
			k.add(at+".id", "office %q stands here twice; merge the two", office.ID)
		}
		seen[office.ID] = true
		k.window(at+".until", office.From, office.Until)
	}
	for i, signatory := range issuer.Signatories {
		at := item(at+".signatories", i)
		if plainName(signatory.Name) == "" {
			k.add(at+".name", "is required")
		}
		k.knownOffices(at+".offices", signatory.Offices, issuer)
		k.window(at+".until", signatory.From, signatory.Until)
	}
}

// limited holds what a credential may sign for to what its issuing body may issue; for other uses that is nothing.
func (k *checker) limited(at string, c CredentialConfig, issuer Issuer) {
	k.knownOffices(at+".offices", c.Offices, issuer)
	for _, form := range c.Forms {
		if !slices.Contains(issuer.Forms, form) {
			k.add(at+".forms", "%q is not among the forms of an issuing body that this credential signs for", form)
		}
	}
}

func (k *checker) knownOffices(key string, offices []string, issuer Issuer) {
	for _, id := range offices {
		if !slices.ContainsFunc(issuer.Offices, func(o Office) bool { return o.ID == id }) {
			k.add(key, "%q is not among the offices of an issuing body that this is about", id)
		}
	}
}
