package api_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ecogate/ecogate/api"
	"github.com/ecogate/ecogate/clearance"
	"github.com/ecogate/ecogate/clearance/lookup"
	"github.com/ecogate/ecogate/exchange"
)

// forwarderSecret is that of a broker who stands for nobody.
const forwarderSecret = "forwarder-secret-8"

// lookupKeys are those of keys with one more broker.
func lookupKeys() []api.Key {
	return append(keys(), api.Key{Name: "other", Role: api.RoleBroker, SHA256: digest([]byte(forwarderSecret))})
}

// counting is a store that counts what is read and written in it.
type counting struct {
	clearance.Store
	reader  api.Reader
	auditor api.Auditor
	calls   map[string]int
}

func (c *counting) Imported(ctx context.Context, q clearance.ImportedQuery) ([]clearance.Imported, error) {
	c.calls["imported"]++
	return c.Store.Imported(ctx, q)
}

func (c *counting) Dockets(ctx context.Context, q clearance.DocketQuery) ([]clearance.Docket, error) {
	c.calls["dockets "+string(q.Kind)]++
	return c.Store.Dockets(ctx, q)
}

func (c *counting) File(ctx context.Context, b clearance.Batch) error {
	c.calls["file"]++
	return c.Store.File(ctx, b)
}

func (c *counting) Record(ctx context.Context, entries []exchange.AuditEntry) error {
	c.calls["audit"]++
	return c.auditor.Record(ctx, entries)
}

func (c *counting) Messages(ctx context.Context, q exchange.MessageQuery) ([]exchange.Message, error) {
	c.calls["messages"]++
	return c.reader.Messages(ctx, q)
}

func (c *counting) Certificates(ctx context.Context, q exchange.CertificateQuery) ([]exchange.Certificate, error) {
	c.calls["certificates"]++
	return c.reader.Certificates(ctx, q)
}

func (c *counting) Raw(ctx context.Context, ref exchange.RawRef) (exchange.Content, error) {
	c.calls["raw"]++
	return c.reader.Raw(ctx, ref)
}

// lookups is a served API with more users, whose store is counted.
type lookups struct {
	*fixture
	calls *counting
	// waits counts how often an answer was held back until the floor.
	waits int
	desk  *lookup.Desk
	now   time.Time
}

func serveLookups(t *testing.T, adjust func(*api.Options, *lookup.Options)) *lookups {
	t.Helper()
	l := &lookups{now: now}
	l.fixture = serve(t, func(o *api.Options) {
		l.calls = &counting{Store: o.Lookups.Store, reader: o.Store, auditor: o.Audit, calls: map[string]int{}}
		o.Now = func() time.Time { return l.now }
		o.Keys = keySet(t, lookupKeys())
		o.Store, o.Audit = l.calls, l.calls
		d := lookup.Options{
			Store: l.calls, Now: o.Now, Wait: func(context.Context, time.Duration) { l.waits++ }, Parties: o.Keys.Parties, Node: "TW",
			Sign: func(content []byte, _ time.Time) ([]byte, error) { return content, nil },
		}
		if adjust != nil {
			adjust(o, &d)
		}
		l.desk = desk(t, d)
		o.Lookups = l.desk
	})
	return l
}

