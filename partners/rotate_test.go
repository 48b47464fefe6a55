package partners_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ecogate/ecogate/internal/pkitest"
	"github.com/ecogate/ecogate/partners"
	"github.com/ecogate/ecogate/signing"
)

const message = partners.UseMessageSignature

// rotation is a world in which tw has the credentials "old" for messages, which is active, and "new", which is staged; both are valid from
// spring, old until autumn.
type rotation struct {
	*world
	old, new *pkitest.Credential
}

func newRotation(t *testing.T) *rotation {
	t.Helper()
	r := &rotation{world: newWorld(t)}
	r.config.Agreements = nil
	var oldFile, newFile string
	r.old, _, oldFile = r.pki["tw"].IssueFiles("old", pkitest.Request{Name: "old", Use: pkitest.MessageSignature, NotBefore: spring, NotAfter: autumn})
	r.new, _, newFile = r.pki["tw"].IssueFiles("new", pkitest.Request{Name: "new", Use: pkitest.MessageSignature, NotBefore: spring, NotAfter: autumn.AddDate(1, 0, 0)})
	r.partner().Credentials = []partners.CredentialConfig{{Uses: []partners.Use{message}, File: oldFile}}
	r.stage(t, newFile, "")
	return r
}

func (r *rotation) partner() *partners.PartnerConfig { return &r.config.Partners[0] }

func (r *rotation) stage(t *testing.T, file, activate string) {
	t.Helper()
	s := partners.Staging{Credential: partners.CredentialConfig{Uses: []partners.Use{message}, File: file, Activate: activate}}
	if e, err := r.config.ExamineStaging("tw", s, spring); err != nil || len(e.Refused) > 0 {
		t.Fatal(err, e.Refused)
	}
	if err := r.partner().Stage(s, spring); err != nil {
		t.Fatal(err)
	}
}

func id(c *pkitest.Credential) string { return signing.Fingerprint(c.X509Cert) }

// states are those of tw's credentials for messages at an instant, such as "new active, old retiring". They have to agree with what counts.
func (w *world) states(t *testing.T, at time.Time) string {
	t.Helper()
	r := w.open(t)
	var out []string
	for _, h := range r.Inventory(at) {
		if h.Partner != "tw" || h.Use != message {
			continue
		}
		out = append(out, h.X509Cert.Subject.CommonName+" "+string(h.State))
		counts := slices.ContainsFunc(r.Credentials("tw", message, at), func(c partners.Credential) bool { return c.X509Cert.Equal(h.X509Cert) })
		if says := h.State == partners.StateActive || h.State == partners.StateRetiring; says && !counts {
			t.Errorf("%s: %s is %s and does not count", at, h.X509Cert.Subject.CommonName, h.State)
		}
	}
	slices.Sort(out)
	return strings.Join(out, ", ")
}

// edge is an instant and what is to be then.
type edge struct {
	at   time.Time
	want string
}

// around are the edges of a change at an instant: as before until the last nanosecond, as after from the instant on.
func around(at time.Time, before, after string) []edge {
	return []edge{{at.Add(-time.Hour), before}, {at.Add(-1), before}, {at, after}, {at.Add(1), after}, {at.Add(time.Hour), after}}
}

