package bolt

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"time"

	"go.etcd.io/bbolt"

	"github.com/ecogate/ecogate/exchange"
)

// The buckets of state.db. messages, certificates and audit hold records under their number; entries in ids, references,
// states, signers, due, leases and found follow from the records by messageEntries, certificateEntries and dataEntries, those in filed by docketEntries
// alone, which Check uses to compare the two; raw, months and large say where raw bytes lie.
const (
	bucketMeta          = "meta"          // "schema" -> decimal version
	bucketMessages      = "messages"      // seq -> sealed exchange.Message
	bucketCertificates  = "certificates"  // seq -> sealed exchange.Certificate
	bucketAudit         = "audit"         // seq -> sealed AuditRecord
	bucketIDs           = "ids"           // MessageID + what it is used for: all uses of one id lie side by side
	bucketReferences    = "references"    // normalised reference of a certificate
	bucketStates        = "states"        // state, seq: messages that are neither delivered nor accepted
	bucketSigners       = "signers"       // fingerprint of a credential, seq -> instant: what it signed
	bucketDue           = "due"           // partner, time, seq: outbound messages that are not terminal
	bucketLeases        = "leases"        // partner, end, seq: those of them that a worker holds
	bucketRaw           = "raw"           // month, digest -> offset, size
	bucketMonths        = "months"        // month -> committed length of its raw file
	bucketConversations = "conversations" // direction, partner, ConversationID -> sealed conversation
	bucketLines         = "lines"         // partner, Departure.Line -> sealed line
	bucketWaiting       = "waiting"       // places of the messages that wait for those before them; see order.go
	bucketPauses        = "pauses"        // partner -> sealed exchange.Pause
	bucketLarge         = "large"         // month, digest -> size: content in files of their own
	bucketRegistry      = "registry"      // kind, id, version -> sealed partners.Entry
	bucketProposals     = "proposals"     // number -> sealed partners.Proposal
	bucketDockets       = "dockets"       // kind, id -> sealed clearance.Docket; its sequence numbers them
	bucketFiled         = "filed"         // what dockets are found by; see docket.go
	bucketFound         = "found"         // what imported certificates are found by beside their references; see found.go
)

var allBuckets = []string{
	bucketMeta, bucketMessages, bucketCertificates, bucketAudit, bucketIDs, bucketReferences, bucketStates, bucketSigners, bucketDue,
	bucketLeases, bucketRaw, bucketMonths, bucketLarge, bucketConversations, bucketLines,
	bucketWaiting, bucketPauses, bucketRegistry, bucketProposals, bucketDockets, bucketFiled,
	bucketFound,
}

// derivedBuckets follow from the records.
var derivedBuckets = []string{bucketIDs, bucketReferences, bucketStates, bucketSigners, bucketDue, bucketLeases, bucketFiled, bucketFound}

// What an id or reference is used for; the byte that follows it in a key.
const (
	useOutbound    = 'o' // ids: the outbound message with it -> seq. Unique.
	useAccepted    = 'a' // ids: + partner: the inbound message with it that was accepted or received -> seq. Unique.
	useMessage     = 'm' // ids: + seq: every message with it. signers: + seq -> Created
	useReply       = 'r' // ids: + seq: messages whose RefToMessageID it is
	useCertificate = 'c' // ids, references: + seq: certificates that it carried, or that bear it. signers: + seq -> Recorded
	useVerifying   = 'v' // references: "", seq: certificates of which a verification is open
	useOnHold      = 'h' // references: "", seq: certificates whose issuer is in doubt
	useKey         = 'k' // references: + direction, country, form, seq -> content. Of exported ones all contents are equal.
	useTestKey     = 't' // references: the same of those that do not count
)

// entry is one key of an index with its value.
type entry struct {
	bucket     string
	key, value []byte
}

