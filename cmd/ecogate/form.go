package main

import (
	"fmt"
	"os"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/ecogate/ecogate/eco"
)

func (c *cli) formCommand() *cobra.Command {
	return group("form", "The forms of certificates and their rules", c.formList(), c.formShow())
}

// formSource says which forms a command knows.
type formSource struct{ config, dir string }

func (s *formSource) flags(cmd *cobra.Command) {
	configFlag(cmd, &s.config)
	cmd.Flags().StringVar(&s.dir, "forms-dir", "", "`folder` with forms that replace and add to those of the program")
}

// forms are those of the program, with those of the folders that the configuration and the command line name.
func (s formSource) forms() (forms eco.Forms, err error) {
	if s.config != "" {
		cfg, err := loadConfig(s.config)
		if err != nil {
			return forms, err
		}
		forms = cfg.Forms()
	}
	if s.dir == "" {
		return forms, nil
	}
	if forms, err = forms.With(os.DirFS(s.dir), s.dir); err != nil {
		return forms, &hinted{fmt.Errorf("forms: %w", err), "\"ecogate form show CODE --source\" prints the file of a form, with every key"}
	}
	return forms, nil
}

const formSourceHelp = "The forms are those of the program, with those of the folders that forms_dir of the configuration and --forms-dir name."

func (c *cli) formList() *cobra.Command {
	var source formSource
	cmd := &cobra.Command{
		Use: "list", Short: "List the forms", Long: "List the forms, ordered by code.\n" + formSourceHelp, Args: arguments(),
		RunE: func(*cobra.Command, []string) error {
			forms, err := source.forms()
			if err != nil {
				return err
			}
			return c.print(forms.All(), func(w *columns) {
				w.row("CODE", "TITLE", "ISSUED IN", "VALID", "AGREEMENT")
				for _, f := range forms.All() {
					w.row(string(f.Code), f.Title, countries(f.Issuers), months(f.ValidityMonths), f.Agreement)
				}
			})
		},
	}
	source.flags(cmd)
	return cmd
}

func (c *cli) formShow() *cobra.Command {
	var source formSource
	var file bool
	cmd := &cobra.Command{
		Use: "show CODE", Short: "Show the rules of a form",
		Long: "Show the rules of a form. What is marked with ? rests on no published text: a breach of it only warns.\n" +
			"--source prints the form's file instead, to be changed and put into a folder of one's own.\n" + formSourceHelp,
		Args: arguments("CODE"),
		RunE: func(_ *cobra.Command, args []string) error {
			forms, err := source.forms()
			if err != nil {
				return err
			}
			f, ok := forms.ByCode(eco.FormCode(strings.ToUpper(args[0])))
			if !ok {
				return &notFound{fmt.Errorf("there is no form %q; there are %s", args[0], forms.Codes())}
			}
			if file {
				return c.writeFile("-", []byte(f.Source()))
			}
			return c.print(f, func(w *columns) { showForm(w, f) })
		},
	}
	source.flags(cmd)
	cmd.Flags().BoolVar(&file, "source", false, "print the form's file, with its comments")
	return cmd
}

