package eco_test

import (
	"strings"
	"testing"

	"github.com/ecogate/ecogate/eco"
	"github.com/ecogate/ecogate/eco/ecotest"
)

func TestPaperIssueIsMarkedAndReadAgain(t *testing.T) {
	c := eco.Certificate{
		Reference: "LA26010137", IssuedAt: eco.Date{Year: 2026, Month: 11, Day: 20},
		Documents: []eco.Document{{Type: "830", Number: "EX-1"}, {Type: "861", Title: "CERTIFICATE OF A SUPPLIER", Number: "S-1"}},
	}
	if p := c.IssuedOnPaper(); p != nil {
		t.Fatalf("a certificate without the mark was issued on paper: %+v", *p)
	}
	for _, test := range []struct {
		name        string
		given, want eco.PaperIssue
	}{
		{"own number and day", eco.PaperIssue{Reason: " power  cut\nin Vientiane "}, eco.PaperIssue{Number: "LA26010137", IssuedAt: c.IssuedAt, Reason: "power cut in Vientiane"}},
		{"a number of its own", eco.PaperIssue{Number: "M 26/7", IssuedAt: eco.Date{Year: 2026, Month: 11, Day: 18}, Reason: "outage"},
			eco.PaperIssue{Number: "M 26/7", IssuedAt: eco.Date{Year: 2026, Month: 11, Day: 18}, Reason: "outage"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			marked, err := c.MarkIssuedOnPaper(test.given)
			if err != nil {
				t.Fatal(err)
			}
			again, err := marked.MarkIssuedOnPaper(test.given)
			if err != nil || len(again.Documents) != 3 || len(c.Documents) != 2 {
				t.Fatalf("marked twice it has %d documents, %d before: %v", len(again.Documents), len(c.Documents), err)
			}
			if found := again.IssuedOnPaper(); found == nil || *found != test.want {
				t.Errorf("read %+v, want %+v", found, test.want)
			}
		})
	}
}

func TestPaperIssueNeedsAReasonAndANumber(t *testing.T) {
	for _, given := range []eco.PaperIssue{{}, {Reason: " \n"}, {Reason: strings.Repeat("x", 201)}, {Reason: "outage", Number: " / "}} {
		if _, err := (eco.Certificate{Reference: "A"}).MarkIssuedOnPaper(given); err == nil {
			t.Errorf("%+v was taken", given)
		}
	}
}

// The mark breaks no rule of any form.
func TestPaperIssueIsAllowedByEveryForm(t *testing.T) {
	for _, name := range ecotest.Names(t) {
		c := ecotest.Load(t, name)
		marked, err := c.MarkIssuedOnPaper(eco.PaperIssue{Reason: "system down"})
		if err != nil {
			t.Fatal(err)
		}
		before := eco.Validate(c, eco.DefaultForms(), eco.Quirks{}, ecotest.Now())
		if after := eco.Validate(marked, eco.DefaultForms(), eco.Quirks{}, ecotest.Now()); len(after) != len(before) {
			t.Errorf("%s: the mark adds findings: %v", name, after)
		}
	}
}
