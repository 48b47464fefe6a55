package api

import (
	"context"
	"fmt"
	"math"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/ecogate/ecogate/clearance/lookup"
	"github.com/ecogate/ecogate/eco"
)

// WatchRequest asks to be told when a certificate arrives. Invoice is the second factor that opens it; without an Until the node's own time holds.
type WatchRequest struct {
	Reference string       `json:"reference"`
	Country   string       `json:"country,omitempty"`
	Form      eco.FormCode `json:"form,omitempty"`
	Invoice   string       `json:"invoice,omitempty"`
	Note      string       `json:"note,omitempty"`
	Until     time.Time    `json:"until,omitzero"`
}

// WatchPage is a page of watches, oldest first.
type WatchPage struct {
	Watches []lookup.Watch `json:"watches"`
	// Next is the value of "after" that gives the next page; 0 when there is none.
	Next uint64 `json:"next,omitempty"`
}

// watchRoutes are the paths of watches and mandates.
func (s *server) watchRoutes() []route {
	absent := s.Lookups == nil
	watchers, givers := []Role{RoleBroker, RoleImporter, RoleOfficer, RoleCustoms}, []Role{RoleImporter, RoleOfficer}
	pages := []parameter{queryNumber("after", "Only what was made after this one: next of the page before.", 1, 0), queryNumber("limit", "The most on the page.", 1, maxDocketPage)}
	return []route{
		{
			method: http.MethodPost, path: base + "/watches", roles: watchers, handle: s.addWatch, absent: absent,
			operation: operation{
				id: "addWatch", tag: tagWatches, summary: "Waits for a certificate that is not here", takes: takesJSON[WatchRequest](),
				answers:  []answer{answersJSON[lookup.Watch](http.StatusCreated, "The watch.")},
				problems: []Code{CodeArrived, CodeInvalidRequest, CodeMany, CodeTooMany, CodeFull},
			},
		},
		{
			method: http.MethodGet, path: base + "/watches", roles: watchers, handle: s.watches, absent: absent,
			operation: operation{
				id: "listWatches", tag: tagWatches, summary: "The key's own watches", parameters: pages,
				answers: []answer{answersJSON[WatchPage](http.StatusOK, "A page, oldest first.")},
			},
		},
		{
			method: http.MethodDelete, path: base + "/watches/{id}", roles: watchers, handle: s.removeWatch, absent: absent,
			operation: operation{
				id: "removeWatch", tag: tagWatches, summary: "Stops waiting", parameters: []parameter{pathText("id", "Id of the watch.")},
				answers: []answer{answersJSON[Removed](http.StatusOK, "It is removed.")}, problems: []Code{CodeNotFound},
			},
		},
		{
			method: http.MethodPost, path: base + "/mandates", roles: givers, handle: s.giveMandate, absent: absent,
			operation: operation{
				id: "giveMandate", tag: tagWatches, summary: "Lets a broker see what is for an importer", takes: takesJSON[MandateRequest](),
				answers:  []answer{answersJSON[lookup.Mandate](http.StatusCreated, "The mandate.")},
				problems: []Code{CodeNotYours, CodeInvalidMandate, CodeInvalidRequest, CodeMany, CodeFull},
			},
		},
		{
			method: http.MethodGet, path: base + "/mandates", roles: []Role{RoleBroker, RoleImporter, RoleOfficer, RoleOperator}, handle: s.mandates, absent: absent,
			operation: operation{
				id: "listMandates", tag: tagWatches, summary: "Mandates: a broker's own, those of an importer's own parties, or all",
				parameters: append([]parameter{query[string]("broker", "Name of the broker's key."), query[string]("importer", "The importer, as SCHEME:VALUE or NAME:...")}, pages...),
				answers:    []answer{answersJSON[MandatePage](http.StatusOK, "A page, oldest first.")},
			},
		},
		{
			method: http.MethodDelete, path: base + "/mandates/{id}", roles: givers, handle: s.revokeMandate, absent: absent,
			operation: operation{
				id: "revokeMandate", tag: tagWatches, summary: "Takes a mandate back, from now on", parameters: []parameter{pathText("id", "Id of the mandate.")},
				answers: []answer{answersJSON[lookup.Mandate](http.StatusOK, "The mandate as it is kept.")}, problems: []Code{CodeNotFound},
			},
		},
	}
}

