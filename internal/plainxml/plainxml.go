// Package plainxml reads and writes the small XML documents of ecogate's own namespaces: elements that have either text or children, in a
// fixed order. What a format does not name is an error. It knows no format; package signing reads the XML before it, within limits.
package plainxml

import (
	"bytes"
	"crypto/x509"
	"encoding/base64"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
)

// MaxDepth bounds how deep elements lie in one another.
const MaxDepth = 8

// Node is an element that has either text or children.
type Node struct {
	Name xml.Name
	// Attributes are those that declare no namespace, by their local names; one with a prefix has its namespace and a space before it.
	Attributes map[string]string
	Text       string
	Children   []*Node
	read       []byte // of Text
}

// Read reads a document in canonical form, which has neither comments nor a document type, and gives its root element.
func Read(canonical []byte) (*Node, error) {
	d := xml.NewDecoder(bytes.NewReader(canonical))
	root := &Node{}
	stack := []*Node{root}
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, err
		}
		top := stack[len(stack)-1]
		switch t := token.(type) {
		case xml.StartElement:
			if len(stack) > MaxDepth {
				return nil, fmt.Errorf("elements are more than %d deep", MaxDepth)
			}
			e := begun(t)
			top.Children = append(top.Children, e)
			stack = append(stack, e)
		case xml.EndElement:
			top.Text, top.read = string(top.read), nil
			stack = stack[:len(stack)-1]
		case xml.CharData:
			top.read = append(top.read, t...) // a text that many elements interrupt must not be copied for each
		default:
			return nil, errors.New("it has a processing instruction or a comment")
		}
	}
	if len(root.Children) != 1 {
		return nil, errors.New("it has no root element")
	}
	return root.Children[0], nil
}

func begun(t xml.StartElement) *Node {
	e := &Node{Name: t.Name, Attributes: map[string]string{}}
	for _, a := range t.Attr {
		if a.Name.Space != "xmlns" && a.Name != (xml.Name{Local: "xmlns"}) {
			e.Attributes[strings.TrimLeft(a.Name.Space+" "+a.Name.Local, " ")] = a.Value
		}
	}
	return e
}

// Reader takes the children of an element one after another, and remembers the first thing that is wrong.
type Reader struct {
	at   *Node
	rest []*Node
	err  *error
}

// Open begins to read an element that has child elements only, and these attributes only. The first error goes to err; readers of one
// document share it.
func Open(e *Node, err *error, attributes ...string) *Reader {
	r := &Reader{at: e, rest: e.Children, err: err}
	if strings.TrimSpace(e.Text) != "" {
		r.Fail("text between its elements")
	}
	r.checkAttributes(e, attributes)
	return r
}

// Open begins to read a child in the same way.
func (r *Reader) Open(e *Node) *Reader { return Open(e, r.err) }

func (r *Reader) checkAttributes(e *Node, attributes []string) {
	allowed := 0
	for _, name := range attributes {
		if _, found := e.Attributes[name]; found {
			allowed++
		}
	}
	if len(e.Attributes) > allowed {
		r.Fail("an attribute of %s that is not known", e.Name.Local)
	}
}

// Fail reports something that is wrong with the element.
func (r *Reader) Fail(format string, args ...any) {
	if *r.err == nil {
		*r.err = fmt.Errorf("%s: %s", r.at.Name.Local, fmt.Sprintf(format, args...))
	}
}

// Next gives the next child if it has that name, in the namespace of its parent.
func (r *Reader) Next(local string) (*Node, bool) {
	if *r.err != nil || len(r.rest) == 0 || r.rest[0].Name != (xml.Name{Space: r.at.Name.Space, Local: local}) {
		return nil, false
	}
	e := r.rest[0]
	r.rest = r.rest[1:]
	return e, true
}

// Take gives the next child, which must have that name.
func (r *Reader) Take(local string) *Node {
	e, found := r.Next(local)
	switch {
	case found:
		return e
	case len(r.rest) > 0:
		r.Fail("%s stands where %s is expected", r.rest[0].Name.Local, local)
	default:
		r.Fail("ends where %s is expected", local)
	}
	return &Node{}
}

// Leaf gives the text of an element that has nothing but text and these attributes, without the space around it.
func (r *Reader) Leaf(e *Node, attributes ...string) string {
	if len(e.Children) > 0 {
		r.Fail("%s has child elements", e.Name.Local)
	}
	r.checkAttributes(e, attributes)
	return strings.TrimSpace(e.Text)
}

// X509Chain reads the next children named X509Certificate, at most that many: X.509 certificates in base64.
func (r *Reader) X509Chain(most int) (chain []*x509.Certificate) {
	for e, found := r.Next("X509Certificate"); found; e, found = r.Next("X509Certificate") {
		der, err := base64.StdEncoding.DecodeString(r.Leaf(e))
		if err != nil {
			r.Fail("X509Certificate %d is not base64: %v", len(chain)+1, err)
			return chain
		}
		x509Cert, err := x509.ParseCertificate(der)
		if err != nil {
			r.Fail("X509Certificate %d: %v", len(chain)+1, err)
			return chain
		}
		if len(chain) == most {
			r.Fail("more than %d X.509 certificates", most)
			return chain
		}
		chain = append(chain, x509Cert)
	}
	return chain
}

// Optional gives the text of the next child if it has that name, or "".
func (r *Reader) Optional(local string) string {
	if e, found := r.Next(local); found {
		return r.Leaf(e)
	}
	return ""
}

// Instant reads xsd:dateTime to the second in UTC.
func (r *Reader) Instant(e *Node) time.Time {
	text := r.Leaf(e)
	at, err := time.Parse(instantLayout, text)
	if err != nil {
		r.Fail("%s %q is not an instant such as 2026-11-29T10:00:00Z", e.Name.Local, text)
	}
	return at
}

// OptionalInstant reads the next child as an instant if it has that name.
func (r *Reader) OptionalInstant(local string) time.Time {
	if e, found := r.Next(local); found {
		return r.Instant(e)
	}
	return time.Time{}
}

// End says that no child may follow.
func (r *Reader) End() {
	if len(r.rest) > 0 {
		r.Fail("%s is not expected", r.rest[0].Name.Local)
	}
}

const instantLayout = "2006-01-02T15:04:05Z"

// Writer writes elements, one on a line.
type Writer struct{ strings.Builder }

// Leaf writes an element with text.
func (w *Writer) Leaf(local, text string) {
	w.WriteString("<" + local + ">" + Escaped(text) + "</" + local + ">\n")
}

// Optional writes an element with text, unless that is "".
func (w *Writer) Optional(local, text string) {
	if text != "" {
		w.Leaf(local, text)
	}
}

// Instant writes an element with an instant, unless that is zero. What is below the second is cut off.
func (w *Writer) Instant(local string, at time.Time) {
	if !at.IsZero() {
		w.Leaf(local, at.UTC().Format(instantLayout))
	}
}

// Group writes an element around what inside writes.
func (w *Writer) Group(local string, inside func()) {
	w.WriteString("<" + local + ">\n")
	inside()
	w.WriteString("</" + local + ">\n")
}

// Escaped is a text as XML, in an element or between quotes.
func Escaped(text string) string {
	var b strings.Builder
	_ = xml.EscapeText(&b, []byte(text)) // a Builder takes everything
	return b.String()
}
