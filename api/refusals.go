package api

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/ecogate/ecogate/clearance"
	"github.com/ecogate/ecogate/eco"
	"github.com/ecogate/ecogate/exchange"
)

// Happenings reads the audit log; a clearance.Store is one.
type Happenings interface {
	Happenings(ctx context.Context, after uint64, limit int) ([]clearance.Happening, error)
}

// Refusal tells an issuing body that a partner refused one of its certificates, denied or suspended the preference, or asks for a
// verification.
type Refusal struct {
	// Seq is the number of the entry of the audit log that tells of it; they rise.
	Seq uint64    `json:"seq"`
	At  time.Time `json:"at"`
	// Event is what happened: one of exchange.RefusalEvents.
	Event string `json:"event"`
	// Actor is the partner, or "node" where the partner said nothing.
	Actor string `json:"actor"`
	// Key is the certificate's.
	Key string `json:"key"`
	eco.Refusal
}

// RefusalPage is a part of the refusals, oldest first.
type RefusalPage struct {
	Refusals []Refusal `json:"refusals"`
	// Next is the number after which to go on: now if More, later if not.
	Next uint64 `json:"next"`
	More bool   `json:"more"`
}

// scannedEntries is how many entries of the audit log one request looks at.
const scannedEntries = 5000

// refusalRoutes are the paths of what partners refused.
func (s *server) refusalRoutes() []route {
	return []route{{
		method: http.MethodGet, path: base + "/refusals", roles: []Role{RoleIssuer, RoleOfficer, RoleOperator}, handle: s.refusals, absent: s.Happenings == nil,
		operation: operation{
			id: "listRefusals", tag: tagBusiness, summary: "What partners refused, denied, suspended or ask about, oldest first",
			parameters: []parameter{
				queryNumber("after", "Only what has a greater number, such as next of an answer.", 0, 0),
				query[string]("body", "Only what is about certificates of the issuing body with this id."),
			},
			answers: []answer{answersJSON[RefusalPage](http.StatusOK, "They, as far as one request looks.")},
		},
	}}
}

// refusals answers GET /refusals.
func (s *server) refusals(c echo.Context) error {
	if err := onlyParameters(c, "after", "body"); err != nil {
		return err
	}
	page := RefusalPage{Refusals: []Refusal{}}
	if text := c.QueryParam("after"); text != "" {
		after, err := strconv.ParseUint(text, 10, 64)
		if err != nil {
			return problem(CodeParameter, fmt.Sprintf("after %q is no number of an entry", text))
		}
		page.Next = after
	}
	if err := s.audit(c, "refusals.listed", c.QueryString(), ""); err != nil {
		return err
	}
	entries, err := s.Happenings.Happenings(c.Request().Context(), page.Next, scannedEntries)
	if err != nil {
		return fmt.Errorf("reading refusals: %w", err)
	}
	page.More = len(entries) == scannedEntries
	for _, e := range entries {
		page.Next = e.Seq
		refusal, is := eco.ParseRefusal(e.Detail)
		if body := c.QueryParam("body"); is && slices.Contains(exchange.RefusalEvents(), e.Event) && (body == "" || body == refusal.Body) {
			page.Refusals = append(page.Refusals, Refusal{Seq: e.Seq, At: e.At.UTC(), Event: e.Event, Actor: e.Actor, Key: e.Subject, Refusal: refusal})
		}
	}
	return c.JSON(http.StatusOK, page)
}

// Refusals are those after a number, of one issuing body or of all.
func (c *Client) Refusals(ctx context.Context, after uint64, body string) (page RefusalPage, err error) {
	query := url.Values{"after": {strconv.FormatUint(after, 10)}}
	if body != "" {
		query.Set("body", body)
	}
	err = c.call(ctx, http.MethodGet, base+"/refusals?"+query.Encode(), nil, &page)
	return page, err
}
