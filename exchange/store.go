package exchange

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/ecogate/ecogate/ebms"
	"github.com/ecogate/ecogate/eco"
	"github.com/ecogate/ecogate/partners"
	"github.com/ecogate/ecogate/partners/announcement"
)

// Store keeps messages, certificates, the delivery queue, and the audit log. One value serves one node; all methods are safe
// for concurrent use.
//
// Every method that writes is one durable transaction per call: when it returns nil, what it wrote survives the loss of
// the process and of power; when it returns an error, an observer may find all of it or nothing, never a part.
// Implementations may join concurrent calls into one commit. They must not call back into the caller.
//
// Unique keys decide what is a duplicate, never a look-up before the write:
//   - an inbound message that was accepted or received: (Partner, MessageID);
//   - such a message with an Order: (Partner, ConversationID, Sequence) since the last Reset;
//   - an outbound message: MessageID;
//   - an exported certificate: (Partner, Key), where all that bear one Key have equal Content.
type Store interface {
	// Enqueue records outbound messages with their certificates, due at Message.Due. Results come in the order of the
	// arguments. If a certificate with the same Key is already exported to the same partner with equal Content, nothing is
	// written for that Departure and the result is the message that carries it, with Fresh false; unless that delivery
	// failed (CertificateFailed) or the partner rejected it (CertificateRejected): then the Departure is recorded, and the certificate's record tells of its new message. Each partner gets
	// its own message and certificate record, whose State follows that message alone. If a certificate with the same Key
	// is exported with other Content, to whichever partner, the result's Err is ErrConflict and nothing is written for it.
	// Where both hold, which an undone replacement under the same number can bring about, what is repeated counts.
	// An outbound MessageID that is taken is judged in the same way by Message.Content; to another partner it is ErrConflict.
	// The store sets Direction, State, and what the certificate repeats of its message.
	//
	// A Departure with Changes is recorded only if each of them still fits; otherwise nothing is written for it and the
	// result's Err is ErrChanged. A certificate that was replaced does not stand in the way of one with its key.
	//
	// A Departure with a Line continues that line's conversation without gap or repetition, or nothing is written for it and
	// the result's Err is an *OutOfLineError that says what would. A line's conversation is open from the message with
	// Sequence 0 until a message of it ends as StateFailed, StateExpired or StateCancelled, since what follows a gap would
	// never be used, or until MaxSequence was used; then the next message opens a new one.
	Enqueue(ctx context.Context, departures []Departure) ([]Enqueued, error)

	// Accept records inbound messages, the replies that they cause, and the outbound messages that they settle.
	// A message in state StateAccepted whose (Partner, MessageID) was accepted before is a duplicate: with equal Content
	// its counter rises (that write makes the answer wait for the same durability as the first), the stored reply becomes due
	// again as a message of its own unless the copy is Held, and nothing else is written; with other Content the message is
	// stored in state StateQuarantined with reason ReasonInconsistent and an audit entry of the store's own, nothing else of
	// the Arrival is, and Conflict is set. Messages in any other state are always recorded.
	//
	// A certificate whose Key is already held with equal Content is confirmed again: the message is recorded, the
	// certificate is not stored twice; if it was CertificateRefused while no other one counts under its Key (one that is neither refused nor
	// replaced), or CertificateReceived and this message waits for none, it is as if it came now, with the Dealings.Life that comes with it. With other Content both are kept and both become CertificateInConflict.
	//
	// Arrivals change certificates as Departures do: if a Change does not fit any more, nothing is written for the Arrival and
	// Stale is set; a copy changes nothing. A certificate that was replaced is in no conflict with one that has its key.
	//
	// A message with an Order is used in its place only (ebMS 2.0 §9). If messages before it are missing it is stored as
	// StateReceived, its certificate as CertificateReceived, and Waits is set. When the missing ones have come, all that
	// wait for nothing more become StateAccepted and Dealings.Admitted in their order, in the transaction of the last
	// that was missing; for each message with an Order an audit entry "certificate.available" tells when it was its turn.
	// A message moves the certificate that it brought or confirmed, and no other one with that Key.
	// A Sequence that another message has is a conflict like a MessageID that was used for other content; so is one more than
	// MaxAhead before its turn, under the reason ReasonDeliveryFailure. Reset begins the conversation's numbers anew.
	Accept(ctx context.Context, arrivals []Arrival) ([]Accepted, error)

	// Claim leases up to Max due outbound messages to Owner and writes before it returns that the attempt was begun:
	// state StateSending, Attempts raised, Fence raised, Due set to the end of the lease. A message whose lease has ended
	// without Settle is due again, so that a crash costs time and loses nothing. A message whose bytes are damaged or gone
	// becomes StateFailed and is not returned: it would stand at the head of the queue for ever.
	//
	// Partners take turns: each next message is one of the partner with the fewest leases that have not ended, those of
	// this claim counted, and among equals the one that has been due the longest, then the one with the lower Seq. Jobs come in this
	// order. So partners that let every attempt run into its timeout cannot keep the workers from one that answers.
	Claim(ctx context.Context, claim Claim) ([]Job, error)

	// Settle records how claimed attempts ended. An outcome whose Fence is not the message's own any more (another
	// worker claimed it) changes nothing, and its place in the result is false. If a signal settled the message meanwhile,
	// the Attempt is added to its log and nothing else changes; that is false too.
	Settle(ctx context.Context, outcomes []Outcome) ([]bool, error)

	// Messages returns records that match, newest first. Unknown ids give an empty result.
	Messages(ctx context.Context, query MessageQuery) ([]Message, error)

	// Certificates returns records that match, newest first.
	Certificates(ctx context.Context, query CertificateQuery) ([]Certificate, error)

	// Raw returns stored bytes after comparing them with ref.Digest. It returns ErrNotFound if the bytes were dropped by
	// retention and ErrDamaged if they do not match. Content needs no closing, and can be read while the store is open.
	Raw(ctx context.Context, ref RawRef) (Content, error)
}

