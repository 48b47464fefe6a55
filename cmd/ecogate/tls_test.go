package main

import (
	"crypto/tls"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ecogate/ecogate/internal/pkitest"
)

// apiFiles sets what the API's listener shows.
func apiFiles(certificateFile, keyFile string) []string {
	return []string{"ECOGATE_LISTENERS_API_CERTIFICATE_FILE=" + certificateFile, "ECOGATE_LISTENERS_API_KEY_FILE=" + keyFile}
}

// shownBy returns the serial number of the credential that a listener shows.
func shownBy(t *testing.T, url string) string {
	t.Helper()
	conn, err := tls.Dial("tcp", strings.TrimPrefix(url, "https://"), &tls.Config{InsecureSkipVerify: true})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	return conn.ConnectionState().PeerCertificates[0].SerialNumber.String()
}

func TestAPICredentialThatServesNobodyIsRefused(t *testing.T) {
	two := newPair(t)
	pki := pkitest.NewTest(t, pkitest.Options{Country: "KR", Organisation: "Another CA"})
	request := pkitest.Request{Name: "api", Use: pkitest.TLSServer, Hosts: []string{"127.0.0.1"}}
	first, firstKey, firstFile := pki.IssueFiles("first", request)
	second, secondKey, secondFile := pki.IssueFiles("second", request)
	expiredKey, expiredFile := pki.Write(pki.Must(pki.Expired(request, scriptTime)), "expired")
	earlyKey, earlyFile := pki.Write(pki.Must(pki.NotYetValid(request, scriptTime)), "early")

	n := startSide(t, two.KR, nil, apiFiles(firstFile, firstKey)...)
	if !strings.HasPrefix(n.APIURL, "https://") {
		t.Fatalf("the API is at %s", n.APIURL)
	}
	for _, test := range []struct{ name, certificateFile, keyFile, want string }{
		{"missing", filepath.Join(t.TempDir(), "none.pem"), firstKey, "no such file"},
		{"key of another", secondFile, firstKey, "private key does not match"},
		{"key in its place", firstKey, firstKey, "certificate_file"},
		{"expired", expiredFile, expiredKey, "expired.pem is valid from"},
		{"not yet valid", earlyFile, earlyKey, "early.pem is valid from"},
	} {
		t.Run(test.name, func(t *testing.T) {
			wrong := loadSide(t, two.KR, append(apiFiles(test.certificateFile, test.keyFile), "ECOGATE_PARTNERS_0_NAME=changed")...)
			if err := n.Reload(wrong); err == nil || !strings.Contains(err.Error(), "listeners.api") || !strings.Contains(err.Error(), test.want) {
				t.Errorf("Reload = %v, want %q", err, test.want)
			}
			if p, _ := n.Registry.Partner("TW"); p.Name == "changed" {
				t.Error("the partners were changed all the same")
			}
			wrong.Store.Dir = t.TempDir()
			started, err := startNode(t.Context(), wrong, nodeOptions{Now: func() time.Time { return scriptTime }})
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("startNode = %v, want %q", err, test.want)
			}
			if started != nil {
				_ = started.Close()
			}
		})
	}
	if got := shownBy(t, n.APIURL); got != first.X509Cert.SerialNumber.String() {
		t.Errorf("after refused reloads the API shows credential %s", got)
	}
	if err := n.Reload(loadSide(t, two.KR, apiFiles(secondFile, secondKey)...)); err != nil {
		t.Fatal(err)
	}
	if got := shownBy(t, n.APIURL); got != second.X509Cert.SerialNumber.String() {
		t.Errorf("after the reload the API shows credential %s", got)
	}
	// Without TLS in the new configuration the running listener stays as it is.
	if err := n.Reload(loadSide(t, two.KR)); err != nil {
		t.Fatal(err)
	}
	if got := shownBy(t, n.APIURL); got != second.X509Cert.SerialNumber.String() {
		t.Errorf("after a reload without TLS the API shows credential %s", got)
	}
}

func TestAPISpeaksModernTLSOnly(t *testing.T) {
	two := newPair(t)
	n := startSide(t, two.KR, nil, apiFiles(filepath.Join(two.KR.Dir, "pki/tls-server.pem"), filepath.Join(two.KR.Dir, "pki/tls-server.key"))...)
	for _, test := range []struct {
		name    string
		version uint16
		taken   bool
	}{{"1.1", tls.VersionTLS11, false}, {"1.2", tls.VersionTLS12, true}, {"1.3", tls.VersionTLS13, true}} {
		t.Run(test.name, func(t *testing.T) {
			transport := &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true, MinVersion: test.version, MaxVersion: test.version}}
			defer transport.CloseIdleConnections()
			res, err := (&http.Client{Transport: transport}).Get(n.APIURL + "/readyz")
			if err == nil {
				res.Body.Close()
			}
			if (err == nil) != test.taken {
				t.Errorf("error = %v, want a connection: %t", err, test.taken)
			}
		})
	}
}

// TestReloadDoesNotTurnTLSOn: users of a running node would find a door of another kind.
func TestReloadDoesNotTurnTLSOn(t *testing.T) {
	two := newPair(t)
	n := startSide(t, two.KR, nil)
	files := apiFiles(filepath.Join(two.KR.Dir, "pki/tls-server.pem"), filepath.Join(two.KR.Dir, "pki/tls-server.key"))
	if err := n.Reload(loadSide(t, two.KR, files...)); err != nil {
		t.Fatal(err)
	}
	if got := status(t, n.APIURL+"/readyz"); got != http.StatusOK {
		t.Errorf("readiness answers %d", got)
	}
}
