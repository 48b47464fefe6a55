package exchange

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/ecogate/ecogate/ebms"
	"github.com/ecogate/ecogate/eco"
	"github.com/ecogate/ecogate/exchange/fault"
	"github.com/ecogate/ecogate/partners"
	"github.com/ecogate/ecogate/ubl"
)

// Cancel cancels a certificate with every partner that it went to, in the issuing body's name: at once here, and if a partner refuses it
// because goods were cleared meanwhile, it stands with that partner again. q names the certificate; its Direction plays no part.
//
// Errors: ErrNotFound, ErrAmbiguous, *eco.IllegalMove if one of the partners has used it, ErrUnderway, ErrNotAgreed, ErrNotAuthorised,
// ErrNoTimeStamp, those of partners.Registry.Outbound. Nothing was cancelled then, unless the error says that a part was.
func (n *Node) Cancel(ctx context.Context, actor string, q CertificateQuery, reason string) ([]Said, error) {
	q.Direction = Outbound
	found, err := n.named(ctx, q)
	if err != nil {
		return nil, err
	}
	var all []Said
	for range maxTurns {
		departures, states, err := n.cancellations(ctx, actor, found, reason)
		if err != nil {
			return all, err
		}
		fault.Point("submit.composed")
		results, err := n.store.Enqueue(ctx, departures)
		if err != nil {
			return all, fmt.Errorf("recording cancellation: %w", err)
		}
		fault.Point("submit.committed")
		var again []Certificate
		for i, result := range results {
			switch {
			case errors.Is(result.Err, ErrChanged):
				fresh, err := n.store.Certificates(ctx, CertificateQuery{Seq: found[i].Seq})
				if err != nil {
					return all, err
				}
				again = append(again, fresh...)
			case result.Err != nil:
				return all, result.Err
			default:
				n.reportSaid(result.Message)
				all = append(all, Said{Message: result.Message, Key: found[i].Key, State: states[i]})
			}
		}
		if len(again) == 0 {
			return all, nil
		}
		found = again
	}
	return all, errTurns
}

// cancellations composes one message for each partner; the document is the same, under one signature.
func (n *Node) cancellations(ctx context.Context, actor string, found []Certificate, reason string) ([]Departure, []CertificateState, error) {
	now := n.now().UTC()
	cancellation := eco.Cancellation(found[0].Data, reason)
	if findings := eco.Validate(cancellation, n.registry.Forms(), eco.Quirks{}, now); eco.HasErrors(findings) {
		return nil, nil, &InvalidError{Findings: findings}
	}
	documents := map[string]signedOctets{} // by the version of UBL
	var departures []Departure
	var states []CertificateState
	for _, c := range found {
		a, err := n.registry.Outbound(c.Partner, c.Key.Form, now)
		switch {
		case err != nil:
			return nil, nil, err
		case a.Actions.Cancel == "":
			return nil, nil, fmt.Errorf("%w: %s, %s", ErrNotAgreed, KindCancellation, c.Partner)
		case c.State == CertificateReleased:
			return nil, nil, fmt.Errorf("%w %s: wait for its acknowledgment, or for its delivery to fail", ErrUnderway, c.Partner)
		}
		if _, signed := documents[a.UBLVersion]; !signed {
			if documents[a.UBLVersion], err = n.signedCancellation(ctx, cancellation, a); err != nil {
				return nil, nil, err
			}
		}
		d, err := n.composeCancellation(ctx, actor, a, c, documents[a.UBLVersion])
		if err != nil {
			return nil, nil, err
		}
		departures, states = append(departures, d), append(states, CertificateCancelled)
	}
	return departures, states, nil
}

// signedOctets are a document and the fingerprint of the credential that signed it.
type signedOctets struct {
	document []byte
	signer   string
}

func (n *Node) signedCancellation(ctx context.Context, c eco.Certificate, a partners.Agreement) (signedOctets, error) {
	defer n.computing()()
	document, signer, err := n.signedDocument(ctx, c, ubl.Options{Version: ubl.Version(a.UBLVersion)}, n.now().UTC())
	return signedOctets{document, signer}, err
}

