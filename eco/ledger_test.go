package eco_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/ecogate/ecogate/eco"
)

var hold = noon.AddDate(0, 0, 14)

func q(item int, value eco.Decimal, unit string) eco.ItemQuantity {
	return eco.ItemQuantity{Item: item, Quantity: eco.Measure{Value: value, Unit: unit}}
}

func holdUntil(t time.Time) func(*eco.Event) { return func(e *eco.Event) { e.HoldUntil = t } }

// citing is a citation that reserves.
func citing(declaration string, quantities ...eco.ItemQuantity) eco.Event {
	return happening(eco.EventCite, reference(declaration), items(quantities...), holdUntil(hold))
}

func using(declaration string, quantities ...eco.ItemQuantity) eco.Event {
	return happening(eco.EventUse, reference(declaration), items(quantities...))
}

func admitted(t testing.TB, more ...eco.Event) eco.Life {
	return live(t, eco.SideImporting, append([]eco.Event{happening(eco.EventReceive), happening(eco.EventAdmit)}, more...)...)
}

// balance writes an item's balance as "used / reserved / free".
func balance(l eco.Life, item int) string {
	for _, b := range l.Items {
		if b.Item == item {
			return fmt.Sprintf("%s / %s / %s", b.Used.Value, b.Reserved.Value, b.Free().Value)
		}
	}
	return "no such item"
}

func next(t testing.TB, l eco.Life, events ...eco.Event) eco.Life {
	t.Helper()
	for _, e := range events {
		after, err := eco.Next(l, e)
		if err != nil {
			t.Fatal(err)
		}
		l = after
	}
	return l
}

