package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/ecogate/ecogate/api"
	"github.com/ecogate/ecogate/eco"
	"github.com/ecogate/ecogate/partners/issuerlist"
)

func (c *cli) issuerImport() *cobra.Command {
	var partner string
	var change api.Change
	cmd := &cobra.Command{
		Use:   "import FILE --partner PARTNER",
		Short: "Take a partner's signed list of issuers into the node's registry",
		Long: "Have the node take a partner's signed list of issuers (XML-DSig or CMS; - reads standard input) in the place of what it knew: one new\n" +
			"version of the partner, in force at once, which \"partner restore\" can undo. With --dry-run it says what would change, and changes nothing.\n" +
			"Certificates that waited for an office or signatory which is on the list now are released within a minute.",
		Args: arguments("FILE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if partner == "" {
				return &usageError{text: "--partner PARTNER is missing", command: cmd.CommandPath()}
			}
			file, err := c.readWhole(args[0])
			if err != nil {
				return err
			}
			return deal(cmd.Context(), c, answerTime, inputName(args[0]),
				func(ctx context.Context, client *api.Client) (api.TakenIssuerList, error) {
					return client.TakeIssuerList(ctx, partner, file, change)
				},
				func(w *columns, taken api.TakenIssuerList) {
					tellList(w, taken.Report)
					done := fmt.Sprintf("version %d of partner %s", taken.Version, partner)
					if taken.DryRun {
						done = "nothing; it would be " + done
					}
					w.row("taken", done)
				})
		},
	}
	cmd.Flags().StringVar(&partner, "partner", "", "`partner` whose list it is")
	changeFlags(cmd, &change)
	return cmd
}

func (c *cli) issuerList() *cobra.Command {
	return &cobra.Command{
		Use:   "list [PARTNER]",
		Short: "List issuing bodies, and the signed lists that they were taken from",
		Long:  "List the issuing bodies of one partner, or of all, as the node knows them now, with the number of the list that they were taken from.",
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) > 1 {
				return &usageError{text: fmt.Sprintf("argument %q is one too many", args[1]), command: cmd.CommandPath()}
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			return deal(cmd.Context(), c, answerTime, strings.Join(args, ""),
				func(ctx context.Context, client *api.Client) ([]issuerlist.Issuers, error) {
					return issuersOf(ctx, client, args)
				},
				listIssuers)
		},
	}
}

// issuersOf asks for the issuers of partners, or of all.
func issuersOf(ctx context.Context, client *api.Client, ids []string) ([]issuerlist.Issuers, error) {
	if len(ids) == 0 {
		list, err := client.Partners(ctx)
		if err != nil {
			return nil, err
		}
		for _, p := range list {
			ids = append(ids, p.ID)
		}
	}
	all := []issuerlist.Issuers{}
	for _, id := range ids {
		one, err := client.Issuers(ctx, id)
		if err != nil {
			return nil, err
		}
		all = append(all, one)
	}
	return all, nil
}

func listIssuers(w *columns, all []issuerlist.Issuers) {
	w.row("PARTNER", "BODY", "COUNTRY", "FORMS", "WINDOW", "OFFICES", "SIGNATORIES", "CREDENTIALS", "LIST")
	for _, one := range all {
		for _, b := range one.Bodies {
			w.row(one.Partner, b.ID, b.Country, strings.Join(spoken(b.Forms), " "), windowText(b.From, b.Until),
				countOr(len(b.Offices), "any"), countOr(len(b.Signatories), "any"), countOr(len(b.Credentials), "none"), takenText(one.List))
		}
	}
}

func countOr(n int, none string) string {
	if n == 0 {
		return none
	}
	return fmt.Sprint(n)
}

func takenText(l *issuerlist.Taken) string {
	switch {
	case l == nil:
		return "none"
	case l.Overdue:
		return fmt.Sprintf("%d, the next was due %s", l.Number, instant(l.NextUpdate))
	}
	return fmt.Sprint(l.Number)
}

func windowText(from, until time.Time) string {
	switch {
	case from.IsZero() && until.IsZero():
		return "always"
	case from.IsZero():
		return "until " + instant(until)
	}
	return "from " + instant(from) + prefixed(" until ", instant(until))
}

