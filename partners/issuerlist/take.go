package issuerlist

import (
	"crypto/x509"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/ecogate/ecogate/eco"
	"github.com/ecogate/ecogate/partners"
	"github.com/ecogate/ecogate/signing"
)

// clockSkew is how far the clocks of two administrations may differ.
const clockSkew = time.Hour

// Follows says whether the list may take the place of what is known of partner p, at the instant now, and what an operator should know
// about it all the same. The list that was taken last may be taken again. The error wraps ErrParty, ErrOld or ErrNotYet.
func (s Signed) Follows(p partners.Partner, now time.Time) (warnings []string, err error) {
	for _, id := range s.Party {
		if !slices.Contains(p.PartyIDs, id) {
			return nil, fmt.Errorf("%w: %q of type %q is no party id of partner %q", ErrParty, id.Value, id.Type, p.ID)
		}
	}
	last := p.IssuerList
	switch {
	case s.Number < last.Number:
		return nil, fmt.Errorf("%w: this one has number %d, the last one %d", ErrOld, s.Number, last.Number)
	case s.Number == last.Number && s.SHA256 != last.SHA256:
		return nil, fmt.Errorf("%w: number %d, and it said something else", ErrOld, s.Number)
	case s.Issued.Before(last.Issued):
		return nil, fmt.Errorf("%w: this one was issued %s, the last one %s", ErrOld, instant(s.Issued), instant(last.Issued))
	case now.Add(clockSkew).Before(s.Issued):
		return nil, fmt.Errorf("%w: it was issued %s, and it is %s", ErrNotYet, instant(s.Issued), instant(now))
	case now.Before(s.ValidFrom):
		return nil, fmt.Errorf("%w: it holds from %s; take it then", ErrNotYet, instant(s.ValidFrom))
	}
	if s.Number == last.Number {
		warnings = append(warnings, fmt.Sprintf("list %d was taken already", s.Number))
	}
	if next := s.NextUpdate; !next.IsZero() && !now.Before(next) {
		warnings = append(warnings, fmt.Sprintf("the next list was due %s; ask the partner for it", instant(next)))
	}
	if len(s.Bodies) == 0 {
		warnings = append(warnings, "nobody is on the list: no certificate of this partner will be taken")
	}
	return warnings, nil
}

// Report is what is known of a signed list and of what taking it changes.
type Report struct {
	Partner string `json:"partner"`
	// Administration is its name, for people.
	Administration string    `json:"administration,omitempty"`
	Number         int       `json:"number"`
	Issued         time.Time `json:"issued"`
	ValidFrom      time.Time `json:"valid_from"`
	NextUpdate     time.Time `json:"next_update,omitzero"`
	// Signer is the subject of the credential that signed it, SignerSHA256 its fingerprint; SHA256 is the digest of what it signed.
	Signer       string `json:"signer"`
	SignerSHA256 string `json:"signer_sha256"`
	Algorithm    string `json:"algorithm"`
	SHA256       string `json:"sha256"`
	// Differences are those to what is known now; Warnings are what an operator should know.
	Differences []Difference `json:"differences"`
	Warnings    []string     `json:"warnings"`
}

// Examine says whether a partner's list can be taken at the instant now, and what that changes. It changes nothing. The list must be signed
// by a credential of the partner that counts for partners.UseIssuerList. Errors are those of Read and Signed.Follows, or wrap
// partners.ErrUnknownPartner.
func Examine(r *partners.Registry, partner string, file []byte, now time.Time) (Signed, Report, error) {
	p, ok := r.Partner(partner)
	if !ok {
		return Signed{}, Report{}, fmt.Errorf("%w: %q", partners.ErrUnknownPartner, partner)
	}
	var candidates []*x509.Certificate
	for _, c := range r.Credentials(partner, partners.UseIssuerList, now) {
		candidates = append(candidates, c.X509Cert)
	}
	if candidates == nil {
		return Signed{}, Report{}, fmt.Errorf("%w: partner %q has no credential with use %s that counts", ErrSignature, partner, partners.UseIssuerList)
	}
	s, err := Read(file, candidates, signing.Policy{})
	if err != nil {
		return s, Report{}, err
	}
	warnings, err := s.Follows(p, now)
	if err != nil {
		return s, Report{}, err
	}
	known, left := s.known(r.Forms())
	before, err := r.Bodies(partner)
	if err != nil {
		return s, Report{}, err
	}
	report := Report{
		Partner: partner, Administration: s.Name, Number: s.Number, Issued: s.Issued, ValidFrom: s.ValidFrom, NextUpdate: s.NextUpdate,
		Signer: s.Signer.Subject.String(), SignerSHA256: signing.Fingerprint(s.Signer), Algorithm: s.Algorithm, SHA256: s.SHA256,
		Differences: append([]Difference{}, Compare(before, known)...), Warnings: append([]string{}, append(warnings, left...)...),
	}
	return s, report, nil
}

// known are the bodies as far as this program knows their forms, and what was left out.
func (l List) known(forms eco.Forms) (bodies []partners.Body, left []string) {
	is := func(form eco.FormCode) bool { _, ok := forms.ByCode(form); return ok }
	unknown := map[eco.FormCode]bool{}
	cut := func(list []eco.FormCode) (kept []eco.FormCode) {
		for _, form := range list {
			if is(form) {
				kept = append(kept, form)
			} else {
				unknown[form] = true
			}
		}
		return kept
	}
	for _, b := range l.Bodies {
		if b.Forms = cut(b.Forms); b.Forms == nil {
			continue
		}
		var credentials []partners.BodyCredential
		for _, c := range b.Credentials {
			limited := c.Forms != nil
			if c.Forms = cut(c.Forms); limited && c.Forms == nil {
				continue
			}
			credentials = append(credentials, c)
		}
		b.Credentials = credentials
		bodies = append(bodies, b)
	}
	for _, form := range slices.Sorted(maps.Keys(unknown)) {
		left = append(left, fmt.Sprintf("form %q is not known to this program and is left out", form))
	}
	return bodies, left
}
