package eco

// MaxItems is how many items one certificate may have. No form comes near it; it bounds the work that a partner can cause.
const MaxItems = 2000

// Certificate is one certificate of origin as its issuing body issued it: what is printed on the form and what the
// form's declaration and certification boxes say. It carries no state of its exchange.
//
// Values are kept as issued; only Normalise functions change spelling, and only for look-up. Absent data is the zero
// value and is left out of the JSON form.
type Certificate struct {
	// Form names the agreement's document type, such as "ATIGA-D". It selects the rules that Validate applies.
	Form FormCode `json:"form"`
	// Reference is the certificate's number as printed.
	Reference string `json:"reference"`
	// Version counts issues under one number, from 1; 0 means 1.
	Version int `json:"version,omitempty"`
	// UUID is a globally unique identifier that some issuing systems give; optional.
	UUID string `json:"uuid,omitempty"`
	// Status is the function of this document (UNCL 1225 in words): ORIGINAL when empty.
	Status DocumentStatus `json:"status,omitempty"`

	// IssuingCountry is the ISO 3166-1 alpha-2 code of the country under whose authority the certificate is issued.
	IssuingCountry string `json:"issuing_country"`
	// IssuingBody is the chamber, ministry or office that certifies.
	IssuingBody IssuingBody `json:"issuing_body"`
	// IssuedAt is the day of certification; IssueTime its optional wall clock time with zone ("15:04:05Z07:00").
	IssuedAt  Date   `json:"issue_date"`
	IssueTime string `json:"issue_time,omitempty"`

	// Application is the number of the exporter's application; optional.
	Application string `json:"application,omitempty"`
	// Job is the issuing system's number of the case, when it has one beside the application's; PreviousJob that of the
	// case which this one continues, such as the one of a certificate that is replaced.
	Job         string `json:"job,omitempty"`
	PreviousJob string `json:"previous_job,omitempty"`

	Exporter  Party  `json:"exporter"`
	Consignee Party  `json:"consignee"`
	Importer  *Party `json:"importer,omitempty"` // when it differs from the consignee
	// Notify is whom the carrier tells of the arrival, when the consignee's box says "to order" and names somebody to notify.
	Notify *Party `json:"notify_party,omitempty"`
	// ExportingCountry and ImportingCountry are the two countries named in the exporter's declaration (ISO alpha-2).
	ExportingCountry string `json:"exporting_country"`
	ImportingCountry string `json:"importing_country"`
	// OriginCountry is the country of origin stated for the whole certificate; items may state their own.
	OriginCountry string `json:"origin_country,omitempty"`

	Transport Transport `json:"transport"`
	Remarks   string    `json:"remarks,omitempty"`

	Items    []Item    `json:"items"`
	Invoices []Invoice `json:"invoices,omitempty"`
	// Documents are other supporting documents: export declaration, bill of lading, packing list.
	Documents []Document `json:"documents,omitempty"`

	// Flags holds a value for every indicator that the form offers. An absent key means "not offered".
	Flags map[Flag]bool `json:"flags,omitempty"`
	// Exhibition is set when FlagExhibition is.
	Exhibition *Exhibition `json:"exhibition,omitempty"`
	// Related names certificates that this one replaces, copies or builds on.
	Related []RelatedCertificate `json:"related,omitempty"`

	Declaration   Declaration   `json:"declaration"`
	Certification Certification `json:"certification"`
	// Embassy is a consular legalisation of the certificate, Insurance an insurer's endorsement; few forms have them.
	Embassy   *Endorsement `json:"embassy_endorsement,omitempty"`
	Insurance *Endorsement `json:"insurance_endorsement,omitempty"`
	// Verification is where people can ask the issuing body about the certificate.
	Verification VerificationPage `json:"verification,omitzero"`
	// Copies says how many copies were issued for whom.
	Copies []Copy `json:"copies,omitempty"`
}

// FormCode names a form, in capitals with dashes.
type FormCode string

// DocumentStatus is the function of a certificate document.
type DocumentStatus string

// The functions of a certificate document.
const (
	StatusOriginal     DocumentStatus = "ORIGINAL"
	StatusReplacement  DocumentStatus = "REPLACEMENT"
	StatusTrueCopy     DocumentStatus = "CERTIFIED-TRUE-COPY"
	StatusReissue      DocumentStatus = "RE-ISSUE"
	StatusCancellation DocumentStatus = "CANCELLATION"
)

// IssuingBody is who certifies.
type IssuingBody struct {
	// ID is the body's code in the node's and the partner's lists of authorised issuers, such as "KCCI".
	ID   string `json:"id"`
	Name string `json:"name"`
	// Office is the code of the office within the body; optional.
	Office  string  `json:"office,omitempty"`
	Address Address `json:"address,omitzero"`
}

// Party is a person or company named on the certificate.
type Party struct {
	Name string `json:"name"`
	// Identifiers are national numbers such as a tax number.
	Identifiers []Identifier `json:"identifiers,omitempty"`
	Address     Address      `json:"address,omitzero"`
	Contact     string       `json:"contact,omitempty"`
}

