package partners

import (
	"crypto/x509"
	"fmt"
	"net/netip"
	"slices"
	"sync/atomic"
	"time"

	"github.com/ecogate/ecogate/eco"
	"github.com/ecogate/ecogate/partners/revocation"
	"github.com/ecogate/ecogate/signing"
)

// Registry answers questions about partners. It is safe for concurrent use: every answer comes from one state of the
// configuration, which Reload replaces as a whole.
type Registry struct {
	data atomic.Pointer[data]
	// book is what is known of revocations; it stays when the configuration changes.
	book revocation.Book
}

// data is one state of the configuration. It is not changed once a Registry holds it.
type data struct {
	self     Self
	partners []Partner
	// credentials are those of each partner, "" for our own, the one whose window began last first.
	credentials map[string][]*trusted
	// keys are our own by the fingerprint of their credential.
	keys map[string]signing.Key
	// forms are those of our own issuing bodies' document signatures, by id.
	forms      map[string]DocumentForm
	agreements []Agreement
	known      eco.Forms
	// targets are what has to be known of revocations, and book, which is the Registry's, where it is found.
	targets  []revocation.Target
	book     *revocation.Book
	networks []netip.Prefix // private ones that may be dialled
	tokens   map[tokenName]*signing.Token
}

func (d *data) partner(id string) (Partner, bool) {
	i := slices.IndexFunc(d.partners, func(p Partner) bool { return p.ID == id })
	if i < 0 {
		return Partner{}, false
	}
	return d.partners[i], true
}

// New reads the files that cfg names. Everything that is wrong is in the *ConfigError that it returns, each problem with
// its key and file.
func New(cfg Config) (*Registry, error) {
	r := new(Registry)
	if err := r.Reload(cfg); err != nil {
		return nil, err
	}
	return r, nil
}

// Reload replaces the configuration. Answers given before stay valid for who holds them; if cfg is wrong it returns what
// New would and changes nothing.
func (r *Registry) Reload(cfg Config) error {
	d, err := load(cfg)
	if err != nil {
		return err
	}
	r.take(d)
	return nil
}

// take brings d in force.
func (r *Registry) take(d *data) {
	d.book = &r.book
	r.data.Store(d)
}

// Snapshot is a Registry that stays as r is now: for whoever asks several questions whose answers have to go together. What becomes
// known of revocations is known to it too.
func (r *Registry) Snapshot() *Registry {
	s := new(Registry)
	s.data.Store(r.data.Load())
	return s
}

// Forms are the forms that issuing bodies and agreements may name.
func (r *Registry) Forms() eco.Forms { return r.data.Load().known }

// Self is this node.
func (r *Registry) Self() Self { return r.data.Load().self }

// Partner finds a partner by its id.
func (r *Registry) Partner(id string) (Partner, bool) { return r.data.Load().partner(id) }

// Partners lists the partners in the order of the configuration.
func (r *Registry) Partners() []Partner { return slices.Clone(r.data.Load().partners) }

// Credentials gives what counts for partner and use at the instant at, the one whose window began last first. Partner ""
// is this node. An unknown partner has none.
func (r *Registry) Credentials(partner string, use Use, at time.Time) []Credential {
	return public(r.data.Load().counting(partner, use, at))
}

// Awaiting gives the partner's credentials that wait for their first use and would count for use at the instant at if they were active.
// They count for nothing yet: who finds that one of them verifies what no other does has it activated (PartnerConfig.UseFirst).
func (r *Registry) Awaiting(partner string, use Use, at time.Time) []Credential {
	return public(r.data.Load().awaiting(partner, use, at))
}

func public(list []*trusted) []Credential {
	out := make([]Credential, len(list))
	for i, t := range list {
		out[i] = t.Credential
	}
	return out
}

// DocumentCredentials gives the credentials with which the issuing body of q may have signed a certificate of its form at
// the instant at; for partner "" those of our own bodies. The list may be empty when the body is authorised and none of
// its credentials counts. The errors wrap ErrUnknownPartner, ErrUnknownBody, ErrFormNotAuthorised or ErrOutsideAuthorisation.
func (r *Registry) DocumentCredentials(partner string, q IssuerQuery, at time.Time) ([]Credential, error) {
	d := r.data.Load()
	issuers := d.self.Issuers
	if partner != "" {
		p, ok := d.partner(partner)
		if !ok {
			return nil, fmt.Errorf("%w: %q", ErrUnknownPartner, partner)
		}
		issuers = p.Issuers
	}
	entries, err := authorised(issuers, q, at)
	if err != nil {
		return nil, fmt.Errorf("issuing body %q of %q, form %q, at %s: %w", q.Body, q.Country, q.Form, instant(at), err)
	}
	var out []*trusted
	for _, t := range d.counting(partner, UseDocumentSignature, at) {
		if slices.Contains(entries, t.entry) {
			out = append(out, t)
		}
	}
	return public(out), nil
}

// authorised gives the indexes of the entries under which q is authorised at the instant at. The error names the last
// hurdle that some entry reached.
func authorised(issuers []Issuer, q IssuerQuery, at time.Time) ([]int, error) {
	var entries []int
	err := ErrUnknownBody
	for i, issuer := range issuers {
		switch {
		case issuer.Country != q.Country || issuer.ID != q.Body:
		case !slices.Contains(issuer.Forms, q.Form):
			if err == ErrUnknownBody {
				err = ErrFormNotAuthorised
			}
		case !inForce(issuer.From, issuer.Until, at):
			err = ErrOutsideAuthorisation
		default:
			entries = append(entries, i)
		}
	}
	if entries == nil {
		return nil, err
	}
	return entries, nil
}

// Key gives our own key for use at the instant at: of those that count, the one whose window began last. body is the id of
// the issuing body for UseDocumentSignature, and "" otherwise. The error wraps ErrNoKey.
func (r *Registry) Key(use Use, body string, at time.Time) (signing.Key, error) {
	d := r.data.Load()
	for _, t := range d.counting("", use, at) {
		if t.Issuer == body {
			return d.keys[signing.Fingerprint(t.X509Cert)], nil
		}
	}
	object := string(use)
	if body != "" {
		object += " of issuing body " + body
	}
	return signing.Key{}, fmt.Errorf("%w for %s at %s", ErrNoKey, object, instant(at))
}

// PartnerByTLS names the partner whose tls-client credential leaf is at the instant at.
func (r *Registry) PartnerByTLS(leaf *x509.Certificate, at time.Time) (string, bool) {
	d := r.data.Load()
	for _, p := range d.partners {
		clients := d.counting(p.ID, UseTLSClient, at)
		if slices.ContainsFunc(clients, func(t *trusted) bool { return t.X509Cert.Equal(leaf) }) {
			return p.ID, true
		}
	}
	return "", false
}
