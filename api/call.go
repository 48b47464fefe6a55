package api

import (
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"regexp"
	"runtime/debug"

	"github.com/labstack/echo/v4"
)

// HeaderCorrelationID carries the caller's own number of a request. One that is not 1 to 64 letters, digits, dots,
// colons, underscores and dashes is replaced, because it goes to the log as it is.
const HeaderCorrelationID = "X-Correlation-Id"

var correlationIDs = regexp.MustCompile(`^[A-Za-z0-9._:-]{1,64}$`)

// call is what is known of a request besides HTTP: its number, after authentication whose it is, and its context and body without
// the bounds that hold for most.
type call struct {
	correlation string
	key         Key
	ctx         context.Context
	body        io.ReadCloser
}

type callKey struct{}

// callOf returns the request's call; envelope has put it there.
func callOf(c echo.Context) *call {
	if k, ok := c.Request().Context().Value(callKey{}).(*call); ok {
		return k
	}
	return &call{}
}

// envelope numbers, bounds and logs a request.
func (s *server) envelope(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		began := s.Now()
		k := &call{correlation: c.Request().Header.Get(HeaderCorrelationID)}
		if !correlationIDs.MatchString(k.correlation) {
			k.correlation = rand.Text()
		}
		whole, end := context.WithCancel(context.WithValue(c.Request().Context(), callKey{}, k))
		defer end()
		k.ctx, k.body = whole, c.Request().Body
		ctx, cancel := context.WithTimeout(whole, s.Timeout)
		defer cancel()
		r := c.Request().WithContext(ctx)
		r.Body = http.MaxBytesReader(c.Response(), r.Body, s.MaxBody)
		c.SetRequest(r)

		h := c.Response().Header()
		h.Set(HeaderCorrelationID, k.correlation)
		h.Set(echo.HeaderCacheControl, "no-store")
		h.Set(echo.HeaderXContentTypeOptions, "nosniff")
		// What the API hands out was written by others. Nothing of it is a page, whatever its media type says.
		h.Set(echo.HeaderContentSecurityPolicy, "default-src 'none'; sandbox")

		if err := next(c); err != nil {
			c.Error(err)
		}
		level := slog.LevelInfo
		if path := c.Path(); path == pathLive || path == pathReady {
			level = slog.LevelDebug // probes come every few seconds
		}
		s.Log.Log(ctx, level, "request", "correlation_id", k.correlation, "actor", k.key.Name, "method", r.Method,
			"route", c.Path(), "status", c.Response().Status, "duration", s.Now().Sub(began))
		return nil
	}
}

// rescue turns a panic into a problem without details; they go to the log.
func (s *server) rescue(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) (err error) {
		defer func() {
			v := recover()
			if v == nil {
				return
			}
			s.Log.ErrorContext(c.Request().Context(), "panic", "correlation_id", callOf(c).correlation, "stack", string(debug.Stack()))
			err = fmt.Errorf("panic: %v", v)
		}()
		return next(c)
	}
}

// param returns a path parameter as the client meant it. The router matches the escaped path when there is one, and
// hands out its pieces as they are.
func param(c echo.Context, name string) (string, error) {
	value := c.Param(name)
	if c.Request().URL.RawPath == "" {
		return value, nil
	}
	decoded, err := url.PathUnescape(value)
	if err != nil {
		return "", problem(CodeParameter, "the path holds a broken percent escape")
	}
	return decoded, nil
}
