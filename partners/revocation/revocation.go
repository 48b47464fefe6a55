// Package revocation knows which credentials their issuers have withdrawn: it reads and verifies CRLs (RFC 5280 §5) and
// OCSP responses (RFC 6960), fetches them in the background, keeps them on disk, and judges a credential by what is known.
//
// Judging is a pure function of (Known, Policy, instant) and never touches network or disk. It leaves to package partners
// which credentials there are, which partner has which policy, and what a refusal means.
//
// Read this file (the judgement), crl.go and ocsp.go (what is believed), memory.go (what stays known), fetch.go and cache.go (how it comes here).
package revocation

import (
	"crypto/sha256"
	"crypto/x509"
	"fmt"
	"maps"
	"sync/atomic"
	"time"
)

// ClockTolerance is how far the clocks of a PKI and of this node may differ: something issued so much in the future is
// believed, and something past its next update by so much is still current.
const ClockTolerance = time.Hour

// Mode says what becomes of a credential of which too little is known.
type Mode string

// The modes.
const (
	// None: revocation is not looked at.
	None Mode = "none"
	// Soft: the credential counts until what is known is older than Policy.MaxAge, and then as under Hard.
	Soft Mode = "soft"
	// Hard: the credential counts only while something current is known: before its next update and, with a
	// Policy.MaxAge, not older than that.
	Hard Mode = "hard"
)

// DefaultSoftMaxAge is Policy.MaxAge of Soft where none is set.
const DefaultSoftMaxAge = 7 * 24 * time.Hour

// Policy is what a partner's credentials are held to.
type Policy struct {
	Mode   Mode
	MaxAge time.Duration
}

// issuerID names a CA by its name and key: the SHA-256 of both.
type issuerID [sha256.Size]byte

func idOf(issuer *x509.Certificate) issuerID {
	h := sha256.New()
	h.Write(issuer.RawSubject)
	h.Write(issuer.RawSubjectPublicKeyInfo)
	return issuerID(h.Sum(nil))
}

// maxSerial is the most octets of a serial number (RFC 5280 §4.1.2.2).
const maxSerial = 20

// serial is a serial number, big-endian.
type serial [maxSerial]byte

type linkID struct {
	issuer issuerID
	serial serial
}

// Link is a credential with the CA that issued it. NewLink makes it.
type Link struct {
	X509Cert, Issuer *x509.Certificate
	id               linkID
}

// NewLink names the credential; a serial number of more than 20 octets is an error.
func NewLink(x509Cert, issuer *x509.Certificate) (Link, error) {
	number, err := serialOf(x509Cert.SerialNumber)
	return Link{X509Cert: x509Cert, Issuer: issuer, id: linkID{idOf(issuer), number}}, err
}

// Revocation is what an issuer said of a credential that it withdrew.
type Revocation struct {
	X509Cert *x509.Certificate
	At       time.Time
	// Reason is the CRLReason of RFC 5280 §5.3.1; 0 if none was given.
	Reason int
}

// ReasonText gives the name of Reason in RFC 5280 §5.3.1.
func (r Revocation) ReasonText() string {
	names := []string{"unspecified", "keyCompromise", "cACompromise", "affiliationChanged", "superseded",
		"cessationOfOperation", "certificateHold", "", "removeFromCRL", "privilegeWithdrawn", "aACompromise"}
	if r.Reason >= 0 && r.Reason < len(names) && names[r.Reason] != "" {
		return names[r.Reason]
	}
	return fmt.Sprintf("reason %d", r.Reason)
}

// Known is everything that is known at one moment. It is not changed once it was published. nil is nothing.
type Known struct {
	crls    map[issuerID][]*CRL
	answers map[linkID]*Answer
	// since is when each credential was first looked for.
	since map[linkID]time.Time
	// memory is what sources told once; nil before it was read.
	memory map[linkID]memory
}

// Book holds what is known now. Its zero value knows nothing. It is safe for concurrent use.
type Book struct{ current atomic.Pointer[Known] }

// Known gives one state of what is known.
func (b *Book) Known() *Known { return b.current.Load() }

// Verdict is the judgement of a credential at an instant.
type Verdict struct {
	// Refused says why the credential does not count; "" if it does.
	Refused string
	// Revoked is the withdrawal of the credential, or of a CA above it; nil if none is known. With Refused "" it came after the instant.
	Revoked *Revocation
}

// Judge judges a chain, without its anchor, at the instant at. A credential that was revoked at that instant or before is
// refused; how much else must be known is for the policy to say. What became known after the instant counts.
func (k *Known) Judge(chain []Link, p Policy, at time.Time) Verdict {
	var whole Verdict
	if p.Mode == None || p.Mode == "" {
		return whole
	}
	for _, l := range chain {
		v := k.judge(l, p, at)
		if v.Refused != "" {
			return v
		}
		if whole.Revoked == nil {
			whole.Revoked = v.Revoked
		}
	}
	return whole
}

func (k *Known) judge(l Link, p Policy, at time.Time) Verdict {
	v := Verdict{Revoked: k.revoked(l)}
	if v.Revoked != nil && !v.Revoked.At.After(at) {
		v.Refused = fmt.Sprintf("%q was revoked at %s (%s)", l.X509Cert.Subject, instant(v.Revoked.At), v.Revoked.ReasonText())
		return v
	}
	v.Refused = k.stale(l, p, at)
	return v
}

