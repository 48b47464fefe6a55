package main

import (
	"bytes"
	"crypto"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/ecogate/ecogate/signing"
)

const showHelp = `Show what a file holds: private and public keys, credentials (X.509), certification requests, PKCS #7 and PKCS #12; - reads
standard input. The private part of a key is never shown. "key sha256" is the SHA-256 of the public key (SubjectPublicKeyInfo
in DER): where it is the same, key, request and credential belong together. Nothing is judged.`

// The kinds of things in a file.
const (
	kindPrivateKey   = "private key"
	kindSealedKey    = "private key, encrypted"
	kindPublicKey    = "public key"
	kindCredential   = "credential"
	kindRequest      = "certification request"
	kindSealedPKCS12 = "PKCS #12, encrypted"
)

// keyItem is one thing in a file.
type keyItem struct {
	Kind      string    `json:"kind"`
	Key       string    `json:"key,omitempty"`
	KeySHA256 string    `json:"key_sha256,omitempty"`
	Subject   string    `json:"subject,omitempty"`
	Issuer    string    `json:"issuer,omitempty"`
	Serial    string    `json:"serial,omitempty"`
	SHA256    string    `json:"sha256,omitempty"` // of a credential
	NotBefore time.Time `json:"not_before,omitzero"`
	NotAfter  time.Time `json:"not_after,omitzero"`
	CA        bool      `json:"ca,omitempty"`
	Uses      []string  `json:"uses,omitempty"`
	Names     []string  `json:"names,omitempty"`
}

func (c *cli) keyShow() *cobra.Command {
	var passphraseFile string
	cmd := &cobra.Command{
		Use:   "show FILE",
		Short: "Show what a file with keys or credentials holds",
		Long:  showHelp,
		Args:  arguments("FILE"),
		RunE: func(_ *cobra.Command, args []string) error {
			passphrase, err := readPassphrase(passphraseFile)
			if err != nil {
				return err
			}
			data, err := c.readKeyFile(args[0])
			if err != nil {
				return err
			}
			items, err := keyItems(data, passphrase)
			if err != nil {
				return keyError(inputName(args[0]), err)
			}
			return c.print(items, func(w *columns) {
				for _, item := range items {
					w.row(item.Kind)
					item.fields(w)
				}
			})
		},
	}
	passphraseFlag(cmd, &passphraseFile, "`file` with the passphrase")
	return cmd
}

// keyItems lists what a file holds, in its order.
func keyItems(data, passphrase []byte) ([]keyItem, error) {
	if !bytes.Contains(data, []byte("-----BEGIN")) {
		return binaryItems(data, passphrase)
	}
	var items []keyItem
	for block, rest := pem.Decode(data); block != nil; block, rest = pem.Decode(rest) {
		found, err := blockItems(block, passphrase)
		if err != nil {
			return nil, err
		}
		items = append(items, found...)
	}
	if len(items) == 0 {
		return nil, errors.New("neither a key nor a credential nor a request in PEM")
	}
	return items, nil
}

func blockItems(block *pem.Block, passphrase []byte) ([]keyItem, error) {
	switch {
	case block.Type == "ENCRYPTED PRIVATE KEY" && len(passphrase) == 0:
		return []keyItem{{Kind: kindSealedKey}}, nil
	case strings.HasSuffix(block.Type, "PRIVATE KEY"):
		if block.Type != "ENCRYPTED PRIVATE KEY" {
			passphrase = nil // it is for another block
		}
		signer, err := signing.ReadPrivateKey(pem.EncodeToMemory(block), passphrase)
		if err != nil {
			return nil, err
		}
		return publicItem(kindPrivateKey, signer.Public())
	case block.Type == "PUBLIC KEY":
		public, err := x509.ParsePKIXPublicKey(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("reading PUBLIC KEY: %w", err)
		}
		return publicItem(kindPublicKey, public)
	case strings.HasSuffix(block.Type, "CERTIFICATE REQUEST"):
		request, err := x509.ParseCertificateRequest(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("reading %s: %w", block.Type, err)
		}
		item, err := requestItem(request)
		return []keyItem{item}, err
	case strings.HasSuffix(block.Type, "PARAMETERS"):
		return nil, nil
	}
	return credentialItems(pem.EncodeToMemory(block))
}

// binaryItems lists what a file without PEM holds: PKCS #12, a request, or credentials.
func binaryItems(data, passphrase []byte) ([]keyItem, error) {
	if request, err := x509.ParseCertificateRequest(data); err == nil {
		item, err := requestItem(request)
		return []keyItem{item}, err
	}
	items, err := credentialItems(data)
	if err == nil {
		return items, nil
	}
	key, keyErr := signing.ReadPKCS12(data, passphrase)
	switch {
	case errors.Is(keyErr, signing.ErrPassphrase) && len(passphrase) == 0:
		return []keyItem{{Kind: kindSealedPKCS12}}, nil
	case errors.Is(keyErr, signing.ErrMalformed):
		return nil, fmt.Errorf("%w; %w", err, keyErr)
	case keyErr != nil:
		return nil, keyErr
	}
	items, err = publicItem(kindPrivateKey, key.Signer.Public())
	for _, x509Cert := range key.Chain {
		items = append(items, credentialItem(x509Cert))
	}
	return items, err
}

