package signing

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"encoding/asn1"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"math/big"

	dsig "github.com/russellhaering/goxmldsig"

	"github.com/ecogate/ecogate/signing/internal/c14n"
)

// signer makes ds:Signatures with one key.
type signer struct {
	key       Key
	algorithm algorithm
	context   *dsig.SigningContext
	id        string // of ds:Signature; "" for none
	object    string // the ds:Object after ds:KeyInfo; "" for none
	before    int    // how many ds:Signature are in the document already
}

// newSigner checks a key and chooses its algorithm.
func newSigner(key Key) (*signer, error) {
	if err := key.check(); err != nil {
		return nil, err
	}
	chosen, err := key.algorithm()
	if err != nil {
		return nil, err
	}
	context, err := dsig.NewSigningContext(plainECDSA{key.Signer}, [][]byte{key.Chain[0].Raw})
	if err != nil {
		return nil, &Error{Kind: ErrKey, Reason: "preparing to sign", Cause: err}
	}
	context.Hash = chosen.hash // for the digests' identifier, where goxmldsig does not know the algorithm
	if !chosen.direct() {
		if err := context.SetSignatureMethod(chosen.uri); err != nil {
			return nil, &Error{Kind: ErrKey, Reason: "choosing " + chosen.uri, Cause: err}
		}
	}
	return &signer{key: key, algorithm: chosen, context: context}, nil
}

// documentTransforms writes the transforms of the Reference to the document, with an XPath between the two others or "".
func documentTransforms(xpath string) string {
	return `<ds:Transforms><ds:Transform Algorithm="` + envelopedTransform + `"></ds:Transform>` + xpath +
		`<ds:Transform Algorithm="` + inclusiveC14N + `"></ds:Transform></ds:Transforms>`
}

// referenceMarkup writes a ds:Reference to what has this digest.
func (s *signer) referenceMarkup(uri, transforms string, digest []byte) string {
	return `<ds:Reference URI="` + c14n.EscapeValue(uri) + `">` + transforms +
		`<ds:DigestMethod Algorithm="` + s.context.GetDigestAlgorithmIdentifier() + `"></ds:DigestMethod>` +
		`<ds:DigestValue>` + base64.StdEncoding.EncodeToString(digest) + `</ds:DigestValue></ds:Reference>`
}

// sign puts a ds:Signature with these references into the document as the parent's last child. ds:SignedInfo is canonical
// only in its place, where it inherits namespaces, so the signature is read there without a value first.
func (s *signer) sign(doc *c14n.Document, parent c14n.Element, references string) ([]byte, []Reference, error) {
	markup, refs, err := s.markup(doc, parent, references, reading{message: true})
	if err != nil {
		return nil, nil, err
	}
	return parent.Append(markup), refs, nil
}

// markup is the ds:Signature for sign, and what its references say.
func (s *signer) markup(doc *c14n.Document, parent c14n.Element, references string, around reading) (string, []Reference, error) {
	if existing := signaturesIn(doc); len(existing) != s.before {
		return "", nil, failAt(existing[0], ErrMalformed, "there is a ds:Signature already")
	}
	id := ""
	if s.id != "" {
		id = ` Id="` + s.id + `"`
	}
	head := `<ds:Signature xmlns:ds="` + dsigSpace + `"` + id + `><ds:SignedInfo>` +
		`<ds:CanonicalizationMethod Algorithm="` + inclusiveC14N + `"></ds:CanonicalizationMethod>` +
		`<ds:SignatureMethod Algorithm="` + s.algorithm.uri + `"></ds:SignatureMethod>` + references + `</ds:SignedInfo>` +
		`<ds:SignatureValue>`
	// The signer's own credential and no other: some products want exactly one (ebMS 2.0 leaves KeyInfo open).
	tail := `</ds:SignatureValue><ds:KeyInfo><ds:X509Data><ds:X509Certificate>` +
		base64.StdEncoding.EncodeToString(s.key.Chain[0].Raw) +
		`</ds:X509Certificate></ds:X509Data></ds:KeyInfo>` + s.object + `</ds:Signature>`
	place, err := asError(parent.Place(head + tail))
	if err != nil {
		return "", nil, err
	}
	signedInfo := signaturesIn(place)[0].Children()[0]
	value, err := s.value(signedInfo.Canonical(c14n.Method{}))
	if err != nil {
		return "", nil, err
	}
	var refs []Reference
	for _, e := range signedInfo.Children()[2:] {
		if namesProperties(e) {
			continue
		}
		r, err := readReference(e, Policy{}, around)
		if err != nil {
			return "", nil, err
		}
		refs = append(refs, r.result())
	}
	return head + base64.StdEncoding.EncodeToString(value) + tail, refs, nil
}

// value signs octets and makes sure that the credential verifies what a key outside this process made: it may be another than its
// public half says, or fail. Of the standard library's own keys key.check has compared the halves.
func (s *signer) value(octets []byte) ([]byte, error) {
	input := s.algorithm.input(octets)
	var value []byte
	var err error
	if s.algorithm.direct() {
		value, err = s.key.Signer.Sign(rand.Reader, input, s.algorithm.options())
	} else {
		value, err = s.context.SignString(string(octets))
	}
	if err != nil {
		return nil, &Error{Kind: ErrKey, Reason: "signing", Cause: err}
	}
	if !ofThisProcess(s.key.Signer) && !s.algorithm.verify(s.key.Chain[0].PublicKey, input, value) {
		return nil, fail(ErrKey, "the signature that the key made does not verify with credential %q", s.key.Chain[0].Subject)
	}
	return value, nil
}

// ofThisProcess tells whether a private key is one of the standard library's, and not one that a token or a service holds.
func ofThisProcess(key crypto.Signer) bool {
	switch key.(type) {
	case *rsa.PrivateKey, *ecdsa.PrivateKey, ed25519.PrivateKey:
		return true
	}
	return false
}

// plainECDSA is a crypto.Signer whose ECDSA signatures are r and s side by side, each of the curve's width (XMLDSig Core
// 1.1 §6.4.3), instead of ASN.1. Other signatures it passes on.
type plainECDSA struct{ crypto.Signer }

// Sign implements crypto.Signer.
func (p plainECDSA) Sign(rand io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	value, err := p.Signer.Sign(rand, digest, opts)
	public, ok := p.Public().(*ecdsa.PublicKey)
	if err != nil || !ok {
		return value, err
	}
	var parsed struct{ R, S *big.Int }
	if rest, err := asn1.Unmarshal(value, &parsed); err != nil || len(rest) > 0 {
		return nil, fmt.Errorf("reading the key's ECDSA signature: %w", errors.Join(err, errNotASN1))
	}
	width := scalarWidth(public.Curve)
	if parsed.R.Sign() < 0 || parsed.S.Sign() < 0 || parsed.R.BitLen() > 8*width || parsed.S.BitLen() > 8*width {
		return nil, fmt.Errorf("reading the key's ECDSA signature: %w", errNotASN1)
	}
	out := make([]byte, 2*width)
	parsed.R.FillBytes(out[:width])
	parsed.S.FillBytes(out[width:])
	return out, nil
}

var errNotASN1 = errors.New("not two integers of the curve's width in ASN.1")
