// Package pkitest makes national PKIs out of nothing: a root, an issuing CA, and credentials for each use that partners
// know, written as PEM files when wanted. Tests and the demonstration use it; nothing that it makes is fit to protect
// anything real.
//
// It knows X.509 and leaves to its users what a credential is for. Nothing here reads a clock: validity is what the
// caller says, or the wide windows named below.
//
// Read pkitest.go (a PKI and what it issues), then hostile.go (credentials that must be refused), then tb.go (for tests).
package pkitest

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"
)

// Algorithm is a kind of key.
type Algorithm string

// The kinds of key. The zero Algorithm means P256: making an RSA key takes a few hundred milliseconds.
const (
	P256    Algorithm = "P-256"
	RSA2048 Algorithm = "RSA-2048"
	Ed25519 Algorithm = "Ed25519"
	// RSA1024 is too short for any partner.
	RSA1024 Algorithm = "RSA-1024"
)

// Use is what a credential's extensions say that its key may do.
type Use string

// The uses. They read as those of partners.Use, which this package does not import so that partners' own tests may use it.
const (
	MessageSignature  Use = "message-signature"
	DocumentSignature Use = "document-signature"
	TLSServer         Use = "tls-server"
	TLSClient         Use = "tls-client"
	Encryption        Use = "encryption"
	// TimeStamping is for time-stamp authorities, which are no partners.
	TimeStamping Use = "time-stamp"
)

// KeySource makes keys. A test that wants many RSA keys gives one that keeps a stock.
type KeySource func(Algorithm) (crypto.Signer, error)

// Options say what a PKI looks like.
type Options struct {
	// Country is the ISO 3166-1 alpha-2 code and Organisation the name in every subject.
	Country, Organisation string
	// NotBefore and NotAfter bound the CAs; zero for 2020-01-01 and 2050-01-01.
	NotBefore, NotAfter time.Time
	// Algorithm is that of the CAs' keys; zero for P256.
	Algorithm Algorithm
	// Keys makes every key; nil for GenerateKey.
	Keys KeySource
}

// PKI is a root with one issuing CA. Safe for concurrent use if its KeySource is.
type PKI struct {
	Root, Issuing *Credential
	options       Options
}

// Credential is an X.509 certificate with its key. Chain begins with X509Cert and ends below the root.
type Credential struct {
	X509Cert *x509.Certificate
	Key      crypto.Signer
	Chain    []*x509.Certificate
}

// Request says what to issue.
type Request struct {
	// Name is the subject's common name.
	Name string
	Use  Use
	// Hosts are DNS names and IP addresses for the subject alternative name.
	Hosts []string
	// NotBefore and NotAfter bound the credential; zero for 2025-01-01 and 2035-01-01.
	NotBefore, NotAfter time.Time
	// Algorithm is that of the key; zero for P256.
	Algorithm Algorithm
	// Key is a key to certify again; nil makes a new one.
	Key crypto.Signer
}

// New makes a PKI.
func New(o Options) (*PKI, error) {
	o.NotBefore = orDate(o.NotBefore, 2020)
	o.NotAfter = orDate(o.NotAfter, 2050)
	if o.Keys == nil {
		o.Keys = GenerateKey
	}
	p := &PKI{options: o}
	var err error
	if p.Root, err = p.authority("Root CA", nil); err != nil {
		return nil, err
	}
	p.Issuing, err = p.authority("Issuing CA", p.Root)
	return p, err
}

// GenerateKey is the KeySource that makes a fresh key each time.
func GenerateKey(a Algorithm) (crypto.Signer, error) {
	switch a {
	case P256, "":
		return ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case RSA2048:
		return rsa.GenerateKey(rand.Reader, 2048)
	case Ed25519:
		_, key, err := ed25519.GenerateKey(rand.Reader)
		return key, err
	case RSA1024:
		return rsa.GenerateKey(rand.Reader, 1024)
	}
	return nil, fmt.Errorf("key algorithm %q is unknown", a)
}

