package eco_test

import (
	"fmt"
	"math/big"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/ecogate/ecogate/eco"
	"github.com/ecogate/ecogate/eco/ecotest"
)

// deed is a certificate of Form D with that number, of 16 November 2026 and from LA, changed.
func deed(t testing.TB, reference string, changes ...func(*eco.Certificate)) eco.Certificate {
	t.Helper()
	c := ecotest.Load(t, "atiga-form-d")
	c.Reference = reference
	for _, change := range changes {
		change(&c)
	}
	return c
}

func related(relation eco.Relation, reference string) func(*eco.Certificate) {
	return func(c *eco.Certificate) {
		c.Related = append(slices.Clone(c.Related), eco.RelatedCertificate{Relation: relation, Reference: reference})
	}
}

func issuedIn(country string, date eco.Date) func(*eco.Certificate) {
	return func(c *eco.Certificate) { c.IssuingCountry, c.IssuedAt = country, date }
}

func status(s eco.DocumentStatus) func(*eco.Certificate) {
	return func(c *eco.Certificate) { c.Status = s }
}

// goods replaces the items: each is an HS code, a value and a unit of its quantity.
func goods(items ...string) func(*eco.Certificate) {
	return func(c *eco.Certificate) {
		c.Items = nil
		for n, item := range items {
			fields := strings.Fields(item)
			c.Items = append(c.Items, eco.Item{Number: n + 1, HS: fields[0], Quantity: &eco.Measure{Value: eco.Decimal(fields[1]), Unit: fields[2]}})
		}
	}
}

