package ebms

import (
	"errors"
	"fmt"
	"strconv"
)

// MaxSequence is the highest SequenceNumber (eight digits; not confirmed). ebMS 2.0 §9.
const MaxSequence = 99_999_999

// MessageOrder asks the receiver to hand the messages of a conversation to the application in the order in which they were
// sent. It needs DuplicateElimination and AckRequested, and goes with no SyncReply and no signal. ebMS 2.0 §9.
type MessageOrder struct {
	// Sequence counts the sender's messages of this conversation from 0 to MaxSequence.
	Sequence uint32
	// Reset says that the count begins anew; Sequence is 0 then.
	Reset bool
}

// messageOrder reads MessageOrder. ebMS 2.0 §9.
func (p *parser) messageOrder(e *element) {
	order := &MessageOrder{}
	s := p.sequence(e, atMessageOrder)
	if e := s.required("SequenceNumber"); e != nil {
		order.Sequence = p.sequenceNumber(p.text(e, atSequenceNumber))
		switch status, ok := e.attribute(nsEB, "status"); {
		case status == "Reset":
			order.Reset = true
		case ok && status != "Continue":
			p.fail(NewOtherXML(atSequenceNumber, fmt.Errorf("eb:status %.40q is neither Reset nor Continue", status)))
		}
	}
	s.end()
	p.m.Order = order
}

// sequenceNumber reads a SequenceNumber: digits, eight at the most. ebMS 2.0 §9.
func (p *parser) sequenceNumber(text string) uint32 {
	for _, c := range []byte(text) {
		if c < '0' || c > '9' {
			p.fail(NewOtherXML(atSequenceNumber, fmt.Errorf("%.40q is no count", text)))
			return 0
		}
	}
	if len(text) > len(strconv.Itoa(MaxSequence)) {
		p.fail(NewInconsistent(atSequenceNumber, fmt.Errorf("%.40q is over %d", text, MaxSequence)))
		return 0
	}
	n, _ := strconv.ParseUint(text, 10, 32) // nothing is left that it could refuse but an empty text, which p.text reported
	return uint32(n)
}

// ordered: what a MessageOrder needs and excludes. Order can only be kept where each message comes once and surely. ebMS 2.0
// §9.
func ordered(m *Message) *Error {
	if m.Order == nil {
		return nil
	}
	switch {
	case m.Order.Sequence > MaxSequence:
		return NewInconsistent(atSequenceNumber, fmt.Errorf("%d is over %d", m.Order.Sequence, MaxSequence))
	case m.Order.Reset && m.Order.Sequence != 0:
		return NewInconsistent(atSequenceNumber, fmt.Errorf("status Reset with sequence number %d and not 0", m.Order.Sequence))
	case m.IsSignal():
		return NewInconsistent(atMessageOrder, fmt.Errorf("MessageOrder on a %.200s", m.Action))
	case !m.DuplicateElimination:
		return NewInconsistent(atMessageOrder, errors.New("MessageOrder without DuplicateElimination"))
	case m.AckRequested == nil:
		return NewInconsistent(atMessageOrder, errors.New("MessageOrder without AckRequested of the To Party"))
	case m.SyncReply:
		return NewInconsistent(atMessageOrder, errors.New("MessageOrder together with SyncReply"))
	}
	return nil
}

// messageOrder writes MessageOrder. Continue is the schema's default and not written. ebMS 2.0 §9.
func (w *writer) messageOrder(order *MessageOrder) {
	var status []string
	if order.Reset {
		status = []string{"eb:status", "Reset"}
	}
	w.open("eb:MessageOrder", headerBlock()...)
	w.element("eb:SequenceNumber", strconv.FormatUint(uint64(order.Sequence), 10), status...)
	w.close("eb:MessageOrder")
}
