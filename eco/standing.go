package eco

import (
	"fmt"
	"slices"
	"time"
)

// StatusRequest asks a partner whether a certificate has arrived, and where it stands. Who asks knows the certificate by
// its number and may not know who issued it: IssuingBody may be empty.
type StatusRequest struct {
	Statement
}

// StatusReport answers a StatusRequest.
type StatusReport struct {
	Statement
	// Request is the ID of the StatusRequest that it answers.
	Request string `json:"request"`
	// Standing is where the certificate stands with who answers.
	Standing Standing `json:"standing"`
	// Since is when it arrived there, or was sent from there; zero when it is not known.
	Since time.Time `json:"since,omitzero"`
	// Items are what customs said last of each item, if they said anything.
	Items []ItemOutcome `json:"items,omitempty"`
}

// Standing is where a certificate stands, in the words that partners are told. A certificate that was never here and one that is
// another partner's are StandingUnknown alike.
type Standing string

// The standings, with the codes of UNCL 1373 (document status) that come nearest.
const (
	StandingUnknown    Standing = "unknown"      // 11: not available
	StandingIssued     Standing = "issued"       // 10: currently valid, says the exporting side
	StandingReceived   Standing = "received"     // 4: here, and waits for messages before it
	StandingAvailable  Standing = "available"    // 10: currently valid, says the importing side
	StandingUsedInPart Standing = "used-in-part" // 13
	StandingUsedUp     Standing = "used-up"      // 12
	StandingDenied     Standing = "denied"       // 8
	StandingSuspended  Standing = "suspended"    // 3
	StandingCancelled  Standing = "cancelled"    // 11
	StandingReplaced   Standing = "replaced"     // 11
	StandingExpired    Standing = "expired"      // 11
	StandingInConflict Standing = "in-conflict"  // 11: two with this number and other content; none counts
)

// standings are all of them.
var standings = []Standing{
	StandingUnknown, StandingIssued, StandingReceived, StandingAvailable, StandingUsedInPart, StandingUsedUp, StandingDenied,
	StandingSuspended, StandingCancelled, StandingReplaced, StandingExpired, StandingInConflict,
}

// Standings lists every Standing.
func Standings() []Standing { return slices.Clone(standings) }

// ValidateStatusRequest checks r, about a certificate of one of forms, and returns what it finds, always in the same order; nil when there is nothing.
func ValidateStatusRequest(r StatusRequest, forms Forms) []Finding {
	v := &validation{codes: forms.codes}
	v.checkStatement(&r.Statement, bodyOptional, forms)
	v.checkAllTexts(r)
	return v.findings
}

// ValidateStatusReport checks r by itself, about a certificate of one of forms, and returns what it finds, always in the same order; nil when there is nothing. The work
// is linear in its size.
func ValidateStatusReport(r StatusReport, forms Forms) []Finding {
	v := &validation{codes: forms.codes}
	v.checkStatement(&r.Statement, bodyOptional, forms)
	v.checkStated("request", r.Request)
	if !slices.Contains(standings, r.Standing) {
		v.fail(CodeText, "standing", fmt.Sprintf("want one of %s, found %q", list(standings), r.Standing), "say one of these")
	}
	if !r.Since.IsZero() {
		v.checkInstant("since", r.Since)
	}
	if r.Standing == StandingUnknown && (len(r.Items) > 0 || !r.Since.IsZero()) {
		v.fail(CodeText, "standing", "nothing is known of the certificate, and something is said of it", "leave it out, or say where the certificate stands")
	}
	v.checkOutcomes(r.Items)
	v.checkAllTexts(r)
	return v.findings
}
