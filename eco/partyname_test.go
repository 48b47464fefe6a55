package eco_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/ecogate/ecogate/eco"
)

func TestParsePartyName(t *testing.T) {
	for _, tt := range []struct{ given, want string }{
		{"TAX:199001000123", "TAX:199001000123"},
		{"tax: 1990-01/000 123 ", "TAX:199001000123"},
		{"ＴＡＸ:１９９００１", "TAX:199001"},
		{"TAX：199001", ""}, // a full-width colon is none
		{"NAME:Acme  Trading, Sdn. Bhd.", "NAME:ACME TRADING SDN BHD"},
		{"name:ＡＣＭＥ", "NAME:ACME"},
		{"NAME:Łódź S.A.", "NAME:ŁÓDŹ SA"},
		{"NAME:...", ""},
		{"TAX:", ""},
		{":1", ""},
		{"199001000123", ""},
		{"TAX:" + strings.Repeat("1", eco.MaxPartyName), ""},
	} {
		got, err := eco.ParsePartyName(tt.given)
		if string(got) != tt.want || (err == nil) != (tt.want != "") {
			t.Errorf("ParsePartyName(%q) = %q, %v; want %q", tt.given, got, err, tt.want)
		}
	}
}

func TestNamesOfParties(t *testing.T) {
	c := eco.Certificate{
		Consignee: eco.Party{Name: "Acme, Ltd.", Identifiers: []eco.Identifier{{Scheme: "Tax", Value: "12-3"}, {Scheme: "name", Value: "x"}, {Scheme: "VAT"}}},
		Importer:  &eco.Party{Name: "Importing Co"},
		Notify:    &eco.Party{Name: "To Order"},
		Exporter:  eco.Party{Name: "Exporter"},
	}
	want := []eco.PartyName{"NAME:IMPORTING CO", "TAX:123", "NAME:ACME LTD", "NAME:TO ORDER"}
	if got := c.ImporterNames(); !slices.Equal(got, want) {
		t.Errorf("ImporterNames() = %q, want %q", got, want)
	}
	for _, name := range want {
		if again, err := eco.ParsePartyName(string(name)); err != nil || again != name {
			t.Errorf("ParsePartyName(%q) = %q, %v", name, again, err)
		}
	}
}

func FuzzParsePartyName(f *testing.F) {
	f.Add("TAX:199001000123")
	f.Add("NAME:Acme, Ltd.")
	f.Fuzz(func(t *testing.T, s string) {
		name, err := eco.ParsePartyName(s)
		if err != nil {
			return
		}
		if again, err := eco.ParsePartyName(string(name)); err == nil && again != name {
			t.Errorf("ParsePartyName(%q) = %q, and of that %q", s, name, again)
		}
	})
}
