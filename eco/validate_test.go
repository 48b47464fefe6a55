package eco_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/txtar"
	"pgregory.net/rapid"

	"github.com/ecogate/ecogate/eco"
	"github.com/ecogate/ecogate/eco/ecotest"
)

// A file of testdata/hostile/certificates says why it is hostile and what must come of it:
//
//	# why
//	base: a certificate of testdata/certificates      set: path = JSON value      expect: severity code path
//
// with every finding that must come and no other, or, for what is no certificate, "error: part of the text" and the JSON.
// Files of testdata/hostile/answers say the same of answers of testdata/answers.
type hostile struct {
	base          string
	sets, expects []string
	errorText     string
	raw           []byte
}

func readHostile(t *testing.T, file string) hostile {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	archive := txtar.Parse(data)
	var h hostile
	for line := range strings.Lines(string(archive.Comment)) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), ": ")
		switch key {
		case "base":
			h.base = value
		case "set":
			h.sets = append(h.sets, value)
		case "expect":
			h.expects = append(h.expects, value)
		case "error":
			h.errorText = value
		default:
			if !strings.HasPrefix(line, "#") {
				t.Fatalf("%s: line %q", file, line)
			}
		}
	}
	if len(archive.Files) > 0 {
		h.raw = bytes.TrimSuffix(archive.Files[0].Data, []byte("\n"))
	}
	return h
}

// apply makes one change, such as `items.0.hs = "31042000"`, to a decoded JSON value.
func apply(t *testing.T, tree map[string]any, set string) {
	t.Helper()
	path, text, found := strings.Cut(set, " = ")
	var value any
	if err := json.Unmarshal([]byte(text), &value); err != nil || !found {
		t.Fatalf("set: %s: %v", set, err)
	}
	names := strings.Split(path, ".")
	var at any = tree
	for i, name := range names {
		last := i == len(names)-1
		switch container := at.(type) {
		case map[string]any:
			if last {
				container[name] = value
			}
			at = container[name]
		case []any:
			n, err := strconv.Atoi(name)
			if err != nil || n >= len(container) {
				t.Fatalf("set: %s: no entry %s", set, name)
			}
			if last {
				container[n] = value
			}
			at = container[n]
		default:
			t.Fatalf("set: %s: nothing at %s", set, name)
		}
	}
}

func TestHostileCertificatesAreFound(t *testing.T) {
	for _, file := range ecotest.Files(t, "hostile/certificates/data-*.txt") {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			h := readHostile(t, file)
			c, err := eco.Decode(h.changed(t, ecotest.Read(t, h.base)))
			if err != nil {
				t.Fatal(err)
			}
			h.check(t, eco.Validate(c, eco.DefaultForms(), eco.Quirks{}, ecotest.Now()))
		})
	}
}

// changed is the JSON of the base with the file's changes.
func (h hostile) changed(t *testing.T, base []byte) []byte {
	t.Helper()
	var tree map[string]any
	decoder := json.NewDecoder(bytes.NewReader(base))
	decoder.UseNumber()
	if err := decoder.Decode(&tree); err != nil {
		t.Fatal(err)
	}
	for _, set := range h.sets {
		apply(t, tree, set)
	}
	data, err := json.Marshal(tree)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// check compares findings with those that the file expects.
func (h hostile) check(t *testing.T, findings []eco.Finding) {
	t.Helper()
	var found []string
	for _, f := range findings {
		found = append(found, fmt.Sprintf("%s %s %s", f.Severity, f.Code, f.Path))
		if f.Text == "" || f.Fix == "" {
			t.Errorf("%s without text or remedy: %+v", f.Code, f)
		}
	}
	slices.Sort(found)
	slices.Sort(h.expects)
	if !slices.Equal(found, h.expects) {
		t.Errorf("found %q, want %q", found, h.expects)
	}
}

func TestHostileJSONIsRefusedWithItsPlace(t *testing.T) {
	for _, file := range ecotest.Files(t, "hostile/certificates/json-*.txt") {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			h := readHostile(t, file)
			_, err := eco.Decode(h.raw)
			if err == nil || !strings.Contains(err.Error(), h.errorText) {
				t.Errorf("got %v, want an error with %q", err, h.errorText)
			}
		})
	}
}

func TestCertificatesOfTestdataHaveNoFindings(t *testing.T) {
	for _, name := range ecotest.Names(t) {
		for _, when := range []time.Time{ecotest.Now(), ecotest.Now().AddDate(0, 10, 0)} {
			if findings := eco.Validate(ecotest.Load(t, name), eco.DefaultForms(), eco.Quirks{}, when); len(findings) > 0 {
				t.Errorf("%s at %s: %+v", name, when, findings)
			}
		}
	}
}

func TestGeneratedCertificatesHaveNoErrors(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		if findings := eco.Validate(drawCertificate(t), eco.DefaultForms(), eco.Quirks{}, ecotest.Now()); eco.HasErrors(findings) {
			t.Fatal(findings)
		}
	})
}