// Keeper keeps what a node needs beside the two flows. What holds for the methods of Store holds for its own.
type Keeper interface {
	// Expel ends messages that waited in vain for those before them (ebMS 2.0 §9). A message that is StateReceived becomes
	// StateQuarantined with the Reason, its certificate CertificateRefused, and the Reply is enqueued and answers copies of
	// the message from now on; that is true in the result. Settled tells when. Its MessageID stays taken, its place in the
	// conversation is free again. Its certificate stays as it is if another message brought it too and was accepted. A message in
	// any other state stays as it is.
	Expel(ctx context.Context, expulsions []Expulsion) ([]bool, error)

	// SetPause begins or, with a zero Since, ends the pause of deliveries to a partner.
	SetPause(ctx context.Context, pause Pause, audit []AuditEntry) error

	// Pauses are those in force, by partner.
	Pauses(ctx context.Context) ([]Pause, error)

	// Change makes changes to certificates that no message makes, with what the audit log says of them. The error wraps ErrChanged,
	// and nothing is written, if one of them does not fit any more.
	Change(ctx context.Context, changes []Change, audit []AuditEntry) error
}

// Content is octets of known length, in memory or in a file; see ebms.Content.
type Content = ebms.Content

// Expulsion ends a message that waited too long.
type Expulsion struct {
	Seq    uint64
	At     time.Time
	Reason Reason
	Reply  *Departure
	Audit  []AuditEntry
}

// Pause says that nothing is sent to a partner until an operator resumes it.
type Pause struct {
	Partner string    `json:"partner"`
	Since   time.Time `json:"since"`
	By      string    `json:"by"`
	Why     string    `json:"why,omitempty"`
}

// OutOfLineError is why Enqueue did not take a Departure with a Line: another one had its place. ConversationID and Next are
// what the next message of the line has; an empty ConversationID means a new one, with Sequence 0.
type OutOfLineError struct {
	ConversationID string
	Next           uint32
}

