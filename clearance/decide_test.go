package clearance_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/ecogate/ecogate/clearance"
	"github.com/ecogate/ecogate/eco"
)

func denying(code, text string) []eco.Reason { return []eco.Reason{{Code: code, Text: text}} }

// outcomes are the items of the last response that the partner was told, as text.
func (w *world) outcomes() string {
	w.Helper()
	w.settle()
	if len(w.told.told) == 0 {
		return ""
	}
	var all []string
	for _, o := range w.told.told[len(w.told.told)-1].Items {
		text := fmt.Sprintf("%d %s", o.Item, o.Status)
		if o.Quantity != nil {
			text += fmt.Sprintf(" %s %s", o.Quantity.Value, o.Quantity.Unit)
		}
		if len(o.Reasons) > 0 {
			text += " " + o.Reasons[0].Code
		}
		if o.Refund {
			text += " refund"
		}
		all = append(all, text)
	}
	return strings.Join(all, ", ")
}

func TestDecisionItemByItem(t *testing.T) {
	w := newWorld(t)
	c := certificate(t, "D1")
	w.receive(c)
	w.lodge(broker, declaration(c, "CX/26/1", 1, 2))
	l := w.decide(officer, "CX/26/1", clearance.Ruling{Claim: 2, Verdict: clearance.VerdictPart, Quantity: &eco.Measure{Value: "100", Unit: "DZN"}, Reasons: denying("C02", "the rest is missing")})
	same(t, "state", l.State, clearance.LodgementPart)
	same(t, "told", w.outcomes(), "2 used-in-part 1200 C62 C02")
	same(t, "free of item 2", w.free("D1", 2), "1200 C62")
	same(t, "free of item 1, which stays reserved", w.free("D1", 1), "0 KGM")
	// ATIGA OCP Rule 16(3): one bad item does not delay the others.
	l = w.decide(officer, "CX/26/1", clearance.Ruling{Claim: 1, Verdict: clearance.VerdictDeny, Reasons: denying("C03", "transshipped")})
	same(t, "state", l.State, clearance.LodgementDecided)
	same(t, "told", w.outcomes(), "1 denied C03")
	same(t, "certificate", w.imported("D1").State, eco.StateUsedInPart)
	// After clarification it is accepted, and the duty that was paid goes back.
	l = w.decide(officer, "CX/26/1", clearance.Ruling{Claim: 1, Verdict: clearance.VerdictReopen})
	same(t, "standing", l.Claims[0].Standing, clearance.StandingReserved)
	l = w.decide(officer, "CX/26/1", clearance.Ruling{Claim: 1, Verdict: clearance.VerdictAccept})
	same(t, "refund", l.Claims[0].Refund, true)
	same(t, "told", w.outcomes(), "1 used-up 20000 KGM refund")
	// The write-off was an error.
	w.decide(officer, "CX/26/1", clearance.Ruling{Claim: 2, Verdict: clearance.VerdictReverse})
	same(t, "told", w.outcomes(), "2 accepted")
	same(t, "free of item 2, reserved again", w.free("D1", 2), "0 C62")
	l = w.decide(officer, "CX/26/1", clearance.Ruling{Verdict: clearance.VerdictAccept})
	same(t, "told", w.outcomes(), "2 used-up 2400 C62")
	same(t, "state", l.State, clearance.LodgementDecided)
	same(t, "decisions", len(l.Decisions), 6)
	if _, err := w.Withdraw(t.Context(), broker, "CX/26/1", ""); !errors.Is(err, clearance.ErrDecided) {
		t.Errorf("withdrawn after the decision: %v", err)
	}
	if _, err := w.Amend(t.Context(), broker, declaration(c, "CX/26/1", 1), nil); !errors.Is(err, clearance.ErrDecided) {
		t.Errorf("amended after the decision: %v", err)
	}
}

