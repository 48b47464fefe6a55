package signing

import (
	"bytes"
	"crypto/x509"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/ecogate/ecogate/signing/internal/c14n"
)

// signer gives the candidate whose key made the signature value over ds:SignedInfo (XMLDSig Core 1.1 §3.2.2). What
// ds:KeyInfo carries never verifies anything: it only says which of the candidates to take.
func (s *signature) signer(candidates []*x509.Certificate) (*x509.Certificate, error) {
	input := s.algorithm.input(s.signedInfo.Canonical(s.method))
	tried, weak := 0, error(nil)
	for _, candidate := range candidates {
		if !s.hint.admits(candidate) {
			continue
		}
		kind, err := keyAlgorithm(candidate.PublicKey)
		if err != nil {
			weak = err
			continue
		}
		if kind != s.algorithm.key {
			continue
		}
		if s.algorithm.verify(candidate.PublicKey, input, s.value) {
			return candidate, nil
		}
		tried++
	}
	switch {
	case tried > 0:
		return nil, failAt(s.element, ErrSignature, "none of the %d candidates that fit made it", tried)
	case weak != nil:
		return nil, weak
	}
	return nil, failAt(s.element, ErrUnknownSigner, "none of the %d candidates is the credential that the signature names "+
		"or has a key for %s%s", len(candidates), s.algorithm.uri, s.hint.says())
}

// checkCoverage compares the references with what there is to cover: the document itself and every part, nothing else and
// nothing twice. An uncovered part is what an attacker would add.
func (s *signature) checkCoverage(parts []Part) error {
	there := make(map[string]bool, len(parts))
	for _, part := range parts {
		if there[part.URI] {
			return fail(ErrMalformed, "there is more than one part %q", part.URI)
		}
		there[part.URI] = true
		if s.reference(part.URI) == nil || part.URI == "" {
			return failAt(s.element, ErrUnsigned, "the signature does not cover the part %q", part.URI)
		}
	}
	if s.reference("") == nil {
		return failAt(s.element, ErrUnsigned, "the signature does not cover the document that it is in")
	}
	for _, r := range s.references {
		if r.uri != "" && !there[r.uri] {
			return failAt(r.element, ErrMalformed, "the signature covers the part %q, which there is not", r.uri)
		}
	}
	return s.checkCanonicalSizes(parts)
}

// checkCanonicalSizes bounds the parts that must be in memory for their canonical form, one by one and together. It costs
// nothing, so it comes before anything is digested.
func (s *signature) checkCanonicalSizes(parts []Part) error {
	left := int64(maxCanonicalPart)
	for _, part := range parts {
		r := s.reference(part.URI)
		if !r.canonical {
			continue
		}
		if err := r.checkCanonicalSize(part.Content); err != nil {
			return err
		}
		if left -= part.Content.Size(); left < 0 {
			return failAt(r.element, ErrMalformed, "the parts that are signed in canonical form are longer than %d octets together", maxCanonicalPart)
		}
	}
	return nil
}

// checkCanonicalSize refuses a part that is too long to be read for its canonical form.
func (r *reference) checkCanonicalSize(content Content) error {
	if content.Size() > maxCanonicalPart {
		return failAt(r.element, ErrMalformed, "the part %q is longer than the %d octets that have a canonical form", r.uri, maxCanonicalPart)
	}
	return nil
}

// reference gives the ds:Reference to a URI, or nil.
func (s *signature) reference(uri string) *reference {
	i, found := s.byURI[uri]
	if !found {
		return nil
	}
	return &s.references[i]
}

// checkDigests digests everything that is referred to and fills in what is covered: the canonical octets of the document,
// and of the parts that are referred to in canonical form. Coverage was checked, so every part is there.
func (s *signature) checkDigests(doc *c14n.Document, parts []Part, v *Verified) error {
	document := s.reference("")
	v.Octets = doc.Canonical(document.documentMethod(append([]c14n.Element{s.element}, s.later...)...))
	if !document.isOf(v.Octets) {
		return failAt(document.element, ErrDigest, "the document is not what was signed")
	}
	for _, part := range parts {
		r := s.reference(part.URI)
		digest, octets, err := r.digestPart(part.Content)
		if err != nil {
			return err
		}
		if !bytes.Equal(digest, r.digest) {
			return failAt(r.element, ErrDigest, "the part %s is not what was signed", r.uri)
		}
		if r.canonical {
			if v.Parts == nil {
				v.Parts = make(map[string][]byte)
			}
			v.Parts[r.uri] = octets
		}
	}
	return nil
}

// digestPart digests a part's content as its Reference says; octets are what was digested if that is a canonical form. The
// error is an [*Error] about a part that has no canonical form, or that of reading it.
func (r *reference) digestPart(content Content) (digest, octets []byte, err error) {
	if !r.canonical {
		if digest, err = sumContent(r.hash, content); err != nil {
			return nil, nil, fmt.Errorf("reading the part %q: %w", r.uri, err)
		}
		return digest, nil, nil
	}
	if err := r.checkCanonicalSize(content); err != nil {
		return nil, nil, err
	}
	var text strings.Builder
	text.Grow(int(content.Size()))
	if err := writeContent(&text, content); err != nil {
		return nil, nil, fmt.Errorf("reading the part %q: %w", r.uri, err)
	}
	if int64(text.Len()) != content.Size() {
		return nil, nil, fmt.Errorf("reading the part %q: %w", r.uri, io.ErrUnexpectedEOF)
	}
	doc, err := asError(c14n.Parse(text.String()))
	if err != nil {
		return nil, nil, &Error{Kind: ErrMalformed, Reason: fmt.Sprintf("the part %q has no canonical form", r.uri), Cause: err}
	}
	octets = doc.Canonical(r.method)
	return sum(r.hash, octets), octets, nil
}

// documentMethod is the canonicalization after the transforms before it: the enveloped-signature transform leaves out the
// signature itself (XMLDSig Core 1.1 §6.6.4), and with it go those that were added after it. The XPath filter of ebMS keeps or drops an element with all that is in it,
// because attributes and text have the element among their ancestors; so dropping the element is what it means.
func (r *reference) documentMethod(signatures ...c14n.Element) c14n.Method {
	m := r.method
	m.Drop = func(e c14n.Element) bool {
		return slices.Contains(signatures, e) || r.filter.signatures && e.Is(dsigSpace, "Signature") || dropped(e, r.filter.actors)
	}
	return m
}

// dropped tells whether an element has one of the actors.
func dropped(e c14n.Element, actors []string) bool {
	if len(actors) == 0 {
		return false
	}
	actor, found := e.Attribute(soapSpace, "actor")
	return found && slices.Contains(actors, actor)
}

// verify checks everything about a signature that follows the grammar: first that it covers what there is, then whose it
// is, then that what it covers is unchanged.
func (s *signature) verify(doc *c14n.Document, parts []Part, candidates []*x509.Certificate) (*Verified, error) {
	if err := s.checkCoverage(parts); err != nil {
		return nil, err
	}
	signer, err := s.signer(candidates)
	if err != nil {
		return nil, err
	}
	v := &Verified{Signer: signer, Algorithm: s.algorithm.uri}
	if err := s.checkDigests(doc, parts, v); err != nil {
		return nil, err
	}
	for i := range s.references {
		v.References = append(v.References, s.references[i].result())
	}
	return v, nil
}