func (e *OutOfLineError) Error() string {
	if e.ConversationID == "" {
		return "no conversation of this line is open: the next message opens one with sequence number 0"
	}
	return fmt.Sprintf("the next message of conversation %q has sequence number %d", e.ConversationID, e.Next)
}

// Errors that stores return and callers branch on.
var (
	// ErrConflict: a certificate with this key is already there with other content.
	ErrConflict = errors.New("certificate with the same reference and other content exists")
	// ErrChanged: a certificate is not what it was when a Change was made of it; look again and decide anew.
	ErrChanged = errors.New("certificate was changed meanwhile")
	// ErrNotFound: no such record or bytes.
	ErrNotFound = errors.New("not found")
	// ErrDamaged: stored bytes do not match their digest.
	ErrDamaged = errors.New("stored bytes are damaged")
	// ErrFull: the store has no room; nothing was written. Temporary. A store that reaches its configured limit gives it
	// to new messages in Enqueue and Accept, while duplicates, Claim and Settle go on.
	ErrFull = errors.New("store is full")
)

// Direction says which way a message or certificate travelled, seen from this node.
type Direction string

// The directions.
const (
	Outbound Direction = "outbound"
	Inbound  Direction = "inbound"
)

// Kind says what a message carries.
type Kind string

// The kinds of message.
const (
	KindCertificate    Kind = "certificate"
	KindAcknowledgment Kind = "acknowledgment"
	KindError          Kind = "error"
	// KindAnswer is the business message that answers a certificate.
	KindAnswer Kind = "answer"
	// The other business messages about certificates.
	KindCancellation        Kind = "cancellation"
	KindResponse            Kind = "customs response"
	KindCertificateRequest  Kind = "certificate status request"
	KindCertificateReport   Kind = "certificate status report"
	KindVerificationRequest Kind = "verification request"
	KindVerificationReply   Kind = "verification reply"
	// The business messages about credentials.
	KindAnnouncement       Kind = "announcement"
	KindAnnouncementAnswer Kind = "announcement answer"
	// The messages of the messaging service.
	KindPing           Kind = "ping"
	KindPong           Kind = "pong"
	KindStatusRequest  Kind = "status request"
	KindStatusResponse Kind = "status response"
	// KindUnknown is an inbound message that could not be read far enough to tell.
	KindUnknown Kind = "unknown"
)

// initiates reports whether a message of this kind is sent of our own accord: until its time is over, not for a while only like what
// answers another one.
func (k Kind) initiates() bool {
	switch k {
	case KindCertificate, KindCancellation, KindResponse, KindCertificateRequest, KindVerificationRequest, KindVerificationReply, KindAnnouncement:
		return true
	}
	return false
}

// business reports whether a message of this kind has service and action of the agreement.
func (k Kind) business() bool {
	return k.initiates() || k == KindAnswer || k == KindCertificateReport || k == KindAnnouncementAnswer
}

// State is where a message stands.
type State string

// The states of an outbound message.
const (
	StateQueued    State = "queued"                  // due now or later
	StateSending   State = "sending"                 // leased by a worker
	StateAwaiting  State = "awaiting acknowledgment" // sent; Due is the time of the next attempt
	StateDelivered State = "delivered"               // acknowledged, or sent when no acknowledgment is required
	StateFailed    State = "failed"                  // retries exhausted or refused by the partner
	StateExpired   State = "expired"                 // time to live passed
	StateCancelled State = "cancelled"               // stopped by an operator
)

// The states of an inbound message.
const (
	StateReceived    State = "received" // verified and acknowledged, waits for the messages before it
	StateAccepted    State = "accepted"
	StateQuarantined State = "quarantined" // not verified or not usable; kept with its reason
)

// Terminal reports whether no worker will touch the message again.
func (s State) Terminal() bool {
	switch s {
	case StateQueued, StateSending, StateAwaiting:
		return false
	}
	return true
}

