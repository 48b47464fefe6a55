package ebms

import (
	"context"
	"net"
	"net/http"
	"time"
)

// ParseRetryAfter lets tests read headers that a server would not send.
func ParseRetryAfter(value string, now func() time.Time) time.Duration {
	return parseRetryAfter(value, now)
}

// ReadPackageThrough is ReadPackage through a window of this many bytes, so that small messages straddle it.
func ReadPackageThrough(window int, contentType string, body Content, l Limits) (*Package, error) {
	return readPackage(contentType, newWindow(body, window), l.withDefaults())
}

// DialWith lets tests give a client a network of their own.
func (c *Client) DialWith(dial func() net.Conn) {
	c.http.Transport.(*http.Transport).DialContext = func(context.Context, string, string) (net.Conn, error) { return dial(), nil }
}
