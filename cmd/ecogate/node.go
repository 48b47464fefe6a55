package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ecogate/ecogate/api"
	"github.com/ecogate/ecogate/clearance"
	"github.com/ecogate/ecogate/clearance/handover"
	"github.com/ecogate/ecogate/clearance/lookup"
	"github.com/ecogate/ecogate/clearance/notice"
	"github.com/ecogate/ecogate/ebms"
	"github.com/ecogate/ecogate/exchange"
	"github.com/ecogate/ecogate/exchange/fault"
	"github.com/ecogate/ecogate/intake"
	"github.com/ecogate/ecogate/internal/config"
	"github.com/ecogate/ecogate/paper"
	"github.com/ecogate/ecogate/partners"
	"github.com/ecogate/ecogate/partners/issuerlist"
	"github.com/ecogate/ecogate/partners/revocation"
	"github.com/ecogate/ecogate/signing"
	"github.com/ecogate/ecogate/store/bolt"
	"github.com/ecogate/ecogate/ubl"
)

// partnerPath is where partners post messages.
const partnerPath = "/ebms"

// drainTime is how long requests under way may take after the node was told to stop.
const drainTime = 20 * time.Second

// nodeOptions are what a process decides about a node apart from its configuration. Now is required.
type nodeOptions struct {
	Now func() time.Time
	// Log gets what an operator should know; nil discards.
	Log *slog.Logger
	// Observe is called at each step of the two flows; nil is allowed.
	Observe func(exchange.Event)
	// Users puts something around the handler of the users' listener; nil for nothing.
	Users func(http.Handler) http.Handler
}

// runningNode is one administration's gateway with its listeners.
type runningNode struct {
	Node     *exchange.Node
	Store    *bolt.Store
	Registry *partners.Registry
	// Directory is what the registry is kept in step with: the configuration and the store.
	Directory *partners.Directory
	// PartnerURL is where partners post messages, with its path; APIURL and AdminURL are base URLs.
	PartnerURL, APIURL, AdminURL string

	started config.Config                 // what it was started with
	current atomic.Pointer[config.Config] // what is in force
	now     func() time.Time
	log     *slog.Logger
	apiKeys *api.KeySet
	poster  *poster
	fetcher *revocation.Fetcher
	watcher *intake.Watcher
	lookups *lookup.Desk
	// clearing is the desk for declarations.
	clearing *clearance.Desk
	// handovers gives what was accepted to the customs system.
	handovers *handover.Desk
	notices   *notice.Service
	// recipients are those of the configuration that are told.
	recipients atomic.Pointer[[]notice.Recipient]
	doors      []*listener // for partners and users
	admin      *listener   // stays open while the doors drain, so that /readyz can say so
	// apiCredential is what the API's listener shows; nil for plain HTTP.
	apiCredential atomic.Pointer[tls.Certificate]

	draining  atomic.Bool
	stop      context.CancelFunc // ends delivery
	running   sync.WaitGroup
	done      chan struct{} // closed by fail
	failOnce  sync.Once
	failure   error // set before done is closed
	closeOnce sync.Once
	closing   error // set once by Close
}

