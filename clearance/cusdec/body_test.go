package cusdec_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/ecogate/ecogate/clearance/cusdec"
)

// one is an interchange with a message of these segments after a sound beginning; "UNS+D" is among them.
func one(segments string) []byte {
	body := "UNH+1+CUSDEC:D:96B:UN'BGM+929+DEC-1+9'" + segments
	return fmt.Appendf(nil, "UNB+UNOC:3+A+B+261129:0915+R'%sUNT+%d+1'UNZ+1+R'", body, strings.Count(body, "'")+1)
}

// Where a segment stands decides what it is about.
func TestSegmentsAreReadInTheirPlace(t *testing.T) {
	for _, test := range []struct{ name, segments, want string }{
		{"the best date of several", "DTM+137:20261101:102'DTM+148:20261103:102'DTM+150:20261102:102'UNS+D'CST+1'", `"lodged":"2026-11-03"`},
		{"the date of a reference is not the declaration's", "DTM+137:20261101:102'RFF+ABT:X'DTM+148:20261103:102'UNS+D'CST+1'", `"lodged":"2026-11-01"`},
		{"importer before consignee", "NAD+CN+++CONSIGNEE'NAD+IM+++IMPORTER'UNS+D'CST+1'", `"importer":{"name":"IMPORTER"}`},
		{"a registration number is the party's before it", "NAD+IM+1'NAD+EX+2'RFF+VA:3'UNS+D'CST+1'", `"importer":{"name":"","identifiers":[{"scheme":"TAX","value":"1"}]}`},
		{"a party in lines", "NAD+IM++NAME:STREET 1:CITY'UNS+D'CST+1'", `"importer":{"name":"NAME","address":{"lines":["STREET 1","CITY"]}}`},
		{"the tariff code after a party of an item", "UNS+D'CST+1'NAD+SU+9'RFF+HS:848340'", `"hs":"848340"`},
		{"the tariff code of a list before the first code", "UNS+D'CST+1+40+84834000A:169'", `"hs":"84834000"`},
		{"a procedure is no tariff code", "UNS+D'CST+1+400000:117'", `"lines":[{"number":1}]`},
		{"the place of a document is not the origin", "UNS+D'CST+1'DOC+861+C'LOC+27+KR'", `"citations":[{"reference":"C"}]`},
		{"an amount of tax is not the value", "UNS+D'CST+1'TAX+1'MOA+40:5:USD'", `"lines":[{"number":1}]`},
		{"an amount without any currency is skipped", "UNS+D'CST+1'MOA+38:5'", `"lines":[{"number":1}]`},
		{"figures of single goods of an item are not the item's", "UNS+D'CST+1'GIR+1+X'MEA+AAR++SET:1'DOC+861+C'", `"lines":[{"number":1}]`},
		{"packages add up", "UNS+D'CST+1'PAC+2'PCI++M'FTX+AAA+++MARKS'PAC+3'", `"lines":[{"number":1,"packages":5}]`},
		{"items without numbers are counted", "UNS+D'CST'CST'", `"lines":[{"number":1},{"number":2}]`},
		{"the only certificate of the header is for every item", "DOC+861+C'UNS+D'CST+1'CST+2'DOC+864+D'",
			`"lines":[{"number":1,"citations":[{"reference":"C"}]},{"number":2,"citations":[{"reference":"D"}]}]`},
		{"several of the header are for the items that name them", "DOC+861+C'DOC+861+D'UNS+D'CST+1'CST+2'RFF+DM:d:4'RFF+DM:c:2'",
			`"lines":[{"number":1},{"number":2,"citations":[{"reference":"C","item":2},{"reference":"D","item":4}]}]`},
		{"totals are not goods", "UNS+D'CST+1'UNS+S'MOA+38:5:USD'", `"lines":[{"number":1}]`},
		{"lines do not count beside items", "UNS+D'DMS+1'LIN+1'QTY+47:3:C62'CST+1'", `"lines":[{"number":1}]`},
		{"code of a form that is known", "UNS+D'CST+1'DOC+864:::ATIGA-D+C'", `"form":"ATIGA-D"`},
		{"words that are no code of a form", "UNS+D'CST+1'DOC+864:::FORM D+C'", `"citations":[{"reference":"C"}]`},
	} {
		t.Run(test.name, func(t *testing.T) {
			interchange, messages := read(t, one(test.segments), cusdec.Limits{})
			faultless(t, interchange, messages)
			found, err := json.Marshal(messages[0].Declaration)
			if err != nil {
				t.Fatal(err)
			}
			if !strings.Contains(string(found), test.want) {
				t.Errorf("read %s, want %s", found, test.want)
			}
		})
	}
}

