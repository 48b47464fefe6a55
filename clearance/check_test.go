package clearance_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/ecogate/ecogate/clearance"
	"github.com/ecogate/ecogate/eco"
)

// imported is a certificate as a store gives it.
func imported(t testing.TB, c eco.Certificate, change ...func(*clearance.Imported)) clearance.Imported {
	t.Helper()
	life := eco.Life{Side: eco.SideImporting}
	for _, e := range []eco.Event{{Kind: eco.EventReceive, Content: "first", Declared: eco.DeclaredQuantities(c)}, {Kind: eco.EventAdmit}} {
		e.At, e.By = noon, "node"
		next, err := eco.Next(life, e)
		if err != nil {
			t.Fatal(err)
		}
		life = next
	}
	i := clearance.Imported{
		Seq: 1, Key: clearance.Key{Country: c.IssuingCountry, Form: c.Form, Reference: eco.NormaliseReference(c.Reference)},
		State: life.State, Life: life, Partner: "PARTNER", Recorded: noon, Data: c,
	}
	for _, f := range change {
		f(&i)
	}
	return i
}

func evidence(found ...clearance.Imported) clearance.Evidence {
	e := clearance.Evidence{Cited: map[string][]clearance.Imported{}, Forms: eco.DefaultForms(), Now: noon, Day: eco.DateOf(noon), Strict: true}
	for _, f := range found {
		e.Cited[f.Key.Reference] = append(e.Cited[f.Key.Reference], f)
	}
	return e
}

func state(s eco.State) func(*clearance.Imported) {
	return func(i *clearance.Imported) { i.State, i.Life.State = s, s }
}

