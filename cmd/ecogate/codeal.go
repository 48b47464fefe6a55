package main

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/ecogate/ecogate/api"
	"github.com/ecogate/ecogate/eco"
	"github.com/ecogate/ecogate/exchange"
)

// dealVerbs are the verbs that say something about a certificate that is there.
func (c *cli) dealVerbs() []*cobra.Command {
	return []*cobra.Command{
		c.coCancel(), c.coReplace(), c.coResend(), c.coRespond(), c.coAsk(), c.coVerifyRequest(), c.coVerifyReply(), c.coVerifications(), c.coRefusals(), c.coSettle(), c.coHeld(), c.coRelease(),
	}
}

// namedFlags are the flags that tell certificates with one reference apart.
func namedFlags(cmd *cobra.Command, n *api.Named) {
	cmd.Flags().StringVar(&n.Country, "country", "", "issuing `country`, two letters")
	cmd.Flags().Var((*form)(&n.Form), "form", "`form` code, such as ATIGA-D")
	cmd.Flags().StringVar(&n.Partner, "partner", "", "`partner` that sent or received it")
}

// deal asks the node for something and prints it. An error names the subject, if there is one.
func deal[T any](ctx context.Context, c *cli, wait time.Duration, subject string, ask func(context.Context, *api.Client) (T, error), show func(*columns, T)) error {
	ctx, cancel, client, err := c.connect(ctx, wait)
	if err != nil {
		return err
	}
	defer cancel()
	answer, err := ask(ctx, client)
	switch {
	case err != nil && subject != "":
		return fmt.Errorf("%s: %w", subject, err)
	case err != nil:
		return err
	}
	return c.print(answer, func(w *columns) { show(w, answer) })
}

// showSent tells what was queued.
func showSent(w *columns, s api.Sent) {
	w.field(string(s.Kind), "queued for "+s.Partner)
	w.field("certificate", s.Key.String()+" is "+string(s.CertificateState))
	w.field("message", s.MessageID)
	w.field("number", strconv.FormatUint(s.Seq, 10))
}

func (c *cli) coCancel() *cobra.Command {
	var in api.CancellationRequest
	cmd := &cobra.Command{
		Use:   "cancel REFERENCE [--reason TEXT]",
		Short: "Cancel a certificate that nobody has used",
		Long: "Cancel a certificate with every partner that it went to, in the issuing body's name. One of which goods were cleared is not cancelled; if that\n" +
			"crosses the cancellation on its way, the partner refuses it, and the certificate stands again.",
		Args: arguments("REFERENCE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			in.Reference = args[0]
			return deal(cmd.Context(), c, answerTime, args[0],
				func(ctx context.Context, client *api.Client) ([]api.Sent, error) { return client.Cancel(ctx, in) },
				func(w *columns, all []api.Sent) {
					for _, s := range all {
						showSent(w, s)
					}
				})
		},
	}
	namedFlags(cmd, &in.Named)
	cmd.Flags().StringVar(&in.Reason, "reason", "", "`text` that the cancellation bears")
	return cmd
}

func (c *cli) coReplace() *cobra.Command {
	var partner string
	var attach []string
	cmd := &cobra.Command{
		Use:   "replace REFERENCE FILE --to PARTNER [--attach FILE]...",
		Short: "Submit a certificate in the place of another",
		Long: "Submit the certificate in FILE (JSON; - reads standard input) in the place of the one with REFERENCE, which nobody may have used. The file need not\n" +
			"say that it replaces another: its status and relation are written into it. Under the same number its version must be another.",
		Args: arguments("REFERENCE", "FILE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if partner == "" {
				return &usageError{text: "--to PARTNER is missing", command: cmd.CommandPath()}
			}
			return c.replace(cmd.Context(), args[0], args[1], partner, attach)
		},
	}
	cmd.Flags().StringVar(&partner, "to", "", "`partner` to deliver to")
	cmd.Flags().StringArrayVar(&attach, "attach", nil, "`file` to send with it, such as an invoice; may be given again")
	return cmd
}

func (c *cli) replace(ctx context.Context, reference, file, partner string, attach []string) error {
	data, err := c.readFile(file)
	if err != nil {
		return fmt.Errorf("certificate: %w", err)
	}
	certificate, err := eco.Decode(data)
	if err != nil {
		return &refused{fmt.Errorf("%s: %w", inputName(file), err)}
	}
	certificate.Status = eco.StatusReplacement
	if !names(certificate, reference) {
		certificate.Related = append(certificate.Related, eco.RelatedCertificate{
			Relation: eco.RelationReplaces, Reference: reference, Country: certificate.IssuingCountry,
		})
	}
	if data, err = json.Marshal(certificate); err != nil {
		return err
	}
	return (&submission{cli: c, partner: partner, attach: attach}).submitOne(ctx, file, data)
}

