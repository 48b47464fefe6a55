package exchange

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/ecogate/ecogate/ebms"
	"github.com/ecogate/ecogate/eco"
	"github.com/ecogate/ecogate/exchange/fault"
	"github.com/ecogate/ecogate/partners"
)

// acknowledgment composes the Acknowledgment for a verified message, signed if it is asked for signed or every message is, with copies of the ds:Reference
// elements of the message's signature (ebMS 2.0 §6.3.2.4). It returns nil if none is asked for.
func (n *Node) acknowledgment(r *reception) (*Departure, error) {
	asked := r.header.AckRequested
	if asked == nil {
		return nil, nil
	}
	defer n.computing()()
	m := ebms.NewAcknowledgment(r.header, n.signalOptions(r))
	r.confirm(m.Acknowledgment)
	return n.signal(r, m, KindAcknowledgment, asked.Signed || r.agreement.SignatureRequired)
}

// confirm puts into the Acknowledgment element for a verified message what proves that this very message came: the
// ds:Reference elements of its signature.
func (r *reception) confirm(ack *ebms.Acknowledgment) {
	if r.verified == nil {
		return
	}
	for _, reference := range r.verified.References {
		ack.References = append(ack.References, ebms.DigestReference{
			URI: reference.URI, DigestMethod: reference.DigestMethod, DigestValue: reference.DigestValue, XML: reference.XML,
		})
	}
}

// signal seals a signal about the message of r.
func (n *Node) signal(r *reception, m *ebms.Message, kind Kind, sign bool) (*Departure, error) {
	d, err := n.seal(r.agreement, m, nil, sign, n.now().UTC())
	if err != nil {
		return nil, fmt.Errorf("%s for %q: %w", kind, r.record.MessageID, err)
	}
	d.Message.Kind = kind
	n.address(&d.Message, r.agreement)
	return &d, nil
}

func (n *Node) signalOptions(r *reception) ebms.SignalOptions {
	own, _ := parties(r.agreement)
	return ebms.SignalOptions{
		MessageID: n.newID(), Now: n.now().UTC(), Received: r.request.Received.UTC(),
		Self: own,
	}
}

// takeSignal records a signal and lets it settle the message it refers to. Signals are never answered with signals
// (ebMS 2.0 §4.2.4.3: no error about an error).
func (n *Node) takeSignal(ctx context.Context, r *reception) ebms.Reply {
	if r.record.Kind == KindPing || r.record.Kind == KindStatusRequest {
		return n.answerRequest(ctx, r)
	}
	if err := n.takeReply(ctx, r); err != nil {
		return n.refuseSignal(ctx, r, err)
	}
	return ebms.Reply{Status: http.StatusNoContent}
}

// takeReply records what a partner says of a message of ours.
func (n *Node) takeReply(ctx context.Context, r *reception) error {
	var err error
	switch r.record.Kind {
	case KindAcknowledgment, KindError:
		_, err = n.settle(ctx, r)
	case KindPong, KindStatusResponse:
		err = n.recordResponse(ctx, r)
	case KindAnswer, KindCertificateReport, KindAnnouncementAnswer:
		_, err = n.recordBusiness(ctx, r)
	default:
		err = ebms.NewNotSupported(headerLocation+"/Action", fmt.Errorf("action %q answers nothing", r.header.Action))
	}
	return err
}

// receiveSignal takes a signal that came in the HTTP answer to sent. It returns what an operator should know of it.
func (n *Node) receiveSignal(ctx context.Context, request ebms.Request, sent Message) string {
	r := &reception{request: request, registry: n.registry.Snapshot(), inResponse: true}
	r.firstUse = n.firstUse(ctx, r)
	defer r.close()
	err := n.open(r)
	if err == nil && r.header.RefToMessageID != sent.MessageID {
		err = fmt.Errorf("the answer is action %q about message %q, expected one about this message", r.header.Action, r.header.RefToMessageID)
	}
	if err == nil {
		err = n.authenticate(r)
	}
	if err == nil {
		n.try(r)
		err = n.takeReply(ctx, r)
	}
	if err == nil {
		return ""
	}
	r.record.Partner = sent.Partner
	r.record.RefToMessageID = sent.MessageID
	if r.header != nil && r.header.Errors != nil && len(r.header.Errors.Errors) > 0 {
		// Not acted on, but it is what an operator needs to find a wrong CPAId or credential.
		said := r.header.Errors.Errors[0]
		err = ebms.NewSecurityFailure("", fmt.Errorf("%w; not established, it says: %s %s %s", err, said.Code, said.Location, said.Description))
	}
	n.refuseSignal(ctx, r, err)
	return shortened("answer not usable: " + err.Error())
}