// TestStatesAtEveryEdge is the table of states: after each step, what stands where at the edges of every window.
func TestStatesAtEveryEdge(t *testing.T) {
	end := summer.Add(partners.DefaultOverlap)
	now := summer.Add(-30 * days)
	next := autumn.AddDate(1, 0, 0)
	tests := []struct {
		name  string
		steps func(p *partners.PartnerConfig, old, new string) error
		edges [][]edge
	}{
		{"staged", func(*partners.PartnerConfig, string, string) error { return nil }, [][]edge{
			around(spring, "new staged, old staged", "new staged, old active"),
			around(autumn, "new staged, old active", "new staged, old retired"),
			around(next, "new staged, old retired", "new retired, old retired"),
		}},
		{"activated at a time", func(p *partners.PartnerConfig, _, new string) error {
			return p.Activate(partners.Activation{Fingerprint: new, At: summer}, now)
		}, [][]edge{
			around(spring, "new staged, old staged", "new staged, old active"),
			around(summer, "new staged, old active", "new active, old retiring"),
			around(end, "new active, old retiring", "new active, old retired"),
			around(next, "new active, old retired", "new retired, old retired"),
		}},
		{"activated at once", func(p *partners.PartnerConfig, _, new string) error {
			return p.Activate(partners.Activation{Fingerprint: new}, summer)
		}, [][]edge{around(summer, "new staged, old active", "new active, old retiring"), around(end, "new active, old retiring", "new active, old retired")}},
		{"with an overlap of its own", func(p *partners.PartnerConfig, _, new string) error {
			return p.Activate(partners.Activation{Fingerprint: new, At: summer, Overlap: time.Hour}, now)
		}, [][]edge{{{summer, "new active, old retiring"}, {summer.Add(time.Hour - 1), "new active, old retiring"}, {summer.Add(time.Hour), "new active, old retired"}}}},
		{"with the partner's overlap", func(p *partners.PartnerConfig, _, new string) error {
			p.Overlap = 2 * days
			return p.Activate(partners.Activation{Fingerprint: new, At: summer}, now)
		}, [][]edge{around(summer.Add(2*days), "new active, old retiring", "new active, old retired")}},
		{"overlap beyond the old one's end", func(p *partners.PartnerConfig, _, new string) error {
			return p.Activate(partners.Activation{Fingerprint: new, At: autumn.Add(-days)}, now)
		}, [][]edge{around(autumn, "new active, old retiring", "new active, old retired")}},
		{"beside the old one", func(p *partners.PartnerConfig, _, new string) error {
			return p.Activate(partners.Activation{Fingerprint: new, At: summer, Keep: true}, now)
		}, [][]edge{around(summer, "new staged, old active", "new active, old active"), around(autumn, "new active, old active", "new active, old retired")}},
		{"at another time than first said", func(p *partners.PartnerConfig, _, new string) error {
			return errors.Join(p.Activate(partners.Activation{Fingerprint: new, At: summer.Add(-20 * days)}, now), p.Activate(partners.Activation{Fingerprint: new, At: summer}, now))
		}, [][]edge{around(summer, "new staged, old active", "new active, old retiring"), around(end, "new active, old retiring", "new active, old retired")}},
		{"at first use", func(p *partners.PartnerConfig, _, new string) error {
			return p.Activate(partners.Activation{Fingerprint: new, AtFirstUse: true}, now)
		}, [][]edge{around(summer, "new staged, old active", "new staged, old active"), around(next, "new staged, old retired", "new retired, old retired")}},
		{"used for the first time", func(p *partners.PartnerConfig, _, new string) error {
			return errors.Join(p.Activate(partners.Activation{Fingerprint: new, AtFirstUse: true}, now), p.UseFirst(new, message, summer, summer.Add(time.Second)))
		}, [][]edge{around(summer, "new staged, old active", "new active, old retiring"), around(end, "new active, old retiring", "new active, old retired")}},
		{"used for the first time by two messages", func(p *partners.PartnerConfig, _, new string) error {
			return errors.Join(p.Activate(partners.Activation{Fingerprint: new, AtFirstUse: true}, now),
				p.UseFirst(new, message, summer.Add(time.Second), summer.Add(time.Second)), p.UseFirst(new, message, summer, summer.Add(2*time.Second)))
		}, [][]edge{around(summer, "new staged, old active", "new active, old retiring"), around(end.Add(time.Second), "new active, old retiring", "new active, old retired")}},
		{"retired", func(p *partners.PartnerConfig, old, _ string) error { return p.Retire(old, summer, now) }, [][]edge{
			around(spring, "new staged, old staged", "new staged, old retiring"), around(summer, "new staged, old retiring", "new staged, old retired"),
		}},
		{"retired before it counted", func(p *partners.PartnerConfig, _, new string) error { return p.Retire(new, time.Time{}, now) }, [][]edge{
			around(summer, "old active", "old active"),
		}},
		{"rolled back in the overlap", func(p *partners.PartnerConfig, _, new string) error {
			return errors.Join(p.Activate(partners.Activation{Fingerprint: new, At: summer}, now), p.RollBack(new, summer.Add(days)))
		}, [][]edge{
			around(summer, "new staged, old active", "new retiring, old active"), around(summer.Add(days), "new retiring, old active", "new retired, old active"),
			around(end, "new retired, old active", "new retired, old active"), around(autumn, "new retired, old active", "new retired, old retired"),
		}},
		{"rolled back before its time", func(p *partners.PartnerConfig, _, new string) error {
			return errors.Join(p.Activate(partners.Activation{Fingerprint: new, At: summer}, now), p.RollBack(new, summer.Add(-days)))
		}, [][]edge{around(summer, "new staged, old active", "new staged, old active"), around(autumn, "new staged, old active", "new staged, old retired")}},
		{"rolled back after the overlap", func(p *partners.PartnerConfig, _, new string) error {
			return errors.Join(p.Activate(partners.Activation{Fingerprint: new, At: summer}, now), p.RollBack(new, end.Add(days)))
		}, [][]edge{
			around(end, "new retiring, old retiring, old staged", "new retiring, old retired, old staged"),
			around(end.Add(days), "new retiring, old retired, old staged", "new retired, old active, old retired"),
		}},
		{"rolled back and activated again", func(p *partners.PartnerConfig, _, new string) error {
			return errors.Join(p.Activate(partners.Activation{Fingerprint: new, At: summer}, now), p.RollBack(new, summer.Add(days)),
				p.Activate(partners.Activation{Fingerprint: new, At: summer.Add(3 * days)}, summer.Add(2*days)))
		}, [][]edge{
			around(summer.Add(days), "new retiring, new staged, old retiring", "new retired, new staged, old active"),
			around(summer.Add(3*days), "new retired, new staged, old active", "new active, new retired, old retiring"),
			around(summer.Add(17*days), "new active, new retired, old retiring", "new active, new retired, old retired"),
		}},
		{"distrusted", func(p *partners.PartnerConfig, old, _ string) error { return p.Distrust(old, summer, summer.Add(days)) }, [][]edge{
			around(summer, "new staged, old active", "new staged, old revoked"), around(autumn, "new staged, old revoked", "new staged, old revoked"),
		}},
		{"distrusted earlier than first said", func(p *partners.PartnerConfig, old, _ string) error {
			return errors.Join(p.Distrust(old, summer.Add(days), summer.Add(2*days)), p.Distrust(old, summer, summer.Add(2*days)))
		}, [][]edge{around(summer, "new staged, old active", "new staged, old revoked")}},
		{"distrusted before it was activated", func(p *partners.PartnerConfig, _, new string) error {
			return errors.Join(p.Activate(partners.Activation{Fingerprint: new, AtFirstUse: true}, now), p.Distrust(new, summer, summer))
		}, [][]edge{around(summer, "new staged, old active", "new revoked, old active")}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			r := newRotation(t)
			if err := test.steps(r.partner(), id(r.old), id(r.new)); err != nil {
				t.Fatal(err)
			}
			for _, edges := range test.edges {
				for _, e := range edges {
					if got := r.states(t, e.at); got != e.want {
						t.Errorf("%s: %s; want %s", e.at.Format(time.RFC3339Nano), got, e.want)
					}
				}
			}
		})
	}
}

