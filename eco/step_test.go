package eco_test

import (
	"testing"
	"time"

	"github.com/ecogate/ecogate/eco"
)

func TestLifeKeepsItsSteps(t *testing.T) {
	at := func(n int) time.Time { return time.Date(2026, 11, 1, 0, n, 0, 0, time.UTC) }
	life := eco.Life{Side: eco.SideImporting}
	happen := func(e eco.Event) {
		t.Helper()
		e.By = "test"
		next, err := eco.Next(life, e)
		if err != nil {
			t.Fatal(err)
		}
		life = next
	}
	happen(eco.Event{Kind: eco.EventReceive, At: at(0), Content: "c"})
	happen(eco.Event{Kind: eco.EventAdmit, At: at(1)})
	before := life
	happen(eco.Event{Kind: eco.EventCite, At: at(2), Reference: "D1"})
	happen(eco.Event{Kind: eco.EventCite, At: at(3), Reference: "D2"}) // no other state
	want := []eco.Step{{State: eco.StateReceived, At: at(0)}, {State: eco.StateAvailable, At: at(1)}, {State: eco.StateCited, At: at(2)}}
	if len(life.Steps) != len(want) {
		t.Fatalf("steps %+v, want %+v", life.Steps, want)
	}
	for i := range want {
		if life.Steps[i] != want[i] {
			t.Errorf("step %d: %+v, want %+v", i, life.Steps[i], want[i])
		}
	}
	if len(before.Steps) != 2 {
		t.Errorf("a life of before has %d steps", len(before.Steps))
	}
	happen(eco.Event{Kind: eco.EventWithdraw, At: at(4), Reference: "D2"})
	for n := range eco.MaxSteps {
		happen(eco.Event{Kind: eco.EventWithdraw, At: at(10 + n), Reference: "D1"})
		happen(eco.Event{Kind: eco.EventCite, At: at(11 + n), Reference: "D1"})
	}
	if len(life.Steps) != eco.MaxSteps || life.Steps[eco.MaxSteps-1] != (eco.Step{State: eco.StateCited, At: at(10 + eco.MaxSteps)}) {
		t.Errorf("%d steps, the last %+v", len(life.Steps), life.Steps[len(life.Steps)-1])
	}
}
