package ubl

import (
	"fmt"
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
		details := r.child(content, "eco:OriginDetails")
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
	c.Form = eco.FormCode(r.token(r.must(n, "eco:FormCode")))
	c.IssuingBody.ID = r.token(r.must(n, "eco:IssuingBodyID"))
	c.IssuingBody.Office = r.token(r.child(n, "eco:IssuingOffice"))
	c.Application = r.token(r.child(n, "eco:ApplicationReference"))
	for _, indicator := range r.all(n, "eco:Indicator") {
		r.indicator(indicator, c)
	}
	c.Declaration.Date = r.date(r.child(n, "eco:DeclarationDate"))
	c.Declaration.Place = r.text(r.child(n, "eco:DeclarationPlace"))
	if e := r.child(n, "eco:Exhibition"); e != nil {
		c.Exhibition = &eco.Exhibition{
			Name:    r.text(r.child(e, "eco:Name")),
			Address: r.text(r.child(e, "eco:Address")),
			Country: r.token(r.child(e, "eco:Country")),
		}
	}
	for _, remarks := range r.all(application, "cbc:Remarks") {
		if remarks.attribute("languageID") == "" {
			c.Remarks = r.text(remarks)
		}
	}
}

func (r *reader) indicator(n *node, c *eco.Certificate) {
	flag := eco.Flag(strings.TrimSpace(n.attribute("code")))
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
	if number := r.token(r.child(application, "cbc:ReferenceID")); number != c.Reference {
		c.Application = number
	}
	form, known := r.formOf(root, application, c.IssuingCountry)
	c.Form = form.Code
	if !known {
		r.note(application, fmt.Sprintf("the form is not known by profile or type %.60q", r.text(r.child(application, "cbc:CertificateType"))), "agree on a ProfileID with the sender")
		return
	}
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
	}
	if len(c.Flags) > 0 {
		r.note(application, "the indicators were read from remarks, since the document has none", "compare with the printed certificate")
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
