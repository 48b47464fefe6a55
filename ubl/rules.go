package ubl

import (
	"bytes"
	"strings"
)

// checkRules finds breaches of the rules of UBL 2.1 ch. 4 that no schema checks. Marshal refuses to write a document that
// breaks one, whatever the certificate holds.
//
// IND2 asks for an encoding in the XML declaration; the canonical form that signatures cover has no declaration, and then
// there is nothing to check. IND3 is parse's, which takes UTF-8 only. IND6 (absence has no meaning) is eco.Validate's, which
// asks for every indicator.
func (r *reader) checkRules(octets []byte, root *node) {
	if declaration, _, found := bytes.Cut(octets, []byte("?>")); found && bytes.HasPrefix(declaration, []byte("<?xml ")) &&
		!bytes.Contains(declaration, []byte("encoding")) {
		r.note(root, "an XML declaration without encoding (UBL IND2)", "the sender should declare UTF-8")
	}
	r.checkElement(root)
}

// checkElement looks at n and everything below it. IND5 and its like do not hold inside extensions.
func (r *reader) checkElement(n *node) {
	if n.name == "ext:UBLExtensions" {
		return
	}
	if n.empty() && isUBL(n.name) {
		r.note(n, "an empty element, read as absent (UBL IND5)", "the sender should leave it out")
	}
	for _, a := range n.attributes {
		if strings.TrimSpace(a.Value) == "" {
			r.note(n, "an empty attribute (UBL IND9)", "the sender should leave it out")
		}
	}
	r.checkLanguages(n)
	for _, child := range n.children {
		r.checkElement(child)
	}
}

// checkLanguages looks at texts of one name: each has its own language, and one may go without (UBL IND7, IND8). Elements
// of cbc that may repeat are texts. Siblings of one name stand together, as the schema orders them.
func (r *reader) checkLanguages(n *node) {
	first := 0
	for i, child := range n.children {
		if child.name != n.children[first].name {
			first = i
		}
		if !strings.HasPrefix(child.name, "cbc:") {
			continue
		}
		// The schema allows few; a partner who repeats many is told once.
		for _, earlier := range n.children[first:min(i, first+maxLanguages)] {
			if strings.EqualFold(earlier.attribute("languageID"), child.attribute("languageID")) {
				r.note(child, "a second text of one language (UBL IND7, IND8)", "the sender should join them")
				break
			}
		}
	}
}

// maxLanguages bounds the texts of one name that are compared with each other.
const maxLanguages = 20
