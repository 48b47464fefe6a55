package api

import (
	"context"
	"net/http"

	"github.com/labstack/echo/v4"

	"github.com/ecogate/ecogate/clearance"
	"github.com/ecogate/ecogate/eco"
)

// Duties lists what somebody must do until a day; *clearance.Desk is one. What it does, it audits itself.
type Duties interface {
	Duties(ctx context.Context, v clearance.Visitor, q clearance.DutyQuery) ([]clearance.Duty, error)
	Fulfil(ctx context.Context, v clearance.Visitor, id, why string) (clearance.Duty, error)
}

// FulfilledDuty is the body of POST /duties/done.
type FulfilledDuty struct {
	// ID names the duty.
	ID string `json:"id"`
	// Why says how it was done; optional.
	Why string `json:"why,omitempty"`
}

// dutyRoutes are the paths of duties.
func (s *server) dutyRoutes() []route {
	return []route{
		{
			method: http.MethodGet, path: base + "/duties", roles: []Role{RoleBroker, RoleCustoms, RoleOfficer, RoleOperator}, handle: s.duties, absent: s.Options.Duties == nil,
			operation: operation{
				id: "listDuties", tag: tagClearance, summary: "What must be done and until when, the earliest first; a broker's own alone",
				parameters: []parameter{
					query[dutyOwner]("owner", "Who must do it; all without it."), query[eco.Date]("due_by", "Those whose last day is not after this one."),
					query[dutyQuestion]("state", "open, which holds without it, or done."),
				},
				answers: []answer{answersJSON[[]clearance.Duty](http.StatusOK, "They, 10000 at most.")},
			},
		},
		{
			method: http.MethodPost, path: base + "/duties/done", roles: []Role{RoleOfficer}, handle: s.dutyDone, absent: s.Options.Duties == nil,
			operation: operation{
				id: "closeDuty", tag: tagClearance, summary: "Closes the duty to tell a partner something by other means", takes: takesJSON[FulfilledDuty](),
				answers: []answer{answersJSON[clearance.Duty](http.StatusOK, "The duty.")}, problems: []Code{CodeNotFound, CodeBusy, CodeFull},
			},
		},
	}
}

// dutyOwner is who must do something, dutyQuestion which duties are asked for.
type (
	dutyOwner    string
	dutyQuestion string
)

const (
	dutiesOpen dutyQuestion = "open"
	dutiesDone dutyQuestion = "done"
)

// duties answers GET /duties.
func (s *server) duties(c echo.Context) error {
	if err := onlyParameters(c, "owner", "due_by", "state"); err != nil {
		return err
	}
	owner, err := oneOf[dutyOwner](c, "owner", clearance.OwnerOfficer, clearance.OwnerDeclarant, clearance.OwnerPartner)
	if err != nil {
		return err
	}
	state, err := oneOf(c, "state", dutiesOpen, dutiesDone)
	if err != nil {
		return err
	}
	var by eco.Date
	if given := c.QueryParam("due_by"); given != "" {
		if by, err = eco.ParseDate(given); err != nil {
			return problem(CodeParameter, "due_by: "+err.Error())
		}
	}
	if err := s.audit(c, "duties.listed", "", c.QueryString()); err != nil {
		return err
	}
	list, err := s.Options.Duties.Duties(c.Request().Context(), visitor(c), clearance.DutyQuery{Owner: string(owner), Done: state == dutiesDone, DueBy: by})
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, list)
}

// dutyDone answers POST /duties/done.
func (s *server) dutyDone(c echo.Context) error {
	if err := onlyParameters(c); err != nil {
		return err
	}
	var in FulfilledDuty
	if err := readStrict(c.Request(), &in); err != nil {
		return err
	}
	if in.ID == "" {
		return problem(CodeMalformed, `member "id" is required`)
	}
	d, err := s.Options.Duties.Fulfil(c.Request().Context(), visitor(c), in.ID, in.Why)
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, d)
}
