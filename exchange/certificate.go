package exchange

import (
	"context"
	"crypto/x509"
	"encoding/xml"
	"errors"
	"fmt"
	"net/http"
	"slices"

	"github.com/ecogate/ecogate/ebms"
	"github.com/ecogate/ecogate/eco"
	"github.com/ecogate/ecogate/exchange/fault"
	"github.com/ecogate/ecogate/partners"
	"github.com/ecogate/ecogate/signing"
	"github.com/ecogate/ecogate/ubl"
)

// takeCertificate records a verified message that carries a certificate and acknowledges it.
func (n *Node) takeCertificate(ctx context.Context, r *reception) ebms.Reply {
	copied, err := n.isCopy(ctx, r)
	if err != nil {
		return n.unavailable(err)
	}
	if copied {
		return n.repeat(ctx, r)
	}
	if err := checkHeader(r); err != nil {
		return n.refuse(ctx, r, err)
	}
	certificate, document, err := n.readCertificate(ctx, r)
	if err != nil {
		return n.refuse(ctx, r, err)
	}
	certificate.SignerRevoked = n.revoked(r.agreement.Partner, certificate.DocumentSigner, partners.UseDocumentSignature, r.request.Received)
	n.step("verified", r.record, certificate.Data.Reference, fmt.Sprintf("message by %.16s, document by %.16s", r.record.Signer, certificate.DocumentSigner))
	cancels := certificate.Data.Status == eco.StatusCancellation
	if r.record.Kind == KindCancellation && !cancels {
		return n.refuse(ctx, r, ebms.NewInconsistent(headerLocation+"/Action", fmt.Errorf("a cancellation by its action carries a document with status %q", certificate.Data.Status)))
	}
	for range maxTurns {
		decide := n.replacedBy
		if cancels {
			r.record.Kind = KindCancellation
			decide = n.cancelledBy
		}
		does, err := decide(ctx, r, certificate)
		if err != nil {
			return n.refuse(ctx, r, err)
		}
		if reply, stale := n.record(ctx, r, certificate, document, does); !stale {
			return reply
		}
	}
	return n.unavailable(errTurns)
}

// errTurns: others changed a certificate each time that a change of it was decided.
var errTurns = errors.New("a certificate is changed faster than it can be looked at")

// record stores the message with its certificate and what answers it, and only then answers. stale: a change does not fit any
// more, and nothing was stored.
func (n *Node) record(ctx context.Context, r *reception, certificate *Certificate, document []byte, does verdict) (_ ebms.Reply, stale bool) {
	event := "certificate.cancelled"
	arrival := Arrival{Message: r.record, Raw: r.request.Body, Changes: does.changes, Held: r.answersInResponse()}
	detail := "message " + r.record.MessageID
	if r.record.Kind == KindCertificate {
		event = "certificate.received"
		detail += certificate.doubt("; suspended: ")
		arrival.Certificate, arrival.Document = certificate, document
	} else {
		detail += citing(does.changes)
	}
	arrival.Message.State = StateAccepted
	arrival.Message.Certificate = certificate.Key
	arrival.Audit = []AuditEntry{{At: r.record.Created, Actor: r.agreement.Partner, Event: event,
		Subject: certificate.Key.String(), Detail: told(detail, r.record)}}
	arrival.Audit = append(arrival.Audit, does.audit...)
	if o := r.header.Order; o != nil {
		arrival.Message.Order = &Order{Sequence: o.Sequence, Reset: o.Reset}
	}
	var err error
	if arrival.Settles, err = n.bundledReceipt(ctx, r); err != nil {
		return n.unavailable(err), false
	}
	if arrival.Reply, err = n.replyTo(ctx, r, certificate, does.changes); err != nil {
		return n.unavailable(err), false
	}
	if r.record.Kind == KindCertificate {
		if err := n.tellConflict(ctx, r, certificate, does.changes); err != nil {
			return n.unavailable(err), false
		}
	}
	fault.Point("receive.composed")
	accepted, err := n.accept(ctx, arrival)
	if err != nil {
		return n.unavailable(err), false
	}
	fault.Point("receive.committed")
	if accepted.Stale {
		return ebms.Reply{}, true
	}
	if accepted.Conflict {
		return n.answerConflict(ctx, r, accepted), false
	}
	n.giveBackSettled(ctx, arrival.Settles, accepted.Settled)
	if accepted.Fresh {
		n.step("stored", accepted.Message, certificate.Data.Reference, string(r.record.Kind)+" "+certificate.Key.String())
		n.log.Info(string(r.record.Kind)+" received", "message_id", r.record.MessageID, "partner", r.record.Partner, "reference", certificate.Data.Reference)
		if doubt := certificate.doubt(""); doubt != "" && r.record.Kind == KindCertificate {
			n.step("held", accepted.Message, certificate.Data.Reference, doubt)
			n.log.Warn("certificate waits for an officer: its issuer is in doubt", "message_id", r.record.MessageID, "partner", r.record.Partner,
				"reference", certificate.Data.Reference, "doubt", doubt)
		}
		n.reportOrder(accepted)
	}
	return n.answer(ctx, r, accepted), false
}

