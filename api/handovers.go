package api

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strconv"

	"github.com/labstack/echo/v4"

	"github.com/ecogate/ecogate/clearance"
	"github.com/ecogate/ecogate/clearance/handover"
)

// Handovers are what the customs system is given; *handover.Desk has them. What is decided about them, its store audits.
type Handovers interface {
	List(ctx context.Context, q handover.Query) ([]handover.Listed, error)
	Get(ctx context.Context, id string) (handover.Handover, error)
	Parcel(ctx context.Context, id string) (handover.Parcel, error)
	Fetch(ctx context.Context, by, id string) (handover.Parcel, error)
	Confirm(ctx context.Context, by, id string, c handover.Confirmation) (handover.Handover, error)
	Retry(ctx context.Context, by, id, why string) (handover.Handover, error)
}

// HandoverPage is a page of handovers, in the order of their filing.
type HandoverPage struct {
	Handovers []handover.Listed `json:"handovers"`
	// Next is the number after which the next page begins; absent on the last.
	Next uint64 `json:"next,omitempty"`
}

// handoverRoutes are the paths of what the customs system is given.
func (s *server) handoverRoutes() []route {
	id := pathText("id", "Id of the handover.")
	see, operate := []Role{RoleCustoms, RoleOfficer, RoleOperator}, []Role{RoleOperator}
	absent := s.Handovers == nil
	return []route{
		{
			method: http.MethodGet, path: base + "/handovers", roles: see, handle: s.handovers, absent: absent,
			operation: operation{
				id: "listHandovers", tag: tagHandovers, summary: "What the customs system is given, in the order of its filing",
				parameters: []parameter{
					query[handover.State]("state", "Where they stand; all without it."),
					query[string]("declaration", "Number of a declaration; not together with state."),
					query[string]("certificate", "Key of a certificate, country/form/reference; not together with the others."),
					queryNumber("limit", "Handovers on a page; 100 without it.", 1, maxPage),
					queryNumber("after", "Only those with a higher number: next of the page before.", 1, 0),
				},
				answers: []answer{answersJSON[HandoverPage](http.StatusOK, "A page.")},
			},
		},
		{
			method: http.MethodGet, path: base + "/handovers/{id}", roles: see, handle: s.parcel, absent: absent,
			operation: operation{
				id: "fetchHandover", tag: tagHandovers, summary: "The parcel: declaration, signed certificates, renditions and reports in a ZIP with a manifest",
				parameters: append([]parameter{id}, downloadHeaders()...), answers: downloads(handover.MediaType, "The parcel.", handover.HeaderIdempotencyKey),
				problems: []Code{CodeNotFound, CodeDropped, CodeNotMade},
			},
		},
		{
			method: http.MethodGet, path: base + "/handovers/{id}/record", roles: see, handle: s.handover, absent: absent,
			operation: operation{
				id: "readHandover", tag: tagHandovers, summary: "Where a handover stands, and its attempts", parameters: []parameter{id},
				answers: []answer{answersJSON[handover.Handover](http.StatusOK, "The record.")}, problems: []Code{CodeNotFound},
			},
		},
		{
			method: http.MethodPost, path: base + "/handovers/{id}/confirm", roles: []Role{RoleCustoms, RoleOperator}, handle: s.confirmHandover, absent: absent,
			operation: operation{
				id: "confirmHandover", tag: tagHandovers, summary: "Says that the customs system has the parcel, or will not take it", parameters: []parameter{id},
				takes: takesJSON[handover.Confirmation](), answers: []answer{answersJSON[handover.Handover](http.StatusOK, "The record as it is now.")},
				problems: []Code{CodeNotFound, CodeOtherParcel, CodeSettled, CodeFull},
			},
		},
		{
			method: http.MethodPost, path: base + "/handovers/{id}/retry", roles: operate, handle: s.retryHandover, absent: absent,
			operation: operation{
				id: "retryHandover", tag: tagHandovers, summary: "Has a handover delivered now; a refused one under another key", parameters: []parameter{id},
				takes: takesJSON[givenWhy](), bodyOptional: true, answers: []answer{answersJSON[handover.Handover](http.StatusOK, "The record as it is now.")},
				problems: []Code{CodeNotFound, CodeSettled, CodeFull},
			},
		},
	}
}

