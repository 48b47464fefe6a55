package paper_test

import (
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/ecogate/ecogate/eco"
	"github.com/ecogate/ecogate/paper"
)

func TestSealsAreReadAsWritten(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := paper.Seal{
			Country: rapid.String().Draw(t, "country"), Form: eco.FormCode(rapid.String().Draw(t, "form")),
			Reference: rapid.StringN(1, 40, -1).Draw(t, "reference"), Digest: rapid.String().Draw(t, "digest"), Verify: rapid.String().Draw(t, "verify"),
			Issued: eco.Date{Year: rapid.IntRange(1, 9999).Draw(t, "year"), Month: 2, Day: 3},
		}
		for _, end := range []string{"", "\n", "\nlater more"} {
			if got, err := paper.ParseSeal(s.String() + end); err != nil || got != s {
				t.Errorf("%q reads as %+v, %v; want %+v", s.String()+end, got, err, s)
			}
		}
	})
}

func TestParseSealRefusesOtherTexts(t *testing.T) {
	tests := []struct{ name, text, want string }{
		{"nothing", "", "first line"},
		{"other text", "https://example.com/", "first line"},
		{"later version", "ecogate:2\nreference A", "first line"},
		{"no reference", "ecogate:1\ncountry LA", `a line "reference"`},
		{"twice", "ecogate:1\nreference A\nreference B", "twice"},
		{"broken escape", "ecogate:1\nreference A%2", "invalid URL escape"},
		{"no such day", "ecogate:1\nreference A\nissued 2026-02-30", "2026-02-30"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if s, err := paper.ParseSeal(test.text); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("%+v, error %v; want %q", s, err, test.want)
			}
		})
	}
}

// FuzzParseSeal reads arbitrary texts; what is read reads the same when it is written again.
func FuzzParseSeal(f *testing.F) {
	f.Add("ecogate:1\ncountry LA\nform ATIGA-D\nreference LA26010137\nissued 2026-11-16\nsha256 " + digest + "\nverify https://x.example/?a=%25")
	f.Add("ecogate:1\nreference A%0AB\nlater x")
	f.Fuzz(func(t *testing.T, text string) {
		s, err := paper.ParseSeal(text)
		if err != nil {
			return
		}
		if again, err := paper.ParseSeal(s.String()); err != nil || again != s {
			t.Errorf("%+v reads again as %+v, %v", s, again, err)
		}
	})
}
