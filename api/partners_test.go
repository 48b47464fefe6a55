package api_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ecogate/ecogate/api"
	"github.com/ecogate/ecogate/exchange"
	"github.com/ecogate/ecogate/partners"
)

func operated(t *testing.T) (*fixture, *operator) {
	t.Helper()
	o := new(operator)
	return serve(t, func(options *api.Options) { options.Operator = o }), o
}

func TestPartnersAreListed(t *testing.T) {
	f, _ := operated(t)
	list, err := f.client(officerSecret).Partners(t.Context())
	if err != nil || len(list) != 2 || list[0].ID != "KR" || list[1].Failures != 5 || !list[1].Suspended.Equal(now) {
		t.Errorf("partners %+v, error %v", list, err)
	}
}

func TestPauseAndResumeAnswerHowThePartnerStands(t *testing.T) {
	f, o := operated(t)
	p, err := f.client(operatorSecret).Pause(t.Context(), "KR", "their new HSM")
	if err != nil || p.ID != "KR" || p.Pause == nil || p.Pause.By != "night-shift" || p.Pause.Why != "their new HSM" {
		t.Errorf("paused: %+v, error %v", p, err)
	}
	if p, err = f.client(operatorSecret).Resume(t.Context(), "KR"); err != nil || p.ID != "KR" || p.Pause != nil {
		t.Errorf("resumed: %+v, error %v", p, err)
	}
	if got := f.request(operatorSecret, "POST", "/api/v1/partners/KR/pause", ""); got.status != 200 {
		t.Errorf("paused without a body: status %d, body %s", got.status, got.body)
	}
	want := []string{"night-shift pauses KR: their new HSM", "night-shift resumes KR", "night-shift pauses KR: "}
	if !slices.Equal(o.asked, want) {
		t.Errorf("asked %q, want %q", o.asked, want)
	}
	if log := f.log.take(); !strings.Contains(log, `"event":"partner.paused","subject":"KR"`) {
		t.Errorf("log %s", log)
	}
}

func TestPingTellsHowItWent(t *testing.T) {
	f, o := operated(t)
	p, err := f.client(operatorSecret).Ping(t.Context(), "KR", "urn:cpa", 90*time.Second)
	if err != nil || p.Status != 204 || p.RoundTrip != 2*time.Second || p.Signer != "ab12" || !p.Answered.Equal(now.Add(2*time.Second)) {
		t.Errorf("ping %+v, error %v", p, err)
	}
	if !slices.Equal(o.asked, []string{`night-shift pings KR under "urn:cpa"`}) || o.within > 90*time.Second || o.within < 60*time.Second {
		t.Errorf("asked %q with %s", o.asked, o.within)
	}
	if got := f.request(operatorSecret, "POST", "/api/v1/partners/KR/ping", ""); got.status != 200 || o.within > 30*time.Second {
		t.Errorf("without a body: status %d, %s", got.status, o.within)
	}
}

// patient is a node whose partner answers after a while.
type patient struct{ operator }

func (p *patient) Ping(ctx context.Context, _, partner, _ string) (exchange.Ping, error) {
	select {
	case <-ctx.Done():
		return exchange.Ping{}, fmt.Errorf("%w %s: %w", exchange.ErrNoAnswer, partner, ctx.Err())
	case <-time.After(400 * time.Millisecond):
		return exchange.Ping{Partner: partner}, nil
	}
}

func TestPingOutlastsTheListenersBounds(t *testing.T) {
	f := serve(t, func(o *api.Options) { o.Operator, o.Timeout = new(patient), 200*time.Millisecond })
	server := httptest.NewUnstartedServer(f.server.Config.Handler)
	server.Config.ReadTimeout, server.Config.WriteTimeout = 200*time.Millisecond, 200*time.Millisecond
	server.Start()
	defer server.Close()
	client, err := api.NewClient(server.URL, operatorSecret, nil)
	if err != nil {
		t.Fatal(err)
	}
	if p, err := client.Ping(t.Context(), "KR", "", 5*time.Second); err != nil || p.Partner != "KR" {
		t.Errorf("ping %+v, error %v", p, err)
	}
}

func TestPartnerIsAskedAboutAMessage(t *testing.T) {
	f, o := operated(t)
	s, err := f.client(officerSecret).AskStatus(t.Context(), "KR", "m1@la", time.Second)
	if err != nil || s.Status != "Processed" || s.MessageID != "m1@la" {
		t.Errorf("status %+v, error %v", s, err)
	}
	if !slices.Equal(o.asked, []string{"post-12 asks KR about m1@la"}) || o.within > time.Second {
		t.Errorf("asked %q with %s", o.asked, o.within)
	}
}