// replyTo composes what answers a certificate: its acknowledgment or, where the agreement has business answers travel in the
// HTTP response, those with the acknowledgment. nil is nothing.
func (n *Node) replyTo(ctx context.Context, r *reception, c *Certificate, changes []Change) (*Departure, error) {
	if r.record.Kind == KindCertificate && r.answersInResponse() && r.agreement.SyncReply != partners.SyncReplySignals {
		return n.answerTo(ctx, r, c, changes)
	}
	return n.acknowledgment(r)
}

// repeat answers a copy of an accepted message with the stored acknowledgment.
func (n *Node) repeat(ctx context.Context, r *reception) ebms.Reply {
	arrival := Arrival{Message: r.record, Raw: r.request.Body, Held: r.answersInResponse()}
	arrival.Message.State = StateAccepted
	arrival.Audit = []AuditEntry{{At: r.record.Created, Actor: r.agreement.Partner, Event: "message.repeated", Subject: r.record.MessageID}}
	accepted, err := n.accept(ctx, arrival)
	if err != nil {
		return n.unavailable(err)
	}
	n.announce()
	n.log.Info("copy of a message answered again", "message_id", r.record.MessageID, "partner", r.record.Partner, "copies", accepted.Message.Copies)
	return n.answer(ctx, r, accepted)
}

// answer is the HTTP answer to an accepted message: empty, or with the stored acknowledgment if signals travel in the
// response. The bytes come from the store, so that every copy gets the same.
func (n *Node) answer(ctx context.Context, r *reception, accepted Accepted) ebms.Reply {
	if !r.answersInResponse() || accepted.Message.Reply == 0 {
		return ebms.Reply{Status: http.StatusNoContent}
	}
	replies, err := n.store.Messages(ctx, MessageQuery{Seq: accepted.Message.Reply})
	if err != nil || len(replies) == 0 {
		return n.unavailable(fmt.Errorf("stored acknowledgment of %s: %w", r.record.MessageID, errors.Join(err, ErrNotFound)))
	}
	raw, err := n.store.Raw(ctx, replies[0].Raw)
	if err != nil {
		return n.unavailable(fmt.Errorf("stored acknowledgment of %s: %w", r.record.MessageID, err))
	}
	body, err := ebms.ReadAll(raw, 0)
	if err != nil {
		return n.unavailable(fmt.Errorf("stored acknowledgment of %s: %w", r.record.MessageID, err))
	}
	return ebms.Reply{Status: http.StatusOK, ContentType: replies[0].ContentType, Body: body}
}

// maxDocument bounds the certificate's own document in bytes; large things are its attachments.
const maxDocument = 16 << 20

// readDocument reads a part that is a document into memory.
func readDocument(part *ebms.Part, location string) ([]byte, error) {
	if size := part.Content.Size(); size > maxDocument {
		return nil, ebms.NewMimeProblem(location, fmt.Errorf("document of %d bytes, %d are read", size, maxDocument))
	}
	document, err := ebms.ReadAll(part.Content, 0)
	if err != nil {
		return nil, &storeError{fmt.Errorf("reading a part: %w", err)} // a disk that fails is not the sender's fault
	}
	return document, nil
}

