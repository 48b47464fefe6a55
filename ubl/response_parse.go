package ubl

import (
	"fmt"

	"github.com/ecogate/ecogate/eco"
)

// UnmarshalCustomsResponse reads a customs response from the octets of an ApplicationResponse, which are those that its signature covers.
//
// It is strict about what is said, when, and of what: the error names the element by its path, what was wanted and what was found.
// What partners add or put elsewhere is kept apart as findings with code CodeStructure, all of them warnings. Whether the response
// says enough is for eco.ValidateCustomsResponse.
func UnmarshalCustomsResponse(doc []byte, forms eco.Forms) (eco.CustomsResponse, []eco.Finding, error) {
	return unmarshalMessage(responseLayout, doc, forms, (*reader).customsResponse)
}

func (r *reader) customsResponse(root *node, c *eco.CustomsResponse) {
	r.head(root, responseLayout, &c.Statement, "")
	r.skip(root, "cac:ReceiverParty")
	c.Authority = r.authority(r.must(root, "cac:SenderParty"))
	response := r.must(root, "cac:DocumentResponse")
	if r.err != nil {
		return
	}
	r.skip(r.must(response, "cac:Response"), "cbc:ResponseCode")
	certificate, declaration := r.referred(response)
	if r.err != nil {
		return
	}
	c.Certificate = r.answered(certificate)
	c.Declaration = r.token(r.child(declaration, "cbc:ID"))
	c.Items = r.outcomes(response)
}

// referred tells the reference to the certificate from that to the import declaration, nil if there is none.
func (r *reader) referred(response *node) (certificate, declaration *node) {
	for _, n := range r.all(response, "cac:DocumentReference") {
		code, is := r.ofList(r.child(n, "cbc:DocumentTypeCode"), listDocumentType)
		which, what := &certificate, "at most one certificate"
		if is && code == typeDeclaration {
			which, what = &declaration, "at most one import declaration"
		}
		if *which != nil {
			r.fail(n, what, "a second")
			return nil, nil
		}
		*which = n
	}
	if certificate == nil {
		r.fail(&node{name: "cac:DocumentReference", parent: response}, "the certificate", "none")
	}
	return certificate, declaration
}

// outcomes reads what became of each item.
func (r *reader) outcomes(response *node) (items []eco.ItemOutcome) {
	for _, line := range r.all(response, "cac:LineResponse") {
		if len(items) == eco.MaxItems {
			r.fail(line, fmt.Sprintf("at most %d items", eco.MaxItems), "more")
			return nil
		}
		item := eco.ItemOutcome{Item: r.place(r.must(r.must(line, "cac:LineReference"), "cbc:LineID"))}
		r.outcome(r.must(line, "cac:Response"), &item)
		items = append(items, item)
	}
	return items
}

func (r *reader) outcome(n *node, item *eco.ItemOutcome) {
	statuses := r.all(n, "cac:Status")
	for _, status := range statuses {
		if condition := r.child(status, "cbc:ConditionCode"); condition != nil {
			if item.Status != "" {
				r.fail(condition, "one status of an item", "a second")
				return
			}
			item.Status = r.customsStatus(condition)
		}
		for _, condition := range r.all(status, "cac:Condition") {
			r.condition(condition, item)
		}
	}
	if n != nil && item.Status == "" {
		r.fail(&node{name: "cac:Status", parent: n}, "a status with a ConditionCode", "none")
	}
	item.Reasons = r.reasons(statuses)
	r.skip(n, "cbc:ResponseCode")
}

func (r *reader) customsStatus(n *node) eco.CustomsStatus {
	code, is := r.ofList(n, listCondition)
	for _, entry := range customsCodes {
		if is && entry.code == code {
			return entry.status
		}
	}
	r.fail(n, "1, 3, 8 or 12 to 15 of list "+listCondition, fmt.Sprintf("%.40q of list %.40q", code, n.attribute("listID")))
	return ""
}

// condition reads how much of an item was used, and whether duty is given back; conditions of other names are reported.
func (r *reader) condition(n *node, item *eco.ItemOutcome) {
	switch r.token(r.must(n, "cbc:AttributeID")) {
	case attributeQuantity:
		if item.Quantity != nil {
			r.fail(n, "one quantity of an item", "a second")
		}
		item.Quantity = r.measure(r.must(n, "cbc:Measure"))
	case attributeRefund:
		item.Refund = true
	default:
		n.read = false
	}
}
