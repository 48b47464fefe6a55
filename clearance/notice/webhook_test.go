package notice_test

import (
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/ecogate/ecogate/clearance/notice"
)

// hook is a webhook behind a real TLS server.
type hook struct {
	*httptest.Server
	mu       sync.Mutex
	requests []*http.Request
	bodies   [][]byte
	answer   func(w http.ResponseWriter, r *http.Request, body []byte)
}

func newHook(t *testing.T) *hook {
	t.Helper()
	h := &hook{answer: func(http.ResponseWriter, *http.Request, []byte) {}}
	h.Server = httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		h.mu.Lock()
		h.requests, h.bodies = append(h.requests, r), append(h.bodies, body)
		answer := h.answer
		h.mu.Unlock()
		answer(w, r, body)
	}))
	t.Cleanup(h.Close)
	return h
}

func (h *hook) answers(f func(w http.ResponseWriter, r *http.Request, body []byte)) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.answer = f
}

// trust is what connections to h begin with.
func (h *hook) trust() *tls.Config {
	pool := x509.NewCertPool()
	pool.AddCert(h.Certificate())
	return &tls.Config{RootCAs: pool}
}

// recipient is one of alerts, at h.
func (h *hook) recipient(secrets ...[]byte) notice.Recipient {
	return notice.Recipient{ID: "hook", Audience: notice.Operators, URL: h.URL + "/notices?x=1", Secrets: secrets, AllowPrivate: true}
}

func secret() []byte {
	s := make([]byte, 32)
	_, _ = rand.Read(s)
	return s
}

// verified verifies a request under a secret, at the time of the test's clock.
func verified(t *testing.T, secret []byte, r *http.Request, body []byte) error {
	t.Helper()
	v, err := standardwebhooks.NewWebhook(notice.SecretText(secret))
	if err != nil {
		t.Fatal(err)
	}
	return v.VerifyIgnoringTimestamp(body, r.Header)
}

func (w *world) posts(h *hook, set func(*notice.PosterOptions)) {
	w.Helper()
	o := notice.PosterOptions{Now: w.clock, TLS: h.trust(), Timeout: 5 * time.Second, UserAgent: "ecogate/test"}
	if set != nil {
		set(&o)
	}
	w.options.Poster = notice.NewPoster(o)
	w.restart()
}

func TestWebhookIsSignedAndSaysWhatHappened(t *testing.T) {
	h := newHook(t)
	w := newWorld(t, nil)
	w.posts(h, nil)
	next, old := secret(), secret()
	r := h.recipient(next, old)
	importerToo := r
	importerToo.ID, importerToo.Audience = "importer", notice.Importers
	w.tell(r, importerToo)
	w.happens("kr", "message.quarantined", "m1", "SecurityFailure: no signature")
	w.arrives(certificate("K001-26-00001"))
	w.follow()
	w.send()
	if len(h.requests) != 2 {
		t.Fatalf("%d requests; notices %+v", len(h.requests), w.notices())
	}
	for i, request := range h.requests {
		if err := errors.Join(verified(t, next, request, h.bodies[i]), verified(t, old, request, h.bodies[i])); err != nil {
			t.Errorf("signature: %v, header %v", err, request.Header)
		}
		if verified(t, secret(), request, h.bodies[i]) == nil {
			t.Error("another secret verifies it")
		}
		if got := request.Header.Get("webhook-timestamp"); got != fmt.Sprint(noon.Unix()) {
			t.Errorf("timestamp %s", got)
		}
		if request.Method != http.MethodPost || request.URL.RequestURI() != "/notices?x=1" || request.Header.Get("Content-Type") != "application/json" || request.UserAgent() != "ecogate/test" {
			t.Errorf("request %s %s %v", request.Method, request.URL, request.Header)
		}
		for _, secret := range []string{"98765", "Secret Producer", "INV-SECRET-7"} {
			if strings.Contains(string(h.bodies[i]), secret) {
				t.Errorf("webhook says %q", secret)
			}
		}
		var payload struct {
			Type      notice.Event
			Timestamp time.Time
			Data      struct {
				notice.Facts
				Entry uint64
			}
		}
		if err := json.Unmarshal(h.bodies[i], &payload); err != nil || !payload.Timestamp.Equal(noon) || payload.Data.Entry == 0 {
			t.Errorf("payload %s, %v", h.bodies[i], err)
		}
		if id := request.Header.Get("webhook-id"); !slices.ContainsFunc(w.notices(), func(n notice.Notice) bool { return n.Mark() == id && n.Event == payload.Type && n.State == notice.Sent }) {
			t.Errorf("webhook-id %q of %s", id, payload.Type)
		}
	}
}

