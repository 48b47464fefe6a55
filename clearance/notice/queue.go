package notice

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/ecogate/ecogate/clearance"
)

// Bounds of one turn of one recipient.
const (
	maxDue    = 5000 // notices that are looked at
	maxSingle = 20   // that go out one by one
	maxDigest = 100  // that go into one digest
)

// lease is how long an attempt may take before it is begun again: longer than any turn.
const lease = 30 * time.Minute

// class says what an attempt that failed means.
type class int

const (
	temporary class = iota // it may succeed later
	setup                  // it may succeed when the operator has mended something; all of the channel is concerned
	refused                // this notice was refused for good, and its address with it
	unusable               // this notice was refused for good, which says nothing of the address
	gone                   // the recipient wants nothing any more
)

// failure is an attempt that failed.
type failure struct {
	class class
	err   error
	after time.Duration // at least to be waited; 0 says nothing
}

func (f *failure) Error() string { return f.err.Error() }
func (f *failure) Unwrap() error { return f.err }

// busy are the recipients that are attended to.
type busy struct {
	sync.Mutex
	recipients map[string]bool
}

func (b *busy) take(id string) bool {
	b.Lock()
	defer b.Unlock()
	if b.recipients[id] {
		return false
	}
	b.recipients[id] = true
	return true
}

func (b *busy) leave(id string) {
	b.Lock()
	defer b.Unlock()
	delete(b.recipients, id)
}

// Send attempts everything that is due, and returns when that is done.
func (s *Service) Send(ctx context.Context) error {
	err := s.dispatch(ctx)
	s.attended.Wait()
	return err
}

// dispatch begins to attend to each recipient for whom something is due, and is not attended to. A recipient that has to wait for a slot does so
// in a later call, so that none is waited for here.
func (s *Service) dispatch(ctx context.Context) error {
	due, err := s.Store.Dockets(ctx, clearance.DocketQuery{Kind: KindNotice, DueBy: s.Now(), Limit: maxDue})
	if err != nil {
		return err
	}
	var order []string
	byRecipient := map[string][]held[Notice]{}
	for _, d := range due {
		h, err := read[Notice](d)
		if err != nil {
			return err
		}
		id := h.value.Recipient
		if _, ok := byRecipient[id]; !ok {
			order = append(order, id)
		}
		byRecipient[id] = append(byRecipient[id], h)
	}
	for _, id := range order {
		list := byRecipient[id]
		slot := s.slots[list[0].value.Channel]
		if slot == nil || !s.busy.take(id) {
			continue
		}
		select {
		case slot <- struct{}{}:
		default:
			s.busy.leave(id)
			continue
		}
		s.attended.Go(func() {
			defer func() {
				<-slot
				s.busy.leave(id)
			}()
			more, err := s.attend(ctx, id, list)
			s.told(ctx, "notices of "+id+" not sent", err)
			if more && err == nil {
				s.Wake()
			}
		})
	}
	return nil
}

// attend makes one turn of one recipient. more: it was not all.
func (s *Service) attend(ctx context.Context, id string, list []held[Notice]) (more bool, err error) {
	r, err := s.recipientOf(ctx, id, list[0].value)
	if errors.Is(err, ErrUnknown) {
		return false, s.dropAll(ctx, id, "the recipient is not there any more")
	}
	if err != nil {
		return false, err
	}
	limit := maxSingle
	if list[0].value.Digest {
		limit = maxDigest
	}
	at := slices.IndexFunc(list, func(h held[Notice]) bool { return h.value.Digest != list[0].value.Digest })
	if at < 0 {
		at = len(list)
	}
	turn := list[:min(at, limit)]
	if turn, err = s.claim(ctx, turn); err != nil || len(turn) == 0 {
		return false, err
	}
	results := s.deliver(ctx, r, turn)
	// What was sent has to be known even though the node stops.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	return len(turn) < len(list), s.settle(ctx, r, turn, results)
}

// recipientOf finds the recipient; a notice that somebody asked for goes to its own address.
func (s *Service) recipientOf(ctx context.Context, id string, n Notice) (Recipient, error) {
	if n.Entry == 0 {
		return Recipient{ID: id, Language: n.Language, Address: n.Address}, nil
	}
	return s.recipient(ctx, id)
}

// claim makes it durable that attempts begin, before they do: after a crash in an attempt that repeats itself the notice still comes to its end.
func (s *Service) claim(ctx context.Context, turn []held[Notice]) (claimed []held[Notice], err error) {
	err = s.again(func() error {
		claimed = nil
		f := s.newFiling()
		for _, h := range turn {
			now, found, err := one[Notice](ctx, s.Store, KindNotice, h.docket.ID)
			if err != nil {
				return err
			}
			if !found || now.value.State != Queued || now.value.Next.After(s.Now()) {
				continue
			}
			now.value.Attempts++
			now.value.Next = s.Now().Add(lease).UTC()
			f.put(now)
			claimed = append(claimed, now)
		}
		return f.commit(ctx)
	})
	return claimed, err
}

