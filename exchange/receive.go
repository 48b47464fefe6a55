package exchange

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/ecogate/ecogate/ebms"
	"github.com/ecogate/ecogate/exchange/fault"
	"github.com/ecogate/ecogate/partners"
	"github.com/ecogate/ecogate/signing"
)

// reception is one inbound message on its way through the steps of Receive. Each step fills in its part.
type reception struct {
	request ebms.Request
	// registry is the state of the partners' registry by which the whole message is judged, whatever changes meanwhile.
	registry *partners.Registry
	pkg      *ebms.Package
	// octets are what business data is read from: after authenticate, the octets that the message signature covers.
	octets []byte
	// header is read from octets. Before authenticate it only says which agreement and credentials to try.
	header    *ebms.Message
	agreement partners.Agreement
	// ended: the agreement is known but not in force any more, or not yet. What was sent while it was in force may still be
	// settled and repeated under it.
	ended error
	// established: the message is the agreement's partner's, by its signature, or because the agreement asks for none.
	// A TLS client credential alone does not do it: what this node then signs speaks of a MessageId that anybody may have
	// written into an unsigned message.
	established bool
	verified    *signing.Verified
	// parts are what the message signature covers beside the envelope, as they came.
	parts  []signing.Part
	record Message
	// firstUse activates a credential of the partner that waits for its first use and that has verified something, durably before it returns; nil
	// where none is activated so. Its error is a *storeError, or errNotFirst.
	firstUse func(partners.Use, *signing.Verified) error
	// inResponse: the message came in the HTTP response to one of ours.
	inResponse bool
}

// Receive takes one HTTP request of a partner through the inbound flow and returns the HTTP answer. It never returns a 2xx before what it
// stands for is durable. Messages that fail a step are kept in quarantine and answered per ebMS 2.0 §4.2: with an ebXML
// error where one can be addressed, with a SOAP Fault where no header could be read.
func (n *Node) Receive(ctx context.Context, request ebms.Request) ebms.Reply {
	fault.Point("receive.read")
	r := &reception{request: request, registry: n.registry.Snapshot()}
	r.firstUse = n.firstUse(ctx, r)
	defer r.close()
	if err := n.examine(r); err != nil {
		return n.refuse(ctx, r, err)
	}
	fault.Point("receive.verified")
	n.try(r)
	switch {
	case r.isSignal():
		return n.takeSignal(ctx, r)
	case r.record.Kind != KindCertificate && r.record.Kind != KindCancellation:
		return n.takeBusiness(ctx, r)
	}
	return n.takeCertificate(ctx, r)
}

// close gives back what reading the message took.
func (r *reception) close() {
	if r.pkg != nil {
		_ = r.pkg.Close()
	}
}

// examine does what needs neither the store nor an answer: it reads the message and establishes whose it is.
func (n *Node) examine(r *reception) error {
	defer n.computing()()
	if err := n.open(r); err != nil {
		n.establish(r, err)
		return err
	}
	return n.authenticate(r)
}

// establish finds out whose a message is whose header breaks a rule, so that its sender can be told in a signed error. It is
// told only of what the octets that its signature covers say: if those break no rule, what does was added on the way, and a
// signed error would end a good message. A request of the next message service is told of all the same, since a node on the way
// that is agreed asks in earnest, and would ask again with every copy.
func (n *Node) establish(r *reception, problem error) {
	if r.header == nil || n.findAgreement(r) != nil || n.checkConnection(r) != nil || n.verify(r) != nil {
		return
	}
	covered, err := ebms.Parse(r.octets)
	added := err == nil && ebms.AsError(problem).Code != ebms.CodeNotSupported
	r.established = r.verified != nil && !added && covered != nil && covered.MessageID == r.header.MessageID && covered.CPAID == r.header.CPAID
}

