package bolt_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"github.com/ecogate/ecogate/eco"
	"github.com/ecogate/ecogate/exchange"
	"github.com/ecogate/ecogate/store/bolt"
	"github.com/ecogate/ecogate/store/storetest"
)

var start = time.Date(2026, 11, 20, 9, 0, 0, 0, time.UTC)

func clock() time.Time { return start }

// open opens the store in dir for the length of the test.
func open(t testing.TB, dir string, o bolt.Options) *bolt.Store {
	t.Helper()
	if o.Now == nil {
		o.Now = clock
	}
	s, err := bolt.Open(dir, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func check(t testing.TB, s *bolt.Store) {
	t.Helper()
	if err := s.Check(t.Context()); err != nil {
		t.Error(err)
	}
}

func query(t testing.TB, s *bolt.Store, q exchange.MessageQuery) []exchange.Message {
	t.Helper()
	found, err := s.Messages(t.Context(), q)
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func departure(id string) exchange.Departure {
	return exchange.Departure{
		Message: exchange.Message{Kind: exchange.KindCertificate, MessageID: id, Partner: "TH", Created: start, Due: start, Content: id},
		Raw:     strings.NewReader(strings.Repeat("bytes of "+id+"\n", 100)),
		Audit:   []exchange.AuditEntry{{At: start, Actor: "node", Event: "message.queued", Subject: id}},
	}
}

func arrival(id string) exchange.Arrival {
	return exchange.Arrival{
		Message: exchange.Message{Kind: exchange.KindCertificate, State: exchange.StateAccepted, MessageID: id, Partner: "TH", Created: start, Content: id},
		Raw:     strings.NewReader(strings.Repeat("bytes of "+id+"\n", 100)),
		Audit:   []exchange.AuditEntry{{At: start, Actor: "TH", Event: "message.accepted", Subject: id}},
	}
}

func isFull(err error) bool { return errors.Is(err, exchange.ErrFull) }

func TestContract(t *testing.T) {
	for name, large := range map[string]int64{"content in frames": 0, "content in files of their own": 50} {
		t.Run(name, func(t *testing.T) {
			storetest.Run(t, func(t testing.TB, dir string) (storetest.Store, func() error) {
				s, err := bolt.Open(dir, bolt.Options{Now: clock, LargeBytes: large})
				if err != nil {
					t.Fatal(err)
				}
				return s, func() error {
					if err := s.Check(t.Context()); err != nil {
						t.Errorf("Check before closing: %v", err)
					}
					return s.Close()
				}
			})
		})
	}
}

// TestConflictCost has a partner send ever other content under one key, as large as a certificate may be.
func TestConflictCost(t *testing.T) {
	s := open(t, t.TempDir(), bolt.Options{})
	var cost []int64
	for i := range 30 {
		a := arrival(fmt.Sprintf("m%d@th", i))
		a.Certificate = &exchange.Certificate{
			Key: exchange.CertificateKey{Country: "TH", Form: "AK", Reference: "T1"}, Content: fmt.Sprint(i),
			Data: eco.Certificate{Remarks: strings.Repeat("x", 100_000)},
		}
		before := bolt.PagesWritten(s)
		if _, err := s.Accept(t.Context(), []exchange.Arrival{a}); err != nil {
			t.Fatal(err)
		}
		cost = append(cost, bolt.PagesWritten(s)-before)
	}
	if early, late := slices.Max(cost[:4]), slices.Max(cost[4:]); late > 2*early {
		t.Errorf("a new certificate under the key writes %d pages, one of the first %d", late, early)
	}
	found, err := s.Certificates(t.Context(), exchange.CertificateQuery{Reference: "T1"})
	if err != nil || len(found) != 30 {
		t.Fatalf("%d certificates, %v", len(found), err)
	}
	for _, c := range found {
		if c.State != exchange.CertificateInConflict {
			t.Errorf("certificate %d is %q", c.Seq, c.State)
		}
	}
}

func TestOpenNeedsAClock(t *testing.T) {
	if _, err := bolt.Open(t.TempDir(), bolt.Options{}); err == nil || !strings.Contains(err.Error(), "Options.Now") {
		t.Errorf("Open without a clock: %v", err)
	}
}

func TestFilesAreOnlyForTheirOwner(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a", "store")
	s := open(t, dir, bolt.Options{})
	if _, err := s.Accept(t.Context(), []exchange.Arrival{arrival("m1")}); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]os.FileMode{
		dir: 0o700 | os.ModeDir, filepath.Join(dir, "state.db"): 0o600, filepath.Join(dir, "raw-2026-11.log"): 0o600,
	} {
		if info, err := os.Stat(path); err != nil || info.Mode() != want {
			t.Errorf("%s: mode %v, want %v; %v", path, info.Mode(), want, err)
		}
	}
}

func TestSecondProcessFailsFast(t *testing.T) {
	dir := t.TempDir()
	open(t, dir, bolt.Options{})
	_, err := bolt.Open(dir, bolt.Options{Now: clock, LockTimeout: time.Millisecond})
	if !errors.Is(err, bolt.ErrLocked) || !strings.Contains(err.Error(), filepath.Join(dir, "state.db")) {
		t.Errorf("%v, want ErrLocked with the file's name", err)
	}
}

func TestNewerSchemaIsRefused(t *testing.T) {
	dir := t.TempDir()
	if err := open(t, dir, bolt.Options{}).Close(); err != nil {
		t.Fatal(err)
	}
	edit(t, dir, func(tx *bbolt.Tx) error { return tx.Bucket([]byte("meta")).Put([]byte("schema"), []byte("7")) })
	if _, err := bolt.Open(dir, bolt.Options{Now: clock}); !errors.Is(err, bolt.ErrSchema) {
		t.Errorf("%v, want ErrSchema", err)
	}
}

// edit changes state.db behind the store's back.
func edit(t *testing.T, dir string, change func(tx *bbolt.Tx) error) {
	t.Helper()
	db, err := bbolt.Open(filepath.Join(dir, "state.db"), 0o600, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(db.Update(change), db.Close()); err != nil {
		t.Fatal(err)
	}
}

func TestOpenVoidsLeases(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, bolt.Options{})
	if _, err := s.Enqueue(t.Context(), []exchange.Departure{departure("m1")}); err != nil {
		t.Fatal(err)
	}
	claim := exchange.Claim{Owner: "w", Now: start, Lease: time.Hour, Max: 1}
	jobs, err := s.Claim(t.Context(), claim)
	if err != nil || len(jobs) != 1 {
		t.Fatalf("%d jobs, %v", len(jobs), err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	later := start.Add(time.Minute)
	s = open(t, dir, bolt.Options{Now: func() time.Time { return later }})
	m := query(t, s, exchange.MessageQuery{MessageID: "m1"})[0]
	if m.State != exchange.StateQueued || !m.Due.Equal(later) || m.Owner != "" || m.Fence <= jobs[0].Message.Fence || m.Attempts != 1 {
		t.Errorf("after Open: %+v", m)
	}
	settled, err := s.Settle(t.Context(), []exchange.Outcome{{Seq: m.Seq, Fence: jobs[0].Message.Fence, State: exchange.StateDelivered}})
	if err != nil || settled[0] {
		t.Errorf("a worker of the process before settled: %v, %v", settled, err)
	}
	claim.Now = later
	if jobs, err := s.Claim(t.Context(), claim); err != nil || len(jobs) != 1 {
		t.Errorf("%d jobs are due, %v, want 1", len(jobs), err)
	}
	check(t, s)
}

func TestClosedStoreSaysSo(t *testing.T) {
	s := open(t, t.TempDir(), bolt.Options{})
	accepted, err := s.Accept(t.Context(), []exchange.Arrival{arrival("m1")})
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	ctx := t.Context()
	errs := make([]error, 11)
	_, errs[0] = s.Enqueue(ctx, []exchange.Departure{departure("m2")})
	_, errs[1] = s.Accept(ctx, []exchange.Arrival{arrival("m3")})
	_, errs[2] = s.Settle(ctx, []exchange.Outcome{{Seq: 1, State: exchange.StateFailed}})
	_, errs[3] = s.Claim(ctx, exchange.Claim{Now: start, Lease: time.Minute, Max: 1})
	_, errs[4] = s.Messages(ctx, exchange.MessageQuery{})
	_, errs[5] = s.Raw(ctx, accepted[0].Message.Raw)
	_, errs[6] = s.Audit(ctx, 0, 0)
	errs[7] = s.Record(ctx, []exchange.AuditEntry{{At: start, Event: "message.read"}})
	_, errs[8] = s.Expel(ctx, []exchange.Expulsion{{Seq: 1}})
	errs[9] = s.SetPause(ctx, exchange.Pause{Partner: "TH", Since: start}, nil)
	_, errs[10] = s.Pauses(ctx)
	for i, err := range errs {
		if !errors.Is(err, bolt.ErrClosed) {
			t.Errorf("call %d: %v, want ErrClosed", i, err)
		}
	}
}

func TestCloseAnswersWhatWaits(t *testing.T) {
	s := open(t, t.TempDir(), bolt.Options{})
	var calls sync.WaitGroup
	for i := range 50 {
		calls.Go(func() {
			_, err := s.Accept(context.Background(), []exchange.Arrival{arrival(fmt.Sprint("m", i))})
			if err != nil && !errors.Is(err, bolt.ErrClosed) {
				t.Error(err)
			}
		})
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	calls.Wait()
}

func TestContextEndsWhileWaiting(t *testing.T) {
	committing, goOn := make(chan bool), make(chan bool)
	s := open(t, t.TempDir(), bolt.Options{Point: func(name string) {
		if name == "store.raw-synced" {
			committing <- true
			<-goOn
		}
	}})
	ctx, cancel := context.WithCancel(t.Context())
	answer := make(chan error)
	go func() {
		_, err := s.Accept(ctx, []exchange.Arrival{arrival("m1")})
		answer <- err
	}()
	<-committing
	cancel()
	if err := <-answer; !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "outcome unknown") {
		t.Errorf("%v, want context.Canceled with its outcome unknown", err)
	}
	goOn <- true
	go func() { <-committing; goOn <- true }()
	if results, err := s.Accept(t.Context(), []exchange.Arrival{arrival("m1")}); err != nil || results[0].Fresh {
		t.Errorf("the retry: %+v, %v, want the message that was committed", results, err)
	}
}

// TestOneCommitForAllThatWait also shows that a call that fails does not take the others of its batch with it.
func TestOneCommitForAllThatWait(t *testing.T) {
	var commits int
	first, goOn := make(chan bool), make(chan bool)
	s := open(t, t.TempDir(), bolt.Options{Point: func(name string) {
		if name != "store.raw-synced" {
			return
		}
		if commits++; commits == 1 {
			first <- true
			<-goOn
		}
	}})
	var calls sync.WaitGroup
	accept := func(a exchange.Arrival, fails bool) {
		if _, err := s.Accept(context.Background(), []exchange.Arrival{a}); (err != nil) != fails {
			t.Errorf("message %s: %v", a.Message.MessageID, err)
		}
	}
	calls.Go(func() { accept(arrival("m0"), false) })
	<-first
	for i := range 20 {
		calls.Go(func() { accept(arrival(fmt.Sprint("m", i+1)), false) })
	}
	bad := arrival("bad")
	bad.Message.Created = time.Date(12026, 1, 1, 0, 0, 0, 0, time.UTC) // no JSON time, no month
	calls.Go(func() { accept(bad, true) })
	bolt.AwaitWaiting(s, 21)
	goOn <- true
	calls.Wait()
	if commits != 2 {
		t.Errorf("%d commits for 1 call and 21 that waited, want 2", commits)
	}
	if n := len(query(t, s, exchange.MessageQuery{})); n != 21 {
		t.Errorf("%d messages, want 21", n)
	}
	check(t, s)
}
