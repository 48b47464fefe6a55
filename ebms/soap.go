package ebms

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/beevik/etree"
)

// Bounds on an envelope's XML. A message with a hundred payloads, each signed and acknowledged, stays below a fifth of them.
const (
	maxDepth      = 64
	maxTags       = 20_000 // start tags, end tags, comments and processing instructions
	maxAttributes = 64     // of one element, namespace declarations included
)

// byteOrderMark may stand before the XML declaration. XML 1.0 §4.3.3.
const byteOrderMark = "\ufeff"

// blocks are the children of a SOAP envelope's Header and Body.
type blocks struct {
	header, body []*etree.Element
}

// readEnvelope reads an XML document that must be one SOAP 1.1 envelope with one Header and one Body (§2.1.3, §2.3). It
// takes the tree apart no further than that, but has checked all of it: see checkTree.
func readEnvelope(envelope []byte) (blocks, *Error) {
	root, err := readXML(envelope)
	if err != nil {
		return blocks{}, NewOtherXML("", err)
	}
	if !is(root, nsSOAP, "Envelope") {
		return blocks{}, NewOtherXML("", fmt.Errorf("document is %s and not a SOAP 1.1 Envelope", nameOf(root)))
	}
	if err := checkTree(root, map[string]bool{}); err != nil {
		return blocks{}, err
	}
	if cause := onlySpace(root); cause != nil {
		return blocks{}, NewOtherXML(atEnvelope, cause)
	}
	// SOAP 1.1 §4 admits elements after the Body; ebMS has no use for them (§2.3), so that they could only mislead.
	parts := root.ChildElements()
	if len(parts) == 1 && is(parts[0], nsSOAP, "Body") { // a SOAP Fault has no Header
		return blocks{body: parts[0].ChildElements()}, nil
	}
	if len(parts) != 2 || !is(parts[0], nsSOAP, "Header") || !is(parts[1], nsSOAP, "Body") {
		return blocks{}, NewOtherXML(atEnvelope, errors.New("envelope is not one Header followed by one Body"))
	}
	for _, part := range parts {
		if cause := onlySpace(part); cause != nil {
			return blocks{}, NewOtherXML(atEnvelope+"/"+part.Tag, cause)
		}
	}
	return blocks{header: parts[0].ChildElements(), body: parts[1].ChildElements()}, nil
}

// errProcInst: SOAP 1.1 §3 forbids processing instructions.
var errProcInst = errors.New("processing instruction")

// readXML reads one document in UTF-8 without a document type declaration and returns its root. SOAP 1.1 §3 forbids such
// declarations; they are also the door to entity expansion and external entities.
func readXML(data []byte) (*etree.Element, error) {
	if len(data) > maxEnvelope {
		return nil, fmt.Errorf("envelope of %d bytes is over %d", len(data), maxEnvelope)
	}
	// Counted before the tree is built, because a tree takes many times the memory of its text.
	if n := bytes.Count(data, []byte("<")); n > maxTags {
		return nil, fmt.Errorf("more than %d tags", maxTags)
	}
	doc := etree.NewDocument()
	doc.ReadSettings = etree.ReadSettings{
		CharsetReader:          asciiOnly,
		PreserveDuplicateAttrs: true, // so that checkTree sees them
		MaxDepth:               maxDepth,
	}
	if err := doc.ReadFromBytes(bytes.TrimPrefix(data, []byte(byteOrderMark))); err != nil {
		return nil, fmt.Errorf("reading XML: %w", err)
	}
	var root *etree.Element
	for _, token := range doc.Child {
		switch t := token.(type) {
		case *etree.Element:
			if root != nil {
				return nil, errors.New("more than one root element")
			}
			root = t
		case *etree.Directive:
			return nil, errors.New("document type declaration")
		case *etree.ProcInst:
			if t.Target != "xml" {
				return nil, errProcInst
			}
		case *etree.CharData:
			if strings.Trim(t.Data, xmlSpace) != "" {
				return nil, errors.New("text outside the root element")
			}
		}
	}
	if root == nil {
		return nil, errors.New("no root element")
	}
	return root, nil
}

// asciiOnly lets through the one declared encoding besides UTF-8 that needs no conversion.
func asciiOnly(charset string, r io.Reader) (io.Reader, error) {
	if strings.EqualFold(charset, "us-ascii") {
		return r, nil
	}
	return nil, fmt.Errorf("encoding %.40q is neither UTF-8 nor US-ASCII", charset)
}

