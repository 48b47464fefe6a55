package handover_test

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	httpsig "github.com/remitly-oss/httpsig-go"

	"github.com/ecogate/ecogate/clearance/handover"
)

var parcel = handover.Parcel{
	Key: "ho0123", ID: "ho0123", SHA256: fmt.Sprintf("%x", []byte(strings.Repeat("a", 32))), Content: []byte("PK octets"),
}

// receiver is a customs system with a TLS server; each answer is one of its responses, the last one again and again.
func receiver(t *testing.T, handle http.HandlerFunc, change func(o *handover.PushOptions)) *handover.Push {
	t.Helper()
	server := httptest.NewTLSServer(handle)
	t.Cleanup(server.Close)
	roots := x509.NewCertPool()
	roots.AddCert(server.Certificate())
	o := handover.PushOptions{URL: server.URL + "/in/parcels?office=1", TLS: &tls.Config{RootCAs: roots}, Now: time.Now}
	if change != nil {
		change(&o)
	}
	p, err := handover.NewPush(o)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestPushAnswers(t *testing.T) {
	const json = "application/json"
	confirmation := func(status, more string) string {
		return fmt.Sprintf(`{"status":%q,"sha256":%q%s}`, status, parcel.SHA256, more)
	}
	var refusal *handover.Refusal
	for _, c := range []struct {
		name              string
		status            int
		contentType, body string
		header            string // "Name: value"
		want              handover.Verdict
		reference         string
		refused           bool
		text              string        // of the error
		after             time.Duration // of a LaterError
	}{
		{name: "taken", status: 204, want: handover.VerdictReceived},
		{name: "taken with a page", status: 200, contentType: "text/html", body: "<p>Thanks</p>", want: handover.VerdictReceived},
		{name: "taken with JSON of another kind", status: 201, contentType: json, body: `{"id":1}`, want: handover.VerdictReceived},
		{name: "confirmed", status: 200, contentType: json + "; charset=utf-8", body: confirmation("confirmed", `,"reference":"C-9"`), want: handover.VerdictConfirmed, reference: "C-9"},
		{name: "confirmed later", status: 202, contentType: json, body: confirmation("received", ""), want: handover.VerdictReceived},
		{name: "other octets", status: 200, contentType: json, body: `{"status":"confirmed","sha256":"` + strings.Repeat("0", 64) + `"}`, text: "digest is not that"},
		{name: "refused in a 200", status: 200, contentType: json, body: confirmation("refused", `,"reason":"late"`), refused: true, text: "late"},
		{name: "400", status: 400, refused: true, text: "HTTP 400 Bad Request"},
		{name: "422 with a problem", status: 422, contentType: "application/problem+json", body: `{"title":"No","detail":"no such office"}`, refused: true, text: "HTTP 422 Unprocessable Entity: no such office"},
		{name: "403 in words", status: 403, contentType: "text/plain", body: "who\nare you", refused: true, text: "HTTP 403 Forbidden: who are you"},
		{name: "401", status: 401, refused: true, text: "HTTP 401"},
		{name: "408", status: 408, text: "HTTP 408"},
		{name: "409", status: 409, text: "HTTP 409"},
		{name: "425", status: 425, text: "HTTP 425"},
		{name: "429", status: 429, header: "Retry-After: 90", text: "HTTP 429", after: 90 * time.Second},
		{name: "500", status: 500, text: "HTTP 500 Internal Server Error"},
		{name: "503 for years", status: 503, header: "Retry-After: 2000000000", text: "HTTP 503", after: 24 * time.Hour},
		{name: "503 with nonsense", status: 503, header: "Retry-After: soon", text: "HTTP 503"},
		{name: "elsewhere", status: 307, header: "Location: https://elsewhere.example/", text: `HTTP 307 Temporary Redirect to "https://elsewhere.example/" is not followed`},
		{name: "unknown status", status: 599, text: "HTTP 599"},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := receiver(t, func(w http.ResponseWriter, r *http.Request) {
				if c.contentType != "" {
					w.Header().Set("Content-Type", c.contentType)
				}
				if name, value, ok := strings.Cut(c.header, ": "); ok {
					w.Header().Set(name, value)
				}
				w.WriteHeader(c.status)
				if c.body != "" {
					io.WriteString(w, c.body)
				}
			}, nil)
			got, err := p.Deliver(t.Context(), parcel)
			if got.Status != c.want || got.Reference != c.reference || errors.As(err, &refusal) != c.refused || (err == nil) != (c.text == "") {
				t.Fatalf("%+v, %v", got, err)
			}
			if err != nil && !strings.Contains(err.Error(), c.text) {
				t.Errorf("error %q, want %q", err, c.text)
			}
			var later *handover.LaterError
			if errors.As(err, &later) != (c.after != 0) || later != nil && later.After != c.after {
				t.Errorf("later: %+v, want %s", later, c.after)
			}
		})
	}
}

