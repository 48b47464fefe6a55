// Package handover gives the customs system what it needs to clear goods under a declaration: the declaration, the signed certificates that
// it cites, their renditions on paper, and a report of how each was verified and where it stood. All of it is one parcel for each occasion:
// a version of a declaration that was accepted, certificates that came after it, and its end without a decision.
//
// It takes the filing from whoever accepts declarations (Dockets), in the transaction that accepts them. It does not judge
// declarations, verify signatures or print: rendition and report come from Documents. How parcels travel is a Deliverer's.
//
// What holds:
//   - Nothing is lost. A handover is a docket from the transaction that accepted the declaration; it ends as StateConfirmed, or stays
//     where an operator sees it.
//   - At least once. A parcel is delivered again, with the same octets and the same key, until the customs system has confirmed it or
//     refused it. Its octets are durable (Vault) before the first delivery begins, so that a crash at any point repeats them.
//   - Twice: after a crash between delivery and record, after an answer that was lost, and after Options.Resend without a confirmation.
//     The receiver knows repetitions by Parcel.Key.
//   - In any order. What is handed over of one declaration travels side by side; the manifest has version and revision of each.
//
// Read handover.go, docket.go (what is kept), parcel.go with manifest.go (what travels), desk.go with look.go and retry.go (the queue), confirmation.go
// (what is heard), then the ways: spool.go, sftp.go, push.go with sign.go.
package handover

import (
	"context"
	"errors"
	"time"

	"github.com/ecogate/ecogate/clearance"
	"github.com/ecogate/ecogate/eco"
)

// The kinds of docket.
const (
	// Kind is that of a Handover.
	Kind clearance.Kind = "handover"
	// KindContent is that of what its parcel is made of, under the same ID. It is written once, and dropped with the parcel.
	KindContent clearance.Kind = "handover content"
)

// State is where a handover stands.
type State string

// The states.
const (
	StateWaiting   State = "waiting"   // not yet with the customs system; where none is configured it waits to be fetched
	StateDelivered State = "delivered" // taken without a confirmation; delivered again in time
	StateConfirmed State = "confirmed" // the customs system has it
	StateRefused   State = "refused"   // the customs system will not take it, or it cannot be made; an operator has to look
)

// States lists the states in the order of a usual life.
func States() []State { return []State{StateWaiting, StateDelivered, StateConfirmed, StateRefused} }

// Occasion is why something is handed over.
type Occasion string

// The occasions.
const (
	OccasionAccepted  Occasion = "accepted"  // the gateway accepted this version of the declaration
	OccasionCompleted Occasion = "completed" // certificates that the declaration cites have come after it was accepted on guarantee
	// OccasionWithdrawn: its declarant took it back, or nobody decided about it in time. What was not decided claims nothing any more.
	OccasionWithdrawn Occasion = "withdrawn"
)

// Occasions lists the occasions in the order of a usual life.
func Occasions() []Occasion {
	return []Occasion{OccasionAccepted, OccasionCompleted, OccasionWithdrawn}
}

// Handover is the record of one version of a declaration on its way to the customs system.
type Handover struct {
	// ID is that of the docket: it follows from Declaration and Revision.
	ID          string `json:"id"`
	Declaration string `json:"declaration"`
	// Version counts the versions of the declaration from 1, Revision the changes of its record.
	Version  int      `json:"version"`
	Revision uint64   `json:"revision"`
	Occasion Occasion `json:"occasion"`
	State    State    `json:"state"`
	// At is the instant of the occasion.
	At time.Time `json:"at"`
	// Certificates are those that the declaration cites, in its order.
	Certificates []Cited `json:"certificates"`
	// Parcel is what travels; nil until it is made.
	Parcel *ParcelInfo `json:"parcel,omitempty"`
	// Round begins at 1, and rises when an operator has a refused handover tried again.
	Round int `json:"round"`
	// Attempts counts the attempts at deliveries of this round that have ended, Failures those in a row that failed.
	Attempts int `json:"attempts"`
	Failures int `json:"failures,omitempty"`
	// Log tells of the newest attempts, at most MaxLog, oldest first.
	Log []Attempt `json:"log,omitempty"`
	// Delivered is when the customs system last took the parcel; zero for never.
	Delivered time.Time `json:"delivered,omitzero"`
	// Settled is when it was confirmed or refused, SettledBy who said so: the name of an API key, or "customs system".
	Settled   time.Time `json:"settled,omitzero"`
	SettledBy string    `json:"settled_by,omitempty"`
	// Reference is the customs system's own number of it, Reason why it was refused.
	Reference string `json:"reference,omitempty"`
	Reason    string `json:"reason,omitempty"`
}

