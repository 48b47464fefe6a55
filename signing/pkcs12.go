package signing

import (
	"crypto/x509"
	"encoding/asn1"
	"encoding/base64"
	"errors"
	"math/big"

	"software.sslmate.com/src/go-pkcs12"
)

// ReadPKCS12 reads a private key with its credentials from PKCS #12 (RFC 7292, .p12 or .pfx), in the modern form (PBES2) or
// that of old (RC2, 3DES), DER only. The credentials may stand in any order; the key is put together with them as [NewKey]
// does. At most 1 MiB is read. The error is an [*Error] of kind ErrMalformed, ErrPassphrase, ErrPolicy or ErrKey.
func ReadPKCS12(data, passphrase []byte) (Key, error) {
	if len(data) > maxCredentials {
		return Key{}, fail(ErrMalformed, "PKCS #12 of more than %d octets", maxCredentials)
	}
	if !looksLikePKCS12(data) {
		return Key{}, fail(ErrMalformed, "not PKCS #12 in DER")
	}
	private, own, others, err := decodePKCS12(data, passphrase)
	if err != nil {
		return Key{}, err
	}
	signer, err := asSigner(private)
	if err != nil {
		return Key{}, err
	}
	return NewKey(signer, append(others[:len(others):len(others)], own))
}

// ReadPKCS12Credentials reads the credentials alone from PKCS #12, in DER or base64 of it, which somebody sent in the place of a
// credential. hasKey says that a private key is with them. It gives none, and no error, for data that is no PKCS #12. At most 1 MiB is read;
// the error is an [*Error] of kind ErrMalformed, ErrPassphrase or ErrPolicy.
func ReadPKCS12Credentials(data, passphrase []byte) (list []*x509.Certificate, hasKey bool, err error) {
	if len(data) > maxCredentials {
		return nil, false, nil
	}
	if onlyBase64.Match(data) {
		if der, err := base64.StdEncoding.DecodeString(withoutSpace(string(data))); err == nil {
			data = der
		}
	}
	if !looksLikePKCS12(data) {
		return nil, false, nil
	}
	_, own, others, err := decodePKCS12(data, passphrase)
	if err == nil {
		return append([]*x509.Certificate{own}, others...), true, nil
	}
	// The form in which Java keeps credentials alone.
	if list, trustErr := pkcs12.DecodeTrustStore(data, string(passphrase)); trustErr == nil && len(list) > 0 {
		return list, false, nil
	}
	return nil, false, err
}

// decodePKCS12 opens what looks like PKCS #12, if that is not too much work.
func decodePKCS12(data, passphrase []byte) (private any, own *x509.Certificate, others []*x509.Certificate, err error) {
	if work := derivationWork(data, 0); work > maxIterations {
		return nil, nil, nil, fail(ErrPolicy, "PKCS #12 asks for more than %d iterations of key derivation", maxIterations)
	}
	private, own, others, err = pkcs12.DecodeChain(data, string(passphrase))
	switch {
	case errors.Is(err, pkcs12.ErrIncorrectPassword) && len(passphrase) == 0:
		err = fail(ErrPassphrase, "PKCS #12 is encrypted, and no passphrase is given")
	case errors.Is(err, pkcs12.ErrIncorrectPassword), errors.Is(err, pkcs12.ErrDecryption):
		err = fail(ErrPassphrase, "the passphrase does not open the PKCS #12 file, or the file was changed")
	case err != nil:
		err = &Error{Kind: ErrMalformed, Reason: "reading PKCS #12", Cause: err}
	}
	return private, own, others, err
}

// looksLikePKCS12 tells a PFX from other DER by its version, which is 3 (RFC 7292 §4).
func looksLikePKCS12(data []byte) bool {
	var pfx struct {
		Version  int
		AuthSafe asn1.RawValue
		MacData  asn1.RawValue `asn1:"optional"`
	}
	return unmarshalAll(data, &pfx) == nil && pfx.Version == 3
}

// maxNesting is how deep derivationWork looks; a PFX needs 14 levels.
const maxNesting = 32

// derivationWork gives how many iterations DER asks for altogether, as far as it is not encrypted: every scheme of PKCS #5
// and #12 writes an INTEGER after the OCTET STRING of the salt. The library does whatever it is asked, for each bag anew.
// More than maxIterations is not counted further.
func derivationWork(der []byte, depth int) int64 {
	var work int64
	afterSalt := false
	for len(der) > 0 && depth < maxNesting && work <= maxIterations {
		var value asn1.RawValue
		rest, err := asn1.Unmarshal(der, &value)
		if err != nil {
			return work
		}
		switch {
		case value.Class == asn1.ClassUniversal && value.Tag == asn1.TagInteger && afterSalt:
			count := new(big.Int).SetBytes(value.Bytes)
			if !count.IsInt64() || count.Int64() > maxIterations {
				return maxIterations + 1
			}
			work += count.Int64()
		case value.IsCompound, value.Tag == asn1.TagOctetString:
			work += derivationWork(value.Bytes, depth+1)
		}
		afterSalt = value.Class == asn1.ClassUniversal && value.Tag == asn1.TagOctetString
		der = rest
	}
	return work
}
