package eco

import (
	"fmt"
	"maps"
	"slices"
)

// invoiceType is the UNCL 1001 code of a commercial invoice.
const invoiceType = "380"

// statusRelations says which related certificate a document's function calls for.
var statusRelations = map[DocumentStatus]Relation{
	StatusReplacement:  RelationReplaces,
	StatusTrueCopy:     RelationTrueCopyOf,
	StatusCancellation: RelationCancels,
}

// relations are those that a certificate may state.
var relations = []Relation{RelationReplaces, RelationBackToBack, RelationTrueCopyOf, RelationCancels}

// statuses are those that a certificate may have.
var statuses = []DocumentStatus{"", StatusOriginal, StatusReplacement, StatusTrueCopy, StatusReissue, StatusCancellation}

func (v *validation) checkStatus() {
	if !slices.Contains(statuses, v.c.Status) {
		v.fail(CodeRelated, "status", fmt.Sprintf("want one of %q, found %q", statuses[1:], v.c.Status), "leave it out for an original")
	}
	if v.c.Version < 0 {
		v.fail(CodeText, "version", fmt.Sprintf("want 1 or more, found %d", v.c.Version), "leave it out for the first version")
	}
}

// checkInvoices looks at invoices, at the items' links to them, and at third-country invoicing.
func (v *validation) checkInvoices() {
	c := v.c
	numbers := make(map[string]bool, len(c.Invoices))
	var third *Invoice
	for i := range c.Invoices {
		invoice, path := &c.Invoices[i], fmt.Sprintf("invoices[%d]", i)
		if !filled(invoice.Number) {
			v.fail(CodeText, path+".number", "an invoice without a number", "state the number")
		} else if numbers[invoice.Number] {
			v.fail(CodeText, path+".number", fmt.Sprintf("%q is listed twice", invoice.Number), "list each invoice once")
		}
		numbers[invoice.Number] = true
		v.checkDate(path+".date", invoice.Date)
		if !c.IssuedAt.IsZero() && invoice.Date.After(c.IssuedAt) {
			v.warn(CodeDates, path+".date", fmt.Sprintf("want at most the issue date %s, found %s", c.IssuedAt, invoice.Date), "check both dates")
		}
		if invoice.Issuer != nil {
			third = invoice
			v.checkParty(path+".issuer", invoice.Issuer)
			v.checkInvoicer(path+".issuer", *invoice.Issuer)
		}
	}
	for i := range c.Items {
		for n, number := range c.Items[i].Invoices {
			if !numbers[number] {
				v.fail(CodeText, fmt.Sprintf("items[%d].invoices[%d]", i, n), fmt.Sprintf("want an invoice of this certificate, found %q", number), "list the invoice in invoices")
			}
		}
	}
	if !v.form.Offers(FlagThirdCountryInvoicing) {
		return
	}
	// ATIGA OCP Rule 23: the box is ticked, and name and country of the invoicing company are stated.
	switch ticked := c.Flags[FlagThirdCountryInvoicing]; {
	case ticked && third == nil:
		v.fail(CodeThirdParty, "invoices", "third-country invoicing without the invoicing company", "state name and country of the company as the invoice's issuer")
	case !ticked && third != nil:
		v.add(v.ruled("flags"), CodeThirdParty, "flags.THIRD_COUNTRY_INVOICING", fmt.Sprintf("invoice %q has an issuer of its own, the indicator is not set", third.Number), "set the indicator, or leave the issuer out")
	}
}

func (v *validation) checkInvoicer(path string, issuer Party) {
	if issuer.Address.Country == "" {
		v.fail(CodeThirdParty, path+".address.country", "want the country of the invoicing company, found none", "state it")
	}
	if v.c.ExportingCountry != "" && issuer.Address.Country == v.c.ExportingCountry {
		v.warn(CodeThirdParty, path+".address.country", "the invoicing company is in the exporting country", "leave the issuer out if the exporter invoices")
	}
}

// flagCodes are the codes of indicators that were not answered; those not listed have CodeText.
var flagCodes = map[Flag]string{
	FlagIssuedRetroactively:   CodeRetroactive,
	FlagThirdCountryInvoicing: CodeThirdParty,
	FlagBackToBack:            CodeBackToBack,
	FlagCertifiedTrueCopy:     CodeRelated,
	FlagPartialCumulation:     CodePercentage,
}

// checkFlags asks for an answer to each indicator of the form. UBL 2.1 IND6: absence has no meaning, so a box that was
// left empty is said to be false.
func (v *validation) checkFlags() {
	c := v.c
	for _, flag := range v.form.Flags {
		if _, answered := c.Flags[flag]; !answered {
			code := flagCodes[flag]
			if code == "" {
				code = CodeText
			}
			v.add(v.ruled("flags"), code, "flags."+string(flag), fmt.Sprintf("%s asks for true or false, found nothing", v.form.Code), "say false for a box without a tick")
		}
	}
	for _, flag := range slices.Sorted(maps.Keys(c.Flags)) {
		if v.known && !v.form.Offers(flag) {
			v.add(v.ruled("flags"), CodeForm, "flags."+string(flag), fmt.Sprintf("%s has no such indicator", v.form.Code), "leave it out")
		}
	}
	switch exhibited := c.Flags[FlagExhibition]; {
	case exhibited && (c.Exhibition == nil || !filled(c.Exhibition.Name)):
		v.fail(CodeText, "exhibition.name", "goods were exhibited, the exhibition is not named", "state name and place of the exhibition")
	case !exhibited && c.Exhibition != nil:
		v.fail(CodeText, "exhibition", "an exhibition is named, the indicator is not set", "set the indicator, or leave the exhibition out")
	}
	if c.Exhibition != nil {
		v.checkCountry("exhibition.country", c.Exhibition.Country)
	}
	if partial, ok := c.Flags[FlagPartialCumulation]; ok && v.form.Offers(FlagPartialCumulation) {
		v.checkPartialCumulation(partial)
	}
}

