package eco

import (
	"cmp"
	"fmt"
	"math/big"
	"strconv"
	"strings"
)

// DifferenceClass says how what a declaration states differs from what the certificate states.
type DifferenceClass string

// The classes, from none to the gravest.
const (
	// DifferenceIdentical: the same, or a part of what the certificate covers.
	DifferenceIdentical DifferenceClass = "identical"
	// DifferenceTypographic: the same words, written otherwise. Numbers and codes are never of this class.
	DifferenceTypographic DifferenceClass = "typographic"
	// DifferenceConvertible: the same quantity or a part of it, exactly, in another unit.
	DifferenceConvertible DifferenceClass = "convertible"
	// DifferenceMaterial: anything else. An officer judges it.
	DifferenceMaterial DifferenceClass = "material"
)

// DeclaredLine is a line of an import declaration that claims the preference of one item. Fields that are not stated are zero, and
// are not compared.
type DeclaredLine struct {
	// Line is the line's number on the declaration, Item the Item.Number that it claims.
	Line int `json:"line"`
	Item int `json:"item"`
	// HS is the code under which the goods are declared, of any length; dots and spaces do not count.
	HS          string `json:"hs,omitempty"`
	Description string `json:"description,omitempty"`
	// Origin is an ISO 3166-1 code of two or three letters.
	Origin      string   `json:"origin,omitempty"`
	Quantity    *Measure `json:"quantity,omitempty"`
	NetWeight   *Measure `json:"net_weight,omitempty"`
	GrossWeight *Measure `json:"gross_weight,omitempty"`
	// Value is on the terms of the certificate's, which is FOB. One on other terms is not to be compared, and is left out.
	Value    *Amount `json:"value,omitempty"`
	Packages int64   `json:"packages,omitempty"`
}

// Difference compares one field of a line with the certificate.
type Difference struct {
	Line int `json:"line"`
	Item int `json:"item"`
	// Field is the line's, by its name in JSON.
	Field string `json:"field"`
	// Declared and Certified are what the line and the certificate state, as people read it.
	Declared  string          `json:"declared"`
	Certified string          `json:"certified"`
	Class     DifferenceClass `json:"class"`
	// Text says in words what differs; "" where nothing does.
	Text string `json:"text,omitempty"`
	// Minor proposes to take the difference for a minor discrepancy, which by itself does not invalidate a certificate whose origin
	// is not in doubt: ATIGA OCP Rule 16(1). It decides nothing.
	Minor bool `json:"minor,omitempty"`
	// Reason proposes the reason code that a denial for it would state, such as ReasonClassification; "" if it is not material.
	Reason string `json:"reason,omitempty"`
}

// Comparison is what the lines of a declaration are compared with.
type Comparison struct {
	Certificate Certificate
	// Digits are those at which HS codes must agree: the form's HSRule; 0 means 6.
	Digits int
	// Life tells what is free of each item. What the zero Life does not know of is free as it was certified.
	Life Life
}

// CompareLines compares with what a certificate states, at six digits of HS codes and as if nothing of it was used. See
// Comparison.Lines.
func CompareLines(c Certificate, lines []DeclaredLine) []Difference {
	return Comparison{Certificate: c}.Lines(lines)
}

// Lines compares each field that a line states and the certificate states too, in the order of the lines and of their fields;
// identical ones are among the results, for a view side by side. Lines that claim the same item count together: what exceeds the
// item is material in the line that exceeds it. A line whose item is not there has the one difference "item".
//
// HS codes are compared at Digits: a longer national code agrees with the code above it. Quantities agree up to what is free,
// weights, values and packages up to what was certified, exactly and across units.
func (c Comparison) Lines(lines []DeclaredLine) []Difference {
	r := comparing{Comparison: c, items: map[int]*Item{}, taken: map[taken]*big.Rat{}}
	for i := range c.Certificate.Items {
		item := &c.Certificate.Items[i]
		if r.items[item.Number] == nil {
			r.items[item.Number] = item
		}
	}
	for _, line := range lines {
		r.compare(line)
	}
	return r.found
}

// comparing is one comparison under way.
type comparing struct {
	Comparison
	items map[int]*Item
	taken map[taken]*big.Rat
	found []Difference
}

