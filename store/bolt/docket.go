package bolt

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"go.etcd.io/bbolt"

	"github.com/ecogate/ecogate/clearance"
)

// What bucketFiled finds dockets by; the byte that follows the kind in a key. Each key ends with the docket's number, and its value is
// the docket's ID.
const (
	byNumber = 'n'
	byTerm   = 't' // + term
	byDue    = 'd' // + instant
)

func docketKey(kind clearance.Kind, id string) []byte { return append(part(string(kind)), part(id)...) }

func filedKey(kind clearance.Kind, by byte, rest ...[]byte) []byte {
	return append(append(part(string(kind)), by), bytes.Join(rest, nil)...)
}

// docketEntries are the index entries of a docket.
func docketEntries(d *clearance.Docket) []entry {
	id, filed := []byte(d.ID), number(d.Filed)
	entries := []entry{{bucketFiled, filedKey(d.Kind, byNumber, filed), id}}
	for _, term := range d.Terms {
		entries = append(entries, entry{bucketFiled, filedKey(d.Kind, byTerm, part(term), filed), id})
	}
	if !d.Due.IsZero() {
		entries = append(entries, entry{bucketFiled, filedKey(d.Kind, byDue, instant(d.Due), filed), id})
	}
	return entries
}

// Dockets implements clearance.Store. All queries are found by index.
func (s *Store) Dockets(ctx context.Context, q clearance.DocketQuery) ([]clearance.Docket, error) {
	var found []clearance.Docket
	limit := limitOf(q.Limit)
	take := func(tx *bbolt.Tx, id string) (bool, error) {
		if err := ctx.Err(); err != nil {
			return false, err
		}
		d, there, err := loadDocket(tx, q.Kind, id)
		if err == nil && there && matchesDocket(q, &d) {
			found = append(found, d)
		}
		return len(found) < limit, err
	}
	err := s.view(func(tx *bbolt.Tx) error {
		switch {
		case q.ID != "":
			_, err := take(tx, q.ID)
			return err
		case !q.DueBy.IsZero():
			end := append(instant(q.DueBy), number(^uint64(0))...)
			return ascend(tx, filedKey(q.Kind, byDue), nil, end, func(id string) (bool, error) { return take(tx, id) })
		case q.Term != "":
			return ascend(tx, filedKey(q.Kind, byTerm, part(q.Term)), number(q.After+1), nil, func(id string) (bool, error) { return take(tx, id) })
		}
		return ascend(tx, filedKey(q.Kind, byNumber), number(q.After+1), nil, func(id string) (bool, error) { return take(tx, id) })
	})
	if err != nil {
		return nil, fmt.Errorf("finding dockets of kind %s: %w", q.Kind, err)
	}
	return found, nil
}

// ascend visits the values of bucketFiled whose keys are prefix and something from first to end, in order, until visit returns false.
func ascend(tx *bbolt.Tx, prefix, first, end []byte, visit func(id string) (bool, error)) error {
	c := tx.Bucket([]byte(bucketFiled)).Cursor()
	for key, id := c.Seek(slices.Concat(prefix, first)); key != nil && bytes.HasPrefix(key, prefix); key, id = c.Next() {
		if end != nil && bytes.Compare(key[len(prefix):], end) > 0 {
			return nil
		}
		if more, err := visit(string(id)); err != nil || !more {
			return err
		}
	}
	return nil
}

// matchesDocket repeats what the index says, since long terms and ids are kept as digests there.
func matchesDocket(q clearance.DocketQuery, d *clearance.Docket) bool {
	return (q.ID == "" || q.ID == d.ID) &&
		(q.Term == "" || slices.Contains(d.Terms, q.Term)) &&
		(q.DueBy.IsZero() || !d.Due.IsZero() && !d.Due.After(q.DueBy)) &&
		(!q.DueBy.IsZero() || d.Filed > q.After)
}

func loadDocket(tx *bbolt.Tx, kind clearance.Kind, id string) (d clearance.Docket, there bool, err error) {
	there, err = loadKeyed(tx, bucketDockets, docketKey(kind, id), &d)
	return d, there, err
}

// File implements clearance.Store. A batch that brings a docket does not fit into a store that is full (Options.MaxBytes): the error is
// exchange.ErrFull. Everything else goes on.
func (s *Store) File(ctx context.Context, b clearance.Batch) error {
	own, err := cloneBatch(b)
	if err != nil {
		return fmt.Errorf("filing: %w", err)
	}
	var changed error
	err = s.submit(ctx, func(t *transaction) error {
		if changed = t.fitsBatch(own); changed != nil {
			if errors.Is(changed, clearance.ErrChanged) {
				return nil // and nothing was written: the calls beside this one need not be made again
			}
			return changed
		}
		return t.file(own)
	})
	if err == nil {
		err = changed
	}
	if err != nil {
		return fmt.Errorf("filing: %w", err)
	}
	return nil
}

