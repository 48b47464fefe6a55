package partners

import (
	"crypto/tls"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/ecogate/ecogate/signing"
)

// ServerTLS is the configuration of the partners' listener. Each handshake asks the registry anew: for the node's own
// tls-server key in force, and whether the client's credential is a tls-client credential that counts for some partner. A
// connection without one is refused. Sessions are not resumed, so that a credential that was withdrawn is refused at its next
// connection.
func (r *Registry) ServerTLS(now func() time.Time) *tls.Config {
	return &tls.Config{
		MinVersion:             tls.VersionTLS12,
		ClientAuth:             tls.RequireAnyClientCert,
		SessionTicketsDisabled: true,
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
			return r.tlsKey(UseTLSServer, now())
		},
		VerifyConnection: func(state tls.ConnectionState) error { return r.CheckTLSClient(state, now()) },
	}
}

// CheckTLSClient tells why the client of a connection is no partner's at the instant at; nil if it is one. A connection lives
// longer than its handshake, so that each request on it is judged anew. The client must have shown a credential.
func (r *Registry) CheckTLSClient(state tls.ConnectionState, at time.Time) error {
	leaf := state.PeerCertificates[0]
	if _, ok := r.PartnerByTLS(leaf, at); !ok {
		return fmt.Errorf("TLS client %q (SHA-256 %s) has no credential of a partner in force", leaf.Subject, signing.Fingerprint(leaf))
	}
	return nil
}

// ClientTLS is the configuration for connections to partner: the node's own tls-client key in force, if it has one, and
// trust in nothing but the partner's tls-server credentials that count at the handshake. The name in the credential is not
// compared with the host that is dialled: the credential itself is pinned to the partner, which says more, and pinned
// credentials often have no subject alternative name.
func (r *Registry) ClientTLS(partner string, now func() time.Time) *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS12,
		// The chain is judged below, by the registry's one resolver, in place of the system's anchors.
		InsecureSkipVerify: true,
		GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
			key, err := r.tlsKey(UseTLSClient, now())
			if errors.Is(err, ErrNoKey) {
				return &tls.Certificate{}, nil
			}
			return key, err
		},
		VerifyConnection: func(state tls.ConnectionState) error {
			leaf := state.PeerCertificates[0]
			for _, c := range r.Credentials(partner, UseTLSServer, now()) {
				if c.X509Cert.Equal(leaf) {
					return nil
				}
			}
			return fmt.Errorf("TLS server %q (SHA-256 %s) has no credential of partner %q in force", leaf.Subject, signing.Fingerprint(leaf), partner)
		},
	}
}

// ClientTLSBasis says what a handshake with ClientTLS at the instant at would show and trust: two equal values mean the same
// credentials. A connection that was made on another basis is not to be used any more.
func (r *Registry) ClientTLSBasis(partner string, at time.Time) string {
	var basis strings.Builder
	if key, err := r.Key(UseTLSClient, "", at); err == nil {
		basis.WriteString(signing.Fingerprint(key.Chain[0]))
	}
	for _, c := range r.Credentials(partner, UseTLSServer, at) {
		basis.WriteByte(' ')
		basis.WriteString(signing.Fingerprint(c.X509Cert))
	}
	return basis.String()
}

func (r *Registry) tlsKey(use Use, at time.Time) (*tls.Certificate, error) {
	key, err := r.Key(use, "", at)
	if err != nil {
		return nil, err
	}
	own := &tls.Certificate{PrivateKey: key.Signer, Leaf: key.Chain[0]}
	for _, link := range key.Chain {
		own.Certificate = append(own.Certificate, link.Raw)
	}
	return own, nil
}
