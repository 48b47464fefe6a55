package main

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ecogate/ecogate/clearance"
	"github.com/ecogate/ecogate/clearance/handover"
	"github.com/ecogate/ecogate/eco"
	"github.com/ecogate/ecogate/internal/config"
	"github.com/ecogate/ecogate/paper"
	"github.com/ecogate/ecogate/partners"
)

// customsFiles are the files of a way to the customs system, in a folder.
type customsFiles struct {
	t   *testing.T
	dir string
}

func (f customsFiles) put(name string, content []byte) string {
	f.t.Helper()
	path := filepath.Join(f.dir, name)
	if err := os.WriteFile(path, content, 0o600); err != nil {
		f.t.Fatal(err)
	}
	return path
}

// key is a new private key in PEM.
func (f customsFiles) key(name string) (path string, key ed25519.PrivateKey) {
	f.t.Helper()
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		f.t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		f.t.Fatal(err)
	}
	return f.put(name, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})), key
}

func withCustoms(c config.CustomsSystem) config.Config {
	cfg := config.Default()
	cfg.Clearance.CustomsSystem = c
	return cfg
}

func TestParcelsArePostedAsConfigured(t *testing.T) {
	files := customsFiles{t, t.TempDir()}
	var got *http.Request
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got = r
		w.WriteHeader(http.StatusAccepted)
	}))
	server.TLS = &tls.Config{ClientAuth: tls.RequireAnyClientCert}
	server.StartTLS()
	defer server.Close()
	own := server.TLS.Certificates[0]
	der, err := x509.MarshalPKCS8PrivateKey(own.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	credential := files.put("credential.pem", pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: own.Certificate[0]}))
	private := files.put("credential.key", pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
	signing, _ := files.key("signing.key")
	c := config.CustomsSystem{By: config.CustomsByHTTP, HTTP: config.CustomsHTTP{
		URL: server.URL + "/parcels", CAFile: credential, Client: config.TLSClient{CertificateFile: credential, KeyFile: private},
		Signing: config.RequestSigning{KeyFile: signing, KeyID: "ecogate-2026"},
	}}
	registry := new(partners.Registry)
	if err := registry.Reload(partners.Config{Node: partners.NodeConfig{ID: "TW", Country: "TW", PartyIDs: []partners.PartyID{{Value: "urn:tw"}}}}); err != nil {
		t.Fatal(err)
	}
	deliver := func() error {
		d, err := newDeliverer(withCustoms(c), registry.Control, time.Now)
		if err != nil {
			t.Fatal(err)
		}
		_, err = d.Deliver(t.Context(), handover.Parcel{Key: "ho1", Content: []byte("PK")})
		return err
	}
	if err := deliver(); err == nil || !strings.Contains(err.Error(), "is not public") || got != nil {
		t.Errorf("to a private address: %v", err)
	}
	c.AllowPrivate = true
	if err := deliver(); err != nil {
		t.Fatal(err)
	}
	if input := got.Header.Get("Signature-Input"); !strings.Contains(input, `keyid="ecogate-2026"`) || !strings.Contains(input, `alg="ed25519"`) || len(got.TLS.PeerCertificates) != 1 {
		t.Errorf("Signature-Input %q, %d credentials", input, len(got.TLS.PeerCertificates))
	}
}

