package announcement_test

import (
	"context"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ecogate/ecogate/eco"
	"github.com/ecogate/ecogate/internal/pkitest"
	"github.com/ecogate/ecogate/partners"
	"github.com/ecogate/ecogate/partners/announcement"
	"github.com/ecogate/ecogate/signing"
)

// desk is node "kr" with the partners "tw" and "my", and what it makes of announcements of "tw".
type desk struct {
	*announcement.Desk
	t      *testing.T
	config partners.Config
	now    time.Time
	pki    map[string]*pkitest.Test
	edits  int
}

func newDesk(t *testing.T) *desk {
	t.Helper()
	d := &desk{t: t, now: now, pki: map[string]*pkitest.Test{}}
	for _, id := range []string{"kr", "tw", "my"} {
		d.pki[id] = pkitest.NewTest(t, pkitest.Options{Country: strings.ToUpper(id), Organisation: "Customs " + id})
		for _, use := range []pkitest.Use{pkitest.MessageSignature, pkitest.DocumentSignature} {
			d.pki[id].IssueFiles(string(use), pkitest.Request{Name: id + " " + string(use), Use: use, NotBefore: now.AddDate(-1, 0, 0), NotAfter: now.AddDate(1, 0, 0)})
		}
	}
	file := func(id, name string) string { return filepath.Join(d.pki[id].Dir, name) }
	d.config.Node = partners.NodeConfig{ID: "kr", Country: "KR", PartyIDs: []partners.PartyID{{Value: "urn:customs:kr"}}}
	d.config.Node.Keys = []partners.KeyConfig{{Uses: []partners.Use{partners.UseMessageSignature}, KeyFile: file("kr", "message-signature.key"), ChainFile: file("kr", "message-signature.pem")}}
	for _, id := range []string{"tw", "my"} {
		d.config.Partners = append(d.config.Partners, partners.PartnerConfig{
			ID: id, Country: strings.ToUpper(id), PartyIDs: []partners.PartyID{{Value: "urn:customs:" + id}},
			AnchorFiles: []string{file(id, "root.pem")},
			Credentials: []partners.CredentialConfig{{Uses: []partners.Use{partners.UseMessageSignature}, File: file(id, "message-signature.pem")}},
			Issuers: []partners.IssuerConfig{{ID: "BODY", Forms: []eco.FormCode{eco.FormNonPreferential},
				Credentials: []partners.CredentialConfig{{File: file(id, "document-signature.pem")}}}},
		})
	}
	d.Desk = &announcement.Desk{
		Config: func() partners.Config { return d.config },
		Edit: func(_ context.Context, e partners.Edit, partner string, change func(*partners.PartnerConfig) error) (partners.Entry, error) {
			i := slices.IndexFunc(d.config.Partners, func(p partners.PartnerConfig) bool { return p.ID == partner })
			next := d.config
			next.Partners = slices.Clone(next.Partners)
			if err := change(&next.Partners[i]); err != nil {
				return partners.Entry{}, err
			}
			if _, err := partners.New(next); err != nil {
				return partners.Entry{}, err
			}
			d.edits++
			if d.config.SecondOperator && e.By != partners.ByNode {
				return partners.Entry{}, &partners.Proposed{Proposal: partners.Proposal{Number: 7}}
			}
			d.config = next
			return partners.Entry{}, nil
		},
		Now: func() time.Time { return d.now },
	}
	return d
}

// announce is what "tw" announces of keys, as it is read.
func (d *desk) announce(number int64, list ...partners.Successor) announcement.Announcement {
	d.t.Helper()
	_, document, err := announcement.Of(partners.Self{PartyIDs: []partners.PartyID{{Value: "urn:customs:tw"}}}, list, time.Unix(number, 0))
	if err != nil {
		d.t.Fatal(err)
	}
	a, err := announcement.Read(document, signing.Policy{})
	if err != nil {
		d.t.Fatal(err)
	}
	return a
}

func (d *desk) next(id, name string) partners.Successor {
	return partners.Successor{
		Key: keyOf(d.t, d.pki[id], name, pkitest.MessageSignature), Uses: []partners.Use{partners.UseMessageSignature}, From: from, OldUntil: from.AddDate(0, 0, 14),
	}
}

// want holds what becomes of an announcement to results, each with a part of its reasons, such as "refused: chain".
func (d *desk) want(a announcement.Announcement, results ...string) {
	d.t.Helper()
	outcomes, err := d.Take(context.Background(), "tw", "tw", a, false)
	if err != nil || len(outcomes) != len(results) {
		d.t.Fatalf("outcomes %+v, %v, want %q", outcomes, err, results)
	}
	for i, want := range results {
		result, reason, _ := strings.Cut(want, ": ")
		o := outcomes[i]
		if string(o.Result) != result || !strings.Contains(strings.Join(o.Reasons, "; "), reason) || (o.Result == announcement.ResultRefused) != (o.Told != "") {
			d.t.Errorf("outcome %d is %+v, want %q", i, o, want)
		}
	}
}

