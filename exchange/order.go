package exchange

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/ecogate/ecogate/ebms"
	"github.com/ecogate/ecogate/partners"
)

// sweepInterval is how often messages are looked for that waited too long.
const sweepInterval = time.Minute

// reportOrder tells people where a message with an order stands.
func (n *Node) reportOrder(a Accepted) {
	m := a.Message
	if m.Order == nil {
		return
	}
	if a.Waits {
		n.step("waiting", m, m.Certificate.Reference, fmt.Sprintf("number %d of its conversation, others before it are missing", m.Order.Sequence))
		n.log.Info("message waits for others before it", "message_id", m.MessageID, "partner", m.Partner, "conversation", m.ConversationID, "sequence", m.Order.Sequence)
		return
	}
	for _, released := range append([]Message{m}, a.Released...) {
		n.step("available", released, released.Certificate.Reference, fmt.Sprintf("number %d of its conversation", released.Order.Sequence))
		n.log.Info("message is used in its turn", "message_id", released.MessageID, "partner", released.Partner, "conversation", released.ConversationID, "sequence", released.Order.Sequence)
	}
}

// expelOverdue refuses the messages that waited longer than their agreement says for others before them: the application
// cannot have them in their order, and the sender, who was told that they arrived, is told so (ebMS 2.0 §9: DeliveryFailure;
// that it goes to the sender after an acknowledgment is not confirmed from the text).
func (n *Node) expelOverdue(ctx context.Context) error {
	query := MessageQuery{State: StateReceived, Direction: Inbound, Limit: 500}
	for {
		found, err := n.store.Messages(ctx, query)
		if err != nil || len(found) == 0 {
			return err
		}
		var expulsions []Expulsion
		for _, m := range found {
			e, overdue, err := n.overdue(m)
			if err != nil { // the others need not wait for its sake
				n.log.Error("message that waited too long is not refused", "message_id", m.MessageID, "partner", m.Partner, "error", err)
			} else if overdue {
				expulsions = append(expulsions, e)
			}
		}
		if len(expulsions) > 0 {
			if err := n.expel(ctx, found, expulsions); err != nil {
				return err
			}
		}
		query.Before = found[len(found)-1].Seq
	}
}

func (n *Node) expel(ctx context.Context, found []Message, expulsions []Expulsion) error {
	done, err := n.keeper.Expel(ctx, expulsions)
	if err != nil {
		return fmt.Errorf("refusing messages that waited too long: %w", err)
	}
	n.announce()
	for i, e := range expulsions {
		if !done[i] {
			continue
		}
		for _, m := range found {
			if m.Seq == e.Seq {
				n.step("quarantined", m, m.Certificate.Reference, e.Reason.Cause)
				n.log.Warn("message refused: others before it did not come", "message_id", m.MessageID, "partner", m.Partner, "cause", e.Reason.Cause)
			}
		}
	}
	return nil
}

// overdue says whether a message has waited too long, and what refuses it.
func (n *Node) overdue(m Message) (Expulsion, bool, error) {
	now := n.now().UTC()
	agreement, agreed := n.agreementOf(m)
	gap := cmp.Or(agreement.OrderGap, partners.DefaultOrderGap)
	if now.Before(m.Created.Add(gap)) {
		return Expulsion{}, false, nil
	}
	cause := fmt.Errorf("number %d of conversation %q waited %s for others before it", m.Order.Sequence, m.ConversationID, gap)
	problem := ebms.NewDeliveryFailure(ebms.SeverityError, "//Header/MessageOrder", cause)
	expulsion := Expulsion{
		Seq: m.Seq, At: now,
		Reason: Reason{Code: string(problem.Code), Told: problem.Description, Cause: cause.Error()},
		Audit:  []AuditEntry{{At: now, Actor: "node", Event: "message.expelled", Subject: m.MessageID, Detail: cause.Error()}},
	}
	if !agreed { // it was taken out of the configuration: nobody is left to tell
		expulsion.Reason.Told = ""
		return expulsion, true, nil
	}
	own, their := parties(agreement)
	about := &ebms.Message{
		From: their, To: own, CPAID: m.CPAID, ConversationID: m.ConversationID, Service: ebms.Service{Value: m.Service}, Action: m.Action, MessageID: m.MessageID,
	}
	message := ebms.NewMessageError(about, ebms.NewErrorList(problem), ebms.SignalOptions{MessageID: n.newID(), Now: now})
	if message == nil {
		return Expulsion{}, false, errors.New("no error can be composed about it")
	}
	reply, err := n.seal(agreement, message, nil, agreement.SignatureRequired, now)
	if err != nil {
		return Expulsion{}, false, err
	}
	reply.Message.Kind = KindError
	n.address(&reply.Message, agreement)
	expulsion.Reply = &reply
	return expulsion, true, nil
}
