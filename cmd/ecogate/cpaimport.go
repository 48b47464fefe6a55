package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"go.yaml.in/yaml/v3"

	"github.com/ecogate/ecogate/api"
	"github.com/ecogate/ecogate/eco"
	"github.com/ecogate/ecogate/internal/strictyaml"
	"github.com/ecogate/ecogate/partners"
	"github.com/ecogate/ecogate/partners/cpa"
)

// cpaImport is one run of "cpa import".
type cpaImport struct {
	*cli
	view
	partner, country string
	forms            []string
	change           api.Change
}

// importedCPA is what "cpa import --json" tells.
type importedCPA struct {
	CPAID string `json:"cpa_id"`
	// Partner is the entry of partners, nil if the one that is there lacks nothing. Agreements are those of agreements.
	Partner    json.RawMessage   `json:"partner,omitempty"`
	Agreements []json.RawMessage `json:"agreements,omitempty"`
	// Changes are those that a node made, or keeps as proposals for another operator, in their order.
	Changes []api.RegistryChange `json:"changes,omitempty"`
	// Waiting are the agreements that a node was not given, since their partner is not there before its proposal is confirmed.
	Waiting    []string      `json:"waiting,omitempty"`
	Findings   []cpa.Finding `json:"findings"`
	Incomplete []string      `json:"incomplete,omitempty"`
}

func (c *cli) cpaImport() *cobra.Command {
	i := &cpaImport{cli: c}
	cmd := &cobra.Command{
		Use:   "import FILE",
		Short: "Make our own agreements, and what the partner's entry lacks, out of a CPA",
		Long: "With --config no node is asked: the entries for partners and agreements of the configuration are printed as YAML, and what they lack\n" +
			"still is told. Without it --partner names the partner, and both are put into the registry of a running node, in force at once. What a CPA does\n" +
			"not say, such as forms, is taken over from the agreement of the same CPAId and service. Credentials of the partner are added and none is\n" +
			"taken away. A CPA that is signed says by whom; that it may be trusted has to be known before.\n" +
			"Where a second operator has to confirm changes, each entry becomes a proposal; the agreements of a partner that is not there yet are put by running the\n" +
			"command again once the partner is confirmed.",
		Args: arguments("FILE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if i.config == "" && i.partner == "" {
				return &usageError{text: "--config FILE or --partner PARTNER is missing", command: cmd.CommandPath()}
			}
			read, _, err := c.readCPA(args[0])
			if err != nil {
				return err
			}
			o, err := i.options(c, cmd, read)
			if err != nil {
				return err
			}
			o.Forms = map[string][]eco.FormCode{}
			for _, text := range i.forms {
				at := strings.LastIndex(text, "=")
				service := text[:max(at, 0)]
				for _, form := range strings.Split(text[at+1:], ",") {
					o.Forms[service] = append(o.Forms[service], eco.FormCode(form))
				}
			}
			if i.config != "" {
				return i.offline(inputName(args[0]), read, o)
			}
			return i.online(cmd.Context(), inputName(args[0]), read, o)
		},
	}
	i.flags(cmd)
	changeFlags(cmd, &i.change)
	cmd.Flags().StringVar(&i.partner, "partner", "", "`partner` that the other party is or will be; with --config by default the one with its party id")
	cmd.Flags().StringVar(&i.country, "country", "", "`country` of a partner that is not there yet, ISO 3166-1 alpha-2")
	cmd.Flags().StringArrayVar(&i.forms, "forms", nil, "`FORM,FORM...` that travel under agreements that are not there yet; SERVICE=FORM,... for those of one service")
	return cmd
}

