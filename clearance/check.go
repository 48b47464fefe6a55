package clearance

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/ecogate/ecogate/eco"
)

// Evidence is what a declaration is compared with.
type Evidence struct {
	// Cited are the received certificates under each normalised reference that the declaration cites, as its declarant may see them:
	// what he may not see is not there. Lives are without what this declaration has reserved itself.
	Cited map[string][]Imported
	// Originals are those that back-to-back certificates among them build on, under their normalised references, as far as they are here.
	Originals map[string][]Imported
	// Forms are those in force.
	Forms eco.Forms
	// Day is the day of presentation; Now the instant of the check.
	Day eco.Date
	Now time.Time
	// Strict: what differs materially refuses the declaration. Otherwise it is shown to an officer.
	Strict bool
	// Officer may override the end of a validity.
	Officer bool
	// Settled are claims that are not looked at, by their numbers: they stay as they are.
	Settled map[int]Claim
}

// Assessment is what a check comes to.
type Assessment struct {
	Claims      []Claim
	Findings    []eco.Finding
	Differences []eco.Difference
	// cited are the certificates that were looked at, by their Seq, order their numbers as they were met, and paths where each was first.
	cited map[uint64]Imported
	order []uint64
	paths map[uint64]string
}

// Refused reports whether the declaration cannot be taken as it is.
func (a Assessment) Refused() bool { return eco.HasErrors(a.Findings) }

// Check compares a declaration with the certificates that it cites, and says of each citation whether it can be claimed. It returns
// everything that it finds at once, each with its place, what was expected, what was found, and what helps, in the order of the lines.
//
// The rules are those of the ATIGA Operational Certification Procedure: validity 14, discrepancies 16, back-to-back 11, presentation 30(1);
// quantities are those of the ledger, eco.Balance.Free.
func Check(d Declaration, e Evidence) Assessment {
	c := newCheck(d, e)
	c.Findings = d.Validate()
	if c.Refused() {
		return c.Assessment
	}
	c.presentation()
	for i, line := range d.Lines {
		for j, citation := range line.Citations {
			c.citation(fmt.Sprintf("lines[%d].citations[%d]", i, j), line, citation)
		}
	}
	for _, seq := range c.order {
		c.certificate(c.paths[seq], c.cited[seq])
	}
	c.quantities()
	c.compare()
	return c.Assessment
}

// check is one check under way.
type check struct {
	d Declaration
	e Evidence
	Assessment
	// claimed are the sums that are claimed of items, in the order in which they were met.
	claimed []itemName
	units   map[itemName]eco.Measure
	at      map[itemName]string
	// short are the items of which more is claimed than is free.
	short map[itemName]bool
}

func newCheck(d Declaration, e Evidence) *check {
	a := Assessment{cited: map[uint64]Imported{}, paths: map[uint64]string{}}
	return &check{d: d, e: e, Assessment: a, units: map[itemName]eco.Measure{}, at: map[itemName]string{}, short: map[itemName]bool{}}
}

// itemName is one item of one certificate.
type itemName struct {
	seq  uint64
	item int
}

func (c *check) fail(code, path, text, fix string) {
	(*findings)(&c.Findings).fail(code, path, text, fix)
}

func (c *check) warn(code, path, text, fix string) {
	(*findings)(&c.Findings).warn(code, path, text, fix)
}

// doubt is an error where the check is strict, and for an officer to look at where it is not.
func (c *check) doubt(code, path, text, fix string) {
	if c.e.Strict {
		c.fail(code, path, text, fix)
		return
	}
	c.warn(code, path, text, fix)
}

// presentation looks at the day and at what only an officer may say. A day later than tomorrow is over nowhere on earth.
func (c *check) presentation() {
	if last := eco.DateOf(c.e.Now.UTC()).AddDays(1); c.d.Lodged.After(last) {
		c.fail(eco.CodeDates, "lodged", fmt.Sprintf("want a day until %s, found %s", last, c.d.Lodged), "lodge it on the day")
	}
	if c.d.Override != "" && !c.e.Officer {
		c.fail(eco.ReasonExpired, "override", "want an officer's word, found one of somebody else", "leave it out, or ask an officer to lodge it")
	}
}

