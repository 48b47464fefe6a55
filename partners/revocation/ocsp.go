package revocation

import (
	"bytes"
	"crypto"
	_ "crypto/sha1" // of CertID (RFC 6960 §4.1.1): it names an issuer and protects nothing
	_ "crypto/sha256"
	_ "crypto/sha512"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"time"

	"golang.org/x/crypto/ocsp"
)

// MaxOCSP is the most octets of an OCSP response.
const MaxOCSP = 64 << 10

// withoutNextUpdate is how long a response counts that says no nextUpdate.
const withoutNextUpdate = 24 * time.Hour

// Status is what an OCSP response says.
type Status string

// The statuses. Unknown counts as if nothing had been said.
const (
	Good    Status = "good"
	Revoked Status = "revoked"
	Unknown Status = "unknown"
)

// Answer is a verified OCSP response about one credential.
type Answer struct {
	Status                 Status
	ThisUpdate, NextUpdate time.Time
	RevokedAt              time.Time
	Reason                 int
}

// OCSPRequest makes the request about l, without a nonce: responders that answer in advance ignore it.
func OCSPRequest(l Link) ([]byte, error) {
	return ocsp.CreateRequest(l.X509Cert, l.Issuer, nil)
}

// ReadOCSP reads a response about l and verifies it as of now: signature of the issuer, or of a responder to which the
// issuer itself gave a credential with the extended key usage OCSPSigning (RFC 6960 §4.2.2.2); name and key of the issuer and the serial
// number; thisUpdate and nextUpdate as ReadCRL.
func ReadOCSP(data []byte, l Link, now time.Time) (*Answer, error) {
	if len(data) > MaxOCSP {
		return nil, fmt.Errorf("OCSP response of more than %d octets", MaxOCSP)
	}
	response, err := ocsp.ParseResponseForCert(data, l.X509Cert, nil)
	if refused := (ocsp.ResponseError{}); errors.As(err, &refused) {
		return nil, fmt.Errorf("OCSP responder did not answer: %s", refused.Status)
	}
	if err != nil {
		return nil, fmt.Errorf("OCSP response: %w", err)
	}
	if err := checkResponder(response, l.Issuer); err != nil {
		return nil, err
	}
	if err := checkCertID(response.TBSResponseData, l); err != nil {
		return nil, err
	}
	a := &Answer{ThisUpdate: response.ThisUpdate.UTC(), NextUpdate: response.NextUpdate.UTC()}
	if response.NextUpdate.IsZero() {
		a.NextUpdate = a.ThisUpdate.Add(withoutNextUpdate)
	}
	if err := checkUpdates("OCSP response", a.ThisUpdate, a.NextUpdate, now); err != nil {
		return nil, err
	}
	switch response.Status {
	case ocsp.Good:
		a.Status = Good
	case ocsp.Revoked:
		a.Status, a.RevokedAt, a.Reason = Revoked, response.RevokedAt.UTC(), response.RevocationReason
	default:
		a.Status = Unknown
	}
	return a, nil
}

// checkResponder judges who signed. The package ocsp has verified the signature with the credential that the response
// brings, if it brings one, and nothing about that credential.
func checkResponder(r *ocsp.Response, issuer *x509.Certificate) error {
	if weakHash(r.SignatureAlgorithm) {
		return fmt.Errorf("OCSP response is signed with %s, which is not accepted", r.SignatureAlgorithm)
	}
	responder := r.Certificate
	if responder == nil || bytes.Equal(responder.RawSubjectPublicKeyInfo, issuer.RawSubjectPublicKeyInfo) {
		if err := r.CheckSignatureFrom(issuer); err != nil {
			return fmt.Errorf("OCSP response is not signed by %q: %w", issuer.Subject, err)
		}
		return nil
	}
	switch {
	case !bytes.Equal(responder.RawIssuer, issuer.RawSubject):
		return fmt.Errorf("OCSP responder %q has its credential from %q and not from %q", responder.Subject, responder.Issuer, issuer.Subject)
	case responder.CheckSignatureFrom(issuer) != nil:
		return fmt.Errorf("OCSP responder %q has a credential that %q did not sign", responder.Subject, issuer.Subject)
	case !slices.Contains(responder.ExtKeyUsage, x509.ExtKeyUsageOCSPSigning):
		return fmt.Errorf("OCSP responder %q has a credential without the extended key usage OCSPSigning", responder.Subject)
	case r.ThisUpdate.Before(responder.NotBefore) || r.ThisUpdate.After(responder.NotAfter):
		return fmt.Errorf("OCSP responder %q has a credential that is valid from %s until %s", responder.Subject, instant(responder.NotBefore), instant(responder.NotAfter))
	}
	return nil
}

// What of ResponseData (RFC 6960 §4.2.1) tells whom a response is about.
type responseData struct {
	Version       int `asn1:"optional,default:0,explicit,tag:0"`
	ResponderID   asn1.RawValue
	ProducedAt    time.Time `asn1:"generalized"`
	Responses     []singleResponse
	ResponseExtra asn1.RawValue `asn1:"optional,explicit,tag:1"`
}

// singleResponse has more after this, which package asn1 lets stand.
type singleResponse struct{ CertID certID }

type certID struct {
	Hash         pkix.AlgorithmIdentifier
	NameHash     []byte
	KeyHash      []byte
	SerialNumber *big.Int
}

// certHashes are the hashes that a CertID may use.
var certHashes = map[string]crypto.Hash{
	"1.3.14.3.2.26":          crypto.SHA1,
	"2.16.840.1.101.3.4.2.1": crypto.SHA256,
	"2.16.840.1.101.3.4.2.2": crypto.SHA384,
	"2.16.840.1.101.3.4.2.3": crypto.SHA512,
}

// checkCertID makes sure that the response about l's serial number is about l's issuer: the package ocsp compares the serial
// number alone, and takes the first response that has it.
func checkCertID(tbs []byte, l Link) error {
	var data responseData
	if _, err := asn1.Unmarshal(tbs, &data); err != nil {
		return fmt.Errorf("OCSP response: %w", err)
	}
	var key struct {
		Algorithm pkix.AlgorithmIdentifier
		Key       asn1.BitString
	}
	if _, err := asn1.Unmarshal(l.Issuer.RawSubjectPublicKeyInfo, &key); err != nil {
		return fmt.Errorf("key of %q: %w", l.Issuer.Subject, err)
	}
	for _, r := range data.Responses {
		if r.CertID.SerialNumber == nil || r.CertID.SerialNumber.Cmp(l.X509Cert.SerialNumber) != 0 {
			continue
		}
		hash, ok := certHashes[r.CertID.Hash.Algorithm.String()]
		if !ok {
			return fmt.Errorf("OCSP response names its issuer by the hash %s, which is not supported", r.CertID.Hash.Algorithm)
		}
		if !bytes.Equal(r.CertID.NameHash, digest(hash, l.Issuer.RawSubject)) || !bytes.Equal(r.CertID.KeyHash, digest(hash, key.Key.RightAlign())) {
			return fmt.Errorf("OCSP response is about a credential of another issuer than %q", l.Issuer.Subject)
		}
		return nil
	}
	return fmt.Errorf("OCSP response is about another serial number than %X", l.X509Cert.SerialNumber)
}

func digest(hash crypto.Hash, data []byte) []byte {
	h := hash.New()
	h.Write(data)
	return h.Sum(nil)
}
