package api

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/ecogate/ecogate/exchange"
)

// Client talks to one node's API under one key. It is safe for concurrent use.
//
// Every method returns a *Problem when the node answered with one; errors.Is sees through it to errors such as
// exchange.ErrNotFound and exchange.ErrConflict. Any other error means that no usable answer came.
type Client struct {
	root string // without a slash at its end
	key  string
	http *http.Client
}

// maxAnswer bounds what a client reads of an answer, in bytes.
const maxAnswer = 256 << 20

// NewClient returns a client of the node whose API is at root, such as "https://gateway.customs.example:8443". The transport
// decides about TLS and proxies; nil means http.DefaultTransport. Time limits come with each call's context.
func NewClient(root, key string, transport http.RoundTripper) (*Client, error) {
	u, err := url.Parse(root)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" || u.User != nil {
		return nil, fmt.Errorf("API address %q: want http://host:port or https://host:port", root)
	}
	return &Client{root: strings.TrimRight(u.String(), "/"), key: key, http: &http.Client{
		Transport: transport,
		// The API never redirects; whoever does is not the node, and would be told the key.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}, nil
}

// Submit hands a certificate in its JSON form to the node for delivery to a partner. The node reads it strictly. Submit may be
// repeated after any error: the same certificate is taken once.
func (c *Client) Submit(ctx context.Context, partner string, certificate json.RawMessage) (Submission, error) {
	body, err := json.Marshal(submissionRequest{Partner: partner, Certificate: certificate})
	if err != nil {
		return Submission{}, fmt.Errorf("certificate: %w", err)
	}
	var s Submission
	err = c.call(ctx, http.MethodPost, base+"/certificates", body, &s)
	return s, err
}

// LookupQuery selects certificates. Reference is required, in any spelling; the others narrow.
type LookupQuery struct {
	Reference string
	Direction exchange.Direction
	Country   string
	Form      string
}

// Lookup finds the certificates that bear a reference. The error is exchange.ErrNotFound when there is none that the key may see.
func (c *Client) Lookup(ctx context.Context, q LookupQuery) (Lookup, error) {
	query := make(url.Values)
	set(query, "direction", string(q.Direction))
	set(query, "country", q.Country)
	set(query, "form", q.Form)
	var l Lookup
	err := c.call(ctx, http.MethodGet, withQuery(certificatePath(q.Reference), query), nil, &l)
	return l, err
}

// Document fetches a signed document and compares it with the digest that the look-up gave.
func (c *Client) Document(ctx context.Context, d Document) ([]byte, error) {
	_, body, err := c.do(ctx, http.MethodGet, d.Href, nil)
	if err != nil {
		return nil, err
	}
	if sum := sha256.Sum256(body); hex.EncodeToString(sum[:]) != d.SHA256 {
		return nil, fmt.Errorf("document %s: %w", d.Href, exchange.ErrDamaged)
	}
	return body, nil
}

// Messages returns a page of messages; q.Seq is not used.
func (c *Client) Messages(ctx context.Context, q exchange.MessageQuery) (MessagePage, error) {
	query := make(url.Values)
	set(query, "message_id", q.MessageID)
	set(query, "ref_to_message_id", q.RefToMessageID)
	set(query, "direction", string(q.Direction))
	set(query, "kind", string(q.Kind))
	set(query, "state", string(q.State))
	set(query, "partner", q.Partner)
	if q.Limit != 0 {
		query.Set("limit", strconv.Itoa(q.Limit))
	}
	if q.Before != 0 {
		query.Set("before", strconv.FormatUint(q.Before, 10))
	}
	var p MessagePage
	err := c.call(ctx, http.MethodGet, withQuery(base+"/messages", query), nil, &p)
	return p, err
}

// Message returns one message by its record's number or its MessageId.
func (c *Client) Message(ctx context.Context, id string) (exchange.Message, error) {
	var m exchange.Message
	err := c.call(ctx, http.MethodGet, messagePath(id), nil, &m)
	return m, err
}

// RawMessage returns a message's bytes as they travelled, and their media type.
func (c *Client) RawMessage(ctx context.Context, id string) (contentType string, body []byte, err error) {
	header, body, err := c.do(ctx, http.MethodGet, messagePath(id)+"/raw", nil)
	return header.Get(echo.HeaderContentType), body, err
}

func messagePath(id string) string { return base + "/messages/" + url.PathEscape(id) }

func set(q url.Values, name, value string) {
	if value != "" {
		q.Set(name, value)
	}
}

func withQuery(path string, q url.Values) string {
	if len(q) == 0 {
		return path
	}
	return path + "?" + q.Encode()
}

// call exchanges JSON.
func (c *Client) call(ctx context.Context, method, target string, in []byte, out any) error {
	_, body, err := c.do(ctx, method, target, in)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(body, out); err != nil {
		return fmt.Errorf("answer of %s: %w", c.root, err)
	}
	return nil
}

// do sends one request and reads the whole answer. target is a path, escaped, with its query.
func (c *Client) do(ctx context.Context, method, target string, in []byte) (http.Header, []byte, error) {
	if !strings.HasPrefix(target, base+"/") {
		return nil, nil, fmt.Errorf("path %q is not one of this API", target)
	}
	req, err := http.NewRequestWithContext(ctx, method, c.root+target, bytes.NewReader(in))
	if err != nil {
		return nil, nil, fmt.Errorf("request: %w", err)
	}
	req.Header.Set(echo.HeaderAuthorization, "Bearer "+c.key)
	if in != nil {
		req.Header.Set(echo.HeaderContentType, echo.MIMEApplicationJSON)
	}
	res, err := c.http.Do(req)
	if err != nil {
		return nil, nil, err // *url.Error names method and address
	}
	defer res.Body.Close()
	body, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer+1))
	if err != nil {
		return nil, nil, fmt.Errorf("answer of %s: %w", c.root, err)
	}
	if len(body) > maxAnswer {
		return nil, nil, fmt.Errorf("answer of %s: longer than %d bytes", c.root, maxAnswer)
	}
	if res.StatusCode != http.StatusOK && res.StatusCode != http.StatusCreated {
		return nil, nil, c.problem(res, body)
	}
	return res.Header, body, nil
}

// problem reads an answer that is not a success.
func (c *Client) problem(res *http.Response, body []byte) error {
	mediaType, _, err := mime.ParseMediaType(res.Header.Get(echo.HeaderContentType))
	p := new(Problem)
	if err == nil && mediaType == ProblemMediaType && json.Unmarshal(body, p) == nil && p.Code != "" {
		return p
	}
	return fmt.Errorf("answer of %s: status %s, and not from an ecogate API", c.root, res.Status)
}
