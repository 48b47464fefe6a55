package bolt

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"hash/crc32"

	"go.etcd.io/bbolt"

	"github.com/ecogate/ecogate/exchange"
)

// Records are stored as JSON after 4 bytes of CRC-32C: bbolt has no checksums on its pages, and a changed bit in a record
// must not become a changed certificate.
var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// fillPercent is for buckets that grow at their end only.
const fillPercent = 0.95

func seal(record []byte) []byte {
	return append(binary.BigEndian.AppendUint32(make([]byte, 0, 4+len(record)), crc32.Checksum(record, castagnoli)), record...)
}

// unseal returns the record's JSON, which is valid during the transaction only.
func unseal(bucket string, seq uint64, sealed []byte) ([]byte, error) {
	if !intact(sealed) {
		return nil, fmt.Errorf("%w: record %d in %s does not match its checksum", exchange.ErrDamaged, seq, bucket)
	}
	return sealed[4:], nil
}

func intact(sealed []byte) bool {
	return len(sealed) >= 4 && crc32.Checksum(sealed[4:], castagnoli) == binary.BigEndian.Uint32(sealed)
}

// putKeyed writes a record that has a key instead of a number.
func (t *transaction) putKeyed(bucket string, key []byte, value any) error {
	record, err := json.Marshal(value)
	if err != nil {
		return fmt.Errorf("record %x in %s: %w", key, bucket, err)
	}
	sealed := seal(record)
	t.spend(len(key) + len(sealed))
	if err := t.tx.Bucket([]byte(bucket)).Put(key, sealed); err != nil {
		return fmt.Errorf("record %x in %s: %w", key, bucket, err)
	}
	return nil
}

// loadKeyed reads a record that has a key into value, and reports whether it is there.
func loadKeyed(tx *bbolt.Tx, bucket string, key []byte, value any) (bool, error) {
	sealed := tx.Bucket([]byte(bucket)).Get(key)
	if sealed == nil {
		return false, nil
	}
	if !intact(sealed) {
		return false, fmt.Errorf("%s: %w: record %x in %s does not match its checksum", tx.DB().Path(), exchange.ErrDamaged, key, bucket)
	}
	if err := json.Unmarshal(sealed[4:], value); err != nil {
		return false, fmt.Errorf("%s: record %x in %s: %w: %w", tx.DB().Path(), key, bucket, exchange.ErrDamaged, err)
	}
	return true, nil
}

// put writes a record.
func (t *transaction) put(bucket string, seq uint64, record []byte) error {
	b := t.tx.Bucket([]byte(bucket))
	b.FillPercent = fillPercent
	sealed := seal(record)
	t.spend(len(sealed))
	return b.Put(number(seq), sealed)
}

// next gives a new record's number. Numbers of a bucket have no gaps.
func (t *transaction) next(bucket string) (uint64, error) {
	return t.tx.Bucket([]byte(bucket)).NextSequence()
}

// load reads a record into value. It returns exchange.ErrDamaged if there is none: numbers come from indexes.
func load(tx *bbolt.Tx, bucket string, seq uint64, value any) error {
	sealed := tx.Bucket([]byte(bucket)).Get(number(seq))
	if sealed == nil {
		return fmt.Errorf("%s: %w: record %d in %s is missing", tx.DB().Path(), exchange.ErrDamaged, seq, bucket)
	}
	return decode(tx, bucket, seq, sealed, value)
}

func decode(tx *bbolt.Tx, bucket string, seq uint64, sealed []byte, value any) error {
	record, err := unseal(bucket, seq, sealed)
	if err != nil {
		return fmt.Errorf("%s: %w", tx.DB().Path(), err)
	}
	if err := json.Unmarshal(record, value); err != nil {
		return fmt.Errorf("%s: record %d in %s: %w: %w", tx.DB().Path(), seq, bucket, exchange.ErrDamaged, err)
	}
	return nil
}

func loadMessage(tx *bbolt.Tx, seq uint64) (exchange.Message, error) {
	var m exchange.Message
	err := load(tx, bucketMessages, seq, &m)
	return m, err
}

// addMessage numbers m and writes it.
func (t *transaction) addMessage(m *exchange.Message) error {
	seq, err := t.next(bucketMessages)
	if err != nil {
		return err
	}
	m.Seq = seq
	return t.writeMessage(nil, m)
}

// changeMessage applies change to the stored message m, in m and in the store.
func (t *transaction) changeMessage(m *exchange.Message, change func(m *exchange.Message)) error {
	before := messageEntries(m)
	change(m)
	return t.writeMessage(before, m)
}

func (t *transaction) writeMessage(before []entry, m *exchange.Message) error {
	record, err := json.Marshal(m)
	if err != nil {
		return fmt.Errorf("message %q: %w", m.MessageID, err)
	}
	if err := t.put(bucketMessages, m.Seq, record); err != nil {
		return fmt.Errorf("message %q: %w", m.MessageID, err)
	}
	return t.reindex(before, messageEntries(m))
}

// certificateRecord is the stored form of a certificate. Its data stay encoded: they never change, and writing them once more
// with each change of state would cost more than everything else.
type certificateRecord struct {
	exchange.Certificate
	Data json.RawMessage `json:"certificate"`
}

// addCertificate numbers c and writes it.
func (t *transaction) addCertificate(c *certificateRecord) error {
	seq, err := t.next(bucketCertificates)
	if err != nil {
		return err
	}
	c.Seq = seq
	if err := t.writeCertificate(c); err != nil {
		return err
	}
	return t.reindex(nil, append(certificateEntries(&c.Certificate), dataEntries(&c.Certificate)...))
}

// changeCertificate moves a certificate to state if it is in one of from.
func (t *transaction) changeCertificate(seq uint64, state exchange.CertificateState, from ...exchange.CertificateState) error {
	var c certificateRecord
	if err := load(t.tx, bucketCertificates, seq, &c); err != nil {
		return err
	}
	for _, f := range from {
		if c.State == f {
			return t.moveCertificate(&c, state)
		}
	}
	return nil
}

// conflict marks a certificate because another one has its key: none of them is usable. One that was replaced stays as it is, and
// counts for no conflict.
func (t *transaction) conflict(seq uint64) (counts bool, err error) {
	var c certificateRecord
	if err := load(t.tx, bucketCertificates, seq, &c); err != nil {
		return false, err
	}
	switch c.State {
	case exchange.CertificateReplaced:
		return false, nil
	case exchange.CertificateInConflict:
		return true, nil
	}
	return true, t.moveCertificate(&c, exchange.CertificateInConflict)
}

// moveCertificate writes a certificate that was read in another state.
func (t *transaction) moveCertificate(c *certificateRecord, state exchange.CertificateState) error {
	before := certificateEntries(&c.Certificate)
	c.State = state
	if err := t.writeCertificate(c); err != nil {
		return err
	}
	return t.reindex(before, certificateEntries(&c.Certificate))
}

func (t *transaction) writeCertificate(c *certificateRecord) error {
	record, err := json.Marshal(c)
	if err != nil {
		return fmt.Errorf("certificate %s: %w", keyText(c.Key), err)
	}
	if err := t.put(bucketCertificates, c.Seq, record); err != nil {
		return fmt.Errorf("certificate %s: %w", keyText(c.Key), err)
	}
	return nil
}

// keyText names a certificate to people: "KR ATIGA-D K001-25-0000001".
func keyText(k exchange.CertificateKey) string {
	return k.Country + " " + string(k.Form) + " " + k.Reference
}
