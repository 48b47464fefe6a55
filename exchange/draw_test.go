package exchange_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/fstest"
	"time"

	"github.com/ecogate/ecogate/eco"
	"github.com/ecogate/ecogate/exchange"
	"github.com/ecogate/ecogate/internal/config"
	"github.com/ecogate/ecogate/internal/pair"
	"github.com/ecogate/ecogate/partners"
)

// child is a certificate that TW issues back-to-back to the sample, for so many of the 120 pieces of its item 2.
func child(tb testing.TB, n, pieces int) eco.Certificate {
	c := sample(tb)
	original := c.Reference
	c.Reference, c.UUID = fmt.Sprintf("TW26-%05d", n), ""
	c.IssuingCountry, c.ExportingCountry, c.ImportingCountry = "TW", "TW", "KR"
	c.IssuingBody = eco.IssuingBody{ID: "BOFT", Name: "BUREAU OF FOREIGN TRADE"}
	c.Related = []eco.RelatedCertificate{{Relation: eco.RelationBackToBack, Reference: original, Country: "KR", Date: c.IssuedAt}}
	item := c.Items[1]
	item.Number, item.GrossWeight = 1, &eco.Measure{Value: "1", Unit: "KGM"}
	item.Quantity = &eco.Measure{Value: eco.Decimal(fmt.Sprint(pieces)), Unit: "C62"}
	c.Items = []eco.Item{item}
	return c
}

// replacing is a child that replaces another one.
func replacing(tb testing.TB, n, pieces, old int) eco.Certificate {
	c, before := child(tb, n, pieces), child(tb, old, 1)
	c.Status = eco.StatusReplacement
	c.Related = append(c.Related, eco.RelatedCertificate{Relation: eco.RelationReplaces, Reference: before.Reference, Country: "TW", Date: before.IssuedAt})
	return c
}

// issue submits a child at TW.
func (w *world) issue(c eco.Certificate) (exchange.Submission, error) {
	return w.TW.Submit(context.Background(), "issuer", "KR", c)
}

// deliverChild submits a child at TW and waits until KR has it.
func (w *world) deliverChild(c eco.Certificate) exchange.Message {
	w.Helper()
	s, err := w.issue(c)
	w.must(err)
	m := w.TW.ends(w, s.Message)
	if m.State != exchange.StateDelivered {
		w.Fatalf("child is %s %+v", m.State, m.Reason)
	}
	return m
}

// original is the sample as TW has it, and what children have taken of its item 2 as "TW26-00001 50, ...".
func (w *world) original() (exchange.Certificate, string) {
	w.Helper()
	found, err := w.TW.store.Certificates(context.Background(), exchange.CertificateQuery{Direction: exchange.Inbound})
	w.must(err)
	if len(found) != 1 {
		w.Fatalf("TW has %d imported certificates", len(found))
	}
	var drawn []string
	for _, d := range found[0].Life().Draws {
		for _, item := range d.Items {
			drawn = append(drawn, fmt.Sprintf("%s %s", strings.TrimPrefix(d.Document, "TW/NON-PREFERENTIAL/"), item.WrittenOff.Value))
		}
	}
	return found[0], strings.Join(drawn, ", ")
}

func (w *world) wantDrawn(when string, state exchange.CertificateState, want string) {
	w.Helper()
	if c, drawn := w.original(); c.State != state || drawn != want {
		w.Errorf("%s: the original is %s, drawn %q; want %s, %q", when, c.State, drawn, state, want)
	}
}

// counted are the side's audit entries, each "actor event", with their number.
func (s *side) counted(w *world) map[string]int {
	w.Helper()
	count := map[string]int{}
	for _, e := range s.events(w) {
		count[e]++
	}
	return count
}

// exceeds reports whether err is a finding about what an original does not have.
func exceeds(err error, text string) bool {
	var invalid *exchange.InvalidError
	return errors.As(err, &invalid) && slices.ContainsFunc(invalid.Findings, func(f eco.Finding) bool {
		return f.Severity == eco.SeverityError && strings.Contains(f.Text, text)
	})
}

