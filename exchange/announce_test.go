package exchange_test

import (
	"context"
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ecogate/ecogate/ebms"
	"github.com/ecogate/ecogate/exchange"
	"github.com/ecogate/ecogate/internal/config"
	"github.com/ecogate/ecogate/internal/pkitest"
	"github.com/ecogate/ecogate/partners"
	"github.com/ecogate/ecogate/partners/announcement"
	"github.com/ecogate/ecogate/signing"
)

// announcing agrees on announcements.
func announcing(c *config.Config) {
	for i := range c.Agreements {
		c.Agreements[i].Actions.Announce = partners.AnnounceAction
		c.Agreements[i].Actions.AnnounceAnswer = partners.AnnounceAnswerAction
	}
}

// nextKey gives KR a next key for messages that begins after a time, the old one's end after twice that, and the file of its credential.
func (w *world) nextKey(after time.Duration) (chainFile string) {
	w.Helper()
	pki := pkitest.NewTest(w, pkitest.Options{Country: "KR", Organisation: "Demonstration Korea"})
	_, keyFile, chainFile := pki.IssueFiles("next", pkitest.Request{
		Name: "Korea e-CO hub", Use: pkitest.MessageSignature, NotBefore: w.now().AddDate(0, -1, 0), NotAfter: w.now().AddDate(1, 0, 0),
	})
	here := w.KR.config.Registry()
	here.Node.Keys = slices.Clone(here.Node.Keys)
	for i, key := range here.Node.Keys {
		if slices.Contains(key.Uses, partners.UseMessageSignature) {
			here.Node.Keys[i].Until = w.now().Add(2 * after)
		}
	}
	here.Node.Keys = append(here.Node.Keys, partners.KeyConfig{
		Uses: []partners.Use{partners.UseMessageSignature}, KeyFile: keyFile, ChainFile: chainFile, From: w.now().Add(after),
	})
	w.must(w.KR.registry.Reload(here))
	w.KR.config.Node = here.Node
	there := &w.TW.config.Partners[0]
	there.AnchorFiles = append(slices.Clone(there.AnchorFiles), filepath.Join(pki.Dir, "root.pem"))
	w.must(w.TW.registry.Reload(w.TW.config.Registry()))
	return chainFile
}

// decision is exchange.Options.Announced.
type decision = func(context.Context, string, string, announcement.Announcement, bool) ([]announcement.Outcome, error)

// stages is what a node does that stages whatever its partner KR announces; chainFile is where its credential lies.
func (w *world) stages(chainFile string) decision {
	return func(_ context.Context, _, partner string, a announcement.Announcement, _ bool) ([]announcement.Outcome, error) {
		c := a.Credentials[0]
		if partner != "KR" || !c.Proven || len(a.Credentials) != 1 {
			w.Errorf("%s announces %+v", partner, a)
		}
		kr := &w.TW.config.Partners[0]
		kr.Credentials = slices.Clone(kr.Credentials)
		kr.Credentials[0].Until = c.OldRetires
		kr.Credentials = append(kr.Credentials, partners.CredentialConfig{Uses: c.Uses, File: chainFile, From: c.ActiveFrom})
		w.must(w.TW.registry.Reload(w.TW.config.Registry()))
		return []announcement.Outcome{{SHA256: signing.Fingerprint(c.Chain[0]), Use: c.Uses[0], Result: announcement.ResultStaged}}, nil
	}
}

// decide has the announcements that TW receives decided by what *f is then.
func decide(f *decision) func(*exchange.Options) {
	return func(o *exchange.Options) {
		o.Announced = func(ctx context.Context, by, partner string, a announcement.Announcement, dryRun bool) ([]announcement.Outcome, error) {
			return (*f)(ctx, by, partner, a, dryRun)
		}
	}
}

