package bolt_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.etcd.io/bbolt"

	"github.com/ecogate/ecogate/exchange"
	"github.com/ecogate/ecogate/store/bolt"
)

// written makes a closed store with a few messages, one of them with a certificate, and returns its directory.
func written(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	s := open(t, dir, bolt.Options{})
	a := arrival("m1@th")
	a.Certificate = &exchange.Certificate{Key: exchange.CertificateKey{Country: "TH", Form: "AK", Reference: "T1"}, Content: "c", DocumentSigner: "d0"}
	a.Message.Signer, a.Document = "e1", []byte("signed document")
	if _, err := s.Accept(t.Context(), []exchange.Arrival{a, arrival("m2@th")}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Enqueue(t.Context(), []exchange.Departure{departure("m3@kr")}); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestTornTailIsCutAndTold(t *testing.T) {
	whole := wholeFrame(t)
	for _, c := range []struct {
		name string
		tail []byte
		keep int // bytes of tail that stay
	}{
		{"half a header", whole[:20], 0},
		{"half the content", whole[:len(whole)-7], 0},
		{"zeros that the file system left", make([]byte, 4096), 0},
		{"a changed byte", changed(whole, 60), 0},
		{"a whole frame", whole, len(whole)},
		{"a whole frame and half a one", append(bytes.Clone(whole), whole[:50]...), len(whole)},
		{"a length beyond the file", changed(whole, 9), 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := written(t)
			path := filepath.Join(dir, "raw-2026-11.log")
			size := rawSize(t, dir)
			appendTo(t, path, c.tail)
			s := open(t, dir, bolt.Options{})
			if got := rawSize(t, dir); got != size+int64(c.keep) {
				t.Errorf("%d bytes of the tail stay, want %d", got-size, c.keep)
			}
			var told []string
			for _, r := range audit(t, s) {
				if r.Event == "store.tail-cut" {
					told = append(told, r.Subject+": "+r.Detail)
				}
			}
			cut := len(c.tail) - c.keep
			if want := fmt.Sprintf("raw-2026-11.log: %d bytes of a write that was never committed, from offset %d", cut, size+int64(c.keep)); cut > 0 && (len(told) != 1 || told[0] != want) {
				t.Errorf("audit log tells %q, want %q", told, want)
			}
			if _, err := s.Accept(t.Context(), []exchange.Arrival{arrival("next@th")}); err != nil {
				t.Error(err)
			}
			check(t, s)
		})
	}
}

// wholeFrame is the frame of bytes that the store written by written does not have.
func wholeFrame(t *testing.T) []byte {
	t.Helper()
	dir := t.TempDir()
	s := open(t, dir, bolt.Options{})
	if _, err := s.Accept(t.Context(), []exchange.Arrival{arrival("other@th")}); err != nil {
		t.Fatal(err)
	}
	frame, err := os.ReadFile(filepath.Join(dir, "raw-2026-11.log"))
	if err != nil {
		t.Fatal(err)
	}
	return frame
}

func changed(b []byte, at int) []byte {
	b = bytes.Clone(b)
	b[at] ^= 1
	return b
}

func appendTo(t *testing.T, path string, tail []byte) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	_, err = f.Write(tail)
	if err := errors.Join(err, f.Close()); err != nil {
		t.Fatal(err)
	}
}

