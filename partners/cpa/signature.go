package cpa

import (
	"bytes"
	"crypto/x509"
	"encoding/base64"
	"encoding/xml"
	"errors"
	"slices"
	"strings"

	"github.com/ecogate/ecogate/signing"
)

// Signature is a ds:Signature of a CPA that was verified (CPPA 2.0 §9.9: up to three, of the parties and perhaps a notary, each over
// the agreement and the signatures before it). The rules are those of signing.VerifySignatures with the zero Policy: so it is
// neither SHA-1 nor DSA.
type Signature struct {
	// Signer is the credential whose key made it. That it verifies says nothing about who may sign.
	Signer *x509.Certificate
	// Party is the index in CPA.Parties of the party that uses the credential, or -1 if neither does: then who it is has to be known from
	// elsewhere.
	Party int
	// Algorithm is the URI of the signature algorithm.
	Algorithm string
}

// signaturePlace is where the signatures stand.
var signaturePlace = []xml.Name{{Space: space, Local: "CollaborationProtocolAgreement"}, {Space: space, Local: "Signature"}}

// verify verifies the signatures and gives the canonical octets that every one of them covers.
func (c *CPA) verify(doc []byte) (signatures []Signature, covered []byte, err error) {
	place := c.root.child("Signature")
	var candidates []*x509.Certificate
	owner := map[string]int{} // by fingerprint
	used := map[*node]bool{}
	for i := range c.Parties {
		c.Parties[i].info.each(func(n *node) {
			switch n.name {
			case "Certificate":
				list, _ := credentials(n) // one that cannot be read is told of where it is used
				candidates = append(candidates, list...)
			case "SigningCertificateRef", "ClientCertificateRef", "ServerCertificateRef", "EncryptionCertificateRef", "ApplicationCertificateRef":
				certificate := c.ids[n.attribute("certId")]
				if used[certificate] {
					return
				}
				used[certificate] = true
				if list, err := credentials(certificate); err == nil && len(list) > 0 {
					owner[signing.Fingerprint(list[0])] = i
				}
			}
		})
	}
	for _, n := range place.children {
		candidates = append(candidates, carried(n)...)
	}
	verified, err := signing.VerifySignatures(doc, signaturePlace, candidates, signing.Policy{})
	var wrong *signing.Error
	switch {
	case errors.As(err, &wrong):
		return nil, nil, &Error{Path: place.path(), Line: wrong.Line, Column: wrong.Column, Text: "want a signature that verifies, found: " + wrong.Error()}
	case err != nil:
		return nil, nil, err
	}
	for _, v := range verified {
		s := Signature{Signer: v.Signer, Party: -1, Algorithm: v.Algorithm}
		if party, known := owner[signing.Fingerprint(v.Signer)]; known {
			s.Party = party
		}
		signatures = append(signatures, s)
	}
	return signatures, verified[0].Octets, nil
}

// Sign signs a CPA, or countersigns one that others have signed already: over the agreement and the signatures in it (CPPA 2.0 §9.9). All
// other bytes stay as they are, but that a CPA without Signature gets one. The CPA must be one that Read takes.
func Sign(doc []byte, key signing.Key) ([]byte, error) {
	c, err := Read(doc)
	if err != nil {
		return nil, err
	}
	if c.root.child("Signature") == nil {
		if doc, err = withPlace(doc); err != nil {
			return nil, err
		}
	}
	return signing.Countersign(doc, signaturePlace, key)
}

// withPlace puts an empty Signature where the schema has it: after the last Packaging, before any Comment.
func withPlace(doc []byte) ([]byte, error) {
	decoder := xml.NewDecoder(bytes.NewReader(doc))
	for depth := 0; ; {
		before := decoder.InputOffset()
		token, err := decoder.Token()
		if err != nil {
			return nil, &Error{Text: "want XML: " + err.Error()}
		}
		switch t := token.(type) {
		case xml.StartElement:
			if depth++; depth == 2 && t.Name.Local == "Comment" {
				return slices.Insert(slices.Clone(doc), int(before), []byte(emptySignature)...), nil
			}
		case xml.EndElement:
			if depth--; depth == 0 {
				return slices.Insert(slices.Clone(doc), int(before), []byte(emptySignature)...), nil
			}
		}
	}
}

const emptySignature = `<cppa:Signature xmlns:cppa="` + space + `"></cppa:Signature>`

// carried are the credentials in the KeyInfo of a ds:Signature.
func carried(signature *node) []*x509.Certificate {
	var out []*x509.Certificate
	for _, n := range signature.at("ds:KeyInfo", "ds:X509Data").all("ds:X509Certificate") {
		der, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(n.text), ""))
		if err != nil {
			continue // signing says what is wrong with it
		}
		if x509Cert, err := x509.ParseCertificate(der); err == nil {
			out = append(out, x509Cert)
		}
	}
	return out
}
