package issuerlist_test

import (
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
	"github.com/ecogate/ecogate/partners/issuerlist"
	"github.com/ecogate/ecogate/signing"
	"github.com/ecogate/ecogate/store/bolt"
)

// office is a node with the partner kr, whose lists are signed with key; its body BODY signs with signer.
type office struct {
	*testing.T
	issuerlist.Desk
	pki         *pkitest.Test
	key, signer signing.Key
	now         time.Time
}

func newOffice(t *testing.T) *office {
	t.Helper()
	o := &office{T: t, pki: pkitest.NewTest(t, pkitest.Options{Country: "KR", Organisation: "Customs"}), now: now}
	write := func(name string, use pkitest.Use) (signing.Key, string) {
		c, err := o.pki.Issue(pkitest.Request{Name: name, Use: use})
		o.must(err)
		file, err := c.WriteCredential(t.TempDir(), name)
		o.must(err)
		return signing.Key{Signer: c.Key, Chain: c.Chain}, file
	}
	var listFile, bodyFile string
	o.key, listFile = write("list", pkitest.IssuerList)
	o.signer, bodyFile = write("body", pkitest.DocumentSignature)
	config := partners.Config{
		Node: partners.NodeConfig{ID: "tw", Country: "TW", PartyIDs: []partners.PartyID{{Value: "urn:customs:tw"}}},
		Partners: []partners.PartnerConfig{{
			ID: "kr", Country: "KR", PartyIDs: kr, AnchorFiles: []string{filepath.Join(o.pki.Dir, "root.pem")},
			Credentials: []partners.CredentialConfig{{Uses: []partners.Use{partners.UseIssuerList}, File: listFile}},
			Issuers: []partners.IssuerConfig{{
				ID: "BODY", Forms: []eco.FormCode{"NON-PREFERENTIAL"}, Credentials: []partners.CredentialConfig{{File: bodyFile}},
			}},
		}},
	}
	registry, err := partners.New(config)
	o.must(err)
	store, err := bolt.Open(t.TempDir(), bolt.Options{Now: o.clock})
	o.must(err)
	t.Cleanup(func() { o.must(store.Close()) })
	o.Directory, err = partners.NewDirectory(t.Context(), config, partners.DirectoryOptions{Store: store, Registry: registry, Now: o.clock})
	o.must(err)
	o.Now = o.clock
	return o
}

func (o *office) clock() time.Time { return o.now }

func (o *office) must(err error) {
	o.Helper()
	if err != nil {
		o.Fatal(err)
	}
}

// list is what kr may say: its body with an office, a form that nobody knows here, and a new credential beside the one that is known.
func (o *office) list() issuerlist.List {
	return issuerlist.List{
		Party: kr[:1], Name: "Customs", Number: 3, Issued: now, ValidFrom: now,
		Bodies: []partners.Body{{
			Issuer: partners.Issuer{
				ID: "BODY", Name: "Chamber", Country: "KR", Forms: []eco.FormCode{"NON-PREFERENTIAL", "FORM-OF-TOMORROW"},
				Offices: []partners.Office{{ID: "001"}},
			},
			Credentials: []partners.BodyCredential{
				{Chain: o.signer.Chain, Offices: []string{"001"}},
				{Chain: issued(o, o.pki, "next", pkitest.DocumentSignature).Chain, From: now.AddDate(0, 1, 0)},
				{Chain: issued(o, o.pki, "tomorrow", pkitest.DocumentSignature).Chain, Forms: []eco.FormCode{"FORM-OF-TOMORROW"}},
			},
		}, {Issuer: partners.Issuer{ID: "NEW", Country: "KR", Forms: []eco.FormCode{"FORM-OF-TOMORROW"}}}},
	}
}

var byOperator = partners.Edit{By: "operator", Why: "by courier"}

