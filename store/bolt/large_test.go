package bolt_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"go.etcd.io/bbolt"

	"github.com/ecogate/ecogate/exchange"
	"github.com/ecogate/ecogate/store/bolt"
)

// smallFrames has a store put content above 2,000 bytes into files of their own.
var smallFrames = bolt.Options{LargeBytes: 2000}

func large(id string) exchange.Content {
	return strings.NewReader(strings.Repeat("large bytes of "+id+"\n", 500))
}

func largeArrival(id string) exchange.Arrival {
	a := arrival(id)
	a.Raw = large(id)
	return a
}

func largeDeparture(id string) exchange.Departure {
	d := departure(id)
	d.Raw = large(id)
	return d
}

func acceptOne(t testing.TB, s *bolt.Store, a exchange.Arrival) exchange.Accepted {
	t.Helper()
	results, err := s.Accept(t.Context(), []exchange.Arrival{a})
	if err != nil {
		t.Fatal(err)
	}
	return results[0]
}

func octets(t testing.TB, c exchange.Content) string {
	t.Helper()
	b, err := io.ReadAll(io.NewSectionReader(c, 0, c.Size()))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func digestOf(c exchange.Content) string {
	h := sha256.New()
	_, _ = io.Copy(h, io.NewSectionReader(c, 0, c.Size()))
	return hex.EncodeToString(h.Sum(nil))
}

// folder lists a month's files of their own.
func folder(t testing.TB, dir string) (names []string) {
	t.Helper()
	entries, err := os.ReadDir(filepath.Join(dir, "raw-2026-11"))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

func TestLargeContentHasAFileOfItsOwn(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, smallFrames)
	a := largeArrival("m1@th")
	a.Certificate = &exchange.Certificate{Key: exchange.CertificateKey{Country: "TH", Form: "AK", Reference: "T1"}, Content: "c"}
	a.Document = []byte(octets(t, large("document")))
	ref := acceptOne(t, s, a).Message.Raw
	want := exchange.RawRef{Digest: digestOf(a.Raw), Size: a.Raw.Size(), Month: "2026-11"}
	if ref != want {
		t.Errorf("reference %+v, want %+v", ref, want)
	}
	again := largeArrival("m2@th")
	again.Raw = a.Raw
	if other := acceptOne(t, s, again).Message.Raw; other != ref {
		t.Errorf("equal bytes lie at %+v and %+v", ref, other)
	}
	if names := folder(t, dir); len(names) != 2 {
		t.Errorf("files %q, want the message and the document", names)
	}
	if _, err := os.Stat(filepath.Join(dir, "raw-2026-11.log")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the month's file: %v", err)
	}
	for path, want := range map[string]os.FileMode{"raw-2026-11": 0o700 | os.ModeDir, filepath.Join("raw-2026-11", ref.Digest): 0o600} {
		if info, err := os.Stat(filepath.Join(dir, path)); err != nil || info.Mode() != want {
			t.Errorf("%s: %v, want mode %v; %v", path, info, want, err)
		}
	}
	check(t, s)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = open(t, dir, bolt.Options{LargeBytes: 1 << 20}) // the place of what is stored does not depend on the option
	content, err := s.Raw(t.Context(), ref)
	if err != nil || octets(t, content) != octets(t, a.Raw) {
		t.Errorf("after reopening: %v", err)
	}
	small := arrival("m3@th")
	small.Raw = a.Raw
	if other := acceptOne(t, s, small).Message.Raw; other != ref {
		t.Errorf("the same bytes lie at %+v too", other)
	}
	check(t, s)
}

func TestLargeContentThatIsNotNeededIsRemoved(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, smallFrames)
	acceptOne(t, s, largeArrival("m1@th"))
	first := exchange.CertificateKey{Country: "KR", Form: "AK", Reference: "K1"}
	d := largeDeparture("m2@kr")
	d.Certificate = &exchange.Certificate{Key: first, Content: "a"}
	if _, err := s.Enqueue(t.Context(), []exchange.Departure{d}); err != nil {
		t.Fatal(err)
	}
	kept := folder(t, dir)
	repacked := largeArrival("m1@th")
	repacked.Raw = io.NewSectionReader(strings.NewReader("nobody reads a copy"), 0, 9000)
	if acceptOne(t, s, repacked).Fresh {
		t.Error("a copy is fresh")
	}
	conflict := largeDeparture("m3@kr")
	conflict.Certificate = &exchange.Certificate{Key: first, Content: "b"}
	if results, err := s.Enqueue(t.Context(), []exchange.Departure{conflict}); err != nil || !errors.Is(results[0].Err, exchange.ErrConflict) {
		t.Errorf("other content: %+v, %v", results, err)
	}
	invalid := largeArrival("m4@th")
	invalid.Message.State = "no state"
	if _, err := s.Accept(t.Context(), []exchange.Arrival{largeArrival("m5@th"), invalid}); err == nil {
		t.Error("a message without a state was accepted")
	}
	taken := largeDeparture("m2@kr")
	taken.Message.Content = "other"
	bad := largeArrival("m6@th")
	bad.Reply = &taken
	if _, err := s.Accept(t.Context(), []exchange.Arrival{bad}); err == nil {
		t.Error("a reply whose MessageID is taken was recorded")
	}
	if _, err := s.Accept(ended(t), []exchange.Arrival{largeArrival("m7@th")}); !errors.Is(err, context.Canceled) {
		t.Errorf("after the context ended: %v", err)
	}
	if names := folder(t, dir); strings.Join(names, " ") != strings.Join(kept, " ") {
		t.Errorf("files %q, want %q", names, kept)
	}
	check(t, s)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Accept(t.Context(), []exchange.Arrival{largeArrival("m8@th")}); !errors.Is(err, bolt.ErrClosed) {
		t.Errorf("after Close: %v", err)
	}
	if names := folder(t, dir); len(names) != len(kept) {
		t.Errorf("files %q after Close, want %q", names, kept)
	}
}

