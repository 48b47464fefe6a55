package api

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/ecogate/ecogate/exchange"
)

// MessagePage is one page of message records, newest first.
type MessagePage struct {
	Messages []exchange.Message `json:"messages"`
	// Next is the value of "before" that gives the next page; 0 when there is none.
	Next uint64 `json:"next,omitempty"`
}

// The number of messages on a page.
const (
	defaultPage = 100
	maxPage     = 500
)

// messageKinds and messageStates are what the filters of the list of messages take.
func messageKinds() []exchange.Kind {
	return []exchange.Kind{
		exchange.KindCertificate, exchange.KindAcknowledgment, exchange.KindError, exchange.KindAnswer,
		exchange.KindCancellation, exchange.KindResponse, exchange.KindCertificateRequest, exchange.KindCertificateReport,
		exchange.KindVerificationRequest, exchange.KindVerificationReply, exchange.KindAnnouncement, exchange.KindAnnouncementAnswer,
		exchange.KindPing, exchange.KindPong, exchange.KindStatusRequest, exchange.KindStatusResponse, exchange.KindUnknown,
	}
}

func messageStates() []exchange.State {
	return []exchange.State{
		exchange.StateQueued, exchange.StateSending, exchange.StateAwaiting, exchange.StateDelivered,
		exchange.StateFailed, exchange.StateExpired, exchange.StateCancelled, exchange.StateReceived, exchange.StateAccepted, exchange.StateQuarantined,
	}
}

// messageRoutes are the paths of message records.
func (s *server) messageRoutes() []route {
	roles := []Role{RoleOfficer, RoleOperator}
	id := pathText("id", "Number of a record, or a MessageId.")
	return []route{
		{
			method: http.MethodGet, path: base + "/messages", roles: roles, handle: s.messages,
			operation: operation{
				id: "listMessages", tag: tagMessages, summary: "Message records, newest first",
				parameters: []parameter{
					query[string]("partner", "Id of a partner."),
					query[string]("message_id", "A MessageId."),
					query[string]("ref_to_message_id", "A MessageId that was referred to."),
					query[exchange.Direction]("direction", "Which way; both without it."),
					query[exchange.Kind]("kind", "What the message carries."),
					query[exchange.State]("state", "Where it stands."),
					queryNumber("limit", "Records on a page; 100 without it.", 1, maxPage),
					queryNumber("before", "Only records with a lower number: next of the page before.", 1, 0),
				},
				answers: []answer{answersJSON[MessagePage](http.StatusOK, "A page.")},
			},
		},
		{
			method: http.MethodGet, path: base + "/messages/{id}", roles: roles, handle: s.message,
			operation: operation{
				id: "readMessage", tag: tagMessages, summary: "A message record", parameters: []parameter{id},
				answers: []answer{answersJSON[exchange.Message](http.StatusOK, "The record.")}, problems: []Code{CodeNotFound},
			},
		},
		{
			method: http.MethodGet, path: base + "/messages/{id}/raw", roles: roles, handle: s.rawMessage,
			operation: operation{
				id: "readRawMessage", tag: tagMessages, summary: "The body of the HTTP request as it travelled, under its own media type",
				parameters: append([]parameter{id}, downloadHeaders()...), answers: downloads("*/*", "The octets."),
				problems: []Code{CodeNotFound, CodeDropped, CodeDamaged},
			},
		},
		{
			method: http.MethodGet, path: base + "/messages/{id}/parts", roles: roles, handle: s.parts,
			operation: operation{
				id: "listParts", tag: tagMessages, summary: "The payloads of a message", parameters: []parameter{id},
				answers:  []answer{answersJSON[[]exchange.Part](http.StatusOK, "They, in their order.")},
				problems: []Code{CodeNotFound, CodeUnreadable, CodeDropped, CodeDamaged},
			},
		},
		{
			method: http.MethodGet, path: base + "/messages/{id}/parts/{n}", roles: roles, handle: s.part,
			operation: operation{
				id: "readPart", tag: tagMessages, summary: "The octets of a payload, under its own media type",
				parameters: append([]parameter{id, pathNumber("n", "Its place, from 1.")}, downloadHeaders()...), answers: downloads("*/*", "The octets."),
				problems: []Code{CodeNotFound, CodeUnreadable, CodeDropped, CodeDamaged},
			},
		},
	}
}

// messages answers GET /messages. Filters: partner, message_id, ref_to_message_id, direction, kind, state; paging: limit, before.
func (s *server) messages(c echo.Context) error {
	query, err := messageQuery(c)
	if err != nil {
		return err
	}
	page := query.Limit
	query.Limit++ // one more tells whether there is a next page
	if err := s.audit(c, "messages.listed", c.QueryString(), ""); err != nil {
		return err
	}
	found, err := s.Store.Messages(c.Request().Context(), query)
	if err != nil {
		return fmt.Errorf("listing messages: %w", err)
	}
	answer := MessagePage{Messages: found}
	if len(found) > page {
		answer.Messages = found[:page]
		answer.Next = found[page-1].Seq
	}
	for i, m := range answer.Messages {
		answer.Messages[i] = s.withRevocations(m)
	}
	if answer.Messages == nil {
		answer.Messages = []exchange.Message{}
	}
	return c.JSON(http.StatusOK, answer)
}

