package announcement

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strings"
)

// Namespace is that of both documents.
const Namespace = "urn:ecogate:credentials:1"

// maxDepth bounds how deep elements lie in one another.
const maxDepth = 8

// node is an element that has either text or children.
type node struct {
	name       xml.Name
	attributes map[string]string
	text       string
	children   []*node
	read       []byte // of text
}

// readTree reads a canonical document, which has neither comments nor document type.
func readTree(octets []byte) (*node, error) {
	d := xml.NewDecoder(bytes.NewReader(octets))
	root := &node{}
	stack := []*node{root}
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrDocument, err)
		}
		top := stack[len(stack)-1]
		switch t := token.(type) {
		case xml.StartElement:
			e := &node{name: t.Name, attributes: map[string]string{}}
			for _, a := range t.Attr {
				if a.Name.Space != "xmlns" && a.Name != (xml.Name{Local: "xmlns"}) {
					e.attributes[strings.TrimLeft(a.Name.Space+" "+a.Name.Local, " ")] = a.Value
				}
			}
			if len(stack) > maxDepth {
				return nil, fmt.Errorf("%w: elements are more than %d deep", ErrDocument, maxDepth)
			}
			top.children = append(top.children, e)
			stack = append(stack, e)
		case xml.EndElement:
			top.text, top.read = string(top.read), nil
			stack = stack[:len(stack)-1]
		case xml.CharData:
			top.read = append(top.read, t...) // a text that many elements interrupt must not be copied for each
		default:
			return nil, fmt.Errorf("%w: it has a processing instruction or a comment", ErrDocument)
		}
	}
	if len(root.children) != 1 {
		return nil, fmt.Errorf("%w: no root element", ErrDocument)
	}
	return root.children[0], nil
}

// reader takes the children of an element one after another, and remembers the first thing that is wrong.
type reader struct {
	at   string
	rest []*node
	err  *error
}

func (r *reader) fail(format string, args ...any) {
	if *r.err == nil {
		*r.err = fmt.Errorf("%w: %s: %s", ErrDocument, r.at, fmt.Sprintf(format, args...))
	}
}

// open begins to read an element that has child elements only, and these attributes only.
func open(e *node, err *error, attributes ...string) *reader {
	r := &reader{at: e.name.Local, rest: e.children, err: err}
	if strings.TrimSpace(e.text) != "" {
		r.fail("text between its elements")
	}
	checkAttributes(r, e, attributes)
	return r
}

func checkAttributes(r *reader, e *node, attributes []string) {
	allowed := 0
	for _, name := range attributes {
		if _, found := e.attributes[name]; found {
			allowed++
		}
	}
	if len(e.attributes) > allowed {
		r.fail("an attribute of %s that is not known", e.name.Local)
	}
}

// next gives the next child if it has that name.
func (r *reader) next(local string) (*node, bool) {
	if *r.err != nil || len(r.rest) == 0 || r.rest[0].name != (xml.Name{Space: Namespace, Local: local}) {
		return nil, false
	}
	e := r.rest[0]
	r.rest = r.rest[1:]
	return e, true
}

// take gives the next child, which must have that name.
func (r *reader) take(local string) *node {
	e, found := r.next(local)
	if !found {
		if len(r.rest) > 0 {
			r.fail("%s stands where %s is expected", r.rest[0].name.Local, local)
		} else {
			r.fail("ends where %s is expected", local)
		}
		return &node{}
	}
	return e
}

// leaf gives the text of an element that has nothing but text, and these attributes.
func (r *reader) leaf(e *node, attributes ...string) string {
	if len(e.children) > 0 {
		r.fail("%s has child elements", e.name.Local)
	}
	checkAttributes(r, e, attributes)
	return strings.TrimSpace(e.text)
}

// end says that no child may follow.
func (r *reader) end() {
	if len(r.rest) > 0 {
		r.fail("%s is not expected", r.rest[0].name.Local)
	}
}

// writer writes elements with text.
type writer struct{ strings.Builder }

func (w *writer) leaf(local, text string) {
	w.WriteString("<" + local + ">" + escaped(text) + "</" + local + ">")
}

func escaped(text string) string {
	var b strings.Builder
	_ = xml.EscapeText(&b, []byte(text))
	return b.String()
}
