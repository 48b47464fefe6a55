// Package bolt is exchange.Store, exchange.Keeper, clearance.Store and partners.Store on local files, for one process: records in one go.etcd.io/bbolt file, and the
// bytes of messages in one append-only file per month, or in files of their own if they are many. It knows how records, indexes,
// the delivery queue and the audit log lie on disk and when they are durable. What a message means, when it is tried again and
// who may ask is left to exchange.
//
// # Files
//
//	state.db          records, indexes, due queue, unique keys, audit chain (bbolt; see index.go for the buckets)
//	raw-2026-11.log   bytes on the wire and signed documents of that month (UTC, by Message.Created), see raw.go
//	raw-2026-11/      those above Options.LargeBytes, each in a file named by its SHA-256, see large.go
//
// Equal bytes are stored once per month. Nothing that a record points at is ever changed or removed; retention removes the
// file and the folder of past months, after which Raw returns exchange.ErrNotFound for them. Files are made with mode 0600,
// directories 0700.
//
// # Guarantees
//
// Content above LargeBytes is written to its file and synced in the caller's goroutine. Then one goroutine commits. It takes
// all calls that wait, applies each whole or not at all, appends and syncs their raw bytes, then commits one bbolt
// transaction (two syncs), then answers. There is no timer: a lone caller waits for its own three syncs, many callers share
// them. What a loss of process or power leaves:
//
//	in a file of its own        nothing; what has a temporary name is removed when the store is opened
//	after it, before the commit nothing of the call; the whole file is kept, no record points at it
//	before the raw sync         nothing of the batch; a torn tail of the raw file is cut when the store is opened
//	after it, before the commit nothing of the batch; whole frames at the end of the raw file are kept, no record points at them
//	after the commit            all of the batch, answered or not
//
// Lost: nothing that was answered with nil. Twice: a caller that got no answer may ask again; unique keys make it one record.
// Reordered: Seq rises in commit order; of concurrent calls either may be first. A message that was leased when the process
// ended is due at once after Open: no other process can hold the lock on state.db, so no lease outlives its process.
//
// This rests on fdatasync being honest. Network file systems and ext4 with fast_commit are not.
//
// Read bolt.go (open, close), commit.go (the committer), raw.go and large.go (content), index.go (what is found how), record.go, then
// enqueue.go, accept.go, change.go and queue.go for the four writing methods, order.go for messages that have an order, query.go for the
// reading methods, keeper.go for those of exchange.Keeper, clearance.go, found.go and docket.go for those of clearance.Store, registry.go for those of partners.Store, audit.go, and check.go.
package bolt

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strconv"
	"sync"
	"syscall"
	"time"

	"go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"

	"github.com/ecogate/ecogate/exchange"
)

// Errors of this package beside those of exchange.
var (
	// ErrLocked: another process has the store open.
	ErrLocked = errors.New("store is in use by another process")
	// ErrClosed: the method was called after Close; nothing was written.
	ErrClosed = errors.New("store is closed")
	// ErrSchema: the files were written by a newer version of this program.
	ErrSchema = errors.New("store has a newer format")
)

// Options adjust a store. Now is required.
type Options struct {
	// Now is the clock. The store asks it only at Open, for when messages with voided leases are due.
	Now func() time.Time
	// LockTimeout is how long Open waits for another process to close the store; 0 means 1 s.
	LockTimeout time.Duration
	// MaxBytes bounds the bytes in all files together: raw bytes, records, indexes and the audit log; 0 means the disk does.
	// When a new message would exceed it, Enqueue and Accept give exchange.ErrFull, whether or not its raw bytes are
	// known, while Claim, Settle, Record, duplicates and reading go on and may exceed it by the little that they write. So may
	// one commit, by what bbolt adds to records. The length of state.db runs up to 16 MiB ahead of what is counted, as a hole.
	MaxBytes int64
	// LargeBytes is the size above which content gets a file of its own and is never in memory as a whole; 0 means 1 MiB.
	LargeBytes int64
	// Point is called, if not nil, between the durable steps: "store.large-synced" when content is durable in a file of its own,
	// in the caller's goroutine; "store.raw-synced" when the raw bytes of a commit are durable and no record points at
	// them yet; "store.committed" when all is durable and no caller has its answer yet. Calls may come together.
	Point func(name string)
}

// Store is an exchange.Store, an exchange.Keeper, a clearance.Store and a partners.Store. It is safe for concurrent use. Make it with Open; call Close.
type Store struct {
	path       string // of state.db
	db         *bbolt.DB
	raw        *rawFiles
	maxBytes   int64
	largeBytes int64
	manyDays   int // see the constant
	point      func(string)

	// entry guards closed and sending on requests: senders hold it shared, Close alone.
	entry    sync.RWMutex
	closed   bool
	requests chan *request
	stopped  chan struct{} // closed when the committer has answered its last request

	// writing is held during each commit; Check takes it to see the files at rest.
	writing sync.Mutex
	// broken is why no further commit is tried: bbolt panicked in one, so that its memory may disagree with its file.
	// It belongs to whoever holds writing.
	broken error
}

