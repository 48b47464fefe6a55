package signing

import (
	"bytes"
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"math/big"
	"slices"
	"time"

	"go.mozilla.org/pkcs7"
)

// maxToken is the length in octets of a time-stamp token, with the credentials of its authority. It must fit into a
// ds:Signature.
const maxToken = 32 << 10

// maxSerialBits is the longest serial number of a time-stamp (RFC 3161 §2.4.2). It is shown to people and logged.
const maxSerialBits = 160

// TimeStampAuthority carries a request to an RFC 3161 time-stamp authority. [HTTPAuthority] is one.
type TimeStampAuthority interface {
	// Ask sends the DER of a TimeStampReq and gives the DER of the TimeStampResp. What it is, is checked here.
	Ask(ctx context.Context, request []byte) (reply []byte, err error)
}

// TimeStamp is what an RFC 3161 token over a signature value says.
type TimeStamp struct {
	// Time is when the signature was there, in UTC.
	Time time.Time
	// Policy is the OID of the authority's policy, with dots.
	Policy string
	// SerialNumber is the authority's number of the time-stamp.
	SerialNumber *big.Int
	// Authority is the credential that made the time-stamp; nil if no anchors were given, and then nobody vouches for it.
	Authority *x509.Certificate
}

// Object identifiers of RFC 3161, RFC 5652, RFC 5035, RFC 5758 and RFC 8017.
var (
	oidTSTInfo             = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 16, 1, 4}
	oidSigningCredential   = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 16, 2, 12}
	oidSigningCredentialV2 = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 16, 2, 47}
	oidExtendedKeyUsage    = asn1.ObjectIdentifier{2, 5, 29, 37}
	tokenSignatures        = []asn1.ObjectIdentifier{
		pkcs7.OIDEncryptionAlgorithmRSA, pkcs7.OIDEncryptionAlgorithmRSASHA256, pkcs7.OIDEncryptionAlgorithmRSASHA384,
		pkcs7.OIDEncryptionAlgorithmRSASHA512, pkcs7.OIDDigestAlgorithmECDSASHA256, pkcs7.OIDDigestAlgorithmECDSASHA384,
		pkcs7.OIDDigestAlgorithmECDSASHA512,
	}
)

// tokenHash gives the hash of an identifier. SHA-1 is in no time-stamp, whatever the partner's policy.
func tokenHash(oid asn1.ObjectIdentifier) (crypto.Hash, bool) {
	switch {
	case oid.Equal(pkcs7.OIDDigestAlgorithmSHA256):
		return crypto.SHA256, true
	case oid.Equal(pkcs7.OIDDigestAlgorithmSHA384):
		return crypto.SHA384, true
	case oid.Equal(pkcs7.OIDDigestAlgorithmSHA512):
		return crypto.SHA512, true
	}
	return 0, false
}

// messageImprint is MessageImprint (RFC 3161 §2.4.1).
type messageImprint struct {
	HashAlgorithm pkix.AlgorithmIdentifier
	HashedMessage []byte
}

// timeStampReq is TimeStampReq (RFC 3161 §2.4.1).
type timeStampReq struct {
	Version        int
	MessageImprint messageImprint
	Nonce          *big.Int
	CertReq        bool
}

// timeStampResp is TimeStampResp (RFC 3161 §2.4.2).
type timeStampResp struct {
	Status struct {
		Status       int
		StatusString []string       `asn1:"optional,utf8"`
		FailInfo     asn1.BitString `asn1:"optional"`
	}
	Token asn1.RawValue `asn1:"optional"`
}

// tstInfo is TSTInfo (RFC 3161 §2.4.2).
type tstInfo struct {
	Version        int
	Policy         asn1.ObjectIdentifier
	MessageImprint messageImprint
	SerialNumber   *big.Int
	GenTime        time.Time     `asn1:"generalized"`
	Accuracy       accuracy      `asn1:"optional"`
	Ordering       bool          `asn1:"optional"`
	Nonce          *big.Int      `asn1:"optional"`
	TSA            asn1.RawValue `asn1:"optional,tag:0"`
	Extensions     asn1.RawValue `asn1:"optional,tag:1"`
}

