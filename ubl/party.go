package ubl

import (
	"github.com/beevik/etree"

	"github.com/ecogate/ecogate/eco"
)

// party writes a party in the order of UBL 2.1 PartyType; field is its name in the certificate.
func (w *writer) party(parent *etree.Element, name string, p *eco.Party, field string) {
	w.group(parent, name, func(e *etree.Element) {
		for _, identifier := range p.Identifiers {
			w.group(e, "cac:PartyIdentification", func(e *etree.Element) { w.leaf(e, "cbc:ID", identifier.Value, "schemeID", identifier.Scheme) })
		}
		w.group(e, "cac:PartyName", func(e *etree.Element) { w.must(e, "cbc:Name", p.Name, field+".name") })
		w.address(e, p.Address)
		w.group(e, "cac:Contact", func(e *etree.Element) { w.leaf(e, "cbc:Name", p.Contact) })
	})
}

// names writes a party of which only the name is given.
func (w *writer) names(e *etree.Element, name string) {
	w.group(e, "cac:PartyName", func(e *etree.Element) { w.leaf(e, "cbc:Name", name) })
}

// address writes the lines as printed, each in an AddressLine, and the parts that are known apart.
func (w *writer) address(parent *etree.Element, a eco.Address) {
	w.group(parent, "cac:PostalAddress", func(e *etree.Element) {
		w.leaf(e, "cbc:CityName", a.City)
		for _, line := range a.Lines {
			w.group(e, "cac:AddressLine", func(e *etree.Element) { w.leaf(e, "cbc:Line", line) })
		}
		w.country(e, "cac:Country", a.Country)
	})
}
