package api_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/ecogate/ecogate/api"
	"github.com/ecogate/ecogate/ebms"
	"github.com/ecogate/ecogate/eco"
	"github.com/ecogate/ecogate/exchange"
	"github.com/ecogate/ecogate/partners"
)

func TestStatusTableHoldsBothWays(t *testing.T) {
	secret := errors.New("disk sda1: /var/lib/ecogate")
	findings := []eco.Finding{{Code: "D04", Severity: "error", Path: "/issue_date", Text: "lies in the future", Fix: "correct the date"}}
	tests := []struct {
		name   string
		err    error
		status int
		code   api.Code
		is     error  // what the client's error must be
		text   string // what the client's error must say
		hidden bool   // nothing of the error's own text may travel
	}{
		{"invalid", &exchange.InvalidError{Findings: findings}, 422, api.CodeInvalid, nil, "D04 /issue_date: lies in the future (correct the date)", false},
		{"unknown partner", fmt.Errorf("%w %q", partners.ErrUnknownPartner, "XX"), 404, api.CodeUnknownPartner, partners.ErrUnknownPartner, `"XX"`, false},
		{"no agreement", fmt.Errorf("%w: none for AK", partners.ErrNoAgreement), 422, api.CodeNoAgreement, partners.ErrNoAgreement, "none for AK", false},
		{"agreement not in force", fmt.Errorf("CPAId a: %w", partners.ErrOutsideValidity), 422, api.CodeNotInForce, partners.ErrOutsideValidity, "CPAId a", false},
		{"not authorised", fmt.Errorf("%w: KCCI", exchange.ErrNotAuthorised), 403, api.CodeNotAuthorised, exchange.ErrNotAuthorised, "KCCI", false},
		{"conflict", fmt.Errorf("certificate A1: %w", exchange.ErrConflict), 409, api.CodeConflict, exchange.ErrConflict, "A1", false},
		{"over the agreement", fmt.Errorf("%w: 9 bytes, the agreement allows 8", exchange.ErrTooLarge), 422, api.CodeOverAgreement, exchange.ErrTooLarge, "9 bytes", false},
		{"no time-stamp", fmt.Errorf("%w: %w", exchange.ErrNoTimeStamp, secret), 503, api.CodeNoTimeStamp, exchange.ErrNoTimeStamp, "nothing was queued", true},
		{"not found", fmt.Errorf("%w: %w", exchange.ErrNotFound, secret), 404, api.CodeNotFound, exchange.ErrNotFound, "", true},
		{"full", fmt.Errorf("%w: %w", exchange.ErrFull, secret), 503, api.CodeFull, exchange.ErrFull, "nothing was written", true},
		{"timed out", fmt.Errorf("%w: %w", context.DeadlineExceeded, secret), 503, api.CodeTimedOut, context.DeadlineExceeded, "", true},
		{"anything else", secret, 500, api.CodeInternal, nil, "internal error", true},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			f := serve(t, func(o *api.Options) {
				o.Node = submitter(func(string, string, eco.Certificate) (exchange.Submission, error) {
					return exchange.Submission{}, test.err
				})
			})
			_, err := f.client(issuerSecret).Submit(t.Context(), "KR", certificateJSON(t))
			var p *api.Problem
			if !errors.As(err, &p) {
				t.Fatalf("error = %v, want a problem", err)
			}
			if p.Status != test.status || p.Code != test.code || p.Type != "urn:ecogate:problem:"+string(test.code) || p.Title == "" ||
				p.Instance != "/api/v1/certificates" || p.CorrelationID == "" {
				t.Errorf("problem = %+v, want %d %s", p, test.status, test.code)
			}
			if test.is != nil && !errors.Is(err, test.is) {
				t.Errorf("error %v is not %v", err, test.is)
			}
			if !strings.Contains(err.Error(), test.text) {
				t.Errorf("error %q lacks %q", err, test.text)
			}
			if test.hidden && strings.Contains(fmt.Sprintf("%+v", p), "sda1") {
				t.Errorf("the cause travels: %+v", p)
			}
			if log := f.log.take(); test.status >= 500 && (!strings.Contains(log, test.err.Error()) || !strings.Contains(log, p.CorrelationID)) {
				t.Errorf("the log lacks the cause or the correlation id: %s", log)
			}
		})
	}
}

