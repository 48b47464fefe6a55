package intake

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/ecogate/ecogate/eco"
)

// UNCEFACT reads a certificate in the JSON form of the UN/CEFACT eCOO project (edi3-regulatory, CertificateOfOrigin). That form has no
// schema for what it leaves open, so nothing of a file is dropped: what a certificate has no place for, and members that
// the form does not know, are Unplaced.
//
//   - Identifiers are spelled authority:scheme:value. Parties keep all of it, as a number under a scheme; elsewhere the last part is
//     taken, and what stands before it is Unplaced.
//   - Each trade line becomes an item; manufacturer and origin criterion of the consignment item around it hold for all its lines.
//   - The importer is the consignee. Signatories have no names here: exporter and issuing body stand in, which a warning says.
//   - The name of the trade agreement becomes the form; eco.Validate complains if this program does not know it.
//
// The error is an *Error.
func UNCEFACT(data []byte, forms eco.Forms) (Import, error) {
	root, err := parseJSON(data)
	if err != nil {
		return Import{}, err
	}
	if root.members == nil {
		return Import{}, refuse("", "want a JSON object, found %s", root.kind())
	}
	r := &uncefact{forms: forms, imp: Import{places: map[string]string{"": ""}}}
	if country, ok := root.get("supplyChainConsignment", "exportCountry", "code").plainText(); ok {
		r.exporting = country
	}
	r.document(root)
	if err := r.err(); err != nil {
		return Import{}, err
	}
	if r.imp.Unplaced = root.leftovers(nil); len(r.imp.Unplaced) > maxUnplaced {
		return Import{}, refuse("", "want at most %d values that a certificate has no place for; this is another kind of document", maxUnplaced)
	}
	return r.imp, nil
}

// uncefact is one reading.
type uncefact struct {
	problems
	forms eco.Forms
	imp   Import
	// exporting is the country of export, as it decides between forms of one name.
	exporting string
}

// take puts a text into the certificate and remembers where it came from; nil leaves everything as it is.
func (r *uncefact) take(n *node, into *string, path string) bool {
	if n == nil {
		return false
	}
	text, ok := n.value.(string)
	if !ok {
		r.add(n.path(), "want a text, found %s", n.kind())
		return false
	}
	if text == "" {
		n.used = true
		return false
	}
	*into = text
	r.placed(n, path)
	return true
}

func (r *uncefact) placed(n *node, path string) {
	n.used = true
	if _, ok := r.imp.places[path]; !ok { // a value that is repeated keeps its first place
		r.imp.places[path] = n.path()
	}
}

// number takes the last part of an identifier; what stands before it is told apart.
func (r *uncefact) number(n *node, into *string, path, implied string) {
	var whole string
	if !r.take(n, &whole, path) {
		return
	}
	at := strings.LastIndexByte(whole, ':') + 1
	*into = whole[at:]
	if before := strings.TrimSuffix(whole[:at], ":"); before != "" && before != implied && before != "id" {
		n.rest, n.why = before, "who gave the number; the number itself is "+path
	}
}

// day takes the day of an instant; its time of day is told apart.
func (r *uncefact) day(n *node, into *eco.Date, path string) (clock string) {
	var text string
	if !r.take(n, &text, path) {
		return ""
	}
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		day, dayErr := eco.ParseDate(text)
		if dayErr != nil {
			r.add(n.path(), "want an instant such as 2026-11-28T09:30:00Z, or a day, found %q", limited(text))
			return ""
		}
		*into = day
		return ""
	}
	*into = eco.DateOf(at)
	n.rest, n.why = text[strings.IndexAny(text, "Tt")+1:], "the time of day; the day is "+path
	return n.rest
}

func (r *uncefact) warn(code, path, text, fix string) {
	r.imp.Findings = append(r.imp.Findings, eco.Finding{Code: code, Severity: eco.SeverityWarning, Path: path, Text: text, Fix: fix})
}

func (r *uncefact) document(root *node) {
	c := &r.imp.Certificate
	r.number(root.get("iD"), &c.Reference, "reference", "")
	r.issue(root)
	r.form(root)
	r.status(root.get("status"))
	r.issuer(root)
	consignment := root.get("supplyChainConsignment")
	if consignment == nil || consignment.members == nil {
		r.add("supplyChainConsignment", "want an object, found none")
		return
	}
	r.consignment(consignment)
	r.transport(consignment)
	r.items(consignment.get("includedConsignmentItems"))
	r.signatories()
}