// TestStepsThatAreRefusedChangeNothing: each with the error that says why.
func TestStepsThatAreRefusedChangeNothing(t *testing.T) {
	active := func(p *partners.PartnerConfig, new string) error {
		return p.Activate(partners.Activation{Fingerprint: new}, summer)
	}
	tests := []struct {
		name   string
		before func(p *partners.PartnerConfig, old, new string) error
		step   func(p *partners.PartnerConfig, old, new string) error
		is     error
		says   string
	}{
		{"unknown", nil, func(p *partners.PartnerConfig, _, _ string) error {
			return p.Retire(strings.Repeat("0", 64), summer, summer)
		}, partners.ErrUnknownCredential, "none with"},
		{"too short", nil, func(p *partners.PartnerConfig, old, _ string) error { return p.Retire(old[:15], summer, summer) }, partners.ErrUnknownCredential, "16 to 64 hexadecimal digits"},
		{"no fingerprint", nil, func(p *partners.PartnerConfig, _, _ string) error {
			return p.Retire("old.pem of the partner", summer, summer)
		}, partners.ErrUnknownCredential, "not a fingerprint"},
		{"activate what is active", nil, func(p *partners.PartnerConfig, old, _ string) error { return active(p, old) }, partners.ErrNotNow, "is active"},
		{"activate in the past", nil, func(p *partners.PartnerConfig, _, new string) error {
			return p.Activate(partners.Activation{Fingerprint: new, At: summer.Add(-1)}, summer)
		}, partners.ErrNotNow, "lies before now"},
		{"activate before its validity", nil, func(p *partners.PartnerConfig, _, new string) error {
			return p.Activate(partners.Activation{Fingerprint: new}, spring.Add(-1))
		}, partners.ErrNotNow, "valid from"},
		{"activate after its validity", nil, func(p *partners.PartnerConfig, _, new string) error {
			return p.Activate(partners.Activation{Fingerprint: new}, autumn.AddDate(1, 0, 0))
		}, partners.ErrNotNow, "valid until"},
		{"at a time and at first use", nil, func(p *partners.PartnerConfig, _, new string) error {
			return p.Activate(partners.Activation{Fingerprint: new, At: summer, AtFirstUse: true}, summer)
		}, partners.ErrNotNow, "not both"},
		{"first use of what does not wait", nil, func(p *partners.PartnerConfig, _, new string) error { return p.UseFirst(new, message, summer, summer) }, partners.ErrNotNow, "does not wait"},
		{"first use of what is activated later", func(p *partners.PartnerConfig, _, new string) error {
			return p.Activate(partners.Activation{Fingerprint: new, At: autumn.Add(-days)}, summer)
		}, func(p *partners.PartnerConfig, _, new string) error { return p.UseFirst(new, message, summer, summer) }, partners.ErrNotNow, "does not wait"},
		{"retire in the past", nil, func(p *partners.PartnerConfig, old, _ string) error { return p.Retire(old, spring, summer) }, partners.ErrNotNow, "distrusted, not retired"},
		{"retire what has retired", nil, func(p *partners.PartnerConfig, old, _ string) error { return p.Retire(old, autumn, autumn) }, partners.ErrNotNow, "has retired already"},
		{"roll back what replaced nothing", nil, func(p *partners.PartnerConfig, _, new string) error { return p.RollBack(new, summer) }, partners.ErrNotNow, "nothing to go back to"},
		{"roll back to what has ended", func(p *partners.PartnerConfig, _, new string) error { return active(p, new) },
			func(p *partners.PartnerConfig, _, new string) error { return p.RollBack(new, autumn) }, partners.ErrNotNow, "nothing to go back to"},
		{"roll back to what is distrusted", func(p *partners.PartnerConfig, old, new string) error {
			return errors.Join(active(p, new), p.Distrust(old, summer, summer))
		}, func(p *partners.PartnerConfig, _, new string) error { return p.RollBack(new, summer) }, partners.ErrNotNow, "nothing to go back to"},
		{"activate what is distrusted", func(p *partners.PartnerConfig, _, new string) error { return p.Distrust(new, summer, summer) },
			func(p *partners.PartnerConfig, _, new string) error { return active(p, new) }, partners.ErrNotNow, "is distrusted"},
		{"distrust in the future", nil, func(p *partners.PartnerConfig, old, _ string) error { return p.Distrust(old, summer.Add(1), summer) }, partners.ErrNotNow, "lies after now"},
		{"distrust later than it is", func(p *partners.PartnerConfig, old, _ string) error { return p.Distrust(old, spring, summer) },
			func(p *partners.PartnerConfig, old, _ string) error { return p.Distrust(old, summer, summer) }, partners.ErrNotNow, "already"},
		{"stage what is there", nil, func(p *partners.PartnerConfig, _, _ string) error {
			return p.Stage(partners.Staging{Credential: p.Credentials[0]}, summer)
		}, partners.ErrNotNow, "is there already"},
		{"stage for no body", nil, func(p *partners.PartnerConfig, _, _ string) error {
			return p.Stage(partners.Staging{Credential: p.Credentials[0], Body: "NONE"}, summer)
		}, partners.ErrUnknownBody, "NONE"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			r := newRotation(t)
			p := r.partner()
			if test.before != nil {
				if err := test.before(p, id(r.old), id(r.new)); err != nil {
					t.Fatal(err)
				}
			}
			was := fmt.Sprintf("%+v", *p)
			err := test.step(p, id(r.old), id(r.new))
			if !errors.Is(err, test.is) || !strings.Contains(err.Error(), test.says) {
				t.Errorf("got %v; want %v with %q", err, test.is, test.says)
			}
			if is := fmt.Sprintf("%+v", *p); is != was {
				t.Errorf("changed from %s\nto %s", was, is)
			}
		})
	}
}

