package ubl

import (
	"fmt"
	"slices"
	"strings"

	"github.com/ecogate/ecogate/eco"
)

// extensions finds our own extension, or gives nil. Signatures are known, other extensions are reported.
func (r *reader) extensions(root *node) *node {
	var own *node
	for _, extension := range r.all(r.child(root, "ext:UBLExtensions"), "ext:UBLExtension") {
		content := r.child(extension, "ext:ExtensionContent")
		r.skip(extension, "cbc:ID", "ext:ExtensionURI")
		r.skip(content, "sig:UBLDocumentSignatures", "ds:Signature")
		details := r.child(content, "eco:OriginCertificateDetails")
		if details != nil && own != nil {
			r.fail(details, "at most one extension "+nsOrigin, "a second")
		}
		if details != nil {
			own = details
		}
	}
	return own
}

// origin reads our own extension.
func (r *reader) origin(n, application *node, c *eco.Certificate) {
	c.Form = eco.FormCode(r.token(r.is("form", r.must(n, "eco:FormCode"))))
	c.IssuingBody.ID = r.token(r.must(n, "eco:IssuingBodyID"))
	c.IssuingBody.Office = r.token(r.child(n, "eco:IssuingOffice"))
	c.Application = r.token(r.is("application", r.child(n, "eco:ApplicationReference")))
	c.Job = r.token(r.is("job", r.child(n, "eco:JobReference")))
	c.PreviousJob = r.token(r.is("previous_job", r.child(application, "cbc:PreviousJobID")))
	for _, indicator := range r.all(n, "eco:Indicator") {
		r.indicator(indicator, c)
	}
	c.Declaration.Date = r.date(r.child(n, "eco:DeclarationDate"))
	c.Declaration.Place = r.text(r.child(n, "eco:DeclarationPlace"))
	c.Transport.ShipmentDate = r.date(r.is("transport.shipment_date", r.child(n, "eco:ShipmentDate")))
	c.Transport.SailingDate = r.date(r.is("transport.sailing_date", r.child(n, "eco:SailingDate")))
	if e := r.is("exhibition", r.child(n, "eco:Exhibition")); e != nil {
		c.Exhibition = &eco.Exhibition{
			Name:    r.text(r.child(e, "eco:Name")),
			Address: r.text(r.child(e, "eco:Address")),
			Country: r.token(r.child(e, "eco:Country")),
		}
	}
	r.ownRemarks(n, application, c)
	r.itemValues(n, c)
}

// ownRemarks reads the certificate's remarks from the Remarks without language. Those of a document for UBL 2.0 may hold
// more; then the extension has the certificate's own, with which they must begin.
func (r *reader) ownRemarks(extension, application *node, c *eco.Certificate) {
	for _, remarks := range r.all(application, "cbc:Remarks") {
		if remarks.attribute("languageID") == "" {
			c.Remarks = r.text(r.is("remarks", remarks))
		}
	}
	if own := r.child(extension, "eco:Remarks"); own != nil {
		if !strings.HasPrefix(c.Remarks, r.text(own)+"\n") {
			r.conflict(own, "want the beginning of the application's remarks, found others")
		}
		c.Remarks = r.text(own)
	}
}

// itemValues reads the values of items whose units or currencies UBL 2.0 does not list.
func (r *reader) itemValues(extension *node, c *eco.Certificate) {
	for _, n := range r.all(extension, "eco:ItemMeasure") {
		i, found := r.itemAt(n, c)
		if !found {
			return
		}
		entries := itemMeasures(&c.Items[i])
		at := slices.IndexFunc(entries, func(e itemMeasure) bool { return e.name == n.attribute("name") })
		if at < 0 {
			r.fail(n, "gross_weight, net_weight or quantity", fmt.Sprintf("%.40q", n.attribute("name")))
			return
		}
		entry := entries[at]
		if *entry.measure != nil {
			r.conflict(n, "want it here or at the item, found both")
		}
		r.within("items", i, func() { *entry.measure = r.measure(r.is(entry.name, n)) })
	}
	for _, n := range r.all(extension, "eco:ItemAmount") {
		i, found := r.itemAt(n, c)
		if !found {
			return
		}
		if c.Items[i].FOB != nil {
			r.conflict(n, "want it here or at the item, found both")
		}
		r.within("items", i, func() { c.Items[i].FOB = r.amount(r.is("fob", n)) })
	}
}

// itemAt is the index of the item that a value of the extension is about.
func (r *reader) itemAt(n *node, c *eco.Certificate) (int, bool) {
	position, err := number(n.attribute("item"))
	if err != nil || position < 1 || position > len(c.Items) {
		r.fail(n, fmt.Sprintf("the position of an item, 1 to %d", len(c.Items)), fmt.Sprintf("%.40q", n.attribute("item")))
		return 0, false
	}
	return position - 1, true
}

