package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/ecogate/ecogate/partners"
	"github.com/ecogate/ecogate/partners/cpa"
	"github.com/ecogate/ecogate/signing"
)

const cpaHelp = `Collaboration protocol agreements (CPA, OASIS CPPA 2.0): the files that Hermes, ebms-admin and others keep their agreements in.

A CPA that cannot be read, or that has what this node cannot honour, is refused (exit code 4); each line says where and why. Warnings are
what the partner or the operator has to know. docs/cpa.md says for every path whether it is honoured, warned of or refused.`

func (c *cli) cpaCommand() *cobra.Command {
	g := group("cpa", "Check, import, export and compare collaboration protocol agreements",
		c.cpaValidate(), c.cpaImport(), c.cpaExport(), c.cpaSign(), c.cpaDiff())
	g.Long = cpaHelp
	return g
}

// readCPA reads the CPA in an argument's file.
func (c *cli) readCPA(name string) (*cpa.CPA, []byte, error) {
	doc, err := c.readFile(name)
	if err != nil {
		return nil, nil, err
	}
	read, err := cpa.Read(doc)
	if err != nil {
		return nil, nil, &refused{fmt.Errorf("%s: %w", inputName(name), err)}
	}
	return read, doc, nil
}

// view says as which of its parties a CPA is read.
type view struct {
	config, as string
	actions    []string
}

func (v *view) flags(cmd *cobra.Command) {
	configFlag(cmd, &v.config)
	cmd.Flags().StringVar(&v.as, "as", "", "party `id` of this node in the CPA; by default those of the configuration")
	cmd.Flags().StringArrayVar(&v.actions, "action", nil, "`KEY=NAME`: what an action means, such as action=SendCertificate; KEY is "+strings.Join(cpa.ActionKeys(), ", "))
}

// options are for CPA.Agreement, as far as the flags say; own is not there without a configuration and --as.
func (v *view) options(c *cli, cmd *cobra.Command, read *cpa.CPA) (cpa.Options, error) {
	o := cpa.Options{At: c.now(), Actions: map[string]string{}}
	for _, text := range v.actions {
		key, name, ok := strings.Cut(text, "=")
		if !ok || name == "" || !slices.Contains(cpa.ActionKeys(), key) {
			return o, &usageError{text: fmt.Sprintf("want --action KEY=NAME with KEY one of %s, found %q", strings.Join(cpa.ActionKeys(), ", "), text), command: cmd.CommandPath()}
		}
		o.Actions[key] = name
	}
	if v.config != "" {
		cfg, err := loadConfig(v.config)
		if err != nil {
			return o, err
		}
		o.Own, o.Base = cfg.Node.PartyIDs, cfg.Agreements
	}
	if v.as != "" {
		o.Own = nil
		for _, p := range read.Parties {
			for _, id := range p.IDs {
				if id.Value == v.as {
					o.Own = p.IDs
				}
			}
		}
		if o.Own == nil {
			return o, &refused{fmt.Errorf("no party of the CPA has the id %q; they have %s", v.as, partyIDs(read))}
		}
	}
	return o, nil
}

func partyIDs(read *cpa.CPA) string {
	var ids []string
	for _, p := range read.Parties {
		for _, id := range p.IDs {
			ids = append(ids, fmt.Sprintf("%q", id.Value))
		}
	}
	return strings.Join(ids, ", ")
}

// cpaReport is what "cpa validate --json" tells.
type cpaReport struct {
	File       string         `json:"file"`
	CPAID      string         `json:"cpa_id"`
	Version    string         `json:"version"`
	Status     string         `json:"status"`
	Start      string         `json:"start"`
	End        string         `json:"end"`
	Parties    []cpaParty     `json:"parties"`
	Signatures []cpaSignature `json:"signatures"`
	Accepted   bool           `json:"accepted"`
	Findings   []cpa.Finding  `json:"findings"`
}

type cpaParty struct {
	Name string   `json:"name"`
	IDs  []string `json:"ids"`
}

type cpaSignature struct {
	// Party is the name of the party that uses the credential; "" if neither does.
	Party     string `json:"party,omitempty"`
	Subject   string `json:"subject"`
	SHA256    string `json:"sha256"`
	Algorithm string `json:"algorithm"`
	// Known is whose the credential is in the configuration; "" for nobody's, or without one.
	Known string `json:"known,omitempty"`
}

func (c *cli) cpaValidate() *cobra.Command {
	var v view
	cmd := &cobra.Command{
		Use:   "validate FILE",
		Short: "Say whether a CPA can be honoured",
		Long: "Read a CPA (- reads standard input), verify its signatures, and say what this node refuses of it and what it warns of. With --config it is\n" +
			"looked at as this node's, with --as as that party's, otherwise as that of either party. Nothing is changed, and no node is asked.",
		Args: arguments("FILE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			read, _, err := c.readCPA(args[0])
			if err != nil {
				return err
			}
			o, err := v.options(c, cmd, read)
			if err != nil {
				return err
			}
			report, err := c.reportCPA(inputName(args[0]), read, o, v.config)
			if err != nil {
				return err
			}
			if err := c.print(report, report.tell); err != nil {
				return err
			}
			if !report.Accepted {
				return &refused{fmt.Errorf("%s is refused", report.File)}
			}
			return nil
		},
	}
	v.flags(cmd)
	return cmd
}

