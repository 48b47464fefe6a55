package exchange_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/ecogate/ecogate/eco"
	"github.com/ecogate/ecogate/exchange"
)

// A certificate that names another is held to it: by the node that sends, which refuses, and by the one that receives.
func TestCertificateIsHeldToTheOneThatItNames(t *testing.T) {
	t.Parallel()
	bubble(t, setup{}, func(w *world) {
		original := sample(t)
		first, err := w.KR.Submit(context.Background(), "issuer", "TW", original)
		w.must(err)
		if m := w.settled(first.Message.MessageID); m.State != exchange.StateDelivered {
			t.Fatalf("%s %+v", m.State, m.Reason)
		}
		again := sample(t)
		again.Status = eco.StatusReplacement
		again.Reference = strings.Replace(original.Reference, "1", "2", 1)
		again.Related = []eco.RelatedCertificate{{
			Relation: eco.RelationReplaces, Reference: original.Reference, Country: original.IssuingCountry, Date: original.IssuedAt.AddDays(-3),
		}}
		_, err = w.KR.Submit(context.Background(), "issuer", "TW", again)
		var invalid *exchange.InvalidError
		if !errors.As(err, &invalid) || !slices.ContainsFunc(invalid.Findings, func(f eco.Finding) bool {
			return f.Code == eco.CodeRelated && f.Path == "related[0].date" && f.Severity == eco.SeverityError
		}) {
			t.Fatalf("a date that the original does not bear: %v", err)
		}
		again.Related[0].Date = original.IssuedAt
		second, err := w.KR.Submit(context.Background(), "issuer", "TW", again)
		w.must(err)
		if m := w.settled(second.Message.MessageID); m.State != exchange.StateDelivered {
			t.Errorf("%s %+v", m.State, m.Reason)
		}
	})
}

// One that is not known may be on paper: a warning on both sides.
func TestRelatedCertificateOnPaperIsAWarning(t *testing.T) {
	t.Parallel()
	bubble(t, setup{}, func(w *world) {
		c := sample(t)
		c.Status = eco.StatusReplacement
		c.Related = []eco.RelatedCertificate{{Relation: eco.RelationReplaces, Reference: "ON PAPER 7", Country: c.IssuingCountry}}
		s, err := w.KR.Submit(context.Background(), "issuer", "TW", c)
		w.must(err)
		if m := w.settled(s.Message.MessageID); m.State != exchange.StateDelivered {
			t.Fatalf("%s %+v", m.State, m.Reason)
		}
		for _, findings := range [][]eco.Finding{s.Findings, w.TW.certificate(w).Findings} {
			if !slices.ContainsFunc(findings, func(f eco.Finding) bool {
				return f.Path == "related[0].reference" && f.Severity == eco.SeverityWarning
			}) {
				t.Errorf("%+v", findings)
			}
		}
	})
}
