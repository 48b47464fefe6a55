//go:build pkcs11

package signing_test

import (
	"crypto"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"errors"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/ThalesGroup/crypto11"

	"github.com/ecogate/ecogate/internal/pkitest"
	"github.com/ecogate/ecogate/signing"
)

// TestPKCS11KeysSignInTheToken makes keys in SoftHSM and signs with them.
func TestPKCS11KeysSignInTheToken(t *testing.T) {
	hsm := pkitest.NewToken(t)
	maker, err := crypto11.Configure(&crypto11.Config{Path: hsm.Module, TokenLabel: hsm.Label, Pin: hsm.PIN})
	if err != nil {
		t.Fatal(err)
	}
	made := func(_ crypto11.Signer, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	rsaMade := func(id, label string, bits int) {
		t.Helper()
		_, err := maker.GenerateRSAKeyPairWithLabel([]byte(id), []byte(label), bits)
		made(nil, err)
	}
	rsaMade("\x01", "rsa", 2048)
	rsaMade("\x02", "weak", 1024)
	made(maker.GenerateECDSAKeyPairWithLabel([]byte{3}, []byte("p-256"), elliptic.P256()))
	made(maker.GenerateECDSAKeyPairWithLabel([]byte{4}, []byte("p-384"), elliptic.P384()))
	made(maker.GenerateECDSAKeyPairWithLabel([]byte{5}, []byte("same"), elliptic.P256()))
	made(maker.GenerateECDSAKeyPairWithLabel([]byte{6}, []byte("same"), elliptic.P256()))
	if err := maker.Close(); err != nil { // its login would let every PIN pass
		t.Fatal(err)
	}

	for _, test := range []struct {
		name, module, label, pin string
		want                     error
		text                     string
	}{
		{"no such module", "/no/such.so", hsm.Label, hsm.PIN, signing.ErrKey, "opening the token"},
		{"no such token", hsm.Module, "other", hsm.PIN, signing.ErrKey, "opening the token"},
		{"wrong PIN", hsm.Module, hsm.Label, "999999", signing.ErrPassphrase, "does not take the PIN"},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := signing.OpenToken(test.module, test.label, []byte(test.pin))
			if !errors.Is(err, test.want) || !strings.Contains(err.Error(), test.text) {
				t.Errorf("got %v, want %v with %q", err, test.want, test.text)
			}
		})
	}

	token, err := signing.OpenToken(hsm.Module, hsm.Label, []byte(hsm.PIN))
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name, id, label string
		want            error
	}{
		{"RSA by label", "", "rsa", nil},
		{"RSA by id", "\x01", "", nil},
		{"P-256 by both", "\x03", "p-256", nil},
		{"P-384", "", "p-384", nil},
		{"one of two by id", "\x06", "same", nil},
		{"RSA of 1024 bits", "", "weak", signing.ErrPolicy},
		{"no such label", "", "other", signing.ErrKey},
		{"id of another", "\x01", "p-256", signing.ErrKey},
		{"two of one label", "", "same", signing.ErrKey},
		{"nothing asked for", "", "", signing.ErrKey},
	} {
		t.Run(test.name, func(t *testing.T) {
			signer, err := token.Key([]byte(test.id), test.label)
			if !errors.Is(err, test.want) {
				t.Fatalf("got %v, want %v", err, test.want)
			}
			if err == nil {
				signsInTheToken(t, signer)
			}
		})
	}

	for _, made := range []func() (crypto.Signer, error){
		func() (crypto.Signer, error) { return token.MakeRSA([]byte{0x11}, "made rsa", 2048) },
		func() (crypto.Signer, error) { return token.MakeECDSA([]byte{0x12}, "made ec", elliptic.P384()) },
	} {
		signer, err := made()
		if err != nil {
			t.Fatal(err)
		}
		signsInTheToken(t, signer)
	}
	for name, made := range map[string]func() (crypto.Signer, error){
		"id is taken":    func() (crypto.Signer, error) { return token.MakeRSA([]byte{1}, "new", 2048) },
		"label is taken": func() (crypto.Signer, error) { return token.MakeECDSA([]byte{0x13}, "rsa", elliptic.P256()) },
		"no id":          func() (crypto.Signer, error) { return token.MakeRSA(nil, "new", 2048) },
		"no label":       func() (crypto.Signer, error) { return token.MakeRSA([]byte{0x13}, "", 2048) },
	} {
		if _, err := made(); !errors.Is(err, signing.ErrKey) {
			t.Errorf("%s: %v", name, err)
		}
	}

	signer, err := token.Key(nil, "p-256")
	if err != nil {
		t.Fatal(err)
	}
	// Nothing but the key refers to the token any more.
	token = nil
	runtime.GC()
	runtime.GC()
	signsInTheToken(t, signer)

	// When nothing refers to it, the login ends: a wrong PIN is asked for again, and not taken.
	signer = nil
	for range 1000 {
		for range 3 {
			runtime.GC()
			runtime.Gosched()
		}
		if _, err := signing.OpenToken(hsm.Module, hsm.Label, []byte("999999")); errors.Is(err, signing.ErrPassphrase) {
			return
		}
	}
	t.Error("the token is still open")
}

// signsInTheToken signs messages side by side and verifies them.
func signsInTheToken(t *testing.T, signer crypto.Signer) {
	t.Helper()
	x509Cert := credentialOf(t, signer)
	key, err := signing.NewKey(signer, []*x509.Certificate{credentialOf(t, keyOf(t, p521Key).Signer), x509Cert})
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			signed, _, err := signing.SignMessage([]byte(envelope), nil, key)
			if err != nil {
				t.Error(err)
				return
			}
			if _, err := signing.VerifyMessage(signed, nil, key.Chain[:1], signing.Policy{}); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if _, err := x509.CreateCertificateRequest(rand.Reader, new(x509.CertificateRequest), signer); err != nil {
		t.Errorf("certification request: %v", err)
	}
}
