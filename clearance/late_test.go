package clearance_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ecogate/ecogate/clearance"
	"github.com/ecogate/ecogate/eco"
	"github.com/ecogate/ecogate/exchange"
)

func (w *world) declaration(number string) clearance.Lodgement {
	w.Helper()
	l, err := w.Declaration(w.Context(), officer, number)
	if err != nil {
		w.Fatal(err)
	}
	return l
}

// guaranteed is a declaration on guarantee.
func guaranteed(c eco.Certificate, number string, items ...int) clearance.Declaration {
	d := declaration(c, number, items...)
	d.Guarantee = &clearance.Guarantee{Number: "G-77", Until: eco.DateOf(noon).AddDays(90)}
	return d
}

func TestCertificateThatComesLateReleasesTheGuarantee(t *testing.T) {
	w := newWorld(t)
	c := certificate(t, "D1")
	l := w.lodge(broker, guaranteed(c, "CX/26/1", 1, 2))
	same(t, "state", l.State, clearance.LodgementOnGuarantee)
	w.settle()
	w.pass(40 * 24 * time.Hour)
	w.settle()
	same(t, "state after a reservation's time", w.declaration("CX/26/1").State, clearance.LodgementOnGuarantee)
	w.receive(c)
	w.settle()
	l = w.declaration("CX/26/1")
	same(t, "state", l.State, clearance.LodgementLodged)
	same(t, "certificate", w.imported("D1").State, eco.StateCited)
	same(t, "free", w.free("D1", 2), "0 C62")
	if l.Release == nil || l.Release.Guarantee != "G-77" || l.Release.Outcome != clearance.OutcomeNone || len(l.Release.Certificates) != 1 {
		t.Fatalf("release note %+v", l.Release)
	}
	if text := l.Release.Text(); !strings.Contains(text, "The guarantee can be released") || !strings.Contains(text, "D1 of 2026-") {
		t.Error(text)
	}
	w.settle()
	same(t, "matched once", w.declaration("CX/26/1").Revision, l.Revision)
	w.decide(officer, "CX/26/1", clearance.Ruling{Verdict: clearance.VerdictAccept})
	same(t, "certificate", w.imported("D1").State, eco.StateUsedInPart)
}

func TestLateCertificateThatDiffersIsShown(t *testing.T) {
	w := newWorld(t)
	c := certificate(t, "D1")
	d := guaranteed(c, "CX/26/1", 2)
	d.Lines[0].Description = "BICYCLES"
	w.lodge(broker, d)
	w.receive(c)
	w.settle()
	l := w.declaration("CX/26/1")
	same(t, "state", l.State, clearance.LodgementLodged)
	if l.Release == nil || l.Release.Outcome != clearance.OutcomeMaterial || !strings.Contains(l.Release.Text(), "customs have to decide") {
		t.Errorf("release note %+v", l.Release)
	}
}

func TestLateCertificateThatDoesNotFitStaysAwaited(t *testing.T) {
	w := newWorld(t)
	first, other := certificate(t, "D1"), certificate(t, "D2")
	d := guaranteed(first, "CX/26/1", 2)
	line := guaranteed(other, "", 1).Lines[0]
	line.Number = 2
	d.Lines = append(d.Lines, line)
	w.lodge(broker, d)
	w.receive(first)
	w.settle()
	l := w.declaration("CX/26/1")
	same(t, "first claim", l.Claims[0].Standing, clearance.StandingReserved)
	same(t, "second claim", l.Claims[1].Standing, clearance.StandingAwaited)
	same(t, "state", l.State, clearance.LodgementOnGuarantee)
	if l.Release != nil {
		t.Error("a release note although one is missing")
	}
	w.receive(other, func(r *exchange.Certificate) { r.State = exchange.CertificateCancelled })
	w.settle()
	l = w.declaration("CX/26/1")
	same(t, "second claim", l.Claims[1].Standing, clearance.StandingAwaited)
	if n := len(l.Findings); n == 0 || l.Findings[n-1].Code != eco.ReasonWithdrawn {
		t.Errorf("findings %+v", l.Findings)
	}
	again := l.Revision
	w.receive(certificate(t, "D3"))
	w.settle()
	same(t, "revision", w.declaration("CX/26/1").Revision, again)
	// Customs deny what did not come, and accept the rest.
	w.decide(officer, "CX/26/1", clearance.Ruling{Claim: 2, Verdict: clearance.VerdictDeny, Reasons: denying("C01", "cancelled")}, clearance.Ruling{Claim: 1, Verdict: clearance.VerdictAccept})
	same(t, "state", w.declaration("CX/26/1").State, clearance.LodgementDecided)
}