// accuracy is Accuracy (RFC 3161 §2.4.2). It is read because it stands before the nonce.
type accuracy struct {
	Seconds      int `asn1:"optional"`
	Milliseconds int `asn1:"optional,tag:0"`
	Microseconds int `asn1:"optional,tag:1"`
}

// requestTimeStamp has the authority time-stamp octets and gives the token.
func requestTimeStamp(ctx context.Context, x XAdES, octets []byte) ([]byte, error) {
	nonce := make([]byte, 8)
	if _, err := rand.Read(nonce); err != nil {
		return nil, &Error{Kind: ErrAuthority, Reason: "choosing a nonce", Cause: err}
	}
	asked := timeStampReq{
		Version: 1, Nonce: new(big.Int).SetBytes(nonce), CertReq: true,
		MessageImprint: messageImprint{
			HashAlgorithm: pkix.AlgorithmIdentifier{Algorithm: pkcs7.OIDDigestAlgorithmSHA256, Parameters: asn1.NullRawValue},
			HashedMessage: sum(crypto.SHA256, octets),
		},
	}
	request, err := asn1.Marshal(asked)
	if err != nil {
		return nil, &Error{Kind: ErrAuthority, Reason: "writing the request", Cause: err}
	}
	reply, err := x.Authority.Ask(ctx, request)
	if err != nil {
		return nil, &Error{Kind: ErrAuthority, Reason: "asking", Cause: err}
	}
	token, err := readReply(reply)
	if err != nil {
		return nil, err
	}
	t, err := readToken(token)
	if err == nil && (t.info.Nonce == nil || t.info.Nonce.Cmp(asked.Nonce) != 0) {
		err = fail(ErrTimeStamp, "the nonce is not the one that was asked for")
	}
	if err == nil {
		_, err = t.verify(octets, x.TimeStampAnchors)
	}
	if err != nil {
		return nil, &Error{Kind: ErrAuthority, Reason: "its time-stamp is of no use", Cause: err}
	}
	return token, nil
}

// readReply reads a TimeStampResp and gives the token that was granted.
func readReply(reply []byte) ([]byte, error) {
	var resp timeStampResp
	if rest, err := asn1.Unmarshal(reply, &resp); err != nil || len(rest) > 0 {
		return nil, &Error{Kind: ErrAuthority, Reason: "the reply is not a TimeStampResp", Cause: errors.Join(err, trailing(rest))}
	}
	if status := resp.Status.Status; status != 0 && status != 1 { // granted, grantedWithMods
		return nil, fail(ErrAuthority, "it was refused with status %d, failure bits %x, %.200q", status, resp.Status.FailInfo.Bytes, resp.Status.StatusString)
	}
	if len(resp.Token.FullBytes) == 0 {
		return nil, fail(ErrAuthority, "the reply has no time-stamp")
	}
	return resp.Token.FullBytes, nil
}

// verifyTimeStamp tells what a token says about octets.
func verifyTimeStamp(token, octets []byte, anchors []*x509.Certificate) (*TimeStamp, error) {
	t, err := readToken(token)
	if err != nil {
		return nil, err
	}
	return t.verify(octets, anchors)
}

// token is a TimeStampToken that follows the grammar. Whether it is true is another question.
type token struct {
	cms  *pkcs7.PKCS7
	info tstInfo
}

