package signing

import (
	"crypto/x509"
	"slices"
	"strings"
	"time"

	"github.com/ecogate/ecogate/signing/internal/c14n"
)

// maxNamed is how many credentials a SigningCertificateV2 may name: the signer's, and its chain.
const maxNamed = 10

// qualifying is what XAdES adds to a ds:Signature: a Reference and the properties that it is to.
type qualifying struct {
	reference  reference
	properties c14n.Element // xades:SignedProperties
	at         time.Time    // SigningTime; zero for none
	named      named
	stamp      *stamp // nil for none
}

// named is the signer's credential as the first Cert of SigningCertificateV2 names it.
type named struct {
	element c14n.Element
	digested
	issuerSerial []byte // DER; nil if it is not there
}

// stamp is an xades:SignatureTimeStamp.
type stamp struct {
	element c14n.Element
	method  c14n.Method // of ds:SignatureValue
	token   []byte
}

// namesProperties tells whether a ds:Reference says that it is to the signed properties (ETSI EN 319 132-1 §4.4.2).
func namesProperties(e c14n.Element) bool {
	value, _ := e.Attribute("", "Type")
	return value == propertiesType
}

// takeProperties reads the one ds:Reference to the signed properties: by Id, with one canonicalization at most.
func (s *signature) takeProperties(e c14n.Element, p Policy) error {
	if s.xades != nil {
		return failAt(e, ErrMalformed, "there is more than one Reference to SignedProperties")
	}
	r := reference{element: e}
	c, err := open(e, "Id", "URI", "Type")
	if err != nil {
		return err
	}
	if r.uri, _ = e.Attribute("", "URI"); len(r.uri) < 2 || r.uri[0] != '#' {
		return failAt(e, ErrPolicy, "Reference to SignedProperties is to %q instead of an Id", r.uri)
	}
	if transforms, found := c.optional("Transforms"); found {
		inner, err := open(transforms)
		if err != nil {
			return err
		}
		transform, err := inner.take("Transform")
		if err != nil {
			return err
		}
		if r.method, err = readMethod(transform); err != nil {
			return err
		}
		if err := inner.end(); err != nil {
			return err
		}
	}
	if err := r.readDigest(c, p); err != nil {
		return err
	}
	s.xades = &qualifying{reference: r}
	return c.end()
}

// readObject reads the ds:Object with the properties, the only one there may be (ETSI EN 319 132-1 §4.3, §4.4). Of all
// properties that the schema has, those that say more about what the signature means than we know how to obey are refused:
// SignaturePolicyIdentifier, CommitmentTypeIndication, CounterSignature. SigningCertificate, which has no V2 and says SHA-1
// in most products, is not a substitute. Those that only claim something about the signer or the format are passed over.
// Unsigned properties are where anybody may write, so there is nothing but one SignatureTimeStamp.
func (s *signature) readObject(c *sequence, p Policy) error {
	object, err := c.take("Object")
	if err != nil {
		return err
	}
	inside, err := open(object, "Id")
	if err != nil {
		return err
	}
	all, err := inside.property("QualifyingProperties")
	if err != nil {
		return err
	}
	if err := inside.end(); err != nil {
		return err
	}
	parts, err := open(all, "Id", "Target")
	if err != nil {
		return err
	}
	id, _ := s.element.Attribute("", "Id")
	if target, _ := all.Attribute("", "Target"); id == "" || target != "#"+id {
		return failAt(all, ErrMalformed, "QualifyingProperties are of %q, not of this signature, whose Id is %q", target, id)
	}
	if s.xades.properties, err = parts.property("SignedProperties"); err != nil {
		return err
	}
	if err := s.xades.readSigned(p); err != nil {
		return err
	}
	if unsigned, found := parts.next(xadesSpace, "UnsignedProperties"); found {
		if s.xades.stamp, err = readUnsigned(unsigned); err != nil {
			return err
		}
	}
	return parts.end()
}

// property gives the next child, which must be this element of XAdES.
func (s *sequence) property(local string) (c14n.Element, error) {
	if e, found := s.next(xadesSpace, local); found {
		return e, nil
	}
	if len(s.rest) == 0 {
		return s.parent, failAt(s.parent, ErrMalformed, "%s ends where xades:%s is expected", s.parent.Name(), local)
	}
	return s.rest[0], failAt(s.rest[0], ErrMalformed, "%s stands where xades:%s is expected", s.rest[0].Name(), local)
}

// passOver leaves out the next child if it has one of these names.
func (s *sequence) passOver(locals ...string) {
	if len(s.rest) > 0 && slices.ContainsFunc(locals, func(local string) bool { return s.rest[0].Is(xadesSpace, local) }) {
		s.rest = s.rest[1:]
	}
}

// readSigned reads xades:SignedProperties, whose Id the Reference must give.
func (q *qualifying) readSigned(p Policy) error {
	c, err := open(q.properties, "Id")
	if err != nil {
		return err
	}
	if id, _ := q.properties.Attribute("", "Id"); "#"+id != q.reference.uri {
		return failAt(q.properties, ErrMalformed, "the signature covers %q, not the SignedProperties with the Id %q", q.reference.uri, id)
	}
	e, err := c.property("SignedSignatureProperties")
	if err != nil {
		return err
	}
	inner, err := open(e, "Id")
	if err != nil {
		return err
	}
	if e, found := inner.next(xadesSpace, "SigningTime"); found {
		if q.at, err = readTime(e); err != nil {
			return err
		}
	}
	if e, err = inner.property("SigningCertificateV2"); err != nil {
		return err
	}
	if q.named, err = readNamed(e, p); err != nil {
		return err
	}
	inner.passOver("SignatureProductionPlace", "SignatureProductionPlaceV2")
	inner.passOver("SignerRole", "SignerRoleV2")
	if err := inner.end(); err != nil {
		return err
	}
	if e, found := c.next(xadesSpace, "SignedDataObjectProperties"); found {
		data, err := open(e, "Id")
		if err != nil {
			return err
		}
		data.passOver("DataObjectFormat")
		if err := data.end(); err != nil {
			return err
		}
	}
	return c.end()
}

