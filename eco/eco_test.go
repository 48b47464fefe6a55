package eco_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/ecogate/ecogate/eco"
	"github.com/ecogate/ecogate/eco/ecotest"
)

func Example() {
	c, err := eco.Decode([]byte(`{
		"form": "LA-GSP-A", "reference": "260142", "issuing_country": "LA", "issuing_body": {"id": "MOIC", "name": "MOIC"},
		"issue_date": "2026-10-29", "exporter": {"name": "BOLAVEN COFFEE", "address": {"city": "PAKSONG"}},
		"consignee": {"name": "YUSHAN COFFEE"}, "exporting_country": "LA", "importing_country": "TW", "transport": {},
		"items": [{"number": 1, "packages": 320, "description": "COFFEE", "criteria": [{"code": "P"}], "gross_weight": {"value": 19360, "unit": "KGM"}}],
		"flags": {"ISSUED_RETROACTIVELY": false}, "declaration": {"name": "BOUNMY"}, "certification": {"officer": "KHAMLA"}
	}`))
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, f := range eco.Validate(c, eco.DefaultForms(), eco.Quirks{}, time.Date(2026, time.November, 22, 0, 0, 0, 0, time.UTC)) {
		fmt.Printf("%s %s at %s: %s\n", f.Severity, f.Code, f.Path, f.Text)
	}
	// Output:
	// error D01 at reference: LA-GSP-A references from LA are written YYOOSSSS, found "260142"
}

func TestDateReadsCalendarDaysOnly(t *testing.T) {
	tests := []struct {
		name, text, want string
	}{
		{"day", "2026-11-22", "2026-11-22"},
		{"leap day", "2028-02-29", "2028-02-29"},
		{"no leap day", "2026-02-29", ""},
		{"other order", "22-11-2026", ""},
		{"one digit", "2026-1-2", ""},
		{"with time", "2026-11-22T00:00:00Z", ""},
		{"year zero", "0000-01-01", ""},
		{"nothing", "", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d, err := eco.ParseDate(tt.text)
			if d.String() != tt.want || (err == nil) != (tt.want != "") {
				t.Errorf("ParseDate(%q) = %q, %v; want %q", tt.text, d, err, tt.want)
			}
		})
	}
}

func TestDateAddsMonthsWithinTheMonth(t *testing.T) {
	tests := []struct {
		name   string
		from   eco.Date
		months int
		want   string
	}{
		{"a year", eco.Date{Year: 2026, Month: 11, Day: 16}, 12, "2027-11-16"},
		{"into a short month", eco.Date{Year: 2026, Month: 1, Day: 31}, 1, "2026-02-28"},
		{"leap day", eco.Date{Year: 2028, Month: 2, Day: 29}, 12, "2029-02-28"},
		{"back over the year", eco.Date{Year: 2026, Month: 1, Day: 15}, -2, "2025-11-15"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := tt.from.AddMonths(tt.months).String(); got != tt.want {
				t.Errorf("%s and %d months = %s, want %s", tt.from, tt.months, got, tt.want)
			}
		})
	}
}

func TestDecimalKeepsItsSpelling(t *testing.T) {
	for _, text := range []string{`1201.50`, `"1201.50"`, `"+0.10"`, `".5"`, `"7."`, `""`} {
		var d eco.Decimal
		if err := json.Unmarshal([]byte(text), &d); err != nil {
			t.Errorf("%s: %v", text, err)
		}
		if want := strings.Trim(text, `"`); string(d) != want {
			t.Errorf("%s read as %q", text, d)
		}
	}
	for _, text := range []string{`1e3`, `"1,201.50"`, `"1 000"`, `"0x1F"`, `"-"`, `"."`, `"NaN"`, `true`, `"` + strings.Repeat("9", 41) + `"`} {
		var d eco.Decimal
		if err := json.Unmarshal([]byte(text), &d); err == nil {
			t.Errorf("%s read as %q, want an error", text, d)
		}
	}
}

func TestDecimalComparesNumbers(t *testing.T) {
	tests := []struct {
		a, b eco.Decimal
		want int
	}{{"1.50", "1.5", 0}, {"9", "10", -1}, {"-1", "-2", 1}, {"0.1", "0.10000000000000000000001", -1}, {"junk", "0", 0}, {"", "1", -1}}
	for _, tt := range tests {
		if got := tt.a.Cmp(tt.b); got != tt.want {
			t.Errorf("%q against %q = %d, want %d", tt.a, tt.b, got, tt.want)
		}
	}
}