func TestBrokerCitesOnlyWhatHeMaySee(t *testing.T) {
	mandated := false
	w := newWorld(t, func(o *clearance.Options) {
		o.Sees = func(_ context.Context, key string, _ clearance.Imported) (bool, error) {
			return mandated && key == broker.Name, nil
		}
	})
	c := certificate(t, "D1")
	w.receive(c)
	refusal := func(d clearance.Declaration) string {
		_, _, err := w.Lodge(t.Context(), broker, d, nil)
		return listed(err)
	}
	there := refusal(declaration(c, "CX/26/1", 2))
	missing := c
	missing.Reference = "D2"
	if notThere := refusal(declaration(missing, "CX/26/1", 2)); there == "" || strings.ReplaceAll(notThere, "D2", "D1") != there {
		t.Errorf("not his: %s\nnot there: %s", there, notThere)
	}
	w.lodge(broker, guaranteed(c, "CX/26/1", 2))
	w.settle()
	same(t, "before the mandate", w.declaration("CX/26/1").State, clearance.LodgementOnGuarantee)
	w.lodge(customs, declaration(c, "CX/26/2", 1))
	mandated = true
	w.receive(c, func(r *exchange.Certificate) { r.Message = "again" }) // a copy
	w.settle()
	same(t, "after the mandate", w.declaration("CX/26/1").State, clearance.LodgementLodged)
}

func TestReservationLapses(t *testing.T) {
	w := newWorld(t)
	c := certificate(t, "D1")
	w.receive(c)
	w.lodge(broker, declaration(c, "CX/26/1", 1, 2))
	w.decide(officer, "CX/26/1", clearance.Ruling{Claim: 1, Verdict: clearance.VerdictAccept})
	w.lodge(broker, declaration(certificateWith(t, w, "D2"), "CX/26/2", 2))
	w.pass(clearance.DefaultReservation - time.Second)
	w.settle()
	same(t, "state", w.declaration("CX/26/2").State, clearance.LodgementLodged)
	w.pass(time.Second)
	w.settle()
	same(t, "state", w.declaration("CX/26/2").State, clearance.LodgementLapsed)
	same(t, "free", w.free("D2", 2), "2400 C62")
	same(t, "certificate", w.imported("D2").State, eco.StateAvailable)
	// What was decided stays; the rest is free.
	l := w.declaration("CX/26/1")
	same(t, "state", l.State, clearance.LodgementDecided)
	same(t, "free", w.free("D1", 2), "2400 C62")
	same(t, "free", w.free("D1", 1), "0 KGM")
	// It begins anew.
	d := declaration(certificate(t, "D2"), "CX/26/2", 2)
	l, err := w.Amend(t.Context(), broker, d, nil)
	if err != nil || l.State != clearance.LodgementLodged || l.Version != 2 {
		t.Errorf("%s, version %d, %v", l.State, l.Version, err)
	}
}

