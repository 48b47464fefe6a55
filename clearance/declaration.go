package clearance

import (
	"slices"
	"time"

	"github.com/ecogate/ecogate/eco"
)

// Declaration is an import declaration as far as it claims preference: what its declarant says. The customs system has the rest of it.
// It is a value: what becomes of it is in its Lodgement.
type Declaration struct {
	// Number is the customs system's or the declarant's number of it; one number is one declaration, in any spelling that
	// eco.NormaliseReference makes the same.
	Number string `json:"number"`
	// Office is the code of the customs office; optional.
	Office string `json:"office,omitempty"`
	// Lodged is the day on which it was presented to customs.
	Lodged eco.Date `json:"lodged"`
	// Importer is for whom preference is claimed, Agent who declares for the importer; the agent is optional.
	Importer eco.Party  `json:"importer"`
	Agent    *eco.Party `json:"agent,omitempty"`
	Lines    []Line     `json:"lines"`
	// Guarantee covers the duty while a certificate that is cited has not come, or is suspended; nil for none.
	Guarantee *Guarantee `json:"guarantee,omitempty"`
	// Override is an officer's reason to take certificates after their validity (ATIGA OCP Rule 14: goods that arrived in time, force
	// majeure). From anybody else it is an error.
	Override string `json:"override,omitempty"`
}

// Line is one line of goods of a declaration. Absent data is the zero value.
type Line struct {
	// Number is the line's number in the declaration, from 1.
	Number int `json:"number"`
	// HS is the tariff code that is declared, digits only: six or more.
	HS          string `json:"hs,omitempty"`
	Description string `json:"description,omitempty"`
	// Origin is the country of origin that is declared, ISO 3166-1 alpha-2.
	Origin string `json:"origin,omitempty"`
	// Quantity and the weights are of the whole line.
	Quantity    *eco.Measure `json:"quantity,omitempty"`
	NetWeight   *eco.Measure `json:"net_weight,omitempty"`
	GrossWeight *eco.Measure `json:"gross_weight,omitempty"`
	// Value is the FOB value of the line, as certificates state it; one on other terms is left out.
	Value    *eco.Amount `json:"value,omitempty"`
	Packages int64       `json:"packages,omitempty"`
	// Citations are the items of certificates under which preference is claimed for the line; none for a line without preference.
	Citations []Citation `json:"citations,omitempty"`
}

// Citation names one item of a certificate.
type Citation struct {
	// Reference is the certificate's number, in any spelling. Country (of issue) and Form tell certificates with one number apart; both
	// may be left out where one certificate alone has the number.
	Reference string       `json:"reference"`
	Country   string       `json:"country,omitempty"`
	Form      eco.FormCode `json:"form,omitempty"`
	// Item is the item's number as printed; 0 is the only item of a certificate that has one.
	Item int `json:"item,omitempty"`
	// Quantity is how much of the item is claimed; nil is all of the line: its quantity or its weight, whichever the certificate counts in.
	Quantity *eco.Measure `json:"quantity,omitempty"`
}

// Guarantee is a security for the duty, which the customs system holds.
type Guarantee struct {
	// Number is the customs system's.
	Number string `json:"number"`
	// Until is the last day on which it holds; zero is not limited.
	Until  eco.Date    `json:"until,omitzero"`
	Amount *eco.Amount `json:"amount,omitempty"`
}

// LodgementState is where a declaration stands.
type LodgementState string

// The states of a declaration.
const (
	LodgementLodged      LodgementState = "lodged"          // every certificate is here, and what is claimed is reserved
	LodgementOnGuarantee LodgementState = "on guarantee"    // a certificate has not come, or does not fit; its guarantee stands for it
	LodgementPart        LodgementState = "decided in part" // officers decided some claims
	LodgementDecided     LodgementState = "decided"         // no claim is open
	LodgementWithdrawn   LodgementState = "withdrawn"       // taken back; nothing is reserved
	LodgementLapsed      LodgementState = "lapsed"          // nobody decided in time; nothing is reserved
)

// LodgementStates lists every LodgementState in the order of a usual life.
func LodgementStates() []LodgementState {
	return []LodgementState{LodgementLodged, LodgementOnGuarantee, LodgementPart, LodgementDecided, LodgementWithdrawn, LodgementLapsed}
}

// Ended reports whether nothing of it is reserved or awaited any more.
func (s LodgementState) Ended() bool {
	return s == LodgementDecided || s == LodgementWithdrawn || s == LodgementLapsed
}

