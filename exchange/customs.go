package exchange

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

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
	// ID is the caller's number of it, for Report; Respond gives one itself.
	ID string `json:"-"`
}

// Respond tells the partner who sent a certificate what customs made of its items, and moves the certificate accordingly: for nodes
// whose declarations are decided elsewhere. One that declarations here cite or hold quantities of is decided on those. q names the
// certificate; its Direction plays no part.
//
// Errors: ErrNotFound, ErrAmbiguous, *InvalidError with what is wrong with the decision, *eco.IllegalMove if the certificate does not
// allow it, ErrNotAgreed and those of partners.Registry.Outbound when the agreement does not have it.
func (n *Node) Respond(ctx context.Context, actor string, q CertificateQuery, d Decision) (Said, error) {
	q.Direction = Inbound
	d.ID = ""
	return n.respond(ctx, actor, d, func() (Certificate, error) { return n.one(ctx, q) }, func(c Certificate, r eco.CustomsResponse) (Change, error) {
		if err := undeclared(c); err != nil {
			return Change{}, err
		}
		return responded(c, r, r.ID, actor)
	})
}

// Report tells the partner who sent the certificate with the number seq what customs decided by a declaration. It moves no state, since
// the decision has moved the life already; Dealings.Items tell of it. Of several reports about an item the last one counts, on both
// sides. d.ID is the caller's number of the decision, which becomes the MessageID: calling it again with the same one sends nothing and
// returns the first message, whatever else d says.
//
// Errors: those of Respond but for *eco.IllegalMove; ErrConflict if another message of this node has that id.
func (n *Node) Report(ctx context.Context, actor string, seq uint64, d Decision) (Said, error) {
	if d.ID == "" || seq == 0 {
		return Said{}, fmt.Errorf("report on certificate %d: want its number and that of the decision, found %q", seq, d.ID)
	}
	d.ID = n.ownID(d.ID)
	find := func() (Certificate, error) {
		found, err := n.store.Certificates(ctx, CertificateQuery{Seq: seq, Direction: Inbound})
		if err == nil && len(found) == 0 {
			err = fmt.Errorf("received certificate %d: %w", seq, ErrNotFound)
		}
		if err != nil {
			return Certificate{}, err
		}
		return found[0], nil
	}
	if said, err := n.reported(ctx, KindResponse, find, d.ID); err != nil || said.Message.Seq != 0 {
		return said, err
	}
	said, err := n.respond(ctx, actor, d, find, func(c Certificate, r eco.CustomsResponse) (Change, error) {
		dealings := c.Dealings
		dealings.Items = merged(dealings.Items, r, d.ID)
		return Change{Seq: c.Seq, Revision: c.Revision, Was: c.State, State: c.State, Dealings: dealings}, nil
	})
	if errors.Is(err, ErrConflict) { // another call was faster
		if said, found := n.reported(ctx, KindResponse, find, d.ID); found == nil && said.Message.Seq != 0 {
			return said, nil
		}
	}
	return said, err
}

// ownID makes a MessageID of a caller's number.
func (n *Node) ownID(number string) string {
	if strings.Contains(number, "@") {
		return number
	}
	return number + "@" + strings.ToLower(n.registry.Self().ID)
}

// reported finds the message of a kind with that id about a certificate; the zero Said if there is none.
func (n *Node) reported(ctx context.Context, kind Kind, find func() (Certificate, error), id string) (Said, error) {
	c, err := find()
	if err != nil {
		return Said{}, err
	}
	sent, found, err := n.sent(ctx, c.Partner, id)
	if err != nil || !found {
		return Said{}, err
	}
	if sent.Kind != kind || sent.Certificate != c.Key {
		return Said{}, fmt.Errorf("%w: message %q is a %s about %s", ErrConflict, id, sent.Kind, sent.Certificate)
	}
	return Said{Message: sent, Key: c.Key, State: c.State}, nil
}

// respond says what customs made of a certificate; move is what that does to it.
func (n *Node) respond(ctx context.Context, actor string, d Decision, find func() (Certificate, error), move func(Certificate, eco.CustomsResponse) (Change, error)) (Said, error) {
	var done Said
	m, err := n.say(ctx, func() (Departure, error) {
		c, err := find()
		if err != nil {
			return Departure{}, err
		}
		u, err := n.utter(ctx, KindResponse, actor, c)
		if err != nil {
			return Departure{}, err
		}
		u.id = cmp.Or(d.ID, u.id)
		r := eco.CustomsResponse{Statement: n.statement(u.id, u.at, idOf(c.Data), d.Note), Declaration: d.Declaration, Items: d.Items}
		u.said = said{statement: r.Statement, business: Business{Response: &r}}
		findings := append(eco.ValidateCustomsResponse(r, n.registry.Forms()), eco.CompareCustomsResponse(r, c.Data)...)
		if err := n.written(ctx, &u, findings, func() ([]byte, error) { return ubl.MarshalCustomsResponse(r, n.registry.Forms()) }); err != nil {
			return Departure{}, err
		}
		change, err := move(c, r)
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

// undeclared refuses to decide past declarations: what those hold would never come free, and what they wrote off would be counted anew.
func undeclared(c Certificate) error {
	life := c.Dealings.Life
	if life == nil {
		return nil
	}
	holders := slices.Clone(life.Declarations)
	for _, draw := range life.Draws {
		if !draw.Child && len(draw.Items) > 0 && !slices.Contains(holders, draw.Document) { // a use without quantities is one of Respond
			holders = append(holders, draw.Document)
		}
	}
	if len(holders) == 0 {
		return nil
	}
	return &eco.IllegalMove{
		Side: eco.SideImporting, State: eco.State(c.State), Event: eco.EventUse, Code: eco.ReasonOther,
		Why: fmt.Sprintf("declaration %s cites it: decide on the declaration", strings.Join(holders, ", ")),
	}
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
	return verdict{changes: []Change{change}, audit: refusals(c, response, r.record)}, nil
}
