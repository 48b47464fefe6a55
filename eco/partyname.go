package eco

import (
	"fmt"
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
	"golang.org/x/text/width"
)

// PartyName names a person or company in such a way that spellings of one are equal: "SCHEME:VALUE" for an identifier, scheme and value
// normalised like references ("TAX:199001000123"), or "NAME:..." for a name in capitals, with spaces folded and without punctuation
// ("NAME:ACME TRADING SDN BHD"). It is compared, never printed or sent. Make one with ParsePartyName or Party.Names.
type PartyName string

// partyNameScheme is the scheme of a PartyName that holds no identifier.
const partyNameScheme = "NAME"

// MaxPartyName bounds what ParsePartyName takes, in octets.
const MaxPartyName = 512

// ParsePartyName normalises "SCHEME:VALUE" or "NAME:..." as a person wrote it.
func ParsePartyName(s string) (PartyName, error) {
	if len(s) > MaxPartyName {
		return "", fmt.Errorf("party of %d octets; %d are the most", len(s), MaxPartyName)
	}
	scheme, value, found := strings.Cut(s, ":")
	scheme = normaliseScheme(scheme)
	if !found || scheme == "" {
		return "", fmt.Errorf("party %q is not written SCHEME:VALUE, such as TAX:199001000123, or NAME:..., such as NAME:ACME TRADING SDN BHD", s)
	}
	name := PartyName(scheme + ":" + NormaliseReference(value))
	if scheme == partyNameScheme {
		name = partyNamed(value)
	}
	if name == "" || strings.HasSuffix(string(name), ":") {
		return "", fmt.Errorf("party %q has nothing after its scheme", s)
	}
	return name, nil
}

// Names are all names of a party: those of its identifiers in their order, then that of its name. Parts that have no letter or digit have none.
func (p Party) Names() []PartyName {
	var names []PartyName
	for _, identifier := range p.Identifiers {
		scheme, value := normaliseScheme(identifier.Scheme), NormaliseReference(identifier.Value)
		if scheme != "" && scheme != partyNameScheme && value != "" {
			names = append(names, PartyName(scheme+":"+value))
		}
	}
	if name := partyNamed(p.Name); name != "" {
		names = append(names, name)
	}
	return names
}

// ImporterNames are the names of those on the importing side who a certificate is for: importer, consignee and the party to notify.
func (c Certificate) ImporterNames() []PartyName {
	var names []PartyName
	if c.Importer != nil {
		names = append(names, c.Importer.Names()...)
	}
	names = append(names, c.Consignee.Names()...)
	if c.Notify != nil {
		names = append(names, c.Notify.Names()...)
	}
	return names
}

// normaliseScheme leaves no colon: it ends the scheme.
func normaliseScheme(s string) string { return strings.ReplaceAll(NormaliseReference(s), ":", "") }

// partyNamed is the PartyName of a name, "" if it has no letter or digit.
func partyNamed(name string) PartyName {
	spelled := strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r), unicode.Is(unicode.Z, r):
			return ' '
		case unicode.IsLetter(r), unicode.IsMark(r), unicode.IsDigit(r):
			return unicode.ToUpper(r)
		}
		return -1
	}, norm.NFC.String(width.Fold.String(name)))
	if folded := strings.Join(strings.Fields(norm.NFC.String(spelled)), " "); folded != "" {
		return PartyName(partyNameScheme + ":" + folded)
	}
	return ""
}
