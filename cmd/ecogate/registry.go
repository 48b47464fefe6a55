package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/ecogate/ecogate/api"
	"github.com/ecogate/ecogate/internal/config"
	"github.com/ecogate/ecogate/internal/strictyaml"
	"github.com/ecogate/ecogate/partners"
)

// registry makes the verbs for one kind of entry of a node's registry.
type registry struct {
	*cli
	kind partners.Kind
	// name is what an id is called on the command line; "" for the node's own keys, of which there is one entry.
	name string
}

// arguments are those of a verb about one entry: its id, and what else the verb takes.
func (r registry) arguments(others ...string) []string {
	if r.name == "" {
		return others
	}
	return append([]string{r.name}, others...)
}

// entry is the id among the arguments.
func (r registry) entry(args []string) string {
	if r.name == "" {
		return partners.NodeID
	}
	return args[0]
}

// usage is how a verb about one entry is written.
func (r registry) usage(verb string, others ...string) string {
	return strings.Join(append([]string{verb}, r.arguments(others...)...), " ")
}

// what is what people call the entry.
func (r registry) what() string {
	if r.name == "" {
		return "the node's own keys"
	}
	return "one " + string(r.kind)
}

func (c *cli) agreementCommand() *cobra.Command {
	r := registry{c, partners.KindAgreement, "AGREEMENT"}
	return group("agreement", "Show and change the agreements of a running node", append(r.verbs(), r.list())...)
}

func (r registry) verbs() []*cobra.Command {
	return []*cobra.Command{r.show(), r.add(), r.edit(), r.remove(), r.versions(), r.diff(), r.restore()}
}

func (r registry) list() *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: fmt.Sprintf("List the %ss of the node with their versions", r.kind),
		Long:  fmt.Sprintf("List the %ss of the node. Version 0 is what stands in the configuration file.", r.kind),
		Args:  arguments(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx, cancel, client, err := r.connect(cmd.Context(), answerTime)
			if err != nil {
				return err
			}
			defer cancel()
			list, err := client.Entries(ctx, r.kind)
			if err != nil {
				return err
			}
			return r.print(list, func(w *columns) {
				w.row(r.name, "VERSION", "AT", "BY", "WHY")
				for _, e := range list {
					w.row(e.ID, strconv.FormatUint(e.Version, 10), instant(e.At), e.By, e.Why)
				}
			})
		},
	}
}

func (r registry) show() *cobra.Command {
	var version string
	cmd := &cobra.Command{
		Use:   "show " + r.name,
		Short: fmt.Sprintf("Show what the node knows of one %s, as YAML", r.kind),
		Long: fmt.Sprintf("Show the document of one %s in YAML, as it stands in the node's registry or, as version 0, in its configuration file.\n", r.kind) +
			"What is printed can be changed and given to \"edit --file\".",
		Args: arguments(r.name),
		RunE: func(cmd *cobra.Command, args []string) error {
			number, given, err := versionFlag(cmd, version)
			if err != nil {
				return err
			}
			ctx, cancel, client, err := r.connect(cmd.Context(), answerTime)
			if err != nil {
				return err
			}
			defer cancel()
			var e partners.Entry
			if given {
				e, err = client.EntryVersion(ctx, r.kind, args[0], number)
			} else {
				e, err = client.Entry(ctx, r.kind, args[0])
			}
			if err != nil {
				return err
			}
			return r.print(e, func(w *columns) {
				w.row("# " + headline(e))
				w.lines(e.Text)
			})
		},
	}
	cmd.Flags().StringVar(&version, "version", "", "`number` of the version; by default the current one")
	return cmd
}

// headline says of which version a text is.
func headline(e partners.Entry) string {
	text := fmt.Sprintf("%s %s, version %d", e.Kind, e.ID, e.Version)
	switch {
	case e.Version == 0:
		return text + ", of the configuration file"
	case e.Removed:
		text += ", removed"
	}
	text += fmt.Sprintf(", %s by %s", instant(e.At), e.By)
	if e.Why != "" {
		text += ": " + e.Why
	}
	return text
}

func versionFlag(cmd *cobra.Command, text string) (version uint64, given bool, err error) {
	if text == "" {
		return 0, false, nil
	}
	version, err = strconv.ParseUint(text, 10, 63)
	if err != nil {
		return 0, false, &usageError{text: fmt.Sprintf("%q is not the number of a version", text), command: cmd.CommandPath()}
	}
	return version, true, nil
}