func TestCheckSaysWhatIsWrong(t *testing.T) {
	c := certificate(t, "D1")
	whole := declaration(c, "CX/26/1", 2)
	type change func(d *clearance.Declaration, e *clearance.Evidence)
	with := func(changes ...func(*clearance.Imported)) change {
		return func(_ *clearance.Declaration, e *clearance.Evidence) {
			e.Cited["D1"] = []clearance.Imported{imported(t, c, changes...)}
		}
	}
	line := func(f func(*clearance.Line)) change {
		return func(d *clearance.Declaration, _ *clearance.Evidence) { f(&d.Lines[0]) }
	}
	guarantee := func(d *clearance.Declaration, _ *clearance.Evidence) {
		d.Guarantee = &clearance.Guarantee{Number: "G1"}
	}
	late := c.IssuedAt.AddMonths(12).AddDays(1)
	tests := []struct {
		name    string
		changes []change
		// want are code, severity and path of each finding, and a part of its text.
		want []string
	}{
		{"nothing", nil, nil},
		{"never received", []change{func(_ *clearance.Declaration, e *clearance.Evidence) { e.Cited = nil }},
			[]string{"C01 error lines[0].citations[0].reference want a certificate that was received"}},
		{"never received, on guarantee", []change{guarantee, func(_ *clearance.Declaration, e *clearance.Evidence) { e.Cited = nil }},
			[]string{"C01 warning lines[0].citations[0].reference want a certificate that was received"}},
		{"of a test", []change{with(func(i *clearance.Imported) { i.Key.Test = true })}, []string{"C01 error lines[0].citations[0].reference of an exchange for test"}},
		{"another country", []change{line(func(l *clearance.Line) { l.Citations[0].Country = "KR" })}, []string{"C01 error lines[0].citations[0].reference"}},
		{"two of one number", []change{func(_ *clearance.Declaration, e *clearance.Evidence) {
			e.Cited["D1"] = append(e.Cited["D1"], imported(t, c, func(i *clearance.Imported) { i.Seq, i.Key.Country = 2, "KR" }))
		}}, []string{"D01 error lines[0].citations[0].reference want one certificate, found LA/ATIGA-D/D1 and KR/ATIGA-D/D1"}},
		{"one that replaced the other under its number", []change{func(_ *clearance.Declaration, e *clearance.Evidence) {
			e.Cited["D1"] = append(e.Cited["D1"], imported(t, c, state(eco.StateReplaced), func(i *clearance.Imported) { i.Seq = 2 }))
		}}, nil},
		{"in conflict", []change{with(state(eco.StateInConflict))}, []string{"D02 error lines[0].citations[0].reference neither counts"}},
		{"waits for its turn", []change{with(state(eco.StateReceived))}, []string{"C01 error lines[0].citations[0].reference waits for messages"}},
		{"refused at the door", []change{with(state(eco.StateRefused))}, []string{"C01 error lines[0].citations[0].reference refused at the door"}},
		{"cancelled", []change{with(state(eco.StateCancelled))}, []string{"C07 error lines[0].citations[0].reference which was cancelled"}},
		{"replaced", []change{with(state(eco.StateReplaced), func(i *clearance.Imported) {
			i.Successor = &clearance.Key{Country: "LA", Form: "ATIGA-D", Reference: "D2"}
		})},
			[]string{"C07 error lines[0].citations[0].reference replaced by LA/ATIGA-D/D2"}},
		{"used up", []change{with(state(eco.StateUsedUp))}, []string{"C06 error lines[0].citations[0].reference is used up"}},
		{"denied", []change{with(state(eco.StateDenied))}, []string{"C12 error lines[0].citations[0].reference preference was denied"}},
		{"item denied", []change{with(func(i *clearance.Imported) { i.Life.Items[1].Denied = true })}, []string{"C12 error lines[0].citations[0].item that of item 2 was denied"}},
		{"suspended", []change{with(state(eco.StateSuspended))}, []string{"C04 error lines[0].citations[0].reference which is being verified"}},
		{"suspended, on guarantee", []change{with(state(eco.StateSuspended)), guarantee}, []string{"C04 warning lines[0].citations[0].reference which is being verified"}},
		{"too late", []change{func(_ *clearance.Declaration, e *clearance.Evidence) { e.Day = late }}, []string{"C05 error lines[0].citations[0].reference want a day until"}},
		{"too late, by an officer's word", []change{func(d *clearance.Declaration, e *clearance.Evidence) {
			e.Day, e.Officer, d.Override = late, true, "ARRIVED IN TIME"
		}}, []string{"C05 warning lines[0].citations[0].reference want a day until"}},
		{"an override of somebody else", []change{func(d *clearance.Declaration, e *clearance.Evidence) { d.Override = "PLEASE" }}, []string{"C05 error override want an officer's word"}},
		{"lodged in the future", []change{func(d *clearance.Declaration, _ *clearance.Evidence) { d.Lodged = d.Lodged.AddDays(2) }}, []string{"D04 error lodged want a day until"}},
		{"before it was issued", []change{func(_ *clearance.Declaration, e *clearance.Evidence) { e.Day = c.IssuedAt.AddDays(-1) }}, []string{"D04 warning lines[0].citations[0].reference issued on"}},
		{"another importer", []change{func(d *clearance.Declaration, _ *clearance.Evidence) { d.Importer = eco.Party{Name: "SOMEBODY ELSE"} }},
			[]string{"C10 error importer want the importer that certificate D1 names"}},
		{"another importer, for an officer to see", []change{func(d *clearance.Declaration, e *clearance.Evidence) {
			d.Importer, e.Strict = eco.Party{Name: "SOMEBODY ELSE"}, false
		}}, []string{"C10 warning importer"}},
		{"the importer's name as people write it", []change{func(d *clearance.Declaration, _ *clearance.Evidence) {
			d.Importer = eco.Party{Name: "Red River Industrial Supply, J.S.C."}
		}}, nil},
		{"no item", []change{line(func(l *clearance.Line) { l.Citations[0].Item = 0 })}, []string{"C02 error lines[0].citations[0].item want the number of an item, found none"}},
		{"an item that is not there", []change{line(func(l *clearance.Line) { l.Citations[0].Item = 9 })}, []string{"C02 error lines[0].citations[0].item found 9"}},
		{"classified otherwise", []change{line(func(l *clearance.Line) { l.HS = "85443010" }), line(func(l *clearance.Line) { l.HS = "85444200" })}, []string{"C08 error lines[0].hs"}},
		{"a longer code", []change{line(func(l *clearance.Line) { l.HS = "85443010" })}, nil},
		{"other goods", []change{line(func(l *clearance.Line) { l.Description = "BICYCLES" })}, []string{"C02 error lines[0].description"}},
		{"other spelling", []change{line(func(l *clearance.Line) { l.Description = "Ignition wiring sets  for motor vehicles, part no. 8812-A" })}, nil},
		{"more than there is", []change{line(func(l *clearance.Line) { l.Quantity = &eco.Measure{Value: "201", Unit: "DZN"} })},
			[]string{"C06 error lines[0].citations[0].quantity want at most 2400 C62"}},
		{"more than is free", []change{with(func(i *clearance.Imported) {
			next, err := eco.Next(i.Life, eco.Event{Kind: eco.EventCite, At: noon, By: "x", Reference: "OTHER", Items: []eco.ItemQuantity{{Item: 2, Quantity: eco.Measure{Value: "1", Unit: "C62"}}}})
			if err != nil {
				t.Fatal(err)
			}
			i.Life, i.State = next, next.State
		})}, []string{"C06 error lines[0].citations[0].quantity want at most 2399 C62"}},
		{"twice the half and a little", []change{func(d *clearance.Declaration, _ *clearance.Evidence) {
			half := eco.Measure{Value: "1201", Unit: "C62"}
			d.Lines[0].Quantity, d.Lines[0].GrossWeight, d.Lines[0].Packages = &half, nil, 0
			other := d.Lines[0]
			other.Number = 2
			d.Lines = append(d.Lines, other)
		}}, []string{"C06 error lines[0].citations[0].quantity found 2402 C62"}},
		{"another unit", []change{line(func(l *clearance.Line) { l.Quantity, l.GrossWeight = &eco.Measure{Value: "1", Unit: "MTK"}, nil })},
			[]string{"D11 error lines[0].citations[0].quantity want a quantity that compares with the 2400 C62"}},
		{"two citations without quantities", []change{line(func(l *clearance.Line) {
			l.Citations = append(l.Citations, clearance.Citation{Reference: "D1", Item: 1})
		})}, []string{"D11 error lines[0].citations[0].quantity how much of line 1", "D11 error lines[0].citations[1].quantity how much of line 1"}},
		{"single use, cited by another", []change{with(func(i *clearance.Imported) { i.Life.SingleUse, i.Life.Declarations = true, []string{"OTHER"} })},
			[]string{"C06 error lines[0].citations[0].reference may be used by one declaration"}},
		{"its original was cancelled", []change{with(func(i *clearance.Imported) {
			i.Data.Related = []eco.RelatedCertificate{{Relation: eco.RelationBackToBack, Reference: "P-1"}}
		}), func(_ *clearance.Declaration, e *clearance.Evidence) {
			e.Originals = map[string][]clearance.Imported{"P1": {imported(t, certificate(t, "P-1"), state(eco.StateCancelled))}}
		}}, []string{"D14 error lines[0].citations[0].reference want the original P-1"}},
		{"everything at once", []change{with(state(eco.StateCancelled)), func(d *clearance.Declaration, e *clearance.Evidence) {
			d.Importer, e.Day = eco.Party{Name: "SOMEBODY ELSE"}, late
			d.Lines[0].HS = "010121"
		}}, []string{"C07 error", "C05 error", "C10 error", "C08 error"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d := whole
			d.Lines = slices.Clone(whole.Lines)
			d.Lines[0].Citations = slices.Clone(whole.Lines[0].Citations)
			e := evidence(imported(t, c))
			for _, change := range tt.changes {
				change(&d, &e)
			}
			a := clearance.Check(d, e)
			for i, f := range a.Findings {
				text := strings.Join([]string{f.Code, string(f.Severity), f.Path, f.Text}, " ")
				if f.Text == "" || f.Fix == "" || !strings.Contains(f.Text, "found") && !strings.Contains(f.Text, "was denied") && !strings.Contains(f.Text, "another cites") {
					t.Errorf("says too little: %+v", f)
				}
				if i >= len(tt.want) {
					t.Errorf("not wanted: %s", text)
					continue
				}
				for _, part := range strings.SplitN(tt.want[i], " ", 4) {
					if !strings.Contains(text, part) {
						t.Errorf("got %s, want %s", text, tt.want[i])
					}
				}
			}
			if len(a.Findings) < len(tt.want) {
				t.Errorf("missing: %q", tt.want[len(a.Findings):])
			}
		})
	}
}
