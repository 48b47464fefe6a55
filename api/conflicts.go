package api

import (
	"context"
	"fmt"
	"net/http"

	"github.com/labstack/echo/v4"

	"github.com/ecogate/ecogate/exchange"
)

// Settler decides between certificates of one number; *exchange.Node is one. It audits what it does.
type Settler interface {
	Settle(ctx context.Context, actor string, seq uint64, why string) ([]exchange.Said, error)
}

// Settlement is the body of POST /conflicts/settle.
type Settlement struct {
	// Holds is the number of the record of the certificate that holds: seq of a Match. All others with its key are refused.
	Holds uint64 `json:"holds"`
	// Why is for the audit log and for the partner; required.
	Why string `json:"why"`
}

// conflictRoutes are the paths of certificates in conflict.
func (s *server) conflictRoutes() []route {
	return []route{{
		method: http.MethodPost, path: base + "/conflicts/settle", roles: []Role{RoleOfficer}, handle: s.settle, absent: s.Settler == nil,
		operation: operation{
			id: "settleConflict", tag: tagBusiness, summary: "Decides which of several certificates with one number holds",
			takes:    takesJSON[Settlement](),
			answers:  []answer{answersJSON[[]Sent](http.StatusCreated, "The answers to the partner that were queued, one for each certificate.")},
			problems: []Code{CodeNotFound, CodeIllegalMove, CodeNotAgreed, CodeNoAgreement, CodeNotInForce, CodeUnknownPartner, CodeChanged, CodeFull},
		},
	}}
}

// settle answers POST /conflicts/settle.
func (s *server) settle(c echo.Context) error {
	if err := onlyParameters(c); err != nil {
		return err
	}
	var in Settlement
	if err := readStrict(c.Request(), &in); err != nil {
		return err
	}
	if in.Holds == 0 || in.Why == "" {
		return problem(CodeMalformed, `members "holds" and "why" are required`)
	}
	all, err := s.Settler.Settle(c.Request().Context(), callOf(c).key.Name, in.Holds, in.Why)
	if err != nil {
		return s.auditRefusal(c, fmt.Sprint(in.Holds), fmt.Errorf("settling for certificate %d: %w", in.Holds, err))
	}
	answers := make([]Sent, 0, len(all))
	for _, one := range all {
		answers = append(answers, sent(one))
	}
	return c.JSON(http.StatusCreated, answers)
}

// Settle decides which of several certificates with one number holds.
func (c *Client) Settle(ctx context.Context, in Settlement) (sent []Sent, err error) {
	err = c.post(ctx, base+"/conflicts/settle", in, &sent)
	return sent, err
}
