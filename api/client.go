package api

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"mime"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/ecogate/ecogate/eco"
	"github.com/ecogate/ecogate/exchange"
	"github.com/ecogate/ecogate/intake"
)

// Client talks to one node's API under one key. It is safe for concurrent use.
//
// Every method returns a *Problem when the node answered with one; errors.Is sees through it to errors such as
// exchange.ErrNotFound and exchange.ErrConflict. Any other error means that no usable answer came.
type Client struct {
	root string // without a slash at its end
	key  string
	http *http.Client
	// backfill are the parameters of submissions after an outage.
	backfill url.Values
}

// maxAnswer bounds what a client reads of an answer into memory, in bytes.
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

// Backfill is a client whose submissions bear the mark that the certificate was issued on paper, with a reason and the paper's number; an
// empty number is the certificate's own.
func (c *Client) Backfill(p eco.PaperIssue) *Client {
	marked := *c
	marked.backfill = url.Values{paramBackfill: {p.Reason}}
	set(marked.backfill, paramPaperNumber, p.Number)
	return &marked
}

// Submit hands a certificate in its JSON form to the node for delivery to a partner, with attachments, which are streamed. The node
// reads it strictly. Submit may be repeated after any error: the same certificate is taken once.
func (c *Client) Submit(ctx context.Context, partner string, certificate json.RawMessage, attachments ...exchange.Attachment) (Submission, error) {
	body, err := jsonBody(submissionRequest{Partner: partner, Certificate: certificate})
	if err != nil {
		return Submission{}, fmt.Errorf("certificate: %w", err)
	}
	if len(attachments) > 0 {
		if body, err = formBody(body, attachments); err != nil {
			return Submission{}, err
		}
	}
	var s Submission
	err = c.call(ctx, http.MethodPost, withQuery(base+"/certificates", c.backfill), body, &s)
	return s, err
}

// SubmitFile hands a file with any number of certificates to the node, which reads it and tells of each certificate. It may be repeated
// after any error, as Submit.
func (c *Client) SubmitFile(ctx context.Context, partner string, format intake.Format, file []byte) (TakenFile, error) {
	body := &requestBody{contentType: mediaTypeOf(format), pieces: []exchange.Content{bytes.NewReader(file)}}
	query := url.Values{paramPartner: {partner}, paramFormat: {string(format)}}
	maps.Copy(query, c.backfill)
	var taken TakenFile
	err := c.call(ctx, http.MethodPost, withQuery(base+"/certificates", query), body, &taken)
	return taken, err
}

// LookupQuery selects certificates. Reference is required, in any spelling; the others narrow.
type LookupQuery struct {
	Reference string
	Direction exchange.Direction
	Country   string
	Form      string
	// Invoice is a second factor: the number of an invoice that the certificate names. On is the day of the verdicts; empty is today.
	Invoice string
	On      string
}

func (q LookupQuery) values() url.Values {
	query := make(url.Values)
	set(query, "direction", string(q.Direction))
	set(query, "country", q.Country)
	set(query, "form", q.Form)
	set(query, "invoice", q.Invoice)
	set(query, "on", q.On)
	return query
}

