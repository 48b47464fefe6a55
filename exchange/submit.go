package exchange

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/google/uuid"

	"github.com/ecogate/ecogate/ebms"
	"github.com/ecogate/ecogate/eco"
	"github.com/ecogate/ecogate/exchange/fault"
	"github.com/ecogate/ecogate/partners"
	"github.com/ecogate/ecogate/signing"
	"github.com/ecogate/ecogate/ubl"
)

// Attachment is a file that travels with a certificate: an invoice, a bill of lading.
type Attachment struct {
	// Name is the file's name, for people; may be empty.
	Name string
	// ContentType is its media type, with parameters.
	ContentType string
	// Content is read while Submit runs, several times.
	Content Content
}

// Submit accepts an issued certificate, with its attachments if there are any, for delivery to a partner. When it returns nil the certificate is durable and will be
// delivered or end in a state that an operator sees. Submitting the same certificate again changes nothing and returns
// the first message with Fresh false, so a caller that did not see the answer may simply repeat the call. Only if its delivery has
// failed, because the partner refused it or was not reached in time, does submitting it again send it anew, in a message of its own.
//
// Errors: partners.ErrUnknownPartner, partners.ErrNoAgreement, partners.ErrOutsideValidity when the agreement is not in force, ErrNotAuthorised,
// ErrTooLarge, ErrNoTimeStamp when nothing was queued, *InvalidError with the findings of the form's rules and of what the received certificates that it builds on do not have, *eco.IllegalMove if it replaces
// a certificate that may not be replaced, ErrConflict when the reference was used for other content or other
// attachments; anything else means that the outcome is unknown.
func (n *Node) Submit(ctx context.Context, actor, partner string, c eco.Certificate, attachments ...Attachment) (Submission, error) {
	now := n.now().UTC()
	if _, ok := n.registry.Partner(partner); !ok {
		return Submission{}, fmt.Errorf("%w: %q", partners.ErrUnknownPartner, partner)
	}
	agreement, err := n.registry.Outbound(partner, c.Form, now)
	c, findings := n.checked(c, agreement.Quirks, now)
	if c.Status == eco.StatusCancellation {
		findings = append(findings, eco.Finding{Code: eco.CodeRelated, Severity: eco.SeverityError, Path: "status",
			Text: "a cancellation is not submitted as a certificate", Fix: "cancel the certificate by its reference"})
	}
	kin, kinErr := n.checkKin(ctx, c, agreement.Mode)
	if findings = append(findings, kin...); eco.HasErrors(findings) {
		return Submission{}, &InvalidError{Findings: findings}
	}
	if err = cmp.Or(err, kinErr); err != nil {
		return Submission{}, err // says what was looked for
	}
	n.step("validated", Message{Partner: partner}, c.Reference, fmt.Sprintf("form %s, %d items", c.Form, len(c.Items)))
	load, err := n.prepare(ctx, agreement, c, attachments, now)
	if errors.Is(err, ErrNoTimeStamp) {
		before, err := n.queuedBefore(ctx, partner, c, attachments, err)
		if err == nil {
			before.Findings = findings
		}
		return before, err
	}
	if err != nil {
		return Submission{}, err
	}
	load.certificate.Findings = findings
	load.actor = actor
	if buildsOn(c) { // Another process is held off by the store alone; in this one nothing is signed twice.
		n.drawing.Lock()
		defer n.drawing.Unlock()
	}
	for range maxTurns {
		if load.replaced, err = n.toReplace(ctx, agreement, c); err != nil {
			return Submission{}, err
		}
		if load.draws, load.drawn, err = n.draws(ctx, load); err != nil {
			return Submission{}, err
		}
		submission, err := n.enqueue(ctx, load)
		if !errors.Is(err, ErrChanged) {
			return submission, err
		}
	}
	return Submission{}, errTurns
}

// checked takes paper's filler out of a certificate and checks it against the rules of its form and the quirks of its receiver.
func (n *Node) checked(c eco.Certificate, quirks eco.Quirks, at time.Time) (eco.Certificate, []eco.Finding) {
	c, filler := eco.Clean(c)
	return c, append(filler, eco.Validate(c, n.registry.Forms(), quirks, at)...)
}

