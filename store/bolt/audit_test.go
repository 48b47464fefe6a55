package bolt_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"github.com/ecogate/ecogate/exchange"
	"github.com/ecogate/ecogate/store/bolt"
)

// audit returns the whole log.
func audit(t *testing.T, s *bolt.Store) []bolt.AuditRecord {
	t.Helper()
	records, err := s.Audit(t.Context(), 0, 1000)
	if err != nil {
		t.Fatal(err)
	}
	return records
}

// ended is a context that has ended.
func ended(t *testing.T) context.Context {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	return ctx
}

func TestAuditIsNumberedAndChained(t *testing.T) {
	dir := written(t)
	s := open(t, dir, bolt.Options{})
	if _, err := s.Accept(t.Context(), []exchange.Arrival{arrival("m4@th")}); err != nil {
		t.Fatal(err)
	}
	records := audit(t, s)
	subjects := []string{"m1@th", "m2@th", "m3@kr", "m4@th"}
	if len(records) != len(subjects) {
		t.Fatalf("%d records, want %d", len(records), len(subjects))
	}
	previous := ""
	for i, r := range records {
		if r.Seq != uint64(i+1) || r.Subject != subjects[i] || r.Previous != previous || len(r.Digest) != 64 || !r.At.Equal(start) {
			t.Errorf("record %d: %+v", i, r)
		}
		previous = r.Digest
	}
	page, err := s.Audit(t.Context(), 2, 1)
	if err != nil || len(page) != 1 || page[0] != records[2] {
		t.Errorf("one record after 2: %+v, %v", page, err)
	}
	if page, err := s.Audit(t.Context(), 4, 10); err != nil || len(page) != 0 {
		t.Errorf("after the last: %+v, %v", page, err)
	}
}

func TestAuditTellsOnlyWhatWasWritten(t *testing.T) {
	s := open(t, t.TempDir(), bolt.Options{})
	d := departure("m1@kr")
	stale := exchange.Outcome{Seq: 1, Fence: 7, State: exchange.StateFailed, Audit: []exchange.AuditEntry{{Event: "message.failed"}}}
	for range 2 {
		if _, err := s.Enqueue(t.Context(), []exchange.Departure{d}); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Accept(t.Context(), []exchange.Arrival{arrival("m2@th")}); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Settle(t.Context(), []exchange.Outcome{stale}); err != nil {
			t.Fatal(err)
		}
	}
	other := arrival("m2@th")
	other.Message.Content = "other"
	if _, err := s.Accept(t.Context(), []exchange.Arrival{other}); err != nil {
		t.Fatal(err)
	}
	var events []string
	for _, r := range audit(t, s) {
		events = append(events, r.Event)
	}
	want := []string{"message.queued", "message.accepted", "message.inconsistent"}
	if len(events) != 3 || events[0] != want[0] || events[1] != want[1] || events[2] != want[2] {
		t.Errorf("events %q, want %q", events, want)
	}
}

func TestRecordContinuesTheChain(t *testing.T) {
	dir := written(t)
	s := open(t, dir, bolt.Options{})
	read := exchange.AuditEntry{At: start.In(time.FixedZone("KST", 9*3600)), Actor: "forwarder", Event: "certificate.looked_up", Subject: "K1", Detail: "role broker"}
	refused := exchange.AuditEntry{At: start, Actor: "chamber", Event: "certificate.refused", Subject: "K2"}
	entries := []exchange.AuditEntry{read, refused}
	if err := s.Record(t.Context(), entries); err != nil {
		t.Fatal(err)
	}
	entries[0].Actor = "the caller's own from here"
	if err := s.Record(ended(t), entries); !errors.Is(err, context.Canceled) {
		t.Errorf("Record after its context ended: %v", err)
	}
	if _, err := s.Accept(t.Context(), []exchange.Arrival{arrival("m4@th")}); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = open(t, dir, bolt.Options{})
	records := audit(t, s)
	read.At = start
	if len(records) != 6 || records[3].AuditEntry != read || records[4].AuditEntry != refused || records[5].Subject != "m4@th" {
		t.Errorf("records %+v", records)
	}
	check(t, s)
}

// TestConcurrentRecordsAreEachThereOnce joins many callers into few commits, which share the chain's end.
func TestConcurrentRecordsAreEachThereOnce(t *testing.T) {
	s := open(t, t.TempDir(), bolt.Options{})
	const callers = 50
	var calls sync.WaitGroup
	for i := range callers {
		calls.Go(func() {
			if err := s.Record(t.Context(), []exchange.AuditEntry{{At: start, Subject: fmt.Sprint(i)}, {At: start, Subject: fmt.Sprint(i)}}); err != nil {
				t.Error(err)
			}
		})
	}
	calls.Wait()
	seen := make(map[string]int)
	records := audit(t, s)
	for i, r := range records {
		seen[r.Subject]++
		if i%2 == 1 && r.Subject != records[i-1].Subject {
			t.Errorf("record %d: another call came between the two of one call", r.Seq)
		}
	}
	if len(records) != 2*callers || len(seen) != callers {
		t.Errorf("%d records of %d callers", len(records), len(seen))
	}
	check(t, s)
}

func TestChangedAuditRecordIsFound(t *testing.T) {
	dir := written(t)
	rewrite(t, filepath.Join(dir, "state.db"), `"subject":"m2@th"`, `"subject":"mX@th"`)
	s := open(t, dir, bolt.Options{})
	_, err := s.Audit(t.Context(), 0, 0)
	wantDamage(t, "Audit", err, "record 2 in audit")
	if records, err := s.Audit(t.Context(), 0, 1); err != nil || len(records) != 1 {
		t.Errorf("the records before it: %d, %v", len(records), err)
	}
	if err := s.Check(t.Context()); !errors.Is(err, exchange.ErrDamaged) {
		t.Errorf("Check: %v", err)
	}
}

// TestForgedAuditRecordIsFound changes a record as someone would who knows the format and mends its checksum.
func TestForgedAuditRecordIsFound(t *testing.T) {
	dir := written(t)
	edit(t, dir, func(tx *bbolt.Tx) error {
		log := tx.Bucket([]byte("audit"))
		key := []byte{0, 0, 0, 0, 0, 0, 0, 2}
		record := bytes.Replace(log.Get(key)[4:], []byte("m2@th"), []byte("mX@th"), 1)
		sum := crc32.Checksum(record, crc32.MakeTable(crc32.Castagnoli))
		return log.Put(key, append(binary.BigEndian.AppendUint32(nil, sum), record...))
	})
	s := open(t, dir, bolt.Options{})
	_, err := s.Audit(t.Context(), 0, 0)
	wantDamage(t, "Audit", err, "audit record 3 does not continue")
	_, err = s.Audit(t.Context(), 2, 0)
	wantDamage(t, "Audit from the record after it", err, "audit record 3 does not continue")
	wantDamage(t, "Check", s.Check(t.Context()), "audit record 3 does not continue")
}
