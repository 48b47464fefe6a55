package signing

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/x509/pkix"
	"encoding/asn1"
	"fmt"
	"hash"
)

// The structures of an encrypted private key, RFC 5208 §6 and RFC 8018 appendix A.
type (
	encryptedKey struct {
		Algorithm pkix.AlgorithmIdentifier
		Data      []byte
	}
	pbes2Parameters struct{ Derivation, Encryption pkix.AlgorithmIdentifier }
	pbkdf2Options   struct {
		Salt       []byte
		Iterations int
		KeyLength  int                      `asn1:"optional"`
		PRF        pkix.AlgorithmIdentifier `asn1:"optional"`
	}
)

var (
	oidPBES2      = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 5, 13}
	oidPBKDF2     = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 5, 12}
	oidHMACSHA256 = asn1.ObjectIdentifier{1, 2, 840, 113549, 2, 9}
	oidAES256CBC  = asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 1, 42}
)

// aesKeyLengths are the ciphers that are opened, with the octets of their keys.
var aesKeyLengths = map[string]int{
	"2.16.840.1.101.3.4.1.2": 16, "2.16.840.1.101.3.4.1.22": 24, "2.16.840.1.101.3.4.1.42": 32,
}

// hmacHashes are the pseudo-random functions of PBKDF2; SHA-1 is what an absent one means (RFC 8018 appendix A.2).
var hmacHashes = map[string]func() hash.Hash{
	"":                    sha1.New,
	"1.2.840.113549.2.7":  sha1.New,
	"1.2.840.113549.2.9":  sha256.New,
	"1.2.840.113549.2.10": sha512.New384,
	"1.2.840.113549.2.11": sha512.New,
}

// maxIterations bounds the work that a file can ask for; writtenIterations is what our own files ask for.
const (
	maxIterations     = 10_000_000
	writtenIterations = 600_000
)

// openPBES2 decrypts an encrypted PKCS #8 private key.
func openPBES2(der, passphrase []byte) ([]byte, error) {
	var sealed encryptedKey
	var parameters pbes2Parameters
	var options pbkdf2Options
	var iv []byte
	if err := unmarshalAll(der, &sealed); err != nil {
		return nil, &Error{Kind: ErrMalformed, Reason: "reading ENCRYPTED PRIVATE KEY", Cause: err}
	}
	if len(passphrase) == 0 {
		return nil, fail(ErrPassphrase, "the private key is encrypted, and no passphrase is given")
	}
	if !sealed.Algorithm.Algorithm.Equal(oidPBES2) {
		return nil, fail(ErrPolicy, "the private key is encrypted with %v, expected PBES2", sealed.Algorithm.Algorithm)
	}
	if err := unmarshalAll(sealed.Algorithm.Parameters.FullBytes, &parameters); err != nil {
		return nil, &Error{Kind: ErrMalformed, Reason: "reading the parameters of PBES2", Cause: err}
	}
	if !parameters.Derivation.Algorithm.Equal(oidPBKDF2) {
		return nil, fail(ErrPolicy, "PBES2 derives its key with %v, expected PBKDF2", parameters.Derivation.Algorithm)
	}
	if err := unmarshalAll(parameters.Derivation.Parameters.FullBytes, &options); err != nil {
		return nil, &Error{Kind: ErrMalformed, Reason: "reading the parameters of PBKDF2", Cause: err}
	}
	newHash, length := hmacHashes[options.PRF.Algorithm.String()], aesKeyLengths[parameters.Encryption.Algorithm.String()]
	switch {
	case options.Iterations < 1 || options.Iterations > maxIterations:
		return nil, fail(ErrPolicy, "PBKDF2 with %d iterations, expected 1 to %d", options.Iterations, maxIterations)
	case newHash == nil:
		return nil, fail(ErrPolicy, "PBKDF2 with %v, expected HMAC with SHA-1 or SHA-2", options.PRF.Algorithm)
	case length == 0 || options.KeyLength != 0 && options.KeyLength != length:
		return nil, fail(ErrPolicy, "PBES2 with cipher %v and a key of %d octets, expected AES in CBC mode", parameters.Encryption.Algorithm, options.KeyLength)
	}
	if err := unmarshalAll(parameters.Encryption.Parameters.FullBytes, &iv); err != nil || len(iv) != aes.BlockSize {
		return nil, fail(ErrMalformed, "initialisation vector of %d octets, expected %d", len(iv), aes.BlockSize)
	}
	key, err := pbkdf2.Key(newHash, string(passphrase), options.Salt, options.Iterations, length)
	if err != nil {
		return nil, &Error{Kind: ErrMalformed, Reason: "deriving the key", Cause: err}
	}
	return decryptCBC(key, iv, sealed.Data)
}

