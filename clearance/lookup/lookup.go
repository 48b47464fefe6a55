// Package lookup answers for received certificates: who may see one, whether it is here, what it is worth on a day, and what is asked
// about certificates that are not here yet.
//
// Officers, operators and the customs system see every received certificate. A broker, and an importer, sees those that are for his own
// parties, those whose importer has mandated him, and those of which he proves to know an invoice number. Everything else answers him like what
// is not there: the same octets, after the same reads and writes, not before the same time. What could tell the two apart by repetition
// is bounded: look-ups and failed proofs have rates of their own.
//
// It keeps five kinds of dockets: mandates, proofs, watches, questions to partners, and the cursor with which watches follow the audit log.
//
// Read sees.go (who may see what), mandate.go, factor.go and limit.go, then verdict.go (the answer), watch.go, ask.go, statement.go and report.go.
package lookup

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/ecogate/ecogate/clearance"
	"github.com/ecogate/ecogate/eco"
	"github.com/ecogate/ecogate/partners"
)

// The kinds of dockets.
const (
	KindMandate  clearance.Kind = "mandate"
	KindProof    clearance.Kind = "proof"
	KindWatch    clearance.Kind = "watch"
	KindQuestion clearance.Kind = "question"
	kindCursor   clearance.Kind = "watch.cursor"
)

// Errors that callers branch on.
var (
	// ErrNotThere: there is no such mandate or watch, or none that is yours.
	ErrNotThere = errors.New("not there")
	// ErrNotYours: the importer of a mandate is none of the giver's parties.
	ErrNotYours = errors.New("party is none of yours")
	// ErrArrived: the certificate is here, and whoever asks may see it.
	ErrArrived = errors.New("certificate is here")
	// ErrMany: no more of these may be kept for this key.
	ErrMany = errors.New("too many")
	// ErrInvalid: what is asked for makes no sense.
	ErrInvalid = errors.New("invalid")
)

// Rules are the figures of look-ups. The zero value of each field has the default of DefaultRules.
type Rules struct {
	// PerMinute is how many look-ups a broker or importer may make in a minute; so many may come at once.
	PerMinute int
	// FailuresPerHour is how many proofs by a second factor that came to nothing a key has in an hour; so many may come at once.
	FailuresPerHour int
	// ProofKept is how long a proof holds: so long the certificate can be seen without the second factor.
	ProofKept time.Duration
	// Floor is the time before which a broker or importer is not answered.
	Floor time.Duration
	// Watches is how many open watches a key may have, WatchKept how long one waits when nobody says until when.
	Watches   int
	WatchKept time.Duration
	// AskAgain is how long the answer of a partner that was asked about an unknown reference counts: so long it is not asked again.
	AskAgain time.Duration
	// AskWait is how long the report of a partner is waited for, in the background.
	AskWait time.Duration
}

// DefaultRules are those of a node about which nothing was said.
func DefaultRules() Rules {
	return Rules{
		PerMinute: 120, FailuresPerHour: 20, ProofKept: 30 * 24 * time.Hour, Floor: 25 * time.Millisecond,
		Watches: 1000, WatchKept: 180 * 24 * time.Hour, AskAgain: 10 * time.Minute, AskWait: time.Minute,
	}
}

func (r Rules) withDefaults() Rules {
	d := DefaultRules()
	for _, n := range []struct{ value, standard *int }{
		{&r.PerMinute, &d.PerMinute}, {&r.FailuresPerHour, &d.FailuresPerHour}, {&r.Watches, &d.Watches},
	} {
		if *n.value == 0 {
			*n.value = *n.standard
		}
	}
	for _, t := range []struct{ value, standard *time.Duration }{
		{&r.ProofKept, &d.ProofKept}, {&r.Floor, &d.Floor}, {&r.WatchKept, &d.WatchKept}, {&r.AskAgain, &d.AskAgain}, {&r.AskWait, &d.AskWait},
	} {
		if *t.value == 0 {
			*t.value = *t.standard
		}
	}
	return r
}

// Agreements tell whom a certificate may be asked for; *partners.Registry does.
type Agreements interface {
	Partners() []partners.Partner
	Outbound(partner string, form eco.FormCode, at time.Time) (partners.Agreement, error)
	Forms() eco.Forms
}

// Asker asks a partner about a certificate, and waits for its report until ctx ends.
type Asker func(ctx context.Context, actor, partner string, about eco.CertificateID) (eco.StatusReport, error)

