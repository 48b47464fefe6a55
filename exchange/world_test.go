package exchange_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"log/slog"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ecogate/ecogate/ebms"
	"github.com/ecogate/ecogate/eco"
	"github.com/ecogate/ecogate/eco/ecotest"
	"github.com/ecogate/ecogate/exchange"
	"github.com/ecogate/ecogate/internal/config"
	"github.com/ecogate/ecogate/internal/pair"
	"github.com/ecogate/ecogate/internal/pkitest"
	"github.com/ecogate/ecogate/partners"
	"github.com/ecogate/ecogate/signing"
	"github.com/ecogate/ecogate/store/bolt"
)

// world is two administrations over real stores, joined by wires that do what a script says. A third, VN, is a partner of
// both: it has credentials and no node.
type world struct {
	testing.TB
	KR, TW *side
	VN     stranger
	setup  setup
	clock  func() time.Time
	ahead  time.Duration // of clock
	stop   func()        // ends Run of both nodes; called at the end of the test
}

// side is one administration.
type side struct {
	*exchange.Node
	id       string
	store    *bolt.Store // what is durable, beneath whatever setup.store put over it
	config   config.Config
	registry *partners.Registry
	out      *wire
	dir      string // of the store
	options  exchange.Options

	mu    sync.Mutex
	steps []exchange.Event
}

// stranger holds the keys of VN.
type stranger struct {
	message, document signing.Key
	tls               *pkitest.Credential
}

// setup says how a world differs from the ordinary.
type setup struct {
	pair pair.Options
	// kr and tw change a side's configuration before it is used.
	kr, tw func(*config.Config)
	// store wraps a side's store.
	store func(id string, s exchange.Store) exchange.Store
	// options changes the options of both nodes.
	options func(*exchange.Options)
}

const (
	vnParty = "VN-HUB"
	vnCPA   = "urn:ecogate:cpa:VN:1"
	krtwCPA = "urn:ecogate:cpa:KR-TW:1"
)

// newWorld makes a world whose clock stands still.
func newWorld(tb testing.TB, s setup) *world {
	tb.Helper()
	return makeWorld(tb, s, ecotest.Now)
}

// bubble runs f in a world whose nodes deliver and whose time passes only while everybody waits.
func bubble(t *testing.T, s setup, f func(*world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		w := makeWorld(t, s, func() time.Time { return ecotest.Now().Add(time.Since(began)) })
		w.run()
		f(w)
	})
}

func makeWorld(tb testing.TB, s setup, clock func() time.Time) *world {
	tb.Helper()
	if s.pair.Algorithm == "" {
		s.pair.Algorithm = pkitest.P256
	}
	w := &world{TB: tb, setup: s, clock: clock}
	dir := tb.TempDir()
	sides, err := pair.Make(dir, s.pair)
	w.must(err)
	vn := pkitest.NewTest(tb, pkitest.Options{Country: "VN", Organisation: "Vietnam"})
	node, _, nodeFile := vn.IssueFiles("node", pkitest.Request{Name: "VN hub", Use: pkitest.MessageSignature})
	body, _, bodyFile := vn.IssueFiles("body", pkitest.Request{Name: "VCCI", Use: pkitest.DocumentSignature})
	client, _, clientFile := vn.IssueFiles("tls", pkitest.Request{Name: "VN client", Use: pkitest.TLSClient})
	w.VN = stranger{message: keyOf(node), document: keyOf(body), tls: client}
	third := partners.PartnerConfig{
		ID: "VN", Name: "Vietnam", Country: "VN", Role: "urn:ecogate:role:exporting-administration",
		PartyIDs:    []partners.PartyID{{Type: "urn:ecogate:party", Value: vnParty}},
		AnchorFiles: []string{filepath.Join(vn.Dir, "root.pem")},
		Credentials: []partners.CredentialConfig{
			{Uses: []partners.Use{partners.UseMessageSignature}, File: nodeFile},
			{Uses: []partners.Use{partners.UseTLSClient}, File: clientFile},
		},
		Issuers: []partners.IssuerConfig{{
			ID: "VCCI", Name: "VCCI", Forms: []eco.FormCode{eco.FormNonPreferential},
			Credentials: []partners.CredentialConfig{{File: bodyFile}},
		}},
	}
	w.KR = w.open(sides.KR, third, s.kr)
	w.TW = w.open(sides.TW, third, s.tw)
	w.KR.out.to, w.TW.out.to = w.TW, w.KR
	return w
}