// Cited is a certificate that a declaration cites.
type Cited struct {
	Key clearance.Key `json:"key"`
	// Seq is the number of its record, SHA256 the digest of its signed document in hex.
	Seq    uint64 `json:"seq"`
	SHA256 string `json:"sha256"`
	// State is where it stood at the occasion.
	State eco.State `json:"state"`
}

// ParcelInfo says how to know a parcel.
type ParcelInfo struct {
	// Key is the idempotency key under which it is delivered.
	Key    string `json:"key"`
	SHA256 string `json:"sha256"` // in hex
	Size   int64  `json:"size"`
	// Made is when it was made; Dropped when its octets were dropped, zero while they are kept.
	Made    time.Time `json:"made"`
	Dropped time.Time `json:"dropped,omitzero"`
}

// MaxLog bounds Handover.Log.
const MaxLog = 50

// Attempt is one attempt at a delivery, or one question whether it was confirmed that found a fault.
type Attempt struct {
	Began time.Time `json:"began"`
	Ended time.Time `json:"ended"`
	// Problem is why it failed, or what was odd about the answer to one that succeeded; usually empty for that.
	Problem string `json:"problem,omitempty"`
}

// Parcel is what travels.
type Parcel struct {
	// Key is the idempotency key: repetitions have the same one and the same Content. It is letters, digits and dashes, and ParcelName of
	// it is a file's name on every system.
	Key         string
	ID          string
	Declaration string
	Version     int
	Occasion    Occasion
	SHA256      string // of Content, in hex
	Content     []byte // a ZIP, see Manifest
	// Again: it was delivered before.
	Again bool
}

// MediaType is that of a parcel.
const MediaType = "application/zip"

// ParcelName is the name of the file that a parcel travels as.
func ParcelName(key string) string { return key + ".zip" }

// Name is the name of the file that p travels as.
func (p Parcel) Name() string { return ParcelName(p.Key) }

// Deliverer brings a parcel to the customs system. When Deliver returns nil the customs system, or the disk in between, has it durably.
// An error that is a *Refusal says that repeating is useless; after any other it may have arrived or not. It is safe for concurrent use.
type Deliverer interface {
	Deliver(ctx context.Context, p Parcel) (Confirmation, error)
}

// Inquirer is a Deliverer that can ask whether a parcel which it has delivered was confirmed. The zero Confirmation is "not yet".
type Inquirer interface {
	Deliverer
	Inquire(ctx context.Context, p Parcel) (Confirmation, error)
}

// Refusal is the error of a parcel that the customs system will not take.
type Refusal struct{ Text string }

// Error is why, in the customs system's words where it said so.
func (r *Refusal) Error() string { return r.Text }

// LaterError is an error of a customs system that said when to come again.
type LaterError struct {
	After time.Duration
	Err   error
}

func (e *LaterError) Error() string { return e.Err.Error() }

// Unwrap is the error itself.
func (e *LaterError) Unwrap() error { return e.Err }

// Documents makes what accompanies a certificate. Both are given the certificate as it stood at the occasion.
type Documents interface {
	// Rendition is the certificate on its form, as PDF.
	Rendition(ctx context.Context, c clearance.Imported) ([]byte, error)
	// Report says what was verified when and with which credentials, and where the certificate stood, as JSON.
	// It is a report as of an instant, and comes out the same each time.
	Report(ctx context.Context, c clearance.Imported, at time.Time) ([]byte, error)
}

// Vault keeps the octets of parcels under their digests.
type Vault interface {
	// Put makes octets durable and returns their SHA-256 in hex. Octets that are there already are left as they are.
	Put(ctx context.Context, content []byte) (sha256 string, err error)
	// Get returns octets after comparing them with their digest. The error wraps clearance.ErrNotFound if they are not there.
	Get(ctx context.Context, sha256 string) ([]byte, error)
	// Drop removes octets; those that are not there are none.
	Drop(ctx context.Context, sha256 string) error
}

// Errors that callers branch on.
var (
	// ErrSettled: the handover is confirmed, or refused, already.
	ErrSettled = errors.New("the handover is settled")
	// ErrOtherContent: what was confirmed is not the parcel that was made.
	ErrOtherContent = errors.New("the digest is not that of the parcel")
	// ErrDropped: the parcel's octets were dropped some time after its confirmation.
	ErrDropped = errors.New("the parcel was dropped")
)