func TestReservations(t *testing.T) {
	tests := []struct {
		name    string
		events  []eco.Event
		state   eco.State
		balance string // of item 1, of which 10 kg are declared
	}{
		{"held", []eco.Event{citing("D1", q(1, "4000", "GRM"))}, eco.StateCited, " / 4 / 6"},
		{"held by two", []eco.Event{citing("D1", q(1, "4", "KGM")), citing("D2", q(1, "6", "KGM"))}, eco.StateCited, " / 10 / 0"},
		{"told again", []eco.Event{citing("D1", q(1, "8", "KGM")), citing("D1", q(1, "8", "KGM"))}, eco.StateCited, " / 8 / 2"},
		{"changed", []eco.Event{citing("D1", q(1, "8", "KGM")), citing("D1", q(1, "9", "KGM"))}, eco.StateCited, " / 9 / 1"},
		{"cited again without quantities", []eco.Event{citing("D1", q(1, "8", "KGM")), happening(eco.EventCite)}, eco.StateCited, " / 8 / 2"},
		{"longer", []eco.Event{citing("D1", q(1, "8", "KGM")), happening(eco.EventCite, holdUntil(hold.AddDate(0, 1, 0)))}, eco.StateCited, " / 8 / 2"},
		{"withdrawn", []eco.Event{citing("D1", q(1, "4", "KGM")), happening(eco.EventWithdraw)}, eco.StateAvailable, " /  / 10"},
		{"lapsed", []eco.Event{citing("D1", q(1, "4", "KGM")), citing("D2", q(1, "1", "KGM")), happening(eco.EventLapse, at(hold))}, eco.StateCited, " / 1 / 9"},
		{"used as it was held", []eco.Event{citing("D1", q(1, "4", "KGM")), using("D1")}, eco.StateUsedInPart, "4 /  / 6"},
		{"used in part", []eco.Event{citing("D1", q(1, "4", "KGM")), using("D1", q(1, "1", "KGM"))}, eco.StateUsedInPart, "1 /  / 9"},
		{"more used than held", []eco.Event{citing("D1", q(1, "4", "KGM")), using("D1", q(1, "5", "KGM"))}, eco.StateUsedInPart, "5 /  / 5"},
		{"used beside another's", []eco.Event{citing("D1", q(1, "4", "KGM")), citing("D2", q(1, "6", "KGM")), using("D2")}, eco.StateUsedInPart, "6 / 4 / 0"},
		{"use undone", []eco.Event{citing("D1", q(1, "4", "KGM")), using("D1"), happening(eco.EventReverse, reference("D1"))}, eco.StateAvailable, " /  / 10"},
		{"one of two uses undone", []eco.Event{citing("D1", q(1, "4", "KGM")), citing("D2", q(1, "6", "KGM")), using("D1"), using("D2"),
			happening(eco.EventReverse, reference("D1"))}, eco.StateUsedInPart, "6 /  / 4"},
		{"a part of a use undone", []eco.Event{citing("D1", q(1, "4", "KGM")), using("D1"), happening(eco.EventReverse, reference("D1"), items(q(1, "500", "GRM")))},
			eco.StateUsedInPart, "3.5 /  / 6.5"},
		{"every use undone, not a child's", []eco.Event{citing("D1", q(1, "4", "KGM")), using("D1"), happening(eco.EventDraw), happening(eco.EventReverse)},
			eco.StateUsedInPart, "1 /  / 9"},
		{"child", []eco.Event{happening(eco.EventDraw, items(q(1, "10", "KGM"), q(2, "60", "C62")))}, eco.StateUsedUp, "10 /  / 0"},
		{"child told anew with less", []eco.Event{happening(eco.EventDraw, items(q(1, "10", "KGM"), q(2, "60", "C62"))), happening(eco.EventDraw, items(q(1, "3", "KGM")))}, eco.StateUsedInPart, "3 /  / 7"},
		{"child told twice", []eco.Event{happening(eco.EventDraw), happening(eco.EventDraw)}, eco.StateUsedInPart, "1 /  / 9"},
		{"child given back", []eco.Event{happening(eco.EventDraw), happening(eco.EventReturn, items())}, eco.StateAvailable, " /  / 10"},
		{"child given back while a declaration holds", []eco.Event{happening(eco.EventDraw), citing("D1", q(1, "9", "KGM")), happening(eco.EventReturn)}, eco.StateCited, " / 9 / 1"},
		{"child given back during a verification", []eco.Event{happening(eco.EventDraw), happening(eco.EventVerify), happening(eco.EventReturn)}, eco.StateSuspended, " /  / 10"},
		{"undone during a verification", []eco.Event{citing("D1", q(1, "4", "KGM")), using("D1"), happening(eco.EventVerify), happening(eco.EventReverse, reference("D1"))},
			eco.StateSuspended, " /  / 10"},
		{"undone after its validity", []eco.Event{citing("D1", q(1, "4", "KGM")), using("D1"), happening(eco.EventExpire), happening(eco.EventReverse, reference("D1"))},
			eco.StateExpired, " /  / 10"},
		{"used after it was cancelled, and undone", []eco.Event{citing("D1", q(1, "4", "KGM")), happening(eco.EventCancel),
			happening(eco.EventUse, override, exhausting), happening(eco.EventReverse, reference("D1"))}, eco.StateCancelled, " /  / 10"},
		{"held, then in conflict, withdrawn, settled", []eco.Event{citing("D1", q(1, "4", "KGM")), happening(eco.EventReceive, content("other")),
			happening(eco.EventWithdraw), happening(eco.EventSettle)}, eco.StateAvailable, " /  / 10"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if l := admitted(t, tt.events...); l.State != tt.state || balance(l, 1) != tt.balance {
				t.Errorf("%s, item 1 %q; want %s, %q; draws %+v", l.State, balance(l, 1), tt.state, tt.balance, l.Draws)
			}
		})
	}
}

// testdata/hostile/ledger has events, one a line, of which the last is refused.
func TestLedgerRefusesAndSaysWhy(t *testing.T) {
	files, err := filepath.Glob("../testdata/hostile/ledger/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			lines := strings.Split(strings.TrimSuffix(string(data), "\n"), "\n")
			want, headed := strings.CutPrefix(lines[0], "# expect: ")
			events := make([]eco.Event, len(lines)-1)
			for i, line := range lines[1:] {
				if err := json.Unmarshal([]byte(line), &events[i]); err != nil || !headed {
					t.Fatalf("line %d: %v", i+2, err)
				}
			}
			refused := events[len(events)-1]
			l := live(t, eco.SideImporting, events[:len(events)-1]...)
			if _, code := follow(t, l, refused); code == "" {
				t.Fatal("no error")
			}
			if _, err := eco.Next(l, refused); !strings.Contains(err.Error(), want) {
				t.Errorf("got %v, want %q", err, want)
			}
		})
	}
}

