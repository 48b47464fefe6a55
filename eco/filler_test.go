package eco_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/ecogate/ecogate/eco"
	"github.com/ecogate/ecogate/eco/ecotest"
)

func TestFillerIsTakenOutOfTheData(t *testing.T) {
	tests := []struct{ name, text, want string }{
		{"at the end", "GREEN COFFEE ****", "GREEN COFFEE"},
		{"with the line behind it", "GREEN COFFEE ****------------", "GREEN COFFEE"},
		{"underscores and blanks", "GREEN COFFEE **** __ __ ", "GREEN COFFEE"},
		{"on each row", "GREEN COFFEE ****\nGRADE A *****", "GREEN COFFEE\nGRADE A"},
		{"a row of nothing else", "GREEN COFFEE\n****\nGRADE A", "GREEN COFFEE\nGRADE A"},
		{"several runs", "GREEN COFFEE **** ****", "GREEN COFFEE"},
		{"carriage returns", "GREEN COFFEE ****\r\nGRADE A", "GREEN COFFEE\nGRADE A"},
		{"nothing else", "****", ""},
		{"three", "GREEN COFFEE ***", "GREEN COFFEE ***"},
		{"in the middle", "GREEN **** COFFEE", "GREEN **** COFFEE"},
		{"a line without asterisks", "GREEN COFFEE ----", "GREEN COFFEE ----"},
		{"none", "GREEN COFFEE", "GREEN COFFEE"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := ecotest.Load(t, "atiga-form-d")
			c.Items[1].Description = tt.text
			cleaned, findings := eco.Clean(c)
			if got := cleaned.Items[1].Description; got != tt.want {
				t.Errorf("%q becomes %q, want %q", tt.text, got, tt.want)
			}
			if c.Items[1].Description != tt.text {
				t.Error("the certificate itself was changed")
			}
			if told := len(findings) == 1 && findings[0].Path == "items[1].description" && findings[0].Severity == eco.SeverityWarning; told != (tt.text != tt.want) {
				t.Errorf("findings %+v", findings)
			}
		})
	}
}

func TestFillerStaysWhereItIsNoPaper(t *testing.T) {
	c := ecotest.Load(t, "atiga-form-d")
	c.Reference, c.Exporter.Address.Lines = "LA****", []string{"KM 9 ****", "****", "LAO PDR"}
	cleaned, findings := eco.Clean(c)
	if cleaned.Reference != "LA****" {
		t.Errorf("the reference became %q", cleaned.Reference)
	}
	if diff := cmp.Diff([]string{"KM 9", "LAO PDR"}, cleaned.Exporter.Address.Lines); diff != "" || len(findings) != 2 {
		t.Error(diff, findings)
	}
}

// What holds no filler is not changed at all, and cleaning twice does nothing more.
func TestCleaningChangesNothingElse(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := drawCertificate(t)
		cleaned, findings := eco.Clean(c)
		if diff := cmp.Diff(c, cleaned); diff != "" || findings != nil {
			t.Fatal(diff, findings)
		}
		c.Items[0].Description += rapid.StringMatching(`[ *\n_-]{0,20}`).Draw(t, "tail")
		once, _ := eco.Clean(c)
		twice, findings := eco.Clean(once)
		if diff := cmp.Diff(once, twice); diff != "" || findings != nil {
			t.Fatal(diff, findings)
		}
	})
}

func FuzzClean(f *testing.F) {
	f.Add("GREEN COFFEE ****----\n****\nGRADE A ** ****")
	f.Fuzz(func(t *testing.T, text string) {
		once, _ := eco.Clean(eco.Certificate{Remarks: text})
		twice, _ := eco.Clean(once)
		if once.Remarks != twice.Remarks || len(once.Remarks) > len(text) {
			a, _ := json.Marshal(once.Remarks)
			b, _ := json.Marshal(twice.Remarks)
			t.Errorf("%q becomes %s and then %s", text, a, b)
		}
		for row := range strings.SplitSeq(once.Remarks, "\n") {
			if strings.HasSuffix(row, "****") {
				t.Errorf("%q leaves %q", text, row)
			}
		}
	})
}
