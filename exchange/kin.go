package exchange

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"

	"github.com/ecogate/ecogate/eco"
	"github.com/ecogate/ecogate/partners"
)

// Bounds on the work that the relations of one certificate can cause.
const (
	maxRelated = 20 // relations that are looked up
	maxKin     = 10 // certificates under one number
)

// checkKin compares a certificate with those that it names and that this node has, whichever way they went: dates, numbers and
// issuers, that a copy says what its original says, and that a back-to-back certificate draws no more than its original has. It does
// not count what other certificates draw on the same original: see draws. Those that do not count, because they were exchanged in
// partners.ModeTest, are compared among themselves.
func (n *Node) checkKin(ctx context.Context, c eco.Certificate, mode partners.Mode) ([]eco.Finding, error) {
	if len(c.Related) == 0 {
		return nil, nil
	}
	itself, err := json.Marshal(c.ForPartner())
	if err != nil {
		return nil, err
	}
	var others []eco.Certificate
	for _, related := range c.Related[:min(len(c.Related), maxRelated)] {
		found, err := n.store.Certificates(ctx, CertificateQuery{Reference: related.Reference, Country: related.Country, Limit: maxKin})
		if err != nil {
			return nil, fmt.Errorf("looking for related certificate %q: %w", related.Reference, err)
		}
		for _, f := range found {
			if f.Key != f.Key.in(mode) {
				continue
			}
			other, err := json.Marshal(f.Data.ForPartner())
			if err != nil {
				return nil, err
			}
			if !bytes.Equal(other, itself) { // it may have been submitted, or come, before
				others = append(others, f.Data)
			}
		}
	}
	return eco.CheckKin(c, others), nil
}

// checkKinOf is checkKin for a certificate of a partner. What its relatives are held to is for an officer to judge, since what
// this node has may not be all: nothing of it is an error.
func (n *Node) checkKinOf(ctx context.Context, c eco.Certificate, mode partners.Mode) ([]eco.Finding, error) {
	findings, err := n.checkKin(ctx, c, mode)
	if err != nil {
		return nil, &storeError{err}
	}
	for i := range findings {
		findings[i].Severity = eco.SeverityWarning
	}
	return findings, nil
}
