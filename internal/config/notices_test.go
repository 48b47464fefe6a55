package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ecogate/ecogate/clearance/notice"
)

// noticesOf loads a configuration with a section of notices.
func noticesOf(t *testing.T, section string) (Config, error) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "node.yaml")
	text := `node: {id: kr, country: KR, party_ids: [{type: x, value: "1"}]}
api_keys: [{name: broker, role: broker, key_file: k}, {name: issuer, role: issuer, key_file: i}]
partners: []
notices: ` + section + "\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return Load(file, nil)
}

func TestNoticesThatCannotWorkAreRefused(t *testing.T) {
	mail := "{host: 127.0.0.1, from: eco@customs.example}"
	recipient := func(rest string) string { return "{mail: " + mail + ", recipients: [{name: a, " + rest + "}]}" }
	for _, c := range []struct{ name, section, want string }{
		{"nothing", "{max_queue: 10}", ""},
		{"mail", "{mail: " + mail + "}", ""},
		{"importer", recipient("audience: importer, email: a@b.example, parties: ['TAX:1'], digest: daily, language: ko, events: [certificate.arrived]"), ""},
		{"broker", recipient("audience: broker, email: a@b.example, api_key: broker"), ""},
		{"issuing body", recipient("audience: issuing-body, webhook: 'https://a.example/', secret_file: s, issuing_bodies: [KCCI]"), ""},
		{"time of day", "{digest_at: '24:00'}", "notices.digest_at"},
		{"short time of day", "{digest_at: '9:00'}", "notices.digest_at"},
		{"no window", "{suppress: 0s}", "notices.suppress"},
		{"longest wait shorter than the first", "{retry_first: 2h}", "notices.retry_max"},
		{"no queue", "{max_queue: 0}", "notices.max_queue"},
		{"no refusals", "{refusals: 0}", "notices.refusals"},
		{"long timeout", "{webhooks: {timeout: 2m}}", "notices.webhooks.timeout"},
		{"mail without host", "{mail: {from: eco@customs.example}}", "notices.mail.host"},
		{"mail without sender", "{mail: {host: mail.example}}", "notices.mail.from"},
		{"mail in the clear", "{mail: {host: mail.example, from: a@b.example, security: none}}", "notices.mail.security"},
		{"unknown security", "{mail: {host: mail.example, from: a@b.example, security: tls}}", "notices.mail.security"},
		{"password in the clear", "{mail: {host: 127.0.0.1, from: a@b.example, security: none, auth: plain, user: u, password_file: p}}", "notices.mail.auth"},
		{"auth without user", "{mail: {host: mail.example, from: a@b.example, auth: any}}", "notices.mail.auth"},
		{"user without auth", "{mail: {host: mail.example, from: a@b.example, user: u}}", "notices.mail.auth"},
		{"unknown auth", "{mail: {host: mail.example, from: a@b.example, auth: cram-md5, user: u, password_file: p}}", "notices.mail.auth"},
		{"unsubscribing in the clear", "{mail: {host: mail.example, from: a@b.example, unsubscribe_url: 'http://a.example'}}", "notices.mail.unsubscribe_url"},
		{"no name", "{mail: " + mail + ", recipients: [{audience: operator, email: a@b.example}]}", "recipients[0].name"},
		{"name of a subscription", "{mail: " + mail + ", recipients: [{name: sub-a, audience: operator, email: a@b.example}]}", "recipients[0].name"},
		{"name twice", "{mail: " + mail + ", recipients: [{name: a, audience: operator, email: a@b.example}, {name: a, audience: operator, email: a@b.example}]}", "recipients[1].name"},
		{"no audience", recipient("email: a@b.example"), "recipients[0].audience"},
		{"neither", recipient("audience: operator"), "exactly one of email and webhook"},
		{"both", recipient("audience: operator, email: a@b.example, webhook: 'https://a.example/', secret_file: s"), "exactly one of email and webhook"},
		{"address", recipient("audience: operator, email: 'A <a@b.example>'"), "recipients[0].email"},
		{"webhook without secret", recipient("audience: operator, webhook: 'https://a.example/'"), "recipients[0].secret_file"},
		{"webhook in the clear", recipient("audience: operator, webhook: 'http://a.example/', secret_file: s"), "recipients[0].webhook"},
		{"another's event", recipient("audience: operator, email: a@b.example, events: [certificate.arrived]"), "recipients[0].events[0]"},
		{"digest", recipient("audience: operator, email: a@b.example, digest: weekly"), "recipients[0].digest"},
		{"parties of an operator", recipient("audience: operator, email: a@b.example, parties: ['TAX:1']"), "recipients[0].parties"},
		{"party", recipient("audience: importer, email: a@b.example, parties: [x]"), "recipients[0].parties[0]"},
		{"key that is no broker's", recipient("audience: broker, email: a@b.example, api_key: issuer"), "recipients[0].api_key"},
		{"bodies of a broker", recipient("audience: broker, email: a@b.example, issuing_bodies: [X]"), "recipients[0].issuing_bodies"},
		{"unknown partner", recipient("audience: operator, email: a@b.example, partners: [xx]"), "recipients[0].partners[0]"},
	} {
		_, err := noticesOf(t, c.section)
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
		}
	}
}

func TestRecipientsHaveTheSecretsOfTheirFiles(t *testing.T) {
	cfg, err := noticesOf(t, "{recipients: [{name: a, audience: operator, webhook: 'https://a.example/', secret_file: a}, {name: b, audience: operator, webhook: 'https://b.example/', secret_file: b}]}")
	if err != nil {
		t.Fatal(err)
	}
	read := func(file string) ([]byte, error) {
		if filepath.Base(file) == "a" {
			return []byte(notice.SecretText(make([]byte, 32)) + "\n" + notice.SecretText(make([]byte, 24))), nil
		}
		return []byte("secret"), nil
	}
	list, err := cfg.NoticeRecipients(read)
	if err == nil || !strings.Contains(err.Error(), "notices.recipients[1].secret_file: line 1: want whsec_") {
		t.Errorf("a file that holds none: %v", err)
	}
	if len(list) != 1 || len(list[0].Secrets) != 2 || list[0].URL != "https://a.example/" {
		t.Errorf("recipients %+v", list)
	}
}
