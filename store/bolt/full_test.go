package bolt_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/ecogate/ecogate/eco"
	"github.com/ecogate/ecogate/exchange"
	"github.com/ecogate/ecogate/store/bolt"
)

func TestMaxBytes(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, bolt.Options{MaxBytes: 300_000})
	if _, err := s.Enqueue(t.Context(), []exchange.Departure{departure("out@kr")}); err != nil {
		t.Fatal(err)
	}
	stored := fill(t, s, "configured limit")
	if stored == 0 {
		t.Fatal("nothing was taken")
	}
	if results, err := s.Accept(t.Context(), []exchange.Arrival{arrival("m0@th")}); err != nil || results[0].Fresh {
		t.Errorf("a duplicate in a full store: %+v, %v", results, err)
	}
	jobs, err := s.Claim(t.Context(), exchange.Claim{Owner: "w", Now: start, Lease: 1, Max: 1})
	if err != nil || len(jobs) != 1 {
		t.Fatalf("Claim in a full store: %d jobs, %v", len(jobs), err)
	}
	if settled, err := s.Settle(t.Context(), []exchange.Outcome{{Seq: jobs[0].Message.Seq, Fence: jobs[0].Message.Fence, State: exchange.StateDelivered}}); err != nil || !settled[0] {
		t.Errorf("Settle in a full store: %v, %v", settled, err)
	}
	if err := s.Record(t.Context(), []exchange.AuditEntry{{At: start, Event: "message.read"}}); err != nil {
		t.Errorf("Record in a full store: %v", err)
	}
	check(t, s)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = open(t, dir, bolt.Options{MaxBytes: 600_000})
	if _, err := s.Accept(t.Context(), []exchange.Arrival{arrival("after@th")}); err != nil {
		t.Errorf("with room again: %v", err)
	}
	check(t, s)
}

// TestMaxBytesCountsRecords has messages come whose raw bytes are known or missing, and whose records are large.
func TestMaxBytesCountsRecords(t *testing.T) {
	const limit, large = 4 << 20, 100_000
	long := strings.Repeat("x", large)
	known := arrival("first@th")
	accept := func(change func(i int, a *exchange.Arrival)) func(s *bolt.Store, i int) error {
		return func(s *bolt.Store, i int) error {
			a := arrival(fmt.Sprintf("m%d@th", i))
			a.Raw = known.Raw
			change(i, &a)
			_, err := s.Accept(context.Background(), []exchange.Arrival{a})
			return err
		}
	}
	for _, c := range []struct {
		name string
		call func(s *bolt.Store, i int) error
	}{
		{"quarantined again and again", accept(func(_ int, a *exchange.Arrival) {
			a.Message.State, a.Message.MessageID = exchange.StateQuarantined, long
		})},
		{"inconsistent", accept(func(i int, a *exchange.Arrival) {
			a.Message.MessageID, a.Message.Content, a.Message.Service = "first@th", "other", long
		})},
		{"audit entries", accept(func(_ int, a *exchange.Arrival) { a.Audit[0].Detail = long })},
		{"certificates", accept(func(i int, a *exchange.Arrival) {
			key := exchange.CertificateKey{Country: "TH", Form: "AK", Reference: fmt.Sprint(i)}
			a.Certificate = &exchange.Certificate{Key: key, Data: eco.Certificate{Remarks: long}}
		})},
		{"replies", accept(func(i int, a *exchange.Arrival) {
			d := departure(fmt.Sprintf("reply%d@kr", i))
			d.Raw, d.Message.Action = nil, long
			a.Reply, a.Held = &d, true
		})},
		{"departures without bytes", func(s *bolt.Store, i int) error {
			d := departure(fmt.Sprintf("m%d@kr", i))
			d.Raw, d.Message.Action = nil, long
			_, err := s.Enqueue(context.Background(), []exchange.Departure{d})
			return err
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := open(t, t.TempDir(), bolt.Options{MaxBytes: limit})
			if _, err := s.Accept(t.Context(), []exchange.Arrival{known}); err != nil {
				t.Fatal(err)
			}
			taken := 0
			err := c.call(s, taken)
			for ; err == nil && taken < limit/large; taken++ {
				err = c.call(s, taken+1)
			}
			if !isFull(err) || taken < limit/large/4 {
				t.Errorf("%d large records were taken under a limit of %d bytes, then: %v", taken, limit, err)
			}
			if results, err := s.Accept(t.Context(), []exchange.Arrival{known}); err != nil || results[0].Fresh {
				t.Errorf("a duplicate in a full store: %+v, %v", results, err)
			}
			check(t, s)
		})
	}
}

// TestFailedSync fails each sync of a raw file in turn: the call says so, nothing of it is there, and the next succeeds.
func TestFailedSync(t *testing.T) {
	for _, c := range []struct {
		name  string
		cause error
		full  bool
	}{{"input/output error", syscall.EIO, false}, {"no space", syscall.ENOSPC, true}, {"quota", syscall.EDQUOT, true}} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			s := open(t, dir, bolt.Options{})
			syncs := 0
			bolt.SetSync(s, func(f *os.File) error {
				if syncs++; syncs%2 == 0 {
					return fmt.Errorf("sync %d: %w", syncs, c.cause)
				}
				return f.Sync()
			})
			size := int64(0)
			for i := range 6 {
				id := fmt.Sprintf("m%d@th", i)
				_, err := s.Accept(t.Context(), []exchange.Arrival{arrival(id)})
				failed := i%2 == 1
				if (err != nil) != failed || failed && (!errors.Is(err, c.cause) || isFull(err) != c.full) {
					t.Errorf("message %d: %v", i, err)
				}
				if n := len(query(t, s, exchange.MessageQuery{MessageID: id})); (n == 0) != failed {
					t.Errorf("message %d: %d records", i, n)
				}
				if failed && rawSize(t, dir) != size {
					t.Errorf("message %d left %d bytes behind", i, rawSize(t, dir)-size)
				}
				size = rawSize(t, dir)
			}
			check(t, s)
		})
	}
}
