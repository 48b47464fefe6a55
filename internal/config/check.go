package config

import (
	"fmt"
	"net"
	"net/url"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"time"

	"github.com/ecogate/ecogate/eco"
	"github.com/ecogate/ecogate/intake"
	"github.com/ecogate/ecogate/partners"
)

// rule is one thing that must not be so.
type rule struct {
	bad  bool
	key  string
	text string
}

func (l *loader) rules(list ...rule) {
	for _, r := range list {
		if r.bad {
			l.add(r.key, "%s", r.text)
		}
	}
}

// check judges what can be judged without opening files.
func (l *loader) check(c Config) {
	for _, p := range c.Registry().Check() {
		l.add(p.Key, "%s", p.Text)
	}
	for _, p := range c.Registry().Needs() {
		l.add(p.Key, "%s", p.Text)
	}
	l.rules(
		rule{c.Store.Dir == "", "store.dir", "is required"},
		rule{c.Store.LockTimeout <= 0, "store.lock_timeout", "must be more than 0"},
	)
	l.listeners(c)
	l.apiKeys(c.APIKeys)
	l.lookup(c.Clearance.Lookup)
	l.delivery(c)
	l.clearance(c)
	l.intake(c)
	l.limits(c)
	l.notices(c)
	l.rules(
		rule{len(c.Paper.Fonts) > MaxFonts, "paper.fonts", fmt.Sprintf("has %d entries, at most %d are allowed", len(c.Paper.Fonts), MaxFonts)},
		rule{c.Paper.VerifyURL != "" && !isWebAddress(c.Paper.VerifyURL), "paper.verify_url", fmt.Sprintf("%q is not an https or http address of at most %d characters", c.Paper.VerifyURL, maxVerifyURL)},
	)
	l.rules(
		rule{!slices.Contains([]string{"debug", "info", "warn", "error"}, c.Log.Level), "log.level", fmt.Sprintf("%q is not debug, info, warn or error", c.Log.Level)},
		rule{c.Log.Format != "json" && c.Log.Format != "text", "log.format", fmt.Sprintf("%q is not json or text", c.Log.Format)},
	)
}

func (l *loader) listeners(c Config) {
	seen := map[string]string{}
	for _, listener := range []struct{ key, address string }{
		{"listeners.partner.address", c.Listeners.Partner.Address},
		{"listeners.api.address", c.Listeners.API.Address},
		{"listeners.admin.address", c.Listeners.Admin.Address},
	} {
		port, err := portOf(listener.address)
		first, taken := seen[listener.address]
		seen[listener.address] = listener.key
		l.rules(
			rule{err != nil, listener.key, fmt.Sprintf("%q is not host:port", listener.address)},
			// Listeners are kept apart so that a firewall can tell partners, users and administration from each other.
			rule{taken && port != 0, listener.key, fmt.Sprintf("%q is %s already", listener.address, first)},
		)
	}
	partner := c.Listeners.Partner
	l.rules(
		rule{!c.PartnerTLS() && !partner.PlainHTTP && !isLoopback(partner.Address), "listeners.partner.address",
			fmt.Sprintf("%s can be reached from elsewhere, and node.keys has no key with use %s; add one, or set plain_http: true if something in front of it speaks TLS",
				partner.Address, partners.UseTLSServer)},
		// Without agreements nobody comes; with them, partners who know an https address would find plain HTTP.
		rule{len(c.Agreements) > 0 && !c.PartnerTLS() && !partner.PlainHTTP && isLoopback(partner.Address), "listeners.partner",
			fmt.Sprintf("would be plain HTTP, because node.keys has no key with use %s; add one, or set plain_http: true if that is meant", partners.UseTLSServer)},
		rule{partner.TLS.MinVersion != "1.2" && partner.TLS.MinVersion != "1.3", "listeners.partner.tls.min_version",
			fmt.Sprintf("%q is not 1.2 or 1.3", partner.TLS.MinVersion)},
		rule{partner.TLS.ClientAuth != ClientAuthRequire && partner.TLS.ClientAuth != ClientAuthNone, "listeners.partner.tls.client_auth",
			fmt.Sprintf("%q is not %s or %s", partner.TLS.ClientAuth, ClientAuthRequire, ClientAuthNone)},
	)
	for i, address := range partner.Proxy.Addresses {
		if _, err := partners.ParseNetwork(address); err != nil {
			l.add(fmt.Sprintf("listeners.partner.proxy.addresses[%d]", i), "%v", err)
		}
	}
	l.rules(rule{!headerName.MatchString(partner.Proxy.Header), "listeners.partner.proxy.client_cert_header",
		fmt.Sprintf("%q is not the name of an HTTP field", partner.Proxy.Header)})
	users, admin := c.Listeners.API, c.Listeners.Admin
	l.rules(
		rule{(users.CertificateFile == "") != (users.KeyFile == ""), "listeners.api", "takes certificate_file and key_file together"},
		rule{users.TLS() && users.PlainHTTP, "listeners.api.plain_http", "excludes certificate_file and key_file, which are there for TLS"},
		rule{!users.TLS() && !users.PlainHTTP && !isLoopback(users.Address), "listeners.api.address",
			fmt.Sprintf("%s can be reached from elsewhere, and API keys would travel in the clear; set certificate_file and key_file, or plain_http: true if something in front of it speaks TLS",
				users.Address)},
		rule{!admin.PlainHTTP && !isLoopback(admin.Address), "listeners.admin.address",
			fmt.Sprintf("%s can be reached from elsewhere, and this listener has neither TLS nor keys; set plain_http: true if the network keeps strangers away from it",
				admin.Address)},
	)
}