func TestWebhookThatFailsIsTriedAgainAndDisabledAtLast(t *testing.T) {
	h := newHook(t)
	status := http.StatusServiceUnavailable
	h.answers(func(w http.ResponseWriter, _ *http.Request, _ []byte) {
		w.Header().Set("Retry-After", "600")
		w.WriteHeader(status)
	})
	w := newWorld(t, func(o *notice.Options) { o.DisableAfter, o.GiveUp = 24*time.Hour, 48*time.Hour })
	w.posts(h, nil)
	s := secret()
	w.tell(h.recipient(s))
	w.happens("kr", "message.quarantined", "m1", "")
	w.happens("kr", "message.quarantined", "m2", "")
	w.follow()
	w.send()
	if len(h.requests) != 1 {
		t.Errorf("%d requests to a webhook that fails", len(h.requests))
	}
	first := w.notices()[0]
	if first.State != notice.Queued || !first.Next.Equal(noon.Add(10*time.Minute)) || !strings.Contains(first.Problem, "503") {
		t.Errorf("notice %+v", first)
	}
	// One success makes all well.
	status = http.StatusNoContent
	w.pass(10 * time.Minute)
	w.send()
	if got := w.brief(); !slices.Equal(got, []string{"hook alert.quarantine sent", "hook alert.quarantine sent"}) {
		t.Errorf("notices %q", got)
	}
	if a, b := h.requests[0].Header.Get("webhook-id"), h.requests[1].Header.Get("webhook-id"); a != b || a == "" {
		t.Errorf("the same notice has the ids %q and %q", a, b)
	}
	// From then on nothing but failures.
	status = http.StatusInternalServerError
	began := w.clock()
	w.happens("kr", "message.quarantined", "m3", "")
	w.happens("kr", "message.quarantined", "m4", "")
	w.follow()
	for range 60 {
		w.send()
		w.pass(time.Hour)
	}
	disabled, detail := w.audited(notice.EntryWebhookDisabled)
	if disabled != 1 || !strings.Contains(detail, "fails since "+began.Format(time.RFC3339)) || !strings.Contains(detail, "500") {
		t.Errorf("disabled %d times: %s", disabled, detail)
	}
	if got := w.brief()[2:]; !slices.Equal(got, []string{"hook alert.quarantine dropped", "hook alert.quarantine dropped"}) {
		t.Errorf("notices %q", got)
	}
	requests := len(h.requests)
	w.happens("kr", "message.quarantined", "m5", "")
	w.follow()
	w.send()
	if len(h.requests) != requests {
		t.Error("a disabled webhook is posted to")
	}
}

func TestWebhookThatIsGoneIsDisabledAtOnce(t *testing.T) {
	h := newHook(t)
	h.answers(func(w http.ResponseWriter, _ *http.Request, _ []byte) { w.WriteHeader(http.StatusGone) })
	w := newWorld(t, nil)
	w.posts(h, nil)
	w.tell(h.recipient(secret()))
	w.happens("kr", "message.quarantined", "m1", "")
	w.follow()
	w.send()
	if disabled, _ := w.audited(notice.EntryWebhookDisabled); disabled != 1 || w.only().State != notice.Failed {
		t.Errorf("disabled %d times, notice %+v", disabled, w.only())
	}
}

func TestWebhookGoesNowhereElse(t *testing.T) {
	elsewhere := newHook(t)
	h := newHook(t)
	h.answers(func(w http.ResponseWriter, r *http.Request, _ []byte) {
		http.Redirect(w, r, elsewhere.URL, http.StatusTemporaryRedirect)
	})
	plain := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(plain.Close)
	refused := errors.New("address is not public")
	for _, c := range []struct {
		name, want string
		set        func(*notice.Recipient, *notice.PosterOptions)
	}{
		{"redirect", "307", func(*notice.Recipient, *notice.PosterOptions) {}},
		{"private address", "not public", func(r *notice.Recipient, o *notice.PosterOptions) {
			r.AllowPrivate = false
			o.Control = func(string, string, syscall.RawConn) error { return refused }
		}},
		{"http", "is not https", func(r *notice.Recipient, _ *notice.PosterOptions) { r.URL = plain.URL }},
		{"http that is allowed", "404", func(r *notice.Recipient, _ *notice.PosterOptions) { r.URL, r.AllowHTTP = plain.URL, true }},
		{"stranger's credential", "unknown authority", func(_ *notice.Recipient, o *notice.PosterOptions) { o.TLS = &tls.Config{RootCAs: x509.NewCertPool()} }},
		{"nobody there", "refused", func(r *notice.Recipient, _ *notice.PosterOptions) { r.URL = "https://127.0.0.1:1/" }},
		{"no secret", "no secret", func(r *notice.Recipient, _ *notice.PosterOptions) { r.Secrets = nil }},
		{"silent", "Client.Timeout", func(r *notice.Recipient, o *notice.PosterOptions) {
			o.Timeout = 200 * time.Millisecond
			r.URL = h.URL + "/silent"
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.name == "silent" {
				h.answers(func(_ http.ResponseWriter, r *http.Request, _ []byte) { <-r.Context().Done() })
			}
			w := newWorld(t, nil)
			r := h.recipient(secret())
			w.posts(h, func(o *notice.PosterOptions) { c.set(&r, o) })
			w.tell(r)
			w.happens("kr", "message.quarantined", "m1", "")
			w.follow()
			w.send()
			if n := w.only(); n.State != notice.Queued || !strings.Contains(n.Problem, c.want) {
				t.Errorf("notice %s: %s", n.State, n.Problem)
			}
			if len(elsewhere.requests) != 0 {
				t.Error("a redirect was followed")
			}
		})
	}
}

