package exchange_test

import (
	"slices"
	"testing"
	"time"

	"github.com/ecogate/ecogate/ebms"
	"github.com/ecogate/ecogate/eco"
	"github.com/ecogate/ecogate/exchange"
	"github.com/ecogate/ecogate/internal/config"
	"github.com/ecogate/ecogate/partners"
	"github.com/ecogate/ecogate/signing"
)

// besideTheStrict gives KR's only agreement for the sample's form a companion that asks for less.
func besideTheStrict(change func(*partners.AgreementConfig)) func(*config.Config) {
	return func(c *config.Config) {
		lax := c.Agreements[0]
		lax.Forms = []eco.FormCode{eco.FormATIGA}
		change(&lax)
		c.Agreements = append(c.Agreements, lax)
		c.Agreements[0].Forms = []eco.FormCode{eco.FormNonPreferential}
	}
}

func TestSignalUnderAnotherAgreementSettlesNothing(t *testing.T) {
	otherCPA := besideTheStrict(func(a *partners.AgreementConfig) {
		a.CPAID, a.SignatureRequired, a.AckSigned = "urn:lax", new(false), new(false)
	})
	otherAction := besideTheStrict(func(a *partners.AgreementConfig) {
		a.Action, a.AnswerAction, a.AckSigned = "SubmitDraft", "AnswerDraft", new(false)
		const none = partners.ActionNone
		a.Actions = partners.Actions{Resend: none, Cancel: none, Response: none, StatusRequest: none, StatusReport: none, VerificationRequest: none, VerificationReply: none}
		a.Start = time.Date(2026, 1, 2, 0, 0, 0, 0, time.UTC)
	})
	tests := []struct {
		name   string
		beside func(*config.Config)
		cpaID  string
		signed bool
		fault  bool // an error in place of an acknowledgment
		code   ebms.Code
	}{
		{"unsigned acknowledgment under an agreement without signatures", otherCPA, "urn:lax", false, false, ebms.CodeInconsistent},
		{"unsigned error under an agreement without signatures", otherCPA, "urn:lax", false, true, ebms.CodeInconsistent},
		{"acknowledgment without digests where another action allows it", otherAction, "", true, false, ebms.CodeSecurityFailure},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld(t, setup{kr: test.beside})
			sent := w.submit(sample(t)).Message
			d := w.errorDraft(sent.MessageID, ebms.SeverityError)
			if !test.fault {
				about := w.certificateDraft(sample(t)).header
				about.MessageID = sent.MessageID
				d.header = ebms.NewAcknowledgment(about, ebms.SignalOptions{MessageID: "forged@tw", Now: w.now()})
			}
			if test.cpaID != "" {
				d.header.CPAID = test.cpaID
			}
			if !test.signed {
				d.key = signing.Key{}
			}
			w.KR.receive(w, d.request(w))
			w.checkUnsettled(sent, exchange.StateQueued, test.code)
		})
	}
}

func TestSyncReplyAddedOnTheWayIsPassedOver(t *testing.T) {
	w := newWorld(t, setup{})
	sent := w.submit(sample(t)).Message
	added := replace("</eb:MessageHeader>", `</eb:MessageHeader><eb:SyncReply eb:version="2.0" soap:mustUnderstand="1" soap:actor="http://schemas.xmlsoap.org/soap/actor/next"/>`)
	if r := w.TW.receive(w, w.request(sent.ContentType, added(w.KR.raw(w, sent.Raw)))); r.Status != 204 {
		t.Errorf("answered %d, want 204", r.Status)
	}
	if c := w.TW.certificate(w); c.State != exchange.CertificateAvailable {
		t.Errorf("certificate is %s", c.State)
	}
	if out := w.TW.message(w, exchange.MessageQuery{Direction: exchange.Outbound}); out.Kind != exchange.KindAcknowledgment {
		t.Errorf("answered by %s, want the acknowledgment", out.Kind)
	}
}

// endAgreements ends the agreement with the partner on one side in five minutes, and lets six pass.
func (w *world) endAgreements(s *side) {
	w.Helper()
	s.config.Agreements[0].End = w.now().Add(5 * time.Minute)
	w.must(s.registry.Reload(s.config.Registry()))
	w.ahead = 6 * time.Minute
}

