package issuerlist

import (
	"cmp"
	"context"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/ecogate/ecogate/eco"
	"github.com/ecogate/ecogate/partners"
	"github.com/ecogate/ecogate/signing"
)

// Desk takes lists into the registry of partners, and tells what stands there. It is safe for concurrent use.
type Desk struct {
	Directory *partners.Directory
	Now       func() time.Time
}

// Take makes a partner's list its issuing bodies in the registry, all of them, in one new version of the partner; with e.DryRun it says what
// that would change. A credential that was there keeps what an operator decided about it. e.Why is completed with the list's number and digest.
//
// Errors are those of Examine and of partners.Directory.EditPartner; nothing was changed then.
func (d Desk) Take(ctx context.Context, e partners.Edit, partner string, file []byte) (Report, partners.Entry, error) {
	now := d.Now()
	s, report, err := Examine(d.Directory.Registry, partner, file, now)
	if err != nil {
		return report, partners.Entry{}, err
	}
	e.Why = strings.TrimSuffix(fmt.Sprintf("list of issuers %d, SHA-256 %s: %s", s.Number, s.SHA256, e.Why), ": ")
	entry, err := d.Directory.EditPartner(ctx, e, partner, func(p *partners.PartnerConfig) error {
		// Once more: nobody else changes the registry from here on.
		if s, report, err = Examine(d.Directory.Registry, partner, file, now); err != nil {
			return err
		}
		s.apply(p, d.Directory.Registry.Forms(), now)
		return nil
	})
	return report, entry, err
}

// apply writes the list into a partner's document at the instant now. What an operator decided about a credential outlives the list: one that is
// distrusted stays in the document although it is not on the list, so that its key is not believed when another list, or another credential,
// brings it back.
func (s Signed) apply(p *partners.PartnerConfig, forms eco.Forms, now time.Time) {
	bodies, _ := s.known(forms)
	var issuers []partners.IssuerConfig
	for _, b := range bodies {
		issuer := partners.IssuerConfig{
			ID: b.ID, Name: b.Name, Country: b.Country, Forms: b.Forms, From: b.From, Until: b.Until, Offices: b.Offices, Signatories: b.Signatories,
		}
		for _, c := range b.Credentials {
			own := credentialsOf(p, b.ID, c.Chain[0])
			if own == nil {
				own = []partners.CredentialConfig{{From: c.From}}
			}
			for _, one := range own {
				one = listed(one, c)
				if !slices.ContainsFunc(issuer.Credentials, func(other partners.CredentialConfig) bool { return reflect.DeepEqual(one, other) }) {
					issuer.Credentials = append(issuer.Credentials, one)
				}
			}
		}
		issuers = append(issuers, issuer)
	}
	for _, before := range p.Issuers {
		for _, c := range before.Credentials {
			if !c.Distrusted.IsZero() {
				issuers = withDistrusted(issuers, before, c, now)
			}
		}
	}
	p.Issuers = issuers
	p.IssuerList = partners.IssuerListConfig{Number: s.Number, Issued: s.Issued, NextUpdate: s.NextUpdate, SHA256: s.SHA256}
}

// listed is an entry of the document about a credential as the list has it. The later of two beginnings holds: that of the entry may be
// an operator's.
func listed(own partners.CredentialConfig, c partners.BodyCredential) partners.CredentialConfig {
	own.File, own.PEM, own.Offices, own.Forms = "", textOf(c.Chain), c.Offices, c.Forms
	from := own.From
	if c.From.After(from) {
		from = c.From
	}
	if ends := []time.Time{c.Until, own.RetireAt}; slices.ContainsFunc(ends, func(end time.Time) bool { return !end.IsZero() && !from.Before(end) }) {
		return own // no time would be left: it stays what it was
	}
	own.From, own.Until = from, c.Until
	return own
}

// withDistrusted is the list of issuers with a credential that the issuer before had and that is distrusted. Where the body is not on the
// list any more, it may issue nothing from now on.
func withDistrusted(issuers []partners.IssuerConfig, before partners.IssuerConfig, c partners.CredentialConfig, now time.Time) []partners.IssuerConfig {
	x509Cert, err := c.Leaf()
	if err != nil {
		return issuers // it could not be loaded
	}
	body := -1
	for i, issuer := range issuers {
		if issuer.ID != before.ID {
			continue
		}
		body = i
		if slices.ContainsFunc(issuer.Credentials, func(own partners.CredentialConfig) bool { return isOf(own, x509Cert) }) {
			return issuers
		}
	}
	if body < 0 {
		before.Credentials, body = nil, len(issuers)
		if before.Until.IsZero() || before.Until.After(now) {
			before.Until = now.UTC()
		}
		if !before.From.Before(before.Until) {
			before.From = time.Time{}
		}
		issuers = append(issuers, before)
	}
	c.Offices, c.Forms = nil, nil
	issuers[body].Credentials = append(issuers[body].Credentials, c)
	return issuers
}

// Try says whether cfg could be loaded with the list in the place of a partner's issuers at the instant now; the error is that of partners.New.
func (s Signed) Try(cfg partners.Config, partner string, now time.Time) error {
	cfg.Partners = slices.Clone(cfg.Partners)
	for i := range cfg.Partners {
		if cfg.Partners[i].ID == partner {
			s.apply(&cfg.Partners[i], cfg.Forms, now)
		}
	}
	_, err := partners.New(cfg)
	return err
}

