package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log"
	"log/slog"
	"net"
	"net/http"
	"time"
)

// Bounds of every HTTP server of a node.
const (
	headerTime = 10 * time.Second // for a request's header
	answerRoom = time.Minute      // for the work on a request and its answer, beyond the time to read it
	idleTime   = 2 * time.Minute
	headerMax  = 64 << 10
)

// listener is a bound address with the server on it.
type listener struct {
	net.Listener
	server *http.Server
	tls    *tls.Config // nil for plain HTTP
}

func bind(name, address string) (*listener, error) {
	inner, err := net.Listen("tcp", address)
	if err != nil {
		return nil, fmt.Errorf("%s listener: %w", name, err)
	}
	return &listener{Listener: inner}, nil
}

// serve sets the handler; run starts it. errorLog gets what net/http has to say: handshakes that fail, clients that go away.
func (l *listener) serve(handler http.Handler, readTime time.Duration, errorLog io.Writer) {
	// HTTP/1.1 alone (ebMS 2.0 appendix B.2): one request at a time on a connection, so that a connection holds one body in memory
	// and not the hundreds that HTTP/2 allows.
	var protocols http.Protocols
	protocols.SetHTTP1(true)
	l.server = &http.Server{
		Handler: handler, TLSConfig: l.tls, Protocols: &protocols,
		ReadHeaderTimeout: headerTime, ReadTimeout: readTime + headerTime, WriteTimeout: readTime + headerTime + answerRoom, IdleTimeout: idleTime,
		MaxHeaderBytes: headerMax,
		ErrorLog:       log.New(errorLog, "", 0),
	}
}

// debugLog is an errorLog of which everything is for debugging.
func debugLog(log *slog.Logger) io.Writer {
	return slog.NewLogLogger(log.Handler(), slog.LevelDebug).Writer()
}

// run serves until shutdown, and returns nil then.
func (l *listener) run() error {
	var err error
	if l.tls != nil {
		err = l.server.ServeTLS(l.Listener, "", "")
	} else {
		err = l.server.Serve(l.Listener)
	}
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}

// shutdown stops accepting and waits for requests under way until ctx ends, then cuts them off. Closing again what is
// closed, and the errors of connections that are cut, are of no interest.
func (l *listener) shutdown(ctx context.Context) {
	if l.server != nil && l.server.Shutdown(ctx) != nil {
		_ = l.server.Close()
	}
	_ = l.Listener.Close()
}

// url is the base URL with the address that was really bound.
func (l *listener) url() string {
	scheme := "http"
	if l.tls != nil {
		scheme = "https"
	}
	return scheme + "://" + l.Addr().String()
}
