package intake

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"time"
	"unicode"

	"github.com/ecogate/ecogate/eco"
)

// Report is what became of a file of a watched folder, for the people who put it there.
type Report struct {
	File    string    `json:"file"`
	Partner string    `json:"partner"`
	Time    time.Time `json:"time"`
	// Problems are why the file was refused as a whole; then nothing of it was submitted.
	Problems []Problem `json:"problems,omitempty"`
	// Certificates are those of the file, in its order.
	Certificates []Result `json:"certificates,omitempty"`
}

// Result is what became of one certificate.
type Result struct {
	Reference string `json:"reference"`
	// Place is where the file begins to tell of it.
	Place string `json:"place,omitempty"`
	// MessageID is the message that carries it; empty if it was refused. Fresh is false if it was submitted before.
	MessageID string `json:"message_id,omitempty"`
	Fresh     bool   `json:"fresh"`
	// Refused is why it was refused, with Problems in detail.
	Refused  string    `json:"refused,omitempty"`
	Problems []Problem `json:"problems,omitempty"`
	// Warnings did not stop it.
	Warnings []Problem `json:"warnings,omitempty"`
	// Unplaced is what the file says and a certificate has no place for.
	Unplaced []Field `json:"unplaced,omitempty"`
}

// Failed reports whether anything of the file was refused.
func (r Report) Failed() bool {
	if len(r.Problems) > 0 {
		return true
	}
	for _, c := range r.Certificates {
		if c.Refused != "" {
			return true
		}
	}
	return false
}

// resultOf tells what became of a certificate that was read from a file.
func resultOf(i Import, receipt Receipt, refusal *Refusal) Result {
	out := Result{
		Reference: i.Certificate.Reference, Place: i.Place(""), MessageID: receipt.MessageID, Fresh: receipt.Fresh, Unplaced: i.Unplaced,
	}
	findings := receipt.Findings
	if refusal != nil {
		out.Refused, findings = refusal.Text, refusal.Findings
	}
	for _, f := range findings {
		p := Problem{Place: i.Place(f.Path), Text: f.Text, Fix: f.Fix}
		if p.Place != f.Path {
			p.Text = f.Path + ": " + f.Text
		}
		if f.Severity == eco.SeverityError {
			out.Problems = append(out.Problems, p)
		} else {
			out.Warnings = append(out.Warnings, p)
		}
	}
	for _, f := range i.Findings {
		out.Warnings = append(out.Warnings, Problem{Place: f.Path, Text: f.Text, Fix: f.Fix})
	}
	return out
}

// worthWriting reports whether a person should read it: something failed, or was left out.
func (r Report) worthWriting() bool {
	for _, c := range r.Certificates {
		if len(c.Unplaced) > 0 {
			return true
		}
	}
	return r.Failed()
}

// write puts the report beside a file, as text and as JSON.
func (r Report) write(path string, mode fs.FileMode) error {
	if !r.worthWriting() {
		return nil
	}
	data, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	return errors.Join(
		writeWhole(path+".report.json", append(data, '\n'), mode),
		writeWhole(path+".report.txt", []byte(r.Text()), mode),
	)
}

// Text is the report for people.
func (r Report) Text() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s for partner %s, read at %s\n", r.File, r.Partner, r.Time.Format(time.RFC3339))
	if len(r.Problems) > 0 {
		b.WriteString("\nThe file was refused as a whole. Nothing of it was submitted. Mend it and put it into the folder again.\n\n")
		tell(&b, "", r.Problems)
	}
	if len(r.Certificates) > 0 && r.Failed() {
		b.WriteString("\nMend what was refused and put the file into the folder again. What was taken is not sent twice.\n")
	}
	for _, c := range r.Certificates {
		b.WriteString("\n" + c.Reference)
		if c.Place != "" {
			fmt.Fprintf(&b, " (%s)", c.Place)
		}
		switch {
		case c.Refused != "":
			fmt.Fprintf(&b, ": refused: %s\n", c.Refused)
		case c.Fresh:
			fmt.Fprintf(&b, ": taken, message %s\n", c.MessageID)
		default:
			fmt.Fprintf(&b, ": was submitted before, message %s\n", c.MessageID)
		}
		tell(&b, "", c.Problems)
		tell(&b, "warning: ", c.Warnings)
		for _, f := range c.Unplaced {
			fmt.Fprintf(&b, "  left out: %s: %s", f.Path, f.Value)
			if f.Why != "" {
				fmt.Fprintf(&b, " (%s)", f.Why)
			}
			b.WriteByte('\n')
		}
	}
	return strings.Map(shown, b.String())
}

// shown replaces what does not print: the text comes from others, and is read on terminals.
func shown(r rune) rune {
	if r != '\n' && !unicode.IsPrint(r) {
		return '?'
	}
	return r
}

func tell(b *strings.Builder, before string, problems []Problem) {
	for _, p := range problems {
		fmt.Fprintf(b, "  %s%s", before, p)
		if p.Fix != "" {
			fmt.Fprintf(b, " (%s)", p.Fix)
		}
		b.WriteByte('\n')
	}
}
