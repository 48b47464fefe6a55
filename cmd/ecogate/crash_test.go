package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ecogate/ecogate/api"
	"github.com/ecogate/ecogate/eco"
	"github.com/ecogate/ecogate/exchange"
	"github.com/ecogate/ecogate/internal/pair"
	"github.com/ecogate/ecogate/internal/pkitest"
	"github.com/ecogate/ecogate/partners"
	"github.com/ecogate/ecogate/testdata/certificates"
)

// crash is one way for a node to die: at the hit-th passing of a named point.
type crash struct {
	at    string // node
	point string
	hit   int
	travel
}

// travel is how certificates and what answers them travel.
type travel struct {
	// sync is the agreement's syncReplyMode, ordered has it guarantee the order of messages.
	sync    string
	ordered bool
	// large gives each certificate an attachment that no commit holds.
	large bool
}

func (c crash) String() string {
	text := fmt.Sprintf("%s %s %d", c.at, c.point, c.hit)
	if c.sync != "" {
		text += " " + c.sync
	}
	if c.ordered {
		text += " ordered"
	}
	if c.large {
		text += " large"
	}
	return text
}

var (
	signals = travel{sync: partners.SyncReplySignals}
	replies = travel{sync: partners.SyncReplyBoth}
	inOrder = travel{ordered: true}
	big     = travel{large: true}
)

// crashes are all named points, each on every node that passes it, with some of them for answers in HTTP responses, for
// ordered messages and for large ones.
var crashes = []crash{
	{at: "KR", point: "submit.composed", hit: 1},
	{at: "KR", point: "submit.committed", hit: 2},
	{at: "KR", point: "store.raw-synced", hit: 1},
	{at: "KR", point: "store.raw-synced", hit: 3},
	{at: "KR", point: "store.committed", hit: 1},
	{at: "KR", point: "deliver.claimed", hit: 1},
	{at: "KR", point: "deliver.posting", hit: 2},
	{at: "KR", point: "deliver.posted", hit: 2},
	{at: "KR", point: "deliver.settled", hit: 2},
	{at: "KR", point: "receive.read", hit: 2},
	{at: "KR", point: "receive.verified", hit: 2},
	{at: "KR", point: "signal.verified", hit: 1},
	{at: "KR", point: "signal.verified", hit: 3, travel: signals},
	{at: "KR", point: "signal.committed", hit: 3},
	{at: "KR", point: "signal.committed", hit: 1, travel: signals},
	{at: "TW", point: "receive.read", hit: 3},
	{at: "TW", point: "receive.verified", hit: 2},
	{at: "TW", point: "receive.composed", hit: 2},
	{at: "TW", point: "receive.committed", hit: 2},
	{at: "TW", point: "receive.committed", hit: 1, travel: signals},
	{at: "TW", point: "store.raw-synced", hit: 1},
	{at: "TW", point: "store.committed", hit: 1},
	{at: "TW", point: "store.committed", hit: 3},
	{at: "TW", point: "deliver.claimed", hit: 1},
	{at: "TW", point: "deliver.posting", hit: 2},
	{at: "TW", point: "deliver.posted", hit: 2},
	{at: "TW", point: "deliver.settled", hit: 2},
	{at: "KR", point: "answer.verified", hit: 2, travel: replies},
	{at: "KR", point: "answer.committed", hit: 2, travel: replies},
	{at: "TW", point: "receive.committed", hit: 2, travel: replies},
	{at: "KR", point: "submit.composed", hit: 3, travel: inOrder},
	{at: "KR", point: "submit.committed", hit: 3, travel: inOrder},
	{at: "KR", point: "store.committed", hit: 2, travel: inOrder},
	{at: "TW", point: "receive.composed", hit: 2, travel: inOrder},
	{at: "TW", point: "store.committed", hit: 2, travel: inOrder},
	{at: "KR", point: "store.large-synced", hit: 2, travel: big},
	{at: "KR", point: "store.committed", hit: 1, travel: big},
	{at: "TW", point: "store.large-synced", hit: 2, travel: big},
	{at: "TW", point: "store.raw-synced", hit: 1, travel: big},
}