// offline prints what a configuration needs.
func (i *cpaImport) offline(name string, read *cpa.CPA, o cpa.Options) error {
	cfg, err := loadConfig(i.config)
	if err != nil {
		return err
	}
	registry := cfg.Registry()
	there := slices.IndexFunc(registry.Partners, func(p partners.PartnerConfig) bool {
		return p.ID == i.partner || i.partner == "" && isParty(p, read)
	})
	entry := partners.PartnerConfig{ID: i.partner, Country: i.country}
	if there >= 0 {
		if entry, err = withoutFiles(registry.Partners[there]); err != nil {
			return cfg.PartnerProblems(err)
		}
	}
	if o.Partner = entry.ID; o.Partner == "" {
		return &usageError{text: "no partner of the configuration has a party id of the CPA; --partner PARTNER names the new one", hint: "the party ids are " + partyIDs(read)}
	}
	got, err := i.agreements(name, read, o)
	if err != nil {
		return err
	}
	added, err := got.Partner.AddTo(&entry)
	if err != nil {
		return fmt.Errorf("partner %s: %w", entry.ID, err)
	}
	answer := importedCPA{CPAID: read.ID, Findings: got.Findings}
	if there < 0 {
		registry.Partners = append(registry.Partners, entry)
	} else {
		registry.Partners[there] = entry
	}
	for _, a := range got.Agreements {
		registry.Agreements = withAgreement(registry.Agreements, a)
	}
	answer.Incomplete = problemsOf(registry)
	if !i.json {
		for _, text := range answer.Incomplete {
			fmt.Fprintln(i.errOut, "incomplete: "+printable(text))
		}
	}
	return i.printEntries(answer, entry, added, there >= 0, got.Agreements)
}

// withAgreement puts an agreement into a list, in place of the one with its CPAId and service.
func withAgreement(list []partners.AgreementConfig, a partners.AgreementConfig) []partners.AgreementConfig {
	at := slices.IndexFunc(list, func(other partners.AgreementConfig) bool { return other.CPAID == a.CPAID && other.Service == a.Service })
	if at < 0 {
		return append(list, a)
	}
	list[at] = a
	return list
}

// isParty tells whether a partner is a party of a CPA.
func isParty(p partners.PartnerConfig, read *cpa.CPA) bool {
	return slices.ContainsFunc(p.PartyIDs, func(id partners.PartyID) bool {
		return slices.Contains(read.Parties[0].IDs, id) || slices.Contains(read.Parties[1].IDs, id)
	})
}

// withoutFiles is a partner's entry with the contents of the files that it names.
func withoutFiles(p partners.PartnerConfig) (partners.PartnerConfig, error) {
	text, err := strictyaml.Encode(&p)
	if err != nil {
		return p, err
	}
	_, composed, err := partners.Compose(partners.KindPartner, string(text), ".")
	if err != nil {
		return p, err
	}
	return partnerOf(composed)
}

// partnerOf reads the text of a partner's entry.
func partnerOf(text string) (p partners.PartnerConfig, err error) {
	_, problems := strictyaml.Decode([]byte(text), &p)
	if len(problems) > 0 {
		err = errors.New(problems[0].Error())
	}
	return p, err
}

// agreements is CPA.Agreement; what is refused is the error.
func (i *cpaImport) agreements(name string, read *cpa.CPA, o cpa.Options) (*cpa.Imported, error) {
	got, err := read.Agreement(o)
	if err != nil {
		return nil, &hinted{&refused{err}, "--as PARTY-ID says which one it is"}
	}
	if i.config != "" {
		if err := i.ownCredentials(got, i.config); err != nil {
			return nil, err
		}
	}
	return got, i.complainAbout(name, got.Findings)
}

// problemsOf says what a configuration with the new entries has wrong.
func problemsOf(c partners.Config) []string {
	_, err := partners.New(c)
	var wrong *partners.ConfigError
	if !errors.As(err, &wrong) {
		return nil
	}
	var list []string
	for _, p := range wrong.Problems {
		list = append(list, p.Error())
	}
	return list
}

