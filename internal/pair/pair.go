// Package pair makes two administrations that can exchange certificates of origin on one machine: for each a national PKI,
// the keys and credentials of its node and of its issuing bodies, API keys, and a configuration file that names the other as its partner.
// The demonstration, the benchmark and the tests that need two real nodes start from it.
//
// What it writes is an ordinary installation: `ecogate serve --config` runs either side.
package pair

import (
	"bytes"
	"crypto/rand"
	_ "embed"
	"encoding/base64"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"text/template"
	"time"

	"github.com/ecogate/ecogate/internal/pkitest"
)

//go:embed config.yaml.tmpl
var configText string

// Options say how the two nodes differ from the ordinary. The zero value is the demonstration's.
type Options struct {
	// Algorithm is that of all signing keys; zero for RSA-2048.
	Algorithm pkitest.Algorithm
	// PlainHTTP leaves out TLS between the nodes.
	PlainHTTP bool
	// SyncReply is the agreement's syncReplyMode; empty for none.
	SyncReply string
	// Ordered has the agreement guarantee the order of messages; not together with SyncReply.
	Ordered bool
	// Retries and RetryInterval are the agreement's; zero for 10 and 1 minute.
	Retries       int
	RetryInterval time.Duration
	// BodyBytes is the size of a message that either node takes, with as many parts as can be; zero for the defaults.
	BodyBytes int64
	// Workers is the number of concurrent deliveries of each node; zero for 8.
	Workers int
	// Keys makes the keys; nil for fresh ones.
	Keys pkitest.KeySource
}

// Side is one administration.
type Side struct {
	// ID is the node's id, "KR" or "TW".
	ID string
	// Dir holds everything of this side; ConfigFile is the node's configuration.
	Dir, ConfigFile string
	// PartnerAddress, APIAddress and AdminAddress are the listeners of the configuration, "127.0.0.1:port".
	PartnerAddress, APIAddress, AdminAddress string
}

// KeyFile is the file with an API key: issuer, broker, officer, operator, importer or customs, by the role, or forwarder, a broker for nobody.
func (s Side) KeyFile(role string) string {
	return filepath.Join(s.Dir, "api-keys", role+".key")
}

// Keys are the API keys that each side has; KeyFile is where.
var Keys = []string{"issuer", "broker", "officer", "operator", "importer", "forwarder", "customs"}

// Pair is two administrations that are each other's partner.
type Pair struct{ KR, TW Side }

// body is an issuing body of a side.
type body struct {
	ID, Name, Country string
	Forms             []string
}

// country is what the configuration of a side says of it, for itself and for its partner.
type country struct {
	Side
	Name, Organisation, PartyID, Role string
	Bodies                            []body
	Scheme                            string
}

// Make writes both sides under dir, in the folders "kr" and "tw". A side that is already there is left as it is.
func Make(dir string, o Options) (Pair, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return Pair{}, fmt.Errorf("folder of the two nodes: %w", err)
	}
	kr := country{
		Name: "Korea e-CO hub", Organisation: "Demonstration Korea", PartyID: "KR-HUB", Role: "urn:ecogate:role:exporting-administration",
		Bodies: []body{
			{ID: "KCCI", Name: "Korea Chamber of Commerce and Industry", Country: "KR", Forms: []string{"NON-PREFERENTIAL"}},
			{ID: "MOIC", Name: "Ministry of Industry and Commerce", Country: "LA", Forms: []string{"ATIGA-D", "LA-GSP-A"}},
		},
	}
	tw := country{
		Name: "Taiwan customs e-CO hub", Organisation: "Demonstration Taiwan", PartyID: "TW-HUB", Role: "urn:ecogate:role:importing-administration",
		Bodies: []body{{ID: "BOFT", Name: "Bureau of Foreign Trade", Country: "TW", Forms: []string{"NON-PREFERENTIAL"}}},
	}
	for _, c := range []struct {
		country *country
		id, dir string
	}{{&kr, "KR", "kr"}, {&tw, "TW", "tw"}} {
		c.country.Side = Side{ID: c.id, Dir: filepath.Join(dir, c.dir)}
		c.country.ConfigFile = filepath.Join(c.country.Dir, "config.yaml")
		c.country.Scheme = "https"
		if o.PlainHTTP {
			c.country.Scheme = "http"
		}
	}
	if o.Algorithm == "" {
		o.Algorithm = pkitest.RSA2048
	}
	if _, err := os.Stat(kr.ConfigFile); err == nil {
		return reopen(kr.Side, tw.Side)
	}
	return write(&kr, &tw, o)
}

