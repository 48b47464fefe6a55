package exchange

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/ecogate/ecogate/ebms"
	"github.com/ecogate/ecogate/eco"
	"github.com/ecogate/ecogate/exchange/fault"
	"github.com/ecogate/ecogate/partners"
	"github.com/ecogate/ecogate/signing"
	"github.com/ecogate/ecogate/ubl"
)

// Submit accepts an issued certificate for delivery to a partner. When it returns nil the certificate is durable and will be
// delivered or end in a state that an operator sees. Submitting the same certificate again changes nothing and returns
// the first message with Fresh false, so a caller that did not see the answer may simply repeat the call. Only if its delivery has
// failed, because the partner refused it or was not reached in time, does submitting it again send it anew, in a message of its own.
//
// Errors: partners.ErrUnknownPartner, partners.ErrNoAgreement, partners.ErrOutsideValidity when the agreement is not in force, ErrNotAuthorised,
// *InvalidError with the findings of the form's rules, ErrConflict when the reference was used for other content; anything else means
// that the outcome is unknown.
func (n *Node) Submit(ctx context.Context, actor, partner string, c eco.Certificate) (Submission, error) {
	now := n.now().UTC()
	if _, ok := n.registry.Partner(partner); !ok {
		return Submission{}, fmt.Errorf("%w: %q", partners.ErrUnknownPartner, partner)
	}
	findings := eco.Validate(c, now)
	if eco.HasErrors(findings) {
		return Submission{}, &InvalidError{Findings: findings}
	}
	agreement, err := n.registry.Outbound(partner, c.Form, now)
	if err != nil {
		return Submission{}, err // says what was looked for
	}
	n.step("validated", Message{Partner: partner}, c.Reference, fmt.Sprintf("form %s, %d items", c.Form, len(c.Items)))
	departure, err := n.prepare(agreement, c, now)
	if err != nil {
		return Submission{}, err
	}
	departure.Certificate.Findings = findings
	departure.Audit = []AuditEntry{{At: now, Actor: actor, Event: "certificate.submitted", Subject: departure.Certificate.Key.String(),
		Detail: "message " + departure.Message.MessageID + " to " + partner}}
	n.step("signed", departure.Message, c.Reference, "document and message")
	return n.enqueue(ctx, departure, findings)
}

// prepare maps, signs and packs a certificate for its partner.
func (n *Node) prepare(a partners.Agreement, c eco.Certificate, now time.Time) (Departure, error) {
	defer n.computing()()
	document, signer, err := n.signedDocument(c, now)
	if err != nil {
		return Departure{}, err
	}
	departure, err := n.compose(a, document, now)
	if err != nil {
		return Departure{}, fmt.Errorf("message for %s: %w", c.Reference, err)
	}
	content, err := json.Marshal(c)
	if err != nil {
		return Departure{}, fmt.Errorf("certificate %s: %w", c.Reference, err)
	}
	key := keyOf(c)
	departure.Message.Certificate = key
	departure.Document = document
	departure.Certificate = &Certificate{
		Direction: Outbound, Key: key, State: CertificateReleased, Partner: a.Partner, Message: departure.Message.MessageID,
		Content: hexDigest(content), Recorded: now, Data: c, DocumentSigner: signer,
	}
	return departure, nil
}

func (n *Node) enqueue(ctx context.Context, d Departure, findings []eco.Finding) (Submission, error) {
	fault.Point("submit.composed")
	results, err := n.store.Enqueue(ctx, []Departure{d})
	if err != nil {
		return Submission{}, fmt.Errorf("recording certificate %s: %w", d.Certificate.Data.Reference, err)
	}
	fault.Point("submit.committed")
	r := results[0]
	if r.Err != nil {
		return Submission{}, fmt.Errorf("certificate %s: %w", d.Certificate.Data.Reference, r.Err)
	}
	if r.Fresh {
		n.step("queued", r.Message, d.Certificate.Data.Reference, fmt.Sprintf("%d bytes", d.Raw.Size()))
		n.log.Info("certificate queued", "message_id", r.Message.MessageID, "partner", r.Message.Partner, "reference", d.Certificate.Data.Reference)
		n.announce()
	}
	return Submission{Message: r.Message, Key: d.Certificate.Key, Fresh: r.Fresh, Findings: findings}, nil
}

// signedDocument returns the UBL document under the issuing body's signature, and the fingerprint of its credential.
func (n *Node) signedDocument(c eco.Certificate, now time.Time) ([]byte, string, error) {
	query := partners.IssuerQuery{Country: c.IssuingCountry, Body: c.IssuingBody.ID, Form: c.Form}
	if _, err := n.registry.DocumentCredentials("", query, now); err != nil {
		return nil, "", fmt.Errorf("%w: %w", ErrNotAuthorised, err)
	}
	key, err := n.registry.Key(partners.UseDocumentSignature, c.IssuingBody.ID, now)
	if err != nil {
		return nil, "", fmt.Errorf("%w: %w", ErrNotAuthorised, err)
	}
	unsigned, err := ubl.Marshal(c)
	if err != nil {
		return nil, "", fmt.Errorf("certificate %s as UBL: %w", c.Reference, err)
	}
	n.step("mapped", Message{}, c.Reference, fmt.Sprintf("UBL CertificateOfOrigin, %d bytes", len(unsigned)))
	document, err := signing.SignDocument(unsigned, ubl.SignaturePath(), key)
	if err != nil {
		return nil, "", fmt.Errorf("document signature of %s: %w", c.IssuingBody.ID, err)
	}
	return document, signing.Fingerprint(key.Chain[0]), nil
}