func TestWhatWasReservedBesideAGuaranteeLapsesToo(t *testing.T) {
	w := newWorld(t)
	first, other := certificate(t, "D1"), certificate(t, "D2")
	d := guaranteed(first, "CX/26/1", 2)
	line := guaranteed(other, "", 1).Lines[0]
	line.Number = 2
	d.Lines = append(d.Lines, line)
	w.lodge(broker, d)
	w.receive(first)
	w.settle()
	w.pass(40 * 24 * time.Hour)
	w.receive(other)
	w.settle()
	same(t, "state", w.declaration("CX/26/1").State, clearance.LodgementLodged)
	w.pass(clearance.DefaultReservation)
	w.settle()
	same(t, "state", w.declaration("CX/26/1").State, clearance.LodgementLapsed)
	same(t, "free", w.free("D1", 2)+", "+w.free("D2", 1), "2400 C62, 20000.000 KGM")
}

func certificateWith(t testing.TB, w *world, reference string) eco.Certificate {
	c := certificate(t, reference)
	w.receive(c)
	return c
}

func TestAmendmentMovesTheReservation(t *testing.T) {
	w := newWorld(t)
	first, other := certificateWith(t, w, "D1"), certificateWith(t, w, "D2")
	w.lodge(broker, declaration(first, "CX/26/1", 2))
	half := declaration(first, "cx 26 1", 2)
	half.Lines[0].Quantity, half.Lines[0].GrossWeight, half.Lines[0].Packages = &eco.Measure{Value: "1200", Unit: "C62"}, nil, 0
	l, err := w.Amend(t.Context(), broker, half, nil)
	if err != nil || l.Version != 2 || l.Number != "CX/26/1" {
		t.Fatalf("%+v, %v%s", l, err, listed(err))
	}
	same(t, "free", w.free("D1", 2), "1200 C62")
	if l, err = w.Amend(t.Context(), broker, declaration(other, "CX/26/1", 2), nil); err != nil || l.Version != 3 {
		t.Fatalf("version %d, %v", l.Version, err)
	}
	same(t, "free of the first", w.free("D1", 2), "2400 C62")
	same(t, "first", w.imported("D1").State, eco.StateAvailable)
	same(t, "other", w.imported("D2").State, eco.StateCited)
	if l, err = w.Amend(t.Context(), broker, declaration(other, "CX/26/1", 2), nil); err != nil || l.Version != 3 {
		t.Errorf("the same again: version %d, %v", l.Version, err)
	}
	// A refused amendment leaves everything.
	bad := declaration(first, "CX/26/1", 2)
	bad.Lines[0].HS = "010121"
	var refused *clearance.RefusedError
	if _, err = w.Amend(t.Context(), broker, bad, nil); !errors.As(err, &refused) {
		t.Errorf("got %v", err)
	}
	same(t, "other", w.free("D2", 2), "0 C62")
	if _, err = w.Amend(t.Context(), clearance.Visitor{Name: "broker-2", Broker: true}, half, nil); !errors.Is(err, clearance.ErrNotFound) {
		t.Errorf("another broker: %v", err)
	}
	if l, err = w.Amend(t.Context(), customs, half, nil); err != nil || l.Declarant != broker.Name {
		t.Errorf("customs correct it: declarant %s, %v", l.Declarant, err)
	}
}

func TestCancelledCertificateIsUsedByAnOfficersWordOnly(t *testing.T) {
	w := newWorld(t)
	c := certificateWith(t, w, "D1")
	w.lodge(broker, declaration(c, "CX/26/1", 2))
	w.cancel("D1")
	accept := clearance.Judgement{Rulings: []clearance.Ruling{{Verdict: clearance.VerdictAccept}}}
	var illegal *eco.IllegalMove
	if _, err := w.Decide(t.Context(), officer, "CX/26/1", accept); !errors.As(err, &illegal) || illegal.Code != eco.ReasonWithdrawn {
		t.Errorf("accepted: %v", err)
	}
	other := certificateWith(t, w, "D2")
	w.lodge(broker, declaration(other, "CX/26/2", 2))
	w.cancel("D2")
	l := w.decide(officer, "CX/26/2", clearance.Ruling{Verdict: clearance.VerdictDeny, Reasons: denying("C07", "")})
	same(t, "state", l.State, clearance.LodgementDecided)
	same(t, "told", w.outcomes(), "")
	// Goods that were cleared before the cancellation came count all the same, by an officer's word.
	accept.Override = "CLEARED BEFORE IT WAS CANCELLED"
	if l, err := w.Decide(t.Context(), officer, "CX/26/1", accept); err != nil || l.State != clearance.LodgementDecided {
		t.Fatalf("%s, %v", l.State, err)
	}
	same(t, "told", w.outcomes(), "2 used-up 2400 C62")
}

