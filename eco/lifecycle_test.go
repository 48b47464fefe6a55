package eco_test

import (
	"errors"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/ecogate/ecogate/eco"
)

var update = flag.Bool("update", false, "write testdata/lifecycle.txt anew")

var (
	noon     = time.Date(2026, time.November, 20, 12, 0, 0, 0, time.UTC)
	lastDay  = eco.Date{Year: 2027, Month: time.November, Day: 16}
	after    = time.Date(2027, time.November, 17, 0, 0, 0, 0, time.UTC)
	becauses = []eco.Reason{{Code: eco.ReasonGoods, Text: "OTHER GOODS"}}
)

// happening is an event of that kind with all that it may need: 1 of 10 kg of item 1 is used, message m1 and declaration D1
// are known ones.
func happening(kind eco.EventKind, change ...func(*eco.Event)) eco.Event {
	e := eco.Event{Kind: kind, At: noon, By: "tester"}
	switch kind {
	case eco.EventIssue, eco.EventReceive:
		e.Content, e.ValidUntil = "first", lastDay
		e.Declared = []eco.ItemQuantity{{Item: 1, Quantity: kg("10")}, {Item: 2, Quantity: eco.Measure{Value: "5", Unit: "DZN"}}}
	case eco.EventRelease, eco.EventSend, eco.EventReceipt, eco.EventFail, eco.EventAccept, eco.EventResend:
		e.Message = "m1"
	case eco.EventReject:
		e.Message, e.Reasons = "m1", becauses
	case eco.EventRefuse, eco.EventDeny:
		e.Reasons = becauses
	case eco.EventCite, eco.EventWithdraw, eco.EventLapse:
		e.Reference = "D1"
	case eco.EventDraw, eco.EventReturn:
		e.Reference, e.Items = "B1", []eco.ItemQuantity{{Item: 1, Quantity: kg("1")}}
	case eco.EventUse:
		e.Reference, e.Items = "D1", []eco.ItemQuantity{{Item: 1, Quantity: kg("1")}}
	case eco.EventVerify:
		e.Reference, e.Reasons = "V1", becauses
	case eco.EventReply, eco.EventClose:
		e.Reference = "V1"
	case eco.EventReplace:
		e.Reference = "R2"
	case eco.EventExpire:
		e.At = after
	}
	for _, c := range change {
		c(&e)
	}
	return e
}

func kg(value eco.Decimal) eco.Measure { return eco.Measure{Value: value, Unit: "KGM"} }

func exhausting(e *eco.Event)                      { e.Items, e.Exhausts = nil, true }
func override(e *eco.Event)                        { e.Override = "FORCE MAJEURE" }
func content(c string) func(*eco.Event)            { return func(e *eco.Event) { e.Content = c } }
func message(id string) func(*eco.Event)           { return func(e *eco.Event) { e.Message = id } }
func reference(r string) func(*eco.Event)          { return func(e *eco.Event) { e.Reference = r } }
func at(t time.Time) func(*eco.Event)              { return func(e *eco.Event) { e.At = t } }
func items(q ...eco.ItemQuantity) func(*eco.Event) { return func(e *eco.Event) { e.Items = q } }

// live is the life after events that must all be legal.
func live(t testing.TB, side eco.Side, events ...eco.Event) eco.Life {
	t.Helper()
	l := eco.Life{Side: side}
	for _, e := range events {
		next, err := eco.Next(l, e)
		if err != nil {
			t.Fatal(err)
		}
		l = next
	}
	return l
}

