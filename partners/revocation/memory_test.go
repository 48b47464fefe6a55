package revocation_test

import (
	"bytes"
	"crypto/x509"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/crypto/ocsp"

	"github.com/ecogate/ecogate/partners/revocation"
)

// list is the CRL with this number: from noon and so many hours on, with the credential for that reason, or without it for -1.
func (w *world) list(t testing.TB, number, reason int) []byte {
	t.Helper()
	return w.crl(t, func(l *x509.RevocationList) {
		l.Number = big.NewInt(int64(number))
		l.ThisUpdate = noon.Add(time.Duration(number) * time.Hour)
		l.NextUpdate = l.ThisUpdate.AddDate(0, 0, 1)
		if reason >= 0 {
			e := revoked(w.leaf.X509Cert.SerialNumber, noon)
			e.ReasonCode = reason
			l.RevokedCertificateEntries = []x509.RevocationListEntry{e}
		}
	})
}

func (w *world) answer(t testing.TB, number, status, reason int) []byte {
	t.Helper()
	at := noon.Add(time.Duration(number) * time.Hour)
	der, err := ocsp.CreateResponse(w.Issuing.X509Cert, w.Issuing.X509Cert, ocsp.Response{
		Status: status, SerialNumber: w.leaf.X509Cert.SerialNumber, ThisUpdate: at, NextUpdate: at.AddDate(0, 0, 1),
		RevokedAt: noon, RevocationReason: reason,
	}, w.Issuing.Key)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

// What a source told once of a revocation is not forgotten when a newer list or answer does not tell of it, nor in a restart; a credential
// that was on hold comes back. RFC 5280 §3.3, §5.3.1.
func TestRevocationIsNotForgotten(t *testing.T) {
	const out = -1
	w := newWorld(t)
	var body atomic.Value
	server := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) { _, _ = rw.Write(body.Load().([]byte)) }))
	defer server.Close()
	for _, test := range []struct {
		name    string
		reasons []int // of one list or answer after the other
		want    string
	}{
		{"key compromise, then out", []int{1, out}, "keyCompromise"},
		{"superseded, then out", []int{4, out, out}, "superseded"},
		{"no reason, then out", []int{0, out}, "unspecified"},
		{"hold, then out", []int{6, out}, ""},
		{"hold, then for good, then out", []int{6, 1, out}, "keyCompromise"},
		{"for good, then hold, then out", []int{1, 6, out}, "keyCompromise"},
		{"never", []int{out, out}, ""},
	} {
		for _, kind := range []string{"crl", "ocsp"} {
			t.Run(test.name+", "+kind, func(t *testing.T) {
				dir, now := t.TempDir(), noon
				target := revocation.Target{CRLURLs: []string{server.URL}}
				if kind == "ocsp" {
					target = revocation.Target{OCSPURL: server.URL}
				}
				clock := func() time.Time { return now }
				f, book := w.fetcher(t, dir, clock, target)
				f.Load()
				for i, reason := range test.reasons {
					now = noon.Add(time.Duration(i) * time.Hour)
					data := w.list(t, i, reason)
					if kind == "ocsp" {
						status := ocsp.Revoked
						if reason == out {
							status = ocsp.Good
						}
						data = w.answer(t, i, status, reason)
					}
					body.Store(data)
					f.Pass(t.Context())
					if s := f.Status()[0]; s.Problem != "" {
						t.Fatalf("step %d: %+v", i, s)
					}
				}
				again, kept := w.fetcher(t, dir, clock, target)
				again.Load()
				for name, known := range map[string]*revocation.Known{"": book.Known(), " after a restart": kept.Known()} {
					v := known.Judge(w.chain, revocation.Policy{Mode: revocation.Hard}, now)
					if (v.Refused == "") != (test.want == "") || !strings.Contains(v.Refused, test.want) || (v.Revoked == nil) != (test.want == "") {
						t.Errorf("judged%s %+v, want %q", name, v, test.want)
					}
				}
			})
		}
	}
}

func TestForgottenRevocationIsLoggedOnce(t *testing.T) {
	w := newWorld(t)
	file := filepath.Join(t.TempDir(), "list.crl")
	now := noon
	var log bytes.Buffer
	f := revocation.NewFetcher(revocation.FetcherOptions{
		Targets: func() []revocation.Target {
			return []revocation.Target{{Partner: "tw", Links: w.chain, CRLFiles: []string{file}}}
		},
		Book: new(revocation.Book), Dir: t.TempDir(), Now: func() time.Time { return now }, Log: slog.New(slog.NewTextHandler(&log, nil)),
	})
	for i, reason := range []int{1, -1, -1} {
		now = noon.Add(time.Duration(i) * time.Hour)
		if err := os.WriteFile(file, w.list(t, i, reason), 0o600); err != nil {
			t.Fatal(err)
		}
		f.Load()
	}
	if n := strings.Count(log.String(), "no source tells any more"); n != 1 {
		t.Errorf("%d lines: %s", n, log.String())
	}
}

