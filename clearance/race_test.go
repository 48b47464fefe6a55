package clearance_test

import (
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/ecogate/ecogate/clearance"
	"github.com/ecogate/ecogate/eco"
)

// rush lodges n declarations of one item at the same moment, each for a quantity, and returns how many were taken and how many were told that the
// item is exhausted.
func rush(w *world, c eco.Certificate, n int, quantity eco.Measure) (taken, exhausted int) {
	w.Helper()
	var mu sync.Mutex
	var all sync.WaitGroup
	for i := range n {
		d := declaration(c, fmt.Sprintf("CX/26/%03d", i), 2)
		d.Lines[0].Quantity, d.Lines[0].GrossWeight, d.Lines[0].NetWeight, d.Lines[0].Packages = &quantity, nil, nil, 0
		all.Go(func() {
			_, _, err := w.Lodge(w.Context(), broker, d, nil)
			mu.Lock()
			defer mu.Unlock()
			var refused *clearance.RefusedError
			switch {
			case err == nil:
				taken++
			case errors.As(err, &refused) && len(refused.Findings) == 1 && refused.Findings[0].Code == eco.ReasonExhausted:
				exhausted++
			default:
				w.Errorf("declaration %s: %v%s", d.Number, err, listed(err))
			}
		})
	}
	all.Wait()
	return taken, exhausted
}

func TestRaceForTheLastQuantityHasOneWinner(t *testing.T) {
	w := newWorld(t)
	c := certificate(t, "D1")
	w.receive(c)
	taken, exhausted := rush(w, c, 50, eco.Measure{Value: "2400", Unit: "C62"})
	same(t, "taken", taken, 1)
	same(t, "exhausted", exhausted, 49)
	same(t, "free", w.free("D1", 2), "0 C62")
}

func TestRaceForPartsThatFitHasNoLoser(t *testing.T) {
	w := newWorld(t)
	c := certificate(t, "D1")
	w.receive(c)
	taken, exhausted := rush(w, c, 50, eco.Measure{Value: "4", Unit: "DZN"}) // 48 pieces each, 2400 in all
	same(t, "taken", taken, 50)
	same(t, "exhausted", exhausted, 0)
	same(t, "free", w.free("D1", 2), "0 C62")
	if _, _, err := w.Lodge(t.Context(), broker, declaration(c, "CX/26/051", 2), nil); listed(err) == "" {
		t.Errorf("one more: %v", err)
	}
	life := w.imported("D1").Life
	same(t, "declarations", len(life.Declarations), 50)
	same(t, "draws", len(life.Draws), 50)
}
