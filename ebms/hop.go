package ebms

import "errors"

// Hop holds the header blocks for the next message service on the way, those with actor nextMSH. They stand outside the
// signature (§4.1.3), since every hop takes its own away and may put others in: nothing of them is certain. Parse reads them
// for a relay, and Validate refuses them. ebMS 2.0 §2.3.10, §6.3.1.1, §10.
type Hop struct {
	// AckRequested asks the next message service for an acknowledgment; nil if there is none. Its Actor is ActorNextMSH.
	AckRequested *AckRequested
	// Acknowledgment is by the next message service; nil if there is none. Its Actor is ActorNextMSH.
	Acknowledgment *Acknowledgment
}

// hop returns the message's Hop and makes one if there is none yet.
func (p *parser) hop() *Hop {
	if p.m.Hop == nil {
		p.m.Hop = &Hop{}
	}
	return p.m.Hop
}

// oneHop: messages come from the From Party and go to the To Party without a stop. A relay leaves this rule out. ebMS 2.0 §10.
func oneHop(m *Message) *Error {
	hop := m.Hop
	switch {
	case hop != nil && hop.AckRequested != nil, m.AckRequested != nil && m.AckRequested.Actor == ActorNextMSH:
		return NewNotSupported(atAckRequested, errors.New("actor nextMSH: multi-hop is not supported"))
	case hop != nil && hop.Acknowledgment != nil, m.Acknowledgment != nil && m.Acknowledgment.Actor == ActorNextMSH:
		return NewNotSupported(atAcknowledgment, errors.New("actor nextMSH: multi-hop is not supported"))
	}
	return nil
}
