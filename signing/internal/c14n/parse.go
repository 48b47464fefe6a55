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
	// Room for what the markup promises: two tags make an element, with a run of text in it and one after it, and two quotes
	// an attribute. The bound keeps a document of nothing but "<" from asking for much before it is refused; what is larger
	// grows.
	const room = 1 << 14
	tags := strings.Count(src, "<")
	p := &parser{src: src, doc: &Document{
		src:        src,
		nodes:      make([]node, 0, min(tags+tags/2, room)+8),
		elements:   make([]element, 0, min(tags/2, room)+8),
		attributes: make([]Attribute, 0, min(strings.Count(src, `"`)/2, room)),
		bindings:   make([]Binding, 0, 8),
		root:       -1,
	}, open: make([]int32, 0, 16), scope: make([]int32, 0, 16)}
	if references := min(strings.Count(src, "&"), room); references > 0 {
		p.doc.texts = make([]string, 0, references)
		p.decoded.Grow(min(64*references, len(src))) // the rest of a run with a reference is short in most documents
	}
	if err := p.document(); err != nil {
		return nil, err
	}
	return p.doc, nil
}

// parser reads src from pos on. open are the elements whose end tag has not come, scope the places of their declarations,
// innermost last.
type parser struct {
	src      string
	pos      int
	doc      *Document
	open     []int32
	scope    []int32
	verbatim bool // so far, the start tag that is read is written as the canonical form writes it

	// decoded has the texts that the source writes in another way, one after the other, so that their number costs nothing.
	decoded strings.Builder
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
		return p.expected("the end tag of " + Element{p.doc, p.innermost()}.Name())
	}
	if p.doc.root < 0 {
		return p.expected("a root element")
	}
	return nil
}

