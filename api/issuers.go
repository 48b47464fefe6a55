package api

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/ecogate/ecogate/eco"
	"github.com/ecogate/ecogate/exchange"
	"github.com/ecogate/ecogate/partners"
	"github.com/ecogate/ecogate/partners/issuerlist"
)

// IssuerDesk takes partners' lists of issuers and tells what stands there; issuerlist.Desk is one. What it changes, its store audits.
type IssuerDesk interface {
	Take(ctx context.Context, e partners.Edit, partner string, file []byte) (issuerlist.Report, partners.Entry, error)
	Issuers(partner string) (issuerlist.Issuers, error)
	Issue(o issuerlist.Order) (issuerlist.Issued, error)
}

// TakenIssuerList is the answer to a list of issuers.
type TakenIssuerList struct {
	issuerlist.Report
	// Version is that of the partner's entry in the registry which has the list, or would have it.
	Version uint64 `json:"version"`
	// DryRun: nothing was changed.
	DryRun bool `json:"dry_run,omitempty"`
	// Proposal is there while the list waits for another operator.
	Proposal *partners.Proposal `json:"proposal,omitempty"`
}

// mediaTypesOfLists are those of a list that is signed in XML and of one in CMS (RFC 8551 §3.2.1), and one for files of which nothing is known.
var mediaTypesOfLists = []string{echo.MIMEApplicationXML, "application/pkcs7-mime", echo.MIMEOctetStream}

// issuerRoutes are the paths of issuing bodies, and of certificates whose issuer is in doubt.
func (s *server) issuerRoutes() []route {
	watch, operate := []Role{RoleOfficer, RoleOperator}, []Role{RoleOperator}
	partner := pathText("id", "Id of the partner.")
	lists := []body{}
	for _, media := range mediaTypesOfLists {
		lists = append(lists, body{media: media})
	}
	return []route{
		{
			method: http.MethodGet, path: base + "/partners/{id}/issuers", roles: watch, handle: s.issuers, absent: s.Issuers == nil,
			operation: operation{
				id: "listIssuers", tag: tagIssuers, summary: "The bodies that may issue a partner's certificates", parameters: []parameter{partner},
				answers: []answer{answersJSON[issuerlist.Issuers](http.StatusOK, "As the node knows them now.")}, problems: []Code{CodeUnknownPartner},
			},
		},
		{
			method: http.MethodPost, path: base + "/partners/{id}/issuer-list", roles: operate, handle: s.takeIssuers, absent: s.Issuers == nil,
			operation: operation{
				id: "takeIssuerList", tag: tagIssuers, summary: "Takes a partner's signed list of issuers", parameters: append([]parameter{partner}, changeParameters()...),
				takes: lists,
				answers: []answer{
					answersJSON[TakenIssuerList](http.StatusOK, "It was taken, or with dry_run would be."),
					answersJSON[TakenIssuerList](http.StatusAccepted, "It waits for a second operator."),
				},
				problems: []Code{CodeUnknownPartner, CodeListRefused, CodeInvalidEntry, CodeManyProposals, CodeStale, CodeFull},
			},
		},
		{
			method: http.MethodGet, path: base + "/issuer-list", roles: operate, handle: s.issueList, absent: s.Issuers == nil,
			operation: operation{
				id: "issueIssuerList", tag: tagIssuers, summary: "Makes and signs the list of the node's own issuers",
				parameters: []parameter{
					queryNumber("number", "Number of the list, above that of the last; the seconds since 1970 without it.", 1, maxListNumber),
					query[time.Time]("valid_from", "From when it holds; now without it."),
					queryNumber("next_update", "Seconds from then within which the next list will come.", 1, maxOverlap),
					query[bool]("cms", "Signed with CMS in place of XML-DSig."),
				},
				answers: []answer{answersJSON[issuerlist.Issued](http.StatusOK, "The list.")}, problems: []Code{CodeNotNow},
			},
		},
		{
			method: http.MethodGet, path: base + "/holds", roles: watch, handle: s.holds,
			operation: operation{
				id: "listHolds", tag: tagIssuers, summary: "The imported certificates whose office or signatory is not on the list of issuers",
				answers: []answer{answersJSON[[]Held](http.StatusOK, "They, newest first, 500 at most.")},
			},
		},
		{
			method: http.MethodPost, path: base + "/releases", roles: watch, handle: s.release,
			operation: operation{
				id: "releaseCertificate", tag: tagIssuers, summary: "Lets a certificate go on that is on hold", takes: takesJSON[ReleaseRequest](),
				answers:  []answer{answersJSON[Held](http.StatusOK, "The certificate as it stands since.")},
				problems: []Code{CodeNotFound, CodeAmbiguous, CodeNotOnHold, CodeChanged, CodeIllegalMove, CodeFull},
			},
		},
	}
}

