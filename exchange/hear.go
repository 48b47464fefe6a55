package exchange

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"

	"github.com/ecogate/ecogate/ebms"
	"github.com/ecogate/ecogate/eco"
	"github.com/ecogate/ecogate/exchange/fault"
	"github.com/ecogate/ecogate/partners"
	"github.com/ecogate/ecogate/signing"
)

// takeBusiness records a verified business message about a certificate and acknowledges it if that is asked for.
func (n *Node) takeBusiness(ctx context.Context, r *reception) ebms.Reply {
	copied, err := n.isCopy(ctx, r)
	if err != nil {
		return n.unavailable(err)
	}
	if copied {
		return n.repeat(ctx, r)
	}
	accepted, err := n.recordBusiness(ctx, r)
	if err != nil {
		return n.refuse(ctx, r, err)
	}
	if accepted.Conflict {
		return n.answerConflict(ctx, r, accepted)
	}
	return n.answer(ctx, r, accepted)
}

// recordBusiness reads a business message, decides what it does and records both.
func (n *Node) recordBusiness(ctx context.Context, r *reception) (Accepted, error) {
	switch r.record.Kind {
	case KindAnswer:
		return n.recordAnswer(ctx, r)
	case KindAnnouncement:
		return n.recordAnnouncement(ctx, r)
	case KindAnnouncementAnswer:
		return n.recordAnnouncementAnswer(ctx, r)
	}
	m, known := matterOf(r.record.Kind)
	if !known {
		return Accepted{}, ebms.NewNotSupported(headerLocation+"/Action", fmt.Errorf("action %q is no business message", r.header.Action))
	}
	if err := checkHeader(r); err != nil {
		return Accepted{}, err
	}
	s, err := n.readBusiness(r, m)
	if err != nil {
		return Accepted{}, err
	}
	n.step("verified", r.record, s.statement.Certificate.Reference, fmt.Sprintf("%s by %.16s", m.kind, r.record.Signer))
	for range maxTurns {
		arrival, err := n.arrivalOf(ctx, r, m, s)
		if err != nil {
			return Accepted{}, err
		}
		fault.Point("answer.verified")
		accepted, err := n.accept(ctx, arrival)
		if err != nil {
			return Accepted{}, &storeError{err}
		}
		fault.Point("answer.committed")
		if !accepted.Stale {
			n.reportBusiness(arrival, accepted)
			n.giveBackSettled(ctx, arrival.Settles, accepted.Settled)
			return accepted, nil
		}
	}
	return Accepted{}, &storeError{errTurns}
}

// arrivalOf is a business message with everything that it brings about, as the store stands now.
func (n *Node) arrivalOf(ctx context.Context, r *reception, m matter, s said) (Arrival, error) {
	v, err := m.judge(n, ctx, r, s)
	if illegal := (*eco.IllegalMove)(nil); errors.As(err, &illegal) {
		return Arrival{}, ebms.NewInconsistent(s.location, err)
	}
	if err != nil {
		return Arrival{}, err
	}
	arrival := Arrival{Message: r.record, Raw: r.request.Body, Changes: v.changes, Held: r.answersInResponse()}
	arrival.Message.State, arrival.Message.Business, arrival.Message.Certificate = StateAccepted, &s.business, keyOfID(s.statement.Certificate).in(r.agreement.Mode)
	arrival.Audit = []AuditEntry{{At: r.record.Created, Actor: r.agreement.Partner, Event: m.event,
		Subject: arrival.Message.Certificate.String(), Detail: told("message "+r.record.MessageID, r.record)}}
	arrival.Audit = append(arrival.Audit, v.audit...)
	if arrival.Settles, err = n.bundledReceipt(ctx, r); err != nil {
		return Arrival{}, err
	}
	if arrival.Reply = v.reply; arrival.Reply == nil {
		if arrival.Reply, err = n.acknowledgment(r); err != nil {
			return Arrival{}, &storeError{err}
		}
	}
	return arrival, nil
}

// reportBusiness tells people what came.
func (n *Node) reportBusiness(a Arrival, accepted Accepted) {
	m := a.Message
	if accepted.Fresh && !accepted.Conflict {
		n.step("stored", m, m.Certificate.Reference, string(m.Kind)+" about certificate "+m.Certificate.String())
		n.log.Info(string(m.Kind)+" received", "message_id", m.MessageID, "partner", m.Partner, "reference", m.Certificate.Reference)
	}
	if accepted.Settled {
		n.reportSettled(Message{MessageID: a.Settles.MessageID, Partner: a.Settles.Partner, Certificate: m.Certificate}, a.Settles)
	}
}

