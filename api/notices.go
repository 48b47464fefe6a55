package api

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"

	"github.com/labstack/echo/v4"

	"github.com/ecogate/ecogate/clearance/notice"
)

// Notices tell people what happened, and let importers and brokers sign up; *notice.Service is one. What it changes it audits itself.
type Notices interface {
	Subscriber
	Notices(ctx context.Context, q notice.Query) ([]notice.Notice, error)
	Retry(ctx context.Context, actor, id string) (notice.Notice, error)
	Test(ctx context.Context, actor, address, language string) error
}

// Subscriber lets those sign up who want to be told.
type Subscriber interface {
	Subscribe(ctx context.Context, who notice.Subscriber, request notice.SubscriptionRequest) (notice.Subscribed, error)
	Subscriptions(ctx context.Context, who notice.Subscriber) ([]notice.Subscribed, error)
	Confirm(ctx context.Context, who notice.Subscriber, id, code string) (notice.Subscribed, error)
	NewSecret(ctx context.Context, who notice.Subscriber, id string) (notice.Subscribed, error)
	Unsubscribe(ctx context.Context, who notice.Subscriber, id string) (notice.Subscribed, error)
}

// NoticePage are notices, oldest first.
type NoticePage struct {
	Notices []notice.Notice `json:"notices"`
	// Next is the value of the parameter after for the next page; empty on the last one.
	Next string `json:"next,omitempty"`
}

// givenCode is the body that confirms an address; a webhook needs none.
type givenCode struct {
	Code string `json:"code,omitempty"`
}

// givenAddress is the body of a test of mail.
type givenAddress struct {
	Address  string `json:"address"`
	Language string `json:"language,omitempty"`
}

// TestedAddress is where a test was mailed to; the mail server has taken it.
type TestedAddress struct {
	Address string `json:"address"`
}

// noticeRoutes are the paths of notices and of those who signed up for them.
func (s *server) noticeRoutes() []route {
	absent := s.Notices == nil
	id := pathText("id", "Id of the subscription.")
	theirs, operate := []Role{RoleBroker, RoleImporter}, []Role{RoleOperator}
	all := []Role{RoleBroker, RoleImporter, RoleOperator}
	return []route{
		{
			method: http.MethodPost, path: base + "/subscriptions", roles: theirs, handle: s.subscribe, absent: absent,
			operation: operation{
				id: "subscribe", tag: tagNotices, summary: "Signs an address or a webhook up for notices; nothing is told before it is confirmed",
				takes:    takesJSON[notice.SubscriptionRequest](),
				answers:  []answer{answersJSON[notice.Subscribed](http.StatusCreated, "The subscription, with the signing secret of a webhook, which is not told again.")},
				problems: []Code{CodeInvalidSubscription, CodeManySubscriptions, CodeFull},
			},
		},
		{
			method: http.MethodGet, path: base + "/subscriptions", roles: all, handle: s.subscriptions, absent: absent,
			operation: operation{
				id: "listSubscriptions", tag: tagNotices, summary: "The subscriptions of the key, or all for an operator",
				answers: []answer{answersJSON[[]notice.Subscribed](http.StatusOK, "They, oldest first.")},
			},
		},
		{
			method: http.MethodPost, path: base + "/subscriptions/{id}/confirm", roles: theirs, handle: s.confirmSubscription, absent: absent,
			operation: operation{
				id: "confirmSubscription", tag: tagNotices, summary: "Confirms an address with its code, or has a webhook challenged", parameters: []parameter{id},
				takes: takesJSON[givenCode](), bodyOptional: true, answers: []answer{answersJSON[notice.Subscribed](http.StatusOK, "The subscription.")},
				problems: []Code{CodeNotFound, CodeNotConfirmed, CodeFull},
			},
		},
		{
			method: http.MethodPost, path: base + "/subscriptions/{id}/secret", roles: theirs, handle: s.newSecret, absent: absent,
			operation: operation{
				id: "newSubscriptionSecret", tag: tagNotices, summary: "Gives a webhook a new signing secret; the old one signs for another day", parameters: []parameter{id},
				answers: []answer{answersJSON[notice.Subscribed](http.StatusOK, "The subscription with the secret, which is not told again.")}, problems: []Code{CodeNotFound, CodeInvalidSubscription, CodeFull},
			},
		},
		{
			method: http.MethodDelete, path: base + "/subscriptions/{id}", roles: all, handle: s.unsubscribe, absent: absent,
			operation: operation{
				id: "unsubscribe", tag: tagNotices, summary: "Ends a subscription; what waits for it is not sent", parameters: []parameter{id},
				answers: []answer{answersJSON[notice.Subscribed](http.StatusOK, "The subscription that was ended.")}, problems: []Code{CodeNotFound, CodeFull},
			},
		},
		{
			method: http.MethodGet, path: base + "/notices", roles: operate, handle: s.notices, absent: absent,
			operation: operation{
				id: "listNotices", tag: tagNotices, summary: "Notices that wait, were sent or failed",
				parameters: []parameter{
					query[notice.State]("state", "Where they stand."), query[string]("recipient", "Name of a configured recipient, or id of a subscription."),
					queryNumber("limit", "Notices on a page; 100 without it.", 1, maxPage), query[string]("after", "Only those that were filed after the one with this id."),
				},
				answers: []answer{answersJSON[NoticePage](http.StatusOK, "They, oldest first.")}, problems: []Code{CodeNotFound},
			},
		},
		{
			method: http.MethodPost, path: base + "/notices/{id}/retry", roles: operate, handle: s.retryNotice, absent: absent,
			operation: operation{
				id: "retryNotice", tag: tagNotices, summary: "Has a notice that was not sent tried again now; what failed at its recipient before is forgotten",
				parameters: []parameter{pathText("id", "Id of the notice.")},
				answers:    []answer{answersJSON[notice.Notice](http.StatusOK, "The notice.")}, problems: []Code{CodeNotFound, CodeInvalidSubscription, CodeFull},
			},
		},
		{
			method: http.MethodPost, path: base + "/notices/test", roles: operate, handle: s.testNotice, absent: absent,
			operation: operation{
				id: "testNotice", tag: tagNotices, summary: "Mails a test to an address at once", takes: takesJSON[givenAddress](),
				answers:  []answer{answersJSON[TestedAddress](http.StatusOK, "The mail server has taken the mail.")},
				problems: []Code{CodeInvalidSubscription, CodeMailNotSent, CodeFull},
			},
		},
	}
}