// settle checks a verified signal against the outbound message that it refers to and records both in one transaction.
func (n *Node) settle(ctx context.Context, r *reception) (Accepted, error) {
	about := r.header.RefToMessageID
	if r.header.Acknowledgment != nil {
		about = r.header.Acknowledgment.RefToMessageID
	}
	sent, found, err := n.sent(ctx, r.agreement.Partner, about)
	if err != nil {
		return Accepted{}, err
	}
	if !found {
		return Accepted{}, ebms.NewValueNotRecognized(headerLocation+"/MessageData/RefToMessageId", fmt.Errorf("no message %q was sent to %s", about, r.agreement.Partner))
	}
	settlement, err := n.judge(r, r.record.Kind, sent)
	if err != nil {
		return Accepted{}, err
	}
	arrival := Arrival{Message: r.record, Raw: r.request.Body, Settles: settlement}
	arrival.Message.State = StateAccepted
	arrival.Audit = []AuditEntry{{At: r.record.Created, Actor: r.agreement.Partner, Event: "message." + string(r.record.Kind), Subject: about, Detail: told("signal "+r.record.MessageID, r.record)}}
	if settlement != nil && settlement.State == StateFailed && (!sent.State.Terminal() || sent.SettledBy == "" || sent.Order != nil) {
		refused, err := n.undelivered(ctx, sent, r.agreement.Partner, r.record.Created, eco.Reason{Code: settlement.Reason.Code, Text: settlement.Reason.Cause})
		if err != nil {
			return Accepted{}, err
		}
		arrival.Audit = append(arrival.Audit, refused...)
	}
	fault.Point("signal.verified")
	accepted, err := n.accept(ctx, arrival)
	if err != nil {
		return Accepted{}, &storeError{err}
	}
	fault.Point("signal.committed")
	if accepted.Settled {
		n.reportSettled(sent, settlement)
		n.giveBackSettled(ctx, settlement, true)
	}
	return accepted, nil
}

// bundledReceipt is what an Acknowledgment does that came in a business message (ebMS 2.0 §6.3.2.7); nil without one. One
// that proves nothing takes nothing from the message around it: the log tells of it, and the message that it speaks of is sent
// again.
func (n *Node) bundledReceipt(ctx context.Context, r *reception) (*Settlement, error) {
	ack := r.header.Acknowledgment
	if ack == nil {
		return nil, nil
	}
	sent, found, err := n.sent(ctx, r.agreement.Partner, ack.RefToMessageID)
	if err != nil {
		return nil, err
	}
	if !found {
		n.log.Warn("bundled acknowledgment of a message that was not sent", "message_id", r.record.MessageID, "partner", r.record.Partner, "about", ack.RefToMessageID)
		return nil, nil
	}
	settlement, err := n.judge(r, KindAcknowledgment, sent)
	if err != nil {
		n.log.Warn("bundled acknowledgment proves nothing", "message_id", r.record.MessageID, "partner", r.record.Partner, "about", ack.RefToMessageID, "error", err)
		return nil, nil
	}
	return settlement, nil
}

// sent finds the message of ours with this MessageId that went to the partner; an empty MessageId is that of none. The error is
// a *storeError.
func (n *Node) sent(ctx context.Context, partner, messageID string) (Message, bool, error) {
	if messageID == "" {
		return Message{}, false, nil
	}
	found, err := n.store.Messages(ctx, MessageQuery{MessageID: messageID, Direction: Outbound, Partner: partner, Limit: 1})
	if err != nil {
		return Message{}, false, &storeError{err}
	}
	if len(found) == 0 {
		return Message{}, false, nil
	}
	return found[0], true, nil
}

