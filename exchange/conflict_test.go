package exchange_test

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/ecogate/ecogate/ebms"
	"github.com/ecogate/ecogate/eco"
	"github.com/ecogate/ecogate/exchange"
	"github.com/ecogate/ecogate/internal/pair"
	"github.com/ecogate/ecogate/partners"
)

func TestMessageIDOfOtherContentIsRefused(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, sync string
		status     int
	}{{"as a message of its own", "", 204}, {"in the response", partners.SyncReplySignals, 200}} {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld(t, setup{pair: pair.Options{SyncReply: test.sync}})
			first := w.certificateDraft(sample(t))
			first.header.SyncReply = test.sync != ""
			original := first.request(w)
			if r := w.TW.receive(w, original); r.Status != test.status {
				t.Fatalf("first message answered %d", r.Status)
			}
			other := sample(t)
			other.Reference = "001-26-0912346"
			second := w.certificateDraft(other)
			second.header.MessageID, second.header.SyncReply = first.header.MessageID, test.sync != ""
			changed := second.request(w)
			reply := w.TW.receive(w, changed)

			refused := w.TW.message(w, exchange.MessageQuery{State: exchange.StateQuarantined})
			if refused.Reason.Code != string(ebms.CodeInconsistent) || !bytes.Equal(w.TW.raw(w, refused.Raw), octets(changed.Body)) {
				t.Errorf("%+v, want quarantined Inconsistent with its bytes", refused.Reason)
			}
			kept := w.TW.message(w, exchange.MessageQuery{Direction: exchange.Inbound, State: exchange.StateAccepted})
			if kept.Copies != 0 || !bytes.Equal(w.TW.raw(w, kept.Raw), octets(original.Body)) {
				t.Errorf("the first message counts %d copies, or its bytes changed", kept.Copies)
			}
			if c := w.TW.certificate(w); c.State != exchange.CertificateAvailable || c.Data.Reference != sample(t).Reference {
				t.Errorf("certificate %s is %s", c.Data.Reference, c.State)
			}
			if reply.Status != test.status {
				t.Errorf("answered %d, want %d", reply.Status, test.status)
			}
			contentType, body := reply.ContentType, reply.Body
			if test.sync == "" {
				told := w.TW.message(w, exchange.MessageQuery{Direction: exchange.Outbound, Kind: exchange.KindError})
				contentType, body = told.ContentType, w.TW.raw(w, told.Raw)
			}
			refusal{code: ebms.CodeInconsistent}.checkErrorList(t, contentType, body, true)
		})
	}
}

func TestCopyInOtherPackagingIsACopy(t *testing.T) {
	w := newWorld(t, setup{})
	request, sent := w.composed(sample(t))
	w.TW.receive(w, request)
	pkg, err := ebms.ReadPackage(request.ContentType, request.Body, ebms.Limits{})
	w.must(err)
	request.ContentType, request.Body, err = pkg.Pack("another-boundary")
	w.must(err)
	if r := w.TW.Receive(t.Context(), request); r.Status != 204 {
		t.Errorf("answered %d", r.Status)
	}
	if m := w.TW.message(w, exchange.MessageQuery{MessageID: sent.MessageID}); m.Copies != 1 || m.State != exchange.StateAccepted {
		t.Errorf("%s with %d copies, want accepted with 1", m.State, m.Copies)
	}
}

// SyncReply is for nodes on the way and outside the signature: a copy that lost it says the same.
func TestCopyThatLostItsSyncReplyIsACopy(t *testing.T) {
	w := newWorld(t, setup{pair: pair.Options{SyncReply: partners.SyncReplySignals}})
	request, sent := w.composed(sample(t))
	if r := w.TW.receive(w, request); r.Status != 200 {
		t.Fatalf("answered %d, want 200 with the acknowledgment", r.Status)
	}
	body := octets(request.Body)
	from := bytes.Index(body, []byte("<eb:SyncReply"))
	to := from + bytes.IndexByte(body[from:], '>') + 1
	request.Body = ebms.Bytes(slices.Concat(body[:from], body[to:]))
	if r := w.TW.Receive(t.Context(), request); r.Status != 204 {
		t.Errorf("answered %d, want 204: nobody asks for the answer in the response any more", r.Status)
	}
	if m := w.TW.message(w, exchange.MessageQuery{MessageID: sent.MessageID}); m.Copies != 1 || m.State != exchange.StateAccepted {
		t.Errorf("%s with %d copies, want accepted with 1", m.State, m.Copies)
	}
}

