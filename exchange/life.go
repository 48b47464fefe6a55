package exchange

import (
	"fmt"
	"slices"
	"time"

	"github.com/ecogate/ecogate/eco"
)

// Life is where a certificate stands in its life cycle. Deliveries and conflicts move the record's State alone, so that is what holds.
// When the validity of an exported certificate ends is for the importing customs to judge: no end is set.
func (c Certificate) Life() eco.Life {
	life := eco.Life{Side: eco.SideImporting, Content: c.Content, ValidUntil: c.ValidUntil, SingleUse: c.SingleUse}
	if c.Direction == Outbound {
		life.Side = eco.SideExporting
	}
	if known := c.Dealings.Life; known != nil {
		life = *known
	} else {
		for _, declared := range eco.DeclaredQuantities(c.Data) {
			life.Items = append(life.Items, eco.Balance{Item: declared.Item, Declared: declared.Quantity})
		}
	}
	if !slices.Contains(life.Messages, c.Message) {
		life.Messages = append(slices.Clone(life.Messages), c.Message)
	}
	if conflict := c.State == CertificateInConflict; conflict && life.State != eco.StateSuspended && life.State != eco.StateInConflict {
		life.Resume = life.State // where a settlement leads back to
	}
	life.State = eco.State(c.State)
	return life
}

// Deadlines lists what either side still has to do about a certificate of that form, and until when, the earliest first. Clocks of
// the certificate run from its record here. What customs or this node doubt by themselves asks nobody for a reply.
func (c Certificate) Deadlines(form eco.Form) []eco.Deadline {
	life := c.Life()
	life.Began = c.Recorded
	if life.ValidUntil == lastDay(form, c.Data) {
		life.ValidUntil = eco.Date{} // the form says it too, and whether it is sure
	}
	life.Requests = slices.DeleteFunc(slices.Clone(life.Requests), func(r eco.Verification) bool { return r.ID == customsDoubt || r.ID == issuerDoubt })
	return form.Deadlines(c.Data.IssuedAt, life)
}

// lastDay is the last day on which a certificate of that form may be presented; the zero Date if the form sets none.
func lastDay(form eco.Form, c eco.Certificate) eco.Date {
	if form.ValidityMonths == 0 || c.IssuedAt.IsZero() {
		return eco.Date{}
	}
	return c.IssuedAt.AddMonths(form.ValidityMonths)
}

// moved is the change that events make to a certificate, and dealings says what else is known of it then. The error is an
// *eco.IllegalMove.
func moved(c Certificate, dealings Dealings, events ...eco.Event) (Change, error) {
	life := c.Life()
	for _, e := range events {
		next, err := eco.Next(life, e)
		if err != nil {
			return Change{}, err
		}
		life = next
	}
	dealings.Life = &life
	return Change{Seq: c.Seq, Revision: c.Revision, Was: c.State, State: CertificateState(life.State), Dealings: dealings}, nil
}

// tally is what the outcomes of all items come to.
type tally struct {
	used, exhausted, suspended bool
	kept                       bool // of an item that is denied or suspended something was used before
	denied                     []int
}

func tallyOf(items []ItemStanding, c eco.Certificate) (t tally) {
	usedUp := 0
	for _, item := range items {
		switch item.Status {
		case eco.CustomsUsedInPart:
			t.used = true
		case eco.CustomsUsedUp:
			t.used = true
			usedUp++
		case eco.CustomsDenied:
			t.denied = append(t.denied, item.Item)
		case eco.CustomsSuspended:
			t.suspended = true
		}
		refused := item.Status == eco.CustomsDenied || item.Status == eco.CustomsSuspended
		t.kept = t.kept || refused && item.Quantity != nil && item.Quantity.Value.Sign() > 0
	}
	t.exhausted = usedUp > 0 && usedUp+len(t.denied) == len(c.Items)
	return t
}

// customsDoubt is the request that stands for items which customs suspended by themselves.
const customsDoubt = "customs"

// responseEvents are what a customs response makes happen to a certificate of which before was known and after is known now.
func responseEvents(c Certificate, before, after tally, r eco.CustomsResponse, by string) (events []eco.Event) {
	at := r.IssueTime
	declaration := r.Declaration
	if declaration == "" {
		declaration = r.ID
	}
	override := "" // customs judged the day of presentation themselves; a response does not tell it
	if life := c.Life(); !life.ValidUntil.IsZero() && eco.DateOf(at.UTC()).After(life.ValidUntil) && c.State != CertificateCancelled {
		override = "decided by customs, declaration " + declaration
	}
	add := func(e eco.Event) {
		e.At, e.By = at, by
		events = append(events, e)
	}
	for _, request := range c.Life().Requests {
		if request.ID == customsDoubt && !after.suspended || request.ID != customsDoubt && c.Direction == Inbound && !request.Replied.IsZero() {
			add(eco.Event{Kind: eco.EventClose, Reference: request.ID})
		}
	}
	if reopened := without(before.denied, after.denied); reopened != nil {
		add(eco.Event{Kind: eco.EventReopen, Items: reopened})
	}
	if denied := without(after.denied, before.denied); denied != nil {
		add(eco.Event{Kind: eco.EventDeny, Items: denied, Reasons: reasonsOf(r, eco.CustomsDenied)})
	}
	used := before.used || before.kept && (c.State == CertificateUsedInPart || c.State == CertificateUsedUp)
	undone := used && !after.used && !after.kept || before.exhausted && !after.exhausted
	if undone {
		add(eco.Event{Kind: eco.EventReverse})
	}
	if after.used && (!before.used || undone || after.exhausted && !before.exhausted) {
		if c.Direction == Inbound {
			add(eco.Event{Kind: eco.EventCite, Reference: declaration, Override: override})
		}
		add(eco.Event{Kind: eco.EventUse, Reference: declaration, Exhausts: after.exhausted, Override: override})
	}
	if after.suspended && !before.suspended {
		add(eco.Event{Kind: eco.EventVerify, Reference: customsDoubt, Reasons: reasonsOf(r, eco.CustomsSuspended)})
	}
	return events
}