func TestEveryNamedPointHasItsCrash(t *testing.T) {
	named := make(map[string]bool)
	point := regexp.MustCompile(`(?:\bfault\.Point|\.[pP]oint)\("([^"]+)"\)`)
	err := filepath.WalkDir("../..", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		source, err := os.ReadFile(path)
		for _, match := range point.FindAllSubmatch(source, -1) {
			named[string(match[1])] = true
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	crashed := make(map[string]bool)
	for _, c := range crashes {
		crashed[c.point] = true
	}
	crashed[folderPoint] = true
	for _, elsewhere := range []string{"handover.made", "handover.delivered"} { // clearance/handover/crash_test.go
		crashed[elsewhere] = true
	}
	if diff := cmp.Diff(named, crashed); diff != "" {
		t.Errorf("points in the source (-) and in the table of crashes (+):\n%s", diff)
	}
}

func TestCrashesLoseNothing(t *testing.T) {
	if testing.Short() {
		t.Skip("starts and kills many processes")
	}
	program := buildProgram(t, "fault")
	for _, c := range crashes {
		t.Run(c.String(), func(t *testing.T) {
			t.Parallel()
			l := newLedger(t, program, c.travel)
			victim, other := l.kr, l.tw
			if c.at == "TW" {
				victim, other = l.tw, l.kr
			}
			l.start(other)
			l.start(victim, fmt.Sprintf("ECOGATE_FAULT=%s:%d", c.point, c.hit))
			l.submit(l.references(5))
			victim.killed()
			l.start(victim)
			l.settle()
		})
	}
	t.Run("both nodes", func(t *testing.T) {
		t.Parallel()
		l := newLedger(t, program, travel{})
		l.start(l.tw, "ECOGATE_FAULT=receive.committed:3")
		l.start(l.kr, "ECOGATE_FAULT=deliver.posted:2")
		l.submit(l.references(5))
		l.kr.killed()
		// KR may have died before TW got three messages. Then its next process brings them.
		l.start(l.kr)
		l.submit(l.unanswered())
		l.tw.killed()
		l.start(l.tw)
		l.settle()
	})
	t.Run("at random moments", func(t *testing.T) {
		t.Parallel()
		crashAtRandom(t, program)
	})
}

// crashAtRandom kills one node or both at any moment, ECOGATE_CRASH_ROUNDS times (default 5).
func crashAtRandom(t *testing.T, program string) {
	rounds := 5
	if text := os.Getenv("ECOGATE_CRASH_ROUNDS"); text != "" {
		var err error
		if rounds, err = strconv.Atoi(text); err != nil {
			t.Fatalf("ECOGATE_CRASH_ROUNDS: %v", err)
		}
	}
	l := newLedger(t, program, travel{})
	l.start(l.kr)
	l.start(l.tw)
	for round := range rounds {
		victims := [][]*site{{l.kr}, {l.tw}, {l.kr, l.tw}}[rand.IntN(3)]
		moment := rand.N(300 * time.Millisecond)
		time.AfterFunc(moment, func() { // that it does not matter when is what is tested
			for _, victim := range victims {
				_ = victim.cmd.Process.Kill()
			}
		})
		l.submit(l.references(5))
		for _, victim := range victims {
			victim.killed()
		}
		for _, victim := range victims {
			l.start(victim)
		}
		l.submit(l.unanswered())
		t.Logf("round %d: %d killed after %s", round, len(victims), moment)
	}
	l.settle()
}

// ledger remembers what a submitter was told, to compare with what the two nodes know in the end.
type ledger struct {
	*corridor
	travel
	mu sync.Mutex
	// answered has every reference that was submitted, and the MessageID that the answer named; empty without an answer.
	answered map[string]string
}

func newLedger(t *testing.T, program string, how travel) *ledger {
	t.Helper()
	o := pair.Options{Algorithm: pkitest.P256, RetryInterval: 2 * time.Second, Retries: 100, SyncReply: how.sync, Ordered: how.ordered}
	return &ledger{corridor: newCorridor(t, program, o), travel: how, answered: make(map[string]string)}
}

// reply is the kind of message that answers a certificate.
func (l *ledger) reply() exchange.Kind {
	if l.sync == partners.SyncReplyBoth {
		return exchange.KindAnswer
	}
	return exchange.KindAcknowledgment
}

// attachments are those of a certificate: the same whenever it is submitted, and for each certificate others.
func (l *ledger) attachments(reference string) []exchange.Attachment {
	if !l.large {
		return nil
	}
	content := bytes.Repeat([]byte(reference+"\n"), 2<<20/len(reference))
	return []exchange.Attachment{{Name: reference + ".txt", ContentType: "text/plain", Content: bytes.NewReader(content)}}
}

// references are n new references.
func (l *ledger) references(n int) []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	fresh := make([]string, n)
	for i := range fresh {
		fresh[i] = fmt.Sprintf("001-26-%07d", 1000000+len(l.answered))
		l.answered[fresh[i]] = ""
	}
	return fresh
}

func (l *ledger) unanswered() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	var open []string
	for reference, id := range l.answered {
		if id == "" {
			open = append(open, reference)
		}
	}
	return open
}

