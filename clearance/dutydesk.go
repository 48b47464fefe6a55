package clearance

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/ecogate/ecogate/eco"
)

// DutyQuery selects duties; zero fields do not restrict.
type DutyQuery struct {
	// Done selects those that are done; otherwise those that are not come.
	Done bool
	// Owner is officer, declarant or partner.
	Owner string
	// DueBy selects those whose last day is not after it.
	DueBy eco.Date
}

// maxDuties bounds a list of duties.
const maxDuties = 10_000

// Duties lists duties, the earliest last day first, at most 10,000; a broker's own alone.
func (k *Desk) Duties(ctx context.Context, v Visitor, q DutyQuery) ([]Duty, error) {
	term := "open"
	switch {
	case v.Broker:
		term = "declarant:" + v.Name
	case q.Done:
		term = "state:" + string(DutyDone)
	case q.Owner != "":
		term = "owner:" + q.Owner
	}
	list := []Duty{}
	err := k.eachDuty(ctx, term, func(_ Docket, d Duty) bool {
		if (d.State == DutyDone) == q.Done && (q.Owner == "" || d.Owner == q.Owner) && (q.DueBy.IsZero() || !d.Due.After(q.DueBy)) {
			list = append(list, d)
		}
		return len(list) < maxDuties
	})
	slices.SortStableFunc(list, func(a, b Duty) int { return strings.Compare(a.Due.String(), b.Due.String()) })
	return list, err
}

// Fulfil closes a duty that no event closes: an officer has told the partner by other means. The error is ErrNotFound for any other.
func (k *Desk) Fulfil(ctx context.Context, v Visitor, id, why string) (d Duty, err error) {
	err = k.persist(ctx, func() error {
		found, err := k.o.Store.Dockets(ctx, DocketQuery{Kind: KindDuty, ID: id})
		if err != nil {
			return err
		}
		if len(found) == 0 {
			return fmt.Errorf("duty %s: %w", id, ErrNotFound)
		}
		if d, err = readDuty(found[0]); err != nil {
			return err
		}
		switch {
		case d.Kind != DutyTell:
			return fmt.Errorf("duty %s, which an event closes: %w", id, ErrNotFound)
		case d.State == DutyDone:
			return nil
		}
		now := k.o.Now().UTC()
		d.State, d.Closed, d.ClosedBy = DutyDone, now, joined(v.Name, why)
		next, err := d.docket(found[0])
		if err != nil {
			return err
		}
		d.Revision = next.Revision + 1
		return k.o.Store.File(ctx, Batch{Dockets: []Docket{next}, Audit: []Happening{{At: now, Actor: v.Name, Event: "duty.done", Subject: d.ID, Detail: why}}})
	})
	return d, err
}

// eachDuty reads duties by a term until visit returns false.
func (k *Desk) eachDuty(ctx context.Context, term string, visit func(Docket, Duty) bool) error {
	q := DocketQuery{Kind: KindDuty, Term: term, Limit: 500}
	for {
		found, err := k.o.Store.Dockets(ctx, q)
		if err != nil {
			return err
		}
		for _, docket := range found {
			d, err := readDuty(docket)
			if err != nil {
				return err
			}
			if q.After = docket.Filed; !visit(docket, d) {
				return nil
			}
		}
		if len(found) < q.Limit {
			return nil
		}
	}
}

func readDuty(docket Docket) (d Duty, err error) {
	err = docket.Into(&d)
	d.Revision = docket.Revision
	return d, err
}

// docket is the next version of a duty's docket.
func (d Duty) docket(before Docket) (Docket, error) {
	before.Kind, before.ID, before.Terms, before.Due = KindDuty, d.ID, d.terms(), d.next()
	return before.With(d)
}

// tellDuty is the duty to tell a partner what no message could.
func (k *Desk) tellDuty(r Response, now time.Time) (Docket, error) {
	d := k.o.Duties().opened(Duty{
		Kind: DutyTell, Certificate: r.Key.String(), Declaration: r.Declaration, Response: r.ID, Owner: OwnerOfficer, Name: r.Partner, Due: eco.DateOf(now).AddDays(officerDays),
		Text: fmt.Sprintf("tell %s by other means what was decided of %s: %s", r.Partner, r.Key, cmp.Or(r.Refused, r.Problem)),
	}, now)
	return d.docket(Docket{})
}

// told ends the duty to tell a partner who was told by a message after all.
func (k *Desk) told(ctx context.Context, r Response, now time.Time) (Batch, error) {
	docket, err := k.closedDuty(ctx, fmt.Sprintf("%s of %s", DutyTell, r.ID))
	if err != nil || docket.ID == "" {
		return Batch{}, err
	}
	d, err := readDuty(docket)
	if err != nil || d.State == DutyDone {
		return Batch{}, err
	}
	d.State, d.Closed, d.ClosedBy = DutyDone, now, "response.sent"
	next, err := d.docket(docket)
	return Batch{Dockets: []Docket{next}, Audit: []Happening{{At: now, Actor: "node", Event: "duty.done", Subject: d.ID, Detail: d.ClosedBy}}}, err
}

