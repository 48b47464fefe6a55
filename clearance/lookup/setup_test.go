package lookup_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/ecogate/ecogate/clearance"
	"github.com/ecogate/ecogate/clearance/lookup"
	"github.com/ecogate/ecogate/eco"
	"github.com/ecogate/ecogate/exchange"
	"github.com/ecogate/ecogate/store/bolt"
)

var start = time.Date(2026, 11, 20, 8, 30, 0, 0, time.UTC)

const (
	acme  eco.PartyName = "TAX:199001"
	bolts eco.PartyName = "NAME:BOLTS NUTS"
)

// world is a desk over a real store, with a clock that tests move.
type world struct {
	*testing.T
	store  *bolt.Store
	desk   *lookup.Desk
	now    time.Time
	waited []time.Duration
	// parties are those of API keys.
	parties map[string][]eco.PartyName
	signed  [][]byte
	arrived int
}

func newWorld(t *testing.T, adjust func(*lookup.Options)) *world {
	t.Helper()
	w := &world{T: t, now: start, parties: map[string][]eco.PartyName{"importer": {acme}}}
	var err error
	if w.store, err = bolt.Open(t.TempDir(), bolt.Options{Now: w.clock}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := w.store.Close(); err != nil {
			t.Error(err)
		}
	})
	o := lookup.Options{
		Store: w.store, Now: w.clock, Wait: func(_ context.Context, d time.Duration) { w.waited = append(w.waited, d) }, Node: "TW",
		Parties: func(key string) []eco.PartyName { return w.parties[key] },
		Sign: func(content []byte, _ time.Time) ([]byte, error) {
			w.signed = append(w.signed, content)
			return content, nil
		},
	}
	if adjust != nil {
		adjust(&o)
	}
	if w.desk, err = lookup.New(o); err != nil {
		t.Fatal(err)
	}
	return w
}

func (w *world) clock() time.Time { return w.now }

func (w *world) reader(key string) lookup.Reader {
	return lookup.Reader{Name: key, Parties: w.parties[key]}
}

// arrive records the receipt of a certificate for Acme with the invoice INV-7; change may make it another.
func (w *world) arrive(reference string, change func(*exchange.Certificate)) {
	w.Helper()
	w.arrived++
	id := fmt.Sprintf("m%d@kr", w.arrived)
	key := exchange.CertificateKey{Country: "KR", Form: "ATIGA-D", Reference: eco.NormaliseReference(reference)}
	c := exchange.Certificate{
		Key: key, State: exchange.CertificateAvailable, Content: id, Recorded: w.now, DocumentSigner: "d1",
		Data: eco.Certificate{
			Form: "ATIGA-D", Reference: reference, IssuingCountry: "KR", IssuedAt: eco.DateOf(w.now).AddDays(-4), IssuingBody: eco.IssuingBody{ID: "KCCI", Name: "Chamber"},
			Consignee: eco.Party{Name: "Acme", Identifiers: []eco.Identifier{{Scheme: "TAX", Value: "1990-01"}}},
			Invoices:  []eco.Invoice{{Number: "INV-7"}, {Number: "INV-8"}},
			Items:     []eco.Item{{Number: 1, Quantity: &eco.Measure{Value: "400", Unit: "PCE"}}},
		},
	}
	if change != nil {
		change(&c)
	}
	_, err := w.store.Accept(w.Context(), []exchange.Arrival{{
		Message: exchange.Message{Direction: exchange.Inbound, Kind: exchange.KindCertificate, State: exchange.StateAccepted, MessageID: id, Partner: "KR", Created: w.now,
			Content: id, Certificate: key},
		Certificate: &c, Document: []byte("<document of='" + id + "'/>"),
		Audit: []exchange.AuditEntry{{At: w.now, Actor: "KR", Event: "certificate.received", Subject: key.String(), Detail: "message " + id}},
	}})
	if err != nil {
		w.Fatal(err)
	}
}

// forBolts makes a certificate one for Bolts & Nuts.
func forBolts(c *exchange.Certificate) { c.Data.Consignee = eco.Party{Name: "Bolts & Nuts"} }

// see looks a reference up as the holder of a key does.
func (w *world) see(key, reference, invoice string) lookup.Seen {
	w.Helper()
	found, err := w.store.Imported(w.Context(), clearance.ImportedQuery{Reference: reference})
	if err != nil {
		w.Fatal(err)
	}
	var candidates []lookup.Candidate
	for i := range found {
		candidates = append(candidates, lookup.Candidate{Seq: found[i].Seq, Data: &found[i].Data})
	}
	seen, err := w.desk.See(w.Context(), w.reader(key), lookup.Question{Reference: reference, Invoice: invoice}, candidates)
	if err != nil {
		w.Fatal(err)
	}
	return seen
}

func (w *world) give(g lookup.Giver, m lookup.Mandate) lookup.Mandate {
	w.Helper()
	given, err := w.desk.Give(w.Context(), g, m)
	if err != nil {
		w.Fatal(err)
	}
	return given
}

// events are those of the audit log with one of these names.
func (w *world) events(names ...string) (list []string) {
	w.Helper()
	entries, err := w.store.Happenings(w.Context(), 0, 10_000)
	if err != nil {
		w.Fatal(err)
	}
	for _, h := range entries {
		if slices.Contains(names, h.Event) {
			list = append(list, h.Event+" "+h.Subject+" "+h.Detail)
		}
	}
	return list
}
