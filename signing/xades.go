package signing

import (
	"bytes"
	"context"
	"crypto"
	"crypto/x509"
	"encoding/asn1"
	"encoding/base64"
	"encoding/hex"
	"encoding/xml"
	"math/big"
	"time"

	"github.com/ecogate/ecogate/signing/internal/c14n"
)

// Identifiers of XAdES (ETSI EN 319 132-1).
const (
	xadesSpace     = "http://uri.etsi.org/01903/v1.3.2#"
	propertiesType = "http://uri.etsi.org/01903#SignedProperties"
	derEncoding    = "http://uri.etsi.org/01903/v1.2.2#DER"
	sha256Digest   = encSpace + "sha256"
)

// XAdES says what a document signature has beyond the plain enveloped one (ETSI EN 319 132-1): XAdES-BES, which binds the
// signer's credential and its clock into the signature, or XAdES-T, which adds a time-stamp over the signature value.
type XAdES struct {
	// SigningTime is written to the second, in UTC. Required.
	SigningTime time.Time
	// Authority makes it XAdES-T; nil leaves it at XAdES-BES.
	Authority TimeStampAuthority
	// TimeStampAnchors are as in [Policy]: a time-stamp of another authority is not put into the document. Without any, it
	// is only seen to be over this signature.
	TimeStampAnchors []*x509.Certificate
}

// SignXAdES is [SignDocument] with the properties that x says. The context bounds the wait for the time-stamp authority. If
// that does not answer as it should there is no document, and the error is an [*Error] of kind [ErrAuthority].
func SignXAdES(ctx context.Context, doc []byte, path []xml.Name, key Key, x XAdES) ([]byte, error) {
	if x.SigningTime.IsZero() {
		return nil, fail(ErrPolicy, "a XAdES signature has a signing time")
	}
	read, place, err := placeFor(doc, path)
	if err != nil {
		return nil, err
	}
	c, err := newSigner(key)
	if err != nil {
		return nil, err
	}
	// An Id must be the only one of its kind in the document. No document has its own digest in it.
	document := sumCanonical(c.algorithm.hash, read, c14n.Method{})
	id := hex.EncodeToString(document[:16])
	properties, err := signedProperties("properties-"+id, key.Chain[0], x.SigningTime)
	if err != nil {
		return nil, err
	}
	// In exclusive canonical form the properties have the same octets here as in their place.
	alone, err := parse([]byte(properties))
	if err != nil {
		return nil, err
	}
	digest := sum(c.algorithm.hash, alone.Root().Canonical(c14n.Method{Exclusive: true}))
	c.id = "signature-" + id
	c.object = `<ds:Object><xades:QualifyingProperties xmlns:xades="` + xadesSpace + `" Target="#` + c.id + `">` + properties +
		`</xades:QualifyingProperties></ds:Object>`
	references := c.documentReference(document) + c.propertiesReference("#properties-"+id, digest)
	signed, _, err := c.sign(read, place, references)
	if err != nil || x.Authority == nil {
		return signed, err
	}
	return addTimeStamp(ctx, signed, x)
}

// propertiesReference writes the Reference to the signed properties (ETSI EN 319 132-1 §4.4.2).
func (s *signer) propertiesReference(uri string, digest []byte) string {
	return `<ds:Reference Type="` + propertiesType + `" URI="` + uri + `"><ds:Transforms><ds:Transform Algorithm="` + exclusiveC14N +
		`"></ds:Transform></ds:Transforms><ds:DigestMethod Algorithm="` + s.context.GetDigestAlgorithmIdentifier() + `"></ds:DigestMethod>` +
		`<ds:DigestValue>` + base64.StdEncoding.EncodeToString(digest) + `</ds:DigestValue></ds:Reference>`
}