func TestWhatWasMetInPlaceOfAnAnswerIsTold(t *testing.T) {
	_, dial := net.DialTimeout("tcp", "192.0.2.1:1", time.Nanosecond)
	tests := []struct {
		name   string
		err    error
		status int
		code   api.Code
		is     error
		detail string
	}{
		{"refused", fmt.Errorf("%w KR: it refused the ping: SecurityFailure", exchange.ErrNoAnswer), 502, api.CodeNoAnswer, exchange.ErrNoAnswer, "KR: it refused the ping: SecurityFailure"},
		{"not in time", fmt.Errorf("%w KR at https://kr: %w", exchange.ErrNoAnswer, context.DeadlineExceeded), 502, api.CodeNoAnswer, exchange.ErrNoAnswer, "KR at https://kr: context deadline exceeded"},
		{"connection hangs", fmt.Errorf("%w KR at https://kr: %w", exchange.ErrNoAnswer, dial), 502, api.CodeNoAnswer, exchange.ErrNoAnswer, "KR at https://kr: dial tcp 192.0.2.1:1: i/o timeout"},
		{"file of the system hangs", fmt.Errorf("%w KR: %w", exchange.ErrNoAnswer, os.ErrDeadlineExceeded), 502, api.CodeNoAnswer, exchange.ErrNoAnswer, "KR: i/o timeout"},
		{"unknown partner", fmt.Errorf("%w: %q", partners.ErrUnknownPartner, "KR"), 404, api.CodeUnknownPartner, partners.ErrUnknownPartner, `"KR"`},
		{"unknown agreement", fmt.Errorf("partner %q: %w: %q", "KR", partners.ErrUnknownCPA, "x"), 404, api.CodeUnknownCPA, partners.ErrUnknownCPA, `"x"`},
		{"no agreement", fmt.Errorf("partner %q: %w", "KR", partners.ErrNoAgreement), 422, api.CodeNoAgreement, partners.ErrNoAgreement, `partner "KR"`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			f, o := operated(t)
			o.err = test.err
			_, ping := f.client(operatorSecret).Ping(t.Context(), "KR", "", time.Second)
			_, asked := f.client(operatorSecret).AskStatus(t.Context(), "KR", "m1@la", time.Second)
			for _, err := range []error{ping, asked} {
				var p *api.Problem
				if !errors.As(err, &p) || p.Status != test.status || p.Code != test.code || p.Detail != test.detail || !errors.Is(err, test.is) {
					t.Errorf("error = %v, want %d %s with %q", err, test.status, test.code, test.detail)
				}
			}
		})
	}
}

func TestRequestsAboutPartnersAreReadStrictly(t *testing.T) {
	f, o := operated(t)
	long := strings.Repeat("x", 1025)
	tests := []struct {
		name, path, body string
		status           int
		code             api.Code
	}{
		{"unknown member", "KR/pause", `{"why":"","until":"tomorrow"}`, 400, api.CodeMalformed},
		{"member twice", "KR/pause", `{"why":"a","why":"b"}`, 400, api.CodeMalformed},
		{"member in capitals", "KR/pause", `{"Why":"a"}`, 400, api.CodeMalformed},
		{"number", "KR/pause", `{"why":1}`, 400, api.CodeMalformed},
		{"two lines", "KR/pause", `{"why":"a\nb"}`, 400, api.CodeMalformed},
		{"half a character", "KR/pause", "{\"why\":\"\xff\"}", 400, api.CodeMalformed},
		{"long text", "KR/pause", `{"why":"` + long + `"}`, 400, api.CodeMalformed},
		{"list", "KR/pause", `[]`, 400, api.CodeMalformed},
		{"data after it", "KR/pause", `{} {}`, 400, api.CodeMalformed},
		{"body of resume", "KR/resume", `{}`, 400, api.CodeMalformed},
		{"why of a ping", "KR/ping", `{"why":"a"}`, 400, api.CodeMalformed},
		{"no message", "KR/message-status", `{}`, 400, api.CodeMalformed},
		{"no body", "KR/message-status", ``, 400, api.CodeMalformed},
		{"no wait", "KR/ping?timeout=0", ``, 400, api.CodeParameter},
		{"long wait", "KR/ping?timeout=121", ``, 400, api.CodeParameter},
		{"wait with unit", "KR/message-status?timeout=3s", `{"message_id":"a"}`, 400, api.CodeParameter},
		{"unknown parameter", "KR/ping?wait=3", ``, 400, api.CodeParameter},
		{"parameter of pause", "KR/pause?timeout=3", ``, 400, api.CodeParameter},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got := f.request(operatorSecret, "POST", "/api/v1/partners/"+test.path, test.body)
			if p := got.problem(t); got.status != test.status || p.Code != test.code || p.Detail == "" {
				t.Errorf("status %d, body %s; want %d %s with a detail", got.status, got.body, test.status, test.code)
			}
		})
	}
	if len(o.asked) > 0 {
		t.Errorf("the node was asked %q", o.asked)
	}
	if got := f.request(operatorSecret, "POST", "/api/v1/partners/KR/pause", `{}`, "Content-Type", "text/plain"); got.status != 415 {
		t.Errorf("text: status %d", got.status)
	}
}

// FuzzText posts arbitrary bodies to a path that takes one member. What reaches the node is one line of text that the body gives.
func FuzzText(f *testing.F) {
	for _, body := range []string{`{"why":"their new HSM"}`, `{"why":null}`, `{}`, ``, `{"why":"\ud800"}`, `{"why":"a","why":"b"}`} {
		f.Add(body)
	}
	f.Fuzz(func(t *testing.T, body string) {
		o := new(operator)
		handler, err := api.New(api.Options{
			Operator: o, Dealer: new(dealer), Node: submitter(accepting), Store: emptyStore{}, Audit: auditor(forgetting), Keys: keySet(t, keys()), Now: func() time.Time { return now },
		})
		if err != nil {
			t.Fatal(err)
		}
		req := httptest.NewRequest("POST", "/api/v1/partners/KR/pause", strings.NewReader(body))
		req.Header.Set("Authorization", "Bearer "+operatorSecret)
		req.Header.Set("Content-Type", "application/json")
		got := httptest.NewRecorder()
		handler.ServeHTTP(got, req)
		switch {
		case got.Code == 400 && len(o.asked) == 0:
		case got.Code == 200 && len(o.asked) == 1 && (body == "" || json.Valid([]byte(body))):
			if strings.ContainsAny(o.paused.Why, "\r\n\x00\u202e") || len(o.paused.Why) > 1024 {
				t.Errorf("the node was given %q", o.paused.Why)
			}
		default:
			t.Fatalf("status %d, body %s, asked %q", got.Code, got.Body, o.asked)
		}
	})
}
