package peertest_test

import (
	"context"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ecogate/ecogate/ebms"
	"github.com/ecogate/ecogate/internal/peertest"
)

func clock() time.Time { return time.Date(2026, 11, 22, 8, 0, 0, 0, time.UTC) }

func receiveEcho(_ context.Context, r ebms.Request) ebms.Reply {
	body, err := ebms.ReadAll(r.Body, 0)
	if err != nil {
		return ebms.Reply{Status: 503}
	}
	return ebms.Reply{Status: 200, ContentType: r.ContentType, Body: body}
}

// echo is a handler that gives back what it gets and counts.
type echo struct{ calls atomic.Int32 }

func (e *echo) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	e.calls.Add(1)
	ebms.Handler(ebms.HandlerOptions{
		Receive: receiveEcho,
		Now:     clock,
	}).ServeHTTP(w, r)
}

const page = "<html><body>Please sign in<br></body></html>"

func post(t *testing.T, p *peertest.Peer, body string) (ebms.Response, error) {
	t.Helper()
	c := ebms.NewClient(ebms.ClientOptions{Now: clock})
	t.Cleanup(c.CloseIdleConnections)
	return c.Post(t.Context(), ebms.Outgoing{URL: p.URL + "/ebms", ContentType: "text/xml", Body: ebms.Bytes([]byte(body))})
}

func TestPeerFollowsItsScript(t *testing.T) {
	for _, test := range []struct {
		name      string
		step      func(h http.Handler) peertest.Step
		status    int // 0: no answer
		body      string
		delivered int32
	}{
		{"accept", func(http.Handler) peertest.Step { return peertest.Accept() }, 204, "", 0},
		{"status", func(http.Handler) peertest.Step { return peertest.Status(500) }, 500, "", 0},
		{"redirect is not followed", func(http.Handler) peertest.Step { return peertest.Status(301) }, 301, "", 0},
		{"page of a proxy", func(http.Handler) peertest.Step { return peertest.HTML() }, 200, page, 0},
		{"busy", func(http.Handler) peertest.Step { return peertest.Busy("7") }, 503, "", 0},
		{"drop", func(http.Handler) peertest.Step { return peertest.Drop() }, 0, "", 0},
		{"deliver", peertest.Deliver, 200, "message", 1},
		{"lose reply", peertest.LoseReply, 0, "", 1},
		{"deliver twice", peertest.DeliverTwice, 200, "message", 2},
		{"corrupt request", func(h http.Handler) peertest.Step { return peertest.CorruptRequest(h, 0) }, 200, "lessage", 1},
		{"corrupt reply", func(h http.Handler) peertest.Step { return peertest.CorruptReply(h, -1) }, 200, "messagd", 1},
		{"truncate request", func(h http.Handler) peertest.Step { return peertest.TruncateRequest(h, 4) }, 200, "mess", 1},
		{"truncate reply", func(h http.Handler) peertest.Step { return peertest.TruncateReply(h, 4) }, 0, "", 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			h := &echo{}
			p := peertest.New(t, test.step(h))
			resp, err := post(t, p, "message")
			if (err != nil) != (test.status == 0) {
				t.Fatalf("error %v, want status %d", err, test.status)
			}
			if resp.Status != test.status || string(resp.Body) != test.body {
				t.Errorf("answer %d %q, want %d %q", resp.Status, resp.Body, test.status, test.body)
			}
			if n := h.calls.Load(); n != test.delivered {
				t.Errorf("delivered %d times, want %d", n, test.delivered)
			}
			if got := p.Requests(); len(got) != 1 || string(got[0].Body) != "message" || got[0].Path != "/ebms" {
				t.Errorf("recorded %+v", got)
			}
		})
	}
}

func TestPeerHangsUntilReleased(t *testing.T) {
	release := make(chan struct{})
	p := peertest.New(t, peertest.Hang(release, peertest.Status(202)))
	done := make(chan ebms.Response)
	go func() {
		resp, _ := post(t, p, "message")
		done <- resp
	}()
	p.Await(1)
	select {
	case resp := <-done:
		t.Fatalf("answered %d before it was released", resp.Status)
	default:
	}
	close(release)
	if resp := <-done; resp.Status != 202 {
		t.Errorf("status %d after release, want 202", resp.Status)
	}
}

func TestPeerDoesTheUsualAfterItsScript(t *testing.T) {
	p := peertest.New(t)
	p.Then(peertest.Status(500))
	p.Usually(peertest.Status(202))
	for _, want := range []int{500, 202, 202} {
		resp, err := post(t, p, "message")
		if err != nil || resp.Status != want {
			t.Errorf("status %d, %v; want %d", resp.Status, err, want)
		}
	}
}

func TestFireReturnsTheAnswer(t *testing.T) {
	resp := peertest.Fire(&echo{}, http.Header{"Content-Type": {"text/xml"}}, []byte("<a/>"))
	if resp.Status != 200 || string(resp.Body) != "<a/>" {
		t.Errorf("answer %d %q", resp.Status, resp.Body)
	}
	if resp := peertest.Fire(&echo{}, http.Header{"Content-Type": {"image/png"}}, nil); resp.Status != 415 {
		t.Errorf("status %d for an image, want 415", resp.Status)
	}
}
