package main

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ecogate/ecogate/ebms"
	"github.com/ecogate/ecogate/exchange"
	"github.com/ecogate/ecogate/internal/pkitest"
	"github.com/ecogate/ecogate/partners"
	"github.com/ecogate/ecogate/signing"
	"github.com/ecogate/ecogate/store/bolt"
)

// lockedBuffer is a log that is read while a node writes to it.
type lockedBuffer struct {
	mu     sync.Mutex
	buffer bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buffer.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buffer.String()
}

// TW's partner KR has a new credential, and signs with the old one when that has three days left: an operator is told once, whatever
// restarts come.
func TestPartnerThatStillUsesTheOldCredentialIsToldOnce(t *testing.T) {
	two := newPair(t)
	var ahead atomic.Int64
	now := func() time.Time { return scriptTime.Add(time.Duration(ahead.Load())) }
	cfg := loadSide(t, two.TW)
	pki := pkitest.NewTest(t, pkitest.Options{Country: "KR", Organisation: "Demonstration Korea"})
	_, _, chain := pki.IssueFiles("node", pkitest.Request{Name: "Korea e-CO hub", Use: pkitest.MessageSignature})
	partner := &cfg.Partners[0]
	i := slices.IndexFunc(partner.Credentials, func(c partners.CredentialConfig) bool { return slices.Contains(c.Uses, partners.UseMessageSignature) })
	partner.Credentials[i].Until = scriptTime.AddDate(0, 0, 10)
	partner.AnchorFiles = append(slices.Clone(partner.AnchorFiles), filepath.Join(pki.Dir, "root.pem"))
	partner.Credentials = append(slices.Clone(partner.Credentials), partners.CredentialConfig{Uses: []partners.Use{partners.UseMessageSignature}, File: chain})

	var log lockedBuffer
	var n *runningNode
	open := func() {
		t.Helper()
		var err error
		if n, err = startNode(t.Context(), cfg, nodeOptions{Now: now, Log: slog.New(slog.NewTextHandler(&log, nil))}); err != nil {
			t.Fatal(err)
		}
	}
	told := func() (times int) {
		t.Helper()
		n.tellStillUsed(t.Context(), map[string]bool{})
		records, err := n.Store.Audit(t.Context(), 0, 1000)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range records {
			if r.Event == exchange.EventStillUsed && strings.HasPrefix(r.Subject, "KR message-signature ") {
				times++
			}
		}
		if lines := strings.Count(log.String(), "still signs with a credential"); lines != times {
			t.Errorf("%d lines in the log, %d audit entries", lines, times)
		}
		return times
	}
	open()
	held := n.Registry.Credentials("KR", partners.UseMessageSignature, now())
	old := slices.IndexFunc(held, func(c partners.Credential) bool { return c.Until.Equal(scriptTime.AddDate(0, 0, 10)) })
	_, err := n.Store.Accept(t.Context(), []exchange.Arrival{{
		Message: exchange.Message{Kind: exchange.KindAcknowledgment, State: exchange.StateAccepted, MessageID: "m1@kr", Partner: "KR", Created: now(), Content: "c",
			Signer: signing.Fingerprint(held[old].X509Cert)},
		Raw: ebms.Bytes([]byte("bytes")),
	}})
	if err != nil {
		t.Fatal(err)
	}
	if times := told(); times != 0 {
		t.Errorf("ten days before the end: told %d times", times)
	}
	ahead.Store(int64(7 * 24 * time.Hour))
	if times := told(); times != 1 {
		t.Errorf("three days before: told %d times, want once", times)
	}
	if err := n.Close(); err != nil {
		t.Fatal(err)
	}
	ahead.Store(int64(7*24*time.Hour - time.Hour)) // the clock is set back
	open()
	defer n.Close()
	for _, hours := range []int{0, 1, 48} {
		ahead.Store(int64(7*24*time.Hour + time.Duration(hours)*time.Hour))
		if times := told(); times != 1 {
			t.Errorf("%d h later, after a restart: told %d times, want once", hours, times)
		}
	}
}