func TestSuspendedWithGuaranteeUntilItIsCleared(t *testing.T) {
	w := newWorld(t)
	c := certificate(t, "D1")
	w.receive(c)
	w.lodge(broker, declaration(c, "CX/26/1", 2))
	w.lodge(broker, declaration(c, "CX/26/2", 1))
	doubt := clearance.Ruling{Claim: 1, Verdict: clearance.VerdictSuspend, Reasons: denying("C04", "origin")}
	if _, err := w.Decide(t.Context(), officer, "CX/26/1", clearance.Judgement{Rulings: []clearance.Ruling{doubt}}); !strings.Contains(listed(err), "rulings[0].guarantee") {
		t.Errorf("without a guarantee: %v", err)
	}
	doubt.Guarantee = &clearance.Guarantee{Number: "G-1"}
	l := w.decide(officer, "CX/26/1", doubt)
	same(t, "certificate", w.imported("D1").State, eco.StateSuspended)
	same(t, "told", w.outcomes(), "2 suspended C04")
	if !l.HeldUntil.IsZero() {
		t.Errorf("what stands on a guarantee lapses at %s", l.HeldUntil)
	}
	// Another declaration cannot use it meanwhile.
	var illegal *eco.IllegalMove
	if _, err := w.Decide(t.Context(), officer, "CX/26/2", clearance.Judgement{Rulings: []clearance.Ruling{{Verdict: clearance.VerdictAccept}}}); !errors.As(err, &illegal) {
		t.Errorf("used while suspended: %v", err)
	}
	w.decide(officer, "CX/26/1", clearance.Ruling{Claim: 1, Verdict: clearance.VerdictAccept})
	same(t, "told", w.outcomes(), "2 used-up 2400 C62")
	w.decide(officer, "CX/26/2", clearance.Ruling{Verdict: clearance.VerdictAccept})
	same(t, "told", w.outcomes(), "1 used-up 20000 KGM")
}

// What an earlier declaration used of an item is told with a refusal of the rest, which would otherwise seem to undo it.
func TestRefusalTellsWhatWasUsedBefore(t *testing.T) {
	w := newWorld(t)
	c := certificate(t, "D1")
	w.receive(c)
	w.lodge(broker, declaration(c, "CX/26/1", 2))
	w.decide(officer, "CX/26/1", clearance.Ruling{Verdict: clearance.VerdictPart, Quantity: &eco.Measure{Value: "1000", Unit: "C62"}})
	second := declaration(c, "CX/26/2", 2)
	second.Lines[0].Quantity = &eco.Measure{Value: "1400", Unit: "C62"}
	w.lodge(broker, second)
	w.decide(officer, "CX/26/2", clearance.Ruling{Verdict: clearance.VerdictSuspend, Guarantee: &clearance.Guarantee{Number: "G-1"}, Reasons: denying("C04", "origin")})
	same(t, "told", w.outcomes(), "2 suspended 1000 C62 C04")
	w.decide(officer, "CX/26/2", clearance.Ruling{Verdict: clearance.VerdictDeny, Reasons: denying("C03", "transshipped")})
	same(t, "told", w.outcomes(), "2 denied 1000 C62 C03")
}

func TestVerificationIsAskedFor(t *testing.T) {
	w := newWorld(t)
	c := certificate(t, "D1")
	w.receive(c)
	w.lodge(broker, declaration(c, "CX/26/1", 1, 2))
	w.decide(officer, "CX/26/1", clearance.Ruling{Verdict: clearance.VerdictVerify, Reasons: denying("C04", "origin"), Questions: []string{"WHO MADE IT?"}})
	w.settle()
	same(t, "responses", len(w.told.told), 1)
	d := w.told.told[0].Doubt
	if d == nil || fmt.Sprint(d.Items) != "[1 2]" || len(d.Questions) != 2 {
		t.Errorf("asked %+v", d)
	}
	same(t, "certificate", w.imported("D1").State, eco.StateSuspended)
}

