package notice_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/ecogate/ecogate/clearance"
	"github.com/ecogate/ecogate/clearance/notice"
	"github.com/ecogate/ecogate/internal/mailtest"
)

var (
	formosaKey = notice.Subscriber{Key: "formosa", Audiences: []notice.Audience{notice.Importers}}
	brokerKey  = notice.Subscriber{Key: "acme-broker", Audiences: []notice.Audience{notice.Brokers, notice.Importers}}
	operations = notice.Subscriber{Key: "operations", Operator: true}
)

// An address is told nothing before the code that was mailed to it came back.
func TestAddressIsConfirmedByACode(t *testing.T) {
	p := newPost(t, nil)
	w := newWorld(t, nil)
	w.options.Mailer = p.mailer(t, w.clock, nil)
	w.restart()
	w.key("formosa", formosa)
	sub, err := w.service.Subscribe(t.Context(), formosaKey, notice.SubscriptionRequest{Email: "import@" + mailtest.Domain, Language: "vi"})
	if err != nil || sub.SigningSecret != "" || !sub.Confirmed.IsZero() {
		t.Fatalf("subscription %+v, %v", sub, err)
	}
	w.arrives(certificate("K001-26-00001"))
	w.follow()
	w.send()
	m := open(t, p.Wait(t, 1)[0])
	found := regexp.MustCompile(`Mã: ([A-Z2-7]{8})\r?\n`).FindStringSubmatch(m.text)
	if found == nil || m.subject != "Xác nhận địa chỉ nhận thông báo" {
		t.Fatalf("mail %q: %s", m.subject, m.text)
	}
	keep(t, "confirm-vi", p.Mails(t)[0])
	if n := w.only(); n.State != notice.Sent || n.Facts.Code != "" {
		t.Errorf("notice %+v", n)
	}
	if list, err := w.store.Dockets(t.Context(), clearance.DocketQuery{Kind: notice.KindNotice}); err != nil || strings.Contains(string(list[0].Value), found[1]) {
		t.Error("the code stays in the store after it was sent", err)
	}
	if list, err := w.store.Dockets(t.Context(), clearance.DocketQuery{Kind: notice.KindSubscription}); err != nil || strings.Contains(string(list[0].Value), found[1]) {
		t.Error("the code is in the store", err)
	}
	if _, err := w.service.Confirm(t.Context(), formosaKey, sub.ID, "AAAAAAAA"); !errors.Is(err, notice.ErrNotConfirmed) {
		t.Errorf("wrong code: %v", err)
	}
	if _, err := w.service.Confirm(t.Context(), brokerKey, sub.ID, found[1]); !errors.Is(err, notice.ErrUnknown) {
		t.Errorf("somebody else's code: %v", err)
	}
	w.pass(time.Minute)
	if _, err := w.service.Confirm(t.Context(), formosaKey, sub.ID, " "+strings.ToLower(found[1])+" "); err != nil {
		t.Fatal(err)
	}
	w.arrives(certificate("K001-26-00002"))
	w.follow()
	w.send()
	if m := open(t, p.Wait(t, 2)[1]); !strings.Contains(m.subject, "K001-26-00002") {
		t.Errorf("mail %q", m.subject)
	}
	// The key is taken away: nothing is told any more.
	w.mu.Lock()
	delete(w.keys, "formosa")
	w.mu.Unlock()
	w.arrives(certificate("K001-26-00003"))
	w.follow()
	if got := len(w.notices()); got != 2 {
		t.Errorf("%d notices after the key was taken away", got)
	}
}

func TestCodesCannotBeTriedOut(t *testing.T) {
	p := newPost(t, nil)
	w := newWorld(t, nil)
	w.options.Mailer = p.mailer(t, w.clock, nil)
	w.restart()
	w.key("formosa", formosa)
	sub, err := w.service.Subscribe(t.Context(), formosaKey, notice.SubscriptionRequest{Email: "import@" + mailtest.Domain})
	if err != nil {
		t.Fatal(err)
	}
	w.send()
	code := regexp.MustCompile(`Code: ([A-Z2-7]{8})`).FindStringSubmatch(open(t, p.Wait(t, 1)[0]).text)[1]
	for range 5 {
		if _, err := w.service.Confirm(t.Context(), formosaKey, sub.ID, "wrong"); !errors.Is(err, notice.ErrNotConfirmed) {
			t.Fatal(err)
		}
	}
	if _, err := w.service.Confirm(t.Context(), formosaKey, sub.ID, code); !errors.Is(err, notice.ErrNotConfirmed) || !strings.Contains(err.Error(), "too many") {
		t.Errorf("the right code after five wrong ones: %v", err)
	}
}

