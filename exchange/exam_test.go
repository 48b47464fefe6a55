package exchange_test

import (
	"crypto/rand"
	"crypto/x509"
	"errors"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ecogate/ecogate/exchange"
	"github.com/ecogate/ecogate/internal/pkitest"
	"github.com/ecogate/ecogate/partners"
	"github.com/ecogate/ecogate/partners/revocation"
	"github.com/ecogate/ecogate/signing"
)

// successor is a new key of KR's node, whose window began days ago. TW knows its CA; with taken it knows the
// credential too, in the configuration that is returned.
func (w *world) successor(taken bool, days int) (partners.Config, signing.Key) {
	there, key, _ := w.successorOf(taken, days)
	return there, key
}

// successorOf is successor with the PKI that issued it.
func (w *world) successorOf(taken bool, days int) (partners.Config, signing.Key, *pkitest.Test) {
	w.Helper()
	pki := pkitest.NewTest(w, pkitest.Options{Country: "KR", Organisation: "Demonstration Korea"})
	credential, _, chainFile := pki.IssueFiles("node", pkitest.Request{
		Name: "Korea e-CO hub", Use: pkitest.MessageSignature, NotBefore: w.now().AddDate(0, 0, -days), NotAfter: w.now().AddDate(1, 0, 0),
	})
	there := w.TW.config.Registry()
	kr := &there.Partners[0]
	kr.AnchorFiles = append(slices.Clone(kr.AnchorFiles), filepath.Join(pki.Dir, "root.pem"))
	if taken {
		kr.Credentials = append(slices.Clone(kr.Credentials), partners.CredentialConfig{Uses: []partners.Use{partners.UseMessageSignature}, File: chainFile})
	}
	w.must(w.TW.registry.Reload(there))
	return there, keyOf(credential), pki
}

// arrives has TW receive a certificate of KR with this number under key, and returns the record of its message.
func (w *world) arrives(number int, key signing.Key) exchange.Message {
	w.Helper()
	c := sample(w)
	c.Reference = fmt.Sprintf("001-26-%07d", number)
	d := w.certificateDraft(c)
	d.key = key
	w.TW.receive(w, d.request(w))
	return w.TW.message(w, exchange.MessageQuery{MessageID: d.header.MessageID, Direction: exchange.Inbound})
}

func fingerprint(k signing.Key) string { return signing.Fingerprint(k.Chain[0]) }

func TestRehearsalTellsWhoVerifiesStoredMessages(t *testing.T) {
	w := newWorld(t, setup{})
	old := w.KR.key(w, partners.UseMessageSignature, "")
	_, fresh := w.successor(false, 1)
	w.arrives(1, old)
	w.arrives(2, fresh) // too early: it was refused
	w.ahead = -48 * time.Hour
	w.arrives(3, old)
	w.ahead = 0
	stranger := w.arrives(4, w.VN.message)
	before := len(w.TW.events(w))
	rehearsal := exchange.Rehearsal{Partner: "KR", Use: partners.UseMessageSignature, X509Cert: fresh.Chain[0], Last: 10}
	got, err := w.TW.Rehearse(t.Context(), rehearsal)
	w.must(err)
	var by []string
	for _, x := range got {
		by = append(by, fmt.Sprintf("%s %t", x.By, x.InWindow))
	}
	if want := []string{"none true", "other false", "candidate true", "other true"}; !slices.Equal(by, want) {
		t.Errorf("tried %q, want %q", by, want)
	}
	if got[0].Seq != stranger.Seq || got[0].Why == "" || got[1].SHA256 != fingerprint(old) || got[2].SHA256 != fingerprint(fresh) || got[2].State != exchange.StateQuarantined {
		t.Errorf("tried %+v", got)
	}
	rehearsal.Last = 2
	if got, err = w.TW.Rehearse(t.Context(), rehearsal); err != nil || len(got) != 2 {
		t.Errorf("%d tried, want 2; error %v", len(got), err)
	}
	if after := len(w.TW.events(w)); after != before {
		t.Errorf("%d audit entries came with the rehearsal", after-before)
	}
	rehearsal.Partner = "XX"
	if _, err = w.TW.Rehearse(t.Context(), rehearsal); !errors.Is(err, partners.ErrUnknownPartner) {
		t.Errorf("unknown partner: %v", err)
	}
}

func TestRehearsalOfADocumentCredential(t *testing.T) {
	w := newWorld(t, setup{})
	w.arrives(1, w.KR.key(w, partners.UseMessageSignature, ""))
	for by, credential := range map[string]*x509.Certificate{
		exchange.ByCandidate: w.KR.key(w, partners.UseDocumentSignature, "KCCI").Chain[0],
		exchange.ByOther:     w.VN.document.Chain[0],
	} {
		got, err := w.TW.Rehearse(t.Context(), exchange.Rehearsal{Partner: "KR", Use: partners.UseDocumentSignature, X509Cert: credential, Last: 5})
		if err != nil || len(got) != 1 || got[0].By != by || got[0].Certificate.Reference == "" {
			t.Errorf("%s: tried %+v, error %v", by, got, err)
		}
	}
}

