package main

import (
	"crypto/tls"
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ecogate/ecogate/ebms"
	"github.com/ecogate/ecogate/internal/pair"
	"github.com/ecogate/ecogate/partners"
	"github.com/ecogate/ecogate/signing"
)

const (
	plainHTTP    = "ECOGATE_LISTENERS_PARTNER_PLAIN_HTTP=true"
	proxyAddress = "ECOGATE_LISTENERS_PARTNER_PROXY_ADDRESSES="
	proxyHeader  = "ECOGATE_LISTENERS_PARTNER_PROXY_CLIENT_CERT_HEADER="
	clientAuth   = "ECOGATE_LISTENERS_PARTNER_TLS_CLIENT_AUTH="
)

// credentialPEM is a file of a side's PKI, without what follows the end credential.
func credentialPEM(t *testing.T, side pair.Side, name string) (text []byte, der []byte) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(side.Dir, "pki", name+".pem"))
	if err != nil {
		t.Fatal(err)
	}
	list, err := signing.ReadCredentials(text)
	if err != nil {
		t.Fatal(err)
	}
	end := strings.SplitAfter(string(text), "-----END CERTIFICATE-----\n")[0]
	return []byte(end), list[0].Raw
}

// A client's credential in a header counts from a proxy alone.
func TestClientCredentialFromProxy(t *testing.T) {
	two := newPair(t)
	text, der := credentialPEM(t, two.TW, "tls-client")
	_, own := credentialPEM(t, two.KR, "tls-client")
	rfc9440 := ":" + base64.StdEncoding.EncodeToString(der) + ":"
	for _, test := range []struct {
		name    string
		environ []string
		header  string
		values  []string
		status  int // http.StatusBadRequest with the node's text for what never reached the message service
		body    string
	}{
		{"RFC 9440", []string{proxyAddress + "127.0.0.1"}, "Client-Cert", []string{rfc9440}, 0, ""},
		{"escaped PEM", []string{proxyAddress + "127.0.0.0/8", proxyHeader + "X-SSL-Client-Cert"}, "X-SSL-Client-Cert", []string{url.PathEscape(string(text))}, 0, ""},
		{"no credential", []string{proxyAddress + "127.0.0.1"}, "Client-Cert", nil, http.StatusForbidden, "required"},
		{"no partner's", []string{proxyAddress + "127.0.0.1"}, "Client-Cert", []string{":" + base64.StdEncoding.EncodeToString(own) + ":"}, http.StatusForbidden, "refused"},
		{"twice", []string{proxyAddress + "127.0.0.1"}, "Client-Cert", []string{rfc9440, rfc9440}, http.StatusBadRequest, "not readable"},
		{"garbage", []string{proxyAddress + "127.0.0.1"}, "Client-Cert", []string{"MIIB"}, http.StatusBadRequest, "not readable"},
		{"from elsewhere", []string{proxyAddress + "192.0.2.10"}, "Client-Cert", []string{rfc9440}, http.StatusForbidden, "required"},
		{"from elsewhere, none required", []string{proxyAddress + "192.0.2.10", clientAuth + "none"}, "Client-Cert", []string{"MIIB"}, 0, ""},
		{"another header", []string{proxyAddress + "127.0.0.1"}, "X-SSL-Client-Cert", []string{url.PathEscape(string(text))}, http.StatusForbidden, "required"},
		{"no proxy configured", nil, "Client-Cert", []string{"MIIB"}, 0, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			n := startSide(t, two.KR, nil, append(test.environ, plainHTTP)...)
			req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, n.PartnerURL, strings.NewReader("no message"))
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("Content-Type", "text/xml")
			for _, v := range test.values {
				req.Header.Add(test.header, v)
			}
			status, body := do(t, http.DefaultClient, req)
			reached := strings.Contains(body, "Envelope") // the message service answers in its own words
			if test.status == 0 && !reached || test.status != 0 && (status != test.status || !strings.Contains(body, test.body)) {
				t.Errorf("answered %d %q, want %d %q", status, body, test.status, test.body)
			}
		})
	}
}

func do(t *testing.T, client *http.Client, req *http.Request) (int, string) {
	t.Helper()
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(body)
}

