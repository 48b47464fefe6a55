package bolt

import (
	"context"
	"errors"
	"fmt"
	"math"
	"runtime"
	"slices"
	"strings"
	"syscall"

	"go.etcd.io/bbolt"

	"github.com/ecogate/ecogate/exchange"
)

// One commit takes at most this many calls, and this many raw bytes unless a single call brings more.
const (
	maxBatch      = 256
	maxBatchBytes = 32 << 20
)

// request is one call that waits for a commit.
type request struct {
	// apply makes the call's changes. When another call of the batch fails it runs again in a new transaction, so it
	// must have no effect outside t but on results that it sets anew.
	apply func(t *transaction) error
	bytes int // in frames
	done  chan error
}

// submit is intake.submit for a call without content.
func (s *Store) submit(ctx context.Context, apply func(t *transaction) error) error {
	return (&intake{store: s}).submit(ctx, apply)
}

func (s *Store) enter(ctx context.Context, r *request) error {
	s.entry.RLock()
	defer s.entry.RUnlock()
	if s.closed {
		return ErrClosed
	}
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("nothing was written: %w", err)
	}
	select {
	case s.requests <- r:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("nothing was written: %w", ctx.Err())
	}
}

// run is the committer: it commits what waits until Close.
func (s *Store) run() {
	defer close(s.stopped)
	var next *request // came out of the queue but did not fit into the batch before
	for {
		if next == nil {
			r, open := <-s.requests
			if !open {
				return
			}
			next = r
		}
		// On a busy machine the committer comes first to the processor after each sync, while those who would join its next
		// commit still wait for theirs. Letting them go first made batches of 16 out of batches of 2; on an idle machine
		// nobody waits, and it costs nothing.
		runtime.Gosched()
		var batch []*request
		batch, next = s.gather(next)
		s.commit(batch)
	}
}

// gather adds to first what waits now, within the limits of a batch.
func (s *Store) gather(first *request) (batch []*request, next *request) {
	batch = append(batch, first)
	bytes := first.bytes
	for len(batch) < maxBatch {
		select {
		case r, open := <-s.requests:
			if !open {
				return batch, nil
			}
			if bytes += r.bytes; bytes > maxBatchBytes {
				return batch, r
			}
			batch = append(batch, r)
		default:
			return batch, nil
		}
	}
	return batch, nil
}

// commit makes the batch durable and answers. A request that fails on its own is answered and left out, and the others are
// tried again without it: bbolt has no savepoints, and a failed request may have written a part.
func (s *Store) commit(batch []*request) {
	s.writing.Lock()
	defer s.writing.Unlock()
	for len(batch) > 0 {
		culprit, err := s.try(batch)
		if culprit < 0 {
			for _, r := range batch {
				r.done <- err
			}
			return
		}
		batch[culprit].done <- err
		batch = slices.Delete(batch, culprit, culprit+1)
	}
}

// try applies the batch in one transaction. culprit is the index of the request that failed on its own, else -1.
func (s *Store) try(batch []*request) (culprit int, err error) {
	if s.broken != nil {
		return -1, s.broken
	}
	// Declared in this order so that the transaction is rolled back before guard recovers, and its locks are free again.
	defer guard(s.path, &err)()
	t, err := s.begin()
	if err != nil {
		return -1, fmt.Errorf("%s: %w", s.path, err)
	}
	defer t.rollback()
	for i, r := range batch {
		culprit = i
		if err := r.apply(t); err != nil {
			return i, err
		}
	}
	culprit = -1
	if err := s.raw.append(t.pending); err != nil {
		return -1, errors.Join(full(err), s.raw.cut(t.pending))
	}
	s.point("store.raw-synced")
	if err := s.commitState(t); err != nil {
		return -1, err
	}
	s.point("store.committed")
	return -1, nil
}

// commitState commits the bbolt transaction. If that fails, the raw bytes that it would have pointed at are cut off again, so
// that trying again on a full disk does not fill it further. bbolt can fail after the new state became visible (the last
// sync); then it counts, and its raw bytes stay.
func (s *Store) commitState(t *transaction) error {
	s.broken = fmt.Errorf("%s: a commit ended in a panic; close the store and check it: %w", s.path, exchange.ErrDamaged)
	err := t.tx.Commit()
	s.broken = nil
	if err == nil {
		return nil
	}
	t.rollback()
	err = fmt.Errorf("commit to %s: %w", s.path, full(err))
	return errors.Join(err, s.db.View(func(tx *bbolt.Tx) error {
		for month, tail := range t.pending {
			tail.start = max(tail.start, monthEnd(tx, month))
		}
		return s.raw.cut(t.pending)
	}))
}

// full adds exchange.ErrFull to errors that say that there is no room. Of a failed growth of its file bbolt passes on the
// text of the cause only.
func full(err error) error {
	for _, cause := range []syscall.Errno{syscall.ENOSPC, syscall.EDQUOT, syscall.EFBIG} {
		if errors.Is(err, cause) || strings.Contains(err.Error(), cause.Error()) {
			return fmt.Errorf("%w: %w", exchange.ErrFull, err)
		}
	}
	return err
}

// transaction is one attempt at a batch: the bbolt transaction, and the raw bytes to append before it commits.
type transaction struct {
	tx      *bbolt.Tx
	pending map[string]*tail // by month
	// room is how many bytes may yet be added to the files by the configured limit, less than 0 if they are over it.
	room int64
	// lastAudit is the newest audit record's bytes once they were read.
	lastAudit []byte
}

func (s *Store) begin() (*transaction, error) {
	tx, err := s.db.Begin(true)
	if err != nil {
		return nil, err
	}
	t := &transaction{tx: tx, pending: make(map[string]*tail), room: math.MaxInt64}
	if s.maxBytes > 0 {
		t.room = s.maxBytes - tx.Size() - s.raw.logs.Load() - s.raw.large.Load()
	}
	return t, nil
}

// spend takes what is written off the room that is left. Within a transaction this is an estimate, without what bbolt adds; the
// next transaction begins from the size that came of it.
func (t *transaction) spend(bytes int) { t.room -= int64(bytes) }

// fits returns exchange.ErrFull if what was written exceeds the limit. Only what brings new messages asks: beyond the limit
// all that ends them goes on.
func (t *transaction) fits() error {
	if t.room >= 0 {
		return nil
	}
	return fmt.Errorf("%w: %d bytes more than the configured limit", exchange.ErrFull, -t.room)
}

// rollback ends a transaction that was not committed; else it does nothing.
func (t *transaction) rollback() { _ = t.tx.Rollback() }