func TestBackToBackCertificateDrawsOnItsOriginal(t *testing.T) {
	t.Parallel()
	for _, mode := range []string{partners.SyncReplyNone, partners.SyncReplySignals, partners.SyncReplyBoth} {
		t.Run(mode, func(t *testing.T) {
			bubble(t, setup{pair: pair.Options{SyncReply: mode}}, func(w *world) {
				w.arrived()
				first := w.deliverChild(child(t, 1, 50))
				w.wantDrawn("one child", exchange.CertificateUsedInPart, "TW2600001 50")
				if again, err := w.issue(child(t, 1, 50)); err != nil || again.Fresh || again.Message.MessageID != first.MessageID {
					t.Errorf("submitted again: %+v, %v", again, err)
				}
				if _, err := w.issue(child(t, 2, 71)); !exceeds(err, "70 C62 of 848340 are free of 001-26-0912345, and 71 C62 are to be taken") {
					t.Errorf("more than is left: %v", err)
				}
				w.deliverChild(child(t, 2, 70))
				w.wantDrawn("two children", exchange.CertificateUsedInPart, "TW2600001 50, TW2600002 70")

				all, err := w.TW.Cancel(context.Background(), "issuer", exchange.CertificateQuery{Reference: child(t, 1, 50).Reference}, "NOT SHIPPED")
				w.must(err)
				if m := w.TW.ends(w, all[0].Message); m.State != exchange.StateDelivered {
					t.Fatalf("cancellation: %s %+v", m.State, m.Reason)
				}
				time.Sleep(time.Minute)
				w.wantDrawn("one cancelled", exchange.CertificateUsedInPart, "TW2600002 70")
				w.deliverChild(child(t, 3, 50))
				w.wantDrawn("one more", exchange.CertificateUsedInPart, "TW2600002 70, TW2600003 50")
				if again, err := w.issue(child(t, 1, 50)); err != nil || again.Fresh || again.Message.MessageID != first.MessageID {
					t.Errorf("the cancelled one submitted again: %+v, %v", again, err)
				}
				if count := w.TW.counted(w); count["issuer "+exchange.EventDrawn] != 3 || count["node "+exchange.EventReturned] != 1 {
					t.Errorf("audit log %v", count)
				}
			})
		})
	}
}

// What is taken of one original, in whatever certificates, can be cancelled only there: its issuer's own cancellation is refused.
func TestOriginalThatWasDrawnOnIsNotCancelled(t *testing.T) {
	t.Parallel()
	bubble(t, setup{}, func(w *world) {
		w.arrived()
		w.deliverChild(child(t, 1, 50))
		all, err := w.KR.Cancel(context.Background(), "issuer", byReference, "")
		w.must(err)
		if m := w.KR.ends(w, all[0].Message); m.State != exchange.StateFailed {
			t.Errorf("cancellation of the original: %s", m.State)
		}
		w.wantDrawn("afterwards", exchange.CertificateUsedInPart, "TW2600001 50")
	})
}

func TestReplacementMovesTheDraw(t *testing.T) {
	t.Parallel()
	bubble(t, setup{}, func(w *world) {
		w.arrived()
		w.deliverChild(child(t, 1, 100))
		w.KR.out.usually(down) // its acknowledgments
		s, err := w.issue(replacing(t, 2, 60, 1))
		w.must(err)
		// Until KR has taken it the first one may stand again: what both have in common is counted once, the rest is not free.
		w.wantDrawn("on its way", exchange.CertificateUsedInPart, "TW2600001 40, TW2600002 60")
		if _, err := w.issue(child(t, 3, 21)); !exceeds(err, "20 C62 of 848340 are free") {
			t.Errorf("more than is left: %v", err)
		}
		w.KR.out.usually(deliver)
		if m := w.TW.ends(w, s.Message); m.State != exchange.StateDelivered {
			t.Fatalf("replacement: %s %+v", m.State, m.Reason)
		}
		time.Sleep(time.Minute)
		w.wantDrawn("taken", exchange.CertificateUsedInPart, "TW2600002 60")
		w.deliverChild(child(t, 3, 60))
		if _, err := w.issue(replacing(t, 4, 61, 2)); !exceeds(err, "60 C62 of 848340 are free") {
			t.Errorf("a replacement of more than is left: %v", err)
		}
		w.deliverChild(replacing(t, 4, 60, 2))
		time.Sleep(time.Minute)
		w.wantDrawn("replaced by as much", exchange.CertificateUsedInPart, "TW2600003 60, TW2600004 60")
	})
}