// readTime reads xades:SigningTime, an xsd:dateTime that has a time zone.
func readTime(e c14n.Element) (time.Time, error) {
	text, err := leaf(e)
	if err != nil {
		return time.Time{}, err
	}
	at, err := time.Parse(time.RFC3339, strings.TrimSpace(text))
	if err != nil || at.IsZero() {
		return time.Time{}, failAt(e, ErrMalformed, "SigningTime is %q, expected a date and time with its zone", text)
	}
	return at.UTC(), nil
}

// readNamed reads SigningCertificateV2 (ETSI EN 319 132-1 §5.2.2) and gives its first Cert, which names the signer's own
// credential. A URI where it could be fetched is not followed.
func readNamed(e c14n.Element, p Policy) (named, error) {
	c, err := open(e)
	if err != nil {
		return named{}, err
	}
	var first named
	for n := 0; n == 0 || len(c.rest) > 0; n++ {
		if n == maxNamed {
			return named{}, failAt(e, ErrMalformed, "SigningCertificateV2 names more than %d credentials", maxNamed)
		}
		cert, err := c.property("Cert")
		if err != nil {
			return named{}, err
		}
		one, err := readCert(cert, p)
		if err != nil {
			return named{}, err
		}
		if n == 0 {
			first = one
		}
	}
	return first, nil
}

func readCert(e c14n.Element, p Policy) (named, error) {
	one := named{element: e}
	c, err := open(e, "URI")
	if err != nil {
		return one, err
	}
	digest, err := c.property("CertDigest")
	if err != nil {
		return one, err
	}
	inner, err := open(digest)
	if err != nil {
		return one, err
	}
	if err := one.readDigest(inner, p); err != nil {
		return one, err
	}
	if err := inner.end(); err != nil {
		return one, err
	}
	if e, found := c.next(xadesSpace, "IssuerSerialV2"); found {
		if one.issuerSerial, err = octets(e); err != nil {
			return one, err
		}
	}
	return one, c.end()
}

// readUnsigned reads xades:UnsignedProperties, which are one SignatureTimeStamp here.
func readUnsigned(e c14n.Element) (*stamp, error) {
	for _, local := range []string{"UnsignedSignatureProperties", "SignatureTimeStamp"} {
		c, err := open(e, "Id")
		if err != nil {
			return nil, err
		}
		if e, err = c.property(local); err != nil {
			return nil, err
		}
		if err := c.end(); err != nil {
			return nil, err
		}
	}
	s := &stamp{element: e}
	c, err := open(e, "Id")
	if err != nil {
		return nil, err
	}
	if method, found := c.optional("CanonicalizationMethod"); found {
		if s.method, err = readMethod(method); err != nil {
			return nil, err
		}
	}
	token, err := c.property("EncapsulatedTimeStamp")
	if err != nil {
		return nil, err
	}
	if encoding, found := token.Attribute("", "Encoding"); found && encoding != derEncoding {
		return nil, failAt(token, ErrPolicy, "time-stamp in the encoding %q, expected DER", encoding)
	}
	if s.token, err = octets(token, "Id", "Encoding"); err != nil {
		return nil, err
	}
	return s, c.end()
}

// unchanged tells whether the signed properties are those that the signature covers.
func (q *qualifying) unchanged() bool {
	return q.reference.isOf(q.properties.Canonical(q.reference.method))
}

// verifyProperties checks what XAdES adds to a signature that is true already, and puts it into what was verified.
func (s *signature) verifyProperties(v *Verified, p Policy) error {
	q := s.xades
	if !q.unchanged() {
		return failAt(q.reference.element, ErrDigest, "the SignedProperties are not what was signed")
	}
	v.SigningTime = q.at
	if q.stamp == nil {
		return nil
	}
	stamped := s.element.Children()[1].Canonical(q.stamp.method) // ds:SignatureValue
	var err error
	if v.TimeStamp, err = verifyTimeStamp(q.stamp.token, stamped, p.TimeStampAnchors); err != nil {
		return placed(err, q.stamp.element)
	}
	return nil
}

// among gives the candidates that are the named credential. Two credentials of one key are two signers: no other candidate
// may verify the signature.
func (n named) among(candidates []*x509.Certificate) ([]*x509.Certificate, error) {
	var admitted []*x509.Certificate
	for _, candidate := range candidates {
		if n.isOf(candidate.Raw) && (n.issuerSerial == nil || names(n.issuerSerial, candidate)) {
			admitted = append(admitted, candidate)
		}
	}
	if len(admitted) == 0 {
		return nil, failAt(n.element, ErrUnknownSigner, "SigningCertificateV2 names none of the %d candidates", len(candidates))
	}
	return admitted, nil
}

// onlyOne asks that no other element has the Id of this one, whatever the case or namespace of its attribute: another
// reader might take that for what is signed.
func onlyOne(doc *c14n.Document, e c14n.Element) error {
	id, _ := e.Attribute("", "Id")
	for other := range doc.Root().Descendants() {
		for a := range other.Attributes() {
			if other != e && strings.EqualFold(a.Local(), "id") && a.Value() == id {
				return failAt(other, ErrMalformed, "%s has the Id %q of the SignedProperties", other.Name(), id)
			}
		}
	}
	return nil
}
