package notice

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/ecogate/ecogate/clearance"
)

// Options are a Service's collaborators and paces. Store, Books, Keys, Templates and Now are required.
type Options struct {
	Store clearance.Store
	Books Books
	Keys  Keys
	// Recipients are those that are configured, at each moment; nil for none.
	Recipients func() []Recipient
	// Mailer sends e-mail; nil: nothing goes by mail, and no address can subscribe.
	Mailer *Mailer
	// Poster posts to webhooks; nil: nothing goes there, and no webhook can subscribe.
	Poster    *Poster
	Templates *Templates
	Now       func() time.Time
	// Log gets what an operator should know; nil discards.
	Log *slog.Logger

	// DigestAt is when daily digests go out, after midnight UTC.
	DigestAt time.Duration
	// Suppress is the window in which the same event about the same subject, with the same reasons, is told to a recipient once; 0 for DefaultSuppress.
	Suppress time.Duration
	// MaxQueue is how many notices may wait for one recipient; what comes on top is not filed, and an operator is told. 0 for DefaultMaxQueue.
	MaxQueue int
	// RetryFirst is the wait after a first failed attempt, doubled after each further one up to RetryMax. GiveUp is the age at which a notice is
	// not tried any more. 0 for the defaults.
	RetryFirst, RetryMax, GiveUp time.Duration
	// Refusals in a row after which an address counts as failed; 0 for DefaultRefusals. DisableAfter is how long a webhook may fail until it is
	// disabled; 0 for DefaultDisableAfter.
	Refusals     int
	DisableAfter time.Duration
	// Keep is how long notices that ended are kept; 0 for DefaultKeep.
	Keep time.Duration
	// Poll is the longest wait for entries and due notices; 0 for DefaultPoll.
	Poll time.Duration
}

// Defaults of Options.
const (
	DefaultSuppress     = time.Hour
	DefaultMaxQueue     = 1000
	DefaultRetryFirst   = time.Minute
	DefaultRetryMax     = time.Hour
	DefaultGiveUp       = 3 * 24 * time.Hour
	DefaultRefusals     = 3
	DefaultDisableAfter = 3 * 24 * time.Hour
	DefaultKeep         = 30 * 24 * time.Hour
	DefaultPoll         = 2 * time.Second
)

// workers bounds the recipients that are attended to at the same time, on each channel by itself: webhooks that hang leave the mail alone.
const workers = 8

// Service makes notices of the audit log and sends them. It is safe for concurrent use.
type Service struct {
	Options
	wake chan struct{}
	// filing is held from reading dockets to filing what was made of them, so that the loops of one process do not undo each other's work; other
	// processes show as clearance.ErrChanged.
	filing sync.Mutex
	// stuck is the entry that could not be read last time, and how often.
	stuck struct {
		seq   uint64
		times int
	}
	busy     busy
	slots    map[Channel]chan struct{}
	attended sync.WaitGroup
}

