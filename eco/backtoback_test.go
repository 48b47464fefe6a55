package eco_test

import (
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/ecogate/ecogate/eco"
)

// lent is a certificate with these goods, and its life on the importing side after these quantities were used.
func lent(t testing.TB, items []string, used ...eco.ItemQuantity) eco.Original {
	c := deed(t, "LA26010001", goods(items...))
	events := []eco.Event{happening(eco.EventReceive, func(e *eco.Event) { e.Declared = eco.DeclaredQuantities(c) }), happening(eco.EventAdmit)}
	if used != nil {
		events = append(events, happening(eco.EventCite), using("D1", used...))
	}
	return eco.Original{Certificate: c, Life: live(t, eco.SideImporting, events...)}
}

// takenText writes quantities as "item value unit, ...".
func takenText(items []eco.ItemQuantity) string {
	var text []string
	for _, q := range items {
		text = append(text, fmt.Sprintf("%d %s %s", q.Item, q.Quantity.Value, q.Quantity.Unit))
	}
	return strings.Join(text, ", ")
}

func TestWhatAChildTakesOfItsOriginals(t *testing.T) {
	tests := []struct {
		name      string
		child     []string
		originals []eco.Original
		want      []string // for each original
	}{
		{"a part, in another unit", []string{"310420 0.4 TNE"}, []eco.Original{lent(t, []string{"310420 1000 KGM"})}, []string{"1 400 KGM"}},
		{"spread over items with its goods", []string{"310420 1200 KGM"}, []eco.Original{lent(t, []string{"310420 1 TNE", "620520 5 C62", "310420 500 KGM"})}, []string{"1 1000 KGM, 3 200 KGM"}},
		{"around what was used", []string{"310420 600 KGM"}, []eco.Original{lent(t, []string{"310420 1 TNE", "310420 500 KGM"}, q(1, "900", "KGM"))}, []string{"1 100 KGM, 2 500 KGM"}},
		{"several items", []string{"310420 1 KGM", "620520 1 DZN"}, []eco.Original{lent(t, []string{"310420 1 TNE", "620520 60 C62"})}, []string{"1 1 KGM, 2 12 C62"}},
		{"of the original that has enough", []string{"310420 600 KGM"}, []eco.Original{lent(t, []string{"310420 500 KGM"}), lent(t, []string{"310420 1 TNE"})}, []string{"", "1 600 KGM"}},
		{"of several originals", []string{"310420 600 KGM", "620520 3 C62"}, []eco.Original{lent(t, []string{"620520 5 C62"}), lent(t, []string{"310420 1 TNE"})}, []string{"1 3 C62", "1 600 KGM"}},
		{"other goods", []string{"310430 1 KGM"}, []eco.Original{lent(t, []string{"310420 1 TNE"})}, []string{""}},
		{"pieces of what was weighed", []string{"310420 1 C62"}, []eco.Original{lent(t, []string{"310420 1 TNE"})}, []string{""}},
		{"of nothing", []string{"310420 1 KGM"}, nil, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			taken, findings := eco.DrawOnOriginals(deed(t, "VN1", goods(tt.child...)), tt.originals)
			var got []string
			for _, items := range taken {
				got = append(got, takenText(items))
			}
			if findings != nil || !slices.Equal(got, tt.want) {
				t.Errorf("got %q, %+v; want %q", got, findings, tt.want)
			}
		})
	}
}

// testdata/hostile/draws has originals and certificates that take more of them than there is.
func TestChildOfMoreThanThereIsIsRefused(t *testing.T) {
	files, err := filepath.Glob("../testdata/hostile/draws/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			var want string
			var original, child []string
			var used []eco.ItemQuantity
			for line := range strings.Lines(string(data)) {
				word, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
				switch word {
				case "#":
					want = strings.TrimPrefix(rest, "expect: ")
				case "original":
					original = append(original, rest)
				case "child":
					child = append(child, rest)
				case "used":
					var item int
					var value, unit string
					if _, err := fmt.Sscan(rest, &item, &value, &unit); err != nil {
						t.Fatal(err)
					}
					used = append(used, q(item, eco.Decimal(value), unit))
				}
			}
			_, findings := eco.DrawOnOriginals(deed(t, "VN1", goods(child...)), []eco.Original{lent(t, original, used...)})
			if len(findings) != 1 || !strings.Contains(findings[0].Path+": "+findings[0].Text, want) || findings[0].Severity != eco.SeverityError {
				t.Errorf("got %+v, want %q", findings, want)
			}
		})
	}
}

// Whatever children come, in whatever units: what they take fits into the ledger, and is as much as they state.
func TestWhatChildrenTakeFitsTheLedger(t *testing.T) {
	originals := []eco.Original{lent(t, []string{"310420 1 TNE", "310420 700 LBR", "620520 60 C62"})}
	base := deed(t, "VN1")
	rapid.Check(t, func(r *rapid.T) {
		l := originals[0].Life
		for n := range rapid.IntRange(1, 12).Draw(r, "children") {
			var items []string
			for range rapid.IntRange(1, 3).Draw(r, "items") {
				items = append(items, rapid.SampledFrom([]string{"310420 %s KGM", "31042000 %s LBR", "310420 0.%s TNE", "620520 %s C62", "620520 0.%s GRO"}).Draw(r, "goods"))
				items[len(items)-1] = fmt.Sprintf(items[len(items)-1], rapid.StringMatching(`[1-9][0-9]{0,2}`).Draw(r, "value"))
			}
			child := base
			goods(items...)(&child)
			taken, findings := eco.DrawOnOriginals(child, []eco.Original{{Certificate: originals[0].Certificate, Life: l}})
			if findings != nil {
				continue
			}
			next, err := eco.Next(l, happening(eco.EventDraw, reference(fmt.Sprint("B", n)), func(e *eco.Event) { e.Items = taken[0] }))
			if err != nil {
				r.Fatalf("%v: %v", items, err)
			}
			stated, drawn := new(big.Rat), new(big.Rat)
			for _, item := range child.Items {
				add(stated, *item.Quantity)
			}
			for _, q := range taken[0] {
				add(drawn, q.Quantity)
			}
			if stated.Cmp(drawn) != 0 {
				r.Fatalf("%v takes %s, states %s", items, drawn, stated)
			}
			l = next
		}
	})
}

// add adds a measure in its base unit.
func add(sum *big.Rat, m eco.Measure) {
	inBase, _ := eco.Convert(m, eco.BaseUnit(m.Unit))
	value, _ := new(big.Rat).SetString(string(inBase.Value))
	sum.Add(sum, value)
}
