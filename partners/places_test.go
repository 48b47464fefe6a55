package partners_test

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/ecogate/ecogate/internal/pkitest"
	"github.com/ecogate/ecogate/partners"
)

// site is a place in the program at which a credential decides, with the question that it asks.
type site struct {
	name string
	own  bool // the credential is the node's
	use  partners.Use
	ask  func(r *partners.Registry, x509Cert *x509.Certificate, at time.Time) bool
}

// received is when the messages of the table were received that are stored, and signed that are sent again.
var received = spring.Add(days)

func contains(list []partners.Credential, x509Cert *x509.Certificate) bool {
	return slices.ContainsFunc(list, func(c partners.Credential) bool { return c.X509Cert.Equal(x509Cert) })
}

var sites = []site{
	{"a message is verified", false, partners.UseMessageSignature, func(r *partners.Registry, x509Cert *x509.Certificate, at time.Time) bool {
		return contains(r.Credentials("tw", partners.UseMessageSignature, at), x509Cert)
	}},
	{"a document is verified", false, partners.UseDocumentSignature, func(r *partners.Registry, x509Cert *x509.Certificate, at time.Time) bool {
		authority, err := r.Authority("tw", partners.IssuerQuery{Country: "TW", Body: "BODY", Form: form}, at)
		return err == nil && authority.Check(x509Cert) == nil
	}},
	{"an acknowledgment is verified", false, partners.UseMessageSignature, func(r *partners.Registry, x509Cert *x509.Certificate, at time.Time) bool {
		return contains(r.Credentials("tw", partners.UseMessageSignature, at), x509Cert)
	}},
	{"a TLS server is trusted", false, partners.UseTLSServer, func(r *partners.Registry, x509Cert *x509.Certificate, at time.Time) bool {
		state := tls.ConnectionState{PeerCertificates: []*x509.Certificate{x509Cert}}
		return r.ClientTLS("tw", func() time.Time { return at }).VerifyConnection(state) == nil
	}},
	{"a TLS client is known", false, partners.UseTLSClient, func(r *partners.Registry, x509Cert *x509.Certificate, at time.Time) bool {
		state := tls.ConnectionState{PeerCertificates: []*x509.Certificate{x509Cert}}
		return r.ServerTLS(func() time.Time { return at }).VerifyConnection(state) == nil
	}},
	{"something is encrypted", false, partners.UseEncryption, func(r *partners.Registry, x509Cert *x509.Certificate, at time.Time) bool {
		list := r.Credentials("tw", partners.UseEncryption, at)
		return len(list) > 0 && list[0].X509Cert.Equal(x509Cert)
	}},
	{"a time-stamp is verified", false, partners.UseTimeStamp, func(r *partners.Registry, x509Cert *x509.Certificate, at time.Time) bool {
		list, known := r.TimeStampAnchors("tw", at)
		return known && slices.ContainsFunc(list, x509Cert.Equal)
	}},
	{"our own key signs", true, partners.UseMessageSignature, func(r *partners.Registry, x509Cert *x509.Certificate, at time.Time) bool {
		key, err := r.Key(partners.UseMessageSignature, "", at)
		return err == nil && key.Chain[0].Equal(x509Cert)
	}},
	{"our own key signs documents", true, partners.UseDocumentSignature, func(r *partners.Registry, x509Cert *x509.Certificate, at time.Time) bool {
		key, err := r.Key(partners.UseDocumentSignature, "BODY", at)
		return err == nil && key.Chain[0].Equal(x509Cert)
	}},
	{"our own key answers as TLS server", true, partners.UseTLSServer, func(r *partners.Registry, x509Cert *x509.Certificate, at time.Time) bool {
		own, err := r.ServerTLS(func() time.Time { return at }).GetCertificate(nil)
		return err == nil && own.Leaf.Equal(x509Cert)
	}},
	{"what was signed earlier comes again", false, partners.UseMessageSignature, func(r *partners.Registry, x509Cert *x509.Certificate, at time.Time) bool {
		return contains(r.Credentials("tw", partners.UseMessageSignature, at), x509Cert)
	}},
	{"what we signed earlier is in flight", true, partners.UseMessageSignature, func(r *partners.Registry, x509Cert *x509.Certificate, at time.Time) bool {
		return contains(r.Credentials("", partners.UseMessageSignature, at), x509Cert)
	}},
	{"a stored message is verified as of its receipt", false, partners.UseMessageSignature, func(r *partners.Registry, x509Cert *x509.Certificate, _ time.Time) bool {
		return contains(r.Credentials("tw", partners.UseMessageSignature, received), x509Cert)
	}},
}

// steps are what a PartnerConfig and NodeKeys have in common.
type steps interface {
	Activate(a partners.Activation, now time.Time) error
	Retire(fingerprint string, at, now time.Time, uses ...partners.Use) error
	RollBack(fingerprint string, now time.Time) error
	Distrust(fingerprint string, since, now time.Time) error
}

// standing is how the credential of the table comes to its state at summer. It begins as active, beside next, which is staged.
type standing struct {
	name   string
	state  partners.State
	staged bool // it begins as staged, too
	steps  func(s steps, fingerprint, next string) error
	// no are the sites at which it decides nothing, which is all of them if it is nil and some is.
	yes func(site) bool
}

func everywhere(site) bool { return true }

// asOfReceipt: what was received while it counted stays verified.
func asOfReceipt(s site) bool { return s.name == "a stored message is verified as of its receipt" }

// forNothingNew: of two that count the newer one is used.
func forNothingNew(s site) bool {
	for _, name := range []string{"something is encrypted", "our own key signs", "our own key signs documents", "our own key answers as TLS server"} {
		if s.name == name {
			return false
		}
	}
	return true
}

