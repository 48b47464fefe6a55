package ebms

import (
	"errors"
	"fmt"
	"regexp"
	"time"
)

// Places in an envelope, as they are told to partners. They are fixed texts: nothing that a partner sent is repeated.
const (
	atEnvelope       = "//Envelope"
	atHeader         = "//Header"
	atBody           = "//Body"
	atMessageHeader  = "//Header/MessageHeader"
	atFrom           = atMessageHeader + "/From"
	atTo             = atMessageHeader + "/To"
	atService        = atMessageHeader + "/Service"
	atAction         = atMessageHeader + "/Action"
	atMessageData    = atMessageHeader + "/MessageData"
	atMessageID      = atMessageData + "/MessageId"
	atRefToMessageID = atMessageData + "/RefToMessageId"
	atTimeToLive     = atMessageData + "/TimeToLive"
	atAckRequested   = "//Header/AckRequested"
	atAcknowledgment = "//Header/Acknowledgment"
	atDigest         = atAcknowledgment + "/Reference"
	atErrorList      = "//Header/ErrorList"
	atError          = atErrorList + "/Error"
	atSyncReply      = "//Header/SyncReply"
	atMessageOrder   = "//Header/MessageOrder"
	atSequenceNumber = atMessageOrder + "/SequenceNumber"
	atManifest       = "//Body/Manifest"
	atReference      = atManifest + "/Reference"
	atStatusRequest  = "//Body/StatusRequest"
	atStatusResponse = "//Body/StatusResponse"
)

// MustUnderstandError is the cause of an Error from Parse for a header block that nobody here understands and that may not
// be ignored. SOAP 1.1 §4.2.3 demands a Fault as the answer; see FaultReply.
type MustUnderstandError struct{ Space, Local string }

func (e *MustUnderstandError) Error() string {
	return fmt.Sprintf("header block {%.200s}%.80s must be understood and is not", e.Space, e.Local)
}

// Parse reads an envelope and holds it to the schema (element order, cardinality, required attributes) and to the rules of
// Message.Validate. It verifies no signature. It is safe on any input: no document type declarations, no external access,
// bounded depth and size.
//
// A returned error is an *Error: CodeOtherXML for what breaks the schema, CodeNotSupported, CodeInconsistent or
// CodeValueNotRecognized for the rest. If nevertheless the message's From, To, CPAId, ConversationId and MessageId were
// read, Parse returns the message beside the error, as far as it was read, so that the sender can be answered with
// NewMessageError; it is good for nothing else. A text over the limits of Validate counts as not read. Otherwise the message
// is nil, and FaultReply makes the answer. If the envelope holds a SOAP Fault, that *Fault is the cause of the error.
func Parse(envelope []byte) (*Message, error) {
	tree, err := readEnvelope(envelope)
	if err != nil {
		return nil, err
	}
	if len(tree.body) > 0 && tree.body[0].is(nsSOAP, "Fault") {
		return nil, NewUnknown(readFault(tree.body[0]))
	}
	p := parser{m: &Message{}, seen: map[string]bool{}}
	for _, block := range tree.header {
		p.headerBlock(block)
	}
	if !p.seen["MessageHeader"] {
		p.fail(NewOtherXML(atHeader, errors.New("no MessageHeader")))
	}
	for _, block := range tree.body {
		p.bodyBlock(block)
	}
	p.oddities()
	if p.err == nil {
		p.fail(AsError(p.m.Validate()))
	}
	if p.err == nil {
		return p.m, nil
	}
	if !p.m.addressable() {
		return nil, p.err
	}
	return p.m, p.err
}

// addressable reports whether an error message can say what it is about and to whom.
func (m *Message) addressable() bool {
	return len(m.From.IDs) > 0 && len(m.To.IDs) > 0 && m.CPAID != "" && m.ConversationID != "" && m.MessageID != ""
}

// parser reads on after an error, so that as much of the MessageHeader as possible is there for the answer; the first error
// is the one that counts.
type parser struct {
	m    *Message
	seen map[string]bool // local names of the eb blocks that were read, with the actor of those for the next hop
	err  *Error
}

func (p *parser) fail(err *Error) {
	if p.err == nil {
		p.err = err
	}
}

// bounded returns a text unless it is over the limit: what was too long is not kept, not even for the answer.
func (p *parser) bounded(text, location string, limit int) string {
	if len(text) > limit {
		p.fail(tooLong(location, limit))
		return ""
	}
	return text
}

// attribute returns the value of an attribute, "" if there is none.
func (p *parser) attribute(e *element, space, local, location string) string {
	value, _ := e.attribute(space, local)
	return p.bounded(value, location+"/@"+local, maxText)
}

