package main

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/ecogate/ecogate/ebms"
	"github.com/ecogate/ecogate/exchange"
	"github.com/ecogate/ecogate/signing"
)

// messageReport is what a message says and how it is signed. But for Verdict and Signer it repeats what the message claims.
type messageReport struct {
	Kind    string `json:"kind"`
	Problem string `json:"problem,omitempty"` // why a node would refuse the header

	Service *typedText   `json:"service,omitempty"`
	Action  string       `json:"action,omitempty"`
	From    *partyReport `json:"from,omitempty"`
	To      *partyReport `json:"to,omitempty"`
	CPAID   string       `json:"cpa_id,omitempty"`

	ConversationID string    `json:"conversation_id,omitempty"`
	MessageID      string    `json:"message_id,omitempty"`
	RefToMessageID string    `json:"ref_to_message_id,omitempty"`
	Timestamp      time.Time `json:"timestamp,omitzero"`
	TimeToLive     time.Time `json:"time_to_live,omitzero"`
	Description    string    `json:"description,omitempty"`

	DuplicateElimination bool      `json:"duplicate_elimination"`
	AckRequested         *ackAsked `json:"ack_requested,omitempty"`
	SyncReply            bool      `json:"sync_reply"`

	Order          *exchange.Order `json:"order,omitempty"`
	Acknowledgment *ackReport      `json:"acknowledgment,omitempty"`
	AsksAbout      string          `json:"asks_about,omitempty"` // of a status request: the MessageId
	Status         *statusReport   `json:"status,omitempty"`

	Errors []errorReport `json:"errors,omitempty"`
	Fault  *faultReport  `json:"fault,omitempty"`

	Parts []partReport `json:"parts"`
	signedReport
}

// signedReport is how a message or a document is signed, and what that is worth.
type signedReport struct {
	Signature *signatureReport `json:"signature,omitempty"`
	// Signer made the signature; nil unless that was verified. KeyInfo is what the message or document itself brings.
	Signer  *credentialReport  `json:"signer,omitempty"`
	KeyInfo []credentialReport `json:"key_info,omitempty"`

	Verdict *verdict `json:"verdict,omitempty"` // of "verify"
}

type typedText struct {
	Type  string `json:"type,omitempty"`
	Value string `json:"value"`
}

type partyReport struct {
	IDs  []typedText `json:"ids"`
	Role string      `json:"role,omitempty"`
}

type ackAsked struct {
	Signed bool   `json:"signed"`
	Actor  string `json:"actor,omitempty"`
}

type ackReport struct {
	Timestamp      time.Time      `json:"timestamp,omitzero"`
	RefToMessageID string         `json:"ref_to_message_id"`
	From           []typedText    `json:"from,omitempty"`
	Actor          string         `json:"actor,omitempty"`
	References     []digestReport `json:"references,omitempty"` // what it confirms
}

// statusReport is what a status response says of a message.
type statusReport struct {
	MessageID string    `json:"message_id"`
	Status    string    `json:"status"`
	Received  time.Time `json:"received,omitzero"`
}

type digestReport struct {
	URI          string `json:"uri"`
	DigestMethod string `json:"digest_method"`
	DigestValue  string `json:"digest_value"`
}

type errorReport struct {
	Code        string `json:"code"`
	Severity    string `json:"severity"`
	Location    string `json:"location,omitempty"`
	Description string `json:"description,omitempty"`
}

type faultReport struct {
	Code string `json:"code"`
	Text string `json:"text"`
}

type partReport struct {
	URI         string `json:"uri"` // as the Manifest spells it
	ContentType string `json:"content_type,omitempty"`
	Size        int64  `json:"size"`
	SHA256      string `json:"sha256"`
}

type signatureReport struct {
	Algorithm  string            `json:"algorithm,omitempty"`
	Refused    string            `json:"refused,omitempty"` // why it is not one that can be verified
	References []referenceReport `json:"references,omitempty"`
	Uncovered  []string          `json:"uncovered_parts,omitempty"`
}

type referenceReport struct {
	digestReport
	Finding string `json:"finding"`
	Reason  string `json:"reason,omitempty"`
}

