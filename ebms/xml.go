package ebms

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// Bounds on an envelope's XML. The largest message that is meant to be read has 1,024 payloads (maxReferences), is signed, and
// acknowledges another of that size. In canonical form, where every empty element has an end tag too, a Reference of the
// Manifest with Schema and Description takes 6 tags, and a ds:Reference 6, or 16 with the three Transforms of an envelope
// (§4.1.3), one of them with an XPath: 1,024×6 + 1,025×16 + 1,025×6 = 28,694, and some hundreds for header and KeyInfo.
const (
	maxDepth      = 64
	maxTags       = 40_000 // start tags, end tags, comments and processing instructions
	maxAttributes = 64     // of one element, namespace declarations included
	maxBindings   = 128    // namespace declarations of the elements that are open
	maxName       = 256    // bytes of a prefix or local name
	maxNamespace  = 1 << 10
)

// byteOrderMark may stand before the XML declaration. XML 1.0 §4.3.3.
const byteOrderMark = "\ufeff"

// xmlSpace is the white space of XML 1.0 §2.3.
const xmlSpace = " \t\r\n"

// element is an element whose names are resolved. Comments are left out, so that none can end a text: reading only as far
// as the first is how "alice<!-- -->.evil" became "alice" elsewhere.
type element struct {
	prefix, space, local string     // space is the namespace name; "" is none
	attributes           []xml.Attr // resolved too; namespace declarations left out
	children             []*element
	text                 []byte // its own, without white space before it
}

func (e *element) is(space, local string) bool { return e.local == local && e.space == space }

// name is e's name for a log.
func (e *element) name() string { return fmt.Sprintf("{%.200s}%.80s", e.space, e.local) }

// attribute returns the value of the attribute with this name.
func (e *element) attribute(space, local string) (string, bool) {
	for i := range e.attributes {
		if a := &e.attributes[i]; a.Name.Local == local && a.Name.Space == space {
			return a.Value, true
		}
	}
	return "", false
}

// onlySpace says that e has text where only elements may be.
func (e *element) onlySpace() error {
	if len(e.text) > 0 {
		return fmt.Errorf("text %.80q between elements", e.text)
	}
	return nil
}

// ownText returns e's text without surrounding white space.
func (e *element) ownText() (string, error) {
	if len(e.children) > 0 {
		return "", errors.New("markup where only text may be")
	}
	return string(bytes.TrimRight(e.text, xmlSpace)), nil
}

// binding is a namespace declaration.
type binding struct{ prefix, space string }

// xmlReader builds the tree of a document and checks what must hold everywhere: prefixes are declared, no attribute and no
// identifier occurs twice, and a SOAP actor stands only where ebMS gives it a meaning. The last two matter beyond tidiness.
// A signature covers everything but the elements with actor next or nextMSH (§4.1.3), so a header block that takes such an
// actor has slipped out of the signature; and two elements with one identifier are the tool of signature wrapping.
type xmlReader struct {
	root  *element
	open  []*element // those whose end tag has not come
	marks []int      // for each of them, how much of scope was there before it
	scope []binding  // the declarations in force, innermost last
	names map[xml.Name]bool
	ids   map[string]bool
}

// readXML reads one document in UTF-8 without a document type declaration and returns its root. SOAP 1.1 §3 forbids such
// declarations; they are also the door to entity expansion and external entities.
func readXML(data []byte) (*element, *Error) {
	if len(data) > maxEnvelope {
		return nil, NewOtherXML("", fmt.Errorf("envelope of %d bytes is over %d", len(data), maxEnvelope))
	}
	// Counted before the tree is built, because a tree takes many times the memory of its text.
	if n := bytes.Count(data, []byte("<")); n > maxTags {
		return nil, NewOtherXML("", fmt.Errorf("more than %d tags", maxTags))
	}
	if at := surrogateReference(data); at >= 0 {
		return nil, NewOtherXML("", fmt.Errorf("reading XML: %.12q is no character", data[at:]))
	}
	decoder := xml.NewDecoder(bytes.NewReader(bytes.TrimPrefix(data, []byte(byteOrderMark))))
	decoder.CharsetReader = asciiOnly
	r := xmlReader{scope: []binding{{"xml", nsXML}}, names: map[xml.Name]bool{}, ids: map[string]bool{}}
	for {
		token, err := decoder.RawToken()
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, NewOtherXML("", fmt.Errorf("reading XML: %w", err))
		}
		if err := r.token(token); err != nil {
			return nil, err
		}
	}
	switch {
	case len(r.open) > 0:
		return nil, NewOtherXML("", fmt.Errorf("reading XML: no end of %.80s", r.innermost().local))
	case r.root == nil:
		return nil, NewOtherXML("", errors.New("no root element"))
	}
	return r.root, nil
}