// arrivals gives for each state of a side the events that lead there.
func arrivals(side eco.Side) map[eco.State][]eco.Event {
	begun := []eco.Event{happening(eco.EventIssue), happening(eco.EventRelease)}
	usable := append(slices.Clip(begun), happening(eco.EventAccept))
	usableTo := usable
	if side == eco.SideImporting {
		begun = []eco.Event{happening(eco.EventReceive)}
		usable = append(slices.Clip(begun), happening(eco.EventAdmit))
		usableTo = append(slices.Clip(usable), happening(eco.EventCite))
	}
	then := func(events []eco.Event, kinds ...eco.EventKind) []eco.Event {
		events = slices.Clone(events)
		for _, kind := range kinds {
			events = append(events, happening(kind))
		}
		return events
	}
	to := map[eco.State][]eco.Event{
		eco.StateNone:       nil,
		eco.StateUsedInPart: then(usableTo, eco.EventUse),
		eco.StateUsedUp:     append(slices.Clip(usableTo), happening(eco.EventUse, exhausting)),
		eco.StateDenied:     then(usable, eco.EventDeny),
		eco.StateCancelled:  then(usable, eco.EventCancel),
		eco.StateReplaced:   then(usable, eco.EventReplace),
		eco.StateExpired:    then(usable, eco.EventExpire),
	}
	if side == eco.SideExporting {
		to[eco.StateIssued] = then(nil, eco.EventIssue)
		to[eco.StateReleased] = begun
		to[eco.StateSent] = then(begun, eco.EventSend)
		to[eco.StateReceipted] = then(begun, eco.EventReceipt)
		to[eco.StateFailed] = then(begun, eco.EventFail)
		to[eco.StateAccepted] = usable
		to[eco.StateRejected] = then(begun, eco.EventReject)
		return to
	}
	to[eco.StateReceived] = begun
	to[eco.StateRefused] = then(begun, eco.EventRefuse)
	to[eco.StateAvailable] = usable
	to[eco.StateCited] = usableTo
	to[eco.StateSuspended] = then(usable, eco.EventVerify)
	to[eco.StateInConflict] = append(slices.Clip(usable), happening(eco.EventReceive, content("other")))
	return to
}

