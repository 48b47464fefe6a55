package paper

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/ecogate/ecogate/eco"
)

// source is what a rendition is made of.
type source struct {
	c       *eco.Certificate
	form    eco.Form // zero when eco does not know it
	frame   frame
	options Options
}

// entry is one statement in a box: words of ours, and values of the certificate.
type entry struct {
	label string
	value string
	// exact values are numbers and codes: where the form wants capitals they are left as they are.
	exact bool
}

func prose(label, value string) entry { return entry{label: label, value: value} }
func exact(label, value string) entry { return entry{label: label, value: value, exact: true} }

// capitals reports whether the form is filled in capitals in the country of issue. Others are printed as they were issued.
func (s source) capitals() bool { return slices.Contains(s.form.Capitals, s.c.IssuingCountry) }

// title is the form's name.
func (s source) title() string {
	if s.form.Title != "" {
		return s.form.Title
	}
	return "CERTIFICATE OF ORIGIN"
}

// boxEntries are what stands in a box.
func (s source) boxEntries(holds content) []entry {
	c := s.c
	switch holds {
	case holdsTitle:
		return s.titleEntries()
	case holdsExporter:
		return party("", c.Exporter)
	case holdsConsignee:
		entries := party("", c.Consignee)
		if c.Importer != nil {
			entries = append(entries, party("IMPORTER: ", *c.Importer)...)
		}
		if c.Notify != nil {
			entries = append(entries, party("NOTIFY: ", *c.Notify)...)
		}
		return entries
	case holdsProducer:
		return s.producers()
	case holdsTransport:
		return transport(c.Transport)
	case holdsOrigin:
		return filled(exact("", c.OriginCountry))
	case holdsRemarks:
		return s.rest()
	case holdsDeclaration:
		return s.declaration()
	case holdsCertification:
		return s.certification()
	}
	return nil
}

func (s source) titleEntries() []entry {
	entries := []entry{exact("ISSUED IN ", s.c.IssuingCountry)}
	if s.form.Code == "" {
		entries = append(entries, exact("FORM ", string(s.c.Form)))
	}
	if s.c.Version > 1 {
		entries = append(entries, exact("VERSION ", strconv.Itoa(s.c.Version)))
	}
	if status := s.c.Status; status != "" && status != eco.StatusOriginal {
		entries = append(entries, exact("STATUS ", string(status)))
	}
	return entries
}

// party is a name with what is known of it. A city or country that stands in the address already is not repeated.
func party(label string, p eco.Party) []entry {
	entries := append([]entry{prose(label, p.Name)}, address(p.Address)...)
	for _, id := range p.Identifiers {
		entries = append(entries, exact("", strings.TrimSpace(id.Scheme+" "+id.Value)))
	}
	return filled(append(entries, prose("", p.Contact))...)
}

// address is the lines as printed. City and country code follow the last, unless they are in a line already.
func address(a eco.Address) []entry {
	lines := slices.Clone(a.Lines)
	if len(lines) == 0 {
		lines = []string{""}
	}
	has := func(part string) bool {
		return part == "" || slices.ContainsFunc(lines, func(l string) bool { return hasWords(l, part) })
	}
	last := &lines[len(lines)-1]
	if !has(a.City) {
		*last = joined(*last, a.City)
	}
	if !has(a.Country) {
		*last = strings.TrimSpace(*last + " (" + a.Country + ")")
	}
	var entries []entry
	for _, l := range lines {
		entries = append(entries, prose("", l))
	}
	return entries
}

// hasWords reports whether text holds part, spelled in the same way, between word ends.
func hasWords(text, part string) bool {
	for at := 0; part != ""; at++ {
		found := strings.Index(text[at:], part)
		if found < 0 {
			return false
		}
		at += found
		if wordEnd(text[:at], utf8.DecodeLastRuneInString) && wordEnd(text[at+len(part):], utf8.DecodeRuneInString) {
			return true
		}
	}
	return false
}

// wordEnd reports whether no word goes on into text on the side that first looks at.
func wordEnd(text string, first func(string) (rune, int)) bool {
	r, _ := first(text)
	return text == "" || strings.ContainsRune(" ,;.()\"", r)
}

func (s source) producers() []entry {
	var producers []eco.Party
	for i := range s.c.Items {
		if p := s.c.Items[i].Producer; p != nil && !slices.ContainsFunc(producers, func(o eco.Party) bool { return o.Name == p.Name }) {
			producers = append(producers, *p)
		}
	}
	if len(producers) > 1 {
		return []entry{prose("SEE COLUMN OF GOODS", "")}
	}
	// With its items it stands in the column of the goods in full.
	for _, p := range producers {
		return party("", p)
	}
	return nil
}

