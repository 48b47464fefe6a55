package eco_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/ecogate/ecogate/eco"
	"github.com/ecogate/ecogate/eco/ecotest"
)

func TestQuirksAreToldWithTheirRemedy(t *testing.T) {
	day := func(d int) eco.Date { return eco.Date{Year: 2026, Month: time.November, Day: d} } // 13 and 20 November are Fridays
	tests := []struct {
		name   string
		quirks eco.Quirks
		change func(c *eco.Certificate)
		want   string // severity, code, path; "" for nothing
		fix    string
	}{
		{"box not ticked", eco.Quirks{RetroactiveDays: 3, RetroactiveUnit: eco.WorkingDays}, func(c *eco.Certificate) {
			c.Transport.DepartureDate, c.IssuedAt = day(13), day(19)
			c.Flags[eco.FlagIssuedRetroactively] = false
		}, "warning D12 flags.ISSUED_RETROACTIVELY", "tick ISSUED_RETROACTIVELY"},
		{"box ticked", eco.Quirks{RetroactiveDays: 3, RetroactiveUnit: eco.WorkingDays}, func(c *eco.Certificate) {
			c.Transport.DepartureDate, c.IssuedAt = day(13), day(19)
			c.Flags[eco.FlagIssuedRetroactively] = true
		}, "", ""},
		{"a weekend later", eco.Quirks{RetroactiveDays: 3, RetroactiveUnit: eco.WorkingDays}, func(c *eco.Certificate) {
			c.Transport.DepartureDate, c.IssuedAt = day(13), day(18)
		}, "", ""},
		{"from sailing", eco.Quirks{RetroactiveDays: 0, RetroactiveUnit: eco.CalendarDays, RetroactiveBase: eco.FromSailing}, func(c *eco.Certificate) {
			c.Transport.SailingDate = c.IssuedAt.AddDays(-1)
		}, "warning D12 flags.ISSUED_RETROACTIVELY", "tick ISSUED_RETROACTIVELY"},
		{"replacement under another number", eco.Quirks{KeepNumber: true}, func(c *eco.Certificate) {
			c.Status = eco.StatusReplacement
			c.Related = append(c.Related, eco.RelatedCertificate{Relation: eco.RelationReplaces, Reference: "LA26010099"})
		}, "warning D16 related[0].reference", "as LA26010099 with the next version"},
		{"replacement under the same", eco.Quirks{KeepNumber: true}, func(c *eco.Certificate) {
			c.Status, c.Version = eco.StatusReplacement, 2
			c.Related = append(c.Related, eco.RelatedCertificate{Relation: eco.RelationReplaces, Reference: "LA-26010137"})
		}, "", ""},
		{"percentage with decimals", eco.Quirks{WholePercent: true}, func(*eco.Certificate) {}, "warning D09 items[1].criteria[0].percent", "state 47"},
		{"whole percentage", eco.Quirks{WholePercent: true}, func(c *eco.Certificate) { c.Items[1].Criteria[0].Percent = "47" }, "", ""},
		{"tariff of the exporting country", eco.Quirks{ImportingHS: true}, func(c *eco.Certificate) {
			*c = ecotest.Load(t, "acfta-form-e")
			c.Items = c.Items[:1]
		}, "warning D07 items[0].hs_basis", "say IMPORTING"},
		{"tariff of the importing country", eco.Quirks{ImportingHS: true}, func(c *eco.Certificate) {
			*c = ecotest.Load(t, "acfta-form-e")
			c.Items = c.Items[:1]
			c.Items[0].HSBasis = eco.HSBasisImporting
		}, "", ""},
		{"tariff of the importing country by the form's rule", eco.Quirks{ImportingHS: true}, func(*eco.Certificate) {}, "", ""},
		{"too many items", eco.Quirks{MaxItems: 2}, func(*eco.Certificate) {}, "warning D15 items", "issue 2 certificates of at most 2 items"},
		{"line too long", eco.Quirks{LineWidth: 40}, func(c *eco.Certificate) {
			c.Items[0].Marks = "SHORT\n" + strings.Repeat("X", 60)
			shorten(c)
		}, "warning D15 items[0].marks", "part it in two"},
		{"remarks of too many lines", eco.Quirks{LineWidth: 35, RemarksLines: 5}, func(c *eco.Certificate) {
			c.Remarks = strings.Repeat("A", 36) + "\nB\nC\nD\nE"
			shorten(c)
		}, "warning D15 remarks", "shorten the remarks"},
		{"remarks that are wrapped", eco.Quirks{LineWidth: 35, RemarksLines: 5}, func(c *eco.Certificate) {
			c.Remarks = strings.Repeat("A", 175)
			shorten(c)
		}, "", ""},
		{"word too long", eco.Quirks{DescriptionWidth: 19}, func(c *eco.Certificate) {
			c.Items[0].Description = "POLYVINYLPYRROLIDONE K30"
		}, "warning D15 items[0].description", "put a space"},
		{"small letters", eco.Quirks{Capitals: true}, func(c *eco.Certificate) { c.Exporter.Name = "Savanna River" }, "warning D15 exporter.name", `write "SAVANNA RIVER"`},
		{"kept back", eco.Quirks{MaxItems: 2, Strict: true}, func(*eco.Certificate) {}, "error D15 items", "issue 2"},
		{"none", eco.Quirks{Strict: true}, func(*eco.Certificate) {}, "", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := ecotest.Load(t, "atiga-form-d")
			tt.change(&c)
			with := eco.Validate(c, eco.DefaultForms(), tt.quirks, ecotest.Now())
			without := eco.Validate(c, eco.DefaultForms(), eco.Quirks{}, ecotest.Now())
			var got []eco.Finding
			for _, f := range with {
				if !slices.Contains(without, f) {
					got = append(got, f)
				}
			}
			switch {
			case tt.want == "" && len(got) > 0:
				t.Errorf("found %+v", got)
			case tt.want == "":
			case len(got) != 1 || fmt.Sprintf("%s %s %s", got[0].Severity, got[0].Code, got[0].Path) != tt.want || !strings.Contains(got[0].Fix, tt.fix):
				t.Errorf("found %+v, want %s with remedy %q", got, tt.want, tt.fix)
			}
		})
	}
}

