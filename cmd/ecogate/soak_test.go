package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ecogate/ecogate/eco"
	"github.com/ecogate/ecogate/exchange"
	"github.com/ecogate/ecogate/internal/config"
	"github.com/ecogate/ecogate/internal/pair"
	"github.com/ecogate/ecogate/internal/pkitest"
	"github.com/ecogate/ecogate/partners"
)

// soakRotations is how often a credential is replaced while messages flow.
const soakRotations = 20

// soakReloads are those that a reload does; once the registry has a partner, what the configuration says of it plays no part.
const soakReloads = 8

// soakFirstUses are those of the others that the first message or document activates, one for each use of soakUses that may.
var soakFirstUses = []int{12, 15}

// TestRotationUnderLoadLosesNothing runs two nodes over mutual TLS that send each other certificates, each receipted with a
// signed acknowledgment, while credentials of every use and of both sides are replaced at random moments: first by reloads of the
// configuration, then over the API, of which one for messages and one for documents at their first use. No message may be refused and none
// may be lost. Then a credential is distrusted, and nothing that it signed afterwards is taken.
func TestRotationUnderLoadLosesNothing(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	s := newSoak(t)
	for i := range soakRotations {
		// A random moment: after so many more receipts.
		moment := func() { s.flow(t, 1+random.IntN(8)) }
		moment()
		side, use := s.sides[random.IntN(2)], soakUses[i%len(soakUses)]
		if i < soakReloads {
			s.rotate(t, side, use, moment)
		} else {
			s.rotateByAPI(t, side, use, moment, slices.Contains(soakFirstUses, i))
		}
	}
	s.flow(t, 20)
	s.stop(t)
	for _, side := range s.sides {
		s.judge(t, side)
	}
	s.revoke(t)
}

// soakUses are the uses that are rotated, in turn.
var soakUses = []partners.Use{partners.UseMessageSignature, partners.UseTLSServer, partners.UseTLSClient, partners.UseDocumentSignature}

// soakWorkers send on each side.
const soakWorkers = 4

// soak is two nodes under load.
type soak struct {
	sides [2]*soakSide
	halt  context.CancelFunc
	load  sync.WaitGroup
	// done gets the number of the worker that had a receipt; failed the first error of all.
	done   chan int
	failed chan error
}

// soakSide is one of the nodes, with what it needs to send and to get new credentials.
type soakSide struct {
	pair.Side
	*receipts
	node        *runningNode
	config      config.Config
	pki         *pkitest.Test
	certificate eco.Certificate
	other       *soakSide
	sent        atomic.Int64
	issued      int // credentials so far
}

func newSoak(t *testing.T) *soak {
	began := time.Now()
	s := &soak{done: make(chan int, 1<<16), failed: make(chan error, 2*soakWorkers)}
	s.sides = newSoakSides(t, func() time.Time { return scriptTime.Add(time.Since(began)) })
	ctx, halt := context.WithCancel(t.Context())
	s.halt = halt
	t.Cleanup(func() { halt(); s.load.Wait() })
	for worker := range 2 * soakWorkers {
		s.load.Go(func() { s.send(ctx, t.Context(), worker) })
	}
	return s
}

// newSoakSides starts two nodes over mutual TLS that take credentials of each other's second PKI, too.
func newSoakSides(t *testing.T, now func() time.Time) (sides [2]*soakSide) {
	two := newPair(t)
	for i, side := range []pair.Side{two.KR, two.TW} {
		one := &soakSide{Side: side, receipts: newReceipts(), certificate: soakCertificate(t, side.ID)}
		one.node = startSideAt(t, side, now, one.observe)
		one.pki = pkitest.NewTest(t, pkitest.Options{Country: side.ID, Organisation: "Rotation " + side.ID})
		sides[i] = one
	}
	sides[0].other, sides[1].other = sides[1], sides[0]
	for _, side := range sides {
		side.config = loadSide(t, side.Side, "ECOGATE_AGREEMENTS_0_ENDPOINT="+side.other.node.PartnerURL)
		partner := &side.config.Partners[0]
		partner.AnchorFiles = append(partner.AnchorFiles, filepath.Join(side.other.pki.Dir, "root.pem"))
		side.reload(t)
	}
	return sides
}

