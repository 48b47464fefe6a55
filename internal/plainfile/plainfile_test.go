package plainfile_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/ecogate/ecogate/internal/plainfile"
)

func TestRead(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	if err := errors.Join(os.WriteFile(at("four"), []byte("four"), 0o600), os.Symlink("four", at("link")), syscall.Mkfifo(at("pipe"), 0o600)); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name, file string
		most       int64
		want       string // of the error; "" for the content
	}{
		{"a file", at("four"), 4, ""},
		{"a link to it", at("link"), 4, ""},
		{"a file that is larger", at("four"), 3, "larger than 3 octets"},
		{"a pipe", at("pipe"), 4, "no regular file"},
		{"what does not end", "/dev/zero", 4, "no regular file"},
		{"a folder", dir, 4, "no regular file"},
		{"nothing", at("nothing"), 4, "no such file"},
	} {
		t.Run(test.name, func(t *testing.T) {
			data, err := plainfile.Read(test.file, test.most)
			if test.want == "" && (err != nil || string(data) != "four") {
				t.Errorf("%q, %v", data, err)
			}
			if test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)) {
				t.Errorf("%q, %v, want %q", data, err, test.want)
			}
			if path := (*fs.PathError)(nil); err != nil && !errors.As(err, &path) {
				t.Errorf("%T", err)
			}
		})
	}
}