// TestLargeContentOfManyCalls has the same bytes come in calls that need them and calls that do not.
func TestLargeContentOfManyCalls(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, smallFrames)
	export := func(id, bytes, content string) (exchange.Enqueued, error) {
		d := largeDeparture(bytes)
		d.Message.MessageID = id
		d.Certificate = &exchange.Certificate{Key: exchange.CertificateKey{Country: "KR", Form: "AK", Reference: "K1"}, Content: content}
		if content == "" {
			d.Certificate = nil
		}
		results, err := s.Enqueue(context.Background(), []exchange.Departure{d})
		return results[0], err
	}
	if r, err := export("first@kr", "first", "a"); err != nil || !r.Fresh {
		t.Fatalf("%+v, %v", r, err)
	}
	var calls sync.WaitGroup
	for i := range 40 {
		calls.Go(func() {
			content := []string{"", "other"}[i%2]
			r, err := export(fmt.Sprintf("m%d@kr", i), fmt.Sprint("shared ", i/8), content)
			if err != nil || r.Fresh != (content == "") {
				t.Errorf("call %d: %+v, %v", i, r, err)
			}
		})
	}
	calls.Wait()
	if names := folder(t, dir); len(names) != 6 {
		t.Errorf("%d files, want 6: %q", len(names), names)
	}
	check(t, s)
}

// TestLargeContentThatAnotherCallNeeds: a call that fails leaves what another one under way brought too.
func TestLargeContentThatAnotherCallNeeds(t *testing.T) {
	written, goOn := make(chan bool), make(chan bool)
	var passed atomic.Int64
	o := smallFrames
	o.Point = func(name string) {
		if name == "store.large-synced" && passed.Add(1) == 1 {
			written <- true
			<-goOn
		}
	}
	s := open(t, t.TempDir(), o)
	if _, err := s.Enqueue(t.Context(), []exchange.Departure{departure("taken@kr")}); err != nil {
		t.Fatal(err)
	}
	good, bad := largeArrival("both"), largeArrival("both")
	answer := make(chan error)
	go func() {
		_, err := s.Accept(context.Background(), []exchange.Arrival{good})
		answer <- err
	}()
	<-written
	reply := departure("taken@kr")
	bad.Reply = &reply
	if _, err := s.Accept(t.Context(), []exchange.Arrival{bad}); err == nil {
		t.Error("a reply whose MessageID is taken was recorded")
	}
	goOn <- true
	if err := <-answer; err != nil {
		t.Error(err)
	}
	check(t, s)
}

