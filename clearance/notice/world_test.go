package notice_test

import (
	"context"
	"crypto/x509"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ecogate/ecogate/clearance"
	"github.com/ecogate/ecogate/clearance/notice"
	"github.com/ecogate/ecogate/eco"
	"github.com/ecogate/ecogate/exchange"
	"github.com/ecogate/ecogate/internal/mailtest"
	"github.com/ecogate/ecogate/internal/pkitest"
	"github.com/ecogate/ecogate/store/bolt"
)

// noon is when the tests begin.
var noon = time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)

// world is a node's store with a service that tells of what happens in it, and a clock.
type world struct {
	*testing.T
	dir     string
	store   *bolt.Store
	service *notice.Service
	options notice.Options

	mu         sync.Mutex
	now        time.Time
	recipients []notice.Recipient
	keys       map[string][]eco.PartyName
	exported   []notice.Exported
	serial     int
}

// newWorld opens a world; set changes the service's options.
func newWorld(t *testing.T, set func(*notice.Options)) *world {
	t.Helper()
	w := &world{T: t, dir: filepath.Join(t.TempDir(), "store"), now: noon, keys: map[string][]eco.PartyName{}}
	templates, err := notice.NewTemplates("Customs of Taiwan", nil)
	if err != nil {
		t.Fatal(err)
	}
	w.options = notice.Options{Books: w, Keys: w, Templates: templates, Now: w.clock, Recipients: w.configured}
	if set != nil {
		set(&w.options)
	}
	w.open()
	t.Cleanup(func() { _ = w.store.Close() })
	w.tell(notice.Recipient{ID: "nobody", Audience: notice.Operators, Events: []notice.Event{"none"}, Address: "nobody@importers.example"})
	w.follow() // the first start with somebody to tell
	w.tell()
	return w
}

// open opens the store and makes a new service over it, as a start of the node does.
func (w *world) open() {
	w.Helper()
	var err error
	if w.store, err = bolt.Open(w.dir, bolt.Options{Now: w.clock}); err != nil {
		w.Fatal(err)
	}
	w.options.Store = w.store
	if w.service, err = notice.New(w.options); err != nil {
		w.Fatal(err)
	}
}

func (w *world) restart() {
	w.Helper()
	if err := w.store.Close(); err != nil {
		w.Fatal(err)
	}
	w.open()
}

func (w *world) clock() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.now
}

func (w *world) pass(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now = w.now.Add(d)
}

func (w *world) configured() []notice.Recipient {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.recipients)
}

func (w *world) tell(r ...notice.Recipient) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.recipients = r
}

// Exported implements notice.Books.
func (w *world) Exported(_ context.Context, key clearance.Key) (out []notice.Exported, _ error) {
	for _, e := range w.exported {
		if e.Key == key {
			out = append(out, e)
		}
	}
	return out, nil
}

// Parties implements notice.Keys.
func (w *world) Parties(name string) ([]eco.PartyName, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	parties, ok := w.keys[name]
	return parties, ok
}

func (w *world) key(name string, parties ...eco.PartyName) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.keys[name] = parties
}

func (w *world) follow() {
	w.Helper()
	if err := w.service.Follow(w.Context()); err != nil {
		w.Fatal(err)
	}
}

func (w *world) send() {
	w.Helper()
	if err := w.service.Send(w.Context()); err != nil {
		w.Fatal(err)
	}
}

// happens leaves an entry in the audit log.
func (w *world) happens(actor, event, subject, detail string) {
	w.Helper()
	entry := exchange.AuditEntry{At: w.clock(), Actor: actor, Event: event, Subject: subject, Detail: detail}
	if err := w.store.Record(w.Context(), []exchange.AuditEntry{entry}); err != nil {
		w.Fatal(err)
	}
}

// certificate is one of Korea's for an importer of Taiwan, with everything in it that a notice must not say.
func certificate(reference string) eco.Certificate {
	return eco.Certificate{
		Form: "NON-PREFERENTIAL", Reference: reference, IssuingCountry: "KR", IssuingBody: eco.IssuingBody{ID: "KCCI", Name: "Korea Chamber"},
		Exporter:  eco.Party{Name: "Hanbit Precision Co., Ltd"},
		Consignee: eco.Party{Name: "Formosa Tools Ltd.", Identifiers: []eco.Identifier{{Scheme: "TAX", Value: "22099131"}}},
		Invoices:  []eco.Invoice{{Number: "INV-SECRET-7"}},
		Items: []eco.Item{{
			Number: 1, Description: "lathe chucks", HS: "846620", FOB: &eco.Amount{Value: "98765.43", Currency: "USD"}, Producer: &eco.Party{Name: "Secret Producer"},
		}},
	}
}

const formosa = eco.PartyName("TAX:22099131")

