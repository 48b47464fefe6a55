package ubl

import (
	"github.com/beevik/etree"

	"github.com/ecogate/ecogate/eco"
)

// shipment writes goods and transport in the order of UBL 2.1 ShipmentType.
func (w *writer) shipment(parent *etree.Element, c *eco.Certificate) {
	e := parent.CreateElement("cac:Shipment")
	w.leaf(e, "cbc:ID", c.Reference)
	w.leaf(e, "cbc:Information", c.Transport.Text)
	w.group(e, "cac:Consignment", func(e *etree.Element) {
		w.leaf(e, "cbc:ID", c.Reference)
		if c.Importer != nil {
			w.party(e, "cac:ConsigneeParty", &c.Consignee, "consignee")
		}
		w.country(e, "cac:FinalDestinationCountry", c.ImportingCountry)
	})
	for i := range c.Items {
		w.goods(e, &c.Items[i], c.Form)
	}
	w.stage(e, c)
	for i := range c.Items {
		w.packages(e, &c.Items[i])
	}
	w.group(e, "cac:OriginAddress", func(e *etree.Element) { w.country(e, "cac:Country", c.OriginCountry) })
	w.country(e, "cac:ExportCountry", c.ExportingCountry)
}

// stage writes the means of transport. Journey is always JourneyID: a flight number there is right, while AirTransport
// would ask for the airframe.
func (w *writer) stage(parent *etree.Element, c *eco.Certificate) {
	t := c.Transport
	t.Text = ""
	if t == (eco.Transport{}) {
		return
	}
	w.group(parent, "cac:ShipmentStage", func(e *etree.Element) {
		w.leaf(e, "cbc:ID", "1")
		w.leaf(e, "cbc:TransportModeCode", t.Mode, "listID", listMode)
		w.group(e, "cac:TransportMeans", func(e *etree.Element) {
			w.leaf(e, "cbc:JourneyID", t.Journey)
			w.group(e, "cac:MaritimeTransport", func(e *etree.Element) { w.leaf(e, "cbc:VesselName", t.Vessel) })
		})
		w.location(e, "cac:LoadingPortLocation", t.LoadingPort)
		w.location(e, "cac:UnloadingPortLocation", t.DischargePort)
		w.location(e, "cac:TransshipPortLocation", t.Transshipment)
		departure := "cac:PlannedDepartureTransportEvent"
		if !t.DepartureDate.After(c.IssuedAt) {
			departure = "cac:ActualDepartureTransportEvent"
		}
		w.group(e, departure, func(e *etree.Element) { w.date(e, "cbc:OccurrenceDate", t.DepartureDate) })
	})
}

func (w *writer) location(parent *etree.Element, name string, l eco.Location) {
	w.group(parent, name, func(e *etree.Element) {
		w.leaf(e, "cbc:ID", l.Code, "schemeID", schemeLocode)
		w.leaf(e, "cbc:Name", l.Name)
	})
}
