package api_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/ecogate/ecogate/api"
	"github.com/ecogate/ecogate/clearance"
	"github.com/ecogate/ecogate/clearance/notice"
	"github.com/ecogate/ecogate/eco"
	"github.com/ecogate/ecogate/exchange"
)

// noKeys knows the keys of the tests; the importer and the broker stand for one party.
type noKeys struct{}

func (noKeys) Parties(name string) ([]eco.PartyName, bool) {
	return []eco.PartyName{"TAX:1"}, name == "trader" || name == "forwarder"
}

// mailServer takes every mail but those to nobody@, on loopback and in the clear, and counts them. What a real one does is told by the tests of
// clearance/notice.
func mailServer(t *testing.T) (port int, taken *int) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	taken = new(int)
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			_, _ = io.WriteString(conn, "220 mail.example ESMTP\r\n")
			data := false
			for lines := bufio.NewScanner(conn); lines.Scan(); {
				answer := "250 ok"
				switch line := lines.Text(); {
				case data && line != ".":
					continue
				case data:
					data = false
					*taken++
				case line == "DATA":
					data, answer = true, "354 go on"
				case strings.HasPrefix(line, "RCPT TO:<nobody@"):
					answer = "550 5.1.1 no such user"
				case line == "QUIT":
					answer = "221 bye"
				}
				_, _ = io.WriteString(conn, answer+"\r\n")
			}
			_ = conn.Close()
		}
	}()
	return l.Addr().(*net.TCPAddr).Port, taken
}

// telling is an API over a service that tells by mail, and by webhooks at hook, which may be nil.
func telling(t *testing.T, hook *httptest.Server) (f *fixture, service *notice.Service, taken *int) {
	t.Helper()
	port, taken := mailServer(t)
	f = serve(t, func(o *api.Options) {
		o.Keys = keySet(t, withParties(keys()))
		service = tellingOver(t, o.Store.(clearance.Store), port, hook)
		o.Notices = service
	})
	return f, service, taken
}