// surrogateReference is where data has a reference to a surrogate, which is no character (XML 1.0 §2.2, §4.1) and which
// encoding/xml reads as another one; -1 if nowhere.
func surrogateReference(data []byte) int {
	for from := 0; ; {
		at := bytes.Index(data[from:], []byte("&#"))
		if at < 0 {
			return -1
		}
		at += from
		from = at + len("&#")
		digits, base := data[from:], 10
		if len(digits) > 0 && digits[0] == 'x' {
			digits, base = digits[1:], 16
		}
		end := bytes.IndexByte(digits[:min(len(digits), maxName)], ';')
		if end < 0 {
			continue // the decoder refuses it
		}
		if n, err := strconv.ParseUint(string(digits[:end]), base, 32); err == nil && 0xd800 <= n && n <= 0xdfff {
			return at
		}
	}
}

// asciiOnly lets through the one declared encoding besides UTF-8 that needs no conversion.
func asciiOnly(charset string, r io.Reader) (io.Reader, error) {
	if strings.EqualFold(charset, "us-ascii") {
		return r, nil
	}
	return nil, fmt.Errorf("encoding %.40q is neither UTF-8 nor US-ASCII", charset)
}

func (r *xmlReader) innermost() *element { return r.open[len(r.open)-1] }

func (r *xmlReader) token(token xml.Token) *Error {
	switch t := token.(type) {
	case xml.StartElement:
		return r.start(t)
	case xml.EndElement:
		return r.end(t)
	case xml.CharData:
		return r.charData(t)
	case xml.Directive:
		if len(r.open) > 0 {
			return NewOtherXML("", errors.New("markup declaration within the envelope"))
		}
		return NewOtherXML("", errors.New("document type declaration"))
	case xml.ProcInst: // SOAP 1.1 §3 forbids them; the XML declaration looks like one
		if r.root != nil || t.Target != "xml" {
			return NewOtherXML("", errors.New("processing instruction"))
		}
	}
	return nil
}

func (r *xmlReader) charData(data []byte) *Error {
	if len(r.open) == 0 {
		if len(bytes.Trim(data, xmlSpace)) > 0 {
			return NewOtherXML("", errors.New("text outside the root element"))
		}
		return nil
	}
	e := r.innermost()
	if len(e.text) == 0 {
		data = bytes.TrimLeft(data, xmlSpace)
	}
	e.text = append(e.text, data...)
	return nil
}

func (r *xmlReader) end(t xml.EndElement) *Error {
	if len(r.open) == 0 || r.innermost().prefix != t.Name.Space || r.innermost().local != t.Name.Local {
		return NewOtherXML("", fmt.Errorf("reading XML: end tag of %.80s out of place", t.Name.Local))
	}
	last := len(r.open) - 1
	r.scope, r.marks, r.open = r.scope[:r.marks[last]], r.marks[:last], r.open[:last]
	return nil
}

func (r *xmlReader) start(t xml.StartElement) *Error {
	e := &element{prefix: t.Name.Space, local: t.Name.Local, attributes: t.Attr}
	switch {
	case len(r.open) == 0 && r.root != nil:
		return NewOtherXML("", errors.New("more than one root element"))
	case len(r.open) == maxDepth:
		return NewOtherXML("", fmt.Errorf("depth of elements over %d", maxDepth))
	case max(len(e.prefix), len(e.local)) > maxName:
		return NewOtherXML("", fmt.Errorf("element name of more than %d bytes", maxName))
	case len(t.Attr) > maxAttributes:
		return NewOtherXML("", fmt.Errorf("more than %d attributes on %.80s", maxAttributes, e.local))
	}
	r.marks = append(r.marks, len(r.scope))
	if err := r.resolve(e); err != nil {
		return NewOtherXML("", fmt.Errorf("on %.80s: %w", e.local, err))
	}
	if err := r.checkMeaning(e); err != nil {
		return err
	}
	if len(r.open) == 0 {
		r.root = e
	} else {
		parent := r.innermost()
		parent.children = append(parent.children, e)
	}
	r.open = append(r.open, e)
	return nil
}

