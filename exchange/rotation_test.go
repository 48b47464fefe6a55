package exchange_test

import (
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/ecogate/ecogate/ebms"
	"github.com/ecogate/ecogate/exchange"
	"github.com/ecogate/ecogate/internal/pkitest"
	"github.com/ecogate/ecogate/partners"
	"github.com/ecogate/ecogate/signing"
)

func TestCredentialIsReplacedWithoutAPause(t *testing.T) {
	w := newWorld(t, setup{})
	old := w.KR.key(w, partners.UseMessageSignature, "")
	pki := pkitest.NewTest(t, pkitest.Options{Country: "KR", Organisation: "Demonstration Korea"})
	_, keyFile, chainFile := pki.IssueFiles("node", pkitest.Request{
		Name: "Korea e-CO hub", Use: pkitest.MessageSignature, NotBefore: w.now().AddDate(0, -1, 0), NotAfter: w.now().AddDate(1, 0, 0),
	})
	send := func(reference string, key *signing.Key) exchange.Message {
		c := sample(t)
		c.Reference = reference
		d := w.certificateDraft(c)
		if key != nil {
			d.key = *key
		}
		w.TW.receive(w, d.request(w))
		return w.TW.message(w, exchange.MessageQuery{MessageID: d.header.MessageID, Direction: exchange.Inbound})
	}
	before := send("001-26-0000001", nil)

	// TW learns of the new credential first, then KR signs with it.
	there := w.TW.config.Registry()
	kr := &there.Partners[0]
	kr.AnchorFiles = append(slices.Clone(kr.AnchorFiles), filepath.Join(pki.Dir, "root.pem"))
	kr.Credentials = append(slices.Clone(kr.Credentials), partners.CredentialConfig{Uses: []partners.Use{partners.UseMessageSignature}, File: chainFile})
	w.must(w.TW.registry.Reload(there))
	between := send("001-26-0000002", nil)
	here := w.KR.config.Registry()
	here.Node.Keys = append(slices.Clone(here.Node.Keys), partners.KeyConfig{Uses: []partners.Use{partners.UseMessageSignature}, KeyFile: keyFile, ChainFile: chainFile})
	w.must(w.KR.registry.Reload(here))
	after, resent := send("001-26-0000003", nil), send("001-26-0000004", &old)
	for _, m := range []exchange.Message{before, between, after, resent} {
		if m.State != exchange.StateAccepted {
			t.Errorf("%s: %s %+v, want accepted", m.MessageID, m.State, m.Reason)
		}
	}
	if before.Signer != between.Signer || before.Signer != resent.Signer || after.Signer == before.Signer {
		t.Errorf("signers %.8s, %.8s, %.8s, %.8s; want the third to be another", before.Signer, between.Signer, after.Signer, resent.Signer)
	}

	// The old one is withdrawn.
	kr.Credentials[0].Until = w.now().Add(-time.Second)
	w.must(w.TW.registry.Reload(there))
	if m := send("001-26-0000005", nil); m.State != exchange.StateAccepted {
		t.Errorf("new credential: %s %+v", m.State, m.Reason)
	}
	if m := send("001-26-0000006", &old); m.State != exchange.StateQuarantined || m.Reason.Code != string(ebms.CodeSecurityFailure) {
		t.Errorf("withdrawn credential: %s %+v", m.State, m.Reason)
	}
}

func TestMovedPartnerGetsWhatWasQueued(t *testing.T) {
	t.Parallel()
	bubble(t, setup{}, func(w *world) {
		w.KR.out.usually(down)
		id := w.submit(sample(t)).Message.MessageID
		w.until(time.Minute, "tried", func() bool { return len(w.KR.out.posted()) > 0 })
		moved := w.KR.config.Registry()
		moved.Agreements[0].Endpoint = "https://moved.example:8443/ebms"
		w.must(w.KR.registry.Reload(moved))
		w.KR.out.usually(deliver)
		if m := w.settled(id); m.State != exchange.StateDelivered {
			t.Errorf("%s", m.State)
		}
		posts := w.KR.out.posted()
		if first, last := posts[0].URL, posts[len(posts)-1].URL; first == last || last != moved.Agreements[0].Endpoint {
			t.Errorf("posted to %s first and to %s last", first, last)
		}
	})
}
