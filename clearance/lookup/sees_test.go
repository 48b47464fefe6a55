package lookup_test

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/ecogate/ecogate/clearance"
	"github.com/ecogate/ecogate/clearance/lookup"
	"github.com/ecogate/ecogate/eco"
	"github.com/ecogate/ecogate/exchange"
)

func TestBrokerSeesWhatIsHisOnly(t *testing.T) {
	w := newWorld(t, nil)
	w.parties["house"] = []eco.PartyName{bolts}
	w.arrive("R-1", nil)
	w.arrive("R2", forBolts)
	w.arrive("R3", func(c *exchange.Certificate) {
		forBolts(c)
		c.Data.Importer = &eco.Party{Name: "ACME", Identifiers: []eco.Identifier{{Scheme: "tax", Value: "1990 01"}}}
	})
	w.arrive("R4", func(c *exchange.Certificate) { forBolts(c); c.Data.Exporter = eco.Party{Name: "Broker's own"} })
	w.parties["exporter"] = []eco.PartyName{"NAME:BROKERS OWN"}
	for _, tt := range []struct {
		key, reference, invoice, want string
	}{
		{"importer", "R1", "", "party or mandate"},
		{"importer", "r 1", "wrong", "party or mandate"},
		{"importer", "R2", "", "refused: not his"},
		{"importer", "R3", "", "party or mandate"},
		{"house", "R2", "", "party or mandate"},
		{"house", "R3", "", "party or mandate"},
		{"exporter", "R4", "", "refused: not his"},
		{"broker", "R1", "", "refused: not his"},
		{"broker", "R1", "inv 7", "second factor"},
		{"broker", "R1", "INV/8", "second factor"},
		{"broker", "R1", "INV-9", "refused: not his, wrong second factor"},
		{"broker", "R1", "-", "refused: not his, wrong second factor"},
		{"broker", "R9", "INV-7", "refused: not there"},
		{"broker", "R9", "", "refused: not there"},
	} {
		seen := w.see(tt.key, tt.reference, tt.invoice)
		if refused := strings.HasPrefix(tt.want, "refused"); seen.Why != tt.want || (len(seen.Shown) == 0) != refused {
			t.Errorf("%s looks up %s with %q: %+v, want %s", tt.key, tt.reference, tt.invoice, seen, tt.want)
		}
	}
}

func TestOneCertificateOfAReferenceIsShownWithoutTheOther(t *testing.T) {
	w := newWorld(t, nil)
	w.arrive("R1", nil)
	w.arrive("R1", func(c *exchange.Certificate) { forBolts(c); c.Key.Country, c.Data.Invoices = "LA", nil })
	if seen := w.see("importer", "R1", ""); len(seen.Shown) != 1 || seen.Shown[0] != 1 {
		t.Errorf("%+v", seen)
	}
	if seen := w.see("broker", "R1", "INV-7"); len(seen.Shown) != 1 || seen.Shown[0] != 1 {
		t.Errorf("by the second factor: %+v", seen)
	}
}

func TestMandateOpensForItsDays(t *testing.T) {
	w := newWorld(t, nil)
	w.arrive("R1", nil)
	importer := lookup.Giver{Reader: w.reader("importer")}
	today := eco.DateOf(start)
	m := w.give(importer, lookup.Mandate{Importer: acme, Broker: "broker", From: today.AddDays(1), Until: today.AddDays(2), Note: "shipment of May"})
	for day, want := range []bool{false, true, true, false} {
		w.now = start.AddDate(0, 0, day)
		if got := w.see("broker", "R1", "").May(1); got != want {
			t.Errorf("on day %d: sees %v, want %v", day, got, want)
		}
		if got, err := w.desk.Sees(t.Context(), "broker", w.imported("R1")); got != want || err != nil {
			t.Errorf("on day %d: Sees %v, %v, want %v", day, got, err, want)
		}
	}
	w.now = start.AddDate(0, 0, 1)
	if w.see("other", "R1", "").May(1) {
		t.Error("another broker sees it")
	}
	if _, err := w.desk.Revoke(t.Context(), lookup.Giver{Reader: w.reader("broker")}, m.ID); !errors.Is(err, lookup.ErrNotThere) {
		t.Errorf("revoked by the broker: %v", err)
	}
	for range 2 {
		revoked, err := w.desk.Revoke(t.Context(), importer, m.ID)
		if err != nil || !revoked.Revoked.Equal(w.now) || revoked.RevokedBy != "importer" {
			t.Errorf("revoked: %+v, %v", revoked, err)
		}
	}
	if w.see("broker", "R1", "").May(1) {
		t.Error("a revoked mandate opens")
	}
	if list, _, err := w.desk.Mandates(t.Context(), lookup.MandateQuery{Importer: acme}); err != nil || len(list) != 1 || list[0].Revoked.IsZero() {
		t.Errorf("mandates of the importer: %+v, %v", list, err)
	}
	want := []string{"mandate.given " + m.ID + " of TAX:199001 for broker from 2026-11-21 until 2026-11-22", "mandate.revoked " + m.ID + " of TAX:199001 for broker"}
	if got := w.events("mandate.given", "mandate.revoked"); strings.Join(got, "|") != strings.Join(want, "|") {
		t.Errorf("told %q, want %q", got, want)
	}
}

