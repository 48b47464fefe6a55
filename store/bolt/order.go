package bolt

import (
	"encoding/binary"
	"fmt"
	"time"

	"go.etcd.io/bbolt"

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
	waitingNumber = 'n' // + seq -> beginning, number of the certificate that it brought or confirmed (0: none)
)

func placeKey(conversation []byte, began uint64, sequence uint32) []byte {
	key := append([]byte{waitingPlace}, conversation...)
	return binary.BigEndian.AppendUint32(append(key, number(began)...), sequence)
}

func waitingKey(seq uint64) []byte { return append([]byte{waitingNumber}, number(seq)...) }

// wait is what the store knows of a message that waits, beside its record.
type wait struct{ began, certificate uint64 }

func (w wait) encode() []byte { return append(number(w.began), number(w.certificate)...) }

// waitOf reads it; there is none under a number that does not wait.
func waitOf(tx *bbolt.Tx, seq uint64) (w wait, found bool) {
	value := tx.Bucket([]byte(bucketWaiting)).Get(waitingKey(seq))
	if len(value) != 16 {
		return wait{}, false
	}
	return wait{began: binary.BigEndian.Uint64(value), certificate: binary.BigEndian.Uint64(value[8:])}, true
}

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

// advance takes m, which has been written, into its place; certificate is the number of what it brought or confirmed. If that was the
// next place, it returns those that waited for it and for nothing more, in their order.
func (t *transaction) advance(m *exchange.Message, own *turn, certificate uint64) ([]exchange.Message, error) {
	if own == nil {
		return nil, nil
	}
	if own.waits {
		return nil, t.wait(m, placeKey(own.key, own.Began, m.Order.Sequence), wait{own.Began, certificate})
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

func (t *transaction) wait(m *exchange.Message, place []byte, w wait) error {
	waiting := t.tx.Bucket([]byte(bucketWaiting))
	key, value := waitingKey(m.Seq), w.encode()
	t.spend(len(place) + 8 + len(key) + len(value))
	if err := waiting.Put(place, number(m.Seq)); err != nil {
		return fmt.Errorf("index %s: %w", bucketWaiting, err)
	}
	return waiting.Put(key, value)
}

// leave ends the wait of m and returns the certificate that it brought or confirmed, as it is now; nil if it is none.
func (t *transaction) leave(m *exchange.Message) (*certificateRecord, error) {
	w, found := waitOf(t.tx, m.Seq)
	if !found {
		return nil, fmt.Errorf("%s: %w: message %d waits and has no place in its conversation", t.tx.DB().Path(), exchange.ErrDamaged, m.Seq)
	}
	waiting := t.tx.Bucket([]byte(bucketWaiting))
	conversation := conversationKey(exchange.Inbound, m.Partner, m.ConversationID)
	if err := waiting.Delete(placeKey(conversation, w.began, m.Order.Sequence)); err != nil {
		return nil, fmt.Errorf("index %s: %w", bucketWaiting, err)
	}
	if err := waiting.Delete(waitingKey(m.Seq)); err != nil || w.certificate == 0 {
		return nil, err
	}
	var held certificateRecord
	return &held, load(t.tx, bucketCertificates, w.certificate, &held)
}

// admit accepts a message that waited, and admits its certificate.
func (t *transaction) admit(seq uint64, at time.Time) (exchange.Message, error) {
	m, err := loadMessage(t.tx, seq)
	if err != nil {
		return m, err
	}
	held, err := t.leave(&m)
	if err != nil {
		return m, err
	}
	if err := t.changeMessage(&m, func(m *exchange.Message) { m.State = exchange.StateAccepted }); err != nil {
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

// nameWaiting gives what waits since a store of version 3 the certificate that it brought or confirmed. Such a store does not tell which
// one was confirmed: the one under the key that may still become usable.
func (t *transaction) nameWaiting() error {
	waiting := t.tx.Bucket([]byte(bucketWaiting))
	waits := make(map[uint64]wait)
	c := waiting.Cursor()
	for key, began := c.Seek([]byte{waitingNumber}); key != nil && key[0] == waitingNumber; key, began = c.Next() {
		waits[lastNumber(key)] = wait{began: lastNumber(began)}
	}
	for seq, w := range waits {
		m, err := loadMessage(t.tx, seq)
		if err != nil {
			return err
		}
		if w.certificate, err = t.broughtBy(&m); err != nil {
			return err
		}
		if err := waiting.Put(waitingKey(seq), w.encode()); err != nil {
			return fmt.Errorf("index %s: %w", bucketWaiting, err)
		}
	}
	return nil
}

func (t *transaction) broughtBy(m *exchange.Message) (confirmed uint64, err error) {
	if m.Kind != exchange.KindCertificate {
		return 0, nil // what is about a certificate names its key too
	}
	for seq := range heldUnder(t.tx, exchange.Inbound, m.Certificate) {
		var c certificateRecord
		if err := load(t.tx, bucketCertificates, seq, &c); err != nil {
			return 0, err
		}
		if c.Message == m.MessageID && c.Partner == m.Partner {
			return seq, nil
		}
		if unusable(c.State) {
			confirmed = seq
		}
	}
	return confirmed, nil
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