// issue reads when the certificate was issued and declared. The second signature's day is the day of issue if that is not told.
func (r *uncefact) issue(root *node) {
	c := &r.imp.Certificate
	issued := root.get("issueDateTime")
	certified := root.get("secondSignatoryAuthentication", "actualDateTime")
	if issued == nil {
		issued, certified = certified, nil
	}
	if clock := r.day(issued, &c.IssuedAt, "issue_date"); clock != "" {
		c.IssueTime = clock
		issued.rest, issued.why = "", ""
		r.imp.places["issue_time"] = issued.path()
	}
	r.day(root.get("firstSignatoryAuthentication", "actualDateTime"), &c.Declaration.Date, "declaration.date")
	if certified == nil {
		return
	}
	certified.why = "the day of certification is issue_date"
	text, ok := certified.value.(string)
	if !ok {
		r.add(certified.path(), "want a text, found %s", certified.kind())
	} else if day := c.IssuedAt.String(); !strings.HasPrefix(text, day) {
		r.warn(eco.CodeDates, certified.path(), fmt.Sprintf("the issuing body signed on %s, the issue date is %s", limited(text), day), "check the issue date")
	}
}

// notInCodes is what parts the words of an agreement's name.
var notInCodes = regexp.MustCompile(`[^A-Z0-9]+`)

func (r *uncefact) form(root *node) {
	c := &r.imp.Certificate
	preferential := root.get("isPreferential")
	agreement := root.get("freeTradeAgreement")
	var name string
	named := r.take(agreement, &name, "form")
	if preferential == nil {
		if !named {
			r.add("isPreferential", "want true or false, found none")
		}
	} else if is, ok := preferential.value.(bool); !ok {
		r.add(preferential.path(), "want true or false, found %s", preferential.kind())
	} else if !is && named {
		r.add(agreement.path(), "want no agreement, since isPreferential is false, found %q", limited(name))
	} else if is && !named {
		r.add("freeTradeAgreement", "want the name of the agreement, since isPreferential is true, found none")
	} else {
		r.placed(preferential, "form")
	}
	if !named {
		c.Form = eco.FormNonPreferential
		return
	}
	r.imp.places["form"] = agreement.path()
	c.Form = r.formOf(name)
}

// formOf finds the form of an agreement by its name: the form's code, its title, the agreement's name, or the only form whose code begins
// with the name.
func (r *uncefact) formOf(agreement string) eco.FormCode {
	code := strings.Trim(notInCodes.ReplaceAllString(strings.ToUpper(agreement), "-"), "-")
	if form, ok := r.forms.Named(agreement, r.exporting); ok {
		return form.Code
	}
	var found []eco.FormCode
	for _, f := range r.forms.All() {
		if strings.EqualFold(f.Agreement, agreement) || string(f.Code) == code || strings.HasPrefix(string(f.Code), code+"-") {
			found = append(found, f.Code)
		}
	}
	if len(found) == 1 {
		return found[0]
	}
	return eco.FormCode(code)
}

// status reads where the document stands in its life: only one that was issued is a certificate.
func (r *uncefact) status(n *node) {
	var text string
	if !r.take(n, &text, "status") {
		return
	}
	if !strings.EqualFold(text, "issued") {
		r.add(n.path(), `want "issued", found %q: only an issued certificate is imported`, limited(text))
		return
	}
	r.imp.Certificate.Status = eco.StatusOriginal
}

func (r *uncefact) issuer(root *node) {
	c := &r.imp.Certificate
	body := root.get("issuer")
	if body != nil {
		r.number(body.get("iD"), &c.IssuingBody.ID, "issuing_body.id", "")
		r.take(body.get("name"), &c.IssuingBody.Name, "issuing_body.name")
		r.address(body.get("postalAddress"), &c.IssuingBody.Address, "issuing_body.address")
	}
	place := root.get("issueLocation")
	if place == nil {
		return
	}
	if !r.take(place.get("name"), &c.Certification.Place, "certification.place") {
		r.number(place.get("iD"), &c.Certification.Place, "certification.place", locodes)
	}
}

// locodes stands before the codes of places.
const locodes = "unece.un.org:locode"

func (r *uncefact) party(n *node, into *eco.Party, path string) {
	if n == nil {
		return
	}
	if n.members == nil {
		r.add(n.path(), "want an object, found %s", n.kind())
		return
	}
	r.take(n.get("name"), &into.Name, path+".name")
	var id string
	if number := path + ".identifiers[0].value"; r.take(n.get("iD"), &id, number) {
		at := strings.LastIndexByte(id, ':')
		into.Identifiers = []eco.Identifier{{Scheme: id[:max(at, 0)], Value: id[at+1:]}}
		r.imp.places[path+".identifiers[0].scheme"] = r.imp.places[number]
	}
	r.address(n.get("postalAddress"), &into.Address, path+".address")
}

