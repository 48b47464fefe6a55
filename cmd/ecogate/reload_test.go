package main

import (
	"slices"
	"strings"
	"testing"

	"github.com/ecogate/ecogate/internal/config"
)

func TestRestartIsAskedForWhatOnlyAStartReads(t *testing.T) {
	const plain = "node: {id: KR}\n"
	const withTLS = "listeners: {api: {certificate_file: a.pem, key_file: a.key}}\n"
	tests := []struct {
		name, before, after string
		want                []string
	}{
		{"nothing", "", "", nil},
		{"partners", "", "partners: [{id: TW}]\n", nil},
		{"API keys", "", "api_keys: [{name: a, role: issuer, key_file: f}]\n", nil},
		{"other credential of the API", withTLS, strings.ReplaceAll(withTLS, "a.", "b."), nil},
		{"TLS of the API", "", withTLS, []string{"listeners.api.certificate_file", "listeners.api.key_file"}},
		{"no TLS of the API", withTLS, "", []string{"listeners.api.certificate_file", "listeners.api.key_file"}},
		{"several", "log: {level: warn}\n", "listeners: {api: {address: '127.0.0.1:9'}}\nstore: {dir: elsewhere}\nlimits: {parts: 3}\n",
			[]string{"limits.parts", "limits.spill_dir", "listeners.api.address", "log.level", "store.dir"}},
		{"a value that goes", "store: {max_bytes: 1MiB}\n", "", []string{"store.max_bytes"}},
		{"TLS for partners", "", "TLS", []string{"node.keys (TLS on the partners' listener)"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			parse := func(more string) config.Config {
				text := plain + more
				if more == "TLS" {
					text = strings.Replace(plain, "KR", "KR, keys: [{uses: [tls-server], key_file: k, chain_file: c}]", 1)
				}
				cfg, _ := config.Parse("node.yaml", []byte(text), nil) // what is missing does not matter here
				return cfg
			}
			if got := needRestart(parse(test.before), parse(test.after)); !slices.Equal(got, test.want) {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}
