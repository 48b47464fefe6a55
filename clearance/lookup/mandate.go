package lookup

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/ecogate/ecogate/clearance"
	"github.com/ecogate/ecogate/eco"
)

// Mandate is an importer's leave for a broker to see, and so to cite, the certificates that are for him.
type Mandate struct {
	ID string `json:"id"`
	// Importer is one of the importer's names, Broker the name of the broker's API key.
	Importer eco.PartyName `json:"importer"`
	Broker   string        `json:"broker"`
	// From and Until are the first and the last day, in UTC; a zero Until has no end.
	From  eco.Date  `json:"from"`
	Until eco.Date  `json:"until,omitzero"`
	By    string    `json:"given_by"`
	At    time.Time `json:"given"`
	Note  string    `json:"note,omitempty"`
	// Revoked is when and RevokedBy by whom it was taken back.
	Revoked   time.Time `json:"revoked,omitzero"`
	RevokedBy string    `json:"revoked_by,omitempty"`
}

// Counts reports whether it holds at an instant.
func (m Mandate) Counts(at time.Time) bool {
	day := eco.DateOf(at.UTC())
	return m.Revoked.IsZero() && !day.Before(m.From) && (m.Until.IsZero() || !day.After(m.Until))
}

// Giver is who gives or revokes a mandate: an importer for his own parties, or an officer for any.
type Giver struct {
	Reader
	Officer bool
}

func (g Giver) may(party eco.PartyName) bool { return g.Officer || slices.Contains(g.Parties, party) }

// MaxNote bounds the note of a mandate, in octets, MaxMandates the mandates of one broker that are kept and not revoked.
const (
	MaxNote     = 500
	MaxMandates = 10_000
)

// Give files a mandate. ID, By and At are set; without a From it begins today. The errors are ErrNotYours, ErrInvalid and ErrMany.
func (d *Desk) Give(ctx context.Context, g Giver, m Mandate) (Mandate, error) {
	now := d.Now().UTC()
	if m.From.IsZero() {
		m.From = eco.DateOf(now)
	}
	switch {
	case !g.may(m.Importer):
		return Mandate{}, fmt.Errorf("%w: %s", ErrNotYours, m.Importer)
	case !m.Until.IsZero() && m.Until.Before(m.From):
		return Mandate{}, fmt.Errorf("%w: until %s lies before from %s", ErrInvalid, m.Until, m.From)
	case len(m.Note) > MaxNote:
		return Mandate{}, fmt.Errorf("%w: note of %d octets; %d are the most", ErrInvalid, len(m.Note), MaxNote)
	}
	n := 0
	if err := d.all(ctx, clearance.DocketQuery{Kind: KindMandate, Term: ofBroker(m.Broker)}, func(clearance.Docket) error { n++; return nil }); err != nil {
		return Mandate{}, fmt.Errorf("mandates of %s: %w", m.Broker, err)
	}
	if n >= MaxMandates {
		return Mandate{}, fmt.Errorf("%w: %s has %d mandates", ErrMany, m.Broker, n)
	}
	m.ID, m.By, m.At, m.Revoked, m.RevokedBy = newID(), g.Name, now, time.Time{}, ""
	docket, err := fresh(KindMandate, m.ID, m, ofBroker(m.Broker), ofImporter(m.Importer))
	if err != nil {
		return Mandate{}, err
	}
	until := ""
	if !m.Until.IsZero() {
		until = " until " + m.Until.String()
	}
	detail := fmt.Sprintf("of %s for %s from %s%s", m.Importer, m.Broker, m.From, until)
	err = d.Store.File(ctx, clearance.Batch{
		Dockets: []clearance.Docket{docket}, Audit: []clearance.Happening{d.told(g.Name, "mandate.given", m.ID, detail)},
	})
	return m, err
}

// Revoke takes a mandate back, from now on. One that was revoked before stays as it is. What is not there and what is not the giver's is ErrNotThere.
func (d *Desk) Revoke(ctx context.Context, g Giver, id string) (Mandate, error) {
	var m Mandate
	err := again(func() error {
		docket, value, err := one[Mandate](ctx, d.Store, KindMandate, id)
		if err != nil {
			return err
		}
		if m = value; !g.may(m.Importer) {
			return fmt.Errorf("%s %q: %w", KindMandate, id, ErrNotThere)
		}
		if !m.Revoked.IsZero() {
			return nil
		}
		m.Revoked, m.RevokedBy = d.Now().UTC(), g.Name
		if docket, err = docket.With(m); err != nil {
			return err
		}
		docket.Terms = []string{ofImporter(m.Importer)}
		return d.Store.File(ctx, clearance.Batch{
			Dockets: []clearance.Docket{docket},
			Audit:   []clearance.Happening{d.told(g.Name, "mandate.revoked", id, fmt.Sprintf("of %s for %s", m.Importer, m.Broker))},
		})
	})
	return m, err
}

// MandateQuery selects mandates; zero fields do not restrict.
type MandateQuery struct {
	Broker   string
	Importer eco.PartyName
	// After is the number after which a page begins; Limit is at most pageSize, and 100 if it is 0.
	After uint64
	Limit int
}

// Mandates lists mandates in the order in which they were given, and the number after which the next page begins, 0 if there is none. With a Broker there
// are none that were revoked.
func (d *Desk) Mandates(ctx context.Context, q MandateQuery) ([]Mandate, uint64, error) {
	term := ""
	switch {
	case q.Broker != "":
		term = ofBroker(q.Broker)
	case q.Importer != "":
		term = ofImporter(q.Importer)
	}
	if q.Limit <= 0 || q.Limit > pageSize {
		q.Limit = 100
	}
	list := []Mandate{}
	var last uint64 // of those that are listed: what others gave must not show in where the next page begins
	for after := q.After; ; {
		found, err := d.Store.Dockets(ctx, clearance.DocketQuery{Kind: KindMandate, Term: term, After: after, Limit: pageSize})
		if err != nil {
			return nil, 0, fmt.Errorf("mandates: %w", err)
		}
		for _, docket := range found {
			after = docket.Filed
			var m Mandate
			if err := docket.Into(&m); err != nil {
				return nil, 0, err
			}
			if q.Importer != "" && m.Importer != q.Importer {
				continue
			}
			if len(list) == q.Limit {
				return list, last, nil
			}
			list, last = append(list, m), docket.Filed
		}
		if len(found) < pageSize {
			return list, 0, nil
		}
	}
}

// mandated are the importers whose mandates for a broker count now.
func (d *Desk) mandated(ctx context.Context, broker string) ([]eco.PartyName, error) {
	var names []eco.PartyName
	now := d.Now()
	err := d.all(ctx, clearance.DocketQuery{Kind: KindMandate, Term: ofBroker(broker)}, func(docket clearance.Docket) error {
		var m Mandate
		if err := docket.Into(&m); err != nil {
			return err
		}
		if m.Broker == broker && m.Counts(now) {
			names = append(names, m.Importer)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("mandates of %s: %w", broker, err)
	}
	return names, nil
}