// address keeps postcode and part of the country together on a line of their own.
func (r *uncefact) address(n *node, into *eco.Address, path string) {
	if n == nil {
		return
	}
	if n.members == nil {
		r.add(n.path(), "want an object, found %s", n.kind())
		return
	}
	var line string
	for _, name := range []string{"line1", "line2"} {
		if r.take(n.get(name), &line, fmt.Sprintf("%s.lines[%d]", path, len(into.Lines))) {
			into.Lines = append(into.Lines, line)
		}
	}
	var parts []string
	for _, name := range []string{"countrySubDivisionName", "postcode"} {
		if r.take(n.get(name), &line, fmt.Sprintf("%s.lines[%d]", path, len(into.Lines))) {
			parts = append(parts, line)
		}
	}
	if len(parts) > 0 {
		into.Lines = append(into.Lines, strings.Join(parts, " "))
	}
	r.take(n.get("cityName"), &into.City, path+".city")
	r.take(n.get("countryCode"), &into.Country, path+".country")
}

// transportDocuments are the UNCL 1001 codes of what the scheme of a consignment's number may say.
var transportDocuments = map[string]string{"hawb": "703", "mawb": "741", "awb": "740", "bl": "705", "bol": "705", "hbl": "714"}

func (r *uncefact) consignment(n *node) {
	c := &r.imp.Certificate
	if id := n.get("iD"); id != nil {
		text, _ := id.value.(string)
		if parts := strings.Split(text, ":"); len(parts) >= 2 && transportDocuments[strings.ToLower(parts[len(parts)-2])] != "" {
			d := eco.Document{Type: transportDocuments[strings.ToLower(parts[len(parts)-2])]}
			r.number(id, &d.Number, "documents[0].number", "")
			r.imp.places["documents[0].type"] = id.path()
			c.Documents = append(c.Documents, d)
		}
	}
	r.take(n.get("information"), &c.Remarks, "remarks")
	r.take(n.get("exportCountry", "code"), &c.ExportingCountry, "exporting_country")
	r.take(n.get("importCountry", "code"), &c.ImportingCountry, "importing_country")
	r.party(n.get("exporter"), &c.Exporter, "exporter")
	r.party(n.get("importer"), &c.Consignee, "consignee")
	if c.IssuingCountry = c.IssuingBody.Address.Country; c.IssuingCountry != "" {
		r.imp.places["issuing_country"] = r.imp.places["issuing_body.address.country"]
	} else {
		c.IssuingCountry = c.ExportingCountry
		r.imp.places["issuing_country"] = r.imp.places["exporting_country"]
	}
}

func (r *uncefact) location(n *node, into *eco.Location, path string) {
	r.number(n.get("iD"), &into.Code, path+".code", locodes)
	r.take(n.get("name"), &into.Name, path+".name")
}

// byAir stands before flight numbers.
const byAir = "iata.org"

func (r *uncefact) transport(n *node) {
	t := &r.imp.Certificate.Transport
	r.location(n.get("loadingBaseportLocation"), &t.LoadingPort, "transport.loading_port")
	r.location(n.get("unloadingBaseportLocation"), &t.DischargePort, "transport.discharge_port")
	movement := n.get("mainCarriageTransportMovement")
	journey := movement.get("iD")
	r.number(journey, &t.Journey, "transport.journey", byAir)
	if journey != nil && strings.HasPrefix(journey.text(), byAir+":") {
		t.Mode = "4"
		r.imp.places["transport.mode"] = journey.path()
	}
	r.take(movement.get("information"), &t.Text, "transport.text")
	r.day(movement.get("departureEvent", "departureDateTime"), &t.DepartureDate, "transport.departure_date")
	if t.Mode != "4" {
		r.number(movement.get("usedTransportMeans", "iD"), &t.VesselID, "transport.vessel_id", "imo.org")
	}
	if means := movement.get("usedTransportMeans", "name"); means != nil {
		if t.Mode == "4" {
			means.why = "a certificate names the aircraft by its flight only"
		} else {
			r.take(means, &t.Vessel, "transport.vessel")
		}
	}
}

func (r *uncefact) items(list *node) {
	if list == nil || len(list.elements) == 0 {
		r.add("supplyChainConsignment.includedConsignmentItems", "want at least one item, found none")
		return
	}
	for _, group := range list.elements {
		lines := group.get("tradeLineItems")
		if lines == nil || len(lines.elements) == 0 {
			r.add(group.path()+".tradeLineItems", "want at least one line, found none")
			continue
		}
		if len(r.imp.Certificate.Items)+len(lines.elements) > eco.MaxItems {
			r.add(lines.path(), "want at most %d lines in all", eco.MaxItems)
			return
		}
		first := len(r.imp.Certificate.Items)
		for _, line := range lines.elements {
			r.line(group, line)
		}
		r.packages(group.get("information"), first, len(lines.elements))
	}
}

