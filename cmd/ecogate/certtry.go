package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/ecogate/ecogate/api"
	"github.com/ecogate/ecogate/exchange"
	"github.com/ecogate/ecogate/partners"
	"github.com/ecogate/ecogate/signing"
)

// checkTime bounds the wait for a node that tries a credential.
const checkTime = 3 * time.Minute

// try has the node try a candidate on stored messages.
func (c *cli) try(cmd *cobra.Command, candidate partners.Candidate, last int) error {
	switch {
	case last < 1 || last > exchange.MaxRehearsal:
		return &usageError{text: fmt.Sprintf("want --last from 1 to %d, found %d", exchange.MaxRehearsal, last), command: cmd.CommandPath()}
	case candidate.Use != partners.UseMessageSignature && candidate.Use != partners.UseDocumentSignature:
		return &usageError{text: fmt.Sprintf("--last goes with what signs messages or documents, and not with %s", candidate.Use), command: cmd.CommandPath()}
	}
	file, err := c.readFile(candidate.File)
	if err != nil {
		return &unreadable{err}
	}
	ctx, cancel, client, err := c.connect(cmd.Context(), checkTime)
	if err != nil {
		return err
	}
	defer cancel()
	answer, err := client.CheckCredential(ctx, candidate, file, last)
	if err != nil {
		return err
	}
	if err := c.print(answer, func(w *columns) { tellCheck(w, answer) }); err != nil {
		return err
	}
	if answer.Verdict == api.VerdictFails {
		return errNotValid
	}
	return nil
}

func tellCheck(w *columns, k api.CredentialCheck) {
	if k.Subject != "" {
		w.row("subject", k.Subject)
		w.row("sha-256", k.SHA256)
		w.row("counts", instant(k.From)+" to "+instant(k.Until))
	}
	for _, text := range k.Refused {
		w.row("refused", text)
	}
	for _, text := range k.Warnings {
		w.row("warning", text)
	}
	for _, t := range k.Tried {
		by := t.By
		switch t.By {
		case exchange.ByOther:
			by = "other " + t.SHA256[:16]
		case exchange.ByNone:
			by = join(": ", t.By, t.Why)
		}
		window := "before it is valid"
		if t.InWindow {
			window = "while it is valid"
		}
		w.row("message "+strconv.FormatUint(t.Seq, 10), join("  ", instant(t.Received), string(t.Kind), t.Certificate.Reference, window, "verified by "+by))
	}
	w.row("verified", fmt.Sprintf("%d by it, %d by others, %d by none", k.Candidate, k.Other, k.None))
	switch k.Verdict {
	case api.VerdictFails:
		w.row("verdict", "it would fail")
	case api.VerdictUntried:
		text := "nothing stands against it; no message came while it is valid"
		if k.Other > 0 {
			text = "nothing stands against it; the partner does not sign with it yet"
		}
		w.row("verdict", text)
	default:
		w.row("verdict", "it works")
	}
}

// affectedPage is how many items are asked for at a time.
const affectedPage = 500

func (c *cli) certAffected() *cobra.Command {
	var since instantFlag
	var before string
	var limit int
	cmd := &cobra.Command{
		Use:   "affected SHA256|FILE [--since TIME]",
		Short: "List every message and certificate that a credential signed",
		Long: "List every message that a credential signed, or of which it signed the document, and every certificate whose document it signed, since an\n" +
			"instant, newest first, with where each stands now: what rests on a credential that is not to be trusted any more. SHA256 is its\n" +
			"fingerprint, 64 hexadecimal digits as \"cert list --json\" and \"msg show\" have it; FILE holds it. It need not be configured any more.",
		Args: arguments("SHA256|FILE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if limit < 1 {
				return &usageError{text: fmt.Sprintf("want --limit of 1 or more, found %d", limit), command: cmd.CommandPath()}
			}
			fingerprint, err := c.fingerprintOf(args[0])
			if err != nil {
				return err
			}
			ctx, cancel, client, err := c.connect(cmd.Context(), checkTime)
			if err != nil {
				return err
			}
			defer cancel()
			page, err := allAffected(ctx, client, fingerprint, time.Time(since), limit, before)
			if err != nil {
				return err
			}
			if err := c.print(page, func(w *columns) { tellAffected(w, page.Items) }); err != nil {
				return err
			}
			if page.Next != "" && !c.json {
				fmt.Fprintf(c.errOut, "more: --before %s\n", page.Next)
			}
			return nil
		},
	}
	cmd.Flags().Var(&since, "since", "only what came or went at this `time` or later, such as 2026-11-20T08:30:00Z or 2026-11-20")
	cmd.Flags().IntVar(&limit, "limit", 10_000, "list at most this `number`")
	cmd.Flags().StringVar(&before, "before", "", "go on at this `place`, which the list before ended with")
	return cmd
}

// fingerprintOf is a fingerprint as it is, or that of the credential in a file.
func (c *cli) fingerprintOf(text string) (string, error) {
	if octets, err := hex.DecodeString(text); err == nil && len(octets) == sha256.Size {
		return text, nil
	}
	data, err := c.readFile(text)
	if err != nil {
		return "", &hinted{&unreadable{err}, "want a SHA-256 fingerprint of 64 hexadecimal digits, or a file with a credential"}
	}
	list, err := signing.ReadCredentials(data)
	if err != nil {
		return "", &unreadable{fmt.Errorf("%s: %w", inputName(text), err)}
	}
	return signing.Fingerprint(list[0]), nil
}

// allAffected asks for pages until there are limit items.
func allAffected(ctx context.Context, client *api.Client, fingerprint string, since time.Time, limit int, before string) (api.AffectedPage, error) {
	all := api.AffectedPage{Items: []exchange.SignedItem{}, Next: before}
	for {
		page, err := client.Affected(ctx, fingerprint, since, min(affectedPage, limit-len(all.Items)), all.Next)
		if err != nil {
			return all, err
		}
		all.Items, all.Next = append(all.Items, page.Items...), page.Next
		if all.Next == "" || len(all.Items) >= limit {
			return all, nil
		}
	}
}

func tellAffected(w *columns, items []exchange.SignedItem) {
	w.row("WHAT", "NUMBER", "TIME", "DIRECTION", "PARTNER", "KIND", "STATE", "REFERENCE", "CERTIFICATE", "MESSAGE")
	for _, item := range items {
		if x := item.Certificate; x != nil {
			w.row("certificate", strconv.FormatUint(x.Seq, 10), instant(x.Recorded), string(x.Direction), x.Partner, "", "", x.Key.Reference, string(x.State), x.MessageID)
			continue
		}
		m := item.Message
		var reference, state string
		if m.Certificate != nil {
			reference, state = m.Certificate.Key.Reference, string(m.Certificate.State)
		}
		w.row("message", strconv.FormatUint(m.Seq, 10), instant(m.Created), string(m.Direction), m.Partner, string(m.Kind), string(m.State), reference, state, m.MessageID)
	}
}
