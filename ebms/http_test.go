package ebms_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ecogate/ecogate/ebms"
	"github.com/ecogate/ecogate/internal/peertest"
)

func handler(receive func(ebms.Request) ebms.Reply) http.Handler {
	return ebms.Handler(ebms.HandlerOptions{Now: instant, Receive: func(_ context.Context, r ebms.Request) ebms.Reply { return receive(r) }})
}

func client(t *testing.T, o ebms.ClientOptions) *ebms.Client {
	t.Helper()
	if o.Now == nil {
		o.Now = instant
	}
	c := ebms.NewClient(o)
	t.Cleanup(c.CloseIdleConnections)
	return c
}

func TestHandlerHandsTheRequestOn(t *testing.T) {
	var got ebms.Request
	server := httptest.NewTLSServer(handler(func(r ebms.Request) ebms.Reply {
		got = r
		got.Body = ebms.Bytes(octets(t, r.Body))
		return ebms.Reply{Status: 204}
	}))
	t.Cleanup(server.Close)
	roots := x509.NewCertPool()
	roots.AddCert(server.Certificate())
	out := ebms.Outgoing{URL: server.URL, ContentType: `text/xml; charset="UTF-8"`, SOAPAction: "urn:a/b", Body: ebms.Bytes([]byte("<a/>"))}
	if _, err := client(t, ebms.ClientOptions{TLS: &tls.Config{RootCAs: roots}}).Post(t.Context(), out); err != nil {
		t.Fatal(err)
	}
	if got.TLS == nil || !strings.HasPrefix(got.Remote, "127.0.0.1:") {
		t.Errorf("TLS %v, remote %q", got.TLS, got.Remote)
	}
	got.TLS, got.Remote = nil, ""
	want := ebms.Request{ContentType: out.ContentType, SOAPAction: "urn:a/b", Body: out.Body, Received: instant()}
	if diff := cmp.Diff(want, got, equalContents); diff != "" {
		t.Errorf("request differs (-want +got)\n%s", diff)
	}
	if _, err := client(t, ebms.ClientOptions{}).Post(t.Context(), out); err == nil {
		t.Error("a server that nobody vouches for is trusted")
	}
}

func TestHandlerWritesTheReplyAsItIs(t *testing.T) {
	for _, test := range []struct {
		name   string
		reply  ebms.Reply
		status int
		header http.Header
		body   string
	}{
		{"accepted", ebms.Reply{Status: 204}, 204, http.Header{}, ""},
		{"accepted, body is ignored", ebms.Reply{Status: 204, ContentType: "text/xml", Body: []byte("x")}, 204, http.Header{}, ""},
		{"answer", ebms.Reply{Status: 200, ContentType: "text/xml; charset=UTF-8", Body: []byte("<a/>")}, 200,
			http.Header{"Content-Type": {"text/xml; charset=UTF-8"}, "Content-Length": {"4"}}, "<a/>"},
		{"busy", ebms.Reply{Status: 503, RetryAfter: 30 * time.Second}, 503, http.Header{"Retry-After": {"30"}, "Content-Length": {"0"}}, ""},
		{"busy for a part of a second", ebms.Reply{Status: 503, RetryAfter: 1}, 503, http.Header{"Retry-After": {"1"}, "Content-Length": {"0"}}, ""},
		{"no status", ebms.Reply{}, 500, http.Header{"Content-Length": {"0"}}, ""},
		{"no final status", ebms.Reply{Status: 100}, 500, http.Header{"Content-Length": {"0"}}, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			server := httptest.NewServer(handler(func(ebms.Request) ebms.Reply { return test.reply }))
			defer server.Close()
			resp, err := http.Post(server.URL, "text/xml", strings.NewReader("<a/>"))
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			body, err := io.ReadAll(resp.Body)
			if err != nil || resp.StatusCode != test.status || string(body) != test.body {
				t.Errorf("%d %q, %v", resp.StatusCode, body, err)
			}
			resp.Header.Del("Date")
			if diff := cmp.Diff(test.header, resp.Header); diff != "" {
				t.Errorf("header differs (-want +got)\n%s", diff)
			}
		})
	}
}

