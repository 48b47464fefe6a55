package api_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/ecogate/ecogate/api"
	"github.com/ecogate/ecogate/clearance/lookup"
	"github.com/ecogate/ecogate/ebms"
	"github.com/ecogate/ecogate/eco"
	"github.com/ecogate/ecogate/exchange"
	"github.com/ecogate/ecogate/partners"
	"github.com/ecogate/ecogate/store/bolt"
)

var now = time.Date(2026, 11, 20, 8, 30, 0, 0, time.UTC)

// The secrets of the users, one of each role; keys are known to the API under the roles' names.
const (
	issuerSecret   = "issuer-secret-1"
	brokerSecret   = "broker-secret-2"
	officerSecret  = "officer-secret-3"
	operatorSecret = "operator-secret-4"
	importerSecret = "importer-secret-6"
	customsSecret  = "customs-secret-7"
)

// ownParties are whom the broker stands for: the consignee of the test's certificates, unless a test says otherwise.
var ownParties = []eco.PartyName{consignee}

// consignee is that of the certificates that certificate makes.
const consignee eco.PartyName = "NAME:RED RIVER INDUSTRIAL SUPPLY JSC"

func keys() []api.Key {
	return []api.Key{
		{Name: "chamber", Role: api.RoleIssuer, SHA256: digest([]byte(issuerSecret))},
		{Name: "forwarder", Role: api.RoleBroker, SHA256: digest([]byte(brokerSecret)), Parties: ownParties},
		{Name: "post-12", Role: api.RoleOfficer, SHA256: digest([]byte(officerSecret))},
		{Name: "night-shift", Role: api.RoleOperator, SHA256: digest([]byte(operatorSecret))},
		{Name: "trader", Role: api.RoleImporter, SHA256: digest([]byte(importerSecret)), Parties: ownParties},
		{Name: "clearance", Role: api.RoleCustoms, SHA256: digest([]byte(customsSecret))},
	}
}

func keySet(t testing.TB, keys []api.Key) *api.KeySet {
	t.Helper()
	set, err := api.NewKeySet(keys)
	if err != nil {
		t.Fatal(err)
	}
	return set
}

