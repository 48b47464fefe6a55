// Package config reads a node's configuration: one YAML file, strictly, then the environment over it.
//
// It knows the shape of every section, its defaults and what can be judged without opening another file. It leaves to
// package partners what partners and agreements mean, and to the rooms that get their section what they do with it.
//
// Rules of the file:
//   - A key that no section has is an error with its line, and so is a key that is given twice or without a value.
//   - Every problem is reported, not only the first.
//   - Durations are Go durations with "d" for 24 hours ("30s", "1h30m", "7d"). Sizes are bytes, or have a unit ("25MiB").
//     Instants are RFC 3339, or a day, which means its beginning in UTC.
//   - A path is relative to the folder of the configuration file.
//   - Secrets are in files of their own, named by keys that end in _file.
//   - Anchors, aliases and merge keys of YAML are refused: what an entry says stands in the entry.
//
// Rules of the environment: key a.b is ECOGATE_A_B; an entry of a list has its index from 0 in its place
// (ECOGATE_AGREEMENTS_0_ENDPOINT) and must be in the file; a list of plain values is written with commas, an empty one as [].
//
// Read config.go (the sections), load.go and value.go (how they are filled), check.go (what is refused), effective.go (what came from where).
package config

import (
	"net/netip"
	"time"

	"github.com/ecogate/ecogate/eco"
	"github.com/ecogate/ecogate/intake"
	"github.com/ecogate/ecogate/partners"
)

// Config is a node's configuration. Every field has its value: from the environment, the file or the default.
// It belongs to who loaded it and is not changed afterwards.
type Config struct {
	Node       partners.NodeConfig        `yaml:"node"`
	Partners   []partners.PartnerConfig   `yaml:"partners"`
	Agreements []partners.AgreementConfig `yaml:"agreements"`
	Store      Store                      `yaml:"store"`
	Listeners  Listeners                  `yaml:"listeners"`
	APIKeys    []APIKey                   `yaml:"api_keys"`
	Delivery   Delivery                   `yaml:"delivery"`
	Intake     Intake                     `yaml:"intake"`
	Limits     Limits                     `yaml:"limits"`
	Paper      Paper                      `yaml:"paper"`
	Changes    Changes                    `yaml:"registry"`
	Clearance  Clearance                  `yaml:"clearance"`
	Notices    Notices                    `yaml:"notices"`
	Log        Log                        `yaml:"log"`
	// FormsDir is a folder with forms, one *.yaml file each, that replace and add to those of the program; "" for none.
	FormsDir string `yaml:"forms_dir" path:"folder"`
	// CodeListsDir is a folder with tables that add codes to the program's lists; "" for none. eco.CodesFrom tells of them.
	CodeListsDir string `yaml:"code_lists_dir" path:"folder"`

	// UBL is about the documents that certificates travel as.
	UBL UBL `yaml:"ubl"`

	// forms are those of the program with those of FormsDir and the codes of CodeListsDir.
	forms   eco.Forms
	origins map[string]Origin
}

// Store is where messages and certificates are kept.
type Store struct {
	// Dir is the folder; made if it is not there.
	Dir string `yaml:"dir" path:"folder"`
	// MaxBytes refuses new messages once the store holds so many bytes; 0 for no limit but the disk's.
	MaxBytes int64 `yaml:"max_bytes"`
	// LockTimeout is how long to wait for another process to let go of the store.
	LockTimeout time.Duration `yaml:"lock_timeout"`
}

// Listeners are the three addresses that the node listens on, apart from each other.
type Listeners struct {
	Partner PartnerListener `yaml:"partner"`
	API     APIListener     `yaml:"api"`
	Admin   AdminListener   `yaml:"admin"`
}

// APIListener is where users come, with API keys. It speaks TLS when CertificateFile and KeyFile are set; TLS tells.
type APIListener struct {
	Address string `yaml:"address"`
	// CertificateFile is the server's X.509 credential and then the intermediates, KeyFile its private key, both PEM.
	CertificateFile string `yaml:"certificate_file" path:"true"`
	KeyFile         string `yaml:"key_file" path:"true"`
	// PlainHTTP serves without TLS on an address that is not loopback, because something in front of it speaks TLS.
	PlainHTTP bool `yaml:"plain_http"`
}

// TLS reports whether the listener speaks TLS.
func (l APIListener) TLS() bool { return l.CertificateFile != "" }