func TestAcknowledgmentAfterTheAgreementEndedStillSettles(t *testing.T) {
	w := newWorld(t, setup{})
	request, sent := w.composed(sample(t))
	acknowledgment := w.acknowledgmentDraft(request)
	w.endAgreements(w.KR)
	w.KR.receive(w, acknowledgment.request(w))
	if m := w.KR.message(w, exchange.MessageQuery{MessageID: sent.MessageID}); m.State != exchange.StateDelivered {
		t.Errorf("message is %s: what was sent under the agreement was received under it", m.State)
	}
}

func TestCopyAfterTheAgreementEndedIsAnsweredAgain(t *testing.T) {
	w := newWorld(t, setup{})
	request, _ := w.composed(sample(t))
	w.TW.receive(w, request)
	w.endAgreements(w.TW)
	request.Received = w.now()
	if r := w.TW.receive(w, request); r.Status != 204 {
		t.Errorf("answered %d, want 204", r.Status)
	}
	if m := w.TW.message(w, exchange.MessageQuery{Direction: exchange.Inbound}); m.State != exchange.StateAccepted || m.Copies != 1 {
		t.Errorf("message is %s with %d copies", m.State, m.Copies)
	}
}

func TestPartsInAnotherOrderAreACopy(t *testing.T) {
	w := newWorld(t, setup{})
	d := w.certificateDraft(sample(t))
	d.parts = append(d.parts, ebms.Part{ContentID: "more", ContentType: "text/plain", Content: ebms.Bytes([]byte("more"))})
	d.header.Manifest = append(d.header.Manifest, ebms.ManifestReference{Href: "cid:more"})
	var reordered ebms.Package
	d.tamper = func(p *ebms.Package) {
		reordered = ebms.Package{Envelope: p.Envelope, Parts: slices.Clone(p.Parts)}
		slices.Reverse(reordered.Parts)
	}
	w.TW.receive(w, d.request(w))
	contentType, body, err := reordered.Pack("another")
	w.must(err)
	w.TW.Receive(t.Context(), w.request(contentType, octets(body)))
	if m := w.TW.message(w, exchange.MessageQuery{Direction: exchange.Inbound}); m.State != exchange.StateAccepted || m.Copies != 1 {
		t.Errorf("message is %s with %d copies, want accepted with one", m.State, m.Copies)
	}
}

// Where no acknowledgment is agreed, the HTTP answer is all that tells whether the partner has the message.
func TestWithoutAcknowledgmentOnlyAnAnswerWithoutComplaintDelivers(t *testing.T) {
	bubble(t, setup{kr: askNothing, tw: askNothing}, func(w *world) {
		w.KR.out.will(answer(ebms.Response{Status: 200, ContentType: "text/html", Body: []byte("<html>what?</html>")}))
		sent := w.submit(sample(t)).Message
		got := w.settled(sent.MessageID)
		if got.State != exchange.StateDelivered || len(got.Log) != 2 || got.Log[0].Problem == "" {
			t.Errorf("message is %s after %d attempts: %v", got.State, len(got.Log), got.Log)
		}
	})
}

func TestPongInTheResponseIsKeptAndSettlesNothing(t *testing.T) {
	bubble(t, setup{}, func(w *world) {
		w.KR.out.will(func(ebms.Outgoing, func([]byte) ebms.Response) (ebms.Response, error) {
			h := w.certificateDraft(sample(t)).header
			pong := &ebms.Message{
				From: h.To, To: h.From, CPAID: h.CPAID, ConversationID: "x", Service: ebms.Service{Value: ebms.MSHService}, Action: ebms.ActionPong,
				MessageID: "pong@tw", Timestamp: w.now(), RefToMessageID: w.KR.messages(w, exchange.MessageQuery{})[0].MessageID,
			}
			r := (&draft{header: pong, key: w.TW.key(w, partners.UseMessageSignature, "")}).request(w)
			return ebms.Response{Status: 200, ContentType: r.ContentType, Body: octets(r.Body)}, nil
		})
		sent := w.submit(sample(t)).Message
		w.until(time.Minute, "the Pong is kept", func() bool {
			return len(w.KR.messages(w, exchange.MessageQuery{MessageID: "pong@tw", State: exchange.StateQuarantined})) == 1
		})
		if got := w.settled(sent.MessageID); got.State != exchange.StateDelivered {
			t.Errorf("message is %s in the end", got.State)
		}
	})
}
