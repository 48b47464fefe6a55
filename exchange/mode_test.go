package exchange_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/ecogate/ecogate/eco"
	"github.com/ecogate/ecogate/exchange"
	"github.com/ecogate/ecogate/internal/config"
	"github.com/ecogate/ecogate/partners"
)

// What came while a partner was in test is another certificate than the one that comes under its number once the partner is live.
func TestCertificateOfATestStaysOne(t *testing.T) {
	t.Parallel()
	inTest := func(c *config.Config) { c.Partners[0].Mode = partners.ModeTest }
	bubble(t, setup{kr: inTest, tw: inTest}, func(w *world) {
		first := w.arrived()
		w.goes(partners.ModeLive)
		changed := first
		changed.Remarks = "not what was tried"
		for range 2 { // the second is the same one again
			if m := w.settled(w.submit(changed).Message.MessageID); m.State != exchange.StateDelivered {
				t.Fatalf("%s %+v", m.State, m.Reason)
			}
		}
		for _, s := range []*side{w.KR, w.TW} {
			all := s.certificates(w)
			if len(all) != 2 {
				t.Fatalf("%s has %d certificates, want the one of the test and the other one", s.id, len(all))
			}
			if c := all[0]; c.Mode != partners.ModeLive || c.Key.Test || c.State == exchange.CertificateInConflict {
				t.Errorf("%s: live: %s %+v %s", s.id, c.Mode, c.Key, c.State)
			}
			if c := all[1]; c.Mode != partners.ModeTest || !c.Key.Test || c.State == exchange.CertificateInConflict {
				t.Errorf("%s: test: %s %+v %s", s.id, c.Mode, c.Key, c.State)
			}
		}
		// What is said about the number is about the one that counts.
		said, err := w.TW.Respond(w.Context(), "officer", exchange.CertificateQuery{Reference: first.Reference}, used("used-up"))
		w.must(err)
		if m := w.TW.ends(w, said.Message); m.State != exchange.StateDelivered || m.Certificate.Test {
			t.Errorf("response: %s %+v, about %s", m.State, m.Reason, m.Certificate)
		}
		for _, s := range []*side{w.KR, w.TW} {
			if all := s.certificates(w); all[0].State != exchange.CertificateUsedUp || all[1].State == exchange.CertificateUsedUp {
				t.Errorf("%s: %s and %s of the test", s.id, all[0].State, all[1].State)
			}
		}
	})
}

func TestModeOfTheTimeIsRecorded(t *testing.T) {
	t.Parallel()
	bubble(t, setup{}, func(w *world) {
		w.goes(partners.ModeParallel)
		w.arrived()
		w.goes(partners.ModeLive)
		for _, s := range []*side{w.KR, w.TW} {
			if c := s.certificates(w)[0]; c.Mode != partners.ModeParallel || c.Key.Test {
				t.Errorf("%s: %s %+v", s.id, c.Mode, c.Key)
			}
		}
	})
}

// goes has both sides change each other's mode.
func (w *world) goes(mode partners.Mode) {
	w.Helper()
	for _, s := range []*side{w.KR, w.TW} {
		s.config.Partners[0].Mode = mode
		w.must(s.registry.Reload(s.config.Registry()))
	}
}

// What came or went in a test is nobody's original: a certificate that counts is not held to it, so that no test system can have one refused.
func TestCertificateIsNotHeldToOneOfATest(t *testing.T) {
	t.Parallel()
	inTest := func(c *config.Config) { c.Partners[0].Mode = partners.ModeTest }
	bubble(t, setup{kr: inTest, tw: inTest}, func(w *world) {
		original := w.arrived()
		again := original
		again.Status = eco.StatusReplacement
		again.Reference = strings.Replace(original.Reference, "1", "2", 1)
		again.Related = []eco.RelatedCertificate{{
			Relation: eco.RelationReplaces, Reference: original.Reference, Country: original.IssuingCountry, Date: original.IssuedAt.AddDays(-3),
		}}
		var invalid *exchange.InvalidError
		if _, err := w.KR.Submit(w.Context(), "issuer", "TW", again); !errors.As(err, &invalid) {
			t.Errorf("within the test: %v", err)
		}
		w.goes(partners.ModeLive)
		s, err := w.KR.Submit(w.Context(), "issuer", "TW", again)
		w.must(err)
		if m := w.settled(s.Message.MessageID); m.State != exchange.StateDelivered {
			t.Errorf("%s %+v", m.State, m.Reason)
		}
	})
}