// One document uses up a certificate that is for one use: a declaration or a back-to-back certificate.
func TestSingleUseIsOneDraw(t *testing.T) {
	single := live(t, eco.SideImporting, happening(eco.EventReceive, func(e *eco.Event) { e.SingleUse = true }), happening(eco.EventAdmit))
	cited := next(t, single, citing("D1", q(1, "1", "KGM")))
	for _, e := range []eco.Event{citing("D2", q(1, "1", "KGM")), happening(eco.EventDraw)} {
		if _, code := follow(t, cited, e); code != eco.ReasonExhausted {
			t.Errorf("%s beside a declaration that cites it: code %q", e.Kind, code)
		}
	}
	if l := next(t, cited, happening(eco.EventLapse, at(hold)), citing("D2", q(1, "10", "KGM"))); balance(l, 1) != " / 10 / 0" {
		t.Errorf("after a lapse: %s", balance(l, 1))
	}
	used := next(t, cited, using("D1"))
	if used.State != eco.StateUsedUp || balance(used, 1) != "1 /  / 9" {
		t.Errorf("%s, %s", used.State, balance(used, 1))
	}
	if l := next(t, used, happening(eco.EventReverse, reference("D1"), items(q(1, "0.5", "KGM")))); l.State != eco.StateUsedUp {
		t.Errorf("%s after a part of its only use was undone", l.State)
	}
	if l := next(t, used, happening(eco.EventReverse, reference("D1")), citing("D2", q(1, "1", "KGM"))); l.State != eco.StateCited {
		t.Errorf("%s after its only use was undone", l.State)
	}
	drawn := next(t, single, happening(eco.EventDraw), happening(eco.EventReturn), happening(eco.EventDraw), happening(eco.EventDraw))
	if _, code := follow(t, drawn, happening(eco.EventDraw, reference("B2"))); drawn.State != eco.StateUsedUp || code != eco.ReasonExhausted {
		t.Errorf("%s, a second child: code %q", drawn.State, code)
	}
}

// A life that was stored before draws were kept goes on, and what it had used is nobody's.
func TestLifeWithoutDrawsGoesOn(t *testing.T) {
	tests := []struct {
		name, stored string
		events       []eco.Event
		state        eco.State
		balance      string
	}{
		{"used in part", `"state":"used in part","items":[{"item":1,"declared":{"value":"10","unit":"KGM"},"used":{"value":"4","unit":"KGM"}}]`,
			[]eco.Event{citing("D2", q(1, "5", "KGM")), using("D2")}, eco.StateUsedInPart, "9 /  / 1"},
		{"a use of it undone by its quantities", `"state":"used in part","items":[{"item":1,"declared":{"value":"10","unit":"KGM"},"used":{"value":"4","unit":"KGM"}}]`,
			[]eco.Event{citing("D2", q(1, "5", "KGM")), using("D2"), happening(eco.EventReverse, reference("D1"), items(q(1, "4", "KGM")))}, eco.StateUsedInPart, "5 /  / 5"},
		{"used in part without quantities", `"state":"used in part","items":[{"item":1,"declared":{"value":"10","unit":"KGM"}}]`,
			[]eco.Event{citing("D2", q(1, "5", "KGM")), using("D2"), happening(eco.EventReverse, reference("D2"))}, eco.StateUsedInPart, " /  / 10"},
		{"used up without quantities, undone", `"state":"used up","exhausted":true,"items":[{"item":1,"declared":{"value":"10","unit":"KGM"}}]`,
			[]eco.Event{happening(eco.EventReverse)}, eco.StateAvailable, " /  / 10"},
		{"cited", `"state":"cited","declarations":["D1"],"items":[{"item":1,"declared":{"value":"10","unit":"KGM"}}]`,
			[]eco.Event{using("D1", q(1, "1", "KGM"))}, eco.StateUsedInPart, "1 /  / 9"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var l eco.Life
			if err := json.Unmarshal([]byte(`{"side":"importing","content":"first",`+tt.stored+`}`), &l); err != nil {
				t.Fatal(err)
			}
			if l = next(t, l, tt.events...); l.State != tt.state || balance(l, 1) != tt.balance {
				t.Errorf("%s, %q; want %s, %q; draws %+v", l.State, balance(l, 1), tt.state, tt.balance, l.Draws)
			}
		})
	}
}

