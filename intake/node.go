package intake

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"
)

// Bounds of foreign JSON. No certificate comes near them.
const (
	maxDepth    = 16
	maxNodes    = 200_000
	maxName     = 100 // octets of a member's name
	maxUnplaced = 10_000
)

// node is a value of a JSON document that remembers whether somebody has used it, so that what nobody used can be told.
type node struct {
	parent *node
	// key is ".name" in an object and "[3]" in an array.
	key string
	// value is a string, json.Number, bool or nil of a value that stands alone.
	value any
	// names are the members of an object in their order; members and elements are nil for values that stand alone.
	names    []string
	members  map[string]*node
	elements []*node
	// used is set when the value found its place, or when a member of it was asked for.
	used bool
	// rest is what of a used value found no place, and why.
	rest, why string
}

// parseJSON reads a document strictly: UTF-8, no member twice, nothing after it. The error is an *Error.
func parseJSON(data []byte) (*node, error) {
	if !utf8.Valid(data) {
		return nil, refuse("", "want UTF-8 text")
	}
	p := &parser{decoder: json.NewDecoder(bytes.NewReader(data))}
	p.decoder.UseNumber()
	root, err := p.value(nil, "", 0)
	if err == nil {
		if _, end := p.decoder.Token(); !errors.Is(end, io.EOF) {
			err = refuse("", "more data after the JSON value, which ends at octet %d", p.decoder.InputOffset())
		}
	}
	var wrong *Error
	if err != nil && !errors.As(err, &wrong) {
		return nil, refuse("", "JSON after octet %d: %v", p.decoder.InputOffset(), err)
	}
	if err != nil {
		return nil, err
	}
	return root, nil
}

type parser struct {
	decoder *json.Decoder
	nodes   int
}

func (p *parser) value(parent *node, key string, depth int) (*node, error) {
	n := &node{parent: parent, key: key}
	if p.nodes++; p.nodes > maxNodes || depth > maxDepth {
		return nil, refuse(limited(n.path()), "want at most %d values and %d levels", maxNodes, maxDepth)
	}
	token, err := p.decoder.Token()
	if err != nil {
		return nil, err
	}
	switch token {
	case json.Delim('{'):
		return n, p.object(n, depth)
	case json.Delim('['):
		n.elements = []*node{}
		for p.decoder.More() {
			element, err := p.value(n, fmt.Sprintf("[%d]", len(n.elements)), depth+1)
			if err != nil {
				return nil, err
			}
			n.elements = append(n.elements, element)
		}
		_, err := p.decoder.Token()
		return n, err
	}
	n.value = token
	return n, nil
}

func (p *parser) object(n *node, depth int) error {
	n.members = map[string]*node{}
	for p.decoder.More() {
		token, err := p.decoder.Token()
		if err != nil {
			return err
		}
		name, _ := token.(string) // the decoder takes nothing else for a name
		if len(name) > maxName {
			return refuse(n.path(), "want names of at most %d octets, found %q", maxName, limited(name))
		}
		if n.members[name] != nil {
			return refuse((&node{parent: n, key: "." + name}).path(), "given twice")
		}
		member, err := p.value(n, "."+name, depth+1)
		if err != nil {
			return err
		}
		n.names = append(n.names, name)
		n.members[name] = member
	}
	_, err := p.decoder.Token()
	return err
}

// path is the node's place. It is made when it is asked for: a document may have many nodes and long names.
func (n *node) path() string {
	var keys []string
	for ; n != nil; n = n.parent {
		keys = append(keys, n.key)
	}
	slices.Reverse(keys)
	return strings.TrimPrefix(strings.Join(keys, ""), ".")
}

// get is the member at the end of a path of names; nil if there is none, or a null.
func (n *node) get(names ...string) *node {
	for _, name := range names {
		if n == nil {
			return nil
		}
		if n.members != nil {
			n.used = true
		}
		n = n.members[name]
	}
	if n != nil && n.members == nil && n.elements == nil && n.value == nil {
		n.used = true // null counts as absent
		return nil
	}
	return n
}

// kind names what the node is, for messages.
func (n *node) kind() string {
	switch {
	case n.members != nil:
		return "an object"
	case n.elements != nil:
		return "an array"
	}
	return limited(n.text())
}

// text is the value as text; JSON for what is no string.
func (n *node) text() string {
	if s, ok := n.value.(string); ok {
		return s
	}
	text, err := json.Marshal(n.value)
	if err != nil {
		return fmt.Sprint(n.value)
	}
	return string(text)
}

// plainText is the value of a text.
func (n *node) plainText() (string, bool) {
	if n == nil {
		return "", false
	}
	text, ok := n.value.(string)
	return text, ok
}

// leftovers appends what of n and below nobody used, in the order of the document.
// At the bound it stops.
func (n *node) leftovers(out []Field) []Field {
	switch {
	case len(out) > maxUnplaced:
	case n.members != nil:
		if len(n.names) == 0 && !n.used {
			out = append(out, Field{Path: n.path(), Value: "{}"})
		}
		for _, name := range n.names {
			out = n.members[name].leftovers(out)
		}
	case n.elements != nil:
		if len(n.elements) == 0 && !n.used {
			out = append(out, Field{Path: n.path(), Value: "[]"})
		}
		for _, element := range n.elements {
			out = element.leftovers(out)
		}
	case !n.used:
		out = append(out, Field{Path: n.path(), Value: n.text(), Why: n.why})
	case n.rest != "":
		out = append(out, Field{Path: n.path(), Value: n.rest, Why: n.why})
	}
	return out
}
