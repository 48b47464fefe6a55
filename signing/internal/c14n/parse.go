package c14n

import (
	"slices"
	"strings"
)

// Parse reads a document in one pass. It keeps no reference to doc. The error is an [*Error].
func Parse(doc []byte) (*Document, error) {
	if len(doc) > maxBytes {
		return nil, tooMany("", 0, maxBytes, "octets in a document")
	}
	src := string(doc)
	if err := checkCharacters(src); err != nil {
		return nil, err
	}
	// Room for what the markup promises: an element for each tag that is no end tag, and a run of text between two tags
	// that do not touch. The bound keeps a document of nothing but "<" from asking for much before it is refused; what is
	// larger grows.
	const room = 1 << 14
	tags := strings.Count(src, "<")
	elements := tags - strings.Count(src, "</")
	p := &parser{src: src, doc: &Document{
		src:        src,
		nodes:      make([]node, 0, min(elements+tags-strings.Count(src, "><"), room)),
		elements:   make([]element, 0, min(elements, room)),
		attributes: make([]Attribute, 0, min(strings.Count(src, "=\""), room)),
		bindings:   make([]Binding, 0, 8),
		root:       -1,
	}}
	if err := p.document(); err != nil {
		return nil, err
	}
	return p.doc, nil
}

// parser reads src from pos on. open are the elements whose end tag has not come, scope their declarations, innermost last.
type parser struct {
	src   string
	pos   int
	doc   *Document
	open  []int32
	scope []Binding
}

func (p *parser) expected(what string) error { return expected(p.src, p.pos, what) }

// rest is what has not been read.
func (p *parser) rest() string { return p.src[p.pos:] }

func (p *parser) at(literal string) bool { return strings.HasPrefix(p.rest(), literal) }

// next gives the octet at pos, or 0 at the end; 0 itself cannot occur in a document.
func (p *parser) next() byte {
	if p.pos == len(p.src) {
		return 0
	}
	return p.src[p.pos]
}

// space skips white space and tells whether there was any.
func (p *parser) space() bool {
	start := p.pos
	for p.pos < len(p.src) && isSpace(p.src[p.pos]) {
		p.pos++
	}
	return p.pos > start
}

// take skips a literal that must come next.
func (p *parser) take(literal string) error {
	if !p.at(literal) {
		return p.expected(`"` + literal + `"`)
	}
	p.pos += len(literal)
	return nil
}

// document reads everything (XML 1.0 §2.1).
func (p *parser) document() error {
	if p.at(byteOrderMark) {
		p.pos += len(byteOrderMark)
	}
	if err := p.declaration(); err != nil {
		return err
	}
	for p.pos < len(p.src) {
		if err := p.item(); err != nil {
			return err
		}
	}
	if len(p.open) > 0 {
		return p.expected("the end tag of " + p.doc.elements[p.doc.nodes[p.innermost()].elem].name)
	}
	if p.doc.root < 0 {
		return p.expected("a root element")
	}
	return nil
}

// item reads one piece of markup or one run of text.
func (p *parser) item() error {
	switch {
	case p.src[p.pos] != '<':
		return p.text()
	case p.at("</"):
		return p.endTag()
	case p.at("<?"):
		return p.instruction()
	case p.at("<!--"):
		return p.comment()
	case p.at("<![CDATA["):
		return p.section()
	case p.at("<!DOCTYPE"):
		return p.expected("no document type declaration")
	}
	return p.startTag()
}

// innermost is the open element, or -1 outside the root element.
func (p *parser) innermost() int32 {
	if len(p.open) == 0 {
		return -1
	}
	return p.open[len(p.open)-1]
}

// add appends a node that ends where it begins; its caller sets what differs.
func (p *parser) add(n node) error {
	if len(p.doc.nodes) == maxNodes {
		return tooMany(p.src, int(n.lo), maxNodes, "elements and runs of text")
	}
	n.parent = p.innermost()
	n.next = int32(len(p.doc.nodes)) + 1
	p.doc.nodes = append(p.doc.nodes, n)
	return nil
}

