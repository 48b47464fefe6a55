package main

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/ecogate/ecogate/internal/config"
	"github.com/ecogate/ecogate/partners"
	"github.com/ecogate/ecogate/signing"
)

// proxied takes, for a listener without TLS of its own, the client's credential from a header that a proxy in front of it
// writes. It is believed from the configured addresses alone; from others the header is taken off and logged.
type proxied struct {
	next     http.Handler
	header   string
	from     []netip.Prefix
	required bool // a request without a partner's credential is refused
	registry *partners.Registry
	now      func() time.Time
	log      *handshakeLog
}

// behindProxy puts a proxied before next, if there are proxies.
func behindProxy(cfg config.PartnerListener, next http.Handler, registry *partners.Registry, now func() time.Time, log *slog.Logger) http.Handler {
	if len(cfg.Proxy.Addresses) == 0 {
		return next
	}
	return &proxied{
		next: next, header: cfg.Proxy.Header, from: cfg.Proxy.Networks(), required: cfg.TLS.ClientAuth == config.ClientAuthRequire,
		registry: registry, now: now, log: newHandshakeLog(log, now),
	}
}

func (p *proxied) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	values := slices.Clone(r.Header.Values(p.header))
	r = r.Clone(r.Context())
	r.Header.Del(p.header)
	r.TLS = nil
	if !p.isProxy(r.RemoteAddr) {
		if len(values) > 0 {
			p.warn("client certificate in a header ignored: the address is not in listeners.partner.proxy.addresses", r.RemoteAddr, "not a proxy")
		}
		values = nil
	}
	leaf, err := readClientCert(p.header, values)
	if err != nil {
		p.warn("client certificate in a header refused", r.RemoteAddr, err.Error())
		http.Error(w, "client certificate not readable", http.StatusBadRequest)
		return
	}
	if leaf == nil && p.required {
		http.Error(w, "client certificate required", http.StatusForbidden)
		return
	}
	if leaf != nil {
		if _, ok := p.registry.PartnerByTLS(leaf, p.now()); !ok && p.required {
			p.warn("client certificate in a header refused", r.RemoteAddr, fmt.Sprintf("%q (SHA-256 %s) is no credential of a partner in force", leaf.Subject, signing.Fingerprint(leaf)))
			http.Error(w, "client certificate refused", http.StatusForbidden)
			return
		}
		r.TLS = &tls.ConnectionState{HandshakeComplete: true, PeerCertificates: []*x509.Certificate{leaf}}
	}
	p.next.ServeHTTP(w, r)
}

// warn logs at most once a second for each cause: strangers write it.
func (p *proxied) warn(text, remote, cause string) {
	cause = cause[:min(len(cause), handshakeText)]
	if suppressed, due := p.log.count(text + cause); due {
		p.log.log.Warn(text, "remote", remote, "cause", cause, "suppressed", suppressed)
	}
}

func (p *proxied) isProxy(remote string) bool {
	address, err := netip.ParseAddrPort(remote)
	if err != nil {
		return false
	}
	a := address.Addr().Unmap().WithZone("")
	return slices.ContainsFunc(p.from, func(n netip.Prefix) bool { return n.Contains(a) })
}

// readClientCert reads the header's value: Client-Cert holds DER in base64 between colons (RFC 9440 §2.2), any other PEM with its
// special characters escaped as in URLs ($ssl_client_escaped_cert of nginx). nil: the client showed none.
func readClientCert(header string, values []string) (*x509.Certificate, error) {
	switch {
	case len(values) == 0, len(values) == 1 && values[0] == "":
		return nil, nil
	case len(values) > 1:
		return nil, fmt.Errorf("the header stands %d times; a proxy has to replace what the client wrote", len(values))
	}
	value := strings.TrimSpace(values[0])
	if strings.EqualFold(header, config.HeaderClientCert) {
		if len(value) < 2 || value[0] != ':' || value[len(value)-1] != ':' {
			return nil, errors.New("the value is not base64 between colons (RFC 9440 §2.2)")
		}
		der, err := base64.StdEncoding.DecodeString(value[1 : len(value)-1])
		if err != nil {
			return nil, fmt.Errorf("the value is not base64 between colons (RFC 9440 §2.2): %w", err)
		}
		return x509.ParseCertificate(der)
	}
	text, err := url.PathUnescape(value)
	if err != nil {
		return nil, err
	}
	block, rest := pem.Decode([]byte(text))
	if block == nil || block.Type != "CERTIFICATE" || strings.TrimSpace(string(rest)) != "" {
		return nil, errors.New("the value is not one certificate in PEM, escaped as in URLs")
	}
	return x509.ParseCertificate(block.Bytes)
}
