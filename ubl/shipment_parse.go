package ubl

import (
	"fmt"
	"strings"

	"github.com/ecogate/ecogate/eco"
)

// shipment reads goods and transport.
func (r *reader) shipment(n, consignment *node, c *eco.Certificate) {
	if n == nil {
		return
	}
	c.ImportingCountry = r.country(r.is("importing_country", r.child(consignment, "cac:FinalDestinationCountry")))
	c.ExportingCountry = r.country(r.is("exporting_country", r.child(n, "cac:ExportCountry")))
	c.OriginCountry = r.country(r.is("origin_country", r.at(n, "cac:OriginAddress", "cac:Country")))
	c.Transport = r.transport(n)
	for _, country := range r.all(consignment, "cac:TransitCountry") {
		c.Transport.TransitCountries = append(c.Transport.TransitCountries, r.country(r.is("transport.transit_countries", country)))
	}
	r.items(n, consignment, c)
	r.totals(n, consignment, c)
	r.numbers(n, consignment, c)
}

// transport reads the transport box: its text, and the stages. Of several, goods depart with the first and are discharged by
// the last, and the first one's end is where they change.
func (r *reader) transport(shipment *node) eco.Transport {
	var t eco.Transport
	for _, n := range r.all(shipment, "cbc:Information") {
		r.is("transport.text", n)
	}
	t.Text = r.joined(r.all(shipment, "cbc:Information"))
	stages := r.all(shipment, "cac:ShipmentStage")
	if len(stages) == 0 {
		return t
	}
	first, last := stages[0], stages[len(stages)-1]
	means := r.child(first, "cac:TransportMeans")
	t.Mode = r.token(r.is("transport.mode", r.child(first, "cbc:TransportModeCode")))
	t.Vessel = r.text(r.is("transport.vessel", r.at(means, "cac:MaritimeTransport", "cbc:VesselName")))
	t.VesselID = r.token(r.is("transport.vessel_id", r.at(means, "cac:MaritimeTransport", "cbc:VesselID")))
	t.Journey = r.journey(means)
	t.DepartureDate = r.departure(first)
	t.LoadingPort = r.location(r.is("transport.loading_port", r.child(first, "cac:LoadingPortLocation")))
	t.DischargePort = r.location(r.is("transport.discharge_port", r.child(last, "cac:UnloadingPortLocation")))
	t.Transshipment = r.location(r.is("transport.transshipment_port", r.child(first, "cac:TransshipPortLocation")))
	r.skip(first, "cbc:ID", "cbc:PreCarriageIndicator", "cbc:OnCarriageIndicator")
	if len(stages) > 1 {
		r.note(stages[1], fmt.Sprintf("want one stage of transport, found %d: departure read from the first, discharge from the last", len(stages)), "compare with the printed certificate")
		if t.Transshipment == (eco.Location{}) {
			t.Transshipment = r.location(r.child(first, "cac:UnloadingPortLocation"))
			r.derive("transport.transshipment_port", r.child(first, "cac:UnloadingPortLocation"))
		}
	}
	return t
}

// journey reads the number of a voyage or flight. Partners name the vehicle instead.
func (r *reader) journey(means *node) string {
	for _, n := range []*node{
		r.child(means, "cbc:JourneyID"),
		r.at(means, "cac:RailTransport", "cbc:TrainID"),
		r.at(means, "cac:RoadTransport", "cbc:LicensePlateID"),
		r.at(means, "cac:AirTransport", "cbc:AircraftID"),
	} {
		if n != nil {
			return r.token(r.is("transport.journey", n))
		}
	}
	return ""
}

// departure reads the day of departure: the one that was, or else the one that was planned.
func (r *reader) departure(stage *node) eco.Date {
	var day eco.Date
	for _, event := range []string{"cac:ActualDepartureTransportEvent", "cac:PlannedDepartureTransportEvent", "cac:EstimatedDepartureTransportEvent"} {
		n := r.child(r.child(stage, event), "cbc:OccurrenceDate")
		switch found := r.date(n); {
		case n == nil:
		case day.IsZero():
			day = found
			r.is("transport.departure_date", n)
		case found != day:
			r.note(n, fmt.Sprintf("another day of departure, %s, not read", found), "compare with the printed certificate")
		}
	}
	begin := r.at(stage, "cac:TransitPeriod", "cbc:StartDate") // UBL 2.0 has no departure event.
	switch found := r.date(begin); {
	case begin == nil:
	case day.IsZero():
		day = found
		r.is("transport.departure_date", begin)
	case found != day:
		r.conflict(begin, fmt.Sprintf("want the day of departure %s, found %s", day, found))
	}
	return day
}

func (r *reader) location(n *node) eco.Location {
	l := eco.Location{Code: r.token(r.child(n, "cbc:ID")), Name: r.text(r.child(n, "cbc:Name"))}
	if l.Name == "" {
		l.Name = r.joined(r.all(n, "cbc:Description")) // UBL 2.0 locations have no name.
	}
	return l
}

// totals compares what the shipment is said to add up to with its items. A total that cannot be compared, most often since the items
// do not have the value, is found in no member of a certificate: it is reported as not read.
func (r *reader) totals(shipment, consignment *node, c *eco.Certificate) {
	want := totalsOf(c.Items)
	const fix = "compare with the items"
	n := r.child(shipment, "cbc:GrossWeightMeasure")
	if found := r.measure(n); found != nil {
		switch {
		case want.weight == nil || found.Unit != want.weight.Unit:
			n.read = false
		case found.Value.Cmp(want.weight.Value) != 0:
			r.note(n, fmt.Sprintf("the items weigh %s %s, found %s", want.weight.Value, want.weight.Unit, found.Value), fix)
		}
	}
	n = r.child(shipment, "cbc:FreeOnBoardValueAmount")
	if found := r.amount(n); found != nil {
		switch {
		case want.fob == nil || found.Currency != want.fob.Currency:
			n.read = false
		case found.Value.Cmp(want.fob.Value) != 0:
			r.note(n, fmt.Sprintf("the items are worth %s %s, found %s", want.fob.Value, want.fob.Currency, found.Value), fix)
		}
	}
	n = r.child(consignment, "cbc:TotalPackagesQuantity")
	if found := r.count(n); n != nil {
		switch {
		case want.packages == 0:
			n.read = false
		case found != want.packages:
			r.note(n, fmt.Sprintf("the items have %d packages, found %d", want.packages, found), fix)
		}
	}
}

// numbers looks at the numbers of shipment and consignment. They repeat the certificate's, or the transport document's. Partners
// have put the vessel's name there.
func (r *reader) numbers(shipment, consignment *node, c *eco.Certificate) {
	if r.own != nil {
		r.skip(shipment, "cbc:ID")
		r.skip(consignment, "cbc:ID")
		return
	}
	known := map[string]bool{"": true, c.Reference: true, c.Transport.Vessel: true, c.Transport.Journey: true}
	for _, document := range c.Documents {
		known[document.Number] = true
	}
	for _, n := range []*node{r.child(shipment, "cbc:ID"), r.child(consignment, "cbc:ID")} {
		id := r.token(n)
		switch {
		case known[id] || strings.Trim(id, "0123456789") == "":
		case c.Transport.Vessel == "" && n.parent == shipment && !strings.ContainsAny(id, "0123456789"):
			r.note(n, "a vessel's name read from here instead of from the stage of transport", "compare with the printed certificate")
			r.derive("transport.vessel", n)
			c.Transport.Vessel = id
		default:
			r.note(n, fmt.Sprintf("a number %.60q that is not the certificate's, not read", id), "it may be the transport document's")
		}
		known[id] = true
	}
}