// nginx ends TLS and hands over the client's credential.
func TestClientCredentialFromNginx(t *testing.T) {
	program, err := exec.LookPath("nginx")
	if err != nil {
		if program, err = exec.LookPath("/usr/sbin/nginx"); err != nil {
			t.Skip("nginx is not installed")
		}
	}
	two := newPair(t)
	n := startSide(t, two.KR, nil, plainHTTP, proxyAddress+"127.0.0.1", proxyHeader+"X-SSL-Client-Cert")
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	front := l.Addr().String()
	l.Close()
	dir, pki := t.TempDir(), filepath.Join(two.KR.Dir, "pki")
	file := filepath.Join(dir, "nginx.conf")
	conf := fmt.Sprintf(`daemon off; master_process off; pid %[1]s/pid; error_log stderr;
events {}
http {
  access_log off; client_body_temp_path %[1]s/b; proxy_temp_path %[1]s/p; fastcgi_temp_path %[1]s/f; uwsgi_temp_path %[1]s/u; scgi_temp_path %[1]s/s;
  server {
    listen %[2]s ssl; ssl_certificate %[3]s/tls-server.pem; ssl_certificate_key %[3]s/tls-server.key;
    ssl_verify_client optional_no_ca;
    location / { proxy_pass %[4]s; proxy_set_header X-SSL-Client-Cert $ssl_client_escaped_cert; }
  }
}
`, dir, front, pki, strings.TrimSuffix(n.PartnerURL, partnerPath))
	if err := os.WriteFile(file, []byte(conf), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), program, "-p", dir, "-c", file)
	var said strings.Builder
	cmd.Stderr = &said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	}()
	for range 100 {
		c, err := net.Dial("tcp", front)
		if err == nil {
			c.Close()
			break
		}
		time.Sleep(50 * time.Millisecond) // another process, which tells nobody that it listens
	}
	post := func(with ...tls.Certificate) (int, string) {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "https://"+front+partnerPath, strings.NewReader("no message"))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", "text/xml")
		_, der := credentialPEM(t, two.TW, "tls-client")
		req.Header.Set("X-SSL-Client-Cert", url.PathEscape(string(der))) // what a stranger writes nginx replaces
		client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true, Certificates: with}}}
		defer client.CloseIdleConnections()
		return do(t, client, req)
	}
	theirs, err := tls.LoadX509KeyPair(filepath.Join(two.TW.Dir, "pki", "tls-client.pem"), filepath.Join(two.TW.Dir, "pki", "tls-client.key"))
	if err != nil {
		t.Fatal(err)
	}
	if status, body := post(theirs); !strings.Contains(body, "Envelope") {
		t.Errorf("with the partner's credential: %d %q", status, body)
	}
	if status, body := post(); status != http.StatusForbidden || !strings.Contains(body, "required") {
		t.Errorf("without: %d %q", status, body)
	}
}

// What a name leads to is judged when it is dialled: here localhost, which no rule of names refuses.
func TestDeliveriesDialPublicAddressesOnly(t *testing.T) {
	hits := 0
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { hits++ }))
	defer server.Close()
	endpoint := strings.Replace(server.URL, "127.0.0.1", "localhost", 1) + "/ebms"
	two := newPair(t)
	for _, test := range []struct {
		allow, networks string
		want            int
	}{{"false", "[]", 0}, {"true", "[]", 1}, {"false", "127.0.0.0/8,::1", 1}} {
		cfg := loadSide(t, two.KR, "ECOGATE_AGREEMENTS_0_ENDPOINT="+endpoint, "ECOGATE_AGREEMENTS_0_ALLOW_PRIVATE_ENDPOINT="+test.allow,
			"ECOGATE_NODE_PRIVATE_NETWORKS="+test.networks)
		registry, err := partners.New(cfg.Registry())
		if err != nil {
			t.Fatal(err)
		}
		hits = 0
		p := newPoster(cfg.Delivery, registry, func() time.Time { return scriptTime })
		_, err = p.Post(t.Context(), "TW", ebms.Outgoing{URL: endpoint})
		if hits != test.want || (err == nil) != (test.want == 1) || err != nil && !strings.Contains(err.Error(), "is not public and is refused") {
			t.Errorf("%+v: %d requests, %v", test, hits, err)
		}
	}
}