// item reads one piece of markup or one run of text.
func (p *parser) item() error {
	if p.src[p.pos] != '<' {
		return p.text()
	}
	if p.pos+1 == len(p.src) {
		return p.startTag()
	}
	switch p.src[p.pos+1] {
	case '/':
		return p.endTag()
	case '?':
		return p.instruction()
	case '!':
		switch {
		case p.at("<!--"):
			return p.comment()
		case p.at("<![CDATA["):
			return p.section()
		case p.at("<!DOCTYPE"):
			return p.expected("no document type declaration")
		}
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
	p.doc.nodes = append(roomFor(p, p.doc.nodes), n)
	return nil
}

// roomFor gives a list that is full room for as much as the rest of the source will have if it goes on like what was read.
func roomFor[T any](p *parser, list []T) []T {
	if len(list) < cap(list) {
		return list
	}
	return slices.Grow(list, p.more(len(list)))
}

// more is how many more there will be of what was read so often, and some.
func (p *parser) more(read int) int {
	return 8 + min(read*(len(p.src)-p.pos)/(p.pos+1), maxNodes)
}

// keep stores a text that the source writes in another way and gives its place.
func (p *parser) keep(text string) int32 {
	p.doc.texts = append(roomFor(p, p.doc.texts), text)
	return int32(len(p.doc.texts) - 1)
}

// startTag reads a start tag or an empty-element tag (XML 1.0 §3.1).
func (p *parser) startTag() error {
	start := p.pos
	p.pos++
	p.verbatim = true
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
	el := element{nameLo: int32(start + 1), nameHi: int32(start + 1 + len(name)), prefixed: int32(len(prefix))}
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
	el.verbatim = p.verbatim && !empty
	at := int32(len(p.doc.nodes))
	if err := p.add(node{kind: kindElement, index: int32(len(p.doc.elements)), lo: int32(start), hi: int32(p.pos)}); err != nil {
		return err
	}
	p.doc.elements = append(roomFor(p, p.doc.elements), el)
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
	el := &p.doc.elements[n.index]
	name := p.doc.name(el)
	p.pos += len("</")
	if p.at(name) {
		p.pos += len(name)
		el.verbatimEnd = !p.space()
	}
	if p.next() != '>' {
		return expected(p.src, start, "</"+name+">")
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
		before := p.pos
		spaced := p.space()
		if c := p.next(); c == '>' || c == '/' {
			p.verbatim = p.verbatim && !spaced
			return nil
		}
		p.verbatim = p.verbatim && p.pos == before+1 && p.src[before] == ' '
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
	open := p.pos
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
	escape := classesIn(value)&(classReference|classLess|classQuote|classReturn|classValue) != 0
	p.verbatim = p.verbatim && !escape && open == start+len(name)+1 && p.src[open] == '"' && p.src[open+1:p.pos-1] == value
	p.doc.attributes = append(roomFor(p, p.doc.attributes), Attribute{
		Local: local, Value: value, name: name, at: int32(start), escape: escape,
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
	found := classesIn(raw)
	if found&classLess != 0 {
		return "", expected(p.src, start+strings.IndexByte(raw, '<'), `"&lt;" in an attribute value`)
	}
	p.pos = start + length + 1
	if found&(classReference|classReturn|classValue) == 0 {
		return raw, nil
	}
	return p.decode(start, raw, true)
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
	p.doc.bindings = append(roomFor(p, p.doc.bindings), b)
	p.verbatim = false
	return nil
}

// resolve gives an element and its attributes their namespaces and puts attributes and declarations in canonical order,
// which brings equal names together (Namespaces 1.0 §6.3, XML 1.0 §3.1). nameAt is the offset of the element's name.
func (p *parser) resolve(el *element, nameAt int) error {
	if err := p.declare(el, nameAt); err != nil {
		return err
	}
	var found bool
	if el.space, found = p.lookup(p.doc.prefix(el)); !found {
		return expected(p.src, nameAt, "a declared prefix")
	}
	attributes := p.doc.attributes[el.attrLo:el.attrHi]
	for i := range attributes {
		a := &attributes[i]
		if a.prefix() == "" {
			continue
		}
		binding, found := p.lookup(a.prefix())
		if !found {
			return expected(p.src, int(a.at), "a declared prefix")
		}
		a.Space = p.doc.uri(binding)
	}
	if len(attributes) < 2 {
		return nil
	}
	if !slices.IsSortedFunc(attributes, compareAttributes) {
		slices.SortFunc(attributes, compareAttributes)
		p.verbatim = false
	}
	for i := 1; i < len(attributes); i++ {
		if compareAttributes(attributes[i-1], attributes[i]) == 0 {
			at := max(attributes[i-1].at, attributes[i].at)
			return expected(p.src, int(at), "each attribute once on an element")
		}
	}
	return nil
}

// declare puts an element's declarations in order and in scope.
func (p *parser) declare(el *element, nameAt int) error {
	bindings := p.doc.bindings[el.bindLo:el.bindHi]
	slices.SortFunc(bindings, func(a, b Binding) int { return strings.Compare(a.Prefix, b.Prefix) })
	for i := range bindings {
		if i > 0 && bindings[i].Prefix == bindings[i-1].Prefix {
			return because(p.src, nameAt, "each prefix declared once on an element", `"`+bindings[i].Prefix+`" twice`)
		}
		p.scope = append(p.scope, el.bindLo+int32(i))
	}
	if len(p.scope) > maxBindings {
		return tooMany(p.src, nameAt, maxBindings, "namespace declarations in scope")
	}
	return nil
}

// lookup gives the place in bindings of what binds a prefix; the default namespace is always found.
func (p *parser) lookup(prefix string) (int32, bool) {
	for i := len(p.scope) - 1; i >= 0; i-- {
		if p.doc.bindings[p.scope[i]].Prefix == prefix {
			return p.scope[i], true
		}
	}
	if prefix == "xml" {
		return xmlBinding, true
	}
	return noBinding, prefix == ""
}