func (l *ledger) all() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	var all []string
	for reference := range l.answered {
		all = append(all, reference)
	}
	return all
}

// submit hands certificates to KR at the same time, once each. The node may die meanwhile.
func (l *ledger) submit(references []string) {
	l.t.Helper()
	client := l.kr.client("issuer")
	var calls sync.WaitGroup
	for _, reference := range references {
		data, err := json.Marshal(certificateWith(l.t, reference))
		if err != nil {
			l.t.Fatal(err)
		}
		calls.Go(func() {
			ctx, cancel := context.WithTimeout(l.t.Context(), patience)
			defer cancel()
			s, err := client.Submit(ctx, "TW", data, l.attachments(reference)...)
			l.note(reference, s, err)
		})
	}
	calls.Wait()
}

// note records an answer. A node that has answered once must give the same answer for ever.
func (l *ledger) note(reference string, s api.Submission, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	var refused *api.Problem
	before := l.answered[reference]
	switch {
	case errors.As(err, &refused):
		l.t.Errorf("submitting %s: %v", reference, err)
	case err != nil: // no answer: the node died
	case before != "" && (s.MessageID != before || s.Fresh):
		l.t.Errorf("%s was answered with message %s before, now with %s, fresh: %t", reference, before, s.MessageID, s.Fresh)
	default:
		l.answered[reference] = s.MessageID
	}
}

// settle submits everything again, waits until all is receipted, stops both nodes and compares what they know.
func (l *ledger) settle() {
	l.t.Helper()
	l.submit(l.all())
	if open := l.unanswered(); len(open) > 0 {
		l.t.Fatalf("no answer for %v from a node that runs", open)
	}
	issuer, broker := l.kr.client("issuer"), l.tw.client("broker")
	for _, reference := range l.all() {
		// Where answers are agreed, the one that accepts it may have come too.
		until(l.t, func() error {
			return has(l.t.Context(), issuer, reference, exchange.CertificateReceipted, exchange.CertificateAccepted)
		})
		// What KR has a receipt for TW has. In order it is receipted when it came, and available when those before it have come.
		if l.ordered && has(l.t.Context(), broker, reference, exchange.CertificateReceived) == nil {
			continue
		}
		if err := has(l.t.Context(), broker, reference, exchange.CertificateAvailable); err != nil {
			l.t.Errorf("receipted at KR, at TW: %v", err)
		}
	}
	for _, reference := range l.all() {
		if err := has(l.t.Context(), broker, reference, exchange.CertificateAvailable); err != nil {
			l.t.Errorf("all are receipted at KR, at TW: %v", err)
		}
	}
	l.kr.stop()
	l.tw.stop()
	l.compare()
}

