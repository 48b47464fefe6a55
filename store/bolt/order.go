package bolt

import (
	"encoding/binary"
	"fmt"
	"time"

	"github.com/ecogate/ecogate/exchange"
)

// conversation is how far a conversation whose messages have an order has come, in one direction. ebMS 2.0 §9.
type conversation struct {
	// Next is the sequence number that comes next.
	Next uint32 `json:"next"`
	// Began is the number of the inbound message that reset the sequence last, 0 if none did: places of different
	// beginnings are different.
	Began uint64 `json:"began,omitempty"`
	// Closed: an outbound message of it ended undelivered, so that none may follow.
	Closed bool `json:"closed,omitempty"`
}

// line names the conversation in which the messages of a Departure.Line went last.
type line struct {
	Conversation string `json:"conversation"`
}

// conversationKey is the key of a conversation, and the prefix of the places in it.
func conversationKey(d exchange.Direction, partner, id string) []byte {
	key := []byte{d[0]}
	return append(append(key, part(partner)...), part(id)...)
}

func lineKey(partner, name string) []byte { return append(part(partner), part(name)...) }

// Keys of the bucket "waiting": each message that waits has one of both.
const (
	waitingPlace  = 'p' // + conversation, beginning, sequence number -> seq
	waitingNumber = 'n' // + seq -> beginning
)

func placeKey(conversation []byte, began uint64, sequence uint32) []byte {
	key := append([]byte{waitingPlace}, conversation...)
	return binary.BigEndian.AppendUint32(append(key, number(began)...), sequence)
}

func waitingKey(seq uint64) []byte { return append([]byte{waitingNumber}, number(seq)...) }

// turn is a new inbound message's place among those of its conversation.
type turn struct {
	conversation
	key   []byte
	waits bool
}

// turnOf finds the place of m, which is about to be accepted; nil if it has no order. taken reports that another message has its place.
func (t *transaction) turnOf(m *exchange.Message) (_ *turn, taken bool, err error) {
	if m.State != exchange.StateAccepted || m.Order == nil {
		return nil, false, nil
	}
	own := &turn{key: conversationKey(exchange.Inbound, m.Partner, m.ConversationID)}
	if m.Order.Reset {
		return own, false, nil // it begins where it stands; advance gives the beginning its name
	}
	if _, err := loadKeyed(t.tx, bucketConversations, own.key, &own.conversation); err != nil {
		return nil, false, err
	}
	sequence := m.Order.Sequence
	taken = sequence < own.Next || t.tx.Bucket([]byte(bucketWaiting)).Get(placeKey(own.key, own.Began, sequence)) != nil
	own.waits = sequence > own.Next
	return own, taken, nil
}

// advance takes m, which has been written, into its place. If that was the next one, it returns those that waited for it and for nothing
// more, in their order.
func (t *transaction) advance(m *exchange.Message, own *turn) ([]exchange.Message, error) {
	if own == nil {
		return nil, nil
	}
	if own.waits {
		return nil, t.wait(m, own)
	}
	if m.Order.Reset {
		own.Began = m.Seq
	}
	if err := t.available(m, m.Created); err != nil {
		return nil, err
	}
	var released []exchange.Message
	for own.Next = m.Order.Sequence + 1; ; own.Next++ {
		seq := lastNumber(t.tx.Bucket([]byte(bucketWaiting)).Get(placeKey(own.key, own.Began, own.Next)))
		if seq == 0 {
			break
		}
		next, err := t.admit(seq, m.Created)
		if err != nil {
			return nil, err
		}
		released = append(released, next)
	}
	return released, t.putKeyed(bucketConversations, own.key, &own.conversation)
}

func (t *transaction) wait(m *exchange.Message, own *turn) error {
	waiting := t.tx.Bucket([]byte(bucketWaiting))
	place := placeKey(own.key, own.Began, m.Order.Sequence)
	t.spend(len(place) + 8 + len(waitingKey(0)) + 8)
	if err := waiting.Put(place, number(m.Seq)); err != nil {
		return fmt.Errorf("index %s: %w", bucketWaiting, err)
	}
	return waiting.Put(waitingKey(m.Seq), number(own.Began))
}

// leave ends the wait of m.
func (t *transaction) leave(m *exchange.Message) error {
	waiting := t.tx.Bucket([]byte(bucketWaiting))
	began := lastNumber(waiting.Get(waitingKey(m.Seq)))
	conversation := conversationKey(exchange.Inbound, m.Partner, m.ConversationID)
	if err := waiting.Delete(placeKey(conversation, began, m.Order.Sequence)); err != nil {
		return fmt.Errorf("index %s: %w", bucketWaiting, err)
	}
	return waiting.Delete(waitingKey(m.Seq))
}

