package exchange

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/ecogate/ecogate/ebms"
	"github.com/ecogate/ecogate/eco"
	"github.com/ecogate/ecogate/exchange/fault"
	"github.com/ecogate/ecogate/partners"
	"github.com/ecogate/ecogate/signing"
	"github.com/ecogate/ecogate/ubl"
)

// Errors of business messages.
var (
	// ErrNotAgreed: the agreement with the partner does not have this message.
	ErrNotAgreed = errors.New("message is not part of the agreement with the partner")
	// ErrAmbiguous: several certificates bear the reference; form, country or partner would tell them apart.
	ErrAmbiguous = errors.New("several certificates bear this reference")
	// ErrUnderway: the message that carries the certificate has not been settled, so that another one could overtake it.
	ErrUnderway = errors.New("certificate is on its way to the partner")
)

// Said is a business message that was queued.
type Said struct {
	Message Message `json:"message"`
	// Certificate is the record as it was when the message was composed; State is where it stands since.
	Key   CertificateKey   `json:"key"`
	State CertificateState `json:"state"`
}

// utterance is a business message to compose.
type utterance struct {
	matter    matter
	actor     string
	agreement partners.Agreement
	id        string
	at        time.Time
	// about is the MessageID that it refers to, conversation the one that it goes on; both may be empty.
	about, conversation string
	said                said
	document            []byte
	signer              string // of the document, if it is signed
	changes             []Change
}

// composeSaid makes the signed ebMS message that says something about a certificate.
func (n *Node) composeSaid(u utterance) (Departure, error) {
	defer n.computing()()
	m := n.reliable(u.agreement, u.id, u.at)
	m.Action, m.RefToMessageID, m.ConversationID = u.matter.action(&u.agreement.Actions), u.about, cmp.Or(u.conversation, uuid.NewString())
	part := m.carry("bm-"+u.id, "message", "", ubl.MediaType, ebms.Bytes(u.document))
	d, err := n.sealReliable(u.agreement, m, []ebms.Part{part}, u.at)
	if err != nil {
		return Departure{}, fmt.Errorf("%s: %w", u.matter.kind, err)
	}
	n.describe(&d, u)
	return d, nil
}

// describe fills in the record of a business message.
func (n *Node) describe(d *Departure, u utterance) {
	d.Message.Kind = u.matter.kind
	d.Message.Business = &u.said.business
	d.Message.DocumentSigner = u.signer
	d.Message.Certificate = keyOfID(u.said.statement.Certificate).in(u.agreement.Mode)
	d.Changes = u.changes
	n.address(&d.Message, u.agreement)
	d.Audit = []AuditEntry{{At: u.at, Actor: u.actor, Event: u.matter.event, Subject: d.Message.Certificate.String(),
		Detail: "message " + u.id + " to " + u.agreement.Partner}}
}

// say composes a business message and queues it, again for as long as the certificate changes under it.
func (n *Node) say(ctx context.Context, compose func() (Departure, error)) (Message, error) {
	for range maxTurns {
		d, err := compose()
		if err != nil {
			return Message{}, err
		}
		fault.Point("submit.composed")
		results, err := n.store.Enqueue(ctx, []Departure{d})
		if err != nil {
			return Message{}, fmt.Errorf("recording %s: %w", d.Message.Kind, err)
		}
		fault.Point("submit.committed")
		if errors.Is(results[0].Err, ErrChanged) {
			continue
		}
		if results[0].Err != nil {
			return Message{}, results[0].Err
		}
		n.reportSaid(results[0].Message)
		return results[0].Message, nil
	}
	return Message{}, errTurns
}

func (n *Node) reportSaid(m Message) {
	n.step("queued", m, m.Certificate.Reference, fmt.Sprintf("%s, %d bytes", m.Kind, m.Raw.Size))
	n.log.Info(string(m.Kind)+" queued", "message_id", m.MessageID, "partner", m.Partner, "reference", m.Certificate.Reference)
	n.announce()
}

// agreementFor is the agreement in force under which a business message about certificates of a form goes to a partner.
func (n *Node) agreementFor(m matter, partner string, form eco.FormCode, now time.Time) (partners.Agreement, error) {
	a, err := n.registry.Outbound(partner, form, now)
	if err == nil && m.action(&a.Actions) == "" {
		err = fmt.Errorf("%w: %s, %s", ErrNotAgreed, m.kind, partner)
	}
	return a, err
}