func TestKinOfACertificate(t *testing.T) {
	first, later := eco.Date{Year: 2026, Month: 11, Day: 16}, eco.Date{Year: 2026, Month: 11, Day: 20}
	tests := []struct {
		name   string
		c      eco.Certificate
		others []eco.Certificate
		want   []string // severity, code and path
	}{
		{"no relations", deed(t, "LA26010001"), []eco.Certificate{deed(t, "LA26010002")}, nil},
		{"replaces one", deed(t, "LA26010002", related(eco.RelationReplaces, "LA 26010001")), []eco.Certificate{deed(t, "LA26010001")}, nil},
		{"replaces one that nobody knows", deed(t, "LA26010002", related(eco.RelationReplaces, "LA26010001")), nil, []string{"warning D16 related[0].reference"}},
		{"replaces one of another country", deed(t, "LA26010002", related(eco.RelationReplaces, "LA26010001")), []eco.Certificate{deed(t, "LA26010001", issuedIn("VN", first))}, []string{"warning D16 related[0].reference"}},
		{"is itself among the others", deed(t, "LA26010002", related(eco.RelationReplaces, "LA26010001")),
			[]eco.Certificate{deed(t, "LA26010002", related(eco.RelationReplaces, "LA26010001")), deed(t, "LA26010001")}, nil},
		{"replaces one that was replaced", deed(t, "LA26010003", related(eco.RelationReplaces, "LA26010001")),
			[]eco.Certificate{deed(t, "LA26010001"), deed(t, "LA26010002", related(eco.RelationReplaces, "LA26010001"))}, []string{"error D16 related[0].reference"}},
		{"replaces one whose replacement was cancelled", deed(t, "LA26010003", related(eco.RelationReplaces, "LA26010001")),
			[]eco.Certificate{
				deed(t, "LA26010001"), deed(t, "LA26010002", related(eco.RelationReplaces, "LA26010001")),
				deed(t, "LA26010002", status(eco.StatusCancellation), related(eco.RelationReplaces, "LA26010001"), related(eco.RelationCancels, "LA26010002")),
			}, nil},
		{"replaces one with its own number", deed(t, "LA26010001", related(eco.RelationReplaces, "LA26010001")), []eco.Certificate{deed(t, "LA26010001")}, []string{"warning D16 related[0].reference"}},
		{"replaces one of another form", deed(t, "LA26010002", related(eco.RelationReplaces, "LA26010001")),
			[]eco.Certificate{deed(t, "LA26010001", func(c *eco.Certificate) { c.Form = eco.FormLaoGSP })}, []string{"error D16 related[0].reference"}},
		{"is older than what it replaces", deed(t, "LA26010002", related(eco.RelationReplaces, "LA26010001")), []eco.Certificate{deed(t, "LA26010001", issuedIn("LA", later))}, []string{"error D04 issue_date"}},
		{"each replaces the other", deed(t, "LA26010002", related(eco.RelationReplaces, "LA26010001")),
			[]eco.Certificate{deed(t, "LA26010001", related(eco.RelationReplaces, "LA26010002"))}, []string{"error D16 related[0].reference"}},
		{"states another date than the original bears", deed(t, "LA26010002", func(c *eco.Certificate) {
			c.Related = []eco.RelatedCertificate{{Relation: eco.RelationReplaces, Reference: "LA26010001", Date: later}}
		}), []eco.Certificate{deed(t, "LA26010001")}, []string{"error D16 related[0].date"}},
		{"replaces one that was cancelled for it", deed(t, "LA26010002", related(eco.RelationReplaces, "LA26010001")),
			[]eco.Certificate{deed(t, "LA26010001"), deed(t, "LA26010001", status(eco.StatusCancellation), related(eco.RelationCancels, "LA26010001"))}, []string{"warning D16 related[0].reference"}},

		{"cancels one", deed(t, "LA26010001", status(eco.StatusCancellation), related(eco.RelationReplaces, "LA26010000"), related(eco.RelationCancels, "LA26010001")), []eco.Certificate{deed(t, "LA26010001", related(eco.RelationReplaces, "LA26010000"))}, nil},
		{"cancels one that nobody knows", deed(t, "LA26010001", status(eco.StatusCancellation), related(eco.RelationCancels, "LA26010001")), nil, []string{"error D16 related[0].reference"}},

		{"true copy", deed(t, "LA26010001", status(eco.StatusTrueCopy), related(eco.RelationTrueCopyOf, "LA26010001")), []eco.Certificate{deed(t, "LA26010001")}, nil},
		{"true copy with another date", deed(t, "LA26010001", status(eco.StatusTrueCopy), related(eco.RelationTrueCopyOf, "LA26010001"), issuedIn("LA", later)), []eco.Certificate{deed(t, "LA26010001")}, []string{"error D04 issue_date"}},
		{"true copy with another number", deed(t, "LA26010002", status(eco.StatusTrueCopy), related(eco.RelationTrueCopyOf, "LA26010001")), []eco.Certificate{deed(t, "LA26010001")}, []string{"warning D16 reference"}},
		{"copy that is not true", deed(t, "LA26010001", status(eco.StatusTrueCopy), related(eco.RelationTrueCopyOf, "LA26010001"), goods("310420 1 KGM")), []eco.Certificate{deed(t, "LA26010001")}, []string{"error D16 items"}},

		{"back-to-back within the original", deed(t, "VN1", issuedIn("VN", later), related(eco.RelationBackToBack, "LA26010001"), goods("310420 1 TNE")),
			[]eco.Certificate{deed(t, "LA26010001", goods("310420 1000 KGM"))}, nil},
		{"back-to-back beyond the original", deed(t, "VN1", issuedIn("VN", later), related(eco.RelationBackToBack, "LA26010001"), goods("310420 1.0000001 TNE")),
			[]eco.Certificate{deed(t, "LA26010001", goods("310420 1000 KGM"))}, []string{"error D11 items[0].quantity"}},
		{"back-to-back beyond what others left", deed(t, "VN2", issuedIn("VN", later), related(eco.RelationBackToBack, "LA26010001"), goods("310420 400.1 KGM")),
			[]eco.Certificate{
				deed(t, "LA26010001", goods("310420 1000 KGM")),
				deed(t, "VN1", issuedIn("VN", later), related(eco.RelationBackToBack, "LA26010001"), goods("31042000 0.6 TNE")),
			}, []string{"error D11 items[0].quantity"}},
		{"back-to-back that replaces another", deed(t, "VN2", issuedIn("VN", later), related(eco.RelationBackToBack, "LA26010001"), related(eco.RelationReplaces, "VN1"), goods("310420 1000 KGM")),
			[]eco.Certificate{
				deed(t, "LA26010001", goods("310420 1000 KGM")),
				deed(t, "VN1", issuedIn("VN", later), related(eco.RelationBackToBack, "LA26010001"), goods("310420 600 KGM")),
			}, nil},
		{"back-to-back after another was cancelled", deed(t, "VN2", issuedIn("VN", later), related(eco.RelationBackToBack, "LA26010001"), goods("310420 1000 KGM")),
			[]eco.Certificate{
				deed(t, "LA26010001", goods("310420 1000 KGM")),
				deed(t, "VN1", issuedIn("VN", later), related(eco.RelationBackToBack, "LA26010001"), goods("310420 600 KGM")),
				deed(t, "VN1", issuedIn("VN", later), status(eco.StatusCancellation), related(eco.RelationBackToBack, "LA26010001"), related(eco.RelationCancels, "VN1"), goods("310420 600 KGM")),
			}, nil},
		{"back-to-back of other goods", deed(t, "VN1", issuedIn("VN", later), related(eco.RelationBackToBack, "LA26010001"), goods("310430 1 KGM")),
			[]eco.Certificate{deed(t, "LA26010001", goods("310420 1000 KGM"))}, []string{"error D14 items[0]"}},
		{"back-to-back in pieces of what was weighed", deed(t, "VN1", issuedIn("VN", later), related(eco.RelationBackToBack, "LA26010001"), goods("310420 1 C62")),
			[]eco.Certificate{deed(t, "LA26010001", goods("310420 1000 KGM"))}, []string{"warning D11 items[0]"}},
		{"back-to-back of items with one code", deed(t, "VN1", issuedIn("VN", later), related(eco.RelationBackToBack, "LA26010001"), goods("310420 700 KGM", "310420 301 KGM")),
			[]eco.Certificate{deed(t, "LA26010001", goods("310420 500 KGM", "310420 500 KGM"))}, []string{"error D11 items[0].quantity", "error D11 items[1].quantity"}},
		{"back-to-back of one that was replaced", deed(t, "VN1", issuedIn("VN", later), related(eco.RelationBackToBack, "LA26010001"), goods("310420 1 KGM")),
			[]eco.Certificate{deed(t, "LA26010001", goods("310420 1000 KGM")), deed(t, "LA26010002", related(eco.RelationReplaces, "LA26010001"))}, []string{"error D14 related[0].reference"}},
		{"back-to-back in the country of the original", deed(t, "LA26010002", related(eco.RelationBackToBack, "LA26010001"), goods("310420 1 KGM")),
			[]eco.Certificate{deed(t, "LA26010001", goods("310420 1000 KGM"))}, []string{"warning D14 related[0].country"}},
		{"back-to-back of another form", deed(t, "VN1", issuedIn("VN", later), related(eco.RelationBackToBack, "LA26010001"), goods("310420 1 KGM")),
			[]eco.Certificate{deed(t, "LA26010001", goods("310420 1000 KGM"), func(c *eco.Certificate) { c.Form = eco.FormNonPreferential })}, []string{"warning D14 related[0].reference"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var got []string
			for _, f := range eco.CheckKin(tt.c, tt.others) {
				got = append(got, fmt.Sprintf("%s %s %s", f.Severity, f.Code, f.Path))
				if f.Text == "" || f.Fix == "" {
					t.Errorf("%+v", f)
				}
			}
			if !slices.Equal(got, tt.want) {
				t.Errorf("got %q, want %q", got, tt.want)
			}
			reversed := slices.Clone(tt.others)
			slices.Reverse(reversed)
			if again := eco.CheckKin(tt.c, reversed); len(again) != len(got) {
				t.Errorf("in another order %+v", again)
			}
		})
	}
}

