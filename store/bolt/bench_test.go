package bolt_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ecogate/ecogate/eco"
	"github.com/ecogate/ecogate/exchange"
	"github.com/ecogate/ecogate/store/bolt"
)

// exported is a departure as large as a signed certificate: 20 KB on the wire, half of that the document.
func exported(i int64) exchange.Departure {
	d := departure(fmt.Sprintf("%d.bench@kr", i))
	d.Raw = strings.NewReader(strings.Repeat("r", 20_000) + d.Message.MessageID)
	data := eco.Certificate{Form: "AK", Reference: fmt.Sprintf("K%09d", i), IssuingCountry: "KR"}
	for n := range 5 {
		data.Items = append(data.Items, eco.Item{Number: n + 1, Description: "seamless pipes of stainless steel", HS: "730441"})
	}
	d.Certificate = &exchange.Certificate{
		Key: exchange.CertificateKey{Country: "KR", Form: "AK", Reference: data.Reference}, Content: "c", Recorded: start, Data: data,
	}
	return d
}

// BenchmarkDurable measures acknowledged, durable calls of one message each.
func BenchmarkDurable(b *testing.B) {
	enqueue := func(s *bolt.Store, i int64) error {
		_, err := s.Enqueue(context.Background(), []exchange.Departure{exported(i)})
		return err
	}
	accept := func(s *bolt.Store, i int64) error {
		d := exported(i)
		a := arrival(d.Message.MessageID)
		a.Raw, a.Certificate = d.Raw, d.Certificate
		reply := departure("ack-" + d.Message.MessageID)
		a.Reply, a.Held = &reply, true
		_, err := s.Accept(context.Background(), []exchange.Arrival{a})
		return err
	}
	for _, call := range []struct {
		name string
		do   func(s *bolt.Store, i int64) error
	}{{"enqueue", enqueue}, {"accept", accept}} {
		for _, writers := range []int{1, 8, 64} {
			b.Run(fmt.Sprintf("%s/writers=%d", call.name, writers), func(b *testing.B) {
				s := open(b, b.TempDir(), bolt.Options{})
				var taken atomic.Int64
				var group sync.WaitGroup
				b.ResetTimer()
				for range writers {
					group.Go(func() {
						for i := taken.Add(1); i <= int64(b.N); i = taken.Add(1) {
							if err := call.do(s, i); err != nil {
								b.Error(err)
								return
							}
						}
					})
				}
				group.Wait()
				b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "msg/s")
			})
		}
	}
}

func BenchmarkCertificateByReference(b *testing.B) {
	const records = 100_000
	s := open(b, b.TempDir(), bolt.Options{})
	for i := int64(0); i < records; i += 500 {
		var batch []exchange.Departure
		for n := range int64(500) {
			d := exported(i + n)
			d.Raw = nil
			batch = append(batch, d)
		}
		if _, err := s.Enqueue(b.Context(), batch); err != nil {
			b.Fatal(err)
		}
	}
	for i := int64(0); b.Loop(); i++ {
		reference := fmt.Sprintf("K%09d", i*7919%records)
		found, err := s.Certificates(b.Context(), exchange.CertificateQuery{Reference: reference})
		if err != nil || len(found) != 1 {
			b.Fatalf("%s: %d records, %v", reference, len(found), err)
		}
	}
}

// BenchmarkSigned reads a page of what one of ten credentials signed since the last hundredth of a store's time.
func BenchmarkSigned(b *testing.B) {
	const records, batch = 200_000, 500
	s := open(b, b.TempDir(), bolt.Options{})
	at := func(i int) time.Time { return start.Add(time.Duration(i) * time.Second) }
	for i := 0; i < records; i += batch {
		var arrivals []exchange.Arrival
		for n := i; n < i+batch; n++ {
			a := arrival(fmt.Sprintf("m%d@th", n))
			a.Message.Created, a.Message.Signer, a.Raw = at(n), fmt.Sprintf("signer %d", n%10), nil
			arrivals = append(arrivals, a)
		}
		if _, err := s.Accept(b.Context(), arrivals); err != nil {
			b.Fatal(err)
		}
	}
	for b.Loop() {
		found, err := s.Messages(b.Context(), exchange.MessageQuery{Signer: "signer 3", Since: at(records - records/100), Limit: 100})
		if err != nil || len(found) != 100 {
			b.Fatalf("%d records, %v", len(found), err)
		}
	}
}