// has returns nil if there is exactly one certificate with a reference, in one of the states.
func has(ctx context.Context, client *api.Client, reference string, states ...exchange.CertificateState) error {
	found, err := client.Lookup(ctx, api.LookupQuery{Reference: reference})
	if err != nil {
		return fmt.Errorf("look-up of %s: %w", reference, err)
	}
	if len(found.Matches) != 1 || !slices.Contains(states, found.Matches[0].State) {
		return fmt.Errorf("look-up of %s: found %d, %q, want one %q", reference, len(found.Matches), found.Matches[0].State, states)
	}
	return nil
}

// certificateWith is a sample certificate under another reference.
func certificateWith(t *testing.T, reference string) eco.Certificate {
	t.Helper()
	data, err := certificates.JSON.ReadFile("nonpreferential-kcci.json")
	if err != nil {
		t.Fatal(err)
	}
	c, err := eco.Decode(data)
	if err != nil {
		t.Fatal(err)
	}
	c.Reference = reference
	return c
}

// whole leaves out the requests that a kill of their sender cut off: the receiver keeps what had come of them.
func (r records) whole() records {
	r.messages = slices.DeleteFunc(r.messages, func(m exchange.Message) bool {
		return m.State == exchange.StateQuarantined && m.Kind == exchange.KindUnknown && m.MessageID == "" && strings.Contains(m.Reason.Cause, "did not arrive whole")
	})
	return r
}

// compare reads both stores, which no process has open any more: everything that was submitted travelled once and was
// acknowledged once, whoever died when.
func (l *ledger) compare() {
	l.t.Helper()
	kr, tw := readRecords(l.t, l.kr.Side).whole(), readRecords(l.t, l.tw.Side).whole()
	ids := make(map[string]string) // reference -> MessageID
	for _, c := range kr.certificates {
		ids[c.Data.Reference] = c.Message
	}
	if diff := cmp.Diff(l.answered, ids); diff != "" || len(kr.certificates) != len(l.answered) {
		l.t.Errorf("KR has %d certificates; answered (-) and recorded (+):\n%s", len(kr.certificates), diff)
	}
	for _, c := range kr.certificates {
		imported := slices.DeleteFunc(slices.Clone(tw.certificates), func(i exchange.Certificate) bool { return i.Key != c.Key })
		if len(imported) != 1 || imported[0].State != exchange.CertificateAvailable || imported[0].Document.Digest != c.Document.Digest {
			l.t.Errorf("%s: TW has %+v, want one, available, with KR's document", c.Key, imported)
		}
		sent := kr.one(l.t, exchange.Outbound, exchange.KindCertificate, c.Message)
		accepted := tw.one(l.t, exchange.Inbound, exchange.KindCertificate, c.Message)
		ack := tw.about(l.t, exchange.Outbound, l.reply(), c.Message)
		receipt := kr.about(l.t, exchange.Inbound, l.reply(), c.Message)
		if sent.State != exchange.StateDelivered || sent.SettledBy != receipt.MessageID {
			l.t.Errorf("%s: sent message is %q by %q, want delivered by %q", c.Key, sent.State, sent.SettledBy, receipt.MessageID)
		}
		if accepted.State != exchange.StateAccepted || accepted.Raw.Digest != sent.Raw.Digest || receipt.State != exchange.StateAccepted || receipt.Raw.Digest != ack.Raw.Digest {
			l.t.Errorf("%s: what was received is not what was sent:\nmessage %+v\nreceived %+v\nacknowledgment %+v\nreceived %+v", c.Key, sent, accepted, ack, receipt)
		}
	}
	if diff := cmp.Diff(kr.told("certificate.submitted"), tw.told("certificate.received")); diff != "" {
		l.t.Errorf("audit logs tell of submission at KR (-) and receipt at TW (+):\n%s", diff)
	}
	// Nothing else: a quarantined message, an acknowledgment of nothing.
	if n := 2 * len(l.answered); len(kr.messages) != n || len(tw.messages) != n || len(tw.certificates) != len(l.answered) {
		l.t.Errorf("KR has %d messages, TW %d and %d certificates; want %d, %d and %d", len(kr.messages), len(tw.messages), len(tw.certificates), n, n, n/2)
	}
}