// The audit log tells operators of a credential that ends with nothing to follow it, once for each reminder, whatever restarts come.
func TestCredentialThatEndsIsInTheAuditLogOnceForEachReminder(t *testing.T) {
	two := newPair(t)
	var ahead atomic.Int64
	now := func() time.Time { return scriptTime.Add(time.Duration(ahead.Load())) }
	cfg := loadSide(t, two.TW)
	cfg.Partners[0].Credentials[0].Until = scriptTime.AddDate(0, 0, 8)
	registry, err := partners.New(cfg.Registry())
	if err != nil {
		t.Fatal(err)
	}
	dir, day := t.TempDir(), int64(24*time.Hour)
	for _, c := range []struct {
		name  string
		ahead int64
		want  int
	}{{"14 days were over before", 0, 1}, {"an hour later", int64(time.Hour), 1}, {"7 days left", day, 2}, {"6 days left", 2 * day, 2}, {"1 day left", 7 * day, 3}, {"ended", 8 * day, 4}} {
		ahead.Store(c.ahead)
		store, err := bolt.Open(dir, bolt.Options{Now: now})
		if err != nil {
			t.Fatal(err)
		}
		n := &runningNode{Store: store, Registry: registry, now: now, log: slog.New(slog.DiscardHandler), started: cfg}
		n.tellReminders(t.Context(), now().Add(-7*24*time.Hour), now())
		records, err := store.Audit(t.Context(), 0, 1000)
		if err := errors.Join(err, store.Close()); err != nil {
			t.Fatal(err)
		}
		times := 0
		for _, r := range records {
			if r.Event == eventEnding && strings.HasPrefix(r.Subject, "KR ") {
				times++
			}
		}
		if times != c.want {
			t.Errorf("%s: told %d times, want %d", c.name, times, c.want)
		}
	}
}

// A clock that jumps an hour, there and back, has each reminder told once.
func TestRemindersAreToldOnceWhenTheClockJumps(t *testing.T) {
	two := newPair(t)
	for name, jumps := range map[string][]time.Duration{
		"right": {0}, "ahead and back": {time.Hour, -time.Hour}, "back and right": {-time.Hour, time.Hour}, "ahead for good": {time.Hour, 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := loadSide(t, two.TW)
			partner := &cfg.Partners[0]
			partner.Credentials[0].Until = scriptTime.AddDate(0, 0, 8)
			registry, err := partners.New(cfg.Registry())
			if err != nil {
				t.Fatal(err)
			}
			synctest.Test(t, func(t *testing.T) {
				began := time.Now()
				var ahead atomic.Int64
				now := func() time.Time { return scriptTime.Add(time.Since(began) + time.Duration(ahead.Load())) }
				store, err := bolt.Open(t.TempDir(), bolt.Options{Now: now})
				if err != nil {
					t.Fatal(err)
				}
				defer store.Close()
				node, err := exchange.New(exchange.Options{Store: store, Registry: registry, Now: now})
				if err != nil {
					t.Fatal(err)
				}
				var log lockedBuffer
				n := &runningNode{Node: node, Store: store, Registry: registry, now: now, log: slog.New(slog.NewTextHandler(&log, nil))}
				ctx, stop := context.WithCancel(t.Context())
				ended := make(chan struct{})
				go func() { n.remind(ctx); close(ended) }()
				for step := range 2 * 16 { // half a day each
					time.Sleep(12*time.Hour + time.Minute)
					if step < 2 || len(jumps) == 2 {
						ahead.Add(int64(jumps[step%len(jumps)]))
					}
				}
				stop()
				<-ended
				// 14 days before its end, since the node started within a week of that; 7 days, 1 day, the end, and a week after.
				lines := strings.Count(log.String(), "partner=KR use="+string(partner.Credentials[0].Uses[0]))
				if lines != 5 {
					t.Errorf("%d reminders, want 5:\n%s", lines, log.String())
				}
			})
		})
	}
}
