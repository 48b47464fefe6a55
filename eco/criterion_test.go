package eco_test

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/ecogate/ecogate/eco"
	"github.com/ecogate/ecogate/eco/ecotest"
)

func ExampleForm_ParseCriteria() {
	form, _ := eco.DefaultForms().ByCode("AKFTA-AK")
	for _, text := range []string{"RVC 40.6% + CTH", "cth+rvc40%", "Specific Processes", "CTX"} {
		criteria, err := form.ParseCriteria(text)
		fmt.Println(eco.CriteriaText(criteria), err)
	}
	// Output:
	// RVC 40% + CTH <nil>
	// RVC 40% + CTH <nil>
	// SP <nil>
	//  criterion "CTX": want one of WO, WO-AK, RVC, CC, CTH, CTSH, CTC, SP, found "CTX"
}

func TestParseCriteria(t *testing.T) {
	set := func(parts ...string) (criteria []eco.Criterion) {
		for _, part := range parts {
			code, percent, _ := strings.Cut(part, "=")
			criteria = append(criteria, eco.Criterion{Code: code, Percent: eco.Decimal(percent)})
		}
		return criteria
	}
	tests := []struct {
		form eco.FormCode
		text string
		want []eco.Criterion
	}{
		// The forms of writing that the sheet of forms has seen.
		{form: "ATIGA-D", text: "CTH + RVC 40%", want: set("RVC=40", "CTH")},
		{form: "ATIGA-D", text: "RVC 40% + CTH", want: set("RVC=40", "CTH")},
		{form: "ATIGA-D", text: "RVC 45%", want: set("RVC=45")},
		{form: "ATIGA-D", text: "CTSH+35%", want: set("RVC=35", "CTSH")},
		{form: "ATIGA-D", text: "35% + CTSH", want: set("RVC=35", "CTSH")},
		{form: "ATIGA-D", text: "40%", want: set("RVC=40")},
		{form: "ATIGA-D", text: "PC 25%", want: set("PC=25")},
		{form: "ATIGA-D", text: "Specific Processes", want: set("SP")},
		{form: "AKFTA-AK", text: "WO-AK", want: set("WO-AK")},
		{form: "AKFTA-AK", text: "SPECIFIC\nPROCESSES", want: set("SP")},
		{form: "RCEP", text: "CTC, ACU, DMI", want: set("CTC", "ACU", "DMI")},
		{form: "RCEP", text: "RVC 2.6.6A", want: set("RVC", "2.6.6A")},
		{form: "RCEP", text: "RVC 40 2.6.6B", want: set("RVC=40", "2.6.6B")},
		{form: "LA-GSP-A", text: `"Y" 52%`, want: set("Y=52")},
		{form: "LA-GSP-A", text: "“P”", want: set("P")},
		{form: "VKFTA-VK", text: "Article 3.5", want: set("ART3.5")},
		// Spelling.
		{form: "ATIGA-D", text: "  rvc(45) and ＣＴＨ ", want: set("RVC=45", "CTH")},
		{form: "ATIGA-D", text: "45% RVC", want: set("RVC=45")},
		{form: "ATIGA-D", text: "RVC45.%", want: set("RVC=45")},
		{form: "AKFTA-AK", text: "WO–AK", want: set("WO-AK")},
		{form: "ATIGA-D", text: "CC CTH", want: set("CC", "CTH")},
		// Whole percentages are rounded down.
		{form: "ATIGA-D", text: "RVC 40.6%", want: set("RVC=40")},
		{form: "ATIGA-D", text: "RVC 39.99%", want: set("RVC=39")},
		{form: "ATIGA-D", text: "RVC 007%", want: set("RVC=7")},
		{form: "ATIGA-D", text: "RVC 0.5%", want: set("RVC=0")},
	}
	for _, tt := range tests {
		t.Run(string(tt.form)+" "+tt.text, func(t *testing.T) {
			got, err := form(t, tt.form).ParseCriteria(tt.text)
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Error(diff)
			}
			if err != nil {
				t.Error(err)
			}
		})
	}
}

// refusedCriteria are the files of testdata/hostile/criteria: what is said, the form, and the text of the criterion box.
func refusedCriteria(t testing.TB, visit func(name, form, text, want string)) {
	t.Helper()
	for _, file := range ecotest.Files(t, "hostile/criteria/*.txt") {
		all, want := ecotest.Expecting(t, file)
		lines := strings.SplitN(strings.TrimSuffix(all, "\n"), "\n", 3)
		visit(strings.TrimSuffix(filepath.Base(file), ".txt"), strings.TrimPrefix(lines[1], "# form: "), lines[2], want)
	}
}

func TestUnreadableCriteriaAreRefusedWithWhatWasExpected(t *testing.T) {
	refusedCriteria(t, func(name, code, text, want string) {
		t.Run(name, func(t *testing.T) {
			got, err := form(t, eco.FormCode(code)).ParseCriteria(text)
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%q gives %v, %v; want %s", text, got, err, want)
			}
		})
	})
}

// Whatever stands in the data can be printed and read back, in any order.
func TestPrintedCriteriaAreReadBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var forms []eco.FormCode
		for _, f := range eco.DefaultForms().All() {
			if len(f.Criteria) > 0 {
				forms = append(forms, f.Code)
			}
		}
		f, _ := eco.DefaultForms().ByCode(rapid.SampledFrom(forms).Draw(t, "form"))
		var stated []eco.Criterion
		for _, rule := range f.Criteria {
			if !rapid.Bool().Draw(t, "stated") {
				continue
			}
			c := eco.Criterion{Code: rule.Code}
			if rule.TakesPercent() {
				c.Percent = eco.Decimal(fmt.Sprint(rapid.IntRange(1, 100).Draw(t, "percent")))
			}
			stated = append(stated, c)
		}
		if len(stated) == 0 {
			return
		}
		printed := eco.CriteriaText(rapid.Permutation(stated).Draw(t, "order"))
		got, err := f.ParseCriteria(printed)
		if err != nil || !slices.Equal(got, stated) {
			t.Fatalf("%s: %q is read as %v (%v), want %v", f.Code, printed, got, err, stated)
		}
	})
}

func FuzzParseCriteria(f *testing.F) {
	for _, name := range ecotest.Names(f) {
		c := ecotest.Load(f, name)
		for _, item := range c.Items {
			f.Add(string(c.Form), item.CriterionText)
		}
	}
	refusedCriteria(f, func(_, code, text, _ string) { f.Add(code, text) })
	for _, text := range []string{"CTSH+35%", "40%", "RVC 40.6% and CTH", "2.6.6A", "%", "..", "RVC .5", "\xff", "WO\u2013AK"} {
		f.Add("AKFTA-AK", text)
	}
	f.Fuzz(func(t *testing.T, code, text string) {
		form, ok := eco.DefaultForms().ByCode(eco.FormCode(code))
		if !ok {
			form, _ = eco.DefaultForms().ByCode("ATIGA-D")
		}
		criteria, err := form.ParseCriteria(text)
		if err != nil {
			return
		}
		again, err := form.ParseCriteria(eco.CriteriaText(criteria))
		if err != nil || !slices.Equal(criteria, again) {
			t.Errorf("%q is %v, which prints as %q, which is %v (%v)", text, criteria, eco.CriteriaText(criteria), again, err)
		}
		for _, c := range criteria {
			if _, ok := form.Criterion(c.Code); !ok {
				t.Errorf("%q: %s is not of %s", text, c.Code, form.Code)
			}
		}
	})
}
