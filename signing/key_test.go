package signing_test

import (
	"bytes"
	"crypto"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.mozilla.org/pkcs7"

	"github.com/ecogate/ecogate/signing"
)

func block(kind string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}

func credentialPEM(keys ...signing.Key) []byte {
	var out []byte
	for _, key := range keys {
		out = append(out, block("CERTIFICATE", key.Chain[0].Raw)...)
	}
	return out
}

func privatePEM(tb testing.TB, key any) []byte {
	tb.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		tb.Fatal(err)
	}
	return block("PRIVATE KEY", der)
}

func bundle(tb testing.TB, keys ...signing.Key) []byte {
	tb.Helper()
	var raw []byte
	for _, key := range keys {
		raw = append(raw, key.Chain[0].Raw...)
	}
	out, err := pkcs7.DegenerateCertificate(raw)
	if err != nil {
		tb.Fatal(err)
	}
	return out
}

func TestReadKey(t *testing.T) {
	rsaPair, ecPair, other := keyOf(t, rsaKey), keyOf(t, p384Key), keyOf(t, otherRSAKey)
	pkcs1 := block("RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(rsaPair.Signer.(*rsa.PrivateKey)))
	der, err := x509.MarshalECPrivateKey(ecPair.Signer.(*ecdsa.PrivateKey))
	if err != nil {
		t.Fatal(err)
	}
	sec1 := append(block("EC PARAMETERS", []byte{6, 5, 43, 129, 4, 0, 34}), block("EC PRIVATE KEY", der)...)
	for _, test := range []struct {
		name       string
		key, chain []byte
		want       signing.Key
		length     int
	}{
		{"PKCS #8 RSA", privatePEM(t, rsaPair.Signer), credentialPEM(rsaPair), rsaPair, 1},
		{"PKCS #8 EC", privatePEM(t, ecPair.Signer), credentialPEM(ecPair, other), ecPair, 2},
		{"PKCS #1", pkcs1, credentialPEM(rsaPair), rsaPair, 1},
		{"SEC 1 with parameters", sec1, credentialPEM(ecPair), ecPair, 1},
		{"its credential last", pkcs1, credentialPEM(other, ecPair, rsaPair), rsaPair, 3},
		{"PKCS #7 chain", pkcs1, bundle(t, other, rsaPair), rsaPair, 2},
		{"both in one file", append(slices.Clone(pkcs1), credentialPEM(rsaPair)...), append(slices.Clone(pkcs1), credentialPEM(rsaPair)...), rsaPair, 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			key, err := readKey(test.key, test.chain)
			if err != nil {
				t.Fatal(err)
			}
			if len(key.Chain) != test.length || !key.Chain[0].Equal(test.want.Chain[0]) {
				t.Errorf("%d credentials, first %q", len(key.Chain), key.Chain[0].Subject)
			}
			if _, _, err := signing.SignMessage([]byte(envelope), nil, key); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestReadKeyRefuses(t *testing.T) {
	pair, other, weak, p224 := keyOf(t, rsaKey), keyOf(t, otherRSAKey), keyOf(t, weakRSAKey), keyOf(t, p224Key)
	exchange, err := ecdh.X25519().GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	key := privatePEM(t, pair.Signer)
	sealed, err := signing.WritePrivateKey(pair.Signer, []byte("secret"))
	if err != nil {
		t.Fatal(err)
	}
	legacy := bytes.Replace(block("RSA PRIVATE KEY", []byte{1}), []byte("KEY-----\n"), []byte("KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: DES-CBC,00\n\n"), 1)
	for _, test := range []struct {
		name       string
		key, chain []byte
		want       error
		text       string
	}{
		{"no key", credentialPEM(pair), credentialPEM(pair), signing.ErrMalformed, "no private key, found CERTIFICATE"},
		{"damaged key", block("PRIVATE KEY", []byte{1}), credentialPEM(pair), signing.ErrMalformed, "reading PRIVATE KEY"},
		{"encrypted key", sealed, credentialPEM(pair), signing.ErrPassphrase, "no passphrase is given"},
		{"damaged encrypted key", block("ENCRYPTED PRIVATE KEY", []byte{1}), credentialPEM(pair), signing.ErrMalformed, "reading ENCRYPTED PRIVATE KEY"},
		{"encrypted key of old", legacy, credentialPEM(pair), signing.ErrMalformed, "openssl pkcs8 -topk8"},
		{"two keys", append(slices.Clone(key), key...), credentialPEM(pair), signing.ErrMalformed, "more than one private key"},
		{"no credential", key, key, signing.ErrMalformed, "no credential"},
		{"credential of another key", key, credentialPEM(other), signing.ErrKey, "no credential belongs to the private key"},
		{"RSA of 1024 bits", privatePEM(t, weak.Signer), credentialPEM(weak), signing.ErrPolicy, "1024 bits"},
		{"P-224", privatePEM(t, p224.Signer), credentialPEM(p224), signing.ErrPolicy, "curve other than"},
		{"key agreement", privatePEM(t, exchange), credentialPEM(pair), signing.ErrPolicy, "does not sign"},
		{"key of OpenSSH", block("OPENSSH PRIVATE KEY", []byte{1}), credentialPEM(pair), signing.ErrMalformed, "OPENSSH PRIVATE KEY is not read"},
		{"DER", []byte{0x30, 0}, credentialPEM(pair), signing.ErrMalformed, "found DER"},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := readKey(test.key, test.chain)
			if !errors.Is(err, test.want) || !strings.Contains(err.Error(), test.text) {
				t.Errorf("got %v, want %v with %q", err, test.want, test.text)
			}
		})
	}
}

func TestReadCredentials(t *testing.T) {
	one, two := keyOf(t, p256Key), keyOf(t, rsaKey)
	both := slices.Concat(one.Chain[0].Raw, two.Chain[0].Raw)
	text := base64.StdEncoding.EncodeToString(one.Chain[0].Raw)
	for _, test := range []struct {
		name string
		data []byte
		want []*x509.Certificate
	}{
		{"PEM", append([]byte("subject=/CN=x\n"), credentialPEM(one, two)...), []*x509.Certificate{one.Chain[0], two.Chain[0]}},
		{"DER", one.Chain[0].Raw, one.Chain},
		{"DER, two", both, []*x509.Certificate{one.Chain[0], two.Chain[0]}},
		{"PKCS #7", bundle(t, one, two), []*x509.Certificate{one.Chain[0], two.Chain[0]}},
		{"PKCS #7 in PEM", block("PKCS7", bundle(t, one, two)), []*x509.Certificate{one.Chain[0], two.Chain[0]}},
		{"base64", []byte(text), one.Chain},
		{"base64 in lines", []byte("\r\n" + text[:64] + "\r\n  " + text[64:] + "\n"), one.Chain},
		{"base64 of PKCS #7", []byte(base64.StdEncoding.EncodeToString(bundle(t, two))), two.Chain},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, err := signing.ReadCredentials(test.data)
			if err != nil {
				t.Fatal(err)
			}
			if !slices.EqualFunc(got, test.want, (*x509.Certificate).Equal) {
				t.Errorf("got %d credentials, want %d", len(got), len(test.want))
			}
		})
	}
}

