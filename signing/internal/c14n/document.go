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
// The tree is flat: elements stand in document order, and an element's descendants are the elements up to its next. The source
// between their tags is text, but for the pieces that say otherwise. All of them are places in the source and hold no
// pointers, so that a large document costs the garbage collector nothing.
type Document struct {
	src        string
	elements   []element
	pieces     []piece
	attributes []attribute // those of one element together, in canonical order
	bindings   []Binding   // those of one element together, ordered by prefix
	root       int32
	count      int  // elements, runs of text and processing instructions
	outside    bool // a processing instruction stands outside the root element
	inside     bool // a processing instruction stands inside the root element
}

type element struct {
	lo, hi         int32  // offsets of its first octet and after its last one
	content, end   int32  // offsets after the start tag and of the end tag; equal to hi if there is none
	nameHi         int32  // offset after its name, which follows the "<" at lo
	parent         int32  // -1 for the root element
	next           int32  // the element after this one and its descendants
	space          int32  // place in bindings of what binds its prefix; noBinding or xmlBinding
	attrLo, bindLo int32  // places of the first of its attributes and declarations
	prefixed       uint16 // length of its prefix; 0 is none
	attrs, binds   uint8  // how many attributes and declarations it has
	interrupted    bool   // a comment or processing instruction is its child
	verbatim       bool   // its start tag is written as the canonical form writes it, and declares nothing
	verbatimEnd    bool   // its end tag is written as the canonical form writes it
	settled        bool   // from its first octet to its last one the source is the inclusive form, below the apex
}

// Places in bindings that say that there is none, and that the prefix is xml without a declaration.
const (
	noBinding  = -1
	xmlBinding = -2
)

type kind uint8

const (
	pieceText        kind = iota // character data that the canonical form writes in another way
	pieceSection                 // a CDATA section
	pieceComment                 // comments, which no canonical form that we write has
	pieceInstruction             // a processing instruction
)

// piece is a place in the source that is neither a tag nor character data as the canonical form writes it. Comments outside
// the root element have none.
type piece struct {
	lo, hi int32
	kind   kind
}

func (d *Document) name(el *element) string   { return d.src[el.lo+1 : el.nameHi] }
func (d *Document) prefix(el *element) string { return d.src[el.lo+1 : el.lo+1+int32(el.prefixed)] }

func (d *Document) local(el *element) string { return d.src[el.localLo():el.nameHi] }

// localLo is the offset of an element's local name.
func (el *element) localLo() int32 {
	if el.prefixed == 0 {
		return el.lo + 1
	}
	return el.lo + 1 + int32(el.prefixed) + 1
}

// attributesOf gives the attributes of an element, in canonical order.
func (d *Document) attributesOf(el *element) []attribute {
	return d.attributes[el.attrLo : el.attrLo+int32(el.attrs)]
}

