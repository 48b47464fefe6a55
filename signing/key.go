package signing

import (
	"bytes"
	"crypto"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/pem"
	"slices"

	"go.mozilla.org/pkcs7"
)

// maxCredentials is the length in octets of what ReadCredentials reads, enough for the bundle of a whole region.
const maxCredentials = 1 << 20

// Fingerprint gives the SHA-256 of a credential as 64 lower-case hexadecimal digits.
func Fingerprint(x509Cert *x509.Certificate) string {
	digest := sha256.Sum256(x509Cert.Raw)
	return hex.EncodeToString(digest[:])
}

// ReadKey reads a private key from PEM (PKCS #8, PKCS #1 or SEC 1, not encrypted) and its credentials from anything that
// [ReadCredentials] reads. The credential of the key may stand anywhere among them (PKCS #7 has no order) and becomes
// Chain[0]; the others keep their order. An RSA key has at least 2048 bits, an ECDSA key is on P-256, P-384 or P-521. The
// error is an [*Error] of kind ErrMalformed, ErrPolicy or ErrKey.
func ReadKey(keyPEM, chain []byte) (Key, error) {
	private, err := readPrivateKey(keyPEM)
	if err != nil {
		return Key{}, err
	}
	credentials, err := ReadCredentials(chain)
	if err != nil {
		return Key{}, err
	}
	own := slices.IndexFunc(credentials, func(c *x509.Certificate) bool { return belong(private, c) })
	if own < 0 {
		return Key{}, fail(ErrKey, "none of the %d credentials belongs to the private key", len(credentials))
	}
	key := Key{Signer: private, Chain: []*x509.Certificate{credentials[own]}}
	key.Chain = append(key.Chain, slices.Delete(credentials, own, own+1)...)
	return key, key.check()
}

// check tells whether a key can sign.
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

// readPrivateKey reads the only private key of a PEM text; other blocks, such as EC PARAMETERS or credentials, may stand
// beside it.
func readPrivateKey(text []byte) (crypto.Signer, error) {
	var key crypto.Signer
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		var parsed any
		var err error
		switch block.Type {
		case "PRIVATE KEY":
			parsed, err = x509.ParsePKCS8PrivateKey(block.Bytes)
		case "RSA PRIVATE KEY":
			parsed, err = x509.ParsePKCS1PrivateKey(block.Bytes)
		case "EC PRIVATE KEY":
			parsed, err = x509.ParseECPrivateKey(block.Bytes)
		case "ENCRYPTED PRIVATE KEY":
			return nil, fail(ErrMalformed, "the private key is encrypted: decrypt it, for example with openssl pkcs8")
		default:
			continue
		}
		if block.Headers["DEK-Info"] != "" {
			return nil, fail(ErrMalformed, "the private key is encrypted: decrypt it, for example with openssl pkey")
		}
		if err != nil {
			return nil, &Error{Kind: ErrMalformed, Reason: "reading " + block.Type, Cause: err}
		}
		signer, ok := parsed.(crypto.Signer)
		if !ok {
			return nil, fail(ErrPolicy, "private key of type %T does not sign", parsed)
		}
		if key != nil {
			return nil, fail(ErrMalformed, "there is more than one private key")
		}
		key = signer
	}
	if key == nil {
		return nil, fail(ErrMalformed, "there is no private key in PEM")
	}
	return key, nil
}

// ReadCredentials reads one or more X.509 credentials: PEM (with any other blocks and text around them), DER one after the
// other, PKCS #7 bundles (.p7b, .p7c) in PEM or DER, or base64 of either without PEM's lines. They keep their order.
// Nothing is checked but that they parse. At most 1 MiB is read; the error is an [*Error] of kind ErrMalformed.
func ReadCredentials(data []byte) ([]*x509.Certificate, error) {
	if len(data) > maxCredentials {
		return nil, fail(ErrMalformed, "credentials of more than %d octets", maxCredentials)
	}
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
	bundle, bundleErr := pkcs7.Parse(der)
	if bundleErr == nil && len(bundle.Certificates) > 0 {
		return bundle.Certificates, nil
	}
	if bundleErr == nil {
		return nil, fail(ErrMalformed, "PKCS #7 without credentials")
	}
	return nil, &Error{Kind: ErrMalformed, Reason: "neither X.509 credentials nor PKCS #7", Cause: err}
}
