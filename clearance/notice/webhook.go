package notice

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"syscall"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
)

// PosterOptions say how webhooks are posted to. Now is required.
type PosterOptions struct {
	Now func() time.Time
	// Control judges each address before it is dialled, for recipients that do not AllowPrivate; nil judges none.
	Control func(network, address string, c syscall.RawConn) error
	// TLS is what connections begin with; nil trusts the system's CAs.
	TLS *tls.Config
	// Timeout bounds one attempt; 0 for DefaultTimeout.
	Timeout time.Duration
	// UserAgent names the node's software.
	UserAgent string
}

// DefaultTimeout bounds one attempt, of either channel.
const DefaultTimeout = 15 * time.Second

// maxResponse is what is read of an answer, in octets.
const maxResponse = 4 << 10

// Poster posts to webhooks. It follows no redirect, and asks no proxy: where to it posts is what was confirmed.
type Poster struct {
	PosterOptions
	guarded, free *http.Client
}

// NewPoster returns a poster.
func NewPoster(o PosterOptions) *Poster {
	if o.Timeout == 0 {
		o.Timeout = DefaultTimeout
	}
	client := func(control func(string, string, syscall.RawConn) error) *http.Client {
		return &http.Client{
			Timeout: o.Timeout,
			Transport: &http.Transport{
				DialContext:         (&net.Dialer{Timeout: o.Timeout, Control: control}).DialContext,
				TLSClientConfig:     o.TLS.Clone(),
				TLSHandshakeTimeout: o.Timeout, ResponseHeaderTimeout: o.Timeout,
				MaxResponseHeaderBytes: 32 << 10, MaxIdleConnsPerHost: 1, IdleConnTimeout: 30 * time.Second, ForceAttemptHTTP2: true,
			},
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		}
	}
	return &Poster{PosterOptions: o, guarded: client(o.Control), free: client(nil)}
}

// Payload is the body of a webhook, as Standard Webhooks has it: type, timestamp and data.
type Payload struct {
	Type      Event     `json:"type"`
	Timestamp time.Time `json:"timestamp"`
	Data      any       `json:"data"`
}

// Told is the data of a notice.
type Told struct {
	// Entry is the number of the audit entry, by which a reader puts them into order. 0 for a test.
	Entry   uint64 `json:"entry,omitempty"`
	Repeats int    `json:"repeats,omitempty"`
	Facts
}

// deliver posts notices one by one. When one has to wait the others wait with it.
func (p *Poster) deliver(ctx context.Context, r Recipient, notices []Notice) []error {
	results := make([]error, len(notices))
	for i, n := range notices {
		body, err := json.Marshal(Payload{Type: n.Event, Timestamp: n.At.UTC(), Data: Told{Entry: n.Entry, Repeats: n.Repeats, Facts: n.Facts}})
		if err == nil {
			_, err = p.post(ctx, r, n.Mark(), body)
		}
		results[i] = err
		if err != nil {
			for j := i + 1; j < len(notices); j++ {
				results[j] = err
			}
			break
		}
	}
	return results
}

// challenge posts a challenge, which whoever owns the webhook answers with: HTTP 200 and {"challenge": "..."}.
func (p *Poster) challenge(ctx context.Context, r Recipient, id, challenge string) error {
	body, err := json.Marshal(Payload{Type: AddressConfirm, Timestamp: p.Now().UTC(), Data: map[string]string{"challenge": challenge}})
	if err != nil {
		return err
	}
	answer, err := p.post(ctx, r, id, body)
	if err != nil {
		return err
	}
	var echo struct {
		Challenge string `json:"challenge"`
	}
	if json.Unmarshal(answer, &echo) != nil || echo.Challenge != challenge {
		return errors.New(`the webhook did not answer with {"challenge": ...} and what it was sent`)
	}
	return nil
}