func (w *world) imported(reference string) clearance.Imported {
	w.Helper()
	found, err := w.store.Imported(w.Context(), clearance.ImportedQuery{Reference: reference})
	if err != nil || len(found) == 0 {
		w.Fatalf("%d certificates, %v", len(found), err)
	}
	return found[0]
}

func TestMandatesAreForOnesOwnParties(t *testing.T) {
	w := newWorld(t, nil)
	importer, officer := lookup.Giver{Reader: w.reader("importer")}, lookup.Giver{Reader: w.reader("officer"), Officer: true}
	today := eco.DateOf(start)
	for name, tt := range map[string]struct {
		giver lookup.Giver
		m     lookup.Mandate
		want  error
	}{
		"of another":     {importer, lookup.Mandate{Importer: bolts, Broker: "broker"}, lookup.ErrNotYours},
		"of nobody":      {importer, lookup.Mandate{Broker: "broker"}, lookup.ErrNotYours},
		"by an officer":  {officer, lookup.Mandate{Importer: bolts, Broker: "broker"}, nil},
		"that ended":     {importer, lookup.Mandate{Importer: acme, Broker: "broker", From: today, Until: today.AddDays(-1)}, lookup.ErrInvalid},
		"with much text": {importer, lookup.Mandate{Importer: acme, Broker: "broker", Note: strings.Repeat("x", lookup.MaxNote+1)}, lookup.ErrInvalid},
	} {
		if _, err := w.desk.Give(t.Context(), tt.giver, tt.m); !errors.Is(err, tt.want) {
			t.Errorf("%s: %v, want %v", name, err, tt.want)
		}
	}
	all, next, err := w.desk.Mandates(t.Context(), lookup.MandateQuery{Limit: 1})
	if err != nil || len(all) != 1 || next != 0 || all[0].Importer != bolts || all[0].From != today {
		t.Errorf("%+v, %d, %v", all, next, err)
	}
	if _, err := w.desk.Revoke(t.Context(), importer, all[0].ID); !errors.Is(err, lookup.ErrNotThere) {
		t.Errorf("an importer revokes another's: %v", err)
	}
	if more, next, err := w.desk.Mandates(t.Context(), lookup.MandateQuery{After: math.MaxInt64}); err != nil || len(more) != 0 || next != 0 {
		t.Errorf("next page: %+v, %d, %v", more, next, err)
	}
}

func TestProofHoldsForItsTime(t *testing.T) {
	w := newWorld(t, func(o *lookup.Options) {
		o.Rules = func() lookup.Rules { return lookup.Rules{ProofKept: time.Hour} }
	})
	w.arrive("R-1", nil)
	for range 2 { // proving it again begins the time anew
		seen := w.see("broker", "R1", "inv7")
		if err := w.desk.Keep(t.Context(), w.reader("broker"), "r 1", seen); err != nil {
			t.Fatal(err)
		}
	}
	if seen := w.see("broker", "R1", ""); seen.Why != "proof of before" {
		t.Errorf("%+v", seen)
	}
	if sees, err := w.desk.Sees(t.Context(), "broker", w.imported("R1")); !sees || err != nil {
		t.Errorf("Sees: %v, %v", sees, err)
	}
	if w.see("other", "R1", "").May(1) {
		t.Error("another broker sees it")
	}
	w.now = start.Add(time.Hour)
	if w.see("broker", "R1", "").May(1) {
		t.Error("sees it after the proof's time")
	}
	if err := w.desk.Tidy(t.Context()); err != nil {
		t.Fatal(err)
	}
	if left, err := w.store.Dockets(t.Context(), clearance.DocketQuery{Kind: lookup.KindProof}); err != nil || len(left) != 0 {
		t.Errorf("%d proofs are left, %v", len(left), err)
	}
}