// SchemeCertifiedExporter is the scheme of the number under which an exporter is certified or approved to declare origin.
const SchemeCertifiedExporter = "CERTIFIED-EXPORTER"

// Identifier is a number under a scheme, such as {"TAX", "199001000123"}.
type Identifier struct {
	Scheme string `json:"scheme"`
	Value  string `json:"value"`
}

// Address is a postal address: the lines as printed, and the parts that are known apart from them.
type Address struct {
	Lines   []string `json:"lines,omitempty"`
	City    string   `json:"city,omitempty"`
	Country string   `json:"country,omitempty"` // ISO 3166-1 alpha-2
}

// Transport is the means of transport and route box.
type Transport struct {
	// Text is the box as printed.
	Text string `json:"text,omitempty"`
	// Mode is the UN/ECE Recommendation 19 code, one digit: 1 sea, 2 rail, 3 road, 4 air, 5 mail, 6 multimodal, 8 inland water.
	Mode          string `json:"mode,omitempty"`
	DepartureDate Date   `json:"departure_date,omitzero"`
	// ShipmentDate is the day of shipment that the exporter declares, SailingDate the day on which the vessel or aircraft left.
	// They are given only where they are not the departure date; DayBase tells who counts from them.
	ShipmentDate Date `json:"shipment_date,omitzero"`
	SailingDate  Date `json:"sailing_date,omitzero"`
	// Vessel is a ship's name, VesselID its IMO number; Journey a voyage, flight, train or vehicle number.
	Vessel        string   `json:"vessel,omitempty"`
	VesselID      string   `json:"vessel_id,omitempty"`
	Journey       string   `json:"journey,omitempty"`
	LoadingPort   Location `json:"loading_port,omitzero"`
	DischargePort Location `json:"discharge_port,omitzero"`
	Transshipment Location `json:"transshipment_port,omitzero"`
	// TransitCountries are the countries through which the goods pass or in which they are transshipped (ISO alpha-2), in order.
	TransitCountries []string `json:"transit_countries,omitempty"`
}

// Location is a place with its UN/LOCODE where known.
type Location struct {
	Code string `json:"code,omitempty"`
	Name string `json:"name,omitempty"`
}

// Item is one line of goods.
type Item struct {
	// Number is the item number as printed, from 1.
	Number int `json:"number"`
	// Marks are the marks and numbers on packages, lines separated by \n.
	Marks string `json:"marks,omitempty"`
	// Packages counts packages of kind PackageCode (UN/ECE Recommendation 21) and PackageText.
	Packages    int64  `json:"packages,omitempty"`
	PackageCode string `json:"package_code,omitempty"`
	PackageText string `json:"package_text,omitempty"`
	// Description is the description box as printed. GoodsText is the part of it that describes the goods alone, Brand and
	// Model are those that it names, where the issuing system knows them apart.
	Description string `json:"description"`
	GoodsText   string `json:"goods_text,omitempty"`
	Brand       string `json:"brand,omitempty"`
	Model       string `json:"model,omitempty"`
	// HS is the Harmonized System code, digits only, of edition HSEdition ("2022").
	HS        string `json:"hs,omitempty"`
	HSEdition string `json:"hs_edition,omitempty"`
	// HSBasis says whose classification it is, HSBasisImporting or HSBasisExporting, or empty for the form's own rule.
	HSBasis string `json:"hs_basis,omitempty"`
	// NationalCode is a longer national tariff code under list NationalList ("AHTN"), edition NationalEdition ("2022").
	NationalCode    string `json:"national_code,omitempty"`
	NationalList    string `json:"national_list,omitempty"`
	NationalEdition string `json:"national_edition,omitempty"`
	// Criteria are the origin criteria that apply together.
	Criteria []Criterion `json:"criteria,omitempty"`
	// CriterionText is the criterion box as printed.
	CriterionText string `json:"criterion_text,omitempty"`
	OriginCountry string `json:"origin_country,omitempty"`
	// OriginBasis is the paragraph of RCEP Article 2.6 by which OriginCountry was found when it is not the ordinary one:
	// "2.6.6A" (printed *) or "2.6.6B" (printed **).
	OriginBasis string   `json:"origin_basis,omitempty"`
	GrossWeight *Measure `json:"gross_weight,omitempty"`
	NetWeight   *Measure `json:"net_weight,omitempty"`
	Quantity    *Measure `json:"quantity,omitempty"`
	// QuantityText is the quantity box as printed, where its unit has no code.
	QuantityText string  `json:"quantity_text,omitempty"`
	FOB          *Amount `json:"fob,omitempty"`
	// Invoices are the numbers of the invoices in Certificate.Invoices that cover this item.
	Invoices []string `json:"invoices,omitempty"`
	Producer *Party   `json:"producer,omitempty"`
	// CPE is the issuing country's confirmation that the product is eligible. National: ForPartner leaves it out.
	CPE *CPE `json:"cpe,omitempty"`
}