func TestReferenceOfOtherContentIsInConflict(t *testing.T) {
	w := newWorld(t, setup{})
	other := sample(t)
	other.Remarks = "OTHER"
	third := sample(t)
	third.Reference = strings.ReplaceAll(third.Reference, "-", " ")
	third.Remarks = "ANOTHER"
	w.TW.receive(w, w.certificateDraft(sample(t)).request(w))
	w.TW.receive(w, w.certificateDraft(other).request(w))
	w.TW.receive(w, w.certificateDraft(third).request(w))
	held := w.TW.certificates(w)
	if len(held) != 3 {
		t.Fatalf("%d certificates, want all three kept", len(held))
	}
	for _, c := range held {
		if c.State != exchange.CertificateInConflict {
			t.Errorf("%q is %s, want in conflict", c.Data.Remarks, c.State)
		}
		if len(w.TW.raw(w, c.Document)) == 0 {
			t.Errorf("%q has no document", c.Data.Remarks)
		}
	}
	if got := w.TW.messages(w, exchange.MessageQuery{Direction: exchange.Inbound, State: exchange.StateAccepted}); len(got) != 3 {
		t.Errorf("%d messages accepted, want 3", len(got))
	}
	if got := strings.Join(w.TW.events(w), "; "); strings.Count(got, "certificate.conflict") != 2 {
		t.Errorf("audit log %s", got)
	}
}

func TestSameCertificateInAnotherMessageIsConfirmed(t *testing.T) {
	w := newWorld(t, setup{})
	w.TW.receive(w, w.certificateDraft(sample(t)).request(w))
	w.TW.receive(w, w.certificateDraft(sample(t)).request(w))
	if c := w.TW.certificate(w); c.State != exchange.CertificateAvailable {
		t.Errorf("certificate is %s, want available", c.State)
	}
	if got := w.TW.messages(w, exchange.MessageQuery{Kind: exchange.KindAcknowledgment, State: exchange.StateQueued}); len(got) != 2 {
		t.Errorf("%d acknowledgments, want one for each message", len(got))
	}
}

func TestMessageIDsOfTwoPartnersAreApart(t *testing.T) {
	w := newWorld(t, setup{})
	kr := w.certificateDraft(sample(t))
	c := sample(t)
	c.IssuingCountry, c.ExportingCountry, c.OriginCountry = "VN", "VN", "VN"
	c.IssuingBody.ID = "VCCI"
	vn := w.certificateDraft(c)
	vn.header.From.IDs[0].Value, vn.header.CPAID, vn.header.MessageID = vnParty, vnCPA, kr.header.MessageID
	vn.key = w.VN.message
	vn.content(w.document(c, w.VN.document))
	w.TW.receive(w, kr.request(w))
	w.TW.receive(w, vn.request(w))
	if got := w.TW.messages(w, exchange.MessageQuery{MessageID: kr.header.MessageID, Direction: exchange.Inbound, State: exchange.StateAccepted}); len(got) != 2 {
		t.Errorf("%d messages accepted, want one of each partner%s", len(got), w.TW.summary(w))
	}
}

func TestPartnerOfAnotherCountryCannotIssueInItsName(t *testing.T) {
	w := newWorld(t, setup{})
	d := w.certificateDraft(sample(t))
	d.header.From.IDs[0].Value, d.header.CPAID = vnParty, vnCPA
	d.key = w.VN.message
	for _, test := range []struct {
		name     string
		document []byte
	}{
		{"under its own signature", w.document(sample(t), w.VN.document)},
		{"under the body's true signature", w.document(sample(t), w.KR.key(w, partners.UseDocumentSignature, "KCCI"))},
	} {
		d.header.MessageID = uuid.NewString() + "@vn"
		d.content(test.document)
		w.TW.receive(w, d.request(w))
		m := w.TW.message(w, exchange.MessageQuery{MessageID: d.header.MessageID})
		if m.State != exchange.StateQuarantined || m.Reason.Code != string(ebms.CodeSecurityFailure) {
			t.Errorf("%s: %s %+v, want quarantined", test.name, m.State, m.Reason)
		}
	}
}

