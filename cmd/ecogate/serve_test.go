package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"

	"github.com/ecogate/ecogate/api"
	"github.com/ecogate/ecogate/exchange"
	"github.com/ecogate/ecogate/internal/pair"
	"github.com/ecogate/ecogate/internal/pkitest"
)

// startCorridor runs both nodes.
func startCorridor(t *testing.T) *ledger {
	t.Helper()
	l := newLedger(t, installedProgram(t), travel{})
	l.start(l.tw)
	l.start(l.kr)
	return l
}

func TestServeSaysWhatKeepsItFromStarting(t *testing.T) {
	t.Parallel()
	l := startCorridor(t)
	tests := []struct {
		name, configFile, variable, want string
	}{
		{"store in use", l.kr.ConfigFile, "ECOGATE_STORE_LOCK_TIMEOUT=100ms", "store is in use by another process"},
		{"partners' address in use", l.kr.ConfigFile, "ECOGATE_LISTENERS_PARTNER_ADDRESS=" + l.doors[l.tw].Addr().String(), "address already in use"},
		{"API address in use", l.kr.ConfigFile, "ECOGATE_LISTENERS_API_ADDRESS=" + l.doors[l.tw].Addr().String(), "address already in use"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			environ := append(append([]string{}, anyPort...), test.variable)
			if strings.Contains(test.variable, "LISTENERS") {
				environ = append(environ, "ECOGATE_STORE_DIR="+t.TempDir())
			}
			p := launch(t, l.kr.program, environ, "serve", "--config", test.configFile)
			p.exits(exitFailure)
			told := p.log.String()
			if !strings.Contains(told, test.want) || !strings.Contains(told, "\nhint: ") || p.out.String() != "" {
				t.Errorf("output %q, log %q, want %q with a hint", p.out.String(), told, test.want)
			}
		})
	}
	// The node that was there first has not noticed.
	l.submit(l.references(2))
	l.settle()
}

func TestStopDuringDeliveryKeepsTheMessage(t *testing.T) {
	t.Parallel()
	reached := make(chan struct{}, 100)
	partner := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		reached <- struct{}{}
		<-r.Context().Done() // no answer as long as the node waits for one
	}))
	t.Cleanup(partner.Close)
	two, err := pair.Make(t.TempDir(), pair.Options{Algorithm: pkitest.P256, PlainHTTP: true})
	if err != nil {
		t.Fatal(err)
	}
	kr := &site{t: t, program: installedProgram(t), Side: two.KR, environ: []string{"ECOGATE_AGREEMENTS_0_ENDPOINT=" + partner.URL}}
	kr.start()
	data, err := os.ReadFile("../../testdata/certificates/nonpreferential-kcci.json")
	if err != nil {
		t.Fatal(err)
	}
	s, err := kr.client("issuer").Submit(t.Context(), "TW", data)
	if err != nil {
		t.Fatal(err)
	}
	<-reached
	kr.stop()
	if _, err := os.Stat(kr.ready); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the ready file is still there: %v", err)
	}
	m := readRecords(t, two.KR).one(t, exchange.Outbound, exchange.KindCertificate, s.MessageID)
	if m.State != exchange.StateQueued || len(m.Log) != 1 || m.Log[0].Problem == "" {
		t.Errorf("the message is %q after attempts %+v, want it queued after one that failed", m.State, m.Log)
	}
}

