package main

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/ecogate/ecogate/api"
	"github.com/ecogate/ecogate/clearance/lookup"
	"github.com/ecogate/ecogate/eco"
)

func (c *cli) coFind() *cobra.Command {
	var q api.SearchQuery
	cmd := &cobra.Command{
		Use:   "find",
		Short: "Search received certificates",
		Long: "Search received certificates by whatever is known of them, newest first; all that is given must hold. A broker or importer finds what is for his own\n" +
			"parties and for those that have mandated him. Parties are written SCHEME:VALUE, such as TAX:199001000123, or NAME:..., such as 'NAME:Acme Ltd'.",
		Args: arguments(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return deal(cmd.Context(), c, answerTime, "", func(ctx context.Context, client *api.Client) (api.FoundPage, error) { return client.Search(ctx, q) }, showFound)
		},
	}
	f := cmd.Flags()
	f.StringVar(&q.Reference, "reference", "", "`reference` in any spelling")
	f.StringVar(&q.Invoice, "invoice", "", "`number` of an invoice")
	f.StringVar(&q.Exporter, "exporter", "", "`party` that exports")
	f.StringVar(&q.Importer, "importer", "", "`party` that imports: importer, consignee or party to notify")
	f.StringVar(&q.TransportDocument, "transport-document", "", "`number` of a bill of lading or waybill")
	f.StringVar(&q.IssuedFrom, "issued-from", "", "first `day` of issue")
	f.StringVar(&q.IssuedUntil, "issued-until", "", "last `day` of issue")
	f.StringVar(&q.ReceivedFrom, "received-from", "", "`day` or instant before which it was not received")
	f.StringVar(&q.ReceivedUntil, "received-until", "", "`day` or instant before which it was received")
	f.Var((*form)(&q.Form), "form", "`form` code, such as ATIGA-D")
	f.StringVar(&q.Country, "country", "", "issuing `country`, two letters")
	f.StringVar(&q.Partner, "partner", "", "`partner` that sent it")
	f.StringVar((*string)(&q.State), "state", "", "`state`, such as available")
	f.StringVar(&q.On, "on", "", "`day` for which validity is judged; today without")
	f.Uint64Var(&q.Before, "before", 0, "only records with a smaller `number`: the next page")
	f.IntVar(&q.Limit, "limit", 0, "at most so `many`, up to 500 (default 100)")
	return cmd
}

func showFound(w *columns, p api.FoundPage) {
	if len(p.Certificates) == 0 {
		w.row("none")
		return
	}
	foundHeader(w)
	for _, f := range p.Certificates {
		foundRow(w, f)
	}
	if p.Next != 0 {
		w.row("more with --before " + strconv.FormatUint(p.Next, 10))
	}
}

func foundHeader(w *columns) {
	w.row("NUMBER", "REFERENCE", "FORM", "COUNTRY", "STATE", "USABLE", "VALID UNTIL", "IMPORTER", "INVOICES")
}

func foundRow(w *columns, f api.Found) {
	reference := f.Reference
	if reference == "" {
		reference = f.Key.Reference
	}
	w.row(strconv.FormatUint(f.Seq, 10), reference, string(f.Key.Form), f.Key.Country, string(f.Verdict.State), usability(f.Verdict), validUntil(f.Verdict),
		f.Importer, strings.Join(f.Invoices, " "))
}

// usability says whether a declaration may cite a certificate, and why not.
func usability(v lookup.Verdict) string {
	switch {
	case !v.Usable:
		return "no: " + v.WhyNot
	case v.Filing.Filing == lookup.FilingParallel:
		return "yes: the paper decides"
	}
	return "yes"
}

func validUntil(v lookup.Verdict) string {
	if v.Validity.Until.IsZero() {
		return "-"
	}
	return v.Validity.Until.String()
}

// validity says the same in words.
func validity(v lookup.Verdict) string {
	if v.Validity.Until.IsZero() {
		return "valid without end"
	}
	return "valid until " + validUntil(v)
}

// showVerdict writes what a received certificate is worth.
func showVerdict(w *columns, v *lookup.Verdict) {
	if v == nil {
		return
	}
	w.field("on "+v.Validity.On.String(), usability(*v))
	w.field("valid until", validUntil(*v))
	filing := string(v.Filing.Filing)
	if v.Filing.Fallback {
		filing += "; the exchange is interrupted: paper is taken for what has not arrived"
	}
	w.field("filing", filing)
	if v.ReplacedBy != nil {
		w.field("replaced by", v.ReplacedBy.String())
	}
	if v.Replaces != nil {
		w.field("replaces", v.Replaces.String())
	}
	for _, step := range v.Chain {
		at := "-"
		if !step.At.IsZero() {
			at = instant(step.At)
		}
		w.row("since "+at, string(step.State))
	}
	for _, b := range v.Balances {
		w.row("item "+strconv.Itoa(b.Item)+" left", balanceText(b))
	}
}

