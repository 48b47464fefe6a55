package clearance

import (
	"strings"

	"github.com/ecogate/ecogate/eco"
)

// receivers are the parties of a certificate that may import its goods: the consignee, the importer where that is another, and whom the
// carrier tells where the consignee's box names nobody ("to order").
func receivers(c eco.Certificate) []eco.Party {
	all := []eco.Party{c.Consignee}
	if c.Importer != nil {
		all = append(all, *c.Importer)
	}
	if c.Notify != nil && strings.HasPrefix(strings.ToUpper(strings.TrimSpace(c.Consignee.Name)), "TO ORDER") {
		all = append(all, *c.Notify)
	}
	return all
}

// sameParty reports whether two parties are one: an identifier of a scheme that both have decides, or else the name.
func sameParty(a, b eco.Party) bool {
	shared, named := false, false
	for _, one := range a.Names() {
		for _, other := range b.Names() {
			scheme, _, _ := strings.Cut(string(one), ":")
			switch {
			case !strings.HasPrefix(string(other), scheme+":"):
			case scheme == "NAME":
				named = one == other
			case one == other:
				return true
			default:
				shared = true
			}
		}
	}
	return named && !shared
}
