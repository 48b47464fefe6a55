package signing_test

import (
	"bytes"
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"encoding/asn1"
	"errors"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"software.sslmate.com/src/go-pkcs12"

	"github.com/ecogate/ecogate/signing"
)

var edwardsKey = sync.OnceValues(func() (crypto.Signer, error) {
	_, key, err := ed25519.GenerateKey(rand.Reader)
	return key, err
})

func pkcs12Of(tb testing.TB, encoder *pkcs12.Encoder, key signing.Key, others []*x509.Certificate, passphrase string) []byte {
	tb.Helper()
	out, err := encoder.Encode(key.Signer, key.Chain[0], others, passphrase)
	if err != nil {
		tb.Fatal(err)
	}
	return out
}

func TestPKCS12IsRead(t *testing.T) {
	rsaPair, ecPair, edwards := keyOf(t, rsaKey), keyOf(t, p521Key), keyOf(t, edwardsKey)
	ca := keyOf(t, otherRSAKey).Chain
	for _, test := range []struct {
		name       string
		data       []byte
		passphrase string
		want       signing.Key
	}{
		{"modern", pkcs12Of(t, pkcs12.Modern2023, rsaPair, ca, "Schlüssel"), "Schlüssel", rsaPair},
		{"with PBMAC1", pkcs12Of(t, pkcs12.Modern2026, ecPair, ca, "secret"), "secret", ecPair},
		{"of old, 3DES", pkcs12Of(t, pkcs12.LegacyDES, ecPair, ca, "secret"), "secret", ecPair},
		{"of old, RC2", pkcs12Of(t, pkcs12.LegacyRC2, rsaPair, ca, "secret"), "secret", rsaPair},
		{"Ed25519", pkcs12Of(t, pkcs12.Modern2023, edwards, ca, "secret"), "secret", edwards},
		{"without passphrase", pkcs12Of(t, pkcs12.Passwordless, ecPair, ca, ""), "", ecPair},
		{"its credential last", pkcs12Of(t, pkcs12.Modern2023, signing.Key{Signer: rsaPair.Signer, Chain: ca}, rsaPair.Chain, "secret"), "secret", rsaPair},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, err := signing.ReadPKCS12(test.data, []byte(test.passphrase))
			if err != nil {
				t.Fatal(err)
			}
			if !samePrivate(got.Signer, test.want.Signer) || len(got.Chain) != 2 || !got.Chain[0].Equal(test.want.Chain[0]) || !got.Chain[1].Equal(ca[0]) {
				t.Errorf("got %T with %d credentials", got.Signer, len(got.Chain))
			}
		})
	}
}

func samePrivate(a, b crypto.Signer) bool {
	private, ok := a.(interface{ Equal(crypto.PrivateKey) bool })
	return ok && private.Equal(b)
}

func TestPKCS12IsRefused(t *testing.T) {
	pair, other := keyOf(t, rsaKey), keyOf(t, otherRSAKey)
	valid := pkcs12Of(t, pkcs12.Modern2023, pair, nil, "secret")
	bag, err := asn1.Marshal(struct {
		Salt       []byte
		Iterations int
	}{[]byte("salt"), 1_000_000})
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name       string
		data       []byte
		passphrase string
		want       error
		text       string
	}{
		{"no passphrase", valid, "", signing.ErrPassphrase, "no passphrase is given"},
		{"wrong passphrase", valid, "Secret", signing.ErrPassphrase, "does not open"},
		{"changed", append(slices.Clone(valid[:len(valid)-1]), valid[len(valid)-1]^1), "secret", signing.ErrPassphrase, "or the file was changed"},
		{"cut short", valid[:len(valid)-1], "secret", signing.ErrMalformed, "not PKCS #12"},
		{"a credential", pair.Chain[0].Raw, "secret", signing.ErrMalformed, "not PKCS #12"},
		{"PEM", privatePEM(t, pair.Signer), "", signing.ErrMalformed, "not PKCS #12"},
		{"too long", make([]byte, 1<<20+1), "", signing.ErrMalformed, "more than"},
		{"another key's credential", pkcs12Of(t, pkcs12.Modern2023, signing.Key{Signer: pair.Signer, Chain: other.Chain}, nil, "secret"), "secret", signing.ErrKey, "no credential belongs"},
		{"RSA of 1024 bits", pkcs12Of(t, pkcs12.Modern2023, keyOf(t, weakRSAKey), nil, "secret"), "secret", signing.ErrPolicy, "1024 bits"},
		{"work without end", raiseIterations(t, valid), "secret", signing.ErrPolicy, "more than 10000000 iterations"},
		{"work that many bags share", pfxOf(t, bytes.Repeat(bag, 11)), "secret", signing.ErrPolicy, "more than 10000000 iterations"},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := signing.ReadPKCS12(test.data, []byte(test.passphrase))
			if !errors.Is(err, test.want) || !strings.Contains(err.Error(), test.text) {
				t.Errorf("got %v, want %v with %q", err, test.want, test.text)
			}
		})
	}
}

