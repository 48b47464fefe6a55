package ebms

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strconv"
	"time"
)

// Request is one message as it came over HTTP.
type Request struct {
	ContentType string
	// SOAPAction is the header as sent, quotes included; empty if absent.
	SOAPAction string
	// Body lies in memory or in a temporary file. It is valid until Receive, or Refused, returns.
	Body Content
	// Remote is the address of the peer, host and port.
	Remote string
	// TLS is the state of the connection, nil without TLS.
	TLS *tls.ConnectionState
	// Received is the instant at which the last byte of Body had come.
	Received time.Time
}

// Reply is the answer to a Request, written to the wire as it is.
type Reply struct {
	// Status is 200 to 599. Anything else is a mistake of the program and becomes 500.
	Status int
	// ContentType of Body; unused if Body is empty.
	ContentType string
	Body        []byte
	// RetryAfter, if positive, becomes a Retry-After header in seconds, rounded up.
	RetryAfter time.Duration
}

// HandlerOptions configure Handler.
type HandlerOptions struct {
	Limits Limits
	// Receive answers a message; required. Requests come concurrently. The context ends when the peer goes away.
	Receive func(context.Context, Request) Reply
	// Refused is told of each POST that was refused before Receive, with the beginning of its body (at most 64 KiB), so that
	// it can be kept; nil is allowed. The context has ended if the body did not come whole or in time.
	Refused func(context.Context, Request, *RefusedError)
	// Now is the clock for Request.Received; required.
	Now func() time.Time
	// ReadTimeout is how long the body of a request may take; default one minute.
	ReadTimeout time.Duration
	// MinRate gives a body more time as it comes, in bytes per second: ReadTimeout and what the bytes that came take at this
	// rate. A large message from an honest sender is read to its end, and one that trickles in is cut. Zero gives no more.
	// If it is set, the deadlines of the server (ReadTimeout and WriteTimeout of http.Server) are lifted for the body, and the
	// reply may take ReadTimeout.
	MinRate int64
	// Unavailable is told why a request was answered 503, for a log; nil is allowed.
	Unavailable func(context.Context, error)
}

// Handler is the receiving side of the HTTP binding (ebMS 2.0 Appendix B.2).
//
// Before Receive is called it refuses, with a SOAP Fault in the body where a body helps: methods other than POST (405),
// media types other than multipart/related and text/xml and any Content-Encoding (415), bodies over Limits.Body (413) and
// bodies that take longer than ReadTimeout and MinRate admit (408). Nothing of the body is read that is over the limit.
//
// A body over Limits.SpillBytes lies in a temporary file of Limits.SpillDir, which has no name and is given back after
// Receive returned. If it cannot be kept, since the disk is full, the sender is asked to come again (503 with Retry-After):
// neither Receive nor Refused is called then.
//
// SOAPAction is "ebXML" by the specification (B.2.2), but products differ and some send none, and a header outside the
// signature proves nothing. It is handed on as it came, for the agreement to judge; only two of them are refused (400).
func Handler(o HandlerOptions) http.Handler {
	o.Limits = o.Limits.withDefaults()
	if o.ReadTimeout <= 0 {
		o.ReadTimeout = time.Minute
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		reply := o.serve(w, r)
		if o.MinRate > 0 {
			// The server's deadline was set before the body came. The reply has as much time as a body that does not come.
			control := http.NewResponseController(w)
			_ = control.SetWriteDeadline(time.Time{})
			defer startPace(o.ReadTimeout, 0, func() { _ = control.SetWriteDeadline(time.Unix(1, 0)) }).stop()
		}
		writeReply(w, reply)
	})
}

func (o HandlerOptions) serve(w http.ResponseWriter, r *http.Request) Reply {
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		return Reply{Status: http.StatusMethodNotAllowed}
	}
	bodies := newSpill(o.Limits)
	defer bodies.Close()
	request, refusal, err := o.read(w, r, bodies)
	if err != nil {
		if o.Unavailable != nil {
			o.Unavailable(r.Context(), fmt.Errorf("keeping the body of a request from %s: %w", r.RemoteAddr, err))
		}
		return Reply{Status: http.StatusServiceUnavailable, RetryAfter: comeAgain}
	}
	if refusal == nil {
		return o.Receive(r.Context(), request)
	}
	if o.Refused != nil {
		request.Body = section(request.Body, 0, min(request.Body.Size(), keptOfRefused))
		o.Refused(r.Context(), request, refusal)
	}
	return faultReply(refusal.Status, FaultClient, refusal.Text)
}