// changeFlags are those that every change takes.
func changeFlags(cmd *cobra.Command, change *api.Change) {
	cmd.Flags().StringVar(&change.Why, "why", "", "`text` for the audit log and the list of versions")
	cmd.Flags().BoolVar(&change.DryRun, "dry-run", false, "have the node check the change, show it, and change nothing")
}

func (r registry) add() *cobra.Command {
	change := api.Change{New: true}
	cmd := &cobra.Command{
		Use:   "add FILE",
		Short: fmt.Sprintf("Add a new %s", r.kind),
		Long: fmt.Sprintf("Add the %s that FILE (- reads standard input) describes in YAML, as an entry of %ss in the configuration file does.\n", r.kind, r.kind) +
			"Files that it names are read here, relative to its folder, and their contents are sent. It is in force at once, or, where a second operator\n" +
			"has to confirm it, a proposal.",
		Args: arguments("FILE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			id, text, err := r.compose(args[0])
			if err != nil {
				return err
			}
			return r.change(cmd.Context(), func(ctx context.Context, client *api.Client) (api.RegistryChange, error) {
				made, err := client.PutEntry(ctx, r.kind, id, change, text)
				var p *api.Problem
				if errors.As(err, &p) && p.Code == api.CodeStale {
					return made, &hinted{err, fmt.Sprintf("\"ecogate %s edit\" changes one that is there", r.kind)}
				}
				return made, r.hintWaiting(ctx, client, text, err)
			})
		},
	}
	changeFlags(cmd, &change)
	return cmd
}

// hintWaiting says of an agreement that was refused that its partner is still a proposal, if it is.
func (r registry) hintWaiting(ctx context.Context, client *api.Client, text string, refusal error) error {
	var a partners.AgreementConfig
	if refusal == nil || r.kind != partners.KindAgreement {
		return refusal
	}
	if _, problems := strictyaml.Decode([]byte(text), &a); len(problems) > 0 {
		return refusal
	}
	if _, err := client.Entry(ctx, partners.KindPartner, a.Partner); !errors.Is(err, partners.ErrUnknownEntry) {
		return refusal
	}
	waits, err := proposalFor(ctx, client, partners.KindPartner, a.Partner)
	if err != nil || waits == nil {
		return refusal
	}
	return &hinted{refusal, fmt.Sprintf("partner %s waits as proposal %d for another operator; add the agreement once it is confirmed (ecogate proposal confirm %d)", a.Partner, waits.Number, waits.Number)}
}

// proposalFor is the newest change of an entry that waits for another operator, nil if there is none.
func proposalFor(ctx context.Context, client *api.Client, kind partners.Kind, id string) (*api.ProposedChange, error) {
	list, err := client.Proposals(ctx, partners.ProposalOpen)
	if err != nil {
		return nil, err
	}
	for _, p := range list {
		if p.Entry.Kind == kind && p.Entry.ID == id {
			return &p, nil
		}
	}
	return nil, nil
}

// compose reads a file with an entry.
func (r registry) compose(file string) (id, text string, err error) {
	data, err := r.readFile(file)
	if err != nil {
		return "", "", fmt.Errorf("%s: %w", r.kind, err)
	}
	dir := filepath.Dir(file)
	if file == "-" {
		dir = "."
	}
	id, text, err = partners.Compose(r.kind, string(data), dir)
	if wrong := (*partners.ConfigError)(nil); errors.As(err, &wrong) {
		lines := make([]string, len(wrong.Problems))
		for i, p := range wrong.Problems {
			lines[i] = inputName(file) + ": " + p.Error()
		}
		return "", "", &refused{errors.New(strings.Join(lines, "\n"))}
	}
	return id, text, err
}

func (r registry) edit() *cobra.Command {
	var change api.Change
	var file, version string
	cmd := &cobra.Command{
		Use:   "edit " + r.name,
		Short: fmt.Sprintf("Change one %s, in an editor or from a file", r.kind),
		Long: fmt.Sprintf("Change the document of one %s: in the editor that VISUAL or EDITOR names, or with --file. Files that it names are read here and their\n", r.kind) +
			"contents are sent. The node checks all of it with the rest of its configuration, keeps a new version, and brings it in force at once; or says\n" +
			"what is wrong and changes nothing. If somebody else changed it meanwhile, it is refused.",
		Args: arguments(r.name),
		RunE: func(cmd *cobra.Command, args []string) error {
			number, given, err := versionFlag(cmd, version)
			if err != nil {
				return err
			}
			ctx, cancel, client, err := r.connect(cmd.Context(), answerTime)
			if err != nil {
				return err
			}
			current, err := client.Entry(ctx, r.kind, args[0])
			cancel()
			if err != nil {
				return err
			}
			if change.Version, change.File = current.Version, current.FileSHA256; given {
				change.Version, change.File = number, ""
			}
			source := file
			if source == "" {
				if source, err = r.editText(cmd.Context(), current); err != nil {
					return err
				}
			}
			_, text, err := r.compose(source)
			if err == nil {
				err = r.change(cmd.Context(), func(ctx context.Context, client *api.Client) (api.RegistryChange, error) {
					return client.PutEntry(ctx, r.kind, args[0], change, text)
				})
			}
			if file == "" && err != nil {
				return &hinted{err, "your text is kept in " + source}
			}
			if file == "" {
				return os.RemoveAll(filepath.Dir(source))
			}
			return err
		},
	}
	cmd.Flags().StringVar(&file, "file", "", "`FILE` with the whole document, - for standard input")
	cmd.Flags().StringVar(&version, "version", "", "`number` of the version that the document was made of; by default the current one")
	changeFlags(cmd, &change)
	return cmd
}

