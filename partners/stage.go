package partners

import (
	"bytes"
	"cmp"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"slices"
	"time"

	"github.com/ecogate/ecogate/signing"
)

// Staging is a credential that a partner has sent, for one or more uses.
type Staging struct {
	// Credential has File or PEM, and Uses, which for an issuing body's is left empty. Activate is ActivateByHand, which is the default, or
	// ActivateAtFirstUse; From and Until narrow its validity.
	Credential CredentialConfig
	// Body is the issuing body that signs documents with it; "" for the other uses.
	Body string
}

// Stage adds a credential, which counts for nothing until it is activated. Whether it can be taken is for Config.ExamineStaging to say. The
// error wraps ErrUnknownBody, or ErrNotNow if the credential is there already and has not retired.
func (p *PartnerConfig) Stage(s Staging, now time.Time) error {
	c := s.Credential
	c.Activate = cmp.Or(c.Activate, ActivateByHand)
	x509Cert, err := c.x509Cert()
	if err != nil {
		return err
	}
	fingerprint := signing.Fingerprint(x509Cert)
	err = p.rotated().edit(func(list []entry) ([]entry, error) {
		for _, e := range list {
			sameUse := slices.ContainsFunc(e.uses(), func(use Use) bool { return slices.Contains(c.Uses, use) })
			if e.has(fingerprint) && e.body == s.Body && (s.Body != "" || sameUse) && !e.isOver(now) {
				return nil, notNow("%s is there already", e)
			}
		}
		return list, nil
	})
	if err != nil {
		return err
	}
	return p.place(s.Body, c)
}

// Stage adds a key of the node, for an issuing body or, for body "", for its own uses; it signs nothing until it is activated. The error wraps
// ErrNotNow if the key is there already and has not retired, or its credential has ended.
func (k *NodeKeys) Stage(body string, key KeyConfig, now time.Time) error {
	key.Activate = ActivateByHand
	x509Cert, err := key.x509Cert()
	if err != nil {
		return err
	}
	if !now.Before(x509Cert.NotAfter) {
		return notNow("%q has ended: it was valid until %s", x509Cert.Subject, instant(x509Cert.NotAfter))
	}
	fingerprint := signing.Fingerprint(x509Cert)
	err = k.rotated().edit(func(list []entry) ([]entry, error) {
		for _, e := range list {
			if e.has(fingerprint) && e.body == body && !e.isOver(now) {
				return nil, notNow("%s is there already", e)
			}
		}
		return list, nil
	})
	if err != nil {
		return err
	}
	if body == "" {
		k.Keys = append(slices.Clone(k.Keys), key)
		return nil
	}
	key.Uses = nil
	i := slices.IndexFunc(k.Issuers, func(issuer IssuerKeys) bool { return issuer.ID == body })
	if i < 0 {
		i, k.Issuers = len(k.Issuers), append(k.Issuers, IssuerKeys{ID: body})
	}
	k.Issuers[i].Keys = append(slices.Clone(k.Issuers[i].Keys), key)
	return nil
}

// place adds a credential, as it stands, to those of an issuing body or, for body "", to the others.
func (p *PartnerConfig) place(body string, c CredentialConfig) error {
	if body == "" {
		p.Credentials = append(slices.Clone(p.Credentials), c)
		return nil
	}
	c.Uses = nil
	found := false
	p.Issuers = slices.Clone(p.Issuers)
	for i := range p.Issuers { // a body may have several entries
		if issuer := &p.Issuers[i]; issuer.ID == body {
			issuer.Credentials, found = append(slices.Clone(issuer.Credentials), c), true
		}
	}
	if !found {
		return fmt.Errorf("%w: %q of partner %q", ErrUnknownBody, body, p.ID)
	}
	return nil
}

// ExamineStaging is Examine for each use of a credential that is to be staged; what is said of several is said once. One that has ended is refused.
func (c Config) ExamineStaging(partner string, s Staging, now time.Time) (Examination, error) {
	uses := s.Credential.Uses
	if s.Body != "" {
		uses = []Use{UseDocumentSignature}
	}
	var whole Examination
	if len(uses) == 0 {
		whole.Refused = []string{"it has no use; name one or more of " + listed(partnerUses)}
	}
	before, err := New(c)
	if err != nil {
		return Examination{}, err
	}
	for _, use := range uses {
		e, err := c.examine(before, Candidate{CredentialConfig: s.Credential, Partner: partner, Use: use, Body: s.Body}, now)
		if err != nil {
			return Examination{}, err
		}
		whole.Credential = e.Credential
		whole.Refused, whole.Warnings = union(whole.Refused, e.Refused), union(whole.Warnings, e.Warnings)
	}
	if x509Cert := whole.Credential.X509Cert; x509Cert != nil && !now.Before(x509Cert.NotAfter) {
		whole.Refused = union(whole.Refused, []string{"it has ended: it was valid until " + instant(x509Cert.NotAfter)})
	}
	return whole, nil
}

func union(a, b []string) []string {
	for _, s := range b {
		if !slices.Contains(a, s) {
			a = append(a, s)
		}
	}
	return a
}

// ReadUpload gives the PEM of what a partner sent as its credential: X.509 in any form that signing.ReadCredentials reads, or PKCS #12,
// encrypted under passphrase. The credentials alone are taken; warning says if a private key came with them. The credential
// itself comes first in the PEM, what certifies it after it. What the data is instead, if it is no credential, the error says in plain words.
func ReadUpload(data, passphrase []byte) (text, warning string, err error) {
	list, hasKey, err := signing.ReadPKCS12Credentials(data, passphrase)
	if err != nil {
		return "", "", fmt.Errorf("%w; ask the partner for the credential alone, without its private key", err)
	}
	if list == nil { // it is no PKCS #12
		if list, err = signing.ReadCredentials(data); err != nil {
			return "", "", explained(data, err)
		}
		hasKey = bytes.Contains(data, []byte("PRIVATE KEY-----"))
	}
	leaf, others, err := endCredential(list)
	if err != nil {
		return "", "", err
	}
	var out bytes.Buffer
	for _, x509Cert := range append([]*x509.Certificate{leaf}, others...) {
		if err := pem.Encode(&out, &pem.Block{Type: "CERTIFICATE", Bytes: x509Cert.Raw}); err != nil {
			return "", "", err
		}
	}
	if hasKey {
		warning = fmt.Sprintf("the file holds the private key of %q, which was not kept: a private key is for its owner alone, and one that was sent to somebody has to be replaced", leaf.Subject)
	}
	return out.String(), warning, nil
}
