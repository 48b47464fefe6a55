package partners_test

import (
	"crypto/rand"
	"crypto/x509"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ecogate/ecogate/internal/pkitest"
	"github.com/ecogate/ecogate/partners"
	"github.com/ecogate/ecogate/partners/revocation"
)

// revoke writes a CRL of tw's issuing CA, current around summer, that withdraws the credential for use at the instant at.
func (w *world) revoke(t *testing.T, use partners.Use, at time.Time) string {
	t.Helper()
	ca := w.pki["tw"].Issuing
	der, err := x509.CreateRevocationList(rand.Reader, &x509.RevocationList{
		Number: big.NewInt(1), ThisUpdate: summer, NextUpdate: autumn,
		RevokedCertificateEntries: []x509.RevocationListEntry{{SerialNumber: w.issued["tw"][use].X509Cert.SerialNumber, RevocationTime: at, ReasonCode: 1}},
	}, ca.X509Cert, ca.Key)
	if err != nil {
		t.Fatal(err)
	}
	root := w.pki["tw"].Root
	upper, err := x509.CreateRevocationList(rand.Reader, &x509.RevocationList{Number: big.NewInt(1), ThisUpdate: summer, NextUpdate: autumn}, root.X509Cert, root.Key)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for name, data := range map[string][]byte{"issuing.crl": der, "root.crl": upper} {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// Every use that was revoked is refused from that instant on, in every question that the registry answers.
func TestRevokedCredentialsDoNotCount(t *testing.T) {
	for _, use := range partners.Uses() {
		t.Run(string(use), func(t *testing.T) {
			w := newWorld(t)
			dir := w.revoke(t, use, summer)
			w.config.Partners[0].Revocation = partners.RevocationConfig{
				Policy: string(revocation.Hard), CRLFiles: []string{filepath.Join(dir, "issuing.crl"), filepath.Join(dir, "root.crl")},
			}
			r := w.open(t)
			if got := r.Credentials("tw", use, summer); len(got) != 0 {
				t.Error("counts under hard before anything is known")
			}
			f := revocation.NewFetcher(revocation.FetcherOptions{
				Targets: r.RevocationTargets, Book: r.Revocations(), Dir: t.TempDir(), Now: func() time.Time { return summer },
			})
			f.Load()
			if got := r.Credentials("tw", use, summer); len(got) != 0 {
				t.Error("counts at the instant of its revocation")
			}
			if why := r.Withheld("tw", use, summer); len(why) != 1 || !strings.Contains(why[0], "keyCompromise") {
				t.Errorf("withheld because of %q", why)
			}
			before := r.Credentials("tw", use, summer.Add(-time.Second))
			if len(before) != 1 || before[0].Revoked == nil || !before[0].Revoked.At.Equal(summer) {
				t.Errorf("a second before: %+v, want it, marked", before)
			}
			leaf := w.issued["tw"][partners.UseTLSClient].X509Cert
			if _, ok := r.PartnerByTLS(leaf, summer); ok == (use == partners.UseTLSClient) {
				t.Errorf("TLS client known: %t", ok)
			}
			for _, other := range partners.Uses() {
				if got := r.Credentials("tw", other, summer); other != use && len(got) != 1 {
					t.Errorf("%s does not count", other)
				}
				if got := r.Credentials("my", other, summer); len(got) != 1 {
					t.Errorf("%s of a partner without a policy does not count", other)
				}
			}
			// What is known stays when the configuration is read again.
			if err := r.Reload(w.config); err != nil {
				t.Fatal(err)
			}
			if got := r.Credentials("tw", use, summer); len(got) != 0 {
				t.Error("counts after a reload")
			}
		})
	}
}

func TestChainsKeepToNamesAndPolicies(t *testing.T) {
	for _, test := range []struct {
		name     string
		policies []string
		names    []string
		key      string
		text     string
	}{
		{"name", nil, []string{"C=JP", "C=TW; O=Customs tw"}, "", ""},
		{"another name", nil, []string{"C=TW; O=Somebody"}, "partners[0].credentials[0].file", "permitted_names"},
		{"no name", nil, []string{"TW"}, "partners[0].permitted_names[0]", "is not a name"},
		{"policy", []string{"1.2.3.4"}, nil, "partners[0].credentials[0].file", "policies"},
		{"no policy", []string{"abc"}, nil, "partners[0].policies[0]", "object identifier"},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld(t)
			w.config.Partners[0].Policies, w.config.Partners[0].PermittedNames = test.policies, test.names
			if test.key == "" {
				w.open(t)
				return
			}
			w.wantRefused(t, test.key, test.text)
		})
	}
}