func TestTakenListIsTheRegistry(t *testing.T) {
	o := newOffice(t)
	file := signed(o, o.list(), o.key, true)
	dry := byOperator
	dry.DryRun = true
	report, _, err := o.Take(t.Context(), dry, "kr", file)
	o.must(err)
	if len(report.Differences) == 0 || !slices.Equal(report.Warnings, []string{`form "FORM-OF-TOMORROW" is not known to this program and is left out`}) {
		t.Errorf("a dry run says %+v", report)
	}
	if before, err := o.Issuers("kr"); err != nil || before.List != nil || before.Bodies[0].Offices != nil {
		t.Fatalf("a dry run changed %+v, %v", before, err)
	}
	_, entry, err := o.Take(t.Context(), byOperator, "kr", file)
	o.must(err)
	if entry.Version != 1 || entry.By != "operator" || !strings.Contains(entry.Why, "list of issuers 3, SHA-256 "+report.SHA256+": by courier") {
		t.Errorf("entry %+v", entry)
	}
	after, err := o.Issuers("kr")
	o.must(err)
	if l := after.List; l == nil || l.Number != 3 || l.SHA256 != report.SHA256 || l.Overdue {
		t.Errorf("list %+v", l)
	}
	if len(after.Bodies) != 1 || len(after.Bodies[0].Credentials) != 2 || !slices.Equal(after.Bodies[0].Forms, []eco.FormCode{"NON-PREFERENTIAL"}) {
		t.Fatalf("bodies %+v", after.Bodies)
	}
	states := map[string]partners.State{}
	for _, c := range after.Bodies[0].Credentials {
		states[c.SHA256] = c.State
	}
	if states[signing.Fingerprint(o.signer.Chain[0])] != partners.StateActive || states[signing.Fingerprint(o.list().Bodies[0].Credentials[0].Chain[0])] != partners.StateActive {
		t.Errorf("states %v", states)
	}
	authority, err := o.Directory.Registry.Authority("kr", partners.IssuerQuery{Country: "KR", Body: "BODY", Form: "NON-PREFERENTIAL", Office: "002"}, now)
	if err != nil || len(authority.Doubts) != 1 || authority.Check(o.signer.Chain[0]) == nil {
		t.Errorf("authority %+v, %v", authority, err)
	}
	// Taken again it changes nothing.
	report, entry, err = o.Take(t.Context(), byOperator, "kr", file)
	if err != nil || len(report.Differences) != 0 || entry.Version != 1 || !strings.Contains(report.Warnings[0], "taken already") {
		t.Errorf("again: %+v, version %d, %v", report, entry.Version, err)
	}
	o.now = now.AddDate(0, 0, 1)
	older := o.list()
	older.Number = 2
	if _, _, err := o.Take(t.Context(), byOperator, "kr", signed(o, older, o.key, false)); !errors.Is(err, issuerlist.ErrOld) || !errors.Is(err, issuerlist.ErrRefused) {
		t.Errorf("an older list: %v", err)
	}
}

func TestListThatIsNotTaken(t *testing.T) {
	o := newOffice(t)
	file := signed(o, o.list(), o.key, false)
	foreign := o.list()
	other := pkitest.NewTest(t, pkitest.Options{Country: "XX", Organisation: "Nobody"})
	foreign.Bodies[0].Credentials[0].Chain = issued(t, other, "stranger", pkitest.DocumentSignature).Chain
	for _, test := range []struct {
		name    string
		partner string
		file    []byte
		want    func(error) bool
	}{
		{"unknown partner", "xx", file, func(err error) bool { return errors.Is(err, partners.ErrUnknownPartner) }},
		{"signed by the body", "kr", signed(o, o.list(), o.signer, false), func(err error) bool { return errors.Is(err, issuerlist.ErrSignature) }},
		{"nothing", "kr", nil, func(err error) bool { return errors.Is(err, issuerlist.ErrRefused) }},
		{"credential of another PKI", "kr", signed(o, foreign, o.key, false), func(err error) bool {
			var wrong *partners.ConfigError
			return errors.As(err, &wrong) && strings.Contains(err.Error(), "does not chain to the partner's anchors")
		}},
	} {
		if _, entry, err := o.Take(t.Context(), byOperator, test.partner, test.file); !test.want(err) {
			t.Errorf("%s: %v, version %d", test.name, err, entry.Version)
		}
	}
	for _, test := range []struct {
		list  issuerlist.List
		wrong bool
	}{{o.list(), false}, {foreign, true}} {
		s, _, err := issuerlist.Examine(o.Directory.Registry, "kr", signed(o, test.list, o.key, false), now)
		o.must(err)
		if err := s.Try(o.Directory.Config(), "kr", now); (err != nil) != test.wrong {
			t.Errorf("tried, wrong %t: %v", test.wrong, err)
		}
	}
	if after, err := o.Issuers("kr"); err != nil || after.List != nil {
		t.Errorf("something was taken: %+v, %v", after, err)
	}
}

