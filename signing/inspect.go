package signing

import (
	"bytes"
	"cmp"
	"crypto/x509"
	"encoding/base64"
	"encoding/xml"
	"errors"

	"github.com/ecogate/ecogate/signing/internal/c14n"
)

// Inspection is what a person wants to see of the signature of a message or document, true or not. Nothing of it is a verdict:
// only [VerifyMessage] and [VerifyDocument] say whether a signature is valid, and what is read here may have been written by
// anybody.
type Inspection struct {
	// Refused says why VerifyMessage or VerifyDocument reads the signature no further than its grammar and the policy: there is
	// none, there are several, an algorithm is not allowed. It is an [*Error], and nil if the signature is one that can be verified.
	Refused error
	// Algorithm is the URI of the signature algorithm as written; "" if there is none to be found.
	Algorithm string
	// References are those of ds:SignedInfo in its order, at most as many as a signature may have; in a document also that to
	// the signature's own XAdES properties.
	References []InspectedReference
	// Uncovered are the URIs of the parts that no reference names, in the order of the parts.
	Uncovered []string
	// Credentials are those that ds:KeyInfo carries and that can be read, in its order.
	Credentials []*x509.Certificate
}

// InspectedReference is a ds:Reference, and how what it names compares with it.
type InspectedReference struct {
	// URI, DigestMethod and DigestValue are as in [Reference]; "" where they could not be read.
	URI, DigestMethod, DigestValue string
	Finding                        Finding
	// Reason says why a reference was not read; nil for the other findings.
	Reason error
}

// Finding is the comparison of one reference with what it names.
type Finding string

// The findings.
const (
	// FindingMatches: the digest is that of what is there.
	FindingMatches Finding = "matches"
	// FindingDiffers: what is there is not what was digested.
	FindingDiffers Finding = "differs"
	// FindingNoPart: the reference names a part that the message has not.
	FindingNoPart Finding = "no such part"
	// FindingNotRead: the reference breaks the grammar or the policy, so nothing was digested for it.
	FindingNotRead Finding = "not read"
)

// InspectMessage reads the signature of an ebMS message (ebMS 2.0 §4.1.3) as VerifyMessage does, and where VerifyMessage
// stops it goes on: each reference is compared by itself. It takes no decision and checks no signature value. The envelope
// and each part are read once at most. The error is an [*Error] of kind ErrMalformed if
// the envelope is not XML, or that of reading a part.
func InspectMessage(envelope []byte, parts []Part, p Policy) (*Inspection, error) {
	doc, err := parse(envelope)
	if err != nil {
		return nil, err
	}
	i := inspector{doc: doc, message: true, policy: p, parts: make(map[string]Content, len(parts)), seen: map[string]bool{}}
	for _, part := range parts {
		i.parts[part.URI] = part.Content
	}
	out := &Inspection{}
	i.element, _, out.Refused = messageSignatures(doc)
	if out.Refused == nil {
		out.Refused = checkSize(i.element, len(parts))
	}
	if out.Refused == nil {
		_, out.Refused = readSignature(i.element, p, reading{message: true, parts: len(parts)})
		err = i.read(out)
	}
	covered := make(map[string]bool, len(out.References))
	for _, r := range out.References {
		covered[r.URI] = true
	}
	for _, part := range parts {
		if !covered[part.URI] {
			out.Uncovered = append(out.Uncovered, part.URI)
		}
	}
	return out, err
}

// InspectDocument reads the enveloped signature of a document as VerifyDocument does, wherever it stands, and compares its
// references as [InspectMessage] does. path are the names from the root element to the signature's parent, what VerifyDocument
// asks for; nil if there is not exactly one ds:Signature below the root element. The error is an [*Error] of kind
// ErrMalformed if the document is not XML.
func InspectDocument(doc []byte, p Policy) (found *Inspection, path []xml.Name, err error) {
	read, err := parse(doc)
	if err != nil {
		return nil, nil, err
	}
	out := &Inspection{}
	element, there, err := theSignature(read)
	parent, below := c14n.Element{}, false
	if there && err == nil {
		parent, below = element.Parent()
	}
	switch {
	case err != nil:
		out.Refused = err
	case !there:
		out.Refused = failAt(read.Root(), ErrUnsigned, "the document has no ds:Signature")
	case !below:
		out.Refused = failAt(element, ErrMalformed, "ds:Signature is the root element, so it is in no document")
	default:
		out.Refused = checkSize(element, 0)
		path = pathTo(parent)
	}
	instructions := noInstructions(read)
	if out.Refused != nil {
		out.Refused = cmp.Or(instructions, out.Refused)
		return out, path, nil
	}
	s, refused := readDocumentSignature(read, element, p)
	out.Refused = cmp.Or(instructions, refused)
	i := inspector{doc: read, element: element, policy: p, seen: map[string]bool{}}
	if refused == nil {
		i.xades = s.xades
	}
	return out, path, i.read(out)
}