// deliver attempts a turn and gives a result for each notice: nil for sent. After one that has to wait the others wait with it.
func (s *Service) deliver(ctx context.Context, r Recipient, turn []held[Notice]) []error {
	notices := make([]Notice, len(turn))
	for i, h := range turn {
		notices[i] = h.value
	}
	switch {
	case r.channel() == Webhook && s.Poster != nil:
		return s.Poster.deliver(ctx, r, notices)
	case r.channel() == Mail && s.Mailer != nil:
		return s.mail(ctx, r, notices)
	}
	return same(len(turn), &failure{setup, errors.New("this node sends none: notices.mail is not configured"), 0})
}

// same is one error for each of n.
func same(n int, err error) []error {
	out := make([]error, n)
	for i := range out {
		out[i] = err
	}
	return out
}

// mail composes and sends: a digest as one message, single notices as one each over one connection.
func (s *Service) mail(ctx context.Context, r Recipient, notices []Notice) []error {
	if notices[0].Digest {
		l, err := s.Templates.digest(notices, r.Language)
		if err != nil {
			return same(len(notices), &failure{unusable, err, 0})
		}
		l.id = notices[0].Mark()
		return same(len(notices), s.Mailer.send(ctx, r, []letter{l})[0])
	}
	results := make([]error, len(notices))
	var letters []letter
	var at []int
	for i, n := range notices {
		l, err := s.Templates.single(n, r.Language)
		if err != nil {
			results[i] = &failure{unusable, err, 0}
			continue
		}
		l.id = n.Mark()
		letters, at = append(letters, l), append(at, i)
	}
	for j, err := range s.Mailer.send(ctx, r, letters) {
		results[at[j]] = err
	}
	return results
}

// settle records what became of a turn.
func (s *Service) settle(ctx context.Context, r Recipient, turn []held[Notice], results []error) error {
	var dropped string
	err := s.again(func() error {
		dropped = ""
		f := s.newFiling()
		for i, h := range turn {
			now, found, err := one[Notice](ctx, s.Store, KindNotice, h.docket.ID)
			if err != nil {
				return err
			}
			if !found || now.value.State != Queued {
				continue
			}
			a, err := f.account(ctx, now.value.Recipient, now.value.Channel, now.value.Address)
			if err != nil {
				return err
			}
			if why := s.ended(f, a, &now.value, results[i]); why != "" {
				dropped = why
			}
			f.put(now)
		}
		if err := s.channel(ctx, f, r.channel(), results); err != nil {
			return err
		}
		return f.commit(ctx)
	})
	if err != nil || dropped == "" {
		return err
	}
	return s.dropAll(ctx, r.ID, dropped)
}

// ended is what an attempt makes of a notice and its account. It returns why everything else that waits for the recipient is given up, if it is.
func (s *Service) ended(f *filing, a *account, n *Notice, result error) (dropped string) {
	now := s.Now().UTC()
	end := func(state State) {
		n.State, n.Ended, n.Next = state, now, time.Time{}
		a.Queued = max(a.Queued-1, 0)
		n.Facts.Code = ""
	}
	if result == nil {
		n.Problem = ""
		end(Sent)
		a.Refusals, a.Failing, a.Problem, a.LastSent = 0, time.Time{}, "", now
		return ""
	}
	failed := &failure{class: temporary, err: result}
	errors.As(result, &failed)
	n.Problem = line(result.Error(), maxDetail)
	a.Problem = n.Problem
	if a.Failing.IsZero() {
		a.Failing = now
	}
	fail := func(event, detail string) {
		if a.Failed.IsZero() {
			a.Failed = now
			f.batch.Audit = append(f.batch.Audit, s.entry(event, n.Recipient, detail))
		}
		dropped = detail
	}
	switch failed.class {
	case unusable:
		end(Failed)
	case refused:
		end(Failed)
		if a.Refusals++; n.Entry != 0 && a.Refusals >= s.Refusals {
			fail(EntryAddressFailed, fmt.Sprintf("%s was refused %d times in a row, at last: %s", a.Address, a.Refusals, n.Problem))
		}
	case gone:
		end(Failed)
		fail(EntryWebhookDisabled, a.Address+" wants no more: "+n.Problem)
	case temporary, setup:
		if now.Sub(n.Filed) >= s.GiveUp {
			end(Failed)
		} else {
			n.Next = now.Add(max(s.backoff(n.Attempts), failed.after))
		}
		if n.Channel == Webhook && failed.class == temporary && now.Sub(a.Failing) >= s.DisableAfter {
			fail(EntryWebhookDisabled, fmt.Sprintf("%s fails since %s, at last: %s", a.Address, a.Failing.Format(time.RFC3339), n.Problem))
		}
	}
	return dropped
}

