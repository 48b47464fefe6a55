package exchange_test

import (
	"bytes"
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ecogate/ecogate/ebms"
	"github.com/ecogate/ecogate/exchange"
	"github.com/ecogate/ecogate/internal/pair"
	"github.com/ecogate/ecogate/partners"
)

// html is what a proxy answers that wants a login, fault what a SOAP service answers that does not know ebXML.
var (
	html  = ebms.Response{Status: 200, ContentType: "text/html", Body: []byte("<html><body>Please sign in<br></body></html>")}
	fault = ebms.Response{Status: 200, ContentType: "text/xml; charset=UTF-8", Body: (&ebms.Fault{Code: "Server", Text: "no"}).Envelope()}
)

func TestDeliveryOutlivesTrouble(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name   string
		kr, tw []fate // what becomes of the first posts of each side
		// posts of the message, and how many copies beyond the first reached TW
		posts, copies int
	}{
		{"partner is down", times(5, down), nil, 6, 0},
		{"partner answers 500", times(3, status(500)), nil, 4, 0},
		{"partner answers 400", times(3, status(400)), nil, 4, 0},
		{"partner answers 503 with Retry-After", times(2, answer(ebms.Response{Status: 503, RetryAfter: time.Minute})), nil, 3, 0},
		{"redirect", []fate{status(301)}, nil, 2, 0},
		{"slow partner", []fate{late(50 * time.Second)}, nil, 1, 0},
		{"answer is lost", []fate{loseReply}, times(2, down), 2, 1},
		{"message is delivered twice", []fate{deliverTwice}, nil, 1, 1},
		{"message is corrupted", times(2, corrupt), nil, 3, 0},
		{"taken and not delivered", []fate{swallow}, nil, 2, 0},
		{"200 with a page", []fate{answer(html)}, nil, 2, 0},
		{"200 with a SOAP Fault", []fate{answer(fault)}, nil, 2, 0},
		{"200 without a body", []fate{status(200)}, nil, 2, 0},
		{"acknowledgment meets a partner that is down", nil, times(5, down), 1, 0},
		{"acknowledgment is delivered twice", nil, []fate{deliverTwice}, 1, 0},
		{"acknowledgment is lost five times", nil, times(5, swallow), 6, 5},
		{"acknowledgment is lost ten times", nil, times(10, swallow), 11, 10},
		{"acknowledgment is corrupted", nil, []fate{corrupt}, 2, 1},
		{"answer to the acknowledgment is lost", nil, []fate{loseReply}, 1, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			bubble(t, setup{pair: pair.Options{Retries: 20}}, func(w *world) {
				w.KR.out.will(test.kr...)
				w.TW.out.will(test.tw...)
				sent := w.settled(w.submit(sample(t)).Message.MessageID)
				if sent.State != exchange.StateDelivered {
					t.Fatalf("state %s: %+v", sent.State, sent.Reason)
				}
				w.checkOnceOnly(sent, test.posts, test.copies)
			})
		})
	}
}

// checkOnceOnly holds a delivered message to what reliable messaging promises: the same bytes each time, one certificate, the
// same acknowledgment for each copy.
func (w *world) checkOnceOnly(sent exchange.Message, posts, copies int) {
	w.Helper()
	stored := w.KR.raw(w, sent.Raw)
	for i, p := range w.KR.out.posted() {
		if !bytes.Equal(octets(p.Body), stored) || p.ContentType != sent.ContentType || p.SOAPAction != sent.SOAPAction {
			w.Errorf("post %d is not what was stored", i)
		}
	}
	if n := len(w.KR.out.posted()); n != posts {
		w.Errorf("posted %d times, want %d", n, posts)
	}
	acknowledgments := w.TW.out.posted()
	for i, p := range acknowledgments {
		if !bytes.Equal(octets(p.Body), octets(acknowledgments[0].Body)) || p.ContentType != acknowledgments[0].ContentType {
			w.Errorf("acknowledgment %d differs from the first", i)
		}
	}
	received := w.TW.message(w, exchange.MessageQuery{MessageID: sent.MessageID, Direction: exchange.Inbound, State: exchange.StateAccepted})
	if received.Copies != copies {
		w.Errorf("%d copies, want %d", received.Copies, copies)
	}
	if c := w.TW.certificate(w); c.State != exchange.CertificateAvailable {
		w.Errorf("imported certificate is %s", c.State)
	}
	if c := w.KR.certificate(w); c.State != exchange.CertificateReceipted {
		w.Errorf("exported certificate is %s", c.State)
	}
}

