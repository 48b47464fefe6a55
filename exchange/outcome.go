package exchange

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/ecogate/ecogate/eco"
)

// Events of the audit log that tell of an exported certificate which the partner refused or doubts. The subject is its key, the detail an
// eco.Refusal.
const (
	EventRejected  = "certificate.rejected"  // at the door: a business answer, an ebXML error, or a delivery that ended without either
	EventDenied    = "certificate.denied"    // by the importing customs
	EventSuspended = "certificate.suspended" // by them, until a doubt is cleared up
	EventAsked     = "verification.asked"    // by them
)

// RefusalEvents lists them.
func RefusalEvents() []string {
	return []string{EventRejected, EventDenied, EventSuspended, EventAsked}
}

// refusal is the audit entry about one.
func refusal(c Certificate, event, actor string, m Message, reasons []eco.Reason) AuditEntry {
	return AuditEntry{At: m.Created, Actor: actor, Event: event, Subject: c.Key.String(), Detail: eco.RefusalFor(c.Data.IssuingBody.ID, reasons).String()}
}

// refusals are the audit entries about what a customs response refuses or doubts.
func refusals(c Certificate, r eco.CustomsResponse, m Message) (entries []AuditEntry) {
	for _, kind := range []struct {
		status eco.CustomsStatus
		event  string
	}{{eco.CustomsDenied, EventDenied}, {eco.CustomsSuspended, EventSuspended}} {
		var numbers []string
		for _, item := range r.Items {
			if item.Status == kind.status {
				numbers = append(numbers, fmt.Sprint(item.Item))
			}
		}
		if numbers == nil {
			continue
		}
		reasons := slices.Clone(slices.CompactFunc(reasonsOf(r, kind.status), func(a, b eco.Reason) bool { return a == b }))
		about := "item " + strings.Join(numbers, ", ")
		if r.Declaration != "" {
			about += " of declaration " + r.Declaration
		}
		reasons[0].Text = about + ": " + eco.RefusalFor("", reasons[:1]).Text
		entries = append(entries, refusal(c, kind.event, m.Partner, m, reasons))
	}
	return entries
}

// carried finds the exported certificate that a message of ours carried, or carried again on request; false if there is none.
func (n *Node) carried(ctx context.Context, m Message) (Certificate, bool, error) {
	if m.Kind != KindCertificate || m.Direction != Outbound {
		return Certificate{}, false, nil
	}
	found, err := n.heldBy(ctx, m.Partner, Outbound, m.Certificate)
	if err != nil {
		return Certificate{}, false, err
	}
	for _, c := range found {
		if c.Message == m.MessageID || m.RefToMessageID != "" && c.Message == m.RefToMessageID {
			return c, true, nil
		}
	}
	return Certificate{}, false, nil
}

// undelivered is the audit entry about a certificate that a message of ours did not bring to its partner for a reason; none if it carried none.
func (n *Node) undelivered(ctx context.Context, sent Message, by string, at time.Time, why eco.Reason) ([]AuditEntry, error) {
	c, known, err := n.carried(ctx, sent)
	if err != nil || !known || c.Message != sent.MessageID {
		return nil, err
	}
	entry := refusal(c, EventRejected, by, sent, []eco.Reason{why})
	entry.At = at
	return []AuditEntry{entry}, nil
}

// answeredBy is the change that answers to a message of ours make to the certificate that it carried, and what the audit log says of a
// rejection. Of several answers the one with the latest time counts, and of a received one nothing follows. What the certificate does not
// allow where it stands, such as a rejection after goods were cleared, is recorded and moves nothing.
func (n *Node) answeredBy(ctx context.Context, r *reception, sent Message, answers []eco.Answer) ([]Change, []AuditEntry, error) {
	var last eco.Answer
	for _, a := range answers {
		if a.Kind != eco.AnswerReceived && !a.IssueTime.Before(last.IssueTime) {
			last = a
		}
	}
	c, known, err := n.carried(ctx, sent)
	if err != nil || !known || last.Kind == "" {
		return nil, nil, err
	}
	var audit []AuditEntry
	if last.Kind == eco.AnswerRejected {
		audit = []AuditEntry{refusal(c, EventRejected, r.agreement.Partner, r.record, last.Reasons)}
	}
	overtaken, err := n.overtaken(ctx, sent, last)
	if err != nil || overtaken {
		return nil, audit, err
	}
	event := eco.Event{Kind: eco.EventAccept, At: last.IssueTime, By: r.agreement.Partner, Message: c.Message, Reasons: last.Reasons}
	switch {
	case last.Kind == eco.AnswerAccepted && c.State == CertificateRejected:
		event.Kind = eco.EventSettle
	case last.Kind == eco.AnswerRejected && c.State == CertificateAccepted:
		event.Kind = eco.EventRefuse
	case last.Kind == eco.AnswerRejected:
		event.Kind = eco.EventReject
	}
	change, err := moved(c, c.Dealings, event)
	if illegal := (*eco.IllegalMove)(nil); errors.As(err, &illegal) {
		n.log.Warn("answer to a certificate moves nothing", "message_id", sent.MessageID, "partner", sent.Partner, "answer", last.Kind, "why", illegal.Why)
		return nil, audit, nil
	}
	if err != nil || change.State == c.State {
		return nil, audit, err
	}
	return []Change{change}, audit, nil
}

// overtaken reports whether the partner decided about the same message at a later time than that of an answer, and we heard that first.
func (n *Node) overtaken(ctx context.Context, sent Message, a eco.Answer) (bool, error) {
	before, err := n.store.Messages(ctx, MessageQuery{RefToMessageID: sent.MessageID, Direction: Inbound, Partner: sent.Partner, Kind: KindAnswer, State: StateAccepted})
	if err != nil {
		return false, &storeError{err}
	}
	return slices.ContainsFunc(before, func(m Message) bool {
		return slices.ContainsFunc(m.Answers, func(other eco.Answer) bool {
			return other.Kind != eco.AnswerReceived && other.IssueTime.After(a.IssueTime)
		})
	}), nil
}