// A credential for several uses goes on for those that the new one is not for.
func TestOnlyTheSharedUsesAreReplaced(t *testing.T) {
	w := newWorld(t)
	w.config.Agreements = nil
	p := &w.config.Partners[0]
	issue := func(name string) (*pkitest.Credential, string) {
		c, _, file := w.pki["tw"].IssueFiles(name, pkitest.Request{Name: name})
		return c, file
	}
	old, oldFile := issue("old")
	next, newFile := issue("new")
	p.Credentials = []partners.CredentialConfig{{Uses: transportUses, File: oldFile}}
	if err := p.Stage(partners.Staging{Credential: partners.CredentialConfig{Uses: []partners.Use{message}, File: newFile}}, summer); err != nil {
		t.Fatal(err)
	}
	caller := p.Credentials
	if err := p.Activate(partners.Activation{Fingerprint: id(next)[:16]}, summer); err != nil {
		t.Fatal(err)
	}
	if caller[0].RetireAt != (time.Time{}) || len(caller[0].Uses) != len(transportUses) {
		t.Error("the caller's list was changed")
	}
	after := summer.Add(partners.DefaultOverlap)
	r := w.open(t)
	for _, use := range transportUses {
		if got, want := counts(t, r, "tw", use, old, after), use != message; got != want {
			t.Errorf("%s: old counts %t", use, got)
		}
		if got, want := counts(t, r, "tw", use, next, after), use == message; got != want {
			t.Errorf("%s: new counts %t", use, got)
		}
	}
	if err := p.RollBack(id(next), after); err != nil {
		t.Fatal(err)
	}
	if !counts(t, w.open(t), "tw", message, old, after) {
		t.Error("rolled back, and old does not count")
	}
}

