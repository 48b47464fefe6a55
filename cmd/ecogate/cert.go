package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/ecogate/ecogate/exchange"
	"github.com/ecogate/ecogate/internal/strictyaml"
	"github.com/ecogate/ecogate/partners"
	"github.com/ecogate/ecogate/signing"
)

func (c *cli) certCommand() *cobra.Command {
	return group("cert", "Credentials of the node and of its partners", append([]*cobra.Command{
		c.certList(), c.certInspect(), c.certCheck(), c.certAffected(), c.certNeedsRenewal(), c.certAnnounced(), c.certTrials(),
	}, rotation{c, false}.verbs()...)...)
}

func listed(h partners.Held) exchange.HeldCredential {
	return exchange.HeldCredential{
		Partner: h.Partner, Use: h.Use, Body: h.Issuer, State: h.State, Why: h.Why, From: h.From, Until: h.Until,
		Subject: h.X509Cert.Subject.String(), SHA256: signing.Fingerprint(h.X509Cert),
	}
}

func (c *cli) certList() *cobra.Command {
	var file string
	var expiring span
	var node bool
	cmd := &cobra.Command{
		Use:   "list [--expiring TIME] [--node]",
		Short: "List credentials with their state, the one that ends first first",
		Long: "List every credential of the configuration with its state: staged (not yet), active, retiring (still counts for what is under way, a\n" +
			"newer one has taken its place), retired (over), revoked (distrusted), or withheld (would count, but no chain to an anchor of its partner\n" +
			"holds). Own credentials have no partner.\n" +
			"Only the configuration file is read. A running node may have newer partners, agreements and keys in its registry, which stand in no file, and\n" +
			"knows of revocations: with --node it is asked in place of the configuration, and tells when each credential of a partner last verified\n" +
			"a message.",
		Args: arguments(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if file == "" && !node {
				return &usageError{text: "--config FILE or --node is missing", command: cmd.CommandPath()}
			}
			list, err := c.credentials(cmd.Context(), file, node)
			if err != nil {
				return err
			}
			list = slices.DeleteFunc(list, func(h exchange.HeldCredential) bool {
				return expiring != 0 && h.Until.Sub(c.now()) >= time.Duration(expiring)
			})
			return c.print(list, func(w *columns) {
				head := []string{"PARTNER", "USE", "BODY", "STATE", "FROM", "UNTIL", "SUBJECT", "SHA-256"}
				if node {
					head = append(head, "LAST USED")
				}
				w.row(head...)
				for _, l := range list {
					row := []string{l.Partner, string(l.Use), l.Body, string(l.State) + prefixed(": ", l.Why), instant(l.From), instant(l.Until), l.Subject, l.SHA256[:16]}
					if node {
						row = append(row, instant(l.LastUsed))
					}
					w.row(row...)
				}
			})
		},
	}
	configFlag(cmd, &file)
	cmd.Flags().BoolVar(&node, "node", false, "ask the running node")
	cmd.Flags().Var(&expiring, "expiring", "only those that end within this `time`, such as 60d, or have ended")
	return cmd
}

// credentials are those that the node knows, or those of the configuration.
func (c *cli) credentials(ctx context.Context, file string, node bool) ([]exchange.HeldCredential, error) {
	if node {
		ctx, cancel, client, err := c.connect(ctx, answerTime)
		if err != nil {
			return nil, err
		}
		defer cancel()
		return client.Credentials(ctx)
	}
	held, err := c.inventory(file)
	list := []exchange.HeldCredential{}
	for _, h := range held {
		list = append(list, listed(h))
	}
	return list, err
}

func (c *cli) inventory(file string) ([]partners.Held, error) {
	cfg, err := loadConfig(file)
	if err != nil {
		return nil, err
	}
	registry, err := partners.New(cfg.Registry())
	if err != nil {
		return nil, cfg.PartnerProblems(err)
	}
	return registry.Inventory(c.now()), nil
}

// renewal is what "cert needs-renewal --json" tells.
type renewal struct {
	NeedsRenewal bool      `json:"needs_renewal"`
	Subject      string    `json:"subject"`
	NotAfter     time.Time `json:"not_after"`
	// DueFrom is when it begins to need renewal.
	DueFrom time.Time `json:"due_from"`
}

// exitOther is the code of "cert needs-renewal" for what is not the file's fault.
const exitOther = 255

func (c *cli) certNeedsRenewal() *cobra.Command {
	var within span
	cmd := &cobra.Command{
		Use:   "needs-renewal FILE [--expires-in TIME]",
		Short: "Say by the exit code whether the credential in a file has to be renewed",
		Long: "Say whether a credential has to be renewed: it ends within --expires-in, or without that less than a third of its life is left. Of\n" +
			"several in FILE the one that ends first counts; - reads standard input. For scripts and timers, which read the exit code:\n" +
			"  0    it has to be renewed, or has ended\n" +
			"  1    it need not\n" +
			"  2    FILE is not there, cannot be read or holds no credential, or the command line is wrong\n" +
			"  255  any other error",
		Args: arguments("FILE"),
		RunE: func(_ *cobra.Command, args []string) error {
			answer, err := c.renewalOf(args[0], time.Duration(within))
			if err != nil {
				return err
			}
			err = c.print(answer, func(w *columns) {
				verdict := "need not be renewed before " + instant(answer.DueFrom)
				if answer.NeedsRenewal {
					verdict = "has to be renewed"
				}
				w.row(answer.Subject + " ends " + instant(answer.NotAfter) + " and " + verdict)
			})
			switch {
			case err != nil:
				return &coded{err, exitOther}
			case !answer.NeedsRenewal:
				return errNotValid
			}
			return nil
		},
	}
	cmd.Flags().Var(&within, "expires-in", "`time` before its end from which it needs renewal, such as 30d")
	return cmd
}

func (c *cli) renewalOf(file string, within time.Duration) (renewal, error) {
	data, err := c.readFile(file)
	if err != nil {
		return renewal{}, &unreadable{err}
	}
	list, err := signing.ReadCredentials(data)
	if err != nil {
		return renewal{}, &unreadable{fmt.Errorf("%s: %w", inputName(file), err)}
	}
	first := list[0]
	for _, x509Cert := range list {
		if x509Cert.NotAfter.Before(first.NotAfter) {
			first = x509Cert
		}
	}
	if within == 0 {
		within = first.NotAfter.Sub(first.NotBefore) / 3
	}
	due := first.NotAfter.Add(-within).UTC()
	return renewal{
		NeedsRenewal: !c.now().Before(due), Subject: first.Subject.String(), NotAfter: first.NotAfter.UTC(), DueFrom: due,
	}, nil
}

// span is a flag with a duration as in the configuration: 60d, 12h.
type span time.Duration

func (s *span) String() string {
	if *s == 0 {
		return ""
	}
	return time.Duration(*s).String()
}

func (s *span) Type() string { return "time" }

// Set takes a duration above 0.
func (s *span) Set(text string) error {
	d, err := strictyaml.ParseDuration(text)
	if err == nil && d <= 0 {
		err = errors.New("want a time above 0, such as 60d")
	}
	*s = span(d)
	return err
}