// startNode opens the store, starts delivery and the three listeners, and returns when they accept connections. ctx bounds
// the start; after it the node runs until Close. After an error nothing is left running.
func startNode(ctx context.Context, cfg config.Config, o nodeOptions) (n *runningNode, err error) {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	n = &runningNode{started: cfg, now: o.Now, log: o.Log, done: make(chan struct{}), Registry: new(partners.Registry)}
	n.current.Store(&cfg)
	defer func() {
		if err != nil {
			err = errors.Join(err, n.Close())
			n = nil
		}
	}()
	if n.apiKeys, err = apiKeys(cfg); err != nil {
		return n, err
	}
	if n.Store, err = openStore(cfg.Store, o.Now); err != nil {
		return n, err
	}
	if err = makeSpillDir(cfg.Limits.SpillDir); err != nil {
		return n, err
	}
	// The file counts with the entries of the store in it alone: a key or a credential that was replaced there may be gone.
	n.Directory, err = partners.NewDirectory(ctx, cfg.Registry(), partners.DirectoryOptions{
		Store: n.Store, Registry: n.Registry, Now: o.Now, Log: o.Log, Changed: n.registryChanged,
	})
	if err != nil {
		return n, invalidEntries(cfg, err)
	}
	n.poster = newPoster(cfg.Delivery, n.Registry, o.Now)
	n.fetcher = newFetcher(cfg, n)
	n.fetcher.Load() // before the first message: what was known before the restart counts on
	if n.Node, err = newExchange(cfg, n, o); err != nil {
		return n, err
	}
	if n.lookups, err = newLookups(cfg, n); err != nil {
		return n, err
	}
	if n.handovers, err = newHandovers(cfg, n); err != nil {
		return n, err
	}
	if n.clearing, err = newDesk(n); err != nil {
		return n, err
	}
	if err = n.watch(cfg); err != nil {
		return n, err
	}
	if n.notices, err = newNotices(cfg, n); err != nil {
		return n, err
	}
	if err = n.listen(cfg, o); err != nil {
		return n, err
	}
	if err = ctx.Err(); err != nil {
		return n, err
	}
	n.start(ctx)
	n.log.Info("started", "version", thisVersion().Version, "node", cfg.Node.ID, "store", cfg.Store.Dir,
		"partner", n.PartnerURL, "api", n.APIURL, "admin", n.AdminURL)
	return n, nil
}

func openStore(cfg config.Store, now func() time.Time) (*bolt.Store, error) {
	store, err := bolt.Open(cfg.Dir, bolt.Options{Now: now, LockTimeout: cfg.LockTimeout, MaxBytes: cfg.MaxBytes, Point: fault.Point})
	if err == nil {
		return store, nil
	}
	err = fmt.Errorf("store %s: %w", cfg.Dir, err)
	var path *fs.PathError
	switch {
	case errors.Is(err, bolt.ErrLocked):
		return nil, &hinted{err, "is another ecogate running on store.dir of the configuration? one store serves one process"}
	case errors.As(err, &path):
		return nil, &hinted{err, "store.dir of the configuration is a folder, made if it is not there, in which this process may write"}
	}
	return nil, err
}

// makeSpillDir makes the folder for temporary files, which hold what partners and users send: for this user only.
func makeSpillDir(dir string) error {
	if dir == "" {
		return nil
	}
	err := os.MkdirAll(dir, 0o700)
	if err == nil {
		err = os.Chmod(dir, 0o700)
	}
	if err != nil {
		return &hinted{fmt.Errorf("limits.spill_dir: %w", err), "limits.spill_dir of the configuration is a folder of its own for temporary files, made if it is not there, in which this process may write"}
	}
	return nil
}

func newExchange(cfg config.Config, n *runningNode, o nodeOptions) (*exchange.Node, error) {
	d := cfg.Delivery
	schemas, err := openSchemas(cfg)
	if err != nil {
		return nil, err
	}
	return exchange.New(exchange.Options{
		Store: n.Store, Keeper: n.Store, Registry: n.Registry, Schemas: schemas, Now: o.Now, Log: o.Log, Observe: o.Observe,
		Post: n.poster, FirstUse: n.firstUse, Announced: n.desk().Take,
		Workers: d.Workers, PerPartner: d.PerPartner, Poll: d.Poll, Lease: d.Lease, MinRate: d.MinRate, BackoffMax: d.BackoffMax,
		BreakerFailures: d.BreakerFailures, BreakerPause: d.BreakerPause,
		Limits: messageLimits(cfg.Limits),
	})
}

// openSchemas reads the schemas that documents are validated against; nil without a folder of them.
func openSchemas(cfg config.Config) (*ubl.Schemas, error) {
	if cfg.UBL.SchemaDir == "" {
		return nil, nil
	}
	schemas, err := ubl.OpenSchemas(os.DirFS(cfg.UBL.SchemaDir))
	if err == nil {
		err = schemas.Compile()
	}
	if err != nil {
		return nil, cfg.Problem("ubl.schema_dir", err.Error())
	}
	return schemas, nil
}