// credentialReport is an X.509 certificate that a signature is, or claims to be, made with.
type credentialReport struct {
	Subject   string    `json:"subject"`
	Issuer    string    `json:"issuer"`
	Serial    string    `json:"serial"`
	SHA256    string    `json:"sha256"`
	NotBefore time.Time `json:"not_before"`
	NotAfter  time.Time `json:"not_after"`
	Key       string    `json:"key"`
	Source    string    `json:"source"`
	Remark    string    `json:"remark,omitempty"` // its validity at the message's Timestamp
}

type verdict struct {
	Valid bool `json:"valid"`
	// Identified: valid under a credential of the command line, not only under the message's own.
	Identified bool   `json:"identified"`
	Reason     string `json:"reason,omitempty"`
}

// signedThing is what a signature stands in, in the words of a report.
type signedThing struct {
	name   string // what it is
	target string // what a reference to "" is to
	intact string // what a valid signature says
	own    string // the source of a credential that it brings itself
}

var (
	aMessage  = signedThing{"message", "envelope", "the envelope and every part are as the signer signed them", "the message's own KeyInfo"}
	aDocument = signedThing{"document", "document", "the document is as the signer signed it", "the document's own KeyInfo"}
)

// sentence is a verdict as the last line of a report.
func (v verdict) sentence(thing signedThing) string {
	switch {
	case !v.Valid:
		return "not valid: " + v.Reason
	case v.Identified:
		return "valid: " + thing.intact
	}
	return "valid under the " + thing.name + "'s own X.509 certificate; nothing says whose it is (--credential)"
}

// candidate is a credential of the command line.
type candidate struct {
	x509Cert *x509.Certificate
	source   string
}

// orOwn gives the candidates of the command line, or those that the signed thing brings itself if there are none.
func orOwn(given []candidate, i *signing.Inspection, thing signedThing) []candidate {
	if len(given) > 0 {
		return given
	}
	own := make([]candidate, len(i.Credentials))
	for k, x509Cert := range i.Credentials {
		own[k] = candidate{x509Cert, thing.own}
	}
	return own
}

// noCandidates is the reason if a signature could be verified and there is nothing to do it with.
func noCandidates(thing signedThing) error {
	return errors.New("the " + thing.name + " carries no X.509 certificate of its signer, and no --credential was given")
}

func credentialsOf(candidates []candidate) []*x509.Certificate {
	credentials := make([]*x509.Certificate, len(candidates))
	for i, c := range candidates {
		credentials[i] = c.x509Cert
	}
	return credentials
}

// examination is one message on its way to a report.
type examination struct {
	pkg        *ebms.Package
	policy     signing.Policy
	parts      []signing.Part
	header     *ebms.Message // nil for a SOAP Fault
	problem    error         // of the header, from ebms.Parse
	inspection *signing.Inspection
	verified   *signing.Verified // nil until a verdict was asked for and is good
	candidates []candidate
}

// examine reads a message as a node does (see exchange.Node.Receive): envelope, header, signature.
func examine(pkg *ebms.Package, policy signing.Policy) (*examination, error) {
	octets, err := signing.Canonicalize(pkg.Envelope)
	if err != nil {
		return nil, fmt.Errorf("envelope: %w", err)
	}
	x := &examination{pkg: pkg, policy: policy}
	x.header, x.problem = ebms.Parse(octets)
	var fault *ebms.Fault
	if x.header == nil && !errors.As(x.problem, &fault) {
		return nil, x.problem
	}
	if x.header == nil {
		x.inspection = &signing.Inspection{Refused: signing.ErrUnsigned}
		return x, nil
	}
	x.parts = exchange.SignedParts(x.header.Manifest, pkg)
	x.inspection, err = signing.InspectMessage(pkg.Envelope, x.parts, policy)
	return x, err
}

// judge asks the code that a node asks, in a node's order. Its error is that of reading a part; anything that is wrong with
// the message is in the verdict.
func (x *examination) judge(given []candidate) (verdict, error) {
	var v verdict
	x.candidates = orOwn(given, x.inspection, aMessage)
	reason, err := x.reason()
	if err != nil {
		return v, err
	}
	if reason != nil {
		v.Reason = reason.Error()
		return v, nil
	}
	v.Valid, v.Identified = true, len(given) > 0
	return v, nil
}

