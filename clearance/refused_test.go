package clearance_test

import (
	"testing"
	"time"

	"github.com/ecogate/ecogate/clearance"
	"github.com/ecogate/ecogate/eco"
	"github.com/ecogate/ecogate/exchange"
)

// refuse has another certificate come under the number of one that declarations cite, and hold.
func (w *world) refuse(c eco.Certificate) clearance.Imported {
	w.Helper()
	first := w.imported(c.Reference)
	w.receive(c, func(r *exchange.Certificate) { r.Message, r.Content = "other-"+c.Reference, first.Content[1:]+"f" })
	in := func() clearance.Imported {
		found, err := w.store.Imported(w.Context(), clearance.ImportedQuery{Seq: first.Seq})
		if err != nil || len(found) != 1 {
			w.Fatal(found, err)
		}
		return found[0]
	}
	same(w, "with two under one number", in().State, eco.StateInConflict)
	move, err := in().Moved(eco.Event{Kind: eco.EventRefuse, At: noon, By: "officer", Reasons: []eco.Reason{{Code: eco.CodeReferenceReused, Text: "the other one holds"}}})
	if err != nil {
		w.Fatal(err)
	}
	if err := w.store.File(w.Context(), clearance.Batch{Moves: []clearance.Move{move}}); err != nil {
		w.Fatal(err)
	}
	return in()
}

// What a partner sends under a number that is cited, and what an officer makes of it, keeps no declaration from its end.
func TestDeclarationEndsAlthoughItsCertificateIsRefused(t *testing.T) {
	w := newWorld(t)
	c, good := certificateWith(t, w, "D1"), certificateWith(t, w, "D2")
	w.lodge(broker, declaration(c, "CX/26/1", 2))
	w.pass(time.Minute)
	w.lodge(broker, declaration(good, "CX/26/2", 2))
	same(t, "settled against", w.refuse(c).State, eco.StateRefused)
	w.pass(40 * 24 * time.Hour)
	w.settle()
	same(t, "its declaration", w.declaration("CX/26/1").State, clearance.LodgementLapsed)
	same(t, "another one", w.declaration("CX/26/2").State, clearance.LodgementLapsed)
	same(t, "freed", w.free("D2", 2), "2400 C62")
}

func TestDeclarationIsWithdrawnOrDeniedAlthoughItsCertificateIsRefused(t *testing.T) {
	w := newWorld(t)
	c, other := certificateWith(t, w, "D1"), certificateWith(t, w, "D2")
	w.lodge(broker, declaration(c, "CX/26/1", 2))
	w.lodge(broker, declaration(other, "CX/26/2", 2))
	w.refuse(c)
	w.refuse(other)
	if l, err := w.Withdraw(t.Context(), broker, "CX/26/1", "another certificate"); err != nil || l.State != clearance.LodgementWithdrawn {
		t.Errorf("%s, %v", l.State, err)
	}
	l := w.decide(officer, "CX/26/2", clearance.Ruling{Verdict: clearance.VerdictDeny, Reasons: denying("C07", "")})
	same(t, "denied", l.State, clearance.LodgementDecided)
}