// editText gives a file with the entry's text after the user's editor.
func (r registry) editText(ctx context.Context, e partners.Entry) (string, error) {
	editor := firstSet(os.Getenv("VISUAL"), os.Getenv("EDITOR"))
	if editor == "" {
		return "", &usageError{text: "there is no editor", hint: "set VISUAL or EDITOR, or give the document with --file"}
	}
	dir, err := os.MkdirTemp("", "ecogate-")
	if err != nil {
		return "", err
	}
	file := filepath.Join(dir, string(e.Kind)+".yaml")
	if err := os.WriteFile(file, []byte(e.Text), 0o600); err != nil {
		return "", err
	}
	// VISUAL and EDITOR are commands of the shell (POSIX.1-2017, environment variables).
	process := exec.CommandContext(ctx, "sh", "-c", editor+` "$1"`, "sh", file)
	process.Stdin, process.Stdout, process.Stderr = r.in, r.out, r.errOut
	if err := process.Run(); err != nil {
		return "", fmt.Errorf("editor %s: %w", editor, err)
	}
	return file, nil
}

func (r registry) remove() *cobra.Command {
	var change api.Change
	var off storeFlags
	cmd := &cobra.Command{
		Use:   "remove " + r.name,
		Short: fmt.Sprintf("Remove one %s", r.kind),
		Long: fmt.Sprintf("Remove one %s, wherever it stands: one of the configuration file is not used any more, though it stays there. Its versions are kept, and\n", r.kind) +
			"\"restore\" brings it back. What others need, such as a partner with an agreement, is not removed.\n\n" + offlineHelp,
		Args: arguments(r.name),
		RunE: func(cmd *cobra.Command, args []string) error {
			if off.asked {
				return r.mend(cmd, off, func(ctx context.Context, m *partners.Mender) (partners.Mended, error) {
					return m.Remove(ctx, partners.Edit{Why: change.Why, DryRun: change.DryRun}, r.kind, args[0])
				})
			}
			return r.changeCurrent(cmd.Context(), args[0], &change, func(ctx context.Context, client *api.Client) (api.RegistryChange, error) {
				removed, err := client.RemoveEntry(ctx, r.kind, args[0], change)
				var p *api.Problem
				if errors.As(err, &p) && p.Code == api.CodeInvalidEntry {
					err = &hinted{err, "what needs it is removed before it, such as its agreements with \"ecogate agreement remove\"; nothing was changed"}
				}
				return removed, err
			})
		},
	}
	changeFlags(cmd, &change)
	off.flags(cmd)
	return cmd
}

func (r registry) restore() *cobra.Command {
	var change api.Change
	var off storeFlags
	cmd := &cobra.Command{
		Use:   r.usage("restore", "VERSION"),
		Short: "Make an earlier version the newest one",
		Long:  "Make the document of an earlier version the newest one; version 0 is what the configuration file says now.\n\n" + offlineHelp,
		Args:  arguments(r.arguments("VERSION")...),
		RunE: func(cmd *cobra.Command, args []string) error {
			version, _, err := versionFlag(cmd, args[len(args)-1])
			if err != nil {
				return err
			}
			if off.asked {
				return r.mend(cmd, off, func(ctx context.Context, m *partners.Mender) (partners.Mended, error) {
					return m.Restore(ctx, partners.Edit{Why: change.Why, DryRun: change.DryRun}, r.kind, r.entry(args), version)
				})
			}
			return r.changeCurrent(cmd.Context(), r.entry(args), &change, func(ctx context.Context, client *api.Client) (api.RegistryChange, error) {
				return client.RestoreEntry(ctx, r.kind, r.entry(args), change, version)
			})
		},
	}
	changeFlags(cmd, &change)
	off.flags(cmd)
	return cmd
}

