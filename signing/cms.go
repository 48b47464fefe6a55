package signing

import (
	"bytes"
	"crypto"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"errors"
	"slices"
	"time"

	"go.mozilla.org/pkcs7"
)

// maxAnnouncement is the length in octets of the CMS structures that VerifyAnnouncement reads.
const maxAnnouncement = 4 << 20

// The structures of CMS SignedData as far as the library does not show them, RFC 5652 §3, §5.1 and §5.2.
type (
	contentInfo struct {
		Type    asn1.ObjectIdentifier
		Content asn1.RawValue `asn1:"explicit,tag:0"`
	}
	signedData struct {
		Version      int
		Digests      []pkix.AlgorithmIdentifier `asn1:"set"`
		Encapsulated struct {
			Type    asn1.ObjectIdentifier
			Content asn1.RawValue `asn1:"optional,explicit,tag:0"`
		}
		Credentials asn1.RawValue   `asn1:"optional,tag:0"`
		Revocations asn1.RawValue   `asn1:"optional,tag:1"`
		Signers     []asn1.RawValue `asn1:"set"`
	}
)

// cmsDigests are the digest algorithms of RFC 5754 §2 and RFC 3370 §2.1, by what XML signatures call them.
var cmsDigests = map[string]string{
	pkcs7.OIDDigestAlgorithmSHA1.String():   dsigSpace + "sha1",
	pkcs7.OIDDigestAlgorithmSHA256.String(): encSpace + "sha256",
	pkcs7.OIDDigestAlgorithmSHA384.String(): moreSpace + "sha384",
	pkcs7.OIDDigestAlgorithmSHA512.String(): encSpace + "sha512",
}

// cmsSignature is a signature algorithm of CMS (RFC 5754 §3, RFC 3370 §3.2): kind of key, and the digest that it names, nil
// if it leaves that to the digest algorithm.
type cmsSignature struct {
	oid    asn1.ObjectIdentifier
	key    x509.PublicKeyAlgorithm
	digest asn1.ObjectIdentifier
}

var cmsSignatures = []cmsSignature{
	{pkcs7.OIDEncryptionAlgorithmRSA, x509.RSA, nil},
	{pkcs7.OIDEncryptionAlgorithmRSASHA1, x509.RSA, pkcs7.OIDDigestAlgorithmSHA1},
	{pkcs7.OIDEncryptionAlgorithmRSASHA256, x509.RSA, pkcs7.OIDDigestAlgorithmSHA256},
	{pkcs7.OIDEncryptionAlgorithmRSASHA384, x509.RSA, pkcs7.OIDDigestAlgorithmSHA384},
	{pkcs7.OIDEncryptionAlgorithmRSASHA512, x509.RSA, pkcs7.OIDDigestAlgorithmSHA512},
	{pkcs7.OIDDigestAlgorithmECDSASHA1, x509.ECDSA, pkcs7.OIDDigestAlgorithmSHA1},
	{pkcs7.OIDDigestAlgorithmECDSASHA256, x509.ECDSA, pkcs7.OIDDigestAlgorithmSHA256},
	{pkcs7.OIDDigestAlgorithmECDSASHA384, x509.ECDSA, pkcs7.OIDDigestAlgorithmSHA384},
	{pkcs7.OIDDigestAlgorithmECDSASHA512, x509.ECDSA, pkcs7.OIDDigestAlgorithmSHA512},
}

// xmlSignatures are the names under which [Policy] knows a kind of key with a digest.
var xmlSignatures = map[x509.PublicKeyAlgorithm]map[string]string{
	x509.RSA: {
		dsigSpace + "sha1": dsigSpace + "rsa-sha1", encSpace + "sha256": moreSpace + "rsa-sha256",
		moreSpace + "sha384": moreSpace + "rsa-sha384", encSpace + "sha512": moreSpace + "rsa-sha512",
	},
	x509.ECDSA: {
		dsigSpace + "sha1": moreSpace + "ecdsa-sha1", encSpace + "sha256": moreSpace + "ecdsa-sha256",
		moreSpace + "sha384": moreSpace + "ecdsa-sha384", encSpace + "sha512": moreSpace + "ecdsa-sha512",
	},
}