func balanceText(b lookup.Balance) string {
	if b.Denied {
		return "denied"
	}
	if b.Declared == nil {
		return "quantity is not known"
	}
	text := measure(b.Free) + " of " + measure(b.Declared)
	if b.Reserved != nil && b.Reserved.Value.Sign() > 0 {
		text += ", reserved " + measure(b.Reserved)
	}
	if b.Used != nil && b.Used.Value.Sign() > 0 {
		text += ", used " + measure(b.Used)
	}
	return text
}

func measure(m *eco.Measure) string {
	if m == nil {
		return "-"
	}
	return string(m.Value) + " " + m.Unit
}

// balances writes what is left of each item of certificates that may be cited.
func balances(w *columns, matches []api.Match) {
	for _, m := range matches {
		if m.Verdict == nil {
			continue
		}
		w.row("")
		w.field(m.Key.String(), "on "+m.Verdict.Validity.On.String()+": "+usability(*m.Verdict)+", "+validity(*m.Verdict)+", filing "+string(m.Verdict.Filing.Filing))
		for _, b := range m.Verdict.Balances {
			w.row("item "+strconv.Itoa(b.Item), balanceText(b))
		}
	}
}

func (c *cli) coReport() *cobra.Command {
	var q api.LookupQuery
	cmd := &cobra.Command{
		Use:   "report REFERENCE",
		Short: "Say what was verified of a received certificate, when and with which credentials",
		Long: "Say what was verified of a received certificate, when and with which credentials, and compare its stored octets with their digest once more. The text is for\n" +
			"the file of a declaration; with --json it is for programs.",
		Args: arguments("REFERENCE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			q.Reference = args[0]
			return deal(cmd.Context(), c, answerTime, args[0],
				func(ctx context.Context, client *api.Client) (lookup.Report, error) {
					return client.Verification(ctx, q)
				},
				func(w *columns, r lookup.Report) {
					for line := range strings.Lines(r.Text()) {
						w.row(strings.TrimRight(line, "\n"))
					}
				})
		},
	}
	lookupFlags(cmd, &q)
	return cmd
}

const notReceivedHelp = `Write a statement of the node that a certificate had not been received, for the guarantee file of goods that are cleared without it: CMS SignedData
in DER, signed by the node's key for messages, with the statement as JSON inside. "ecogate cms verify FILE --credential node.pem --out -" checks it, and so does
"openssl cms -verify -inform DER -purpose any -CAfile FILE" with the CAs above that credential.

Officers and the customs system get it about all certificates with the reference. A broker or importer names the importer or an invoice that it is about; without
either it speaks of those only that he may see. It is refused where the certificate is here.`

func (c *cli) coNotReceived() *cobra.Command {
	var in api.NotReceivedRequest
	var out string
	cmd := &cobra.Command{
		Use:   "not-received REFERENCE --out FILE",
		Short: "Write a signed statement that a certificate had not been received",
		Long:  notReceivedHelp,
		Args:  arguments("REFERENCE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if out == "" {
				return &usageError{text: "--out FILE is missing", command: cmd.CommandPath()}
			}
			in.Reference = args[0]
			ctx, cancel, client, err := c.connect(cmd.Context(), answerTime)
			if err != nil {
				return err
			}
			defer cancel()
			signed, err := client.NotReceived(ctx, in)
			if err != nil {
				return fmt.Errorf("%s: %w", args[0], err)
			}
			return c.writeFile(out, signed)
		},
	}
	cmd.Flags().StringVar(&out, "out", "", "`file` to write; - for standard output")
	cmd.Flags().StringVar(&in.Country, "country", "", "issuing `country`, two letters")
	cmd.Flags().Var((*form)(&in.Form), "form", "`form` code, such as ATIGA-D")
	cmd.Flags().StringVar(&in.Importer, "importer", "", "`party` for whom it had not been received: SCHEME:VALUE or NAME:...")
	cmd.Flags().StringVar(&in.Invoice, "invoice", "", "`number` of an invoice that it would name")
	return cmd
}
