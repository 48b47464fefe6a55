package bolt

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"go.etcd.io/bbolt"

	"github.com/ecogate/ecogate/exchange"
)

// Content above Options.LargeBytes lies in a file of its own: raw-2026-11/ and the SHA-256 of the content in hex, which is
// the whole format. The caller's goroutine writes it under a temporary name, syncs and renames it, and syncs the folder, all
// before the committer hears of it; the digests that a commit points at are in the bucket "large". Content that comes
// again is written and renamed over the same bytes, which mends them if they were damaged.
//
// A file that the call did not need, because it failed or its message was a copy, is removed when the call is answered.
// What a crash leaves: a temporary name is removed when the store is opened. A whole file that no record points at stays:
// nothing tells it from one whose record was lost with an older state.db, and the sender's next attempt takes it up again.
const (
	temporaryPrefix = "new-"
	copyBuffer      = 128 << 10
)

var (
	folderPattern = regexp.MustCompile(`^raw-([0-9]{4}-(?:0[1-9]|1[0-2]))$`)
	digestPattern = regexp.MustCompile(`^[0-9a-f]{64}$`)
)

// largeFile names a file of its own.
type largeFile struct {
	month  string
	digest [sha256.Size]byte
}

func (r *rawFiles) folder(month string) string { return filepath.Join(r.dir, "raw-"+month) }

func (r *rawFiles) largePath(month, digest string) string {
	return filepath.Join(r.folder(month), digest)
}

// intake makes the content of one call ready in the caller's goroutine, and carries the call to the committer.
type intake struct {
	store *Store
	bytes int         // in frames, which the committer writes
	held  []largeFile // that the call wrote and no commit may point at yet
	copy  bool        // what comes is a copy of a message that is there: the transaction will not keep its content
}

// errCopy is never seen: what was accepted once stays so.
var errCopy = errors.New("the content of a copy was to be kept")

// blob makes c ready to be kept in the month of at; nil is no content.
func (in *intake) blob(ctx context.Context, c exchange.Content, at time.Time) (blob, error) {
	switch {
	case c == nil || c.Size() == 0:
		return blob{}, nil
	case c.Size() <= in.store.largeBytes:
	case in.copy:
		return blob{size: c.Size(), missing: errCopy}, nil
	default:
		return in.large(ctx, c, at)
	}
	b, err := newBlob(c)
	in.bytes += len(b.frame)
	return b, err
}

// large writes c to a file of its own. If there is no room it only takes the digest: a copy of a message needs no room, and only
// the transaction knows whether the message is one.
func (in *intake) large(ctx context.Context, c exchange.Content, at time.Time) (blob, error) {
	month, err := monthOf(at)
	if err != nil {
		return blob{}, err
	}
	b := blob{size: c.Size()}
	if b.missing = in.store.reserve(b.size); b.missing == nil {
		b.digest, err = in.write(ctx, c, month)
		if !errors.Is(err, exchange.ErrFull) {
			return b, err
		}
		b.missing = err
	}
	b.digest, err = copyDigest(ctx, io.Discard, c, c.Size())
	return b, err
}

// reserve counts size more bytes in files of their own, or says why there is no room.
func (s *Store) reserve(size int64) error {
	total := s.raw.large.Add(size)
	if s.maxBytes == 0 {
		return nil
	}
	var state int64
	err := s.view(func(tx *bbolt.Tx) error { state = tx.Size(); return nil })
	over := state + s.raw.logs.Load() + total - s.maxBytes
	if err == nil && over > 0 {
		err = fmt.Errorf("%w: %d bytes more than the configured limit", exchange.ErrFull, over)
	}
	if err != nil {
		s.raw.large.Add(-size)
	}
	return err
}

// write writes c, whose size was reserved, and makes it durable under its digest.
func (in *intake) write(ctx context.Context, c exchange.Content, month string) (digest [sha256.Size]byte, err error) {
	r := in.store.raw
	digest, name, err := r.writeTemporary(ctx, c, month)
	if err == nil {
		err = r.adopt(name, largeFile{month, digest}, c.Size())
	}
	if err != nil {
		if name != "" {
			err = errors.Join(err, os.Remove(name))
		}
		r.large.Add(-c.Size())
		return digest, fmt.Errorf("writing %d bytes to %s: %w", c.Size(), r.folder(month), full(err))
	}
	in.held = append(in.held, largeFile{month, digest})
	// Another call may have renamed a file to this name and not synced the folder yet.
	if err := syncDir(r.folder(month)); err != nil {
		return digest, full(err)
	}
	in.store.point("store.large-synced")
	return digest, nil
}

