package main

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net/http"
	"os"
	"sync/atomic"
	"time"

	"github.com/ecogate/ecogate/internal/config"
	"github.com/ecogate/ecogate/partners"
	"github.com/ecogate/ecogate/signing"
)

// serverTLS is the registry's configuration for the partners' listener with what the operator chose. It is an error if no
// key is in force now, because every handshake would fail.
func serverTLS(cfg config.TLS, registry *partners.Registry, now func() time.Time) (*tls.Config, error) {
	if _, err := registry.Key(partners.UseTLSServer, "", now()); err != nil {
		return nil, err
	}
	t := registry.ServerTLS(now)
	if cfg.MinVersion == "1.3" {
		t.MinVersion = tls.VersionTLS13
	}
	if cfg.ClientAuth == config.ClientAuthNone {
		t.ClientAuth = tls.NoClientCert
		t.VerifyConnection = nil
	}
	return t, nil
}

// requireClient refuses requests on a connection whose client is no partner's any more, with 403 and the end of the connection,
// before anything of the body is read: as its next handshake would be. The request leaves no record, and a partner whose
// credential was replaced comes again over a new connection.
func (n *runningNode) requireClient(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.TLS == nil || len(r.TLS.PeerCertificates) == 0 {
			next.ServeHTTP(w, r)
			return
		}
		if err := n.Registry.CheckTLSClient(*r.TLS, n.now()); err != nil {
			n.log.Warn("request refused on an open connection", "remote", r.RemoteAddr, "cause", err)
			w.Header().Set("Connection", "close")
			http.Error(w, "the TLS client's credential is not in force any more", http.StatusForbidden)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// readAPICredential reads what the API's listener shows to users; nil if it is to speak plain HTTP. It is an error if the
// credential is not valid at the instant at, because every handshake would fail.
func readAPICredential(cfg config.APIListener, at time.Time) (*tls.Certificate, error) {
	if !cfg.TLS() {
		return nil, nil
	}
	own, err := tls.LoadX509KeyPair(cfg.CertificateFile, cfg.KeyFile)
	if err != nil {
		return nil, fmt.Errorf("listeners.api: certificate_file %s with key_file %s: %w", cfg.CertificateFile, cfg.KeyFile, err)
	}
	if from, until := own.Leaf.NotBefore, own.Leaf.NotAfter; at.Before(from) || at.After(until) {
		return nil, fmt.Errorf("listeners.api.certificate_file: %s is valid from %s to %s only", cfg.CertificateFile, instant(from), instant(until))
	}
	return &own, nil
}

// apiTLS shows users the credential that is current at each handshake.
func apiTLS(current *atomic.Pointer[tls.Certificate]) *tls.Config {
	return &tls.Config{
		MinVersion:     tls.VersionTLS12,
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return current.Load(), nil },
	}
}

// apiTransport trusts the CAs in a file, and no others, for the API's server. Without a file it is nil: the system's CAs.
func apiTransport(caFile string) (http.RoundTripper, error) {
	if caFile == "" {
		return nil, nil
	}
	data, err := os.ReadFile(caFile)
	if err != nil {
		return nil, fmt.Errorf("CA of the API: %w", err)
	}
	authorities, err := signing.ReadCredentials(data)
	if err != nil {
		return nil, fmt.Errorf("CA of the API: %s: %w", caFile, err)
	}
	roots := x509.NewCertPool()
	for _, a := range authorities {
		roots.AddCert(a)
	}
	return &http.Transport{
		Proxy:                 http.ProxyFromEnvironment,
		TLSClientConfig:       &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12},
		ExpectContinueTimeout: time.Second, // large bodies wait so long for leave to be sent
	}, nil
}
