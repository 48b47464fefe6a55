package exchange

import (
	"context"

	"github.com/ecogate/ecogate/ebms"
	"github.com/ecogate/ecogate/eco"
	"github.com/ecogate/ecogate/ubl"
)

// Decision is what customs say of a certificate that they received.
type Decision struct {
	// Declaration is the number of the import declaration; optional.
	Declaration string            `json:"declaration,omitempty"`
	Items       []eco.ItemOutcome `json:"items"`
	Note        string            `json:"note,omitempty"`
}

// Respond tells the partner who sent a certificate what customs made of its items, and moves the certificate accordingly. q names the
// certificate; its Direction plays no part.
//
// Errors: ErrNotFound, ErrAmbiguous, *InvalidError with what is wrong with the decision, *eco.IllegalMove if the certificate does not
// allow it, ErrNotAgreed and those of partners.Registry.Outbound when the agreement does not have it.
func (n *Node) Respond(ctx context.Context, actor string, q CertificateQuery, d Decision) (Said, error) {
	q.Direction = Inbound
	var done Said
	m, err := n.say(ctx, func() (Departure, error) {
		c, err := n.one(ctx, q)
		if err != nil {
			return Departure{}, err
		}
		u, err := n.utter(ctx, KindResponse, actor, c)
		if err != nil {
			return Departure{}, err
		}
		r := eco.CustomsResponse{Statement: n.statement(u.id, u.at, idOf(c.Data), d.Note), Declaration: d.Declaration, Items: d.Items}
		u.said = said{statement: r.Statement, business: Business{Response: &r}}
		findings := append(eco.ValidateCustomsResponse(r, n.registry.Forms()), eco.CompareCustomsResponse(r, c.Data)...)
		if err := n.written(ctx, &u, findings, func() ([]byte, error) { return ubl.MarshalCustomsResponse(r, n.registry.Forms()) }); err != nil {
			return Departure{}, err
		}
		change, err := responded(c, r, u.id, actor)
		if err != nil {
			return Departure{}, err
		}
		u.changes = []Change{change}
		done = Said{Key: c.Key, State: change.State}
		return n.composeSaid(u)
	})
	done.Message = m
	return done, err
}

// utter begins a business message about a certificate, to the partner whom we have it from or sent it to.
func (n *Node) utter(ctx context.Context, kind Kind, actor string, c Certificate) (utterance, error) {
	m, _ := matterOf(kind)
	now := n.now().UTC()
	agreement, err := n.agreementFor(m, c.Partner, c.Key.Form, now)
	if err != nil {
		return utterance{}, err
	}
	carrier, err := n.carrying(ctx, c)
	if err != nil {
		return utterance{}, err
	}
	return utterance{
		matter: m, actor: actor, agreement: agreement, id: n.newID(), at: now,
		about: carrier.MessageID, conversation: carrier.ConversationID,
	}, nil
}

// judgeResponse lets a customs response move the certificate that we exported. One that crosses our own cancellation or replacement
// counts: the partner will refuse that, since goods were cleared.
func (n *Node) judgeResponse(ctx context.Context, r *reception, s said) (verdict, error) {
	c, err := n.subject(ctx, r, s, Outbound)
	if err != nil {
		return verdict{}, err
	}
	response := *s.business.Response
	if findings := eco.CompareCustomsResponse(response, c.Data); eco.HasErrors(findings) {
		return verdict{}, ebms.NewInconsistent(s.location, &InvalidError{Findings: findings})
	}
	was := c.State
	if c.State == CertificateCancelled || c.State == CertificateReplaced {
		withdrawal, found, err := n.sent(ctx, c.Partner, c.Dealings.Withdrawn)
		if err != nil {
			return verdict{}, err
		}
		if found && !withdrawal.State.Terminal() && withdrawal.Effect != nil {
			c.State = withdrawal.Effect.Before
		}
	}
	change, err := responded(c, response, r.record.MessageID, r.agreement.Partner)
	if err != nil {
		return verdict{}, err
	}
	change.Was = was
	return verdict{changes: []Change{change}}, nil
}
