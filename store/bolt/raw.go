package bolt

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"sync"
	"sync/atomic"
	"time"

	"go.etcd.io/bbolt"

	"github.com/ecogate/ecogate/exchange"
)

// A raw file is a sequence of frames without gaps. A frame is a header of 48 bytes and the content:
//
//	magic    8 bytes "ecoraw1\n"
//	length   8 bytes, big-endian: of the content
//	digest  32 bytes: SHA-256 of the content
//
// RawRef.Offset is where the content begins. The state keeps for each month the committed end, and the place of each digest.
const (
	frameMagic  = "ecoraw1\n"
	frameHeader = len(frameMagic) + 8 + sha256.Size
)

var (
	monthPattern   = regexp.MustCompile(`^[0-9]{4}-(0[1-9]|1[0-2])$`)
	rawFilePattern = regexp.MustCompile(`^raw-([0-9]{4}-(?:0[1-9]|1[0-2]))\.log$`)
)

// blob is content made ready to be kept: a frame in memory that the store owns, or a file of its own.
type blob struct {
	frame  []byte // nil if the content has a file of its own
	digest [sha256.Size]byte
	size   int64 // 0 for no content
	// missing is why the file of its own was not written: there was no room.
	missing error
}

// newBlob reads c into a frame.
func newBlob(c exchange.Content) (blob, error) {
	b := blob{size: c.Size(), frame: make([]byte, int64(frameHeader)+c.Size())}
	content := b.frame[frameHeader:]
	if n, err := c.ReadAt(content, 0); n < len(content) {
		return blob{}, fmt.Errorf("reading %d bytes to store: %w", len(content), err)
	}
	b.digest = sha256.Sum256(content)
	header := binary.BigEndian.AppendUint64(append(b.frame[:0], frameMagic...), uint64(b.size))
	copy(b.frame[len(header):], b.digest[:])
	return b, nil
}

// tail is what a transaction appends to one raw file: frames from offset start.
type tail struct {
	start, end int64
	frames     [][]byte
}

// keep makes b part of the transaction, to lie in the month of at, and returns where it lies. Bytes that the month has are not
// stored again.
func (t *transaction) keep(b blob, at time.Time) (exchange.RawRef, error) {
	if b.size == 0 {
		return exchange.RawRef{}, nil
	}
	month, err := monthOf(at)
	if err != nil {
		return exchange.RawRef{}, err
	}
	ref := exchange.RawRef{Digest: hex.EncodeToString(b.digest[:]), Size: b.size, Month: month}
	key := rawKey(month, b.digest[:])
	if place := t.tx.Bucket([]byte(bucketRaw)).Get(key); len(place) == 16 {
		ref.Offset = int64(binary.BigEndian.Uint64(place))
		return ref, nil
	}
	large := t.tx.Bucket([]byte(bucketLarge))
	switch {
	case large.Get(key) != nil:
		return ref, nil
	case b.missing != nil:
		return ref, b.missing
	case b.frame == nil:
		return ref, large.Put(key, rawSize(b.size))
	}
	return t.appendFrame(b, ref)
}

// appendFrame gives b its place at the end of the month's file.
func (t *transaction) appendFrame(b blob, ref exchange.RawRef) (exchange.RawRef, error) {
	t.spend(len(b.frame))
	end := t.pending[ref.Month]
	if end == nil {
		start := monthEnd(t.tx, ref.Month)
		end = &tail{start: start, end: start}
		t.pending[ref.Month] = end
	}
	ref.Offset = end.end + int64(frameHeader)
	end.frames = append(end.frames, b.frame)
	end.end += int64(len(b.frame))
	if err := t.setMonthEnd(ref.Month, end.end); err != nil {
		return ref, err
	}
	return ref, t.tx.Bucket([]byte(bucketRaw)).Put(rawKey(ref.Month, b.digest[:]), rawPlace(ref))
}

// monthOf names the month in which what was created at an instant is kept.
func monthOf(at time.Time) (string, error) {
	month := at.UTC().Format("2006-01")
	if !monthPattern.MatchString(month) {
		return "", fmt.Errorf("instant %s is outside the years 0 to 9999", at)
	}
	return month, nil
}

func rawKey(month string, digest []byte) []byte { return append([]byte(month), digest...) }

func rawPlace(ref exchange.RawRef) []byte {
	return binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(nil, uint64(ref.Offset)), uint64(ref.Size))
}

// monthEnd is the committed length of a month's raw file.
func monthEnd(tx *bbolt.Tx, month string) int64 {
	if v := tx.Bucket([]byte(bucketMonths)).Get([]byte(month)); len(v) == 8 {
		return int64(binary.BigEndian.Uint64(v))
	}
	return 0
}

