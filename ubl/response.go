package ubl

import (
	"fmt"
	"strconv"

	"github.com/beevik/etree"

	"github.com/ecogate/ecogate/eco"
)

// customsCodes say what became of an item (UNCL 1373, document status). The first code of a status is the one that is
// written; 14 and 15 are 12 and 13 of a certificate that was lodged before the declaration and not with it.
var customsCodes = []struct {
	status eco.CustomsStatus
	code   string
}{
	{eco.CustomsAccepted, "1"},
	{eco.CustomsSuspended, "3"},
	{eco.CustomsDenied, "8"},
	{eco.CustomsUsedUp, "12"},
	{eco.CustomsUsedInPart, "13"},
	{eco.CustomsUsedUp, "14"},
	{eco.CustomsUsedInPart, "15"},
}

// typeDeclaration is the UNCL 1001 code of a goods declaration for importation.
const typeDeclaration = "929"

// attributeQuantity names the condition that says how much of an item was used.
const attributeQuantity = "QUANTITY-USED"

// attributeRefund names the condition that says that duty or guarantee is given back for an item.
const attributeRefund = "DUTY-REFUND"

// MarshalCustomsResponse writes r, about a certificate of one of forms, as UBL ApplicationResponse with a LineResponse for each item, in the subset of UBL 2.1 that every
// later 2.x contains: UTF-8, an element a line, with a place for the signature. Equal responses give equal octets.
//
// It loses nothing: UnmarshalCustomsResponse reads from its result a response equal to r (instants being equal in any zone, nil and
// empty lists too), or it returns an error that names the field that a document cannot carry. The rules of
// eco.ValidateCustomsResponse are not applied; a response without errors of those can always be written.
func MarshalCustomsResponse(r eco.CustomsResponse, forms eco.Forms) ([]byte, error) {
	return marshalMessage(responseLayout, r.ID, r, forms, (*writer).customsResponse, UnmarshalCustomsResponse)
}

// customsResponse writes the children of the document element in the order of UBL 2.1 ApplicationResponseType.
func (w *writer) customsResponse(root *etree.Element, r *eco.CustomsResponse) {
	w.head(root, responseLayout, &r.Statement, nil)
	w.leaf(root, "cbc:Note", r.Note)
	w.signature(root, responseLayout, &r.Statement)
	w.parties(root, &r.Statement, "cac:SenderParty", "cac:ReceiverParty")
	w.group(root, "cac:DocumentResponse", func(e *etree.Element) {
		w.group(e, "cac:Response", func(e *etree.Element) {
			w.leaf(e, "cbc:ResponseCode", summary(r.Items), "listID", listResponse)
		})
		w.certificate(e, "cac:DocumentReference", &r.Certificate)
		if r.Declaration != "" {
			w.group(e, "cac:DocumentReference", func(e *etree.Element) {
				w.must(e, "cbc:ID", r.Declaration, "declaration")
				w.leaf(e, "cbc:DocumentTypeCode", typeDeclaration, "listID", listDocumentType)
			})
		}
		w.outcomes(e, r.Items)
	})
}

// summary says the whole in one code, which the schema's Response needs and readers without interest in items look at: accepted,
// rejected, or conditionally accepted (UNCL 4343 AP, RE, CA).
func summary(items []eco.ItemOutcome) string {
	denied, granted := 0, 0
	for _, item := range items {
		switch item.Status {
		case eco.CustomsDenied:
			denied++
		case eco.CustomsSuspended:
		default:
			granted++
		}
	}
	switch len(items) {
	case granted:
		return "AP"
	case denied:
		return "RE"
	}
	return "CA"
}

// outcomes writes what became of each item.
func (w *writer) outcomes(e *etree.Element, items []eco.ItemOutcome) {
	for i, item := range items {
		w.group(e, "cac:LineResponse", func(e *etree.Element) {
			w.group(e, "cac:LineReference", func(e *etree.Element) { w.leaf(e, "cbc:LineID", strconv.Itoa(item.Item)) })
			w.group(e, "cac:Response", func(e *etree.Element) { w.outcome(e, &item, fmt.Sprintf("items[%d]", i)) })
		})
	}
}

func (w *writer) outcome(e *etree.Element, item *eco.ItemOutcome, field string) {
	code := ""
	for _, entry := range customsCodes {
		if entry.status == item.Status {
			code = entry.code
			break
		}
	}
	if code == "" {
		w.fail(fmt.Errorf("%s.status: want a known status, found %q", field, item.Status))
	}
	w.group(e, "cac:Status", func(e *etree.Element) {
		w.leaf(e, "cbc:ConditionCode", code, "listID", listCondition)
		if item.Quantity != nil {
			w.group(e, "cac:Condition", func(e *etree.Element) {
				w.leaf(e, "cbc:AttributeID", attributeQuantity)
				w.measure(e, "cbc:Measure", item.Quantity)
			})
		}
		if item.Refund {
			w.group(e, "cac:Condition", func(e *etree.Element) { w.leaf(e, "cbc:AttributeID", attributeRefund) })
		}
	})
	w.reasons(e, item.Reasons)
}
