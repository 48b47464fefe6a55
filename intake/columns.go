package intake

import (
	"slices"
	"strings"

	"github.com/ecogate/ecogate/eco"
)

// scope is the part of a certificate that a column belongs to. The cells of one row and one scope make one entry of it.
type scope string

const (
	ofCertificate scope = ""
	ofItem        scope = "items"
	ofInvoice     scope = "invoices"
	ofDocument    scope = "documents"
	ofRelated     scope = "related"
)

// kind says what stands in the cells of a column.
type kind int

const (
	line      kind = iota // one line of text
	lines                 // text of several lines
	day                   // a date
	count                 // a whole number
	decimal               // a number
	yesNo                 // yes or no
	tariff                // a tariff code, with or without dots
	criterion             // the criterion box as printed
	numbers               // one or several numbers of invoices
)

// column is one column that a spreadsheet may have.
type column struct {
	heading string
	scope   scope
	// path is where its cells go, within the scope.
	path string
	kind kind
	// note tells people what to write; example is what the template shows.
	note, example string
	// constant is a path and a value that go with a cell, such as the scheme of a tax number.
	constant [2]string
	// list names the values of a drop-down; see lists.
	list string
	// always is set for what every certificate needs, whatever its form.
	always bool
}

// at is the column's path in a certificate; entries of lists have no index in it.
func (c column) at() string {
	if c.scope == ofCertificate {
		return c.path
	}
	return string(c.scope) + "." + c.path
}

// exampleReference marks the template's example rows. They are left out when a sheet is read.
const exampleReference = "EXAMPLE"

// headingOfReference is the column that every sheet has: it says which certificate a row is about.
const headingOfReference = "Reference"

