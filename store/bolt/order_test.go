package bolt_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"go.etcd.io/bbolt"

	"github.com/ecogate/ecogate/exchange"
	"github.com/ecogate/ecogate/store/bolt"
)

// ordered is the message with a sequence number in conversation c.
func ordered(sequence int) exchange.Arrival {
	a := arrival(fmt.Sprintf("m%d@th", sequence))
	a.Certificate = &exchange.Certificate{
		Key: exchange.CertificateKey{Country: "TH", Form: "AK", Reference: fmt.Sprint("T", sequence)}, Content: "c",
	}
	a.Message.ConversationID, a.Message.Order = "c", &exchange.Order{Sequence: uint32(sequence)}
	return a
}

// TestTurnsAreAuditedInOrder sends 200 messages in any order and twice, and opens the store again in the middle.
func TestTurnsAreAuditedInOrder(t *testing.T) {
	const total = 200
	dir := t.TempDir()
	s := open(t, dir, bolt.Options{})
	for n, i := range rand.New(rand.NewPCG(1, 9)).Perm(2 * total) {
		if n == total {
			check(t, s)
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			s = open(t, dir, bolt.Options{})
		}
		acceptOne(t, s, ordered(i%total))
	}
	check(t, s)
	var turns []string
	for _, r := range audit(t, s) {
		if r.Event == "certificate.available" {
			turns = append(turns, r.Subject+" "+r.Detail)
		}
	}
	if len(turns) != total {
		t.Fatalf("%d entries, want %d", len(turns), total)
	}
	for i, turn := range turns {
		if want := fmt.Sprintf("TH/AK/T%d message m%d@th has sequence number %d of conversation c", i, i, i); turn != want {
			t.Fatalf("entry %d tells %q, want %q", i, turn, want)
		}
	}
}

// TestCostOfOrder has a message arrive in a conversation of few and of many that wait.
func TestCostOfOrder(t *testing.T) {
	s := open(t, t.TempDir(), bolt.Options{})
	cost := func(sequence int) int64 {
		before := bolt.PagesWritten(s)
		acceptOne(t, s, ordered(sequence))
		return bolt.PagesWritten(s) - before
	}
	wait := func(from, to int) {
		var many []exchange.Arrival
		for i := from; i < to; i++ {
			many = append(many, ordered(i))
		}
		if _, err := s.Accept(t.Context(), many); err != nil {
			t.Fatal(err)
		}
	}
	wait(2, 300)
	early := cost(5000)
	wait(300, 3004)
	if late := cost(5002); late > 2*early {
		t.Errorf("a message writes %d pages where 3,000 wait, %d where 300 do", late, early)
	}
	if r := acceptOne(t, s, ordered(0)); len(r.Released) != 0 {
		t.Errorf("%d were released before their turn", len(r.Released))
	}
	if r := acceptOne(t, s, ordered(1)); len(r.Released) != 3002 {
		t.Errorf("%d were released, want 3002", len(r.Released))
	}
	check(t, s)
}

func TestFullStoreStillExpels(t *testing.T) {
	s := open(t, t.TempDir(), bolt.Options{MaxBytes: 300_000})
	waits := acceptOne(t, s, ordered(1)).Message
	fill(t, s, "configured limit")
	reply := departure("error@kr")
	expelled, err := s.Expel(t.Context(), []exchange.Expulsion{{Seq: waits.Seq, At: start, Reply: &reply}})
	if err != nil || !expelled[0] {
		t.Errorf("Expel in a full store: %v, %v", expelled, err)
	}
	if err := s.SetPause(t.Context(), exchange.Pause{Partner: "TH", Since: start}, nil); err != nil {
		t.Errorf("SetPause in a full store: %v", err)
	}
	check(t, s)
}

func TestCheckFindsDisagreementAboutOrder(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(tx *bbolt.Tx) error
		want   string
	}{
		{"a place is missing", func(tx *bbolt.Tx) error { return dropFirst(tx, "waiting") }, "waits and has no place"},
		{"a certificate that waits is missing", func(tx *bbolt.Tx) error {
			return tx.Bucket([]byte("waiting")).Put(waitingKey(2), append(number(0), number(9)...))
		}, "message 2 waits with certificate 9, which is missing"},
		{"a place too many", func(tx *bbolt.Tx) error { return tx.Bucket([]byte("waiting")).Put([]byte("pxx"), nil) }, "index waiting holds 3 entries"},
		{"a conversation is missing", func(tx *bbolt.Tx) error {
			return tx.Bucket([]byte("conversations")).Delete([]byte("o\x02TH\x01d"))
		}, "names conversation \"d\", which is missing"},
		{"a conversation is damaged", func(tx *bbolt.Tx) error {
			return tx.Bucket([]byte("conversations")).Put([]byte("i\x02TH\x01c"), []byte("12345"))
		}, "in conversations does not match its checksum"},
		{"a pause is damaged", func(tx *bbolt.Tx) error {
			return tx.Bucket([]byte("pauses")).Put([]byte("\x02TH"), []byte("x"))
		}, "in pauses does not match its checksum"},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			s := open(t, dir, bolt.Options{})
			acceptOne(t, s, ordered(0))
			acceptOne(t, s, ordered(2))
			d := departure("out@kr")
			d.Line, d.Message.ConversationID, d.Message.Order = "line", "d", &exchange.Order{}
			if results, err := s.Enqueue(t.Context(), []exchange.Departure{d}); err != nil || !results[0].Fresh {
				t.Fatalf("%+v, %v", results, err)
			}
			if err := s.SetPause(t.Context(), exchange.Pause{Partner: "TH", Since: start}, nil); err != nil {
				t.Fatal(err)
			}
			check(t, s)
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			edit(t, dir, c.change)
			wantDamage(t, "Check", open(t, dir, bolt.Options{}).Check(t.Context()), c.want)
		})
	}
}

