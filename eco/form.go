package eco

import (
	"regexp"
	"slices"
	"strings"
	"time"
)

// The codes of forms that the program itself speaks of; Forms holds them all.
const (
	FormATIGA           FormCode = "ATIGA-D"
	FormLaoGSP          FormCode = "LA-GSP-A"
	FormNonPreferential FormCode = "NON-PREFERENTIAL"
)

// Form is the document type of one agreement with its rules as data: one file of eco/forms, whose keys are the yaml tags.
// A zero rule asks for nothing. Its slices are shared: read them, do not change them.
type Form struct {
	Code FormCode `yaml:"code" json:"code"`
	// Title is the form's name as people print it, such as "ATIGA FORM D".
	Title string `yaml:"title" json:"title"`
	// Agreement is the agreement or scheme under which the form is issued.
	Agreement string `yaml:"agreement" json:"agreement"`
	// DocumentType is the UNCL 1001 code of the form: 861 certificate of origin, 864 preference certificate, 865 form A.
	DocumentType string `yaml:"document_type" json:"document_type"`
	// Unconfirmed names the keys of this file whose figures no published text confirms: a rule that rests on one only warns.
	Unconfirmed []string `yaml:"unconfirmed" json:"unconfirmed,omitempty"`

	// Issuers and Importers are the ISO 3166-1 alpha-2 codes of the countries that may issue and import under the form;
	// empty admits any country.
	Issuers   []string `yaml:"issuers" json:"issuers,omitempty"`
	Importers []string `yaml:"importers" json:"importers,omitempty"`
	// References are the known shapes of reference numbers. A reference must fit one of those of its issuing country that
	// count on its issue date; a country without any is not checked.
	References []ReferenceRule `yaml:"references" json:"references,omitempty"`

	// Boxes are the boxes of the paper form, in its order.
	Boxes []Box `yaml:"boxes" json:"boxes,omitempty"`
	// Required names the data that must be there beside what every form asks for, as in the JSON form; "items.hs" is meant
	// for every item, and "items.gross_weight|items.quantity" asks for at least one of the two. Names are those of the
	// tables in fields.go.
	Required []string `yaml:"required" json:"required,omitempty"`
	// Limits are a system's and not the law's, so that more is a warning.
	Limits Limits `yaml:"limits" json:"limits,omitzero"`
	HS     HSRule `yaml:"hs" json:"hs,omitzero"`

	// Criteria are the origin criteria that may be stated; empty means that the form has no criterion box.
	Criteria []CriterionRule `yaml:"criteria" json:"criteria,omitempty"`
	// BarePercent is the criterion that a percentage by itself means: "40%" on Form D is RVC.
	BarePercent string `yaml:"bare_percent" json:"bare_percent,omitempty"`
	// WholePercent: the scheme states percentages as whole numbers, rounded down (40.6 is 40).
	WholePercent bool `yaml:"whole_percent" json:"whole_percent,omitempty"`
	// FOBWith lists the criteria that call for the item's FOB value; empty leaves FOB values alone.
	FOBWith []string `yaml:"fob_with" json:"fob_with,omitempty"`

	// Flags are the indicators that the form offers, each of which a certificate answers with true or false.
	Flags []Flag `yaml:"flags" json:"flags,omitempty"`
	// ValidityMonths is how long the certificate may be presented, counted from its issue date.
	ValidityMonths int `yaml:"validity_months" json:"validity_months,omitempty"`
	// Retroactive says when a certificate counts as issued after the fact; nil when the form does not distinguish.
	Retroactive *RetroactiveRule `yaml:"retroactive" json:"retroactive,omitempty"`
	// Use says how often a certificate may be cited; "" when the agreement does not say.
	Use Use `yaml:"use" json:"use,omitempty"`
	// Clocks are the times within which the administrations answer each other.
	Clocks Clocks `yaml:"clocks" json:"clocks,omitzero"`
	// RetentionYears is how long records are kept at least.
	RetentionYears int `yaml:"retention_years" json:"retention_years,omitempty"`
	// Capitals are the issuing countries whose forms are filled in English capitals.
	Capitals []string `yaml:"capitals" json:"capitals,omitempty"`

	source string
}

// Source is the file that the form was read from, with its comments.
func (f Form) Source() string { return f.source }

// Use is how often a certificate may be cited.
type Use string

// The uses.
const (
	// UseSingle: one declaration uses the certificate up, whatever its quantity.
	UseSingle Use = "single"
	// UseDrawdown: declarations write quantities off each item until nothing is left.
	UseDrawdown Use = "drawdown"
)