// open reads package and header, strictly and within the limits.
func (n *Node) open(r *reception) error {
	r.record = newRecord(r.request)
	pkg, err := ebms.ReadPackage(r.request.ContentType, r.request.Body, n.limits)
	if refusal := (*ebms.Error)(nil); err != nil && !errors.As(err, &refusal) {
		return &storeError{fmt.Errorf("reading a message: %w", err)} // a disk that fails is not the sender's fault
	}
	if err != nil {
		return err
	}
	octets, err := signing.Canonicalize(pkg.Envelope)
	if err != nil {
		return ebms.NewOtherXML("", fmt.Errorf("envelope: %w", err))
	}
	r.pkg, r.octets = pkg, octets
	r.header, err = ebms.Parse(octets)
	if r.header != nil {
		headerInto(&r.record, r.header)
		r.record.Kind = kindOf(r.header)
	}
	return err
}

// newRecord is what is known of a message before it is read.
func newRecord(request ebms.Request) Message {
	return Message{Direction: Inbound, Kind: KindUnknown, Created: request.Received.UTC(), ContentType: request.ContentType}
}

// authenticate finds the agreement, checks that the connection and the signature are the partner's, and reads the header
// again from the octets that the signature covers.
func (n *Node) authenticate(r *reception) error {
	if err := n.findAgreement(r); err != nil {
		return err
	}
	if err := n.checkConnection(r); err != nil {
		return err
	}
	if err := n.verify(r); err != nil {
		return err
	}
	if err := n.checkRevocations(r); err != nil {
		r.verified, r.established = nil, false // whoever has the key may have sent it
		return ebms.NewSecurityFailure("", err)
	}
	// After the signature, so that the partner, if it is the partner, is told in a way that it can trust. What strangers can
	// send is bounded by the node's own limits.
	if size := r.request.Body.Size(); r.agreement.MaxBytes > 0 && size > r.agreement.MaxBytes {
		return ebms.NewMimeProblem("", fmt.Errorf("message of %d bytes, the agreement allows %d", size, r.agreement.MaxBytes))
	}
	if parts := len(r.pkg.Parts) + 1; r.agreement.MaxParts > 0 && parts > r.agreement.MaxParts {
		return ebms.NewMimeProblem("", fmt.Errorf("message of %d parts, the agreement allows %d", parts, r.agreement.MaxParts))
	}
	header, err := ebms.Parse(r.octets)
	if err != nil {
		return err
	}
	if header.MessageID != r.header.MessageID || header.CPAID != r.header.CPAID {
		return ebms.NewSecurityFailure("", errors.New("the header that the signature covers is not the header of the message"))
	}
	// SyncReply stands outside the signature (actor next): it stays a hint.
	header.SyncReply = r.header.SyncReply
	r.header = header
	if err := checkTolerated(r); err != nil {
		return err
	}
	r.record.Content, err = contentDigest(r)
	return err
}

func (n *Node) findAgreement(r *reception) error {
	h := r.header
	query := partners.InboundQuery{
		CPAID: h.CPAID, From: fromEBMS(h.From.IDs), To: fromEBMS(h.To.IDs),
		Service: partners.Service{Type: h.Service.Type, Value: h.Service.Value}, Action: h.Action,
	}
	if r.isSignal() {
		query.Service, query.Action = partners.Service{}, ""
	}
	agreement, err := r.registry.Inbound(query, r.request.Received)
	switch {
	case err == nil, errors.Is(err, partners.ErrOutsideValidity):
		r.agreement, r.ended = agreement, err
		r.record.Partner = agreement.Partner
		if !r.isSignal() {
			r.record.Kind = kindOfAction(&agreement, h.Action)
		}
		return nil
	case errors.Is(err, partners.ErrUnknownCPA), errors.Is(err, partners.ErrUnknownService):
		return ebms.NewValueNotRecognized(headerLocation, err)
	default:
		return ebms.NewInconsistent(headerLocation, err)
	}
}

const headerLocation = "//Header/MessageHeader"

