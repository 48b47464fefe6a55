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

// proposals answers GET /proposals.
func (s *server) proposals(c echo.Context) error {
	if err := onlyParameters(c, "state"); err != nil {
		return err
	}
	state, err := oneOf(c, "state", partners.ProposalOpen, partners.ProposalConfirmed, partners.ProposalRejected)
	if err != nil {
		return err
	}
	if s.Proposals == nil {
		return problem(CodeNoPath, "")
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
	if err != nil || s.Proposals == nil {
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
