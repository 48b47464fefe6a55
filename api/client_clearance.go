package api

import (
	"bytes"
	"context"
	"net/http"
	"net/url"
	"strconv"

	"github.com/labstack/echo/v4"

	"github.com/ecogate/ecogate/clearance"
	"github.com/ecogate/ecogate/exchange"
)

func declarationPath(number string) string {
	return base + "/declarations/" + url.PathEscape(number)
}

// declarationBody is a declaration as its file says it.
func declarationBody(data []byte) *requestBody {
	return &requestBody{echo.MIMEApplicationJSON, []exchange.Content{bytes.NewReader(data)}}
}

// Lodge lodges a declaration, the JSON form of a clearance.Declaration. The error is clearance.ErrNumberTaken if another one has its number.
func (c *Client) Lodge(ctx context.Context, declaration []byte) (l clearance.Lodgement, err error) {
	err = c.call(ctx, http.MethodPost, base+"/declarations", declarationBody(declaration), &l)
	return l, err
}

// Amend puts a declaration in the place of the one with a number. The error is clearance.ErrDecided if that is too late.
func (c *Client) Amend(ctx context.Context, number string, declaration []byte) (l clearance.Lodgement, err error) {
	err = c.call(ctx, http.MethodPut, declarationPath(number), declarationBody(declaration), &l)
	return l, err
}

// Withdraw takes a declaration back; why may be empty.
func (c *Client) Withdraw(ctx context.Context, number, why string) (l clearance.Lodgement, err error) {
	query := make(url.Values)
	set(query, "why", why)
	err = c.call(ctx, http.MethodDelete, withQuery(declarationPath(number), query), nil, &l)
	return l, err
}

// Declaration gives a declaration and what became of it.
func (c *Client) Declaration(ctx context.Context, number string) (l clearance.Lodgement, err error) {
	err = c.call(ctx, http.MethodGet, declarationPath(number), nil, &l)
	return l, err
}

// Declarations lists declarations.
func (c *Client) Declarations(ctx context.Context, q clearance.DeclarationQuery) (page clearance.DeclarationPage, err error) {
	query := make(url.Values)
	set(query, "state", string(q.State))
	set(query, "certificate", q.Certificate)
	if q.After > 0 {
		query.Set("after", strconv.FormatUint(q.After, 10))
	}
	if q.Limit > 0 {
		query.Set("limit", strconv.Itoa(q.Limit))
	}
	err = c.call(ctx, http.MethodGet, withQuery(base+"/declarations", query), nil, &page)
	return page, err
}

// ReleaseNote gives the release note of a declaration that awaited certificates.
func (c *Client) ReleaseNote(ctx context.Context, number string) (n clearance.ReleaseNote, err error) {
	err = c.call(ctx, http.MethodGet, declarationPath(number)+"/release-note", nil, &n)
	return n, err
}

// Decide decides about claims of a declaration.
func (c *Client) Decide(ctx context.Context, number string, j clearance.Judgement) (l clearance.Lodgement, err error) {
	err = c.post(ctx, declarationPath(number)+"/decisions", j, &l)
	return l, err
}

// ConfirmDecision makes a decision that another officer has proposed, or with reject ends it.
func (c *Client) ConfirmDecision(ctx context.Context, number string, decision int, why string, reject bool) (l clearance.Lodgement, err error) {
	step := "/confirm"
	if reject {
		step = "/reject"
	}
	err = c.post(ctx, declarationPath(number)+"/decisions/"+strconv.Itoa(decision)+step, givenWhy{why}, &l)
	return l, err
}

// Duties lists duties.
func (c *Client) Duties(ctx context.Context, q clearance.DutyQuery) (list []clearance.Duty, err error) {
	query := make(url.Values)
	set(query, "owner", q.Owner)
	set(query, "due_by", q.DueBy.String())
	if q.Done {
		query.Set("state", "done")
	}
	err = c.call(ctx, http.MethodGet, withQuery(base+"/duties", query), nil, &list)
	return list, err
}

// CloseDuty closes a duty to tell a partner something by other means.
func (c *Client) CloseDuty(ctx context.Context, in FulfilledDuty) (d clearance.Duty, err error) {
	err = c.post(ctx, base+"/duties/done", in, &d)
	return d, err
}
