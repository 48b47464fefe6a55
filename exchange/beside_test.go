package exchange_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/ecogate/ecogate/ebms"
	"github.com/ecogate/ecogate/exchange"
	"github.com/ecogate/ecogate/internal/pair"
	"github.com/ecogate/ecogate/partners"
	"github.com/ecogate/ecogate/signing"
)

// laxBeside is another agreement with the same partner that asks for no signatures.
var laxBeside = besideTheStrict(func(a *partners.AgreementConfig) {
	a.CPAID, a.SignatureRequired, a.AckSigned = "urn:lax", new(false), new(false)
})

func TestUnsignedAnswerUnderAnotherAgreementIsRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t, setup{kr: laxBeside, pair: pair.Options{SyncReply: partners.SyncReplyResponse}})
	request, _ := w.composed(sample(t))
	d := w.answerFrom(request)
	d.header.CPAID, d.key = "urn:lax", signing.Key{}
	w.KR.receive(w, d.request(w))
	in := w.KR.message(w, exchange.MessageQuery{Direction: exchange.Inbound})
	if in.State != exchange.StateQuarantined || in.Reason.Code != string(ebms.CodeInconsistent) || len(in.Answers) > 0 {
		t.Errorf("%s %+v with %d answers, want quarantined Inconsistent", in.State, in.Reason, len(in.Answers))
	}
}

func TestUnsignedResponseUnderAnotherAgreementAnswersNothing(t *testing.T) {
	t.Parallel()
	bubble(t, setup{kr: laxBeside}, func(w *world) {
		w.KR.out.usually(func(out ebms.Outgoing, _ func([]byte) ebms.Response) (ebms.Response, error) {
			ping, err := ebms.Parse(octets(out.Body))
			w.must(err)
			d := &draft{header: ebms.NewPong(ping, ebms.SignalOptions{MessageID: "forged@tw", Now: w.now()})}
			d.header.CPAID = "urn:lax"
			r := d.request(w)
			return ebms.Response{Status: 200, ContentType: r.ContentType, Body: octets(r.Body)}, nil
		})
		if got, err := w.ping(krtwCPA); !errors.Is(err, exchange.ErrNoAnswer) {
			t.Errorf("%+v, %v; want no answer", got, err)
		}
	})
}

// ping has KR ping TW.
func (w *world) ping(cpaID string) (exchange.Ping, error) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	return w.KR.Ping(ctx, "operator", "TW", cpaID)
}

func TestOnlyAPongAnswersAPing(t *testing.T) {
	t.Parallel()
	bubble(t, setup{kr: askNothing}, func(w *world) {
		w.KR.out.usually(func(out ebms.Outgoing, _ func([]byte) ebms.Response) (ebms.Response, error) {
			ping, err := ebms.Parse(octets(out.Body))
			w.must(err)
			d := &draft{header: ebms.NewAcknowledgment(ping, ebms.SignalOptions{MessageID: "ack@tw", Now: w.now()}), key: w.TW.key(w, partners.UseMessageSignature, "")}
			r := d.request(w)
			return ebms.Response{Status: 200, ContentType: r.ContentType, Body: octets(r.Body)}, nil
		})
		if got, err := w.ping(""); !errors.Is(err, exchange.ErrNoAnswer) {
			t.Errorf("%+v, %v; want no answer", got, err)
		}
	})
}

// A stranger that knows a MessageId asks under the agreement that needs no signature.
func TestUnsignedStatusRequestLearnsNothingOfASignedMessage(t *testing.T) {
	t.Parallel()
	w := newWorld(t, setup{tw: laxBeside})
	request, sent := w.composed(sample(t))
	w.TW.receive(w, request)
	d := w.certificateDraft(sample(t))
	d.asPing()
	d.header.Action, d.header.StatusRequest = ebms.ActionStatusRequest, &ebms.StatusRequest{RefToMessageID: sent.MessageID}
	d.header.CPAID, d.key = "urn:lax", signing.Key{}
	w.TW.receive(w, d.request(w))
	reply := w.TW.message(w, exchange.MessageQuery{Kind: exchange.KindStatusResponse})
	if raw := string(w.TW.raw(w, reply.Raw)); !strings.Contains(raw, `eb:messageStatus="UnAuthorized"`) {
		t.Errorf("answered %s", raw)
	}
}

// What a node on the way adds stands outside the signature: a signed error about it would end a good message.
func TestBlockAddedOnTheWayIsNotToldInASignedError(t *testing.T) {
	t.Parallel()
	const syncReply = `<eb:SyncReply eb:version="2.0" soap:mustUnderstand="1" soap:actor="http://schemas.xmlsoap.org/soap/actor/next"/>`
	for _, test := range []struct {
		name, block string
		setup       setup
	}{
		{"SyncReply on a message with an order", syncReply, both(ordered)},
		{"SyncReply twice", syncReply + syncReply, setup{}},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld(t, test.setup)
			request, sent := w.composed(sample(t))
			added := replace("</eb:MessageHeader>", "</eb:MessageHeader>"+test.block)
			reply := w.TW.receive(w, w.request(sent.ContentType, added(octets(request.Body))))
			if got := w.TW.messages(w, exchange.MessageQuery{Direction: exchange.Outbound}); len(got) != 0 || reply.Status != 200 {
				t.Errorf("answered %d, %d messages enqueued", reply.Status, len(got))
			}
			w.TW.receive(w, request) // as it was sent
			if c := w.TW.certificate(w); c.State != exchange.CertificateAvailable {
				t.Errorf("certificate is %s", c.State)
			}
		})
	}
}

// To an answer in a response no response can be given: its acknowledgment travels by itself, whatever the answer asks for.
func TestAnswerInTheResponseIsAcknowledgedByAMessage(t *testing.T) {
	t.Parallel()
	bubble(t, setup{pair: pair.Options{SyncReply: partners.SyncReplyResponse}}, func(w *world) {
		w.KR.out.will(func(out ebms.Outgoing, _ func([]byte) ebms.Response) (ebms.Response, error) {
			d := w.answerFrom(w.request(out.ContentType, octets(out.Body)))
			d.header.AckRequested, d.header.SyncReply = &ebms.AckRequested{Signed: true}, true
			d.header.MessageID = "asks@tw"
			r := d.request(w)
			return ebms.Response{Status: 200, ContentType: r.ContentType, Body: octets(r.Body)}, nil
		})
		w.submit(sample(t))
		w.until(time.Minute, "the answer is acknowledged", func() bool {
			acks := w.KR.messages(w, exchange.MessageQuery{Direction: exchange.Outbound, Kind: exchange.KindAcknowledgment})
			return len(acks) == 1 && acks[0].Attempts > 0
		})
	})
}