// reason says why the message is not valid, nil if it is.
func (x *examination) reason() (reason, err error) {
	switch {
	case x.header == nil:
		return errors.New("not signed: a SOAP Fault carries no signature"), nil
	case x.problem != nil:
		return x.problem, nil
	case x.inspection.Refused == nil && len(x.candidates) == 0:
		return noCandidates(aMessage), nil
	}
	verified, err := signing.VerifyMessage(x.pkg.Envelope, x.parts, credentialsOf(x.candidates), x.policy)
	if wrong := (*signing.Error)(nil); errors.As(err, &wrong) {
		return err, nil
	}
	if err != nil {
		return nil, err
	}
	// What is shown of a valid message is read from what the signature covers.
	header, err := ebms.Parse(verified.Octets)
	switch {
	case err != nil:
		return err, nil
	case header.MessageID != x.header.MessageID || header.CPAID != x.header.CPAID:
		return errors.New("the header that the signature covers is not the header of the message"), nil
	}
	header.SyncReply = x.header.SyncReply // stands outside the signature
	if err := x.pkg.CheckManifest(header); err != nil {
		return err, nil
	}
	x.header, x.verified = header, verified
	return nil, nil
}

// report says all that is known. Its error is that of reading a part.
func (x *examination) report() (*messageReport, error) {
	r := &messageReport{Kind: kindFault, Parts: []partReport{}}
	if fault := (*ebms.Fault)(nil); errors.As(x.problem, &fault) {
		r.Fault = &faultReport{fault.Code, fault.Text}
	} else if x.problem != nil {
		r.Problem = x.problem.Error()
	}
	if x.header != nil {
		r.setHeader(x.header)
	}
	if err := x.setParts(r); err != nil {
		return nil, err
	}
	r.setSignature(x.inspection, aMessage, r.Timestamp)
	r.setSigner(x.verified, x.candidates, r.Timestamp)
	return r, nil
}

// setSignature repeats what a signature says. at is the instant of the remark on credentials; zero makes none.
func (r *signedReport) setSignature(i *signing.Inspection, thing signedThing, at time.Time) {
	if i.Algorithm != "" || len(i.References) > 0 || !errors.Is(i.Refused, signing.ErrUnsigned) {
		r.Signature = reportSignature(i)
	}
	for _, x509Cert := range i.Credentials {
		r.KeyInfo = append(r.KeyInfo, reportCredential(x509Cert, thing.own, at))
	}
}

// setSigner says who signed; verified is nil if nobody is known to have.
func (r *signedReport) setSigner(verified *signing.Verified, candidates []candidate, at time.Time) {
	if verified == nil {
		return
	}
	for _, c := range candidates {
		if c.x509Cert == verified.Signer {
			signer := reportCredential(c.x509Cert, c.source, at)
			r.Signer = &signer
		}
	}
}

// The kinds of messages.
const (
	kindBusiness = "business"
	kindFault    = "SOAP fault"
)

// messageKind says what a message is, in words of its Action for those of the messaging service.
func messageKind(m *ebms.Message) string {
	if !m.IsSignal() {
		return kindBusiness
	}
	switch m.Action {
	case ebms.ActionAcknowledgment:
		return string(exchange.KindAcknowledgment)
	case ebms.ActionMessageError:
		return string(exchange.KindError)
	case ebms.ActionPing:
		return "ping"
	case ebms.ActionPong:
		return "pong"
	case ebms.ActionStatusRequest:
		return "status request"
	case ebms.ActionStatusResponse:
		return "status response"
	}
	return string(exchange.KindUnknown)
}