func TestAcknowledgmentIsSentAgainAfterItWasGivenUp(t *testing.T) {
	t.Parallel()
	bubble(t, setup{pair: pair.Options{Retries: 20}}, func(w *world) {
		w.TW.out.usually(down)
		id := w.submit(sample(t)).Message.MessageID
		ack := func() exchange.Message {
			return w.TW.message(w, exchange.MessageQuery{Direction: exchange.Outbound})
		}
		w.until(10*time.Minute, "given up", func() bool {
			m := w.TW.messages(w, exchange.MessageQuery{Direction: exchange.Outbound})
			return len(m) == 1 && m[0].State.Terminal()
		})
		if m := ack(); m.State != exchange.StateExpired {
			t.Errorf("acknowledgment is %s, want expired", m.State)
		}
		w.TW.out.usually(deliver)
		if m := w.settled(id); m.State != exchange.StateDelivered || ack().State != exchange.StateDelivered {
			t.Errorf("message %s, acknowledgment %s; want both delivered", m.State, ack().State)
		}
	})
}

func TestRetryAfterIsKept(t *testing.T) {
	t.Parallel()
	bubble(t, setup{}, func(w *world) {
		w.KR.out.will(answer(ebms.Response{Status: 503, RetryAfter: 3 * time.Minute}))
		w.settled(w.submit(sample(t)).Message.MessageID)
		posts := w.KR.out.posted()
		if wait := posts[1].at.Sub(posts[0].at); wait < 3*time.Minute || wait > 3*time.Minute+2*time.Second {
			t.Errorf("second attempt after %s, the partner asked for 3m", wait)
		}
	})
}

func TestDeliveryEnds(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name   string
		kr, tw fate
		state  exchange.State
		code   ebms.Code
		most   int // posts of the message; 0 for any number
	}{
		{"expired when the partner was never reached", down, deliver, exchange.StateExpired, ebms.CodeTimeToLiveExpired, 0},
		{"expired when the partner answered 500 each time", status(500), deliver, exchange.StateExpired, ebms.CodeTimeToLiveExpired, 0},
		{"failed when the partner took it and did not acknowledge", deliver, swallow, exchange.StateFailed, ebms.CodeDeliveryFailure, 4},
		{"failed when the partner answers a page", answer(html), deliver, exchange.StateFailed, ebms.CodeDeliveryFailure, 4},
	} {
		t.Run(test.name, func(t *testing.T) {
			bubble(t, setup{pair: pair.Options{Retries: 3}}, func(w *world) {
				w.KR.out.usually(test.kr)
				w.TW.out.usually(test.tw)
				began := w.now()
				m := w.settled(w.submit(sample(t)).Message.MessageID)
				if m.State != test.state || m.Reason == nil || m.Reason.Code != string(test.code) {
					t.Errorf("%s %+v, want %s %s", m.State, m.Reason, test.state, test.code)
				}
				if !m.Expires.Equal(began.Add(4*time.Minute)) || m.Settled.Before(m.Expires) || m.Settled.After(m.Expires.Add(2*time.Second)) {
					t.Errorf("sent at %s, expires %s, ended %s", began, m.Expires, m.Settled)
				}
				if n := len(w.KR.out.posted()); test.most > 0 && n != test.most {
					t.Errorf("posted %d times, the agreement has 3 retries", n)
				}
				if c := w.KR.certificate(w); c.State != exchange.CertificateFailed {
					t.Errorf("certificate is %s", c.State)
				}
				if got := strings.Join(w.KR.events(w), "; "); !strings.Contains(got, "node message."+string(test.state)) {
					t.Errorf("audit log %s", got)
				}
			})
		})
	}
}

