package main

import (
	"crypto"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"errors"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"github.com/ecogate/ecogate/partners"
	"github.com/ecogate/ecogate/signing"
)

const csrHelp = `Write a certification request (PKCS #10) for a private key, for the CA of the national PKI. The key lies in a
file, or in a PKCS #11 token, of which --token-label, --pin-file and one of --key-label and --key-id are needed too.

--subject is written as "CN=Korea Customs Gateway,O=Korea Customs Service,C=KR" (RFC 4514), with a backslash before a comma
that belongs to a value. It may have CN, O, OU, L, ST, C, serialNumber and organizationIdentifier.
--san adds a subject alternative name: a host name, an IP address, or one of dns:, ip:, uri: and email: before it. A server
needs its host name there.`

func (c *cli) keyCSR() *cobra.Command {
	var key, subject, out, passphraseFile string
	var token partners.TokenKeyConfig
	var names []string
	cmd := &cobra.Command{
		Use:   "csr --key FILE|--pkcs11-module LIBRARY --subject NAME [--san NAME]... --out FILE",
		Short: "Write a certification request for a private key",
		Long:  csrHelp,
		Args:  arguments(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := requireFlags(cmd, "subject", "out"); err != nil {
				return err
			}
			template, err := requestTemplate(subject, names)
			if err != nil {
				return &usageError{text: err.Error(), command: cmd.CommandPath()}
			}
			signer, err := c.requestKey(cmd, key, passphraseFile, token)
			if err != nil {
				return err
			}
			return c.makeRequest(template, signer, out)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&key, "key", "", "`file` with the private key, PEM")
	tokenFlags(cmd, &token, "shared `library` of a PKCS #11 token with the private key, in place of --key")
	flags.StringVar(&subject, "subject", "", "`name` of the subject")
	flags.StringArrayVar(&names, "san", nil, "subject alternative `name`; may be repeated")
	flags.StringVar(&out, "out", "", "`file` to write, which must not be there yet")
	passphraseFlag(cmd, &passphraseFile, "`file` with the passphrase of the key")
	return cmd
}

// requestKey is the private key of a file, or the one in a token.
func (c *cli) requestKey(cmd *cobra.Command, file, passphraseFile string, token partners.TokenKeyConfig) (crypto.Signer, error) {
	if token != (partners.TokenKeyConfig{}) {
		if file != "" || passphraseFile != "" {
			return nil, &usageError{text: "--key and --passphrase-file exclude a key in a token", command: cmd.CommandPath()}
		}
		signer, err := partners.ReadTokenKey(token)
		return signer, keyUsage(cmd, err)
	}
	if err := requireFlags(cmd, "key"); err != nil {
		return nil, err
	}
	passphrase, err := readPassphrase(passphraseFile)
	if err != nil {
		return nil, err
	}
	text, err := c.readKeyFile(file)
	if err != nil {
		return nil, err
	}
	signer, err := signing.ReadPrivateKey(text, passphrase)
	if err != nil {
		return nil, keyError(inputName(file), err)
	}
	return signer, nil
}

func (c *cli) makeRequest(template *x509.CertificateRequest, signer crypto.Signer, out string) error {
	der, err := x509.CreateCertificateRequest(rand.Reader, template, signer)
	if err != nil {
		return fmt.Errorf("signing the request: %w", err)
	}
	request, err := x509.ParseCertificateRequest(der)
	if err != nil {
		return fmt.Errorf("reading the request again: %w", err)
	}
	if err := writeNew(newFile{out, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der})}); err != nil {
		return err
	}
	item, err := requestItem(request)
	if err != nil {
		return err
	}
	return c.print(item, func(w *columns) {
		w.row("request", out)
		item.fields(w)
	})
}

// subjectTypes are the attributes that a subject may have (RFC 4519 §2, ETSI EN 319 412-1 for the last).
var subjectTypes = map[string]asn1.ObjectIdentifier{
	"CN": {2, 5, 4, 3}, "SERIALNUMBER": {2, 5, 4, 5}, "C": {2, 5, 4, 6}, "L": {2, 5, 4, 7}, "ST": {2, 5, 4, 8},
	"O": {2, 5, 4, 10}, "OU": {2, 5, 4, 11}, "ORGANIZATIONIDENTIFIER": {2, 5, 4, 97},
}

