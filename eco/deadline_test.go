package eco_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/ecogate/ecogate/eco"
)

func months(n int) eco.Period { return eco.Period{Count: n, Unit: eco.CalendarMonths} }
func days(n int) eco.Period   { return eco.Period{Count: n, Unit: eco.CalendarDays} }

func TestPeriodsKeepTheirUnits(t *testing.T) {
	tests := []struct {
		period eco.Period
		base   string
		want   string
	}{
		{days(3), "2026-11-20", "2026-11-23"}, // a Friday
		{eco.Period{Count: 3, Unit: eco.WorkingDays}, "2026-11-20", "2026-11-25"},
		{eco.Period{Count: 0, Unit: eco.WorkingDays}, "2026-11-21", "2026-11-21"},
		{months(12), "2026-11-16", "2027-11-16"},
		{months(12), "2024-02-29", "2025-02-28"},
		{months(1), "2026-01-31", "2026-02-28"},
		{days(180), "2026-11-16", "2027-05-15"},
		{eco.Period{}, "2026-11-16", ""},
	}
	for _, tt := range tests {
		if got := tt.period.After(day(t, tt.base)); got.String() != tt.want {
			t.Errorf("%+v after %s: %s, want %s", tt.period, tt.base, got, tt.want)
		}
	}
	if got := months(12).After(eco.Date{}); !got.IsZero() {
		t.Errorf("without a base: %s", got)
	}
}

func TestTermsOfFormD(t *testing.T) {
	form, _ := eco.DefaultForms().ByCode(eco.FormATIGA)
	terms := form.Terms()
	if want := (eco.Terms{
		Validity: months(12), InTime: days(3), LastIssue: months(12), Reissue: months(12),
		RejectNotice: days(60), VerificationReply: days(90), VerificationTotal: days(180),
	}); terms != want {
		t.Fatalf("%+v", terms)
	}
	if got := terms.ValidUntil(day(t, "2026-11-16")); got != day(t, "2027-11-16") {
		t.Errorf("valid until %s", got)
	}
	if inTime, last := terms.IssueLimits(day(t, "2026-11-17")); inTime != day(t, "2026-11-20") || last != day(t, "2027-11-17") {
		t.Errorf("issued in time until %s, at all until %s", inTime, last)
	}
	if got := terms.ReissueUntil(day(t, "2026-11-16")); got != day(t, "2027-11-16") {
		t.Errorf("re-issued until %s", got)
	}
	l := live(t, eco.SideImporting, happening(eco.EventReceive), happening(eco.EventAdmit), happening(eco.EventVerify), happening(eco.EventVerify, reference("V2")), happening(eco.EventReply))
	want := []string{
		"reject notice importing  2027-01-19", "verification reply exporting V2 2027-02-18", "verification total importing V1 2027-05-19",
		"verification total importing V2 2027-05-19", "validity importing  2027-11-16",
	}
	if got := shown(terms.Deadlines(l)); !slices.Equal(got, want) {
		t.Errorf("got %q", got)
	}
	l = live(t, eco.SideImporting, happening(eco.EventReceive), happening(eco.EventAdmit), happening(eco.EventCancel))
	if got := terms.Deadlines(l); len(got) > 0 {
		t.Errorf("of a cancelled certificate: %q", shown(got))
	}
	if got := (eco.Form{}).Terms(); got != (eco.Terms{}) {
		t.Errorf("of a form without any: %+v", got)
	}
	if got := (eco.Terms{}).Deadlines(eco.Life{Side: eco.SideImporting}); len(got) > 0 {
		t.Errorf("of a certificate that nobody has: %q", shown(got))
	}
}

func shown(deadlines []eco.Deadline) (lines []string) {
	for _, d := range deadlines {
		lines = append(lines, fmt.Sprintf("%s %s %s %s", d.Kind, d.Owner, d.Reference, d.Due))
	}
	return lines
}

func TestDeadlineEndsWithItsLastDay(t *testing.T) {
	d := eco.Deadline{Due: day(t, "2026-11-20")}
	if d.Overdue(time.Date(2026, 11, 20, 23, 59, 59, 0, time.UTC)) || !d.Overdue(time.Date(2026, 11, 21, 0, 0, 0, 0, time.UTC)) {
		t.Error("the last day is not the last")
	}
}
