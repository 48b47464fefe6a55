package exchange_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/ecogate/ecogate/eco"
	"github.com/ecogate/ecogate/exchange"
)

// ledger moves the certificate of TW by events, as clearance does: without a message.
func (w *world) ledger(events ...eco.Event) {
	w.Helper()
	c := w.TW.certificate(w)
	life := c.Life()
	for _, e := range events {
		var err error
		e.At, e.By = w.now(), "officer"
		life, err = eco.Next(life, e)
		w.must(err)
	}
	change := exchange.Change{Seq: c.Seq, Revision: c.Revision, Was: c.State, State: exchange.CertificateState(life.State), Dealings: c.Dealings}
	change.Dealings.Life = &life
	w.must(w.TW.store.Change(context.Background(), []exchange.Change{change}, nil))
}

// report has TW say what it decided, and waits until KR has it.
func (w *world) report(d exchange.Decision) exchange.Said {
	w.Helper()
	time.Sleep(time.Minute)
	said, err := w.TW.Report(context.Background(), "officer", w.TW.certificate(w).Seq, d)
	w.must(err)
	if m := w.TW.ends(w, said.Message); m.State != exchange.StateDelivered {
		w.Fatalf("report: %s %+v", m.State, m.Reason)
	}
	return said
}

func TestReportTellsTheDecisionAndMovesNothing(t *testing.T) {
	t.Parallel()
	bubble(t, setup{}, func(w *world) {
		w.arrived()
		ten := eco.Measure{Value: "10", Unit: "C62"}
		w.ledger(eco.Event{Kind: eco.EventCite, Reference: "CX/26/1"},
			eco.Event{Kind: eco.EventUse, Reference: "CX/26/1", Items: []eco.ItemQuantity{{Item: 2, Quantity: ten}}})
		d := exchange.Decision{ID: "decision-1", Declaration: "CX/26/1", Items: []eco.ItemOutcome{{Item: 2, Status: eco.CustomsUsedInPart, Quantity: &ten, Refund: true}}}
		said := w.report(d)
		if said.Message.MessageID != "decision-1@tw" || said.State != exchange.CertificateUsedInPart {
			t.Errorf("%q, certificate %s", said.Message.MessageID, said.State)
		}
		for _, s := range []*side{w.KR, w.TW} {
			c := s.certificate(w)
			if c.State != exchange.CertificateUsedInPart || len(c.Dealings.Items) != 1 {
				t.Fatalf("%s: %s with %+v", s.id, c.State, c.Dealings.Items)
			}
			item := c.Dealings.Items[0]
			if item.Item != 2 || item.Quantity.Value != "10" || !item.Refund || item.Declaration != "CX/26/1" || item.Message != "decision-1@tw" {
				t.Errorf("%s: item %+v", s.id, item)
			}
		}
		if used := w.TW.certificate(w).Dealings.Life.Items[1].Used; used.Value != "10" {
			t.Errorf("%s written off, want what the ledger wrote off", used.Value)
		}

		d.Items[0].Status = eco.CustomsDenied // not looked at any more: the first one counts
		again := w.report(d)
		if again.Message.Seq != said.Message.Seq || len(w.TW.messages(w, exchange.MessageQuery{Kind: exchange.KindResponse})) != 1 {
			t.Errorf("the same decision was sent again: %+v", again.Message)
		}
	})
}

func TestLaterReportStandsForAnEarlierOne(t *testing.T) {
	t.Parallel()
	bubble(t, setup{}, func(w *world) {
		w.arrived()
		doubt := []eco.Reason{{Code: eco.ReasonConsignment, Text: "no through bill of lading"}}
		w.ledger(eco.Event{Kind: eco.EventCite, Reference: "CX/26/1"}, eco.Event{Kind: eco.EventDeny, Reasons: doubt})
		w.report(exchange.Decision{ID: "1", Declaration: "CX/26/1", Items: []eco.ItemOutcome{
			{Item: 1, Status: eco.CustomsDenied, Reasons: doubt}, {Item: 2, Status: eco.CustomsDenied, Reasons: doubt},
		}})
		if kr := w.KR.certificate(w); kr.State != exchange.CertificateDenied {
			t.Fatalf("KR has it %s", kr.State)
		}
		w.ledger(eco.Event{Kind: eco.EventReopen}, eco.Event{Kind: eco.EventUse, Reference: "CX/26/1", Exhausts: true})
		w.report(exchange.Decision{ID: "2", Declaration: "CX/26/1", Items: []eco.ItemOutcome{{Item: 1, Status: eco.CustomsUsedUp}, {Item: 2, Status: eco.CustomsUsedUp}}})
		kr := w.KR.certificate(w)
		if kr.State != exchange.CertificateUsedUp || kr.Dealings.Items[0].Status != eco.CustomsUsedUp || kr.Dealings.Items[0].Message != "2@tw" {
			t.Errorf("KR has it %s with %+v", kr.State, kr.Dealings.Items)
		}
	})
}

