package exchange

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/ecogate/ecogate/ebms"
	"github.com/ecogate/ecogate/eco"
	"github.com/ecogate/ecogate/exchange/fault"
	"github.com/ecogate/ecogate/partners"
	"github.com/ecogate/ecogate/ubl"
)

// answerTo composes the business message that answers a certificate in the HTTP response, with the acknowledgment in it if one
// is asked for (ebMS 2.0 §4.3, §6.3.2.7). It says what the agreement's mode has travel there: that the certificate was received
// and verified, what becomes of it, or both.
func (n *Node) answerTo(ctx context.Context, r *reception, c *Certificate, changes []Change) (*Departure, error) {
	verdict, err := n.verdict(ctx, c, changes)
	if err != nil {
		return nil, err
	}
	var answers []eco.Answer
	if mode := r.agreement.SyncReply; mode != partners.SyncReplyResponse {
		answers = append(answers, eco.Answer{Kind: eco.AnswerReceived})
	}
	if mode := r.agreement.SyncReply; mode != partners.SyncReplyBusinessSignals && (answers == nil || verdict.Kind != eco.AnswerReceived) {
		answers = append(answers, verdict)
	}
	defer n.computing()()
	now := n.now().UTC()
	id := n.newID()
	m := n.draft(r.agreement, id, now)
	m.ConversationID, m.RefToMessageID, m.Action = r.header.ConversationID, r.header.MessageID, r.agreement.AnswerAction
	if r.header.AckRequested != nil {
		m.Acknowledgment = ebms.NewAcknowledgment(r.header, n.signalOptions(r)).Acknowledgment
		r.confirm(m.Acknowledgment)
	}
	self := n.registry.Self()
	var parts []ebms.Part
	for i := range answers {
		a := &answers[i]
		a.ID, a.IssueTime = fmt.Sprintf("%d-%s", i+1, id), now
		a.Certificate = eco.CertificateID{
			IssuingCountry: c.Data.IssuingCountry, Form: c.Data.Form, Reference: c.Data.Reference, IssuingBody: c.Data.IssuingBody.ID,
		}
		a.Authority = eco.Authority{Name: cmp.Or(self.Name, self.ID), Country: self.Country}
		document, err := ubl.MarshalAnswer(*a, n.registry.Forms())
		if err != nil {
			return nil, fmt.Errorf("answer to certificate %s: %w", c.Data.Reference, err)
		}
		parts = append(parts, m.carry("an-"+a.ID, fmt.Sprintf("answer-%d", i+1), "", ubl.MediaType, ebms.Bytes(document)))
	}
	signed := r.agreement.SignatureRequired || r.header.AckRequested != nil && r.header.AckRequested.Signed
	d, err := n.seal(r.agreement, m.Message, parts, signed, now)
	if err != nil {
		return nil, fmt.Errorf("answer to %q: %w", r.record.MessageID, err)
	}
	d.Message.Kind = KindAnswer
	d.Message.Answers = answers
	d.Message.Certificate = c.Key
	n.address(&d.Message, r.agreement)
	return &d, nil
}

// verdict is what this node says of a certificate by itself, on what it knows when the certificate comes: it may be used, since
// it was verified, unless another one has its reference, or an officer has to decide first. changes are those that it brings with it. What
// customs make of it later is another thing to say.
func (n *Node) verdict(ctx context.Context, c *Certificate, changes []Change) (eco.Answer, error) {
	held, err := n.store.Certificates(ctx, CertificateQuery{Direction: Inbound, Country: c.Key.Country, Form: c.Key.Form, Reference: c.Key.Reference})
	if err != nil {
		return eco.Answer{}, err
	}
	if other := rivalOf(c, held, changes); other != nil {
		text := "another certificate with this reference and other content was received"
		if other.Partner == c.Partner { // of what others send nobody is told more
			text += fmt.Sprintf(" on %s in message %s", other.Recorded.UTC().Format(time.RFC3339), other.Message)
		}
		return eco.Answer{Kind: eco.AnswerRejected, Reasons: []eco.Reason{{Code: eco.CodeReferenceReused, Text: text}}}, nil
	}
	if c.Dealings.OnHold() {
		return eco.Answer{Kind: eco.AnswerReceived}, nil
	}
	return eco.Answer{Kind: eco.AnswerAccepted}, nil
}

// rivalOf is the certificate among those held that keeps c from being used, because it has c's key and other content; nil if there is none.
// One that was replaced, or is by changes, keeps none. Where an officer has settled which one holds, that one has no rival.
func rivalOf(c *Certificate, held []Certificate, changes []Change) (rival *Certificate) {
	for i := range held {
		other := &held[i]
		replaced := other.State == CertificateReplaced || slices.ContainsFunc(changes, func(change Change) bool {
			return change.Seq == other.Seq && change.State == CertificateReplaced
		})
		switch {
		case other.Key != c.Key || replaced:
		case other.Content == c.Content && other.State != CertificateInConflict && other.State != CertificateRefused:
			return nil
		case other.Content != c.Content && (rival == nil || rival.State == CertificateRefused):
			rival = other
		}
	}
	return rival
}

