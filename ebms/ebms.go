// Package ebms reads and writes messages of the OASIS ebXML Message Service 2.0 (ISO/TS 15000-2): SOAP 1.1 with
// attachments over HTTP.
//
// It knows the form of a message and the rules that hold within one message. It knows no keys, no store and no partners:
// signatures are bytes to it (package signing verifies them), and whether a message agrees with an agreement, is a
// duplicate or came too late is for package exchange to say.
//
// The way of a message in, and the order to read the package:
//
//	HTTP request  --Handler-->  Request                 handler.go   (Appendix B.2)
//	              (spill.go, pace.go: how a body of any size is taken, content.go: what is read of it)
//	body          --ReadPackage-->  Package             package.go, window.go, mime.go, mimepart.go, transfer.go, mimeoddity.go   (§2.1)
//	envelope      --Parse-->  Message                   xml.go, soap.go, parse.go, header.go, signal.go   (§2.3, §3, §4.2, §6.3)
//	                                                    status.go, order.go, hop.go, oddity.go   (§7, §9, §10)
//	              --Message.Validate                    rules.go, limits.go   (§3.1, §5)
//
// and out: Message.Envelope (write.go), Package.Pack (package.go), Client.Post (client.go). Answers are made by
// NewAcknowledgment, NewMessageError, NewPong and NewStatusResponse, and questions by NewPing and NewStatusRequest (answer.go);
// what the far side is told when something is wrong is an Error
// (error.go), or a Fault (fault.go) if its message could not be read far enough to answer in ebXML.
//
// Section numbers are those of the ebXML Message Service Specification 2.0 of 1 April 2002. A rule marked "not confirmed"
// is known from implementations or by hearsay and was not read word by word in the specification.
//
// Limits: SMTP (Appendix B.3), multi-hop routing (§10) and XML encryption are not supported. The header blocks of multi-hop
// routing are read (Hop) and then refused.
package ebms

import (
	"time"
)

// The namespaces of an envelope.
const (
	nsSOAP  = "http://schemas.xmlsoap.org/soap/envelope/"
	nsEB    = "http://www.oasis-open.org/committees/ebxml-msg/schema/msg-header-2_0.xsd"
	nsXLink = "http://www.w3.org/1999/xlink"
	nsDS    = "http://www.w3.org/2000/09/xmldsig#"
	nsXML   = "http://www.w3.org/XML/1998/namespace"
)

// version is the only value of eb:version. ebMS 2.0 §2.3.8.
const version = "2.0"

// MSHService is the Service of messages of the messaging service itself; it carries no type. ebMS 2.0 §3.1.4, §4.2.4.3.
const MSHService = "urn:oasis:names:tc:ebxml-msg:service"

// The Actions of MSHService. ebMS 2.0 §4.2.4.3, §6.3.2.7, §7.1, §8.
const (
	ActionAcknowledgment = "Acknowledgment"
	ActionMessageError   = "MessageError"
	ActionStatusRequest  = "StatusRequest"
	ActionStatusResponse = "StatusResponse"
	ActionPing           = "Ping"
	ActionPong           = "Pong"
)

// The SOAP actors that ebMS gives a meaning. ebMS 2.0 §2.3.10, §2.3.11; SOAP 1.1 §4.2.2.
const (
	ActorToPartyMSH = "urn:oasis:names:tc:ebxml-msg:actor:toPartyMSH"
	ActorNextMSH    = "urn:oasis:names:tc:ebxml-msg:actor:nextMSH"
	ActorNext       = "http://schemas.xmlsoap.org/soap/actor/next"
)

// PartyID identifies a party. Without a Type the Value is a URI. ebMS 2.0 §3.1.1.1.
type PartyID struct{ Type, Value string }

// Party is one end of a message: its identifiers, of which there is at least one, and the role that it plays. Role is
// optional in the specification, but products refuse business messages without it. ebMS 2.0 §3.1.1.
type Party struct {
	IDs  []PartyID
	Role string
}

// Service names the service that acts on a message. Without a Type the Value is a URI. ebMS 2.0 §3.1.4.
type Service struct{ Type, Value string }

