package partners

import (
	"crypto/x509"
	"fmt"
	"slices"
	"time"

	"github.com/ecogate/ecogate/eco"
	"github.com/ecogate/ecogate/signing"
)

// Body is an issuing body with the credentials that sign in its name.
type Body struct {
	Issuer
	Credentials []BodyCredential
}

// BodyCredential is one of them. The zero values of From, Until, Offices and Forms do not restrict.
type BodyCredential struct {
	// Chain begins with the credential itself; what follows may stand between it and an anchor.
	Chain       []*x509.Certificate
	From, Until time.Time
	Offices     []string
	Forms       []eco.FormCode
}

// Bodies lists the issuing bodies of a partner, for "" our own, in the order of the configuration, with all their credentials whether or
// not they count. Our own have the chains of their keys. The error wraps ErrUnknownPartner.
func (r *Registry) Bodies(partner string) ([]Body, error) {
	d := r.data.Load()
	issuers := d.self.Issuers
	if partner != "" {
		p, ok := d.partner(partner)
		if !ok {
			return nil, fmt.Errorf("%w: %q", ErrUnknownPartner, partner)
		}
		issuers = p.Issuers
	}
	bodies := make([]Body, len(issuers))
	for i, issuer := range issuers {
		bodies[i].Issuer = issuer
	}
	for _, t := range d.credentials[partner] {
		if t.entry < 0 {
			continue
		}
		c := BodyCredential{Chain: []*x509.Certificate{t.X509Cert}, Offices: t.offices, Forms: t.forms}
		if key, own := d.keys[signing.Fingerprint(t.X509Cert)]; own && partner == "" {
			c.Chain = key.Chain
		}
		if !t.From.Equal(t.X509Cert.NotBefore) {
			c.From = t.From
		}
		if !t.Until.Equal(t.X509Cert.NotAfter) {
			c.Until = t.Until
		}
		body := &bodies[t.entry]
		body.Credentials = append(body.Credentials, c)
	}
	for i := range bodies {
		slices.SortStableFunc(bodies[i].Credentials, func(a, b BodyCredential) int { return a.Chain[0].NotBefore.Compare(b.Chain[0].NotBefore) })
	}
	return bodies, nil
}