func (n *Node) composeCancellation(ctx context.Context, actor string, a partners.Agreement, c Certificate, signed signedOctets) (Departure, error) {
	carrier, err := n.carrying(ctx, c)
	if err != nil {
		return Departure{}, err
	}
	defer n.computing()()
	id, now := n.newID(), n.now().UTC()
	changes, effect, err := withdraw(c, eco.Event{Kind: eco.EventCancel, At: now, By: actor}, id, nil)
	if err != nil {
		return Departure{}, fmt.Errorf("partner %s: %w", c.Partner, err)
	}
	m := n.reliable(a, id, now)
	m.Action, m.RefToMessageID, m.ConversationID = a.Actions.Cancel, carrier.MessageID, carrier.ConversationID
	if m.ConversationID == "" {
		m.ConversationID = uuid.NewString()
	}
	part := m.carry("co-"+id, "certificate", "", ubl.MediaType, ebms.Bytes(signed.document))
	d, err := n.sealReliable(a, m, []ebms.Part{part}, now)
	if err != nil {
		return Departure{}, err
	}
	d.Message.Kind, d.Message.Certificate, d.Message.Effect, d.Changes = KindCancellation, c.Key, effect, changes
	d.Message.DocumentSigner = signed.signer
	n.address(&d.Message, a)
	d.Audit = []AuditEntry{{At: now, Actor: actor, Event: "certificate.cancelled", Subject: c.Key.String(), Detail: "message " + id + " to " + a.Partner}}
	return d, nil
}

// cancelledBy is what a partner's cancellation does to the certificates with its key that the partner sent; several are in conflict.
func (n *Node) cancelledBy(ctx context.Context, r *reception, cancellation *Certificate) (verdict, error) {
	location := r.header.Manifest[0].Href
	found, err := n.heldBy(ctx, r.agreement.Partner, Inbound, cancellation.Key)
	if err != nil {
		return verdict{}, err
	}
	if len(found) == 0 {
		return verdict{}, ebms.NewValueNotRecognized(location, fmt.Errorf("no certificate %s was received from %s", cancellation.Key, r.agreement.Partner))
	}
	var all []Change
	for _, c := range found {
		if c.State == CertificateReplaced && len(found) > 1 {
			continue
		}
		if own, other := c.Data.IssuingBody.ID, cancellation.Data.IssuingBody.ID; own != other {
			return verdict{}, ebms.NewInconsistent(location, fmt.Errorf("certificate %s is of issuing body %q, its cancellation of %q", c.Key, own, other))
		}
		changes, _, err := withdraw(c, eco.Event{Kind: eco.EventCancel, At: r.record.Created, By: r.agreement.Partner}, r.record.MessageID, nil)
		if err != nil {
			return verdict{}, ebms.NewInconsistent(location, err)
		}
		all = append(all, changes...)
	}
	return verdict{changes: all}, nil
}

// replacedBy is what a certificate does to those that it says it replaces. One that never came, because it was issued on paper, is no
// hindrance: the new one has a finding that says so.
func (n *Node) replacedBy(ctx context.Context, r *reception, c *Certificate) (does verdict, err error) {
	for i, key := range replacedKeys(c.Data, r.agreement.Mode) {
		found, err := n.heldBy(ctx, r.agreement.Partner, Inbound, key)
		if err != nil {
			return does, err
		}
		if len(found) == 0 {
			c.Findings = append(c.Findings, eco.Finding{Code: eco.CodeRelated, Severity: eco.SeverityWarning, Path: fmt.Sprintf("related[%d]", i),
				Text: fmt.Sprintf("certificate %s, which this one replaces, was not received", key), Fix: "look for it on paper"})
			continue
		}
		old := found[0]
		if old.Content == c.Content {
			continue // this one itself, sent again
		}
		changes, _, err := withdraw(old, eco.Event{
			Kind: eco.EventReplace, At: r.record.Created, By: r.agreement.Partner, Reference: c.Data.Reference}, r.record.MessageID, &c.Key)
		if err != nil {
			return does, ebms.NewInconsistent(r.header.Manifest[0].Href, err)
		}
		does.changes = append(does.changes, changes...)
		if changes != nil {
			does.audit = append(does.audit, replacedEntry(old.Key, c.Key, r.record.MessageID+citing(changes), r.agreement.Partner, r.record.Created))
		}
		c.Dealings.Predecessor = &old.Key
	}
	return does, nil
}

// replacedEntry tells in the audit log that a certificate took the place of another.
func replacedEntry(old, by CertificateKey, message, actor string, at time.Time) AuditEntry {
	return AuditEntry{At: at, Actor: actor, Event: "certificate.replaced", Subject: old.String(), Detail: "by " + by.String() + ", message " + message}
}

