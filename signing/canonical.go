package signing

import (
	"encoding/xml"
	"fmt"
	"slices"
	"strings"

	"github.com/ecogate/ecogate/signing/internal/c14n"
)

// CanonicalOptions say which canonical form of what is wanted. The zero value is what [Canonicalize] gives.
type CanonicalOptions struct {
	// Exclusive selects Exclusive XML Canonicalization 1.0 in place of Canonical XML 1.0, both without comments.
	Exclusive bool
	// Prefixes is the PrefixList of the exclusive form (Exclusive C14N §3); "#default" stands for the default namespace.
	// The inclusive form passes it over.
	Prefixes []string
	// ID selects the only element with this identifier, in its place: the inclusive form carries the namespaces and xml:
	// attributes of its ancestors (Canonical XML 1.0 §2.4). "" selects the whole document.
	//
	// Without a schema nobody knows which attributes are identifiers. Those looked at are Id, ID and id without namespace,
	// xml:id, and Id of WS-Security.
	ID string
}

// CanonicalizeWith reads a document as [Canonicalize] does and gives the canonical form that the options describe. The
// error is an [*Error] of kind [ErrMalformed] with the place and the rule.
func CanonicalizeWith(doc []byte, o CanonicalOptions) ([]byte, error) {
	read, err := parse(doc)
	if err != nil {
		return nil, err
	}
	method := c14n.Method{Exclusive: o.Exclusive, Prefixes: o.Prefixes}
	if o.ID == "" {
		return read.Canonical(method), nil
	}
	e, wrong := only(read, func(e c14n.Element) bool { return hasIdentifier(e, o.ID) })
	if wrong != nil {
		wrong.Rule, wrong.Reason = "identifier", fmt.Sprintf("expected one element with the identifier %q, found %s", o.ID, wrong.Reason)
		return nil, wrong
	}
	return e.Canonical(method), nil
}

const securityUtilitySpace = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-utility-1.0.xsd"

// identifiers are the attributes that CanonicalOptions.ID looks at.
var identifiers = []xml.Name{
	{Local: "Id"}, {Local: "ID"}, {Local: "id"}, {Space: c14n.XMLSpace, Local: "id"}, {Space: securityUtilitySpace, Local: "Id"},
}

func hasIdentifier(e c14n.Element, id string) bool {
	return slices.ContainsFunc(identifiers, func(name xml.Name) bool {
		value, found := e.Attribute(name.Space, name.Local)
		return found && value == id
	})
}

// Place gives the names from the root element to the only element at a path, as [SignDocument] wants them. The path is
// written as "/Invoice/ext:UBLExtensions": each step is an element's name as the document writes it, or its local name
// alone, which stands for any prefix. "" is the root element. The error is an [*Error] of kind [ErrMalformed] with the place
// and the rule.
func Place(doc []byte, path string) ([]xml.Name, error) {
	read, err := parse(doc)
	if err != nil {
		return nil, err
	}
	e := read.Root()
	if path != "" {
		steps := strings.Split(strings.TrimPrefix(path, "/"), "/")
		var wrong *Error
		if e, wrong = only(read, func(e c14n.Element) bool { return isWrittenAt(e, steps) }); wrong != nil {
			wrong.Rule, wrong.Reason = "path", fmt.Sprintf("expected one element at %q, found %s", path, wrong.Reason)
			return nil, wrong
		}
	}
	return pathTo(e), nil
}

// isWrittenAt tells whether the steps lead from the root to the element.
func isWrittenAt(e c14n.Element, steps []string) bool {
	return climbs(e, steps, func(e c14n.Element, step string) bool { return step == e.Name() || step == expandedName(e).Local })
}

// climbs tells whether the element and those above it, up to the root, are the ones of a path that begins there.
func climbs[Step any](e c14n.Element, path []Step, is func(c14n.Element, Step) bool) bool {
	for i := len(path) - 1; i >= 0; i-- {
		if !is(e, path[i]) {
			return false
		}
		parent, below := e.Parent()
		if !below {
			return i == 0
		}
		e = parent
	}
	return false
}

// pathTo gives the names from the root to an element.
func pathTo(e c14n.Element) []xml.Name {
	path := []xml.Name{expandedName(e)}
	for parent, below := e.Parent(); below; parent, below = parent.Parent() {
		path = append(path, expandedName(parent))
	}
	slices.Reverse(path)
	return path
}

func expandedName(e c14n.Element) xml.Name {
	prefix, local, found := strings.Cut(e.Name(), ":")
	switch {
	case !found:
		return xml.Name{Space: e.Namespace(""), Local: e.Name()}
	case prefix == "xml": // bound without a declaration
		return xml.Name{Space: c14n.XMLSpace, Local: local}
	}
	return xml.Name{Space: e.Namespace(prefix), Local: local}
}