func digest(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

// submitter answers Submit with a function, whatever is attached.
type submitter func(actor, partner string, c eco.Certificate) (exchange.Submission, error)

func (f submitter) Submit(_ context.Context, actor, partner string, c eco.Certificate, _ ...exchange.Attachment) (exchange.Submission, error) {
	return f(actor, partner, c)
}

// taker answers Submit with a function that looks at the attachments.
type taker func(c eco.Certificate, attachments []exchange.Attachment) error

func (f taker) Submit(_ context.Context, actor, partner string, c eco.Certificate, attachments ...exchange.Attachment) (exchange.Submission, error) {
	if err := f(c, attachments); err != nil {
		return exchange.Submission{}, err
	}
	return accepting(actor, partner, c)
}

// operator is a node with the partners KR and TW, which does what it is told and answers with what it has. It keeps what it was
// asked in words.
type operator struct {
	paused *exchange.Pause // of KR
	err    error
	asked  []string
	// within is how much time the last question had.
	within time.Duration
	parts  func(exchange.Message) (*exchange.Parts, error)
}

func (o *operator) Partners(context.Context) ([]exchange.PartnerStatus, error) {
	return []exchange.PartnerStatus{{ID: "KR", Name: "Korea Customs Service", Mode: partners.ModeLive, Pause: o.paused}, {ID: "TW", Name: "Customs Administration", Mode: partners.ModeTest, Failures: 5, Suspended: now}}, nil
}

func (o *operator) Pause(_ context.Context, actor, partner, why string) error {
	o.asked = append(o.asked, fmt.Sprintf("%s pauses %s: %s", actor, partner, why))
	o.paused = &exchange.Pause{Partner: partner, Since: now, By: actor, Why: why}
	return o.err
}

func (o *operator) Resume(_ context.Context, actor, partner string) error {
	o.asked = append(o.asked, fmt.Sprintf("%s resumes %s", actor, partner))
	o.paused = nil
	return o.err
}

func (o *operator) Ping(ctx context.Context, actor, partner, cpaID string) (exchange.Ping, error) {
	o.note(ctx, fmt.Sprintf("%s pings %s under %q", actor, partner, cpaID))
	return exchange.Ping{
		Partner: partner, CPAID: "urn:cpa", Endpoint: "https://kr.example/ebms", MessageID: "ping@la", Sent: now, Status: 204,
		Took: time.Second, Answered: now.Add(2 * time.Second), RoundTrip: 2 * time.Second, Signer: "ab12",
	}, o.err
}

func (o *operator) AskStatus(ctx context.Context, actor, partner, messageID string) (exchange.MessageStatus, error) {
	o.note(ctx, fmt.Sprintf("%s asks %s about %s", actor, partner, messageID))
	return exchange.MessageStatus{Partner: partner, MessageID: messageID, Status: "Processed", Received: now, Answered: now}, o.err
}

func (o *operator) note(ctx context.Context, what string) {
	o.asked = append(o.asked, what)
	if end, ok := ctx.Deadline(); ok {
		o.within = time.Until(end)
	}
}

func (o *operator) Parts(_ context.Context, m exchange.Message) (*exchange.Parts, error) {
	return o.parts(m)
}

// dealer is a node that sends every business message, unless it has an error, and keeps what it was asked in words.
type dealer struct {
	err   error
	asked []string
}

func (d *dealer) did(what string, about any, q exchange.CertificateQuery) (exchange.Said, error) {
	d.asked = append(d.asked, fmt.Sprintf("%s %s %s %s %s: %+v", what, q.Reference, q.Country, q.Form, q.Partner, about))
	return exchange.Said{
		Message: exchange.Message{Seq: 9, MessageID: "m9@la", State: exchange.StateQueued, Kind: exchange.KindResponse, Partner: "KR"},
		Key:     exchange.CertificateKey{Country: "KR", Form: "ATIGA-D", Reference: "R1"}, State: exchange.CertificateUsedUp,
	}, d.err
}

func (d *dealer) Cancel(_ context.Context, actor string, q exchange.CertificateQuery, reason string) ([]exchange.Said, error) {
	said, err := d.did(actor+" cancels", reason, q)
	return []exchange.Said{said}, err
}

func (d *dealer) Resend(_ context.Context, actor string, q exchange.CertificateQuery) (exchange.Said, error) {
	return d.did(actor+" resends", "", q)
}

func (d *dealer) Respond(_ context.Context, actor string, q exchange.CertificateQuery, x exchange.Decision) (exchange.Said, error) {
	return d.did(actor+" responds to", x, q)
}

func (d *dealer) AskCertificate(_ context.Context, actor, partner string, about eco.CertificateID) (exchange.CertificateStatus, error) {
	_, err := d.did(actor+" asks "+partner+" about", about, exchange.CertificateQuery{})
	return exchange.CertificateStatus{Partner: partner, MessageID: "q@la", Answered: now, Report: &eco.StatusReport{Standing: eco.StandingAvailable}}, err
}

func (d *dealer) RequestVerification(_ context.Context, actor string, q exchange.CertificateQuery, x exchange.Doubt) (exchange.Said, error) {
	return d.did(actor+" doubts", x.Ground, q)
}

func (d *dealer) Release(_ context.Context, actor string, q exchange.CertificateQuery, why string) (exchange.Certificate, error) {
	said, err := d.did(actor+" releases", why, q)
	return exchange.Certificate{Key: said.Key, State: exchange.CertificateAvailable, Partner: "KR"}, err
}

func (d *dealer) ReplyVerification(_ context.Context, actor string, q exchange.CertificateQuery, x exchange.Clarification) (exchange.Said, error) {
	return d.did(actor+" clarifies", x.Result, q)
}

// accepting takes every certificate as a fresh one.
func accepting(_, partner string, c eco.Certificate) (exchange.Submission, error) {
	key := exchange.CertificateKey{Country: c.IssuingCountry, Form: c.Form, Reference: eco.NormaliseReference(c.Reference)}
	return exchange.Submission{
		Message: exchange.Message{Seq: 7, MessageID: "m7@la", State: exchange.StateQueued, Partner: partner}, Key: key, Fresh: true,
	}, nil
}

// auditor answers Record with a function.
type auditor func([]exchange.AuditEntry) error

func (f auditor) Record(_ context.Context, entries []exchange.AuditEntry) error { return f(entries) }

// forgetting takes every entry.
func forgetting([]exchange.AuditEntry) error { return nil }

// damage is a store whose stored bytes give an error.
type damage struct {
	api.Reader
	err error
}

func (d damage) Raw(context.Context, exchange.RawRef) (exchange.Content, error) { return nil, d.err }

// fixture is a served API over a real store.
type fixture struct {
	t      *testing.T
	store  *bolt.Store
	server *httptest.Server
	router *echo.Echo
	log    *logBuffer
}

// logBuffer is a log that a test may read while requests end.
type logBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *logBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

// take returns what was logged since the last call.
func (b *logBuffer) take() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	s := b.buf.String()
	b.buf.Reset()
	return s
}

