package announcement

import (
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/xml"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

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
	root.children = slices.DeleteFunc(root.children, func(e *node) bool { return e.name == signatureName })
	r := open(root, &err, "version")
	party := open(r.take("Party"), &err)
	for e, found := party.next("PartyId"); found; e, found = party.next("PartyId") {
		a.Party = append(a.Party, partners.PartyID{Type: e.attributes["type"], Value: party.leaf(e, "type")})
	}
	party.end()
	a.Number = r.number(r.take("Number"))
	a.Issued = r.instant(r.take("Issued"))
	for e, found := r.next("Credential"); found; e, found = r.next("Credential") {
		if len(a.Credentials) == MaxCredentials {
			r.fail("more than %d credentials", MaxCredentials)
		}
		a.Credentials = append(a.Credentials, readCredential(open(e, &err)))
	}
	r.end()
	if err != nil {
		return Announcement{}, err
	}
	return a, a.check()
}

func readCredential(r *reader) (c Credential) {
	for e, found := r.next("Use"); found; e, found = r.next("Use") {
		c.Uses = append(c.Uses, partners.Use(r.leaf(e)))
	}
	if e, found := r.next("IssuingBody"); found {
		c.Body = r.leaf(e)
	}
	for e, found := r.next("X509Certificate"); found; e, found = r.next("X509Certificate") {
		der, err := base64.StdEncoding.DecodeString(r.leaf(e))
		if err != nil {
			r.fail("X509Certificate %d is not base64: %v", len(c.Chain)+1, err)
			return c
		}
		x509Cert, err := x509.ParseCertificate(der)
		if err != nil {
			r.fail("X509Certificate %d: %v", len(c.Chain)+1, err)
			return c
		}
		if len(c.Chain) == MaxChain {
			r.fail("more than %d X.509 certificates", MaxChain)
			return c
		}
		c.Chain = append(c.Chain, x509Cert)
	}
	c.ActiveFrom = r.instant(r.take("ActiveFrom"))
	if e, found := r.next("OldRetires"); found {
		c.OldRetires = r.instant(e)
	}
	r.end()
	return c
}

// rootOf reads a document of this package with that root element.
func rootOf(document []byte, local string) (*node, error) {
	canonical, err := signing.Canonicalize(document)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrDocument, err)
	}
	root, err := readTree(canonical)
	switch {
	case err != nil:
		return nil, err
	case root.name.Space != Namespace || root.name.Local != local:
		return nil, fmt.Errorf("%w: the root element is {%s}%s, expected {%s}%s", ErrDocument, root.name.Space, root.name.Local, Namespace, local)
	case root.attributes["version"] != "1":
		return nil, fmt.Errorf("%w: version %q, expected 1", ErrDocument, root.attributes["version"])
	}
	return root, nil
}

func (r *reader) number(e *node) uint64 {
	text := r.leaf(e)
	n, err := strconv.ParseUint(text, 10, 63)
	if err != nil {
		r.fail("%s %q is not a number from 0 to 2^63-1", e.name.Local, text)
	}
	return n
}

// instant reads xsd:dateTime to the second in UTC.
func (r *reader) instant(e *node) time.Time {
	text := r.leaf(e)
	at, err := time.Parse("2006-01-02T15:04:05Z", text)
	if err != nil {
		r.fail("%s %q is not an instant such as 2026-11-29T10:00:00Z", e.name.Local, text)
	}
	return at
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
	r := open(root, &err, "version")
	a.Number = r.number(r.take("Number"))
	for e, found := r.next("Credential"); found; e, found = r.next("Credential") {
		if len(a.Outcomes) == MaxCredentials*len(uses) {
			r.fail("more than %d credentials", MaxCredentials*len(uses))
		}
		a.Outcomes = append(a.Outcomes, readOutcome(open(e, &err)))
	}
	r.end()
	if err != nil {
		return Answer{}, err
	}
	return a, nil
}

func readOutcome(r *reader) (o Outcome) {
	o.SHA256 = r.leaf(r.take("SHA256"))
	if digest, err := hex.DecodeString(o.SHA256); err != nil || len(digest) != 32 || hex.EncodeToString(digest) != o.SHA256 {
		r.fail("SHA256 %q is not 64 lower-case hexadecimal digits", o.SHA256)
	}
	o.Use = partners.Use(r.leaf(r.take("Use")))
	if !slices.Contains(uses, o.Use) {
		r.fail("%q is not a use; expected one of %q", o.Use, uses)
	}
	if e, found := r.next("IssuingBody"); found {
		o.Body = r.leaf(e)
	}
	o.Result = Result(r.leaf(r.take("Result")))
	if !slices.Contains([]Result{ResultStaged, ResultTold, ResultRefused}, o.Result) {
		r.fail("%q is not a result; expected %s, %s or %s", o.Result, ResultStaged, ResultTold, ResultRefused)
	}
	if e, found := r.next("Reason"); found {
		o.Told = r.leaf(e)
	}
	o.Verified, o.Failed = r.number(r.take("Verified")), r.number(r.take("Failed"))
	r.end()
	return o
}