// inConflict has TW receive another content under the number of the sample, of which KR knows nothing any more, and then the one of KR.
func (w *world) inConflict() (foreign, own exchange.Certificate) {
	w.Helper()
	other := sample(w)
	other.Remarks = "OTHER"
	w.TW.receive(w, w.certificateDraft(other).request(w))
	time.Sleep(time.Minute)
	w.settled(w.submit(sample(w)).Message.MessageID)
	held := w.TW.certificates(w) // newest first
	if len(held) != 2 {
		w.Fatalf("TW has %d certificates", len(held))
	}
	return held[1], held[0]
}

func TestSenderHearsOfTheConflictInEveryMode(t *testing.T) {
	t.Parallel()
	for _, mode := range []string{partners.SyncReplyNone, partners.SyncReplySignals, partners.SyncReplyBusinessSignals, partners.SyncReplyResponse, partners.SyncReplyBoth} {
		t.Run(mode, func(t *testing.T) {
			bubble(t, setup{pair: pair.Options{SyncReply: mode}}, func(w *world) {
				first, own := w.inConflict()
				for _, c := range []exchange.Certificate{first, own} {
					if c.State != exchange.CertificateInConflict {
						t.Errorf("%q is %s at TW", c.Data.Remarks, c.State)
					}
				}
				w.until(time.Hour, "rejected", func() bool { return w.KR.certificate(w).State == exchange.CertificateRejected })
				want := "TW certificate.rejected KCCI D02: another certificate with this reference and other content was received on " +
					first.Recorded.UTC().Format(time.RFC3339) + " in message " + first.Message
				if got := w.refused(); len(got) != 1 || got[0] != want {
					t.Errorf("refusals %q, want %q", got, want)
				}
				if got := strings.Join(w.TW.events(w), "; "); strings.Count(got, "KR certificate.conflict") != 1 {
					t.Errorf("audit log of TW: %s", got)
				}
				before := len(w.TW.messages(w, exchange.MessageQuery{Kind: exchange.KindAnswer}))
				in := w.TW.message(w, exchange.MessageQuery{MessageID: own.Message, Direction: exchange.Inbound})
				w.TW.Receive(context.Background(), w.request(in.ContentType, w.TW.raw(w, in.Raw)))
				if after := len(w.TW.messages(w, exchange.MessageQuery{Kind: exchange.KindAnswer})); after != before {
					t.Errorf("a copy was answered with %d more messages", after-before)
				}
			})
		})
	}
}

func TestOfficerSettlesAConflict(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name             string
		holds            func(foreign, own exchange.Certificate) exchange.Certificate
		foreign, own, kr exchange.CertificateState
	}{
		{"the one that the sender has holds", func(_, own exchange.Certificate) exchange.Certificate { return own },
			exchange.CertificateRefused, exchange.CertificateAvailable, exchange.CertificateAccepted},
		{"the other one holds", func(foreign, _ exchange.Certificate) exchange.Certificate { return foreign },
			exchange.CertificateAvailable, exchange.CertificateRefused, exchange.CertificateRejected},
	} {
		t.Run(test.name, func(t *testing.T) {
			bubble(t, setup{}, func(w *world) {
				foreign, own := w.inConflict()
				w.until(time.Hour, "rejected", func() bool { return w.KR.certificate(w).State == exchange.CertificateRejected })
				time.Sleep(time.Minute)
				said, err := w.TW.Settle(context.Background(), "officer", test.holds(foreign, own).Seq, "letter of KCCI")
				w.must(err)
				for _, s := range said {
					w.TW.ends(w, s.Message)
				}
				if now := w.TW.certificates(w); len(said) != 2 || now[1].State != test.foreign || now[0].State != test.own {
					t.Errorf("%d answers; %q is %s, %q is %s", len(said), now[1].Data.Remarks, now[1].State, now[0].Data.Remarks, now[0].State)
				}
				if kr := w.KR.certificate(w); kr.State != test.kr {
					t.Errorf("KR has it %s, want %s", kr.State, test.kr)
				}
				if got := strings.Join(w.TW.events(w), "; "); strings.Count(got, "officer certificate.settled") != 2 {
					t.Errorf("audit log of TW: %s", got)
				}
				again := w.submit(sample(t)) // sent again if it was refused; what was decided stands
				w.settled(again.Message.MessageID)
				if now := w.TW.certificates(w); len(now) != 2 || now[0].State != test.own {
					t.Errorf("sent again: %d certificates, %s", len(now), now[0].State)
				}
				var illegal *eco.IllegalMove
				if _, err := w.TW.Settle(context.Background(), "officer", own.Seq, "again"); !errors.As(err, &illegal) {
					t.Errorf("settled twice: %v", err)
				}
			})
		})
	}
}