// serve starts an API; adjust may change its options.
func serve(t *testing.T, adjust func(*api.Options)) *fixture {
	t.Helper()
	store, err := bolt.Open(t.TempDir(), bolt.Options{Now: func() time.Time { return now }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	f := &fixture{t: t, store: store, log: new(logBuffer)}
	o := api.Options{
		Node: submitter(accepting), Operator: new(operator), Dealer: new(dealer), Store: store, Audit: store, Keys: keySet(t, keys()), Now: func() time.Time { return now },
		Log: slog.New(slog.NewJSONHandler(f.log, nil)),
	}
	o.Lookups = desk(t, lookup.Options{Store: store, Parties: func(key string) []eco.PartyName { return o.Keys.Parties(key) }})
	o.Handovers = handovers(t, store, nil)
	if adjust != nil {
		adjust(&o)
	}
	handler, err := api.New(o)
	if err != nil {
		t.Fatal(err)
	}
	f.router, _ = handler.(*echo.Echo)
	f.server = httptest.NewServer(held(t, handler))
	t.Cleanup(f.server.Close)
	return f
}

// desk is one that waits for nothing.
func desk(t *testing.T, o lookup.Options) *lookup.Desk {
	t.Helper()
	if o.Now == nil {
		o.Now = func() time.Time { return now }
	}
	if o.Wait == nil {
		o.Wait = func(context.Context, time.Duration) {}
	}
	d, err := lookup.New(o)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// client returns a client with a user's key.
func (f *fixture) client(secret string) *api.Client {
	f.t.Helper()
	c, err := api.NewClient(f.server.URL, secret, nil)
	if err != nil {
		f.t.Fatal(err)
	}
	return c
}

// answer is an HTTP answer read to its end.
type answer struct {
	status int
	header http.Header
	body   []byte
}

// request sends one request with a user's key, if any, and headers given in pairs.
func (f *fixture) request(secret, method, target, body string, headers ...string) answer {
	f.t.Helper()
	req, err := http.NewRequest(method, f.server.URL+target, strings.NewReader(body))
	if err != nil {
		f.t.Fatal(err)
	}
	if secret != "" {
		req.Header.Set("Authorization", "Bearer "+secret)
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	res, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		f.t.Fatal(err)
	}
	defer res.Body.Close()
	data, err := io.ReadAll(res.Body)
	if err != nil {
		f.t.Fatal(err)
	}
	return answer{res.StatusCode, res.Header, data}
}

// problem decodes an answer that must be a problem.
func (a answer) problem(t *testing.T) api.Problem {
	t.Helper()
	if got := a.header.Get("Content-Type"); got != api.ProblemMediaType {
		t.Fatalf("Content-Type = %q, want %q; body %s", got, api.ProblemMediaType, a.body)
	}
	var p api.Problem
	if err := json.Unmarshal(a.body, &p); err != nil {
		t.Fatalf("problem %s: %v", a.body, err)
	}
	if p.Status != a.status {
		t.Errorf("problem's status = %d, HTTP's is %d", p.Status, a.status)
	}
	return p
}

// certificateJSON is a valid certificate in its JSON form.
func certificateJSON(t testing.TB) json.RawMessage {
	t.Helper()
	data, err := os.ReadFile("../testdata/certificates/atiga-form-d.json")
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// certificate is the same as a value, under another reference.
func certificate(t testing.TB, reference string) eco.Certificate {
	t.Helper()
	c, err := eco.Decode(certificateJSON(t))
	if err != nil {
		t.Fatal(err)
	}
	c.Reference = reference
	return c
}

// record makes the store's record of a certificate.
func record(c eco.Certificate, messageID, content string) *exchange.Certificate {
	return &exchange.Certificate{
		Key:     exchange.CertificateKey{Country: c.IssuingCountry, Form: c.Form, Reference: eco.NormaliseReference(c.Reference)},
		Partner: "KR", Message: messageID, Content: content, Recorded: now, Data: c,
	}
}

// exported puts a certificate into the store as sent to a partner.
func (f *fixture) exported(reference, messageID string) {
	f.t.Helper()
	c := record(certificate(f.t, reference), messageID, "as submitted")
	c.Direction, c.State = exchange.Outbound, exchange.CertificateReleased
	results, err := f.store.Enqueue(f.t.Context(), []exchange.Departure{{
		Message: exchange.Message{
			Direction: exchange.Outbound, Kind: exchange.KindCertificate, State: exchange.StateQueued, MessageID: messageID,
			Partner: "KR", Created: now, Due: now, Certificate: c.Key, ContentType: "text/xml",
		},
		Raw: ebms.Bytes([]byte("raw of " + messageID)), Certificate: c, Document: []byte("<document of=\"" + messageID + "\"/>"),
	}})
	if err != nil || results[0].Err != nil {
		f.t.Fatal(err, results)
	}
}

// imported puts a certificate into the store as received; content tells two of one reference apart.
func (f *fixture) imported(reference, messageID, content string) {
	f.t.Helper()
	f.accept(f.arrival(reference, messageID, content))
}

// arrival is a message of KR that brings a certificate.
func (f *fixture) arrival(reference, messageID, content string) exchange.Arrival {
	f.t.Helper()
	c := record(certificate(f.t, reference), messageID, content)
	c.Direction, c.State = exchange.Inbound, exchange.CertificateAvailable
	return exchange.Arrival{
		Message: exchange.Message{
			Direction: exchange.Inbound, Kind: exchange.KindCertificate, State: exchange.StateAccepted, MessageID: messageID,
			Partner: "KR", Created: now, Certificate: c.Key, Content: content, ContentType: `multipart/related; boundary="b"`,
		},
		Raw: ebms.Bytes([]byte("raw of " + messageID)), Certificate: c, Document: []byte("<document of=\"" + messageID + "\"/>"),
	}
}

// quarantined puts a message into the store that was refused.
func (f *fixture) quarantined(messageID, contentType string) {
	f.t.Helper()
	f.accept(exchange.Arrival{
		Message: exchange.Message{
			Direction: exchange.Inbound, Kind: exchange.KindUnknown, State: exchange.StateQuarantined, MessageID: messageID,
			Created: now, ContentType: contentType, Reason: &exchange.Reason{Code: "SecurityFailure", Cause: "no signature"},
		},
		Raw: ebms.Bytes([]byte("raw refused")),
	})
}

func (f *fixture) accept(a exchange.Arrival) {
	f.t.Helper()
	if _, err := f.store.Accept(f.t.Context(), []exchange.Arrival{a}); err != nil {
		f.t.Fatal(err)
	}
}
