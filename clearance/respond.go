package clearance

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/ecogate/ecogate/eco"
)

// Response is what a partner is to be told of a decision: the value of a docket of KindResponse. It is handed to the Responder until that
// has taken it.
type Response struct {
	// ID names it, and stays the same however often it is handed over.
	ID string `json:"id"`
	// Certificate is the record that it is about, Key its key, Partner who sent that.
	Certificate uint64 `json:"certificate"`
	Key         Key    `json:"key"`
	Partner     string `json:"partner"`
	// Declaration and Decision are what it comes from, By the officer.
	Declaration string    `json:"declaration"`
	Decision    int       `json:"decision"`
	By          string    `json:"by"`
	At          time.Time `json:"at"`
	// Items are the outcomes for a customs response; none where Doubt is set.
	Items []eco.ItemOutcome `json:"items,omitempty"`
	Note  string            `json:"note,omitempty"`
	// Doubt is what the issuing body is asked to verify; nil for a customs response.
	Doubt *Doubt `json:"doubt,omitempty"`
	// Attempts counts how often it was handed over; Done is when it was taken, Refused why it cannot be.
	Attempts int       `json:"attempts,omitempty"`
	Problem  string    `json:"problem,omitempty"`
	Done     time.Time `json:"done,omitzero"`
	Refused  string    `json:"refused,omitempty"`
	// Late: it could not be handed over for so long that an officer has the duty to tell the partner.
	Late bool `json:"late,omitempty"`
}

// tellAfter is how long a partner is tried to be told before an officer has to see to it. It is tried on.
const tellAfter = 24 * time.Hour

// Doubt is what a verification request says. ATIGA OCP Rule 18.
type Doubt struct {
	Items     []int        `json:"items,omitempty"`
	Reasons   []eco.Reason `json:"reasons"`
	Questions []string     `json:"questions,omitempty"`
	ReplyBy   eco.Date     `json:"reply_by,omitzero"`
}

// Responder tells partners. When a method returns nil the message is durable, and the partner gets it; it may be called again with the same
// Response, whose ID it should recognise. An error that wraps ErrCannotTell is final: an officer has to tell the partner by other means.
type Responder interface {
	// Respond sends a customs response. It moves no state: the desk has done so.
	Respond(ctx context.Context, r Response) error
	// Verify sends a verification request.
	Verify(ctx context.Context, r Response) error
}

// ErrCannotTell: there is no way to tell the partner, such as no agreed message.
var ErrCannotTell = errors.New("the partner cannot be told by a message")

// respond hands what is due to the Responder. One that fails is due again after a pause and does not keep back the others.
func (k *Desk) respond(ctx context.Context) error {
	if k.o.Responder == nil {
		return nil
	}
	due, err := k.o.Store.Dockets(ctx, DocketQuery{Kind: KindResponse, DueBy: k.o.Now(), Limit: 100})
	if err != nil {
		return err
	}
	for _, d := range due {
		if err := k.hand(ctx, d); err != nil && !errors.Is(err, ErrChanged) { // another process has it
			return fmt.Errorf("response %s: %w", d.ID, err)
		}
	}
	return nil
}

// hand hands one response over, and keeps what came of it.
func (k *Desk) hand(ctx context.Context, d Docket) error {
	var r Response
	err := d.Into(&r)
	if err != nil {
		return err
	}
	send := k.o.Responder.Respond
	if r.Doubt != nil {
		send = k.o.Responder.Verify
	} else if before, err := k.earlier(ctx, r.Key, d.Filed); err != nil || !before.IsZero() {
		if err != nil || !before.After(d.Due) {
			return err
		}
		d.Due = before
		return k.o.Store.File(ctx, Batch{Dockets: []Docket{d}})
	}
	failure := send(ctx, r)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	now := k.o.Now().UTC()
	batch := Batch{}
	event, detail := "response.sent", ""
	r.Attempts++
	switch {
	case failure == nil:
		r.Done, r.Problem = now, ""
		d.Due = time.Time{}
		if r.Late {
			if batch, err = k.told(ctx, r, now); err != nil {
				return err
			}
		}
	case errors.Is(failure, ErrCannotTell):
		r.Refused, d.Due = failure.Error(), time.Time{}
		event, detail = "response.refused", failure.Error()
		if !r.Late { // otherwise the officer has the duty already
			duty, err := k.tellDuty(r, now)
			if err != nil {
				return err
			}
			batch.Dockets = append(batch.Dockets, duty)
		}
	default:
		r.Problem, d.Due = failure.Error(), now.Add(k.o.Retry)
		event = ""
		if !r.Late && now.Sub(r.At) >= tellAfter {
			r.Late = true
			duty, err := k.tellDuty(r, now)
			if err != nil {
				return err
			}
			batch.Dockets = append(batch.Dockets, duty)
		}
		k.o.Log.Warn("a partner was not told of a decision yet", "response", r.ID, "partner", r.Partner, "attempts", r.Attempts, "error", failure)
	}
	next, err := d.With(r)
	if err != nil {
		return err
	}
	batch.Dockets = append(batch.Dockets, next)
	if event != "" {
		batch.Audit = append(batch.Audit, Happening{At: now, Actor: "node", Event: event, Subject: r.Key.String(), Detail: joined("declaration "+r.Declaration, detail)})
	}
	return k.o.Store.File(ctx, batch)
}

// earlier is when the first customs response about a certificate is due that was filed before a number and waits still; zero for none. What is told
// last is what counts with the partner, so that one must not overtake another.
func (k *Desk) earlier(ctx context.Context, key Key, filed uint64) (time.Time, error) {
	q := DocketQuery{Kind: KindResponse, Term: "certificate:" + key.String(), Limit: 500}
	for {
		found, err := k.o.Store.Dockets(ctx, q)
		if err != nil {
			return time.Time{}, err
		}
		for _, d := range found {
			if d.Filed >= filed {
				return time.Time{}, nil
			}
			q.After = d.Filed
			if d.Due.IsZero() {
				continue
			}
			var r Response
			if err := d.Into(&r); err != nil {
				return time.Time{}, err
			}
			if r.Doubt == nil {
				return d.Due, nil
			}
		}
		if len(found) < q.Limit {
			return time.Time{}, nil
		}
	}
}