// inspector is one inspection on its way.
type inspector struct {
	doc     *c14n.Document
	message bool         // doc is an envelope
	element c14n.Element // ds:Signature
	policy  Policy
	xades   *qualifying        // nil if there are none, or they are refused
	parts   map[string]Content // by URI
	seen    map[string]bool    // URIs that references named before
}

// read takes what there is to see from a ds:Signature of whatever form. Its error is that of reading a part.
func (i *inspector) read(out *Inspection) error {
	for _, child := range i.element.Children() {
		switch {
		case child.Is(dsigSpace, "SignedInfo"):
			if err := i.readSignedInfo(child, out); err != nil {
				return err
			}
		case child.Is(dsigSpace, "KeyInfo"):
			out.Credentials = append(out.Credentials, carried(child)...)
		}
	}
	return nil
}

func (i *inspector) readSignedInfo(e c14n.Element, out *Inspection) error {
	for _, child := range e.Children() {
		switch {
		case child.Is(dsigSpace, "SignatureMethod") && out.Algorithm == "":
			out.Algorithm, _ = child.Attribute("", "Algorithm")
		case child.Is(dsigSpace, "Reference"):
			if len(out.References) == i.limit() {
				return nil // Refused says that there are too many
			}
			if !i.message && namesProperties(child) {
				out.References = append(out.References, i.inspectProperties(child, out.Refused))
				continue
			}
			r, err := i.inspect(child)
			if err != nil {
				return err
			}
			out.References = append(out.References, r)
		}
	}
	return nil
}

// limit is how many references a signature may have: in a document there is one more, to the XAdES properties.
func (i *inspector) limit() int {
	if i.message {
		return referenceLimit(len(i.parts))
	}
	return referenceLimit(0) + 1
}

// inspectProperties compares the reference to the XAdES properties with them. Where they are refused, it tells why.
func (i *inspector) inspectProperties(e c14n.Element, refused error) InspectedReference {
	out := InspectedReference{Finding: FindingNotRead, Reason: refused}
	out.URI, _ = e.Attribute("", "URI")
	if i.xades == nil {
		return out
	}
	r := i.xades.reference
	out.DigestMethod, out.DigestValue, out.Reason = r.digestURI, base64.StdEncoding.EncodeToString(r.digest), nil
	out.Finding = FindingDiffers
	if i.xades.unchanged() {
		out.Finding = FindingMatches
	}
	return out
}

// inspect compares one reference with what it names. A second one to the same thing is not read: a hostile signature names
// a large part a thousand times.
func (i *inspector) inspect(e c14n.Element) (InspectedReference, error) {
	r, reason := readReference(e, i.policy, reading{message: i.message})
	if reason == nil && i.seen[r.uri] {
		reason = failAt(e, ErrMalformed, "there is more than one Reference to %q", r.uri)
	}
	out := InspectedReference{URI: r.uri, DigestMethod: r.digestURI, DigestValue: base64.StdEncoding.EncodeToString(r.digest)}
	if reason != nil {
		out.Finding, out.Reason = FindingNotRead, reason
		return out, nil
	}
	i.seen[r.uri] = true
	content, found := i.parts[r.uri]
	var digest []byte
	var err error
	switch {
	case r.uri == "":
		digest = sumCanonical(r.hash, i.doc, r.documentMethod(i.element))
	case !found:
		out.Finding = FindingNoPart
		return out, nil
	default:
		digest, _, err = r.digestPart(content)
		if ours := (*Error)(nil); errors.As(err, &ours) {
			out.Finding, out.Reason = FindingNotRead, err
			return out, nil
		}
		if err != nil {
			return out, err
		}
	}
	out.Finding = FindingDiffers
	if bytes.Equal(digest, r.digest) {
		out.Finding = FindingMatches
	}
	return out, nil
}

// carried gives the credentials in a ds:KeyInfo that can be read.
func carried(keyInfo c14n.Element) []*x509.Certificate {
	var credentials []*x509.Certificate
	for e := range keyInfo.Descendants() {
		if !e.Is(dsigSpace, "X509Certificate") {
			continue
		}
		der, err := octets(e)
		if err != nil {
			continue
		}
		if x509Cert, err := x509.ParseCertificate(der); err == nil {
			credentials = append(credentials, x509Cert)
		}
	}
	return credentials
}