func (c *cli) issuerShow() *cobra.Command {
	return &cobra.Command{
		Use:   "show PARTNER BODY",
		Short: "Show one issuing body: forms, offices, signatories and credentials",
		Args:  arguments("PARTNER", "BODY"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return deal(cmd.Context(), c, answerTime, args[0],
				func(ctx context.Context, client *api.Client) ([]issuerlist.Body, error) {
					return bodiesOf(ctx, client, args[0], args[1])
				},
				func(w *columns, bodies []issuerlist.Body) {
					for _, b := range bodies {
						showBody(w, b)
					}
				})
		},
	}
}

// bodiesOf are the entries of one body; it may have several.
func bodiesOf(ctx context.Context, client *api.Client, partner, body string) ([]issuerlist.Body, error) {
	one, err := client.Issuers(ctx, partner)
	if err != nil {
		return nil, err
	}
	var found []issuerlist.Body
	for _, b := range one.Bodies {
		if b.ID == body {
			found = append(found, b)
		}
	}
	if found == nil {
		return nil, &hinted{&notFound{fmt.Errorf("no issuing body %q", body)}, fmt.Sprintf("%q lists them", "ecogate issuer list "+partner)}
	}
	return found, nil
}

func showBody(w *columns, b issuerlist.Body) {
	w.row("issuing body", b.ID+prefixed(", ", b.Name)+" of "+b.Country)
	w.row("  forms", strings.Join(spoken(b.Forms), " "))
	w.row("  may issue", windowText(b.From, b.Until))
	for _, o := range b.Offices {
		w.row("office", o.ID+prefixed(", ", o.Name), windowText(o.From, o.Until))
	}
	for _, s := range b.Signatories {
		w.row("signatory", s.Name, windowText(s.From, s.Until), prefixed("offices ", strings.Join(s.Offices, " ")))
	}
	for _, cred := range b.Credentials {
		w.row("credential", cred.Subject, windowText(cred.From, cred.Until), string(cred.State)+prefixed(": ", cred.Why))
		w.row("  sha-256", cred.SHA256, prefixed("offices ", strings.Join(cred.Offices, " ")), prefixed("forms ", strings.Join(spoken(cred.Forms), " ")))
	}
}

func (c *cli) coHeld() *cobra.Command {
	return &cobra.Command{
		Use:   "held",
		Short: "List the certificates whose office or signatory is not on the list of issuers",
		Long: "List the certificates that partners sent and that are suspended because their office or signatory is not on the list of issuers, newest\n" +
			"first, 500 at most. \"issuer import\" takes a newer list, which releases what it names; \"co release\" releases one by hand.",
		Args: arguments(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return deal(cmd.Context(), c, answerTime, "certificates",
				func(ctx context.Context, client *api.Client) ([]api.Held, error) { return client.Holds(ctx) },
				func(w *columns, all []api.Held) {
					w.row("PARTNER", "CERTIFICATE", "STATE", "BODY", "OFFICE", "SIGNATORY", "DOUBT")
					for _, h := range all {
						w.row(h.Partner, h.Key.String(), string(h.State), h.Body, h.Office, h.Signatory, doubts(h.Findings))
					}
				})
		},
	}
}

func doubts(findings []eco.Finding) string {
	var texts []string
	for _, f := range findings {
		texts = append(texts, f.Text)
	}
	return strings.Join(texts, "; ")
}

func (c *cli) coRelease() *cobra.Command {
	var in api.ReleaseRequest
	cmd := &cobra.Command{
		Use:   "release REFERENCE --why TEXT",
		Short: "Let a certificate go on whose office or signatory is not on the list of issuers",
		Long:  "Let a certificate go on that is suspended because its office or signatory is not on the list of issuers, once it is known that they may issue.",
		Args:  arguments("REFERENCE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if in.Why == "" {
				return &usageError{text: "--why TEXT is missing", command: cmd.CommandPath()}
			}
			in.Reference = args[0]
			return deal(cmd.Context(), c, answerTime, args[0],
				func(ctx context.Context, client *api.Client) (api.Held, error) { return client.Release(ctx, in) },
				func(w *columns, h api.Held) { w.row("certificate", h.Key.String()+" is "+string(h.State)) })
		},
	}
	namedFlags(cmd, &in.Named)
	cmd.Flags().StringVar(&in.Why, "why", "", "`text` for the audit log: how it is known that they may issue")
	return cmd
}