// Message is the record of one ebMS message.
type Message struct {
	// Seq is the record's number, given by the store, rising in commit order from 1.
	Seq       uint64    `json:"seq"`
	Direction Direction `json:"direction"`
	Kind      Kind      `json:"kind"`
	State     State     `json:"state"`
	// MessageID is eb:MessageId as on the wire. It may be empty in a message that could not be read.
	MessageID      string `json:"message_id"`
	RefToMessageID string `json:"ref_to_message_id,omitempty"`
	ConversationID string `json:"conversation_id,omitempty"`
	// Order is the message's place in its conversation; nil if the conversation has no order.
	Order *Order `json:"order,omitempty"`
	// Partner is the configured id of the other node; in StateQuarantined whose agreement the message names, though another may
	// have sent it. Empty if it names none.
	Partner string `json:"partner,omitempty"`
	CPAID   string `json:"cpa_id,omitempty"`
	Service string `json:"service,omitempty"`
	Action  string `json:"action,omitempty"`
	// Created is the instant of submission or receipt.
	Created time.Time `json:"created"`
	// Expires is the end of the time to live; zero if unlimited.
	Expires time.Time `json:"expires,omitzero"`
	// Raw are the bytes on the wire: the HTTP entity body. ContentType is its media type with parameters.
	Raw         RawRef `json:"raw"`
	ContentType string `json:"content_type"`
	// Content identifies what was said independent of how it was packaged: SHA-256 over the digests of what the
	// signature covers. Two messages with equal MessageID and Content are copies.
	Content string `json:"content,omitempty"`
	// References are the digests that the message's signature covers, to compare with an acknowledgment's.
	References []Reference `json:"references,omitempty"`
	// Signer is the SHA-256 fingerprint, in hex, of the credential that verified the message or signed it.
	Signer string `json:"signer,omitempty"`
	// DocumentSigner is that of the credential that verified the signature of the message's document or made it; empty if the document
	// has none of its own.
	DocumentSigner string `json:"document_signer,omitempty"`
	// SignersRevoked tells of those of the two that were known, at receipt, to be revoked later: at an instant after the receipt. Look-ups
	// put in its place what is known then; see Node.WithRevocations.
	SignersRevoked []SignerRevoked `json:"signers_revoked,omitempty"`
	// Certificate is the key of the certificate that the message carries or is about.
	Certificate CertificateKey `json:"certificate,omitzero"`
	// Reason says why a message was quarantined, failed or expired.
	Reason *Reason `json:"reason,omitempty"`

	// Endpoint is where an outbound message is posted. SOAPAction is the header's value.
	Endpoint   string `json:"endpoint,omitempty"`
	SOAPAction string `json:"soap_action,omitempty"`
	// AckRequired says that only an acknowledgment ends delivery.
	AckRequired bool `json:"ack_required,omitempty"`
	// Due is when an outbound message is to be claimed next.
	Due time.Time `json:"due,omitzero"`
	// Attempts counts how often it was claimed; Fence rises with every change of hands.
	Attempts int    `json:"attempts,omitempty"`
	Fence    uint64 `json:"fence,omitempty"`
	Owner    string `json:"owner,omitempty"`
	// Log tells each attempt that has ended, oldest first. At most 50 are kept: the newest, and with a Status of 2xx the
	// last even if it is older, so that the log tells for ever whether the partner took the message.
	Log []Attempt `json:"log,omitempty"`
	// Settled is when an outbound message reached a terminal state, or an inbound one was expelled; SettledBy the MessageID of the acknowledgment or error that did it.
	Settled   time.Time `json:"settled,omitzero"`
	SettledBy string    `json:"settled_by,omitempty"`
	// Late: the acknowledgment came after delivery had ended as failed or expired.
	Late bool `json:"delivered_late,omitempty"`

	// Answers are what a message of KindAnswer says.
	Answers []eco.Answer `json:"answers,omitempty"`
	// Business is what another business message says.
	Business *Business `json:"business,omitempty"`
	// Effect is what an outbound message did to a certificate as far as its receiver takes it: if the message ends undelivered,
	// what was before holds again, and a late acknowledgment undoes that in turn.
	Effect *Effect `json:"effect,omitempty"`
	// Reply is the Seq of the message that answers an inbound message; 0 if none.
	Reply uint64 `json:"reply,omitempty"`
	// Copies counts further receipts of an inbound message.
	Copies int `json:"copies,omitempty"`
}

