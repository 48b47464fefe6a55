package main

// currencyAmendments are codes of ISO 4217 that came or went after the list of 2018-08-29 that UBL 2.4 has. The dates of
// withdrawal are not repeated: a code that was withdrawn only warns.
var currencyAmendments = struct {
	date      string
	added     map[string]string
	withdrawn []string
}{
	date: "2026-01-01",
	added: map[string]string{
		"SLE": "SLE\t2\tLeone",
		"VED": "VED\t2\tBolívar Digital",
		"XCG": "XCG\t2\tCaribbean Guilder",
		"ZWG": "ZWG\t2\tZimbabwe Gold",
	},
	withdrawn: []string{"ANG", "BGN", "CUC", "HRK", "SLL", "ZWL"},
}