// AdminListener answers anyone who reaches it, without TLS and without a key.
type AdminListener struct {
	Address string `yaml:"address"`
	// PlainHTTP allows an address that is not loopback, because the network keeps strangers away from it.
	PlainHTTP bool `yaml:"plain_http"`
}

// PartnerListener is where partners post messages. It speaks TLS with the node's tls-server key; Config.PartnerTLS tells.
type PartnerListener struct {
	Address string `yaml:"address"`
	// PlainHTTP serves without TLS, because something in front of it speaks TLS. Without it agreements need a tls-server key.
	PlainHTTP bool  `yaml:"plain_http"`
	TLS       TLS   `yaml:"tls"`
	Proxy     Proxy `yaml:"proxy"`
}

// Proxy is what speaks TLS in front of a listener that serves plain HTTP, and hands over the client's credential in a header. It plays
// no part where the listener speaks TLS itself.
type Proxy struct {
	// Addresses are the networks, or single addresses, from which the header is believed; without any it never is.
	Addresses []string `yaml:"addresses"`
	// Header is HeaderClientCert, with a value as RFC 9440 says, or the name of another, with escaped PEM.
	Header string `yaml:"client_cert_header"`
}

// HeaderClientCert is the header of RFC 9440.
const HeaderClientCert = "Client-Cert"

// Networks gives Addresses as networks.
func (p Proxy) Networks() []netip.Prefix {
	var out []netip.Prefix
	for _, text := range p.Addresses {
		if network, err := partners.ParseNetwork(text); err == nil {
			out = append(out, network)
		}
	}
	return out
}

// TLS are the settings of a TLS listener.
type TLS struct {
	// MinVersion is "1.2" or "1.3".
	MinVersion string `yaml:"min_version"`
	// ClientAuth is ClientAuthRequire or ClientAuthNone.
	ClientAuth string `yaml:"client_auth"`
}

// The values of TLS.ClientAuth.
const (
	// ClientAuthRequire refuses connections without a tls-client credential of a partner.
	ClientAuthRequire = "require"
	// ClientAuthNone asks for none; partners are known by their message signatures alone.
	ClientAuthNone = "none"
)

// APIKey lets a program or a person use the API. Exactly one of KeySHA256 and KeyFile is set.
type APIKey struct {
	// Name stands in audit records as the actor.
	Name string `yaml:"name"`
	Role Role   `yaml:"role"`
	// Parties are who the holder is or works for, each as eco.ParsePartyName reads it; roles broker and importer only.
	Parties []string `yaml:"parties"`
	// KeySHA256 is the SHA-256, in hex, of the key without the newline after it.
	KeySHA256 string `yaml:"key_sha256" secret:"true"`
	// KeyFile is a file that holds the key itself; white space around it does not count.
	KeyFile string `yaml:"key_file" path:"true"`
}

// Role is what the holder of an API key may do.
type Role string

// The roles.
const (
	RoleIssuer   Role = "issuer"   // submits issued certificates
	RoleBroker   Role = "broker"   // looks up what concerns the importers that mandated him
	RoleImporter Role = "importer" // looks up what concerns its own parties, and mandates brokers
	RoleOfficer  Role = "officer"  // looks up, reads messages
	RoleOperator Role = "operator" // runs the node
	RoleCustoms  Role = "customs"  // the customs system: looks up, takes what was declared
)

// MaxParties is the most that APIKey.Parties may have.
const MaxParties = 100

// HasParties reports whether keys of this role may state APIKey.Parties.
func (r Role) HasParties() bool { return r == RoleBroker || r == RoleImporter }

// Roles lists every role.
func Roles() []Role {
	return []Role{RoleIssuer, RoleBroker, RoleImporter, RoleOfficer, RoleOperator, RoleCustoms}
}

// Delivery paces the outbound flow.
type Delivery struct {
	// Workers is the number of concurrent deliveries; PerPartner caps those to one partner that has no Concurrency of its own.
	Workers    int `yaml:"workers"`
	PerPartner int `yaml:"per_partner"`
	// Poll is the longest wait for due work that was not announced.
	Poll time.Duration `yaml:"poll"`
	// Lease is how long one delivery may take before another worker may begin it.
	Lease           time.Duration `yaml:"lease"`
	ConnectTimeout  time.Duration `yaml:"connect_timeout"`
	ResponseTimeout time.Duration `yaml:"response_timeout"`
	// ResponseMaxBytes bounds what is read of a partner's HTTP response.
	ResponseMaxBytes int64 `yaml:"response_max_bytes"`
	// BackoffMax is the longest wait between attempts at a partner that does not answer.
	BackoffMax time.Duration `yaml:"backoff_max"`
	// BreakerFailures is how many attempts in a row at one partner get no usable HTTP answer until deliveries to it are
	// suspended, but for one probe at a time; 0 never suspends them.
	BreakerFailures int `yaml:"breaker_failures"`
	// BreakerPause is the wait before the first probe, doubled after each failed one, BackoffMax at most.
	BreakerPause time.Duration `yaml:"breaker_pause"`
	// MinRate is the rate in bytes per second below which a transfer counts as hanging: the size of the message divided by
	// it is added to ResponseTimeout and Lease.
	MinRate int64 `yaml:"min_rate"`
}

