package eco

import (
	"fmt"
	"slices"
	"time"
)

// Side is which end of the exchange a record of a certificate is kept at.
type Side string

// The sides.
const (
	SideExporting Side = "exporting" // our own issuing body issued it
	SideImporting Side = "importing" // a partner sent it
)

// State is where a certificate stands on one side.
type State string

// The states. The zero State is that of a certificate that this side has never seen.
const (
	StateNone State = ""

	// On the exporting side only.

	StateIssued    State = "issued"    // certified, and not yet free to leave
	StateReleased  State = "released"  // free to leave: queued, or on its way
	StateSent      State = "sent"      // the partner took the message; no acknowledgment has come, or none was agreed
	StateReceipted State = "receipted" // the partner's messaging service acknowledged it
	StateFailed    State = "failed"    // delivery ended without an acknowledgment, or the partner could not use it
	StateAccepted  State = "accepted"  // the partner accepted it for use
	StateRejected  State = "rejected"  // the partner rejected it at the door

	// On the importing side only.

	StateReceived   State = "received"    // verified and stored, and not yet to be used
	StateRefused    State = "refused"     // we rejected it at the door, and told the partner
	StateAvailable  State = "available"   // may be cited
	StateCited      State = "cited"       // import declarations name it; nothing was written off yet
	StateSuspended  State = "suspended"   // a verification is open, or its issuer is in doubt; nothing may be written off
	StateInConflict State = "in conflict" // another document came under its number; neither may be used

	// On both sides.

	StateUsedInPart State = "used in part"
	StateUsedUp     State = "used up"
	StateDenied     State = "denied" // the importing customs denied the preference for all items
	StateCancelled  State = "cancelled"
	StateReplaced   State = "replaced"
	StateExpired    State = "expired"
)

// States lists the states of a side in the order of a usual life, without StateNone.
func States(side Side) []State {
	shared := []State{StateUsedInPart, StateUsedUp, StateDenied, StateCancelled, StateReplaced, StateExpired}
	switch side {
	case SideExporting:
		return append([]State{StateIssued, StateReleased, StateSent, StateReceipted, StateFailed, StateAccepted, StateRejected}, shared...)
	case SideImporting:
		return append([]State{StateReceived, StateRefused, StateAvailable, StateCited, StateSuspended, StateInConflict}, shared...)
	default:
		return nil
	}
}

// Terminal reports whether the life of a certificate in this state has ended. Only what EventKind.Reopens names leads back.
func (s State) Terminal() bool {
	switch s {
	case StateUsedUp, StateDenied, StateCancelled, StateReplaced, StateExpired:
		return true
	}
	return false
}

// Life is where one certificate stands on one side, and what its next move depends on. The zero value but for Side is that
// of a certificate that was never seen. Lives are values: Next changes none.
type Life struct {
	Side  Side  `json:"side"`
	State State `json:"state"`
	// Resume is the state that a suspended certificate, one in conflict and a denied one go back to, and one that was used up after
	// it was cancelled or had expired.
	Resume State `json:"resume,omitempty"`
	// Content identifies what the certificate says, as the Content of the event that began its life.
	Content string `json:"content,omitempty"`
	// ValidUntil is the last day on which it may be used; the zero Date sets no end.
	ValidUntil Date `json:"valid_until,omitzero"`
	// SingleUse: one declaration uses it up, whatever the quantities.
	SingleUse bool `json:"single_use,omitempty"`
	// Items are the balances of the items, in the order of the certificate: what Draws add up to.
	Items []Balance `json:"items,omitempty"`
	// Draws are what declarations and back-to-back certificates have reserved and written off, in the order of their first: at
	// most MaxDraws.
	Draws []Draw `json:"draws,omitempty"`
	// Messages are the ids of the messages that carried it, oldest first. The exporting side holds answers to them.
	Messages []string `json:"messages,omitempty"`
	// Declarations are the import declarations that cite it and have not used or dropped it: at most MaxDraws.
	Declarations []string `json:"declarations,omitempty"`
	// Requests are the verifications that are open.
	Requests []Verification `json:"requests,omitempty"`
	// Exhausted: a use was the last, whatever the balances say.
	Exhausted bool `json:"exhausted,omitempty"`
	// Successor is the reference of the certificate that replaced it.
	Successor string `json:"successor,omitempty"`
	// Began is the instant of its issue or receipt, Changed that of the last move.
	Began   time.Time `json:"began,omitzero"`
	Changed time.Time `json:"changed,omitzero"`
	// Steps are the states that it went through since moves are kept, oldest first, at most MaxSteps; the last is State.
	Steps []Step `json:"steps,omitempty"`
}

