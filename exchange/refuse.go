package exchange

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/ecogate/ecogate/ebms"
)

// refuse keeps a message that failed a step in quarantine and tells the sender what the standard lets it know:
//
//   - no header could be read, or its parties cannot be repeated: HTTP 400 with a SOAP Fault, because no ebXML error can be
//     addressed; a header block that must be understood and is not: HTTP 500 with its SOAP Fault (SOAP 1.1 §6.2);
//   - the message is established as the partner's: an ErrorList, signed if the agreement says so, as a message of its own to the partner's
//     endpoint, or in the HTTP response if signals travel there (ebMS 2.0 §4.2.4.2);
//   - otherwise: an unsigned ErrorList in the HTTP response only. A signed or posted one would let anybody who knows a MessageId make this
//     node tell the partner that its own, good message of that id was refused.
func (n *Node) refuse(ctx context.Context, r *reception, cause error) ebms.Reply {
	var failed *storeError
	if errors.As(cause, &failed) {
		return n.unavailable(cause)
	}
	problem := ebms.AsError(cause)
	arrival := n.quarantine(r, problem)
	var must *ebms.MustUnderstandError
	if r.header == nil || errors.As(cause, &must) {
		return n.keep(ctx, r, arrival, ebms.FaultReply(cause))
	}
	m := ebms.NewMessageError(r.header, ebms.NewErrorList(problem), n.signalOptions(r))
	if m == nil || r.record.Kind == KindAcknowledgment || r.record.Kind == KindPong || r.record.Kind == KindStatusResponse {
		return n.keep(ctx, r, arrival, ebms.Reply{Status: http.StatusNoContent})
	}
	reply, err := n.signal(r, m, KindError, r.established && r.agreement.SignatureRequired)
	if err != nil {
		// What it repeats of the message cannot be written: there is no address, and what failed is kept all the same.
		n.log.Warn("error message not composed", "message_id", r.record.MessageID, "error", err)
		return n.keep(ctx, r, arrival, ebms.FaultReply(cause))
	}
	if r.established {
		arrival.Reply = reply
		arrival.Held = r.answersInResponse()
	}
	if r.established && !arrival.Held {
		return n.keep(ctx, r, arrival, ebms.Reply{Status: http.StatusNoContent})
	}
	return n.keep(ctx, r, arrival, n.inResponse(reply))
}

// inResponse is the HTTP answer that carries a reply.
func (n *Node) inResponse(d *Departure) ebms.Reply {
	body, err := ebms.ReadAll(d.Raw, 0)
	if err != nil {
		return n.unavailable(fmt.Errorf("reply %s: %w", d.Message.MessageID, err))
	}
	return ebms.Reply{Status: http.StatusOK, ContentType: d.Message.ContentType, Body: body}
}

// refuseSignal keeps a signal that could not be used. It is not answered, unless the store failed and the sender should come again.
func (n *Node) refuseSignal(ctx context.Context, r *reception, cause error) ebms.Reply {
	var failed *storeError
	if errors.As(cause, &failed) {
		return n.unavailable(cause)
	}
	return n.keep(ctx, r, n.quarantine(r, ebms.AsError(cause)), ebms.Reply{Status: http.StatusNoContent})
}

// KeepRefused keeps a request in quarantine that was refused by its size, its time or its media type before it was read
// as a message: the beginning of its body, and the reason. The partner was answered by its HTTP status.
func (n *Node) KeepRefused(ctx context.Context, request ebms.Request, refusal *ebms.RefusedError) {
	r := &reception{request: request, registry: n.registry.Snapshot(), record: newRecord(request)}
	a := n.quarantine(r, ebms.NewMimeProblem("", refusal))
	a.Message.Reason.Told = refusal.Text
	n.keep(ctx, r, a, ebms.Reply{})
}

// quarantine is the record of a refused message: its bytes, its reason, and nothing that anyone could use as a certificate.
func (n *Node) quarantine(r *reception, problem *ebms.Error) Arrival {
	m := r.record
	m.State = StateQuarantined
	m.Reason = &Reason{Code: string(problem.Code), Told: problem.Description, Cause: shortened(problem.Error())}
	actor := m.Partner
	if actor == "" {
		actor = "unknown sender at " + r.request.Remote
	}
	return Arrival{Message: m, Raw: r.request.Body, Audit: []AuditEntry{{
		At: m.Created, Actor: actor, Event: "message.quarantined", Subject: m.MessageID, Detail: m.Reason.Code + ": " + m.Reason.Cause,
	}}}
}

// maxCause bounds what a record repeats of a cause, in bytes: a cause may quote the sender.
const maxCause = 1 << 10

// shortened cuts text to maxCause, between characters.
func shortened(text string) string {
	if len(text) <= maxCause {
		return text
	}
	return strings.ToValidUTF8(text[:maxCause], "") + " ..."
}

// keep records a refused message and then gives the answer. An acknowledgment that the message carried counts all the same: it
// was verified with the header, and what was wrong is beside it.
func (n *Node) keep(ctx context.Context, r *reception, a Arrival, reply ebms.Reply) ebms.Reply {
	ctx = context.WithoutCancel(ctx) // as in accept
	if r.record.Content != "" && !r.isSignal() {
		settles, err := n.bundledReceipt(ctx, r)
		if err != nil {
			return n.unavailable(err)
		}
		a.Settles = settles
	}
	if _, err := n.accept(ctx, a); err != nil {
		return n.unavailable(err)
	}
	n.step("quarantined", a.Message, "", a.Message.Reason.Cause)
	n.log.Warn("message quarantined", "message_id", a.Message.MessageID, "partner", a.Message.Partner,
		"remote", r.request.Remote, "code", a.Message.Reason.Code, "cause", a.Message.Reason.Cause)
	return reply
}

// answerConflict tells the sender of a message that the store has put into quarantine why it did so.
func (n *Node) answerConflict(ctx context.Context, r *reception, a Accepted) ebms.Reply {
	problem := conflictOf(a)
	n.log.Error("message in conflict", "message_id", r.record.MessageID, "partner", r.record.Partner, "remote", r.request.Remote, "cause", problem.Cause)
	n.step("quarantined", r.record, "", problem.Cause.Error())
	reply, err := n.signal(r, ebms.NewMessageError(r.header, ebms.NewErrorList(problem), n.signalOptions(r)), KindError, r.agreement.SignatureRequired)
	if err != nil {
		return n.unavailable(err)
	}
	if r.answersInResponse() {
		return n.inResponse(reply)
	}
	if _, err := n.store.Enqueue(ctx, []Departure{*reply}); err != nil {
		return n.unavailable(err)
	}
	n.announce()
	return ebms.Reply{Status: http.StatusNoContent}
}

// conflictOf is what a conflict is told as.
func conflictOf(a Accepted) *ebms.Error {
	const sequence = "//Header/MessageOrder/SequenceNumber"
	switch {
	case a.FarAhead:
		return ebms.NewDeliveryFailure(ebms.SeverityError, sequence, fmt.Errorf("more than %d messages before it are missing", MaxAhead))
	case a.PlaceTaken:
		return ebms.NewInconsistent(sequence, errors.New("the SequenceNumber was used before for another message"))
	}
	return ebms.NewInconsistent(headerLocation+"/MessageData/MessageId", errors.New("the MessageId was used before for other content"))
}

// Error lists the findings in one line.
func (e *InvalidError) Error() string {
	text := "certificate breaks the rules of its form"
	for _, f := range e.Findings {
		text += fmt.Sprintf("; %s %s: %s", f.Code, f.Path, f.Text)
	}
	return text
}