var standings = []standing{
	{"staged", partners.StateStaged, true, func(steps, string, string) error { return nil }, func(site) bool { return false }},
	{"staged for later", partners.StateStaged, true, func(s steps, own, _ string) error {
		return s.Activate(partners.Activation{Fingerprint: own, At: summer.Add(1)}, spring)
	}, func(site) bool { return false }},
	{"active", partners.StateActive, false, func(steps, string, string) error { return nil }, everywhere},
	{"activated", partners.StateActive, true, func(s steps, own, _ string) error {
		return s.Activate(partners.Activation{Fingerprint: own, At: summer}, spring)
	}, func(s site) bool { return !asOfReceipt(s) }},
	{"retiring", partners.StateRetiring, false, func(s steps, _, next string) error {
		return s.Activate(partners.Activation{Fingerprint: next, At: summer}, spring)
	}, forNothingNew},
	{"at the end of the overlap", partners.StateRetiring, false, func(s steps, _, next string) error {
		return s.Activate(partners.Activation{Fingerprint: next, At: summer.Add(1 - partners.DefaultOverlap)}, spring)
	}, forNothingNew},
	{"replaced", partners.StateRetired, false, func(s steps, _, next string) error {
		return s.Activate(partners.Activation{Fingerprint: next, At: summer.Add(-partners.DefaultOverlap)}, spring)
	}, asOfReceipt},
	{"retired", partners.StateRetired, false, func(s steps, own, _ string) error { return s.Retire(own, summer, spring) }, asOfReceipt},
	{"gone back to", partners.StateActive, false, func(s steps, _, next string) error {
		return errors.Join(s.Activate(partners.Activation{Fingerprint: next, At: summer.Add(-days)}, spring), s.RollBack(next, summer))
	}, everywhere},
	{"rolled back", partners.StateRetired, true, func(s steps, own, next string) error {
		return errors.Join(s.Activate(partners.Activation{Fingerprint: next, At: spring.Add(days)}, spring),
			s.Activate(partners.Activation{Fingerprint: own, At: summer.Add(-days)}, spring.Add(2*days)), s.RollBack(own, summer))
	}, func(site) bool { return false }},
	{"distrusted", partners.StateRevoked, false, func(s steps, own, _ string) error { return s.Distrust(own, summer, summer) }, asOfReceipt},
	{"distrusted since before the receipt", partners.StateRevoked, false, func(s steps, own, _ string) error {
		return s.Distrust(own, received, summer)
	}, func(site) bool { return false }},
}

// TestOneResolverForEveryPlace walks each state through each place at which a credential decides.
func TestOneResolverForEveryPlace(t *testing.T) {
	w := newWorld(t)
	w.config.Agreements = nil
	for _, at := range sites {
		owner := "tw"
		if at.own {
			owner = "kr"
		}
		request := pkitest.Request{Name: "own", Use: pkitest.Use(at.use), NotBefore: spring}
		own, ownKey, ownFile := w.pki[owner].IssueFiles("own", request)
		request.Name = "next"
		next, nextKey, nextFile := w.pki[owner].IssueFiles("next", request)
		for _, s := range standings {
			t.Run(at.name+"/"+s.name, func(t *testing.T) {
				activate := ""
				if s.staged {
					activate = partners.ActivateByHand
				}
				one := &world{config: w.config}
				if at.own {
					keys := []partners.KeyConfig{
						{KeyFile: ownKey, ChainFile: ownFile, Activate: activate}, {KeyFile: nextKey, ChainFile: nextFile, Activate: partners.ActivateByHand},
					}
					one.rotateOwn(t, at.use, keys, func(k steps) error { return s.steps(k, id(own), id(next)) })
				} else {
					p := w.partner("tw")
					list := []partners.CredentialConfig{{File: ownFile, Activate: activate}, {File: nextFile, Activate: partners.ActivateByHand}}
					if at.use == partners.UseDocumentSignature {
						p.Issuers[0].Credentials = list
					} else {
						list[0].Uses, list[1].Uses = []partners.Use{at.use}, []partners.Use{at.use}
						p.Credentials = list
					}
					if err := s.steps(&p, id(own), id(next)); err != nil {
						t.Fatal(err)
					}
					one.config.Partners = []partners.PartnerConfig{p}
				}
				r := one.open(t)
				if got, want := at.ask(r, own.X509Cert, summer), s.yes(at); got != want {
					t.Errorf("%t, want %t", got, want)
				}
				i := slices.IndexFunc(r.Inventory(summer), func(h partners.Held) bool { return h.X509Cert.Equal(own.X509Cert) })
				if h := r.Inventory(summer)[i]; h.State != s.state {
					t.Errorf("it is %s, want %s", h.State, s.state)
				}
			})
		}
	}
}

// rotateOwn has the node use keys for a use, after steps.
func (w *world) rotateOwn(t *testing.T, use partners.Use, keys []partners.KeyConfig, do func(steps) error) {
	t.Helper()
	document := partners.NodeKeys{Issuers: []partners.IssuerKeys{{ID: "BODY"}}}
	if use == partners.UseDocumentSignature {
		document.Issuers[0].Keys = keys
	} else {
		for i := range keys {
			keys[i].Uses = []partners.Use{use}
		}
		document.Keys = keys
	}
	if err := do(&document); err != nil {
		t.Fatal(err)
	}
	issuer := w.config.Node.Issuers[0]
	issuer.Keys = document.Issuers[0].Keys
	w.config.Node.Keys, w.config.Node.Issuers = document.Keys, []partners.OwnIssuerConfig{issuer}
}
