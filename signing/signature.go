package signing

import (
	"bytes"
	"crypto"
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/ecogate/ecogate/signing/internal/c14n"
)

// Limits of a ds:Signature. Other products stop at 30 references too.
const (
	maxSignature  = 64 << 10 // octets
	maxReference  = 2 << 10  // octets more for each part beyond the 30
	maxReferences = 30       // unless there are as many parts
	maxPrefixes   = 64       // in one PrefixList

	maxCanonicalPart = 32 << 20 // octets of the parts of a message that are read for their canonical form, together
)

// MaxParts is how many parts a message has at most; what bounds them elsewhere is no larger.
const MaxParts = 1024

// reading is what a ds:Signature is in: a message, with so many parts, or a document, in which XAdES properties may be.
type reading struct {
	message bool
	xades   bool
	// beside: there are other signatures, which it leaves out.
	beside bool
	parts  int
}

// signature is a ds:Signature that follows the grammar and the policy. Whether it is true is another question.
type signature struct {
	element    c14n.Element
	signedInfo c14n.Element
	method     c14n.Method // of SignedInfo
	algorithm  algorithm
	references []reference
	byURI      map[string]int // index in references
	value      []byte
	hint       hint
	xades      *qualifying // nil if there are no XAdES properties
	// later are the signatures that were added after this one, which it does not cover.
	later []c14n.Element
}

// reference is one ds:Reference.
type reference struct {
	element   c14n.Element
	uri       string
	canonical bool        // of a part: its canonical octets are digested, not its own
	method    c14n.Method // of the envelope, document or canonical part; Drop is not set
	filter    filter      // without actors if there is no XPath transform of ebMS
	digested
}

// digested is a digest as it is written, in a ds:Reference or an xades:CertDigest.
type digested struct {
	digestURI   string
	hash        crypto.Hash
	digest      []byte
	digestValue c14n.Element // where it stands
}

// readDigest reads ds:DigestMethod and ds:DigestValue (XMLDSig Core 1.1 §4.4.3.5, §4.4.3.6).
func (d *digested) readDigest(c *sequence, p Policy) error {
	method, err := c.take("DigestMethod")
	if err != nil {
		return err
	}
	if d.digestURI, err = bareAlgorithm(method); err != nil {
		return err
	}
	if d.hash, err = p.digest(d.digestURI); err != nil {
		return placed(err, method)
	}
	if d.digestValue, err = c.take("DigestValue"); err != nil {
		return err
	}
	d.digest, err = octets(d.digestValue)
	return err
}

// isOf tells whether it is the digest of these octets.
func (d *digested) isOf(octets []byte) bool { return bytes.Equal(sum(d.hash, octets), d.digest) }

// hint is what a ds:KeyInfo says about the signer. Of its many forms we use the X.509 ones that are certain.
type hint struct {
	certificates, subjectKeyIDs [][]byte
	serialNumbers               []string
}

// readSignature reads a ds:Signature (XMLDSig Core 1.1 §4.1). The grammar is strict: each element once and in its place, no
// attributes, comments or processing instructions that the schema does not name, no ds:Object but that of XAdES.
func readSignature(e c14n.Element, p Policy, around reading) (*signature, error) {
	if err := checkSize(e, around.parts); err != nil {
		return nil, err
	}
	for inner := range e.Descendants() {
		if inner.Interrupted() {
			return nil, failAt(inner, ErrMalformed, "%s has a comment or processing instruction", inner.Name())
		}
	}
	s := &signature{element: e}
	c, err := open(e, "Id")
	if err != nil {
		return nil, err
	}
	if s.signedInfo, err = c.take("SignedInfo"); err != nil {
		return nil, err
	}
	if err := s.readSignedInfo(p, around); err != nil {
		return nil, err
	}
	value, err := c.take("SignatureValue")
	if err != nil {
		return nil, err
	}
	if s.value, err = octets(value, "Id"); err != nil {
		return nil, err
	}
	if keyInfo, found := c.optional("KeyInfo"); found {
		if s.hint, err = readHint(keyInfo); err != nil {
			return nil, err
		}
	}
	if s.xades != nil {
		if err := s.readObject(c, p); err != nil {
			return nil, err
		}
	}
	return s, c.end()
}

// checkSize bounds a ds:Signature over so many parts.
func checkSize(e c14n.Element, parts int) error {
	if limit := maxSignature + max(0, parts-maxReferences)*maxReference; e.Size() > limit {
		return failAt(e, ErrMalformed, "ds:Signature is longer than %d octets", limit)
	}
	return nil
}