// TestBrokerCannotEnumerateReferences: what is not his, what is not there and what he guesses wrong answer alike, octet for octet, after the same work.
func TestBrokerCannotEnumerateReferences(t *testing.T) {
	l := serveLookups(t, nil)
	l.imported("VN-KR 25/02/01234", "in@kr", "said") // certificate 1
	l.imported("VN-KR 25/02/09999", "other@kr", "more")
	const there, absent = "VNKR250201234", "VNKR250201235"
	type outcome struct {
		status int
		header string
		body   string
		calls  string
		waits  int
	}
	ask := func(method, target, body string) outcome {
		l.calls.calls = map[string]int{}
		l.waits = 0
		got := l.request(forwarderSecret, method, target, body, "X-Correlation-Id", "same")
		got.header.Del("Date")
		for _, reference := range []string{there, absent} { // what he asked for himself
			got.body = []byte(strings.ReplaceAll(string(got.body), reference, "REFERENCE"))
		}
		got.body = []byte(strings.NewReplacer("documents/99", "documents/N", "documents/1", "documents/N").Replace(string(got.body)))
		got.header.Del("Content-Length")
		header, _ := json.Marshal(got.header)
		calls, _ := json.Marshal(l.calls.calls)
		return outcome{got.status, string(header), string(got.body), string(calls), l.waits}
	}
	for name, pair := range map[string][][3]string{
		"look-up": {
			{"GET", "/api/v1/certificates/" + absent, ""},
			{"GET", "/api/v1/certificates/" + there, ""},
		},
		"look-up with a second factor": {
			{"GET", "/api/v1/certificates/" + absent + "?invoice=SG-26-0000", ""},
			{"GET", "/api/v1/certificates/" + there + "?invoice=SG-26-0000", ""},
			{"GET", "/api/v1/certificates/" + absent + "?invoice=SG-26-5521", ""},
		},
		"rendition": {
			{"GET", "/api/v1/certificates/" + absent + "/pdf?invoice=1", ""},
			{"GET", "/api/v1/certificates/" + there + "/pdf?invoice=1", ""},
		},
		"verification report": {
			{"GET", "/api/v1/certificates/" + absent + "/verification", ""},
			{"GET", "/api/v1/certificates/" + there + "/verification", ""},
		},
		"document": {
			{"GET", "/api/v1/documents/99", ""},
			{"GET", "/api/v1/documents/1", ""},
		},
		"batch": {
			{"POST", "/api/v1/lookups", `{"lines":[{"reference":"` + absent + `"},{"reference":"` + absent + `","invoice":"1"}]}`},
			{"POST", "/api/v1/lookups", `{"lines":[{"reference":"` + there + `"},{"reference":"` + there + `","invoice":"1"}]}`},
		},
		"search": {
			{"GET", "/api/v1/certificates?reference=" + absent, ""},
			{"GET", "/api/v1/certificates?reference=" + there, ""},
			{"GET", "/api/v1/certificates?invoice=SG-26-5521", ""},
		},
	} {
		first := ask(pair[0][0], pair[0][1], pair[0][2])
		for _, other := range pair[1:] {
			if got := ask(other[0], other[1], other[2]); got != first {
				t.Errorf("%s: %s is told apart\n%+v\n%+v", name, other[1], got, first)
			}
		}
		if restrained := first.status == http.StatusNotFound || name == "batch"; restrained != (first.waits == 1) {
			t.Errorf("%s: status %d was held back %d times", name, first.status, first.waits)
		}
	}
	// Watches and statements: their ids and instants aside.
	for _, target := range []string{"/api/v1/watches", "/api/v1/not-received"} {
		var kept []string
		for _, reference := range []string{absent, there} {
			got := ask("POST", target, `{"reference":"`+reference+`","invoice":"wrong"}`)
			var members map[string]any
			if err := json.Unmarshal([]byte(got.body), &members); err != nil || got.status >= 300 {
				t.Fatalf("%s: %d %s", target, got.status, got.body)
			}
			delete(members, "id")
			delete(members, "normalised")
			kept = append(kept, fmt.Sprint(got.status, got.header, members, got.calls, got.waits))
		}
		if kept[0] != kept[1] {
			t.Errorf("%s is told apart\n%s\n%s", target, kept[0], kept[1])
		}
	}
}

