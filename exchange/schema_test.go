package exchange_test

import (
	"context"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/ecogate/ecogate/ebms"
	"github.com/ecogate/ecogate/exchange"
	"github.com/ecogate/ecogate/internal/config"
	"github.com/ecogate/ecogate/internal/pair"
	"github.com/ecogate/ecogate/partners"
)

// TestEveryMessageSentIsValid has two nodes send all that they can say, and another's program hold each signed envelope to the
// schema of the header.
func TestEveryMessageSentIsValid(t *testing.T) {
	schema := filepath.Join("..", "..", "shared", "ebms", "xsd", "msg-header-2_0.xsd")
	if _, err := os.Stat(schema); err != nil {
		t.Skipf("../shared is absent: %v", err)
	}
	if _, err := exec.LookPath("xmllint"); err != nil {
		t.Skipf("xmllint is not installed: %v", err)
	}
	kinds := map[exchange.Kind]int{}
	dir := t.TempDir()
	for _, mode := range syncModes {
		change := func(c *config.Config) {
			if mode == partners.SyncReplyNone {
				ordered(c)
			}
		}
		s := both(change)
		s.pair = pair.Options{SyncReply: mode}
		bubble(t, s, func(w *world) {
			ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
			defer cancel()
			_, err := w.KR.Ping(ctx, "operator", "TW", "")
			w.must(err)
			sent, err := w.KR.Submit(ctx, "issuer", "TW", sample(t), attachments(2, 100)...)
			w.must(err)
			w.settled(sent.Message.MessageID)
			_, err = w.KR.AskStatus(ctx, "officer", "TW", sent.Message.MessageID)
			w.must(err)
			refused := w.certificateDraft(numbered(sample(t), 1))
			refused.header.CPAID = krtwCPA
			refused.header.DuplicateElimination = false
			w.TW.receive(w, refused.request(w))
			for _, side := range []*side{w.KR, w.TW} {
				for _, m := range side.messages(w, exchange.MessageQuery{Direction: exchange.Outbound}) {
					kinds[m.Kind]++
					pkg, err := ebms.ReadPackage(m.ContentType, ebms.Bytes(side.raw(w, m.Raw)), ebms.Limits{})
					w.must(err)
					w.must(os.WriteFile(filepath.Join(dir, mode+" "+string(m.Kind)+" "+m.MessageID+".xml"), pkg.Envelope, 0o600))
				}
			}
		})
	}
	for _, kind := range []exchange.Kind{
		exchange.KindCertificate, exchange.KindAcknowledgment, exchange.KindError, exchange.KindAnswer,
		exchange.KindPing, exchange.KindPong, exchange.KindStatusRequest, exchange.KindStatusResponse,
	} {
		if kinds[kind] == 0 {
			t.Errorf("no %s was sent: %v", kind, slices.Collect(maps.Keys(kinds)))
		}
	}
	files, err := filepath.Glob(filepath.Join(dir, "*.xml"))
	if err != nil || len(files) < 30 {
		t.Fatalf("%d messages, %v", len(files), err)
	}
	if out, err := exec.Command("xmllint", append([]string{"--nonet", "--noout", "--schema", schema}, files...)...).CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
	t.Logf("%d messages are valid: %v", len(files), kinds)
}