// However the original's quantity is cut up, in whatever units, the parts fit, and a hair more does not.
func TestBackToBackQuantitiesAddUpExactly(t *testing.T) {
	base, later := ecotest.Load(t, "atiga-form-d"), eco.Date{Year: 2026, Month: 11, Day: 20}
	deed := func(reference string, changes ...func(*eco.Certificate)) eco.Certificate {
		c := base
		c.Reference = reference
		for _, change := range changes {
			change(&c)
		}
		return c
	}
	rapid.Check(t, func(r *rapid.T) {
		unit := rapid.SampledFrom([]string{"KGM", "GRM", "LBR", "TNE", "ONZ"})
		sum := new(big.Rat)
		var children []eco.Certificate
		for n := range rapid.IntRange(1, 8).Draw(r, "children") {
			m := eco.Measure{Value: eco.Decimal(rapid.StringMatching(`[1-9][0-9]{0,4}(\.[0-9]{1,6})?`).Draw(r, "value")), Unit: unit.Draw(r, "unit")}
			children = append(children, deed(fmt.Sprint("VN", n), issuedIn("VN", later), related(eco.RelationBackToBack, "LA26010001"), goods(fmt.Sprintf("310420 %s %s", m.Value, m.Unit))))
			inBase, err := eco.Convert(m, "KGM")
			if err != nil {
				r.Fatal(err)
			}
			part, _ := new(big.Rat).SetString(string(inBase.Value))
			sum.Add(sum, part)
		}
		digits, _ := sum.FloatPrec()
		original := deed("LA26010001", goods(fmt.Sprintf("310420 %s KGM", sum.FloatString(digits))))
		last, others := children[0], append(children[1:], original)
		if findings := eco.CheckKin(last, others); len(findings) > 0 {
			r.Fatal(findings)
		}
		if b := eco.BackToBackBalances(original, children); b[0].Left != "0" || b[0].Exceeded {
			r.Fatalf("%+v", b)
		}
		last.Items = append(slices.Clone(last.Items), eco.Item{Number: 2, HS: "310420", Quantity: &eco.Measure{Value: "0.000000000001", Unit: "KGM"}})
		if findings := eco.CheckKin(last, others); !eco.HasErrors(findings) {
			r.Fatal("a hair more fits too")
		}
		if b := eco.BackToBackBalances(original, append(children, last)); b[0].Left != "0" || !b[0].Exceeded {
			r.Fatalf("%+v", b)
		}
	})
}
