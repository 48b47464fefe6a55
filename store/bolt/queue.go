package bolt

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"go.etcd.io/bbolt"

	"github.com/ecogate/ecogate/exchange"
)

// maxLog is how many ended attempts a message keeps.
const maxLog = 50

// Claim implements exchange.Store. A call that finds nothing to lease commits nothing. A message whose stored bytes are
// damaged or gone would fail at every claim: it is settled as failed, with an audit entry, and not returned.
func (s *Store) Claim(ctx context.Context, claim exchange.Claim) ([]exchange.Job, error) {
	if claim.Lease <= 0 {
		return nil, fmt.Errorf("claiming: a lease of %s ends before it begins", claim.Lease)
	}
	var due bool
	err := s.view(func(tx *bbolt.Tx) error {
		seqs, err := choose(tx, claim)
		due = len(seqs) > 0
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("claiming: %w", err)
	}
	if !due {
		return nil, nil
	}
	var leased []exchange.Message
	err = s.submit(ctx, func(t *transaction) (err error) {
		leased, err = t.lease(claim)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("claiming: %w", err)
	}
	return s.jobs(ctx, leased, claim.Now)
}

// jobs reads the bytes of leased messages.
func (s *Store) jobs(ctx context.Context, leased []exchange.Message, now time.Time) ([]exchange.Job, error) {
	var jobs []exchange.Job
	var lost []exchange.Outcome
	var errs []error
	for _, m := range leased {
		raw, err := s.jobRaw(ctx, m)
		switch {
		case err == nil:
			jobs = append(jobs, exchange.Job{Message: m, Raw: raw})
		case errors.Is(err, exchange.ErrDamaged), errors.Is(err, exchange.ErrNotFound):
			reason := &exchange.Reason{Code: "DamagedBytes", Cause: "the stored bytes cannot be sent: " + err.Error()}
			lost = append(lost, exchange.Outcome{
				Seq: m.Seq, Fence: m.Fence, State: exchange.StateFailed, Reason: reason,
				Attempt: exchange.Attempt{Began: now, Ended: now, Problem: reason.Cause},
				Audit:   []exchange.AuditEntry{{At: now, Actor: "node", Event: "message.failed", Subject: m.MessageID, Detail: reason.Cause}},
			})
		default: // its lease will end, and it is tried again
			errs = append(errs, err)
		}
	}
	if len(lost) > 0 {
		_, err := s.Settle(ctx, lost)
		errs = append(errs, err)
	}
	if err := errors.Join(errs...); err != nil && len(jobs) == 0 {
		return nil, fmt.Errorf("claiming: %w", err)
	}
	return jobs, nil
}

func (s *Store) jobRaw(ctx context.Context, m exchange.Message) (exchange.Content, error) {
	if m.Raw == (exchange.RawRef{}) {
		return bytes.NewReader(nil), nil
	}
	return s.raw.read(ctx, m.Raw)
}

// lease gives the chosen messages to the claim's owner.
func (t *transaction) lease(claim exchange.Claim) ([]exchange.Message, error) {
	seqs, err := choose(t.tx, claim)
	if err != nil {
		return nil, err
	}
	leased := make([]exchange.Message, len(seqs))
	for i, seq := range seqs {
		m, err := loadMessage(t.tx, seq)
		if err != nil {
			return nil, err
		}
		err = t.changeMessage(&m, func(m *exchange.Message) {
			m.State, m.Owner, m.Due = exchange.StateSending, claim.Owner, claim.Now.Add(leaseOf(claim, m.Raw.Size)).UTC()
			m.Attempts++
			m.Fence++
		})
		if err != nil {
			return nil, err
		}
		leased[i] = m
	}
	return leased, nil
}

// leaseOf is how long a message of size bytes is leased.
func leaseOf(claim exchange.Claim, size int64) time.Duration {
	if claim.MinRate <= 0 {
		return claim.Lease
	}
	return claim.Lease + time.Duration(float64(size)/float64(claim.MinRate)*float64(time.Second))
}

// lane is one partner's part of the due queue: where it stands, and how many of the partner's messages are leased.
type lane struct {
	cursor *bbolt.Cursor
	prefix []byte
	key    []byte // the next entry, nil at the end
	live   int
	cap    int // of live
}

// before reports whether l's next message goes before that of other.
func (l *lane) before(other *lane) bool {
	if l.live != other.live {
		return l.live < other.live
	}
	return bytes.Compare(l.key[len(l.prefix):], other.key[len(other.prefix):]) < 0
}

// choose gives the numbers of the messages that the claim gets. Each partner's queue is a range of its own, so that a
// long queue of a partner at its cap costs nothing to pass over.
func choose(tx *bbolt.Tx, claim exchange.Claim) ([]uint64, error) {
	lanes, err := dueLanes(tx, claim)
	if err != nil {
		return nil, err
	}
	var chosen []uint64
	for len(chosen) < claim.Max {
		var first *lane
		for _, l := range lanes {
			if l.key != nil && l.live < l.cap && (first == nil || l.before(first)) {
				first = l
			}
		}
		if first == nil {
			break
		}
		chosen = append(chosen, lastNumber(first.key))
		first.live++
		first.next(claim.Now)
	}
	return chosen, nil
}

// dueLanes gives the lanes of all partners for whom something is due.
func dueLanes(tx *bbolt.Tx, claim exchange.Claim) ([]*lane, error) {
	bucket := tx.Bucket([]byte(bucketDue))
	caps := make(map[string]int, len(claim.Caps))
	for partner, n := range claim.Caps {
		caps[string(part(partner))] = n
	}
	usual := claim.PerPartner
	if usual <= 0 {
		usual = math.MaxInt
	}
	partners := bucket.Cursor()
	var lanes []*lane
	for key, _ := partners.First(); key != nil; {
		prefix, _, err := cutPart(key)
		if err != nil {
			return nil, fmt.Errorf("due queue: %w", err)
		}
		l := &lane{cursor: bucket.Cursor(), prefix: prefix, cap: usual}
		if n, ok := caps[string(prefix)]; ok {
			l.cap = n
		}
		l.key, _ = l.cursor.Seek(prefix)
		if l.stop(claim.Now); l.key != nil {
			l.live = leasedTo(tx, prefix, claim.Now)
			lanes = append(lanes, l)
		}
		key, _ = partners.Seek(after(prefix))
	}
	return lanes, nil
}

func (l *lane) next(now time.Time) {
	l.key, _ = l.cursor.Next()
	l.stop(now)
}

// stop ends the lane at the first entry that is another partner's or not due yet.
func (l *lane) stop(now time.Time) {
	if !bytes.HasPrefix(l.key, l.prefix) || bytes.Compare(l.key[len(l.prefix):], after(instant(now))) > 0 {
		l.key = nil
	}
}

// after is greater than every key of a queue that begins with prefix.
func after(prefix []byte) []byte {
	return append(bytes.Clone(prefix), bytes.Repeat([]byte{0xFF}, instantSize+8+1)...)
}

// leasedTo counts a partner's leases that have not ended. There are no more of them than there are workers.
func leasedTo(tx *bbolt.Tx, partner []byte, now time.Time) int {
	c := tx.Bucket([]byte(bucketLeases)).Cursor()
	n := 0
	for key, _ := c.Seek(after(append(bytes.Clone(partner), instant(now)...))); bytes.HasPrefix(key, partner); key, _ = c.Next() {
		n++
	}
	return n
}

// Settle implements exchange.Store. The states of an ended attempt are those of an outbound message but StateSending;
// another one is an error, and nothing is written.
func (s *Store) Settle(ctx context.Context, outcomes []exchange.Outcome) ([]bool, error) {
	prepared := slices.Clone(outcomes)
	for i := range prepared {
		o := &prepared[i]
		switch o.State {
		case exchange.StateQueued, exchange.StateAwaiting, exchange.StateDelivered, exchange.StateFailed, exchange.StateExpired, exchange.StateCancelled:
		default:
			return nil, fmt.Errorf("settling message %d: state %q does not end an attempt", o.Seq, o.State)
		}
		o.Reason = cloneReason(o.Reason)
		o.Audit = slices.Clone(o.Audit)
	}
	var results []bool
	err := s.submit(ctx, func(t *transaction) (err error) {
		results = make([]bool, len(prepared))
		for i := range prepared {
			if results[i], err = t.settle(&prepared[i]); err != nil {
				return fmt.Errorf("message %d: %w", prepared[i].Seq, err)
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("settling: %w", err)
	}
	return results, nil
}

// settle records an ended attempt if its fence still holds.
func (t *transaction) settle(o *exchange.Outcome) (bool, error) {
	if t.tx.Bucket([]byte(bucketMessages)).Get(number(o.Seq)) == nil {
		return false, nil
	}
	m, err := loadMessage(t.tx, o.Seq)
	if err != nil || m.Owner == "" || m.Fence != o.Fence || m.State != exchange.StateSending && !m.State.Terminal() {
		return false, err
	}
	if m.State.Terminal() { // a signal was faster than the worker: only the attempt is left to tell
		return false, t.changeMessage(&m, func(m *exchange.Message) { m.Owner, m.Log = "", logged(m.Log, o.Attempt) })
	}
	err = t.changeMessage(&m, func(m *exchange.Message) {
		m.Log = logged(m.Log, o.Attempt)
		m.Owner, m.State, m.Reason = "", o.State, nil
		if !o.State.Terminal() {
			m.Due = o.Due.UTC()
			return
		}
		m.Due, m.Settled, m.Reason = time.Time{}, o.Attempt.Ended.UTC(), o.Reason
	})
	if err != nil {
		return false, err
	}
	if err := t.followMessage(&m); err != nil {
		return false, err
	}
	return true, t.audit(o.Audit)
}

// logged adds an attempt to a log, which keeps its newest, and in front of them the last that the partner took if it is older.
func logged(log []exchange.Attempt, a exchange.Attempt) []exchange.Attempt {
	log = append(log, a)
	cut := max(0, len(log)-maxLog)
	kept := log[cut:]
	taken := func(a exchange.Attempt) bool { return a.Status/100 == 2 }
	if slices.ContainsFunc(kept, taken) {
		return kept
	}
	for _, older := range slices.Backward(log[:cut]) {
		if taken(older) {
			return append([]exchange.Attempt{older}, kept[1:]...)
		}
	}
	return kept
}

func checkSettlement(s *exchange.Settlement) error {
	switch s.State {
	case exchange.StateDelivered, exchange.StateFailed, exchange.StateExpired, exchange.StateCancelled:
		return nil
	}
	return fmt.Errorf("settlement of %q: state %q does not end delivery", s.MessageID, s.State)
}

// settleBySignal ends the outbound message that a signal speaks of, and reports whether that changed it.
func (t *transaction) settleBySignal(s *exchange.Settlement, signal string) (bool, error) {
	if s == nil {
		return false, nil
	}
	seq := unique(t.tx, outboundKey(s.MessageID))
	if seq == 0 {
		return false, nil
	}
	m, err := loadMessage(t.tx, seq)
	if err != nil || !settles(s, &m) {
		return false, err
	}
	err = t.changeMessage(&m, func(m *exchange.Message) {
		m.Late = s.State == exchange.StateDelivered && m.State.Terminal()
		// Owner stays: the worker that holds the message has its attempt still to record.
		m.State, m.Reason, m.Due = s.State, s.Reason, time.Time{}
		m.Settled, m.SettledBy = s.At.UTC(), signal
	})
	if err != nil {
		return false, err
	}
	return true, t.followMessage(&m)
}

// settles reports whether a settlement has an effect on m.
func settles(s *exchange.Settlement, m *exchange.Message) bool {
	if m.Partner != s.Partner {
		return false
	}
	switch m.State {
	case exchange.StateFailed, exchange.StateExpired: // acknowledged late
		return s.State == exchange.StateDelivered
	case exchange.StateDelivered:
		if s.State != exchange.StateFailed {
			return false
		}
		if m.SettledBy == "" { // refused after the bytes were taken; one without an attempt went in an HTTP response
			return !m.AckRequired && m.Attempts > 0
		}
		// ebMS 2.0 §9: acknowledged, and not used because those before it did not come.
		return m.Order != nil && s.Reason != nil && s.Reason.Code == exchange.ReasonDeliveryFailure
	}
	return !m.State.Terminal()
}

// followMessage moves the exported certificates that m carries after it.
func (t *transaction) followMessage(m *exchange.Message) error {
	if !m.State.Terminal() {
		return nil
	}
	if m.State != exchange.StateDelivered {
		if err := t.breakOff(m); err != nil {
			return err
		}
	}
	state, from := exchange.CertificateFailed, []exchange.CertificateState{exchange.CertificateReleased, exchange.CertificateSent, exchange.CertificateReceipted}
	if m.State == exchange.StateDelivered {
		state, from = exchange.CertificateSent, []exchange.CertificateState{exchange.CertificateReleased, exchange.CertificateFailed}
		if m.AckRequired {
			state = exchange.CertificateReceipted
		}
	}
	var carried []uint64
	err := descend(t.tx, bucketIDs, idUse(m.MessageID, useCertificate), 0, func(seq uint64) (bool, error) {
		carried = append(carried, seq)
		return true, nil
	})
	for _, seq := range carried {
		err = errors.Join(err, t.changeCertificate(seq, state, from...))
	}
	if e := m.Effect; e != nil {
		state, from := e.Before, e.After
		if m.State == exchange.StateDelivered {
			state, from = from, state
		}
		err = errors.Join(err, t.changeCertificate(e.Certificate, state, from))
	}
	return err
}

// voidLeases makes the messages that a process before held due at once. Their fence rises, though no worker of that
// process can be left.
func (t *transaction) voidLeases(now time.Time) error {
	var held []uint64
	c := t.tx.Bucket([]byte(bucketLeases)).Cursor()
	for key, _ := c.First(); key != nil; key, _ = c.Next() {
		held = append(held, lastNumber(key))
	}
	for _, seq := range held {
		m, err := loadMessage(t.tx, seq)
		if err != nil {
			return err
		}
		err = t.changeMessage(&m, func(m *exchange.Message) {
			m.State, m.Owner, m.Due = exchange.StateQueued, "", now
			m.Fence++
		})
		if err != nil {
			return err
		}
	}
	return nil
}
