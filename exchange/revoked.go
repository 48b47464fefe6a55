package exchange

import (
	"fmt"
	"strings"
	"time"

	"github.com/ecogate/ecogate/partners"
)

// SignerRevoked is that a credential which verified something was revoked by its issuer. What it verified stays as it is: people
// decide what to make of it.
type SignerRevoked struct {
	// SHA256 is the fingerprint of the credential, Use what it verified. Subject is what was revoked: the credential, or a CA above it.
	SHA256  string       `json:"sha256"`
	Use     partners.Use `json:"use"`
	Subject string       `json:"subject"`
	// At is the instant of the revocation, which may be before the receipt if it became known later. Reason is as in RFC 5280 §5.3.1.
	At     time.Time `json:"at"`
	Reason string    `json:"reason"`
}

// String says it in a line.
func (s SignerRevoked) String() string {
	return fmt.Sprintf("%s was revoked at %s (%s)", s.Subject, s.At.Format(time.RFC3339), s.Reason)
}

// revoked says what is known now against a credential that verified something at the instant at.
func (n *Node) revoked(partner, signer string, use partners.Use, at time.Time) *SignerRevoked {
	if signer == "" {
		return nil
	}
	r := n.registry.Revoked(partner, signer, at)
	if r == nil {
		return nil
	}
	return &SignerRevoked{SHA256: signer, Use: use, Subject: r.X509Cert.Subject.String(), At: r.At, Reason: r.ReasonText()}
}

// signersRevoked is what is known now against those who signed an inbound message and its document.
func (n *Node) signersRevoked(m Message) []SignerRevoked {
	var out []SignerRevoked
	if s := n.revoked(m.Partner, m.Signer, partners.UseMessageSignature, m.Created); s != nil {
		out = append(out, *s)
	}
	if m.DocumentSigner == m.Signer {
		return out // a node's own document: told with the message
	}
	if s := n.revoked(m.Partner, m.DocumentSigner, partners.UseDocumentSignature, m.Created); s != nil {
		out = append(out, *s)
	}
	return out
}

// WithRevocations is m with what is known now against the credentials that verified it. What was known at receipt stays if nothing
// is known now, because the credential is no longer configured. It changes nothing in the store.
func (n *Node) WithRevocations(m Message) Message {
	if m.Direction != Inbound {
		return m
	}
	if now := n.signersRevoked(m); now != nil {
		m.SignersRevoked = now
	}
	return m
}

// WithRevocation is as WithRevocations, for a certificate and who signed its document.
func (n *Node) WithRevocation(c Certificate) Certificate {
	if c.Direction != Inbound {
		return c
	}
	if now := n.revoked(c.Partner, c.DocumentSigner, partners.UseDocumentSignature, c.Recorded); now != nil {
		c.SignerRevoked = now
	}
	return c
}

// checkRevocations puts into the record of a verified message what is known against its signers, as far as they are known yet, and tells the
// log. One that is known to be revoked no later than clocks differ is refused: a node whose clock was set back would take what was signed after
// the revocation for something from before.
func (n *Node) checkRevocations(r *reception) error {
	noted := len(r.record.SignersRevoked)
	r.record.SignersRevoked = n.signersRevoked(r.record)
	for _, s := range r.record.SignersRevoked[min(noted, len(r.record.SignersRevoked)):] {
		if limit := r.request.Received.Add(partners.ClockTolerance); !s.At.After(limit) {
			return fmt.Errorf("%s, which is not more than %s after the receipt", s, partners.ClockTolerance)
		}
		n.log.Warn("a message is taken although its signer is to be revoked", "message_id", r.record.MessageID, "partner", r.record.Partner,
			"use", s.Use, "sha256", s.SHA256, "subject", s.Subject, "revoked", s.At, "reason", s.Reason)
	}
	return nil
}

// told is the detail of an audit entry about m, with what is known against its signers.
func told(detail string, m Message) string {
	var b strings.Builder
	b.WriteString(detail)
	for _, s := range m.SignersRevoked {
		fmt.Fprintf(&b, "; signer of the %s: %s", strings.TrimSuffix(string(s.Use), "-signature"), s)
	}
	return b.String()
}