// sameAgreement is the agreement of a message of ours that r is about, which r must be of too. That agreement decides what r
// must prove, not one that r names: a partner may have another agreement that asks for less.
func (n *Node) sameAgreement(r *reception, sent Message) (partners.Agreement, error) {
	agreement, ok := n.agreementOf(sent)
	if !ok || r.header.CPAID != sent.CPAID {
		return agreement, ebms.NewInconsistent(headerLocation+"/CPAId", fmt.Errorf("the %s has CPAId %q, the message %q", r.record.Kind, r.header.CPAID, sent.CPAID))
	}
	if agreement.SignatureRequired && r.verified == nil {
		return agreement, ebms.NewSecurityFailure("//Header", fmt.Errorf("the %s is not signed, the agreement of the message asks for signatures", r.record.Kind))
	}
	return agreement, nil
}

// judge says what a signal does to the message it is about: nil means nothing.
func (n *Node) judge(r *reception, kind Kind, sent Message) (*Settlement, error) {
	agreement, err := n.sameAgreement(r, sent)
	if err != nil {
		return nil, err
	}
	settlement := &Settlement{MessageID: sent.MessageID, Partner: sent.Partner, At: r.record.Created}
	switch kind {
	case KindAcknowledgment:
		if err := checkReceipt(r, sent, agreement.AckSigned); err != nil {
			return nil, err
		}
		settlement.State = StateDelivered
	case KindError:
		list := r.header.Errors
		if list == nil || len(list.Errors) == 0 {
			return nil, ebms.NewInconsistent("//Header/ErrorList", errors.New("a MessageError without ErrorList"))
		}
		if list.HighestSeverity != ebms.SeverityError {
			return nil, nil
		}
		first := list.Errors[0]
		settlement.State = StateFailed
		settlement.Reason = &Reason{Code: string(first.Code), Cause: shortened(fmt.Sprintf("the partner refused it: %s %s %s", first.Code, first.Location, first.Description))}
	}
	return settlement, nil
}

// checkReceipt compares an acknowledgment with the message it claims to be for: signed if that was agreed, and with the very digests that
// our signature covers, so that it proves what was received (ebMS 2.0 §6.3.2.4).
func checkReceipt(r *reception, sent Message, signed bool) error {
	ack := r.header.Acknowledgment
	if ack == nil {
		return ebms.NewInconsistent("//Header/Acknowledgment", errors.New("an Acknowledgment message without Acknowledgment element"))
	}
	if !signed {
		return nil
	}
	if r.verified == nil {
		return ebms.NewSecurityFailure("//Header/Acknowledgment", errors.New("the acknowledgment is not signed, the agreement asks for a signed one"))
	}
	told := make(map[Reference]bool, len(ack.References))
	for _, d := range ack.References {
		told[Reference{URI: d.URI, DigestMethod: d.DigestMethod, DigestValue: d.DigestValue}] = true
	}
	for _, own := range sent.References {
		if !told[own] {
			return ebms.NewSecurityFailure("//Header/Acknowledgment/ds:Reference",
				fmt.Errorf("the acknowledgment does not confirm %s %q: expected digest %s", own.DigestMethod, own.URI, own.DigestValue))
		}
	}
	if len(told) != len(sent.References) {
		return ebms.NewSecurityFailure("//Header/Acknowledgment/ds:Reference",
			fmt.Errorf("the acknowledgment confirms %d references, %d were sent", len(told), len(sent.References)))
	}
	return nil
}

func (n *Node) reportSettled(sent Message, s *Settlement) {
	if s.State == StateDelivered {
		n.step("receipted", sent, sent.Certificate.Reference, "acknowledgment verified, digests equal")
		late := sent.State == StateFailed || sent.State == StateExpired
		n.log.Info("message delivered", "message_id", sent.MessageID, "partner", sent.Partner, "late", late)
		return
	}
	n.step("failed", sent, sent.Certificate.Reference, s.Reason.Cause)
	n.log.Warn("message refused by the partner", "message_id", sent.MessageID, "partner", sent.Partner, "reason", s.Reason.Cause)
}

// storeError marks an error of the store, which is temporary for the sender.
type storeError struct{ err error }

func (e *storeError) Error() string { return e.err.Error() }
func (e *storeError) Unwrap() error { return e.err }
