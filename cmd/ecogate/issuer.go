package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/ecogate/ecogate/api"
	"github.com/ecogate/ecogate/internal/config"
	"github.com/ecogate/ecogate/partners"
	"github.com/ecogate/ecogate/partners/issuerlist"
)

func (c *cli) issuerCommand() *cobra.Command {
	return group("issuer", "Who may issue certificates: bodies, offices, signatories, credentials, and signed lists of them", c.issuerList(), c.issuerShow(), c.issuerCheck(), c.issuerImport(), c.issuerExport())
}

func (c *cli) issuerCheck() *cobra.Command {
	var file, partner string
	cmd := &cobra.Command{
		Use:   "check FILE --partner PARTNER",
		Short: "Say whether a partner's list of issuers can be taken, and what it changes",
		Long: "Verify a partner's signed list of issuers (XML-DSig or CMS; - reads standard input) under its credentials with use issuer-list, and say\n" +
			"what it adds, removes and changes. A list that is older than the one taken last, does not hold yet, or is of another administration is\n" +
			"refused. Nothing is changed, and no node is asked: what a node took over from a list before is known to the node alone.",
		Args: arguments("FILE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if partner == "" {
				return &usageError{text: "--partner PARTNER is missing", command: cmd.CommandPath()}
			}
			cfg, registry, err := c.registry(file)
			if err != nil {
				return err
			}
			list, err := c.readWhole(args[0])
			if err != nil {
				return err
			}
			signed, report, err := issuerlist.Examine(registry, partner, list, c.now())
			if err == nil {
				err = signed.Try(cfg.Registry(), partner, c.now())
			}
			switch {
			case errors.Is(err, partners.ErrUnknownPartner):
				return &hinted{&notFound{err}, "partners are listed under partners in the configuration"}
			case err != nil:
				return &refused{fmt.Errorf("%s: %w", inputName(args[0]), err)}
			}
			return c.print(report, func(w *columns) { tellList(w, report) })
		},
	}
	configFlag(cmd, &file)
	cmd.Flags().StringVar(&partner, "partner", "", "`partner` whose list it is")
	return cmd
}

// registry gives the configuration with what it says of partners.
func (c *cli) registry(file string) (config.Config, *partners.Registry, error) {
	cfg, err := loadConfig(file)
	if err != nil {
		return cfg, nil, err
	}
	registry, err := partners.New(cfg.Registry())
	return cfg, registry, cfg.PartnerProblems(err)
}

func tellList(w *columns, r issuerlist.Report) {
	w.row("partner", r.Partner+prefixed(", ", r.Administration))
	w.row("list", fmt.Sprintf("number %d, issued %s, valid from %s%s", r.Number, instant(r.Issued), instant(r.ValidFrom), prefixed(", next update ", instant(r.NextUpdate))))
	w.row("signed by", r.Signer)
	w.row("  sha-256", r.SignerSHA256)
	for _, text := range r.Warnings {
		w.row("warning", text)
	}
	for _, d := range r.Differences {
		text := firstSet(d.After, d.Before)
		if d.Change == issuerlist.ChangeAltered {
			text = d.Before + " -> " + d.After
		}
		w.row(d.Change, d.What+": "+text)
	}
	if len(r.Differences) == 0 {
		w.row("differences", "none")
	}
}

// exported is what "issuer export --json" tells.
type exported struct {
	File       string    `json:"file"`
	Number     int       `json:"number"`
	Issued     time.Time `json:"issued"`
	ValidFrom  time.Time `json:"valid_from"`
	NextUpdate time.Time `json:"next_update,omitzero"`
	Bodies     []string  `json:"issuing_bodies"`
	Signer     string    `json:"signer_sha256"`
}

// listFlags say what a list is to say beside its bodies.
type listFlags struct {
	out       string
	number    int
	validFrom instantFlag
	within    span
	cms       bool
	node      bool
}

func (c *cli) issuerExport() *cobra.Command {
	var file string
	var flags listFlags
	cmd := &cobra.Command{
		Use:   "export --out FILE",
		Short: "Write the signed list of our own issuers for partners",
		Long: "Write the list of the issuing bodies of the configuration, with their forms, offices, signatories and credentials, signed with the node's\n" +
			"key that has use issuer-list: an XML document with its signature in it, or with --cms inside CMS SignedData (DER).\n\n" +
			"A key that waits for its time is on the list; one whose time is over is not, so export anew when what it signed has arrived.\n" +
			"With --node the running node writes and signs it, with the keys that it has now: those that \"key stage\" and \"key activate\" brought are in\n" +
			"its registry, and not in the configuration.",
		Args: arguments(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if flags.out == "" {
				return &usageError{text: "--out FILE is missing", command: cmd.CommandPath()}
			}
			if file == "" && !flags.node {
				return &usageError{text: "--config FILE or --node is missing", command: cmd.CommandPath()}
			}
			return c.exportIssuers(cmd.Context(), file, flags)
		},
	}
	configFlag(cmd, &file)
	f := cmd.Flags()
	f.StringVar(&flags.out, "out", "", "`file` to write; - for standard output, and nothing else")
	f.IntVar(&flags.number, "number", 0, "`number` of the list, above that of the last; by default the seconds since 1970")
	f.Var(&flags.validFrom, "valid-from", "`instant` from which it holds: a day, or RFC 3339; by default now")
	f.Var(&flags.within, "next-update", "`time` from then within which the next list will come, such as 180d; by default not said")
	f.BoolVar(&flags.node, "node", false, "have the running node write it")
	f.BoolVar(&flags.cms, "cms", false, "sign with CMS in place of XML-DSig")
	return cmd
}

func (c *cli) exportIssuers(ctx context.Context, file string, flags listFlags) error {
	list, err := c.issueList(ctx, file, issuerlist.Order{
		Number: flags.number, ValidFrom: time.Time(flags.validFrom), NextUpdate: time.Duration(flags.within), CMS: flags.cms,
	}, flags.node)
	switch p := (*api.Problem)(nil); {
	case errors.Is(err, partners.ErrNoKey), errors.As(err, &p) && p.Code == api.CodeNotNow:
		return &hinted{err, "a key with uses: [issuer-list] under node.keys, or of \"ecogate key stage --use issuer-list\", signs lists; partners know its credential by the same use"}
	case err != nil:
		return err
	}
	if err := c.writeFile(flags.out, list.Document); err != nil || flags.out == "-" {
		return err
	}
	done := exported{
		File: flags.out, Number: list.Number, Issued: list.Issued, ValidFrom: list.ValidFrom, NextUpdate: list.NextUpdate, Bodies: list.Bodies, Signer: list.Signer,
	}
	return c.print(done, func(w *columns) {
		w.row("written", done.File)
		w.row("list", fmt.Sprintf("number %d, valid from %s%s", done.Number, instant(done.ValidFrom), prefixed(", next update ", instant(done.NextUpdate))))
		for _, body := range done.Bodies {
			w.row("issuing body", body)
		}
		w.row("signed by", done.Signer)
	})
}

// issueList makes the list of our own issuers out of the configuration, or has the node make it.
func (c *cli) issueList(ctx context.Context, file string, o issuerlist.Order, node bool) (issuerlist.Issued, error) {
	if !node {
		_, registry, err := c.registry(file)
		if err != nil {
			return issuerlist.Issued{}, err
		}
		return issuerlist.Issue(registry, o, c.now())
	}
	ctx, cancel, client, err := c.connect(ctx, answerTime)
	if err != nil {
		return issuerlist.Issued{}, err
	}
	defer cancel()
	return client.IssuerList(ctx, o)
}