func keyOf(c *pkitest.Credential) signing.Key { return signing.Key{Signer: c.Key, Chain: c.Chain} }

// open loads a side's configuration, adds the third partner and makes the node.
func (w *world) open(s pair.Side, third partners.PartnerConfig, change func(*config.Config)) *side {
	w.Helper()
	cfg, err := config.Load(s.ConfigFile, nil)
	w.must(err)
	agreement := cfg.Agreements[0]
	agreement.CPAID, agreement.Partner = vnCPA, "VN"
	agreement.Forms = []eco.FormCode{eco.FormNonPreferential}
	cfg.Partners, cfg.Agreements = append(cfg.Partners, third), append(cfg.Agreements, agreement)
	if change != nil {
		change(&cfg)
	}
	side := &side{id: s.ID, config: cfg, out: &wire{world: w}}
	side.registry, err = partners.New(cfg.Registry())
	w.must(err)
	side.dir = filepath.Join(w.TempDir(), "store")
	side.store, err = bolt.Open(side.dir, bolt.Options{Now: w.now})
	w.must(err)
	w.Cleanup(func() {
		if err := errors.Join(side.store.Check(context.Background()), side.store.Close()); err != nil {
			w.Errorf("store of %s: %v", s.ID, err)
		}
	})
	store := exchange.Store(side.store)
	if w.setup.store != nil {
		store = w.setup.store(s.ID, store)
	}
	options := exchange.Options{
		Store: store, Registry: side.registry, Post: side.out, Now: w.now, Log: slog.New(slog.NewTextHandler(io.Discard, nil)),
		Observe: side.observe,
	}
	if w.setup.options != nil {
		w.setup.options(&options)
	}
	options.Keeper, _ = store.(exchange.Keeper)
	side.options = options
	side.Node, err = exchange.New(options)
	w.must(err)
	return side
}

// restart closes the side's store and opens it again with a new node, as a process that ends and begins does. Nobody may be
// running it.
func (s *side) restart(w *world) {
	w.Helper()
	w.must(s.store.Close())
	var err error
	s.store, err = bolt.Open(s.dir, bolt.Options{Now: w.now})
	w.must(err)
	s.options.Store, s.options.Keeper = s.store, s.store
	s.Node, err = exchange.New(s.options)
	w.must(err)
}

func (s *side) observe(e exchange.Event) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.steps = append(s.steps, e)
}

func (s *side) observed() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var names []string
	for _, e := range s.steps {
		names = append(names, e.Step)
	}
	return names
}

func (w *world) now() time.Time { return w.clock().Add(w.ahead) }

func (w *world) must(err error) {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
}

// run lets both nodes deliver until the test ends.
func (w *world) run() {
	ctx, stop := context.WithCancel(context.Background())
	var running sync.WaitGroup
	for _, s := range []*side{w.KR, w.TW} {
		running.Go(func() {
			if err := s.Run(ctx); err != nil {
				w.Errorf("Run of %s: %v", s.id, err)
			}
		})
	}
	w.stop = func() { stop(); running.Wait() }
	w.Cleanup(w.stop)
}

// until lets the bubble's time pass until done, and fails after limit.
func (w *world) until(limit time.Duration, what string, done func() bool) {
	w.Helper()
	for end := w.now().Add(limit); !done(); time.Sleep(time.Second) {
		if w.now().After(end) {
			w.Fatalf("after %s: not %s; KR: %s; TW: %s", limit, what, w.KR.summary(w), w.TW.summary(w))
		}
	}
}

