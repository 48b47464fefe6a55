package api_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
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

// TestSubmitRefusesHostileBodies posts the files of testdata/hostile/api: a header "expect: STATUS CODE" and perhaps "content-type:
// TYPE", which is application/json otherwise; an empty line; then the body, in which @CERTIFICATE@ stands for a good certificate and
// @MANY@ for 1100 letters. The lines of a multipart body end with CR LF on the wire. Adding a file adds a test.
func TestSubmitRefusesHostileBodies(t *testing.T) {
	f := serve(t, func(o *api.Options) {
		o.Node = submitter(func(string, string, eco.Certificate) (exchange.Submission, error) {
			t.Error("the node was given a certificate")
			return exchange.Submission{}, nil
		})
	})
	files, err := filepath.Glob("../testdata/hostile/api/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatal("no hostile bodies", err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			header, body, _ := strings.Cut(string(data), "\n\n")
			header, contentType, multipart := strings.Cut(header, "\ncontent-type: ")
			if multipart {
				body = strings.ReplaceAll(body, "\n", "\r\n")
			} else {
				contentType = "application/json"
			}
			body = strings.NewReplacer("@CERTIFICATE@", string(certificateJSON(t)), "@MANY@", strings.Repeat("x", 1100)).Replace(body)
			got := f.request(issuerSecret, "POST", "/api/v1/certificates", body, "Content-Type", contentType)
			p := got.problem(t)
			if want := fmt.Sprintf("expect: %d %s", got.status, p.Code); header != want || p.Detail == "" {
				t.Errorf("%s, but the answer is %d %s with %q", header, got.status, p.Code, p.Detail)
			}
		})
	}
}

func TestSubmitTakesJSONWithinTheLimitOnly(t *testing.T) {
	body := `{"partner":"KR","certificate":` + string(certificateJSON(t)) + `}`
	tests := []struct {
		name, contentType string
		limit             int
		status            int
		code              api.Code
	}{
		{"JSON", "application/json; charset=utf-8", len(body), 201, ""},
		{"one octet too many", "application/json", len(body) - 1, 413, api.CodeTooLarge},
		{"other media type", "text/plain", len(body), 415, api.CodeMediaType},
		{"no media type", "", len(body), 415, api.CodeMediaType},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			f := serve(t, func(o *api.Options) { o.MaxBody = int64(test.limit) })
			got := f.request(issuerSecret, "POST", "/api/v1/certificates", body, "Content-Type", test.contentType)
			if got.status != test.status || (got.status >= 400 && got.problem(t).Code != test.code) {
				t.Errorf("status %d, body %s; want %d %s", got.status, got.body, test.status, test.code)
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

func TestLookupIsNotFilledByWhatTheReaderMayNotSee(t *testing.T) {
	f := serve(t, nil)
	f.exported("A1", "a1@la")
	for i := range 101 {
		f.imported("A1", fmt.Sprintf("m%d@kr", i), fmt.Sprint("said ", i))
	}
	found, err := f.client(issuerSecret).Lookup(t.Context(), api.LookupQuery{Reference: "A1"})
	if err != nil || len(found.Matches) != 1 || found.Matches[0].Direction != exchange.Outbound {
		t.Errorf("%d matches, error %v; want the issuer's one", len(found.Matches), err)
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
