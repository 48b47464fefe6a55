package lookup

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/ecogate/ecogate/clearance"
	"github.com/ecogate/ecogate/eco"
)

// Watch waits for a certificate that is not here. It closes when one arrives that its owner may see. One that he may not see leaves it open:
// that it is here is not for him to know.
type Watch struct {
	ID    string `json:"id"`
	Owner string `json:"owner"` // name of the API key
	// Reference is as given; Country and Form narrow, if given. Invoice is the second factor that opens the certificate when it arrives.
	Reference string       `json:"reference"`
	Country   string       `json:"country,omitempty"`
	Form      eco.FormCode `json:"form,omitempty"`
	Invoice   string       `json:"invoice,omitempty"`
	Note      string       `json:"note,omitempty"`
	Since     time.Time    `json:"since"`
	Until     time.Time    `json:"until"`
	// Closed is when the certificate Seq, with this Key, was here for the owner to see; zero while the watch is open.
	Closed time.Time `json:"closed,omitzero"`
	Seq    uint64    `json:"seq,omitempty"`
	Key    string    `json:"key,omitempty"`
	// All: the owner may see every certificate.
	All bool `json:"all,omitempty"`
}

// reader is the owner with the parties that he has now.
func (d *Desk) reader(w Watch) Reader { return Reader{Name: w.Owner, Parties: d.Parties(w.Owner)} }

// closedKept is how long a watch that has closed can be read.
const closedKept = 30 * 24 * time.Hour

// Watch begins to wait. ID, Owner and Since are set; without an Until it waits for Rules.WatchKept. A watch for what is here already, and which the
// owner may see, is ErrArrived. Other errors are ErrInvalid and ErrMany. For owners who do not see everything the caller asks Admit before and pads after.
func (d *Desk) Watch(ctx context.Context, r Reader, w Watch) (Watch, error) {
	now := d.Now().UTC()
	if w.Until.IsZero() {
		w.Until = now.Add(d.rules().WatchKept)
	}
	switch {
	case eco.NormaliseReference(w.Reference) == "":
		return Watch{}, fmt.Errorf("%w: the reference is empty", ErrInvalid)
	case !w.Until.After(now):
		return Watch{}, fmt.Errorf("%w: until %s is over", ErrInvalid, w.Until.Format(time.RFC3339))
	case w.Until.After(now.Add(maxWatch)):
		return Watch{}, fmt.Errorf("%w: until %s is more than %d days away", ErrInvalid, w.Until.Format(time.RFC3339), maxWatch/(24*time.Hour))
	case len(w.Note) > MaxNote || len(w.Reference) > MaxNote || len(w.Invoice) > MaxNote:
		return Watch{}, fmt.Errorf("%w: a member is longer than %d octets", ErrInvalid, MaxNote)
	}
	open := 0
	err := d.all(ctx, clearance.DocketQuery{Kind: KindWatch, Term: ofOwner(r.Name)}, func(docket clearance.Docket) error {
		var other Watch
		err := docket.Into(&other)
		if other.Closed.IsZero() {
			open++
		}
		return err
	})
	if err != nil {
		return Watch{}, fmt.Errorf("watches of %s: %w", r.Name, err)
	}
	if open >= d.rules().Watches {
		return Watch{}, fmt.Errorf("%w: %s has %d open watches", ErrMany, r.Name, open)
	}
	w.ID, w.Owner, w.Since, w.Closed, w.Seq, w.Key = newID(), r.Name, now, time.Time{}, 0, ""
	arrived, _, err := d.arrived(ctx, r, w)
	if err != nil {
		return Watch{}, err
	}
	if arrived != nil {
		return Watch{}, fmt.Errorf("%w: %s", ErrArrived, arrived.Key)
	}
	docket, err := fresh(KindWatch, w.ID, w, ofOwner(w.Owner), ofReference(w.Reference))
	if err != nil {
		return Watch{}, err
	}
	docket.Due = w.Until
	err = d.Store.File(ctx, clearance.Batch{
		Dockets: []clearance.Docket{docket}, Audit: []clearance.Happening{d.told(w.Owner, "watch.opened", w.ID, w.Reference)},
	})
	if err != nil {
		return Watch{}, err
	}
	// What arrives from now on finds the watch; what arrived since the look above was told to the log before, perhaps, and is looked for once more.
	return w, d.tryClose(ctx, w.ID)
}

