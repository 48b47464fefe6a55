package paper

// frames are those of the printed forms, by the numbers of their boxes. A form that has words instead of ticks in its last box comes
// before one with ticks, whose numbers it has too.
var frames = []frame{
	// VK and KV: box 13 is text.
	thirteen(holdsRemarks),
	// D, E, AK and most forms of the agreements of ASEAN.
	thirteen(holdsTicks),
	// RCEP.
	{
		boxes: []box{
			{"1", left, top, 95, 24, holdsExporter},
			{"", middle, top, 95, 48, holdsTitle},
			{"2", left, top + 24, 95, 26.5, holdsConsignee},
			{"3", left, top + 50.5, 95, 17.5, holdsProducer},
			{"5", middle, top + 48, 95, 47, holdsOfficialUse},
			{"4", left, top + 68, 95, 27, holdsTransport},
			{"14", left, 189, 190, 19, holdsRemarks},
			{"15", left, 208, 95, 40, holdsDeclaration},
			{"16", middle, 208, 95, 40, holdsCertification},
			{"17", left, 248, 190, foot - 248, holdsTicks},
		},
		table: table{top + 95, 189 - top - 95, []column{
			{"6", 11, holdsItem}, {"7", 25, holdsMarks}, {"8", 52, holdsGoods}, {"9", 15, holdsHS}, {"10", 18, holdsCriterion},
			{"11", 15, holdsItemOrigin}, {"12", 30, holdsQuantity}, {"13", 24, holdsInvoices},
		}},
	},
	// GSP A: certification in box 11, declaration in box 12, the other way round than in the forms of ASEAN.
	{
		lateWords: "ISSUED RETROSPECTIVELY",
		boxes: []box{
			{"1", left, top, 95, 28, holdsExporter},
			{"", middle, top, 95, 56, holdsTitle},
			{"2", left, top + 28, 95, 28, holdsConsignee},
			{"3", left, top + 56, 95, 34, holdsTransport},
			{"4", middle, top + 56, 95, 34, holdsOfficialUse},
			{"11", left, 212, 95, foot - 212, holdsCertification},
			{"12", middle, 212, 95, foot - 212, holdsDeclaration},
		},
		table: table{top + 90, 212 - top - 90, []column{
			{"5", 11, holdsItem}, {"6", 30, holdsMarks}, {"7", 71, holdsGoods}, {"8", 20, holdsCriterion}, {"9", 32, holdsQuantity},
			{"10", 26, holdsInvoices},
		}},
	},
	// The non-preferential forms of chambers.
	{
		boxes: []box{
			{"1", left, top, 95, 30, holdsExporter},
			{"", middle, top, 95, 46, holdsTitle},
			{"2", left, top + 30, 95, 30, holdsConsignee},
			{"3", middle, top + 46, 95, 14, holdsOrigin},
			{"4", left, top + 60, 95, 38, holdsTransport},
			{"5", middle, top + 60, 95, 38, holdsRemarks},
			{"8", left, 212, 95, foot - 212, holdsDeclaration},
			{"9", middle, 212, 95, foot - 212, holdsCertification},
		},
		table: table{top + 98, 212 - top - 98, []column{
			{"6", 10, holdsItem}, {"6", 36, holdsMarks}, {"6", 94, holdsGoods}, {"7", 50, holdsQuantity},
		}},
	},
}

// plain is the frame of all other forms: every subject has a box, with the number that the form gives it.
var plain = frame{
	boxes: []box{
		{"", left, top, 95, 26, holdsExporter},
		{"", middle, top, 95, 46, holdsTitle},
		{"", left, top + 26, 95, 26.5, holdsConsignee},
		{"", middle, top + 46, 95, 12, holdsOrigin},
		{"", left, top + 52.5, 95, 36.5, holdsTransport},
		{"", middle, top + 58, 95, 31, holdsOfficialUse},
		{"", left, 189, 190, 19, holdsRemarks},
		{"", left, 208, 95, 40, holdsDeclaration},
		{"", middle, 208, 95, 40, holdsCertification},
		{"", left, 248, 190, foot - 248, holdsTicks},
	},
	table: table{top + 89, 189 - top - 89, []column{
		{"", 11, holdsItem}, {"", 25, holdsMarks}, {"", 52, holdsGoods}, {"", 15, holdsHS}, {"", 18, holdsCriterion},
		{"", 15, holdsItemOrigin}, {"", 30, holdsQuantity}, {"", 24, holdsInvoices},
	}},
}

// thirteen is the frame of thirteen boxes, of which the last holds ticks or text.
func thirteen(last content) frame {
	return frame{
		boxes: []box{
			{"1", left, top, 95, 27, holdsExporter},
			{"", middle, top, 95, 54, holdsTitle},
			{"2", left, top + 27, 95, 27, holdsConsignee},
			{"3", left, top + 54, 95, 34, holdsTransport},
			{"4", middle, top + 54, 95, 34, holdsOfficialUse},
			{"11", left, 200, 95, 46, holdsDeclaration},
			{"12", middle, 200, 95, 46, holdsCertification},
			{"13", left, 246, 190, foot - 246, last},
		},
		table: table{top + 88, 200 - top - 88, []column{
			{"5", 11, holdsItem}, {"6", 28, holdsMarks}, {"7", 73, holdsGoods}, {"8", 20, holdsCriterion}, {"9", 33, holdsQuantity},
			{"10", 25, holdsInvoices},
		}},
	}
}
