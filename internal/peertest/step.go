package peertest

import (
	"net/http"
	"net/http/httptest"

	"github.com/ecogate/ecogate/ebms"
)

// Accept answers 204 without a body, as most products do with a message that they will acknowledge later.
func Accept() Step { return Answer(ebms.Reply{Status: http.StatusNoContent}) }

// Status answers with a status and no body. Redirects get a Location that leads back to the peer.
func Status(code int) Step {
	return func(w http.ResponseWriter, _ *http.Request, _ []byte) {
		if code >= 300 && code < 400 {
			w.Header().Set("Location", "/elsewhere")
		}
		w.WriteHeader(code)
	}
}

// Busy answers 503 with this Retry-After, which need not be one that makes sense.
func Busy(retryAfter string) Step {
	return func(w http.ResponseWriter, _ *http.Request, _ []byte) {
		w.Header().Set("Retry-After", retryAfter)
		w.WriteHeader(http.StatusServiceUnavailable)
	}
}

// Answer gives a fixed reply.
func Answer(reply ebms.Reply) Step {
	return func(w http.ResponseWriter, _ *http.Request, _ []byte) {
		if reply.ContentType != "" {
			w.Header().Set("Content-Type", reply.ContentType)
		}
		w.WriteHeader(reply.Status)
		_, _ = w.Write(reply.Body)
	}
}

// HTML answers 200 with a page, like a proxy that wants a login.
func HTML() Step {
	return Answer(ebms.Reply{Status: http.StatusOK, ContentType: "text/html", Body: []byte("<html><body>Please sign in<br></body></html>")})
}

// Drop reads the request and closes the connection without an answer.
func Drop() Step {
	return func(w http.ResponseWriter, _ *http.Request, _ []byte) {
		if conn, _, err := http.NewResponseController(w).Hijack(); err == nil {
			_ = conn.Close()
		}
	}
}

// Hang takes the step then once release is closed. If the sender goes away first, nothing is done.
func Hang(release <-chan struct{}, then Step) Step {
	return func(w http.ResponseWriter, r *http.Request, body []byte) {
		select {
		case <-release:
			then(w, r, body)
		case <-r.Context().Done():
		}
	}
}

// Deliver hands the request to h and gives its answer.
func Deliver(h http.Handler) Step {
	return func(w http.ResponseWriter, r *http.Request, _ []byte) { h.ServeHTTP(w, r) }
}

// LoseReply hands the request to h and closes the connection instead of giving the answer: the acknowledgment is lost.
func LoseReply(h http.Handler) Step {
	return func(w http.ResponseWriter, r *http.Request, body []byte) {
		h.ServeHTTP(httptest.NewRecorder(), r)
		Drop()(w, r, body)
	}
}

// DeliverTwice hands the request to h two times, one after the other, and gives the second answer.
func DeliverTwice(h http.Handler) Step {
	return func(w http.ResponseWriter, r *http.Request, body []byte) {
		h.ServeHTTP(httptest.NewRecorder(), r.Clone(r.Context()))
		replay(r, body)
		h.ServeHTTP(w, r)
	}
}

// CorruptRequest flips one bit of the byte at offset, counted from the end if negative, before h gets the request.
func CorruptRequest(h http.Handler, offset int) Step {
	return func(w http.ResponseWriter, r *http.Request, body []byte) {
		replay(r, flipped(body, offset))
		h.ServeHTTP(w, r)
	}
}

// TruncateRequest hands only the first n bytes to h, as if that was all.
func TruncateRequest(h http.Handler, n int) Step {
	return func(w http.ResponseWriter, r *http.Request, body []byte) {
		replay(r, body[:min(n, len(body))])
		h.ServeHTTP(w, r)
	}
}

// CorruptReply hands the request to h and flips one bit of its answer's body, at offset, counted from the end if negative.
func CorruptReply(h http.Handler, offset int) Step {
	return func(w http.ResponseWriter, r *http.Request, _ []byte) {
		answer := httptest.NewRecorder()
		h.ServeHTTP(answer, r)
		giveHeader(w, answer, answer.Body.Len())
		_, _ = w.Write(flipped(answer.Body.Bytes(), offset))
	}
}

// TruncateReply hands the request to h, promises its whole answer, gives the first n bytes and closes the connection.
func TruncateReply(h http.Handler, n int) Step {
	return func(w http.ResponseWriter, r *http.Request, body []byte) {
		answer := httptest.NewRecorder()
		h.ServeHTTP(answer, r)
		whole := answer.Body.Bytes()
		giveHeader(w, answer, len(whole))
		_, _ = w.Write(whole[:min(n, len(whole))])
		_ = http.NewResponseController(w).Flush()
		Drop()(w, r, body)
	}
}

// flipped returns a copy of b with one bit changed. It changes nothing if b has no such byte.
func flipped(b []byte, offset int) []byte {
	out := append([]byte(nil), b...)
	if offset < 0 {
		offset += len(out)
	}
	if offset >= 0 && offset < len(out) {
		out[offset] ^= 1
	}
	return out
}
