package ubl

import (
	"fmt"

	"github.com/ecogate/ecogate/eco"
)

// references reads invoices, related certificates and other documents.
func (r *reader) references(application *node, c *eco.Certificate) {
	for _, n := range r.all(application, "cac:SupportingDocumentReference") {
		id, date := r.token(r.must(n, "cbc:ID")), r.date(r.child(n, "cbc:IssueDate"))
		code := r.token(r.child(n, "cbc:DocumentTypeCode"))
		relation, related := r.relation(n)
		switch {
		case related:
			issuer := r.child(n, "cac:IssuerParty")
			c.Related = append(c.Related, eco.RelatedCertificate{
				Relation: relation, Reference: id, Date: date,
				Body:    r.text(r.at(r.first(issuer, "cac:PartyName"), "cbc:Name")),
				Country: r.country(r.at(issuer, "cac:PostalAddress", "cac:Country")),
			})
		case code == typeInvoice:
			c.Invoices = append(c.Invoices, eco.Invoice{Number: id, Date: date, Issuer: r.party(r.child(n, "cac:IssuerParty"))})
		case code != "":
			c.Documents = append(c.Documents, eco.Document{Type: code, Number: id, Date: date})
		default:
			r.note(n, fmt.Sprintf("a document %.60q without type code, not read", id), "look at the document if it matters")
		}
		r.skip(n, "cbc:DocumentType")
	}
}

// relation tells whether n refers to a certificate that this one replaces, copies or builds on. Partners say it in the
// document type's words.
func (r *reader) relation(n *node) (eco.Relation, bool) {
	if status := r.child(n, "cbc:DocumentStatusCode"); status.attribute("listID") == listRelation {
		return eco.Relation(r.token(status)), true
	}
	words := r.token(r.first(n, "cbc:DocumentType"))
	for relation, spelled := range relationWords {
		if words == spelled {
			return relation, true
		}
	}
	return "", false
}