// recordAnswer reads what the partner says of a certificate and records it with whatever its bundled acknowledgment settles.
func (n *Node) recordAnswer(ctx context.Context, r *reception) (Accepted, error) {
	if err := checkHeader(r); err != nil {
		return Accepted{}, err
	}
	sent, err := n.answered(ctx, r)
	if err != nil {
		return Accepted{}, err
	}
	answers, err := n.readAnswers(r, sent)
	if err != nil {
		return Accepted{}, err
	}
	for range maxTurns {
		accepted, err := n.acceptAnswers(ctx, r, sent, answers)
		if err != nil || !accepted.Stale {
			return accepted, err
		}
	}
	return Accepted{}, &storeError{errTurns}
}

// acceptAnswers records answers, and what they do to the certificate as it stands now.
func (n *Node) acceptAnswers(ctx context.Context, r *reception, sent Message, answers []eco.Answer) (Accepted, error) {
	changes, audit, err := n.answeredBy(ctx, r, sent, answers)
	if err != nil {
		return Accepted{}, err
	}
	arrival := Arrival{Message: r.record, Raw: r.request.Body, Held: r.answersInResponse(), Changes: changes, Audit: audit}
	arrival.Message.State, arrival.Message.Answers, arrival.Message.Certificate = StateAccepted, answers, sent.Certificate
	for _, a := range answers {
		arrival.Audit = append(arrival.Audit, AuditEntry{At: r.record.Created, Actor: r.agreement.Partner, Event: "certificate.answered",
			Subject: sent.Certificate.String(), Detail: told(string(a.Kind)+", message "+r.record.MessageID, r.record)})
	}
	return n.acceptAnswer(ctx, r, sent, arrival, func() {
		for _, a := range answers {
			n.step("answered", sent, sent.Certificate.Reference, "the partner says: "+string(a.Kind))
			n.log.Info("certificate answered", "message_id", sent.MessageID, "partner", sent.Partner, "answer", a.Kind)
		}
	})
}

// acceptAnswer records an answer to what was sent, with the acknowledgment that is bundled with it and our own; heard is called if it was
// not heard before.
func (n *Node) acceptAnswer(ctx context.Context, r *reception, sent Message, arrival Arrival, heard func()) (Accepted, error) {
	var err error
	if arrival.Settles, err = n.bundledReceipt(ctx, r); err != nil {
		return Accepted{}, err
	}
	if arrival.Reply, err = n.acknowledgment(r); err != nil {
		return Accepted{}, &storeError{err}
	}
	fault.Point("answer.verified")
	accepted, err := n.accept(ctx, arrival)
	if err != nil {
		return Accepted{}, &storeError{err}
	}
	fault.Point("answer.committed")
	if accepted.Stale {
		return accepted, nil
	}
	if accepted.Fresh && !accepted.Conflict {
		heard()
	}
	if accepted.Settled {
		n.reportSettled(sent, arrival.Settles)
	}
	n.giveBackSettled(ctx, arrival.Settles, accepted.Settled)
	return accepted, nil
}

// answered finds the message of ours that an answer is about.
func (n *Node) answered(ctx context.Context, r *reception) (Message, error) {
	sent, found, err := n.sent(ctx, r.agreement.Partner, r.header.RefToMessageID)
	if err != nil {
		return Message{}, err
	}
	if !found || sent.Kind != KindCertificate {
		return Message{}, ebms.NewValueNotRecognized(headerLocation+"/MessageData/RefToMessageId",
			fmt.Errorf("no certificate was sent to %s in a message %q", r.agreement.Partner, r.header.RefToMessageID))
	}
	if _, err := n.sameAgreement(r, sent); err != nil {
		return Message{}, err
	}
	return sent, nil
}

// readAnswers reads the answers among the parts and holds them to the certificate that they answer.
func (n *Node) readAnswers(r *reception, sent Message) ([]eco.Answer, error) {
	defer n.computing()()
	if err := r.pkg.CheckManifest(r.header); err != nil {
		return nil, err
	}
	if len(r.header.Manifest) == 0 {
		return nil, ebms.NewMimeProblem("//Body/Manifest", errors.New("the message carries no payload, an answer was expected"))
	}
	var answers []eco.Answer
	for _, reference := range r.header.Manifest {
		part, _ := r.pkg.Resolve(reference.Href)
		location := ebms.CIDToHref(part.ContentID)
		document, err := readDocument(part, location)
		if err != nil {
			return nil, err
		}
		answer, findings, err := ubl.UnmarshalAnswer(document, r.registry.Forms())
		if err != nil {
			return nil, ebms.NewOtherXML(location, err)
		}
		if findings = append(findings, eco.ValidateAnswer(answer, n.registry.Forms())...); eco.HasErrors(findings) {
			return nil, ebms.NewInconsistent(location, &InvalidError{Findings: findings})
		}
		about := CertificateKey{
			Country: answer.Certificate.IssuingCountry, Form: answer.Certificate.Form, Reference: eco.NormaliseReference(answer.Certificate.Reference),
			Test: sent.Certificate.Test, // which the document does not say
		}
		if about != sent.Certificate {
			return nil, ebms.NewInconsistent(location, fmt.Errorf("the answer is about certificate %s, message %q carried %s", about, sent.MessageID, sent.Certificate))
		}
		answers = append(answers, answer)
	}
	return answers, nil
}

