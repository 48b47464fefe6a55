package exchange

import (
	"context"
	"fmt"
	"time"

	"github.com/ecogate/ecogate/ebms"
	"github.com/ecogate/ecogate/eco"
	"github.com/ecogate/ecogate/ubl"
)

// CertificateStatus is what a partner says of a certificate.
type CertificateStatus struct {
	Partner string `json:"partner"`
	// MessageID is that of the question, which goes on asking if nobody waits for the answer any more.
	MessageID string            `json:"message_id"`
	Report    *eco.StatusReport `json:"report,omitempty"`
	Answered  time.Time         `json:"answered,omitzero"`
}

// AskCertificate asks a partner whether a certificate has arrived and where it stands, and waits for the report until ctx ends. The
// certificate need not be known here. The question is queued like every message, so it is asked even if nobody waits.
//
// Errors: *InvalidError, ErrNotAgreed and those of partners.Registry.Outbound; ErrNoAnswer, with MessageID set, when no report came
// in time or the partner refused the question.
func (n *Node) AskCertificate(ctx context.Context, actor, partner string, about eco.CertificateID) (CertificateStatus, error) {
	m, _ := matterOf(KindCertificateRequest)
	now := n.now().UTC()
	agreement, err := n.agreementFor(m, partner, about.Form, now)
	if err != nil {
		return CertificateStatus{}, err
	}
	u := utterance{matter: m, actor: actor, agreement: agreement, id: n.newID(), at: now}
	q := eco.StatusRequest{Statement: n.statement(u.id, now, about, "")}
	u.said = said{statement: q.Statement, business: Business{StatusRequest: &q}}
	if err := n.written(ctx, &u, eco.ValidateStatusRequest(q, n.registry.Forms()), func() ([]byte, error) { return ubl.MarshalStatusRequest(q, n.registry.Forms()) }); err != nil {
		return CertificateStatus{}, err
	}
	sent, err := n.say(ctx, func() (Departure, error) { return n.composeSaid(u) })
	if err != nil {
		return CertificateStatus{}, err
	}
	return n.awaitReport(ctx, CertificateStatus{Partner: partner, MessageID: sent.MessageID})
}

// awaitReport waits until the report is in the store, or the question has failed.
func (n *Node) awaitReport(ctx context.Context, s CertificateStatus) (CertificateStatus, error) {
	tick := time.NewTicker(answerPoll)
	defer tick.Stop()
	for {
		found, err := n.store.Messages(ctx, MessageQuery{RefToMessageID: s.MessageID, Direction: Inbound, State: StateAccepted, Partner: s.Partner})
		if err != nil && ctx.Err() == nil {
			return s, fmt.Errorf("finding the report on %q: %w", s.MessageID, err)
		}
		for _, m := range found {
			if m.Kind == KindCertificateReport && m.Business != nil {
				s.Report, s.Answered = m.Business.StatusReport, m.Created
				return s, nil
			}
		}
		question, known, err := n.sent(ctx, s.Partner, s.MessageID)
		if err == nil && known && question.State.Terminal() && question.State != StateDelivered {
			return s, fmt.Errorf("%w %s: the question is %s: %s", ErrNoAnswer, s.Partner, question.State, question.Reason.Cause)
		}
		select {
		case <-ctx.Done():
			return s, fmt.Errorf("%w %s: no report on message %q until now", ErrNoAnswer, s.Partner, s.MessageID)
		case <-tick.C:
		}
	}
}

// judgeStatusRequest answers from the store, for certificates that this partner sent or received. Of all others it says that
// nothing is known, in the same words and after the same look-ups.
func (n *Node) judgeStatusRequest(ctx context.Context, r *reception, s said) (verdict, error) {
	reply, err := n.report(ctx, r, s)
	if err != nil {
		return verdict{}, &storeError{err}
	}
	return verdict{reply: reply}, nil
}

