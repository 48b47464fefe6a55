package exchange_test

import (
	"sync"
	"testing"

	"github.com/ecogate/ecogate/ebms"
	"github.com/ecogate/ecogate/exchange"
	"github.com/ecogate/ecogate/internal/pair"
	"github.com/ecogate/ecogate/partners"
)

// The missing message may come at the very moment at which the one that waits for it is refused: one of both happens, whole.
func TestMissingMessageThatComesAsTheOtherIsExpelled(t *testing.T) {
	t.Parallel()
	w := newWorld(t, both(ordered))
	available := 0
	for i := range 40 {
		missing, waiting := w.certificateDraft(numbered(sample(t), 2*i)), w.certificateDraft(numbered(sample(t), 2*i+1))
		for number, d := range []*draft{missing, waiting} {
			d.header.ConversationID = waiting.header.MessageID
			d.header.Order = &ebms.MessageOrder{Sequence: uint32(number)}
		}
		w.TW.receive(w, waiting.request(w))
		inbound := exchange.MessageQuery{MessageID: waiting.header.MessageID, Direction: exchange.Inbound}
		seq := w.TW.message(w, inbound).Seq
		request := missing.request(w)
		var running sync.WaitGroup
		var expelled []bool
		running.Go(func() { w.TW.Receive(t.Context(), request) })
		running.Go(func() {
			var err error
			expelled, err = w.TW.store.Expel(t.Context(), []exchange.Expulsion{{Seq: seq, At: w.now(), Reason: exchange.Reason{Code: exchange.ReasonDeliveryFailure, Cause: "waited"}}})
			if err != nil {
				t.Error(err)
			}
		})
		running.Wait()
		want, turns := exchange.StateAccepted, 2
		if expelled[0] {
			want, turns = exchange.StateQuarantined, 1
		}
		available += turns
		if got := w.TW.message(w, inbound).State; got != want {
			t.Fatalf("message is %s, expelled %t", got, expelled[0])
		}
	}
	if got := len(w.available()); got != available {
		t.Errorf("%d certificates became available, want %d", got, available)
	}
	for _, c := range w.TW.certificates(w) {
		if c.State != exchange.CertificateAvailable && c.State != exchange.CertificateRefused {
			t.Errorf("certificate %s is %s", c.Key.Reference, c.State)
		}
	}
}

func TestCopiesWithAndWithoutSyncReplyAtOnceAreOneMessage(t *testing.T) {
	t.Parallel()
	for _, mode := range []string{partners.SyncReplySignals, partners.SyncReplyBoth} {
		t.Run(mode, func(t *testing.T) {
			w := newWorld(t, setup{pair: pair.Options{SyncReply: mode}})
			d := w.certificateDraft(sample(t))
			without := d.request(w)
			const syncReply = `<eb:SyncReply eb:version="2.0" soap:mustUnderstand="1" soap:actor="http://schemas.xmlsoap.org/soap/actor/next"/>`
			with := w.request(without.ContentType, replace("</eb:MessageHeader>", "</eb:MessageHeader>"+syncReply)(octets(without.Body)))
			var running sync.WaitGroup
			for i := range 60 {
				running.Go(func() {
					request, status := without, 204
					if i%2 == 0 {
						request, status = with, 200
					}
					if reply := w.TW.Receive(t.Context(), request); reply.Status != status {
						t.Errorf("answered %d, want %d", reply.Status, status)
					}
				})
			}
			running.Wait()
			in := w.TW.message(w, exchange.MessageQuery{Direction: exchange.Inbound})
			if in.State != exchange.StateAccepted || in.Copies != 59 || len(w.TW.certificates(w)) != 1 {
				t.Errorf("%s with %d copies, %d certificates", in.State, in.Copies, len(w.TW.certificates(w)))
			}
			// Whoever asks without SyncReply gets the answer in a message of its own, whatever the others get.
			if out := w.TW.message(w, exchange.MessageQuery{Direction: exchange.Outbound}); out.State != exchange.StateQueued {
				t.Errorf("the answer is %s", out.State)
			}
		})
	}
}