// comeAgain is when a sender is asked to come again if its body could not be kept.
const comeAgain = time.Minute

// keptOfRefused is how much of a refused body is handed on, in bytes.
const keptOfRefused = 64 << 10

// RefusedError says why a request was refused before it was read as a message.
type RefusedError struct {
	// Status is the HTTP status that the peer was told, and Text the sentence.
	Status int
	Text   string
}

// Error returns status and text.
func (e *RefusedError) Error() string { return fmt.Sprintf("HTTP %d: %s", e.Status, e.Text) }

// read takes the request as far as it may be taken. An error says that the body could not be kept.
func (o HandlerOptions) read(w http.ResponseWriter, r *http.Request, bodies *spill) (Request, *RefusedError, error) {
	request := Request{
		Body:        Bytes(nil),
		ContentType: r.Header.Get("Content-Type"),
		SOAPAction:  r.Header.Get("Soapaction"),
		Remote:      r.RemoteAddr,
		TLS:         r.TLS,
		Received:    o.Now(),
	}
	if refusal := o.refuseHeader(r); refusal != nil {
		return request, refusal, nil
	}
	body := bodies.keep()
	err := o.readBody(w, r, body)
	var storage *storageError
	if errors.As(err, &storage) {
		return request, nil, storage
	}
	request.Body = body.content()
	request.Received = o.Now()
	var over *http.MaxBytesError
	switch {
	case errors.As(err, &over):
		return request, tooLarge(), nil
	case errors.Is(err, os.ErrDeadlineExceeded):
		return request, &RefusedError{http.StatusRequestTimeout, "The message took too long to arrive."}, nil
	case err != nil:
		return request, &RefusedError{http.StatusBadRequest, "The message did not arrive whole."}, nil
	}
	return request, nil, nil
}

// refuseHeader says what is wrong with a request before its body is read; nil if nothing is.
func (o HandlerOptions) refuseHeader(r *http.Request) *RefusedError {
	media, err := parseMediaType(r.Header.Get("Content-Type"))
	if err != nil || media.name != "text/xml" && media.name != "multipart/related" {
		return &RefusedError{http.StatusUnsupportedMediaType, "The media type is neither multipart/related nor text/xml."}
	}
	if r.Header.Get("Content-Encoding") != "" {
		return &RefusedError{http.StatusUnsupportedMediaType, "Content-Encoding is not supported."}
	}
	if len(r.Header.Values("Content-Type")) > 1 || len(r.Header.Values("Soapaction")) > 1 {
		return &RefusedError{http.StatusBadRequest, "A header field occurs twice."}
	}
	if r.ContentLength > o.Limits.Body {
		return tooLarge()
	}
	return nil
}

// readBody reads the body within its limits of size and time.
func (o HandlerOptions) readBody(w http.ResponseWriter, r *http.Request, body *kept) error {
	control := http.NewResponseController(w)
	// Writers that have no deadlines, as in tests, are read without.
	if o.MinRate > 0 {
		_ = control.SetReadDeadline(time.Time{})
	}
	p := startPace(o.ReadTimeout, o.MinRate, func() { _ = control.SetReadDeadline(time.Unix(1, 0)) })
	_, err := body.ReadFrom(p.reader(http.MaxBytesReader(w, r.Body, o.Limits.Body)))
	if p.stop() && err == nil {
		// The body came at the last moment, but the connection has its deadline behind it and is of no more use.
		err = os.ErrDeadlineExceeded
	}
	return err
}

func tooLarge() *RefusedError {
	return &RefusedError{http.StatusRequestEntityTooLarge, "The message is larger than the receiver accepts."}
}

// writeReply writes status, headers and body, and no header that the Reply does not ask for.
func writeReply(w http.ResponseWriter, reply Reply) {
	h := w.Header()
	if reply.RetryAfter > 0 {
		h.Set("Retry-After", formatRetryAfter(reply.RetryAfter))
	}
	if reply.Status < 200 || reply.Status > 599 {
		w.WriteHeader(http.StatusInternalServerError)
		return
	}
	if len(reply.Body) == 0 || reply.Status == http.StatusNoContent || reply.Status == http.StatusNotModified {
		w.WriteHeader(reply.Status)
		return
	}
	h.Set("Content-Type", reply.ContentType)
	h.Set("Content-Length", strconv.Itoa(len(reply.Body)))
	w.WriteHeader(reply.Status)
	// An error here means that the peer is gone. It will send again, and gets the stored reply.
	_, _ = w.Write(reply.Body)
}