func TestIssueDateMayBeTodayAnywhere(t *testing.T) {
	c := ecotest.Load(t, "nonpreferential-kcci")
	c.IssuedAt = eco.Date{Year: 2026, Month: 11, Day: 23}
	tests := []struct {
		name string
		now  time.Time
		want bool
	}{
		{"not yet the 23rd anywhere", time.Date(2026, 11, 22, 9, 59, 59, 0, time.UTC), true},
		{"the 23rd at UTC+14", time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC), false},
		{"the same instant on a clock in Seoul", time.Date(2026, 11, 22, 19, 0, 0, 0, time.FixedZone("KST", 9*3600)), false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := eco.HasErrors(eco.Validate(c, eco.DefaultForms(), eco.Quirks{}, tt.now)); got != tt.want {
				t.Errorf("errors: %t, want %t", got, tt.want)
			}
		})
	}
}

func TestValidityEndsWithItsLastDay(t *testing.T) {
	c := ecotest.Load(t, "atiga-form-d") // issued 2026-11-16, valid for 12 months
	for _, tt := range []struct {
		now  time.Time
		want int
	}{
		{time.Date(2027, 11, 16, 23, 59, 59, 0, time.UTC), 0},
		{time.Date(2027, 11, 17, 0, 0, 0, 0, time.UTC), 1},
	} {
		findings := eco.Validate(c, eco.DefaultForms(), eco.Quirks{}, tt.now)
		if len(findings) != tt.want || eco.HasErrors(findings) {
			t.Errorf("at %s: %+v, want %d warnings", tt.now, findings, tt.want)
		}
	}
}

func TestValuesThatOnlyProgramsGiveAreFound(t *testing.T) {
	tests := []struct {
		name   string
		change func(c *eco.Certificate)
		want   string
	}{
		{"31 November", func(c *eco.Certificate) { c.Transport.DepartureDate = eco.Date{Year: 2026, Month: 11, Day: 31} }, "D04 transport.departure_date"},
		{"year 10000", func(c *eco.Certificate) { c.Declaration.Date = eco.Date{Year: 10000, Month: 1, Day: 1} }, "D04 declaration.date"},
		{"month 0", func(c *eco.Certificate) { c.Invoices[0].Date = eco.Date{Year: 2026, Day: 1} }, "D04 invoices[0].date"},
		{"no percentage", func(c *eco.Certificate) { c.Items[1].Criteria[0].Percent = "47,2" }, "D09 items[1].criteria[0].percent"},
		{"no weight", func(c *eco.Certificate) { c.Items[0].GrossWeight.Value = "" }, "D11 items[0].gross_weight.value"},
		{"no amount", func(c *eco.Certificate) { c.Items[1].FOB.Value = "1 000" }, "D10 items[1].fob.value"},
		{"version before the first", func(c *eco.Certificate) { c.Version = -1 }, "D15 version"},
		{"octets that are no text", func(c *eco.Certificate) { c.Remarks = "\xff" }, "D15 remarks"},
		{"more than fits any box", func(c *eco.Certificate) { c.Remarks = strings.Repeat("é", 4001) }, "D15 remarks"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := ecotest.Load(t, "atiga-form-d")
			tt.change(&c)
			for _, f := range eco.Validate(c, eco.DefaultForms(), eco.Quirks{}, ecotest.Now()) {
				if f.Severity == eco.SeverityError && f.Code+" "+f.Path == tt.want {
					return
				}
			}
			t.Errorf("no error %s in %+v", tt.want, eco.Validate(c, eco.DefaultForms(), eco.Quirks{}, ecotest.Now()))
		})
	}
}

func TestLongestTextPasses(t *testing.T) {
	c := ecotest.Load(t, "nonpreferential-kcci")
	c.Remarks = strings.Repeat("é", 4000)
	if findings := eco.Validate(c, eco.DefaultForms(), eco.Quirks{}, ecotest.Now()); len(findings) > 0 {
		t.Error(findings)
	}
}

func TestItemLimits(t *testing.T) {
	c := ecotest.Load(t, "atiga-form-d")
	item := c.Items[0]
	for _, tt := range []struct {
		items          int
		errors, warned bool
	}{{50, false, false}, {51, false, true}, {eco.MaxItems, false, true}, {eco.MaxItems + 1, true, true}} {
		c.Items = c.Items[:0]
		for n := range tt.items {
			item.Number = n + 1
			c.Items = append(c.Items, item)
		}
		findings := eco.Validate(c, eco.DefaultForms(), eco.Quirks{}, ecotest.Now())
		if eco.HasErrors(findings) != tt.errors || len(findings) > 0 != tt.warned {
			t.Errorf("%d items: %+v", tt.items, findings)
		}
	}
}

func FuzzDecode(f *testing.F) {
	for _, name := range ecotest.Names(f) {
		f.Add(ecotest.Read(f, name))
	}
	for _, file := range ecotest.Files(f, "hostile/certificates/json-*.txt") {
		data, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(txtar.Parse(data).Files[0].Data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := eco.Decode(data)
		if err != nil {
			return
		}
		eco.Validate(c, eco.DefaultForms(), eco.Quirks{}, ecotest.Now())
		once, err := json.Marshal(c)
		if err != nil {
			t.Fatal(err)
		}
		again, err := eco.Decode(once)
		if err != nil {
			t.Fatalf("its own JSON: %v", err)
		}
		if twice, err := json.Marshal(again); err != nil || !bytes.Equal(once, twice) {
			t.Errorf("%s becomes %s (%v)", once, twice, err)
		}
	})
}