// revoked gives the earliest withdrawal that any source tells of or, if none does, that one told of before.
func (k *Known) revoked(l Link) *Revocation {
	if k == nil {
		return nil
	}
	if r := k.told(l); r != nil {
		return r
	}
	if m, ok := k.memory[l.id]; ok {
		return &Revocation{l.X509Cert, m.At, m.Reason}
	}
	return nil
}

// told gives the earliest withdrawal that any source tells of.
func (k *Known) told(l Link) *Revocation {
	var found *Revocation
	note := func(r Revocation) {
		if found == nil || r.At.Before(found.At) {
			found = &r
		}
	}
	for _, c := range k.crls[l.id.issuer] {
		if e, ok := c.find(l.id.serial); ok && c.scope.covers(l.X509Cert) {
			note(Revocation{l.X509Cert, time.Unix(e.at, 0).UTC(), int(e.reason)})
		}
	}
	if a := k.answers[l.id]; a != nil && a.Status == Revoked {
		note(Revocation{l.X509Cert, a.RevokedAt, a.Reason})
	}
	return found
}

// stale says why too little is known of l under p; "" if it is enough.
func (k *Known) stale(l Link, p Policy, at time.Time) string {
	this, next := k.newest(l)
	age := at.Sub(this)
	current := !this.IsZero() && !at.After(next.Add(ClockTolerance))
	if p.Mode == Hard {
		switch {
		case this.IsZero():
			return fmt.Sprintf("%q: nothing is known of its revocation, and the policy is hard", l.X509Cert.Subject)
		case !current:
			return fmt.Sprintf("%q: what is known of its revocation was to be renewed by %s, and the policy is hard", l.X509Cert.Subject, instant(next))
		case p.MaxAge > 0 && age > p.MaxAge:
			return fmt.Sprintf("%q: what is known of its revocation is from %s, older than max_age %s", l.X509Cert.Subject, instant(this), p.MaxAge)
		}
		return ""
	}
	most := p.MaxAge
	if most == 0 {
		most = DefaultSoftMaxAge
	}
	if this.IsZero() {
		first, looked := k.firstLook(l)
		if looked && at.Sub(first) > most {
			return fmt.Sprintf("%q: nothing is known of its revocation since %s, longer than max_age %s", l.X509Cert.Subject, instant(first), most)
		}
		return ""
	}
	if !current && age > most {
		return fmt.Sprintf("%q: what is known of its revocation is from %s, older than max_age %s", l.X509Cert.Subject, instant(this), most)
	}
	return ""
}

func (k *Known) firstLook(l Link) (time.Time, bool) {
	if k == nil {
		return time.Time{}, false
	}
	first, ok := k.since[l.id]
	return first, ok
}

// newest gives this and next update of the newest source that speaks about l; zero without one.
func (k *Known) newest(l Link) (this, next time.Time) {
	if k == nil {
		return this, next
	}
	note := func(t, n time.Time) {
		if t.After(this) {
			this = t
		}
		if n.After(next) {
			next = n
		}
	}
	for _, c := range k.crls[l.id.issuer] {
		if c.scope.covers(l.X509Cert) {
			note(c.ThisUpdate, c.NextUpdate)
		}
	}
	if a := k.answers[l.id]; a != nil && a.Status != Unknown {
		note(a.ThisUpdate, a.NextUpdate)
	}
	return this, next
}

// clone is a copy that may be changed before it is published. CRLs and answers themselves are shared.
func (k *Known) clone() *Known {
	if k == nil {
		return &Known{crls: map[issuerID][]*CRL{}, answers: map[linkID]*Answer{}, since: map[linkID]time.Time{}}
	}
	return &Known{crls: maps.Clone(k.crls), answers: maps.Clone(k.answers), since: maps.Clone(k.since), memory: maps.Clone(k.memory)}
}

// addCRL puts c in the place of the one of its issuer and scope. One that is older than what is known is refused: whoever
// sends it may want something forgotten.
func (k *Known) addCRL(c *CRL) error {
	list := k.crls[c.issuer]
	out := make([]*CRL, 0, len(list)+1)
	for _, other := range list {
		if other.scope.key() != c.scope.key() {
			out = append(out, other)
			continue
		}
		if c.olderThan(other) {
			return fmt.Errorf("CRL of %s is older than the one of %s that is known", instant(c.ThisUpdate), instant(other.ThisUpdate))
		}
	}
	k.crls[c.issuer] = append(out, c)
	return nil
}

func (k *Known) addAnswer(l Link, a *Answer) error {
	if known := k.answers[l.id]; known != nil && a.ThisUpdate.Before(known.ThisUpdate) {
		return fmt.Errorf("OCSP response of %s is older than the one of %s that is known", instant(a.ThisUpdate), instant(known.ThisUpdate))
	}
	k.answers[l.id] = a
	return nil
}

func instant(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// Is reports whether both are the same credential of the same CA.
func (l Link) Is(other Link) bool { return l.id == other.id }
