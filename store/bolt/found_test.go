package bolt_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"testing"

	"go.etcd.io/bbolt"

	"github.com/ecogate/ecogate/clearance"
	"github.com/ecogate/ecogate/eco"
	"github.com/ecogate/ecogate/exchange"
	"github.com/ecogate/ecogate/store/bolt"
)

// imported is an arrival of a certificate with an invoice, which ten others have too.
func imported(n int) exchange.Arrival {
	a := arrival(fmt.Sprintf("m%d@th", n))
	a.Certificate = &exchange.Certificate{
		Key: exchange.CertificateKey{Country: "TH", Form: "AK", Reference: fmt.Sprintf("T%d", n)}, Content: "c", State: exchange.CertificateAvailable, Recorded: start,
		Data: eco.Certificate{
			Consignee: eco.Party{Name: "Acme"}, IssuedAt: eco.DateOf(start), Invoices: []eco.Invoice{{Number: fmt.Sprintf("I-%d", n/10)}},
		},
	}
	return a
}

// TestIndexOfAnOlderStoreIsMade opens a store of version 4 or 5, which has no index of what is searched, one of which a part was indexed before that was interrupted,
// and one that an older program has written in since it was indexed.
func TestIndexOfAnOlderStoreIsMade(t *testing.T) {
	const certificates = 5_100 // more than one transaction of the upgrade takes
	dir := t.TempDir()
	s := open(t, dir, bolt.Options{})
	var batch []exchange.Arrival
	for n := range certificates {
		batch = append(batch, imported(n))
	}
	if _, err := s.Accept(t.Context(), batch); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	for name, of := range map[string]struct {
		schema string
		mark   []byte
	}{
		"from nothing": {"4", nil}, "with dockets": {"5", nil}, "from a part": {"6", binary.BigEndian.AppendUint64(nil, 5_000)}, "written in since": {"5", []byte("whole")},
	} {
		edit(t, dir, func(tx *bbolt.Tx) error {
			meta := tx.Bucket([]byte("meta"))
			errs := []error{meta.Put([]byte("schema"), []byte(of.schema)), meta.Delete([]byte("found"))}
			switch {
			case of.mark == nil:
				errs = append(errs, tx.DeleteBucket([]byte("found")))
			case of.schema == "5":
				index := tx.Bucket([]byte("found"))
				var keys [][]byte
				c := index.Cursor()
				for key, _ := c.First(); key != nil && len(keys) < 1000; key, _ = c.Next() {
					keys = append(keys, bytes.Clone(key))
				}
				for _, key := range keys {
					errs = append(errs, index.Delete(key))
				}
				fallthrough
			default:
				errs = append(errs, meta.Put([]byte("found"), of.mark))
			}
			return errors.Join(errs...)
		})
		s := open(t, dir, bolt.Options{})
		check(t, s)
		for query, want := range map[string]int{"I 7": 10, "i509": 10} {
			found, err := s.Imported(t.Context(), clearance.ImportedQuery{Invoice: query})
			if err != nil || len(found) != want {
				t.Errorf("%s: invoice %s: %d certificates, %v, want %d", name, query, len(found), err, want)
			}
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	edit(t, dir, func(tx *bbolt.Tx) error {
		meta := tx.Bucket([]byte("meta"))
		if schema, found := meta.Get([]byte("schema")), meta.Get([]byte("found")); string(schema) != "6" || string(found) != "whole" {
			t.Errorf("schema %q, index %q", schema, found)
		}
		return nil
	})
}

// TestManyDaysAreWalkedByNumber asks for a range of more days than is put in order, and for one of fewer.
func TestManyDaysAreWalkedByNumber(t *testing.T) {
	s := open(t, t.TempDir(), bolt.Options{})
	bolt.SetManyDays(s, 20)
	var batch []exchange.Arrival
	for n := range 50 {
		a := imported(n)
		a.Certificate.Data.IssuedAt = eco.DateOf(start).AddDays(-n)
		a.Certificate.Recorded = start.AddDate(0, 0, -n)
		batch = append(batch, a)
	}
	if _, err := s.Accept(t.Context(), batch); err != nil {
		t.Fatal(err)
	}
	for _, days := range []int{5, 19, 20, 40} {
		from, until := eco.DateOf(start).AddDays(-days), eco.DateOf(start)
		for name, q := range map[string]clearance.ImportedQuery{
			"issued":   {IssuedFrom: from, IssuedUntil: until},
			"received": {ReceivedFrom: start.AddDate(0, 0, -days), ReceivedUntil: start.Add(1)},
		} {
			found, err := s.Imported(t.Context(), q)
			if err != nil || len(found) != days+1 || found[0].Key.Reference != fmt.Sprintf("T%d", days) || found[days].Key.Reference != "T0" {
				t.Errorf("%s in %d days: %d certificates, %v", name, days, len(found), err)
			}
		}
	}
}
