package eco

import "regexp"

// The codes of the forms below.
const (
	FormATIGA           FormCode = "ATIGA-D"
	FormLaoGSP          FormCode = "LA-GSP-A"
	FormNonPreferential FormCode = "NON-PREFERENTIAL"
)

// asean are the parties to the ASEAN Trade in Goods Agreement. Whether Timor-Leste, a member of ASEAN since October
// 2025, already trades under it is not confirmed, so it is not listed.
var asean = []string{"BN", "KH", "ID", "LA", "MY", "MM", "PH", "SG", "TH", "VN"}

// always is what every form asks for and no document can do without.
var always = []string{
	"issuing_body.id", "issuing_body.name", "exporter.name", "exporter.address", "consignee.name",
	"items.description", "declaration.name", "certification.officer",
}

// laoReference is the number of Lao certificates: the year, two digits for the office, and four that the office counts.
// Lao MOIC Instruction 0118/MOIC.DIMEX of 31 January 2020. The year is read as the year of issue, which the instruction
// does not spell out.
var laoReference = regexp.MustCompile(`^(?P<year>\d{2})(?P<office>\d{2})(?P<serial>\d{4})$`)

// forms is ordered by code.
var forms = []Form{
	{
		Code:         FormATIGA,
		Title:        "ATIGA FORM D",
		Agreement:    "ASEAN Trade in Goods Agreement",
		DocumentType: "864",
		Issuers:      asean,
		Importers:    asean,
		// ATIGA OCP Rule 7(3) leaves the number to each place of issue, so none of these shapes is binding. Instruction
		// 0118 puts a country code or acronym in front of the Lao number; which, and with what separator, is not said.
		References: []ReferenceRule{
			{Country: "LA", Layout: "LA YYOOSSSS", Pattern: regexp.MustCompile(`^(LA|LAO)?[ -]?(?P<year>\d{2})(?P<office>\d{2})(?P<serial>\d{4})$`)},
			{Country: "VN", Layout: "VN-CC YY/OO/NNNNN", Pattern: regexp.MustCompile(`^VN-[A-Z]{2} (?P<year>\d{2})/(?P<office>\d{2})/(?P<serial>\d{5})$`)},
			{Country: "TH", Layout: "DYYYY-NNNNNNN", Pattern: regexp.MustCompile(`^D(?P<year>\d{4})-(?P<serial>\d{7})$`)},
			{Country: "ID", Layout: "NNNNNNN/OFFICE/YYYY", Pattern: regexp.MustCompile(`^(?P<serial>\d{7})/(?P<office>[A-Z0-9]+)/(?P<year>\d{4})$`)},
		},
		Required: append([]string{
			"consignee.address", "transport.departure_date", "items.hs", "items.criteria", "items.invoices", "invoices",
			"items.gross_weight|items.net_weight|items.quantity",
		}, always...),
		MaxItems: 50, // Singapore Customs' limit for one certificate; ATIGA sets none.
		HSDigits: 6,
		Criteria: []CriterionRule{
			{Code: "WO", Meaning: "wholly obtained or produced"},
			// The general threshold is 40 %; product-specific rules go lower ("CTSH + 35%").
			{Code: "RVC", Meaning: "regional value content", TakesPercent: true, Min: "0.01", Max: "100", Usual: "40"},
			{Code: "CC", Meaning: "change in chapter"},
			{Code: "CTH", Meaning: "change in tariff heading"},
			{Code: "CTSH", Meaning: "change in tariff sub-heading"},
			{Code: "SP", Meaning: "specific processes"},
			// ATIGA OCP Annex 2: partial cumulation below 40 %; Singapore Customs takes whole numbers from 20 to 39.
			{Code: "PC", Meaning: "partial cumulation", TakesPercent: true, Min: "20", Max: "39.99"},
		},
		FOBWith: []string{"RVC", "PC"}, // ATIGA OCP Rule 25.
		Flags: []Flag{
			FlagThirdCountryInvoicing, FlagAccumulation, FlagBackToBack, FlagPartialCumulation,
			FlagExhibition, FlagDeMinimis, FlagIssuedRetroactively, FlagCertifiedTrueCopy,
		},
		ValidityMonths: 12, // ATIGA OCP Rule 14.
		// ATIGA OCP Rule 10: by the time of shipment or within 3 days; later, within one year, so marked.
		Retroactive: &RetroactiveRule{Days: 3, Unit: CalendarDays, Base: FromDeparture, MaxMonths: 12, Confirmed: true},
	},
	{
		Code:         FormLaoGSP,
		Title:        "GSP FORM A",
		Agreement:    "Generalised System of Preferences, issued by the Lao People's Democratic Republic",
		DocumentType: "865",
		Issuers:      []string{"LA"},
		References: []ReferenceRule{
			{Country: "LA", Layout: "YYOOSSSS", Pattern: laoReference, Confirmed: true},
		},
		Required: append([]string{"items.criteria", "items.gross_weight|items.net_weight|items.quantity"}, always...),
		MaxItems: 50, // Singapore Customs' limit, taken as a caution.
		HSDigits: 6,
		Criteria: []CriterionRule{
			{Code: "P", Meaning: "wholly produced"},
			{Code: "Y", Meaning: "sufficiently worked, with the percentage of value", TakesPercent: true, Min: "0.01", Max: "100"},
			{Code: "PK", Meaning: "cumulated with a preference-giving country", TakesPercent: true, Min: "0.01", Max: "100"},
		},
		Flags: []Flag{FlagIssuedRetroactively},
		// Not confirmed: ten months and shorter periods are in use too; the importing country's scheme decides.
		ValidityMonths: 12,
		// Not confirmed: box 4 says "ISSUED RETROSPECTIVELY" for certificates issued after export.
		Retroactive: &RetroactiveRule{Days: 0, Unit: CalendarDays, Base: FromDeparture},
	},
	{
		Code:         FormNonPreferential,
		Title:        "CERTIFICATE OF ORIGIN",
		Agreement:    "non-preferential origin",
		DocumentType: "861",
		Required:     append([]string{"origin_country|items.origin_country"}, always...),
		MaxItems:     50, // Singapore Customs' limit, taken as a caution.
		HSDigits:     6,
	},
}
