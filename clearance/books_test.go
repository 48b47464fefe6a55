package clearance_test

import (
	"errors"
	"fmt"
	"math/big"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/ecogate/ecogate/clearance"
	"github.com/ecogate/ecogate/eco"
)

// checkBooks compares the ledgers of certificates with the claims of all declarations: what is reserved and what was written off is what the
// claims say, and never more than was declared.
func (w *world) checkBooks(t *rapid.T, references ...string) {
	page, err := w.Declarations(w.Context(), officer, clearance.DeclarationQuery{Limit: 500})
	if err != nil {
		t.Fatal(err)
	}
	type name struct {
		seq  uint64
		item int
	}
	reserved, used := map[name]*big.Rat{}, map[name]*big.Rat{}
	add := func(sums map[name]*big.Rat, c clearance.Claim, m *eco.Measure) {
		n := name{c.Certificate, c.Item}
		if sums[n] == nil {
			sums[n] = new(big.Rat)
		}
		if m != nil {
			value, _ := new(big.Rat).SetString(string(m.Value))
			sums[n].Add(sums[n], value)
		}
	}
	for _, l := range page.Declarations {
		open := false
		for _, c := range l.Claims {
			open = open || c.Standing.Open()
			switch c.Standing {
			case clearance.StandingReserved, clearance.StandingSuspended, clearance.StandingVerifying:
				add(reserved, c, c.Taken)
			case clearance.StandingAccepted, clearance.StandingPart:
				add(used, c, c.Granted)
			}
		}
		if open == l.State.Ended() {
			t.Fatalf("%s is %s, and a claim is open: %t", l.Number, l.State, open)
		}
	}
	for _, reference := range references {
		c := w.imported(reference)
		for _, b := range c.Life.Items {
			for what, pair := range map[string][2]*big.Rat{
				"reserved": {inBase(b, b.Reserved), reserved[name{c.Seq, b.Item}]}, "used": {inBase(b, b.Used), used[name{c.Seq, b.Item}]},
			} {
				claims := pair[1]
				if claims == nil {
					claims = new(big.Rat)
				}
				if pair[0].Cmp(claims) != 0 {
					t.Fatalf("%s, item %d: %s are %s in the ledger, %s by the claims", reference, b.Item, pair[0].FloatString(3), what, claims.FloatString(3))
				}
			}
			if new(big.Rat).Add(inBase(b, b.Reserved), inBase(b, b.Used)).Cmp(inBase(b, b.Declared)) > 0 {
				t.Fatalf("%s: %+v is more than was declared", reference, b)
			}
		}
	}
}

// inBase is a measure of an item in the item's base unit.
func inBase(b eco.Balance, m eco.Measure) *big.Rat {
	if m.Value == "" {
		return new(big.Rat)
	}
	converted, err := eco.Convert(m, eco.BaseUnit(b.Declared.Unit))
	if err != nil {
		return new(big.Rat)
	}
	value, _ := new(big.Rat).SetString(string(converted.Value))
	return value
}

// Whatever is lodged, amended, withdrawn, decided and forgotten, in whatever order: claims and ledgers say the same.
func TestBooksAndClaimsAgree(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		w := newWorld(t)
		c := certificateWith(t, w, "D1")
		certificateWith(t, w, "D2")
		w.receive(certificate(t, "D3", func(c *eco.Certificate) {
			c.Items[0].Quantity, c.Items[0].NetWeight, c.Items[0].GrossWeight = nil, nil, nil
		}))
		for range rapid.IntRange(1, 10).Draw(r, "steps") {
			number := fmt.Sprintf("CX/%d", rapid.IntRange(1, 3).Draw(r, "declaration"))
			err := w.step(r, c, number)
			var refused *clearance.RefusedError
			var illegal *eco.IllegalMove
			switch {
			case err == nil, errors.As(err, &refused), errors.As(err, &illegal), errors.Is(err, clearance.ErrDecided), errors.Is(err, clearance.ErrNotFound), errors.Is(err, clearance.ErrNumberTaken):
			default:
				r.Fatal(err)
			}
			w.checkBooks(r, "D1", "D2", "D3")
		}
	})
}

