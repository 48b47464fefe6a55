package exchange_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/ecogate/ecogate/ebms"
	"github.com/ecogate/ecogate/exchange"
)

// submitNumbered queues n certificates for TW.
func (w *world) submitNumbered(n int) {
	w.Helper()
	for i := range n {
		c := sample(w)
		c.Reference = fmt.Sprintf("001-26-%07d", i)
		w.submit(c)
	}
}

func (w *world) delivered() int {
	return len(w.KR.messages(w, exchange.MessageQuery{Direction: exchange.Outbound, State: exchange.StateDelivered}))
}

func TestDeliveriesToOnePartnerAreCapped(t *testing.T) {
	t.Parallel()
	// Without acknowledgments: one that overtakes the HTTP answer ends the lease, and another delivery may begin.
	capped := setup{kr: askNothing, tw: askNothing, options: func(o *exchange.Options) { o.Workers, o.PerPartner = 5, 3 }}
	bubble(t, capped, func(w *world) {
		var mu sync.Mutex
		underWay, most := 0, 0
		count := func(change int) {
			mu.Lock()
			defer mu.Unlock()
			underWay += change
			most = max(most, underWay)
		}
		w.KR.out.usually(func(out ebms.Outgoing, deliver func([]byte) ebms.Response) (ebms.Response, error) {
			count(1)
			defer count(-1)
			time.Sleep(10 * time.Second)
			return deliver(octets(out.Body)), nil
		})
		w.submitNumbered(9)
		w.until(5*time.Minute, "delivered", func() bool { return w.delivered() == 9 })
		mu.Lock()
		defer mu.Unlock()
		if most != 3 {
			t.Errorf("%d deliveries at the same time, want 3", most)
		}
	})
}

func TestHangingPartnerDoesNotHoldUpAnother(t *testing.T) {
	t.Parallel()
	bubble(t, setup{options: func(o *exchange.Options) { o.Workers, o.PerPartner = 3, 2 }}, func(w *world) {
		w.KR.out.usually(func(out ebms.Outgoing, deliver func([]byte) ebms.Response) (ebms.Response, error) {
			if agreement := w.KR.config.Agreements[0]; out.URL == agreement.Endpoint {
				time.Sleep(time.Minute)
			}
			return deliver(octets(out.Body)), nil
		})
		w.KR.config.Agreements[1].Endpoint = "https://vn.example/ebms"
		w.must(w.KR.registry.Reload(w.KR.config.Registry()))
		w.submitNumbered(5)
		c := sample(t)
		c.Reference = "001-26-1000000"
		_, err := w.KR.Submit(context.Background(), "issuer", "VN", c)
		w.must(err)
		w.until(10*time.Second, "posted to VN", func() bool {
			m := w.KR.message(w, exchange.MessageQuery{Partner: "VN"})
			return m.State == exchange.StateAwaiting
		})
	})
}

func TestAttemptLongerThanItsLeaseIsMadeAgain(t *testing.T) {
	t.Parallel()
	bubble(t, setup{options: func(o *exchange.Options) { o.Lease = 20 * time.Second }}, func(w *world) {
		w.KR.out.will(late(30 * time.Second))
		sent := w.settled(w.submit(sample(t)).Message.MessageID)
		w.until(time.Minute, "delivered by both attempts", func() bool {
			return w.TW.message(w, exchange.MessageQuery{MessageID: sent.MessageID}).Copies == 1
		})
		w.checkOnceOnly(w.settled(sent.MessageID), 2, 1)
	})
}

func TestBackoffMaxBoundsTheWait(t *testing.T) {
	t.Parallel()
	bubble(t, setup{options: func(o *exchange.Options) { o.BackoffMax = 3 * time.Second }}, func(w *world) {
		w.KR.out.will(times(10, down)...)
		w.settled(w.submit(sample(t)).Message.MessageID)
		posts := w.KR.out.posted()
		for i, p := range posts[1:] {
			if wait := p.at.Sub(posts[i].at); wait > 5*time.Second {
				t.Errorf("attempt %d after %s, want 3s and a poll at most", i+1, wait)
			}
		}
	})
}

func TestRunRecordsTheAttemptUnderWayWhenItEnds(t *testing.T) {
	t.Parallel()
	bubble(t, setup{}, func(w *world) {
		ctx, stop := context.WithCancel(context.Background())
		w.KR.out.will(func(ebms.Outgoing, func([]byte) ebms.Response) (ebms.Response, error) {
			time.Sleep(5 * time.Second)
			return ebms.Response{}, errDown
		})
		w.stop()
		ended := make(chan error)
		go func() { ended <- w.KR.Run(ctx) }()
		id := w.submit(sample(t)).Message.MessageID
		w.until(5*time.Second, "begun", func() bool { return len(w.KR.out.posted()) == 1 })
		stop()
		if err := <-ended; err != nil {
			t.Errorf("Run: %v", err)
		}
		if m := w.KR.message(w, exchange.MessageQuery{MessageID: id}); m.State != exchange.StateQueued || len(m.Log) != 1 {
			t.Errorf("%s with %d attempts recorded, want queued with 1", m.State, len(m.Log))
		}
	})
}
