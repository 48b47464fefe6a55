package exchange

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/google/uuid"

	"github.com/ecogate/ecogate/ebms"
	"github.com/ecogate/ecogate/eco"
	"github.com/ecogate/ecogate/exchange/fault"
	"github.com/ecogate/ecogate/partners"
	"github.com/ecogate/ecogate/ubl"
)

// An answer is mostly part of the HTTP response, where the agreement has it there (answer.go). Here it is a message of its own: about a
// certificate in conflict, of which the sender must hear whatever the mode, and when an officer has settled the conflict.

// tellConflict queues the answer that rejects a certificate under whose number another one was received, unless the response carries it. It
// does so before the certificate is recorded, under an id that follows from the certificate's message: so it is never lost, and never sent twice.
func (n *Node) tellConflict(ctx context.Context, r *reception, c *Certificate, changes []Change) error {
	if mode := r.agreement.SyncReply; r.answersInResponse() && (mode == partners.SyncReplyResponse || mode == partners.SyncReplyBoth) {
		return nil
	}
	verdict, err := n.verdict(ctx, c, changes)
	if err != nil || verdict.Kind != eco.AnswerRejected {
		return err
	}
	id := uuid.NewSHA1(uuid.NameSpaceURL, []byte(r.agreement.Partner+" "+r.record.MessageID)).String() + "@" + strings.ToLower(n.registry.Self().ID)
	if _, told, err := n.sent(ctx, r.agreement.Partner, id); err != nil || told {
		return err
	}
	d, err := n.composeAnswer("node", r.agreement, id, *c, r.record, verdict)
	if err != nil {
		return err
	}
	results, err := n.store.Enqueue(ctx, []Departure{d})
	if err == nil && !errors.Is(results[0].Err, ErrConflict) { // another copy of the message was faster
		err = results[0].Err
	}
	if err != nil {
		return fmt.Errorf("recording the answer to message %q: %w", r.record.MessageID, err)
	}
	n.announce()
	return nil
}

// composeAnswer makes the signed message that says what becomes of a certificate which carrier brought.
func (n *Node) composeAnswer(actor string, a partners.Agreement, id string, c Certificate, carrier Message, answer eco.Answer) (Departure, error) {
	defer n.computing()()
	now := n.now().UTC()
	m := n.reliable(a, id, now)
	m.Action, m.RefToMessageID, m.ConversationID = a.AnswerAction, carrier.MessageID, cmp.Or(carrier.ConversationID, uuid.NewString())
	self := n.registry.Self()
	answer.ID, answer.IssueTime, answer.Certificate = "1-"+id, now, idOf(c.Data)
	answer.Authority = eco.Authority{Name: cmp.Or(self.Name, self.ID), Country: self.Country}
	document, err := ubl.MarshalAnswer(answer, n.registry.Forms())
	if err != nil {
		return Departure{}, fmt.Errorf("answer to certificate %s: %w", c.Key, err)
	}
	d, err := n.sealReliable(a, m, []ebms.Part{m.carry("an-"+answer.ID, "answer-1", "", ubl.MediaType, ebms.Bytes(document))}, now)
	if err != nil {
		return Departure{}, fmt.Errorf("answer to message %q: %w", carrier.MessageID, err)
	}
	d.Message.Kind, d.Message.Answers, d.Message.Certificate = KindAnswer, []eco.Answer{answer}, c.Key
	n.address(&d.Message, a)
	d.Audit = []AuditEntry{{At: now, Actor: actor, Event: "certificate.answered", Subject: c.Key.String(),
		Detail: fmt.Sprintf("%s, message %s to %s", answer.Kind, id, a.Partner)}}
	return d, nil
}

