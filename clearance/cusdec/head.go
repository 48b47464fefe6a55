package cusdec

import (
	"fmt"
	"slices"

	"github.com/ecogate/ecogate/clearance"
	"github.com/ecogate/ecogate/eco"
)

// readBGM reads number, kind and function. 1004 is an element of its own in D.96B, and the first component of C106 later.
func readBGM(b *builder, _ int) bool {
	m := b.message
	if !choose(b.held, "number", 0) {
		b.fault(CodeTooManyRepetitions, 0, 0, "BGM once", "BGM again")
		return true
	}
	m.Document = b.text(1, 1, maxCode)
	m.Declaration.Number, _ = b.required(2, 1, maxReference, "the declaration's number")
	m.Function = b.text(3, 1, maxCode)
	if functions := []string{"", FunctionOriginal, FunctionReplace, FunctionCancel}; !slices.Contains(functions, m.Function) {
		b.fault(CodeValueNotSupported, 3, 1, "9 original, 5 replacement or 1 cancellation", quoted(m.Function))
	}
	return true
}

func readOffice(b *builder, rank int) bool {
	if !choose(b.held, "office", rank) {
		return false
	}
	b.message.Declaration.Office, _ = b.required(2, 1, maxCode, "the code of the customs office")
	return true
}

func readLodged(b *builder, rank int) bool {
	if !choose(b.held, "lodged", rank) {
		return false
	}
	b.message.Declaration.Lodged, _ = b.date(1)
	return true
}

func readImporter(b *builder, rank int) bool {
	if !choose(b.held, "importer", rank) {
		return false
	}
	b.message.Declaration.Importer = b.readParty()
	b.party = &b.message.Declaration.Importer
	return true
}

func readAgent(b *builder, rank int) bool {
	if !choose(b.held, "agent", rank) {
		return false
	}
	agent := b.readParty()
	b.message.Declaration.Agent, b.party = &agent, &agent
	return true
}

// schemeTax is the scheme of identifiers of which a message does not say another.
const schemeTax = "TAX"

// notSchemes are values of 1131 that say nothing of a scheme.
var notSchemes = []string{"", "ZZZ"}

// readParty reads NAD: identification (C082), name and address in lines (C058), or name (C080), street (C059), city and country.
func (b *builder) readParty() eco.Party {
	p := eco.Party{Name: b.joined(4, 1)}
	if id := b.text(2, 1, maxReference); id != "" {
		scheme := b.text(2, 2, maxCode)
		if slices.Contains(notSchemes, scheme) || scheme[0] >= '0' && scheme[0] <= '9' { // a number is a list of the directory
			scheme = schemeTax
		}
		p.Identifiers = []eco.Identifier{{Scheme: scheme, Value: id}}
	}
	for _, e := range []int{3, 5} {
		if e > len(b.seg.elements) {
			break
		}
		for c := range b.seg.elements[e-1][0] {
			switch text := b.text(e, c+1, maxText); {
			case text == "":
			case e == 3 && p.Name == "":
				p.Name = text
			default:
				p.Address.Lines = append(p.Address.Lines, text)
			}
		}
	}
	p.Address.City = b.text(6, 1, maxText)
	if b.seg.value(9, 1) != "" {
		p.Address.Country, _ = b.shaped(9, 1, countryShape, "a country of ISO 3166-1 alpha-2")
	}
	if p.Name == "" && p.Identifiers == nil {
		b.fault(CodeMissing, 2, 0, "an identification or a name", "neither")
	}
	return p
}

// readIdentifier adds a number to the party of the NAD before it.
func readIdentifier(b *builder, _ int) bool {
	if b.party == nil {
		return false
	}
	if value, ok := b.required(1, 2, maxReference, "the registration number"); ok {
		b.party.Identifiers = append(b.party.Identifiers, eco.Identifier{Scheme: "VAT", Value: value})
	}
	return true
}

func readCurrency(b *builder, _ int) bool {
	if b.currency != "" {
		return false
	}
	b.currency, _ = b.shaped(1, 2, currencyShape, "a currency of ISO 4217")
	return true
}

func readGuarantee(b *builder, rank int) bool {
	if !choose(b.held, "guarantee", rank) {
		return false
	}
	number, _ := b.required(2, 1, maxReference, "the number of the guarantee")
	b.guarantee = &clearance.Guarantee{Number: number}
	b.message.Declaration.Guarantee = b.guarantee
	return true
}

func readGuaranteeEnd(b *builder, _ int) bool {
	if b.guarantee == nil {
		return false
	}
	b.guarantee.Until, _ = b.date(1)
	return true
}

func readHeaderCertificate(b *builder, _ int) bool {
	c := b.readDocument()
	switch {
	case c == nil:
	case len(b.certificates) >= b.reader.limits.Citations:
		b.fault(CodeTooManyRepetitions, 0, 0, fmt.Sprintf("at most %d certificates", b.reader.limits.Citations), "more")
	default:
		number := eco.NormaliseReference(c.Reference)
		b.places[number] = append(b.places[number], len(b.certificates))
		b.certificates = append(b.certificates, c)
		b.headers = append(b.headers, Skipped{Segment: b.message.Segments, Text: printable(b.seg)})
	}
	return true
}

// readDocument reads DOC as a certificate; nil with a fault if it names none. The document's name (1000) may be the code of a form that
// this program brings along; other words there say nothing about the form.
func (b *builder) readDocument() *clearance.Citation {
	reference, ok := b.required(2, 1, maxReference, "the certificate's number")
	if !ok {
		return nil
	}
	b.document = &clearance.Citation{Reference: reference}
	if form, known := eco.DefaultForms().ByCode(eco.FormCode(b.text(1, 4, maxText))); known {
		b.document.Form = form.Code
	}
	return b.document
}

func readIssuingCountry(b *builder, _ int) bool {
	if b.document == nil {
		return false
	}
	b.document.Country, _ = b.shaped(2, 1, countryShape, "the issuing country, ISO 3166-1 alpha-2")
	return true
}
