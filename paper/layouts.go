package paper

import "github.com/ecogate/ecogate/eco"

// frames are the forms with a frame of their own.
//
// The thirteen boxes of the ASEAN family (D, E, AK, VK) are in one order. Confirmed for AK by Singapore's Customs (Rules of Origin
// orders), for D by the ATIGA Operational Certification Procedure; D, E and VK differ in box 13 and in when box 9 states the FOB value.
var frames = []frame{
	thirteen([]eco.FormCode{eco.FormATIGA, "ACFTA-E", "AKFTA-AK"}, nil,
		eco.FlagThirdCountryInvoicing, eco.FlagExhibition, eco.FlagBackToBack, eco.FlagIssuedRetroactively),
	// Box 13 of VK is text for non-party invoicing; so is that of KV, its twin.
	thirteen([]eco.FormCode{"VKFTA-VK", "VKFTA-KV"}, map[eco.Flag]string{eco.FlagThirdCountryInvoicing: "NON-PARTY INVOICING"},
		eco.FlagThirdCountryInvoicing),
	{
		forms:       []eco.FormCode{"RCEP"},
		retroactive: holdsCertification, retroactiveWords: issuedRetroactively,
		ticks: []eco.Flag{eco.FlagBackToBack, eco.FlagThirdCountryInvoicing, eco.FlagIssuedRetroactively},
		boxes: []box{
			{"1", "Exporter: name, address, country", true, left, top, 95, 24, holdsExporter},
			{"", "", true, middle, top, 95, 48, holdsTitle},
			{"2", "Importer or consignee: name, address, country", true, left, top + 24, 95, 26.5, holdsConsignee},
			{"3", "Producer: name, address, country", true, left, top + 50.5, 95, 17.5, holdsProducer},
			{"5", "For official use", true, middle, top + 48, 95, 47, holdsOfficialUse},
			{"4", "Means of transport and route", true, left, top + 68, 95, 27, holdsTransport},
			{"14", "Remarks", true, left, 189, 190, 19, holdsRemarks},
			{"15", "Declaration by the exporter or producer", true, left, 208, 95, 40, holdsDeclaration},
			{"16", "Certification", true, middle, 208, 95, 40, holdsCertification},
			{"17", "Indicators", true, left, 248, 190, foot - 248, holdsTicks},
		},
		table: table{top + 95, 189 - top - 95, []column{
			{"6", "Item no.", true, 9, holdsItem},
			{"7", "Marks and numbers on packages", true, 25, holdsMarks},
			{"8", "Number and kind of packages; description of goods", true, 54, holdsGoods},
			{"9", "HS code (6 digits)", true, 15, holdsHS},
			{"10", "Origin criterion", true, 18, holdsCriterion},
			{"11", "RCEP country of origin", true, 15, holdsItemOrigin},
			{"12", "Gross weight or other quantity; FOB with RVC", true, 30, holdsQuantity},
			{"13", "Invoice no. and date", true, 24, holdsInvoices},
		}},
	},
	{
		// The declaration stands in box 12 and the certification in box 11, the other way round than in the ASEAN family.
		forms:       []eco.FormCode{eco.FormLaoGSP},
		retroactive: holdsOfficialUse, retroactiveWords: "ISSUED RETROSPECTIVELY",
		boxes: []box{
			{"1", "Goods consigned from: exporter's name, address, country", true, left, top, 95, 28, holdsExporter},
			{"", "", true, middle, top, 95, 56, holdsTitle},
			{"2", "Goods consigned to: consignee's name, address, country", true, left, top + 28, 95, 28, holdsConsignee},
			{"3", "Means of transport and route", true, left, top + 56, 95, 34, holdsTransport},
			{"4", "For official use", true, middle, top + 56, 95, 34, holdsOfficialUse},
			{"11", "Certification", true, left, 212, 95, foot - 212, holdsCertification},
			{"12", "Declaration by the exporter", true, middle, 212, 95, foot - 212, holdsDeclaration},
		},
		table: table{top + 90, 212 - top - 90, []column{
			{"5", "Item no.", true, 10, holdsItem},
			{"6", "Marks and numbers on packages", true, 30, holdsMarks},
			{"7", "Number and kind of packages; description of goods", true, 72, holdsGoods},
			{"8", "Origin criterion", true, 20, holdsCriterion},
			{"9", "Gross weight or other quantity", true, 32, holdsQuantity},
			{"10", "Invoice no. and date", true, 26, holdsInvoices},
		}},
	},
	{
		// ICC's frame as chambers use it; the numbers are not confirmed.
		forms:       []eco.FormCode{eco.FormNonPreferential},
		retroactive: holdsRemarks, retroactiveWords: issuedRetroactively,
		boxes: []box{
			{"1", "Exporter: name, address, country", false, left, top, 95, 30, holdsExporter},
			{"", "", false, middle, top, 95, 46, holdsTitle},
			{"2", "Consignee: name, address, country", false, left, top + 30, 95, 30, holdsConsignee},
			{"3", "Country of origin", false, middle, top + 46, 95, 14, holdsOrigin},
			{"4", "Transport details", false, left, top + 60, 95, 38, holdsTransport},
			{"5", "Remarks", false, middle, top + 60, 95, 38, holdsRemarks},
			{"8", "Declaration by the exporter", false, left, 212, 95, foot - 212, holdsDeclaration},
			{"9", "Certification", false, middle, 212, 95, foot - 212, holdsCertification},
		},
		table: table{top + 98, 212 - top - 98, []column{
			{"6", "Item number; marks and numbers; number and kind of packages; description of goods", false, 10, holdsItem},
			{"", "", false, 36, holdsMarks},
			{"", "", false, 94, holdsGoods},
			{"7", "Quantity or weight", false, 50, holdsQuantity},
		}},
	},
}

