// Package announcement is how a party tells another of the X.509 credentials that it will use next, and what the other says to that: two
// small XML documents (docs/schema/credentials-1.xsd). An announcement bears a signature of each key that it announces, which shows that
// the party holds it; that it is the party's at all shows the message or the file around it, under a credential that counts already.
//
// Documents are read and written here; [Desk] puts what was read before package partners, which judges credentials. How the
// documents travel is package exchange's to know.
package announcement

import (
	"cmp"
	"crypto/x509"
	"fmt"
	"slices"
	"time"

	"github.com/ecogate/ecogate/partners"
	"github.com/ecogate/ecogate/signing"
)

// MediaType is that of both documents.
const MediaType = "application/xml"

// Announcement is what a party announces. Instants are to the second, in UTC.
type Announcement struct {
	// Party are ids of the party that announces; at least one.
	Party []partners.PartyID
	// Number rises with every announcement of the party: one with a lower number than the last is old. It is not more than a day ahead of
	// the time of issue in seconds since 1970, so that nobody makes every later one old.
	Number uint64
	Issued time.Time
	// Credentials are 1 to MaxCredentials.
	Credentials []Credential
}

// Credential is one that is announced.
type Credential struct {
	// Uses are what it will do. Body is the issuing body for UseDocumentSignature, which goes with no other, and "" otherwise.
	Uses []partners.Use
	Body string
	// Chain begins with the credential itself; what follows may stand between it and the party's anchors. At most MaxChain.
	Chain []*x509.Certificate
	// ActiveFrom is from when it signs, OldRetires from when what it follows counts no more; zero if that is not said.
	ActiveFrom, OldRetires time.Time
	// Proven: the document bears a signature of its key. Read sets it.
	Proven bool
}

// The most that a document holds.
const (
	MaxOctets      = 1 << 20
	MaxCredentials = 16
	MaxChain       = 8
)

// CanSign reports whether the credential's key may sign, so that it has to prove itself: one whose key usage allows neither
// digitalSignature nor nonRepudiation (RFC 5280 §4.2.1.3) may not, such as that of a TLS server with RSA key transport.
func (c Credential) CanSign() bool {
	usage := c.Chain[0].KeyUsage
	return usage == 0 || usage&(x509.KeyUsageDigitalSignature|x509.KeyUsageContentCommitment) != 0
}

// Result is what became of a credential that was announced.
type Result string

// The results.
const (
	// ResultStaged: it will count from the announced instant.
	ResultStaged Result = "staged"
	// ResultTold: nothing stands against it, and an operator decides.
	ResultTold Result = "told"
	// ResultRefused: it will not count; the reasons say why.
	ResultRefused Result = "refused"
)

// Outcome is what became of one credential for one use.
type Outcome struct {
	// SHA256 is the credential's fingerprint, 64 lower-case hexadecimal digits.
	SHA256 string       `json:"sha256"`
	Use    partners.Use `json:"use"`
	Body   string       `json:"issuing_body,omitempty"`
	Result Result       `json:"result"`
	// Told is what the announcing party is told of why it was refused. Reasons are for the operators of the other side, and do not travel.
	Told    string   `json:"told,omitempty"`
	Reasons []string `json:"reasons,omitempty"`
	// Verified and Failed count the second signatures of messages that were tried with it before it counts.
	Verified uint64 `json:"verified,omitempty"`
	Failed   uint64 `json:"failed,omitempty"`
}

// Answer is what a party says to an announcement.
type Answer struct {
	// Number is that of the announcement.
	Number   uint64    `json:"number"`
	Outcomes []Outcome `json:"outcomes"`
}

// Accepts reports whether the credential was not refused for the use.
func (a Answer) Accepts(sha256 string, use partners.Use) bool {
	return slices.ContainsFunc(a.Outcomes, func(o Outcome) bool {
		return o.SHA256 == sha256 && o.Use == use && o.Result != ResultRefused
	})
}

// Summary is what is kept of an announcement in records and shown to people.
type Summary struct {
	Number      uint64      `json:"number"`
	Issued      time.Time   `json:"issued"`
	Credentials []Announced `json:"credentials"`
}

// Announced is a credential of a Summary.
type Announced struct {
	SHA256     string         `json:"sha256"`
	Subject    string         `json:"subject"`
	Uses       []partners.Use `json:"uses"`
	Body       string         `json:"issuing_body,omitempty"`
	ActiveFrom time.Time      `json:"active_from"`
	OldRetires time.Time      `json:"old_retires,omitzero"`
}