// fixedColumns are all columns but those of the flags, in the order of the template.
var fixedColumns = []column{
	{heading: headingOfReference, path: "reference", note: "The certificate's number as printed. Rows with the same number are one certificate.", example: exampleReference, always: true},
	{heading: "Form", path: "form", note: "The form's code.", example: "ATIGA-D", list: "forms", always: true},
	{heading: "Status", path: "status", note: "ORIGINAL if empty.", list: "statuses"},
	{heading: "Version", path: "version", kind: count, note: "Counts issues under one number, from 1."},
	{heading: "Issuing country", path: "issuing_country", note: "Two letters.", example: "LA", list: "countries", always: true},
	{heading: "Issuing body", path: "issuing_body.id", note: "The body's code, as agreed with the node's operator.", example: "MOIC", always: true},
	{heading: "Issuing body name", path: "issuing_body.name", example: "MINISTRY OF INDUSTRY AND COMMERCE", always: true},
	{heading: "Office", path: "issuing_body.office", note: "Code of the office within the body.", example: "01"},
	{heading: "Issuing body address", path: "issuing_body.address.lines", kind: lines, note: "Lines as printed."},
	{heading: "Issuing body city", path: "issuing_body.address.city"},
	{heading: "Issuing body country", path: "issuing_body.address.country", list: "countries"},
	{heading: "Issue date", path: "issue_date", kind: day, note: "The day of certification.", example: "2026-11-16", always: true},
	{heading: "Issue time", path: "issue_time", note: "With its zone, such as 09:45:00+07:00."},
	{heading: "Application", path: "application", note: "Your own number of the application."},
	{heading: "Exporter", path: "exporter.name", example: "SAVANNA RIVER MANUFACTURING CO., LTD", always: true},
	{heading: "Exporter address", path: "exporter.address.lines", kind: lines, note: "Lines as printed (Alt+Enter).", example: "KM 9, ROAD NO. 9 EAST", always: true},
	{heading: "Exporter city", path: "exporter.address.city", example: "SAVANNAKHET"},
	{heading: "Exporter country", path: "exporter.address.country", example: "LA", list: "countries"},
	{heading: "Exporter tax number", path: "exporter.identifiers[0].value", constant: [2]string{"exporter.identifiers[0].scheme", "TAX"}, example: "405817263000"},
	{heading: "Exporter contact", path: "exporter.contact"},
	{heading: "Consignee", path: "consignee.name", example: "RED RIVER INDUSTRIAL SUPPLY JSC", always: true},
	{heading: "Consignee address", path: "consignee.address.lines", kind: lines, note: "Lines as printed.", example: "18 LE HONG PHONG STREET"},
	{heading: "Consignee city", path: "consignee.address.city", example: "HAI PHONG"},
	{heading: "Consignee country", path: "consignee.address.country", example: "VN", list: "countries"},
	{heading: "Consignee tax number", path: "consignee.identifiers[0].value", constant: [2]string{"consignee.identifiers[0].scheme", "TAX"}},
	{heading: "Consignee contact", path: "consignee.contact"},
	{heading: "Importer", path: "importer.name", note: "If it differs from the consignee."},
	{heading: "Importer address", path: "importer.address.lines", kind: lines, note: "Lines as printed."},
	{heading: "Importer city", path: "importer.address.city"},
	{heading: "Importer country", path: "importer.address.country", list: "countries"},
	{heading: "Importer tax number", path: "importer.identifiers[0].value", constant: [2]string{"importer.identifiers[0].scheme", "TAX"}},
	{heading: "Notify party", path: "notify_party.name", note: "If the consignee's box says to order."},
	{heading: "Notify party address", path: "notify_party.address.lines", kind: lines, note: "Lines as printed."},
	{heading: "Notify party country", path: "notify_party.address.country", list: "countries"},
	{heading: "Exporting country", path: "exporting_country", note: "Two letters.", example: "LA", list: "countries", always: true},
	{heading: "Importing country", path: "importing_country", note: "Two letters.", example: "VN", list: "countries", always: true},
	{heading: "Origin country", path: "origin_country", note: "If it is the same for all items.", list: "countries"},
	{heading: "Transport", path: "transport.text", kind: lines, note: "The box as printed.", example: "BY TRUCK VIA DANSAVANH - LAO BAO"},
	{heading: "Transport mode", path: "transport.mode", note: "1 sea, 2 rail, 3 road, 4 air, 5 mail, 6 several, 8 inland water.", example: "3", list: "modes"},
	{heading: "Departure date", path: "transport.departure_date", kind: day, example: "2026-11-16"},
	{heading: "Shipment date", path: "transport.shipment_date", kind: day, note: "If it is not the departure date."},
	{heading: "Sailing date", path: "transport.sailing_date", kind: day, note: "If it is not the departure date."},
	{heading: "Vessel", path: "transport.vessel", note: "A ship's name."},
	{heading: "Vessel IMO number", path: "transport.vessel_id"},
	{heading: "Journey", path: "transport.journey", note: "Voyage, flight, train or vehicle number.", example: "LA-7142"},
	{heading: "Loading port", path: "transport.loading_port.name", example: "SAVANNAKHET"},
	{heading: "Loading port code", path: "transport.loading_port.code", note: "UN/LOCODE.", example: "LAZVK"},
	{heading: "Discharge port", path: "transport.discharge_port.name", example: "HAI PHONG"},
	{heading: "Discharge port code", path: "transport.discharge_port.code", note: "UN/LOCODE.", example: "VNHPH"},
	{heading: "Transshipment port", path: "transport.transshipment_port.name"},
	{heading: "Transshipment port code", path: "transport.transshipment_port.code", note: "UN/LOCODE."},
	{heading: "Remarks", path: "remarks", kind: lines},
	{heading: "Exhibition", path: "exhibition.name", note: "If the goods were shown there before their sale."},
	{heading: "Exhibition address", path: "exhibition.address"},
	{heading: "Exhibition country", path: "exhibition.country", list: "countries"},
	{heading: "Declared by", path: "declaration.name", note: "Who signed the exporter's declaration.", example: "SOMCHAI VONGSA", always: true},
	{heading: "Declaration place", path: "declaration.place", example: "SAVANNAKHET"},
	{heading: "Declaration date", path: "declaration.date", kind: day, example: "2026-11-14"},
	{heading: "Certified by", path: "certification.officer", note: "The officer who signed.", example: "KHAMLA PHOMMASONE", always: true},
	{heading: "Certification place", path: "certification.place", example: "VIENTIANE"},
	{heading: "Certification remarks", path: "certification.remarks"},
	{heading: "Relation", scope: ofRelated, path: "relation", note: "What this certificate is to another; one row for each.", list: "relations"},
	{heading: "Related reference", scope: ofRelated, path: "reference", note: "The other certificate's number."},
	{heading: "Related date", scope: ofRelated, path: "date", kind: day, note: "Its issue date."},
	{heading: "Related country", scope: ofRelated, path: "country", list: "countries"},
	{heading: "Related body", scope: ofRelated, path: "body"},
	{heading: "Related origin country", scope: ofRelated, path: "origin_country", list: "countries"},
	{heading: "Related exporter code", scope: ofRelated, path: "exporter_code"},
	{heading: "Document type", scope: ofDocument, path: "type", note: "UNCL 1001: 830 export declaration, 705 bill of lading, 271 packing list; one row for each document."},
	{heading: "Document title", scope: ofDocument, path: "title"},
	{heading: "Document number", scope: ofDocument, path: "number"},
	{heading: "Document date", scope: ofDocument, path: "date", kind: day},

	{heading: "Item", scope: ofItem, path: "number", kind: count, note: "The item number as printed. Counted from 1 if empty.", example: "1"},
	{heading: "Marks", scope: ofItem, path: "marks", kind: lines, note: "Marks and numbers on packages.", example: "RRIS/HPH"},
	{heading: "Packages", scope: ofItem, path: "packages", kind: count, note: "How many.", example: "400"},
	{heading: "Package code", scope: ofItem, path: "package_code", note: "UN/ECE Recommendation 21: BG bags, CT cartons, PK packages.", example: "BG"},
	{heading: "Package text", scope: ofItem, path: "package_text", note: "Kind of packages in words.", example: "BAGS"},
	{heading: "Description", scope: ofItem, path: "description", kind: lines, note: "The goods.", example: "POTASSIUM CHLORIDE, GRANULAR", always: true},
	{heading: "Brand", scope: ofItem, path: "brand", note: "As the description names it."},
	{heading: "Model", scope: ofItem, path: "model", note: "As the description names it."},
	{heading: "HS", scope: ofItem, path: "hs", kind: tariff, note: "Harmonized System code, six digits.", example: "310420"},
	{heading: "HS edition", scope: ofItem, path: "hs_edition", note: "Year of the edition.", example: "2022"},
	{heading: "HS basis", scope: ofItem, path: "hs_basis", note: "Whose classification it is, if the form leaves it open.", list: "bases"},
	{heading: "National code", scope: ofItem, path: "national_code", kind: tariff, note: "A longer national tariff code."},
	{heading: "National list", scope: ofItem, path: "national_list", note: "Its list, such as AHTN."},
	{heading: "National edition", scope: ofItem, path: "national_edition", note: "Year of the national list."},
	{heading: "Origin criterion", scope: ofItem, path: "criterion_text", kind: criterion, note: "As printed, such as CTH + RVC 40%.", example: "WO"},
	{heading: "Item origin country", scope: ofItem, path: "origin_country", list: "countries", example: "LA"},
	{heading: "Origin basis", scope: ofItem, path: "origin_basis", note: "RCEP: 2.6.6A (printed *) or 2.6.6B (printed **)."},
	{heading: "Gross weight", scope: ofItem, path: "gross_weight.value", kind: decimal, example: "20080.000"},
	{heading: "Gross weight unit", scope: ofItem, path: "gross_weight.unit", note: "UN/ECE Recommendation 20: KGM kilograms, TNE tonnes.", example: "KGM"},
	{heading: "Net weight", scope: ofItem, path: "net_weight.value", kind: decimal},
	{heading: "Net weight unit", scope: ofItem, path: "net_weight.unit"},
	{heading: "Quantity", scope: ofItem, path: "quantity.value", kind: decimal, note: "A quantity beside or instead of weight."},
	{heading: "Quantity unit", scope: ofItem, path: "quantity.unit", note: "C62 pieces, MTR metres, LTR litres."},
	{heading: "Quantity text", scope: ofItem, path: "quantity_text", note: "The box as printed, if the unit has no code."},
	{heading: "FOB value", scope: ofItem, path: "fob.value", kind: decimal, note: "If the form wants it with this criterion."},
	{heading: "FOB currency", scope: ofItem, path: "fob.currency", note: "ISO 4217, such as USD."},
	{heading: "CPE", scope: ofItem, path: "cpe.number", note: "Number of the confirmation of product eligibility; never sent abroad."},
	{heading: "CPE date", scope: ofItem, path: "cpe.issued", kind: day},
	{heading: "CPE until", scope: ofItem, path: "cpe.until", kind: day, note: "The last day that it states."},
	{heading: "CPE body", scope: ofItem, path: "cpe.body", note: "Who confirmed."},
	{heading: "Producer", scope: ofItem, path: "producer.name"},
	{heading: "Producer address", scope: ofItem, path: "producer.address.lines", kind: lines},
	{heading: "Producer city", scope: ofItem, path: "producer.address.city"},
	{heading: "Producer country", scope: ofItem, path: "producer.address.country", list: "countries"},
	{heading: "Invoice", scope: ofInvoice, path: "number", kind: numbers, note: "Number of the invoice that covers the item; several with ; between them, each dated in a row of its own.", example: "SG-26-5521"},
	{heading: "Invoice date", scope: ofInvoice, path: "date", kind: day, example: "2026-11-13"},
	{heading: "Invoice issuer", scope: ofInvoice, path: "issuer.name", note: "If it is not the exporter."},
	{heading: "Invoice issuer address", scope: ofInvoice, path: "issuer.address.lines", kind: lines},
	{heading: "Invoice issuer city", scope: ofInvoice, path: "issuer.address.city"},
	{heading: "Invoice issuer country", scope: ofInvoice, path: "issuer.address.country", list: "countries"},
}

