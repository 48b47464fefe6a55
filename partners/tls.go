package partners

import (
	"crypto/tls"
	"errors"
	"fmt"
	"time"

	"github.com/ecogate/ecogate/signing"
)

// ServerTLS is the TLS configuration of the partners' listener: our tls-server key, and a client that shows a tls-client
// credential of some partner. Which partner it must be is decided when the message is read (PartnerByTLS). Keys and
// credentials are looked up at each connection, so that a reload takes effect at the next one.
func (r *Registry) ServerTLS(now func() time.Time) *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS12,
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
			key, err := r.Key(UseTLSServer, "", now())
			if err != nil {
				return nil, err
			}
			return tlsCertificate(key), nil
		},
		// The chain is judged by the resolver, not against one pool for all partners. VerifyConnection runs for resumed
		// sessions too.
		ClientAuth: tls.RequireAnyClientCert,
		VerifyConnection: func(state tls.ConnectionState) error {
			if len(state.PeerCertificates) == 0 {
				return errors.New("TLS client shows no credential")
			}
			leaf := state.PeerCertificates[0]
			if _, ok := r.PartnerByTLS(leaf, now()); !ok {
				return fmt.Errorf("TLS client credential %q (SHA-256 %s) counts for no partner", leaf.Subject, signing.Fingerprint(leaf))
			}
			return nil
		},
	}
}

// ClientTLS is the TLS configuration for connections to partner: the server must show one of the partner's tls-server
// credentials that counts, and our tls-client key is offered if we have one. The server's name plays no part, because the
// credential itself is the partner's and no one else's.
func (r *Registry) ClientTLS(partner string, now func() time.Time) *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS12,
		// crypto/tls would verify against roots for all names; VerifyConnection below asks for more, and always runs.
		InsecureSkipVerify: true,
		GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
			key, err := r.Key(UseTLSClient, "", now())
			if errors.Is(err, ErrNoKey) {
				return new(tls.Certificate), nil
			}
			return tlsCertificate(key), err
		},
		VerifyConnection: func(state tls.ConnectionState) error {
			leaf := state.PeerCertificates[0]
			if !among(r.data.Load().counting(partner, UseTLSServer, now()), leaf) {
				return fmt.Errorf("TLS server credential %q (SHA-256 %s) does not count for partner %q", leaf.Subject, signing.Fingerprint(leaf), partner)
			}
			return nil
		},
	}
}

func tlsCertificate(key signing.Key) *tls.Certificate {
	out := &tls.Certificate{PrivateKey: key.Signer}
	for _, link := range key.Chain {
		out.Certificate = append(out.Certificate, link.Raw)
	}
	return out
}