func TestPushRequest(t *testing.T) {
	var got *http.Request
	var body []byte
	p := receiver(t, func(w http.ResponseWriter, r *http.Request) {
		got, body = r, readBody(t, r)
		w.WriteHeader(204)
	}, nil)
	if _, err := p.Deliver(t.Context(), parcel); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"Content-Type": "application/zip", "Idempotency-Key": `"ho0123"`,
		"Content-Digest": "sha-256=:7KUHWBowtaWC6YbnG2OyfQYtUaC5tN9wrIG4dJOdFWs=:", // openssl dgst -sha256 -binary | base64
		"Signature":      "",
	} {
		if found := got.Header.Get(name); found != want {
			t.Errorf("%s: %q, want %q", name, found, want)
		}
	}
	if got.Method != http.MethodPost || got.URL.String() != "/in/parcels?office=1" || !bytes.Equal(body, parcel.Content) {
		t.Errorf("%s %s with %q", got.Method, got.URL, body)
	}
}

func readBody(t *testing.T, r *http.Request) []byte {
	t.Helper()
	body, err := io.ReadAll(r.Body)
	if err != nil {
		t.Error(err)
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	return body
}

// keysOfRequests are keys of every kind with the name that RFC 9421 gives their signatures.
func keysOfRequests(t *testing.T) map[httpsig.Algorithm]crypto.Signer {
	t.Helper()
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	p256, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	_, edKey, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return map[httpsig.Algorithm]crypto.Signer{
		httpsig.Algo_RSA_PSS_SHA512: rsaKey, httpsig.Algo_ECDSA_P256_SHA256: p256, httpsig.Algo_ECDSA_P384_SHA384: p384, httpsig.Algo_ED25519: edKey,
	}
}

// keyFetcher hands out one key.
type keyFetcher struct{ spec httpsig.KeySpec }

func (f keyFetcher) FetchByKeyID(_ context.Context, _ http.Header, id string) (httpsig.KeySpecer, error) {
	if id != f.spec.KeyID {
		return nil, fmt.Errorf("key %q is not known", id)
	}
	return f.spec, nil
}

func (f keyFetcher) Fetch(context.Context, http.Header, httpsig.MetadataProvider) (httpsig.KeySpecer, error) {
	return nil, errors.New("no keyid")
}

// Another product verifies our signatures, and refuses each request that was changed.
func TestAnotherProductVerifiesRequests(t *testing.T) {
	for algorithm, signer := range keysOfRequests(t) {
		t.Run(string(algorithm), func(t *testing.T) {
			key, err := handover.NewRequestKey(signer, "")
			if err != nil {
				t.Fatal(err)
			}
			var changed func(r *http.Request)
			verifier, err := httpsig.NewVerifier(keyFetcher{httpsig.KeySpec{KeyID: key.ID(), Algo: algorithm, PubKey: signer.Public()}}, httpsig.VerifyProfile{
				SignatureLabel:    "sig1",
				RequiredFields:    httpsig.Fields("@method", "@authority", "@path", "@query", "content-type", "content-digest", "idempotency-key"),
				RequiredMetadata:  []httpsig.Metadata{httpsig.MetaCreated, httpsig.MetaKeyID, httpsig.MetaAlgorithm, httpsig.MetaTag},
				AllowedAlgorithms: []httpsig.Algorithm{algorithm},
			})
			if err != nil {
				t.Fatal(err)
			}
			p := receiver(t, func(w http.ResponseWriter, r *http.Request) {
				changed(r)
				if result, err := verifier.Verify(r); err != nil || !result.Verified {
					http.Error(w, fmt.Sprint(err), http.StatusForbidden)
				}
			}, func(o *handover.PushOptions) { o.Key = key })
			for name, change := range map[string]func(r *http.Request){
				"":       func(*http.Request) {},
				"method": func(r *http.Request) { r.Method = http.MethodPut },
				"host":   func(r *http.Request) { r.Host = "elsewhere.example" },
				"path":   func(r *http.Request) { r.URL.Path = "/other" },
				"query":  func(r *http.Request) { r.URL.RawQuery = "office=2" },
				"key":    func(r *http.Request) { r.Header.Set("Idempotency-Key", `"ho9"`) },
				"body":   func(r *http.Request) { r.Body = io.NopCloser(strings.NewReader("PK 0ctets")) },
				"type":   func(r *http.Request) { r.Header.Set("Content-Type", "text/plain") },
			} {
				changed = change
				if _, err := p.Deliver(t.Context(), parcel); (err == nil) != (name == "") {
					t.Errorf("changed %q: %v", name, err)
				}
			}
		})
	}
}

func TestKeysThatSignNoRequests(t *testing.T) {
	p521, err := ecdsa.GenerateKey(elliptic.P521(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := handover.NewRequestKey(p521, ""); err == nil || !strings.Contains(err.Error(), "P-521") {
		t.Errorf("P-521: %v", err)
	}
}

func TestPushDoesNotTrustAnyServer(t *testing.T) {
	served := false
	p := receiver(t, func(http.ResponseWriter, *http.Request) { served = true }, func(o *handover.PushOptions) { o.TLS = nil })
	if _, err := p.Deliver(t.Context(), parcel); err == nil || served {
		t.Errorf("with a credential of nobody: %v, served %t", err, served)
	}
}

func TestPushShowsItsCredential(t *testing.T) {
	for _, shown := range []bool{true, false} {
		server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(204) }))
		server.TLS = &tls.Config{ClientAuth: tls.RequireAnyClientCert}
		server.StartTLS()
		t.Cleanup(server.Close)
		roots := x509.NewCertPool()
		roots.AddCert(server.Certificate())
		o := handover.PushOptions{URL: server.URL, TLS: &tls.Config{RootCAs: roots}, Now: time.Now}
		if shown {
			o.TLS.Certificates = []tls.Certificate{{Certificate: [][]byte{server.Certificate().Raw}, PrivateKey: server.TLS.Certificates[0].PrivateKey}}
		}
		p, err := handover.NewPush(o)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := p.Deliver(t.Context(), parcel); (err == nil) != shown {
			t.Errorf("shown %t: %v", shown, err)
		}
	}
}