// settled lets the bubble's time pass until the message has reached a terminal state, and returns it.
func (w *world) settled(messageID string) exchange.Message {
	w.Helper()
	var m exchange.Message
	w.until(48*time.Hour, "settled", func() bool {
		m = w.KR.message(w, exchange.MessageQuery{MessageID: messageID, Direction: exchange.Outbound})
		return m.State.Terminal()
	})
	return m
}

func (s *side) summary(w *world) (text string) {
	for _, m := range s.messages(w, exchange.MessageQuery{}) {
		text += "\n  " + string(m.Direction) + " " + string(m.Kind) + " " + string(m.State)
		if m.Reason != nil {
			text += " " + m.Reason.Cause
		}
		if n := len(m.Log); n > 0 {
			text += " " + m.Log[n-1].Problem
		}
	}
	return text
}

func (s *side) messages(w *world, q exchange.MessageQuery) []exchange.Message {
	w.Helper()
	q.Limit = 10000
	found, err := s.store.Messages(context.Background(), q)
	w.must(err)
	return found
}

// message is the only one that matches.
func (s *side) message(w *world, q exchange.MessageQuery) exchange.Message {
	w.Helper()
	found := s.messages(w, q)
	if len(found) != 1 {
		w.Fatalf("%s has %d messages %+v, want 1%s", s.id, len(found), q, s.summary(w))
	}
	return found[0]
}

func (s *side) certificates(w *world) []exchange.Certificate {
	w.Helper()
	found, err := s.store.Certificates(context.Background(), exchange.CertificateQuery{Limit: 10000})
	w.must(err)
	return found
}

// certificate is the only one that the side has.
func (s *side) certificate(w *world) exchange.Certificate {
	w.Helper()
	found := s.certificates(w)
	if len(found) != 1 {
		w.Fatalf("%s has %d certificates, want 1%s", s.id, len(found), s.summary(w))
	}
	return found[0]
}

func (s *side) raw(w *world, ref exchange.RawRef) []byte {
	w.Helper()
	data, err := s.store.Raw(context.Background(), ref)
	w.must(err)
	return octets(data)
}

func (s *side) events(w *world) []string {
	w.Helper()
	records, err := s.store.Audit(context.Background(), 0, 10000)
	w.must(err)
	var names []string
	for _, r := range records {
		names = append(names, r.Actor+" "+r.Event)
	}
	return names
}

// octets are those of a content, in memory of their own.
func octets(c ebms.Content) []byte {
	data, err := ebms.ReadAll(c, 0)
	if err != nil {
		panic(err)
	}
	return data
}

// sample is the certificate that most tests send.
func sample(tb testing.TB) eco.Certificate { return ecotest.Load(tb, "nonpreferential-kcci") }

func (w *world) submit(c eco.Certificate) exchange.Submission {
	w.Helper()
	s, err := w.KR.Submit(context.Background(), "issuer", "TW", c)
	w.must(err)
	return s
}

// composed submits a certificate at KR and returns the message as TW would be sent it, and its record.
func (w *world) composed(c eco.Certificate) (ebms.Request, exchange.Message) {
	w.Helper()
	m := w.submit(c).Message
	return w.request(m.ContentType, w.KR.raw(w, m.Raw)), m
}

func (w *world) request(contentType string, body []byte) ebms.Request {
	return ebms.Request{ContentType: contentType, SOAPAction: ebms.DefaultSOAPAction, Body: ebms.Bytes(body), Remote: "192.0.2.1:4711", Received: w.now()}
}

// receive hands a request to the side and holds the answer to the rule that no 2xx leaves before what it stands for is stored.
func (s *side) receive(w *world, r ebms.Request) ebms.Reply {
	w.Helper()
	sent := sha256.Sum256(octets(r.Body))
	reply := s.Receive(context.Background(), r)
	if reply.Status/100 == 2 && !s.holds(w, hex.EncodeToString(sent[:])) {
		w.Errorf("%s answered %d and has not stored the message", s.id, reply.Status)
	}
	return reply
}

func (s *side) holds(w *world, digest string) bool {
	return slices.ContainsFunc(s.messages(w, exchange.MessageQuery{Direction: exchange.Inbound}), func(m exchange.Message) bool {
		return m.Raw.Digest == digest
	})
}
