package main

import (
	"cmp"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/ecogate/ecogate/internal/config"
	"github.com/ecogate/ecogate/partners"
	"github.com/ecogate/ecogate/partners/cpa"
	"github.com/ecogate/ecogate/signing"
)

// cpaExport is one run of "cpa export".
type cpaExport struct {
	*cli
	config, endpoint, version, status, out string
	sign                                   bool
}

func (c *cli) cpaExport() *cobra.Command {
	e := &cpaExport{cli: c}
	cmd := &cobra.Command{
		Use:   "export CPAID --endpoint URL",
		Short: "Write a CPA out of the configured agreements of a CPAId",
		Long: "Write the CPA that the agreements of a CPAId come to, for the partner's administrator: its own view and this node's, with the credentials that\n" +
			"count now and the trust anchors of the partner. What a CPA has no place for, such as forms, stands in its comments. With --sign it is signed\n" +
			"with the node's key for messages. No node is asked: what was changed in a running node since, such as keys that were activated there, is\n" +
			"not in it before it stands in the configuration file too.",
		Args: arguments("CPAID"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if e.endpoint == "" {
				return &usageError{text: "--endpoint URL is missing: where the partner reaches this node", command: cmd.CommandPath()}
			}
			cfg, registry, err := c.registryOf(e.config)
			if err != nil {
				return err
			}
			doc, err := e.write(cfg, registry, args[0])
			if err == nil && e.sign {
				doc, err = c.signCPA(doc, registry)
			}
			if err != nil {
				return err
			}
			return c.writeFile(e.out, doc)
		},
	}
	configFlag(cmd, &e.config)
	cmd.Flags().StringVar(&e.endpoint, "endpoint", "", "`URL` at which the partner reaches this node")
	cmd.Flags().StringVar(&e.version, "version", "1", "`version` of the CPA")
	cmd.Flags().StringVar(&e.status, "status", "agreed", "`status`: agreed, or proposed for one that the partner has yet to agree to")
	cmd.Flags().StringVarP(&e.out, "out", "o", "-", "`file` to write")
	cmd.Flags().BoolVar(&e.sign, "sign", false, "sign it")
	return cmd
}

// registryOf reads a configuration with all that it names.
func (c *cli) registryOf(file string) (config.Config, *partners.Registry, error) {
	cfg, err := loadConfig(file)
	if err != nil {
		return cfg, nil, err
	}
	registry, err := partners.New(cfg.Registry())
	return cfg, registry, cfg.PartnerProblems(err)
}

func (e *cpaExport) write(cfg config.Config, registry *partners.Registry, cpaID string) ([]byte, error) {
	if e.status != "agreed" && e.status != "proposed" {
		return nil, &usageError{text: fmt.Sprintf("want --status agreed or proposed, found %q", e.status)}
	}
	all := cfg.Registry()
	x := cpa.Export{OwnEndpoint: e.endpoint, Version: e.version, Status: e.status}
	for _, a := range all.Agreements {
		if a.CPAID == cpaID {
			x.Agreements = append(x.Agreements, a)
		}
	}
	if len(x.Agreements) == 0 {
		return nil, &hinted{&notFound{fmt.Errorf("no agreement has the CPAId %q", cpaID)}, "agreements in the configuration have them as cpa_id"}
	}
	p := all.Partners[slices.IndexFunc(all.Partners, func(p partners.PartnerConfig) bool { return p.ID == x.Agreements[0].Partner })]
	for i := range x.Agreements {
		a := &x.Agreements[i]
		a.OwnRole, a.PartnerRole = cmp.Or(a.OwnRole, all.Node.Role), cmp.Or(a.PartnerRole, p.Role)
	}
	held := registry.Inventory(e.now())
	x.Own = cpa.Side{Name: cmp.Or(all.Node.Name, all.Node.ID), PartyIDs: all.Node.PartyIDs}
	x.Partner = cpa.Side{Name: cmp.Or(p.Name, p.ID), PartyIDs: p.PartyIDs}
	var between []*x509.Certificate
	var err error
	if x.Partner.Anchors, between, err = authorities(p); err != nil {
		return nil, err
	}
	x.Partner.Credentials = inUse(held, p.ID, between)
	for _, use := range []partners.Use{partners.UseMessageSignature, partners.UseTLSServer, partners.UseTLSClient} {
		key, err := registry.Key(use, "", e.now())
		if err != nil {
			continue // what needs it says so
		}
		x.Own.Credentials = append(x.Own.Credentials, cpa.Credential{Uses: []partners.Use{use}, Chain: key.Chain})
		if last := key.Chain[len(key.Chain)-1]; last.IsCA {
			x.Own.Anchors = append(x.Own.Anchors, last)
		} else {
			x.Own.Anchors = append(x.Own.Anchors, key.Chain[0])
		}
	}
	doc, err := cpa.Write(x)
	if err != nil {
		return nil, &refused{err}
	}
	return doc, nil
}