// A responder that is down, because nothing listens or because it never answers, is of no use and takes nothing from what is known.
func TestOCSPResponderThatIsDown(t *testing.T) {
	w := newWorld(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	refusing := "http://" + l.Addr().String()
	l.Close()
	// One that takes connections and says nothing.
	hanging, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer hanging.Close()
	for _, test := range []struct{ name, place, problem string }{
		{"refuses connections", refusing, "connection refused"},
		{"hangs", "http://" + hanging.Addr().String(), "xceeded"},
	} {
		t.Run(test.name, func(t *testing.T) {
			answering := true
			now := noon
			book := new(revocation.Book)
			client := &http.Client{Timeout: 200 * time.Millisecond, Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
				if answering {
					rec := httptest.NewRecorder()
					_, _ = rec.Write(w.answer(t, 0, ocsp.Good, 0))
					return rec.Result(), nil
				}
				return http.DefaultTransport.RoundTrip(r)
			})}
			f := revocation.NewFetcher(revocation.FetcherOptions{
				Targets: func() []revocation.Target {
					return []revocation.Target{{Partner: "tw", Links: w.chain, OCSPURL: test.place}}
				},
				Book: book, Dir: t.TempDir(), Now: func() time.Time { return now }, Client: client,
			})
			f.Pass(t.Context())
			answering = false
			for _, step := range []struct {
				at         time.Duration
				hard, soft string
			}{
				{12 * time.Hour, "", ""},
				{25 * time.Hour, "", ""}, // a clock may differ by an hour
				{25*time.Hour + time.Second, "was to be renewed", ""},
				{7 * 24 * time.Hour, "was to be renewed", ""},
				{7*24*time.Hour + time.Second, "was to be renewed", "older than max_age"},
			} {
				now = noon.Add(step.at)
				f.Pass(t.Context())
				if s := f.Status()[0]; !strings.Contains(s.Problem, test.problem) || !s.ThisUpdate.Equal(noon) {
					t.Errorf("after %s: status %+v, want problem %q", step.at, s, test.problem)
				}
				for mode, want := range map[revocation.Mode]string{revocation.Hard: step.hard, revocation.Soft: step.soft} {
					v := book.Known().Judge(w.chain, revocation.Policy{Mode: mode}, now)
					if (v.Refused == "") != (want == "") || !strings.Contains(v.Refused, want) {
						t.Errorf("%s after %s: %q, want %q", mode, step.at, v.Refused, want)
					}
				}
			}
			// When it is up again, what it says counts at once.
			answering, now = true, noon.Add(8*time.Hour)
			f.Pass(t.Context())
			if s := f.Status()[0]; s.Problem != "" {
				t.Errorf("up again: %+v", s)
			}
		})
	}
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// FuzzMemory: whatever lies in the file, a fetcher begins, and learns and keeps what is revoked.
func FuzzMemory(f *testing.F) {
	w := newWorld(f)
	list := filepath.Join(f.TempDir(), "list.crl")
	if err := os.WriteFile(list, w.list(f, 0, 1), 0o600); err != nil {
		f.Fatal(err)
	}
	f.Add([]byte(`{"` + strings.Repeat("ab", 32) + ":" + strings.Repeat("01", 20) + `": {"at": "2026-07-01T12:00:00Z", "reason": 1}}`))
	f.Add([]byte(`{"ab:01": {}, "": null}`))
	f.Add([]byte(`[`))
	f.Fuzz(func(t *testing.T, data []byte) {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "revoked.json"), data, 0o600); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			fetcher, book := w.fetcher(t, dir, func() time.Time { return noon }, revocation.Target{CRLFiles: []string{list}})
			fetcher.Load()
			if v := book.Known().Judge(w.chain, revocation.Policy{Mode: revocation.Soft}, noon); v.Refused == "" {
				t.Errorf("judged %+v", v)
			}
		}
	})
}

// A clock that jumps an hour either way keeps what is current in force, and fetches go on.
func TestClockJumpsKeepWhatIsCurrent(t *testing.T) {
	w := newWorld(t)
	fetches := 0
	var now time.Time
	server := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) {
		fetches++
		_, _ = rw.Write(w.list(t, 0, -1))
	}))
	defer server.Close()
	for _, test := range []struct {
		name  string
		jumps []time.Duration
	}{
		{"ahead", []time.Duration{time.Hour, time.Minute, time.Minute}},
		{"back", []time.Duration{-time.Hour, time.Minute, time.Minute}},
		{"ahead and back", []time.Duration{time.Hour, -time.Hour}},
		{"back and ahead", []time.Duration{-time.Hour, time.Hour}},
	} {
		t.Run(test.name, func(t *testing.T) {
			now = noon.Add(time.Minute)
			fetches = 0
			f, book := w.fetcher(t, t.TempDir(), func() time.Time { return now }, revocation.Target{CRLURLs: []string{server.URL}})
			f.Load()
			f.Pass(t.Context())
			for _, d := range test.jumps {
				now = now.Add(d)
				f.Pass(t.Context())
				if s := f.Status()[0]; s.Problem != "" {
					t.Errorf("%s: %+v", d, s)
				}
				if v := book.Known().Judge(w.chain, revocation.Policy{Mode: revocation.Hard}, now); v.Refused != "" {
					t.Errorf("%s: %s", d, v.Refused)
				}
			}
			if fetches < 2 || fetches > 1+len(test.jumps) {
				t.Errorf("%d fetches", fetches)
			}
		})
	}
}