func write(kr, tw *country, o Options) (Pair, error) {
	addresses, err := freeAddresses(6)
	if err != nil {
		return Pair{}, err
	}
	for i, c := range []*country{kr, tw} {
		c.PartnerAddress, c.APIAddress, c.AdminAddress = addresses[3*i], addresses[3*i+1], addresses[3*i+2]
		if err := c.writeKeys(o); err != nil {
			return Pair{}, fmt.Errorf("keys of %s: %w", c.ID, err)
		}
		if err := saveAddresses(c.Side); err != nil {
			return Pair{}, err
		}
	}
	// KR's configuration is written last: its presence says that both sides are complete.
	if err := tw.writeConfig(kr, o); err != nil {
		return Pair{}, err
	}
	if err := kr.writeConfig(tw, o); err != nil {
		return Pair{}, err
	}
	return Pair{KR: kr.Side, TW: tw.Side}, nil
}

// writeKeys makes the side's PKI and everything that it issues, and the API keys.
func (c *country) writeKeys(o Options) error {
	pki, err := pkitest.New(pkitest.Options{Country: c.ID, Organisation: c.Organisation, Keys: o.Keys})
	if err != nil {
		return err
	}
	folder := filepath.Join(c.Dir, "pki")
	if _, err := pki.Root.WriteCredential(folder, "root"); err != nil {
		return err
	}
	if _, err := pki.Issuing.WriteCredential(folder, "issuing"); err != nil {
		return err
	}
	// With it whoever tries the node out can have further credentials issued.
	if _, err := pki.Issuing.WriteKey(folder, "issuing"); err != nil {
		return err
	}
	requests := map[string]pkitest.Request{
		"node":        {Name: c.Name, Use: pkitest.MessageSignature, Algorithm: o.Algorithm},
		"tls-server":  {Name: c.Name + " server", Use: pkitest.TLSServer, Hosts: []string{"127.0.0.1", "localhost"}},
		"tls-client":  {Name: c.Name + " client", Use: pkitest.TLSClient},
		"issuer-list": {Name: c.Name + " list of issuers", Use: pkitest.IssuerList},
	}
	for _, b := range c.Bodies {
		requests["body-"+b.ID] = pkitest.Request{Name: b.Name, Use: pkitest.DocumentSignature, Algorithm: o.Algorithm}
	}
	for name, request := range requests {
		credential, err := pki.Issue(request)
		if err != nil {
			return err
		}
		if _, err := credential.WriteCredential(folder, name); err != nil {
			return err
		}
		if _, err := credential.WriteKey(folder, name); err != nil {
			return err
		}
	}
	return c.writeAPIKeys()
}

func (c *country) writeAPIKeys() error {
	if err := os.MkdirAll(filepath.Join(c.Dir, "api-keys"), 0o700); err != nil {
		return fmt.Errorf("API keys: %w", err)
	}
	for _, role := range Keys {
		secret := make([]byte, 24)
		if _, err := rand.Read(secret); err != nil {
			return fmt.Errorf("API key: %w", err)
		}
		text := base64.RawURLEncoding.EncodeToString(secret) + "\n"
		if err := os.WriteFile(c.KeyFile(role), []byte(text), 0o600); err != nil {
			return fmt.Errorf("API key: %w", err)
		}
	}
	return nil
}

func (c *country) writeConfig(partner *country, o Options) error {
	t, err := template.New("config").Parse(configText)
	if err != nil {
		return fmt.Errorf("configuration of %s: %w", c.ID, err)
	}
	values := struct {
		Own, Partner  *country
		Options       Options
		RetryInterval time.Duration
		Persist       time.Duration
		Retries       int
		Workers       int
	}{Own: c, Partner: partner, Options: o, Retries: o.Retries, RetryInterval: o.RetryInterval, Workers: o.Workers}
	if values.Retries == 0 {
		values.Retries = 10
	}
	if values.RetryInterval == 0 {
		values.RetryInterval = time.Minute
	}
	if values.Workers == 0 {
		values.Workers = 8
	}
	values.Persist = max(24*time.Hour, 2*time.Duration(values.Retries+1)*values.RetryInterval)
	var text bytes.Buffer
	if err := t.Execute(&text, values); err != nil {
		return fmt.Errorf("configuration of %s: %w", c.ID, err)
	}
	if err := os.WriteFile(c.ConfigFile, text.Bytes(), 0o600); err != nil {
		return fmt.Errorf("configuration of %s: %w", c.ID, err)
	}
	return nil
}

// freeAddresses returns n addresses on loopback that were free a moment ago.
func freeAddresses(n int) ([]string, error) {
	addresses := make([]string, n)
	for i := range addresses {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, fmt.Errorf("free port: %w", err)
		}
		defer l.Close()
		addresses[i] = l.Addr().String()
	}
	return addresses, nil
}