func (w *world) cancel(reference string) {
	w.Helper()
	move, err := w.imported(reference).Moved(eco.Event{Kind: eco.EventCancel, At: noon, By: "PARTNER"})
	if err != nil {
		w.Fatal(err)
	}
	told := clearance.Happening{At: noon, Actor: "PARTNER", Event: "certificate.cancelled", Subject: w.imported(reference).Key.String()}
	if err := w.store.File(w.Context(), clearance.Batch{Moves: []clearance.Move{move}, Audit: []clearance.Happening{told}}); err != nil {
		w.Fatal(err)
	}
}

// A certificate that was issued on paper while the issuing system was down comes under a number of its own; goods were cleared on guarantee under
// the paper's.
func TestDeclarationUnderThePaperNumberIsMatched(t *testing.T) {
	w := newWorld(t)
	paper := certificate(t, "M-26/7")
	w.lodge(broker, guaranteed(paper, "CX/26/1", 2))
	c, err := certificate(t, "D1").MarkIssuedOnPaper(eco.PaperIssue{Number: "M 26 7", Reason: "power cut"})
	if err != nil {
		t.Fatal(err)
	}
	w.receive(certificate(t, "D2"))
	w.settle()
	same(t, "before it comes", w.declaration("CX/26/1").State, clearance.LodgementOnGuarantee)
	w.receive(c)
	w.settle()
	l := w.declaration("CX/26/1")
	same(t, "state", l.State, clearance.LodgementLodged)
	same(t, "certificate", l.Claims[0].Key.Reference, "D1")
	if l.Release == nil || l.Release.Certificates[0].Reference != "D1" {
		t.Errorf("release note %+v", l.Release)
	}
	same(t, "certificate", w.imported("D1").State, eco.StateCited)

	// The paper's number goes on to mean it, unless a certificate has that number itself.
	w.lodge(broker, declaration(paper, "CX/26/2", 3))
	same(t, "certificate", w.declaration("CX/26/2").Claims[0].Key.Reference, "D1")
	w.receive(paper)
	w.settle()
	w.lodge(broker, declaration(paper, "CX/26/3", 2))
	same(t, "certificate", w.declaration("CX/26/3").Claims[0].Key.Reference, "M267")
}

// A certificate that was issued on paper is cited by its own number and by the paper's: it is one all the same, and nothing else waits for it.
func TestCertificateIsMatchedOnceByBothItsNumbers(t *testing.T) {
	w := newWorld(t)
	c, err := certificate(t, "D1").MarkIssuedOnPaper(eco.PaperIssue{Number: "M-26/7", Reason: "power cut"})
	if err != nil {
		t.Fatal(err)
	}
	both := func(number string, quantity eco.Decimal) clearance.Declaration {
		d := guaranteed(c, number, 2)
		d.Lines[0].Quantity, d.Lines[0].GrossWeight, d.Lines[0].NetWeight, d.Lines[0].Packages = &eco.Measure{Value: quantity, Unit: "C62"}, nil, nil, 0
		other := d.Lines[0]
		other.Number, other.Citations = 2, []clearance.Citation{{Reference: "M-26/7", Item: 2}}
		d.Lines = append(d.Lines, other)
		return d
	}
	w.lodge(broker, both("CX/26/1", "100"))
	w.lodge(broker, both("CX/26/2", "2000")) // more than there is
	w.lodge(broker, guaranteed(certificate(t, "D2"), "CX/26/3", 2))
	w.receive(c)
	w.receive(certificate(t, "D2"))
	w.settle()
	same(t, "by both numbers", w.declaration("CX/26/1").State, clearance.LodgementLodged)
	same(t, "free", w.free("D1", 2), "2200 C62")
	l := w.declaration("CX/26/2")
	same(t, "more than there is", l.State, clearance.LodgementOnGuarantee)
	if n := len(l.Findings); n == 0 || l.Findings[n-1].Code != eco.ReasonExhausted {
		t.Errorf("findings %+v", l.Findings)
	}
	same(t, "another declaration", w.declaration("CX/26/3").State, clearance.LodgementLodged)
	w.receive(c, func(r *exchange.Certificate) { r.Message = "again" })
	w.settle()
	same(t, "said once", w.declaration("CX/26/2").Revision, l.Revision)
}

