package cusdec_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ecogate/ecogate/clearance/cusdec"
)

var update = flag.Bool("update", false, "write what the samples of testdata/declarations are read as, and the table of docs/cusdec.md, anew")

// read reads an interchange that has to be whole.
func read(t testing.TB, data []byte, limits cusdec.Limits) (cusdec.Interchange, []*cusdec.Message) {
	t.Helper()
	interchange, messages, err := cusdec.Read(bytes.NewReader(data), limits)
	if err != nil {
		t.Fatal(err)
	}
	return interchange, messages
}

func samples(t testing.TB) []string {
	t.Helper()
	files, err := filepath.Glob("../../testdata/declarations/*.edi")
	if err != nil || len(files) == 0 {
		t.Fatalf("no samples: %v", err)
	}
	return files
}

// faultless fails the test if anything is wrong with an interchange.
func faultless(t testing.TB, interchange cusdec.Interchange, messages []*cusdec.Message) {
	t.Helper()
	for _, f := range interchange.Faults {
		t.Errorf("fault: %v", f)
	}
	for _, m := range messages {
		for _, f := range m.Faults {
			t.Errorf("fault: %v", f)
		}
	}
}

// A sample FILE.edi is read as FILE.edi.json.
func TestSamplesAreReadAsTheirJSON(t *testing.T) {
	for _, file := range samples(t) {
		t.Run(filepath.Base(file), func(t *testing.T) {
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			interchange, messages := read(t, data, cusdec.Limits{})
			faultless(t, interchange, messages)
			found, err := json.MarshalIndent(struct {
				Interchange cusdec.Interchange `json:"interchange"`
				Messages    []*cusdec.Message  `json:"messages"`
			}{interchange, messages}, "", " ")
			if err != nil {
				t.Fatal(err)
			}
			found = append(found, '\n')
			golden := file + ".json"
			if *update {
				if err := os.WriteFile(golden, found, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), string(found)); diff != "" {
				t.Errorf("%s: -want +found; run with -update if it should be so:\n%s", golden, diff)
			}
		})
	}
}
