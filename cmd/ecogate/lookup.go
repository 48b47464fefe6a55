package main

import (
	"cmp"
	"context"
	"time"

	"github.com/ecogate/ecogate/clearance/lookup"
	"github.com/ecogate/ecogate/eco"
	"github.com/ecogate/ecogate/internal/config"
	"github.com/ecogate/ecogate/signing"
)

// newLookups returns the desk for look-ups.
func newLookups(cfg config.Config, n *runningNode) (*lookup.Desk, error) {
	return lookup.New(lookup.Options{
		Store: n.Store, Now: n.now, Log: n.log, Node: cfg.Node.ID, Poll: cfg.Delivery.Poll,
		Parties: func(key string) []eco.PartyName { return n.apiKeys.Parties(key) }, Agreements: n.Registry,
		Ask: func(ctx context.Context, actor, partner string, about eco.CertificateID) (eco.StatusReport, error) {
			status, err := n.Node.AskCertificate(ctx, actor, partner, about)
			if err != nil || status.Report == nil {
				return eco.StatusReport{}, err
			}
			return *status.Report, nil
		},
		Sign:  n.Node.SignStatement,
		Rules: func() lookup.Rules { return lookupRules(n.current.Load().Clearance.Lookup) },
	})
}

func lookupRules(k config.Lookup) lookup.Rules {
	return lookup.Rules{
		PerMinute: k.PerMinute, FailuresPerHour: k.FailuresPerHour, ProofKept: k.ProofKept, Floor: k.Floor, Watches: k.Watches, WatchKept: k.WatchKept,
		AskAgain: k.AskAgain,
	}
}

// credentialOf tells of a partner's credential, as far as the registry has it, and of its revocation.
func (n *runningNode) credentialOf(partner, sha256 string) lookup.Credential {
	now := n.now()
	c := lookup.Credential{SHA256: sha256}
	for _, held := range n.Registry.Inventory(now) {
		if x := held.X509Cert; held.Partner == partner && signing.Fingerprint(x) == sha256 {
			c.Subject, c.Issuer, c.NotBefore, c.NotAfter = x.Subject.String(), x.Issuer.String(), x.NotBefore.UTC(), x.NotAfter.UTC()
			break
		}
	}
	if r := n.Registry.Revoked(partner, sha256, now); r != nil {
		c.Revoked = r.At.UTC().Format(time.RFC3339) + ", " + cmp.Or(r.ReasonText(), "unspecified")
	}
	return c
}