// readToken reads a TimeStampToken: CMS with one signer and signed attributes over a TSTInfo (RFC 3161 §2.4.2). Without
// signed attributes the content of one CMS could be the attributes of another; with them, content-type says which it is.
func readToken(der []byte) (*token, error) {
	if len(der) > maxToken {
		return nil, fail(ErrTimeStamp, "token of more than %d octets", maxToken)
	}
	// The CMS reader takes BER and does not look behind the end; DER has one spelling.
	var whole asn1.RawValue
	if rest, err := asn1.Unmarshal(der, &whole); err != nil || len(rest) > 0 {
		return nil, &Error{Kind: ErrTimeStamp, Reason: "the token is not DER", Cause: errors.Join(err, trailing(rest))}
	}
	cms, err := parseCMS(der)
	if err != nil {
		return nil, &Error{Kind: ErrTimeStamp, Reason: "the token is not CMS", Cause: err}
	}
	if len(cms.Signers) != 1 {
		return nil, fail(ErrTimeStamp, "the token has %d signers, expected one", len(cms.Signers))
	}
	var contentType asn1.ObjectIdentifier
	if err := cms.UnmarshalSignedAttribute(pkcs7.OIDAttributeContentType, &contentType); err != nil {
		return nil, &Error{Kind: ErrTimeStamp, Reason: "the signed content type", Cause: err}
	}
	if !contentType.Equal(oidTSTInfo) {
		return nil, fail(ErrTimeStamp, "the token signs %s instead of TSTInfo", contentType)
	}
	t := &token{cms: cms}
	if rest, err := asn1.Unmarshal(cms.Content, &t.info); err != nil || len(rest) > 0 {
		return nil, &Error{Kind: ErrTimeStamp, Reason: "the token's content is not a TSTInfo", Cause: errors.Join(err, trailing(rest))}
	}
	// An extension may say that it must be understood, and we know none.
	if t.info.Version != 1 || len(t.info.Extensions.FullBytes) > 0 || t.info.SerialNumber == nil {
		return nil, fail(ErrTimeStamp, "TSTInfo of version %d, or with extensions, expected version 1 without", t.info.Version)
	}
	if bits := t.info.SerialNumber.BitLen(); bits > maxSerialBits {
		return nil, fail(ErrTimeStamp, "serial number of %d bits, at most %d are read", bits, maxSerialBits)
	}
	return t, nil
}

func trailing(rest []byte) error {
	if len(rest) > 0 {
		return errors.New("octets follow it")
	}
	return nil
}

// verify tells what the token says about octets, after seeing that it is about them and, if there are anchors, true.
func (t *token) verify(octets []byte, anchors []*x509.Certificate) (*TimeStamp, error) {
	hash, known := tokenHash(t.info.MessageImprint.HashAlgorithm.Algorithm)
	if !known {
		return nil, fail(ErrTimeStamp, "the hash %s is not SHA-256, SHA-384 or SHA-512", t.info.MessageImprint.HashAlgorithm.Algorithm)
	}
	if !bytes.Equal(sum(hash, octets), t.info.MessageImprint.HashedMessage) {
		return nil, fail(ErrTimeStamp, "it is over something else than this signature value")
	}
	stamp := &TimeStamp{Time: t.info.GenTime.UTC(), Policy: t.info.Policy.String(), SerialNumber: t.info.SerialNumber}
	if len(anchors) == 0 {
		return stamp, nil
	}
	var err error
	stamp.Authority, err = t.authority(anchors)
	return stamp, err
}

// authority gives the credential that made the token: one of the anchors or below one of them, for time-stamping and nothing
// else (RFC 3161 §2.3), valid at the time that the token says.
func (t *token) authority(anchors []*x509.Certificate) (*x509.Certificate, error) {
	signer := t.cms.Signers[0]
	if _, known := tokenHash(signer.DigestAlgorithm.Algorithm); !known {
		return nil, fail(ErrTimeStamp, "the token's digest %s is not SHA-256, SHA-384 or SHA-512", signer.DigestAlgorithm.Algorithm)
	}
	if !slices.ContainsFunc(tokenSignatures, signer.DigestEncryptionAlgorithm.Algorithm.Equal) {
		return nil, fail(ErrTimeStamp, "the token's signature algorithm %s is neither RSA (PKCS #1 v1.5) nor ECDSA with SHA-2", signer.DigestEncryptionAlgorithm.Algorithm)
	}
	carried := t.cms.Certificates
	t.cms.Certificates = append(slices.Clone(anchors), carried...) // the token need not carry its credential
	x509Cert := t.cms.GetOnlySigner()
	if x509Cert == nil {
		return nil, fail(ErrTimeStamp, "the credential that made the token is neither in it nor among the %d anchors", len(anchors))
	}
	// Before anything is verified: the token brings the keys along, and one of 100,000 bits keeps a processor busy for seconds.
	if _, err := keyAlgorithm(x509Cert.PublicKey); err != nil {
		return nil, &Error{Kind: ErrTimeStamp, Reason: "the authority's key", Cause: err}
	}
	for _, c := range carried {
		if key, ok := c.PublicKey.(*rsa.PublicKey); ok && key.N.BitLen() > maxRSABits {
			return nil, fail(ErrTimeStamp, "the token carries an RSA key of %d bits, at most %d are used", key.N.BitLen(), maxRSABits)
		}
	}
	if err := t.cms.Verify(); err != nil {
		return nil, &Error{Kind: ErrTimeStamp, Reason: "the token's signature", Cause: err}
	}
	if err := t.checkNamed(x509Cert); err != nil {
		return nil, err
	}
	return x509Cert, checkAuthority(x509Cert, carried, anchors, t.info.GenTime)
}