// citation finds the certificate of one citation, and makes it a claim.
func (c *check) citation(path string, line Line, citation Citation) {
	claim := Claim{Number: len(c.Claims) + 1, Line: line.Number, Citation: citation, Standing: StandingAwaited}
	if settled, ok := c.e.Settled[claim.Number]; ok {
		c.Claims = append(c.Claims, settled)
		return
	}
	if found, ok := c.pick(path, citation); ok {
		c.meet(path, found)
		key := found.Key
		claim.Certificate, claim.Key = found.Seq, &key
		if c.take(path, line, &claim, found) {
			claim.Standing = StandingReserved
		}
	}
	c.Claims = append(c.Claims, claim)
}

// pick finds the one certificate that a citation means; it reports false, with a finding, when there is none, or more than one.
func (c *check) pick(path string, citation Citation) (Imported, bool) {
	matching := slices.DeleteFunc(slices.Clone(c.e.Cited[eco.NormaliseReference(citation.Reference)]), func(f Imported) bool {
		return citation.Country != "" && f.Key.Country != citation.Country || citation.Form != "" && f.Key.Form != citation.Form
	})
	isTest := func(f Imported) bool { return f.Key.Test }
	live := slices.DeleteFunc(slices.Clone(matching), isTest)
	switch {
	case len(live) > 0:
	case len(matching) > 0:
		c.fail(eco.ReasonNotReceived, path+".reference", fmt.Sprintf("want a certificate that counts, found %s of an exchange for test", matching[0].Key), "cite the certificate of the goods")
		return Imported{}, false
	default:
		c.notReceived(path, citation)
		return Imported{}, false
	}
	if len(live) > 1 {
		if standing := slices.DeleteFunc(slices.Clone(live), func(f Imported) bool { return f.State == eco.StateReplaced }); len(standing) > 0 {
			live = standing
		}
	}
	for _, other := range live[1:] {
		if other.Key != live[0].Key {
			c.fail(eco.CodeReferenceFormat, path+".reference", fmt.Sprintf("want one certificate, found %s and %s", live[0].Key, other.Key), "state country and form")
			return Imported{}, false
		}
	}
	return live[0], true
}

// notReceived is what is said of a certificate that has not come, and of one that the declarant may not see.
func (c *check) notReceived(path string, citation Citation) {
	text := fmt.Sprintf("want a certificate that was received, found none with number %q", shortened(citation.Reference))
	if c.d.Guarantee != nil {
		c.warn(eco.ReasonNotReceived, path+".reference", text, "guarantee "+c.d.Guarantee.Number+" stands for it until it comes")
		return
	}
	c.fail(eco.ReasonNotReceived, path+".reference", text, "check the number, wait for it, or give a guarantee")
}

func (c *check) meet(path string, found Imported) {
	if _, met := c.cited[found.Seq]; met {
		return
	}
	c.cited[found.Seq], c.paths[found.Seq] = found, path
	c.order = append(c.order, found.Seq)
}

// certificate looks at what holds of a certificate as a whole. path is where it is cited first.
func (c *check) certificate(path string, found Imported) {
	c.usable(path, found)
	c.valid(path, found)
	c.importer(path, found)
	c.original(path, found)
	if life := found.Life; life.SingleUse && (len(life.Declarations) > 0 || life.State == eco.StateUsedInPart) {
		c.fail(eco.ReasonExhausted, path+".reference", fmt.Sprintf("%s may be used by one declaration, and another cites it or has used it", found.Data.Reference), "cite another certificate")
	}
}