// TestRoomThatLargeContentTakes: bytes that come again take no more room, and those of a failed call none.
func TestRoomThatLargeContentTakes(t *testing.T) {
	s := open(t, t.TempDir(), bolt.Options{LargeBytes: 2000, MaxBytes: 1_000_000})
	accept := func(id string, size int64) error {
		a := arrival(id)
		a.Raw = pattern(size)
		_, err := s.Accept(t.Context(), []exchange.Arrival{a})
		return err
	}
	bolt.SetSync(s, func(*os.File) error { return syscall.EIO })
	for i := range 5 {
		if err := accept("m0@th", 400_000); !errors.Is(err, syscall.EIO) {
			t.Errorf("attempt %d: %v", i, err)
		}
	}
	bolt.SetSync(s, (*os.File).Sync)
	for i := range 5 {
		if err := accept(fmt.Sprintf("m%d@th", i), 400_000); err != nil {
			t.Errorf("message %d: %v", i, err)
		}
	}
	if err := accept("m5@th", 400_001); err != nil {
		t.Errorf("other bytes: %v", err)
	}
	if err := accept("m6@th", 400_002); !isFull(err) {
		t.Errorf("more than there is room for: %v", err)
	}
	check(t, s)
}

func TestLargeContentAfterTheContextEnded(t *testing.T) {
	committing, goOn := make(chan bool), make(chan bool)
	dir := t.TempDir()
	o := smallFrames
	o.Point = func(name string) {
		if name == "store.raw-synced" {
			committing <- true
			<-goOn
		}
	}
	s := open(t, dir, o)
	ctx, cancel := context.WithCancel(t.Context())
	answer := make(chan error)
	go func() {
		_, err := s.Accept(ctx, []exchange.Arrival{largeArrival("m1@th")})
		answer <- err
	}()
	<-committing
	cancel()
	if err := <-answer; !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "outcome unknown") {
		t.Errorf("%v, want context.Canceled with its outcome unknown", err)
	}
	goOn <- true
	go func() { <-committing; goOn <- true }()
	if r := acceptOne(t, s, largeArrival("m1@th")); r.Fresh {
		t.Error("the retry is fresh, though the call was committed")
	}
	check(t, s)
}

func TestDamagedLargeContent(t *testing.T) {
	for _, c := range []struct {
		name   string
		damage func(path string) error
		want   string
	}{
		{"a changed bit", func(path string) error { return editFile(path, func(b []byte) []byte { return changed(b, 3000) }) }, "does not match its SHA-256"},
		{"cut short", func(path string) error { return os.Truncate(path, 4097) }, "it has 4097 bytes, expected"},
		{"longer", func(path string) error { return editFile(path, func(b []byte) []byte { return append(b, 'x') }) }, "bytes, expected"},
		{"empty", func(path string) error { return os.Truncate(path, 0) }, "it has 0 bytes"},
		{"missing", os.Remove, "the file is gone"},
		{"other content under the name", func(path string) error {
			return editFile(path, func(b []byte) []byte { return bytes.Repeat([]byte("y"), len(b)) })
		}, "does not match its SHA-256"},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			s := open(t, dir, smallFrames)
			if _, err := s.Enqueue(t.Context(), []exchange.Departure{largeDeparture("m1@kr"), largeDeparture("m2@kr")}); err != nil {
				t.Fatal(err)
			}
			ref := query(t, s, exchange.MessageQuery{MessageID: "m1@kr"})[0].Raw
			path := filepath.Join(dir, "raw-2026-11", ref.Digest)
			if err := c.damage(path); err != nil {
				t.Fatal(err)
			}
			_, err := s.Raw(t.Context(), ref)
			wantDamage(t, "Raw", err, path+": ")
			wantDamage(t, "Raw", err, c.want)
			wantDamage(t, "Check", s.Check(t.Context()), c.want)
			jobs, err := s.Claim(t.Context(), exchange.Claim{Owner: "w", Now: start, Lease: 1, Max: 2})
			if err != nil || len(jobs) != 1 || jobs[0].Message.MessageID != "m2@kr" {
				t.Errorf("%d jobs, %v, want the one that can be read", len(jobs), err)
			}
			if m := query(t, s, exchange.MessageQuery{MessageID: "m1@kr"})[0]; m.State != exchange.StateFailed {
				t.Errorf("the other is %q", m.State)
			}
			again := largeArrival("m3@th") // with the bytes of m1
			again.Raw = large("m1@kr")
			acceptOne(t, s, again)
			if _, err := s.Raw(t.Context(), ref); err != nil {
				t.Errorf("after the bytes came again: %v", err)
			}
			check(t, s)
		})
	}
}