// without are the items of a that are not in b.
func without(a, b []int) (items []eco.ItemQuantity) {
	for _, item := range a {
		if !slices.Contains(b, item) {
			items = append(items, eco.ItemQuantity{Item: item})
		}
	}
	return items
}

// reasonsOf are the reasons of the items with that status.
func reasonsOf(r eco.CustomsResponse, status eco.CustomsStatus) (reasons []eco.Reason) {
	for _, item := range r.Items {
		if item.Status == status {
			reasons = append(reasons, item.Reasons...)
		}
	}
	return reasons
}

// merged are the standings of items after a response: what was said later of an item holds, whichever message came first.
func merged(items []ItemStanding, r eco.CustomsResponse, message string) []ItemStanding {
	all := slices.Clone(items)
	for _, outcome := range r.Items {
		now := ItemStanding{ItemOutcome: outcome, Declaration: r.Declaration, Said: r.IssueTime, Message: message}
		at := slices.IndexFunc(all, func(s ItemStanding) bool { return s.Item == outcome.Item })
		switch {
		case at < 0:
			all = append(all, now)
		case !all[at].Said.After(r.IssueTime):
			all[at] = now
		}
	}
	slices.SortFunc(all, func(a, b ItemStanding) int { return a.Item - b.Item })
	return all
}

// responded is the change that a customs response makes to a certificate.
func responded(c Certificate, r eco.CustomsResponse, message, by string) (Change, error) {
	dealings := c.Dealings
	dealings.Items = merged(dealings.Items, r, message)
	before, after := tallyOf(c.Dealings.Items, c.Data), tallyOf(dealings.Items, c.Data)
	return moved(c, dealings, responseEvents(c, before, after, r, by)...)
}

// withdraw is the change that a cancellation or a replacement makes to a certificate, and the effect that message stands and falls
// with; nothing if it was made before. successor is what takes its place, nil for none.
func withdraw(c Certificate, e eco.Event, message string, successor *CertificateKey) ([]Change, *Effect, error) {
	dealings := c.Dealings
	dealings.Withdrawn, dealings.Successor = message, successor
	change, err := moved(c, dealings, e)
	if err != nil || change.State == c.State {
		return nil, nil, err
	}
	return []Change{change}, &Effect{Certificate: c.Seq, Before: c.State, After: change.State}, nil
}

// verification finds a verification by its number.
func (d Dealings) verification(id string) (int, bool) {
	at := slices.IndexFunc(d.Verifications, func(v Verification) bool { return v.ID == id })
	return at, at >= 0
}

// maxVerifications bounds those of one certificate, all of which its record keeps.
const maxVerifications = 100

// asking is the change that a verification request makes to a certificate.
func asking(c Certificate, r eco.VerificationRequest, message, by string) (Change, error) {
	if len(c.Dealings.Verifications) >= maxVerifications {
		return Change{}, &eco.IllegalMove{Side: c.Life().Side, State: eco.State(c.State), Event: eco.EventVerify, Code: eco.ReasonTooLarge,
			Why: fmt.Sprintf("its verification was requested %d times, and no more are kept", maxVerifications)}
	}
	dealings := c.Dealings
	dealings.Verifications = append(slices.Clone(dealings.Verifications), Verification{
		Request: message, ID: r.ID, Asked: r.IssueTime, ReplyBy: r.ReplyBy,
	})
	return moved(c, dealings, eco.Event{Kind: eco.EventVerify, At: r.IssueTime, By: by, Reference: r.ID, Reasons: doubts(r), ReplyBy: r.ReplyBy})
}

// doubts are the reasons of a verification request; one at random has the one that says so.
func doubts(r eco.VerificationRequest) []eco.Reason {
	if len(r.Reasons) == 0 {
		return []eco.Reason{{Code: eco.ReasonOther, Text: "verified at random"}}
	}
	return r.Reasons
}

// replied is the change that a verification reply makes. On the importing side a certificate that is not confirmed stays suspended until
// customs have decided.
func replied(c Certificate, r eco.VerificationReply, message, by string, at time.Time) (Change, error) {
	dealings := c.Dealings
	dealings.Verifications = slices.Clone(dealings.Verifications)
	if i, known := dealings.verification(r.Request); known {
		v := &dealings.Verifications[i]
		v.Reply, v.Replied, v.Result = message, at, r.Result
	}
	events := []eco.Event{{Kind: eco.EventReply, At: at, By: by, Reference: r.Request}}
	if c.Direction == Outbound || r.Result == eco.VerifiedConfirmed {
		events = append(events, eco.Event{Kind: eco.EventClose, At: at, By: by, Reference: r.Request})
	}
	return moved(c, dealings, events...)
}
