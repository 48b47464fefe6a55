package ubl

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/beevik/etree"

	"github.com/ecogate/ecogate/eco"
)

// document writes the children of the document element in the order of UBL 2.1 CertificateOfOriginType.
func (w *writer) document(root *etree.Element, c *eco.Certificate, form eco.Form) {
	w.extensions(root, c)
	w.leaf(root, "cbc:UBLVersionID", ublVersion)
	w.leaf(root, "cbc:CustomizationID", customization)
	w.leaf(root, "cbc:ProfileID", profile(form.Code))
	w.must(root, "cbc:ID", c.Reference, "reference")
	w.leaf(root, "cbc:UUID", c.UUID)
	w.date(root, "cbc:IssueDate", c.IssuedAt)
	w.leaf(root, "cbc:IssueTime", c.IssueTime)
	if c.Version != 0 {
		w.leaf(root, "cbc:VersionID", strconv.Itoa(c.Version))
	}
	w.party(root, "cac:ExporterParty", &c.Exporter, "exporter")
	w.party(root, "cac:ImporterParty", importer(c), "consignee")
	w.application(root, c, form)
	w.endorsement(root, c)
}

// profile is the ProfileID of a form; its number rises when the mapping of the form changes incompatibly.
func profile(code eco.FormCode) string { return profilePrefix + strings.ToLower(string(code)) + ":1" }

// importer is the party that goes into ImporterParty: the consignee, unless the certificate names an importer too.
func importer(c *eco.Certificate) *eco.Party {
	if c.Importer != nil {
		return c.Importer
	}
	return &c.Consignee
}

// application writes what the exporter applied for. The schema requires numbers of an application, which not every
// issuing system has: the certificate's own number stands in.
func (w *writer) application(root *etree.Element, c *eco.Certificate, form eco.Form) {
	number := c.Application
	if number == "" {
		number = c.Reference
	}
	e := root.CreateElement("cac:CertificateOfOriginApplication")
	w.must(e, "cbc:ReferenceID", number, "reference")
	w.leaf(e, "cbc:CertificateType", form.Title)
	w.leaf(e, "cbc:ApplicationStatusCode", string(c.Status), "listID", listStatus)
	w.leaf(e, "cbc:OriginalJobID", number)
	// UBL 2.1 IND7, IND8: of two Remarks only one may go without language. That one is the certificate's own.
	w.leaf(e, "cbc:Remarks", c.Remarks)
	w.leaf(e, "cbc:Remarks", inWords(c, form), "languageID", "en")
	w.shipment(e, c)
	w.group(e, "cac:EndorserParty", func(e *etree.Element) {
		w.endorser(e, exporterRole, c.Declaration.Name, "declaration.name", func(party *etree.Element) {
			w.names(party, c.Exporter.Name)
			w.group(party, "cac:PostalAddress", func(a *etree.Element) { w.leaf(a, "cbc:CityName", c.Declaration.Place) })
		})
	})
	w.group(e, "cac:PreparationParty", func(e *etree.Element) { w.names(e, c.Exporter.Name) })
	w.group(e, "cac:IssuerParty", func(e *etree.Element) { w.issuer(e, c.IssuingBody) })
	if c.IssuingCountry == "" {
		w.fail(fmt.Errorf("issuing_country: a document needs it, found nothing"))
	}
	w.country(e, "cac:IssuingCountry", c.IssuingCountry)
	w.references(e, c, form)
}

// issuer writes who certifies. The identifiers repeat the extension for readers that drop it.
func (w *writer) issuer(e *etree.Element, body eco.IssuingBody) {
	w.group(e, "cac:PartyIdentification", func(e *etree.Element) { w.leaf(e, "cbc:ID", body.ID, "schemeID", schemeBody) })
	w.group(e, "cac:PartyIdentification", func(e *etree.Element) { w.leaf(e, "cbc:ID", body.Office, "schemeID", schemeOffice) })
	w.group(e, "cac:PartyName", func(e *etree.Element) { w.must(e, "cbc:Name", body.Name, "issuing_body.name") })
	w.address(e, body.Address)
}

// endorserRole is in what quality, and in which order, somebody endorses a certificate.
type endorserRole struct{ code, sequence string }

var (
	exporterRole = endorserRole{"EXPORTER", "1"}
	issuerRole   = endorserRole{"ISSUER", "2"}
)

// endorser fills an EndorserParty with the role and the person who signs; field is what a certificate lacks without a
// person. party adds what is known of the organisation.
func (w *writer) endorser(e *etree.Element, as endorserRole, person, field string, party func(*etree.Element)) {
	w.leaf(e, "cbc:RoleCode", as.code, "listID", listRole)
	w.leaf(e, "cbc:SequenceNumeric", as.sequence)
	w.group(e, "cac:Party", party)
	w.group(e, "cac:SignatoryContact", func(e *etree.Element) { w.must(e, "cbc:Name", person, field) })
}

// endorsement writes the certification box and the business signature that the signature extension refers to.
func (w *writer) endorsement(root *etree.Element, c *eco.Certificate) {
	e := root.CreateElement("cac:IssuerEndorsement")
	w.leaf(e, "cbc:DocumentID", c.Reference)
	approval := "APPROVED"
	if c.Status == eco.StatusCancellation {
		approval = "CANCELLED"
	}
	w.leaf(e, "cbc:ApprovalStatus", approval)
	w.leaf(e, "cbc:Remarks", c.Certification.Remarks)
	w.group(e, "cac:EndorserParty", func(e *etree.Element) {
		w.endorser(e, issuerRole, c.Certification.Officer, "certification.officer", func(party *etree.Element) {
			w.names(party, c.IssuingBody.Name)
			w.group(party, "cac:PostalAddress", func(a *etree.Element) {
				w.leaf(a, "cbc:CityName", c.Certification.Place)
				w.country(a, "cac:Country", c.IssuingCountry)
			})
		})
	})
	w.group(e, "cac:Signature", func(e *etree.Element) {
		w.leaf(e, "cbc:ID", endorsementID)
		w.leaf(e, "cbc:SignatureMethod", signatureURI)
		w.group(e, "cac:SignatoryParty", func(e *etree.Element) { w.names(e, c.IssuingBody.Name) })
	})
}