// post makes one attempt. Any 2xx is a success. The error is a *failure.
func (p *Poster) post(ctx context.Context, r Recipient, id string, body []byte) ([]byte, error) {
	if err := CheckURL(r.URL, r.AllowHTTP); err != nil {
		return nil, &failure{setup, err, 0}
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, r.URL, bytes.NewReader(body))
	if err != nil {
		return nil, &failure{setup, err, 0}
	}
	at := p.Now().UTC()
	signature, err := signed(r.Secrets, id, at, body)
	if err != nil {
		return nil, &failure{setup, err, 0}
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", p.UserAgent)
	req.Header.Set(standardwebhooks.HeaderWebhookID, id)
	req.Header.Set(standardwebhooks.HeaderWebhookTimestamp, strconv.FormatInt(at.Unix(), 10))
	req.Header.Set(standardwebhooks.HeaderWebhookSignature, signature)
	client := p.guarded
	if r.AllowPrivate {
		client = p.free
	}
	res, err := client.Do(req)
	if err != nil {
		return nil, &failure{temporary, err, 0}
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(res.Body, maxResponse))
	switch {
	case res.StatusCode == http.StatusGone:
		return nil, &failure{gone, fmt.Errorf("HTTP %s", res.Status), 0}
	case res.StatusCode < 200 || res.StatusCode > 299:
		return nil, &failure{temporary, fmt.Errorf("HTTP %s", res.Status), retryAfter(res.Header.Get("Retry-After"))}
	case err != nil:
		return nil, &failure{temporary, fmt.Errorf("answer: %w", err), 0}
	}
	return answer, nil
}

// maxRetryAfter bounds what a webhook may ask to be waited.
const maxRetryAfter = time.Hour

// retryAfter reads seconds; a date, which needs the other side's clock, says nothing.
func retryAfter(text string) time.Duration {
	seconds, err := strconv.ParseUint(strings.TrimSpace(text), 10, 32)
	if err != nil {
		return 0
	}
	return min(time.Duration(seconds)*time.Second, maxRetryAfter)
}

// signed gives webhook-signature: one signature of each secret. Standard Webhooks, "Symmetric" signature scheme: v1, HMAC-SHA256 over id, time and body.
func signed(secrets [][]byte, id string, at time.Time, body []byte) (string, error) {
	if len(secrets) == 0 {
		return "", errors.New("the webhook has no secret")
	}
	var all []string
	for _, secret := range secrets {
		hook, err := standardwebhooks.NewWebhookRaw(secret)
		if err != nil {
			return "", err
		}
		signature, err := hook.Sign(id, at, body)
		if err != nil {
			return "", err
		}
		all = append(all, signature)
	}
	return strings.Join(all, " "), nil
}

// secretPrefix begins a secret as people exchange it.
const secretPrefix = "whsec_"

// Bounds of a secret, in octets, as Standard Webhooks has them.
const (
	minSecret = 24
	maxSecret = 64
	// maxSecrets is how many are valid at the same time.
	maxSecrets = 2
)

// SecretText is a secret as people exchange it: "whsec_" and base64.
func SecretText(secret []byte) string {
	return secretPrefix + base64.StdEncoding.EncodeToString(secret)
}

// ParseSecrets reads one or two secrets, the newest first, each on a line of its own as SecretText writes it. Empty lines do not count.
func ParseSecrets(text []byte) ([][]byte, error) {
	var out [][]byte
	for i, l := range strings.Split(string(text), "\n") {
		l = strings.TrimSpace(l)
		if l == "" {
			continue
		}
		encoded, found := strings.CutPrefix(l, secretPrefix)
		secret, err := base64.StdEncoding.Strict().DecodeString(encoded)
		switch {
		case !found || err != nil:
			return nil, fmt.Errorf("line %d: want %s and base64, such as %s$(openssl rand -base64 32)", i+1, secretPrefix, secretPrefix)
		case len(secret) < minSecret || len(secret) > maxSecret:
			return nil, fmt.Errorf("line %d: the secret has %d octets; want %d to %d", i+1, len(secret), minSecret, maxSecret)
		}
		out = append(out, secret)
	}
	if len(out) == 0 || len(out) > maxSecrets {
		return nil, fmt.Errorf("want one secret, or two while they are changed; found %d", len(out))
	}
	return out, nil
}