func (r *messageReport) setHeader(m *ebms.Message) {
	r.Kind = messageKind(m)
	r.Service, r.Action = &typedText{m.Service.Type, m.Service.Value}, m.Action
	r.From, r.To = &partyReport{typedIDs(m.From.IDs), m.From.Role}, &partyReport{typedIDs(m.To.IDs), m.To.Role}
	r.CPAID, r.ConversationID, r.MessageID, r.RefToMessageID = m.CPAID, m.ConversationID, m.MessageID, m.RefToMessageID
	r.Timestamp, r.TimeToLive, r.Description = m.Timestamp, m.TimeToLive, m.Description
	r.DuplicateElimination, r.SyncReply = m.DuplicateElimination, m.SyncReply
	if ask := m.AckRequested; ask != nil {
		r.AckRequested = &ackAsked{ask.Signed, ask.Actor}
	}
	if ack := m.Acknowledgment; ack != nil {
		r.Acknowledgment = &ackReport{ack.Timestamp, ack.RefToMessageID, typedIDs(ack.From), ack.Actor, nil}
		for _, d := range ack.References {
			r.Acknowledgment.References = append(r.Acknowledgment.References, digestReport{d.URI, d.DigestMethod, d.DigestValue})
		}
	}
	if order := m.Order; order != nil {
		r.Order = &exchange.Order{Sequence: order.Sequence, Reset: order.Reset}
	}
	if request := m.StatusRequest; request != nil {
		r.AsksAbout = request.RefToMessageID
	}
	if said := m.StatusResponse; said != nil {
		r.Status = &statusReport{said.RefToMessageID, string(said.Status), said.Timestamp}
	}
	if m.Errors != nil {
		for i := range m.Errors.Errors {
			e := &m.Errors.Errors[i]
			r.Errors = append(r.Errors, errorReport{string(e.Code), string(e.Severity), e.Location, e.Description})
		}
	}
}

func typedIDs(ids []ebms.PartyID) []typedText {
	out := make([]typedText, len(ids))
	for i, id := range ids {
		out[i] = typedText{id.Type, id.Value}
	}
	return out
}

func (x *examination) setParts(r *messageReport) error {
	for i, part := range x.parts {
		h := sha256.New()
		if _, err := io.Copy(h, ebms.NewReader(part.Content)); err != nil {
			return fmt.Errorf("reading the part %q: %w", part.URI, err)
		}
		r.Parts = append(r.Parts, partReport{part.URI, x.pkg.Parts[i].ContentType, part.Content.Size(), hex.EncodeToString(h.Sum(nil))})
	}
	return nil
}

func reportSignature(i *signing.Inspection) *signatureReport {
	s := &signatureReport{Algorithm: i.Algorithm, Uncovered: i.Uncovered}
	if i.Refused != nil {
		s.Refused = i.Refused.Error()
	}
	for _, r := range i.References {
		line := referenceReport{digestReport{r.URI, r.DigestMethod, r.DigestValue}, string(r.Finding), ""}
		if r.Reason != nil {
			line.Reason = r.Reason.Error()
		}
		s.References = append(s.References, line)
	}
	return s
}

func reportCredential(x509Cert *x509.Certificate, source string, at time.Time) credentialReport {
	return credentialReport{
		Subject: x509Cert.Subject.String(), Issuer: x509Cert.Issuer.String(), Serial: x509Cert.SerialNumber.String(),
		SHA256: signing.Fingerprint(x509Cert), NotBefore: x509Cert.NotBefore, NotAfter: x509Cert.NotAfter,
		Key: keyKind(x509Cert), Source: source, Remark: validityAt(x509Cert, at),
	}
}

func keyKind(x509Cert *x509.Certificate) string {
	return firstSet(publicKind(x509Cert.PublicKey), x509Cert.PublicKeyAlgorithm.String())
}

// publicKind is the kind and size of a public key, or nothing for one of a kind that is not known.
func publicKind(public crypto.PublicKey) string {
	switch key := public.(type) {
	case *rsa.PublicKey:
		return fmt.Sprintf("RSA %d", key.N.BitLen())
	case *ecdsa.PublicKey:
		return "ECDSA " + key.Params().Name
	case ed25519.PublicKey:
		return "Ed25519"
	}
	return ""
}

// validityAt compares a credential's window with a message's Timestamp. It is a remark: whether a credential counts at an
// instant is for a node's configuration to say.
func validityAt(x509Cert *x509.Certificate, at time.Time) string {
	switch {
	case at.IsZero():
		return ""
	case at.Before(x509Cert.NotBefore):
		return "not yet valid at the message's Timestamp"
	case at.After(x509Cert.NotAfter):
		return "expired at the message's Timestamp"
	}
	return "valid at the message's Timestamp"
}

// algorithmName is the part of an algorithm's URI that people know.
func algorithmName(uri string) string {
	if at := strings.LastIndexAny(uri, "#/"); at >= 0 && at+1 < len(uri) {
		return uri[at+1:]
	}
	return uri
}
