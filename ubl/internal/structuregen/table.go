package main

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// prefixes are those under which the tables name elements. Main documents have none.
var prefixes = map[string]string{
	"urn:oasis:names:specification:ubl:schema:xsd:CommonAggregateComponents-2":    "cac:",
	"urn:oasis:names:specification:ubl:schema:xsd:CommonBasicComponents-2":        "cbc:",
	"urn:oasis:names:specification:ubl:schema:xsd:CommonExtensionComponents-2":    "ext:",
	"urn:oasis:names:specification:ubl:schema:xsd:CommonSignatureComponents-2":    "sig:",
	"urn:oasis:names:specification:ubl:schema:xsd:SignatureAggregateComponents-2": "sac:",
	"urn:oasis:names:specification:ubl:schema:xsd:SignatureBasicComponents-2":     "sbc:",
	"http://www.w3.org/2000/09/xmldsig#":                                          "ds:",
}

func (n name) String() string { return prefixes[n.space] + n.local }

// signature is what the signature extension holds; it is reached through an open content, not from a main document.
var signature = name{"urn:oasis:names:specification:ubl:schema:xsd:CommonSignatureComponents-2", "UBLDocumentSignatures"}

// walk collects what the roots reach.
type walk struct {
	set        *set
	aggregates map[string]string   // name of a type -> its children
	values     map[string]string   // value with attributes -> its number
	lists      map[string][]string // code lists by name
	elements   map[string]string   // element -> its type
	err        error
}

// table writes the tables of the version.
func (s *set) table(version string) (string, error) {
	w := &walk{set: s, aggregates: map[string]string{}, values: map[string]string{}, lists: map[string][]string{}, elements: map[string]string{}}
	roots := slices.Clone(s.roots)
	slices.SortFunc(roots, func(a, b name) int { return cmp.Compare(a.local, b.local) })
	if _, ok := s.elements[signature]; ok {
		roots = append(roots, signature)
	}
	for _, root := range roots {
		w.element(root)
	}
	if w.err != nil {
		return "", w.err
	}
	var out strings.Builder
	fmt.Fprintf(&out, "# UBL %s as its schemas have it, made by go generate\n", version)
	byNumber := map[string]string{}
	for signature, number := range w.values {
		byNumber[number] = signature
	}
	for i := range len(w.values) {
		number := fmt.Sprintf("v%d", i+1)
		fmt.Fprintf(&out, "value %s %s\n", number, byNumber[number])
	}
	for _, list := range slices.Sorted(maps.Keys(w.lists)) {
		fmt.Fprintf(&out, "list %s %s\n", list, strings.Join(w.lists[list], " "))
	}
	for _, aggregate := range slices.Sorted(maps.Keys(w.aggregates)) {
		fmt.Fprintf(&out, "aggregate %s%s\n", aggregate, w.aggregates[aggregate])
	}
	of := map[string][]string{}
	for _, e := range slices.Sorted(maps.Keys(w.elements)) {
		of[w.elements[e]] = append(of[w.elements[e]], e)
	}
	for _, kind := range slices.Sorted(maps.Keys(of)) {
		fmt.Fprintf(&out, "element %s %s\n", kind, strings.Join(of[kind], " "))
	}
	return out.String(), nil
}

// element records the element and what is below it.
func (w *walk) element(n name) {
	if _, done := w.elements[n.String()]; done || w.err != nil {
		return
	}
	if n.space == "http://www.w3.org/2000/09/xmldsig#" {
		w.elements[n.String()] = "any"
		return
	}
	kind, ok := w.set.elements[n]
	if !ok {
		w.err = fmt.Errorf("element %s is not declared", n)
		return
	}
	t, ok := w.set.complex[kind]
	if !ok {
		w.err = fmt.Errorf("type %s of element %s is not declared", kind, n)
		return
	}
	switch {
	case t.Content != nil:
		w.elements[n.String()] = w.value(kind)
	case t.Sequence != nil && t.Sequence.Any != nil:
		w.elements[n.String()] = "any"
		if t.Sequence.Any.Process == "lax" {
			w.elements[n.String()] = "lax"
		}
	case t.Sequence != nil:
		w.elements[n.String()] = kind.String()
		w.aggregate(kind, t)
	default:
		w.err = fmt.Errorf("type %s: neither a sequence nor simple content", kind)
	}
}

func (w *walk) aggregate(kind name, t complexType) {
	if _, done := w.aggregates[kind.String()]; done {
		return
	}
	f := w.set.files[kind]
	var children strings.Builder
	var below []name
	for _, e := range t.Sequence.Elements {
		child := f.resolve(cmp.Or(e.Ref, e.Name))
		if e.Ref == "" {
			child = name{f.namespace, e.Name}
			w.set.elements[child] = f.resolve(e.Type)
		}
		fmt.Fprintf(&children, " %s%s", child, occurs(e))
		below = append(below, child)
	}
	w.aggregates[kind.String()] = children.String()
	for _, child := range below {
		w.element(child)
	}
}

// occurs is the sign of a cardinality: none for 1, ? for 0..1, + for 1..n, * for 0..n.
func occurs(e element) string {
	switch many := e.Max == "unbounded"; {
	case e.Min == "0" && many:
		return "*"
	case e.Min == "0":
		return "?"
	case many:
		return "+"
	}
	return ""
}

// value names the type of an element that holds text.
func (w *walk) value(kind name) string {
	primitive, attributes := w.flatten(kind)
	signature := primitive
	for _, attribute := range slices.Sorted(maps.Keys(attributes)) {
		signature += " " + attribute + ":" + attributes[attribute]
	}
	if w.values[signature] == "" {
		w.values[signature] = fmt.Sprintf("v%d", len(w.values)+1)
	}
	return w.values[signature]
}

// flatten follows a type to what its text is, and collects its attributes.
func (w *walk) flatten(kind name) (primitive string, attributes map[string]string) {
	if kind.space == nsSchema {
		return kind.local, map[string]string{}
	}
	if t, ok := w.set.simple[kind]; ok {
		return w.list(kind, t), map[string]string{}
	}
	t, ok := w.set.complex[kind]
	if !ok || t.Content == nil {
		w.err = fmt.Errorf("type %s has no simple content", kind)
		return "", nil
	}
	derived := cmp.Or(t.Content.Extension, t.Content.Restriction)
	f := w.set.files[kind]
	primitive, attributes = w.flatten(f.resolve(derived.Base))
	if w.err != nil {
		return "", nil
	}
	for _, a := range derived.Attributes {
		kind, _ := w.flatten(f.resolve(a.Type))
		if a.Use == "required" {
			kind += "!"
		}
		if delete(attributes, a.Name); a.Use != "prohibited" {
			attributes[a.Name] = kind
		}
	}
	return primitive, attributes
}

// list is the name of a code list, or of what a simple type without values is.
func (w *walk) list(kind name, t simpleType) string {
	if len(t.Restriction.Enums) == 0 {
		primitive, _ := w.flatten(w.set.files[kind].resolve(t.Restriction.Base))
		return primitive
	}
	list := strings.TrimSuffix(kind.local, "ContentType")
	if w.lists[list] == nil {
		for _, e := range t.Restriction.Enums {
			w.lists[list] = append(w.lists[list], e.Value)
		}
	}
	return list
}