// Options are a desk's collaborators. Store and Now are required.
type Options struct {
	Store clearance.Store
	// Now is the clock. Wait returns after a time, or when ctx ends; nil is a timer.
	Now  func() time.Time
	Wait func(ctx context.Context, d time.Duration)
	// Parties are those of the API key with a name; nil for none.
	Parties func(key string) []eco.PartyName
	// Agreements and Ask are how unknown references are asked for; nil asks nobody.
	Agreements Agreements
	Ask        Asker
	// Sign signs statements as this node, at an instant: CMS SignedData in DER. Nil makes none.
	Sign func(content []byte, at time.Time) ([]byte, error)
	// Node names this node in statements.
	Node string
	// Rules are the figures, at each moment; nil is DefaultRules.
	Rules func() Rules
	// Poll is the longest wait for what comes into the audit log; 0 means a second.
	Poll time.Duration
	// Log gets what an operator should know; nil discards.
	Log *slog.Logger
}

// Desk answers for received certificates. It is safe for concurrent use. Run does what nobody waits for.
type Desk struct {
	Options
	limits    limits
	questions chan question
}

// New returns a desk.
func New(o Options) (*Desk, error) {
	if o.Store == nil || o.Now == nil {
		return nil, errors.New("lookup: Options.Store and Now are required")
	}
	if o.Wait == nil {
		o.Wait = wait
	}
	if o.Parties == nil {
		o.Parties = func(string) []eco.PartyName { return nil }
	}
	if o.Poll == 0 {
		o.Poll = time.Second
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Rules == nil {
		o.Rules = DefaultRules
	}
	return &Desk{Options: o, limits: limits{keys: make(map[string]*keyLimits)}, questions: make(chan question, maxQuestions)}, nil
}

func wait(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

func (d *Desk) rules() Rules { return d.Rules().withDefaults() }

// Pad returns when the floor for n look-ups since an instant is over: the first has Rules.Floor, each further one a tenth of it.
func (d *Desk) Pad(ctx context.Context, began time.Time, n int) {
	floor := d.rules().Floor
	floor += time.Duration(max(n-1, 0)) * floor / 10
	if rest := floor - d.Now().Sub(began); rest > 0 {
		d.Wait(ctx, rest)
	}
}

// maxTries bounds how often something is filed anew because another changed it meanwhile.
const maxTries = 10

// again does what may meet clearance.ErrChanged until it does not.
func again(do func() error) error {
	var err error
	for range maxTries {
		if err = do(); !errors.Is(err, clearance.ErrChanged) {
			return err
		}
	}
	return err
}

// pageSize is how many dockets are read at once.
const pageSize = 500

// all visits every docket that matches.
func (d *Desk) all(ctx context.Context, q clearance.DocketQuery, visit func(clearance.Docket) error) error {
	q.Limit = pageSize
	for {
		page, err := d.Store.Dockets(ctx, q)
		if err != nil {
			return err
		}
		for _, docket := range page {
			if err := visit(docket); err != nil {
				return err
			}
		}
		if len(page) < pageSize {
			return nil
		}
		q.After = page[len(page)-1].Filed
	}
}

// one finds a docket by its ID and reads its value.
func one[T any](ctx context.Context, s clearance.Store, kind clearance.Kind, id string) (clearance.Docket, T, error) {
	var value T
	if id == "" {
		return clearance.Docket{}, value, fmt.Errorf("%s %q: %w", kind, id, ErrNotThere)
	}
	found, err := s.Dockets(ctx, clearance.DocketQuery{Kind: kind, ID: id})
	if err != nil {
		return clearance.Docket{}, value, err
	}
	if len(found) == 0 {
		return clearance.Docket{}, value, fmt.Errorf("%s %q: %w", kind, id, ErrNotThere)
	}
	return found[0], value, found[0].Into(&value)
}

// fresh is a new docket under a random ID.
func fresh(kind clearance.Kind, id string, value any, terms ...string) (clearance.Docket, error) {
	return clearance.Docket{Kind: kind, ID: id, Terms: terms}.With(value)
}

func newID() string { return rand.Text() }

// told is an entry of the audit log that this package writes.
func (d *Desk) told(actor, event, subject, detail string) clearance.Happening {
	return clearance.Happening{At: d.Now().UTC(), Actor: actor, Event: event, Subject: subject, Detail: detail}
}