// maxPlaces is how many places an error names.
const maxPlaces = 8

// only gives the only element that is wanted. Otherwise its error has a place and, as its Reason, how many there are and
// where; the caller says what was wanted.
func only(doc *c14n.Document, wanted func(c14n.Element) bool) (c14n.Element, *Error) {
	var found c14n.Element
	count, places := 0, ""
	wrong := &Error{Kind: ErrMalformed, Reason: "none"}
	wrong.Line, wrong.Column = doc.Root().Position()
	for e := range doc.Root().Descendants() {
		if !wanted(e) {
			continue
		}
		line, column := e.Position()
		switch count++; {
		case count == 1:
			found = e
			places = fmt.Sprintf("%d:%d", line, column)
		case count <= maxPlaces:
			places += fmt.Sprintf(", %d:%d", line, column)
		}
		if count == 2 { // the one that is too many
			wrong.Line, wrong.Column = line, column
		}
	}
	if count == 1 {
		return found, nil
	}
	if count > maxPlaces {
		places += " and more"
	}
	if count > 0 {
		wrong.Reason = fmt.Sprintf("%d, at %s", count, places)
	}
	return found, wrong
}

// rules says which rule stands behind what the reader expected, by how the expectation begins; the first that fits counts.
// What XML allows and we do not has a rule of our own, in words.
var rules = []struct{ expected, rule string }{
	{"at most ", "limit"},
	{"no document type declaration", "no document type"},
	{"encoding UTF-8", "UTF-8 only"},
	{"UTF-8", "UTF-8 only"},
	{"an absolute namespace name", "Canonical XML 1.0 §1.3"},

	{"a declared prefix", "Namespaces in XML 1.0 §5"},
	{"a prefix bound to a namespace name that is not empty", "Namespaces in XML 1.0 §5"},
	{"each attribute once on an element", "Namespaces in XML 1.0 §6.3"},
	{"no declaration of the prefix xmlns", "Namespaces in XML 1.0 §3"},
	{"no prefix bound to the namespace of xmlns", "Namespaces in XML 1.0 §3"},
	{"the prefix xml and its own namespace", "Namespaces in XML 1.0 §3"},

	{"a root element", "XML 1.0 §2.1"},
	{"nothing after the root element", "XML 1.0 §2.1"},
	{"no text outside the root element", "XML 1.0 §2.1"},
	{"no CDATA section outside the root element", "XML 1.0 §2.1"},
	{"no end tag outside the root element", "XML 1.0 §2.1"},
	{"a character that XML allows", "XML 1.0 §2.2"},
	{"an attribute value", "XML 1.0 §2.3"},
	{`no "]]>" in text`, "XML 1.0 §2.4"},
	{`"--`, "XML 1.0 §2.5"},
	{`"?>" after "<?"`, "XML 1.0 §2.6"},
	{"a processing instruction with a target", "XML 1.0 §2.6"},
	{`white space or "?>" after the target`, "Namespaces in XML 1.0 §7"},
	{`"]]>" after "<![CDATA["`, "XML 1.0 §2.7"},
	{`"?>"`, "XML 1.0 §2.8"},
	{"an XML declaration only at the beginning", "XML 1.0 §2.8"},
	{"no references in the XML declaration", "XML 1.0 §2.8"},
	{"version", "XML 1.0 §2.8"},
	{"standalone", "XML 1.0 §2.8"},
	{"the end tag of ", "XML 1.0 §3"},
	{"</", "XML 1.0 §3"},
	{"an element name with at most one colon", "Namespaces in XML 1.0 §4"},
	{`an attribute name, ">" or "/>" with at most one colon`, "Namespaces in XML 1.0 §4"},
	{"an element name", "XML 1.0 §3.1"},
	{"an attribute name", "XML 1.0 §3.1"},
	{`white space, ">" or "/>"`, "XML 1.0 §3.1"},
	{"white space", "XML 1.0 §2.8"},
	{`">"`, "XML 1.0 §3.1"},
	{`"="`, "XML 1.0 §3.1"},
	{`"&lt;" in an attribute value`, "XML 1.0 §3.1"},
	{"each prefix declared once on an element", "XML 1.0 §3.1"},
	{"a character reference", "XML 1.0 §4.1"},
	{"a reference to a character", "XML 1.0 §4.1"},
}

// rule names the rule behind an expectation of the reader.
func rule(expected string) string {
	for _, r := range rules {
		if strings.HasPrefix(expected, r.expected) {
			return r.rule
		}
	}
	return "XML 1.0"
}