// Nobody can have mail sent again and again to an address that is not his, not by ending what he has begun either.
func TestUnconfirmedSubscriptionsAreFew(t *testing.T) {
	p := newPost(t, nil)
	w := newWorld(t, nil)
	w.options.Mailer = p.mailer(t, w.clock, nil)
	w.restart()
	w.key("formosa", formosa)
	request := notice.SubscriptionRequest{Email: "victim@" + mailtest.Domain}
	for range 5 {
		sub, err := w.service.Subscribe(t.Context(), formosaKey, request)
		if err != nil {
			t.Fatal(err)
		}
		w.send()
		if _, err := w.service.Unsubscribe(t.Context(), formosaKey, sub.ID); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := w.service.Subscribe(t.Context(), formosaKey, request); !errors.Is(err, notice.ErrManySubscriptions) {
		t.Errorf("a sixth: %v", err)
	}
	if list, err := w.service.Subscriptions(t.Context(), formosaKey); err != nil || len(list) != 0 {
		t.Errorf("subscriptions %+v, %v", list, err)
	}
	w.pass(24 * time.Hour)
	if err := w.service.Sweep(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := w.service.Subscribe(t.Context(), formosaKey, request); err != nil {
		t.Errorf("a day later: %v", err)
	}
}

func TestWebhookIsConfirmedByAChallenge(t *testing.T) {
	h := newHook(t)
	w := newWorld(t, nil)
	w.posts(h, nil) // without Control every address is public
	w.key("acme-broker")
	sub, err := w.service.Subscribe(t.Context(), brokerKey, notice.SubscriptionRequest{Webhook: h.URL + "/hook"})
	if err != nil || !strings.HasPrefix(sub.SigningSecret, "whsec_") {
		t.Fatalf("subscription %+v, %v", sub, err)
	}
	secrets, err := notice.ParseSecrets([]byte(sub.SigningSecret))
	if err != nil {
		t.Fatal(err)
	}
	for name, answer := range map[string]func(http.ResponseWriter, *http.Request, []byte){
		"empty":       func(http.ResponseWriter, *http.Request, []byte) {},
		"another one": func(w http.ResponseWriter, _ *http.Request, _ []byte) { _, _ = fmt.Fprint(w, `{"challenge":"x"}`) },
		"an error":    func(w http.ResponseWriter, _ *http.Request, _ []byte) { w.WriteHeader(http.StatusNotFound) },
	} {
		h.answers(answer)
		if _, err := w.service.Confirm(t.Context(), brokerKey, sub.ID, ""); !errors.Is(err, notice.ErrNotConfirmed) {
			t.Errorf("%s: %v", name, err)
		}
	}
	h.answers(func(rw http.ResponseWriter, r *http.Request, body []byte) {
		if err := verified(t, secrets[0], r, body); err != nil {
			t.Errorf("challenge: %v", err)
		}
		var payload struct{ Data map[string]string }
		if err := json.Unmarshal(body, &payload); err != nil {
			t.Errorf("challenge %s: %v", body, err)
		}
		_ = json.NewEncoder(rw).Encode(map[string]string{"challenge": payload.Data["challenge"]})
	})
	confirmed, err := w.service.Confirm(t.Context(), brokerKey, sub.ID, "")
	if err != nil || confirmed.Confirmed.IsZero() || confirmed.SigningSecret != "" {
		t.Fatalf("confirmed %+v, %v", confirmed, err)
	}
	h.answers(func(http.ResponseWriter, *http.Request, []byte) {})
	err = w.store.File(t.Context(), clearance.Batch{Dockets: []clearance.Docket{docket("watch", "w1", map[string]string{"owner": "acme-broker", "reference": "K1"})}})
	if err != nil {
		t.Fatal(err)
	}
	last := func() (*http.Request, []byte) {
		w.pass(2 * time.Hour)
		w.happens("node", "watch.closed", "w1", "")
		w.follow()
		w.send()
		return h.requests[len(h.requests)-1], h.bodies[len(h.bodies)-1]
	}
	request, body := last()
	if err := verified(t, secrets[0], request, body); err != nil || !strings.Contains(string(body), `"type":"watch.closed"`) {
		t.Errorf("%v: %s", err, body)
	}
	// The secret is changed: both sign for a day.
	changed, err := w.service.NewSecret(t.Context(), brokerKey, sub.ID)
	if err != nil {
		t.Fatal(err)
	}
	next, err := notice.ParseSecrets([]byte(changed.SigningSecret))
	if err != nil {
		t.Fatal(err)
	}
	request, body = last()
	if err := errors.Join(verified(t, secrets[0], request, body), verified(t, next[0], request, body)); err != nil {
		t.Error(err)
	}
	w.pass(24 * time.Hour)
	request, body = last()
	if verified(t, secrets[0], request, body) == nil || verified(t, next[0], request, body) != nil {
		t.Error("the old secret signs after its day, or the new one does not")
	}
	// Ended: nothing more comes.
	count := len(h.requests)
	if _, err := w.service.Unsubscribe(t.Context(), operations, sub.ID); err != nil {
		t.Fatal(err)
	}
	last()
	if len(h.requests) != count {
		t.Error("an ended subscription is posted to")
	}
}

func TestSubscriptionsThatCannotBeMadeAreRefused(t *testing.T) {
	h := newHook(t)
	p := newPost(t, nil)
	w := newWorld(t, nil)
	w.options.Mailer = p.mailer(t, w.clock, nil)
	w.posts(h, nil)
	w.key("formosa", formosa)
	w.key("acme-broker")
	ok := "a@" + mailtest.Domain
	for _, c := range []struct {
		name, want string
		who        notice.Subscriber
		request    notice.SubscriptionRequest
	}{
		{"neither", "exactly one of email and webhook", formosaKey, notice.SubscriptionRequest{}},
		{"both", "exactly one of email and webhook", formosaKey, notice.SubscriptionRequest{Email: ok, Webhook: "https://a.example/"}},
		{"another's audience", "audience", formosaKey, notice.SubscriptionRequest{Email: ok, Audience: notice.Operators}},
		{"another's event", "event", formosaKey, notice.SubscriptionRequest{Email: ok, Events: []notice.Event{notice.AlertQuarantine}}},
		{"another's party", "not one of the key's", formosaKey, notice.SubscriptionRequest{Email: ok, Parties: []string{"TAX:1"}}},
		{"no party", "party", formosaKey, notice.SubscriptionRequest{Email: ok, Parties: []string{"x"}}},
		{"unknown language", "language", formosaKey, notice.SubscriptionRequest{Email: ok, Language: "xx"}},
		{"unknown digest", "digest", formosaKey, notice.SubscriptionRequest{Email: ok, Digest: "weekly"}},
		{"digest of a webhook", "no digest", formosaKey, notice.SubscriptionRequest{Webhook: "https://a.example/", Digest: notice.Daily}},
		{"broker without parties as importer", "no parties", brokerKey, notice.SubscriptionRequest{Email: ok, Audience: notice.Importers}},
		{"no audience", "told nothing", operations, notice.SubscriptionRequest{Email: ok}},
	} {
		if _, err := w.service.Subscribe(t.Context(), c.who, c.request); !errors.Is(err, notice.ErrInvalid) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
	for _, kind := range []string{"address", "webhook"} {
		files, err := filepath.Glob("../../testdata/hostile/notices/" + kind + "-*.txt")
		if err != nil || len(files) == 0 {
			t.Fatal("no files", err)
		}
		for _, file := range files {
			want, text := hostile(t, file)
			request := notice.SubscriptionRequest{Email: strings.TrimSuffix(text, "\n")}
			if kind == "webhook" {
				request = notice.SubscriptionRequest{Webhook: request.Email}
			}
			if _, err := w.service.Subscribe(t.Context(), formosaKey, request); !errors.Is(err, notice.ErrInvalid) || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %v, want %q", file, err, want)
			}
		}
	}
}

func TestSubscriptionNarrowsWhatItsKeyMaySee(t *testing.T) {
	p := newPost(t, nil)
	w := newWorld(t, nil)
	w.options.Mailer = p.mailer(t, w.clock, nil)
	w.restart()
	w.key("formosa", formosa, "TAX:1")
	sub, err := w.service.Subscribe(t.Context(), formosaKey, notice.SubscriptionRequest{Email: "a@" + mailtest.Domain, Parties: []string{"tax: 1"}, Digest: notice.Daily})
	if err != nil {
		t.Fatal(err)
	}
	w.send()
	code := regexp.MustCompile(`Code: ([A-Z2-7]{8})`).FindStringSubmatch(open(t, p.Wait(t, 1)[0]).text)[1]
	if _, err := w.service.Confirm(t.Context(), formosaKey, sub.ID, code); err != nil {
		t.Fatal(err)
	}
	w.arrives(certificate("K001-26-00001"))
	w.follow()
	if got := len(w.notices()); got != 1 {
		t.Errorf("told of another party's certificate: %q", w.brief())
	}
	other := certificate("K001-26-00002")
	other.Consignee.Identifiers[0].Value = "1"
	w.arrives(other)
	w.follow()
	if list := w.notices(); len(list) != 2 || !list[1].Digest {
		t.Errorf("notices %+v", list)
	}
	// The party leaves the key, and with it the subscription has none.
	w.key("formosa", formosa)
	third := other
	third.Reference = "K001-26-00003"
	w.arrives(third)
	w.follow()
	if got := len(w.notices()); got != 2 {
		t.Errorf("told of a party that the key has no more")
	}
	if list, err := w.service.Subscriptions(t.Context(), operations); err != nil || len(list) != 1 || list[0].Queued != 1 {
		t.Errorf("an operator sees %+v, %v", list, err)
	}
}

func FuzzAddresses(f *testing.F) {
	for _, seed := range []string{"desk@customs.example", "a b@c.example", "https://a.example/x", "\"a\"@b.example", "whsec_AAAA", "a@b\r\nBcc: c@d.example"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if notice.CheckAddress(text) == nil && (strings.ContainsAny(text, "\r\n \t\x00<>,;\"()") || strings.Count(text, "@") != 1 || len(text) > notice.MaxAddress) {
			t.Errorf("address %q is taken", text)
		}
		if notice.CheckURL(text, false) == nil && (!strings.HasPrefix(strings.ToLower(text), "https://") || strings.ContainsAny(text, "\r\n \x00")) {
			t.Errorf("URL %q is taken", text)
		}
		if secrets, err := notice.ParseSecrets([]byte(text)); err == nil && (len(secrets) == 0 || len(secrets) > 2) {
			t.Errorf("%d secrets in %q", len(secrets), text)
		}
	})
}

// Nobody has the node post to where he likes as often as he likes.
func TestChallengesAreFew(t *testing.T) {
	h := newHook(t)
	w := newWorld(t, nil)
	w.posts(h, nil)
	w.key("acme-broker")
	sub, err := w.service.Subscribe(t.Context(), brokerKey, notice.SubscriptionRequest{Webhook: h.URL + "/hook"})
	if err != nil {
		t.Fatal(err)
	}
	for range 50 {
		if _, err := w.service.Confirm(t.Context(), brokerKey, sub.ID, ""); !errors.Is(err, notice.ErrNotConfirmed) {
			t.Fatal(err)
		}
	}
	if n := len(h.requests); n != 20 {
		t.Errorf("%d challenges were posted, want 20", n)
	}
	late, err := w.service.Subscribe(t.Context(), brokerKey, notice.SubscriptionRequest{Webhook: h.URL + "/late"})
	if err != nil {
		t.Fatal(err)
	}
	w.pass(25 * time.Hour)
	if _, err := w.service.Confirm(t.Context(), brokerKey, late.ID, ""); !errors.Is(err, notice.ErrNotConfirmed) || len(h.requests) != 20 {
		t.Errorf("after its time: %v, %d challenges", err, len(h.requests))
	}
}
