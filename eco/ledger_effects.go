package eco

import (
	"fmt"
	"math/big"
	"slices"
	"strings"
	"time"
)

// The quantity ledger. An effect changes draws and ends with book, which adds all of them up anew: a balance is never anything
// but a sum of draws, and never more than was declared.

// opened is the draw of a document, which it begins if there is none; that of no document is beyond the bounds. The pointer holds until
// draws are added or dropped.
func (l *Life) opened(document string, child bool) (*Draw, *refusal) {
	if refused := l.adopt(); refused != nil {
		return nil, refused
	}
	if i := l.indexOf(document, child); i >= 0 {
		return &l.Draws[i], nil
	}
	if len(document) > MaxDocument {
		return nil, refuse(ReasonTooLarge, "the document's number has %d octets, at most %d are allowed", len(document), MaxDocument)
	}
	if document != "" && l.full(0) {
		return nil, refuse(ReasonTooLarge, "%d documents have drawn on it, and no more are counted", MaxDraws)
	}
	l.Draws = append(l.Draws, Draw{Document: document, Child: child})
	return &l.Draws[len(l.Draws)-1], nil
}

// adopt makes a draw without document of what is used and is no draw's: of a life that was kept before draws were. It does
// nothing to any other.
func (l *Life) adopt() *refusal {
	var rest Draw
	sums := l.sums()
	for _, b := range l.Items {
		unknown, err := exactly(new(big.Rat).Sub(b.Used.Value.rat(), sums[b.Item].used))
		if err != nil {
			return refuse(CodeQuantity, "item %d: %v", b.Item, err)
		}
		if unknown.Sign() > 0 {
			rest.Items = append(rest.Items, DrawnItem{Item: b.Item, WrittenOff: Measure{Value: unknown, Unit: b.Used.Unit}})
		}
	}
	rest.Exhausts = l.Exhausted && !l.exhausted()
	rest.Used = len(rest.Items) > 0 || rest.Exhausts || l.used() && !l.drawn()
	if rest.Used {
		l.Draws = append([]Draw{rest}, l.Draws...)
	}
	return nil
}

// full reports whether there is no room for a draw with so many items more.
func (l *Life) full(items int) bool {
	draws := 0
	for _, d := range l.Draws {
		if d.Document != "" {
			draws++
			items += len(d.Items)
		}
	}
	return draws >= MaxDraws || items > MaxDrawnItems
}

// exhausted reports whether a draw was the last.
func (l *Life) exhausted() bool {
	return slices.ContainsFunc(l.Draws, func(d Draw) bool { return d.Exhausts || d.Used && l.SingleUse })
}

// drawnSum is what all draws have taken of an item.
type drawnSum struct{ used, reserved *big.Rat }

// sums adds the draws up, for each item.
func (l *Life) sums() map[int]drawnSum {
	sums := make(map[int]drawnSum, len(l.Items))
	for _, b := range l.Items {
		sums[b.Item] = drawnSum{new(big.Rat), new(big.Rat)}
	}
	for _, d := range l.Draws {
		for _, item := range d.Items {
			if sum, there := sums[item.Item]; there {
				item.WrittenOff.addTo(sum.used)
				item.Reserved.addTo(sum.reserved)
			}
		}
	}
	return sums
}

func (m Measure) addTo(sum *big.Rat) {
	if m.Value != "" {
		sum.Add(sum, m.Value.rat())
	}
}

// count lets the balances be the sums of the draws.
func (l *Life) count() *refusal {
	sums := l.sums()
	for i := range l.Items {
		b := &l.Items[i]
		sum, there := sums[b.Item]
		if !there {
			continue // A partner gave two items one number: the first of them counts.
		}
		delete(sums, b.Item)
		var used, reserved error
		b.Used, used = b.sum(sum.used)
		b.Reserved, reserved = b.sum(sum.reserved)
		for _, err := range []error{used, reserved} {
			if err != nil {
				return refuse(CodeQuantity, "item %d: %v", b.Item, err)
			}
		}
	}
	return nil
}

