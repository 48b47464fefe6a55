package clearance_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ecogate/ecogate/clearance"
	"github.com/ecogate/ecogate/eco"
	"github.com/ecogate/ecogate/eco/ecotest"
)

// A file of testdata/hostile/declarations says in its first line what is said about the declaration in the rest.
func TestHostileDeclarationsAreRefused(t *testing.T) {
	for _, file := range ecotest.Files(t, "hostile/declarations/*.txt") {
		t.Run(filepath.Base(file), func(t *testing.T) {
			text, want := ecotest.Expecting(t, file)
			_, body, _ := strings.Cut(text, "\n")
			var said []string
			d, err := clearance.DecodeDeclaration([]byte(body))
			if err != nil {
				said = append(said, err.Error())
			} else {
				for _, f := range d.Validate() {
					said = append(said, f.Path+": "+f.Text)
				}
			}
			if all := strings.Join(said, "\n"); !strings.Contains(all, want) {
				t.Errorf("got %q, want %q", all, want)
			}
			for _, s := range said {
				if len(s) > 1000 || strings.ContainsAny(s, "\x1b\x00") {
					t.Errorf("says too much: %q", s)
				}
			}
		})
	}
}

// FuzzDeclaration: what is read says the same when it is written and read again, and no check of it fails but with findings.
func FuzzDeclaration(f *testing.F) {
	for _, file := range ecotest.Files(f, "hostile/declarations/*.txt") {
		data, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		_, body, _ := strings.Cut(string(data), "\n")
		if len(body) < 10_000 {
			f.Add([]byte(body))
		}
	}
	c := certificate(f, "D1")
	seed, err := json.Marshal(declaration(c, "CX/26/1"))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(seed)
	found := imported(f, c)
	f.Fuzz(func(t *testing.T, data []byte) {
		d, err := clearance.DecodeDeclaration(data)
		if err != nil {
			return
		}
		written, err := json.Marshal(d)
		if err != nil {
			t.Fatal(err)
		}
		again, err := clearance.DecodeDeclaration(written)
		if err != nil {
			t.Fatalf("%s: %v", written, err)
		}
		if second, err := json.Marshal(again); err != nil || string(second) != string(written) {
			t.Errorf("%s\n%s, %v", written, second, err)
		}
		e := evidence()
		for _, line := range d.Lines { // whatever is cited is there
			for _, citation := range line.Citations {
				e.Cited[eco.NormaliseReference(citation.Reference)] = []clearance.Imported{found}
			}
		}
		a := clearance.Check(d, e)
		for _, claim := range a.Claims {
			if !a.Refused() && claim.Taken != nil && claim.Taken.Value.Sign() <= 0 {
				t.Errorf("%+v", claim)
			}
		}
	})
}