// readCertificate finds the document among the parts, verifies its signature, and reads the certificate from the octets
// that the signature covers.
func (n *Node) readCertificate(ctx context.Context, r *reception) (*Certificate, []byte, error) {
	defer n.computing()()
	part, err := r.document()
	if err != nil {
		return nil, nil, err
	}
	location := ebms.CIDToHref(part.ContentID)
	document, err := readDocument(part, location)
	if err != nil {
		return nil, nil, err
	}
	verified, err := n.verifyDocument(r, document, ubl.SignaturePath())
	if err != nil {
		return nil, nil, inDocument(location, err)
	}
	if err := n.checkStamp(r, verified); err != nil {
		return nil, nil, ebms.NewSecurityFailure(location, err)
	}
	reading, err := ubl.Read(verified.Octets, r.registry.Forms())
	if err != nil {
		return nil, nil, ebms.NewOtherXML(location, err)
	}
	data, findings := reading.Certificate, reading.Findings
	if !slices.Contains(r.agreement.Forms, data.Form) {
		return nil, nil, ebms.NewValueNotRecognized(location, fmt.Errorf("form %q is not among the agreement's %v", data.Form, r.agreement.Forms))
	}
	doubts, err := checkIssuer(r, issuerOf(data, r.registry.Forms()), verified.Signer)
	if err != nil {
		return nil, nil, ebms.NewSecurityFailure(location, err)
	}
	r.record.DocumentSigner = signing.Fingerprint(verified.Signer)
	if err := n.checkRevocations(r); err != nil {
		return nil, nil, ebms.NewSecurityFailure(location, err)
	}
	n.tellTimes(r, data.Reference, verified)
	built, err := n.checkReceived(ctx, r.agreement, document, &reading)
	if err != nil {
		return nil, nil, err
	}
	attached, err := checkAttachments(r, part, reading.Attachments)
	if err != nil {
		return nil, nil, err
	}
	data, checked := n.checked(data, eco.Quirks{}, r.request.Received)
	kin, err := n.checkKinOf(ctx, data, r.agreement.Mode)
	if err != nil {
		return nil, nil, err
	}
	if findings = slices.Concat(findings, built, attached, checked, kin); eco.HasErrors(findings) {
		return nil, nil, ebms.NewInconsistent(location, &InvalidError{Findings: findings})
	}
	c := &Certificate{
		Direction: Inbound, Key: keyOf(data).in(r.agreement.Mode), State: CertificateAvailable, Partner: r.agreement.Partner, Mode: r.agreement.Mode, Message: r.record.MessageID,
		Content: hexDigest(verified.Octets), Recorded: r.record.Created, Data: data,
		DocumentSigner: signing.Fingerprint(verified.Signer), Findings: findings,
	}
	form, _ := r.registry.Forms().ByCode(data.Form)
	c.ValidUntil, c.SingleUse = lastDay(form, data), form.Use == eco.UseSingle
	if err := c.hold(doubts); err != nil {
		return nil, nil, ebms.NewInconsistent(location, err)
	}
	return c, document, nil
}

// verifyDocument verifies the signature of an issuing body in a document. The error is a *storeError, or says why the document is refused.
func (n *Node) verifyDocument(r *reception, document []byte, path []xml.Name) (*signing.Verified, error) {
	verified, err := n.underCounting(r, partners.UseDocumentSignature, func(candidates []*x509.Certificate) (*signing.Verified, error) {
		return signing.VerifyDocument(document, path, candidates, n.documentPolicy(r))
	})
	if broken := (*storeError)(nil); err != nil && !errors.As(err, &broken) {
		err = n.withheld(r, partners.UseDocumentSignature, err)
	}
	return verified, err
}

// inDocument is what the sender is told of an error of verifying the document at a location; what is not its fault it is not told.
func inDocument(location string, err error) error {
	if broken := (*storeError)(nil); errors.As(err, &broken) {
		return err
	}
	return ebms.NewSecurityFailure(location, err)
}

// checkStamp holds a document of an issuing body to what the agreement says of time-stamps, and to the partner's authorities while
// none of them counts.
func (n *Node) checkStamp(r *reception, v *signing.Verified) error {
	if r.agreement.TimeStampRequired && (v.TimeStamp == nil || v.TimeStamp.Authority == nil) {
		return errNoTimeStamp
	}
	anchors, known := r.registry.TimeStampAnchors(r.agreement.Partner, r.request.Received)
	if v.TimeStamp != nil && known && len(anchors) == 0 {
		return errors.New("the document has a time-stamp, and none of the partner's time-stamp authorities counts now")
	}
	return nil
}

// errNoTimeStamp: of a document that must have one by its agreement. One that does not verify is refused with the signature.
var errNoTimeStamp = errors.New("the document has no time-stamp (XAdES-T) of a known authority, which the agreement asks for")

// tellTimes logs what a XAdES document says about the time of its signature. Who made the time-stamp is known if the partner's
// authorities are.
func (n *Node) tellTimes(r *reception, reference string, v *signing.Verified) {
	if v.SigningTime.IsZero() && v.TimeStamp == nil {
		return
	}
	details := []any{"message_id", r.record.MessageID, "partner", r.agreement.Partner, "reference", reference, "signing_time", v.SigningTime}
	if stamp := v.TimeStamp; stamp != nil {
		authority := "not verified"
		if stamp.Authority != nil {
			authority = signing.Fingerprint(stamp.Authority)
		}
		details = append(details, "timestamp", stamp.Time, "timestamp_policy", stamp.Policy, "timestamp_number", stamp.SerialNumber, "authority", authority)
	}
	n.log.Info("document with its time", details...)
}

// document returns the part that the Manifest names first: the certificate; what follows are its attachments.
func (r *reception) document() (*ebms.Part, error) {
	if err := r.pkg.CheckManifest(r.header); err != nil {
		return nil, err
	}
	if len(r.header.Manifest) == 0 {
		return nil, ebms.NewMimeProblem("//Body/Manifest", errors.New("the message carries no payload, a certificate was expected"))
	}
	part, _ := r.pkg.Resolve(r.header.Manifest[0].Href)
	return part, nil
}