// report composes the answer to a status request, with the acknowledgment in it if one is asked for.
func (n *Node) report(ctx context.Context, r *reception, s said) (*Departure, error) {
	m, _ := matterOf(KindCertificateReport)
	u := utterance{matter: m, actor: "node", agreement: r.agreement, id: n.newID(), at: n.now().UTC()}
	if m.action(&r.agreement.Actions) == "" {
		return nil, nil // they agreed on questions and on no answers: the acknowledgment is all that there is
	}
	report := eco.StatusReport{Statement: n.statement(u.id, u.at, s.statement.Certificate, ""), Request: s.statement.ID, Standing: eco.StandingUnknown}
	for _, direction := range []Direction{Inbound, Outbound} {
		found, err := n.heldBy(ctx, r.agreement.Partner, direction, keyOfID(s.statement.Certificate).in(r.agreement.Mode))
		if err != nil {
			return nil, err
		}
		if len(found) > 0 && report.Standing == eco.StandingUnknown {
			tellStanding(&report, found[0])
		}
	}
	u.said = said{statement: report.Statement, business: Business{StatusReport: &report}}
	if err := n.written(ctx, &u, nil, func() ([]byte, error) { return ubl.MarshalStatusReport(report, n.registry.Forms()) }); err != nil {
		return nil, err
	}
	return n.composeReport(r, u)
}

func (n *Node) composeReport(r *reception, u utterance) (*Departure, error) {
	defer n.computing()()
	d := n.draft(r.agreement, u.id, u.at)
	d.Action, d.RefToMessageID, d.ConversationID = u.matter.action(&r.agreement.Actions), r.header.MessageID, r.header.ConversationID
	if r.header.AckRequested != nil {
		d.Acknowledgment = ebms.NewAcknowledgment(r.header, n.signalOptions(r)).Acknowledgment
		r.confirm(d.Acknowledgment)
	}
	part := d.carry("bm-"+u.id, "message", "", ubl.MediaType, ebms.Bytes(u.document))
	signed := r.agreement.SignatureRequired || r.header.AckRequested != nil && r.header.AckRequested.Signed
	departure, err := n.seal(r.agreement, d.Message, []ebms.Part{part}, signed, u.at)
	if err != nil {
		return nil, fmt.Errorf("report on %q: %w", r.record.MessageID, err)
	}
	n.describe(&departure, u)
	return &departure, nil
}

// standings are what partners are told of a certificate's state.
var standings = map[CertificateState]eco.Standing{
	CertificateReleased: eco.StandingIssued, CertificateReceipted: eco.StandingIssued, CertificateSent: eco.StandingIssued, CertificateFailed: eco.StandingIssued,
	CertificateAccepted: eco.StandingIssued, CertificateRejected: eco.StandingIssued,
	CertificateReceived: eco.StandingReceived, CertificateAvailable: eco.StandingAvailable, CertificateInConflict: eco.StandingInConflict,
	CertificateUsedInPart: eco.StandingUsedInPart, CertificateUsedUp: eco.StandingUsedUp, CertificateDenied: eco.StandingDenied,
	CertificateSuspended: eco.StandingSuspended, CertificateCancelled: eco.StandingCancelled, CertificateReplaced: eco.StandingReplaced,
	CertificateCited: eco.StandingAvailable, CertificateExpired: eco.StandingExpired,
}

// tellStanding says where a certificate stands. Another issuing body than the one that was asked for is another certificate; one that
// was refused at the door does not count as having arrived.
func tellStanding(report *eco.StatusReport, c Certificate) {
	standing, told := standings[c.State]
	if body := report.Certificate.IssuingBody; !told || body != "" && body != c.Data.IssuingBody.ID {
		return
	}
	report.Certificate = idOf(c.Data)
	report.Standing, report.Since = standing, c.Recorded.UTC()
	for _, item := range c.Dealings.Items {
		report.Items = append(report.Items, item.ItemOutcome)
	}
}

// judgeStatusReport holds a report to the question that it answers.
func (n *Node) judgeStatusReport(ctx context.Context, r *reception, s said) (verdict, error) {
	question, err := n.askedIn(ctx, r, KindCertificateRequest)
	if err != nil {
		return verdict{}, err
	}
	asked, report := question.Business.StatusRequest, s.business.StatusReport
	about := keyOfID(report.Certificate)
	about.Test = question.Certificate.Test // which the document does not say
	if report.Request != asked.ID || about != question.Certificate {
		return verdict{}, ebms.NewInconsistent(s.location, fmt.Errorf("the report is about certificate %s and request %q, message %q asked for %s in request %q",
			about, report.Request, question.MessageID, question.Certificate, asked.ID))
	}
	return verdict{}, nil
}