func (t *transaction) setMonthEnd(month string, end int64) error {
	return t.tx.Bucket([]byte(bucketMonths)).Put([]byte(month), binary.BigEndian.AppendUint64(nil, uint64(end)))
}

// rawFiles are the raw files of a directory.
type rawFiles struct {
	dir  string
	sync func(*os.File) error // syncData, but for tests
	// logs is the length of all month's files, large that of all files of their own, written or reserved.
	logs, large atomic.Int64

	mu      sync.Mutex // guards what follows
	open    map[string]*os.File
	folders map[string]bool   // months whose folder is durable
	held    map[largeFile]int // how many calls under way brought a file of its own
	closed  bool
}

func newRawFiles(dir string) *rawFiles {
	return &rawFiles{dir: dir, sync: syncData, open: make(map[string]*os.File), folders: make(map[string]bool), held: make(map[largeFile]int)}
}

func (r *rawFiles) path(month string) string { return filepath.Join(r.dir, "raw-"+month+".log") }

// file returns the month's file. flag is 0 or os.O_CREATE.
func (r *rawFiles) file(month string, flag int) (*os.File, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return nil, ErrClosed
	}
	if f := r.open[month]; f != nil {
		return f, nil
	}
	f, err := os.OpenFile(r.path(month), os.O_RDWR|flag, 0o600)
	if err != nil {
		return nil, err
	}
	r.open[month] = f
	return f, nil
}

// append writes and syncs the tails.
func (r *rawFiles) append(pending map[string]*tail) error {
	for month, t := range pending {
		if err := r.write(month, t); err != nil {
			return fmt.Errorf("appending %d bytes to %s at offset %d: %w", t.end-t.start, r.path(month), t.start, err)
		}
		r.logs.Add(t.end - t.start)
	}
	return nil
}

func (r *rawFiles) write(month string, t *tail) error {
	flag := 0
	if t.start == 0 {
		flag = os.O_CREATE
	}
	f, err := r.file(month, flag)
	if err != nil {
		return err
	}
	at := t.start
	for _, frame := range t.frames {
		if _, err := f.WriteAt(frame, at); err != nil {
			return err
		}
		at += int64(len(frame))
	}
	if err := r.sync(f); err != nil {
		return err
	}
	if t.start == 0 {
		return syncDir(r.dir)
	}
	return nil
}

// cut takes tails that were not committed off their files again. If that fails too they do no harm: the next append
// overwrites them and Open cuts them.
func (r *rawFiles) cut(pending map[string]*tail) error {
	var errs []error
	for month, t := range pending {
		f, err := r.file(month, 0)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err == nil {
			err = f.Truncate(t.start)
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("cutting %s back to %d bytes: %w", r.path(month), t.start, err))
		}
	}
	return errors.Join(append(errs, r.count())...)
}

// count adds up the lengths of the months' files.
func (r *rawFiles) count() error {
	months, err := r.months()
	var sum int64
	for _, size := range months {
		sum += size
	}
	r.logs.Store(sum)
	return err
}

// months are the months' files that there are, with their sizes.
func (r *rawFiles) months() (map[string]int64, error) {
	entries, err := os.ReadDir(r.dir)
	if err != nil {
		return nil, err
	}
	months := make(map[string]int64)
	for _, e := range entries {
		name := rawFilePattern.FindStringSubmatch(e.Name())
		if name == nil {
			continue
		}
		info, err := e.Info()
		if err != nil {
			return nil, err
		}
		months[name[1]] = info.Size()
	}
	return months, nil
}

// read returns the content at ref after comparing it with its digest.
func (r *rawFiles) read(ctx context.Context, ref exchange.RawRef) (exchange.Content, error) {
	if !monthPattern.MatchString(ref.Month) {
		return nil, fmt.Errorf("raw bytes of month %q: %w", ref.Month, exchange.ErrNotFound)
	}
	if ref.Offset == 0 {
		return r.readLarge(ctx, ref)
	}
	f, err := r.file(ref.Month, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s: %w", r.path(ref.Month), exchange.ErrNotFound)
	}
	if err != nil {
		return nil, err
	}
	content, digest, err := readFrame(f, ref.Offset-int64(frameHeader), ref.Size)
	if err != nil {
		return nil, err
	}
	if hex.EncodeToString(digest) != ref.Digest {
		return nil, fmt.Errorf("%s, offset %d: %w: other content than %s", f.Name(), ref.Offset, exchange.ErrDamaged, ref.Digest)
	}
	return bytes.NewReader(content), nil
}