// maxWatch bounds how long a watch waits.
const maxWatch = 2 * 366 * 24 * time.Hour

// arrived is the newest certificate that a watch waits for and its owner may see, nil if there is none, and what he saw.
func (d *Desk) arrived(ctx context.Context, r Reader, w Watch) (*clearance.Imported, Seen, error) {
	found, err := d.Store.Imported(ctx, clearance.ImportedQuery{Reference: w.Reference, Country: w.Country, Form: w.Form})
	if err != nil {
		return nil, Seen{}, err
	}
	var candidates []Candidate
	for i := range found {
		if s := found[i].State; s != eco.StateReceived && s != eco.StateRefused {
			candidates = append(candidates, Candidate{found[i].Seq, &found[i].Data})
		}
	}
	seen, err := d.See(ctx, r, Question{Reference: w.Reference, Invoice: w.Invoice}, candidates)
	if err != nil {
		return nil, Seen{}, err
	}
	for i, c := range found {
		if seen.May(c.Seq) || w.All && (c.State != eco.StateReceived && c.State != eco.StateRefused) {
			return &found[i], seen, nil
		}
	}
	return nil, seen, nil
}

// tryClose closes a watch if what it waits for is here.
func (d *Desk) tryClose(ctx context.Context, id string) error {
	return again(func() error {
		docket, w, err := one[Watch](ctx, d.Store, KindWatch, id)
		if errors.Is(err, ErrNotThere) {
			return nil // removed meanwhile
		}
		if err != nil || !w.Closed.IsZero() {
			return err
		}
		r := d.reader(w)
		c, seen, err := d.arrived(ctx, r, w)
		if err != nil || c == nil {
			return err
		}
		if err := d.Keep(ctx, r, w.Reference, seen); err != nil {
			return err
		}
		w.Closed, w.Seq, w.Key = d.Now().UTC(), c.Seq, c.Key.String()
		next, err := docket.With(w)
		if err != nil {
			return err
		}
		next.Terms, next.Due = []string{ofOwner(w.Owner)}, w.Closed.Add(closedKept)
		return d.Store.File(ctx, clearance.Batch{
			Dockets: []clearance.Docket{next}, Audit: []clearance.Happening{d.told("node", "watch.closed", w.ID, w.Key)},
		})
	})
}

// Watches are those of a key, oldest first, the closed ones too, and the number after which the next page begins, 0 if there is none.
func (d *Desk) Watches(ctx context.Context, owner string, after uint64, limit int) ([]Watch, uint64, error) {
	if limit <= 0 || limit > pageSize {
		limit = 100
	}
	found, err := d.Store.Dockets(ctx, clearance.DocketQuery{Kind: KindWatch, Term: ofOwner(owner), After: after, Limit: limit})
	if err != nil {
		return nil, 0, fmt.Errorf("watches of %s: %w", owner, err)
	}
	list := []Watch{}
	for _, docket := range found {
		var w Watch
		if err := docket.Into(&w); err != nil {
			return nil, 0, err
		}
		list = append(list, w)
	}
	if len(found) < limit {
		return list, 0, nil
	}
	return list, found[len(found)-1].Filed, nil
}

// Unwatch removes a watch of a key. What is not there and what is another's is ErrNotThere.
func (d *Desk) Unwatch(ctx context.Context, owner, id string) error {
	return again(func() error {
		docket, w, err := one[Watch](ctx, d.Store, KindWatch, id)
		if err != nil {
			return err
		}
		if w.Owner != owner {
			return fmt.Errorf("%s %q: %w", KindWatch, id, ErrNotThere)
		}
		return d.Store.File(ctx, clearance.Batch{
			Drop: []clearance.DocketName{docket.Name()}, Audit: []clearance.Happening{d.told(owner, "watch.removed", id, w.Reference)},
		})
	})
}

