package eco

import (
	"fmt"
	"slices"
)

// CustomsResponse is what the importing customs made of a certificate, item by item: the outcome, days or months after the
// certificate was received. It is what ATIGA OCP Rule 30 calls Customs Response: how far the certificate was used, soon
// after import, and with reasons why preference is denied, within 60 days of its receipt. A later response about an item
// stands for an earlier one, as when an issuing body has cleared up a doubt (Rule 30.4).
type CustomsResponse struct {
	Statement
	// Declaration is the number of the import declaration that cited the certificate; optional.
	Declaration string `json:"declaration,omitempty"`
	// Items are the outcomes, each item once. Items that are not listed are not decided by this response.
	Items []ItemOutcome `json:"items"`
}

// ItemOutcome is what became of one item.
type ItemOutcome struct {
	// Item is Item.Number, as printed on the certificate.
	Item   int           `json:"item"`
	Status CustomsStatus `json:"status"`
	// Quantity is how much of the item was used by now, all declarations together; optional.
	Quantity *Measure `json:"quantity,omitempty"`
	// Reasons say why preference is denied or the item suspended, the gravest first. An item that is used in part may have
	// them for what was not admitted.
	Reasons []Reason `json:"reasons,omitempty"`
	// Refund: the duty that was paid, or the guarantee that was given, for what was used is given back, since the preference was granted
	// after the goods were released. ATIGA OCP Rule 16.
	Refund bool `json:"refund,omitempty"`
}

// CustomsStatus is how an item stands with the importing customs.
type CustomsStatus string

// The outcomes, with the codes of UNCL 1373 (document status) that say them on the wire.
const (
	CustomsAccepted   CustomsStatus = "accepted"     // 1: preference is granted; nothing was written off
	CustomsUsedInPart CustomsStatus = "used-in-part" // 13, 15: not exhausted by declaration
	CustomsUsedUp     CustomsStatus = "used-up"      // 12, 14: exhausted by declaration
	CustomsDenied     CustomsStatus = "denied"       // 8: rejected
	CustomsSuspended  CustomsStatus = "suspended"    // 3: conditionally accepted; released on guarantee until a doubt is cleared up
)

// customsStatuses are all of them.
var customsStatuses = []CustomsStatus{CustomsAccepted, CustomsUsedInPart, CustomsUsedUp, CustomsDenied, CustomsSuspended}

// CustomsStatuses lists every CustomsStatus.
func CustomsStatuses() []CustomsStatus { return slices.Clone(customsStatuses) }

// ValidateCustomsResponse checks r by itself, about a certificate of one of forms, and returns what it finds, always in the same order; nil when there is nothing. A
// response with an error says too little, or two things at once, to act upon. The work is linear in its size.
func ValidateCustomsResponse(r CustomsResponse, forms Forms) []Finding {
	v := &validation{codes: forms.codes}
	v.checkStatement(&r.Statement, bodyRequired, forms)
	if len(r.Items) == 0 {
		v.fail(CodeText, "items", "want at least one item, found none", "say of each item what became of it")
	}
	v.checkOutcomes(r.Items)
	v.checkAllTexts(r)
	return v.findings
}

// CompareCustomsResponse checks r against the certificate that it is about: the items must be there, and no more of one be
// used than it has, as far as the units can be compared.
func CompareCustomsResponse(r CustomsResponse, c Certificate) []Finding {
	v := &validation{}
	for i, outcome := range r.Items {
		path := fmt.Sprintf("items[%d]", i)
		at := slices.IndexFunc(c.Items, func(item Item) bool { return item.Number == outcome.Item })
		if at < 0 {
			v.fail(CodeRelated, path+".item", fmt.Sprintf("want an item of certificate %s, found %d", c.Reference, outcome.Item), "use the item's number as printed")
			continue
		}
		has, used := c.Items[at].Quantity, outcome.Quantity
		if has == nil || used == nil {
			continue
		}
		if order, comparable := CompareMeasures(*used, *has); comparable && order > 0 {
			v.fail(CodeQuantity, path+".quantity", fmt.Sprintf("want at most %s %s, found %s %s", has.Value, has.Unit, used.Value, used.Unit), "check the declaration")
		}
	}
	return v.findings
}

// checkOutcomes looks at each outcome by itself and for items that stand there twice.
func (v *validation) checkOutcomes(outcomes []ItemOutcome) {
	if n := len(outcomes); n > MaxItems {
		v.fail(CodeText, "items", fmt.Sprintf("want at most %d items, found %d", MaxItems, n), "no form has so many")
	}
	seen := make(map[int]bool, len(outcomes))
	for i, outcome := range outcomes {
		path := fmt.Sprintf("items[%d]", i)
		switch {
		case outcome.Item < 1:
			v.fail(CodeText, path+".item", fmt.Sprintf("want an item's number, found %d", outcome.Item), "use the number as printed")
		case seen[outcome.Item]:
			v.fail(CodeText, path+".item", fmt.Sprintf("item %d is listed twice", outcome.Item), "say one thing of each item")
		}
		seen[outcome.Item] = true
		v.checkOutcome(path, outcome)
	}
}

func (v *validation) checkOutcome(path string, o ItemOutcome) {
	if !slices.Contains(customsStatuses, o.Status) {
		v.fail(CodeText, path+".status", fmt.Sprintf("want one of %s, found %q", list(customsStatuses), o.Status), "say one of these")
	}
	refused := o.Status == CustomsDenied || o.Status == CustomsSuspended
	switch n := len(o.Reasons); {
	case refused && n == 0:
		v.fail(CodeText, path+".reasons", fmt.Sprintf("want at least one reason for %q, found none", o.Status), "say why")
	case !refused && o.Status != CustomsUsedInPart && n > 0:
		v.fail(CodeText, path+".reasons", fmt.Sprintf("want no reasons for %q, found %d", o.Status, n), "deny or suspend it, or say it in the note")
	}
	v.checkReasonList(path+".reasons", o.Reasons)
	if o.Refund && refused {
		v.fail(CodeText, path+".refund", fmt.Sprintf("want no refund for %q", o.Status), "grant the preference, or leave the duty as it is")
	}
	if q := o.Quantity; q != nil {
		if err := q.Value.Valid(); err != nil {
			v.fail(CodeQuantity, path+".quantity.value", err.Error(), "write a number such as 1201.50")
		}
		if !unitPattern.MatchString(q.Unit) {
			v.fail(CodeQuantity, path+".quantity.unit", fmt.Sprintf("want a code of UN/ECE Recommendation 20, found %q", q.Unit), "use a code such as KGM")
		}
	}
}
