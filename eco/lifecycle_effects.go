package eco

import (
	"cmp"
	"slices"
)

// begin opens a life.
func (l *Life) begin(e Event) *refusal {
	items := make([]Balance, 0, len(e.Declared))
	for _, declared := range e.Declared {
		if declared.Quantity != (Measure{}) && declared.Quantity.Value.Valid() != nil {
			return refuse(CodeQuantity, "item %d: %v", declared.Item, declared.Quantity.Value.Valid())
		}
		if slices.ContainsFunc(items, func(b Balance) bool { return b.Item == declared.Item }) {
			return refuse(CodeQuantity, "item %d is declared twice", declared.Item)
		}
		items = append(items, Balance{Item: declared.Item, Declared: declared.Quantity})
	}
	*l = Life{Side: l.Side, Began: e.At, Content: e.Content, ValidUntil: e.ValidUntil, SingleUse: e.SingleUse}
	if len(items) > 0 {
		l.Items = items
	}
	return l.remember(e)
}

// sameContent finds a second document under the number of the first.
func (l *Life) sameContent(e Event) *refusal {
	if e.Content != l.Content {
		return refuse(CodeReferenceReused, "the number was used before, for other content")
	}
	return nil
}

// receiveRefused takes a certificate that was refused as if it came now.
func (l *Life) receiveRefused(e Event) *refusal {
	if e.Content == l.Content {
		l.State = StateReceived
		return nil
	}
	return l.receiveAgain(e)
}

// receiveAgain leaves a copy alone; another document under the number puts both in conflict, and overwrites nothing.
func (l *Life) receiveAgain(e Event) *refusal {
	if e.Content != l.Content && l.State != StateInConflict {
		if l.State != StateSuspended { // One that is suspended knows already where it goes back to.
			l.Resume = l.State
		}
		l.State = StateInConflict
	}
	return nil
}

// settleConflict lets the document that this life is about hold.
func (l *Life) settleConflict(_ Event) *refusal {
	l.goOn()
	return nil
}

// remember keeps the id of a message that carried the certificate.
func (l *Life) remember(e Event) *refusal {
	if e.Message != "" && !slices.Contains(l.Messages, e.Message) {
		l.Messages = append(l.Messages, e.Message)
	}
	return nil
}

// carried does the same, and finds other content.
func (l *Life) carried(e Event) *refusal {
	if e.Content != "" && e.Content != l.Content {
		return refuse(CodeReferenceReused, "the message carries other content than was issued")
	}
	return l.remember(e)
}

// mustKnow finds an answer to a message that never carried the certificate.
func (l *Life) mustKnow(e Event) *refusal {
	if !slices.Contains(l.Messages, e.Message) {
		return refuse(ReasonNotReceived, "an answer to message %q, which did not carry it", e.Message)
	}
	return nil
}

// mustBeUnused finds goods that were written off already.
func (l *Life) mustBeUnused(_ Event) *refusal {
	if l.used() {
		return refuse(ReasonExhausted, "goods were written off against it")
	}
	return nil
}

func (l *Life) succeed(e Event) *refusal {
	if refused := l.mustBeUnused(e); refused != nil {
		return refused
	}
	l.Successor = e.Reference
	return nil
}

// sameSuccessor finds a second replacement. Another spelling of the first is none.
func (l *Life) sameSuccessor(e Event) *refusal {
	if NormaliseReference(e.Reference) != NormaliseReference(l.Successor) {
		return refuse(ReasonWithdrawn, "it was replaced by %s already", l.Successor)
	}
	return nil
}

// overdue lets nothing expire before its last day is over.
func (l *Life) overdue(e Event) *refusal {
	if !l.ValidUntil.IsZero() && !DateOf(e.At.UTC()).After(l.ValidUntil) {
		return refuse(CodeDates, "it is valid until %s", l.ValidUntil)
	}
	return nil
}

// late reports whether an event is after the last day of validity.
func (l *Life) late(e Event) bool {
	return !l.ValidUntil.IsZero() && DateOf(e.At.UTC()).After(l.ValidUntil)
}

// cite adds a declaration, and holds the quantities that it states. What is presented after the last day needs an officer's reason.
func (l *Life) cite(e Event) *refusal {
	others := slices.DeleteFunc(slices.Clone(l.Declarations), func(d string) bool { return d == e.Reference })
	switch {
	case len(others) < len(l.Declarations):
		return l.reserve(e) // It cites it already.
	case (l.State == StateExpired || l.late(e)) && e.Override == "":
		return refuse(ReasonExpired, "presented after its validity, which ended on %s", l.ValidUntil)
	case l.SingleUse && (len(others) > 0 || l.used()):
		return refuse(ReasonExhausted, "one declaration uses it up, and another cites it or has used it")
	case len(l.Declarations) >= MaxDraws:
		return refuse(ReasonTooLarge, "%d declarations cite it, and no more are kept", MaxDraws)
	}
	if refused := l.reserve(e); refused != nil {
		return refused
	}
	l.Declarations = append(l.Declarations, e.Reference)
	l.citing()
	return nil
}

