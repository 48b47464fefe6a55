package eco_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/ecogate/ecogate/eco"
	"github.com/ecogate/ecogate/eco/ecotest"
)

func day(t testing.TB, s string) eco.Date {
	t.Helper()
	d, err := eco.ParseDate(s)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestConfirmationOfEligibilityCountsForAYear(t *testing.T) {
	tests := []struct {
		name                     string
		issued, until, signed    string // the certificate is signed then
		lastDay, renew, severity string
	}{
		{"on its first day", "2025-11-16", "", "2025-11-16", "2026-11-16", "2026-10-16", ""},
		{"the day before its last month", "2025-11-16", "", "2026-10-15", "2026-11-16", "2026-10-16", ""},
		{"in its last month", "2025-11-16", "", "2026-10-16", "2026-11-16", "2026-10-16", "warning"},
		{"on its last day", "2025-11-16", "", "2026-11-16", "2026-11-16", "2026-10-16", "warning"},
		{"after its last day", "2025-11-16", "", "2026-11-17", "2026-11-16", "2026-10-16", "error"},
		{"before it was issued", "2025-11-16", "", "2025-11-15", "2026-11-16", "2026-10-16", "error"},
		{"states a shorter time", "2025-11-16", "2026-03-31", "2026-04-01", "2026-03-31", "2026-02-28", "error"},
		{"states a longer time", "2025-11-16", "2027-11-16", "2026-05-01", "2026-11-16", "2026-10-16", "warning"},
		{"ends before it begins", "2025-11-16", "2025-11-15", "2025-11-20", "2025-11-15", "2025-10-15", "error"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			cpe := eco.CPE{Number: "CPE-26-0412", Issued: day(t, tt.issued)}
			if tt.until != "" {
				cpe.Until = day(t, tt.until)
			}
			if cpe.LastDay() != day(t, tt.lastDay) || cpe.RenewFrom() != day(t, tt.renew) {
				t.Errorf("last day %s, renewed from %s", cpe.LastDay(), cpe.RenewFrom())
			}
			c := ecotest.Load(t, "atiga-form-d")
			c.IssuedAt, c.Transport.DepartureDate = day(t, tt.signed), day(t, tt.signed)
			c.Items[1].CPE = &cpe
			severity := ""
			for _, f := range eco.Validate(c, eco.DefaultForms(), eco.Quirks{}, ecotest.Now()) {
				if strings.HasPrefix(f.Path, "items[1].cpe") && severity != "error" {
					severity = string(f.Severity)
				}
			}
			if severity != tt.severity {
				t.Errorf("got %q, want %q: %+v", severity, tt.severity, eco.Validate(c, eco.DefaultForms(), eco.Quirks{}, ecotest.Now()))
			}
		})
	}
}

func TestForPartnerLeavesOutWhatIsNational(t *testing.T) {
	c := ecotest.Load(t, "atiga-form-d")
	for i := range c.Items {
		c.Items[i].CPE = &eco.CPE{Number: "CPE-26-0412", Issued: c.IssuedAt, Body: "DIMEX"}
	}
	before, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	sent, err := json.Marshal(c.ForPartner())
	if err != nil {
		t.Fatal(err)
	}
	plain, err := json.Marshal(ecotest.Load(t, "atiga-form-d"))
	if err != nil {
		t.Fatal(err)
	}
	if string(sent) != string(plain) {
		t.Errorf("got %s", sent)
	}
	if after, err := json.Marshal(c); err != nil || string(after) != string(before) {
		t.Errorf("our own certificate became %s (%v)", after, err)
	}
}