// A certificate that was not delivered may be sent again: what it took stays taken, once.
func TestDrawStaysWhenDeliveryFails(t *testing.T) {
	t.Parallel()
	bubble(t, setup{pair: pair.Options{Retries: 2, RetryInterval: time.Minute}}, func(w *world) {
		w.arrived()
		w.TW.out.usually(down)
		s, err := w.issue(child(t, 1, 100))
		w.must(err)
		if m := w.TW.ends(w, s.Message); m.State != exchange.StateExpired {
			t.Fatalf("%s", m.State)
		}
		w.wantDrawn("not delivered", exchange.CertificateUsedInPart, "TW2600001 100")
		w.TW.out.usually(deliver)
		time.Sleep(2 * time.Hour)
		if again := w.deliverChild(child(t, 1, 100)); again.MessageID == s.Message.MessageID {
			t.Error("sent in the same message")
		}
		w.wantDrawn("sent again", exchange.CertificateUsedInPart, "TW2600001 100")
		if n := w.TW.counted(w)["issuer "+exchange.EventDrawn]; n != 1 {
			t.Errorf("the audit log tells of %d draws", n)
		}
	})
}

// A cancellation that the partner refuses, since goods were cleared, gives nothing back.
func TestDrawStaysWhenCancellationIsRefused(t *testing.T) {
	t.Parallel()
	bubble(t, setup{}, func(w *world) {
		w.arrived()
		w.deliverChild(child(t, 1, 100))
		q := exchange.CertificateQuery{Reference: child(t, 1, 1).Reference}
		w.KR.out.usually(down)
		_, err := w.KR.Respond(context.Background(), "officer", q, exchange.Decision{Items: []eco.ItemOutcome{{Item: 1, Status: eco.CustomsUsedUp}}})
		w.must(err)
		all, err := w.TW.Cancel(context.Background(), "issuer", q, "")
		w.must(err)
		w.KR.out.usually(deliver)
		if m := w.TW.ends(w, all[0].Message); m.State != exchange.StateFailed {
			t.Fatalf("cancellation: %s", m.State)
		}
		time.Sleep(time.Minute)
		w.wantDrawn("refused", exchange.CertificateUsedInPart, "TW2600001 100")
		if _, err := w.issue(child(t, 2, 21)); !exceeds(err, "20 C62 of 848340 are free") {
			t.Errorf("more than is left: %v", err)
		}
	})
}

// A process that ends between the partner's answer and giving back leaves that to the next certificate.
func TestWhatWasNotGivenBackIsReclaimed(t *testing.T) {
	t.Parallel()
	bubble(t, setup{}, func(w *world) {
		w.arrived()
		w.deliverChild(child(t, 1, 100))
		before, _ := w.original()
		all, err := w.TW.Cancel(context.Background(), "issuer", exchange.CertificateQuery{Reference: child(t, 1, 1).Reference}, "")
		w.must(err)
		w.TW.ends(w, all[0].Message)
		time.Sleep(time.Minute)
		now, _ := w.original()
		w.must(w.TW.store.Change(context.Background(), []exchange.Change{{Seq: now.Seq, Revision: now.Revision, Was: now.State, State: before.State, Dealings: before.Dealings}}, nil))
		w.wantDrawn("as it was", exchange.CertificateUsedInPart, "TW2600001 100")
		w.deliverChild(child(t, 2, 21))
		w.wantDrawn("reclaimed", exchange.CertificateUsedInPart, "TW2600002 21")
	})
}

func TestNothingIsDrawnOnAnOriginalInDoubt(t *testing.T) {
	t.Parallel()
	bubble(t, setup{}, func(w *world) {
		w.arrived()
		said, err := w.TW.Respond(context.Background(), "officer", byReference, used(eco.CustomsSuspended))
		w.must(err)
		w.TW.ends(w, said.Message)
		if _, err := w.issue(child(t, 1, 1)); !exceeds(err, "nothing may be drawn on 001-26-0912345, which is suspended") {
			t.Errorf("%v", err)
		}
		if found, err := w.TW.store.Certificates(context.Background(), exchange.CertificateQuery{Direction: exchange.Outbound}); err != nil || len(found) != 0 {
			t.Errorf("%d certificates were queued, %v", len(found), err)
		}
	})
}