// taken is what lines have declared of a field of an item, in a unit.
type taken struct {
	item        int
	field, unit string
}

func (r *comparing) compare(line DeclaredLine) {
	item := r.items[line.Item]
	if item == nil {
		r.add(line, Difference{Field: "item", Declared: strconv.Itoa(line.Item), Class: DifferenceMaterial, Reason: ReasonGoods,
			Text: "the certificate has no such item"})
		return
	}
	if line.HS != "" && item.HS != "" {
		r.add(line, r.compareHS(line.HS, *item))
	}
	if line.Description != "" && (item.Description != "" || item.GoodsText != "") {
		r.add(line, compareDescription(line.Description, item))
	}
	if origin := r.originOf(item); line.Origin != "" && origin != "" {
		r.add(line, compareOrigin(line.Origin, origin))
	}
	if line.Quantity != nil {
		r.compareQuantity(line, item)
	}
	r.compareMeasures(line, item)
}

// compareMeasures compares weights, value and packages.
func (r *comparing) compareMeasures(line DeclaredLine, item *Item) {
	if line.NetWeight != nil && item.NetWeight != nil {
		r.compareMeasure(line, measured{"net_weight", *line.NetWeight, *item.NetWeight, *item.NetWeight, inBaseUnit})
	}
	if line.GrossWeight != nil && item.GrossWeight != nil {
		r.compareMeasure(line, measured{"gross_weight", *line.GrossWeight, *item.GrossWeight, *item.GrossWeight, inBaseUnit})
	}
	if line.Value != nil && item.FOB != nil {
		certified := Measure{item.FOB.Value, item.FOB.Currency}
		r.compareMeasure(line, measured{"value", Measure{line.Value.Value, line.Value.Currency}, certified, certified, inItsUnit})
	}
	if line.Packages != 0 && item.Packages != 0 {
		certified := Measure{Decimal(strconv.FormatInt(item.Packages, 10)), ""}
		r.compareMeasure(line, measured{"packages", Measure{Decimal(strconv.FormatInt(line.Packages, 10)), ""}, certified, certified, inItsUnit})
	}
}

func (r *comparing) add(line DeclaredLine, d Difference) {
	d.Line, d.Item = line.Line, line.Item
	d.Minor = d.Class == DifferenceTypographic
	r.found = append(r.found, d)
}

// hsSeparators are what people write between the digits of HS codes.
var hsSeparators = strings.NewReplacer(".", "", " ", "")

// compareHS compares at the form's digits. Rule 16(2) of the ATIGA OCP has a procedure of its own for other classifications.
func (r *comparing) compareHS(declared string, item Item) Difference {
	d := Difference{Field: "hs", Declared: declared, Certified: item.HS, Class: DifferenceMaterial, Reason: ReasonClassification}
	code, certified, digits := hsSeparators.Replace(declared), hsSeparators.Replace(item.HS), cmp.Or(r.Digits, 6)
	certified = certified[:min(len(certified), digits)]
	switch {
	case !digitsPattern.MatchString(code):
		d.Text = "want digits only"
	case !digitsPattern.MatchString(certified):
		d.Text = "the certificate's code is not of digits"
	case len(code) < len(certified):
		d.Text = fmt.Sprintf("want at least %d digits to compare with", len(certified))
	case !strings.HasPrefix(code, certified):
		d.Text = fmt.Sprintf("classified otherwise: the first %d digits of %s are not %s", len(certified), code, certified)
	default:
		d.Class, d.Reason = DifferenceIdentical, ""
	}
	return d
}

// originOf is the origin that the certificate states for an item. One that states none is about goods of the exporting country,
// unless it is back-to-back.
func (r *comparing) originOf(item *Item) string {
	origin := cmp.Or(item.OriginCountry, r.Certificate.OriginCountry)
	if origin == "" && !r.Certificate.Flags[FlagBackToBack] {
		return r.Certificate.ExportingCountry
	}
	return origin
}