// checkConnection compares the TLS client, if there is one, with the party that the header claims.
func (n *Node) checkConnection(r *reception) error {
	tls := r.request.TLS
	if tls == nil || len(tls.PeerCertificates) == 0 {
		return nil
	}
	partner, ok := r.registry.PartnerByTLS(tls.PeerCertificates[0], r.request.Received)
	if !ok || partner != r.agreement.Partner {
		return ebms.NewSecurityFailure(headerLocation, fmt.Errorf("TLS client %q is not partner %q", tls.PeerCertificates[0].Subject, r.agreement.Partner))
	}
	return nil
}

// verify checks the message signature under the credentials that count for the partner at receipt, and its coverage:
// the envelope and every part. r.octets become the octets that it covers.
func (n *Node) verify(r *reception) error {
	if !r.header.Signed && !r.agreement.SignatureRequired {
		r.established = true
		return nil
	}
	parts := SignedParts(r.header.Manifest, r.pkg)
	verified, err := n.underCounting(r, partners.UseMessageSignature, func(candidates []*x509.Certificate) (*signing.Verified, error) {
		return signing.VerifyMessage(r.pkg.Envelope, parts, candidates, r.agreement.SignaturePolicy(r.request.Received))
	})
	var judged *signing.Error
	switch broken := (*storeError)(nil); {
	case errors.As(err, &broken):
		return err
	case err != nil && !errors.As(err, &judged):
		return &storeError{fmt.Errorf("verifying a message: %w", err)}
	case err != nil:
		return ebms.NewSecurityFailure("", n.withheld(r, partners.UseMessageSignature, err))
	}
	r.verified, r.octets, r.established = verified, verified.Octets, true
	r.record.References = recordReferences(verified.References)
	r.record.Signer = signing.Fingerprint(verified.Signer)
	r.parts = parts
	return r.takeCanonical(parts)
}

// takeCanonical puts their canonical octets in the place of parts that are signed in canonical form, because nothing else of
// them is the partner's. The first part that the Manifest names is read from them. The others reach people as they came, so they
// must not have what a canonical form leaves out and anybody on the way could have written: comments.
func (r *reception) takeCanonical(parts []signing.Part) error {
	document := "" // a message without Manifest has none
	if len(r.header.Manifest) > 0 {
		document = r.header.Manifest[0].Href
	}
	for i, part := range parts {
		octets, canonical := r.verified.Parts[part.URI]
		if !canonical {
			continue
		}
		if part.URI != document {
			received, err := ebms.ReadAll(part.Content, 0)
			if err != nil {
				return &storeError{fmt.Errorf("reading the part %q: %w", part.URI, err)}
			}
			if bytes.Contains(received, []byte("<!--")) {
				return ebms.NewSecurityFailure(part.URI, errors.New("the part has a comment, which its signature in canonical form does not cover"))
			}
		}
		r.pkg.Parts[i].Content = bytes.NewReader(octets)
	}
	return nil
}

// candidates are the partner's credentials that count for use at receipt.
func (n *Node) candidates(r *reception, use partners.Use) []*x509.Certificate {
	return x509Certs(r.registry.Credentials(r.agreement.Partner, use, r.request.Received))
}

func x509Certs(credentials []partners.Credential) []*x509.Certificate {
	out := make([]*x509.Certificate, len(credentials))
	for i, c := range credentials {
		out[i] = c.X509Cert
	}
	return out
}

// withheld is err with the reasons for which credentials of the partner do not count at receipt although they would otherwise.
func (n *Node) withheld(r *reception, use partners.Use, err error) error {
	if reasons := r.registry.Withheld(r.agreement.Partner, use, r.request.Received); len(reasons) > 0 {
		return fmt.Errorf("%w; %s", err, strings.Join(reasons, "; "))
	}
	return err
}

// documentPolicy is what the agreement allows in signatures, with the time-stamp authorities of the partner's issuing bodies.
func (n *Node) documentPolicy(r *reception) signing.Policy {
	p := r.agreement.SignaturePolicy(r.request.Received)
	p.TimeStampAnchors, _ = r.registry.TimeStampAnchors(r.agreement.Partner, r.request.Received)
	return p
}