func TestLedgerIsBounded(t *testing.T) {
	l := admitted(t)
	for n := range eco.MaxDraws - 1 {
		number := fmt.Sprintf("D%d", n)
		l.Draws = append(l.Draws, eco.Draw{Document: number, Items: []eco.DrawnItem{{Item: 1, Reserved: kg("0.0001")}}, Until: hold})
		l.Declarations = append(l.Declarations, number)
	}
	l = next(t, l, citing("DX", q(1, "0.0001", "KGM")))
	if got := l.Items[0].Reserved; got != kg("0.1") {
		t.Errorf("%+v is reserved", got)
	}
	for _, e := range []eco.Event{citing("D", q(1, "0.0001", "KGM")), happening(eco.EventCite, reference("D")), happening(eco.EventDraw)} {
		if _, code := follow(t, l, e); code != eco.ReasonTooLarge {
			t.Errorf("%s by one more: code %q", e.Kind, code)
		}
	}
	full := next(t, l, happening(eco.EventUse, reference("D9"))) // more than it holds
	if len(full.Draws) != eco.MaxDraws {
		t.Errorf("%d draws after a use by one that holds", len(full.Draws))
	}
	exported := live(t, eco.SideExporting, happening(eco.EventIssue), happening(eco.EventRelease))
	for n := range eco.MaxDraws {
		exported.Draws = append(exported.Draws, eco.Draw{Document: fmt.Sprintf("D%d", n), Used: true})
	}
	exported = next(t, exported, using("DX", q(1, "1", "KGM")), using("DY", q(1, "1", "KGM")), happening(eco.EventReverse, reference("DX"), items(q(1, "1", "KGM"))))
	if len(exported.Draws) != eco.MaxDraws+1 || balance(exported, 1) != "1 /  / 9" {
		t.Errorf("%d draws, %s: uses beyond the bounds count", len(exported.Draws), balance(exported, 1))
	}
	if l = next(t, l, happening(eco.EventWithdraw, reference("D7")), citing("D", q(1, "0.0001", "KGM"))); len(l.Draws) != eco.MaxDraws {
		t.Errorf("%d draws", len(l.Draws))
	}
}

// The model of the ledger: quantities in base units, draws by document.
type (
	document struct {
		number string
		child  bool
	}
	modelDraw struct {
		document
		reserved, written map[int]*big.Rat
		used              bool
		until             time.Time
	}
	model []modelDraw
)

// factors of the units of the test, as so many of the item's base unit.
var factors = map[int]map[string]string{
	1: {"KGM": "1", "GRM": "1/1000", "LBR": "45359237/100000000", "TNE": "1000"},
	2: {"DZN": "12", "C62": "1", "EA": "1", "GRO": "144"},
}

var declaredBase = map[int]*big.Rat{1: big.NewRat(10, 1), 2: big.NewRat(60, 1)}

// inBase is a quantity in base units; false if none can be counted.
func inBase(q eco.ItemQuantity) (*big.Rat, bool) {
	factor, ok := factors[q.Item][q.Quantity.Unit]
	if !ok {
		return nil, false
	}
	f, _ := new(big.Rat).SetString(factor)
	value, _ := new(big.Rat).SetString(string(q.Quantity.Value))
	return value.Mul(value, f), value.Sign() > 0
}