// An issuing body's credential stands in each of its entries.
func TestIssuingBodysCredentialIsReplaced(t *testing.T) {
	w := newWorld(t)
	p := &w.config.Partners[0]
	second := p.Issuers[0]
	second.Forms = append(second.Forms[:0:0], otherForm)
	p.Issuers = append(p.Issuers, second)
	next, _, file := w.pki["tw"].IssueFiles("new", pkitest.Request{Name: "new", Use: pkitest.DocumentSignature})
	if err := p.Stage(partners.Staging{Credential: partners.CredentialConfig{File: file}, Body: "BODY"}, summer); err != nil {
		t.Fatal(err)
	}
	if err := p.Activate(partners.Activation{Fingerprint: id(next), At: autumn}, summer); err != nil {
		t.Fatal(err)
	}
	r := w.open(t)
	for _, of := range []partners.IssuerQuery{{Country: "TW", Body: "BODY", Form: form}, {Country: "TW", Body: "BODY", Form: otherForm}} {
		for _, test := range []struct {
			at   time.Time
			want string
		}{{autumn.Add(-1), "tw document-signature"}, {autumn, "new,tw document-signature"}, {autumn.Add(partners.DefaultOverlap), "new"}} {
			got, err := r.Authority("tw", of, test.at)
			if err != nil || names(got.Credentials) != test.want {
				t.Errorf("%s at %s: %s, %v; want %s", of.Form, test.at, names(got.Credentials), err, test.want)
			}
		}
	}
}

