package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/ecogate/ecogate/clearance"
	"github.com/ecogate/ecogate/clearance/handover"
	"github.com/ecogate/ecogate/eco"
	"github.com/ecogate/ecogate/exchange"
	"github.com/ecogate/ecogate/partners"
)

// newDesk makes the desk for declarations and decisions; its figures follow the configuration in force.
func newDesk(n *runningNode) (*clearance.Desk, error) {
	return clearance.NewDesk(clearance.Options{
		Store: n.Store, Forms: n.Registry.Forms, Now: n.now, Log: n.log, Responder: responder{n.Node}, Sees: n.lookups.Sees,
		Handover:      handover.Lodged,
		SecondOfficer: func() bool { return n.current.Load().Clearance.SecondOfficer },
		Reservation:   func() time.Duration { return n.current.Load().Clearance.Reservation },
		Duties: func() clearance.DutyRules {
			c := n.current.Load().Clearance
			return clearance.DutyRules{WarnDays: c.WarnDays, EscalateTo: c.EscalateTo}
		},
	})
}

// responder tells partners what officers decided.
type responder struct{ node *exchange.Node }

// Respond implements clearance.Responder.
func (r responder) Respond(ctx context.Context, told clearance.Response) error {
	_, err := r.node.Report(ctx, told.By, told.Certificate, exchange.Decision{ID: told.ID, Declaration: told.Declaration, Items: told.Items, Note: told.Note})
	return final(err)
}

// Verify implements clearance.Responder.
func (r responder) Verify(ctx context.Context, told clearance.Response) error {
	query := exchange.CertificateQuery{Seq: told.Certificate, Reference: told.Key.Reference}
	doubt := exchange.Doubt{ID: told.ID, Ground: eco.VerifyForDoubt, Items: told.Doubt.Items, Reasons: told.Doubt.Reasons, ReplyBy: told.Doubt.ReplyBy, Note: told.Note}
	for _, question := range told.Doubt.Questions {
		doubt.Questions = append(doubt.Questions, eco.Question{Text: question})
	}
	_, err := r.node.RequestVerification(ctx, told.By, query, doubt)
	return final(err)
}

// final marks what no later attempt changes: no such message is agreed, or it would break a rule.
func final(err error) error {
	var invalid *exchange.InvalidError
	var illegal *eco.IllegalMove
	switch {
	case err == nil:
		return nil
	case errors.As(err, &invalid), errors.As(err, &illegal), errors.Is(err, exchange.ErrNotAgreed), errors.Is(err, exchange.ErrNotFound),
		errors.Is(err, partners.ErrNoAgreement), errors.Is(err, partners.ErrUnknownPartner):
		return fmt.Errorf("%w: %w", clearance.ErrCannotTell, err)
	}
	return err
}