// book forgets draws that say nothing any more, finds what exceeds the bounds, and counts.
func (l *Life) book() *refusal {
	l.Draws = slices.DeleteFunc(l.Draws, func(d Draw) bool { return d.empty() })
	if len(l.Draws) == 0 {
		l.Draws = nil
	}
	l.Exhausted = l.exhausted()
	n := 0
	for _, d := range l.Draws {
		if d.Document != "" {
			n += len(d.Items)
		}
	}
	if n > MaxDrawnItems {
		return refuse(ReasonTooLarge, "the documents that have drawn on it name %d items, at most %d are counted", n, MaxDrawnItems)
	}
	return l.count()
}

// sum is a sum of an item's draws, the zero Measure for nothing.
func (b *Balance) sum(r *big.Rat) (Measure, error) {
	if r.Sign() == 0 {
		return Measure{}, nil
	}
	value, err := exactly(r)
	return Measure{Value: value, Unit: BaseUnit(b.Declared.Unit)}, err
}

// counted is a quantity of an item in its base unit, and the item's balance.
func (l *Life) counted(q ItemQuantity) (*Balance, Measure, *refusal) {
	b := l.item(q.Item)
	switch {
	case b == nil:
		return nil, Measure{}, refuse(CodeQuantity, "it has no item %d", q.Item)
	case b.Declared.Value == "":
		return nil, Measure{}, refuse(CodeQuantity, "item %d declares no quantity, so none can be counted against it", b.Item)
	}
	m, err := Convert(q.Quantity, BaseUnit(b.Declared.Unit))
	if err != nil {
		return nil, Measure{}, refuse(CodeQuantity, "item %d, declared in %s: %v", b.Item, b.Declared.Unit, err)
	}
	if m.Value.Sign() <= 0 {
		return nil, Measure{}, refuse(CodeQuantity, "item %d: want more than 0, found %s", b.Item, q.Quantity.Value)
	}
	return b, m, nil
}

// taking is what a document does with a quantity.
type taking struct {
	drawn   func(*DrawnItem) *Measure
	balance func(*Balance) *Measure
	text    string
}

var (
	reserving  = taking{func(i *DrawnItem) *Measure { return &i.Reserved }, func(b *Balance) *Measure { return &b.Reserved }, "reserved"}
	writingOff = taking{func(i *DrawnItem) *Measure { return &i.WrittenOff }, func(b *Balance) *Measure { return &b.Used }, "written off"}
)

// take adds quantities to a draw of l as far as they are free. The balances must be counted.
func (l *Life) take(d *Draw, items []ItemQuantity, to taking) *refusal {
	for _, q := range items {
		b, m, refused := l.counted(q)
		switch {
		case refused != nil:
			return refused
		case b.Denied:
			return refuse(ReasonOther, "the preference was denied for item %d", q.Item)
		}
		if refused := b.room(m, q.Quantity, to.text); refused != nil {
			return refused
		}
		item := d.item(q.Item)
		if item == nil {
			d.Items = append(d.Items, DrawnItem{Item: q.Item})
			item = &d.Items[len(d.Items)-1]
		}
		for _, sum := range []*Measure{to.drawn(item), to.balance(b)} {
			value, err := sum.Value.Add(m.Value)
			if err != nil {
				return refuse(CodeQuantity, "item %d: %v", q.Item, err)
			}
			*sum = Measure{Value: value, Unit: m.Unit}
		}
	}
	return nil
}