func TestPushAsksWhereItMayDial(t *testing.T) {
	served := false
	p := receiver(t, func(http.ResponseWriter, *http.Request) { served = true }, func(o *handover.PushOptions) {
		o.Control = func(_, address string, _ syscall.RawConn) error { return fmt.Errorf("%s is private", address) }
	})
	if _, err := p.Deliver(t.Context(), parcel); err == nil || served || !strings.Contains(err.Error(), "is private") {
		t.Errorf("%v, served %t", err, served)
	}
}

// What a customs system answers without end is not read without end.
func TestPushBoundsTheAnswer(t *testing.T) {
	p := receiver(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		for r.Context().Err() == nil {
			if _, err := w.Write(bytes.Repeat([]byte(" "), 1<<16)); err != nil {
				return
			}
		}
	}, nil)
	c, err := p.Deliver(t.Context(), parcel)
	if err != nil || c.Status != handover.VerdictReceived {
		t.Errorf("%+v, %v", c, err)
	}
}

// A connection that ends in the middle leaves it open whether the parcel arrived.
func TestPushConnectionThatEnds(t *testing.T) {
	p := receiver(t, func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, nil)
	var refusal *handover.Refusal
	if _, err := p.Deliver(t.Context(), parcel); err == nil || errors.As(err, &refusal) {
		t.Errorf("%v", err)
	}
}

