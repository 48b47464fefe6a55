package bolt

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

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
	audit       []exchange.AuditEntry
}

// Accept implements exchange.Store.
//
// Of a message whose MessageID the partner used before for other content, only the message itself is stored: not its
// certificate, its reply, its settlement or its audit entries, which speak of acceptance; the store writes an entry
// "message.inconsistent" of its own. A stored reply becomes due again at the duplicate's Created, unless a worker holds it or it
// travelled in an HTTP response (Held). When a certificate makes others InConflict, the store adds an entry
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
	if m.State == exchange.StateQuarantined && given.Certificate != nil {
		return arrival{}, errors.New("a quarantined message brings no certificate")
	}
	c, err := prepareCertificate(given.Certificate, &m, exchange.CertificateAvailable)
	if err != nil {
		return arrival{}, err
	}
	a := arrival{message: m, certificate: c, held: given.Held, audit: slices.Clone(given.Audit)}
	if a.raw, err = in.blob(ctx, given.Raw, m.Created); err != nil {
		return arrival{}, err
	}
	if a.document, err = in.blob(ctx, bytes.NewReader(given.Document), m.Created); err != nil {
		return arrival{}, fmt.Errorf("document: %w", err)
	}
	if given.Reply != nil {
		reply, err := in.departure(ctx, given.Reply)
		if err != nil {
			return arrival{}, fmt.Errorf("reply: %w", err)
		}
		a.reply = &reply
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

func (t *transaction) accept(a *arrival) (exchange.Accepted, error) {
	if a.message.State == exchange.StateAccepted {
		if first := unique(t.tx, acceptedKey(a.message.Partner, a.message.MessageID)); first != 0 {
			return t.acceptAgain(a, first)
		}
	}
	m := a.message
	var err error
	if m.Raw, err = t.keepOr(m.Raw, a.raw, m.Created); err != nil {
		return exchange.Accepted{}, err
	}
	if m.Seq, err = t.next(bucketMessages); err != nil {
		return exchange.Accepted{}, err
	}
	if a.reply != nil {
		if m.Reply, err = t.reply(a, m.Created); err != nil {
			return exchange.Accepted{}, fmt.Errorf("reply: %w", err)
		}
	}
	if err := t.writeMessage(nil, &m); err != nil {
		return exchange.Accepted{}, err
	}
	if err := t.audit(a.audit); err != nil {
		return exchange.Accepted{}, err
	}
	if a.certificate != nil {
		if err := t.hold(a.certificate, a.document, m.Created); err != nil {
			return exchange.Accepted{}, err
		}
	}
	settled, err := t.settleBySignal(a.settles, m.MessageID)
	if err != nil {
		return exchange.Accepted{}, err
	}
	return exchange.Accepted{Message: m, Fresh: true, Settled: settled}, t.fits()
}

// reply records the signal that answers an arrival and returns its number.
func (t *transaction) reply(a *arrival, at time.Time) (uint64, error) {
	there, _, err := t.enqueued(a.reply)
	if err != nil {
		return 0, err
	}
	if there != 0 {
		return 0, fmt.Errorf("MessageID %q is taken by message %d", a.reply.message.MessageID, there)
	}
	answer := a.reply.message
	if a.held {
		answer.State, answer.Due, answer.Settled = exchange.StateDelivered, time.Time{}, at
	}
	err = t.depart(a.reply, &answer, 0)
	return answer.Seq, err
}

// acceptAgain takes a message whose MessageID the partner used before, in record first.
func (t *transaction) acceptAgain(a *arrival, first uint64) (exchange.Accepted, error) {
	m, err := loadMessage(t.tx, first)
	if err != nil {
		return exchange.Accepted{}, err
	}
	if m.Content != a.message.Content {
		return t.quarantine(a, first)
	}
	if err := t.changeMessage(&m, func(m *exchange.Message) { m.Copies++ }); err != nil {
		return exchange.Accepted{}, err
	}
	if m.Reply == 0 {
		return exchange.Accepted{Message: m}, nil
	}
	reply, err := loadMessage(t.tx, m.Reply)
	if err != nil {
		return exchange.Accepted{}, err
	}
	// One that was delivered without an attempt went in the HTTP response, and will again.
	inResponse := reply.State == exchange.StateDelivered && reply.Attempts == 0
	if reply.State != exchange.StateSending && !inResponse {
		err = t.changeMessage(&reply, func(r *exchange.Message) {
			r.State, r.Due = exchange.StateQueued, a.message.Created
			r.Reason, r.Settled, r.SettledBy = nil, time.Time{}, ""
		})
	}
	return exchange.Accepted{Message: m}, err
}

// quarantine stores a message whose MessageID stands for the other content of record first.
func (t *transaction) quarantine(a *arrival, first uint64) (exchange.Accepted, error) {
	m := a.message
	m.State = exchange.StateQuarantined
	m.Reason = &exchange.Reason{
		Code:  exchange.ReasonInconsistent,
		Cause: fmt.Sprintf("message %d of the same partner has the same MessageID and other content", first),
	}
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

// hold stores an imported certificate unless one with its key and content is there. With other content under its key all of
// them are in conflict. From the second on each came in conflict and made those before it so: only a lone first one is left to
// mark, and what is written for a new one does not grow with those before it.
func (t *transaction) hold(c *certificateRecord, document blob, at time.Time) error {
	held := heldUnder(t.tx, exchange.Inbound, c.Key)
	for _, content := range held {
		if content == c.Content {
			return nil
		}
	}
	record := *c
	if len(held) == 0 {
		return t.keepCertificate(&record, document, at)
	}
	record.State = exchange.CertificateInConflict
	if len(held) == 1 {
		for first := range held {
			if err := t.conflict(first); err != nil {
				return err
			}
		}
	}
	if err := t.keepCertificate(&record, document, at); err != nil {
		return err
	}
	return t.audit([]exchange.AuditEntry{{
		At: at, Actor: record.Partner, Event: "certificate.conflict", Subject: keyText(record.Key),
		Detail: fmt.Sprintf("message %q brought other content under the same key", record.Message),
	}})
}