// messageQuery reads the filters. A value that matches nothing by construction is an error, so that a typo does not look like calm.
func messageQuery(c echo.Context) (q exchange.MessageQuery, err error) {
	if err := onlyParameters(c, "partner", "message_id", "ref_to_message_id", "direction", "kind", "state", "limit", "before"); err != nil {
		return q, err
	}
	q.Partner = c.QueryParam("partner")
	q.MessageID = c.QueryParam("message_id")
	q.RefToMessageID = c.QueryParam("ref_to_message_id")
	if q.Direction, err = oneOf(c, "direction", exchange.Inbound, exchange.Outbound); err != nil {
		return q, err
	}
	if q.Kind, err = oneOf(c, "kind", messageKinds()...); err != nil {
		return q, err
	}
	if q.State, err = oneOf(c, "state", messageStates()...); err != nil {
		return q, err
	}
	limit, err := number(c, "limit", defaultPage, maxPage)
	if err != nil {
		return q, err
	}
	q.Limit = int(limit)
	q.Before, err = number(c, "before", 0, 1<<63)
	return q, err
}

// onlyParameters refuses a query parameter that has none of these names.
func onlyParameters(c echo.Context, names ...string) error {
	for name := range c.QueryParams() {
		if !slices.Contains(names, name) {
			return problem(CodeParameter, fmt.Sprintf("there is no parameter %q", name))
		}
	}
	return nil
}

// number reads an optional query parameter from 1 to most.
func number(c echo.Context, name string, absent, most uint64) (uint64, error) {
	given := c.QueryParam(name)
	if given == "" {
		return absent, nil
	}
	n, err := strconv.ParseUint(given, 10, 64)
	if err != nil || n == 0 || n > most {
		return 0, problem(CodeParameter, fmt.Sprintf("%s %q is not a number from 1 to %d", name, given, most))
	}
	return n, nil
}

// message answers GET /messages/{id}.
func (s *server) message(c echo.Context) error {
	m, err := s.findMessage(c, "message.read", "")
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, s.withRevocations(m))
}

// rawMessage answers GET /messages/{id}/raw with the HTTP entity body as it travelled, under the media type that it had.
func (s *server) rawMessage(c echo.Context) error {
	m, err := s.findMessage(c, "message.raw_read", "")
	if err != nil {
		return err
	}
	if m.Raw.Digest == "" {
		return problem(CodeNotFound, nothingKept)
	}
	mediaType := m.ContentType
	if mediaType == "" {
		mediaType = echo.MIMEOctetStream
	}
	return s.serveRaw(c, m.Raw, mediaType, fmt.Sprintf("message-%d.%s", m.Seq, extension(mediaType)))
}

// extension names a file so that mail and XML readers open it.
func extension(mediaType string) string {
	if strings.HasPrefix(strings.ToLower(mediaType), "multipart/") {
		return "mime"
	}
	return "xml"
}

// findMessage finds the message that the path names, and audits that it was read.
func (s *server) findMessage(c echo.Context, event, detail string) (exchange.Message, error) {
	if err := onlyParameters(c); err != nil {
		return exchange.Message{}, err
	}
	id, err := param(c, "id")
	if err != nil {
		return exchange.Message{}, err
	}
	if err := s.audit(c, event, id, detail); err != nil {
		return exchange.Message{}, err
	}
	m, found, err := s.messageByID(c.Request().Context(), id)
	if err != nil {
		return exchange.Message{}, fmt.Errorf("finding message %s: %w", id, err)
	}
	if !found {
		return exchange.Message{}, problem(CodeNotFound, "no message with this id")
	}
	return m, nil
}

// messageByID takes a record's number or a MessageId. A MessageId may have come more than once; then the record that was
// not quarantined counts, and without one the newest.
func (s *server) messageByID(ctx context.Context, id string) (exchange.Message, bool, error) {
	if id == "" {
		return exchange.Message{}, false, nil
	}
	// One query each, because anybody can fill an answer with quarantined messages under an id.
	queries := []exchange.MessageQuery{
		{MessageID: id, Direction: exchange.Outbound, Limit: 1},
		{MessageID: id, State: exchange.StateAccepted, Limit: 1},
		{MessageID: id, State: exchange.StateReceived, Limit: 1},
		{MessageID: id, Limit: 1},
	}
	if seq, err := strconv.ParseUint(id, 10, 64); err == nil && seq != 0 {
		queries = []exchange.MessageQuery{{Seq: seq}}
	}
	for _, query := range queries {
		found, err := s.Store.Messages(ctx, query)
		if err != nil {
			return exchange.Message{}, false, err
		}
		if len(found) > 0 {
			return found[0], true, nil
		}
	}
	return exchange.Message{}, false, nil
}