func number(n uint64) []byte { return binary.BigEndian.AppendUint64(nil, n) }

// waitingKey is the key of what the store knows of a message that waits.
func waitingKey(seq uint64) []byte { return append([]byte("n"), number(seq)...) }

// TestWaitsOfVersionThreeAreUpgraded takes from a store what version 3 did not know: which certificates the messages brought that wait.
func TestWaitsOfVersionThreeAreUpgraded(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, bolt.Options{})
	confirms := func(conversation string) exchange.Arrival { // the certificate that the second one brings
		a := ordered(1)
		a.Message.MessageID, a.Message.ConversationID = conversation+"1@th", conversation
		return a
	}
	answer := ordered(3) // names a certificate and brings none
	answer.Message.Kind, answer.Message.Certificate, answer.Certificate = exchange.KindAnswer, answer.Certificate.Key, nil
	var waits []uint64
	for _, a := range []exchange.Arrival{ordered(1), ordered(2), answer, confirms("d")} {
		if a.Certificate != nil {
			a.Message.Certificate = a.Certificate.Key
		}
		waits = append(waits, acceptOne(t, s, a).Message.Seq)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	edit(t, dir, func(tx *bbolt.Tx) error {
		var errs []error
		for i, seq := range waits {
			want := append(number(0), number([]uint64{1, 2, 0, 1}[i])...)
			if value := tx.Bucket([]byte("waiting")).Get(waitingKey(seq)); !bytes.Equal(value, want) {
				t.Errorf("message %d waits as %x, want %x", seq, value, want)
			}
			errs = append(errs, tx.Bucket([]byte("waiting")).Put(waitingKey(seq), number(0)))
		}
		return errors.Join(append(errs, tx.Bucket([]byte("meta")).Put([]byte("schema"), []byte("3")))...)
	})
	s = open(t, dir, bolt.Options{})
	check(t, s)
	states := func(want ...exchange.CertificateState) {
		t.Helper()
		found, err := s.Certificates(t.Context(), exchange.CertificateQuery{})
		if err != nil || len(found) != len(want) {
			t.Fatalf("%d certificates, %v", len(found), err)
		}
		for _, c := range found {
			if c.State != want[c.Seq-1] {
				t.Errorf("certificate %d is %q, want %q", c.Seq, c.State, want[c.Seq-1])
			}
		}
	}
	if expelled, err := s.Expel(t.Context(), []exchange.Expulsion{{Seq: waits[0], At: start}, {Seq: waits[1], At: start}}); err != nil || !expelled[0] || !expelled[1] {
		t.Fatalf("Expel: %v, %v", expelled, err)
	}
	states(exchange.CertificateRefused, exchange.CertificateRefused)
	first := arrival("d0@th")
	first.Message.ConversationID, first.Message.Order = "d", &exchange.Order{}
	if r := acceptOne(t, s, first); len(r.Released) != 1 {
		t.Errorf("%d were released, want the one that confirmed", len(r.Released))
	}
	states(exchange.CertificateAvailable, exchange.CertificateRefused)
	check(t, s)
}

func TestPauseIsAudited(t *testing.T) {
	s := open(t, t.TempDir(), bolt.Options{})
	entry := exchange.AuditEntry{At: start, Actor: "operator", Event: "partner.paused", Subject: strings.Repeat("TH", 200)}
	if err := s.SetPause(t.Context(), exchange.Pause{Partner: entry.Subject, Since: start, By: "operator"}, []exchange.AuditEntry{entry}); err != nil {
		t.Fatal(err)
	}
	if records := audit(t, s); len(records) != 1 || records[0].AuditEntry != entry {
		t.Errorf("audit log %+v", records)
	}
	if pauses, err := s.Pauses(t.Context()); err != nil || len(pauses) != 1 || pauses[0].Partner != entry.Subject {
		t.Errorf("pauses %+v, %v", pauses, err)
	}
}
