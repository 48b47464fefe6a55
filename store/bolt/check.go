package bolt

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"os"

	"go.etcd.io/bbolt"

	"github.com/ecogate/ecogate/exchange"
)

// maxProblems is how many problems Check names before it stops.
const maxProblems = 20

// Check verifies everything that the store holds as of now: the pages of state.db; that every record reads and matches its
// checksum and that numbers have no gaps; that each index, the due queue among them, holds exactly the entries that the records
// ask for; that records point at each other and at raw bytes that are there; that what waits for its turn has a place and could not go on; every
// byte of the raw files and of the files of their own; and the audit chain. It
// reads all files once. Commits wait while the pages are walked (about 1 s per 4 GB that are cached).
//
// It returns nil, or exchange.ErrDamaged with the first 20 problems.
func (s *Store) Check(ctx context.Context) error {
	c := &check{ctx: ctx, raw: s.raw, indexed: make(map[string]int)}
	err := s.checkPages(c)
	if err == nil {
		err = s.view(func(tx *bbolt.Tx) error {
			c.tx = tx
			for _, step := range []func() error{c.messages, c.certificates, c.dockets, c.indexes, c.waiting, c.lines, c.pauses, c.registry, c.proposals, c.rawFiles, c.largeFiles, c.auditChain} {
				if err := step(); err != nil {
					return err
				}
			}
			return nil
		})
	}
	if err != nil && !errors.Is(err, errEnough) {
		c.problems = append(c.problems, err)
	}
	if len(c.problems) == 0 {
		return nil
	}
	return fmt.Errorf("checking store: %w", errors.Join(c.problems...))
}

// checkPages lets bbolt walk its pages and free list, with the committer stopped: bbolt's walk must not meet a writer.
func (s *Store) checkPages(c *check) error {
	s.writing.Lock()
	defer s.writing.Unlock()
	return s.view(func(tx *bbolt.Tx) error {
		var first error
		for err := range tx.Check() { // to the end: its goroutine waits to be read
			if first == nil {
				first = fmt.Errorf("%s: %w: %w", s.path, exchange.ErrDamaged, err)
			}
		}
		return first
	})
}

var errEnough = errors.New("more problems")

// check is one run of Check.
type check struct {
	ctx      context.Context
	tx       *bbolt.Tx
	raw      *rawFiles
	problems []error
	// indexed counts the entries that the records ask for, by bucket.
	indexed map[string]int
	waits   int // messages that wait for those before them
}

// problem notes a problem; it returns errEnough when there are too many to go on.
func (c *check) problem(format string, args ...any) error {
	return c.fail(fmt.Errorf(c.tx.DB().Path()+": %w: "+format, append([]any{exchange.ErrDamaged}, args...)...))
}

func (c *check) fail(err error) error {
	if err == nil {
		return nil
	}
	c.problems = append(c.problems, err)
	if len(c.problems) >= maxProblems {
		return errEnough
	}
	return nil
}

// records visits every record of a bucket in order and verifies that their numbers run from 1 without gaps.
func (c *check) records(bucket string, visit func(seq uint64, sealed []byte) error) error {
	b := c.tx.Bucket([]byte(bucket))
	expected := uint64(1)
	err := b.ForEach(func(key, sealed []byte) error {
		if err := c.ctx.Err(); err != nil {
			return err
		}
		seq := lastNumber(key)
		if len(key) != 8 || seq != expected {
			if err := c.problem("key %x in %s where record %d was expected", key, bucket, expected); err != nil {
				return err
			}
		}
		expected = seq + 1
		return visit(seq, sealed)
	})
	if err == nil && expected != b.Sequence()+1 {
		err = c.problem("%s ends at record %d, %d were numbered", bucket, expected-1, b.Sequence())
	}
	return err
}

func (c *check) messages() error {
	return c.records(bucketMessages, func(seq uint64, sealed []byte) error {
		var m exchange.Message
		if err := decode(c.tx, bucketMessages, seq, sealed, &m); err != nil {
			return c.fail(err)
		}
		if m.Seq != seq {
			return c.problem("message record %d bears number %d", seq, m.Seq)
		}
		if m.Reply != 0 && c.tx.Bucket([]byte(bucketMessages)).Get(number(m.Reply)) == nil {
			if err := c.problem("message %d names reply %d, which is missing", seq, m.Reply); err != nil {
				return err
			}
		}
		if err := c.entries(messageEntries(&m)); err != nil {
			return err
		}
		if m.State == exchange.StateReceived {
			if err := c.place(&m); err != nil {
				return err
			}
		}
		return c.reference(fmt.Sprintf("message %d", seq), m.Raw)
	})
}