// Whoever has a key signs for every credential of it.
func TestDistrustIsOfTheKey(t *testing.T) {
	r := newRotation(t)
	again := r.pki["tw"].Must(r.pki["tw"].Issue(pkitest.Request{Name: "again", Use: pkitest.MessageSignature, Key: r.old.Key, NotBefore: spring, NotAfter: autumn.AddDate(2, 0, 0)}))
	_, file := r.pki["tw"].Write(again, "again")
	r.stage(t, file, "")
	if err := errors.Join(r.partner().Activate(partners.Activation{Fingerprint: id(again), Keep: true}, spring.Add(days)), r.partner().Distrust(id(r.old), summer, summer)); err != nil {
		t.Fatal(err)
	}
	if got, want := r.states(t, summer.Add(-1)), "again active, new staged, old active"; got != want {
		t.Errorf("%s; want %s", got, want)
	}
	if got, want := r.states(t, summer), "again revoked, new staged, old revoked"; got != want {
		t.Errorf("%s; want %s", got, want)
	}
	for _, c := range r.open(t).Credentials("tw", message, summer.Add(-1)) {
		if !c.Distrusted.Equal(summer) {
			t.Errorf("%s counted before and is not marked", c.X509Cert.Subject.CommonName)
		}
	}
	// Nor is a third one of the same key taken, or one that a document says nothing of itself.
	third := r.pki["tw"].Must(r.pki["tw"].Issue(pkitest.Request{Name: "third", Use: pkitest.MessageSignature, Key: r.old.Key, NotBefore: spring, NotAfter: autumn}))
	_, file = r.pki["tw"].Write(third, "third")
	c := partners.CredentialConfig{Uses: []partners.Use{message}, File: file}
	e, err := r.config.ExamineStaging("tw", partners.Staging{Credential: c}, summer)
	if err != nil || !containsAll(strings.Join(e.Refused, "; "), []string{"has the key of", "distrusted since 2026-07-01"}) {
		t.Errorf("%v, %v", e.Refused, err)
	}
	r.partner().Credentials = append(r.partner().Credentials, c)
	if got, want := r.states(t, summer), "again revoked, new staged, old revoked, third revoked"; got != want {
		t.Errorf("%s; want %s", got, want)
	}
}

// TestRetiringOneUse: a credential that counts for one use and waits for another is not ended by guessing which is meant.
func TestRetiringOneUse(t *testing.T) {
	r := newRotation(t)
	both, _, file := r.pki["tw"].IssueFiles("both", pkitest.Request{Name: "both", Use: pkitest.MessageSignature, NotBefore: spring, NotAfter: autumn})
	c := partners.CredentialConfig{Uses: []partners.Use{partners.UseIssuerList, partners.UseTLSClient}, File: file}
	r.partner().Credentials = append(r.partner().Credentials, c)
	r.stage(t, file, "")
	fingerprint := id(both)
	counts := func() (uses []partners.Use, waiting bool) {
		for _, c := range r.partner().Credentials {
			if c.File != file {
				continue
			}
			waiting = waiting || c.Activate != ""
			if c.Activate == "" && c.RetireAt.IsZero() {
				uses = append(uses, c.Uses...)
			}
		}
		return uses, waiting
	}
	err := r.partner().Retire(fingerprint, time.Time{}, summer)
	if !errors.Is(err, partners.ErrNotNow) || !strings.Contains(err.Error(), "counts for issuer-list, tls-client and waits for message-signature") {
		t.Errorf("error %v", err)
	}
	if err := r.partner().Retire(fingerprint, time.Time{}, summer, message); err != nil {
		t.Fatal(err)
	}
	if uses, waiting := counts(); len(uses) != 2 || waiting {
		t.Errorf("counts for %v, waits: %t", uses, waiting)
	}
	if err := r.partner().Retire(fingerprint, time.Time{}, summer, partners.UseTLSClient); err != nil {
		t.Fatal(err)
	}
	if uses, _ := counts(); len(uses) != 1 || uses[0] != partners.UseIssuerList {
		t.Errorf("counts for %v", uses)
	}
	if err := r.partner().Retire(fingerprint, time.Time{}, summer, partners.UseTLSServer); !errors.Is(err, partners.ErrNotNow) {
		t.Errorf("error %v", err)
	}
}