// signedProperties writes xades:SignedProperties with SigningTime and SigningCertificateV2 (ETSI EN 319 132-1 §5.2.1, §5.2.2).
func signedProperties(id string, x509Cert *x509.Certificate, at time.Time) (string, error) {
	named, err := issuerSerialOf(x509Cert)
	if err != nil {
		return "", err
	}
	return `<xades:SignedProperties xmlns:xades="` + xadesSpace + `" Id="` + id + `"><xades:SignedSignatureProperties>` +
		`<xades:SigningTime>` + at.UTC().Format(time.RFC3339) + `</xades:SigningTime>` +
		`<xades:SigningCertificateV2><xades:Cert><xades:CertDigest>` +
		`<ds:DigestMethod xmlns:ds="` + dsigSpace + `" Algorithm="` + sha256Digest + `"></ds:DigestMethod>` +
		`<ds:DigestValue xmlns:ds="` + dsigSpace + `">` + base64.StdEncoding.EncodeToString(sum(crypto.SHA256, x509Cert.Raw)) + `</ds:DigestValue>` +
		`</xades:CertDigest><xades:IssuerSerialV2>` + base64.StdEncoding.EncodeToString(named) + `</xades:IssuerSerialV2>` +
		`</xades:Cert></xades:SigningCertificateV2></xades:SignedSignatureProperties></xades:SignedProperties>`, nil
}

// issuerSerial is IssuerSerial of RFC 5035 §3: the issuer as GeneralNames, which is one directoryName here.
type issuerSerial struct {
	Issuer []asn1.RawValue
	Serial *big.Int
}

// issuerSerialOf gives the DER of a credential's IssuerSerial.
func issuerSerialOf(x509Cert *x509.Certificate) ([]byte, error) {
	directoryName := asn1.RawValue{Class: asn1.ClassContextSpecific, Tag: 4, IsCompound: true, Bytes: x509Cert.RawIssuer}
	der, err := asn1.Marshal(issuerSerial{Issuer: []asn1.RawValue{directoryName}, Serial: x509Cert.SerialNumber})
	if err != nil {
		return nil, &Error{Kind: ErrKey, Reason: "writing issuer and serial number of the credential", Cause: err}
	}
	return der, nil
}

// names tells whether an IssuerSerial is that of a credential. What follows the serial number is not read: some products
// write an issuerUID there.
func names(der []byte, x509Cert *x509.Certificate) bool {
	var named issuerSerial
	if rest, err := asn1.Unmarshal(der, &named); err != nil || len(rest) > 0 || len(named.Issuer) != 1 || named.Serial == nil {
		return false
	}
	issuer := named.Issuer[0]
	return issuer.Class == asn1.ClassContextSpecific && issuer.Tag == 4 && bytes.Equal(issuer.Bytes, x509Cert.RawIssuer) &&
		named.Serial.Cmp(x509Cert.SerialNumber) == 0
}

// addTimeStamp puts a time-stamp into a signed document (ETSI EN 319 132-1 §5.3). Nothing that is signed changes.
func addTimeStamp(ctx context.Context, signed []byte, x XAdES) ([]byte, error) {
	read, err := parse(signed)
	if err != nil {
		return nil, err
	}
	element, _, err := theSignature(read)
	if err != nil {
		return nil, err
	}
	children := element.Children()
	octets := children[1].Canonical(c14n.Method{Exclusive: true})
	token, err := requestTimeStamp(ctx, x, octets)
	if err != nil {
		return nil, err
	}
	return children[3].Children()[0].Append(`<xades:UnsignedProperties><xades:UnsignedSignatureProperties><xades:SignatureTimeStamp>` +
		`<ds:CanonicalizationMethod Algorithm="` + exclusiveC14N + `"></ds:CanonicalizationMethod>` +
		`<xades:EncapsulatedTimeStamp>` + base64.StdEncoding.EncodeToString(token) + `</xades:EncapsulatedTimeStamp>` +
		`</xades:SignatureTimeStamp></xades:UnsignedSignatureProperties></xades:UnsignedProperties>`), nil
}
