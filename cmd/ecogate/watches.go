package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/ecogate/ecogate/api"
	"github.com/ecogate/ecogate/clearance/lookup"
	"github.com/ecogate/ecogate/eco"
)

func (c *cli) lookupCommand() *cobra.Command {
	return group("lookup", "Look many certificates up at once", c.lookupBatch())
}

func (c *cli) lookupBatch() *cobra.Command {
	var out, on string
	cmd := &cobra.Command{
		Use:   "batch FILE",
		Short: "Look up each line of a file",
		Long: "Look up each line of a CSV file (- reads standard input) whose first line names its columns: reference, and if there are any invoice, country and form.\n" +
			"There is one answer a line, in their order: as CSV in --out, or else as a table. --on, the day for which validity is judged, needs the table or --json.",
		Args: arguments("FILE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if out != "" && on != "" {
				return &usageError{text: "--on goes with a table or --json, not with --out", command: cmd.CommandPath()}
			}
			data, err := c.readFile(args[0])
			if err != nil {
				return fmt.Errorf("look-ups: %w", err)
			}
			if out != "" {
				return c.batchFile(cmd.Context(), data, out)
			}
			lines, err := api.ReadLines(data)
			if err != nil {
				return &refused{fmt.Errorf("%s: %w", inputName(args[0]), err)}
			}
			return deal(cmd.Context(), c, answerTime, "", func(ctx context.Context, client *api.Client) (api.BatchAnswers, error) {
				return client.LookupMany(ctx, api.LookupBatch{On: on, Lines: lines})
			}, showBatch)
		},
	}
	cmd.Flags().StringVar(&out, "out", "", "`file` for the answers as CSV; - for standard output")
	cmd.Flags().StringVar(&on, "on", "", "`day` for which validity is judged; today without")
	return cmd
}

func (c *cli) batchFile(ctx context.Context, data []byte, out string) error {
	ctx, cancel, client, err := c.connect(ctx, answerTime)
	if err != nil {
		return err
	}
	defer cancel()
	answers, err := client.LookupFile(ctx, data)
	if err != nil {
		return err
	}
	return c.writeFile(out, answers)
}

func showBatch(w *columns, a api.BatchAnswers) {
	w.row("LINE", "REFERENCE", "FORM", "COUNTRY", "STATE", "USABLE", "VALID UNTIL")
	for _, line := range a.Lines {
		n := fmt.Sprint(line.Line)
		switch {
		case line.Fault != nil:
			w.row(n, line.Reference, "", "", "", string(line.Fault.Code)+": "+line.Fault.Detail)
		case len(line.Certificates) == 0:
			w.row(n, line.Reference, "", "", "not found")
		}
		for _, f := range line.Certificates {
			w.row(n, line.Reference, string(f.Key.Form), f.Key.Country, string(f.Verdict.State), usability(f.Verdict), validUntil(f.Verdict))
		}
	}
}

func (c *cli) watchCommand() *cobra.Command {
	return group("watch", "Wait for certificates that have not arrived", c.watchAdd(), c.watchList(), c.watchRemove())
}

func (c *cli) watchAdd() *cobra.Command {
	var in api.WatchRequest
	var until string
	cmd := &cobra.Command{
		Use:   "add REFERENCE",
		Short: "Wait for a certificate",
		Long: "Wait for a certificate that is not here. The watch closes by itself when one arrives that the key may see: because of its parties, a mandate, or --invoice.\n" +
			"Whether one arrives that it may not see is not told.",
		Args: arguments("REFERENCE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			in.Reference = args[0]
			if until != "" {
				day, err := eco.ParseDate(until)
				if err != nil {
					return &usageError{text: "--until: want a day such as 2026-11-20", command: cmd.CommandPath()}
				}
				in.Until = day.AddDays(1).Time()
			}
			return deal(cmd.Context(), c, answerTime, args[0],
				func(ctx context.Context, client *api.Client) (lookup.Watch, error) { return client.AddWatch(ctx, in) },
				func(w *columns, watch lookup.Watch) { showWatches(w, []lookup.Watch{watch}) })
		},
	}
	cmd.Flags().StringVar(&in.Country, "country", "", "issuing `country`, two letters")
	cmd.Flags().Var((*form)(&in.Form), "form", "`form` code, such as ATIGA-D")
	cmd.Flags().StringVar(&in.Invoice, "invoice", "", "`number` of an invoice that it names: who knows it may see the certificate")
	cmd.Flags().StringVar(&in.Note, "note", "", "`text` to keep with it")
	cmd.Flags().StringVar(&until, "until", "", "last `day` to wait")
	return cmd
}

func (c *cli) watchList() *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "List the key's watches",
		Long:  "List the watches of this key, those that have closed in the last 30 days among them.",
		Args:  arguments(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return deal(cmd.Context(), c, answerTime, "", allWatches, showWatches)
		},
	}
}

// allWatches reads every page.
func allWatches(ctx context.Context, client *api.Client) (list []lookup.Watch, err error) {
	for after := uint64(0); ; {
		page, err := client.Watches(ctx, after)
		if err != nil {
			return nil, err
		}
		list = append(list, page.Watches...)
		if after = page.Next; after == 0 {
			return list, nil
		}
	}
}

