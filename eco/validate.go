package eco

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Validate checks c as of now against the rules of its form, one of forms, and against what its receiver is known to refuse,
// and returns what it finds, always in the same order; nil when there is nothing. A form or figure that no published text
// confirms gives warnings only. Age is never an error: a certificate whose validity has ended gets a warning, since it may
// still be sent for goods that arrived in time. What comes from a partner is checked without quirks: Quirks{}.
//
// The work is linear in the size of the certificate.
func Validate(c Certificate, forms Forms, quirks Quirks, now time.Time) []Finding {
	v := &validation{c: &c, codes: forms.codes, quirks: quirks, now: now}
	v.form, v.known = forms.ByCode(c.Form)
	if !v.known {
		v.fail(CodeForm, "form", fmt.Sprintf("want one of %s, found %q", forms.Codes(), c.Form), "name the form by its code")
	}
	for _, requirement := range universal {
		v.checkRequired(requirement, SeverityError)
	}
	for _, requirement := range v.form.Required {
		v.checkRequired(requirement, v.ruled("required"))
	}
	v.checkStatus()
	v.checkReference()
	v.checkCountries()
	v.checkParty("exporter", &c.Exporter)
	v.checkParty("consignee", &c.Consignee)
	if c.Importer != nil {
		v.checkParty("importer", c.Importer)
	}
	v.checkDates()
	v.checkRetroactive()
	v.checkTransport()
	v.checkItems()
	v.checkInvoices()
	v.checkFlags()
	v.checkRelated()
	v.checkDetails()
	v.checkTexts()
	v.checkQuirks()
	return v.findings
}

// validation is one run of Validate.
type validation struct {
	c        *Certificate
	form     Form
	known    bool // form is set
	quirks   Quirks
	codes    Codes
	now      time.Time
	findings []Finding
}

func (v *validation) add(severity Severity, code, path, text, fix string) {
	v.findings = append(v.findings, Finding{Code: code, Severity: severity, Path: path, Text: text, Fix: fix})
}

func (v *validation) fail(code, path, text, fix string) { v.add(SeverityError, code, path, text, fix) }
func (v *validation) warn(code, path, text, fix string) {
	v.add(SeverityWarning, code, path, text, fix)
}

// ruled is the severity of breaking what the form says under a key of its file: a rule that nobody confirms only warns.
func (v *validation) ruled(key string) Severity {
	if v.form.Confirmed(key) {
		return SeverityError
	}
	return SeverityWarning
}

// checkReference compares the reference with the shapes that the form knows for its issuing country.
func (v *validation) checkReference() {
	const path = "reference"
	c := v.c
	if !filled(c.Reference) {
		return
	}
	if NormaliseReference(c.Reference) == "" {
		v.fail(CodeReferenceFormat, path, fmt.Sprintf("want letters or digits, found %q", c.Reference), "give the number as printed")
		return
	}
	var layouts []string
	severity, fix := SeverityWarning, "compare with the printed certificate"
	for _, rule := range v.form.ReferencesOf(c.IssuingCountry, c.IssuingBody.ID, c.IssuedAt) {
		if parts, ok := rule.Match(c.Reference); ok {
			v.checkReferenceParts(rule, parts)
			return
		}
		layouts = append(layouts, rule.Layout)
		if !rule.Unconfirmed {
			severity = SeverityError
		}
		if other, ok := rule.Suggest(c.Reference); ok {
			fix = fmt.Sprintf("compare with the printed certificate: is it %s?", other)
		}
	}
	if layouts != nil {
		v.add(severity, CodeReferenceFormat, path,
			fmt.Sprintf("%s references from %s are written %s, found %q", v.form.Code, c.IssuingCountry, strings.Join(layouts, " or "), c.Reference), fix)
	}
}

