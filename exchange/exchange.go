// Package exchange is the heart of a node: the flow of a certificate of origin out to a partner (submit.go, deliver.go, retry.go) and
// in from one (receive.go, certificate.go, answer.go, signal.go, refuse.go), the questions to one (ask.go), and the change of credentials (announce.go, trial.go). It hands bytes between the rooms that know formats (ubl, ebms), signatures (signing) and
// trust (partners), and leaves durability to a Store, whose contract is in store.go.
//
// # What delivery guarantees
//
//   - Lost? Submit returns after the signed message, its certificate and its place in the queue are durable in one
//     transaction. From then on the message is tried until an acknowledgment, a refusal by the partner, or its time to live ends it; each of these
//     ends is a state that an operator sees. The begin of an attempt is durable before the first byte is sent.
//   - Twice? The same bytes may reach the partner more than once (a crash, a lost acknowledgment). They carry one MessageId;
//     the receiving node stores one certificate and repeats its stored acknowledgment (ebMS 2.0 §6.5).
//   - Reordered? Yes: messages of one partner travel side by side, and a failed one does not hold up the next. Under an agreement
//     that guarantees order they are numbered, and the receiving node uses them in their order (ebMS 2.0 §9; line.go, order.go).
//   - After a crash? Leases of a dead process end at once when the store is opened again, or when they run out; work goes on from
//     the stored bytes. Nothing is composed or signed a second time.
//   - A clock that jumps? Set forward, it ends leases early, so that a message may be sent side by side with itself, and it may end
//     times to live. Set back by an hour, it puts off by that hour what was already due later; what is new goes at once.
//
// # What reception guarantees
//
// No 2xx answer leaves before the transaction that holds the message, its certificate and its acknowledgment is durable.
// What is stored as a certificate was read from the octets that verified signatures cover, under credentials that count
// for the partner at the instant of receipt. Everything else is kept in quarantine with its reason, and the partner is told an ebXML error code
// and a fixed sentence, never the cause.
package exchange

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/ecogate/ecogate/ebms"
	"github.com/ecogate/ecogate/partners"
	"github.com/ecogate/ecogate/partners/announcement"
	"github.com/ecogate/ecogate/signing"
	"github.com/ecogate/ecogate/ubl"
)

// Node runs both flows over one store. Its methods are safe for concurrent use.
type Node struct {
	store    Store
	registry *partners.Registry
	schemas  *ubl.Schemas
	post     Poster
	// authority gives the time-stamp authority at a URL.
	authority func(url string) signing.TimeStampAuthority
	now       func() time.Time
	log       *slog.Logger
	observe   func(Event)
	workers   int
	perPeer   int
	poll      time.Duration
	lease     time.Duration
	backoff   time.Duration
	minRate   int64
	limits    ebms.Limits
	owner     string
	keeper    Keeper
	breaker   breaker
	lines     lines
	drawing   sync.Mutex // held while a certificate that draws on others is composed and enqueued
	announced func(ctx context.Context, by, partner string, a announcement.Announcement, dryRun bool) ([]announcement.Outcome, error)
	trials    trials
	activate  func(context.Context, FirstUse) error
	// cpus holds a token for each message that is being signed, verified or mapped.
	cpus chan struct{}
	// jitter returns a number in [0,1).
	jitter func() float64
	// wake tells Run that something became due; a full channel means that it knows.
	wake chan struct{}
}

// New returns a node. It reads and starts nothing; Run starts delivery.
func New(o Options) (*Node, error) {
	if o.Store == nil || o.Registry == nil || o.Now == nil {
		return nil, errors.New("node: Store, Registry and Now are required")
	}
	n := &Node{
		store: o.Store, registry: o.Registry, schemas: o.Schemas, post: o.Post, authority: o.Authority, now: o.Now,
		log: o.Log, observe: o.Observe, limits: o.Limits,
		workers: orDefault(o.Workers, 8),
		perPeer: orDefault(o.PerPartner, 4),
		poll:    orDefault(o.Poll, time.Second),
		lease:   orDefault(o.Lease, 2*time.Minute),
		backoff: orDefault(o.BackoffMax, time.Hour),
		minRate: o.MinRate,
		keeper:  o.Keeper,

		announced: o.Announced,
		trials:    trials{accepted: map[string]map[string]bool{}, counts: map[trialKey]*Trial{}},
		activate:  o.FirstUse,

		owner:  uuid.NewString(),
		jitter: rand.Float64,
		cpus:   make(chan struct{}, runtime.GOMAXPROCS(0)),
		wake:   make(chan struct{}, 1),
	}
	n.breaker = breaker{
		failures: o.BreakerFailures, pause: orDefault(o.BreakerPause, 30*time.Second), longest: n.backoff, circuits: map[string]*circuit{},
	}
	if n.keeper == nil {
		n.keeper = noKeeper{}
	}
	if n.authority == nil {
		client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
		n.authority = func(url string) signing.TimeStampAuthority { return signing.HTTPAuthority{URL: url, Client: client} }
	}
	if n.log == nil {
		n.log = slog.New(slog.DiscardHandler)
	}
	if n.observe == nil {
		n.observe = func(Event) {}
	}
	return n, nil
}

func orDefault[T int | time.Duration](v, def T) T {
	if v <= 0 {
		return def
	}
	return v
}

// Store returns the store that the node writes to, for those who only read.
func (n *Node) Store() Store { return n.store }

// computing waits for a processor to be free for signing, verifying or mapping, and returns what to call at its end. More
// of that at the same time than there are processors gains nothing, and it makes the store's committer, which everybody
// waits for, queue behind them three times in each commit.
func (n *Node) computing() (done func()) {
	n.cpus <- struct{}{}
	return func() { <-n.cpus }
}

// announce wakes Run without waiting for its next poll.
func (n *Node) announce() {
	select {
	case n.wake <- struct{}{}:
	default:
	}
}

// step reports a step of a flow to the observer.
func (n *Node) step(name string, m Message, reference, detail string) {
	n.observe(Event{At: n.now(), Step: name, MessageID: m.MessageID, Reference: reference, Partner: m.Partner, Detail: detail})
}

// newID returns a globally unique identifier in the form that ebMS 2.0 §3.1.6.1 asks of MessageId (RFC 2822 msg-id
// without angle brackets).
func (n *Node) newID() string {
	return uuid.NewString() + "@" + strings.ToLower(n.registry.Self().ID)
}

func toEBMS(ids []partners.PartyID) []ebms.PartyID {
	out := make([]ebms.PartyID, len(ids))
	for i, id := range ids {
		out[i] = ebms.PartyID{Type: id.Type, Value: id.Value}
	}
	return out
}

func fromEBMS(ids []ebms.PartyID) []partners.PartyID {
	out := make([]partners.PartyID, len(ids))
	for i, id := range ids {
		out[i] = partners.PartyID{Type: id.Type, Value: id.Value}
	}
	return out
}
