package c14n

import (
	"slices"
	"strings"
)

// Parse reads a document in one pass. The error is an [*Error].
func Parse(src string) (*Document, error) {
	if len(src) > maxBytes {
		return nil, tooMany("", 0, maxBytes, "octets in a document")
	}
	if err := checkCharacters(src); err != nil {
		return nil, err
	}
	// Room for what the markup promises: two tags make an element, and two quotes an attribute. The bound keeps a document of
	// nothing but "<" from asking for much before it is refused; what is larger grows.
	const room = 1 << 14
	p := &parser{src: src, inner: -1, doc: &Document{
		src:        src,
		elements:   make([]element, 0, min(strings.Count(src, "<")/2, room)+8),
		attributes: make([]attribute, 0, min(strings.Count(src, `"`)/2, room)),
		bindings:   make([]Binding, 0, 8),
		root:       -1,
	}, scope: make([]int32, 0, 16)}
	if err := p.document(); err != nil {
		return nil, err
	}
	return p.doc, nil
}

// parser reads src from pos on. inner is the element whose end tag comes next, -1 outside the root element, and depth how many
// are open; scope has the places of their declarations, innermost last.
type parser struct {
	src   string
	pos   int
	doc   *Document
	inner int32
	depth int
	scope []int32

	scopes int32 // counts how often scope has changed
	names  [1 << nameBits]name
}

// name is the name of an element that was read, which is likely to come again.
type name struct {
	lo, hi   int32 // offsets of its first octet and after its last one; equal for none
	prefixed int32 // length of its prefix
	space    int32 // place in bindings of what binds its prefix
	scopes   int32 // when that was looked up
}

// nameBits is how many bits of a hash tell names apart, nameFactor what makes the hash of eight octets.
const (
	nameBits   = 6
	nameFactor = 0x9E3779B97F4A7C15
)

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

// take skips an octet that must come next.
func (p *parser) take(octet byte) error {
	if p.next() != octet {
		return p.expected(`"` + string(octet) + `"`)
	}
	p.pos++
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
		var err error
		switch {
		case p.src[p.pos] != '<':
			err = p.text()
		case p.pos+1 < len(p.src) && p.src[p.pos+1] == '/':
			err = p.endTag()
		case p.pos+1 < len(p.src) && (p.src[p.pos+1] == '!' || p.src[p.pos+1] == '?'):
			err = p.other()
		default:
			err = p.startTag()
		}
		if err != nil {
			return err
		}
	}
	if p.inner >= 0 {
		return p.expected("the end tag of " + p.doc.name(&p.doc.elements[p.inner]))
	}
	if p.doc.root < 0 {
		return p.expected("a root element")
	}
	return nil
}

// other reads what begins with "<!" or "<?".
func (p *parser) other() error {
	switch {
	case p.at("<?"):
		return p.instruction()
	case p.at("<!--"):
		return p.comment()
	case p.at("<![CDATA["):
		return p.section()
	case p.at("<!DOCTYPE"):
		return p.expected("no document type declaration")
	}
	return p.startTag() // which says what it expects
}

// count counts an element, run of text or processing instruction that begins at an offset.
func (p *parser) count(start int) error {
	if p.doc.count == maxNodes {
		return tooMany(p.src, start, maxNodes, "elements and runs of text")
	}
	p.doc.count++
	return nil
}

