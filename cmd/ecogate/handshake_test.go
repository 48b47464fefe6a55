package main

import (
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"
)

func TestRefusedHandshakesAreWarnedOfOnceASecondForEachCause(t *testing.T) {
	const from = "http: TLS handshake error from 192.0.2.1:4711: "
	const missing, old = from + "tls: client didn't provide a certificate", from + "tls: client offered only unsupported versions: [301]"
	tests := []struct {
		name  string
		after time.Duration // since the line before
		line  string
		want  string // "" for no warning
	}{
		{"first", 0, missing, `remote=192.0.2.1:4711 cause="tls: client didn't provide a certificate" suppressed=0`},
		{"again", time.Millisecond, missing, ""},
		{"other cause", 0, old, `cause="tls: client offered only unsupported versions: [301]" suppressed=0`},
		{"and again", 900 * time.Millisecond, missing, ""},
		{"a second later", 99 * time.Millisecond, missing, "suppressed=2"},
		{"counted anew", time.Second, missing, "suppressed=0"},
		{"IPv6", 0, "http: TLS handshake error from [2001:db8::1]:4711: remote error: tls: bad certificate", `remote=[2001:db8::1]:4711 cause="remote error: tls: bad certificate"`},
		{"client that went away", 0, from + "EOF", ""},
		{"connection that was cut", 0, from + "read tcp 127.0.0.1:8443->192.0.2.1:4711: read: connection reset by peer", ""},
		{"no handshake", 0, "http: superfluous response.WriteHeader call", ""},
	}
	var out strings.Builder
	now := scriptTime
	h := newHandshakeLog(slog.New(slog.NewTextHandler(&out, nil)), func() time.Time { return now })
	for _, test := range tests {
		now = now.Add(test.after)
		out.Reset()
		fmt.Fprintln(h, test.line)
		if got := out.String(); (test.want == "") != (got == "") || !strings.Contains(got, test.want) || test.want != "" && !strings.Contains(got, "level=WARN") {
			t.Errorf("%s: logged %q, want %q", test.name, got, test.want)
		}
	}
}

func TestRefusedHandshakesOfManyCausesDoNotFlood(t *testing.T) {
	var out strings.Builder
	h := newHandshakeLog(slog.New(slog.NewTextHandler(&out, nil)), func() time.Time { return scriptTime })
	for i := range 10 * handshakeCauses {
		fmt.Fprintf(h, "http: TLS handshake error from 192.0.2.1:1: cause %d %s\n", i, strings.Repeat("x", 10*handshakeText))
	}
	if lines := strings.Count(out.String(), "\n"); lines != handshakeCauses+1 || out.Len() > lines*(handshakeText+200) {
		t.Errorf("%d lines, %d bytes", lines, out.Len())
	}
	if len(h.causes) > handshakeCauses+1 {
		t.Errorf("%d causes are kept", len(h.causes))
	}
}
