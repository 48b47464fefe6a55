package notice

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"time"

	"github.com/ecogate/ecogate/clearance"
	"github.com/ecogate/ecogate/eco"
)

// cursorID is that of the one cursor.
const cursorID = "audit"

// cursor is how far the audit log was followed.
type cursor struct {
	// After is the number of the last entry that was seen, Since the instant from which on entries are told: that of the first start.
	After uint64    `json:"after"`
	Since time.Time `json:"since"`
}

// pageSize is how many entries are seen in one transaction.
const pageSize = 200

// Follow files notices for everything that the audit log holds beyond the cursor. While there is nobody to tell it does nothing; when there is somebody for the
// first time ever it sets the cursor, and tells nothing of what was before.
func (s *Service) Follow(ctx context.Context) error {
	for more := true; more; {
		err := s.again(func() (err error) {
			more, err = s.page(ctx)
			return err
		})
		if err != nil {
			return err
		}
		if err := ctx.Err(); err != nil {
			return err
		}
	}
	return nil
}

// page follows one page of entries.
func (s *Service) page(ctx context.Context) (more bool, err error) {
	recipients, err := s.everybody(ctx)
	if err != nil || len(recipients) == 0 {
		return false, err
	}
	c, found, err := one[cursor](ctx, s.Store, kindCursor, cursorID)
	if err != nil {
		return false, err
	}
	if !found {
		c.value.Since = s.Now().UTC()
		for _, r := range recipients { // who has just been confirmed misses nothing
			if !r.Since.IsZero() && r.Since.Before(c.value.Since) {
				c.value.Since = r.Since
			}
		}
	}
	entries, err := s.Store.Happenings(ctx, c.value.After, pageSize)
	if err != nil || len(entries) == 0 && found {
		return false, err
	}
	f := s.newFiling()
	for _, h := range entries {
		if err := s.tell(ctx, f, h, c.value.Since, recipients); err != nil {
			return false, err
		}
		c.value.After = h.Seq
	}
	d, err := c.written()
	if err != nil {
		return false, err
	}
	f.batch.Dockets = append(f.batch.Dockets, d)
	return len(entries) == pageSize, f.commit(ctx)
}

// patience is how often an entry may fail to be looked up until it is passed over.
const patience = 10

// tell files what one entry tells to whoever wants it.
func (s *Service) tell(ctx context.Context, f *filing, h clearance.Happening, since time.Time, recipients []Recipient) error {
	if h.At.Before(since) || s.Now().Sub(h.At) > s.GiveUp {
		return nil
	}
	for _, row := range rowsOf(h.Event) {
		if !slices.ContainsFunc(recipients, func(r Recipient) bool { return r.Audience == row.To }) {
			continue
		}
		m, told, err := s.matter(ctx, row, h)
		if err != nil {
			if s.stuck.seq != h.Seq {
				s.stuck.seq, s.stuck.times = h.Seq, 0
			}
			if s.stuck.times++; s.stuck.times < patience || ctx.Err() != nil {
				return fmt.Errorf("audit entry %d: %w", h.Seq, err)
			}
			s.Log.Error("audit entry passed over: nobody is told of it", "entry", h.Seq, "event", h.Event, "subject", h.Subject, "error", err)
			continue
		}
		if !told {
			continue
		}
		for _, r := range recipients {
			if !r.wants(m) || h.At.Before(r.Since) {
				continue
			}
			if err := f.add(ctx, h, m, r); err != nil {
				return err
			}
		}
	}
	return nil
}

// Bounds of texts in notices, in characters.
const (
	maxName   = 100
	maxDetail = 300
	maxCode   = 40
)

// matter looks up what an entry is about. told is false if there is nothing to tell.
func (s *Service) matter(ctx context.Context, row Row, h clearance.Happening) (m matter, told bool, err error) {
	m = matter{row: row, facts: Facts{Subject: line(h.Subject, maxName)}}
	switch row.about {
	case aboutImported:
		told, err = s.imported(ctx, &m, h)
	case aboutExported:
		told, err = s.exported(ctx, &m, h)
	case aboutDocket:
		told, err = s.docket(ctx, &m, h)
	default:
		told = true
		m.facts.Detail = line(h.Detail, maxDetail)
		if h.Actor != "node" {
			m.facts.Partner = line(h.Actor, maxName)
		}
		if key, err := clearance.ParseKey(h.Subject); err == nil {
			m.facts.Test = key.Test
		}
	}
	return m, told, err
}

// messageOf finds the message in the detail of an entry: "message ID ...".
var messageOf = regexp.MustCompile(`(?:^|[ ,;])message "?([^ ";,]+)`)

func messageIn(detail string) string {
	if found := messageOf.FindStringSubmatch(detail); found != nil {
		return found[1]
	}
	return ""
}

