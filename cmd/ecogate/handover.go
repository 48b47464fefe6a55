package main

import (
	"context"
	"fmt"
	"io"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/ecogate/ecogate/api"
	"github.com/ecogate/ecogate/clearance"
	"github.com/ecogate/ecogate/clearance/handover"
)

func (c *cli) handoverCommand() *cobra.Command {
	return group("handover", "What the customs system is given with each declaration", c.handoverList(), c.handoverShow(), c.handoverFetch(), c.handoverConfirm(), c.handoverRetry())
}

func (c *cli) handoverList() *cobra.Command {
	var q handover.Query
	var state, certificate string
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List handovers in the order of their filing",
		Args:  arguments(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			q.State = handover.State(state)
			if certificate != "" {
				key, err := clearance.ParseKey(certificate)
				if err != nil {
					return &usageError{text: err.Error(), command: cmd.CommandPath()}
				}
				q.Certificate = key
			}
			return deal(cmd.Context(), c, answerTime, "handovers", func(ctx context.Context, client *api.Client) (api.HandoverPage, error) {
				return client.Handovers(ctx, q)
			}, func(w *columns, page api.HandoverPage) {
				w.row("ID", "DECLARATION", "VERSION", "OCCASION", "STATE", "ATTEMPTS", "DELIVERED", "PROBLEM")
				for _, h := range page.Handovers {
					w.row(h.ID, h.Declaration, strconv.Itoa(h.Version), string(h.Occasion), string(h.State), strconv.Itoa(h.Attempts), instant(h.Delivered), problemText(h.Handover))
				}
				if page.Next > 0 {
					w.row("more with --after " + strconv.FormatUint(page.Next, 10))
				}
			})
		},
	}
	cmd.Flags().StringVar(&state, "state", "", "where they stand: `STATE` is waiting, delivered, confirmed or refused")
	cmd.Flags().StringVar(&q.Declaration, "declaration", "", "`number` of a declaration")
	cmd.Flags().StringVar(&certificate, "certificate", "", "`key` of a certificate, such as KR/ATIGA-D/K0012500001")
	cmd.Flags().Uint64Var(&q.After, "after", 0, "`number` that the page before ended with")
	cmd.Flags().IntVar(&q.Limit, "limit", 0, "`number` of handovers on a page")
	return cmd
}

// problemText is why a handover is not confirmed: the customs system's reason, or what the last attempt met.
func problemText(h handover.Handover) string {
	switch {
	case h.Reason != "":
		return h.Reason
	case h.State != handover.StateConfirmed && len(h.Log) > 0:
		return h.Log[len(h.Log)-1].Problem
	}
	return ""
}

func (c *cli) handoverShow() *cobra.Command {
	return &cobra.Command{
		Use:   "show ID",
		Short: "Show where a handover stands, and its attempts",
		Args:  arguments("ID"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return deal(cmd.Context(), c, answerTime, args[0], func(ctx context.Context, client *api.Client) (handover.Handover, error) {
				return client.Handover(ctx, args[0])
			}, showHandover)
		},
	}
}

func showHandover(w *columns, h handover.Handover) {
	w.field("handover", h.ID)
	w.field("declaration", fmt.Sprintf("%s, version %d, %s %s", h.Declaration, h.Version, h.Occasion, instant(h.At)))
	w.field("state", string(h.State))
	for _, cited := range h.Certificates {
		w.field("certificate", cited.Key.String()+", "+string(cited.State))
	}
	if p := h.Parcel; p != nil {
		w.field("parcel", fmt.Sprintf("%d octets, made %s", p.Size, instant(p.Made))+prefixed(", dropped ", instant(p.Dropped)))
		w.field("sha-256", p.SHA256)
		w.field("key", p.Key)
	}
	w.field("attempts", strconv.Itoa(h.Attempts))
	for _, a := range h.Log {
		w.field("  "+instant(a.Began), outcomeText(a))
	}
	if !h.Delivered.IsZero() {
		w.field("delivered", instant(h.Delivered))
	}
	if !h.Settled.IsZero() {
		w.field(string(h.State), instant(h.Settled)+" by "+h.SettledBy)
	}
	if h.Reference != "" {
		w.field("reference", h.Reference)
	}
	if h.Reason != "" {
		w.field("reason", h.Reason)
	}
}

func outcomeText(a handover.Attempt) string {
	if a.Problem == "" {
		return "delivered"
	}
	return a.Problem
}

func (c *cli) handoverFetch() *cobra.Command {
	var out string
	cmd := &cobra.Command{
		Use:   "fetch ID --out FILE",
		Short: "Fetch the parcel of a handover, and compare its files with its manifest",
		Long: "Fetch the parcel of a handover: a ZIP with the declaration, the signed certificates, their PDFs and verification reports. With a key of the customs\n" +
			"system, where none is configured to be delivered to, this is the delivery.",
		Args: arguments("ID"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if out == "" {
				return &usageError{text: "--out FILE is missing", command: cmd.CommandPath()}
			}
			ctx, cancel, client, err := c.connect(cmd.Context(), answerTime)
			if err != nil {
				return err
			}
			defer cancel()
			return c.download(out, func(w io.Writer) error {
				content, err := client.Parcel(ctx, args[0])
				if err != nil {
					return fmt.Errorf("%s: %w", args[0], err)
				}
				_, err = w.Write(content)
				return err
			})
		},
	}
	cmd.Flags().StringVar(&out, "out", "", "`file` for the parcel; - for standard output")
	return cmd
}

func (c *cli) handoverConfirm() *cobra.Command {
	said := handover.Confirmation{Status: handover.VerdictConfirmed}
	cmd := &cobra.Command{
		Use:   "confirm ID --sha256 DIGEST [--reference NUMBER | --refused REASON]",
		Short: "Say that the customs system has the parcel, or will not take it",
		Args:  arguments("ID"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if said.Reason != "" {
				said.Status = handover.VerdictRefused
			}
			if err := said.Check(); err != nil {
				return &usageError{text: err.Error(), command: cmd.CommandPath()}
			}
			return deal(cmd.Context(), c, answerTime, args[0], func(ctx context.Context, client *api.Client) (handover.Handover, error) {
				return client.ConfirmHandover(ctx, args[0], said)
			}, func(w *columns, h handover.Handover) { w.field("handover", h.ID+" is "+string(h.State)) })
		},
	}
	cmd.Flags().StringVar(&said.SHA256, "sha256", "", "`digest` of the parcel that is meant, as \"handover show\" and the customs system tell it")
	cmd.Flags().StringVar(&said.Reference, "reference", "", "the customs system's own `number` of it")
	cmd.Flags().StringVar(&said.Reason, "refused", "", "`reason` why the customs system will not take it")
	return cmd
}

func (c *cli) handoverRetry() *cobra.Command {
	var why string
	cmd := &cobra.Command{
		Use:   "retry ID --why TEXT",
		Short: "Have a handover delivered now; one that was refused under another key",
		Args:  arguments("ID"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if why == "" {
				return &usageError{text: "--why TEXT is missing", command: cmd.CommandPath()}
			}
			return deal(cmd.Context(), c, answerTime, args[0], func(ctx context.Context, client *api.Client) (handover.Handover, error) {
				return client.RetryHandover(ctx, args[0], why)
			}, func(w *columns, h handover.Handover) { w.field("handover", h.ID+" is "+string(h.State)) })
		},
	}
	cmd.Flags().StringVar(&why, "why", "", "`text` for the audit log")
	return cmd
}