// names reports whether a certificate says that it replaces the one with that reference.
func names(c eco.Certificate, reference string) bool {
	for _, related := range c.Related {
		if related.Relation == eco.RelationReplaces && eco.NormaliseReference(related.Reference) == eco.NormaliseReference(reference) {
			return true
		}
	}
	return false
}

func (c *cli) coResend() *cobra.Command {
	var in api.Named
	cmd := &cobra.Command{
		Use:   "resend REFERENCE [--partner PARTNER]",
		Short: "Send a certificate once more, as it was",
		Long:  "Send a certificate to a partner once more: the same document and attachments, octet for octet, in a new message.",
		Args:  arguments("REFERENCE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			in.Reference = args[0]
			return deal(cmd.Context(), c, answerTime, args[0],
				func(ctx context.Context, client *api.Client) (api.Sent, error) { return client.Resend(ctx, in) }, showSent)
		},
	}
	namedFlags(cmd, &in)
	return cmd
}

// responseFlags are what "co respond" says of items, all alike.
type responseFlags struct {
	items    []int
	status   string
	quantity string
	reasons  []string
	refund   bool
}

func (c *cli) coRespond() *cobra.Command {
	var in api.ResponseRequest
	var f responseFlags
	cmd := &cobra.Command{
		Use:   "respond REFERENCE --status STATUS [--item N]... [--reason CODE=TEXT]...",
		Short: "Tell the partner what customs made of a certificate",
		Long: "Tell the partner who sent a certificate what customs made of its items: accepted, used-in-part, used-up, denied or suspended. Without --item it is said of\n" +
			"every item. Denied and suspended need a reason.",
		Args: arguments("REFERENCE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			in.Reference = args[0]
			return c.respond(cmd, in, f)
		},
	}
	namedFlags(cmd, &in.Named)
	cmd.Flags().IntSliceVar(&f.items, "item", nil, "item `number`, as printed; may be given again")
	cmd.Flags().StringVar(&f.status, "status", "", "what became of the items: `STATUS`")
	cmd.Flags().StringVar(&f.quantity, "quantity", "", "`quantity` used by now of each, such as \"1200.50 KGM\"")
	cmd.Flags().StringArrayVar(&f.reasons, "reason", nil, "why, as `CODE=TEXT`, such as \"C04=origin in doubt\"; may be given again")
	cmd.Flags().BoolVar(&f.refund, "refund", false, "duty or guarantee is given back for them")
	cmd.Flags().StringVar(&in.Declaration, "declaration", "", "`number` of the import declaration")
	cmd.Flags().StringVar(&in.Note, "note", "", "`text` for people")
	return cmd
}

func (c *cli) respond(cmd *cobra.Command, in api.ResponseRequest, f responseFlags) error {
	if f.status == "" {
		return &usageError{text: "--status STATUS is missing", command: cmd.CommandPath()}
	}
	outcome := eco.ItemOutcome{Status: eco.CustomsStatus(f.status), Reasons: reasonsOf(f.reasons), Refund: f.refund}
	if f.quantity != "" {
		value, unit, _ := strings.Cut(f.quantity, " ")
		outcome.Quantity = &eco.Measure{Value: eco.Decimal(value), Unit: unit}
	}
	if len(f.items) == 0 {
		found, _, err := c.find(cmd.Context(), api.LookupQuery{Reference: in.Reference, Direction: exchange.Inbound, Country: in.Country, Form: string(in.Form)})
		if err != nil {
			return err
		}
		if found.Matches[0].Certificate != nil {
			for _, item := range found.Matches[0].Certificate.Items {
				f.items = append(f.items, item.Number)
			}
		}
	}
	for _, item := range f.items {
		outcome.Item = item
		in.Items = append(in.Items, outcome)
	}
	return deal(cmd.Context(), c, answerTime, in.Reference,
		func(ctx context.Context, client *api.Client) (api.Sent, error) { return client.Respond(ctx, in) }, showSent)
}

// reasonsOf reads reasons as CODE=TEXT.
func reasonsOf(flags []string) (reasons []eco.Reason) {
	for _, flag := range flags {
		code, text, _ := strings.Cut(flag, "=")
		reasons = append(reasons, eco.Reason{Code: code, Text: text})
	}
	return reasons
}