// shorten makes every line short that a test is not about.
func shorten(c *eco.Certificate) {
	c.Exporter, c.Consignee = eco.Party{Name: "A", Address: eco.Address{City: "A"}}, eco.Party{Name: "B", Address: eco.Address{City: "B"}}
	c.Importer, c.Items[1].Producer = nil, nil
}

// A partner that wants the box ticked earlier than the form does is not answered with "in time".
func TestQuirkAndFormDoNotContradict(t *testing.T) {
	c := ecotest.Load(t, "atiga-form-d")
	c.Transport.DepartureDate = c.IssuedAt.AddDays(-2)
	c.Flags[eco.FlagIssuedRetroactively] = true
	if findings := eco.Validate(c, eco.DefaultForms(), eco.Quirks{}, ecotest.Now()); len(findings) != 1 || findings[0].Code != eco.CodeRetroactive {
		t.Errorf("without quirks: %+v", findings)
	}
	quirks := eco.Quirks{RetroactiveDays: 1, RetroactiveUnit: eco.CalendarDays}
	if findings := eco.Validate(c, eco.DefaultForms(), quirks, ecotest.Now()); len(findings) > 0 {
		t.Errorf("with the partner's rule: %+v", findings)
	}
}

func TestQuirksThatMakeNoSense(t *testing.T) {
	tests := []struct {
		name   string
		quirks eco.Quirks
		key    string
	}{
		{"less than nothing", eco.Quirks{MaxItems: -1}, "max_items"},
		{"days without end", eco.Quirks{RetroactiveDays: 2_000_000_000, RetroactiveUnit: eco.WorkingDays}, "retroactive_days"},
		{"days of no unit", eco.Quirks{RetroactiveDays: 3}, "retroactive_unit"},
		{"base without a rule", eco.Quirks{RetroactiveBase: eco.FromSailing}, "retroactive_base"},
		{"unit", eco.Quirks{RetroactiveUnit: "weeks"}, "retroactive_unit"},
		{"base", eco.Quirks{RetroactiveUnit: eco.WorkingDays, RetroactiveBase: "arrival"}, "retroactive_base"},
		{"sense", eco.Quirks{RetroactiveUnit: eco.WorkingDays, RetroactiveDays: 3, LineWidth: 35}, ""},
	}
	for _, tt := range tests {
		if problems := tt.quirks.Problems(); tt.key == "" && problems != nil || tt.key != "" && (len(problems) != 1 || problems[tt.key] == "") {
			t.Errorf("%s: %v", tt.name, problems)
		}
	}
}