// handovers answers GET /handovers.
func (s *server) handovers(c echo.Context) error {
	q, err := handoverQuery(c)
	if err != nil {
		return err
	}
	page := q.Limit
	q.Limit++ // one more tells whether there is a next page
	if err := s.audit(c, "handovers.listed", c.QueryString(), ""); err != nil {
		return err
	}
	found, err := s.Handovers.List(c.Request().Context(), q)
	if err != nil {
		return err
	}
	answer := HandoverPage{Handovers: found}
	if len(found) > page {
		answer.Handovers, answer.Next = found[:page], found[page-1].Number
	}
	if answer.Handovers == nil {
		answer.Handovers = []handover.Listed{}
	}
	return c.JSON(http.StatusOK, answer)
}

func handoverQuery(c echo.Context) (q handover.Query, err error) {
	if err := onlyParameters(c, "state", "declaration", "certificate", "limit", "after"); err != nil {
		return q, err
	}
	if q.State, err = oneOf(c, "state", handover.States()...); err != nil {
		return q, err
	}
	q.Declaration = c.QueryParam("declaration")
	key := c.QueryParam("certificate")
	if key != "" {
		if q.Certificate, err = clearance.ParseKey(key); err != nil {
			return q, problem(CodeParameter, err.Error())
		}
	}
	if q.State != "" && q.Declaration != "" || key != "" && (q.State != "" || q.Declaration != "") {
		return q, problem(CodeParameter, "state, declaration and certificate exclude each other")
	}
	limit, err := number(c, "limit", defaultPage, maxPage)
	if err != nil {
		return q, err
	}
	q.Limit = int(limit)
	q.After, err = number(c, "after", 0, 1<<63)
	return q, err
}

// handover answers GET /handovers/{id}/record.
func (s *server) handover(c echo.Context) error {
	if err := onlyParameters(c); err != nil {
		return err
	}
	h, err := s.Handovers.Get(c.Request().Context(), c.Param("id"))
	if err != nil {
		return handoverProblem(err)
	}
	if err := s.audit(c, "handover.read", h.Declaration, "handover "+h.ID); err != nil {
		return err
	}
	return c.JSON(http.StatusOK, h)
}

// parcel answers GET /handovers/{id}. Where parcels wait to be fetched, that is the delivery if the customs system itself asks.
func (s *server) parcel(c echo.Context) error {
	if err := onlyParameters(c); err != nil {
		return err
	}
	ctx, id, key := c.Request().Context(), c.Param("id"), callOf(c).key
	h, err := s.Handovers.Get(ctx, id)
	if err != nil {
		return handoverProblem(err)
	}
	if err := s.audit(c, "handover.fetched", h.Declaration, "handover "+h.ID); err != nil {
		return err
	}
	var p handover.Parcel
	if key.Role == RoleCustoms {
		p, err = s.Handovers.Fetch(ctx, key.Name, id)
	} else {
		p, err = s.Handovers.Parcel(ctx, id)
	}
	if err != nil {
		return handoverProblem(err)
	}
	c.Response().Header().Set(handover.HeaderIdempotencyKey, `"`+p.Key+`"`)
	s.extend(c, s.timeFor(int64(len(p.Content))))
	s.serveContent(c, download{content: bytes.NewReader(p.Content), mediaType: handover.MediaType, name: p.Name(), tag: p.SHA256})
	return nil
}

// confirmHandover answers POST /handovers/{id}/confirm.
func (s *server) confirmHandover(c echo.Context) error {
	if err := onlyParameters(c); err != nil {
		return err
	}
	mediaType, _, err := mime.ParseMediaType(c.Request().Header.Get(echo.HeaderContentType))
	if err != nil || mediaType != echo.MIMEApplicationJSON {
		return problem(CodeMediaType, "want "+echo.MIMEApplicationJSON)
	}
	body, err := io.ReadAll(c.Request().Body)
	if err != nil {
		return bodyProblem("", err)
	}
	said, err := handover.ReadConfirmation(body)
	if err != nil {
		return problem(CodeMalformed, err.Error())
	}
	return s.changeHandover(c, "handover.confirmation_refused", func(ctx context.Context, by, id string) (handover.Handover, error) {
		return s.Handovers.Confirm(ctx, by, id, said)
	})
}

