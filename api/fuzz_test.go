package api_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ecogate/ecogate/api"
	"github.com/ecogate/ecogate/eco"
	"github.com/ecogate/ecogate/exchange"
)

// emptyStore holds nothing and accepts every question.
type emptyStore struct{}

func (emptyStore) Messages(context.Context, exchange.MessageQuery) ([]exchange.Message, error) {
	return nil, nil
}
func (emptyStore) Certificates(context.Context, exchange.CertificateQuery) ([]exchange.Certificate, error) {
	return nil, nil
}
func (emptyStore) Raw(context.Context, exchange.RawRef) (exchange.Content, error) {
	return nil, exchange.ErrNotFound
}

// FuzzSubmission posts arbitrary bodies. Whatever comes, the answer is one of the documented ones, and a certificate that
// reaches the node says in JSON again what the body said.
func FuzzSubmission(f *testing.F) {
	files, err := filepath.Glob("../testdata/certificates/*.json")
	if err != nil || len(files) == 0 {
		f.Fatal("no certificates to begin with", err)
	}
	for _, name := range files {
		data, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(`{"partner":"KR","certificate":` + string(data) + `}`)
	}
	f.Add(`{"partner":"KR","certificate":null}`)
	f.Add(`{"partner":"KR","certificate":{}} x`)
	f.Fuzz(func(t *testing.T, body string) {
		var reached *eco.Certificate
		handler, err := api.New(api.Options{
			Operator: new(operator), Dealer: new(dealer), Store: emptyStore{}, Audit: auditor(forgetting), Keys: keySet(t, keys()), Now: func() time.Time { return now },
			Node: submitter(func(actor, partner string, c eco.Certificate) (exchange.Submission, error) {
				reached = &c
				return accepting(actor, partner, c)
			}),
		})
		if err != nil {
			t.Fatal(err)
		}
		req := httptest.NewRequest("POST", "/api/v1/certificates", strings.NewReader(body))
		req.Header.Set("Authorization", "Bearer "+issuerSecret)
		req.Header.Set("Content-Type", "application/json")
		res := httptest.NewRecorder()
		handler.ServeHTTP(res, req)
		switch {
		case reached == nil && res.Code != http.StatusBadRequest && res.Code != http.StatusRequestEntityTooLarge:
			t.Fatalf("status %d, body %s", res.Code, res.Body)
		case reached != nil && (res.Code != http.StatusCreated || !json.Valid([]byte(body))):
			t.Fatalf("the node was given a certificate of %q; status %d", body, res.Code)
		}
	})
}

// FuzzPath asks for arbitrary paths. Nothing is there, so nothing may be found, and nothing may break.
func FuzzPath(f *testing.F) {
	for _, path := range []string{"certificates/VN-KR%2025%2F02%2F01234", "certificates/%", "documents/1", "messages/1/raw", "messages?limit=%zz", "messages/a%2Fb", "messages/1/parts/%31", "messages/1/parts", "partners/x", "certificates",
		"credentials", "credentials/ab/affected", "credentials/" + strings.Repeat("ab", 32) + "/affected?before=certificate:7&since=2026-11-20T08:30:00Z&limit=3"} {
		f.Add(path)
	}
	handler, err := api.New(api.Options{
		Operator: new(operator), Dealer: new(dealer), Examiner: new(examiner), Store: emptyStore{}, Audit: auditor(forgetting), Keys: keySet(f, keys()), Node: submitter(accepting), Now: func() time.Time { return now },
	})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, path string) {
		req, err := http.NewRequest("GET", "http://node/api/v1/"+path, nil)
		if err != nil {
			t.Skip("not a path")
		}
		req.Header.Set("Authorization", "Bearer "+operatorSecret)
		res := httptest.NewRecorder()
		handler.ServeHTTP(res, req)
		switch res.Code {
		case http.StatusNotFound, http.StatusBadRequest, http.StatusMethodNotAllowed:
		case http.StatusOK:
			lists := []string{"/api/v1/messages", "/api/v1/partners", "/api/v1/credentials"}
			if !slices.Contains(lists, req.URL.Path) && !strings.HasSuffix(req.URL.Path, "/affected") {
				t.Fatalf("%s is found: %s", path, res.Body)
			}
		default:
			t.Fatalf("%s: status %d, body %s", path, res.Code, res.Body)
		}
	})
}
