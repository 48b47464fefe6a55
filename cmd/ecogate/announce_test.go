package main

import (
	"bytes"
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ecogate/ecogate/exchange"
	"github.com/ecogate/ecogate/internal/config"
	"github.com/ecogate/ecogate/internal/pair"
	"github.com/ecogate/ecogate/internal/pkitest"
	"github.com/ecogate/ecogate/partners"
	"github.com/ecogate/ecogate/partners/announcement"
	"github.com/ecogate/ecogate/signing"
)

// keyChange is two nodes of which KR is about to change its key for messages.
type keyChange struct {
	*testing.T
	two    pair.Pair
	kr, tw *runningNode
	ahead  atomic.Int64        // of the clock
	done   chan exchange.Event // of KR
}

const noticeTime = 10 * 24 * time.Hour

func (r *keyChange) now() time.Time { return scriptTime.Add(time.Duration(r.ahead.Load())) }

// newChange starts the nodes, TW with variables over its configuration. KR's next key lies in next.key and next.pem, issued by its own PKI, and its time begins after noticeTime.
func newChange(t *testing.T, environ ...string) *keyChange {
	t.Helper()
	r := &keyChange{T: t, two: newPair(t), done: make(chan exchange.Event, 1000)}
	agreed := []string{"ECOGATE_AGREEMENTS_0_ACTIONS_ANNOUNCE=" + partners.AnnounceAction, "ECOGATE_AGREEMENTS_0_ACTIONS_ANNOUNCE_ANSWER=" + partners.AnnounceAnswerAction}
	pki := pkitest.NewTest(t, pkitest.Options{Country: "KR", Organisation: "Demonstration Korea"})
	_, keyFile, chainFile := pki.IssueFiles("next", pkitest.Request{Name: "next", Use: pkitest.MessageSignature, NotBefore: r.now().AddDate(0, -1, 0), NotAfter: r.now().AddDate(1, 0, 0)})
	start := func(side pair.Side, observe func(exchange.Event), change func(*config.Config), environ ...string) *runningNode {
		cfg := loadSide(t, side, append(environ, agreed...)...)
		change(&cfg)
		n, err := startNode(t.Context(), cfg, nodeOptions{Now: r.now, Observe: observe, Log: slog.New(slog.DiscardHandler)})
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
	trusting := func(cfg *config.Config) {
		p := &cfg.Partners[0]
		p.AnchorFiles = append(p.AnchorFiles, filepath.Join(pki.Dir, "root.pem"))
	}
	r.tw = start(r.two.TW, nil, trusting, environ...)
	r.kr = start(r.two.KR, func(e exchange.Event) { r.done <- e }, func(cfg *config.Config) {
		cfg.Node.Keys[0].Until = r.now().Add(2 * noticeTime)
		cfg.Node.Keys = append(cfg.Node.Keys, partners.KeyConfig{
			Uses: []partners.Use{partners.UseMessageSignature}, KeyFile: keyFile, ChainFile: chainFile, From: r.now().Add(noticeTime),
		})
	}, "ECOGATE_AGREEMENTS_0_ENDPOINT="+r.tw.PartnerURL)
	cfg := loadSide(t, r.two.TW, slices.Concat(environ, agreed, []string{"ECOGATE_AGREEMENTS_0_ENDPOINT=" + r.kr.PartnerURL})...)
	trusting(&cfg)
	if err := r.tw.Reload(cfg); err != nil {
		t.Fatal(err)
	}
	return r
}

// run runs a command against a side's API as its operator, and fails unless it exits with that code.
func (r *keyChange) run(n *runningNode, side pair.Side, code int, args ...string) string {
	r.Helper()
	var out, errOut bytes.Buffer
	args = append(args, "--api", n.APIURL, "--key-file", side.KeyFile("operator"))
	if got := (&cli{in: strings.NewReader(""), out: &out, errOut: &errOut, now: r.now}).run(r.Context(), args); got != code {
		r.Fatalf("%q: exit code %d, want %d: %s%s", args, got, code, out.String(), errOut.String())
	}
	return out.String() + errOut.String()
}

// until waits for a step of KR about a certificate, or with an empty reference about none.
func (r *keyChange) until(step, reference string) {
	r.Helper()
	ctx, cancel := context.WithTimeout(r.Context(), 20*time.Second)
	defer cancel()
	for {
		select {
		case got := <-r.done:
			if got.Step == step && got.Reference == reference {
				return
			}
		case <-ctx.Done():
			r.Fatalf("KR reported no %q of %q", step, reference)
		}
	}
}

// send has KR send a certificate, waits for its acknowledgment, and gives the fingerprint of the credential that verified it.
func (r *keyChange) send(reference string) string {
	r.Helper()
	if err := submit(r.Context(), r.kr, r.two.KR, reference); err != nil {
		r.Fatal(err)
	}
	r.until("receipted", reference)
	found, err := r.tw.Store.Messages(r.Context(), exchange.MessageQuery{Direction: exchange.Inbound, Kind: exchange.KindCertificate, Limit: 1})
	if err != nil || len(found) != 1 || found[0].State != exchange.StateAccepted {
		r.Fatalf("TW has %+v, %v", found, err)
	}
	return found[0].Signer
}

func (r *keyChange) states(at time.Time) (old, next partners.State) {
	for _, h := range r.tw.Registry.Inventory(at) {
		if h.Partner == "KR" && h.Use == partners.UseMessageSignature {
			if h.X509Cert.Subject.CommonName == "next" {
				next = h.State
			} else {
				old = h.State
			}
		}
	}
	return old, next
}

func TestKeyIsChangedByMessagesBetweenTwoNodes(t *testing.T) {
	r := newChange(t)
	old := r.send("LA26010137")
	answer := r.answer()
	if answer.Result != announcement.ResultStaged {
		t.Fatalf("answer %+v", answer)
	}
	next := answer.SHA256
	if before, staged := r.states(r.now()); before != partners.StateActive || staged != partners.StateStaged {
		t.Errorf("at TW the old one is %q, the next %q", before, staged)
	}
	for _, reference := range []string{"LA26010138", "LA26010139"} {
		if signer := r.send(reference); signer != old {
			t.Errorf("%s: verified by %.8s before the switch", reference, signer)
		}
	}
	if out := r.run(r.tw, r.two.TW, 0, "cert", "trials"); !strings.Contains(out, "KR") || !strings.Contains(out, next[:16]) {
		t.Errorf("trials: %s", out)
	}
	if trials := r.tw.Node.Trials(); len(trials) != 1 || trials[0].Verified < 2 || trials[0].Failed != 0 {
		t.Errorf("trials %+v", trials)
	}

	r.ahead.Store(int64(noticeTime))
	if signer := r.send("LA26010140"); signer != next {
		t.Errorf("after the switch verified by %.8s, want %.8s", signer, next)
	}
	if before, active := r.states(r.now()); before != partners.StateRetiring || active != partners.StateActive {
		t.Errorf("after the switch the old one is %q, the next %q", before, active)
	}
	r.ahead.Store(int64(2 * noticeTime))
	if signer := r.send("LA26010141"); signer != next {
		t.Errorf("in the end verified by %.8s", signer)
	}
	if before, active := r.states(r.now()); before != partners.StateRetired || active != partners.StateActive {
		t.Errorf("in the end the old one is %q, the next %q", before, active)
	}
	for _, n := range []*runningNode{r.kr, r.tw} {
		if refused, err := n.Store.Messages(t.Context(), exchange.MessageQuery{State: exchange.StateQuarantined}); err != nil || len(refused) > 0 {
			t.Errorf("refused: %+v, %v", refused, err)
		}
	}
	entry := r.tw.Directory.Entries(partners.KindPartner)
	if len(entry) != 1 || entry[0].By != partners.ByNode || !strings.HasPrefix(entry[0].Why, "announcement ") {
		t.Errorf("versions of TW's partners: %+v", entry)
	}
}

// answer has KR announce, and gives the one outcome that TW answers.
func (r *keyChange) answer() announcement.Outcome {
	r.Helper()
	r.run(r.kr, r.two.KR, 0, "key", "announce", "--partner", "TW")
	r.until("answered", "")
	answers, err := r.kr.Store.Messages(r.Context(), exchange.MessageQuery{Direction: exchange.Inbound, Kind: exchange.KindAnnouncementAnswer, Limit: 1})
	if err != nil || len(answers) != 1 || len(answers[0].Business.AnnouncementAnswer.Outcomes) != 1 {
		r.Fatalf("answers %+v, %v", answers, err)
	}
	return answers[0].Business.AnnouncementAnswer.Outcomes[0]
}

func TestSecondOperatorConfirmsAnAnnouncement(t *testing.T) {
	r := newChange(t, "ECOGATE_REGISTRY_SECOND_OPERATOR=true")
	if o := r.answer(); o.Result != announcement.ResultTold {
		t.Errorf("answer %+v", o)
	}
	if _, next := r.states(r.now()); next != "" {
		t.Errorf("before anybody confirmed it is %q", next)
	}
	if out := r.run(r.tw, r.two.TW, 0, "proposal", "list"); !strings.Contains(out, "KR") {
		t.Errorf("proposals: %s", out)
	}
	r.run(r.tw, r.two.TW, 0, "proposal", "confirm", "1")
	if _, next := r.states(r.now()); next != partners.StateStaged {
		t.Errorf("after it was confirmed it is %q", next)
	}
	r.send("LA26010137")
	if trials := r.tw.Node.Trials(); len(trials) != 1 || trials[0].Verified == 0 {
		t.Errorf("trials %+v", trials)
	}
	r.ahead.Store(int64(time.Minute))
	if o := r.answer(); o.Result != announcement.ResultStaged || o.Verified == 0 {
		t.Errorf("answer to a second announcement %+v", o)
	}
}

func TestKeyIsChangedByAFileBetweenTwoNodes(t *testing.T) {
	r := newChange(t)
	file := filepath.Join(t.TempDir(), "kr.p7m")
	r.run(r.kr, r.two.KR, 0, "key", "announce", "--file", file)
	out := r.run(r.tw, r.two.TW, 0, "cert", "announced", file, "--partner", "KR")
	if !strings.Contains(out, "nothing stands against it") {
		t.Errorf("examined: %s", out)
	}
	if _, next := r.states(r.now()); next != "" {
		t.Errorf("examining made it %q", next)
	}
	if out = r.run(r.tw, r.two.TW, 0, "cert", "announced", file, "--partner", "KR", "--take"); !strings.Contains(out, "staged") {
		t.Errorf("taken: %s", out)
	}
	if _, next := r.states(r.now()); next != partners.StateStaged {
		t.Errorf("taking made it %q", next)
	}
	r.ahead.Store(int64(noticeTime))
	if signer := r.send("LA26010137"); signer != signing.Fingerprint(key(t, r.kr).Chain[0]) {
		t.Errorf("verified by %.8s", signer)
	}

	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	forged := filepath.Join(t.TempDir(), "forged.p7m")
	if err := os.WriteFile(forged, bytes.Replace(data, []byte("<Number>1"), []byte("<Number>2"), 1), 0o600); err != nil {
		t.Fatal(err)
	}
	if out := r.run(r.tw, r.two.TW, 4, "cert", "announced", forged, "--partner", "KR"); !strings.Contains(out, "not what was signed") {
		t.Errorf("forged: %s", out)
	}
	if out := r.run(r.kr, r.two.KR, 4, "key", "announce", "--partner", "TW"); !strings.Contains(out, `"ecogate key stage" takes the next key`) {
		t.Errorf("nothing to announce: %s", out)
	}
	r.run(r.kr, r.two.KR, 2, "key", "announce")
	r.run(r.tw, r.two.TW, 2, "cert", "announced", file)
	r.run(r.tw, r.two.TW, 3, "cert", "announced", file, "--partner", "XX")
}

func key(t *testing.T, n *runningNode) signing.Key {
	t.Helper()
	k, err := n.Registry.Key(partners.UseMessageSignature, "", n.now())
	if err != nil {
		t.Fatal(err)
	}
	return k
}