func TestReadCredentialsRefuses(t *testing.T) {
	one := keyOf(t, p256Key)
	for _, test := range []struct {
		name string
		data []byte
	}{
		{"nothing", nil},
		{"text", []byte("not a credential")},
		{"no credential in PEM", privatePEM(t, one.Signer)},
		{"damaged PEM", block("CERTIFICATE", one.Chain[0].Raw[:100])},
		{"second one damaged", append(credentialPEM(one), block("CERTIFICATE", []byte{0x30})...)},
		{"cut short", one.Chain[0].Raw[:len(one.Chain[0].Raw)-1]},
		{"trailing octets", append(slices.Clone(one.Chain[0].Raw), 0)},
		{"PKCS #7 without credentials", bundle(t)},
		{"too long", make([]byte, 1<<20+1)},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, err := signing.ReadCredentials(test.data)
			if !errors.Is(err, signing.ErrMalformed) {
				t.Errorf("%d credentials, %v", len(got), err)
			}
		})
	}
}

func TestFingerprint(t *testing.T) {
	// SHA-256 of the octet "a".
	const want = "ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb"
	if got := signing.Fingerprint(&x509.Certificate{Raw: []byte("a")}); got != want {
		t.Errorf("got %s", got)
	}
}

// FuzzReadCredentials looks for panics and for success without a credential.
func FuzzReadCredentials(f *testing.F) {
	one, two := keyOf(f, p256Key), keyOf(f, p521Key)
	f.Add(credentialPEM(one, two))
	f.Add(one.Chain[0].Raw)
	f.Add(bundle(f, one, two))
	f.Add(block("PKCS7", bundle(f, one)))
	f.Add([]byte(base64.StdEncoding.EncodeToString(one.Chain[0].Raw)))
	f.Fuzz(func(t *testing.T, data []byte) {
		credentials, err := signing.ReadCredentials(data)
		if err == nil && (len(credentials) == 0 || slices.Contains(credentials, nil)) {
			t.Fatalf("%q gives %v", data, credentials)
		}
		if err != nil && !errors.Is(err, signing.ErrMalformed) {
			t.Fatalf("%q: %v", data, err)
		}
	})
}

