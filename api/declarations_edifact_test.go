package api_test

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/ecogate/ecogate/api"
	"github.com/ecogate/ecogate/clearance"
	"github.com/ecogate/ecogate/eco"
)

// edifact is an interchange with messages whose segments are given; UNH, UNT and UNZ are put around them.
func edifact(test bool, messages ...string) string {
	var b strings.Builder
	b.WriteString("UNB+UNOA:3+BROKER:ZZ+CUSTOMS:ZZ+261120:0830+R1" + map[bool]string{true: "++++++1"}[test] + "'\n")
	for i, m := range messages {
		fmt.Fprintf(&b, "UNH+%d+CUSDEC:D:96B:UN'\n%sUNT+%d+%[1]d'\n", i+1, m, strings.Count(m, "'")+2)
	}
	fmt.Fprintf(&b, "UNZ+%d+R1'\n", len(messages))
	return b.String()
}

// declares is a message that claims quantity of item 2 of the certificate K0012500001.
func declares(number, function, quantity string) string {
	return strings.Join([]string{
		"BGM+929+" + number + "+" + function, "LOC+22+03CC", "DTM+150:20261120:102", "NAD+IM+0201234567++RED RIVER AUTO PARTS CO., LTD", "UNS+D",
		"CST+1+854430", "FTX+AAA+++IGNITION WIRING SETS FOR MOTOR VEHICLES, PART NO. 8812-A", "LOC+27+LA", "MEA+AAR++C62:" + quantity,
		"RFF+DM:K0012500001:2", "DOC+864+K 0012500001", "LOC+91+LA", "UNS+S", "",
	}, "'\n")
}

// withDesk serves declarations about one received certificate.
func withDesk(t *testing.T) *fixture {
	t.Helper()
	desk := new(lateDesk)
	f := serve(t, func(o *api.Options) { o.Declarations = desk })
	f.imported("K0012500001", "m1@kr", "content")
	var err error
	if desk.Desk, err = clearance.NewDesk(clearance.Options{Store: f.store, Forms: eco.DefaultForms, Now: func() time.Time { return now.AddDate(0, 0, 9) }}); err != nil {
		t.Fatal(err)
	}
	return f
}

// lateDesk is a desk that is there when the store is.
type lateDesk struct{ *clearance.Desk }

func (f *fixture) edifact(t *testing.T, body string, headers ...string) (answer, api.TakenInterchange) {
	t.Helper()
	got := f.request(brokerSecret, "POST", "/api/v1/declarations", body, append([]string{"Content-Type", "application/EDIFACT"}, headers...)...)
	var taken api.TakenInterchange
	if strings.HasPrefix(got.header.Get("Content-Type"), "application/json") {
		if err := json.Unmarshal(got.body, &taken); err != nil {
			t.Fatal(err)
		}
	}
	return got, taken
}

func TestInterchangeIsTakenMessageByMessage(t *testing.T) {
	f := withDesk(t)
	body := edifact(false, declares("DEC-1", "9", "1000"), declares("DEC-2", "9", "MANY"), declares("DEC-3", "9", "1401"), declares("DEC-4", "", "1400"))
	got, taken := f.edifact(t, body)
	if got.status != 201 || len(taken.Messages) != 4 || taken.Interchange.Reference != "R1" {
		t.Fatalf("status %d: %s", got.status, got.body)
	}
	first, faulty, over, fourth := taken.Messages[0], taken.Messages[1], taken.Messages[2], taken.Messages[3]
	if !first.Fresh || first.Declaration == nil || first.Declaration.State != clearance.LodgementLodged || first.Number != "DEC-1" || first.Problem != nil {
		t.Errorf("the first is %+v", first)
	}
	if len(faulty.Faults) != 1 || faulty.Declaration != nil || !strings.Contains(faulty.Faults[0].Place(), "segment 10 MEA, element 3, component 2") {
		t.Errorf("the faulty one is %+v", faulty)
	}
	if over.Problem == nil || over.Problem.Code != api.CodeRefusedDeclaration || !strings.HasPrefix(over.Problem.Errors[0].Path, "segment 7 CST") {
		t.Errorf("the one that claims too much is %+v, %v", over, over.Problem)
	}
	if fourth.Declaration == nil || fourth.Function != "9" {
		t.Errorf("the one after them is %+v", fourth)
	}
	if log := f.log.take(); strings.Count(log, "declaration.refused") != 2 {
		t.Errorf("the log tells of %s", log)
	}

	got, taken = f.edifact(t, body)
	if got.status != 200 || taken.Messages[0].Fresh || taken.Messages[0].Declaration == nil {
		t.Errorf("sent again: status %d: %s", got.status, got.body)
	}
}

func TestMessagesAmendAndWithdraw(t *testing.T) {
	f := withDesk(t)
	f.edifact(t, edifact(false, declares("DEC-1", "9", "1000")))
	_, taken := f.edifact(t, edifact(false, declares("DEC-1", "5", "2000"), "BGM+929+DEC-1+1'\n", "BGM+929+DEC-9+1'\n"))
	if l := taken.Messages[0].Declaration; l == nil || l.Version != 2 || l.Claims[0].Taken.Value != "2000" {
		t.Errorf("amended: %+v", taken.Messages[0])
	}
	if l := taken.Messages[1].Declaration; l == nil || l.State != clearance.LodgementWithdrawn {
		t.Errorf("withdrawn: %+v", taken.Messages[1])
	}
	if p := taken.Messages[2].Problem; p == nil || p.Code != api.CodeNotFound {
		t.Errorf("withdrawn what is not there: %+v", taken.Messages[2])
	}
}