func requestTemplate(subject string, names []string) (*x509.CertificateRequest, error) {
	raw, err := parseSubject(subject)
	if err != nil {
		return nil, fmt.Errorf("--subject %q: %w", subject, err)
	}
	template := &x509.CertificateRequest{RawSubject: raw}
	for _, name := range names {
		if err := addName(template, name); err != nil {
			return nil, fmt.Errorf("--san %q: %w", name, err)
		}
	}
	return template, nil
}

// parseSubject reads a name as RFC 4514 §3 writes it: the first is the innermost. Of the escapes a backslash before the
// character itself is read; an attribute stands alone in its set.
func parseSubject(text string) ([]byte, error) {
	if !utf8.ValidString(text) {
		return nil, errors.New("not UTF-8")
	}
	var name pkix.RDNSequence
	for _, part := range splitUnescaped(text) {
		kind, value, found := strings.Cut(part, "=")
		oid, known := subjectTypes[strings.ToUpper(strings.TrimSpace(kind))]
		value = strings.TrimSpace(unescape(value))
		switch {
		case !found:
			return nil, fmt.Errorf("%q is not TYPE=VALUE", part)
		case !known:
			return nil, fmt.Errorf("%q is not one of CN, O, OU, L, ST, C, serialNumber, organizationIdentifier", kind)
		case value == "":
			return nil, fmt.Errorf("%s has no value", kind)
		case oid.Equal(subjectTypes["C"]) && (len(value) != 2 || strings.ToUpper(value) != value):
			return nil, fmt.Errorf("country C is %q, expected two capital letters (ISO 3166-1)", value)
		}
		name = append(name, pkix.RelativeDistinguishedNameSET{{Type: oid, Value: value}})
	}
	slices.Reverse(name)
	return asn1.Marshal(name)
}

// splitUnescaped splits at commas that no backslash stands before.
func splitUnescaped(text string) []string {
	var parts []string
	start, escaped := 0, false
	for i := range len(text) {
		switch {
		case escaped:
			escaped = false
		case text[i] == '\\':
			escaped = true
		case text[i] == ',':
			parts = append(parts, text[start:i])
			start = i + 1
		}
	}
	return append(parts, text[start:])
}

func unescape(text string) string {
	var b strings.Builder
	escaped := false
	for _, r := range text {
		if r == '\\' && !escaped {
			escaped = true
			continue
		}
		b.WriteRune(r)
		escaped = false
	}
	return b.String()
}

func addName(template *x509.CertificateRequest, name string) error {
	kind, value, found := strings.Cut(name, ":")
	ip := net.ParseIP(name)
	if ip != nil || !found {
		kind, value = "dns", name
	}
	if ip == nil && kind == "ip" {
		ip = net.ParseIP(value)
	}
	switch {
	case ip != nil:
		template.IPAddresses = append(template.IPAddresses, ip)
	case kind == "dns" && isHostName(value):
		template.DNSNames = append(template.DNSNames, value)
	case kind == "uri":
		u, err := url.Parse(value)
		if err != nil || u.Scheme == "" {
			return errors.New("is not an absolute URI")
		}
		template.URIs = append(template.URIs, u)
	case kind == "email" && strings.Count(value, "@") == 1:
		template.EmailAddresses = append(template.EmailAddresses, value)
	default:
		return errors.New("is neither a host name nor an IP address, nor one of dns:, ip:, uri:, email: with what fits")
	}
	return nil
}

// isHostName tells whether every label is of letters, digits and hyphens (RFC 1123 §2.1); the first may be "*".
func isHostName(s string) bool {
	if len(s) > 253 {
		return false
	}
	for i, label := range strings.Split(s, ".") {
		if label == "*" && i == 0 {
			continue
		}
		other := func(r rune) bool {
			return r != '-' && (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z')
		}
		if label == "" || len(label) > 63 || strings.ContainsFunc(label, other) || strings.Trim(label, "-") != label {
			return false
		}
	}
	return true
}