// messageEntries are the index entries of a message.
func messageEntries(m *exchange.Message) []entry {
	seq := number(m.Seq)
	var entries []entry
	add := func(bucket string, value []byte, key ...[]byte) {
		entries = append(entries, entry{bucket, bytes.Join(key, nil), value})
	}
	if m.MessageID != "" {
		add(bucketIDs, nil, idUse(m.MessageID, useMessage), seq)
	}
	if m.RefToMessageID != "" {
		add(bucketIDs, nil, idUse(m.RefToMessageID, useReply), seq)
	}
	if m.Signer != "" {
		add(bucketSigners, instant(m.Created), signedBy(m.Signer, useMessage), seq)
	}
	if m.DocumentSigner != "" && m.DocumentSigner != m.Signer {
		add(bucketSigners, instant(m.Created), signedBy(m.DocumentSigner, useMessage), seq)
	}
	if m.State != exchange.StateDelivered && m.State != exchange.StateAccepted {
		add(bucketStates, nil, part(string(m.State)), seq)
	}
	switch {
	case m.Direction == exchange.Outbound:
		add(bucketIDs, seq, idUse(m.MessageID, useOutbound))
	case m.State == exchange.StateAccepted, m.State == exchange.StateReceived, expelled(m):
		add(bucketIDs, seq, idUse(m.MessageID, useAccepted), part(m.Partner))
	}
	if m.Direction == exchange.Outbound && !m.State.Terminal() {
		add(bucketDue, nil, part(m.Partner), instant(m.Due), seq)
		if m.State == exchange.StateSending {
			add(bucketLeases, nil, part(m.Partner), instant(m.Due), seq)
		}
	}
	return entries
}

// expelled reports whether m was accepted once: no other inbound message that is in quarantine was ever settled.
func expelled(m *exchange.Message) bool {
	return m.State == exchange.StateQuarantined && !m.Settled.IsZero()
}

// certificateEntries are the index entries of a certificate but for its dataEntries: they do not follow from what it says.
func certificateEntries(c *exchange.Certificate) []entry {
	seq := number(c.Seq)
	entries := []entry{
		{bucketIDs, append(idUse(c.Message, useCertificate), seq...), nil},
		{bucketReferences, append(idUse(c.Key.Reference, useCertificate), seq...), nil},
		{bucketReferences, append(certificateKey(c.Direction, c.Key), seq...), []byte(c.Content)},
	}
	if c.DocumentSigner != "" {
		entries = append(entries, entry{bucketSigners, append(signedBy(c.DocumentSigner, useCertificate), seq...), instant(c.Recorded)})
	}
	if c.Dealings.Verifying() {
		entries = append(entries, entry{bucketReferences, append(verifying(), seq...), nil})
	}
	if c.Dealings.OnHold() {
		entries = append(entries, entry{bucketReferences, append(onHold(), seq...), nil})
	}
	return append(entries, standingEntries(c)...)
}

// verifying is the prefix of the entries of all certificates of which a verification is open. No certificate has the reference "".
func verifying() []byte { return idUse("", useVerifying) }

// onHold is the prefix of the entries of all certificates whose issuer is in doubt.
func onHold() []byte { return idUse("", useOnHold) }

// certificateKey is the prefix of the entries of all certificates with one key.
func certificateKey(d exchange.Direction, k exchange.CertificateKey) []byte {
	use := byte(useKey)
	if k.Test {
		use = useTestKey
	}
	return bytes.Join([][]byte{idUse(k.Reference, use), part(string(d)), part(k.Country), part(string(k.Form))}, nil)
}

// signedBy is the prefix of the entries of what a credential signed. A fingerprint is kept as the octets that it writes.
func signedBy(fingerprint string, use byte) []byte {
	if octets, err := hex.DecodeString(fingerprint); err == nil && hex.EncodeToString(octets) == fingerprint {
		return idUse(string(octets), use)
	}
	return idUse(fingerprint, use)
}

func idUse(id string, use byte) []byte { return append(part(id), use) }

// longPart marks a part that is kept as its SHA-256: keys must stay short whatever a partner sends. Queries compare the
// record as well.
const longPart = 0xFF

// part writes s so that no other string's encoding is a prefix of it: its length, then its bytes.
func part(s string) []byte {
	if len(s) >= longPart {
		digest := sha256.Sum256([]byte(s))
		return append([]byte{longPart}, digest[:]...)
	}
	return append([]byte{byte(len(s))}, s...)
}

// cutPart splits a key after its first part.
func cutPart(key []byte) (first, rest []byte, err error) {
	if len(key) == 0 {
		return nil, nil, fmt.Errorf("%w: empty key", exchange.ErrDamaged)
	}
	n := 1 + int(key[0])
	if key[0] == longPart {
		n = 1 + sha256.Size
	}
	if len(key) < n {
		return nil, nil, fmt.Errorf("%w: key %x is too short", exchange.ErrDamaged, key)
	}
	return key[:n], key[n:], nil
}

