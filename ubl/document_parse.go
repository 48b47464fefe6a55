package ubl

import (
	"fmt"
	"strings"

	"github.com/ecogate/ecogate/eco"
)

// document reads the document element. Where our own extension is present it decides about what it holds; otherwise the
// document is a partner's, and the same is looked for where partners put it.
func (r *reader) document(root *node, c *eco.Certificate) {
	r.skip(root, "cbc:UBLVersionID", "cbc:CustomizationID", "cbc:ProfileExecutionID", "cac:Signature")
	own := r.extensions(root)
	c.Reference = r.token(r.must(root, "cbc:ID"))
	c.UUID = r.token(r.child(root, "cbc:UUID"))
	c.IssuedAt = r.date(r.child(root, "cbc:IssueDate"))
	c.IssueTime = r.token(r.child(root, "cbc:IssueTime"))
	c.Version = r.version(r.child(root, "cbc:VersionID"))
	application := r.must(root, "cac:CertificateOfOriginApplication")
	endorsement := r.must(root, "cac:IssuerEndorsement")
	if r.err != nil {
		return
	}
	c.Status = eco.DocumentStatus(r.token(r.child(application, "cbc:ApplicationStatusCode")))
	c.IssuingCountry = r.country(r.must(application, "cac:IssuingCountry"))
	shipment := r.must(application, "cac:Shipment")
	r.parties(c, root, application, r.first(shipment, "cac:Consignment"), own != nil)
	c.IssuingBody = r.issuer(r.must(application, "cac:IssuerParty"))
	r.shipment(shipment, c)
	r.references(application, c)
	r.declaration(application, c)
	r.certification(endorsement, c)
	r.skip(application, "cac:PreparationParty", "cbc:OriginalJobID", "cbc:PreviousJobID")
	if own != nil {
		r.origin(own, application, c)
	} else {
		r.foreign(root, application, c)
	}
	r.skip(root, "cbc:ProfileID")
	r.skip(application, "cbc:CertificateType", "cbc:ReferenceID", "cbc:Remarks")
}

// version reads the number of this issue of the certificate; partners also write it in other ways.
func (r *reader) version(n *node) int {
	if n == nil {
		return 0
	}
	v, err := number(r.token(n))
	if err != nil {
		r.note(n, fmt.Sprintf("want the version as a whole number, found %.40q: not read", n.text), "check which version this is")
		return 0
	}
	return v
}

// parties reads exporter, consignee and importer. Partners put them at the document, the application or the consignment.
func (r *reader) parties(c *eco.Certificate, root, application, consignment *node, own bool) {
	if exporter := r.party(r.nearest("cac:ExporterParty", root, application, consignment)); exporter != nil {
		c.Exporter = *exporter
	}
	importer := r.party(r.nearest("cac:ImporterParty", root, application, consignment))
	consignee := r.party(r.child(consignment, "cac:ConsigneeParty"))
	switch {
	case consignee == nil && importer != nil:
		c.Consignee = *importer
	case consignee != nil && importer != nil && !own && consignee.Name == importer.Name:
		c.Consignee = *importer // Partners repeat the importer as consignee, often by name only.
	case consignee != nil:
		c.Consignee, c.Importer = *consignee, importer
	}
}

// nearest is the child of that name in the first place that has one.
func (r *reader) nearest(name string, places ...*node) *node {
	for i, place := range places {
		if n := r.child(place, name); n != nil {
			if i > 0 {
				r.note(n, "a party read from here instead of from the document", "")
			}
			return n
		}
	}
	return nil
}

// issuer reads who certifies; our own extension, when there is one, tells its identifiers later.
func (r *reader) issuer(n *node) eco.IssuingBody {
	var body eco.IssuingBody
	for _, identification := range r.all(n, "cac:PartyIdentification") {
		id := r.child(identification, "cbc:ID")
		switch scheme := id.attribute("schemeID"); {
		case scheme == schemeOffice:
			body.Office = r.token(id)
		case scheme == schemeBody || body.ID == "":
			body.ID = r.token(id)
		}
	}
	body.Name = r.text(r.at(r.first(n, "cac:PartyName"), "cbc:Name"))
	body.Address = r.address(n)
	return body
}

// declaration reads the exporter's declaration from the endorser that is the exporter, or the only one.
func (r *reader) declaration(application *node, c *eco.Certificate) {
	endorsers := r.all(application, "cac:EndorserParty")
	for _, endorser := range endorsers {
		if role := r.token(r.child(endorser, "cbc:RoleCode")); !strings.EqualFold(role, exporterRole.code) && len(endorsers) > 1 {
			endorser.read = false
			continue
		}
		c.Declaration.Name = r.endorser(endorser)
		c.Declaration.Place = r.text(r.at(endorser, "cac:Party", "cac:PostalAddress", "cbc:CityName"))
		return
	}
}

// endorser is the name of the person who signs.
func (r *reader) endorser(n *node) string {
	r.skip(n, "cbc:RoleCode", "cbc:SequenceNumeric")
	r.skip(r.child(n, "cac:Party"), "cac:PartyName", "cac:PartyIdentification")
	return r.text(r.at(n, "cac:SignatoryContact", "cbc:Name"))
}

// certification reads the issuing body's box. Its number must be the certificate's.
func (r *reader) certification(n *node, c *eco.Certificate) {
	id := r.child(n, "cbc:DocumentID")
	if repeated := r.token(id); repeated != "" && repeated != c.Reference {
		r.note(id, fmt.Sprintf("want the certificate's number %.60q, found %.60q", c.Reference, repeated), "ask the issuer which number holds")
	}
	endorser := r.child(n, "cac:EndorserParty")
	c.Certification.Officer = r.endorser(endorser)
	address := r.at(endorser, "cac:Party", "cac:PostalAddress")
	c.Certification.Place = r.text(r.child(address, "cbc:CityName"))
	c.Certification.Remarks = r.joined(r.all(n, "cbc:Remarks"))
	r.skip(address, "cac:Country")
	r.skip(n, "cbc:ApprovalStatus", "cac:Signature")
}

// joined is the text of elements that repeat, one a line.
func (r *reader) joined(nodes []*node) string {
	lines := make([]string, 0, len(nodes))
	for _, n := range nodes {
		lines = append(lines, r.text(n))
	}
	return strings.Join(lines, "\n")
}
