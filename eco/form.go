package eco

import (
	"regexp"
	"slices"
	"time"
)

// Form is the document type of one agreement with its rules as data. A zero rule asks for nothing. Its slices belong to
// the package: read them, do not change them.
type Form struct {
	Code FormCode
	// Title is the form's name as people print it, such as "ATIGA FORM D".
	Title string
	// Agreement is the agreement or scheme under which the form is issued.
	Agreement string
	// DocumentType is the UNCL 1001 code of the form: 861 certificate of origin, 864 preference certificate, 865 form A.
	DocumentType string

	// Issuers and Importers are the ISO 3166-1 alpha-2 codes of the countries that may issue and import under the form;
	// empty admits any country.
	Issuers, Importers []string
	// References are the known shapes of reference numbers. A reference must fit one of those of its issuing country;
	// a country without any is not checked.
	References []ReferenceRule

	// Required names the data that must be there, as in the JSON form; "items.hs" is meant for every item, and
	// "items.gross_weight|items.quantity" asks for at least one of the two. Names are those of the tables in fields.go.
	Required []string
	// MaxItems bounds the items of one certificate; more is a warning, since the limit is a system's and not the law's.
	MaxItems int
	// HSDigits is the length of the Harmonized System code when one is given.
	HSDigits int

	// Criteria are the origin criteria that may be stated; empty means that the form has no criterion box.
	Criteria []CriterionRule
	// FOBWith lists the criteria that call for the item's FOB value; empty leaves FOB values alone.
	FOBWith []string

	// Flags are the indicators that the form offers, each of which a certificate answers with true or false.
	Flags []Flag
	// ValidityMonths is how long the certificate may be presented, counted from its issue date.
	ValidityMonths int
	// Retroactive says when a certificate counts as issued after the fact; nil when the form does not distinguish.
	Retroactive *RetroactiveRule
}

// ReferenceRule is one shape of reference numbers.
type ReferenceRule struct {
	// Country is the ISO code of the issuing country whose numbers look so.
	Country string
	// Layout tells people the shape, such as "YYOOSSSS".
	Layout string
	// Pattern matches the whole reference as printed. Groups named year (two or four digits), office and serial are
	// compared with the rest of the certificate.
	Pattern *regexp.Regexp
	// Confirmed is set when a published rule gives the shape; otherwise a reference that differs is only a warning.
	Confirmed bool
}

// ReferenceParts is what a reference says about itself; parts that its shape does not have are empty.
type ReferenceParts struct{ Year, Office, Serial string }

// Match splits a reference of this shape into its parts.
func (r ReferenceRule) Match(reference string) (ReferenceParts, bool) {
	groups := r.Pattern.FindStringSubmatch(reference)
	if groups == nil {
		return ReferenceParts{}, false
	}
	named := func(name string) string {
		if i := r.Pattern.SubexpIndex(name); i >= 0 {
			return groups[i]
		}
		return ""
	}
	return ReferenceParts{Year: named("year"), Office: named("office"), Serial: named("serial")}, true
}

// CriterionRule is one origin criterion of a form.
type CriterionRule struct {
	Code string
	// Meaning explains the code to people.
	Meaning string
	// TakesPercent is set when the code is stated with a percentage, which then lies from Min to Max.
	TakesPercent bool
	Min, Max     Decimal
	// Usual is the percentage below which only some goods qualify, by product-specific rules: a warning. Empty: none.
	Usual Decimal
}

// DayUnit is how a period of days is counted.
type DayUnit string

// The day units. They are never interchangeable: "3 days" and "3 working days" differ around a weekend.
const (
	CalendarDays DayUnit = "calendar"
	// WorkingDays are Monday to Friday. Public holidays are not known here, so they count as working days.
	WorkingDays DayUnit = "working"
)

// DayBase is the day from which a period is counted.
type DayBase string

// FromDeparture counts from the departure date of the transport box, the day after it being day 1.
const FromDeparture DayBase = "departure"

// RetroactiveRule says until when a certificate is issued in time, and until when it may be issued at all.
type RetroactiveRule struct {
	// Days of Unit after Base; a certificate issued later carries FlagIssuedRetroactively.
	Days int
	Unit DayUnit
	Base DayBase
	// MaxMonths after Base no certificate is issued any more; 0 sets no end.
	MaxMonths int
	// Confirmed is set when the agreement's text gives the figures; otherwise a breach is only a warning.
	Confirmed bool
}

// LastDay is the last day of issue in time for goods that departed on the given day.
func (r RetroactiveRule) LastDay(departure Date) Date {
	if r.Unit != WorkingDays {
		return departure.AddDays(r.Days)
	}
	day := departure
	for n := 0; n < r.Days; {
		day = day.AddDays(1)
		if weekday := day.Time().Weekday(); weekday != time.Saturday && weekday != time.Sunday {
			n++
		}
	}
	return day
}

// FormByCode finds a form; it reports false for a code that this program does not know.
func FormByCode(code FormCode) (Form, bool) {
	for _, f := range forms {
		if f.Code == code {
			return f, true
		}
	}
	return Form{}, false
}

// Forms lists the forms that this program knows, ordered by code.
func Forms() []Form { return slices.Clone(forms) }

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
