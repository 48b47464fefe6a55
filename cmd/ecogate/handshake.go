package main

import (
	"log/slog"
	"strings"
	"sync"
	"time"
)

// Bounds of what handshakes that fail may write to the log. Strangers cause them, and choose part of their text.
const (
	handshakePause  = time.Second // between two warnings of one cause
	handshakeCauses = 64          // told apart; what comes beyond shares one count
	handshakeText   = 300         // bytes of a cause
)

// handshakeLog is the error log of a partners' listener's HTTP server. A connection that the TLS handshake refused becomes a warning, at
// most one a second for each cause; everything else, such as clients that go away, is for debugging.
type handshakeLog struct {
	log *slog.Logger
	now func() time.Time

	mu     sync.Mutex
	causes map[string]*refusals
}

// refusals are those of one cause: when the last was logged, and how many came since.
type refusals struct {
	logged     time.Time
	suppressed int
}

func newHandshakeLog(log *slog.Logger, now func() time.Time) *handshakeLog {
	return &handshakeLog{log: log, now: now, causes: make(map[string]*refusals)}
}

// Write takes one line of net/http's error log.
func (h *handshakeLog) Write(line []byte) (int, error) {
	text := strings.TrimSpace(string(line))
	remote, cause, ok := refusedHandshake(text)
	if !ok {
		h.log.Debug(text)
		return len(line), nil
	}
	if suppressed, due := h.count(cause); due {
		h.log.Warn("connection refused in the TLS handshake", "remote", remote, "cause", cause, "suppressed", suppressed)
	} else {
		h.log.Debug(text)
	}
	return len(line), nil
}

// refusedHandshake reads a line of net/http: "http: TLS handshake error from ADDRESS: CAUSE". A connection that was closed or cut during
// the handshake was not refused: load balancers and port scanners do so all day.
func refusedHandshake(text string) (remote, cause string, ok bool) {
	_, text, ok = strings.Cut(text, "TLS handshake error from ")
	if !ok {
		return "", "", false
	}
	remote, cause, ok = strings.Cut(text, ": ")
	if !ok || cause == "EOF" || strings.HasSuffix(cause, "connection reset by peer") {
		return "", "", false
	}
	return remote, strings.ToValidUTF8(cause[:min(len(cause), handshakeText)], ""), true
}

// count says whether a refusal is to be logged now, and how many of its cause were not since the last that was.
func (h *handshakeLog) count(cause string) (suppressed int, due bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	now := h.now()
	r, known := h.causes[cause]
	if !known && len(h.causes) >= handshakeCauses {
		cause = ""
		r, known = h.causes[cause]
	}
	if !known {
		h.causes[cause] = &refusals{logged: now}
		return 0, true
	}
	if now.Sub(r.logged) < handshakePause {
		r.suppressed++
		return 0, false
	}
	suppressed = r.suppressed
	*r = refusals{logged: now}
	return suppressed, true
}
