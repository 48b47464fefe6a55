package clearance_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ecogate/ecogate/clearance"
	"github.com/ecogate/ecogate/eco"
	"github.com/ecogate/ecogate/eco/ecotest"
	"github.com/ecogate/ecogate/exchange"
	"github.com/ecogate/ecogate/store/bolt"
)

var (
	noon    = time.Date(2026, time.November, 22, 12, 0, 0, 0, time.UTC)
	broker  = clearance.Visitor{Name: "broker-1", Broker: true}
	customs = clearance.Visitor{Name: "customs-system"}
	officer = clearance.Visitor{Name: "officer-1", Officer: true}
	second  = clearance.Visitor{Name: "officer-2", Officer: true}
)

// world is a desk over a real store, with a clock that stands.
type world struct {
	testing.TB
	*clearance.Desk
	store *bolt.Store
	told  *teller

	mu   sync.Mutex
	time time.Time
}

func (w *world) now() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.time
}

func (w *world) pass(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.time = w.time.Add(d)
}

// teller is a Responder that takes what it is given, or fails with err.
type teller struct {
	mu   sync.Mutex
	err  error
	told []clearance.Response
}

func (r *teller) Respond(_ context.Context, told clearance.Response) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.err == nil {
		r.told = append(r.told, told)
	}
	return r.err
}

func (r *teller) Verify(ctx context.Context, told clearance.Response) error {
	return r.Respond(ctx, told)
}

func newWorld(t testing.TB, change ...func(*clearance.Options)) *world {
	t.Helper()
	w := &world{TB: t, time: noon, told: &teller{}}
	store, err := bolt.Open(t.TempDir(), bolt.Options{Now: w.now})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	w.store = store
	o := clearance.Options{Store: store, Forms: eco.DefaultForms, Now: w.now, Responder: w.told}
	for _, c := range change {
		c(&o)
	}
	if w.Desk, err = clearance.NewDesk(o); err != nil {
		t.Fatal(err)
	}
	return w
}

// certificate is that of testdata with another number.
func certificate(t testing.TB, reference string, change ...func(*eco.Certificate)) eco.Certificate {
	t.Helper()
	c := ecotest.Load(t, "atiga-form-d")
	c.Reference = reference
	for _, f := range change {
		f(&c)
	}
	return c
}

// receive lets a certificate arrive as exchange records it.
func (w *world) receive(c eco.Certificate, change ...func(*exchange.Certificate)) clearance.Imported {
	w.Helper()
	key := exchange.CertificateKey{Country: c.IssuingCountry, Form: c.Form, Reference: eco.NormaliseReference(c.Reference)}
	record := exchange.Certificate{
		Direction: exchange.Inbound, Key: key, State: exchange.CertificateAvailable, Partner: "PARTNER", Message: "m-" + c.Reference,
		Content: fmt.Sprintf("%064x", len(c.Reference)), Recorded: w.now(), Data: c,
	}
	for _, f := range change {
		f(&record)
	}
	arrival := exchange.Arrival{
		Message: exchange.Message{
			Direction: exchange.Inbound, Kind: exchange.KindCertificate, State: exchange.StateAccepted, MessageID: record.Message, Partner: record.Partner,
			Created: w.now(), ContentType: "text/xml", Content: record.Content + record.Message, Certificate: record.Key,
		},
		Raw: strings.NewReader(record.Message), Certificate: &record, Document: []byte("document of " + record.Message),
		Audit: []exchange.AuditEntry{{At: w.now(), Actor: record.Partner, Event: "certificate.received", Subject: record.Key.String()}},
	}
	if _, err := w.store.Accept(w.Context(), []exchange.Arrival{arrival}); err != nil {
		w.Fatal(err)
	}
	return w.imported(c.Reference)
}

func (w *world) imported(reference string) clearance.Imported {
	w.Helper()
	found, err := w.store.Imported(w.Context(), clearance.ImportedQuery{Reference: reference})
	if err != nil || len(found) == 0 {
		w.Fatalf("certificate %s: %v", reference, err)
	}
	return found[0]
}

// free is what is free of an item, as text.
func (w *world) free(reference string, item int) string {
	w.Helper()
	for _, b := range w.imported(reference).Life.Items {
		if b.Item == item {
			return string(b.Free().Value) + " " + b.Free().Unit
		}
	}
	w.Fatalf("certificate %s has no item %d", reference, item)
	return ""
}