func TestDetailsDoNotRepeatTheTitle(t *testing.T) {
	for _, test := range []struct {
		name string
		err  error
		want string
	}{
		{"what follows", fmt.Errorf("certificate A1: %w", fmt.Errorf("%w: LA/ATIGA-D/A1", exchange.ErrConflict)), "LA/ATIGA-D/A1"},
		{"what stands before", fmt.Errorf("partner %q, form %q: %w", "TW", "AK", partners.ErrNoAgreement), `partner "TW", form "AK"`},
		{"two causes", fmt.Errorf("%w: %w", exchange.ErrNotAuthorised, errors.New("body KCCI: no form AK")), "body KCCI: no form AK"},
	} {
		t.Run(test.name, func(t *testing.T) {
			f := serve(t, func(o *api.Options) {
				o.Node = submitter(func(string, string, eco.Certificate) (exchange.Submission, error) {
					return exchange.Submission{}, test.err
				})
			})
			_, err := f.client(issuerSecret).Submit(t.Context(), "KR", certificateJSON(t))
			var p *api.Problem
			if !errors.As(err, &p) || p.Detail != test.want {
				t.Errorf("error = %v, want the detail %q", err, test.want)
			}
		})
	}
}

func TestUnavailableSaysWhenToComeBack(t *testing.T) {
	f := serve(t, func(o *api.Options) {
		o.Node = submitter(func(string, string, eco.Certificate) (exchange.Submission, error) {
			return exchange.Submission{}, exchange.ErrFull
		})
		o.Ready = func(context.Context) error { return errors.New("draining: secret") }
	})
	submission := f.request(issuerSecret, "POST", "/api/v1/certificates", `{"partner":"KR","certificate":`+string(certificateJSON(t))+`}`)
	ready := f.request("", "GET", "/readyz", "")
	for _, got := range []answer{submission, ready} {
		if got.status != 503 || got.header.Get("Retry-After") != "30" {
			t.Errorf("status %d, Retry-After %q", got.status, got.header.Get("Retry-After"))
		}
	}
	if p := ready.problem(t); p.Code != api.CodeNotReady || strings.Contains(string(ready.body), "secret") {
		t.Errorf("readiness = %+v", p)
	}
}

func TestDamagedAndDroppedBytesAreToldApart(t *testing.T) {
	for _, test := range []struct {
		err    error
		status int
		code   api.Code
	}{
		{exchange.ErrDamaged, 500, api.CodeDamaged},
		{exchange.ErrNotFound, 410, api.CodeDropped},
	} {
		f := serve(t, func(o *api.Options) {
			o.Store = damage{o.Store, test.err}
			o.Operator = &operator{parts: func(exchange.Message) (*exchange.Parts, error) {
				return nil, fmt.Errorf("stored message 1: %w", test.err)
			}}
		})
		f.imported("B1", "in@kr", "said")
		for _, path := range []string{"/api/v1/messages/1/raw", "/api/v1/documents/1", "/api/v1/messages/1/parts", "/api/v1/messages/1/parts/1"} {
			got := f.request(officerSecret, "GET", path, "")
			if p := got.problem(t); got.status != test.status || p.Code != test.code {
				t.Errorf("%s: status %d, problem %+v; want %d %s", path, got.status, p, test.status, test.code)
			}
		}
	}
}

func TestMessageThatWasNeverReadHasNoBytes(t *testing.T) {
	f := serve(t, nil)
	f.accept(exchange.Arrival{
		Message: exchange.Message{
			Direction: exchange.Inbound, Kind: exchange.KindUnknown, State: exchange.StateQuarantined, Created: now,
			Reason: &exchange.Reason{Code: "MimeProblem", Cause: "HTTP 413"},
		},
		Raw: ebms.Bytes(nil),
	})
	for _, path := range []string{"/api/v1/messages/1/raw", "/api/v1/messages/1/parts", "/api/v1/messages/1/parts/1"} {
		got := f.request(officerSecret, "GET", path, "")
		if p := got.problem(t); p.Code != api.CodeNotFound || p.Detail != "the message was refused before its body was read" {
			t.Errorf("%s: %+v", path, p)
		}
	}
}