// states are those of the message credentials of "tw" at an instant, by common name.
func (d *desk) states(at time.Time) map[string]partners.State {
	d.t.Helper()
	registry, err := partners.New(d.config)
	if err != nil {
		d.t.Fatal(err)
	}
	out := map[string]partners.State{}
	for _, h := range registry.Inventory(at) {
		if h.Partner == "tw" && h.Use == partners.UseMessageSignature {
			out[h.X509Cert.Subject.CommonName] = h.State
		}
	}
	return out
}

func TestAnnouncedCredentialCountsFromItsDate(t *testing.T) {
	d := newDesk(t)
	a := d.announce(10, d.next("tw", "new"))
	d.want(a, "staged")
	for _, test := range []struct {
		at       time.Time
		old, new partners.State
	}{
		{now, partners.StateActive, partners.StateStaged},
		{from.Add(-time.Second), partners.StateActive, partners.StateStaged},
		{from, partners.StateRetiring, partners.StateActive},
		{from.AddDate(0, 0, 14).Add(-time.Second), partners.StateRetiring, partners.StateActive},
		{from.AddDate(0, 0, 14), partners.StateRetired, partners.StateActive},
	} {
		if got := d.states(test.at); got["tw message-signature"] != test.old || got["new"] != test.new {
			t.Errorf("at %s: %v", test.at, got)
		}
	}
	d.want(a, "staged")
	if _, err := d.Take(context.Background(), "tw", "tw", d.announce(9, d.next("tw", "new")), false); !errors.Is(err, announcement.ErrOld) {
		t.Errorf("older number: %v", err)
	}
	older := a
	older.Number = 9
	if _, err := d.Take(context.Background(), "tw", "tw", older, true); !errors.Is(err, announcement.ErrOld) {
		t.Errorf("older number about what is there: %v", err)
	}
	if d.edits != 1 || d.config.Partners[0].Announced != 10 {
		t.Errorf("%d edits, announced %d", d.edits, d.config.Partners[0].Announced)
	}
}

func TestLaterAnnouncementGivesAnotherDate(t *testing.T) {
	d := newDesk(t)
	s := d.next("tw", "new")
	d.want(d.announce(10, s), "staged")
	s.From, s.OldUntil = s.From.AddDate(0, 0, 7), s.OldUntil.AddDate(0, 0, 7)
	d.want(d.announce(11, s), "staged")
	if got := d.states(from); got["new"] != partners.StateStaged || got["tw message-signature"] != partners.StateActive {
		t.Errorf("at the first date: %v", got)
	}
	if got := d.states(s.From); got["new"] != partners.StateActive || d.states(s.OldUntil)["tw message-signature"] != partners.StateRetired {
		t.Errorf("at the second date: %v", got)
	}
}

func TestAnnouncementThatComesLateCountsAtOnce(t *testing.T) {
	d := newDesk(t)
	a := d.announce(10, d.next("tw", "new"))
	d.now = from.AddDate(0, 0, 1)
	d.want(a, "staged")
	if d.states(d.now.Add(-time.Second))["new"] != partners.StateStaged || d.states(d.now)["new"] != partners.StateActive {
		t.Error("it counts before it came, or not from then on")
	}
}

func TestOperatorIsToldOfAnAnnouncement(t *testing.T) {
	for _, test := range []struct {
		setting string
		second  bool
		want    string
		edits   int
	}{
		{"", false, "staged", 1}, {"", true, "told: waits as proposal 7", 1}, {partners.AnnouncementsTell, false, "told", 0},
		{partners.AnnouncementsTell, true, "told: waits as proposal 7", 1}, {partners.AnnouncementsStage, true, "staged", 1},
	} {
		d := newDesk(t)
		d.config.Partners[0].Announcements, d.config.SecondOperator = test.setting, test.second
		a := d.announce(10, d.next("tw", "new"))
		if _, err := d.Take(context.Background(), "tw", "tw", a, true); err != nil || d.edits != 0 {
			t.Errorf("dry run: %v, %d edits", err, d.edits)
		}
		d.want(a, test.want)
		if _, staged := d.states(now)["new"]; staged != (test.want == "staged") || d.edits != test.edits {
			t.Errorf("setting %q, second operator %v: staged %v, %d edits", test.setting, test.second, staged, d.edits)
		}
	}
}

