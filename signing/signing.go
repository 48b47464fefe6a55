// Package signing makes and verifies the two XML signatures of the gateway: the one of an ebXML message, which covers the
// SOAP envelope and every MIME part (ebMS 2.0 §4.1.3), and the enveloped one of a document such as a certificate of origin.
// The latter may be a XAdES one, with the signing time and a time-stamp. It also reads the keys and credentials that they need.
//
// It is given bytes and candidate credentials and takes no trust decision: which credentials count for a partner, whether
// they are in their validity and not revoked, and whether a message had to be signed at all, is the caller's to know.
//
// What a caller may rely on after a verification is [Verified.Octets], and nothing else of the document: those octets are
// what was digested. Reading the received bytes instead is how signature wrapping works; ebMS makes it easy, because its
// XPath filter takes every element with certain actors out of the signature.
//
// We canonicalize and verify ourselves (package internal/c14n and the files here) and sign with goxmldsig's
// SigningContext, for these reasons. goxmldsig checks one Reference and no XPath filter, so it cannot verify an ebMS
// signature; its canonicalizer orders attributes by local name where Canonical XML 1.0 §2.2 says namespace name, which
// every ebMS header shows; its ConstructSignature writes one Reference and takes the namespaces in scope from the signed
// element instead of the place that the signature goes to. What remains of use is the choice of algorithm and the
// signature over given octets, and there ECDSA comes out in ASN.1, where XMLDSig Core 1.1 §6.4.3 wants r and s side by
// side: our crypto.Signer around the key sees to that. goxmldsig knows neither RSA-PSS nor Ed25519: for them the key is asked
// directly.
//
// Time-stamps (RFC 3161) are read here: the few ASN.1 structures with encoding/asn1, the CMS around them with
// go.mozilla.org/pkcs7, which reads those of openssl. It leaves to us, and timestamp.go does, to ask for one signer,
// signed attributes, their content type, SHA-2, and the credential's use and chain at the time that the token says: the one
// credential whose trust is decided here, below the anchors that the caller gives, without revocation. We do not use
// github.com/digitorus/timestamp: its newest edition that this Go builds brings a CMS reader of 2023, which still reads
// beyond the end of a short token. A token with RSA-PSS or EdDSA is refused.
//
// Order to read: message.go and document.go for the two flows, signature.go (with grammar.go) for what is accepted as a
// signature, verify.go for what makes it true, envelope.go and xpath.go for what is particular to ebMS, then algorithm.go,
// sign.go and key.go. xades.go writes and xadesread.go reads what XAdES adds, timestamp.go its tokens. pbes2.go, pkcs12.go and
// pkcs11.go are where a key may lie, cms.go reads signed announcements and cmswrite.go writes them. beside.go is for keys that are to
// take the place of others: a second signature of a message, several of a document; several.go for documents that parties sign
// one after the other. inspect.go shows a
// signature to people and decides nothing; canonical.go gives canonical forms and places to those who look for the cause of a
// difference.
package signing

import (
	"crypto"
	"crypto/x509"
	"errors"
	"io"
	"time"

	"github.com/ecogate/ecogate/signing/internal/c14n"
)

// Key is a private key with its credentials. The signer may be in hardware; it is asked for PKCS #1 v1.5, PSS or ECDSA
// signatures over digests, or for Ed25519 ones over octets.
type Key struct {
	Signer crypto.Signer
	// Algorithm is the URI of the signature algorithm to sign with: one of those that the zero [Policy] accepts, but for
	// rsa-pss with parameters. Empty is the usual one: RSA with PKCS #1 v1.5 and SHA-256, ECDSA with the hash of its
	// curve's size, Ed25519.
	Algorithm string
	// Chain[0] belongs to Signer; what follows is not sent with signatures.
	Chain []*x509.Certificate
}

// Part is a MIME part of a message.
type Part struct {
	// URI is "cid:..." octet for octet as the Manifest's xlink:href writes it.
	URI string
	// Content are the octets after transfer decoding: those are what is digested (ebMS 2.0 §4.1.3), unless the Reference
	// names a canonical form.
	Content Content
}

// Content is octets of known length, in memory (*bytes.Reader) or in a file (*io.SectionReader). It never changes.
type Content interface {
	io.ReaderAt
	// Size is the number of octets.
	Size() int64
}

// Reference is what a signature says about one thing it covers.
type Reference struct {
	// URI is "" for the envelope or document itself and "cid:..." for a part.
	URI string
	// DigestMethod is the algorithm's URI; DigestValue is base64 without white space.
	DigestMethod, DigestValue string
	// XML is the ds:Reference in exclusive canonical form with every namespace that it needs, so that it can be put into
	// an Acknowledgment as it is (ebMS 2.0 §6.3.2.4).
	XML []byte
}

// Verified is what a valid signature covers.
type Verified struct {
	// Octets are the canonical octets that were digested: without the ds:Signature, without comments and, in a message,
	// without the elements that the XPath filter leaves out (those for the actors next and nextMSH).
	Octets []byte
	// References are all of the signature's, in its order, but the one to its own XAdES properties.
	References []Reference
	// Parts has the canonical octets of those parts that the signature covers in canonical form, by URI: they are what was
	// digested, and the part's own octets may differ from them in comments, order of attributes and more.
	Parts map[string][]byte
	// Signer is the one of the candidates whose key made the signature.
	Signer *x509.Certificate
	// Algorithm is the URI of the signature algorithm.
	Algorithm string
	// SigningTime is when the signer of a XAdES document or of an announcement says that it signed; zero if it does not say.
	// Nobody vouches for it.
	SigningTime time.Time
	// Beside: the message has a second signature, which [VerifyMessageBeside] verifies.
	Beside bool
	// TimeStamp is what a time-stamp authority says about the signature (XAdES-T); nil if there is none.
	TimeStamp *TimeStamp
}

// Canonicalize reads a document strictly and gives its Canonical XML 1.0 form without comments. The document must be UTF-8
// without document type declaration; the error is an [*Error] of kind [ErrMalformed] that says where.
//
// A caller that uses an unsigned document reads it from these octets, as it reads a signed one from [Verified.Octets].
func Canonicalize(doc []byte) ([]byte, error) {
	read, err := parse(doc)
	if err != nil {
		return nil, err
	}
	return read.Canonical(c14n.Method{}), nil
}

// parse reads a document and makes an Error of what is wrong with it.
func parse(doc []byte) (*c14n.Document, error) {
	return asError(c14n.Parse(string(doc)))
}

// asError makes an Error of what is wrong with a document.
func asError(read *c14n.Document, err error) (*c14n.Document, error) {
	if wrong := (*c14n.Error)(nil); errors.As(err, &wrong) {
		return nil, &Error{
			Kind: ErrMalformed, Reason: "expected " + wrong.Expected + ", found " + wrong.Found,
			Rule: rule(wrong.Expected), Line: wrong.Line, Column: wrong.Column,
		}
	}
	return read, err
}