// inUse are the credentials of a partner that count now, the one to be used first, each with what of between is above it.
func inUse(held []partners.Held, partner string, between []*x509.Certificate) []cpa.Credential {
	var list []cpa.Credential
	for _, state := range []partners.State{partners.StateActive, partners.StateRetiring} {
		newest := slices.SortedFunc(slices.Values(held), func(a, b partners.Held) int { return b.From.Compare(a.From) })
		for _, h := range newest {
			if h.Partner == partner && h.State == state && h.Use != partners.UseDocumentSignature {
				list = append(list, cpa.Credential{Uses: []partners.Use{h.Use}, Chain: climb(h.X509Cert, between)})
			}
		}
	}
	return list
}

// climb gives an X.509 certificate and those of between that are above it, each once.
func climb(x509Cert *x509.Certificate, between []*x509.Certificate) []*x509.Certificate {
	chain := []*x509.Certificate{x509Cert}
	for {
		last := chain[len(chain)-1]
		above := slices.IndexFunc(between, func(other *x509.Certificate) bool {
			return last.CheckSignatureFrom(other) == nil && !slices.ContainsFunc(chain, other.Equal)
		})
		if above < 0 {
			return chain
		}
		chain = append(chain, between[above])
	}
}

// authorities reads the trust anchors of a partner's entry, and what may stand between.
func authorities(p partners.PartnerConfig) (anchors, between []*x509.Certificate, err error) {
	whole, err := withoutFiles(p)
	if err != nil {
		return nil, nil, err
	}
	for _, list := range []struct {
		texts []string
		into  *[]*x509.Certificate
	}{{whole.Anchors, &anchors}, {whole.Intermediates, &between}} {
		for _, text := range list.texts {
			read, err := signing.ReadCredentials([]byte(text))
			if err != nil {
				return nil, nil, fmt.Errorf("partner %s: %w", p.ID, err)
			}
			*list.into = append(*list.into, read...)
		}
	}
	return anchors, between, nil
}

// signCPA signs with the node's key for messages.
func (c *cli) signCPA(doc []byte, registry *partners.Registry) ([]byte, error) {
	key, err := registry.Key(partners.UseMessageSignature, "", c.now())
	if err != nil {
		return nil, err
	}
	signed, err := cpa.Sign(doc, key)
	if err != nil {
		return nil, &refused{err}
	}
	return signed, nil
}

func (c *cli) cpaSign() *cobra.Command {
	var file, out string
	cmd := &cobra.Command{
		Use:   "sign FILE",
		Short: "Sign a CPA, or countersign one that the partner has signed",
		Long: "Sign a CPA with the node's key for messages: over the agreement and the signatures that it has. Signatures that are broken, and a CPA that\n" +
			"cannot be read, are refused. What it asks for is not looked at; \"cpa validate\" does that.",
		Args: arguments("FILE"),
		RunE: func(_ *cobra.Command, args []string) error {
			_, doc, err := c.readCPA(args[0])
			if err != nil {
				return err
			}
			_, registry, err := c.registryOf(file)
			if err != nil {
				return err
			}
			signed, err := c.signCPA(doc, registry)
			if err != nil {
				return err
			}
			return c.writeFile(out, signed)
		},
	}
	configFlag(cmd, &file)
	cmd.Flags().StringVarP(&out, "out", "o", "-", "`file` to write")
	return cmd
}