func TestAnnouncedCredentialIsRefused(t *testing.T) {
	d := newDesk(t)
	unproven := d.announce(10, d.next("tw", "unproven"))
	unproven.Credentials[0].Proven = false
	d.want(unproven, "refused: no signature of this credential's key")
	d.want(d.announce(10, d.next("my", "of another PKI")), "refused: does not chain to the partner's anchors")
	stolen := d.pki["my"].Must(d.pki["my"].Issue(pkitest.Request{Name: "stolen", Use: pkitest.MessageSignature, NotBefore: now.AddDate(-1, 0, 0), NotAfter: now.AddDate(1, 0, 0)}))
	_, d.config.Partners[1].Credentials[0].File = d.pki["my"].Write(stolen, "stolen")
	theirs := d.next("tw", "key of another partner")
	copied := d.pki["tw"].Must(d.pki["tw"].Issue(pkitest.Request{Name: "copied", Use: pkitest.MessageSignature, Key: stolen.Key, NotBefore: now.AddDate(-1, 0, 0), NotAfter: now.AddDate(1, 0, 0)}))
	theirs.Key = signing.Key{Signer: copied.Key, Chain: copied.Chain}
	d.want(d.announce(10, theirs), "refused: the same key is configured for partner")
	body := d.next("tw", "body")
	body.Uses, body.Body = []partners.Use{partners.UseDocumentSignature}, "NONE"
	d.want(d.announce(10, body, d.next("tw", "good")), "refused: NONE", "staged")
	late := d.next("tw", "over")
	late.From, late.OldUntil = now.AddDate(3, 0, 0), time.Time{}
	d.want(d.announce(11, late), "refused: it is not valid when it is to be active")
	d.want(d.announce(10, d.next("tw", "same number")), "refused: another announcement had this number")
	if got := d.states(now); len(got) != 2 {
		t.Errorf("there are %v", got)
	}

	a := d.announce(9, d.next("tw", "old number"))
	if _, err := d.Take(context.Background(), "tw", "tw", a, false); !errors.Is(err, announcement.ErrOld) {
		t.Errorf("older number: %v", err)
	}
	if _, err := d.Take(context.Background(), "my", "my", d.announce(12, d.next("my", "x")), false); !errors.Is(err, announcement.ErrParty) {
		t.Errorf("of another party: %v", err)
	}
	if _, err := d.Take(context.Background(), "xx", "xx", a, false); !errors.Is(err, partners.ErrUnknownPartner) {
		t.Errorf("of nobody: %v", err)
	}
	ahead := d.announce(now.Add(25*time.Hour).Unix(), d.next("tw", "ahead"))
	if _, err := d.Take(context.Background(), "tw", "tw", ahead, false); !errors.Is(err, announcement.ErrAhead) {
		t.Errorf("a number of another day: %v", err)
	}
}

// A key that may not sign proves nothing: whoever has the partner's key for messages could announce it for somebody else with the same CA.
func TestKeyWithoutProofIsLeftToAnOperator(t *testing.T) {
	for _, second := range []bool{false, true} {
		d := newDesk(t)
		d.config.SecondOperator, d.config.Partners[0].Announcements = second, partners.AnnouncementsStage
		s := d.next("tw", "new")
		s.Key, s.Uses = keyOf(t, d.pki["tw"], "for encryption", pkitest.Encryption), []partners.Use{partners.UseEncryption}
		a := d.announce(10, s, d.next("tw", "beside"))
		if a.Credentials[0].CanSign() {
			t.Fatal("the key may sign")
		}
		d.want(a, "told: stage it by hand", "staged")
		if registry, err := partners.New(d.config); err != nil || len(registry.Credentials("tw", partners.UseEncryption, from)) != 0 {
			t.Errorf("it counts, %v", err)
		}
	}
}

// Who brings a file waits for another operator, whoever wrote the file.
func TestWhoBringsAnAnnouncementAsksForIt(t *testing.T) {
	d := newDesk(t)
	d.config.SecondOperator = true
	edit, by := d.Edit, ""
	d.Edit = func(ctx context.Context, e partners.Edit, partner string, change func(*partners.PartnerConfig) error) (partners.Entry, error) {
		by = e.By
		return edit(ctx, e, partner, change)
	}
	if _, err := d.Take(context.Background(), "night-shift", "tw", d.announce(10, d.next("tw", "new")), false); err != nil || by != "night-shift" {
		t.Errorf("asked for by %q, %v", by, err)
	}
}

func TestRetiredCredentialIsNotAnnouncedBack(t *testing.T) {
	d := newDesk(t)
	s := d.next("tw", "new")
	d.want(d.announce(10, s), "staged")
	if err := d.config.Partners[0].Distrust(signing.Fingerprint(s.Key.Chain[0]), now, now); err != nil {
		t.Fatal(err)
	}
	d.want(d.announce(11, s), "refused: has retired or is revoked")
}