// subscriber is who asks, with the audiences that his role may be part of.
func subscriber(c echo.Context) notice.Subscriber {
	key := callOf(c).key
	who := notice.Subscriber{Key: key.Name, Operator: key.Role == RoleOperator}
	switch {
	case key.Role == RoleImporter:
		who.Audiences = []notice.Audience{notice.Importers}
	case key.Role == RoleBroker && len(key.Parties) > 0:
		who.Audiences = []notice.Audience{notice.Brokers, notice.Importers}
	case key.Role == RoleBroker:
		who.Audiences = []notice.Audience{notice.Brokers}
	}
	return who
}

// subscribe answers POST /subscriptions.
func (s *server) subscribe(c echo.Context) error {
	if err := onlyParameters(c); err != nil {
		return err
	}
	if err := wantJSON(c.Request()); err != nil {
		return err
	}
	var q notice.SubscriptionRequest
	err := decodeObject(json.NewDecoder(c.Request().Body), member{"audience", &q.Audience}, member{"email", &q.Email}, member{"webhook", &q.Webhook},
		member{"language", &q.Language}, member{"events", &q.Events}, member{"digest", &q.Digest}, member{"parties", &q.Parties})
	if err != nil {
		return bodyProblem("", err)
	}
	made, err := s.Notices.Subscribe(c.Request().Context(), subscriber(c), q)
	if err != nil {
		return err
	}
	s.tell(c, notice.EntrySubscribed, made.ID, "") // recorded with it, as are the others below
	return c.JSON(http.StatusCreated, made)
}

// subscriptions answers GET /subscriptions.
func (s *server) subscriptions(c echo.Context) error {
	if err := onlyParameters(c); err != nil {
		return err
	}
	if err := s.audit(c, "subscriptions.listed", "", ""); err != nil {
		return err
	}
	list, err := s.Notices.Subscriptions(c.Request().Context(), subscriber(c))
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, list)
}

// confirmSubscription answers POST /subscriptions/{id}/confirm.
func (s *server) confirmSubscription(c echo.Context) error {
	code, err := readText(c.Request(), "code")
	if err != nil {
		return err
	}
	return s.subscription(c, notice.EntryConfirmed, func(ctx context.Context, who notice.Subscriber, id string) (notice.Subscribed, error) {
		return s.Notices.Confirm(ctx, who, id, code)
	})
}

// newSecret answers POST /subscriptions/{id}/secret.
func (s *server) newSecret(c echo.Context) error {
	return s.subscription(c, notice.EntryRotated, s.Notices.NewSecret)
}

// unsubscribe answers DELETE /subscriptions/{id}.
func (s *server) unsubscribe(c echo.Context) error {
	return s.subscription(c, notice.EntryUnsubscribed, s.Notices.Unsubscribe)
}

// subscription does something to one, and answers with it.
func (s *server) subscription(c echo.Context, event string, do func(ctx context.Context, who notice.Subscriber, id string) (notice.Subscribed, error)) error {
	if err := onlyParameters(c); err != nil {
		return err
	}
	id, err := param(c, "id")
	if err != nil {
		return err
	}
	done, err := do(c.Request().Context(), subscriber(c), id)
	if err != nil {
		return err
	}
	s.tell(c, event, id, "")
	return c.JSON(http.StatusOK, done)
}