func TestEncryptedKeyIsReadUnderItsPassphrase(t *testing.T) {
	for name, make := range map[string]func() (crypto.Signer, error){"RSA": rsaKey, "P-521": p521Key, "Ed25519": edwardsKey} {
		t.Run(name, func(t *testing.T) {
			key := keyOf(t, make)
			sealed, err := signing.WritePrivateKey(key.Signer, []byte("secret"))
			if err != nil {
				t.Fatal(err)
			}
			got, err := signing.ReadPrivateKey(sealed, []byte("secret"))
			if err != nil || !samePrivate(got, key.Signer) {
				t.Errorf("its passphrase: %v", err)
			}
			for _, wrong := range []string{"", "Secret"} {
				if _, err := signing.ReadPrivateKey(sealed, []byte(wrong)); !errors.Is(err, signing.ErrPassphrase) {
					t.Errorf("passphrase %q: %v", wrong, err)
				}
			}
			plain, err := signing.WritePrivateKey(key.Signer, nil)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := signing.ReadPrivateKey(plain, []byte("secret")); !errors.Is(err, signing.ErrPassphrase) {
				t.Errorf("a passphrase for a key that is not encrypted: %v", err)
			}
		})
	}
}

// TestHostileKeyFilesAreRefused reads ../testdata/hostile/keys: each file says in a header of its PEM what must be said of it.
func TestHostileKeyFilesAreRefused(t *testing.T) {
	files, err := filepath.Glob("../testdata/hostile/keys/*.pem")
	if err != nil || len(files) < 5 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	for _, path := range files {
		t.Run(filepath.Base(path), func(t *testing.T) {
			text := read(t, path)
			want := keyExpectation.FindSubmatch(text)
			if want == nil {
				t.Fatal("no expect: line")
			}
			_, err := signing.ReadPrivateKey(text, []byte("secret"))
			if wrong := (*signing.Error)(nil); !errors.As(err, &wrong) || !strings.Contains(err.Error(), string(want[1])) {
				t.Errorf("got %v, want %q", err, want[1])
			}
		})
	}
}

var keyExpectation = regexp.MustCompile(`(?m)^expect: (.+)$`)

// FuzzReadPrivateKey looks for panics and for a key that may not sign.
func FuzzReadPrivateKey(f *testing.F) {
	files, err := filepath.Glob("../testdata/hostile/keys/*.pem")
	if err != nil {
		f.Fatal(err)
	}
	for _, path := range files {
		f.Add(read(f, path), "secret")
	}
	f.Add(privatePEM(f, keyOf(f, p256Key).Signer), "")
	f.Fuzz(func(t *testing.T, data []byte, passphrase string) {
		signer, err := signing.ReadPrivateKey(data, []byte(passphrase))
		if err == nil && signer == nil {
			t.Fatal("no key")
		}
		if wrong := (*signing.Error)(nil); err != nil && !errors.As(err, &wrong) {
			t.Fatalf("%T: %v", err, err)
		}
	})
}

// TestBundlesOfOpenSSLAreRead reads .p7b and .p7c files with several credentials, in any order, and finds the key's own.
func TestBundlesOfOpenSSLAreRead(t *testing.T) {
	openssl := tool(t, "openssl")
	own, others := keyOf(t, rsaKey), []signing.Key{keyOf(t, p256Key), keyOf(t, p384Key), keyOf(t, edwardsKey)}
	for _, order := range [][]signing.Key{{own, others[0], others[1], others[2]}, {others[2], others[0], own, others[1]}} {
		pemFile := write(t, "all.pem", credentialPEM(order...))
		der, err := exec.Command(openssl, "crl2pkcs7", "-nocrl", "-certfile", pemFile, "-outform", "DER").Output()
		if err != nil {
			t.Fatal(err)
		}
		text, err := exec.Command(openssl, "crl2pkcs7", "-nocrl", "-certfile", pemFile).Output()
		if err != nil {
			t.Fatal(err)
		}
		for name, data := range map[string][]byte{
			"DER": der, "PEM": text, "PEM as CMS": block("CMS", der), "base64": []byte(base64.StdEncoding.EncodeToString(der)),
		} {
			key, err := readKey(privatePEM(t, own.Signer), data)
			if err != nil || len(key.Chain) != 4 || !key.Chain[0].Equal(own.Chain[0]) {
				t.Errorf("%s: %d credentials, %v", name, len(key.Chain), err)
			}
		}
	}
}

// readKey reads a private key that is not encrypted together with its credentials.
func readKey(keyPEM, chain []byte) (signing.Key, error) {
	private, err := signing.ReadPrivateKey(keyPEM, nil)
	if err != nil {
		return signing.Key{}, err
	}
	credentials, err := signing.ReadCredentials(chain)
	if err != nil {
		return signing.Key{}, err
	}
	return signing.NewKey(private, credentials)
}