func TestKeyIsAnnouncedTriedSwitchedAndRetired(t *testing.T) {
	t.Parallel()
	var taken decision
	bubble(t, setup{kr: announcing, tw: announcing, options: decide(&taken)}, func(w *world) {
		const notice = 12 * time.Hour
		chainFile := w.nextKey(notice)
		taken = w.stages(chainFile)
		old := w.KR.key(w, partners.UseMessageSignature, "")
		switches := w.now().Add(notice)
		n := 0
		send := func() exchange.Message {
			n++
			c := sample(t)
			c.Reference = "001-26-000000" + string(rune('0'+n))
			id := w.submit(c).Message.MessageID
			if m := w.settled(id); m.State != exchange.StateDelivered {
				t.Fatalf("%s: %s %+v", c.Reference, m.State, m.Reason)
			}
			return w.TW.message(w, exchange.MessageQuery{MessageID: id, Direction: exchange.Inbound})
		}
		second := func(m exchange.Message) bool {
			return strings.Contains(string(w.TW.raw(w, m.Raw)), ` Id="beside"`)
		}
		if second(send()) {
			t.Error("a second signature before anything was announced")
		}

		said, err := w.KR.Announce(context.Background(), "operator", "TW")
		w.must(err)
		if m := w.settled(said.Message.MessageID); m.State != exchange.StateDelivered {
			t.Fatalf("announcement: %s %+v", m.State, m.Reason)
		}
		answer := w.KR.message(w, exchange.MessageQuery{Kind: exchange.KindAnnouncementAnswer, Direction: exchange.Inbound})
		if got := answer.Business.AnnouncementAnswer; got.Number != said.Summary.Number || got.Outcomes[0].Result != announcement.ResultStaged {
			t.Errorf("answer %+v", got)
		}
		if !slices.Contains(w.TW.events(w), "KR credentials.announced") || !slices.Contains(w.KR.events(w), "TW credentials.answered") {
			t.Errorf("audit: TW %v, KR %v", w.TW.events(w), w.KR.events(w))
		}

		tried := send()
		if !second(tried) || tried.Signer != signing.Fingerprint(old.Chain[0]) {
			t.Errorf("second signature %v, signed by %.8s", second(tried), tried.Signer)
		}
		send()
		if got := w.TW.Trials(); len(got) != 1 || got[0].Partner != "KR" || got[0].SHA256 != said.Summary.Credentials[0].SHA256 || got[0].Verified < 2 || got[0].Failed != 0 {
			t.Errorf("trials %+v", got)
		}
		// What the first process learned the next one finds in the store.
		time.Sleep(time.Hour)
		again, err := exchange.New(w.KR.options)
		w.must(err)
		c := sample(t)
		c.Reference = "001-26-0000099"
		submitted, err := again.Submit(context.Background(), "issuer", "TW", c)
		w.must(err)
		if !strings.Contains(string(w.KR.raw(w, submitted.Message.Raw)), ` Id="beside"`) {
			t.Error("no second signature after a restart")
		}
		w.settled(submitted.Message.MessageID)

		time.Sleep(switches.Sub(w.now()))
		switched := send()
		if second(switched) || switched.Signer != said.Summary.Credentials[0].SHA256 {
			t.Errorf("after the switch: second signature %v, signed by %.8s", second(switched), switched.Signer)
		}
		if late := w.sendSigned(t, "001-26-0000077", old); late.State != exchange.StateAccepted {
			t.Errorf("by the old key before it retires: %s %+v", late.State, late.Reason)
		}
		time.Sleep(notice)
		if late := w.sendSigned(t, "001-26-0000078", old); late.State != exchange.StateQuarantined {
			t.Errorf("by the old key after it retired: %s", late.State)
		}
		send()
	})
}

// sendSigned hands TW a certificate under a key of KR.
func (w *world) sendSigned(t *testing.T, reference string, key signing.Key) exchange.Message {
	t.Helper()
	c := sample(t)
	c.Reference = reference
	d := w.certificateDraft(c)
	d.key = key
	w.TW.receive(w, d.request(w))
	return w.TW.message(w, exchange.MessageQuery{MessageID: d.header.MessageID, Direction: exchange.Inbound})
}

// TestSecondSignatureDecidesNothing: one that fails is counted, and the message counts by its first.
func TestSecondSignatureDecidesNothing(t *testing.T) {
	t.Parallel()
	var taken decision
	bubble(t, setup{kr: announcing, tw: announcing, options: decide(&taken)}, func(w *world) {
		w.nextKey(24 * time.Hour)
		other := pkitest.NewTest(t, pkitest.Options{Country: "KR", Organisation: "Demonstration Korea"})
		_, _, wrongFile := other.IssueFiles("wrong", pkitest.Request{Name: "wrong", Use: pkitest.MessageSignature, NotBefore: w.now().AddDate(0, -1, 0), NotAfter: w.now().AddDate(1, 0, 0)})
		kr := &w.TW.config.Partners[0]
		kr.AnchorFiles = append(kr.AnchorFiles, filepath.Join(other.Dir, "root.pem"))
		taken = w.stages(wrongFile)
		said, err := w.KR.Announce(context.Background(), "operator", "TW")
		w.must(err)
		w.settled(said.Message.MessageID)
		if m := w.settled(w.submit(sample(t)).Message.MessageID); m.State != exchange.StateDelivered {
			t.Errorf("%s %+v", m.State, m.Reason)
		}
		if got := w.TW.Trials(); len(got) != 1 || got[0].Verified != 0 || got[0].Failed == 0 || got[0].Problem == "" {
			t.Errorf("trials %+v", got)
		}
	})
}

