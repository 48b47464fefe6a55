package docs_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/ecogate/ecogate/eco"
)

func TestCertificateReferenceListsEveryCodeList(t *testing.T) {
	text := section(t, read(t, "certificate.md"), "## Code lists")
	for _, list := range eco.CodeLists() {
		edition := eco.EditionOf(list)
		row, found := rowOf(text, string(list))
		if !found || !strings.Contains(row, edition.Name) || !strings.Contains(row, "| "+edition.Version+" |") {
			t.Errorf("certificate.md, code lists: %s is %s of version %s, the row says %q", list, edition.Name, edition.Version, row)
		}
	}
}

func TestCertificateReferenceListsEveryState(t *testing.T) {
	text := section(t, read(t, "certificate.md"), "## Life cycle")
	exporting, importing := eco.States(eco.SideExporting), eco.States(eco.SideImporting)
	for _, state := range slices.Concat(exporting, importing) {
		side := "both"
		switch {
		case !slices.Contains(importing, state):
			side = "exporting"
		case !slices.Contains(exporting, state):
			side = "importing"
		}
		if row, _ := rowOf(text, string(state)); !strings.HasPrefix(row, fmt.Sprintf("| `%s` | %s |", state, side)) {
			t.Errorf("certificate.md, life cycle: %s is a state of %s, the row says %q", state, side, row)
		}
	}
}

func TestCertificateReferenceListsEveryReasonCode(t *testing.T) {
	text := section(t, read(t, "certificate.md"), "### Reason codes")
	for _, r := range eco.Reasons() {
		if want := fmt.Sprintf("| `%s` | %s | %s |", r.Code, r.Kind, r.Text); !strings.Contains(text, want) {
			t.Errorf("certificate.md, reason codes: no row %s", want)
		}
	}
}

// rowOf is the row of a table whose first cell is the quoted name.
func rowOf(text, name string) (string, bool) {
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, "| `"+name+"` |") {
			return strings.TrimSpace(line), true
		}
	}
	return "", false
}
