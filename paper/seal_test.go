package paper_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/ecogate/ecogate/eco"
	"github.com/ecogate/ecogate/eco/ecotest"
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

// TestParseSealRefusesHostileTexts reads the files of testdata/hostile/paper: a header "expect: TEXT OF THE CAUSE", an empty line, the
// text of a code. Adding a file adds a test.
func TestParseSealRefusesHostileTexts(t *testing.T) {
	for _, file := range ecotest.Files(t, "hostile/paper/*.txt") {
		t.Run(filepath.Base(file), func(t *testing.T) {
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			header, text, _ := strings.Cut(string(data), "\n\n")
			want := strings.TrimPrefix(header, "expect: ")
			if s, err := paper.ParseSeal(text); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%+v, error %v; want %q", s, err, want)
			}
		})
	}
}

// FuzzParseSeal reads arbitrary texts; what is read reads the same when it is written again.
func FuzzParseSeal(f *testing.F) {
	f.Add("ecogate:1\ncountry LA\nform ATIGA-D\nreference LA26010137\nissued 2026-11-16\nsha256 " + digest + "\nverify https://x.example/?a=%25")
	f.Add("ecogate:1\nreference A%0AB\nlater x")
	for _, file := range ecotest.Files(f, "hostile/paper/*.txt") {
		data, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		_, text, _ := strings.Cut(string(data), "\n\n")
		f.Add(text)
	}
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
