package main

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/ecogate/ecogate/api"
	"github.com/ecogate/ecogate/clearance"
	"github.com/ecogate/ecogate/eco"
)

func (c *cli) declarationCommand() *cobra.Command {
	return group("declaration", "Import declarations that cite received certificates, and what officers decide about them",
		c.declarationSubmit(), c.declarationCheck(), c.declarationList(), c.declarationShow(), c.declarationWithdraw(), c.declarationDecide(), c.declarationConfirm(), c.declarationNote())
}

func (c *cli) declarationSubmit() *cobra.Command {
	var amend, out string
	cmd := &cobra.Command{
		Use:   "submit FILE [--amend NUMBER | --contrl OUT]",
		Short: "Lodge a declaration, or put it in the place of one that nobody has decided about",
		Long: "Lodge an import declaration: JSON as docs/api.md tells, - is standard input. What it claims of the certificates that it cites is compared with them\n" +
			"and reserved. The same declaration again is no error, and answers the first.\n" +
			"FILE may be a UN/EDIFACT interchange with messages CUSDEC, which say themselves whether they lodge, amend or withdraw (docs/cusdec.md); its first\n" +
			"segment tells. --contrl writes the answer as message CONTRL; - is standard output. The exit code is 0 then, whatever the answer says.",
		Args: arguments("FILE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			data, err := c.readFile(args[0])
			if err != nil {
				return err
			}
			switch edifact := isInterchange(data); {
			case edifact && amend != "":
				return &usageError{text: "--amend goes with a declaration in JSON; a message says itself what it amends", command: cmd.CommandPath()}
			case edifact:
				return c.submitInterchange(cmd.Context(), args[0], data, out)
			case out != "":
				return &usageError{text: "--contrl goes with an interchange", command: cmd.CommandPath()}
			}
			return deal(cmd.Context(), c, answerTime, args[0], func(ctx context.Context, client *api.Client) (clearance.Lodgement, error) {
				if amend != "" {
					return client.Amend(ctx, amend, data)
				}
				return client.Lodge(ctx, data)
			}, showDeclaration)
		},
	}
	cmd.Flags().StringVar(&out, "contrl", "", "`file` to write the answer to an interchange to, as CONTRL")
	cmd.Flags().StringVar(&amend, "amend", "", "`number` of the declaration in whose place it comes")
	return cmd
}

func (c *cli) declarationList() *cobra.Command {
	var q clearance.DeclarationQuery
	var state string
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List declarations in the order in which they came",
		Args:  arguments(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			q.State = clearance.LodgementState(state)
			return deal(cmd.Context(), c, answerTime, "", func(ctx context.Context, client *api.Client) (clearance.DeclarationPage, error) {
				return client.Declarations(ctx, q)
			}, func(w *columns, page clearance.DeclarationPage) {
				w.row("NUMBER", "STATE", "LODGED", "DECLARANT", "IMPORTER", "CLAIMS", "HELD UNTIL")
				for _, l := range page.Declarations {
					w.row(l.Number, string(l.State), l.Lodged.String(), l.Declarant, partyText(l.Importer), strconv.Itoa(len(l.Claims)), held(l))
				}
				if page.Next > 0 {
					w.row("more with --after " + strconv.FormatUint(page.Next, 10))
				}
			})
		},
	}
	cmd.Flags().StringVar(&state, "state", "", "where they stand: `STATE`, such as lodged or 'on guarantee'")
	cmd.Flags().StringVar(&q.Certificate, "certificate", "", "`key` of a certificate that they cite, such as KR/ATIGA-D/K0012500001")
	cmd.Flags().Uint64Var(&q.After, "after", 0, "`number` that the page before ended with")
	cmd.Flags().IntVar(&q.Limit, "limit", 0, "`number` of declarations on a page")
	return cmd
}

func held(l clearance.Lodgement) string {
	if l.HeldUntil.IsZero() {
		return ""
	}
	return instant(l.HeldUntil)
}