// queuedBefore gives the message that carries a certificate already, for whoever submits it again while there is no time-stamp: that
// one has its own. Otherwise the error is the one given, alone or with why nobody could look.
func (n *Node) queuedBefore(ctx context.Context, partner string, c eco.Certificate, attachments []Attachment, missing error) (Submission, error) {
	content, err := contentOf(c, attachments)
	if err != nil {
		return Submission{}, fmt.Errorf("%w; certificate %s: %w", missing, c.Reference, err)
	}
	found, err := n.store.Certificates(ctx, CertificateQuery{Direction: Outbound, Partner: partner, Reference: c.Reference})
	if err != nil {
		return Submission{}, fmt.Errorf("%w; looking for an earlier submission: %w", missing, err)
	}
	for _, before := range found {
		if before.Key != keyOf(c).in(before.Mode) || before.Content != content || before.State == CertificateFailed || before.State == CertificateRejected {
			continue
		}
		messages, err := n.store.Messages(ctx, MessageQuery{MessageID: before.Message, Direction: Outbound, Limit: 1})
		if err != nil {
			return Submission{}, fmt.Errorf("%w; looking for the message of an earlier submission: %w", missing, err)
		}
		if len(messages) == 1 {
			return Submission{Message: messages[0], Key: before.Key}, nil
		}
	}
	return Submission{}, missing
}

// load is what a message will carry.
type load struct {
	actor       string
	agreement   partners.Agreement
	at          time.Time
	certificate Certificate
	document    []byte
	attachments []Attachment
	set         string // what their Content-IDs end in; the document is signed before the message has an id
	// replaced is the certificate that this one takes the place of; nil if there is none.
	replaced *Certificate
	// draws are what it does to received certificates that it builds on, drawn what the audit log says of them.
	draws []Change
	drawn []AuditEntry
	// known: the store has the certificate, which is sent once more as the octets that it was.
	known bool
	// action, about and event are for what is sent again: the action, the MessageID that carried it, and what the audit log says.
	action, about, event string
}

// prepare maps and signs a certificate for its partner.
func (n *Node) prepare(ctx context.Context, a partners.Agreement, c eco.Certificate, attachments []Attachment, now time.Time) (load, error) {
	if parts := len(attachments) + 2; a.MaxParts > 0 && parts > a.MaxParts || parts > signing.MaxParts {
		return load{}, fmt.Errorf("%w: %d attachments make %d parts, the agreement allows %d", ErrTooLarge, len(attachments), parts, cmp.Or(a.MaxParts, signing.MaxParts))
	}
	defer n.computing()()
	options, set := ubl.Options{Version: ubl.Version(a.UBLVersion)}, ""
	if len(attachments) > 0 {
		var err error
		set = n.newID()
		if options.Attachments, err = refer(attachments, set); err != nil {
			return load{}, fmt.Errorf("certificate %s: %w", c.Reference, err)
		}
	}
	document, signer, err := n.signedDocument(ctx, c, options, now)
	if err != nil {
		return load{}, err
	}
	content, err := contentOf(c, attachments)
	if err != nil {
		return load{}, fmt.Errorf("certificate %s: %w", c.Reference, err)
	}
	return load{
		agreement: a, at: now, document: document, attachments: attachments, set: set,
		certificate: Certificate{
			Direction: Outbound, Key: keyOf(c).in(a.Mode), State: CertificateReleased, Partner: a.Partner, Mode: a.Mode,
			Content: content, Recorded: now, Data: c, DocumentSigner: signer,
		},
	}, nil
}

// MaxAttachments is how many attachments a message has room for beside its envelope and its document.
const MaxAttachments = signing.MaxParts - 2

