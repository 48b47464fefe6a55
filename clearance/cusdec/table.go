package cusdec

import "slices"

// Reading is one row of what is read: from which segment, into which member of the declaration.
type Reading struct {
	// Sections are the parts of the message in which the row holds: "header", "item" (CST) and "line" (LIN).
	Sections []string
	// Group is the segment to whose group it belongs, "" for none.
	Group string
	Tag   string
	// Qualifiers are the codes that select it, the best first; empty for any. They stand in component Component of element Element.
	Qualifiers         []string
	Element, Component int
	// Into is the member that it fills, as in the JSON form of the declaration.
	Into string
}

// reading is a row with what does the work. read reports false if there is nothing to read after all.
type reading struct {
	Reading
	read func(b *builder, rank int) bool
}

// Readings are the rows in the order in which they are tried.
func Readings() []Reading {
	out := make([]Reading, len(readings))
	for i, r := range readings {
		out[i] = r.Reading
		out[i].Qualifiers = slices.Clone(r.Qualifiers)
	}
	return out
}

// fits reports whether a row is for the segment, and the rank of its qualifier.
func (r reading) fits(b *builder) (rank int, ok bool) {
	if r.Tag != b.seg.tag || r.Group != b.group || !slices.Contains(r.Sections, string(b.section)) {
		return 0, false
	}
	if len(r.Qualifiers) == 0 {
		return 0, true
	}
	rank = slices.Index(r.Qualifiers, b.seg.value(r.Element, r.Component))
	return rank, rank >= 0
}

// The codes of documents (1001) that are certificates of origin: certificate of origin, preference certificate of origin, certificate of
// origin form GSP, EUR 1. UNCL 1001.
var certificateCodes = []string{"861", "864", "865", "954"}

var (
	inHeader = []string{string(header)}
	inItem   = []string{string(item)}
	inLine   = []string{string(line)}
	inGoods  = []string{string(item), string(line)}
)

// readings is the table. The qualifiers are of the code lists 3227 (LOC), 2005 (DTM), 3035 (NAD), 1153 (RFF), 1001 (DOC), 6347 (CUX),
// 4451 (FTX), 6311 and 6313 (MEA), 6063 (QTY), 7143 (PIA), 5025 (MOA). docs/cusdec.md says the same in words; a test compares them.
var readings = []reading{
	row(inHeader, "", "BGM", 0, 0, nil, "number", readBGM),
	row(inHeader, "", "LOC", 1, 1, []string{"22", "41"}, "office", readOffice),
	row(inHeader, "", "DTM", 1, 1, []string{"148", "150", "137"}, "lodged", readLodged),
	row(inHeader, "", "NAD", 1, 1, []string{"IM", "CN"}, "importer", readImporter),
	row(inHeader, "", "NAD", 1, 1, []string{"DT", "CB", "AE", "AG"}, "agent", readAgent),
	row(inHeader, "NAD", "RFF", 1, 1, []string{"VA"}, "importer.identifiers, agent.identifiers", readIdentifier),
	row(inHeader, "MOA", "CUX", 1, 1, []string{"2"}, "lines.value.currency", readCurrency),
	row(inHeader, "", "DOC", 1, 1, []string{"430"}, "guarantee.number", readGuarantee),
	row(inHeader, "DOC", "DTM", 1, 1, []string{"36"}, "guarantee.until", readGuaranteeEnd),
	row(inHeader, "", "DOC", 1, 1, certificateCodes, "lines.citations.reference, lines.citations.form", readHeaderCertificate),
	row([]string{string(header), string(item), string(line)}, "DOC", "LOC", 1, 1, []string{"91"}, "lines.citations.country", readIssuingCountry),

	row(inItem, "", "CST", 0, 0, nil, "lines.number, lines.hs", readItem),
	row(inLine, "", "LIN", 0, 0, nil, "lines.number, lines.hs", readLine),
	row(inLine, "", "PIA", 0, 0, nil, "lines.hs", readProduct),
	row(inItem, "", "FTX", 1, 1, []string{"AAA"}, "lines.description", readGoodsText),
	row(inLine, "", "IMD", 0, 0, nil, "lines.description", readDescription),
	row(inGoods, "", "LOC", 1, 1, []string{"27"}, "lines.origin", readOrigin),
	row(inGoods, "", "MEA", 2, 1, grossWeights, "lines.gross_weight", readGrossWeight),
	row(inGoods, "", "MEA", 2, 1, netWeights, "lines.net_weight", readNetWeight),
	row(inGoods, "", "MEA", 1, 1, []string{"AAR", "AAF", "AAA", "AAE", "CT"}, "lines.quantity", readMeasuredQuantity),
	row(inGoods, "", "QTY", 1, 1, []string{"47", "12", "1", "46"}, "lines.quantity", readQuantity),
	row(inItem, "QVR", "QTY", 1, 1, []string{"47", "12", "1", "46"}, "lines.quantity", readQuantity),
	row(inGoods, "", "PAC", 0, 0, nil, "lines.packages", readPackages),
	row(inGoods, "", "MOA", 1, 1, []string{"63", "38", "66", "40"}, "lines.value", readValue),
	row(inItem, "", "RFF", 1, 1, []string{"HS", "ABD"}, "lines.hs", readTariffReference),
	row(inItem, "", "RFF", 0, 0, nil, "lines.citations.item", readItemReference),
	row(inGoods, "", "DOC", 1, 1, certificateCodes, "lines.citations.reference, lines.citations.form", readCertificate),
}

// row makes a row; e and c are the place of the qualifier.
func row(sections []string, group, tag string, e, c int, qualifiers []string, into string, read func(b *builder, rank int) bool) reading {
	return reading{Reading{Sections: sections, Group: group, Tag: tag, Element: e, Component: c, Qualifiers: qualifiers, Into: into}, read}
}