// readSignedInfo reads ds:SignedInfo (XMLDSig Core 1.1 §4.4).
func (s *signature) readSignedInfo(p Policy, around reading) error {
	c, err := open(s.signedInfo, "Id")
	if err != nil {
		return err
	}
	e, err := c.take("CanonicalizationMethod")
	if err != nil {
		return err
	}
	if s.method, err = readMethod(e); err != nil {
		return err
	}
	if e, err = c.take("SignatureMethod"); err != nil {
		return err
	}
	if s.algorithm, err = readSignatureMethod(e, p); err != nil {
		return err
	}
	limit := referenceLimit(around.parts)
	s.byURI = make(map[string]int)
	for len(c.rest) > 0 {
		if e, err = c.take("Reference"); err != nil {
			return err
		}
		if around.xades && namesProperties(e) {
			if err := s.takeProperties(e, p); err != nil {
				return err
			}
			continue
		}
		r, err := readReference(e, p, around)
		if err != nil {
			return err
		}
		if s.reference(r.uri) != nil {
			return failAt(e, ErrMalformed, "there is more than one Reference to %q", r.uri)
		}
		if len(s.references) == limit {
			return failAt(e, ErrMalformed, "there are more than %d References", limit)
		}
		s.byURI[r.uri] = len(s.references)
		s.references = append(s.references, r)
	}
	return nil
}

// referenceLimit is the number of References that a signature over so many parts may have.
func referenceLimit(parts int) int { return max(maxReferences, parts+1) }

// readReference reads a ds:Reference (XMLDSig Core 1.1 §4.4.3). It refers to the whole document or to a part of this
// message: an Id could be carried by two elements, and nothing is fetched from elsewhere.
func readReference(e c14n.Element, p Policy, around reading) (reference, error) {
	r := reference{element: e}
	c, err := open(e, "Id", "URI", "Type")
	if err != nil {
		return r, err
	}
	found := false
	if r.uri, found = e.Attribute("", "URI"); !found {
		return r, failAt(e, ErrMalformed, "Reference has no URI")
	}
	part := strings.HasPrefix(r.uri, "cid:")
	if r.uri != "" && !part {
		return r, failAt(e, ErrPolicy, "Reference to %q is neither to the document nor to a part", r.uri)
	}
	transforms, found := c.optional("Transforms")
	switch {
	case part && found:
		err = r.readPartTransforms(transforms)
	case found:
		err = r.readTransforms(transforms, around)
	case !part:
		err = failAt(e, ErrPolicy, "Reference to the document has no enveloped-signature transform")
	}
	if err != nil {
		return r, err
	}
	if err := r.readDigest(c, p); err != nil {
		return r, err
	}
	if err := c.end(); err != nil {
		return r, err
	}
	// No canonical form is empty; a verifier that comes to none has gone wrong. A part itself may be empty.
	if (!part || r.canonical) && r.isOf(nil) {
		return r, failAt(r.digestValue, ErrPolicy, "Reference to %q has the digest of nothing", r.uri)
	}
	return r, nil
}

// readPartTransforms reads the transforms of a part's Reference: one canonicalization and nothing else. ebMS 2.0 §4.1.3
// leaves them open; any other could take out of the part what is to be covered.
func (r *reference) readPartTransforms(e c14n.Element) error {
	c, err := open(e)
	if err != nil {
		return err
	}
	transform, err := c.take("Transform")
	if err != nil {
		return err
	}
	if uri, _ := transform.Attribute("", "Algorithm"); uri != inclusiveC14N && uri != exclusiveC14N {
		return failAt(transform, ErrPolicy, "Reference to the part %q has the transform %q, which is no canonical form", r.uri, uri)
	}
	if r.method, err = readMethod(transform); err != nil {
		return err
	}
	r.canonical = true
	if len(c.rest) > 0 {
		return failAt(c.rest[0], ErrPolicy, "Reference to the part %q has more than one transform", r.uri)
	}
	return nil
}

// readTransforms reads the transforms of the document's Reference, of which these and this order are allowed: enveloped
// signature, the XPath filter (ebMS 2.0 §4.1.3; some products leave it out), canonicalization (inclusive if it is left
// out, XMLDSig Core 1.1 §4.4.3.2). In a document there is no filter, but the enveloped signature may be written in XPath.
func (r *reference) readTransforms(e c14n.Element, around reading) error {
	c, err := open(e)
	if err != nil {
		return err
	}
	step := 0
	for len(c.rest) > 0 {
		transform, err := c.take("Transform")
		if err != nil {
			return err
		}
		uri, _ := transform.Attribute("", "Algorithm")
		switch {
		case step == 0 && uri == envelopedTransform:
			_, err = bareAlgorithm(transform)
			step = 1
		case step == 0 && uri == xpathTransform && !around.message:
			r.filter, err = readXPath(transform, around.filter())
			step = 2
		case step == 1 && uri == xpathTransform && around.message:
			r.filter, err = readXPath(transform, around.filter())
			step = 2
		case (step == 1 || step == 2) && (uri == inclusiveC14N || uri == exclusiveC14N):
			r.method, err = readMethod(transform)
			step = 3
		default:
			return failAt(transform, ErrPolicy, "transform %q is not allowed in this place", uri)
		}
		if err != nil {
			return err
		}
	}
	if step == 0 {
		return failAt(e, ErrPolicy, "Reference to the document has no enveloped-signature transform")
	}
	if around.beside && !r.filter.signatures {
		return failAt(e, ErrPolicy, "Reference to the document does not leave out the signatures beside this one")
	}
	return nil
}

