package ubl

import (
	"bytes"
	"embed"
	"fmt"
	"slices"
	"strings"
	"sync"
)

//go:generate go run ./internal/structuregen 2.0 ../../shared/ubl/xsd/2.0 structure/2.0.txt
//go:generate go run ./internal/structuregen 2.1 ../../shared/ubl/xsd/2.1 structure/2.1.txt
//go:generate go run ./internal/structuregen 2.4 ../../shared/ubl/xsd/2.4 structure/2.4.txt

//go:embed structure
var structureFiles embed.FS

// MaxFaults is how many faults are told of one document.
const MaxFaults = 100

// Fault is one place where a document does not have the structure of its UBL version.
type Fault struct {
	// Line and Column say where the element begins, both from 1; columns count octets.
	Line, Column int
	// Path names the element from the document element on, with a position from 1 where siblings share the name.
	Path string
	// Text says what was expected and what was found.
	Text string
}

func (f Fault) String() string { return fmt.Sprintf("%d:%d: %s: %s", f.Line, f.Column, f.Path, f.Text) }

// StructureVersions are the UBL versions that CheckStructure knows. UBL 2.x only ever adds: a document of 2.2 or 2.3 has the structure
// of 2.4.
var StructureVersions = []string{"2.0", "2.1", "2.4"}

// CheckStructure compares a document with what the schemas of its UBL version say: which elements stand where and how
// often, which attributes they have, and whether values are of their types. It needs no schema files and agrees with them but for three
// things. What is in ds:Signature is left to package signing, which is stricter. A type chosen by xsi:type is refused. Of an xsd:anyURI
// everything is taken. The result is nil for a document in order.
//
// The error says that the octets are no XML document at all that this package would read, or that the version is unknown.
func CheckStructure(doc []byte, version string) ([]Fault, error) {
	tables, err := structureOf(version)
	if err != nil {
		return nil, err
	}
	root, err := parse(doc, "")
	if err != nil {
		return nil, err
	}
	return tables.checkDocument(doc, root), nil
}

// structure is what the tables of one version say.
type structure struct {
	aggregates map[string][]child
	values     map[string]valueType
	elements   map[string]string // the kind of each element: a key of aggregates or values, contentLax or contentAny
}

// The kinds of content that is open to other namespaces: what the tables know in it is checked, or nothing is.
const (
	contentLax = "lax"
	contentAny = "any"
)

// child is one entry of the sequence of an aggregate.
type child struct {
	name     string
	required bool
	many     bool
}

// valueType is the type of an element that holds text.
type valueType struct {
	kind       textKind
	attributes map[string]textKind
	required   []string
}

var loadStructures = sync.OnceValues(func() (map[string]*structure, error) {
	loaded := map[string]*structure{}
	for _, version := range StructureVersions {
		table, err := structureFiles.ReadFile("structure/" + version + ".txt")
		if err != nil {
			return nil, err
		}
		if loaded[version], err = readStructure(string(table)); err != nil {
			return nil, fmt.Errorf("structure of UBL %s: %w", version, err)
		}
	}
	return loaded, nil
})

func structureOf(version string) (*structure, error) {
	loaded, err := loadStructures()
	if err != nil {
		return nil, err
	}
	tables := loaded[version]
	if tables == nil {
		return nil, fmt.Errorf("want UBL version %s, found %q", strings.Join(StructureVersions, ", "), version)
	}
	return tables, nil
}

// readStructure reads the tables that structuregen writes.
func readStructure(table string) (*structure, error) {
	s := &structure{aggregates: map[string][]child{}, values: map[string]valueType{}, elements: map[string]string{}}
	lists := map[string][]string{}
	for line := range strings.Lines(table) {
		words := strings.Fields(line)
		if len(words) < 2 || words[0] == "#" {
			continue
		}
		name, rest := words[1], words[2:]
		switch words[0] {
		case "list":
			lists[name] = rest
		case "value":
			s.values[name] = readValueType(rest)
		case "aggregate":
			for _, word := range rest {
				s.aggregates[name] = append(s.aggregates[name], readChild(word))
			}
		case "element":
			for _, word := range rest {
				s.elements[word] = name
			}
		default:
			return nil, fmt.Errorf("want a list, value, aggregate or element, found %q", words[0])
		}
	}
	return s, s.resolve(lists)
}

func readChild(word string) child {
	name := strings.TrimRight(word, "?*+")
	sign := word[len(name):]
	return child{name: name, required: sign == "" || sign == "+", many: sign == "*" || sign == "+"}
}

func readValueType(words []string) valueType {
	v := valueType{kind: textKind{name: words[0]}, attributes: map[string]textKind{}}
	for _, word := range words[1:] {
		name, kind, _ := strings.Cut(word, ":")
		bare := strings.TrimSuffix(kind, "!")
		if bare != kind {
			v.required = append(v.required, name)
		}
		v.attributes[name] = textKind{name: bare}
	}
	return v
}

