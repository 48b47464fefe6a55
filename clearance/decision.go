package clearance

import (
	"time"

	"github.com/ecogate/ecogate/eco"
)

// Verdict is what an officer decides about one claim.
type Verdict string

// The verdicts.
const (
	VerdictAccept  Verdict = "accept"  // preference is granted for all that was claimed
	VerdictPart    Verdict = "part"    // for a part of it; the rest is free again
	VerdictDeny    Verdict = "deny"    // with reasons; the partner is told within the form's time
	VerdictSuspend Verdict = "suspend" // goods go on guarantee until a doubt is cleared up; nothing of the certificate is used meanwhile
	VerdictVerify  Verdict = "verify"  // the same, and the issuing body is asked
	VerdictReopen  Verdict = "reopen"  // a denial is taken back after clarification (ATIGA OCP Rule 30.4), and decided anew
	VerdictReverse Verdict = "reverse" // what was written off is given back, and decided anew
)

// Verdicts lists every Verdict.
func Verdicts() []Verdict {
	return []Verdict{VerdictAccept, VerdictPart, VerdictDeny, VerdictSuspend, VerdictVerify, VerdictReopen, VerdictReverse}
}

// Ruling is the verdict about one claim.
type Ruling struct {
	// Claim is Claim.Number; 0 is every claim that the verdict can be given on.
	Claim   int     `json:"claim,omitempty"`
	Verdict Verdict `json:"verdict"`
	// Quantity is what is granted, with VerdictPart only.
	Quantity *eco.Measure `json:"quantity,omitempty"`
	// Reasons are of the customs codes of eco.Reasons: required to deny, suspend and verify, allowed for what a part leaves out.
	Reasons []eco.Reason `json:"reasons,omitempty"`
	// Guarantee is what goods are released on with VerdictSuspend and VerdictVerify; nil is the declaration's own.
	Guarantee *Guarantee `json:"guarantee,omitempty"`
	// Questions are put to the issuing body, and ReplyBy is the last day for its reply, with VerdictVerify only.
	Questions []string `json:"questions,omitempty"`
	ReplyBy   eco.Date `json:"reply_by,omitzero"`
	// Refund: the goods were released at full duty before, which is to be paid back.
	Refund bool `json:"refund,omitempty"`
}

// Judgement is what an officer says of a declaration: at most one ruling for each claim.
type Judgement struct {
	Rulings []Ruling `json:"rulings"`
	// Note is for people on the other side.
	Note string `json:"note,omitempty"`
	// Override is the officer's reason to write off after the certificate's validity, or after it was cancelled.
	Override string `json:"override,omitempty"`
}

// DecisionState is where a decision stands.
type DecisionState string

// The states of a decision.
const (
	DecisionProposed DecisionState = "proposed" // waits for another officer
	DecisionMade     DecisionState = "made"
	DecisionRejected DecisionState = "rejected" // another officer did not agree; nothing came of it
)

// Decision is a judgement that was made, or waits for another officer.
type Decision struct {
	// Number counts the decisions about one declaration from 1.
	Number int           `json:"decision"`
	State  DecisionState `json:"state"`
	By     string        `json:"by"`
	At     time.Time     `json:"at"`
	Judgement
	// Second is the other officer's word; nil where none was asked for, or none has come.
	Second *SecondOfficer `json:"second_officer,omitempty"`
}

// SecondOfficer is what another officer said to a decision.
type SecondOfficer struct {
	By  string    `json:"by"`
	At  time.Time `json:"at"`
	Why string    `json:"why,omitempty"`
}