func TestPushAddresses(t *testing.T) {
	for _, address := range []string{"", "customs.example", "ftp://customs.example/", "https://", "https://user:word@customs.example/", "https://customs.example/#here", "://"} {
		if _, err := handover.NewPush(handover.PushOptions{URL: address, Now: time.Now}); err == nil {
			t.Errorf("%q was taken", address)
		}
	}
}

// The commands of docs/customs-system.md verify a request whose base is put together by hand.
func TestOpenSSLVerifiesRequests(t *testing.T) {
	openssl, err := exec.LookPath("openssl")
	if err != nil {
		t.Skip("openssl is missing (Debian package openssl)")
	}
	commands := map[httpsig.Algorithm]string{
		httpsig.Algo_ED25519:        "pkeyutl -verify -pubin -inkey key.pub -rawin -in base -sigfile value",
		httpsig.Algo_RSA_PSS_SHA512: "dgst -sha512 -sigopt rsa_padding_mode:pss -sigopt rsa_pss_saltlen:64 -verify key.pub -signature value base",
	}
	for algorithm, signer := range keysOfRequests(t) {
		command, told := commands[algorithm]
		if !told {
			continue
		}
		t.Run(string(algorithm), func(t *testing.T) {
			dir := t.TempDir()
			put := func(name string, content []byte) {
				if err := os.WriteFile(filepath.Join(dir, name), content, 0o600); err != nil {
					t.Error(err)
				}
			}
			public, err := x509.MarshalPKIXPublicKey(signer.Public())
			if err != nil {
				t.Fatal(err)
			}
			put("key.pub", pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: public}))
			key, err := handover.NewRequestKey(signer, "ecogate-2026")
			if err != nil {
				t.Fatal(err)
			}
			p := receiver(t, func(_ http.ResponseWriter, r *http.Request) {
				h := r.Header
				params := strings.TrimPrefix(h.Get("Signature-Input"), "sig1=")
				put("base", fmt.Appendf(nil, "\"@method\": POST\n\"@authority\": %s\n\"@path\": /in/parcels\n\"@query\": ?office=1\n\"content-type\": application/zip\n"+
					"\"content-digest\": %s\n\"idempotency-key\": %s\n\"@signature-params\": %s", r.Host, h.Get("Content-Digest"), h.Get("Idempotency-Key"), params))
				value, err := base64.StdEncoding.DecodeString(strings.Trim(strings.TrimPrefix(h.Get("Signature"), "sig1="), ":"))
				if err != nil {
					t.Error(err)
				}
				put("value", value)
			}, func(o *handover.PushOptions) { o.Key = key })
			if _, err := p.Deliver(t.Context(), parcel); err != nil {
				t.Fatal(err)
			}
			verify := func() error {
				cmd := exec.Command(openssl, strings.Fields(command)...)
				cmd.Dir = dir
				out, err := cmd.CombinedOutput()
				if err != nil {
					return fmt.Errorf("%w: %s", err, out)
				}
				return nil
			}
			if err := verify(); err != nil {
				t.Error(err)
			}
			put("base", []byte("something else"))
			if verify() == nil {
				t.Error("openssl verified something else")
			}
		})
	}
}