// notices answers GET /notices.
func (s *server) notices(c echo.Context) error {
	if err := onlyParameters(c, "state", "recipient", "limit", "after"); err != nil {
		return err
	}
	state, err := oneOf(c, "state", notice.States()...)
	if err != nil {
		return err
	}
	limit, err := number(c, "limit", defaultPage, maxPage)
	if err != nil {
		return err
	}
	if err := s.audit(c, "notices.listed", c.QueryString(), ""); err != nil {
		return err
	}
	page := int(limit)
	list, err := s.Notices.Notices(c.Request().Context(), notice.Query{State: state, Recipient: c.QueryParam("recipient"), After: c.QueryParam("after"), Limit: page + 1})
	if err != nil {
		return err
	}
	answer := NoticePage{Notices: list}
	if len(list) > page {
		answer.Notices, answer.Next = list[:page], list[page-1].ID
	}
	return c.JSON(http.StatusOK, answer)
}

// retryNotice answers POST /notices/{id}/retry.
func (s *server) retryNotice(c echo.Context) error {
	if err := onlyParameters(c); err != nil {
		return err
	}
	id, err := param(c, "id")
	if err != nil {
		return err
	}
	n, err := s.Notices.Retry(c.Request().Context(), callOf(c).key.Name, id)
	if err != nil {
		return err
	}
	s.tell(c, notice.EntryRetried, id, "")
	return c.JSON(http.StatusOK, n)
}

// testNotice answers POST /notices/test.
func (s *server) testNotice(c echo.Context) error {
	if err := onlyParameters(c); err != nil {
		return err
	}
	if err := wantJSON(c.Request()); err != nil {
		return err
	}
	var q givenAddress
	if err := decodeObject(json.NewDecoder(c.Request().Body), member{"address", &q.Address}, member{"language", &q.Language}); err != nil {
		return bodyProblem("", err)
	}
	if err := s.Notices.Test(c.Request().Context(), callOf(c).key.Name, q.Address, q.Language); err != nil {
		return err
	}
	s.tell(c, notice.EntryTested, q.Address, "")
	return c.JSON(http.StatusOK, TestedAddress{q.Address})
}

// Subscribe signs an address or a webhook up for notices of the key. The signing secret of a webhook is in the answer, and in no other one.
func (c *Client) Subscribe(ctx context.Context, q notice.SubscriptionRequest) (made notice.Subscribed, err error) {
	err = c.post(ctx, base+"/subscriptions", q, &made)
	return made, err
}

// Subscriptions are those of the key, or all if it is an operator's.
func (c *Client) Subscriptions(ctx context.Context) (list []notice.Subscribed, err error) {
	err = c.call(ctx, http.MethodGet, base+"/subscriptions", nil, &list)
	return list, err
}

// ConfirmSubscription confirms an address with its code; a webhook, without one, is sent a challenge.
func (c *Client) ConfirmSubscription(ctx context.Context, id, code string) (done notice.Subscribed, err error) {
	err = c.post(ctx, subscriptionPath(id)+"/confirm", givenCode{code}, &done)
	return done, err
}

// NewSubscriptionSecret gives a webhook another signing secret, which is in the answer and in no other one.
func (c *Client) NewSubscriptionSecret(ctx context.Context, id string) (done notice.Subscribed, err error) {
	err = c.call(ctx, http.MethodPost, subscriptionPath(id)+"/secret", nil, &done)
	return done, err
}

// Unsubscribe ends a subscription.
func (c *Client) Unsubscribe(ctx context.Context, id string) (done notice.Subscribed, err error) {
	err = c.call(ctx, http.MethodDelete, subscriptionPath(id), nil, &done)
	return done, err
}

// Notices are a page of those that match.
func (c *Client) Notices(ctx context.Context, q notice.Query) (page NoticePage, err error) {
	query := make(url.Values)
	set(query, "state", string(q.State))
	set(query, "recipient", q.Recipient)
	set(query, "after", q.After)
	if q.Limit != 0 {
		query.Set("limit", strconv.Itoa(q.Limit))
	}
	err = c.call(ctx, http.MethodGet, withQuery(base+"/notices", query), nil, &page)
	return page, err
}

// RetryNotice has a notice that was not sent tried again now.
func (c *Client) RetryNotice(ctx context.Context, id string) (n notice.Notice, err error) {
	err = c.call(ctx, http.MethodPost, base+"/notices/"+url.PathEscape(id)+"/retry", nil, &n)
	return n, err
}

// TestNotice mails a test to an address; language may be empty.
func (c *Client) TestNotice(ctx context.Context, address, language string) (done TestedAddress, err error) {
	err = c.post(ctx, base+"/notices/test", givenAddress{address, language}, &done)
	return done, err
}

func subscriptionPath(id string) string { return base + "/subscriptions/" + url.PathEscape(id) }