// The system's anchors are none of a partner's.
func TestSystemAnchorsPlayNoPart(t *testing.T) {
	w := newWorld(t)
	t.Setenv("SSL_CERT_FILE", w.file("tw", "root.pem"))
	w.config.Partners[0].AnchorFiles = []string{w.file("my", "root.pem")}
	w.wantRefused(t, "partners[0].credentials[0].file", "does not chain")
}

func TestAddresses(t *testing.T) {
	w := newWorld(t)
	w.config.Node.PrivateNetworks = []string{"10.20.0.0/16", "fd00::7"}
	w.config.Agreements[0].AllowPrivateEndpoint = true
	r := w.open(t)
	for address, allowed := range map[string]bool{
		"8.8.8.8:443": true, "[2606:4700::1]:443": true, "10.20.3.4:443": true, "[fd00::7]:443": true, "[::ffff:10.20.3.4]:443": true,
		"127.0.0.1:443": false, "[::1]:443": false, "[::ffff:127.0.0.1]:443": false, "0.0.0.0:443": false, "10.21.0.1:443": false,
		"172.16.0.1:443": false, "192.168.1.1:443": false, "169.254.169.254:80": false, "[fe80::1%eth0]:443": false, "100.64.0.1:443": false,
		"224.0.0.1:443": false, "[ff02::1]:443": false, "255.255.255.255:443": false, "[fd00::8]:443": false, "[fd00:ec2::254]:80": false,
		"100.100.100.200:80": false, "168.63.129.16:80": false, "192.0.2.1:443": false, "[64:ff9b::7f00:1]:443": false, "[2002:7f00:1::]:443": false,
		"[64:ff9b::808:808]:443": true, "tw.example:443": false, "": false,
	} {
		if err := r.MayDial(address); (err == nil) != allowed {
			t.Errorf("%s: %v, want allowed %t", address, err, allowed)
		}
		private := strings.Contains(address, "10.20.3.4") || strings.Contains(address, "fd00::7")
		if err := partners.PublicOnly("tcp", address, nil); (err == nil) != (allowed && !private) {
			t.Errorf("%s for users of the node: %v", address, err)
		}
	}
	for _, test := range []struct {
		partner, endpoint string
		want              bool
	}{{"tw", "https://tw.example/ebms", true}, {"tw", "https://my.example/ebms", false}, {"my", "https://my.example/ebms", false}, {"my", "https://tw.example/ebms", false}} {
		if got := r.AllowsPrivate(test.partner, test.endpoint); got != test.want {
			t.Errorf("%s, %s: %t", test.partner, test.endpoint, got)
		}
	}
}

func TestExplain(t *testing.T) {
	pki := pkitest.NewTest(t, pkitest.Options{Country: "TW", Organisation: "Customs"})
	weak, err := pki.WeakKey(pkitest.Request{Name: "weak", Use: pkitest.MessageSignature})
	if err != nil {
		t.Fatal(err)
	}
	good, err := pki.Issue(pkitest.Request{Name: "good", Use: pkitest.MessageSignature})
	if err != nil {
		t.Fatal(err)
	}
	if words := partners.Explain(good.ChainPEM()); len(words) != 0 {
		t.Errorf("of a good one: %q", words)
	}
	if words := strings.Join(partners.Explain(weak.ChainPEM()), " "); !strings.Contains(words, "1024 bits is too short") {
		t.Errorf("of a weak one: %q", words)
	}
	for file, want := range map[string]string{"brainpool.pem": "curve brainpoolP256r1", "secp256k1.pem": "curve secp256k1", "p224.pem": "P-224", "truncated.pem": "cannot be read"} {
		data, err := os.ReadFile("../testdata/hostile/partners/" + file)
		if err != nil {
			t.Fatal(err)
		}
		if words := strings.Join(partners.Explain(data), " "); !strings.Contains(words, want) {
			t.Errorf("%s: %q, want %q", file, words, want)
		}
	}
}

func FuzzExplain(f *testing.F) {
	for _, file := range []string{"brainpool.pem", "truncated.pem"} {
		data, err := os.ReadFile("../testdata/hostile/partners/" + file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Fuzz(func(_ *testing.T, data []byte) { partners.Explain(data) })
}
