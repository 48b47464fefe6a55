package docs_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// The list in architecture.md is what holds: an import that it does not name fails, and so does a folder that it lacks.
func TestRoomsImportOnlyWhatTheArchitectureAllows(t *testing.T) {
	allowed := layers(t)
	const module = "github.com/ecogate/ecogate/"
	out, err := exec.Command("go", "list", "-f", `{{.ImportPath}}:{{join .Imports " "}}`, "github.com/ecogate/ecogate/...", module+"testdata/certificates").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	for line := range strings.Lines(string(out)) {
		path, imports, _ := strings.Cut(strings.TrimSpace(line), ":")
		room := strings.TrimPrefix(path, module)
		if imports == "" && room == "docs" {
			continue
		}
		may, ok := allowed[room]
		if !ok {
			t.Errorf("folder %s is not in the list of docs/architecture.md", room)
			continue
		}
		for _, imported := range strings.Fields(imports) {
			other, ours := strings.CutPrefix(imported, module)
			if ours && !slices.Contains(may, "*") && !slices.Contains(may, other) {
				t.Errorf("%s imports %s, docs/architecture.md allows %v", room, other, may)
			}
		}
		delete(allowed, room)
	}
	for room := range allowed {
		t.Errorf("docs/architecture.md lists %s, there is no such folder", room)
	}
}

func layers(t *testing.T) map[string][]string {
	t.Helper()
	text, err := os.ReadFile("architecture.md")
	if err != nil {
		t.Fatal(err)
	}
	block := regexp.MustCompile("(?s)```layers\n(.*?)```").FindSubmatch(text)
	if block == nil {
		t.Fatal("architecture.md has no block ```layers")
	}
	allowed := make(map[string][]string)
	for line := range strings.Lines(string(block[1])) {
		room, may, _ := strings.Cut(strings.TrimSpace(line), ":")
		allowed[room] = strings.Fields(may)
	}
	return allowed
}

// The list of crash points in architecture.md is that of the source.
func TestArchitectureListsEveryCrashPoint(t *testing.T) {
	text := section(t, read(t, "architecture.md"), "## Crash points")
	var told, named []string
	for _, m := range regexp.MustCompile("`([a-z]+\\.[a-z-]+)`").FindAllStringSubmatch(text, -1) {
		told = append(told, m[1])
	}
	call := regexp.MustCompile(`(?:\bfault\.Point|\.[pP]oint)\("([^"]+)"\)`)
	for _, dir := range []string{"../exchange", "../store/bolt", "../intake", "../clearance/handover"} {
		files, err := filepath.Glob(dir + "/*.go")
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			if strings.HasSuffix(file, "_test.go") {
				continue
			}
			for _, m := range call.FindAllStringSubmatch(read(t, file), -1) {
				named = append(named, m[1])
			}
		}
	}
	slices.Sort(told)
	slices.Sort(named)
	if told, named = slices.Compact(told), slices.Compact(named); !slices.Equal(told, named) {
		t.Errorf("architecture.md lists the points %q, the source has %q", told, named)
	}
}
