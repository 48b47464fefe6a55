// Package notice tells people what happened, by e-mail and by signed webhooks: importers of certificates that arrived for them, brokers of
// their watches and declarations, issuing bodies of refusals and verification requests, operators of alerts.
//
// It follows the audit log from a cursor of its own and makes notices of entries, by one table (events.go). A notice is a docket until it is
// sent, so that nothing that happens in the node waits for a mail server, and no restart loses one. Each entry is told to each recipient at least once;
// a notice keeps its number through every attempt (Message-ID, webhook-id), by which who gets it twice knows so.
//
// It knows addresses, templates and the two ways out. It leaves to others what happened and why, who holds which API key, and which networks
// may be dialled.
//
// Read events.go (what is told to whom), recipient.go (who that is), follow.go (from the log to notices), queue.go (from notices to attempts),
// mail.go with compose.go and templates/, webhook.go, then subscription.go (who signs up) and desk.go (what people ask of it).
package notice

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/ecogate/ecogate/clearance"
	"github.com/ecogate/ecogate/eco"
)

// The kinds of dockets that this package keeps.
const (
	// KindNotice is a Notice; its ID is the number of the audit entry and the recipient's.
	KindNotice clearance.Kind = "notice"
	// KindSubscription is a Subscription.
	KindSubscription clearance.Kind = "subscription"
	// kindCursor is the cursor in the audit log, kindAccount how things stand with one recipient, kindChannel with one way out.
	kindCursor  clearance.Kind = "notice.cursor"
	kindAccount clearance.Kind = "notice.account"
	kindChannel clearance.Kind = "notice.channel"
)

// State is where a notice stands.
type State string

// The states.
const (
	Queued  State = "queued"  // waits for its time or its next attempt
	Sent    State = "sent"    // the mail server, or the webhook, took it
	Failed  State = "failed"  // refused for good, or tried for too long
	Dropped State = "dropped" // not sent, since its recipient is gone or has failed
)

// States lists every State.
func States() []State { return []State{Queued, Sent, Failed, Dropped} }

// Channel is a way out.
type Channel string

// The ways out.
const (
	Mail    Channel = "mail"
	Webhook Channel = "webhook"
)

// Notice is one thing told to one recipient. It belongs to the store; nobody changes it but this package.
type Notice struct {
	// ID is that of its docket, the same in every attempt.
	ID string `json:"id"`
	// Entry is the number of the audit entry that it tells of, At that entry's instant; 0 for what somebody asked for (a confirmation, a test).
	Entry uint64    `json:"entry,omitempty"`
	At    time.Time `json:"at"`
	Event Event     `json:"event"`
	// Recipient is the id of a configured recipient, or of a subscription. Channel, Address and Language are the recipient's when it was filed.
	Recipient string  `json:"recipient"`
	Channel   Channel `json:"channel"`
	// Address is the e-mail address or the URL.
	Address  string `json:"address"`
	Language string `json:"language"`
	// Digest: it waits for its recipient's next digest.
	Digest bool  `json:"digest,omitempty"`
	Facts  Facts `json:"facts"`

	State State `json:"state"`
	// Repeats counts what would have been the same notice again within the window of suppression.
	Repeats int `json:"repeats,omitempty"`
	// Attempts counts those that were begun; Problem is how the last one failed. Next is the time of the next one, Ended when there is none.
	Attempts int       `json:"attempts,omitempty"`
	Problem  string    `json:"problem,omitempty"`
	Next     time.Time `json:"next,omitzero"`
	Ended    time.Time `json:"ended,omitzero"`
	// Filed is since when it is tried: its filing, or the last time that somebody had it tried again.
	Filed time.Time `json:"filed"`
	// Same is equal in notices that say the same to the same recipient; empty in what somebody asked for.
	Same string `json:"same,omitempty"`
}

// Mark is how mails and webhooks name the notice, in every attempt and no other one: its ID, which a store that begins anew gives again, with the
// entry's instant.
func (n Notice) Mark() string { return n.ID + "-" + strconv.FormatInt(n.At.UnixMilli(), 10) }

// Facts are what a notice may say. Nothing in it is confidential between exporter and importer: no value, no producer, no invoice number
// (which opens a look-up, so that whoever reads the mail would have it). Every text is one line that shows all it holds.
type Facts struct {
	// Subject names what it is about: a certificate as "KR/ATIGA-D/K0012500001", or what the audit entry says.
	Subject string `json:"subject,omitempty"`
	// Test: it happened to what counts for nothing.
	Test bool `json:"test,omitempty"`
	// Reference is the number as printed, Form, Country, Issued and Body are the certificate's, Exporter and Importer names on it.
	Reference string       `json:"reference,omitempty"`
	Form      eco.FormCode `json:"form,omitempty"`
	Country   string       `json:"country,omitempty"`
	Issued    string       `json:"issued,omitempty"` // YYYY-MM-DD
	Body      string       `json:"issuing_body,omitempty"`
	Exporter  string       `json:"exporter,omitempty"`
	Importer  string       `json:"importer,omitempty"`
	// State is the certificate's when the notice was made.
	State string `json:"state,omitempty"`
	// Partner is the other administration's id.
	Partner string `json:"partner,omitempty"`
	// Declaration is an import declaration's number.
	Declaration string `json:"declaration,omitempty"`
	// Reasons say why, for refusals, denials and verification requests.
	Reasons []Reason `json:"reasons,omitempty"`
	// Detail is what the audit entry says; for operators alone.
	Detail string `json:"detail,omitempty"`
	// Code is the one that confirms an address. It is taken out when the notice was sent.
	Code string `json:"code,omitempty"`
}

// Reason is a coded reason with its text.
type Reason struct {
	Code string `json:"code,omitempty"`
	Text string `json:"text,omitempty"`
}

// Exported is a certificate that this node sent, as notices need it.
type Exported struct {
	Key     clearance.Key
	Partner string
	State   string
	Data    eco.Certificate
}

// Books are where what an audit entry is about is looked up, beside clearance.Store. They may be asked at any time from several goroutines.
type Books interface {
	// Exported are the certificates with this key that the node sent, one for each partner; none is no error.
	Exported(ctx context.Context, key clearance.Key) ([]Exported, error)
}

// Keys tells of the holders of API keys, at each moment. Without the key of who subscribed nothing is told to him.
type Keys interface {
	// Parties are those that the holder of the named key stands for; ok is false if there is no such key any more.
	Parties(name string) (parties []eco.PartyName, ok bool)
}

// ErrUnknown: no such notice, recipient or subscription, or none that is the asker's.
var ErrUnknown = fmt.Errorf("notice: %w", clearance.ErrNotFound)
