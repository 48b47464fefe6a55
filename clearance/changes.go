package clearance

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/ecogate/ecogate/eco"
)

// changes are what one call does to certificates and dockets, before it is filed.
type changes struct {
	k     *Desk
	by    string
	at    time.Time
	batch Batch
	// moved are the certificates as the moves leave them, by their Seq.
	moved map[uint64]Imported
}

// move lets events happen to a certificate. The error is an *eco.IllegalMove.
func (c *changes) move(record Imported, events []eco.Event) error {
	for i := range events {
		events[i].At, events[i].By = c.at, c.by
	}
	m, err := record.Moved(events...)
	if err != nil {
		return fmt.Errorf("certificate %s: %w", record.Data.Reference, err)
	}
	c.batch.Moves = append(c.batch.Moves, m)
	c.keep(record, m.Life)
	return nil
}

func (c *changes) keep(record Imported, life eco.Life) {
	if c.moved == nil {
		c.moved = map[uint64]Imported{}
	}
	record.Life, record.State = life, life.State
	c.moved[record.Seq] = record
}

// tell adds an entry about a certificate to the audit log.
func (c *changes) tell(record Imported, event, detail string) {
	c.batch.Audit = append(c.batch.Audit, Happening{At: c.at, Actor: c.by, Event: event, Subject: record.Key.String(), Detail: detail})
}

// cite has a certificate reserve claims of a declaration in the place of those that it reserved for it before; without claims it is cited
// no more. day is the day of presentation.
func (c *changes) cite(record Imported, l Lodgement, claims []Claim, day eco.Date) error {
	var events []eco.Event
	cites := slices.Contains(record.Life.Declarations, l.Number)
	if cites {
		events = append(events, eco.Event{Kind: eco.EventWithdraw, Reference: l.Number})
	}
	event := "certificate.freed"
	if len(claims) > 0 {
		event = "certificate.cited"
		events = append(events, citing(l, claims, day))
	}
	if len(events) == 0 {
		return nil
	}
	c.tell(record, event, "declaration "+l.Number)
	return c.move(record, events)
}

// citing is the event by which claims are reserved. The ledger judges validity by the instant of the event; that the goods were presented
// in time is what the check has found out.
func citing(l Lodgement, claims []Claim, day eco.Date) eco.Event {
	e := eco.Event{Kind: eco.EventCite, Reference: l.Number, HoldUntil: l.HeldUntil, Override: l.Override}
	if e.Override == "" {
		e.Override = "presented on " + day.String()
	}
	for _, claim := range claims {
		if claim.Taken != nil {
			e.Items = append(e.Items, eco.ItemQuantity{Item: claim.Item, Quantity: *claim.Taken})
		}
	}
	return e
}

// handing says what is handed to the customs system with a declaration: the octets that it came in, and the certificates.
type handing struct {
	original     []byte
	certificates []uint64
}

// finish files a lodgement with everything that was changed, and an entry that tells why.
func (k *Desk) finish(ctx context.Context, c *changes, docket Docket, l Lodgement, event, text string, h *handing) (Lodgement, error) {
	l.tell(c.at, c.by, event, text)
	c.batch.Audit = append(c.batch.Audit, Happening{At: c.at, Actor: c.by, Event: event, Subject: l.Number, Detail: strings.Join(slices.DeleteFunc([]string{
		"version " + strconv.Itoa(l.Version), string(l.State), text}, func(s string) bool { return s == "" }), ", ")})
	next, err := docket.With(l)
	if err != nil {
		return Lodgement{}, err
	}
	next.Terms, next.Due = l.terms(), l.HeldUntil
	l.Revision = docket.Revision + 1
	c.batch.Dockets = append(c.batch.Dockets, next)
	if h != nil && k.o.Handover != nil {
		var certificates []Imported
		for _, seq := range h.certificates {
			certificates = append(certificates, c.moved[seq])
		}
		along, err := k.o.Handover(l, h.original, certificates)
		if err != nil {
			return Lodgement{}, fmt.Errorf("handing declaration %s over: %w", l.Number, err)
		}
		c.batch.Dockets = append(c.batch.Dockets, along...)
	}
	if err := k.o.Store.File(ctx, c.batch); err != nil {
		return Lodgement{}, fmt.Errorf("declaration %s: %w", l.Number, err)
	}
	k.o.Log.Info(event, "declaration", l.Number, "state", l.State, "actor", c.by, "claims", len(l.Claims))
	k.announce()
	return l, nil
}