func (m model) copy() (c model) {
	for _, d := range m {
		n := modelDraw{document: d.document, reserved: map[int]*big.Rat{}, written: map[int]*big.Rat{}, used: d.used, until: d.until}
		for item, r := range d.reserved {
			n.reserved[item] = new(big.Rat).Set(r)
		}
		for item, r := range d.written {
			n.written[item] = new(big.Rat).Set(r)
		}
		c = append(c, n)
	}
	return c
}

func (m model) sum(item int) (used, reserved *big.Rat) {
	used, reserved = new(big.Rat), new(big.Rat)
	for _, d := range m {
		if r := d.written[item]; r != nil {
			used.Add(used, r)
		}
		if r := d.reserved[item]; r != nil {
			reserved.Add(reserved, r)
		}
	}
	return used, reserved
}

func (m model) tidy() model {
	for _, d := range m {
		for _, part := range []map[int]*big.Rat{d.reserved, d.written} {
			for item, r := range part {
				if r.Sign() == 0 {
					delete(part, item)
				}
			}
		}
	}
	return slices.DeleteFunc(m, func(d modelDraw) bool {
		return !d.used && len(d.reserved) == 0 && len(d.written) == 0 && d.until.IsZero()
	})
}

// take adds quantities to one part of a draw; false if they are more than is free.
func (m model) take(part map[int]*big.Rat, items []eco.ItemQuantity) bool {
	for _, q := range items {
		r, ok := inBase(q)
		if !ok {
			return false
		}
		if part[q.Item] == nil {
			part[q.Item] = new(big.Rat)
		}
		part[q.Item].Add(part[q.Item], r)
		if used, reserved := m.sum(q.Item); used.Add(used, reserved).Cmp(declaredBase[q.Item]) > 0 {
			return false
		}
	}
	return true
}

func (m model) giveBack(from []*modelDraw, items []eco.ItemQuantity) bool {
	for _, d := range from {
		if len(items) == 0 {
			clear(d.written)
			d.used = false
		}
	}
	for _, q := range items {
		r, ok := inBase(q)
		if !ok {
			return false
		}
		for _, d := range from {
			w := d.written[q.Item]
			if w == nil || w.Sign() == 0 || r.Sign() == 0 {
				continue
			}
			part := w
			if r.Cmp(w) < 0 {
				part = r
			}
			part = new(big.Rat).Set(part)
			w.Sub(w, part)
			r.Sub(r, part)
			left := new(big.Rat)
			for _, rest := range d.written {
				left.Add(left, rest)
			}
			d.used = left.Sign() > 0
		}
		if r.Sign() > 0 {
			return false
		}
	}
	return true
}

// apply is the model after an event that the life cycle admits, or false where the quantities do not.
func (m model) apply(e eco.Event) (model, bool) {
	m = m.copy()
	open := func(child bool) *modelDraw {
		for i := range m {
			if m[i].document == (document{e.Reference, child}) {
				return &m[i]
			}
		}
		m = append(m, modelDraw{document: document{e.Reference, child}, reserved: map[int]*big.Rat{}, written: map[int]*big.Rat{}})
		return &m[len(m)-1]
	}
	ok := true
	switch e.Kind {
	case eco.EventCite:
		if len(e.Items) == 0 && e.HoldUntil.IsZero() {
			return m, true
		}
		d := open(false)
		if len(e.Items) > 0 {
			clear(d.reserved)
		}
		d.until = e.HoldUntil
		ok = m.take(d.reserved, e.Items)
	case eco.EventWithdraw, eco.EventLapse:
		d := open(false)
		clear(d.reserved)
		d.until = time.Time{}
	case eco.EventUse:
		d := open(false)
		if len(e.Items) == 0 {
			for item, r := range d.reserved {
				if d.written[item] == nil {
					d.written[item] = new(big.Rat)
				}
				d.written[item].Add(d.written[item], r)
			}
		}
		clear(d.reserved)
		d.until, d.used = time.Time{}, true
		ok = m.take(d.written, e.Items)
	case eco.EventDraw:
		d := open(true)
		clear(d.written)
		d.used = true
		ok = m.take(d.written, e.Items)
	case eco.EventReturn:
		ok = m.giveBack([]*modelDraw{open(true)}, e.Items)
	case eco.EventReverse:
		var from []*modelDraw
		for i := range slices.Backward(m) {
			if d := &m[i]; d.used && !d.child && (e.Reference == "" || d.number == e.Reference) {
				from = append(from, d)
			}
		}
		slices.SortStableFunc(from, func(a, b *modelDraw) int { return min(len(a.number), 1) - min(len(b.number), 1) })
		ok = len(from) > 0 && m.giveBack(from, e.Items)
	}
	return m.tidy(), ok
}