func TestBrokerComesToSeeACertificate(t *testing.T) {
	l := serveLookups(t, nil)
	l.imported("VN-KR 25/02/01234", "in@kr", "said")
	const path = "/api/v1/certificates/VNKR250201234"
	sees := func(when string, want int) {
		t.Helper()
		for _, target := range []string{path, path + "/pdf", path + "/verification", "/api/v1/documents/1"} {
			if got := l.request(forwarderSecret, "GET", target, ""); got.status != want {
				t.Errorf("%s, %s: status %d, want %d", when, target, got.status, want)
			}
		}
	}
	sees("before", 404)
	var m lookup.Mandate
	got := l.request(importerSecret, "POST", "/api/v1/mandates", `{"importer":"name: Red River Industrial Supply, JSC","broker":"other","until":"2026-11-21"}`)
	if err := json.Unmarshal(got.body, &m); err != nil || got.status != 201 || m.Importer != consignee || m.By != "trader" {
		t.Fatalf("mandate: %d %s", got.status, got.body)
	}
	sees("mandated", 200)
	l.now = now.AddDate(0, 0, 2)
	sees("after its last day", 404)
	l.now = now
	if got := l.request(importerSecret, "DELETE", "/api/v1/mandates/"+m.ID, ""); got.status != 200 {
		t.Errorf("revoke: %d %s", got.status, got.body)
	}
	sees("revoked", 404)
	if got := l.request(forwarderSecret, "GET", path+"?invoice=sg%20265521", ""); got.status != 200 {
		t.Errorf("with the invoice: %d %s", got.status, got.body)
	}
	sees("proven", 200)
}

func TestVerdictIsPartOfALookUp(t *testing.T) {
	l := serveLookups(t, nil)
	l.imported("VN-KR 25/02/01234", "in@kr", "said")
	var found api.Lookup
	got := l.request(customsSecret, "GET", "/api/v1/certificates/VNKR250201234?on=2028-01-01", "")
	if err := json.Unmarshal(got.body, &found); err != nil || got.status != 200 {
		t.Fatalf("%d %s", got.status, got.body)
	}
	v, d := found.Matches[0].Verdict, found.Matches[0].Downloads
	if m := found.Matches[0]; m.Usable {
		t.Errorf("usable on a day for which the verdict says no: %+v", m)
	}
	if v == nil || v.Usable || v.Validity.Valid || v.Validity.On.String() != "2028-01-01" || v.Validity.Until.String() != "2027-11-16" || v.Filing.Filing != lookup.FilingNetworked {
		t.Errorf("verdict %+v", v)
	}
	for _, path := range []string{d.Document, d.PDF, d.Verification} {
		if got := l.request(customsSecret, "GET", path, ""); got.status != 200 {
			t.Errorf("%s: %d %s", path, got.status, got.body)
		}
	}
	text := l.request(customsSecret, "GET", d.Verification+"&as=text", "")
	if !strings.HasPrefix(text.header.Get("Content-Type"), "text/plain") || !strings.Contains(string(text.body), "stored octets") {
		t.Errorf("report as text: %v\n%s", text.header, text.body)
	}
	if p := l.request(customsSecret, "GET", "/api/v1/certificates/VNKR250201234?on=yesterday", "").problem(t); p.Code != api.CodeParameter {
		t.Errorf("another day: %+v", p)
	}
	l.exported("A1", "out@la")
	if p := l.request(operatorSecret, "GET", "/api/v1/certificates/A1/verification", "").problem(t); p.Code != api.CodeNotFound {
		t.Errorf("report of an exported certificate: %+v", p)
	}
}

