package eco_test

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/ecogate/ecogate/eco"
	"github.com/ecogate/ecogate/eco/ecotest"
)

// The work is linear in the items: what it takes for each stays the same.
func BenchmarkValidate(b *testing.B) {
	for _, items := range []int{3, 30, 300, 2000} {
		c := ecotest.Load(b, "atiga-form-d")
		sample := c.Items
		c.Items = nil
		for n := range items {
			item := sample[n%len(sample)]
			item.Number = n + 1
			c.Items = append(c.Items, item)
		}
		b.Run(fmt.Sprintf("%d items", items), func(b *testing.B) {
			for b.Loop() {
				cleaned, _ := eco.Clean(c)
				eco.Validate(cleaned, eco.DefaultForms(), eco.Quirks{}, ecotest.Now())
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(items), "ns/item")
		})
	}
}

// BenchmarkLedgerAtItsBounds reserves for one declaration more on a certificate that a thousand cite, with four items each.
func BenchmarkLedgerAtItsBounds(b *testing.B) {
	declared := []eco.ItemQuantity{}
	for n := range 4 {
		declared = append(declared, q(n+1, "1000000", "KGM"))
	}
	l := live(b, eco.SideImporting, happening(eco.EventReceive, func(e *eco.Event) { e.Declared = declared }), happening(eco.EventAdmit))
	for n := range eco.MaxDraws - 1 {
		d := eco.Draw{Document: fmt.Sprintf("26/CX/%08d", n), Until: hold}
		for item := range 4 {
			d.Items = append(d.Items, eco.DrawnItem{Item: item + 1, Reserved: kg("1.25")})
		}
		l.Draws, l.Declarations = append(l.Draws, d), append(l.Declarations, d.Document)
	}
	e := citing("D", q(1, "1", "KGM"), q(2, "1", "LBR"))
	for b.Loop() {
		if _, err := eco.Next(l, e); err != nil {
			b.Fatal(err)
		}
	}
	stored, err := json.Marshal(l)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(float64(len(stored)), "bytes/life")
}
