package exchange

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/ecogate/ecogate/ebms"
	"github.com/ecogate/ecogate/exchange/fault"
	"github.com/ecogate/ecogate/partners"
	"github.com/ecogate/ecogate/partners/announcement"
	"github.com/ecogate/ecogate/signing"
)

// Announced is an announcement of our own credentials that was queued.
type Announced struct {
	Message Message              `json:"message"`
	Summary announcement.Summary `json:"announcement"`
}

// Announce tells a partner of our own keys that wait for their time, in a message signed by the one that counts now. When it returns nil
// the message is queued, durably. From the partner's answer on, until the switch, our messages to it have a second signature by the new
// key, as far as the partner does not refuse it.
//
// Errors: announcement.ErrNothing, ErrNotAgreed, partners.ErrUnknownPartner, partners.ErrOutsideValidity, ErrTooLarge; anything else means that the outcome is unknown.
func (n *Node) Announce(ctx context.Context, actor, partner string) (Announced, error) {
	now := n.now().UTC()
	agreement, err := n.registry.Announcing(partner, now)
	if errors.Is(err, partners.ErrNoAnnouncement) {
		err = fmt.Errorf("%w: %w", ErrNotAgreed, err)
	}
	if err != nil {
		return Announced{}, err
	}
	a, document, err := announcement.Of(n.registry.Self(), n.registry.Successors(now), now)
	if err != nil {
		return Announced{}, err
	}
	summary := a.Summary()
	m, err := n.say(ctx, func() (Departure, error) {
		defer n.computing()()
		id := n.newID()
		m := n.reliable(agreement, id, now)
		m.Action, m.ConversationID = agreement.Actions.Announce, uuid.NewString()
		part := m.carry("ca-"+id, "announcement", "", announcement.MediaType, ebms.Bytes(document))
		d, err := n.sealReliable(agreement, m, []ebms.Part{part}, now)
		if err != nil {
			return Departure{}, fmt.Errorf("announcement: %w", err)
		}
		d.Message.Kind, d.Message.Business = KindAnnouncement, &Business{Announcement: &summary}
		n.address(&d.Message, agreement)
		d.Audit = []AuditEntry{{At: now, Actor: actor, Event: "credentials.announced", Subject: partner,
			Detail: fmt.Sprintf("number %d, %d credentials, message %s", a.Number, len(a.Credentials), id)}}
		return d, nil
	})
	return Announced{Message: m, Summary: summary}, err
}

// AnnouncementFile is the announcement of our own keys that wait for their time, for a partner that does not know the message: signed by
// the key for messages that counts now, as signing.SignAnnouncement does. The errors wrap announcement.ErrNothing or partners.ErrNoKey, or are
// those of signing.
func (n *Node) AnnouncementFile() ([]byte, announcement.Summary, error) {
	defer n.computing()()
	now := n.now().UTC()
	a, document, err := announcement.Of(n.registry.Self(), n.registry.Successors(now), now)
	if err != nil {
		return nil, announcement.Summary{}, err
	}
	key, err := n.registry.Key(partners.UseMessageSignature, "", now)
	if err != nil {
		return nil, announcement.Summary{}, fmt.Errorf("announcement: %w", err)
	}
	file, err := signing.SignAnnouncement(document, key, now)
	return file, a.Summary(), err
}

// Taken is what became of a partner's announcement.
type Taken struct {
	Partner      string                 `json:"partner"`
	Signer       string                 `json:"signer"` // SHA-256 of the credential that verifies the file
	Announcement announcement.Summary   `json:"announcement"`
	Outcomes     []announcement.Outcome `json:"outcomes"`
}

// TakeAnnouncement takes an announcement that came as a file: CMS, signed by a credential that counts now for the partner's messages. What
// becomes of each credential is decided as for one that came in a message; a dry run changes nothing. The errors wrap partners.ErrUnknownPartner, or
// announcement.ErrRefused where the file is not the partner's announcement or an old one.
func (n *Node) TakeAnnouncement(ctx context.Context, actor, partner string, file []byte, dryRun bool) (Taken, error) {
	if n.announced == nil {
		return Taken{}, fmt.Errorf("%w: this node takes none", announcement.ErrRefused)
	}
	now := n.now().UTC()
	p, found := n.registry.Partner(partner)
	if !found {
		return Taken{}, fmt.Errorf("%w: %q", partners.ErrUnknownPartner, partner)
	}
	a, signer, err := OpenAnnouncement(n.registry, p, file, now)
	if err != nil {
		return Taken{}, err
	}
	outcomes, err := n.announced(ctx, actor, partner, a, dryRun)
	if errors.Is(err, announcement.ErrOld) || errors.Is(err, announcement.ErrAhead) {
		err = fmt.Errorf("%w: %w", announcement.ErrRefused, err)
	}
	if err != nil {
		return Taken{}, err
	}
	if !dryRun {
		n.tellOutcomes("a partner announces a credential", partner, outcomes)
	}
	return Taken{Partner: partner, Signer: signer, Announcement: a.Summary(), Outcomes: outcomes}, nil
}