func (c *cli) cpaDiff() *cobra.Command {
	var file string
	cmd := &cobra.Command{
		Use:   "diff FILE [FILE|CPAID]",
		Short: "Say what two CPAs do otherwise, or a CPA and the configured agreement",
		Long: "List what differs between two CPAs in what drives behaviour; identifiers, names for people and the order of elements do not. With --config the\n" +
			"second may be the CPAId of configured agreements, by default that of the first: compared is what \"cpa export\" would write.\n\n" +
			"Exit codes of this command:\n  0  nothing differs\n  1  something does\n  2  usage\n  3  no such CPAId\n  4  a CPA that cannot be read",
		Args: cobra.RangeArgs(1, 2),
		RunE: func(cmd *cobra.Command, args []string) error {
			first, _, err := c.readCPA(args[0])
			if err != nil {
				return err
			}
			second, configured, err := c.otherCPA(cmd, file, first, args[1:])
			if err != nil {
				return err
			}
			list := append([]cpa.Difference{}, cpa.Diff(first, second)...)
			if configured {
				list = slices.DeleteFunc(list, unconfigured(second))
			}
			err = c.print(list, func(w *columns) { tellDifferences(w, list) })
			if err == nil && len(list) > 0 {
				return errNotValid
			}
			return err
		},
	}
	configFlag(cmd, &file)
	return cmd
}

// unconfigured tells of differences to a CPA that was written out of a configuration which it says nothing about: whether the agreement
// is signed, and what the partner, the second party, trusts.
func unconfigured(written *cpa.CPA) func(cpa.Difference) bool {
	return func(d cpa.Difference) bool {
		if d.Term == "Status" {
			return true
		}
		return strings.HasSuffix(d.Term, "SecurityDetailsRef") && slices.ContainsFunc(written.Parties[1].IDs, func(id partners.PartyID) bool {
			return strings.HasPrefix(d.Of, id.Value+" ")
		})
	}
}

// tellDifferences writes each difference once, with all that it is of below.
func tellDifferences(w *columns, list []cpa.Difference) {
	type change struct{ term, a, b string }
	of := map[change][]string{}
	var order []change
	for _, d := range list {
		c := change{d.Term, cmp.Or(d.A, "none"), cmp.Or(d.B, "none")}
		if of[c] == nil {
			order = append(order, c)
		}
		of[c] = append(of[c], d.Of)
	}
	for _, c := range order {
		w.row(fmt.Sprintf("%s: %s -> %s", c.term, c.a, c.b))
		for _, what := range of[c] {
			if what != "" {
				w.row("    " + what)
			}
		}
	}
}

// otherCPA is the second one to compare: a file, or with a configuration what would be exported, which configured tells.
func (c *cli) otherCPA(cmd *cobra.Command, file string, first *cpa.CPA, args []string) (other *cpa.CPA, configured bool, err error) {
	cpaID := first.ID
	if len(args) > 0 {
		if _, err := os.Stat(args[0]); args[0] == "-" || err == nil || !errors.Is(err, fs.ErrNotExist) || file == "" {
			read, _, err := c.readCPA(args[0])
			return read, false, err
		}
		cpaID = args[0]
	}
	if file == "" {
		return nil, false, &usageError{text: "a second FILE or --config FILE is missing", command: cmd.CommandPath()}
	}
	cfg, registry, err := c.registryOf(file)
	if err != nil {
		return nil, false, err
	}
	e := &cpaExport{cli: c, version: first.Version, status: "agreed", endpoint: first.EndpointOf(cfg.Node.PartyIDs)}
	doc, err := e.write(cfg, registry, cpaID)
	if err != nil {
		return nil, false, err
	}
	other, err = cpa.Read(doc)
	return other, true, err
}
