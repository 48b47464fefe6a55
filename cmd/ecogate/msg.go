package main

import (
	"context"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/ecogate/ecogate/api"
	"github.com/ecogate/ecogate/eco"
	"github.com/ecogate/ecogate/exchange"
)

func (c *cli) msgCommand() *cobra.Command {
	return group("msg", "List, show and verify messages", c.msgList(), c.msgShow(), c.msgParts(), c.msgStatus(), c.msgVerify(), c.msgInspect())
}

func (c *cli) msgList() *cobra.Command {
	var q exchange.MessageQuery
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List messages, newest first",
		Args:  arguments(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx, cancel, client, err := c.connect(cmd.Context(), answerTime)
			if err != nil {
				return err
			}
			defer cancel()
			page, err := client.Messages(ctx, q)
			if err != nil {
				return err
			}
			if err := c.print(page, func(w *columns) { listMessages(w, page.Messages) }); err != nil {
				return err
			}
			if page.Next != 0 && !c.json {
				fmt.Fprintf(c.errOut, "more: --before %d\n", page.Next)
			}
			return nil
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&q.Partner, "partner", "", "only messages to or from `partner`")
	flags.StringVar(&q.MessageID, "message-id", "", "only messages with this `MessageId`")
	flags.StringVar(&q.RefToMessageID, "ref-to", "", "only messages that refer to this `MessageId`")
	flags.Var((*direction)(&q.Direction), "direction", "inbound or outbound")
	flags.StringVar((*string)(&q.Kind), "kind", "", `certificate, acknowledgment, error, answer, ping, pong, "status request", "status response" or unknown`)
	flags.StringVar((*string)(&q.State), "state", "", `queued, sending, "awaiting acknowledgment", delivered, failed, expired, cancelled, received, accepted or quarantined`)
	flags.IntVar(&q.Limit, "limit", 100, "list at most this `number`, up to 500")
	flags.Uint64Var(&q.Before, "before", 0, "only records below this `number`, for the next page")
	return cmd
}

func listMessages(w *columns, messages []exchange.Message) {
	w.row("NUMBER", "CREATED", "DIRECTION", "KIND", "STATE", "PARTNER", "ATTEMPTS", "ORDER", "REFERENCE", "ANSWER", "REASON")
	for _, m := range messages {
		reason := ""
		if m.Reason != nil {
			reason = m.Reason.Code
		}
		w.row(strconv.FormatUint(m.Seq, 10), instant(m.Created), string(m.Direction), string(m.Kind), state(m), m.Partner,
			strconv.Itoa(m.Attempts), order(m), m.Certificate.Reference, answers(m), reason)
	}
}

// state is where a message stands, in words.
func state(m exchange.Message) string {
	if m.Late {
		return string(m.State) + " late"
	}
	return string(m.State)
}

// order is a message's number in its conversation; empty if order does not matter there.
func order(m exchange.Message) string {
	if m.Order == nil {
		return ""
	}
	return strconv.FormatUint(uint64(m.Order.Sequence), 10)
}

// answers are what a message says of certificates, in a word each.
func answers(m exchange.Message) string {
	words := make([]string, len(m.Answers))
	for i, a := range m.Answers {
		words[i] = string(a.Kind)
	}
	return strings.Join(words, ", ")
}

func (c *cli) msgShow() *cobra.Command {
	var raw string
	cmd := &cobra.Command{
		Use:   "show ID",
		Short: "Show a message by its number or its MessageId",
		Long: "Show a message by its number or its MessageId: where it stands, what holds it back, each attempt, and why it failed.\n" +
			"With --raw its bytes, as they travelled, are written to FILE (- for standard output, and nothing else).",
		Args: arguments("ID"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.showMessage(cmd.Context(), args[0], raw)
		},
	}
	cmd.Flags().StringVar(&raw, "raw", "", "write the bytes to `FILE`")
	return cmd
}

func (c *cli) showMessage(ctx context.Context, id, raw string) error {
	asking, cancel, client, err := c.connect(ctx, answerTime)
	if err != nil {
		return err
	}
	defer cancel()
	m, err := client.Message(asking, id)
	if err != nil {
		return fmt.Errorf("%s: %w", id, err)
	}
	if raw != "" {
		ctx, cancel := context.WithTimeout(ctx, transferTime(m.Raw.Size))
		defer cancel()
		err := c.download(raw, func(w io.Writer) error {
			_, err := client.RawMessage(ctx, strconv.FormatUint(m.Seq, 10), w)
			return err
		})
		if err != nil {
			return fmt.Errorf("%s: %w", id, err)
		}
		if raw == "-" {
			return nil
		}
	}
	var held string
	if m.State == exchange.StateQueued && !c.json {
		if held, err = heldBack(asking, client, m.Partner); err != nil {
			return fmt.Errorf("%s: partner %s: %w", id, m.Partner, err)
		}
	}
	return c.print(m, func(w *columns) {
		messageFields(w, m)
		w.field("held back", held)
	})
}

