package main

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/ecogate/ecogate/eco"
	"github.com/ecogate/ecogate/partners"
)

// checkedCertificate is what "co check --json" tells.
type checkedCertificate struct {
	File      string       `json:"file"`
	Reference string       `json:"reference"`
	Form      eco.FormCode `json:"form"`
	// Partner is whose quirks were looked at too; "" for none.
	Partner  string        `json:"partner,omitempty"`
	Errors   int           `json:"errors"`
	Warnings int           `json:"warnings"`
	Findings []eco.Finding `json:"findings"`
}

// certificateCheck are the flags of one check.
type certificateCheck struct {
	source  formSource
	partner string
	form    form
}

func (c *cli) coCheck() *cobra.Command {
	var check certificateCheck
	cmd := &cobra.Command{
		Use:   "check FILE [--to PARTNER | --form CODE]",
		Short: "Say what is wrong with a certificate, before it is submitted",
		Long: "Check a certificate (JSON; - reads standard input) against the rules of its form and, with --to, against what PARTNER is known to\n" +
			"refuse under the agreement in force. No node is asked: --to needs the configuration only, --form not even that. --form states the\n" +
			"form of a certificate that does not; one that states another is refused. Errors keep a certificate from being submitted, warnings\n" +
			"do not.\n" + formSourceHelp,
		Args: arguments("FILE"),
		RunE: func(_ *cobra.Command, args []string) error {
			checked, forms, err := c.checkCertificate(args[0], check)
			if err != nil {
				return err
			}
			if err := c.print(checked, func(w *columns) { checked.tell(w, forms) }); err != nil {
				return err
			}
			if checked.Errors > 0 {
				return &refused{fmt.Errorf("%s: %s", inputName(args[0]), count(checked.Errors, "error"))}
			}
			return nil
		},
	}
	check.source.flags(cmd)
	cmd.Flags().StringVar(&check.partner, "to", "", "`partner` that it is for")
	cmd.Flags().Var(&check.form, "form", "`form` code of the certificate, such as ATIGA-D")
	return cmd
}

func (c *cli) checkCertificate(file string, check certificateCheck) (checkedCertificate, eco.Forms, error) {
	var none checkedCertificate
	forms, err := check.source.forms()
	if err != nil {
		return none, forms, err
	}
	data, err := c.readFile(file)
	if err != nil {
		return none, forms, fmt.Errorf("certificate: %w", err)
	}
	certificate, err := eco.Decode(data)
	if err != nil {
		return none, forms, &refused{fmt.Errorf("%s: %w", inputName(file), err)}
	}
	switch stated := eco.FormCode(check.form); {
	case stated != "" && certificate.Form == "":
		certificate.Form = stated
	case stated != "" && certificate.Form != stated:
		return none, forms, &refused{fmt.Errorf("%s: the certificate is of form %s, not %s", inputName(file), certificate.Form, stated)}
	}
	quirks, err := c.quirksOf(check, certificate.Form)
	if err != nil {
		return none, forms, err
	}
	certificate, findings := eco.Clean(certificate)
	findings = append(findings, eco.Validate(certificate, forms, quirks, c.now())...)
	checked := checkedCertificate{File: file, Reference: certificate.Reference, Form: certificate.Form, Partner: check.partner, Findings: findings}
	for _, f := range findings {
		if f.Severity == eco.SeverityError {
			checked.Errors++
		} else {
			checked.Warnings++
		}
	}
	return checked, forms, nil
}

// quirksOf are those that certificates of the form meet at the partner; none without a partner.
func (c *cli) quirksOf(check certificateCheck, form eco.FormCode) (eco.Quirks, error) {
	if check.partner == "" {
		return eco.Quirks{}, nil
	}
	cfg, err := loadConfig(check.source.config)
	if err != nil {
		return eco.Quirks{}, err
	}
	quirks, err := cfg.Registry().QuirksFor(check.partner, form, c.now())
	switch {
	case errors.Is(err, partners.ErrUnknownPartner):
		return quirks, &hinted{&notFound{err}, "partners are listed under partners in the configuration"}
	case err != nil:
		return quirks, &hinted{&refused{err}, "agreements in the configuration say which forms travel to which partner, and when"}
	}
	return quirks, nil
}

// tell explains the findings to people, each with its place on the form.
func (c checkedCertificate) tell(w *columns, forms eco.Forms) {
	form, _ := forms.ByCode(c.Form)
	verdict := fmt.Sprintf("certificate %s, %s%s: ", c.Reference, form.Title, prefixed(", for ", c.Partner))
	switch {
	case len(c.Findings) == 0:
		verdict += "nothing is wrong"
	default:
		verdict += count(c.Errors, "error") + ", " + count(c.Warnings, "warning")
	}
	w.row(verdict)
	for _, f := range c.Findings {
		w.row("")
		w.row(string(f.Severity) + " " + f.Code + " at " + placeOf(form, f.Path))
		w.row("  " + f.Text)
		if f.Fix != "" {
			w.row("  to do: " + f.Fix)
		}
	}
}

var itemPath = regexp.MustCompile(`^items\[([0-9]+)\]`)

// placeOf says where a path leads to on paper: "box 9, item 2 (items[1].fob)".
func placeOf(form eco.Form, path string) string {
	var place []string
	if box, ok := form.BoxOf(path); ok {
		place = append(place, "box "+box.Number)
	}
	if m := itemPath.FindStringSubmatch(path); m != nil {
		if n, err := strconv.Atoi(m[1]); err == nil {
			place = append(place, "item "+strconv.Itoa(n+1))
		}
	}
	if len(place) == 0 {
		return path
	}
	return strings.Join(place, ", ") + " (" + path + ")"
}