// readBusiness reads the one document of a business message from the octets that its signature covers.
func (n *Node) readBusiness(r *reception, m matter) (said, error) {
	defer n.computing()()
	part, err := r.document()
	if err != nil {
		return said{}, err
	}
	location := ebms.CIDToHref(part.ContentID)
	document, err := readDocument(part, location)
	if err != nil {
		return said{}, err
	}
	verified, err := n.verifyBusiness(r, m, document)
	if err != nil {
		return said{}, inDocument(location, err)
	}
	if verified != nil {
		document = verified.Octets
		r.record.DocumentSigner = signing.Fingerprint(verified.Signer)
		if err := n.checkRevocations(r); err != nil {
			return said{}, ebms.NewSecurityFailure(location, err)
		}
	}
	s, findings, err := m.read(document, r.registry.Forms())
	if err != nil {
		return said{}, ebms.NewOtherXML(location, err)
	}
	s.location = location
	if form := s.statement.Certificate.Form; !slices.Contains(r.agreement.Forms, form) {
		return said{}, ebms.NewValueNotRecognized(location, fmt.Errorf("form %q is not among the agreement's %v", form, r.agreement.Forms))
	}
	if m.byBody {
		c := s.statement.Certificate
		if _, err := checkIssuer(r, partners.IssuerQuery{Country: c.IssuingCountry, Body: c.IssuingBody, Form: c.Form}, verified.Signer); err != nil {
			return said{}, ebms.NewSecurityFailure(location, err)
		}
	}
	if eco.HasErrors(findings) {
		return said{}, ebms.NewInconsistent(location, &InvalidError{Findings: findings})
	}
	return s, nil
}

// verifyBusiness verifies the document's signature: the issuing body's where that speaks, and otherwise the node's, under the
// credentials of its messages. Where no signatures are agreed a node signs none, and nil is returned.
func (n *Node) verifyBusiness(r *reception, m matter, document []byte) (*signing.Verified, error) {
	if m.byBody {
		verified, err := n.verifyDocument(r, document, m.document.SignaturePath())
		if err != nil {
			return nil, err
		}
		return verified, n.checkStamp(r, verified)
	}
	if !r.agreement.SignatureRequired {
		return nil, nil
	}
	return n.underCounting(r, partners.UseMessageSignature, func(candidates []*x509.Certificate) (*signing.Verified, error) {
		return signing.VerifyDocument(document, m.document.SignaturePath(), candidates, r.agreement.SignaturePolicy(r.request.Received))
	})
}

// subject finds the certificate that a message of a partner is about, in one direction: one that this partner sent or received. A
// certificate that is another partner's and one that was never here are not told apart.
func (n *Node) subject(ctx context.Context, r *reception, s said, direction Direction) (Certificate, error) {
	id := s.statement.Certificate
	found, err := n.heldBy(ctx, r.agreement.Partner, direction, keyOfID(id).in(r.agreement.Mode))
	if err != nil {
		return Certificate{}, err
	}
	if len(found) == 0 {
		return Certificate{}, ebms.NewValueNotRecognized(s.location, fmt.Errorf("no certificate %s is %s with %s", keyOfID(id).in(r.agreement.Mode), direction, r.agreement.Partner))
	}
	if c := found[0]; id.IssuingBody == c.Data.IssuingBody.ID {
		return c, nil
	}
	return Certificate{}, ebms.NewInconsistent(s.location, fmt.Errorf("certificate %s is of issuing body %q, the message says %q", keyOfID(id).in(r.agreement.Mode), found[0].Data.IssuingBody.ID, id.IssuingBody))
}

// heldBy are the certificates with a key that a partner sent or received, newest first, those that were replaced, or refused because another one
// holds, last.
func (n *Node) heldBy(ctx context.Context, partner string, direction Direction, key CertificateKey) ([]Certificate, error) {
	found, err := n.store.Certificates(ctx, CertificateQuery{
		Direction: direction, Partner: partner, Country: key.Country, Form: key.Form, Reference: key.Reference,
	})
	if err != nil {
		return nil, &storeError{err}
	}
	found = slices.DeleteFunc(found, func(c Certificate) bool { return c.Key.Test != key.Test })
	aside := func(c Certificate) int {
		if c.State == CertificateReplaced || c.State == CertificateRefused {
			return 1
		}
		return 0
	}
	slices.SortStableFunc(found, func(a, b Certificate) int { return aside(a) - aside(b) })
	return found, nil
}

// askedIn finds the message of ours that a reply answers.
func (n *Node) askedIn(ctx context.Context, r *reception, kind Kind) (Message, error) {
	sent, found, err := n.sent(ctx, r.agreement.Partner, r.header.RefToMessageID)
	if err != nil {
		return Message{}, err
	}
	if !found || sent.Kind != kind || sent.Business == nil {
		return Message{}, ebms.NewValueNotRecognized(headerLocation+"/MessageData/RefToMessageId",
			fmt.Errorf("no %s was sent to %s in a message %q", kind, r.agreement.Partner, r.header.RefToMessageID))
	}
	if _, err := n.sameAgreement(r, sent); err != nil {
		return Message{}, err
	}
	return sent, nil
}
