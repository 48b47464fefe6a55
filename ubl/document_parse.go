package ubl

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/ecogate/ecogate/eco"
)

// document reads the document element. Where our own extension is present it decides about what it holds; otherwise the
// document is a partner's, and the same is looked for where partners put it.
func (r *reader) document(root *node, result *Reading) {
	c := &result.Certificate
	result.Version = Version(r.token(r.child(root, "cbc:UBLVersionID")))
	r.skip(root, "cbc:CustomizationID", "cbc:ProfileExecutionID", "cac:Signature")
	r.own = r.extensions(root)
	c.Reference = r.token(r.is("reference", r.must(root, "cbc:ID")))
	c.UUID = r.token(r.is("uuid", r.child(root, "cbc:UUID")))
	c.IssuedAt = r.date(r.is("issue_date", r.child(root, "cbc:IssueDate")))
	c.IssueTime = r.token(r.is("issue_time", r.child(root, "cbc:IssueTime")))
	c.Version = r.version(r.is("version", r.child(root, "cbc:VersionID")))
	application := r.must(root, "cac:CertificateOfOriginApplication")
	endorsement := r.must(root, "cac:IssuerEndorsement")
	if r.err != nil {
		return
	}
	c.Status = r.status(application)
	c.IssuingCountry = r.country(r.is("issuing_country", r.must(application, "cac:IssuingCountry")))
	shipment := r.must(application, "cac:Shipment")
	consignment := r.only(shipment, "cac:Consignment")
	r.parties(c, root, application, consignment)
	c.IssuingBody = r.issuer(r.is("issuing_body", r.must(application, "cac:IssuerParty")))
	r.references(application, result)
	r.shipment(shipment, consignment, c)
	r.declaration(application, c)
	r.certification(endorsement, c)
	c.Embassy = r.further("embassy_endorsement", r.child(root, "cac:EmbassyEndorsement"))
	c.Insurance = r.further("insurance_endorsement", r.child(root, "cac:InsuranceEndorsement"))
	r.copies(application, c)
	r.skip(application, "cac:PreparationParty")
	if r.own != nil {
		r.origin(r.own, application, c)
	} else {
		r.foreign(root, application, c)
	}
	r.checkApproval(endorsement, c)
	r.skip(root, "cbc:ProfileID")
	r.skip(application, "cbc:CertificateType", "cbc:ReferenceID", "cbc:OriginalJobID", "cbc:Remarks")
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

// functions are the codes of UNCL 1225 (message function) that say what a document is for. That of a retransmission is no
// document's, which is the same, octet for octet.
var functions = map[string]eco.DocumentStatus{
	"1": eco.StatusCancellation, "5": eco.StatusReplacement, "9": eco.StatusOriginal, "18": eco.StatusReissue, "31": eco.StatusTrueCopy,
}

// status reads the function of the document. Partners' lists are not known, so theirs is taken if it is a word of ours. A
// number counts only if its list is named: 1 is a cancellation in UNCL 1225 and may be an original elsewhere.
func (r *reader) status(application *node) eco.DocumentStatus {
	n := r.is("status", r.child(application, "cbc:ApplicationStatusCode"))
	status := eco.DocumentStatus(r.token(n))
	if r.own != nil || status == "" {
		return status
	}
	spelled := eco.DocumentStatus(strings.ReplaceAll(strings.ToUpper(string(status)), " ", "-"))
	if function, known := functions[string(status)]; known && strings.HasSuffix(strings.TrimSpace(n.attribute("listID")), "1225") {
		spelled = function
	}
	if spelled != status {
		r.note(n, fmt.Sprintf("function %.40q, read as %s", status, spelled), "")
	}
	return spelled
}

// parties reads exporter, consignee and importer. Partners put them at the document, the application or the consignment.
func (r *reader) parties(c *eco.Certificate, root, application, consignment *node) {
	if exporter := r.partyAt("exporter", "cac:ExporterParty", root, application, consignment); exporter != nil {
		c.Exporter = *exporter
	}
	consignee := r.party(r.child(consignment, "cac:ConsigneeParty"))
	field := "consignee"
	if consignee != nil && r.own != nil {
		field = "importer"
	}
	importer := r.partyAt(field, "cac:ImporterParty", root, application, consignment)
	switch {
	case consignee == nil && importer != nil:
		c.Consignee = *importer
	case consignee != nil && importer != nil && r.own == nil && sameName(consignee.Name, importer.Name):
		c.Consignee = *importer // Partners repeat the importer as consignee, often by name only.
		r.repeats(consignment, "cac:ConsigneeParty", consignee, importer)
	case consignee != nil:
		r.is("consignee", r.child(consignment, "cac:ConsigneeParty"))
		c.Consignee, c.Importer = *consignee, importer
	}
	c.Notify = r.party(r.is("notify_party", r.child(consignment, "cac:NotifyParty")))
}

// partyAt reads a party that may stand in several places, of which the first that has it counts; the others must repeat it.
func (r *reader) partyAt(field, name string, places ...*node) *eco.Party {
	var party *eco.Party
	for i, place := range places {
		n := r.child(place, name)
		switch found := r.party(n); {
		case found == nil:
		case party != nil:
			r.repeats(place, name, found, party)
		default:
			party = found
			r.is(field, n)
			if i > 0 {
				r.note(n, "a party read from here instead of from the document", "")
			}
		}
	}
	return party
}

// repeats compares a party with the one that it repeats. Spelling differs between the places; who and where do not.
func (r *reader) repeats(place *node, name string, again, party *eco.Party) {
	n := r.child(place, name)
	switch {
	case !sameName(again.Name, party.Name):
		r.conflict(n, fmt.Sprintf("want %.60q as in the other place of this party, found %.60q", party.Name, again.Name))
	case again.Address.Country != "" && party.Address.Country != "" && again.Address.Country != party.Address.Country:
		r.conflict(n, fmt.Sprintf("want country %s as in the other place of this party, found %s", party.Address.Country, again.Address.Country))
	case len(again.Address.Lines) > 0 && !slices.Equal(again.Address.Lines, party.Address.Lines):
		r.note(n, "a party again, with another address that is not read", "compare both")
	}
}

// sameName compares names whatever their case and spacing.
func sameName(a, b string) bool {
	return strings.EqualFold(strings.Join(strings.Fields(a), " "), strings.Join(strings.Fields(b), " "))
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
	body.Name = r.partyName(n)
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
		r.is("declaration", endorser)
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
		r.conflict(id, fmt.Sprintf("want the certificate's number %.60q, found %.60q", c.Reference, repeated))
	}
	endorser := r.is("certification", r.child(n, "cac:EndorserParty"))
	c.Certification.Officer = r.endorser(endorser)
	address := r.at(endorser, "cac:Party", "cac:PostalAddress")
	c.Certification.Place = r.text(r.child(address, "cbc:CityName"))
	remarks := r.all(n, "cbc:Remarks")
	if r.own != nil { // The others repeat in words what is read elsewhere.
		remarks = slices.DeleteFunc(slices.Clone(remarks), func(n *node) bool { return n.attribute("languageID") != "" })
	}
	c.Certification.Remarks = r.joined(remarks)
	r.skip(address, "cac:Country")
	r.skip(n, "cac:Signature")
}

