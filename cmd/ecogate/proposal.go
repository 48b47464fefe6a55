package main

import (
	"context"
	"fmt"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/ecogate/ecogate/api"
	"github.com/ecogate/ecogate/partners"
)

func (c *cli) proposalCommand() *cobra.Command {
	return group("proposal", "List, confirm and reject changes that wait for a second operator", c.proposalList(), c.proposalConfirm(), c.proposalReject())
}

func (c *cli) proposalList() *cobra.Command {
	var all bool
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List the changes that wait, with what they would change",
		Args:  arguments(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx, cancel, client, err := c.connect(cmd.Context(), answerTime)
			if err != nil {
				return err
			}
			defer cancel()
			state := partners.ProposalOpen
			if all {
				state = ""
			}
			list, err := client.Proposals(ctx, state)
			if err != nil {
				return err
			}
			return c.print(list, func(w *columns) {
				for _, p := range list {
					showProposal(w, p)
				}
			})
		},
	}
	cmd.Flags().BoolVar(&all, "all", false, "those that were confirmed or rejected too")
	return cmd
}

func showProposal(w *columns, p api.ProposedChange) {
	text := fmt.Sprintf("%d: %s %s, version %d, %s by %s", p.Number, p.Entry.Kind, p.Entry.ID, p.Entry.Version, instant(p.Entry.At), p.Entry.By)
	if p.Entry.Removed {
		text += ", removes it"
	}
	if p.Entry.Why != "" {
		text += ": " + p.Entry.Why
	}
	w.row(text)
	if p.State != partners.ProposalOpen {
		text = fmt.Sprintf("  %s %s by %s", p.State, instant(p.DecidedAt), p.DecidedBy)
		if p.DecidedWhy != "" {
			text += ": " + p.DecidedWhy
		}
		w.row(text)
	}
	w.lines(p.Diff)
}

func (c *cli) proposalConfirm() *cobra.Command {
	return c.proposalVerb("confirm", "Confirm a change, which is in force at once", func(ctx context.Context, client *api.Client, number uint64, why string) error {
		made, err := client.Confirm(ctx, number, why)
		if err != nil {
			return err
		}
		return c.print(made, func(w *columns) {
			w.row(fmt.Sprintf("%s %s is at version %d", made.Entry.Kind, made.Entry.ID, made.Entry.Version))
		})
	})
}

func (c *cli) proposalReject() *cobra.Command {
	return c.proposalVerb("reject", "Reject a change", func(ctx context.Context, client *api.Client, number uint64, why string) error {
		p, err := client.Reject(ctx, number, why)
		if err != nil {
			return err
		}
		return c.print(p, func(w *columns) { showProposal(w, p) })
	})
}

func (c *cli) proposalVerb(verb, short string, do func(ctx context.Context, client *api.Client, number uint64, why string) error) *cobra.Command {
	var why string
	cmd := &cobra.Command{
		Use:   verb + " NUMBER",
		Short: short,
		Long:  short + ". Who made it cannot do so.",
		Args:  arguments("NUMBER"),
		RunE: func(cmd *cobra.Command, args []string) error {
			number, err := strconv.ParseUint(args[0], 10, 63)
			if err != nil {
				return &usageError{text: fmt.Sprintf("%q is not the number of a proposal", args[0]), command: cmd.CommandPath()}
			}
			ctx, cancel, client, err := c.connect(cmd.Context(), answerTime)
			if err != nil {
				return err
			}
			defer cancel()
			return do(ctx, client, number, why)
		},
	}
	cmd.Flags().StringVar(&why, "why", "", "`text` for the audit log and the list of proposals")
	return cmd
}