// answerRequest answers a Ping with a Pong (ebMS 2.0 §8) and a StatusRequest with a StatusResponse (§7).
func (n *Node) answerRequest(ctx context.Context, r *reception) ebms.Reply {
	kind, location := KindPong, headerLocation+"/Action"
	agreed := r.agreement.Ping
	if r.record.Kind == KindStatusRequest {
		kind, agreed = KindStatusResponse, r.agreement.MessageStatus
	}
	if !agreed {
		return n.refuse(ctx, r, ebms.NewNotSupported(location, fmt.Errorf("the agreement has no %s", r.record.Kind)))
	}
	if r.ended != nil {
		return n.refuse(ctx, r, ebms.NewInconsistent(headerLocation+"/CPAId", r.ended))
	}
	if ttl := r.header.TimeToLive; !ttl.IsZero() && !r.request.Received.Before(ttl) {
		return n.refuse(ctx, r, ebms.NewTimeToLiveExpired(fmt.Errorf("expired at %s", ttl)))
	}
	m := ebms.NewPong(r.header, n.signalOptions(r))
	if kind == KindStatusResponse {
		status, err := n.statusOf(ctx, r)
		if err != nil {
			return n.unavailable(err)
		}
		m = ebms.NewStatusResponse(r.header, status, n.signalOptions(r))
	}
	reply, err := n.signal(r, m, kind, r.agreement.SignatureRequired)
	if err != nil {
		return n.unavailable(err)
	}
	arrival := Arrival{Message: r.record, Raw: r.request.Body, Reply: reply, Held: r.answersInResponse()}
	arrival.Message.State = StateAccepted
	arrival.Audit = []AuditEntry{{At: r.record.Created, Actor: r.agreement.Partner, Event: "message." + string(r.record.Kind), Subject: r.record.MessageID}}
	accepted, err := n.accept(ctx, arrival)
	if err != nil {
		return n.unavailable(err)
	}
	if accepted.Conflict {
		return n.answerConflict(ctx, r, accepted)
	}
	return n.answer(ctx, r, accepted)
}

// statusOf is what this node tells of a message (ebMS 2.0 §7.1.2, §7.3.3). Only the party that sent a message may ask for it,
// and of one that was signed only under its signature: another agreement of the party may ask for none.
// One that was refused is not recognized: its sender was told why, and should not believe that it is here.
func (n *Node) statusOf(ctx context.Context, r *reception) (ebms.StatusResponse, error) {
	about := r.header.StatusRequest.RefToMessageID
	status := ebms.StatusResponse{RefToMessageID: about, Status: ebms.StatusNotRecognized}
	for _, state := range []State{StateAccepted, StateReceived} {
		found, err := n.store.Messages(ctx, MessageQuery{MessageID: about, Direction: Inbound, State: state})
		if err != nil {
			return status, err
		}
		for _, m := range found {
			switch {
			case m.Partner != r.agreement.Partner, m.Signer != "" && r.verified == nil:
				status.Status = ebms.StatusUnAuthorized
			case state == StateReceived:
				return ebms.StatusResponse{RefToMessageID: about, Status: ebms.StatusReceived, Timestamp: m.Created}, nil
			default:
				return ebms.StatusResponse{RefToMessageID: about, Status: ebms.StatusProcessed, Timestamp: m.Created}, nil
			}
		}
	}
	return status, nil
}

// recordResponse records a Pong or a StatusResponse, which answers a request of ours.
func (n *Node) recordResponse(ctx context.Context, r *reception) error {
	sent, found, err := n.sent(ctx, r.agreement.Partner, r.header.RefToMessageID)
	if err != nil {
		return err
	}
	want := map[Kind]Kind{KindPong: KindPing, KindStatusResponse: KindStatusRequest}[r.record.Kind]
	if !found || sent.Kind != want {
		return ebms.NewValueNotRecognized(headerLocation+"/MessageData/RefToMessageId",
			fmt.Errorf("no %s %q was sent to %s", want, r.header.RefToMessageID, r.agreement.Partner))
	}
	if _, err := n.sameAgreement(r, sent); err != nil {
		return err
	}
	arrival := Arrival{Message: r.record, Raw: r.request.Body}
	arrival.Message.State = StateAccepted
	arrival.Audit = []AuditEntry{{At: r.record.Created, Actor: r.agreement.Partner, Event: "message." + string(r.record.Kind), Subject: r.header.RefToMessageID}}
	if _, err := n.accept(ctx, arrival); err != nil {
		return &storeError{err}
	}
	return nil
}