func (c *cli) declarationShow() *cobra.Command {
	return &cobra.Command{
		Use:   "show NUMBER",
		Short: "Show a declaration and what became of it",
		Args:  arguments("NUMBER"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return deal(cmd.Context(), c, answerTime, args[0], func(ctx context.Context, client *api.Client) (clearance.Lodgement, error) {
				return client.Declaration(ctx, args[0])
			}, showDeclaration)
		},
	}
}

// showDeclaration tells where a declaration stands, claim by claim.
func showDeclaration(w *columns, l clearance.Lodgement) {
	w.field("declaration", l.Number)
	w.field("state", string(l.State))
	w.field("version", strconv.Itoa(l.Version))
	w.field("lodged", l.Lodged.String()+" by "+l.Declarant)
	w.field("importer", partyText(l.Importer))
	if l.Guarantee != nil {
		w.field("guarantee", l.Guarantee.Number)
	}
	if until := held(l); until != "" {
		w.field("held until", until)
	}
	for _, claim := range l.Claims {
		w.field("claim "+strconv.Itoa(claim.Number), claimText(claim))
	}
	for _, d := range l.Differences {
		w.field(string(d.Class), fmt.Sprintf("line %d, item %d, %s: %s", d.Line, d.Item, d.Field, d.Text))
	}
	for _, f := range l.Findings {
		w.field(string(f.Severity), f.Code+" "+f.Path+": "+f.Text)
	}
	for _, d := range l.Decisions {
		text := string(d.State) + " by " + d.By + ", " + instant(d.At)
		if d.Second != nil {
			text = fmt.Sprintf("%s by %s, %s; proposed by %s, %s", d.State, d.Second.By, instant(d.Second.At), d.By, instant(d.At))
		}
		w.field("decision "+strconv.Itoa(d.Number), text)
	}
	if l.Release != nil {
		w.field("release note", "differences "+string(l.Release.Outcome))
	}
	for _, e := range l.History {
		w.field(e.Event, strings.TrimSuffix(instant(e.At)+" "+e.By+": "+e.Text, ": "))
	}
}

// partyText is a party's name, or what identifies one that has none.
func partyText(p eco.Party) string {
	if p.Name == "" && len(p.Identifiers) > 0 {
		return p.Identifiers[0].Scheme + ":" + p.Identifiers[0].Value
	}
	return p.Name
}

func claimText(c clearance.Claim) string {
	text := fmt.Sprintf("%s, line %d, item %d of %s", c.Standing, c.Line, c.Item, c.Reference)
	if c.Taken != nil {
		text += fmt.Sprintf(", %s %s claimed", c.Taken.Value, c.Taken.Unit)
	}
	if c.Granted != nil {
		text += fmt.Sprintf(", %s %s granted", c.Granted.Value, c.Granted.Unit)
	}
	for _, r := range c.Reasons {
		text += "; " + strings.TrimSpace(r.Code+" "+r.Text)
	}
	if c.Refund {
		text += "; duty is refunded"
	}
	return text
}

func (c *cli) declarationWithdraw() *cobra.Command {
	var why string
	cmd := &cobra.Command{
		Use:   "withdraw NUMBER [--why TEXT]",
		Short: "Take a declaration back that nobody has decided about; what it has reserved is free",
		Args:  arguments("NUMBER"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return deal(cmd.Context(), c, answerTime, args[0], func(ctx context.Context, client *api.Client) (clearance.Lodgement, error) {
				return client.Withdraw(ctx, args[0], why)
			}, showDeclaration)
		},
	}
	cmd.Flags().StringVar(&why, "why", "", "`text` for the history and the audit log")
	return cmd
}