// checkTree checks what must hold everywhere: prefixes are declared, no attribute and no identifier occurs twice, and a SOAP
// actor stands only where ebMS gives it a meaning. The last two matter beyond tidiness. A signature covers everything but
// the elements with actor next or nextMSH (§4.1.3), so a header block that takes such an actor has slipped out of the
// signature; and two elements with one identifier are the tool of signature wrapping.
func checkTree(e *etree.Element, ids map[string]bool) *Error {
	if e.Space != "" && e.NamespaceURI() == "" {
		return NewOtherXML("", fmt.Errorf("prefix of %.80s is not declared", e.FullTag()))
	}
	if len(e.Attr) > maxAttributes {
		return NewOtherXML("", fmt.Errorf("more than %d attributes on %.80s", maxAttributes, e.FullTag()))
	}
	seen := make(map[xml.Name]bool, len(e.Attr))
	for i := range e.Attr {
		name, err := attributeName(&e.Attr[i])
		if err != nil {
			return NewOtherXML("", fmt.Errorf("on %.80s: %w", e.FullTag(), err))
		}
		if seen[name] {
			return NewOtherXML("", fmt.Errorf("attribute %.80s occurs twice on %.80s", e.Attr[i].FullKey(), e.FullTag()))
		}
		seen[name] = true
		if name == (xml.Name{Space: nsSOAP, Local: "actor"}) && !mayHaveActor(e) {
			return NewInconsistent("", fmt.Errorf("SOAP actor %.200q on %s", e.Attr[i].Value, nameOf(e)))
		}
		// eb:id, xml:id and the Id attributes of XML Signature share one space of values (XML 1.0 §3.3.1).
		if strings.EqualFold(name.Local, "id") && name.Space != "xmlns" {
			if ids[e.Attr[i].Value] {
				return NewOtherXML("", fmt.Errorf("identifier %.200q occurs twice", e.Attr[i].Value))
			}
			ids[e.Attr[i].Value] = true
		}
	}
	for _, child := range e.Child {
		switch c := child.(type) {
		case *etree.Element:
			if err := checkTree(c, ids); err != nil {
				return err
			}
		case *etree.Directive:
			return NewOtherXML("", errors.New("markup declaration within the envelope"))
		case *etree.ProcInst:
			return NewOtherXML("", errProcInst)
		}
	}
	return nil
}

// attributeName resolves the prefix of an attribute. Namespace declarations get the space "xmlns".
func attributeName(a *etree.Attr) (xml.Name, error) {
	switch a.Space {
	case "":
		if a.Key == "xmlns" {
			return xml.Name{Space: "xmlns"}, nil
		}
		return xml.Name{Local: a.Key}, nil
	case "xmlns":
		if a.Value == "" {
			return xml.Name{}, fmt.Errorf("prefix %.80s is undeclared, which XML 1.0 does not know", a.Key)
		}
		return xml.Name{Space: "xmlns", Local: a.Key}, nil
	case "xml":
		return xml.Name{Space: nsXML, Local: a.Key}, nil
	}
	uri := a.NamespaceURI()
	if uri == "" {
		return xml.Name{}, fmt.Errorf("prefix of attribute %.80s is not declared", a.FullKey())
	}
	return xml.Name{Space: uri, Local: a.Key}, nil
}

// mayHaveActor reports whether e is a header block that ebMS lets a message service other than the receiver act on (§2.3.10,
// §4.3, §6.3), or a header block of another vocabulary.
func mayHaveActor(e *etree.Element) bool {
	parent := e.Parent()
	if parent == nil || !is(parent, nsSOAP, "Header") {
		return false
	}
	switch e.NamespaceURI() {
	case nsEB:
		return e.Tag == "AckRequested" || e.Tag == "SyncReply" || e.Tag == "Acknowledgment"
	case nsDS, nsSOAP:
		return false
	}
	return true
}

// xmlSpace is the white space of XML 1.0 §2.3.
const xmlSpace = " \t\r\n"

func is(e *etree.Element, space, tag string) bool {
	return e.Tag == tag && e.NamespaceURI() == space
}

// nameOf is e's name for a log.
func nameOf(e *etree.Element) string {
	return fmt.Sprintf("{%.200s}%.80s", e.NamespaceURI(), e.Tag)
}

// attribute returns the value of the attribute with this name.
func attribute(e *etree.Element, space, local string) (string, bool) {
	for i := range e.Attr {
		if name, err := attributeName(&e.Attr[i]); err == nil && name.Space == space && name.Local == local {
			return e.Attr[i].Value, true
		}
	}
	return "", false
}

// onlySpace says that e has text where only elements may be.
func onlySpace(e *etree.Element) error {
	for _, child := range e.Child {
		if data, ok := child.(*etree.CharData); ok && strings.Trim(data.Data, xmlSpace) != "" {
			return fmt.Errorf("text %.80q between elements", strings.Trim(data.Data, xmlSpace))
		}
	}
	return nil
}

// textOf returns e's text without surrounding white space. Comments do not end it: reading only as far as the first is how
// "alice<!-- -->.evil" became "alice" elsewhere.
func textOf(e *etree.Element) (string, error) {
	var b strings.Builder
	for _, child := range e.Child {
		switch c := child.(type) {
		case *etree.CharData:
			b.WriteString(c.Data)
		case *etree.Comment:
		default:
			return "", errors.New("markup where only text may be")
		}
	}
	return strings.Trim(b.String(), xmlSpace), nil
}