// bindingsOf gives the declarations of an element, ordered by prefix.
func (d *Document) bindingsOf(el *element) []Binding {
	return d.bindings[el.bindLo : el.bindLo+int32(el.binds)]
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

// firstPiece gives the first piece from an offset on.
func (d *Document) firstPiece(at int32) int {
	i, _ := slices.BinarySearchFunc(d.pieces, at, func(p piece, at int32) int { return int(p.lo - at) })
	return i
}

// attribute is an attribute that declares no namespace, as a place in the source.
type attribute struct {
	lo, nameHi       int32  // offsets of its name
	valueLo, valueHi int32  // offsets of what is between its quotes
	space            int32  // place in bindings of what binds its prefix; noBinding or xmlBinding
	prefixed         uint16 // length of its prefix; 0 is none
	plain            bool   // what is between its quotes is its value
	canonical        bool   // what is between its quotes is what the canonical form writes there
}

func (d *Document) attributePrefix(a *attribute) string { return d.src[a.lo : a.lo+int32(a.prefixed)] }

func (d *Document) attributeLocal(a *attribute) string {
	if a.prefixed == 0 {
		return d.src[a.lo:a.nameHi]
	}
	return d.src[a.lo+int32(a.prefixed)+1 : a.nameHi]
}

// value gives the normalised value of an attribute.
func (d *Document) value(a *attribute) string {
	raw := d.src[a.valueLo:a.valueHi]
	if a.plain {
		return raw
	}
	return string(appendDecoded(make([]byte, 0, len(raw)), raw, true))
}

// compareAttributes is the canonical order (Canonical XML 1.0 §2.2): namespace name, then local name. Comparing UTF-8
// octets is comparing code points, as the specification demands.
func (d *Document) compareAttributes(a, b attribute) int {
	if a.space != b.space {
		if c := strings.Compare(d.uri(a.space), d.uri(b.space)); c != 0 {
			return c
		}
	}
	return strings.Compare(d.attributeLocal(&a), d.attributeLocal(&b))
}

// Attribute is an attribute that declares no namespace.
type Attribute struct {
	doc *Document
	at  *attribute
}

// Space gives its namespace name, "" for names without prefix: the default namespace does not apply to attributes.
func (a Attribute) Space() string { return a.doc.uri(a.at.space) }

// Local gives its local name.
func (a Attribute) Local() string { return a.doc.attributeLocal(a.at) }

// Value gives its normalised value.
func (a Attribute) Value() string { return a.doc.value(a.at) }

// Binding is a namespace declaration; Prefix "" is the default namespace, and its URI may be "".
type Binding struct{ Prefix, URI string }

// Element is a place in a Document. Two values are equal if they are the same element of the same document.
type Element struct {
	doc *Document
	at  int32
}

func (e Element) element() *element { return &e.doc.elements[e.at] }

// Root gives the root element.
func (d *Document) Root() Element { return Element{d, d.root} }

// HasInstructions tells whether there are processing instructions outside the root element, inside it.
func (d *Document) HasInstructions() (outside, inside bool) { return d.outside, d.inside }

// Is tells whether the element has this namespace and local name.
func (e Element) Is(space, local string) bool {
	el := e.element()
	return int(el.nameHi-el.localLo()) == len(local) && e.doc.local(el) == local && e.doc.uri(el.space) == space
}

// Name gives the element's name as written, for messages.
func (e Element) Name() string { return e.doc.name(e.element()) }

// Parent gives the parent element; false for the root.
func (e Element) Parent() (Element, bool) {
	up := e.element().parent
	return Element{e.doc, up}, up >= 0
}

// Descendants gives the element and all elements in it, in document order.
func (e Element) Descendants() iter.Seq[Element] {
	return func(yield func(Element) bool) {
		for i, end := e.at, e.element().next; i < end; i++ {
			if !yield(Element{e.doc, i}) {
				return
			}
		}
	}
}

// Children gives the child elements.
func (e Element) Children() []Element {
	count, end := 0, e.element().next
	for i := e.at + 1; i < end; i = e.doc.elements[i].next {
		count++
	}
	children := make([]Element, 0, count)
	for i := e.at + 1; i < end; i = e.doc.elements[i].next {
		children = append(children, Element{e.doc, i})
	}
	return children
}

// Text gives the element's own character data, that of its child elements not included.
func (e Element) Text() string {
	el := e.element()
	raw := e.doc.src[el.content:el.end]
	next := e.doc.firstPiece(el.content)
	if e.at+1 == el.next && classesIn(raw)&(classReference|classReturn) == 0 &&
		(next == len(e.doc.pieces) || e.doc.pieces[next].lo >= el.end) {
		return raw // most elements have one run, which is not copied
	}
	var text []byte
	at := el.content
	for c := e.at + 1; c < el.next; c = e.doc.elements[c].next {
		child := &e.doc.elements[c]
		text = e.doc.appendText(text, at, child.lo)
		at = child.hi
	}
	return string(e.doc.appendText(text, at, el.end))
}

// appendText appends the character data of a range of the source without tags.
func (d *Document) appendText(text []byte, lo, hi int32) []byte {
	for i := d.firstPiece(lo); i < len(d.pieces) && d.pieces[i].lo < hi; i++ {
		p := d.pieces[i]
		text = appendDecoded(text, d.src[lo:p.lo], false)
		switch p.kind {
		case pieceText:
			text = appendDecoded(text, d.src[p.lo:p.hi], false)
		case pieceSection:
			text = append(text, d.sectionText(p)...)
		}
		lo = p.hi
	}
	return appendDecoded(text, d.src[lo:hi], false)
}

// sectionText gives the character data of a CDATA section.
func (d *Document) sectionText(p piece) string {
	return normaliseLines(d.src[p.lo+int32(len("<![CDATA[")) : p.hi-int32(len("]]>"))])
}

// Interrupted tells whether a comment or a processing instruction is a child of the element.
func (e Element) Interrupted() bool { return e.element().interrupted }

// Attributes gives the attributes in canonical order.
func (e Element) Attributes() iter.Seq[Attribute] {
	return func(yield func(Attribute) bool) {
		attributes := e.doc.attributesOf(e.element())
		for i := range attributes {
			if !yield(Attribute{e.doc, &attributes[i]}) {
				return
			}
		}
	}
}

// Attribute gives the value of an attribute.
func (e Element) Attribute(space, local string) (string, bool) {
	attributes := e.doc.attributesOf(e.element())
	for i := range attributes {
		if a := &attributes[i]; e.doc.attributeLocal(a) == local && e.doc.uri(a.space) == space {
			return e.doc.value(a), true
		}
	}
	return "", false
}

// Namespace gives what a prefix is bound to at the element; "" if it is not bound.
func (e Element) Namespace(prefix string) string {
	for up, below := e, true; below; up, below = up.Parent() {
		for _, b := range e.doc.bindingsOf(up.element()) {
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
	for ; i >= 0; i = d.elements[i].parent {
		for _, b := range d.bindingsOf(&d.elements[i]) {
			if !slices.ContainsFunc(scope, func(in Binding) bool { return in.Prefix == b.Prefix }) {
				scope = append(scope, b)
			}
		}
	}
	return scope
}

// Position gives line and column of the element's start tag, from 1.
func (e Element) Position() (line, column int) { return position(e.doc.src, int(e.element().lo)) }

// Size is the number of octets from the element's start tag to its end tag, both included.
func (e Element) Size() int { return int(e.element().hi - e.element().lo) }

// Append gives the source with markup put in as the element's last child. Nothing else changes, but that an empty-element
// tag is written as start tag and end tag.
func (e Element) Append(markup string) []byte {
	el, src := e.element(), e.doc.src
	out := make([]byte, 0, len(src)+len(markup)+len(e.Name())+4)
	if el.end < e.element().hi {
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
		tag := e.doc.src[up.element().lo:up.element().content]
		if empty, found := strings.CutSuffix(tag, "/>"); found {
			tag = empty + ">"
		}
		head = tag + head
		tail += "</" + up.Name() + ">"
	}
	place, err := Parse(head + markup + tail)
	switch {
	case err != nil:
		return nil, err
	case len(e.doc.src)+len(markup)+len(tail) > maxBytes:
		return nil, tooMany(e.doc.src, int(e.element().hi), maxBytes, "octets in a document")
	case e.doc.count+place.count > maxNodes:
		return nil, tooMany(e.doc.src, int(e.element().hi), maxNodes, "elements and runs of text")
	}
	return place, nil
}