// Message is what an envelope says. Instants are UTC; on the wire they have a precision of one millisecond.
type Message struct {
	From, To              Party
	CPAID, ConversationID string
	Service               Service
	Action                string

	// MessageID is globally unique. RFC 2822's msg-id form without angle brackets is written; any text of up to 1 KiB is read,
	// since products differ. ebMS 2.0 §3.1.6.1.
	MessageID string
	Timestamp time.Time
	// RefToMessageID is empty if the message answers none. ebMS 2.0 §3.1.6.3.
	RefToMessageID string
	// TimeToLive is the instant after which the message must not be accepted; zero is unlimited. ebMS 2.0 §3.1.6.4.
	TimeToLive time.Time
	// DuplicateElimination asks the receiver to accept the message at most once. ebMS 2.0 §3.1.7.
	DuplicateElimination bool
	// Description is for people, in English when we write it; the first of several when read. ebMS 2.0 §3.1.8.
	Description string

	// AckRequested, Acknowledgment and Errors are nil if the message has no such header block.
	AckRequested   *AckRequested
	Acknowledgment *Acknowledgment
	Errors         *ErrorList
	// SyncReply asks for the answer in the HTTP response. ebMS 2.0 §4.3.
	SyncReply bool
	// Order is nil if the receiver need not keep the order of messages. ebMS 2.0 §9.
	Order *MessageOrder
	// Hop is nil unless there are header blocks for the next message service on the way. Validate refuses it. ebMS 2.0 §10.
	Hop *Hop

	// Manifest lists the payloads; empty if the message has none. ebMS 2.0 §3.2.
	Manifest []ManifestReference
	// StatusRequest and StatusResponse are nil unless Action promises them. ebMS 2.0 §7.1.
	StatusRequest  *StatusRequest
	StatusResponse *StatusResponse

	// Signed says that the Header has a ds:Signature as its child. Parse sets it and verifies nothing; Envelope ignores
	// it. ebMS 2.0 §4.1.1.
	Signed bool
	// Oddities are the deviations of the envelope that Parse let pass, sorted, each once. Envelope ignores them.
	Oddities []Oddity
}

// IsSignal reports whether m is a message of the messaging service itself and not one for a business service.
func (m *Message) IsSignal() bool { return m.Service.Value == MSHService }

// AckRequested asks the To Party's MSH for an acknowledgment. ebMS 2.0 §6.3.1.
type AckRequested struct {
	// Signed asks for a signed acknowledgment that repeats the ds:References of the message.
	Signed bool
	// Actor is empty or ActorToPartyMSH, which mean the same; in a Hop it is ActorNextMSH.
	Actor string
}

// Acknowledgment says that a message was received and stored; not that an application accepted it. It is a message of its own
// (NewAcknowledgment) or rides on a business message to the same party (§6.3.2.7). ebMS 2.0 §6.3.2.
type Acknowledgment struct {
	// Timestamp is the instant at which the acknowledged message was received (not confirmed; some products write the
	// instant of the acknowledgment).
	Timestamp time.Time
	// RefToMessageID is the acknowledged message's MessageID.
	RefToMessageID string
	// From identifies the acknowledging party; may be empty.
	From []PartyID
	// Actor is empty or ActorToPartyMSH, which mean the same; in a Hop it is ActorNextMSH.
	Actor string
	// References repeats the ds:References of the acknowledged message's signature: the receipt cannot be repudiated
	// once the acknowledgment is signed. ebMS 2.0 §6.3.2.4.
	References []DigestReference
}

// DigestReference is one ds:Reference of the acknowledged message.
type DigestReference struct {
	URI, DigestMethod, DigestValue string
	// XML is the ds:Reference element itself, with every namespace declaration that it needs. It is written as it is; if
	// it is nil a ds:Reference without Transforms is written from the other fields. Parse leaves it nil.
	XML []byte
}

// ManifestReference points to one payload. ebMS 2.0 §3.2.1.
type ManifestReference struct {
	// ID is eb:id, an XML NCName when written, any text when read; may be empty.
	ID string
	// Href is a cid: URI for a part of the same message. See Package.Resolve.
	Href string
	// Role is a URI; may be empty.
	Role string
	// Description is for people; may be empty.
	Description string
}