// backoff is the wait after so many attempts.
func (s *Service) backoff(attempts int) time.Duration {
	wait := s.RetryFirst
	for range attempts - 1 {
		if wait *= 2; wait >= s.RetryMax {
			return s.RetryMax
		}
	}
	return min(wait, s.RetryMax)
}

// channelState is how a way out does, all recipients together.
type channelState struct {
	// Failing is since when nobody could be reached on it, for a reason that an operator has to mend, or that lasts; Told whether the audit log knows.
	Failing time.Time `json:"failing,omitzero"`
	Told    bool      `json:"told,omitempty"`
	Problem string    `json:"problem,omitempty"`
}

// tellAfter is how long the mail server may be away until an operator is told.
const tellAfter = 15 * time.Minute

// channel notes how the mail server does, and tells the audit log once when it fails: at once if only an operator can mend it. Webhooks have
// nothing in common that could fail.
func (s *Service) channel(ctx context.Context, f *filing, c Channel, results []error) error {
	if c != Mail {
		return nil
	}
	h, found, err := one[channelState](ctx, s.Store, kindChannel, string(c))
	if err != nil {
		return err
	}
	before, now := h.value, s.Now().UTC()
	for _, result := range results {
		failed := &failure{class: temporary, err: result}
		errors.As(result, &failed)
		if result == nil || failed.class == refused || failed.class == unusable { // the server has taken it, or looked at it
			h.value = channelState{}
			continue
		}
		if h.value.Failing.IsZero() {
			h.value.Failing = now
		}
		h.value.Problem = line(result.Error(), maxDetail)
		if !h.value.Told && (failed.class == setup || now.Sub(h.value.Failing) >= tellAfter) {
			h.value.Told = true
			f.batch.Audit = append(f.batch.Audit, s.entry(EntryChannelFailing, string(c), h.value.Problem))
		}
	}
	if h.value == before && (found || before == (channelState{})) {
		return nil
	}
	d, err := h.written()
	if err == nil {
		f.batch.Dockets = append(f.batch.Dockets, d)
	}
	return err
}

// dropAll gives up everything that waits for a recipient.
func (s *Service) dropAll(ctx context.Context, id, why string) error {
	for {
		more := false
		err := s.again(func() error {
			list, err := s.Store.Dockets(ctx, clearance.DocketQuery{Kind: KindNotice, Term: termState(Queued) + " " + termRecipient(id), Limit: pageSize})
			if err != nil || len(list) == 0 {
				more = false
				return err
			}
			f := s.newFiling()
			for _, d := range list {
				h, err := read[Notice](d)
				if err != nil {
					return err
				}
				a, err := f.account(ctx, id, h.value.Channel, h.value.Address)
				if err != nil {
					return err
				}
				a.Queued = max(a.Queued-1, 0)
				h.value.State, h.value.Ended, h.value.Next, h.value.Problem = Dropped, s.Now().UTC(), time.Time{}, line(why, maxDetail)
				f.put(h)
			}
			more = true
			return f.commit(ctx)
		})
		if err != nil || !more {
			return err
		}
	}
}

// Sweep removes notices that ended longer ago than Keep, and subscriptions that nobody confirmed in time.
func (s *Service) Sweep(ctx context.Context) error {
	var after uint64
	for {
		list, err := s.Store.Dockets(ctx, clearance.DocketQuery{Kind: KindNotice, After: after, Limit: pageSize})
		if err != nil {
			return err
		}
		var drop []clearance.DocketName
		for _, d := range list {
			after = d.Filed
			h, err := read[Notice](d)
			if err != nil {
				return err
			}
			if h.value.State != Queued && s.Now().Sub(h.value.Ended) >= s.Keep {
				drop = append(drop, d.Name())
			}
		}
		if len(drop) > 0 {
			if err := s.Store.File(ctx, clearance.Batch{Drop: drop}); err != nil && !errors.Is(err, clearance.ErrChanged) {
				return err
			}
		}
		if len(list) < pageSize {
			break
		}
	}
	if err := s.sweepSubscriptions(ctx); err != nil {
		return err
	}
	return s.sweepAccounts(ctx)
}

// sweepAccounts removes those of recipients that are gone.
func (s *Service) sweepAccounts(ctx context.Context) error {
	return s.again(func() error {
		accounts, err := s.accounts(ctx)
		if err != nil {
			return err
		}
		var drop []clearance.DocketName
		for _, h := range accounts {
			_, err := s.recipient(ctx, h.docket.ID)
			if err != nil && !errors.Is(err, ErrUnknown) {
				return err
			}
			if err != nil && h.value.Queued == 0 {
				drop = append(drop, h.docket.Name())
			}
		}
		if len(drop) == 0 {
			return nil
		}
		return s.Store.File(ctx, clearance.Batch{Drop: drop})
	})
}
