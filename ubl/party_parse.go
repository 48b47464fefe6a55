package ubl

import (
	"fmt"
	"slices"
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
//
// Of several names the one without language, or else the English one, is taken if it is the only such one.
func (r *reader) partyName(n *node) string {
	names := r.all(n, "cac:PartyName")
	if len(names) > 0 {
		if name := r.text(r.child(r.oneOf(names), "cbc:Name")); name != "" {
			return name
		}
	}
	registered := r.child(r.first(n, "cac:PartyLegalEntity"), "cbc:RegistrationName")
	if registered != nil {
		r.note(registered, "a party's name read from here instead of from PartyName", "")
	}
	return r.text(registered)
}

// oneOf picks among the names of a party.
func (r *reader) oneOf(names []*node) *node {
	if len(names) == 1 {
		return names[0]
	}
	for _, language := range []string{"", "en"} {
		matching := slices.DeleteFunc(slices.Clone(names), func(n *node) bool {
			return !strings.EqualFold(r.child(n, "cbc:Name").attribute("languageID"), language)
		})
		if len(matching) == 1 {
			r.note(names[1], "a party's name in other words, not read", "")
			return matching[0]
		}
	}
	r.conflict(names[1], fmt.Sprintf("want one name of a party, found %d", len(names)))
	return names[0]
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
