package intake

import (
	"flag"
	"fmt"
	"os"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ecogate/ecogate/eco"
)

var update = flag.Bool("update", false, "write the table of columns into docs/intake.md anew")

// The table stands between these two lines.
const (
	tableBegins = "<!-- columns: go test ./intake -run Documentation -update -->\n"
	tableEnds   = "<!-- end of columns -->\n"
)

func TestDocumentationHasEveryColumn(t *testing.T) {
	generated(t, tableBegins, tableEnds, columnTable())
}

// TestDocumentationTellsWhatHasNoColumn: a member that a certificate gains gets a column, or stands in this list.
func TestDocumentationTellsWhatHasNoColumn(t *testing.T) {
	taken := map[string]bool{}
	for _, c := range columns(eco.DefaultForms()) {
		taken[indexes.ReplaceAllString(c.at(), "")] = true
		taken[indexes.ReplaceAllString(c.constant[0], "")] = true
	}
	for _, path := range []string{"items.criteria.code", "items.criteria.percent", "items.invoices"} { // from the criterion box, and the numbers of invoices
		taken[path] = true
	}
	var without []string
	for _, path := range members(reflect.TypeFor[eco.Certificate](), "") {
		if !taken[path] {
			without = append(without, "`"+path+"`")
		}
	}
	generated(t, "<!-- members without a column -->\n", "<!-- end of members -->\n", strings.Join(without, ", ")+"\n")
}

var indexes = regexp.MustCompile(`\[\d+\]`)

// members are the paths of all values of a type, without indexes; the flags, which all have columns, are left out.
func members(t reflect.Type, path string) []string {
	for t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice {
		t = t.Elem()
	}
	if t.Kind() == reflect.Map {
		return nil
	}
	if t.Kind() != reflect.Struct || t == reflect.TypeFor[eco.Date]() {
		return []string{path}
	}
	var out []string
	for i := range t.NumField() {
		name, _, _ := strings.Cut(t.Field(i).Tag.Get("json"), ",")
		out = append(out, members(t.Field(i).Type, strings.TrimPrefix(path+"."+name, "."))...)
	}
	return out
}

// generated compares what stands between two lines of docs/intake.md, or writes it anew.
func generated(t *testing.T, begin, end, want string) {
	t.Helper()
	const page = "../docs/intake.md"
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, begins := strings.Cut(string(text), begin)
	found, after, ends := strings.Cut(rest, end)
	if !begins || !ends {
		t.Fatalf("%s has no line %s", page, strings.TrimSpace(begin))
	}
	if *update {
		if err := os.WriteFile(page, []byte(before+begin+want+end+after), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := cmp.Diff(strings.Split(want, "\n"), strings.Split(found, "\n")); diff != "" {
		t.Errorf("-want +found in %s; -update writes it:\n%s", page, diff)
	}
}

func columnTable() string {
	every := &template{forms: eco.DefaultForms()}
	var b strings.Builder
	b.WriteString("| column | sheet | what to write | goes to |\n|---|---|---|---|\n")
	for _, sheet := range sheetsOfTemplate {
		for _, c := range columns(eco.DefaultForms()) {
			for _, s := range sheet.scopes {
				if s == c.scope {
					fmt.Fprintf(&b, "| %s | %s | %s | `%s` |\n", every.heading(c), sheet.name, every.note(c), c.at())
				}
			}
		}
	}
	return b.String()
}
