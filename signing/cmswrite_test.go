package signing_test

import (
	"crypto"
	"crypto/x509"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/ecogate/ecogate/signing"
)

func TestSignAnnouncementVerifies(t *testing.T) {
	at := time.Date(2026, 11, 29, 10, 0, 0, 123, time.UTC)
	for _, test := range []struct {
		name      string
		key       func() (crypto.Signer, error)
		algorithm string
	}{{"RSA", rsaKey, "rsa-sha256"}, {"P-256", p256Key, "ecdsa-sha256"}, {"P-384", p384Key, "ecdsa-sha384"}, {"P-521", p521Key, "ecdsa-sha512"}} {
		t.Run(test.name, func(t *testing.T) {
			key := keyOf(t, test.key)
			der, err := signing.SignAnnouncement([]byte(announcement), key, at)
			if err != nil {
				t.Fatal(err)
			}
			v, err := signing.VerifyAnnouncement(der, nil, []*x509.Certificate{key.Chain[0]}, signing.Policy{Algorithms: []string{test.algorithm}})
			if err != nil || string(v.Octets) != announcement || !v.SigningTime.Equal(at.Truncate(time.Second)) {
				t.Fatalf("verified %+v, %v", v, err)
			}
			if openssl, err := exec.LookPath("openssl"); err == nil {
				file := filepath.Join(t.TempDir(), "a.p7m")
				if err := os.WriteFile(file, der, 0o600); err != nil {
					t.Fatal(err)
				}
				if out, err := exec.Command(openssl, "cms", "-verify", "-noverify", "-inform", "DER", "-in", file).CombinedOutput(); err != nil {
					t.Errorf("openssl: %v\n%s", err, out)
				}
			}
		})
	}
}

func TestSignAnnouncementNeedsAKeyThatCMSKnows(t *testing.T) {
	if _, err := signing.SignAnnouncement([]byte(announcement), keyOf(t, edKey), time.Now()); !errors.Is(err, signing.ErrPolicy) {
		t.Errorf("error %v", err)
	}
}