// Issue makes a credential under the issuing CA.
func (p *PKI) Issue(r Request) (*Credential, error) {
	template := p.template(r.Name, orDate(r.NotBefore, 2025), orDate(r.NotAfter, 2035))
	template.KeyUsage = x509.KeyUsageDigitalSignature
	switch r.Use {
	case DocumentSignature:
		template.KeyUsage |= x509.KeyUsageContentCommitment
	case Encryption:
		template.KeyUsage = x509.KeyUsageKeyEncipherment | x509.KeyUsageKeyAgreement
	case TLSServer:
		template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	case TLSClient:
		template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
	case TimeStamping:
		template.ExtraExtensions = []pkix.Extension{timeStamping}
	}
	for _, host := range r.Hosts {
		if ip := net.ParseIP(host); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
		} else {
			template.DNSNames = append(template.DNSNames, host)
		}
	}
	key := r.Key
	if key == nil {
		var err error
		if key, err = p.options.Keys(r.Algorithm); err != nil {
			return nil, fmt.Errorf("key of %s: %w", r.Name, err)
		}
	}
	return sign(template, key, p.Issuing)
}

// timeStamping is the extended key usage timeStamping, critical as RFC 3161 §2.3 asks; package x509 writes none critical.
var timeStamping = pkix.Extension{
	Id: asn1.ObjectIdentifier{2, 5, 29, 37}, Critical: true,
	Value: []byte{0x30, 10, 6, 8, 0x2B, 6, 1, 5, 5, 7, 3, 8},
}

// authority makes a CA under parent, or the root if parent is nil.
func (p *PKI) authority(name string, parent *Credential) (*Credential, error) {
	key, err := p.options.Keys(p.options.Algorithm)
	if err != nil {
		return nil, fmt.Errorf("key of %s: %w", name, err)
	}
	template := p.template(p.options.Organisation+" "+name, p.options.NotBefore, p.options.NotAfter)
	template.KeyUsage = x509.KeyUsageCertSign | x509.KeyUsageCRLSign
	template.BasicConstraintsValid = true
	template.IsCA = true
	return sign(template, key, parent)
}

func (p *PKI) template(name string, notBefore, notAfter time.Time) *x509.Certificate {
	subject := pkix.Name{CommonName: name, Organization: []string{p.options.Organisation}}
	if p.options.Country != "" {
		subject.Country = []string{p.options.Country}
	}
	return &x509.Certificate{Subject: subject, NotBefore: notBefore, NotAfter: notAfter}
}

// sign issues template for key under parent; a nil parent makes it self-signed.
func sign(template *x509.Certificate, key crypto.Signer, parent *Credential) (*Credential, error) {
	name := template.Subject.CommonName
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		return nil, fmt.Errorf("serial number of %s: %w", name, err)
	}
	template.SerialNumber = serial
	issuer, signer := template, key
	if parent != nil {
		issuer, signer = parent.X509Cert, parent.Key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, issuer, key.Public(), signer)
	if err != nil {
		return nil, fmt.Errorf("issue %s: %w", name, err)
	}
	x509Cert, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("read back %s: %w", name, err)
	}
	chain := []*x509.Certificate{x509Cert}
	if parent != nil && parent.X509Cert.CheckSignatureFrom(parent.X509Cert) != nil {
		chain = append(chain, parent.Chain...)
	}
	return &Credential{X509Cert: x509Cert, Key: key, Chain: chain}, nil
}

// ChainPEM is the chain in PEM, the credential itself first.
func (c *Credential) ChainPEM() []byte {
	var out []byte
	for _, link := range c.Chain {
		out = append(out, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: link.Raw})...)
	}
	return out
}

// KeyPEM is the private key in PKCS#8 PEM, without encryption.
func (c *Credential) KeyPEM() ([]byte, error) {
	der, err := x509.MarshalPKCS8PrivateKey(c.Key)
	if err != nil {
		return nil, fmt.Errorf("key of %s: %w", c.X509Cert.Subject.CommonName, err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), nil
}

// WriteCredential writes the chain to dir/name.pem, readable by all, and returns that path.
func (c *Credential) WriteCredential(dir, name string) (string, error) {
	path := filepath.Join(dir, name+".pem")
	return path, write(path, c.ChainPEM(), 0o644)
}

// WriteKey writes the private key to dir/name.key, readable by its owner alone, and returns that path.
func (c *Credential) WriteKey(dir, name string) (string, error) {
	key, err := c.KeyPEM()
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, name+".key")
	return path, write(path, key, 0o600)
}

func write(path string, data []byte, mode os.FileMode) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return fmt.Errorf("folder of %s: %w", path, err)
	}
	if err := os.WriteFile(path, data, mode); err != nil {
		return fmt.Errorf("write credential: %w", err)
	}
	return nil
}

func orDate(at time.Time, year int) time.Time {
	if at.IsZero() {
		return time.Date(year, time.January, 1, 0, 0, 0, 0, time.UTC)
	}
	return at
}