func showWatches(w *columns, list []lookup.Watch) {
	if len(list) == 0 {
		w.row("none")
		return
	}
	w.row("WATCH", "REFERENCE", "SINCE", "UNTIL", "CLOSED", "CERTIFICATE", "NOTE")
	for _, watch := range list {
		closed := "-"
		if !watch.Closed.IsZero() {
			closed = instant(watch.Closed)
		}
		w.row(watch.ID, watch.Reference, instant(watch.Since), instant(watch.Until), closed, watch.Key, watch.Note)
	}
}

func (c *cli) watchRemove() *cobra.Command {
	return &cobra.Command{
		Use:   "remove WATCH",
		Short: "Stop waiting",
		Long:  "Remove a watch of this key by its id.",
		Args:  arguments("WATCH"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return deal(cmd.Context(), c, answerTime, args[0],
				func(ctx context.Context, client *api.Client) (api.Removed, error) {
					return client.RemoveWatch(ctx, args[0])
				},
				func(w *columns, r api.Removed) { w.row("watch " + r.ID + " is removed") })
		},
	}
}

func (c *cli) mandateCommand() *cobra.Command {
	return group("mandate", "Let brokers see the certificates of an importer", c.mandateGive(), c.mandateList(), c.mandateRevoke())
}

func (c *cli) mandateGive() *cobra.Command {
	var in api.MandateRequest
	var from, until string
	cmd := &cobra.Command{
		Use:   "give BROKER --importer PARTY",
		Short: "Let a broker see what is for an importer",
		Long: "Let the broker whose API key has this name see, and so cite, the certificates that are for an importer: SCHEME:VALUE or NAME:... as certificates name him.\n" +
			"An importer's key gives it for its own parties, an officer's for any.",
		Args: arguments("BROKER"),
		RunE: func(cmd *cobra.Command, args []string) error {
			in.Broker = args[0]
			if in.Importer == "" {
				return &usageError{text: "--importer PARTY is missing", command: cmd.CommandPath()}
			}
			for _, day := range []struct {
				flag, text string
				into       *eco.Date
			}{{"--from", from, &in.From}, {"--until", until, &in.Until}} {
				var err error
				if day.text == "" {
					continue
				}
				if *day.into, err = eco.ParseDate(day.text); err != nil {
					return &usageError{text: day.flag + ": want a day such as 2026-11-20", command: cmd.CommandPath()}
				}
			}
			return deal(cmd.Context(), c, answerTime, args[0],
				func(ctx context.Context, client *api.Client) (lookup.Mandate, error) {
					return client.GiveMandate(ctx, in)
				},
				func(w *columns, m lookup.Mandate) { showMandates(w, []lookup.Mandate{m}) })
		},
	}
	cmd.Flags().StringVar(&in.Importer, "importer", "", "`party` that gives it")
	cmd.Flags().StringVar(&from, "from", "", "first `day`; today without")
	cmd.Flags().StringVar(&until, "until", "", "last `day`; no end without")
	cmd.Flags().StringVar(&in.Note, "note", "", "`text` to keep with it")
	return cmd
}

func (c *cli) mandateList() *cobra.Command {
	var broker, importer string
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List mandates",
		Long:  "List mandates, oldest first: a broker's own, those of an importer's parties, or all for officers and operators. With --broker there are none that were revoked.",
		Args:  arguments(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return deal(cmd.Context(), c, answerTime, "", func(ctx context.Context, client *api.Client) (list []lookup.Mandate, err error) {
				for after := uint64(0); ; {
					page, err := client.Mandates(ctx, broker, importer, after)
					if err != nil {
						return nil, err
					}
					list = append(list, page.Mandates...)
					if after = page.Next; after == 0 {
						return list, nil
					}
				}
			}, showMandates)
		},
	}
	cmd.Flags().StringVar(&broker, "broker", "", "`name` of the broker's key")
	cmd.Flags().StringVar(&importer, "importer", "", "`party` that gave them")
	return cmd
}

func showMandates(w *columns, list []lookup.Mandate) {
	if len(list) == 0 {
		w.row("none")
		return
	}
	w.row("MANDATE", "BROKER", "IMPORTER", "FROM", "UNTIL", "GIVEN BY", "REVOKED", "NOTE")
	for _, m := range list {
		until, revoked := "-", "-"
		if !m.Until.IsZero() {
			until = m.Until.String()
		}
		if !m.Revoked.IsZero() {
			revoked = instant(m.Revoked) + " by " + m.RevokedBy
		}
		w.row(m.ID, m.Broker, string(m.Importer), m.From.String(), until, m.By, revoked, m.Note)
	}
}

func (c *cli) mandateRevoke() *cobra.Command {
	return &cobra.Command{
		Use:   "revoke MANDATE",
		Short: "Take a mandate back",
		Long:  "Take a mandate back, from now on. What the broker has cited stays cited.",
		Args:  arguments("MANDATE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return deal(cmd.Context(), c, answerTime, args[0],
				func(ctx context.Context, client *api.Client) (lookup.Mandate, error) {
					return client.RevokeMandate(ctx, args[0])
				},
				func(w *columns, m lookup.Mandate) { showMandates(w, []lookup.Mandate{m}) })
		},
	}
}
