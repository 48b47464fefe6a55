package partners_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ecogate/ecogate/internal/pkitest"
	"github.com/ecogate/ecogate/partners"
)

const days = 24 * time.Hour

// rotated is the registry of a world in which the credential for use of partner ("" for the node) is replaced in summer: the old one, valid
// from spring to autumn, counts for another 14 days.
func (w *world) rotated(t *testing.T, partner string, use partners.Use) *partners.Registry {
	t.Helper()
	owner := partner
	if owner == "" {
		owner = "kr"
	}
	_, oldKey, oldFile := w.pki[owner].IssueFiles("old", pkitest.Request{Name: "old", Use: pkitest.Use(use), NotBefore: spring, NotAfter: autumn})
	_, newKey, newFile := w.pki[owner].IssueFiles("new", pkitest.Request{Name: "new", Use: pkitest.Use(use), NotBefore: spring, NotAfter: autumn.AddDate(1, 0, 0)})
	end := summer.Add(14 * days)
	config := w.config
	config.Agreements = nil
	uses := []partners.Use{use}
	if partner == "" {
		config.Node.Keys = []partners.KeyConfig{
			{Uses: uses, KeyFile: oldKey, ChainFile: oldFile, Until: end}, {Uses: uses, KeyFile: newKey, ChainFile: newFile, From: summer},
		}
	} else {
		p := w.partner(partner)
		p.Credentials = []partners.CredentialConfig{{Uses: uses, File: oldFile, Until: end}, {Uses: uses, File: newFile, From: summer}}
		config.Partners = []partners.PartnerConfig{p}
	}
	return (&world{config: config}).open(t)
}

func TestStatesFollowARotation(t *testing.T) {
	w := newWorld(t)
	end := summer.Add(14 * days)
	tests := []struct {
		at   time.Time
		want string
	}{
		{spring.Add(-time.Second), "old staged, new staged"},
		{spring, "old active, new staged"},
		{summer.Add(-time.Hour), "old active, new staged"},
		{summer.Add(-1), "old active, new staged"},
		{summer, "old retiring, new active"},
		{summer.Add(time.Hour), "old retiring, new active"},
		{end.Add(-time.Hour), "old retiring, new active"},
		{end.Add(-1), "old retiring, new active"},
		{end, "old retired, new active"},
		{autumn, "old retired, new active"},
		{autumn.AddDate(1, 0, 0).Add(-1), "old retired, new active"},
		{autumn.AddDate(1, 0, 0), "old retired, new retired"},
	}
	for _, partner := range []string{"", "tw"} {
		for _, use := range transportUses {
			r := w.rotated(t, partner, use)
			for _, test := range tests {
				var got []string
				for _, h := range r.Inventory(test.at) {
					if h.Partner != partner || h.Use != use {
						continue
					}
					got = append(got, fmt.Sprintf("%s %s", h.X509Cert.Subject.CommonName, h.State))
					counts := slices.ContainsFunc(r.Credentials(partner, use, test.at), func(c partners.Credential) bool { return c.X509Cert.Equal(h.X509Cert) })
					if says := h.State == partners.StateActive || h.State == partners.StateRetiring; counts != says {
						t.Errorf("%q, %s, %s: %s is %s and counts: %t", partner, use, test.at, h.X509Cert.Subject.CommonName, h.State, counts)
					}
				}
				if got := strings.Join(got, ", "); got != test.want {
					t.Errorf("%q, %s, %s: %s; want %s", partner, use, test.at, got, test.want)
				}
			}
		}
	}
}

func TestEndOfACredentialIsToldInTime(t *testing.T) {
	w := newWorld(t)
	r, c := w.withOne(t, "tw", partners.UseTLSServer, pkitest.Request{Name: "one", Use: pkitest.TLSServer, NotBefore: spring, NotAfter: autumn}, time.Time{}, time.Time{})
	told := func(since, now time.Time) bool {
		return slices.ContainsFunc(r.Reminders(since, now), func(m partners.Reminder) bool { return m.X509Cert.Equal(c.X509Cert) })
	}
	var got []string
	for hour := -100 * 24; hour <= 30*24; hour++ {
		at := autumn.Add(time.Duration(hour) * time.Hour)
		if told(at.Add(-time.Hour), at) {
			got = append(got, fmt.Sprint(hour/24))
		}
	}
	if got, want := strings.Join(got, " "), "-60 -30 -14 -7 -1 0 7 14 21 28"; got != want {
		t.Errorf("told on the days %s, want %s", got, want)
	}
	if told(autumn.Add(-13*days), autumn.Add(-8*days)) {
		t.Error("told between two days on which nothing falls due")
	}
	if !told(autumn.Add(-100*days), autumn.Add(-2*days)) {
		t.Error("not told when several fell due at once")
	}
}

func TestACredentialWithASuccessorIsNotToldOf(t *testing.T) {
	w := newWorld(t)
	for _, partner := range []string{"", "tw"} {
		r := w.rotated(t, partner, partners.UseMessageSignature)
		for _, m := range r.Reminders(spring, autumn) {
			if m.Partner == partner && m.Use == partners.UseMessageSignature {
				t.Errorf("%q is told of %s", partner, m.X509Cert.Subject.CommonName)
			}
		}
	}
}
