package handover

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/ecogate/ecogate/clearance"
	"github.com/ecogate/ecogate/partners"
)

// byCustoms is who settles what the customs system says by itself: in an answer, or in a file.
const byCustoms = "customs system"

// Run hands over until ctx ends.
func (d *Desk) Run(ctx context.Context) {
	for adopted := false; ctx.Err() == nil; {
		if !adopted {
			err := d.adopt(ctx)
			d.tell(ctx, "handovers of before cannot be read", err)
			adopted = err == nil
		}
		more, err := d.Look(ctx)
		d.tell(ctx, "handovers have to wait", err)
		if more && err == nil {
			continue
		}
		select {
		case <-ctx.Done():
		case <-time.After(d.Times.Poll):
		case <-d.wake:
		}
	}
}

func (d *Desk) tell(ctx context.Context, what string, err error) {
	if err != nil && ctx.Err() == nil {
		d.Log.Error(what, "error", err)
	}
}

// adopt makes due what is kept for a customs system that fetches, when it is delivered to now.
func (d *Desk) adopt(ctx context.Context) error {
	if d.Deliverer == nil {
		return nil
	}
	for _, state := range []State{StateWaiting, StateDelivered} {
		err := d.each(ctx, state, func(docket clearance.Docket) error {
			if !docket.Due.IsZero() {
				return nil
			}
			_, err := d.update(ctx, docket.ID, func(*Handover) (change, error) { return change{made: true, due: d.Now().UTC()}, nil })
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// Look works once on what is due. It ends early when the customs system cannot be reached, and reports whether more may be due.
func (d *Desk) Look(ctx context.Context) (more bool, err error) {
	d.looking.Lock()
	defer d.looking.Unlock()
	const batch = 100
	dockets, err := d.Store.Dockets(ctx, clearance.DocketQuery{Kind: Kind, DueBy: d.Now().UTC(), Limit: batch})
	if err != nil {
		return false, fmt.Errorf("handovers: %w", err)
	}
	worked := 0
	for _, docket := range dockets {
		if ctx.Err() != nil {
			return false, ctx.Err()
		}
		h, err := read(docket)
		if err != nil { // it must not keep the others waiting
			d.Log.Error("handover cannot be read", "error", err)
			continue
		}
		reached, err := d.one(ctx, h)
		if err != nil || !reached {
			return false, err
		}
		worked++
	}
	return len(dockets) == batch && worked > 0, nil
}

// one does what is due about a handover. It reports false when the customs system could not be reached; an error is the store's.
func (d *Desk) one(ctx context.Context, h Handover) (reached bool, err error) {
	switch h.State {
	case StateConfirmed:
		return true, d.drop(ctx, h)
	case StateRefused:
		return true, d.rest(ctx, h)
	}
	began := d.Now().UTC()
	h, p, err := d.ready(ctx, h)
	if err != nil {
		return d.failed(ctx, h, began, err)
	}
	if d.Deliverer == nil {
		return true, d.rest(ctx, h)
	}
	c, delivered, err := d.bring(ctx, h, p, began)
	if err != nil {
		return d.failed(ctx, h, began, err)
	}
	if delivered {
		d.Point("handover.delivered")
	}
	_, err = d.update(ctx, h.ID, func(now *Handover) (change, error) {
		if !sameRound(*now, h) {
			return change{}, nil
		}
		first := h.State == StateWaiting
		now.Failures = 0
		if delivered {
			now.Delivered = d.Now().UTC()
			now.Attempts++
			now.record(Attempt{Began: began, Ended: now.Delivered, Problem: shortened(c.note)})
			d.Log.Info("handed over", "handover", h.ID, "declaration", h.Declaration, "version", h.Version, "again", !first)
		}
		done := d.settle(now, byCustoms, c)
		if first && done.event == "" {
			done.by, done.event, done.detail = partners.ByNode, "handover.delivered", p.SHA256
		}
		return done, nil
	})
	return true, err
}

// sameRound reports whether what was learned about a handover as it was is still of use: nobody settled it or had it tried anew meanwhile.
func sameRound(now, was Handover) bool {
	return now.Round == was.Round && (now.State == StateWaiting || now.State == StateDelivered)
}

// rest lets a handover be until somebody asks for it.
func (d *Desk) rest(ctx context.Context, h Handover) error {
	_, err := d.update(ctx, h.ID, func(now *Handover) (change, error) { return change{made: now.State == h.State}, nil })
	return err
}

// bring delivers a parcel, or asks about one that was delivered while it is not time to deliver it again.
func (d *Desk) bring(ctx context.Context, h Handover, p Parcel, now time.Time) (c Confirmation, delivered bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, d.Times.Timeout)
	defer cancel()
	if inquirer, ok := d.Deliverer.(Inquirer); ok && h.State == StateDelivered {
		c, err = inquirer.Inquire(ctx, p)
		if err != nil || c.Status == VerdictConfirmed || now.Before(h.Delivered.Add(d.Times.Resend)) {
			return c, false, err
		}
		// Until it lies there again its absence says nothing: what a delivery leaves half done must not be taken for a parcel that was fetched.
		_, err = d.update(ctx, h.ID, func(now *Handover) (change, error) {
			made := sameRound(*now, h)
			if made {
				now.State = StateWaiting
			}
			return change{made: made, due: d.Now().UTC()}, nil
		})
		if err != nil {
			return c, false, err
		}
	}
	c, err = d.Deliverer.Deliver(ctx, p)
	return c, true, err
}

// failed records that a handover could not be made, delivered or asked about.
func (d *Desk) failed(ctx context.Context, h Handover, began time.Time, cause error) (reached bool, err error) {
	if ctx.Err() != nil {
		return false, ctx.Err()
	}
	var refusal *Refusal
	refused := errors.As(cause, &refusal)
	_, err = d.update(ctx, h.ID, func(now *Handover) (change, error) {
		if !sameRound(*now, h) {
			return change{}, nil
		}
		ended := d.Now().UTC()
		now.Attempts++
		now.record(Attempt{Began: began, Ended: ended, Problem: shortened(cause.Error())})
		if refused {
			return d.settle(now, byCustoms, Confirmation{Status: VerdictRefused, Reason: shortened(refusal.Text)}), nil
		}
		now.Failures++
		again := d.againAt(ended, now.Failures, cause)
		d.Log.Warn("handover failed", "handover", h.ID, "declaration", h.Declaration, "failures", now.Failures, "again_in", again.Sub(ended).String(), "error", cause)
		return change{made: true, due: again}, nil
	})
	return refused, err
}

// settle is the change that a word of the customs system makes to a handover which is waiting or delivered.
func (d *Desk) settle(h *Handover, by string, c Confirmation) change {
	now := d.Now().UTC()
	if c.Reference != "" {
		h.Reference = c.Reference
	}
	switch c.Status {
	case VerdictConfirmed:
		h.State, h.Settled, h.SettledBy, h.Reason = StateConfirmed, now, by, ""
		d.Log.Info("handover confirmed", "handover", h.ID, "declaration", h.Declaration, "by", by, "reference", h.Reference)
		return change{made: true, due: now.Add(d.Times.Keep), by: by, event: "handover.confirmed", detail: h.Reference}
	case VerdictRefused:
		h.State, h.Settled, h.SettledBy, h.Reason = StateRefused, now, by, c.Reason
		d.Log.Error("handover refused; an operator has to look", "handover", h.ID, "declaration", h.Declaration, "by", by, "reason", h.Reason)
		return change{made: true, by: by, event: "handover.refused", detail: h.Reason}
	}
	h.State = StateDelivered
	if h.Delivered.IsZero() {
		h.Delivered = now
	}
	return change{made: true, due: d.lookAt(now, *h)}
}

// lookAt is when a delivered handover is looked at next; never where the customs system fetches.
func (d *Desk) lookAt(now time.Time, h Handover) time.Time {
	if d.Deliverer == nil {
		return time.Time{}
	}
	again := h.Delivered.Add(d.Times.Resend)
	if _, ok := d.Deliverer.(Inquirer); ok {
		if asked := now.Add(d.Times.Inquire); asked.Before(again) {
			return asked
		}
	}
	return again
}

// drop lets go of the octets of a confirmed parcel, and of what it was made of.
func (d *Desk) drop(ctx context.Context, h Handover) error {
	if h.Parcel != nil {
		if err := d.Vault.Drop(ctx, h.Parcel.SHA256); err != nil { // later: it must not keep the others waiting
			d.Log.Error("octets of a confirmed parcel are still there", "handover", h.ID, "error", err)
			_, err := d.update(ctx, h.ID, func(now *Handover) (change, error) {
				return change{made: now.State == StateConfirmed, due: d.Now().UTC().Add(d.Times.BackoffMax)}, nil
			})
			return err
		}
	}
	made, err := d.docket(ctx, KindContent, h.ID)
	if err != nil && !errors.Is(err, clearance.ErrNotFound) {
		return err
	}
	gone := err != nil
	_, err = d.update(ctx, h.ID, func(now *Handover) (change, error) {
		c := change{made: now.State == StateConfirmed}
		if now.Parcel != nil {
			now.Parcel.Dropped = d.Now().UTC()
		}
		if !gone {
			c.drop = []clearance.DocketName{made.Name()}
		}
		return c, nil
	})
	return err
}
