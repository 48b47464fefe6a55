package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/ecogate/ecogate/api"
	"github.com/ecogate/ecogate/partners"
	"github.com/ecogate/ecogate/signing"
)

// rotation makes the verbs of the steps of a rotation: of a partner's credentials, or with own of the node's keys.
type rotation struct {
	*cli
	own bool
}

func (r rotation) verbs() []*cobra.Command {
	return []*cobra.Command{r.stage(), r.activate(), r.retire(), r.rollBack(), r.distrust()}
}

// subject is what the verbs are about, for people, and arguments what they take.
func (r rotation) subject() string {
	if r.own {
		return "key of the node"
	}
	return "partner's credential"
}

func (r rotation) arguments(last string) []string {
	if r.own {
		return []string{last}
	}
	return []string{"PARTNER", last}
}

func (r rotation) usage(verb, last string) string {
	return verb + " " + strings.Join(r.arguments(last), " ")
}

const named = "FILE|FINGERPRINT"

const namedHelp = "It is named by a file with it, or by its SHA-256 in hexadecimal, 16 digits or more of it."

// step is the frame of every verb: it reads the arguments, has in filled in, and prints what came of it.
func (r rotation) step(cmd *cobra.Command, step api.Step, in api.CredentialStep, args []string, change api.Change) error {
	partner := ""
	if !r.own {
		partner = args[0]
	}
	if step != api.StepStage {
		var err error
		if in.SHA256, err = r.fingerprint(args[len(args)-1]); err != nil {
			return err
		}
	}
	ctx, cancel, client, err := r.connect(cmd.Context(), answerTime)
	if err != nil {
		return err
	}
	defer cancel()
	answer, err := client.Rotate(ctx, partner, step, in, change)
	if err != nil {
		return err
	}
	return r.print(answer, func(w *columns) { tellChange(w, answer) })
}

var hexDigits = regexp.MustCompile(`^[0-9A-Fa-f]{16,64}$`)

// fingerprint is that of the end credential in a file, or the argument itself if it is one.
func (r rotation) fingerprint(argument string) (string, error) {
	if _, err := os.Stat(argument); err != nil && hexDigits.MatchString(argument) {
		return strings.ToLower(argument), nil
	}
	data, err := r.readFile(argument)
	if err != nil {
		return "", &hinted{err, "name the credential by its file, or by 16 digits or more of its SHA-256"}
	}
	text, _, err := partners.ReadUpload(data, nil)
	if err != nil {
		return "", &refused{fmt.Errorf("%s: %w", inputName(argument), err)}
	}
	list, err := signing.ReadCredentials([]byte(text))
	if err != nil {
		return "", err
	}
	return signing.Fingerprint(list[0]), nil
}

func tellChange(w *columns, answer api.CredentialChange) {
	w.row("", "USE", "BODY", "STATE", "FROM", "UNTIL", "SUBJECT", "SHA-256")
	for _, list := range []struct {
		name   string
		states []api.CredentialState
	}{{"before", answer.Before}, {"after", answer.After}} {
		for _, c := range list.states {
			state := string(c.State)
			switch {
			case !c.Distrusted.IsZero():
				state += ", distrusted since " + instant(c.Distrusted)
			case c.Activate != "":
				state += ", " + c.Activate
			}
			w.row(list.name, string(c.Use), c.IssuingBody, state, instant(c.From), instant(c.Until), c.Subject, c.SHA256[:16])
		}
	}
	for _, text := range answer.Warnings {
		w.lines("warning: " + text + "\n")
	}
	for _, a := range answer.Affected {
		more := ""
		if a.More {
			more = ", and more"
		}
		w.lines(fmt.Sprintf("affected since %s: messages %d, certificates %d%s\nto list them: ecogate cert affected %s --since %s\n",
			instant(a.Since), a.Messages, a.Certificates, more, a.SHA256, a.Since.UTC().Format(time.RFC3339)))
	}
	switch {
	case answer.DryRun:
		w.lines("nothing was changed\n")
	case answer.Proposal > 0:
		w.lines(fmt.Sprintf("nothing was changed; it waits as proposal %d for another operator\n", answer.Proposal))
	}
}

