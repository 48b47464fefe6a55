package bolt_test

import (
	"errors"
	"strings"
	"testing"

	"go.etcd.io/bbolt"

	"github.com/ecogate/ecogate/exchange"
	"github.com/ecogate/ecogate/partners"
	"github.com/ecogate/ecogate/store/bolt"
)

func registryEntry(version uint64) partners.Entry {
	return partners.Entry{Kind: partners.KindPartner, ID: "TW", Version: version, At: clock(), By: "operator", Why: "new key", Text: "id: TW\n"}
}

func TestEntryIsAuditedWithItsChange(t *testing.T) {
	s := open(t, t.TempDir(), bolt.Options{MaxBytes: 1}) // full for messages
	removed := registryEntry(2)
	removed.Text, removed.Removed = "", true
	for _, e := range []partners.Entry{registryEntry(1), removed} {
		if err := s.PutEntry(t.Context(), e); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.PutEntry(t.Context(), registryEntry(2)); !errors.Is(err, partners.ErrStale) {
		t.Errorf("%v, want ErrStale", err)
	}
	records, err := s.Audit(t.Context(), 0, 0)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, r := range records {
		got = append(got, strings.Join([]string{r.Actor, r.Event, r.Subject, r.Detail}, "|"))
	}
	want := "operator|partner.changed|TW|version 1: new key\noperator|partner.removed|TW|version 2: new key"
	if text := strings.Join(got, "\n"); text != want {
		t.Errorf("audit log\n%s\nwant\n%s", text, want)
	}
	check(t, s)
}

func TestCheckFindsDamagedEntries(t *testing.T) {
	for name, change := range map[string]func(b *bbolt.Bucket) error{
		"a version is missing": func(b *bbolt.Bucket) error {
			c := b.Cursor()
			key, _ := c.First()
			return b.Delete(key)
		},
		"a changed bit": func(b *bbolt.Bucket) error {
			key, sealed := b.Cursor().Last()
			other := append([]byte(nil), sealed...)
			other[len(other)-3] ^= 1
			return b.Put(key, other)
		},
		"under another key": func(b *bbolt.Bucket) error {
			key, sealed := b.Cursor().Last()
			other := append([]byte(nil), key...)
			other[len(other)-1]++
			return b.Put(other, sealed)
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			s := open(t, dir, bolt.Options{})
			for version := range uint64(2) {
				if err := s.PutEntry(t.Context(), registryEntry(version+1)); err != nil {
					t.Fatal(err)
				}
			}
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			edit(t, dir, func(tx *bbolt.Tx) error { return change(tx.Bucket([]byte("registry"))) })
			s = open(t, dir, bolt.Options{})
			if err := s.Check(t.Context()); !errors.Is(err, exchange.ErrDamaged) {
				t.Errorf("Check: %v, want ErrDamaged", err)
			}
		})
	}
}