func TestSearch(t *testing.T) {
	l := serveLookups(t, nil)
	l.imported("R1", "one@kr", "1")
	l.imported("R2", "two@kr", "2")
	l.imported("R3", "three@kr", "3")
	l.exported("A1", "out@la")
	references := func(secret, query string) string {
		t.Helper()
		got := l.request(secret, "GET", "/api/v1/certificates?"+query, "")
		var page api.FoundPage
		if err := json.Unmarshal(got.body, &page); err != nil || got.status != 200 {
			t.Fatalf("%s: %d %s", query, got.status, got.body)
		}
		var list []string
		for _, f := range page.Certificates {
			list = append(list, f.Reference)
		}
		if page.Next != 0 {
			list = append(list, fmt.Sprint("next ", page.Next))
		}
		return strings.Join(list, " ")
	}
	for _, tt := range []struct{ secret, query, want string }{
		{officerSecret, "", "R3 R2 R1"},
		{officerSecret, "limit=2", "R3 R2 next 2"},
		{officerSecret, "limit=2&before=2", "R1"},
		{officerSecret, "reference=r-2", "R2"},
		{officerSecret, "invoice=sg+26+5521", "R3 R2 R1"},
		{officerSecret, "importer=TAX:0201234567", "R3 R2 R1"},
		{officerSecret, "importer=TAX:1", ""},
		{officerSecret, "issued_from=2026-11-16&issued_until=2026-11-16&form=ATIGA-D&country=la&partner=KR&state=available", "R3 R2 R1"},
		{officerSecret, "issued_until=2026-11-15", ""},
		{officerSecret, "received_from=2026-11-20T08:30:00Z", "R3 R2 R1"},
		{officerSecret, "received_until=2026-11-20", ""},
		{operatorSecret, "transport_document=BL1", ""},
		{importerSecret, "", "R3 R2 R1"},
		{importerSecret, "reference=R1", "R1"},
		{importerSecret, "importer=TAX:0201234567", ""}, // not by that name
		{brokerSecret, "exporter=NAME:nobody", ""},
		{forwarderSecret, "", ""},
		{forwarderSecret, "reference=R1&invoice=SG-26-5521", ""},
	} {
		if got := references(tt.secret, tt.query); got != tt.want {
			t.Errorf("%s %q: %q, want %q", tt.secret, tt.query, got, tt.want)
		}
	}
	for _, query := range []string{"before=0", "limit=0", "limit=501", "issued_from=1", "received_from=x", "importer=Acme", "exporter=:", "state=gone", "name=x", "on=x"} {
		if p := l.request(officerSecret, "GET", "/api/v1/certificates?"+query, "").problem(t); p.Code != api.CodeParameter {
			t.Errorf("%s: %+v", query, p)
		}
	}
	if got := l.request(issuerSecret, "GET", "/api/v1/certificates", ""); got.status != 403 {
		t.Errorf("issuer: %d", got.status)
	}
	l.imported("R1", "four@kr", "other content")
	got := l.request(importerSecret, "GET", "/api/v1/certificates?state=in+conflict", "")
	if got.status != 200 || strings.Contains(string(got.body), "SG-26") || !strings.Contains(string(got.body), `"reference":""`) {
		t.Errorf("in conflict: %d %s", got.status, got.body)
	}
}

