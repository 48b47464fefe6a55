package eco

import (
	"fmt"
	"maps"
	"math/big"
	"slices"
)

// unit is a unit as so many of the base unit of what it measures, exactly.
type unit struct {
	base   string
	factor Decimal
}

// units are the commonest of UN/ECE Recommendation 20 that convert exactly. The avoirdupois pound is 0.45359237 kg and the yard
// 0.9144 m by the agreement of 1959; the gallons are those of the United States (231 cubic inches) and of the United Kingdom
// (4.54609 l). Pairs and sets do not convert into pieces: whether a pair of shoes is one article or two is the tariff's to say.
var units = map[string]unit{
	"KGM": {"KGM", "1"}, "GRM": {"KGM", "0.001"}, "MGM": {"KGM", "0.000001"}, "TNE": {"KGM", "1000"}, "DTN": {"KGM", "100"}, "KTN": {"KGM", "1000000"},
	"LBR": {"KGM", "0.45359237"}, "ONZ": {"KGM", "0.028349523125"}, "STN": {"KGM", "907.18474"}, "LTN": {"KGM", "1016.0469088"},
	"APZ": {"KGM", "0.0311034768"}, // troy ounce
	"CTM": {"KGM", "0.0002"},       // metric carat

	"C62": {"C62", "1"}, "H87": {"C62", "1"}, "EA": {"C62", "1"}, "NAR": {"C62", "1"},
	"DZN": {"C62", "12"}, "GRO": {"C62", "144"}, "CEN": {"C62", "100"}, "MIL": {"C62", "1000"},

	"PR": {"PR", "1"}, "NPR": {"PR", "1"}, "DPR": {"PR", "12"},

	"MTR": {"MTR", "1"}, "CMT": {"MTR", "0.01"}, "MMT": {"MTR", "0.001"}, "KMT": {"MTR", "1000"}, "DMT": {"MTR", "0.1"},
	"INH": {"MTR", "0.0254"}, "FOT": {"MTR", "0.3048"}, "YRD": {"MTR", "0.9144"},

	"MTK": {"MTK", "1"}, "CMK": {"MTK", "0.0001"}, "DMK": {"MTK", "0.01"}, "HAR": {"MTK", "10000"},
	"FTK": {"MTK", "0.09290304"}, "YDK": {"MTK", "0.83612736"},

	"LTR": {"LTR", "1"}, "MLT": {"LTR", "0.001"}, "HLT": {"LTR", "100"}, "MTQ": {"LTR", "1000"}, "CMQ": {"LTR", "0.001"}, "DMQ": {"LTR", "1"},
	"GLL": {"LTR", "3.785411784"}, "GLI": {"LTR", "4.54609"}, "FTQ": {"LTR", "28.316846592"},

	"KWH": {"KWH", "1"}, "MWH": {"KWH", "1000"}, "WHR": {"KWH", "0.001"},
}

// BaseUnit is the unit that a unit counts in, as KGM for TNE, and the unit itself where it does not convert.
func BaseUnit(code string) string {
	if u, ok := units[code]; ok {
		return u.base
	}
	return code
}

// ConvertibleUnits lists the units that Convert knows, in order.
func ConvertibleUnits() []string { return slices.Sorted(maps.Keys(units)) }

// Convert gives a measure in another unit of UN/ECE Recommendation 20, exactly: 2.5 TNE are 2500 KGM. A unit always converts
// into itself and into its BaseUnit unless the figure grows too long.
//
// Errors: the value is not a decimal, the two units do not measure the same or are not of our table, or an error that wraps
// ErrInexact where no decimal is exact, as for 1 KGM in LBR.
func Convert(m Measure, to string) (Measure, error) {
	if err := m.Value.Valid(); err != nil {
		return Measure{}, err
	}
	if m.Unit == to {
		return m, nil
	}
	from, known := units[m.Unit]
	target, ok := units[to]
	if !known || !ok || from.base != target.base {
		return Measure{}, fmt.Errorf("%s %s: no conversion into %s", m.Value, m.Unit, to)
	}
	value := new(big.Rat).Mul(m.Value.rat(), from.factor.rat())
	d, err := exactly(value.Quo(value, target.factor.rat()))
	if err != nil {
		return Measure{}, fmt.Errorf("%s %s in %s: %w", m.Value, m.Unit, to, err)
	}
	return Measure{Value: d, Unit: to}, nil
}

// CompareMeasures is -1 when a is less than b, 0 when they are equal and 1 when a is greater, exactly in whatever units
// they are; it reports false when they do not measure the same or have no value.
func CompareMeasures(a, b Measure) (int, bool) {
	if a.Value.Valid() != nil || b.Value.Valid() != nil {
		return 0, false
	}
	if a.Unit == b.Unit {
		return a.Value.Cmp(b.Value), true
	}
	left, known := units[a.Unit]
	right, ok := units[b.Unit]
	if !known || !ok || left.base != right.base {
		return 0, false
	}
	x, y := a.Value.rat(), b.Value.rat()
	return x.Mul(x, left.factor.rat()).Cmp(y.Mul(y, right.factor.rat())), true
}