func TestWaysToTheCustomsSystem(t *testing.T) {
	files := customsFiles{t, t.TempDir()}
	key, _ := files.key("a.key")
	passphrase := files.put("a.pass", []byte("secret\n"))
	known := files.put("known_hosts", []byte("sftp.example ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHVVtSN2DTZaZSt8uTkZYaZLVL/e0OdUqOX4b7rXhXZm\n"))
	nonsense := files.put("nonsense", []byte("nonsense\n"))
	web := config.CustomsHTTP{URL: "https://customs.example/"}
	box := config.CustomsSFTP{Address: "sftp.example:22", User: "u", Folder: "in", KnownHostsFile: known, KeyFile: key}
	for name, c := range map[string]struct {
		customs config.CustomsSystem
		want    string
	}{
		"fetched":         {config.CustomsSystem{}, ""},
		"http":            {config.CustomsSystem{By: config.CustomsByHTTP, HTTP: web}, ""},
		"http, no CA":     {config.CustomsSystem{By: config.CustomsByHTTP, HTTP: config.CustomsHTTP{URL: web.URL, CAFile: nonsense}}, "clearance.customs_system.http: ca_file: "},
		"http, lost CA":   {config.CustomsSystem{By: config.CustomsByHTTP, HTTP: config.CustomsHTTP{URL: web.URL, CAFile: "none"}}, "ca_file: open none"},
		"http, no key":    {config.CustomsSystem{By: config.CustomsByHTTP, HTTP: config.CustomsHTTP{URL: web.URL, Signing: config.RequestSigning{KeyFile: nonsense}}}, "signing: "},
		"http, no client": {config.CustomsSystem{By: config.CustomsByHTTP, HTTP: config.CustomsHTTP{URL: web.URL, Client: config.TLSClient{CertificateFile: nonsense, KeyFile: key}}}, "client: "},
		"http, key that is not encrypted": {config.CustomsSystem{By: config.CustomsByHTTP, HTTP: config.CustomsHTTP{URL: web.URL,
			Signing: config.RequestSigning{KeyFile: key, PassphraseFile: passphrase}}}, "is not encrypted"},
		"sftp":           {config.CustomsSystem{By: config.CustomsBySFTP, SFTP: box}, ""},
		"sftp, password": {config.CustomsSystem{By: config.CustomsBySFTP, SFTP: config.CustomsSFTP{Address: "a:22", User: "u", Folder: "in", HostKeys: []string{"SHA256:x"}, PasswordFile: passphrase}}, ""},
		"sftp, no key":   {config.CustomsSystem{By: config.CustomsBySFTP, SFTP: config.CustomsSFTP{Address: "a:22", User: "u", Folder: "in", KnownHostsFile: known, KeyFile: nonsense}}, "clearance.customs_system.sftp: key_file: "},
		"sftp, no hosts": {config.CustomsSystem{By: config.CustomsBySFTP, SFTP: config.CustomsSFTP{Address: "a:22", User: "u", Folder: "in", KnownHostsFile: nonsense, KeyFile: key}}, "known_hosts_file: "},
		"sftp, no password": {config.CustomsSystem{By: config.CustomsBySFTP, SFTP: config.CustomsSFTP{Address: "a:22", User: "u", Folder: "in", KnownHostsFile: known,
			PasswordFile: files.put("two", []byte("a\nb\n"))}}, "password_file: "},
		"spool":            {config.CustomsSystem{By: config.CustomsBySpool, Spool: config.CustomsSpool{Folder: files.dir}}, ""},
		"spool, no folder": {config.CustomsSystem{By: config.CustomsBySpool, Spool: config.CustomsSpool{Folder: filepath.Join(files.dir, "none")}}, "clearance.customs_system.spool.folder: "},
	} {
		t.Run(name, func(t *testing.T) {
			err := checkCustoms(withCustoms(c.customs), time.Now)
			if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v, want %q", err, c.want)
			}
		})
	}
}

func TestOverlaysOfTheCustomsSystem(t *testing.T) {
	for _, c := range []struct {
		certificate clearance.Imported
		want        string
	}{
		{clearance.Imported{State: eco.StateCited}, "[]"},
		{clearance.Imported{State: eco.StateCited, Mode: partners.ModeTest}, fmt.Sprint([]paper.Overlay{paper.OverlayTest})},
		{clearance.Imported{State: eco.StateCancelled, Mode: partners.ModeParallel}, fmt.Sprint([]paper.Overlay{paper.OverlayCancelled, paper.OverlayParallel})},
		{clearance.Imported{State: eco.StateReplaced}, fmt.Sprint([]paper.Overlay{paper.OverlayReplaced})},
		{clearance.Imported{State: eco.StateInConflict}, fmt.Sprint([]paper.Overlay{paper.OverlayInConflict})},
	} {
		if got := fmt.Sprint(overlaysOf(c.certificate)); got != c.want {
			t.Errorf("%s, %s: %s, want %s", c.certificate.State, c.certificate.Mode, got, c.want)
		}
	}
}

// The customs system is configured at the start: a reload says so.
func TestCustomsSystemNeedsARestart(t *testing.T) {
	before, after := config.Default(), config.Default()
	after.Clearance.CustomsSystem.Keep = time.Hour
	if got := needRestart(before, after); fmt.Sprint(got) != "[clearance.customs_system.keep]" {
		t.Errorf("needs a restart: %q", got)
	}
}
