package config

import (
	"fmt"
	"net"
	"net/url"
	"regexp"
	"slices"
	"time"
)

// CustomsSystem is where declarations go with their certificates. It is read at the start.
type CustomsSystem struct {
	// By is how parcels get there; without it they are kept until the customs system fetches them.
	By CustomsWay `yaml:"by"`
	// AllowPrivate lets http and sftp dial addresses that are not public, beside those of node.private_networks.
	AllowPrivate bool `yaml:"allow_private"`
	// Timeout bounds one delivery.
	Timeout time.Duration `yaml:"timeout"`
	// ResendAfter is when a parcel is delivered again that was not confirmed.
	ResendAfter time.Duration `yaml:"resend_after"`
	// AskEvery is the time between two looks for a confirmation, with sftp and spool.
	AskEvery time.Duration `yaml:"ask_every"`
	// BackoffMax is the longest wait after failures in a row.
	BackoffMax time.Duration `yaml:"backoff_max"`
	// Keep is how long parcels are kept after their confirmation.
	Keep  time.Duration `yaml:"keep"`
	HTTP  CustomsHTTP   `yaml:"http"`
	SFTP  CustomsSFTP   `yaml:"sftp"`
	Spool CustomsSpool  `yaml:"spool"`
}

// CustomsWay is how parcels get to the customs system.
type CustomsWay string

// The ways. What is configured for others plays no part.
const (
	CustomsFetches CustomsWay = ""
	CustomsByHTTP  CustomsWay = "http"
	CustomsBySFTP  CustomsWay = "sftp"
	CustomsBySpool CustomsWay = "spool"
)

// CustomsHTTP is a customs system that parcels are posted to.
type CustomsHTTP struct {
	URL string `yaml:"url"`
	// PlainHTTP allows a URL without TLS.
	PlainHTTP bool `yaml:"plain_http"`
	// CAFile has the CAs that the server's credential is judged by; "" for those of the system.
	CAFile string `yaml:"ca_file" path:"true"`
	// Client is what we show of ourselves in the TLS handshake; empty for nothing.
	Client TLSClient `yaml:"client"`
	// Signing is the key that signs requests; empty leaves them unsigned.
	Signing RequestSigning `yaml:"signing"`
}

// TLSClient is a client's credential: a certificate and then the intermediates, and its private key, both PEM.
type TLSClient struct {
	CertificateFile string `yaml:"certificate_file" path:"true"`
	KeyFile         string `yaml:"key_file" path:"true"`
}

// RequestSigning is the key of HTTP message signatures (RFC 9421).
type RequestSigning struct {
	KeyFile        string `yaml:"key_file" path:"true"`
	PassphraseFile string `yaml:"passphrase_file" path:"true"`
	// KeyID names the key to the receiver; "" is the SHA-256 of the public key.
	KeyID string `yaml:"key_id"`
}

// CustomsSFTP is a server that parcels are put on.
type CustomsSFTP struct {
	Address string `yaml:"address"`
	User    string `yaml:"user"`
	// KnownHostsFile is a file of OpenSSH; HostKeys are fingerprints, as in "SHA256:...". Exactly one of both says who the server is.
	KnownHostsFile string   `yaml:"known_hosts_file" path:"true"`
	HostKeys       []string `yaml:"host_keys"`
	// KeyFile, with PassphraseFile, and PasswordFile are the ways to log in; at least one.
	KeyFile        string `yaml:"key_file" path:"true"`
	PassphraseFile string `yaml:"passphrase_file" path:"true"`
	PasswordFile   string `yaml:"password_file" path:"true"`
	// Folder and ConfirmFolder are folders of the server; ConfirmFolder is Folder unless it is given.
	Folder        string `yaml:"folder"`
	ConfirmFolder string `yaml:"confirm_folder"`
	// ConfirmByRemoval: a parcel that was taken away is confirmed.
	ConfirmByRemoval bool `yaml:"confirm_by_removal"`
}