// New returns a service that does nothing before Run, Follow or Send.
func New(o Options) (*Service, error) {
	if o.Store == nil || o.Books == nil || o.Keys == nil || o.Templates == nil || o.Now == nil {
		return nil, errors.New("notice: Options.Store, Books, Keys, Templates and Now are required")
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Recipients == nil {
		o.Recipients = func() []Recipient { return nil }
	}
	standing := func(d *time.Duration, otherwise time.Duration) {
		if *d == 0 {
			*d = otherwise
		}
	}
	standing(&o.Suppress, DefaultSuppress)
	standing(&o.RetryFirst, DefaultRetryFirst)
	standing(&o.RetryMax, DefaultRetryMax)
	standing(&o.GiveUp, DefaultGiveUp)
	standing(&o.DisableAfter, DefaultDisableAfter)
	standing(&o.Keep, DefaultKeep)
	standing(&o.Poll, DefaultPoll)
	if o.MaxQueue == 0 {
		o.MaxQueue = DefaultMaxQueue
	}
	if o.Refusals == 0 {
		o.Refusals = DefaultRefusals
	}
	return &Service{
		Options: o, wake: make(chan struct{}, 1), busy: busy{recipients: map[string]bool{}},
		slots: map[Channel]chan struct{}{Mail: make(chan struct{}, workers), Webhook: make(chan struct{}, workers)},
	}, nil
}

// Wake has Run look for work now.
func (s *Service) Wake() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// Run follows the log and sends until ctx ends, then waits for the attempts under way, which end with ctx. What fails is in the log and is tried again.
func (s *Service) Run(ctx context.Context) {
	defer s.attended.Wait()
	tick := time.NewTicker(s.Poll)
	defer tick.Stop()
	var swept time.Time
	for {
		s.told(ctx, "audit log not followed", s.Follow(ctx))
		s.told(ctx, "notices not sent", s.dispatch(ctx))
		if now := s.Now(); now.Sub(swept) >= time.Hour || now.Before(swept) {
			s.told(ctx, "old notices not removed", s.Sweep(ctx))
			swept = now
		}
		select {
		case <-tick.C:
		case <-s.wake:
		case <-ctx.Done():
			return
		}
	}
}

// told logs an error that is not the end of ctx.
func (s *Service) told(ctx context.Context, what string, err error) {
	if err != nil && ctx.Err() == nil {
		s.Log.Error(what, "error", err)
	}
}

// tries is how often something is decided anew because others were faster.
const tries = 5

// again calls do until it does not meet what others have changed.
func (s *Service) again(do func() error) (err error) {
	for range tries {
		s.filing.Lock()
		err = do()
		s.filing.Unlock()
		if !errors.Is(err, clearance.ErrChanged) {
			return err
		}
	}
	return err
}

// held is a docket with its value.
type held[T any] struct {
	docket clearance.Docket
	value  T
}

// read takes the value out of a docket.
func read[T any](d clearance.Docket) (held[T], error) {
	h := held[T]{docket: d}
	if err := json.Unmarshal(d.Value, &h.value); err != nil {
		return h, fmt.Errorf("%s %q: %w", d.Kind, d.ID, err)
	}
	return h, nil
}

// one reads the docket with an id; found is false, and the docket a new one, if there is none.
func one[T any](ctx context.Context, store clearance.Store, kind clearance.Kind, id string) (h held[T], found bool, err error) {
	list, err := store.Dockets(ctx, clearance.DocketQuery{Kind: kind, ID: id, Limit: 1})
	if err != nil {
		return h, false, err
	}
	if len(list) == 0 {
		h.docket = clearance.Docket{Kind: kind, ID: id}
		return h, false, nil
	}
	h, err = read[T](list[0])
	return h, err == nil, err
}

// all reads every docket that matches, in the order of filing.
func all[T any](ctx context.Context, store clearance.Store, q clearance.DocketQuery) (out []held[T], err error) {
	q.Limit = pageSize
	for {
		list, err := store.Dockets(ctx, q)
		if err != nil {
			return nil, err
		}
		for _, d := range list {
			h, err := read[T](d)
			if err != nil {
				return nil, err
			}
			out = append(out, h)
			q.After = d.Filed
		}
		if len(list) < pageSize {
			return out, nil
		}
	}
}

// accounts are those of all recipients.
func (s *Service) accounts(ctx context.Context) ([]held[account], error) {
	return all[account](ctx, s.Store, clearance.DocketQuery{Kind: kindAccount})
}

// written is the docket with its value as it is now.
func (h held[T]) written() (clearance.Docket, error) {
	value, err := json.Marshal(h.value)
	if err != nil {
		return clearance.Docket{}, fmt.Errorf("%s %q: %w", h.docket.Kind, h.docket.ID, err)
	}
	d := h.docket
	d.Value = value
	return d, nil
}

// entry is what the audit log is told of what the node does by itself.
func (s *Service) entry(event, subject, detail string) clearance.Happening {
	return clearance.Happening{At: s.Now().UTC(), Actor: "node", Event: event, Subject: subject, Detail: line(detail, maxDetail)}
}
