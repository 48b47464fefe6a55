package signing

import (
	"bytes"
	"crypto"
	"crypto/sha256"
	"crypto/x509"
	"encoding/asn1"
	"encoding/base64"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"slices"
	"strings"
)

// maxCredentials is the length in octets of what ReadCredentials reads, enough for the bundle of a whole region.
const maxCredentials = 1 << 20

// Fingerprint gives the SHA-256 of a credential as 64 lower-case hexadecimal digits.
func Fingerprint(x509Cert *x509.Certificate) string {
	digest := sha256.Sum256(x509Cert.Raw)
	return hex.EncodeToString(digest[:])
}

// NewKey puts a private key, in memory or in a token, together with its credentials. The credential of the key may stand
// anywhere among them (PKCS #7 and PKCS #12 have no order) and becomes Chain[0]; the others keep their order. An RSA key has
// 2048 to 8192 bits, an ECDSA key is on P-256, P-384 or P-521; the third kind is Ed25519. The error is an [*Error] of kind
// ErrPolicy, or ErrKey if none of the credentials belongs to the key.
func NewKey(signer crypto.Signer, credentials []*x509.Certificate) (Key, error) {
	if _, err := keyAlgorithm(signer.Public()); err != nil {
		return Key{}, err
	}
	own := slices.IndexFunc(credentials, func(c *x509.Certificate) bool { return belong(signer, c) })
	if own < 0 {
		found := "there is none"
		if len(credentials) > 0 {
			found = fmt.Sprintf("the first of %d is that of %q", len(credentials), credentials[0].Subject)
		}
		return Key{}, fail(ErrKey, "no credential belongs to the private key: %s", found)
	}
	key := Key{Signer: signer, Chain: []*x509.Certificate{credentials[own]}}
	key.Chain = append(key.Chain, credentials[:own]...)
	key.Chain = append(key.Chain, credentials[own+1:]...)
	return key, nil
}

// ReadPrivateKey reads the only private key of a PEM text: PKCS #8 (RFC 5208), encrypted under the passphrase (PBES2, RFC
// 8018 §6.2) or not, PKCS #1 or SEC 1. Other blocks, such as EC PARAMETERS or credentials, may stand beside it. A passphrase
// that a key does not need is an error, because somebody believes the key to be protected. The kinds of key are those of
// [NewKey]; the error is an [*Error] of kind ErrMalformed, ErrPassphrase or ErrPolicy.
func ReadPrivateKey(text, passphrase []byte) (crypto.Signer, error) {
	var keys []*pem.Block
	var others []string
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		if block.Type == "PRIVATE KEY" || strings.HasSuffix(block.Type, " PRIVATE KEY") {
			keys = append(keys, block)
		} else {
			others = append(others, block.Type)
		}
	}
	switch {
	case len(keys) > 1:
		return nil, fail(ErrMalformed, "there is more than one private key")
	case len(keys) == 1:
		return readPrivateBlock(keys[0], passphrase)
	case len(others) > 0:
		return nil, fail(ErrMalformed, "there is no private key, found %s", strings.Join(others, ", "))
	case len(text) > 0 && text[0] == derSequence:
		return nil, fail(ErrMalformed, "there is no private key in PEM, found DER: PKCS #12 is read as such, another key first becomes PEM (openssl pkey -inform DER)")
	}
	return nil, fail(ErrMalformed, "there is no private key in PEM")
}

// derSequence begins every DER structure that a file holds here.
const derSequence = 0x30

func readPrivateBlock(block *pem.Block, passphrase []byte) (crypto.Signer, error) {
	var parsed any
	var err error
	switch {
	case block.Headers["DEK-Info"] != "":
		return nil, fail(ErrMalformed, "the private key is encrypted in the form of old, which anybody can change unseen: bring it to PKCS #8, for example with openssl pkcs8 -topk8")
	case block.Type == "ENCRYPTED PRIVATE KEY":
		plain, err := openPBES2(block.Bytes, passphrase)
		if err != nil {
			return nil, err
		}
		if parsed, err = x509.ParsePKCS8PrivateKey(plain); err != nil {
			if unmarshalAll(plain, new(asn1.RawValue)) == nil {
				return nil, &Error{Kind: ErrMalformed, Reason: "reading the decrypted private key", Cause: err}
			}
			// A wrong passphrase leaves padding that looks right once in 256 times.
			return nil, &Error{Kind: ErrPassphrase, Reason: "the passphrase does not open the private key", Cause: err}
		}
		return asSigner(parsed)
	case len(passphrase) > 0:
		return nil, fail(ErrPassphrase, "the private key is not encrypted, yet a passphrase is given")
	case block.Type == "PRIVATE KEY":
		parsed, err = x509.ParsePKCS8PrivateKey(block.Bytes)
	case block.Type == "RSA PRIVATE KEY":
		parsed, err = x509.ParsePKCS1PrivateKey(block.Bytes)
	case block.Type == "EC PRIVATE KEY":
		parsed, err = x509.ParseECPrivateKey(block.Bytes)
	default:
		return nil, fail(ErrMalformed, "%s is not read; bring it to PKCS #8, for example with openssl pkcs8 -topk8", block.Type)
	}
	if err != nil {
		return nil, &Error{Kind: ErrMalformed, Reason: "reading " + block.Type, Cause: err}
	}
	return asSigner(parsed)
}

