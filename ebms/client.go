package ebms

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"syscall"
	"time"
)

// DefaultSOAPAction is the SOAPAction of every message, quotes included. ebMS 2.0 Appendix B.2.2.
const DefaultSOAPAction = `"ebXML"`

// Outgoing is a message to be posted.
type Outgoing struct {
	// URL of the partner's message service, http or https.
	URL         string
	ContentType string
	// SOAPAction is written as it is; empty means DefaultSOAPAction.
	SOAPAction string
	// Body is read as it is sent, and never as a whole into memory. If Post fails it may be read for a moment longer.
	Body Content
}

// Response is a complete HTTP answer. ContentType and Body are a message if the partner answers in the response.
type Response struct {
	Status      int
	ContentType string
	Body        []byte
	// RetryAfter is zero if the partner did not say, and at most a day.
	RetryAfter time.Duration
}

// ClientOptions configure a Client. Zero fields mean their defaults.
type ClientOptions struct {
	// TLS is used for https; nil means Go's defaults. The Client takes a copy.
	TLS *tls.Config
	// Timeout is for one Post from dialling to the last byte of the answer; default one minute.
	Timeout time.Duration
	// MinRate makes Timeout longer by what Outgoing.Body takes at this rate, in bytes per second; zero does not.
	MinRate int64
	// ConnectTimeout is for dialling and for the TLS handshake, each; zero leaves them to Timeout.
	ConnectTimeout time.Duration
	// MaxReply is the size of an answer's body in bytes; default 1 MiB.
	MaxReply int64
	// IdlePerHost is the number of connections that are kept open to each host; default 16. It should be no less than the
	// number of concurrent deliveries to a host: a connection more than that costs a TLS handshake for each message.
	IdlePerHost int
	// Control is called before each connection is dialled, with the address that was resolved; see net.Dialer. It is the
	// place to refuse addresses that no partner has. nil allows all.
	Control func(network, address string, conn syscall.RawConn) error
	// Now is the clock for a Retry-After that is a date; such dates are ignored if it is nil.
	Now func() time.Time
}

// Client is the sending side of the HTTP binding (ebMS 2.0 Appendix B.2). It is safe for concurrent use and keeps
// connections alive. It follows no redirect (a signed message goes where the agreement says), uses no proxy from the
// environment, keeps no cookies and asks for no compression.
type Client struct {
	http     http.Client
	timeout  time.Duration
	minRate  int64
	maxReply int64
	now      func() time.Time
}

// NewClient returns a Client. Call CloseIdleConnections when it is given up, as after a change of credentials.
func NewClient(o ClientOptions) *Client {
	if o.Timeout <= 0 {
		o.Timeout = time.Minute
	}
	if o.MaxReply <= 0 {
		o.MaxReply = 1 << 20
	}
	if o.IdlePerHost <= 0 {
		o.IdlePerHost = 16
	}
	transport := &http.Transport{
		DialContext:            (&net.Dialer{Control: o.Control, Timeout: o.ConnectTimeout}).DialContext,
		TLSHandshakeTimeout:    o.ConnectTimeout,
		MaxIdleConnsPerHost:    o.IdlePerHost,
		IdleConnTimeout:        90 * time.Second,
		MaxResponseHeaderBytes: 32 << 10,
		DisableCompression:     true,
	}
	if o.TLS != nil {
		transport.TLSClientConfig = o.TLS.Clone()
	}
	return &Client{
		http: http.Client{
			Transport:     transport,
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
		timeout:  o.Timeout,
		minRate:  o.MinRate,
		maxReply: o.MaxReply,
		now:      o.Now,
	}
}

// CloseIdleConnections closes connections that no Post uses at present.
func (c *Client) CloseIdleConnections() { c.http.CloseIdleConnections() }

// Post sends a message and returns the partner's answer, whatever its status. An error means that no complete answer came
// within the limits of time and size; whether the partner has the message is then unknown.
func (c *Client) Post(ctx context.Context, out Outgoing) (Response, error) {
	body := orEmpty(out.Body)
	ctx, cancel := context.WithTimeout(ctx, c.timeout+transferTime(body.Size(), c.minRate))
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, out.URL, NewReader(body))
	if err != nil {
		return Response{}, fmt.Errorf("posting message: %w", err)
	}
	// Without these net/http would not know the length, and could not begin again on a connection that the partner had closed.
	req.ContentLength = body.Size()
	req.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(NewReader(body)), nil }
	if req.ContentLength == 0 {
		req.Body = http.NoBody
	}
	action := out.SOAPAction
	if action == "" {
		action = DefaultSOAPAction
	}
	// Set as a map, since Header.Set would write Soapaction, which is the same to HTTP but not to every product.
	req.Header = http.Header{
		"SOAPAction":   {action},
		"Content-Type": {out.ContentType},
		"User-Agent":   {"ecogate"},
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return Response{}, fmt.Errorf("posting message: %w", err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, c.maxReply+1))
	if err != nil {
		return Response{}, fmt.Errorf("reading the answer of %s: %w", req.URL.Host, err)
	}
	if int64(len(answer)) > c.maxReply {
		return Response{}, fmt.Errorf("answer of %s is over the limit of %d bytes (ClientOptions.MaxReply)", req.URL.Host, c.maxReply)
	}
	return Response{
		Status:      resp.StatusCode,
		ContentType: resp.Header.Get("Content-Type"),
		Body:        answer,
		RetryAfter:  parseRetryAfter(resp.Header.Get("Retry-After"), c.now),
	}, nil
}
