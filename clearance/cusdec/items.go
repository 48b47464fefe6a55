package cusdec

import (
	"fmt"
	"slices"
	"strings"

	"github.com/ecogate/ecogate/clearance"
	"github.com/ecogate/ecogate/eco"
)

// goods is a customs item or a line of a commercial document while it is read.
type goods struct {
	clearance.Line
	held map[string]int
	// segment is the number of its CST or LIN, text that segment.
	segment int
	text    string
	// citations are the certificates that it names, items what its RFF say of items of certificates, by the certificate's number.
	citations []*clearance.Citation
	items     map[string][]int
}

// readItem begins a customs item: CST with its number (1496) and customs codes (C246).
func readItem(b *builder, _ int) bool {
	g := b.begins(&b.items)
	b.spreadCodes()
	for e := 2; e <= 6; e++ {
		if b.seg.value(e, 1) != "" && tariffLists[b.seg.value(e, 2)] {
			b.hs(g, e, 1, 0)
			return true
		}
	}
	if code := b.seg.value(2, 1); b.seg.value(2, 2) == "" && code != "" && code[0] >= '0' && code[0] <= '9' {
		b.hs(g, 2, 1, 0)
	}
	return true
}

// spreadCodes puts the repetitions of C246, which syntax 4 allows, in the places where the other syntaxes have its five codes.
func (b *builder) spreadCodes() {
	if len(b.seg.elements) != 2 {
		return
	}
	codes := b.seg.elements[1]
	b.seg.elements = b.seg.elements[:1:1]
	for _, code := range codes {
		b.seg.elements = append(b.seg.elements, element{code})
	}
}

// tariffLists are the code lists (1131) that national guides name for tariff codes. Without any of them the first code is one if it begins
// with a digit.
var tariffLists = map[string]bool{"108": true, "122": true, "169": true}

// readLine begins a line of a commercial document: LIN with its number (1082) and perhaps a code of the Harmonized System (C212).
func readLine(b *builder, _ int) bool {
	g := b.begins(&b.lines)
	if b.seg.value(3, 2) == "HS" {
		b.hs(g, 3, 1, 0)
	}
	return true
}

// begins makes the goods that the segment begins. One without number gets the next.
func (b *builder) begins(list *[]*goods) *goods {
	g := &goods{held: make(map[string]int), items: make(map[string][]int), segment: b.message.Segments, text: printable(b.seg)}
	b.goods = g
	if g.Number = len(*list) + 1; b.seg.value(1, 1) != "" {
		if n, ok := b.count(1, 1, 1); ok {
			g.Number = n
		}
	}
	name := fmt.Sprint(b.seg.tag, g.Number)
	if b.seg.tag == "LIN" {
		name = fmt.Sprintf("%s of %d", name, b.invoices)
	}
	if b.numbers[name] {
		b.fault(CodeDuplicate, 1, 1, "each item's number once", fmt.Sprintf("%d again", g.Number))
	}
	b.numbers[name] = true
	if len(*list) >= b.reader.limits.Items {
		b.fault(CodeTooManyRepetitions, 0, 0, fmt.Sprintf("at most %d items", b.reader.limits.Items), "more")
		return g
	}
	*list = append(*list, g)
	return g
}

// hs takes a tariff code: its digits up to a check letter, without points and spaces.
func (b *builder) hs(g *goods, e, c, rank int) {
	if !choose(g.held, "hs", rank) {
		return
	}
	value := b.text(e, c, maxCode)
	digits := strings.TrimRight(strings.NewReplacer(".", "", " ", "").Replace(value), "ABCDEFGHIJKLMNOPQRSTUVWXYZ")
	if strings.Trim(digits, "0123456789") != "" || len(digits) < 6 || len(digits) > 14 {
		b.fault(CodeInvalidValue, e, c, "a tariff code of 6 to 14 digits", quoted(value))
		return
	}
	g.HS = digits
}

func readProduct(b *builder, _ int) bool {
	for e := 2; e <= 6; e++ {
		if b.seg.value(e, 2) == "HS" {
			b.hs(b.goods, e, 1, 1)
			return true
		}
	}
	return false
}

func readTariffReference(b *builder, rank int) bool {
	if b.goods.HS != "" {
		return false
	}
	b.hs(b.goods, 1, 2, 1+rank)
	return true
}

func readGoodsText(b *builder, _ int) bool { return b.describe(b.joined(4, 1)) }

// readDescription reads C273: the words stand from its fourth component on.
func readDescription(b *builder, _ int) bool { return b.describe(b.joined(3, 4)) }

// maxDescription bounds what all texts about one item come to.
const maxDescription = 4000

func (b *builder) describe(text string) bool {
	g := b.goods
	if text == "" || len(g.Description)+len(text) > maxDescription {
		return false
	}
	g.Description = strings.TrimSpace(g.Description + " " + text)
	return true
}

func readOrigin(b *builder, rank int) bool {
	if b.seg.value(2, 1) == "" || !choose(b.goods.held, "origin", rank) {
		return false
	}
	b.goods.Origin, _ = b.shaped(2, 1, countryShape, "a country of ISO 3166-1 alpha-2")
	return true
}