// Intake is what the node takes from folders.
type Intake struct {
	// Poll is the time between two looks at the folders.
	Poll time.Duration `yaml:"poll"`
	// Settle is how long a file must be seen unchanged before it is taken.
	Settle time.Duration `yaml:"settle"`
	// Folders are read again on SIGHUP, with the two above.
	Folders []WatchedFolder `yaml:"folders"`
}

// WatchedFolder is a folder whose files are submitted.
type WatchedFolder struct {
	Path string `yaml:"path" path:"folder"`
	// Partner is whom the certificates go to.
	Partner string `yaml:"partner"`
	// From is the format of every file; empty lets each file's name tell.
	From intake.Format `yaml:"from"`
}

// Limits bound what is read of a message from a partner.
type Limits struct {
	// BodyBytes bounds the HTTP body, Parts the MIME parts with the envelope, HeaderBytes the header of each part.
	BodyBytes     int64 `yaml:"body_bytes"`
	Parts         int   `yaml:"parts"`
	HeaderBytes   int64 `yaml:"header_bytes"`
	EnvelopeBytes int64 `yaml:"envelope_bytes"`
	// SpillBytes is the size above which content lies in a temporary file in SpillDir instead of memory.
	SpillBytes int64 `yaml:"spill_bytes"`
	// SpillDir is a folder for such files and nothing else; unless given, spill in Store.Dir.
	SpillDir string `yaml:"spill_dir" path:"folder"`
	// ReadTimeout is how long a request may take to arrive, beside its size divided by MinRate, in bytes per second.
	ReadTimeout time.Duration `yaml:"read_timeout"`
	MinRate     int64         `yaml:"min_rate"`
}

// Changes is how partners, agreements and the node's keys may be changed while the node runs.
type Changes struct {
	// SecondOperator has each change wait until another API key with RoleOperator confirms it.
	SecondOperator bool `yaml:"second_operator"`
	// PKCS11Modules are the shared libraries of tokens that keys may name which are staged while the node runs, beside those of the keys in the
	// file.
	PKCS11Modules []string `yaml:"pkcs11_modules" path:"true"`
}

// Clearance is about import declarations that cite received certificates. It is read again on SIGHUP, but for CustomsSystem.
type Clearance struct {
	// Reservation is how long what a declaration claims is kept for it before it lapses.
	Reservation time.Duration `yaml:"reservation"`
	// SecondOfficer has each decision wait until another API key with RoleOfficer confirms it.
	SecondOfficer bool `yaml:"second_officer"`
	// WarnDays is how many days before its last one the owner of a duty is warned; EscalateTo is the role that is told of one that is over.
	WarnDays   int    `yaml:"warn_days"`
	EscalateTo string `yaml:"escalate_to"`
	// CustomsSystem is where declarations go with their certificates.
	CustomsSystem CustomsSystem `yaml:"customs_system"`
	// Lookup bounds what may be asked.
	Lookup Lookup `yaml:"lookup"`
}

// Lookup bounds what brokers and importers may ask. It is read again on SIGHUP.
type Lookup struct {
	// PerMinute is how many look-ups each key may make in a minute, FailuresPerHour how many with a second factor may come to nothing in an hour.
	PerMinute       int `yaml:"per_minute"`
	FailuresPerHour int `yaml:"failures_per_hour"`
	// ProofKept is how long a certificate can be seen after its second factor was right.
	ProofKept time.Duration `yaml:"proof_kept"`
	// Floor is the time before which a look-up that finds nothing is not answered.
	Floor time.Duration `yaml:"floor"`
	// BatchLines is the most lines of one request for many look-ups, by whomever.
	BatchLines int `yaml:"batch_lines"`
	// Watches is how many open watches each key may have, WatchKept how long one waits that does not say until when.
	Watches   int           `yaml:"watches"`
	WatchKept time.Duration `yaml:"watch_kept"`
	// AskAgain is how long a partner that was asked for an unknown reference is not asked again.
	AskAgain time.Duration `yaml:"ask_again"`
}

