package exchange_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ecogate/ecogate/eco"
	"github.com/ecogate/ecogate/exchange"
	"github.com/ecogate/ecogate/internal/pair"
	"github.com/ecogate/ecogate/partners"
)

// tells reports whether the audit log of a side has an entry of that event about the sample whose detail ends so.
func (s *side) tells(w *world, event, ending string) bool {
	w.Helper()
	records, err := s.store.Audit(context.Background(), 0, 10000)
	w.must(err)
	for _, r := range records {
		if r.Event == event && r.Subject == sampleKey && strings.HasSuffix(r.Detail, ending) {
			return true
		}
	}
	return false
}

func TestCitedCertificateIsCancelledAndItsDeclarationsAreTold(t *testing.T) {
	t.Parallel()
	bubble(t, setup{}, func(w *world) {
		w.arrived()
		w.ledger(eco.Event{Kind: eco.EventCite, Reference: "CX/26/1", Items: []eco.ItemQuantity{{Item: 2, Quantity: eco.Measure{Value: "5", Unit: "C62"}}}},
			eco.Event{Kind: eco.EventCite, Reference: "CX/26/2"})
		all, err := w.KR.Cancel(context.Background(), "issuer", byReference, "ISSUED IN ERROR")
		w.must(err)
		if m := w.KR.ends(w, all[0].Message); m.State != exchange.StateDelivered {
			t.Fatalf("%s %+v", m.State, m.Reason)
		}
		if c := w.TW.certificate(w); c.State != exchange.CertificateCancelled {
			t.Errorf("TW has it %s", c.State)
		}
		if !w.TW.tells(w, "certificate.cancelled", "; declarations CX/26/1, CX/26/2") {
			t.Error("the audit log names no declarations")
		}
	})
}

func TestReplacementShowsOnBothSidesAndHappensOnce(t *testing.T) {
	t.Parallel()
	bubble(t, setup{pair: pair.Options{SyncReply: partners.SyncReplyBoth}}, func(w *world) {
		w.arrived()
		w.ledger(eco.Event{Kind: eco.EventCite, Reference: "CX/26/1"})
		next := replacement(t, "001-26-0912399")
		w.settled(w.submit(next).Message.MessageID)
		for _, s := range []*side{w.KR, w.TW} {
			all := s.certificates(w)
			if len(all) != 2 || all[1].State != exchange.CertificateReplaced {
				t.Fatalf("%s has %d certificates", s.id, len(all))
			}
			to, from := all[1].Dealings.Successor, all[0].Dealings.Predecessor
			if to == nil || *to != all[0].Key || from == nil || *from != all[1].Key {
				t.Errorf("%s: successor %v, predecessor %v", s.id, to, from)
			}
		}
		if kr := w.KR.certificates(w)[0]; kr.State != exchange.CertificateAccepted {
			t.Errorf("KR has the new one %s", kr.State)
		}
		if !w.TW.tells(w, "certificate.replaced", "; declarations CX/26/1") || !w.KR.tells(w, "certificate.replaced", " to TW") {
			t.Error("the audit logs do not tell")
		}
		if _, err := w.KR.Submit(context.Background(), "issuer", "TW", replacement(t, "001-26-0912400")); !illegal(err, eco.ReasonWithdrawn) {
			t.Errorf("replaced twice: %v", err)
		}
	})
}

func TestReplacementUnderTheSameNumberIsNoConflict(t *testing.T) {
	t.Parallel()
	bubble(t, setup{pair: pair.Options{SyncReply: partners.SyncReplyBoth}}, func(w *world) {
		w.arrived()
		w.settled(w.submit(replacement(t, sample(t).Reference)).Message.MessageID)
		var states []exchange.CertificateState
		for _, c := range slices.Concat(w.KR.certificates(w), w.TW.certificates(w)) {
			states = append(states, c.State)
		}
		want := []exchange.CertificateState{exchange.CertificateAccepted, exchange.CertificateReplaced, exchange.CertificateAvailable, exchange.CertificateReplaced}
		if !slices.Equal(states, want) || len(w.refused()) != 0 {
			t.Errorf("states %q, want %q; refusals %q", states, want, w.refused())
		}
	})
}

func TestCertificateOfWhichOneItemWasUsedIsNotReplaced(t *testing.T) {
	t.Parallel()
	bubble(t, setup{}, func(w *world) {
		w.arrived()
		ten := eco.Measure{Value: "10", Unit: "C62"}
		w.ledger(eco.Event{Kind: eco.EventCite, Reference: "CX/26/1"},
			eco.Event{Kind: eco.EventUse, Reference: "CX/26/1", Items: []eco.ItemQuantity{{Item: 2, Quantity: ten}}})
		// Customs have used it and not said so: the partner refuses, and here it stands again.
		m := w.submit(replacement(t, "001-26-0912399")).Message
		if m = w.settled(m.MessageID); m.State != exchange.StateFailed {
			t.Fatalf("replacement is %s", m.State)
		}
		time.Sleep(time.Minute)
		if all := w.KR.certificates(w); all[1].State != exchange.CertificateReceipted || all[0].State != exchange.CertificateFailed {
			t.Errorf("KR: the old one is %s, the new one %s", all[1].State, all[0].State)
		}
		if _, err := w.KR.Cancel(context.Background(), "issuer", byReference, ""); err != nil {
			t.Fatal(err)
		}
		w.until(time.Hour, "refused", func() bool { return w.KR.certificates(w)[1].State == exchange.CertificateReceipted })
		w.report(exchange.Decision{ID: "1", Declaration: "CX/26/1", Items: []eco.ItemOutcome{{Item: 2, Status: eco.CustomsUsedInPart, Quantity: &ten}}})
		if _, err := w.KR.Submit(context.Background(), "issuer", "TW", replacement(t, "001-26-0912399")); !illegal(err, eco.ReasonExhausted) {
			t.Errorf("replaced after one item was used: %v", err)
		}
	})
}