func compareOrigin(declared, certified string) Difference {
	d := Difference{Field: "origin", Declared: declared, Certified: certified, Class: DifferenceIdentical}
	code := strings.ToUpper(strings.TrimSpace(declared))
	country, _ := Codes{}.Find(ListCountries, certified)
	if code != certified && (country.Alpha3 == "" || code != country.Alpha3) {
		d.Class, d.Reason, d.Text = DifferenceMaterial, ReasonOrigin, "another country of origin"
	}
	return d
}

// compareQuantity compares with the measure of the item that the declared one converts into: the quantity, or else a weight.
func (r *comparing) compareQuantity(line DeclaredLine, item *Item) {
	free, counted := r.freeOf(line.Item)
	for _, kind := range measureKinds {
		certified := kind.of(item)
		if certified == nil || BaseUnit(certified.Unit) != BaseUnit(line.Quantity.Unit) || certified.Value.Valid() != nil {
			continue
		}
		left := *certified
		if counted == kind.name {
			left = free
		}
		r.compareMeasure(line, measured{"quantity", *line.Quantity, *certified, left, inBaseUnit})
		return
	}
	stated := cmp.Or(item.Quantity, item.NetWeight, item.GrossWeight)
	if stated == nil {
		return
	}
	r.add(line, Difference{Field: "quantity", Declared: line.Quantity.text(), Certified: stated.text(), Class: DifferenceMaterial, Reason: ReasonGoods,
		Text: "no measure of the item can be compared with it"})
}

// freeOf is what is free of an item by the ledger, and which of its measures that counts.
func (r *comparing) freeOf(number int) (free Measure, counted string) {
	balance := r.Life.item(number)
	if balance == nil || balance.Declared.Value == "" {
		return Measure{}, ""
	}
	for _, kind := range measureKinds {
		if m := kind.of(r.items[number]); m != nil && m.Value.Valid() == nil && m.Value.Sign() > 0 {
			return balance.Free(), kind.name
		}
	}
	return Measure{}, ""
}

// measured is a measure of a line beside what was certified and what of that is free, and how it is counted.
type measured struct {
	field                     string
	declared, certified, free Measure
	counted                   func(*Measure) (value *big.Rat, unit string, ok bool)
}

// inItsUnit counts what does not convert: money and packages.
func inItsUnit(m *Measure) (value *big.Rat, unit string, ok bool) {
	return m.Value.rat(), m.Unit, m.Value.Valid() == nil && m.Value.Sign() >= 0
}

// compareMeasure compares what a line declares, with what lines before it declared, with what is free.
func (r *comparing) compareMeasure(line DeclaredLine, m measured) {
	d := Difference{Field: m.field, Declared: m.declared.text(), Certified: m.certified.text(), Class: DifferenceMaterial, Reason: ReasonGoods}
	defer func() { r.add(line, d) }()
	value, unit, ok := m.counted(&m.declared)
	most, certifiedUnit, comparable := m.counted(&m.certified)
	room, freeUnit, known := m.counted(&m.free)
	switch {
	case !ok || value.Sign() == 0:
		d.Text = "want a number above 0"
		return
	case !comparable || !known || unit != certifiedUnit || unit != freeUnit:
		d.Text = "the two cannot be compared: other units"
		return
	}
	key := taken{line.Item, m.field, unit}
	sum, together := value, ""
	if before := r.taken[key]; before != nil {
		sum = new(big.Rat).Add(before, value)
		together = fmt.Sprintf(", together with lines before it %s", inUnit(sum, unit))
	}
	r.taken[key] = sum
	switch {
	case sum.Cmp(most) > 0:
		d.Text = "more than was certified" + together
	case sum.Cmp(room) > 0:
		d.Reason, d.Text = ReasonExhausted, fmt.Sprintf("more than the %s that are free%s", m.free.text(), together)
	case m.declared.Unit != m.certified.Unit:
		d.Class, d.Reason, d.Text = DifferenceConvertible, "", fmt.Sprintf("that is %s, of %s", inUnit(value, unit), inUnit(most, unit))
	default:
		d.Class, d.Reason = DifferenceIdentical, ""
	}
}

// text is a measure as people read it.
func (m Measure) text() string { return strings.TrimSpace(string(m.Value) + " " + m.Unit) }

// inUnit writes a sum of a base unit.
func inUnit(r *big.Rat, unit string) string {
	return strings.TrimSpace(string(written(r)) + " " + unit)
}
