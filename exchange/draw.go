package exchange

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/ecogate/ecogate/eco"
	"github.com/ecogate/ecogate/partners"
)

// Back-to-back certificates that are issued here draw on the certificates that they build on, as far as those were received here:
// ATIGA OCP Rule 11. The draw is made in the transaction that queues the certificate, and moves with it when it is replaced. It
// stays when delivery fails, since the certificate may be sent again, and is given back when the certificate is cancelled or
// replaced: not before the partner has taken that message, because until then the certificate stands again if it is not taken.

// The audit log's words for it; the subject is the certificate that is drawn on.
const (
	EventDrawn    = "certificate.drawn"    // the detail names the certificate that took quantities, and which
	EventReturned = "certificate.returned" // the detail names the certificate that gave them back
)

// origin is a received certificate that another one builds on, and what happens to it.
type origin struct {
	Certificate
	place  int // in eco.Certificate.Related
	life   eco.Life
	events []eco.Event
}

func (o *origin) happens(e eco.Event) error {
	next, err := eco.Next(o.life, e)
	if err == nil {
		o.life, o.events = next, append(o.events, e)
	}
	return err
}

// change is what has happened to it; false for nothing.
func (o *origin) change() (Change, bool) {
	dealings := o.Dealings
	dealings.Life = &o.life
	return Change{Seq: o.Seq, Revision: o.Revision, Was: o.State, State: CertificateState(o.life.State), Dealings: dealings}, len(o.events) > 0
}

// audit tells what has happened to it.
func (o *origin) audit() (entries []AuditEntry) {
	for _, e := range o.events {
		entry := AuditEntry{At: e.At, Actor: e.By, Event: EventDrawn, Subject: o.Key.String(), Detail: "by " + e.Reference}
		if e.Kind == eco.EventReturn {
			entry.Event = EventReturned
		}
		for _, q := range e.Items {
			entry.Detail += fmt.Sprintf(", item %d: %s %s", q.Item, q.Quantity.Value, q.Quantity.Unit)
		}
		entries = append(entries, entry)
	}
	return entries
}

// buildsOn reports whether a certificate is back-to-back to another.
func buildsOn(c eco.Certificate) bool {
	return slices.ContainsFunc(c.Related, func(r eco.RelatedCertificate) bool { return r.Relation == eco.RelationBackToBack })
}

// origins are the received certificates that c builds on, each once. Of several with one number it is the one of the same form, and one
// that may be used before one that may not.
func (n *Node) origins(ctx context.Context, c eco.Certificate, mode partners.Mode) (all []*origin, err error) {
	for i, related := range c.Related[:min(len(c.Related), maxRelated)] {
		if related.Relation != eco.RelationBackToBack || eco.NormaliseReference(related.Reference) == "" {
			continue
		}
		found, err := n.store.Certificates(ctx, CertificateQuery{Direction: Inbound, Reference: related.Reference, Country: related.Country})
		if err != nil {
			return nil, fmt.Errorf("looking for the original %q: %w", related.Reference, err)
		}
		var best *Certificate
		for j := range found {
			if f := &found[j]; f.Key == f.Key.in(mode) && (best == nil || suits(f, c) > suits(best, c)) {
				best = f
			}
		}
		if best != nil && !slices.ContainsFunc(all, func(o *origin) bool { return o.Seq == best.Seq }) {
			all = append(all, &origin{Certificate: *best, place: i, life: best.Life()})
		}
	}
	return all, nil
}

// suits ranks a certificate among those with one number.
func suits(f *Certificate, c eco.Certificate) (rank int) {
	if f.Key.Form == c.Form {
		rank = 2
	}
	switch f.State {
	case CertificateReplaced, CertificateRefused, CertificateCancelled:
		return rank
	}
	return rank + 1
}

// drawing is what a certificate takes.
type drawing struct {
	certificate  eco.Certificate
	child        string   // its key
	predecessors []string // those that it replaces
	actor        string
	at           time.Time
}