func transport(t eco.Transport) []entry {
	return filled(
		prose("", t.Text), exact("DEPARTURE DATE: ", t.DepartureDate.String()), exact("SHIPMENT DATE: ", t.ShipmentDate.String()),
		exact("SAILING DATE: ", t.SailingDate.String()), exact("MODE: ", modeName(t.Mode)),
		prose("VESSEL: ", t.Vessel), exact("IMO NUMBER: ", t.VesselID), prose("VOYAGE, FLIGHT OR VEHICLE: ", t.Journey),
		prose("FROM: ", location(t.LoadingPort)), prose("VIA: ", location(t.Transshipment)), prose("PORT OF DISCHARGE: ", location(t.DischargePort)),
		exact("IN TRANSIT THROUGH: ", strings.Join(t.TransitCountries, ", ")),
	)
}

// modes are the transport modes of UN/ECE Recommendation 19.
var modes = map[string]string{
	"1": "SEA", "2": "RAIL", "3": "ROAD", "4": "AIR", "5": "MAIL", "6": "MULTIMODAL", "7": "FIXED INSTALLATION", "8": "INLAND WATER",
}

func modeName(code string) string { return strings.TrimSpace(code + " " + modes[code]) }

func location(l eco.Location) string { return strings.TrimSpace(l.Name + " " + l.Code) }

func (s source) declaration() []entry {
	c := s.c
	entries := []entry{exact("PRODUCED IN: ", firstOf(c.OriginCountry, c.ExportingCountry))}
	if c.OriginCountry != "" && c.ExportingCountry != c.OriginCountry {
		entries = append(entries, exact("EXPORTED FROM: ", c.ExportingCountry))
	}
	entries = append(entries, exact("EXPORTED TO: ", c.ImportingCountry), prose("SIGNED BY: ", c.Declaration.Name))
	return filled(append(entries, prose("PLACE AND DATE: ", joined(c.Declaration.Place, c.Declaration.Date.String())))...)
}

func (s source) certification() []entry {
	c := s.c
	body := joined(c.IssuingBody.Name, c.IssuingBody.ID)
	if c.IssuingBody.Office != "" {
		body += ", OFFICE " + c.IssuingBody.Office
	}
	entries := append([]entry{prose("", body)}, address(c.IssuingBody.Address)...)
	entries = append(entries, prose("OFFICER: ", c.Certification.Officer),
		prose("PLACE AND DATE: ", joined(c.Certification.Place, strings.TrimSpace(c.IssuedAt.String()+" "+c.IssueTime))),
		prose("", c.Certification.Remarks))
	return filled(entries...)
}

// itemEntries are what stands in a column for one item.
func (s source) itemEntries(holds content, i *eco.Item) []entry {
	switch holds {
	case holdsItem:
		return []entry{exact("", strconv.Itoa(i.Number))}
	case holdsMarks:
		return filled(prose("", i.Marks))
	case holdsGoods:
		return s.goods(i)
	case holdsHS:
		return tariff("", i)
	case holdsCriterion:
		return criteria(i)
	case holdsItemOrigin:
		return filled(exact("", itemOrigin(i)))
	case holdsQuantity:
		return quantities(i)
	case holdsInvoices:
		return s.invoices(i)
	}
	return nil
}

// goods begins with packages and description, and goes on with whatever has no column of its own.
func (s source) goods(i *eco.Item) []entry {
	var entries []entry
	if i.Packages != 0 || i.PackageCode != "" || i.PackageText != "" {
		entries = append(entries, prose("", strings.TrimSpace(fmt.Sprintf("%d %s %s", i.Packages, i.PackageCode, i.PackageText))))
	}
	entries = append(entries, prose("", i.Description))
	for _, part := range []entry{prose("GOODS: ", i.GoodsText), prose("BRAND: ", i.Brand), prose("MODEL: ", i.Model)} {
		if !strings.Contains(i.Description, strings.TrimSpace(part.value)) {
			entries = append(entries, part)
		}
	}
	if !s.frame.has(holdsHS) {
		entries = append(entries, tariff("HS ", i)...)
	}
	if !s.frame.has(holdsCriterion) {
		for _, e := range criteria(i) {
			entries = append(entries, exact("ORIGIN CRITERION: ", e.value))
		}
	}
	if !s.frame.has(holdsItemOrigin) && itemOrigin(i) != s.c.OriginCountry {
		entries = append(entries, exact("ORIGIN: ", itemOrigin(i)))
	}
	if !s.frame.has(holdsInvoices) {
		for _, e := range s.invoices(i) {
			entries = append(entries, exact("INVOICE: ", e.value))
		}
	}
	if i.Producer != nil {
		entries = append(entries, party("PRODUCER: ", *i.Producer)...)
	}
	return filled(entries...)
}

