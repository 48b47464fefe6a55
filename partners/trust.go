package partners

import (
	"crypto/x509"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/ecogate/ecogate/partners/revocation"
)

// RevocationConfig says how it is known that a partner's credentials, and the CAs below its anchors, were withdrawn, and what
// becomes of them while it is not known. CRLs and OCSP responses are fetched in the background; no message waits for it.
type RevocationConfig struct {
	// Policy is revocation.None (default), Soft or Hard.
	Policy string `yaml:"policy"`
	// MaxAge is how old what is known may be: under Soft once it is past its next update, 0 for revocation.DefaultSoftMaxAge;
	// under Hard in any case, 0 for no limit but the next update.
	MaxAge time.Duration `yaml:"max_age"`
	// CRLURLs, OCSPURL and CRLFiles are where it is to be had. Without any, what the credentials name is used.
	CRLURLs  []string `yaml:"crl_urls"`
	OCSPURL  string   `yaml:"ocsp_url"`
	CRLFiles []string `yaml:"crl_files" path:"true"`
}

func (c RevocationConfig) policy() revocation.Policy {
	return revocation.Policy{Mode: revocation.Mode(c.Policy), MaxAge: c.MaxAge}
}

func (k *checker) revocation(at string, c RevocationConfig) {
	modes := []revocation.Mode{"", revocation.None, revocation.Soft, revocation.Hard}
	if !slices.Contains(modes, revocation.Mode(c.Policy)) {
		k.add(at+".policy", "%q is not %s, %s or %s", c.Policy, revocation.None, revocation.Soft, revocation.Hard)
	}
	if c.MaxAge < 0 {
		k.add(at+".max_age", "%s is less than 0", c.MaxAge)
	}
	for i, place := range c.CRLURLs {
		k.fetched(item(at+".crl_urls", i), place)
	}
	if c.OCSPURL != "" {
		k.fetched(at+".ocsp_url", c.OCSPURL)
	}
}

// fetched: CRLs and OCSP responses are signed, so http will do.
func (k *checker) fetched(key, place string) {
	u, err := url.Parse(place)
	if err != nil || u.Host == "" || u.User != nil || u.Scheme != "http" && u.Scheme != "https" {
		k.add(key, "%q is not an http or https URL", place)
	}
}

// limits are what a partner's chains must keep to beside its anchors.
type limits struct {
	policies []x509.OID
	names    []attributes
}

// noLimits allows every chain.
var noLimits limits

// attributes are what the subject of a credential must have: values by attribute type, such as "O".
type attributes map[string]string

// limits reads both lists, whose form was checked before.
func (p PartnerConfig) limits() limits {
	var l limits
	for _, text := range p.Policies {
		if oid, err := x509.ParseOID(text); err == nil {
			l.policies = append(l.policies, oid)
		}
	}
	for _, text := range p.PermittedNames {
		if name, err := parseName(text); err == nil {
			l.names = append(l.names, name)
		}
	}
	return l
}

func (k *checker) limits(at string, p PartnerConfig) {
	for i, text := range p.Policies {
		if _, err := x509.ParseOID(text); err != nil {
			k.add(item(at+".policies", i), "%q is not an object identifier such as 1.2.410.200004.5.2.1.1", text)
		}
	}
	for i, text := range p.PermittedNames {
		if _, err := parseName(text); err != nil {
			k.add(item(at+".permitted_names", i), "%v", err)
		}
	}
}

// subjectAttributes are the attribute types of names (RFC 4519) by object identifier.
var subjectAttributes = map[string]string{
	"2.5.4.3": "CN", "2.5.4.5": "SERIALNUMBER", "2.5.4.6": "C", "2.5.4.7": "L", "2.5.4.8": "ST", "2.5.4.10": "O",
	"2.5.4.11": "OU", "2.5.4.97": "ORGANIZATIONIDENTIFIER",
}

func parseName(text string) (attributes, error) {
	name := attributes{}
	for _, part := range strings.Split(text, ";") {
		kind, value, ok := strings.Cut(strings.TrimSpace(part), "=")
		kind = strings.ToUpper(kind)
		known := false
		for _, attribute := range subjectAttributes {
			known = known || attribute == kind
		}
		if !ok || !known || value == "" {
			return nil, fmt.Errorf("%q is not a name such as \"C=TW; O=Customs Administration\", of C, O, OU, CN, L, ST, SERIALNUMBER and ORGANIZATIONIDENTIFIER", text)
		}
		name[kind] = value
	}
	return name, nil
}

