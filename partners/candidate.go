package partners

import (
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/ecogate/ecogate/signing"
)

// Candidate is a credential that is to become one of a partner's.
type Candidate struct {
	CredentialConfig
	Partner string
	// Use is the only one that is looked at. Body is the issuing body for UseDocumentSignature, and "" otherwise.
	Use  Use
	Body string
}

// Examination is what stands against a candidate.
type Examination struct {
	// Credential is what the candidate would be. Its X509Cert is nil if the file could not be read.
	Credential Credential
	// Refused are the reasons for which it cannot be taken; none means that it can. Warnings are what an operator should know before.
	Refused, Warnings []string
}

// Examine says whether a candidate can be added to c, and what an operator should know before, at the instant at. It changes
// nothing. What can be taken is judged as the configuration is when it is loaded: the file, key and key usage, the chain to the partner's
// anchors, policies and names, and that no other party has the key. The error wraps ErrUnknownPartner or ErrUnknownBody, or is that of
// New where c itself is at fault.
func (c Config) Examine(candidate Candidate, at time.Time) (Examination, error) {
	before, err := New(c)
	if err != nil {
		return Examination{}, err
	}
	return c.examine(before, candidate, at)
}

// examine is Examine with what c is before.
func (c Config) examine(before *Registry, candidate Candidate, at time.Time) (Examination, error) {
	with, err := c.with(candidate)
	if err != nil {
		return Examination{}, err
	}
	var e Examination
	if e.Credential, err = read(candidate); err != nil {
		e.Refused = append(e.Refused, err.Error())
		return e, nil
	}
	after, err := New(with)
	if wrong := (*ConfigError)(nil); errors.As(err, &wrong) {
		for _, p := range wrong.Problems { // the candidate's, since c has none
			e.Refused = append(e.Refused, p.Text)
		}
	} else if err != nil {
		return Examination{}, err
	}
	if digest := weakDigest(e.Credential.X509Cert.SignatureAlgorithm); digest != "" {
		e.Refused = append(e.Refused, fmt.Sprintf("%s (%q) is signed with %s, which can be forged", candidate.source().name(), e.Credential.X509Cert.Subject, digest))
	}
	if len(e.Refused) > 0 {
		return e, nil
	}
	for _, h := range after.Inventory(at) {
		if h.isFor(candidate) && h.X509Cert.Equal(e.Credential.X509Cert) {
			e.Credential = h.Credential
		}
	}
	held := before.Inventory(at)
	for _, h := range held {
		if h.Partner == candidate.Partner && !h.Distrusted.IsZero() && sameKey(h.X509Cert, e.Credential.X509Cert) {
			e.Refused = append(e.Refused, fmt.Sprintf("it has the key of %q (SHA-256 %s), which is distrusted since %s", h.X509Cert.Subject, signing.Fingerprint(h.X509Cert), instant(h.Distrusted)))
			return e, nil
		}
	}
	e.compare(held, candidate, at)
	e.checkUsage(candidate.Use)
	for _, a := range c.Agreements {
		if a.Partner == candidate.Partner && !a.End.IsZero() && a.End.Before(e.Credential.Until) {
			e.warn("agreement %q ends %s, before the credential", a.CPAID, instant(a.End))
		}
	}
	return e, nil
}

// with is c with the candidate in it.
func (c Config) with(candidate Candidate) (Config, error) {
	i := slices.IndexFunc(c.Partners, func(p PartnerConfig) bool { return p.ID == candidate.Partner })
	if i < 0 {
		return c, fmt.Errorf("%w: %q", ErrUnknownPartner, candidate.Partner)
	}
	c.Partners = slices.Clone(c.Partners)
	p := &c.Partners[i]
	if err := p.place(candidate.Body, candidate.CredentialConfig.with([]Use{candidate.Use}, candidate.life())); err != nil {
		return c, err
	}
	return c, nil
}

// read is the candidate's end credential.
func read(candidate Candidate) (Credential, error) {
	leaf, err := candidate.x509Cert()
	if err != nil {
		return Credential{}, err
	}
	return Credential{
		X509Cert: leaf, Use: candidate.Use, Partner: candidate.Partner, Issuer: candidate.Body, From: leaf.NotBefore.UTC(), Until: leaf.NotAfter.UTC(),
	}, nil
}

func (h Held) isFor(candidate Candidate) bool {
	return h.Partner == candidate.Partner && h.Use == candidate.Use && h.Issuer == candidate.Body
}

func (e *Examination) warn(format string, args ...any) {
	e.Warnings = append(e.Warnings, fmt.Sprintf(format, args...))
}

// compare looks at the candidate beside those that are there for the same use.
func (e *Examination) compare(held []Held, candidate Candidate, at time.Time) {
	own := e.Credential
	if !own.Until.After(at) {
		e.warn("it has ended: %s", instant(own.Until))
	}
	var last time.Time // the end of what is there
	for _, h := range held {
		if !h.isFor(candidate) || h.State == StateRetired || h.State == StateRevoked {
			continue
		}
		if h.X509Cert.Equal(own.X509Cert) {
			e.warn("it is there already, %s until %s", h.State, instant(h.Until))
			continue
		}
		if sameKey(h.X509Cert, own.X509Cert) {
			e.warn("it has the key of %q (SHA-256 %s): whoever has that key has this one", h.X509Cert.Subject, signing.Fingerprint(h.X509Cert))
		}
		if h.Until.After(last) {
			last = h.Until
		}
	}
	switch {
	case last.IsZero():
	case own.From.After(last):
		e.warn("nothing counts from %s, when the last of those that are there ends, until %s, when it begins", instant(last), instant(own.From))
	case own.Until.Before(last):
		e.warn("it ends %s, before those that are there: %s", instant(own.Until), instant(last))
	}
}

// checkUsage looks at the extended key usage, which other products judge and we do not.
func (e *Examination) checkUsage(use Use) {
	x509Cert := e.Credential.X509Cert
	if len(x509Cert.ExtKeyUsage)+len(x509Cert.UnknownExtKeyUsage) == 0 || slices.Contains(x509Cert.ExtKeyUsage, x509.ExtKeyUsageAny) {
		return
	}
	switch {
	case use == UseTLSServer && !slices.Contains(x509Cert.ExtKeyUsage, x509.ExtKeyUsageServerAuth):
		e.warn("its extended key usage does not have serverAuth")
	case use == UseTLSClient && !slices.Contains(x509Cert.ExtKeyUsage, x509.ExtKeyUsageClientAuth):
		e.warn("its extended key usage does not have clientAuth")
	}
}

// weakDigest names the digest of a signature algorithm that can be forged; "" for the others.
func weakDigest(a x509.SignatureAlgorithm) string {
	switch a {
	case x509.MD2WithRSA, x509.MD5WithRSA:
		return "MD5"
	case x509.SHA1WithRSA, x509.DSAWithSHA1, x509.ECDSAWithSHA1:
		return "SHA-1"
	}
	return ""
}