// itemOrigin is a country of origin with the form's mark when it was not found in the ordinary way, and what that means: RCEP
// Article 2.6.6.
func itemOrigin(i *eco.Item) string {
	mark := ""
	switch i.OriginBasis {
	case "":
		return i.OriginCountry
	case "2.6.6A":
		mark = "*"
	case "2.6.6B":
		mark = "**"
	}
	return i.OriginCountry + mark + " (" + i.OriginBasis + ")"
}

func tariff(label string, i *eco.Item) []entry {
	hs := noted(i.HS, i.HSEdition, i.HSBasis)
	national := noted(strings.TrimSpace(i.NationalList+" "+i.NationalCode), i.NationalEdition)
	if label == "" { // a narrow column
		return filled(exact("", hs), exact("", national))
	}
	return filled(exact(label, joined(hs, national)))
}

// criteria are the box as printed, and each criterion that it does not state.
func criteria(i *eco.Item) []entry {
	entries := filled(exact("", i.CriterionText))
	for _, criterion := range i.Criteria {
		percent := ""
		if criterion.Percent != "" {
			percent = string(criterion.Percent) + "%"
		}
		if !slices.ContainsFunc(entries, func(e entry) bool {
			return hasWords(e.value, criterion.Code) && (percent == "" || hasWords(e.value, percent))
		}) {
			entries = append(entries, exact("", strings.TrimSpace(criterion.Code+" "+percent)))
		}
	}
	return entries
}

func quantities(i *eco.Item) []entry {
	var entries []entry
	add := func(label string, m *eco.Measure) {
		if m != nil {
			entries = append(entries, exact(label, strings.TrimSpace(string(m.Value)+" "+m.Unit)))
		}
	}
	add("GROSS ", i.GrossWeight)
	add("NET ", i.NetWeight)
	add("", i.Quantity)
	entries = append(entries, prose("", i.QuantityText))
	if i.FOB != nil {
		entries = append(entries, exact("FOB ", strings.TrimSpace(i.FOB.Currency+" "+string(i.FOB.Value))))
	}
	return filled(entries...)
}

func (s source) invoices(i *eco.Item) []entry {
	var entries []entry
	for _, number := range i.Invoices {
		day := ""
		for _, invoice := range s.c.Invoices {
			if invoice.Number == number && !invoice.Date.IsZero() {
				day = " " + invoice.Date.String()
			}
		}
		entries = append(entries, exact("", number+day))
	}
	return filled(entries...)
}

// rest is what no box of the form asks for. It stands in the box for remarks, or after the last item.
func (s source) rest() []entry {
	c := s.c
	entries := []entry{prose("", c.Remarks)}
	for _, flag := range slices.Sorted(maps.Keys(c.Flags)) {
		if c.Flags[flag] && !s.ticked(flag) && flag != eco.FlagIssuedRetroactively { // a stamp says that
			entries = append(entries, exact("", s.words(flag)))
		}
	}
	entries = append(entries, s.invoicers()...)
	if c.Exhibition != nil {
		entries = append(entries, prose("EXHIBITION: ", joined(c.Exhibition.Name, c.Exhibition.Address, c.Exhibition.Country)))
	}
	for _, r := range c.Related {
		entries = append(entries, exact(strings.ReplaceAll(string(r.Relation), "_", " ")+" ", joined(r.Reference, r.Date.String(), r.Country, r.Body,
			labelled("ORIGIN ", r.OriginCountry), labelled("EXPORTER NO. ", r.ExporterCode))))
	}
	for _, d := range c.Documents {
		entries = append(entries, exact("DOCUMENT "+d.Type+": ", joined(d.Title, d.Number, d.Date.String())))
	}
	entries = append(entries, endorsement("EMBASSY: ", c.Embassy), endorsement("INSURANCE: ", c.Insurance))
	for _, copied := range c.Copies {
		entries = append(entries, prose("COPIES: ", joined(strconv.Itoa(copied.Count), copied.Qualifier, copied.For)))
	}
	return filled(append(entries,
		exact("TO BE VERIFIED AT ", c.Verification.URL), exact("VERIFICATION CODE ", c.Verification.Code),
		exact("APPLICATION NO. ", c.Application), exact("CASE ", c.Job), exact("CONTINUES CASE ", c.PreviousJob), exact("UUID ", c.UUID))...)
}

func endorsement(label string, e *eco.Endorsement) entry {
	if e == nil {
		return entry{}
	}
	return prose(label, joined(labelled("NO. ", e.Number), e.Status, labelled("BY ", e.Body), labelled("OFFICER ", e.Officer),
		labelled("AT ", e.Place), e.Country, e.Remarks))
}

