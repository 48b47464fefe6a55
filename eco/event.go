package eco

import (
	"fmt"
	"slices"
	"time"
)

// EventKind is what may happen to a certificate.
type EventKind string

// The events, with what they need besides At and By.
const (
	// On the exporting side.

	EventIssue   EventKind = "issue"   // Content; Declared, ValidUntil and SingleUse if known
	EventRelease EventKind = "release" // free to leave; Message if it is queued already. Again after a failure or a rejection
	EventSend    EventKind = "send"    // Message, which the partner took
	EventReceipt EventKind = "receipt" // Message, which the partner acknowledged
	EventFail    EventKind = "fail"    // Message, whose delivery ended
	EventAccept  EventKind = "accept"  // Message, whose certificate the partner accepted
	EventReject  EventKind = "reject"  // Message, whose certificate the partner rejected; Reasons

	// On the importing side.

	EventReceive  EventKind = "receive"  // Content; Declared, ValidUntil and SingleUse if known
	EventAdmit    EventKind = "admit"    // may be used from now on
	EventRefuse   EventKind = "refuse"   // rejected at the door; Reasons. On the exporting side: by a partner who had accepted it
	EventSettle   EventKind = "settle"   // a person decided that this one of two documents in conflict holds. On the exporting side: the partner's
	EventCite     EventKind = "cite"     // Reference of the import declaration; Items that it reserves, and HoldUntil if that may lapse
	EventWithdraw EventKind = "withdraw" // Reference of a declaration that does not cite it any more: what it reserved is free
	EventLapse    EventKind = "lapse"    // Reference of a declaration that has not used it by HoldUntil: as withdrawn
	EventDraw     EventKind = "draw"     // Reference of a back-to-back certificate that took Items of it
	EventReturn   EventKind = "return"   // Reference of a back-to-back certificate that gives Items back, or all without

	// On both sides.

	EventUse     EventKind = "use"     // written off: Items, or Exhausts, or neither where no quantities are told; Reference of the declaration
	EventReverse EventKind = "reverse" // uses are undone, of the declaration Reference or of any: Items, or all without
	EventDeny    EventKind = "deny"    // Reasons; Items if it is about some of them only
	EventReopen  EventKind = "reopen"  // denial withdrawn after clarification; Items if it is about some of them only
	EventVerify  EventKind = "verify"  // Reference of the request; Reasons
	EventReply   EventKind = "reply"   // Reference of the request that is replied to
	EventClose   EventKind = "close"   // Reference of the request that is closed
	EventCancel  EventKind = "cancel"  // the issuing body cancelled it
	EventReplace EventKind = "replace" // Reference of the certificate that takes its place
	EventExpire  EventKind = "expire"  // its validity has ended
	EventResend  EventKind = "resend"  // on the exporting side: sent again in Message on request. ATIGA OCP Rule 29(3)
)

// EventKinds lists every kind of event, in the order of a usual life.
func EventKinds() []EventKind {
	return []EventKind{
		EventIssue, EventRelease, EventSend, EventReceipt, EventFail, EventAccept, EventReject,
		EventReceive, EventAdmit, EventRefuse, EventSettle, EventCite, EventWithdraw,
		EventLapse, EventDraw, EventReturn,
		EventUse, EventReverse, EventDeny, EventReopen, EventVerify, EventReply, EventClose,
		EventCancel, EventReplace, EventExpire, EventResend,
	}
}

// Event is one thing that happened to a certificate. Fields that its kind does not need are left zero.
type Event struct {
	Kind EventKind `json:"kind"`
	// At is the instant at which it happened, in UTC: of a use when the goods were written off, not when we heard of it.
	At time.Time `json:"at"`
	// By is who did it: a user, a partner's id, or "node".
	By string `json:"by"`
	// Message is the id of the message that carried the certificate, whichever message brings the news.
	Message string `json:"message_id,omitempty"`
	// Reference is the other document's number: a declaration, a request or a certificate.
	Reference string `json:"reference,omitempty"`
	// Reasons say why, with codes of Reasons().
	Reasons []Reason `json:"reasons,omitempty"`
	// Items are the quantities that are reserved, written off or given back, each more than zero and in a unit that converts into the
	// item's; for a denial and its withdrawal the items alone count.
	Items []ItemQuantity `json:"items,omitempty"`
	// HoldUntil is the instant from which a reservation may lapse; zero sets no end.
	HoldUntil time.Time `json:"hold_until,omitzero"`
	// Exhausts: nothing is left after this use, whatever the quantities. UNCL 1373 codes 12 and 14.
	Exhausts bool `json:"exhausts,omitempty"`
	// Override is an officer's reason to cite, draw on or write off a certificate after its validity, or to write off one that was
	// cancelled. ATIGA OCP Rule 14 allows belated presentation for goods that arrived in time, and for force majeure.
	Override string `json:"override,omitempty"`

	// ReplyBy is the last day for the reply that a request to verify states; optional.
	ReplyBy Date `json:"reply_by,omitzero"`

	// What begins a life.

	Content    string         `json:"content,omitempty"`
	Declared   []ItemQuantity `json:"declared,omitempty"`
	ValidUntil Date           `json:"valid_until,omitzero"`
	SingleUse  bool           `json:"single_use,omitempty"`
}

// ItemQuantity is a quantity of one item, by Item.Number.
type ItemQuantity struct {
	Item     int     `json:"item"`
	Quantity Measure `json:"quantity,omitzero"`
}

// Reopens reports whether events of this kind may lead back from a terminal state: a denial that is withdrawn, a use that is
// undone, and a back-to-back certificate that gives back what it took or takes less of it. No other does.
func (k EventKind) Reopens() bool {
	return k == EventReopen || k == EventReverse || k == EventReturn || k == EventDraw
}

// needs are the fields that an event cannot be without.
var needs = map[string][]EventKind{
	"content":    {EventIssue, EventReceive},
	"message_id": {EventSend, EventReceipt, EventFail, EventAccept, EventReject, EventResend},
	"reference":  {EventCite, EventWithdraw, EventLapse, EventDraw, EventReturn, EventVerify, EventReply, EventClose, EventReplace},
	"reasons":    {EventReject, EventRefuse, EventDeny, EventVerify},
}

// incomplete says what an event lacks, or "".
func (e Event) incomplete() string {
	given := []struct {
		name  string
		there bool
	}{
		{"content", e.Content != ""}, {"message_id", e.Message != ""}, {"reference", e.Reference != ""},
		{"reasons", len(e.Reasons) > 0},
	}
	switch {
	case !slices.Contains(EventKinds(), e.Kind):
		return "there is no such event"
	case e.At.IsZero():
		return "the event states no instant"
	case e.By == "":
		return "the event does not say by whom"
	}
	for _, g := range given {
		if !g.there && slices.Contains(needs[g.name], e.Kind) {
			return fmt.Sprintf("the event needs %s", g.name)
		}
	}
	for _, r := range e.Reasons {
		if r.Code == ReasonOther && r.Text == "" {
			return fmt.Sprintf("reason %s needs a text", ReasonOther)
		}
	}
	return ""
}
