package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/ecogate/ecogate/internal/config"
	"github.com/ecogate/ecogate/partners"
)

func (c *cli) configCommand() *cobra.Command {
	return group("config", "Check and show a node's configuration", c.configCheck(), c.configShow())
}

func configFlag(cmd *cobra.Command, file *string) {
	cmd.Flags().StringVar(file, "config", os.Getenv(envConfig), "configuration `file`; "+envConfig+" stands in for it")
}

// loadConfig reads the configuration and the environment over it.
func loadConfig(file string) (config.Config, error) {
	if file == "" {
		return config.Config{}, &usageError{text: "--config FILE is missing", hint: "config.example.yaml explains every key; " + envConfig + " may name the file too"}
	}
	cfg, err := config.Load(file, os.Environ())
	if err != nil {
		return config.Config{}, &hinted{err, exampleHint}
	}
	return cfg, nil
}

// checkedConfig is what "config check --json" tells.
type checkedConfig struct {
	File       string `json:"file"`
	Node       string `json:"node"`
	Partners   int    `json:"partners"`
	Agreements int    `json:"agreements"`
	APIKeys    int    `json:"api_keys"`
	// Warnings are what is no error and should not stay so.
	Warnings []string `json:"warnings,omitempty"`
}

func (c *cli) configCheck() *cobra.Command {
	var file string
	cmd := &cobra.Command{
		Use:   "check --config FILE",
		Short: "Say whether a node would start with a configuration",
		Long: "Read the configuration with the environment over it, open every key and credential that it names, and say what is wrong.\n" +
			"Secrets that others can read, and forms that nobody issues, are warnings.\n" +
			"Only the configuration file is read. A running node may have newer partners, agreements and keys in its registry, which a\n" +
			"start checks together with the file: \"partner show\", \"agreement show\" and \"cert list --node\" ask it.",
		Args: arguments(),
		RunE: func(*cobra.Command, []string) error {
			cfg, err := c.check(file)
			if err != nil {
				return err
			}
			checked := checkedConfig{
				File: file, Node: cfg.Node.ID, Partners: len(cfg.Partners), Agreements: len(cfg.Agreements), APIKeys: len(cfg.APIKeys),
			}
			for _, w := range cfg.Warnings() {
				checked.Warnings = append(checked.Warnings, w.Error())
			}
			return c.print(checked, func(w *columns) {
				w.row(fmt.Sprintf("%s: ok: node %s, %d partners, %d agreements, %d API keys", file,
					checked.Node, checked.Partners, checked.Agreements, checked.APIKeys))
			})
		},
	}
	configFlag(cmd, &file)
	return cmd
}

// check reads the configuration and all that it names, prints warnings, and returns everything that is wrong in one error.
func (c *cli) check(file string) (config.Config, error) {
	if file == "" {
		return loadConfig(file)
	}
	cfg, err := config.Load(file, os.Environ())
	var wrong *config.Error
	if err != nil && !errors.As(err, &wrong) {
		return cfg, &hinted{err, exampleHint}
	}
	for _, w := range cfg.Warnings() {
		if !c.json { // JSON has a place for them, and standard error then holds nothing but an error
			fmt.Fprintln(c.errOut, "warning: "+w.Error())
		}
	}
	hint := exampleHint
	if missing := cfg.MissingFiles(); len(missing) > 0 {
		hint = "there is no " + strings.Join(missing, ", ") + "; a relative path starts at the folder of the configuration file"
	}
	if err := cfg.Join(err, c.checkFiles(cfg)); err != nil {
		return cfg, &hinted{err, hint}
	}
	return cfg, nil
}

const exampleHint = "config.example.yaml explains every key"

// checkFiles opens what the configuration names, as startNode would, and says everything that is wrong.
func (c *cli) checkFiles(cfg config.Config) error {
	var problems []error
	if len(cfg.Registry().Check()) == 0 { // what the file itself has wrong was told when it was read
		registry, err := partners.New(cfg.Registry())
		problems = append(problems, cfg.PartnerProblems(err))
		if err == nil && cfg.PartnerTLS() {
			if _, err := serverTLS(cfg.Listeners.Partner.TLS, registry, c.now); err != nil {
				problems = append(problems, cfg.Problem("node.keys", err.Error()))
			}
		}
	}
	if users := cfg.Listeners.API; users.CertificateFile != "" && users.KeyFile != "" {
		if _, err := readAPICredential(users, c.now()); err != nil {
			problems = append(problems, apiCredentialProblem(cfg, err))
		}
	}
	if _, err := paperOptions(cfg.Paper.Fonts, cfg.Paper.VerifyURL); err != nil {
		problems = append(problems, cfg.Problem("paper.fonts", err.Error()))
	}
	problems = append(problems, checkNotices(cfg))
	_, schemasErr := openSchemas(cfg)
	_, err := apiKeys(cfg)
	return cfg.Join(append(problems, schemasErr, err, cfg.CheckFolders(), checkCustoms(cfg, c.now))...)
}

// apiCredentialProblem gives an error of readAPICredential, whose text begins with a key, the place of the file that it is about.
func apiCredentialProblem(cfg config.Config, err error) error {
	key, text, _ := strings.Cut(err.Error(), ": ")
	var file *fs.PathError
	if errors.As(err, &file) {
		key, text = "listeners.api.certificate_file", file.Error()
		if file.Path == cfg.Listeners.API.KeyFile {
			key = "listeners.api.key_file"
		}
	}
	return cfg.Problem(key, text)
}

// setting is one line of what "config show --json" tells.
type setting struct {
	Key    string `json:"key"`
	Value  string `json:"value"`
	Origin string `json:"origin"`
}

func (c *cli) configShow() *cobra.Command {
	var file string
	cmd := &cobra.Command{
		Use:   "show --config FILE",
		Short: "Show the configuration in effect and where each value comes from",
		Long:  "Show every key that has a value and where it comes from: the file's line, an environment variable, or the default.\nSecrets are masked.",
		Args:  arguments(),
		RunE: func(*cobra.Command, []string) error {
			cfg, err := loadConfig(file)
			if err != nil {
				return err
			}
			var settings []setting
			for _, s := range cfg.Effective() {
				settings = append(settings, setting{Key: s.Key, Value: s.Value, Origin: string(s.Origin)})
			}
			return c.print(settings, func(w *columns) {
				for _, s := range settings {
					w.row(s.Key, s.Value, s.Origin)
				}
			})
		},
	}
	configFlag(cmd, &file)
	return cmd
}
