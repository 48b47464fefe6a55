package c14n

import (
	"iter"
	"slices"
	"strings"
)

// XMLSpace is the namespace of the prefix xml, which is always bound (Namespaces 1.0 §3).
const XMLSpace = "http://www.w3.org/XML/1998/namespace"

// xmlnsSpace is the namespace of the prefix xmlns; nothing else may be bound to it.
const xmlnsSpace = "http://www.w3.org/2000/xmlns/"

// Document is a document that was read. It does not change and is safe for concurrent use.
//
// The tree is flat: nodes stand in document order, and a node's descendants are the nodes up to its next. Nodes and elements
// are places in the source and hold no pointers, so that a large document costs the garbage collector nothing. Comments are
// not kept, because no canonical form that we write has them; elements remember that they had some.
type Document struct {
	src        string
	nodes      []node
	elements   []element
	texts      []string    // what differs from the source
	attributes []Attribute // those of one element together, in canonical order
	bindings   []Binding   // those of one element together, ordered by prefix
	root       int32
	inside     bool // a processing instruction stands inside the root element
}

type kind uint8

const (
	kindElement     kind = iota
	kindSource           // character data that is what the source has from lo to hi
	kindText             // character data that the source writes in another way
	kindInstruction      // target and data
)

// node is an element, a run of text or a processing instruction.
type node struct {
	kind   kind
	escape bool  // text has characters that the canonical form writes as references
	parent int32 // -1 outside the root element
	next   int32 // the node after this one and its descendants
	index  int32 // kindElement: its place in elements; kindText and kindInstruction: its place in texts
	lo, hi int32 // offsets of its first octet and after its last one
}

type element struct {
	nameLo, nameHi int32 // offsets of its name, with prefix
	prefixed       int32 // length of its prefix; 0 is none
	space          int32 // place in bindings of what binds its prefix; noBinding or xmlBinding
	attrLo, attrHi int32
	bindLo, bindHi int32
	content, end   int32 // offsets after the start tag and of the end tag; equal to node.hi if there is none
	interrupted    bool  // a comment or processing instruction is its child
	verbatim       bool  // its start tag is written as the canonical form writes it, as far as declarations stay as they are
	verbatimEnd    bool  // and so is its end tag
}

// Places in bindings that say that there is none, and that the prefix is xml without a declaration.
const (
	noBinding  = -1
	xmlBinding = -2
)

func (d *Document) name(el *element) string   { return d.src[el.nameLo:el.nameHi] }
func (d *Document) prefix(el *element) string { return d.src[el.nameLo : el.nameLo+el.prefixed] }

func (d *Document) local(el *element) string {
	if el.prefixed == 0 {
		return d.name(el)
	}
	return d.src[el.nameLo+el.prefixed+1 : el.nameHi]
}

// uri gives the namespace name that a place in bindings stands for.
func (d *Document) uri(binding int32) string {
	switch binding {
	case noBinding:
		return ""
	case xmlBinding:
		return XMLSpace
	}
	return d.bindings[binding].URI
}

// text gives the character data of a node.
func (d *Document) text(n *node) string {
	if n.kind == kindSource {
		return d.src[n.lo:n.hi]
	}
	return d.texts[n.index]
}

// Attribute is an attribute that declares no namespace. Space is its namespace name ("" for names without prefix: the
// default namespace does not apply to attributes), Value its normalised value.
type Attribute struct {
	Space, Local, Value string

	name   string
	at     int32
	escape bool
}

func (a *Attribute) prefix() string { return a.name[:max(0, len(a.name)-len(a.Local)-1)] }

// compareAttributes is the canonical order (Canonical XML 1.0 §2.2): namespace name, then local name. Comparing UTF-8
// octets is comparing code points, as the specification demands.
func compareAttributes(a, b Attribute) int {
	if c := strings.Compare(a.Space, b.Space); c != 0 {
		return c
	}
	return strings.Compare(a.Local, b.Local)
}

// Binding is a namespace declaration; Prefix "" is the default namespace, and its URI may be "".
type Binding struct{ Prefix, URI string }

// Element is a place in a Document. Two values are equal if they are the same element of the same document.
type Element struct {
	doc *Document
	at  int32
}

func (e Element) node() *node       { return &e.doc.nodes[e.at] }
func (e Element) element() *element { return &e.doc.elements[e.node().index] }

// Root gives the root element.
func (d *Document) Root() Element { return Element{d, d.root} }

// HasInstructions tells whether there are processing instructions outside the root element, inside it.
func (d *Document) HasInstructions() (outside, inside bool) {
	for i := int32(0); int(i) < len(d.nodes); i = d.nodes[i].next {
		outside = outside || d.nodes[i].kind == kindInstruction
	}
	return outside, d.inside
}

// Is tells whether the element has this namespace and local name.
func (e Element) Is(space, local string) bool {
	el := e.element()
	return e.doc.local(el) == local && e.doc.uri(el.space) == space
}

// Name gives the element's name as written, for messages.
func (e Element) Name() string { return e.doc.name(e.element()) }

// Parent gives the parent element; false for the root.
func (e Element) Parent() (Element, bool) {
	up := e.node().parent
	return Element{e.doc, up}, up >= 0
}

