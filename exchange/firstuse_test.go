package exchange_test

import (
	"context"
	"errors"
	"net/http"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/ecogate/ecogate/ebms"
	"github.com/ecogate/ecogate/exchange"
	"github.com/ecogate/ecogate/internal/pkitest"
	"github.com/ecogate/ecogate/partners"
	"github.com/ecogate/ecogate/signing"
)

// debut is a world in which KR and its issuing body KCCI have a further credential each, which TW knows and which is staged there.
type debut struct {
	*world
	message, document signing.Key

	mu   sync.Mutex
	told []exchange.FirstUse
	// answer, if it is set, takes the place of the activation.
	answer func() error
}

// newDebut stages the two with that word of when they are activated; they are valid from a month ago.
func newDebut(t *testing.T, activate string) *debut {
	t.Helper()
	d := &debut{}
	d.world = newWorld(t, setup{options: func(o *exchange.Options) { o.FirstUse = d.activate }})
	pki := pkitest.NewTest(t, pkitest.Options{Country: "KR", Organisation: "Demonstration Korea"})
	issue := func(name string, use pkitest.Use) (signing.Key, string) {
		c, _, file := pki.IssueFiles(name, pkitest.Request{Name: name, Use: use, NotBefore: d.now().AddDate(0, -1, 0), NotAfter: d.now().AddDate(1, 0, 0)})
		return keyOf(c), file
	}
	var messageFile, documentFile string
	d.message, messageFile = issue("next", pkitest.MessageSignature)
	d.document, documentFile = issue("next KCCI", pkitest.DocumentSignature)
	kr := d.kr()
	kr.AnchorFiles = append(slices.Clone(kr.AnchorFiles), filepath.Join(pki.Dir, "root.pem"))
	d.must(kr.Stage(partners.Staging{Credential: partners.CredentialConfig{Uses: []partners.Use{partners.UseMessageSignature}, File: messageFile, Activate: activate}}, d.now()))
	d.must(kr.Stage(partners.Staging{Credential: partners.CredentialConfig{File: documentFile, Activate: activate}, Body: "KCCI"}, d.now()))
	d.reload()
	return d
}

// kr is KR as TW has it.
func (d *debut) kr() *partners.PartnerConfig {
	i := slices.IndexFunc(d.TW.config.Partners, func(p partners.PartnerConfig) bool { return p.ID == "KR" })
	return &d.TW.config.Partners[i]
}

func (d *debut) reload() {
	d.Helper()
	d.must(d.TW.registry.Reload(d.TW.config.Registry()))
}

func (d *debut) activate(_ context.Context, f exchange.FirstUse) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.told = append(d.told, f)
	if d.answer != nil {
		return d.answer()
	}
	if f.Partner != "KR" {
		return errors.New("another partner")
	}
	if err := d.kr().UseFirst(signing.Fingerprint(f.X509Cert), f.Use, f.At, d.now()); err != nil {
		return err
	}
	return d.TW.registry.Reload(d.TW.config.Registry())
}

// send has KR send a certificate with that reference, signed with the keys; the zero key is the one that KR uses now.
func (d *debut) send(reference string, message, document signing.Key) (exchange.Message, ebms.Reply) {
	d.Helper()
	c := sample(d)
	c.Reference = reference
	one := d.certificateDraft(c)
	if message.Signer != nil {
		one.key = message
	}
	if document.Signer != nil {
		one.content(d.world.document(c, document))
	}
	reply := d.TW.Receive(context.Background(), one.request(d.world))
	found := d.TW.messages(d.world, exchange.MessageQuery{MessageID: one.header.MessageID, Direction: exchange.Inbound})
	if len(found) == 0 {
		return exchange.Message{}, reply
	}
	return found[0], reply
}

func (d *debut) state(key signing.Key) partners.State {
	for _, h := range d.TW.registry.Inventory(d.now()) {
		if h.X509Cert.Equal(key.Chain[0]) {
			return h.State
		}
	}
	return ""
}