// flagHeading is "Third country invoicing" for THIRD_COUNTRY_INVOICING.
func flagHeading(f eco.Flag) string {
	words := strings.ToLower(strings.ReplaceAll(string(f), "_", " "))
	return strings.ToUpper(words[:1]) + words[1:]
}

// columns lists every column: the fixed ones, and after them of the certificate one for each flag that a form offers.
func columns(forms eco.Forms) []column {
	var flags []eco.Flag
	for _, form := range forms.All() {
		for _, flag := range form.Flags {
			if !slices.Contains(flags, flag) {
				flags = append(flags, flag)
			}
		}
	}
	after := slices.IndexFunc(fixedColumns, func(c column) bool { return c.path == "exhibition.name" })
	out := slices.Clone(fixedColumns[:after])
	for _, flag := range flags {
		out = append(out, column{
			heading: heading(flag), path: "flags." + string(flag), kind: yesNo, note: "Yes or no. Empty counts as no if the form has this box.", list: "answers",
		})
	}
	return append(out, fixedColumns[after:]...)
}

// heading keeps a flag's heading apart from those of the fixed columns: "Exhibition" is the name of one.
func heading(f eco.Flag) string {
	h := flagHeading(f)
	for _, c := range fixedColumns {
		if plain(c.heading) == plain(h) {
			return h + " box"
		}
	}
	return h
}