// Descendants gives the element and all elements in it, in document order.
func (e Element) Descendants() iter.Seq[Element] {
	return func(yield func(Element) bool) {
		for i := e.at; i < e.node().next; i++ {
			if e.doc.nodes[i].kind == kindElement && !yield(Element{e.doc, i}) {
				return
			}
		}
	}
}

// Children gives the child elements.
func (e Element) Children() []Element {
	count := 0
	for i := e.at + 1; i < e.node().next; i = e.doc.nodes[i].next {
		if e.doc.nodes[i].kind == kindElement {
			count++
		}
	}
	children := make([]Element, 0, count)
	for i := e.at + 1; i < e.node().next; i = e.doc.nodes[i].next {
		if e.doc.nodes[i].kind == kindElement {
			children = append(children, Element{e.doc, i})
		}
	}
	return children
}

// Text gives the element's own character data, that of its child elements not included.
func (e Element) Text() string {
	text := ""
	for i := e.at + 1; i < e.node().next; i = e.doc.nodes[i].next {
		switch n := &e.doc.nodes[i]; {
		case n.kind != kindSource && n.kind != kindText:
		case text == "":
			text = e.doc.text(n) // most elements have one run, which is not copied
		default:
			return e.textFrom(i, text)
		}
	}
	return text
}

// textFrom goes on with the text of an element from a node on.
func (e Element) textFrom(i int32, before string) string {
	var text strings.Builder
	text.WriteString(before)
	for ; i < e.node().next; i = e.doc.nodes[i].next {
		if n := &e.doc.nodes[i]; n.kind == kindSource || n.kind == kindText {
			text.WriteString(e.doc.text(n))
		}
	}
	return text.String()
}

// Interrupted tells whether a comment or a processing instruction is a child of the element.
func (e Element) Interrupted() bool { return e.element().interrupted }

// Attributes gives the attributes in canonical order. The caller does not change them.
func (e Element) Attributes() []Attribute {
	el := e.element()
	return e.doc.attributes[el.attrLo:el.attrHi]
}

// Attribute gives the value of an attribute.
func (e Element) Attribute(space, local string) (string, bool) {
	for _, a := range e.Attributes() {
		if a.Local == local && a.Space == space {
			return a.Value, true
		}
	}
	return "", false
}

// Namespace gives what a prefix is bound to at the element; "" if it is not bound.
func (e Element) Namespace(prefix string) string {
	for up, below := e, true; below; up, below = up.Parent() {
		el := up.element()
		for _, b := range e.doc.bindings[el.bindLo:el.bindHi] {
			if b.Prefix == prefix {
				return b.URI
			}
		}
	}
	return ""
}

// inScope gives the declarations in force at an element, innermost first.
func (d *Document) inScope(i int32) []Binding {
	scope := make([]Binding, 0, 8)
	for ; i >= 0; i = d.nodes[i].parent {
		el := &d.elements[d.nodes[i].index]
		for _, b := range d.bindings[el.bindLo:el.bindHi] {
			if !slices.ContainsFunc(scope, func(in Binding) bool { return in.Prefix == b.Prefix }) {
				scope = append(scope, b)
			}
		}
	}
	return scope
}

// Position gives line and column of the element's start tag, from 1.
func (e Element) Position() (line, column int) { return position(e.doc.src, int(e.node().lo)) }

// Size is the number of octets from the element's start tag to its end tag, both included.
func (e Element) Size() int { return int(e.node().hi - e.node().lo) }

// Append gives the source with markup put in as the element's last child. Nothing else changes, but that an empty-element
// tag is written as start tag and end tag.
func (e Element) Append(markup string) []byte {
	el, src := e.element(), e.doc.src
	out := make([]byte, 0, len(src)+len(markup)+len(e.Name())+4)
	if el.end < e.node().hi {
		out = append(out, src[:el.end]...)
		out = append(out, markup...)
		return append(out, src[el.end:]...)
	}
	out = append(out, strings.TrimSuffix(src[:el.content], "/>")...)
	out = append(out, '>')
	out = append(out, markup...)
	out = append(out, "</"+e.Name()+">"...)
	return append(out, src[el.content:]...)
}

// Place gives a document of the start tags of the element and its ancestors with markup as its only content. What Append
// would put into the element has the same canonical form here, because nothing else of a document bears on it, and here it
// does not cost reading the document again. Markup that would exceed a limit there is an [*Error] here too.
func (e Element) Place(markup string) (*Document, error) {
	head, tail := "", ""
	for up, below := e, true; below; up, below = up.Parent() {
		tag := e.doc.src[up.node().lo:up.element().content]
		if empty, found := strings.CutSuffix(tag, "/>"); found {
			tag = empty + ">"
		}
		head = tag + head
		tail += "</" + up.Name() + ">"
	}
	place, err := Parse([]byte(head + markup + tail))
	switch {
	case err != nil:
		return nil, err
	case len(e.doc.src)+len(markup)+len(tail) > maxBytes:
		return nil, tooMany(e.doc.src, int(e.node().hi), maxBytes, "octets in a document")
	case len(e.doc.nodes)+len(place.nodes) > maxNodes:
		return nil, tooMany(e.doc.src, int(e.node().hi), maxNodes, "elements and runs of text")
	}
	return place, nil
}