// testdata/lifecycle.txt says for each side and state which state follows each event, and which events are refused, by reason
// code. The file is read by people: a change of it is a change of the rules.
func TestEveryEventInEveryState(t *testing.T) {
	var b strings.Builder
	for _, side := range []eco.Side{eco.SideExporting, eco.SideImporting} {
		to := arrivals(side)
		for _, state := range append([]eco.State{eco.StateNone}, eco.States(side)...) {
			events, ok := to[state]
			if !ok {
				t.Fatalf("%s side: no way to state %q", side, state)
			}
			l := live(t, side, events...)
			if l.State != state {
				t.Fatalf("%s side: the way to %q leads to %q", side, state, l.State)
			}
			fmt.Fprintf(&b, "%s, %s\n", side, orUnknown(state))
			refused := map[string][]string{}
			for _, kind := range eco.EventKinds() {
				if next, code := follow(t, l, happening(kind)); code == "" {
					fmt.Fprintf(&b, "\t%-9s %s\n", kind, next)
				} else {
					refused[code] = append(refused[code], string(kind))
				}
			}
			for _, code := range slices.Sorted(maps.Keys(refused)) {
				fmt.Fprintf(&b, "\t-         %s: %s\n", code, strings.Join(refused[code], ", "))
			}
		}
	}
	file := filepath.Join("testdata", "lifecycle.txt")
	if *update {
		if err := os.WriteFile(file, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	got, wanted := strings.Split(b.String(), "\n"), strings.Split(string(want), "\n")
	place := ""
	for i := range max(len(got), len(wanted)) {
		if i >= len(got) || i >= len(wanted) {
			t.Fatalf("%d lines, %s has %d", len(got), file, len(wanted))
		}
		if !strings.HasPrefix(got[i], "\t") {
			place = got[i]
		}
		if got[i] != wanted[i] {
			t.Errorf("%s: got %q, want %q", place, got[i], wanted[i])
		}
	}
}

// follow is the state after e, or the reason code of the refusal. It holds Next to its promises: refused moves change nothing, and
// the life that was given is never changed.
func follow(t testing.TB, l eco.Life, e eco.Event) (state, code string) {
	t.Helper()
	before := fmt.Sprint(l)
	next, err := eco.Next(l, e)
	if fmt.Sprint(l) != before {
		t.Errorf("%s in %q changes the life that it was given", e.Kind, l.State)
	}
	if err == nil {
		return orUnknown(next.State), ""
	}
	var illegal *eco.IllegalMove
	if !errors.As(err, &illegal) {
		t.Fatalf("%s in %q: %v is no IllegalMove", e.Kind, l.State, err)
	}
	if illegal.State != l.State || illegal.Event != e.Kind || illegal.Why == "" {
		t.Errorf("%s in %q: %+v", e.Kind, l.State, illegal)
	}
	if _, known := eco.ReasonByCode(illegal.Code); !known {
		t.Errorf("%s in %q: no reason code %q", e.Kind, l.State, illegal.Code)
	}
	if fmt.Sprint(next) != before {
		t.Errorf("%s in %q is refused and changes %s into %v", e.Kind, l.State, before, next)
	}
	return "", illegal.Code
}

func orUnknown(s eco.State) string {
	if s == eco.StateNone {
		return "unknown"
	}
	return string(s)
}

func TestIllegalMovesSayWhy(t *testing.T) {
	exported := func(kinds ...eco.EventKind) []eco.Event {
		events := []eco.Event{happening(eco.EventIssue), happening(eco.EventRelease)}
		for _, kind := range kinds {
			events = append(events, happening(kind))
		}
		return events
	}
	imported := func(kinds ...eco.EventKind) []eco.Event {
		events := []eco.Event{happening(eco.EventReceive), happening(eco.EventAdmit)}
		for _, kind := range kinds {
			events = append(events, happening(kind))
		}
		return events
	}
	tests := []struct {
		name   string
		side   eco.Side
		before []eco.Event
		event  eco.Event
		want   string
	}{
		{"cancelled after it was used", eco.SideExporting, exported(eco.EventUse), happening(eco.EventCancel),
			`exporting side, certificate used in part, event "cancel": goods were written off against it; only an unused certificate is cancelled or replaced (C06)`},
		{"cancelled after it was used and denied", eco.SideExporting, exported(eco.EventUse, eco.EventDeny), happening(eco.EventCancel),
			`event "cancel": goods were written off against it (C06)`},
		{"cancelled after a use without quantities and a denial", eco.SideExporting, append(exported(), happening(eco.EventUse, items()), happening(eco.EventDeny)), happening(eco.EventCancel), "(C06)"},
		{"used after cancellation", eco.SideExporting, exported(eco.EventCancel), happening(eco.EventUse), "it was cancelled, and no officer's reason to use it all the same is given (C07)"},
		{"used after expiry", eco.SideExporting, exported(eco.EventExpire), happening(eco.EventUse, at(after)), "its validity ended 2027-11-16, and no officer's reason to use it all the same is given (C05)"},
		{"used after its last day, which nobody noticed", eco.SideExporting, exported(eco.EventAccept), happening(eco.EventUse, at(after)), "(C05)"},
		{"used here after cancellation", eco.SideImporting, imported(eco.EventCite, eco.EventCancel), happening(eco.EventUse), "(C07)"},
		{"used here after expiry without having been cited in time", eco.SideImporting, imported(eco.EventExpire), happening(eco.EventUse, at(after)), "(C05)"},
		{"presented after its last day", eco.SideImporting, imported(), happening(eco.EventCite, at(after)), "presented after its validity, which ended on 2027-11-16 (C05)"},
		{"replaced twice", eco.SideExporting, exported(eco.EventReplace), happening(eco.EventReplace, reference("R3")), "it was replaced by R2 already (C07)"},
		{"issued twice with other content", eco.SideExporting, exported(), happening(eco.EventIssue, content("other")), "the number was used before, for other content (D02)"},
		{"sent with other content", eco.SideExporting, exported(), happening(eco.EventSend, content("other")), "(D02)"},
		{"more used than was declared", eco.SideExporting, exported(), happening(eco.EventUse, items(eco.ItemQuantity{Item: 1, Quantity: kg("10.001")})),
			"item 1: 10 KGM are left of 10 KGM, and 10.001 KGM were to be written off (C06)"},
		{"more used than is left", eco.SideExporting, exported(eco.EventUse), happening(eco.EventUse, items(eco.ItemQuantity{Item: 1, Quantity: eco.Measure{Value: "0.0090001", Unit: "TNE"}})),
			"item 1: 9 KGM are left of 10 KGM, and 0.0090001 TNE were to be written off (C06)"},
		{"used in another kind of unit", eco.SideExporting, exported(), happening(eco.EventUse, items(eco.ItemQuantity{Item: 1, Quantity: eco.Measure{Value: "1", Unit: "C62"}})), "(D11)"},
		{"nothing used", eco.SideExporting, exported(), happening(eco.EventUse, items(eco.ItemQuantity{Item: 1, Quantity: kg("0")})), "want more than 0, found 0 (D11)"},
		{"an item used that is not there", eco.SideExporting, exported(), happening(eco.EventUse, items(eco.ItemQuantity{Item: 3, Quantity: kg("1")})), "it has no item 3 (D11)"},
		{"more given back than was used", eco.SideExporting, exported(eco.EventUse), happening(eco.EventReverse, items(eco.ItemQuantity{Item: 1, Quantity: kg("1.5")})), "more is given back than was written off (D11)"},
		{"an answer to an unknown message", eco.SideExporting, exported(), happening(eco.EventAccept, message("m9")), `an answer to message "m9", which did not carry it (C01)`},
		{"an answer before any message", eco.SideExporting, exported()[:1], happening(eco.EventAccept), "no message has carried it to the partner (C01)"},
		{"an answer about an unknown certificate", eco.SideExporting, nil, happening(eco.EventAccept), `certificate unknown, event "accept": no such certificate is known (C01)`},
		{"a reply before the request", eco.SideExporting, exported(), happening(eco.EventReply), `a reply to request "V1", which is not open (C12)`},
		{"a reply to another request", eco.SideImporting, imported(eco.EventVerify), happening(eco.EventReply, reference("V2")), `a reply to request "V2", which is not open (C12)`},
		{"used while a verification is open", eco.SideImporting, imported(eco.EventCite, eco.EventVerify), happening(eco.EventUse), "a verification is open, or its issuer is in doubt (C04)"},
		{"used without being cited", eco.SideImporting, imported(eco.EventCite), happening(eco.EventUse, reference("D2")), `declaration "D2" does not cite it (C12)`},
		{"expired before its time", eco.SideExporting, exported(), happening(eco.EventExpire, at(noon)), "it is valid until 2027-11-16 (D04)"},
		{"an event that does not say when", eco.SideExporting, exported(), happening(eco.EventCancel, at(time.Time{})), "the event states no instant"},
		{"an event that does not say by whom", eco.SideExporting, exported(), eco.Event{Kind: eco.EventCancel, At: noon}, "the event does not say by whom"},
		{"a denial without reasons", eco.SideExporting, exported(), eco.Event{Kind: eco.EventDeny, At: noon, By: "tester"}, "the event needs reasons"},
		{"another reason that is not said", eco.SideExporting, exported(), eco.Event{Kind: eco.EventDeny, At: noon, By: "tester", Reasons: []eco.Reason{{Code: eco.ReasonOther}}}, "reason C12 needs a text"},
		{"no event", eco.SideExporting, exported(), eco.Event{Kind: "vanish", At: noon, By: "tester"}, "there is no such event"},
		{"no side", "", nil, happening(eco.EventIssue), `want side exporting or importing, found ""`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			l := live(t, tt.side, tt.before...)
			if _, code := follow(t, l, tt.event); code == "" {
				t.Fatal("no error")
			}
			if _, err := eco.Next(l, tt.event); !strings.HasSuffix(err.Error(), tt.want) && !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
		})
	}
}

func TestUsesAreCountedExactly(t *testing.T) {
	tenth := happening(eco.EventUse, items(eco.ItemQuantity{Item: 1, Quantity: kg("0.1")}))
	l := live(t, eco.SideExporting, happening(eco.EventIssue), happening(eco.EventRelease))
	for n := range 100 { // In binary fractions the sum of a hundred tenths is not ten.
		next, err := eco.Next(l, tenth)
		if err != nil {
			t.Fatalf("after %d uses: %v", n, err)
		}
		l = next
	}
	if left := l.Items[0].Left(); left != kg("0") || l.State != eco.StateUsedInPart {
		t.Errorf("%s with %+v left, want item 2 to be left", l.State, left)
	}
	l = live(t, eco.SideExporting, happening(eco.EventIssue), happening(eco.EventRelease),
		happening(eco.EventUse, items(eco.ItemQuantity{Item: 1, Quantity: eco.Measure{Value: "10000", Unit: "GRM"}}, eco.ItemQuantity{Item: 2, Quantity: eco.Measure{Value: "59", Unit: "C62"}})))
	if left := l.Items[1].Left(); left != (eco.Measure{Value: "1", Unit: "C62"}) || l.State != eco.StateUsedInPart {
		t.Errorf("%s with %+v left", l.State, left)
	}
	if l, err := eco.Next(l, happening(eco.EventUse, items(eco.ItemQuantity{Item: 2, Quantity: eco.Measure{Value: "1", Unit: "EA"}}))); err != nil || l.State != eco.StateUsedUp {
		t.Errorf("%s, %v", l.State, err)
	}
}

func TestOfficerOverridesCountAndDoNotReopen(t *testing.T) {
	for _, ended := range []eco.EventKind{eco.EventCancel, eco.EventExpire} {
		for side, events := range map[eco.Side][]eco.Event{
			eco.SideExporting: {happening(eco.EventIssue), happening(eco.EventRelease), happening(ended)},
			eco.SideImporting: {happening(eco.EventReceive), happening(eco.EventAdmit), happening(ended)},
		} {
			l := live(t, side, append(events, happening(eco.EventUse, override, at(after)))...)
			if l.State == eco.StateUsedInPart || l.Items[0].Left() != kg("9") {
				t.Errorf("%s, %s: %s with %+v left", side, ended, l.State, l.Items[0].Left())
			}
			if _, code := follow(t, l, happening(eco.EventUse, at(after))); code == "" {
				t.Errorf("%s, %s: one override lets others use it", side, ended)
			}
			if l = live(t, side, append(events, happening(eco.EventUse, override, exhausting))...); l.State != eco.StateUsedUp {
				t.Errorf("%s, %s: %s, want used up", side, ended, l.State)
			}
		}
	}
}

func TestUseWithinValidityCountsHoweverLateItIsTold(t *testing.T) {
	l := live(t, eco.SideExporting, happening(eco.EventIssue), happening(eco.EventRelease), happening(eco.EventExpire), happening(eco.EventUse))
	if l.State != eco.StateExpired || l.Items[0].Left() != kg("9") {
		t.Errorf("%s with %+v left", l.State, l.Items[0].Left())
	}
	// Presented in time, cleared after the last day.
	l = live(t, eco.SideImporting, happening(eco.EventReceive), happening(eco.EventAdmit), happening(eco.EventCite), happening(eco.EventExpire), happening(eco.EventUse, at(after)))
	if l.State != eco.StateExpired || l.Items[0].Left() != kg("9") {
		t.Errorf("%s with %+v left", l.State, l.Items[0].Left())
	}
}

// ATIGA OCP Rule 16(3): one bad item does not delay the others.
func TestDenialOfOneItemLeavesTheOthers(t *testing.T) {
	first, second := items(eco.ItemQuantity{Item: 1}), items(eco.ItemQuantity{Item: 2})
	all := items(eco.ItemQuantity{Item: 2, Quantity: eco.Measure{Value: "5", Unit: "DZN"}})
	l := live(t, eco.SideExporting, happening(eco.EventIssue), happening(eco.EventRelease), happening(eco.EventAccept), happening(eco.EventDeny, first))
	if l.State != eco.StateAccepted {
		t.Errorf("%s after the denial of one item", l.State)
	}
	if _, code := follow(t, l, happening(eco.EventUse)); code == "" {
		t.Error("a denied item may be used")
	}
	if l = live(t, eco.SideExporting, happening(eco.EventIssue), happening(eco.EventRelease), happening(eco.EventDeny, first), happening(eco.EventUse, all)); l.State != eco.StateUsedUp {
		t.Errorf("%s after the rest was used", l.State)
	}
	if l, err := eco.Next(l, happening(eco.EventReopen, first)); err != nil || l.State != eco.StateUsedInPart {
		t.Errorf("%s after clarification, %v", l.State, err)
	}
	l = live(t, eco.SideImporting, happening(eco.EventReceive), happening(eco.EventAdmit), happening(eco.EventVerify), happening(eco.EventDeny, first), happening(eco.EventDeny, second))
	if l.State != eco.StateDenied {
		t.Errorf("%s after the denial of each item", l.State)
	}
	// The verification is still open.
	if l, err := eco.Next(l, happening(eco.EventReopen)); err != nil || l.State != eco.StateSuspended {
		t.Errorf("%s after clarification, %v", l.State, err)
	}
}

func TestOtherContentUnderOneNumberOverwritesNothing(t *testing.T) {
	l := live(t, eco.SideImporting, happening(eco.EventReceive), happening(eco.EventAdmit), happening(eco.EventCite), happening(eco.EventReceive, content("other")))
	if l.State != eco.StateInConflict || l.Content != "first" {
		t.Errorf("%s, content %s", l.State, l.Content)
	}
	if l, err := eco.Next(l, happening(eco.EventSettle)); err != nil || l.State != eco.StateCited {
		t.Errorf("settled: %s, %v", l.State, err)
	}
}

func TestSingleUse(t *testing.T) {
	single := happening(eco.EventReceive, func(e *eco.Event) { e.SingleUse = true })
	l := live(t, eco.SideImporting, single, happening(eco.EventAdmit), happening(eco.EventCite))
	if _, code := follow(t, l, happening(eco.EventCite, reference("D2"))); code != eco.ReasonExhausted {
		t.Errorf("a second declaration: code %q", code)
	}
	if l, err := eco.Next(l, happening(eco.EventUse)); err != nil || l.State != eco.StateUsedUp {
		t.Errorf("%s, %v", l.State, err)
	}
}

// Whatever happens, in whatever order: ended lives begin anew only by the events that say so, balances keep within what was
// declared, and states are those of the side.
func TestNoOrderOfEventsBreaksTheRules(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		side := rapid.SampledFrom([]eco.Side{eco.SideExporting, eco.SideImporting}).Draw(t, "side")
		l := eco.Life{Side: side}
		for range rapid.IntRange(1, 60).Draw(t, "events") {
			e := drawEvent(t, side)
			next, err := eco.Next(l, e)
			if err != nil {
				continue
			}
			if l.State.Terminal() && !next.State.Terminal() && !e.Kind.Reopens() {
				t.Fatalf("%s leads from %s back to %s", e.Kind, l.State, next.State)
			}
			if cancelled := l.State == eco.StateCancelled || l.State == eco.StateReplaced; cancelled && !next.State.Terminal() {
				t.Fatalf("%s leads from %s back to %s", e.Kind, l.State, next.State)
			}
			if l.State != eco.StateNone && next.Content != l.Content {
				t.Fatalf("%s overwrites the content", e.Kind)
			}
			if !slices.Contains(eco.States(side), next.State) {
				t.Fatalf("%s leads from %s to %q", e.Kind, l.State, next.State)
			}
			for _, b := range next.Items {
				taken := eco.Measure{Unit: eco.BaseUnit(b.Declared.Unit)}
				taken.Value, _ = b.Used.Value.Add(b.Reserved.Value)
				if order, ok := eco.CompareMeasures(taken, b.Declared); ok && order > 0 || b.Used.Value.Sign() < 0 || b.Reserved.Value.Sign() < 0 || b.Free().Value.Sign() < 0 {
					t.Fatalf("%s: %+v", e.Kind, b)
				}
			}
			l = next
		}
	})
}