// TestWhatHasEndedIsNotStaged: neither of a partner nor of the node.
func TestWhatHasEndedIsNotStaged(t *testing.T) {
	r := newRotation(t)
	_, keyFile, chainFile := r.pki["kr"].IssueFiles("ended", pkitest.Request{Name: "ended", Use: pkitest.MessageSignature, NotBefore: spring, NotAfter: summer})
	keys := partners.NodeKeys{Keys: r.config.Node.Keys}
	key := partners.KeyConfig{Uses: []partners.Use{message}, KeyFile: keyFile, ChainFile: chainFile}
	if err := keys.Stage("", key, summer); !errors.Is(err, partners.ErrNotNow) || !strings.Contains(err.Error(), "has ended") {
		t.Errorf("own key: error %v", err)
	}
	_, _, file := r.pki["tw"].IssueFiles("ended", pkitest.Request{Name: "ended", Use: pkitest.MessageSignature, NotBefore: spring, NotAfter: summer})
	s := partners.Staging{Credential: partners.CredentialConfig{Uses: []partners.Use{message}, File: file}}
	for _, test := range []struct {
		at   time.Time
		ends bool
	}{{summer.Add(-1), false}, {summer, true}} {
		e, err := r.config.ExamineStaging("tw", s, test.at)
		if err != nil || strings.Contains(strings.Join(e.Refused, "; "), "it has ended") != test.ends {
			t.Errorf("%v: %v, %v", test.at, e.Refused, err)
		}
	}
}

// TestOwnKeyIsReplaced: the new key signs from its instant on, the old one counts on for what is in flight.
func TestOwnKeyIsReplaced(t *testing.T) {
	for _, use := range []partners.Use{partners.UseMessageSignature, partners.UseDocumentSignature} {
		t.Run(string(use), func(t *testing.T) {
			w := newWorld(t)
			next, keyFile, chainFile := w.pki["kr"].IssueFiles("new", pkitest.Request{Name: "new", Use: pkitest.Use(use)})
			key := partners.KeyConfig{Uses: []partners.Use{use}, KeyFile: keyFile, ChainFile: chainFile, Activate: partners.ActivateByHand}
			body := ""
			keys := partners.NodeKeys{Keys: w.config.Node.Keys, Issuers: []partners.IssuerKeys{{ID: "BODY", Keys: w.config.Node.Issuers[0].Keys}}}
			if use == partners.UseDocumentSignature {
				body = "BODY"
				keys.Issuers[0].Keys = append(slices.Clone(keys.Issuers[0].Keys), key)
			} else {
				keys.Keys = append(slices.Clone(keys.Keys), key)
			}
			signer := func(at time.Time) string {
				w.config.Node.Keys, w.config.Node.Issuers[0].Keys = keys.Keys, keys.Issuers[0].Keys
				key, err := w.open(t).Key(use, body, at)
				if err != nil {
					return err.Error()
				}
				return key.Chain[0].Subject.CommonName
			}
			old, staged := "kr "+string(use), id(next)
			if got := signer(summer); got != old {
				t.Errorf("staged: %s signs", got)
			}
			if err := keys.Activate(partners.Activation{Fingerprint: staged, AtFirstUse: true}, spring); !errors.Is(err, partners.ErrNotNow) {
				t.Errorf("at first use: %v", err)
			}
			if err := keys.Activate(partners.Activation{Fingerprint: staged, At: summer}, spring); err != nil {
				t.Fatal(err)
			}
			for _, e := range []edge{{summer.Add(-1), old}, {summer, "new"}, {summer.Add(partners.DefaultOverlap), "new"}} {
				if got := signer(e.at); got != e.want {
					t.Errorf("%s: %s signs, want %s", e.at, got, e.want)
				}
			}
			if got, want := names(w.open(t).Credentials("", use, summer)), "new,"+old; got != want {
				t.Errorf("in the overlap %s count, want %s", got, want)
			}
			if err := keys.RollBack(staged, summer.Add(days)); err != nil {
				t.Fatal(err)
			}
			for _, e := range []edge{{summer, "new"}, {summer.Add(days), old}, {summer.Add(30 * days), old}} {
				if got := signer(e.at); got != e.want {
					t.Errorf("rolled back, %s: %s signs, want %s", e.at, got, e.want)
				}
			}
			if err := keys.Distrust(id(w.issued["kr"][use]), summer.Add(2*days), summer.Add(2*days)); err != nil {
				t.Fatal(err)
			}
			if got := signer(summer.Add(2 * days)); !strings.Contains(got, "no key of this node counts") {
				t.Errorf("distrusted: %s signs", got)
			}
			if err := keys.Retire(staged, time.Time{}, summer); !errors.Is(err, nil) {
				t.Errorf("retire: %v", err)
			}
		})
	}
}

