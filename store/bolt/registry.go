package bolt

import (
	"bytes"
	"context"
	"encoding/json"
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
	err := s.submit(ctx, func(t *transaction) error { return t.putEntry(e) })
	if err != nil {
		return fmt.Errorf("storing %s %q of the registry: %w", e.Kind, e.ID, err)
	}
	return nil
}

func (t *transaction) putEntry(e partners.Entry) error {
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
}

// newestVersion is the number of the newest version under prefix; 0 if there is none.
func newestVersion(tx *bbolt.Tx, prefix []byte) (version uint64, err error) {
	err = descend(tx, bucketRegistry, prefix, 0, func(seq uint64) (bool, error) {
		version = seq
		return false, nil
	})
	return version, err
}

// Entries implements partners.Store. Its work grows with the entries, not with their versions.
func (s *Store) Entries(ctx context.Context) ([]partners.Entry, error) {
	var entries []partners.Entry
	err := s.view(func(tx *bbolt.Tx) error {
		c := tx.Bucket([]byte(bucketRegistry)).Cursor()
		for key, _ := c.First(); key != nil; {
			if err := ctx.Err(); err != nil {
				return err
			}
			prefix := bytes.Clone(key[:max(len(key)-8, 0)])
			newest, err := newestVersion(tx, prefix)
			if err != nil {
				return err
			}
			last := append(prefix, number(newest)...)
			var e partners.Entry
			if _, err := loadKeyed(tx, bucketRegistry, last, &e); err != nil {
				return err
			}
			entries = append(entries, e)
			c.Seek(last)
			key, _ = c.Next()
		}
		return nil
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
	prefix := registryPrefix(kind, id)
	err := s.view(func(tx *bbolt.Tx) error {
		c := tx.Bucket([]byte(bucketRegistry)).Cursor()
		for key, _ := c.Seek(prefix); key != nil && bytes.HasPrefix(key, prefix); key, _ = c.Next() {
			if err := ctx.Err(); err != nil {
				return err
			}
			var e partners.Entry
			if _, err := loadKeyed(tx, bucketRegistry, key, &e); err != nil {
				return err
			}
			e.Text = ""
			entries = append(entries, e)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("reading %s %q of the registry: %w", kind, id, err)
	}
	return entries, nil
}

// EntryVersion implements partners.Store.
func (s *Store) EntryVersion(ctx context.Context, kind partners.Kind, id string, version uint64) (e partners.Entry, err error) {
	if err := ctx.Err(); err != nil {
		return e, err
	}
	err = s.view(func(tx *bbolt.Tx) error {
		found, err := loadKeyed(tx, bucketRegistry, append(registryPrefix(kind, id), number(version)...), &e)
		if err == nil && !found {
			err = partners.ErrUnknownEntry
		}
		return err
	})
	if err != nil {
		return partners.Entry{}, fmt.Errorf("reading version %d of %s %q of the registry: %w", version, kind, id, err)
	}
	return e, nil
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

// Propose implements partners.Store. MaxBytes does not stop it.
func (s *Store) Propose(ctx context.Context, e partners.Entry) (partners.Proposal, error) {
	var p partners.Proposal
	err := s.submit(ctx, func(t *transaction) error {
		number, err := t.next(bucketProposals)
		if err != nil {
			return err
		}
		own := partners.Proposal{Number: number, State: partners.ProposalOpen, Entry: e}
		own.Entry.At = e.At.UTC()
		if err := t.putProposal(own); err != nil {
			return err
		}
		p = own
		return t.audit([]exchange.AuditEntry{{At: own.Entry.At, Actor: e.By, Event: own.Event(), Subject: own.Subject(), Detail: own.Detail()}})
	})
	if err != nil {
		return partners.Proposal{}, fmt.Errorf("storing a proposal for %s %q: %w", e.Kind, e.ID, err)
	}
	return p, nil
}

func (t *transaction) putProposal(p partners.Proposal) error {
	record, err := json.Marshal(&p)
	if err != nil {
		return err
	}
	return t.put(bucketProposals, p.Number, record)
}

// Proposals implements partners.Store.
func (s *Store) Proposals(ctx context.Context) ([]partners.Proposal, error) {
	var list []partners.Proposal
	err := s.view(func(tx *bbolt.Tx) error {
		last := tx.Bucket([]byte(bucketProposals)).Sequence()
		for number := uint64(1); number <= last; number++ {
			if err := ctx.Err(); err != nil {
				return err
			}
			var p partners.Proposal
			if err := load(tx, bucketProposals, number, &p); err != nil {
				return err
			}
			list = append(list, p)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("reading proposals: %w", err)
	}
	return list, nil
}

// Decide implements partners.Store. MaxBytes does not stop it.
func (s *Store) Decide(ctx context.Context, p partners.Proposal) error {
	p.DecidedAt, p.Entry.At = p.DecidedAt.UTC(), p.Entry.At.UTC()
	err := s.submit(ctx, func(t *transaction) error {
		if t.tx.Bucket([]byte(bucketProposals)).Get(number(p.Number)) == nil {
			return partners.ErrUnknownProposal
		}
		var before partners.Proposal
		if err := load(t.tx, bucketProposals, p.Number, &before); err != nil {
			return err
		}
		if before.State != partners.ProposalOpen || p.State == partners.ProposalOpen {
			return partners.ErrDecided
		}
		if err := t.putProposal(p); err != nil {
			return err
		}
		err := t.audit([]exchange.AuditEntry{{At: p.DecidedAt, Actor: p.DecidedBy, Event: p.Event(), Subject: p.Subject(), Detail: p.Detail()}})
		if err != nil || p.State != partners.ProposalConfirmed {
			return err
		}
		return t.putEntry(p.Entry)
	})
	if err != nil {
		return fmt.Errorf("deciding about proposal %d: %w", p.Number, err)
	}
	return nil
}

// proposals verifies that every proposal reads and that their numbers have no gaps.
func (c *check) proposals() error {
	return c.records(bucketProposals, func(seq uint64, sealed []byte) error {
		var p partners.Proposal
		if err := decode(c.tx, bucketProposals, seq, sealed, &p); err != nil {
			return c.fail(err)
		}
		if p.Number != seq {
			return c.problem("proposal %d bears number %d", seq, p.Number)
		}
		return nil
	})
}