// usable looks at the state of a certificate.
func (c *check) usable(path string, found Imported) {
	name, at := found.Data.Reference, path+".reference"
	switch found.State {
	case eco.StateInConflict:
		c.fail(eco.CodeReferenceReused, at, fmt.Sprintf("want one certificate %s, found two with other content; neither counts", name), "ask the exporter which one holds")
	case eco.StateReceived:
		c.fail(eco.ReasonNotReceived, at, fmt.Sprintf("want a certificate that may be used, found %s, which waits for messages before it", name), "wait for it")
	case eco.StateRefused:
		c.fail(eco.ReasonNotReceived, at, fmt.Sprintf("want a certificate that may be used, found %s, which was refused at the door", name), "ask the exporter to have it sent again")
	case eco.StateCancelled:
		c.fail(eco.ReasonWithdrawn, at, fmt.Sprintf("want a certificate that is in force, found %s, which was cancelled", name), "ask the exporter for another one")
	case eco.StateReplaced:
		c.fail(eco.ReasonWithdrawn, at, fmt.Sprintf("want a certificate that is in force, found %s, which was replaced%s", name, replacedBy(found)), "cite the one that replaces it")
	case eco.StateUsedUp:
		c.fail(eco.ReasonExhausted, at, fmt.Sprintf("want a certificate of which something is left, found %s, which is used up", name), "cite another certificate")
	case eco.StateDenied:
		c.fail(eco.ReasonOther, at, fmt.Sprintf("want a certificate under which preference is granted, found %s, whose preference was denied", name), "ask the issuing body to clarify; an officer re-opens it")
	case eco.StateSuspended:
		text := fmt.Sprintf("want a certificate without doubts, found %s, which is being verified", name)
		if c.d.Guarantee != nil {
			c.warn(eco.ReasonOrigin, at, text, "guarantee "+c.d.Guarantee.Number+" stands for it meanwhile")
			return
		}
		c.doubt(eco.ReasonOrigin, at, text, "give a guarantee, or wait for the reply")
	}
}

func replacedBy(c Imported) string {
	switch {
	case c.Successor != nil:
		return " by " + c.Successor.String()
	case c.Life.Successor != "":
		return " by " + c.Life.Successor
	}
	return ""
}

// validUntil is the last day on which a certificate may be presented, and whether a published text says so; the zero Date sets no end.
func validUntil(c Imported, forms eco.Forms) (last eco.Date, confirmed bool) {
	form, _ := forms.ByCode(c.Key.Form)
	byForm := lastDay(c, form)
	if stated := c.Life.ValidUntil; !stated.IsZero() && stated != byForm {
		return stated, true
	}
	return byForm, form.Confirmed("validity_months")
}

// lastDay is the last day on which a certificate may be presented by the figure of its form; the zero Date without one.
func lastDay(c Imported, form eco.Form) eco.Date {
	if form.ValidityMonths == 0 || c.Data.IssuedAt.IsZero() {
		return eco.Date{}
	}
	return c.Data.IssuedAt.AddMonths(form.ValidityMonths)
}

// valid looks at the day of presentation. ATIGA OCP Rule 14.
func (c *check) valid(path string, found Imported) {
	day := c.e.Day
	if day.Before(found.Data.IssuedAt) {
		c.warn(eco.CodeDates, path+".reference", fmt.Sprintf("presented on %s, found %s issued on %s", day, found.Data.Reference, found.Data.IssuedAt), "check whether it was issued retroactively")
	}
	last, confirmed := validUntil(found, c.e.Forms)
	late := !last.IsZero() && day.After(last)
	if !late && found.State != eco.StateExpired {
		return
	}
	text := fmt.Sprintf("want a day until %s, found %s", last, day)
	if last.IsZero() {
		text = "want a certificate that is valid, found one that has expired"
	}
	switch {
	case c.e.Officer && c.d.Override != "":
		c.warn(eco.ReasonExpired, path+".reference", text, "an officer takes it all the same: "+c.d.Override)
	case !confirmed && found.State != eco.StateExpired:
		c.warn(eco.ReasonExpired, path+".reference", text, "no published text confirms the form's validity; ask customs")
	default:
		c.fail(eco.ReasonExpired, path+".reference", text, "an officer may take it for goods that arrived in time, or for force majeure")
	}
}

