package exchange_test

import (
	"bytes"
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ecogate/ecogate/eco/ecotest"
	"github.com/ecogate/ecogate/exchange"
	"github.com/ecogate/ecogate/internal/pair"
)

// jumping runs f in a bubble in which the clock of KR is ahead by what it is given, and that of TW is right.
func jumping(t *testing.T, s setup, f func(w *world, jump func(time.Duration))) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		right := func() time.Time { return ecotest.Now().Add(time.Since(began)) }
		var ahead atomic.Int64
		options, sides := s.options, 0
		s.options = func(o *exchange.Options) {
			if options != nil {
				options(o)
			}
			if sides++; sides == 1 { // KR's are made first
				o.Now = func() time.Time { return right().Add(time.Duration(ahead.Load())) }
			}
		}
		w := makeWorld(t, s, right)
		w.run()
		f(w, func(d time.Duration) { ahead.Add(int64(d)) })
	})
}

// A sender's clock that jumps an hour, whenever it does so, loses no message and sends none in another form: what the partner gets are
// copies, of which it takes one.
func TestClockOfTheSenderJumps(t *testing.T) {
	t.Parallel()
	for _, d := range []time.Duration{time.Hour, -time.Hour} {
		for _, stage := range []string{"queued", "sending", "awaiting acknowledgment", "delivered"} {
			t.Run(fmt.Sprintf("%s while %s", d, stage), func(t *testing.T) {
				t.Parallel()
				jumping(t, setup{pair: pair.Options{Retries: 300}}, func(w *world, jump func(time.Duration)) {
					switch stage {
					case "queued":
						w.KR.out.will(down, down)
					case "sending":
						w.KR.out.will(late(time.Minute))
					case "awaiting acknowledgment":
						w.TW.out.will(times(3, swallow)...) // the acknowledgment is lost
					}
					id := w.submit(sample(t)).Message.MessageID
					if stage == "delivered" {
						w.settled(id)
					}
					time.Sleep(2 * time.Second)
					jump(d)
					m := w.settled(id)
					if m.State != exchange.StateDelivered {
						t.Errorf("%s %+v", m.State, m.Reason)
					}
					time.Sleep(3 * time.Hour) // whatever may be due still
					posts := w.KR.out.posted()
					for _, p := range posts {
						if !bytes.Equal(octets(p.Body), octets(posts[0].Body)) {
							t.Error("sent in another form")
						}
					}
					if n := len(posts); stage == "delivered" && n != 1 {
						t.Errorf("%d posts, want 1", n)
					}
					if c := w.TW.certificate(w); c.State != exchange.CertificateAvailable {
						t.Errorf("certificate %s", c.State)
					}
					// What is new goes at once.
					begin := w.now()
					c := sample(t)
					c.Reference = "001-26-0000002"
					if m = w.settled(w.submit(c).Message.MessageID); m.State != exchange.StateDelivered || w.now().Sub(begin) > time.Minute {
						t.Errorf("the next one: %s after %s", m.State, w.now().Sub(begin))
					}
				})
			})
		}
	}
}

// Two workers never hold one message because of a clock: a lease that a jump ends is taken over by a higher fence, and what the first
// worker says afterwards is not heard.
func TestClockThatJumpsEndsALeaseOnce(t *testing.T) {
	w := newWorld(t, setup{})
	w.submit(sample(t))
	claim := func(ahead time.Duration) []exchange.Job {
		jobs, err := w.KR.store.Claim(t.Context(), exchange.Claim{Owner: "a", Now: w.now().Add(ahead), Lease: 2 * time.Minute, Max: 10})
		w.must(err)
		return jobs
	}
	first := claim(0)
	if len(first) != 1 || len(claim(0)) != 0 || len(claim(-time.Hour)) != 0 {
		t.Fatalf("%d jobs, or the lease was given twice", len(first))
	}
	second := claim(time.Hour)
	if len(second) != 1 || second[0].Message.Fence <= first[0].Message.Fence || len(claim(0)) != 0 {
		t.Fatalf("after an hour ahead: %d jobs", len(second))
	}
	settle := func(j exchange.Job) bool {
		ended := exchange.Attempt{Began: w.now(), Ended: w.now(), Status: 204}
		done, err := w.KR.store.Settle(t.Context(), []exchange.Outcome{{Seq: j.Message.Seq, Fence: j.Message.Fence, Attempt: ended, State: exchange.StateAwaiting, Due: w.now().Add(time.Minute)}})
		w.must(err)
		return done[0]
	}
	if settle(first[0]) || !settle(second[0]) {
		t.Error("the worker whose lease had ended was heard, or the other one was not")
	}
}

// A partner that hung is probed again after its pause, by whichever clock.
func TestClockThatIsSetBackSuspendsNoPartner(t *testing.T) {
	t.Parallel()
	for _, d := range []time.Duration{time.Hour, -time.Hour} {
		t.Run(d.String(), func(t *testing.T) {
			t.Parallel()
			jumping(t, setup{pair: pair.Options{Retries: 300}, options: breaking}, func(w *world, jump func(time.Duration)) {
				w.KR.out.usually(down)
				w.submitNumbered(5)
				time.Sleep(5 * time.Minute)
				list, err := w.KR.Partners(t.Context())
				w.must(err)
				if list[0].Suspended.IsZero() {
					t.Fatal("not suspended")
				}
				jump(d)
				time.Sleep(time.Second)
				before := len(w.KR.out.posted())
				time.Sleep(20 * time.Minute)
				if probes := len(w.KR.out.posted()) - before; probes > 12 {
					t.Errorf("%d probes in 20 minutes, want one every four", probes)
				}
				w.KR.out.usually(deliver)
				// What is submitted now is due now: only the breaker could hold it.
				m := w.submit(numbered(sample(t), 99)).Message
				begin := w.now()
				if got := w.settled(m.MessageID); got.State != exchange.StateDelivered || w.now().Sub(begin) > 6*time.Minute {
					t.Errorf("%s after %s", got.State, w.now().Sub(begin))
				}
				w.until(3*time.Hour, "all delivered", func() bool { return w.delivered() == 6 })
			})
		})
	}
}

// The receiver's clock: what was accepted is accepted once, and what was waited for in vain is told.
func TestClockOfTheReceiverJumps(t *testing.T) {
	for _, d := range []time.Duration{time.Hour, -time.Hour} {
		t.Run(d.String(), func(t *testing.T) {
			w := newWorld(t, setup{pair: pair.Options{Retries: 300}})
			first, _ := w.composed(sample(t))
			if reply := w.TW.receive(w, first); reply.Status/100 != 2 {
				t.Fatalf("answered %d", reply.Status)
			}
			w.ahead = d
			again := w.request(first.ContentType, octets(first.Body))
			if reply := w.TW.receive(w, again); reply.Status/100 != 2 {
				t.Errorf("the copy was answered %d", reply.Status)
			}
			forged := w.certificateDraft(numbered(sample(t), 7))
			forged.key = w.VN.message
			w.TW.receive(w, forged.request(w))
			w.TW.restart(w)
			states := map[exchange.State]int{}
			for _, m := range w.TW.messages(w, exchange.MessageQuery{Direction: exchange.Inbound}) {
				states[m.State]++
			}
			if len(states) != 2 || states[exchange.StateAccepted] != 1 || states[exchange.StateQuarantined] != 1 || len(w.TW.certificates(w)) != 1 {
				t.Errorf("%v", states)
			}
		})
	}
}