// room finds a quantity that is more than what is free. m is the same as told, in the item's base unit.
func (b *Balance) room(m, told Measure, text string) *refusal {
	sum := m.Value
	for _, taken := range []Measure{b.Used, b.Reserved} {
		more, err := sum.Add(taken.Value)
		if err != nil {
			return refuse(CodeQuantity, "item %d: %v", b.Item, err)
		}
		sum = more
	}
	if order, ok := CompareMeasures(Measure{Value: sum, Unit: m.Unit}, b.Declared); ok && order <= 0 {
		return nil
	}
	left, held := b.Left(), ""
	if b.Reserved.Value != "" {
		held = fmt.Sprintf(", others hold %s %s of them", b.Reserved.Value, b.Reserved.Unit)
	}
	return refuse(ReasonExhausted, "item %d: %s %s are left of %s %s%s, and %s %s were to be %s",
		b.Item, left.Value, left.Unit, b.Declared.Value, b.Declared.Unit, held, told.Value, told.Unit, text)
}

// reserve holds quantities for a declaration, in place of those that it held before. A citation that states neither quantities
// nor an end holds nothing and changes nothing.
func (l *Life) reserve(e Event) *refusal {
	if len(e.Items) == 0 && e.HoldUntil.IsZero() {
		return nil
	}
	d, refused := l.opened(e.Reference, false)
	if refused != nil {
		return refused
	}
	if len(e.Items) > 0 {
		d.release()
	}
	d.Until = e.HoldUntil
	return l.takeAnew(d, e.Items, reserving)
}

// takeAnew takes quantities for a draw of which something was released.
func (l *Life) takeAnew(d *Draw, items []ItemQuantity, to taking) *refusal {
	if refused := l.count(); refused != nil {
		return refused
	}
	if refused := l.take(d, items, to); refused != nil {
		return refused
	}
	return l.book()
}

// withdraw ends what a declaration holds.
func (l *Life) withdraw(e Event) *refusal {
	if !l.drop(e.Reference) {
		return refuse(ReasonOther, "declaration %q does not cite it", e.Reference)
	}
	if i := l.indexOf(e.Reference, false); i >= 0 {
		l.Draws[i].release()
		if refused := l.book(); refused != nil {
			return refused
		}
	}
	l.citing()
	return nil
}

// lapse ends a reservation whose time is over.
func (l *Life) lapse(e Event) *refusal {
	d, known := l.DrawOf(e.Reference, false)
	switch {
	case !known || d.Until.IsZero():
		return refuse(ReasonOther, "declaration %q holds nothing of it that could lapse", e.Reference)
	case e.At.Before(d.Until):
		return refuse(CodeDates, "declaration %q holds it until %s", e.Reference, d.Until.UTC().Format(time.RFC3339))
	}
	return l.withdraw(e)
}

// writeOff writes quantities off for a declaration: first those that it holds, and what it holds beside them is free again. If no
// quantities are told, those that it holds are written off. Goods that were cleared always count: where there is no room for the
// declaration's own draw, they are nobody's.
func (l *Life) writeOff(e Event) *refusal {
	document := e.Reference
	if l.indexOf(document, false) < 0 && (l.full(len(e.Items)) || len(document) > MaxDocument) {
		document = ""
	}
	d, refused := l.opened(document, false)
	if refused != nil {
		return refused
	}
	items := e.Items
	if len(items) == 0 {
		items = slices.DeleteFunc(d.reserved(), func(q ItemQuantity) bool { b := l.item(q.Item); return b == nil || b.Denied })
	}
	d.release()
	d.Used, d.Exhausts = true, d.Exhausts || e.Exhausts
	if refused := l.takeAnew(d, items, writingOff); refused != nil {
		return refused
	}
	l.follow(true)
	return nil
}

// drawForChild counts what a back-to-back certificate takes, in place of what it took before. ATIGA OCP Rule 11.
func (l *Life) drawForChild(e Event) *refusal {
	other := slices.ContainsFunc(l.Draws, func(d Draw) bool { return d.Used && !(d.Child && d.Document == e.Reference) })
	switch {
	case l.State == StateUsedUp && l.indexOf(e.Reference, true) < 0:
		return refuse(ReasonExhausted, "nothing is left of it")
	case (l.State == StateExpired || l.late(e)) && e.Override == "":
		return refuse(ReasonExpired, "its validity ended on %s", l.ValidUntil)
	case l.SingleUse && (len(l.Declarations) > 0 || other || l.used() && !l.drawn()):
		return refuse(ReasonExhausted, "one document uses it up, and another cites it or has used it")
	}
	d, refused := l.opened(e.Reference, true)
	if refused != nil {
		return refused
	}
	d.undo()
	d.Used = true
	if refused := l.takeAnew(d, e.Items, writingOff); refused != nil {
		return refused
	}
	l.restate()
	return nil
}