func TestFirstUseActivatesWhatWaitsForIt(t *testing.T) {
	d := newDebut(t, partners.ActivateAtFirstUse)
	old := d.KR.key(d.world, partners.UseMessageSignature, "")
	if m, _ := d.send("001-26-0000001", old, signing.Key{}); m.State != exchange.StateAccepted || len(d.told) != 0 {
		t.Fatalf("one that counts verifies it: %s %+v, told %v", m.State, m.Reason, d.told)
	}
	first, _ := d.send("001-26-0000002", d.message, signing.Key{})
	if first.State != exchange.StateAccepted || first.Signer != signing.Fingerprint(d.message.Chain[0]) {
		t.Fatalf("first use: %s %+v", first.State, first.Reason)
	}
	if len(d.told) != 1 {
		t.Fatalf("told %d times", len(d.told))
	}
	if f := d.told[0]; f.Partner != "KR" || f.Use != partners.UseMessageSignature || f.MessageID != first.MessageID || !f.At.Equal(first.Created) {
		t.Errorf("told %+v", f)
	}
	if got := d.state(d.message); got != partners.StateActive {
		t.Errorf("next is %s", got)
	}
	if !slices.Contains(d.TW.observed(), "activated") {
		t.Error("nobody who watches was told")
	}
	d.ahead += time.Hour
	if got := d.state(old); got != partners.StateRetiring {
		t.Errorf("old is %s", got)
	}
	for reference, key := range map[string]signing.Key{"001-26-0000003": d.message, "001-26-0000004": old} {
		if m, _ := d.send(reference, key, signing.Key{}); m.State != exchange.StateAccepted {
			t.Errorf("in the overlap, %s: %s %+v", reference, m.State, m.Reason)
		}
	}
	// As of its receipt the first one is verified still, and nothing before it is.
	counts := func(at time.Time) bool {
		return slices.ContainsFunc(d.TW.registry.Credentials("KR", partners.UseMessageSignature, at), func(c partners.Credential) bool {
			return c.X509Cert.Equal(d.message.Chain[0])
		})
	}
	if !counts(first.Created) || counts(first.Created.Add(-1)) {
		t.Errorf("counts at receipt: %t, before: %t", counts(first.Created), counts(first.Created.Add(-1)))
	}
	d.ahead += partners.DefaultOverlap
	if m, _ := d.send("001-26-0000005", old, signing.Key{}); m.State != exchange.StateQuarantined {
		t.Errorf("after the overlap: %s", m.State)
	}
	if len(d.told) != 1 {
		t.Errorf("told %d times", len(d.told))
	}
}

func TestFirstUseOfAnIssuingBodysCredential(t *testing.T) {
	d := newDebut(t, partners.ActivateAtFirstUse)
	if m, _ := d.send("001-26-0000001", d.message, d.document); m.State != exchange.StateAccepted {
		t.Fatalf("%s %+v", m.State, m.Reason)
	}
	if c := d.TW.certificate(d.world); c.DocumentSigner != signing.Fingerprint(d.document.Chain[0]) {
		t.Errorf("document of %s", c.DocumentSigner)
	}
	var uses []partners.Use
	for _, f := range d.told {
		uses = append(uses, f.Use)
	}
	if !slices.Equal(uses, []partners.Use{partners.UseMessageSignature, partners.UseDocumentSignature}) || d.state(d.document) != partners.StateActive {
		t.Errorf("told of %q; it is %s", uses, d.state(d.document))
	}
}

