package docs_test

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/ecogate/ecogate/eco"
)

const (
	formsBegin = "<!-- The rest of this section is written by: go test ./docs -run TestCertificateReferenceTellsOfEveryForm -update -->\n"
	formsEnd   = "<!-- end of the forms -->\n"
)

// certificate.md tells of every form what its file says.
func TestCertificateReferenceTellsOfEveryForm(t *testing.T) {
	page := read(t, "certificate.md")
	before, rest, found := strings.Cut(page, formsBegin)
	told, after, ended := strings.Cut(rest, formsEnd)
	if !found || !ended {
		t.Fatal("certificate.md lacks the lines between which forms are told")
	}
	var want strings.Builder
	for _, form := range eco.DefaultForms().All() {
		tellForm(&want, form)
	}
	if told == want.String() {
		return
	}
	if !*update {
		t.Error("certificate.md tells something else of the forms than their files; -update mends it")
		return
	}
	if err := os.WriteFile("certificate.md", []byte(before+formsBegin+want.String()+formsEnd+after), 0o644); err != nil {
		t.Fatal(err)
	}
}

// tellForm writes the section of one form.
func tellForm(w *strings.Builder, f eco.Form) {
	fmt.Fprintf(w, "\n### %s\n\n%s; %s; UNCL 1001 code %s. Issuing country: %s. Importing country: %s.\n",
		f.Code, f.Title, f.Agreement, f.DocumentType, anyOf(f.Issuers), anyOf(f.Importers))
	if len(f.Unconfirmed) > 0 {
		fmt.Fprintf(w, "\nNot confirmed, so that a breach only warns: %s.\n", inCode(f.Unconfirmed))
	}
	if len(f.Required) > 0 {
		fmt.Fprintf(w, "\nRequired: %s.\n", inCode(f.Required))
	}
	tellCriteria(w, f)
	if len(f.Flags) > 0 {
		fmt.Fprintf(w, "\nFlags: %s.\n", inCode(f.Flags))
	}
	if periods := periods(f); periods != "" {
		fmt.Fprintf(w, "\n%s\n", periods)
	}
	if len(f.References) > 0 {
		w.WriteString("\n| references from | issued | layout | another shape |\n|---|---|---|---|\n")
		for _, r := range f.References {
			from := strings.TrimSpace(r.Country + " " + r.Body)
			fmt.Fprintf(w, "| %s | %s | `%s` | %s |\n", from, window(r.From, r.Until), r.Layout, either(r.Unconfirmed, "warning", "error"))
		}
	}
	w.WriteString("\n| box | heading | holds |\n|---|---|---|\n")
	for _, b := range f.Boxes {
		fmt.Fprintf(w, "| %s | %s | %s |\n", b.Number, b.Title, inCode(b.Holds))
	}
}

func tellCriteria(w *strings.Builder, f eco.Form) {
	if len(f.Criteria) == 0 {
		return
	}
	w.WriteString("\n| criterion | meaning | percent | lines | also printed |\n|---|---|---|---|---|\n")
	for _, c := range f.Criteria {
		percent := "none"
		if c.TakesPercent() {
			percent = fmt.Sprintf("%s, %s to %s", c.Percent, c.Min, c.Max)
		}
		if c.Usual != "" {
			percent += fmt.Sprintf("; below %s a warning", c.Usual)
		}
		fmt.Fprintf(w, "| `%s` | %s | %s | %s | %s |\n", c.Code, c.Meaning, percent, strings.Trim(fmt.Sprint(c.Lines), "[]"), inCode(c.Spellings))
	}
	var notes []string
	if f.BarePercent != "" {
		notes = append(notes, fmt.Sprintf("A percentage by itself is `%s`.", f.BarePercent))
	}
	if f.WholePercent {
		notes = append(notes, "Percentages are printed whole, rounded down.")
	}
	if len(f.FOBWith) > 0 {
		notes = append(notes, fmt.Sprintf("`fob` is given with %s only.", inCode(f.FOBWith)))
	}
	if len(notes) > 0 {
		fmt.Fprintf(w, "\n%s\n", strings.Join(notes, " "))
	}
}

// periods are the sentences about time and size.
func periods(f eco.Form) string {
	var s []string
	if f.ValidityMonths > 0 {
		s = append(s, fmt.Sprintf("Valid for %d months.", f.ValidityMonths))
	}
	if r := f.Retroactive; r != nil {
		text := fmt.Sprintf("Issued retroactively when later than %d %s days after %s", r.Days, r.Unit, r.Base)
		if r.MaxMonths > 0 {
			text += fmt.Sprintf(", at most %d months after it", r.MaxMonths)
		}
		s = append(s, text+".")
	}
	if f.HS.Basis != "" {
		s = append(s, fmt.Sprintf("HS codes are of the %s country.", strings.ToLower(f.HS.Basis)))
	}
	if f.Limits.Items > 0 {
		s = append(s, fmt.Sprintf("More than %d items warn.", f.Limits.Items))
	}
	if r := f.Limits.Remarks; r.Lines > 0 {
		s = append(s, fmt.Sprintf("Remarks of more than %d lines of %d characters warn.", r.Lines, r.Width))
	}
	if f.Use != "" {
		s = append(s, fmt.Sprintf("Use: %s.", f.Use))
	}
	for _, clock := range []struct {
		days int
		what string
	}{
		{f.Clocks.RejectNoticeDays, "Denial is told within %d days."}, {f.Clocks.VerificationReplyDays, "A check is answered within %d days."},
		{f.Clocks.VerificationTotalDays, "A check ends within %d days."}, {f.Clocks.VisitConsentDays, "Consent to a visit within %d days."},
		{f.Clocks.VisitDays, "The visit within %d days."}, {f.Clocks.ReissueMonths, "Copies and re-issues within %d months."},
		{f.RetentionYears, "Records are kept for %d years."},
	} {
		if clock.days > 0 {
			s = append(s, fmt.Sprintf(clock.what, clock.days))
		}
	}
	if len(f.Capitals) > 0 {
		s = append(s, fmt.Sprintf("Printed in capitals when issued by %s.", strings.Join(f.Capitals, ", ")))
	}
	return strings.Join(s, " ")
}

func anyOf(countries []string) string {
	if len(countries) == 0 {
		return "any"
	}
	return strings.Join(countries, ", ")
}

func inCode[T ~string](names []T) string {
	out := make([]string, len(names))
	for i, name := range names {
		out[i] = "`" + strings.ReplaceAll(string(name), "|", "` or `") + "`"
	}
	return strings.Join(out, ", ")
}

func either(b bool, yes, no string) string {
	if b {
		return yes
	}
	return no
}

// window says between which days numbers have a shape.
func window(from, until eco.Date) string {
	words := []string{}
	if !from.IsZero() {
		words = append(words, "from "+from.String())
	}
	if !until.IsZero() {
		words = append(words, "until "+until.String())
	}
	if len(words) == 0 {
		return "any day"
	}
	return strings.Join(words, " ")
}
