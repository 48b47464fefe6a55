package eco_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/ecogate/ecogate/eco"
)

func TestMonthsAndDaysAreCountedToTheirLastDay(t *testing.T) {
	working := eco.RetroactiveRule{Days: 3, Unit: eco.WorkingDays}
	tests := []struct {
		what string
		got  eco.Date
		want string
	}{
		{"3 days after a Friday", eco.RetroactiveRule{Days: 3, Unit: eco.CalendarDays}.LastDay(day(t, "2026-11-20")), "2026-11-23"},
		{"3 working days after a Friday", working.LastDay(day(t, "2026-11-20")), "2026-11-25"},
		{"3 working days after a Saturday", working.LastDay(day(t, "2026-11-21")), "2026-11-25"},
		{"no working day after a Saturday", eco.RetroactiveRule{Unit: eco.WorkingDays}.LastDay(day(t, "2026-11-21")), "2026-11-21"},
		{"a year", day(t, "2026-11-16").AddMonths(12), "2027-11-16"},
		{"a year after 29 February", day(t, "2024-02-29").AddMonths(12), "2025-02-28"},
		{"a year that ends in a leap year", day(t, "2027-02-28").AddMonths(12), "2028-02-28"},
		{"a month after 31 January", day(t, "2026-01-31").AddMonths(1), "2026-02-28"},
		{"a month before 31 March", day(t, "2024-03-31").AddMonths(-1), "2024-02-29"},
	}
	for _, tt := range tests {
		if tt.got.String() != tt.want {
			t.Errorf("%s: %s, want %s", tt.what, tt.got, tt.want)
		}
	}
}

func TestDeadlinesOfFormD(t *testing.T) {
	form, _ := eco.DefaultForms().ByCode(eco.FormATIGA)
	issued := day(t, "2026-11-16")
	received := happening(eco.EventReceive)
	l := live(t, eco.SideImporting, received, happening(eco.EventAdmit), happening(eco.EventVerify), happening(eco.EventVerify, reference("V2")), happening(eco.EventReply))
	want := []string{
		"reject notice importing  2027-01-19", "verification reply exporting V2 2027-02-18", "verification total importing V1 2027-05-19",
		"verification total importing V2 2027-05-19", "validity importing  2027-11-16",
	}
	if got := shown(form.Deadlines(issued, l)); !slices.Equal(got, want) {
		t.Errorf("got %q", got)
	}

	stated := happening(eco.EventVerify)
	stated.ReplyBy = day(t, "2026-12-01")
	l = live(t, eco.SideImporting, received, happening(eco.EventAdmit), stated)
	if got := shown(form.Deadlines(issued, l)); got[0] != "verification reply exporting V1 2026-12-01" {
		t.Errorf("the day that the request states does not hold: %q", got)
	}

	l = live(t, eco.SideImporting, received, happening(eco.EventAdmit), happening(eco.EventCancel))
	if got := form.Deadlines(issued, l); len(got) > 0 {
		t.Errorf("of a cancelled certificate: %q", shown(got))
	}
	if got := form.Deadlines(issued, eco.Life{Side: eco.SideImporting}); len(got) > 0 {
		t.Errorf("of a certificate that nobody has: %q", shown(got))
	}
}

func TestDeadlinesSayWhatIsNotConfirmed(t *testing.T) {
	l := live(t, eco.SideImporting, happening(eco.EventReceive), happening(eco.EventAdmit))
	l.ValidUntil = eco.Date{}
	form, _ := eco.DefaultForms().ByCode("AKFTA-AK")
	got := form.Deadlines(day(t, "2026-11-16"), l)
	if len(got) != 1 || got[0].Kind != eco.DeadlineValidity || got[0].Due != day(t, "2027-11-16") || !got[0].Unconfirmed {
		t.Errorf("%+v", got)
	}
}

func shown(deadlines []eco.Deadline) (lines []string) {
	for _, d := range deadlines {
		lines = append(lines, fmt.Sprintf("%s %s %s %s", d.Kind, d.Owner, d.Verification, d.Due))
	}
	return lines
}

func TestDeadlineEndsWithItsLastDay(t *testing.T) {
	d := eco.Deadline{Due: day(t, "2026-11-20")}
	if d.Overdue(time.Date(2026, 11, 20, 23, 59, 59, 0, time.UTC)) || !d.Overdue(time.Date(2026, 11, 21, 0, 0, 0, 0, time.UTC)) {
		t.Error("the last day is not the last")
	}
}