// Business is what a business message about a certificate, or about credentials, says; one field is set. That of a cancellation is in
// its document.
type Business struct {
	Response            *eco.CustomsResponse     `json:"customs_response,omitempty"`
	StatusRequest       *eco.StatusRequest       `json:"status_request,omitempty"`
	StatusReport        *eco.StatusReport        `json:"status_report,omitempty"`
	VerificationRequest *eco.VerificationRequest `json:"verification_request,omitempty"`
	VerificationReply   *eco.VerificationReply   `json:"verification_reply,omitempty"`
	Announcement        *announcement.Summary    `json:"announcement,omitempty"`
	AnnouncementAnswer  *announcement.Answer     `json:"announcement_answer,omitempty"`
}

// Effect is a change of a certificate's state that stands and falls with a message.
type Effect struct {
	// Certificate is the Seq of its record.
	Certificate uint64           `json:"certificate"`
	Before      CertificateState `json:"before"`
	After       CertificateState `json:"after"`
}

// Order is a message's place in its conversation. ebMS 2.0 §9.
type Order struct {
	// Sequence counts from 0 to MaxSequence, without gaps.
	Sequence uint32 `json:"sequence"`
	// Reset: the numbers begin anew with this message, whose Sequence is 0.
	Reset bool `json:"reset,omitempty"`
}

// MaxSequence is the greatest Order.Sequence. ebMS 2.0 §9.1.1 (not confirmed).
const MaxSequence = ebms.MaxSequence

// MaxAhead bounds how many messages of a conversation may be missing before one that waits for them: all that wait are released in
// one transaction. ebMS 2.0 §9 leaves to the receiver how many it saves.
const MaxAhead = 10_000

// Reference is one ds:Reference of a message's signature.
type Reference struct {
	URI          string `json:"uri"`
	DigestMethod string `json:"digest_method"`
	DigestValue  string `json:"digest_value"` // base64 without white space
}

// Reason is why something was refused or failed. Code and Told go to the partner; Cause stays with the operator.
type Reason struct {
	// Code is an ebXML error code (ebMS 2.0 §4.2.3.4) or one of the node's own for events that have none.
	Code  string `json:"code"`
	Told  string `json:"told,omitempty"`
	Cause string `json:"cause"`
}

// ReasonInconsistent is the ebXML error code for a MessageId that was used for other content.
const ReasonInconsistent = "Inconsistent"

// ReasonDeliveryFailure is the ebXML error code for a message that was acknowledged and not used, because those before it did not come
// in time (ebMS 2.0 §9), and for one that was sent and never acknowledged.
const ReasonDeliveryFailure = "DeliveryFailure"

// Attempt is one ended try to deliver.
type Attempt struct {
	Began   time.Time `json:"began"`
	Ended   time.Time `json:"ended"`
	Status  int       `json:"status,omitempty"` // HTTP status; 0 if no answer came
	Problem string    `json:"problem,omitempty"`
}

// RawRef points at stored bytes. The zero value points at nothing.
type RawRef struct {
	Digest string `json:"sha256,omitempty"` // SHA-256 in hex
	Size   int64  `json:"size,omitempty"`
	Month  string `json:"month,omitempty"` // "2026-11": the file they lie in
	// Offset is where they begin in the month's file; 0 if they have a file of their own.
	Offset int64 `json:"offset,omitempty"`
}