func TestReservationLapsesThoughItWasMadeForLonger(t *testing.T) {
	reservation := 30 * 24 * time.Hour
	w := newWorld(t, func(o *clearance.Options) { o.Reservation = func() time.Duration { return reservation } })
	first, other := certificateWith(t, w, "D1"), certificateWith(t, w, "D2")
	d := declaration(first, "CX/26/1", 2)
	line := declaration(other, "", 2).Lines[0]
	line.Number = 2
	d.Lines = append(d.Lines, line)
	w.lodge(broker, d)
	reservation = 24 * time.Hour
	w.decide(officer, "CX/26/1", clearance.Ruling{Claim: 2, Verdict: clearance.VerdictAccept})
	w.lodge(broker, declaration(certificateWith(t, w, "D3"), "CX/26/2", 2))
	w.pass(reservation)
	w.settle()
	same(t, "state", w.declaration("CX/26/1").State, clearance.LodgementDecided)
	same(t, "free", w.free("D1", 2), "2400 C62")
	same(t, "the next one", w.declaration("CX/26/2").State, clearance.LodgementLapsed)
}

func TestWhatWasDecidedIsNotAmendedWhileAnotherCertificateIsAwaited(t *testing.T) {
	for name, ruling := range map[string]clearance.Ruling{
		"accepted":  {Claim: 1, Verdict: clearance.VerdictAccept},
		"denied":    {Claim: 1, Verdict: clearance.VerdictDeny, Reasons: denying("C04", "origin")},
		"suspended": {Claim: 1, Verdict: clearance.VerdictSuspend, Reasons: denying("C04", "origin")},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			c := certificateWith(t, w, "D1")
			d := guaranteed(c, "CX/26/1", 2)
			d.Lines[0].Quantity, d.Lines[0].GrossWeight, d.Lines[0].NetWeight, d.Lines[0].Packages = &eco.Measure{Value: "1200", Unit: "C62"}, nil, nil, 0
			line := guaranteed(certificate(t, "D2"), "", 2).Lines[0]
			line.Number = 2
			d.Lines = append(d.Lines, line)
			w.lodge(broker, d)
			w.decide(officer, "CX/26/1", ruling)
			before := w.declaration("CX/26/1")
			same(t, "state", before.State, clearance.LodgementOnGuarantee)
			d.Office = "OTHER"
			if _, err := w.Amend(t.Context(), broker, d, nil); !errors.Is(err, clearance.ErrDecided) {
				t.Errorf("amended: %v%s", err, listed(err))
			}
			if _, err := w.Withdraw(t.Context(), broker, "CX/26/1", ""); !errors.Is(err, clearance.ErrDecided) {
				t.Errorf("withdrawn: %v", err)
			}
			same(t, "revision", w.declaration("CX/26/1").Revision, before.Revision)
		})
	}
}

