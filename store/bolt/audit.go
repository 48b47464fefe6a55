package bolt

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"go.etcd.io/bbolt"

	"github.com/ecogate/ecogate/exchange"
)

// AuditRecord is an entry of the audit log as stored. Previous is the SHA-256, in hex, of the bytes of the record before
// it, empty in the first. Whoever changes or removes a record must write all later ones anew; to notice even that, keep the
// Digest of a late record elsewhere.
type AuditRecord struct {
	Seq      uint64 `json:"seq"`
	Previous string `json:"previous"`
	exchange.AuditEntry
	// Digest is the SHA-256, in hex, of this record's bytes. It is not stored in the record.
	Digest string `json:"-"`
}

// Record appends entries to the audit log in one durable transaction, for what leaves no other trace in the store: reads, and
// requests that were refused. What the store's other methods do is audited by them, in the transaction of what it tells. MaxBytes does
// not stop Record, since an event that cannot be recorded must not happen; a full disk does, with exchange.ErrFull.
func (s *Store) Record(ctx context.Context, entries []exchange.AuditEntry) error {
	entries = slices.Clone(entries)
	err := s.submit(ctx, func(t *transaction) error { return t.audit(entries) })
	if err != nil {
		return fmt.Errorf("recording audit entries: %w", err)
	}
	return nil
}

// audit appends entries to the log.
func (t *transaction) audit(entries []exchange.AuditEntry) error {
	for _, e := range entries {
		seq, err := t.next(bucketAudit)
		if err != nil {
			return fmt.Errorf("audit: %w", err)
		}
		if t.lastAudit == nil && seq > 1 {
			last, err := auditBytes(t.tx, seq-1)
			if err != nil {
				return fmt.Errorf("audit: %w", err)
			}
			t.lastAudit = bytes.Clone(last)
		}
		record := AuditRecord{Seq: seq, AuditEntry: e}
		record.At = e.At.UTC()
		if seq > 1 {
			record.Previous = digestText(t.lastAudit)
		}
		if t.lastAudit, err = json.Marshal(&record); err != nil {
			return fmt.Errorf("audit entry %q: %w", e.Event, err)
		}
		if err := t.put(bucketAudit, seq, t.lastAudit); err != nil {
			return fmt.Errorf("audit entry %q: %w", e.Event, err)
		}
	}
	return nil
}

func digestText(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

// auditBytes are a record's stored bytes, valid during the transaction.
func auditBytes(tx *bbolt.Tx, seq uint64) ([]byte, error) {
	sealed := tx.Bucket([]byte(bucketAudit)).Get(number(seq))
	if sealed == nil {
		return nil, fmt.Errorf("%s: %w: audit record %d is missing", tx.DB().Path(), exchange.ErrDamaged, seq)
	}
	record, err := unseal(bucketAudit, seq, sealed)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", tx.DB().Path(), err)
	}
	return record, nil
}

// Audit returns records of the audit log with numbers above after, oldest first, at most limit (default 100), and verifies
// that each continues the one before it. exchange.ErrDamaged names the first that does not.
func (s *Store) Audit(ctx context.Context, after uint64, limit int) ([]AuditRecord, error) {
	if limit <= 0 {
		limit = defaultLimit
	}
	var records []AuditRecord
	err := s.view(func(tx *bbolt.Tx) error {
		return walkAudit(ctx, tx, after, func(r AuditRecord) bool {
			records = append(records, r)
			return len(records) < limit
		})
	})
	if err != nil {
		return nil, fmt.Errorf("audit log: %w", err)
	}
	return records, nil
}

// Recorded reports whether the audit log has an entry of an event about a subject that was recorded at the instant since or later. It
// reads the log from its end to the first entry that is a day older than since, which is more than clocks are set back.
func (s *Store) Recorded(ctx context.Context, event, subject string, since time.Time) (found bool, err error) {
	err = s.view(func(tx *bbolt.Tx) error {
		return descend(tx, bucketAudit, nil, 0, func(seq uint64) (bool, error) {
			if err := ctx.Err(); err != nil {
				return false, err
			}
			var r AuditRecord
			if err := load(tx, bucketAudit, seq, &r); err != nil {
				return false, err
			}
			found = r.Event == event && r.Subject == subject && !r.At.Before(since)
			return !found && !r.At.Before(since.AddDate(0, 0, -1)), nil
		})
	})
	if err != nil {
		return false, fmt.Errorf("audit log: %w", err)
	}
	return found, nil
}

// walkAudit visits the records above after until visit returns false, and verifies the chain.
func walkAudit(ctx context.Context, tx *bbolt.Tx, after uint64, visit func(AuditRecord) bool) error {
	last := tx.Bucket([]byte(bucketAudit)).Sequence()
	previous := ""
	if 0 < after && after < last {
		record, err := auditBytes(tx, after)
		if err != nil {
			return err
		}
		previous = digestText(record)
	}
	for seq := after + 1; seq <= last; seq++ {
		if err := ctx.Err(); err != nil {
			return err
		}
		stored, err := auditBytes(tx, seq)
		if err != nil {
			return err
		}
		var r AuditRecord
		if err := json.Unmarshal(stored, &r); err != nil {
			return fmt.Errorf("%s: %w: audit record %d: %w", tx.DB().Path(), exchange.ErrDamaged, seq, err)
		}
		if r.Seq != seq || r.Previous != previous {
			return fmt.Errorf("%s: %w: audit record %d does not continue the one before it", tx.DB().Path(), exchange.ErrDamaged, seq)
		}
		r.Digest = digestText(stored)
		previous = r.Digest
		if !visit(r) {
			return nil
		}
	}
	return nil
}
