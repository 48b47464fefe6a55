package exchange_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ecogate/ecogate/ebms"
	"github.com/ecogate/ecogate/eco"
	"github.com/ecogate/ecogate/exchange"
)

// available are the references of the certificates of TW in the order in which they became available.
func (w *world) available() []string {
	w.Helper()
	records, err := w.TW.store.Audit(context.Background(), 0, 100_000)
	w.must(err)
	var order []string
	for _, r := range records {
		if r.Event == "certificate.available" {
			order = append(order, r.Subject[strings.LastIndex(r.Subject, "/")+1:])
		}
	}
	return order
}

func TestOrderSurvivesShufflingCopiesAndARestart(t *testing.T) {
	t.Parallel()
	const n = 200
	w := newWorld(t, both(ordered))
	var posts []ebms.Request
	var want []string
	for i := range n {
		m := w.submit(numbered(sample(t), i)).Message
		if m.Order == nil || m.Order.Sequence != uint32(i) {
			t.Fatalf("message %d has order %+v", i, m.Order)
		}
		posts = append(posts, w.request(m.ContentType, w.KR.raw(w, m.Raw)))
		want = append(want, m.Certificate.Reference)
		if i == n/4 {
			w.KR.restart(w) // the sender goes on where it was
		}
	}
	random := rand.New(rand.NewPCG(1, 2))
	posts = append(posts, posts[:n/2]...) // copies
	random.Shuffle(len(posts), func(i, j int) { posts[i], posts[j] = posts[j], posts[i] })
	for i, post := range posts {
		if reply := w.TW.receive(w, post); reply.Status != 204 {
			t.Fatalf("answered %d", reply.Status)
		}
		if i == len(posts)/2 {
			w.TW.restart(w)
		}
		if i%50 == 0 {
			w.checkWaiting()
		}
	}
	if got := w.available(); !slices.Equal(got, want) {
		t.Errorf("%d became available, not in the order of %d sent:\n%q", len(got), n, got)
	}
	acks := w.TW.messages(w, exchange.MessageQuery{Direction: exchange.Outbound, Kind: exchange.KindAcknowledgment})
	if len(acks) != n {
		t.Errorf("%d acknowledgments for %d messages", len(acks), n)
	}
}

// checkWaiting compares what TW's certificates are with whose turn it was.
func (w *world) checkWaiting() {
	w.Helper()
	available := w.available()
	for _, c := range w.TW.certificates(w) {
		if waits := !slices.Contains(available, c.Key.Reference); waits != (c.State == exchange.CertificateReceived) {
			w.Errorf("certificate %s is %s, waits: %t", c.Key.Reference, c.State, waits)
		}
	}
}

func TestConcurrentSubmissionsLeaveNoGap(t *testing.T) {
	t.Parallel()
	w := newWorld(t, both(ordered))
	var running sync.WaitGroup
	for i := range 20 {
		running.Go(func() {
			if _, err := w.KR.Submit(context.Background(), "issuer", "TW", numbered(sample(t), i%15)); err != nil {
				t.Error(err)
			}
		})
	}
	running.Wait()
	var numbers []uint32
	conversations := map[string]bool{}
	for _, m := range w.KR.messages(w, exchange.MessageQuery{Direction: exchange.Outbound}) {
		numbers = append(numbers, m.Order.Sequence)
		conversations[m.ConversationID] = true
	}
	slices.Sort(numbers)
	for i, n := range numbers {
		if n != uint32(i) {
			t.Fatalf("numbers %v of 15 certificates", numbers)
		}
	}
	if len(numbers) != 15 || len(conversations) != 1 {
		t.Errorf("%d messages in %d conversations", len(numbers), len(conversations))
	}
}

func TestMessagesWaitNoLongerThanAgreed(t *testing.T) {
	t.Parallel()
	bubble(t, both(ordered), func(w *world) {
		w.KR.out.usually(func(out ebms.Outgoing, deliver func([]byte) ebms.Response) (ebms.Response, error) {
			if strings.Contains(string(octets(out.Body)), ">0</eb:SequenceNumber>") {
				return ebms.Response{}, errDown
			}
			return deliver(octets(out.Body)), nil
		})
		first := w.submit(numbered(sample(t), 0)).Message
		second := w.submit(numbered(sample(t), 1)).Message
		w.until(time.Minute, "acknowledged", func() bool {
			return w.KR.message(w, exchange.MessageQuery{MessageID: second.MessageID}).State == exchange.StateDelivered
		})
		if c := w.TW.certificate(w); c.State != exchange.CertificateReceived {
			t.Fatalf("certificate is %s", c.State)
		}
		w.until(3*time.Hour, "refused", func() bool {
			return w.KR.message(w, exchange.MessageQuery{MessageID: second.MessageID}).State == exchange.StateFailed
		})
		if m := w.KR.message(w, exchange.MessageQuery{MessageID: second.MessageID}); m.Reason.Code != string(ebms.CodeDeliveryFailure) {
			t.Errorf("sender was told %+v", m.Reason)
		}
		kept := w.TW.message(w, exchange.MessageQuery{MessageID: second.MessageID, Direction: exchange.Inbound})
		if kept.State != exchange.StateQuarantined || kept.Reason.Code != string(ebms.CodeDeliveryFailure) || w.TW.certificate(w).State != exchange.CertificateRefused {
			t.Errorf("%s %+v, certificate %s", kept.State, kept.Reason, w.TW.certificate(w).State)
		}
		w.until(48*time.Hour, "ended", func() bool {
			return w.KR.message(w, exchange.MessageQuery{MessageID: first.MessageID}).State.Terminal()
		})
		// The line begins anew, and the certificate that was refused can come again.
		w.KR.out.usually(deliver)
		again := w.submit(numbered(sample(t), 1)).Message
		if again.MessageID == second.MessageID || again.ConversationID == second.ConversationID || again.Order.Sequence != 0 {
			t.Errorf("sent again in conversation %q as number %d", again.ConversationID, again.Order.Sequence)
		}
		w.settled(again.MessageID)
		if c := w.TW.certificate(w); c.State != exchange.CertificateAvailable || c.Message != again.MessageID {
			t.Errorf("certificate is %s, of message %q", c.State, c.Message)
		}
	})
}