func (c *cli) reportCPA(name string, read *cpa.CPA, o cpa.Options, config string) (cpaReport, error) {
	r := cpaReport{
		File: name, CPAID: read.ID, Version: read.Version, Status: read.Status, Start: instant(read.Start), End: instant(read.End),
		Signatures: []cpaSignature{}, Findings: []cpa.Finding{}, Accepted: true,
	}
	views := []cpa.Options{o}
	if o.Own == nil {
		views = nil
	}
	for _, p := range read.Parties {
		party := cpaParty{Name: p.Name}
		for _, id := range p.IDs {
			party.IDs = append(party.IDs, strings.TrimSpace(id.Type+" "+id.Value))
		}
		r.Parties = append(r.Parties, party)
		if o.Own == nil {
			either := o
			either.Own = p.IDs
			views = append(views, either)
		}
	}
	var err error
	if r.Signatures, err = c.cpaSignatures(read, config); err != nil {
		return r, err
	}
	seen := map[cpa.Finding]bool{}
	for _, o := range views {
		got, err := read.Agreement(o)
		if err != nil {
			return r, &refused{err}
		}
		if config != "" {
			if err := c.ownCredentials(got, config); err != nil {
				return r, err
			}
		}
		for _, f := range got.Findings {
			if !seen[f] {
				seen[f] = true
				r.Findings = append(r.Findings, f)
			}
			r.Accepted = r.Accepted && f.Severity != cpa.Refused
		}
	}
	return r, nil
}

// ownCredentials warns of credentials that a CPA has for this node and that are not those of its keys: the partner would refuse what is
// signed with them.
func (c *cli) ownCredentials(got *cpa.Imported, config string) error {
	held, err := c.inventory(config)
	if err != nil {
		return err
	}
	for _, credential := range got.Own.Credentials {
		for _, use := range credential.Uses {
			known := slices.ContainsFunc(held, func(h partners.Held) bool {
				return h.Partner == "" && h.Use == use && h.X509Cert.Equal(credential.Chain[0])
			})
			if !known {
				got.Findings = append(got.Findings, cpa.Finding{Severity: cpa.Warned, Path: credential.Path,
					Text: fmt.Sprintf("no %s key of this node has the credential %q", use, credential.Chain[0].Subject)})
			}
		}
	}
	return nil
}

// cpaSignatures says who signed a CPA and, with a configuration, whose credential it is there.
func (c *cli) cpaSignatures(read *cpa.CPA, config string) ([]cpaSignature, error) {
	list := []cpaSignature{}
	var held []partners.Held
	if config != "" && len(read.Signatures) > 0 {
		var err error
		if held, err = c.inventory(config); err != nil {
			return nil, err
		}
	}
	for _, s := range read.Signatures {
		signature := cpaSignature{Subject: s.Signer.Subject.String(), SHA256: signing.Fingerprint(s.Signer), Algorithm: s.Algorithm}
		if s.Party >= 0 {
			signature.Party = read.Parties[s.Party].Name
		}
		for _, h := range held {
			if h.X509Cert.Equal(s.Signer) {
				signature.Known = firstSet(h.Partner, "this node")
			}
		}
		list = append(list, signature)
	}
	return list, nil
}

func (r cpaReport) tell(w *columns) {
	w.row("CPA", fmt.Sprintf("%s, version %s, %s, %s to %s", r.CPAID, r.Version, r.Status, r.Start, r.End))
	for _, p := range r.Parties {
		w.row("party", fmt.Sprintf("%s: %s", p.Name, strings.Join(p.IDs, ", ")))
	}
	for _, s := range r.Signatures {
		w.row("signed", fmt.Sprintf("by %s, SHA-256 %s%s%s", s.Subject, s.SHA256, prefixed(", of ", s.Party), prefixed(", configured for ", s.Known)))
	}
	tellFindings(w, r.File, r.Findings)
	if r.Accepted {
		w.row("verdict", "can be honoured")
	}
}

// tellFindings writes one line for each, as compilers do.
func tellFindings(w *columns, file string, findings []cpa.Finding) {
	for _, f := range findings {
		w.row(string(f.Severity), findingLine(file, f))
	}
}

func findingLine(file string, f cpa.Finding) string {
	if f.Line > 0 {
		file = fmt.Sprintf("%s:%d", file, f.Line)
	}
	return fmt.Sprintf("%s: %s: %s", file, f.Path, f.Text)
}

// complainAbout writes warnings to standard error and makes an error of what is refused.
func (c *cli) complainAbout(file string, findings []cpa.Finding) error {
	var no []string
	for _, f := range findings {
		line := printable(findingLine(file, f))
		switch {
		case f.Severity == cpa.Refused:
			no = append(no, line)
		case !c.json: // JSON has a place for them
			fmt.Fprintln(c.errOut, "warning: "+line)
		}
	}
	if no == nil {
		return nil
	}
	return &refused{errors.New(strings.Join(no, "\n"))}
}