func TestJudgementSaysWhatIsWrong(t *testing.T) {
	w := newWorld(t)
	c := certificate(t, "D1")
	w.receive(c)
	w.lodge(broker, declaration(c, "CX/26/1", 2))
	quantity := func(value eco.Decimal, unit string) *eco.Measure { return &eco.Measure{Value: value, Unit: unit} }
	tests := []struct {
		name    string
		rulings []clearance.Ruling
		want    string
	}{
		{"nothing", nil, "rulings: want at least one"},
		{"no such verdict", []clearance.Ruling{{Verdict: "perhaps"}}, "rulings[0].verdict: want one of"},
		{"no such claim", []clearance.Ruling{{Claim: 7, Verdict: "accept"}}, "want a claim of declaration CX/26/1, found 7"},
		{"twice", []clearance.Ruling{{Claim: 1, Verdict: "accept"}, {Verdict: "accept"}}, "claim 1 is decided twice"},
		{"denied without a reason", []clearance.Ruling{{Verdict: "deny"}}, "rulings[0].reasons: want at least one reason"},
		{"a reason that is not the customs'", []clearance.Ruling{{Verdict: "deny", Reasons: denying("D07", "x")}}, "rulings[0].reasons[0].code: want a customs code"},
		{"another reason without words", []clearance.Ruling{{Verdict: "deny", Reasons: denying("C12", "")}}, "says nothing without words"},
		{"accepted for a reason", []clearance.Ruling{{Verdict: "accept", Reasons: denying("C02", "x")}}, "want no reasons"},
		{"a part of nothing", []clearance.Ruling{{Verdict: "part"}}, "rulings[0].quantity: want the quantity"},
		{"a part that is all", []clearance.Ruling{{Verdict: "part", Quantity: quantity("200", "DZN")}}, "want less than the 2400 C62"},
		{"a part in another unit", []clearance.Ruling{{Verdict: "part", Quantity: quantity("2", "KGM")}}, "want less than the 2400 C62"},
		{"all of a part", []clearance.Ruling{{Verdict: "accept", Quantity: quantity("2", "C62")}}, "rulings[0].quantity: want a quantity with"},
		{"reopened before it was denied", []clearance.Ruling{{Claim: 1, Verdict: "reopen"}}, "found claim 1, which is reserved"},
		{"reversed before it was used", []clearance.Ruling{{Verdict: "reverse"}}, `want a claim that "reverse" can be said of, found none`},
		{"questions nobody is asked", []clearance.Ruling{{Verdict: "accept", Questions: []string{"?"}}}, "rulings[0].questions: want questions with"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := w.Decide(t.Context(), officer, "CX/26/1", clearance.Judgement{Rulings: tt.rulings})
			var refused *clearance.RefusedError
			if !errors.As(err, &refused) {
				t.Fatalf("got %v", err)
			}
			var all []string
			for _, f := range refused.Findings {
				all = append(all, f.Path+": "+f.Text)
			}
			if !strings.Contains(strings.Join(all, "\n"), tt.want) {
				t.Errorf("got %q, want %q", all, tt.want)
			}
		})
	}
	if _, err := w.Decide(t.Context(), officer, "CX/26/9", clearance.Judgement{}); !errors.Is(err, clearance.ErrNotFound) {
		t.Errorf("a declaration that is not there: %v", err)
	}
}