// issuers answers GET /partners/{id}/issuers.
func (s *server) issuers(c echo.Context) error {
	id, err := partnerOf(c)
	if err != nil {
		return err
	}
	if err := s.audit(c, "partner.issuers_read", id, ""); err != nil {
		return err
	}
	list, err := s.Issuers.Issuers(id)
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, list)
}

// issueList answers GET /issuer-list. Parameters: number, valid_from, next_update, cms.
func (s *server) issueList(c echo.Context) error {
	if err := onlyParameters(c, "number", "valid_from", "next_update", "cms"); err != nil {
		return err
	}
	o, err := orderOf(c)
	if err != nil {
		return err
	}
	list, err := s.Issuers.Issue(o)
	switch {
	case errors.Is(err, partners.ErrNoKey):
		return problem(CodeNotNow, err.Error())
	case errors.Is(err, issuerlist.ErrDocument):
		return problem(CodeParameter, err.Error())
	case err != nil:
		return fmt.Errorf("list of issuers: %w", err)
	}
	if err := s.audit(c, "issuer_list.issued", fmt.Sprint(list.Number), "by "+list.Signer); err != nil {
		return err
	}
	return c.JSON(http.StatusOK, list)
}

// maxListNumber bounds the number of a list: milliseconds since 1970 fit for a while.
const maxListNumber = math.MaxInt32 * 1000

func orderOf(c echo.Context) (o issuerlist.Order, err error) {
	count, err := number(c, "number", 0, maxListNumber)
	if err != nil {
		return o, err
	}
	seconds, err := number(c, "next_update", 0, maxOverlap)
	if err != nil {
		return o, err
	}
	o.Number, o.NextUpdate = int(count), time.Duration(seconds)*time.Second
	if text := c.QueryParam("valid_from"); text != "" {
		if o.ValidFrom, err = time.Parse(time.RFC3339, text); err != nil {
			return o, problem(CodeParameter, fmt.Sprintf("valid_from %.80q is not an instant such as 2026-12-01T00:00:00Z", text))
		}
		o.ValidFrom = o.ValidFrom.UTC().Truncate(time.Second)
	}
	o.CMS, err = flag(c, "cms")
	return o, err
}

// IssuerList has the node make and sign the list of its own issuers, as it has them now.
func (c *Client) IssuerList(ctx context.Context, o issuerlist.Order) (list issuerlist.Issued, err error) {
	query := make(url.Values)
	if o.Number != 0 {
		query.Set("number", strconv.Itoa(o.Number))
	}
	if !o.ValidFrom.IsZero() {
		query.Set("valid_from", o.ValidFrom.UTC().Format(time.RFC3339))
	}
	if o.NextUpdate != 0 {
		query.Set("next_update", strconv.FormatInt(int64(o.NextUpdate/time.Second), 10))
	}
	if o.CMS {
		query.Set("cms", "true")
	}
	err = c.call(ctx, http.MethodGet, withQuery(base+"/issuer-list", query), nil, &list)
	return list, err
}

// takeIssuers answers POST /partners/{id}/issuer-list. What is refused, and what was only tried, is audited here; what is changed, by the
// store with the change.
func (s *server) takeIssuers(c echo.Context) error {
	id, err := partnerOf(c, "dry_run", "why")
	if err != nil {
		return err
	}
	e := partners.Edit{By: callOf(c).key.Name, Why: c.QueryParam("why")}
	if e.DryRun, err = flag(c, "dry_run"); err != nil {
		return err
	}
	if len(e.Why) > maxGiven || !printable(e.Why) {
		return problem(CodeParameter, fmt.Sprintf("why is one line of at most %d octets that can be printed", maxGiven))
	}
	mediaType, _, err := mime.ParseMediaType(c.Request().Header.Get(echo.HeaderContentType))
	if err != nil || !slices.Contains(mediaTypesOfLists, mediaType) {
		return problem(CodeMediaType, fmt.Sprintf("want one of %q", mediaTypesOfLists))
	}
	file, err := io.ReadAll(c.Request().Body)
	if err != nil {
		return bodyProblem("", err)
	}
	if e.DryRun {
		if err := s.audit(c, "partner.issuer_list_tried", id, e.Why); err != nil {
			return err
		}
	}
	report, entry, err := s.Issuers.Take(c.Request().Context(), e, id, file)
	var waits *partners.Proposed
	if errors.As(err, &waits) {
		p := waits.Proposal
		s.tell(c, p.Event(), p.Subject(), p.Detail()) // recorded by the store, with the proposal
		p.Entry.Text = ""
		return c.JSON(http.StatusAccepted, TakenIssuerList{Report: report, Version: p.Entry.Version, Proposal: &p})
	}
	if err != nil {
		return s.refusedChange(c, string(partners.KindPartner)+".change_refused", id, err)
	}
	if !e.DryRun {
		s.tell(c, entry.Event(), id, entry.Detail()) // recorded by the store, with the change
	}
	return c.JSON(http.StatusOK, TakenIssuerList{Report: report, Version: entry.Version, DryRun: e.DryRun})
}

