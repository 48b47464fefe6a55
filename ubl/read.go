package ubl

import (
	"fmt"
	"strings"

	"github.com/ecogate/ecogate/eco"
)

// Reading is what was read from the octets of a document.
type Reading struct {
	Certificate eco.Certificate
	// Version is what UBLVersionID says; documents do not depend on it.
	Version Version
	// Attachments are the parts of the message that the document refers to, with the digests that it gives.
	Attachments []Attachment
	// Findings tell of every deviation from what this package writes, as code CodeStructure. Errors among them mean that the
	// document gives two values for one thing, so that the certificate is not to be used.
	Findings []eco.Finding

	found  []sighting
	root   *node
	octets []byte
}

// CheckStructure is CheckStructure for the octets that were read, without reading them again.
func (r *Reading) CheckStructure(version string) ([]Fault, error) {
	tables, err := structureOf(version)
	if err != nil {
		return nil, err
	}
	return tables.checkDocument(r.octets, r.root), nil
}

// Location says where a field of the certificate was found.
type Location struct {
	// Field is its name as in the JSON form, such as "items[2].hs"; Path is the element's in the document.
	Field, Path string
	// Derived is set if the value was concluded from words instead of being stated.
	Derived bool
}

// Locations lists where each field was found, in the order of reading.
func (r *Reading) Locations() []Location {
	places := places{}
	list := make([]Location, 0, len(r.found))
	for _, s := range r.found {
		list = append(list, Location{Field: s.name(), Path: places.path(s.node), Derived: s.derived})
	}
	return list
}

// Read reads a certificate of one of forms from the octets of a document, which are those that a signature was verified over: what a
// signature does not cover must not be given to it.
//
// It is strict about what a certificate cannot be without and about values that do not have their type; the error names the
// element by its path, what was wanted and what was found. It is lenient about what partners add, leave empty or put
// elsewhere: each deviation is a finding, a warning. Where a document says one thing twice and differently, the finding is an
// error: which one a partner's reader took cannot be known. Whether the certificate follows its form is for eco.Validate.
func Read(octets []byte, forms eco.Forms) (Reading, error) {
	root, err := open(octets, nsCertificate, "CertificateOfOrigin")
	if err != nil {
		return Reading{}, fmt.Errorf("unmarshal document: %w", err)
	}
	r := newReader(forms)
	r.checkRules(octets, root)
	var result Reading
	r.document(root, &result)
	if r.err != nil {
		return Reading{}, fmt.Errorf("unmarshal document: %w", r.err)
	}
	r.unread(root)
	result.Findings, result.found, result.root, result.octets = r.findings, r.found, root, octets
	return result, nil
}

// Unmarshal is Read for callers that need only the certificate and the findings.
func Unmarshal(octets []byte, forms eco.Forms) (eco.Certificate, []eco.Finding, error) {
	result, err := Read(octets, forms)
	return result.Certificate, result.Findings, err
}

// sighting is an element in which a field was found. It is cheap to make, since most are never looked at.
type sighting struct {
	node    *node
	list    string // the list that the field belongs to, or ""
	index   int
	field   string
	derived bool
}

func (s sighting) name() string {
	if s.list == "" {
		return s.field
	}
	if s.field == "" {
		return fmt.Sprintf("%s[%d]", s.list, s.index)
	}
	return fmt.Sprintf("%s[%d].%s", s.list, s.index, s.field)
}

// is notes that n is where a field was found, and gives n.
func (r *reader) is(field string, n *node) *node {
	if n != nil {
		r.found = append(r.found, sighting{node: n, list: r.list, index: r.index, field: field})
	}
	return n
}

// attribute reads a field from an attribute.
func (r *reader) attribute(field string, n *node, key string) string {
	value := strings.TrimSpace(n.attribute(key))
	if value != "" {
		r.is(field, n)
	}
	return value
}

// derive notes that a field was concluded from the words of n.
func (r *reader) derive(field string, n *node) {
	if n != nil {
		r.found = append(r.found, sighting{node: n, list: r.list, index: r.index, field: field, derived: true})
	}
}

// within has the fields that read names belong to an entry of a list.
func (r *reader) within(list string, index int, read func()) {
	r.list, r.index = list, index
	read()
	r.list, r.index = "", 0
}

// places makes paths like node.path, and each path once.
type places map[*node]string

func (p places) path(n *node) string {
	if n.parent == nil {
		return "/" + n.name
	}
	if path, known := p[n]; known {
		return path
	}
	parent := p.path(n.parent)
	same := map[string]int{}
	for _, child := range n.parent.children {
		same[child.name]++
	}
	position := map[string]int{}
	for _, child := range n.parent.children {
		position[child.name]++
		p[child] = parent + "/" + child.name
		if same[child.name] > 1 {
			p[child] += fmt.Sprintf("[%d]", position[child.name])
		}
	}
	return p[n]
}