// checkHeader compares the verified header of a new message with what the agreement says of it (ebMS 2.0 §3.1.6.4, §3.1.7,
// §6.3.1). A SyncReply that was not agreed is passed over: it stands outside the signature, so anybody on the way could have
// written it, and a refusal because of it would end a good message.
func checkHeader(r *reception) error {
	h, a := r.header, r.agreement
	switch {
	case r.ended != nil:
		return ebms.NewInconsistent(headerLocation+"/CPAId", r.ended)
	case !h.TimeToLive.IsZero() && !r.request.Received.Before(h.TimeToLive):
		return ebms.NewTimeToLiveExpired(fmt.Errorf("expired at %s", h.TimeToLive))
	case otherRole(h.From.Role, a.PartnerRole):
		return ebms.NewInconsistent(headerLocation+"/From/Role", fmt.Errorf("the Role is %q, agreed is %q", h.From.Role, a.PartnerRole))
	case otherRole(h.To.Role, a.OwnRole):
		return ebms.NewInconsistent(headerLocation+"/To/Role", fmt.Errorf("the Role is %q, agreed is %q", h.To.Role, a.OwnRole))
	case !r.record.Kind.initiates():
		return nil // an answer needs neither: the reliability of what it answers brought it about
	case h.DuplicateElimination != a.DuplicateElimination:
		return ebms.NewInconsistent(headerLocation+"/DuplicateElimination", fmt.Errorf("DuplicateElimination is %s, the agreement says %s", present(h.DuplicateElimination), always(a.DuplicateElimination)))
	case (h.AckRequested != nil) != a.AckRequested:
		return ebms.NewInconsistent("//Header/AckRequested", fmt.Errorf("AckRequested is %s, the agreement says %s", present(h.AckRequested != nil), always(a.AckRequested)))
	case h.AckRequested != nil && h.AckRequested.Signed != a.AckSigned:
		return ebms.NewInconsistent("//Header/AckRequested/@signed", fmt.Errorf("a signed acknowledgment: asked for %t, agreed %t", h.AckRequested.Signed, a.AckSigned))
	case (h.Order != nil) != (a.MessageOrder == partners.OrderGuaranteed && h.Action == a.Action): // of certificates alone
		return ebms.NewInconsistent("//Header/MessageOrder", fmt.Errorf("MessageOrder is %s, the agreement says %s for action %q", present(h.Order != nil), a.MessageOrder, a.Action))
	}
	return nil
}

// otherRole reports whether a party has another Role than agreed; whether it may have none is for Tolerate to say. ebMS 2.0
// §3.1.1.2.
func otherRole(role, agreed string) bool { return role != "" && agreed != "" && role != agreed }

func present(is bool) string {
	if is {
		return "present"
	}
	return "absent"
}

func always(agreed bool) string {
	if agreed {
		return "always"
	}
	return "never"
}

// checkTolerated refuses what the message does otherwise than the specification, unless the agreement tolerates it. Packaging
// and SOAPAction stand outside the signature: of them nothing is told in a signed error, which would end a good message that
// was packed anew on the way.
func checkTolerated(r *reception) error {
	for _, oddity := range r.pkg.Oddities {
		if !r.agreement.Tolerates(string(oddity)) {
			r.established = false
			return ebms.NewMimeProblem("", fmt.Errorf("packaging has %s, which the agreement does not tolerate", oddity))
		}
	}
	for _, oddity := range r.header.Oddities {
		if !r.agreement.Tolerates(string(oddity)) {
			return ebms.NewInconsistent(headerLocation, fmt.Errorf("message has %s, which the agreement does not tolerate", oddity))
		}
	}
	// An answer in an HTTP response has no SOAPAction (ebMS 2.0 appendix B.2.2).
	if !r.inResponse && r.request.SOAPAction != r.agreement.SOAPAction && !r.agreement.Tolerates(string(ebms.OdditySOAPAction)) {
		r.established = false
		return ebms.NewInconsistent("", fmt.Errorf("SOAPAction is %.200q, agreed is %q", r.request.SOAPAction, r.agreement.SOAPAction))
	}
	return nil
}