// importer compares who declares with whom the certificate names. ATIGA OCP Rule 16(1): what is typographic does not count.
func (c *check) importer(path string, found Imported) {
	named := receivers(found.Data)
	for _, party := range named {
		if sameParty(c.d.Importer, party) {
			return
		}
	}
	names := make([]string, len(named))
	for i, party := range named {
		names[i] = fmt.Sprintf("%q", shortened(party.Name))
	}
	c.doubt(eco.ReasonImporter, "importer", fmt.Sprintf("want the importer that certificate %s names, %s, found %q", found.Data.Reference, strings.Join(names, " or "), shortened(c.d.Importer.Name)),
		"check the importer, or ask the exporter for a certificate in the right name")
}

// original looks at the certificate that a back-to-back one builds on, as far as it is here. ATIGA OCP Rule 11.
func (c *check) original(path string, found Imported) {
	for _, related := range found.Data.Related {
		if related.Relation != eco.RelationBackToBack {
			continue
		}
		for _, original := range c.e.Originals[eco.NormaliseReference(related.Reference)] {
			if related.Country != "" && original.Key.Country != related.Country || original.Key.Test != found.Key.Test {
				continue
			}
			switch original.State {
			case eco.StateCancelled, eco.StateReplaced, eco.StateInConflict, eco.StateDenied, eco.StateRefused:
				c.fail(eco.CodeBackToBack, path+".reference", fmt.Sprintf("want the original %s of back-to-back certificate %s in force, found it %s", original.Data.Reference, found.Data.Reference, original.State),
					"ask the exporter for a certificate that builds on one in force")
			}
		}
	}
}

// compare puts the lines beside the certificates. Only what is material is a finding, and what the ledger has refused already is no
// second one.
func (c *check) compare() {
	for _, seq := range c.order {
		comparison := eco.Comparison{Certificate: c.cited[seq].Data}
		if form, known := c.e.Forms.ByCode(c.cited[seq].Key.Form); known {
			comparison.Digits = form.HS.Digits
		}
		for _, difference := range comparison.Lines(c.lines(seq)) {
			if difference.Class == eco.DifferenceIdentical {
				continue
			}
			c.Differences = append(c.Differences, difference)
			if difference.Class != eco.DifferenceMaterial || c.short[itemName{seq, difference.Item}] && isMeasure(difference.Field) {
				continue
			}
			at := slices.IndexFunc(c.d.Lines, func(l Line) bool { return l.Number == difference.Line })
			text := fmt.Sprintf("want %q as item %d of %s has it, found %q: %s", cut(difference.Certified, maxDiffering), difference.Item, c.cited[seq].Data.Reference,
				cut(difference.Declared, maxDiffering), difference.Text)
			c.doubt(cmp.Or(difference.Reason, eco.ReasonGoods), fmt.Sprintf("lines[%d].%s", at, difference.Field), text,
				"correct the line, cite another item, or ask the exporter to have the certificate amended")
		}
	}
}

func isMeasure(field string) bool {
	return field == "quantity" || field == "net_weight" || field == "gross_weight"
}

// lines are those that claim items of a certificate.
func (c *check) lines(seq uint64) []eco.DeclaredLine {
	var lines []eco.DeclaredLine
	for _, claim := range c.Claims {
		if _, settled := c.e.Settled[claim.Number]; !settled && claim.Certificate == seq && claim.Standing == StandingReserved {
			lines = append(lines, declared(c.d.Lines, claim))
		}
	}
	return lines
}

// declared is the line of a claim, as far as it is claimed.
func declared(lines []Line, claim Claim) eco.DeclaredLine {
	at := slices.IndexFunc(lines, func(l Line) bool { return l.Number == claim.Line })
	l := lines[at]
	d := eco.DeclaredLine{
		Line: l.Number, Item: claim.Item, HS: l.HS, Description: l.Description, Origin: l.Origin,
		Quantity: l.Quantity, NetWeight: l.NetWeight, GrossWeight: l.GrossWeight, Value: l.Value, Packages: l.Packages,
	}
	if len(l.Citations) > 1 || claim.Quantity != nil { // the line's sums are of more, or less, than this item
		d.Quantity, d.NetWeight, d.GrossWeight, d.Value, d.Packages = claim.Quantity, nil, nil, nil, 0
	}
	return d
}
