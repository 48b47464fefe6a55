package main

import (
	"os"
	"path/filepath"
	"testing"
)

// The genericode files are not part of this project.
const genericodes = "../../../../shared/ubl/codelists"

func TestTablesAreThoseOfTheGenericodeFiles(t *testing.T) {
	if _, err := os.Stat(genericodes); err != nil {
		t.Skipf("the genericode files of UBL 2.4 are not there: %v", err)
	}
	made := t.TempDir()
	if status := run([]string{genericodes, made}); status != 0 {
		t.Fatalf("status %d", status)
	}
	files, err := os.ReadDir(made)
	if err != nil || len(files) != 5 {
		t.Fatalf("%d tables, %v", len(files), err)
	}
	for _, file := range files {
		got, err := os.ReadFile(filepath.Join(made, file.Name()))
		if err != nil {
			t.Fatal(err)
		}
		want, err := os.ReadFile(filepath.Join("../../codelists", file.Name()))
		if err != nil {
			t.Fatal(err)
		}
		if string(got) != string(want) {
			t.Errorf("%s differs; run go generate in eco", file.Name())
		}
	}
}

func TestFilesThatAreNoCodeListsAreRefused(t *testing.T) {
	for name, text := range map[string]string{
		"not XML":          "code,name",
		"another XML":      "<html/>",
		"no rows":          "<CodeList><Identification><Version>1</Version></Identification></CodeList>",
		"row with no code": `<CodeList><Identification><Version>1</Version></Identification><SimpleCodeList><Row><Value ColumnRef="name"><SimpleValue>kilogram</SimpleValue></Value></Row></SimpleCodeList></CodeList>`,
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			for _, s := range sources {
				if err := os.WriteFile(filepath.Join(dir, s.file), []byte(text), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			if made, err := tables(dir); err == nil {
				t.Errorf("made %d tables", len(made))
			}
		})
	}
	if status := run([]string{t.TempDir(), t.TempDir()}); status != 1 {
		t.Errorf("an empty folder: status %d", status)
	}
	if status := run(nil); status != 2 {
		t.Errorf("no arguments: status %d", status)
	}
}