// A doubt about what a later declaration claims of an item does not give back what an earlier one used of it.
func TestRefusalKeepsWhatWasUsedBefore(t *testing.T) {
	t.Parallel()
	for _, status := range []eco.CustomsStatus{eco.CustomsSuspended, eco.CustomsDenied} {
		t.Run(string(status), func(t *testing.T) {
			bubble(t, setup{}, func(w *world) {
				w.arrived()
				ten := eco.Measure{Value: "10", Unit: "C62"}
				w.report(exchange.Decision{ID: "1", Declaration: "CX/26/1", Items: []eco.ItemOutcome{{Item: 2, Status: eco.CustomsUsedInPart, Quantity: &ten}}})
				w.report(exchange.Decision{ID: "2", Declaration: "CX/26/2", Items: []eco.ItemOutcome{
					{Item: 2, Status: status, Quantity: &ten, Reasons: []eco.Reason{{Code: eco.ReasonConsignment, Text: "no through bill of lading"}}},
				}})
				kr := w.KR.certificate(w)
				if item := kr.Dealings.Items[0]; kr.State != exchange.CertificateUsedInPart || item.Status != status || item.Quantity == nil || item.Quantity.Value != "10" {
					t.Errorf("KR has it %s with %+v", kr.State, kr.Dealings.Items)
				}
				var illegal *eco.IllegalMove
				if _, err := w.KR.Cancel(t.Context(), "issuer", byReference, ""); !errors.As(err, &illegal) {
					t.Errorf("cancelled after goods were cleared: %v", err)
				}
				w.report(exchange.Decision{ID: "3", Declaration: "CX/26/2", Items: []eco.ItemOutcome{{Item: 2, Status: eco.CustomsUsedUp}}})
				if kr := w.KR.certificate(w); kr.State != exchange.CertificateUsedInPart {
					t.Errorf("KR has it %s after the doubt", kr.State)
				}
				w.report(exchange.Decision{ID: "4", Declaration: "CX/26/1", Items: []eco.ItemOutcome{{Item: 2, Status: eco.CustomsAccepted}}})
				if kr := w.KR.certificate(w); kr.State != exchange.CertificateReceipted && kr.State != exchange.CertificateAccepted {
					t.Errorf("KR has it %s after all was given back", kr.State)
				}
			})
		})
	}
}

func TestOneDecisionIsReportedOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t, setup{})
	request, _ := w.composed(sample(t))
	w.TW.receive(w, request)
	seq := w.TW.certificate(w).Seq
	d := exchange.Decision{ID: "decision-1", Items: []eco.ItemOutcome{{Item: 1, Status: eco.CustomsUsedUp}}}
	var calls sync.WaitGroup
	for range 8 {
		calls.Go(func() {
			if said, err := w.TW.Report(context.Background(), "officer", seq, d); err != nil || said.Message.MessageID != "decision-1@tw" {
				t.Errorf("%q, %v", said.Message.MessageID, err)
			}
		})
	}
	calls.Wait()
	if n := len(w.TW.messages(w, exchange.MessageQuery{Kind: exchange.KindResponse})); n != 1 {
		t.Errorf("%d messages, want 1", n)
	}
	if c := w.TW.certificate(w); len(c.Dealings.Items) != 1 || c.Revision != 1 {
		t.Errorf("recorded %d times: %+v", c.Revision, c.Dealings.Items)
	}
}

func TestReportNeedsItsNumbers(t *testing.T) {
	t.Parallel()
	w := newWorld(t, setup{})
	request, _ := w.composed(sample(t))
	w.TW.receive(w, request)
	seq := w.TW.certificate(w).Seq
	items := []eco.ItemOutcome{{Item: 1, Status: eco.CustomsUsedUp}}
	if _, err := w.TW.Report(t.Context(), "officer", seq, exchange.Decision{Items: items}); err == nil {
		t.Error("a decision without number was reported")
	}
	if _, err := w.TW.Report(t.Context(), "officer", seq+1, exchange.Decision{ID: "1", Items: items}); !errors.Is(err, exchange.ErrNotFound) {
		t.Errorf("a certificate that is not there: %v", err)
	}
	var invalid *exchange.InvalidError
	if _, err := w.TW.Report(t.Context(), "officer", seq, exchange.Decision{ID: "1"}); !errors.As(err, &invalid) {
		t.Errorf("a decision about nothing: %v", err)
	}
	if _, err := w.TW.Report(t.Context(), "officer", seq, exchange.Decision{ID: "1", Items: items}); err != nil {
		t.Error(err)
	}
	ask, err := w.TW.RequestVerification(t.Context(), "officer", byReference, exchange.Doubt{Ground: eco.VerifyAtRandom})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.TW.Report(t.Context(), "officer", seq, exchange.Decision{ID: ask.Message.MessageID, Items: items}); !errors.Is(err, exchange.ErrConflict) {
		t.Errorf("the id of another message: %v", err)
	}
}