// matches finds where a life's draws are not those of the model, or its balances not their sums.
func (m model) matches(l eco.Life) error {
	if len(l.Draws) != len(m) {
		return fmt.Errorf("%d draws, want %d: %+v", len(l.Draws), len(m), l.Draws)
	}
	rat := func(q eco.Measure) *big.Rat {
		r, ok := new(big.Rat).SetString(string(q.Value))
		if !ok {
			r = new(big.Rat)
		}
		return r
	}
	for i, want := range m {
		got := l.Draws[i]
		if (document{got.Document, got.Child}) != want.document || got.Used != want.used || !got.Until.Equal(want.until) {
			return fmt.Errorf("draw %+v, want %+v", got, want)
		}
		for item := range declaredBase {
			var drawn eco.DrawnItem
			for _, d := range got.Items {
				if d.Item == item {
					drawn = d
				}
			}
			reserved, written := want.reserved[item], want.written[item]
			if reserved == nil {
				reserved = new(big.Rat)
			}
			if written == nil {
				written = new(big.Rat)
			}
			if rat(drawn.Reserved).Cmp(reserved) != 0 || rat(drawn.WrittenOff).Cmp(written) != 0 {
				return fmt.Errorf("%s, item %d: %+v, want %s reserved and %s written off", got.Document, item, drawn, reserved, written)
			}
		}
	}
	for _, b := range l.Items {
		declared, counted := declaredBase[b.Item]
		if !counted {
			continue
		}
		used, reserved := m.sum(b.Item)
		free := new(big.Rat).Sub(declared, used)
		free.Sub(free, reserved)
		left, err := eco.Convert(b.Free(), eco.BaseUnit(b.Declared.Unit))
		switch {
		case rat(b.Used).Cmp(used) != 0 || rat(b.Reserved).Cmp(reserved) != 0:
			return fmt.Errorf("balance %+v, the draws are %s used and %s reserved", b, used, reserved)
		case free.Sign() < 0 || b.Left().Value.Sign() < 0:
			return fmt.Errorf("balance %+v: below zero", b)
		case err != nil || rat(left).Cmp(free) != 0:
			return fmt.Errorf("balance %+v: %s are free, want %s", b, b.Free().Value, free)
		}
	}
	return nil
}