// headerBlock reads one child of the SOAP Header. ebMS 2.0 §2.3, §5.
func (p *parser) headerBlock(e *element) {
	if e.is(nsDS, "Signature") {
		// More than one is allowed, the first being the From Party's (§4.1.1). Package signing judges them.
		p.m.Signed = true
		return
	}
	if e.space != nsEB {
		p.otherBlock(e)
		return
	}
	// The schema has two AckRequested and two Acknowledgment, each for an actor of its own (§6.3.1.1, §6.3.2).
	name := e.local
	if actor, _ := e.attribute(nsSOAP, "actor"); actor == ActorNextMSH {
		name += " " + actor
	}
	if p.seen[name] {
		p.fail(NewOtherXML("//Header/"+e.local, fmt.Errorf("second %s", e.local)))
		return
	}
	p.seen[name] = true
	switch e.local {
	case "MessageHeader":
		p.extension(e, atMessageHeader, true)
		p.messageHeader(e)
	case "AckRequested":
		p.extension(e, atAckRequested, true)
		p.ackRequested(e)
	case "Acknowledgment":
		p.extension(e, atAcknowledgment, true)
		p.acknowledgment(e)
	case "ErrorList":
		p.extension(e, atErrorList, true)
		p.errorList(e)
	case "SyncReply":
		p.extension(e, atSyncReply, true)
		p.syncReply(e)
	case "MessageOrder":
		p.extension(e, atMessageOrder, true)
		p.messageOrder(e)
	default:
		p.otherBlock(e)
		p.fail(NewOtherXML(atHeader, fmt.Errorf("%s is no header block of ebMS 2.0", e.name())))
	}
}

// otherBlock decides on a block that is not ours: SOAP 1.1 §4.2.3 lets it pass unless it must be understood by us. We act as
// the ultimate recipient (no actor), as "next" and in the two roles of ebMS.
func (p *parser) otherBlock(e *element) {
	if must, _ := e.attribute(nsSOAP, "mustUnderstand"); must != "1" && must != "true" {
		return
	}
	switch actor, _ := e.attribute(nsSOAP, "actor"); actor {
	case "", ActorNext, ActorNextMSH, ActorToPartyMSH:
		p.fail(NewNotSupported(atHeader, &MustUnderstandError{Space: e.space, Local: e.local}))
	}
}

// bodyBlock reads one child of the SOAP Body. ebMS 2.0 §2.3.3, §3.2, §7.1.
func (p *parser) bodyBlock(e *element) {
	if e.space != nsEB {
		p.fail(NewNotSupported(atBody, fmt.Errorf("%s in the Body", e.name())))
		return
	}
	switch e.local {
	case "Manifest", "StatusRequest", "StatusResponse":
	default:
		p.fail(NewOtherXML(atBody, fmt.Errorf("%s is no body element of ebMS 2.0", e.name())))
		return
	}
	location := "//Body/" + e.local
	if p.seen[e.local] {
		p.fail(NewOtherXML(location, fmt.Errorf("second %s", e.local)))
		return
	}
	p.seen[e.local] = true
	p.extension(e, location, false)
	switch e.local {
	case "Manifest":
		p.manifest(e)
	case "StatusRequest":
		p.statusRequest(e)
	case "StatusResponse":
		p.statusResponse(e)
	}
}

// extension checks the attributes that every ebMS block has: version always, mustUnderstand in the Header. Products put
// mustUnderstand on the Manifest too, which is let pass. ebMS 2.0 §2.3.8, §2.3.9.
func (p *parser) extension(e *element, location string, header bool) {
	switch v, ok := e.attribute(nsEB, "version"); {
	case !ok:
		p.fail(NewOtherXML(location, errors.New("no eb:version")))
	case v != version:
		p.fail(NewInconsistent(location, fmt.Errorf("eb:version %.40q and not %s", v, version)))
	}
	must, ok := e.attribute(nsSOAP, "mustUnderstand")
	if !header {
		if ok {
			p.odd(OddityMustUnderstandInBody)
		}
		return
	}
	switch {
	case !ok:
		p.fail(NewOtherXML(location, errors.New("no mustUnderstand")))
	case must != "1" && must != "true":
		p.fail(NewInconsistent(location, fmt.Errorf("mustUnderstand is %.40q and not 1", must)))
	}
}

// actor reads the SOAP actor of a block, which defaults to ActorToPartyMSH (§6.3.1.1).
func (p *parser) actor(e *element, location string) string {
	actor, _ := e.attribute(nsSOAP, "actor")
	switch actor {
	case "", ActorToPartyMSH, ActorNextMSH:
		return actor
	}
	p.fail(NewInconsistent(location, fmt.Errorf("actor %.200q is not one of ebMS 2.0", actor)))
	return ""
}

// syncReply reads SyncReply, whose actor is fixed. ebMS 2.0 §4.3.
func (p *parser) syncReply(e *element) {
	p.m.SyncReply = true
	if actor, _ := e.attribute(nsSOAP, "actor"); actor != ActorNext {
		p.fail(NewInconsistent(atSyncReply, fmt.Errorf("actor %.200q and not %s", actor, ActorNext)))
	}
}

// dateTime is the form of xsd:dateTime that messages have. XML Schema Part 2 §3.2.7.
var dateTime = regexp.MustCompile(`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)?$`)

// parseTime reads an xsd:dateTime, and says whether it has a zone. Times are UTC (§3.1.6.2): one without a zone, as some
// products write, is taken as that.
func parseTime(s string) (at time.Time, zoned bool, err error) {
	m := dateTime.FindStringSubmatch(s)
	if m == nil {
		return time.Time{}, false, fmt.Errorf("%.80q is not a dateTime", s)
	}
	layout := time.RFC3339
	if zoned = m[2] != ""; !zoned {
		layout = "2006-01-02T15:04:05"
	}
	at, err = time.Parse(layout, s)
	if err != nil {
		return time.Time{}, false, fmt.Errorf("reading dateTime: %w", err)
	}
	return at.UTC(), zoned, nil
}
