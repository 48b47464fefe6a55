package exchange_test

import (
	"context"
	"fmt"
	"slices"
	"testing"

	"github.com/ecogate/ecogate/eco"
	"github.com/ecogate/ecogate/exchange"
)

func TestDeadlinesOfAVerificationRunOnBothSides(t *testing.T) {
	form, _ := eco.DefaultForms().ByCode(eco.FormATIGA)
	clocks := func(c exchange.Certificate) (clocks []string) {
		for _, d := range c.Deadlines(form) {
			if d.Verification != "" {
				clocks = append(clocks, fmt.Sprintf("%s by the %s side until %s", d.Kind, d.Owner, d.Due))
			}
		}
		return clocks
	}
	bubble(t, setup{}, func(w *world) {
		w.arrived()
		replyBy := eco.DateOf(w.now().UTC()).AddDays(14)
		asked, err := w.TW.RequestVerification(context.Background(), "officer", byReference, exchange.Doubt{Ground: eco.VerifyAtRandom, ReplyBy: replyBy})
		w.must(err)
		if m := w.TW.ends(w, asked.Message); m.State != exchange.StateDelivered {
			t.Fatalf("%s %+v", m.State, m.Reason)
		}
		want := []string{fmt.Sprintf("verification reply by the exporting side until %s", replyBy),
			fmt.Sprintf("verification total by the importing side until %s", eco.DateOf(w.now().UTC()).AddDays(180))}
		for _, s := range []*side{w.TW, w.KR} {
			if got := clocks(s.certificate(w)); !slices.Equal(got, want) {
				t.Errorf("got %q, want %q", got, want)
			}
		}
		reply, err := w.KR.ReplyVerification(context.Background(), "issuer", byReference, exchange.Clarification{Result: eco.VerifiedConfirmed})
		w.must(err)
		if m := w.KR.ends(w, reply.Message); m.State != exchange.StateDelivered {
			t.Fatalf("%s %+v", m.State, m.Reason)
		}
		for _, s := range []*side{w.TW, w.KR} {
			if got := clocks(s.certificate(w)); len(got) > 0 {
				t.Errorf("after the reply %q", got)
			}
		}
	})
}

func TestDoubtOfCustomsAlonePutsNobodyOnTheClock(t *testing.T) {
	form, _ := eco.DefaultForms().ByCode(eco.FormATIGA)
	bubble(t, setup{}, func(w *world) {
		w.arrived()
		_, err := w.TW.Respond(context.Background(), "officer", byReference, used(eco.CustomsSuspended))
		w.must(err)
		c := w.TW.certificate(w)
		if c.State != exchange.CertificateSuspended {
			t.Fatal(c.State)
		}
		deadlines := c.Deadlines(form)
		if len(deadlines) != 2 {
			t.Errorf("want validity and reject notice, got %+v", deadlines)
		}
		for _, d := range deadlines {
			if d.Verification != "" {
				t.Errorf("%+v", d)
			}
		}
	})
}