// TestSecondSignatureMakesNoMessageTooLarge: what fits with one signature goes with one.
func TestSecondSignatureMakesNoMessageTooLarge(t *testing.T) {
	t.Parallel()
	var taken decision
	bubble(t, setup{kr: announcing, tw: announcing, options: decide(&taken)}, func(w *world) {
		taken = w.stages(w.nextKey(24 * time.Hour))
		said, err := w.KR.Announce(context.Background(), "operator", "TW")
		w.must(err)
		w.settled(said.Message.MessageID)
		beside := w.submit(sample(t)).Message
		if !strings.Contains(string(w.KR.raw(w, beside.Raw)), ` Id="beside"`) {
			t.Fatal("no second signature")
		}
		w.settled(beside.MessageID)
		narrow := w.KR.config.Registry()
		narrow.Agreements = slices.Clone(narrow.Agreements)
		narrow.Agreements[0].MaxBytes = beside.Raw.Size - 100
		w.must(w.KR.registry.Reload(narrow))
		c := sample(t)
		c.Reference = "001-26-0000002"
		alone := w.submit(c).Message
		if strings.Contains(string(w.KR.raw(w, alone.Raw)), ` Id="beside"`) {
			t.Error("a second signature in a message that has no room for it")
		}
	})
}

func TestAnnouncementIsRefused(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name string
		// change changes the announcement of KR; nil leaves it.
		change func(document string) string
		taken  error
		kr, tw func(*config.Config)
		code   ebms.Code
	}{
		{"not agreed", nil, nil, announcing, nil, ebms.CodeValueNotRecognized},
		{"replayed with an older number", nil, announcement.ErrOld, announcing, announcing, ebms.CodeInconsistent},
		{"changed", func(d string) string { return strings.Replace(d, "<Number>", "<Number>1", 1) }, nil, announcing, announcing, ebms.CodeSecurityFailure},
		{"for another party", func(d string) string {
			return strings.Replace(withoutProof(d), "KR-HUB", "VN-HUB", 1)
		}, nil, announcing, announcing, ebms.CodeInconsistent},
		{"no announcement", func(string) string { return "<x/>" }, nil, announcing, announcing, ebms.CodeOtherXML},
	} {
		t.Run(test.name, func(t *testing.T) {
			var taken decision
			w := newWorld(t, setup{kr: test.kr, tw: test.tw, options: decide(&taken)})
			w.nextKey(24 * time.Hour)
			taken = func(context.Context, string, string, announcement.Announcement, bool) ([]announcement.Outcome, error) {
				return nil, test.taken
			}
			said, err := w.KR.Announce(context.Background(), "operator", "TW")
			w.must(err)
			request := w.request(said.Message.ContentType, w.KR.raw(w, said.Message.Raw))
			if test.change != nil {
				request = w.changed(said.Message, test.change)
			}
			w.TW.receive(w, request)
			m := w.TW.messages(w, exchange.MessageQuery{Direction: exchange.Inbound})[0]
			if m.State != exchange.StateQuarantined || m.Reason.Code != string(test.code) {
				t.Errorf("%s %+v, want quarantined for %s", m.State, m.Reason, test.code)
			}
		})
	}
}

// changed is a message of KR with an announcement that somebody changed who has KR's key.
func (w *world) changed(m exchange.Message, change func(string) string) ebms.Request {
	w.Helper()
	pkg, err := ebms.ReadPackage(m.ContentType, ebms.Bytes(w.KR.raw(w, m.Raw)), ebms.Limits{})
	w.must(err)
	defer pkg.Close()
	d := w.certificateDraft(sample(w))
	d.header.Action = partners.AnnounceAction
	d.content([]byte(change(string(octets(pkg.Parts[0].Content)))))
	return d.request(w)
}

func TestNothingToAnnounce(t *testing.T) {
	t.Parallel()
	w := newWorld(t, setup{kr: announcing})
	if _, err := w.KR.Announce(context.Background(), "operator", "TW"); !errors.Is(err, announcement.ErrNothing) {
		t.Errorf("error %v", err)
	}
	if _, err := w.KR.Announce(context.Background(), "operator", "XX"); !errors.Is(err, partners.ErrUnknownPartner) {
		t.Errorf("error %v", err)
	}
	w = newWorld(t, setup{})
	if _, err := w.KR.Announce(context.Background(), "operator", "TW"); !errors.Is(err, partners.ErrNoAnnouncement) {
		t.Errorf("error %v", err)
	}
}
