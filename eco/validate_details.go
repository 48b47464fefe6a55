package eco

import (
	"fmt"
	"strings"
)

// checkDetails looks at what few forms have: other parties, countries on the way, endorsements, copies.
func (v *validation) checkDetails() {
	c := v.c
	if c.Notify != nil {
		v.checkParty("notify_party", c.Notify)
	}
	for i, country := range c.Transport.TransitCountries {
		v.checkCountry(fmt.Sprintf("transport.transit_countries[%d]", i), country)
	}
	v.checkEndorsement("embassy_endorsement", c.Embassy)
	v.checkEndorsement("insurance_endorsement", c.Insurance)
	if url := c.Verification.URL; url != "" && !strings.HasPrefix(url, "https://") && !strings.HasPrefix(url, "http://") {
		v.fail(CodeText, "verification.url", fmt.Sprintf("want an address on the web, found %q", url), "give the address with https://")
	}
	if c.Verification.URL == "" && c.Verification.Code != "" {
		v.fail(CodeText, "verification.url", "a code for verification without the address that asks for it", "give the address")
	}
	for i, entry := range c.Copies {
		path := fmt.Sprintf("copies[%d]", i)
		if !filled(entry.Qualifier) || !filled(entry.For) || entry.Count < 1 {
			v.fail(CodeText, path, "want kind, number and receiver of the copies", "state all three, or leave the entry out")
		}
	}
	for i, related := range c.Related {
		v.checkCountry(fmt.Sprintf("related[%d].origin_country", i), related.OriginCountry)
	}
	for i := range c.Items {
		v.checkItemDetails(fmt.Sprintf("items[%d]", i), &c.Items[i])
	}
}

func (v *validation) checkItemDetails(path string, item *Item) {
	if item.OriginBasis != "" && item.OriginBasis != "2.6.6A" && item.OriginBasis != "2.6.6B" {
		v.fail(CodeCriterion, path+".origin_basis", fmt.Sprintf("want 2.6.6A, 2.6.6B or nothing, found %q", item.OriginBasis), "state the paragraph of RCEP Article 2.6")
	}
	for _, basis := range []string{"2.6.6A", "2.6.6B"} { // A form may list the paragraphs among its criteria, too.
		if item.OriginBasis != "" && item.OriginBasis != basis && item.hasCriterion(basis) {
			v.warn(CodeCriterion, path+".origin_basis", fmt.Sprintf("the criteria say %s, the basis of origin %s", basis, item.OriginBasis), "let both agree")
		}
	}
	if item.NationalCode == "" && item.NationalEdition != "" {
		v.fail(CodeHS, path+".national_edition", fmt.Sprintf("edition %q without a code", item.NationalEdition), "give the code, or leave the edition out")
	}
}

func (v *validation) checkEndorsement(path string, e *Endorsement) {
	if e == nil {
		return
	}
	if !filled(e.Number) || !filled(e.Status) || !filled(e.Body) || !filled(e.Officer) {
		v.fail(CodeText, path, "want number, status, body and officer of the endorsement", "state all four, or leave the endorsement out")
	}
	v.checkCountry(path+".country", e.Country)
}
