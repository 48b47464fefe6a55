package exchange_test

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"testing"

	"github.com/ecogate/ecogate/ebms"
	"github.com/ecogate/ecogate/exchange"
	"github.com/ecogate/ecogate/internal/pair"
	"github.com/ecogate/ecogate/partners"
)

// sink is a store that keeps nothing but the last arrival, for tests that receive tens of thousands of messages. It has the
// outbound messages of sent.
type sink struct {
	exchange.Store // nil: what is not below is not called
	sent           []exchange.Message
	arrival        *exchange.Arrival
}

func (s *sink) Accept(_ context.Context, a []exchange.Arrival) ([]exchange.Accepted, error) {
	s.arrival = &a[0]
	return []exchange.Accepted{{Message: a[0].Message, Fresh: true}}, nil
}

func (s *sink) Messages(_ context.Context, q exchange.MessageQuery) ([]exchange.Message, error) {
	var found []exchange.Message
	for _, m := range s.sent {
		if q.Direction == exchange.Outbound && m.MessageID == q.MessageID && m.Partner == q.Partner {
			found = append(found, m)
		}
	}
	return found, nil
}

// Certificates finds none: no other certificate has the number of the one that comes.
func (s *sink) Certificates(context.Context, exchange.CertificateQuery) ([]exchange.Certificate, error) {
	return nil, nil
}

// overSink is a node of the side that receives into a sink.
func (s *side) overSink(tb testing.TB, w *world, sent ...exchange.Message) (*exchange.Node, *sink) {
	tb.Helper()
	memory := &sink{sent: sent}
	n, err := exchange.New(exchange.Options{Store: memory, Registry: s.registry, Now: w.now})
	if err != nil {
		tb.Fatal(err)
	}
	return n, memory
}

// patterns are the changes to a byte. Under the race detector, and with -short, each byte gets one of them.
var patterns = []byte{0x01, 0x20, 0x80, 0xFF}

// flips calls check with each byte of octets changed, from several goroutines; each has its own check.
func flips(t *testing.T, octets []byte, check func() func(changed []byte) error) {
	t.Helper()
	var workers sync.WaitGroup
	next := make(chan int)
	for range runtime.GOMAXPROCS(0) {
		workers.Go(func() {
			test, changed := check(), slices.Clone(octets)
			for i := range next {
				for j, pattern := range patterns {
					if (raceDetector || testing.Short()) && j != i%len(patterns) {
						continue
					}
					changed[i] ^= pattern
					if err := test(changed); err != nil {
						t.Errorf("byte %d (%q) ^ %#x: %v; near %q", i, octets[i], pattern, err, octets[max(0, i-40):min(len(octets), i+20)])
					}
					changed[i] = octets[i]
				}
			}
		})
	}
	for i := range octets {
		next <- i
	}
	close(next)
	workers.Wait()
}

// checkReception is the rule for a changed message: refused, with a reason and without a certificate; or accepted, and then it
// says what the original said.
func checkReception(reply ebms.Reply, got, original *exchange.Arrival) error {
	switch {
	case got == nil:
		return fmt.Errorf("answered %d and kept nothing", reply.Status)
	case got.Message.State == exchange.StateQuarantined:
		if got.Certificate != nil || got.Settles != nil || got.Message.Reason == nil || got.Message.Reason.Code == "" {
			return fmt.Errorf("quarantined with certificate %v, settlement %v, reason %v", got.Certificate, got.Settles, got.Message.Reason)
		}
		return nil
	case got.Message.Content != original.Message.Content || got.Message.MessageID != original.Message.MessageID:
		return fmt.Errorf("accepted with content %s, the original has %s", got.Message.Content, original.Message.Content)
	case !slices.Equal(got.Message.References, original.Message.References):
		return fmt.Errorf("accepted with references %v, the original has %v", got.Message.References, original.Message.References)
	}
	return nil
}

func TestEveryFlippedByteOfAMessageIsSeen(t *testing.T) {
	t.Parallel()
	w := newWorld(t, setup{})
	c := sample(t)
	c.Items, c.Documents, c.Remarks = c.Items[:1], nil, ""
	request, _ := w.composed(c)
	node, memory := w.TW.overSink(t, w)
	if reply := node.Receive(t.Context(), request); reply.Status != 204 || memory.arrival.Certificate == nil {
		t.Fatalf("the message itself was answered %d: %+v", reply.Status, memory.arrival.Message.Reason)
	}
	original := memory.arrival
	check := func(node *exchange.Node, memory *sink, r ebms.Request) error {
		memory.arrival = nil
		reply := node.Receive(context.Background(), r)
		if err := checkReception(reply, memory.arrival, original); err != nil {
			return err
		}
		if c := memory.arrival.Certificate; c != nil && (c.Content != original.Certificate.Content || c.Key != original.Certificate.Key) {
			return fmt.Errorf("accepted certificate %s with content %s, the original has %s", c.Key, c.Content, original.Certificate.Content)
		}
		return nil
	}
	t.Logf("%d bytes of body, %d of Content-Type", request.Body.Size(), len(request.ContentType))
	flips(t, octets(request.Body), func() func([]byte) error {
		node, memory := w.TW.overSink(t, w)
		r := request
		return func(body []byte) error { r.Body = ebms.Bytes(slices.Clone(body)); return check(node, memory, r) }
	})
	flips(t, []byte(request.ContentType), func() func([]byte) error {
		node, memory := w.TW.overSink(t, w)
		r := request
		return func(contentType []byte) error { r.ContentType = string(contentType); return check(node, memory, r) }
	})
}

func TestEveryFlippedByteOfAnAcknowledgmentIsSeen(t *testing.T) {
	t.Parallel()
	w := newWorld(t, setup{pair: pair.Options{SyncReply: partners.SyncReplySignals}})
	request, sent := w.composed(sample(t))
	reply := w.TW.receive(w, request)
	acknowledgment := w.request(reply.ContentType, reply.Body)
	node, memory := w.KR.overSink(t, w, sent)
	node.Receive(t.Context(), acknowledgment)
	original := memory.arrival
	if original.Settles == nil || original.Settles.State != exchange.StateDelivered {
		t.Fatalf("the acknowledgment itself was not accepted: %+v", original.Message.Reason)
	}
	t.Logf("%d bytes", acknowledgment.Body.Size())
	flips(t, octets(acknowledgment.Body), func() func([]byte) error {
		node, memory := w.KR.overSink(t, w, sent)
		r := acknowledgment
		return func(body []byte) error {
			memory.arrival = nil
			r.Body = ebms.Bytes(slices.Clone(body))
			reply := node.Receive(context.Background(), r)
			if err := checkReception(reply, memory.arrival, original); err != nil {
				return err
			}
			if s := memory.arrival.Settles; s != nil && *s != *original.Settles {
				return fmt.Errorf("settles %+v, the original %+v", s, original.Settles)
			}
			return nil
		}
	})
}