// retryHandover answers POST /handovers/{id}/retry.
func (s *server) retryHandover(c echo.Context) error {
	if err := onlyParameters(c); err != nil {
		return err
	}
	why, err := readText(c.Request(), "why")
	if err != nil {
		return err
	}
	return s.changeHandover(c, "handover.retry_refused", func(ctx context.Context, by, id string) (handover.Handover, error) {
		return s.Handovers.Retry(ctx, by, id, why)
	})
}

// changeHandover makes a change, which the store audits; one that is refused is audited here.
func (s *server) changeHandover(c echo.Context, refused string, do func(ctx context.Context, by, id string) (handover.Handover, error)) error {
	id := c.Param("id")
	h, err := do(c.Request().Context(), callOf(c).key.Name, id)
	if err != nil {
		p := handoverProblem(err)
		if audited := s.audit(c, refused, id, string(problemOf(p).Code)); audited != nil {
			return audited
		}
		return p
	}
	return c.JSON(http.StatusOK, h)
}

// handoverProblem is what an error of Handovers looks like from outside.
func handoverProblem(err error) error {
	var refusal *handover.Refusal
	switch {
	case errors.Is(err, clearance.ErrNotFound):
		return problem(CodeNotFound, "no handover has this id")
	case errors.Is(err, handover.ErrDropped):
		return problem(CodeDropped, "")
	case errors.As(err, &refusal):
		return problem(CodeNotMade, refusal.Text)
	}
	return err
}

func handoverPath(id string) string { return base + "/handovers/" + url.PathEscape(id) }

// Handovers returns a page of handovers.
func (c *Client) Handovers(ctx context.Context, q handover.Query) (p HandoverPage, err error) {
	query := make(url.Values)
	set(query, "state", string(q.State))
	set(query, "declaration", q.Declaration)
	if q.Certificate != (clearance.Key{}) {
		query.Set("certificate", q.Certificate.String())
	}
	if q.Limit != 0 {
		query.Set("limit", strconv.Itoa(q.Limit))
	}
	if q.After != 0 {
		query.Set("after", strconv.FormatUint(q.After, 10))
	}
	err = c.call(ctx, http.MethodGet, withQuery(base+"/handovers", query), nil, &p)
	return p, err
}

// Handover returns one handover. The error is exchange.ErrNotFound if there is none with the id.
func (c *Client) Handover(ctx context.Context, id string) (h handover.Handover, err error) {
	err = c.call(ctx, http.MethodGet, handoverPath(id)+"/record", nil, &h)
	return h, err
}

// Parcel fetches the parcel of a handover and compares it with the digest that its record has, and its files with its manifest.
func (c *Client) Parcel(ctx context.Context, id string) ([]byte, error) {
	_, content, err := c.do(ctx, http.MethodGet, handoverPath(id), nil)
	if err != nil {
		return nil, err
	}
	if _, err := handover.Unpack(content); err != nil {
		return nil, fmt.Errorf("handover %s: %w", id, err)
	}
	h, err := c.Handover(ctx, id)
	if err != nil {
		return nil, err
	}
	if sum := sha256.Sum256(content); h.Parcel == nil || hex.EncodeToString(sum[:]) != h.Parcel.SHA256 {
		return nil, fmt.Errorf("handover %s: %w", id, handover.ErrOtherContent)
	}
	return content, nil
}

// ConfirmHandover tells the node what the customs system says of a parcel. It may be repeated.
func (c *Client) ConfirmHandover(ctx context.Context, id string, said handover.Confirmation) (h handover.Handover, err error) {
	body, err := json.Marshal(said)
	if err != nil {
		return h, fmt.Errorf("confirmation: %w", err)
	}
	err = c.post(ctx, handoverPath(id)+"/confirm", json.RawMessage(body), &h)
	return h, err
}

// RetryHandover has a handover delivered now; why may be empty.
func (c *Client) RetryHandover(ctx context.Context, id, why string) (h handover.Handover, err error) {
	err = c.post(ctx, handoverPath(id)+"/retry", givenWhy{why}, &h)
	return h, err
}