// resolve finds the namespaces of an element and its attributes, and takes the declarations away from the attributes. None
// of them may occur twice.
func (r *xmlReader) resolve(e *element) error {
	plain := e.attributes[:0]
	for _, a := range e.attributes {
		isDefault := a.Name.Space == "" && a.Name.Local == "xmlns"
		switch {
		case max(len(a.Name.Space), len(a.Name.Local)) > maxName:
			return fmt.Errorf("attribute name of more than %d bytes", maxName)
		case isDefault:
			a.Name.Local = ""
		case a.Name.Space != "xmlns":
			plain = append(plain, a)
			continue
		}
		if err := r.bind(a.Name.Local, a.Value, isDefault); err != nil {
			return err
		}
	}
	e.attributes = plain
	var ok bool
	if e.space, ok = r.find(e.prefix); !ok {
		return fmt.Errorf("prefix of %s is not declared", qualified(e.prefix, e.local))
	}
	clear(r.names)
	for i := range e.attributes {
		name := &e.attributes[i].Name
		prefix := name.Space
		if name.Space != "" { // the default namespace is not for attributes: Namespaces in XML 1.0 §6.2
			space, ok := r.find(name.Space)
			if !ok {
				return fmt.Errorf("prefix of attribute %s is not declared", qualified(prefix, name.Local))
			}
			name.Space = space
		}
		if r.names[*name] {
			return fmt.Errorf("attribute %s occurs twice", qualified(prefix, name.Local))
		}
		r.names[*name] = true
	}
	return nil
}

// qualified is a name as written, for a log.
func qualified(prefix, local string) string {
	if prefix == "" {
		return fmt.Sprintf("%.80s", local)
	}
	return fmt.Sprintf("%.80s:%.80s", prefix, local)
}

// bind puts a declaration of the element that is being read into force. Namespaces in XML 1.0 §3.
func (r *xmlReader) bind(prefix, space string, isDefault bool) error {
	switch {
	case len(space) > maxNamespace:
		return fmt.Errorf("namespace name of more than %d bytes", maxNamespace)
	case len(r.scope) == maxBindings:
		return fmt.Errorf("more than %d namespace declarations in force", maxBindings)
	case space == "" && !isDefault:
		return fmt.Errorf("prefix %.80s is undeclared, which XML 1.0 does not know", prefix)
	case prefix == "xmlns" || (prefix == "xml") != (space == nsXML):
		return fmt.Errorf("declaration of %.80s, which is fixed", prefix)
	}
	for _, b := range r.scope[r.marks[len(r.marks)-1]:] {
		if b.prefix == prefix {
			return fmt.Errorf("attribute xmlns:%.80s occurs twice", prefix)
		}
	}
	r.scope = append(r.scope, binding{prefix, space})
	return nil
}

// find gives what a prefix is bound to; no prefix is always bound, if only to no namespace.
func (r *xmlReader) find(prefix string) (space string, ok bool) {
	for i := len(r.scope) - 1; i >= 0; i-- {
		if r.scope[i].prefix == prefix {
			return r.scope[i].space, true
		}
	}
	return "", prefix == ""
}

// checkMeaning checks the attributes that mean something wherever they stand.
func (r *xmlReader) checkMeaning(e *element) *Error {
	for i := range e.attributes {
		name, value := e.attributes[i].Name, e.attributes[i].Value
		if name.Local == "actor" && name.Space == nsSOAP && !r.mayHaveActor(e) {
			return NewInconsistent("", fmt.Errorf("SOAP actor %.200q on %s", value, e.name()))
		}
		// eb:id, xml:id and the Id attributes of XML Signature share one space of values (XML 1.0 §3.3.1).
		if strings.EqualFold(name.Local, "id") {
			if r.ids[value] {
				return NewOtherXML("", fmt.Errorf("identifier %.200q occurs twice", value))
			}
			r.ids[value] = true
		}
	}
	return nil
}

// mayHaveActor reports whether e, which is being read, is a header block that ebMS lets a message service other than the
// receiver act on (§2.3.10, §4.3, §6.3), or a header block of another vocabulary.
func (r *xmlReader) mayHaveActor(e *element) bool {
	if len(r.open) == 0 || !r.innermost().is(nsSOAP, "Header") {
		return false
	}
	switch e.space {
	case nsEB:
		return e.local == "AckRequested" || e.local == "SyncReply" || e.local == "Acknowledgment"
	case nsDS, nsSOAP:
		return false
	}
	return true
}
