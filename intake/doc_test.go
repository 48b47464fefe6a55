package intake

import (
	"flag"
	"fmt"
	"os"
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
	const page = "../docs/intake.md"
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, begins := strings.Cut(string(text), tableBegins)
	table, after, ends := strings.Cut(rest, tableEnds)
	if !begins || !ends {
		t.Fatalf("%s has no table of columns", page)
	}
	want := columnTable()
	if *update {
		if err := os.WriteFile(page, []byte(before+tableBegins+want+tableEnds+after), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := cmp.Diff(strings.Split(want, "\n"), strings.Split(table, "\n")); diff != "" {
		t.Errorf("the table of columns (-want +found in %s; -update writes it):\n%s", page, diff)
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
