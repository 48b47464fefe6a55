package eco

import (
	"math/big"
	"slices"
	"time"
)

// Bounds on the ledger of one certificate, so that its life stays of a size that is read and written at once: a reservation or a
// back-to-back certificate that would exceed them is refused with ReasonTooLarge, a use is kept without its document.
const (
	MaxDraws      = 1000 // documents that hold or used some of it, and declarations that cite it
	MaxDrawnItems = 4000 // their items together
	MaxDocument   = 200  // octets of a document's number
)

// Draw is what one document has taken of a certificate: an import declaration, or a back-to-back certificate that was issued
// for a part of its goods. ATIGA OCP Rules 11 and 30(2).
type Draw struct {
	// Document is the number of the declaration or of the back-to-back certificate. It is "" for uses that name no document or for
	// whose document there is no room, and for what was written off before draws were kept.
	Document string `json:"document,omitempty"`
	// Child: Document is a back-to-back certificate.
	Child bool `json:"child,omitempty"`
	// Items are its quantities, as far as any are known.
	Items []DrawnItem `json:"items,omitempty"`
	// Until is the instant from which its reservation may lapse; zero where it has no end or there is none.
	Until time.Time `json:"until,omitzero"`
	// Used: goods were written off for it, whether or not their quantity is known.
	Used bool `json:"used,omitempty"`
	// Exhausts: its use was the last, whatever the quantities.
	Exhausts bool `json:"exhausts,omitempty"`
}

// DrawnItem is what a document has taken of one item, in the item's base unit; a zero Measure is nothing.
type DrawnItem struct {
	// Item is Item.Number.
	Item int `json:"item"`
	// Reserved may be written off by this document alone.
	Reserved Measure `json:"reserved,omitzero"`
	// WrittenOff was used.
	WrittenOff Measure `json:"written_off,omitzero"`
}

// Balance is what is left of one item. Used and Reserved are the sums of the draws.
type Balance struct {
	// Item is Item.Number.
	Item int `json:"item"`
	// Declared is the quantity on the certificate; without a value nothing can be counted against the item.
	Declared Measure `json:"declared,omitzero"`
	// Used is the sum of what was written off, in the unit that Declared's is a multiple of (BaseUnit), so that it is exact.
	Used Measure `json:"used,omitzero"`
	// Reserved is the sum of what declarations hold and have not used, in the same unit.
	Reserved Measure `json:"reserved,omitzero"`
	// Denied: the importing customs denied the preference for this item.
	Denied bool `json:"denied,omitempty"`
}

// Left is the quantity that was not written off, never below zero: in Declared's unit, or in that of Used where no decimal
// would be exact. The zero Measure is an unknown quantity.
func (b Balance) Left() Measure { return b.without(b.Used) }

// Free is the quantity that was neither written off nor reserved, as Left: what another declaration may reserve.
func (b Balance) Free() Measure { return b.without(b.Used, b.Reserved) }

func (b Balance) without(taken ...Measure) Measure {
	taken = slices.DeleteFunc(taken, func(m Measure) bool { return m.Value == "" })
	if len(taken) == 0 || b.Declared.Value == "" {
		return b.Declared
	}
	unit := taken[0].Unit
	declared, _ := Convert(b.Declared, unit)
	value := declared.Value
	for _, m := range taken {
		rest, err := value.Sub(m.Value)
		if err != nil || rest.Sign() < 0 {
			rest = "0"
		}
		value = rest
	}
	left := Measure{Value: value, Unit: unit}
	if inDeclared, err := Convert(left, b.Declared.Unit); err == nil {
		return inDeclared
	}
	return left
}

// spent reports whether nothing is left of a known quantity.
func (b Balance) spent() bool { return b.Declared.Value != "" && b.Left().Value.Sign() == 0 }

// DrawOf finds what a declaration has taken, or with child a back-to-back certificate.
func (l Life) DrawOf(document string, child bool) (Draw, bool) {
	i := l.indexOf(document, child)
	if i < 0 {
		return Draw{}, false
	}
	return l.Draws[i], true
}

func (l Life) indexOf(document string, child bool) int {
	return slices.IndexFunc(l.Draws, func(d Draw) bool { return d.Document == document && d.Child == child })
}

// drawn reports whether any document has used some of it.
func (l Life) drawn() bool { return slices.ContainsFunc(l.Draws, func(d Draw) bool { return d.Used }) }

// Common are the quantities of items that a draw has written off too: for each item the lesser of the two.
func (d Draw) Common(items []ItemQuantity) (common []ItemQuantity) {
	for _, drawn := range d.Items {
		if drawn.WrittenOff.Value == "" {
			continue
		}
		sum := sumOfItem(items, drawn.Item, drawn.WrittenOff.Unit)
		lesser := drawn.WrittenOff
		if order, ok := CompareMeasures(sum, lesser); !ok || order < 0 {
			lesser = sum
		}
		if lesser.Value.Sign() > 0 {
			common = append(common, ItemQuantity{Item: drawn.Item, Quantity: lesser})
		}
	}
	return common
}

// Took reports whether a draw has written off just these quantities.
func (d Draw) Took(items []ItemQuantity) bool {
	for _, q := range items {
		if d.item(q.Item) == nil {
			return false
		}
	}
	for _, drawn := range d.Items {
		if order, ok := CompareMeasures(sumOfItem(items, drawn.Item, drawn.WrittenOff.Unit), drawn.WrittenOff); !ok || order != 0 {
			return false
		}
	}
	return d.Used
}

// sumOfItem adds up what items state of one, in a base unit.
func sumOfItem(items []ItemQuantity, number int, unit string) Measure {
	sum := new(big.Rat)
	for i := range items {
		if value, in, ok := inBaseUnit(&items[i].Quantity); ok && items[i].Item == number && in == unit {
			sum.Add(sum, value)
		}
	}
	return Measure{Value: written(sum), Unit: unit}
}

// item finds the entry of an item; nil if there is none.
func (d *Draw) item(number int) *DrawnItem {
	for i := range d.Items {
		if d.Items[i].Item == number {
			return &d.Items[i]
		}
	}
	return nil
}

// reserved are the quantities that a draw holds.
func (d *Draw) reserved() (items []ItemQuantity) {
	for _, item := range d.Items {
		if item.Reserved.Value != "" {
			items = append(items, ItemQuantity{Item: item.Item, Quantity: item.Reserved})
		}
	}
	return items
}

// release ends what a draw holds.
func (d *Draw) release() {
	for i := range d.Items {
		d.Items[i].Reserved = Measure{}
	}
	d.Until = time.Time{}
	d.tidy()
}

// undo gives back all that a draw has written off.
func (d *Draw) undo() {
	for i := range d.Items {
		d.Items[i].WrittenOff = Measure{}
	}
	d.Used, d.Exhausts = false, false
	d.tidy()
}

// tidy drops the items of which nothing is taken.
func (d *Draw) tidy() {
	d.Items = slices.DeleteFunc(d.Items, func(item DrawnItem) bool { return item.Reserved.Value == "" && item.WrittenOff.Value == "" })
}

// empty reports whether a draw says nothing any more.
func (d *Draw) empty() bool { return len(d.Items) == 0 && !d.Used && d.Until.IsZero() }
