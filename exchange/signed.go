package exchange

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/ecogate/ecogate/partners"
)

// SignedQuery asks what a credential signed.
type SignedQuery struct {
	// SHA256 is the credential's fingerprint, in lower-case hex. Since is the first instant that counts, by the time of receipt or
	// submission; zero for everything.
	SHA256 string
	Since  time.Time
	// From is where the page begins: the zero value is the newest message. Limit is at most how many items it has; default 100.
	From  SignedFrom
	Limit int
}

// SignedFrom is a place in the list of what a credential signed: messages, then certificates, each newest first. Before is as in
// MessageQuery.
type SignedFrom struct {
	Certificates bool
	Before       uint64
}

// SignedItem is a message or a certificate that a credential signed, as it stands now. One of the two is set. A message is listed if
// the credential signed it or its document, and a certificate if it signed the document that is held.
type SignedItem struct {
	Message     *SignedMessage     `json:"message,omitempty"`
	Certificate *SignedCertificate `json:"certificate,omitempty"`
}

// SignedMessage is what SignedItem tells of a message.
type SignedMessage struct {
	Seq       uint64    `json:"seq"`
	MessageID string    `json:"message_id"`
	Direction Direction `json:"direction"`
	Kind      Kind      `json:"kind"`
	State     State     `json:"state"`
	Partner   string    `json:"partner,omitempty"`
	// Created is the instant of receipt or submission.
	Created time.Time `json:"created"`
	// Certificate is the one that the message carries or is about, as it stands now; nil for none that is here.
	Certificate *SignedCertificate `json:"certificate,omitempty"`
}

// SignedCertificate is what SignedItem tells of a certificate.
type SignedCertificate struct {
	Seq       uint64           `json:"seq"`
	Key       CertificateKey   `json:"key"`
	State     CertificateState `json:"state"`
	Direction Direction        `json:"direction"`
	Partner   string           `json:"partner"`
	MessageID string           `json:"message_id"`
	// Recorded is the instant of receipt or submission.
	Recorded time.Time `json:"recorded"`
}

func signedCertificate(c Certificate) *SignedCertificate {
	return &SignedCertificate{Seq: c.Seq, Key: c.Key, State: c.State, Direction: c.Direction, Partner: c.Partner, MessageID: c.Message, Recorded: c.Recorded}
}

// Signed lists what a credential signed, so that it is known what rests on it when it is not to be trusted any more. next is where the
// next page begins, nil if there is none. The credential need not be configured any more. The work grows with what the credential signed, not with
// what the store holds.
func (n *Node) Signed(ctx context.Context, q SignedQuery) (items []SignedItem, next *SignedFrom, err error) {
	limit := orDefault(q.Limit, 100)
	if !q.From.Certificates {
		found, err := n.store.Messages(ctx, MessageQuery{Signer: q.SHA256, Since: q.Since, Before: q.From.Before, Limit: limit + 1})
		if err != nil {
			return nil, nil, fmt.Errorf("messages that %s signed: %w", q.SHA256, err)
		}
		for i, m := range found {
			if i == limit {
				return items, &SignedFrom{Before: found[i-1].Seq}, nil
			}
			item, err := n.signedMessage(ctx, m)
			if err != nil {
				return nil, nil, err
			}
			items = append(items, SignedItem{Message: item})
		}
		q.From = SignedFrom{Certificates: true}
	}
	found, err := n.store.Certificates(ctx, CertificateQuery{Signer: q.SHA256, Since: q.Since, Before: q.From.Before, Limit: limit - len(items) + 1})
	if err != nil {
		return nil, nil, fmt.Errorf("certificates that %s signed: %w", q.SHA256, err)
	}
	before := q.From.Before
	for _, c := range found {
		if len(items) == limit {
			return items, &SignedFrom{Certificates: true, Before: before}, nil
		}
		items, before = append(items, SignedItem{Certificate: signedCertificate(c)}), c.Seq
	}
	return items, nil, nil
}

// signedMessage is m with the certificate that it is about.
func (n *Node) signedMessage(ctx context.Context, m Message) (*SignedMessage, error) {
	item := &SignedMessage{
		Seq: m.Seq, MessageID: m.MessageID, Direction: m.Direction, Kind: m.Kind, State: m.State, Partner: m.Partner, Created: m.Created,
	}
	if m.Certificate == (CertificateKey{}) {
		return item, nil
	}
	held, err := n.store.Certificates(ctx, CertificateQuery{
		Partner: m.Partner, Country: m.Certificate.Country, Form: m.Certificate.Form, Reference: m.Certificate.Reference,
	})
	if err != nil {
		return nil, fmt.Errorf("certificate of message %d: %w", m.Seq, err)
	}
	if len(held) == 0 {
		return item, nil
	}
	own := slices.IndexFunc(held, func(c Certificate) bool { return c.Message == m.MessageID && c.Direction == m.Direction })
	item.Certificate = signedCertificate(held[max(own, 0)])
	return item, nil
}

// HeldCredential is a credential of the node or of a partner, as it stands now.
type HeldCredential struct {
	// Partner is "" for the node's own.
	Partner string         `json:"partner,omitempty"`
	Use     partners.Use   `json:"use"`
	Body    string         `json:"issuing_body,omitempty"`
	State   partners.State `json:"state"`
	Why     string         `json:"why,omitempty"`
	From    time.Time      `json:"from"`
	Until   time.Time      `json:"until"`
	Subject string         `json:"subject"`
	SHA256  string         `json:"sha256"`
	// LastUsed is when a partner's credential last verified a message, or a document in one; zero if none is stored, and for TLS, of
	// which nothing is kept. LastMessage is that message's number.
	LastUsed    time.Time `json:"last_used,omitzero"`
	LastMessage uint64    `json:"last_message,omitempty"`
}