func TestHandlerNamesTheMethodItTakes(t *testing.T) {
	w := httptest.NewRecorder()
	handler(nil).ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/", nil))
	if w.Code != 405 || w.Header().Get("Allow") != "POST" || w.Body.Len() != 0 {
		t.Errorf("%d, Allow %q, body %q", w.Code, w.Header().Get("Allow"), w.Body)
	}
}

func TestHandlerTakesAnySOAPAction(t *testing.T) {
	for _, header := range []http.Header{{}, {"Soapaction": {""}}, {"Soapaction": {`"ebXML"`}}, {"Soapaction": {"ebXML"}}} {
		header.Set("Content-Type", "text/xml")
		h := handler(func(r ebms.Request) ebms.Reply {
			return ebms.Reply{Status: 200, ContentType: "text/plain", Body: []byte("SOAPAction " + r.SOAPAction)}
		})
		if got := peertest.Fire(h, header, nil); string(got.Body) != "SOAPAction "+header.Get("Soapaction") {
			t.Errorf("%v is received as %d %q", header, got.Status, got.Body)
		}
	}
}

// A body without a length is stopped at the limit, and one that does not come at the time limit.
func TestHandlerBoundsTheBody(t *testing.T) {
	stalled, end := io.Pipe()
	t.Cleanup(func() { _ = end.Close() })
	go func() { _, _ = end.Write([]byte("<a>")) }()
	for _, test := range []struct {
		name    string
		body    io.Reader
		timeout time.Duration
		status  int
	}{
		{"at the limit", io.MultiReader(strings.NewReader(strings.Repeat("x", 1000))), time.Hour, 204},
		{"over the limit", io.MultiReader(strings.NewReader(strings.Repeat("x", 1001))), time.Hour, 413},
		{"stalls", stalled, 50 * time.Millisecond, 408},
	} {
		t.Run(test.name, func(t *testing.T) {
			server := httptest.NewServer(ebms.Handler(ebms.HandlerOptions{
				Limits: ebms.Limits{Body: 1000}, ReadTimeout: test.timeout, Now: instant,
				Receive: func(context.Context, ebms.Request) ebms.Reply { return ebms.Reply{Status: 204} },
			}))
			t.Cleanup(server.Close)
			resp, err := http.Post(server.URL, "text/xml", test.body)
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			if resp.StatusCode != test.status {
				t.Errorf("status %d, want %d", resp.StatusCode, test.status)
			}
		})
	}
}

func TestHandlerReadsNothingOfABodyThatIsAnnouncedTooLarge(t *testing.T) {
	r := httptest.NewRequest(http.MethodPost, "/", broken{})
	r.Header.Set("Content-Type", "text/xml")
	r.ContentLength = 1 << 40
	w := httptest.NewRecorder()
	if handler(nil).ServeHTTP(w, r); w.Code != 413 {
		t.Errorf("status %d, want 413", w.Code)
	}
}

func TestHandlerDoesNotPassOnABodyThatBreaksOff(t *testing.T) {
	received := false
	h := handler(func(ebms.Request) ebms.Reply { received = true; return ebms.Reply{Status: 204} })
	r := httptest.NewRequest(http.MethodPost, "/", io.MultiReader(strings.NewReader("<a>"), broken{}))
	r.Header.Set("Content-Type", "text/xml")
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	if w.Code != 400 || received {
		t.Errorf("status %d, received: %v", w.Code, received)
	}
}

type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

func TestClientWritesTheseHeadersAndNoOthers(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	lines := make(chan []string, 1)
	go func() {
		conn, err := listener.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		var got []string
		in := bufio.NewScanner(conn)
		for in.Scan() && in.Text() != "" {
			got = append(got, in.Text())
		}
		lines <- got
		_, _ = io.WriteString(conn, "HTTP/1.1 204 No Content\r\n\r\n")
	}()
	out := ebms.Outgoing{URL: "http://" + listener.Addr().String() + "/ebms", ContentType: "text/xml", Body: ebms.Bytes([]byte("<a/>\n"))}
	if _, err := client(t, ebms.ClientOptions{}).Post(t.Context(), out); err != nil {
		t.Fatal(err)
	}
	want := []string{
		"POST /ebms HTTP/1.1", "Host: " + listener.Addr().String(), "User-Agent: ecogate", "Content-Length: 5",
		"Content-Type: text/xml", `SOAPAction: "ebXML"`,
	}
	if diff := cmp.Diff(want, <-lines); diff != "" {
		t.Errorf("header differs (-want +got)\n%s", diff)
	}
}

