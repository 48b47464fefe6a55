package bolt

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"go.etcd.io/bbolt"

	"github.com/ecogate/ecogate/exchange"
)

var _ exchange.Keeper = (*Store)(nil)

// expulsion is an Expulsion made ready in the caller's goroutine.
type expulsion struct {
	exchange.Expulsion
	reply *departure
}

// Expel implements exchange.Keeper. MaxBytes does not stop it, since it ends messages. A message that was expelled keeps its
// MessageID, so that its copies are copies, and gives up its place in the conversation, which another message may take; Settled tells
// when it was expelled. Its certificate is refused only if no other message brought it meanwhile. Without a Reply its copies get none.
func (s *Store) Expel(ctx context.Context, expulsions []exchange.Expulsion) ([]bool, error) {
	in := &intake{store: s}
	prepared := make([]expulsion, len(expulsions))
	for i := range expulsions {
		e := expulsion{Expulsion: expulsions[i]}
		e.Audit = slices.Clone(e.Audit)
		if e.Expulsion.Reply != nil {
			reply, err := in.reply(ctx, e.Expulsion.Reply)
			if err != nil {
				in.letGo()
				return nil, fmt.Errorf("expelling message %d: %w", e.Seq, err)
			}
			e.reply = reply
		}
		prepared[i] = e
	}
	var results []bool
	err := in.submit(ctx, func(t *transaction) (err error) {
		results = make([]bool, len(prepared))
		for i := range prepared {
			if results[i], err = t.expel(&prepared[i]); err != nil {
				return fmt.Errorf("message %d: %w", prepared[i].Seq, err)
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("expelling: %w", err)
	}
	return results, nil
}

func (t *transaction) expel(e *expulsion) (bool, error) {
	if t.tx.Bucket([]byte(bucketMessages)).Get(number(e.Seq)) == nil {
		return false, nil
	}
	m, err := loadMessage(t.tx, e.Seq)
	if err != nil || m.State != exchange.StateReceived {
		return false, err
	}
	held, err := t.leave(&m)
	if err != nil {
		return false, err
	}
	reply := uint64(0)
	if e.reply != nil {
		if reply, err = t.reply(e.reply, false, e.At); err != nil {
			return false, fmt.Errorf("reply: %w", err)
		}
	}
	err = t.changeMessage(&m, func(m *exchange.Message) {
		m.State, m.Reason, m.Settled, m.Reply = exchange.StateQuarantined, cloneReason(&e.Reason), e.At.UTC(), reply
	})
	if err != nil {
		return false, err
	}
	if held != nil && held.Message == m.MessageID && held.Partner == m.Partner {
		if err := t.changeCertificate(held.Seq, exchange.CertificateRefused, exchange.CertificateReceived); err != nil {
			return false, err
		}
	}
	return true, t.audit(e.Audit)
}

// SetPause implements exchange.Keeper. MaxBytes does not stop it.
func (s *Store) SetPause(ctx context.Context, pause exchange.Pause, audit []exchange.AuditEntry) error {
	if pause.Partner == "" {
		return errors.New("pausing deliveries: a pause needs a partner")
	}
	audit = slices.Clone(audit)
	ends := pause.Since.IsZero()
	pause.Since = pause.Since.UTC()
	err := s.submit(ctx, func(t *transaction) error {
		var err error
		if ends {
			err = t.tx.Bucket([]byte(bucketPauses)).Delete(part(pause.Partner))
		} else {
			err = t.putKeyed(bucketPauses, part(pause.Partner), &pause)
		}
		return errors.Join(err, t.audit(audit))
	})
	if err != nil {
		return fmt.Errorf("pausing deliveries to %q: %w", pause.Partner, err)
	}
	return nil
}

// Pauses implements exchange.Keeper.
func (s *Store) Pauses(ctx context.Context) ([]exchange.Pause, error) {
	var pauses []exchange.Pause
	err := s.view(func(tx *bbolt.Tx) error {
		return tx.Bucket([]byte(bucketPauses)).ForEach(func(key, _ []byte) error {
			var p exchange.Pause
			if _, err := loadKeyed(tx, bucketPauses, key, &p); err != nil {
				return err
			}
			pauses = append(pauses, p)
			return ctx.Err()
		})
	})
	if err != nil {
		return nil, fmt.Errorf("reading pauses: %w", err)
	}
	slices.SortFunc(pauses, func(a, b exchange.Pause) int { return cmp.Compare(a.Partner, b.Partner) })
	return pauses, nil
}

// Change implements exchange.Keeper. MaxBytes does not stop it.
func (s *Store) Change(ctx context.Context, changes []exchange.Change, audit []exchange.AuditEntry) error {
	own, err := cloneChanges(changes)
	if err != nil {
		return err
	}
	audit = slices.Clone(audit)
	fit := true
	err = s.submit(ctx, func(t *transaction) (err error) {
		if fit, err = t.fit(own); err != nil || !fit {
			return err
		}
		return errors.Join(t.change(own), t.audit(audit))
	})
	if err == nil && !fit {
		err = exchange.ErrChanged
	}
	if err != nil {
		return fmt.Errorf("changing certificates: %w", err)
	}
	return nil
}
