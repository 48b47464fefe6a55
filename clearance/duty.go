package clearance

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/ecogate/ecogate/eco"
)

// DutyKind is what must be done.
type DutyKind string

// The kinds of duties. The first four are deadlines of the certificate's form, for certificates that a declaration cites or of which a
// verification is open.
const (
	DutyValidity          = DutyKind(eco.DeadlineValidity)          // what is claimed is written off while the certificate is valid
	DutyRejectNotice      = DutyKind(eco.DeadlineRejectNotice)      // a denial is told to the partner. ATIGA OCP Rule 30(3)
	DutyVerificationReply = DutyKind(eco.DeadlineVerificationReply) // the issuing body replies. ATIGA OCP Rule 18
	DutyVerificationTotal = DutyKind(eco.DeadlineVerificationTotal) // the verification is closed
	DutyVoid              = DutyKind("void certificate")            // a declaration is decided whose certificate does not count any more
	DutyReservation       = DutyKind("reservation")                 // a declaration is decided before what it holds lapses
	DutyGuarantee         = DutyKind("guarantee")                   // what a guarantee stands for comes before the guarantee ends
	DutyTell              = DutyKind("tell partner")                // a decision that no message could tell is told by other means
)

// DutyState is where a duty stands.
type DutyState string

// The states of a duty.
const (
	DutyOpen      DutyState = "open"
	DutyWarned    DutyState = "warned"    // its day is near
	DutyEscalated DutyState = "escalated" // its day is over, and another role was told
	DutyDone      DutyState = "done"
)

// Who owns a duty.
const (
	OwnerOfficer   = "officer"
	OwnerDeclarant = "declarant"
	OwnerPartner   = "partner"
)

// Duty is one thing that somebody must do, and its last day: the value of a docket of KindDuty.
type Duty struct {
	// ID names what must be done about what, such as "reject notice of KR/ATIGA-D/K0012500001".
	ID   string   `json:"id"`
	Kind DutyKind `json:"kind"`
	// Certificate is what it is about, as Key.String writes it; Declaration, Verification and Response are the numbers of what else it is
	// about. They are empty where there is none.
	Certificate  string `json:"certificate,omitempty"`
	Declaration  string `json:"declaration,omitempty"`
	Verification string `json:"verification,omitempty"`
	Response     string `json:"response,omitempty"`
	// Owner is who must do it, officer, declarant or partner, and Name which declarant's key or partner.
	Owner string `json:"owner"`
	Name  string `json:"name,omitempty"`
	// Due is the last day in UTC. From Warn on the owner is warned; after Due the role EscalatesTo is told.
	Due         eco.Date  `json:"due"`
	Warn        eco.Date  `json:"warn"`
	EscalatesTo string    `json:"escalates_to"`
	State       DutyState `json:"state"`
	// Unconfirmed: no published text confirms the figure that the day follows from.
	Unconfirmed bool `json:"unconfirmed,omitempty"`
	// Text says what must be done, for people.
	Text string `json:"text"`
	// Opened, Closed and ClosedBy tell when it arose, and when what ended it.
	Opened   time.Time `json:"opened"`
	Closed   time.Time `json:"closed,omitzero"`
	ClosedBy string    `json:"closed_by,omitempty"`
	// Revision is that of its docket.
	Revision uint64 `json:"revision"`
}

// DutyRules are the figures of duties.
type DutyRules struct {
	// WarnDays is how many days before its last one the owner of a duty is warned.
	WarnDays int
	// EscalateTo is the role that is told of a duty whose last day is over.
	EscalateTo string
}

// DefaultDutyRules are those that hold unless they are configured.
var DefaultDutyRules = DutyRules{WarnDays: 7, EscalateTo: "operator"}

// opened is a duty as it arises.
func (r DutyRules) opened(d Duty, now time.Time) Duty {
	d.State, d.Opened, d.EscalatesTo, d.Warn = DutyOpen, now, r.EscalateTo, d.Due.AddDays(-r.WarnDays)
	d.ID = fmt.Sprintf("%s of %s", d.Kind, d.about())
	return d
}

// about is what a duty is about.
func (d Duty) about() string {
	switch {
	case d.Response != "":
		return d.Response
	case d.Declaration != "":
		return eco.NormaliseReference(d.Declaration)
	case d.Verification != "":
		return d.Certificate + " " + d.Verification
	}
	return d.Certificate
}

// next is when a duty is to be looked at again; zero for never.
func (d Duty) next() time.Time {
	switch d.State {
	case DutyOpen:
		return d.Warn.Time()
	case DutyWarned:
		return d.Due.AddDays(1).Time()
	}
	return time.Time{}
}

// pass is a duty after time has passed, and the event of the audit log that tells of it; "" for none.
func (d Duty) pass(now time.Time) (Duty, string) {
	today := eco.DateOf(now.UTC())
	switch {
	case (d.State == DutyOpen || d.State == DutyWarned) && today.After(d.Due):
		d.State = DutyEscalated
		return d, "duty.escalated"
	case d.State == DutyOpen && !today.Before(d.Warn):
		d.State = DutyWarned
		return d, "duty.warned"
	}
	return d, ""
}

// moved is a duty whose last day changed: it is warned of anew.
func (d Duty) moved(wanted Duty) Duty {
	d.Due, d.Warn, d.Text, d.Unconfirmed, d.State = wanted.Due, wanted.Warn, wanted.Text, wanted.Unconfirmed, DutyOpen
	return d
}

// terms are what a duty is found by: when it is done, by what it was about only.
func (d Duty) terms() []string {
	terms := []string{"state:" + string(d.State)}
	if d.State != DutyDone {
		terms = append(terms, "open", "owner:"+d.Owner, "about:"+d.follows())
	}
	if d.Owner == OwnerDeclarant {
		terms = append(terms, "declarant:"+d.Name)
	}
	return terms
}

