package storetest

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/ecogate/ecogate/clearance"
	"github.com/ecogate/ecogate/eco"
	"github.com/ecogate/ecogate/exchange"
)

// shipment is an imported certificate about which everything is known that one is searched by.
func shipment(n int, importer eco.Party, change func(*exchange.Certificate)) exchange.Arrival {
	a := imports(fmt.Sprintf("m%d@th", n), "TH", fmt.Sprintf("R%d", n), fmt.Sprint("content ", n))
	c := a.Certificate
	c.Recorded = start.AddDate(0, 0, n)
	c.Data.IssuedAt = eco.DateOf(start.AddDate(0, 0, n-10))
	c.Data.Exporter = eco.Party{Name: "Hanguk Steel Co., Ltd.", Identifiers: []eco.Identifier{{Scheme: "TAX", Value: "123-45"}}}
	c.Data.Consignee = importer
	c.Data.Invoices = []eco.Invoice{{Number: fmt.Sprintf("INV-%d/26", n)}, {Number: fmt.Sprintf("INV-%d/26", n)}, {Number: "COMMON 1"}}
	c.Data.Documents = []eco.Document{{Type: "705", Number: fmt.Sprintf("BL %d", n)}, {Type: "271", Number: fmt.Sprintf("PACK %d", n)}}
	if change != nil {
		change(c)
	}
	return a
}

func (s *suite) found(q clearance.ImportedQuery) []string {
	s.Helper()
	list, err := s.Imported(s.Context(), q)
	if err != nil {
		s.Fatalf("Imported(%+v): %v", q, err)
	}
	var references []string
	for _, c := range list {
		references = append(references, c.Key.Reference)
	}
	return references
}

