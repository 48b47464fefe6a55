package exchange_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/ecogate/ecogate/eco"
	"github.com/ecogate/ecogate/exchange"
	"github.com/ecogate/ecogate/internal/pair"
	"github.com/ecogate/ecogate/internal/pkitest"
)

// benchmarkBytes is about what a certificate with a page of goods takes on the wire.
const benchmarkBytes = 20_000

// large is the sample with as many items as its message takes to reach benchmarkBytes.
func large(w *world) eco.Certificate {
	c := sample(w)
	for w.certificateDraft(c).request(w).Body.Size() < benchmarkBytes {
		item := c.Items[0]
		item.Number = len(c.Items) + 1
		c.Items = append(c.Items, item)
	}
	return c
}

func numbered(c eco.Certificate, n int) eco.Certificate {
	c.Reference = fmt.Sprintf("001-26-%07d", n)
	return c
}

func BenchmarkReceive(b *testing.B) {
	w := newWorld(b, setup{pair: pair.Options{Algorithm: pkitest.RSA2048}})
	c := large(w)
	b.Run("without store", func(b *testing.B) {
		node, memory := w.TW.overSink(b, w)
		request := w.certificateDraft(c).request(w)
		b.SetBytes(request.Body.Size())
		for b.Loop() {
			node.Receive(context.Background(), request)
		}
		if memory.arrival.Message.State != exchange.StateAccepted {
			b.Fatalf("%+v", memory.arrival.Message.Reason)
		}
	})
	b.Run("stored", func(b *testing.B) {
		n := 0
		for b.Loop() {
			b.StopTimer()
			n++
			request := w.certificateDraft(numbered(c, n)).request(w)
			b.StartTimer()
			if reply := w.TW.Receive(context.Background(), request); reply.Status != 204 {
				b.Fatalf("answered %d", reply.Status)
			}
		}
	})
}

func BenchmarkSubmit(b *testing.B) {
	w := newWorld(b, setup{pair: pair.Options{Algorithm: pkitest.RSA2048}})
	c, n := large(w), 0
	for b.Loop() {
		n++
		w.submit(numbered(c, n))
	}
}