// standing is the state that uses and citations change: of one that is suspended, in conflict or denied the one that it goes back to.
func (l *Life) standing() *State {
	switch l.State {
	case StateSuspended, StateInConflict, StateDenied:
		return &l.Resume
	}
	return &l.State
}

// citing lets the state of an unused certificate follow its declarations.
func (l *Life) citing() {
	state := l.standing()
	switch {
	case *state == StateAvailable && len(l.Declarations) > 0:
		*state = StateCited
	case *state == StateCited && len(l.Declarations) == 0:
		*state = StateAvailable
	}
}

// drop forgets a declaration and reports whether it cited the certificate.
func (l *Life) drop(declaration string) bool {
	i := slices.Index(l.Declarations, declaration)
	if i >= 0 {
		l.Declarations = slices.Delete(l.Declarations, i, i+1)
	}
	return i >= 0
}

// useAbroad writes off what the partner reports. One that was used within its validity counts, however late we hear of it.
func (l *Life) useAbroad(e Event) *refusal {
	if e.Message != "" {
		if refused := l.mustKnow(e); refused != nil {
			return refused
		}
	}
	switch overridden := e.Override != ""; {
	case len(l.Messages) == 0:
		return refuse(ReasonNotReceived, "no message has carried it to the partner")
	case l.State == StateCancelled && !overridden:
		return refuse(ReasonWithdrawn, "it was cancelled, and no officer's reason to use it all the same is given")
	case (l.late(e) || l.State == StateExpired && l.ValidUntil.IsZero()) && !overridden:
		return refuse(ReasonExpired, "its validity ended %s, and no officer's reason to use it all the same is given", l.ValidUntil)
	}
	return l.writeOff(e)
}

// useHere writes off for one of our declarations. One that cited the certificate in time may use it after its last day.
func (l *Life) useHere(e Event) *refusal {
	cited := slices.Contains(l.Declarations, e.Reference)
	switch overridden := e.Override != ""; {
	case l.State == StateCancelled && !overridden:
		return refuse(ReasonWithdrawn, "it was cancelled, and no officer's reason to use it all the same is given")
	case l.State == StateExpired && !cited && !overridden:
		return refuse(ReasonExpired, "its validity ended %s, and no officer's reason to use it all the same is given", l.ValidUntil)
	case !cited && (l.State == StateCited || l.State == StateUsedInPart):
		return refuse(ReasonOther, "declaration %q does not cite it", e.Reference)
	}
	if refused := l.writeOff(e); refused != nil {
		return refused
	}
	l.drop(e.Reference)
	return nil
}

// follow lets the state follow the balances; used tells that something was written off of which no quantity is known. One
// that was cancelled or has expired stays so until nothing is left of it, one that is suspended stays suspended.
func (l *Life) follow(used bool) {
	open := slices.DeleteFunc(slices.Clone(l.Items), func(b Balance) bool { return b.Denied })
	left := slices.ContainsFunc(open, func(b Balance) bool { return !b.spent() })
	state := l.standing()
	switch {
	case len(l.Items) > 0 && len(open) == 0:
		l.allDenied()
	case l.Exhausted || len(open) > 0 && !left:
		if l.State == StateCancelled || l.State == StateExpired {
			l.Resume = l.State
		}
		*state = StateUsedUp
	case l.State == StateCancelled || l.State == StateExpired:
	case used || l.used():
		*state = StateUsedInPart
	}
}

// allDenied ends the preference, and keeps where a re-opening leads back to.
func (l *Life) allDenied() {
	switch {
	case l.State == StateDenied:
		return
	case l.State == StateUsedUp && (l.Resume == StateCancelled || l.Resume == StateExpired):
	case l.State != StateSuspended:
		l.Resume = l.State
	}
	l.State = StateDenied
}

// goOn leads back to where a suspension, a conflict or a denial began, and suspends again while a verification is open.
func (l *Life) goOn() {
	before := cmp.Or(l.Resume, l.untouched())
	l.State, l.Resume = before, StateNone
	switch before {
	case StateUsedUp, StateUsedInPart:
		l.State = l.untouched()
		l.follow(before == StateUsedInPart)
	default:
		if l.drawn() { // Conflicts are found beside the life, and keep no state to go back to.
			l.follow(false)
		}
	}
	if l.Side == SideImporting && len(l.Requests) > 0 && slices.Contains(admitted, l.State) {
		l.Resume, l.State = l.State, StateSuspended
	}
}