func editFile(path string, edit func([]byte) []byte) error {
	b, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	return os.WriteFile(path, edit(b), 0o600)
}

func TestHostileReferenceToLargeContent(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, smallFrames)
	ref := acceptOne(t, s, largeArrival("m1@th")).Message.Raw
	for _, digest := range []string{"", "../state.db", "..", strings.ToUpper(ref.Digest), ref.Digest + "0", ref.Digest[:63] + "/"} {
		bad := ref
		bad.Digest = digest
		if _, err := s.Raw(t.Context(), bad); !errors.Is(err, exchange.ErrNotFound) {
			t.Errorf("digest %q: %v, want ErrNotFound", digest, err)
		}
	}
}

func TestRetentionRemovesWholeMonthsOfLargeContent(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, smallFrames)
	old, small := largeArrival("old@th"), arrival("small@th")
	old.Message.Created, small.Message.Created = start.AddDate(0, -1, 0), start.AddDate(0, -1, 0)
	gone, kept := acceptOne(t, s, old).Message.Raw, acceptOne(t, s, largeArrival("new@th")).Message.Raw
	acceptOne(t, s, small)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(os.RemoveAll(filepath.Join(dir, "raw-2026-10")), os.Remove(filepath.Join(dir, "raw-2026-10.log"))); err != nil {
		t.Fatal(err)
	}
	s = open(t, dir, smallFrames)
	if _, err := s.Raw(t.Context(), gone); !errors.Is(err, exchange.ErrNotFound) {
		t.Errorf("bytes of the removed month: %v, want ErrNotFound", err)
	}
	if _, err := s.Raw(t.Context(), kept); err != nil {
		t.Error(err)
	}
	check(t, s)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(filepath.Join(dir, "raw-2026-11")); err != nil {
		t.Fatal(err)
	}
	_, err := bolt.Open(dir, bolt.Options{Now: clock})
	wantDamage(t, "Open without the newest folder", err, "raw-2026-11: ")
}

// TestRemnantsOfACrash: what was not renamed yet is removed, what was and nothing points at stays.
func TestRemnantsOfACrash(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, smallFrames)
	acceptOne(t, s, largeArrival("m1@th"))
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "raw-2026-11")
	orphan := large("m2@th")
	if err := errors.Join(
		os.WriteFile(filepath.Join(path, "new-12345"), []byte("half a mess"), 0o600),
		os.WriteFile(filepath.Join(path, digestOf(orphan)), []byte(octets(t, orphan)), 0o600),
		os.WriteFile(filepath.Join(path, "README"), []byte("not ours"), 0o600),
	); err != nil {
		t.Fatal(err)
	}
	s = open(t, dir, smallFrames)
	if names := folder(t, dir); len(names) != 3 || strings.Contains(strings.Join(names, " "), "new-") {
		t.Errorf("files %q, want those of both messages and the strange one", names)
	}
	var told []string
	for _, r := range audit(t, s) {
		if r.Event == "store.remnant-removed" {
			told = append(told, r.Subject+": "+r.Detail)
		}
	}
	if want := "raw-2026-11/new-12345: 11 bytes of a write that was never committed"; len(told) != 1 || told[0] != want {
		t.Errorf("audit log tells %q, want %q", told, want)
	}
	check(t, s)
	if r := acceptOne(t, s, largeArrival("m2@th")); !r.Fresh {
		t.Errorf("the sender's next attempt: %+v", r)
	}
	if names := folder(t, dir); len(names) != 3 {
		t.Errorf("files %q after the sender's next attempt", names)
	}
	check(t, s)
}