var _ exchange.Store = (*Store)(nil)

const (
	stateFile = "state.db"
	// schemaVersion 2 has content in files of their own, and messages that wait: a program that knows only version 1 would take the
	// former for damaged and the latter for accepted. Version 3 has certificates with dealings, which an older program would drop.
	// What such a one wrote is a store of version 3 in which there are none. Version 4 knows of each message that waits which certificate
	// it brought, and has the index of signers, which Open adds to what an older program wrote; and it has the partners' registry, and
	// certificates that do not count: an older program would trust what the registry does not trust any more, and count them. Version 5 has
	// dockets, and lives that keep to them: an older program would give away what declarations have reserved. Version 6 has the index of imported
	// certificates, which Open adds to what an older program wrote: what such a one wrote later would not be found.
	schemaVersion = 6
	defaultLarge  = 1 << 20
)

// Open opens the store in dir, or makes one there. It brings the files into order after a crash: it cuts a torn tail off the
// raw files and removes files that were not written to their end, with entries in the audit log, and voids the leases of the process before.
//
// Errors: ErrLocked if another process has it open, ErrSchema if a newer version wrote it, exchange.ErrDamaged with the
// file's name and, for raw files, the offset, if something is missing that was once durable.
func Open(dir string, o Options) (*Store, error) {
	if o.Now == nil {
		return nil, fmt.Errorf("opening store %s: Options.Now is required", dir)
	}
	if err := makeDir(dir); err != nil {
		return nil, fmt.Errorf("opening store: %w", err)
	}
	path := filepath.Join(dir, stateFile)
	db, err := openState(path, o.LockTimeout)
	if err != nil {
		return nil, fmt.Errorf("opening store: %w", err)
	}
	s := &Store{
		path: path, db: db, raw: newRawFiles(dir), maxBytes: o.MaxBytes, largeBytes: o.LargeBytes, manyDays: manyDays, point: o.Point,
		requests: make(chan *request, maxBatch), stopped: make(chan struct{}),
	}
	if s.largeBytes == 0 {
		s.largeBytes = defaultLarge
	}
	if s.point == nil {
		s.point = func(string) {}
	}
	if err := s.recover(o.Now().UTC()); err != nil {
		return nil, errors.Join(fmt.Errorf("opening store: %w", err), s.raw.close(), db.Close())
	}
	if err := s.indexFound(); err != nil {
		return nil, errors.Join(fmt.Errorf("opening store: %w", err), s.raw.close(), db.Close())
	}
	go s.run()
	return s, nil
}