// terms are what a declaration is found by.
func (l Lodgement) terms() []string {
	terms := []string{"declarant:" + l.Declarant, "state:" + string(l.State), "declarant:" + l.Declarant + " state:" + string(l.State)}
	for _, c := range l.Claims {
		switch {
		case c.Standing == StandingAwaited:
			terms = append(terms, awaitsTerm(c.Reference))
		case c.Key != nil:
			terms = append(terms, "certificate:"+c.Key.String())
		}
	}
	slices.Sort(terms)
	return slices.Compact(terms)
}

// end frees what a declaration holds: withdrawn by its declarant, or lapsed.
func (k *Desk) end(ctx context.Context, by string, docket Docket, l Lodgement, kind eco.EventKind, why string) (Lodgement, error) {
	held, err := k.held(ctx, &l)
	if err != nil {
		return Lodgement{}, err
	}
	c := changes{k: k, by: by, at: k.o.Now().UTC()}
	event, state := "declaration.withdrawn", LodgementWithdrawn
	if kind == eco.EventLapse {
		event, state = "declaration.lapsed", LodgementLapsed
	}
	for _, seq := range seqsOf(held) {
		c.tell(held[seq], "certificate.freed", "declaration "+l.Number)
		ending := eco.Event{Kind: eco.EventWithdraw, Reference: l.Number}
		if draw, _ := held[seq].Life.DrawOf(l.Number, false); kind == eco.EventLapse && !draw.Until.IsZero() && !c.at.Before(draw.Until) {
			// One that was made while another stood on a guarantee has no end of its own, and one that was made when reservations held longer a
			// later one.
			ending.Kind = kind
		}
		if err := c.move(held[seq], []eco.Event{ending}); err != nil {
			return Lodgement{}, err
		}
	}
	for i := range l.Claims {
		if l.Claims[i].Standing.Open() {
			l.Claims[i].Standing = StandingWithdrawn
		}
	}
	for _, d := range l.Decisions {
		if d.State == DecisionProposed { // nobody confirmed it in time, and nobody can
			d.State, d.Second = DecisionRejected, &SecondOfficer{By: by, At: c.at, Why: why}
			l = l.with(d)
		}
	}
	decided := slices.ContainsFunc(l.Claims, func(c Claim) bool { return c.Standing != StandingWithdrawn })
	if decided { // the rest has lapsed
		state = LodgementDecided
	}
	l.State, l.HeldUntil = state, time.Time{}
	return k.finish(ctx, &c, docket, l, event, why, &handing{})
}

// lapse ends the declarations whose reservations are over. One that fails does not keep back the others.
func (k *Desk) lapse(ctx context.Context) error {
	var failures []error
	for {
		now := k.o.Now().UTC()
		due, err := k.o.Store.Dockets(ctx, DocketQuery{Kind: KindDeclaration, DueBy: now, Limit: 100})
		if err != nil || len(due) == 0 {
			return err
		}
		for _, d := range due {
			err := k.persist(ctx, func() error {
				docket, l, err := k.lodgement(ctx, d.ID)
				if err != nil || docket.Due.IsZero() || docket.Due.After(now) {
					return err
				}
				_, err = k.end(ctx, "node", docket, l, eco.EventLapse, "nobody decided until "+l.HeldUntil.UTC().Format(time.RFC3339))
				return err
			})
			if err != nil {
				failures = append(failures, fmt.Errorf("letting declaration %s lapse: %w", d.ID, err))
			}
		}
		if failures != nil {
			return errors.Join(failures...)
		}
	}
}
