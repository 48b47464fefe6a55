package main

import (
	"bytes"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/ecogate/ecogate/partners"
)

// proxyFile is one of testdata/hostile/proxy: the name of the header, the status and a part of the cause that must come; then each value of
// the header in a line.
type proxyFile struct {
	header, expect string
	status         int
	values         []string
}

func readProxyFile(t *testing.T, path string) proxyFile {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	head, body, _ := strings.Cut(string(data), "\n\n")
	f := proxyFile{values: strings.Split(strings.TrimSuffix(body, "\n"), "\n")}
	for _, line := range strings.Split(head, "\n") {
		switch key, value, _ := strings.Cut(line, ": "); key {
		case "header":
			f.header = value
		case "expect":
			f.expect = value
		case "status":
			if f.status, err = strconv.Atoi(value); err != nil {
				t.Fatal(err)
			}
		default:
			t.Fatalf("%s: unknown key %q", path, key)
		}
	}
	return f
}

// What a proxy hands over and is no credential of a partner never reaches the message service; the cause is in the log alone.
func TestHostileProxyHeaders(t *testing.T) {
	files, err := filepath.Glob("../../testdata/hostile/proxy/*.txt")
	if err != nil || len(files) < 10 {
		t.Fatal(files, err)
	}
	two := newPair(t)
	for _, path := range files {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".txt"), func(t *testing.T) {
			f := readProxyFile(t, path)
			cfg := loadSide(t, two.KR, plainHTTP, proxyAddress+"127.0.0.1", proxyHeader+f.header)
			registry, err := partners.New(cfg.Registry())
			if err != nil {
				t.Fatal(err)
			}
			var log bytes.Buffer
			reached := http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("reached the message service") })
			handler := behindProxy(cfg.Listeners.Partner, reached, registry, func() time.Time { return scriptTime }, slog.New(slog.NewTextHandler(&log, nil)))
			r := httptest.NewRequest(http.MethodPost, partnerPath, strings.NewReader("no message"))
			r.RemoteAddr = "127.0.0.1:4711"
			for _, v := range f.values {
				r.Header.Add(f.header, v)
			}
			answer := httptest.NewRecorder()
			handler.ServeHTTP(answer, r)
			if answer.Code != f.status || strings.Contains(answer.Body.String(), f.expect) || !strings.Contains(log.String(), f.expect) {
				t.Errorf("answered %d %q, want %d; log %s, want %q", answer.Code, answer.Body, f.status, log.String(), f.expect)
			}
		})
	}
}