// makeDir makes dir and makes its name durable, unless it is there.
func makeDir(dir string) error {
	if info, err := os.Stat(dir); err == nil && info.IsDir() {
		return nil
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	return syncDir(filepath.Dir(dir))
}

// openState opens the bbolt file. bbolt reports damaged pages by panicking, and a file that was cut short by a memory
// fault; both become errors here.
func openState(path string, wait time.Duration) (db *bbolt.DB, err error) {
	if wait == 0 {
		wait = time.Second
	}
	var file *os.File
	open := func(name string, flag int, mode os.FileMode) (*os.File, error) {
		f, err := os.OpenFile(name, flag, mode)
		file = f
		return f, err
	}
	defer func() {
		if err != nil && db == nil && file != nil {
			release(file) // after a panic bbolt leaves it open, and with it the lock
		}
	}()
	defer guard(path, &err)()
	// The free list stays synced: without it, opening a big file after a crash takes minutes.
	db, err = bbolt.Open(path, 0o600, &bbolt.Options{Timeout: wait, FreelistType: bbolt.FreelistArrayType, OpenFile: open})
	var number syscall.Errno
	switch {
	case err == nil:
		return db, nil
	case errors.Is(err, berrors.ErrTimeout):
		return nil, fmt.Errorf("%s: %w (waited %s)", path, ErrLocked, wait)
	case errors.As(err, &number):
		return nil, fmt.Errorf("%s: %w", path, full(err))
	}
	// What the operating system does not object to is bbolt's objection to the content.
	return nil, fmt.Errorf("%s: %w: %w", path, exchange.ErrDamaged, err)
}

// recover makes the buckets of a new store, compares the raw files with the state, and voids leases; one transaction.
func (s *Store) recover(now time.Time) (err error) {
	defer guard(s.path, &err)()
	if err := s.checkSize(); err != nil {
		return err
	}
	t, err := s.begin()
	if err != nil {
		return err
	}
	defer t.rollback()
	if err := t.prepareBuckets(); err != nil {
		return fmt.Errorf("%s: %w", s.path, err)
	}
	if err := s.raw.recover(t, now); err != nil {
		return err
	}
	if err := t.voidLeases(now); err != nil {
		return fmt.Errorf("%s: voiding leases: %w", s.path, err)
	}
	if err := t.tx.Commit(); err != nil {
		return fmt.Errorf("%s: %w", s.path, full(err))
	}
	return syncDir(filepath.Dir(s.path))
}

// checkSize compares the length of state.db with what its own header says, because reading past the end of a mapped
// file kills the process.
func (s *Store) checkSize() error {
	info, err := os.Stat(s.path)
	if err != nil {
		return err
	}
	return s.db.View(func(tx *bbolt.Tx) error {
		if info.Size() < tx.Size() {
			return fmt.Errorf("%s: %w: it ends at offset %d, its header counts %d bytes", s.path, exchange.ErrDamaged, info.Size(), tx.Size())
		}
		return nil
	})
}

// prepareBuckets makes what a new store needs, or one of an older version lacks, and refuses one of a newer version.
func (t *transaction) prepareBuckets() error {
	for _, name := range allBuckets {
		if _, err := t.tx.CreateBucketIfNotExists([]byte(name)); err != nil {
			return fmt.Errorf("bucket %s: %w", name, err)
		}
	}
	meta := t.tx.Bucket([]byte(bucketMeta))
	stored := meta.Get([]byte("schema"))
	version, err := strconv.Atoi(string(stored))
	switch {
	case stored == nil, err == nil && 1 <= version && version < schemaVersion:
		if version < 4 {
			if err := t.nameWaiting(); err != nil {
				return err
			}
			if err := t.indexSigners(); err != nil {
				return err
			}
		}
		if err := t.forgetFound(); err != nil {
			return err
		}
		return meta.Put([]byte("schema"), []byte(strconv.Itoa(schemaVersion)))
	case err != nil || version < 1:
		return fmt.Errorf("%w: schema version %q", exchange.ErrDamaged, stored)
	case version > schemaVersion:
		return fmt.Errorf("%w: schema version %d, this program knows up to %d", ErrSchema, version, schemaVersion)
	}
	return nil
}

// indexSigners makes the entries of bucketSigners of a store that has none. It puts them in the order of their keys, because in one
// transaction bbolt inserts elsewhere in time that grows with what it has inserted: about 90 octets of memory for each, and some 20 s for a
// million records.
func (t *transaction) indexSigners() error {
	var all [][]byte // keys, each with its instant behind it
	collect := func(entries []entry) {
		for _, e := range entries {
			if e.bucket == bucketSigners {
				all = append(all, slices.Concat(e.key, e.value))
			}
		}
	}
	err := t.tx.Bucket([]byte(bucketMessages)).ForEach(func(key, sealed []byte) error {
		var m exchange.Message
		err := decode(t.tx, bucketMessages, lastNumber(key), sealed, &m)
		collect(messageEntries(&m))
		return err
	})
	if err != nil {
		return err
	}
	err = t.tx.Bucket([]byte(bucketCertificates)).ForEach(func(key, sealed []byte) error {
		var c exchange.Certificate
		err := decode(t.tx, bucketCertificates, lastNumber(key), sealed, &c)
		collect(certificateEntries(&c))
		return err
	})
	if err != nil {
		return err
	}
	slices.SortFunc(all, bytes.Compare)
	bucket := t.tx.Bucket([]byte(bucketSigners))
	for _, e := range all {
		end := len(e) - instantSize
		if err := bucket.Put(e[:end], e[end:]); err != nil {
			return fmt.Errorf("index %s: %w", bucketSigners, err)
		}
	}
	return nil
}

// Close answers what waits, then closes the files. Calls that come later get ErrClosed. It may be called again.
func (s *Store) Close() error {
	s.entry.Lock()
	if s.closed {
		s.entry.Unlock()
		return nil
	}
	s.closed = true
	close(s.requests)
	s.entry.Unlock()
	<-s.stopped
	if err := errors.Join(s.raw.close(), s.db.Close()); err != nil {
		return fmt.Errorf("closing store %s: %w", filepath.Dir(s.path), err)
	}
	return nil
}

// guard turns the panics with which bbolt meets damaged pages, and faults in its mapped memory, into an error that names
// the file. Use: defer guard(path, &err)().
func guard(path string, err *error) func() {
	before := debug.SetPanicOnFault(true)
	return func() {
		debug.SetPanicOnFault(before)
		if r := recover(); r != nil {
			*err = fmt.Errorf("%s: %w: %v", path, exchange.ErrDamaged, r)
		}
	}
}

// view runs read in a read transaction.
func (s *Store) view(read func(tx *bbolt.Tx) error) (err error) {
	defer guard(s.path, &err)()
	err = s.db.View(read)
	if errors.Is(err, berrors.ErrDatabaseNotOpen) {
		return ErrClosed
	}
	return err
}