func TestClientReturnsTheAnswer(t *testing.T) {
	message := ebms.Reply{Status: 200, ContentType: "text/xml", Body: []byte("<a/>")}
	for _, test := range []struct {
		name string
		step peertest.Step
		want ebms.Response
	}{
		{"accepted", peertest.Accept(), ebms.Response{Status: 204}},
		{"message", peertest.Answer(message), ebms.Response{Status: 200, ContentType: "text/xml", Body: []byte("<a/>")}},
		{"redirect", peertest.Status(307), ebms.Response{Status: 307}},
		{"busy", peertest.Busy("120"), ebms.Response{Status: 503, RetryAfter: 2 * time.Minute}},
		{"busy until", peertest.Busy("Fri, 20 Nov 2026 10:15:07 GMT"), ebms.Response{Status: 503, RetryAfter: 7 * time.Second}},
	} {
		t.Run(test.name, func(t *testing.T) {
			p := peertest.New(t, test.step)
			got, err := client(t, ebms.ClientOptions{}).Post(t.Context(), ebms.Outgoing{URL: p.URL, ContentType: "text/xml", Body: ebms.Bytes([]byte("<b/>"))})
			if err != nil {
				t.Fatal(err)
			}
			if len(got.Body) == 0 {
				got.Body = nil
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("answer differs (-want +got)\n%s", diff)
			}
			if n := len(p.Requests()); n != 1 {
				t.Errorf("%d requests were sent", n)
			}
		})
	}
}

func TestClientReportsAnswersThatAreNotWhole(t *testing.T) {
	endless := func(w http.ResponseWriter, _ *http.Request, _ []byte) {
		for err := error(nil); err == nil; {
			_, err = w.Write(make([]byte, 1<<10))
		}
	}
	echo := handler(func(r ebms.Request) ebms.Reply {
		return ebms.Reply{Status: 200, ContentType: "text/xml", Body: octets(t, r.Body)}
	})
	never := make(chan struct{})
	errRefused := errors.New("address is refused")
	for _, test := range []struct {
		name    string
		step    peertest.Step
		options ebms.ClientOptions
		want    string
	}{
		{"dropped", peertest.Drop(), ebms.ClientOptions{}, "EOF"},
		{"cut", peertest.TruncateReply(echo, 2), ebms.ClientOptions{}, "unexpected EOF"},
		{"over the limit", endless, ebms.ClientOptions{MaxReply: 100}, "over the limit of 100 bytes (ClientOptions.MaxReply)"},
		{"late", peertest.Hang(never, peertest.Accept()), ebms.ClientOptions{Timeout: 50 * time.Millisecond}, "deadline exceeded"},
		{"address refused", peertest.Accept(), ebms.ClientOptions{
			Control: func(string, string, syscall.RawConn) error { return errRefused },
		}, errRefused.Error()},
	} {
		t.Run(test.name, func(t *testing.T) {
			p := peertest.New(t, test.step)
			got, err := client(t, test.options).Post(t.Context(), ebms.Outgoing{URL: p.URL, ContentType: "text/xml", Body: ebms.Bytes([]byte("<b/>"))})
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("%+v, %v; want %q", got, err, test.want)
			}
		})
	}
	if _, err := client(t, ebms.ClientOptions{}).Post(t.Context(), ebms.Outgoing{URL: "::"}); err == nil {
		t.Error("a URL that is none is posted to")
	}
}