// checkReferenceParts compares what the reference says with the rest. The numbering rules do not say that the year is
// the year of issue, nor how offices are coded elsewhere, so differences are warnings.
func (v *validation) checkReferenceParts(rule ReferenceRule, parts ReferenceParts) {
	c := v.c
	if rule.NearlyFull(parts.Serial) {
		v.warn(CodeReferenceFormat, "reference", fmt.Sprintf("number %s of at most %d: nine tenths of the numbers of this office and year are used up", parts.Serial, rule.MaxSerial),
			"have the issuing body open another office code before its numbers repeat")
	}
	if parts.Importing != "" && c.ImportingCountry != "" && parts.Importing != c.ImportingCountry {
		v.warn(CodeReferenceFormat, "reference", fmt.Sprintf("the number is for importing country %s, the certificate for %s", parts.Importing, c.ImportingCountry), "check number and importing country")
	}
	if year := c.IssuedAt.String(); len(year) >= 4 && parts.Year != "" && !strings.HasSuffix(year[:4], parts.Year) {
		v.warn(CodeReferenceFormat, "reference", fmt.Sprintf("the number is of year %s, the certificate was issued in %s", parts.Year, year[:4]), "check number and issue date")
	}
	if c.IssuingBody.Office != "" && parts.Office != "" && c.IssuingBody.Office != parts.Office {
		v.warn(CodeIssuingBody, "issuing_body.office", fmt.Sprintf("the reference names office %s, found %q", parts.Office, c.IssuingBody.Office), "check number and office")
	}
}

// checkCountries looks at every country code and at who is party to the agreement.
func (v *validation) checkCountries() {
	c := v.c
	v.checkCountry("issuing_country", c.IssuingCountry)
	v.checkCountry("exporting_country", c.ExportingCountry)
	v.checkCountry("importing_country", c.ImportingCountry)
	v.checkMember("issuing_country", c.IssuingCountry, "issuers", v.form.Issuers)
	v.checkMember("importing_country", c.ImportingCountry, "importers", v.form.Importers)
	v.checkCountry("origin_country", c.OriginCountry)
	v.checkCountry("issuing_body.address.country", c.IssuingBody.Address.Country)
	if c.ExportingCountry != "" && c.ExportingCountry == c.ImportingCountry {
		v.warn(CodeCountries, "importing_country", fmt.Sprintf("exporting and importing country are both %s", c.ImportingCountry), "check the exporter's declaration")
	}
	if c.IssuingCountry != "" && c.ExportingCountry != "" && c.IssuingCountry != c.ExportingCountry {
		v.warn(CodeCountries, "exporting_country", fmt.Sprintf("issued in %s for goods exported from %s", c.IssuingCountry, c.ExportingCountry), "check the exporter's declaration")
	}
}

// checkMember asks for one of the countries that the form's file lists under key, if it lists any. What is no code at all is for
// checkCountry.
func (v *validation) checkMember(path, code, key string, members []string) {
	if (v.isCountry(code) || userAssigned(code)) && len(members) > 0 && !slices.Contains(members, code) {
		v.add(v.ruled(key), CodeCountries, path, fmt.Sprintf("%s: want one of %s, found %q", v.form.Code, strings.Join(members, ", "), code), "use the form that was agreed with this country")
	}
}

// checkCountry checks one code.
func (v *validation) checkCountry(path, code string) {
	switch {
	case code == "":
	case !v.isCountry(code) && !userAssigned(code):
		v.fail(CodeCountries, path, fmt.Sprintf("want an ISO 3166-1 alpha-2 code, found %q", code), "use the two-letter code in capitals")
	case !v.isCountry(code):
		v.warn(CodeCountries, path, fmt.Sprintf("%q is a code that ISO 3166-1 leaves to its users", code), "make sure that the partner reads it alike")
	}
}

// checkParty looks at one party. Exporter and consignee without a name are found by what the form requires.
func (v *validation) checkParty(path string, p *Party) {
	if !filled(p.Name) && p != &v.c.Exporter && p != &v.c.Consignee {
		v.fail(CodeText, path+".name", "a party without a name", "name it, or leave the party out")
	}
	for i, identifier := range p.Identifiers {
		if identifier.Value == "" {
			v.fail(CodeText, fmt.Sprintf("%s.identifiers[%d].value", path, i), "an identifier without a number", "state the number, or leave it out")
		}
	}
	v.checkCountry(path+".address.country", p.Address.Country)
}

