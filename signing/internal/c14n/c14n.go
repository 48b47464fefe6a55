// Package c14n reads XML strictly and writes its canonical form: Canonical XML 1.0 without comments ("inclusive") and
// Exclusive XML Canonicalization 1.0 without comments, of a whole document or of one element in its place.
//
// It knows XML 1.0 (fifth edition), Namespaces in XML 1.0 and the two canonical forms, and nothing of signatures or
// messages. It is deliberately narrower than XML: UTF-8 only, no document type declaration and so no entities but the five
// predefined ones, no relative namespace names, and limits on everything an attacker could multiply (see the max
// constants). Whatever is outside is an [*Error] with line and column; there is no lenient mode.
//
// Why not a parser and canonicalizer that exist: encoding/xml leaves line ends in attribute values alone and lets duplicate
// attributes, undeclared prefixes and text outside the root element pass; the canonicalizer in goxmldsig orders attributes
// of different prefixes by local name instead of namespace name, which is wrong for every ebMS header. A verifier whose
// reader differs from the sender's can be led to digest one thing and use another, so reading and writing live together
// here, over one flat tree.
//
// Read error.go for what is refused, parse.go and markup.go for how, chars.go for characters and references, document.go
// for the tree, and this file for the canonical form.
package c14n

import (
	"hash"
	"slices"
	"strings"
)

// Method says which canonical form to write and what to leave out. The zero value is inclusive Canonical XML 1.0 of
// everything.
type Method struct {
	// Exclusive selects Exclusive XML Canonicalization 1.0.
	Exclusive bool
	// Prefixes is the PrefixList of InclusiveNamespaces (Exclusive C14N §3); "#default" stands for the default
	// namespace. It has no effect on the inclusive form.
	Prefixes []string
	// Drop hides an element and everything in it; nil hides nothing. It is not asked about the apex itself.
	Drop func(Element) bool
}

// Canonical gives the canonical form of the whole document, with the processing instructions outside its root element
// (Canonical XML 1.0 §2.3: one line feed between them and the root element).
func (d *Document) Canonical(m Method) []byte {
	w := newWriter(d, m, len(d.src)+len(d.src)/8)
	w.document()
	w.flush()
	return w.out
}

// Digest writes the canonical form of the whole document to a hash, without having it in memory.
func (d *Document) Digest(h hash.Hash, m Method) {
	w := newWriter(d, m, min(digestSize, len(d.src))+digestSize/8)
	w.hash = h
	w.document()
	w.flush()
	h.Write(w.out)
}

// Canonical gives the canonical form of the element in its place: the inclusive form carries the namespaces and xml:
// attributes of the element's ancestors (Canonical XML 1.0 §2.4), the exclusive form only what it uses.
func (e Element) Canonical(m Method) []byte {
	el := e.element()
	w := newWriter(e.doc, m, int(el.hi-el.lo)+512)
	w.piece = e.doc.firstPiece(el.lo)
	w.findDropped(e.at + 1)
	w.element(e.at, true)
	w.flush()
	return w.out
}

// writer writes one canonical form. What the source has in the form already is copied in one piece: from lo to hi are the
// octets that come next and are not in out. rendered holds the declarations written on the elements that are open,
// innermost last. piece is the first piece that has not been passed, dropped the next element to leave out.
type writer struct {
	doc      *Document
	m        Method
	hash     hash.Hash // takes what comes to stand in out; nil for nothing
	out      []byte
	scratch  []byte
	lo, hi   int32
	rendered []Binding
	piece    int
	dropped  int32
}

// digestSize is how many octets a digest takes at once.
const digestSize = 16 << 10

func newWriter(d *Document, m Method, size int) *writer {
	return &writer{doc: d, m: m, out: make([]byte, 0, size), rendered: make([]Binding, 0, 8)}
}

// source writes octets of the source.
func (w *writer) source(lo, hi int32) {
	if lo != w.hi {
		w.flush()
		w.lo = lo
	}
	w.hi = hi
}

// flush brings out up to date.
func (w *writer) flush() {
	for w.hash != nil && len(w.out)+int(w.hi-w.lo) > digestSize {
		room := w.lo + int32(max(0, digestSize-len(w.out)))
		w.out = append(w.out, w.doc.src[w.lo:room]...)
		w.hash.Write(w.out)
		w.lo, w.out = room, w.out[:0]
	}
	w.out = append(w.out, w.doc.src[w.lo:w.hi]...)
	w.lo, w.hi = 0, 0
}

