package main

import (
	"context"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ecogate/ecogate/internal/config"
	"github.com/ecogate/ecogate/partners"
	"github.com/ecogate/ecogate/partners/revocation"
)

// scrape is the answer of a node's /metrics.
func scrape(t *testing.T, n *runningNode) string {
	t.Helper()
	req, err := http.NewRequestWithContext(context.Background(), http.MethodGet, n.AdminURL+"/metrics", nil)
	if err != nil {
		t.Fatal(err)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != http.StatusOK {
		t.Fatalf("status %d, %s, error %v", res.StatusCode, body, err)
	}
	return string(body)
}

// The end of a credential is told as an instant that does not move; its state and all ages are those of the moment.
func TestMetricsAreOfTheMoment(t *testing.T) {
	two := newPair(t)
	var ahead atomic.Int64
	now := func() time.Time { return scriptTime.Add(time.Duration(ahead.Load())) }
	cfg := loadSide(t, two.TW)
	list := filepath.Join(t.TempDir(), "none.crl")
	if err := os.WriteFile(list, []byte("no CRL"), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg.Partners[0].Revocation = partners.RevocationConfig{Policy: string(revocation.Soft), MaxAge: 30 * 24 * time.Hour, CRLFiles: []string{list}}
	end := scriptTime.AddDate(0, 0, 10)
	cfg.Partners[0].Credentials[0].Until = end
	// What is configured twice is told once.
	cfg.Partners[0].Credentials = append(cfg.Partners[0].Credentials, cfg.Partners[0].Credentials[0])
	n := startConfigured(t, cfg, now)
	use := string(cfg.Partners[0].Credentials[0].Uses[0])
	metric := regexp.MustCompile(`(?m)^ecogate_credential_not_after_timestamp_seconds\{body="",partner="KR",sha256="[0-9a-f]{64}",state="(\w+)",use="` + use + `"\} (\S+)$`)
	for _, c := range []struct {
		ahead time.Duration
		state string
	}{{0, "active"}, {10*24*time.Hour - time.Second, "active"}, {10 * 24 * time.Hour, "retired"}} {
		ahead.Store(int64(c.ahead))
		text := scrape(t, n)
		found := metric.FindAllStringSubmatch(text, -1)
		if len(found) != 1 || found[0][1] != c.state {
			t.Fatalf("after %s: %q, want one that is %s", c.ahead, found, c.state)
		}
		if at, err := strconv.ParseFloat(found[0][2], 64); err != nil || int64(at) != end.Unix() {
			t.Errorf("after %s: ends at %s, want %d", c.ahead, found[0][2], end.Unix())
		}
		if !strings.Contains(text, `ecogate_revocation_source_failing{credential="",kind="crl-file",partners="KR",source="`+list+`"} 1`) {
			t.Errorf("no source that fails: %s", text)
		}
		if strings.Contains(text, "ecogate_revocation_source_age_seconds{") {
			t.Error("an age of what is not known")
		}
	}
}

// startConfigured runs a node until the test ends.
func startConfigured(t *testing.T, cfg config.Config, now func() time.Time) *runningNode {
	t.Helper()
	n, err := startNode(t.Context(), cfg, nodeOptions{Now: now})
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
