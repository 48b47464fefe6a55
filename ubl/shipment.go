package ubl

import (
	"cmp"
	"reflect"
	"strconv"
	"strings"

	"github.com/beevik/etree"

	"github.com/ecogate/ecogate/eco"
)

// shipment writes goods and transport in the order of UBL 2.1 ShipmentType.
func (w *writer) shipment(parent *etree.Element, c *eco.Certificate, form eco.Form) {
	e := parent.CreateElement("cac:Shipment")
	totals := totalsOf(c.Items)
	w.leaf(e, "cbc:ID", c.Reference)
	w.leaf(e, "cbc:Information", c.Transport.Text)
	w.measure(e, "cbc:GrossWeightMeasure", totals.weight)
	w.amount(e, "cbc:FreeOnBoardValueAmount", totals.fob)
	w.group(e, "cac:Consignment", func(e *etree.Element) { w.consignment(e, c, totals) })
	for i := range c.Items {
		w.goods(e, &c.Items[i], form)
	}
	w.stage(e, c)
	for i := range c.Items {
		w.packages(e, &c.Items[i])
	}
	w.group(e, "cac:OriginAddress", func(e *etree.Element) { w.country(e, "cac:Country", c.OriginCountry) })
	w.country(e, "cac:ExportCountry", c.ExportingCountry)
}

// consignment writes one consignment, which UBL 2.0 demands and later versions take. Its number is the transport document's.
func (w *writer) consignment(e *etree.Element, c *eco.Certificate, totals totals) {
	w.leaf(e, "cbc:ID", consignmentNumber(c))
	if totals.packages > 0 && !w.isOld() {
		w.leaf(e, "cbc:TotalPackagesQuantity", strconv.FormatInt(totals.packages, 10))
	}
	if c.Importer != nil {
		w.party(e, "cac:ConsigneeParty", &c.Consignee, "consignee")
	}
	if c.Notify != nil {
		w.party(e, "cac:NotifyParty", c.Notify, "notify_party")
	}
	w.country(e, "cac:FinalDestinationCountry", c.ImportingCountry)
	for _, country := range c.Transport.TransitCountries {
		w.country(e, "cac:TransitCountry", country)
	}
}

// consignmentNumber is the number of the bill of lading or air waybill, or else the certificate's.
func consignmentNumber(c *eco.Certificate) string {
	for _, document := range c.Documents {
		if document.Type == typeBillOfLading || document.Type == typeAirWaybill {
			return cmp.Or(strings.TrimSpace(document.Number), c.Reference)
		}
	}
	return c.Reference
}

// stage writes the means of transport. Journey is always JourneyID: a flight number there is right, while AirTransport
// would ask for the airframe.
func (w *writer) stage(parent *etree.Element, c *eco.Certificate) {
	t := c.Transport
	t.Text, t.TransitCountries, t.ShipmentDate, t.SailingDate = "", nil, eco.Date{}, eco.Date{}
	if reflect.ValueOf(t).IsZero() {
		return
	}
	w.group(parent, "cac:ShipmentStage", func(e *etree.Element) {
		w.leaf(e, "cbc:ID", "1")
		w.leaf(e, "cbc:TransportModeCode", t.Mode, "listID", listMode)
		if w.isOld() {
			w.leaf(e, "cbc:PreCarriageIndicator", "false")
			w.leaf(e, "cbc:OnCarriageIndicator", "false")
			w.group(e, "cac:TransitPeriod", func(e *etree.Element) { w.date(e, "cbc:StartDate", t.DepartureDate) })
		}
		w.group(e, "cac:TransportMeans", func(e *etree.Element) {
			w.leaf(e, "cbc:JourneyID", t.Journey)
			w.group(e, "cac:MaritimeTransport", func(e *etree.Element) {
				w.leaf(e, "cbc:VesselID", t.VesselID)
				w.leaf(e, "cbc:VesselName", t.Vessel)
			})
		})
		w.location(e, "cac:LoadingPortLocation", t.LoadingPort)
		w.location(e, "cac:UnloadingPortLocation", t.DischargePort)
		w.location(e, "cac:TransshipPortLocation", t.Transshipment)
		if w.isOld() {
			return // UBL 2.0 has no departure event.
		}
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
		if w.isOld() {
			w.leaf(e, "cbc:Description", l.Name) // UBL 2.0 locations have no name.
			return
		}
		w.leaf(e, "cbc:Name", l.Name)
	})
}
