package partners_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/ecogate/ecogate/partners"
)

var entryExpectation = regexp.MustCompile(`^# expect: (partner|agreement|node) (\S+): (.+)\n`)

// entryFiles are ../testdata/hostile/registry.
func entryFiles(t testing.TB) []string {
	t.Helper()
	files, err := filepath.Glob("../testdata/hostile/registry/*.yaml")
	if err != nil || len(files) < 20 {
		t.Fatalf("%d files found, %v", len(files), err)
	}
	return files
}

// TestHostileEntriesAreRefused reads each file: its first line says which entry it is put as, and what must be said of it.
func TestHostileEntriesAreRefused(t *testing.T) {
	d := newDesk(t)
	for _, file := range entryFiles(t) {
		t.Run(filepath.Base(file), func(t *testing.T) {
			text := string(read(t, file))
			want := entryExpectation.FindStringSubmatch(text)
			if want == nil {
				t.Fatal("no expect: line")
			}
			_, err := d.Put(t.Context(), byOperator, partners.Kind(want[1]), want[2], text)
			if err == nil || !strings.Contains("\n"+strings.TrimPrefix(err.Error(), "partner configuration: "), "\n"+want[3]) {
				t.Errorf("no problem begins with %q in:\n%v", want[3], err)
			}
		})
	}
	if list, err := d.store.Entries(t.Context()); err != nil || len(list) != 0 {
		t.Errorf("%d entries, %v", len(list), err)
	}
	long := "id: vn\nname: " + strings.Repeat("x", 1<<20) + "\n"
	if _, err := d.Put(t.Context(), byOperator, partners.KindPartner, "vn", long); err == nil || !strings.Contains(err.Error(), "is larger than 1048576 bytes") {
		t.Errorf("a text of %d bytes: %v", len(long), err)
	}
	deep := strings.Repeat("[", 100_000)
	if _, err := d.Put(t.Context(), byOperator, partners.KindPartner, "vn", "id: vn\nanchors: "+deep); err == nil {
		t.Error("a deep text was taken")
	}
}

// FuzzEntryText: whatever is read as an entry is written in one form, which is read as the same, and names no file of the node.
func FuzzEntryText(f *testing.F) {
	for _, file := range entryFiles(f) {
		text, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(text))
	}
	f.Add("id: tw\nname: Taiwan\ncountry: TW\nmode: parallel\ncontacts: [{name: desk, phone: '112'}]\nanchors: [\"a\\nb\"]\ncredentials: [{uses: [], from: 2026-01-01}]\n")
	f.Add("cpa_id: a\nretries: 0\nretry_interval: 1d2h\ntolerate: []\nmax_bytes: 1MiB\nping: false\n")
	f.Fuzz(func(t *testing.T, text string) {
		for _, kind := range []partners.Kind{partners.KindPartner, partners.KindAgreement, partners.KindNode} {
			settled, err := partners.ReadText(kind, text)
			if err != nil {
				continue
			}
			again, err := partners.ReadText(kind, settled)
			if err != nil || again != settled {
				t.Errorf("%s %q is written as\n%s\nand that as\n%s\n%v", kind, text, settled, again, err)
			}
		}
	})
}