// soakCertificate is a small certificate that a body of the side issues.
func soakCertificate(t *testing.T, side string) eco.Certificate {
	c, _, err := certificateOfSize(1)
	if err != nil {
		t.Fatal(err)
	}
	if side == "TW" {
		c.IssuingBody.ID, c.IssuingCountry = "BOFT", "TW"
		c.ExportingCountry, c.ImportingCountry = "TW", "KR"
	}
	return c
}

// send exchanges one certificate after the other until ctx ends, and lets the last one end.
func (s *soak) send(ctx, whole context.Context, worker int) {
	side := s.sides[worker%2]
	for i := 0; ctx.Err() == nil; i++ {
		if err := side.send(whole, worker*100_000+i); err != nil {
			s.failed <- err
			return
		}
		s.done <- worker
	}
}

// send exchanges the certificate with number i.
func (side *soakSide) send(ctx context.Context, i int) error {
	c := numbered(side.certificate, i)
	submitted, err := side.node.Node.Submit(ctx, "soak", side.other.ID, c)
	if err != nil {
		return fmt.Errorf("%s submits %s: %w", side.ID, c.Reference, err)
	}
	side.sent.Add(1)
	if err := side.await(ctx, submitted.Message.MessageID); err != nil {
		return fmt.Errorf("%s, certificate %s: %w", side.ID, c.Reference, err)
	}
	return nil
}

// flow waits for n more receipts, whichever side gets them.
func (s *soak) flow(t *testing.T, n int) {
	t.Helper()
	for range n {
		s.next(t)
	}
}

// turnOver waits until nothing is under way that was when it was called: every worker has had two more receipts.
func (s *soak) turnOver(t *testing.T) {
	t.Helper()
	for len(s.done) > 0 {
		<-s.done
	}
	var had [2 * soakWorkers]int
	for slices.Min(had[:]) < 2 {
		had[s.next(t)]++
	}
}

func (s *soak) next(t *testing.T) (worker int) {
	t.Helper()
	select {
	case worker := <-s.done:
		return worker
	case err := <-s.failed:
		t.Fatal(err)
	case <-time.After(patience):
		t.Fatal("no message has been receipted for ", patience)
	}
	return 0
}

func (s *soak) stop(t *testing.T) {
	t.Helper()
	s.halt()
	s.load.Wait()
	select {
	case err := <-s.failed:
		t.Error(err)
	default:
	}
}

func (side *soakSide) reload(t *testing.T) {
	t.Helper()
	if err := side.node.Reload(side.config); err != nil {
		t.Fatal(err)
	}
}

// rotate gives side a new credential for use as two administrations do: the partner learns of it, the side goes over to it, and
// when what is under way has ended the old one counts no more.
func (s *soak) rotate(t *testing.T, side *soakSide, use partners.Use, moment func()) {
	t.Helper()
	key := side.issue(t, use)
	key.From = side.node.now()
	side.other.learn(t, use, partners.CredentialConfig{Uses: key.Uses, File: key.ChainFile, From: key.From})
	moment()
	side.own(t, use, key)
	moment()
	s.turnOver(t)
	side.other.withdraw(t, use, key.ChainFile)
	own := side.keys(use)
	*own = slices.DeleteFunc(slices.Clone(*own), func(k partners.KeyConfig) bool {
		return slices.Equal(k.Uses, key.Uses) && k.KeyFile != key.KeyFile
	})
	side.reload(t)
}

// issue makes side a new key with its credential.
func (side *soakSide) issue(t *testing.T, use partners.Use) partners.KeyConfig {
	t.Helper()
	side.issued++
	_, keyFile, chainFile := side.pki.IssueFiles(fmt.Sprintf("%s-%d", use, side.issued), pkitest.Request{
		Name: side.ID + " " + string(use), Use: pkitest.Use(use), NotBefore: scriptTime.AddDate(0, -1, 0), NotAfter: scriptTime.AddDate(1, 0, 0),
	})
	return partners.KeyConfig{Uses: writtenUses(use), KeyFile: keyFile, ChainFile: chainFile}
}