func TestTestInterchangeKeepsNothing(t *testing.T) {
	f := withDesk(t)
	got, taken := f.edifact(t, edifact(true, declares("DEC-1", "9", "1000"), strings.ReplaceAll(declares("DEC-2", "9", "10"), "DOC+864", "DOC+1")))
	if got.status != 200 || !taken.Messages[0].Tested || taken.Messages[0].Declaration != nil || taken.Messages[0].Problem != nil {
		t.Errorf("status %d: %s", got.status, got.body)
	}
	if taken.Messages[1].Problem == nil {
		t.Errorf("a test that cites nothing: %+v", taken.Messages[1])
	}
	if got := f.request(brokerSecret, "GET", "/api/v1/declarations/DEC-1", ""); got.status != 404 {
		t.Errorf("the test was kept: %s", got.body)
	}
}

func TestInterchangeThatIsNotWholeIsRefused(t *testing.T) {
	f := withDesk(t)
	body := strings.Replace(edifact(false, declares("DEC-1", "9", "1000"), declares("DEC-2", "9", "MANY")), "UNZ+2", "UNZ+3", 1)
	got, _ := f.edifact(t, body)
	p := got.problem(t)
	if got.status != 422 || p.Code != api.CodeFaultyFile || len(p.Errors) != 2 || p.Errors[0].Code != "29" || p.Errors[1].Path != "message 2, segment 10 MEA, element 3, component 2" {
		t.Errorf("status %d: %s", got.status, got.body)
	}
	got, _ = f.edifact(t, body, "Accept", "text/html, application/edifact;q=0.5")
	if got.status != 200 || !strings.Contains(string(got.body), "'UCI+R1+BROKER:ZZ+CUSTOMS:ZZ+4+29+UNZ+2:1'") {
		t.Errorf("status %d: %s", got.status, got.body)
	}
	if got := f.request(brokerSecret, "GET", "/api/v1/declarations", ""); strings.Contains(string(got.body), "DEC-1") {
		t.Errorf("a message of it was taken: %s", got.body)
	}
}

func TestInterchangeIsAnsweredByCONTRL(t *testing.T) {
	f := withDesk(t)
	got, _ := f.edifact(t, edifact(false, declares("DEC-1", "9", "1000"), declares("DEC-2", "9", "MANY"), declares("DEC-3", "9", "1401")), "Accept", "application/EDIFACT")
	want := "'UCI+R1+BROKER:ZZ+CUSTOMS:ZZ+7'UCM+1+CUSDEC:D:96B:UN+7'UCM+2+CUSDEC:D:96B:UN+4'UCS+10'UCD+37+4:2'UCM+3+CUSDEC:D:96B:UN+4+18'UNT+"
	if got.status != 201 || got.header.Get("Content-Type") != "application/edifact" || !strings.Contains(string(got.body), want) {
		t.Errorf("status %d, %s: %s", got.status, got.header.Get("Content-Type"), got.body)
	}
	if got, _ := f.edifact(t, edifact(true, declares("DEC-1", "9", "1")), "Accept", "application/EDIFACT;q=0"); got.header.Get("Content-Type") != "application/json" {
		t.Errorf("EDIFACT was answered although it is not wanted: %s", got.body)
	}
}

// The samples go through the API as they are: nothing is here that they cite, so they are taken only if they have a guarantee.
func TestSampleInterchangesAreUnderstood(t *testing.T) {
	for file, want := range map[string][]string{"plain": {"problem"}, "several": {"declaration", "problem"}, "version4": {"problem"}, "accents": {"tested"}} {
		t.Run(file, func(t *testing.T) {
			data, err := os.ReadFile("../testdata/declarations/" + file + ".edi")
			if err != nil {
				t.Fatal(err)
			}
			got, taken := withDesk(t).edifact(t, string(data))
			if len(taken.Messages) != len(want) {
				t.Fatalf("status %d: %s", got.status, got.body)
			}
			for i, m := range taken.Messages {
				found := map[bool]string{m.Problem != nil: "problem", m.Declaration != nil: "declaration", m.Tested: "tested"}[true]
				if found != want[i] {
					t.Errorf("message %s: %s, want %s: %+v", m.Reference, found, want[i], m.Problem)
				}
			}
		})
	}
}

// Each declaration of an interchange is kept, and handed over, with its own message: not with those of all others.
func TestDeclarationIsHandedOverWithItsOwnMessage(t *testing.T) {
	originals := map[string]string{}
	desk := new(lateDesk)
	f := serve(t, func(o *api.Options) { o.Declarations = desk })
	f.imported("K0012500001", "m1@kr", "content")
	var err error
	desk.Desk, err = clearance.NewDesk(clearance.Options{
		Store: f.store, Forms: eco.DefaultForms, Now: func() time.Time { return now.AddDate(0, 0, 9) },
		Handover: func(l clearance.Lodgement, original []byte, _ []clearance.Imported) ([]clearance.Docket, error) {
			originals[l.Number] = string(original)
			return nil, nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	f.edifact(t, edifact(false, declares("DEC-1", "9", "1000"), declares("DEC-2", "9", "1000")))
	for number, other := range map[string]string{"DEC-1": "DEC-2", "DEC-2": "DEC-1"} {
		if text := originals[number]; !strings.Contains(text, number) || strings.Contains(text, other) || !strings.HasSuffix(text, "UNZ+1+R1'") {
			t.Errorf("%s goes with %q", number, text)
		}
	}
	whole := edifact(false, declares("DEC-3", "9", "100"))
	if f.edifact(t, whole); originals["DEC-3"] != whole {
		t.Errorf("the only one of its interchange goes with %q", originals["DEC-3"])
	}
}