// readFrame reads the frame at offset, whose content must have size bytes; size < 0 takes the length from its header.
func readFrame(f *os.File, offset, size int64) (content, digest []byte, err error) {
	damaged := func(what string) error {
		return fmt.Errorf("%s, offset %d: %w: %s", f.Name(), offset, exchange.ErrDamaged, what)
	}
	info, err := f.Stat()
	if err != nil {
		return nil, nil, err
	}
	room := info.Size() - offset - int64(frameHeader)
	if offset < 0 || room < 0 {
		return nil, nil, damaged("the frame lies outside the file")
	}
	header := make([]byte, frameHeader)
	if _, err := f.ReadAt(header, offset); err != nil {
		return nil, nil, fmt.Errorf("%s, offset %d: %w", f.Name(), offset, err)
	}
	length := binary.BigEndian.Uint64(header[len(frameMagic):])
	digest = header[frameHeader-sha256.Size:]
	switch {
	case string(header[:len(frameMagic)]) != frameMagic:
		return nil, nil, damaged("no frame begins here")
	case size >= 0 && length != uint64(size):
		return nil, nil, damaged(fmt.Sprintf("frame of %d bytes, expected %d", length, size))
	case length > uint64(room):
		return nil, nil, damaged(fmt.Sprintf("frame of %d bytes, the file has %d", length, room))
	}
	content = make([]byte, length)
	if _, err := f.ReadAt(content, offset+int64(frameHeader)); err != nil {
		return nil, nil, fmt.Errorf("%s, offset %d: %w", f.Name(), offset, err)
	}
	if sum := sha256.Sum256(content); !bytes.Equal(sum[:], digest) {
		return nil, nil, damaged("content does not match its SHA-256")
	}
	return content, digest, nil
}

func (r *rawFiles) close() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.closed = true
	var errs []error
	for _, f := range r.open {
		errs = append(errs, f.Close())
	}
	r.open = nil
	return errors.Join(errs...)
}

// recover compares each raw file with its committed end. A shorter file has lost durable bytes. In a longer one a crash left
// frames that no record points at: the whole ones stay and are found by their digest again, the rest is a torn write and
// is cut. Then it looks after the files of their own. Those of past months may be gone, by retention.
func (r *rawFiles) recover(t *transaction, now time.Time) error {
	sizes, err := r.months()
	if err != nil {
		return err
	}
	if err := r.checkNewest(t.tx); err != nil {
		return err
	}
	for month, size := range sizes {
		end := monthEnd(t.tx, month)
		if size < end {
			return fmt.Errorf("%s: %w: it ends at offset %d, %d bytes were committed", r.path(month), exchange.ErrDamaged, size, end)
		}
		if size > end {
			if err := r.recoverTail(t, month, end, now); err != nil {
				return err
			}
		}
	}
	if err := r.count(); err != nil {
		return err
	}
	return r.recoverLarge(t, now)
}

// checkNewest verifies that what holds the newest month's bytes is there: retention removes past months only.
func (r *rawFiles) checkNewest(tx *bbolt.Tx) error {
	frames, _ := tx.Bucket([]byte(bucketMonths)).Cursor().Last()
	large, _ := tx.Bucket([]byte(bucketLarge)).Cursor().Last()
	newest := max(string(frames), monthIn(large))
	for _, held := range []struct {
		month, path string
	}{{string(frames), r.path(newest)}, {monthIn(large), r.folder(newest)}} {
		if newest == "" || held.month != newest {
			continue
		}
		if _, err := os.Stat(held.path); errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("%s: %w: it is gone", held.path, exchange.ErrDamaged)
		}
	}
	return nil
}

func (r *rawFiles) recoverTail(t *transaction, month string, end int64, now time.Time) error {
	f, err := r.file(month, 0)
	if err != nil {
		return err
	}
	info, err := f.Stat()
	if err != nil {
		return err
	}
	digests := t.tx.Bucket([]byte(bucketRaw))
	for end < info.Size() {
		content, digest, err := readFrame(f, end, -1)
		if errors.Is(err, exchange.ErrDamaged) {
			break
		}
		if err != nil {
			return err
		}
		ref := exchange.RawRef{Offset: end + int64(frameHeader), Size: int64(len(content))}
		if err := digests.Put(rawKey(month, digest), rawPlace(ref)); err != nil {
			return err
		}
		end += int64(frameHeader + len(content))
	}
	if torn := info.Size() - end; torn > 0 {
		if err := f.Truncate(end); err != nil {
			return err
		}
		if err := t.audit([]exchange.AuditEntry{{
			At: now, Actor: "node", Event: "store.tail-cut", Subject: filepath.Base(f.Name()),
			Detail: fmt.Sprintf("%d bytes of a write that was never committed, from offset %d", torn, end),
		}}); err != nil {
			return err
		}
	}
	// The crashed process may not have synced the frames that stay.
	if err := r.sync(f); err != nil {
		return err
	}
	return t.setMonthEnd(month, end)
}

// syncDir makes the names of new files in dir durable.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
