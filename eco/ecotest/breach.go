package ecotest

import (
	"slices"

	"github.com/ecogate/ecogate/eco"
)

// Breach is a change that breaks one rule of a valid certificate and no other.
type Breach struct {
	Name string
	// Code is the finding code that comes of it.
	Code string
	// Do makes the change; it reports false for a certificate that the rule has nothing to do with.
	Do func(form eco.Form, c *eco.Certificate) bool
}

// Breaches are those of every finding code that data alone can bring about, in the order of the codes.
func Breaches() []Breach {
	return []Breach{
		{"no reference", eco.CodeReferenceFormat, always(func(c *eco.Certificate) { c.Reference = "" })},
		{"reference of another shape", eco.CodeReferenceFormat, func(form eco.Form, c *eco.Certificate) bool {
			c.Reference = "/ANOTHER SHAPE/"
			return len(form.ReferencesOf(c.IssuingCountry, c.IssuingBody.ID, c.IssuedAt)) > 0
		}},
		{"no issuing body", eco.CodeIssuingBody, always(func(c *eco.Certificate) { c.IssuingBody.ID = "" })},
		{"time without its zone", eco.CodeDates, always(func(c *eco.Certificate) { c.IssueTime = "14:20:05" })},
		{"indicator of another form", eco.CodeForm, unofferedFlag},
		{"country in small letters", eco.CodeCountries, always(func(c *eco.Certificate) { c.Exporter.Address.Country = "kr" })},
		{"classification too short", eco.CodeHS, always(func(c *eco.Certificate) { c.Items[0].HS = "0901" })},
		{"criterion of no form", eco.CodeCriterion, always(func(c *eco.Certificate) {
			c.Items[0].Criteria = append(slices.Clone(c.Items[0].Criteria), eco.Criterion{Code: "ZZ"})
		})},
		{"percentage above the whole", eco.CodePercentage, percentAboveAll},
		{"value of nothing", eco.CodeFOB, func(_ eco.Form, c *eco.Certificate) bool {
			if c.Items[0].FOB == nil {
				return false
			}
			c.Items[0].FOB = &eco.Amount{Value: "0", Currency: c.Items[0].FOB.Currency}
			return true
		}},
		{"unit in words", eco.CodeQuantity, always(func(c *eco.Certificate) { c.Items[0].GrossWeight = &eco.Measure{Value: "1", Unit: "kilo"} })},
		{"retroactive indicator", eco.CodeRetroactive, flipped(eco.FlagIssuedRetroactively)},
		{"third-country indicator", eco.CodeThirdParty, flipped(eco.FlagThirdCountryInvoicing)},
		{"back-to-back indicator", eco.CodeBackToBack, flipped(eco.FlagBackToBack)},
		{"control character", eco.CodeText, always(func(c *eco.Certificate) { c.Consignee.Name += "\x01A" })},
		{"cancellation of nothing", eco.CodeRelated, always(func(c *eco.Certificate) { c.Status = eco.StatusCancellation })},
	}
}

func always(do func(c *eco.Certificate)) func(eco.Form, *eco.Certificate) bool {
	return func(_ eco.Form, c *eco.Certificate) bool {
		do(c)
		return true
	}
}

// flipped gives the other answer for an indicator that the form offers.
func flipped(flag eco.Flag) func(eco.Form, *eco.Certificate) bool {
	return func(form eco.Form, c *eco.Certificate) bool {
		if !form.Offers(flag) {
			return false
		}
		c.Flags[flag] = !c.Flags[flag]
		return true
	}
}

// unofferedFlag answers an indicator that the form has not, with no: it must not be taken for a statement.
func unofferedFlag(form eco.Form, c *eco.Certificate) bool {
	for _, flag := range []eco.Flag{eco.FlagPartialCumulation, eco.FlagDeMinimis, "NO_SUCH_FLAG"} {
		if form.Offers(flag) {
			continue
		}
		if c.Flags == nil {
			c.Flags = map[eco.Flag]bool{}
		}
		c.Flags[flag] = false
		return true
	}
	return false
}

func percentAboveAll(_ eco.Form, c *eco.Certificate) bool {
	for i, criterion := range c.Items[0].Criteria {
		if criterion.Percent != "" {
			c.Items[0].Criteria[i].Percent = "100.5"
			return true
		}
	}
	return false
}
