package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/ecogate/ecogate/api"
	"github.com/ecogate/ecogate/internal/config"
	"github.com/ecogate/ecogate/partners"
)

const offlineHelp = `With --offline no node is asked: the store of the configuration that --config names is changed itself, for a node that does not start because
an entry of its registry is not valid any more. The node must not run. What is wrong elsewhere does not stop the change, and is told. No second
operator is asked; the audit log says "offline".`

// storeFlags say whose store a command works on, in place of asking a node.
type storeFlags struct {
	asked bool
	file  string
}

func (o *storeFlags) flags(cmd *cobra.Command) {
	cmd.Flags().BoolVar(&o.asked, "offline", false, "work on the store of a node that does not run; needs --config")
	configFlag(cmd, &o.file)
	cmd.PreRunE = func(cmd *cobra.Command, _ []string) error {
		if cmd.Flags().Changed("config") && !o.asked {
			return &usageError{text: "--config goes with --offline; without it the running node is asked", command: cmd.CommandPath()}
		}
		return nil
	}
}

// withStore calls do with the registry in the store of a node that does not run.
func (r registry) withStore(cmd *cobra.Command, off storeFlags, do func(context.Context, config.Config, *partners.Mender) error) (err error) {
	cfg, err := loadConfig(off.file)
	if err != nil {
		return err
	}
	if _, err := os.Stat(filepath.Join(cfg.Store.Dir, "state.db")); err != nil {
		return &hinted{fmt.Errorf("store: %w", err), "store.dir of the configuration is the folder of the node's store"}
	}
	store, err := openStore(cfg.Store, r.now)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	m, err := partners.NewMender(cmd.Context(), cfg.Registry(), partners.DirectoryOptions{Store: store, Now: r.now})
	if err != nil {
		return err
	}
	return do(cmd.Context(), cfg, m)
}

// mendedEntry is what "restore --offline --json" and "remove --offline --json" tell.
type mendedEntry struct {
	api.RegistryChange
	// Left is what still keeps the node from starting.
	Left []string `json:"left"`
}

// mend changes an entry in the store of a node that does not run, and tells what is left to mend.
func (r registry) mend(cmd *cobra.Command, off storeFlags, change func(context.Context, *partners.Mender) (partners.Mended, error)) error {
	var answer mendedEntry
	err := r.withStore(cmd, off, func(ctx context.Context, cfg config.Config, m *partners.Mender) error {
		made, err := change(ctx, m)
		switch {
		case errors.Is(err, partners.ErrUnknownEntry):
			if r.kind == partners.KindNode {
				return &hinted{&notFound{err}, `"ecogate key versions --offline --config FILE" lists the versions; without any the node uses the keys of the configuration file`}
			}
			return &hinted{&notFound{err}, fmt.Sprintf(`"ecogate %s versions ID --offline --config FILE" lists the versions`, r.kind)}
		case errors.As(err, new(*partners.ConfigError)):
			return &hinted{&refused{cfg.PartnerProblems(err)}, "the change itself would break these places; nothing was changed"}
		case err != nil:
			return err
		}
		dryRun, _ := cmd.Flags().GetBool("dry-run")
		answer = mendedEntry{RegistryChange: api.RegistryChange{Entry: made.Entry, Diff: api.Difference(made.Before, made.Entry), DryRun: dryRun}, Left: []string{}}
		for _, p := range made.Left {
			answer.Left = append(answer.Left, p.Error())
		}
		return nil
	})
	if err != nil {
		return err
	}
	return r.print(answer, func(w *columns) {
		w.lines(answer.Diff)
		w.row(outcome(answer.RegistryChange))
		for _, text := range answer.Left {
			w.lines("left: " + text + "\n")
		}
		if len(answer.Left) == 0 && !answer.DryRun {
			w.lines("the configuration and the registry are valid; the node can start\n")
		}
	})
}

// invalidEntries says which entries of the registry keep a node from starting, and what to do.
func invalidEntries(cfg config.Config, err error) error {
	told := cfg.PartnerProblems(err)
	wrong := (*partners.InvalidEntries)(nil)
	if !errors.As(err, &wrong) {
		return told
	}
	var names, verbs []string
	for _, e := range wrong.Entries {
		names = append(names, fmt.Sprintf("version %d of %s %s", e.Version, e.Kind, e.ID))
		if e.Kind == partners.KindNode {
			verbs = append(verbs, "ecogate key restore VERSION --offline --config FILE")
			continue
		}
		verbs = append(verbs, fmt.Sprintf("ecogate %s restore %s VERSION --offline --config FILE (or remove in place of restore; versions lists the versions)", e.Kind, e.ID))
	}
	return &hinted{fmt.Errorf("the registry in the store holds what is not valid any more (%s):\n%w", strings.Join(names, ", "), told),
		"undo what was changed in the configuration or in the files that these entries name; or mend them in the store: " + strings.Join(verbs, ", ")}
}