func importedByEveryField(s *suite) {
	acme := eco.Party{Name: "Acme Trading Sdn. Bhd.", Identifiers: []eco.Identifier{{Scheme: "TAX", Value: "1990-01"}}}
	bolts := eco.Party{Name: "Bolts & Nuts"}
	long := eco.Party{Name: strings.Repeat("Very Long Name ", 40)}
	s.accept(shipment(1, acme, func(c *exchange.Certificate) {
		marked, err := c.Data.MarkIssuedOnPaper(eco.PaperIssue{Number: "M-26/1", Reason: "outage"})
		if err != nil {
			s.Fatal(err)
		}
		c.Data = marked
	}))
	s.accept(shipment(2, bolts, func(c *exchange.Certificate) { c.Data.Importer = &acme }))
	s.accept(shipment(3, bolts, func(c *exchange.Certificate) { c.Data.Notify, c.Key.Form, c.Key.Country = &long, "AK", "TH" }))
	s.accept(shipment(4, long, func(c *exchange.Certificate) {
		c.Data.Exporter, c.Data.Invoices, c.Data.Documents, c.Data.IssuedAt = eco.Party{}, nil, nil, eco.Date{}
		c.State = exchange.CertificateSuspended
	}))
	s.enqueue(export("m5@kr", "R5", "d"))
	day := func(n int) eco.Date { return eco.DateOf(start.AddDate(0, 0, n-10)) }
	received := func(n int) time.Time { return start.AddDate(0, 0, n) }
	longName := long.Names()[0]
	for range 2 {
		for _, c := range []struct {
			query clearance.ImportedQuery
			want  string
		}{
			{clearance.ImportedQuery{}, "R4 R3 R2 R1"},
			{clearance.ImportedQuery{Invoice: "inv 2-26"}, "R2"},
			{clearance.ImportedQuery{Invoice: "common1"}, "R3 R2 R1"},
			{clearance.ImportedQuery{Invoice: "common1", Limit: 1}, "R3"},
			{clearance.ImportedQuery{Invoice: "common"}, ""},
			{clearance.ImportedQuery{Invoice: " - "}, ""},
			{clearance.ImportedQuery{Transport: "bl-3"}, "R3"},
			{clearance.ImportedQuery{Transport: "pack3"}, ""},
			{clearance.ImportedQuery{Paper: "m26 1"}, "R1"},
			{clearance.ImportedQuery{Paper: "m26 1", Invoice: "common1"}, "R1"},
			{clearance.ImportedQuery{Paper: "R1"}, ""},
			{clearance.ImportedQuery{Paper: "-"}, ""},
			{clearance.ImportedQuery{Exporter: "TAX:12345"}, "R3 R2 R1"},
			{clearance.ImportedQuery{Exporter: "NAME:HANGUK STEEL CO LTD"}, "R3 R2 R1"},
			{clearance.ImportedQuery{Exporter: "NAME:ACME TRADING SDN BHD"}, ""},
			{clearance.ImportedQuery{Importers: []eco.PartyName{"TAX:199001"}}, "R2 R1"},
			{clearance.ImportedQuery{Importers: []eco.PartyName{"NAME:ACME TRADING SDN BHD"}}, "R2 R1"},
			{clearance.ImportedQuery{Importers: []eco.PartyName{"NAME:BOLTS NUTS"}}, "R3 R2"},
			{clearance.ImportedQuery{Importers: []eco.PartyName{"TAX:1"}}, ""},
			{clearance.ImportedQuery{Importers: []eco.PartyName{longName}}, "R4 R3"},
			{clearance.ImportedQuery{Importers: []eco.PartyName{"TAX:199001", longName, "NAME:BOLTS NUTS", "TAX:199001", "TAX:1"}}, "R4 R3 R2 R1"},
			{clearance.ImportedQuery{Importers: []eco.PartyName{"TAX:199001", longName}, Limit: 3}, "R4 R3 R2"},
			{clearance.ImportedQuery{Importers: []eco.PartyName{"TAX:199001", longName}, Invoice: "COMMON1"}, "R3 R2 R1"},
			{clearance.ImportedQuery{Importers: []eco.PartyName{"TAX:199001"}, Reference: "R2"}, "R2"},
			{clearance.ImportedQuery{Importers: []eco.PartyName{"TAX:199001"}, Reference: "R3"}, ""},
			{clearance.ImportedQuery{IssuedFrom: day(2)}, "R3 R2"},
			{clearance.ImportedQuery{IssuedUntil: day(2)}, "R2 R1"},
			{clearance.ImportedQuery{IssuedFrom: day(2), IssuedUntil: day(2)}, "R2"},
			{clearance.ImportedQuery{IssuedFrom: day(2), Invoice: "COMMON 1"}, "R3 R2"},
			{clearance.ImportedQuery{IssuedUntil: day(2), Reference: "R4"}, ""},
			{clearance.ImportedQuery{ReceivedFrom: received(2)}, "R4 R3 R2"},
			{clearance.ImportedQuery{ReceivedFrom: received(2).Add(1)}, "R4 R3"},
			{clearance.ImportedQuery{ReceivedUntil: received(2)}, "R1"},
			{clearance.ImportedQuery{ReceivedFrom: received(1), ReceivedUntil: received(3), Exporter: "TAX:12345"}, "R2 R1"},
			{clearance.ImportedQuery{Form: "AK"}, "R3"},
			{clearance.ImportedQuery{Country: "TH"}, "R3"},
			{clearance.ImportedQuery{Country: "KR", Form: "ATIGA-D", Partner: "TH", Exporter: "TAX:12345"}, "R2 R1"},
			{clearance.ImportedQuery{Partner: "TW"}, ""},
			{clearance.ImportedQuery{State: eco.StateSuspended}, "R4"},
			{clearance.ImportedQuery{State: eco.StateAvailable}, "R3 R2 R1"},
			{clearance.ImportedQuery{State: eco.StateAvailable, Invoice: "inv-2/26"}, "R2"},
			{clearance.ImportedQuery{State: eco.StateSuspended, Reference: "R1"}, ""},
		} {
			same(s, fmt.Sprintf("%.300v", fmt.Sprintf("%+v", c.query)), strings.Join(s.found(c.query), " "), c.want)
		}
		s.reopen()
	}
	page := s.importedOne("R3").Seq
	same(s, "before R3", strings.Join(s.found(clearance.ImportedQuery{Importers: []eco.PartyName{"NAME:BOLTS NUTS", "TAX:199001"}, Before: page}), " "), "R2 R1")
	same(s, "issued, before R3", strings.Join(s.found(clearance.ImportedQuery{IssuedFrom: day(1), Before: page}), " "), "R2 R1")
}

func importedByStateFollowsMoves(s *suite) {
	s.accept(imports("m1@th", "TH", "R1", "a"), imports("m2@th", "TH", "R2", "b"))
	s.file(clearance.Batch{Moves: []clearance.Move{s.citing(s.importedOne("R1"), "D1")}})
	same(s, "cited", s.found(clearance.ImportedQuery{State: eco.StateCited}), []string{"R1"})
	same(s, "available", s.found(clearance.ImportedQuery{State: eco.StateAvailable}), []string{"R2"})
	s.accept(imports("m3@tw", "TW", "R2", "other"))
	conflict := s.found(clearance.ImportedQuery{State: eco.StateInConflict})
	slices.Sort(conflict)
	same(s, "in conflict", conflict, []string{"R2", "R2"})
	same(s, "available after the conflict", s.found(clearance.ImportedQuery{State: eco.StateAvailable}), nil)
	same(s, "of TW", s.found(clearance.ImportedQuery{Partner: "TW"}), []string{"R2"})
}