// plain is a heading as it is compared: letters and digits only, so that case, spaces and marks such as * do not matter.
func plain(heading string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case 'A' <= r && r <= 'Z':
			return r - 'A' + 'a'
		case 'a' <= r && r <= 'z', '0' <= r && r <= '9':
			return r
		}
		return -1
	}, heading)
}

// lists are the values of drop-downs.
func lists(forms eco.Forms) map[string][]string {
	out := map[string][]string{
		"answers": {"YES", "NO"},
		"bases":   {eco.HSBasisImporting, eco.HSBasisExporting},
		"modes":   {"1", "2", "3", "4", "5", "6", "8"},
		"statuses": {
			string(eco.StatusOriginal), string(eco.StatusReplacement), string(eco.StatusTrueCopy), string(eco.StatusReissue), string(eco.StatusCancellation),
		},
		"relations": {string(eco.RelationReplaces), string(eco.RelationBackToBack), string(eco.RelationTrueCopyOf), string(eco.RelationCancels)},
	}
	for _, form := range forms.All() {
		out["forms"] = append(out["forms"], string(form.Code))
	}
	for first := 'A'; first <= 'Z'; first++ {
		for second := 'A'; second <= 'Z'; second++ {
			if code := string([]rune{first, second}); eco.IsCountry(code) {
				out["countries"] = append(out["countries"], code)
			}
		}
	}
	return out
}