// CustomsSpool is a folder that parcels are put into.
type CustomsSpool struct {
	Folder           string `yaml:"folder" path:"folder"`
	ConfirmFolder    string `yaml:"confirm_folder" path:"folder"`
	ConfirmByRemoval bool   `yaml:"confirm_by_removal"`
}

// defaultCustoms is a customs system that fetches.
func defaultCustoms() CustomsSystem {
	return CustomsSystem{Timeout: time.Minute, ResendAfter: time.Hour, AskEvery: time.Minute, BackoffMax: 15 * time.Minute, Keep: 30 * 24 * time.Hour}
}

var fingerprintPattern = regexp.MustCompile(`^SHA256:[A-Za-z0-9+/]{43}$`)

// customsSystem judges the times, and the way that is configured.
func (l *loader) customsSystem(c CustomsSystem) {
	const at = "clearance.customs_system."
	for _, t := range []struct {
		key   string
		value time.Duration
	}{{"timeout", c.Timeout}, {"resend_after", c.ResendAfter}, {"ask_every", c.AskEvery}, {"backoff_max", c.BackoffMax}, {"keep", c.Keep}} {
		l.rules(rule{t.value < time.Second, at + t.key, "must be at least 1s"})
	}
	switch c.By {
	case CustomsFetches:
	case CustomsByHTTP:
		l.customsHTTP(at+"http", c.HTTP)
	case CustomsBySFTP:
		l.customsSFTP(at+"sftp", c.SFTP)
	case CustomsBySpool:
		l.rules(rule{c.Spool.Folder == "", at + "spool.folder", "is required by clearance.customs_system.by: spool"})
	default:
		l.rules(rule{true, at + "by", fmt.Sprintf("%q is not one of %q", c.By, []CustomsWay{CustomsByHTTP, CustomsBySFTP, CustomsBySpool})})
	}
}

func (l *loader) customsHTTP(at string, c CustomsHTTP) {
	u, err := url.Parse(c.URL)
	usable := err == nil && (u.Scheme == "https" || u.Scheme == "http") && u.Host != "" && u.User == nil && u.Fragment == ""
	l.rules(
		rule{!usable, at + ".url", fmt.Sprintf("%q is not https://host/path", c.URL)},
		rule{usable && u.Scheme == "http" && !c.PlainHTTP, at + ".url", "is not https, and parcels would travel in the clear; set plain_http: true if that is meant"},
		rule{(c.Client.CertificateFile == "") != (c.Client.KeyFile == ""), at + ".client", "takes certificate_file and key_file together"},
		rule{c.Signing.KeyFile == "" && (c.Signing.PassphraseFile != "" || c.Signing.KeyID != ""), at + ".signing", "has no key_file"},
		rule{len(c.Signing.KeyID) > 200 || !printableASCII(c.Signing.KeyID), at + ".signing.key_id", "takes at most 200 printable characters of ASCII"},
	)
}

func printableASCII(s string) bool {
	return !slices.ContainsFunc([]byte(s), func(b byte) bool { return b < ' ' || b > '~' })
}

func (l *loader) customsSFTP(at string, c CustomsSFTP) {
	_, _, err := net.SplitHostPort(c.Address)
	l.rules(
		rule{err != nil, at + ".address", fmt.Sprintf("%q is not host:port", c.Address)},
		rule{c.User == "", at + ".user", "is required"},
		rule{c.Folder == "", at + ".folder", "is required"},
		rule{(c.KnownHostsFile == "") == (len(c.HostKeys) == 0), at, "takes exactly one of known_hosts_file and host_keys: whoever answers in the server's place would get the parcels"},
		rule{c.KeyFile == "" && c.PasswordFile == "", at, "takes key_file or password_file"},
		rule{c.PassphraseFile != "" && c.KeyFile == "", at + ".passphrase_file", "is for key_file, which is not given"},
	)
	for i, f := range c.HostKeys {
		l.rules(rule{!fingerprintPattern.MatchString(f), fmt.Sprintf("%s.host_keys[%d]", at, i), fmt.Sprintf("%q is no fingerprint as ssh-keygen -l prints it (SHA256:...)", f)})
	}
}
