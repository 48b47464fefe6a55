package main

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/ecogate/ecogate/api"
	"github.com/ecogate/ecogate/exchange"
	"github.com/ecogate/ecogate/partners"
)

func (c *cli) partnerCommand() *cobra.Command {
	verbs := []*cobra.Command{c.partnerList(), c.partnerPause(), c.partnerResume(), c.partnerRevocation()}
	return group("partner", "List, show and change partners, pause and resume what goes to them, see what is known of revocations",
		append(verbs, registry{c, partners.KindPartner, "PARTNER"}.verbs()...)...)
}

func (c *cli) partnerList() *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "List partners and how deliveries to them stand",
		Args:  arguments(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			question := func(ctx context.Context, client *api.Client) ([]exchange.PartnerStatus, error) {
				return client.Partners(ctx)
			}
			return deal(cmd.Context(), c, answerTime, "", question, listPartners)
		},
	}
}

func (c *cli) partnerPause() *cobra.Command {
	var why string
	cmd := &cobra.Command{
		Use:   "pause PARTNER",
		Short: "Hold back everything that goes to a partner",
		Long: "Hold back everything that goes to a partner, acknowledgments too, until \"partner resume\"; a restart of the node ends no pause.\n" +
			"What is under way is finished. The time to live of messages goes on.",
		Args: arguments("PARTNER"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.changePartner(cmd.Context(), args[0], func(ctx context.Context, client *api.Client) (exchange.PartnerStatus, error) {
				return client.Pause(ctx, args[0], why)
			})
		},
	}
	cmd.Flags().StringVar(&why, "why", "", "`text` for those who find the partner paused")
	return cmd
}

func (c *cli) partnerResume() *cobra.Command {
	return &cobra.Command{
		Use:   "resume PARTNER",
		Short: "End a pause",
		Args:  arguments("PARTNER"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.changePartner(cmd.Context(), args[0], func(ctx context.Context, client *api.Client) (exchange.PartnerStatus, error) {
				return client.Resume(ctx, args[0])
			})
		},
	}
}

// changePartner does something to a partner and prints how it stands then.
func (c *cli) changePartner(ctx context.Context, id string, change func(context.Context, *api.Client) (exchange.PartnerStatus, error)) error {
	ctx, cancel, client, err := c.connect(ctx, answerTime)
	if err != nil {
		return err
	}
	defer cancel()
	p, err := change(ctx, client)
	if err != nil {
		return fmt.Errorf("%s: %w", id, err)
	}
	return c.print(p, func(w *columns) { listPartners(w, []exchange.PartnerStatus{p}) })
}

func listPartners(w *columns, list []exchange.PartnerStatus) {
	w.row("PARTNER", "NAME", "MODE", "DELIVERY", "FAILURES", "SINCE", "BY", "WHY")
	for _, p := range list {
		var pause exchange.Pause
		delivery := "open"
		switch {
		case p.Pause != nil:
			pause, delivery = *p.Pause, "paused"
		case !p.Suspended.IsZero():
			delivery = "probes only until " + instant(p.Suspended)
		}
		w.row(p.ID, p.Name, string(p.Mode), delivery, strconv.Itoa(p.Failures), instant(pause.Since), pause.By, pause.Why)
	}
}

// waitFlag is how long the node waits for a partner's answer.
func waitFlag(cmd *cobra.Command, wait *time.Duration) {
	cmd.Flags().DurationVar(wait, "timeout", 30*time.Second, "`duration` to wait for the partner's answer, 1s to 2m")
}

func (c *cli) pingCommand() *cobra.Command {
	var cpaID string
	var wait time.Duration
	cmd := &cobra.Command{
		Use:   "ping PARTNER",
		Short: "Ask a partner's message service whether it is there",
		Long: "Have the node send an ebXML Ping to a partner at once, whatever is queued, paused or suspended, and wait for the Pong.\n" +
			"Without an answer that can be used the exit code is 1, and the error says what was met.",
		Args: arguments("PARTNER"),
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx, cancel, client, err := c.connect(cmd.Context(), wait+answerTime)
			if err != nil {
				return err
			}
			defer cancel()
			p, err := client.Ping(ctx, args[0], cpaID, wait)
			if err != nil {
				return fmt.Errorf("%s: %w", args[0], err)
			}
			return c.print(p, func(w *columns) { showPing(w, p) })
		},
	}
	cmd.Flags().StringVar(&cpaID, "agreement", "", "`CPAId` of the agreement to ping under; by default the one that began last")
	waitFlag(cmd, &wait)
	return cmd
}

func showPing(w *columns, p exchange.Ping) {
	w.row("partner", p.Partner)
	w.field("agreement", p.CPAID)
	w.field("endpoint", p.Endpoint)
	w.row("HTTP", fmt.Sprintf("%d after %s", p.Status, short(p.Took)))
	w.row("pong", fmt.Sprintf("%s, after %s", instant(p.Answered), short(p.RoundTrip)))
	w.row("signed by", firstSet(p.Signer, "nobody: the pong is not signed"))
	w.field("message", p.MessageID)
}

// short rounds a time to what a person reads.
func short(d time.Duration) string { return d.Round(time.Millisecond).String() }