func TestRatesOfEachKey(t *testing.T) {
	w := newWorld(t, func(o *lookup.Options) {
		o.Rules = func() lookup.Rules { return lookup.Rules{PerMinute: 6, FailuresPerHour: 2} }
	})
	admit := func(key string, factor, fails bool) time.Duration {
		a, wait := w.desk.Admit(key, factor)
		if wait == 0 {
			a.Failed(fails)
		}
		return wait
	}
	for n := range 2 {
		if wait := admit("broker", true, true); wait != 0 {
			t.Errorf("failure %d waits %s", n+1, wait)
		}
	}
	if wait := admit("broker", true, false); wait != 30*time.Minute {
		t.Errorf("a third second factor waits %s, want 30m", wait)
	}
	for n := range 3 {
		if wait := admit("broker", false, true); wait != 0 {
			t.Errorf("look-up %d waits %s", n+4, wait)
		}
	}
	if wait := admit("broker", false, true); wait != 10*time.Second {
		t.Errorf("the seventh look-up waits %s, want 10s", wait)
	}
	if wait := admit("other", false, true); wait != 0 {
		t.Errorf("another key waits %s", wait)
	}
	w.now = w.now.Add(10 * time.Second)
	if wait := admit("broker", false, true); wait != 0 {
		t.Errorf("after 10s it waits %s", wait)
	}
	for range 5 { // what is right costs no failure
		if wait := admit("right", true, false); wait != 0 {
			t.Errorf("a right second factor waits %s", wait)
		}
	}
	told := []bool{w.desk.Tell("broker"), w.desk.Tell("broker"), w.desk.Tell("other")}
	w.now = w.now.Add(time.Minute)
	if told = append(told, w.desk.Tell("broker")); told[0] != true || told[1] != false || told[2] != true || told[3] != true {
		t.Errorf("told %v", told)
	}
}

// TestFailuresAtOnceDoNotPass: the leave to fail is taken before it is known whether it is needed.
func TestFailuresAtOnceDoNotPass(t *testing.T) {
	w := newWorld(t, func(o *lookup.Options) { o.Rules = func() lookup.Rules { return lookup.Rules{FailuresPerHour: 3} } })
	var open []lookup.Admission
	for range 10 {
		if a, wait := w.desk.Admit("broker", true); wait == 0 {
			open = append(open, a)
		}
	}
	if len(open) != 3 {
		t.Errorf("%d at once, want 3", len(open))
	}
	open[0].Failed(false)
	if _, wait := w.desk.Admit("broker", true); wait != 0 {
		t.Errorf("after one that was right: wait %s", wait)
	}
}

func TestPadWaitsForTheFloor(t *testing.T) {
	w := newWorld(t, func(o *lookup.Options) {
		o.Rules = func() lookup.Rules { return lookup.Rules{Floor: 20 * time.Millisecond} }
	})
	w.desk.Pad(t.Context(), start.Add(-5*time.Millisecond), 1)
	w.desk.Pad(t.Context(), start.Add(-30*time.Millisecond), 1)
	w.desk.Pad(t.Context(), start, 11)
	if len(w.waited) != 2 || w.waited[0] != 15*time.Millisecond || w.waited[1] != 40*time.Millisecond {
		t.Errorf("waited %v", w.waited)
	}
}

// An importer who lists his mandates for a broker does not learn how many others that broker has.
func TestListOfMandatesTellsNothingOfOthers(t *testing.T) {
	w := newWorld(t, nil)
	officer := lookup.Giver{Reader: w.reader("officer"), Officer: true}
	q := lookup.MandateQuery{Broker: "broker", Importer: acme, Limit: 1}
	list := func() string {
		t.Helper()
		found, next, err := w.desk.Mandates(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		return fmt.Sprint(len(found), " ", next != 0)
	}
	w.give(officer, lookup.Mandate{Importer: bolts, Broker: "broker"})
	if got := list(); got != "0 false" {
		t.Errorf("with another's alone: %s", got)
	}
	w.give(officer, lookup.Mandate{Importer: acme, Broker: "broker"})
	w.give(officer, lookup.Mandate{Importer: bolts, Broker: "broker"})
	if got := list(); got != "1 false" {
		t.Errorf("with one of his own: %s", got)
	}
	w.give(officer, lookup.Mandate{Importer: acme, Broker: "broker"})
	if got := list(); got != "1 true" {
		t.Errorf("with two: %s", got)
	}
	_, q.After, _ = w.desk.Mandates(t.Context(), q)
	if got := list(); got != "1 false" {
		t.Errorf("second page: %s", got)
	}
}
