package ubl

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/ecogate/ecogate/eco"
)

// maxFindings bounds what is reported about one document.
const maxFindings = 50

// open parses a document whose document element has that namespace and name.
func open(doc []byte, space, name string) (*node, error) {
	root, err := parse(doc, space)
	if err != nil {
		return nil, err
	}
	if root.name != name {
		return nil, fmt.Errorf("want %s in namespace %s, found %.200s", name, space, root.name)
	}
	return root, nil
}

// reader takes values out of nodes and remembers the first error, so that the mapping reads without error checks. Its
// methods take a nil node for an absent element and give the zero value for it.
type reader struct {
	forms    eco.Forms
	err      error
	findings []eco.Finding
	noted    map[noted]bool
	kinds    map[kindKey]int

	goodsItems []*node // in the order of the certificate's items

	own   *node // our own extension, nil in partners' documents
	found []sighting
	list  string // where the fields that are found now belong; see within
	index int
}

func newReader(forms eco.Forms) *reader {
	return &reader{forms: forms, noted: map[noted]bool{}, kinds: map[kindKey]int{}}
}

// noted is what was found odd about a kind of element.
type noted struct {
	kind int
	text string
}

// kindKey is a kind of element: those that have the same path but for positions.
type kindKey struct {
	parent int
	name   string
}

// kind numbers the kinds of elements that something was noted about, from 1.
func (r *reader) kind(n *node) int {
	if n == nil {
		return 0
	}
	key := kindKey{r.kind(n.parent), n.name}
	if r.kinds[key] == 0 {
		r.kinds[key] = len(r.kinds) + 1
	}
	return r.kinds[key]
}

// fail records that the element is not what was wanted.
func (r *reader) fail(n *node, want, found string) {
	if r.err == nil {
		r.err = fmt.Errorf("%s: want %s, found %s", n.path(), want, found)
	}
}

// note records something odd that did not stop reading, once for each kind of element.
func (r *reader) note(n *node, text, fix string) { r.report(eco.SeverityWarning, n, text, fix) }

// conflict records that n says something else than another element does about the same thing.
func (r *reader) conflict(n *node, text string) {
	r.report(eco.SeverityError, n, text, "ask the sender which one holds")
}

func (r *reader) report(severity eco.Severity, n *node, text, fix string) {
	if len(r.findings) >= maxFindings && severity != eco.SeverityError {
		return
	}
	// An error counts even when warnings have filled the list.
	if len(r.findings) >= 2*maxFindings {
		return
	}
	what := noted{r.kind(n), text}
	if r.noted[what] {
		return
	}
	r.noted[what] = true
	r.findings = append(r.findings, eco.Finding{Code: CodeStructure, Severity: severity, Path: n.path(), Text: text, Fix: fix})
}

// all are the children with that name that hold something.
func (r *reader) all(n *node, name string) []*node {
	if n == nil {
		return nil
	}
	var found []*node
	for _, child := range n.children {
		if child.name != name {
			continue
		}
		child.read = true
		if !child.empty() { // checkRules tells of empty ones.
			found = append(found, child)
		}
	}
	return found
}

// child is the only child with that name, or nil. The schema allows one; a second is an error, since the two sides may
// not read the same one.
func (r *reader) child(n *node, name string) *node {
	found := r.all(n, name)
	if len(found) == 0 {
		return nil
	}
	if len(found) > 1 {
		r.fail(found[1], "at most one such element", strconv.Itoa(len(found)))
	}
	return found[0]
}

// first is the first of children that may repeat; the others are reported as not read.
func (r *reader) first(n *node, name string) *node {
	found := r.all(n, name)
	if len(found) == 0 {
		return nil
	}
	for _, other := range found[1:] {
		other.read = false
	}
	return found[0]
}

// only is the first of children that may repeat in the schema, but of which a certificate has one.
func (r *reader) only(n *node, name string) *node {
	found := r.all(n, name)
	if len(found) == 0 {
		return nil
	}
	if len(found) > 1 {
		r.conflict(found[1], fmt.Sprintf("want one such element, found %d", len(found)))
	}
	return found[0]
}

// at descends through only children.
func (r *reader) at(n *node, names ...string) *node {
	for _, name := range names {
		n = r.child(n, name)
	}
	return n
}

// must is child for elements that a certificate cannot be without.
func (r *reader) must(n *node, name string) *node {
	found := r.child(n, name)
	if found == nil && n != nil {
		what := "nothing"
		for _, child := range n.children {
			if child.name == name {
				what = "an empty element"
			}
		}
		r.fail(&node{name: name, parent: n}, "an element with a value", what)
	}
	return found
}