// printEntries prints what goes into the configuration.
func (i *cpaImport) printEntries(answer importedCPA, entry partners.PartnerConfig, added, there bool, agreements []partners.AgreementConfig) error {
	var out strings.Builder
	if added {
		text, err := strictyaml.Encode(&entry)
		if err != nil {
			return err
		}
		if answer.Partner, err = asJSON(text); err != nil {
			return err
		}
		if there {
			fmt.Fprintf(&out, "# In place of the entry of %s: what it had, and what the CPA adds.\n", printable(entry.ID))
		}
		out.WriteString("partners:\n" + listItem(text))
	}
	for n, a := range agreements {
		text, err := strictyaml.Encode(&a)
		if err != nil {
			return err
		}
		whole, err := asJSON(text)
		if err != nil {
			return err
		}
		answer.Agreements = append(answer.Agreements, whole)
		if n == 0 {
			out.WriteString("agreements:\n")
		}
		out.WriteString(listItem(text))
	}
	if i.json {
		return encoder(i.out).Encode(answer)
	}
	_, err := fmt.Fprint(i.out, out.String())
	return err
}

// listItem indents YAML as an item of a list.
func listItem(text []byte) string {
	lines := strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")
	return "  - " + strings.Join(lines, "\n    ") + "\n"
}

// asJSON gives YAML as JSON.
func asJSON(text []byte) (json.RawMessage, error) {
	var v any
	if err := yaml.Unmarshal(text, &v); err != nil {
		return nil, fmt.Errorf("writing JSON: %w", err)
	}
	return json.Marshal(v)
}

// online puts partner and agreements into the registry of a node.
func (i *cpaImport) online(ctx context.Context, name string, read *cpa.CPA, o cpa.Options) error {
	ctx, cancel, client, err := i.connect(ctx, answerTime)
	if err != nil {
		return err
	}
	defer cancel()
	entry := partners.PartnerConfig{ID: i.partner, Country: i.country}
	before, err := client.Entry(ctx, partners.KindPartner, i.partner)
	there := err == nil
	switch {
	case there:
		if entry, err = partnerOf(before.Text); err != nil {
			return fmt.Errorf("partner %s: %w", i.partner, err)
		}
	case !errors.Is(err, partners.ErrUnknownEntry):
		return err
	}
	if o.Own == nil {
		if o.Own, err = otherThan(entry, read); err != nil {
			return err
		}
	}
	o.Partner = entry.ID
	if o.Base, err = i.agreementsOf(ctx, client); err != nil {
		return err
	}
	got, err := i.agreements(name, read, o)
	if err != nil {
		return err
	}
	added, err := got.Partner.AddTo(&entry)
	if err != nil {
		return fmt.Errorf("partner %s: %w", entry.ID, err)
	}
	answer := importedCPA{CPAID: read.ID, Findings: got.Findings}
	if there && !i.change.DryRun {
		if err := i.rehearse(ctx, client, read.ID, got.Agreements); err != nil {
			return err
		}
	}
	if added {
		if err := i.put(ctx, client, &answer, partners.KindPartner, entry.ID, &entry); err != nil {
			return err
		}
	}
	if err := i.putAgreements(ctx, client, &answer, got.Agreements, there); err != nil {
		return err
	}
	return i.print(answer, func(w *columns) {
		for _, made := range answer.Changes {
			w.lines(made.Diff)
			w.row(outcome(made))
		}
		for _, id := range answer.Waiting {
			w.row(fmt.Sprintf("agreement %s was not given to the node: its partner %s is not there before its proposal is confirmed", id, entry.ID))
		}
		if number := answer.proposalOf(partners.KindPartner); number > 0 && len(answer.Waiting) > 0 {
			w.row(fmt.Sprintf("next: another operator confirms proposal %d (ecogate proposal confirm %d); then run this command again", number, number))
		}
	})
}

// proposalOf is the number under which the first change of a kind waits, 0 if none does.
func (a importedCPA) proposalOf(kind partners.Kind) uint64 {
	for _, made := range a.Changes {
		if made.Entry.Kind == kind && made.Proposal != nil {
			return made.Proposal.Number
		}
	}
	return 0
}