// CertificateKey identifies a certificate across nodes. Two certificates with one key are the same certificate or in conflict.
type CertificateKey struct {
	Country   string       `json:"country"` // issuing country, ISO 3166-1 alpha-2
	Form      eco.FormCode `json:"form"`
	Reference string       `json:"reference"` // eco.NormaliseReference of the printed one
	// Test: it was exchanged with a partner in partners.ModeTest, and is another certificate than the one that counts under this number.
	Test bool `json:"test,omitempty"`
}

// in is k as it is between this node and a partner in a mode.
func (k CertificateKey) in(mode partners.Mode) CertificateKey {
	k.Test = mode == partners.ModeTest
	return k
}

// CertificateState is where a certificate stands.
type CertificateState string

// The certificate states of the two flows, named as those of eco.Life.
const (
	CertificateReleased   CertificateState = "released"  // exported: queued or sent
	CertificateReceipted  CertificateState = "receipted" // exported: acknowledged by the partner
	CertificateSent       CertificateState = "sent"      // exported: the partner took it and no acknowledgment was agreed
	CertificateFailed     CertificateState = "failed"    // exported: delivery ended without an acknowledgment, or the partner refused it
	CertificateAccepted   CertificateState = "accepted"  // exported: the partner answered that it may be used
	CertificateRejected   CertificateState = "rejected"  // exported: the partner answered that it may not be used
	CertificateReceived   CertificateState = "received"  // imported: verified and stored, not to be used before those before it
	CertificateAvailable  CertificateState = "available" // imported: verified and stored
	CertificateRefused    CertificateState = "refused"   // imported: those before it did not come in time, and the partner was told
	CertificateInConflict CertificateState = "in conflict"
)

// The certificate states that business messages set, on either side unless it says otherwise.
const (
	CertificateUsedInPart CertificateState = "used in part"
	CertificateUsedUp     CertificateState = "used up"
	CertificateDenied     CertificateState = "denied"
	CertificateSuspended  CertificateState = "suspended" // imported: a doubt is open; from the beginning, where that is one of Dealings.OnHold
	CertificateCited      CertificateState = "cited"     // imported: declarations cite it, and nothing was written off
	CertificateExpired    CertificateState = "expired"
	CertificateCancelled  CertificateState = "cancelled"
	CertificateReplaced   CertificateState = "replaced"
)

// Certificate is the record of one certificate of origin on this node.
type Certificate struct {
	Seq       uint64           `json:"seq"`
	Direction Direction        `json:"direction"`
	Key       CertificateKey   `json:"key"`
	State     CertificateState `json:"state"`
	// Partner sent it or receives it; Message is the MessageID that carried it.
	Partner string `json:"partner"`
	Message string `json:"message_id"`
	// Mode is what the partner's certificates were worth when it was submitted or received; "" is partners.ModeLive.
	Mode partners.Mode `json:"mode,omitempty"`
	// Content is the SHA-256 in hex of what the certificate says: for exported ones of the submitted data, for imported ones of the
	// octets that the document signature covers.
	Content string `json:"content"`
	// Recorded is the instant of submission or receipt.
	Recorded time.Time `json:"recorded"`
	// ValidUntil is the last day on which an imported certificate may be presented, SingleUse that one document uses it up: by the rules
	// of its form as they were at receipt. On the exporting side both are the partner's to judge, and zero.
	ValidUntil eco.Date        `json:"valid_until,omitzero"`
	SingleUse  bool            `json:"single_use,omitempty"`
	Data       eco.Certificate `json:"certificate"`
	// Document is the signed UBL document.
	Document RawRef `json:"document"`
	// DocumentSigner is the SHA-256 fingerprint of the credential that verified or signed the document.
	DocumentSigner string `json:"document_signer"`
	// SignerRevoked is as Message.SignersRevoked, of the document's signer; nil if nothing is known against it.
	SignerRevoked *SignerRevoked `json:"signer_revoked,omitempty"`
	// Findings are the rules' remarks that did not stop it.
	Findings []eco.Finding `json:"findings,omitempty"`
	// Revision counts the Changes that were made to it.
	Revision uint64 `json:"revision,omitempty"`
	// Dealings are what business messages said of it.
	Dealings Dealings `json:"dealings,omitzero"`
}