// filter gives what reads the XPath transform of a signature there.
func (around reading) filter() func(c14n.Element) (filter, error) {
	switch {
	case around.message && around.beside:
		return readFilterBeside
	case around.message:
		return readFilter
	case around.beside:
		return readBeside
	}
	return readEnveloped
}

// readXPath reads an XPath transform, whose only child is the expression.
func readXPath(e c14n.Element, read func(c14n.Element) (filter, error)) (filter, error) {
	c, err := open(e, "Algorithm")
	if err != nil {
		return filter{}, err
	}
	expression, err := c.take("XPath")
	if err != nil {
		return filter{}, err
	}
	if err := c.end(); err != nil {
		return filter{}, err
	}
	return read(expression)
}

// readMethod reads a canonicalization, of SignedInfo or as a transform: one of the two without comments, the exclusive one
// with or without a PrefixList (Exclusive C14N §4).
func readMethod(e c14n.Element) (c14n.Method, error) {
	uri, _ := e.Attribute("", "Algorithm")
	switch uri {
	case inclusiveC14N:
		_, err := bareAlgorithm(e)
		return c14n.Method{}, err
	case exclusiveC14N:
	default:
		return c14n.Method{}, failAt(e, ErrPolicy, "canonicalization %q is not allowed", uri)
	}
	m := c14n.Method{Exclusive: true}
	c, err := open(e, "Algorithm")
	if err != nil || len(c.rest) == 0 {
		return m, err
	}
	list := c.rest[0]
	if !list.Is(excSpace, "InclusiveNamespaces") || len(c.rest) > 1 {
		return m, failAt(e, ErrMalformed, "%s has children other than one InclusiveNamespaces", e.Name())
	}
	inner, err := open(list, "PrefixList")
	if err != nil {
		return m, err
	}
	prefixes, _ := list.Attribute("", "PrefixList")
	if m.Prefixes = strings.Fields(prefixes); len(m.Prefixes) > maxPrefixes {
		return m, failAt(list, ErrMalformed, "PrefixList has more than %d prefixes", maxPrefixes)
	}
	return m, inner.end()
}

// readSignatureMethod reads a ds:SignatureMethod, which has parameters with rsa-pss only.
func readSignatureMethod(e c14n.Element, p Policy) (algorithm, error) {
	uri, _ := e.Attribute("", "Algorithm")
	a, err := p.signature(uri)
	if err != nil {
		return algorithm{}, placed(err, e)
	}
	if uri != rsaPSS {
		_, err := bareAlgorithm(e)
		return a, err
	}
	c, err := open(e, "Algorithm")
	if err != nil {
		return algorithm{}, err
	}
	if params, found := c.next(pssSpace, "RSAPSSParams"); found {
		if a.hash, err = readPSSParams(params, p); err != nil {
			return algorithm{}, err
		}
	}
	return a, c.end()
}

// readPSSParams reads the parameters of rsa-pss (RFC 6931 §2.3.9) and gives their hash. Each may be left out: SHA-256, MGF1
// of the same hash, a salt of the hash's length and trailer 1 are the defaults. They are also all that is accepted beside
// the longer hashes: a shorter salt or another hash in MGF1 serves nobody but an attacker.
func readPSSParams(e c14n.Element, p Policy) (crypto.Hash, error) {
	c, err := open(e)
	if err != nil {
		return 0, err
	}
	hash := crypto.SHA256
	if method, found := c.optional("DigestMethod"); found {
		if hash, err = readPSSDigest(method, p); err != nil {
			return 0, err
		}
	}
	if generation, found := c.next(pssSpace, "MaskGenerationFunction"); found {
		if err := readMaskGeneration(generation, p, hash); err != nil {
			return 0, err
		}
	}
	for _, number := range []struct {
		local string
		want  int
	}{{"SaltLength", hash.Size()}, {"TrailerField", 1}} {
		inner, found := c.next(pssSpace, number.local)
		if !found {
			continue
		}
		text, err := leaf(inner)
		if err != nil {
			return 0, err
		}
		if strings.Trim(text, " \t\r\n") != strconv.Itoa(number.want) {
			return 0, failAt(inner, ErrPolicy, "%s is %q, not %d", number.local, text, number.want)
		}
	}
	return hash, c.end()
}