func TestSignedListsWhatACredentialSigned(t *testing.T) {
	w := newWorld(t, setup{})
	old := w.KR.key(w, partners.UseMessageSignature, "")
	_, fresh := w.successor(true, 1)
	body := fingerprint(w.KR.key(w, partners.UseDocumentSignature, "KCCI"))
	for i := range 3 {
		w.ahead = time.Duration(i) * time.Hour
		w.arrives(i+1, old)
	}
	w.arrives(4, fresh)
	list := func(q exchange.SignedQuery) (out []string) {
		for {
			items, next, err := w.TW.Signed(t.Context(), q)
			w.must(err)
			if q.Limit > 0 && len(items) > q.Limit {
				t.Errorf("%d items on a page of %d", len(items), q.Limit)
			}
			for _, item := range items {
				switch {
				case item.Message != nil:
					out = append(out, fmt.Sprintf("m %s %s", item.Message.Certificate.Key.Reference[8:], item.Message.Certificate.State))
				default:
					out = append(out, fmt.Sprintf("c %s %s", item.Certificate.Key.Reference[8:], item.Certificate.State))
				}
			}
			if next == nil {
				return out
			}
			q.From = *next
		}
	}
	since := w.now().Add(-time.Hour)
	for name, c := range map[string]struct {
		q    exchange.SignedQuery
		want []string
	}{
		"message credential":       {exchange.SignedQuery{SHA256: fingerprint(old)}, []string{"m 0003 available", "m 0002 available", "m 0001 available"}},
		"message credential since": {exchange.SignedQuery{SHA256: fingerprint(old), Since: since}, []string{"m 0003 available", "m 0002 available"}},
		"document credential since": {exchange.SignedQuery{SHA256: body, Since: since}, []string{
			"m 0004 available", "m 0003 available", "m 0002 available", "c 0004 available", "c 0003 available", "c 0002 available"}},
		"stranger": {exchange.SignedQuery{SHA256: fingerprint(w.VN.message)}, nil},
	} {
		for _, limit := range []int{0, 1, 2, 3, 5} {
			c.q.Limit = limit
			if got := list(c.q); !slices.Equal(got, c.want) {
				t.Errorf("%s, pages of %d: %q, want %q", name, limit, got, c.want)
			}
		}
	}
}

func TestLastUseOfCredentials(t *testing.T) {
	w := newWorld(t, setup{})
	m := w.arrives(1, w.KR.key(w, partners.UseMessageSignature, ""))
	list, err := w.TW.Credentials(t.Context())
	w.must(err)
	used := map[string]uint64{}
	for _, c := range list {
		if !c.LastUsed.IsZero() {
			used[c.Partner+" "+string(c.Use)+" "+c.SHA256] = c.LastMessage
			if !c.LastUsed.Equal(m.Created) {
				t.Errorf("%s %s last used at %s, want %s", c.Partner, c.Use, c.LastUsed, m.Created)
			}
		}
	}
	if len(used) != 2 || used["KR message-signature "+m.Signer] != m.Seq || used["KR document-signature "+m.DocumentSigner] != m.Seq {
		t.Errorf("used %v; message by %s", used, m.Signer)
	}
}

func TestPartnerThatStillUsesTheOldCredential(t *testing.T) {
	w := newWorld(t, setup{})
	old := w.KR.key(w, partners.UseMessageSignature, "")
	end := w.now().AddDate(0, 1, 0) // its retire date
	there, fresh := w.successor(true, 1)
	there.Partners[0].Credentials[0].Until = end
	w.must(w.TW.registry.Reload(there))
	w.arrives(1, old)
	still := func() int {
		w.Helper()
		list, err := w.TW.StillUsed(t.Context())
		w.must(err)
		return len(list)
	}
	if n := still(); n != 0 {
		t.Errorf("long before the end: %d", n)
	}
	w.ahead += end.Sub(w.now()) - 3*24*time.Hour - time.Second
	if n := still(); n != 0 {
		t.Errorf("three days and a second before the end: %d", n)
	}
	w.ahead += time.Second
	list, err := w.TW.StillUsed(t.Context())
	if err != nil || len(list) != 1 || list[0].SHA256 != fingerprint(old) || list[0].Audit(w.now()).Subject != "KR message-signature "+fingerprint(old) {
		t.Fatalf("three days before the end: %+v, error %v", list, err)
	}
	w.arrives(2, fresh)
	if n := still(); n != 0 {
		t.Errorf("after a message by the new one: %d", n)
	}
	w.arrives(3, old)
	if n := still(); n != 1 {
		t.Errorf("after another one by the old one: %d", n)
	}
	w.ahead += 3 * 24 * time.Hour
	if n := still(); n != 0 {
		t.Errorf("after the end: %d", n)
	}
}

