package ubl

import (
	"encoding/xml"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Limits of what parse accepts. A UBL certificate nests 12 deep, has at most a dozen attributes on one element, and some
// sixty elements for each of its items, of which there are eco.MaxItems at most.
const (
	maxDepth      = 64
	maxAttributes = 32
	maxElements   = 250_000
	maxName       = 256     // octets of a prefix or local name
	maxNamespace  = 1 << 10 // octets of a namespace name
	maxScope      = 256     // declarations of namespaces that hold for one element, each of which its name may be compared with
)

// Namespaces that XML keeps for itself (Namespaces in XML 1.0 §3).
const (
	namespaceXML   = "http://www.w3.org/XML/1998/namespace"
	namespaceXMLNS = "http://www.w3.org/2000/xmlns/"
)

// node is an element with its names resolved.
type node struct {
	// name has the prefix that this package would write for the namespace, or {namespace} for others, so that a partner's
	// choice of prefixes never matters. Elements of one name share it, so that a long one is kept once.
	name       string
	parent     *node
	attributes []xml.Attr // with the names of namespaces instead of prefixes; declarations left out
	text       string     // "" where there are children
	stray      bool       // there is text between children
	offset     int        // of the start tag, in octets from the beginning of the document
	children   []*node
	// read is set once the mapping has looked the element up; what stays unread is reported.
	read bool
}

// namespace is one for all declarations of a namespace name.
type namespace struct {
	uri     string
	written string            // what a node's name begins with
	names   map[string]string // of nodes, by local name
}

// scope is a list of namespace declarations, the innermost first.
type scope struct {
	prefix string
	space  *namespace
	outer  *scope
	size   int // of the list
}

func (s *scope) find(prefix string) *namespace {
	for ; s != nil; s = s.outer {
		if s.prefix == prefix {
			return s.space
		}
	}
	return nil
}

// parser builds nodes from the tokens of a document.
type parser struct {
	document   string // the namespace whose names go without prefix
	root       *node
	current    *node    // the innermost element that is open
	open       []opened // current is the last one's
	elements   int
	offset     int           // of the token that is read
	text       characterData // character data since the last tag
	xml        *scope        // the prefix that is declared everywhere
	namespaces map[string]*namespace
	spare      []node
}

// opened is an element whose end tag has not come.
type opened struct {
	name  xml.Name // as written
	scope *scope
}

// parse reads octets into nodes; document is the namespace of the document element that is wanted. It takes UTF-8 and no document type declaration, so that no entity is ever expanded.
// Comments and processing instructions are dropped, as they are by the canonical form that is signed. Its work is linear in
// the octets.
func parse(doc []byte, document string) (*node, error) {
	s, err := newScanner(doc)
	if err != nil {
		return nil, err
	}
	p := &parser{document: document, namespaces: map[string]*namespace{}}
	p.xml = &scope{prefix: "xml", space: p.namespace(namespaceXML)}
	for kind := tokenText; kind != tokenNone; {
		if kind, err = s.next(); err != nil {
			return nil, err
		}
		if err := p.token(kind, s); err != nil {
			return nil, err
		}
	}
	switch {
	case p.current != nil:
		return nil, fmt.Errorf("want well-formed XML: no end tag of %s", p.current.path())
	case p.root == nil:
		return nil, errors.New("want a document element, found none")
	}
	return p.root, nil
}

func (p *parser) token(kind tokenKind, s *scanner) error {
	p.offset = s.begin
	switch kind {
	case tokenStart:
		return p.start(s.start)
	case tokenEnd:
		return p.end(s.end)
	case tokenText:
		if p.current == nil && strings.TrimSpace(s.text) != "" {
			return errors.New("want nothing around the document element, found text")
		}
		p.text.add(s.text)
	}
	return nil
}

// characterData is character data in pieces, which most often are one.
type characterData struct {
	first string
	all   []byte // first and the others, when there are others
}

func (j *characterData) add(text string) {
	switch {
	case j.first == "":
		j.first = text
	case len(j.all) == 0:
		j.all = append(append(j.all, j.first...), text...)
	default:
		j.all = append(j.all, text...)
	}
}

func (j *characterData) String() string {
	if len(j.all) > 0 {
		return string(j.all)
	}
	return j.first
}

func (j *characterData) clear() { j.first, j.all = "", j.all[:0] }

func (p *parser) end(token xml.EndElement) error {
	last := len(p.open) - 1
	if last < 0 || p.open[last].name != token.Name {
		return fmt.Errorf("want well-formed XML: end tag of %.80s out of place", token.Name.Local)
	}
	if len(p.current.children) == 0 {
		p.current.text = p.text.String()
	}
	p.strayText()
	p.text.clear()
	p.open, p.current = p.open[:last], p.current.parent
	return nil
}

// strayText marks the innermost element if the text before this tag stands beside children.
func (p *parser) strayText() {
	if len(p.current.children) > 0 && strings.TrimSpace(p.text.String()) != "" {
		p.current.stray = true
	}
}

// node makes an element. They live and die together, so many are made at once.
func (p *parser) node() *node {
	if len(p.spare) == 0 {
		p.spare = make([]node, 64)
	}
	n := &p.spare[0]
	p.spare = p.spare[1:]
	return n
}

func (p *parser) start(token xml.StartElement) error {
	n := p.node()
	n.name, n.parent, n.offset = token.Name.Local, p.current, p.offset
	p.elements++
	switch {
	case p.current == nil && p.root != nil:
		return errors.New("want one document element, found two")
	case len(p.open) == maxDepth:
		return fmt.Errorf("want at most %d levels of elements, found more", maxDepth)
	case p.elements > maxElements:
		return fmt.Errorf("want at most %d elements, found more", maxElements)
	case max(len(token.Name.Space), len(token.Name.Local)) > maxName:
		return fmt.Errorf("want element names of at most %d octets, found a longer one", maxName)
	case len(token.Attr) > maxAttributes:
		return fmt.Errorf("%s: want at most %d attributes, found %d", n.path(), maxAttributes, len(token.Attr))
	}
	outer := p.xml
	if p.current != nil {
		outer = p.open[len(p.open)-1].scope
	}
	inner, err := p.attributes(n, token.Attr, outer)
	if err != nil {
		return fmt.Errorf("%s: %w", n.path(), err)
	}
	space := inner.find(token.Name.Space)
	if space == nil {
		if token.Name.Space != "" {
			return fmt.Errorf("%s: prefix %.40q is not declared", n.path(), token.Name.Space)
		}
		space = p.namespace("")
	}
	n.name = space.name(n.name)
	if p.current == nil {
		p.root = n
	} else {
		p.current.children = append(p.current.children, n)
		p.strayText()
	}
	p.text.clear()
	p.open, p.current = append(p.open, opened{token.Name, inner}), n
	return nil
}

// attributes gives n its attributes and returns the scope with its declarations.
func (p *parser) attributes(n *node, attributes []xml.Attr, s *scope) (*scope, error) {
	for i, a := range attributes {
		if max(len(a.Name.Space), len(a.Name.Local)) > maxName {
			return nil, fmt.Errorf("want attribute names of at most %d octets, found a longer one", maxName)
		}
		if slices.ContainsFunc(attributes[:i], func(earlier xml.Attr) bool { return earlier.Name == a.Name }) {
			return nil, fmt.Errorf("attribute %.40s given twice", strings.TrimPrefix(a.Name.Space+":"+a.Name.Local, ":"))
		}
	}
	n.attributes = attributes[:0]
	for _, a := range attributes {
		declared := ""
		switch {
		case a.Name.Space == "xmlns":
			declared = a.Name.Local
		case a.Name.Space != "" || a.Name.Local != "xmlns":
			n.attributes = append(n.attributes, a)
			continue
		}
		if err := checkDeclaration(declared, a.Value); err != nil {
			return nil, err
		}
		s = &scope{prefix: declared, space: p.namespace(a.Value), outer: s, size: s.size + 1}
		if s.size > maxScope {
			return nil, fmt.Errorf("want at most %d declarations of namespaces around an element, found more", maxScope)
		}
	}
	return s, n.resolveAttributes(s)
}

// checkDeclaration refuses what may not be declared (Namespaces in XML 1.0 §3, §5), so that no reader takes a name for another.
func checkDeclaration(prefix, uri string) error {
	switch {
	case prefix != "" && uri == "":
		return fmt.Errorf("want a namespace for prefix %.40q, found none", prefix)
	case len(uri) > maxNamespace:
		return fmt.Errorf("want namespace names of at most %d octets, found one of %d", maxNamespace, len(uri))
	case prefix == "xmlns" || uri == namespaceXMLNS || (prefix == "xml") != (uri == namespaceXML):
		return fmt.Errorf("want prefixes xml and xmlns for their own namespaces alone, found prefix %.40q for %.80q", prefix, uri)
	}
	return nil
}

// resolveAttributes puts namespaces in the place of prefixes, under which two attributes may turn out to be one
// (Namespaces in XML 1.0 §6.3).
func (n *node) resolveAttributes(s *scope) error {
	for i := range n.attributes {
		a := &n.attributes[i]
		if a.Name.Space == "" {
			continue
		}
		space := s.find(a.Name.Space)
		if space == nil {
			return fmt.Errorf("prefix %.40q of an attribute is not declared", a.Name.Space)
		}
		a.Name.Space = space.uri
		if slices.ContainsFunc(n.attributes[:i], func(earlier xml.Attr) bool { return earlier.Name == a.Name }) {
			return fmt.Errorf("attribute %.40s of namespace %.80q given twice", a.Name.Local, space.uri)
		}
	}
	return nil
}

// namespace finds or makes the namespace of that name.
func (p *parser) namespace(uri string) *namespace {
	space := p.namespaces[uri]
	if space == nil {
		space = &namespace{uri: uri, written: "{" + uri + "}", names: map[string]string{}}
		if prefix, ours := prefixes[uri]; ours {
			space.written = prefix
		} else if uri == p.document {
			space.written = ""
		}
		p.namespaces[uri] = space
	}
	return space
}

// name is the name of nodes with that local name.
func (s *namespace) name(local string) string {
	name, ok := s.names[local]
	if !ok {
		name = s.written + local
		s.names[local] = name
	}
	return name
}

// path names the element from the document element on, with a position from 1 where siblings share the name.
func (n *node) path() string {
	if n.parent == nil {
		return "/" + n.name
	}
	position, same := 1, 0
	for _, sibling := range n.parent.children {
		if sibling == n {
			position = same + 1
		}
		if sibling.name == n.name {
			same++
		}
	}
	if same < 2 {
		return n.parent.path() + "/" + n.name
	}
	return fmt.Sprintf("%s/%s[%d]", n.parent.path(), n.name, position)
}

// empty reports whether the element holds nothing, which UBL 2.1 IND5 forbids and partners send all the same.
func (n *node) empty() bool { return len(n.children) == 0 && strings.TrimSpace(n.text) == "" }

// attribute is the value of the attribute without namespace, or "".
func (n *node) attribute(key string) string {
	if n == nil {
		return ""
	}
	for _, a := range n.attributes {
		if a.Name.Space == "" && a.Name.Local == key {
			return a.Value
		}
	}
	return ""
}