// packages puts what a consignment item says of all its lines beside the first of them, as forms print it.
func (r *uncefact) packages(information *node, first, lines int) {
	item := &r.imp.Certificate.Items[first]
	if r.take(information, &item.PackageText, fmt.Sprintf("items[%d].package_text", first)) && lines > 1 {
		r.warn(eco.CodeQuantity, information.path(),
			fmt.Sprintf("it is about items %d to %d and stands with the first of them", first+1, first+lines), "share the packages out if the form wants them by item")
	}
}

// line makes an item of a trade line and the consignment item around it.
func (r *uncefact) line(group, line *node) {
	c := &r.imp.Certificate
	at := fmt.Sprintf("items[%d]", len(c.Items))
	r.imp.places[at] = line.path()
	item := eco.Item{Number: len(c.Items) + 1}
	if n := line.get("sequenceNumber"); n != nil {
		number, ok := n.value.(json.Number)
		whole, err := strconv.Atoi(number.String())
		if !ok || err != nil {
			r.add(n.path(), "want a whole number, found %s", n.kind())
		}
		item.Number = whole
		r.placed(n, at+".number")
	}
	product := line.get("tradeProduct")
	r.take(product.get("description"), &item.Description, at+".description")
	r.classification(product.get("harmonisedTariffCode", "classCode"), &item, at)
	r.take(product.get("originCountry", "code"), &item.OriginCountry, at+".origin_country")
	r.criterion(group.get("crossBorderRegulatoryProcedure", "originCriteriaText"), &item, at)
	if maker := group.get("manufacturer"); maker != nil {
		item.Producer = new(eco.Party)
		r.party(maker, item.Producer, at+".producer")
	}
	r.invoice(line.get("invoiceReference"), &item, at)
	c.Items = append(c.Items, item)
}

// classification parts a code into that of the Harmonized System, six digits, and a national one that is longer.
func (r *uncefact) classification(n *node, item *eco.Item, at string) {
	var code string
	if !r.take(n, &code, at+".hs") {
		return
	}
	digits := strings.NewReplacer(".", "", " ", "").Replace(code)
	item.HS = digits
	if len(digits) > 6 {
		item.HS, item.NationalCode = digits[:6], digits
		r.imp.places[at+".national_code"] = n.path()
	}
}

func (r *uncefact) criterion(n *node, item *eco.Item, at string) {
	if !r.take(n, &item.CriterionText, at+".criterion_text") {
		return
	}
	form, known := r.forms.ByCode(r.imp.Certificate.Form)
	if criteria, err := form.ParseCriteria(item.CriterionText); known && err == nil {
		item.Criteria = criteria
		r.imp.places[at+".criteria"] = n.path()
	}
}

func (r *uncefact) invoice(n *node, item *eco.Item, at string) {
	if n == nil {
		return
	}
	c := &r.imp.Certificate
	path := fmt.Sprintf("invoices[%d]", len(c.Invoices))
	var invoice eco.Invoice
	number := n.get("iD")
	r.number(number, &invoice.Number, at+".invoices[0]", "")
	if invoice.Number == "" {
		return
	}
	item.Invoices = []string{invoice.Number}
	dated := n.get("formattedIssueDateTime")
	for i := range c.Invoices {
		if c.Invoices[i].Number != invoice.Number {
			continue
		}
		path = fmt.Sprintf("invoices[%d]", i)
		r.day(dated, &invoice.Date, path+".date")
		if before := &c.Invoices[i]; before.Date.IsZero() {
			before.Date = invoice.Date
		} else if !invoice.Date.IsZero() && before.Date != invoice.Date {
			r.add(dated.path(), "want %s, the date of invoice %s elsewhere, found %s", before.Date, limited(invoice.Number), invoice.Date)
		}
		return
	}
	r.imp.places[path+".number"] = number.path()
	r.day(dated, &invoice.Date, path+".date")
	c.Invoices = append(c.Invoices, invoice)
}

// signatories puts in who stands behind the two signatures, since the form has no names of persons.
func (r *uncefact) signatories() {
	c := &r.imp.Certificate
	if c.Declaration.Name = c.Exporter.Name; c.Declaration.Name != "" {
		r.warn(eco.CodeText, "firstSignatoryAuthentication", "nobody is named who signed for the exporter; the exporter's name stands in declaration.name", "name the person, if the form wants one")
		r.imp.places["declaration.name"] = r.imp.places["exporter.name"]
	}
	if c.Certification.Officer = c.IssuingBody.Name; c.Certification.Officer != "" {
		r.warn(eco.CodeText, "secondSignatoryAuthentication", "no officer is named; the issuing body's name stands in certification.officer", "name the officer, if the form wants one")
		r.imp.places["certification.officer"] = r.imp.places["issuing_body.name"]
	}
}
