package eco_test

import (
	"fmt"
	"path/filepath"
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

// A file of testdata/hostile/forms says in its first line what is said about it: line, key and text.
func TestFaultyFormsAreRefusedWithTheirPlace(t *testing.T) {
	for _, file := range ecotest.Files(t, "hostile/forms/*.yaml") {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".yaml"), func(t *testing.T) {
			text, want := ecotest.Expecting(t, file)
			_, err := eco.DefaultForms().With(fstest.MapFS{"x.yaml": {Data: []byte(text)}}, "f/")
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("got %v, want %s", err, want)
			}
		})
	}
	large := leanForm + strings.Repeat("# and so on\n", 20_000)
	_, err := eco.DefaultForms().With(fstest.MapFS{"a.yaml": {Data: []byte(leanForm)}, "b.yaml": {Data: []byte(leanForm)}, "c.yml": {Data: []byte(leanForm)}, "d.yaml": {Data: []byte(large)}}, "f")
	for _, want := range []string{"f/b.yaml: code: XX-1 is the form of f/a.yaml already", "f/c.yml: is not read; name it .yaml", "f/d.yaml: is larger than"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}

func FuzzForm(f *testing.F) {
	f.Add(leanForm)
	f.Add(leanForm + "retroactive: {days: 3, unit: working, base: sailing}\ncriteria:\n  - {code: RVC, meaning: m, percent: required, min: \"0\", max: \"100\"}\n")
	for _, text := range ecotest.FormFiles(f) {
		f.Add(text)
	}
	for _, file := range ecotest.Files(f, "hostile/forms/*.yaml") {
		text, _ := ecotest.Expecting(f, file)
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		forms, err := eco.DefaultForms().With(fstest.MapFS{"x.yaml": {Data: []byte(text)}}, "f")
		if err != nil {
			return
		}
		for _, form := range forms.All() {
			if ours, known := eco.DefaultForms().ByCode(form.Code); known && ours.Title == form.Title {
				continue
			}
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
