package signing_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"errors"
	"fmt"
	"math/big"

	"github.com/ecogate/ecogate/signing"
)

func ExampleVerifyMessage() {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		fmt.Println(err)
		return
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		fmt.Println(err)
		return
	}
	x509Cert, err := x509.ParseCertificate(der)
	if err != nil {
		fmt.Println(err)
		return
	}

	envelope := `<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Header/><s:Body/></s:Envelope>`
	parts := []signing.Part{{URI: "cid:co-1@customs.example", Content: bytes.NewReader([]byte("certificate"))}}
	key := signing.Key{Signer: private, Chain: []*x509.Certificate{x509Cert}}
	signed, _, err := signing.SignMessage([]byte(envelope), parts, key)
	if err != nil {
		fmt.Println(err)
		return
	}

	verified, err := signing.VerifyMessage(signed, parts, []*x509.Certificate{x509Cert}, signing.Policy{})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(string(verified.Octets))

	parts[0].Content = bytes.NewReader([]byte("another certificate"))
	_, err = signing.VerifyMessage(signed, parts, []*x509.Certificate{x509Cert}, signing.Policy{})
	fmt.Println(errors.Is(err, signing.ErrDigest))
	// Output:
	// <s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Header></s:Header><s:Body></s:Body></s:Envelope>
	// true
}