func TestUnknownPathsAndMethodsAreProblems(t *testing.T) {
	f := serve(t, nil)
	tests := []struct {
		method, path string
		status       int
		code         api.Code
	}{
		{"GET", "/api/v1/nothing", 404, api.CodeNoPath},
		{"GET", "/api/v2/messages", 404, api.CodeNoPath},
		{"GET", "/api/v1/messages/1/raw/more", 404, api.CodeNoPath},
		{"DELETE", "/api/v1/messages/1", 405, api.CodeMethod},
		{"PUT", "/api/v1/certificates", 405, api.CodeMethod},
		{"POST", "/healthz", 405, api.CodeMethod},
	}
	for _, test := range tests {
		got := f.request(operatorSecret, test.method, test.path, "")
		if p := got.problem(t); got.status != test.status || p.Code != test.code || p.Instance != test.path {
			t.Errorf("%s %s: status %d, problem %+v", test.method, test.path, got.status, p)
		}
		if test.status == 405 && got.header.Get("Allow") == "" {
			t.Errorf("%s %s: no Allow header", test.method, test.path)
		}
	}
}

func TestPanicsTellNothing(t *testing.T) {
	f := serve(t, func(o *api.Options) {
		o.Node = submitter(func(string, string, eco.Certificate) (exchange.Submission, error) { panic("the safe's number is 42") })
	})
	got := f.request(issuerSecret, "POST", "/api/v1/certificates", `{"partner":"KR","certificate":`+string(certificateJSON(t))+`}`)
	if p := got.problem(t); got.status != 500 || p.Code != api.CodeInternal || strings.Contains(string(got.body), "42") {
		t.Errorf("status %d, body %s", got.status, got.body)
	}
	if log := f.log.take(); !strings.Contains(log, "42") || !strings.Contains(log, "problem_test.go") {
		t.Errorf("the log lacks the panic or its stack: %s", log)
	}
}

func TestCorrelationIDIsEchoedOrReplaced(t *testing.T) {
	f := serve(t, nil)
	tests := []struct {
		name, given string
		kept        bool
	}{
		{"usual", "2026-11.20_a:b", true},
		{"absent", "", false},
		{"longest", strings.Repeat("x", 64), true},
		{"too long", strings.Repeat("x", 65), false},
		{"space", "a b", false},
		{"beyond ASCII", "référence", false},
		{"quote", `a"b`, false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got := f.request(operatorSecret, "GET", "/api/v1/nothing", "", "X-Correlation-Id", test.given)
			id := got.header.Get("X-Correlation-Id")
			if (id == test.given) != test.kept || id == "" || got.problem(t).CorrelationID != id {
				t.Errorf("answered %q to %q", id, test.given)
			}
		})
	}
}

func TestAdminHandlerServesHealthOnly(t *testing.T) {
	f := serve(t, nil)
	var cause error
	server := httptest.NewServer(api.AdminHandler(api.Options{
		Store: f.store, Now: func() time.Time { return now }, Ready: func(context.Context) error { return cause },
	}))
	defer server.Close()
	get := func(path string) int {
		res, err := http.Get(server.URL + path)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		return res.StatusCode
	}
	if live, ready := get("/healthz"), get("/readyz"); live != 200 || ready != 200 {
		t.Errorf("live %d, ready %d, want 200 twice", live, ready)
	}
	cause = errors.New("draining")
	if live, ready := get("/healthz"), get("/readyz"); live != 200 || ready != 503 {
		t.Errorf("live %d, ready %d, want 200 and 503", live, ready)
	}
	if status := get("/api/v1/messages"); status != 404 {
		t.Errorf("messages answer %d on the admin listener, want 404", status)
	}
}

func TestProbesAreLoggedForDebuggingOnly(t *testing.T) {
	f := serve(t, nil)
	for _, path := range []string{"/healthz", "/readyz"} {
		f.request("", "GET", path, "")
	}
	if log := f.log.take(); log != "" {
		t.Errorf("probes are logged: %s", log)
	}
	f.request(operatorSecret, "GET", "/api/v1/messages", "")
	f.server.Close() // waits for the handler
	if log := f.log.take(); !strings.Contains(log, `"msg":"request"`) {
		t.Errorf("a request is not logged: %s", log)
	}
}
