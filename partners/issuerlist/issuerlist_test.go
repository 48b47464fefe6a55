package issuerlist_test

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ecogate/ecogate/eco"
	"github.com/ecogate/ecogate/internal/pkitest"
	"github.com/ecogate/ecogate/partners"
	"github.com/ecogate/ecogate/partners/issuerlist"
	"github.com/ecogate/ecogate/signing"
)

var now = time.Date(2026, time.November, 29, 10, 0, 0, 0, time.UTC)

var kr = []partners.PartyID{{Type: "country", Value: "KR"}, {Value: "urn:customs:kr"}}

// issued is a key of pki, and its credential.
func issued(tb testing.TB, pki *pkitest.Test, name string, use pkitest.Use) signing.Key {
	tb.Helper()
	c, err := pki.Issue(pkitest.Request{Name: name, Use: use, NotBefore: now.AddDate(-1, 0, 0), NotAfter: now.AddDate(2, 0, 0)})
	if err != nil {
		tb.Fatal(err)
	}
	return signing.Key{Signer: c.Key, Chain: c.Chain}
}

// sample is a list with everything that a list can have, and a key to sign it with.
func sample(tb testing.TB) (issuerlist.List, signing.Key) {
	pki := pkitest.NewTest(tb, pkitest.Options{Country: "KR", Organisation: "Customs"})
	list := issuerlist.List{
		Party: kr, Name: "Customs & Co", Number: 17, Issued: now, ValidFrom: now, NextUpdate: now.AddDate(0, 6, 0),
		Bodies: []partners.Body{{
			Issuer: partners.Issuer{
				ID: "KCCI", Name: "Chamber <1>", Country: "KR", Forms: []eco.FormCode{"NON-PREFERENTIAL", "ATIGA-D"}, From: now.AddDate(-5, 0, 0),
				Offices:     []partners.Office{{ID: "001", Name: "Seoul"}, {ID: "002", From: now.AddDate(-1, 0, 0), Until: now.AddDate(1, 0, 0)}},
				Signatories: []partners.Signatory{{Name: "PARK JIWON", Offices: []string{"001"}, From: now}, {Name: "KIM"}},
			},
			Credentials: []partners.BodyCredential{
				{Chain: issued(tb, pki, "every office", pkitest.DocumentSignature).Chain},
				{Chain: issued(tb, pki, "one office", pkitest.DocumentSignature).Chain[:1], Offices: []string{"002"}, Forms: []eco.FormCode{"ATIGA-D"}, From: now, Until: now.AddDate(1, 0, 0)},
			},
		}, {Issuer: partners.Issuer{ID: "MOIC", Country: "LA", Forms: []eco.FormCode{"LA-GSP-A"}}}},
	}
	return list, issued(tb, pki, "list", pkitest.IssuerList)
}

func signed(tb testing.TB, l issuerlist.List, key signing.Key, cms bool) []byte {
	tb.Helper()
	sign := l.Sign
	if cms {
		sign = l.SignCMS
	}
	file, err := sign(key)
	if err != nil {
		tb.Fatal(err)
	}
	return file
}

func TestListIsReadAsItWasSigned(t *testing.T) {
	list, key := sample(t)
	digests := map[string]bool{}
	for _, cms := range []bool{false, true} {
		file := signed(t, list, key, cms)
		read, err := issuerlist.Read(file, key.Chain[:1], signing.Policy{})
		if err != nil {
			t.Fatalf("CMS %t: %v", cms, err)
		}
		if diff := cmp.Diff(list, read.List); diff != "" {
			t.Errorf("CMS %t (-signed +read):\n%s", cms, diff)
		}
		if !read.Signer.Equal(key.Chain[0]) || len(read.SHA256) != 64 {
			t.Errorf("CMS %t: signer %v, digest %q", cms, read.Signer.Subject, read.SHA256)
		}
		digests[read.SHA256] = true
		if len(digests) != 1 {
			t.Errorf("one list has the digests %v", digests)
		}
		stranger := issued(t, pkitest.NewTest(t, pkitest.Options{Country: "XX"}), "stranger", pkitest.IssuerList)
		if _, err := issuerlist.Read(file, stranger.Chain[:1], signing.Policy{}); !errors.Is(err, issuerlist.ErrSignature) || !errors.Is(err, signing.ErrUnknownSigner) && !errors.Is(err, signing.ErrSignature) {
			t.Errorf("CMS %t, under a stranger: %v", cms, err)
		}
		if !cms {
			validate(t, file)
		}
	}
}