// TestStagedCredentialNeverVerifiesBeforeItsTime: whatever it is staged for.
func TestStagedCredentialNeverVerifiesBeforeItsTime(t *testing.T) {
	for _, test := range []struct {
		name, activate string
		step           func(d *debut, fingerprint string) error
		answer         func() error
	}{
		{"by hand", partners.ActivateByHand, nil, nil},
		{"at a time", partners.ActivateByHand, func(d *debut, fingerprint string) error {
			return d.kr().Activate(partners.Activation{Fingerprint: fingerprint, At: d.now().Add(1)}, d.now())
		}, nil},
		{"at first use, from later on", partners.ActivateAtFirstUse, func(d *debut, _ string) error {
			d.kr().Credentials[len(d.kr().Credentials)-1].From = d.now().Add(1)
			return nil
		}, nil},
		{"at first use, and distrusted", partners.ActivateAtFirstUse, func(d *debut, fingerprint string) error {
			return d.kr().Distrust(fingerprint, d.now(), d.now())
		}, nil},
		{"at first use, and not activated by who is told", partners.ActivateAtFirstUse, nil, func() error { return nil }},
	} {
		t.Run(test.name, func(t *testing.T) {
			d := newDebut(t, test.activate)
			d.answer = test.answer
			if test.step != nil {
				d.must(test.step(d, signing.Fingerprint(d.message.Chain[0])))
				d.reload()
			}
			m, _ := d.send("001-26-0000001", d.message, signing.Key{})
			if m.State != exchange.StateQuarantined || m.Reason.Code != string(ebms.CodeSecurityFailure) {
				t.Errorf("%s %+v", m.State, m.Reason)
			}
			if told := len(d.told) > 0; told != (test.answer != nil) {
				t.Errorf("told %t", told)
			}
			if m, _ := d.send("001-26-0000002", signing.Key{}, signing.Key{}); m.State != exchange.StateAccepted {
				t.Errorf("the one that counts: %s %+v", m.State, m.Reason)
			}
		})
	}
}

// TestFirstUseIsDurableFirst: a message that would be taken by an activation that cannot be kept is sent again.
func TestFirstUseIsDurableFirst(t *testing.T) {
	for _, test := range []struct {
		name              string
		message, document bool
	}{{"message", true, false}, {"document", false, true}} {
		t.Run(test.name, func(t *testing.T) {
			d := newDebut(t, partners.ActivateAtFirstUse)
			var message, document signing.Key
			if test.message {
				message = d.message
			}
			if test.document {
				document = d.document
			}
			d.answer = func() error { return errors.New("the disk is full") }
			if m, reply := d.send("001-26-0000001", message, document); reply.Status != http.StatusServiceUnavailable || m.MessageID != "" {
				t.Errorf("answered %d, kept %+v", reply.Status, m)
			}
			if d.state(d.message) != partners.StateStaged || d.state(d.document) != partners.StateStaged {
				t.Errorf("%s, %s", d.state(d.message), d.state(d.document))
			}
			d.answer = nil
			if m, _ := d.send("001-26-0000001", message, document); m.State != exchange.StateAccepted {
				t.Errorf("sent again: %s %+v", m.State, m.Reason)
			}
		})
	}
}

// An acknowledgment may be the first that a credential signs.
func TestFirstUseByAnAcknowledgment(t *testing.T) {
	d := newDebut(t, partners.ActivateAtFirstUse)
	pki := pkitest.NewTest(t, pkitest.Options{Country: "TW", Organisation: "Demonstration Taiwan"})
	next, _, file := pki.IssueFiles("next", pkitest.Request{Name: "next TW", Use: pkitest.MessageSignature, NotBefore: d.now().AddDate(0, -1, 0), NotAfter: d.now().AddDate(1, 0, 0)})
	i := slices.IndexFunc(d.KR.config.Partners, func(p partners.PartnerConfig) bool { return p.ID == "TW" })
	tw := &d.KR.config.Partners[i]
	tw.AnchorFiles = append(slices.Clone(tw.AnchorFiles), filepath.Join(pki.Dir, "root.pem"))
	d.must(tw.Stage(partners.Staging{Credential: partners.CredentialConfig{
		Uses: []partners.Use{partners.UseMessageSignature}, File: file, Activate: partners.ActivateAtFirstUse,
	}}, d.now()))
	d.must(d.KR.registry.Reload(d.KR.config.Registry()))
	d.answer = func() error {
		if err := tw.UseFirst(signing.Fingerprint(next.X509Cert), partners.UseMessageSignature, d.now(), d.now()); err != nil {
			return err
		}
		return d.KR.registry.Reload(d.KR.config.Registry())
	}
	request, sent := d.composed(sample(t))
	ack := d.acknowledgmentDraft(request)
	ack.key = keyOf(next)
	d.KR.Receive(context.Background(), ack.request(d.world))
	if m := d.KR.message(d.world, exchange.MessageQuery{MessageID: sent.MessageID, Direction: exchange.Outbound}); m.State != exchange.StateDelivered {
		t.Errorf("%s %+v", m.State, m.Reason)
	}
	if len(d.told) != 1 || d.told[0].Partner != "TW" {
		t.Errorf("told %+v", d.told)
	}
}

