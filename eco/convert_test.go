package eco_test

import (
	"errors"
	"testing"

	"pgregory.net/rapid"

	"github.com/ecogate/ecogate/eco"
)

func TestConvert(t *testing.T) {
	tests := []struct {
		value eco.Decimal
		unit  string
		to    string
		want  eco.Decimal // "" for an error
	}{
		{"2.5", "TNE", "KGM", "2500"},
		{"2500", "KGM", "TNE", "2.5"},
		{"1", "LBR", "KGM", "0.45359237"},
		{"16", "ONZ", "LBR", "1"},
		{"2000", "LBR", "STN", "1"},
		{"2240", "LBR", "LTN", "1"},
		{"0.45359237", "KGM", "LBR", "1"},
		{"1", "KGM", "LBR", ""}, // without end
		{"60", "C62", "DZN", "5"},
		{"5", "DZN", "EA", "60"},
		{"12", "GRO", "C62", "1728"},
		{"3", "DPR", "PR", "36"},
		{"1", "PR", "C62", ""}, // one article, or two
		{"1", "DZN", "KGM", ""},
		{"1", "MTQ", "LTR", "1000"},
		{"231", "INH", "MTR", "5.8674"},
		{"1", "GLL", "LTR", "3.785411784"},
		{"9", "FTK", "YDK", "1"},
		{"1", "YRD", "FOT", "3"},
		{"1.50", "SET", "SET", "1.50"}, // as it was written
		{"1", "SET", "C62", ""},
		{"1", "QQQ", "KGM", ""},
		{"", "KGM", "GRM", ""},
		{"1e3", "KGM", "GRM", ""},
		{"-1", "KGM", "GRM", "-1000"},
		{"+0.10", "KGM", "GRM", "100"},
		{"0.00000000000000000000000000000000000001", "KTN", "LBR", ""},
		{"9999999999999999999999999999999999999999", "TNE", "GRM", ""}, // more than 40 characters
	}
	for _, tt := range tests {
		got, err := eco.Convert(eco.Measure{Value: tt.value, Unit: tt.unit}, tt.to)
		if (err != nil) != (tt.want == "") || got.Value != tt.want || err == nil && got.Unit != tt.to {
			t.Errorf("%s %s in %s: %+v, %v; want %q", tt.value, tt.unit, tt.to, got, err, tt.want)
		}
	}
	if _, err := eco.Convert(eco.Measure{Value: "1", Unit: "KGM"}, "LBR"); !errors.Is(err, eco.ErrInexact) {
		t.Errorf("got %v, want ErrInexact", err)
	}
}

// What converts into its base unit compares there, and there and back changes nothing.
func TestConversionIsExactBothWays(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := eco.Measure{
			Value: eco.Decimal(rapid.StringMatching(`[0-9]{1,9}(\.[0-9]{1,6})?`).Draw(t, "value")),
			Unit:  rapid.SampledFrom(eco.ConvertibleUnits()).Draw(t, "unit"),
		}
		inBase, err := eco.Convert(m, eco.BaseUnit(m.Unit))
		if err != nil {
			t.Fatal(err)
		}
		if order, ok := eco.CompareMeasures(m, inBase); !ok || order != 0 {
			t.Fatalf("%v and %v compare as %d, %t", m, inBase, order, ok)
		}
		back, err := eco.Convert(inBase, m.Unit)
		if err != nil || back.Value.Cmp(m.Value) != 0 {
			t.Fatalf("%v became %v and %v, %v", m, inBase, back, err)
		}
	})
}

func TestCompareMeasures(t *testing.T) {
	m := func(value eco.Decimal, unit string) eco.Measure { return eco.Measure{Value: value, Unit: unit} }
	tests := []struct {
		a, b  eco.Measure
		order int
		ok    bool
	}{
		{m("1", "KGM"), m("2.2046", "LBR"), 1, true}, // 2.2046 lb are 0.99998… kg
		{m("1", "KGM"), m("2.20462262185", "LBR"), -1, true},
		{m("1.0", "SET"), m("1", "SET"), 0, true},
		{m("1", "SET"), m("1", "C62"), 0, false},
		{m("", "KGM"), m("1", "KGM"), 0, false},
	}
	for _, tt := range tests {
		if order, ok := eco.CompareMeasures(tt.a, tt.b); order != tt.order || ok != tt.ok {
			t.Errorf("%v and %v: %d, %t", tt.a, tt.b, order, ok)
		}
	}
}

func TestDecimalArithmetic(t *testing.T) {
	tests := []struct {
		name      string
		got       func() (eco.Decimal, error)
		want      eco.Decimal
		wantError bool
	}{
		{"tenths", func() (eco.Decimal, error) { return eco.Decimal("0.1").Add("0.2") }, "0.3", false},
		{"nothing counts as 0", func() (eco.Decimal, error) { return eco.Decimal("").Add("1.50") }, "1.5", false},
		{"below zero", func() (eco.Decimal, error) { return eco.Decimal("1").Sub("1.0000001") }, "-0.0000001", false},
		{"product", func() (eco.Decimal, error) { return eco.Decimal("1.20").Mul("-.5") }, "-0.6", false},
		{"no number", func() (eco.Decimal, error) { return eco.Decimal("1").Add("1,5") }, "", true},
		{"grows too long", func() (eco.Decimal, error) {
			return eco.Decimal("0.00000000000000000001").Mul("0.00000000000000000000001")
		}, "", true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got, err := tt.got(); got != tt.want || (err != nil) != tt.wantError {
				t.Errorf("got %q, %v", got, err)
			}
		})
	}
}