func TestBatch(t *testing.T) {
	l := serveLookups(t, func(o *api.Options, _ *lookup.Options) { o.MaxLines = func() int { return 4 } })
	l.imported("R-1", "one@kr", "1")
	lines := []api.BatchLine{{Reference: "r1"}, {Reference: " "}, {Reference: "=R9", Country: "la", Form: "ATIGA-D"}, {Reference: "R1", Invoice: "SG-26-5522"}}
	answers, err := l.client(forwarderSecret).LookupMany(t.Context(), api.LookupBatch{On: "2026-11-20", Lines: lines})
	if err != nil || len(answers.Lines) != 4 {
		t.Fatalf("%+v, %v", answers, err)
	}
	for i, want := range []int{0, 0, 0, 1} {
		a := answers.Lines[i]
		if a.Line != i+1 || len(a.Certificates) != want || (a.Fault != nil) != (i == 1) || a.Reference != lines[i].Reference {
			t.Errorf("line %d: %+v", i+1, a)
		}
	}
	file := "\xef\xbb\xbfReference,invoice\nr1,\n\" \",\n=R9,\nR1,SG-26-5522\n"
	csv, err := l.client(customsSecret).LookupFile(t.Context(), []byte(file))
	want := "line,reference,found,seq,country,form,state,usable,valid,valid_until,filing,why_not,fault\n" +
		"1,r1,1,1,LA,ATIGA-D,available,yes,yes,2027-11-16,networked,,\n" +
		"2,,0,,,,,,,,,,bad_parameter: the reference is empty\n" +
		"3,'=R9,0,,,,,,,,,,\n" +
		"4,R1,1,1,LA,ATIGA-D,available,yes,yes,2027-11-16,networked,,\n"
	if err != nil || string(csv) != want {
		t.Errorf("%v\n%s\nwant\n%s", err, csv, want)
	}
	for name, tt := range map[string]struct {
		mediaType, body string
		want            api.Code
	}{
		"no line":             {"application/json", `{"lines":[]}`, api.CodeMalformed},
		"many lines":          {"application/json", `{"lines":[{},{},{},{},{}]}`, api.CodeTooLarge},
		"unknown member":      {"application/json", `{"lines":[{"ref":"R1"}]}`, api.CodeMalformed},
		"another day":         {"application/json", `{"on":"x","lines":[{"reference":"R1"}]}`, api.CodeParameter},
		"text":                {"text/plain", "R1", api.CodeMediaType},
		"CSV without content": {"text/csv", "", api.CodeMalformed},
		"CSV without names":   {"text/csv", "R1\nR2\n", api.CodeMalformed},
		"CSV without lines":   {"text/csv", "reference\n", api.CodeMalformed},
	} {
		if p := l.request(customsSecret, "POST", "/api/v1/lookups", tt.body, "Content-Type", tt.mediaType).problem(t); p.Code != tt.want {
			t.Errorf("%s: %+v, want %s", name, p, tt.want)
		}
	}
	var audited []string
	for _, e := range l.recorded(0) {
		audited = append(audited, e.Event+" "+e.Subject)
	}
	for _, want := range []string{"certificate.looked_up r1", "certificate.looked_up =R9", "lookup.answered R1"} {
		if !slices.Contains(audited, want) {
			t.Errorf("audit log %q lacks %q", audited, want)
		}
	}
}

// TestHostileBatches reads what must not be read: each file has the text of the refusal in its head.
func TestHostileBatches(t *testing.T) {
	files, err := filepath.Glob("../testdata/hostile/lookups/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		head, body, _ := strings.Cut(string(text), "\n\n")
		want := strings.TrimPrefix(head, "text: ")
		if lines, err := api.ReadLines([]byte(body)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %+v, %v, want %q", file, lines, err, want)
		}
	}
}

func FuzzReadLines(f *testing.F) {
	f.Add([]byte("reference,invoice,country,form\nR1,INV-1,KR,ATIGA-D\n"))
	f.Add([]byte("form;reference\n"))
	f.Add([]byte("reference\n\"R\n1\"\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		lines, err := api.ReadLines(data)
		if err == nil && len(lines) > len(data) {
			t.Errorf("%d lines of %d octets", len(lines), len(data))
		}
	})
}

