package api

import (
	"context"
	"fmt"
	"mime"
	"net/http"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/ecogate/ecogate/clearance/lookup"
	"github.com/ecogate/ecogate/eco"
)

// NotReceivedRequest asks for the statement that a certificate had not been received. Importer (SCHEME:VALUE or NAME:...) or Invoice say of which certificates
// it is to speak; without them it speaks of all, or for a broker or importer of those that he may see.
type NotReceivedRequest struct {
	Reference string       `json:"reference"`
	Country   string       `json:"country,omitempty"`
	Form      eco.FormCode `json:"form,omitempty"`
	Importer  string       `json:"importer,omitempty"`
	Invoice   string       `json:"invoice,omitempty"`
}

// notReceived answers POST /not-received with a signed statement.
func (s *server) notReceived(c echo.Context) error {
	var in NotReceivedRequest
	if err := readStrict(c.Request(), &in); err != nil {
		return err
	}
	q := lookup.StatementRequest{Reference: in.Reference, Country: strings.ToUpper(in.Country), Form: in.Form, Invoice: in.Invoice}
	if in.Importer != "" {
		var err error
		if q.Importer, err = eco.ParsePartyName(in.Importer); err != nil {
			return problem(CodeMalformed, "importer: "+err.Error())
		}
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
	statement, signed, err := s.Lookups.NotReceived(ctx, readerOf(c), !restricted, q)
	if restricted {
		admission.Failed(problemOfNil(err) != CodeArrived)
	}
	detail := "signed, scope " + string(statement.Scope)
	if err != nil {
		detail = "refused: " + string(problemOf(err).Code)
	}
	if err := s.audit(c, "statement.not_received", in.Reference, detail); err != nil {
		return err
	}
	if restricted {
		s.Lookups.Pad(ctx, began, 1)
	}
	if err != nil {
		return fmt.Errorf("statement about %s: %w", in.Reference, err)
	}
	c.Response().Header().Set(echo.HeaderContentDisposition, mime.FormatMediaType("attachment", map[string]string{"filename": "not-received.p7m"}))
	return c.Blob(http.StatusOK, lookup.StatementMediaType, signed)
}

// NotReceived fetches the signed statement that a certificate had not been received: CMS in DER.
func (c *Client) NotReceived(ctx context.Context, in NotReceivedRequest) ([]byte, error) {
	body, err := jsonBody(in)
	if err != nil {
		return nil, fmt.Errorf("request: %w", err)
	}
	_, signed, err := c.do(ctx, http.MethodPost, base+"/not-received", body)
	return signed, err
}