func TestMaxBytesCountsLargeContent(t *testing.T) {
	const size = 400_000
	content := func(id string) exchange.Content { return strings.NewReader(strings.Repeat(id, size/len(id))) }
	dir := t.TempDir()
	o := bolt.Options{LargeBytes: 2000, MaxBytes: 1_000_000}
	s := open(t, dir, o)
	accept := func(id string) error {
		a := arrival(id)
		a.Raw = content(id)
		_, err := s.Accept(t.Context(), []exchange.Arrival{a})
		return err
	}
	if err := errors.Join(accept("m1@th"), accept("m2@th")); err != nil {
		t.Fatal(err)
	}
	written := 0
	bolt.SetSync(s, func(f *os.File) error {
		if strings.Contains(f.Name(), "new-") {
			written++
		}
		return f.Sync()
	})
	for range 3 {
		if err := accept("m3@th"); !isFull(err) || !strings.Contains(err.Error(), "configured limit") {
			t.Errorf("a message without room: %v", err)
		}
	}
	if written != 0 || len(folder(t, dir)) != 2 {
		t.Errorf("%d files were written without room, %d are left, want 2", written, len(folder(t, dir)))
	}
	if err := accept("m1@th"); err != nil {
		t.Errorf("a copy in a full store: %v", err)
	}
	if m := query(t, s, exchange.MessageQuery{MessageID: "m1@th"})[0]; m.Copies != 1 {
		t.Errorf("%d copies, want 1", m.Copies)
	}
	known := arrival("m4@th") // its bytes need no room
	known.Raw = content("m1@th")
	acceptOne(t, s, known)
	check(t, s)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = open(t, dir, o)
	if err := accept("m3@th"); !isFull(err) {
		t.Errorf("after reopening: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = open(t, dir, bolt.Options{LargeBytes: 2000, MaxBytes: 2_000_000})
	if err := accept("m3@th"); err != nil {
		t.Errorf("with room again: %v", err)
	}
	check(t, s)
}

func TestFailedSyncOfLargeContent(t *testing.T) {
	for _, c := range []struct {
		name  string
		cause error
		full  bool
	}{{"input/output error", syscall.EIO, false}, {"no space", syscall.ENOSPC, true}} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			s := open(t, dir, bolt.Options{LargeBytes: 2000, MaxBytes: 1 << 30})
			acceptOne(t, s, largeArrival("m0@th"))
			bolt.SetSync(s, func(f *os.File) error { return fmt.Errorf("sync: %w", c.cause) })
			_, err := s.Accept(t.Context(), []exchange.Arrival{largeArrival("m1@th")})
			if !errors.Is(err, c.cause) || isFull(err) != c.full {
				t.Errorf("%v, want %v", err, c.cause)
			}
			if names := folder(t, dir); len(names) != 1 {
				t.Errorf("files %q, want 1", names)
			}
			bolt.SetSync(s, (*os.File).Sync)
			if r := acceptOne(t, s, largeArrival("m1@th")); !r.Fresh {
				t.Error("something of the failed call was stored")
			}
			check(t, s)
		})
	}
}

// TestUnreadableContent has the caller's content fail halfway.
func TestUnreadableContent(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, smallFrames)
	for _, size := range []int64{1000, 300_000} {
		a := arrival("m1@th")
		a.Raw = io.NewSectionReader(strings.NewReader("short"), 0, size)
		if _, err := s.Accept(t.Context(), []exchange.Arrival{a}); !errors.Is(err, io.EOF) {
			t.Errorf("content of %d bytes that ends before: %v", size, err)
		}
	}
	if names := folder(t, dir); len(names) != 0 {
		t.Errorf("files %q are left", names)
	}
}

