package ubl

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"

	"github.com/beevik/etree"

	"github.com/ecogate/ecogate/eco"
)

// document writes the children of the document element in the order of UBL 2.1 CertificateOfOriginType.
func (w *writer) document(root *etree.Element, c *eco.Certificate, form eco.Form, references []reference) {
	w.extensions(root, c, form, references)
	w.leaf(root, "cbc:UBLVersionID", string(w.version))
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
	w.application(root, c, form, references)
	w.endorsement(root, c)
	w.further(root, "cac:EmbassyEndorsement", embassyRole, c.Embassy, "embassy_endorsement")
	w.further(root, "cac:InsuranceEndorsement", insurerRole, c.Insurance, "insurance_endorsement")
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
func (w *writer) application(root *etree.Element, c *eco.Certificate, form eco.Form, references []reference) {
	number := cmp.Or(c.Application, c.Reference)
	e := root.CreateElement("cac:CertificateOfOriginApplication")
	w.must(e, "cbc:ReferenceID", number, "reference")
	w.leaf(e, "cbc:CertificateType", form.Title)
	w.leaf(e, "cbc:ApplicationStatusCode", string(c.Status), "listID", listStatus)
	w.leaf(e, "cbc:OriginalJobID", cmp.Or(c.Job, number))
	w.leaf(e, "cbc:PreviousJobID", c.PreviousJob)
	w.remarks(e, c, form)
	w.shipment(e, c, form)
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
	for _, entry := range c.Copies {
		w.group(e, "cac:DocumentDistribution", func(e *etree.Element) { w.copies(e, entry) })
	}
	for i := range references {
		w.group(e, "cac:SupportingDocumentReference", func(e *etree.Element) { w.reference(e, &references[i]) })
	}
}

// remarks writes the certificate's own and, for people, what the extension says. UBL 2.1 IND7, IND8: of two Remarks only one
// may go without language, which is the certificate's own. UBL 2.0 has one: the extension tells where its own part ends.
func (w *writer) remarks(e *etree.Element, c *eco.Certificate, form eco.Form) {
	words := inWords(c, form)
	if w.isOld() && c.Remarks != "" && words != "" {
		w.leaf(e, "cbc:Remarks", c.Remarks+"\n"+words)
		return
	}
	w.leaf(e, "cbc:Remarks", c.Remarks)
	w.leaf(e, "cbc:Remarks", words, "languageID", "en")
}

// copies writes for whom copies were issued.
func (w *writer) copies(e *etree.Element, entry eco.Copy) {
	w.must(e, "cbc:PrintQualifier", entry.Qualifier, "copies.qualifier")
	w.leaf(e, "cbc:MaximumCopiesNumeric", strconv.Itoa(entry.Count))
	if strings.TrimSpace(entry.For) == "" {
		w.fail(fmt.Errorf("copies.for: a document needs it, found nothing"))
	}
	w.group(e, "cac:Party", func(e *etree.Element) { w.names(e, entry.For) })
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
	embassyRole  = endorserRole{"EMBASSY", "3"}
	insurerRole  = endorserRole{"INSURER", "4"}
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
	w.leaf(e, "cbc:ApprovalStatus", approval(c.Status))
	w.leaf(e, "cbc:Remarks", c.Certification.Remarks)
	w.leaf(e, "cbc:Remarks", certified(c), "languageID", "en")
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

// The values of ApprovalStatus.
const (
	approved  = "APPROVED"
	cancelled = "CANCELLED"
)

func approval(status eco.DocumentStatus) string {
	if status == eco.StatusCancellation {
		return cancelled
	}
	return approved
}

// certified is what the certification box of a copy says in words: ATIGA OCP Rule 12 asks for them and the original's date.
func certified(c *eco.Certificate) string {
	if c.Status != eco.StatusTrueCopy {
		return ""
	}
	for _, related := range c.Related {
		if related.Relation == eco.RelationTrueCopyOf {
			return join("CERTIFIED TRUE COPY OF", related.Reference, related.Date.String())
		}
	}
	return "CERTIFIED TRUE COPY"
}

// further writes the endorsement of somebody else than the issuing body; field is its name in the certificate.
func (w *writer) further(root *etree.Element, name string, as endorserRole, endorsement *eco.Endorsement, field string) {
	if endorsement == nil {
		return
	}
	w.group(root, name, func(e *etree.Element) {
		w.must(e, "cbc:DocumentID", endorsement.Number, field+".number")
		w.must(e, "cbc:ApprovalStatus", endorsement.Status, field+".status")
		w.leaf(e, "cbc:Remarks", endorsement.Remarks)
		w.group(e, "cac:EndorserParty", func(e *etree.Element) {
			w.endorser(e, as, endorsement.Officer, field+".officer", func(party *etree.Element) {
				w.group(party, "cac:PartyName", func(e *etree.Element) { w.must(e, "cbc:Name", endorsement.Body, field+".body") })
				w.group(party, "cac:PostalAddress", func(a *etree.Element) {
					w.leaf(a, "cbc:CityName", endorsement.Place)
					w.country(a, "cac:Country", endorsement.Country)
				})
			})
		})
	})
}
