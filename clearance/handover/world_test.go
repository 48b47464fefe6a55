package handover_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ecogate/ecogate/clearance"
	"github.com/ecogate/ecogate/clearance/handover"
	"github.com/ecogate/ecogate/eco"
	"github.com/ecogate/ecogate/exchange"
	"github.com/ecogate/ecogate/store/bolt"
)

var start = time.Date(2026, time.November, 29, 9, 0, 0, 0, time.UTC)

// clock is set by the test.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// documents renders and reports in a few words; err, if it is set, is what comes of both.
type documents struct{ err error }

func (d documents) Rendition(_ context.Context, c clearance.Imported) ([]byte, error) {
	return fmt.Appendf(nil, "%%PDF-1.7 %s", c.Key), d.err
}

func (d documents) Report(_ context.Context, c clearance.Imported, _ time.Time) ([]byte, error) {
	return fmt.Appendf(nil, `{"certificate":%q,"state":%q}`, c.Key, c.State), d.err
}

// customs is a scripted customs system. Without answer it takes everything and confirms nothing.
type customs struct {
	answer func(p handover.Parcel) (handover.Confirmation, error)
	mu     sync.Mutex
	got    []handover.Parcel
}

func (c *customs) Deliver(_ context.Context, p handover.Parcel) (handover.Confirmation, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.got = append(c.got, p)
	if c.answer == nil {
		return handover.Confirmation{}, nil
	}
	return c.answer(p)
}

func (c *customs) parcels() []handover.Parcel {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]handover.Parcel(nil), c.got...)
}

// world is a store with imported certificates, and a desk over it.
type world struct {
	testing.TB
	dir   string
	clock *clock
	store *bolt.Store
	vault *handover.Folder
	desk  *handover.Desk
}

func newWorld(t testing.TB, o handover.Options) *world {
	t.Helper()
	w := &world{TB: t, dir: t.TempDir(), clock: &clock{now: start}}
	w.open(o)
	w.imports("K0012500001", "K0012500002")
	return w
}

// open opens the store, and a desk with o over it.
func (w *world) open(o handover.Options) {
	w.Helper()
	store, err := bolt.Open(filepath.Join(w.dir, "store"), bolt.Options{Now: w.clock.Now})
	if err != nil {
		w.Fatal(err)
	}
	w.Cleanup(func() { store.Close() })
	w.store = store
	w.reopen(o)
}

// reopen puts a desk with o in the place of the one that is there.
func (w *world) reopen(o handover.Options) {
	w.Helper()
	var err error
	if w.vault, err = handover.OpenFolder(filepath.Join(w.dir, "handover")); err != nil {
		w.Fatal(err)
	}
	o.Store, o.Now = w.store, w.clock.Now
	if o.Vault == nil {
		o.Vault = w.vault
	}
	if o.Documents == nil {
		o.Documents = documents{}
	}
	o.Jitter = func() float64 { return 0 }
	if w.desk, err = handover.New(o); err != nil {
		w.Fatal(err)
	}
}

// imports records certificates as a partner's.
func (w *world) imports(references ...string) {
	w.Helper()
	for _, r := range references {
		a := exchange.Arrival{
			Message: exchange.Message{
				Direction: exchange.Inbound, Kind: exchange.KindCertificate, State: exchange.StateAccepted, MessageID: r + "@kr", Partner: "KR",
				Created: start, ContentType: "multipart/related", Content: r,
			},
			Raw: strings.NewReader("message of " + r),
			Certificate: &exchange.Certificate{
				Key: exchange.CertificateKey{Country: "KR", Form: "ATIGA-D", Reference: r}, Content: r, Recorded: start, DocumentSigner: "signer",
				Data: eco.Certificate{Form: "ATIGA-D", Reference: r, IssuingCountry: "KR", Items: []eco.Item{{
					Number: 1, HS: "730490", Description: "steel pipes", Quantity: &eco.Measure{Value: "100", Unit: "KGM"},
				}}},
			},
			Document: []byte("<CertificateOfOrigin>" + r + "</CertificateOfOrigin>"),
		}
		if _, err := w.store.Accept(w.Context(), []exchange.Arrival{a}); err != nil {
			w.Fatal(err)
		}
	}
}

func (w *world) imported(reference string) clearance.Imported {
	w.Helper()
	found, err := w.store.Imported(w.Context(), clearance.ImportedQuery{Reference: reference})
	if err != nil || len(found) != 1 {
		w.Fatalf("%d certificates %s, %v", len(found), reference, err)
	}
	return found[0]
}

// filing is a declaration that cites the certificates.
func (w *world) filing(number string, references ...string) handover.Filing {
	w.Helper()
	f := handover.Filing{Declaration: number, Version: 1, Revision: 1, Occasion: handover.OccasionAccepted, At: w.clock.Now(), Body: json.RawMessage(`{"number":"` + number + `"}`)}
	for _, r := range references {
		f.Certificates = append(f.Certificates, w.imported(r))
	}
	return f
}

// file files it, and returns the handover's ID.
func (w *world) file(f handover.Filing) string {
	w.Helper()
	dockets, err := handover.Dockets(f)
	if err != nil {
		w.Fatal(err)
	}
	if err := w.store.File(w.Context(), clearance.Batch{Dockets: dockets}); err != nil {
		w.Fatal(err)
	}
	return dockets[0].ID
}

func (w *world) look() {
	w.Helper()
	if _, err := w.desk.Look(w.Context()); err != nil {
		w.Fatal(err)
	}
}

func (w *world) get(id string) handover.Handover {
	w.Helper()
	h, err := w.desk.Get(w.Context(), id)
	if err != nil {
		w.Fatal(err)
	}
	return h
}

// confirmed is a customs system's word for a parcel.
func confirmed(p handover.Parcel) handover.Confirmation {
	return handover.Confirmation{Status: handover.VerdictConfirmed, SHA256: p.SHA256, Reference: "C-1"}
}

// events are those of the audit log that are about a declaration.
func (w *world) events(declaration string) (list []string) {
	w.Helper()
	all, err := w.store.Happenings(w.Context(), 0, 1000)
	if err != nil {
		w.Fatal(err)
	}
	for _, h := range all {
		if h.Subject == declaration {
			list = append(list, h.Event+" by "+h.Actor)
		}
	}
	return list
}

var errAway = errors.New("nobody there")