// findDropped finds the next element to leave out, from an element on.
func (w *writer) findDropped(from int32) {
	for w.dropped = from; w.m.Drop != nil && int(w.dropped) < len(w.doc.elements); w.dropped++ {
		if w.m.Drop(Element{w.doc, w.dropped}) {
			return
		}
	}
	w.dropped = int32(len(w.doc.elements))
}

// document writes the root element and what is outside it.
func (w *writer) document() {
	w.findDropped(w.doc.root + 1)
	root := w.doc.elements[w.doc.root]
	for ; w.piece < len(w.doc.pieces) && w.doc.pieces[w.piece].lo < root.lo; w.piece++ {
		w.special(w.doc.pieces[w.piece])
		w.out = append(w.out, '\n')
	}
	w.element(w.doc.root, true)
	for ; w.piece < len(w.doc.pieces); w.piece++ {
		w.flush()
		w.out = append(w.out, '\n')
		w.special(w.doc.pieces[w.piece])
	}
}

func (w *writer) element(i int32, apex bool) {
	el := &w.doc.elements[i]
	if el.settled && !apex && !w.m.Exclusive && w.dropped >= el.next {
		w.source(el.lo, el.hi)
		return
	}
	mark := len(w.rendered)
	w.startTag(i, el, apex)

	at := el.content
	for c := i + 1; c < el.next; c = w.doc.elements[c].next {
		child := &w.doc.elements[c]
		w.content(at, child.lo)
		at = child.hi
		if c != w.dropped {
			w.element(c, false)
			continue
		}
		for w.piece < len(w.doc.pieces) && w.doc.pieces[w.piece].lo < child.hi {
			w.piece++
		}
		w.findDropped(child.next)
	}
	w.content(at, el.end)

	w.rendered = w.rendered[:mark]
	if el.verbatimEnd {
		w.source(el.end, el.hi)
		return
	}
	w.flush()
	w.out = append(w.out, '<', '/')
	w.out = append(w.out, w.doc.name(el)...)
	w.out = append(w.out, '>')
}

// content writes a range of the source without tags.
func (w *writer) content(lo, hi int32) {
	for ; w.piece < len(w.doc.pieces) && w.doc.pieces[w.piece].lo < hi; w.piece++ {
		p := w.doc.pieces[w.piece]
		if p.lo > lo {
			w.source(lo, p.lo)
		}
		w.special(p)
		lo = p.hi
	}
	if hi > lo {
		w.source(lo, hi)
	}
}

// special writes a piece.
func (w *writer) special(p piece) {
	if p.kind == pieceComment {
		return
	}
	w.flush()
	switch p.kind {
	case pieceText:
		w.scratch = appendDecoded(w.scratch[:0], w.doc.src[p.lo:p.hi], false)
		w.out = appendEscapedText(w.out, w.scratch)
	case pieceSection:
		w.out = appendEscapedText(w.out, w.doc.sectionText(p))
	case pieceInstruction:
		target, data := splitInstruction(w.doc.src[p.lo:p.hi])
		w.out = append(w.out, '<', '?')
		w.out = append(w.out, target...)
		if data != "" {
			w.out = append(w.out, ' ')
			w.out = append(w.out, normaliseLines(data)...)
		}
		w.out = append(w.out, '?', '>')
	}
}

func (w *writer) startTag(i int32, el *element, apex bool) {
	fresh := w.declarations(el, i, apex)
	if el.verbatim && len(fresh) == 0 && (!apex || w.m.Exclusive) {
		w.source(el.lo, el.content)
		return
	}
	w.flush()
	w.out = append(w.out, '<')
	w.out = append(w.out, w.doc.name(el)...)
	for _, b := range fresh {
		w.out = append(w.out, " xmlns"...)
		if b.Prefix != "" {
			w.out = append(w.out, ':')
			w.out = append(w.out, b.Prefix...)
		}
		w.out = append(w.out, '=', '"')
		w.out = appendEscapedValue(w.out, b.URI)
		w.out = append(w.out, '"')
	}
	attributes := w.doc.attributesOf(el)
	if apex && !w.m.Exclusive {
		attributes = w.withInherited(i, attributes)
	}
	for k := range attributes {
		w.attribute(&attributes[k])
	}
	w.out = append(w.out, '>')
}