// own gives side a further key, and learn a further credential of its partner.
func (side *soakSide) own(t *testing.T, use partners.Use, key partners.KeyConfig) {
	t.Helper()
	list := side.keys(use)
	*list = append(slices.Clone(*list), key)
	side.reload(t)
}

func (side *soakSide) learn(t *testing.T, use partners.Use, c partners.CredentialConfig) {
	t.Helper()
	list := side.credentials(use)
	*list = append(slices.Clone(*list), c)
	side.reload(t)
}

// withdraw ends every credential of the partner for a use that counts at side, but that in the file keep.
func (side *soakSide) withdraw(t *testing.T, use partners.Use, keep string) {
	t.Helper()
	side.endAt(t, use, keep, side.node.now())
}

func (side *soakSide) endAt(t *testing.T, use partners.Use, keep string, at time.Time) {
	t.Helper()
	list := side.credentials(use)
	*list = slices.Clone(*list)
	for i, c := range *list {
		if slices.Equal(c.Uses, writtenUses(use)) && c.Until.IsZero() && c.File != keep {
			(*list)[i].Until = at
		}
	}
	side.reload(t)
}

// writtenUses is how a configuration writes a use: that of an issuing body's key is not written.
func writtenUses(use partners.Use) []partners.Use {
	if use == partners.UseDocumentSignature {
		return nil
	}
	return []partners.Use{use}
}

// keys are side's own for a use, and credentials what it has of its partner.
func (side *soakSide) keys(use partners.Use) *[]partners.KeyConfig {
	if use == partners.UseDocumentSignature {
		return &side.config.Node.Issuers[0].Keys
	}
	return &side.config.Node.Keys
}

func (side *soakSide) credentials(use partners.Use) *[]partners.CredentialConfig {
	if use == partners.UseDocumentSignature {
		return &side.config.Partners[0].Issuers[0].Credentials
	}
	return &side.config.Partners[0].Credentials
}

// messages are side's records of messages that carry certificates.
func (side *soakSide) messages(t *testing.T, q exchange.MessageQuery) []exchange.Message {
	t.Helper()
	var all []exchange.Message
	for {
		page, err := side.node.Store.Messages(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, page...)
		if len(page) < q.Limit {
			return all
		}
		q.Before = page[len(page)-1].Seq
	}
}

// judge counts what became of everything that side sent.
func (s *soak) judge(t *testing.T, side *soakSide) {
	t.Helper()
	sent := int(side.sent.Load())
	query := exchange.MessageQuery{Direction: exchange.Outbound, Kind: exchange.KindCertificate, Limit: 500}
	delivered, again := 0, 0
	for _, m := range side.messages(t, query) {
		if m.State == exchange.StateDelivered {
			delivered++
		}
		for _, attempt := range m.Log {
			if attempt.Problem != "" {
				again++
				t.Logf("%s: %s", side.ID, attempt.Problem)
			}
		}
	}
	query.Direction = exchange.Inbound
	accepted, refused := 0, 0
	for _, m := range side.other.messages(t, query) {
		if m.State == exchange.StateAccepted {
			accepted++
			continue
		}
		refused++
		t.Errorf("%s: message %s is %s: %+v", side.other.ID, m.MessageID, m.State, m.Reason)
	}
	t.Logf("%s sent %d: delivered %d, accepted by the partner %d, refused %d, lost %d, attempts that were repeated %d",
		side.ID, sent, delivered, accepted, refused, sent-accepted, again)
	if delivered != sent || accepted != sent {
		t.Errorf("%s sent %d: delivered %d, accepted by the partner %d; want all", side.ID, sent, delivered, accepted)
	}
}

// submit hands the certificate with number i to the node and does not wait for its receipt.
func (side *soakSide) submit(t *testing.T, i int) (messageID string) {
	t.Helper()
	submitted, err := side.node.Node.Submit(t.Context(), "soak", side.other.ID, numbered(side.certificate, i))
	if err != nil {
		t.Fatal(err)
	}
	return submitted.Message.MessageID
}