// contentOf identifies what was submitted: the certificate and the octets of its attachments.
func contentOf(c eco.Certificate, attachments []Attachment) (string, error) {
	data, err := json.Marshal(c)
	if err != nil {
		return "", err
	}
	h := sha256.New()
	h.Write(data)
	for _, a := range attachments {
		fmt.Fprintf(h, "attachment %q %q %d\n", a.Name, a.ContentType, a.Content.Size())
		if _, err := io.Copy(h, ebms.NewReader(a.Content)); err != nil {
			return "", fmt.Errorf("reading attachment %q: %w", a.Name, err)
		}
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

func (n *Node) enqueue(ctx context.Context, l load) (Submission, error) {
	reference := l.certificate.Data.Reference
	compose := func(p place) (Departure, error) {
		d, err := n.compose(l, p)
		if err != nil {
			return d, fmt.Errorf("message for %s: %w", reference, err)
		}
		n.step("signed", d.Message, reference, "document and message")
		fault.Point("submit.composed")
		return d, nil
	}
	result, err := n.enqueueComposed(ctx, l.agreement, compose)
	if err != nil {
		return Submission{}, fmt.Errorf("recording certificate %s: %w", reference, err)
	}
	fault.Point("submit.committed")
	if result.Err != nil {
		return Submission{}, fmt.Errorf("certificate %s: %w", reference, result.Err)
	}
	if result.Fresh {
		n.step("queued", result.Message, reference, fmt.Sprintf("%d bytes", result.Message.Raw.Size))
		n.log.Info("certificate queued", "message_id", result.Message.MessageID, "partner", result.Message.Partner, "reference", reference)
		n.announce()
	}
	return Submission{Message: result.Message, Key: l.certificate.Key, Fresh: result.Fresh, Findings: l.certificate.Findings}, nil
}

// enqueueComposed composes and enqueues one message, in the order that the agreement asks for.
func (n *Node) enqueueComposed(ctx context.Context, a partners.Agreement, compose func(place) (Departure, error)) (Enqueued, error) {
	if name := lineOf(a); name != "" {
		return n.enqueueOrdered(ctx, a.Partner, name, compose)
	}
	d, err := compose(place{conversation: uuid.NewString()})
	if err != nil {
		return Enqueued{}, err
	}
	results, err := n.store.Enqueue(ctx, []Departure{d})
	if err != nil {
		return Enqueued{}, err
	}
	return results[0], nil
}

// signedDocument returns the UBL document under the issuing body's signature, and the fingerprint of its credential. What is
// the issuing country's own stays in our record and out of the document.
func (n *Node) signedDocument(ctx context.Context, c eco.Certificate, o ubl.Options, now time.Time) ([]byte, string, error) {
	unsigned, err := o.Marshal(c.ForPartner(), n.registry.Forms())
	if err != nil {
		return nil, "", fmt.Errorf("certificate %s as UBL: %w", c.Reference, err)
	}
	if err := n.checkSent(ctx, unsigned, cmp.Or(o.Version, ubl.Version21)); err != nil {
		return nil, "", fmt.Errorf("certificate %s as UBL: %w", c.Reference, err)
	}
	n.step("mapped", Message{}, c.Reference, fmt.Sprintf("UBL CertificateOfOrigin, %d bytes", len(unsigned)))
	by := issuerOf(c, n.registry.Forms())
	if own, err := n.registry.Authority("", by, now); err == nil && len(own.Doubts) > 0 { // partners would hold what our own lists do not have
		return nil, "", fmt.Errorf("%w: %s", ErrNotAuthorised, own.Doubts[0].Text)
	}
	return n.signedByBody(ctx, unsignedDocument{unsigned, ubl.SignaturePath(), c.Reference}, by, now)
}

// unsignedDocument is a document with the place for its signature; reference is that of the certificate that it is about.
type unsignedDocument struct {
	octets    []byte
	path      []xml.Name
	reference string
}

// signedByBody returns a document under an issuing body's signature, and the fingerprint of its credential. The caller is computing.
func (n *Node) signedByBody(ctx context.Context, d unsignedDocument, by partners.IssuerQuery, now time.Time) ([]byte, string, error) {
	if _, err := n.registry.Authority("", by, now); err != nil {
		return nil, "", fmt.Errorf("%w: %w", ErrNotAuthorised, err)
	}
	key, err := n.registry.Key(partners.UseDocumentSignature, by.Body, now)
	if err != nil {
		return nil, "", fmt.Errorf("%w: %w", ErrNotAuthorised, err)
	}
	document, err := n.signAs(ctx, n.registry.DocumentForm(by.Body), d, key, now)
	if errors.Is(err, signing.ErrAuthority) {
		n.log.Warn("no time-stamp for a certificate; nothing was queued", "reference", d.reference, "issuing_body", by.Body, "error", err)
		return nil, "", fmt.Errorf("%w: issuing body %s: %w", ErrNoTimeStamp, by.Body, err)
	}
	if err != nil {
		return nil, "", fmt.Errorf("document signature of %s: %w", by.Body, err)
	}
	return document, signing.Fingerprint(key.Chain[0]), nil
}

// signAs puts a document signature of that form into a document. The caller is computing.
func (n *Node) signAs(ctx context.Context, form partners.DocumentForm, d unsignedDocument, key signing.Key, now time.Time) ([]byte, error) {
	key, err := key.With(form.SignatureAlgorithm)
	if err != nil {
		return nil, err
	}
	if form.XAdES == partners.XAdESNone {
		return signing.SignDocument(d.octets, d.path, key)
	}
	x := signing.XAdES{SigningTime: now}
	if form.XAdES == partners.XAdEST {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, form.TimeStamp.Timeout)
		defer cancel()
		x.Authority, x.TimeStampAnchors = idle{n, n.authority(form.TimeStamp.URL)}, form.TimeStamp.Anchors
	}
	return signing.SignXAdES(ctx, d.octets, d.path, key, x)
}

// idle lets others compute while an authority is asked: one that hangs must not hold up the node.
type idle struct {
	n *Node
	signing.TimeStampAuthority
}

// Ask implements signing.TimeStampAuthority.
func (i idle) Ask(ctx context.Context, request []byte) ([]byte, error) {
	<-i.n.cpus
	defer func() { i.n.cpus <- struct{}{} }()
	return i.TimeStampAuthority.Ask(ctx, request)
}

// compose makes the signed ebMS message that carries a certificate under its agreement.
func (n *Node) compose(l load, p place) (Departure, error) {
	defer n.computing()()
	a := l.agreement
	id := n.newID()
	m := n.reliable(a, id, l.at)
	m.ConversationID, m.Order, m.Action = p.conversation, p.order.toEBMS(), cmp.Or(l.action, a.Action)
	m.RefToMessageID = l.about
	parts := []ebms.Part{m.carry("co-"+id, "certificate", "", ubl.MediaType, ebms.Bytes(l.document))}
	for i, attachment := range l.attachments {
		parts = append(parts, m.carry(attachmentID(i, l.set), fmt.Sprintf("attachment-%d", i+1), attachment.Name, attachment.ContentType, attachment.Content))
	}
	d, err := n.sealReliable(a, m, parts, l.at)
	if err != nil {
		return Departure{}, err
	}
	d.Message.Kind = KindCertificate
	d.Message.Order = p.order
	n.address(&d.Message, a)
	if l.replaced != nil {
		if d.Changes, d.Message.Effect, err = withdraw(*l.replaced, eco.Event{
			Kind: eco.EventReplace, At: l.at, By: l.actor, Reference: l.certificate.Data.Reference}, id, &l.certificate.Key); err != nil {
			return Departure{}, err
		}
	}
	certificate := l.certificate
	certificate.Message = id
	if l.replaced != nil {
		certificate.Dealings.Predecessor = &l.replaced.Key
	}
	d.Message.Certificate, d.Message.DocumentSigner = certificate.Key, certificate.DocumentSigner
	if !l.known {
		d.Certificate, d.Document = &certificate, l.document
	}
	d.Audit = []AuditEntry{{At: l.at, Actor: l.actor, Event: cmp.Or(l.event, "certificate.submitted"), Subject: certificate.Key.String(),
		Detail: "message " + id + " to " + a.Partner}}
	if d.Changes != nil {
		d.Audit = append(d.Audit, replacedEntry(l.replaced.Key, certificate.Key, id+" to "+a.Partner, l.actor, l.at))
	}
	d.Changes, d.Audit = append(d.Changes, l.draws...), append(d.Audit, l.drawn...)
	return d, nil
}

// reliable is a message of our own that asks for the agreement's reliability.
func (n *Node) reliable(a partners.Agreement, id string, at time.Time) draft {
	m := n.draft(a, id, at)
	m.TimeToLive = expiry(a, at)
	m.DuplicateElimination = a.DuplicateElimination
	if a.AckRequested {
		m.AckRequested = &ebms.AckRequested{Signed: a.AckSigned}
	}
	m.SyncReply = a.SyncReply != partners.SyncReplyNone
	return m
}

// sealReliable is seal for such a message. Where nothing was agreed a message may be as large as this node itself takes: one that
// the partner can never take would be tried until its time is over.
func (n *Node) sealReliable(a partners.Agreement, m draft, parts []ebms.Part, at time.Time) (Departure, error) {
	d, err := n.seal(a, m.Message, parts, a.SignatureRequired, at)
	if err != nil {
		return Departure{}, err
	}
	if size, limit := d.Raw.Size(), cmp.Or(a.MaxBytes, n.limits.Body); limit > 0 && size > limit {
		return Departure{}, fmt.Errorf("%w: %d bytes, allowed are %d", ErrTooLarge, size, limit)
	}
	d.Message.Expires = m.TimeToLive
	d.Message.AckRequired = a.AckRequested
	return d, nil
}

// draft is a message of our own under an agreement, as far as every message has it.
type draft struct{ *ebms.Message }

func (n *Node) draft(a partners.Agreement, id string, now time.Time) draft {
	own, their := parties(a)
	return draft{&ebms.Message{
		From: own, To: their, CPAID: a.CPAID, Service: ebms.Service{Type: a.Service.Type, Value: a.Service.Value},
		MessageID: id, Timestamp: now,
	}}
}

// parties are the two ends of an agreement.
func parties(a partners.Agreement) (own, their ebms.Party) {
	return ebms.Party{IDs: toEBMS(a.OwnParty), Role: a.OwnRole}, ebms.Party{IDs: toEBMS(a.PartnerParty), Role: a.PartnerRole}
}

// carry lists a payload in the Manifest and returns its part.
func (d draft) carry(contentID, id, description, mediaType string, content Content) ebms.Part {
	d.Manifest = append(d.Manifest, ebms.ManifestReference{ID: id, Href: ebms.CIDToHref(contentID), Description: description})
	return ebms.Part{ContentID: contentID, ContentType: mediaType, Content: content}
}

// seal writes m with parts as the bytes that will be sent, signed as the agreement says if sign is set, and the record that goes
// with them.
func (n *Node) seal(a partners.Agreement, m *ebms.Message, parts []ebms.Part, sign bool, now time.Time) (Departure, error) {
	envelope, err := m.Envelope()
	if err != nil {
		return Departure{}, fmt.Errorf("envelope: %w", err)
	}
	pkg := ebms.Package{Envelope: envelope, Parts: parts}
	var d Departure
	if sign {
		key, err := n.registry.Key(partners.UseMessageSignature, "", now)
		if err == nil {
			key, err = key.With(a.SignatureAlgorithm)
		}
		if err != nil {
			return Departure{}, fmt.Errorf("message signature: %w", err)
		}
		signed, references, err := n.signMessage(a, envelope, SignedParts(m.Manifest, &pkg), key, now)
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
	m.Endpoint = endpointFor(a, m.Kind)
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

// testMark ends the text of a key with Test.
const testMark = " (test)"

// String returns the key as country/form/reference.
func (k CertificateKey) String() string {
	text := k.Country + "/" + string(k.Form) + "/" + k.Reference
	if k.Test {
		text += testMark
	}
	return text
}

func hexDigest(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}
