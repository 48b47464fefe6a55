package cpa

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"slices"

	"github.com/ecogate/ecogate/partners"
	"github.com/ecogate/ecogate/signing"
)

// AddTo adds to a partner's entry what it lacks of the side: party ids, credentials with their uses, and a trust anchor of those that
// no anchor of the entry is above; in an entry without a name or role those too. Nothing is taken away, so that credentials that are being replaced go on counting. It tells whether
// it added anything. Credentials of the entry have to stand in it, as text: an error names one that is in a file, or cannot be read.
func (s Side) AddTo(p *partners.PartnerConfig) (added bool, err error) {
	if len(p.AnchorFiles) > 0 || slices.ContainsFunc(p.Credentials, func(c partners.CredentialConfig) bool { return c.File != "" }) {
		return false, errors.New("partner's credentials are in files")
	}
	if p.Name == "" && s.Name != "" {
		p.Name, added = s.Name, true
	}
	if p.Role == "" && s.Role != "" {
		p.Role, added = s.Role, true
	}
	for _, id := range s.PartyIDs {
		if !slices.Contains(p.PartyIDs, id) {
			p.PartyIDs, added = append(p.PartyIDs, id), true
		}
	}
	anchors, err := known(p.Anchors)
	if err != nil {
		return false, fmt.Errorf("anchors: %w", err)
	}
	between, err := known(p.Intermediates)
	if err != nil {
		return false, fmt.Errorf("intermediates: %w", err)
	}
	for _, c := range s.Credentials {
		chain := slices.Concat(c.Chain, between)
		for _, x509Cert := range s.Anchors {
			if chains(chain, anchors) {
				break
			}
			if chains(chain, []*x509.Certificate{x509Cert}) {
				anchors = append(anchors, x509Cert)
				p.Anchors, added = append(p.Anchors, encoded(x509Cert)), true
			}
		}
	}
	for _, c := range s.Credentials {
		uses := slices.Clone(c.Uses)
		for i, there := range p.Credentials {
			list, err := known([]string{there.PEM})
			if err != nil {
				return false, fmt.Errorf("credentials[%d]: %w", i, err)
			}
			if slices.ContainsFunc(list, c.Chain[0].Equal) {
				uses = slices.DeleteFunc(uses, func(use partners.Use) bool { return slices.Contains(there.Uses, use) })
			}
		}
		if len(uses) > 0 {
			p.Credentials, added = append(p.Credentials, partners.CredentialConfig{Uses: uses, PEM: encoded(c.Chain...)}), true
		}
	}
	return added, nil
}

// known reads credentials out of texts of an entry.
func known(texts []string) ([]*x509.Certificate, error) {
	var out []*x509.Certificate
	for _, text := range texts {
		list, err := signing.ReadCredentials([]byte(text))
		if err != nil {
			return nil, err
		}
		out = append(out, list...)
	}
	return out, nil
}

// encoded writes X.509 certificates in PEM.
func encoded(list ...*x509.Certificate) string {
	var out bytes.Buffer
	for _, x509Cert := range list {
		out.Write(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: x509Cert.Raw}))
	}
	return out.String()
}