// Settle ends a conflict: the certificate with the number seq holds, and every other one with its key is refused. Each sender is answered so. One
// that was used in the meantime can only be the one that holds. why is for the partner and for the audit log.
//
// Errors: ErrNotFound, *eco.IllegalMove if it is in no conflict or another one was used, *InvalidError if why cannot be sent, those of
// partners.Registry.Outbound. A call that failed may be repeated; what it settled before stays so.
func (n *Node) Settle(ctx context.Context, actor string, seq uint64, why string) ([]Said, error) {
	var all []Said
	for range maxTurns {
		departures, said, err := n.settlements(ctx, actor, seq, why)
		if err != nil {
			return all, err
		}
		fault.Point("submit.composed")
		results, err := n.store.Enqueue(ctx, departures)
		if err != nil {
			return all, fmt.Errorf("recording the settlement: %w", err)
		}
		fault.Point("submit.committed")
		again := false
		for i, result := range results {
			switch {
			case errors.Is(result.Err, ErrChanged):
				again = true
			case result.Err != nil:
				return all, result.Err
			default:
				said[i].Message = result.Message
				all = append(all, said[i])
				n.reportSaid(result.Message)
			}
		}
		if !again {
			return all, nil
		}
	}
	return all, errTurns
}

// settlements composes the answers to all certificates that are in conflict under the key of one, with what each makes of its certificate.
// Those that are refused come first.
func (n *Node) settlements(ctx context.Context, actor string, seq uint64, why string) (departures []Departure, said []Said, err error) {
	found, err := n.store.Certificates(ctx, CertificateQuery{Seq: seq, Direction: Inbound})
	if err != nil {
		return nil, nil, err
	}
	if len(found) == 0 || seq == 0 {
		return nil, nil, fmt.Errorf("received certificate %d: %w", seq, ErrNotFound)
	}
	holds := found[0]
	all, err := n.store.Certificates(ctx, CertificateQuery{Direction: Inbound, Country: holds.Key.Country, Form: holds.Key.Form, Reference: holds.Key.Reference})
	if err != nil {
		return nil, nil, err
	}
	all = slices.DeleteFunc(all, func(c Certificate) bool {
		return c.Key != holds.Key || c.State != CertificateInConflict || c.Seq == seq
	})
	if holds.State == CertificateInConflict || len(all) == 0 { // settled before, but for what came or failed meanwhile
		all = append(all, holds)
	}
	for _, c := range all {
		event := eco.Event{Kind: eco.EventSettle, At: n.now().UTC(), By: actor}
		answer := eco.Answer{Kind: eco.AnswerAccepted, Note: why}
		outcome := "holds"
		if c.Seq != seq {
			event.Kind, outcome = eco.EventRefuse, "is refused"
			event.Reasons = []eco.Reason{{Code: eco.CodeReferenceReused, Text: "another certificate with this reference holds: " + why}}
			answer = eco.Answer{Kind: eco.AnswerRejected, Reasons: event.Reasons}
		}
		d, change, err := n.settlement(ctx, actor, c, event, answer)
		if err != nil {
			return nil, nil, err
		}
		d.Audit = append(d.Audit, AuditEntry{At: event.At, Actor: actor, Event: "certificate.settled", Subject: c.Key.String(),
			Detail: fmt.Sprintf("the one of message %s %s: %s", c.Message, outcome, why)})
		departures, said = append(departures, d), append(said, Said{Key: c.Key, State: change.State})
	}
	return departures, said, nil
}

func (n *Node) settlement(ctx context.Context, actor string, c Certificate, event eco.Event, answer eco.Answer) (Departure, Change, error) {
	agreement, err := n.registry.Outbound(c.Partner, c.Key.Form, n.now().UTC())
	if err != nil {
		return Departure{}, Change{}, err
	}
	carrier, err := n.carrying(ctx, c)
	if err != nil {
		return Departure{}, Change{}, err
	}
	change, err := moved(c, c.Dealings, event)
	if err != nil {
		return Departure{}, Change{}, err
	}
	d, err := n.composeAnswer(actor, agreement, n.newID(), c, carrier, answer)
	d.Changes = []Change{change}
	return d, change, err
}
