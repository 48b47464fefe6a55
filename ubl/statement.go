package ubl

import (
	"encoding/xml"
	"fmt"
	"reflect"

	"github.com/beevik/etree"

	"github.com/ecogate/ecogate/eco"
)

// Document is a kind of document that carries a business message about a certificate. Unlike an answer it is signed by who
// speaks: SignaturePath leads to the place for the signature.
type Document string

// The documents. All are in UBL since 2.1, enquiries since 2.2 or 2.3 (the schemas of 2.3 and 2.4 are those that they are
// tested with).
const (
	DocumentResponse            Document = "ApplicationResponse"
	DocumentStatusRequest       Document = "DocumentStatusRequest"
	DocumentStatusReport        Document = "DocumentStatus"
	DocumentVerificationRequest Document = "Enquiry"
	DocumentVerificationReply   Document = "EnquiryResponse"
)

// SignaturePath is the path of element names, the document element first, to the element that takes ds:Signature.
func (d Document) SignaturePath() []xml.Name { return signaturePath(string(d)) }

// namespaceOf is the namespace of UBL documents with that name.
func namespaceOf(document string) string {
	return "urn:oasis:names:specification:ubl:schema:xsd:" + document + "-2"
}

// layout is what documents of one kind of message have in common.
type layout struct {
	document Document
	// matter is the word for the message in identifiers and errors.
	matter string
	// version is the earliest UBL 2.x that has the document.
	version string
	// note is where the statement's Note goes.
	note string
}

var (
	responseLayout      = layout{DocumentResponse, "response", "2.1", "cbc:Note"}
	statusRequestLayout = layout{DocumentStatusRequest, "status-request", "2.1", "cbc:Note"}
	statusReportLayout  = layout{DocumentStatusReport, "status-report", "2.1", "cbc:Note"}
	requestLayout       = layout{DocumentVerificationRequest, "verification-request", "2.3", "cbc:Description"}
	replyLayout         = layout{DocumentVerificationReply, "verification-reply", "2.3", "cbc:Description"}
)

// marshalMessage writes a message and makes sure that read reads the same from it: nothing is lost, or the error names the field
// that a document cannot carry.
func marshalMessage[T any](l layout, id string, message T, forms eco.Forms, fill func(w *writer, root *etree.Element, message *T), read func([]byte, eco.Forms) (T, []eco.Finding, error)) ([]byte, error) {
	doc, err := write(string(l.document), namespaceOf(string(l.document)), func(w *writer, root *etree.Element) {
		w.forms = forms
		fill(w, root, &message)
	})
	if err != nil {
		return nil, fmt.Errorf("marshal %s %q: %w", l.matter, id, err)
	}
	back, _, err := read(doc, forms)
	if err != nil {
		return nil, fmt.Errorf("marshal %s %q: reading it back: %w", l.matter, id, err)
	}
	if field := difference("", reflect.ValueOf(message), reflect.ValueOf(back)); field != "" {
		return nil, fmt.Errorf("marshal %s %q: %s: a document cannot carry this value", l.matter, id, field)
	}
	return doc, nil
}

// head writes what comes before the matter: the place for the signature, more extensions if there are any, identifiers, and when
// it was said.
func (w *writer) head(root *etree.Element, l layout, s *eco.Statement, extend func(extensions *etree.Element)) {
	root.CreateAttr("xmlns:ext", nsExt)
	w.group(root, "ext:UBLExtensions", func(e *etree.Element) {
		content := w.extension(e, 1, signatureURI)
		signatures := content.CreateElement("sig:UBLDocumentSignatures")
		signatures.CreateAttr("xmlns:sig", nsSig)
		signatures.CreateAttr("xmlns:sac", nsSac)
		signatures.CreateAttr("xmlns:sbc", nsSbc)
		information := signatures.CreateElement("sac:SignatureInformation")
		w.leaf(information, "cbc:ID", signatureInformationID)
		w.leaf(information, "sbc:ReferencedSignatureID", l.signatureID())
		if extend != nil {
			extend(e)
		}
	})
	w.leaf(root, "cbc:UBLVersionID", l.version)
	w.leaf(root, "cbc:CustomizationID", "urn:ecogate:ubl-"+l.matter+":1")
	w.leaf(root, "cbc:ProfileID", profilePrefix+l.matter+":1")
	w.must(root, "cbc:ID", s.ID, "id")
	w.instant(root, s.IssueTime, "issue_time")
}

// signatureID is the cac:Signature that the signature extension refers to (UBL 2.1 ch. 5).
func (l layout) signatureID() string {
	return "urn:oasis:names:specification:ubl:signature:" + string(l.document)
}

// signature writes the business signature that says where the other one is.
func (w *writer) signature(root *etree.Element, l layout, s *eco.Statement) {
	w.group(root, "cac:Signature", func(e *etree.Element) {
		w.leaf(e, "cbc:ID", l.signatureID())
		w.leaf(e, "cbc:SignatureMethod", signatureURI)
		w.group(e, "cac:SignatoryParty", func(e *etree.Element) { w.names(e, s.Authority.Name) })
	})
}

// parties writes who speaks and, since documents name a receiver, the issuing body or what is known of it: whom a message
// goes to is for ebMS to say.
func (w *writer) parties(root *etree.Element, s *eco.Statement, sender, receiver string) {
	w.authority(root, sender, &s.Authority, "authority")
	w.group(root, receiver, func(e *etree.Element) { w.answered(e, &s.Certificate) })
}
