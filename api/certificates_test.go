package api_test

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/ecogate/ecogate/api"
	"github.com/ecogate/ecogate/eco"
	"github.com/ecogate/ecogate/exchange"
)

func TestSubmitHandsTheCertificateToTheNode(t *testing.T) {
	fresh := true
	var actor, partner string
	var given eco.Certificate
	f := serve(t, func(o *api.Options) {
		o.Node = submitter(func(a, p string, c eco.Certificate) (exchange.Submission, error) {
			actor, partner, given = a, p, c
			s, err := accepting(a, p, c)
			s.Fresh = fresh
			s.Findings = []eco.Finding{{Code: "D07", Severity: "warning", Path: "/items/0/hs", Text: "short"}}
			return s, err
		})
	})
	body := `{"partner":"KR","certificate":` + string(certificateJSON(t)) + `}`
	got := f.request(issuerSecret, "POST", "/api/v1/certificates", body)
	var s api.Submission
	if err := json.Unmarshal(got.body, &s); err != nil || got.status != http.StatusCreated {
		t.Fatalf("status %d, body %s, error %v", got.status, got.body, err)
	}
	if actor != "chamber" || partner != "KR" || given.Reference != "LA26010137" || len(given.Items) == 0 {
		t.Errorf("node was given actor %q, partner %q, reference %q, %d items", actor, partner, given.Reference, len(given.Items))
	}
	if s.MessageID != "m7@la" || s.Seq != 7 || s.State != exchange.StateQueued || !s.Fresh || s.Reference != "LA26010137" ||
		s.Key.Reference != "LA26010137" || len(s.Findings) != 1 {
		t.Errorf("answer = %+v", s)
	}
	if got := got.header.Get("Location"); got != "/api/v1/certificates/LA26010137" {
		t.Errorf("Location = %q", got)
	}
	fresh = false
	if got := f.request(issuerSecret, "POST", "/api/v1/certificates", body); got.status != http.StatusOK || !strings.Contains(string(got.body), `"fresh":false`) {
		t.Errorf("the same again: status %d, body %s; want 200 and not fresh", got.status, got.body)
	}
}

func TestSubmitRefusesBodiesThatItDoesNotFullyUnderstand(t *testing.T) {
	f := serve(t, func(o *api.Options) {
		o.MaxBody = 20_000
		o.Node = submitter(func(string, string, eco.Certificate) (exchange.Submission, error) {
			t.Error("the node was given a certificate")
			return exchange.Submission{}, nil
		})
	})
	good := string(certificateJSON(t))
	tests := []struct {
		name, body, contentType string
		status                  int
		code                    api.Code
		detail                  string
	}{
		{"not JSON", `<xml/>`, "application/json", 400, api.CodeMalformed, "invalid character"},
		{"cut off", `{"partner":"KR","certificate":{`, "application/json", 400, api.CodeMalformed, "unexpected EOF"},
		{"unknown member", `{"partner":"KR","urgent":true,"certificate":` + good + `}`, "application/json", 400, api.CodeMalformed, "urgent"},
		{"unknown member of the certificate", `{"partner":"KR","certificate":` + strings.Replace(good, `"form"`, `"colour":1,"form"`, 1) + `}`, "application/json", 400, api.CodeMalformed, "colour"},
		{"bad date", `{"partner":"KR","certificate":` + strings.Replace(good, "2026-11-16", "2026-02-30", 1) + `}`, "application/json", 400, api.CodeMalformed, "issue_date"},
		{"data after it", `{"partner":"KR","certificate":` + good + `} {}`, "application/json", 400, api.CodeMalformed, "after"},
		{"no partner", `{"certificate":` + good + `}`, "application/json", 400, api.CodeMalformed, "partner"},
		{"no certificate", `{"partner":"KR"}`, "application/json", 400, api.CodeMalformed, "certificate"},
		{"other media type", `{"partner":"KR","certificate":` + good + `}`, "text/plain", 415, api.CodeMediaType, ""},
		{"no media type", `{"partner":"KR","certificate":` + good + `}`, "", 415, api.CodeMediaType, ""},
		{"too large", `{"partner":"` + strings.Repeat("x", 20_000) + `"}`, "application/json", 413, api.CodeTooLarge, "20000 bytes"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got := f.request(issuerSecret, "POST", "/api/v1/certificates", test.body, "Content-Type", test.contentType)
			p := got.problem(t)
			if got.status != test.status || p.Code != test.code || !strings.Contains(p.Detail, test.detail) {
				t.Errorf("status %d, problem %+v; want %d %s with %q", got.status, p, test.status, test.code, test.detail)
			}
		})
	}
}