// ReleaseRequest is the body of POST /releases.
type ReleaseRequest struct {
	Named
	// Why is for the audit log: how the officer knows that the office or signatory may issue. Required.
	Why string `json:"why"`
}

// Held is a certificate whose office or signatory is not on the list of issuers.
type Held struct {
	Seq       uint64                    `json:"seq"`
	Key       exchange.CertificateKey   `json:"key"`
	Reference string                    `json:"reference"`
	State     exchange.CertificateState `json:"state"`
	Partner   string                    `json:"partner"`
	MessageID string                    `json:"message_id"`
	Body      string                    `json:"issuing_body"`
	Office    string                    `json:"office,omitempty"`
	Signatory string                    `json:"signatory,omitempty"`
	// Findings say what is not on the list.
	Findings []eco.Finding `json:"findings,omitempty"`
}

func held(c exchange.Certificate) Held {
	h := Held{
		Seq: c.Seq, Key: c.Key, Reference: c.Data.Reference, State: c.State, Partner: c.Partner, MessageID: c.Message,
		Body: c.Data.IssuingBody.ID, Office: c.Data.IssuingBody.Office, Signatory: c.Data.Certification.Officer,
	}
	for _, f := range c.Findings {
		if f.Code == eco.CodeIssuingBody || f.Code == eco.ReasonSigner {
			h.Findings = append(h.Findings, f)
		}
	}
	return h
}

// holds answers GET /holds.
func (s *server) holds(c echo.Context) error {
	if err := onlyParameters(c); err != nil {
		return err
	}
	if err := s.audit(c, "holds.listed", "", ""); err != nil {
		return err
	}
	found, err := s.Store.Certificates(c.Request().Context(), exchange.CertificateQuery{OnHold: true, Direction: exchange.Inbound, Limit: maxPage})
	if err != nil {
		return fmt.Errorf("finding certificates on hold: %w", err)
	}
	list := []Held{}
	for _, certificate := range found {
		list = append(list, held(certificate))
	}
	return c.JSON(http.StatusOK, list)
}

// release answers POST /releases. The node records who released what.
func (s *server) release(c echo.Context) error {
	var in ReleaseRequest
	actor, n, err := named(c, &in, func(in *ReleaseRequest) Named { return in.Named })
	if err != nil {
		return err
	}
	if in.Why == "" || len(in.Why) > maxGiven || !printable(in.Why) {
		return problem(CodeMalformed, fmt.Sprintf(`member "why" is required: one line of at most %d octets that can be printed`, maxGiven))
	}
	released, err := s.Dealer.Release(c.Request().Context(), actor, n.query(), in.Why)
	if err != nil {
		return s.auditRefusal(c, n.Reference, fmt.Errorf("certificate %s: %w", n.Reference, err))
	}
	s.tell(c, "certificate.released", released.Key.String(), in.Why)
	return c.JSON(http.StatusOK, held(released))
}

// Issuers tells which issuing bodies a partner has.
func (c *Client) Issuers(ctx context.Context, partner string) (list issuerlist.Issuers, err error) {
	err = c.call(ctx, http.MethodGet, partnerPath(partner)+"/issuers", nil, &list)
	return list, err
}

// TakeIssuerList has the node take a partner's signed list of issuers or, with change.DryRun, say what that would change. A list is taken
// whatever version the partner has; change.Version and New play no part.
func (c *Client) TakeIssuerList(ctx context.Context, partner string, file []byte, change Change) (taken TakenIssuerList, err error) {
	body := &requestBody{contentType: echo.MIMEOctetStream, pieces: []exchange.Content{bytes.NewReader(file)}}
	err = c.call(ctx, http.MethodPost, withQuery(partnerPath(partner)+"/issuer-list", change.query()), body, &taken)
	return taken, err
}

// Holds lists the certificates whose office or signatory is not on the list of issuers.
func (c *Client) Holds(ctx context.Context) (list []Held, err error) {
	err = c.call(ctx, http.MethodGet, base+"/holds", nil, &list)
	return list, err
}

// Release lets a certificate go on whose office or signatory is not on the list of issuers.
func (c *Client) Release(ctx context.Context, in ReleaseRequest) (released Held, err error) {
	err = c.post(ctx, base+"/releases", in, &released)
	return released, err
}
