package eco

import (
	"fmt"
	"slices"
)

// A confirmation counts for cpeMonths from its issue, and is renewed in the last cpeRenewal of them. Lao MOIC Instruction
// 0118/MOIC.DIMEX of 31 January 2020.
const (
	cpeMonths  = 12
	cpeRenewal = 1
)

// CPE is the confirmation of product eligibility of an item: the issuing country's own finding, after it looked at the
// factory, that a product may get certificates of origin. There is one for each product and HS-6 code, and a new one when its
// origin criteria change. It is national data and is never sent abroad: see Certificate.ForPartner.
type CPE struct {
	Number string `json:"number"`
	Issued Date   `json:"issued"`
	// Until is the last day that the confirmation states. One that states none counts for a year, and none counts for longer.
	Until Date `json:"until,omitzero"`
	// Body is the authority that confirmed.
	Body string `json:"body,omitempty"`
}

// LastDay is the last day on which certificates may be issued under the confirmation.
func (c CPE) LastDay() Date {
	year := c.Issued.AddMonths(cpeMonths)
	if !c.Until.IsZero() && c.Until.Before(year) {
		return c.Until
	}
	return year
}

// RenewFrom is the first day on which it should be renewed, one month before its end.
func (c CPE) RenewFrom() Date { return c.LastDay().AddMonths(-cpeRenewal) }

// ForPartner is the certificate as it may leave the country: without data that is the issuing country's own, which are the
// confirmations of product eligibility. The certificate itself stays as it is; the two share what is in both.
func (c Certificate) ForPartner() Certificate {
	c.Items = slices.Clone(c.Items)
	for i := range c.Items {
		c.Items[i].CPE = nil
	}
	return c
}

// checkCPEs looks at the confirmations of product eligibility as of the day on which the certificate was issued.
func (v *validation) checkCPEs() {
	on := v.c.IssuedAt
	if on.IsZero() {
		on = DateOf(v.now.UTC())
	}
	products := map[string]string{}
	for i := range v.c.Items {
		item := &v.c.Items[i]
		if item.CPE == nil {
			continue
		}
		path := fmt.Sprintf("items[%d].cpe", i)
		v.checkCPE(path, *item.CPE, on)
		if hs, named := products[item.CPE.Number]; named && hs != item.HS {
			v.warn(CodeHS, path+".number", fmt.Sprintf("%q confirms HS %s in another item, here it is %s", item.CPE.Number, hs, item.HS), "each HS code has a confirmation of its own")
		}
		products[item.CPE.Number] = item.HS
	}
}

func (v *validation) checkCPE(path string, c CPE, on Date) {
	if c.Number == "" {
		v.fail(CodeText, path+".number", "a confirmation of product eligibility without a number", "state the number, or leave the confirmation out")
	}
	if c.Issued.IsZero() {
		v.fail(CodeDates, path+".issued", "a confirmation of product eligibility without its day", "state when it was issued")
		return
	}
	v.checkDate(path+".issued", c.Issued)
	v.checkDate(path+".until", c.Until)
	last := c.LastDay()
	switch {
	case !c.Until.IsZero() && c.Until.Before(c.Issued):
		v.fail(CodeDates, path+".until", fmt.Sprintf("want %s, its day of issue, or later, found %s", c.Issued, c.Until), "check both dates")
	case c.Until.After(last):
		v.warn(CodeDates, path+".until", fmt.Sprintf("a confirmation counts for %d months, until %s, found %s", cpeMonths, last, c.Until), "check both dates")
	}
	switch {
	case c.Issued.After(on):
		v.fail(CodeDates, path+".issued", fmt.Sprintf("issued on %s, after the certificate, which is of %s", c.Issued, on), "check both dates")
	case on.After(last):
		v.fail(CodeDates, path, fmt.Sprintf("%q counted until %s, the certificate is of %s", c.Number, last, on), "renew the confirmation before certificates are issued")
	case !on.Before(c.RenewFrom()):
		v.warn(CodeDates, path, fmt.Sprintf("%q counts until %s", c.Number, last), "renew it: that is due in its last month")
	}
}
