package api

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"

	"github.com/labstack/echo/v4"

	"github.com/ecogate/ecogate/exchange"
	"github.com/ecogate/ecogate/partners/announcement"
)

// Announcer tells partners of the node's next credentials and takes what they tell of theirs; *exchange.Node is one. What it sends, it
// audits itself.
type Announcer interface {
	Announce(ctx context.Context, actor, partner string) (exchange.Announced, error)
	AnnouncementFile() ([]byte, announcement.Summary, error)
	TakeAnnouncement(ctx context.Context, actor, partner string, file []byte, dryRun bool) (exchange.Taken, error)
	Trials() []exchange.Trial
}

// cmsMediaType is that of CMS SignedData with its content inside (RFC 8551 §3.2).
const cmsMediaType = "application/pkcs7-mime"

// announcementRoutes are the paths of telling partners of new credentials, and of being told.
func (s *server) announcementRoutes() []route {
	operate, partner := []Role{RoleOperator}, pathText("id", "Id of the partner.")
	absent := s.Announcer == nil
	return []route{
		{
			method: http.MethodPost, path: base + "/partners/{id}/announcements", roles: operate, handle: s.announce, absent: absent,
			operation: operation{
				id: "announceCredentials", tag: tagCredentials, summary: "Announces the node's next credentials to a partner in a message", parameters: []parameter{partner},
				answers:  []answer{answersJSON[exchange.Announced](http.StatusCreated, "The message that was queued.")},
				problems: []Code{CodeMalformed, CodeUnknownPartner, CodeNothing, CodeNotAgreed, CodeNoAgreement, CodeNotInForce, CodeFull},
			},
		},
		{
			method: http.MethodPost, path: base + "/partners/{id}/announced", roles: operate, handle: s.takeAnnouncement, absent: absent,
			operation: operation{
				id: "takeAnnouncement", tag: tagCredentials, summary: "Takes a partner's announcement of its next credentials from a file",
				parameters: []parameter{partner, query[bool]("dry_run", "Changes nothing.")}, takes: []body{{media: cmsMediaType}},
				answers:  []answer{answersJSON[exchange.Taken](http.StatusOK, "What became of each credential.")},
				problems: []Code{CodeUnknownPartner, CodeAnnouncement, CodeInvalidEntry, CodeStale, CodeManyProposals, CodeFull},
			},
		},
		{
			method: http.MethodGet, path: base + "/announcement", roles: operate, handle: s.announcementFile, absent: absent,
			operation: operation{
				id: "announcementFile", tag: tagCredentials, summary: "The announcement of the node's next credentials as a signed file",
				answers: []answer{{status: http.StatusOK, about: "CMS SignedData in DER.", media: cmsMediaType}}, problems: []Code{CodeNothing},
			},
		},
		{
			method: http.MethodGet, path: base + "/trials", roles: []Role{RoleOfficer, RoleOperator}, handle: s.trials, absent: absent,
			operation: operation{
				id: "listTrials", tag: tagCredentials, summary: "How partners' staged credentials did on the second signatures of their messages",
				answers: []answer{answersJSON[[]exchange.Trial](http.StatusOK, "Since the node started.")},
			},
		},
	}
}

// announce answers POST /partners/{id}/announcements. The node records who announced.
func (s *server) announce(c echo.Context) error {
	if c.Request().ContentLength != 0 {
		return problem(CodeMalformed, "this path takes no body")
	}
	id, err := partnerOf(c)
	if err != nil {
		return err
	}
	s.tell(c, "credentials.announced", id, "")
	sent, err := s.Announcer.Announce(c.Request().Context(), callOf(c).key.Name, id)
	if err != nil {
		return fmt.Errorf("announcing to %s: %w", id, err)
	}
	return c.JSON(http.StatusCreated, sent)
}

// announcementFile answers GET /announcement.
func (s *server) announcementFile(c echo.Context) error {
	if err := onlyParameters(c); err != nil {
		return err
	}
	file, summary, err := s.Announcer.AnnouncementFile()
	if err != nil {
		return fmt.Errorf("announcement: %w", err)
	}
	if err := s.audit(c, "credentials.announced", "file", fmt.Sprintf("number %d, %d credentials", summary.Number, len(summary.Credentials))); err != nil {
		return err
	}
	return c.Blob(http.StatusOK, cmsMediaType, file)
}

// takeAnnouncement answers POST /partners/{id}/announced.
func (s *server) takeAnnouncement(c echo.Context) error {
	id, err := partnerOf(c, "dry_run")
	if err != nil {
		return err
	}
	dryRun, err := oneOf(c, "dry_run", "true", "false")
	if err != nil {
		return err
	}
	if mediaType := c.Request().Header.Get(echo.HeaderContentType); mediaType != cmsMediaType {
		return problem(CodeMediaType, fmt.Sprintf("want %s, found %q", cmsMediaType, mediaType))
	}
	file, err := io.ReadAll(c.Request().Body)
	if err != nil {
		return bodyProblem("", err)
	}
	// Before it is done: what changes trust leaves a record, or is not done.
	event := "credentials.announcement_taken"
	if dryRun == "true" {
		event = "credentials.announcement_examined"
	}
	if err := s.audit(c, event, id, fmt.Sprintf("file of %d bytes", len(file))); err != nil {
		return err
	}
	taken, err := s.Announcer.TakeAnnouncement(c.Request().Context(), callOf(c).key.Name, id, file, dryRun == "true")
	if err != nil {
		return fmt.Errorf("announcement of %s: %w", id, err)
	}
	if taken.Outcomes == nil {
		taken.Outcomes = []announcement.Outcome{}
	}
	return c.JSON(http.StatusOK, taken)
}

// trials answers GET /trials.
func (s *server) trials(c echo.Context) error {
	if err := onlyParameters(c); err != nil {
		return err
	}
	if err := s.audit(c, "credentials.trials_read", "", ""); err != nil {
		return err
	}
	return c.JSON(http.StatusOK, s.Announcer.Trials())
}

// Announce tells a partner of the node's own next credentials in a message. Errors are those of exchange.Node.Announce as problems.
func (c *Client) Announce(ctx context.Context, partner string) (sent exchange.Announced, err error) {
	err = c.call(ctx, http.MethodPost, base+"/partners/"+url.PathEscape(partner)+"/announcements", nil, &sent)
	return sent, err
}

// AnnouncementFile fetches the announcement of the node's own next credentials as a signed file (CMS in DER).
func (c *Client) AnnouncementFile(ctx context.Context) ([]byte, error) {
	_, file, err := c.do(ctx, http.MethodGet, base+"/announcement", nil)
	if err == nil && len(file) == 0 {
		err = errors.New("the node's answer has no body")
	}
	return file, err
}

// TakeAnnouncement hands the node a partner's announcement in a file, which it judges and, unless it is a dry run, may stage.
func (c *Client) TakeAnnouncement(ctx context.Context, partner string, file []byte, dryRun bool) (taken exchange.Taken, err error) {
	body := &requestBody{contentType: cmsMediaType, pieces: []exchange.Content{bytes.NewReader(file)}}
	query := make(url.Values)
	if dryRun {
		query.Set("dry_run", "true")
	}
	err = c.call(ctx, http.MethodPost, withQuery(base+"/partners/"+url.PathEscape(partner)+"/announced", query), body, &taken)
	return taken, err
}

// Trials tells how partners' next credentials did on the second signatures of their messages, since the node started.
func (c *Client) Trials(ctx context.Context) (list []exchange.Trial, err error) {
	err = c.call(ctx, http.MethodGet, base+"/trials", nil, &list)
	return list, err
}
