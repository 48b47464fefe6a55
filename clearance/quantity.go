package clearance

import (
	"fmt"
	"slices"

	"github.com/ecogate/ecogate/eco"
)

// take works out how much of which item a claim takes; it reports false, with a finding, if it takes nothing that could be counted.
func (c *check) take(path string, line Line, claim *Claim, found Imported) bool {
	if claim.Item == 0 && len(found.Data.Items) == 1 {
		claim.Item = found.Data.Items[0].Number
	}
	at := slices.IndexFunc(found.Life.Items, func(b eco.Balance) bool { return b.Item == claim.Item })
	switch {
	case claim.Item == 0:
		c.fail(eco.ReasonGoods, path+".item", fmt.Sprintf("want the number of an item, found none; certificate %s has %d items", found.Data.Reference, len(found.Data.Items)), "say which one it is")
		return false
	case at < 0:
		c.fail(eco.ReasonGoods, path+".item", fmt.Sprintf("want an item of certificate %s, found %d", found.Data.Reference, claim.Item), "use the number as printed")
		return false
	}
	balance := found.Life.Items[at]
	if balance.Denied {
		c.fail(eco.ReasonOther, path+".item", fmt.Sprintf("want an item under which preference is granted; that of item %d was denied", claim.Item), "ask the issuing body to clarify; an officer re-opens it")
	}
	if balance.Declared.Value == "" {
		return true
	}
	taken, ok := c.quantityOf(path, line, claim.Citation, balance)
	if ok {
		claim.Taken = &taken
		c.count(path, itemName{found.Seq, claim.Item}, taken)
	}
	return ok
}

// quantityOf is what a citation claims, in the unit that the ledger counts the item in.
func (c *check) quantityOf(path string, line Line, citation Citation, balance eco.Balance) (eco.Measure, bool) {
	base := eco.BaseUnit(balance.Declared.Unit)
	stated := []*eco.Measure{line.Quantity, line.NetWeight, line.GrossWeight}
	want := fmt.Sprintf("want a quantity that compares with the %s %s of item %d", balance.Declared.Value, balance.Declared.Unit, balance.Item)
	switch {
	case citation.Quantity != nil:
		stated = []*eco.Measure{citation.Quantity}
	case len(line.Citations) > 1:
		c.fail(eco.CodeQuantity, path+".quantity", fmt.Sprintf("want how much of line %d is under each of its %d citations, found nothing", line.Number, len(line.Citations)), "state the quantity of each citation")
		return eco.Measure{}, false
	}
	for _, m := range stated {
		if m == nil {
			continue
		}
		if taken, err := eco.Convert(*m, base); err == nil {
			return taken, true
		}
	}
	found := "none"
	if i := slices.IndexFunc(stated, func(m *eco.Measure) bool { return m != nil }); i >= 0 {
		found = fmt.Sprintf("%s %s", stated[i].Value, stated[i].Unit)
	}
	c.fail(eco.CodeQuantity, path+".quantity", want+", found "+found, "state it in the certificate's unit")
	return eco.Measure{}, false
}

// count adds a quantity to what is claimed of an item.
func (c *check) count(path string, name itemName, taken eco.Measure) {
	sum, met := c.units[name]
	if !met {
		c.claimed, c.at[name], c.units[name] = append(c.claimed, name), path, taken
		return
	}
	value, err := sum.Value.Add(taken.Value)
	if err != nil {
		c.fail(eco.CodeQuantity, path+".quantity", err.Error(), "divide the declaration")
		return
	}
	c.units[name] = eco.Measure{Value: value, Unit: sum.Unit}
}

// quantities compares what all lines together claim of each item with what is free of it.
func (c *check) quantities() {
	for _, name := range c.claimed {
		life, sum := c.cited[name.seq].Life, c.units[name]
		balance := life.Items[slices.IndexFunc(life.Items, func(b eco.Balance) bool { return b.Item == name.item })]
		free := balance.Free()
		if order, ok := eco.CompareMeasures(sum, free); !ok || order > 0 {
			c.short[name] = true
			c.fail(eco.ReasonExhausted, c.at[name]+".quantity", fmt.Sprintf("want at most %s %s of item %d of certificate %s, found %s %s; %s %s were declared there, the rest is used or reserved",
				free.Value, free.Unit, name.item, c.cited[name.seq].Data.Reference, sum.Value, sum.Unit, balance.Declared.Value, balance.Declared.Unit), "claim what is left, or cite another certificate")
		}
	}
}