func TestCitedCertificateIsDecidedOnItsDeclaration(t *testing.T) {
	t.Parallel()
	w := newWorld(t, setup{})
	request, _ := w.composed(sample(t))
	w.TW.receive(w, request)
	w.ledger(eco.Event{Kind: eco.EventCite, Reference: "CX/26/1"})
	var illegal *eco.IllegalMove
	if _, err := w.TW.Respond(t.Context(), "officer", byReference, used(eco.CustomsUsedUp)); !errors.As(err, &illegal) || illegal.Why != "declaration CX/26/1 cites it: decide on the declaration" {
		t.Errorf("%v", err)
	}
	w.ledger(eco.Event{Kind: eco.EventUse, Reference: "CX/26/1", Items: []eco.ItemQuantity{{Item: 2, Quantity: eco.Measure{Value: "1", Unit: "C62"}}}})
	if _, err := w.TW.Respond(t.Context(), "officer", byReference, used(eco.CustomsUsedUp)); !errors.As(err, &illegal) {
		t.Errorf("after a declaration wrote off: %v", err)
	}
	w.ledger(eco.Event{Kind: eco.EventReverse, Reference: "CX/26/1"})
	if _, err := w.TW.Respond(t.Context(), "officer", byReference, used(eco.CustomsUsedUp)); err != nil {
		t.Error(err)
	}
}

func TestOneDoubtIsAskedOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t, setup{})
	request, _ := w.composed(sample(t))
	w.TW.receive(w, request)
	d := exchange.Doubt{ID: "declaration-1-verify", Ground: eco.VerifyAtRandom}
	var calls sync.WaitGroup
	for range 8 {
		calls.Go(func() {
			if said, err := w.TW.RequestVerification(context.Background(), "officer", byReference, d); err != nil || said.Message.MessageID != "declaration-1-verify@tw" {
				t.Errorf("%q, %v", said.Message.MessageID, err)
			}
		})
	}
	calls.Wait()
	if n := len(w.TW.messages(w, exchange.MessageQuery{Kind: exchange.KindVerificationRequest})); n != 1 {
		t.Errorf("%d messages, want 1", n)
	}
	if c := w.TW.certificate(w); len(c.Dealings.Verifications) != 1 {
		t.Errorf("open: %+v", c.Dealings.Verifications)
	}
	d.ID = ""
	for range 2 {
		if _, err := w.TW.RequestVerification(t.Context(), "officer", byReference, d); err != nil {
			t.Error(err)
		}
	}
	if n := len(w.TW.messages(w, exchange.MessageQuery{Kind: exchange.KindVerificationRequest})); n != 3 {
		t.Errorf("%d messages, want 3", n)
	}
}

// Who does not know whether a request was queued asks again, and the partner is asked once.
func TestVerificationIsRequestedOnceUnderItsNumber(t *testing.T) {
	w := newWorld(t, setup{})
	w.TW.receive(w, w.certificateDraft(sample(t)).request(w))
	doubt := exchange.Doubt{ID: "decision-1-verify", Ground: eco.VerifyAtRandom}
	first, err := w.TW.RequestVerification(t.Context(), "officer", byReference, doubt)
	w.must(err)
	again, err := w.TW.RequestVerification(t.Context(), "officer", byReference, doubt)
	w.must(err)
	if id := "decision-1-verify@tw"; first.Message.MessageID != id || again.Message.Seq != first.Message.Seq {
		t.Errorf("message %q, then %q", first.Message.MessageID, again.Message.MessageID)
	}
	if c := w.TW.certificate(w); len(c.Dealings.Verifications) != 1 || len(w.TW.messages(w, exchange.MessageQuery{Kind: exchange.KindVerificationRequest})) != 1 {
		t.Errorf("asked %d times", len(c.Dealings.Verifications))
	}
	report := exchange.Decision{ID: "decision-1-verify", Items: []eco.ItemOutcome{{Item: 1, Status: eco.CustomsUsedUp}}}
	if _, err := w.TW.Report(t.Context(), "officer", w.TW.certificate(w).Seq, report); !errors.Is(err, exchange.ErrConflict) {
		t.Errorf("a response under the same number: %v", err)
	}
}

// A certificate's record keeps every verification, so that there cannot be any number of them.
func TestVerificationsOfOneCertificateAreBounded(t *testing.T) {
	t.Parallel()
	w := newWorld(t, setup{})
	w.TW.receive(w, w.certificateDraft(sample(t)).request(w))
	var err error
	asked := 0
	for ; err == nil && asked < 200; asked++ {
		_, err = w.TW.RequestVerification(t.Context(), "officer", byReference, exchange.Doubt{Ground: eco.VerifyAtRandom})
	}
	var illegal *eco.IllegalMove
	if !errors.As(err, &illegal) || illegal.Code != eco.ReasonTooLarge || asked != 101 {
		t.Errorf("request %d: %v", asked, err)
	}
}
