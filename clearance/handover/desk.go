package handover

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/ecogate/ecogate/clearance"
)

// Options are a desk's collaborators and times. Store, Vault, Documents and Now are required.
type Options struct {
	Store     clearance.Store
	Vault     Vault
	Documents Documents
	// Deliverer is the way to the customs system; nil keeps parcels until it fetches them.
	Deliverer Deliverer
	// Now is the clock.
	Now func() time.Time
	// Log gets a line for each delivery, confirmation and refusal; nil discards.
	Log *slog.Logger
	// Jitter gives numbers in [0,1); nil for random ones.
	Jitter func() float64
	// Point is called at the places where a crash is tested; nil is allowed.
	Point func(name string)
	// Times are how long things take; a zero one has its default.
	Times Times
}

// Times are how long things take.
type Times struct {
	// Poll is the longest wait for due work that was not announced.
	Poll time.Duration
	// Timeout bounds one delivery, and one question.
	Timeout time.Duration
	// Resend is after how long a parcel is delivered again that was not confirmed.
	Resend time.Duration
	// Inquire is the time between two questions whether it was, for an Inquirer.
	Inquire time.Duration
	// BackoffMax is the longest wait after failures in a row.
	BackoffMax time.Duration
	// Keep is how long the octets of a parcel are kept after its confirmation.
	Keep time.Duration
}

// DefaultTimes are those of Options.Times.
func DefaultTimes() Times {
	return Times{
		Poll: time.Second, Timeout: time.Minute, Resend: time.Hour, Inquire: time.Minute, BackoffMax: 15 * time.Minute, Keep: 30 * 24 * time.Hour,
	}
}

func (t Times) withDefaults() Times {
	d := DefaultTimes()
	for _, p := range []struct{ value, other *time.Duration }{
		{&t.Poll, &d.Poll}, {&t.Timeout, &d.Timeout}, {&t.Resend, &d.Resend}, {&t.Inquire, &d.Inquire}, {&t.BackoffMax, &d.BackoffMax}, {&t.Keep, &d.Keep},
	} {
		if *p.value == 0 {
			*p.value = *p.other
		}
	}
	return t
}

// Desk hands over what was filed. It is safe for concurrent use.
type Desk struct {
	Options
	wake chan struct{}
	// looking is held by who works on the queue, so that nothing is delivered twice at a time.
	looking sync.Mutex
}