// Credentials lists every credential with its state and its last use, the one that ends first first.
func (n *Node) Credentials(ctx context.Context) ([]HeldCredential, error) {
	list := []HeldCredential{}
	for _, h := range n.registry.Inventory(n.now()) {
		c := HeldCredential{
			Partner: h.Partner, Use: h.Use, Body: h.Issuer, State: h.State, Why: h.Why, From: h.From, Until: h.Until,
			Subject: h.X509Cert.Subject.String(), SHA256: h.Fingerprint(),
		}
		if h.Partner != "" && signs(h.Use) {
			newest, err := n.store.Messages(ctx, MessageQuery{Signer: c.SHA256, Direction: Inbound, Limit: 1})
			if err != nil {
				return nil, fmt.Errorf("last use of credential %s: %w", c.SHA256, err)
			}
			if len(newest) > 0 {
				c.LastUsed, c.LastMessage = newest[0].Created, newest[0].Seq
			}
			// Messages that were stored before they told of their document's signer.
			documents, err := n.store.Certificates(ctx, CertificateQuery{Signer: c.SHA256, Direction: Inbound, Limit: 1})
			if err != nil {
				return nil, fmt.Errorf("last use of credential %s: %w", c.SHA256, err)
			}
			if len(documents) > 0 && documents[0].Recorded.After(c.LastUsed) {
				c.LastUsed, c.LastMessage = documents[0].Recorded, 0
			}
		}
		list = append(list, c)
	}
	return list, nil
}

func signs(use partners.Use) bool {
	return use == partners.UseMessageSignature || use == partners.UseDocumentSignature
}

// stillUsedBefore is how long before a credential's end it is told that the partner still signs with it.
const stillUsedBefore = 3 * 24 * time.Hour

// EventStillUsed is the audit entry that tells of a StillUsed, once.
const EventStillUsed = "credential.still_used"

// StillUsed is a partner's credential that ends soon, with which the partner signed the last that came although another one of it counts
// for the same.
type StillUsed struct {
	partners.Held
	SHA256 string
	// Last is the message that came last.
	Last Message
}

// Audit is what the audit log is told of it, at the instant at.
func (s StillUsed) Audit(at time.Time) AuditEntry {
	return AuditEntry{
		At: at.UTC(), Actor: "node", Event: EventStillUsed, Subject: s.Partner + " " + string(s.Use) + " " + s.SHA256,
		Detail: fmt.Sprintf("it ends %s; message %d, the last that came, is signed with it although another one counts", s.Until.Format(time.RFC3339), s.Last.Seq),
	}
}

// TellFrom is since when it was to be told.
func (s StillUsed) TellFrom() time.Time { return s.Until.Add(-stillUsedBefore) }

// StillUsed gives those that hold now, within three days of the credential's end: that of its validity, or the earlier one
// that is configured.
func (n *Node) StillUsed(ctx context.Context) ([]StillUsed, error) {
	now := n.now()
	all := n.registry.Inventory(now)
	var out []StillUsed
	for _, h := range all {
		if h.Partner == "" || !signs(h.Use) || !counts(h) || now.Before(h.Until.Add(-stillUsedBefore)) {
			continue
		}
		another := func(other partners.Held) bool {
			return counts(other) && other.Partner == h.Partner && other.Use == h.Use && other.Issuer == h.Issuer && other.Until.After(h.Until) &&
				!other.X509Cert.Equal(h.X509Cert)
		}
		if !slices.ContainsFunc(all, another) {
			continue // that nothing follows is told by partners.Registry.Reminders
		}
		last, err := n.lastSigned(ctx, h)
		if err != nil {
			return nil, fmt.Errorf("last message of %s: %w", h.Partner, err)
		}
		s := StillUsed{Held: h, SHA256: h.Fingerprint(), Last: last}
		if last.Signer == s.SHA256 && h.Use == partners.UseMessageSignature || last.DocumentSigner == s.SHA256 && h.Use == partners.UseDocumentSignature {
			out = append(out, s)
		}
	}
	return out, nil
}

func counts(h partners.Held) bool {
	return h.State == partners.StateActive || h.State == partners.StateRetiring
}

// lastLooked bounds how many of a partner's newest messages are looked at for one that is signed, or that the issuing body signed.
const lastLooked = 1000

// lastSigned is the newest accepted message of h's partner that is signed in the way h signs; the zero Message if there is none
// among the newest ones.
func (n *Node) lastSigned(ctx context.Context, h partners.Held) (Message, error) {
	q := MessageQuery{Partner: h.Partner, Direction: Inbound, State: StateAccepted}
	for looked := 0; looked < lastLooked; looked += q.Limit {
		q.Limit = 50
		page, err := n.store.Messages(ctx, q)
		if err != nil || len(page) == 0 {
			return Message{}, err
		}
		for _, m := range page {
			switch {
			case h.Use == partners.UseMessageSignature && m.Signer != "":
				return m, nil
			case h.Use == partners.UseDocumentSignature && n.bodySigned(h, m):
				return m, nil
			}
		}
		q.Before = page[len(page)-1].Seq
	}
	return Message{}, nil
}

// bodySigned reports whether h's issuing body signed the document of m, with whichever of its credentials.
func (n *Node) bodySigned(h partners.Held, m Message) bool {
	body := func(c partners.Credential) bool {
		return c.Issuer == h.Issuer && c.Fingerprint() == m.DocumentSigner
	}
	return slices.ContainsFunc(n.registry.Credentials(h.Partner, partners.UseDocumentSignature, m.Created), body)
}