// citing names the declarations that cite certificates which were withdrawn, for whoever decides on those: "; declarations A, B".
func citing(changes []Change) string {
	var numbers []string
	for _, c := range changes {
		for _, number := range c.Dealings.Life.Declarations {
			if !slices.Contains(numbers, number) {
				numbers = append(numbers, number)
			}
		}
	}
	if numbers == nil {
		return ""
	}
	return "; declarations " + strings.Join(numbers, ", ")
}

// replacedKeys are the keys of the certificates that c says it replaces.
func replacedKeys(c eco.Certificate, mode partners.Mode) map[int]CertificateKey {
	keys := map[int]CertificateKey{}
	for i, related := range c.Related {
		if related.Relation != eco.RelationReplaces {
			continue
		}
		key := CertificateKey{Country: related.Country, Form: c.Form, Reference: eco.NormaliseReference(related.Reference)}
		if key.Country == "" {
			key.Country = c.IssuingCountry
		}
		keys[i] = key.in(mode)
	}
	return keys
}

// toReplace finds the certificate with a partner that c says it replaces, nil if there is none.
func (n *Node) toReplace(ctx context.Context, a partners.Agreement, c eco.Certificate) (*Certificate, error) {
	for _, key := range replacedKeys(c, a.Mode) {
		found, err := n.heldBy(ctx, a.Partner, Outbound, key)
		if err != nil {
			return nil, err
		}
		if len(found) == 0 || found[0].Key == keyOf(c).in(a.Mode) && found[0].Data.Version == c.Version {
			continue // issued on paper, or this one itself, submitted again
		}
		if found[0].State == CertificateReleased {
			return nil, fmt.Errorf("%w %s: wait for its acknowledgment, or for its delivery to fail", ErrUnderway, a.Partner)
		}
		return &found[0], nil
	}
	return nil, nil
}

// Resend sends a certificate to a partner once more: the same document and attachments, octet for octet, in a message of its own
// (ATIGA OCP Rule 29.3). q names the certificate; its Direction plays no part. One whose delivery failed, or that the partner rejected, is
// released again.
//
// Errors: ErrNotFound, ErrAmbiguous if it went to several partners and q names none, ErrUnderway, ErrNotAgreed, *eco.IllegalMove if it was
// cancelled or replaced, those of partners.Registry.Outbound and of Store.Raw.
func (n *Node) Resend(ctx context.Context, actor string, q CertificateQuery) (Said, error) {
	q.Direction = Outbound
	c, err := n.one(ctx, q)
	if err != nil {
		return Said{}, err
	}
	now := n.now().UTC()
	a, err := n.registry.Outbound(c.Partner, c.Key.Form, now)
	switch {
	case err != nil:
		return Said{}, err
	case a.Actions.Resend == "":
		return Said{}, fmt.Errorf("%w: retransmission, %s", ErrNotAgreed, c.Partner)
	case c.State == CertificateReleased:
		return Said{}, fmt.Errorf("%w %s", ErrUnderway, c.Partner)
	}
	failed := c.State == CertificateFailed || c.State == CertificateRejected
	event := eco.Event{Kind: eco.EventResend, At: now, By: actor, Message: c.Message}
	if failed {
		event.Kind = eco.EventRelease
	}
	if _, err := eco.Next(c.Life(), event); err != nil {
		return Said{}, err
	}
	carrier, err := n.carrying(ctx, c)
	if err != nil {
		return Said{}, err
	}
	parts, err := n.Parts(ctx, carrier)
	if err != nil {
		return Said{}, fmt.Errorf("message %q that carried it: %w", c.Message, err)
	}
	defer parts.Close()
	l := load{actor: actor, agreement: a, at: now, certificate: c, known: !failed, action: a.Actions.Resend, about: carrier.MessageID, event: "certificate.resent"}
	l.certificate.State = CertificateReleased
	for i, part := range parts.List {
		if i == 0 {
			if l.document, err = ebms.ReadAll(part.Content, 0); err != nil {
				return Said{}, fmt.Errorf("document of certificate %s: %w", c.Key, err)
			}
			continue
		}
		l.set = cmp.Or(l.set, strings.TrimPrefix(part.ContentID, attachmentID(0, ""))) // the document names them by it
		l.attachments = append(l.attachments, Attachment{Name: part.Name, ContentType: part.ContentType, Content: part.Content})
	}
	m, err := n.say(ctx, func() (Departure, error) { return n.compose(l, place{conversation: uuid.NewString()}) })
	if failed {
		c.State = CertificateReleased
	}
	return Said{Message: m, Key: c.Key, State: c.State}, err
}
