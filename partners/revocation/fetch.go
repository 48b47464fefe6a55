package revocation

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"log/slog"
	"net/http"
	"slices"
	"sync"
	"time"
)

// The pace of fetching.
const (
	// Refresh is the longest time between two fetches from a source; half of the time to its next update may be shorter.
	Refresh = time.Hour
	// Retry is the time after a fetch that failed, and the shortest between two fetches.
	Retry = 5 * time.Minute
	// FetchTimeout is for one fetch from dialling to the last octet.
	FetchTimeout = 30 * time.Second

	tick       = time.Minute
	concurrent = 8
)

// FetcherOptions are what a Fetcher works with. Log and Client may be nil.
type FetcherOptions struct {
	// Targets tells what is to be known; it is asked at every pass, so that changes take effect.
	Targets func() []Target
	// Book is where what becomes known is published.
	Book *Book
	// Dir is the folder for what was fetched; it is made if it is not there and holds nothing else.
	Dir string
	// Client fetches; it should refuse addresses that nobody allowed. Its redirects are for it to refuse.
	Client *http.Client
	Now    func() time.Time
	Log    *slog.Logger
}

// Fetcher keeps a Book up to date. Nothing waits for it: what is known stays known while sources are slow, down or lie.
type Fetcher struct {
	o     FetcherOptions
	cache cache
	wake  chan struct{}

	mu    sync.Mutex // guards what follows, and changes of Book
	state map[string]*sourceState
	told  map[linkID]bool // revocations that were logged
	// forgotten are those that were logged because no source tells of them any more.
	forgotten map[linkID]bool
}

type sourceState struct {
	this, next, fetched, due time.Time
	entries                  int
	said                     Status
	problem                  string
	since                    time.Time // of problem
}

// NewFetcher makes a Fetcher; Load and then Run start it.
func NewFetcher(o FetcherOptions) *Fetcher {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Client == nil {
		o.Client = http.DefaultClient
	}
	return &Fetcher{
		o: o, cache: cache{o.Dir}, wake: make(chan struct{}, 1),
		state: map[string]*sourceState{}, told: map[linkID]bool{}, forgotten: map[linkID]bool{},
	}
}

// Load takes in what the folder and the files of the configuration hold, without a network call. What it cannot use it logs: it
// will be fetched again.
func (f *Fetcher) Load() {
	targets, now := f.o.Targets(), f.o.Now()
	f.begin(targets, now)
	list := sources(targets)
	for _, s := range list {
		if s.kind == kindFile {
			f.try(context.Background(), s)
			continue
		}
		data, written, err := read(f.cache.name(s), MaxCRL)
		if err != nil {
			f.o.Log.Warn("revocation: kept file not read", "source", s.place, "error", err)
		}
		if len(data) == 0 {
			continue
		}
		found, err := s.verify(data, now)
		if err == nil {
			err = f.publish(s, found, written)
		}
		if err != nil {
			f.o.Log.Warn("revocation: kept file not used", "source", s.place, "error", err)
		}
		f.stateOf(s).due = now // what is kept does not put off the first fetch
	}
	if err := f.cache.keepOnly(list); err != nil {
		f.o.Log.Warn("revocation: folder not tidied", "error", err)
	}
	f.tell(targets)
}

// Run fetches until ctx ends.
func (f *Fetcher) Run(ctx context.Context) {
	for {
		f.Pass(ctx)
		timer := time.NewTimer(tick)
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-f.wake:
			timer.Stop()
		case <-timer.C:
		}
	}
}

// Wake lets Run look at once at what is due, as after a change of the configuration.
func (f *Fetcher) Wake() {
	select {
	case f.wake <- struct{}{}:
	default:
	}
}

// Again makes every source due and wakes Run: an operator knows of something new that should not wait for its time.
func (f *Fetcher) Again() {
	f.mu.Lock()
	for _, state := range f.state {
		state.due = time.Time{}
	}
	f.mu.Unlock()
	f.Wake()
}

// Pass fetches from every source that is due and returns when all have answered or failed.
func (f *Fetcher) Pass(ctx context.Context) {
	targets := f.o.Targets()
	f.begin(targets, f.o.Now())
	var running sync.WaitGroup
	slots := make(chan struct{}, concurrent)
	for _, s := range sources(targets) {
		if !f.isDue(s) || ctx.Err() != nil {
			continue
		}
		slots <- struct{}{}
		running.Go(func() {
			defer func() { <-slots }()
			f.try(ctx, s)
		})
	}
	running.Wait()
	f.tell(targets)
}

func (f *Fetcher) isDue(s source) bool {
	state, now := f.stateOf(s), f.o.Now()
	f.mu.Lock()
	defer f.mu.Unlock()
	// A clock that was set back must not put a fetch off.
	return !now.Before(state.due) || state.due.Sub(now) > Refresh
}

func (f *Fetcher) stateOf(s source) *sourceState {
	f.mu.Lock()
	defer f.mu.Unlock()
	state, ok := f.state[s.key()]
	if !ok {
		state = new(sourceState)
		f.state[s.key()] = state
	}
	return state
}

