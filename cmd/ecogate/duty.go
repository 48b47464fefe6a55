package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/ecogate/ecogate/api"
	"github.com/ecogate/ecogate/clearance"
	"github.com/ecogate/ecogate/eco"
)

func (c *cli) dutyCommand() *cobra.Command {
	return group("duty", "What must be done about declarations and verifications, and until when", c.dutyList(), c.dutyDone())
}

func (c *cli) dutyList() *cobra.Command {
	var q clearance.DutyQuery
	var by string
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List duties, the earliest first",
		Args:  arguments(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if by != "" {
				day, err := eco.ParseDate(by)
				if err != nil {
					return &usageError{text: "--due-by: " + err.Error(), command: cmd.CommandPath()}
				}
				q.DueBy = day
			}
			return deal(cmd.Context(), c, answerTime, "", func(ctx context.Context, client *api.Client) ([]clearance.Duty, error) {
				return client.Duties(ctx, q)
			}, listDuties)
		},
	}
	cmd.Flags().StringVar(&q.Owner, "owner", "", "who must do it, `OWNER`: officer, declarant or partner")
	cmd.Flags().StringVar(&by, "due-by", "", "those whose last day is not after this `day`")
	cmd.Flags().BoolVar(&q.Done, "done", false, "those that are done")
	return cmd
}

func listDuties(w *columns, list []clearance.Duty) {
	w.row("DUE", "STATE", "OWNER", "DUTY", "WHAT")
	for _, d := range list {
		owner := d.Owner
		if d.Name != "" {
			owner += " " + d.Name
		}
		w.row(d.Due.String(), string(d.State), owner, d.ID, d.Text)
	}
}

func (c *cli) dutyDone() *cobra.Command {
	var in api.FulfilledDuty
	cmd := &cobra.Command{
		Use:   "done DUTY [--why TEXT]",
		Short: "Close the duty to tell a partner something by other means",
		Args:  arguments("DUTY"),
		RunE: func(cmd *cobra.Command, args []string) error {
			in.ID = args[0]
			return deal(cmd.Context(), c, answerTime, args[0], func(ctx context.Context, client *api.Client) (clearance.Duty, error) {
				return client.CloseDuty(ctx, in)
			}, func(w *columns, d clearance.Duty) { listDuties(w, []clearance.Duty{d}) })
		},
	}
	cmd.Flags().StringVar(&in.Why, "why", "", "`text` that says how")
	return cmd
}
