package ecotest_test

import (
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/ecogate/ecogate/eco"
	"github.com/ecogate/ecogate/eco/ecotest"
)

func validate(c eco.Certificate) []eco.Finding {
	return eco.Validate(c, eco.DefaultForms(), eco.Quirks{}, ecotest.Now())
}

func TestGeneratedCertificatesOfEveryFormHaveNoErrors(t *testing.T) {
	for _, form := range eco.DefaultForms().All() {
		t.Run(string(form.Code), func(t *testing.T) {
			rapid.Check(t, func(t *rapid.T) {
				if findings := validate(ecotest.Certificate(form.Code).Draw(t, "certificate")); eco.HasErrors(findings) {
					t.Fatal(findings)
				}
			})
		})
	}
}

func codes() (codes []eco.FormCode) {
	for _, form := range eco.DefaultForms().All() {
		codes = append(codes, form.Code)
	}
	return codes
}

// Each breach brings a finding of its code, at every form that it has to do with, and of no other.
func TestBreachesBreakTheRuleThatIsMeant(t *testing.T) {
	for _, breach := range ecotest.Breaches() {
		t.Run(breach.Name, func(t *testing.T) {
			applied := 0
			rapid.Check(t, func(t *rapid.T) {
				form, _ := eco.DefaultForms().ByCode(rapid.SampledFrom(codes()).Draw(t, "form"))
				c := ecotest.Certificate(form.Code).Draw(t, "certificate")
				before := validate(c)
				if !breach.Do(form, &c) {
					return
				}
				applied++
				var found []eco.Finding
				for _, f := range validate(c) {
					if !slices.Contains(before, f) {
						found = append(found, f)
					}
				}
				if len(found) == 0 || slices.ContainsFunc(found, func(f eco.Finding) bool { return f.Code != breach.Code }) {
					t.Fatalf("%s: found %+v, want %s alone", form.Code, found, breach.Code)
				}
			})
			if applied < 10 {
				t.Errorf("only %d certificates had to do with it", applied)
			}
		})
	}
}
