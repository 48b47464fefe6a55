package config_test

import (
	"fmt"
	"os"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/ecogate/ecogate/internal/config"
	"github.com/ecogate/ecogate/partners"
)

var index = regexp.MustCompile(`\[\d+\]`)

// keysOfType lists every key that a section type has, with "[]" for the entries of a list.
func keysOfType(t reflect.Type, prefix string) []string {
	var out []string
	for i := range t.NumField() {
		name, fieldType := t.Field(i).Tag.Get("yaml"), t.Field(i).Type
		if name == "" {
			continue
		}
		key := prefix + name
		if fieldType.Kind() == reflect.Slice && fieldType.Elem().Kind() == reflect.Struct {
			fieldType, key = fieldType.Elem(), key+"[]"
		}
		if fieldType.Kind() == reflect.Struct && fieldType != reflect.TypeFor[time.Time]() {
			out = append(out, keysOfType(fieldType, key+".")...)
		} else {
			out = append(out, key)
		}
	}
	return out
}

// TestExampleHasEveryKey: that it has no other keys is what loading it proves.
func TestExampleHasEveryKey(t *testing.T) {
	c, err := config.Load(example, nil)
	if err != nil {
		t.Fatal(err)
	}
	given := map[string]bool{}
	for _, s := range c.Effective() {
		if s.Origin != config.OriginDefault {
			given[index.ReplaceAllString(s.Key, "[]")] = true
		}
	}
	keys := keysOfType(reflect.TypeFor[config.Config](), "")
	for _, key := range keys {
		if !given[key] {
			t.Errorf("%s is not in the example", key)
		}
	}
	if len(keys) < 80 {
		t.Errorf("only %d keys were compared", len(keys))
	}
}

// TestExampleStatesTheDefaults compares each "Default:" comment with the default that is in effect.
func TestExampleStatesTheDefaults(t *testing.T) {
	text, err := os.ReadFile(example)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(string(text), "\n")
	cfg := config.Default()
	cfg.Agreements = make([]partners.AgreementConfig, 1)
	cfg.Agreements[0].SetDefaults()
	loaded, err := config.Load(example, nil)
	if err != nil {
		t.Fatal(err)
	}
	origins := map[string]config.Origin{}
	for _, s := range loaded.Effective() {
		origins[s.Key] = s.Origin
	}
	compared := 0
	for _, s := range cfg.Effective() {
		var line int
		if _, err := fmt.Sscanf(strings.TrimPrefix(string(origins[s.Key]), example+":"), "%d", &line); err != nil {
			t.Errorf("%s: origin %q has no line", s.Key, origins[s.Key])
			continue
		}
		want := comment(lines, line)
		if stated, ok := strings.CutPrefix(want[strings.LastIndex(want, "Default: ")+1:], "efault: "); !ok || !sameValue(stated, s.Value) {
			t.Errorf("%s has the default %s, the comment says %q", s.Key, s.Value, want)
		}
		compared++
	}
	if compared < 30 {
		t.Errorf("only %d defaults were compared", compared)
	}
}

// comment joins the comment lines that stand before line (from 1) of lines.
func comment(lines []string, line int) string {
	var out []string
	for i := line - 2; i >= 0 && strings.HasPrefix(strings.TrimSpace(lines[i]), "#"); i-- {
		out = append([]string{strings.TrimLeft(lines[i], " #")}, out...)
	}
	return strings.Join(out, " ")
}

// sameValue compares a stated default with the one in effect, in whatever unit it is stated: read as the value of a key
// that takes such a value, both must be equal.
func sameValue(stated, value string) bool {
	if strings.ReplaceAll(stated, ", ", ",") == value || strings.Contains(stated, "("+value+")") {
		return true
	}
	for _, key := range []string{"ECOGATE_DELIVERY_BACKOFF_MAX", "ECOGATE_STORE_MAX_BYTES"} {
		a, errA := config.Parse("", []byte(small), []string{key + "=" + stated})
		b, errB := config.Parse("", []byte(small), []string{key + "=" + value})
		if errA == nil && errB == nil && a.Store == b.Store && a.Delivery == b.Delivery {
			return true
		}
	}
	return false
}
