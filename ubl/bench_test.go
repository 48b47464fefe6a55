package ubl_test

import (
	"fmt"
	"testing"

	"github.com/ecogate/ecogate/eco"
	"github.com/ecogate/ecogate/eco/ecotest"
	"github.com/ecogate/ecogate/ubl"
)

// sized is a certificate whose document has about the given size.
func sized(b *testing.B, octets int) (eco.Certificate, []byte) {
	b.Helper()
	c := ecotest.Load(b, "nonpreferential-kcci")
	item := c.Items[0]
	item.Number = 0
	// Without the rest a document of 5 KB holds one item.
	c.Items, c.Documents, c.Consignee.Address, c.Exporter.Address, c.Transport = nil, nil, eco.Address{}, eco.Address{}, eco.Transport{}
	for {
		item.Number++
		c.Items = append(c.Items, item)
		doc := marshal(b, c)
		if len(doc) >= octets {
			return c, doc
		}
	}
}

func BenchmarkMarshal(b *testing.B) {
	for _, octets := range []int{5 << 10, 20 << 10} {
		b.Run(fmt.Sprintf("%dKB", octets>>10), func(b *testing.B) {
			c, doc := sized(b, octets)
			b.SetBytes(int64(len(doc)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := ubl.Marshal(c, eco.DefaultForms()); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkUnmarshal(b *testing.B) {
	for _, octets := range []int{5 << 10, 20 << 10} {
		b.Run(fmt.Sprintf("%dKB", octets>>10), func(b *testing.B) {
			_, doc := sized(b, octets)
			b.SetBytes(int64(len(doc)))
			b.ReportAllocs()
			for b.Loop() {
				if _, _, err := ubl.Unmarshal(doc, eco.DefaultForms()); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// numbered is a certificate of n items.
func numbered(b *testing.B, n int) eco.Certificate {
	b.Helper()
	c := ecotest.Load(b, "atiga-form-d")
	items := make([]eco.Item, n)
	for i := range items {
		items[i] = c.Items[i%len(c.Items)]
		items[i].Number = i + 1
	}
	c.Items = items
	return c
}

// What an item costs must not depend on how many there are.
func BenchmarkReadItems(b *testing.B) {
	for _, n := range []int{100, 1000, 2000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			doc := marshal(b, numbered(b, n))
			b.SetBytes(int64(len(doc)))
			for b.Loop() {
				if _, err := ubl.Read(doc, eco.DefaultForms()); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n), "ns/item")
		})
	}
}

func BenchmarkMarshalItems(b *testing.B) {
	for _, n := range []int{100, 1000, 2000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			c := numbered(b, n)
			for b.Loop() {
				if _, err := ubl.Marshal(c, eco.DefaultForms()); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n), "ns/item")
		})
	}
}