func TestSecondOfficerDecides(t *testing.T) {
	w := newWorld(t, func(o *clearance.Options) { o.SecondOfficer = func() bool { return true } })
	c := certificate(t, "D1")
	w.receive(c)
	w.lodge(broker, declaration(c, "CX/26/1", 2))
	l := w.decide(officer, "CX/26/1", clearance.Ruling{Verdict: clearance.VerdictAccept})
	same(t, "decision", l.Decisions[0].State, clearance.DecisionProposed)
	same(t, "certificate", w.imported("D1").State, eco.StateCited)
	same(t, "told", w.outcomes(), "")
	accept := clearance.Judgement{Rulings: []clearance.Ruling{{Verdict: clearance.VerdictAccept}}}
	if _, err := w.Decide(t.Context(), second, "CX/26/1", accept); !errors.Is(err, clearance.ErrWaits) {
		t.Errorf("another decision: %v", err)
	}
	if _, err := w.Withdraw(t.Context(), broker, "CX/26/1", ""); !errors.Is(err, clearance.ErrDecided) {
		t.Errorf("withdrawn while a decision waits: %v", err)
	}
	if _, err := w.Confirm(t.Context(), officer, "CX/26/1", 1, ""); !errors.Is(err, clearance.ErrSameOfficer) {
		t.Errorf("by the same officer: %v", err)
	}
	if _, err := w.Confirm(t.Context(), second, "CX/26/1", 2, ""); !errors.Is(err, clearance.ErrNoProposal) {
		t.Errorf("another number: %v", err)
	}
	l, err := w.Reject(t.Context(), second, "CX/26/1", 1, "look again")
	if err != nil || l.Decisions[0].State != clearance.DecisionRejected || l.State != clearance.LodgementLodged {
		t.Fatalf("%+v, %v", l.Decisions, err)
	}
	w.decide(officer, "CX/26/1", clearance.Ruling{Verdict: clearance.VerdictAccept})
	l, err = w.Confirm(t.Context(), second, "CX/26/1", 2, "seen")
	if err != nil || l.State != clearance.LodgementDecided || l.Decisions[1].Second.By != second.Name {
		t.Fatalf("%s, %+v, %v", l.State, l.Decisions, err)
	}
	same(t, "told", w.outcomes(), "2 used-up 2400 C62")
}

func TestPartnerIsToldAtLeastOnceOrAnOfficerMust(t *testing.T) {
	w := newWorld(t)
	c := certificate(t, "D1")
	w.receive(c)
	w.lodge(broker, declaration(c, "CX/26/1", 1))
	w.lodge(broker, declaration(c, "CX/26/2", 2))
	w.told.err = errors.New("the partner is away")
	w.decide(officer, "CX/26/1", clearance.Ruling{Verdict: clearance.VerdictAccept})
	w.settle()
	w.settle()
	same(t, "told while the partner is away", len(w.told.told), 0)
	w.told.err = nil
	w.settle()
	same(t, "told before the pause is over", len(w.told.told), 0)
	w.pass(time.Minute)
	same(t, "told", w.outcomes(), "1 used-up 20000 KGM")
	first := w.told.told[0].ID
	w.pass(time.Hour)
	w.settle()
	same(t, "told once", len(w.told.told), 1)

	w.told.err = fmt.Errorf("%w: no such message is agreed", clearance.ErrCannotTell)
	w.decide(officer, "CX/26/2", clearance.Ruling{Verdict: clearance.VerdictAccept})
	w.settle()
	list, err := w.Duties(t.Context(), officer, clearance.DutyQuery{Owner: clearance.OwnerOfficer})
	if err != nil {
		t.Fatal(err)
	}
	var tell clearance.Duty
	for _, d := range list {
		if d.Kind == clearance.DutyTell {
			tell = d
		}
	}
	if tell.Declaration != "CX/26/2" || !strings.Contains(tell.Text, "no such message is agreed") || tell.Response == first {
		t.Fatalf("duties %+v", list)
	}
	if _, err := w.Fulfil(t.Context(), officer, "validity of LA/ATIGA-D/D1", ""); !errors.Is(err, clearance.ErrNotFound) {
		t.Errorf("a duty that an event closes: %v", err)
	}
	done, err := w.Fulfil(t.Context(), officer, tell.ID, "by letter")
	if err != nil || done.State != clearance.DutyDone {
		t.Errorf("%+v, %v", done, err)
	}
}