func (c *cli) coAsk() *cobra.Command {
	var in api.StatusQuestion
	var wait time.Duration
	cmd := &cobra.Command{
		Use:   "ask REFERENCE --partner PARTNER [--country COUNTRY --form FORM]",
		Short: "Ask a partner whether a certificate has arrived and where it stands",
		Long: "Ask a partner whether a certificate has arrived and where it stands, and wait for the answer. Country and form are those of the certificate with this\n" +
			"reference here; of one that is not here they must be given.",
		Args: arguments("REFERENCE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			in.Reference = args[0]
			if in.Partner == "" {
				return &usageError{text: "--partner PARTNER is missing", command: cmd.CommandPath()}
			}
			return c.askCertificate(cmd, in, wait)
		},
	}
	namedFlags(cmd, &in.Named)
	cmd.Flags().DurationVar(&wait, "timeout", 30*time.Second, "how `long` to wait, 2m at most")
	return cmd
}

func (c *cli) askCertificate(cmd *cobra.Command, in api.StatusQuestion, wait time.Duration) error {
	if in.Country == "" || in.Form == "" {
		found, _, err := c.find(cmd.Context(), api.LookupQuery{Reference: in.Reference, Country: in.Country, Form: string(in.Form)})
		if err != nil {
			return &usageError{text: "--country and --form are missing, and no certificate here bears this reference", command: cmd.CommandPath()}
		}
		in.Country, in.Form = found.Matches[0].Key.Country, found.Matches[0].Key.Form
	}
	return deal(cmd.Context(), c, wait+answerTime, in.Reference,
		func(ctx context.Context, client *api.Client) (exchange.CertificateStatus, error) {
			return client.AskCertificate(ctx, in, wait)
		},
		func(w *columns, s exchange.CertificateStatus) {
			w.field("partner", s.Partner)
			w.field("standing", string(s.Report.Standing))
			w.field("since", instant(s.Report.Since))
			for _, item := range s.Report.Items {
				showOutcome(w, item)
			}
			w.field("note", s.Report.Note)
			w.field("answered", instant(s.Answered))
		})
}

// showOutcome tells what customs said of an item.
func showOutcome(w *columns, o eco.ItemOutcome) {
	text := string(o.Status)
	if o.Quantity != nil {
		text += fmt.Sprintf(", %s %s used", o.Quantity.Value, o.Quantity.Unit)
	}
	for _, reason := range o.Reasons {
		text += fmt.Sprintf("; %s %s", reason.Code, reason.Text)
	}
	if o.Refund {
		text += "; refund"
	}
	w.row("item "+strconv.Itoa(o.Item), text)
}

func (c *cli) coVerifyRequest() *cobra.Command {
	var in api.VerificationRequest
	var reasons, questions []string
	var replyBy string
	var random bool
	cmd := &cobra.Command{
		Use:   "verify-request REFERENCE --reason CODE=TEXT [--question TEXT]...",
		Short: "Ask the partner who sent a certificate to verify it",
		Long: "Ask the partner who sent a certificate to verify it, with reasons and questions, or at random. Until the reply is here nothing may be written off\n" +
			"against the certificate; where the reply does not confirm it, until customs have decided.",
		Args: arguments("REFERENCE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			in.Reference, in.Ground, in.Reasons = args[0], eco.VerifyForDoubt, reasonsOf(reasons)
			if random {
				in.Ground = eco.VerifyAtRandom
			}
			for _, question := range questions {
				in.Questions = append(in.Questions, eco.Question{Text: question})
			}
			if replyBy != "" {
				day, err := eco.ParseDate(replyBy)
				if err != nil {
					return &usageError{text: "--reply-by: " + err.Error(), command: cmd.CommandPath()}
				}
				in.ReplyBy = day
			}
			return deal(cmd.Context(), c, answerTime, args[0],
				func(ctx context.Context, client *api.Client) (api.Sent, error) {
					return client.RequestVerification(ctx, in)
				}, showSent)
		},
	}
	namedFlags(cmd, &in.Named)
	cmd.Flags().IntSliceVar(&in.Items, "item", nil, "item `number` that it is about; none is all; may be given again")
	cmd.Flags().StringArrayVar(&reasons, "reason", nil, "what is doubtful, as `CODE=TEXT`; may be given again")
	cmd.Flags().StringArrayVar(&questions, "question", nil, "`text` of a question; may be given again")
	cmd.Flags().BoolVar(&random, "random", false, "verified at random, not because of a doubt")
	cmd.Flags().StringVar(&replyBy, "reply-by", "", "last `day` for the reply, such as 2027-03-01")
	cmd.Flags().StringVar(&in.Note, "note", "", "`text` for people")
	return cmd
}

