package eco

// Severity says whether a finding stops a certificate.
type Severity string

// The severities.
const (
	// SeverityError means that the certificate breaks a rule of its form and may not be submitted.
	SeverityError Severity = "error"
	// SeverityWarning means that a person should look: the rule is not certain, or partners differ about it.
	SeverityWarning Severity = "warning"
)

// The reason codes for data that is wrong. Validate uses all but CodeReferenceReused, which only a store can find.
// They are our own synthesis of what administrations reject certificates for; what a partner is told on the wire is
// agreed with that partner.
const (
	CodeReferenceFormat = "D01" // the reference does not look like its issuer's
	CodeReferenceReused = "D02" // the reference was used before, for other content
	CodeIssuingBody     = "D03" // the issuing body or its office is missing or does not fit
	CodeDates           = "D04" // issued in the future, expired, or dates in the wrong order
	CodeForm            = "D05" // the form is unknown
	CodeCountries       = "D06" // a country is not party to the form's agreement, or is no country
	CodeHS              = "D07" // Harmonized System code missing or at another level
	CodeCriterion       = "D08" // the origin criterion is not one of the form's
	CodePercentage      = "D09" // a percentage is missing or outside its range
	CodeFOB             = "D10" // FOB value missing where the criterion calls for it, or given where it does not
	CodeQuantity        = "D11" // units, quantities, weights, packages
	CodeRetroactive     = "D12" // the retroactive indicator and the dates disagree
	CodeThirdParty      = "D13" // third-country invoicing without the invoicing company
	CodeBackToBack      = "D14" // back-to-back without the original certificate
	CodeText            = "D15" // characters and length; also data that is missing, repeated or not referred to
	CodeRelated         = "D16" // the related certificate is missing or does not fit the status
)

// Finding is one thing that is wrong or doubtful in a certificate or in an answer about one.
type Finding struct {
	// Code is the reason code, such as CodeHS.
	Code string `json:"code"`
	// Severity is SeverityError or SeverityWarning.
	Severity Severity `json:"severity"`
	// Path names the field as in the JSON form, such as "items[2].hs"; indexes count from 0.
	Path string `json:"path"`
	// Text says what was expected and what was found.
	Text string `json:"text"`
	// Fix says what to do about it.
	Fix string `json:"fix,omitempty"`
}

// HasErrors reports whether any finding is an error.
func HasErrors(findings []Finding) bool {
	for _, f := range findings {
		if f.Severity == SeverityError {
			return true
		}
	}
	return false
}
