package bolt_test

import (
	"testing"
	"time"

	"github.com/ecogate/ecogate/exchange"
	"github.com/ecogate/ecogate/store/bolt"
	"github.com/ecogate/ecogate/store/storetest"
)

var start = time.Date(2026, 11, 20, 9, 0, 0, 0, time.UTC)

func clock() time.Time { return start }

func TestContract(t *testing.T) {
	storetest.Run(t, func(t testing.TB, dir string) (exchange.Store, func() error) {
		s, err := bolt.Open(dir, bolt.Options{Now: clock})
		if err != nil {
			t.Fatal(err)
		}
		return s, func() error {
			if err := s.Check(t.Context()); err != nil {
				t.Errorf("Check before closing: %v", err)
			}
			return s.Close()
		}
	})
}