// Box is one box of the paper form.
type Box struct {
	// Number is the box's as printed; Title its heading.
	Number string `yaml:"number" json:"number"`
	Title  string `yaml:"title" json:"title"`
	// Holds names the data in the box, as in the JSON form: "exporter", "items.hs", "flags.EXHIBITION". A box that the
	// importing administration fills holds nothing.
	Holds []string `yaml:"holds" json:"holds,omitempty"`
}

// Limits are how much one certificate holds; 0 is no limit.
type Limits struct {
	Items       int `yaml:"items" json:"items,omitempty"`
	ExtraCopies int `yaml:"extra_copies" json:"extra_copies,omitempty"`
	// Remarks bounds the remarks, Description how an item's description is printed.
	Remarks     TextLimit `yaml:"remarks" json:"remarks,omitzero"`
	Description TextLimit `yaml:"description" json:"description,omitzero"`
}

// TextLimit is room for text: lines, and characters a line. Longer lines are wrapped. 0 is no limit.
type TextLimit struct {
	Lines int `yaml:"lines" json:"lines,omitempty"`
	Width int `yaml:"width" json:"width,omitempty"`
}

// LinesOf counts the lines that text takes when it is wrapped at the width.
func (l TextLimit) LinesOf(text string) int {
	if text == "" {
		return 0
	}
	lines := 0
	for line := range strings.SplitSeq(strings.ReplaceAll(text, "\r\n", "\n"), "\n") {
		n := len([]rune(line))
		if l.Width > 0 && n > l.Width {
			lines += (n - 1) / l.Width
		}
		lines++
	}
	return lines
}

// HSRule says how goods are classified.
type HSRule struct {
	// Digits is the length of the Harmonized System code when one is given.
	Digits int `yaml:"digits" json:"digits,omitempty"`
	// Basis is HSBasisImporting where the form asks for the importing country's code; "" when it does not say.
	Basis string `yaml:"basis" json:"basis,omitempty"`
}

// ReferenceRule is one shape of reference numbers.
type ReferenceRule struct {
	// Country is the ISO code of the issuing country whose numbers look so.
	Country string `yaml:"country" json:"country"`
	// Body is the id of the issuing body whose numbers look so; "" for every body of the country.
	Body string `yaml:"body" json:"body,omitempty"`
	// Layout tells people the shape, such as "YYOOSSSS".
	Layout string `yaml:"layout" json:"layout"`
	// Pattern is a regular expression (RE2) for the whole reference as printed. Groups named year (two or four digits), office,
	// serial and importing (a country) are compared with the rest of the certificate.
	Pattern string `yaml:"pattern" json:"pattern"`
	// From and Until bound the issue dates of such numbers, both included; zero does not restrict.
	From  Date `yaml:"from" json:"from,omitzero"`
	Until Date `yaml:"until" json:"until,omitzero"`
	// MaxSerial is the last serial number that the shape has room for; 0 leaves serials alone.
	MaxSerial int `yaml:"max_serial" json:"max_serial,omitempty"`
	// Unconfirmed is set unless a published rule gives the shape: a reference that differs is only a warning.
	Unconfirmed bool `yaml:"unconfirmed" json:"unconfirmed,omitempty"`

	pattern *regexp.Regexp // Pattern, between ^ and $
}

// CriterionRule is one origin criterion of a form.
type CriterionRule struct {
	Code string `yaml:"code" json:"code"`
	// Meaning explains the code to people.
	Meaning string `yaml:"meaning" json:"meaning"`
	// Spellings are other words for the code on printed forms, such as "SPECIFIC PROCESSES"; case does not count.
	Spellings []string `yaml:"spellings" json:"spellings,omitempty"`
	// Lines are the lines of the criterion box on which the code may stand, from 1: a certificate's criteria take one line
	// each. Empty is any line.
	Lines []int `yaml:"lines" json:"lines,omitempty"`
	// Percent says whether the code is stated with a percentage, which then lies from Min to Max.
	Percent PercentRule `yaml:"percent" json:"percent,omitempty"`
	Min     Decimal     `yaml:"min" json:"min,omitempty"`
	Max     Decimal     `yaml:"max" json:"max,omitempty"`
	// Usual is the percentage below which only some goods qualify, by product-specific rules: a warning. Empty: none.
	Usual Decimal `yaml:"usual" json:"usual,omitempty"`
}

// PercentRule says whether a criterion has a percentage.
type PercentRule string

// The percentage rules.
const (
	PercentNone     PercentRule = ""
	PercentOptional PercentRule = "optional"
	PercentRequired PercentRule = "required"
)

// TakesPercent reports whether the code may be stated with a percentage.
func (r CriterionRule) TakesPercent() bool { return r.Percent != PercentNone }

// DayUnit is how a period of days is counted.
type DayUnit string