// The countries whose classification goods may have: it may differ at the two ends.
const (
	HSBasisImporting = "IMPORTING"
	HSBasisExporting = "EXPORTING"
)

// Criterion is one origin criterion code of the form's list, with its percentage where the code takes one.
type Criterion struct {
	Code    string  `json:"code"`
	Percent Decimal `json:"percent,omitempty"`
}

// Measure is a decimal number of units (UN/ECE Recommendation 20).
type Measure struct {
	Value Decimal `json:"value"`
	Unit  string  `json:"unit"`
}

// Amount is a sum of money (ISO 4217).
type Amount struct {
	Value    Decimal `json:"value"`
	Currency string  `json:"currency"`
}

// Invoice is a commercial invoice that covers goods of the certificate.
type Invoice struct {
	Number string `json:"number"`
	Date   Date   `json:"date,omitzero"`
	// Issuer is the invoicing company when it is not the exporter (third-country invoicing).
	Issuer *Party `json:"issuer,omitempty"`
}

// Document is a supporting document by its UNCL 1001 type code, and the type in words where those say more.
type Document struct {
	Type   string `json:"type"`
	Title  string `json:"title,omitempty"`
	Number string `json:"number"`
	Date   Date   `json:"date,omitzero"`
}

// Flag is an indicator that forms offer as a tick box.
type Flag string

// The indicators.
const (
	FlagThirdCountryInvoicing Flag = "THIRD_COUNTRY_INVOICING"
	FlagAccumulation          Flag = "ACCUMULATION"
	FlagBackToBack            Flag = "BACK_TO_BACK"
	FlagPartialCumulation     Flag = "PARTIAL_CUMULATION"
	FlagExhibition            Flag = "EXHIBITION"
	FlagDeMinimis             Flag = "DE_MINIMIS"
	FlagIssuedRetroactively   Flag = "ISSUED_RETROACTIVELY"
	FlagCertifiedTrueCopy     Flag = "CERTIFIED_TRUE_COPY"
)

// flags are those that a form may offer.
var flags = []Flag{
	FlagThirdCountryInvoicing, FlagAccumulation, FlagBackToBack, FlagPartialCumulation,
	FlagExhibition, FlagDeMinimis, FlagIssuedRetroactively, FlagCertifiedTrueCopy,
}

// Exhibition is where goods were shown before their sale.
type Exhibition struct {
	Name    string `json:"name"`
	Address string `json:"address,omitempty"`
	Country string `json:"country,omitempty"`
}

// Relation says how another certificate relates to this one.
type Relation string

// The relations, read as "this certificate <relation> the other".
const (
	RelationReplaces   Relation = "REPLACES"
	RelationBackToBack Relation = "BACK_TO_BACK_OF"
	RelationTrueCopyOf Relation = "TRUE_COPY_OF"
	RelationCancels    Relation = "CANCELS"
)

// RelatedCertificate names another certificate.
type RelatedCertificate struct {
	Relation  Relation `json:"relation"`
	Reference string   `json:"reference"`
	Date      Date     `json:"date,omitzero"`
	Country   string   `json:"country,omitempty"`
	Body      string   `json:"body,omitempty"`
	// OriginCountry and ExporterCode are the original's country of origin and its exporter's certified exporter number, which
	// a back-to-back certificate under RCEP repeats.
	OriginCountry string `json:"origin_country,omitempty"`
	ExporterCode  string `json:"exporter_code,omitempty"`
}

// Declaration is the exporter's declaration box.
type Declaration struct {
	Name  string `json:"name"`
	Place string `json:"place,omitempty"`
	Date  Date   `json:"date,omitzero"`
}

// Certification is the issuing body's certification box; its day is Certificate.IssuedAt.
type Certification struct {
	Officer string `json:"officer"`
	Place   string `json:"place,omitempty"`
	Remarks string `json:"remarks,omitempty"`
}

// Endorsement is what a body other than the issuing one certified on the form.
type Endorsement struct {
	// Number is the endorsement's own number, Status what was decided ("LEGALISED").
	Number string `json:"number"`
	Status string `json:"status"`
	// Body is the embassy or insurer, Officer who signed for it.
	Body    string `json:"body"`
	Officer string `json:"officer"`
	Place   string `json:"place,omitempty"`
	Country string `json:"country,omitempty"` // ISO 3166-1 alpha-2
	Remarks string `json:"remarks,omitempty"`
}

// VerificationPage is the page, or the QR code's address, at which an issuing body answers for its certificates, and the code
// that it asks for.
type VerificationPage struct {
	URL  string `json:"url,omitempty"`
	Code string `json:"code,omitempty"`
}

// Copy says how many copies of one kind were issued for somebody.
type Copy struct {
	// Qualifier is the kind, such as "ORIGINAL" or "DUPLICATE".
	Qualifier string `json:"qualifier"`
	Count     int    `json:"count"`
	For       string `json:"for"` // a name
}