// Of two certificates with one number an officer said which one holds. That the other one is newer takes nothing from it.
func TestCertificateThatHoldsIsCitedBesideTheRefusedOne(t *testing.T) {
	w := newWorld(t)
	c := certificateWith(t, w, "D1")
	w.receive(c, func(r *exchange.Certificate) { r.Message, r.Content = "other", strings.Repeat("a", 64) })
	found, err := w.store.Imported(t.Context(), clearance.ImportedQuery{Reference: "D1"})
	if err != nil || len(found) != 2 || found[1].State != eco.StateInConflict {
		t.Fatalf("%d certificates, %v", len(found), err)
	}
	var b clearance.Batch
	for i, e := range []eco.Event{{Kind: eco.EventRefuse, Reasons: denying(eco.CodeReferenceReused, "")}, {Kind: eco.EventSettle}} {
		e.At, e.By = noon, "officer"
		move, err := found[i].Moved(e)
		if err != nil {
			t.Fatal(err)
		}
		b.Moves = append(b.Moves, move)
	}
	if err := w.store.File(t.Context(), b); err != nil {
		t.Fatal(err)
	}
	l := w.lodge(broker, declaration(c, "CX/26/1", 2))
	same(t, "state", l.State, clearance.LodgementLodged)
}

func TestBrokerListsHisOwnOfACertificate(t *testing.T) {
	w := newWorld(t)
	c := certificateWith(t, w, "D1")
	w.lodge(customs, declaration(c, "CX/26/1", 2))
	w.lodge(broker, declaration(c, "CX/26/2", 1))
	w.lodge(broker, guaranteed(certificate(t, "D2"), "CX/26/3", 1))
	page, err := w.Declarations(t.Context(), broker, clearance.DeclarationQuery{Certificate: w.imported("D1").Key.String()})
	if err != nil || len(page.Declarations) != 1 || page.Declarations[0].Number != "CX/26/2" || page.Next != 0 {
		t.Errorf("%+v, %v", page, err)
	}
}

// Of two certificates with one number the other one holds: what cites this one can be withdrawn, denied and lapse, and somebody has to see to it.
func TestDeclarationOfARefusedCertificateIsNotStuck(t *testing.T) {
	w := newWorld(t)
	c := certificateWith(t, w, "D1")
	for i, number := range []string{"CX/26/1", "CX/26/2", "CX/26/3"} {
		d := declaration(c, number, 2)
		d.Lines[0].Quantity, d.Lines[0].GrossWeight, d.Lines[0].NetWeight, d.Lines[0].Packages = &eco.Measure{Value: "100", Unit: "C62"}, nil, nil, 0
		w.lodge(broker, d)
		w.pass(time.Duration(i) * time.Second)
	}
	move, err := w.imported("D1").Moved(eco.Event{Kind: eco.EventReceive, At: noon, By: "PARTNER", Content: "other"},
		eco.Event{Kind: eco.EventRefuse, At: noon, By: "officer", Reasons: denying(eco.CodeReferenceReused, "")})
	if err != nil {
		t.Fatal(err)
	}
	told := clearance.Happening{At: noon, Actor: "officer", Event: "certificate.settled", Subject: w.imported("D1").Key.String()}
	if err := w.store.File(t.Context(), clearance.Batch{Moves: []clearance.Move{move}, Audit: []clearance.Happening{told}}); err != nil {
		t.Fatal(err)
	}
	w.settle()
	duties, err := w.Duties(t.Context(), officer, clearance.DutyQuery{})
	if err != nil || !slices.ContainsFunc(duties, func(d clearance.Duty) bool { return d.Kind == clearance.DutyVoid }) {
		t.Errorf("duties %+v, %v", duties, err)
	}
	if _, err := w.Withdraw(t.Context(), broker, "CX/26/1", ""); err != nil {
		t.Errorf("withdrawn: %v", err)
	}
	w.decide(officer, "CX/26/2", clearance.Ruling{Verdict: clearance.VerdictDeny, Reasons: denying("C07", "")})
	w.lodge(broker, declaration(certificateWith(t, w, "D2"), "CX/26/4", 2))
	w.pass(clearance.DefaultReservation + time.Minute)
	w.settle()
	for _, number := range []string{"CX/26/3", "CX/26/4"} {
		same(t, number, w.declaration(number).State, clearance.LodgementLapsed)
	}
}

