package ebms

import "time"

// SignalOptions say what an answer to a message needs besides that message.
type SignalOptions struct {
	// MessageID of the answer; required.
	MessageID string
	// Now is the answer's Timestamp; required.
	Now time.Time
	// Received is when the answered message was received; zero means Now.
	Received time.Time
	// Self is who answers. The zero value means the message's To party.
	Self Party
}

// NewAcknowledgment returns an acknowledgment of message to, as a message of its own (§6.3.2.7). It carries no
// DuplicateElimination, AckRequested or TimeToLive: products refuse them there. Its References are empty; the caller adds
// those of the verified signature before it signs (§6.3.2.4).
func NewAcknowledgment(to *Message, o SignalOptions) *Message {
	m := newSignal(to, o, ActionAcknowledgment)
	m.Acknowledgment = &Acknowledgment{
		Timestamp:      o.Received,
		RefToMessageID: to.MessageID,
		From:           m.From.IDs,
		Actor:          ActorToPartyMSH,
	}
	if o.Received.IsZero() {
		m.Acknowledgment.Timestamp = o.Now
	}
	if to.AckRequested != nil && to.AckRequested.Actor != "" {
		m.Acknowledgment.Actor = to.AckRequested.Actor
	}
	return m
}

// NewMessageError returns a message that tells the sender of to what is wrong with it (§4.2.4.3). It returns nil if to
// itself reports an error: an error about an error is never sent (§4.2.4), since two message services would go on forever.
func NewMessageError(to *Message, list ErrorList, o SignalOptions) *Message {
	if to.isError() {
		return nil
	}
	m := newSignal(to, o, ActionMessageError)
	m.Errors = &list
	return m
}

// NewPong returns the answer to a Ping. ebMS 2.0 §8.
func NewPong(to *Message, o SignalOptions) *Message { return newSignal(to, o, ActionPong) }

// NewStatusResponse returns the answer to a StatusRequest: r says what became of the message in question. An empty
// r.RefToMessageID means the one that to asks for. ebMS 2.0 §7.1.2.
func NewStatusResponse(to *Message, r StatusResponse, o SignalOptions) *Message {
	if r.RefToMessageID == "" && to.StatusRequest != nil {
		r.RefToMessageID = to.StatusRequest.RefToMessageID
	}
	m := newSignal(to, o, ActionStatusResponse)
	m.StatusResponse = &r
	return m
}

// Inquiry says what a Ping or a StatusRequest needs. All fields but SyncReply are required; parties and CPAID are the
// agreement's.
type Inquiry struct {
	From, To              Party
	CPAID, ConversationID string
	MessageID             string
	// Now is the Timestamp.
	Now time.Time
	// SyncReply asks for the answer in the HTTP response. ebMS 2.0 §4.3.
	SyncReply bool
}

// NewPing returns a message that asks whether the other message service is there. ebMS 2.0 §8.
func NewPing(q Inquiry) *Message { return newInquiry(q, ActionPing) }

// NewStatusRequest returns a message that asks what became of an earlier message of q.From, the one with this MessageID.
// ebMS 2.0 §7.1.1.
func NewStatusRequest(messageID string, q Inquiry) *Message {
	m := newInquiry(q, ActionStatusRequest)
	m.StatusRequest = &StatusRequest{RefToMessageID: messageID}
	return m
}

func newInquiry(q Inquiry, action string) *Message {
	return &Message{
		From:           q.From,
		To:             q.To,
		CPAID:          q.CPAID,
		ConversationID: q.ConversationID,
		Service:        Service{Value: MSHService},
		Action:         action,
		MessageID:      q.MessageID,
		Timestamp:      q.Now,
		SyncReply:      q.SyncReply,
	}
}

// isError reports whether m says that another message was wrong. Action counts as well as the ErrorList, because m may
// have been read in part only.
func (m *Message) isError() bool {
	return m.IsSignal() && m.Action == ActionMessageError || m.Errors != nil && m.Errors.HighestSeverity == SeverityError
}

// newSignal swaps the parties and keeps agreement and conversation. ebMS 2.0 §3.1.2, §3.1.3, §3.1.6.3.
func newSignal(to *Message, o SignalOptions, action string) *Message {
	self := o.Self
	if len(self.IDs) == 0 {
		self = to.To
	}
	return &Message{
		From:           self,
		To:             to.From,
		CPAID:          to.CPAID,
		ConversationID: to.ConversationID,
		Service:        Service{Value: MSHService},
		Action:         action,
		MessageID:      o.MessageID,
		Timestamp:      o.Now,
		RefToMessageID: to.MessageID,
	}
}