// changeCurrent is change for the newest version, removed or not.
func (r registry) changeCurrent(ctx context.Context, id string, change *api.Change, do func(context.Context, *api.Client) (api.RegistryChange, error)) error {
	return r.change(ctx, func(ctx context.Context, client *api.Client) (api.RegistryChange, error) {
		list, err := client.EntryVersions(ctx, r.kind, id)
		if err != nil {
			return api.RegistryChange{}, err
		}
		change.Version = list[len(list)-1].Version
		return do(ctx, client)
	})
}

// change makes a change and prints what came of it.
func (r registry) change(ctx context.Context, do func(context.Context, *api.Client) (api.RegistryChange, error)) error {
	ctx, cancel, client, err := r.connect(ctx, answerTime)
	if err != nil {
		return err
	}
	defer cancel()
	made, err := do(ctx, client)
	if err != nil {
		return err
	}
	return r.print(made, func(w *columns) {
		w.lines(made.Diff)
		w.row(outcome(made))
	})
}

// outcome says what became of an entry.
func outcome(made api.RegistryChange) string {
	e := made.Entry
	entry := fmt.Sprintf("%s %s", e.Kind, e.ID)
	if e.Kind == partners.KindNode {
		entry = "the entry of the node's own keys"
	}
	switch {
	case made.Proposal != nil:
		return fmt.Sprintf("%s would get version %d; it waits as proposal %d for another operator", entry, e.Version, made.Proposal.Number)
	case made.Diff == "":
		return fmt.Sprintf("%s is as it was, at version %d", entry, e.Version)
	case made.DryRun:
		return fmt.Sprintf("%s would get version %d; nothing was changed", entry, e.Version)
	}
	return fmt.Sprintf("%s is at version %d", entry, e.Version)
}

func (r registry) versions() *cobra.Command {
	var off storeFlags
	cmd := &cobra.Command{
		Use:   r.usage("versions"),
		Short: "List the versions of " + r.what(),
		Long: "List the versions of " + r.what() + ", oldest first. Version 0 is what the configuration file says now. With --offline\n" +
			"they are read in the store of a node that does not run.",
		Args: arguments(r.arguments()...),
		RunE: func(cmd *cobra.Command, args []string) error {
			list, err := r.versionsOf(cmd, off, r.entry(args))
			if err != nil {
				return err
			}
			return r.print(list, func(w *columns) {
				w.row("VERSION", "AT", "BY", "STATE", "WHY")
				for _, e := range list {
					state := "kept"
					if e.Removed {
						state = "removed"
					}
					if e.Unconfirmed {
						state += ", no second operator"
					}
					w.row(strconv.FormatUint(e.Version, 10), instant(e.At), e.By, state, e.Why)
				}
			})
		},
	}
	off.flags(cmd)
	return cmd
}

func (r registry) versionsOf(cmd *cobra.Command, off storeFlags, id string) (list []partners.Entry, err error) {
	if off.asked {
		err = r.withStore(cmd, off, func(ctx context.Context, _ config.Config, m *partners.Mender) error {
			list, err = m.Versions(ctx, r.kind, id)
			for i := range list {
				list[i].Text = ""
			}
			return err
		})
		return list, err
	}
	ctx, cancel, client, err := r.connect(cmd.Context(), answerTime)
	if err != nil {
		return nil, err
	}
	defer cancel()
	return client.EntryVersions(ctx, r.kind, id)
}

func (r registry) diff() *cobra.Command {
	var from, to string
	cmd := &cobra.Command{
		Use:   r.usage("diff"),
		Short: "Show what changed between two versions",
		Args:  arguments(r.arguments()...),
		RunE: func(cmd *cobra.Command, args []string) error {
			for _, text := range []string{from, to} {
				if _, _, err := versionFlag(cmd, text); err != nil {
					return err
				}
			}
			ctx, cancel, client, err := r.connect(cmd.Context(), answerTime)
			if err != nil {
				return err
			}
			defer cancel()
			d, err := client.EntryDiff(ctx, r.kind, r.entry(args), from, to)
			if err != nil {
				return err
			}
			return r.print(d, func(w *columns) {
				w.lines(d.Diff)
				if d.Diff == "" {
					w.row(fmt.Sprintf("versions %d and %d are the same", d.From, d.To))
				}
			})
		},
	}
	cmd.Flags().StringVar(&from, "from", "", "`number` of the earlier version; by default the one before the later")
	cmd.Flags().StringVar(&to, "to", "", "`number` of the later version; by default the current one")
	return cmd
}
