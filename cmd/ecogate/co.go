package main

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/ecogate/ecogate/api"
	"github.com/ecogate/ecogate/eco"
	"github.com/ecogate/ecogate/exchange"
	"github.com/ecogate/ecogate/partners"
)

func (c *cli) coCommand() *cobra.Command {
	verbs := append([]*cobra.Command{c.coCheck(), c.coSubmit(), c.coTemplate(), c.coShow(), c.coLookup(), c.coFind(), c.coReport(), c.coNotReceived(), c.coPDF()}, c.dealVerbs()...)
	return group("co", "Check, submit, find and print certificates of origin, and what is said of them", verbs...)
}

// lookupFlags are the flags that narrow a look-up.
func lookupFlags(cmd *cobra.Command, q *api.LookupQuery) {
	cmd.Flags().Var((*direction)(&q.Direction), "direction", "inbound or outbound")
	cmd.Flags().StringVar(&q.Country, "country", "", "issuing `country`, two letters")
	cmd.Flags().Var((*form)(&q.Form), "form", "`form` code, such as ATIGA-D")
	cmd.Flags().StringVar(&q.Invoice, "invoice", "", "`number` of an invoice that the certificate names: who knows it may see the certificate")
	cmd.Flags().StringVar(&q.On, "on", "", "`day` for which validity is judged, such as 2026-11-20; today without")
}

func (c *cli) coShow() *cobra.Command {
	var q api.LookupQuery
	cmd := &cobra.Command{
		Use:   "show REFERENCE",
		Short: "Show a certificate and where it stands",
		Long:  "Show every certificate with this reference, in any spelling, that the key may see: its state and what it says.",
		Args:  arguments("REFERENCE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			q.Reference = args[0]
			found, _, err := c.find(cmd.Context(), q)
			if err != nil {
				return err
			}
			return c.print(found, func(w *columns) {
				for i, m := range found.Matches {
					if i > 0 {
						w.row("")
					}
					showMatch(w, m)
				}
			})
		},
	}
	lookupFlags(cmd, &q)
	return cmd
}

func (c *cli) coLookup() *cobra.Command {
	var q api.LookupQuery
	var document string
	cmd := &cobra.Command{
		Use:   "lookup REFERENCE",
		Short: "Say whether a certificate is here and may be used",
		Long: "Say in one line each which certificates bear this reference, in any spelling, and whether a declaration may cite them, then what is left of each item.\n" +
			"A broker sees those of importers that have mandated him, and with --invoice those whose invoice number he knows; for 30 days then without.\n" +
			"With --document the signed UBL document is written to FILE (- for standard output, without the table).",
		Args: arguments("REFERENCE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			q.Reference = args[0]
			found, client, err := c.find(cmd.Context(), q)
			if err != nil {
				return err
			}
			if document != "" {
				if err := c.saveDocument(cmd.Context(), client, found, document); err != nil || document == "-" {
					return err
				}
			}
			return c.print(found, func(w *columns) { verdicts(w, found.Matches); balances(w, found.Matches) })
		},
	}
	lookupFlags(cmd, &q)
	cmd.Flags().StringVar(&document, "document", "", "write the signed document to `FILE`")
	return cmd
}

// find looks a reference up.
func (c *cli) find(ctx context.Context, q api.LookupQuery) (api.Lookup, *api.Client, error) {
	ctx, cancel, client, err := c.connect(ctx, answerTime)
	if err != nil {
		return api.Lookup{}, nil, err
	}
	defer cancel()
	found, err := client.Lookup(ctx, q)
	if err != nil {
		return api.Lookup{}, nil, fmt.Errorf("%s: %w", q.Reference, err)
	}
	return found, client, nil
}

// saveDocument writes the document of the only match.
func (c *cli) saveDocument(ctx context.Context, client *api.Client, found api.Lookup, file string) error {
	if len(found.Matches) > 1 {
		return &usageError{
			text: fmt.Sprintf("%d certificates bear the reference %s", len(found.Matches), found.Reference),
			hint: "name one with --direction, --country or --form",
		}
	}
	m := found.Matches[0]
	if m.Document == nil {
		return &refused{fmt.Errorf("%s: certificate is %s; its document is withheld", found.Reference, m.State)}
	}
	ctx, cancel := context.WithTimeout(ctx, answerTime)
	defer cancel()
	data, err := client.Document(ctx, *m.Document)
	if err != nil {
		return fmt.Errorf("%s: %w", found.Reference, err)
	}
	return c.writeFile(file, data)
}