// draws is what the certificate of a load does to the received ones that it builds on: nothing to those that it has drawn on already. The
// error is an *InvalidError with what they do not have.
func (n *Node) draws(ctx context.Context, l load) ([]Change, []AuditEntry, error) {
	c := l.certificate.Data
	if !buildsOn(c) {
		return nil, nil, nil
	}
	queued, err := n.isQueued(ctx, l.certificate)
	if err != nil || queued {
		return nil, nil, err
	}
	origins, err := n.origins(ctx, c, l.agreement.Mode)
	if err != nil || len(origins) == 0 {
		return nil, nil, err
	}
	d := drawing{certificate: c, child: l.certificate.Key.String(), actor: l.actor, at: l.at}
	for _, key := range replacedKeys(c, l.agreement.Mode) {
		if text := key.String(); text != d.child {
			d.predecessors = append(d.predecessors, text)
		}
	}
	findings := d.draw(origins)
	if findings != nil {
		if origins, err = n.reclaimed(ctx, origins, d); err != nil {
			return nil, nil, err
		}
		findings = d.draw(origins)
	}
	if findings != nil {
		return nil, nil, &InvalidError{Findings: findings}
	}
	var changes []Change
	var audit []AuditEntry
	for _, o := range origins {
		if change, changed := o.change(); changed {
			changes, audit = append(changes, change), append(audit, o.audit()...)
		}
	}
	return changes, audit, nil
}

// isQueued reports whether a certificate went to its partner already, so that submitting it again changes nothing.
func (n *Node) isQueued(ctx context.Context, c Certificate) (bool, error) {
	found, err := n.heldBy(ctx, c.Partner, Outbound, c.Key)
	return slices.ContainsFunc(found, func(f Certificate) bool {
		return f.Content == c.Content && f.State != CertificateFailed && f.State != CertificateRejected
	}), err
}

// draw lets the originals happen what the certificate takes of them, or says what they do not have.
func (d drawing) draw(origins []*origin) []eco.Finding {
	stocks := make([]eco.Original, len(origins))
	for i, o := range origins {
		stocks[i] = eco.Original{Certificate: o.Data, Life: o.life}
		for _, document := range append([]string{d.child}, d.predecessors...) {
			if freed, err := eco.Next(stocks[i].Life, d.event(eco.EventReturn, document, nil)); err == nil {
				stocks[i].Life = freed
			}
		}
	}
	taken, findings := eco.DrawOnOriginals(d.certificate, stocks)
	if findings != nil {
		return findings
	}
	counted := slices.ContainsFunc(taken, func(items []eco.ItemQuantity) bool { return items != nil })
	for i, o := range origins {
		if counted && taken[i] == nil {
			continue
		}
		if err := d.drawOn(o, taken[i]); err != nil {
			text := err.Error()
			if illegal := (*eco.IllegalMove)(nil); errors.As(err, &illegal) {
				text = illegal.Why
			}
			findings = append(findings, eco.Finding{Code: eco.CodeBackToBack, Severity: eco.SeverityError, Path: fmt.Sprintf("related[%d].reference", o.place),
				Text: fmt.Sprintf("nothing may be drawn on %s, which is %s: %s", o.Data.Reference, o.State, text), Fix: "name an original that is in force and not used up"})
		}
	}
	return findings
}

// drawOn moves what predecessors took of an original to the certificate, as far as it takes as much. What is more stays with them until
// they are replaced for good.
func (d drawing) drawOn(o *origin, items []eco.ItemQuantity) error {
	for _, document := range d.predecessors {
		before, drew := o.life.DrawOf(document, true)
		if !drew {
			continue
		}
		moved := before.Common(items)
		if o.life.SingleUse {
			moved = nil
		} else if len(moved) == 0 {
			continue
		}
		if err := o.happens(d.event(eco.EventReturn, document, moved)); err != nil {
			return err
		}
	}
	if draw, drew := o.life.DrawOf(d.child, true); drew && draw.Took(items) {
		return nil
	}
	return o.happens(d.event(eco.EventDraw, d.child, items))
}

func (d drawing) event(kind eco.EventKind, document string, items []eco.ItemQuantity) eco.Event {
	return eco.Event{Kind: kind, At: d.at, By: d.actor, Reference: document, Items: items}
}