// A webhook that hangs keeps nobody else waiting.
func TestWebhookThatHangsHoldsUpNobody(t *testing.T) {
	h := newHook(t)
	release := make(chan struct{})
	h.answers(func(_ http.ResponseWriter, r *http.Request, _ []byte) {
		if strings.HasPrefix(r.URL.Path, "/hangs") {
			<-release
		}
	})
	w := newWorld(t, func(o *notice.Options) { o.Poll = 5 * time.Millisecond })
	w.posts(h, nil)
	hangs, other := h.recipient(secret()), h.recipient(secret())
	hangs.ID, hangs.URL = "hangs", h.URL+"/hangs"
	w.tell(hangs, other)
	w.happens("kr", "message.quarantined", "m1", "")
	done := make(chan struct{})
	go func() {
		w.service.Run(t.Context())
		close(done)
	}()
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		list := w.notices()
		if at := slices.IndexFunc(list, func(n notice.Notice) bool { return n.Recipient == "hook" }); at >= 0 && list[at].State == notice.Sent {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("notices %q", w.brief())
		}
	}
	w.happens("kr", "message.quarantined", "m2", "")
	for deadline := time.Now().Add(10 * time.Second); len(w.notices()) < 4; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("the log is not followed while a webhook hangs: %q", w.brief())
		}
	}
	close(release)
}

func TestSecretsAreReadFromHostileFiles(t *testing.T) {
	files, err := filepath.Glob("../../testdata/hostile/notices/secret-*.txt")
	if err != nil || len(files) == 0 {
		t.Fatal("no files", err)
	}
	for _, file := range files {
		want, text := hostile(t, file)
		if _, err := notice.ParseSecrets([]byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", file, err, want)
		}
	}
	for _, good := range []string{notice.SecretText(secret()), "\n" + notice.SecretText(secret()) + "\r\n" + notice.SecretText(secret()) + "\n"} {
		if _, err := notice.ParseSecrets([]byte(good)); err != nil {
			t.Error(err)
		}
	}
}

// hostile reads a file of testdata/hostile: the text of the refusal on its first line, then what is refused.
func hostile(t *testing.T, file string) (want, text string) {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	head, text, _ := strings.Cut(string(data), "\n")
	want, found := strings.CutPrefix(head, "expect: ")
	if !found {
		t.Fatalf("%s does not begin with expect:", file)
	}
	return want, text
}

// An attempt that the node did not outlive is made again, under the same id: twice at worst, never not.
func TestNoticeOutlivesTheNode(t *testing.T) {
	h := newHook(t)
	w := newWorld(t, nil)
	w.posts(h, nil)
	w.tell(h.recipient(secret()))
	w.happens("kr", "message.quarantined", "m1", "")
	w.follow()
	h.answers(func(http.ResponseWriter, *http.Request, []byte) { _ = w.store.Close() }) // what became of the attempt is not recorded
	if err := w.service.Send(t.Context()); err != nil {
		t.Fatal(err)
	}
	h.answers(func(http.ResponseWriter, *http.Request, []byte) {})
	w.open()
	w.send()
	if n := w.only(); n.State != notice.Queued || n.Attempts != 1 {
		t.Fatalf("notice %+v", n)
	}
	w.pass(time.Hour)
	w.send()
	if n := w.only(); n.State != notice.Sent || n.Attempts != 2 {
		t.Fatalf("notice %+v", n)
	}
	if a, b := h.requests[0].Header.Get("webhook-id"), h.requests[1].Header.Get("webhook-id"); a != b {
		t.Errorf("ids %q and %q", a, b)
	}
}