// credentialsOf is what the document says of a credential of an issuing body: one that has retired and counts again has several entries.
func credentialsOf(p *partners.PartnerConfig, body string, x509Cert *x509.Certificate) []partners.CredentialConfig {
	var out []partners.CredentialConfig
	for _, issuer := range p.Issuers {
		for _, c := range issuer.Credentials {
			if issuer.ID == body && isOf(c, x509Cert) {
				out = append(out, c)
			}
		}
	}
	return out
}

func isOf(c partners.CredentialConfig, x509Cert *x509.Certificate) bool {
	leaf, err := c.Leaf()
	return err == nil && leaf.Equal(x509Cert)
}

func textOf(chain []*x509.Certificate) string {
	var text strings.Builder
	for _, x509Cert := range chain {
		text.Write(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: x509Cert.Raw}))
	}
	return text.String()
}

// Issuers are a partner's issuing bodies as they stand.
type Issuers struct {
	Partner string `json:"partner"`
	// List is the signed list that they were taken from; absent if an operator wrote them.
	List   *Taken `json:"list,omitempty"`
	Bodies []Body `json:"issuing_bodies"`
}

// Taken is the list that was taken last.
type Taken struct {
	Number     int       `json:"number"`
	Issued     time.Time `json:"issued"`
	NextUpdate time.Time `json:"next_update,omitzero"`
	SHA256     string    `json:"sha256"`
	// Overdue: the next list was due.
	Overdue bool `json:"overdue"`
}

// Body is an issuing body for JSON; windows and lists that are absent do not restrict.
type Body struct {
	ID          string         `json:"id"`
	Name        string         `json:"name,omitempty"`
	Country     string         `json:"country"`
	Forms       []eco.FormCode `json:"forms"`
	From        time.Time      `json:"from,omitzero"`
	Until       time.Time      `json:"until,omitzero"`
	Offices     []Office       `json:"offices,omitempty"`
	Signatories []Signatory    `json:"signatories,omitempty"`
	Credentials []Credential   `json:"credentials"`
}

// Office is an office of a body.
type Office struct {
	ID    string    `json:"id"`
	Name  string    `json:"name,omitempty"`
	From  time.Time `json:"from,omitzero"`
	Until time.Time `json:"until,omitzero"`
}

// Signatory is a person who signs for a body.
type Signatory struct {
	Name    string    `json:"name"`
	Offices []string  `json:"offices,omitempty"`
	From    time.Time `json:"from,omitzero"`
	Until   time.Time `json:"until,omitzero"`
}

// Credential signs documents in a body's name.
type Credential struct {
	Subject string         `json:"subject"`
	SHA256  string         `json:"sha256"`
	State   partners.State `json:"state"`
	Why     string         `json:"why,omitempty"`
	Offices []string       `json:"offices,omitempty"`
	Forms   []eco.FormCode `json:"forms,omitempty"`
	From    time.Time      `json:"from"`
	Until   time.Time      `json:"until"`
}

// Issuers tells which issuing bodies a partner has now, for "" our own. The error wraps partners.ErrUnknownPartner.
func (d Desk) Issuers(partner string) (Issuers, error) {
	return Of(d.Directory.Registry, partner, d.Now())
}

// Of tells which issuing bodies a partner has at the instant at, for "" our own. The error wraps partners.ErrUnknownPartner.
func Of(r *partners.Registry, partner string, at time.Time) (Issuers, error) {
	r = r.Snapshot()
	bodies, err := r.Bodies(partner)
	if err != nil {
		return Issuers{}, err
	}
	out := Issuers{Partner: partner, Bodies: []Body{}}
	p, _ := r.Partner(partner)
	if last := p.IssuerList; last.Number > 0 {
		out.List = &Taken{
			Number: last.Number, Issued: last.Issued, NextUpdate: last.NextUpdate, SHA256: last.SHA256,
			Overdue: !last.NextUpdate.IsZero() && !at.Before(last.NextUpdate),
		}
	}
	held := map[string]partners.Held{}
	for _, h := range r.Inventory(at) {
		if h.Partner == partner && h.Use == partners.UseDocumentSignature {
			held[h.Issuer+" "+signing.Fingerprint(h.X509Cert)] = h
		}
	}
	for _, b := range bodies {
		body := Body{ID: b.ID, Name: b.Name, Country: b.Country, Forms: b.Forms, From: b.From, Until: b.Until, Credentials: []Credential{}}
		for _, o := range b.Offices {
			body.Offices = append(body.Offices, Office(o))
		}
		for _, s := range b.Signatories {
			body.Signatories = append(body.Signatories, Signatory(s))
		}
		for _, c := range b.Credentials {
			x509Cert := c.Chain[0]
			h := held[b.ID+" "+signing.Fingerprint(x509Cert)]
			body.Credentials = append(body.Credentials, Credential{
				Subject: x509Cert.Subject.String(), SHA256: signing.Fingerprint(x509Cert), State: h.State, Why: h.Why, Offices: c.Offices, Forms: c.Forms,
				From: cmp.Or(c.From, x509Cert.NotBefore.UTC()), Until: cmp.Or(c.Until, x509Cert.NotAfter.UTC()),
			})
		}
		out.Bodies = append(out.Bodies, body)
	}
	return out, nil
}