func (c *check) certificates() error {
	return c.records(bucketCertificates, func(seq uint64, sealed []byte) error {
		var r exchange.Certificate
		if err := decode(c.tx, bucketCertificates, seq, sealed, &r); err != nil {
			return c.fail(err)
		}
		if r.Seq != seq {
			return c.problem("certificate record %d bears number %d", seq, r.Seq)
		}
		key := outboundKey(r.Message)
		if r.Direction == exchange.Inbound {
			key = acceptedKey(r.Partner, r.Message)
		}
		if unique(c.tx, key) == 0 {
			if err := c.problem("certificate %d names message %q, which is missing", seq, r.Message); err != nil {
				return err
			}
		}
		if err := c.entries(append(certificateEntries(&r), dataEntries(&r)...)); err != nil {
			return err
		}
		return c.reference(fmt.Sprintf("certificate %d", seq), r.Document)
	})
}

// place verifies that a message which waits has its place, and that others before it are missing.
func (c *check) place(m *exchange.Message) error {
	c.waits++
	if m.Order == nil {
		return c.problem("message %d waits and has no order", m.Seq)
	}
	key := conversationKey(exchange.Inbound, m.Partner, m.ConversationID)
	var own conversation
	if _, err := loadKeyed(c.tx, bucketConversations, key, &own); err != nil {
		return c.fail(err)
	}
	waiting := c.tx.Bucket([]byte(bucketWaiting))
	w, found := waitOf(c.tx, m.Seq)
	if !found || lastNumber(waiting.Get(placeKey(key, w.began, m.Order.Sequence))) != m.Seq {
		return c.problem("message %d waits and has no place in its conversation", m.Seq)
	}
	if w.began == own.Began && m.Order.Sequence <= own.Next {
		return c.problem("message %d waits with sequence number %d, %d comes next", m.Seq, m.Order.Sequence, own.Next)
	}
	if w.certificate != 0 && c.tx.Bucket([]byte(bucketCertificates)).Get(number(w.certificate)) == nil {
		return c.problem("message %d waits with certificate %d, which is missing", m.Seq, w.certificate)
	}
	return nil
}

// waiting verifies that nothing has a place but the messages that wait.
func (c *check) waiting() error {
	n := 0
	err := c.tx.Bucket([]byte(bucketWaiting)).ForEach(func(_, _ []byte) error { n++; return nil })
	if err == nil && n != 2*c.waits {
		err = c.problem("index %s holds %d entries for %d messages that wait, expected %d", bucketWaiting, n, c.waits, 2*c.waits)
	}
	return err
}

// lines verifies that all conversations read, and that lines name some of them.
func (c *check) lines() error {
	err := c.tx.Bucket([]byte(bucketConversations)).ForEach(func(key, _ []byte) error {
		_, err := loadKeyed(c.tx, bucketConversations, key, &conversation{})
		return c.fail(err)
	})
	if err != nil {
		return err
	}
	return c.tx.Bucket([]byte(bucketLines)).ForEach(func(key, _ []byte) error {
		var l line
		if _, err := loadKeyed(c.tx, bucketLines, key, &l); err != nil {
			return c.fail(err)
		}
		partner, _, err := cutPart(key)
		if err != nil {
			return c.fail(err)
		}
		own := append(append([]byte{exchange.Outbound[0]}, partner...), part(l.Conversation)...)
		if c.tx.Bucket([]byte(bucketConversations)).Get(own) == nil {
			return c.problem("line %x names conversation %q, which is missing", key, l.Conversation)
		}
		return nil
	})
}

func (c *check) pauses() error {
	return c.tx.Bucket([]byte(bucketPauses)).ForEach(func(key, _ []byte) error {
		_, err := loadKeyed(c.tx, bucketPauses, key, &exchange.Pause{})
		return c.fail(err)
	})
}