// Summary gives the announcement without its credentials' octets.
func (a Announcement) Summary() Summary {
	out := Summary{Number: a.Number, Issued: a.Issued}
	for _, c := range a.Credentials {
		out.Credentials = append(out.Credentials, Announced{
			SHA256: signing.Fingerprint(c.Chain[0]), Subject: c.Chain[0].Subject.String(), Uses: c.Uses, Body: c.Body,
			ActiveFrom: c.ActiveFrom, OldRetires: c.OldRetires,
		})
	}
	return out
}

// Of gives the announcement of our own successors at the instant at, as document, numbered by that instant. The error is
// ErrNothing if there are none, or that of signing.
func Of(self partners.Self, successors []partners.Successor, at time.Time) (Announcement, []byte, error) {
	at = at.UTC().Truncate(time.Second)
	a := Announcement{Party: self.PartyIDs, Number: uint64(at.Unix()), Issued: at}
	var keys []signing.Key
	for _, s := range successors {
		c := Credential{Uses: s.Uses, Body: s.Body, Chain: s.Key.Chain[:min(len(s.Key.Chain), MaxChain)], ActiveFrom: s.From.UTC().Truncate(time.Second)}
		if old := s.OldUntil.UTC().Truncate(time.Second); !old.Before(c.ActiveFrom) {
			c.OldRetires = old
		}
		known := slices.ContainsFunc(keys, func(k signing.Key) bool { return k.Chain[0].Equal(c.Chain[0]) })
		if c.Proven = c.CanSign(); c.Proven && !known {
			keys = append(keys, s.Key)
		}
		a.Credentials = append(a.Credentials, c)
	}
	if len(a.Credentials) == 0 {
		return a, nil, ErrNothing
	}
	document, err := a.Sign(keys)
	return a, document, err
}

// check holds an announcement to the rules that no schema has.
func (a Announcement) check() error {
	switch {
	case len(a.Party) == 0:
		return fmt.Errorf("%w: no party announces", ErrDocument)
	case a.Number == 0:
		return fmt.Errorf("%w: number 0", ErrDocument)
	case len(a.Credentials) == 0 || len(a.Credentials) > MaxCredentials:
		return fmt.Errorf("%w: %d credentials, expected 1 to %d", ErrDocument, len(a.Credentials), MaxCredentials)
	}
	for i, c := range a.Credentials {
		if err := c.check(); err != nil {
			return fmt.Errorf("%w: credential %d: %w", ErrDocument, i+1, err)
		}
	}
	return nil
}

// uses are those that a party announces credentials for.
var uses = []partners.Use{
	partners.UseMessageSignature, partners.UseDocumentSignature, partners.UseTLSServer, partners.UseTLSClient, partners.UseEncryption, partners.UseIssuerList,
}

func (c Credential) check() error {
	for i, use := range c.Uses {
		switch {
		case !slices.Contains(uses, use):
			return fmt.Errorf("%q is not a use; expected one of %q", use, uses)
		case slices.Contains(c.Uses[:i], use):
			return fmt.Errorf("use %q stands there twice", use)
		case (use == partners.UseDocumentSignature) != (c.Body != ""):
			return fmt.Errorf("an issuing body goes with %s, and only with it", partners.UseDocumentSignature)
		}
	}
	switch {
	case len(c.Uses) == 0:
		return fmt.Errorf("no use; expected one of %q", uses)
	case len(c.Chain) == 0 || len(c.Chain) > MaxChain:
		return fmt.Errorf("%d X.509 certificates, expected 1 to %d", len(c.Chain), MaxChain)
	case c.ActiveFrom.IsZero():
		return fmt.Errorf("no instant from which it is active")
	case !c.OldRetires.IsZero() && c.OldRetires.Before(c.ActiveFrom):
		return fmt.Errorf("the old one retires %s, before this one is active: %s", instant(c.OldRetires), instant(c.ActiveFrom))
	}
	return nil
}

func instant(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// IsOf reports whether the announcing party is the one with these ids: it names at least one of them, and no other.
func (a Announcement) IsOf(ids []partners.PartyID) bool {
	for _, id := range a.Party {
		if !slices.Contains(ids, id) {
			return false
		}
	}
	return len(a.Party) > 0
}

// compareOutcomes orders outcomes by credential and use.
func compareOutcomes(a, b Outcome) int {
	return cmp.Or(cmp.Compare(a.SHA256, b.SHA256), cmp.Compare(a.Use, b.Use), cmp.Compare(a.Body, b.Body))
}
