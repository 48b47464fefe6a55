package bolt

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"go.etcd.io/bbolt"

	"github.com/ecogate/ecogate/exchange"
)

// departure is a Departure made ready in the caller's goroutine: encoded and hashed, in memory that the store owns.
type departure struct {
	message     exchange.Message
	raw         blob
	certificate *certificateRecord
	document    blob
	line        string
	changes     []exchange.Change
	audit       []exchange.AuditEntry
}

// Enqueue implements exchange.Store. A MessageID that another outbound message bears is judged by Partner and
// Message.Content: equal means the message that is there, other means ErrConflict.
//
// The store sets what follows from the call itself: Direction, State, and in the certificate Message and Partner.
func (s *Store) Enqueue(ctx context.Context, departures []exchange.Departure) ([]exchange.Enqueued, error) {
	in := &intake{store: s}
	prepared := make([]departure, len(departures))
	for i := range departures {
		d, err := in.departure(ctx, &departures[i])
		if err != nil {
			in.letGo()
			return nil, fmt.Errorf("enqueueing message %q: %w", departures[i].Message.MessageID, err)
		}
		prepared[i] = d
	}
	var results []exchange.Enqueued
	err := in.submit(ctx, func(t *transaction) (err error) {
		results = make([]exchange.Enqueued, len(prepared))
		for i := range prepared {
			if results[i], err = t.enqueue(&prepared[i]); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("enqueueing: %w", err)
	}
	return results, nil
}

func (in *intake) departure(ctx context.Context, d *exchange.Departure) (departure, error) {
	if d.Message.MessageID == "" {
		return departure{}, errors.New("an outbound message needs a MessageID")
	}
	m := cloneMessage(d.Message)
	if err := checkOrder(&m); err != nil {
		return departure{}, err
	}
	if d.Line != "" && (m.Order == nil || m.ConversationID == "") {
		return departure{}, fmt.Errorf("a message of line %q needs a ConversationID and an Order", d.Line)
	}
	m.Direction, m.State = exchange.Outbound, exchange.StateQueued
	if !d.Lease.IsZero() {
		if m.Owner == "" {
			return departure{}, errors.New("a lease needs an Owner")
		}
		m.State, m.Due, m.Attempts, m.Fence = exchange.StateSending, d.Lease.UTC(), 1, 1
	}
	c, err := prepareCertificate(d.Certificate, &m, exchange.CertificateReleased)
	if err != nil {
		return departure{}, err
	}
	changes, err := cloneChanges(d.Changes)
	if err != nil {
		return departure{}, err
	}
	raw, err := in.blob(ctx, d.Raw, m.Created)
	if err != nil {
		return departure{}, err
	}
	document, err := in.blob(ctx, bytes.NewReader(d.Document), m.Created)
	if err != nil {
		return departure{}, fmt.Errorf("document: %w", err)
	}
	return departure{message: m, raw: raw, certificate: c, document: document, line: d.Line, changes: changes, audit: slices.Clone(d.Audit)}, nil
}

// cloneMessage copies m as deep as a caller could change it, with its times in UTC.
func cloneMessage(m exchange.Message) exchange.Message {
	m.Created, m.Due, m.Expires = m.Created.UTC(), m.Due.UTC(), m.Expires.UTC()
	m.References = slices.Clone(m.References)
	m.Answers = slices.Clone(m.Answers)
	m.Log = slices.Clone(m.Log)
	m.Reason = cloneReason(m.Reason)
	if m.Effect != nil {
		effect := *m.Effect
		m.Effect = &effect
	}
	if m.Order != nil {
		order := *m.Order
		m.Order = &order
	}
	return m
}

// checkOrder: ebMS 2.0 §9.
func checkOrder(m *exchange.Message) error {
	if o := m.Order; o != nil && (o.Sequence > exchange.MaxSequence || o.Reset && o.Sequence != 0) {
		return fmt.Errorf("sequence number %d, Reset %v: numbers run from 0 to %d, a reset begins with 0", o.Sequence, o.Reset, exchange.MaxSequence)
	}
	return nil
}

func cloneReason(r *exchange.Reason) *exchange.Reason {
	if r == nil {
		return nil
	}
	c := *r
	return &c
}

// prepareCertificate encodes the certificate that m carries; nil for none.
func prepareCertificate(c *exchange.Certificate, m *exchange.Message, state exchange.CertificateState) (*certificateRecord, error) {
	if c == nil {
		return nil, nil
	}
	data, err := json.Marshal(&c.Data)
	if err != nil {
		return nil, fmt.Errorf("certificate %s: %w", keyText(c.Key), err)
	}
	record := &certificateRecord{Certificate: *c, Data: data}
	record.Findings = slices.Clone(c.Findings)
	record.Direction, record.Partner, record.Message = m.Direction, m.Partner, m.MessageID
	if record.State == "" {
		record.State = state
	}
	m.Certificate = c.Key
	return record, nil
}

// enqueue records a departure unless a unique key says that it is there.
func (t *transaction) enqueue(d *departure) (exchange.Enqueued, error) {
	there, failed, err := t.enqueued(d)
	if errors.Is(err, exchange.ErrConflict) {
		return exchange.Enqueued{Err: err}, nil
	}
	if err != nil {
		return exchange.Enqueued{}, err
	}
	if there != 0 {
		m, err := loadMessage(t.tx, there)
		return exchange.Enqueued{Message: m}, err
	}
	if fit, err := t.fit(d.changes); err != nil || !fit {
		return exchange.Enqueued{Err: exchange.ErrChanged}, err
	}
	m := d.message
	if d.line != "" {
		out, err := t.follow(&m, d.line)
		if err != nil {
			return exchange.Enqueued{}, err
		}
		if out != nil {
			return exchange.Enqueued{Err: out}, nil
		}
	}
	if err := t.depart(d, &m, failed); err != nil {
		return exchange.Enqueued{}, err
	}
	return exchange.Enqueued{Message: m, Fresh: true}, t.fits()
}

// enqueued looks for the message that d would repeat: 0 if there is none, ErrConflict if a key is taken by other content.
// failed is the number of the certificate whose delivery d begins anew, or 0.
func (t *transaction) enqueued(d *departure) (there, failed uint64, err error) {
	if d.certificate != nil {
		if there, failed, err = t.exported(d.certificate, d.changes); there != 0 || err != nil {
			return there, 0, err
		}
	}
	seq := unique(t.tx, outboundKey(d.message.MessageID))
	if seq == 0 {
		return 0, failed, nil
	}
	m, err := loadMessage(t.tx, seq)
	if err == nil && (m.Content != d.message.Content || m.Partner != d.message.Partner) {
		err = fmt.Errorf("%w: MessageID %q is taken", exchange.ErrConflict, m.MessageID)
	}
	return seq, 0, err
}

// exported looks for the message that carries c to its partner: 0 if there is none, ErrConflict if c's key stands for other
// content, whichever partner that went to. What repeats a message is no conflict, so that a caller who repeats always gets the
// first answer. All exported under one key have one content but for those replaced, and those whose replacement was undone. A certificate whose delivery failed is no hindrance: failed is its number. Neither is one that was replaced, or will be by changes.
func (t *transaction) exported(c *certificateRecord, changes []exchange.Change) (there, failed uint64, err error) {
	var conflict error
	for seq, content := range heldUnder(t.tx, exchange.Outbound, c.Key) {
		var held certificateRecord
		err := load(t.tx, bucketCertificates, seq, &held)
		switch {
		case err == nil && content != c.Content && (held.State == exchange.CertificateReplaced || replaces(changes, seq)):
		case err == nil && content != c.Content:
			conflict = fmt.Errorf("%w: %s", exchange.ErrConflict, keyText(c.Key))
		case err != nil || held.Partner != c.Partner:
		case held.State == exchange.CertificateFailed, held.State == exchange.CertificateRejected:
			failed = seq
		default:
			there, err = carrier(t.tx, &held.Certificate)
		}
		if err != nil {
			return 0, 0, err
		}
	}
	if there == 0 && conflict != nil {
		return 0, 0, conflict
	}
	return there, failed, nil
}

// carrier is the number of the message that carried an exported certificate.
func carrier(tx *bbolt.Tx, c *exchange.Certificate) (uint64, error) {
	seq := unique(tx, outboundKey(c.Message))
	if seq == 0 {
		return 0, fmt.Errorf("%w: certificate %s names message %q, which is missing", exchange.ErrDamaged, keyText(c.Key), c.Message)
	}
	return seq, nil
}

// depart writes the departure's records; m is its message and is completed. failed is the number of the certificate that it
// sends again, or 0.
func (t *transaction) depart(d *departure, m *exchange.Message, failed uint64) (err error) {
	if m.Raw, err = t.keepOr(m.Raw, d.raw, m.Created); err != nil {
		return err
	}
	if err := t.addMessage(m); err != nil {
		return err
	}
	if c := d.certificate; c != nil {
		record := *c
		if err := t.release(&record, d.document, m.Created, failed); err != nil {
			return err
		}
	}
	if err := t.change(d.changes); err != nil {
		return err
	}
	return t.audit(d.audit)
}

// release writes an exported certificate, in the place of the one whose delivery failed if there is one.
func (t *transaction) release(c *certificateRecord, document blob, at time.Time, failed uint64) (err error) {
	if failed == 0 {
		return t.keepCertificate(c, document, at)
	}
	var before certificateRecord
	if err := load(t.tx, bucketCertificates, failed, &before); err != nil {
		return err
	}
	if c.Document, err = t.keepOr(c.Document, document, at); err != nil {
		return err
	}
	c.Seq, c.Revision, c.Dealings = failed, before.Revision, before.Dealings
	if err := t.writeCertificate(c); err != nil {
		return err
	}
	return t.reindex(certificateEntries(&before.Certificate), certificateEntries(&c.Certificate))
}

// keepOr keeps b; without content it leaves the reference as it was given, which may be to bytes that are stored.
func (t *transaction) keepOr(given exchange.RawRef, b blob, at time.Time) (exchange.RawRef, error) {
	if b.size == 0 {
		return given, nil
	}
	return t.keep(b, at)
}

// keepCertificate writes a certificate with its document.
func (t *transaction) keepCertificate(c *certificateRecord, document blob, at time.Time) (err error) {
	if c.Document, err = t.keepOr(c.Document, document, at); err != nil {
		return err
	}
	return t.addCertificate(c)
}

// heldUnder gives the certificates with one key: number and content of each.
func heldUnder(tx *bbolt.Tx, d exchange.Direction, k exchange.CertificateKey) map[uint64]string {
	held := make(map[uint64]string)
	prefix := certificateKey(d, k)
	c := tx.Bucket([]byte(bucketReferences)).Cursor()
	for key, content := c.Seek(prefix); bytes.HasPrefix(key, prefix); key, content = c.Next() {
		held[lastNumber(key)] = string(content)
	}
	return held
}
