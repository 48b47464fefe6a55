package api

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"

	"github.com/labstack/echo/v4"

	"github.com/ecogate/ecogate/exchange"
)

// parts answers GET /messages/{id}/parts.
func (s *server) parts(c echo.Context) error {
	_, parts, err := s.openParts(c, "message.parts_listed", "")
	if err != nil {
		return err
	}
	defer parts.Close()
	list := parts.List
	if list == nil {
		list = []exchange.Part{}
	}
	return c.JSON(http.StatusOK, list)
}

// part answers GET /messages/{id}/parts/{n} with the octets of the n-th payload, counted from 1. A partner wrote them: they are
// for download only.
func (s *server) part(c echo.Context) error {
	text, err := param(c, "n")
	if err != nil {
		return err
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		return problem(CodeNotFound, "parts are counted from 1")
	}
	m, parts, err := s.openParts(c, "message.part_read", fmt.Sprintf("part %d", n))
	if err != nil {
		return err
	}
	defer parts.Close()
	if n > len(parts.List) {
		return problem(CodeNotFound, fmt.Sprintf("the number of the message's last part is %d", len(parts.List)))
	}
	p := parts.List[n-1]
	d := download{content: p.Content, mediaType: p.ContentType, name: baseName(p.Name), tag: fmt.Sprintf("%s-%d", m.Raw.Digest, n)}
	if d.mediaType == "" {
		d.mediaType = echo.MIMEOctetStream
	}
	if d.name == "" || len(d.name) > maxName || !printable(d.name) {
		d.name = fmt.Sprintf("message-%d-part-%d", m.Seq, n)
	}
	s.serveContent(c, d)
	return nil
}

// nothingKept tells of a message that was refused by the head of its HTTP request.
const nothingKept = "the message was refused before its body was read"

// openParts takes the message apart that the path names, and audits that it was read. The caller closes the parts.
func (s *server) openParts(c echo.Context, event, detail string) (exchange.Message, *exchange.Parts, error) {
	m, err := s.findMessage(c, event, detail)
	if err != nil {
		return m, nil, err
	}
	if m.Raw.Digest == "" {
		return m, nil, problem(CodeNotFound, nothingKept)
	}
	s.extend(c, s.timeFor(m.Raw.Size))
	parts, err := s.Operator.Parts(c.Request().Context(), m)
	if errors.Is(err, exchange.ErrNotFound) {
		return m, nil, problem(CodeDropped, "")
	}
	if err != nil {
		return m, nil, fmt.Errorf("reading the parts of message %d: %w", m.Seq, err)
	}
	return m, parts, nil
}
