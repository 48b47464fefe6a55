package exchange_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/ecogate/ecogate/ebms"
	"github.com/ecogate/ecogate/exchange"
	"github.com/ecogate/ecogate/internal/pair"
	"github.com/ecogate/ecogate/partners"
)

// breaking has the breaker open after three failures.
func breaking(o *exchange.Options) {
	o.BreakerFailures, o.BreakerPause, o.BackoffMax = 3, 30*time.Second, 4*time.Minute
}

func TestPartnerThatDoesNotAnswerIsProbedOneAtATime(t *testing.T) {
	t.Parallel()
	bubble(t, setup{pair: pair.Options{Retries: 100}, options: breaking}, func(w *world) {
		var mu sync.Mutex
		underWay, most := 0, 0
		up := false
		w.KR.out.usually(func(out ebms.Outgoing, deliver func([]byte) ebms.Response) (ebms.Response, error) {
			mu.Lock()
			underWay++
			most = max(most, underWay)
			answers := up
			mu.Unlock()
			defer func() { mu.Lock(); underWay--; mu.Unlock() }()
			if answers {
				return deliver(octets(out.Body)), nil
			}
			time.Sleep(20 * time.Second) // hangs until its limit
			return ebms.Response{}, errDown
		})
		w.submitNumbered(20)
		suspended := func() exchange.PartnerStatus {
			list, err := w.KR.Partners(context.Background())
			w.must(err)
			return list[0]
		}
		w.until(time.Minute, "suspended", func() bool { return !suspended().Suspended.IsZero() })
		time.Sleep(time.Minute) // what was under way ends
		mu.Lock()
		most = 0
		mu.Unlock()
		before := len(w.KR.out.posted())
		time.Sleep(30 * time.Minute)
		if probes := len(w.KR.out.posted()) - before; most != 1 || probes < 5 || probes > 10 {
			t.Errorf("%d probes in half an hour, %d at the same time; want one at a time, every four minutes in the end", probes, most)
		}
		if got := suspended(); got.Failures < 3 || got.ID != "TW" {
			t.Errorf("%+v", got)
		}
		mu.Lock()
		up = true
		mu.Unlock()
		w.until(20*time.Minute, "delivered", func() bool { return w.delivered() == 20 })
		if got := suspended(); got.Failures != 0 || !got.Suspended.IsZero() {
			t.Errorf("still %+v", got)
		}
		if steps := w.KR.observed(); !slices.Contains(steps, "suspended") || !slices.Contains(steps, "reachable") {
			t.Error("nobody was told")
		}
	})
}

func TestHangingPartnersLeaveWorkersForOthers(t *testing.T) {
	t.Parallel()
	options := func(o *exchange.Options) { breaking(o); o.Workers, o.PerPartner = 4, 4 }
	bubble(t, setup{pair: pair.Options{Retries: 100}, options: options}, func(w *world) {
		w.KR.out.usually(func(out ebms.Outgoing, deliver func([]byte) ebms.Response) (ebms.Response, error) {
			if out.URL != "https://vn.example/ebms" {
				time.Sleep(time.Minute)
				return ebms.Response{}, errDown
			}
			return deliver(octets(out.Body)), nil
		})
		w.KR.config.Agreements[1].Endpoint = "https://vn.example/ebms"
		w.must(w.KR.registry.Reload(w.KR.config.Registry()))
		w.submitNumbered(10)
		time.Sleep(5 * time.Minute)
		for i := range 5 { // more than workers, while the other partner hangs
			_, err := w.KR.Submit(context.Background(), "issuer", "VN", numbered(sample(t), 100+i))
			w.must(err)
		}
		w.until(5*time.Second, "posted to VN", func() bool {
			return len(w.KR.messages(w, exchange.MessageQuery{Partner: "VN", State: exchange.StateAwaiting})) == 5
		})
	})
}

func TestShortOutageSuspendsNothing(t *testing.T) {
	t.Parallel()
	options := func(o *exchange.Options) { breaking(o); o.Workers, o.PerPartner = 20, 20 }
	bubble(t, setup{pair: pair.Options{Retries: 100}, options: options}, func(w *world) {
		w.KR.out.will(times(20, down)...) // all at once, as when the partner restarts
		w.submitNumbered(20)
		w.until(5*time.Second, "delivered", func() bool { return w.delivered() == 20 })
		if slices.Contains(w.KR.observed(), "suspended") {
			t.Error("deliveries were suspended")
		}
	})
}

func TestMessageThatThePartnerRefusesHoldsBackNoOther(t *testing.T) {
	t.Parallel()
	bubble(t, setup{pair: pair.Options{Retries: 100}, options: breaking}, func(w *world) {
		w.KR.out.will(times(20, status(413))...)
		refused := w.submit(sample(t)).Message.MessageID
		w.until(time.Minute, "tried again and again", func() bool {
			return w.KR.message(w, exchange.MessageQuery{MessageID: refused}).Attempts > 5
		})
		if list, err := w.KR.Partners(context.Background()); err != nil || list[0].Failures != 0 || !list[0].Suspended.IsZero() {
			t.Errorf("%+v, %v", list, err)
		}
	})
}

func TestPausedPartnerGetsNothingUntilItIsResumed(t *testing.T) {
	t.Parallel()
	bubble(t, setup{pair: pair.Options{Retries: 100}}, func(w *world) {
		ctx := context.Background()
		w.must(w.KR.Pause(ctx, "operator", "TW", "they move house"))
		w.submitNumbered(3)
		time.Sleep(time.Hour)
		if n := len(w.KR.out.posted()); n != 0 {
			t.Errorf("%d messages were posted", n)
		}
		list, err := w.KR.Partners(ctx)
		w.must(err)
		if p := list[0].Pause; p == nil || p.By != "operator" || p.Why != "they move house" || list[1].Pause != nil {
			t.Errorf("%+v", list)
		}
		w.must(w.KR.Resume(ctx, "operator", "TW"))
		w.until(time.Minute, "delivered", func() bool { return w.delivered() == 3 })
		events := w.KR.events(w)
		if !slices.Contains(events, "operator partner.paused") || !slices.Contains(events, "operator partner.resumed") {
			t.Errorf("audit log %q", events)
		}
		if err := w.KR.Pause(ctx, "operator", "XX", ""); !errors.Is(err, partners.ErrUnknownPartner) {
			t.Errorf("pausing nobody: %v", err)
		}
	})
}

func TestPauseOutlivesARestart(t *testing.T) {
	t.Parallel()
	w := newWorld(t, setup{})
	w.must(w.KR.Pause(context.Background(), "operator", "TW", ""))
	w.KR.restart(w)
	list, err := w.KR.Partners(context.Background())
	w.must(err)
	if list[0].Pause == nil {
		t.Error("the pause is gone")
	}
}

func TestLateAcknowledgmentIsMarked(t *testing.T) {
	t.Parallel()
	bubble(t, setup{pair: pair.Options{Retries: 2}}, func(w *world) {
		w.TW.out.usually(swallow)
		id := w.submit(sample(t)).Message.MessageID
		if m := w.settled(id); m.State != exchange.StateFailed || m.Late {
			t.Fatalf("%s, late %t", m.State, m.Late)
		}
		kept := w.TW.out.posted()[0]
		w.KR.receive(w, w.request(kept.ContentType, octets(kept.Body)))
		m := w.KR.message(w, exchange.MessageQuery{MessageID: id, Direction: exchange.Outbound})
		if m.State != exchange.StateDelivered || !m.Late {
			t.Errorf("%s, late %t; want delivered late", m.State, m.Late)
		}
	})
}