// plain is the frame of forms without one of their own: every subject has a box, and boxes have no numbers.
var plain = frame{
	retroactive: holdsCertification, retroactiveWords: issuedRetroactively,
	boxes: []box{
		{"", "Exporter: name, address, country", false, left, top, 95, 26, holdsExporter},
		{"", "", false, middle, top, 95, 46, holdsTitle},
		{"", "Consignee: name, address, country", false, left, top + 26, 95, 26.5, holdsConsignee},
		{"", "Country of origin", false, middle, top + 46, 95, 12, holdsOrigin},
		{"", "Means of transport and route", false, left, top + 52.5, 95, 36.5, holdsTransport},
		{"", "For official use", false, middle, top + 58, 95, 31, holdsOfficialUse},
		{"", "Remarks", false, left, 189, 190, 19, holdsRemarks},
		{"", "Declaration by the exporter", false, left, 208, 95, 40, holdsDeclaration},
		{"", "Certification", false, middle, 208, 95, 40, holdsCertification},
		{"", "Indicators", false, left, 248, 190, foot - 248, holdsTicks},
	},
	table: table{top + 89, 189 - top - 89, []column{
		{"", "Item no.", false, 9, holdsItem},
		{"", "Marks and numbers on packages", false, 25, holdsMarks},
		{"", "Number and kind of packages; description of goods", false, 54, holdsGoods},
		{"", "HS code", false, 15, holdsHS},
		{"", "Origin criterion", false, 18, holdsCriterion},
		{"", "Country of origin", false, 15, holdsItemOrigin},
		{"", "Gross weight or other quantity; value", false, 30, holdsQuantity},
		{"", "Invoice no. and date", false, 24, holdsInvoices},
	}},
}

const issuedRetroactively = "ISSUED RETROACTIVELY"

// thirteen is the frame of thirteen boxes.
func thirteen(forms []eco.FormCode, words map[eco.Flag]string, ticks ...eco.Flag) frame {
	return frame{
		forms: forms, words: words, ticks: ticks,
		retroactive: holdsCertification, retroactiveWords: issuedRetroactively,
		boxes: []box{
			{"1", "Goods consigned from: exporter's name, address, country", true, left, top, 95, 27, holdsExporter},
			{"", "", true, middle, top, 95, 54, holdsTitle},
			{"2", "Goods consigned to: consignee's name, address, country", true, left, top + 27, 95, 27, holdsConsignee},
			{"3", "Means of transport and route", true, left, top + 54, 95, 34, holdsTransport},
			{"4", "For official use", true, middle, top + 54, 95, 34, holdsOfficialUse},
			{"11", "Declaration by the exporter", true, left, 200, 95, 46, holdsDeclaration},
			{"12", "Certification", true, middle, 200, 95, 46, holdsCertification},
			{"13", "Indicators", true, left, 246, 190, foot - 246, holdsTicks},
		},
		table: table{top + 88, 200 - top - 88, []column{
			{"5", "Item no.", true, 10, holdsItem},
			{"6", "Marks and numbers on packages", true, 28, holdsMarks},
			{"7", "Number and type of packages; description of goods (with HS number)", true, 74, holdsGoods},
			{"8", "Origin criterion", true, 20, holdsCriterion},
			{"9", "Gross weight or other quantity, and value (FOB)", true, 33, holdsQuantity},
			{"10", "Invoice no. and date", true, 25, holdsInvoices},
		}},
	}
}
