package api

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/ecogate/ecogate/exchange"
	"github.com/ecogate/ecogate/partners"
	"github.com/ecogate/ecogate/partners/revocation"
)

// How long a partner's answer is waited for, in seconds.
const (
	defaultWait = 30
	maxWait     = 120
)

// givenWhy, givenCPA and givenMessage are the bodies of one text that readText reads.
type (
	givenWhy struct {
		Why string `json:"why,omitempty"`
	}
	givenCPA struct {
		CPAID string `json:"cpa_id,omitempty"`
	}
	givenMessage struct {
		MessageID string `json:"message_id"`
	}
)

// partnerRoutes are the paths of partners and of what they are asked.
func (s *server) partnerRoutes() []route {
	watch, operate := []Role{RoleOfficer, RoleOperator}, []Role{RoleOperator}
	id := []parameter{pathText("id", "Id of the partner.")}
	status := []answer{answersJSON[exchange.PartnerStatus](http.StatusOK, "How the partner stands then.")}
	asked := []Code{CodeUnknownPartner, CodeUnknownCPA, CodeNoAgreement, CodeNotInForce, CodeNoAnswer}
	return []route{
		{
			method: http.MethodGet, path: base + "/partners", roles: watch, handle: s.partners,
			operation: operation{
				id: "listPartners", tag: tagPartners, summary: "The partners, and how deliveries to each stand",
				answers: []answer{answersJSON[[]exchange.PartnerStatus](http.StatusOK, "They, in the order of the configuration.")},
			},
		},
		{
			method: http.MethodGet, path: base + "/revocation", roles: watch, handle: s.revocation,
			operation: operation{
				id: "listRevocationSources", tag: tagCredentials, summary: "Where revocations are learned from, and how old what is known is",
				answers: []answer{answersJSON[[]revocation.SourceStatus](http.StatusOK, "The sources.")},
			},
		},
		{
			method: http.MethodPost, path: base + "/partners/{id}/pause", roles: operate, handle: s.pause,
			operation: operation{
				id: "pausePartner", tag: tagPartners, summary: "Holds back everything that goes to a partner", parameters: id,
				takes: takesJSON[givenWhy](), bodyOptional: true, answers: status, problems: []Code{CodeUnknownPartner, CodeFull},
			},
		},
		{
			method: http.MethodPost, path: base + "/partners/{id}/resume", roles: operate, handle: s.resume,
			operation: operation{
				id: "resumePartner", tag: tagPartners, summary: "Ends a pause", parameters: id, answers: status,
				problems: []Code{CodeUnknownPartner, CodeMalformed, CodeFull},
			},
		},
		{
			method: http.MethodPost, path: base + "/partners/{id}/ping", roles: operate, handle: s.ping,
			operation: operation{
				id: "pingPartner", tag: tagPartners, summary: "Sends an ebXML Ping and waits for the Pong", parameters: append(id, timeoutParameter()),
				takes: takesJSON[givenCPA](), bodyOptional: true, answers: []answer{answersJSON[exchange.Ping](http.StatusOK, "The Pong came.")}, problems: asked,
			},
		},
		{
			method: http.MethodPost, path: base + "/partners/{id}/message-status", roles: watch, handle: s.messageStatus,
			operation: operation{
				id: "askMessageStatus", tag: tagPartners, summary: "Asks a partner what became of a message", parameters: append(id, timeoutParameter()),
				takes: takesJSON[givenMessage](), answers: []answer{answersJSON[exchange.MessageStatus](http.StatusOK, "The partner's answer.")},
				problems: asked,
			},
		},
	}
}

// partners answers GET /partners.
func (s *server) partners(c echo.Context) error {
	if err := onlyParameters(c); err != nil {
		return err
	}
	if err := s.audit(c, "partners.listed", "", ""); err != nil {
		return err
	}
	list, err := s.Operator.Partners(c.Request().Context())
	if err != nil {
		return fmt.Errorf("listing partners: %w", err)
	}
	if list == nil {
		list = []exchange.PartnerStatus{}
	}
	return c.JSON(http.StatusOK, list)
}

// pause answers POST /partners/{id}/pause.
func (s *server) pause(c echo.Context) error {
	why, err := readText(c.Request(), "why")
	if err != nil {
		return err
	}
	return s.setPause(c, "partner.paused", why, func(ctx context.Context, actor, partner string) error {
		return s.Operator.Pause(ctx, actor, partner, why)
	})
}

// resume answers POST /partners/{id}/resume.
func (s *server) resume(c echo.Context) error {
	if c.Request().ContentLength != 0 {
		return problem(CodeMalformed, "this path takes no body")
	}
	return s.setPause(c, "partner.resumed", "", s.Operator.Resume)
}

// setPause does something about a pause and answers with how the partner stands then.
func (s *server) setPause(c echo.Context, event, detail string, do func(ctx context.Context, actor, partner string) error) error {
	id, err := partnerOf(c)
	if err != nil {
		return err
	}
	if err := do(c.Request().Context(), callOf(c).key.Name, id); err != nil {
		return err
	}
	s.tell(c, event, id, detail) // recorded by the node, with the pause
	list, err := s.Operator.Partners(c.Request().Context())
	if err != nil {
		return fmt.Errorf("reading how partner %s stands: %w", id, err)
	}
	i := slices.IndexFunc(list, func(p exchange.PartnerStatus) bool { return p.ID == id })
	if i < 0 { // a reload took it away meanwhile
		return fmt.Errorf("%w: %q", partners.ErrUnknownPartner, id)
	}
	return c.JSON(http.StatusOK, list[i])
}

// partnerOf reads the path's partner id and refuses query parameters other than those named.
func partnerOf(c echo.Context, parameters ...string) (string, error) {
	if err := onlyParameters(c, parameters...); err != nil {
		return "", err
	}
	return param(c, "id")
}

// ping answers POST /partners/{id}/ping. The node records who pinged.
func (s *server) ping(c echo.Context) error {
	cpaID, err := readText(c.Request(), "cpa_id")
	if err != nil {
		return err
	}
	id, err := s.wait(c)
	if err != nil {
		return err
	}
	s.tell(c, "partner.pinged", id, cpaID)
	p, err := s.Operator.Ping(c.Request().Context(), callOf(c).key.Name, id, cpaID)
	if err != nil {
		return fmt.Errorf("pinging %s: %w", id, err)
	}
	return c.JSON(http.StatusOK, p)
}

// messageStatus answers POST /partners/{id}/message-status. The node records who asked, this which message was asked about.
func (s *server) messageStatus(c echo.Context) error {
	messageID, err := readText(c.Request(), "message_id")
	if err != nil {
		return err
	}
	if messageID == "" {
		return problem(CodeMalformed, `member "message_id" is required`)
	}
	id, err := s.wait(c)
	if err != nil {
		return err
	}
	if err := s.audit(c, "message.status_asked", messageID, "of "+id); err != nil {
		return err
	}
	status, err := s.Operator.AskStatus(c.Request().Context(), callOf(c).key.Name, id, messageID)
	if err != nil {
		return fmt.Errorf("asking %s about message %q: %w", id, messageID, err)
	}
	return c.JSON(http.StatusOK, status)
}

// wait reads which partner is asked, and bounds the request by the parameter timeout.
func (s *server) wait(c echo.Context) (partner string, err error) {
	partner, err = partnerOf(c, "timeout")
	if err != nil {
		return "", err
	}
	seconds, err := number(c, "timeout", defaultWait, maxWait)
	if err != nil {
		return "", err
	}
	s.extend(c, time.Duration(seconds)*time.Second)
	return partner, nil
}