// OpenAnnouncement reads a partner's announcement out of a file, and gives the fingerprint of the credential that verifies it, one that counts
// at the instant at. The error wraps announcement.ErrRefused.
func OpenAnnouncement(registry *partners.Registry, p partners.Partner, file []byte, at time.Time) (announcement.Announcement, string, error) {
	var candidates []*x509.Certificate
	for _, c := range registry.Credentials(p.ID, partners.UseMessageSignature, at) {
		candidates = append(candidates, c.X509Cert)
	}
	policy := signing.Policy{At: at}
	verified, err := signing.VerifyAnnouncement(file, nil, candidates, policy)
	if err != nil {
		return announcement.Announcement{}, "", fmt.Errorf("%w: %w", announcement.ErrRefused, err)
	}
	a, err := announcement.Read(verified.Octets, policy)
	if err == nil && !a.IsOf(p.PartyIDs) {
		err = fmt.Errorf("%w: %q is not %s", announcement.ErrParty, a.Party, p.ID)
	}
	if err != nil {
		return announcement.Announcement{}, "", fmt.Errorf("%w: %w", announcement.ErrRefused, err)
	}
	return a, signing.Fingerprint(verified.Signer), nil
}

// recordAnnouncement takes a partner's announcement: what becomes of each credential is decided, recorded and answered.
func (n *Node) recordAnnouncement(ctx context.Context, r *reception) (Accepted, error) {
	if n.announced == nil {
		return Accepted{}, ebms.NewNotSupported(headerLocation+"/Action", errors.New("this node takes no announcements of credentials"))
	}
	if err := checkHeader(r); err != nil {
		return Accepted{}, err
	}
	a, location, err := n.readAnnouncement(r)
	if err != nil {
		return Accepted{}, err
	}
	outcomes, err := n.announced(ctx, r.agreement.Partner, r.agreement.Partner, a, false)
	switch {
	case errors.Is(err, announcement.ErrOld), errors.Is(err, announcement.ErrAhead), errors.Is(err, announcement.ErrParty):
		return Accepted{}, ebms.NewInconsistent(location, err)
	case err != nil:
		return Accepted{}, &storeError{fmt.Errorf("announcement of %s: %w", r.agreement.Partner, err)}
	}
	for i, o := range outcomes {
		outcomes[i].Verified, outcomes[i].Failed = n.tried(r.agreement.Partner, o.SHA256)
	}
	summary := a.Summary()
	arrival := Arrival{Message: r.record, Raw: r.request.Body, Held: r.answersInResponse()}
	arrival.Message.State, arrival.Message.Business = StateAccepted, &Business{Announcement: &summary}
	for _, o := range outcomes {
		arrival.Audit = append(arrival.Audit, AuditEntry{At: r.record.Created, Actor: r.agreement.Partner, Event: "credentials.announced", Subject: r.agreement.Partner,
			Detail: strings.Join(slices.Concat([]string{fmt.Sprintf("number %d, %s %s %s: %s", a.Number, o.Use, o.Body, o.SHA256, o.Result)}, o.Reasons), "; ")})
	}
	if arrival.Settles, err = n.bundledReceipt(ctx, r); err != nil {
		return Accepted{}, err
	}
	if arrival.Reply, err = n.answerAnnouncement(r, announcement.Answer{Number: a.Number, Outcomes: outcomes}); err != nil {
		return Accepted{}, &storeError{err}
	}
	fault.Point("answer.verified")
	accepted, err := n.accept(ctx, arrival)
	if err != nil {
		return Accepted{}, &storeError{err}
	}
	fault.Point("answer.committed")
	if accepted.Fresh && !accepted.Conflict {
		n.step("stored", arrival.Message, "", fmt.Sprintf("announcement %d of %d credentials", a.Number, len(a.Credentials)))
		n.tellOutcomes("a partner announces a credential", r.agreement.Partner, outcomes)
	}
	return accepted, nil
}