func TestNumberThatAnotherMessageHasIsAConflict(t *testing.T) {
	t.Parallel()
	for _, waits := range []bool{true, false} {
		t.Run(fmt.Sprintf("first one waits %t", waits), func(t *testing.T) {
			w := newWorld(t, both(ordered))
			number := uint32(0)
			if waits {
				number = 7
			}
			for i := range 2 {
				d := w.certificateDraft(numbered(sample(t), i))
				d.header.Order = &ebms.MessageOrder{Sequence: number}
				w.TW.receive(w, d.request(w))
			}
			refused := w.TW.message(w, exchange.MessageQuery{State: exchange.StateQuarantined})
			if refused.Reason.Code != string(ebms.CodeInconsistent) || len(w.TW.certificates(w)) != 1 {
				t.Errorf("%+v, %d certificates", refused.Reason, len(w.TW.certificates(w)))
			}
		})
	}
}

// A certificate and its replacement under the same number wait, each for others: each is used in its own turn.
func TestReplacementUnderTheSameNumberWaitsForItsOwnTurn(t *testing.T) {
	t.Parallel()
	w := newWorld(t, both(ordered))
	receive := func(c eco.Certificate, sequence uint32) string {
		d := w.certificateDraft(c)
		d.header.Order = &ebms.MessageOrder{Sequence: sequence}
		w.TW.receive(w, d.request(w))
		return d.header.MessageID
	}
	next := replacement(t, sample(t).Reference)
	receive(sample(t), 1)
	message := receive(next, 3)
	for i, want := range []exchange.CertificateState{exchange.CertificateReceived, exchange.CertificateAvailable} {
		receive(numbered(sample(t), i), uint32(2*i))
		found, err := w.TW.store.Certificates(context.Background(), exchange.CertificateQuery{Reference: next.Reference})
		w.must(err)
		if len(found) != 2 || found[1].State != exchange.CertificateReplaced || found[0].State != want || found[0].Message != message {
			t.Errorf("after number %d: want the first replaced and the second %s, of message %s%s", 2*i, want, message, w.TW.summary(w))
		}
	}
}

func TestNumberFarAheadIsRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t, both(ordered))
	for i, ahead := range []uint32{exchange.MaxAhead, exchange.MaxAhead + 1} {
		d := w.certificateDraft(numbered(sample(t), i))
		d.header.Order = &ebms.MessageOrder{Sequence: ahead}
		w.TW.receive(w, d.request(w))
		in := w.TW.message(w, exchange.MessageQuery{MessageID: d.header.MessageID, Direction: exchange.Inbound})
		if refused := ahead > exchange.MaxAhead; (in.State == exchange.StateQuarantined) != refused {
			t.Errorf("number %d is %s %+v", ahead, in.State, in.Reason)
		}
	}
	told := w.TW.message(w, exchange.MessageQuery{Direction: exchange.Outbound, Kind: exchange.KindError})
	refusal{code: ebms.CodeDeliveryFailure}.checkErrorList(t, told.ContentType, w.TW.raw(w, told.Raw), true)
}

func TestMessagesWaitNoLongerThanTheAgreementIsThere(t *testing.T) {
	t.Parallel()
	bubble(t, both(ordered), func(w *world) {
		d := w.certificateDraft(sample(t))
		d.header.Order = &ebms.MessageOrder{Sequence: 1}
		w.TW.receive(w, d.request(w))
		w.TW.config.Agreements = w.TW.config.Agreements[1:]
		w.must(w.TW.registry.Reload(w.TW.config.Registry()))
		w.until(48*time.Hour, "refused", func() bool { return w.TW.certificate(w).State == exchange.CertificateRefused })
	})
}

func TestResetBeginsTheNumbersAnew(t *testing.T) {
	t.Parallel()
	w := newWorld(t, both(ordered))
	for i, order := range []ebms.MessageOrder{{Sequence: 0}, {Sequence: 1}, {Sequence: 0, Reset: true}, {Sequence: 1}} {
		d := w.certificateDraft(numbered(sample(t), i))
		d.header.Order = &order
		w.TW.receive(w, d.request(w))
	}
	if got := w.available(); len(got) != 4 {
		t.Errorf("%d certificates became available, want 4%s", len(got), w.TW.summary(w))
	}
}
