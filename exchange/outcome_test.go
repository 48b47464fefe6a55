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

const sampleKey = "KR/NON-PREFERENTIAL/001260912345"

// refused are the audit log's entries of KR about refusals, each as "actor event body code: text".
func (w *world) refused() (lines []string) {
	w.Helper()
	records, err := w.KR.store.Audit(context.Background(), 0, 10000)
	w.must(err)
	for _, r := range records {
		if !slices.Contains(exchange.RefusalEvents(), r.Event) {
			continue
		}
		refusal, ok := eco.ParseRefusal(r.Detail)
		if !ok || r.Subject != sampleKey {
			w.Errorf("entry about %q: %q", r.Subject, r.Detail)
		}
		lines = append(lines, strings.Join([]string{r.Actor, r.Event, refusal.Body, refusal.Code + ":", refusal.Text}, " "))
	}
	return lines
}

func TestIssuingBodyIsToldWhatCustomsRefuse(t *testing.T) {
	t.Parallel()
	bubble(t, setup{}, func(w *world) {
		w.arrived()
		for _, d := range []exchange.Decision{
			{Declaration: "CX/26/1", Items: []eco.ItemOutcome{{Item: 1, Status: eco.CustomsSuspended, Reasons: []eco.Reason{{Code: eco.ReasonOrigin, Text: "mill\nunknown"}}}}},
			{Items: []eco.ItemOutcome{
				{Item: 1, Status: eco.CustomsUsedInPart},
				{Item: 2, Status: eco.CustomsDenied, Reasons: []eco.Reason{{Code: eco.ReasonExpired}, {Code: eco.ReasonLate, Text: "a year late"}}},
			}},
		} {
			time.Sleep(time.Minute)
			said, err := w.TW.Respond(context.Background(), "officer", byReference, d)
			w.must(err)
			w.TW.ends(w, said.Message)
		}
		for _, doubt := range []exchange.Doubt{
			{Ground: eco.VerifyForDoubt, Reasons: []eco.Reason{{Code: eco.ReasonOrigin, Text: "who made it?"}}},
			{Ground: eco.VerifyAtRandom},
		} {
			said, err := w.TW.RequestVerification(context.Background(), "officer", byReference, doubt)
			w.must(err)
			w.TW.ends(w, said.Message)
		}
		want := []string{
			"TW certificate.suspended KCCI C04: item 1 of declaration CX/26/1: mill unknown",
			"TW certificate.denied KCCI C05: item 2: the certificate had expired when it was presented; C11 a year late",
			"TW verification.asked KCCI C04: who made it?",
			"TW verification.asked KCCI C12: verified at random",
		}
		if got := w.refused(); !slices.Equal(got, want) {
			t.Errorf("refusals\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
	})
}

func TestIssuingBodyIsToldThatItsCertificateDidNotArrive(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name    string
		trouble func(*world)
		want    string
	}{
		{"refused by an error", func(w *world) {
			w.must(w.TW.registry.Reload(unlisted(w, "KCCI")))
		}, "TW certificate.rejected KCCI SecurityFailure: the partner refused it: SecurityFailure "},
		{"never reached", func(w *world) { w.KR.out.usually(down) }, "node certificate.rejected KCCI TimeToLiveExpired: the partner was not reached"},
		{"never acknowledged", func(w *world) { w.TW.out.usually(swallow) }, "node certificate.rejected KCCI DeliveryFailure: the partner took the message"},
	} {
		t.Run(test.name, func(t *testing.T) {
			bubble(t, setup{pair: pair.Options{Retries: 1}}, func(w *world) {
				test.trouble(w)
				w.settled(w.submit(sample(t)).Message.MessageID)
				if got := w.refused(); len(got) != 1 || !strings.HasPrefix(got[0], test.want) {
					t.Errorf("refusals %q, want %q", got, test.want)
				}
			})
		})
	}
}

// unlisted is TW's configuration in which an issuing body of KR is not known.
func unlisted(w *world, body string) partners.Config {
	there := w.TW.config.Registry()
	there.Partners = slices.Clone(there.Partners)
	there.Partners[0].Issuers = slices.DeleteFunc(slices.Clone(there.Partners[0].Issuers), func(i partners.IssuerConfig) bool { return i.ID == body })
	return there
}

func TestAnswerMovesTheExportedCertificate(t *testing.T) {
	t.Parallel()
	bubble(t, setup{pair: pair.Options{SyncReply: partners.SyncReplyBoth}}, func(w *world) {
		other := sample(t)
		other.Remarks = "OTHER"
		w.TW.receive(w, w.certificateDraft(other).request(w)) // of which KR knows nothing any more
		id := w.submit(sample(t)).Message.MessageID
		w.settled(id)
		rejected := w.KR.certificate(w)
		if rejected.State != exchange.CertificateRejected {
			t.Fatalf("certificate is %s, want rejected", rejected.State)
		}
		want := "TW certificate.rejected KCCI D02: another certificate with this reference and other content was received on "
		if got := w.refused(); len(got) != 1 || !strings.HasPrefix(got[0], want) {
			t.Errorf("refusals %q, want %q", got, want)
		}
		again := w.submit(sample(t)) // rejected is like not delivered: it goes again
		if !again.Fresh || again.Message.MessageID == id {
			t.Errorf("submitted again: %+v", again)
		}
	})
}

// A denial is withdrawn by messages alone: the importing side asks, the issuing body clarifies, and customs say so of the items.
func TestDenialIsReopenedAfterClarification(t *testing.T) {
	t.Parallel()
	for _, begin := range []eco.CustomsStatus{eco.CustomsDenied, eco.CustomsSuspended} {
		t.Run(string(begin), func(t *testing.T) {
			bubble(t, setup{}, func(w *world) {
				w.arrived()
				step := func(say func() (exchange.Said, error), from *side, kr, tw exchange.CertificateState) {
					t.Helper()
					time.Sleep(time.Minute)
					said, err := say()
					w.must(err)
					if m := from.ends(w, said.Message); m.State != exchange.StateDelivered {
						t.Fatalf("%s: %s %+v", m.Kind, m.State, m.Reason)
					}
					if k, i := w.KR.certificate(w).State, w.TW.certificate(w).State; k != kr || i != tw {
						t.Errorf("after the %s: KR has it %s, TW %s; want %s and %s", said.Message.Kind, k, i, kr, tw)
					}
				}
				respond := func(s eco.CustomsStatus) func() (exchange.Said, error) {
					return func() (exchange.Said, error) {
						return w.TW.Respond(context.Background(), "officer", byReference, used(s))
					}
				}
				kr, tw := exchange.CertificateDenied, exchange.CertificateDenied
				if begin == eco.CustomsSuspended {
					kr, tw = exchange.CertificateReceipted, exchange.CertificateSuspended
				}
				step(respond(begin), w.TW, kr, tw)
				step(func() (exchange.Said, error) {
					return w.TW.RequestVerification(context.Background(), "officer", byReference, exchange.Doubt{
						Ground: eco.VerifyForDoubt, Reasons: []eco.Reason{{Code: eco.ReasonOrigin, Text: "mill unknown"}}})
				}, w.TW, kr, tw)
				step(func() (exchange.Said, error) {
					return w.KR.ReplyVerification(context.Background(), "officer", byReference, exchange.Clarification{Result: eco.VerifiedConfirmed, Note: "see mill sheet"})
				}, w.KR, kr, tw)
				step(respond(eco.CustomsUsedInPart), w.TW, exchange.CertificateUsedInPart, exchange.CertificateUsedInPart)
				if v := w.TW.certificate(w).Dealings.Verifications; len(v) != 1 || v[0].Result != eco.VerifiedConfirmed || w.TW.certificate(w).Dealings.Verifying() {
					t.Errorf("verifications %+v", v)
				}
			})
		})
	}
}
