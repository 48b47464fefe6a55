package exchange_test

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ecogate/ecogate/ebms"
	"github.com/ecogate/ecogate/eco/ecotest"
	"github.com/ecogate/ecogate/exchange"
	"github.com/ecogate/ecogate/internal/config"
	"github.com/ecogate/ecogate/internal/pair"
	"github.com/ecogate/ecogate/internal/pkitest"
	"github.com/ecogate/ecogate/partners"
	"github.com/ecogate/ecogate/signing"
)

func TestCertificateTravels(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name  string
		setup pair.Options
		// how the partner answers the message, and how often the acknowledgment is posted
		status, attempts int
	}{
		{"acknowledgment as a message of its own", pair.Options{}, 204, 1},
		{"acknowledgment in the response", pair.Options{SyncReply: partners.SyncReplySignals}, 200, 0},
		{"RSA keys", pair.Options{Algorithm: pkitest.RSA2048}, 204, 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			bubble(t, setup{pair: test.setup}, func(w *world) {
				c := sample(t)
				submission := w.submit(c)
				if !submission.Fresh || submission.Message.State != exchange.StateQueued {
					t.Errorf("submission %+v, want a fresh queued message", submission)
				}
				sent := w.settled(submission.Message.MessageID)
				if sent.State != exchange.StateDelivered || sent.Attempts != 1 {
					t.Errorf("state %s after %d attempts, want delivered after 1", sent.State, sent.Attempts)
				}
				if posts := w.KR.out.posted(); len(posts) != 1 || posts[0].answer.Status != test.status {
					t.Errorf("%d posts, the first answered %d; want one answered %d", len(posts), posts[0].answer.Status, test.status)
				}
				if exported := w.KR.certificate(w); exported.State != exchange.CertificateReceipted || exported.Message != sent.MessageID {
					t.Errorf("exported certificate %s by %s, want receipted by %s", exported.State, exported.Message, sent.MessageID)
				}
				w.checkImported(sent)
				if diff := cmp.Diff(c, w.TW.certificate(w).Data); diff != "" {
					t.Errorf("certificate changed on its way (-sent +received):\n%s", diff)
				}
				w.checkAcknowledgment(sent, test.attempts)
			})
		})
	}
}

// checkImported compares what TW has with what KR sent.
func (w *world) checkImported(sent exchange.Message) {
	w.Helper()
	got := w.TW.message(w, exchange.MessageQuery{MessageID: sent.MessageID, Direction: exchange.Inbound})
	if got.State != exchange.StateAccepted || got.Kind != exchange.KindCertificate || got.Partner != "KR" || got.Copies != 0 {
		w.Errorf("received message %s %s from %q with %d copies", got.State, got.Kind, got.Partner, got.Copies)
	}
	if !bytes.Equal(w.TW.raw(w, got.Raw), w.KR.raw(w, sent.Raw)) {
		w.Error("the message that TW stored is not the one that KR stored")
	}
	if !slices.Equal(got.References, sent.References) || len(got.References) != 2 {
		w.Errorf("verified references %+v, signed %+v", got.References, sent.References)
	}
	imported, exported := w.TW.certificate(w), w.KR.certificate(w)
	if imported.State != exchange.CertificateAvailable || imported.Key != exported.Key || imported.Partner != "KR" {
		w.Errorf("imported certificate %s %s from %q", imported.State, imported.Key, imported.Partner)
	}
	if !bytes.Equal(w.TW.raw(w, imported.Document), w.KR.raw(w, exported.Document)) {
		w.Error("the document that TW stored is not the one that KR stored")
	}
	if imported.DocumentSigner != exported.DocumentSigner || imported.DocumentSigner == got.Signer {
		w.Errorf("document signed by %s, verified as by %s; message by %s", exported.DocumentSigner, imported.DocumentSigner, got.Signer)
	}
}