func TestLookupFindsAnySpelling(t *testing.T) {
	f := serve(t, nil)
	f.imported("VN-KR 25/02/01234", "in@kr", "said")
	f.imported("100%/A", "percent@kr", "said")
	tests := []struct{ name, path, want string }{
		{"as printed, encoded", "VN-KR%2025%2F02%2F01234", "in@kr"},
		{"slashes as they are", "VN-KR%2025/02/01234", "in@kr"},
		{"without separators", "VNKR250201234", "in@kr"},
		{"small letters", "vn-kr%2025/02/01234", "in@kr"},
		{"full width", url.PathEscape("ＶＮ－ＫＲ２５０２０１２３４"), "in@kr"},
		{"percent sign", "100%25%2FA", "percent@kr"},
		{"percent sign and plain slash", "100%25/A", "percent@kr"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got := f.request(brokerSecret, "GET", "/api/v1/certificates/"+test.path, "")
			var l api.Lookup
			if err := json.Unmarshal(got.body, &l); err != nil || got.status != 200 || len(l.Matches) != 1 {
				t.Fatalf("status %d, body %s, error %v", got.status, got.body, err)
			}
			if l.Matches[0].MessageID != test.want || !l.Checked.Equal(now) {
				t.Errorf("match %+v checked %s", l.Matches[0], l.Checked)
			}
		})
	}
}

func TestLookupNeverListsEverything(t *testing.T) {
	f := serve(t, nil)
	f.imported("VN-KR 25/02/01234", "in@kr", "said")
	for _, path := range []string{"", "%20", "-", "%2F", "%E2%80%8B"} {
		got := f.request(operatorSecret, "GET", "/api/v1/certificates/"+path, "")
		if got.status != http.StatusNotFound {
			t.Errorf("%q: status %d, body %s", path, got.status, got.body)
		}
	}
}

func TestLookupShowsWhatTheRecordHolds(t *testing.T) {
	f := serve(t, nil)
	f.imported("VN-KR 25/02/01234", "in@kr", "said")
	f.exported("VN-KR 25/02/01234", "out@la") // the same number on its way out
	l, err := f.client(operatorSecret).Lookup(t.Context(), api.LookupQuery{Reference: "vnkr250201234"})
	if err != nil || len(l.Matches) != 2 {
		t.Fatalf("matches %+v, error %v", l.Matches, err)
	}
	l, err = f.client(operatorSecret).Lookup(t.Context(), api.LookupQuery{
		Reference: "vnkr250201234", Direction: exchange.Inbound, Country: "la", Form: "ATIGA-D",
	})
	if err != nil || len(l.Matches) != 1 {
		t.Fatalf("matches %+v, error %v", l.Matches, err)
	}
	m := l.Matches[0]
	if m.Direction != exchange.Inbound || !m.Usable || m.State != exchange.CertificateAvailable || m.Partner != "KR" ||
		m.MessageID != "in@kr" || !m.Recorded.Equal(now) || m.Certificate == nil || m.Certificate.Reference != "VN-KR 25/02/01234" {
		t.Errorf("match = %+v", m)
	}
	for name, q := range map[string]api.LookupQuery{
		"country": {Reference: "vnkr250201234", Country: "XX"},
		"form":    {Reference: "vnkr250201234", Form: "XX"},
	} {
		if _, err := f.client(operatorSecret).Lookup(t.Context(), q); !errors.Is(err, exchange.ErrNotFound) {
			t.Errorf("other %s: error = %v, want not found", name, err)
		}
	}
	var p *api.Problem
	if _, err := f.client(operatorSecret).Lookup(t.Context(), api.LookupQuery{Reference: "x", Direction: "sideways"}); !errors.As(err, &p) || p.Code != api.CodeParameter {
		t.Errorf("direction sideways: error = %v", err)
	}
}