// The attributes (6313) of gross and net weights.
var (
	grossWeights = []string{"AAB", "G", "AAD"}
	netWeights   = []string{"AAA", "N", "AAL", "AAF", "AAC"}
)

func readGrossWeight(b *builder, rank int) bool {
	return b.measure(&b.goods.GrossWeight, "gross_weight", rank, 3, 2, 1)
}

func readNetWeight(b *builder, rank int) bool {
	return b.measure(&b.goods.NetWeight, "net_weight", rank, 3, 2, 1)
}

// readMeasuredQuantity leaves weights alone, also a further one that readGrossWeight or readNetWeight has passed over.
func readMeasuredQuantity(b *builder, rank int) bool {
	if attribute := b.seg.value(2, 1); slices.Contains(grossWeights, attribute) || slices.Contains(netWeights, attribute) {
		return false
	}
	return b.measure(&b.goods.Quantity, "quantity", rank, 3, 2, 1)
}

// rankOfQTY puts quantities of QTY after those of MEA, which is where a customs item has them.
const rankOfQTY = 10

func readQuantity(b *builder, rank int) bool {
	return b.measure(&b.goods.Quantity, "quantity", rankOfQTY+rank, 1, 2, 3)
}

// measure reads a figure and its unit from components of element e.
func (b *builder) measure(into **eco.Measure, member string, rank, e, figure, unit int) bool {
	if !choose(b.goods.held, member, rank) {
		return false
	}
	value, ok := b.positive(e, figure)
	code, shaped := b.shaped(e, unit, unitShape, "a unit of UN/ECE Recommendation 20")
	if ok && shaped {
		*into = &eco.Measure{Value: value, Unit: code}
	}
	return true
}

// readPackages adds up the packages of an item.
func readPackages(b *builder, _ int) bool {
	if b.seg.value(1, 1) == "" {
		return false
	}
	if n, ok := b.count(1, 1, 0); ok {
		b.goods.Packages += int64(n)
	}
	return true
}

// readValue reads an amount; one without currency is passed over if no currency is stated for the message.
func readValue(b *builder, rank int) bool {
	if b.seg.value(1, 3) == "" && b.currency == "" || !choose(b.goods.held, "value", rank) {
		return false
	}
	currency, shaped := b.currency, true
	if b.seg.value(1, 3) != "" {
		currency, shaped = b.shaped(1, 3, currencyShape, "a currency of ISO 4217")
	}
	if value, ok := b.decimal(1, 2); ok && shaped {
		b.goods.Value = &eco.Amount{Value: value, Currency: currency}
	}
	return true
}

// readItemReference keeps the item's number (1156) that an RFF states of a document; which document it is is known at the item's end.
func readItemReference(b *builder, _ int) bool {
	if b.seg.value(1, 3) == "" {
		return false
	}
	n, ok := b.count(1, 3, 1)
	if !ok {
		return true
	}
	number := eco.NormaliseReference(b.text(1, 2, maxReference))
	if items := b.goods.items[number]; len(items) < b.reader.limits.Citations && !slices.Contains(items, n) {
		b.goods.items[number] = append(items, n)
	}
	return true
}

func readCertificate(b *builder, _ int) bool {
	if c := b.readDocument(); c != nil && len(b.goods.citations) <= b.reader.limits.Citations {
		b.goods.citations = append(b.goods.citations, c)
	}
	return true
}

// finish gives the line with its citations. Certificates are those that the item names itself; else those of the header of which it names
// items; else the header's, if that names one only, since it then covers everything.
func (g *goods) finish(b *builder) clearance.Line {
	named := g.citations
	if len(named) == 0 {
		named = b.fromHeader(g)
	}
	for _, c := range named {
		items := g.items[eco.NormaliseReference(c.Reference)]
		if len(items) == 0 {
			items = []int{0}
		}
		for _, n := range items {
			if b.cited++; b.cited > b.reader.limits.Citations {
				if b.cited == b.reader.limits.Citations+1 {
					b.reader.keep(&b.message.Faults, Fault{Code: CodeTooManyRepetitions, Message: b.message.Reference, Segment: g.segment, Tag: g.text[:3],
						Expected: fmt.Sprintf("at most %d citations in a declaration", b.reader.limits.Citations), Found: "more"})
				}
				return g.Line
			}
			cited := *c
			cited.Item = n
			g.Citations = append(g.Citations, cited)
		}
	}
	return g.Line
}

// fromHeader are the certificates of the header that are for some goods, in their order there.
func (b *builder) fromHeader(g *goods) []*clearance.Citation {
	if len(b.certificates) == 1 {
		return b.certificates
	}
	var at []int
	for number := range g.items {
		at = append(at, b.places[number]...)
	}
	slices.Sort(at)
	named := make([]*clearance.Citation, len(at))
	for i, place := range at {
		named[i] = b.certificates[place]
	}
	return named
}
