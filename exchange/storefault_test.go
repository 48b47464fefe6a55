package exchange_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ecogate/ecogate/ebms"
	"github.com/ecogate/ecogate/exchange"
	"github.com/ecogate/ecogate/internal/pair"
	"github.com/ecogate/ecogate/partners"
)

var errStore = errors.New("input/output error")

// flaky is a store of which some operations fail: before they have any effect, or after all of it, so that only the answer
// is lost.
type flaky struct {
	exchange.Store
	after bool
	fails func(n int) bool // of the n-th operation, from 1

	mu       sync.Mutex
	n        int
	failures int
}

// do counts an operation and lets it fail if it is its turn.
func (f *flaky) do(operation func() error) error {
	f.mu.Lock()
	f.n++
	fails := f.fails(f.n)
	if fails {
		f.failures++
	}
	f.mu.Unlock()
	if fails && !f.after {
		return errStore
	}
	if err := operation(); err != nil {
		return err
	}
	if fails {
		return errStore
	}
	return nil
}

func (f *flaky) failed() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.failures > 0
}

func (f *flaky) Enqueue(ctx context.Context, d []exchange.Departure) (out []exchange.Enqueued, err error) {
	err = f.do(func() error { out, err = f.Store.Enqueue(ctx, d); return err })
	return out, err
}

func (f *flaky) Accept(ctx context.Context, a []exchange.Arrival) (out []exchange.Accepted, err error) {
	err = f.do(func() error { out, err = f.Store.Accept(ctx, a); return err })
	return out, err
}

// Claim counts only if something is due: a poll that finds nothing may fail as it likes.
func (f *flaky) Claim(ctx context.Context, c exchange.Claim) (out []exchange.Job, err error) {
	queue, err := f.Store.Messages(ctx, exchange.MessageQuery{Direction: exchange.Outbound})
	if err != nil {
		return nil, err
	}
	due := false
	for _, m := range queue {
		due = due || !m.State.Terminal() && !m.Due.After(c.Now)
	}
	if !due {
		return f.Store.Claim(ctx, c)
	}
	if err := f.do(func() error { out, err = f.Store.Claim(ctx, c); return err }); err != nil {
		return nil, err
	}
	return out, nil
}

func (f *flaky) Settle(ctx context.Context, o []exchange.Outcome) (out []bool, err error) {
	err = f.do(func() error { out, err = f.Store.Settle(ctx, o); return err })
	return out, err
}

func (f *flaky) Messages(ctx context.Context, q exchange.MessageQuery) (out []exchange.Message, err error) {
	err = f.do(func() error { out, err = f.Store.Messages(ctx, q); return err })
	return out, err
}

func (f *flaky) Raw(ctx context.Context, ref exchange.RawRef) (out exchange.Content, err error) {
	err = f.do(func() error { out, err = f.Store.Raw(ctx, ref); return err })
	return out, err
}

// TestEveryStoreFailureIsOutlived lets each operation of the two flows fail in turn, on either side. That no 2xx leaves without
// a durable record is seen by side.receive.
func TestEveryStoreFailureIsOutlived(t *testing.T) {
	t.Parallel()
	for _, sync := range []string{"", partners.SyncReplySignals, partners.SyncReplyBoth} {
		for _, id := range []string{"KR", "TW"} {
			for _, after := range []bool{false, true} {
				t.Run(fmt.Sprintf("%s after=%v %s", id, after, sync), func(t *testing.T) {
					n := 1
					for deliverOver(t, sync, id, &flaky{after: after, fails: func(i int) bool { return i == n }}) {
						n++
					}
					// KR enqueues, claims and takes the acknowledgment; TW looks up, accepts, and claims or reads the answer.
					if n < 4 {
						t.Errorf("only %d operations were made to fail", n-1)
					}
					t.Logf("%d operations failed in turn", n-1)
				})
			}
		}
	}
}

func TestStoreDownForAWhileIsOutlived(t *testing.T) {
	t.Parallel()
	for _, id := range []string{"KR", "TW"} {
		t.Run(id, func(t *testing.T) {
			deliverOver(t, "", id, &flaky{fails: func(n int) bool { return n > 2 && n < 12 }})
		})
	}
}

