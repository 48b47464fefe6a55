package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"github.com/spf13/cobra"

	"github.com/ecogate/ecogate/api"
	"github.com/ecogate/ecogate/clearance/notice"
)

func (c *cli) noticeCommand() *cobra.Command {
	return group("notice", "What people are told of, and whether it reached them", c.noticeList(), c.noticeRetry(), c.noticeTest(), c.noticeTemplates())
}

func (c *cli) noticeList() *cobra.Command {
	var q notice.Query
	var state string
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List notices that wait, were sent or failed, oldest first",
		Args:  arguments(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			q.State = notice.State(state)
			return deal(cmd.Context(), c, answerTime, "", func(ctx context.Context, client *api.Client) (api.NoticePage, error) { return client.Notices(ctx, q) }, showNotices)
		},
	}
	cmd.Flags().StringVar(&state, "state", "", "only those in this `state`: queued, sent, failed or dropped")
	cmd.Flags().StringVar(&q.Recipient, "recipient", "", "only those of this recipient: a `name` of the configuration, or the id of a subscription")
	cmd.Flags().StringVar(&q.After, "after", "", "only those filed after the one with this `id`")
	cmd.Flags().IntVar(&q.Limit, "limit", 0, "at most this `number`")
	return cmd
}

func showNotices(w *columns, page api.NoticePage) {
	w.row("ID", "EVENT", "TO", "STATE", "ABOUT", "PROBLEM")
	for _, n := range page.Notices {
		state := string(n.State)
		if n.State == notice.Queued {
			state += " until " + instant(n.Next)
		}
		w.row(n.ID, string(n.Event), n.Address, state, n.Facts.Subject, n.Problem)
	}
	if page.Next != "" {
		w.row("more: --after " + page.Next)
	}
}

func (c *cli) noticeRetry() *cobra.Command {
	return &cobra.Command{
		Use:   "retry ID",
		Short: "Have a notice that was not sent tried again now",
		Long:  "Have a notice that was not sent tried again now. What failed at its recipient before is forgotten, so that later notices go there again.",
		Args:  arguments("ID"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return deal(cmd.Context(), c, answerTime, "notice "+args[0], func(ctx context.Context, client *api.Client) (notice.Notice, error) {
				return client.RetryNotice(ctx, args[0])
			}, func(w *columns, n notice.Notice) { w.row(fmt.Sprintf("%s to %s is queued", n.ID, n.Address)) })
		},
	}
}

func (c *cli) noticeTest() *cobra.Command {
	var language string
	cmd := &cobra.Command{
		Use:   "test ADDRESS",
		Short: "Mail a test to an address at once, and say what the mail server made of it",
		Args:  arguments("ADDRESS"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return deal(cmd.Context(), c, answerTime, args[0], func(ctx context.Context, client *api.Client) (api.TestedAddress, error) {
				return client.TestNotice(ctx, args[0], language)
			}, func(w *columns, done api.TestedAddress) { w.row("the mail server took the mail to " + done.Address) })
		},
	}
	cmd.Flags().StringVar(&language, "language", "", "`language` of the mail; en without")
	return cmd
}

// mailSample is a mail as "notice templates --show" shows it.
type mailSample struct {
	Subject string `json:"subject"`
	Text    string `json:"text"`
	HTML    string `json:"html"`
}

func (c *cli) noticeTemplates() *cobra.Command {
	var out, dir, show, language string
	cmd := &cobra.Command{
		Use:   "templates (--out DIR | --show EVENT)",
		Short: "Write the templates of mails into a folder, or show a mail; no node is asked",
		Long: "Write the program's templates of mails into a folder, to be changed and named in notices.templates_dir, or show the mail of an event with values that are\n" +
			"made up. --templates-dir tries the templates of a folder first; what is wrong with them is told.",
		Args: arguments(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if (out == "") == (show == "") {
				return &usageError{text: "give one of --out and --show", command: cmd.CommandPath()}
			}
			if out != "" {
				return c.writeTemplates(out)
			}
			var folder fs.FS
			if dir != "" {
				folder = os.DirFS(dir)
			}
			templates, err := notice.NewTemplates("Customs", folder)
			if err != nil {
				return &refused{err}
			}
			var m mailSample
			if m.Subject, m.Text, m.HTML, err = templates.Sample(notice.Event(show), language); err != nil {
				return &refused{err}
			}
			return c.print(m, func(w *columns) {
				w.row(m.Subject)
				w.lines(m.Text)
			})
		},
	}
	cmd.Flags().StringVar(&out, "out", "", "`folder` for the templates, made if it is not there; files in it stay as they are")
	cmd.Flags().StringVar(&show, "show", "", "`event` whose mail is shown")
	cmd.Flags().StringVar(&language, "language", notice.Fallback, "`language` of the mail")
	cmd.Flags().StringVar(&dir, "templates-dir", "", "`folder` with templates in place of the program's own")
	return cmd
}