// heldBack says why nothing is sent to a partner now, if that is so: a message that is due and does not go is a riddle otherwise.
func heldBack(ctx context.Context, client *api.Client, partner string) (string, error) {
	list, err := client.Partners(ctx)
	if err != nil {
		return "", err
	}
	for _, p := range list {
		switch {
		case p.ID != partner:
		case p.Pause != nil:
			return join(": ", fmt.Sprintf("paused by %s since %s", p.Pause.By, instant(p.Pause.Since)), p.Pause.Why), nil
		case !p.Suspended.IsZero():
			return fmt.Sprintf("probes only until %s, after %d failures", instant(p.Suspended), p.Failures), nil
		}
	}
	return "", nil
}

func messageFields(w *columns, m exchange.Message) {
	w.row("number", strconv.FormatUint(m.Seq, 10))
	w.field("message", m.MessageID)
	w.field("refers to", m.RefToMessageID)
	w.field("conversation", m.ConversationID)
	w.field("number in it", order(m))
	if m.Order != nil && m.Order.Reset {
		w.field("", "the numbers begin anew with it")
	}
	w.field("direction", string(m.Direction))
	w.field("kind", string(m.Kind))
	w.field("state", state(m))
	w.field("partner", m.Partner)
	w.field("agreement", m.CPAID)
	w.field("service", m.Service)
	w.field("action", m.Action)
	if m.Certificate != (exchange.CertificateKey{}) {
		w.field("certificate", m.Certificate.String())
	}
	w.field("created", instant(m.Created))
	w.field("due", instant(m.Due))
	w.field("expires", instant(m.Expires))
	w.field("settled", instant(m.Settled))
	w.field("settled by", m.SettledBy)
	w.field("endpoint", m.Endpoint)
	w.field("signed by", m.Signer)
	w.field("document signed by", m.DocumentSigner)
	for _, s := range m.SignersRevoked {
		w.row("signer revoked", string(s.Use)+": "+s.String())
	}
	w.field("bytes", join(", sha256 ", strconv.FormatInt(m.Raw.Size, 10), m.Raw.Digest))
	if m.Copies > 0 {
		w.field("further copies", strconv.Itoa(m.Copies))
	}
	if m.Reason != nil {
		w.field("reason", reason(*m.Reason))
		w.field("partner was told", m.Reason.Told)
	}
	for _, a := range m.Answers {
		showAnswer(w, a)
	}
	if b := m.Business; b != nil && b.Announcement != nil {
		showSummary(w, *b.Announcement)
	}
	if b := m.Business; b != nil && b.AnnouncementAnswer != nil {
		w.row("answers announcement", strconv.FormatUint(b.AnnouncementAnswer.Number, 10))
		for _, o := range b.AnnouncementAnswer.Outcomes {
			showResult(w, o, true)
			if o.Told != "" {
				w.row("", o.Told)
			}
		}
	}
	attempts(w, m.Log)
}

func showAnswer(w *columns, a eco.Answer) {
	said := a.Certificate
	w.row("answer", fmt.Sprintf("%s: %s/%s/%s, by %s at %s", a.Kind, said.IssuingCountry, said.Form, said.Reference, a.Authority.Name, instant(a.IssueTime)))
	for _, r := range a.Reasons {
		w.row("because", strings.TrimSuffix(r.Code+": "+r.Text, ": "))
	}
	w.field("note", a.Note)
}

// reason puts the code before the cause, unless the cause begins with it.
func reason(r exchange.Reason) string {
	if strings.HasPrefix(r.Cause, r.Code) {
		return r.Cause
	}
	return r.Code + ": " + r.Cause
}

// attempts numbers what was sent. Entries with which delivery ended without sending have a line of their own.
func attempts(w *columns, log []exchange.Attempt) {
	number := 0
	for _, a := range log {
		if a.Status == 0 && strings.HasPrefix(a.Problem, notSent) {
			w.row("ended", instant(a.Began)+"  "+a.Problem)
			continue
		}
		number++
		status := "HTTP -"
		if a.Status != 0 {
			status = "HTTP " + strconv.Itoa(a.Status)
		}
		if strings.HasPrefix(a.Problem, status) {
			status = "" // the problem says it
		}
		w.row("attempt "+strconv.Itoa(number), join("  ", instant(a.Began), status, a.Problem))
	}
}

// notSent begins the problem of an entry that tells of no attempt, only of the end of delivery.
const notSent = "not sent: "