// checkDates looks at each date by itself and at their order.
func (v *validation) checkDates() {
	c := v.c
	dates := []struct {
		path string
		date Date
	}{
		{"issue_date", c.IssuedAt}, {"transport.departure_date", c.Transport.DepartureDate}, {"transport.shipment_date", c.Transport.ShipmentDate},
		{"transport.sailing_date", c.Transport.SailingDate}, {"declaration.date", c.Declaration.Date},
	}
	for _, d := range dates {
		v.checkDate(d.path, d.date)
	}
	if c.IssueTime != "" {
		if _, err := time.Parse("15:04:05Z07:00", c.IssueTime); err != nil {
			v.fail(CodeDates, "issue_time", fmt.Sprintf("want a time with its zone, such as 15:04:05+07:00, found %q", c.IssueTime), "add the zone or leave the time out")
		}
	}
	if c.IssuedAt.IsZero() {
		return
	}
	if latest := latestDay(v.now); c.IssuedAt.After(latest) {
		v.fail(CodeDates, "issue_date", fmt.Sprintf("want at most %s, the latest date anywhere now, found %s", latest, c.IssuedAt), "check the date and the clock")
	}
	if months := v.form.ValidityMonths; months > 0 {
		if end := c.IssuedAt.AddMonths(months); end.Before(DateOf(v.now.UTC())) {
			v.warn(CodeDates, "issue_date", fmt.Sprintf("valid for %d months, until %s", months, end), "send it only for goods that arrived before that")
		}
	}
	if c.Declaration.Date.After(c.IssuedAt) {
		v.warn(CodeDates, "declaration.date", fmt.Sprintf("want at most the issue date %s, found %s", c.IssuedAt, c.Declaration.Date), "check both dates")
	}
}

// checkDate finds days that do not exist, which only a program can give: text forms refuse them.
func (v *validation) checkDate(path string, d Date) {
	if d.IsZero() {
		return
	}
	if d.Year < 1 || d.Year > 9999 || DateOf(d.Time()) != d {
		v.fail(CodeDates, path, fmt.Sprintf("want a calendar day, found %s", d), "check the date")
	}
}

// latestDay is the day that it is now in the easternmost time zone, UTC+14.
func latestDay(now time.Time) Date { return DateOf(now.UTC().Add(14 * time.Hour)) }

// checkRetroactive compares issue and shipment with the indicator. Partners refuse an unticked box (Indonesia did).
func (v *validation) checkRetroactive() {
	const flag = "flags.ISSUED_RETROACTIVELY"
	rule, c := v.form.Retroactive, v.c
	if rule == nil || c.IssuedAt.IsZero() {
		return
	}
	day, field := rule.Base.Day(c.Transport)
	if day.IsZero() {
		return
	}
	last := rule.LastDay(day)
	ticked := c.Flags[FlagIssuedRetroactively]
	switch {
	case c.IssuedAt.After(last) && !ticked:
		v.add(v.ruled("retroactive"), CodeRetroactive, flag,
			fmt.Sprintf("%s %s: issued after %s (%d %s days) it must be marked, issue date is %s", field, day, last, rule.Days, rule.Unit, c.IssuedAt),
			"set the indicator, or correct the date")
	case !c.IssuedAt.After(last) && ticked && !v.quirks.late(c):
		v.warn(CodeRetroactive, flag, fmt.Sprintf("%s %s, issued %s, which is in time: the indicator is set all the same", field, day, c.IssuedAt), "check both dates")
	}
	if rule.MaxMonths > 0 && c.IssuedAt.After(day.AddMonths(rule.MaxMonths)) {
		v.add(v.ruled("retroactive"), CodeRetroactive, "issue_date",
			fmt.Sprintf("want at most %d months after %s %s, found %s", rule.MaxMonths, field, day, c.IssuedAt), "check both dates")
	}
}

// checkTransport looks at the codes of the transport box. They come from many hands and are not printed, so they warn.
func (v *validation) checkTransport() {
	t := v.c.Transport
	if t.Mode != "" && !modePattern.MatchString(t.Mode) {
		v.fail(CodeText, "transport.mode", fmt.Sprintf("want one digit of UN/ECE Recommendation 19, found %q", t.Mode), "use 1 sea, 2 rail, 3 road, 4 air, 5 mail, 6 several, 8 inland water")
	}
	ports := []struct {
		path string
		port Location
	}{
		{"transport.loading_port.code", t.LoadingPort}, {"transport.discharge_port.code", t.DischargePort}, {"transport.transshipment_port.code", t.Transshipment},
	}
	for _, p := range ports {
		if p.port.Code != "" && (!locodePattern.MatchString(p.port.Code) || !v.isCountry(p.port.Code[:2])) {
			v.warn(CodeText, p.path, fmt.Sprintf("want a UN/LOCODE such as LAVTE, found %q", p.port.Code), "give the code, or only the name")
		}
	}
}