// checkAcknowledgment compares the acknowledgment with what KR sent, on both sides.
func (w *world) checkAcknowledgment(sent exchange.Message, attempts int) {
	w.Helper()
	given := w.TW.message(w, exchange.MessageQuery{Direction: exchange.Outbound})
	if given.State != exchange.StateDelivered || given.Kind != exchange.KindAcknowledgment || given.Attempts != attempts {
		w.Errorf("acknowledgment at TW %s %s after %d attempts, want delivered after %d", given.Kind, given.State, given.Attempts, attempts)
	}
	if in := w.TW.message(w, exchange.MessageQuery{Direction: exchange.Inbound}); in.Reply != given.Seq {
		w.Errorf("the message names record %d as its reply, want %d", in.Reply, given.Seq)
	}
	taken := w.KR.message(w, exchange.MessageQuery{Direction: exchange.Inbound})
	if taken.State != exchange.StateAccepted || taken.Kind != exchange.KindAcknowledgment || taken.RefToMessageID != sent.MessageID {
		w.Errorf("acknowledgment at KR %s %s of %s", taken.Kind, taken.State, taken.RefToMessageID)
	}
	if sent.SettledBy != taken.MessageID || sent.Settled.IsZero() {
		w.Errorf("settled by %q at %s, want by %q", sent.SettledBy, sent.Settled, taken.MessageID)
	}
	credential := w.KR.registry.Credentials("TW", partners.UseMessageSignature, w.now())[0].X509Cert
	if taken.Signer != signing.Fingerprint(credential) || given.Signer != taken.Signer {
		w.Errorf("acknowledgment signed by %s, verified as by %s", given.Signer, taken.Signer)
	}
	raw := w.TW.raw(w, given.Raw)
	if !bytes.Equal(raw, w.KR.raw(w, taken.Raw)) {
		w.Error("the acknowledgment that KR stored is not the one that TW stored")
	}
	m, err := ebms.Parse(raw)
	w.must(err)
	var told []exchange.Reference
	for _, r := range m.Acknowledgment.References {
		told = append(told, exchange.Reference{URI: r.URI, DigestMethod: r.DigestMethod, DigestValue: r.DigestValue})
	}
	if !slices.Equal(told, sent.References) {
		w.Errorf("acknowledged references %+v, sent %+v", told, sent.References)
	}
}

func TestBothSidesKeepAnAuditLog(t *testing.T) {
	t.Parallel()
	bubble(t, setup{}, func(w *world) {
		w.settled(w.submit(sample(t)).Message.MessageID)
		if got, want := w.KR.events(w), []string{"issuer certificate.submitted", "TW message.acknowledgment"}; !slices.Equal(got, want) {
			t.Errorf("audit log of KR %q, want %q", got, want)
		}
		if got, want := w.TW.events(w), []string{"KR certificate.received"}; !slices.Equal(got, want) {
			t.Errorf("audit log of TW %q, want %q", got, want)
		}
		if got, want := w.KR.observed(), []string{"validated", "mapped", "signed", "queued", "sent", "receipted"}; !slices.Equal(sorted(got), sorted(want)) {
			t.Errorf("steps of KR %q, want %q", got, want)
		}
		if got, want := w.TW.observed(), []string{"verified", "stored", "sent"}; !slices.Equal(got, want) {
			t.Errorf("steps of TW %q, want %q", got, want)
		}
	})
}

// sorted is for steps of which two goroutines take some.
func sorted(s []string) []string { return slices.Sorted(slices.Values(s)) }

func TestSeveralFormsTravelUnderOneAgreement(t *testing.T) {
	t.Parallel()
	bubble(t, setup{}, func(w *world) {
		sent := 0
		for _, name := range ecotest.Names(t) {
			c := ecotest.Load(t, name)
			if !slices.Contains(w.KR.config.Agreements[0].Forms, c.Form) {
				continue
			}
			sent++
			if m := w.settled(w.submit(c).Message.MessageID); m.State != exchange.StateDelivered {
				t.Errorf("%s: %s: %+v%s", name, m.State, m.Reason, w.TW.summary(w))
			}
		}
		if got := w.TW.certificates(w); len(got) != sent || sent < 3 {
			t.Errorf("TW has %d certificates, want %d", len(got), sent)
		}
	})
}

