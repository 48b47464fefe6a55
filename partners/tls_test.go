package partners_test

import (
	"crypto/tls"
	"errors"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ecogate/ecogate/internal/pkitest"
	"github.com/ecogate/ecogate/partners"
)

// handshake connects client and server over a pipe and returns what each side says of it.
func handshake(t *testing.T, client, server *tls.Config, host string) (clientErr, serverErr error) {
	t.Helper()
	a, b := net.Pipe()
	defer a.Close()
	defer b.Close()
	done := make(chan error, 1)
	go func() {
		conn := tls.Server(b, server)
		err := conn.Handshake()
		if err == nil {
			_, err = conn.Write([]byte("x"))
		}
		b.Close()
		done <- err
	}()
	client = client.Clone()
	client.ServerName = host
	conn := tls.Client(a, client)
	if clientErr = conn.Handshake(); clientErr == nil {
		// In TLS 1.3 the server's refusal comes after the client's handshake.
		_, clientErr = conn.Read(make([]byte, 1))
	}
	a.Close()
	return clientErr, <-done
}

// tlsWorld is a world whose TLS servers have the names that are dialled, seen from "kr" and from "tw".
func tlsWorld(t *testing.T) (kr, tw *partners.Registry, w *world) {
	w = newWorld(t)
	for _, id := range []string{"kr", "tw", "my"} {
		request := pkitest.Request{Name: id + " tls-server", Use: pkitest.TLSServer, Hosts: []string{id + ".example", "127.0.0.1"}, NotBefore: spring, NotAfter: autumn}
		w.issued[id][partners.UseTLSServer], _, _ = w.pki[id].IssueFiles("tls-server", request)
	}
	other := &world{pki: w.pki}
	other.config = partners.Config{
		Node:     partners.NodeConfig{ID: "tw", Country: "TW", PartyIDs: partyIDs("tw")},
		Partners: []partners.PartnerConfig{other.partner("kr"), other.partner("my")},
	}
	for _, use := range transportUses {
		other.config.Node.Keys = append(other.config.Node.Keys, other.key("tw", use))
	}
	return w.open(t), other.open(t), w
}

func at(instant time.Time) func() time.Time { return func() time.Time { return instant } }

func TestTLSBetweenPartners(t *testing.T) {
	kr, tw, _ := tlsWorld(t)
	tests := []struct {
		name           string
		partner, host  string
		client, server time.Time
		wantClient     string // part of the error; "" for none
		wantServer     string
	}{
		{"both in force", "tw", "tw.example", summer, summer, "", ""},
		{"by address", "tw", "127.0.0.1", summer, summer, "", ""},
		{"under a name that the credential has not", "tw", "other.example", summer, summer, "", ""},
		{"taken for another partner", "my", "tw.example", summer, summer, `partner "my"`, "bad certificate"},
		{"server credential not yet in force", "tw", "tw.example", spring.Add(-time.Second), summer, `partner "tw"`, "bad certificate"},
		{"server credential ended", "tw", "tw.example", autumn, summer, `partner "tw"`, "bad certificate"},
		{"server has no key any more", "tw", "tw.example", summer, autumn, "internal error", partners.ErrNoKey.Error()},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			clientErr, serverErr := handshake(t, kr.ClientTLS(test.partner, at(test.client)), tw.ServerTLS(at(test.server)), test.host)
			for side, got := range map[string]struct {
				err  error
				want string
			}{"client": {clientErr, test.wantClient}, "server": {serverErr, test.wantServer}} {
				if (got.err == nil) != (got.want == "") || got.err != nil && !strings.Contains(got.err.Error(), got.want) {
					t.Errorf("%s says %v, want %q", side, got.err, got.want)
				}
			}
		})
	}
}

func TestTLSServerRefusesClientsThatAreNoPartner(t *testing.T) {
	kr, tw, w := tlsWorld(t)
	show := func(c *pkitest.Credential) *tls.Config {
		own := &tls.Certificate{PrivateKey: c.Key}
		for _, link := range c.Chain {
			own.Certificate = append(own.Certificate, link.Raw)
		}
		config := kr.ClientTLS("tw", at(summer))
		config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return own, nil }
		return config
	}
	none := kr.ClientTLS("tw", at(summer))
	none.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return new(tls.Certificate), nil }
	stranger := w.pki["kr"].Must(w.pki["kr"].Issue(pkitest.Request{Name: "stranger", Use: pkitest.TLSClient}))
	for _, test := range []struct {
		name    string
		client  *tls.Config
		refused bool
	}{
		{"the partner", kr.ClientTLS("tw", at(summer)), false},
		{"the partner, shown by hand", show(w.issued["kr"][partners.UseTLSClient]), false},
		{"another partner", show(w.issued["my"][partners.UseTLSClient]), false},
		{"no credential", none, true},
		{"credential of a partner's CA that is not configured", show(stranger), true},
		{"a partner's credential for messages", show(w.issued["kr"][partners.UseMessageSignature]), true},
		{"the server's own", show(w.issued["tw"][partners.UseTLSClient]), true},
	} {
		t.Run(test.name, func(t *testing.T) {
			clientErr, serverErr := handshake(t, test.client, tw.ServerTLS(at(summer)), "tw.example")
			if refused := serverErr != nil; refused != test.refused || (clientErr != nil) != test.refused {
				t.Errorf("server says %v, client %v", serverErr, clientErr)
			}
		})
	}
}

// TestTLSFollowsTheConfiguration: a change takes effect at the next connection of configurations already handed out.
func TestTLSFollowsTheConfiguration(t *testing.T) {
	kr, tw, w := tlsWorld(t)
	client, server := kr.ClientTLS("tw", at(summer)), tw.ServerTLS(at(summer))
	clientErr, serverErr := handshake(t, client, server, "tw.example")
	if err := errors.Join(clientErr, serverErr); err != nil {
		t.Fatal(err)
	}
	without := w.config
	without.Partners = slices.Clone(w.config.Partners)
	without.Partners[0].Credentials = slices.DeleteFunc(slices.Clone(without.Partners[0].Credentials), func(c partners.CredentialConfig) bool {
		return slices.Contains(c.Uses, partners.UseTLSServer)
	})
	if err := kr.Reload(without); err != nil {
		t.Fatal(err)
	}
	if clientErr, _ := handshake(t, client, server, "tw.example"); clientErr == nil {
		t.Error("a credential that was taken away still counts")
	}
}
