package announcement

import (
	"crypto/x509"
	"encoding/hex"
	"encoding/xml"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"github.com/ecogate/ecogate/internal/plainxml"
	"github.com/ecogate/ecogate/partners"
	"github.com/ecogate/ecogate/signing"
)

// Read reads an announcement and verifies the signatures in it, each of which must be that of a key that it announces. It is safe on
// any input. The error wraps ErrDocument, or ErrProof with an [*signing.Error].
func Read(document []byte, policy signing.Policy) (Announcement, error) {
	if len(document) > MaxOctets {
		return Announcement{}, fmt.Errorf("%w: %d octets, at most %d are read", ErrDocument, len(document), MaxOctets)
	}
	claimed, err := readAnnouncement(document)
	if err != nil {
		return Announcement{}, err
	}
	var candidates []*x509.Certificate
	for _, c := range claimed.Credentials {
		if !slices.ContainsFunc(candidates, c.Chain[0].Equal) {
			candidates = append(candidates, c.Chain[0])
		}
	}
	together, err := signing.VerifyTogether(document, place, candidates, policy)
	if errors.Is(err, signing.ErrUnsigned) {
		return claimed, nil // Proven is false of each
	}
	if err != nil {
		return Announcement{}, fmt.Errorf("%w: %w", ErrProof, err)
	}
	a, err := readAnnouncement(together.Octets)
	if err != nil {
		return Announcement{}, err
	}
	for i, c := range a.Credentials {
		a.Credentials[i].Proven = slices.ContainsFunc(together.Signers, c.Chain[0].Equal)
	}
	return a, nil
}

var signatureName = xml.Name{Space: "http://www.w3.org/2000/09/xmldsig#", Local: "Signature"}

// readAnnouncement reads what the document says, its signatures aside.
func readAnnouncement(document []byte) (a Announcement, err error) {
	root, err := rootOf(document, announcementRoot)
	if err != nil {
		return a, err
	}
	root.Children = slices.DeleteFunc(root.Children, func(e *plainxml.Node) bool { return e.Name == signatureName })
	r := plainxml.Open(root, &err, "version")
	party := plainxml.Open(r.Take("Party"), &err)
	for e, found := party.Next("PartyId"); found; e, found = party.Next("PartyId") {
		a.Party = append(a.Party, partners.PartyID{Type: e.Attributes["type"], Value: party.Leaf(e, "type")})
	}
	party.End()
	a.Number = number(r, r.Take("Number"))
	a.Issued = r.Instant(r.Take("Issued"))
	for e, found := r.Next("Credential"); found; e, found = r.Next("Credential") {
		if len(a.Credentials) == MaxCredentials {
			r.Fail("more than %d credentials", MaxCredentials)
		}
		a.Credentials = append(a.Credentials, readCredential(plainxml.Open(e, &err)))
	}
	r.End()
	if err != nil {
		return Announcement{}, fmt.Errorf("%w: %w", ErrDocument, err)
	}
	return a, a.check()
}

func readCredential(r *plainxml.Reader) (c Credential) {
	for e, found := r.Next("Use"); found; e, found = r.Next("Use") {
		c.Uses = append(c.Uses, partners.Use(r.Leaf(e)))
	}
	if e, found := r.Next("IssuingBody"); found {
		c.Body = r.Leaf(e)
	}
	c.Chain = r.X509Chain(MaxChain)
	c.ActiveFrom = r.Instant(r.Take("ActiveFrom"))
	if e, found := r.Next("OldRetires"); found {
		c.OldRetires = r.Instant(e)
	}
	r.End()
	return c
}

// rootOf reads a document of this package with that root element.
func rootOf(document []byte, local string) (*plainxml.Node, error) {
	canonical, err := signing.Canonicalize(document)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrDocument, err)
	}
	root, err := plainxml.Read(canonical)
	switch {
	case err != nil:
		return nil, fmt.Errorf("%w: %w", ErrDocument, err)
	case root.Name.Space != Namespace || root.Name.Local != local:
		return nil, fmt.Errorf("%w: the root element is {%s}%s, expected {%s}%s", ErrDocument, root.Name.Space, root.Name.Local, Namespace, local)
	case root.Attributes["version"] != "1":
		return nil, fmt.Errorf("%w: version %q, expected 1", ErrDocument, root.Attributes["version"])
	}
	return root, nil
}

func number(r *plainxml.Reader, e *plainxml.Node) uint64 {
	text := r.Leaf(e)
	n, err := strconv.ParseUint(text, 10, 63)
	if err != nil {
		r.Fail("%s %q is not a number from 0 to 2^63-1", e.Name.Local, text)
	}
	return n
}

// ReadAnswer reads an answer. It is safe on any input. The error wraps ErrDocument.
func ReadAnswer(document []byte) (a Answer, err error) {
	if len(document) > MaxOctets {
		return a, fmt.Errorf("%w: %d octets, at most %d are read", ErrDocument, len(document), MaxOctets)
	}
	root, err := rootOf(document, answerRoot)
	if err != nil {
		return a, err
	}
	r := plainxml.Open(root, &err, "version")
	a.Number = number(r, r.Take("Number"))
	for e, found := r.Next("Credential"); found; e, found = r.Next("Credential") {
		if len(a.Outcomes) == MaxCredentials*len(uses) {
			r.Fail("more than %d credentials", MaxCredentials*len(uses))
		}
		a.Outcomes = append(a.Outcomes, readOutcome(plainxml.Open(e, &err)))
	}
	r.End()
	if err != nil {
		return Answer{}, fmt.Errorf("%w: %w", ErrDocument, err)
	}
	return a, nil
}

func readOutcome(r *plainxml.Reader) (o Outcome) {
	o.SHA256 = r.Leaf(r.Take("SHA256"))
	if digest, err := hex.DecodeString(o.SHA256); err != nil || len(digest) != 32 || hex.EncodeToString(digest) != o.SHA256 {
		r.Fail("SHA256 %q is not 64 lower-case hexadecimal digits", o.SHA256)
	}
	o.Use = partners.Use(r.Leaf(r.Take("Use")))
	if !slices.Contains(uses, o.Use) {
		r.Fail("%q is not a use; expected one of %q", o.Use, uses)
	}
	if e, found := r.Next("IssuingBody"); found {
		o.Body = r.Leaf(e)
	}
	o.Result = Result(r.Leaf(r.Take("Result")))
	if !slices.Contains([]Result{ResultStaged, ResultTold, ResultRefused}, o.Result) {
		r.Fail("%q is not a result; expected %s, %s or %s", o.Result, ResultStaged, ResultTold, ResultRefused)
	}
	if e, found := r.Next("Reason"); found {
		o.Told = r.Leaf(e)
	}
	o.Verified, o.Failed = number(r, r.Take("Verified")), number(r, r.Take("Failed"))
	r.End()
	return o
}