// Lookup finds the certificates that bear a reference. The error is exchange.ErrNotFound when there is none that the key may see.
func (c *Client) Lookup(ctx context.Context, q LookupQuery) (Lookup, error) {
	var l Lookup
	err := c.call(ctx, http.MethodGet, withQuery(certificatePath(q.Reference), q.values()), nil, &l)
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

// PDF writes the rendition of a certificate to w, and returns the findings about it: fields that could not be printed as they are.
// seq is the number of the record when other values of q leave several; 0 for none. After an error a part may have been written.
func (c *Client) PDF(ctx context.Context, q LookupQuery, seq uint64, w io.Writer) ([]eco.Finding, error) {
	query := q.values()
	if seq != 0 {
		query.Set("seq", strconv.FormatUint(seq, 10))
	}
	header, err := c.fetchWithHeader(ctx, withQuery(certificatePath(q.Reference)+suffixPDF, query), w)
	if err != nil {
		return nil, err
	}
	var findings []eco.Finding
	if text := header.Get(HeaderFindings); text != "" {
		if err := json.Unmarshal([]byte(text), &findings); err != nil {
			return nil, fmt.Errorf("answer of %s: %s: %w", c.root, HeaderFindings, err)
		}
	}
	return findings, nil
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

// RawMessage writes a message's bytes, as they travelled, to w, and returns their media type. After an error a part of them may have
// been written.
func (c *Client) RawMessage(ctx context.Context, id string, w io.Writer) (contentType string, err error) {
	return c.fetch(ctx, messagePath(id)+"/raw", w)
}

// Parts lists the payloads of a message.
func (c *Client) Parts(ctx context.Context, id string) ([]exchange.Part, error) {
	var list []exchange.Part
	err := c.call(ctx, http.MethodGet, messagePath(id)+"/parts", nil, &list)
	return list, err
}

// Part writes the octets of a message's n-th payload, counted from 1, to w, and returns their media type. After an error a part of
// them may have been written.
func (c *Client) Part(ctx context.Context, id string, n int, w io.Writer) (contentType string, err error) {
	return c.fetch(ctx, messagePath(id)+"/parts/"+strconv.Itoa(n), w)
}

// Partners tells how deliveries to each partner stand.
func (c *Client) Partners(ctx context.Context) ([]exchange.PartnerStatus, error) {
	var list []exchange.PartnerStatus
	err := c.call(ctx, http.MethodGet, base+"/partners", nil, &list)
	return list, err
}

// Pause holds back everything that goes to a partner until Resume; why may be empty.
func (c *Client) Pause(ctx context.Context, partner, why string) (p exchange.PartnerStatus, err error) {
	err = c.post(ctx, partnerPath(partner)+"/pause", map[string]string{"why": why}, &p)
	return p, err
}

// Resume ends a pause.
func (c *Client) Resume(ctx context.Context, partner string) (p exchange.PartnerStatus, err error) {
	err = c.call(ctx, http.MethodPost, partnerPath(partner)+"/resume", nil, &p)
	return p, err
}

// Ping asks a partner whether it is there, under the agreement of this CPAId or, if it is empty, any. The node waits for the
// answer for 1 second to 2 minutes, in whole seconds. The error is exchange.ErrNoAnswer with what the node met if no answer came.
func (c *Client) Ping(ctx context.Context, partner, cpaID string, wait time.Duration) (p exchange.Ping, err error) {
	err = c.post(ctx, waiting(partnerPath(partner)+"/ping", wait), map[string]string{"cpa_id": cpaID}, &p)
	return p, err
}

// AskStatus asks a partner what became of a message; wait and errors are those of Ping.
func (c *Client) AskStatus(ctx context.Context, partner, messageID string, wait time.Duration) (s exchange.MessageStatus, err error) {
	err = c.post(ctx, waiting(partnerPath(partner)+"/message-status", wait), map[string]string{"message_id": messageID}, &s)
	return s, err
}

func waiting(path string, wait time.Duration) string {
	return path + "?timeout=" + strconv.FormatInt(int64((wait+time.Second-1)/time.Second), 10)
}

func partnerPath(id string) string { return base + "/partners/" + url.PathEscape(id) }

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

// post sends JSON and reads JSON.
func (c *Client) post(ctx context.Context, target string, in, out any) error {
	body, err := jsonBody(in)
	if err != nil {
		return fmt.Errorf("request: %w", err)
	}
	return c.call(ctx, http.MethodPost, target, body, out)
}

// headerField is a header field of a request.
type headerField struct{ name, value string }

// call sends a body, nil for none, and reads JSON.
func (c *Client) call(ctx context.Context, method, target string, in *requestBody, out any, fields ...headerField) error {
	_, body, err := c.do(ctx, method, target, in, fields...)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(body, out); err != nil {
		return fmt.Errorf("answer of %s: %w", c.root, err)
	}
	return nil
}

// do sends one request and reads the whole answer.
func (c *Client) do(ctx context.Context, method, target string, in *requestBody, fields ...headerField) (http.Header, []byte, error) {
	res, err := c.send(ctx, method, target, in, fields...)
	if err != nil {
		return nil, nil, err
	}
	defer res.Body.Close()
	body, err := c.readAll(res)
	return res.Header, body, err
}

// fetch writes an answer to w as it comes, of whatever size.
func (c *Client) fetch(ctx context.Context, target string, w io.Writer) (contentType string, err error) {
	header, err := c.fetchWithHeader(ctx, target, w)
	return header.Get(echo.HeaderContentType), err
}

func (c *Client) fetchWithHeader(ctx context.Context, target string, w io.Writer) (http.Header, error) {
	res, err := c.send(ctx, http.MethodGet, target, nil)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	if _, err := io.Copy(w, res.Body); err != nil {
		return nil, fmt.Errorf("answer of %s: %w", c.root, err)
	}
	return res.Header, nil
}

// send sends one request and returns the answer if it is a success. target is a path, escaped, with its query.
func (c *Client) send(ctx context.Context, method, target string, in *requestBody, fields ...headerField) (*http.Response, error) {
	if !strings.HasPrefix(target, base+"/") {
		return nil, fmt.Errorf("path %q is not one of this API", target)
	}
	req, err := http.NewRequestWithContext(ctx, method, c.root+target, nil)
	if err != nil {
		return nil, fmt.Errorf("request: %w", err)
	}
	req.Header.Set(echo.HeaderAuthorization, "Bearer "+c.key)
	for _, f := range fields {
		req.Header.Set(f.name, f.value)
	}
	if in != nil {
		in.into(req)
	}
	res, err := c.http.Do(req)
	if err != nil {
		return nil, err // *url.Error names method and address
	}
	if res.StatusCode == http.StatusOK || res.StatusCode == http.StatusCreated || res.StatusCode == http.StatusAccepted {
		return res, nil
	}
	defer res.Body.Close()
	body, err := c.readAll(res)
	if err != nil {
		return nil, err
	}
	return nil, c.problem(res, body)
}

func (c *Client) readAll(res *http.Response) ([]byte, error) {
	body, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer+1))
	if err != nil {
		return nil, fmt.Errorf("answer of %s: %w", c.root, err)
	}
	if len(body) > maxAnswer {
		return nil, fmt.Errorf("answer of %s: longer than %d bytes", c.root, maxAnswer)
	}
	return body, nil
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