// declaration declares items of a certificate as they are certified.
func declaration(c eco.Certificate, number string, items ...int) clearance.Declaration {
	d := clearance.Declaration{Number: number, Lodged: eco.DateOf(noon), Importer: c.Consignee}
	for _, item := range c.Items {
		if len(items) > 0 && !slices.Contains(items, item.Number) {
			continue
		}
		d.Lines = append(d.Lines, clearance.Line{
			Number: len(d.Lines) + 1, HS: item.HS, Description: item.Description, Quantity: item.Quantity, GrossWeight: item.GrossWeight, NetWeight: item.NetWeight,
			Packages: item.Packages, Citations: []clearance.Citation{{Reference: c.Reference, Item: item.Number}},
		})
	}
	return d
}

func (w *world) lodge(v clearance.Visitor, d clearance.Declaration) clearance.Lodgement {
	w.Helper()
	l, fresh, err := w.Lodge(w.Context(), v, d, nil)
	if err != nil || !fresh {
		w.Fatalf("declaration %s: fresh %t, %v%s", d.Number, fresh, err, listed(err))
	}
	return l
}

// listed are the findings of a refusal.
func listed(err error) string {
	var refused *clearance.RefusedError
	if !errors.As(err, &refused) {
		return ""
	}
	var b strings.Builder
	for _, f := range refused.Findings {
		fmt.Fprintf(&b, "\n%s %s %s: %s (%s)", f.Severity, f.Code, f.Path, f.Text, f.Fix)
	}
	return b.String()
}

func (w *world) decide(v clearance.Visitor, number string, rulings ...clearance.Ruling) clearance.Lodgement {
	w.Helper()
	l, err := w.Decide(w.Context(), v, number, clearance.Judgement{Rulings: rulings})
	if err != nil {
		w.Fatalf("deciding about %s: %v%s", number, err, listed(err))
	}
	return l
}

// settle runs the desk until it has nothing to do at this instant.
func (w *world) settle() {
	w.Helper()
	if err := w.Once(w.Context()); err != nil {
		w.Fatal(err)
	}
}

func same[V comparable](t testing.TB, what string, got, want V) {
	t.Helper()
	if got != want {
		t.Errorf("%s: got %v, want %v", what, got, want)
	}
}

func TestDeclarationReservesWhatItClaims(t *testing.T) {
	w := newWorld(t)
	c := certificate(t, "D1")
	w.receive(c)
	before := w.free("D1", 1)
	l := w.lodge(broker, declaration(c, "CX/26/1", 1))
	same(t, "state", l.State, clearance.LodgementLodged)
	same(t, "standing", l.Claims[0].Standing, clearance.StandingReserved)
	same(t, "certificate", w.imported("D1").State, eco.StateCited)
	if free := w.free("D1", 1); free == before || !strings.HasPrefix(free, "0 ") {
		t.Errorf("%s are free of %s", free, before)
	}
	again, fresh, err := w.Lodge(t.Context(), broker, declaration(c, "CX-26-1", 1), nil)
	if err != nil || fresh || again.Version != 1 || again.Number != "CX/26/1" {
		t.Errorf("the same again: %+v, fresh %t, %v", again, fresh, err)
	}
	other := declaration(c, "CX/26/1", 1)
	other.Lines[0].Description = "SOMETHING ELSE"
	for v, d := range map[clearance.Visitor]clearance.Declaration{broker: other, customs: declaration(c, "CX/26/1", 1)} {
		if _, _, err := w.Lodge(t.Context(), v, d, nil); !errors.Is(err, clearance.ErrNumberTaken) {
			t.Errorf("%s: %v", v.Name, err)
		}
	}
	if _, err := w.Declaration(t.Context(), clearance.Visitor{Name: "broker-2", Broker: true}, "CX/26/1"); !errors.Is(err, clearance.ErrNotFound) {
		t.Errorf("another broker's declaration: %v", err)
	}
	if l, err = w.Withdraw(t.Context(), broker, "CX/26/1", "entered in error"); err != nil || l.State != clearance.LodgementWithdrawn {
		t.Fatalf("%s, %v", l.State, err)
	}
	same(t, "free", w.free("D1", 1), before)
	same(t, "certificate", w.imported("D1").State, eco.StateAvailable)
}