// checkApproval compares the endorsement's status with the document's function: a document that is cancelled by the one and
// not by the other must not be used. Partners also put the code here that their page for verification asks for.
func (r *reader) checkApproval(endorsement *node, c *eco.Certificate) {
	n := r.child(endorsement, "cbc:ApprovalStatus")
	said := strings.ToUpper(r.token(n))
	cancels := strings.HasPrefix(said, "CANCEL")
	switch {
	case said == "":
	case cancels != (c.Status == eco.StatusCancellation):
		r.conflict(n, fmt.Sprintf("want %s for status %q, found %.40q", approval(c.Status), c.Status, n.text))
	case strings.HasPrefix(said, "REJECT"), strings.HasPrefix(said, "DENIED"), strings.HasPrefix(said, "REVOKE"), strings.HasPrefix(said, "NOT "):
		r.conflict(n, fmt.Sprintf("want %s, found %.40q", approved, n.text))
	case said != approval(c.Status):
		r.note(n, fmt.Sprintf("want %s, found %.40q", approval(c.Status), n.text), "it may be a code to ask the issuing body with")
	}
}

// further reads the endorsement of somebody else than the issuing body.
func (r *reader) further(field string, n *node) *eco.Endorsement {
	if r.is(field, n) == nil {
		return nil
	}
	endorser := r.child(n, "cac:EndorserParty")
	party := r.child(endorser, "cac:Party")
	address := r.child(party, "cac:PostalAddress")
	e := &eco.Endorsement{
		Number: r.token(r.child(n, "cbc:DocumentID")), Status: r.token(r.child(n, "cbc:ApprovalStatus")),
		Remarks: r.joined(r.all(n, "cbc:Remarks")),
		Body:    r.partyName(party), Place: r.text(r.child(address, "cbc:CityName")),
		Country: r.country(r.child(address, "cac:Country")), Officer: r.endorser(endorser),
	}
	r.skip(n, "cac:Signature")
	return e
}

// copies reads for whom copies were issued.
func (r *reader) copies(application *node, c *eco.Certificate) {
	for i, n := range r.all(application, "cac:DocumentDistribution") {
		count := r.child(n, "cbc:MaximumCopiesNumeric")
		entry := eco.Copy{Qualifier: r.text(r.child(n, "cbc:PrintQualifier")), For: r.partyName(r.child(n, "cac:Party"))}
		if value, err := strconv.ParseInt(cmp.Or(r.token(count), "0"), 10, 32); err == nil {
			entry.Count = int(value)
		} else {
			r.fail(count, "a whole number", fmt.Sprintf("%.40q", count.text))
		}
		r.within("copies", i, func() { r.is("", n) })
		c.Copies = append(c.Copies, entry)
	}
}

// joined is the text of elements that repeat, one a line.
func (r *reader) joined(nodes []*node) string {
	if len(nodes) == 1 {
		return r.text(nodes[0])
	}
	lines := make([]string, 0, len(nodes))
	for _, n := range nodes {
		lines = append(lines, r.text(n))
	}
	return strings.Join(lines, "\n")
}
