package ubl

import (
	"github.com/ecogate/ecogate/eco"
)

// shipment reads goods and transport.
func (r *reader) shipment(n *node, c *eco.Certificate) {
	if n == nil {
		return
	}
	consignment := r.first(n, "cac:Consignment")
	c.ImportingCountry = r.country(r.child(consignment, "cac:FinalDestinationCountry"))
	c.ExportingCountry = r.country(r.child(n, "cac:ExportCountry"))
	c.OriginCountry = r.country(r.at(n, "cac:OriginAddress", "cac:Country"))
	c.Transport = r.transport(n)
	r.items(n, consignment, c)
	r.skip(n, "cbc:ID", "cbc:GrossWeightMeasure", "cbc:FreeOnBoardValueAmount")
	r.skip(consignment, "cbc:ID", "cbc:TotalPackagesQuantity")
}

// transport reads the transport box: its text, and the first stage.
func (r *reader) transport(shipment *node) eco.Transport {
	stage := r.first(shipment, "cac:ShipmentStage")
	means := r.child(stage, "cac:TransportMeans")
	t := eco.Transport{
		Text:          r.joined(r.all(shipment, "cbc:Information")),
		Mode:          r.token(r.child(stage, "cbc:TransportModeCode")),
		Vessel:        r.text(r.at(means, "cac:MaritimeTransport", "cbc:VesselName")),
		Journey:       r.token(r.child(means, "cbc:JourneyID")),
		LoadingPort:   r.location(r.child(stage, "cac:LoadingPortLocation")),
		DischargePort: r.location(r.child(stage, "cac:UnloadingPortLocation")),
		Transshipment: r.location(r.child(stage, "cac:TransshipPortLocation")),
	}
	if t.Journey == "" {
		// Partners name the vehicle instead of the journey.
		t.Journey = r.token(r.at(means, "cac:RailTransport", "cbc:TrainID")) + r.token(r.at(means, "cac:RoadTransport", "cbc:LicensePlateID"))
	}
	for _, event := range []string{"cac:ActualDepartureTransportEvent", "cac:PlannedDepartureTransportEvent", "cac:EstimatedDepartureTransportEvent"} {
		if e := r.child(stage, event); e != nil && t.DepartureDate.IsZero() {
			t.DepartureDate = r.date(r.child(e, "cbc:OccurrenceDate"))
		}
	}
	if t.DepartureDate.IsZero() {
		t.DepartureDate = r.date(r.at(stage, "cac:TransitPeriod", "cbc:StartDate")) // UBL 2.0 has no departure event.
	}
	r.skip(stage, "cbc:ID", "cbc:PreCarriageIndicator", "cbc:OnCarriageIndicator")
	return t
}

func (r *reader) location(n *node) eco.Location {
	l := eco.Location{Code: r.token(r.child(n, "cbc:ID")), Name: r.text(r.child(n, "cbc:Name"))}
	if l.Name == "" {
		l.Name = r.text(r.first(n, "cbc:Description")) // UBL 2.0 locations have no name.
	}
	return l
}