func (r *reader) indicator(n *node, c *eco.Certificate) {
	flag := eco.Flag(strings.TrimSpace(n.attribute("code")))
	r.is("flags."+string(flag), n)
	if flag == "" {
		r.fail(n, "an indicator's code", "none")
		return
	}
	if _, twice := c.Flags[flag]; twice {
		r.fail(n, fmt.Sprintf("indicator %.40s once", flag), "it twice")
		return
	}
	if c.Flags == nil {
		c.Flags = map[eco.Flag]bool{}
	}
	// XML Schema Part 2 §3.2.2: booleans are true, false, 1 and 0.
	switch text := r.token(n); text {
	case "true", "1":
		c.Flags[flag] = true
	case "false", "0":
		c.Flags[flag] = false
	default:
		r.fail(n, "true or false", fmt.Sprintf("%.40q", text))
	}
}

// flagWords are the wordings by which partners' documents say that a box is ticked.
var flagWords = []struct {
	flag  eco.Flag
	words []string
}{
	{eco.FlagThirdCountryInvoicing, []string{"THIRD COUNTRY INVOIC", "THIRD-COUNTRY INVOIC", "THIRD PARTY INVOIC", "THIRD-PARTY INVOIC", "NON-PARTY INVOIC"}},
	{eco.FlagAccumulation, []string{"ACCUMULATION"}},
	{eco.FlagBackToBack, []string{"BACK-TO-BACK", "BACK TO BACK", "MOVEMENT CERTIFICATE"}},
	{eco.FlagPartialCumulation, []string{"PARTIAL CUMULATION"}},
	{eco.FlagExhibition, []string{"EXHIBITION"}},
	{eco.FlagDeMinimis, []string{"DE MINIMIS"}},
	{eco.FlagIssuedRetroactively, []string{"ISSUED RETROACTIVELY", "ISSUED RETROSPECTIVELY"}},
	{eco.FlagCertifiedTrueCopy, []string{"CERTIFIED TRUE COPY"}},
}

// foreign reads from the words of a partner's document what our own extension would hold. UBL has no element for
// indicators, so an indicator that no wording mentions is taken to be false: that is a reading, and is reported.
func (r *reader) foreign(root, application *node, c *eco.Certificate) {
	remarks := r.all(application, "cbc:Remarks")
	c.Remarks = r.joined(remarks)
	for _, n := range remarks {
		r.is("remarks", n)
	}
	if n := r.child(application, "cbc:ReferenceID"); r.token(n) != c.Reference {
		c.Application = r.token(r.is("application", n))
	}
	if n := r.child(application, "cbc:OriginalJobID"); r.token(n) != c.Reference && r.token(n) != c.Application {
		c.Job = r.token(r.is("job", n))
	}
	c.PreviousJob = r.token(r.is("previous_job", r.child(application, "cbc:PreviousJobID")))
	form, known := r.formOf(root, application, c.IssuingCountry)
	c.Form = form.Code
	r.derive("form", application)
	if !known {
		r.note(application, fmt.Sprintf("the form is not known by profile or type %.60q", r.text(r.child(application, "cbc:CertificateType"))), "agree on a ProfileID with the sender")
		return
	}
	r.criteria(form, c)
	said := strings.ToUpper(c.Remarks + "\n" + c.Certification.Remarks)
	for _, reference := range r.all(application, "cac:SupportingDocumentReference") {
		said += "\n" + strings.ToUpper(r.text(r.first(reference, "cbc:DocumentType")))
	}
	for _, entry := range flagWords {
		if !form.Offers(entry.flag) {
			continue
		}
		if c.Flags == nil {
			c.Flags = map[eco.Flag]bool{}
		}
		c.Flags[entry.flag] = mentions(said, entry.words)
		r.derive("flags."+string(entry.flag), application)
	}
	if len(c.Flags) > 0 {
		r.note(application, "the indicators were derived from remarks, since the document has none", "compare with the printed certificate")
	}
}

func mentions(text string, words []string) bool {
	for _, word := range words {
		if strings.Contains(text, word) {
			return true
		}
	}
	return false
}

// formOf finds the form by our own profile or by its title.
func (r *reader) formOf(root, application *node, country string) (eco.Form, bool) {
	id := r.token(r.child(root, "cbc:ProfileID"))
	title := r.token(r.child(application, "cbc:CertificateType"))
	for _, form := range r.forms.All() {
		if id == profile(form.Code) {
			return form, true
		}
	}
	return r.forms.Named(title, country)
}
