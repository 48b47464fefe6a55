package notice

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/ecogate/ecogate/clearance"
)

// Query selects notices; zero fields do not restrict.
type Query struct {
	State     State
	Recipient string
	// After returns only those that were filed after the one with this id, for paging. Limit defaults to 100.
	After string
	Limit int
}

// Notices are those that match, oldest first. Codes are left out.
func (s *Service) Notices(ctx context.Context, q Query) ([]Notice, error) {
	query := clearance.DocketQuery{Kind: KindNotice, Limit: q.Limit}
	switch {
	case q.State != "" && q.Recipient != "":
		query.Term = termState(q.State) + " " + termRecipient(q.Recipient)
	case q.State != "":
		query.Term = termState(q.State)
	case q.Recipient != "":
		query.Term = termRecipient(q.Recipient)
	}
	if q.After != "" {
		last, found, err := one[Notice](ctx, s.Store, KindNotice, q.After)
		if err != nil {
			return nil, err
		}
		if !found {
			return nil, fmt.Errorf("%w: notice %q", ErrUnknown, line(q.After, maxName))
		}
		query.After = last.docket.Filed
	}
	list, err := s.Store.Dockets(ctx, query)
	if err != nil {
		return nil, err
	}
	out := []Notice{}
	for _, d := range list {
		h, err := read[Notice](d)
		if err != nil {
			return nil, err
		}
		out = append(out, h.value.shown())
	}
	return out, nil
}

func (n Notice) shown() Notice {
	n.Facts.Code = ""
	return n
}

// Retry has a notice that failed, or was dropped, sent again now, and one that waits too. Its recipient counts as new: what failed there before is forgotten.
func (s *Service) Retry(ctx context.Context, actor, id string) (out Notice, err error) {
	err = s.again(func() error {
		h, found, err := one[Notice](ctx, s.Store, KindNotice, id)
		switch {
		case err != nil:
			return err
		case !found:
			return fmt.Errorf("%w: notice %q", ErrUnknown, line(id, maxName))
		case h.value.State == Sent:
			return fmt.Errorf("%w: notice %q was sent", ErrInvalid, id)
		case h.value.Event == AddressConfirm && h.value.Facts.Code == "":
			return fmt.Errorf("%w: the code of notice %q is not known any more; subscribe again", ErrInvalid, id)
		}
		f := s.newFiling()
		a, err := f.account(ctx, h.value.Recipient, h.value.Channel, h.value.Address)
		if err != nil {
			return err
		}
		a.Failed, a.Failing, a.Refusals, a.Problem = time.Time{}, time.Time{}, 0, ""
		if h.value.State != Queued {
			a.Queued++
		}
		now := s.Now().UTC()
		h.value.State, h.value.Next, h.value.Ended, h.value.Attempts, h.value.Filed = Queued, now, time.Time{}, 0, now
		f.put(h)
		f.batch.Audit = append(f.batch.Audit, clearance.Happening{At: now, Actor: actor, Event: EntryRetried, Subject: id, Detail: "to " + h.value.Address})
		out = h.value.shown()
		return f.commit(ctx)
	})
	s.Wake()
	return out, err
}

// Test sends a mail to an address now, and says what the mail server made of it. It is kept nowhere but in the audit log.
func (s *Service) Test(ctx context.Context, actor, address, language string) error {
	if s.Mailer == nil {
		return fmt.Errorf("%w: this node sends no e-mail: notices.mail is not configured", ErrInvalid)
	}
	if err := CheckAddress(address); err != nil {
		return fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	if language == "" {
		language = Fallback
	}
	if !slices.Contains(s.Templates.Languages(), language) {
		return fmt.Errorf("%w: language %q is not one of %q", ErrInvalid, line(language, maxName), s.Templates.Languages())
	}
	now := s.Now().UTC()
	l, err := s.Templates.single(Notice{At: now, Event: TestNotice}, language)
	if err != nil {
		return err
	}
	l.id = "test-" + rand.Text()
	entry := clearance.Happening{At: now, Actor: actor, Event: EntryTested, Subject: address}
	if err := s.Store.File(ctx, clearance.Batch{Audit: []clearance.Happening{entry}}); err != nil {
		return err
	}
	if err := s.Mailer.send(ctx, Recipient{ID: "test", Address: address}, []letter{l})[0]; err != nil {
		return fmt.Errorf("%w: %w", ErrNotSent, err)
	}
	return nil
}

// ErrNotSent: the mail server did not take a mail; the text says why.
var ErrNotSent = errors.New("mail was not sent")

// Counts are how many notices wait and how many recipients have failed, on each way out, and the time of the earliest that is due.
type Counts struct {
	Queued, Failed map[Channel]int
	Earliest       time.Time
}

// Counts reads the accounts of all recipients.
func (s *Service) Counts(ctx context.Context) (Counts, error) {
	c := Counts{Queued: map[Channel]int{Mail: 0, Webhook: 0}, Failed: map[Channel]int{Mail: 0, Webhook: 0}}
	accounts, err := s.accounts(ctx)
	if err != nil {
		return c, err
	}
	for _, h := range accounts {
		c.Queued[h.value.Channel] += h.value.Queued
		if !h.value.Failed.IsZero() {
			c.Failed[h.value.Channel]++
		}
	}
	next, err := s.Store.Dockets(ctx, clearance.DocketQuery{Kind: KindNotice, DueBy: s.Now().Add(100 * 365 * 24 * time.Hour), Limit: 1})
	if err == nil && len(next) > 0 {
		c.Earliest = next[0].Due
	}
	return c, err
}
