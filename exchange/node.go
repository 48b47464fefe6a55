package exchange

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/ecogate/ecogate/ebms"
	"github.com/ecogate/ecogate/eco"
	"github.com/ecogate/ecogate/partners"
	"github.com/ecogate/ecogate/partners/announcement"
	"github.com/ecogate/ecogate/signing"
	"github.com/ecogate/ecogate/ubl"
)

// Options are a node's collaborators and limits. Store, Registry and Now are required.
type Options struct {
	Store    Store
	Registry *partners.Registry
	// Keeper keeps pauses and ends messages that waited in vain; nil is a node that has no pauses and no ordered messages.
	Keeper Keeper
	// Post delivers bytes to a partner; required for Run.
	Post Poster
	// Schemas are those of UBL, against which documents are validated that are sent and received. Nil, or one without the
	// agreed version, leaves it at the tables of package ubl.
	Schemas *ubl.Schemas
	// Authority gives the time-stamp authority at a URL; nil is signing.HTTPAuthority without redirects.
	Authority func(url string) signing.TimeStampAuthority
	// FirstUse activates a credential of a partner that was used for the first time, durably, from FirstUse.At on
	// (partners.PartnerConfig.UseFirst), before it returns; the Registry must say so then. After an error the message is not taken, and the
	// partner sends it again. It must not call the Node. Nil activates none, so that what is staged verifies nothing.
	FirstUse func(context.Context, FirstUse) error
	// Now is the clock.
	Now func() time.Time
	// Log gets what an operator should know; nil discards.
	Log *slog.Logger
	// Observe is called at each step of the two flows, in the flow's goroutine; nil is allowed.
	Observe func(Event)
	// Workers is the number of concurrent deliveries (default 8); PerPartner caps those to one partner (default 4).
	Workers, PerPartner int
	// Poll is the longest wait for due work that was not announced by a submission (default 1 s).
	Poll time.Duration
	// Lease is how long a claimed delivery may take before another worker may claim it (default 2 min).
	Lease time.Duration
	// MinRate is the rate in bytes per second below which a delivery counts as hanging: a lease is longer by the time that the
	// message needs at that rate. 0 does not lengthen it.
	MinRate int64
	// BreakerFailures attempts in a row at a partner without a usable HTTP answer suspend deliveries to it, but for one probe at
	// a time: the first after BreakerPause (default 30 s), the next each after twice the wait, BackoffMax at most. 400, 413 and 415
	// are about one message and do not count. 0 never suspends them.
	BreakerFailures int
	BreakerPause    time.Duration
	// BackoffMax is the longest wait between attempts at a partner that cannot be reached (default 1 h; a signal waits a minute at
	// most, and a certificate no longer than the agreement's RetryInterval).
	BackoffMax time.Duration
	// Announced says what becomes of the credentials that a partner announces, and unless it is a dry run may stage them, durably, before
	// it returns; asked again for the same announcement it says the same. By is who brought it: the partner, in a message, or an operator,
	// in a file. Nil is a node that takes no announcements. An error that wraps announcement.ErrParty, announcement.ErrOld or
	// announcement.ErrAhead refuses the message; with any other the partner sends it again.
	Announced func(ctx context.Context, by, partner string, a announcement.Announcement, dryRun bool) ([]announcement.Outcome, error)
	// Limits bound what is read from a message.
	Limits ebms.Limits
}

// Poster sends one HTTP request to a partner and reads the answer within its own limits of time and size. It does not
// follow redirects. A returned error means that no complete HTTP answer came.
type Poster interface {
	Post(ctx context.Context, partner string, out ebms.Outgoing) (ebms.Response, error)
}

// Event is a step of a flow, for people to watch.
type Event struct {
	At time.Time
	// Step is one of validated, mapped, signed, queued, sent, postponed, verified, activated, stored, held, waiting, available, receipted,
	// answered, quarantined, failed, suspended, reachable.
	Step      string
	MessageID string
	Reference string
	Partner   string
	Detail    string
}

// Submission is the answer to Submit.
type Submission struct {
	Message  Message
	Key      CertificateKey
	Fresh    bool // false: the same certificate was submitted before; Message is that one
	Findings []eco.Finding
}

// ErrNotAuthorised: Submit was given a certificate of a body that may not issue this form on this node.
var ErrNotAuthorised = errors.New("issuing body may not issue this form on this node")

// ErrNoTimeStamp: Submit was given a certificate of a body whose signatures are time-stamped, and the authority gave no
// time-stamp. Nothing was queued; later it may.
var ErrNoTimeStamp = errors.New("the time-stamp authority gave no time-stamp")

// ErrTooLarge: Submit was given more or larger attachments than the agreement allows.
var ErrTooLarge = errors.New("message is larger than the agreement allows")

// InvalidError lists what is wrong with a submitted certificate.
type InvalidError struct{ Findings []eco.Finding }