// compose makes the signed ebMS message that carries document under the agreement.
func (n *Node) compose(a partners.Agreement, document []byte, now time.Time) (Departure, error) {
	id := n.newID()
	contentID := "co-" + id
	m := &ebms.Message{
		From:  ebms.Party{IDs: toEBMS(a.OwnParty), Role: a.OwnRole},
		To:    ebms.Party{IDs: toEBMS(a.PartnerParty), Role: a.PartnerRole},
		CPAID: a.CPAID, ConversationID: uuid.NewString(),
		Service: ebms.Service{Type: a.Service.Type, Value: a.Service.Value}, Action: a.Action,
		MessageID: id, Timestamp: now, TimeToLive: expiry(a, now),
		DuplicateElimination: a.DuplicateElimination,
		Manifest:             []ebms.ManifestReference{{ID: "certificate", Href: ebms.CIDToHref(contentID)}},
	}
	if a.AckRequested {
		m.AckRequested = &ebms.AckRequested{Signed: a.AckSigned}
	}
	m.SyncReply = a.SyncReply == partners.SyncReplySignals
	parts := []ebms.Part{{ContentID: contentID, ContentType: ubl.MediaType, Content: ebms.Bytes(document)}}
	d, err := n.seal(m, parts, a.SignatureRequired, now)
	if err != nil {
		return Departure{}, err
	}
	d.Message.Kind = KindCertificate
	d.Message.Expires = m.TimeToLive
	d.Message.AckRequired = a.AckRequested
	n.address(&d.Message, a)
	return d, nil
}

// seal writes m with parts as the bytes that will be sent, signed if sign is set, and the record that goes with them.
func (n *Node) seal(m *ebms.Message, parts []ebms.Part, sign bool, now time.Time) (Departure, error) {
	envelope, err := m.Envelope()
	if err != nil {
		return Departure{}, fmt.Errorf("envelope: %w", err)
	}
	pkg := ebms.Package{Envelope: envelope, Parts: parts}
	var d Departure
	if sign {
		key, err := n.registry.Key(partners.UseMessageSignature, "", now)
		if err != nil {
			return Departure{}, fmt.Errorf("message signature: %w", err)
		}
		signed, references, err := signing.SignMessage(envelope, SignedParts(m.Manifest, &pkg), key)
		if err != nil {
			return Departure{}, fmt.Errorf("message signature: %w", err)
		}
		pkg.Envelope = signed
		d.Message.References = recordReferences(references)
		d.Message.Signer = signing.Fingerprint(key.Chain[0])
	}
	contentType, body, err := pkg.Pack("ecogate-" + uuid.NewString())
	if err != nil {
		return Departure{}, fmt.Errorf("packaging: %w", err)
	}
	d.Raw = body
	d.Message.Direction = Outbound
	d.Message.State = StateQueued
	d.Message.Created = now
	d.Message.Due = now
	d.Message.ContentType = contentType
	headerInto(&d.Message, m)
	return d, nil
}

// address fills in where a message goes.
func (n *Node) address(m *Message, a partners.Agreement) {
	m.Partner = a.Partner
	m.Endpoint = a.Endpoint
	m.SOAPAction = a.SOAPAction
}

// headerInto copies what the record repeats of the message's header.
func headerInto(record *Message, m *ebms.Message) {
	record.MessageID = m.MessageID
	record.RefToMessageID = m.RefToMessageID
	record.ConversationID = m.ConversationID
	record.CPAID = m.CPAID
	record.Service = m.Service.Value
	record.Action = m.Action
}

// SignedParts pairs every part with the URI that a ds:Reference names it by: the Manifest's spelling, byte for byte (ebMS 2.0
// §4.1.3), or for a part that the Manifest does not name, the one that its Content-ID gives.
func SignedParts(manifest []ebms.ManifestReference, pkg *ebms.Package) []signing.Part {
	spelled := make(map[*ebms.Part]string, len(manifest))
	for _, r := range manifest {
		if part, ok := pkg.Resolve(r.Href); ok {
			spelled[part] = r.Href
		}
	}
	out := make([]signing.Part, len(pkg.Parts))
	for i := range pkg.Parts {
		part := &pkg.Parts[i]
		uri, ok := spelled[part]
		if !ok {
			uri = ebms.CIDToHref(part.ContentID)
		}
		out[i] = signing.Part{URI: uri, Content: part.Content}
	}
	return out
}

func recordReferences(refs []signing.Reference) []Reference {
	out := make([]Reference, len(refs))
	for i, r := range refs {
		out[i] = Reference{URI: r.URI, DigestMethod: r.DigestMethod, DigestValue: r.DigestValue}
	}
	return out
}

func keyOf(c eco.Certificate) CertificateKey {
	return CertificateKey{Country: c.IssuingCountry, Form: c.Form, Reference: eco.NormaliseReference(c.Reference)}
}

// String returns the key as country/form/reference.
func (k CertificateKey) String() string {
	return k.Country + "/" + string(k.Form) + "/" + k.Reference
}

func hexDigest(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}
