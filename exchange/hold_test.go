package exchange_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ecogate/ecogate/eco"
	"github.com/ecogate/ecogate/exchange"
	"github.com/ecogate/ecogate/internal/config"
	"github.com/ecogate/ecogate/internal/pair"
	"github.com/ecogate/ecogate/partners"
	"github.com/ecogate/ecogate/store/bolt"
)

// listing has TW know these offices and signatories of KCCI.
func listing(offices []partners.Office, signatories ...partners.Signatory) setup {
	return setup{tw: func(c *config.Config) {
		kcci := &c.Partners[0].Issuers[0]
		kcci.Offices, kcci.Signatories = offices, signatories
	}}
}

func office(id string) []partners.Office { return []partners.Office{{ID: id}} }

// relist changes TW's list of KCCI's offices.
func (w *world) relist(offices []partners.Office) {
	w.Helper()
	there := w.TW.config.Registry()
	there.Partners = slices.Clone(there.Partners)
	there.Partners[0].Issuers = slices.Clone(there.Partners[0].Issuers)
	there.Partners[0].Issuers[0].Offices = offices
	w.must(w.TW.registry.Reload(there))
}

func TestUnknownOfficeIsHeldAndNotRefused(t *testing.T) {
	t.Parallel()
	bubble(t, listing(office("002")), func(w *world) {
		w.arrived()
		c := w.TW.certificate(w)
		if c.State != exchange.CertificateSuspended || !c.Dealings.OnHold() || !told(c.Findings, "issuing_body.office", `office "001" is not on the list of issuing body "KCCI"`) {
			t.Fatalf("certificate is %s with %+v", c.State, c.Findings)
		}
		records, err := w.TW.store.Audit(context.Background(), 0, 100)
		w.must(err)
		if !slices.ContainsFunc(records, func(r bolt.AuditRecord) bool {
			return r.Event == "certificate.received" && strings.HasSuffix(r.Detail, `; suspended: office "001" is not on the list of issuing body "KCCI"`)
		}) {
			t.Errorf("audit %+v", records)
		}
		if !slices.Contains(w.TW.observed(), "held") {
			t.Errorf("steps %q tell nothing of it", w.TW.observed())
		}
		if form, _ := w.TW.registry.Forms().ByCode(c.Data.Form); len(c.Deadlines(form)) != 0 {
			t.Errorf("deadlines %+v for a reply that nobody owes", c.Deadlines(form))
		}
		if _, err := w.TW.Respond(context.Background(), "officer", byReference, used(eco.CustomsUsedUp)); !illegal(err, eco.ReasonOrigin) {
			t.Errorf("used while its issuer is in doubt: %v", err)
		}
		released, err := w.TW.Release(context.Background(), "officer", byReference, "letter of 12 November")
		w.must(err)
		if now := w.TW.certificate(w); released.State != exchange.CertificateAvailable || now.State != released.State || now.Dealings.OnHold() {
			t.Errorf("released: %s", released.State)
		}
		if !slices.Contains(w.TW.events(w), "officer certificate.released") {
			t.Errorf("audit %q", w.TW.events(w))
		}
		if _, err := w.TW.Release(context.Background(), "officer", byReference, ""); !errors.Is(err, exchange.ErrNotOnHold) {
			t.Errorf("released twice: %v", err)
		}
		said, err := w.TW.Respond(context.Background(), "officer", byReference, used(eco.CustomsUsedUp))
		w.must(err)
		if said.State != exchange.CertificateUsedUp {
			t.Errorf("used after its release: %s", said.State)
		}
	})
}

func TestHeldCertificateIsReleasedByTheList(t *testing.T) {
	t.Parallel()
	bubble(t, listing(office("002")), func(w *world) {
		w.arrived()
		time.Sleep(5 * time.Minute)
		if c := w.TW.certificate(w); c.State != exchange.CertificateSuspended {
			t.Fatalf("%s before the list has its office", c.State)
		}
		w.relist([]partners.Office{{ID: "001", From: w.now()}})
		time.Sleep(2 * time.Minute)
		if c := w.TW.certificate(w); c.State != exchange.CertificateSuspended {
			t.Errorf("%s, although the office opened after the day of issue", c.State)
		}
		w.relist(office("001"))
		time.Sleep(2 * time.Minute)
		if c := w.TW.certificate(w); c.State != exchange.CertificateAvailable || c.Dealings.OnHold() {
			t.Errorf("%s after the list has its office", c.State)
		}
		if !slices.Contains(w.TW.events(w), "node certificate.released") {
			t.Errorf("audit %q", w.TW.events(w))
		}
	})
}

// What became of a certificate otherwise stays.
func TestHeldCertificateCanBeDeniedOrCancelled(t *testing.T) {
	t.Parallel()
	bubble(t, listing(office("002")), func(w *world) {
		w.arrived()
		said, err := w.TW.Respond(context.Background(), "officer", byReference, used(eco.CustomsDenied))
		w.must(err)
		if said.State != exchange.CertificateDenied {
			t.Errorf("denied: %s", said.State)
		}
		w.TW.ends(w, said.Message)
		w.relist(office("001"))
		time.Sleep(2 * time.Minute)
		if c := w.TW.certificate(w); c.State != exchange.CertificateDenied {
			t.Errorf("after the list has its office: %s", c.State)
		}
	})
	bubble(t, listing(office("002")), func(w *world) {
		w.arrived()
		done, err := w.KR.Cancel(context.Background(), "issuer", byReference, "error")
		w.must(err)
		if m := w.KR.ends(w, done[0].Message); m.State != exchange.StateDelivered || w.TW.certificate(w).State != exchange.CertificateCancelled {
			t.Errorf("cancelled: %s %+v, %s", m.State, m.Reason, w.TW.certificate(w).State)
		}
	})
}

