package config_test

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/ecogate/ecogate/internal/config"
	"github.com/ecogate/ecogate/internal/pkitest"
	"github.com/ecogate/ecogate/partners"
)

// small is the least that a node needs.
const small = `
node:
  id: kr
  country: KR
  party_ids: [{value: "urn:customs:kr"}]
`

// wantProblem checks that err has a problem whose line begins with want.
func wantProblem(t *testing.T, err error, want string) {
	t.Helper()
	var wrong *config.Error
	if !errors.As(err, &wrong) {
		t.Fatalf("error %v; want a *config.Error with %q", err, want)
	}
	for _, p := range wrong.Problems {
		if strings.HasPrefix(p.Error(), want) {
			return
		}
	}
	t.Errorf("no problem begins with %q in:\n%v", want, err)
}

// load parses small with more YAML after it.
func load(t *testing.T, more string, environ ...string) config.Config {
	t.Helper()
	c, err := config.Parse("node.yaml", []byte(small+more), environ)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestWhatIsNotGivenHasItsDefault(t *testing.T) {
	c, want := load(t, ""), config.Default()
	want.Limits.SpillDir = "data/spill"
	if c.Delivery != want.Delivery || c.Limits != want.Limits || c.Log != want.Log || !reflect.DeepEqual(c.Listeners, want.Listeners) || c.Store != want.Store {
		t.Errorf("got %+v", c)
	}
	c = load(t, "delivery: {workers: 3, per_partner: 2}\n")
	if c.Delivery.Workers != 3 || c.Delivery.Poll != want.Delivery.Poll {
		t.Errorf("a section that is given in part: %+v", c.Delivery)
	}
}

func TestValuesAreReadInTheirUnits(t *testing.T) {
	duration := func(text string) time.Duration {
		return load(t, "delivery: {backoff_max: "+text+"}\n").Delivery.BackoffMax
	}
	for text, want := range map[string]time.Duration{
		"30s": 30 * time.Second, "1h30m": 90 * time.Minute, "7d": 7 * 24 * time.Hour, "1d12h": 36 * time.Hour, "1500ms": 1500 * time.Millisecond,
	} {
		if got := duration(text); got != want {
			t.Errorf("%s is %s", text, got)
		}
	}
	for text, want := range map[string]int64{"0": 0, "4096": 4096, "64KiB": 64 << 10, "25MiB": 25 << 20, "2GiB": 2 << 30, "1TiB": 1 << 40} {
		if got := load(t, "store: {max_bytes: "+text+"}\n").Store.MaxBytes; got != want {
			t.Errorf("%s is %d", text, got)
		}
	}
	for text, want := range map[string]time.Time{
		"2026-11-30":                time.Date(2026, 11, 30, 0, 0, 0, 0, time.UTC),
		"2026-11-30T09:00:00Z":      time.Date(2026, 11, 30, 9, 0, 0, 0, time.UTC),
		"2026-11-30T09:00:00+09:00": time.Date(2026, 11, 30, 0, 0, 0, 0, time.UTC),
	} {
		key := "  keys: [{uses: [tls-client], key_file: k, chain_file: c, from: " + text + "}]\n"
		if got := load(t, key).Node.Keys[0].From; got != want {
			t.Errorf("%s is %s, want %s", text, got, want)
		}
	}
	// YAML 1.1 would read this country as false.
	if got := load(t, "partners: [{id: no, country: NO, party_ids: [{value: 'urn:no'}], anchor_files: [a]}]\n").Partners[0]; got.ID != "no" || got.Country != "NO" {
		t.Errorf("Norway is %q, %q", got.ID, got.Country)
	}
}

func TestPathsStartAtTheFolderOfTheFile(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "node.yaml")
	text := small + `  keys: [{uses: [tls-client], key_file: keys/tls.key, chain_file: /etc/tls.pem}]
partners: [{id: tw, country: TW, party_ids: [{value: "urn:tw"}], anchor_files: [a.pem, /b.pem]}]
api_keys: [{name: a, role: issuer, key_file: a.key}]
`
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := config.Load(file, []string{"ECOGATE_STORE_DIR=elsewhere"})
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range []struct{ got, want string }{
		{c.Node.Keys[0].KeyFile, filepath.Join(dir, "keys/tls.key")},
		{c.Node.Keys[0].ChainFile, "/etc/tls.pem"},
		{c.Partners[0].AnchorFiles[0], filepath.Join(dir, "a.pem")},
		{c.Partners[0].AnchorFiles[1], "/b.pem"},
		{c.APIKeys[0].KeyFile, filepath.Join(dir, "a.key")},
		{c.Store.Dir, filepath.Join(dir, "elsewhere")},
	} {
		if path.got != path.want {
			t.Errorf("got %s, want %s", path.got, path.want)
		}
	}
}

func TestSpillFolderFollowsTheStore(t *testing.T) {
	for _, test := range []struct{ name, more, want string }{
		{"by default", "", "data/spill"},
		{"another store", "store: {dir: /srv/eco}\n", "/srv/eco/spill"},
		{"given", "store: {dir: /srv/eco}\nlimits: {spill_dir: /tmp/eco}\n", "/tmp/eco"},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := load(t, test.more).Limits.SpillDir; got != test.want {
				t.Errorf("got %s, want %s", got, test.want)
			}
		})
	}
}

