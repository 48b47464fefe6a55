package cusdec_test

import (
	"fmt"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ecogate/ecogate/clearance"
	"github.com/ecogate/ecogate/clearance/cusdec"
	"github.com/ecogate/ecogate/eco"
)

// The table stands between these two lines of docs/cusdec.md.
const (
	tableBegins = "<!-- readings: go test ./clearance/cusdec -run Documentation -update -->\n"
	tableEnds   = "<!-- end of readings -->\n"
)

func TestDocumentationHasEveryReading(t *testing.T) {
	const page = "../../docs/cusdec.md"
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, begins := strings.Cut(string(text), tableBegins)
	found, after, ends := strings.Cut(rest, tableEnds)
	if !begins || !ends {
		t.Fatalf("%s has no line %s", page, strings.TrimSpace(tableBegins))
	}
	want := readingTable()
	if *update {
		if err := os.WriteFile(page, []byte(before+tableBegins+want+tableEnds+after), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := cmp.Diff(strings.Split(want, "\n"), strings.Split(found, "\n")); diff != "" {
		t.Errorf("-want +found in %s; -update writes it:\n%s", page, diff)
	}
}

func readingTable() string {
	var b strings.Builder
	b.WriteString("| part | segment | codes, the best first | fills |\n|---|---|---|---|\n")
	for _, r := range cusdec.Readings() {
		segment := r.Tag
		if r.Group != "" {
			segment = r.Tag + " after " + r.Group
		}
		codes := "any"
		if len(r.Qualifiers) > 0 {
			codes = fmt.Sprintf("%s (element %d, component %d)", strings.Join(r.Qualifiers, ", "), r.Element, r.Component)
		}
		fmt.Fprintf(&b, "| %s | %s | %s | `%s` |\n", strings.Join(r.Sections, ", "), segment, codes, strings.ReplaceAll(r.Into, ", ", "`, `"))
	}
	return b.String()
}

// Every member of a declaration is filled by some row, or stands in this list.
func TestEveryMemberOfADeclarationIsReadOrKnownNotToBe(t *testing.T) {
	notRead := []string{
		"override",                                            // an officer's word
		"guarantee.amount.value", "guarantee.amount.currency", // DOC has no amount
		"lines.citations.quantity.value", "lines.citations.quantity.unit", // it is always all of the line
	}
	var filled []string
	for _, r := range cusdec.Readings() {
		filled = append(filled, strings.Split(r.Into, ", ")...)
	}
	for _, path := range membersOf(reflect.TypeFor[clearance.Declaration](), "") {
		read := slices.ContainsFunc(filled, func(into string) bool { return path == into || strings.HasPrefix(path, into+".") })
		if known := slices.Contains(notRead, path); read == known {
			t.Errorf("%s: read %t, listed as not read %t", path, read, known)
		}
	}
	for _, into := range filled {
		if !slices.ContainsFunc(membersOf(reflect.TypeFor[clearance.Declaration](), ""), func(path string) bool {
			return path == into || strings.HasPrefix(path, into+".")
		}) {
			t.Errorf("%s is no member of a declaration", into)
		}
	}
}

// membersOf are the paths of all values of a type.
func membersOf(t reflect.Type, path string) []string {
	for t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice {
		t = t.Elem()
	}
	if t.Kind() != reflect.Struct || t == reflect.TypeFor[eco.Date]() {
		return []string{path}
	}
	var out []string
	for i := range t.NumField() {
		name, _, _ := strings.Cut(t.Field(i).Tag.Get("json"), ",")
		out = append(out, membersOf(t.Field(i).Type, strings.TrimPrefix(path+"."+name, "."))...)
	}
	return out
}
