package partners

import (
	"cmp"
	"crypto/x509"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/ecogate/ecogate/signing"
)

// life is what CredentialConfig and KeyConfig both say of when a credential counts.
type life struct {
	from, until, retireAt, distrusted time.Time
	activate, replacedBy              string
}

func (c CredentialConfig) life() life {
	return life{c.From, c.Until, c.RetireAt, c.Distrusted, c.Activate, c.ReplacedBy}
}

func (c CredentialConfig) with(uses []Use, l life) CredentialConfig {
	c.Uses = uses
	c.From, c.Until, c.RetireAt, c.Distrusted, c.Activate, c.ReplacedBy = l.from, l.until, l.retireAt, l.distrusted, l.activate, l.replacedBy
	return c
}

func (k KeyConfig) life() life {
	return life{k.From, k.Until, k.RetireAt, k.Distrusted, k.Activate, k.ReplacedBy}
}

func (k KeyConfig) with(uses []Use, l life) KeyConfig {
	k.Uses = uses
	k.From, k.Until, k.RetireAt, k.Distrusted, k.Activate, k.ReplacedBy = l.from, l.until, l.retireAt, l.distrusted, l.activate, l.replacedBy
	return k
}

// Leaf reads the credential itself, without what certifies it.
func (c CredentialConfig) Leaf() (*x509.Certificate, error) { return c.x509Cert() }

func (c CredentialConfig) x509Cert() (*x509.Certificate, error) { return c.source().leaf() }

// x509Cert reads the credential alone: neither a passphrase nor a token is asked for what a chain file says.
func (k KeyConfig) x509Cert() (*x509.Certificate, error) {
	if k.ChainFile != "" {
		return source{file: k.ChainFile}.leaf()
	}
	key, err := readPKCS12(k)
	if err != nil {
		return nil, err
	}
	return key.Chain[0], nil
}

// entry is one entry of a list of credentials or keys in a document.
type entry struct {
	// list is the index of the issuing body whose list it is of, -1 for what is no issuing body's; body is that body's id.
	list int
	body string
	// of is the number of the entry, in the document as it was, that it was made of.
	of       int
	written  []Use // as in the document
	x509Cert *x509.Certificate
	life
}

// uses are what the entry is for.
func (e entry) uses() []Use {
	if e.list >= 0 {
		return []Use{UseDocumentSignature}
	}
	return e.written
}

func (e entry) begins() time.Time { return latest(e.x509Cert.NotBefore, e.from) }

// ends is when it stops to count, and lasts until when it could count if it did not retire before.
func (e entry) ends() time.Time  { return earliest(e.lasts(), e.retireAt) }
func (e entry) lasts() time.Time { return earliest(e.x509Cert.NotAfter, e.until) }

// hasBegun reports whether it has counted by the instant at, but for what its chain and its revocation have to say, and isOver whether it
// does not any more.
func (e entry) hasBegun(at time.Time) bool { return e.activate == "" && !at.Before(e.begins()) }
func (e entry) isOver(at time.Time) bool   { return e.hasBegun(at) && !at.Before(e.ends()) }

func (e entry) has(fingerprint string) bool {
	return strings.HasPrefix(signing.Fingerprint(e.x509Cert), strings.ToLower(fingerprint))
}

func (e entry) String() string {
	return fmt.Sprintf("%q (SHA-256 %s)", e.x509Cert.Subject, signing.Fingerprint(e.x509Cert)[:16])
}

func latest(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// earliest is the first of an instant and, unless it is zero, another.
func earliest(a, b time.Time) time.Time {
	if b.IsZero() || a.Before(b) {
		return a
	}
	return b
}

// configured is CredentialConfig or KeyConfig.
type configured[T any] interface {
	life() life
	with(uses []Use, l life) T
	x509Cert() (*x509.Certificate, error)
}

// lists are those of a document that a step is made in, that of no issuing body first.
type lists[T configured[T]] struct {
	lists  []*[]T
	bodies []string // of the lists, after the first
	uses   func(T) []Use
}

func (p *PartnerConfig) rotated() lists[CredentialConfig] {
	p.Issuers = slices.Clone(p.Issuers) // what is edited is not the caller's
	d := lists[CredentialConfig]{lists: []*[]CredentialConfig{&p.Credentials}, uses: func(c CredentialConfig) []Use { return c.Uses }}
	for i := range p.Issuers {
		d.lists, d.bodies = append(d.lists, &p.Issuers[i].Credentials), append(d.bodies, p.Issuers[i].ID)
	}
	return d
}

func (k *NodeKeys) rotated() lists[KeyConfig] {
	k.Issuers = slices.Clone(k.Issuers)
	d := lists[KeyConfig]{lists: []*[]KeyConfig{&k.Keys}, uses: func(key KeyConfig) []Use { return key.Uses }}
	for i := range k.Issuers {
		d.lists, d.bodies = append(d.lists, &k.Issuers[i].Keys), append(d.bodies, k.Issuers[i].ID)
	}
	return d
}

// edit has step make new entries of those of the document. It changes nothing if step gives an error.
func (d lists[T]) edit(step func([]entry) ([]entry, error)) error {
	var before []T
	var entries []entry
	for i, list := range d.lists {
		for _, one := range *list {
			x509Cert, err := one.x509Cert()
			if err != nil {
				return err
			}
			e := entry{list: i - 1, of: len(before), written: d.uses(one), x509Cert: x509Cert, life: one.life()}
			if i > 0 {
				e.body = d.bodies[i-1]
			}
			before, entries = append(before, one), append(entries, e)
		}
	}
	entries, err := step(entries)
	if err != nil {
		return err
	}
	slices.SortStableFunc(entries, func(a, b entry) int { return cmp.Compare(a.of, b.of) })
	for i, list := range d.lists {
		*list = nil
		for _, e := range entries {
			if e.list == i-1 {
				*list = append(*list, before[e.of].with(e.written, e.life))
			}
		}
	}
	return nil
}
