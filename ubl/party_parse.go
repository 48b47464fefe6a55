package ubl

import (
	"strings"

	"github.com/ecogate/ecogate/eco"
)

// party reads a party, or gives nil for an absent one.
func (r *reader) party(n *node) *eco.Party {
	if n == nil {
		return nil
	}
	p := &eco.Party{
		Name:    r.partyName(n),
		Address: r.address(n),
		Contact: r.text(r.at(n, "cac:Contact", "cbc:Name")),
	}
	for _, identification := range r.all(n, "cac:PartyIdentification") {
		id := r.child(identification, "cbc:ID")
		p.Identifiers = append(p.Identifiers, eco.Identifier{Scheme: strings.TrimSpace(id.attribute("schemeID")), Value: r.token(id)})
	}
	return p
}

// partyName is a party's name, or the registered one, which is where partners put it when they leave PartyName out.
func (r *reader) partyName(n *node) string {
	if name := r.text(r.at(r.first(n, "cac:PartyName"), "cbc:Name")); name != "" {
		return name
	}
	registered := r.child(r.first(n, "cac:PartyLegalEntity"), "cbc:RegistrationName")
	if registered != nil {
		r.note(registered, "a party's name read from here instead of from PartyName", "")
	}
	return r.text(registered)
}

// address reads a party's postal address. Partners also use PhysicalLocation, and structured parts instead of lines.
func (r *reader) address(party *node) eco.Address {
	n := r.child(party, "cac:PostalAddress")
	if n == nil {
		if n = r.at(party, "cac:PhysicalLocation", "cac:Address"); n != nil {
			r.note(n, "an address read from here instead of from PostalAddress", "")
		}
	}
	address := eco.Address{City: r.text(r.child(n, "cbc:CityName")), Country: r.country(r.child(n, "cac:Country"))}
	for _, line := range r.all(n, "cac:AddressLine") {
		address.Lines = append(address.Lines, r.text(r.child(line, "cbc:Line")))
	}
	if address.Lines == nil {
		for _, part := range []string{"cbc:BuildingNumber", "cbc:StreetName", "cbc:AdditionalStreetName", "cbc:PostalZone", "cbc:CountrySubentity"} {
			if e := r.child(n, part); e != nil {
				address.Lines = append(address.Lines, r.text(e))
			}
		}
	}
	return address
}