var headerName = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9-]{0,63}$`)

// PartnerTLS reports whether the partners' listener speaks TLS: there is a tls-server key, and plain_http is not set.
func (c Config) PartnerTLS() bool {
	hasKey := slices.ContainsFunc(c.Node.Keys, func(k partners.KeyConfig) bool { return slices.Contains(k.Uses, partners.UseTLSServer) })
	return hasKey && !c.Listeners.Partner.PlainHTTP
}

// portOf gives the port of host:port; 0 asks the system for a free one.
func portOf(address string) (uint64, error) {
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		return 0, err
	}
	return strconv.ParseUint(port, 10, 16)
}

// isLoopback reports whether the host of host:port is this machine only. What is no address is complained about elsewhere.
func isLoopback(address string) bool {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return true
	}
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// maxVerifyURL keeps the QR code of a rendition readable on paper.
const maxVerifyURL = 200

func isWebAddress(s string) bool {
	u, err := url.Parse(s)
	return err == nil && (u.Scheme == "https" || u.Scheme == "http") && u.Host != "" && len(s) <= maxVerifyURL
}

func (l *loader) intake(c Config) {
	l.rules(
		rule{c.Intake.Poll < 100*time.Millisecond, "intake.poll", "must be at least 100ms"},
		rule{c.Intake.Settle < 0, "intake.settle", "must not be negative"},
	)
	seen := map[string]int{}
	for i, f := range c.Intake.Folders {
		at := fmt.Sprintf("intake.folders[%d]", i)
		known := slices.ContainsFunc(c.Partners, func(p partners.PartnerConfig) bool { return p.ID == f.Partner })
		path := filepath.Clean(f.Path)
		first, twice := seen[path]
		seen[path] = i
		l.rules(
			rule{f.Path == "", at + ".path", "is required"},
			rule{f.Path != "" && twice, at + ".path", fmt.Sprintf("%s is that of intake.folders[%d] already", f.Path, first)},
			rule{!known, at + ".partner", fmt.Sprintf("%q is not one of partners", f.Partner)},
			rule{f.From != "" && !slices.Contains(intake.Formats(), f.From), at + ".from", fmt.Sprintf("%q is not one of %q", f.From, intake.Formats())},
		)
	}
}

const sharedKey = "is another entry's key too; each entry has its own"

var digestPattern = regexp.MustCompile(`^[0-9a-f]{64}$`)

func (l *loader) apiKeys(keys []APIKey) {
	names, digests := map[string]bool{}, map[string]bool{}
	for i, k := range keys {
		at := fmt.Sprintf("api_keys[%d]", i)
		l.rules(
			rule{k.Name == "", at + ".name", "is required"},
			rule{names[k.Name] && k.Name != "", at + ".name", fmt.Sprintf("%q stands here twice; audit records could not tell the two apart", k.Name)},
			rule{k.Name == partners.ByNode, at + ".name", fmt.Sprintf("%q is the program itself in the audit log; give the key another name", k.Name)},
			rule{k.Name == partners.ByOffline, at + ".name", fmt.Sprintf("%q is who works on the store of a stopped node in the audit log; give the key another name", k.Name)},
			rule{!slices.Contains(Roles(), k.Role), at + ".role", fmt.Sprintf("%q is not one of %q", k.Role, Roles())},
			rule{(k.KeySHA256 == "") == (k.KeyFile == ""), at, "takes exactly one of key_sha256 and key_file"},
			rule{k.KeySHA256 != "" && !digestPattern.MatchString(k.KeySHA256), at + ".key_sha256", "is not 64 lower-case hexadecimal digits"},
			rule{k.KeySHA256 != "" && digests[k.KeySHA256], at + ".key_sha256", sharedKey},
		)
		names[k.Name], digests[k.KeySHA256] = true, true
		l.parties(at, k)
	}
}

// parties judges those of an API key.
func (l *loader) parties(at string, k APIKey) {
	l.rules(
		rule{len(k.Parties) > 0 && !k.Role.HasParties(), at + ".parties", fmt.Sprintf("are for the roles %s and %s", RoleBroker, RoleImporter)},
		rule{k.Role == RoleImporter && len(k.Parties) == 0, at + ".parties", "is required for an importer: who it is"},
		rule{len(k.Parties) > MaxParties, at + ".parties", fmt.Sprintf("has %d entries; %d are the most", len(k.Parties), MaxParties)},
	)
	for i, party := range k.Parties {
		if _, err := eco.ParsePartyName(party); err != nil {
			l.rules(rule{true, fmt.Sprintf("%s.parties[%d]", at, i), err.Error()})
		}
	}
}

// lookup judges what brokers and importers may ask.
func (l *loader) lookup(k Lookup) {
	const at = "clearance.lookup."
	for _, n := range []struct {
		key         string
		value, most int
	}{
		{"per_minute", k.PerMinute, 100_000}, {"failures_per_hour", k.FailuresPerHour, 10_000}, {"batch_lines", k.BatchLines, 10_000}, {"watches", k.Watches, 100_000},
	} {
		l.rules(rule{n.value < 1 || n.value > n.most, at + n.key, fmt.Sprintf("%d is not between 1 and %d", n.value, n.most)})
	}
	for _, t := range []struct {
		key                string
		value, least, most time.Duration
	}{
		{"proof_kept", k.ProofKept, time.Minute, 366 * 24 * time.Hour}, {"floor", k.Floor, time.Millisecond, 5 * time.Second},
		{"watch_kept", k.WatchKept, time.Hour, 2 * 366 * 24 * time.Hour}, {"ask_again", k.AskAgain, time.Minute, 24 * time.Hour},
	} {
		l.rules(rule{t.value < t.least || t.value > t.most, at + t.key, fmt.Sprintf("%s is not between %s and %s", t.value, t.least, t.most)})
	}
}

func (l *loader) delivery(c Config) {
	d := c.Delivery
	for _, positive := range []struct {
		key   string
		value time.Duration
	}{
		{"poll", d.Poll}, {"connect_timeout", d.ConnectTimeout}, {"response_timeout", d.ResponseTimeout}, {"backoff_max", d.BackoffMax},
		{"breaker_pause", d.BreakerPause},
	} {
		l.rules(rule{positive.value <= 0, "delivery." + positive.key, "must be more than 0"})
	}
	l.rules(
		rule{d.Workers < 1 || d.Workers > 1024, "delivery.workers", fmt.Sprintf("%d is not between 1 and 1024", d.Workers)},
		rule{d.PerPartner < 1 || d.PerPartner > d.Workers, "delivery.per_partner", fmt.Sprintf("%d is not between 1 and workers (%d)", d.PerPartner, d.Workers)},
		// A lease that ends while its attempt still runs would have a second worker send the same message.
		rule{d.Lease <= d.ConnectTimeout+d.ResponseTimeout, "delivery.lease",
			fmt.Sprintf("%s is not longer than connect_timeout and response_timeout together (%s)", d.Lease, d.ConnectTimeout+d.ResponseTimeout)},
		rule{d.ResponseMaxBytes < 1024, "delivery.response_max_bytes", "must be at least 1KiB, or acknowledgments do not fit"},
		rule{d.BreakerFailures < 0, "delivery.breaker_failures", "must be at least 1, or 0 to turn the breaker off"},
	)
	l.minRate("delivery.min_rate", d.MinRate, c.Limits.BodyBytes)
	for i, p := range c.Partners {
		l.rules(rule{p.Concurrency > d.Workers, fmt.Sprintf("partners[%d].concurrency", i),
			fmt.Sprintf("%d is more than delivery.workers (%d)", p.Concurrency, d.Workers)})
	}
}

func (l *loader) clearance(c Config) {
	l.rules(
		rule{c.Clearance.Reservation < time.Hour, "clearance.reservation", "must be at least 1h"},
		rule{c.Clearance.WarnDays < 0 || c.Clearance.WarnDays > 365, "clearance.warn_days", fmt.Sprintf("%d is not between 0 and 365", c.Clearance.WarnDays)},
		rule{c.Clearance.EscalateTo != "officer" && c.Clearance.EscalateTo != "operator", "clearance.escalate_to", fmt.Sprintf("%q is neither officer nor operator", c.Clearance.EscalateTo)},
	)
	l.customsSystem(c.Clearance.CustomsSystem)
}

// maxTransfer is how long the largest message may take at the least rate. Beyond it the time that is added to timeouts
// protects nothing.
const maxTransfer = 24 * time.Hour

func (l *loader) minRate(key string, rate, bodyBytes int64) {
	least := max(bodyBytes-1, 0)/int64(maxTransfer/time.Second) + 1
	l.rules(
		rule{rate <= 0, key, "must be more than 0"},
		rule{rate > 0 && rate < least, key, fmt.Sprintf("%d bytes per second would let a message of limits.body_bytes (%d) take more than 24h; the least for that is %d",
			rate, bodyBytes, least)},
	)
}

func (l *loader) limits(c Config) {
	limits := c.Limits
	l.rules(
		rule{limits.BodyBytes < 1024, "limits.body_bytes", "must be at least 1KiB"},
		rule{limits.Parts < 1 || limits.Parts > partners.MaxParts, "limits.parts", fmt.Sprintf("%d is not between 1 and %d", limits.Parts, partners.MaxParts)},
		rule{limits.HeaderBytes < 256, "limits.header_bytes", "must be at least 256"},
		rule{limits.EnvelopeBytes < 1024 || limits.EnvelopeBytes > limits.BodyBytes, "limits.envelope_bytes", "must be at least 1KiB and at most limits.body_bytes"},
		rule{limits.SpillBytes < 4096, "limits.spill_bytes", "must be at least 4KiB"},
		// What is left there by a crash is removed at the next start.
		rule{limits.SpillDir != "" && filepath.Clean(limits.SpillDir) == filepath.Clean(c.Store.Dir), "limits.spill_dir", "is store.dir; temporary files need a folder of their own"},
		rule{limits.ReadTimeout <= 0, "limits.read_timeout", "must be more than 0"},
	)
	l.minRate("limits.min_rate", limits.MinRate, limits.BodyBytes)
	for i, a := range c.Agreements {
		at := fmt.Sprintf("agreements[%d]", i)
		l.rules(
			rule{a.MaxBytes > limits.BodyBytes, at + ".max_bytes",
				fmt.Sprintf("%d is more than limits.body_bytes (%d), which bounds every message", a.MaxBytes, limits.BodyBytes)},
			rule{a.MaxParts > limits.Parts, at + ".max_parts",
				fmt.Sprintf("%d is more than limits.parts (%d), which bounds every message", a.MaxParts, limits.Parts)},
		)
	}
}