func (v *validation) checkPartialCumulation(ticked bool) {
	stated := slices.ContainsFunc(v.c.Items, func(i Item) bool { return i.hasCriterion("PC") })
	if ticked != stated {
		v.warn(CodePercentage, "flags.PARTIAL_CUMULATION", fmt.Sprintf("the indicator says %t, criterion PC is stated: %t", ticked, stated), "let indicator and criteria agree")
	}
}

// checkRelated compares related certificates with status and indicators.
func (v *validation) checkRelated() {
	c := v.c
	stated := map[Relation]bool{}
	for i, related := range c.Related {
		path := fmt.Sprintf("related[%d]", i)
		stated[related.Relation] = true
		if !slices.Contains(relations, related.Relation) {
			v.fail(CodeRelated, path+".relation", fmt.Sprintf("want one of %q, found %q", relations, related.Relation), "use a relation of the list")
		}
		code := CodeRelated
		if related.Relation == RelationBackToBack {
			code = CodeBackToBack
		}
		if NormaliseReference(related.Reference) == "" {
			v.fail(code, path+".reference", "the related certificate has no number", "state its number as printed")
		}
		v.checkDate(path+".date", related.Date)
		// ATIGA OCP Rules 11 and 12 ask for number and date of the original.
		if related.Date.IsZero() && (related.Relation == RelationBackToBack || related.Relation == RelationTrueCopyOf) {
			v.fail(code, path+".date", "the original's issue date is missing", "state the date that the original bears")
		}
		v.checkCountry(path+".country", related.Country)
		v.checkReissue(related)
	}
	if want, ok := statusRelations[c.Status]; ok && !stated[want] {
		v.fail(CodeRelated, "related", fmt.Sprintf("status %s calls for a certificate with relation %s", c.Status, want), "name that certificate")
	}
	if c.Status == StatusReissue && len(c.Related) == 0 {
		v.warn(CodeRelated, "related", "a re-issue that names no earlier certificate", "name it if the number changed")
	}
	if copied := c.Status == StatusTrueCopy; v.form.Offers(FlagCertifiedTrueCopy) && c.Flags[FlagCertifiedTrueCopy] != copied {
		v.add(v.ruled("flags"), CodeRelated, "flags.CERTIFIED_TRUE_COPY", fmt.Sprintf("the indicator says %t, the status is %q", !copied, c.Status), "let indicator and status agree")
	}
	if back := c.Flags[FlagBackToBack]; v.form.Offers(FlagBackToBack) && back != stated[RelationBackToBack] {
		severity := v.ruled("flags") // Whether the form has the box may be in doubt; whoever ticked it says that there is an original.
		if back {
			severity = SeverityError
		}
		v.add(severity, CodeBackToBack, "flags.BACK_TO_BACK", fmt.Sprintf("the indicator says %t, an original certificate is named: %t", back, !back), "name the original with relation BACK_TO_BACK_OF, and set the indicator")
	}
	v.checkDocuments()
}

// checkReissue finds a re-issue that comes too late after what it names. ATIGA OCP Rule 29(1): within a year of the original.
func (v *validation) checkReissue(related RelatedCertificate) {
	months := v.form.Clocks.ReissueMonths
	if v.c.Status != StatusReissue || months == 0 || related.Date.IsZero() || related.Relation == RelationBackToBack {
		return
	}
	if last := related.Date.AddMonths(months); v.c.IssuedAt.After(last) {
		v.add(v.ruled("clocks"), CodeDates, "issue_date", fmt.Sprintf("%s of %s is issued again until %s (%d months), found %s",
			related.Reference, related.Date, last, months, v.c.IssuedAt), "check both dates, or issue a certificate of its own")
	}
}

func (v *validation) checkDocuments() {
	for i, document := range v.c.Documents {
		path := fmt.Sprintf("documents[%d]", i)
		switch {
		case document.Type == invoiceType:
			v.fail(CodeText, path+".type", "an invoice among the other documents", "list it in invoices")
		case !documentTypePattern.MatchString(document.Type):
			v.fail(CodeText, path+".type", fmt.Sprintf("want a UNCL 1001 code, such as 830, found %q", document.Type), "use the code of the document's type")
		}
		if !filled(document.Number) {
			v.fail(CodeText, path+".number", "a document without a number", "state the number, or leave the document out")
		}
		v.checkDate(path+".date", document.Date)
	}
}