// Each form counts from its own day: departure, declared shipment or sailing; departure stands in for what is not stated.
func TestRetroactiveRulesCountFromTheirDay(t *testing.T) {
	day := func(d int) eco.Date { return eco.Date{Year: 2026, Month: time.November, Day: d} }
	transport := eco.Transport{DepartureDate: day(2), ShipmentDate: day(4), SailingDate: day(6)}
	tests := []struct {
		form    eco.FormCode
		issued  eco.Date // the last day in time
		without eco.Date // the same when only the departure is stated
	}{
		{"ATIGA-D", day(7), day(5)},   // 3 calendar days after the declared shipment
		{"AKFTA-AK", day(9), day(5)},  // 3 working days after the declared shipment, a Wednesday
		{"AANZFTA", day(11), day(5)},  // 3 working days after sailing, a Friday
		{"GSP-A", day(2), day(2)},     // the day of departure
		{"CKFTA", day(13), day(11)},   // 7 working days after the declared shipment
		{"ACFTA-E", day(7), day(5)},   // 3 calendar days after the declared shipment
		{"VKFTA-KV", day(9), day(5)},  // as AK
		{"AIFTA-AI", day(9), day(5)},  // as AK
		{"IK-CEPA", day(13), day(11)}, // as CKFTA
	}
	for _, tt := range tests {
		rule := form(t, tt.form).Retroactive
		base, _ := rule.Base.Day(transport)
		if got := rule.LastDay(base); got != tt.issued {
			t.Errorf("%s: last day %s, want %s", tt.form, got, tt.issued)
		}
		base, field := rule.Base.Day(eco.Transport{DepartureDate: transport.DepartureDate})
		if got := rule.LastDay(base); got != tt.without || field != "departure_date" {
			t.Errorf("%s: last day %s from %s, want %s", tt.form, got, field, tt.without)
		}
	}
	if base, _ := eco.FromSailing.Day(eco.Transport{}); !base.IsZero() {
		t.Errorf("nothing stated gives %s", base)
	}
}

// What is marked as not confirmed never keeps a certificate back: with everything in doubt, only what every form asks for is an
// error.
func TestDoubtfulRulesOnlyWarn(t *testing.T) {
	for _, name := range []string{"vkfta-form-vk", "ckfta", "ik-cepa", "ecfa"} {
		c := ecotest.Load(t, name)
		c.IssuingCountry, c.ImportingCountry = c.ImportingCountry, c.IssuingCountry
		c.Flags = map[eco.Flag]bool{eco.FlagDeMinimis: true}
		c.Transport.DepartureDate = c.IssuedAt.AddMonths(-20)
		c.Items[0].HS, c.Items[0].FOB = "09011110", nil
		c.Items[0].Criteria = []eco.Criterion{{Code: "QVC"}, {Code: "RVC"}, {Code: "RVC2", Percent: "101"}}
		c.Reference = "?1"
		var told []string
		for _, f := range eco.Validate(c, eco.DefaultForms(), eco.Quirks{}, ecotest.Now()) {
			told = append(told, f.Code)
			if member := f.Path == "issuing_country" || f.Path == "importing_country"; f.Severity == eco.SeverityError && !member {
				t.Errorf("%s: %+v", name, f)
			}
		}
		for _, code := range []string{eco.CodeHS, eco.CodeCriterion, eco.CodeRetroactive, eco.CodeForm} {
			if !slices.Contains(told, code) {
				t.Errorf("%s: nothing said with code %s in %v", name, code, told)
			}
		}
	}
}

func TestBoxesAreFoundByTheirData(t *testing.T) {
	f := form(t, "ATIGA-D")
	for path, want := range map[string]string{
		"items[2].fob.value": "9", "items[0].hs_edition": "7", "items[0].criterion_text": "8", "exporter.address.lines[1]": "1",
		"transport.departure_date": "3", "flags.DE_MINIMIS": "13", "declaration.date": "11", "invoices[0].issuer.name": "10", "reference": "", "uuid": "",
	} {
		if box, ok := f.BoxOf(path); box.Number != want || ok != (want != "") {
			t.Errorf("%s is in box %q, want %q", path, box.Number, want)
		}
	}
}

func TestLinesAreCountedAsTheyAreWrapped(t *testing.T) {
	tests := []struct {
		text  string
		width int
		want  int
	}{{"", 35, 0}, {"A", 35, 1}, {"A\nB", 35, 2}, {"A\r\nB", 35, 2}, {strings.Repeat("é", 35), 35, 1}, {strings.Repeat("é", 36), 35, 2}, {strings.Repeat("A", 99), 0, 1}}
	for _, tt := range tests {
		if got := (eco.TextLimit{Width: tt.width}).LinesOf(tt.text); got != tt.want {
			t.Errorf("%q at %d: %d lines, want %d", tt.text, tt.width, got, tt.want)
		}
	}
}

func TestQuirksFindNothingWithoutQuirks(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := drawCertificate(t)
		quirks := eco.Quirks{Strict: true, MaxItems: 4, LineWidth: 100, RemarksLines: 100, DescriptionWidth: 100}
		if with, without := eco.Validate(c, eco.DefaultForms(), quirks, ecotest.Now()), eco.Validate(c, eco.DefaultForms(), eco.Quirks{}, ecotest.Now()); len(with) != len(without) {
			t.Fatal(with)
		}
	})
}