// showForm writes the rules of a form.
func showForm(w *columns, f eco.Form) {
	field := func(key, name, value string) {
		if value != "" && !f.Confirmed(key) {
			name += " ?"
		}
		w.field(name, value)
	}
	w.field("code", string(f.Code))
	w.field("title", f.Title)
	w.field("agreement", f.Agreement)
	w.field("document type", f.DocumentType+" (UNCL 1001)")
	field("issuers", "issued in", countries(f.Issuers))
	field("importers", "taken by", countries(f.Importers))
	field("required", "required", strings.ReplaceAll(strings.Join(f.Required, ", "), "|", " or "))
	field("flags", "flags", strings.ToLower(strings.Join(spoken(f.Flags), ", ")))
	field("hs", "HS code", strings.TrimSpace(positive(f.HS.Digits, "%d digits ")+ofCountry(f.HS.Basis)))
	field("fob_with", "FOB value", prefixed("only with ", strings.Join(f.FOBWith, ", ")))
	field("limits", "limits", limits(f.Limits))
	field("validity_months", "valid for", months(f.ValidityMonths))
	if r := f.Retroactive; r != nil {
		field("retroactive", "retroactive", fmt.Sprintf("when issued more than %d %s days after %s%s", r.Days, r.Unit, r.Base, positive(r.MaxMonths, ", at most %d months after it")))
	}
	field("use", "use", string(f.Use))
	field("clocks", "clocks", clocks(f.Clocks))
	field("retention_years", "records kept", positive(f.RetentionYears, "%d years"))
	field("capitals", "in capitals", prefixed("when issued in ", strings.Join(f.Capitals, ", ")))
	for _, rule := range f.Criteria {
		field("criteria", "criterion", strings.TrimSpace(fmt.Sprintf("%-7s %s%s", rule.Code, rule.Meaning, percentOf(rule))))
	}
	for _, r := range f.References {
		name := "reference"
		if r.Unconfirmed {
			name += " ?"
		}
		w.field(name, strings.TrimSpace(fmt.Sprintf("%s %s", r.Country, r.Body))+": "+r.Layout+prefixed(", from ", r.From.String())+prefixed(", until ", r.Until.String()))
	}
	for _, b := range f.Boxes {
		field("boxes", "box "+b.Number, b.Title+prefixed(": ", strings.Join(b.Holds, ", ")))
	}
}

func percentOf(rule eco.CriterionRule) string {
	if !rule.TakesPercent() {
		return ""
	}
	return fmt.Sprintf(", percentage %s, %s to %s", rule.Percent, rule.Min, rule.Max) + belowUsual(rule)
}

func countries(codes []string) string {
	if len(codes) == 0 {
		return "any country"
	}
	return strings.Join(codes, " ")
}

func months(n int) string { return positive(n, "%d months") }

// positive formats a number that says something.
func positive(n int, format string) string {
	if n == 0 {
		return ""
	}
	return fmt.Sprintf(format, n)
}

// prefixed puts words in front of a text that says something.
func prefixed(prefix, text string) string {
	if text == "" {
		return ""
	}
	return prefix + text
}

func spoken[T ~string](names []T) []string {
	out := make([]string, len(names))
	for i, name := range names {
		out[i] = strings.ReplaceAll(string(name), "_", " ")
	}
	return out
}

func ofCountry(basis string) string {
	if basis == "" {
		return ""
	}
	return "of the " + strings.ToLower(basis) + " country"
}

func limits(l eco.Limits) string {
	return list(
		positive(l.Items, "%d items"), positive(l.ExtraCopies, "%d extra copies"),
		positive(l.Remarks.Lines, "%d lines of remarks")+positive(l.Remarks.Width, " of %d characters"),
		positive(l.Description.Width, "descriptions printed in lines of %d characters"),
	)
}

func clocks(k eco.Clocks) string {
	return list(
		positive(k.RejectNoticeDays, "denial told within %d days"), positive(k.VerificationReplyDays, "check answered within %d"),
		positive(k.VerificationTotalDays, "and ended within %d"), positive(k.VisitConsentDays, "consent to a visit within %d"),
		positive(k.VisitDays, "the visit within %d"), positive(k.ReissueMonths, "copies within %d months"),
	)
}

// list joins what says something.
func list(parts ...string) string {
	var said []string
	for _, part := range parts {
		if part != "" {
			said = append(said, part)
		}
	}
	return strings.Join(said, ", ")
}

// count says how many, of one thing or several.
func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return strconv.Itoa(n) + " " + what + "s"
}

func belowUsual(rule eco.CriterionRule) string {
	if rule.Usual == "" {
		return ""
	}
	return fmt.Sprintf(", below %s for some goods only", rule.Usual)
}