// begin forgets what nobody asks for any more, and notes since when each credential is looked for.
func (f *Fetcher) begin(targets []Target, now time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	known := f.o.Book.Known().clone()
	before, err := f.cache.readSince()
	if err != nil {
		f.o.Log.Warn("revocation: since when credentials are looked for is not known any more", "error", err)
	}
	since := map[linkID]time.Time{}
	issuers := map[issuerID]bool{}
	changed := false
	for _, t := range targets {
		for _, l := range t.Links {
			issuers[l.id.issuer] = true
			at, ok := before[l.id.String()]
			if !ok {
				at, changed = now, true
			}
			since[l.id] = at
		}
	}
	for id := range known.answers {
		if _, ok := since[id]; !ok {
			delete(known.answers, id)
		}
	}
	for id := range known.crls {
		if !issuers[id] {
			delete(known.crls, id)
		}
	}
	known.since = since
	if known.memory == nil {
		if known.memory, err = f.cache.readMemory(); err != nil {
			f.o.Log.Error("revocation: what was revoked before is not all known any more", "error", err)
		}
	}
	f.o.Book.current.Store(known)
	if changed || len(before) != len(since) {
		if err := f.cache.writeSince(since); err != nil {
			f.o.Log.Error("revocation: folder not written", "error", err)
		}
	}
}

// try fetches from s once and takes in what it says.
func (f *Fetcher) try(ctx context.Context, s source) {
	ctx, cancel := context.WithTimeout(ctx, FetchTimeout)
	defer cancel()
	data, err := s.fetch(ctx, f.o.Client)
	now := f.o.Now()
	var found finding
	if err == nil {
		found, err = s.verify(data, now)
	}
	if err == nil {
		err = f.publish(s, found, now)
	}
	if err == nil && s.kind != kindFile {
		if kept := f.cache.write(f.cache.name(s), data); kept != nil {
			f.o.Log.Error("revocation: not kept on disk", "source", s.place, "error", kept)
		}
	}
	if err == nil {
		err = found.trouble(now)
	}
	f.settle(s, err, now)
}

// publish makes known what was found.
func (f *Fetcher) publish(s source, found finding, fetched time.Time) error {
	state := f.stateOf(s)
	f.mu.Lock()
	defer f.mu.Unlock()
	known := f.o.Book.Known().clone()
	if err := known.add(found); err != nil {
		return err
	}
	f.remember(known)
	f.o.Book.current.Store(known)
	state.this, state.next = found.updates()
	state.fetched = fetched.UTC()
	if found.crl != nil {
		state.entries = found.crl.Len()
	} else {
		state.said = found.answer.Status
	}
	return nil
}

// settle notes how a fetch ended and when the next one is due; what changes for the worse or better is logged once.
func (f *Fetcher) settle(s source, err error, now time.Time) {
	state := f.stateOf(s)
	f.mu.Lock()
	defer f.mu.Unlock()
	if err != nil {
		if state.problem == "" {
			state.since = now.UTC()
		}
		if state.problem != err.Error() {
			f.o.Log.Warn("revocation: source of no use", "source", s.place, "partners", s.partners, "error", err)
		}
		state.problem, state.due = err.Error(), now.Add(Retry)
		return
	}
	if state.problem != "" {
		f.o.Log.Info("revocation: source of use again", "source", s.place, "partners", s.partners)
	}
	state.problem, state.since = "", time.Time{}
	state.due = now.Add(min(Refresh, max(Retry, state.next.Sub(now)/2)))
}

// tell logs each credential of a partner that turns out to be revoked.
func (f *Fetcher) tell(targets []Target) {
	f.mu.Lock()
	defer f.mu.Unlock()
	known := f.o.Book.Known()
	for _, t := range targets {
		for _, l := range t.Links {
			r := known.revoked(l)
			if r == nil || f.told[l.id] {
				continue
			}
			f.told[l.id] = true
			digest := sha256.Sum256(l.X509Cert.Raw)
			f.o.Log.Error("credential is revoked; what it signed since then needs to be looked at again (ecogate cert affected SHA256 --since TIME)",
				"partner", t.Partner, "credential", l.X509Cert.Subject.String(), "sha256", hex.EncodeToString(digest[:]), "revoked", instant(r.At), "reason", r.ReasonText())
		}
	}
}

// SourceStatus is how one source stands. Instants are UTC and absent when there is none.
type SourceStatus struct {
	Partners []string `json:"partners"`
	// Kind is crl, crl-file or ocsp; Source the URL or file.
	Kind   string `json:"kind"`
	Source string `json:"source"`
	// Credential is the subject that OCSP was asked about.
	Credential string    `json:"credential,omitempty"`
	ThisUpdate time.Time `json:"this_update,omitzero"`
	NextUpdate time.Time `json:"next_update,omitzero"`
	// AgeSeconds is the time since ThisUpdate.
	AgeSeconds int64     `json:"age_seconds,omitempty"`
	Fetched    time.Time `json:"fetched,omitzero"`
	// Entries is how many a CRL has, Status what OCSP said.
	Entries int    `json:"entries,omitempty"`
	Status  Status `json:"status,omitempty"`
	// Problem is why the last fetch was of no use, Since when that began.
	Problem string    `json:"problem,omitempty"`
	Since   time.Time `json:"since,omitzero"`
}

// Status tells how every source stands, in a fixed order.
func (f *Fetcher) Status() []SourceStatus {
	list, now := sources(f.o.Targets()), f.o.Now()
	out := make([]SourceStatus, 0, len(list))
	for _, s := range list {
		state := f.stateOf(s)
		f.mu.Lock()
		status := SourceStatus{
			Partners: slices.Clone(s.partners), Kind: s.kind, Source: s.place, ThisUpdate: state.this, NextUpdate: state.next,
			Fetched: state.fetched, Entries: state.entries, Status: state.said, Problem: state.problem, Since: state.since,
		}
		f.mu.Unlock()
		if !status.ThisUpdate.IsZero() {
			status.AgeSeconds = int64(now.Sub(status.ThisUpdate) / time.Second)
		}
		if s.kind == kindOCSP {
			status.Credential = s.link.X509Cert.Subject.String()
		}
		out = append(out, status)
	}
	return out
}
