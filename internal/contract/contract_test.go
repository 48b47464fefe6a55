package contract_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/ecogate/ecogate/api"
	"github.com/ecogate/ecogate/internal/contract"
)

// What is not as the document says is found, whatever it is.
func TestWhatIsNotDocumentedIsFound(t *testing.T) {
	const (
		partner = `{"id":"TW","name":"T","mode":"live"}`
		pause   = "/api/v1/partners/TW/pause"
	)
	problem := func(code string) string {
		return `{"type":"urn:x","title":"t","status":409,"code":"` + code + `"}`
	}
	for _, test := range []struct {
		name, method, path, asked  string
		status                     int
		mediaType, body, complaint string
	}{
		{"as it should be", "GET", "/healthz", "", 200, "application/json", `{"status":"live"}`, ""},
		{"another member", "GET", "/healthz", "", 200, "application/json", `{"status":"live","load":3}`, "load"},
		{"no member", "GET", "/healthz", "", 200, "application/json", `{}`, "status"},
		{"another value", "GET", "/healthz", "", 200, "application/json", `{"status":"tired"}`, "status"},
		{"another status", "GET", "/healthz", "", 202, "application/json", `{"status":"live"}`, "has no status 202"},
		{"another media type", "GET", "/healthz", "", 200, "text/html", `{"status":"live"}`, "text/html"},
		{"no media type", "GET", "/healthz", "", 200, "", `{"status":"live"}`, "media type"},
		{"member of a member", "GET", "/api/v1/partners", "", 200, "application/json", `[{"id":"TW","name":"T","mode":"live","x":1}]`, `"x"`},
		{"nothing in the place of a list", "GET", "/api/v1/partners", "", 200, "application/json", `null`, "nullable"},
		{"time", "POST", pause, "", 200, "application/json", `{"id":"TW","name":"T","mode":"live","suspended_until":"noon"}`, "suspended_until"},
		{"code of another path", "POST", "/api/v1/releases", "", 409, api.ProblemMediaType, problem("conflict"), "conflict"},
		{"code of its own", "POST", "/api/v1/releases", "", 409, api.ProblemMediaType, problem("not_on_hold"), ""},
		{"problem as JSON", "POST", "/api/v1/releases", "", 409, "application/json", problem("not_on_hold"), "application/json"},
		{"body that is optional", "POST", pause, "", 200, "application/json", partner, ""},
		{"body", "POST", pause, `{"why":"x"}`, 200, "application/json", partner, ""},
		{"member that was taken", "POST", pause, `{"because":"x"}`, 200, "application/json", partner, "because"},
		{"body that was taken", "POST", "/api/v1/partners/TW/resume", `{}`, 200, "application/json", partner, "no body in the document"},
		{"no body, and taken", "POST", "/api/v1/retransmissions", "", 201, "application/json",
			`{"message_id":"m","seq":1,"state":"queued","kind":"certificate","partner":"TW","key":{"country":"LA","form":"A","reference":"R"},"certificate_state":"released"}`, "it has no body"},
		{"value of a parameter that was taken", "GET", "/api/v1/messages?limit=501", "", 200, "application/json", `{"messages":[]}`, "limit"},
		{"parameter that was taken", "GET", "/api/v1/messages?page=2", "", 200, "application/json", `{"messages":[]}`, "page"},
		{"parameter that is ignored", "GET", "/api/v1/certificates/A/1?page=2", "", 200, "application/json", `{"reference":"A/1","checked":"2026-11-20T08:30:00Z","matches":[]}`, ""},
		{"media type that was taken", "PUT", "/api/v1/registry/partners/TW", "id: TW", 200, "application/json", `{"entry":{"kind":"partner","id":"TW","version":1}}`, "application/json"},
		{"path that is not there", "GET", "/api/v1/nothing", "", 200, "application/json", `{}`, "no operation"},
		{"problem of a path that is not there", "GET", "/api/v1/nothing", "", 404, api.ProblemMediaType, problem("no_such_path"), ""},
		{"another problem of it", "GET", "/api/v1/nothing", "", 409, api.ProblemMediaType, problem("stale"), "stale"},
	} {
		t.Run(test.name, func(t *testing.T) {
			c, err := contract.Load()
			if err != nil {
				t.Fatal(err)
			}
			complaint := ""
			held := c.Hold(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if _, err := io.ReadAll(r.Body); err != nil {
					t.Error(err)
				}
				w.Header().Set(api.HeaderCorrelationID, "1")
				w.Header()["Content-Type"] = nil // none of its own
				if test.mediaType != "" {
					w.Header().Set("Content-Type", test.mediaType)
				}
				w.WriteHeader(test.status)
				if _, err := io.WriteString(w, test.body); err != nil {
					t.Error(err)
				}
			}), func(err error) { complaint = err.Error() })
			r := httptest.NewRequest(test.method, test.path, strings.NewReader(test.asked))
			r.Header.Set("Content-Type", "application/json")
			held.ServeHTTP(httptest.NewRecorder(), r)
			if test.complaint == "" && complaint != "" || !strings.Contains(complaint, test.complaint) {
				t.Errorf("found %q, want %q", complaint, test.complaint)
			}
		})
	}
}

func TestOperationsThatWereNotSeenAreTold(t *testing.T) {
	c, err := contract.Load()
	if err != nil {
		t.Fatal(err)
	}
	status, body := 0, ""
	held := c.Hold(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", api.ProblemMediaType)
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}), func(error) {})
	missing := func(end string) bool {
		return slices.Contains(c.Unseen(), "GET /api/v1/holds (listHolds) has not "+end)
	}
	for _, step := range []struct {
		status         int
		body           string
		succeed, fails bool // still missing
	}{
		{401, `{"code":"unauthenticated"}`, true, true}, {403, `{"code":"forbidden"}`, true, true},
		{400, `{"code":"bad_parameter"}`, true, false}, {200, "[]", false, false},
	} {
		status, body = step.status, step.body
		held.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/api/v1/holds", nil))
		if missing("succeeded") != step.succeed || missing("failed") != step.fails {
			t.Errorf("after %d: unseen %q", step.status, c.Unseen())
		}
	}
	if slices.Contains(c.Unseen(), "GET /healthz (live) has not failed") {
		t.Error("what cannot fail is missed")
	}
}