// ledgerEvent draws an event of the ledger, or one that leads to a state in which the ledger may be moved otherwise.
func ledgerEvent(t *rapid.T) eco.Event {
	e := eco.Event{At: noon, By: "tester", Override: rapid.SampledFrom([]string{"", "FORCE MAJEURE"}).Draw(t, "override")}
	e.Kind = rapid.SampledFrom([]eco.EventKind{
		eco.EventCite, eco.EventCite, eco.EventCite, eco.EventUse, eco.EventUse, eco.EventUse, eco.EventReverse, eco.EventReverse, eco.EventWithdraw,
		eco.EventLapse, eco.EventDraw, eco.EventDraw, eco.EventReturn, eco.EventVerify, eco.EventClose, eco.EventDeny, eco.EventReopen, eco.EventExpire,
		eco.EventCancel, eco.EventReceive, eco.EventSettle,
	}).Draw(t, "kind")
	e.Reference = rapid.SampledFrom([]string{"D1", "D2", "D3"}).Draw(t, "reference")
	switch e.Kind {
	case eco.EventLapse, eco.EventExpire:
		e.At = rapid.SampledFrom([]time.Time{noon, hold, after}).Draw(t, "at")
	case eco.EventDeny:
		e.Reasons = becauses
	case eco.EventVerify, eco.EventClose:
		e.Reference, e.Reasons = "V1", becauses
	case eco.EventReceive:
		e.Content = rapid.SampledFrom([]string{"first", "other"}).Draw(t, "content")
	case eco.EventReverse:
		if rapid.Bool().Draw(t, "of any") {
			e.Reference = ""
		}
	}
	switch e.Kind {
	case eco.EventCite, eco.EventUse, eco.EventReverse, eco.EventDraw, eco.EventReturn:
		for range rapid.IntRange(0, 3).Draw(t, "items") {
			item := rapid.SampledFrom([]int{1, 1, 1, 2, 2, 3}).Draw(t, "item")
			units := []string{"KGM", "GRM", "LBR", "TNE", "C62"}
			if item == 2 {
				units = []string{"DZN", "C62", "EA", "GRO", "KGM"}
			}
			e.Items = append(e.Items, q(item, rapid.SampledFrom([]eco.Decimal{"0.1", "1", "0.3333333333", "2.5", "5", "60", "1200", "0"}).Draw(t, "value"), rapid.SampledFrom(units).Draw(t, "unit")))
		}
		if e.Kind == eco.EventCite && rapid.Bool().Draw(t, "held") {
			e.HoldUntil = hold
		}
	case eco.EventDeny, eco.EventReopen:
		if rapid.Bool().Draw(t, "item only") {
			e.Items = []eco.ItemQuantity{{Item: rapid.IntRange(1, 3).Draw(t, "item")}}
		}
	}
	return e
}

// Over any sequence of events in any units the ledger is that of the model: balances are the sums of the draws, nothing falls below
// zero or exceeds what was declared, what is undone or lapses is free again, and what the model refuses is refused.
func TestLedgerFollowsItsModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		begin := happening(eco.EventReceive)
		begin.Declared = append(begin.Declared, eco.ItemQuantity{Item: 3})
		l := eco.Life{Side: eco.SideImporting}
		for _, e := range []eco.Event{begin, happening(eco.EventAdmit)} {
			l, _ = eco.Next(l, e)
		}
		var m model
		for range rapid.IntRange(1, 50).Draw(t, "events") {
			e := ledgerEvent(t)
			before, _ := json.Marshal(l)
			after, err := eco.Next(l, e)
			if now, _ := json.Marshal(l); string(now) != string(before) {
				t.Fatalf("%s changed the life that it was given", e.Kind)
			}
			expected, ok := m.apply(e)
			if err != nil {
				var illegal *eco.IllegalMove
				if errors.As(err, &illegal) && strings.Contains(illegal.Why, "were to be") && ok {
					t.Fatalf("%+v is refused: %v; the model has room: %+v", e, err, m)
				}
				continue
			}
			if denied := slices.ContainsFunc(l.Items, func(b eco.Balance) bool { return b.Denied }); denied && e.Kind == eco.EventUse && len(e.Items) == 0 {
				for i := range expected { // What is held of a denied item is not written off, it is free.
					for _, b := range l.Items {
						if d, held := l.DrawOf(e.Reference, false); b.Denied && held && expected[i].document == (document{e.Reference, false}) {
							for _, item := range d.Items {
								if item.Item == b.Item && item.Reserved.Value != "" {
									r, _ := new(big.Rat).SetString(string(item.Reserved.Value))
									expected[i].written[b.Item].Sub(expected[i].written[b.Item], r)
								}
							}
						}
					}
				}
				expected = expected.tidy()
			}
			if !ok {
				t.Fatalf("%+v is taken; the model refuses it: %+v", e, m)
			}
			if err := expected.matches(after); err != nil {
				t.Fatalf("after %+v: %v", e, err)
			}
			stored, err := json.Marshal(after)
			if err != nil {
				t.Fatal(err)
			}
			var read eco.Life
			if err := json.Unmarshal(stored, &read); err != nil {
				t.Fatalf("%v: %s", err, stored)
			}
			if again, _ := json.Marshal(read); string(again) != string(stored) {
				t.Fatalf("%s is read as %s", stored, again)
			}
			l, m = after, expected
		}
	})
}
