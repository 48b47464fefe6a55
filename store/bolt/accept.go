package bolt

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"go.etcd.io/bbolt"

	"github.com/ecogate/ecogate/exchange"
)

// arrival is an Arrival made ready in the caller's goroutine, in memory that the store owns.
type arrival struct {
	message     exchange.Message
	raw         blob
	certificate *certificateRecord
	document    blob
	reply       *departure
	held        bool
	settles     *exchange.Settlement
	changes     []exchange.Change
	audit       []exchange.AuditEntry
}

// Accept implements exchange.Store.
//
// Of a message whose MessageID the partner used before for other content, or whose sequence number another one has, only the message itself is stored: not its
// certificate, its reply, its settlement or its audit entries, which speak of acceptance; the store writes an entry
// "message.inconsistent" of its own. A stored reply becomes due again at the duplicate's Created, unless the duplicate is Held or a worker
// holds the reply. When a certificate makes others InConflict, the store adds an entry
// "certificate.conflict".
func (s *Store) Accept(ctx context.Context, arrivals []exchange.Arrival) ([]exchange.Accepted, error) {
	in := &intake{store: s}
	prepared := make([]arrival, len(arrivals))
	for i := range arrivals {
		a, err := in.arrival(ctx, &arrivals[i])
		if err != nil {
			in.letGo()
			return nil, fmt.Errorf("accepting message %q: %w", arrivals[i].Message.MessageID, err)
		}
		prepared[i] = a
	}
	var results []exchange.Accepted
	err := in.submit(ctx, func(t *transaction) (err error) {
		results = make([]exchange.Accepted, len(prepared))
		for i := range prepared {
			if results[i], err = t.accept(&prepared[i]); err != nil {
				return fmt.Errorf("message %q: %w", prepared[i].message.MessageID, err)
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("accepting: %w", err)
	}
	return results, nil
}

func (in *intake) arrival(ctx context.Context, given *exchange.Arrival) (arrival, error) {
	m := cloneMessage(given.Message)
	m.Direction = exchange.Inbound
	if m.State != exchange.StateAccepted && m.State != exchange.StateQuarantined {
		return arrival{}, fmt.Errorf("state %q is none of an inbound message", m.State)
	}
	if m.State == exchange.StateAccepted && m.MessageID == "" {
		return arrival{}, errors.New("an accepted message needs a MessageID")
	}
	if err := checkOrder(&m); err != nil && m.State == exchange.StateAccepted {
		return arrival{}, err
	}
	m.Settled = time.Time{} // what tells those that were expelled
	if m.State == exchange.StateQuarantined && (given.Certificate != nil || given.Changes != nil) {
		return arrival{}, errors.New("a quarantined message brings no certificate and changes none")
	}
	changes, err := cloneChanges(given.Changes)
	if err != nil {
		return arrival{}, err
	}
	c, err := prepareCertificate(given.Certificate, &m, exchange.CertificateAvailable)
	if err != nil {
		return arrival{}, err
	}
	if in.copy, err = in.store.isCopy(&m); err != nil {
		return arrival{}, err
	}
	a := arrival{message: m, certificate: c, held: given.Held, changes: changes, audit: slices.Clone(given.Audit)}
	if a.raw, err = in.blob(ctx, given.Raw, m.Created); err != nil {
		return arrival{}, err
	}
	if a.document, err = in.blob(ctx, bytes.NewReader(given.Document), m.Created); err != nil {
		return arrival{}, fmt.Errorf("document: %w", err)
	}
	if given.Reply != nil {
		if a.reply, err = in.reply(ctx, given.Reply); err != nil {
			return arrival{}, err
		}
	}
	if given.Settles != nil {
		settles := *given.Settles
		if err := checkSettlement(&settles); err != nil {
			return arrival{}, err
		}
		settles.Reason = cloneReason(settles.Reason)
		a.settles = &settles
	}
	return a, nil
}

// isCopy reports whether m is a copy of a message that is there, so that large content is not written in vain. The transaction decides
// again, and cannot decide otherwise: what was accepted once stays so.
func (s *Store) isCopy(m *exchange.Message) (is bool, err error) {
	if m.State != exchange.StateAccepted {
		return false, nil
	}
	err = s.view(func(tx *bbolt.Tx) error {
		first := unique(tx, acceptedKey(m.Partner, m.MessageID))
		if first == 0 {
			return nil
		}
		there, err := loadMessage(tx, first)
		is = there.Content == m.Content
		return err
	})
	return is && err == nil, err
}

// reply makes a message ready that answers another one.
func (in *intake) reply(ctx context.Context, given *exchange.Departure) (*departure, error) {
	if given.Changes != nil {
		return nil, fmt.Errorf("reply %q: a reply changes no certificate", given.Message.MessageID)
	}
	if given.Line != "" {
		return nil, fmt.Errorf("reply %q: a reply stands in no line, and this one in %q", given.Message.MessageID, given.Line)
	}
	in.copy = false
	d, err := in.departure(ctx, given)
	if err != nil {
		return nil, fmt.Errorf("reply: %w", err)
	}
	return &d, nil
}

func (t *transaction) accept(a *arrival) (exchange.Accepted, error) {
	if a.message.State == exchange.StateAccepted {
		if first := unique(t.tx, acceptedKey(a.message.Partner, a.message.MessageID)); first != 0 {
			return t.acceptAgain(a, first)
		}
	}
	if fit, err := t.fit(a.changes); err != nil || !fit {
		return exchange.Accepted{Stale: true}, err
	}
	own, taken, err := t.turnOf(&a.message)
	if err != nil {
		return exchange.Accepted{}, err
	}
	if taken {
		result, err := t.quarantine(a, exchange.ReasonInconsistent, fmt.Sprintf("another message of conversation %q has sequence number %d", a.message.ConversationID, a.message.Order.Sequence))
		result.PlaceTaken = true
		return result, err
	}
	if own != nil && own.waits && a.message.Order.Sequence-own.Next > exchange.MaxAhead {
		result, err := t.quarantine(a, exchange.ReasonDeliveryFailure, fmt.Sprintf("sequence number %d of conversation %q, the next one is %d: more than %d are missing",
			a.message.Order.Sequence, a.message.ConversationID, own.Next, exchange.MaxAhead))
		result.FarAhead = true
		return result, err
	}
	m := a.message
	if own != nil && own.waits {
		m.State = exchange.StateReceived
	}
	certificate, err := t.record(a, &m)
	if err != nil {
		return exchange.Accepted{}, err
	}
	released, err := t.advance(&m, own, certificate)
	if err != nil {
		return exchange.Accepted{}, err
	}
	settled, err := t.settleBySignal(a.settles, m.MessageID)
	if err != nil {
		return exchange.Accepted{}, err
	}
	return exchange.Accepted{
		Message: m, Fresh: true, Waits: m.State == exchange.StateReceived, Released: released, Settled: settled,
	}, t.fits()
}

// record writes an arrival's records; m is its message and is completed. It returns the number of the certificate that m brings or
// confirms, 0 if it is none.
func (t *transaction) record(a *arrival, m *exchange.Message) (certificate uint64, err error) {
	if m.Raw, err = t.keepOr(m.Raw, a.raw, m.Created); err != nil {
		return 0, err
	}
	if m.Seq, err = t.next(bucketMessages); err != nil {
		return 0, err
	}
	if a.reply != nil {
		if m.Reply, err = t.reply(a.reply, a.held, m.Created); err != nil {
			return 0, fmt.Errorf("reply: %w", err)
		}
	}
	if err := t.writeMessage(nil, m); err != nil {
		return 0, err
	}
	if err := t.audit(a.audit); err != nil {
		return 0, err
	}
	if err := t.change(a.changes); err != nil {
		return 0, err
	}
	if a.certificate == nil {
		return 0, nil
	}
	return t.hold(a.certificate, a.document, m)
}

// reply records the message that answers an arrival and returns its number. held: it travels in the HTTP response.
func (t *transaction) reply(d *departure, held bool, at time.Time) (uint64, error) {
	there, _, err := t.enqueued(d)
	if err != nil {
		return 0, err
	}
	if there != 0 {
		return 0, fmt.Errorf("MessageID %q is taken by message %d", d.message.MessageID, there)
	}
	answer := d.message
	if held {
		answer.State, answer.Due, answer.Settled = exchange.StateDelivered, time.Time{}, at
	}
	err = t.depart(d, &answer, 0)
	return answer.Seq, err
}

// acceptAgain takes a message whose MessageID the partner used before, in record first.
func (t *transaction) acceptAgain(a *arrival, first uint64) (exchange.Accepted, error) {
	m, err := loadMessage(t.tx, first)
	if err != nil {
		return exchange.Accepted{}, err
	}
	if m.Content != a.message.Content {
		return t.quarantine(a, exchange.ReasonInconsistent, fmt.Sprintf("message %d of the same partner has the same MessageID and other content", first))
	}
	if err := t.changeMessage(&m, func(m *exchange.Message) { m.Copies++ }); err != nil {
		return exchange.Accepted{}, err
	}
	result := exchange.Accepted{Message: m, Waits: m.State == exchange.StateReceived}
	if m.Reply == 0 || a.held {
		return result, nil
	}
	reply, err := loadMessage(t.tx, m.Reply)
	if err != nil {
		return exchange.Accepted{}, err
	}
	if reply.State != exchange.StateSending {
		err = t.changeMessage(&reply, func(r *exchange.Message) {
			r.State, r.Due = exchange.StateQueued, a.message.Created
			r.Reason, r.Settled, r.SettledBy, r.Late = nil, time.Time{}, "", false
		})
	}
	return result, err
}

// quarantine stores a message whose MessageID or place in its conversation stands for another one.
func (t *transaction) quarantine(a *arrival, code, cause string) (exchange.Accepted, error) {
	m := a.message
	m.State = exchange.StateQuarantined
	m.Reason = &exchange.Reason{Code: code, Cause: cause}
	var err error
	if m.Raw, err = t.keepOr(m.Raw, a.raw, m.Created); err != nil {
		return exchange.Accepted{}, err
	}
	if err := t.addMessage(&m); err != nil {
		return exchange.Accepted{}, err
	}
	err = t.audit([]exchange.AuditEntry{{
		At: m.Created, Actor: m.Partner, Event: "message.inconsistent", Subject: m.MessageID, Detail: m.Reason.Cause,
	}})
	if err != nil {
		return exchange.Accepted{}, err
	}
	return exchange.Accepted{Message: m, Fresh: true, Conflict: true}, t.fits()
}

// hold stores the certificate that m brings unless one with its key and content is there, and returns its number. With other
// content under its key all of them are in conflict. Those that are so already are not written again, so that what is written for
// a new one does not grow with those before it.
func (t *transaction) hold(c *certificateRecord, document blob, m *exchange.Message) (uint64, error) {
	held := heldUnder(t.tx, exchange.Inbound, c.Key)
	for seq, content := range held {
		if content == c.Content {
			if stands, err := t.stands(held, seq); err != nil || stands {
				return 0, err
			}
			return seq, t.confirm(seq, c, document, m)
		}
	}
	conflict := false
	for seq := range held {
		counts, err := t.conflict(seq)
		if err != nil {
			return 0, err
		}
		conflict = conflict || counts
	}
	record := *c
	switch {
	case conflict:
		record.State = exchange.CertificateInConflict
	case m.State == exchange.StateReceived:
		record.State = exchange.CertificateReceived
	}
	if err := t.keepCertificate(&record, document, m.Created); err != nil || !conflict {
		return record.Seq, err
	}
	return record.Seq, t.audit([]exchange.AuditEntry{{
		At: m.Created, Actor: record.Partner, Event: "certificate.conflict", Subject: record.Key.String(),
		Detail: fmt.Sprintf("message %q brought other content under the same key", record.Message),
	}})
}

// stands reports whether a certificate is refused while another one of those held under its key counts: an officer decided so, and that it
// comes again is no news, so that the message moves none.
func (t *transaction) stands(held map[uint64]string, seq uint64) (bool, error) {
	state := func(seq uint64) (exchange.CertificateState, error) {
		var c certificateRecord
		err := load(t.tx, bucketCertificates, seq, &c)
		return c.State, err
	}
	own, err := state(seq)
	if err != nil || own != exchange.CertificateRefused {
		return false, err
	}
	for other := range held {
		s, err := state(other)
		if err != nil {
			return false, err
		}
		if s != exchange.CertificateRefused && s != exchange.CertificateReplaced {
			return true, nil
		}
	}
	return false, nil
}

// confirm takes a certificate that is held. One that is refused, or that waits while m does not, is from now on the one that m
// brought.
func (t *transaction) confirm(seq uint64, c *certificateRecord, document blob, m *exchange.Message) error {
	var held certificateRecord
	if err := load(t.tx, bucketCertificates, seq, &held); err != nil {
		return err
	}
	waits := m.State == exchange.StateReceived
	if !unusable(held.State) || held.State == exchange.CertificateReceived && waits {
		return nil
	}
	if err := held.data(); err != nil { // another version of this program may have read the same octets differently
		return err
	}
	before := append(certificateEntries(&held.Certificate), dataEntries(&held.Certificate)...)
	record := *c
	record.Seq, record.Revision, record.Dealings = seq, held.Revision, held.Dealings
	record.Dealings.Life = c.Dealings.Life
	if waits {
		record.State = exchange.CertificateReceived
	}
	var err error
	if record.Document, err = t.keepOr(record.Document, document, m.Created); err != nil {
		return err
	}
	if err := t.writeCertificate(&record); err != nil {
		return err
	}
	return t.reindex(before, append(certificateEntries(&record.Certificate), dataEntries(&record.Certificate)...))
}