// New returns a desk.
func New(o Options) (*Desk, error) {
	if o.Store == nil || o.Vault == nil || o.Documents == nil || o.Now == nil {
		return nil, errors.New("handover: Options.Store, Vault, Documents and Now are required")
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Jitter == nil {
		o.Jitter = rand.Float64
	}
	if o.Point == nil {
		o.Point = func(string) {}
	}
	o.Times = o.Times.withDefaults()
	return &Desk{Options: o, wake: make(chan struct{}, 1)}, nil
}

// Wake has Run look at once: something was filed.
func (d *Desk) Wake() {
	select {
	case d.wake <- struct{}{}:
	default:
	}
}

// Query selects handovers; zero fields do not restrict, and at most one of State, Declaration and Certificate is set.
type Query struct {
	State       State
	Declaration string
	Certificate clearance.Key
	// After returns only those with a greater Listed.Number, for paging. Limit defaults to 100.
	After uint64
	Limit int
}

// Listed is a handover in a list.
type Listed struct {
	// Number rises in the order of filing.
	Number uint64 `json:"number"`
	Handover
}

// List returns handovers that match, in the order of their filing.
func (d *Desk) List(ctx context.Context, q Query) ([]Listed, error) {
	query := clearance.DocketQuery{Kind: Kind, After: q.After, Limit: q.Limit}
	switch {
	case q.State != "":
		query.Term = termState(q.State)
	case q.Declaration != "":
		query.Term = TermDeclaration(q.Declaration)
	case q.Certificate != clearance.Key{}:
		query.Term = TermCertificate(q.Certificate)
	}
	dockets, err := d.Store.Dockets(ctx, query)
	if err != nil {
		return nil, fmt.Errorf("handovers: %w", err)
	}
	list := make([]Listed, 0, len(dockets))
	for _, docket := range dockets {
		h, err := read(docket)
		if err != nil {
			return nil, err
		}
		list = append(list, Listed{docket.Filed, h})
	}
	return list, nil
}

// Counts are the handovers in each state but confirmed.
func (d *Desk) Counts(ctx context.Context) (map[State]int, error) {
	counts := map[State]int{}
	for _, state := range []State{StateWaiting, StateDelivered, StateRefused} {
		counts[state] = 0
		err := d.each(ctx, state, func(clearance.Docket) error {
			counts[state]++
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	return counts, nil
}

// each visits the handovers in a state.
func (d *Desk) each(ctx context.Context, state State, visit func(clearance.Docket) error) error {
	const page = 500
	for after := uint64(0); ; {
		dockets, err := d.Store.Dockets(ctx, clearance.DocketQuery{Kind: Kind, Term: termState(state), After: after, Limit: page})
		if err != nil {
			return fmt.Errorf("handovers: %w", err)
		}
		for _, docket := range dockets {
			if err := visit(docket); err != nil {
				return err
			}
			after = docket.Filed
		}
		if len(dockets) < page {
			return nil
		}
	}
}

// Get is one handover. The error wraps clearance.ErrNotFound if there is none with the ID.
func (d *Desk) Get(ctx context.Context, id string) (Handover, error) {
	docket, err := d.docket(ctx, Kind, id)
	if err != nil {
		return Handover{}, err
	}
	return read(docket)
}

func (d *Desk) docket(ctx context.Context, kind clearance.Kind, id string) (clearance.Docket, error) {
	if id == "" {
		return clearance.Docket{}, fmt.Errorf("%s without an id: %w", kind, clearance.ErrNotFound)
	}
	found, err := d.Store.Dockets(ctx, clearance.DocketQuery{Kind: kind, ID: id, Limit: 1})
	switch {
	case err != nil:
		return clearance.Docket{}, fmt.Errorf("%s %s: %w", kind, id, err)
	case len(found) == 0:
		return clearance.Docket{}, fmt.Errorf("%s %q: %w", kind, id, clearance.ErrNotFound)
	}
	return found[0], nil
}

// Parcel is the parcel of a handover, for whoever looks; it is made if it was not made yet. The error wraps clearance.ErrNotFound or
// ErrDropped, or is a *Refusal if the parcel cannot be made.
func (d *Desk) Parcel(ctx context.Context, id string) (Parcel, error) {
	h, err := d.Get(ctx, id)
	if err != nil {
		return Parcel{}, err
	}
	_, p, err := d.ready(ctx, h)
	return p, err
}

// Fetch is the parcel of a handover, for the customs system itself. Where no Deliverer is configured, a waiting handover is delivered with
// that. Errors are those of Parcel.
func (d *Desk) Fetch(ctx context.Context, by, id string) (Parcel, error) {
	p, err := d.Parcel(ctx, id)
	if err != nil || d.Deliverer != nil {
		return p, err
	}
	_, err = d.update(ctx, id, func(h *Handover) (change, error) {
		if h.State != StateWaiting {
			return change{}, nil
		}
		h.State, h.Delivered = StateDelivered, d.Now().UTC()
		return change{made: true, by: by, event: "handover.delivered", detail: "fetched as " + p.SHA256}, nil
	})
	return p, err
}

// Confirm records what the customs system says of a parcel. Saying the same again changes nothing. The error wraps clearance.ErrNotFound,
// ErrOtherContent if it is about other octets than those that were made, and ErrSettled if a confirmed parcel is not to be
// confirmed any more.
func (d *Desk) Confirm(ctx context.Context, by, id string, c Confirmation) (Handover, error) {
	if err := c.Check(); err != nil {
		return Handover{}, fmt.Errorf("confirmation: %w", err)
	}
	return d.update(ctx, id, func(h *Handover) (change, error) {
		switch {
		case h.Parcel == nil:
			return change{}, fmt.Errorf("handover %s: no parcel was made yet: %w", id, ErrOtherContent)
		case c.SHA256 != h.Parcel.SHA256:
			return change{}, fmt.Errorf("handover %s: %w, which is %s", id, ErrOtherContent, h.Parcel.SHA256)
		case h.State == StateConfirmed && c.Status != VerdictConfirmed:
			return change{}, fmt.Errorf("%w: confirmed at %s", ErrSettled, h.Settled.Format(time.RFC3339))
		case h.State == StateConfirmed, h.State == StateRefused && c.Status != VerdictConfirmed:
			return change{}, nil
		}
		return d.settle(h, by, c), nil
	})
}

// Retry has a handover delivered now, whatever its time. One that was refused gets another key, since the customs system may answer the
// old one as before, and its parcel is made anew. The error wraps clearance.ErrNotFound, or ErrSettled if it is confirmed.
func (d *Desk) Retry(ctx context.Context, by, id, why string) (Handover, error) {
	stale := ""
	h, err := d.update(ctx, id, func(h *Handover) (change, error) {
		if h.State == StateConfirmed {
			return change{}, fmt.Errorf("%w: confirmed at %s", ErrSettled, h.Settled.Format(time.RFC3339))
		}
		stale = ""
		h.Failures = 0
		if h.State == StateDelivered { // not asked about first: delivered
			h.State = StateWaiting
		}
		if h.State == StateRefused {
			if h.Parcel != nil {
				stale = h.Parcel.SHA256
			}
			h.State, h.Parcel, h.Delivered = StateWaiting, nil, time.Time{}
			h.Settled, h.SettledBy, h.Reason, h.Reference = time.Time{}, "", "", ""
			h.Round, h.Attempts = h.Round+1, 0
		}
		return change{made: true, due: d.Now().UTC(), by: by, event: "handover.retried", detail: why}, nil
	})
	if err != nil {
		return Handover{}, err
	}
	if stale != "" {
		if err := d.Vault.Drop(ctx, stale); err != nil {
			d.Log.Warn("octets of a parcel that is made anew are still there", "handover", id, "sha256", stale, "error", err)
		}
	}
	d.Wake()
	return h, nil
}

// change is what became of a handover: when it is looked at next, what the audit log tells (nothing without an event), and what is dropped
// with it. Without made nothing is written.
type change struct {
	made              bool
	due               time.Time
	by, event, detail string
	drop              []clearance.DocketName
}

// maxTries bounds how often a change is made of a handover that others change at the same time.
const maxTries = 10

// update changes a handover and makes that durable. The change is made anew if somebody was faster; it is a function of the handover alone.
func (d *Desk) update(ctx context.Context, id string, alter func(h *Handover) (change, error)) (Handover, error) {
	for try := 1; ; try++ {
		docket, err := d.docket(ctx, Kind, id)
		if err != nil {
			return Handover{}, err
		}
		h, err := read(docket)
		if err != nil {
			return Handover{}, err
		}
		c, err := alter(&h)
		if err != nil || !c.made {
			return h, err
		}
		docket.Terms, docket.Due = h.terms(), c.due
		if docket, err = docket.With(h); err != nil {
			return h, err
		}
		b := clearance.Batch{Dockets: []clearance.Docket{docket}, Drop: c.drop}
		if c.event != "" {
			b.Audit = []clearance.Happening{{At: d.Now().UTC(), Actor: c.by, Event: c.event, Subject: h.Declaration, Detail: details(h.ID, c.detail)}}
		}
		err = d.Store.File(ctx, b)
		if errors.Is(err, clearance.ErrChanged) && try < maxTries {
			continue
		}
		if err != nil {
			return h, fmt.Errorf("handover %s: %w", id, err)
		}
		return h, nil
	}
}

func details(id, more string) string {
	text := "handover " + id
	if more != "" {
		text += ": " + shortened(more)
	}
	return text
}