// validate holds a list to the schema, if xmllint is there.
func validate(t *testing.T, document []byte) {
	t.Helper()
	xmllint, err := exec.LookPath("xmllint")
	if err != nil {
		t.Log("xmllint is not installed")
		return
	}
	file := filepath.Join(t.TempDir(), "list.xml")
	if err := os.WriteFile(file, document, 0o600); err != nil {
		t.Fatal(err)
	}
	schema := filepath.Join("..", "..", "docs", "schema", "issuers-1.xsd")
	if out, err := exec.Command(xmllint, "--nonet", "--noout", "--schema", schema, file).CombinedOutput(); err != nil {
		t.Errorf("xmllint: %v\n%s\n%s", err, out, document)
	}
}

func TestListThatBreaksARuleIsNotSigned(t *testing.T) {
	for name, spoil := range map[string]func(*issuerlist.List){
		"no administration":                func(l *issuerlist.List) { l.Party = nil },
		"number 0, expected 1 or more":     func(l *issuerlist.List) { l.Number = 0 },
		"country \"Korea\"":                func(l *issuerlist.List) { l.Bodies[0].Country = "Korea" },
		"office \"003\" is not one":        func(l *issuerlist.List) { l.Bodies[0].Credentials[0].Offices = []string{"003"} },
		"form \"AK\" is not one":           func(l *issuerlist.List) { l.Bodies[0].Credentials[0].Forms = []eco.FormCode{"AK"} },
		"stands there twice":               func(l *issuerlist.List) { l.Bodies[0].Offices[1].ID = "001" },
		"0 X.509 certificates":             func(l *issuerlist.List) { l.Bodies[0].Credentials[0].Chain = nil },
		"the next update is due":           func(l *issuerlist.List) { l.NextUpdate = l.ValidFrom },
		"it may issue no form":             func(l *issuerlist.List) { l.Bodies[1].Forms = nil },
		"is not after from":                func(l *issuerlist.List) { l.Bodies[0].Until = l.Bodies[0].From },
		"the instants of its issue":        func(l *issuerlist.List) { l.Issued = time.Time{} },
		"a signatory without name":         func(l *issuerlist.List) { l.Bodies[0].Signatories[1].Name = " " },
		"issuing body 2 (\"\"): it has no": func(l *issuerlist.List) { l.Bodies[1].ID = "" },
	} {
		list, key := sample(t)
		spoil(&list)
		if _, err := list.Sign(key); !errors.Is(err, issuerlist.ErrDocument) || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestCompareNamesEveryDifference(t *testing.T) {
	list, _ := sample(t)
	if got := issuerlist.Compare(list.Bodies, list.Bodies); got != nil {
		t.Errorf("a list differs from itself: %+v", got)
	}
	other, key := sample(t)
	after := slices.Clone(list.Bodies)[:1]
	body := &after[0]
	body.Forms = body.Forms[:1]
	body.Offices = []partners.Office{{ID: "001", Name: "Seoul"}, {ID: "003"}}
	body.Signatories = []partners.Signatory{{Name: "PARK JIWON", From: now}, {Name: "KIM"}}
	body.Credentials = []partners.BodyCredential{list.Bodies[0].Credentials[1], other.Bodies[0].Credentials[0]}
	body.Credentials[0].Chain = key.Chain
	var got []string
	for _, d := range issuerlist.Compare(list.Bodies, after) {
		for _, c := range slices.Concat(list.Bodies[0].Credentials, body.Credentials) {
			d.What = strings.ReplaceAll(d.What, signing.Fingerprint(c.Chain[0]), c.Chain[0].Subject.CommonName)
		}
		got = append(got, d.Change+" "+d.What)
	}
	want := []string{
		`removed issuing body "KCCI" of KR: credential every office`,
		`removed issuing body "KCCI" of KR: credential one office`,
		`added issuing body "KCCI" of KR: credential every office`,
		`added issuing body "KCCI" of KR: credential list`,
		`removed issuing body "KCCI" of KR: form ATIGA-D`,
		`removed issuing body "KCCI" of KR: office "002"`,
		`added issuing body "KCCI" of KR: office "003"`,
		`changed issuing body "KCCI" of KR: signatory "PARK JIWON"`,
		`removed issuing body "MOIC" of LA`,
		`removed issuing body "MOIC" of LA: form LA-GSP-A`,
	}
	slices.Sort(got)
	slices.Sort(want)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestListFollowsTheLastOne(t *testing.T) {
	list, key := sample(t)
	read, err := issuerlist.Read(signed(t, list, key, false), key.Chain[:1], signing.Policy{})
	if err != nil {
		t.Fatal(err)
	}
	last := partners.IssuerListConfig{Number: 16, Issued: now.AddDate(0, -6, 0)}
	tests := []struct {
		name    string
		change  func(*issuerlist.Signed, *partners.Partner)
		at      time.Time
		want    error
		warning string
	}{
		{"next one", func(*issuerlist.Signed, *partners.Partner) {}, now, nil, ""},
		{"the first", func(_ *issuerlist.Signed, p *partners.Partner) { p.IssuerList = partners.IssuerListConfig{} }, now, nil, ""},
		{"again", func(s *issuerlist.Signed, p *partners.Partner) {
			p.IssuerList = partners.IssuerListConfig{Number: 17, Issued: now, SHA256: s.SHA256}
		}, now, nil, "was taken already"},
		{"older number", func(_ *issuerlist.Signed, p *partners.Partner) { p.IssuerList.Number = 18 }, now, issuerlist.ErrOld, ""},
		{"same number, other content", func(_ *issuerlist.Signed, p *partners.Partner) {
			p.IssuerList.Number, p.IssuerList.SHA256 = 17, "00"
		}, now, issuerlist.ErrOld, ""},
		{"older date", func(_ *issuerlist.Signed, p *partners.Partner) { p.IssuerList.Issued = now.Add(time.Second) }, now, issuerlist.ErrOld, ""},
		{"of another party", func(s *issuerlist.Signed, _ *partners.Partner) { s.Party = []partners.PartyID{{Value: "urn:other"}} }, now, issuerlist.ErrParty, ""},
		{"of another party too", func(s *issuerlist.Signed, _ *partners.Partner) {
			s.Party = append(slices.Clone(kr), partners.PartyID{Value: "urn:other"})
		}, now, issuerlist.ErrParty, ""},
		{"a second early", func(*issuerlist.Signed, *partners.Partner) {}, now.Add(-time.Second), issuerlist.ErrNotYet, ""},
		{"clock an hour behind", func(s *issuerlist.Signed, _ *partners.Partner) { s.ValidFrom = now.AddDate(0, -1, 0) }, now.Add(-time.Hour), nil, ""},
		{"from the future", func(s *issuerlist.Signed, _ *partners.Partner) { s.ValidFrom = now.AddDate(0, -1, 0) }, now.Add(-time.Hour - time.Second), issuerlist.ErrNotYet, ""},
		{"overdue", func(*issuerlist.Signed, *partners.Partner) {}, now.AddDate(0, 6, 0), nil, "the next list was due"},
		{"nobody", func(s *issuerlist.Signed, _ *partners.Partner) { s.Bodies = nil }, now, nil, "nobody is on the list"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			s, p := read, partners.Partner{ID: "kr", PartyIDs: kr, IssuerList: last}
			test.change(&s, &p)
			warnings, err := s.Follows(p, test.at)
			if !errors.Is(err, test.want) {
				t.Errorf("error %v, want %v", err, test.want)
			}
			if text := strings.Join(warnings, "\n"); (test.warning == "") != (text == "") || !strings.Contains(text, test.warning) {
				t.Errorf("warnings %q, want %q", text, test.warning)
			}
		})
	}
}
