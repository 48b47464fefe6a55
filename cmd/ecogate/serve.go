package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/ecogate/ecogate/internal/config"
)

func (c *cli) serveCommand() *cobra.Command {
	var file, readyFile string
	cmd := &cobra.Command{
		Use:   "serve --config FILE",
		Short: "Run a node",
		Long: "Run a node until SIGTERM or SIGINT. It then stops accepting, finishes what is under way and closes its store;\n" +
			"a second signal ends it at once, which loses nothing that was acknowledged.\n" +
			"On SIGHUP it reads node, partners, agreements, api_keys, intake and the credentials again, and logs what needs a restart; a configuration with errors changes nothing.\n" +
			"CRLs are read, and OCSP responders asked, again too.\n" +
			"One line per listener is printed when it accepts connections. The log goes to standard error.",
		Args: arguments(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return c.serve(cmd.Context(), file, readyFile)
		},
	}
	configFlag(cmd, &file)
	cmd.Flags().StringVar(&readyFile, "ready-file", "", "write the listeners' addresses to `FILE` as JSON once all accept; removed at the end")
	return cmd
}

// addresses is what --ready-file and --json tell.
type addresses struct {
	PartnerURL string `json:"partner_url"`
	APIURL     string `json:"api_url"`
	AdminURL   string `json:"admin_url"`
	PID        int    `json:"pid"`
}

func (c *cli) serve(ctx context.Context, file, readyFile string) error {
	cfg, err := loadConfig(file)
	if err != nil {
		return err
	}
	log := newLogger(cfg.Log, c.errOut)
	warnOf(cfg, log)
	hangup := make(chan os.Signal, 1)
	signal.Notify(hangup, syscall.SIGHUP) // before anyone can know that the node runs: unheard it would end the process
	defer signal.Stop(hangup)
	n, err := startNode(ctx, cfg, nodeOptions{Now: c.now, Log: log})
	if err != nil {
		return err
	}
	if readyFile != "" {
		defer os.Remove(readyFile)
	}
	if err := c.announce(n, readyFile); err != nil {
		_ = n.Close()
		return err
	}
	await(ctx, n, hangup, file)
	notifySupervisor(log, "STOPPING=1")
	closed := n.Close()
	if err := n.Err(); err != nil {
		return err
	}
	return closed
}

// await returns when the node is to stop. Until then a hangup reloads the configuration.
func await(ctx context.Context, n *runningNode, hangup <-chan os.Signal, file string) {
	for {
		select {
		case <-ctx.Done():
			n.log.Info("stopping: waiting for requests and deliveries under way")
			return
		case <-n.Done():
			n.log.Error("stopping: a part of the node ended", "error", n.Err())
			return
		case <-hangup:
			cfg, err := loadConfig(file)
			if err == nil {
				err = n.Reload(cfg)
			}
			if err != nil {
				n.log.Error("configuration not reloaded; the old one stays", "error", err)
				continue
			}
			warnOf(cfg, n.log)
		}
	}
}

// warnOf logs what `config check` would warn of.
func warnOf(cfg config.Config, log *slog.Logger) {
	for _, w := range cfg.Warnings() {
		log.Warn("configuration: "+w.Text, "place", w.Place, "key", w.Key)
	}
}

// announce tells people, a waiting program, and the supervisor that the node accepts connections.
func (c *cli) announce(n *runningNode, readyFile string) error {
	a := addresses{PartnerURL: n.PartnerURL, APIURL: n.APIURL, AdminURL: n.AdminURL, PID: os.Getpid()}
	if readyFile != "" {
		if err := replaceJSON(readyFile, a); err != nil {
			return fmt.Errorf("ready file: %w", err)
		}
	}
	err := c.print(a, func(w *columns) {
		w.row("partner", a.PartnerURL)
		w.row("api", a.APIURL)
		w.row("admin", a.AdminURL)
	})
	if err != nil {
		return err
	}
	notifySupervisor(n.log, "READY=1")
	return nil
}

// replaceJSON writes a file so that a reader finds all of it or nothing.
func replaceJSON(name string, a addresses) error {
	data, err := json.Marshal(a)
	if err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(name), filepath.Base(name)+".*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) // gone after the rename
	if _, err := f.Write(append(data, '\n')); err != nil {
		f.Close()
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	return os.Rename(f.Name(), name)
}

// notifySupervisor tells systemd how the service stands (sd_notify(3)), if systemd asked to be told.
func notifySupervisor(log *slog.Logger, state string) {
	socket := os.Getenv("NOTIFY_SOCKET")
	if socket == "" {
		return
	}
	conn, err := net.Dial("unixgram", socket)
	if err != nil {
		log.Warn("supervisor not told", "state", state, "error", err)
		return
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, state); err != nil {
		log.Warn("supervisor not told", "state", state, "error", err)
	}
}

// newLogger writes what the configuration asks for; its values were checked when it was loaded.
func newLogger(cfg config.Log, w io.Writer) *slog.Logger {
	var level slog.Level
	if err := level.UnmarshalText([]byte(cfg.Level)); err != nil {
		level = slog.LevelInfo
	}
	options := &slog.HandlerOptions{Level: level}
	if cfg.Format == "json" {
		return slog.New(slog.NewJSONHandler(w, options))
	}
	return slog.New(slog.NewTextHandler(w, options))
}