// invoicers are the companies that invoice in the exporter's place, each with its invoices, and the invoices of no item.
func (s source) invoicers() []entry {
	var entries []entry
	cited := map[string]bool{}
	for i := range s.c.Items {
		for _, number := range s.c.Items[i].Invoices {
			cited[number] = true
		}
	}
	last := ""
	for _, invoice := range s.c.Invoices {
		if !cited[invoice.Number] {
			entries = append(entries, exact("INVOICE: ", joined(invoice.Number, invoice.Date.String())))
		}
		if invoice.Issuer == nil {
			continue
		}
		label := fmt.Sprintf("INVOICE %s ISSUED BY: ", invoice.Number)
		if said := fmt.Sprint(*invoice.Issuer); said != last {
			entries = append(entries, party(label, *invoice.Issuer)...)
			last = said
		} else {
			entries = append(entries, exact(label, "THE SAME"))
		}
	}
	return entries
}

// tick is one tick box.
type tick struct {
	label string
	on    bool
}

// ticks are the indicators that the form offers as tick boxes, and any other that the certificate answers.
func (s source) ticks() []tick {
	flags := slices.Clone(s.form.Flags)
	for _, flag := range slices.Sorted(maps.Keys(s.c.Flags)) {
		if !slices.Contains(flags, flag) {
			flags = append(flags, flag)
		}
	}
	var ticks []tick
	for _, flag := range flags {
		if s.ticked(flag) {
			ticks = append(ticks, tick{s.words(flag), s.c.Flags[flag]})
		}
	}
	return ticks
}

// nonParty are the forms that speak of parties where others speak of countries.
var nonParty = []eco.FormCode{"VKFTA-VK", "VKFTA-KV"}

// words are what the form calls an indicator.
func (s source) words(flag eco.Flag) string {
	if flag == eco.FlagThirdCountryInvoicing && slices.Contains(nonParty, s.form.Code) {
		return "NON-PARTY INVOICING"
	}
	return strings.ReplaceAll(string(flag), "_", " ")
}

// stamps are the words that the certificate itself calls for, each on a line of its own: in the box that the form has for words about
// late issue, in the certification, under the title.
func (s source) stamps(holds content) []string {
	var words []string
	c := s.c
	if holds == s.lateBox() && c.Flags[eco.FlagIssuedRetroactively] {
		words = append(words, firstOf(s.frame.lateWords, "ISSUED RETROACTIVELY"))
	}
	// ATIGA Operational Certification Procedure, Rule 12: the copy bears the words and the original's date of issue.
	if holds == holdsCertification && (c.Status == eco.StatusTrueCopy || c.Flags[eco.FlagCertifiedTrueCopy]) {
		words = append(words, "CERTIFIED TRUE COPY", "ORIGINAL ISSUED "+s.originalDay().String())
	}
	if holds == holdsTitle {
		for _, r := range c.Related {
			if r.Relation == eco.RelationReplaces {
				words = append(words, strings.TrimSpace("REPLACES "+r.Reference+" "+r.Date.String()))
			}
		}
	}
	return words
}

// originalDay is the issue date of the certificate that this one copies.
func (s source) originalDay() eco.Date {
	for _, r := range s.c.Related {
		if r.Relation == eco.RelationTrueCopyOf && !r.Date.IsZero() {
			return r.Date
		}
	}
	return s.c.IssuedAt
}

// overlays are those of the options, and the one that the certificate calls for.
func (s source) overlays() []string {
	var words []string
	if s.c.Status == eco.StatusCancellation && !slices.Contains(s.options.Overlays, OverlayCancelled) {
		words = append(words, string(OverlayCancelled))
	}
	for _, o := range s.options.Overlays {
		words = append(words, string(o))
	}
	return words
}

// filled drops entries without a value, unless they are words of ours alone.
func filled(entries ...entry) []entry {
	return slices.DeleteFunc(entries, func(e entry) bool { return strings.TrimSpace(e.value) == "" })
}

func joined(parts ...string) string {
	return strings.Join(slices.DeleteFunc(parts, func(p string) bool { return p == "" }), ", ")
}

// labelled is a value behind words of ours; "" without value.
func labelled(label, value string) string {
	if value == "" {
		return ""
	}
	return label + value
}

// noted is a value with notes in brackets; "" without value.
func noted(value string, notes ...string) string {
	if note := joined(notes...); value != "" && note != "" {
		return value + " (" + note + ")"
	}
	return value
}

func firstOf(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

func yesNo(b bool) string {
	if b {
		return "YES"
	}
	return "NO"
}