func (l *Life) item(number int) *Balance {
	for i := range l.Items {
		if l.Items[i].Item == number {
			return &l.Items[i]
		}
	}
	return nil
}

// untouched is the state of a certificate of which nothing was written off.
func (l *Life) untouched() State {
	switch {
	case l.Side == SideExporting:
		return StateAccepted
	case len(l.Declarations) > 0:
		return StateCited
	default:
		return StateAvailable
	}
}

// deny ends the preference of all items, or of some.
func (l *Life) deny(e Event) *refusal {
	if l.Side == SideExporting && len(l.Messages) == 0 {
		return refuse(ReasonNotReceived, "no message has carried it to the partner")
	}
	for _, denied := range e.Items {
		b := l.item(denied.Item)
		if b == nil {
			return refuse(CodeQuantity, "it has no item %d", denied.Item)
		}
		b.Denied = true
	}
	if len(e.Items) > 0 {
		l.follow(false)
		return nil
	}
	for i := range l.Items {
		l.Items[i].Denied = true
	}
	l.allDenied()
	return nil
}

// reopen withdraws a denial. ATIGA OCP Rule 30(4): what the issuing body clarifies is considered, and the case assessed again.
func (l *Life) reopen(e Event) *refusal {
	deniedItem := func(b Balance) bool { return b.Denied }
	if l.State != StateDenied && !slices.ContainsFunc(l.Items, deniedItem) {
		return refuse(ReasonOther, "nothing of it was denied")
	}
	for _, reopened := range e.Items {
		b := l.item(reopened.Item)
		if b == nil || !b.Denied {
			return refuse(CodeQuantity, "item %d was not denied", reopened.Item)
		}
		b.Denied = false
	}
	for i := range l.Items {
		if len(e.Items) == 0 {
			l.Items[i].Denied = false
		}
	}
	switch l.State {
	case StateDenied:
		l.goOn()
	case StateUsedUp: // All but what was denied was used.
		if l.Resume != StateCancelled && l.Resume != StateExpired {
			l.Resume = StateUsedUp
		}
		l.goOn()
	}
	return nil
}

// ask records a request to verify.
func (l *Life) ask(e Event) *refusal {
	if l.Side == SideExporting && len(l.Messages) == 0 {
		return refuse(ReasonNotReceived, "no message has carried it to the partner")
	}
	if l.request(e.Reference) == nil {
		l.Requests = append(l.Requests, Verification{ID: e.Reference, Asked: e.At, ReplyBy: e.ReplyBy})
	}
	return nil
}

// suspend records a request and lets nothing be written off until it is closed. ATIGA OCP Rule 18.
func (l *Life) suspend(e Event) *refusal {
	l.Resume, l.State = l.State, StateSuspended
	return l.ask(e)
}

func (l *Life) request(id string) *Verification {
	for i := range l.Requests {
		if l.Requests[i].ID == id {
			return &l.Requests[i]
		}
	}
	return nil
}

// reply records that a request was replied to. The certificate stays suspended until the request is closed.
func (l *Life) reply(e Event) *refusal {
	r := l.request(e.Reference)
	if r == nil {
		return refuse(ReasonOther, "a reply to request %q, which is not open", e.Reference)
	}
	if r.Replied.IsZero() {
		r.Replied = e.At
	}
	return nil
}

// closeRequest ends a verification, replied to or not; the last one lets a suspended certificate go on.
func (l *Life) closeRequest(e Event) *refusal {
	if l.request(e.Reference) == nil {
		return refuse(ReasonOther, "request %q is not open", e.Reference)
	}
	l.Requests = slices.DeleteFunc(l.Requests, func(v Verification) bool { return v.ID == e.Reference })
	if l.State == StateSuspended && len(l.Requests) == 0 {
		l.goOn()
	}
	return nil
}

// DeclaredQuantities are the quantities that uses and back-to-back certificates are counted against, one entry an item: its
// quantity, or else its net weight, or else its gross weight; without any the item alone.
func DeclaredQuantities(c Certificate) []ItemQuantity {
	quantities := make([]ItemQuantity, 0, len(c.Items))
	for _, item := range c.Items {
		q := ItemQuantity{Item: item.Number}
		for _, m := range []*Measure{item.Quantity, item.NetWeight, item.GrossWeight} {
			if m != nil && m.Value.Valid() == nil && m.Value.Sign() > 0 {
				q.Quantity = *m
				break
			}
		}
		quantities = append(quantities, q)
	}
	return quantities
}