func TestKeysOfOpenSSLAreRead(t *testing.T) {
	openssl := tool(t, "openssl")
	passphrase := "pass:correct horse"
	for name, make := range map[string]func() (crypto.Signer, error){"RSA": rsaKey, "P-384": p384Key, "Ed25519": edwardsKey} {
		t.Run(name, func(t *testing.T) {
			key := keyOf(t, make)
			private, credential := keyFiles(t, key)
			for _, form := range [][]string{{}, {"-v2", "aes-128-cbc", "-v2prf", "hmacWithSHA512"}, {"-iter", "100000"}} {
				args := append([]string{"pkcs8", "-topk8", "-in", private, "-passout", passphrase}, form...)
				out, err := exec.Command(openssl, args...).Output()
				if err != nil {
					t.Fatal(err)
				}
				got, err := signing.ReadPrivateKey(out, []byte("correct horse"))
				if err != nil || !samePrivate(got, key.Signer) {
					t.Errorf("PKCS #8 %v: %v", form, err)
				}
			}
			out, err := exec.Command(openssl, "pkcs12", "-export", "-inkey", private, "-in", credential, "-passout", passphrase).Output()
			if err != nil {
				t.Fatal(err)
			}
			got, err := signing.ReadPKCS12(out, []byte("correct horse"))
			if err != nil || !samePrivate(got.Signer, key.Signer) {
				t.Errorf("PKCS #12: %v", err)
			}
		})
	}
}

func TestOpenSSLReadsOurEncryptedKeys(t *testing.T) {
	openssl := tool(t, "openssl")
	key := keyOf(t, p256Key)
	sealed, err := signing.WritePrivateKey(key.Signer, []byte("correct horse"))
	if err != nil {
		t.Fatal(err)
	}
	file := write(t, "key.pem", sealed)
	out, err := exec.Command(openssl, "pkcs8", "-in", file, "-passin", "pass:correct horse").Output()
	if err != nil || !bytes.Equal(bytes.TrimSpace(out), bytes.TrimSpace(privatePEM(t, key.Signer))) {
		t.Errorf("got %s, %v", out, err)
	}
	if err := exec.Command(openssl, "pkcs8", "-in", file, "-passin", "pass:wrong", "-out", filepath.Join(t.TempDir(), "x")).Run(); err == nil {
		t.Error("the wrong passphrase opens it")
	}
}

// raiseIterations has PKCS #12 ask for more iterations than anybody can wait for, at the first place that is not encrypted.
func raiseIterations(tb testing.TB, data []byte) []byte {
	tb.Helper()
	var file pfx
	if _, err := asn1.Unmarshal(data, &file); err != nil {
		tb.Fatal(err)
	}
	file.Mac.Iterations = 1<<31 - 1
	out, err := asn1.Marshal(file)
	if err != nil {
		tb.Fatal(err)
	}
	return out
}

// pfxOf is a PFX with this content, whatever that is.
func pfxOf(tb testing.TB, content []byte) []byte {
	tb.Helper()
	out, err := asn1.Marshal(struct {
		Version int
		Safe    asn1.RawValue
	}{3, asn1.RawValue{Tag: asn1.TagSequence, IsCompound: true, Bytes: content}})
	if err != nil {
		tb.Fatal(err)
	}
	return out
}

type pfx struct {
	Version int
	Safe    asn1.RawValue
	Mac     struct {
		Digest     asn1.RawValue
		Salt       []byte
		Iterations int
	}
}

// FuzzReadPKCS12 looks for panics, for work without end, and for success without a key and its credential.
func FuzzReadPKCS12(f *testing.F) {
	key := keyOf(f, p256Key)
	for _, encoder := range []*pkcs12.Encoder{pkcs12.Modern2023, pkcs12.LegacyDES, pkcs12.LegacyRC2} {
		f.Add(pkcs12Of(f, encoder, key, key.Chain, "secret"), "secret")
	}
	f.Add(pkcs12Of(f, pkcs12.Passwordless, key, nil, ""), "")
	f.Fuzz(func(t *testing.T, data []byte, passphrase string) {
		got, err := signing.ReadPKCS12(data, []byte(passphrase))
		if err == nil && (got.Signer == nil || len(got.Chain) == 0) {
			t.Fatal("half a key")
		}
		if wrong := (*signing.Error)(nil); err != nil && !errors.As(err, &wrong) {
			t.Fatalf("%T: %v", err, err)
		}
	})
}
