package ecotest

import (
	"pgregory.net/rapid"

	"github.com/ecogate/ecogate/eco"
)

// details draws what few forms have; half of the certificates have none of it.
func (g generator) details(c *eco.Certificate) {
	if g.maybe() {
		return
	}
	c.Job, c.PreviousJob = g.optional(g.word, "job"), g.optional(g.word, "previous job")
	if g.maybe() {
		notify := g.party()
		c.Notify = &notify
	}
	c.Embassy, c.Insurance = g.endorsement(), g.endorsement()
	if g.maybe() {
		c.Verification = eco.VerificationPage{URL: "https://example.org/co?no=" + g.word("url"), Code: g.optional(g.word, "code")}
	}
	for range g.number("copies", 0, 2) {
		c.Copies = append(c.Copies, eco.Copy{Qualifier: g.word("qualifier"), Count: g.number("count", 1, 9), For: g.word("for")})
	}
	c.Transport.VesselID = g.optional(g.word, "vessel id")
	// The same day, so that they change nothing about when a certificate counts as issued late.
	if t := &c.Transport; g.maybe() && t.ShipmentDate.IsZero() && t.SailingDate.IsZero() {
		t.ShipmentDate, t.SailingDate = t.DepartureDate, t.DepartureDate
	}
	for range g.number("transit", 0, 2) {
		c.Transport.TransitCountries = append(c.Transport.TransitCountries, g.country("transit"))
	}
	if len(c.Documents) > 0 && g.maybe() {
		c.Documents[0].Type, c.Documents[0].Title = "705", g.optional(g.word, "title")
	}
	for i := range c.Related {
		c.Related[i].OriginCountry, c.Related[i].ExporterCode = g.country("original"), g.optional(g.word, "exporter")
	}
	for i := range c.Items {
		g.itemDetails(&c.Items[i])
	}
}

func (g generator) endorsement() *eco.Endorsement {
	if g.maybe() {
		return nil
	}
	return &eco.Endorsement{
		Number: g.word("endorsement"), Status: g.word("decision"), Body: g.word("endorser"), Officer: g.word("officer"),
		Place: g.optional(g.word, "place"), Country: g.country("country"), Remarks: g.optional(g.box, "remarks"),
	}
}

// itemDetails draws units and currencies too that UBL 2.0 does not list.
func (g generator) itemDetails(item *eco.Item) {
	item.GoodsText, item.QuantityText = g.optional(g.box, "goods text"), g.optional(g.box, "quantity")
	item.Brand, item.Model = g.optional(g.word, "brand"), g.optional(g.word, "model")
	item.OriginBasis = rapid.SampledFrom([]string{"", "2.6.6A", "2.6.6B"}).Draw(g.t, "origin basis")
	if item.NationalCode != "" {
		item.NationalEdition = g.optional(g.word, "edition")
	}
	if item.Quantity != nil {
		item.Quantity.Unit = rapid.SampledFrom([]string{"C62", "H87", "XYZ"}).Draw(g.t, "unit")
	}
	if item.FOB != nil {
		item.FOB.Currency = rapid.SampledFrom([]string{"USD", "VED", "ZWG"}).Draw(g.t, "currency")
	}
}