// checkNamed asks that the signed attributes name the credential (RFC 3161 §2.4.2, RFC 5816 §2.2.1).
func (t *token) checkNamed(x509Cert *x509.Certificate) error {
	var v2 struct{ Certs []asn1.RawValue }
	if err := t.cms.UnmarshalSignedAttribute(oidSigningCredentialV2, &v2); err == nil && len(v2.Certs) > 0 {
		hash, digest, err := essCertIDv2(v2.Certs[0].Bytes)
		if err == nil && bytes.Equal(sum(hash, x509Cert.Raw), digest) {
			return nil
		}
		return fail(ErrTimeStamp, "the token names another credential than the one that made it")
	}
	// The first edition knows SHA-1 only. It says which credential it is; the signature is what makes that true.
	var v1 struct{ Certs []struct{ Hash []byte } }
	if err := t.cms.UnmarshalSignedAttribute(oidSigningCredential, &v1); err != nil || len(v1.Certs) == 0 ||
		!bytes.Equal(sum(crypto.SHA1, x509Cert.Raw), v1.Certs[0].Hash) {
		return fail(ErrTimeStamp, "the token does not name the credential that made it")
	}
	return nil
}

// essCertIDv2 reads the content of an ESSCertIDv2 (RFC 5035 §3), whose hash is SHA-256 if it does not say.
func essCertIDv2(content []byte) (crypto.Hash, []byte, error) {
	hash := crypto.SHA256
	var first asn1.RawValue
	rest, err := asn1.Unmarshal(content, &first)
	if err != nil {
		return 0, nil, err
	}
	if first.Tag == asn1.TagOctetString {
		return hash, first.Bytes, nil
	}
	var algorithm pkix.AlgorithmIdentifier
	if _, err := asn1.Unmarshal(first.FullBytes, &algorithm); err != nil {
		return 0, nil, err
	}
	var digest []byte
	if _, err := asn1.Unmarshal(rest, &digest); err != nil {
		return 0, nil, err
	}
	hash, known := tokenHash(algorithm.Algorithm)
	if !known {
		return 0, nil, fail(ErrTimeStamp, "hash %s", algorithm.Algorithm)
	}
	return hash, digest, nil
}

// checkAuthority asks that a credential is for time-stamping and belongs to the anchors at an instant.
func checkAuthority(x509Cert *x509.Certificate, carried, anchors []*x509.Certificate, at time.Time) error {
	critical := slices.ContainsFunc(x509Cert.Extensions, func(e pkix.Extension) bool { return e.Critical && e.Id.Equal(oidExtendedKeyUsage) })
	if !critical || len(x509Cert.UnknownExtKeyUsage) > 0 || !slices.Equal(x509Cert.ExtKeyUsage, []x509.ExtKeyUsage{x509.ExtKeyUsageTimeStamping}) {
		return fail(ErrTimeStamp, "credential %q is not for time-stamping alone, or does not say so critically", x509Cert.Subject)
	}
	options := x509.VerifyOptions{
		Roots: x509.NewCertPool(), Intermediates: x509.NewCertPool(), CurrentTime: at,
		KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageTimeStamping},
	}
	for _, anchor := range anchors {
		options.Roots.AddCert(anchor)
	}
	for _, c := range carried {
		options.Intermediates.AddCert(c)
	}
	if _, err := x509Cert.Verify(options); err != nil {
		return &Error{Kind: ErrTimeStamp, Reason: "credential " + x509Cert.Subject.String() + " at " + at.UTC().Format(time.RFC3339), Cause: err}
	}
	return nil
}