// deliverOver sends a certificate while the store of one side is flaky, and reports whether anything failed.
func deliverOver(t *testing.T, sync, id string, f *flaky) bool {
	t.Helper()
	failed := false
	bubble(t, setup{pair: pair.Options{SyncReply: sync}, store: func(side string, s exchange.Store) exchange.Store {
		if side != id {
			return s
		}
		f.Store = s
		return f
	}}, func(w *world) {
		submission, err := w.KR.Submit(context.Background(), "issuer", "TW", sample(t))
		for range 20 {
			if err == nil {
				break
			}
			if !errors.Is(err, errStore) {
				t.Fatalf("Submit: %v, want the store's error", err)
			}
			time.Sleep(time.Second)
			submission, err = w.KR.Submit(context.Background(), "issuer", "TW", sample(t))
		}
		w.must(err)
		m := w.settled(submission.Message.MessageID)
		failed = f.failed()
		if m.State != exchange.StateDelivered {
			t.Fatalf("operation %d failed: %s %+v", f.n, m.State, m.Reason)
		}
		if got := w.KR.messages(w, exchange.MessageQuery{Direction: exchange.Outbound}); len(got) != 1 {
			t.Errorf("KR has %d outbound messages, want 1", len(got))
		}
		accepted := exchange.MessageQuery{Direction: exchange.Inbound, Kind: exchange.KindCertificate}
		if in := w.TW.message(w, accepted); in.State != exchange.StateAccepted {
			t.Errorf("message at TW is %s", in.State)
		}
		if c := w.TW.certificate(w); c.State != exchange.CertificateAvailable {
			t.Errorf("imported certificate is %s", c.State)
		}
		if c := w.KR.certificate(w); c.State != arrivedAs(sync) {
			t.Errorf("exported certificate is %s", c.State)
		}
	})
	return failed
}

func TestStoreFailureIsTemporaryForThePartner(t *testing.T) {
	f := &flaky{fails: func(int) bool { return true }}
	w := newWorld(t, setup{store: func(id string, s exchange.Store) exchange.Store {
		if id != "TW" {
			return s
		}
		f.Store = s
		return f
	}})
	for _, test := range []struct {
		name string
		d    *draft
	}{
		{"certificate", w.certificateDraft(sample(t))},
		{"refused message", func() *draft { d := w.certificateDraft(sample(t)); d.header.CPAID = "urn:unknown"; return d }()},
	} {
		reply := w.TW.receive(w, test.d.request(w))
		if reply.Status != 503 || reply.RetryAfter <= 0 || len(reply.Body) > 0 {
			t.Errorf("%s: answered %d %q, retry after %s; want 503 and when to come again", test.name, reply.Status, reply.Body, reply.RetryAfter)
		}
	}
	reply := w.TW.receive(w, w.request("text/xml", []byte("not XML")))
	if reply.Status != 503 {
		t.Errorf("answered %d to what could not be kept, want 503", reply.Status)
	}
}

// keeping is a flaky store whose Keeper fails too.
type keeping struct {
	*flaky
	keeper exchange.Keeper
}

func (k *keeping) Expel(ctx context.Context, e []exchange.Expulsion) (out []bool, err error) {
	err = k.do(func() error { out, err = k.keeper.Expel(ctx, e); return err })
	return out, err
}

func (k *keeping) SetPause(ctx context.Context, p exchange.Pause, audit []exchange.AuditEntry) error {
	return k.do(func() error { return k.keeper.SetPause(ctx, p, audit) })
}

func (k *keeping) Change(ctx context.Context, changes []exchange.Change, audit []exchange.AuditEntry) error {
	return k.do(func() error { return k.keeper.Change(ctx, changes, audit) })
}

func (k *keeping) Pauses(ctx context.Context) (out []exchange.Pause, err error) {
	err = k.do(func() error { out, err = k.keeper.Pauses(ctx); return err })
	return out, err
}

