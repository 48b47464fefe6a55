package handover

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/dunglas/httpsfv"
)

// PushOptions say where and how parcels are posted.
type PushOptions struct {
	// URL is where: https, or http if the caller allows it.
	URL string
	// Key signs the requests; nil leaves them unsigned.
	Key *RequestKey
	// TLS is how the server is judged and what we show it; nil for the system's CAs.
	TLS *tls.Config
	// Control is net.Dialer.Control; nil lets every address be dialled.
	Control func(network, address string, conn syscall.RawConn) error
	// ConnectTimeout bounds a connection's beginning; 0 for 10 seconds.
	ConnectTimeout time.Duration
	// Now is the clock of the signatures; required.
	Now func() time.Time
}

// Push posts parcels.
type Push struct {
	PushOptions
	client *http.Client
}

var _ Deliverer = (*Push)(nil)

// NewPush returns a Deliverer by HTTP POST.
func NewPush(o PushOptions) (*Push, error) {
	u, err := url.Parse(o.URL)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || u.User != nil || u.Fragment != "" {
		return nil, fmt.Errorf("address of the customs system: want https://host/path, found %q", o.URL)
	}
	if o.Now == nil {
		return nil, errors.New("handover: PushOptions.Now is required")
	}
	if o.ConnectTimeout == 0 {
		o.ConnectTimeout = 10 * time.Second
	}
	dialer := &net.Dialer{Timeout: o.ConnectTimeout, Control: o.Control}
	return &Push{PushOptions: o, client: &http.Client{
		Transport: &http.Transport{
			DialContext: dialer.DialContext, TLSClientConfig: o.TLS, TLSHandshakeTimeout: o.ConnectTimeout,
			ForceAttemptHTTP2: true, MaxIdleConns: 2, IdleConnTimeout: time.Minute, MaxResponseHeaderBytes: MaxConfirmation,
		},
		// A redirect would take the parcel to where nobody has configured it.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}, nil
}

// HeaderIdempotencyKey carries Parcel.Key, as a string in quotes (draft-ietf-httpapi-idempotency-key-header, section 2.1).
const HeaderIdempotencyKey = "Idempotency-Key"

// Deliver implements Deliverer. A 2xx takes the parcel, and confirms it if its body is a Confirmation that does. A 4xx is a *Refusal, but
// for 408, 409, 425 and 429, which like everything else mean that it is to be posted again.
func (p *Push) Deliver(ctx context.Context, parcel Parcel) (Confirmation, error) {
	req, err := p.request(ctx, parcel)
	if err != nil {
		return Confirmation{}, err
	}
	res, err := p.client.Do(req)
	if err != nil {
		return Confirmation{}, err // *url.Error names method and address
	}
	defer res.Body.Close()
	body, err := io.ReadAll(io.LimitReader(res.Body, MaxConfirmation+1))
	if err != nil {
		return Confirmation{}, fmt.Errorf("answer %s of %s: %w", res.Status, req.URL.Host, err)
	}
	return p.judge(parcel, res, body)
}

func (p *Push) request(ctx context.Context, parcel Parcel) (*http.Request, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, p.URL, bytes.NewReader(parcel.Content))
	if err != nil {
		return nil, err
	}
	digest, err := contentDigest(parcel.Content)
	if err != nil {
		return nil, fmt.Errorf("digest: %w", err)
	}
	key, err := httpsfv.Marshal(httpsfv.NewItem(parcel.Key))
	if err != nil {
		return nil, fmt.Errorf("idempotency key: %w", err)
	}
	req.Header.Set("Content-Type", MediaType)
	req.Header.Set("Content-Digest", digest)
	req.Header.Set(HeaderIdempotencyKey, key)
	req.Header.Set("Accept", "application/json, application/problem+json;q=0.9")
	req.Header.Set("User-Agent", "ecogate")
	if p.Key == nil {
		return req, nil
	}
	return req, p.Key.sign(req, p.Now())
}

// judge is what a response says.
func (p *Push) judge(parcel Parcel, res *http.Response, body []byte) (Confirmation, error) {
	switch status := res.StatusCode; {
	case status/100 == 2:
		return taken(parcel, res.Header.Get("Content-Type"), body)
	case status == http.StatusRequestTimeout, status == http.StatusConflict, status == http.StatusTooEarly, status == http.StatusTooManyRequests:
	case status/100 == 4:
		return Confirmation{}, &Refusal{statusText(res.StatusCode) + prefixed(": ", said(res.Header.Get("Content-Type"), body))}
	case status/100 == 3:
		return Confirmation{}, fmt.Errorf("%s to %q is not followed; configure where the customs system is", statusText(status), shortened(res.Header.Get("Location")))
	}
	err := errors.New(statusText(res.StatusCode) + prefixed(": ", said(res.Header.Get("Content-Type"), body)))
	if after, ok := retryAfter(res.Header.Get("Retry-After"), p.Now()); ok {
		return Confirmation{}, &LaterError{after, err}
	}
	return Confirmation{}, err
}

// taken is what the body of a 2xx says. One that is no confirmation confirms nothing.
func taken(parcel Parcel, contentType string, body []byte) (Confirmation, error) {
	received := Confirmation{Status: VerdictReceived, SHA256: parcel.SHA256}
	if len(bytes.TrimSpace(body)) == 0 {
		return received, nil
	}
	if !isJSON(contentType) {
		received.note = fmt.Sprintf("taken; the answer is no confirmation: its media type is %q", shortened(contentType))
		return received, nil
	}
	c, err := ReadConfirmation(body)
	if err != nil {
		received.note = "taken; the answer is no confirmation: " + err.Error()
		return received, nil
	}
	return c.about(parcel)
}

// said is what a body that refuses says, in one line: the reason of a Confirmation, the detail or title of a problem (RFC 9457), or its
// first words.
func said(contentType string, body []byte) string {
	if !isJSON(contentType) {
		if strings.HasPrefix(contentType, "text/plain") {
			return shortened(string(body))
		}
		return ""
	}
	var told struct{ Reason, Detail, Title string }
	if json.Unmarshal(body, &told) != nil {
		return ""
	}
	for _, text := range []string{told.Reason, told.Detail, told.Title} {
		if text = shortened(text); text != "" {
			return text
		}
	}
	return ""
}

func statusText(status int) string {
	return fmt.Sprintf("HTTP %d%s", status, prefixed(" ", http.StatusText(status)))
}

func prefixed(prefix, text string) string {
	if text == "" {
		return ""
	}
	return prefix + text
}

// retryAfter reads Retry-After: seconds, or an instant. RFC 9110 §10.2.3.
func retryAfter(value string, now time.Time) (time.Duration, bool) {
	const most = 24 * time.Hour
	if seconds, err := strconv.ParseUint(value, 10, 31); err == nil {
		return min(time.Duration(seconds)*time.Second, most), true
	}
	if at, err := http.ParseTime(value); err == nil && at.After(now) {
		return min(at.Sub(now), most), true
	}
	return 0, false
}