// writeTemporary writes c and syncs it. name is empty if no file was made.
func (r *rawFiles) writeTemporary(ctx context.Context, c exchange.Content, month string) (digest [sha256.Size]byte, name string, err error) {
	if err := r.makeFolder(month); err != nil {
		return digest, "", err
	}
	f, err := os.CreateTemp(r.folder(month), temporaryPrefix+"*")
	if err != nil {
		return digest, "", err
	}
	digest, err = copyDigest(ctx, f, c, c.Size())
	if err == nil {
		err = r.sync(f)
	}
	return digest, f.Name(), errors.Join(err, f.Close())
}

// makeFolder makes a month's folder and makes its name durable. One that is there may be left by a process that died
// before it could.
func (r *rawFiles) makeFolder(month string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return ErrClosed
	}
	if r.folders[month] {
		return nil
	}
	if err := os.Mkdir(r.folder(month), 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	if err := syncDir(r.dir); err != nil {
		return err
	}
	r.folders[month] = true
	return nil
}

// adopt gives a synced temporary file its name, and holds it.
func (r *rawFiles) adopt(name string, file largeFile, size int64) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	path := r.largePath(file.month, hex.EncodeToString(file.digest[:]))
	before, err := os.Stat(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := os.Rename(name, path); err != nil {
		return err
	}
	if before != nil {
		r.large.Add(-before.Size())
	}
	r.held[file]++
	return nil
}

// submit hands apply to the committer and waits until its effects are durable. If ctx ends first, the outcome is unknown:
// the call may still be committed. Arguments that apply reads must therefore belong to the store.
func (in *intake) submit(ctx context.Context, apply func(t *transaction) error) error {
	r := &request{apply: apply, bytes: in.bytes, done: make(chan error, 1)}
	if err := in.store.enter(ctx, r); err != nil {
		in.letGo()
		return err
	}
	select {
	case err := <-r.done:
		in.letGo()
		return err
	case <-ctx.Done():
		if len(in.held) > 0 {
			go func() { <-r.done; in.letGo() }() // the committer answers every request
		}
		return fmt.Errorf("outcome unknown, it may yet be committed: %w", ctx.Err())
	}
}

// letGo removes the files that the call wrote and that nothing points at. It leaves them if it cannot know.
func (in *intake) letGo() {
	if len(in.held) == 0 {
		return
	}
	s := in.store
	s.entry.RLock() // Close waits: behind it another process may write files of the same names
	defer s.entry.RUnlock()
	s.raw.mu.Lock()
	defer s.raw.mu.Unlock()
	for _, file := range in.held {
		s.raw.held[file]--
		if s.raw.held[file] > 0 {
			continue
		}
		delete(s.raw.held, file)
		if needed, err := s.pointsAt(file); err == nil && !needed && !s.closed {
			s.raw.removeLarge(file)
		}
	}
	in.held = nil
}

// pointsAt reports whether a commit points at a file of its own.
func (s *Store) pointsAt(file largeFile) (there bool, err error) {
	err = s.view(func(tx *bbolt.Tx) error {
		there = tx.Bucket([]byte(bucketLarge)).Get(rawKey(file.month, file.digest[:])) != nil
		return nil
	})
	return there, err
}

// removeLarge removes a file that nothing points at. If that fails the file does no harm. r.mu is held.
func (r *rawFiles) removeLarge(file largeFile) {
	path := r.largePath(file.month, hex.EncodeToString(file.digest[:]))
	info, err := os.Stat(path)
	if err == nil && os.Remove(path) == nil {
		r.large.Add(-info.Size())
	}
}

