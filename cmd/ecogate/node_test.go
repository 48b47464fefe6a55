package main

import (
	"context"
	"crypto/tls"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ecogate/ecogate/api"
	"github.com/ecogate/ecogate/exchange"
	"github.com/ecogate/ecogate/internal/config"
	"github.com/ecogate/ecogate/internal/pair"
	"github.com/ecogate/ecogate/internal/pkitest"
	"github.com/ecogate/ecogate/testdata/certificates"
)

func newPair(t *testing.T) pair.Pair {
	t.Helper()
	two, err := pair.Make(t.TempDir(), pair.Options{Algorithm: pkitest.P256})
	if err != nil {
		t.Fatal(err)
	}
	return two
}

func loadSide(t *testing.T, side pair.Side, environ ...string) config.Config {
	t.Helper()
	cfg, err := config.Load(side.ConfigFile, append(environ, anyPort...))
	if err != nil {
		t.Fatal(err)
	}
	return cfg
}

// startSide runs a node with variables over its configuration.
func startSide(t *testing.T, side pair.Side, observe func(exchange.Event), environ ...string) *runningNode {
	t.Helper()
	return startSideAt(t, side, func() time.Time { return scriptTime }, observe, environ...)
}

// startSideAt is startSide with a clock.
func startSideAt(t *testing.T, side pair.Side, now func() time.Time, observe func(exchange.Event), environ ...string) *runningNode {
	t.Helper()
	n, err := startNode(t.Context(), loadSide(t, side, environ...), nodeOptions{Now: now, Observe: observe})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := n.Close(); err != nil {
			t.Error(err)
		}
	})
	return n
}

// submit hands a sample certificate, under another reference, to KR's node for TW.
func submit(ctx context.Context, n *runningNode, kr pair.Side, reference string) error {
	key, err := os.ReadFile(kr.KeyFile("issuer"))
	if err != nil {
		return err
	}
	client, err := api.NewClient(n.APIURL, strings.TrimSpace(string(key)), nil)
	if err != nil {
		return err
	}
	sample, err := certificates.JSON.ReadFile("atiga-form-d.json")
	if err != nil {
		return err
	}
	_, err = client.Submit(ctx, "TW", []byte(strings.Replace(string(sample), "LA26010137", reference, 1)))
	return err
}

func status(t *testing.T, url string) int {
	t.Helper()
	res, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	_, _ = io.Copy(io.Discard, res.Body)
	return res.StatusCode
}

func TestCloseFinishesWhatIsUnderWay(t *testing.T) {
	reached, release := make(chan struct{}), make(chan struct{})
	two := newPair(t)
	n := startSide(t, two.KR, func(e exchange.Event) {
		if e.Step == "validated" {
			close(reached)
			<-release
		}
	})
	submitted, closed := make(chan error, 1), make(chan error, 1)
	go func() { submitted <- submit(context.Background(), n, two.KR, "LA26010137") }()
	<-reached
	go func() { closed <- n.Close() }()
	for status(t, n.AdminURL+"/readyz") != http.StatusServiceUnavailable {
		if t.Context().Err() != nil {
			t.Fatal("the node never says that it is stopping")
		}
	}
	if got := status(t, n.AdminURL+"/healthz"); got != http.StatusOK {
		t.Errorf("a stopping node's liveness answers %d", got)
	}
	select {
	case err := <-closed:
		t.Errorf("Close returns %v while a request is under way", err)
	default:
	}
	close(release)
	if err := <-submitted; err != nil {
		t.Errorf("the request under way ends with %v", err)
	}
	if err := <-closed; err != nil {
		t.Errorf("Close = %v", err)
	}
	if n.Err() != nil {
		t.Errorf("Err = %v after an orderly end", n.Err())
	}
}

func TestNodeFailsWhenAPartOfItEnds(t *testing.T) {
	n := startSide(t, newPair(t).KR, nil)
	if err := n.doors[1].Listener.Close(); err != nil {
		t.Fatal(err)
	}
	<-n.Done()
	if err := n.Err(); err == nil || !strings.Contains(err.Error(), "listener 127.0.0.1:") {
		t.Errorf("Err = %v", err)
	}
}

func TestReloadJudgesThePartnersServerAnew(t *testing.T) {
	two := newPair(t)
	receipted := make(chan struct{}, 1)
	tw := startSide(t, two.TW, nil)
	endpoint := "ECOGATE_AGREEMENTS_0_ENDPOINT="
	kr := startSide(t, two.KR, func(e exchange.Event) {
		if e.Step == "receipted" {
			receipted <- struct{}{}
		}
	}, endpoint+tw.PartnerURL)
	if err := tw.Reload(loadSide(t, two.TW, endpoint+kr.PartnerURL)); err != nil {
		t.Fatal(err)
	}
	if err := submit(t.Context(), kr, two.KR, "LA26010137"); err != nil {
		t.Fatal(err)
	}
	<-receipted // now a connection is open and idle
	withdrawn := loadSide(t, two.KR, endpoint+tw.PartnerURL, "ECOGATE_PARTNERS_0_CREDENTIALS_1_UNTIL=2026-01-01")
	if err := kr.Reload(withdrawn); err != nil {
		t.Fatal(err)
	}
	if err := submit(t.Context(), kr, two.KR, "LA26010138"); err != nil {
		t.Fatal(err)
	}
	for {
		found, err := kr.Store.Messages(t.Context(), exchange.MessageQuery{Kind: exchange.KindCertificate, Limit: 1})
		if err != nil {
			t.Fatal(err)
		}
		if len(found[0].Log) == 0 && !found[0].State.Terminal() {
			continue // not tried yet
		}
		if len(found[0].Log) == 0 || found[0].Log[0].Status != 0 || !strings.Contains(found[0].Log[0].Problem, "credential") {
			t.Errorf("the message is %s after %+v", found[0].State, found[0].Log)
		}
		return
	}
}