// Two nodes over one store issue many certificates for the last of an original's goods: as many as fit are issued, no more.
func TestManyChildrenAtOnceTakeNoMoreThanThereIs(t *testing.T) {
	t.Parallel()
	w := newWorld(t, setup{})
	request, _ := w.composed(sample(t))
	w.TW.receive(w, request)
	other, err := exchange.New(w.TW.options)
	w.must(err)
	var issued atomic.Int32
	var running sync.WaitGroup
	for n := range 24 {
		node := w.TW.Node
		if n%2 == 1 {
			node = other
		}
		running.Go(func() {
			_, err := node.Submit(context.Background(), "issuer", "KR", child(t, n, 11))
			switch {
			case err == nil:
				issued.Add(1)
			case !exceeds(err, "are free of 001-26-0912345"):
				t.Errorf("child %d: %v", n, err)
			}
		})
	}
	running.Wait()
	c, drawn := w.original()
	if issued.Load() != 10 || len(c.Life().Draws) != 10 || c.Life().Items[1].Free().Value != "10" {
		t.Errorf("%d were issued of 10 that fit; drawn %s", issued.Load(), drawn)
	}
	if got := len(w.TW.messages(w, exchange.MessageQuery{Direction: exchange.Outbound, Kind: exchange.KindCertificate})); got != 10 {
		t.Errorf("%d messages", got)
	}
}

// limited has TW know the sample's form as one of twelve months and a single use.
func limited(t *testing.T) setup {
	form, _ := eco.DefaultForms().ByCode(eco.FormNonPreferential)
	forms, err := eco.DefaultForms().With(fstest.MapFS{"form.yaml": {Data: []byte(form.Source() + "\nvalidity_months: 12\nuse: single\n")}}, "forms")
	if err != nil {
		t.Fatal(err)
	}
	var tw *config.Config
	return setup{
		tw: func(c *config.Config) { tw = c },
		options: func(o *exchange.Options) {
			if tw == nil {
				return // KR, which comes first
			}
			registry := tw.Registry()
			registry.Forms = forms
			var err error
			if o.Registry, err = partners.New(registry); err != nil {
				t.Fatal(err)
			}
		},
	}
}

func TestReceivedCertificateBeginsWithTheTermsOfItsForm(t *testing.T) {
	t.Parallel()
	bubble(t, limited(t), func(w *world) {
		w.arrived()
		lastDay := eco.Date{Year: 2027, Month: time.November, Day: 12}
		c, _ := w.original()
		if l := c.Life(); l.ValidUntil != lastDay || !l.SingleUse {
			t.Errorf("life %+v", l)
		}
		if l := w.KR.certificate(w).Life(); !l.ValidUntil.IsZero() || l.SingleUse {
			t.Errorf("the exporting side judges validity and use: %+v", l)
		}
		w.deliverChild(child(t, 1, 1))
		w.wantDrawn("one draw", exchange.CertificateUsedUp, "TW2600001 1")
		if _, err := w.issue(child(t, 2, 1)); !exceeds(err, "nothing is left of it") {
			t.Errorf("a second draw: %v", err)
		}
		w.deliverChild(replacing(t, 3, 2, 1))
		w.wantDrawn("the draw replaced", exchange.CertificateUsedUp, "TW2600003 2")
	})
}

// Customs judge the day of presentation: what they say after the last day counts, and nothing is cited by itself.
func TestCustomsRespondAfterTheLastDay(t *testing.T) {
	t.Parallel()
	w := newWorld(t, limited(t))
	request, _ := w.composed(sample(t))
	w.TW.receive(w, request)
	w.ahead = 400 * 24 * time.Hour
	c := w.TW.certificate(w)
	if _, err := eco.Next(c.Life(), eco.Event{Kind: eco.EventCite, At: w.now(), By: "broker", Reference: "D1"}); !illegal(err, eco.ReasonExpired) {
		t.Errorf("cited after its last day: %v", err)
	}
	if _, err := w.TW.Respond(context.Background(), "officer", byReference, used(eco.CustomsUsedInPart)); err != nil {
		t.Errorf("%v", err)
	}
	if c := w.TW.certificate(w); c.State != exchange.CertificateUsedUp { // its form is for one use
		t.Errorf("%s", c.State)
	}
}