// tellingOver is that service over a store.
func tellingOver(t *testing.T, store clearance.Store, port int, hook *httptest.Server) *notice.Service {
	t.Helper()
	templates, err := notice.NewTemplates("Customs", nil)
	if err != nil {
		t.Fatal(err)
	}
	clock := func() time.Time { return now }
	mailer, err := notice.NewMailer(notice.MailOptions{Host: "127.0.0.1", Port: port, Security: notice.Plain, From: "eco@customs.example", Now: clock})
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	if hook != nil {
		pool.AddCert(hook.Certificate())
	}
	service, err := notice.New(notice.Options{
		Store: store, Books: nothingExported{}, Keys: noKeys{}, Templates: templates, Now: clock, Mailer: mailer,
		Poster: notice.NewPoster(notice.PosterOptions{Now: clock, TLS: &tls.Config{RootCAs: pool}}),
		Recipients: func() []notice.Recipient {
			return []notice.Recipient{{ID: "ops", Audience: notice.Operators, Address: "ops@customs.example"}}
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	return service
}

func withParties(keys []api.Key) []api.Key {
	for i := range keys {
		if keys[i].Role == api.RoleImporter || keys[i].Role == api.RoleBroker {
			keys[i].Parties = []eco.PartyName{"TAX:1"}
		}
	}
	return keys
}

type nothingExported struct{}

func (nothingExported) Exported(_ context.Context, _ clearance.Key) ([]notice.Exported, error) {
	return nil, nil
}

// codeMailed is the code in the notice that waits for an address, as the store has it.
func (f *fixture) codeMailed() string {
	f.t.Helper()
	list, err := f.store.Dockets(f.t.Context(), clearance.DocketQuery{Kind: notice.KindNotice})
	if err != nil || len(list) == 0 {
		f.t.Fatal("no notice", err)
	}
	var n notice.Notice
	if err := list[len(list)-1].Into(&n); err != nil {
		f.t.Fatal(err)
	}
	return n.Facts.Code
}

func TestImporterSignsUpAndOut(t *testing.T) {
	f, service, taken := telling(t, nil)
	importer, broker, operator := f.client(importerSecret), f.client(brokerSecret), f.client(operatorSecret)
	made, err := importer.Subscribe(t.Context(), notice.SubscriptionRequest{Email: "a@b.example", Language: "ko", Events: []notice.Event{notice.CertificateArrived}, Digest: notice.Daily})
	if err != nil || made.Key != "trader" || made.Audience != notice.Importers || !made.Confirmed.IsZero() {
		t.Fatalf("%+v, %v", made, err)
	}
	code := f.codeMailed()
	if err := service.Send(t.Context()); err != nil || *taken != 1 {
		t.Fatalf("%d mails, %v", *taken, err)
	}
	if _, err := importer.ConfirmSubscription(t.Context(), made.ID, "wrong"); !isProblem(err, api.CodeNotConfirmed) {
		t.Errorf("wrong code: %v", err)
	}
	if _, err := broker.ConfirmSubscription(t.Context(), made.ID, code); !errors.Is(err, exchange.ErrNotFound) {
		t.Errorf("somebody else's: %v", err)
	}
	if done, err := importer.ConfirmSubscription(t.Context(), made.ID, code); err != nil || done.Confirmed.IsZero() {
		t.Errorf("%+v, %v", done, err)
	}
	if _, err := importer.NewSubscriptionSecret(t.Context(), made.ID); !isProblem(err, api.CodeInvalidSubscription) {
		t.Errorf("secret of an address: %v", err)
	}
	for name, client := range map[string]*api.Client{"importer": importer, "operator": operator} {
		if list, err := client.Subscriptions(t.Context()); err != nil || len(list) != 1 || list[0].ID != made.ID {
			t.Errorf("%s sees %+v, %v", name, list, err)
		}
	}
	if list, err := broker.Subscriptions(t.Context()); err != nil || len(list) != 0 {
		t.Errorf("broker sees %+v, %v", list, err)
	}
	if _, err := broker.Unsubscribe(t.Context(), made.ID); !errors.Is(err, exchange.ErrNotFound) {
		t.Errorf("somebody else ends it: %v", err)
	}
	if done, err := importer.Unsubscribe(t.Context(), made.ID); err != nil || done.ID != made.ID {
		t.Errorf("%+v, %v", done, err)
	}
	for range 5 {
		if _, err := importer.Subscribe(t.Context(), notice.SubscriptionRequest{Email: "a@b.example"}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := importer.Subscribe(t.Context(), notice.SubscriptionRequest{Email: "a@b.example"}); !isProblem(err, api.CodeManySubscriptions) {
		t.Errorf("a sixth that is not confirmed: %v", err)
	}
	if stored := f.log.take(); strings.Contains(stored, code) {
		t.Error("the log tells the code")
	}
}

func TestBrokersWebhookIsChallenged(t *testing.T) {
	answers := true
	hook := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var payload struct{ Data map[string]string }
		if answers && json.NewDecoder(r.Body).Decode(&payload) == nil {
			_ = json.NewEncoder(w).Encode(map[string]string{"challenge": payload.Data["challenge"]})
		}
	}))
	t.Cleanup(hook.Close)
	f, _, _ := telling(t, hook)
	broker := f.client(brokerSecret)
	made, err := broker.Subscribe(t.Context(), notice.SubscriptionRequest{Webhook: hook.URL, Audience: notice.Importers, Parties: []string{"tax:1"}})
	if err != nil || !strings.HasPrefix(made.SigningSecret, "whsec_") {
		t.Fatalf("%+v, %v", made, err)
	}
	answers = false
	if _, err := broker.ConfirmSubscription(t.Context(), made.ID, ""); !isProblem(err, api.CodeNotConfirmed) {
		t.Errorf("webhook that does not answer: %v", err)
	}
	answers = true
	if done, err := broker.ConfirmSubscription(t.Context(), made.ID, ""); err != nil || done.Confirmed.IsZero() || done.SigningSecret != "" {
		t.Errorf("%+v, %v", done, err)
	}
	if done, err := broker.NewSubscriptionSecret(t.Context(), made.ID); err != nil || done.SigningSecret == made.SigningSecret || done.SigningSecret == "" {
		t.Errorf("%+v, %v", done, err)
	}
	for _, list := range []answer{f.request(brokerSecret, http.MethodGet, "/api/v1/subscriptions", ""), f.request(operatorSecret, http.MethodGet, "/api/v1/subscriptions", "")} {
		if strings.Contains(string(list.body), "secret") {
			t.Errorf("a list tells of secrets: %s", list.body)
		}
	}
}

func TestOperatorSeesNoticesAndTestsMail(t *testing.T) {
	f, service, taken := telling(t, nil)
	operator := f.client(operatorSecret)
	if err := service.Follow(t.Context()); err != nil {
		t.Fatal(err)
	}
	for i := range 3 {
		entry := exchange.AuditEntry{At: now, Actor: "KR", Event: "message.quarantined", Subject: fmt.Sprintf("m%d", i)}
		if err := f.store.Record(t.Context(), []exchange.AuditEntry{entry}); err != nil {
			t.Fatal(err)
		}
	}
	if err := service.Follow(t.Context()); err != nil {
		t.Fatal(err)
	}
	page, err := operator.Notices(t.Context(), notice.Query{State: notice.Queued, Recipient: "ops", Limit: 2})
	if err != nil || len(page.Notices) != 2 || page.Next != page.Notices[1].ID || page.Notices[0].Facts.Partner != "KR" {
		t.Fatalf("%+v, %v", page, err)
	}
	if page, err = operator.Notices(t.Context(), notice.Query{Recipient: "ops", After: page.Next}); err != nil || len(page.Notices) != 1 || page.Next != "" {
		t.Fatalf("%+v, %v", page, err)
	}
	if _, err := operator.Notices(t.Context(), notice.Query{After: "17-nobody"}); !errors.Is(err, exchange.ErrNotFound) {
		t.Errorf("after what is not there: %v", err)
	}
	if n, err := operator.RetryNotice(t.Context(), page.Notices[0].ID); err != nil || n.State != notice.Queued {
		t.Errorf("%+v, %v", n, err)
	}
	if _, err := operator.RetryNotice(t.Context(), "17-nobody"); !errors.Is(err, exchange.ErrNotFound) {
		t.Errorf("retry of what is not there: %v", err)
	}
	if err := service.Send(t.Context()); err != nil || *taken != 3 {
		t.Fatalf("%d mails, %v", *taken, err)
	}
	if _, err := operator.RetryNotice(t.Context(), page.Notices[0].ID); !isProblem(err, api.CodeInvalidSubscription) {
		t.Errorf("retry of what was sent: %v", err)
	}
	if done, err := operator.TestNotice(t.Context(), "desk@customs.example", "lo"); err != nil || done.Address != "desk@customs.example" || *taken != 4 {
		t.Errorf("%+v, %v", done, err)
	}
	if _, err := operator.TestNotice(t.Context(), "nobody@customs.example", ""); !isProblem(err, api.CodeMailNotSent) || !strings.Contains(err.Error(), "no such user") {
		t.Errorf("mail that is refused: %v", err)
	}
	if _, err := operator.TestNotice(t.Context(), "nobody", ""); !isProblem(err, api.CodeInvalidSubscription) {
		t.Errorf("no address: %v", err)
	}
}

func TestNoticesAreForThoseWhomTheyConcern(t *testing.T) {
	f, _, _ := telling(t, nil)
	for _, c := range []struct {
		secret, method, path, body string
		status                     int
	}{
		{issuerSecret, http.MethodPost, "/subscriptions", `{"email":"a@b.example"}`, 403},
		{officerSecret, http.MethodGet, "/subscriptions", "", 403},
		{operatorSecret, http.MethodPost, "/subscriptions", `{"email":"a@b.example"}`, 403},
		{importerSecret, http.MethodGet, "/notices", "", 403},
		{importerSecret, http.MethodPost, "/notices/test", `{"address":"a@b.example"}`, 403},
		{importerSecret, http.MethodPost, "/subscriptions", `{"email":"a@b.example","email":"c@d.example"}`, 400},
		{importerSecret, http.MethodPost, "/subscriptions", `{"mail":"a@b.example"}`, 400},
		{importerSecret, http.MethodPost, "/subscriptions", `{"email":"a@b.example"} x`, 400},
		{importerSecret, http.MethodPost, "/subscriptions", `{"email":"a@b.example\r\nBcc: c@d.example"}`, 422},
		{importerSecret, http.MethodPost, "/subscriptions?x=1", `{"email":"a@b.example"}`, 400},
		{importerSecret, http.MethodDelete, "/subscriptions/sub-%2e%2e%2f", "", 404},
		{operatorSecret, http.MethodGet, "/notices?state=lost", "", 400},
		{operatorSecret, http.MethodGet, "/notices?limit=0", "", 400},
	} {
		if a := f.request(c.secret, c.method, "/api/v1"+c.path, c.body); a.status != c.status {
			t.Errorf("%s %s %s: %d, want %d: %s", c.method, c.path, c.body, a.status, c.status, a.body)
		}
	}
	without := serve(t, nil)
	if a := without.request(importerSecret, http.MethodGet, "/api/v1/subscriptions", ""); a.problem(t).Code != api.CodeNoPath {
		t.Errorf("a node without notices: %s", a.body)
	}
}

func isProblem(err error, code api.Code) bool {
	var p *api.Problem
	return errors.As(err, &p) && p.Code == code
}