// step does one thing with a declaration.
func (w *world) step(r *rapid.T, c eco.Certificate, number string) (err error) {
	switch rapid.SampledFrom([]string{"lodge", "lodge", "amend", "withdraw", "decide", "decide", "decide", "wait", "arrive", "void"}).Draw(r, "what") {
	case "lodge":
		_, _, err = w.Lodge(w.Context(), broker, drawDeclaration(r, c, number), nil)
	case "amend":
		_, err = w.Amend(w.Context(), broker, drawDeclaration(r, c, number), nil)
	case "withdraw":
		_, err = w.Withdraw(w.Context(), broker, number, "")
	case "arrive":
		if found, _ := w.store.Imported(w.Context(), clearance.ImportedQuery{Reference: "D4"}); len(found) == 0 {
			certificateWith(w, w, "D4")
		}
		err = w.Once(w.Context())
	case "void":
		record := w.imported(rapid.SampledFrom([]string{"D1", "D2", "D3"}).Draw(r, "void"))
		event := rapid.SampledFrom([]eco.Event{{Kind: eco.EventCancel}, {Kind: eco.EventReceive, Content: "other"}, {Kind: eco.EventSettle},
			{Kind: eco.EventRefuse, Reasons: denying(eco.CodeReferenceReused, "")}, {Kind: eco.EventReplace, Reference: "D9"}, {Kind: eco.EventExpire}}).Draw(r, "event")
		event.At, event.By = w.now(), "PARTNER"
		var move clearance.Move
		if move, err = record.Moved(event); err == nil {
			err = w.store.File(w.Context(), clearance.Batch{Moves: []clearance.Move{move}})
		}
	case "wait":
		w.pass(rapid.SampledFrom([]time.Duration{time.Hour, clearance.DefaultReservation}).Draw(r, "time"))
		err = w.Once(w.Context())
	default:
		ruling := clearance.Ruling{Claim: rapid.IntRange(0, 3).Draw(r, "claim"), Verdict: rapid.SampledFrom(clearance.Verdicts()).Draw(r, "verdict")}
		switch ruling.Verdict {
		case clearance.VerdictPart:
			ruling.Quantity = &eco.Measure{Value: "1", Unit: rapid.SampledFrom([]string{"C62", "KGM"}).Draw(r, "unit")}
		case clearance.VerdictDeny, clearance.VerdictSuspend, clearance.VerdictVerify:
			ruling.Reasons, ruling.Guarantee = denying("C04", "x"), &clearance.Guarantee{Number: "G"}
		}
		_, err = w.Decide(w.Context(), officer, number, clearance.Judgement{Rulings: []clearance.Ruling{ruling}})
	}
	return err
}

// drawDeclaration claims parts of items of both certificates.
func drawDeclaration(r *rapid.T, c eco.Certificate, number string) clearance.Declaration {
	d := clearance.Declaration{Number: number, Lodged: eco.DateOf(noon), Importer: c.Consignee}
	if rapid.Bool().Draw(r, "guaranteed") {
		d.Guarantee = &clearance.Guarantee{Number: "G"}
	}
	for range rapid.IntRange(1, 3).Draw(r, "lines") {
		item := rapid.IntRange(1, 2).Draw(r, "item")
		q := eco.Measure{Value: rapid.SampledFrom([]eco.Decimal{"100", "1000", "2400"}).Draw(r, "quantity"), Unit: []string{"", "KGM", "C62"}[item]}
		d.Lines = append(d.Lines, clearance.Line{
			Number: len(d.Lines) + 1, Quantity: &q,
			Citations: []clearance.Citation{{Reference: rapid.SampledFrom([]string{"D1", "D2", "D3", "D4"}).Draw(r, "certificate"), Item: item}},
		})
	}
	return d
}