// copyDigest copies size bytes of r to w and returns their SHA-256, in constant memory.
func copyDigest(ctx context.Context, w io.Writer, r io.ReaderAt, size int64) (digest [sha256.Size]byte, err error) {
	hash := sha256.New()
	buffer := make([]byte, min(copyBuffer, size))
	for at := int64(0); at < size; {
		if err := ctx.Err(); err != nil {
			return digest, err
		}
		piece := buffer[:min(int64(len(buffer)), size-at)]
		if n, err := r.ReadAt(piece, at); n < len(piece) {
			return digest, fmt.Errorf("reading %d bytes at offset %d: %w", len(piece), at, err)
		}
		hash.Write(piece)
		if _, err := w.Write(piece); err != nil {
			return digest, err
		}
		at += int64(len(piece))
	}
	hash.Sum(digest[:0])
	return digest, nil
}

// fileContent is content in a file of its own. It holds no descriptor, so that nobody has to close it.
type fileContent struct {
	path string
	size int64
}

// Size implements exchange.Content.
func (c *fileContent) Size() int64 { return c.size }

// ReadAt implements io.ReaderAt.
func (c *fileContent) ReadAt(p []byte, at int64) (int, error) {
	f, err := os.Open(c.path)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	return f.ReadAt(p, at)
}

// readLarge returns the content of a file of its own after comparing it with its digest.
func (r *rawFiles) readLarge(ctx context.Context, ref exchange.RawRef) (exchange.Content, error) {
	if !digestPattern.MatchString(ref.Digest) {
		return nil, fmt.Errorf("raw bytes with digest %q: %w", ref.Digest, exchange.ErrNotFound)
	}
	path := r.largePath(ref.Month, ref.Digest)
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		if _, err := os.Stat(r.folder(ref.Month)); errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("%s: %w", path, exchange.ErrNotFound)
		}
		return nil, fmt.Errorf("%s: %w: the file is gone", path, exchange.ErrDamaged)
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if err := verifyLarge(ctx, f, ref); err != nil {
		return nil, err
	}
	return &fileContent{path, ref.Size}, nil
}

func verifyLarge(ctx context.Context, f *os.File, ref exchange.RawRef) error {
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if info.Size() != ref.Size {
		return fmt.Errorf("%s: %w: it has %d bytes, expected %d", f.Name(), exchange.ErrDamaged, info.Size(), ref.Size)
	}
	digest, err := copyDigest(ctx, io.Discard, f, ref.Size)
	if err != nil {
		return fmt.Errorf("%s: %w", f.Name(), err)
	}
	if hex.EncodeToString(digest[:]) != ref.Digest {
		return fmt.Errorf("%s: %w: content does not match its SHA-256", f.Name(), exchange.ErrDamaged)
	}
	return nil
}

// recoverLarge removes temporary files and counts the others.
func (r *rawFiles) recoverLarge(t *transaction, now time.Time) error {
	entries, err := os.ReadDir(r.dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		name := folderPattern.FindStringSubmatch(e.Name())
		if name == nil || !e.IsDir() {
			continue
		}
		if err := r.recoverFolder(t, name[1], now); err != nil {
			return err
		}
	}
	return nil
}

func (r *rawFiles) recoverFolder(t *transaction, month string, now time.Time) error {
	entries, err := os.ReadDir(r.folder(month))
	if err != nil {
		return err
	}
	for _, e := range entries {
		info, err := e.Info()
		if err != nil {
			return err
		}
		switch {
		case digestPattern.MatchString(e.Name()):
			r.large.Add(info.Size())
		case strings.HasPrefix(e.Name(), temporaryPrefix):
			if err := os.Remove(filepath.Join(r.folder(month), e.Name())); err != nil {
				return err
			}
			if err := t.audit([]exchange.AuditEntry{{
				At: now, Actor: "node", Event: "store.remnant-removed", Subject: filepath.Join("raw-"+month, e.Name()),
				Detail: fmt.Sprintf("%d bytes of a write that was never committed", info.Size()),
			}}); err != nil {
				return err
			}
		}
	}
	return nil
}

func rawSize(size int64) []byte { return binary.BigEndian.AppendUint64(nil, uint64(size)) }

// monthIn is the month at the beginning of a key of the buckets raw and large.
func monthIn(key []byte) string { return string(key[:min(len("2006-01"), len(key))]) }
