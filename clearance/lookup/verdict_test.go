package lookup_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/ecogate/ecogate/clearance"
	"github.com/ecogate/ecogate/clearance/lookup"
	"github.com/ecogate/ecogate/eco"
	"github.com/ecogate/ecogate/exchange"
	"github.com/ecogate/ecogate/partners"
)

func TestVerdict(t *testing.T) {
	issued := eco.Date{Year: 2026, Month: 1, Day: 31}
	live := lookup.FilingMode{Filing: lookup.FilingNetworked}
	form := eco.Form{ValidityMonths: 12}
	base := clearance.Imported{
		State: eco.StateAvailable, Recorded: start, Life: eco.Life{State: eco.StateAvailable},
		Data: eco.Certificate{IssuedAt: issued, Items: []eco.Item{{Number: 1, Quantity: &eco.Measure{Value: "10", Unit: "PCE"}}, {Number: 2}}},
	}
	for _, tt := range []struct {
		name   string
		change func(*clearance.Imported)
		filing lookup.FilingMode
		form   eco.Form
		day    string
		usable bool
		why    string
	}{
		{"on the day of issue", nil, live, form, "2026-01-31", true, ""},
		{"on the last day", nil, live, form, "2027-01-31", true, ""},
		{"after the last day", nil, live, form, "2027-02-01", false, "valid until 2027-01-31"},
		{"before it was issued", nil, live, form, "2026-01-30", false, "not issued before 2026-01-31"},
		{"of a form without end", nil, live, eco.Form{}, "2099-01-01", true, ""},
		{"until its own day", func(c *clearance.Imported) { c.Life.ValidUntil = issued.AddDays(3) }, live, form, "2026-02-04", false, "valid until 2026-02-03"},
		{"cited", func(c *clearance.Imported) { c.State = eco.StateCited }, live, form, "2026-02-01", true, ""},
		{"used up", func(c *clearance.Imported) { c.State = eco.StateUsedUp }, live, form, "2026-02-01", false, "certificate is used up"},
		{"cancelled", func(c *clearance.Imported) { c.State = eco.StateCancelled }, live, form, "2026-02-01", false, "certificate is cancelled"},
		{"in parallel", nil, lookup.FilingOf(partners.ModeParallel, false), form, "2026-02-01", true, ""},
		{"of a test", nil, lookup.FilingOf(partners.ModeTest, false), form, "2026-02-01", false, "exchanged as a test: only the paper counts"},
	} {
		c := base
		if tt.change != nil {
			tt.change(&c)
		}
		day, err := eco.ParseDate(tt.day)
		if err != nil {
			t.Fatal(err)
		}
		v := lookup.Judge(c, tt.form, tt.filing, day)
		if v.Usable != tt.usable || v.WhyNot != tt.why || v.Cancelled != (c.State == eco.StateCancelled) || !v.Arrived {
			t.Errorf("%s: %+v", tt.name, v)
		}
		if len(v.Balances) != 2 || v.Balances[0].Free.Value != "10" || v.Balances[1].Free != nil {
			t.Errorf("%s: balances %+v", tt.name, v.Balances)
		}
	}
	if f := lookup.FilingOf("", true); f.Filing != lookup.FilingNetworked || !f.Fallback {
		t.Errorf("while the exchange is interrupted: %+v", f)
	}
}