// imported looks up a received certificate. One that came again is no news.
func (s *Service) imported(ctx context.Context, m *matter, h clearance.Happening) (bool, error) {
	key, err := clearance.ParseKey(h.Subject)
	if err != nil {
		return false, nil // "certificate.available" is also told of messages that carry none
	}
	list, err := s.Store.Imported(ctx, key.Query())
	if err != nil {
		return false, err
	}
	for _, c := range list {
		if c.Key != key || c.Partner != h.Actor {
			continue
		}
		if m.row.Event == CertificateArrived && (c.Message != messageIn(h.Detail) || !tellable(c.State)) {
			continue
		}
		m.facts.about(c.Key, c.Data)
		m.facts.Partner, m.facts.State = c.Partner, string(c.State)
		m.parties = c.Data.ImporterNames()
		return true, nil
	}
	return false, nil
}

// tellable reports whether an importer can do something with a certificate, or must know that he cannot yet: not one that waits for those
// before it, nor one of two under one number.
func tellable(state eco.State) bool {
	return !slices.Contains([]eco.State{"received", "refused", "in conflict", "rejected"}, state)
}

// exported looks up a certificate that was sent to the partner who speaks.
func (s *Service) exported(ctx context.Context, m *matter, h clearance.Happening) (bool, error) {
	key, err := clearance.ParseKey(h.Subject)
	if err != nil {
		return false, nil
	}
	list, err := s.Books.Exported(ctx, key)
	if err != nil {
		return false, err
	}
	// "node" tells of what did not reach a partner: the one with whom it failed. What we said of one that we received has the same name in the log,
	// and another actor.
	at := slices.IndexFunc(list, func(e Exported) bool {
		return e.Key == key && (e.Partner == h.Actor || h.Actor == "node" && e.State == "failed")
	})
	if at < 0 && h.Actor == "node" {
		at = slices.IndexFunc(list, func(e Exported) bool { return e.Key == key })
	}
	if at < 0 {
		return false, nil
	}
	e := list[at]
	m.facts.about(e.Key, e.Data)
	m.facts.Partner, m.facts.State, m.body = e.Partner, e.State, e.Data.IssuingBody.ID
	if refusal, ok := eco.ParseRefusal(h.Detail); ok {
		m.facts.Reasons = []Reason{{line(refusal.Code, maxCode), line(refusal.Text, maxDetail)}}
	}
	return true, nil
}

// about takes what a notice may say out of a certificate.
func (f *Facts) about(key clearance.Key, c eco.Certificate) {
	f.Test, f.Form, f.Country = key.Test, c.Form, line(c.IssuingCountry, maxName)
	f.Reference, f.Body = line(c.Reference, maxName), line(c.IssuingBody.ID, maxName)
	if !c.IssuedAt.IsZero() {
		f.Issued = c.IssuedAt.String()
	}
	f.Exporter, f.Importer = line(c.Exporter.Name, maxName), line(c.Consignee.Name, maxName)
	if c.Importer != nil {
		f.Importer = line(c.Importer.Name, maxName)
	}
}

// The kinds of other rooms' dockets whose owners are told.
const (
	kindWatch       clearance.Kind = "watch"
	kindDeclaration clearance.Kind = "declaration"
)

// owned is what notices need of a watch, or of a lodged declaration.
type owned struct {
	Owner     string `json:"owner"`     // of a watch: the name of an API key
	Reference string `json:"reference"` // that a watch is about
	Declarant string `json:"declarant"` // of a declaration: the name of an API key
	Number    string `json:"number"`    // of a declaration
}

// docket looks up whose watch or declaration it is. The log names a watch by its id, a declaration by its number as it was given.
func (s *Service) docket(ctx context.Context, m *matter, h clearance.Happening) (bool, error) {
	kind, id := kindWatch, h.Subject
	if m.row.Event != WatchClosed {
		kind, id = kindDeclaration, eco.NormaliseReference(h.Subject)
	}
	d, found, err := one[owned](ctx, s.Store, kind, id)
	if err != nil || !found {
		return false, err
	}
	m.owner = d.value.Owner + d.value.Declarant // one of the two
	m.facts.Reference, m.facts.Declaration = line(d.value.Reference, maxName), line(d.value.Number, maxName)
	m.facts.Detail = line(h.Detail, maxDetail)
	return m.owner != "", nil
}

// everybody is whoever is configured or has subscribed and confirmed.
func (s *Service) everybody(ctx context.Context) ([]Recipient, error) {
	recipients := slices.Clone(s.Recipients())
	subscribed, err := s.subscribers(ctx)
	return append(recipients, subscribed...), err
}

// recipient finds one by its id.
func (s *Service) recipient(ctx context.Context, id string) (Recipient, error) {
	for _, r := range s.Recipients() {
		if r.ID == id {
			return r, nil
		}
	}
	h, found, err := one[signup](ctx, s.Store, KindSubscription, id)
	switch {
	case err != nil:
		return Recipient{}, err
	case found:
		if r, ok := s.asRecipient(h.value); ok {
			return r, nil
		}
	}
	return Recipient{}, fmt.Errorf("%w: recipient %q", ErrUnknown, id)
}
