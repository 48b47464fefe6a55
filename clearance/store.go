package clearance

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/ecogate/ecogate/eco"
	"github.com/ecogate/ecogate/partners"
)

// Store keeps what clearance does with received certificates. One value serves one node; all methods are safe for concurrent use.
//
// The certificates are those that package exchange has verified and recorded; the audit log is that of the node. When File returns nil,
// what it wrote survives the loss of the process and of power; when it returns an error, an observer may find all of it or
// nothing, never a part. Implementations must not call back into the caller.
type Store interface {
	// Imported returns received certificates that match, newest first. Unknown numbers give an empty result.
	Imported(ctx context.Context, q ImportedQuery) ([]Imported, error)

	// Document are the signed octets of an imported certificate, compared with their digest. The error wraps ErrNotFound if there is no
	// such certificate, or if retention has dropped its octets.
	Document(ctx context.Context, seq uint64) ([]byte, error)

	// Dockets returns those that match, in the order of their Filed; with DueBy those that are due until then, the earliest due first.
	Dockets(ctx context.Context, q DocketQuery) ([]Docket, error)

	// File makes all of a batch durable in one transaction. The error wraps ErrChanged, and nothing is written, if a move was not made
	// of the certificate as it is, a docket not of the one that is filed, or two of them are about the same.
	File(ctx context.Context, b Batch) error

	// Happenings are the entries of the audit log after a number, oldest first, at most limit (0 means 100). Numbers have no gaps, and
	// what an entry tells is there when the entry is: who follows the log misses nothing that happens to a certificate.
	Happenings(ctx context.Context, after uint64, limit int) ([]Happening, error)
}

// Errors that stores return and callers branch on.
var (
	// ErrChanged: something is not what it was when a Batch was made of it; look again and decide anew.
	ErrChanged = errors.New("changed meanwhile")
	// ErrNotFound: no such certificate, document or docket.
	ErrNotFound = errors.New("not found")
)

// Key identifies a certificate across nodes.
type Key struct {
	Country   string       `json:"country"` // issuing country, ISO 3166-1 alpha-2
	Form      eco.FormCode `json:"form"`
	Reference string       `json:"reference"` // eco.NormaliseReference of the printed one
	// Test: it was exchanged with a partner in partners.ModeTest, and is another certificate than the one that counts under this number.
	Test bool `json:"test,omitempty"`
}

// testMark ends the text of a Key with Test.
const testMark = " (test)"

// String is how the audit log names the certificate: "KR/ATIGA-D/K0012500001".
func (k Key) String() string {
	text := k.Country + "/" + string(k.Form) + "/" + k.Reference
	if k.Test {
		text += testMark
	}
	return text
}

// ParseKey reads what String has written.
func ParseKey(text string) (Key, error) {
	rest, test := strings.CutSuffix(text, testMark)
	parts := strings.SplitN(rest, "/", 3)
	if len(parts) != 3 || parts[0] == "" || parts[1] == "" || parts[2] == "" {
		return Key{}, fmt.Errorf("key of a certificate: want country/form/reference, found %q", text)
	}
	return Key{Country: parts[0], Form: eco.FormCode(parts[1]), Reference: parts[2], Test: test}, nil
}

// Imported is a certificate that a partner sent, as clearance sees it.
type Imported struct {
	// Seq is the record's number. Revision counts the changes that were made to it.
	Seq, Revision uint64
	Key           Key
	State         eco.State
	// Life is where it stands; Life.State is State.
	Life eco.Life
	// Partner sent it in the message with the id Message, in a Mode; "" is partners.ModeLive.
	Partner, Message string
	Mode             partners.Mode
	// Recorded is the instant of its receipt.
	Recorded time.Time
	// Content is the SHA-256 in hex of the octets that its signature covers, Document its signed document, Signer the SHA-256
	// fingerprint of the credential that verified it.
	Content  string
	Document Document
	Signer   string
	Data     eco.Certificate
	// Findings are the rules' remarks that did not stop it.
	Findings []eco.Finding
	// Successor replaced it; Predecessor is what it replaced.
	Successor, Predecessor *Key
}

// Document says how to know a signed document.
type Document struct {
	SHA256 string // in hex
	Size   int64
}

// ImportedQuery selects imported certificates; zero fields do not restrict.
type ImportedQuery struct {
	Seq uint64
	// Reference in any spelling; compared in normalised form.
	Reference string
	Country   string
	Form      eco.FormCode
	Partner   string
	State     eco.State
	// Invoice is the number of one of its invoices, Transport that of one of its transport documents (TransportDocuments), each in any
	// spelling, as references are.
	Invoice, Transport string
	// Paper is the number of the paper on which it was issued during an outage (eco.Certificate.IssuedOnPaper), in any spelling.
	Paper string
	// Exporter is a name of its exporter; Importers selects those for which one of them is a name of importer, consignee or party to notify
	// (eco.Certificate.ImporterNames).
	Exporter  eco.PartyName
	Importers []eco.PartyName
	// IssuedFrom and IssuedUntil are the first and the last day of issue.
	IssuedFrom, IssuedUntil eco.Date
	// Recorded is not before ReceivedFrom and before ReceivedUntil.
	ReceivedFrom, ReceivedUntil time.Time
	// Before returns only records with a smaller Seq, for paging. Limit defaults to 100.
	Before uint64
	Limit  int
}

// Query selects the certificates with a key. Those with the same key that is Test are among them.
func (k Key) Query() ImportedQuery {
	return ImportedQuery{Reference: k.Reference, Country: k.Country, Form: k.Form}
}

// Move is what happens to a certificate. It fits a record that has the Revision and the state Was, so that two who move one certificate
// at the same time see each other.
type Move struct {
	Seq, Revision uint64
	Was           eco.State
	// Life takes the place of the record's, and its State that of the record's state.
	Life eco.Life
}

// Moved is the move that events make of a certificate. The error is an *eco.IllegalMove.
func (c Imported) Moved(events ...eco.Event) (Move, error) {
	life := c.Life
	for _, e := range events {
		next, err := eco.Next(life, e)
		if err != nil {
			return Move{}, err
		}
		life = next
	}
	return Move{Seq: c.Seq, Revision: c.Revision, Was: c.State, Life: life}, nil
}

// Batch is what one call of File writes.
type Batch struct {
	Moves   []Move
	Dockets []Docket
	// Drop are dockets to remove.
	Drop []DocketName
	// Audit are the entries that tell of it; their Seq is the store's to give.
	Audit []Happening
}

// Happening is one entry of the audit log: who did what to what, when.
type Happening struct {
	Seq     uint64    `json:"seq"`
	At      time.Time `json:"at"`
	Actor   string    `json:"actor"`
	Event   string    `json:"event"`
	Subject string    `json:"subject"`
	Detail  string    `json:"detail,omitempty"`
}