// readPSSDigest reads the hash of RSA-PSS, which is never SHA-1: who can do RSA-PSS can do better.
func readPSSDigest(e c14n.Element, p Policy) (crypto.Hash, error) {
	uri, err := bareAlgorithm(e)
	if err != nil {
		return 0, err
	}
	hash, err := p.digest(uri)
	if err != nil {
		return 0, placed(err, e)
	}
	if hash == crypto.SHA1 {
		return 0, failAt(e, ErrPolicy, "RSA-PSS with SHA-1")
	}
	return hash, nil
}

// readMaskGeneration accepts MGF1 of the signature's hash.
func readMaskGeneration(e c14n.Element, p Policy, hash crypto.Hash) error {
	c, err := open(e, "Algorithm")
	if err != nil {
		return err
	}
	if uri, _ := e.Attribute("", "Algorithm"); uri != mgf1 {
		return failAt(e, ErrPolicy, "mask generation function %q is not MGF1", uri)
	}
	if method, found := c.optional("DigestMethod"); found {
		other, err := readPSSDigest(method, p)
		if err != nil {
			return err
		}
		if other != hash {
			return failAt(method, ErrPolicy, "MGF1 of %s in a signature of %s", other, hash)
		}
	}
	return c.end()
}

// readHint reads what ds:KeyInfo (XMLDSig Core 1.1 §4.5) says about X.509 credentials. Its other forms (KeyName, KeyValue,
// RetrievalMethod and more) are passed over: they can only name a key that the candidates have or do not have anyway.
func readHint(e c14n.Element) (hint, error) {
	var h hint
	for inner := range e.Descendants() {
		var err error
		var value []byte
		switch {
		case inner.Is(dsigSpace, "X509Certificate"):
			value, err = octets(inner)
			h.certificates = append(h.certificates, value)
		case inner.Is(dsigSpace, "X509SKI"):
			value, err = octets(inner)
			h.subjectKeyIDs = append(h.subjectKeyIDs, value)
		case inner.Is(dsigSpace, "X509SerialNumber"):
			value := ""
			value, err = leaf(inner)
			h.serialNumbers = append(h.serialNumbers, strings.TrimSpace(value))
		}
		if err != nil {
			return h, err
		}
	}
	return h, nil
}

// admits tells whether a candidate may be the one that the hint names. A certificate says most, so it counts alone; without
// any hint every candidate may be.
func (h hint) admits(candidate *x509.Certificate) bool {
	switch {
	case len(h.certificates) > 0:
		return containsOctets(h.certificates, candidate.Raw)
	case len(h.subjectKeyIDs) > 0:
		return containsOctets(h.subjectKeyIDs, candidate.SubjectKeyId)
	case len(h.serialNumbers) > 0:
		return candidate.SerialNumber != nil && slices.Contains(h.serialNumbers, candidate.SerialNumber.String())
	}
	return true
}

// says tells which credential the hint names, for people who have to find out whose it is. It proves nothing. Of several X.509
// certificates it is the first that is no CA's.
func (h hint) says() string {
	if len(h.certificates) == 0 {
		if len(h.serialNumbers) == 0 {
			return ""
		}
		return fmt.Sprintf("; it names the serial number %.64s", h.serialNumbers[0])
	}
	named := ""
	for _, raw := range h.certificates {
		x509Cert, err := x509.ParseCertificate(raw)
		if err != nil {
			continue
		}
		if named == "" || !x509Cert.IsCA {
			named = fmt.Sprintf("; it names %.200q (SHA-256 %s)", x509Cert.Subject.String(), Fingerprint(x509Cert))
		}
		if !x509Cert.IsCA {
			break
		}
	}
	return named
}

func containsOctets(list [][]byte, octets []byte) bool {
	return slices.ContainsFunc(list, func(other []byte) bool { return bytes.Equal(other, octets) })
}

// result gives the Reference for the caller.
func (r *reference) result() Reference {
	return Reference{
		URI:          r.uri,
		DigestMethod: r.digestURI,
		DigestValue:  base64.StdEncoding.EncodeToString(r.digest),
		// The prefix in an XPath is not visibly used, so it must be listed (Exclusive C14N §2.1).
		XML: r.element.Canonical(c14n.Method{Exclusive: true, Prefixes: r.filter.prefixes}),
	}
}
