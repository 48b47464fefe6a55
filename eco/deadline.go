package eco

import (
	"slices"
	"strings"
	"time"
)

// CalendarMonths counts a period in months: the same day of a later month, or its last day where the month is shorter.
const CalendarMonths DayUnit = "months"

// Period is a time as an agreement states it. The zero Period is none that was agreed.
type Period struct {
	Count int
	// Unit is CalendarDays, WorkingDays or CalendarMonths; they never stand for each other.
	Unit DayUnit
}

// After is the last day of the period, where the day after base is day 1; the zero Date for the zero Period and without a base.
func (p Period) After(base Date) Date {
	switch {
	case p == Period{} || base.IsZero():
		return Date{}
	case p.Unit == CalendarMonths:
		return base.AddMonths(p.Count)
	default:
		return RetroactiveRule{Days: p.Count, Unit: p.Unit}.LastDay(base)
	}
}

// Terms are the time limits of a form's agreement, each from the day that its comment names.
type Terms struct {
	Validity  Period // from issue: until then it may be presented
	InTime    Period // from shipment, by the form's base: a certificate issued later is marked as issued retroactively
	LastIssue Period // from shipment: later none is issued at all
	Reissue   Period // from issue of the original: until then a copy or re-issue may be had

	RejectNotice      Period // from receipt: until then the importing side tells that it denies the preference
	VerificationReply Period // from the request: until then the issuing side replies
	VerificationTotal Period // from the request: until then the case is closed
}

// Terms are the time limits that the form states.
func (f Form) Terms() Terms {
	counted := func(n int, unit DayUnit) Period {
		if n == 0 {
			return Period{}
		}
		return Period{n, unit}
	}
	t := Terms{
		Validity:          counted(f.ValidityMonths, CalendarMonths),
		Reissue:           counted(f.Clocks.ReissueMonths, CalendarMonths),
		RejectNotice:      counted(f.Clocks.RejectNoticeDays, CalendarDays),
		VerificationReply: counted(f.Clocks.VerificationReplyDays, CalendarDays),
		VerificationTotal: counted(f.Clocks.VerificationTotalDays, CalendarDays),
	}
	if r := f.Retroactive; r != nil {
		t.InTime, t.LastIssue = Period{r.Days, r.Unit}, counted(r.MaxMonths, CalendarMonths) // 0 days are the base day itself.
	}
	return t
}

// ValidUntil is the last day on which a certificate of that day may be presented.
func (t Terms) ValidUntil(issued Date) Date { return t.Validity.After(issued) }

// IssueLimits are the last day of issue in time for goods of that base day, and the last day of issue at all.
func (t Terms) IssueLimits(base Date) (inTime, last Date) {
	return t.InTime.After(base), t.LastIssue.After(base)
}

// ReissueUntil is the last day on which a copy or re-issue of a certificate of that day may be had. ATIGA OCP Rules 12 and 29(1).
func (t Terms) ReissueUntil(original Date) Date { return t.Reissue.After(original) }

// DeadlineKind is what must be done.
type DeadlineKind string

// The kinds of deadlines.
const (
	DeadlineValidity          DeadlineKind = "validity"           // the certificate is presented
	DeadlineRejectNotice      DeadlineKind = "reject notice"      // a denial is told
	DeadlineVerificationReply DeadlineKind = "verification reply" // a request is replied to
	DeadlineVerificationTotal DeadlineKind = "verification total" // a verification is closed
)

// Deadline is one thing that a side must do, and its last day.
type Deadline struct {
	Kind DeadlineKind
	// Owner is whose side must do it.
	Owner Side
	// Reference is the verification's, "" for what is about the certificate.
	Reference string
	Due       Date
}

// Overdue reports whether the last day is over, in UTC.
func (d Deadline) Overdue(now time.Time) bool { return DateOf(now.UTC()).After(d.Due) }

// Deadlines lists what still runs for a certificate, the earliest first; nothing for one that was never seen. Its own
// ValidUntil counts before the terms' validity, since the issuing body may have stated it.
func (t Terms) Deadlines(l Life) []Deadline {
	var all []Deadline
	add := func(kind DeadlineKind, owner Side, reference string, due Date) {
		if !due.IsZero() {
			all = append(all, Deadline{kind, owner, reference, due})
		}
	}
	if l.State == StateNone {
		return nil
	}
	if !l.State.Terminal() {
		add(DeadlineValidity, SideImporting, "", l.ValidUntil)
		// ATIGA OCP Rule 30(3): 60 days from receipt of the certificate.
		if l.Side == SideImporting && l.State != StateRefused {
			add(DeadlineRejectNotice, SideImporting, "", t.RejectNotice.After(dayOf(l.Began)))
		}
	}
	for _, r := range l.Requests {
		// ATIGA OCP Rule 18: 90 days for the reply, 180 for the whole.
		if r.Replied.IsZero() {
			add(DeadlineVerificationReply, SideExporting, r.ID, t.VerificationReply.After(dayOf(r.Asked)))
		}
		add(DeadlineVerificationTotal, SideImporting, r.ID, t.VerificationTotal.After(dayOf(r.Asked)))
	}
	slices.SortStableFunc(all, func(a, b Deadline) int { return strings.Compare(a.Due.String(), b.Due.String()) })
	return all
}

// dayOf is the day of an instant in UTC, the zero Date for the zero instant.
func dayOf(t time.Time) Date {
	if t.IsZero() {
		return Date{}
	}
	return DateOf(t.UTC())
}