// returnFromChild gives back what a back-to-back certificate took.
func (l *Life) returnFromChild(e Event) *refusal {
	i := l.indexOf(e.Reference, true)
	if i < 0 {
		return refuse(ReasonOther, "back-to-back certificate %q has taken nothing of it", e.Reference)
	}
	return l.undo([]*Draw{&l.Draws[i]}, e.Items)
}

// reverse gives back what a declaration wrote off, or if none is named what any did: first what is known of no declaration, then
// what was written off last.
func (l *Life) reverse(e Event) *refusal {
	if refused := l.adopt(); refused != nil {
		return refused
	}
	var from []*Draw
	for i := range slices.Backward(l.Draws) {
		d := &l.Draws[i]
		switch {
		case d.Child || !d.Used:
		case d.Document == "":
			from = append([]*Draw{d}, from...)
		default:
			from = append(from, d)
		}
	}
	if len(from) == 0 {
		return refuse(ReasonOther, "nothing that was written off could be given back")
	}
	if e.Reference != "" {
		i := slices.IndexFunc(from, func(d *Draw) bool { return d.Document == e.Reference })
		switch {
		case i >= 0:
			from = from[i : i+1]
		case from[0].Document == "" && len(e.Items) > 0:
			from = from[:1]
		default:
			return refuse(ReasonOther, "nothing that declaration %q wrote off is known; state quantities, or no declaration to undo every use", e.Reference)
		}
	}
	return l.undo(from, e.Items)
}

// undo gives quantities back, of the first draws first, or all that these draws have used if there are none.
func (l *Life) undo(from []*Draw, items []ItemQuantity) *refusal {
	for _, q := range items {
		_, m, refused := l.counted(q)
		if refused != nil {
			return refused
		}
		for _, d := range from {
			if m.Value, refused = d.giveBack(q.Item, m.Value); refused != nil {
				return refused
			}
		}
		if m.Value.Sign() > 0 {
			return refuse(CodeQuantity, "item %d: more is given back than was written off", q.Item)
		}
	}
	for _, d := range from {
		d.Exhausts = false
		if len(items) == 0 {
			d.undo()
		}
	}
	if refused := l.book(); refused != nil {
		return refused
	}
	l.restate()
	return nil
}

// giveBack takes a quantity out of what a draw has written off, and returns what is more. A draw whose last quantity is given back
// has used nothing.
func (d *Draw) giveBack(number int, value Decimal) (more Decimal, refused *refusal) {
	item := d.item(number)
	if item == nil || item.WrittenOff.Value == "" || value.Sign() == 0 {
		return value, nil
	}
	rest, err := item.WrittenOff.Value.Sub(value)
	if err != nil {
		return "", refuse(CodeQuantity, "item %d: %v", number, err)
	}
	if rest.Sign() > 0 {
		item.WrittenOff.Value = rest
		return "0", nil
	}
	item.WrittenOff = Measure{}
	d.Used = slices.ContainsFunc(d.Items, func(i DrawnItem) bool { return i.WrittenOff.Value != "" })
	d.tidy()
	return Decimal(strings.TrimPrefix(string(rest), "-")), nil
}

// restate lets the state follow after something was given back or taken anew.
func (l *Life) restate() {
	if l.State == StateUsedUp && (l.Resume == StateCancelled || l.Resume == StateExpired) {
		l.State, l.Resume = l.Resume, StateNone
	}
	for _, state := range []*State{&l.State, &l.Resume} {
		if *state == StateUsedUp || *state == StateUsedInPart {
			*state = l.untouched()
		}
	}
	l.follow(false)
}
