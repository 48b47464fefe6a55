package ubl

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/beevik/etree"
)

// Limits of what parse accepts. A UBL certificate nests 12 deep and has at most a dozen attributes on one element.
const (
	maxDepth      = 64
	maxAttributes = 32
)

// node is an element with its names resolved. Its name has the prefix that this package would write for the namespace,
// or {namespace} for others, so that a partner's choice of prefixes never matters.
type node struct {
	name       string
	parent     *node
	attributes []etree.Attr
	text       string
	children   []*node
	// read is set once the mapping has looked the element up; what stays unread is reported.
	read bool
}

// scope is a list of namespace declarations, the innermost first.
type scope struct {
	prefix, uri string
	outer       *scope
}

// parse reads octets into nodes. It takes UTF-8 and no document type declaration, so that no entity is ever expanded.
// Comments and processing instructions are dropped, as they are by the canonical form that is signed.
func parse(doc []byte) (*node, error) {
	tree := etree.NewDocument()
	tree.ReadSettings = etree.ReadSettings{
		CharsetReader: func(charset string, _ io.Reader) (io.Reader, error) {
			return nil, fmt.Errorf("want UTF-8, found encoding %.40q", charset)
		},
		PreserveDuplicateAttrs: true,
		MaxDepth:               maxDepth,
	}
	if err := tree.ReadFromBytes(doc); errors.Is(err, etree.ErrMaxDepth) {
		return nil, fmt.Errorf("want at most %d levels of elements, found more", maxDepth)
	} else if err != nil {
		return nil, fmt.Errorf("want well-formed XML: %w", err)
	}
	var root *etree.Element
	for _, token := range tree.Child {
		switch token := token.(type) {
		case *etree.Element:
			if root != nil {
				return nil, errors.New("want one document element, found two")
			}
			root = token
		case *etree.Directive:
			return nil, errors.New("want no document type declaration, found one")
		case *etree.CharData:
			if strings.TrimSpace(token.Data) != "" {
				return nil, errors.New("want nothing around the document element, found text")
			}
		}
	}
	if root == nil {
		return nil, errors.New("want a document element, found none")
	}
	return resolve(root, nil, &scope{prefix: "xml", uri: "http://www.w3.org/XML/1998/namespace"})
}

// resolve makes a node of e and what is below. Depth and attributes are bounded, so the work is linear in the octets.
func resolve(e *etree.Element, parent *node, outer *scope) (*node, error) {
	n := &node{parent: parent, name: e.Tag}
	if len(e.Attr) > maxAttributes {
		return nil, fmt.Errorf("%s: want at most %d attributes, found %d", n.path(), maxAttributes, len(e.Attr))
	}
	inner := outer
	for i, a := range e.Attr {
		for _, earlier := range e.Attr[:i] {
			if a.Space == earlier.Space && a.Key == earlier.Key {
				return nil, fmt.Errorf("%s: attribute %.40s given twice", n.path(), a.FullKey())
			}
		}
		switch {
		case a.Space == "" && a.Key == "xmlns":
			inner = &scope{prefix: "", uri: a.Value, outer: inner}
		case a.Space == "xmlns":
			inner = &scope{prefix: a.Key, uri: a.Value, outer: inner}
		default:
			n.attributes = append(n.attributes, a)
		}
	}
	uri, declared := inner.find(e.Space)
	if !declared && e.Space != "" {
		return nil, fmt.Errorf("%s: prefix %.40q is not declared", n.path(), e.Space)
	}
	if prefix, ours := prefixes[uri]; ours {
		n.name = prefix + e.Tag
	} else {
		n.name = "{" + uri + "}" + e.Tag
	}
	var text strings.Builder
	for _, token := range e.Child {
		switch token := token.(type) {
		case *etree.CharData:
			text.WriteString(token.Data)
		case *etree.Element:
			child, err := resolve(token, n, inner)
			if err != nil {
				return nil, err
			}
			n.children = append(n.children, child)
		}
	}
	n.text = text.String()
	return n, nil
}

func (s *scope) find(prefix string) (string, bool) {
	for ; s != nil; s = s.outer {
		if s.prefix == prefix {
			return s.uri, true
		}
	}
	return "", false
}

// path names the element from the document element on, with a position from 1 where siblings share the name.
func (n *node) path() string {
	if n.parent == nil {
		return "/" + n.name
	}
	position, same := 1, 0
	for _, sibling := range n.parent.children {
		if sibling == n {
			position = same + 1
		}
		if sibling.name == n.name {
			same++
		}
	}
	if same < 2 {
		return n.parent.path() + "/" + n.name
	}
	return fmt.Sprintf("%s/%s[%d]", n.parent.path(), n.name, position)
}

// kind is the path without positions.
func (n *node) kind() string {
	if n.parent == nil {
		return "/" + n.name
	}
	return n.parent.kind() + "/" + n.name
}

// empty reports whether the element holds nothing, which UBL 2.1 IND5 forbids and partners send all the same.
func (n *node) empty() bool { return len(n.children) == 0 && strings.TrimSpace(n.text) == "" }

// attribute is the value of the attribute without namespace, or "".
func (n *node) attribute(key string) string {
	if n == nil {
		return ""
	}
	for _, a := range n.attributes {
		if a.Space == "" && a.Key == key {
			return a.Value
		}
	}
	return ""
}