// follows is whose changes a duty follows: a declaration's or a certificate's.
func (d Duty) follows() string {
	switch {
	case d.Response != "":
		return "response"
	case d.Declaration != "":
		return eco.NormaliseReference(d.Declaration)
	}
	return d.Certificate
}

// dutiesOf are the duties that a received certificate gives rise to now: the deadlines of its form, while a declaration cites it that is not
// decided, or a verification is open. What customs and this node doubt by themselves asks nobody for a reply.
func dutiesOf(c Imported, form eco.Form) []Duty {
	life := c.Life
	life.Began = c.Recorded
	if life.ValidUntil == lastDay(c, form) {
		life.ValidUntil = eco.Date{} // the form says it too, and whether it is sure
	}
	life.Requests = slices.DeleteFunc(slices.Clone(life.Requests), func(v eco.Verification) bool { return v.ID == doubtOfCustoms || v.ID == doubtOfIssuer })
	var all []Duty
	for _, deadline := range form.Deadlines(c.Data.IssuedAt, life) {
		if deadline.Verification == "" && len(life.Declarations) == 0 {
			continue
		}
		d := Duty{
			Kind: DutyKind(deadline.Kind), Certificate: c.Key.String(), Verification: deadline.Verification, Owner: OwnerOfficer,
			Due: deadline.Due, Unconfirmed: deadline.Unconfirmed,
		}
		if deadline.Owner == eco.SideExporting {
			d.Owner, d.Name = OwnerPartner, c.Partner
		}
		cites := strings.Join(life.Declarations, ", ")
		switch deadline.Kind {
		case eco.DeadlineValidity:
			d.Text = fmt.Sprintf("%s is valid until %s; decide about declaration %s", c.Data.Reference, d.Due, cites)
		case eco.DeadlineRejectNotice:
			d.Text = fmt.Sprintf("a denial of %s is told to %s until %s; decide about declaration %s", c.Data.Reference, c.Partner, d.Due, cites)
		case eco.DeadlineVerificationReply:
			d.Text = fmt.Sprintf("%s replies to verification request %s of %s until %s", c.Partner, deadline.Verification, c.Data.Reference, d.Due)
		case eco.DeadlineVerificationTotal:
			d.Text = fmt.Sprintf("verification %s of %s is closed until %s", deadline.Verification, c.Data.Reference, d.Due)
		}
		all = append(all, d)
	}
	if d, ok := voidDuty(c); ok {
		all = append(all, d)
	}
	return all
}

// voidDuty is the duty to decide about declarations that cite a certificate which was withdrawn, or is in conflict, since.
func voidDuty(c Imported) (Duty, bool) {
	if !isVoid(c.State) {
		return Duty{}, false
	}
	since := c.Life.Changed
	if since.IsZero() {
		since = c.Recorded
	}
	d := Duty{Kind: DutyVoid, Certificate: c.Key.String(), Owner: OwnerOfficer, Due: eco.DateOf(since.UTC()).AddDays(officerDays)}
	d.Text = fmt.Sprintf("%s is %s; decide about declaration %s", c.Data.Reference, c.State, strings.Join(c.Life.Declarations, ", "))
	return d, len(c.Life.Declarations) > 0
}

// officerDays is how long an officer has for what no agreement sets a time for.
const officerDays = 7

// doubtOfIssuer is the request that stands for a certificate whose issuer is in doubt.
const doubtOfIssuer = "issuer"

// duties are those that a declaration gives rise to now.
func (l Lodgement) duties() []Duty {
	var all []Duty
	if !l.HeldUntil.IsZero() {
		due := eco.DateOf(l.HeldUntil.UTC())
		all = append(all, Duty{Kind: DutyReservation, Declaration: l.Number, Owner: OwnerOfficer, Due: due,
			Text: fmt.Sprintf("what declaration %s holds lapses on %s unless it is decided", l.Number, due)})
	}
	if g := l.firstGuarantee(); !g.Until.IsZero() {
		what := "certificates that have not come"
		if l.State != LodgementOnGuarantee {
			what = "claims that are suspended"
		}
		all = append(all, Duty{Kind: DutyGuarantee, Declaration: l.Number, Owner: OwnerDeclarant, Name: l.Declarant, Due: g.Until,
			Text: fmt.Sprintf("guarantee %s stands until %s for %s", g.Number, g.Until, what)})
	}
	return all
}

// firstGuarantee is the one that ends first of those that claims stand on; the zero Guarantee if none of them ends.
func (l Lodgement) firstGuarantee() (first Guarantee) {
	for _, c := range l.Claims {
		var g *Guarantee
		switch c.Standing {
		case StandingAwaited:
			g = l.Guarantee
		case StandingSuspended, StandingVerifying:
			g = l.guaranteeOf(c)
		}
		if g != nil && !g.Until.IsZero() && (first.Until.IsZero() || g.Until.Before(first.Until)) {
			first = *g
		}
	}
	return first
}

// guaranteeOf is the guarantee of a claim that is suspended: that of the ruling, or else the declaration's own.
func (l Lodgement) guaranteeOf(c Claim) *Guarantee {
	for _, d := range slices.Backward(l.Decisions) {
		for _, r := range d.Rulings {
			if d.State == DecisionMade && (r.Claim == 0 || r.Claim == c.Number) && (r.Verdict == VerdictSuspend || r.Verdict == VerdictVerify) {
				return cmp.Or(r.Guarantee, l.Guarantee)
			}
		}
	}
	return l.Guarantee
}