func messageLimits(l config.Limits) ebms.Limits {
	return ebms.Limits{
		Body: l.BodyBytes, Parts: l.Parts, HeaderBytes: int(l.HeaderBytes), Envelope: l.EnvelopeBytes,
		SpillBytes: l.SpillBytes, SpillDir: l.SpillDir,
	}
}

// listen binds the three addresses and puts a server on each.
func (n *runningNode) listen(cfg config.Config, o nodeOptions) error {
	printed, err := paperOptions(cfg.Paper.Fonts, cfg.Paper.VerifyURL)
	if err != nil {
		return cfg.Problem("paper.fonts", err.Error())
	}
	options := api.Options{
		Node: n.Node, Operator: n.Node, Dealer: n.Node, Settler: n.Node, Happenings: n.Store, Announcer: n.Node,
		Store: n.Store, Audit: n.Store, Forms: n.Registry.Forms, Keys: n.apiKeys, Now: o.Now, Log: o.Log, Ready: n.ready,
		Declarations: n.clearing, Decisions: n.clearing, Duties: n.clearing,
		Handovers: n.handovers,
		Registry:  n.Directory, Proposals: n.Directory, Rotator: n.Directory, Issuers: issuerlist.Desk{Directory: n.Directory, Now: o.Now},
		Paper: func() paper.Options {
			now := printed
			now.Forms = n.Registry.Forms()
			return now
		},
		Lookups: n.lookups, CredentialOf: n.credentialOf, MaxLines: func() int { return n.current.Load().Clearance.Lookup.BatchLines },
		TestPartner: n.isTest, Revocation: n.fetcher.Status, Examiner: examiner{n.Node, n}, Notices: n.notices,
		// What may come from a partner may go to one.
		MaxAttachments: max(api.DefaultMaxAttachments, cfg.Limits.BodyBytes), SpillDir: cfg.Limits.SpillDir, MinRate: cfg.Limits.MinRate,
	}
	users, err := api.New(options)
	if err != nil {
		return err
	}
	messages := http.NewServeMux()
	messages.Handle(partnerPath, ebms.Handler(ebms.HandlerOptions{
		Limits: messageLimits(cfg.Limits), Receive: n.Node.Receive, Refused: n.Node.KeepRefused, Now: o.Now,
		ReadTimeout: cfg.Limits.ReadTimeout, MinRate: cfg.Limits.MinRate,
		Unavailable: func(_ context.Context, err error) { n.log.Error("request answered 503", "error", err) },
	}))

	partner, err := bind("partner", cfg.Listeners.Partner.Address)
	if err != nil {
		return err
	}
	n.doors = append(n.doors, partner)
	if cfg.PartnerTLS() {
		if partner.tls, err = serverTLS(cfg.Listeners.Partner.TLS, n.Registry, o.Now); err != nil {
			return fmt.Errorf("partner listener: %w", err)
		}
	}
	incoming := n.requireClient(messages)
	if partner.tls == nil {
		incoming = behindProxy(cfg.Listeners.Partner, messages, n.Registry, o.Now, o.Log.With("listener", "partner"))
	}
	partner.serve(incoming, cfg.Limits.ReadTimeout, newHandshakeLog(o.Log.With("listener", "partner"), o.Now))
	n.PartnerURL = partner.url() + partnerPath

	door, err := bind("api", cfg.Listeners.API.Address)
	if err != nil {
		return err
	}
	n.doors = append(n.doors, door)
	credential, err := readAPICredential(cfg.Listeners.API, o.Now())
	if err != nil {
		return err
	}
	if credential != nil {
		n.apiCredential.Store(credential)
		door.tls = apiTLS(&n.apiCredential)
	}
	if o.Users != nil {
		users = o.Users(users)
	}
	door.serve(users, cfg.Limits.ReadTimeout, debugLog(o.Log.With("listener", "api")))
	n.APIURL = door.url()

	if n.admin, err = bind("admin", cfg.Listeners.Admin.Address); err != nil {
		return err
	}
	administration := http.NewServeMux()
	administration.Handle("GET "+pathMetrics, n.metrics())
	administration.Handle("/", api.AdminHandler(options))
	n.admin.serve(administration, cfg.Limits.ReadTimeout, debugLog(o.Log.With("listener", "admin")))
	n.AdminURL = n.admin.url()
	return nil
}