// addWatch answers POST /watches.
func (s *server) addWatch(c echo.Context) error {
	var in WatchRequest
	if err := readStrict(c.Request(), &in); err != nil {
		return err
	}
	began, ctx := s.Now(), c.Request().Context()
	restricted := callOf(c).key.Role.restricted()
	var admission lookup.Admission
	if restricted {
		var err error
		if admission, err = s.admit(c, in.Invoice != ""); err != nil {
			return err
		}
	}
	w, err := s.Lookups.Watch(ctx, readerOf(c), lookup.Watch{
		Reference: in.Reference, Country: strings.ToUpper(in.Country), Form: in.Form, Invoice: in.Invoice, Note: in.Note, Until: in.Until.UTC(), All: !restricted,
	})
	if restricted {
		// A watch with a factor that opens nothing now counts like a look-up with one: it must not try more than that.
		admission.Failed(problemOfNil(err) != CodeArrived)
		s.Lookups.Pad(ctx, began, 1)
	}
	if err != nil { // that the certificate is here has been read, too
		return s.auditRefused(c, "watch.refused", in.Reference, fmt.Errorf("watch for %s: %w", in.Reference, err))
	}
	return c.JSON(http.StatusCreated, w)
}

// problemOfNil is the code of an error's problem, "" of none.
func problemOfNil(err error) Code {
	if err == nil {
		return ""
	}
	return problemOf(err).Code
}

// watches answers GET /watches with the key's own.
func (s *server) watches(c echo.Context) error {
	after, limit, err := page(c)
	if err != nil {
		return err
	}
	if err := s.audit(c, "watches.read", callOf(c).key.Name, ""); err != nil {
		return err
	}
	list, next, err := s.Lookups.Watches(c.Request().Context(), callOf(c).key.Name, after, limit)
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, WatchPage{list, next})
}

// page reads the parameters of a page that begins after a number, and refuses others than those named.
func page(c echo.Context, others ...string) (after uint64, limit int, err error) {
	if err := onlyParameters(c, append(others, "after", "limit")...); err != nil {
		return 0, 0, err
	}
	if after, err = number(c, "after", 0, math.MaxInt64); err != nil {
		return 0, 0, err
	}
	n, err := number(c, "limit", defaultPage, maxDocketPage)
	return after, int(n), err
}

// maxDocketPage is the most watches or mandates on a page.
const maxDocketPage = 500

// removeWatch answers DELETE /watches/{id}.
func (s *server) removeWatch(c echo.Context) error {
	id, err := param(c, "id")
	if err != nil {
		return err
	}
	if err := s.Lookups.Unwatch(c.Request().Context(), callOf(c).key.Name, id); err != nil {
		return err
	}
	return c.JSON(http.StatusOK, Removed{ID: id})
}

// Removed tells what is not there any more.
type Removed struct {
	ID string `json:"id"`
}

// MandateRequest gives a mandate: leave for a broker to see what is for an importer. Importer is written as SCHEME:VALUE or NAME:..., Broker is the name
// of the broker's key. Days are in UTC; without From it begins today, without Until it has no end.
type MandateRequest struct {
	Importer string   `json:"importer"`
	Broker   string   `json:"broker"`
	From     eco.Date `json:"from,omitzero"`
	Until    eco.Date `json:"until,omitzero"`
	Note     string   `json:"note,omitempty"`
}

// MandatePage is a page of mandates, oldest first.
type MandatePage struct {
	Mandates []lookup.Mandate `json:"mandates"`
	// Next is as in WatchPage.
	Next uint64 `json:"next,omitempty"`
}

func giverOf(c echo.Context) lookup.Giver {
	return lookup.Giver{Reader: readerOf(c), Officer: callOf(c).key.Role == RoleOfficer}
}

