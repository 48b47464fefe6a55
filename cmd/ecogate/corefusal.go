package main

import (
	"context"
	"fmt"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/ecogate/ecogate/api"
	"github.com/ecogate/ecogate/exchange"
)

func (c *cli) coRefusals() *cobra.Command {
	var after uint64
	var body string
	cmd := &cobra.Command{
		Use:   "refusals [--after NUMBER] [--body BODY]",
		Short: "List what partners refused, denied, suspended or ask about",
		Long: "List what partners refused, denied, suspended or ask about of our own certificates, oldest first, with the reason. Whoever looks from time to time\n" +
			"goes on after the last number.",
		Args: arguments(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return deal(cmd.Context(), c, answerTime, "refusals",
				func(ctx context.Context, client *api.Client) ([]api.Refusal, error) {
					return allRefusals(ctx, client, after, body)
				}, listRefusals)
		},
	}
	cmd.Flags().Uint64Var(&after, "after", 0, "only what has a greater `number`")
	cmd.Flags().StringVar(&body, "body", "", "only certificates of the issuing `body` with this id")
	return cmd
}

// allRefusals asks until the log ends.
func allRefusals(ctx context.Context, client *api.Client, after uint64, body string) ([]api.Refusal, error) {
	all := []api.Refusal{}
	for {
		page, err := client.Refusals(ctx, after, body)
		if err != nil {
			return nil, err
		}
		all = append(all, page.Refusals...)
		if !page.More {
			return all, nil
		}
		after = page.Next
	}
}

func listRefusals(w *columns, list []api.Refusal) {
	w.row("NUMBER", "AT", "EVENT", "BY", "CERTIFICATE", "BODY", "CODE", "WHY")
	for _, r := range list {
		w.row(strconv.FormatUint(r.Seq, 10), instant(r.At), r.Event, r.Actor, r.Key, r.Body, r.Code, r.Text)
	}
}

func (c *cli) coSettle() *cobra.Command {
	var in api.Settlement
	cmd := &cobra.Command{
		Use:   "settle REFERENCE --holds NUMBER --why TEXT",
		Short: "Decide which of several certificates with one number holds",
		Long: "Decide which of several certificates that came under one number holds; the others are refused, and each sender is answered so. \"co show REFERENCE\"\n" +
			"shows them all, with their numbers here.",
		Args: arguments("REFERENCE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if in.Holds == 0 || in.Why == "" {
				return &usageError{text: "--holds NUMBER and --why TEXT are needed", command: cmd.CommandPath()}
			}
			return c.settle(cmd, args[0], in)
		},
	}
	cmd.Flags().Uint64Var(&in.Holds, "holds", 0, "`number` of the certificate that holds, as \"co show\" says it")
	cmd.Flags().StringVar(&in.Why, "why", "", "`text` for the partner and the audit log")
	return cmd
}

// settle holds the number to the reference before it asks, so that a slip of the keyboard settles nothing else.
func (c *cli) settle(cmd *cobra.Command, reference string, in api.Settlement) error {
	found, _, err := c.find(cmd.Context(), api.LookupQuery{Reference: reference, Direction: exchange.Inbound})
	if err != nil {
		return err
	}
	numbers := make([]uint64, 0, len(found.Matches))
	for _, m := range found.Matches {
		numbers = append(numbers, m.Seq)
		if m.Seq != in.Holds {
			continue
		}
		return deal(cmd.Context(), c, answerTime, reference,
			func(ctx context.Context, client *api.Client) ([]api.Sent, error) { return client.Settle(ctx, in) },
			func(w *columns, all []api.Sent) {
				for _, s := range all {
					showSent(w, s)
				}
			})
	}
	return &usageError{text: fmt.Sprintf("--holds %d: the certificates with reference %s have the numbers %d", in.Holds, reference, numbers), command: cmd.CommandPath()}
}