func TestMissingFileIsNamed(t *testing.T) {
	_, err := config.Load("no/such.yaml", nil)
	if !errors.Is(err, os.ErrNotExist) || !strings.Contains(err.Error(), "no/such.yaml") {
		t.Errorf("error %v", err)
	}
}

func TestFileThatIsTooLargeIsRefused(t *testing.T) {
	text := small + strings.Repeat("# padding\n", 200_000)
	_, err := config.Parse("big.yaml", []byte(text), nil)
	wantProblem(t, err, "big.yaml: is larger than 1048576 bytes")
}

var expectation = regexp.MustCompile(`^# (expect|warning): (.+)\n`)

// TestHostileFilesAreRefusedWithTheirLine reads ../../testdata/hostile/config: each file says in its first line what must be
// said of it, after the file's name, and whether that is an error or the only warning.
func TestHostileFilesAreRefusedWithTheirLine(t *testing.T) {
	files, err := filepath.Glob("../../testdata/hostile/config/*.yaml")
	if err != nil || len(files) < 20 {
		t.Fatalf("%d files found, %v", len(files), err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			want := expectation.FindSubmatch(text)
			if want == nil {
				t.Fatal("no expect: line")
			}
			separator := ":"
			if !regexp.MustCompile(`^\d`).Match(want[2]) {
				separator = ": "
			}
			c, err := config.Load(file, nil)
			if string(want[1]) == "expect" {
				wantProblem(t, err, file+separator+string(want[2]))
				return
			}
			if got := c.Warnings(); err != nil || len(got) != 1 || !strings.HasPrefix(got[0].Error(), file+separator+string(want[2])) {
				t.Errorf("error %v, warnings %v; want one warning with %s", err, got, want[2])
			}
		})
	}
}

// TestSyntaxErrorsHaveTheirLine: the library's numbers are off by one for some faults.
func TestSyntaxErrorsHaveTheirLine(t *testing.T) {
	for _, test := range []struct{ name, text, want string }{
		{"tab after a section", "node:\n  id: kr\n  name: x\nstore:\n\tdir: x\n", "node.yaml:5: found character that cannot start any token"},
		{"tab after a value", "node:\n  id: kr\n  country: KR\n  name: x\n\tdir: x\n", "node.yaml:5: found a tab character"},
		{"tab in the first line", "\tnode: x\n", "node.yaml:1: found character"},
		{"list that is not closed", "node:\n  id: [a,\n", "node.yaml:2: "},
		{"member without comma", "log:\n  level: [a,\n  b\nstore: x\n", "node.yaml:3: did not find expected ',' or ']'"},
		{"indentation that fits nothing", "log:\n  level: info\n  format: text\n more: x\n", "node.yaml:4: did not find expected key"},
		{"two values", "log:\n  level: info\n  format: a: b\n", "node.yaml:3: mapping values are not allowed"},
		{"key without colon", "log:\n  level: info\n  format\nstore: {}\n", "node.yaml:3: could not find expected ':'"},
		{"text that is not closed", "log:\n  level: 'info\n  format: text\n", "node.yaml:2: found unexpected end of stream"},
		{"no UTF-8", "log:\n  level: \xff\n", "node.yaml:2: "},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := config.Parse("node.yaml", []byte(test.text), nil)
			wantProblem(t, err, test.want)
		})
	}
}

func TestEveryProblemIsReported(t *testing.T) {
	_, err := config.Parse("node.yaml", []byte(`node: {idd: kr}
store: {dir: ""}
delivery: {poll: soon, workers: x}
`), []string{"ECOGATE_LOG_LEVL=info"})
	for _, want := range []string{
		`node.yaml:1: node.idd: unknown key; did you mean "id"?`,
		`node.yaml:3: delivery.poll: "soon" is not a duration`,
		`node.yaml:3: delivery.workers: "x" is not a whole number`,
		`environment ECOGATE_LOG_LEVL: names no key`,
	} {
		wantProblem(t, err, want)
	}
}

// TestProblemsOfFilesHaveTheLineOfTheirKey: package partners speaks of keys, the operator looks for lines.
func TestProblemsOfFilesHaveTheLineOfTheirKey(t *testing.T) {
	pki := pkitest.NewTest(t, pkitest.Options{Country: "TW"})
	c := load(t, `partners:
  - id: tw
    country: TW
    party_ids: [{value: "urn:tw"}]
    anchor_files: [`+pki.Dir+`/root.pem]
    credentials:
      - uses: [tls-client]
        file: missing.pem
`)
	_, err := partners.New(c.Registry())
	wantProblem(t, c.PartnerProblems(err), "node.yaml:13: partners[0].credentials[0].file: open missing.pem")
	if other := errors.New("other"); c.PartnerProblems(other) != other || c.PartnerProblems(nil) != nil {
		t.Error("an error that is not of partners was changed")
	}
}

func FuzzParse(f *testing.F) {
	files, err := filepath.Glob("../../testdata/hostile/config/*.yaml")
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range append(files, "../../config.example.yaml") {
		text, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text, "ECOGATE_DELIVERY_WORKERS=3")
	}
	f.Fuzz(func(t *testing.T, text []byte, variable string) {
		c, err := config.Parse("fuzz.yaml", text, []string{variable})
		var wrong *config.Error
		if err != nil && (!errors.As(err, &wrong) || len(wrong.Problems) == 0) {
			t.Fatalf("error without problems: %v", err)
		}
		if err == nil && c.Node.ID == "" {
			t.Error("a configuration without node.id was accepted")
		}
		c.Effective()
	})
}
