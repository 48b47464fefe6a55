package eco

import (
	"fmt"
	"math/big"
	"strings"
)

// GoodsBalance is what back-to-back certificates have taken of the goods of one kind in their original: of the items that
// share an HS code, or where there is none a description. Items of two certificates are tied by nothing else.
type GoodsBalance struct {
	// Goods is the HS code, its first six digits, or the description.
	Goods string
	// Kind is the measure that is counted: "quantity", "net_weight" or "gross_weight".
	Kind string
	// Declared is the sum in the original, Taken that in the other certificates, both in Unit; Left is never below zero.
	Declared, Taken, Left Decimal
	Unit                  string
	// Exceeded: more was taken than was declared.
	Exceeded bool
}

// measureKinds are the measures of an item, in the order of the form.
var measureKinds = []struct {
	name string
	of   func(*Item) *Measure
}{
	{"quantity", func(i *Item) *Measure { return i.Quantity }},
	{"net_weight", func(i *Item) *Measure { return i.NetWeight }},
	{"gross_weight", func(i *Item) *Measure { return i.GrossWeight }},
}

// BackToBackBalances counts the goods of back-to-back certificates against those of their original, exactly and across
// units: ATIGA OCP Rule 11. A measure is counted where each item of the original with these goods states it; those of the
// children that do not are not counted in it. Balances come in the order of the original's items.
func BackToBackBalances(original Certificate, children []Certificate) []GoodsBalance {
	taken := map[string][]*Item{}
	for i := range children {
		for _, p := range pools(children[i]) {
			taken[p.goods] = append(taken[p.goods], p.items...)
		}
	}
	var balances []GoodsBalance
	for _, p := range pools(original) {
		for _, kind := range measureKinds {
			sum, unit, ok := sumOf(p.items, kind.of)
			if !ok {
				continue
			}
			used := new(big.Rat)
			for _, item := range taken[p.goods] {
				if part, in, ok := inBaseUnit(kind.of(item)); ok && in == unit {
					used.Add(used, part)
				}
			}
			balances = append(balances, balanceOf(p.goods, kind.name, unit, sum, used))
		}
	}
	return balances
}

// Original is a certificate that a back-to-back certificate builds on, and where it stands on the importing side.
type Original struct {
	Certificate Certificate
	Life        Life
}

// DrawOnOriginals says what a back-to-back certificate takes of each of its originals, for EventDraw: for every item the quantity
// that the items with its goods are counted in by the ledger (DeclaredQuantities), from the first original and the first unit of
// which all of it is free, spread over these items in their order. ATIGA OCP Rule 11.
//
// An item of which no original has as much as it states is a finding. One whose goods no original has, or that states none of the
// measures that these are counted in, takes nothing; CheckKin tells of both.
func DrawOnOriginals(child Certificate, originals []Original) (taken [][]ItemQuantity, findings []Finding) {
	stocks := make([]*stock, len(originals))
	for i := range originals {
		stocks[i] = stockOf(originals[i])
	}
	for i := range child.Items {
		item, refused := &child.Items[i], (*Finding)(nil)
		done := false
		for _, s := range stocks {
			var finding *Finding
			if finding, done = s.draw(item); done {
				break
			}
			if refused == nil && finding != nil {
				finding.Path = fmt.Sprintf("items[%d].%s", i, finding.Path)
				refused = finding
			}
		}
		if !done && refused != nil {
			findings = append(findings, *refused)
		}
	}
	for _, s := range stocks {
		taken = append(taken, s.taken)
	}
	return taken, findings
}

// stock is what is free of an original.
type stock struct {
	reference string
	shelves   []*shelf
	taken     []ItemQuantity
}

// shelf is one item of it: so much of these goods by that kind of measure.
type shelf struct {
	item              int
	goods, kind, unit string
	free              *big.Rat
}

func stockOf(o Original) *stock {
	s := &stock{reference: o.Certificate.Reference}
	for i := range o.Certificate.Items {
		item := &o.Certificate.Items[i]
		balance := o.Life.item(item.Number)
		if balance == nil || balance.Denied || balance.Declared.Value == "" {
			continue
		}
		for _, kind := range measureKinds {
			if m := kind.of(item); m != nil && *m == balance.Declared {
				free := balance.Free()
				if value, unit, ok := inBaseUnit(&free); ok {
					s.shelves = append(s.shelves, &shelf{item.Number, goodsOf(item), kind.name, unit, value})
				}
				break
			}
		}
	}
	return s
}

// draw takes an item's quantity; a finding says of which goods there is less than that.
func (s *stock) draw(item *Item) (short *Finding, done bool) {
	goods := goodsOf(item)
	for _, kind := range measureKinds {
		want, unit, stated := inBaseUnit(kind.of(item))
		if !stated {
			continue
		}
		var fitting []*shelf
		free := new(big.Rat)
		for _, f := range s.shelves {
			if f.goods == goods && f.kind == kind.name && f.unit == unit {
				fitting = append(fitting, f)
				free.Add(free, f.free)
			}
		}
		switch {
		case len(fitting) == 0:
		case free.Cmp(want) >= 0:
			s.take(fitting, want)
			return nil, true
		case short == nil:
			short = &Finding{Code: CodeQuantity, Severity: SeverityError, Path: kind.name,
				Text: fmt.Sprintf("%s %s of %s are free of %s, and %s %s are to be taken", written(free), unit, goods, s.reference, written(want), unit),
				Fix:  "issue it for what is free"}
		}
	}
	return short, false
}