// VerifyAnnouncement verifies a signed announcement, such as a partner's list of next credentials: CMS SignedData (RFC 5652
// §5) in DER or PEM over content, or, if content is nil, over the content inside it. It is stricter than the standard:
//
//   - exactly one signer, named by issuer and serial number, who is one of the candidates; credentials inside are not looked at
//   - signed attributes with exactly one content type, that of the content (id-data), and exactly one message digest (RFC 5652
//     §11.1, §11.2). Without that rule, the attributes of any other signature of the signer, taken for content, would verify
//   - DER throughout and nothing after it, at most 4 MiB beside detached content
//   - an algorithm that the policy allows, by the names of XML signatures: RSA PKCS #1 v1.5 or ECDSA
//
// Verified has no References. Its SigningTime, if there is one, lies within the signer's validity; whether the signer counts today, and
// whether the octets are an announcement at all, is the caller's to judge. The error is an [*Error].
func VerifyAnnouncement(cms, content []byte, candidates []*x509.Certificate, policy Policy) (*Verified, error) {
	der, err := announcementDER(cms)
	if err != nil {
		return nil, err
	}
	inside, err := readSignedData(der)
	if err != nil {
		return nil, err
	}
	message, err := parseCMS(der)
	if err != nil {
		return nil, &Error{Kind: ErrMalformed, Reason: "reading CMS", Cause: err}
	}
	switch {
	case len(message.Signers) != 1:
		return nil, fail(ErrMalformed, "the signer is not named by issuer and serial number, or is not well formed")
	case content == nil && inside == nil:
		return nil, fail(ErrUnsigned, "the CMS structure has no content, and none is given")
	case content != nil && inside != nil:
		return nil, fail(ErrMalformed, "the CMS structure has content of its own beside what is given")
	case content != nil:
		message.Content = content
	case !bytes.Equal(message.Content, inside):
		return nil, fail(ErrMalformed, "the content of the CMS structure reads in two ways")
	}
	signingTime, err := readSignedAttributes(message)
	if err != nil {
		return nil, err
	}
	signer := message.Signers[0]
	own := slices.IndexFunc(candidates, func(c *x509.Certificate) bool {
		name := signer.IssuerAndSerialNumber
		return bytes.Equal(c.RawIssuer, name.IssuerName.FullBytes) && c.SerialNumber.Cmp(name.SerialNumber) == 0
	})
	if own < 0 {
		return nil, fail(ErrUnknownSigner, "credential number %x of the issuer that CMS names is not one of the %d candidates", signer.IssuerAndSerialNumber.SerialNumber, len(candidates))
	}
	name, err := policy.cms(signer.DigestEncryptionAlgorithm.Algorithm, signer.DigestAlgorithm.Algorithm, candidates[own].PublicKey)
	if err != nil {
		return nil, err
	}
	// The library looks for the signer here: it must not find what the message brings.
	message.Certificates = candidates[own : own+1]
	if err := message.Verify(); err != nil {
		kind := ErrSignature
		if mismatch := (*pkcs7.MessageDigestMismatchError)(nil); errors.As(err, &mismatch) {
			return nil, fail(ErrDigest, "the content is not what was signed")
		}
		return nil, &Error{Kind: kind, Reason: "verifying CMS under " + candidates[own].Subject.String(), Cause: err}
	}
	return &Verified{Octets: message.Content, Signer: candidates[own], Algorithm: name, SigningTime: signingTime}, nil
}

// announcementDER takes the PEM off.
func announcementDER(cms []byte) ([]byte, error) {
	if len(cms) > maxAnnouncement {
		return nil, fail(ErrMalformed, "CMS of more than %d octets", maxAnnouncement)
	}
	if !bytes.HasPrefix(bytes.TrimSpace(cms), []byte("-----BEGIN ")) {
		return cms, nil
	}
	block, rest := pem.Decode(cms)
	if block == nil || block.Type != "CMS" && block.Type != "PKCS7" || len(bytes.TrimSpace(rest)) > 0 {
		return nil, fail(ErrMalformed, "expected one block CMS or PKCS7 in PEM and nothing after it")
	}
	return block.Bytes, nil
}

