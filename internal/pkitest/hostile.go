package pkitest

import (
	"crypto/x509"
	"time"
)

// Expired issues r so that it ended one second before at.
func (p *PKI) Expired(r Request, at time.Time) (*Credential, error) {
	r.NotBefore, r.NotAfter = at.AddDate(-1, 0, 0), at.Add(-time.Second)
	return p.Issue(r)
}

// NotYetValid issues r so that it begins one second after at.
func (p *PKI) NotYetValid(r Request, at time.Time) (*Credential, error) {
	r.NotBefore, r.NotAfter = at.Add(time.Second), at.AddDate(1, 0, 0)
	return p.Issue(r)
}

// WeakKey issues r for an RSA key of 1024 bits.
func (p *PKI) WeakKey(r Request) (*Credential, error) {
	r.Algorithm, r.Key = RSA1024, nil
	return p.Issue(r)
}

// Impostor makes a PKI with the same names and other keys: what someone builds who has only read the real one's credentials.
func (p *PKI) Impostor() (*PKI, error) { return New(p.options) }

// WithKeyOf returns c with the key of other, which its X.509 certificate does not belong to.
func (c *Credential) WithKeyOf(other *Credential) *Credential {
	return &Credential{X509Cert: c.X509Cert, Key: other.Key, Chain: c.Chain}
}

// SelfSigned makes a credential that stands alone, as partners without a PKI send it.
func (p *PKI) SelfSigned(r Request) (*Credential, error) {
	key, err := p.options.Keys(r.Algorithm)
	if err != nil {
		return nil, err
	}
	template := p.template(r.Name, orDate(r.NotBefore, 2025), orDate(r.NotAfter, 2035))
	template.KeyUsage = x509.KeyUsageDigitalSignature
	return sign(template, key, nil)
}
