package main

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/ecogate/ecogate/api"
	"github.com/ecogate/ecogate/eco"
	"github.com/ecogate/ecogate/internal/config"
)

// apiKeys gives the API keys of the configuration, reading those that are in files.
func apiKeys(cfg config.Config) (*api.KeySet, error) {
	digests, err := cfg.APIKeyDigests(api.CheckSecret)
	if err != nil {
		return nil, err
	}
	keys := make([]api.Key, len(digests))
	for i, k := range cfg.APIKeys {
		keys[i] = api.Key{Name: k.Name, Role: api.Role(k.Role), SHA256: digests[i]}
		for _, party := range k.Parties {
			name, err := eco.ParsePartyName(party)
			if err != nil {
				return nil, fmt.Errorf("api_keys[%d].parties: %w", i, err)
			}
			keys[i].Parties = append(keys[i].Parties, name)
		}
	}
	set, err := api.NewKeySet(keys)
	if err != nil {
		return nil, fmt.Errorf("api_keys: %w", err)
	}
	return set, nil
}

// Reload takes over the partners, agreements, issuers, keys, credentials, API keys and watched folders of cfg without a pause, and logs what it took
// over and what of the rest has changed and needs a restart. CRLs and OCSP responders are asked again. After an error everything is as before.
func (n *runningNode) Reload(cfg config.Config) error {
	credential, err := readAPICredential(cfg.Listeners.API, n.now())
	if err != nil {
		return err
	}
	keys, err := apiKeys(cfg)
	if err != nil {
		return err
	}
	recipients, err := cfg.NoticeRecipients(os.ReadFile)
	if err != nil {
		return err
	}
	if err := prepareFolders(cfg); err != nil {
		return err
	}
	if err := n.Directory.Reload(cfg.Registry()); err != nil {
		return cfg.PartnerProblems(err)
	}
	// From here on nothing can fail.
	if n.fetcher != nil {
		n.fetcher.Again()
	}
	n.current.Store(&cfg)
	n.apiKeys.Replace(keys)
	n.recipients.Store(&recipients)
	n.watcher.Replace(cfg.WatchedFolders(), cfg.Intake.Poll)
	taken := "node (with issuers, keys and credentials), partners, agreements, api_keys, intake, registry, clearance, notices.recipients, the forms of forms_dir, the codes of code_lists_dir"
	if credential != nil && n.started.Listeners.API.TLS() {
		n.apiCredential.Store(credential)
		taken += ", listeners.api.certificate_file and key_file"
	}
	n.log.Info("configuration reloaded: "+taken, "partners", len(n.Directory.Config().Partners), "agreements", len(n.Directory.Config().Agreements), "api_keys", len(cfg.APIKeys), "folders", len(cfg.Intake.Folders))
	if rest := needRestart(n.started, cfg); len(rest) > 0 {
		n.log.Warn("needs a restart: " + strings.Join(rest, ", "))
	}
	return nil
}

// needRestart names the keys, in order, that have another value than the one the process was started with and that are read at the
// start only.
func needRestart(started, now config.Config) []string {
	before, after := startOnly(started), startOnly(now)
	if started.Listeners.API.TLS() && now.Listeners.API.TLS() {
		// The credential is read again; only whether there is one is decided at the start.
		for _, key := range []string{"listeners.api.certificate_file", "listeners.api.key_file"} {
			delete(before, key)
			delete(after, key)
		}
	}
	changed := make(map[string]bool)
	for _, pair := range [][2]map[string]string{{before, after}, {after, before}} {
		for key, value := range pair[0] {
			if other, ok := pair[1][key]; !ok || other != value {
				changed[key] = true
			}
		}
	}
	if started.PartnerTLS() != now.PartnerTLS() && started.Listeners.Partner.PlainHTTP == now.Listeners.Partner.PlainHTTP {
		changed["node.keys (TLS on the partners' listener)"] = true
	}
	return slices.Sorted(maps.Keys(changed))
}

// startOnly are the values of the sections that are read at the start only.
func startOnly(cfg config.Config) map[string]string {
	values := make(map[string]string)
	for _, s := range cfg.Effective() {
		if strings.HasPrefix(s.Key, "notices.recipients") {
			continue
		}
		switch section, _, _ := strings.Cut(s.Key, "."); section {
		case "listeners", "store", "delivery", "limits", "paper", "log", "notices":
			values[s.Key] = s.Value
		case "clearance":
			if strings.HasPrefix(s.Key, "clearance.customs_system.") {
				values[s.Key] = s.Value
			}
		}
	}
	return values
}