func TestCopiesOfAnAnnouncementAreStagedOnce(t *testing.T) {
	d := newDesk(t)
	a := d.announce(10, d.next("tw", "new"))
	results := make(chan []announcement.Outcome)
	for range 8 {
		go func() {
			outcomes, _ := d.Take(context.Background(), "tw", "tw", a, false)
			results <- outcomes
		}()
	}
	for range 8 {
		if outcomes := <-results; len(outcomes) != 1 || outcomes[0].Result != announcement.ResultStaged {
			t.Errorf("outcomes %+v", outcomes)
		}
	}
	if d.edits != 1 {
		t.Errorf("%d edits", d.edits)
	}
}

func TestCredentialOfAnIssuingBodyIsAnnounced(t *testing.T) {
	d := newDesk(t)
	s := partners.Successor{
		Key: keyOf(t, d.pki["tw"], "new body", pkitest.DocumentSignature), Uses: []partners.Use{partners.UseDocumentSignature}, Body: "BODY", From: from, OldUntil: from.AddDate(0, 0, 14),
	}
	d.want(d.announce(10, s, d.next("tw", "new")), "staged", "staged")
	registry, err := partners.New(d.config)
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		at   time.Time
		want string
	}{
		{now, "tw document-signature"}, {from, "new body,tw document-signature"}, {from.AddDate(0, 0, 14), "new body"},
	} {
		var names []string
		for _, c := range registry.Credentials("tw", partners.UseDocumentSignature, test.at) {
			names = append(names, c.X509Cert.Subject.CommonName)
		}
		if got := strings.Join(names, ","); got != test.want {
			t.Errorf("at %s %q count, want %q", test.at, got, test.want)
		}
	}
}

// A partner that announces a credential for one use says nothing about another from which an operator has it retired, or for which he has it
// wait.
func TestAnnouncementOfOneUseLeavesTheOthers(t *testing.T) {
	for name, before := range map[string]func(p *partners.PartnerConfig, fingerprint string) error{
		"retired": func(p *partners.PartnerConfig, fingerprint string) error {
			if err := p.Activate(partners.Activation{Fingerprint: fingerprint, Keep: true}, now.AddDate(0, 0, -2)); err != nil {
				return err
			}
			return p.Retire(fingerprint, time.Time{}, now.AddDate(0, 0, -1))
		},
		"staged": func(*partners.PartnerConfig, string) error { return nil },
	} {
		t.Run(name, func(t *testing.T) {
			d := newDesk(t)
			s := d.next("tw", "new")
			p := &d.config.Partners[0]
			text, err := pemOf(s.Key.Chain)
			if err != nil {
				t.Fatal(err)
			}
			if err := p.Stage(partners.Staging{Credential: partners.CredentialConfig{Uses: s.Uses, PEM: text}}, now.AddDate(0, 0, -3)); err != nil {
				t.Fatal(err)
			}
			if err := before(p, signing.Fingerprint(s.Key.Chain[0])); err != nil {
				t.Fatal(err)
			}
			s.Uses = []partners.Use{partners.UseTLSClient}
			d.want(d.announce(10, s), "staged")
			if got := d.states(from.AddDate(0, 0, 1))["new"]; string(got) != name {
				t.Errorf("for messages it is %s", got)
			}
			registry, err := partners.New(d.config)
			if err != nil {
				t.Fatal(err)
			}
			if got := registry.Credentials("tw", partners.UseTLSClient, from); len(got) != 1 {
				t.Errorf("for connections there are %d", len(got))
			}
		})
	}
}

func pemOf(chain []*x509.Certificate) (string, error) {
	var out strings.Builder
	for _, x509Cert := range chain {
		if err := pem.Encode(&out, &pem.Block{Type: "CERTIFICATE", Bytes: x509Cert.Raw}); err != nil {
			return "", err
		}
	}
	return out.String(), nil
}

// A partner's announcements do not fill the registry.
func TestAnnouncementsAddNoMoreThanIsKept(t *testing.T) {
	d := newDesk(t)
	p := &d.config.Partners[0]
	for i := len(p.Credentials) + len(p.Issuers[0].Credentials); i < 199; i++ {
		one := p.Credentials[0]
		one.Until = now.AddDate(0, 0, -i)
		p.Credentials = append(p.Credentials, one)
	}
	first, second := d.next("tw", "first"), d.next("tw", "second")
	d.want(d.announce(10, first, second), "staged", "refused: has 199 credentials")
	d.want(d.announce(11, second), "refused: has 200 credentials")
	first.From = first.From.AddDate(0, 0, 1)
	d.want(d.announce(12, first), "staged") // another date adds none
}