// Lodgement is a declaration and what became of it: the value of a docket of KindDeclaration, whose id is the normalised number.
type Lodgement struct {
	Declaration
	// Declarant is the name of the API key that lodged it.
	Declarant string `json:"declarant"`
	// Broker: that key was a broker's, who is held to what he may see.
	Broker bool `json:"broker,omitempty"`
	// Version counts what was lodged under the number, from 1; Revision is that of its docket, which every change raises.
	Version  int            `json:"version"`
	Revision uint64         `json:"revision"`
	State    LodgementState `json:"state"`
	// Received is the instant at which this version came; HeldUntil when its reservations lapse, unless all is decided before.
	Received  time.Time `json:"received"`
	HeldUntil time.Time `json:"held_until,omitzero"`
	// Claims are the citations of all lines in their order, and where each stands.
	Claims []Claim `json:"claims"`
	// Findings did not stop it and are for an officer; Differences compare its lines with the certificates, in which identical ones are
	// left out.
	Findings    []eco.Finding    `json:"findings,omitempty"`
	Differences []eco.Difference `json:"differences,omitempty"`
	// Decisions are those that officers made or proposed, in their order.
	Decisions []Decision `json:"decisions,omitempty"`
	// Release says that the certificates which were awaited have come; nil for one that awaited none, or still does.
	Release *ReleaseNote `json:"release_note,omitempty"`
	// History tells what happened to it, oldest first.
	History []Entry `json:"history"`
}

// Entry is one line of a Lodgement's history.
type Entry struct {
	At    time.Time `json:"at"`
	By    string    `json:"by"`
	Event string    `json:"event"` // as in the audit log, such as "declaration.lodged"
	Text  string    `json:"text,omitempty"`
}

// Standing is where a claim stands.
type Standing string

// The standings of a claim.
const (
	StandingAwaited   Standing = "awaited"   // the certificate has not come, or could not be taken when it came
	StandingReserved  Standing = "reserved"  // what is claimed is kept for this declaration
	StandingSuspended Standing = "suspended" // goods are released on guarantee until a doubt is cleared up
	StandingVerifying Standing = "verifying" // the issuing body is asked
	StandingAccepted  Standing = "accepted"  // preference is granted, and all that was claimed is written off
	StandingPart      Standing = "part"      // preference is granted for a part, which is written off
	StandingDenied    Standing = "denied"
	StandingWithdrawn Standing = "withdrawn" // taken back or lapsed
)

// Open reports whether an officer has still to decide.
func (s Standing) Open() bool {
	switch s {
	case StandingAwaited, StandingReserved, StandingSuspended, StandingVerifying:
		return true
	}
	return false
}

// Claim is one citation and where it stands.
type Claim struct {
	// Number is its place in Lodgement.Claims, from 1; decisions name it.
	Number int `json:"claim"`
	// Line is Line.Number.
	Line int `json:"line"`
	Citation
	// Certificate is the record that is cited and Key its key, nil while it has not come.
	Certificate uint64 `json:"certificate,omitempty"`
	Key         *Key   `json:"key,omitempty"`
	// Taken is what is reserved, and what an acceptance writes off; absent for an item that declares no quantity.
	Taken *eco.Measure `json:"taken,omitempty"`
	// Granted is what was written off.
	Granted  *eco.Measure `json:"granted,omitempty"`
	Standing Standing     `json:"standing"`
	// Reasons say why it was denied or suspended, or granted in part only.
	Reasons []eco.Reason `json:"reasons,omitempty"`
	// Late: the certificate came after the declaration.
	Late bool `json:"late,omitempty"`
	// FullDuty: it was denied at a time, so that the goods went at full duty.
	FullDuty bool `json:"full_duty,omitempty"`
	// Refund: preference was granted after the goods had been released at full duty, which is to be paid back. ATIGA OCP Rule 16(2).
	Refund bool `json:"refund,omitempty"`
}

// ID is the id of the declaration's docket.
func (d Declaration) ID() string { return eco.NormaliseReference(d.Number) }

// open reports whether any claim waits for a decision.
func (l Lodgement) open() bool {
	return slices.ContainsFunc(l.Claims, func(c Claim) bool { return c.Standing.Open() })
}

// awaits reports whether any claim waits for its certificate.
func (l Lodgement) awaits() bool {
	return slices.ContainsFunc(l.Claims, func(c Claim) bool { return c.Standing == StandingAwaited })
}

// certificates are the records that claims rest on, each once, in their order.
func (l Lodgement) certificates() []uint64 {
	var all []uint64
	for _, c := range l.Claims {
		if c.Certificate != 0 && !slices.Contains(all, c.Certificate) {
			all = append(all, c.Certificate)
		}
	}
	return all
}

// tell adds a line to the history.
func (l *Lodgement) tell(at time.Time, by, event, text string) {
	l.History = append(l.History, Entry{At: at, By: by, Event: event, Text: text})
}