func TestUnknownSignatoryIsHeld(t *testing.T) {
	t.Parallel()
	w := newWorld(t, listing(nil, partners.Signatory{Name: "Somebody Else"}))
	request, _ := w.composed(sample(t))
	w.TW.receive(w, request)
	if c := w.TW.certificate(w); c.State != exchange.CertificateSuspended || !told(c.Findings, "certification.officer", "is not on the list") {
		t.Errorf("certificate is %s with %+v", c.State, c.Findings)
	}
	known := newWorld(t, listing(office("001"), partners.Signatory{Name: strings.ToLower(sample(t).Certification.Officer), Offices: []string{"001"}}))
	request, _ = known.composed(sample(t))
	known.TW.receive(known, request)
	if c := known.TW.certificate(known); c.State != exchange.CertificateAvailable || c.Dealings.OnHold() {
		t.Errorf("on the lists: %s with %+v", c.State, c.Findings)
	}
}

// A business answer in the response does not accept what an officer has to decide about.
func TestHeldCertificateIsAnsweredAsReceived(t *testing.T) {
	t.Parallel()
	for mode, want := range map[string][]eco.AnswerKind{
		partners.SyncReplyResponse: {eco.AnswerReceived}, partners.SyncReplyBoth: {eco.AnswerReceived}, partners.SyncReplyBusinessSignals: {eco.AnswerReceived},
	} {
		s := listing(office("002"))
		s.pair = pair.Options{SyncReply: mode}
		w := newWorld(t, s)
		request, _ := w.composed(sample(t))
		w.TW.receive(w, request)
		var got []eco.AnswerKind
		for _, a := range w.TW.message(w, exchange.MessageQuery{Kind: exchange.KindAnswer}).Answers {
			got = append(got, a.Kind)
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: answered %q, want %q", mode, got, want)
		}
	}
}

// TestUnauthorisedCredentialIsQuarantined: of an issuing body, and still not for this office, form or day.
func TestUnauthorisedCredentialIsQuarantined(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, cause string
		change      func(body *partners.IssuerConfig)
	}{
		{"office", `credential is not authorised to sign for issuing body "KCCI"`, func(b *partners.IssuerConfig) {
			b.Offices = []partners.Office{{ID: "001"}, {ID: "002"}}
			b.Credentials[0].Offices = []string{"002"}
		}},
		{"form", "it may not sign form NON-PREFERENTIAL, only [ATIGA-D]", func(b *partners.IssuerConfig) {
			b.Forms = append(slices.Clone(b.Forms), "ATIGA-D")
			b.Credentials[0].Forms = []eco.FormCode{"ATIGA-D"}
		}},
		{"office that was closed", `office may not issue at this time: office "001"`, func(b *partners.IssuerConfig) {
			b.Offices = []partners.Office{{ID: "001", Until: time.Date(2026, time.November, 12, 0, 0, 0, 0, time.UTC)}}
		}},
		{"body before its time", "may not issue this form at this time", func(b *partners.IssuerConfig) {
			b.From = time.Date(2026, time.November, 13, 0, 0, 0, 0, time.UTC)
		}},
		{"no credential of the body", "it is none of its credentials", func(b *partners.IssuerConfig) { b.Credentials = nil }},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, setup{tw: func(c *config.Config) {
				kr := &c.Partners[0]
				if kr.Issuers[0].Credentials != nil && test.name == "no credential of the body" {
					kr.Issuers[1].Credentials = append(kr.Issuers[1].Credentials, kr.Issuers[0].Credentials...)
				}
				test.change(&kr.Issuers[0])
			}})
			request, m := w.composed(sample(t))
			w.TW.receive(w, request)
			got := w.TW.message(w, exchange.MessageQuery{MessageID: m.MessageID, Direction: exchange.Inbound})
			if got.State != exchange.StateQuarantined || got.Reason == nil || got.Reason.Code != "SecurityFailure" || !strings.Contains(got.Reason.Cause, test.cause) {
				t.Errorf("%s %+v, want quarantine with %q", got.State, got.Reason, test.cause)
			}
			if n := len(w.TW.certificates(w)); n != 0 {
				t.Errorf("%d certificates", n)
			}
		})
	}
}

// What partners would hold is not sent.
func TestOwnOfficeMustBeListed(t *testing.T) {
	t.Parallel()
	w := newWorld(t, setup{kr: func(c *config.Config) { c.Node.Issuers[0].Offices = office("002") }})
	if _, err := w.KR.Submit(t.Context(), "issuer", "TW", sample(t)); !errors.Is(err, exchange.ErrNotAuthorised) || !strings.Contains(err.Error(), `office "001" is not on the list`) {
		t.Errorf("submitted: %v", err)
	}
	if n := len(w.KR.messages(w, exchange.MessageQuery{})); n != 0 {
		t.Errorf("%d messages were recorded", n)
	}
}