// verdicts writes one line per match.
func verdicts(w *columns, matches []api.Match) {
	w.row("REFERENCE", "FORM", "COUNTRY", "DIRECTION", "STATE", "USABLE", "PARTNER", "RECORDED")
	for _, m := range matches {
		reference := m.Key.Reference
		if m.Certificate != nil {
			reference = m.Certificate.Reference
		}
		w.row(reference, string(m.Key.Form), m.Key.Country, string(m.Direction), string(m.State), usable(m), m.Partner, instant(m.Recorded))
	}
}

// usable says whether a declaration here may cite a certificate. That is no question about one that was issued here.
func usable(m api.Match) string {
	if m.Direction == exchange.Outbound {
		return "-"
	}
	switch {
	case m.Mode == partners.ModeTest:
		return "no: test"
	case m.PaperDecides:
		return "yes: the paper decides"
	}
	return yesNo(m.Usable)
}

func yesNo(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

// showMatch writes what is known of one certificate.
func showMatch(w *columns, m api.Match) {
	w.field("key", m.Key.String())
	w.field("number", strconv.FormatUint(m.Seq, 10))
	w.field("direction", string(m.Direction))
	w.field("state", string(m.State))
	w.field("usable", usable(m))
	w.field("partner", m.Partner)
	w.field("mode", string(m.Mode))
	w.field("message", m.MessageID)
	w.field("recorded", instant(m.Recorded))
	if p := m.IssuedOnPaper; p != nil {
		w.field("issued on paper", fmt.Sprintf("%s of %s: %s", p.Number, p.IssuedAt, p.Reason))
	}
	if m.Document != nil {
		w.field("document", fmt.Sprintf("%d bytes, sha256 %s", m.Document.Size, m.Document.SHA256))
		w.field("signed by", m.Document.Signer)
		if s := m.Document.SignerRevoked; s != nil {
			w.field("signer revoked", s.String())
		}
	}
	if m.Certificate != nil {
		showCertificate(w, m.Certificate)
	}
	showVerdict(w, m.Verdict)
	showDealings(w, m.Dealings)
	for _, d := range m.Deadlines {
		w.row("until "+d.Due.String(), deadline(d))
	}
	findings(w, m.Findings)
}

// deadline is what is to be done, by whom, and whether it is late.
func deadline(d api.Deadline) string {
	text := string(d.Kind)
	if d.Verification != "" {
		text += " " + d.Verification
	}
	text += ", " + string(d.Owner) + " side"
	if d.Unconfirmed {
		text += ", by a figure that is not confirmed"
	}
	if d.Overdue {
		text += ", OVERDUE"
	}
	return text
}

func showCertificate(w *columns, c *eco.Certificate) {
	w.field("reference", c.Reference)
	w.field("status", string(c.Status))
	w.field("issued", c.IssuedAt.String()+" by "+c.IssuingBody.ID+" "+c.IssuingBody.Name)
	w.field("exporter", c.Exporter.Name)
	w.field("consignee", c.Consignee.Name)
	if c.Importer != nil {
		w.field("importer", c.Importer.Name)
	}
	w.field("importing country", c.ImportingCountry)
	for _, item := range c.Items {
		line := item.Description
		if item.HS != "" {
			line = "HS " + item.HS + "  " + line
		}
		w.row("item "+strconv.Itoa(item.Number), line)
	}
	for _, invoice := range c.Invoices {
		w.row("invoice", invoice.Number)
	}
}

func findings(w *columns, list []eco.Finding) {
	for _, f := range list {
		w.row(string(f.Severity), f.Code+" "+f.Path+": "+f.Text)
	}
}

// direction is a flag that takes a direction.
type direction exchange.Direction

func (d *direction) String() string { return string(*d) }
func (d *direction) Type() string   { return "direction" }

// Set takes one of the two words.
func (d *direction) Set(s string) error {
	switch v := exchange.Direction(s); v {
	case exchange.Inbound, exchange.Outbound:
		*d = direction(v)
		return nil
	}
	return errors.New("want inbound or outbound")
}

// form is a flag that takes a form's code in any case.
type form string

func (f *form) String() string { return string(*f) }
func (f *form) Type() string   { return "form" }

// Set takes a code. Which there are is for the node to say: its configuration may add some.
func (f *form) Set(s string) error {
	code := strings.ToUpper(s)
	if !formCode.MatchString(code) {
		return fmt.Errorf("want a code such as %s", eco.DefaultForms().Codes())
	}
	*f = form(code)
	return nil
}

var formCode = regexp.MustCompile(`^[A-Z0-9]+(-[A-Z0-9]+)*$`)