func drawEvent(t *rapid.T, side eco.Side) eco.Event {
	e := happening(rapid.SampledFrom(eco.EventKinds()).Draw(t, "kind"))
	if side == eco.SideExporting && e.Kind == eco.EventReceive {
		e.Kind = eco.EventAccept
	}
	if rapid.Bool().Draw(t, "override") {
		e.Override = "FORCE MAJEURE"
	}
	e.At = rapid.SampledFrom([]time.Time{noon, after}).Draw(t, "at")
	if e.Content != "" {
		e.Content = rapid.SampledFrom([]string{"first", "first", "other"}).Draw(t, "content")
	}
	if e.Reference != "" {
		e.Reference = rapid.SampledFrom([]string{e.Reference, "X"}).Draw(t, "reference")
	}
	switch e.Kind {
	case eco.EventUse, eco.EventReverse, eco.EventDeny, eco.EventReopen, eco.EventCite, eco.EventDraw, eco.EventReturn:
		e.Items = nil
		for range rapid.IntRange(0, 2).Draw(t, "items") {
			e.Items = append(e.Items, eco.ItemQuantity{
				Item: rapid.IntRange(1, 2).Draw(t, "item"),
				Quantity: eco.Measure{
					Value: rapid.SampledFrom([]eco.Decimal{"0.1", "1", "3.333333333333333333", "5", "60"}).Draw(t, "value"),
					Unit:  rapid.SampledFrom([]string{"KGM", "LBR", "C62", "DZN"}).Draw(t, "unit"),
				},
			})
		}
		e.Exhausts = e.Kind == eco.EventUse && rapid.IntRange(0, 9).Draw(t, "exhausts") == 0
	}
	return e
}

func TestReasonsHaveTextsAndFindingsAreAmongThem(t *testing.T) {
	codes := map[string]bool{}
	for _, r := range eco.Reasons() {
		if codes[r.Code] || r.Text == "" || !strings.HasPrefix(r.Code, strings.ToUpper(string(r.Kind[0]))) {
			t.Errorf("%+v", r)
		}
		codes[r.Code] = true
	}
	if len(codes) != 9+16+12 {
		t.Errorf("%d codes", len(codes))
	}
	if r, ok := eco.ReasonByCode(eco.CodeHS); !ok || r.Kind != eco.ReasonData {
		t.Errorf("%+v", r)
	}
	if _, ok := eco.ReasonByCode("C13"); ok {
		t.Error("C13 is a reason")
	}
}