// declarations gives the namespace declarations that an element is written with, ordered by prefix (Canonical XML 1.0
// §2.2).
//
// The inclusive form considers every namespace in scope, the exclusive form those that the element or its attributes use
// visibly and those of the PrefixList (Exclusive C14N §3). Below the apex, a namespace that is only in scope can differ
// from what is already rendered only if this element declares it, so only the element's own declarations are looked at.
func (w *writer) declarations(el *element, i int32, apex bool) []Binding {
	mark := len(w.rendered)
	if w.m.Exclusive {
		w.render(Binding{w.doc.prefix(el), w.doc.uri(el.space)})
		attributes := w.doc.attributesOf(el)
		for k := range attributes {
			if a := &attributes[k]; a.prefixed > 0 {
				w.render(Binding{w.doc.attributePrefix(a), w.doc.uri(a.space)})
			}
		}
	}
	considered := w.doc.bindingsOf(el)
	switch {
	case w.m.Exclusive && len(w.m.Prefixes) == 0:
		considered = nil
	case apex:
		considered = w.doc.inScope(i)
	}
	for _, b := range considered {
		if !w.m.Exclusive || w.listed(b.Prefix) {
			w.render(b)
		}
	}
	fresh := w.rendered[mark:]
	if len(fresh) > 1 {
		slices.SortFunc(fresh, func(a, b Binding) int { return strings.Compare(a.Prefix, b.Prefix) })
	}
	return fresh
}

// render notes a declaration to be written, unless the nearest one in force says the same. That xml is bound is never
// written, and an absent default namespace equals an empty one, so xmlns="" appears only to undo another.
func (w *writer) render(b Binding) {
	if b.Prefix == "xml" {
		return
	}
	inForce := ""
	for k := len(w.rendered) - 1; k >= 0; k-- {
		if w.rendered[k].Prefix == b.Prefix {
			inForce = w.rendered[k].URI
			break
		}
	}
	if inForce != b.URI {
		w.rendered = append(w.rendered, b)
	}
}

func (w *writer) listed(prefix string) bool {
	if prefix == "" {
		prefix = "#default"
	}
	return slices.Contains(w.m.Prefixes, prefix)
}

// withInherited adds the xml: attributes of the ancestors that the apex does not have itself, nearest first (Canonical
// XML 1.0 §2.4). Version 1.0 inherits xml:id and xml:base like the others.
func (w *writer) withInherited(i int32, own []attribute) []attribute {
	all := own
	for up := w.doc.elements[i].parent; up >= 0; up = w.doc.elements[up].parent {
		for _, a := range w.doc.attributesOf(&w.doc.elements[up]) {
			known := func(b attribute) bool {
				return w.doc.uri(b.space) == XMLSpace && w.doc.attributeLocal(&b) == w.doc.attributeLocal(&a)
			}
			if w.doc.uri(a.space) == XMLSpace && !slices.ContainsFunc(all, known) {
				all = append(slices.Clip(all), a)
			}
		}
	}
	if len(all) > len(own) {
		slices.SortFunc(all, w.doc.compareAttributes)
	}
	return all
}

func (w *writer) attribute(a *attribute) {
	w.out = append(w.out, ' ')
	w.out = append(w.out, w.doc.src[a.lo:a.nameHi]...)
	w.out = append(w.out, '=', '"')
	raw := w.doc.src[a.valueLo:a.valueHi]
	switch {
	case a.canonical:
		w.out = append(w.out, raw...)
	case a.plain:
		w.out = appendEscapedValue(w.out, raw)
	default:
		w.scratch = appendDecoded(w.scratch[:0], raw, true)
		w.out = appendEscapedValue(w.out, w.scratch)
	}
	w.out = append(w.out, '"')
}

// appendEscapedText writes character data (Canonical XML 1.0 §2.3, text nodes).
func appendEscapedText[T []byte | string](out []byte, s T) []byte {
	for i := 0; i < len(s); i++ {
		switch c := s[i]; c {
		case '&':
			out = append(out, "&amp;"...)
		case '<':
			out = append(out, "&lt;"...)
		case '>':
			out = append(out, "&gt;"...)
		case '\r':
			out = append(out, "&#xD;"...)
		default:
			out = append(out, c)
		}
	}
	return out
}

// appendEscapedValue writes an attribute value (Canonical XML 1.0 §2.3, attribute nodes); namespace names are written alike.
func appendEscapedValue[T []byte | string](out []byte, s T) []byte {
	for i := 0; i < len(s); i++ {
		switch c := s[i]; c {
		case '&':
			out = append(out, "&amp;"...)
		case '<':
			out = append(out, "&lt;"...)
		case '"':
			out = append(out, "&quot;"...)
		case '\t':
			out = append(out, "&#x9;"...)
		case '\n':
			out = append(out, "&#xA;"...)
		case '\r':
			out = append(out, "&#xD;"...)
		default:
			out = append(out, c)
		}
	}
	return out
}

// EscapeValue writes a text as an attribute value in double quotes.
func EscapeValue(s string) string { return string(appendEscapedValue(nil, s)) }
