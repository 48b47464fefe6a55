package ubl

import (
	"cmp"
	"encoding/base64"
	"strings"

	"github.com/beevik/etree"

	"github.com/ecogate/ecogate/eco"
)

// reference is one SupportingDocumentReference, whatever it refers to.
type reference struct {
	id     string
	date   eco.Date
	code   string // UNCL 1001
	title  string // DocumentType: the type in words
	status string // DocumentStatusCode: the relation to another certificate
	// isOriginal says that what is referred to is no copy; only said of the original of a copy.
	isOriginal bool
	issuer     *eco.Party
	field      string // of the issuer, in the certificate

	uri, hash, algorithm, mediaType, fileName string // ExternalReference

	originCountry, exporterCode string // only in the extension
}

// references lists invoices, related certificates, other documents, the page for verification and the attachments, in that
// order. The extension tells of some of them by their positions in it.
func references(c *eco.Certificate, form eco.Form, attachments []Attachment) []reference {
	list := make([]reference, 0, len(c.Invoices)+len(c.Related)+len(c.Documents)+1+len(attachments))
	for _, invoice := range c.Invoices {
		r := reference{id: invoice.Number, date: invoice.Date, code: typeInvoice, issuer: invoice.Issuer, field: "invoices.issuer"}
		if invoice.Issuer != nil {
			r.title = "THIRD COUNTRY INVOICE"
		}
		list = append(list, r)
	}
	for _, related := range c.Related {
		list = append(list, relatedReference(related, form))
	}
	for _, document := range c.Documents {
		list = append(list, reference{id: document.Number, date: document.Date, code: document.Type, title: document.Title})
	}
	if v := c.Verification; v.URL != "" {
		list = append(list, reference{id: cmp.Or(v.Code, v.URL), title: titleVerification, uri: v.URL})
	}
	for _, attachment := range attachments {
		list = append(list, reference{
			id: cmp.Or(strings.TrimSpace(attachment.Name), attachment.URI), title: titleAttachment,
			uri: attachment.URI, hash: base64.StdEncoding.EncodeToString(attachment.SHA256[:]), algorithm: hashSHA256,
			mediaType: attachment.ContentType, fileName: attachment.Name,
		})
	}
	return list
}

// relatedReference refers to another certificate. DocumentStatusCode tells it from supporting documents of the same type; the
// form of the other certificate is taken to be this one's.
func relatedReference(related eco.RelatedCertificate, form eco.Form) reference {
	return reference{
		id: related.Reference, date: related.Date, code: form.DocumentType,
		title: relationWords[related.Relation], status: string(related.Relation),
		isOriginal: related.Relation == eco.RelationTrueCopyOf,
		issuer:     &eco.Party{Name: related.Body, Address: eco.Address{Country: related.Country}}, field: "related.body",
		originCountry: related.OriginCountry, exporterCode: related.ExporterCode,
	}
}

// reference writes r in the order of UBL 2.1 DocumentReferenceType.
func (w *writer) reference(e *etree.Element, r *reference) {
	w.must(e, "cbc:ID", r.id, "the number of a document that is referred to")
	if r.isOriginal {
		w.leaf(e, "cbc:CopyIndicator", "false")
	}
	w.date(e, "cbc:IssueDate", r.date)
	w.leaf(e, "cbc:DocumentTypeCode", r.code, "listID", listDocumentType)
	w.leaf(e, "cbc:DocumentType", r.title)
	if !w.isOld() {
		w.leaf(e, "cbc:DocumentStatusCode", r.status, "listID", listRelation)
	}
	w.group(e, "cac:Attachment", func(e *etree.Element) {
		w.group(e, "cac:ExternalReference", func(e *etree.Element) {
			w.leaf(e, "cbc:URI", r.uri)
			w.leaf(e, "cbc:DocumentHash", r.hash)
			if !w.isOld() {
				w.leaf(e, "cbc:HashAlgorithmMethod", r.algorithm)
				w.leaf(e, "cbc:MimeCode", r.mediaType)
				w.leaf(e, "cbc:FileName", r.fileName)
			}
		})
	})
	if !w.isOld() {
		w.issuerOf(e, r)
	}
}

// issuerOf writes who issued a document. The body of a related certificate may be known by its country alone.
func (w *writer) issuerOf(e *etree.Element, r *reference) {
	switch {
	case r.issuer == nil:
	case r.status != "" && r.issuer.Name == "":
		w.group(e, "cac:IssuerParty", func(e *etree.Element) { w.address(e, r.issuer.Address) })
	default:
		w.party(e, "cac:IssuerParty", r.issuer, r.field)
	}
}