// Dealings are what was said of a certificate after it was issued.
type Dealings struct {
	// Life is where the certificate stands, beyond its State, which is Life's too; nil before the first business message.
	Life *eco.Life `json:"life,omitempty"`
	// Withdrawn is the MessageID that cancelled or replaced it, if State says that it is.
	Withdrawn string `json:"withdrawn_by,omitempty"`
	// Items are what customs said last of each item, by number.
	Items []ItemStanding `json:"items,omitempty"`
	// Verifications are those that were asked for, oldest first.
	Verifications []Verification `json:"verifications,omitempty"`
	// Successor replaced it; Predecessor is what it replaced.
	Successor   *CertificateKey `json:"successor,omitempty"`
	Predecessor *CertificateKey `json:"predecessor,omitempty"`
}

// Verifying reports whether a verification is open.
func (d Dealings) Verifying() bool {
	return slices.ContainsFunc(d.Verifications, func(v Verification) bool { return v.Reply == "" })
}

// ItemStanding is what customs said last of an item, when, by which declaration and in which message.
type ItemStanding struct {
	eco.ItemOutcome
	Declaration string    `json:"declaration,omitempty"`
	Said        time.Time `json:"said"`
	Message     string    `json:"message_id"`
}

// Verification is one that was asked for.
type Verification struct {
	// Request is the MessageID that asks for it, ID the asking side's number of it.
	Request string    `json:"request_message_id"`
	ID      string    `json:"id"`
	Asked   time.Time `json:"asked"`
	ReplyBy eco.Date  `json:"reply_by,omitzero"`
	// Reply is the MessageID that closed it; empty while it is open.
	Reply   string                 `json:"reply_message_id,omitempty"`
	Replied time.Time              `json:"replied,omitzero"`
	Result  eco.VerificationResult `json:"result,omitempty"`
}

// Change is what a message does to a certificate that is there, in the transaction that records the message. It fits a record that
// has the Revision and the state Was, so that two who change one certificate at the same time see each other.
type Change struct {
	Seq      uint64
	Revision uint64
	Was      CertificateState
	// State and Dealings take the place of the record's.
	State    CertificateState
	Dealings Dealings
}

// Departure is an outbound message to record.
type Departure struct {
	Message     Message
	Raw         Content
	Certificate *Certificate // nil for signals
	Document    []byte       // the signed UBL document
	// Lease, if it is not zero, says that the caller makes the first attempt itself: the message is stored as one that
	// Message.Owner has claimed (StateSending, Attempts and Fence 1) until then.
	Lease time.Time
	// Line names, for one partner, the messages that are to arrive in order; Message then has ConversationID and Order.
	// Empty if order does not matter, and in replies.
	Line string
	// Changes are those that the message makes to certificates. A reply makes none.
	Changes []Change
	Audit   []AuditEntry
}

// Enqueued is the answer to a Departure.
type Enqueued struct {
	Message Message
	Fresh   bool
	Err     error
}

// Arrival is an inbound message to record.
type Arrival struct {
	Message     Message
	Raw         Content
	Certificate *Certificate
	Document    []byte
	// Reply is the message that answers; it is enqueued in the same transaction. With Held it is stored as
	// delivered at once, because it travels in the HTTP response.
	Reply *Departure
	Held  bool
	// Settles is the outbound message that this arrival ends.
	Settles *Settlement
	// Changes are those that the message makes to certificates, whether or not it waits. One in quarantine makes none.
	Changes []Change
	Audit   []AuditEntry
}