// Verification is a request to verify a certificate. OCP Rule 18 of ATIGA; domain: 90 days for the reply, 180 in all.
type Verification struct {
	// ID is the requesting side's number of the request.
	ID string `json:"id"`
	// Asked and Replied are the instants of the request and of its reply, zero while there is none.
	Asked   time.Time `json:"asked"`
	Replied time.Time `json:"replied,omitzero"`
	// ReplyBy is the last day for the reply, where the request states one.
	ReplyBy Date `json:"reply_by,omitzero"`
}

// IllegalMove is the error for an event that may not happen to a certificate where it stands. Nothing was changed.
type IllegalMove struct {
	Side  Side
	State State
	Event EventKind
	// Code is the reason code that fits, such as ReasonExhausted.
	Code string
	// Why says it in words.
	Why string
}

// Error names the state, the event and why it may not happen.
func (e *IllegalMove) Error() string {
	state := string(e.State)
	if e.State == StateNone {
		state = "unknown"
	}
	return fmt.Sprintf("%s side, certificate %s, event %q: %s (%s)", e.Side, state, e.Event, e.Why, e.Code)
}

// Next is the life of a certificate after an event. An event that tells what is known already, such as a second receipt
// or a copy of a partner's answer, changes nothing and is no error. Uses and what undoes them add up, so that a copy of
// one is to be found before it comes here; what is reserved, and what a back-to-back certificate draws, takes the place of what the
// same document reserved or drew before.
//
// An event that may not happen gives an *IllegalMove and l as it was. The rules are the tables of lifecycle_moves.go; the
// life cycle behind them is that of the ATIGA Operational Certification Procedure, Rules 10 to 18 and 29 to 30, with what
// other exchanges add.
func Next(l Life, e Event) (Life, error) {
	illegal := func(code, why string) (Life, error) {
		return l, &IllegalMove{Side: l.Side, State: l.State, Event: e.Kind, Code: code, Why: why}
	}
	moves, ok := movesOf(l.Side)
	if !ok {
		return illegal(ReasonOther, fmt.Sprintf("want side %s or %s, found %q", SideExporting, SideImporting, l.Side))
	}
	if why := e.incomplete(); why != "" {
		return illegal(ReasonOther, why)
	}
	for _, m := range moves {
		if m.on != e.Kind || !slices.Contains(m.from, l.State) {
			continue
		}
		next := l.clone()
		if m.effect != nil {
			if refused := m.effect(&next, e); refused != nil {
				return illegal(refused.code, refused.why)
			}
		}
		if m.to != effected {
			next.State = m.to
		}
		if next.State != l.State {
			next.Changed = e.At
			next.Steps = stepped(l.Steps, Step{next.State, e.At})
		}
		return next, nil
	}
	code, why := whyNot(l, e)
	return illegal(code, why)
}

// clone copies what the effects change.
func (l Life) clone() Life {
	l.Items, l.Messages = slices.Clone(l.Items), slices.Clone(l.Messages)
	l.Declarations, l.Requests = slices.Clone(l.Declarations), slices.Clone(l.Requests)
	l.Draws = slices.Clone(l.Draws)
	for i := range l.Draws {
		l.Draws[i].Items = slices.Clone(l.Draws[i].Items)
	}
	return l
}

// used reports whether anything was written off.
func (l Life) used() bool {
	return l.State == StateUsedInPart || l.State == StateUsedUp || l.Resume == StateUsedInPart || l.Resume == StateUsedUp ||
		l.Exhausted || l.drawn() || slices.ContainsFunc(l.Items, func(b Balance) bool { return b.Used.Value.Sign() > 0 })
}