// pattern is content of any size that takes no memory.
type pattern int64

func (p pattern) Size() int64 { return int64(p) }

func (p pattern) ReadAt(b []byte, at int64) (int, error) {
	n := max(0, min(int64(len(b)), int64(p)-at))
	for i := range b[:n] {
		b[i] = byte((at + int64(i)) >> 7)
	}
	if n < int64(len(b)) {
		return int(n), io.EOF
	}
	return int(n), nil
}

func storeAndRead(t testing.TB, s *bolt.Store, id string, content exchange.Content) {
	t.Helper()
	d := departure(id)
	d.Raw = content
	if _, err := s.Enqueue(t.Context(), []exchange.Departure{d}); err != nil {
		t.Fatal(err)
	}
	jobs, err := s.Claim(t.Context(), exchange.Claim{Owner: "w", Now: start, Lease: 1, Max: 1})
	if err != nil || len(jobs) != 1 {
		t.Fatalf("%d jobs, %v", len(jobs), err)
	}
	n, err := io.Copy(io.Discard, io.NewSectionReader(jobs[0].Raw, 0, jobs[0].Raw.Size()))
	if err != nil || n != content.Size() {
		t.Fatalf("read %d bytes, %v", n, err)
	}
}

func TestLargeContentNeedsNoMemory(t *testing.T) {
	s := open(t, t.TempDir(), bolt.Options{})
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	storeAndRead(t, s, "m1@kr", pattern(100<<20))
	runtime.ReadMemStats(&after)
	if grown := after.TotalAlloc - before.TotalAlloc; grown > 4<<20 {
		t.Errorf("storing and reading 100 MiB allocated %d bytes, want less than 4 MiB", grown)
	}
}

func BenchmarkLargeContent(b *testing.B) {
	const size = 100 << 20
	s := open(b, b.TempDir(), bolt.Options{})
	b.SetBytes(size)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		storeAndRead(b, s, fmt.Sprintf("m%d@kr", i), pattern(size+i))
	}
}

// TestStoreOfVersionOneIsUpgraded takes from a store what version 1 did not have.
func TestStoreOfVersionOneIsUpgraded(t *testing.T) {
	dir := written(t)
	edit(t, dir, func(tx *bbolt.Tx) error {
		var errs []error
		for _, name := range []string{"large", "conversations", "lines", "waiting", "pauses", "signers", "registry", "proposals", "found"} {
			errs = append(errs, tx.DeleteBucket([]byte(name)))
		}
		errs = append(errs, tx.Bucket([]byte("meta")).Delete([]byte("found")))
		return errors.Join(append(errs, tx.Bucket([]byte("meta")).Put([]byte("schema"), []byte("1")))...)
	})
	s := open(t, dir, smallFrames)
	check(t, s)
	if n := len(query(t, s, exchange.MessageQuery{})); n != 3 {
		t.Errorf("%d messages, want 3", n)
	}
	for _, m := range query(t, s, exchange.MessageQuery{}) {
		if _, err := s.Raw(t.Context(), m.Raw); err != nil {
			t.Error(err)
		}
	}
	if n := len(query(t, s, exchange.MessageQuery{Signer: "e1"})); n != 1 {
		t.Errorf("%d messages of the signer, want 1", n)
	}
	if acceptOne(t, s, arrival("m2@th")).Fresh || !acceptOne(t, s, largeArrival("m4@th")).Fresh {
		t.Error("a copy is fresh or a new message is none")
	}
	check(t, s)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	edit(t, dir, func(tx *bbolt.Tx) error {
		if version := tx.Bucket([]byte("meta")).Get([]byte("schema")); string(version) != "6" {
			t.Errorf("schema version %q, want 6: a program of version 1 must not open it", version)
		}
		return nil
	})
}