func TestVerdictCountsTheLife(t *testing.T) {
	at := func(n int) time.Time { return start.Add(time.Duration(n) * time.Hour) }
	life := eco.Life{Side: eco.SideImporting}
	for _, e := range []eco.Event{
		{Kind: eco.EventReceive, At: at(0), Content: "c", Declared: []eco.ItemQuantity{{Item: 1, Quantity: eco.Measure{Value: "10", Unit: "PCE"}}}},
		{Kind: eco.EventAdmit, At: at(0)},
		{Kind: eco.EventCite, At: at(1), Reference: "D1"},
		{Kind: eco.EventUse, At: at(1), Reference: "D1", Items: []eco.ItemQuantity{{Item: 1, Quantity: eco.Measure{Value: "4", Unit: "PCE"}}}},
		{Kind: eco.EventReverse, At: at(2), Reference: "D1"}, // and anew at once, as a decision about one of several claims does
		{Kind: eco.EventCite, At: at(2), Reference: "D1"},
		{Kind: eco.EventUse, At: at(2), Reference: "D1", Items: []eco.ItemQuantity{{Item: 1, Quantity: eco.Measure{Value: "4", Unit: "PCE"}}}},
		{Kind: eco.EventCite, At: at(2), Reference: "D2", Items: []eco.ItemQuantity{{Item: 1, Quantity: eco.Measure{Value: "5", Unit: "PCE"}}}, HoldUntil: at(99)},
	} {
		e.By = "officer"
		next, err := eco.Next(life, e)
		if err != nil {
			t.Fatal(err)
		}
		life = next
	}
	v := lookup.Judge(clearance.Imported{State: life.State, Life: life, Recorded: at(0)}, eco.Form{}, lookup.FilingMode{}, eco.DateOf(start))
	b := v.Balances[0]
	if b.Declared.Value != "10" || b.Used.Value != "4" || b.Reserved.Value != "5" || b.Free.Value != "1" {
		t.Errorf("balance %+v", b)
	}
	var chain []string
	for _, step := range v.Chain {
		chain = append(chain, string(step.State)+" "+step.At.Format("15"))
	}
	if got, want := strings.Join(chain, ", "), "received 08, available 08, cited 09, used in part 09"; got != want {
		t.Errorf("chain %q, want %q", got, want)
	}
	v = lookup.Judge(clearance.Imported{State: eco.StateInConflict, Life: life, Recorded: at(0)}, eco.Form{}, lookup.FilingMode{}, eco.DateOf(start))
	if last := v.Chain[len(v.Chain)-1]; last.State != eco.StateInConflict || !last.At.IsZero() {
		t.Errorf("the last step of one in conflict: %+v", last)
	}
}

func TestNotReceived(t *testing.T) {
	w := newWorld(t, nil)
	w.parties["house"] = []eco.PartyName{bolts}
	w.arrive("R1", nil)
	for name, tt := range map[string]struct {
		key   string
		all   bool
		q     lookup.StatementRequest
		scope lookup.Scope
		want  error
	}{
		"officer, not here":                {"officer", true, lookup.StatementRequest{Reference: "R-2"}, lookup.ScopeAll, nil},
		"officer, here":                    {"officer", true, lookup.StatementRequest{Reference: "R-1"}, "", lookup.ErrArrived},
		"officer, here, of another form":   {"officer", true, lookup.StatementRequest{Reference: "R-1", Form: "AK"}, lookup.ScopeAll, nil},
		"officer, here for another":        {"officer", true, lookup.StatementRequest{Reference: "R-1", Importer: bolts}, lookup.ScopeImporter, nil},
		"importer, here":                   {"importer", false, lookup.StatementRequest{Reference: "R-1"}, "", lookup.ErrArrived},
		"importer, not here":               {"importer", false, lookup.StatementRequest{Reference: "R-2", Importer: acme}, lookup.ScopeImporter, nil},
		"importer of another":              {"importer", false, lookup.StatementRequest{Reference: "R-2", Importer: bolts}, "", lookup.ErrNotYours},
		"broker, here and not his":         {"house", false, lookup.StatementRequest{Reference: "R-1"}, lookup.ScopeReader, nil},
		"broker, not here":                 {"house", false, lookup.StatementRequest{Reference: "R-2"}, lookup.ScopeReader, nil},
		"broker for his importer":          {"house", false, lookup.StatementRequest{Reference: "R-1", Importer: bolts}, lookup.ScopeImporter, nil},
		"broker who knows the invoice":     {"house", false, lookup.StatementRequest{Reference: "R-1", Invoice: "INV 7"}, "", lookup.ErrArrived},
		"broker with another invoice":      {"house", false, lookup.StatementRequest{Reference: "R-1", Invoice: "INV 9"}, lookup.ScopeInvoice, nil},
		"nothing":                          {"officer", true, lookup.StatementRequest{Reference: "-"}, "", lookup.ErrInvalid},
		"a reference that is far too long": {"officer", true, lookup.StatementRequest{Reference: strings.Repeat("1", 501)}, "", lookup.ErrInvalid},
	} {
		s, signed, err := w.desk.NotReceived(t.Context(), w.reader(tt.key), tt.all, tt.q)
		if !errors.Is(err, tt.want) || s.Scope != tt.scope {
			t.Errorf("%s: scope %q, %v; want %q, %v", name, s.Scope, err, tt.scope, tt.want)
			continue
		}
		var read lookup.NotReceived
		if err == nil && (json.Unmarshal(signed, &read) != nil || read != s || s.Type != lookup.StatementType || s.Node != "TW" || !s.At.Equal(start) || s.Applicant != tt.key) {
			t.Errorf("%s: signed %s", name, signed)
		}
	}
	s, _, err := w.desk.NotReceived(t.Context(), w.reader("house"), false, lookup.StatementRequest{Reference: "R-1"})
	want := "At 2026-11-20T08:30:00Z, no certificate of origin with the reference R-1 had been received for an importer for whom house acts. Whether one had been received for somebody else is not said."
	if err != nil || s.Text != want {
		t.Errorf("%s, %v", s.Text, err)
	}
	silent := newWorld(t, func(o *lookup.Options) { o.Sign = nil })
	if _, _, err := silent.desk.NotReceived(t.Context(), silent.reader("officer"), true, lookup.StatementRequest{Reference: "R1"}); !errors.Is(err, lookup.ErrNoKey) {
		t.Errorf("without a key: %v", err)
	}
}