func TestCertificateJSONRoundTrips(t *testing.T) {
	for _, name := range ecotest.Names(t) {
		t.Run(name, func(t *testing.T) {
			c := ecotest.Load(t, name)
			data, err := json.Marshal(c)
			if err != nil {
				t.Fatal(err)
			}
			back, err := eco.Decode(data)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c, back); diff != "" {
				t.Error(diff)
			}
		})
	}
	rapid.Check(t, func(t *rapid.T) {
		c := drawCertificate(t)
		data, err := json.Marshal(c)
		if err != nil {
			t.Fatal(err)
		}
		back, err := eco.Decode(data)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(c, back); diff != "" {
			t.Fatal(diff)
		}
	})
}

func drawCertificate(t *rapid.T) eco.Certificate {
	form := rapid.SampledFrom(eco.DefaultForms().All()).Draw(t, "form")
	return ecotest.Certificate(form.Code).Draw(t, "certificate")
}

func TestNormaliseReference(t *testing.T) {
	tests := []struct {
		name, printed, want string
	}{
		{"Lao", "26010042", "26010042"},
		{"spaces around", "  26010042\n", "26010042"},
		{"prefix apart", "la-2601 0042", "LA26010042"},
		{"slashes", "VN-KR 25/02/01234", "VNKR250201234"},
		{"full width", "ＶＮ－ＫＲ　２５／０２／０１２３４", "VNKR250201234"},
		{"dashes of every kind", "K001‐26‑00‒12–34—56−78", "K00126001234" + "5678"},
		{"no-break and thin spaces", "K001\u00a026\u20090012", "K001260012"},
		{"invisible characters", "K001\u200b-26\u00ad0012\ufeff", "K001260012"},
		{"look-alikes stay apart", "O0I1l", "O0I1L"},
		{"other signs stay", "EC.06.0001_(A)", "EC.06.0001_(A)"},
		{"nothing but separators", " - / ", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := eco.NormaliseReference(tt.printed); got != tt.want {
				t.Errorf("NormaliseReference(%q) = %q, want %q", tt.printed, got, tt.want)
			}
		})
	}
}

func TestNormaliseReferenceIgnoresSpelling(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		parts := rapid.SliceOfN(rapid.StringMatching(`[A-Z0-9]{1,4}`), 1, 5).Draw(t, "parts")
		separator := rapid.SampledFrom([]string{"", "-", " ", "/", "–", "　", " - "}).Draw(t, "separator")
		if got := eco.NormaliseReference(strings.ToLower(strings.Join(parts, separator))); got != strings.Join(parts, "") {
			t.Fatalf("got %q for %q with %q", got, parts, separator)
		}
	})
}

func FuzzNormaliseReference(f *testing.F) {
	for _, seed := range []string{"26010042", "VN-KR 25/02/01234", "ＡＢ－１", "ß\u0345ǆ", "e-\u0301", "\xff", "ﬀ"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, printed string) {
		once := eco.NormaliseReference(printed)
		if twice := eco.NormaliseReference(once); twice != once {
			t.Errorf("%q becomes %q and then %q", printed, once, twice)
		}
		if strings.ContainsAny(once, " -/\n") {
			t.Errorf("%q becomes %q, which holds separators", printed, once)
		}
	})
}

func TestRetroactiveDaysAreCountedInTheirUnit(t *testing.T) {
	friday := eco.Date{Year: 2026, Month: 11, Day: 13}
	tests := []struct {
		name string
		rule eco.RetroactiveRule
		want string
	}{
		{"calendar days", eco.RetroactiveRule{Days: 3, Unit: eco.CalendarDays, Base: eco.FromDeparture}, "2026-11-16"},
		{"working days", eco.RetroactiveRule{Days: 3, Unit: eco.WorkingDays, Base: eco.FromDeparture}, "2026-11-18"},
		{"none", eco.RetroactiveRule{Base: eco.FromDeparture}, "2026-11-13"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := tt.rule.LastDay(friday).String(); got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
	}
}

func TestCountriesAreThoseOfISO3166(t *testing.T) {
	assigned := 0
	for first := 'A'; first <= 'Z'; first++ {
		for second := 'A'; second <= 'Z'; second++ {
			if eco.IsCountry(string([]rune{first, second})) {
				assigned++
			}
		}
	}
	if assigned != 249 {
		t.Errorf("%d codes, want 249", assigned)
	}
	for _, code := range []string{"", "K", "kr", "KOR", "XK", "EU", "UK", " A", "A "} {
		if eco.IsCountry(code) {
			t.Errorf("%q passes for a country", code)
		}
	}
}