// tellOutcomes tells an operator what became of each credential.
func (n *Node) tellOutcomes(text, partner string, outcomes []announcement.Outcome) {
	for _, o := range outcomes {
		n.log.Warn(text, "partner", partner, "use", o.Use, "issuing_body", o.Body, "sha256", o.SHA256, "result", o.Result, "reasons", o.Reasons)
	}
}

// readAnnouncement reads the announcement among the parts. It counts by the signature of the message only.
func (n *Node) readAnnouncement(r *reception) (announcement.Announcement, string, error) {
	defer n.computing()()
	document, location, err := r.onlyDocument()
	if err != nil {
		return announcement.Announcement{}, location, err
	}
	a, err := announcement.Read(document, r.agreement.SignaturePolicy(r.request.Received))
	switch {
	case errors.Is(err, announcement.ErrProof):
		err = ebms.NewSecurityFailure(location, err)
	case err != nil:
		err = ebms.NewOtherXML(location, err)
	case !a.IsOf(r.agreement.PartnerParty):
		err = ebms.NewInconsistent(location, fmt.Errorf("%w: %q, the message is of %q", announcement.ErrParty, a.Party, r.agreement.PartnerParty))
	}
	return a, location, err
}

// onlyDocument is the document of a message about credentials, which is signed.
func (r *reception) onlyDocument() (document []byte, location string, err error) {
	if r.verified == nil {
		return nil, "", ebms.NewSecurityFailure("", errors.New("a message about credentials counts by its signature only, and has none"))
	}
	part, err := r.document()
	if err != nil {
		return nil, "", err
	}
	location = ebms.CIDToHref(part.ContentID)
	document, err = readDocument(part, location)
	return document, location, err
}

// answerAnnouncement composes what answers an announcement, with the acknowledgment in it if one is asked for.
func (n *Node) answerAnnouncement(r *reception, answer announcement.Answer) (*Departure, error) {
	defer n.computing()()
	id, now := n.newID(), n.now().UTC()
	d := n.draft(r.agreement, id, now)
	d.Action, d.RefToMessageID, d.ConversationID = r.agreement.Actions.AnnounceAnswer, r.header.MessageID, r.header.ConversationID
	if r.header.AckRequested != nil {
		d.Acknowledgment = ebms.NewAcknowledgment(r.header, n.signalOptions(r)).Acknowledgment
		r.confirm(d.Acknowledgment)
	}
	part := d.carry("aa-"+id, "answer", "", announcement.MediaType, ebms.Bytes(answer.Marshal()))
	departure, err := n.seal(r.agreement, d.Message, []ebms.Part{part}, true, now)
	if err != nil {
		return nil, fmt.Errorf("answer to announcement %q: %w", r.record.MessageID, err)
	}
	departure.Message.Kind, departure.Message.Business = KindAnnouncementAnswer, &Business{AnnouncementAnswer: &answer}
	n.address(&departure.Message, r.agreement)
	return &departure, nil
}

// recordAnnouncementAnswer takes what a partner answers to our announcement.
func (n *Node) recordAnnouncementAnswer(ctx context.Context, r *reception) (Accepted, error) {
	if err := checkHeader(r); err != nil {
		return Accepted{}, err
	}
	sent, err := n.askedIn(ctx, r, KindAnnouncement)
	if err != nil {
		return Accepted{}, err
	}
	document, location, err := r.onlyDocument()
	if err != nil {
		return Accepted{}, err
	}
	answer, err := announcement.ReadAnswer(document)
	if err != nil {
		return Accepted{}, ebms.NewOtherXML(location, err)
	}
	if own := sent.Business.Announcement.Number; answer.Number != own {
		return Accepted{}, ebms.NewInconsistent(location, fmt.Errorf("the answer is to announcement %d, message %q is announcement %d", answer.Number, sent.MessageID, own))
	}
	arrival := Arrival{Message: r.record, Raw: r.request.Body, Held: r.answersInResponse()}
	arrival.Message.State, arrival.Message.Business = StateAccepted, &Business{AnnouncementAnswer: &answer}
	arrival.Audit = []AuditEntry{{At: r.record.Created, Actor: r.agreement.Partner, Event: "credentials.answered", Subject: r.agreement.Partner,
		Detail: fmt.Sprintf("announcement %d, message %s", answer.Number, r.record.MessageID)}}
	return n.acceptAnswer(ctx, r, sent, arrival, func() {
		n.learn(r.agreement.Partner, answer)
		n.step("answered", sent, "", fmt.Sprintf("the partner answers announcement %d", answer.Number))
		n.tellOutcomes("a partner answers an announced credential", r.agreement.Partner, answer.Outcomes)
	})
}