// TestNothingIsBelievedOfADistrustedKey: from since on, whenever that was said; what was received before is told apart.
func TestNothingIsBelievedOfADistrustedKey(t *testing.T) {
	d := newDebut(t, partners.ActivateByHand)
	old := d.KR.key(d.world, partners.UseMessageSignature, "")
	before, _ := d.send("001-26-0000001", old, signing.Key{})
	d.ahead += time.Hour
	since := d.now()
	within, _ := d.send("001-26-0000002", old, signing.Key{})
	d.ahead += time.Hour
	d.must(d.kr().Distrust(signing.Fingerprint(old.Chain[0]), since, d.now()))
	d.reload()
	if m, _ := d.send("001-26-0000003", old, signing.Key{}); m.State != exchange.StateQuarantined || m.Reason.Code != string(ebms.CodeSecurityFailure) {
		t.Errorf("signed since: %s %+v", m.State, m.Reason)
	}
	for _, test := range []struct {
		name string
		m    exchange.Message
		want bool
	}{{"received before", before, true}, {"received in the window", within, false}} {
		list := d.TW.registry.Credentials("KR", partners.UseMessageSignature, test.m.Created)
		i := slices.IndexFunc(list, func(c partners.Credential) bool { return signing.Fingerprint(c.X509Cert) == test.m.Signer })
		if (i >= 0) != test.want {
			t.Errorf("%s: verified as of its receipt %t", test.name, i >= 0)
		}
		if i >= 0 && !list[i].Distrusted.Equal(since) {
			t.Errorf("%s: not marked", test.name)
		}
	}
}

// TestOldMessageIsNoFirstUse: whoever kept a message that the partner once signed with the credential must not be able to have it activated, and the
// partner's present one retired, by sending that again.
func TestOldMessageIsNoFirstUse(t *testing.T) {
	t.Run("expired", func(t *testing.T) {
		d := newDebut(t, partners.ActivateAtFirstUse)
		c := sample(d)
		one := d.certificateDraft(c)
		one.key = d.message
		request := one.request(d.world)
		d.ahead += 30 * 24 * time.Hour
		request.Received = d.now()
		d.TW.Receive(context.Background(), request)
		if m := d.TW.message(d.world, exchange.MessageQuery{MessageID: one.header.MessageID, Direction: exchange.Inbound}); m.State != exchange.StateQuarantined {
			t.Errorf("%s", m.State)
		}
		if len(d.told) > 0 || d.state(d.message) != partners.StateStaged {
			t.Errorf("told %+v, it is %s", d.told, d.state(d.message))
		}
	})
	t.Run("taken before", func(t *testing.T) {
		d := newDebut(t, partners.ActivateAtFirstUse)
		c := sample(d)
		one := d.certificateDraft(c)
		one.key = d.message
		request := one.request(d.world)
		d.TW.Receive(context.Background(), request)
		if len(d.told) != 1 {
			t.Fatalf("told %+v", d.told)
		}
		d.ahead += time.Minute
		fingerprint := signing.Fingerprint(d.message.Chain[0])
		d.must(d.kr().Retire(fingerprint, time.Time{}, d.now()))
		d.ahead += time.Minute
		again := d.kr().Credentials[len(d.kr().Credentials)-1]
		d.must(d.kr().Stage(partners.Staging{Credential: partners.CredentialConfig{Uses: again.Uses, File: again.File, PEM: again.PEM, Activate: partners.ActivateAtFirstUse}}, d.now()))
		d.reload()
		request.Received = d.now()
		d.TW.Receive(context.Background(), request)
		if len(d.told) != 1 {
			t.Errorf("told %+v", d.told)
		}
	})
}
