package eco_test

import (
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/ecogate/ecogate/eco"
	"github.com/ecogate/ecogate/eco/ecotest"
)

// numbered is a form with the given references.
func numbered(t testing.TB, references string) eco.Form {
	t.Helper()
	forms, err := eco.DefaultForms().With(fstest.MapFS{"x.yaml": {Data: []byte(leanForm + "references:\n" + references)}}, "f")
	if err != nil {
		t.Fatal(err)
	}
	form, _ := forms.ByCode("XX-1")
	return form
}

func TestReferencesHaveTheShapesOfTheirIssuers(t *testing.T) {
	tests := []struct {
		form                     eco.FormCode
		country, body, reference string
		want                     eco.ReferenceParts
	}{
		{"LA-GSP-A", "LA", "MOIC", "26010042", eco.ReferenceParts{Year: "26", Office: "01", Serial: "0042"}},
		{"ATIGA-D", "LA", "MOIC", "LA-26010042", eco.ReferenceParts{Year: "26", Office: "01", Serial: "0042"}},
		{"ATIGA-D", "LA", "MOIC", "LAO 26010042", eco.ReferenceParts{Year: "26", Office: "01", Serial: "0042"}},
		{"AKFTA-AK", "VN", "MOIT", "VN-KR 25/02/01234", eco.ReferenceParts{Year: "25", Office: "02", Serial: "01234", Importing: "KR"}},
		{"AKFTA-AK", "KR", "KCS", "K003-26-0012345", eco.ReferenceParts{Year: "26", Office: "003", Serial: "0012345"}},
		{"AKFTA-AK", "KR", "KCCI", "003-26-0012345", eco.ReferenceParts{Year: "26", Office: "003", Serial: "0012345"}},
		{"ATIGA-D", "TH", "DFT", "D2026-0012345", eco.ReferenceParts{Year: "2026", Serial: "0012345"}},
		{"ATIGA-D", "ID", "IPSKA", "0012345/JKT/2026", eco.ReferenceParts{Year: "2026", Office: "JKT", Serial: "0012345"}},
		{"ACFTA-E", "CN", "GACC", "E263100012345678", eco.ReferenceParts{Year: "26"}},
		{"LA-GSP-A", "LA", "MOIC", "2601004", eco.ReferenceParts{}},
		{"LA-GSP-A", "LA", "MOIC", "LA26010042", eco.ReferenceParts{}},
		{"LA-GSP-A", "LA", "MOIC", "26-01-0042", eco.ReferenceParts{}},
		{"AKFTA-AK", "KR", "KCCI", "K003-26-0012345", eco.ReferenceParts{}},
	}
	for _, tt := range tests {
		var got eco.ReferenceParts
		for _, rule := range form(t, tt.form).ReferencesOf(tt.country, tt.body, eco.Date{Year: 2026, Month: 11, Day: 22}) {
			if parts, ok := rule.Match(tt.reference); ok {
				got = parts
			}
		}
		if got != tt.want {
			t.Errorf("%s %s: %s is %+v, want %+v", tt.form, tt.country, tt.reference, got, tt.want)
		}
	}
}

func TestReferenceShapesCountForTheirDaysAndBodies(t *testing.T) {
	f := numbered(t, `  - {country: VN, layout: OLD, pattern: 'O', until: 2025-06-30}
  - {country: VN, layout: NEW, pattern: 'N', from: 2025-07-01}
  - {country: KR, layout: ANY, pattern: 'A'}
  - {country: KR, body: KCCI, layout: OWN, pattern: 'W'}
`)
	day := func(month time.Month, day int) eco.Date { return eco.Date{Year: 2025, Month: month, Day: day} }
	tests := []struct {
		name, country, body string
		day                 eco.Date
		want                []string
	}{
		{"last day of the old shape", "VN", "", day(6, 30), []string{"OLD"}},
		{"first day of the new one", "VN", "", day(7, 1), []string{"NEW"}},
		{"no day", "VN", "", eco.Date{}, []string{"OLD", "NEW"}},
		{"a body with a shape of its own", "KR", "KCCI", day(7, 1), []string{"OWN"}},
		{"another body", "KR", "KCS", day(7, 1), []string{"ANY"}},
		{"a country without", "LA", "", day(7, 1), nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var got []string
			for _, rule := range f.ReferencesOf(tt.country, tt.body, tt.day) {
				got = append(got, rule.Layout)
			}
			if !slices.Equal(got, tt.want) {
				t.Errorf("on %s: %q, want %q", tt.day, got, tt.want)
			}
		})
	}
}

func TestLookAlikesAreSuggestedOnly(t *testing.T) {
	lao := form(t, "LA-GSP-A").References[0]
	tests := []struct{ name, reference, want string }{
		{"letter O", "26O10042", "26010042"},
		{"several", "26OlOO42", "26010042"},
		{"right as it is", "26010042", ""},
		{"another shape altogether", "26O1004", ""},
		{"no look-alikes", "ABC", ""},
		{"too many to try", strings.Repeat("O", 40), ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got, ok := lao.Suggest(tt.reference); got != tt.want || ok != (tt.want != "") {
				t.Errorf("%s: suggests %q, %t; want %q", tt.reference, got, ok, tt.want)
			}
		})
	}
	either := numbered(t, "  - {country: LA, layout: N, pattern: '(O0|0O)X'}\n").References[0]
	if got, ok := either.Suggest("OOX"); ok {
		t.Errorf("of two readings %q is suggested", got)
	}
	c := ecotest.Load(t, "lao-gsp-a")
	c.Reference = "26O10042"
	if eco.NormaliseReference(c.Reference) != "26O10042" {
		t.Error("look-up folds look-alikes")
	}
	for _, f := range eco.Validate(c, eco.DefaultForms(), eco.Quirks{}, ecotest.Now()) {
		if f.Path == "reference" && !strings.Contains(f.Fix, "26010042") {
			t.Errorf("remedy %q does not suggest 26010042", f.Fix)
		}
	}
}

func TestNumbersThatRunOutAreTold(t *testing.T) {
	lao := form(t, "LA-GSP-A").References[0]
	for serial, want := range map[string]bool{"0000": false, "8999": false, "9000": true, "9999": true, "": false, "junk": false} {
		if got := lao.NearlyFull(serial); got != want {
			t.Errorf("serial %q: %t, want %t", serial, got, want)
		}
	}
	if (eco.ReferenceRule{}).NearlyFull("9999") {
		t.Error("a shape without a last number is nearly full")
	}
}

func FuzzReference(f *testing.F) {
	for _, name := range ecotest.Names(f) {
		c := ecotest.Load(f, name)
		f.Add(string(c.Form), c.IssuingCountry, c.IssuingBody.ID, c.Reference)
	}
	f.Add("LA-GSP-A", "LA", "MOIC", "26OlO042")
	f.Add("ATIGA-D", "VN", "MOIT", "\xff-O0I1l")
	f.Fuzz(func(t *testing.T, code, country, body, reference string) {
		form, _ := eco.DefaultForms().ByCode(eco.FormCode(code))
		for _, rule := range form.ReferencesOf(country, body, eco.Date{}) {
			if parts, ok := rule.Match(reference); ok && !strings.Contains(reference, parts.Serial) {
				t.Errorf("%q: serial %q", reference, parts.Serial)
			}
			if other, ok := rule.Suggest(reference); ok {
				if _, fits := rule.Match(other); !fits || other == reference {
					t.Errorf("%q: suggests %q", reference, other)
				}
			}
		}
	})
}