// statement is one of ours about a certificate.
func (n *Node) statement(id string, at time.Time, about eco.CertificateID, note string) eco.Statement {
	self := n.registry.Self()
	return eco.Statement{
		ID: id, IssueTime: at, Certificate: about, Note: note,
		Authority: eco.Authority{Name: cmp.Or(self.Name, self.ID), Country: self.Country},
	}
}

// signedByNode returns a document under the node's own signature, the one of its messages, and the fingerprint of its credential;
// unsigned where no signatures are agreed.
// The caller is computing.
func (n *Node) signedByNode(a partners.Agreement, document ubl.Document, unsigned []byte, now time.Time) ([]byte, string, error) {
	if !a.SignatureRequired {
		return unsigned, "", nil
	}
	key, err := n.registry.Key(partners.UseMessageSignature, "", now)
	if err == nil {
		key, err = key.With(a.SignatureAlgorithm)
	}
	if err != nil {
		return nil, "", fmt.Errorf("document signature: %w", err)
	}
	signed, err := signing.SignDocument(unsigned, document.SignaturePath(), key)
	return signed, signing.Fingerprint(key.Chain[0]), err
}

// written is the signed document of what is said. check are the findings of its rules.
func (n *Node) written(ctx context.Context, u *utterance, check []eco.Finding, marshal func() ([]byte, error)) error {
	if eco.HasErrors(check) {
		return &InvalidError{Findings: check}
	}
	defer n.computing()()
	unsigned, err := marshal()
	if err != nil {
		return fmt.Errorf("%s as UBL: %w", u.matter.kind, err)
	}
	c := u.said.statement.Certificate
	n.step("mapped", Message{}, c.Reference, fmt.Sprintf("UBL %s, %d bytes", u.matter.document, len(unsigned)))
	if u.matter.byBody {
		by := partners.IssuerQuery{Country: c.IssuingCountry, Body: c.IssuingBody, Form: c.Form}
		u.document, u.signer, err = n.signedByBody(ctx, unsignedDocument{unsigned, u.matter.document.SignaturePath(), c.Reference}, by, u.at)
		return err
	}
	u.document, u.signer, err = n.signedByNode(u.agreement, u.matter.document, unsigned, u.at)
	return err
}

// one finds the only certificate that a query names: of several with one key the one that was not replaced.
func (n *Node) one(ctx context.Context, q CertificateQuery) (Certificate, error) {
	found, err := n.named(ctx, q)
	if err != nil {
		return Certificate{}, err
	}
	if len(found) > 1 {
		return Certificate{}, fmt.Errorf("%w: %d with reference %s", ErrAmbiguous, len(found), q.Reference)
	}
	return found[0], nil
}

// named finds the certificates that a query names, all with one key; ErrNotFound if there are none.
func (n *Node) named(ctx context.Context, q CertificateQuery) ([]Certificate, error) {
	if eco.NormaliseReference(q.Reference) == "" {
		return nil, fmt.Errorf("certificate %q: %w", q.Reference, ErrNotFound)
	}
	found, err := n.store.Certificates(ctx, q)
	if err != nil {
		return nil, fmt.Errorf("finding certificate %s: %w", q.Reference, err)
	}
	if len(found) > 1 {
		found = slices.DeleteFunc(found, func(c Certificate) bool { return c.State == CertificateReplaced })
	}
	if holds := func(c Certificate) bool { return c.State != CertificateRefused }; slices.ContainsFunc(found, holds) { // of two with one number
		found = slices.DeleteFunc(found, func(c Certificate) bool { return !holds(c) })
	}
	if len(found) == 0 {
		return nil, fmt.Errorf("certificate %s: %w", q.Reference, ErrNotFound)
	}
	isTest := func(c Certificate) bool { return c.Key.Test }
	if !isTest(found[0]) || slices.ContainsFunc(found, func(c Certificate) bool { return !isTest(c) }) {
		found = slices.DeleteFunc(found, isTest) // one that counts comes before what was tried under its number
	}
	for _, c := range found[1:] {
		if c.Key != found[0].Key {
			return nil, fmt.Errorf("%w: %s and %s", ErrAmbiguous, found[0].Key, c.Key)
		}
	}
	return found, nil
}

// carrying is the message that carried a certificate; the zero Message if it is not there any more.
func (n *Node) carrying(ctx context.Context, c Certificate) (Message, error) {
	found, err := n.store.Messages(ctx, MessageQuery{MessageID: c.Message, Direction: c.Direction, Partner: c.Partner, Limit: 1})
	if err != nil || len(found) == 0 {
		return Message{}, err
	}
	return found[0], nil
}