// writeTemplates writes the program's templates, and overwrites nothing.
func (c *cli) writeTemplates(dir string) error {
	files, err := notice.Source()
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	names := slices.Sorted(maps.Keys(files))
	for _, name := range names {
		f, err := os.OpenFile(filepath.Join(dir, name), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
		if err != nil {
			return err
		}
		_, err = f.WriteString(files[name])
		if err := errors.Join(err, f.Close()); err != nil {
			return err
		}
	}
	return c.print(names, func(w *columns) {
		for _, name := range names {
			w.row(filepath.Join(dir, name))
		}
	})
}

func (c *cli) subscriptionCommand() *cobra.Command {
	return group("subscription", "Sign up for notices", c.subscriptionAdd(), c.subscriptionList(), c.subscriptionConfirm(), c.subscriptionSecret(), c.subscriptionRemove())
}

func (c *cli) subscriptionAdd() *cobra.Command {
	var q notice.SubscriptionRequest
	var audience, digest string
	var events []string
	cmd := &cobra.Command{
		Use:   "add (--email ADDRESS | --webhook URL)",
		Short: "Sign an address or a webhook up for notices of the key",
		Long: "Sign an address or a webhook up for the notices of the key's own parties, watches and declarations. Nothing is told before it is confirmed: an address with\n" +
			"the code that is mailed to it, a webhook by a challenge. The signing secret of a webhook is printed once.",
		Args: arguments(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			q.Audience, q.Digest = notice.Audience(audience), notice.Pace(digest)
			for _, e := range events {
				q.Events = append(q.Events, notice.Event(e))
			}
			return deal(cmd.Context(), c, answerTime, "", func(ctx context.Context, client *api.Client) (notice.Subscribed, error) {
				return client.Subscribe(ctx, q)
			}, showSubscription)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&q.Email, "email", "", "e-mail `address`")
	flags.StringVar(&q.Webhook, "webhook", "", "https `URL` that is posted to")
	flags.StringVar(&audience, "audience", "", "importer or broker, if the key's role may be both; its role's own without")
	flags.StringVar(&q.Language, "language", "", "`language` of the mails; en without")
	flags.StringVar(&digest, "digest", "", "hourly or daily: all in one mail; each at once without")
	flags.StringSliceVar(&events, "event", nil, "only this `event`; may be given several times")
	flags.StringArrayVar(&q.Parties, "party", nil, "only this `party` of the key's, as SCHEME:VALUE or NAME:...; may be given several times")
	return cmd
}

// showSubscription tells of one.
func showSubscription(w *columns, s notice.Subscribed) {
	w.field("subscription", s.ID)
	w.field("of", fmt.Sprintf("%s as %s", s.Key, s.Audience))
	w.field("to", s.Email+s.Webhook)
	switch {
	case s.Confirmed.IsZero():
		w.field("to be confirmed by", instant(s.Until))
	default:
		w.field("confirmed", instant(s.Confirmed))
	}
	if s.SigningSecret != "" {
		w.field("signing secret", s.SigningSecret)
	}
}

func (c *cli) subscriptionList() *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "List the subscriptions of the key, or all with an operator's",
		Args:  arguments(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return deal(cmd.Context(), c, answerTime, "", func(ctx context.Context, client *api.Client) ([]notice.Subscribed, error) {
				return client.Subscriptions(ctx)
			},
				func(w *columns, list []notice.Subscribed) {
					w.row("ID", "KEY", "AUDIENCE", "TO", "STATE", "WAITING", "PROBLEM")
					for _, s := range list {
						state := "to be confirmed"
						switch {
						case !s.Failed.IsZero():
							state = "failed " + instant(s.Failed)
						case !s.Confirmed.IsZero():
							state = "confirmed"
						}
						w.row(s.ID, s.Key, string(s.Audience), s.Email+s.Webhook, state, fmt.Sprint(s.Queued), s.Problem)
					}
				})
		},
	}
}

func (c *cli) subscriptionConfirm() *cobra.Command {
	return &cobra.Command{
		Use:   "confirm ID [CODE]",
		Short: "Confirm an address with its code, or have a webhook challenged",
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 2 {
				return nil
			}
			return arguments("ID")(cmd, args)
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			code := ""
			if len(args) == 2 {
				code = args[1]
			}
			return c.subscriptionVerb(cmd, args[0], func(ctx context.Context, client *api.Client) (notice.Subscribed, error) {
				return client.ConfirmSubscription(ctx, args[0], code)
			})
		},
	}
}

func (c *cli) subscriptionSecret() *cobra.Command {
	return &cobra.Command{
		Use:   "new-secret ID",
		Short: "Give a webhook another signing secret; the old one signs for another day",
		Args:  arguments("ID"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.subscriptionVerb(cmd, args[0], func(ctx context.Context, client *api.Client) (notice.Subscribed, error) {
				return client.NewSubscriptionSecret(ctx, args[0])
			})
		},
	}
}

func (c *cli) subscriptionRemove() *cobra.Command {
	return &cobra.Command{
		Use:   "remove ID",
		Short: "End a subscription",
		Args:  arguments("ID"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return deal(cmd.Context(), c, answerTime, "subscription "+args[0], func(ctx context.Context, client *api.Client) (notice.Subscribed, error) {
				return client.Unsubscribe(ctx, args[0])
			}, func(w *columns, s notice.Subscribed) {
				w.row(fmt.Sprintf("%s to %s was ended", s.ID, s.Email+s.Webhook))
			})
		},
	}
}

func (c *cli) subscriptionVerb(cmd *cobra.Command, id string, do func(context.Context, *api.Client) (notice.Subscribed, error)) error {
	return deal(cmd.Context(), c, answerTime, "subscription "+id, do, showSubscription)
}
