package eco

import (
	"fmt"
	"strings"
)

// headerFields tell whether a certificate holds the named data. Form.Required uses these names.
var headerFields = map[string]func(*Certificate) bool{
	"reference":                func(c *Certificate) bool { return filled(c.Reference) },
	"issuing_country":          func(c *Certificate) bool { return filled(c.IssuingCountry) },
	"issuing_body.id":          func(c *Certificate) bool { return filled(c.IssuingBody.ID) },
	"issuing_body.name":        func(c *Certificate) bool { return filled(c.IssuingBody.Name) },
	"issue_date":               func(c *Certificate) bool { return !c.IssuedAt.IsZero() },
	"exporter.name":            func(c *Certificate) bool { return filled(c.Exporter.Name) },
	"exporter.address":         func(c *Certificate) bool { return c.Exporter.Address.filled() },
	"consignee.name":           func(c *Certificate) bool { return filled(c.Consignee.Name) },
	"consignee.address":        func(c *Certificate) bool { return c.Consignee.Address.filled() },
	"exporting_country":        func(c *Certificate) bool { return filled(c.ExportingCountry) },
	"importing_country":        func(c *Certificate) bool { return filled(c.ImportingCountry) },
	"origin_country":           func(c *Certificate) bool { return filled(c.OriginCountry) },
	"transport.departure_date": func(c *Certificate) bool { return !c.Transport.DepartureDate.IsZero() },
	"transport.text":           func(c *Certificate) bool { return filled(c.Transport.Text) },
	"transport.discharge_port": func(c *Certificate) bool { return c.Transport.DischargePort != Location{} },
	"items":                    func(c *Certificate) bool { return len(c.Items) > 0 },
	"invoices":                 func(c *Certificate) bool { return len(c.Invoices) > 0 },
	"declaration.name":         func(c *Certificate) bool { return filled(c.Declaration.Name) },
	"declaration.place":        func(c *Certificate) bool { return filled(c.Declaration.Place) },
	"declaration.date":         func(c *Certificate) bool { return !c.Declaration.Date.IsZero() },
	"certification.officer":    func(c *Certificate) bool { return filled(c.Certification.Officer) },
	"certification.place":      func(c *Certificate) bool { return filled(c.Certification.Place) },
}

// itemFields tell the same of one item; Form.Required puts "items." in front of these names.
var itemFields = map[string]func(*Item) bool{
	"marks":          func(i *Item) bool { return filled(i.Marks) },
	"packages":       func(i *Item) bool { return i.Packages > 0 },
	"description":    func(i *Item) bool { return filled(i.Description) },
	"hs":             func(i *Item) bool { return filled(i.HS) },
	"criteria":       func(i *Item) bool { return len(i.Criteria) > 0 },
	"origin_country": func(i *Item) bool { return filled(i.OriginCountry) },
	"gross_weight":   func(i *Item) bool { return i.GrossWeight != nil },
	"net_weight":     func(i *Item) bool { return i.NetWeight != nil },
	"quantity":       func(i *Item) bool { return i.Quantity != nil },
	"fob":            func(i *Item) bool { return i.FOB != nil },
	"invoices":       func(i *Item) bool { return len(i.Invoices) > 0 },
	"producer":       func(i *Item) bool { return i.Producer != nil && filled(i.Producer.Name) },
	"cpe":            func(i *Item) bool { return i.CPE != nil && filled(i.CPE.Number) },
}

// universal is asked of every certificate, whatever its form: no document can do without it.
var universal = []string{
	"reference", "issuing_country", "issue_date", "exporting_country", "importing_country", "items",
	"issuing_body.id", "issuing_body.name", "exporter.name", "exporter.address", "consignee.name",
	"items.description", "declaration.name", "certification.officer",
}

// requiredCodes are the codes of missing data; data that is not listed has CodeText.
var requiredCodes = map[string]string{
	"reference":                CodeReferenceFormat,
	"issuing_body.id":          CodeIssuingBody,
	"issuing_body.name":        CodeIssuingBody,
	"issue_date":               CodeDates,
	"issuing_country":          CodeCountries,
	"exporting_country":        CodeCountries,
	"importing_country":        CodeCountries,
	"transport.departure_date": CodeRetroactive,
	"items.hs":                 CodeHS,
	"items.criteria":           CodeCriterion,
	"items.fob":                CodeFOB,
	"items.packages":           CodeQuantity,
	"items.gross_weight":       CodeQuantity,
}

// checkRequired finds what is missing of the named data; requirement is one entry of Form.Required or of universal.
func (v *validation) checkRequired(requirement string, severity Severity) {
	names := strings.Split(requirement, "|")
	for _, name := range names {
		if present, ok := headerFields[name]; ok && present(v.c) {
			return
		}
	}
	if !strings.HasPrefix(names[len(names)-1], "items.") {
		v.missing(severity, names, "")
		return
	}
	for i := range v.c.Items {
		if !v.c.Items[i].hasOneOf(names) {
			v.missing(severity, names, fmt.Sprintf("items[%d].", i))
		}
	}
}

// missing records that none of names was given. Inside an item, prefix is the item's path.
func (v *validation) missing(severity Severity, names []string, prefix string) {
	code := requiredCodes[names[0]]
	if code == "" {
		code = CodeText
	}
	path := names[len(names)-1]
	if prefix != "" {
		path = prefix + strings.TrimPrefix(path, "items.")
	}
	v.add(severity, code, path, fmt.Sprintf("%s is required and missing", strings.Join(names, " or ")), "state it as on the form")
}

func (i *Item) hasOneOf(names []string) bool {
	for _, name := range names {
		if present, ok := itemFields[strings.TrimPrefix(name, "items.")]; ok && present(i) {
			return true
		}
	}
	return false
}

func filled(s string) bool { return strings.TrimSpace(s) != "" }

func (a Address) filled() bool {
	for _, line := range a.Lines {
		if filled(line) {
			return true
		}
	}
	return filled(a.City)
}