func (c *cli) coVerifyReply() *cobra.Command {
	var in api.VerificationReply
	var result string
	var reasons, answers []string
	cmd := &cobra.Command{
		Use:   "verify-reply REFERENCE --result RESULT [--answer N=TEXT]...",
		Short: "Reply to a verification request, and close it",
		Long:  "Reply to a verification request in the issuing body's name: confirmed, not-confirmed or undetermined, the last two with a reason.",
		Args:  arguments("REFERENCE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if result == "" {
				return &usageError{text: "--result RESULT is missing", command: cmd.CommandPath()}
			}
			in.Reference, in.Result, in.Reasons = args[0], eco.VerificationResult(result), reasonsOf(reasons)
			for _, answer := range answers {
				number, text, _ := strings.Cut(answer, "=")
				question, err := strconv.Atoi(number)
				if err != nil {
					return &usageError{text: fmt.Sprintf("--answer %q: want N=TEXT, N counting the questions from 1", answer), command: cmd.CommandPath()}
				}
				in.Replies = append(in.Replies, eco.QuestionReply{Question: question, Text: text})
			}
			return deal(cmd.Context(), c, answerTime, args[0],
				func(ctx context.Context, client *api.Client) (api.Sent, error) {
					return client.ReplyVerification(ctx, in)
				}, showSent)
		},
	}
	namedFlags(cmd, &in.Named)
	cmd.Flags().StringVar(&in.Request, "request", "", "`number` of the request, if several are open")
	cmd.Flags().StringVar(&result, "result", "", "what it came to: `RESULT`")
	cmd.Flags().StringArrayVar(&reasons, "reason", nil, "why it is not confirmed, as `CODE=TEXT`; may be given again")
	cmd.Flags().StringArrayVar(&answers, "answer", nil, "answer to a question, as `N=TEXT`; may be given again")
	cmd.Flags().StringVar(&in.Note, "note", "", "`text` for people")
	return cmd
}

func (c *cli) coVerifications() *cobra.Command {
	var way exchange.Direction
	cmd := &cobra.Command{
		Use:   "verifications",
		Short: "List verifications that are open",
		Long:  "List verifications that are open: of our own certificates, which wait for our reply (outbound), and of partners' (inbound).",
		Args:  arguments(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return deal(cmd.Context(), c, answerTime, "open verifications",
				func(ctx context.Context, client *api.Client) ([]api.OpenVerification, error) {
					return client.Verifications(ctx, way)
				}, listVerifications)
		},
	}
	cmd.Flags().Var((*direction)(&way), "direction", "inbound or outbound")
	return cmd
}

func listVerifications(w *columns, list []api.OpenVerification) {
	w.row("REFERENCE", "FORM", "DIRECTION", "PARTNER", "ASKED", "REPLY BY", "REQUEST")
	for _, v := range list {
		due := v.Verification.ReplyBy.String()
		if v.Due != nil {
			due = v.Due.Due.String()
			if v.Due.Overdue {
				due += " OVERDUE"
			}
		}
		w.row(v.Reference, string(v.Key.Form), string(v.Direction), v.Partner, instant(v.Verification.Asked), due, v.Verification.ID)
		if v.Request == nil {
			continue
		}
		for _, reason := range v.Request.Reasons {
			w.row("", "reason", reason.Code+" "+reason.Text)
		}
		for i, question := range v.Request.Questions {
			w.row("", "question "+strconv.Itoa(i+1), question.Text)
		}
	}
}

func ofDeclaration(number string) string {
	if number == "" {
		return ""
	}
	return "of declaration " + number
}

// showDealings tells what business messages said of a certificate.
func showDealings(w *columns, d *api.Dealings) {
	if d == nil {
		return
	}
	for _, item := range d.Items {
		showOutcome(w, item.ItemOutcome)
		w.row("", strings.TrimSpace("said "+instant(item.Said)+" "+ofDeclaration(item.Declaration)))
	}
	for _, v := range d.Verifications {
		text := "open since " + instant(v.Asked)
		if v.Reply != "" {
			text = string(v.Result) + ", " + instant(v.Replied)
		}
		w.row("verification", text)
	}
	if d.Successor != nil {
		w.field("replaced by", d.Successor.String())
	}
	if d.Predecessor != nil {
		w.field("replaces", d.Predecessor.String())
	}
}