func TestSubmitAgainChangesNothing(t *testing.T) {
	w := newWorld(t, setup{})
	first, again := w.submit(sample(t)), w.submit(sample(t))
	if again.Fresh || again.Message.MessageID != first.Message.MessageID {
		t.Errorf("second submission fresh %v, message %s; want that of the first, %s", again.Fresh, again.Message.MessageID, first.Message.MessageID)
	}
	other := sample(t)
	other.Remarks = "OTHER"
	if _, err := w.KR.Submit(context.Background(), "issuer", "TW", other); !errors.Is(err, exchange.ErrConflict) {
		t.Errorf("other content under the same reference: %v, want %v", err, exchange.ErrConflict)
	}
	if got := w.KR.messages(w, exchange.MessageQuery{}); len(got) != 1 {
		t.Errorf("%d messages, want 1", len(got))
	}
}

func TestSubmitAfterAFailureSendsAnew(t *testing.T) {
	tests := []struct {
		name    string
		trouble func(w *world)
		state   exchange.State
		arrived int // certificates at TW before the second submission
	}{
		{"partner never reached", func(w *world) { w.KR.out.usually(down) }, exchange.StateExpired, 0},
		{"acknowledgments never came", func(w *world) { w.TW.out.usually(down) }, exchange.StateFailed, 1},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			bubble(t, setup{}, func(w *world) {
				test.trouble(w)
				first := w.settled(w.submit(sample(t)).Message.MessageID)
				if got := len(w.TW.certificates(w)); first.State != test.state || got != test.arrived {
					t.Fatalf("first message is %s with %d certificates at TW, want %s with %d", first.State, got, test.state, test.arrived)
				}
				w.KR.out.usually(deliver)
				w.TW.out.usually(deliver)
				again := w.submit(sample(t))
				if !again.Fresh || again.Message.MessageID == first.MessageID {
					t.Fatalf("the second submission gives the failed message again")
				}
				if got := w.settled(again.Message.MessageID); got.State != exchange.StateDelivered {
					t.Errorf("second message is %s", got.State)
				}
				if c := w.KR.certificate(w); c.State != exchange.CertificateReceipted {
					t.Errorf("certificate is %s at KR", c.State)
				}
				if c := w.TW.certificate(w); c.State != exchange.CertificateAvailable {
					t.Errorf("certificate is %s at TW", c.State)
				}
			})
		})
	}
}

func TestSubmitRefuses(t *testing.T) {
	withoutForm := func(c *config.Config) { c.Agreements[0].Forms = c.Agreements[0].Forms[1:] }
	w := newWorld(t, setup{kr: withoutForm})
	anotherBody := ecotest.Load(t, "atiga-form-d")
	anotherBody.IssuingBody.ID = "NOBODY"
	invalid := sample(t)
	invalid.Items = nil
	_, invalidErr := w.KR.Submit(t.Context(), "issuer", "TW", invalid)
	var findings *exchange.InvalidError
	if !errors.As(invalidErr, &findings) || len(findings.Findings) == 0 {
		t.Errorf("certificate without items: %v, want an InvalidError", invalidErr)
	}
	_, partnerErr := w.KR.Submit(t.Context(), "issuer", "XX", sample(t))
	_, agreementErr := w.KR.Submit(t.Context(), "issuer", "TW", sample(t))
	_, bodyErr := w.KR.Submit(t.Context(), "issuer", "TW", anotherBody)
	ended := newWorld(t, setup{kr: func(c *config.Config) { c.Agreements[0].End = w.now() }})
	_, endedErr := ended.KR.Submit(t.Context(), "issuer", "TW", sample(t))
	for _, test := range []struct {
		name      string
		got, want error
	}{
		{"unknown partner", partnerErr, partners.ErrUnknownPartner},
		{"form that is not agreed", agreementErr, partners.ErrNoAgreement},
		{"agreement that has ended", endedErr, partners.ErrOutsideValidity},
		{"issuing body that is not ours", bodyErr, exchange.ErrNotAuthorised},
	} {
		if !errors.Is(test.got, test.want) {
			t.Errorf("%s: %v, want %v", test.name, test.got, test.want)
		}
	}
	if got := w.KR.messages(w, exchange.MessageQuery{}); len(got) != 0 {
		t.Errorf("%d messages were recorded", len(got))
	}
}
