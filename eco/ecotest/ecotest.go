// Package ecotest gives tests certificates, and answers about them: those of testdata/certificates and testdata/answers by
// name, and any number of generated ones that follow their rules. It is imported by tests only.
package ecotest

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ecogate/ecogate/eco"
)

// Now is the instant at which the certificates of testdata are to be looked at: two days after the latest was issued.
func Now() time.Time { return time.Date(2026, time.November, 22, 9, 0, 0, 0, time.UTC) }

// Root is the folder of the module that the test belongs to.
func Root(t testing.TB) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir
		}
		if dir == filepath.Dir(dir) {
			t.Fatal("no go.mod above the test's folder")
		}
		dir = filepath.Dir(dir)
	}
}

// Files are the files below testdata that match pattern; the test fails when there are none.
func Files(t testing.TB, pattern string) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(Root(t), "testdata", filepath.FromSlash(pattern)))
	if err != nil {
		t.Fatal(err)
	}
	if len(files) == 0 {
		t.Fatalf("no files %s below testdata", pattern)
	}
	return files
}

// Names are the names of the certificates in testdata/certificates.
func Names(t testing.TB) []string {
	t.Helper()
	return names(t, "certificates")
}

// AnswerNames are the names of the answers in testdata/answers.
func AnswerNames(t testing.TB) []string {
	t.Helper()
	return names(t, "answers")
}

func names(t testing.TB, folder string) []string {
	t.Helper()
	var names []string
	for _, file := range Files(t, folder+"/*.json") {
		names = append(names, strings.TrimSuffix(filepath.Base(file), ".json"))
	}
	return names
}

// Read is the JSON form of a certificate of testdata/certificates, such as "atiga-form-d".
func Read(t testing.TB, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(Root(t), "testdata", "certificates", name+".json"))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// Load is a certificate of testdata/certificates.
func Load(t testing.TB, name string) eco.Certificate {
	t.Helper()
	c, err := eco.Decode(Read(t, name))
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return c
}

// LoadAnswer is an answer of testdata/answers, such as "rejected".
func LoadAnswer(t testing.TB, name string) eco.Answer {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(Root(t), "testdata", "answers", name+".json"))
	if err != nil {
		t.Fatal(err)
	}
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.DisallowUnknownFields()
	var a eco.Answer
	if err := decoder.Decode(&a); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return a
}

// FormFiles are the texts of the forms that come with the program.
func FormFiles(t testing.TB) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(Root(t), "eco", "forms", "*.yaml"))
	if err != nil || len(files) == 0 {
		t.Fatal("no forms", err)
	}
	var texts []string
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		texts = append(texts, string(data))
	}
	return texts
}

// Expecting is a file of testdata whose first line is a comment that says what must be said about it: "# expect: text".
func Expecting(t testing.TB, file string) (text, want string) {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	line, _, _ := strings.Cut(string(data), "\n")
	want, found := strings.CutPrefix(line, "# expect: ")
	if !found {
		t.Fatalf("%s does not say what is expected", file)
	}
	return string(data), want
}
