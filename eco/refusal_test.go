package eco_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ecogate/ecogate/eco"
	"github.com/ecogate/ecogate/eco/ecotest"
)

func TestRefusalSurvivesItsLine(t *testing.T) {
	for _, test := range []struct {
		name    string
		refusal eco.Refusal
		line    string
	}{
		{"a denial", eco.RefusalFor("KCCI", []eco.Reason{{Code: eco.ReasonExpired, Text: "presented\n too late"}}), "body=KCCI code=C05 text=presented too late"},
		{"two reasons, one without words", eco.RefusalFor("KCCI", []eco.Reason{{Code: eco.ReasonOther, Text: "see letter"}, {Code: eco.ReasonExhausted}}),
			"body=KCCI code=C12 text=see letter; C06 the certificate is used up"},
		{"no reason", eco.RefusalFor("KCCI", nil), "body=KCCI code=C12 text="},
		{"words that look like members", eco.RefusalFor("A B", []eco.Reason{{Code: "X code=1", Text: "body=B code=C01 text=no"}}),
			"body=A%20B code=X%20code=1 text=body=B code=C01 text=no"},
	} {
		t.Run(test.name, func(t *testing.T) {
			if line := test.refusal.String(); line != test.line {
				t.Fatalf("line %q, want %q", line, test.line)
			}
			back, ok := eco.ParseRefusal(test.line)
			if !ok || back.String() != test.line || back.Body != test.refusal.Body || back.Code != test.refusal.Code {
				t.Errorf("read %+v, %v", back, ok)
			}
		})
	}
}

func FuzzParseRefusal(f *testing.F) {
	for _, line := range []string{"body=KCCI code=C05 text=late", "body= code= text=", "body=%20 code=%zz text=", "message m1", ""} {
		f.Add(line)
	}
	f.Fuzz(func(t *testing.T, line string) {
		if r, ok := eco.ParseRefusal(line); ok && r.String() != line {
			t.Errorf("%q is read as %+v, which is %q", line, r, r.String())
		}
	})
}

func TestLinesThatAreNoRefusals(t *testing.T) {
	for _, file := range ecotest.Files(t, "hostile/refusals/*.txt") {
		t.Run(filepath.Base(file), func(t *testing.T) {
			line, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if r, ok := eco.ParseRefusal(strings.TrimSuffix(string(line), "\n")); ok {
				t.Errorf("read as %+v", r)
			}
		})
	}
}
