package strictyaml_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ecogate/ecogate/internal/strictyaml"
)

type section struct {
	Text   string        `yaml:"text"`
	Flag   *bool         `yaml:"flag"`
	Count  *int          `yaml:"count"`
	Size   int64         `yaml:"size"`
	Wait   time.Duration `yaml:"wait"`
	At     time.Time     `yaml:"at"`
	Names  []string      `yaml:"names"`
	Inner  inner         `yaml:"inner"`
	Inners []inner       `yaml:"inners"`
	Other  func()        // no key
}

type inner struct {
	Text string `yaml:"text"`
	On   bool   `yaml:"on"`
}

func TestEncodedIsDecodedToTheSame(t *testing.T) {
	for name, s := range map[string]section{
		"nothing": {},
		"all": {
			Text: "a: b # c", Flag: new(false), Count: new(0), Size: 1 << 20, Wait: 36 * time.Hour, At: time.Date(2026, 11, 29, 9, 0, 0, 5, time.UTC),
			Names: []string{"a", ""}, Inner: inner{On: true}, Inners: []inner{{Text: "x"}, {}},
		},
		"an empty list": {Names: []string{}},
		"texts that look like something else": {
			Names: []string{"null", "~", "true", "1", "1e3", "2026-11-29", "[]", "{}", "&a", "*a", "<<", "a\nb\n", " a ", "\n", "\t", "é", "'", `"`, "-", "? x", "0x1", "-----BEGIN X-----\nAAA=\n-----END X-----\n"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			text, err := strictyaml.Encode(s)
			if err != nil {
				t.Fatal(err)
			}
			var got section
			if _, problems := strictyaml.Decode(text, &got); len(problems) > 0 {
				t.Fatalf("%v in\n%s", problems, text)
			}
			if diff := cmp.Diff(s, got, cmp.FilterPath(func(p cmp.Path) bool { return p.Last().String() == ".Other" }, cmp.Ignore())); diff != "" {
				t.Errorf("%s\nof\n%s", diff, text)
			}
		})
	}
}

func TestProblemsHaveTheirLine(t *testing.T) {
	var s section
	lines, problems := strictyaml.Decode([]byte("text: a\nflga: true\ninners:\n- text: b\n  on: maybe\n"), &s)
	if lines["inners[0].on"] != 5 || s.Text != "a" {
		t.Errorf("lines %v, text %q", lines, s.Text)
	}
	var got []string
	for _, p := range problems {
		got = append(got, p.Error())
	}
	want := "line 2: flga: unknown key; did you mean \"flag\"?\nline 5: inners[0].on: \"maybe\" is neither true nor false"
	if text := strings.Join(got, "\n"); text != want {
		t.Errorf("got\n%s\nwant\n%s", text, want)
	}
}