func TestLateAcknowledgmentDelivers(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name  string
		kr    fate
		state exchange.State
	}{
		{"after failure", deliver, exchange.StateFailed},
		{"after expiry", loseReply, exchange.StateExpired},
	} {
		t.Run(test.name, func(t *testing.T) {
			bubble(t, setup{pair: pair.Options{Retries: 2}}, func(w *world) {
				w.KR.out.usually(test.kr)
				w.TW.out.usually(swallow)
				id := w.submit(sample(t)).Message.MessageID
				if m := w.settled(id); m.State != test.state {
					t.Fatalf("state %s, want %s", m.State, test.state)
				}
				kept := w.TW.out.posted()[0]
				if r := w.KR.receive(w, w.request(kept.ContentType, octets(kept.Body))); r.Status != 204 {
					t.Errorf("late acknowledgment answered %d", r.Status)
				}
				if m := w.settled(id); m.State != exchange.StateDelivered || m.Reason != nil {
					t.Errorf("state %s %+v, want delivered", m.State, m.Reason)
				}
				if c := w.KR.certificate(w); c.State != exchange.CertificateReceipted {
					t.Errorf("certificate is %s, want receipted", c.State)
				}
			})
		})
	}
}

func TestLateCopyIsAcknowledged(t *testing.T) {
	for _, test := range []struct {
		name string
		sync string
	}{{"as a message of its own", ""}, {"in the response", partners.SyncReplySignals}} {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld(t, setup{pair: pair.Options{SyncReply: test.sync}})
			request, sent := w.composed(sample(t))
			first := w.TW.receive(w, request)
			w.ahead = sent.Expires.Sub(w.now()) + time.Hour
			request.Received = w.now()
			again := w.TW.receive(w, request)
			if first.Status != again.Status || !bytes.Equal(first.Body, again.Body) {
				t.Errorf("first answered %d %q, copy after its time to live %d %q", first.Status, first.Body, again.Status, again.Body)
			}
			w.TW.certificate(w)
		})
	}
}

func TestParallelCopiesGetOneAnswer(t *testing.T) {
	t.Parallel()
	const copies = 100
	for _, test := range []struct {
		name, sync string
		status     int
	}{{"as a message of its own", "", 204}, {"in the response", partners.SyncReplySignals, 200}} {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld(t, setup{pair: pair.Options{SyncReply: test.sync}})
			request, sent := w.composed(sample(t))
			replies := make([]ebms.Reply, copies)
			var arrivals sync.WaitGroup
			for i := range replies {
				arrivals.Go(func() { replies[i] = w.TW.Receive(context.Background(), request) })
			}
			arrivals.Wait()
			acknowledgment := w.TW.message(w, exchange.MessageQuery{Direction: exchange.Outbound})
			for i, r := range replies {
				if r.Status != test.status || !bytes.Equal(r.Body, replies[0].Body) {
					t.Errorf("copy %d answered %d, %d bytes; want %d and the same bytes", i, r.Status, len(r.Body), test.status)
				}
			}
			if stored := w.TW.raw(w, acknowledgment.Raw); test.sync != "" && !bytes.Equal(replies[0].Body, stored) {
				t.Error("the answer is not the stored acknowledgment")
			}
			if m := w.TW.message(w, exchange.MessageQuery{MessageID: sent.MessageID}); m.Copies != copies-1 {
				t.Errorf("%d copies counted, want %d", m.Copies, copies-1)
			}
			w.TW.certificate(w)
		})
	}
}

func TestDeliveryWithoutAcknowledgmentEndsWithTheAnswer(t *testing.T) {
	t.Parallel()
	bubble(t, setup{kr: askNothing, tw: askNothing}, func(w *world) {
		w.KR.out.will(down, status(503))
		m := w.settled(w.submit(sample(t)).Message.MessageID)
		if m.State != exchange.StateDelivered || m.SettledBy != "" || len(m.Log) != 3 {
			t.Errorf("%s by %q after %d attempts, want delivered by its third", m.State, m.SettledBy, len(m.Log))
		}
		if got := w.TW.messages(w, exchange.MessageQuery{Direction: exchange.Outbound}); len(got) != 0 {
			t.Errorf("TW answered with %d messages that nobody asked for", len(got))
		}
		w.TW.certificate(w)
	})
}

func TestRunNeedsAPoster(t *testing.T) {
	w := newWorld(t, setup{})
	n, err := exchange.New(exchange.Options{Store: w.KR.store, Registry: w.KR.registry, Now: w.now})
	w.must(err)
	if err := n.Run(t.Context()); err == nil {
		t.Error("Run without Post returned nil")
	}
	if _, err := exchange.New(exchange.Options{Store: w.KR.store, Registry: w.KR.registry}); err == nil {
		t.Error("New without Now returned nil")
	}
}
