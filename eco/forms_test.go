package eco_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/ecogate/ecogate/eco"
	"github.com/ecogate/ecogate/eco/ecotest"
)

func form(t testing.TB, code eco.FormCode) eco.Form {
	t.Helper()
	form, ok := eco.DefaultForms().ByCode(code)
	if !ok {
		t.Fatalf("no form %s", code)
	}
	return form
}

func TestDefaultFormsAreThoseOfTheAgreements(t *testing.T) {
	want := []eco.FormCode{
		"AANZFTA", "ACFTA-E", "AHKFTA", "AIFTA-AI", "AJCEP-AJ", "AKFTA-AK", "ATIGA-D", "CKFTA", "ECFA", "GSP-A", "IK-CEPA", "LA-GSP-A",
		"NON-PREFERENTIAL", "NON-PREFERENTIAL-ICC", "RCEP", "VKFTA-KV", "VKFTA-VK",
	}
	var got []eco.FormCode
	for _, form := range eco.DefaultForms().All() {
		got = append(got, form.Code)
		if len(form.Boxes) < 9 || form.Limits.Items == 0 || form.HS.Digits != 6 {
			t.Errorf("%s: %d boxes, limit of %d items, HS of %d digits", form.Code, len(form.Boxes), form.Limits.Items, form.HS.Digits)
		}
		if preferential := form.DocumentType != "861"; preferential != (len(form.Criteria) > 0) || preferential != (form.Retroactive != nil) {
			t.Errorf("%s: %d criteria, retroactive rule %+v", form.Code, len(form.Criteria), form.Retroactive)
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if found, ok := (eco.Forms{}).ByCode(eco.FormATIGA); !ok || found.Title != "ATIGA FORM D" {
		t.Errorf("the zero Forms has %q, %t", found.Title, ok)
	}
	if _, ok := eco.DefaultForms().ByCode("FORM-X"); ok {
		t.Error("FORM-X is known")
	}
}

func TestFormsAreFoundByTheirPaper(t *testing.T) {
	tests := []struct {
		words, country string
		want           eco.FormCode
	}{
		{"atiga form d", "VN", "ATIGA-D"},
		{"GSP FORM A", "LA", "LA-GSP-A"},
		{"GSP FORM A", "KH", "GSP-A"},
		{"gsp-a", "LA", "GSP-A"},
		{"FORM X", "LA", ""},
	}
	for _, tt := range tests {
		if got, ok := eco.DefaultForms().Named(tt.words, tt.country); got.Code != tt.want || ok != (tt.want != "") {
			t.Errorf("%s from %s: %q, %t; want %q", tt.words, tt.country, got.Code, ok, tt.want)
		}
	}
}

func TestEveryRequiredNameIsMissedWhenAbsent(t *testing.T) {
	for _, form := range eco.DefaultForms().All() {
		findings := eco.Validate(eco.Certificate{Form: form.Code, Items: []eco.Item{{Number: 1}}}, eco.DefaultForms(), eco.Quirks{}, ecotest.Now())
		for _, requirement := range append([]string{"exporter.name", "items.description", "certification.officer"}, form.Required...) {
			alternatives := strings.Split(requirement, "|")
			path := strings.Replace(alternatives[len(alternatives)-1], "items.", "items[0].", 1)
			if !slices.ContainsFunc(findings, func(f eco.Finding) bool { return f.Path == path && strings.Contains(f.Text, "required") }) {
				t.Errorf("%s: nothing said about missing %s", form.Code, path)
			}
		}
	}
}

const leanForm = `code: XX-1
title: FORM X
agreement: none
document_type: "861"
`

func TestFolderReplacesAndAddsForms(t *testing.T) {
	base := eco.DefaultForms()
	forms, err := base.With(fstest.MapFS{
		"x.yaml":     {Data: []byte(leanForm)},
		"d.yaml":     {Data: []byte(strings.Replace(leanForm, "XX-1", "ATIGA-D", 1))},
		"README.md":  {Data: []byte("not a form")},
		"old/x.yaml": {Data: []byte("not looked at")},
	}, "forms")
	if err != nil {
		t.Fatal(err)
	}
	if got, want := len(forms.All()), len(base.All())+1; got != want {
		t.Errorf("%d forms, want %d", got, want)
	}
	if d, _ := forms.ByCode("ATIGA-D"); d.Title != "FORM X" || d.Criteria != nil {
		t.Errorf("ATIGA-D is %q with %d criteria, want the folder's", d.Title, len(d.Criteria))
	}
	if d, _ := base.ByCode("ATIGA-D"); d.Title != "ATIGA FORM D" {
		t.Errorf("the set it was built on changed to %q", d.Title)
	}
	if _, ok := forms.ByCode("XX-1"); !ok {
		t.Error("XX-1 was not added")
	}
}

func TestFaultyFormsAreRefusedWithTheirPlace(t *testing.T) {
	tests := []struct{ name, text, want string }{
		{"unknown key", leanForm + "colour: red\n", "f/x.yaml:5: colour: unknown key; want one of code, title"},
		{"unknown key inside", leanForm + "hs:\n  digits: 6\n  numbers: 6\n", "f/x.yaml:7: hs.numbers: unknown key; want one of digits, basis"},
		{"key twice", leanForm + "title: Y\n", "f/x.yaml:5: title: is given twice"},
		{"no value", leanForm + "use:\n", "f/x.yaml:5: use: has no value"},
		{"alias", leanForm + "issuers: &a [LA]\n", "f/x.yaml:5: issuers: anchors and aliases"},
		{"words for a number", leanForm + "validity_months: twelve\n", `f/x.yaml:5: validity_months: want a whole number from 0, found "twelve"`},
		{"list for a value", leanForm + "use: [single]\n", "f/x.yaml:5: use: want a single value"},
		{"value for a list", leanForm + "issuers: LA\n", "f/x.yaml:5: issuers: want a list"},
		{"value for a section", leanForm + "hs: 6\n", "f/x.yaml:5: hs: want keys (digits, basis)"},
		{"date", leanForm + "references:\n  - {country: LA, layout: N, pattern: '1', from: 01.07.2025}\n", `f/x.yaml:6: references[0].from: date "01.07.2025": want`},
		{"bool", leanForm + "whole_percent: perhaps\n", `f/x.yaml:5: whole_percent: want true or false, found "perhaps"`},
		{"no title", "code: X\nagreement: a\ndocument_type: \"861\"\n", "f/x.yaml:1: title: is required"},
		{"code", strings.Replace(leanForm, "XX-1", "form x", 1), `f/x.yaml:1: code: want capitals`},
		{"country", leanForm + "issuers: [LA, XXX]\n", `f/x.yaml:5: issuers[1]: want an ISO 3166-1`},
		{"pattern", leanForm + "references:\n  - {country: LA, layout: N, pattern: '('}\n", `f/x.yaml:6: references[0].pattern: want a regular expression`},
		{"group", leanForm + "references:\n  - {country: LA, layout: N, pattern: '(?P<month>1)'}\n", `references[0].pattern: want groups named year`},
		{"window", leanForm + "references:\n  - {country: LA, layout: N, pattern: '1', from: 2026-02-01, until: 2026-01-01}\n", `references[0].until: 2026-01-01 is before 2026-02-01`},
		{"serial without a group", leanForm + "references:\n  - {country: LA, layout: N, pattern: '1', max_serial: 9}\n", `references[0].max_serial: needs a group`},
		{"box that holds nothing known", leanForm + "boxes:\n  - {number: \"1\", title: T, holds: [exporter.shoe_size]}\n", `f/x.yaml:6: boxes[0].holds[0]: a certificate has no member "exporter.shoe_size"`},
		{"box twice", leanForm + "boxes:\n  - {number: \"1\", title: T}\n  - {number: \"1\", title: T}\n", `f/x.yaml:7: boxes[1].number: want a number that no other box has`},
		{"requirement", leanForm + "required: [items.colour]\n", `required[0]: no rule can ask for "items.colour"`},
		{"criterion without range", leanForm + "criteria:\n  - {code: RVC, meaning: m, percent: required}\n", `criteria[0]: want min and max`},
		{"range without percentage", leanForm + "criteria:\n  - {code: RVC, meaning: m, min: \"1\"}\n", `criteria[0]: min, max and usual are for`},
		{"spelling twice", leanForm + "criteria:\n  - {code: A, meaning: m}\n  - {code: B, meaning: m, spellings: [A]}\n", `criteria[1]: "A" is a spelling of A already`},
		{"line", leanForm + "criteria:\n  - {code: A, meaning: m, lines: [4]}\n", `criteria[0].lines[0]: want a line from 1 to 3`},
		{"fob", leanForm + "fob_with: [RVC]\n", `fob_with[0]: want a code of criteria, found "RVC"`},
		{"bare percentage", leanForm + "bare_percent: RVC\n", `bare_percent: want a code of criteria with a percentage`},
		{"flag", leanForm + "flags: [EXHIBITED]\n", `flags[0]: want each of THIRD_COUNTRY_INVOICING`},
		{"unit", leanForm + "retroactive: {days: 3, unit: days, base: departure}\n", `f/x.yaml:5: retroactive.unit: want calendar or working, found "days"`},
		{"base", leanForm + "retroactive: {days: 3, unit: working, base: arrival}\n", `retroactive.base: want one of departure, shipment, sailing`},
		{"use", leanForm + "use: twice\n", `use: want single or drawdown`},
		{"basis", leanForm + "hs: {basis: both}\n", `hs.basis: want EXPORTING or IMPORTING`},
		{"doubt about nothing", leanForm + "unconfirmed: [colour]\n", `unconfirmed[0]: want one of document_type`},
		{"two documents", leanForm + "---\ncode: Y\n", "f/x.yaml: holds more than one YAML document"},
		{"no YAML", "code: [\n", "f/x.yaml: yaml: "},
		{"nothing", "", "f/x.yaml: EOF"},
		{"too large", leanForm + strings.Repeat("# and so on\n", 20_000), "f/x.yaml: is larger than"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := eco.DefaultForms().With(fstest.MapFS{"x.yaml": {Data: []byte(tt.text)}}, "f/")
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %s", err, tt.want)
			}
		})
	}
	_, err := eco.DefaultForms().With(fstest.MapFS{"a.yaml": {Data: []byte(leanForm)}, "b.yaml": {Data: []byte(leanForm)}, "c.yml": {Data: []byte(leanForm)}}, "f")
	for _, want := range []string{"f/b.yaml: code: XX-1 is the form of f/a.yaml already", "f/c.yml: is not read; name it .yaml"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}

func FuzzForm(f *testing.F) {
	f.Add(leanForm)
	f.Add(leanForm + "retroactive: {days: 3, unit: working, base: sailing}\ncriteria:\n  - {code: RVC, meaning: m, percent: required, min: \"0\", max: \"100\"}\n")
	for _, file := range ecotest.FormFiles(f) {
		f.Add(file)
	}
	f.Fuzz(func(t *testing.T, text string) {
		forms, err := eco.DefaultForms().With(fstest.MapFS{"x.yaml": {Data: []byte(text)}}, "f")
		if err != nil {
			return
		}
		for _, form := range forms.All() {
			c := eco.Certificate{Form: form.Code, IssuingCountry: "LA", Reference: "26O10042", Items: []eco.Item{{Number: 1, Criteria: []eco.Criterion{{Code: "RVC"}}, CriterionText: "RVC 40%"}}}
			eco.Validate(c, forms, eco.Quirks{}, ecotest.Now())
		}
	})
}

func ExampleForms_With() {
	forms, err := eco.DefaultForms().With(fstest.MapFS{"club.yaml": {Data: []byte(`
code: CLUB-1
title: CLUB FORM 1
agreement: an agreement of our own
document_type: "864"
criteria:
  - {code: WO, meaning: wholly obtained}
retroactive: {days: 3, unit: working, base: sailing}
`)}}, "forms")
	if err != nil {
		fmt.Println(err)
		return
	}
	form, ok := forms.ByCode("CLUB-1")
	fmt.Println(form.Title, form.Retroactive.Unit, ok)
	// Output: CLUB FORM 1 working true
}