// arrives records a received certificate as a partner's message brings it.
func (w *world) arrives(c eco.Certificate) {
	w.Helper()
	w.serial++
	id := fmt.Sprintf("m%d@kr.example", w.serial)
	key := exchange.CertificateKey{Country: c.IssuingCountry, Form: c.Form, Reference: eco.NormaliseReference(c.Reference)}
	record := exchange.Certificate{Key: key, Data: c, Recorded: w.clock(), Content: c.Reference + c.Remarks, DocumentSigner: "signer", State: exchange.CertificateAvailable,
		Partner: "kr", Message: id, Direction: exchange.Inbound}
	arrival := exchange.Arrival{
		Message: exchange.Message{Direction: exchange.Inbound, Kind: exchange.KindCertificate, State: exchange.StateAccepted, MessageID: id, Partner: "kr",
			Created: w.clock(), ContentType: "text/xml", Content: id, Certificate: key},
		Raw: strings.NewReader("bytes of " + id), Certificate: &record, Document: []byte("document of " + id),
		Audit: []exchange.AuditEntry{{At: w.clock(), Actor: "kr", Event: "certificate.received", Subject: key.String(), Detail: "message " + id}},
	}
	accepted, err := w.store.Accept(w.Context(), []exchange.Arrival{arrival})
	if err != nil || !accepted[0].Fresh {
		w.Fatalf("certificate not accepted: %+v, %v", accepted, err)
	}
}

// notices are those there are.
func (w *world) notices() []notice.Notice {
	w.Helper()
	list, err := w.service.Notices(w.Context(), notice.Query{Limit: 1000})
	if err != nil {
		w.Fatal(err)
	}
	return list
}

// only is the one notice that there is.
func (w *world) only() notice.Notice {
	w.Helper()
	list := w.notices()
	if len(list) != 1 {
		w.Fatalf("%d notices, want 1: %+v", len(list), list)
	}
	return list[0]
}

// brief are the notices as "recipient event state".
func (w *world) brief() []string {
	w.Helper()
	out := []string{}
	for _, n := range w.notices() {
		out = append(out, fmt.Sprintf("%s %s %s", n.Recipient, n.Event, n.State))
	}
	return out
}

// audited counts the entries of an event in the audit log, and gives the last one's detail.
func (w *world) audited(event string) (count int, detail string) {
	w.Helper()
	list, err := w.store.Happenings(w.Context(), 0, 100_000)
	if err != nil {
		w.Fatal(err)
	}
	for _, h := range list {
		if h.Event == event {
			count++
			detail = h.Subject + ": " + h.Detail
		}
	}
	return count, detail
}

const (
	mailUser     = "ecogate"
	mailPassword = "the password of the mail server"
)

// post is a mail server with a credential of a PKI.
type post struct {
	*mailtest.Server
	pki *pkitest.Test
}

// newPost starts a mail server with TLS and one user; set changes it.
func newPost(t *testing.T, set func(*pkitest.Test, *mailtest.Options)) *post {
	t.Helper()
	p := &post{pki: pkitest.NewTest(t, pkitest.Options{Country: "TW", Organisation: "Customs"})}
	_, keyFile, chainFile := p.pki.IssueFiles("mail", pkitest.Request{Name: "mail", Use: pkitest.TLSServer, Hosts: []string{"127.0.0.1"}})
	o := mailtest.Options{KeyFile: keyFile, ChainFile: chainFile, User: mailUser, Password: mailPassword}
	if set != nil {
		set(p.pki, &o)
	}
	p.Server = mailtest.Start(t, o)
	return p
}

// roots are the CA of the server.
func (p *post) roots() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(p.pki.Root.X509Cert)
	return pool
}

// mailer is how a node uses the server; set changes that.
func (p *post) mailer(t *testing.T, now func() time.Time, set func(*notice.MailOptions)) *notice.Mailer {
	t.Helper()
	password := filepath.Join(t.TempDir(), "password")
	if err := os.WriteFile(password, []byte(mailPassword+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	o := notice.MailOptions{
		Host: "127.0.0.1", Port: p.Port, Roots: p.roots(), Auth: notice.AuthAny, User: mailUser, PasswordFile: password,
		Hello: "node.customs.example", From: "Customs of Taiwan <eco@customs.example>", ReplyTo: "desk@customs.example", Timeout: 10 * time.Second, Now: now,
	}
	if set != nil {
		set(&o)
	}
	m, err := notice.NewMailer(o)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// importer is a recipient of everything for one importer.
func importer() notice.Recipient {
	return notice.Recipient{ID: "formosa", Audience: notice.Importers, Address: "import@" + mailtest.Domain, Language: "en", Parties: []eco.PartyName{formosa}}
}

// operator is one of all alerts.
func operator() notice.Recipient {
	return notice.Recipient{ID: "ops", Audience: notice.Operators, Address: "ops@" + mailtest.Domain, Language: "en"}
}
