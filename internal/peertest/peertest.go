// Package peertest is a partner for tests of delivery: an HTTP server that does to each request what a script says. It
// accepts, refuses, drops, hangs, repeats, corrupts and truncates, and it keeps what it was sent. It knows HTTP only; a
// Step that delivers is given the handler that understands messages.
//
// Read Peer first, then Step and the steps.
package peertest

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"sync"
	"testing"

	"github.com/ecogate/ecogate/ebms"
)

// Request is what a Peer was sent.
type Request struct {
	Method string
	Path   string
	// Header is the request's header; Host, Content-Length and Transfer-Encoding are not in it.
	Header http.Header
	Body   []byte
}

// Step is what a Peer does with one request. The body was read already; r.Body gives it again.
type Step func(w http.ResponseWriter, r *http.Request, body []byte)

// Peer is a scripted partner. It is safe for concurrent use.
type Peer struct {
	// URL is where the peer listens, on loopback.
	URL string

	mu       sync.Mutex
	script   []Step
	usual    Step
	requests []Request
	arrived  *sync.Cond
}

// New starts a peer that takes the steps in turn, one for each request, and accepts what comes after them. It is stopped
// at the end of the test; steps that hang must have been released by then.
func New(tb testing.TB, script ...Step) *Peer {
	tb.Helper()
	p := &Peer{script: script, usual: Accept()}
	p.arrived = sync.NewCond(&p.mu)
	server := httptest.NewServer(p)
	tb.Cleanup(server.Close)
	p.URL = server.URL
	return p
}

// Then appends steps to the script.
func (p *Peer) Then(steps ...Step) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.script = append(p.script, steps...)
}

// Usually sets the step for requests that come after the script. It is Accept at first.
func (p *Peer) Usually(step Step) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.usual = step
}

// Requests returns what was sent so far, in the order of arrival.
func (p *Peer) Requests() []Request {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]Request(nil), p.requests...)
}

// Await waits until n requests have arrived, whatever became of them, and returns them. It waits for ever if they do not
// come: the test's own deadline ends it.
func (p *Peer) Await(n int) []Request {
	p.mu.Lock()
	defer p.mu.Unlock()
	for len(p.requests) < n {
		p.arrived.Wait()
	}
	return append([]Request(nil), p.requests[:n]...)
}

// ServeHTTP takes the next step of the script.
func (p *Peer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // the sender went away
	}
	replay(r, body)
	p.next(Request{Method: r.Method, Path: r.URL.Path, Header: r.Header.Clone(), Body: body})(w, r, body)
}

// next records a request and takes a step off the script.
func (p *Peer) next(request Request) Step {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.requests = append(p.requests, request)
	p.arrived.Broadcast()
	if len(p.script) == 0 {
		return p.usual
	}
	step := p.script[0]
	p.script = p.script[1:]
	return step
}

// replay makes body the body of r.
func replay(r *http.Request, body []byte) {
	r.Body = io.NopCloser(bytes.NewReader(body))
	r.ContentLength = int64(len(body))
}

// Fire sends a body to a handler without a network and returns the answer. The header may hold anything; Content-Type is
// where most handlers look first.
func Fire(h http.Handler, header http.Header, body []byte) ebms.Response {
	r := httptest.NewRequest(http.MethodPost, "/", bytes.NewReader(body))
	r.Header = header.Clone()
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return ebms.Response{Status: w.Code, ContentType: w.Header().Get("Content-Type"), Body: w.Body.Bytes()}
}

// giveHeader writes the header of a recorded answer for a body of this length.
func giveHeader(w http.ResponseWriter, answer *httptest.ResponseRecorder, length int) {
	for name, values := range answer.Header() {
		w.Header()[name] = values
	}
	if length > 0 {
		w.Header().Set("Content-Length", strconv.Itoa(length))
	}
	w.WriteHeader(answer.Code)
}