func TestUsedCertificateIsNotRefusedInASettlement(t *testing.T) {
	t.Parallel()
	bubble(t, setup{}, func(w *world) {
		w.arrived()
		said, err := w.TW.Respond(context.Background(), "officer", byReference, used(eco.CustomsUsedInPart))
		w.must(err)
		w.TW.ends(w, said.Message)
		other := sample(t)
		other.Remarks = "OTHER"
		w.TW.receive(w, w.certificateDraft(other).request(w))
		held := w.TW.certificates(w)
		var illegal *eco.IllegalMove
		if _, err := w.TW.Settle(context.Background(), "officer", held[0].Seq, "letter"); !errors.As(err, &illegal) || illegal.Code != eco.ReasonExhausted {
			t.Errorf("the one that was used is refused: %v", err)
		}
		if _, err := w.TW.Settle(context.Background(), "officer", held[1].Seq, "letter"); err != nil {
			t.Error(err)
		}
		if c := w.TW.certificates(w)[1]; c.State != exchange.CertificateUsedInPart {
			t.Errorf("the one that was used goes on as %s", c.State)
		}
		if _, err := w.TW.Settle(context.Background(), "officer", 99, "letter"); !errors.Is(err, exchange.ErrNotFound) {
			t.Errorf("one that is not there: %v", err)
		}
	})
}

// After an officer has settled for the older of two certificates with one number, what is said of that number is about that one.
func TestWhatHoldsAfterAConflictIsReplaced(t *testing.T) {
	t.Parallel()
	bubble(t, setup{}, func(w *world) {
		foreign, _ := w.inConflict()
		time.Sleep(time.Minute)
		_, err := w.TW.Settle(context.Background(), "officer", foreign.Seq, "letter of KCCI")
		w.must(err)
		said, err := w.TW.RequestVerification(context.Background(), "officer", byReference, exchange.Doubt{Ground: eco.VerifyAtRandom})
		if err != nil || said.State != exchange.CertificateSuspended {
			t.Errorf("verification: %s, %v", said.State, err)
		}
		next := sample(t)
		next.Reference = "001-26-0999999"
		next.Related = []eco.RelatedCertificate{{Relation: eco.RelationReplaces, Reference: sample(t).Reference, Country: next.IssuingCountry, Date: next.IssuedAt}}
		w.TW.receive(w, w.certificateDraft(next).request(w))
		for _, c := range w.TW.certificates(w) {
			if c.Seq == foreign.Seq && c.State != exchange.CertificateReplaced {
				t.Errorf("the one that held is %s beside its replacement", c.State)
			}
		}
	})
}

// A partner is not told which message of another partner its certificate is in conflict with, nor when that came.
func TestConflictTellsNothingOfAnotherPartner(t *testing.T) {
	t.Parallel()
	bubble(t, setup{}, func(w *world) {
		c := sample(w)
		other := exchange.Arrival{
			Message: exchange.Message{
				Direction: exchange.Inbound, Kind: exchange.KindCertificate, State: exchange.StateAccepted, MessageID: "secret@third", Partner: "third",
				Created: time.Now().UTC(), ContentType: "text/xml", Content: "other",
			},
			Raw: strings.NewReader("message"), Document: []byte("document"),
			Certificate: &exchange.Certificate{
				Direction: exchange.Inbound, Key: exchange.CertificateKey{Country: c.IssuingCountry, Form: c.Form, Reference: eco.NormaliseReference(c.Reference)},
				State: exchange.CertificateAvailable, Partner: "third", Message: "secret@third", Content: "other", Recorded: time.Now().UTC(), Data: c,
			},
		}
		if _, err := w.TW.store.Accept(context.Background(), []exchange.Arrival{other}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		w.settled(w.submit(c).Message.MessageID)
		w.until(time.Hour, "rejected", func() bool { return w.KR.certificate(w).State == exchange.CertificateRejected })
		want := "TW certificate.rejected KCCI D02: another certificate with this reference and other content was received"
		if got := w.refused(); len(got) != 1 || got[0] != want {
			t.Errorf("refusals %q, want %q", got, want)
		}
	})
}
