package ubl

import (
	"github.com/beevik/etree"

	"github.com/ecogate/ecogate/eco"
)

// references writes invoices, related certificates and other documents, in that order, as SupportingDocumentReference.
func (w *writer) references(parent *etree.Element, c *eco.Certificate, form eco.Form) {
	for _, invoice := range c.Invoices {
		w.group(parent, "cac:SupportingDocumentReference", func(e *etree.Element) {
			w.must(e, "cbc:ID", invoice.Number, "invoices.number")
			w.date(e, "cbc:IssueDate", invoice.Date)
			w.leaf(e, "cbc:DocumentTypeCode", typeInvoice, "listID", listDocumentType)
			if invoice.Issuer != nil {
				w.leaf(e, "cbc:DocumentType", "THIRD COUNTRY INVOICE")
				w.party(e, "cac:IssuerParty", invoice.Issuer, "invoices.issuer")
			}
		})
	}
	for _, related := range c.Related {
		w.group(parent, "cac:SupportingDocumentReference", func(e *etree.Element) { w.related(e, related, form) })
	}
	for _, document := range c.Documents {
		w.group(parent, "cac:SupportingDocumentReference", func(e *etree.Element) {
			w.must(e, "cbc:ID", document.Number, "documents.number")
			w.date(e, "cbc:IssueDate", document.Date)
			w.leaf(e, "cbc:DocumentTypeCode", document.Type, "listID", listDocumentType)
		})
	}
}

// related writes a reference to another certificate. DocumentStatusCode tells it from supporting documents of the same
// type; the form of the other certificate is taken to be this one's.
func (w *writer) related(e *etree.Element, related eco.RelatedCertificate, form eco.Form) {
	w.must(e, "cbc:ID", related.Reference, "related.reference")
	w.date(e, "cbc:IssueDate", related.Date)
	w.leaf(e, "cbc:DocumentTypeCode", form.DocumentType, "listID", listDocumentType)
	w.leaf(e, "cbc:DocumentType", relationWords[related.Relation])
	w.must(e, "cbc:DocumentStatusCode", string(related.Relation), "related.relation", "listID", listRelation)
	w.group(e, "cac:IssuerParty", func(e *etree.Element) {
		w.names(e, related.Body)
		w.group(e, "cac:PostalAddress", func(e *etree.Element) { w.country(e, "cac:Country", related.Country) })
	})
}
