package issuerlist

import (
	"bytes"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/xml"
	"fmt"
	"strconv"

	"github.com/ecogate/ecogate/eco"
	"github.com/ecogate/ecogate/internal/plainxml"
	"github.com/ecogate/ecogate/partners"
	"github.com/ecogate/ecogate/signing"
)

// Namespace is that of lists.
const Namespace = "urn:ecogate:issuers:1"

const rootName = "IssuerList"

// place is where the XML signature of a list is.
var place = []xml.Name{{Space: Namespace, Local: rootName}}

// Signed is a list whose signature was verified.
type Signed struct {
	List
	// Signer is one of the candidates, Algorithm the signature's; SHA256 is the digest, in hexadecimal, of the canonical form of what it covers,
	// the same for one list in XML-DSig and in CMS.
	Signer    *x509.Certificate
	Algorithm string
	SHA256    string
}

// Read verifies the signature of a list under one of the candidates, and reads the list from the octets that it covers. A file that begins
// like XML is signed in it, with one enveloped signature in the root element; any other is CMS, in DER or PEM, with the list inside. It is safe
// on any input. The error wraps ErrSignature with an [*signing.Error], or ErrDocument.
func Read(file []byte, candidates []*x509.Certificate, policy signing.Policy) (Signed, error) {
	if len(file) > MaxOctets {
		return Signed{}, fail("%d octets, at most %d are read", len(file), MaxOctets)
	}
	verify := func() (*signing.Verified, error) { return signing.VerifyAnnouncement(file, nil, candidates, policy) }
	if isXML(file) {
		verify = func() (*signing.Verified, error) { return signing.VerifyDocument(file, place, candidates, policy) }
	}
	verified, err := verify()
	if err != nil {
		return Signed{}, fmt.Errorf("%w: %w", ErrSignature, err)
	}
	canonical, err := signing.Canonicalize(verified.Octets)
	if err != nil {
		return Signed{}, fail("%w", err)
	}
	l, err := parse(canonical)
	if err != nil {
		return Signed{}, err
	}
	digest := sha256.Sum256(canonical)
	return Signed{List: l, Signer: verified.Signer, Algorithm: verified.Algorithm, SHA256: hex.EncodeToString(digest[:])}, nil
}

func isXML(file []byte) bool {
	return bytes.HasPrefix(bytes.TrimSpace(bytes.TrimPrefix(file, []byte("\uFEFF"))), []byte("<"))
}

// parse reads the canonical form of a list without signature.
func parse(canonical []byte) (l List, err error) {
	root, err := plainxml.Read(canonical)
	switch {
	case err != nil:
		return l, fail("%w", err)
	case root.Name != place[0]:
		return l, fail("the root element is {%s}%s, expected {%s}%s", root.Name.Space, root.Name.Local, Namespace, rootName)
	case root.Attributes["version"] != "1":
		return l, fail("version %q, expected 1", root.Attributes["version"])
	}
	r := plainxml.Open(root, &err, "version")
	readAdministration(r.Open(r.Take("Administration")), &l)
	l.Number = readNumber(r)
	l.Issued, l.ValidFrom, l.NextUpdate = r.Instant(r.Take("Issued")), r.Instant(r.Take("ValidFrom")), r.OptionalInstant("NextUpdate")
	for e, found := r.Next("IssuingBody"); found; e, found = r.Next("IssuingBody") {
		l.Bodies = append(l.Bodies, readBody(r.Open(e)))
	}
	r.End()
	if err != nil {
		return List{}, fail("%w", err)
	}
	return l, l.check()
}

func readAdministration(r *plainxml.Reader, l *List) {
	for e, found := r.Next("PartyId"); found; e, found = r.Next("PartyId") {
		l.Party = append(l.Party, partners.PartyID{Type: e.Attributes["type"], Value: r.Leaf(e, "type")})
	}
	l.Name = r.Optional("Name")
	r.End()
}

func readNumber(r *plainxml.Reader) int {
	text := r.Leaf(r.Take("Number"))
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < 1 {
		r.Fail("Number %q is not a number from 1 to 2^63-1", text)
	}
	return int(n)
}

func readBody(r *plainxml.Reader) (b partners.Body) {
	b.ID, b.Name, b.Country = r.Leaf(r.Take("ID")), r.Optional("Name"), r.Leaf(r.Take("Country"))
	b.Forms = readForms(r)
	b.From, b.Until = r.OptionalInstant("From"), r.OptionalInstant("Until")
	for e, found := r.Next("Office"); found; e, found = r.Next("Office") {
		o := r.Open(e)
		b.Offices = append(b.Offices, partners.Office{
			ID: o.Leaf(o.Take("ID")), Name: o.Optional("Name"), From: o.OptionalInstant("From"), Until: o.OptionalInstant("Until"),
		})
		o.End()
	}
	for e, found := r.Next("Signatory"); found; e, found = r.Next("Signatory") {
		s := r.Open(e)
		b.Signatories = append(b.Signatories, partners.Signatory{
			Name: s.Leaf(s.Take("Name")), Offices: readOffices(s), From: s.OptionalInstant("From"), Until: s.OptionalInstant("Until"),
		})
		s.End()
	}
	for e, found := r.Next("Credential"); found; e, found = r.Next("Credential") {
		b.Credentials = append(b.Credentials, readCredential(r.Open(e)))
	}
	r.End()
	return b
}

func readForms(r *plainxml.Reader) (forms []eco.FormCode) {
	for e, found := r.Next("Form"); found; e, found = r.Next("Form") {
		forms = append(forms, eco.FormCode(r.Leaf(e)))
	}
	return forms
}

func readOffices(r *plainxml.Reader) (ids []string) {
	for e, found := r.Next("OfficeID"); found; e, found = r.Next("OfficeID") {
		ids = append(ids, r.Leaf(e))
	}
	return ids
}

func readCredential(r *plainxml.Reader) (c partners.BodyCredential) {
	c.Chain = r.X509Chain(MaxChain)
	c.Offices, c.Forms = readOffices(r), readForms(r)
	c.From, c.Until = r.OptionalInstant("From"), r.OptionalInstant("Until")
	r.End()
	return c
}