// Our own list, as a partner reads it, is what our own configuration says.
func TestOwnListSaysWhatIsConfigured(t *testing.T) {
	pki := pkitest.NewTest(t, pkitest.Options{Country: "KR", Organisation: "Customs"})
	var keys []partners.KeyConfig
	for i, window := range [][2]time.Time{{}, {now.AddDate(0, 1, 0), now.AddDate(1, 0, 0)}, {now.AddDate(-1, 0, 0), now}} {
		_, keyFile, chainFile := pki.IssueFiles(string(rune('a'+i)), pkitest.Request{Name: string(rune('a' + i)), Use: pkitest.DocumentSignature})
		keys = append(keys, partners.KeyConfig{KeyFile: keyFile, ChainFile: chainFile, From: window[0], Until: window[1]})
	}
	r, err := partners.New(partners.Config{Node: partners.NodeConfig{
		ID: "kr", Name: "Customs of Korea", Country: "KR", PartyIDs: kr,
		Issuers: []partners.OwnIssuerConfig{{
			ID: "BODY", Forms: []eco.FormCode{"NON-PREFERENTIAL"}, From: now, Offices: []partners.Office{{ID: "001"}}, Signatories: []partners.Signatory{{Name: "KIM"}}, Keys: keys,
		}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	list, err := issuerlist.Own(r, now)
	if err != nil {
		t.Fatal(err)
	}
	var told []string
	for _, c := range list.Bodies[0].Credentials {
		told = append(told, c.Chain[0].Subject.CommonName+" "+c.From.Format(time.DateOnly)+" "+c.Until.Format(time.DateOnly))
	}
	slices.Sort(told)
	if want := []string{"a 0001-01-01 0001-01-01", "b 2026-12-29 0001-01-01"}; !slices.Equal(told, want) {
		t.Errorf("credentials %q, want %q", told, want)
	}
	if b := list.Bodies[0]; b.ID != "BODY" || len(b.Offices) != 1 || len(b.Signatories) != 1 || !b.From.Equal(now) || list.Name != "Customs of Korea" {
		t.Errorf("%+v", list)
	}
}

// edit has an operator change kr.
func (o *office) edit(change func(p *partners.PartnerConfig) error) {
	o.Helper()
	_, err := o.Directory.EditPartner(o.Context(), byOperator, "kr", change)
	o.must(err)
}

// counts reports whether a body's credential counts at an instant.
func (o *office) counts(x509Cert *x509.Certificate, at time.Time) bool {
	return slices.ContainsFunc(o.Directory.Registry.Credentials("kr", partners.UseDocumentSignature, at), func(c partners.Credential) bool {
		return c.X509Cert.Equal(x509Cert)
	})
}

// take takes a list with these credentials of the body with that id.
func (o *office) take(number int, body string, credentials ...partners.BodyCredential) {
	o.Helper()
	list := o.list()
	list.Number, list.Bodies = number, list.Bodies[:1]
	list.Bodies[0].ID, list.Bodies[0].Credentials = body, credentials
	_, _, err := o.Take(o.Context(), byOperator, "kr", signed(o, list, o.key, true))
	o.must(err)
}

// TestListDoesNotBringADistrustedKeyBack: neither by leaving its credential out for once, nor under another body, nor in another credential.
func TestListDoesNotBringADistrustedKeyBack(t *testing.T) {
	o := newOffice(t)
	other := issued(o, o.pki, "other", pkitest.DocumentSignature)
	again, err := o.pki.Issue(pkitest.Request{Name: "again", Use: pkitest.DocumentSignature, Key: o.signer.Signer})
	o.must(err)
	lost := o.signer.Chain[0]
	o.edit(func(p *partners.PartnerConfig) error {
		return p.Distrust(signing.Fingerprint(lost), now.AddDate(0, 0, -1), now)
	})
	for i, list := range []struct {
		body  string
		chain []*x509.Certificate
	}{
		{"BODY", o.signer.Chain}, {"BODY", other.Chain}, {"BODY", o.signer.Chain}, {"BODY", again.Chain},
		{"ANOTHER", other.Chain}, {"ANOTHER", o.signer.Chain}, {"ANOTHER", again.Chain}, {"BODY", again.Chain}, {"BODY", other.Chain},
	} {
		o.take(3+i, list.body, partners.BodyCredential{Chain: list.chain})
		if list.chain[0].Equal(other.Chain[0]) != o.counts(list.chain[0], now) || o.counts(lost, now) || o.counts(again.X509Cert, now) {
			t.Errorf("list %d, of %s: the lost one counts %t, %q %t", i, list.body, o.counts(lost, now), list.chain[0].Subject, o.counts(list.chain[0], now))
		}
		if body, err := o.Directory.Registry.Authority("kr", partners.IssuerQuery{Country: "KR", Body: "BODY", Form: "NON-PREFERENTIAL"}, now); list.body != "BODY" && err == nil {
			t.Errorf("list %d: a body that is not on it may issue: %+v", i, body)
		}
	}
}

// A credential that counts again after it had retired, and one that is to count later, stay what an operator made of them.
func TestListKeepsWhatAnOperatorDecided(t *testing.T) {
	o := newOffice(t)
	next := issued(o, o.pki, "next", pkitest.DocumentSignature)
	back, later := o.signer.Chain[0], next.Chain[0]
	o.take(3, "BODY", partners.BodyCredential{Chain: o.signer.Chain})
	o.edit(func(p *partners.PartnerConfig) error { return p.Retire(signing.Fingerprint(back), time.Time{}, now) })
	o.now = now.AddDate(0, 0, 1)
	o.edit(func(p *partners.PartnerConfig) error {
		err := p.Activate(partners.Activation{Fingerprint: signing.Fingerprint(back)}, o.now)
		if err != nil {
			return err
		}
		s := partners.Staging{Credential: partners.CredentialConfig{PEM: chainPEM(next.Chain)}, Body: "BODY"}
		return errors.Join(p.Stage(s, o.now), p.Activate(partners.Activation{Fingerprint: signing.Fingerprint(later), At: now.AddDate(0, 0, 9)}, o.now))
	})
	for number := range 2 {
		o.take(4+number, "BODY", partners.BodyCredential{Chain: o.signer.Chain}, partners.BodyCredential{Chain: next.Chain})
		for _, test := range []struct {
			x509Cert *x509.Certificate
			day      int
			want     bool
		}{{back, -1, true}, {back, 1, true}, {later, 1, false}, {later, 8, false}, {later, 9, true}} {
			if got := o.counts(test.x509Cert, now.AddDate(0, 0, test.day).Add(time.Hour)); got != test.want {
				t.Errorf("list %d, day %d: %q counts %t", 4+number, test.day, test.x509Cert.Subject, got)
			}
		}
		if o.counts(back, now.Add(time.Hour)) {
			t.Errorf("list %d: %q counts at a time when it had retired", 4+number, back.Subject)
		}
	}
}

func chainPEM(chain []*x509.Certificate) string {
	var text strings.Builder
	for _, x509Cert := range chain {
		_ = pem.Encode(&text, &pem.Block{Type: "CERTIFICATE", Bytes: x509Cert.Raw}) // a Builder takes everything
	}
	return text.String()
}