func decryptCBC(key, iv, data []byte) ([]byte, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, &Error{Kind: ErrMalformed, Reason: "preparing AES", Cause: err}
	}
	if len(data) == 0 || len(data)%aes.BlockSize != 0 {
		return nil, fail(ErrMalformed, "%d encrypted octets, expected a multiple of %d", len(data), aes.BlockSize)
	}
	plain := make([]byte, len(data))
	cipher.NewCBCDecrypter(block, iv).CryptBlocks(plain, data)
	padding := int(plain[len(plain)-1])
	if padding == 0 || padding > aes.BlockSize || !bytes.HasSuffix(plain, bytes.Repeat([]byte{byte(padding)}, padding)) {
		return nil, fail(ErrPassphrase, "the passphrase does not open the private key")
	}
	return plain[:len(plain)-padding], nil
}

// sealPBES2 encrypts a PKCS #8 private key.
func sealPBES2(der, passphrase []byte) ([]byte, error) {
	salt, iv := make([]byte, 16), make([]byte, aes.BlockSize)
	for _, random := range [][]byte{salt, iv} {
		if _, err := rand.Read(random); err != nil {
			return nil, fmt.Errorf("random octets: %w", err)
		}
	}
	key, err := pbkdf2.Key(sha256.New, string(passphrase), salt, writtenIterations, 32)
	if err != nil {
		return nil, fmt.Errorf("deriving the key: %w", err)
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("preparing AES: %w", err)
	}
	padding := aes.BlockSize - len(der)%aes.BlockSize
	data := append(bytes.Clone(der), bytes.Repeat([]byte{byte(padding)}, padding)...)
	cipher.NewCBCEncrypter(block, iv).CryptBlocks(data, data)

	derivation, err := algorithmIdentifier(oidPBKDF2, pbkdf2Options{
		Salt: salt, Iterations: writtenIterations, PRF: pkix.AlgorithmIdentifier{Algorithm: oidHMACSHA256, Parameters: asn1.NullRawValue},
	})
	if err != nil {
		return nil, err
	}
	encryption, err := algorithmIdentifier(oidAES256CBC, iv)
	if err != nil {
		return nil, err
	}
	algorithm, err := algorithmIdentifier(oidPBES2, pbes2Parameters{derivation, encryption})
	if err != nil {
		return nil, err
	}
	return asn1.Marshal(encryptedKey{algorithm, data})
}

func algorithmIdentifier(oid asn1.ObjectIdentifier, parameters any) (pkix.AlgorithmIdentifier, error) {
	der, err := asn1.Marshal(parameters)
	return pkix.AlgorithmIdentifier{Algorithm: oid, Parameters: asn1.RawValue{FullBytes: der}}, err
}

// unmarshalAll reads DER that holds one structure and nothing after it.
func unmarshalAll(der []byte, into any) error {
	rest, err := asn1.Unmarshal(der, into)
	if err == nil && len(rest) > 0 {
		return fmt.Errorf("%d octets after the structure", len(rest))
	}
	return err
}