func TestRatesAreBounded(t *testing.T) {
	l := serveLookups(t, func(_ *api.Options, d *lookup.Options) {
		d.Rules = func() lookup.Rules { return lookup.Rules{PerMinute: 5, FailuresPerHour: 1} }
	})
	l.imported("R1", "one@kr", "1")
	ask := func(secret, target string) answer {
		return l.request(secret, "GET", "/api/v1/certificates/"+target, "")
	}
	for i, tt := range []struct {
		target string
		status int
		retry  string
	}{
		{"R1?invoice=wrong", 404, ""}, {"R1?invoice=SG-26-5521", 429, "3600"}, {"R1", 404, ""}, {"R2", 404, ""}, {"R1", 404, ""}, {"R1", 429, "12"},
	} {
		got := ask(forwarderSecret, tt.target)
		if got.status != tt.status || got.header.Get("Retry-After") != tt.retry {
			t.Errorf("look-up %d: status %d, Retry-After %q, want %d, %q", i+1, got.status, got.header.Get("Retry-After"), tt.status, tt.retry)
		}
	}
	if p := ask(forwarderSecret, "R1").problem(t); p.Code != api.CodeTooMany {
		t.Errorf("%+v", p)
	}
	batch, err := l.client(forwarderSecret).LookupMany(t.Context(), api.LookupBatch{Lines: []api.BatchLine{{Reference: "R1"}}})
	if err != nil || batch.Lines[0].Fault == nil || batch.Lines[0].Fault.Code != api.CodeTooMany {
		t.Errorf("batch: %+v, %v", batch, err)
	}
	for range 10 {
		if got := ask(officerSecret, "R1"); got.status != 200 {
			t.Errorf("an officer: status %d", got.status)
		}
	}
	n := 0
	for _, e := range l.recorded(0) {
		if e.Event == "lookup.refused" {
			n++
		}
	}
	if n != 1 {
		t.Errorf("%d refusals are told within a minute, want 1", n)
	}
}

func TestWatchesThroughTheAPI(t *testing.T) {
	l := serveLookups(t, nil)
	broker := l.client(forwarderSecret)
	watch, err := broker.AddWatch(t.Context(), api.WatchRequest{Reference: "R-1", Invoice: "SG 26 5521", Note: "pallets"})
	if err != nil || watch.Owner != "other" {
		t.Fatalf("%+v, %v", watch, err)
	}
	l.accept(func() exchange.Arrival {
		a := l.arrival("R1", "one@kr", "1")
		a.Audit = []exchange.AuditEntry{{At: now, Actor: "KR", Event: "certificate.received", Subject: a.Certificate.Key.String()}}
		return a
	}())
	if err := l.desk.Follow(t.Context()); err != nil {
		t.Fatal(err)
	}
	page, err := broker.Watches(t.Context(), 0)
	if err != nil || len(page.Watches) != 1 || page.Watches[0].Key != "LA/ATIGA-D/R1" {
		t.Fatalf("%+v, %v", page, err)
	}
	if got := l.request(forwarderSecret, "GET", "/api/v1/certificates/R1", ""); got.status != 200 {
		t.Errorf("after the watch closed: %d", got.status)
	}
	if p := l.request(officerSecret, "DELETE", "/api/v1/watches/"+watch.ID, "").problem(t); p.Code != api.CodeNotFound {
		t.Errorf("another's watch: %+v", p)
	}
	if removed, err := broker.RemoveWatch(t.Context(), watch.ID); err != nil || removed.ID != watch.ID {
		t.Errorf("%+v, %v", removed, err)
	}
	if p := l.request(importerSecret, "POST", "/api/v1/watches", `{"reference":"R1"}`).problem(t); p.Code != api.CodeArrived {
		t.Errorf("what is here: %+v", p)
	}
	if p := l.request(importerSecret, "POST", "/api/v1/watches", `{"reference":"-"}`).problem(t); p.Code != api.CodeInvalidRequest {
		t.Errorf("nothing: %+v", p)
	}
}