// TestClocksThatDiffer: the partner goes over to its new credential at summer by its own clock.
func TestClocksThatDiffer(t *testing.T) {
	const skew = 5 * time.Minute
	r := newRotation(t)
	if err := r.partner().Activate(partners.Activation{Fingerprint: id(r.new), At: summer}, spring); err != nil {
		t.Fatal(err)
	}
	dated := r.open(t)
	if got := names(dated.Credentials("tw", message, summer.Add(skew))); got != "new,old" {
		t.Errorf("its clock is behind, so that it signs with old still: %s count", got)
	}
	if got := names(dated.Credentials("tw", message, summer.Add(-skew))); got != "old" {
		t.Errorf("its clock is ahead, and new never verifies before its time: %s count", got)
	}
	// Our own clock is set back: the state is that of the instant, and nothing remembers another.
	if got := r.states(t, summer.Add(-skew)); got != "new staged, old active" {
		t.Errorf("set back: %s", got)
	}
	// Who does not know when leaves it to the first message.
	if err := r.partner().Activate(partners.Activation{Fingerprint: id(r.new), AtFirstUse: true}, spring); err != nil {
		t.Fatal(err)
	}
	waiting := r.open(t)
	for _, at := range []time.Time{spring, summer.Add(-skew), summer.Add(skew)} {
		if got := names(waiting.Credentials("tw", message, at)); got != "old" {
			t.Errorf("%s: %s count", at, got)
		}
		if got := names(waiting.Awaiting("tw", message, at)); got != "new" {
			t.Errorf("%s: %s waits", at, got)
		}
	}
	for _, at := range []time.Time{spring.Add(-1), autumn.AddDate(1, 0, 0)} {
		if got := names(waiting.Awaiting("tw", message, at)); got != "" {
			t.Errorf("%s: outside its validity %s waits", at, got)
		}
	}
	if got := names(waiting.Awaiting("my", message, summer)) + names(waiting.Awaiting("tw", partners.UseTLSClient, summer)); got != "" {
		t.Errorf("%s waits for another partner, or another use", got)
	}
}

// TestFirstUseIsOfWhatWaitsForIt: a message shows that its signature is used, and nothing else of the same credential.
func TestFirstUseIsOfWhatWaitsForIt(t *testing.T) {
	for _, other := range []partners.CredentialConfig{
		{Uses: []partners.Use{partners.UseTLSClient}, Activate: partners.ActivateByHand},
		{Uses: []partners.Use{partners.UseTLSClient}, RetireAt: summer.Add(-days)},
		{Uses: []partners.Use{partners.UseIssuerList}, Activate: partners.ActivateByHand},
	} {
		r := newRotation(t)
		p := r.partner()
		own := &p.Credentials[1]
		own.Activate, other.File = partners.ActivateAtFirstUse, own.File
		p.Credentials = append(p.Credentials, other)
		if err := p.UseFirst(id(r.new), message, summer, summer); err != nil {
			t.Fatal(err)
		}
		if got := r.states(t, summer.Add(1)); got != "new active, old retiring" {
			t.Errorf("for messages: %s", got)
		}
		if got := r.open(t).Credentials("tw", other.Uses[0], summer.Add(1)); len(got) > 0 {
			t.Errorf("%q counts for %s since a message came", got[0].X509Cert.Subject, other.Uses[0])
		}
		if err := p.UseFirst(id(r.new), other.Uses[0], summer, summer); !errors.Is(err, partners.ErrNotNow) {
			t.Errorf("first use for %s: %v", other.Uses[0], err)
		}
	}
}

// A key that is distrusted before it has counted is not forgotten with its credential.
func TestDistrustedStagedCredentialIsNotForgotten(t *testing.T) {
	r := newRotation(t)
	p := r.partner()
	if err := p.Distrust(id(r.new), summer, summer); err != nil {
		t.Fatal(err)
	}
	if err := p.Retire(id(r.new), time.Time{}, summer); !errors.Is(err, partners.ErrNotNow) {
		t.Errorf("%v", err)
	}
	if err := p.Activate(partners.Activation{Fingerprint: id(r.new)}, summer); !errors.Is(err, partners.ErrNotNow) {
		t.Errorf("activated: %v", err)
	}
}