// Every segment is read, listed as skipped, or gives the message its form.
func TestWhatIsNotReadIsListed(t *testing.T) {
	_, messages := read(t, one("GIS+N'UNS+D'DMS+1'LIN+1'CST+1+848340'TAX+1'MOA+55:1:USD'UNS+S'CNT+5:1'"), cusdec.Limits{Skipped: 5})
	m := messages[0]
	var found []string
	for _, s := range m.Skipped {
		found = append(found, fmt.Sprint(s.Segment, " ", s.Text))
	}
	if want := "3 GIS+N, 5 DMS+1, 8 TAX+1, 9 MOA+55:1:USD, 11 CNT+5:1"; strings.Join(found, ", ") != want || m.MoreSkipped != 1 {
		t.Errorf("skipped %s and %d more, want %s and 1", strings.Join(found, ", "), m.MoreSkipped, want)
	}
	if place := m.Place("lines[0].hs"); place != "segment 7 CST hs" {
		t.Errorf("lines[0].hs is at %q", place)
	}
	for _, path := range []string{"number", "lines[1].hs", "lines[x]", "lines"} {
		if place := m.Place(path); place != "" {
			t.Errorf("%s is at %q", path, place)
		}
	}
}

// What is kept with a declaration is its own message, in an interchange that says the same.
func TestEachMessageHasAnInterchangeOfItsOwn(t *testing.T) {
	messages := "UNH|1|CUSDEC-D-96B-UN~\nBGM|929|DEC|9~UNS|D~CST|1|848340~UNT|5|1~\nUNH|2|CUSDEC-D-96B-UN~BGM|929|DEC!-2|9~UNS|D~CST|1|848341~CST|2~UNT|6|2~\n"
	data := "UNA-|.! ~\nUNB|UNOC-3|A|B|261129-0915|R!|7~\n" + messages + "UNZ|2|R!|7~"
	interchange, all := read(t, []byte(data), cusdec.Limits{})
	faultless(t, interchange, all)
	for i, m := range all {
		if want := strings.Count(string(m.Original), "UNH"); want != 1 || strings.Contains(string(m.Original), map[int]string{0: "DEC!-2", 1: "848340"}[i]) {
			t.Errorf("message %d goes with %q", i+1, m.Original)
		}
		again, alone := read(t, m.Original, cusdec.Limits{})
		faultless(t, again, alone)
		if len(alone) != 1 || again.Reference != "R|7" || alone[0].Reference != m.Reference || alone[0].Declaration.Number != m.Declaration.Number || len(alone[0].Declaration.Lines) != i+1 {
			t.Errorf("message %d alone: %+v", i+1, again)
		}
	}
}

// Nothing that a message says of goods and certificates is lost without a word, or taken for something else.
func TestNothingIsTakenForSomethingElse(t *testing.T) {
	for _, test := range []struct{ name, segments, want string }{
		{"a second gross weight is no quantity", "UNS+D'CST+1'MEA+AAE+AAB+KGM:40'MEA+AAE+AAD+KGM:50'MEA+AAE+AAC+KGM:30'MEA+AAE+AAA+KGM:20'",
			`{"number":1,"net_weight":{"value":"20","unit":"KGM"},"gross_weight":{"value":"40","unit":"KGM"}}`},
		{"lines of two invoices with one number beside items", "UNS+D'DMS+1'LIN+1'DMS+2'LIN+1'CST+1'", `"lines":[{"number":1}]`},
	} {
		t.Run(test.name, func(t *testing.T) {
			interchange, messages := read(t, one(test.segments), cusdec.Limits{})
			faultless(t, interchange, messages)
			found, err := json.Marshal(messages[0].Declaration)
			if err != nil || !strings.Contains(string(found), test.want) {
				t.Errorf("read %s, want %s, %v", found, test.want, err)
			}
		})
	}
	interchange, messages := read(t, one("DOC+861+C'DOC+861+D'UNS+D'CST+1'RFF+DM:C:1'"), cusdec.Limits{})
	faultless(t, interchange, messages)
	if m := messages[0]; len(m.Skipped) != 1 || m.Skipped[0] != (cusdec.Skipped{Segment: 4, Text: "DOC+861+D"}) {
		t.Errorf("skipped %+v, want the certificate that no item claims", m.Skipped)
	}
}

// Syntax 4 repeats C246 of CST where the others have it five times.
func TestRepeatedTariffCodes(t *testing.T) {
	data := strings.Replace(string(one("UNS+D'CST+1+4000:117*8471300000:122'")), "UNOC:3", "UNOC:4", 1)
	interchange, messages := read(t, []byte(data), cusdec.Limits{})
	faultless(t, interchange, messages)
	if hs := messages[0].Declaration.Lines[0].HS; hs != "8471300000" {
		t.Errorf("tariff code %q", hs)
	}
}
