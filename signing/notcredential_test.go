package signing_test

import (
	"encoding/base64"
	"strings"
	"testing"

	"github.com/ecogate/ecogate/internal/pkitest"
	"github.com/ecogate/ecogate/signing"
)

func TestWhatIsNoCredentialIsToldInPlainWords(t *testing.T) {
	pki := pkitest.NewTest(t, pkitest.Options{Country: "XX", Organisation: "Nobody"})
	whole := pki.Must(pki.Issue(pkitest.Request{Name: "whole", Use: pkitest.MessageSignature}))
	text := string(whole.ChainPEM())
	der := base64.StdEncoding.EncodeToString(whole.X509Cert.Raw)
	block := func(label string) string {
		return "-----BEGIN " + label + "-----\nAAAA\n-----END " + label + "-----\n"
	}
	tests := []struct{ name, data, want string }{
		{"nothing", " \r\n", "the file is empty"},
		{"UTF-16", "\xff\xfe-\x00-\x00-\x00", "UTF-16"},
		{"a page", "\n<!DOCTYPE html><title>Log in</title>", "a page in HTML or XML"},
		{"cut off", text[:len(text)/3], `the block "CERTIFICATE" has no END line`},
		{"damaged BEGIN", strings.Replace(text, "-----BEGIN CERTIFICATE-----", "-----BEGIN\nCERTIFICATE-----", -1), "BEGIN lines are damaged"},
		{"private key", block("EC PRIVATE KEY"), "a private key and no credential"},
		{"request", block("NEW CERTIFICATE REQUEST"), "certification request"},
		{"public key", block("PUBLIC KEY"), "public key alone"},
		{"CRL", block("X509 CRL"), "revocation list"},
		{"something else", block("OPENSSH KEY"), `"OPENSSH KEY"`},
		{"cut base64", der[:len(der)-3], "cut off or damaged"},
		{"PKCS #12", "\x30\x82\x01\x00\x02\x01\x03\x30", "PKCS #12"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got, err := signing.ReadCredentials([]byte(test.data))
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("%d credentials, %v; want %q", len(got), err, test.want)
			}
		})
	}
}