// putAgreements puts agreements, where there tells whether their partner was there before. Those of a partner that is not there yet are
// left out.
func (i *cpaImport) putAgreements(ctx context.Context, client *api.Client, answer *importedCPA, list []partners.AgreementConfig, there bool) error {
	if i.change.DryRun && !there {
		return nil // its partner would have to be there first
	}
	for _, a := range list {
		id := firstSet(a.ID, a.CPAID)
		if !there && answer.proposalOf(partners.KindPartner) > 0 {
			answer.Waiting = append(answer.Waiting, id)
			continue
		}
		if err := i.put(ctx, client, answer, partners.KindAgreement, id, &a); err != nil {
			return err
		}
	}
	return nil
}

// rehearse has the node check agreements before anything is changed.
func (i *cpaImport) rehearse(ctx context.Context, client *api.Client, cpaID string, agreements []partners.AgreementConfig) error {
	dry := *i
	dry.change.DryRun = true
	for _, a := range agreements {
		if err := dry.put(ctx, client, &importedCPA{CPAID: cpaID}, partners.KindAgreement, firstSet(a.ID, a.CPAID), &a); err != nil {
			return err
		}
	}
	return nil
}

// otherThan are the ids of the party that a partner is not.
func otherThan(p partners.PartnerConfig, read *cpa.CPA) ([]partners.PartyID, error) {
	for n, party := range read.Parties {
		if slices.ContainsFunc(party.IDs, func(id partners.PartyID) bool { return slices.Contains(p.PartyIDs, id) }) {
			return read.Parties[1-n].IDs, nil
		}
	}
	return nil, &hinted{&refused{fmt.Errorf("partner %q has no party id of the CPA, which has %s", p.ID, partyIDs(read))}, "--as PARTY-ID says which party this node is"}
}

// agreementsOf reads the agreements that a node has.
func (i *cpaImport) agreementsOf(ctx context.Context, client *api.Client) ([]partners.AgreementConfig, error) {
	list, err := client.Entries(ctx, partners.KindAgreement)
	if err != nil {
		return nil, err
	}
	var out []partners.AgreementConfig
	for _, e := range list {
		whole, err := client.Entry(ctx, partners.KindAgreement, e.ID)
		if err != nil {
			return nil, err
		}
		var a partners.AgreementConfig
		if _, problems := strictyaml.Decode([]byte(whole.Text), &a); len(problems) > 0 {
			return nil, fmt.Errorf("agreement %s: %w", e.ID, problems[0])
		}
		out = append(out, a)
	}
	return out, nil
}

// put makes a document the newest version of its entry.
func (i *cpaImport) put(ctx context.Context, client *api.Client, answer *importedCPA, kind partners.Kind, id string, document any) error {
	text, err := strictyaml.Encode(document)
	if err != nil {
		return err
	}
	if !i.change.DryRun {
		waits, err := proposalFor(ctx, client, kind, id)
		if err != nil {
			return err
		}
		if waits != nil {
			return &hinted{&refused{fmt.Errorf("%s %s: a change waits already, as proposal %d for another operator", kind, id, waits.Number)},
				fmt.Sprintf("have it confirmed (ecogate proposal confirm %d) or rejected, then run this command again", waits.Number)}
		}
	}
	change := i.change
	current, err := client.Entry(ctx, kind, id)
	switch {
	case err == nil:
		change.Version, change.File = current.Version, current.FileSHA256
	case errors.Is(err, partners.ErrUnknownEntry):
		change.New = true
	default:
		return err
	}
	if change.Why == "" {
		change.Why = "CPA " + answer.CPAID
	}
	made, err := client.PutEntry(ctx, kind, id, change, string(text))
	if err != nil {
		return fmt.Errorf("%s %s: %w", kind, id, err)
	}
	answer.Changes = append(answer.Changes, made)
	return nil
}