// only has one side keep its records in a flaky store, its Keeper with it.
func only(id string, f *flaky, s setup) setup {
	s.store = func(side string, store exchange.Store) exchange.Store {
		if side != id {
			return store
		}
		f.Store = store
		return &keeping{flaky: f, keeper: store.(exchange.Keeper)}
	}
	return s
}

// switched fails while it is on.
type switched struct{ on atomic.Bool }

func (s *switched) fails(int) bool { return s.on.Load() }

func TestExpulsionThatTheStoreFailsIsMadeOnce(t *testing.T) {
	t.Parallel()
	for _, after := range []bool{false, true} {
		t.Run(fmt.Sprintf("after=%v", after), func(t *testing.T) {
			var broken switched
			bubble(t, only("TW", &flaky{after: after, fails: broken.fails}, both(ordered)), func(w *world) {
				d := w.certificateDraft(sample(t))
				d.header.Order = &ebms.MessageOrder{Sequence: 1}
				w.TW.receive(w, d.request(w))
				time.Sleep(59 * time.Minute)
				broken.on.Store(true)
				time.Sleep(10 * time.Minute)
				broken.on.Store(false)
				errorsOut := exchange.MessageQuery{Direction: exchange.Outbound, Kind: exchange.KindError}
				w.until(time.Hour, "expelled", func() bool {
					return w.TW.message(w, exchange.MessageQuery{MessageID: d.header.MessageID}).State == exchange.StateQuarantined
				})
				time.Sleep(10 * time.Minute)
				if got := w.TW.messages(w, errorsOut); len(got) != 1 || w.TW.certificate(w).State != exchange.CertificateRefused {
					t.Errorf("%d errors, certificate %s", len(got), w.TW.certificate(w).State)
				}
			})
		})
	}
}

// As long as it is not known who is paused nothing is sent.
func TestPausesThatTheStoreFailsAreKept(t *testing.T) {
	t.Parallel()
	var broken switched
	bubble(t, only("KR", &flaky{fails: broken.fails}, setup{}), func(w *world) {
		broken.on.Store(true)
		if err := w.KR.Pause(context.Background(), "operator", "TW", "work"); !errors.Is(err, errStore) {
			t.Errorf("Pause: %v, want the store's error", err)
		}
		broken.on.Store(false)
		w.must(w.KR.Pause(context.Background(), "operator", "TW", "work"))
		id := w.submit(sample(t)).Message.MessageID
		broken.on.Store(true)
		time.Sleep(5 * time.Minute)
		if n := len(w.KR.out.posted()); n != 0 {
			t.Errorf("posted %d times to a paused partner", n)
		}
		broken.on.Store(false)
		w.must(w.KR.Resume(context.Background(), "operator", "TW"))
		if m := w.settled(id); m.State != exchange.StateDelivered {
			t.Errorf("message is %s", m.State)
		}
	})
}

func TestPingOutlivesEveryStoreFailure(t *testing.T) {
	t.Parallel()
	for _, mode := range []string{partners.SyncReplyNone, partners.SyncReplySignals} {
		for _, id := range []string{"KR", "TW"} {
			for _, after := range []bool{false, true} {
				t.Run(fmt.Sprintf("%s after=%v %s", id, after, mode), func(t *testing.T) {
					failed := 0
					for n := 1; n < 8; n++ {
						var mended atomic.Bool
						f := &flaky{after: after, fails: func(i int) bool { return i == n && !mended.Load() }}
						s := setup{pair: pair.Options{SyncReply: mode}, store: func(side string, store exchange.Store) exchange.Store {
							if side != id {
								return store
							}
							f.Store = store
							return f
						}}
						bubble(t, s, func(w *world) {
							if _, err := w.ping(""); err != nil && !errors.Is(err, exchange.ErrNoAnswer) && !errors.Is(err, errStore) {
								t.Errorf("operation %d failed: %v", n, err)
							}
							if f.failed() {
								failed++
							}
							mended.Store(true)
							if _, err := w.ping(""); err != nil {
								t.Errorf("after operation %d had failed: %v", n, err)
							}
						})
					}
					if failed == 0 {
						t.Error("nothing was made to fail")
					}
				})
			}
		}
	}
}
