package main

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// runAgainst runs the program against an API that answers every request with one body.
func runAgainst(t *testing.T, status int, contentType, body string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", contentType)
		w.WriteHeader(status)
		_, _ = w.Write([]byte(body))
	}))
	defer server.Close()
	var out, errOut bytes.Buffer
	args = append(args, "--api", server.URL, "--key", "k")
	code = (&cli{in: strings.NewReader(""), out: &out, errOut: &errOut, now: func() time.Time { return scriptTime }}).run(t.Context(), args)
	return code, out.String(), errOut.String()
}

func TestOutputCannotSteerATerminal(t *testing.T) {
	steering := `\u001b[2J\u0007\u202egpj.exe\u009b31m`
	for _, test := range []struct {
		name, contentType, body string
		status                  int
		args                    []string
	}{
		{"message", "application/json", `{"seq":1,"partner":"KR` + steering + `","reason":{"code":"x","cause":"` + steering + `"}}`, 200, []string{"msg", "show", "1"}},
		{"messages", "application/json", `{"messages":[{"seq":1,"partner":"KR` + steering + `"}]}`, 200, []string{"msg", "list"}},
		{"certificate", "application/json", `{"matches":[{"seq":1,"partner":"KR","certificate":{"exporter":{"name":"KR` + steering + `"}},
			"deadlines":[{"kind":"verification reply","owner":"exporting","verification":"V` + steering + `","due":"2026-12-01"}]}]}`, 200, []string{"co", "show", "A"}},
		{"problem", "application/problem+json", `{"code":"x","status":500,"title":"KR","detail":"` + steering + `"}`, 500, []string{"co", "show", "A"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, stdout, stderr := runAgainst(t, test.status, test.contentType, test.body, test.args...)
			if !strings.Contains(stdout+stderr, "KR") {
				t.Fatalf("output lacks the answer: %q %q", stdout, stderr)
			}
			if strings.ContainsAny(stdout+stderr, "\x1b\x07\u202e\u009b") {
				t.Errorf("output = %q %q", stdout, stderr)
			}
		})
	}
}

func TestInternalErrorsPointToTheLog(t *testing.T) {
	code, _, stderr := runAgainst(t, 500, "application/problem+json",
		`{"code":"internal","status":500,"title":"The node met an internal error","correlation_id":"abc-7"}`, "msg", "list")
	if code != exitFailure || !strings.Contains(stderr, "hint: the node's log tells more under correlation_id abc-7") {
		t.Errorf("exit code %d, stderr %q", code, stderr)
	}
}

func TestMessageTellsOfAttemptsAndReasonOnce(t *testing.T) {
	_, stdout, _ := runAgainst(t, 200, "application/json", `{"seq":1,
		"reason":{"code":"SecurityFailure","cause":"SecurityFailure at //Signature: no signature"},
		"log":[{"began":"2026-11-20T08:30:00Z","problem":"connection refused"},
			{"began":"2026-11-20T08:31:00Z","status":503,"problem":"HTTP 503 Service Unavailable"},
			{"began":"2026-11-20T08:32:00Z","problem":"not sent: no attempts left"},
			{"began":"2026-11-20T08:33:00Z","status":200}]}`, "msg", "show", "1")
	for _, want := range []string{
		"reason     SecurityFailure at //Signature: no signature\n",
		"attempt 1  2026-11-20T08:30:00Z  HTTP -  connection refused\n",
		"attempt 2  2026-11-20T08:31:00Z  HTTP 503 Service Unavailable\n",
		"ended      2026-11-20T08:32:00Z  not sent: no attempts left\n",
		"attempt 3  2026-11-20T08:33:00Z  HTTP 200\n",
	} {
		if !strings.Contains(stdout, want) {
			t.Errorf("output lacks %q:\n%s", want, stdout)
		}
	}
	_, stdout, _ = runAgainst(t, 200, "application/json", `{"seq":1,"reason":{"code":"DeliveryFailure","cause":"no acknowledgment came"}}`, "msg", "show", "1")
	if !strings.Contains(stdout, "reason  DeliveryFailure: no acknowledgment came\n") {
		t.Errorf("output:\n%s", stdout)
	}
}

func TestCertificateTellsOfItsDeadlines(t *testing.T) {
	_, stdout, _ := runAgainst(t, 200, "application/json", `{"matches":[{"seq":1,"deadlines":[
		{"kind":"verification reply","owner":"exporting","verification":"V1","due":"2026-11-19","overdue":true},
		{"kind":"validity","owner":"importing","due":"2027-11-16","unconfirmed":true,"overdue":false}]}]}`, "co", "show", "A")
	for _, want := range []string{"2026-11-19", "verification reply V1, exporting side, OVERDUE\n", "2027-11-16", "validity, importing side, by a figure that is not confirmed\n"} {
		if !strings.Contains(stdout, want) {
			t.Errorf("want %q in\n%s", want, stdout)
		}
	}
}