// firstUse activates a credential of a partner that was used for the first time.
func (n *runningNode) firstUse(ctx context.Context, f exchange.FirstUse) error {
	fingerprint := signing.Fingerprint(f.X509Cert)
	edit := partners.Edit{By: partners.ByNode, Why: fmt.Sprintf("first use of credential %s for %s, by message %q", fingerprint, f.Use, f.MessageID)}
	_, err := n.Directory.EditPartner(ctx, edit, f.Partner, func(p *partners.PartnerConfig) error { return p.UseFirst(fingerprint, f.Use, f.At, n.now()) })
	return err
}

// registryChanged has what follows from the registry brought in step.
func (n *runningNode) registryChanged() {
	if n.fetcher != nil { // it begins with the registry as it is
		n.fetcher.Wake()
	}
}

// isTest reports whether nothing counts that is exchanged with a partner now.
func (n *runningNode) isTest(partner string) bool {
	p, _ := n.Registry.Partner(partner)
	return p.Mode == partners.ModeTest
}

// start lets everything run. Whatever ends without having been told to makes the node fail.
func (n *runningNode) start(ctx context.Context) {
	run, stop := context.WithCancel(context.WithoutCancel(ctx))
	n.stop = stop
	n.running.Go(func() {
		if err := n.Node.Run(run); err != nil {
			n.fail(fmt.Errorf("delivery: %w", err))
		}
	})
	n.running.Go(func() { n.watcher.Run(run) })
	n.running.Go(func() { n.lookups.Run(run) })
	n.running.Go(func() { n.fetcher.Run(run) })
	n.running.Go(func() { n.remind(run) })
	n.running.Go(func() { n.clearing.Run(run) })
	n.running.Go(func() { n.handovers.Run(run) })
	n.running.Go(func() { n.notices.Run(run) })
	for _, l := range append(slices.Clone(n.doors), n.admin) {
		n.running.Go(func() {
			if err := l.run(); err != nil {
				n.fail(fmt.Errorf("listener %s: %w", l.Addr(), err))
			}
		})
	}
}

func (n *runningNode) fail(err error) {
	n.failOnce.Do(func() {
		n.failure = err
		close(n.done)
	})
}

// Done is closed when a part of the node has ended without being told to; Err then says why.
func (n *runningNode) Done() <-chan struct{} { return n.done }

// Err is the reason after Done was closed.
func (n *runningNode) Err() error {
	select {
	case <-n.done:
		return n.failure
	default:
		return nil
	}
}

// ready is the node's answer to /readyz.
func (n *runningNode) ready(ctx context.Context) error {
	if n.draining.Load() {
		return errors.New("node is stopping")
	}
	_, err := n.Store.Messages(ctx, exchange.MessageQuery{Limit: 1})
	return err
}

// Close stops accepting, waits for requests and deliveries under way, and closes the store. Only the first call does so;
// every call returns its result.
func (n *runningNode) Close() error {
	n.closeOnce.Do(func() {
		n.draining.Store(true)
		ctx, cancel := context.WithTimeout(context.Background(), drainTime)
		defer cancel()
		var drains sync.WaitGroup
		for _, l := range n.doors {
			drains.Go(func() { l.shutdown(ctx) })
		}
		drains.Wait()
		if n.admin != nil {
			n.admin.shutdown(ctx)
		}
		if n.stop != nil {
			n.stop()
		}
		n.running.Wait()
		if n.Store != nil {
			n.closing = n.Store.Close()
		}
		if n.stop != nil { // it had started
			n.log.Info("stopped", "node", n.started.Node.ID)
		}
	})
	return n.closing
}