func credentialItems(data []byte) ([]keyItem, error) {
	credentials, err := signing.ReadCredentials(data)
	if err != nil {
		return nil, err
	}
	var items []keyItem
	for _, x509Cert := range credentials {
		items = append(items, credentialItem(x509Cert))
	}
	return items, nil
}

func publicItem(kind string, public crypto.PublicKey) ([]keyItem, error) {
	digest, err := publicFingerprint(public)
	return []keyItem{{Kind: kind, Key: publicKind(public), KeySHA256: digest}}, err
}

// publicFingerprint is the SHA-256 of a public key's SubjectPublicKeyInfo, in hexadecimal.
func publicFingerprint(public crypto.PublicKey) (string, error) {
	der, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		return "", fmt.Errorf("public key: %w", err)
	}
	return fingerprint(der), nil
}

func fingerprint(der []byte) string {
	digest := sha256.Sum256(der)
	return hex.EncodeToString(digest[:])
}

func credentialItem(x509Cert *x509.Certificate) keyItem {
	item := keyItem{
		Kind: kindCredential, Key: keyKind(x509Cert), KeySHA256: fingerprint(x509Cert.RawSubjectPublicKeyInfo),
		Subject: x509Cert.Subject.String(), Issuer: x509Cert.Issuer.String(), Serial: x509Cert.SerialNumber.String(),
		SHA256: signing.Fingerprint(x509Cert), NotBefore: x509Cert.NotBefore, NotAfter: x509Cert.NotAfter, CA: x509Cert.IsCA,
		Uses: usesOf(x509Cert),
	}
	item.Names = append(item.Names, x509Cert.DNSNames...)
	item.Names = append(item.Names, x509Cert.EmailAddresses...)
	for _, ip := range x509Cert.IPAddresses {
		item.Names = append(item.Names, ip.String())
	}
	for _, u := range x509Cert.URIs {
		item.Names = append(item.Names, u.String())
	}
	return item
}

func requestItem(request *x509.CertificateRequest) (keyItem, error) {
	if err := request.CheckSignature(); err != nil {
		return keyItem{}, fmt.Errorf("the request is not signed by its own key: %w", err)
	}
	// A request and a credential hold the same names.
	item := credentialItem(&x509.Certificate{
		PublicKey: request.PublicKey, RawSubjectPublicKeyInfo: request.RawSubjectPublicKeyInfo, PublicKeyAlgorithm: request.PublicKeyAlgorithm,
		DNSNames: request.DNSNames, EmailAddresses: request.EmailAddresses, IPAddresses: request.IPAddresses, URIs: request.URIs,
	})
	return keyItem{Kind: kindRequest, Key: item.Key, KeySHA256: item.KeySHA256, Subject: request.Subject.String(), Names: item.Names}, nil
}

// keyUsages and extendedUsages are the uses of RFC 5280 §4.2.1.3 and §4.2.1.12 by their names there.
var keyUsages = []struct {
	bit  x509.KeyUsage
	name string
}{
	{x509.KeyUsageDigitalSignature, "digitalSignature"}, {x509.KeyUsageContentCommitment, "contentCommitment"},
	{x509.KeyUsageKeyEncipherment, "keyEncipherment"}, {x509.KeyUsageDataEncipherment, "dataEncipherment"},
	{x509.KeyUsageKeyAgreement, "keyAgreement"}, {x509.KeyUsageCertSign, "keyCertSign"}, {x509.KeyUsageCRLSign, "cRLSign"},
}

var extendedUsages = map[x509.ExtKeyUsage]string{
	x509.ExtKeyUsageAny: "anyExtendedKeyUsage", x509.ExtKeyUsageServerAuth: "serverAuth", x509.ExtKeyUsageClientAuth: "clientAuth",
	x509.ExtKeyUsageCodeSigning: "codeSigning", x509.ExtKeyUsageEmailProtection: "emailProtection",
	x509.ExtKeyUsageTimeStamping: "timeStamping", x509.ExtKeyUsageOCSPSigning: "OCSPSigning",
}

func usesOf(x509Cert *x509.Certificate) []string {
	var uses []string
	for _, u := range keyUsages {
		if x509Cert.KeyUsage&u.bit != 0 {
			uses = append(uses, u.name)
		}
	}
	for _, u := range x509Cert.ExtKeyUsage {
		if name, known := extendedUsages[u]; known {
			uses = append(uses, name)
		}
	}
	for _, oid := range x509Cert.UnknownExtKeyUsage {
		uses = append(uses, oid.String())
	}
	return uses
}

// fields writes an item's lines; all that a credential says passes through shown.
func (k keyItem) fields(c *columns) {
	w := reportRows{c}
	w.field("  subject", k.Subject)
	w.field("  issuer", k.Issuer)
	w.field("  serial", k.Serial)
	w.field("  sha256", k.SHA256)
	w.field("  key", k.Key)
	w.field("  key sha256", k.KeySHA256)
	if !k.NotAfter.IsZero() {
		w.field("  validity", instant(k.NotBefore)+" to "+instant(k.NotAfter))
	}
	if k.CA {
		w.field("  CA", "yes")
	}
	w.field("  uses", strings.Join(k.Uses, ", "))
	w.field("  names", strings.Join(k.Names, ", "))
}
