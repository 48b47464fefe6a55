package config_test

import (
	"strings"
	"testing"

	"github.com/ecogate/ecogate/internal/config"
)

func TestCheckRefusesWhatCannotWork(t *testing.T) {
	digest := strings.Repeat("0f", 32)
	tls := "  keys: [{uses: [tls-server], key_file: k, chain_file: c}]\n"
	// An agreement that asks for no keys.
	unsigned := `partners: [{id: tw, country: TW, party_ids: [{value: 'urn:tw'}], anchor_files: [a]}]
agreements: [{cpa_id: a, partner: tw, forms: [ATIGA-D], service: {value: 'urn:s'}, action: a, endpoint: 'http://127.0.0.1/', signature_required: false, ack_signed: false}]
`
	tests := []struct {
		name string
		more string // after small, from line 6
		want string // "" if allowed
	}{
		{"no store", `store: {dir: ""}`, "node.yaml:6: store.dir: is required"},
		{"no wait for the store", "store: {lock_timeout: 0s}", "node.yaml:6: store.lock_timeout: must be more than 0"},
		{"address without port", "listeners: {api: {address: localhost}}", `node.yaml:6: listeners.api.address: "localhost" is not host:port`},
		{"address with a port by name", "listeners: {api: {address: 'localhost:http'}}", "node.yaml:6: listeners.api.address"},
		{"port above the range", "listeners: {admin: {address: 'localhost:65536'}}", "node.yaml:6: listeners.admin.address"},
		{"two listeners on one address", "listeners: {admin: {address: '127.0.0.1:8080'}}", `node.yaml:6: listeners.admin.address: "127.0.0.1:8080" is listeners.api.address already`},
		{"free ports", "listeners: {partner: {address: '127.0.0.1:0'}, api: {address: '127.0.0.1:0'}, admin: {address: '127.0.0.1:0'}}", ""},
		{"partners without TLS", "listeners: {partner: {address: ':8443'}}", "node.yaml:6: listeners.partner.address: :8443 can be reached from elsewhere"},
		{"partners without TLS on every address", "listeners: {partner: {address: '0.0.0.0:8443'}}", "node.yaml:6: listeners.partner.address"},
		{"partners without TLS, meant so", "listeners: {partner: {address: ':8443', plain_http: true}}", ""},
		{"partners without TLS on loopback, nobody comes", "listeners: {partner: {address: '[::1]:8443'}}", ""},
		{"partners without TLS on loopback", unsigned + "listeners: {partner: {address: '[::1]:8443'}}", "node.yaml:8: listeners.partner: would be plain HTTP, because node.keys has no key with use tls-server; add one, or set plain_http: true"},
		{"partners without TLS on loopback, by default", unsigned, "node.yaml: listeners.partner: would be plain HTTP"},
		{"partners without TLS on loopback, meant so", unsigned + "listeners: {partner: {address: '[::1]:8443', plain_http: true}}", ""},
		{"partners with TLS on loopback", tls + unsigned, ""},
		{"partners with TLS", tls + "listeners: {partner: {address: ':8443'}}", ""},
		{"users without TLS", "listeners: {api: {address: ':8080'}}", "node.yaml:6: listeners.api.address: :8080 can be reached from elsewhere, and API keys would travel in the clear"},
		{"users without TLS on an address by name", "listeners: {api: {address: 'gateway.example:8080'}}", "node.yaml:6: listeners.api.address: gateway.example:8080 can"},
		{"users without TLS, meant so", "listeners: {api: {address: ':8080', plain_http: true}}", ""},
		{"users without TLS on loopback", "listeners: {api: {address: 'localhost:8080'}}", ""},
		{"users with TLS", "listeners: {api: {address: ':8080', certificate_file: c, key_file: k}}", ""},
		{"users with TLS that is not meant", "listeners: {api: {certificate_file: c, key_file: k, plain_http: true}}", "node.yaml:6: listeners.api.plain_http: excludes certificate_file"},
		{"users' credential without key", "listeners: {api: {certificate_file: c}}", "node.yaml:6: listeners.api: takes certificate_file and key_file together"},
		{"users' key without credential", "listeners: {api: {key_file: k}}", "node.yaml:6: listeners.api: takes certificate_file and key_file together"},
		{"administration from elsewhere", "listeners: {admin: {address: '0.0.0.0:8081'}}", "node.yaml:6: listeners.admin.address: 0.0.0.0:8081 can be reached from elsewhere, and this listener has neither"},
		{"administration from elsewhere, meant so", "listeners: {admin: {address: '0.0.0.0:8081', plain_http: true}}", ""},
		{"TLS version", "listeners: {partner: {tls: {min_version: '1.1'}}}", `node.yaml:6: listeners.partner.tls.min_version: "1.1" is not`},
		{"TLS clients", "listeners: {partner: {tls: {client_auth: optional}}}", `node.yaml:6: listeners.partner.tls.client_auth: "optional" is not`},

		{"API key without name", "api_keys: [{role: issuer, key_file: f}]", "node.yaml:6: api_keys[0].name: is required"},
		{"API key without role", "api_keys: [{name: a, key_file: f}]", "node.yaml:6: api_keys[0].role"},
		{"API key with an unknown role", "api_keys: [{name: a, role: root, key_file: f}]", `node.yaml:6: api_keys[0].role: "root"`},
		{"API key without key", "api_keys: [{name: a, role: broker}]", "node.yaml:6: api_keys[0]: takes exactly one"},
		{"API key given twice", "api_keys: [{name: a, role: broker, key_file: f, key_sha256: " + digest + "}]", "node.yaml:6: api_keys[0]: takes exactly one"},
		{"API key in clear", "api_keys: [{name: a, role: officer, key_sha256: secret}]", "node.yaml:6: api_keys[0].key_sha256: is not 64"},
		{"two API keys of one name", "api_keys: [{name: a, role: operator, key_file: f}, {name: a, role: issuer, key_file: g}]", `node.yaml:6: api_keys[1].name: "a" stands here twice`},
		{"one API key under two names", "api_keys: [{name: a, role: operator, key_sha256: " + digest + "}, {name: b, role: issuer, key_sha256: " + digest + "}]", "node.yaml:6: api_keys[1].key_sha256: is another"},

		{"broker with parties", "api_keys: [{name: a, role: broker, key_file: f, parties: ['TAX:1', 'name: Acme Ltd.']}]", ""},
		{"broker without parties", "api_keys: [{name: a, role: broker, key_file: f}]", ""},
		{"customs system", "api_keys: [{name: a, role: customs, key_file: f}]", ""},
		{"officer with parties", "api_keys: [{name: a, role: officer, key_file: f, parties: ['TAX:1']}]", "node.yaml:6: api_keys[0].parties: are for the roles broker and importer"},
		{"importer without parties", "api_keys: [{name: a, role: importer, key_file: f}]", "node.yaml:6: api_keys[0].parties: is required for an importer"},
		{"party without scheme", "api_keys: [{name: a, role: importer, key_file: f, parties: [Acme]}]", `node.yaml:6: api_keys[0].parties[0]: party "Acme" is not written SCHEME:VALUE`},

		{"no look-ups", "clearance: {lookup: {per_minute: 0}}", "node.yaml:6: clearance.lookup.per_minute: 0 is not between 1 and 100000"},
		{"answers without floor", "clearance: {lookup: {floor: 0s}}", "node.yaml:6: clearance.lookup.floor: 0s is not between 1ms and 5s"},
		{"proofs for ever", "clearance: {lookup: {proof_kept: 367d}}", "node.yaml:6: clearance.lookup.proof_kept"},
		{"many lines", "clearance: {lookup: {batch_lines: 10001}}", "node.yaml:6: clearance.lookup.batch_lines"},
		{"customs system by pigeon", `clearance: {customs_system: {by: pigeon}}`, `node.yaml:6: clearance.customs_system.by: "pigeon" is not one of`},
		{"customs system without times", `clearance: {customs_system: {timeout: 0s}}`, `node.yaml:6: clearance.customs_system.timeout: must be at least 1s`},
		{"customs system by HTTP", `clearance: {customs_system: {by: http, http: {url: 'https://customs.example/'}}}`, ""},
		{"customs system by HTTP without an address", `clearance: {customs_system: {by: http}}`, `node.yaml:6: clearance.customs_system.http.url: "" is not https://host/path`},
		{"customs system in the clear", `clearance: {customs_system: {by: http, http: {url: 'http://customs.example/'}}}`, `node.yaml:6: clearance.customs_system.http.url: is not https`},
		{"customs system in the clear, meant so", `clearance: {customs_system: {by: http, http: {url: 'http://customs.example/', plain_http: true}}}`, ""},
		{"customs system with half a credential", `clearance: {customs_system: {by: http, http: {url: 'https://customs.example/', client: {key_file: k}}}}`, `node.yaml:6: clearance.customs_system.http.client: takes certificate_file and key_file together`},
		{"customs system with the name of no key", `clearance: {customs_system: {by: http, http: {url: 'https://customs.example/', signing: {key_id: k}}}}`, `node.yaml:6: clearance.customs_system.http.signing: has no key_file`},
		{"customs system with a key's name that is none", `clearance: {customs_system: {by: http, http: {url: 'https://customs.example/', signing: {key_file: k, key_id: 'é'}}}}`, `node.yaml:6: clearance.customs_system.http.signing.key_id: takes`},
		{"customs system by SFTP", `clearance: {customs_system: {by: sftp, sftp: {address: 'a:22', user: u, folder: f, known_hosts_file: k, key_file: k}}}`, ""},
		{"customs system by SFTP with nothing said", `clearance: {customs_system: {by: sftp}}`, `node.yaml:6: clearance.customs_system.sftp.address: "" is not host:port`},
		{"customs system by SFTP of any server", `clearance: {customs_system: {by: sftp, sftp: {address: 'a:22', user: u, folder: f, key_file: k}}}`, `node.yaml:6: clearance.customs_system.sftp: takes exactly one of known_hosts_file and host_keys`},
		{"customs system by SFTP with a fingerprint", `clearance: {customs_system: {by: sftp, sftp: {address: 'a:22', user: u, folder: f, host_keys: ["SHA256:uNiVztksCsDhcc0u9e8BrrQZRyKbBLQjvtT6bF8Q3Ms"], password_file: p}}}`, ""},
		{"customs system by SFTP with a fingerprint of MD5", `clearance: {customs_system: {by: sftp, sftp: {address: 'a:22', user: u, folder: f, host_keys: ['MD5:00'], password_file: p}}}`, `node.yaml:6: clearance.customs_system.sftp.host_keys[0]: "MD5:00" is no fingerprint`},
		{"customs system by SFTP without a way to log in", `clearance: {customs_system: {by: sftp, sftp: {address: 'a:22', user: u, folder: f, known_hosts_file: k}}}`, `node.yaml:6: clearance.customs_system.sftp: takes key_file or password_file`},
		{"customs system by SFTP with a passphrase of nothing", `clearance: {customs_system: {by: sftp, sftp: {address: 'a:22', user: u, folder: f, known_hosts_file: k, password_file: p, passphrase_file: p}}}`, `node.yaml:6: clearance.customs_system.sftp.passphrase_file: is for key_file`},
		{"customs system without a spool", `clearance: {customs_system: {by: spool}}`, `node.yaml:6: clearance.customs_system.spool.folder: is required`},
		{"customs system with a spool", `clearance: {customs_system: {by: spool, spool: {folder: f}}}`, ""},

		{"no workers", "delivery: {workers: 0}", "node.yaml:6: delivery.workers"},
		{"more per partner than workers", "delivery: {workers: 2, per_partner: 3}", "node.yaml:6: delivery.per_partner: 3 is not between 1 and workers (2)"},
		{"poll without end", "delivery: {poll: 0s}", "node.yaml:6: delivery.poll"},
		{"no backoff", "delivery: {backoff_max: -1s}", "node.yaml:6: delivery.backoff_max"},
		{"breaker turned off", "delivery: {breaker_failures: 0}", ""},
		{"breaker below 0", "delivery: {breaker_failures: -1}", "node.yaml:6: delivery.breaker_failures: must be at least 1, or 0"},
		{"breaker without pause", "delivery: {breaker_pause: 0s}", "node.yaml:6: delivery.breaker_pause: must be more than 0"},
		{"no least rate", "delivery: {min_rate: 0}", "node.yaml:6: delivery.min_rate: must be more than 0"},
		{"more to one partner than workers", "partners: [{id: tw, country: TW, party_ids: [{value: 'urn:tw'}], anchor_files: [a], concurrency: 9}]", "node.yaml:6: partners[0].concurrency: 9 is more than delivery.workers (8)"},
		{"all workers to one partner", "partners: [{id: tw, country: TW, party_ids: [{value: 'urn:tw'}], anchor_files: [a], concurrency: 8}]", ""},
		{"least rate that lets a message take a day", "limits: {body_bytes: 86400000, min_rate: 1000}", ""},
		{"least rate that lets a message take longer", "limits: {body_bytes: 86400000, min_rate: 999}", "node.yaml:6: limits.min_rate: 999 bytes per second would let a message of limits.body_bytes (86400000) take more than 24h; the least for that is 1000"},
		{"least rate of requests", "limits: {min_rate: 0}", "node.yaml:6: limits.min_rate: must be more than 0"},
		{"lease as long as the timeouts", "delivery: {lease: 70s}", "node.yaml:6: delivery.lease: 1m10s is not longer than connect_timeout and response_timeout together (1m10s)"},
		{"lease longer than the timeouts", "delivery: {lease: 71s}", ""},
		{"responses too small", "delivery: {response_max_bytes: 1023}", "node.yaml:6: delivery.response_max_bytes"},
		{"no body", "limits: {body_bytes: 0}", "node.yaml:6: limits.body_bytes"},
		{"no parts", "limits: {parts: 0}", "node.yaml:6: limits.parts: 0 is not between 1 and 1024"},
		{"most parts", "limits: {parts: 1024}", ""},
		{"too many parts", "limits: {parts: 1025}", "node.yaml:6: limits.parts: 1025 is not"},
		{"least to spill", "limits: {spill_bytes: 4KiB}", ""},
		{"too little to spill", "limits: {spill_bytes: 4095}", "node.yaml:6: limits.spill_bytes: must be at least 4KiB"},
		{"spill among the store's files", "limits: {spill_dir: x/../data}", "node.yaml:6: limits.spill_dir: is store.dir"},
		{"no part header", "limits: {header_bytes: 255}", "node.yaml:6: limits.header_bytes"},
		{"envelope above the body", "limits: {body_bytes: 1MiB, envelope_bytes: 1025KiB}", "node.yaml:6: limits.envelope_bytes"},
		{"no time to read", "limits: {read_timeout: 0s}", "node.yaml:6: limits.read_timeout"},
		{"log level", "log: {level: trace}", `node.yaml:6: log.level: "trace" is not`},
		{"log format", "log: {format: xml}", `node.yaml:6: log.format: "xml" is not`},
		{"a rule of partners", "partners: [{id: tw, country: tw, party_ids: [{value: 'urn:tw'}], anchor_files: [a]}]", `node.yaml:6: partners[0].country: "tw" is not a country`},
		{"a missing key of partners", "partners: [{id: tw, country: TW, party_ids: [{value: 'urn:tw'}]}]", "node.yaml:6: partners[0].anchor_files: is required"},
		{"an agreement that nobody can sign under", strings.Replace(unsigned, "signature_required: false, ", "", 1), "node.yaml:3: node.keys: has no key with use message-signature"},
		{"agreement above the limit", `partners: [{id: tw, country: TW, party_ids: [{value: 'urn:tw'}], anchor_files: [a]}]
agreements: [{cpa_id: a, partner: tw, forms: [ATIGA-D], service: {value: 'urn:s'}, action: a, endpoint: 'https://a.example/', max_bytes: 26MiB}]`, "node.yaml:7: agreements[0].max_bytes"},
		{"agreement above the limit of parts", unsigned[:len(unsigned)-3] + ", max_parts: 101}]\nlisteners: {partner: {plain_http: true}}", "node.yaml:7: agreements[0].max_parts: 101 is more than limits.parts (100)"},
		{"agreement with all parts", unsigned[:len(unsigned)-3] + ", max_parts: 100}]\nlisteners: {partner: {plain_http: true}}", ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := config.Parse("node.yaml", []byte(small+test.more+"\n"), nil)
			if test.want != "" {
				wantProblem(t, err, test.want)
			} else if err != nil {
				t.Errorf("refused: %v", err)
			}
		})
	}
}

func TestPartnerListenerSpeaksTLSWithItsKey(t *testing.T) {
	key := "  keys: [{uses: [tls-server], key_file: k, chain_file: c}]\n"
	for _, test := range []struct {
		more string
		want bool
	}{
		{"", false}, {key, true}, {key + "listeners: {partner: {plain_http: true}}\n", false}, {strings.Replace(key, "server", "client", 1), false},
	} {
		if got := load(t, test.more).PartnerTLS(); got != test.want {
			t.Errorf("PartnerTLS with %q is %t", test.more, got)
		}
	}
}