func TestSecondSignalEndsANodeAtOnce(t *testing.T) {
	t.Parallel()
	two, err := pair.Make(t.TempDir(), pair.Options{Algorithm: pkitest.P256, PlainHTTP: true})
	if err != nil {
		t.Fatal(err)
	}
	kr := &site{t: t, program: installedProgram(t), Side: two.KR}
	kr.start()
	// A request whose body does not come keeps the node from stopping.
	conn, err := net.Dial("tcp", strings.TrimPrefix(kr.APIURL, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	key, err := os.ReadFile(kr.KeyFile("issuer"))
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprintf(conn, "POST /api/v1/certificates HTTP/1.1\r\nHost: node\r\nAuthorization: Bearer %s\r\nContent-Type: application/json\r\nContent-Length: 9\r\nExpect: 100-continue\r\n\r\n",
		strings.TrimSpace(string(key)))
	// The server asks for the body when the handler reads it: the request is under way.
	if _, err := io.ReadFull(conn, make([]byte, len("HTTP/1.1 100"))); err != nil {
		t.Fatal(err)
	}
	until(t, func() error { // the first signal takes its time to be heard
		select {
		case <-kr.ended:
			return nil
		default:
			_ = kr.cmd.Process.Signal(syscall.SIGTERM)
			return errors.New("the node still runs")
		}
	})
	state := kr.wait()
	if status := state.Sys().(syscall.WaitStatus); !status.Signaled() || status.Signal() != syscall.SIGTERM {
		t.Errorf("%s, want death by a second SIGTERM", state)
	}
	readRecords(t, two.KR)
}

func TestStrangersAtThePartnersListener(t *testing.T) {
	t.Parallel()
	l := startCorridor(t)
	address := strings.TrimSuffix(strings.TrimPrefix(l.tw.PartnerURL, "https://"), partnerPath)
	unknown := pkitest.NewTest(t, pkitest.Options{Country: "XX", Organisation: "Nobody"})
	_, unknownKey, unknownChain := unknown.IssueFiles("client", pkitest.Request{Name: "client", Use: pkitest.TLSClient})
	tests := []struct{ name, chain, key string }{
		{"no credential", "", ""},
		{"credential of an unknown PKI", unknownChain, unknownKey},
		{"the node's own", l.tw.Dir + "/pki/tls-client.pem", l.tw.Dir + "/pki/tls-client.key"},
		{"a partner's for another use", l.kr.Dir + "/pki/node.pem", l.kr.Dir + "/pki/node.key"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			res, err := overTLS(t, l.tw.Side, test.chain, test.key).Post(l.tw.PartnerURL, "text/xml", strings.NewReader("<x/>"))
			if err == nil {
				res.Body.Close()
				t.Fatalf("POST answers %s", res.Status)
			}
			var alert tls.AlertError
			if !errors.As(err, &alert) && !strings.Contains(err.Error(), "remote error: tls:") {
				t.Errorf("error = %v, want a TLS alert", err)
			}
		})
	}
	t.Run("plain HTTP", func(t *testing.T) {
		res, err := http.Post("http://"+address+partnerPath, "text/xml", strings.NewReader("<x/>"))
		if err == nil {
			defer res.Body.Close()
			if res.StatusCode != http.StatusBadRequest {
				t.Errorf("plain HTTP answers %s", res.Status)
			}
		}
	})
	t.Run("noise", func(t *testing.T) {
		for _, noise := range []string{"\x16\x03\x01\xff\xff", "\x00\x00\x00\x00", strings.Repeat("A", 70000)} {
			conn, err := net.Dial("tcp", address)
			if err != nil {
				t.Fatal(err)
			}
			_, _ = io.WriteString(conn, noise) // the node may close before all is written
			_ = conn.Close()
		}
	})
	until(t, func() error {
		warned := regexp.MustCompile(`level=WARN msg="connection refused in the TLS handshake" listener=partner remote=127\.0\.0\.1:\d+ cause="[^"]*certificate`)
		if !warned.MatchString(l.tw.log.String()) {
			return errors.New("the log says nothing about those who were refused")
		}
		return nil
	})
	// The partner is served as before.
	l.submit(l.references(2))
	l.settle()
}

// overTLS is an HTTP client that trusts a side's server and shows the credential in two files, or none.
func overTLS(t *testing.T, server pair.Side, chainFile, keyFile string) *http.Client {
	t.Helper()
	root, err := os.ReadFile(server.Dir + "/pki/root.pem")
	if err != nil {
		t.Fatal(err)
	}
	config := &tls.Config{RootCAs: rootPool(t, root)}
	if chainFile != "" {
		own, err := tls.LoadX509KeyPair(chainFile, keyFile)
		if err != nil {
			t.Fatal(err)
		}
		// Shown whatever the server asks for.
		config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &own, nil }
	}
	transport := &http.Transport{TLSClientConfig: config}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport, Timeout: patience}
}

func TestEveryRouteButHealthAsksForAKey(t *testing.T) {
	t.Parallel()
	text, err := api.OpenAPI()
	if err != nil {
		t.Fatal(err)
	}
	document, err := openapi3.NewLoader().LoadFromData(text)
	if err != nil {
		t.Fatal(err)
	}
	two, err := pair.Make(t.TempDir(), pair.Options{Algorithm: pkitest.P256})
	if err != nil {
		t.Fatal(err)
	}
	kr := &site{t: t, program: installedProgram(t), Side: two.KR}
	kr.start()
	ask := func(method, path string, key string) int {
		req, err := http.NewRequestWithContext(t.Context(), method, kr.APIURL+path, strings.NewReader("{}"))
		if err != nil {
			t.Fatal(err)
		}
		if key != "" {
			req.Header.Set("Authorization", "Bearer "+key)
		}
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		return res.StatusCode
	}
	routes := [][2]string{{"GET", "/api/v1/nothing"}, {"DELETE", "/api/v1/messages"}}
	for path, item := range document.Paths.Map() {
		for method := range item.Operations() {
			if strings.HasPrefix(path, "/api/") {
				routes = append(routes, [2]string{method, regexp.MustCompile(`\{\w+\}`).ReplaceAllString(path, "1")})
			}
		}
	}
	for _, route := range routes {
		for _, key := range []string{"", "not-a-key"} {
			if got := ask(route[0], route[1], key); got != http.StatusUnauthorized {
				t.Errorf("%s %s with key %q answers %d", route[0], route[1], key, got)
			}
		}
	}
	for _, path := range []string{"/healthz", "/readyz"} {
		if got := ask("GET", path, ""); got != http.StatusOK {
			t.Errorf("GET %s answers %d", path, got)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	client, err := api.NewClient(kr.APIURL, "not-a-key", nil)
	if err != nil {
		t.Fatal(err)
	}
	var refused *api.Problem
	if _, err := client.Messages(ctx, exchange.MessageQuery{}); !errors.As(err, &refused) || refused.Code != api.CodeUnauthenticated {
		t.Errorf("error = %v", err)
	}
	kr.stop()
}
