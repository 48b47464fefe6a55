package main

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/ecogate/ecogate/eco"
	"github.com/ecogate/ecogate/intake"
	"github.com/ecogate/ecogate/partners"
)

// checkedFile is what "co check --json" tells.
type checkedFile struct {
	File string `json:"file"`
	// Partner is whose quirks were looked at too; "" for none.
	Partner string `json:"partner,omitempty"`
	// Errors and Warnings count those of all certificates.
	Errors       int                  `json:"errors"`
	Warnings     int                  `json:"warnings"`
	Certificates []checkedCertificate `json:"certificates"`
}

// checkedCertificate is one of the file.
type checkedCertificate struct {
	Reference string       `json:"reference"`
	Form      eco.FormCode `json:"form"`
	// Place is where a spreadsheet has it.
	Place    string         `json:"place,omitempty"`
	Errors   int            `json:"errors"`
	Warnings int            `json:"warnings"`
	Findings []placed       `json:"findings"`
	Unplaced []intake.Field `json:"unplaced,omitempty"`
}

// placed is a finding with its place in the file, if that is not the path itself.
type placed struct {
	eco.Finding
	Place string `json:"place,omitempty"`
}

// certificateCheck are the flags of one check.
type certificateCheck struct {
	source  formSource
	partner string
	form    form
	from    fileFormat
}

func (c *cli) coCheck() *cobra.Command {
	var check certificateCheck
	cmd := &cobra.Command{
		Use:   "check FILE [--to PARTNER | --form CODE] [--from FORMAT]",
		Short: "Say what is wrong with certificates, before they are submitted",
		Long: "Check the certificates of a file against the rules of their forms and, with --to, against what PARTNER is known to refuse under\n" +
			"the agreement in force. FILE is what \"co submit\" takes: a certificate in JSON (- reads standard input), in the JSON of UN/CEFACT, or\n" +
			"a spreadsheet (XLSX, CSV); its extension tells, or --from. No node is asked: --to reads the configuration file only, and a\n" +
			"running node may have a newer agreement in its registry (\"agreement show\"); --form needs not even the file. It states the form of a\n" +
			"certificate that does not; one that states another is refused. Errors keep a certificate from being submitted, warnings do not.\n" + formSourceHelp,
		Args: arguments("FILE"),
		RunE: func(_ *cobra.Command, args []string) error {
			checked, forms, err := c.checkFile(args[0], check)
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
	cmd.Flags().StringVar(&check.partner, "to", "", "`partner` that they are for")
	cmd.Flags().Var(&check.form, "form", "`form` code of the certificates, such as ATIGA-D")
	cmd.Flags().Var(&check.from, "from", "`format` of FILE: json, uncefact, xlsx or csv")
	return cmd
}

func (c *cli) checkFile(file string, check certificateCheck) (checkedFile, eco.Forms, error) {
	checked := checkedFile{File: file, Partner: check.partner}
	forms, err := check.source.forms()
	if err != nil {
		return checked, forms, err
	}
	data, err := c.readFile(file)
	if err != nil {
		return checked, forms, fmt.Errorf("certificate: %w", err)
	}
	found, err := intake.Read(check.from.of(file), data, forms)
	if err != nil {
		return checked, forms, &refused{fmt.Errorf("%s: %w", inputName(file), err)}
	}
	for _, one := range found {
		certificate, err := c.checkCertificate(one, check, forms)
		if err != nil {
			return checked, forms, fmt.Errorf("%s: %w", inputName(file), err)
		}
		checked.Errors += certificate.Errors
		checked.Warnings += certificate.Warnings
		checked.Certificates = append(checked.Certificates, certificate)
	}
	return checked, forms, nil
}

func (c *cli) checkCertificate(found intake.Import, check certificateCheck, forms eco.Forms) (checkedCertificate, error) {
	certificate := found.Certificate
	switch stated := eco.FormCode(check.form); {
	case stated != "" && certificate.Form == "":
		certificate.Form = stated
	case stated != "" && certificate.Form != stated:
		return checkedCertificate{}, &refused{fmt.Errorf("the certificate is of form %s, not %s", certificate.Form, stated)}
	}
	quirks, err := c.quirksOf(check, certificate.Form)
	if err != nil {
		return checkedCertificate{}, err
	}
	certificate, findings := eco.Clean(certificate)
	findings = append(findings, eco.Validate(certificate, forms, quirks, c.now())...)
	checked := checkedCertificate{Reference: certificate.Reference, Form: certificate.Form, Place: found.Place(""), Unplaced: found.Unplaced}
	for _, f := range found.Findings {
		checked.add(placed{Finding: f})
	}
	for _, f := range findings {
		one := placed{Finding: f, Place: found.Place(f.Path)}
		if one.Place == f.Path {
			one.Place = ""
		}
		checked.add(one)
	}
	return checked, nil
}

func (c *checkedCertificate) add(f placed) {
	if f.Severity == eco.SeverityError {
		c.Errors++
	} else {
		c.Warnings++
	}
	c.Findings = append(c.Findings, f)
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

// tell explains the findings to people, each with its place on the form and in the file.
func (c checkedFile) tell(w *columns, forms eco.Forms) {
	for i, certificate := range c.Certificates {
		if i > 0 {
			w.row("")
		}
		certificate.tell(w, c.Partner, forms)
	}
}

func (c checkedCertificate) tell(w *columns, partner string, forms eco.Forms) {
	form, known := forms.ByCode(c.Form)
	title := form.Title
	if !known {
		title = "of no form that is known"
	}
	verdict := fmt.Sprintf("certificate %s, %s%s%s: ", c.Reference, title, prefixed(", for ", partner), prefixed(", at ", c.Place))
	switch {
	case len(c.Findings) == 0:
		verdict += "nothing is wrong"
	default:
		verdict += count(c.Errors, "error") + ", " + count(c.Warnings, "warning")
	}
	w.row(verdict)
	for _, f := range c.Findings {
		w.row("")
		w.row(string(f.Severity) + " " + f.Code + " at " + placeOf(form, f.Path) + prefixed(", ", f.Place))
		w.row("  " + f.Text)
		if f.Fix != "" {
			w.row("  to do: " + f.Fix)
		}
	}
	leftOut(w, c.Unplaced)
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