// take takes a quantity from shelves that have it.
func (s *stock) take(from []*shelf, want *big.Rat) {
	rest := new(big.Rat).Set(want)
	for _, f := range from {
		part := new(big.Rat).Set(f.free)
		if part.Cmp(rest) > 0 {
			part.Set(rest)
		}
		if part.Sign() == 0 {
			continue
		}
		f.free.Sub(f.free, part)
		rest.Sub(rest, part)
		s.taken = append(s.taken, ItemQuantity{Item: f.item, Quantity: Measure{Value: written(part), Unit: f.unit}})
	}
}

func balanceOf(goods, kind, unit string, declared, taken *big.Rat) GoodsBalance {
	left := new(big.Rat).Sub(declared, taken)
	b := GoodsBalance{Goods: goods, Kind: kind, Unit: unit, Exceeded: left.Sign() < 0}
	if b.Exceeded {
		left.SetInt64(0)
	}
	b.Declared, b.Taken, b.Left = written(declared), written(taken), written(left)
	return b
}

// written is r as people read it: all of its digits, however many, as sums of decimals have an end.
func written(r *big.Rat) Decimal {
	digits, _ := r.FloatPrec()
	return Decimal(r.FloatString(digits))
}

// pool is the items of a certificate with the same goods.
type pool struct {
	goods string
	items []*Item
}

func pools(c Certificate) []pool {
	var all []pool
	at := map[string]int{}
	for i := range c.Items {
		goods := goodsOf(&c.Items[i])
		n, known := at[goods]
		if !known {
			n = len(all)
			at[goods], all = n, append(all, pool{goods: goods})
		}
		all[n].items = append(all[n].items, &c.Items[i])
	}
	return all
}

// goodsOf says which goods an item is.
func goodsOf(item *Item) string {
	if item.HS != "" {
		return item.HS[:min(len(item.HS), 6)]
	}
	return strings.ToUpper(strings.Join(strings.Fields(item.Description), " "))
}

// sumOf adds a measure up over items that all state it in units of one kind.
func sumOf(items []*Item, of func(*Item) *Measure) (sum *big.Rat, unit string, ok bool) {
	sum = new(big.Rat)
	for i, item := range items {
		part, in, ok := inBaseUnit(of(item))
		if !ok || i > 0 && in != unit {
			return nil, "", false
		}
		unit = in
		sum.Add(sum, part)
	}
	return sum, unit, len(items) > 0
}

// inBaseUnit is a measure in the base unit of its unit.
func inBaseUnit(m *Measure) (value *big.Rat, base string, ok bool) {
	if m == nil || m.Value.Valid() != nil || m.Value.Sign() < 0 {
		return nil, "", false
	}
	value = m.Value.rat()
	if u, known := units[m.Unit]; known {
		return value.Mul(value, u.factor.rat()), u.base, true
	}
	return value, m.Unit, true
}

// checkBackToBack counts c and the other certificates that build on the same original against it.
func (k *kin) checkBackToBack(path string, original *Certificate) {
	if original.IssuingCountry == k.c.IssuingCountry {
		k.warn(CodeBackToBack, path+".country", fmt.Sprintf("%s was issued in %s too", original.Reference, original.IssuingCountry), "a back-to-back certificate is issued in a country that the goods passed through")
	}
	if original.Form != k.c.Form {
		k.warn(CodeBackToBack, path+".reference", fmt.Sprintf("want form %s, %s has form %s", k.c.Form, original.Reference, original.Form), "check whether the agreement takes the other form")
	}
	if k.void(original) {
		k.fail(CodeBackToBack, path+".reference", fmt.Sprintf("%s was cancelled or replaced", original.Reference), "name a certificate that is in force")
	}
	children := []Certificate{*k.c}
	for _, other := range k.others {
		if other != original && other.Status != StatusCancellation && !sameNumber(other, k.c) && names(other, RelationBackToBack, original) &&
			!k.void(other) && !names(k.c, RelationReplaces, other) {
			children = append(children, *other)
		}
	}
	k.checkBalances(original, children)
}

// checkBalances finds goods that the original does not have, has less of, or states in no measure that can be compared.
func (k *kin) checkBalances(original *Certificate, children []Certificate) {
	balances := map[string]map[string]GoodsBalance{} // by goods, then by kind
	for _, p := range pools(*original) {
		balances[p.goods] = map[string]GoodsBalance{}
	}
	for _, b := range BackToBackBalances(*original, children) {
		balances[b.Goods][b.Kind] = b
	}
	for i := range k.c.Items {
		item := &k.c.Items[i]
		goods := goodsOf(item)
		path := fmt.Sprintf("items[%d]", i)
		if balances[goods] == nil {
			k.fail(CodeBackToBack, path, fmt.Sprintf("%s has no goods %q", original.Reference, goods), "compare with the original")
			continue
		}
		counted := false
		for _, kind := range measureKinds {
			balance, there := balances[goods][kind.name]
			if _, unit, stated := inBaseUnit(kind.of(item)); !there || !stated || unit != balance.Unit {
				continue
			}
			counted = true
			if balance.Exceeded {
				k.fail(CodeQuantity, path+"."+kind.name, fmt.Sprintf("%s has %s %s of %s; with this one %d back-to-back certificates take %s",
					original.Reference, balance.Declared, balance.Unit, goods, len(children), balance.Taken), "issue it for what is left")
			}
		}
		if !counted {
			k.warn(CodeQuantity, path, fmt.Sprintf("no measure of it can be compared with those of %s", original.Reference), "state it in the original's units")
		}
	}
}