func TestReport(t *testing.T) {
	w := newWorld(t, nil)
	w.arrive("R-1", func(c *exchange.Certificate) {
		c.Findings = []eco.Finding{{Code: "D07", Severity: "warning", Path: "items[0]", Text: "no weight\nreference\tFORGED"}}
	})
	c := w.imported("R1")
	r := lookup.ReportOf(c, lookup.Evidence{
		MessageSigner: "aa", CPAID: "urn:cpa", OctetsRead: start.Add(time.Minute),
		Credential: func(sha256 string) lookup.Credential {
			return lookup.Credential{Subject: "CN=" + sha256, Issuer: "CN=ca", NotBefore: start, NotAfter: start.AddDate(1, 0, 0), Revoked: "2026-12-01T00:00:00Z, keyCompromise"}
		},
	}, start.Add(time.Hour))
	text := r.Text()
	for _, line := range []string{
		"VERIFICATION REPORT  KR/ATIGA-D/R1", "reference            R-1", "made                 2026-11-20T09:30:00Z", "received             2026-11-20T08:30:00Z from KR",
		"message signature    passed 2026-11-20T08:30:00Z", "  credential         SHA-256 aa", "  subject            CN=aa", "document signature   passed 2026-11-20T08:30:00Z",
		"  credential         SHA-256 d1", "  revoked            2026-12-01T00:00:00Z, keyCompromise", "stored octets        passed 2026-11-20T08:31:00Z",
		"warning              D07 items[0]: no weight reference FORGED",
	} {
		if !strings.Contains(text, line+"\n") {
			t.Errorf("the report lacks %q:\n%s", line, text)
		}
	}
	if n := len(r.Checks); n != 4 || r.SHA256 != c.Document.SHA256 || r.Mode != partners.ModeLive {
		t.Errorf("%+v", r)
	}
	bare := lookup.ReportOf(c, lookup.Evidence{}, start)
	if bare.Checks[0].Result != lookup.NotRecorded || len(bare.Checks) != 3 {
		t.Errorf("without a message signature: %+v", bare.Checks)
	}
}