// cloneBatch copies a batch into memory that the store owns, and finds what no store could take.
func cloneBatch(b clearance.Batch) (own clearance.Batch, err error) {
	data, err := json.Marshal(b)
	if err != nil {
		return own, err
	}
	if err := json.Unmarshal(data, &own); err != nil {
		return own, err
	}
	for i := range own.Dockets {
		d := &own.Dockets[i]
		d.Due = d.Due.UTC()
		slices.Sort(d.Terms)
		d.Terms = slices.Compact(d.Terms)
		switch {
		case d.Kind == "" || d.ID == "" || slices.Contains(d.Terms, ""):
			return own, fmt.Errorf("docket %q of kind %q with terms %q: none of these may be empty", d.ID, d.Kind, d.Terms)
		case len(d.Terms) > clearance.MaxTerms:
			return own, fmt.Errorf("docket %q of kind %s has %d terms: at most %d are allowed", d.ID, d.Kind, len(d.Terms), clearance.MaxTerms)
		}
	}
	return own, nil
}

// fitsBatch returns clearance.ErrChanged if the batch was not made of what is there, before anything of it is written.
func (t *transaction) fitsBatch(b clearance.Batch) error {
	moved := map[uint64]bool{}
	for _, m := range b.Moves {
		if t.tx.Bucket([]byte(bucketCertificates)).Get(number(m.Seq)) == nil {
			return fmt.Errorf("certificate %d: %w", m.Seq, clearance.ErrChanged)
		}
		var r certificateRecord
		if err := load(t.tx, bucketCertificates, m.Seq, &r); err != nil {
			return err
		}
		if moved[m.Seq] || r.Revision != m.Revision || string(r.State) != string(m.Was) {
			return fmt.Errorf("certificate %s: %w", r.Key, clearance.ErrChanged)
		}
		moved[m.Seq] = true
	}
	var names []clearance.DocketName
	for _, d := range b.Dockets {
		names = append(names, d.Name())
	}
	filed := map[string]bool{}
	for i, n := range slices.Concat(names, b.Drop) {
		key := docketKey(n.Kind, n.ID)
		d, there, err := loadDocket(t.tx, n.Kind, n.ID)
		if err != nil {
			return err
		}
		dropped := i >= len(names)
		if filed[string(key)] || d.Revision != n.Revision || dropped && !there {
			return fmt.Errorf("%s %q: %w", n.Kind, n.ID, clearance.ErrChanged)
		}
		filed[string(key)] = true
	}
	return nil
}

// file writes a batch that fits.
func (t *transaction) file(b clearance.Batch) error {
	for _, m := range b.Moves {
		if err := t.move(m); err != nil {
			return err
		}
	}
	brings := false
	for i := range b.Dockets {
		brings = brings || b.Dockets[i].Revision == 0
		if err := t.fileDocket(b.Dockets[i]); err != nil {
			return err
		}
	}
	for _, n := range b.Drop {
		if err := t.dropDocket(n); err != nil {
			return err
		}
	}
	if brings {
		if err := t.fits(); err != nil {
			return err
		}
	}
	return t.audit(entriesOf(b.Audit))
}

func (t *transaction) fileDocket(d clearance.Docket) error {
	before, there, err := loadDocket(t.tx, d.Kind, d.ID)
	if err != nil {
		return err
	}
	var had []entry
	if there {
		had, d.Filed = docketEntries(&before), before.Filed
	} else if d.Filed, err = t.next(bucketDockets); err != nil {
		return err
	}
	d.Revision++
	if err := t.putKeyed(bucketDockets, docketKey(d.Kind, d.ID), &d); err != nil {
		return err
	}
	return t.reindex(had, docketEntries(&d))
}

func (t *transaction) dropDocket(n clearance.DocketName) error {
	d, _, err := loadDocket(t.tx, n.Kind, n.ID)
	if err != nil {
		return err
	}
	if err := t.tx.Bucket([]byte(bucketDockets)).Delete(docketKey(n.Kind, n.ID)); err != nil {
		return fmt.Errorf("%s %q: %w", n.Kind, n.ID, err)
	}
	return t.reindex(docketEntries(&d), nil)
}

// dockets verifies that every docket reads, lies under its own name and is found by all that it says.
func (c *check) dockets() error {
	return c.tx.Bucket([]byte(bucketDockets)).ForEach(func(key, _ []byte) error {
		if err := c.ctx.Err(); err != nil {
			return err
		}
		var d clearance.Docket
		if _, err := loadKeyed(c.tx, bucketDockets, key, &d); err != nil {
			return c.fail(err)
		}
		if !bytes.Equal(key, docketKey(d.Kind, d.ID)) || d.Filed == 0 || d.Filed > c.tx.Bucket([]byte(bucketDockets)).Sequence() {
			if err := c.problem("docket %s %q with number %d lies under key %x", d.Kind, d.ID, d.Filed, key); err != nil {
				return err
			}
		}
		return c.entries(docketEntries(&d))
	})
}
