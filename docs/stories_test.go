package docs_test

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// paths is how many paths of a certificate's life there are.
const paths = 19

// Each path has a row, the row a script, the script says which row it goes, and no script has no row.
func TestEveryPathOfACertificateHasAStory(t *testing.T) {
	folder := filepath.Join("..", "cmd", "ecogate", "testdata", "scripts")
	rows := regexp.MustCompile("(?m)^\\| (\\d+) \\| [^|]+ \\| `(story-[a-z0-9-]+\\.txtar)` \\|$").FindAllStringSubmatch(read(t, "stories.md"), -1)
	var named []string
	for i, row := range rows {
		if row[1] != fmt.Sprint(i+1) {
			t.Errorf("row %s stands where %d is wanted", row[1], i+1)
		}
		named = append(named, row[2])
		script, err := os.ReadFile(filepath.Join(folder, row[2]))
		if err != nil || !strings.HasPrefix(string(script), "# Row "+row[1]+":") {
			t.Errorf("row %s: %s does not begin with its row, or is not there: %v", row[1], row[2], err)
		}
	}
	if len(rows) != paths {
		t.Errorf("%d rows, want %d", len(rows), paths)
	}
	there, err := filepath.Glob(filepath.Join(folder, "story-*.txtar"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range there {
		if !slices.Contains(named, filepath.Base(file)) {
			t.Errorf("no row names %s", filepath.Base(file))
		}
	}
}
