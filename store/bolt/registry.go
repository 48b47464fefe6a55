package bolt

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"go.etcd.io/bbolt"

	"github.com/ecogate/ecogate/exchange"
	"github.com/ecogate/ecogate/partners"
)

var _ partners.Store = (*Store)(nil)

// registryPrefix is what the keys of all versions of an entry begin with; the version's number follows.
func registryPrefix(kind partners.Kind, id string) []byte {
	return append(part(string(kind)), part(id)...)
}

// PutEntry implements partners.Store. MaxBytes does not stop it, since withdrawing trust must always be possible.
func (s *Store) PutEntry(ctx context.Context, e partners.Entry) error {
	if e.Kind == "" || e.ID == "" {
		return errors.New("storing an entry of the registry: it needs a kind and an id")
	}
	e.At = e.At.UTC()
	err := s.submit(ctx, func(t *transaction) error {
		prefix := registryPrefix(e.Kind, e.ID)
		newest, err := newestVersion(t.tx, prefix)
		if err != nil {
			return err
		}
		if e.Version != newest+1 {
			return fmt.Errorf("%w: version %d cannot follow version %d", partners.ErrStale, e.Version, newest)
		}
		if err := t.putKeyed(bucketRegistry, append(prefix, number(e.Version)...), &e); err != nil {
			return err
		}
		return t.audit([]exchange.AuditEntry{{At: e.At, Actor: e.By, Event: e.Event(), Subject: e.ID, Detail: e.Detail()}})
	})
	if err != nil {
		return fmt.Errorf("storing %s %q of the registry: %w", e.Kind, e.ID, err)
	}
	return nil
}

// newestVersion is the number of the newest version under prefix; 0 if there is none.
func newestVersion(tx *bbolt.Tx, prefix []byte) (version uint64, err error) {
	err = descend(tx, bucketRegistry, prefix, 0, func(seq uint64) (bool, error) {
		version = seq
		return false, nil
	})
	return version, err
}

// Entries implements partners.Store.
func (s *Store) Entries(ctx context.Context) ([]partners.Entry, error) {
	var entries []partners.Entry
	err := s.registry(ctx, nil, func(e partners.Entry) {
		if last := len(entries) - 1; last >= 0 && entries[last].Kind == e.Kind && entries[last].ID == e.ID {
			entries[last] = e // versions of one entry lie side by side, oldest first
			return
		}
		entries = append(entries, e)
	})
	if err != nil {
		return nil, fmt.Errorf("reading the registry: %w", err)
	}
	partners.SortEntries(entries)
	return entries, nil
}

// EntryVersions implements partners.Store.
func (s *Store) EntryVersions(ctx context.Context, kind partners.Kind, id string) ([]partners.Entry, error) {
	var entries []partners.Entry
	err := s.registry(ctx, registryPrefix(kind, id), func(e partners.Entry) { entries = append(entries, e) })
	if err != nil {
		return nil, fmt.Errorf("reading %s %q of the registry: %w", kind, id, err)
	}
	return entries, nil
}

// registry visits the entries whose keys begin with prefix.
func (s *Store) registry(ctx context.Context, prefix []byte, visit func(partners.Entry)) error {
	return s.view(func(tx *bbolt.Tx) error {
		c := tx.Bucket([]byte(bucketRegistry)).Cursor()
		for key, _ := c.Seek(prefix); key != nil && bytes.HasPrefix(key, prefix); key, _ = c.Next() {
			if err := ctx.Err(); err != nil {
				return err
			}
			var e partners.Entry
			if _, err := loadKeyed(tx, bucketRegistry, key, &e); err != nil {
				return err
			}
			visit(e)
		}
		return nil
	})
}

// registry verifies that every entry of the registry lies under its own key and that its versions have no gaps.
func (c *check) registry() error {
	var before partners.Entry
	return c.tx.Bucket([]byte(bucketRegistry)).ForEach(func(key, _ []byte) error {
		var e partners.Entry
		if _, err := loadKeyed(c.tx, bucketRegistry, key, &e); err != nil {
			return c.fail(err)
		}
		expected := uint64(1)
		if e.Kind == before.Kind && e.ID == before.ID {
			expected = before.Version + 1
		}
		before = e
		if own := append(registryPrefix(e.Kind, e.ID), number(e.Version)...); !bytes.Equal(own, key) {
			return c.problem("version %d of %s %q lies under the key %x in %s", e.Version, e.Kind, e.ID, key, bucketRegistry)
		}
		if e.Version != expected {
			return c.problem("%s %q has version %d where version %d was expected", e.Kind, e.ID, e.Version, expected)
		}
		return nil
	})
}
