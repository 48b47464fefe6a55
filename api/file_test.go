package api_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/ecogate/ecogate/api"
	"github.com/ecogate/ecogate/docs/schema"
	"github.com/ecogate/ecogate/eco"
	"github.com/ecogate/ecogate/exchange"
	"github.com/ecogate/ecogate/intake"
)

const twoCertificates = "Reference,Form,HS,Issue date\nA1,ATIGA-D,310420,2026-11-16\nA2,ATIGA-D,3104,2026-11-16\n"

// choosy is a node that refuses certificates whose reference is not A1.
func choosy(actor, partner string, c eco.Certificate) (exchange.Submission, error) {
	switch {
	case c.Reference == "A1":
		return accepting(actor, partner, c)
	case c.Reference == "full":
		return exchange.Submission{}, exchange.ErrFull
	}
	return exchange.Submission{}, &exchange.InvalidError{Findings: []eco.Finding{
		{Code: eco.CodeHS, Severity: eco.SeverityError, Path: "items[0].hs", Text: "want 6 digits", Fix: "check the code"},
	}}
}

func TestFileIsTakenCertificateByCertificate(t *testing.T) {
	f := serve(t, func(o *api.Options) { o.Node = submitter(choosy) })
	got := f.request(issuerSecret, "POST", "/api/v1/certificates?partner=KR", twoCertificates, "Content-Type", "text/csv; charset=UTF-8")
	if got.status != 201 {
		t.Fatalf("status %d: %s", got.status, got.body)
	}
	var file api.TakenFile
	if err := json.Unmarshal(got.body, &file); err != nil {
		t.Fatal(err)
	}
	if len(file.Certificates) != 2 {
		t.Fatalf("answer %s", got.body)
	}
	first, second := file.Certificates[0], file.Certificates[1]
	if first.Reference != "A1" || first.Place != "line 2, column A" || first.Submission == nil || first.Submission.MessageID != "m7@la" || first.Problem != nil {
		t.Errorf("the first is %+v", first)
	}
	if second.Reference != "A2" || second.Submission != nil || second.Problem == nil || second.Problem.Code != api.CodeInvalid || second.Problem.Status != 422 {
		t.Fatalf("the second is %+v", second)
	}
	if want := "D07 line 3, column C: items[0].hs: want 6 digits (check the code)"; !strings.Contains(second.Problem.Error(), want) {
		t.Errorf("the second says %q, want %q", second.Problem, want)
	}
	if n := strings.Count(f.log.take(), "certificate.refused"); n != 1 {
		t.Errorf("%d refusals are in the log", n)
	}
}

func TestFileFormats(t *testing.T) {
	template, err := intake.Template("", intake.FormatXLSX, eco.DefaultForms())
	if err != nil {
		t.Fatal(err)
	}
	const json = "application/json"
	foreign := `{"iD": "x:A1", "isPreferential": false, "supplyChainConsignment": {"includedConsignmentItems": [{"tradeLineItems": [{}]}]}}`
	tests := []struct {
		name, query, mediaType, body string
		status                       int
		text                         string
	}{
		{"own JSON", "", json, `{"reference": "A1"}`, 201, `"reference":"A1"`},
		{"UN/CEFACT", "&format=uncefact", json, foreign, 201, `"unplaced":[{"path":"iD","value":"x"`},
		{"csv", "", "text/csv", twoCertificates, 201, `"A1"`},
		{"nobody taken", "", json, `{"reference": "A2"}`, 200, `"problem"`},
		{"workbook", "", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", string(template), 422, "want at least one certificate below the headings"},
		{"no workbook", "", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", "Reference", 422, "want an Office Open XML workbook"},
		{"fault in a cell", "", "text/csv", "Reference,Issue date\nA1,16/11/2026\n", 422, `"path":"line 2, column B","text":"Issue date: want a date such as 2026-11-28`},
		{"own JSON as UN/CEFACT", "&format=uncefact", json, `{"reference": "A1"}`, 422, "supplyChainConsignment"},
		{"another charset", "", "text/csv; charset=latin1", twoCertificates, 415, "want charset utf-8"},
		{"another media type", "", "application/pdf", "%PDF", 415, "found application/pdf"},
		{"no media type", "", "", "%PDF", 415, "media type"},
		{"format of another media type", "&format=xlsx", "text/csv", twoCertificates, 400, "does not go with text/csv"},
		{"store full", "", json, `{"reference": "full"}`, 503, "store_full"},
	}
	f := serve(t, func(o *api.Options) { o.Node = submitter(choosy) })
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got := f.request(issuerSecret, "POST", "/api/v1/certificates?partner=KR"+test.query, test.body, "Content-Type", test.mediaType)
			if got.status != test.status || !strings.Contains(string(got.body), test.text) {
				t.Errorf("status %d, body %s; want %d with %s", got.status, got.body, test.status, test.text)
			}
		})
	}
	if got := f.request(brokerSecret, "POST", "/api/v1/certificates?partner=KR", twoCertificates, "Content-Type", "text/csv"); got.status != 403 {
		t.Errorf("a broker gets %d", got.status)
	}
	large := "Reference\n" + strings.Repeat("A1\n", api.DefaultMaxBody/3)
	if got := f.request(issuerSecret, "POST", "/api/v1/certificates?partner=KR", large, "Content-Type", "text/csv"); got.status != 413 {
		t.Errorf("a file that is too large gets %d: %s", got.status, got.body)
	}
}

func TestFileToAnUnknownPartnerIsOneRefusal(t *testing.T) {
	asked := 0
	f := serve(t, func(o *api.Options) {
		o.Node = submitter(func(string, string, eco.Certificate) (exchange.Submission, error) {
			asked++
			return exchange.Submission{}, fmt.Errorf("%w: %q", exchange.ErrNotFound, "XX")
		})
	})
	got := f.request(issuerSecret, "POST", "/api/v1/certificates?partner=XX", twoCertificates, "Content-Type", "text/csv")
	if got.problem(t); got.status != 404 || asked != 1 {
		t.Errorf("status %d after %d submissions", got.status, asked)
	}
}

func TestSchemaIsServedToEveryKey(t *testing.T) {
	f := serve(t, nil)
	for _, secret := range []string{issuerSecret, brokerSecret, officerSecret, operatorSecret} {
		got := f.request(secret, "GET", "/api/v1/certificate-schema", "")
		if got.status != 200 || got.header.Get("Content-Type") != "application/schema+json" || string(got.body) != string(schema.Certificate) {
			t.Errorf("status %d, %s, %d bytes", got.status, got.header.Get("Content-Type"), len(got.body))
		}
	}
	if got := f.request("", "GET", "/api/v1/certificate-schema", ""); got.status != 401 {
		t.Errorf("without a key: %d", got.status)
	}
}