// number writes a record number in an order-preserving way.
func number(n uint64) []byte { return binary.BigEndian.AppendUint64(make([]byte, 0, 8), n) }

const instantSize = 12

// instant writes t in an order-preserving way, for any year.
func instant(t time.Time) []byte {
	const signBit = 1 << 63
	b := binary.BigEndian.AppendUint64(make([]byte, 0, instantSize), uint64(t.Unix())^signBit)
	return binary.BigEndian.AppendUint32(b, uint32(t.Nanosecond()))
}

// lastNumber is the record number at the end of a key.
func lastNumber(key []byte) uint64 {
	if len(key) < 8 {
		return 0
	}
	return binary.BigEndian.Uint64(key[len(key)-8:])
}

// reindex replaces the entries before by those after.
func (t *transaction) reindex(before, after []entry) error {
	keep := make(map[string]bool, len(after))
	for _, e := range after {
		keep[e.bucket+string(e.key)] = true
	}
	had := make(map[string][]byte, len(before))
	for _, e := range before {
		had[e.bucket+string(e.key)] = append([]byte{}, e.value...)
		if keep[e.bucket+string(e.key)] {
			continue
		}
		if err := t.tx.Bucket([]byte(e.bucket)).Delete(e.key); err != nil {
			return fmt.Errorf("index %s: %w", e.bucket, err)
		}
	}
	for _, e := range after {
		if value, there := had[e.bucket+string(e.key)]; there && bytes.Equal(value, e.value) {
			continue
		}
		t.spend(len(e.key) + len(e.value))
		if err := t.tx.Bucket([]byte(e.bucket)).Put(e.key, e.value); err != nil {
			return fmt.Errorf("index %s: %w", e.bucket, err)
		}
	}
	return nil
}

// unique returns the record number under a unique key of ids, or 0.
func unique(tx *bbolt.Tx, key []byte) uint64 {
	return lastNumber(tx.Bucket([]byte(bucketIDs)).Get(key))
}

func outboundKey(messageID string) []byte { return idUse(messageID, useOutbound) }

func acceptedKey(partner, messageID string) []byte {
	return append(idUse(messageID, useAccepted), part(partner)...)
}

// descend calls visit with the numbers of all entries under prefix that are smaller than before, highest first, until it
// returns false. before 0 means all. The entries' keys are prefix and number.
func descend(tx *bbolt.Tx, bucket string, prefix []byte, before uint64, visit func(seq uint64) (bool, error)) error {
	return descendEntries(tx, bucket, prefix, before, func(seq uint64, _ []byte) (bool, error) { return visit(seq) })
}

// descendSigned is descend for what a credential signed, without what is older than since. No record is read for that: a million
// entries take less than a second.
func descendSigned(tx *bbolt.Tx, prefix []byte, since time.Time, before uint64, visit func(seq uint64) (bool, error)) error {
	first := instant(since)
	return descendEntries(tx, bucketSigners, prefix, before, func(seq uint64, at []byte) (bool, error) {
		if !since.IsZero() && bytes.Compare(at, first) < 0 {
			return true, nil
		}
		return visit(seq)
	})
}

// descendEntries is descend with the entries' values, which are valid during the call.
func descendEntries(tx *bbolt.Tx, bucket string, prefix []byte, before uint64, visit func(seq uint64, value []byte) (bool, error)) error {
	c := tx.Bucket([]byte(bucket)).Cursor()
	end := append(bytes.Clone(prefix), number(before-1)...) // for 0 the highest number
	key, value := c.Seek(end)
	switch {
	case key == nil:
		key, value = c.Last()
	case !bytes.Equal(key, end):
		key, value = c.Prev()
	}
	for ; key != nil && bytes.HasPrefix(key, prefix); key, value = c.Prev() {
		if len(key) != len(prefix)+8 {
			return fmt.Errorf("%w: key %x in %s", exchange.ErrDamaged, key, bucket)
		}
		if more, err := visit(lastNumber(key), value); err != nil || !more {
			return err
		}
	}
	return nil
}