func TestMandatesThroughTheAPI(t *testing.T) {
	l := serveLookups(t, nil)
	for name, tt := range map[string]struct {
		secret, body string
		want         api.Code
	}{
		"by a broker":            {forwarderSecret, `{}`, api.CodeForbidden},
		"for another importer":   {importerSecret, `{"importer":"TAX:1","broker":"other"}`, api.CodeNotYours},
		"to nobody":              {importerSecret, `{"importer":"NAME:Red River Industrial Supply JSC","broker":"post-12"}`, api.CodeInvalidMandate},
		"without party":          {officerSecret, `{"importer":"Acme","broker":"other"}`, api.CodeMalformed},
		"that ends before today": {officerSecret, `{"importer":"TAX:1","broker":"other","until":"2026-11-19"}`, api.CodeInvalidRequest},
	} {
		if p := l.request(tt.secret, "POST", "/api/v1/mandates", tt.body).problem(t); p.Code != tt.want {
			t.Errorf("%s: %+v, want %s", name, p, tt.want)
		}
	}
	officer := l.client(officerSecret)
	given, err := officer.GiveMandate(t.Context(), api.MandateRequest{Importer: "TAX:1", Broker: "other"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := l.client(importerSecret).GiveMandate(t.Context(), api.MandateRequest{Importer: string(consignee), Broker: "forwarder"}); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		secret, broker, importer string
		want                     int
	}{{officerSecret, "", "", 2}, {officerSecret, "other", "", 1}, {officerSecret, "", "tax:1", 1}, {forwarderSecret, "forwarder", "", 1}, {importerSecret, "", "", 1}} {
		page, err := l.client(tt.secret).Mandates(t.Context(), tt.broker, tt.importer, 0)
		if err != nil || len(page.Mandates) != tt.want {
			t.Errorf("%+v: %+v, %v", tt, page, err)
		}
	}
	if p := l.request(importerSecret, "GET", "/api/v1/mandates?importer=TAX:1", "").problem(t); p.Code != api.CodeParameter {
		t.Errorf("another's mandates: %+v", p)
	}
	if p := l.request(importerSecret, "DELETE", "/api/v1/mandates/"+given.ID, "").problem(t); p.Code != api.CodeNotFound {
		t.Errorf("another's mandate revoked: %+v", p)
	}
	if m, err := officer.RevokeMandate(t.Context(), given.ID); err != nil || m.RevokedBy != "post-12" {
		t.Errorf("%+v, %v", m, err)
	}
}

func TestStatementThroughTheAPI(t *testing.T) {
	l := serveLookups(t, nil)
	l.imported("R1", "one@kr", "1")
	signed, err := l.client(officerSecret).NotReceived(t.Context(), api.NotReceivedRequest{Reference: "R-2", Country: "la"})
	var s lookup.NotReceived
	if err != nil || json.Unmarshal(signed, &s) != nil || s.Scope != lookup.ScopeAll || s.Country != "LA" {
		t.Errorf("%s, %v", signed, err)
	}
	for name, tt := range map[string]struct {
		secret, body string
		want         api.Code
	}{
		"here":               {officerSecret, `{"reference":"R1"}`, api.CodeArrived},
		"for another":        {importerSecret, `{"reference":"R1","importer":"TAX:1"}`, api.CodeNotYours},
		"broker who knows":   {forwarderSecret, `{"reference":"R1","invoice":"SG-26-5521"}`, api.CodeArrived},
		"by an operator":     {operatorSecret, `{"reference":"R2"}`, api.CodeForbidden},
		"a party in no form": {officerSecret, `{"reference":"R2","importer":"x"}`, api.CodeMalformed},
	} {
		if p := l.request(tt.secret, "POST", "/api/v1/not-received", tt.body).problem(t); p.Code != tt.want {
			t.Errorf("%s: %+v, want %s", name, p, tt.want)
		}
	}
}

func TestWithoutADeskBrokersFindNothing(t *testing.T) {
	f := serve(t, func(o *api.Options) { o.Lookups = nil })
	f.imported("R1", "one@kr", "1")
	for _, target := range []string{"certificates/R1", "documents/1", "watches", "mandates"} {
		if got := f.request(brokerSecret, "GET", "/api/v1/"+target, ""); got.status != 404 {
			t.Errorf("%s: %d", target, got.status)
		}
	}
	if got := f.request(officerSecret, "GET", "/api/v1/certificates/R1", ""); got.status != 200 {
		t.Errorf("officer: %d", got.status)
	}
}
