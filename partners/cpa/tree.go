package cpa

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/ecogate/ecogate/signing"
)

// Limits of what Read accepts. The largest CPAs that are published have two hundred elements and a dozen credentials; a thousand
// actions take 30,000.
const (
	maxBytes    = 4 << 20
	maxElements = 40_000
	maxDepth    = 24
)

// Namespaces of a CPA.
const (
	space      = "http://www.oasis-open.org/committees/ebxml-cppa/schema/cpp-cpa-2_0.xsd"
	spaceXLink = "http://www.w3.org/1999/xlink"
	spaceDS    = "http://www.w3.org/2000/09/xmldsig#"
	spaceXSI   = "http://www.w3.org/2001/XMLSchema-instance"
	spaceXML   = "http://www.w3.org/XML/1998/namespace"
)

// xmlSpace is the white space of XML 1.0 §2.3.
const xmlSpace = " \t\r\n"

// node is an element with its names resolved: that of an element of CPPA is its local name, "ds:" goes before one of XML Signature
// and "{namespace}" before any other. Comments and processing instructions are left out, so that none can end a text.
type node struct {
	name       string
	parent     *node
	attributes map[string]string // by names likewise, "xlink:" before those of XLink
	order      []string          // of the attributes, for errors in the order of the document
	text       string            // without white space around it
	content    []byte            // text as far as it was read
	children   []*node
	position   int // among siblings of its name, from 1; 0 if it is the only one
	line       int // in the document; 0 if it is not known
}

// child is the first child with that name, or nil. A nil node has none.
func (n *node) child(name string) *node {
	if n == nil {
		return nil
	}
	for _, c := range n.children {
		if c.name == name {
			return c
		}
	}
	return nil
}

// all are the children with that name.
func (n *node) all(name string) []*node {
	var out []*node
	if n != nil {
		for _, c := range n.children {
			if c.name == name {
				out = append(out, c)
			}
		}
	}
	return out
}

// at follows children down, the first of each name, and gives nil where there is none.
func (n *node) at(names ...string) *node {
	for _, name := range names {
		n = n.child(name)
	}
	return n
}

// attribute is "" for a nil node and for an attribute that is not there: none that CPPA knows may be empty where it matters.
func (n *node) attribute(name string) string {
	if n == nil {
		return ""
	}
	return n.attributes[name]
}

// value is the text of a node, "" of nil.
func (n *node) value() string {
	if n == nil {
		return ""
	}
	return n.text
}

// up is the nearest node with that name from n upwards.
func (n *node) up(name string) *node {
	for n != nil && n.name != name {
		n = n.parent
	}
	return n
}

// each visits a node and all that is in it.
func (n *node) each(visit func(*node)) {
	visit(n)
	for _, c := range n.children {
		c.each(visit)
	}
}

// path writes where a node stands: /CollaborationProtocolAgreement/PartyInfo[2]/Transport. A position is given where there are
// several of the name.
func (n *node) path() string {
	if n.parent == nil {
		return "/" + n.name
	}
	step := "/" + n.name
	if n.position > 0 {
		step += "[" + strconv.Itoa(n.position) + "]"
	}
	return n.parent.path() + step
}

// place gives children of one name their positions.
func (n *node) place() {
	count := map[string]int{}
	for _, c := range n.children {
		count[c.name]++
	}
	at := map[string]int{}
	for _, c := range n.children {
		if count[c.name] > 1 {
			at[c.name]++
			c.position = at[c.name]
		}
	}
}

// Error says what is wrong with a CPA that cannot be used at all, and where.
type Error struct {
	// Path is the place, as in Finding; "" if the document is not one that could be read as far as that.
	Path string
	// Line and Column are counted from 1; 0 if they are not known.
	Line, Column int
	// Text says what was expected and what was found.
	Text string
}

// Error gives place and text.
func (e *Error) Error() string {
	place := ""
	if e.Line > 0 {
		place = "line " + strconv.Itoa(e.Line) + ": "
	}
	if e.Path != "" {
		place += e.Path + ": "
	}
	return place + e.Text
}

// fault is an Error about a node, or about its attribute if one is named.
func (n *node) fault(attribute, format string, args ...any) *Error {
	e := &Error{Path: n.path(), Line: n.line, Text: fmt.Sprintf(format, args...)}
	if attribute != "" {
		e.Path += "/@" + attribute
	}
	return e
}

// canonical reads a document strictly: UTF-8, without document type declaration, within limits. What is used afterwards is read from
// the octets that it gives.
func canonical(doc []byte) ([]byte, error) {
	if len(doc) > maxBytes {
		return nil, &Error{Text: fmt.Sprintf("want at most %d bytes, found %d", maxBytes, len(doc))}
	}
	octets, err := signing.Canonicalize(doc)
	var wrong *signing.Error
	if errors.As(err, &wrong) {
		return nil, &Error{Line: wrong.Line, Column: wrong.Column, Text: wrong.Reason}
	}
	return octets, err
}

// parse makes nodes of octets in canonical form.
func parse(octets []byte) (*node, error) {
	decoder := xml.NewDecoder(bytes.NewReader(octets))
	var root, open *node
	count, depth := 0, 0
	for {
		token, err := decoder.Token()
		if err == io.EOF {
			return root, nil
		}
		if err != nil {
			return nil, &Error{Text: "want XML: " + err.Error()}
		}
		switch t := token.(type) {
		case xml.StartElement:
			n := newNode(t, open)
			switch count, depth = count+1, depth+1; {
			case count > maxElements:
				return nil, n.fault("", "want at most %d elements", maxElements)
			case depth > maxDepth:
				return nil, n.fault("", "want at most %d elements inside each other", maxDepth)
			}
			if open == nil {
				root = n
			} else {
				open.children = append(open.children, n)
			}
			open = n
		case xml.EndElement:
			open.text, open.content = strings.Trim(string(open.content), xmlSpace), nil
			open.place()
			open, depth = open.parent, depth-1
		case xml.CharData:
			if open != nil {
				open.content = append(open.content, t...)
			}
		}
	}
}

func newNode(t xml.StartElement, parent *node) *node {
	n := &node{name: expanded(t.Name), parent: parent, attributes: map[string]string{}}
	for _, a := range t.Attr {
		if a.Name.Space == "xmlns" || a.Name == (xml.Name{Local: "xmlns"}) {
			continue
		}
		name := expanded(a.Name)
		if a.Name.Space == "" {
			name = "{}" + a.Name.Local // CPPA qualifies its attributes
		}
		n.attributes[name] = a.Value
		n.order = append(n.order, name)
	}
	return n
}

// expanded writes a name as in node.
func expanded(name xml.Name) string {
	switch name.Space {
	case space:
		return name.Local
	case spaceDS:
		return "ds:" + name.Local
	case spaceXLink:
		return "xlink:" + name.Local
	case spaceXSI:
		return "xsi:" + name.Local
	case spaceXML, "xml":
		return "xml:" + name.Local
	}
	return "{" + name.Space + "}" + name.Local
}

// number gives nodes the lines that their start tags have in the document itself. They are for people alone, so that nothing is lost if
// the second reading differs.
func number(root *node, doc []byte) {
	var list []*node
	root.each(func(n *node) { list = append(list, n) })
	decoder := xml.NewDecoder(bytes.NewReader(doc))
	for i := 0; i < len(list); {
		line, _ := decoder.InputPos()
		token, err := decoder.RawToken()
		if err != nil {
			return
		}
		if start, ok := token.(xml.StartElement); ok {
			if !strings.HasSuffix(list[i].name, start.Name.Local) {
				return
			}
			list[i].line = line
			i++
		}
	}
}