// startTag reads a start tag or an empty-element tag (XML 1.0 §3.1).
func (p *parser) startTag() error {
	start := p.pos
	p.pos++
	name, prefix, _, err := p.qualifiedName("an element name")
	if err != nil {
		return err
	}
	if p.doc.root >= 0 && len(p.open) == 0 {
		return expected(p.src, start, "nothing after the root element")
	}
	if len(p.open) == maxDepth {
		return tooMany(p.src, start, maxDepth, "elements inside each other")
	}
	el := element{name: name, prefixed: int32(len(prefix))}
	el.attrLo, el.bindLo = int32(len(p.doc.attributes)), int32(len(p.doc.bindings))
	if err := p.attributes(); err != nil {
		return err
	}
	el.attrHi, el.bindHi = int32(len(p.doc.attributes)), int32(len(p.doc.bindings))
	if err := p.resolve(&el, start+1); err != nil {
		return err
	}

	empty := p.at("/>")
	if empty {
		p.pos++
	}
	if err := p.take(">"); err != nil {
		return err
	}
	el.content, el.end = int32(p.pos), int32(p.pos)
	at := int32(len(p.doc.nodes))
	if err := p.add(node{kind: kindElement, elem: int32(len(p.doc.elements)), lo: int32(start), hi: int32(p.pos)}); err != nil {
		return err
	}
	p.doc.elements = append(p.doc.elements, el)
	if len(p.open) == 0 {
		p.doc.root = at
	}
	if empty {
		p.scope = p.scope[:len(p.scope)-int(el.bindHi-el.bindLo)]
		return nil
	}
	p.open = append(p.open, at)
	return nil
}

// endTag reads an end tag and closes the element that is open.
func (p *parser) endTag() error {
	start := p.pos
	if len(p.open) == 0 {
		return p.expected("no end tag outside the root element")
	}
	at := p.innermost()
	n := &p.doc.nodes[at]
	el := &p.doc.elements[n.elem]
	p.pos += len("</")
	if p.at(el.name) {
		p.pos += len(el.name)
		p.space()
	}
	if p.next() != '>' {
		return expected(p.src, start, "</"+el.name+">")
	}
	p.pos++
	el.end, n.hi = int32(start), int32(p.pos)
	n.next = int32(len(p.doc.nodes))
	p.open = p.open[:len(p.open)-1]
	p.scope = p.scope[:len(p.scope)-int(el.bindHi-el.bindLo)]
	return nil
}

// qualifiedName reads a name with or without prefix (Namespaces 1.0 §4).
func (p *parser) qualifiedName(what string) (name, prefix, local string, err error) {
	start := p.pos
	end := nameEnd(p.src, start)
	if end == start {
		return "", "", "", p.expected(what)
	}
	local = p.src[start:end]
	if end < len(p.src) && p.src[end] == ':' {
		prefix = local
		after := nameEnd(p.src, end+1)
		if after == end+1 {
			return "", "", "", expected(p.src, start, what+" with at most one colon and text on both sides of it")
		}
		local, end = p.src[end+1:after], after
	}
	if max(len(prefix), len(local)) > maxName {
		return "", "", "", tooMany(p.src, start, maxName, "octets in a name")
	}
	p.pos = end
	return p.src[start:end], prefix, local, nil
}

// attributes reads the attributes and declarations of a start tag up to its ">" or "/>".
func (p *parser) attributes() error {
	for count := 0; ; count++ {
		spaced := p.space()
		if c := p.next(); c == '>' || c == '/' {
			return nil
		}
		if !spaced {
			return p.expected(`white space, ">" or "/>"`)
		}
		if count == maxAttributes {
			return tooMany(p.src, p.pos, maxAttributes, "attributes on an element")
		}
		if err := p.attribute(); err != nil {
			return err
		}
	}
}

func (p *parser) attribute() error {
	start := p.pos
	name, prefix, local, err := p.qualifiedName(`an attribute name, ">" or "/>"`)
	if err != nil {
		return err
	}
	p.space()
	if err := p.take("="); err != nil {
		return err
	}
	p.space()
	value, err := p.value()
	if err != nil {
		return err
	}
	switch {
	case prefix == "xmlns":
		return p.bind(start, Binding{local, value})
	case name == "xmlns":
		return p.bind(start, Binding{"", value})
	}
	p.doc.attributes = append(p.doc.attributes, Attribute{
		Local: local, Value: value, name: name, at: int32(start), escape: strings.ContainsAny(value, "&<\"\t\n\r"),
	})
	return nil
}