// giveMandate answers POST /mandates.
func (s *server) giveMandate(c echo.Context) error {
	var in MandateRequest
	if err := readStrict(c.Request(), &in); err != nil {
		return err
	}
	importer, err := eco.ParsePartyName(in.Importer)
	if err != nil {
		return problem(CodeMalformed, "importer: "+err.Error())
	}
	if key, known := s.Keys.Named(in.Broker); !known || key.Role != RoleBroker {
		return problem(CodeInvalidMandate, fmt.Sprintf("there is no broker %q", in.Broker))
	}
	m, err := s.Lookups.Give(c.Request().Context(), giverOf(c), lookup.Mandate{Importer: importer, Broker: in.Broker, From: in.From, Until: in.Until, Note: in.Note})
	if err != nil {
		return s.auditRefused(c, "mandate.refused", string(importer)+" for "+in.Broker, err)
	}
	return c.JSON(http.StatusCreated, m)
}

// mandates answers GET /mandates: a broker's own, those of an importer's own parties, or all.
func (s *server) mandates(c echo.Context) error {
	after, limit, err := page(c, "broker", "importer")
	if err != nil {
		return err
	}
	q := lookup.MandateQuery{Broker: c.QueryParam("broker"), After: after, Limit: limit}
	if text := c.QueryParam("importer"); text != "" {
		if q.Importer, err = eco.ParsePartyName(text); err != nil {
			return problem(CodeParameter, "importer: "+err.Error())
		}
	}
	key := callOf(c).key
	switch key.Role {
	case RoleBroker:
		q.Broker = key.Name
	case RoleImporter:
		if q.Importer == "" && len(key.Parties) == 1 {
			q.Importer = key.Parties[0]
		}
		if !mayName(key, q.Importer) {
			return problem(CodeParameter, "importer has to be one of the key's parties")
		}
	}
	if err := s.audit(c, "mandates.read", c.QueryParams().Encode(), ""); err != nil {
		return err
	}
	list, next, err := s.Lookups.Mandates(c.Request().Context(), q)
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, MandatePage{list, next})
}

func mayName(key Key, party eco.PartyName) bool {
	for _, own := range key.Parties {
		if own == party {
			return true
		}
	}
	return false
}

// revokeMandate answers DELETE /mandates/{id}.
func (s *server) revokeMandate(c echo.Context) error {
	id, err := param(c, "id")
	if err != nil {
		return err
	}
	m, err := s.Lookups.Revoke(c.Request().Context(), giverOf(c), id)
	if err != nil {
		return s.auditRefused(c, "mandate.refused", id, err)
	}
	return c.JSON(http.StatusOK, m)
}

// AddWatch waits for a certificate.
func (c *Client) AddWatch(ctx context.Context, in WatchRequest) (w lookup.Watch, err error) {
	err = c.post(ctx, base+"/watches", in, &w)
	return w, err
}

// Watches lists the key's own watches; after is the Next of the page before, 0 for the first.
func (c *Client) Watches(ctx context.Context, after uint64) (p WatchPage, err error) {
	err = c.call(ctx, http.MethodGet, withQuery(base+"/watches", afterValues(after)), nil, &p)
	return p, err
}

func afterValues(after uint64) url.Values {
	v := make(url.Values)
	if after != 0 {
		v.Set("after", strconv.FormatUint(after, 10))
	}
	return v
}

// RemoveWatch removes a watch.
func (c *Client) RemoveWatch(ctx context.Context, id string) (r Removed, err error) {
	err = c.call(ctx, http.MethodDelete, base+"/watches/"+url.PathEscape(id), nil, &r)
	return r, err
}

// GiveMandate mandates a broker.
func (c *Client) GiveMandate(ctx context.Context, in MandateRequest) (m lookup.Mandate, err error) {
	err = c.post(ctx, base+"/mandates", in, &m)
	return m, err
}

// Mandates lists mandates of a broker or an importer, each "" for any that the key may see.
func (c *Client) Mandates(ctx context.Context, broker, importer string, after uint64) (p MandatePage, err error) {
	v := afterValues(after)
	set(v, "broker", broker)
	set(v, "importer", importer)
	err = c.call(ctx, http.MethodGet, withQuery(base+"/mandates", v), nil, &p)
	return p, err
}

// RevokeMandate takes a mandate back.
func (c *Client) RevokeMandate(ctx context.Context, id string) (m lookup.Mandate, err error) {
	err = c.call(ctx, http.MethodDelete, base+"/mandates/"+url.PathEscape(id), nil, &m)
	return m, err
}
