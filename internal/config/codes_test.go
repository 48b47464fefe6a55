package config_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/ecogate/ecogate/eco"
	"github.com/ecogate/ecogate/eco/ecotest"
	"github.com/ecogate/ecogate/internal/config"
)

// withCodes writes a configuration beside a folder "lists" with one table of units.
func withCodes(t *testing.T, units, more string) (file string) {
	t.Helper()
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "lists"), 0o755); err != nil {
		t.Fatal(err)
	}
	file = filepath.Join(dir, "node.yaml")
	for name, content := range map[string]string{file: small + more, filepath.Join(dir, "lists", "units.txt"): units} {
		if err := os.WriteFile(name, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return file
}

// The registry hands the forms, and the codes with them, to all who check certificates.
func TestCodesOfTheFolderAreKnown(t *testing.T) {
	c := ecotest.Load(t, "atiga-form-d")
	c.Items[0].GrossWeight.Unit = "KGX"
	for more, want := range map[string]int{"": 1, "code_lists_dir: lists\n": 0} {
		cfg, err := config.Load(withCodes(t, "KGX\tkilogram of ours\n", more), nil)
		if err != nil {
			t.Fatal(err)
		}
		for _, forms := range []eco.Forms{cfg.Forms(), cfg.Registry().Forms} {
			if got := eco.Validate(c, forms, eco.Quirks{}, ecotest.Now()); len(got) != want {
				t.Errorf("%q: %+v, want %d", more, got, want)
			}
		}
	}
}

func TestFaultsOfTheFolderOfCodesAreTold(t *testing.T) {
	file := withCodes(t, "# ours\nkgx\tkilogram\n", "code_lists_dir: lists\n")
	_, err := config.Load(file, nil)
	wantProblem(t, err, filepath.Join(filepath.Dir(file), "lists", "units.txt")+`:2: "kgx" has not the shape of a code of units`)
	file = withCodes(t, "", "code_lists_dir: nothing\n")
	_, err = config.Load(file, nil)
	wantProblem(t, err, file+":6: code_lists_dir: ")
}
