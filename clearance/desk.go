package clearance

import (
	"context"
	"errors"
	"log/slog"
	"runtime"
	"time"

	"github.com/ecogate/ecogate/eco"
)

// The kinds of dockets that the desk keeps.
const (
	KindDeclaration Kind = "declaration" // a Lodgement
	KindResponse    Kind = "response"    // a Response that a partner is to get
	KindDuty        Kind = "duty"        // a Duty
	KindMissed      Kind = "missed"      // an entry of the audit log from which something should have followed, and did not yet
	KindCursor      Kind = "cursor"      // how far a follower of the audit log has come: the number of the last entry
)

// Options are the desk's collaborators and figures. Store, Forms and Now are required.
type Options struct {
	Store Store
	// Forms are those in force, at each moment.
	Forms func() eco.Forms
	// Now is the clock.
	Now func() time.Time
	// Sees reports whether a broker, by the name of his key, may see a certificate; nil lets brokers see all.
	Sees func(ctx context.Context, broker string, c Imported) (bool, error)
	// Handover gives the dockets that hand a declaration to the customs system, filed with what they hand over: when it is lodged or
	// amended, when certificates that it awaited have come, and when it is withdrawn or lapses. original are the octets of one that did not come in JSON. certificates
	// are those that have come, as the batch leaves them; none for one that awaits all of them, or that has ended. Nil hands nothing over.
	Handover func(l Lodgement, original []byte, certificates []Imported) ([]Docket, error)
	// Responder tells partners what officers decided; nil leaves the responses waiting.
	Responder Responder
	// SecondOfficer: a decision waits for another officer. Nil is never.
	SecondOfficer func() bool
	// Reservation is how long what is claimed is kept for a declaration that nobody decides on; 0 means DefaultReservation.
	Reservation func() time.Duration
	// Duties are the figures of the duties.
	Duties func() DutyRules
	// Poll is the longest wait for what is due, 0 means a second; Retry how long after an attempt that failed the next one is due, 0 means a minute.
	Poll, Retry time.Duration
	// Log gets what an operator should know; nil discards.
	Log *slog.Logger
}

// DefaultReservation is how long a reservation holds unless it is configured.
const DefaultReservation = 30 * 24 * time.Hour

// Desk takes declarations and decisions, and does what follows from them. It is safe for concurrent use, also by several processes over
// one store: what two do at the same time to one certificate is seen by the store, and decided anew by the one that came second.
type Desk struct {
	o    Options
	wake chan struct{}
}

// NewDesk returns a desk; Run does what follows from what it takes.
func NewDesk(o Options) (*Desk, error) {
	if o.Store == nil || o.Forms == nil || o.Now == nil {
		return nil, errors.New("clearance: Options.Store, Forms and Now are required")
	}
	if o.SecondOfficer == nil {
		o.SecondOfficer = func() bool { return false }
	}
	if o.Reservation == nil {
		o.Reservation = func() time.Duration { return DefaultReservation }
	}
	if o.Duties == nil {
		o.Duties = func() DutyRules { return DefaultDutyRules }
	}
	if o.Poll == 0 {
		o.Poll = time.Second
	}
	if o.Retry == 0 {
		o.Retry = time.Minute
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return &Desk{o: o, wake: make(chan struct{}, 1)}, nil
}

// Visitor is who asks the desk for something.
type Visitor struct {
	// Name is that of the API key.
	Name string
	// Broker: sees his own declarations only, cites only what he may see, and is refused for what differs materially.
	Broker bool
	// Officer: may override the end of a validity, and decide.
	Officer bool
}

// Errors that callers branch on. ErrNotFound stands for a declaration that is not there, and for one that the visitor may not see.
var (
	// ErrNumberTaken: another declaration has this number.
	ErrNumberTaken = errors.New("another declaration has this number")
	// ErrDecided: officers have decided about it, or it has ended.
	ErrDecided = errors.New("the declaration cannot be changed any more")
	// ErrWaits: a decision about it waits for another officer.
	ErrWaits = errors.New("a decision waits for another officer")
	// ErrSameOfficer: another officer has to decide.
	ErrSameOfficer = errors.New("another officer has to decide")
	// ErrNoProposal: no decision with this number waits for another officer.
	ErrNoProposal = errors.New("no such decision waits for another officer")
	// ErrBusy: others changed the certificates each time that they were looked at. Temporary.
	ErrBusy = errors.New("the certificates are changed faster than they can be looked at")
)

// RefusedError is the error for a declaration or a judgement that cannot be taken, with everything that is wrong with it.
type RefusedError struct {
	Findings    []eco.Finding
	Differences []eco.Difference
}

func (e *RefusedError) Error() string {
	for _, f := range e.Findings {
		if f.Severity == eco.SeverityError {
			return f.Path + ": " + f.Text
		}
	}
	return "refused"
}

// maxTries bounds how often a change is decided anew because others were faster. Each time somebody got through, so that as many may ask
// for one certificate at the same moment.
const maxTries = 500

// persist does something that ends with File until nothing was changed meanwhile.
func (k *Desk) persist(ctx context.Context, do func() error) error {
	for try := range maxTries {
		err := do()
		if !errors.Is(err, ErrChanged) {
			return err
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		for range min(try, 32) { // the more were faster, the longer others go first
			runtime.Gosched()
		}
	}
	return ErrBusy
}

// announce wakes Run.
func (k *Desk) announce() {
	select {
	case k.wake <- struct{}{}:
	default:
	}
}