func (a attributes) permit(x509Cert *x509.Certificate) bool {
	for kind, value := range a {
		found := false
		for _, n := range x509Cert.Subject.Names {
			found = found || subjectAttributes[n.Type.String()] == kind && n.Value == value
		}
		if !found {
			return false
		}
	}
	return true
}

// check says why a credential does not keep to l. What CAs constrain themselves is crypto/x509's to judge.
func (l limits) check(leaf *x509.Certificate) error {
	allowed := func(oid x509.OID) bool {
		return slices.ContainsFunc(l.policies, func(own x509.OID) bool { return own.Equal(oid) })
	}
	if len(l.policies) > 0 && !slices.ContainsFunc(leaf.Policies, allowed) {
		return fmt.Errorf("has the certificate policies %v, and none of policies: %v", leaf.Policies, l.policies)
	}
	if len(l.names) > 0 && !slices.ContainsFunc(l.names, func(a attributes) bool { return a.permit(leaf) }) {
		return fmt.Errorf("has a subject that none of permitted_names allows")
	}
	return nil
}

// span is a stretch of time in which a credential chains to an anchor, with the chains that hold then.
type span struct {
	window
	chains [][]revocation.Link
}

// links are the steps of a chain of crypto/x509, which ends with an anchor.
func links(chain []*x509.Certificate) ([]revocation.Link, error) {
	var out []revocation.Link
	for i := 0; i+1 < len(chain); i++ {
		l, err := revocation.NewLink(chain[i], chain[i+1])
		if err != nil {
			return nil, err
		}
		out = append(out, l)
	}
	return out, nil
}

// judge asks what is known of t's revocation at an instant at which it counts otherwise. One chain that holds is enough.
func (t *trusted) judge(known *revocation.Known, at time.Time) revocation.Verdict {
	var v revocation.Verdict
	for _, s := range t.chains {
		if !s.contains(at) {
			continue
		}
		for _, chain := range s.chains {
			if v = known.Judge(chain, t.policy, at); v.Refused == "" {
				return v
			}
		}
	}
	return v
}

// Revocations is where what becomes known of revocations is published; every answer of r takes it into account.
func (r *Registry) Revocations() *revocation.Book { return r.data.Load().book }

// Withheld says why credentials that would count for partner and use at the instant at do not, because of what is known, or not
// known, of their revocation.
func (r *Registry) Withheld(partner string, use Use, at time.Time) []string {
	var out []string
	d := r.data.Load()
	known := d.book.Known()
	for _, t := range d.credentials[partner] {
		if t.Use != use || !t.counts(at) {
			continue
		}
		if v := t.judge(known, at); v.Refused != "" {
			out = append(out, v.Refused)
		}
	}
	return out
}

// TimeStampAnchors are the credentials or CAs of time-stamp authorities that count in a partner's documents at the instant at. known
// is false for a partner none of whose authorities are known, so that its time-stamps are not verified.
func (r *Registry) TimeStampAnchors(partner string, at time.Time) (anchors []*x509.Certificate, known bool) {
	d := r.data.Load()
	p, _ := d.partner(partner)
	anchors = slices.Clone(p.TimeStampAnchors)
	for _, t := range d.counting(partner, UseTimeStamp, at) {
		anchors = append(anchors, t.X509Cert)
	}
	isAuthority := func(t *trusted) bool { return t.Use == UseTimeStamp }
	return anchors, len(anchors) > 0 || slices.ContainsFunc(d.credentials[partner], isAuthority)
}

func (p PartnerConfig) knowsTimeStamps() bool {
	return len(p.TimeStampAnchorFiles)+len(p.TimeStampAnchors) > 0 ||
		slices.ContainsFunc(p.Credentials, func(c CredentialConfig) bool { return slices.Contains(c.Uses, UseTimeStamp) })
}

// RevocationTargets lists, for each partner whose policy is not None, what has to be known and where it is to be had.
func (r *Registry) RevocationTargets() []revocation.Target { return r.data.Load().targets }

func (l *loader) target(p PartnerConfig) {
	if mode := revocation.Mode(p.Revocation.Policy); mode == "" || mode == revocation.None {
		return
	}
	target := revocation.Target{Partner: p.ID, CRLURLs: p.Revocation.CRLURLs, CRLFiles: p.Revocation.CRLFiles, OCSPURL: p.Revocation.OCSPURL}
	for _, t := range l.data.credentials[p.ID] {
		for _, s := range t.chains {
			for _, chain := range s.chains {
				for _, link := range chain {
					if !slices.ContainsFunc(target.Links, link.Is) {
						target.Links = append(target.Links, link)
					}
				}
			}
		}
	}
	l.data.targets = append(l.data.targets, target)
}