func TestPartnersListenerChecksCredentials(t *testing.T) {
	stranger := pkitest.NewTest(t, pkitest.Options{Country: "XX", Organisation: "Nobody"})
	_, strangerKey, strangerChain := stranger.IssueFiles("client", pkitest.Request{Name: "client", Use: pkitest.TLSClient})
	tests := []struct {
		name    string
		environ []string
		client  string // partner, stranger or none
		version uint16 // highest that the client speaks
		taken   bool
	}{
		{"partner", nil, "partner", tls.VersionTLS13, true},
		{"partner with TLS 1.2", nil, "partner", tls.VersionTLS12, true},
		{"stranger", nil, "stranger", tls.VersionTLS13, false},
		{"no credential", nil, "none", tls.VersionTLS13, false},
		{"no credential where none is asked for", []string{"ECOGATE_LISTENERS_PARTNER_TLS_CLIENT_AUTH=none"}, "none", tls.VersionTLS13, true},
		{"too old", []string{"ECOGATE_LISTENERS_PARTNER_TLS_MIN_VERSION=1.3"}, "partner", tls.VersionTLS12, false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			two := newPair(t)
			n := startSide(t, two.KR, nil, test.environ...)
			client := &tls.Config{InsecureSkipVerify: true, MaxVersion: test.version}
			keyFile, chainFile := filepath.Join(two.TW.Dir, "pki/tls-client.key"), filepath.Join(two.TW.Dir, "pki/tls-client.pem")
			if test.client == "stranger" {
				keyFile, chainFile = strangerKey, strangerChain
			}
			if test.client != "none" {
				own, err := tls.LoadX509KeyPair(chainFile, keyFile)
				if err != nil {
					t.Fatal(err)
				}
				client.Certificates = []tls.Certificate{own}
			}
			transport := &http.Transport{TLSClientConfig: client}
			defer transport.CloseIdleConnections()
			res, err := (&http.Client{Transport: transport}).Get(n.PartnerURL)
			if err == nil {
				defer res.Body.Close()
			}
			if (err == nil) != test.taken {
				t.Errorf("error = %v, want a connection: %t", err, test.taken)
			}
			if err == nil && res.StatusCode != http.StatusMethodNotAllowed {
				t.Errorf("GET answers %s", res.Status)
			}
		})
	}
}

func TestSupervisorIsToldWhenItAsks(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "notify")
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: socket, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	var log strings.Builder
	logger := slog.New(slog.NewTextHandler(&log, nil))

	t.Setenv("NOTIFY_SOCKET", "")
	notifySupervisor(logger, "READY=0")
	t.Setenv("NOTIFY_SOCKET", socket+"-elsewhere")
	notifySupervisor(logger, "READY=0")
	if !strings.Contains(log.String(), "supervisor not told") {
		t.Errorf("log = %q", log.String())
	}
	t.Setenv("NOTIFY_SOCKET", socket)
	notifySupervisor(logger, "READY=1")
	buffer := make([]byte, 64)
	n, err := conn.Read(buffer)
	if err != nil || string(buffer[:n]) != "READY=1" {
		t.Errorf("the supervisor reads %q, %v", buffer[:n], err)
	}
}

func TestSubmissionsAndReadsAreOnTheAuditChainOnce(t *testing.T) {
	two := newPair(t)
	n := startSide(t, two.KR, nil, "ECOGATE_DELIVERY_POLL=1h")
	if err := submit(t.Context(), n, two.KR, "LA26010137"); err != nil {
		t.Fatal(err)
	}
	key, err := os.ReadFile(two.KR.KeyFile("issuer"))
	if err != nil {
		t.Fatal(err)
	}
	client, err := api.NewClient(n.APIURL, strings.TrimSpace(string(key)), nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := client.Lookup(t.Context(), api.LookupQuery{Reference: "LA26010137"}); err != nil {
		t.Fatal(err)
	}
	records, err := n.Store.Audit(t.Context(), 0, 100)
	if err != nil {
		t.Fatal(err)
	}
	var users []string // without what delivery records meanwhile
	for _, r := range records {
		if r.Actor == "demo-issuer" {
			users = append(users, r.Event+" "+r.Subject)
		}
	}
	if want := []string{"certificate.submitted LA/ATIGA-D/LA26010137", "certificate.looked_up LA26010137"}; !slices.Equal(users, want) {
		t.Errorf("recorded %q, want %q", users, want)
	}
}