// skip marks children as known: they repeat what is read elsewhere, or say nothing about the certificate.
func (r *reader) skip(n *node, names ...string) {
	if n == nil {
		return
	}
	for _, child := range n.children {
		for _, name := range names {
			if child.name == name {
				child.readAll()
			}
		}
	}
}

func (n *node) readAll() {
	n.read = true
	for _, child := range n.children {
		child.readAll()
	}
}

// unread reports elements below n that the mapping did not look up.
func (r *reader) unread(n *node) {
	for _, child := range n.children {
		switch {
		case child.read:
			r.unread(child)
		case !child.empty() || len(child.attributes) > 0 || !isUBL(child.name):
			r.note(child, "an element that is not read", "look at the document if it matters")
		}
	}
}

// isUBL reports whether the element is one of UBL's, of which empty ones were told of before.
func isUBL(name string) bool {
	return strings.HasPrefix(name, "cbc:") || strings.HasPrefix(name, "cac:")
}

// text is what the element says, unchanged: names and descriptions.
func (r *reader) text(n *node) string {
	if n == nil {
		return ""
	}
	if len(n.children) > 0 {
		r.fail(n, "text", "elements")
		return ""
	}
	return n.text
}

// token is text without white space around it: numbers, codes and dates, which XML Schema collapses or replaces.
func (r *reader) token(n *node) string { return strings.TrimSpace(r.text(n)) }

// date reads an xsd:date. Its zone says nothing about the day that a form shows, so it is dropped.
func (r *reader) date(n *node) eco.Date {
	text := r.token(n)
	if text == "" {
		return eco.Date{}
	}
	d, err := eco.ParseDate(text[:min(10, len(text))])
	if err != nil || !isZone(text[10:]) {
		r.fail(n, "a date as YYYY-MM-DD", fmt.Sprintf("%.40q", text))
	}
	return d
}

func isZone(s string) bool {
	if s == "" || s == "Z" {
		return true
	}
	var hours, minutes int
	n, err := fmt.Sscanf(s, "%3d:%2d", &hours, &minutes)
	return err == nil && n == 2 && len(s) == 6 && (s[0] == '+' || s[0] == '-')
}

func (r *reader) decimal(n *node) eco.Decimal {
	d := eco.Decimal(r.token(n))
	if n == nil || d == "" {
		return ""
	}
	if d.Valid() != nil {
		r.fail(n, "a decimal number such as 1201.50", fmt.Sprintf("%.40q", string(d)))
	}
	return d
}

// count reads a whole number; a fraction of zeros is none.
func (r *reader) count(n *node) int64 {
	text := r.token(n)
	if text == "" {
		return 0
	}
	whole, fraction, _ := strings.Cut(text, ".")
	value, err := strconv.ParseInt(whole, 10, 64)
	if err != nil || strings.Trim(fraction, "0") != "" {
		r.fail(n, "a whole number", fmt.Sprintf("%.40q", text))
	}
	return value
}

func (r *reader) measure(n *node) *eco.Measure {
	if n == nil {
		return nil
	}
	return &eco.Measure{Value: r.decimal(n), Unit: strings.TrimSpace(n.attribute("unitCode"))}
}

func (r *reader) amount(n *node) *eco.Amount {
	if n == nil {
		return nil
	}
	return &eco.Amount{Value: r.decimal(n), Currency: strings.TrimSpace(n.attribute("currencyID"))}
}

// country reads a Country. Where partners give only its name it is looked up among the names of ISO 3166-1, spelled out.
func (r *reader) country(n *node) string {
	code, name := r.child(n, "cbc:IdentificationCode"), r.child(n, "cbc:Name")
	if name == nil || code != nil {
		return r.token(code)
	}
	found := countryNamed(r.token(name))
	if found == "" {
		r.note(name, fmt.Sprintf("a country by name only, %.60q, which is not known: not read", name.text), "the sender should add the ISO code")
		return ""
	}
	r.note(name, fmt.Sprintf("a country by name only, read as %s", found), "the sender should add the ISO code")
	return found
}

var errNoDigits = errors.New("no digits")

// number reads the digits of an identifier such as "1".
func number(s string) (int, error) {
	if s == "" || strings.Trim(s, "0123456789") != "" {
		return 0, errNoDigits
	}
	return strconv.Atoi(s)
}
