package ubl

import (
	"encoding/base64"
	"fmt"
	"strings"

	"github.com/ecogate/ecogate/eco"
)

// references reads invoices, related certificates, other documents, the page for verification, and attachments.
func (r *reader) references(application *node, result *Reading) {
	besides := r.besides()
	list := r.all(application, "cac:SupportingDocumentReference")
	for i, n := range list {
		r.reference(n, r.joinReference(n, besides[i+1]), result)
		delete(besides, i+1)
	}
	for position, n := range besides {
		r.fail(n, fmt.Sprintf("the position of a document reference, 1 to %d", len(list)), fmt.Sprint(position))
		return
	}
}

// besides are what our own extension says of document references, by their positions.
func (r *reader) besides() map[int]*node {
	all := r.all(r.own, "eco:SupportingDocument")
	besides := make(map[int]*node, len(all))
	for _, n := range all {
		position, err := number(n.attribute("position"))
		if err != nil || besides[position] != nil {
			r.fail(n, "a position of its own", fmt.Sprintf("%.40q", n.attribute("position")))
			return nil
		}
		besides[position] = n
	}
	return besides
}

// joinReference reads one reference and what the extension says beside it, which may be nil.
func (r *reader) joinReference(n, beside *node) reference {
	external := r.at(n, "cac:Attachment", "cac:ExternalReference")
	issuer := r.either(n, beside, "cac:IssuerParty", "cac:IssuerParty")
	ref := reference{
		id:            r.token(r.must(n, "cbc:ID")),
		date:          r.date(r.child(n, "cbc:IssueDate")),
		code:          r.token(r.child(n, "cbc:DocumentTypeCode")),
		title:         r.text(r.first(n, "cbc:DocumentType")),
		uri:           r.token(r.child(external, "cbc:URI")),
		hash:          r.token(r.child(external, "cbc:DocumentHash")),
		algorithm:     r.token(r.either(external, beside, "cbc:HashAlgorithmMethod", "eco:HashAlgorithm")),
		mediaType:     r.text(r.either(external, beside, "cbc:MimeCode", "eco:MediaType")),
		fileName:      r.text(r.either(external, beside, "cbc:FileName", "eco:FileName")),
		issuer:        r.party(issuer),
		originCountry: r.token(r.child(beside, "eco:OriginCountry")),
		exporterCode:  r.token(r.child(beside, "eco:ExporterCode")),
	}
	status := r.either(n, beside, "cbc:DocumentStatusCode", "eco:Status")
	switch {
	case status == nil:
	case r.own != nil || status.attribute("listID") == listRelation:
		ref.status = r.token(status)
	case strings.EqualFold(r.token(status), "REPLACED"):
		ref.status = string(eco.RelationReplaces)
	default:
		status.read = false
	}
	if ref.status == "" && r.own == nil {
		ref.status = relationIn(ref.title)
	}
	if embedded := r.child(r.child(n, "cac:Attachment"), "cbc:EmbeddedDocumentBinaryObject"); embedded != nil {
		r.embedded(embedded)
	}
	if r.own != nil {
		r.skip(n, "cbc:CopyIndicator")
	}
	return ref
}

// either is the child of that name in the reference, or of the other name in the extension; both is one too many.
func (r *reader) either(n, beside *node, name, besideName string) *node {
	native, own := r.child(n, name), r.child(beside, besideName)
	if native != nil && own != nil {
		r.conflict(own, "want it here or at the document reference, found both")
	}
	if native != nil {
		return native
	}
	return own
}

// embedded tells of a document within the document, which belongs beside it, and is not taken out of the signed octets.
func (r *reader) embedded(n *node) {
	text := strings.Join(strings.Fields(n.text), "")
	r.note(n, fmt.Sprintf("an embedded document of about %d octets, type %.40q, not read", base64.StdEncoding.DecodedLen(len(text)), n.attribute("mimeCode")),
		"ask the sender to send it as a part of the message")
}

// relationIn tells whether words say that a certificate is one that this one replaces, copies or builds on.
func relationIn(words string) string {
	for relation, spelled := range relationWords {
		if strings.EqualFold(strings.TrimSpace(words), spelled) {
			return string(relation)
		}
	}
	return ""
}

// reference puts a reference where the certificate has it.
func (r *reader) reference(n *node, ref reference, result *Reading) {
	c := &result.Certificate
	isPart := len(ref.uri) >= 4 && strings.EqualFold(ref.uri[:4], "cid:")
	if isPart {
		r.attachment(n, ref, result)
	}
	switch {
	case ref.status != "":
		related := eco.RelatedCertificate{
			Relation: eco.Relation(ref.status), Reference: ref.id, Date: ref.date, OriginCountry: ref.originCountry, ExporterCode: ref.exporterCode,
		}
		if ref.issuer != nil {
			related.Body, related.Country = ref.issuer.Name, ref.issuer.Address.Country
		}
		r.within("related", len(c.Related), func() { r.is("", n) })
		c.Related = append(c.Related, related)
	case isPart && ref.title == titleAttachment && ref.code == "":
	case ref.code == typeInvoice:
		r.within("invoices", len(c.Invoices), func() { r.is("", n) })
		c.Invoices = append(c.Invoices, eco.Invoice{Number: ref.id, Date: ref.date, Issuer: ref.issuer})
	case ref.code != "":
		r.within("documents", len(c.Documents), func() { r.is("", n) })
		c.Documents = append(c.Documents, eco.Document{Type: ref.code, Title: ref.title, Number: ref.id, Date: ref.date})
	case ref.title == titleVerification && ref.uri != "":
		r.verification(n, ref, c)
	case !isPart:
		r.note(n, fmt.Sprintf("a document %.60q without type code, not read", ref.id), "look at the document if it matters")
	}
	if ref.uri != "" && !isPart && ref.uri != c.Verification.URL {
		r.note(n, fmt.Sprintf("a document elsewhere, at %.100q, not fetched", ref.uri), "ask the sender to send it as a part of the message")
	}
}

// verification reads where to ask about the certificate. The number that the schema demands repeats the address where there
// is no code.
func (r *reader) verification(n *node, ref reference, c *eco.Certificate) {
	v := eco.VerificationPage{URL: ref.uri, Code: ref.id}
	if v.Code == v.URL {
		v.Code = ""
	}
	if c.Verification.URL != "" && c.Verification != v {
		r.conflict(n, "want one page for verification, found another")
		return
	}
	c.Verification = v
	r.is("verification", n)
}

// attachment reads a reference to a part of the message. One without a digest, or with one that cannot be compared, would
// be a part that the signature of the document does not cover.
func (r *reader) attachment(n *node, ref reference, result *Reading) {
	a := Attachment{URI: ref.uri, Name: ref.fileName, ContentType: ref.mediaType}
	if ref.hash == "" {
		r.note(n, fmt.Sprintf("part %.80q is referred to without its digest", ref.uri), "ask the sender to add DocumentHash")
		return
	}
	if ref.algorithm != "" && ref.algorithm != hashSHA256 {
		r.fail(n, "HashAlgorithmMethod "+hashSHA256, fmt.Sprintf("%.80q", ref.algorithm))
		return
	}
	digest, ok := digestOf(ref.hash)
	if !ok {
		r.fail(n, "a SHA-256 digest in base64", fmt.Sprintf("%.60q", ref.hash))
		return
	}
	a.SHA256 = digest
	result.Attachments = append(result.Attachments, a)
}
