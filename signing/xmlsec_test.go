package signing_test

import (
	"bytes"
	"crypto"
	"encoding/xml"
	"os/exec"
	"testing"

	"github.com/ecogate/ecogate/signing"
)

const envelope = `<?xml version="1.0" encoding="UTF-8"?>
<soap:Envelope xmlns:soap="http://schemas.xmlsoap.org/soap/envelope/" xmlns:xlink="http://www.w3.org/1999/xlink"
  xmlns:eb="http://www.oasis-open.org/committees/ebxml-msg/schema/msg-header-2_0.xsd" xml:lang="en">
<soap:Header>
 <eb:MessageHeader eb:id="h" eb:version="2.0" soap:mustUnderstand="1"><eb:CPAId>a &amp; b</eb:CPAId></eb:MessageHeader>
 <eb:AckRequested eb:version="2.0" soap:mustUnderstand="1" eb:signed="true" soap:actor="urn:oasis:names:tc:ebxml-msg:actor:nextMSH"/>
 <eb:AckRequested eb:version="2.0" soap:mustUnderstand="1" eb:signed="true" soap:actor="urn:oasis:names:tc:ebxml-msg:actor:toPartyMSH"/>
 <eb:SyncReply eb:version="2.0" soap:mustUnderstand="1" soap:actor="http://schemas.xmlsoap.org/soap/actor/next"/>
</soap:Header>
<soap:Body><!-- a comment -->
 <eb:Manifest eb:version="2.0"><eb:Reference eb:id="r1" xlink:href="cid:co-1@customs.example" xlink:type="simple"/><eb:Reference
   eb:id="r2" xlink:href="cid:annex-1@customs.example" xlink:type="simple"/></eb:Manifest></soap:Body>
</soap:Envelope>
`

var parts = []signing.Part{
	{URI: "cid:co-1@customs.example", Content: bytes.NewReader([]byte("<CertificateOfOrigin>KE-2026-1</CertificateOfOrigin>\r\n"))},
	{URI: "cid:annex-1@customs.example", Content: bytes.NewReader([]byte{0, 1, 2, 0xFF, '\r', '\n'})},
}

const document = `<?xml version="1.0" encoding="UTF-8"?>
<!-- certificate --><?style sheet?>
<CertificateOfOrigin xmlns="urn:co" xmlns:ext="urn:ext" xmlns:b="urn:z" xmlns:c="urn:a" xml:lang="en" b:x="1" c:y="2">
 <ext:Extensions xml:space="preserve"><sig:Signatures xmlns:sig="urn:sig"><sig:Information/></sig:Signatures></ext:Extensions>
 <ID>KE-2026-1 &lt;</ID>
</CertificateOfOrigin>
`

var documentPath = []xml.Name{
	{Space: "urn:co", Local: "CertificateOfOrigin"}, {Space: "urn:ext", Local: "Extensions"},
	{Space: "urn:sig", Local: "Signatures"}, {Space: "urn:sig", Local: "Information"},
}

// TestXmlsecVerifiesWhatWeSign asks an independent implementation about messages and documents.
func TestXmlsecVerifiesWhatWeSign(t *testing.T) {
	xmlsec := tool(t, "xmlsec1")
	for _, test := range []struct {
		name string
		key  func() (crypto.Signer, error)
		// algorithm is the part of its URI after rsaMore; empty is the key's usual one.
		algorithm string
	}{
		{"RSA", rsaKey, ""}, {"P-256", p256Key, ""}, {"P-384", p384Key, ""}, {"P-521", p521Key, ""},
		{"RSA with SHA-384", rsaKey, "rsa-sha384"}, {"RSA with SHA-512", rsaKey, "rsa-sha512"},
		{"P-256 with SHA-384", p256Key, "ecdsa-sha384"}, {"P-256 with SHA-512", p256Key, "ecdsa-sha512"},
		{"P-384 with SHA-256", p384Key, "ecdsa-sha256"}, {"P-384 with SHA-512", p384Key, "ecdsa-sha512"},
		{"P-521 with SHA-256", p521Key, "ecdsa-sha256"}, {"P-521 with SHA-384", p521Key, "ecdsa-sha384"},
	} {
		t.Run(test.name, func(t *testing.T) {
			key := keyOf(t, test.key)
			if test.algorithm != "" {
				key.Algorithm = rsaMore + test.algorithm
			}
			_, credential := keyFiles(t, key)
			signed, _, err := signing.SignMessage([]byte(envelope), parts, key)
			if err != nil {
				t.Fatal(err)
			}
			arguments := []string{"--verify", "--enabled-key-data", "x509", "--trusted-pem", credential}
			for _, part := range parts {
				arguments = append(arguments, "--url-map:"+part.URI, write(t, "part", octetsOf(part)))
			}
			if out, err := exec.Command(xmlsec, append(arguments, write(t, "message.xml", signed))...).CombinedOutput(); err != nil {
				t.Errorf("message: %v\n%s\n%s", err, out, signed)
			}

			signed, err = signing.SignDocument([]byte(document), documentPath, key)
			if err != nil {
				t.Fatal(err)
			}
			arguments = []string{"--verify", "--enabled-key-data", "x509", "--trusted-pem", credential, write(t, "document.xml", signed)}
			if out, err := exec.Command(xmlsec, arguments...).CombinedOutput(); err != nil {
				t.Errorf("document: %v\n%s\n%s", err, out, signed)
			}
		})
	}
}