// reclaimed are the originals as they are without the draws of certificates that are cancelled or replaced for good. Giving back
// follows the partner's answer by itself; this is for what was between the two when a process ended.
func (n *Node) reclaimed(ctx context.Context, origins []*origin, d drawing) ([]*origin, error) {
	fresh := make([]*origin, len(origins))
	for i, o := range origins {
		fresh[i] = &origin{Certificate: o.Certificate, place: o.place, life: o.Life()}
		for _, draw := range o.Life().Draws {
			if !draw.Child || draw.Document == d.child {
				continue
			}
			void, err := n.isVoid(ctx, draw.Document)
			if err != nil {
				return nil, err
			}
			if void {
				_ = fresh[i].happens(d.event(eco.EventReturn, draw.Document, nil)) // where nothing may be given back, it is not free
			}
		}
	}
	return fresh, nil
}

// isVoid reports whether a certificate of ours, by the text of its key, was cancelled or replaced with every partner, and every
// partner took it.
func (n *Node) isVoid(ctx context.Context, document string) (bool, error) {
	parts := strings.SplitN(document, "/", 3)
	if len(parts) != 3 {
		return false, nil
	}
	found, err := n.store.Certificates(ctx, CertificateQuery{Direction: Outbound, Country: parts[0], Form: eco.FormCode(parts[1]), Reference: strings.TrimSuffix(parts[2], testMark)})
	if err != nil {
		return false, fmt.Errorf("finding certificate %s: %w", document, err)
	}
	found = slices.DeleteFunc(found, func(c Certificate) bool { return c.Key.String() != document })
	for _, c := range found {
		if c.State != CertificateCancelled && c.State != CertificateReplaced {
			return false, nil
		}
		by, kept, err := n.sent(ctx, c.Partner, c.Dealings.Withdrawn)
		if err != nil || kept && by.State != StateDelivered {
			return false, err
		}
	}
	return len(found) > 0, nil
}

// giveBack gives back what a certificate took of its originals, after its partner took the message that cancels or replaces it. What a
// fault leaves undone is made up for when the next certificate draws on the same original.
func (n *Node) giveBack(ctx context.Context, m Message) {
	if m.Effect == nil || n.keeper == nil {
		return
	}
	if err := n.returnDraws(context.WithoutCancel(ctx), m.Effect.Certificate); err != nil {
		n.log.Error("giving back what a certificate drew", "message_id", m.MessageID, "reference", m.Certificate.Reference, "error", err)
	}
}

// giveBackSettled is giveBack for the message that was settled by what came in another one; nil is none.
func (n *Node) giveBackSettled(ctx context.Context, s *Settlement, settled bool) {
	if s == nil || !settled || s.State != StateDelivered {
		return
	}
	m, found, err := n.sent(context.WithoutCancel(ctx), s.Partner, s.MessageID)
	if err != nil {
		n.log.Error("finding a message that was delivered", "message_id", s.MessageID, "error", err)
	}
	if found {
		n.giveBack(ctx, m)
	}
}

func (n *Node) returnDraws(ctx context.Context, seq uint64) error {
	found, err := n.store.Certificates(ctx, CertificateQuery{Seq: seq, Direction: Outbound})
	if err != nil || len(found) == 0 || !buildsOn(found[0].Data) {
		return err
	}
	c := found[0]
	document := c.Key.String()
	for range maxTurns {
		void, err := n.isVoid(ctx, document)
		if err != nil || !void {
			return err
		}
		origins, err := n.origins(ctx, c.Data, c.Mode)
		if err != nil {
			return err
		}
		var changes []Change
		var audit []AuditEntry
		for _, o := range origins {
			if _, drew := o.life.DrawOf(document, true); !drew {
				continue
			}
			if err := o.happens(eco.Event{Kind: eco.EventReturn, At: n.now().UTC(), By: "node", Reference: document}); err != nil {
				return err
			}
			change, _ := o.change()
			changes, audit = append(changes, change), append(audit, o.audit()...)
		}
		if len(changes) == 0 {
			return nil
		}
		if err = n.keeper.Change(ctx, changes, audit); !errors.Is(err, ErrChanged) {
			return err
		}
	}
	return errTurns
}