func (r *reception) isSignal() bool {
	return r.header.IsSignal()
}

// answersInResponse reports whether signals about this message travel in the HTTP response: the agreement says so and the
// message asks for it. There is none to a message that came in a response itself, and where signals alone travel there, the report
// on a certificate and the answer to an announcement do not.
func (r *reception) answersInResponse() bool {
	if (r.record.Kind == KindCertificateRequest || r.record.Kind == KindAnnouncement) && r.agreement.SyncReply == partners.SyncReplySignals {
		return false
	}
	return !r.inResponse && r.agreement.SyncReply != "" && r.agreement.SyncReply != partners.SyncReplyNone && r.header.SyncReply
}

func kindOf(m *ebms.Message) Kind {
	switch {
	case !m.IsSignal():
		return KindCertificate
	case m.Action == ebms.ActionAcknowledgment:
		return KindAcknowledgment
	case m.Action == ebms.ActionMessageError:
		return KindError
	case m.Action == ebms.ActionPing:
		return KindPing
	case m.Action == ebms.ActionPong:
		return KindPong
	case m.Action == ebms.ActionStatusRequest:
		return KindStatusRequest
	case m.Action == ebms.ActionStatusResponse:
		return KindStatusResponse
	}
	return KindUnknown
}

// contentDigest identifies what the message says apart from how it was packaged: a peer may choose another MIME boundary
// and another order of the parts when it sends a message again. Parts are known by the URI that the signature covers.
func contentDigest(r *reception) (string, error) {
	h := sha256.New()
	fmt.Fprintf(h, "envelope %d\n", len(r.octets))
	h.Write(r.octets)
	parts := SignedParts(r.header.Manifest, r.pkg)
	slices.SortFunc(parts, func(a, b signing.Part) int { return strings.Compare(a.URI, b.URI) })
	for _, p := range parts {
		fmt.Fprintf(h, "part %d %q\n", p.Content.Size(), p.URI)
		if _, err := io.Copy(h, io.NewSectionReader(p.Content, 0, p.Content.Size())); err != nil {
			return "", &storeError{fmt.Errorf("reading part %q: %w", p.URI, err)}
		}
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// isCopy reports whether the message is already there. The unique key in the store decides when it is recorded; knowing it
// before spares the work and lets a copy that comes after its time to live, or after the agreement changed, still get its
// answer (ebMS 2.0 §6.5.5).
func (n *Node) isCopy(ctx context.Context, r *reception) (bool, error) {
	for _, state := range []State{StateAccepted, StateReceived} {
		copies, err := n.store.Messages(ctx, MessageQuery{MessageID: r.header.MessageID, Direction: Inbound, State: state, Partner: r.agreement.Partner, Limit: 1})
		if err != nil {
			return false, err
		}
		if len(copies) > 0 {
			return copies[0].Content == r.record.Content, nil
		}
	}
	return false, nil
}

// accept records an arrival, also if its sender has gone meanwhile: the work is done, and whoever tries something would leave no
// trace by hanging up. Its error means that nothing may be acknowledged.
func (n *Node) accept(ctx context.Context, a Arrival) (Accepted, error) {
	results, err := n.store.Accept(context.WithoutCancel(ctx), []Arrival{a})
	if err != nil {
		return Accepted{}, fmt.Errorf("recording message %q: %w", a.Message.MessageID, err)
	}
	if a.Reply != nil && !a.Held {
		n.announce()
	}
	return results[0], nil
}

// unavailable is the answer when the store did not commit: the sender keeps the message and tries again.
func (n *Node) unavailable(err error) ebms.Reply {
	level := slog.LevelError
	if errors.Is(err, context.Canceled) { // the sender hung up, and will come again
		level = slog.LevelInfo
	}
	n.log.Log(context.Background(), level, "inbound message not recorded", "error", err)
	return ebms.Reply{Status: http.StatusServiceUnavailable, RetryAfter: 30 * time.Second}
}