func (c *cli) declarationDecide() *cobra.Command {
	var claims []int
	var verdict, amount, guarantee, replyBy string
	var reasons, questions []string
	var refund bool
	var j clearance.Judgement
	cmd := &cobra.Command{
		Use:   "decide NUMBER --verdict VERDICT [--claim N]...",
		Short: "Decide about claims of a declaration",
		Long: "Decide about claims of a declaration: accept, part, deny, suspend, verify, reopen or reverse. What is decided happens to the certificates at once,\n" +
			"and the partner is told; with clearance.second_officer it waits for another officer. Without --claim it is about every claim that it can be said of.",
		Args: arguments("NUMBER"),
		RunE: func(cmd *cobra.Command, args []string) error {
			usage := func(text string) error { return &usageError{text: text, command: cmd.CommandPath()} }
			ruling := clearance.Ruling{Verdict: clearance.Verdict(verdict), Reasons: reasonsOf(reasons), Questions: questions, Refund: refund}
			if verdict == "" {
				return usage("--verdict VERDICT is missing")
			}
			if amount != "" {
				value, unit, found := strings.Cut(amount, " ")
				if !found {
					return usage(fmt.Sprintf("--quantity %q: want a number and a unit, such as '10 KGM'", amount))
				}
				ruling.Quantity = &eco.Measure{Value: eco.Decimal(value), Unit: unit}
			}
			if guarantee != "" {
				ruling.Guarantee = &clearance.Guarantee{Number: guarantee}
			}
			if replyBy != "" {
				day, err := eco.ParseDate(replyBy)
				if err != nil {
					return usage("--reply-by: " + err.Error())
				}
				ruling.ReplyBy = day
			}
			if len(claims) == 0 {
				claims = []int{0}
			}
			for _, claim := range claims {
				ruling.Claim = claim
				j.Rulings = append(j.Rulings, ruling)
			}
			return deal(cmd.Context(), c, answerTime, args[0], func(ctx context.Context, client *api.Client) (clearance.Lodgement, error) {
				return client.Decide(ctx, args[0], j)
			}, showDeclaration)
		},
	}
	f := cmd.Flags()
	f.StringVar(&verdict, "verdict", "", "`VERDICT`: accept, part, deny, suspend, verify, reopen or reverse")
	f.IntSliceVar(&claims, "claim", nil, "`number` of a claim; may be given again")
	f.StringVar(&amount, "quantity", "", "what is granted with part, such as '10 KGM': `QUANTITY`")
	f.StringArrayVar(&reasons, "reason", nil, "why, as `CODE=TEXT`; may be given again")
	f.StringVar(&guarantee, "guarantee", "", "`number` of the guarantee on which goods are released")
	f.StringArrayVar(&questions, "question", nil, "`text` of a question to the issuing body, with verify; may be given again")
	f.StringVar(&replyBy, "reply-by", "", "last `day` for the reply, with verify, such as 2027-03-01")
	f.BoolVar(&refund, "refund", false, "the goods were released at full duty, which is paid back")
	f.StringVar(&j.Note, "note", "", "`text` for people at the partner")
	f.StringVar(&j.Override, "override", "", "`reason` to write off after the validity or a cancellation")
	return cmd
}

func (c *cli) declarationConfirm() *cobra.Command {
	var why string
	var reject bool
	cmd := &cobra.Command{
		Use:   "confirm NUMBER DECISION [--reject]",
		Short: "Confirm a decision that another officer has proposed, or reject it",
		Args:  arguments("NUMBER", "DECISION"),
		RunE: func(cmd *cobra.Command, args []string) error {
			decision, err := strconv.Atoi(args[1])
			if err != nil || decision < 1 {
				return &usageError{text: fmt.Sprintf("%q is not the number of a decision", args[1]), command: cmd.CommandPath()}
			}
			return deal(cmd.Context(), c, answerTime, args[0], func(ctx context.Context, client *api.Client) (clearance.Lodgement, error) {
				return client.ConfirmDecision(ctx, args[0], decision, why, reject)
			}, showDeclaration)
		},
	}
	cmd.Flags().BoolVar(&reject, "reject", false, "end it without a change")
	cmd.Flags().StringVar(&why, "why", "", "`text` for the history")
	return cmd
}

func (c *cli) declarationNote() *cobra.Command {
	return &cobra.Command{
		Use:   "release-note NUMBER",
		Short: "Show the note that certificates have come which a declaration on guarantee awaited",
		Args:  arguments("NUMBER"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return deal(cmd.Context(), c, answerTime, args[0], func(ctx context.Context, client *api.Client) (clearance.ReleaseNote, error) {
				return client.ReleaseNote(ctx, args[0])
			}, func(w *columns, n clearance.ReleaseNote) { w.lines(n.Text()) })
		},
	}
}
