package ubl

import (
	"math/big"
	"strings"

	"github.com/ecogate/ecogate/eco"
)

// totals are what the items of a certificate add up to. They repeat the items, and are there only where every item has the
// value in one unit or currency.
type totals struct {
	weight   *eco.Measure // gross
	fob      *eco.Amount
	packages int64
}

func totalsOf(items []eco.Item) totals {
	var t totals
	var weights, values []eco.Decimal
	unit, currency := "", ""
	for i := range items {
		item := &items[i]
		t.packages += max(item.Packages, 0)
		if w := item.GrossWeight; w != nil && (i == 0 || w.Unit == unit) {
			unit = w.Unit
			weights = append(weights, w.Value)
		}
		if f := item.FOB; f != nil && (i == 0 || f.Currency == currency) {
			currency = f.Currency
			values = append(values, f.Value)
		}
	}
	if sum, ok := sumOf(weights, len(items)); ok {
		t.weight = &eco.Measure{Value: sum, Unit: unit}
	}
	if sum, ok := sumOf(values, len(items)); ok {
		t.fob = &eco.Amount{Value: sum, Currency: currency}
	}
	return t
}

// sumOf adds decimals exactly, with as many decimals as the longest has. It gives none if there are not n, or no number.
func sumOf(values []eco.Decimal, n int) (eco.Decimal, bool) {
	if len(values) != n || n == 0 {
		return "", false
	}
	sum, decimals := new(big.Rat), 0
	for _, value := range values {
		if value.Valid() != nil {
			return "", false
		}
		number, ok := new(big.Rat).SetString(string(value))
		if !ok {
			return "", false
		}
		_, fraction, _ := strings.Cut(string(value), ".")
		decimals = max(decimals, len(fraction))
		sum.Add(sum, number)
	}
	total := eco.Decimal(sum.FloatString(decimals))
	return total, total.Valid() == nil
}