// entries verifies that the indexes hold what a record asks for.
func (c *check) entries(entries []entry) error {
	for _, e := range entries {
		c.indexed[e.bucket]++
		key, value := c.tx.Bucket([]byte(e.bucket)).Cursor().Seek(e.key)
		if bytes.Equal(key, e.key) && bytes.Equal(value, e.value) {
			continue
		}
		if err := c.problem("index %s lacks entry %x -> %x", e.bucket, e.key, e.value); err != nil {
			return err
		}
	}
	return nil
}

// indexes verifies that the indexes hold nothing else: each entry that was asked for is there, so the counts must agree.
func (c *check) indexes() error {
	for _, name := range derivedBuckets {
		n := 0
		err := c.tx.Bucket([]byte(name)).ForEach(func(_, _ []byte) error { n++; return nil })
		if err == nil && n != c.indexed[name] {
			err = c.problem("index %s holds %d entries, the records ask for %d", name, n, c.indexed[name])
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// reference verifies that a record's raw bytes are where the digest index has them. The bytes themselves are read by rawFiles.
func (c *check) reference(who string, ref exchange.RawRef) error {
	if ref == (exchange.RawRef{}) {
		return nil
	}
	digest, err := hex.DecodeString(ref.Digest)
	if err == nil && bytes.Equal(c.tx.Bucket([]byte(bucketRaw)).Get(rawKey(ref.Month, digest)), rawPlace(ref)) {
		return nil
	}
	if err == nil && ref.Offset == 0 && bytes.Equal(c.tx.Bucket([]byte(bucketLarge)).Get(rawKey(ref.Month, digest)), rawSize(ref.Size)) {
		return nil
	}
	return c.problem("%s points at raw bytes %s of %s at %d, which are not there", who, ref.Digest, ref.Month, ref.Offset)
}

// rawFiles reads the raw files to their committed ends and compares them with the digest index. Files that retention removed are
// passed over.
func (c *check) rawFiles() error {
	return c.tx.Bucket([]byte(bucketMonths)).ForEach(func(month, end []byte) error {
		f, err := os.Open(c.raw.path(string(month)))
		if errors.Is(err, os.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		defer f.Close()
		return c.rawFile(f, string(month), int64(binary.BigEndian.Uint64(end)))
	})
}

func (c *check) rawFile(f *os.File, month string, end int64) error {
	found := make(map[int64]bool)
	for offset := int64(0); offset < end; {
		if err := c.ctx.Err(); err != nil {
			return err
		}
		content, digest, err := readFrame(f, offset, -1)
		if err != nil {
			return c.fail(err) // where the next frame begins is not known
		}
		place := c.tx.Bucket([]byte(bucketRaw)).Get(rawKey(month, digest))
		offset += int64(frameHeader)
		if want := rawPlace(exchange.RawRef{Offset: offset, Size: int64(len(content))}); !bytes.Equal(place, want) {
			if err := c.problem("the index has no entry for %x at offset %d of %s", digest, offset, f.Name()); err != nil {
				return err
			}
		}
		found[offset] = true
		offset += int64(len(content))
	}
	cursor := c.tx.Bucket([]byte(bucketRaw)).Cursor()
	for key, place := cursor.Seek([]byte(month)); bytes.HasPrefix(key, []byte(month)); key, place = cursor.Next() {
		if len(place) == 16 && found[int64(binary.BigEndian.Uint64(place))] {
			continue
		}
		if err := c.problem("%s lacks the bytes %x", f.Name(), key[len(month):]); err != nil {
			return err
		}
	}
	return nil
}

// largeFiles reads the files of their own that commits point at. Folders that retention removed are passed over, and so are files
// that no record points at.
func (c *check) largeFiles() error {
	return c.tx.Bucket([]byte(bucketLarge)).ForEach(func(key, size []byte) error {
		if err := c.ctx.Err(); err != nil {
			return err
		}
		month := monthIn(key)
		if len(key) != len(month)+sha256.Size || len(size) != 8 {
			return c.problem("key %x -> %x in %s", key, size, bucketLarge)
		}
		ref := exchange.RawRef{Month: month, Digest: hex.EncodeToString(key[len(month):]), Size: int64(binary.BigEndian.Uint64(size))}
		_, err := c.raw.read(c.ctx, ref)
		switch {
		case errors.Is(err, exchange.ErrNotFound):
			return nil
		case errors.Is(err, exchange.ErrDamaged):
			return c.fail(err)
		}
		return err
	})
}

func (c *check) auditChain() error {
	return walkAudit(c.ctx, c.tx, 0, func(AuditRecord) bool { return true })
}