// Two waves of posts, each of which is held until all of it has arrived, need as many connections as one wave.
func TestClientKeepsConnections(t *testing.T) {
	const wave = 8
	var opened, arrived atomic.Int32
	gates := []chan struct{}{make(chan struct{}), make(chan struct{})}
	server := httptest.NewUnstartedServer(handler(func(ebms.Request) ebms.Reply {
		n := arrived.Add(1)
		gate := gates[(n-1)/wave]
		if n%wave == 0 {
			close(gate)
		}
		<-gate
		return ebms.Reply{Status: 204}
	}))
	server.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			opened.Add(1)
		}
	}
	server.Start()
	t.Cleanup(server.Close)
	c := client(t, ebms.ClientOptions{IdlePerHost: wave})
	for range gates {
		var wait sync.WaitGroup
		for range wave {
			wait.Go(func() {
				if _, err := c.Post(t.Context(), ebms.Outgoing{URL: server.URL, ContentType: "text/xml", Body: ebms.Bytes(nil)}); err != nil {
					t.Error(err)
				}
			})
		}
		wait.Wait()
	}
	if n := opened.Load(); n != wave {
		t.Errorf("%d connections for %d posts at a time", n, wave)
	}
}

func TestRetryAfterIsReadAsSecondsOrDate(t *testing.T) {
	for value, want := range map[string]time.Duration{
		"":                               0,
		"0":                              0,
		"90":                             90 * time.Second,
		" 90":                            0, // net/http has trimmed it
		"-1":                             0,
		"+1":                             0,
		"1.5":                            0,
		"soon":                           0,
		"86400":                          24 * time.Hour,
		"86401":                          24 * time.Hour,
		"99999999999999999999999":        24 * time.Hour,
		"Fri, 20 Nov 2026 10:16:00 GMT":  time.Minute,
		"Friday, 20-Nov-26 10:16:00 GMT": time.Minute,
		"Fri, 20 Nov 2026 10:14:00 GMT":  0,
		"Fri, 20 Nov 2099 10:14:00 GMT":  24 * time.Hour,
	} {
		if got := ebms.ParseRetryAfter(value, instant); got != want {
			t.Errorf("%q is %v, want %v", value, got, want)
		}
	}
	if got := ebms.ParseRetryAfter("Fri, 20 Nov 2026 10:16:00 GMT", nil); got != 0 {
		t.Errorf("a date without a clock is %v", got)
	}
}

func TestHandlerHandsOnWhatItRefuses(t *testing.T) {
	tests := []struct {
		name        string
		contentType string
		body        string
		status      int
		kept        int64
	}{
		{"too large by its length", "text/xml", strings.Repeat("x", 2000), 413, 0},
		{"another media type", "application/json", "{}", 415, 0},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var kept *ebms.Request
			var told *ebms.RefusedError
			h := ebms.Handler(ebms.HandlerOptions{
				Limits: ebms.Limits{Body: 1000}, Now: instant,
				Receive: func(context.Context, ebms.Request) ebms.Reply {
					t.Error("a refused request was received")
					return ebms.Reply{Status: 204}
				},
				Refused: func(_ context.Context, r ebms.Request, refusal *ebms.RefusedError) { kept, told = &r, refusal },
			})
			answer := peertest.Fire(h, http.Header{"Content-Type": {test.contentType}}, []byte(test.body))
			if answer.Status != test.status || told == nil || told.Status != test.status {
				t.Fatalf("answered %d, told %v; want %d", answer.Status, told, test.status)
			}
			if kept.ContentType != test.contentType || kept.Body.Size() != test.kept || !kept.Received.Equal(instant()) {
				t.Errorf("kept %q with %d bytes of %s", kept.ContentType, kept.Body.Size(), kept.Received)
			}
		})
	}
}

func TestHandlerHandsOnTheBeginningOfABodyWithoutLength(t *testing.T) {
	var kept []byte
	h := ebms.Handler(ebms.HandlerOptions{
		Limits: ebms.Limits{Body: 1000}, Now: instant,
		Receive: func(context.Context, ebms.Request) ebms.Reply { return ebms.Reply{Status: 204} },
		Refused: func(_ context.Context, r ebms.Request, _ *ebms.RefusedError) { kept = octets(t, r.Body) },
	})
	request := httptest.NewRequest(http.MethodPost, "/ebms", io.MultiReader(strings.NewReader(strings.Repeat("x", 5000))))
	request.ContentLength = -1
	request.Header.Set("Content-Type", "text/xml")
	answer := httptest.NewRecorder()
	h.ServeHTTP(answer, request)
	if answer.Code != 413 || len(kept) != 1000 {
		t.Errorf("answered %d and kept %d bytes; want 413 and the 1000 that were read", answer.Code, len(kept))
	}
}
