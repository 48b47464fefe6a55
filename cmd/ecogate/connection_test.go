package main

import (
	"context"
	"crypto/tls"
	"net/http"
	"net/http/httptrace"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ecogate/ecogate/exchange"
	"github.com/ecogate/ecogate/partners"
)

func TestOpenConnectionEndsWithItsCredential(t *testing.T) {
	two := newPair(t)
	n := startSide(t, two.KR, nil)
	own, err := tls.LoadX509KeyPair(filepath.Join(two.TW.Dir, "pki/tls-client.pem"), filepath.Join(two.TW.Dir, "pki/tls-client.key"))
	if err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true, Certificates: []tls.Certificate{own}}}
	defer transport.CloseIdleConnections()
	ask := func() (status int, reused, closing bool) {
		trace := &httptrace.ClientTrace{GotConn: func(info httptrace.GotConnInfo) { reused = info.Reused }}
		request, err := http.NewRequestWithContext(httptrace.WithClientTrace(t.Context(), trace), http.MethodGet, n.PartnerURL, nil)
		if err != nil {
			t.Fatal(err)
		}
		res, err := transport.RoundTrip(request)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		return res.StatusCode, reused, res.Close
	}
	if status, _, closing := ask(); status != http.StatusMethodNotAllowed || closing {
		t.Fatalf("the partner is answered %d, the end of the connection: %t", status, closing)
	}
	if err := n.Reload(loadSide(t, two.KR, "ECOGATE_PARTNERS_0_CREDENTIALS_2_UNTIL=2026-01-01")); err != nil {
		t.Fatal(err)
	}
	if status, reused, closing := ask(); status != http.StatusForbidden || !reused || !closing {
		t.Errorf("the withdrawn client is answered %d, on the open connection: %t, which ends: %t; want 403 and its end", status, reused, closing)
	}
}

// A sender that went on with the connection that it has would be refused at the end of the overlap: on it it showed the credential
// that was its own when the connection began.
func TestConnectionIsNotUsedPastTheCredentialThatItShowed(t *testing.T) {
	var clock atomic.Pointer[time.Time]
	setClock := func(at time.Time) { clock.Store(&at) }
	setClock(scriptTime)
	sides := newSoakSides(t, func() time.Time { return *clock.Load() })
	kr, tw := sides[0], sides[1]
	change, end := scriptTime.Add(time.Hour), scriptTime.Add(2*time.Hour)
	key := kr.issue(t, partners.UseTLSClient)
	key.From = change
	tw.endAt(t, partners.UseTLSClient, "", end)
	tw.learn(t, partners.UseTLSClient, partners.CredentialConfig{Uses: key.Uses, File: key.ChainFile})
	kr.own(t, partners.UseTLSClient, key)
	for i, at := range []time.Time{scriptTime, change, end} {
		setClock(at)
		id := kr.submit(t, i)
		waiting, cancel := context.WithTimeout(t.Context(), patience)
		err := kr.await(waiting, id)
		cancel()
		if err != nil {
			t.Fatalf("at %s: %v", at, err)
		}
		sent := kr.messages(t, exchange.MessageQuery{MessageID: id, Limit: 1})
		if len(sent) != 1 || len(sent[0].Log) != 1 || sent[0].Log[0].Problem != "" {
			t.Errorf("at %s the message needed more than one attempt: %+v", at, sent)
		}
	}
}