// Whoever amends a broker's declaration does not show him what he may not see.
func TestAmendmentByCustomsShowsABrokerNoMore(t *testing.T) {
	w := newWorld(t, func(o *clearance.Options) {
		o.Sees = func(_ context.Context, _ string, c clearance.Imported) (bool, error) {
			return c.Key.Reference == "D2", nil
		}
	})
	c := certificateWith(t, w, "D1")
	d := guaranteed(c, "CX/26/1", 2)
	w.lodge(broker, d)
	d.Office = "CORRECTED"
	for _, v := range []clearance.Visitor{customs, officer} {
		l, err := w.Amend(t.Context(), v, d, nil)
		if err != nil || l.State != clearance.LodgementOnGuarantee || l.Claims[0].Key != nil || l.Differences != nil {
			t.Errorf("%s: %+v, %v", v.Name, l.Claims, err)
		}
		d.Office += " AGAIN"
	}
}

func TestOneThatCannotBeMatchedKeepsBackNoOther(t *testing.T) {
	arrived := false
	w := newWorld(t, func(o *clearance.Options) {
		o.Handover = func(l clearance.Lodgement, _ []byte, _ []clearance.Imported) ([]clearance.Docket, error) {
			if arrived && l.Number == "CX/26/1" {
				return nil, errors.New("it cannot be handed over")
			}
			return nil, nil
		}
	})
	c := certificate(t, "D1")
	w.lodge(broker, guaranteed(c, "CX/26/1", 1))
	w.lodge(broker, guaranteed(c, "CX/26/2", 2))
	arrived = true
	w.receive(c)
	if err := w.Once(t.Context()); err == nil || !strings.Contains(err.Error(), "CX261") {
		t.Errorf("got %v", err)
	}
	same(t, "the other one", w.declaration("CX/26/2").State, clearance.LodgementLodged)
	// Nor does it keep back what happens afterwards, and it is made up for when it can be.
	w.lodge(broker, guaranteed(certificateWith(t, w, "D2"), "CX/26/3", 2))
	w.settle()
	same(t, "a later one", w.declaration("CX/26/3").State, clearance.LodgementLodged)
	same(t, "the one that could not be matched", w.declaration("CX/26/1").State, clearance.LodgementOnGuarantee)
	w.pass(time.Minute)
	if err := w.Once(t.Context()); err == nil {
		t.Error("it is not tried again")
	}
	arrived = false
	w.pass(2 * time.Minute)
	w.settle()
	same(t, "the one that can be matched now", w.declaration("CX/26/1").State, clearance.LodgementLodged)
	if left, err := w.store.Dockets(t.Context(), clearance.DocketQuery{Kind: clearance.KindMissed}); err != nil || len(left) != 0 {
		t.Errorf("still put aside: %+v, %v", left, err)
	}
}

// Whoever was given a declaration is told when it claims nothing any more.
func TestEndOfADeclarationIsHandedOver(t *testing.T) {
	var given []string
	w := newWorld(t, func(o *clearance.Options) {
		o.Reservation = func() time.Duration { return 48 * time.Hour }
		o.Handover = func(l clearance.Lodgement, _ []byte, certificates []clearance.Imported) ([]clearance.Docket, error) {
			given = append(given, fmt.Sprintf("%s %s %d", l.Number, l.State, len(certificates)))
			return nil, nil
		}
	})
	c := certificate(t, "D1")
	w.receive(c)
	w.lodge(broker, declaration(c, "CX/26/1", 1))
	w.lodge(broker, declaration(c, "CX/26/2", 2))
	if _, err := w.Withdraw(t.Context(), broker, "CX/26/1", "goods were not shipped"); err != nil {
		t.Fatal(err)
	}
	w.pass(49 * time.Hour)
	w.settle()
	same(t, "handed over", strings.Join(given, ", "), "CX/26/1 lodged 1, CX/26/2 lodged 1, CX/26/1 withdrawn 0, CX/26/2 lapsed 0")
}