// asSigner gives what was parsed if it may sign.
func asSigner(parsed any) (crypto.Signer, error) {
	signer, ok := parsed.(crypto.Signer)
	if !ok {
		return nil, fail(ErrPolicy, "private key of type %T does not sign", parsed)
	}
	_, err := keyAlgorithm(signer.Public())
	return signer, err
}

// Passphrase gives the passphrase or PIN that a file holds on its only line: all of the file but the end of that line. The
// error is an [*Error] of kind ErrPassphrase and does not repeat what was read.
func Passphrase(text []byte) ([]byte, error) {
	secret := bytes.TrimSuffix(bytes.TrimSuffix(text, []byte("\n")), []byte("\r"))
	switch {
	case len(secret) == 0:
		return nil, fail(ErrPassphrase, "expected one line, found none")
	case bytes.ContainsAny(secret, "\r\n"):
		return nil, fail(ErrPassphrase, "expected one line, found more")
	}
	return secret, nil
}

// WritePrivateKey writes a private key in memory as PEM, PKCS #8, encrypted if there is a passphrase (PBES2 with PBKDF2 of
// HMAC-SHA-256 and AES-256-CBC, RFC 8018 §6.2). The error is an [*Error] of kind ErrKey.
func WritePrivateKey(signer crypto.Signer, passphrase []byte) ([]byte, error) {
	der, err := x509.MarshalPKCS8PrivateKey(signer)
	if err != nil {
		return nil, &Error{Kind: ErrKey, Reason: "writing PKCS #8", Cause: err}
	}
	block := &pem.Block{Type: "PRIVATE KEY", Bytes: der}
	if len(passphrase) > 0 {
		block.Type = "ENCRYPTED PRIVATE KEY"
		if block.Bytes, err = sealPBES2(der, passphrase); err != nil {
			return nil, &Error{Kind: ErrKey, Reason: "encrypting PKCS #8", Cause: err}
		}
	}
	return pem.EncodeToMemory(block), nil
}

// check tells whether a key can make XML signatures.
func (k Key) check() error {
	switch {
	case k.Signer == nil:
		return fail(ErrKey, "there is no private key")
	case len(k.Chain) == 0 || k.Chain[0] == nil:
		return fail(ErrKey, "the private key has no credential")
	case !belong(k.Signer, k.Chain[0]):
		return fail(ErrKey, "credential %q does not belong to the private key", k.Chain[0].Subject)
	}
	_, err := keyAlgorithm(k.Signer.Public())
	return err
}

// belong tells whether a credential is for the key.
func belong(signer crypto.Signer, x509Cert *x509.Certificate) bool {
	public, ok := signer.Public().(interface{ Equal(crypto.PublicKey) bool })
	return ok && public.Equal(x509Cert.PublicKey)
}

// ReadCredentials reads one or more X.509 credentials: PEM (with any other blocks and text around them), DER one after the
// other, PKCS #7 bundles (.p7b, .p7c) in PEM or DER, or base64 of either without PEM's lines. They keep their order.
// Nothing is checked but that they parse. At most 1 MiB is read; the error is an [*Error] of kind ErrMalformed.
func ReadCredentials(data []byte) ([]*x509.Certificate, error) {
	if len(data) > maxCredentials {
		return nil, fail(ErrMalformed, "credentials of more than %d octets", maxCredentials)
	}
	credentials, err := readCredentials(data)
	if err == nil {
		return credentials, nil
	}
	if words := instead(data); words != "" {
		return nil, fail(ErrMalformed, "there is no credential: %s", words)
	}
	return nil, err
}

func readCredentials(data []byte) ([]*x509.Certificate, error) {
	if bytes.Contains(data, []byte("-----BEGIN")) {
		return readPEM(data)
	}
	der := data
	if text, err := base64.StdEncoding.DecodeString(withoutSpace(string(data))); err == nil {
		der = text
	}
	return readDER(der)
}

func readPEM(text []byte) ([]*x509.Certificate, error) {
	var credentials []*x509.Certificate
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		switch block.Type {
		case "CERTIFICATE", "X509 CERTIFICATE", "PKCS7", "CMS":
			more, err := readDER(block.Bytes)
			if err != nil {
				return nil, err
			}
			credentials = append(credentials, more...)
		}
	}
	if len(credentials) == 0 {
		return nil, fail(ErrMalformed, "there is no credential in PEM")
	}
	return credentials, nil
}

func readDER(der []byte) ([]*x509.Certificate, error) {
	credentials, err := x509.ParseCertificates(der)
	if err == nil && len(credentials) > 0 {
		return credentials, nil
	}
	bundle, bundleErr := parseCMS(der)
	if bundleErr == nil && len(bundle.Certificates) > 0 {
		return bundle.Certificates, nil
	}
	if bundleErr == nil {
		return nil, fail(ErrMalformed, "PKCS #7 without credentials")
	}
	return nil, &Error{Kind: ErrMalformed, Reason: "neither X.509 credentials nor PKCS #7", Cause: err}
}