func TestCertificatesInConflictAreUsableToNobody(t *testing.T) {
	f := serve(t, nil)
	f.imported("K01-26-1", "first@kr", "one thing")
	f.imported("K01-26-1", "second@kr", "another")
	broker, err := f.client(brokerSecret).Lookup(t.Context(), api.LookupQuery{Reference: "K01-26-1"})
	if err != nil || len(broker.Matches) != 2 {
		t.Fatalf("matches %+v, error %v", broker.Matches, err)
	}
	for _, m := range broker.Matches {
		if m.Usable || m.State != exchange.CertificateInConflict || m.Certificate != nil || m.Document != nil {
			t.Errorf("broker is shown %+v", m)
		}
	}
	officer, err := f.client(officerSecret).Lookup(t.Context(), api.LookupQuery{Reference: "K01-26-1"})
	if err != nil || len(officer.Matches) != 2 {
		t.Fatalf("matches %+v, error %v", officer.Matches, err)
	}
	for _, m := range officer.Matches {
		if m.Usable || m.Certificate == nil || m.Document == nil {
			t.Errorf("officer is shown %+v", m)
			continue
		}
		if _, err := f.client(officerSecret).Document(t.Context(), *m.Document); err != nil {
			t.Errorf("officer's document: %v", err)
		}
		var p *api.Problem
		if _, err := f.client(brokerSecret).Document(t.Context(), *m.Document); !errors.As(err, &p) || p.Code != api.CodeInConflict {
			t.Errorf("broker's document: error = %v, want %s", err, api.CodeInConflict)
		}
	}
}

func TestDocumentIsServedAsStored(t *testing.T) {
	f := serve(t, nil)
	f.exported("LA 26-010137", "out@la")
	f.imported("VN-KR 25/02/01234", "in@kr", "said")
	l, err := f.client(brokerSecret).Lookup(t.Context(), api.LookupQuery{Reference: "VN-KR 25/02/01234"})
	if err != nil {
		t.Fatal(err)
	}
	want := `<document of="in@kr"/>`
	d := l.Matches[0].Document
	if d.SHA256 != digest([]byte(want)) || d.Size != int64(len(want)) {
		t.Errorf("document = %+v", d)
	}
	got := f.request(brokerSecret, "GET", d.Href, "")
	if string(got.body) != want || got.header.Get("Content-Type") != "application/xml" {
		t.Errorf("body %s of type %q", got.body, got.header.Get("Content-Type"))
	}
	etag := got.header.Get("ETag")
	if etag != `"`+d.SHA256+`"` {
		t.Errorf("ETag = %s", etag)
	}
	if again := f.request(brokerSecret, "GET", d.Href, "", "If-None-Match", etag); again.status != http.StatusNotModified || len(again.body) != 0 {
		t.Errorf("conditional request: status %d, %d bytes", again.status, len(again.body))
	}
	for _, path := range []string{"0", "-1", "1x", "18446744073709551615", "9223372036854775807", "%2F"} {
		if got := f.request(operatorSecret, "GET", "/api/v1/documents/"+path, ""); got.status != http.StatusNotFound {
			t.Errorf("document %s: status %d", path, got.status)
		}
	}
}