func (r rotation) stage() *cobra.Command {
	var in api.CredentialStep
	var change api.Change
	var uses []string
	var passphraseFile string
	var chain string
	var token partners.TokenKeyConfig
	cmd := &cobra.Command{
		Use:   r.usage("stage", "FILE") + " --use USE|--body BODY",
		Short: "Take a partner's new credential, which counts for nothing yet",
		Long: "Take a credential that a partner sent. It is examined as \"cert check\" does, and then known to the node and counts for nothing until\n" +
			"\"cert activate\", or with --first-use until a message comes that it verifies and no other credential does. FILE is PEM, DER, PKCS #7,\n" +
			"base64 of one of them, or PKCS #12, of which the credential alone is taken: a private key is for its owner.",
		Args: arguments(r.arguments("FILE")...),
		RunE: func(cmd *cobra.Command, args []string) error {
			for _, use := range uses {
				in.Uses = append(in.Uses, partners.Use(use))
			}
			if (len(in.Uses) == 0) == (in.IssuingBody == "") {
				return &usageError{text: "want --use, or --body for a credential that signs documents", command: cmd.CommandPath()}
			}
			if r.own {
				place, err := keyPlace(args, chain, passphraseFile, token)
				if err != nil {
					return err
				}
				in.Key = &place
				return r.step(cmd, api.StepStage, in, args, change)
			}
			passphrase, err := readPassphrase(passphraseFile)
			if err != nil {
				return err
			}
			in.Passphrase = string(passphrase)
			if in.File, err = r.readFile(args[1]); err != nil {
				return err
			}
			return r.step(cmd, api.StepStage, in, args, change)
		},
	}
	cmd.Flags().StringArrayVar(&uses, "use", nil, "`use` that it is for: message-signature, tls-server, tls-client, encryption, time-stamp or issuer-list; may be repeated")
	cmd.Flags().StringVar(&in.IssuingBody, "body", "", "issuing `body` that signs documents with it")
	if r.own {
		cmd.Use = "stage FILE|--pkcs11-module LIBRARY --chain CHAINFILE --use USE|--body BODY"
		cmd.Args = fileOrToken(&token)
		cmd.Long = "Make a new key of the node known to it. It is used from \"key activate\" on. FILE and CHAINFILE are on the node's machine; FILE is the private\n" +
			"key as \"key new\" writes it, or PKCS #12 without --chain.\n\n" +
			"A key in a PKCS #11 token has no FILE: --pkcs11-module, --token-label, --pin-file and one of --key-label and --key-id say where it lies, and\n" +
			"--chain is a file with its credential. The library and the PIN's file are the node's too, which must have been built with the tag pkcs11."
		cmd.Flags().StringVar(&chain, "chain", "", "`file` with its credential and the intermediates")
		tokenFlags(cmd, &token, "shared `library` of a PKCS #11 token with the private key, in place of FILE")
		passphraseFlag(cmd, &passphraseFile, "`file` on the node's machine with the passphrase of the key; it must stay there")
	} else {
		cmd.Flags().BoolVar(&in.FirstUse, "first-use", false, "the first message that it verifies activates it")
		passphraseFlag(cmd, &passphraseFile, "`file` with the passphrase of PKCS #12")
	}
	changeFlags(cmd, &change)
	return cmd
}

// keyPlace is where a key lies, by the names under which the node finds the files: this process may have another folder. files is the
// one with the key, or none for a key in a token.
func keyPlace(files []string, chain, passphraseFile string, token partners.TokenKeyConfig) (api.KeyPlace, error) {
	place := api.KeyPlace{
		ChainFile: chain, PassphraseFile: passphraseFile,
		Module: token.Module, TokenLabel: token.TokenLabel, PINFile: token.PINFile, KeyLabel: token.KeyLabel, KeyID: token.KeyID,
	}
	switch {
	case len(files) == 0:
	case chain == "":
		place.PKCS12File = files[0]
	default:
		place.KeyFile = files[0]
	}
	for _, path := range []*string{&place.KeyFile, &place.ChainFile, &place.PKCS12File, &place.PassphraseFile, &place.Module, &place.PINFile} {
		if *path == "" {
			continue
		}
		var err error
		if *path, err = filepath.Abs(*path); err != nil {
			return place, err
		}
	}
	return place, nil
}

