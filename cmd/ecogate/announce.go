package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/ecogate/ecogate/api"
	"github.com/ecogate/ecogate/exchange"
	"github.com/ecogate/ecogate/partners"
	"github.com/ecogate/ecogate/partners/announcement"
)

// desk takes partners' announcements of credentials into the registry.
func (n *runningNode) desk() *announcement.Desk {
	return &announcement.Desk{Config: n.Directory.Config, Edit: n.Directory.EditPartner, Now: n.now}
}

func (c *cli) keyAnnounce() *cobra.Command {
	var partner, file string
	cmd := &cobra.Command{
		Use:   "announce --partner PARTNER | --file OUT",
		Short: "Tell a partner of the node's own next credentials",
		Long: "Have the node announce those of its own credentials whose time has yet to come: in a message to a partner whose agreement has\n" +
			"announcements, or as a file, CMS signed with the key that counts now, for partners that know no such message. Either bears a\n" +
			"signature of each new key. Both sides switch by themselves at the date; the old key is kept until it retires.",
		Args: arguments(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if (partner == "") == (file == "") {
				return &usageError{text: "want --partner PARTNER or --file OUT", command: cmd.CommandPath()}
			}
			ctx, cancel, client, err := c.connect(cmd.Context(), answerTime)
			if err != nil {
				return err
			}
			defer cancel()
			if file != "" {
				data, err := client.AnnouncementFile(ctx)
				if err != nil {
					return announceHint(err)
				}
				if err := c.writeFile(file, data); err != nil || file == "-" {
					return err
				}
				return c.print(announcementFile{Written: file, Bytes: len(data)}, func(w *columns) {
					w.row("written", file)
					w.row("next", "send it to the partner, whose node takes it with \"ecogate cert announced\"; \"ecogate cms verify\" shows what it says")
				})
			}
			sent, err := client.Announce(ctx, partner)
			if err != nil {
				return announceHint(fmt.Errorf("%s: %w", partner, err))
			}
			return c.print(sent, func(w *columns) {
				w.row("message", sent.Message.MessageID+" to "+partner+", "+string(sent.Message.State))
				showSummary(w, sent.Summary)
			})
		},
	}
	cmd.Flags().StringVar(&partner, "partner", "", "`partner` to send a message to")
	cmd.Flags().StringVar(&file, "file", "", "`file` to write; - for standard output")
	return cmd
}

// announcementFile is what "key announce --file" has written.
type announcementFile struct {
	Written string `json:"written"`
	Bytes   int    `json:"bytes"`
}

func announceHint(err error) error {
	if errors.Is(err, announcement.ErrNothing) {
		return &hinted{err, "\"ecogate key stage\" takes the next key, and \"ecogate key activate --at\" sets the date of the switch"}
	}
	return err
}

func showSummary(w *columns, s announcement.Summary) {
	w.row("announcement", strconv.FormatUint(s.Number, 10)+" of "+instant(s.Issued))
	for _, a := range s.Credentials {
		w.row("credential", a.Subject)
		w.row("  sha-256", a.SHA256)
		w.row("  uses", announcedUses(a))
		w.row("  active from", instant(a.ActiveFrom))
		w.field("  old retires", instant(a.OldRetires))
	}
}

func announcedUses(a announcement.Announced) string {
	var out []string
	for _, use := range a.Uses {
		out = append(out, string(use))
	}
	return strings.Join(out, ", ") + prefixed(" of ", a.Body)
}

func (c *cli) certAnnounced() *cobra.Command {
	var partner string
	var take bool
	cmd := &cobra.Command{
		Use:   "announced FILE --partner PARTNER [--take]",
		Short: "Read a partner's announcement of its next credentials, and stage them",
		Long: "Have the node judge a partner's announcement in a file (CMS): a credential of the partner that counts now must have signed it, and each\n" +
			"new key must have signed the content. Each credential is examined as by \"cert check\". With --take what nothing stands against is\n" +
			"staged for its date, or left to an operator if the partner's \"announcements\" says so; without it nothing is changed.",
		Args: arguments("FILE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := requireFlags(cmd, "partner"); err != nil {
				return err
			}
			file, err := c.readKeyFile(args[0])
			if err != nil {
				return err
			}
			ctx, cancel, client, err := c.connect(cmd.Context(), answerTime)
			if err != nil {
				return err
			}
			defer cancel()
			taken, err := client.TakeAnnouncement(ctx, partner, file, !take)
			if err != nil {
				return fmt.Errorf("%s: %w", partner, err)
			}
			if err := c.print(taken, func(w *columns) {
				w.row("partner", taken.Partner)
				w.row("signed by", taken.Signer)
				showSummary(w, taken.Announcement)
				for _, o := range taken.Outcomes {
					showResult(w, o, take)
				}
			}); err != nil {
				return err
			}
			for _, o := range taken.Outcomes {
				if o.Result == announcement.ResultRefused {
					return &refused{fmt.Errorf("%s: not every credential can be taken", args[0])}
				}
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&partner, "partner", "", "`partner` that it is of")
	cmd.Flags().BoolVar(&take, "take", false, "stage what nothing stands against")
	return cmd
}

func showResult(w *columns, o announcement.Outcome, taken bool) {
	result := string(o.Result)
	if !taken && o.Result == announcement.ResultStaged {
		result = "nothing stands against it"
	}
	w.row(result, string(o.Use)+prefixed(" of ", o.Body)+", "+o.SHA256)
	for _, reason := range o.Reasons {
		w.row("", reason)
	}
}

func (c *cli) certTrials() *cobra.Command {
	return &cobra.Command{
		Use:   "trials",
		Short: "Say how partners' next credentials do on real messages",
		Long: "List, for each staged credential of a partner for " + string(partners.UseMessageSignature) + ", how many second signatures of its messages it verified and how\n" +
			"many not, since the node started. A partner that knows the node stages its credential signs its messages twice until the switch. Nothing\n" +
			"is decided by it.",
		Args: arguments(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			question := func(ctx context.Context, client *api.Client) ([]exchange.Trial, error) { return client.Trials(ctx) }
			return deal(cmd.Context(), c, answerTime, "", question, func(w *columns, list []exchange.Trial) {
				w.row("PARTNER", "SHA-256", "VERIFIED", "FAILED", "LAST", "PROBLEM")
				for _, t := range list {
					w.row(t.Partner, t.SHA256[:16], strconv.FormatUint(t.Verified, 10), strconv.FormatUint(t.Failed, 10), instant(t.Last), t.Problem)
				}
			})
		},
	}
}