// syncCertificate lets the duties about a certificate follow it. by tells what happened.
func (k *Desk) syncCertificate(ctx context.Context, key Key, by string) error {
	found, err := k.o.Store.Imported(ctx, key.Query())
	if err != nil {
		return err
	}
	var wanted []Duty
	forms := k.o.Forms()
	for _, c := range found {
		if form, known := forms.ByCode(key.Form); known && c.Key == key {
			wanted = append(wanted, dutiesOf(c, form)...)
		}
	}
	return k.sync(ctx, key.String(), wanted, by)
}

// syncDeclaration lets the duties about a declaration follow it.
func (k *Desk) syncDeclaration(ctx context.Context, number, by string) error {
	_, l, err := k.lodgement(ctx, eco.NormaliseReference(number))
	switch {
	case errors.Is(err, ErrNotFound):
		return nil
	case err != nil:
		return err
	}
	return k.sync(ctx, l.ID(), l.duties(), by)
}

// sync opens, moves and closes the duties about something so that they are those that are wanted.
func (k *Desk) sync(ctx context.Context, about string, wanted []Duty, by string) error {
	return k.persist(ctx, func() error {
		now := k.o.Now().UTC()
		rules := k.o.Duties()
		open := map[string]Docket{}
		held := map[string]Duty{}
		if err := k.eachDuty(ctx, "about:"+about, func(docket Docket, d Duty) bool {
			open[d.ID], held[d.ID] = docket, d
			return true
		}); err != nil {
			return err
		}
		var b Batch
		put := func(d Duty, docket Docket, event string) error {
			next, err := d.docket(docket)
			b.Dockets = append(b.Dockets, next)
			b.Audit = append(b.Audit, Happening{At: now, Actor: "node", Event: event, Subject: d.ID, Detail: joined(d.Text, by)})
			return err
		}
		for _, w := range distinct(rules, wanted, now) {
			d, known := held[w.ID]
			docket := open[w.ID]
			delete(open, w.ID)
			event := "duty.moved"
			switch {
			case known && d.Due == w.Due && d.Text == w.Text:
				continue
			case known && d.Due == w.Due:
				d.Text = w.Text
				event = "duty.renamed"
			case known:
				d = d.moved(w)
			default:
				var err error
				if docket, err = k.closedDuty(ctx, w.ID); err != nil {
					return err
				}
				d, event = w, "duty.opened"
			}
			if err := put(d, docket, event); err != nil {
				return err
			}
		}
		for _, id := range slices.Sorted(maps.Keys(open)) {
			d := held[id]
			d.State, d.Closed, d.ClosedBy = DutyDone, now, by
			if err := put(d, open[id], "duty.done"); err != nil {
				return err
			}
		}
		if len(b.Dockets) == 0 {
			return nil
		}
		return k.o.Store.File(ctx, b)
	})
}

// distinct are the duties that are wanted, each once: of several the one that is due first.
func distinct(rules DutyRules, wanted []Duty, now time.Time) []Duty {
	var all []Duty
	for _, w := range wanted {
		w = rules.opened(w, now)
		at := slices.IndexFunc(all, func(d Duty) bool { return d.ID == w.ID })
		switch {
		case at < 0:
			all = append(all, w)
		case w.Due.Before(all[at].Due):
			all[at] = w
		}
	}
	return all
}

// closedDuty is the docket of a duty that was done before and arises anew; a new one if there was none.
func (k *Desk) closedDuty(ctx context.Context, id string) (Docket, error) {
	found, err := k.o.Store.Dockets(ctx, DocketQuery{Kind: KindDuty, ID: id})
	if err != nil || len(found) == 0 {
		return Docket{}, err
	}
	return found[0], nil
}

// remind warns of duties whose day is near and escalates those whose day is over.
func (k *Desk) remind(ctx context.Context) error {
	for {
		due, err := k.o.Store.Dockets(ctx, DocketQuery{Kind: KindDuty, DueBy: k.o.Now(), Limit: 100})
		if err != nil || len(due) == 0 {
			return err
		}
		for _, docket := range due {
			if err := k.remindOf(ctx, docket); err != nil && !errors.Is(err, ErrChanged) {
				return fmt.Errorf("duty %s: %w", docket.ID, err)
			}
		}
	}
}

func (k *Desk) remindOf(ctx context.Context, docket Docket) error {
	d, err := readDuty(docket)
	if err != nil {
		return err
	}
	if d.follows() == d.Certificate { // not everything that ends one leaves an entry about this certificate
		if key, err := ParseKey(d.Certificate); err == nil {
			if err := k.syncCertificate(ctx, key, "looked at when it fell due"); err != nil {
				return err
			}
		}
	}
	now := k.o.Now().UTC()
	d, event := d.pass(now)
	next, err := d.docket(docket)
	if err != nil {
		return err
	}
	b := Batch{Dockets: []Docket{next}}
	if event != "" {
		to := d.Owner
		if d.State == DutyEscalated {
			to = d.EscalatesTo
		}
		b.Audit = []Happening{{At: now, Actor: "node", Event: event, Subject: d.ID, Detail: joined("due "+d.Due.String(), "for "+to, d.Text)}}
		k.o.Log.Warn(event, "duty", d.ID, "due", d.Due.String(), "for", to)
	}
	return k.o.Store.File(ctx, b)
}
