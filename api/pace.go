package api

import (
	"context"
	"io"
	"net/http"
	"time"

	"github.com/labstack/echo/v4"
)

// timeFor is how long a transfer of n bytes, or the work on them, may take.
func (s *server) timeFor(n int64) time.Duration {
	return s.Timeout + time.Duration(n/s.MinRate)*time.Second
}

// extend gives the work on a request d from now in place of what is left of Options.Timeout, and its answer Options.Timeout more to
// be written, whatever the listener's own bounds are.
func (s *server) extend(c echo.Context, d time.Duration) {
	k := callOf(c)
	ctx, cancel := context.WithTimeout(k.ctx, d)
	context.AfterFunc(k.ctx, cancel) // envelope ends k.ctx with the request
	c.SetRequest(c.Request().WithContext(ctx))
	// Connections live by the machine's clock. A writer without deadlines, as in tests, needs none.
	end := time.Now().Add(d + s.Timeout)
	connection := http.NewResponseController(c.Response())
	_ = connection.SetWriteDeadline(end)
	// The server goes on reading, to learn that the client has gone; an end of that reading counts as such.
	_ = connection.SetReadDeadline(end)
}

// pacedBody reads a request's body for as long as it comes at Options.MinRate.
type pacedBody struct {
	io.ReadCloser
	server     *server
	connection *http.ResponseController
	began      time.Time
	read       int64
}

func (s *server) pacedBody(c echo.Context) *pacedBody {
	return &pacedBody{ReadCloser: callOf(c).body, server: s, connection: http.NewResponseController(c.Response()), began: time.Now()}
}

// Read gives os.ErrDeadlineExceeded when the client is too slow.
func (b *pacedBody) Read(p []byte) (int, error) {
	end := b.began.Add(b.server.timeFor(b.read))
	_ = b.connection.SetReadDeadline(end)
	_ = b.connection.SetWriteDeadline(end.Add(b.server.Timeout)) // a body that is refused gets its answer too
	n, err := b.ReadCloser.Read(p)
	b.read += int64(n)
	return n, err
}

// pacedWriter writes an answer for as long as the client takes it at Options.MinRate.
type pacedWriter struct {
	http.ResponseWriter
	server     *server
	connection *http.ResponseController
	began      time.Time
	written    int64
}

func (s *server) pacedWriter(c echo.Context) *pacedWriter {
	return &pacedWriter{ResponseWriter: c.Response(), server: s, connection: http.NewResponseController(c.Response()), began: time.Now()}
}

// Write fails when the client is too slow.
func (w *pacedWriter) Write(p []byte) (int, error) {
	_ = w.connection.SetWriteDeadline(w.began.Add(w.server.timeFor(w.written + int64(len(p)))))
	n, err := w.ResponseWriter.Write(p)
	w.written += int64(n)
	return n, err
}
