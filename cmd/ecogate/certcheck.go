package main

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/ecogate/ecogate/exchange"
	"github.com/ecogate/ecogate/partners"
	"github.com/ecogate/ecogate/signing"
)

// examined is what "cert check --json" tells.
type examined struct {
	File     string    `json:"file"`
	Subject  string    `json:"subject,omitempty"`
	SHA256   string    `json:"sha256,omitempty"`
	From     time.Time `json:"from,omitzero"`
	Until    time.Time `json:"until,omitzero"`
	Refused  []string  `json:"refused"`
	Warnings []string  `json:"warnings"`
}

func (c *cli) certCheck() *cobra.Command {
	var file, use string
	var last int
	var candidate partners.Candidate
	cmd := &cobra.Command{
		Use:   "check FILE --partner PARTNER --use USE [--body BODY] [--last NUMBER]",
		Short: "Say whether a partner's new credential can be taken, before it is",
		Long: "Say what stands against a credential that a partner sent: what keeps the node from taking it (its form, key, key usage, chain to\n" +
			"the partner's anchors, a key that another party has), and what to know before (a gap, an end before that of the agreement, a key\n" +
			"that is not new). FILE is PEM, DER, PKCS #7 or base64. Nothing is changed, and no node is asked.\n" +
			"With --last the running node is asked, which verifies the partner's newest messages again, as they came, with the credential: of\n" +
			"each it is told whether this credential verifies it, another one that counted at its receipt, or none. The exit code is then\n" +
			"  0    nothing stands against it; it verified a message, or no message needed it yet\n" +
			"  1    it would fail: it cannot be taken, or messages came since it is valid that neither it nor another verifies\n" +
			"  2    the command line is wrong",
		Args: arguments("FILE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			candidate.File, candidate.Use = args[0], partners.Use(use)
			switch {
			case candidate.Partner == "":
				return &usageError{text: "--partner PARTNER is missing", command: cmd.CommandPath()}
			case !slices.Contains(partners.Uses(), candidate.Use):
				return &usageError{text: fmt.Sprintf("want --use with one of %q, found %q", partners.Uses(), use), command: cmd.CommandPath()}
			case (candidate.Use == partners.UseDocumentSignature) != (candidate.Body != ""):
				return &usageError{text: "--body goes with --use document-signature, and only with it", command: cmd.CommandPath()}
			}
			if cmd.Flags().Changed("last") {
				return c.try(cmd, candidate, last)
			}
			if file == "" {
				return &usageError{text: "--config FILE, or --last NUMBER to ask the running node, is missing", command: cmd.CommandPath()}
			}
			return c.examine(file, candidate)
		},
	}
	configFlag(cmd, &file)
	cmd.Flags().StringVar(&candidate.Partner, "partner", "", "`partner` that it is of")
	cmd.Flags().StringVar(&use, "use", "", "`use` that it is for: message-signature, document-signature, tls-server, tls-client, encryption, time-stamp or issuer-list")
	cmd.Flags().StringVar(&candidate.Body, "body", "", "issuing `body` that signs documents with it")
	cmd.Flags().IntVar(&last, "last", 0, fmt.Sprintf("have the node try it on this `number` of the partner's newest messages, up to %d", exchange.MaxRehearsal))
	return cmd
}

func (c *cli) examine(file string, candidate partners.Candidate) error {
	cfg, err := loadConfig(file)
	if err != nil {
		return err
	}
	found, err := cfg.Registry().Examine(candidate, c.now())
	switch {
	case errors.Is(err, partners.ErrUnknownPartner), errors.Is(err, partners.ErrUnknownBody):
		return &hinted{&notFound{err}, "partners, and their issuers, are listed under partners in the configuration"}
	case err != nil:
		return cfg.PartnerProblems(err)
	}
	answer := examined{File: candidate.File, Refused: append([]string{}, found.Refused...), Warnings: append([]string{}, found.Warnings...)}
	if x509Cert := found.Credential.X509Cert; x509Cert != nil {
		answer.Subject, answer.SHA256 = x509Cert.Subject.String(), signing.Fingerprint(x509Cert)
		answer.From, answer.Until = found.Credential.From, found.Credential.Until
	}
	if err := c.print(answer, func(w *columns) { answer.tell(w) }); err != nil {
		return err
	}
	if len(answer.Refused) > 0 {
		return &refused{fmt.Errorf("%s cannot be taken", candidate.File)}
	}
	return nil
}

func (e examined) tell(w *columns) {
	if e.Subject != "" {
		w.row("subject", e.Subject)
		w.row("sha-256", e.SHA256)
		w.row("counts", instant(e.From)+" to "+instant(e.Until))
	}
	for _, text := range e.Refused {
		w.row("refused", text)
	}
	for _, text := range e.Warnings {
		w.row("warning", text)
	}
	if len(e.Refused)+len(e.Warnings) == 0 {
		w.row("verdict", "nothing stands against it")
	}
}
