package eco

import (
	"slices"
	"strings"
	"time"
)

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
	Kind DeadlineKind `json:"kind"`
	// Owner is whose side must do it.
	Owner Side `json:"owner"`
	// Verification is the number of the request, "" for what is about the certificate.
	Verification string `json:"verification,omitempty"`
	Due          Date   `json:"due"`
	// Unconfirmed: no published text confirms the form's figure that the day follows from.
	Unconfirmed bool `json:"unconfirmed,omitempty"`
}

// Overdue reports whether the last day is over, in UTC.
func (d Deadline) Overdue(now time.Time) bool { return DateOf(now.UTC()).After(d.Due) }

// Deadlines lists what still runs for a certificate of the form that was issued on that day, the earliest first; nothing for one
// that was never seen. The day after the one that a period is counted from is its day 1. The life's own ValidUntil, and the last
// day that a verification request states, hold in place of the form's figures.
func (f Form) Deadlines(issued Date, l Life) []Deadline {
	if l.State == StateNone {
		return nil
	}
	var all []Deadline
	add := func(kind DeadlineKind, owner Side, verification string, due Date, key string) {
		if !due.IsZero() {
			all = append(all, Deadline{kind, owner, verification, due, key != "" && !f.Confirmed(key)})
		}
	}
	// One that was rejected at the door is not presented.
	if !l.State.Terminal() && l.State != StateRefused && l.State != StateRejected {
		switch {
		case !l.ValidUntil.IsZero():
			add(DeadlineValidity, SideImporting, "", l.ValidUntil, "")
		case f.ValidityMonths > 0 && !issued.IsZero():
			add(DeadlineValidity, SideImporting, "", issued.AddMonths(f.ValidityMonths), "validity_months")
		}
		// ATIGA OCP Rule 30(3): 60 days from receipt of the certificate.
		if l.Side == SideImporting {
			add(DeadlineRejectNotice, SideImporting, "", daysAfter(l.Began, f.Clocks.RejectNoticeDays), "clocks")
		}
	}
	for _, r := range l.Requests {
		// ATIGA OCP Rule 18: 90 days for the reply, 180 for the whole.
		switch {
		case !r.Replied.IsZero():
		case !r.ReplyBy.IsZero():
			add(DeadlineVerificationReply, SideExporting, r.ID, r.ReplyBy, "")
		default:
			add(DeadlineVerificationReply, SideExporting, r.ID, daysAfter(r.Asked, f.Clocks.VerificationReplyDays), "clocks")
		}
		add(DeadlineVerificationTotal, SideImporting, r.ID, daysAfter(r.Asked, f.Clocks.VerificationTotalDays), "clocks")
	}
	slices.SortStableFunc(all, func(a, b Deadline) int { return strings.Compare(a.Due.String(), b.Due.String()) })
	return all
}

// daysAfter is the day so many days after an instant's, in UTC; the zero Date for no days, and without an instant.
func daysAfter(t time.Time, days int) Date {
	if t.IsZero() || days == 0 {
		return Date{}
	}
	return DateOf(t.UTC()).AddDays(days)
}