// resolve gives every kind of text its check.
func (s *structure) resolve(lists map[string][]string) error {
	kinds := map[string]textKind{}
	kind := func(k textKind) (textKind, error) {
		if known, ok := kinds[k.name]; ok {
			return known, nil
		}
		known, err := textKindOf(k.name, lists)
		kinds[k.name] = known
		return known, err
	}
	var err error
	for name, v := range s.values {
		if v.kind, err = kind(v.kind); err != nil {
			return err
		}
		for attribute, a := range v.attributes {
			if v.attributes[attribute], err = kind(a); err != nil {
				return err
			}
		}
		s.values[name] = v
	}
	return nil
}

// comparison is one run of a check.
type comparison struct {
	*structure
	doc    []byte
	faults []Fault
}

// checkDocument compares a document whose document element has its namespace in its name.
func (s *structure) checkDocument(doc []byte, root *node) []Fault {
	c := &comparison{structure: s, doc: doc}
	name := documentName(root.name)
	kind, known := s.elements[name]
	if !known || strings.Contains(name, ":") {
		c.fault(root, "want a UBL document that is exchanged about certificates of origin, found %.200s", root.name)
		return c.faults
	}
	root.name = name // As paths have it.
	c.element(root, kind)
	return c.faults
}

// documentName is the name of a document element without its namespace, which UBL derives from it; other names stay as they are.
func documentName(name string) string {
	local := name[strings.LastIndexByte(name, '}')+1:]
	if name == "{urn:oasis:names:specification:ubl:schema:xsd:"+local+"-2}"+local {
		return local
	}
	if local == name && !strings.Contains(name, ":") {
		return local
	}
	return name
}

func (c *comparison) fault(n *node, format string, values ...any) {
	if len(c.faults) == MaxFaults {
		return
	}
	before := c.doc[:n.offset]
	c.faults = append(c.faults, Fault{
		Line: bytes.Count(before, []byte("\n")) + 1, Column: len(before) - bytes.LastIndexByte(before, '\n'),
		Path: n.path(), Text: fmt.Sprintf(format, values...),
	})
}

// element checks an element of that kind, with everything below it.
func (c *comparison) element(n *node, kind string) {
	if len(c.faults) == MaxFaults {
		return
	}
	if v, ok := c.values[kind]; ok {
		c.value(n, v)
		return
	}
	for _, a := range n.attributes {
		c.attribute(n, a, nil)
	}
	if n.stray || len(n.children) == 0 && strings.TrimSpace(n.text) != "" {
		c.fault(n, "want elements only, found text")
	}
	switch kind {
	case contentLax:
		c.open(n)
	case contentAny:
		if len(n.children) > 1 && n.name == "ext:ExtensionContent" {
			c.fault(n, "want at most one element, found %d", len(n.children))
		}
	default:
		c.sequence(n, c.aggregates[kind])
	}
}

// open checks what an extension holds: one element of any other namespace, in its structure if that is known.
func (c *comparison) open(n *node) {
	if len(n.children) != 1 {
		c.fault(n, "want one element, found %d", len(n.children))
		return
	}
	content := n.children[0]
	if strings.HasPrefix(content.name, "ext:") {
		c.fault(content, "want an element of another namespace than the extension's")
		return
	}
	c.lax(content)
}

// lax checks an element in its structure if that is known, and else what is below it in the same way.
func (c *comparison) lax(n *node) {
	if kind, known := c.elements[documentName(n.name)]; known {
		c.element(n, kind)
		return
	}
	for _, child := range n.children {
		c.lax(child)
	}
}

// sequence checks that the children are the wanted ones in the wanted order, and then each of them.
func (c *comparison) sequence(n *node, wanted []child) {
	at, count := 0, 0 // the entry that the last child was of, and how many were
	for _, found := range n.children {
		next := at
		for next < len(wanted) && wanted[next].name != found.name {
			next++
		}
		switch {
		case next == len(wanted):
			c.misplaced(found, wanted)
		case next == at && count > 0 && !wanted[at].many:
			c.fault(found, "want at most one, found another")
		default:
			if next > at {
				c.missing(n, wanted[at:next], count)
				at, count = next, 0
			}
			count++
		}
		if kind, known := c.elements[found.name]; known && next < len(wanted) {
			c.element(found, kind)
		}
	}
	c.missing(n, wanted[at:], count)
}

// missing reports required elements that were passed over; count is how many of the first there were.
func (c *comparison) missing(n *node, passed []child, count int) {
	for i, want := range passed {
		if want.required && (i > 0 || count == 0) {
			c.fault(n, "want %s, found none where it belongs", want.name)
		}
	}
}

// misplaced reports an element that may not stand where it does.
func (c *comparison) misplaced(n *node, wanted []child) {
	if slices.ContainsFunc(wanted, func(w child) bool { return w.name == n.name }) {
		c.fault(n, "want it earlier: the order of elements is fixed")
		return
	}
	c.fault(n, "want no such element here")
}
