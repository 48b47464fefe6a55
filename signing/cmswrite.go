package signing

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509/pkix"
	"encoding/asn1"
	"math/big"
	"time"

	"go.mozilla.org/pkcs7"
)

// What SignAnnouncement writes of RFC 5652 §5.3 and §11.
type (
	signerInfo struct {
		Version    int
		Signer     issuerAndSerial
		Digest     pkix.AlgorithmIdentifier
		Attributes asn1.RawValue
		Algorithm  pkix.AlgorithmIdentifier
		Value      []byte
	}
	issuerAndSerial struct {
		Issuer asn1.RawValue
		Serial *big.Int
	}
	cmsAttribute struct {
		Type   asn1.ObjectIdentifier
		Values []any `asn1:"set"`
	}
)

// cmsDigestOf are the digest algorithms that announcements are signed with (RFC 5754 §2).
var cmsDigestOf = map[crypto.Hash]asn1.ObjectIdentifier{
	crypto.SHA256: pkcs7.OIDDigestAlgorithmSHA256, crypto.SHA384: pkcs7.OIDDigestAlgorithmSHA384, crypto.SHA512: pkcs7.OIDDigestAlgorithmSHA512,
}

// SignAnnouncement makes the signed announcement that [VerifyAnnouncement] reads: CMS SignedData (RFC 5652 §5) in DER with the
// content and the signer's credential inside, signed at that instant. RSA signs with PKCS #1 v1.5 and SHA-256, ECDSA with the hash of its
// curve's size, whatever Key.Algorithm says. The error is an [*Error], of kind ErrPolicy about an Ed25519 key.
func SignAnnouncement(content []byte, key Key, at time.Time) ([]byte, error) {
	if err := key.check(); err != nil {
		return nil, err
	}
	key.Algorithm = ""
	chosen, err := key.algorithm()
	if err != nil {
		return nil, err
	}
	method := pkix.AlgorithmIdentifier{Algorithm: pkcs7.OIDEncryptionAlgorithmRSA, Parameters: asn1.NullRawValue}
	switch key.Signer.Public().(type) {
	case *rsa.PublicKey:
	case *ecdsa.PublicKey:
		for _, s := range cmsSignatures {
			if s.digest.Equal(cmsDigestOf[chosen.hash]) && s.key == chosen.key {
				method = pkix.AlgorithmIdentifier{Algorithm: s.oid}
			}
		}
	default:
		return nil, fail(ErrPolicy, "a signed announcement (CMS) needs a key of RSA or ECDSA, not of %s", chosen.key)
	}
	der, err := signedDER(content, key, chosen.hash, method, at)
	if err != nil {
		return nil, &Error{Kind: ErrKey, Reason: "signing the announcement", Cause: err}
	}
	return der, nil
}

// signedDER is the structure for SignAnnouncement.
func signedDER(content []byte, key Key, hash crypto.Hash, method pkix.AlgorithmIdentifier, at time.Time) ([]byte, error) {
	digest := pkix.AlgorithmIdentifier{Algorithm: cmsDigestOf[hash]}
	attributes, err := asn1.MarshalWithParams([]cmsAttribute{
		{pkcs7.OIDAttributeContentType, []any{pkcs7.OIDData}},
		{pkcs7.OIDAttributeMessageDigest, []any{sum(hash, content)}},
		{pkcs7.OIDAttributeSigningTime, []any{at.UTC().Truncate(time.Second)}},
	}, "set")
	if err != nil {
		return nil, err
	}
	// What is signed is the SET; in its place it is [0] IMPLICIT (RFC 5652 §5.4).
	value, err := key.Signer.Sign(rand.Reader, sum(hash, attributes), hash)
	if err != nil {
		return nil, err
	}
	placed := append([]byte{0xA0}, attributes[1:]...)
	info, err := asn1.Marshal(signerInfo{
		Version: 1, Signer: issuerAndSerial{asn1.RawValue{FullBytes: key.Chain[0].RawIssuer}, key.Chain[0].SerialNumber},
		Digest: digest, Attributes: asn1.RawValue{FullBytes: placed}, Algorithm: method, Value: value,
	})
	if err != nil {
		return nil, err
	}
	octets, err := asn1.Marshal(content)
	if err != nil {
		return nil, err
	}
	data := signedData{Version: 1, Digests: []pkix.AlgorithmIdentifier{digest}, Signers: []asn1.RawValue{{FullBytes: info}}}
	data.Encapsulated.Type = pkcs7.OIDData
	data.Encapsulated.Content = asn1.RawValue{Class: asn1.ClassContextSpecific, Tag: 0, IsCompound: true, Bytes: octets}
	data.Credentials = asn1.RawValue{Class: asn1.ClassContextSpecific, Tag: 0, IsCompound: true, Bytes: key.Chain[0].Raw}
	inner, err := asn1.Marshal(data)
	if err != nil {
		return nil, err
	}
	return asn1.Marshal(contentInfo{Type: pkcs7.OIDSignedData, Content: asn1.RawValue{Class: asn1.ClassContextSpecific, Tag: 0, IsCompound: true, Bytes: inner}})
}