// revoke has TW learn that KR's CA has revoked the credential of key at the instant at.
func (w *world) revoke(there partners.Config, pki *pkitest.Test, key signing.Key, at time.Time) {
	w.Helper()
	dir := w.TempDir()
	var files []string
	for name, ca := range map[string]*pkitest.Credential{"issuing.crl": pki.Issuing, "root.crl": pki.Root} {
		der, err := x509.CreateRevocationList(rand.Reader, &x509.RevocationList{
			Number: big.NewInt(1), ThisUpdate: w.now(), NextUpdate: w.now().AddDate(0, 0, 1),
			RevokedCertificateEntries: []x509.RevocationListEntry{{SerialNumber: key.Chain[0].SerialNumber, RevocationTime: at, ReasonCode: 1}},
		}, ca.X509Cert, ca.Key)
		w.must(err)
		file := filepath.Join(dir, name)
		w.must(os.WriteFile(file, der, 0o600))
		files = append(files, file)
	}
	there.Partners[0].Revocation = partners.RevocationConfig{Policy: string(revocation.Soft), CRLFiles: files}
	w.must(w.TW.registry.Reload(there))
	revocation.NewFetcher(revocation.FetcherOptions{
		Targets: w.TW.registry.RevocationTargets, Book: w.TW.registry.Revocations(), Dir: w.TempDir(), Now: w.now,
	}).Load()
}

// A message counts that was signed, as far as is known, before its credential was revoked; its record says what is known.
func TestSignerThatIsRevokedLaterIsTold(t *testing.T) {
	w := newWorld(t, setup{})
	there, fresh, pki := w.successorOf(true, 10)
	before := w.arrives(1, fresh)
	at := w.now().Add(2 * time.Hour) // announced
	w.revoke(there, pki, fresh, at)
	after := w.arrives(2, fresh)
	if before.State != exchange.StateAccepted || before.SignersRevoked != nil {
		t.Errorf("before it was known: %s %+v", before.State, before.SignersRevoked)
	}
	told := after.SignersRevoked
	if after.State != exchange.StateAccepted || len(told) != 1 || told[0].Use != partners.UseMessageSignature || told[0].SHA256 != fingerprint(fresh) ||
		!told[0].At.Equal(at) || told[0].Reason != "keyCompromise" {
		t.Errorf("afterwards: %s %+v", after.State, told)
	}
	if shown := w.TW.WithRevocations(before).SignersRevoked; len(shown) != 1 || shown[0] != told[0] {
		t.Errorf("looked up: %+v, want %+v", shown, told)
	}
	records, err := w.TW.store.Audit(t.Context(), 0, 1000)
	w.must(err)
	want := "; signer of the message: " + told[0].Subject + " was revoked at " + told[0].At.Format(time.RFC3339) + " (keyCompromise)"
	if last := records[len(records)-1]; !strings.HasSuffix(last.Detail, want) {
		t.Errorf("audited %q, want %q at its end", last.Detail, want)
	}
	// What was known stays when the credential is taken out; what it would be refused for today is told too.
	w.must(w.TW.registry.Reload(w.TW.config.Registry()))
	if shown := w.TW.WithRevocations(after).SignersRevoked; len(shown) != 1 {
		t.Errorf("looked up without the credential: %+v", shown)
	}
	w.revoke(there, pki, fresh, w.now().Add(-time.Hour))
	if shown := w.TW.WithRevocations(before).SignersRevoked; len(shown) != 1 || !shown[0].At.Equal(w.now().Add(-time.Hour)) {
		t.Errorf("revoked before its receipt: %+v", shown)
	}
	if refused := w.arrives(3, fresh); refused.State != exchange.StateQuarantined {
		t.Errorf("after its revocation: %s", refused.State)
	}
}

// A clock that is set back an hour takes nothing that was signed after the revocation for something from before, and nothing is told to
// whoever sent it in a signed error.
func TestClockThatIsSetBackTakesNothingRevoked(t *testing.T) {
	w := newWorld(t, setup{})
	there, fresh, pki := w.successorOf(true, 10)
	w.revoke(there, pki, fresh, w.now())
	for i, back := range []time.Duration{0, time.Second, time.Hour} {
		w.ahead = -back
		m := w.arrives(i+1, fresh)
		if m.State != exchange.StateQuarantined || m.Reason.Code != "SecurityFailure" || !strings.Contains(m.Reason.Cause, "was revoked at") || m.Reply != 0 {
			t.Errorf("%s back: %s %+v", back, m.State, m.Reason)
		}
	}
	w.ahead = -time.Hour - time.Second
	if m := w.arrives(9, fresh); m.State != exchange.StateAccepted || len(m.SignersRevoked) != 1 {
		t.Errorf("more than clocks differ: %s %+v", m.State, m.SignersRevoked)
	}
	// What came in the hour before, when nothing was known, is still judged as of its receipt.
	w.ahead = 0
	if got := w.TW.registry.Credentials("KR", partners.UseMessageSignature, w.now().Add(-time.Minute)); len(got) != 2 {
		t.Errorf("%d credentials count as of a minute before, want 2", len(got))
	}
}
