package main

import (
	"io/fs"
	"os"
	"path/filepath"
	"testing"
)

func TestSpillFolderIsForThisUserOnly(t *testing.T) {
	wide := filepath.Join(t.TempDir(), "wide")
	if err := os.Mkdir(wide, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{wide, filepath.Join(t.TempDir(), "not", "there", "yet")} {
		if err := makeSpillDir(dir); err != nil {
			t.Fatal(err)
		}
		if info, err := os.Stat(dir); err != nil || info.Mode() != fs.ModeDir|0o700 {
			t.Errorf("%s: %v, error %v", dir, info.Mode(), err)
		}
	}
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := makeSpillDir(file); err == nil {
		t.Error("a file is taken for a folder")
	}
}

// The media type is part of what makes a submission the same one, so it must not depend on the machine.
func TestMediaTypeFollowsFromTheExtension(t *testing.T) {
	for name, want := range map[string]string{
		"invoice.pdf": "application/pdf", "SCAN.TIF": "image/tiff", "a.b.Jpeg": "image/jpeg", "README": "application/octet-stream",
		"page.html": "application/octet-stream", ".pdf": "application/pdf",
	} {
		if got := mediaType(name); got != want {
			t.Errorf("%s is %s, want %s", name, got, want)
		}
	}
}
