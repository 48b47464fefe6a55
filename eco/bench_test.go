package eco_test

import (
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
