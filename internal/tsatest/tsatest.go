// Package tsatest is a time-stamp authority for tests: `openssl ts` behind HTTP on loopback (RFC 3161), with a credential
// that package pkitest makes. Its clock is the machine's.
package tsatest

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/ecogate/ecogate/internal/pkitest"
)

// Policy is the authority's policy.
const Policy = "1.3.6.1.4.1.55555.1"

// Authority is a running authority under a PKI of its own.
type Authority struct {
	// URL takes the requests.
	URL        string
	PKI        *pkitest.Test
	Credential *pkitest.Credential
	// AnchorFile holds the root of PKI.
	AnchorFile string
}

// Open starts an authority whose credential is valid from 2020 until the given time, 2050 if that is zero. The test is
// skipped without openssl.
func Open(tb testing.TB, until time.Time) *Authority {
	tb.Helper()
	openssl, err := exec.LookPath("openssl")
	if err != nil {
		tb.Skip("openssl is not installed")
	}
	if until.IsZero() {
		until = time.Date(2050, time.January, 1, 0, 0, 0, 0, time.UTC)
	}
	a := &Authority{PKI: pkitest.NewTest(tb, pkitest.Options{Country: "TT", Organisation: "Time"})}
	credential, key, chain := a.PKI.IssueFiles("tsa", pkitest.Request{
		Name: "Time", Use: pkitest.TimeStamping, NotBefore: time.Date(2020, time.January, 1, 0, 0, 0, 0, time.UTC), NotAfter: until,
	})
	a.Credential, a.AnchorFile = credential, filepath.Join(a.PKI.Dir, "root.pem")
	settings := filepath.Join(a.PKI.Dir, "tsa.conf")
	text := fmt.Sprintf("[tsa]\ndefault_tsa=t\n[t]\nserial=%s\nsigner_cert=%s\ncerts=%[2]s\nsigner_key=%s\nsigner_digest=sha256\ndefault_policy=%s\n"+
		"digests=sha256\naccuracy=secs:1,millisecs:500\nordering=yes\ntsa_name=yes\ness_cert_id_alg=sha256\n",
		filepath.Join(a.PKI.Dir, "serial"), chain, key, Policy)
	if err := os.WriteFile(settings, []byte(text), 0o600); err != nil {
		tb.Fatal(err)
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		reply, err := answer(openssl, settings, tb.TempDir(), r.Body)
		if err != nil {
			tb.Error(err)
			http.Error(w, "", http.StatusInternalServerError)
			return
		}
		w.Header().Set("Content-Type", "application/timestamp-reply")
		_, _ = w.Write(reply)
	}))
	tb.Cleanup(server.Close)
	a.URL = server.URL
	return a
}

// answer has openssl answer one request, with files in a folder.
func answer(openssl, settings, folder string, request io.Reader) ([]byte, error) {
	query, err := io.ReadAll(request)
	if err != nil {
		return nil, err
	}
	in, out := filepath.Join(folder, "query"), filepath.Join(folder, "reply")
	if err := os.WriteFile(in, query, 0o600); err != nil {
		return nil, err
	}
	if text, err := exec.Command(openssl, "ts", "-reply", "-config", settings, "-queryfile", in, "-out", out).CombinedOutput(); err != nil {
		return nil, fmt.Errorf("openssl ts: %w\n%s", err, text)
	}
	return os.ReadFile(out)
}