// Paper is how certificates look as PDF.
type Paper struct {
	// Fonts are TrueType fonts, tried in their order, for names that the built-in font cannot print.
	Fonts []string `yaml:"fonts" path:"true"`
	// VerifyURL is the address in the QR code where people can check a certificate; {country}, {form}, {reference} and {sha256} in it
	// are replaced. Empty for none.
	VerifyURL string `yaml:"verify_url"`
}

// MaxFonts is the most that Paper.Fonts may have.
const MaxFonts = 8

// Log is what the node writes to standard error.
type Log struct {
	// Level is debug, info, warn or error.
	Level string `yaml:"level"`
	// Format is json or text.
	Format string `yaml:"format"`
}

// Default returns the configuration of a node about which nothing was said; it lacks what only an operator knows, and
// Limits.SpillDir, which follows Store.Dir.
func Default() Config {
	return Config{
		Store: Store{Dir: "data", LockTimeout: 5 * time.Second},
		Listeners: Listeners{
			Partner: PartnerListener{
				Address: "127.0.0.1:8443",
				TLS:     TLS{MinVersion: "1.2", ClientAuth: ClientAuthRequire},
				Proxy:   Proxy{Header: HeaderClientCert},
			},
			API:   APIListener{Address: "127.0.0.1:8080"},
			Admin: AdminListener{Address: "127.0.0.1:8081"},
		},
		Delivery: Delivery{
			Workers: 8, PerPartner: 4, Poll: time.Second, Lease: 2 * time.Minute,
			ConnectTimeout: 10 * time.Second, ResponseTimeout: time.Minute, ResponseMaxBytes: 1 << 20, BackoffMax: time.Hour,
			BreakerFailures: 5, BreakerPause: 30 * time.Second, MinRate: 64 << 10,
		},
		Clearance: Clearance{
			Reservation: 30 * 24 * time.Hour, WarnDays: 7, EscalateTo: "operator", CustomsSystem: defaultCustoms(),
			Lookup: Lookup{
				PerMinute: 120, FailuresPerHour: 20, ProofKept: 30 * 24 * time.Hour, Floor: 25 * time.Millisecond, BatchLines: 1000,
				Watches: 1000, WatchKept: 180 * 24 * time.Hour, AskAgain: 10 * time.Minute,
			},
		},
		Intake: Intake{Poll: 2 * time.Second, Settle: 5 * time.Second},
		Limits: Limits{
			BodyBytes: 25 << 20, Parts: 100, HeaderBytes: 16 << 10, EnvelopeBytes: 1 << 20, SpillBytes: 1 << 20,
			ReadTimeout: time.Minute, MinRate: 64 << 10,
		},
		Notices: defaultNotices(),
		Log:     Log{Level: "info", Format: "text"},
	}
}

// WatchedFolders are the folders in the form that package intake takes.
func (c Config) WatchedFolders() []intake.Folder {
	out := make([]intake.Folder, len(c.Intake.Folders))
	for i, f := range c.Intake.Folders {
		out[i] = intake.Folder{Path: f.Path, Partner: f.Partner, Format: f.From, Settle: c.Intake.Settle}
	}
	return out
}

// Registry is the part that package partners reads.
func (c Config) Registry() partners.Config {
	return partners.Config{Node: c.Node, Partners: c.Partners, Agreements: c.Agreements, Forms: c.forms, SecondOperator: c.Changes.SecondOperator, Modules: c.Changes.PKCS11Modules, Rest: c.beside}
}

// beside judges another Registry with the rest of c.
func (c Config) beside(r partners.Config) []partners.Problem {
	c.Node, c.Partners, c.Agreements = r.Node, r.Partners, r.Agreements
	l := new(loader)
	l.check(c)
	var out []partners.Problem
	for _, p := range l.problems {
		out = append(out, partners.Problem{Key: p.Key, Text: p.Text})
	}
	return out
}

// Forms are the forms that the node knows.
func (c Config) Forms() eco.Forms { return c.forms }

// UBL is about the documents that certificates travel as.
type UBL struct {
	// SchemaDir is a folder with the schemas of OASIS, a folder of each version below it, that documents are validated against;
	// "" leaves it at the program's own tables.
	SchemaDir string `yaml:"schema_dir" path:"folder"`
}