// Run closes watches as certificates arrive and mandates are given, puts questions to partners, and removes what is over, until ctx ends.
func (d *Desk) Run(ctx context.Context) {
	var group sync.WaitGroup
	for range asking {
		group.Go(func() { d.put(ctx) })
	}
	for ctx.Err() == nil {
		if err := d.Follow(ctx); err != nil && ctx.Err() == nil {
			d.Log.Error("watches do not follow the audit log; it is tried again", "error", err)
		}
		if err := d.Tidy(ctx); err != nil && ctx.Err() == nil {
			d.Log.Error("watches and proofs that are over were not removed; it is tried again", "error", err)
		}
		d.Wait(ctx, d.Poll)
	}
	group.Wait()
}

// cursor is how far the audit log was followed.
type cursor struct {
	After uint64 `json:"after"`
}

// cursorID is that of the one cursor.
const cursorID = "watches"

// Follow closes the watches that the audit log, from the cursor on, has news for. The cursor moves when that is durable, so that each entry is
// seen at least once.
func (d *Desk) Follow(ctx context.Context) error {
	for {
		docket, at, err := one[cursor](ctx, d.Store, kindCursor, cursorID)
		if errors.Is(err, ErrNotThere) {
			docket = clearance.Docket{Kind: kindCursor, ID: cursorID}
		} else if err != nil {
			return err
		}
		entries, err := d.Store.Happenings(ctx, at.After, pageSize)
		if err != nil || len(entries) == 0 {
			return err
		}
		for _, h := range entries {
			if err := d.follow(ctx, h); err != nil {
				return fmt.Errorf("audit entry %d: %w", h.Seq, err)
			}
			at.After = h.Seq
		}
		if docket, err = docket.With(at); err != nil {
			return err
		}
		if err := d.Store.File(ctx, clearance.Batch{Dockets: []clearance.Docket{docket}}); err != nil {
			return err
		}
	}
}

// follow does what one entry asks for.
func (d *Desk) follow(ctx context.Context, h clearance.Happening) error {
	term := ""
	switch h.Event {
	case "certificate.received", "certificate.available":
		if key, err := clearance.ParseKey(h.Subject); err == nil {
			term = ofReference(key.Reference)
		}
	case "mandate.given":
		_, m, err := one[Mandate](ctx, d.Store, KindMandate, h.Subject)
		if err != nil && !errors.Is(err, ErrNotThere) {
			return err
		}
		if err == nil {
			term = ofOwner(m.Broker)
		}
	}
	if term == "" {
		return nil
	}
	return d.all(ctx, clearance.DocketQuery{Kind: KindWatch, Term: term}, func(docket clearance.Docket) error { return d.tryClose(ctx, docket.ID) })
}

// Tidy removes watches and proofs whose time is over, and answers to questions that nobody needs any more.
func (d *Desk) Tidy(ctx context.Context) error {
	for _, kind := range []clearance.Kind{KindWatch, KindProof, KindQuestion} {
		for {
			due, err := d.Store.Dockets(ctx, clearance.DocketQuery{Kind: kind, DueBy: d.Now(), Limit: pageSize})
			if err != nil {
				return err
			}
			if len(due) == 0 {
				break
			}
			if err := d.drop(ctx, due); err != nil && !errors.Is(err, clearance.ErrChanged) {
				return err
			}
		}
	}
	return nil
}

func (d *Desk) drop(ctx context.Context, due []clearance.Docket) error {
	var b clearance.Batch
	for _, docket := range due {
		b.Drop = append(b.Drop, docket.Name())
		var w Watch
		if docket.Kind != KindWatch {
			continue
		}
		if err := docket.Into(&w); err != nil {
			return err
		}
		if w.Closed.IsZero() {
			b.Audit = append(b.Audit, d.told("node", "watch.expired", w.ID, w.Reference))
		}
	}
	return d.Store.File(ctx, b)
}
