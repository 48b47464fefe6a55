package signing_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/ecogate/ecogate/signing"
)

// Keys are made once for all tests, because RSA keys take long to make.
var (
	rsaKey      = sync.OnceValues(func() (crypto.Signer, error) { return rsa.GenerateKey(rand.Reader, 2048) })
	otherRSAKey = sync.OnceValues(func() (crypto.Signer, error) { return rsa.GenerateKey(rand.Reader, 2048) })
	weakRSAKey  = sync.OnceValues(func() (crypto.Signer, error) { return rsa.GenerateKey(rand.Reader, 1024) })
	p224Key     = sync.OnceValues(func() (crypto.Signer, error) { return ecdsa.GenerateKey(elliptic.P224(), rand.Reader) })
	p256Key     = sync.OnceValues(func() (crypto.Signer, error) { return ecdsa.GenerateKey(elliptic.P256(), rand.Reader) })
	p384Key     = sync.OnceValues(func() (crypto.Signer, error) { return ecdsa.GenerateKey(elliptic.P384(), rand.Reader) })
	edKey       = sync.OnceValues(func() (crypto.Signer, error) { _, key, err := ed25519.GenerateKey(rand.Reader); return key, err })
	p521Key     = sync.OnceValues(func() (crypto.Signer, error) { return ecdsa.GenerateKey(elliptic.P521(), rand.Reader) })
)

// keyOf gives a key with a self-signed credential.
func keyOf(tb testing.TB, make func() (crypto.Signer, error)) signing.Key {
	tb.Helper()
	signer, err := make()
	if err != nil {
		tb.Fatal(err)
	}
	return signing.Key{Signer: signer, Chain: []*x509.Certificate{credentialOf(tb, signer)}}
}

func credentialOf(tb testing.TB, signer crypto.Signer) *x509.Certificate {
	tb.Helper()
	return selfSigned(tb, signer, big.NewInt(20260101), "Customs of Testland")
}

func selfSigned(tb testing.TB, signer crypto.Signer, serial *big.Int, name string) *x509.Certificate {
	tb.Helper()
	template := &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: name},
		NotBefore: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), NotAfter: time.Date(2036, 1, 1, 0, 0, 0, 0, time.UTC),
		SubjectKeyId: []byte{1, 2, 3, 4},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, signer.Public(), signer)
	if err != nil {
		tb.Fatal(err)
	}
	x509Cert, err := x509.ParseCertificate(der)
	if err != nil {
		tb.Fatal(err)
	}
	return x509Cert
}

// keyFiles writes a key and its credential as PEM files and gives their names.
func keyFiles(tb testing.TB, key signing.Key) (private, credential string) {
	tb.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(key.Signer)
	if err != nil {
		tb.Fatal(err)
	}
	private = write(tb, "key.pem", pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
	credential = write(tb, "crt.pem", pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: key.Chain[0].Raw}))
	return private, credential
}

func write(tb testing.TB, name string, content []byte) string {
	tb.Helper()
	path := filepath.Join(tb.TempDir(), name)
	if err := os.WriteFile(path, content, 0o600); err != nil {
		tb.Fatal(err)
	}
	return path
}

func read(tb testing.TB, path string) []byte {
	tb.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		tb.Fatal(err)
	}
	return content
}

// tool gives the path of a program or skips the test.
func tool(tb testing.TB, name string) string {
	tb.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		tb.Skipf("%s is not installed", name)
	}
	return path
}

// shared gives the path of a file of the reference material or skips the test.
func shared(tb testing.TB, elements ...string) string {
	tb.Helper()
	path := filepath.Join(append([]string{"..", "..", "shared"}, elements...)...)
	if _, err := os.Stat(path); err != nil {
		tb.Skipf("reference material is not here: %v", err)
	}
	return path
}

// strangersCredential gives a credential of another issuer and number for a key.
func strangersCredential(tb testing.TB, signer crypto.Signer) *x509.Certificate {
	tb.Helper()
	return selfSigned(tb, signer, big.NewInt(7), "Customs of Elsewhere")
}
