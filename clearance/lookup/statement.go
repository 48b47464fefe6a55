package lookup

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/ecogate/ecogate/clearance"
	"github.com/ecogate/ecogate/eco"
)

// StatementType is the member "type" of a statement, so that no other signed content can be taken for one.
const StatementType = "urn:ecogate:statement:not-received:1"

// StatementMediaType is that of a signed statement: CMS SignedData. RFC 5751 §3.2.
const StatementMediaType = "application/pkcs7-mime"

// Scope says of which certificates a statement speaks.
type Scope string

// The scopes.
const (
	// ScopeAll: none had been received, for whomever.
	ScopeAll Scope = "all"
	// ScopeImporter: none had been received for the importer that is named.
	ScopeImporter Scope = "importer"
	// ScopeInvoice: none had been received that names the invoice.
	ScopeInvoice Scope = "invoice"
	// ScopeReader: none had been received that the applicant may see. One for somebody else may have been: the statement does not tell.
	ScopeReader Scope = "applicant"
)

// NotReceived is the statement that a certificate had not been received: for the guarantee file of who clears goods without it.
type NotReceived struct {
	Type string `json:"type"`
	// Node states it. At is the instant: what was recorded until then was looked through. A message that was still being received then does not count as received.
	Node string    `json:"node"`
	At   time.Time `json:"at"`
	// Reference is as the applicant wrote it, Normalised as it is compared. Country and Form narrow, if given.
	Reference  string       `json:"reference"`
	Normalised string       `json:"normalised"`
	Country    string       `json:"country,omitempty"`
	Form       eco.FormCode `json:"form,omitempty"`
	// Applicant is the API key that asked. Scope says of which certificates it is true, Importer and Invoice name them.
	Applicant string        `json:"applicant"`
	Scope     Scope         `json:"scope"`
	Importer  eco.PartyName `json:"importer,omitempty"`
	Invoice   string        `json:"invoice,omitempty"`
	// Text says it in words.
	Text string `json:"text"`
}

// StatementRequest asks for a statement. Who does not see everything may name an importer who is his own or has mandated him, or an invoice; without either the
// statement is about what he may see.
type StatementRequest struct {
	Reference string        `json:"reference"`
	Country   string        `json:"country,omitempty"`
	Form      eco.FormCode  `json:"form,omitempty"`
	Importer  eco.PartyName `json:"importer,omitempty"`
	Invoice   string        `json:"invoice,omitempty"`
}

// ErrNoKey: this node signs no statements.
var ErrNoKey = errors.New("this node signs no statements")

// NotReceived states that a certificate had not been received, signed: CMS SignedData in DER with the statement as JSON inside. All says that the
// applicant may see every certificate.
//
// What is stated is true whatever the applicant may see, and tells him nothing that a look-up would not: with an importer it speaks of that
// importer alone, with an invoice of those that name it, and otherwise of those that he may see. So it is made, too, where a certificate with the reference
// is here and not his. Errors: ErrArrived where one in its scope is here, ErrNotYours for an importer who has not mandated the applicant, ErrInvalid, ErrNoKey.
// The caller asks Admit before, with a second factor if there is an invoice, and pads after.
func (d *Desk) NotReceived(ctx context.Context, r Reader, all bool, q StatementRequest) (NotReceived, []byte, error) {
	// The instant comes before the look: what was not there at the look was not there at the instant.
	at := d.Now().UTC()
	s := NotReceived{
		Type: StatementType, Node: d.Node, At: at, Reference: q.Reference, Normalised: eco.NormaliseReference(q.Reference), Country: q.Country, Form: q.Form,
		Applicant: r.Name, Importer: q.Importer, Invoice: q.Invoice, Scope: scopeOf(all, q),
	}
	switch {
	case d.Sign == nil:
		return NotReceived{}, nil, ErrNoKey
	case s.Normalised == "":
		return NotReceived{}, nil, fmt.Errorf("%w: the reference is empty", ErrInvalid)
	case len(q.Reference) > MaxNote || len(q.Invoice) > MaxNote:
		return NotReceived{}, nil, fmt.Errorf("%w: a member is longer than %d octets", ErrInvalid, MaxNote)
	}
	own, err := d.Own(ctx, r)
	if err != nil {
		return NotReceived{}, nil, err
	}
	if !all && q.Importer != "" && !slices.Contains(own, q.Importer) {
		return NotReceived{}, nil, fmt.Errorf("%w: %s", ErrNotYours, q.Importer)
	}
	found, err := d.inScope(ctx, r, s, q)
	if err != nil {
		return NotReceived{}, nil, err
	}
	if found {
		return NotReceived{}, nil, fmt.Errorf("%w: %s", ErrArrived, q.Reference)
	}
	s.Text = s.words()
	content, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return NotReceived{}, nil, err
	}
	signed, err := d.Sign(append(content, '\n'), at)
	if err != nil {
		return NotReceived{}, nil, fmt.Errorf("signing a statement: %w", err)
	}
	return s, signed, nil
}

func scopeOf(all bool, q StatementRequest) Scope {
	switch {
	case q.Importer != "":
		return ScopeImporter
	case q.Invoice != "":
		return ScopeInvoice
	case all:
		return ScopeAll
	}
	return ScopeReader
}

// inScope reports whether a certificate of which the statement speaks is here. The reads are the same whatever is here.
func (d *Desk) inScope(ctx context.Context, r Reader, s NotReceived, q StatementRequest) (bool, error) {
	found, err := d.Store.Imported(ctx, clearance.ImportedQuery{Reference: q.Reference, Country: q.Country, Form: q.Form})
	if err != nil {
		return false, err
	}
	var candidates []Candidate
	for i := range found {
		candidates = append(candidates, Candidate{found[i].Seq, &found[i].Data})
	}
	seen, err := d.See(ctx, r, Question{Reference: q.Reference, Invoice: q.Invoice}, candidates)
	if err != nil {
		return false, err
	}
	knows := newFactor(q.Invoice)
	return slices.ContainsFunc(found, func(c clearance.Imported) bool {
		switch s.Scope {
		case ScopeAll:
			return true
		case ScopeImporter:
			return concerns([]eco.PartyName{q.Importer}, &c.Data)
		case ScopeInvoice:
			return knows.of(&c.Data)
		}
		return seen.May(c.Seq)
	}), nil
}

func (s NotReceived) words() string {
	which := "no certificate of origin with the reference " + s.Reference
	if s.Form != "" {
		which += ", form " + string(s.Form)
	}
	if s.Country != "" {
		which += ", issued in " + s.Country
	}
	at := s.At.Format(time.RFC3339)
	switch s.Scope {
	case ScopeImporter:
		return fmt.Sprintf("At %s, %s for the importer %s had been received.", at, which, s.Importer)
	case ScopeInvoice:
		return fmt.Sprintf("At %s, %s that names the invoice %s had been received.", at, which, s.Invoice)
	case ScopeReader:
		return fmt.Sprintf("At %s, %s had been received for an importer for whom %s acts. Whether one had been received for somebody else is not said.", at, which, s.Applicant)
	}
	return fmt.Sprintf("At %s, %s had been received.", at, which)
}
