package lookup

import (
	"cmp"
	"time"

	"github.com/ecogate/ecogate/clearance"
	"github.com/ecogate/ecogate/eco"
	"github.com/ecogate/ecogate/partners"
)

// Filing says in which form a certificate counts at customs.
type Filing string

// The forms.
const (
	FilingNetworked Filing = "networked" // this record is the certificate; no paper is presented
	FilingParallel  Filing = "parallel"  // the paper beside this record decides
	FilingPaper     Filing = "paper"     // only the paper counts
)

// FilingMode is how certificates of a partner are filed.
type FilingMode struct {
	Filing Filing `json:"filing"`
	// Fallback: the exchange with the partner is interrupted now, so that a certificate that has not arrived may be presented on paper, and is
	// matched when it arrives.
	Fallback bool `json:"fallback,omitempty"`
}

// FilingOf is how what came from a partner in a mode is filed; interrupted says that the exchange with it is, now.
func FilingOf(mode partners.Mode, interrupted bool) FilingMode {
	switch mode {
	case partners.ModeTest:
		return FilingMode{Filing: FilingPaper}
	case partners.ModeParallel:
		return FilingMode{Filing: FilingParallel, Fallback: interrupted}
	}
	return FilingMode{Filing: FilingNetworked, Fallback: interrupted}
}

// Verdict is what a received certificate is worth on a day.
type Verdict struct {
	// Arrived is true: what has not arrived has no verdict. At is when.
	Arrived bool      `json:"arrived"`
	At      time.Time `json:"arrived_at"`
	State   eco.State `json:"state"`
	// Usable: a declaration may cite it on the day. WhyNot says why not.
	Usable   bool     `json:"usable"`
	WhyNot   string   `json:"why_not,omitempty"`
	Validity Validity `json:"validity"`
	// Cancelled: the issuing side cancelled it. ReplacedBy took its place, Replaces is in whose place it came.
	Cancelled  bool           `json:"cancelled,omitempty"`
	ReplacedBy *clearance.Key `json:"replaced_by,omitempty"`
	Replaces   *clearance.Key `json:"replaces,omitempty"`
	Filing     FilingMode     `json:"filing"`
	Balances   []Balance      `json:"balances,omitempty"`
	// Chain are the states that it went through, the first at its arrival; the last is State.
	Chain []Step `json:"chain"`
}

// Validity is whether a certificate may be presented on a day.
type Validity struct {
	On    eco.Date `json:"on"`
	Valid bool     `json:"valid"`
	// From is the day of issue, Until the last day; zero where neither the certificate nor its form sets an end.
	From  eco.Date `json:"from,omitzero"`
	Until eco.Date `json:"until,omitzero"`
}

// Balance is what is left of an item. Quantities that are not known, and those that are nothing, are absent.
type Balance struct {
	Item     int          `json:"item"`
	Declared *eco.Measure `json:"declared,omitempty"`
	Reserved *eco.Measure `json:"reserved,omitempty"`
	Used     *eco.Measure `json:"used,omitempty"`
	Free     *eco.Measure `json:"free,omitempty"`
	// Denied: customs denied the preference for this item.
	Denied bool `json:"denied,omitempty"`
}

// Step is a state of a certificate and when it came to it; a zero At is not known.
type Step struct {
	State eco.State `json:"state"`
	At    time.Time `json:"at,omitzero"`
}

// Judge says what a certificate is worth on a day. Form is that of the certificate; a form that is not known sets no end of validity.
func Judge(c clearance.Imported, form eco.Form, filing FilingMode, day eco.Date) Verdict {
	v := Verdict{
		Arrived: true, At: c.Recorded.UTC(), State: c.State, Validity: validity(c, form, day), Filing: filing,
		Cancelled: c.State == eco.StateCancelled, ReplacedBy: c.Successor, Replaces: c.Predecessor,
		Balances: balances(c), Chain: chain(c),
	}
	v.WhyNot = whyNot(c, v)
	v.Usable = v.WhyNot == ""
	return v
}

func validity(c clearance.Imported, form eco.Form, day eco.Date) Validity {
	v := Validity{On: day, From: c.Data.IssuedAt, Until: c.Life.ValidUntil}
	if v.Until.IsZero() && form.ValidityMonths > 0 && !c.Data.IssuedAt.IsZero() {
		v.Until = c.Data.IssuedAt.AddMonths(form.ValidityMonths)
	}
	v.Valid = !day.Before(v.From) && (v.Until.IsZero() || !day.After(v.Until))
	return v
}

// whyNot says why a declaration may not cite a certificate; "" if it may.
func whyNot(c clearance.Imported, v Verdict) string {
	switch {
	case c.Key.Test || v.Filing.Filing == FilingPaper:
		return "exchanged as a test: only the paper counts"
	case c.State != eco.StateAvailable && c.State != eco.StateCited && c.State != eco.StateUsedInPart:
		return "certificate is " + string(c.State)
	case v.Validity.Valid:
		return ""
	case v.Validity.On.Before(v.Validity.From):
		return "not issued before " + v.Validity.From.String()
	}
	return "valid until " + v.Validity.Until.String()
}

// balances are those of the life or, before anything was counted, of the certificate's items.
func balances(c clearance.Imported) []Balance {
	var list []Balance
	for _, b := range c.Life.Items {
		list = append(list, balance(b))
	}
	if list != nil {
		return list
	}
	for _, item := range c.Data.Items {
		b := eco.Balance{Item: item.Number}
		if q := cmp.Or(item.Quantity, item.NetWeight, item.GrossWeight); q != nil {
			b.Declared = *q
		}
		list = append(list, balance(b))
	}
	return list
}

func balance(b eco.Balance) Balance {
	return Balance{Item: b.Item, Declared: known(b.Declared), Reserved: known(b.Reserved), Used: known(b.Used), Free: known(b.Free()), Denied: b.Denied}
}

func known(m eco.Measure) *eco.Measure {
	if m.Value == "" {
		return nil
	}
	return &m
}

// chain begins with the arrival and ends with the present state, without detours that took no time: a decision gives up what a declaration
// holds and takes it anew. What moves the record alone, such as a conflict, leaves no instant.
func chain(c clearance.Imported) []Step {
	steps := []Step{{State: eco.StateReceived, At: c.Recorded.UTC()}}
	add := func(state eco.State, at time.Time) {
		for i := len(steps) - 1; i > 0 && steps[i].At.Equal(at); i-- {
			if steps[i-1].State == state {
				steps = steps[:i]
				return
			}
		}
		if last := steps[len(steps)-1]; last.State != state {
			steps = append(steps, Step{State: state, At: at})
		}
	}
	for _, step := range c.Life.Steps {
		add(step.State, step.At.UTC())
	}
	at := time.Time{}
	if len(c.Life.Steps) == 0 && c.State == eco.StateAvailable {
		at = c.Recorded.UTC()
	}
	add(c.State, at)
	return steps
}