// Settlement ends an outbound message because a verified signal says so. It has no effect on a terminal message, with three
// exceptions: a late acknowledgment turns StateFailed and StateExpired into StateDelivered, and sets Late; StateFailed, because the
// partner refused it, takes effect on a message that is StateDelivered only because the partner took the bytes of an attempt
// (AckRequired false, SettledBy empty); and on one with an Order that the partner acknowledged and could not use in its place
// (Reason.Code DeliveryFailure). The message's certificate follows: StateDelivered makes it CertificateReceipted, or
// CertificateSent where no acknowledgment is required, and every other end CertificateFailed.
type Settlement struct {
	MessageID string
	Partner   string // must be the message's own
	State     State
	Reason    *Reason
	At        time.Time
}

// Accepted is the answer to an Arrival.
type Accepted struct {
	// Message is the record as stored: for a duplicate the first one.
	Message  Message
	Fresh    bool
	Conflict bool
	// Stale: a Change does not fit any more, and nothing was recorded.
	Stale bool
	// PlaceTaken reports that the Conflict is about the Order and not about the MessageID, FarAhead that the Order is more than
	// MaxAhead before its turn.
	PlaceTaken, FarAhead bool
	// Waits reports whether messages before this one are missing, Released which ones it released, in their order.
	Waits    bool
	Released []Message
	// Settled reports whether Arrival.Settles changed the outbound message.
	Settled bool
}

// Claim asks for work.
type Claim struct {
	Owner string
	Now   time.Time
	Lease time.Duration
	Max   int
	// PerPartner caps the messages of one partner that are leased at the same time; 0 means no cap.
	PerPartner int
	// Caps says otherwise for some partners; 0 there means that nothing of them is leased.
	Caps map[string]int
	// MinRate, in bytes per second, lengthens the lease of a message by the time that its bytes need at that rate; 0 does not.
	MinRate int64
}

// Job is a claimed message with the bytes to post.
type Job struct {
	Message Message
	Raw     Content
}

// Outcome says how a claimed attempt ended.
type Outcome struct {
	Seq     uint64
	Fence   uint64
	Attempt Attempt
	State   State
	Due     time.Time // when State is StateQueued or StateAwaiting
	Reason  *Reason   // when State is StateFailed or StateExpired
	Audit   []AuditEntry
}

// AuditEntry is one line of the audit log: who did what to what, when. The store numbers entries and chains each to
// the one before by SHA-256, in the transaction of what it tells.
type AuditEntry struct {
	At      time.Time `json:"at"`
	Actor   string    `json:"actor"` // API key name, partner id or "node"
	Event   string    `json:"event"` // "certificate.submitted", "message.accepted", ...
	Subject string    `json:"subject"`
	Detail  string    `json:"detail,omitempty"`
}

// MessageQuery selects messages; zero fields do not restrict.
type MessageQuery struct {
	Seq            uint64
	MessageID      string
	RefToMessageID string
	Direction      Direction
	Kind           Kind
	State          State
	Partner        string
	// Signer selects messages of which the credential with this fingerprint verified or made the signature or that of the document. Since,
	// only those whose Created is not before it.
	Signer string
	Since  time.Time
	// Before returns only records with a smaller Seq, for paging. Limit defaults to 100.
	Before uint64
	Limit  int
}

// CertificateQuery selects certificates; zero fields do not restrict.
type CertificateQuery struct {
	// Seq is the record's own number.
	Seq       uint64
	Direction Direction
	Partner   string
	Country   string
	Form      eco.FormCode
	// Reference in any spelling; compared in normalised form.
	Reference string
	// Message is the MessageID that carried it.
	Message string
	// Verifying selects those of which a verification is open.
	Verifying bool
	// OnHold selects those whose authority is in doubt (Dealings.OnHold).
	OnHold bool
	// Signer selects those of which the credential with this fingerprint signed the document. Since, only those whose Recorded is
	// not before it.
	Signer string
	Since  time.Time
	// Before and Limit are as in MessageQuery.
	Before uint64
	Limit  int
}