func (r rotation) activate() *cobra.Command {
	var in api.CredentialStep
	var change api.Change
	var at instantFlag
	var overlap span
	cmd := &cobra.Command{
		Use:   r.usage("activate", named),
		Short: "Have a staged " + r.subject() + " count, at once or from a time on",
		Long: "Have a staged " + r.subject() + " count: at once, with --at from that time on. Those that count for the same use until then retire: they count for what is\n" +
			"under way for the time of the overlap, 14 days unless it is set, and are not used for anything new. " + namedHelp,
		Args: arguments(r.arguments(named)...),
		RunE: func(cmd *cobra.Command, args []string) error {
			if in.FirstUse && !time.Time(at).IsZero() {
				return &usageError{text: "--at and --first-use exclude each other", command: cmd.CommandPath()}
			}
			in.At, in.Overlap = time.Time(at), int64(time.Duration(overlap)/time.Second)
			return r.step(cmd, api.StepActivate, in, args, change)
		},
	}
	cmd.Flags().Var(&at, "at", "`time` from which it counts, such as 2026-12-01T00:00:00Z or 2026-12-01")
	cmd.Flags().Var(&overlap, "overlap", "`time` for which those that it replaces count on, such as 30d")
	cmd.Flags().BoolVar(&in.Keep, "keep", false, "leave the others as they are; it counts beside them")
	if !r.own {
		cmd.Flags().BoolVar(&in.FirstUse, "first-use", false, "leave it to the first message that it verifies")
	}
	changeFlags(cmd, &change)
	return cmd
}

func (r rotation) retire() *cobra.Command {
	var change api.Change
	var at instantFlag
	var uses []string
	cmd := &cobra.Command{
		Use:   r.usage("retire", named),
		Short: "End a " + r.subject() + ", at once or at a time",
		Long: "Have a " + r.subject() + " stop to count, at once or at a time. What was received or signed while it counted stays as it is. One that has not counted\n" +
			"yet is forgotten. One that does several things ends for all of them, or for those that --use names. Without --at it waits for no second\n" +
			"operator, whom the node's log tells. " + namedHelp,
		Args: arguments(r.arguments(named)...),
		RunE: func(cmd *cobra.Command, args []string) error {
			in := api.CredentialStep{At: time.Time(at)}
			for _, use := range uses {
				in.Uses = append(in.Uses, partners.Use(use))
			}
			return r.step(cmd, api.StepRetire, in, args, change)
		},
	}
	cmd.Flags().StringArrayVar(&uses, "use", nil, "`use` for which alone it ends, document-signature among them; may be repeated")
	cmd.Flags().Var(&at, "at", "`time` at which it ends, such as 2026-12-01T00:00:00Z or 2026-12-01")
	changeFlags(cmd, &change)
	return cmd
}

func (r rotation) rollBack() *cobra.Command {
	var change api.Change
	cmd := &cobra.Command{
		Use:   r.usage("rollback", named),
		Short: "Take back the activation of a " + r.subject(),
		Long: "Take back the activation of a " + r.subject() + ": it stops to count now, or is staged again if its time has not come, and those that it replaced count\n" +
			"on. " + namedHelp,
		Args: arguments(r.arguments(named)...),
		RunE: func(cmd *cobra.Command, args []string) error {
			return r.step(cmd, api.StepRollBack, api.CredentialStep{}, args, change)
		},
	}
	changeFlags(cmd, &change)
	return cmd
}

func (r rotation) distrust() *cobra.Command {
	var change api.Change
	var since instantFlag
	cmd := &cobra.Command{
		Use:   r.usage("distrust", named),
		Short: "Believe nothing any more that a key signed, for one that was lost or stolen",
		Long: "Believe nothing that the key of this credential signed, however it is certified, from now on or since the time that is given. What was received\n" +
			"since then was believed and has to be looked at again: how much that is is told, with the command that lists it, \"cert affected\". What was\n" +
			"received before stays as it is. It is in force at once, also where changes wait for a second operator, whom the node's log tells. With\n" +
			"--dry-run nothing is changed, and the same is told. " + namedHelp,
		Args: arguments(r.arguments(named)...),
		RunE: func(cmd *cobra.Command, args []string) error {
			return r.step(cmd, api.StepDistrust, api.CredentialStep{Since: time.Time(since)}, args, change)
		},
	}
	cmd.Flags().Var(&since, "since", "`time` since which somebody else may have had the key, such as 2026-11-01T00:00:00Z or 2026-11-01")
	changeFlags(cmd, &change)
	return cmd
}

func (c *cli) keyList() *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "List the keys of a running node with their state",
		Args:  arguments(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			question := func(ctx context.Context, client *api.Client) ([]api.CredentialState, error) {
				return client.NodeKeys(ctx)
			}
			return deal(cmd.Context(), c, answerTime, "", question, func(w *columns, list []api.CredentialState) {
				w.row("USE", "BODY", "STATE", "FROM", "UNTIL", "SUBJECT", "SHA-256")
				for _, k := range list {
					w.row(string(k.Use), k.IssuingBody, string(k.State), instant(k.From), instant(k.Until), k.Subject, k.SHA256[:16])
				}
			})
		},
	}
}
