package config_test

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/ecogate/ecogate/internal/config"
)

// save writes a file of a node under dir and gives its name.
func save(t *testing.T, dir, name, content string, mode os.FileMode) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, mode); err != nil { // whatever the umask
		t.Fatal(err)
	}
	return path
}

func TestProblemsOfAPIKeysHaveTheirLine(t *testing.T) {
	dir := t.TempDir()
	good := save(t, dir, "good.key", "0123456789abcdef\n", 0o600)
	same := save(t, dir, "same.key", " 0123456789abcdef", 0o600)
	short := save(t, dir, "short.key", "x\n", 0o600)
	missing := filepath.Join(dir, "missing.key")
	c := load(t, `api_keys:
  - {name: a, role: issuer, key_file: `+good+`}
  - {name: b, role: issuer, key_file: `+missing+`}
  - {name: c, role: issuer, key_file: `+same+`}
  - {name: d, role: issuer, key_file: `+short+`}
`)
	_, err := c.APIKeyDigests(func(secret []byte) error {
		if len(secret) < 16 {
			return errors.New("too short")
		}
		return nil
	})
	wantProblem(t, err, "node.yaml:8: api_keys[1].key_file: open "+missing)
	wantProblem(t, err, "node.yaml:9: api_keys[2].key_file: is another entry's key too")
	wantProblem(t, err, "node.yaml:10: api_keys[3].key_file: "+short+": too short")
	var wrong *config.Error
	if errors.As(err, &wrong) && len(wrong.Problems) != 3 {
		t.Errorf("more than three problems: %v", err)
	}
	if got := c.MissingFiles(); !slices.Equal(got, []string{missing}) {
		t.Errorf("missing files %q", got)
	}
}

func TestKeyFilesThatOthersCanReadAreWarnedOf(t *testing.T) {
	dir := t.TempDir()
	var lines []string
	for _, mode := range []os.FileMode{0o600, 0o400, 0o640, 0o604, 0o644} {
		name := "key" + string('0'+rune(len(lines)))
		lines = append(lines, "  - {name: "+name+", role: issuer, key_file: "+save(t, dir, name, name, mode)+"}\n")
	}
	c := load(t, "api_keys:\n"+strings.Join(lines, "")+
		"listeners: {api: {certificate_file: "+save(t, dir, "cert", "", 0o644)+", key_file: "+save(t, dir, "private", "", 0o644)+"}}\n")
	want := []string{
		"node.yaml:12: listeners.api.key_file: " + dir + "/private: mode 0644: others can read it; chmod 600",
		"node.yaml:9: api_keys[2].key_file: " + dir + "/key2: mode 0640: others can read it; chmod 600",
		"node.yaml:10: api_keys[3].key_file: " + dir + "/key3: mode 0604: others can read it; chmod 600",
		"node.yaml:11: api_keys[4].key_file: " + dir + "/key4: mode 0644: others can read it; chmod 600",
	}
	var got []string
	for _, w := range c.Warnings() {
		got = append(got, w.Error())
	}
	if !slices.Equal(got, want) {
		t.Errorf("warnings\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestStoreThatCannotBeMadeIsRefused(t *testing.T) {
	dir := t.TempDir()
	file := save(t, dir, "file", "", 0o600)
	for _, test := range []struct {
		name, dir string
		good      bool
	}{
		{"there", dir, true},
		{"to be made", filepath.Join(dir, "a/b/c"), true},
		{"a file", file, false},
		{"under a file", filepath.Join(file, "a"), false},
		{"where nobody can write", "/proc/ecogate", false},
	} {
		t.Run(test.name, func(t *testing.T) {
			err := load(t, "", "ECOGATE_STORE_DIR="+test.dir).CheckFolders()
			if test.good && err != nil {
				t.Errorf("refused: %v", err)
			}
			if !test.good {
				wantProblem(t, err, "environment ECOGATE_STORE_DIR: store.dir: ")
			}
			// The folder within it is not complained about once more.
			if err != nil && strings.Contains(err.Error(), "spill") {
				t.Errorf("told twice: %v", err)
			}
		})
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 1 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

func TestJoinTellsEveryProblemOnce(t *testing.T) {
	c := load(t, "log: {level: info}\n")
	level := c.Problem("log.level", "is loud")
	err := c.Join(nil, &config.Error{Problems: []config.Problem{level}}, level, errors.New("other"), c.Join(nil))
	if want := "node.yaml:6: log.level: is loud\nnode.yaml: other"; err == nil || err.Error() != want {
		t.Errorf("error %q, want %q", err, want)
	}
	if err := c.Join(nil, nil); err != nil {
		t.Errorf("nothing is wrong: %v", err)
	}
}

func TestSpillFolderThatCannotBeMadeIsRefused(t *testing.T) {
	dir := t.TempDir()
	file := save(t, dir, "spill", "", 0o600) // where the default would lie
	for _, test := range []struct {
		name, dir string
		good      bool
	}{
		{"to be made", filepath.Join(dir, "a/b"), true},
		{"a file", file, false},
		{"by default, a file", "", false},
	} {
		t.Run(test.name, func(t *testing.T) {
			err := load(t, "", "ECOGATE_STORE_DIR="+dir, "ECOGATE_LIMITS_SPILL_DIR="+test.dir).CheckFolders()
			if test.good && err != nil {
				t.Errorf("refused: %v", err)
			}
			if !test.good && (err == nil || !strings.Contains(err.Error(), "limits.spill_dir: "+file+" is not a folder")) {
				t.Errorf("error %v", err)
			}
		})
	}
}

func TestFoldersThatAreToBeMadeAreNoMissingFiles(t *testing.T) {
	c := load(t, "store: {dir: no/such}\nlimits: {spill_dir: no/other}\n")
	if got := c.MissingFiles(); got != nil {
		t.Errorf("missing files %q", got)
	}
}