// rewrite replaces the one occurrence of old in a file by a text of the same length.
func rewrite(t *testing.T, path, old, new string) {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil || !bytes.Contains(content, []byte(old)) {
		t.Fatalf("%s does not hold %q, %v", path, old, err)
	}
	if err := os.WriteFile(path, bytes.ReplaceAll(content, []byte(old), []byte(new)), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestDamagedRawByte(t *testing.T) {
	dir := written(t)
	rewrite(t, filepath.Join(dir, "raw-2026-11.log"), "signed document", "Signed document")
	s := open(t, dir, bolt.Options{})
	found, err := s.Certificates(t.Context(), exchange.CertificateQuery{Reference: "T1"})
	if err != nil || len(found) != 1 {
		t.Fatalf("%d certificates, %v", len(found), err)
	}
	_, err = s.Raw(t.Context(), found[0].Document)
	wantDamage(t, "Raw", err, "raw-2026-11.log, offset ")
	wantDamage(t, "Check", s.Check(t.Context()), "raw-2026-11.log, offset ")
	m := query(t, s, exchange.MessageQuery{MessageID: "m2@th"})[0]
	if _, err := s.Raw(t.Context(), m.Raw); err != nil {
		t.Errorf("other bytes of the file: %v", err)
	}
}

func wantDamage(t *testing.T, what string, err error, text string) {
	t.Helper()
	if !errors.Is(err, exchange.ErrDamaged) || !strings.Contains(err.Error(), text) {
		t.Errorf("%s: %v, want ErrDamaged that names %q", what, err, text)
	}
}

func TestDamagedRecord(t *testing.T) {
	dir := written(t)
	rewrite(t, filepath.Join(dir, "state.db"), `"partner":"TH","created"`, `"partner":"XX","created"`)
	s := open(t, dir, bolt.Options{})
	_, err := s.Messages(t.Context(), exchange.MessageQuery{MessageID: "m2@th"})
	wantDamage(t, "Messages", err, "state.db: ")
	wantDamage(t, "Messages", err, "record 2 in messages")
	wantDamage(t, "Check", s.Check(t.Context()), "record 1 in messages")
	if results, err := s.Accept(t.Context(), []exchange.Arrival{arrival("m2@th")}); !errors.Is(err, exchange.ErrDamaged) {
		t.Errorf("a duplicate of the damaged message: %+v, %v", results, err)
	}
	if results, err := s.Accept(t.Context(), []exchange.Arrival{arrival("new@th")}); err != nil || !results[0].Fresh {
		t.Errorf("a message beside it: %+v, %v", results, err)
	}
}

func TestDamagedStateFile(t *testing.T) {
	for _, c := range []struct {
		name   string
		damage func(state []byte) []byte
	}{
		{"both headers", func(b []byte) []byte { copy(b, make([]byte, 8192)); return b }},
		{"cut short", func(b []byte) []byte { return b[:len(b)/3] }},
		{"cut within the header", func(b []byte) []byte { return b[:5000] }},
		{"every page's kind", func(b []byte) []byte {
			for page := 2 * 4096; page < len(b); page += 4096 {
				b[page+8] = 0xFF
			}
			return b
		}},
		{"another kind of file", func([]byte) []byte { return bytes.Repeat([]byte("text\n"), 9000) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := written(t)
			path := filepath.Join(dir, "state.db")
			state, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, c.damage(state), 0o600); err != nil {
				t.Fatal(err)
			}
			for range 2 { // the second time shows that the first let go of the lock
				_, err := bolt.Open(dir, bolt.Options{Now: clock})
				wantDamage(t, "Open", err, path)
			}
		})
	}
}

func TestMissingRawBytes(t *testing.T) {
	dir := written(t)
	path := filepath.Join(dir, "raw-2026-11.log")
	if err := os.Truncate(path, rawSize(t, dir)-1); err != nil {
		t.Fatal(err)
	}
	_, err := bolt.Open(dir, bolt.Options{Now: clock})
	wantDamage(t, "Open with a short file", err, path+": ")
	wantDamage(t, "Open with a short file", err, "ends at offset ")
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	_, err = bolt.Open(dir, bolt.Options{Now: clock})
	wantDamage(t, "Open without the newest file", err, path+": ")
}

func TestRetentionRemovesWholeMonths(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, bolt.Options{})
	old := arrival("old@th")
	old.Message.Created = start.AddDate(0, -1, 0)
	results, err := s.Accept(t.Context(), []exchange.Arrival{old, arrival("new@th")})
	if err != nil {
		t.Fatal(err)
	}
	if ref := results[0].Message.Raw; ref.Month != "2026-10" {
		t.Errorf("bytes of October lie in %q", ref.Month)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(dir, "raw-2026-10.log")); err != nil {
		t.Fatal(err)
	}
	s = open(t, dir, bolt.Options{})
	if _, err := s.Raw(t.Context(), results[0].Message.Raw); !errors.Is(err, exchange.ErrNotFound) {
		t.Errorf("bytes of the removed month: %v, want ErrNotFound", err)
	}
	if _, err := s.Raw(t.Context(), results[1].Message.Raw); err != nil {
		t.Error(err)
	}
	check(t, s)
}

func TestCheckFindsDisagreement(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(tx *bbolt.Tx) error
		want   string
	}{
		{"a due entry is missing", func(tx *bbolt.Tx) error { return dropFirst(tx, "due") }, "index due lacks"},
		{"a due entry too many", func(tx *bbolt.Tx) error {
			return tx.Bucket([]byte("due")).Put([]byte("\x02TH00000000000000000009"), nil)
		}, "index due holds 2 entries, the records ask for 1"},
		{"an id is missing", func(tx *bbolt.Tx) error { return dropFirst(tx, "ids") }, "index ids lacks"},
		{"a reference is missing", func(tx *bbolt.Tx) error { return dropFirst(tx, "references") }, "index references lacks"},
		{"a record is missing", func(tx *bbolt.Tx) error { return dropFirst(tx, "messages") }, "where record 1 was expected"},
		{"the newest record is missing", func(tx *bbolt.Tx) error {
			return tx.Bucket([]byte("messages")).Delete([]byte{0, 0, 0, 0, 0, 0, 0, 3})
		}, "messages ends at record 2, 3 were numbered"},
		{"a digest is missing", func(tx *bbolt.Tx) error { return dropFirst(tx, "raw") }, "which are not there"},
		{"an audit record is missing", func(tx *bbolt.Tx) error {
			return tx.Bucket([]byte("audit")).Delete([]byte{0, 0, 0, 0, 0, 0, 0, 3})
		}, "audit record 3 is missing"},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := written(t)
			edit(t, dir, c.change)
			wantDamage(t, "Check", open(t, dir, bolt.Options{}).Check(t.Context()), c.want)
		})
	}
}

func dropFirst(tx *bbolt.Tx, bucket string) error {
	b := tx.Bucket([]byte(bucket))
	key, _ := b.Cursor().First()
	return b.Delete(key)
}

// TestDamagedBytesEndDelivery: a message that cannot be read any more must not stop the queue behind it.
func TestDamagedBytesEndDelivery(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, bolt.Options{})
	if _, err := s.Enqueue(t.Context(), []exchange.Departure{departure("m1@kr"), departure("m2@kr")}); err != nil {
		t.Fatal(err)
	}
	rewrite(t, filepath.Join(dir, "raw-2026-11.log"), "bytes of m1", "Bytes of m1")
	jobs, err := s.Claim(t.Context(), exchange.Claim{Owner: "w", Now: start, Lease: 1, Max: 2})
	if err != nil || len(jobs) != 1 || jobs[0].Message.MessageID != "m2@kr" {
		t.Errorf("%d jobs, %v, want the one that can be read", len(jobs), err)
	}
	m := query(t, s, exchange.MessageQuery{MessageID: "m1@kr"})[0]
	if m.State != exchange.StateFailed || m.Reason == nil || !strings.Contains(m.Reason.Cause, "raw-2026-11.log") {
		t.Errorf("the other is %q for %+v", m.State, m.Reason)
	}
}