// readSignedData checks what the library passes over and gives the content, nil if there is none.
func readSignedData(der []byte) ([]byte, error) {
	var outer contentInfo
	var data signedData
	if err := unmarshalAll(der, &outer); err != nil {
		return nil, &Error{Kind: ErrMalformed, Reason: "expected CMS in DER", Cause: err}
	}
	if !outer.Type.Equal(pkcs7.OIDSignedData) {
		return nil, fail(ErrMalformed, "CMS content of type %v, expected SignedData", outer.Type)
	}
	if err := unmarshalAll(outer.Content.Bytes, &data); err != nil {
		return nil, &Error{Kind: ErrMalformed, Reason: "expected SignedData in DER", Cause: err}
	}
	switch {
	case len(data.Signers) == 0:
		return nil, fail(ErrUnsigned, "CMS without a signer")
	case len(data.Signers) > 1:
		return nil, fail(ErrMalformed, "CMS with %d signers, expected one", len(data.Signers))
	case !data.Encapsulated.Type.Equal(pkcs7.OIDData):
		return nil, fail(ErrMalformed, "signed content of type %v, expected id-data", data.Encapsulated.Type)
	case len(data.Encapsulated.Content.FullBytes) == 0:
		return nil, nil
	}
	content := []byte{}
	if err := unmarshalAll(data.Encapsulated.Content.Bytes, &content); err != nil {
		return nil, &Error{Kind: ErrMalformed, Reason: "expected the signed content as one octet string", Cause: err}
	}
	return content, nil
}

// readSignedAttributes checks the signed attributes (RFC 5652 §5.3, §11.1, §11.2, §11.3) and gives the signing time, zero if there is
// none; the library compares the digest itself.
func readSignedAttributes(message *pkcs7.PKCS7) (time.Time, error) {
	var contentType asn1.ObjectIdentifier
	var digest []byte
	var signingTime time.Time
	attributes := message.Signers[0].AuthenticatedAttributes
	if len(attributes) == 0 {
		return signingTime, fail(ErrUnsigned, "CMS without signed attributes, which this profile requires")
	}
	for _, wanted := range []struct {
		name     string
		oid      asn1.ObjectIdentifier
		into     any
		required bool
	}{
		{"content-type", pkcs7.OIDAttributeContentType, &contentType, true},
		{"message-digest", pkcs7.OIDAttributeMessageDigest, &digest, true},
		{"signing-time", pkcs7.OIDAttributeSigningTime, &signingTime, false},
	} {
		found := 0
		for _, a := range attributes {
			if !a.Type.Equal(wanted.oid) {
				continue
			}
			found++
			if err := unmarshalAll(a.Value.Bytes, wanted.into); err != nil {
				return signingTime, &Error{Kind: ErrMalformed, Reason: "expected one value of the signed attribute " + wanted.name, Cause: err}
			}
		}
		if found > 1 || found == 0 && wanted.required {
			return signingTime, fail(ErrMalformed, "%d signed attributes %s, expected one", found, wanted.name)
		}
	}
	if !contentType.Equal(pkcs7.OIDData) {
		return signingTime, fail(ErrMalformed, "the signed attribute content-type says %v, the content is id-data", contentType)
	}
	return signingTime.UTC(), nil
}

// cms gives the name of a signature algorithm of CMS under a key, if the policy allows it.
func (p Policy) cms(signature, digest asn1.ObjectIdentifier, public crypto.PublicKey) (string, error) {
	digestURI, known := cmsDigests[digest.String()]
	if !known {
		return "", fail(ErrPolicy, "digest algorithm %v is not known", digest)
	}
	if _, err := p.digest(digestURI); err != nil {
		return "", err
	}
	at := slices.IndexFunc(cmsSignatures, func(s cmsSignature) bool { return s.oid.Equal(signature) })
	if at < 0 {
		return "", fail(ErrPolicy, "signature algorithm %v is not known", signature)
	}
	found := cmsSignatures[at]
	if found.digest != nil && !found.digest.Equal(digest) {
		return "", fail(ErrPolicy, "signature algorithm %v does not go with digest algorithm %v", signature, digest)
	}
	kind, err := keyAlgorithm(public)
	if err != nil {
		return "", err
	}
	if kind != found.key {
		return "", fail(ErrPolicy, "signature algorithm %v does not go with a key of kind %v", signature, kind)
	}
	uri := xmlSignatures[kind][digestURI]
	_, err = p.signature(uri)
	return uri, err
}