// admit accepts a message that waited, and admits its certificate.
func (t *transaction) admit(seq uint64, at time.Time) (exchange.Message, error) {
	m, err := loadMessage(t.tx, seq)
	if err != nil {
		return m, err
	}
	if err := t.leave(&m); err != nil {
		return m, err
	}
	if err := t.changeMessage(&m, func(m *exchange.Message) { m.State = exchange.StateAccepted }); err != nil {
		return m, err
	}
	held, err := t.carried(&m)
	if err != nil {
		return m, err
	}
	if held != nil && unusable(held.State) {
		if err := t.takeOver(held, held.Dealings.Admitted(), &m); err != nil {
			return m, err
		}
	}
	return m, t.available(&m, at)
}

// available tells that it was the turn of m.
func (t *transaction) available(m *exchange.Message, at time.Time) error {
	subject := m.MessageID
	if m.Certificate != (exchange.CertificateKey{}) {
		subject = m.Certificate.String()
	}
	return t.audit([]exchange.AuditEntry{{
		At: at, Actor: m.Partner, Event: "certificate.available", Subject: subject,
		Detail: fmt.Sprintf("message %s has sequence number %d of conversation %s", m.MessageID, m.Order.Sequence, m.ConversationID),
	}})
}

// carried is the imported certificate that a message which waits brought or confirmed; nil if it is none or if the key is in conflict,
// which stays whatever becomes of the message. One that was replaced is not counted.
func (t *transaction) carried(m *exchange.Message) (*certificateRecord, error) {
	if m.Kind != exchange.KindCertificate || m.Certificate == (exchange.CertificateKey{}) {
		return nil, nil // the message that answers a certificate names its key too
	}
	var only *certificateRecord
	for seq := range heldUnder(t.tx, exchange.Inbound, m.Certificate) {
		var c certificateRecord
		if err := load(t.tx, bucketCertificates, seq, &c); err != nil {
			return nil, err
		}
		if c.State == exchange.CertificateReplaced {
			continue
		}
		if only != nil {
			return nil, nil
		}
		only = &c
	}
	return only, nil
}

// unusable reports whether an imported certificate is stored and not to be used for the sake of order.
func unusable(state exchange.CertificateState) bool {
	return state == exchange.CertificateReceived || state == exchange.CertificateRefused
}

// takeOver makes m the message that brought the certificate, in state.
func (t *transaction) takeOver(c *certificateRecord, state exchange.CertificateState, m *exchange.Message) error {
	before := certificateEntries(&c.Certificate)
	c.State, c.Message, c.Partner = state, m.MessageID, m.Partner
	if err := t.writeCertificate(c); err != nil {
		return err
	}
	return t.reindex(before, certificateEntries(&c.Certificate))
}

// follow records that an outbound message continues its line, or returns why it does not.
func (t *transaction) follow(m *exchange.Message, name string) (*exchange.OutOfLineError, error) {
	var current line
	var c conversation
	found, err := loadKeyed(t.tx, bucketLines, lineKey(m.Partner, name), &current)
	if err != nil {
		return nil, err
	}
	if found {
		if _, err := loadKeyed(t.tx, bucketConversations, conversationKey(exchange.Outbound, m.Partner, current.Conversation), &c); err != nil {
			return nil, err
		}
	}
	key := conversationKey(exchange.Outbound, m.Partner, m.ConversationID)
	if found && !c.Closed && c.Next <= exchange.MaxSequence {
		if m.ConversationID != current.Conversation || m.Order.Sequence != c.Next {
			return &exchange.OutOfLineError{ConversationID: current.Conversation, Next: c.Next}, nil
		}
		c.Next++
		return nil, t.putKeyed(bucketConversations, key, &c)
	}
	if m.Order.Sequence != 0 || t.tx.Bucket([]byte(bucketConversations)).Get(key) != nil {
		return &exchange.OutOfLineError{}, nil // what is there was closed, or is another line's
	}
	if err := t.putKeyed(bucketConversations, key, &conversation{Next: 1}); err != nil {
		return nil, err
	}
	return nil, t.putKeyed(bucketLines, lineKey(m.Partner, name), &line{Conversation: m.ConversationID})
}

// breakOff closes the conversation of an outbound message that ended undelivered.
func (t *transaction) breakOff(m *exchange.Message) error {
	if m.Order == nil {
		return nil
	}
	key := conversationKey(exchange.Outbound, m.Partner, m.ConversationID)
	var c conversation
	found, err := loadKeyed(t.tx, bucketConversations, key, &c)
	if err != nil || !found || c.Closed {
		return err
	}
	c.Closed = true
	return t.putKeyed(bucketConversations, key, &c)
}