// The day units. They are never interchangeable: "3 days" and "3 working days" differ around a weekend.
const (
	CalendarDays DayUnit = "calendar"
	// WorkingDays are Monday to Friday. Public holidays are not known here, so they count as working days.
	WorkingDays DayUnit = "working"
)

// DayBase is the day from which a period is counted, the day after it being day 1.
type DayBase string

// The bases. Each is a date of the transport box; where it is not stated the departure date stands in for it.
const (
	FromDeparture DayBase = "departure" // transport.departure_date
	FromShipment  DayBase = "shipment"  // transport.shipment_date, which the exporter declares
	FromSailing   DayBase = "sailing"   // transport.sailing_date, of the vessel or aircraft
)

var dayBases = []DayBase{FromDeparture, FromShipment, FromSailing}

// RetroactiveRule says until when a certificate is issued in time, and until when it may be issued at all.
type RetroactiveRule struct {
	// Days of Unit after Base; a certificate issued later carries FlagIssuedRetroactively.
	Days int     `yaml:"days" json:"days"`
	Unit DayUnit `yaml:"unit" json:"unit"`
	Base DayBase `yaml:"base" json:"base"`
	// MaxMonths after Base no certificate is issued any more; 0 sets no end.
	MaxMonths int `yaml:"max_months" json:"max_months,omitempty"`
}

// LastDay is the last day of issue in time for goods whose base day is given.
func (r RetroactiveRule) LastDay(base Date) Date {
	if r.Unit != WorkingDays {
		return base.AddDays(r.Days)
	}
	day := base
	for n := 0; n < r.Days; {
		day = day.AddDays(1)
		if weekday := day.Time().Weekday(); weekday != time.Saturday && weekday != time.Sunday {
			n++
		}
	}
	return day
}

// Day is the day of t from which the rule counts, and the JSON name of the field that gave it; the zero Date when t states
// neither that day nor a departure date.
func (b DayBase) Day(t Transport) (day Date, field string) {
	switch {
	case b == FromShipment && !t.ShipmentDate.IsZero():
		return t.ShipmentDate, "shipment_date"
	case b == FromSailing && !t.SailingDate.IsZero():
		return t.SailingDate, "sailing_date"
	}
	return t.DepartureDate, "departure_date"
}

// Clocks are the times within which the administrations answer each other; 0 is not agreed.
type Clocks struct {
	// RejectNoticeDays is how long the importing side may take to tell that it denies preference, from receipt.
	RejectNoticeDays int `yaml:"reject_notice_days" json:"reject_notice_days,omitempty"`
	// VerificationReplyDays bounds the reply to a retroactive check, VerificationTotalDays the whole of it.
	VerificationReplyDays int `yaml:"verification_reply_days" json:"verification_reply_days,omitempty"`
	VerificationTotalDays int `yaml:"verification_total_days" json:"verification_total_days,omitempty"`
	// VisitConsentDays and VisitDays bound consent to a verification visit, and the visit itself.
	VisitConsentDays int `yaml:"visit_consent_days" json:"visit_consent_days,omitempty"`
	VisitDays        int `yaml:"visit_days" json:"visit_days,omitempty"`
	// ReissueMonths is how long after the original a copy or re-issue may be had.
	ReissueMonths int `yaml:"reissue_months" json:"reissue_months,omitempty"`
}

// Confirmed reports whether a published text confirms what the form says under a key of its file, such as "criteria".
func (f Form) Confirmed(key string) bool { return !slices.Contains(f.Unconfirmed, key) }

// Offers reports whether the form has a tick box for flag.
func (f Form) Offers(flag Flag) bool { return slices.Contains(f.Flags, flag) }

// Criterion finds an origin criterion of the form.
func (f Form) Criterion(code string) (CriterionRule, bool) {
	for _, rule := range f.Criteria {
		if rule.Code == code {
			return rule, true
		}
	}
	return CriterionRule{}, false
}

// BoxOf finds the box of the paper form that holds what a path of a finding leads to, such as "items[2].fob".
func (f Form) BoxOf(path string) (Box, bool) {
	plain := strings.Replace(indexPattern.ReplaceAllString(path, ""), "criterion_text", "criteria", 1)
	var found Box
	longest := 0
	for _, box := range f.Boxes {
		for _, held := range box.Holds {
			inside := plain == held || strings.HasPrefix(plain, held+".") || strings.HasPrefix(plain, held+"_")
			if inside && len(held) > longest {
				found, longest = box, len(held)
			}
		}
	}
	return found, longest > 0
}

// indexPattern is the index of an entry of a list.
var indexPattern = regexp.MustCompile(`\[[0-9]+\]`)