// note stores a piece that ends where the parser is.
func (p *parser) note(kind kind, start int) {
	p.doc.pieces = append(roomFor(p, p.doc.pieces), piece{lo: int32(start), hi: int32(p.pos), kind: kind})
	if p.inner >= 0 {
		p.doc.elements[p.inner].settled = false
	}
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

// startTag reads a start tag or an empty-element tag (XML 1.0 §3.1).
func (p *parser) startTag() error {
	start := p.pos
	p.pos++
	name, err := p.elementName()
	if err != nil {
		return err
	}
	if p.depth == 0 && p.doc.root >= 0 {
		return expected(p.src, start, "nothing after the root element")
	}
	if p.depth == maxDepth {
		return tooMany(p.src, start, maxDepth, "elements inside each other")
	}
	doc := p.doc
	at := int32(len(doc.elements))
	doc.elements = append(roomFor(p, doc.elements), element{})
	el := &doc.elements[at]
	el.lo, el.nameHi, el.prefixed = int32(start), int32(p.pos), uint16(name.prefixed)
	el.parent, el.next, el.verbatim = p.inner, at+1, true
	el.attrLo, el.bindLo = int32(len(doc.attributes)), int32(len(doc.bindings))
	if p.next() != '>' {
		if err := p.attributes(el); err != nil {
			return err
		}
	}
	if err := p.resolve(el, name); err != nil {
		return err
	}

	empty := p.next() == '/' && p.at("/>")
	if empty {
		p.pos++
	}
	if err := p.take('>'); err != nil {
		return err
	}
	if err := p.count(start); err != nil {
		return err
	}
	el.content, el.end, el.hi = int32(p.pos), int32(p.pos), int32(p.pos)
	el.verbatim = el.verbatim && !empty
	el.settled = el.verbatim
	if p.depth == 0 {
		p.doc.root = at
	}
	if empty {
		p.close(el)
		return nil
	}
	p.inner = at
	p.depth++
	return nil
}

// close ends the scope of an element's declarations.
func (p *parser) close(el *element) {
	if el.binds > 0 {
		p.scope = p.scope[:len(p.scope)-int(el.binds)]
		p.scopes++
	}
	if !el.settled && el.parent >= 0 {
		p.doc.elements[el.parent].settled = false
	}
}

// endTag reads an end tag and closes the element that is open.
func (p *parser) endTag() error {
	start := p.pos
	if p.inner < 0 {
		return p.expected("no end tag outside the root element")
	}
	el := &p.doc.elements[p.inner]
	name := p.doc.name(el)
	p.pos += len("</")
	if p.at(name) {
		p.pos += len(name)
		el.verbatimEnd = p.next() == '>' || !p.space()
	}
	if p.next() != '>' {
		return expected(p.src, start, "</"+name+">")
	}
	p.pos++
	el.end, el.hi, el.next = int32(start), int32(p.pos), int32(len(p.doc.elements))
	el.settled = el.settled && el.verbatimEnd
	p.inner = el.parent
	p.depth--
	p.close(el)
	return nil
}

// elementName reads the name of an element. One that was read before is known by its octets and what ends it.
func (p *parser) elementName() (*name, error) {
	start := p.pos
	slot := &p.names[0]
	if start+8 <= len(p.src) {
		slot = &p.names[word(p.src[start:start+8])*nameFactor>>(64-nameBits)]
		end := start + int(slot.hi-slot.lo)
		if start < end && end < len(p.src) && endsName(p.src[end]) && p.src[start:end] == p.src[slot.lo:slot.hi] {
			p.pos = end
			return slot, nil
		}
	}
	prefixed, err := p.qualifiedName("an element name")
	*slot = name{lo: int32(start), hi: int32(p.pos), prefixed: int32(prefixed), scopes: -1}
	return slot, err
}

// qualifiedName reads a name with or without prefix (Namespaces 1.0 §4) and gives the length of its prefix.
func (p *parser) qualifiedName(what string) (prefixed int, err error) {
	start := p.pos
	end := nameEnd(p.src, start)
	if end == start {
		return 0, p.expected(what)
	}
	length := end - start
	if end < len(p.src) && p.src[end] == ':' {
		prefixed = length
		after := nameEnd(p.src, end+1)
		if after == end+1 {
			return 0, expected(p.src, start, what+" with at most one colon and text on both sides of it")
		}
		length, end = after-end-1, after
	}
	if max(prefixed, length) > maxName {
		return 0, tooMany(p.src, start, maxName, "octets in a name")
	}
	p.pos = end
	return prefixed, nil
}

// attributes reads the attributes and declarations of a start tag up to its ">" or "/>".
func (p *parser) attributes(el *element) error {
	for count := 0; ; count++ {
		before := p.pos
		spaced := p.space()
		if c := p.next(); c == '>' || c == '/' {
			el.verbatim = el.verbatim && !spaced
			return nil
		}
		el.verbatim = el.verbatim && p.pos == before+1 && p.src[before] == ' '
		if !spaced {
			return p.expected(`white space, ">" or "/>"`)
		}
		if count == maxAttributes {
			return tooMany(p.src, p.pos, maxAttributes, "attributes on an element")
		}
		if err := p.attribute(el); err != nil {
			return err
		}
	}
}

func (p *parser) attribute(el *element) error {
	start := p.pos
	prefixed, err := p.qualifiedName(`an attribute name, ">" or "/>"`)
	if err != nil {
		return err
	}
	end := p.pos
	p.space()
	if err := p.take('='); err != nil {
		return err
	}
	p.space()
	open := p.pos
	a, err := p.value()
	if err != nil {
		return err
	}
	switch name := p.src[start:end]; {
	case name[:prefixed] == "xmlns":
		return p.bind(el, start, Binding{name[len("xmlns:"):], p.doc.value(&a)})
	case name == "xmlns":
		return p.bind(el, start, Binding{"", p.doc.value(&a)})
	}
	a.lo, a.nameHi, a.prefixed, a.space = int32(start), int32(end), uint16(prefixed), noBinding
	el.verbatim = el.verbatim && a.canonical && open == end+1 && p.src[open] == '"'
	el.attrs++
	p.doc.attributes = append(roomFor(p, p.doc.attributes), a)
	return nil
}

// value reads a quoted attribute value (XML 1.0 §2.3, AttValue).
func (p *parser) value() (attribute, error) {
	quote := p.next()
	if quote != '"' && quote != '\'' {
		return attribute{}, p.expected("an attribute value in quotes")
	}
	start := p.pos + 1
	length := strings.IndexByte(p.src[start:], quote)
	if length < 0 {
		return attribute{}, p.expected("an attribute value with a quote at its end")
	}
	if length > maxText {
		return attribute{}, tooMany(p.src, start, maxText, "octets in an attribute value")
	}
	raw := p.src[start : start+length]
	found := classesIn(raw)
	if found&classLess != 0 {
		return attribute{}, expected(p.src, start+strings.IndexByte(raw, '<'), `"&lt;" in an attribute value`)
	}
	p.pos = start + length + 1
	a := attribute{
		valueLo: int32(start), valueHi: int32(start + length),
		plain:     found&(classReference|classReturn|classValue) == 0,
		canonical: found&(classReturn|classValue|classQuote) == 0,
	}
	if found&classReference != 0 {
		canonical, err := checkReferences(p.src, start, start+length, canonicalInValue)
		if err != nil {
			return attribute{}, err
		}
		a.canonical = a.canonical && canonical
	}
	return a, nil
}

// bind notes a namespace declaration (Namespaces 1.0 §3 and §5).
func (p *parser) bind(el *element, start int, b Binding) error {
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
	el.verbatim = false
	el.binds++
	return nil
}

// resolve gives an element and its attributes their namespaces and puts attributes and declarations in canonical order,
// which brings equal names together (Namespaces 1.0 §6.3, XML 1.0 §3.1).
func (p *parser) resolve(el *element, name *name) error {
	if el.binds > 0 {
		if err := p.declare(el); err != nil {
			return err
		}
	}
	if name.scopes != p.scopes {
		space, found := p.lookup(p.doc.prefix(el))
		if !found {
			return expected(p.src, int(el.lo)+1, "a declared prefix")
		}
		name.space, name.scopes = space, p.scopes
	}
	el.space = name.space
	if el.attrs == 0 {
		return nil
	}
	attributes := p.doc.attributesOf(el)
	for i := range attributes {
		a := &attributes[i]
		if a.prefixed == 0 {
			continue
		}
		found := false
		if a.space, found = p.lookup(p.doc.attributePrefix(a)); !found {
			return expected(p.src, int(a.lo), "a declared prefix")
		}
	}
	if len(attributes) < 2 {
		return nil
	}
	if !slices.IsSortedFunc(attributes, p.doc.compareAttributes) {
		slices.SortFunc(attributes, p.doc.compareAttributes)
		el.verbatim = false
	}
	for i := 1; i < len(attributes); i++ {
		if p.doc.compareAttributes(attributes[i-1], attributes[i]) == 0 {
			at := max(attributes[i-1].lo, attributes[i].lo)
			return expected(p.src, int(at), "each attribute once on an element")
		}
	}
	return nil
}

// declare puts an element's declarations in order and in scope.
func (p *parser) declare(el *element) error {
	nameAt := int(el.lo) + 1
	bindings := p.doc.bindingsOf(el)
	slices.SortFunc(bindings, func(a, b Binding) int { return strings.Compare(a.Prefix, b.Prefix) })
	for i := range bindings {
		if i > 0 && bindings[i].Prefix == bindings[i-1].Prefix {
			return because(p.src, nameAt, "each prefix declared once on an element", `"`+bindings[i].Prefix+`" twice`)
		}
		p.scope = append(p.scope, el.bindLo+int32(i))
	}
	p.scopes++
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
