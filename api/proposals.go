package api

import (
	"context"
	"fmt"
	"net/http"
	"strconv"

	"github.com/labstack/echo/v4"

	"github.com/ecogate/ecogate/partners"
)

// Proposals are changes of the registry that wait for a second operator; *partners.Directory has them. What is decided about them, its
// store audits.
type Proposals interface {
	Proposals(ctx context.Context) ([]partners.Proposal, error)
	Confirm(ctx context.Context, number uint64, by, why string) (partners.Entry, error)
	Reject(ctx context.Context, number uint64, by, why string) (partners.Proposal, error)
}

// ProposedChange is a proposal with what it would change.
type ProposedChange struct {
	partners.Proposal
	// Diff is what it would change now, while it is open, in the text of the entry, as unified lines.
	Diff string `json:"diff,omitempty"`
}

// proposalRoutes are the paths of what waits for a second operator.
func (s *server) proposalRoutes() []route {
	number := pathNumber("n", "Number of the proposal.")
	refused := []Code{CodeUnknownProposal, CodeDecided, CodeSameOperator, CodeFull}
	return []route{
		{
			method: http.MethodGet, path: base + "/proposals", roles: []Role{RoleOfficer, RoleOperator}, handle: s.proposals, absent: s.Proposals == nil,
			operation: operation{
				id: "listProposals", tag: tagRegistry, summary: "The changes that wait, or waited, for a second operator",
				parameters: []parameter{query[partners.ProposalState]("state", "Where they stand; all without it.")},
				answers:    []answer{answersJSON[[]ProposedChange](http.StatusOK, "They, newest first.")},
			},
		},
		{
			method: http.MethodPost, path: base + "/proposals/{n}/confirm", roles: []Role{RoleOperator}, handle: s.confirm, absent: s.Proposals == nil,
			operation: operation{
				id: "confirmProposal", tag: tagRegistry, summary: "Makes the change that a proposal asks for", parameters: []parameter{number},
				takes: takesJSON[givenWhy](), bodyOptional: true, answers: []answer{answersJSON[RegistryChange](http.StatusOK, "The change, which is in force.", "ETag")},
				problems: append([]Code{CodeStale, CodeInvalidEntry, CodeUnknownEntry}, refused...),
			},
		},
		{
			method: http.MethodPost, path: base + "/proposals/{n}/reject", roles: []Role{RoleOperator}, handle: s.reject, absent: s.Proposals == nil,
			operation: operation{
				id: "rejectProposal", tag: tagRegistry, summary: "Ends a proposal without a change", parameters: []parameter{number},
				takes: takesJSON[givenWhy](), bodyOptional: true, answers: []answer{answersJSON[ProposedChange](http.StatusOK, "The proposal.")}, problems: refused,
			},
		},
	}
}

// proposals answers GET /proposals.
func (s *server) proposals(c echo.Context) error {
	if err := onlyParameters(c, "state"); err != nil {
		return err
	}
	state, err := oneOf(c, "state", partners.ProposalOpen, partners.ProposalConfirmed, partners.ProposalRejected)
	if err != nil {
		return err
	}
	if err := s.audit(c, "proposals.listed", "", string(state)); err != nil {
		return err
	}
	all, err := s.Proposals.Proposals(c.Request().Context())
	if err != nil {
		return err
	}
	list := []ProposedChange{}
	for _, p := range all {
		if state == "" || p.State == state {
			list = append(list, s.proposed(p))
		}
	}
	return c.JSON(http.StatusOK, list)
}

// proposed compares an open proposal with its entry as it is.
func (s *server) proposed(p partners.Proposal) ProposedChange {
	change := ProposedChange{Proposal: p}
	if p.State == partners.ProposalOpen && s.Registry != nil {
		if current, err := s.Registry.Current(p.Entry.Kind, p.Entry.ID); err == nil || current.Version == 0 {
			change.Diff = Difference(current, p.Entry)
		}
	}
	change.Entry.Text = ""
	return change
}

// confirm answers POST /proposals/{n}/confirm.
func (s *server) confirm(c echo.Context) error {
	return s.decide(c, func(ctx context.Context, number uint64, by, why string) (any, error) {
		e, err := s.Proposals.Confirm(ctx, number, by, why)
		if err != nil {
			return nil, err
		}
		s.tell(c, e.Event(), e.ID, e.Detail()) // recorded by the store, with the change
		c.Response().Header().Set("ETag", entityTag(e))
		return RegistryChange{Entry: e}, nil
	})
}

// reject answers POST /proposals/{n}/reject.
func (s *server) reject(c echo.Context) error {
	return s.decide(c, func(ctx context.Context, number uint64, by, why string) (any, error) {
		p, err := s.Proposals.Reject(ctx, number, by, why)
		if err != nil {
			return nil, err
		}
		s.tell(c, p.Event(), p.Subject(), p.Detail()) // recorded by the store, with the decision
		return s.proposed(p), nil
	})
}

// decide decides about a proposal and answers with what came of it. A decision that is refused is audited here.
func (s *server) decide(c echo.Context, do func(ctx context.Context, number uint64, by, why string) (any, error)) error {
	if err := onlyParameters(c); err != nil {
		return err
	}
	why, err := readText(c.Request(), "why")
	if err != nil {
		return err
	}
	number, err := strconv.ParseUint(c.Param("n"), 10, 63)
	if err != nil {
		return fmt.Errorf("%w: %q", partners.ErrUnknownProposal, c.Param("n"))
	}
	answer, err := do(c.Request().Context(), number, callOf(c).key.Name, why)
	if err != nil {
		return s.refusedChange(c, "proposal.decision_refused", c.Param("n"), err)
	}
	return c.JSON(http.StatusOK, answer)
}

// writeProposed answers 202 to a change that waits for another operator.
func (s *server) writeProposed(c echo.Context, waits *partners.Proposed) error {
	p := waits.Proposal
	s.tell(c, p.Event(), p.Subject(), p.Detail()) // recorded by the store, with the proposal
	entry := p.Entry
	p.Entry.Text = ""
	return c.JSON(http.StatusAccepted, RegistryChange{Entry: entry, Diff: Difference(waits.Before, entry), Proposal: &p})
}
