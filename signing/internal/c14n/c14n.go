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
	w := writer{doc: d, m: m, out: make([]byte, 0, len(d.src)+len(d.src)/8), rendered: make([]Binding, 0, 8)}
	for i := int32(0); int(i) < len(d.nodes); i = d.nodes[i].next {
		if d.nodes[i].kind == kindElement {
			w.element(i, true)
			continue
		}
		if i > d.root {
			w.flush()
			w.out = append(w.out, '\n')
		}
		w.instruction(&d.nodes[i])
		if i < d.root {
			w.out = append(w.out, '\n')
		}
	}
	w.flush()
	return w.out
}

// Canonical gives the canonical form of the element in its place: the inclusive form carries the namespaces and xml:
// attributes of the element's ancestors (Canonical XML 1.0 §2.4), the exclusive form only what it uses.
func (e Element) Canonical(m Method) []byte {
	n := e.doc.nodes[e.at]
	w := writer{doc: e.doc, m: m, out: make([]byte, 0, int(n.hi-n.lo)+512), rendered: make([]Binding, 0, 8)}
	w.element(e.at, true)
	w.flush()
	return w.out
}

// writer writes one canonical form. What the source has in the form already is copied in one piece: from lo to hi are the
// octets that come next and are not in out. rendered holds the declarations written on the elements that are open,
// innermost last.
type writer struct {
	doc      *Document
	m        Method
	out      []byte
	lo, hi   int32
	rendered []Binding
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
	w.out = append(w.out, w.doc.src[w.lo:w.hi]...)
	w.lo, w.hi = 0, 0
}

func (w *writer) element(i int32, apex bool) {
	n := &w.doc.nodes[i]
	el := &w.doc.elements[n.index]
	mark := len(w.rendered)
	w.startTag(i, el, apex)

	for c := i + 1; c < n.next; c = w.doc.nodes[c].next {
		child := &w.doc.nodes[c]
		switch child.kind {
		case kindElement:
			if w.m.Drop == nil || !w.m.Drop(Element{w.doc, c}) {
				w.element(c, false)
			}
		case kindSource, kindText:
			w.text(child)
		case kindInstruction:
			w.instruction(child)
		}
	}

	w.rendered = w.rendered[:mark]
	if el.verbatimEnd {
		w.source(el.end, n.hi)
		return
	}
	w.flush()
	w.out = append(w.out, '<', '/')
	w.out = append(w.out, w.doc.name(el)...)
	w.out = append(w.out, '>')
}

func (w *writer) startTag(i int32, el *element, apex bool) {
	fresh := w.declarations(el, i, apex)
	if el.verbatim && len(fresh) == 0 && (!apex || w.m.Exclusive) {
		w.source(el.nameLo-1, el.content)
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
		w.value(b.URI, true)
	}
	attributes := w.doc.attributes[el.attrLo:el.attrHi]
	if apex && !w.m.Exclusive {
		attributes = w.withInherited(i, attributes)
	}
	for k := range attributes {
		w.out = append(w.out, ' ')
		w.out = append(w.out, attributes[k].name...)
		w.value(attributes[k].Value, attributes[k].escape)
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
		for k := el.attrLo; k < el.attrHi; k++ {
			if a := &w.doc.attributes[k]; a.prefix() != "" {
				w.render(Binding{a.prefix(), a.Space})
			}
		}
	}
	considered := w.doc.bindings[el.bindLo:el.bindHi]
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
func (w *writer) withInherited(i int32, own []Attribute) []Attribute {
	all := own
	for up := w.doc.nodes[i].parent; up >= 0; up = w.doc.nodes[up].parent {
		el := &w.doc.elements[w.doc.nodes[up].index]
		for _, a := range w.doc.attributes[el.attrLo:el.attrHi] {
			known := func(b Attribute) bool { return b.Space == XMLSpace && b.Local == a.Local }
			if a.Space == XMLSpace && !slices.ContainsFunc(all, known) {
				all = append(slices.Clip(all), a)
			}
		}
	}
	if len(all) > len(own) {
		slices.SortFunc(all, compareAttributes)
	}
	return all
}

// value writes the value of an attribute or declaration.
func (w *writer) value(value string, escape bool) {
	w.out = append(w.out, '=', '"')
	if escape {
		w.out = appendEscapedValue(w.out, value)
	} else {
		w.out = append(w.out, value...)
	}
	w.out = append(w.out, '"')
}

func (w *writer) text(n *node) {
	if n.kind == kindSource && !n.escape {
		w.source(n.lo, n.hi)
		return
	}
	w.flush()
	if text := w.doc.text(n); n.escape {
		w.out = appendEscapedText(w.out, text)
	} else {
		w.out = append(w.out, text...)
	}
}

func (w *writer) instruction(n *node) {
	w.flush()
	w.out = append(w.out, '<', '?')
	w.out = append(w.out, w.doc.text(n)...)
	w.out = append(w.out, '?', '>')
}

// appendEscapedText writes character data (Canonical XML 1.0 §2.3, text nodes).
func appendEscapedText(out []byte, s string) []byte {
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
func appendEscapedValue(out []byte, s string) []byte {
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
