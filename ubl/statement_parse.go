package ubl

import (
	"fmt"
	"strings"

	"github.com/ecogate/ecogate/eco"
)

// unmarshalMessage reads a message from the octets of a document, which are those that a signature covers.
func unmarshalMessage[T any](l layout, doc []byte, forms eco.Forms, read func(r *reader, root *node, message *T)) (message T, findings []eco.Finding, err error) {
	root, err := open(doc, namespaceOf(string(l.document)), string(l.document))
	if err != nil {
		return message, nil, fmt.Errorf("unmarshal %s: %w", l.matter, err)
	}
	r := newReader(forms)
	r.checkRules(doc, root)
	read(r, root, &message)
	if r.err != nil {
		var none T
		return none, nil, fmt.Errorf("unmarshal %s: %w", l.matter, r.err)
	}
	r.unread(root)
	return message, r.findings, nil
}

// head reads what comes before the matter; extension is the name of the element of our own extension, "" if there is none.
func (r *reader) head(root *node, l layout, s *eco.Statement, extension string) (own *node) {
	r.skip(root, "cbc:UBLVersionID", "cbc:CustomizationID", "cbc:ProfileID", "cbc:ProfileExecutionID", "cac:Signature")
	own = r.extensionNamed(root, extension)
	s.ID = r.token(r.must(root, "cbc:ID"))
	s.IssueTime = r.instant(root)
	s.Note = r.ownWords(root, l.note)
	return own
}

// extensionNamed finds the extension with that element. Signatures are known, other extensions are reported.
func (r *reader) extensionNamed(root *node, name string) (own *node) {
	extensions := r.child(root, "ext:UBLExtensions")
	for _, extension := range r.all(extensions, "ext:UBLExtension") {
		content := r.child(extension, "ext:ExtensionContent")
		r.skip(extension, "cbc:ID", "ext:ExtensionURI")
		r.skip(content, "sig:UBLDocumentSignatures", "ds:Signature")
		if name == "" {
			continue
		}
		details := r.child(content, name)
		if details != nil && own != nil {
			r.fail(details, "at most one such extension", "a second")
		}
		if details != nil {
			own = details
		}
	}
	if name != "" && own == nil {
		r.fail(&node{name: "ext:UBLExtensions", parent: root}, "an extension with "+name, "none")
	}
	return own
}

// ownWords is the text of the elements without a language: those with one repeat for people what stands elsewhere.
func (r *reader) ownWords(root *node, name string) string {
	var own []*node
	for _, n := range r.all(root, name) {
		if n.attribute("languageID") == "" {
			own = append(own, n)
		}
	}
	return r.joined(own)
}

// reasons reads the reasons among statuses; one that only has a condition is none.
func (r *reader) reasons(statuses []*node) (reasons []eco.Reason) {
	for _, status := range statuses {
		reason := eco.Reason{
			Code: r.token(r.child(status, "cbc:StatusReasonCode")),
			Text: r.joined(r.all(status, "cbc:StatusReason")),
		}
		if reason == (eco.Reason{}) {
			continue
		}
		if len(reasons) == eco.MaxReasons {
			r.fail(status, fmt.Sprintf("at most %d reasons", eco.MaxReasons), "more")
			return nil
		}
		reasons = append(reasons, reason)
	}
	return reasons
}

// ofList is the code of n if it is of that list; partners put the name of a subset behind it, or name none.
func (r *reader) ofList(n *node, list string) (code string, is bool) {
	named := strings.TrimSpace(n.attribute("listID"))
	return r.token(n), named == "" || strings.HasPrefix(named, list)
}

// place reads a number that counts from 1.
func (r *reader) place(n *node) int {
	if n == nil {
		return 0
	}
	value, err := number(r.token(n))
	if err != nil || value < 1 {
		r.fail(n, "a number from 1", fmt.Sprintf("%.40q", n.text))
	}
	return value
}