// value reads a quoted attribute value (XML 1.0 §2.3, AttValue) and normalises it.
func (p *parser) value() (string, error) {
	quote := p.next()
	if quote != '"' && quote != '\'' {
		return "", p.expected("an attribute value in quotes")
	}
	start := p.pos + 1
	length := strings.IndexByte(p.src[start:], quote)
	if length < 0 {
		return "", p.expected("an attribute value with a quote at its end")
	}
	if length > maxText {
		return "", tooMany(p.src, start, maxText, "octets in an attribute value")
	}
	raw := p.src[start : start+length]
	plain := true
	for i := 0; i < len(raw); i++ {
		switch raw[i] {
		case '<':
			return "", expected(p.src, start+i, `"&lt;" in an attribute value`)
		case '&', '\t', '\n', '\r':
			plain = false
		}
	}
	p.pos = start + length + 1
	if plain {
		return raw, nil
	}
	return decode(p.src, start, raw, true)
}

// bind notes a namespace declaration (Namespaces 1.0 §3 and §5).
func (p *parser) bind(start int, b Binding) error {
	what := ""
	switch {
	case b.Prefix == "xmlns":
		what = "no declaration of the prefix xmlns"
	case b.URI == xmlnsSpace:
		what = "no prefix bound to the namespace of xmlns"
	case (b.Prefix == "xml") != (b.URI == XMLSpace):
		what = "the prefix xml and its own namespace bound to each other only"
	case b.URI == "" && b.Prefix != "":
		what = "a prefix bound to a namespace name that is not empty"
	case b.URI != "" && !isAbsolute(b.URI):
		what = "an absolute namespace name"
	}
	if what != "" {
		return expected(p.src, start, what)
	}
	if len(b.URI) > maxNamespace {
		return tooMany(p.src, start, maxNamespace, "octets in a namespace name")
	}
	p.doc.bindings = append(p.doc.bindings, b)
	return nil
}

// resolve gives an element and its attributes their namespaces and puts attributes and declarations in canonical order,
// which brings equal names together (Namespaces 1.0 §6.3, XML 1.0 §3.1). nameAt is the offset of the element's name.
func (p *parser) resolve(el *element, nameAt int) error {
	bindings := p.doc.bindings[el.bindLo:el.bindHi]
	slices.SortFunc(bindings, func(a, b Binding) int { return strings.Compare(a.Prefix, b.Prefix) })
	for i := 1; i < len(bindings); i++ {
		if bindings[i].Prefix == bindings[i-1].Prefix {
			return because(p.src, nameAt, "each prefix declared once on an element", `"`+bindings[i].Prefix+`" twice`)
		}
	}
	p.scope = append(p.scope, bindings...)
	if len(p.scope) > maxBindings {
		return tooMany(p.src, nameAt, maxBindings, "namespace declarations in scope")
	}

	var found bool
	if el.space, found = p.lookup(el.prefix()); !found {
		return expected(p.src, nameAt, "a declared prefix")
	}
	attributes := p.doc.attributes[el.attrLo:el.attrHi]
	for i := range attributes {
		a := &attributes[i]
		if a.prefix() == "" {
			continue
		}
		if a.Space, found = p.lookup(a.prefix()); !found {
			return expected(p.src, int(a.at), "a declared prefix")
		}
	}
	slices.SortFunc(attributes, compareAttributes)
	for i := 1; i < len(attributes); i++ {
		if compareAttributes(attributes[i-1], attributes[i]) == 0 {
			at := max(attributes[i-1].at, attributes[i].at)
			return expected(p.src, int(at), "each attribute once on an element")
		}
	}
	return nil
}

// lookup gives the namespace of a prefix; the default namespace is always found.
func (p *parser) lookup(prefix string) (string, bool) {
	for i := len(p.scope) - 1; i >= 0; i-- {
		if p.scope[i].Prefix == prefix {
			return p.scope[i].URI, true
		}
	}
	if prefix == "xml" {
		return XMLSpace, true
	}
	return "", prefix == ""
}
