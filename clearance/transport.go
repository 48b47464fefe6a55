package clearance

import (
	"slices"

	"github.com/ecogate/ecogate/eco"
)

// transportTypes are the document types that name a carriage: waybills, bills of lading, consignment notes and despatch notes of UN/EDIFACT
// code list 1001.
var transportTypes = []string{
	"700", "703", "704", "705", "706", "707", "708", "709", "710", "711", "712", "713", "714", "720", "730", "740", "741", "743", "750",
	"760", "761", "763", "764", "765", "766",
}

// TransportDocuments are the numbers of a certificate's bills of lading, waybills and the like, as printed.
func TransportDocuments(c eco.Certificate) []string {
	var numbers []string
	for _, d := range c.Documents {
		if slices.Contains(transportTypes, d.Type) && d.Number != "" {
			numbers = append(numbers, d.Number)
		}
	}
	return numbers
}
