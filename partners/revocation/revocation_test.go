package revocation_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ecogate/ecogate/internal/pkitest"
	"github.com/ecogate/ecogate/partners/revocation"
)

var noon = time.Date(2026, time.July, 1, 12, 0, 0, 0, time.UTC)

// world is a PKI with one end credential.
type world struct {
	*pkitest.Test
	leaf  *pkitest.Credential
	chain []revocation.Link
}

func newWorld(t testing.TB) *world {
	t.Helper()
	w := &world{Test: pkitest.NewTest(t, pkitest.Options{Country: "TW", Organisation: "Customs"})}
	var err error
	if w.leaf, err = w.Issue(pkitest.Request{Name: "tw", Use: pkitest.MessageSignature}); err != nil {
		t.Fatal(err)
	}
	w.chain = []revocation.Link{link(t, w.leaf.X509Cert, w.Issuing.X509Cert)}
	return w
}

func link(t testing.TB, x509Cert, issuer *x509.Certificate) revocation.Link {
	t.Helper()
	l, err := revocation.NewLink(x509Cert, issuer)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// crl signs a list of the issuing CA: from noon for a day, without entries, with what change makes of it.
func (w *world) crl(t testing.TB, change func(*x509.RevocationList)) []byte {
	t.Helper()
	return signCRL(t, w.Issuing.X509Cert, w.Issuing.Key, change)
}

func signCRL(t testing.TB, issuer *x509.Certificate, key crypto.Signer, change func(*x509.RevocationList)) []byte {
	t.Helper()
	list := &x509.RevocationList{Number: big.NewInt(7), ThisUpdate: noon, NextUpdate: noon.AddDate(0, 0, 1)}
	if change != nil {
		change(list)
	}
	der, err := x509.CreateRevocationList(rand.Reader, list, issuer, key)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

func revoked(serial *big.Int, at time.Time) x509.RevocationListEntry {
	return x509.RevocationListEntry{SerialNumber: serial, RevocationTime: at, ReasonCode: 1}
}

// fetcher looks for the one credential where target says.
func (w *world) fetcher(t testing.TB, dir string, now func() time.Time, target revocation.Target) (*revocation.Fetcher, *revocation.Book) {
	t.Helper()
	book := new(revocation.Book)
	target.Partner, target.Links = "tw", w.chain
	return revocation.NewFetcher(revocation.FetcherOptions{
		Targets: func() []revocation.Target { return []revocation.Target{target} },
		Book:    book, Dir: dir, Now: now, Client: &http.Client{Timeout: 5 * time.Second},
	}), book
}

// known is what is known after a CRL in a file was read.
func (w *world) known(t testing.TB, der []byte, at time.Time) *revocation.Known {
	t.Helper()
	file := filepath.Join(t.TempDir(), "crl.der")
	if err := os.WriteFile(file, der, 0o600); err != nil {
		t.Fatal(err)
	}
	f, book := w.fetcher(t, t.TempDir(), func() time.Time { return at }, revocation.Target{CRLFiles: []string{file}})
	f.Load()
	return book.Known()
}

func TestJudgement(t *testing.T) {
	w := newWorld(t)
	hard, soft := revocation.Policy{Mode: revocation.Hard}, revocation.Policy{Mode: revocation.Soft, MaxAge: 3 * 24 * time.Hour}
	good := w.known(t, w.crl(t, nil), noon)
	bad := w.known(t, w.crl(t, func(l *x509.RevocationList) {
		l.RevokedCertificateEntries = []x509.RevocationListEntry{revoked(w.leaf.X509Cert.SerialNumber, noon.Add(-time.Hour))}
	}), noon)
	nothing := w.known(t, []byte("nothing"), noon)
	day := 24 * time.Hour
	for _, test := range []struct {
		name    string
		known   *revocation.Known
		policy  revocation.Policy
		at      time.Time
		refused string
		marked  bool
	}{
		{"good", good, hard, noon, "", false},
		{"good, before the list", good, hard, noon.Add(-30 * day), "", false},
		{"clock an hour behind", good, hard, noon.Add(-time.Hour), "", false},
		{"clock an hour ahead at the end", good, hard, noon.Add(day + time.Hour), "", false},
		{"hard, a moment later", good, hard, noon.Add(day + time.Hour + time.Second), "was to be renewed", false},
		{"hard, too old", good, revocation.Policy{Mode: revocation.Hard, MaxAge: time.Hour}, noon.Add(2 * time.Hour), "older than max_age", false},
		{"hard, nothing", nothing, hard, noon, "nothing is known", false},
		{"hard, nobody looked", nil, hard, noon, "nothing is known", false},
		{"soft, past its next update", good, soft, noon.Add(3 * day), "", false},
		{"soft, too old", good, soft, noon.Add(3*day + time.Second), "older than max_age", false},
		{"soft, nothing", nothing, soft, noon.Add(3 * day), "", false},
		{"soft, nothing for too long", nothing, soft, noon.Add(3*day + time.Second), "nothing is known", false},
		{"soft, nobody looked", nil, soft, noon.Add(300 * day), "", false},
		{"revoked", bad, soft, noon, "revoked at 2026-07-01T11:00:00Z (keyCompromise)", true},
		{"revoked, at that instant", bad, soft, noon.Add(-time.Hour), "revoked", true},
		{"revoked, though the list is old", bad, soft, noon.Add(300 * day), "revoked", true},
		{"revoked later", bad, hard, noon.Add(-time.Hour - time.Second), "", true},
		{"revoked, not looked at", bad, revocation.Policy{Mode: revocation.None}, noon, "", false},
	} {
		t.Run(test.name, func(t *testing.T) {
			v := test.known.Judge(w.chain, test.policy, test.at)
			if (v.Refused == "") != (test.refused == "") || !strings.Contains(v.Refused, test.refused) || (v.Revoked != nil) != test.marked {
				t.Errorf("judged %+v, want refused %q and marked %t", v, test.refused, test.marked)
			}
		})
	}
}

func extension(critical bool, der []byte, id ...int) pkix.Extension {
	return pkix.Extension{Id: id, Critical: critical, Value: der}
}

// A list that covers other credentials says nothing about this one.
func TestCRLOfAnotherScope(t *testing.T) {
	w := newWorld(t)
	uri := []byte("http://pki.example/shard-2.crl")
	name := append([]byte{0x86, byte(len(uri))}, uri...)
	for _, layer := range []byte{0xA0, 0xA0, 0x30} {
		name = append([]byte{layer, byte(len(name))}, name...)
	}
	for what, der := range map[string][]byte{"CAs only": {0x30, 3, 0x82, 1, 0xFF}, "another distribution point": name} {
		known := w.known(t, w.crl(t, func(l *x509.RevocationList) {
			l.ExtraExtensions = []pkix.Extension{extension(true, der, 2, 5, 29, 28)}
		}), noon)
		if v := known.Judge(w.chain, revocation.Policy{Mode: revocation.Hard}, noon); !strings.Contains(v.Refused, "nothing is known") {
			t.Errorf("%s: judged %+v", what, v)
		}
	}
}

// authority answers with openssl, as of the real time.
type authority struct {
	*world
	dir       string
	responder *pkitest.Credential
}

func newAuthority(t *testing.T, w *world) *authority {
	t.Helper()
	if _, err := exec.LookPath("openssl"); err != nil {
		t.Skip("openssl is not installed")
	}
	a := &authority{world: w, dir: t.TempDir()}
	a.responder = delegate(t, w.Issuing, []x509.ExtKeyUsage{x509.ExtKeyUsageOCSPSigning})
	a.write(t, "ca", w.Issuing)
	a.write(t, "responder", a.responder)
	a.index(t, "V", w.leaf.X509Cert.SerialNumber)
	a.file(t, "ca.cnf", "[ca]\ndefault_ca=d\n[d]\ndatabase=index.txt\ndefault_md=sha256\ndefault_crl_days=1\ncrlnumber=number\n")
	a.file(t, "number", "01\n")
	return a
}

func (a *authority) file(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(a.dir, name), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func (a *authority) write(t *testing.T, name string, c *pkitest.Credential) {
	t.Helper()
	if _, err := c.WriteCredential(a.dir, name); err != nil {
		t.Fatal(err)
	}
	if _, err := c.WriteKey(a.dir, name); err != nil {
		t.Fatal(err)
	}
}

// index says how one serial number stands: V valid, R revoked a day ago.
func (a *authority) index(t *testing.T, state string, serial *big.Int) {
	t.Helper()
	when := ""
	if state == "R" {
		when = time.Now().AddDate(0, 0, -1).UTC().Format("060102150405Z") + ",keyCompromise"
	}
	hex := fmt.Sprintf("%X", serial)
	if len(hex)%2 == 1 {
		hex = "0" + hex
	}
	a.file(t, "index.txt", fmt.Sprintf("%s\t350101000000Z\t%s\t%s\tunknown\t/CN=tw\n", state, when, hex))
}

func (a *authority) openssl(t *testing.T, args ...string) {
	t.Helper()
	cmd := exec.Command("openssl", args...)
	cmd.Dir = a.dir
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("openssl %v: %v\n%s", args, err, out)
	}
}

func (a *authority) crlNow(t *testing.T) []byte {
	t.Helper()
	a.openssl(t, "ca", "-config", "ca.cnf", "-gencrl", "-cert", "ca.pem", "-keyfile", "ca.key", "-out", "crl.pem")
	return a.read(t, "crl.pem")
}

func (a *authority) read(t *testing.T, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(a.dir, name))
	if err != nil {
		t.Error(err)
	}
	return data
}

func (a *authority) answer(t *testing.T, question []byte, signer string) []byte {
	t.Helper()
	a.file(t, "request.der", string(question))
	a.openssl(t, "ocsp", "-index", "index.txt", "-CA", "ca.pem", "-rsigner", signer+".pem", "-rkey", signer+".key",
		"-reqin", "request.der", "-respout", "response.der", "-nmin", "60")
	return a.read(t, "response.der")
}

// delegate is a credential with usages from the CA.
func delegate(t *testing.T, ca *pkitest.Credential, usages []x509.ExtKeyUsage) *pkitest.Credential {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(99), Subject: pkix.Name{CommonName: "responder"}, ExtKeyUsage: usages,
		NotBefore: noon.AddDate(-1, 0, 0), NotAfter: noon.AddDate(9, 0, 0), KeyUsage: x509.KeyUsageDigitalSignature}
	der, err := x509.CreateCertificate(rand.Reader, template, ca.X509Cert, key.Public(), ca.Key)
	if err != nil {
		t.Fatal(err)
	}
	x509Cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return &pkitest.Credential{X509Cert: x509Cert, Key: key, Chain: []*x509.Certificate{x509Cert}}
}

func TestOCSPOfOpenSSL(t *testing.T) {
	w := newWorld(t)
	a := newAuthority(t, w)
	impostor, err := w.Impostor()
	if err != nil {
		t.Fatal(err)
	}
	a.write(t, "impostor", impostor.Issuing)
	a.write(t, "foreign", delegate(t, impostor.Issuing, []x509.ExtKeyUsage{x509.ExtKeyUsageOCSPSigning}))
	a.write(t, "plain", delegate(t, w.Issuing, nil))
	other, err := w.Issue(pkitest.Request{Name: "other", Use: pkitest.MessageSignature})
	if err != nil {
		t.Fatal(err)
	}
	question, err := revocation.OCSPRequest(w.chain[0])
	if err != nil {
		t.Fatal(err)
	}
	about, err := revocation.OCSPRequest(link(t, other.X509Cert, w.Issuing.X509Cert))
	if err != nil {
		t.Fatal(err)
	}
	serial := w.leaf.X509Cert.SerialNumber
	for _, test := range []struct {
		name, state string
		question    []byte
		signer      string
		now         time.Duration
		status      revocation.Status
		want        string
	}{
		{"good", "V", question, "responder", 0, revocation.Good, ""},
		{"good, by the CA itself", "V", question, "ca", 0, revocation.Good, ""},
		{"revoked", "R", question, "responder", 0, revocation.Revoked, ""},
		{"unknown", "V", about, "responder", 0, "", "no response matching"},
		{"lying", "V", question, "impostor", 0, "", "has its credential from"},
		{"lying through a responder", "V", question, "foreign", 0, "", "did not sign"},
		{"responder without leave", "V", question, "plain", 0, "", "OCSPSigning"},
		{"clock an hour behind", "V", question, "responder", -time.Hour + time.Minute, revocation.Good, ""},
		{"clock an hour ahead", "V", question, "responder", time.Hour, revocation.Good, ""},
		{"clock two hours behind", "V", question, "responder", -2 * time.Hour, "", "from the future"},
	} {
		t.Run(test.name, func(t *testing.T) {
			a.index(t, test.state, serial)
			got, err := revocation.ReadOCSP(a.answer(t, test.question, test.signer), w.chain[0], time.Now().Add(test.now))
			if (err == nil) != (test.want == "") || err != nil && !strings.Contains(err.Error(), test.want) {
				t.Fatalf("%v, want %q", err, test.want)
			}
			if err == nil && got.Status != test.status {
				t.Errorf("%s, want %s", got.Status, test.status)
			}
		})
	}
	t.Run("serial number of another CA", func(t *testing.T) {
		// A CA with the same key and another name: the signature holds, and the serial number is the same.
		renamed := *w.Issuing.X509Cert
		renamed.RawSubject = w.Root.X509Cert.RawSubject
		a.index(t, "V", serial)
		if _, err := revocation.ReadOCSP(a.answer(t, question, "ca"), link(t, w.leaf.X509Cert, &renamed), time.Now()); err == nil || !strings.Contains(err.Error(), "another issuer") {
			t.Errorf("%v", err)
		}
	})
	t.Run("does not know", func(t *testing.T) {
		a.index(t, "V", big.NewInt(4711))
		got, err := revocation.ReadOCSP(a.answer(t, question, "responder"), w.chain[0], time.Now())
		if err != nil || got.Status != revocation.Unknown {
			t.Errorf("%+v, %v", got, err)
		}
	})
}

// What a source that fails, is slow or lies says changes nothing, and what is known survives a restart.
func TestFetcher(t *testing.T) {
	w := newWorld(t)
	a := newAuthority(t, w)
	impostor, err := w.Impostor()
	if err != nil {
		t.Fatal(err)
	}
	good := a.crlNow(t)
	a.index(t, "R", w.leaf.X509Cert.SerialNumber)
	lie := signCRL(t, impostor.Issuing.X509Cert, impostor.Issuing.Key, func(l *x509.RevocationList) {
		l.ThisUpdate, l.NextUpdate = time.Now(), time.Now().Add(time.Hour)
	})
	var crl, status atomic.Value
	crl.Store(good)
	status.Store(http.StatusOK)
	server := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost {
			question, err := io.ReadAll(r.Body)
			if err != nil {
				t.Error(err)
			}
			_, _ = rw.Write(a.answer(t, question, "responder"))
			return
		}
		if status.Load().(int) == 0 { // hangs until the client gives up
			<-r.Context().Done()
			return
		}
		rw.WriteHeader(status.Load().(int))
		_, _ = rw.Write(crl.Load().([]byte))
	}))
	defer server.Close()
	var ahead time.Duration
	now := func() time.Time { return time.Now().Add(ahead) }
	dir := filepath.Join(t.TempDir(), "revocation")
	target := revocation.Target{CRLURLs: []string{server.URL + "/crl"}}
	f, book := w.fetcher(t, dir, now, target)
	hard := revocation.Policy{Mode: revocation.Hard}
	state := func(book *revocation.Book) string {
		return book.Known().Judge(w.chain, hard, now()).Refused
	}
	want := func(f *revocation.Fetcher, problem string) {
		t.Helper()
		if got := f.Status()[0]; !strings.Contains(got.Problem, problem) || (got.Problem == "") != (problem == "") {
			t.Errorf("status %+v, want problem %q", got, problem)
		}
	}

	f.Load()
	if got := state(book); !strings.Contains(got, "nothing is known") {
		t.Errorf("before the first fetch: %q", got)
	}
	f.Pass(t.Context())
	want(f, "")
	if got := state(book); got != "" {
		t.Errorf("good: %q", got)
	}
	for _, step := range []struct {
		status  int
		crl     []byte
		problem string
	}{
		{http.StatusServiceUnavailable, nil, "HTTP status 503"},
		{http.StatusFound, nil, "HTTP status 302"},
		{http.StatusOK, lie, "is not signed by"},
		{http.StatusOK, []byte("<html>busy</html>"), "not a CRL"},
		{http.StatusOK, make([]byte, revocation.MaxCRL+1), "over the limit"},
	} {
		ahead += 2 * time.Hour // everything is due again
		status.Store(step.status)
		crl.Store(append([]byte{}, step.crl...))
		f.Pass(t.Context())
		want(f, step.problem)
		if got := state(book); got != "" {
			t.Errorf("%s: %q", step.problem, got)
		}
	}

	// Back an hour: due again, and what comes is taken.
	ahead = -time.Hour + time.Minute
	status.Store(http.StatusOK)
	crl.Store(good)
	f.Pass(t.Context())
	want(f, "")

	// Another process, without the network, knows the same.
	server.CloseClientConnections()
	ahead = 0
	again, kept := w.fetcher(t, dir, now, target)
	again.Load()
	if got := state(kept); got != "" {
		t.Errorf("after a restart: %q", got)
	}

	// Revoked: by the CRL, which is fetched before its time only when it is asked for, then by OCSP alone.
	f.Pass(t.Context())
	crl.Store(a.crlNow(t))
	f.Pass(t.Context())
	if got := state(book); got != "" {
		t.Errorf("fetched before its time: %q", got)
	}
	f.Again()
	f.Pass(t.Context())
	if got := state(book); !strings.Contains(got, "revoked") {
		t.Errorf("revoked in the CRL: %q", got)
	}
	// The older list does not make it good again.
	ahead += 2 * time.Hour
	crl.Store(good)
	f.Pass(t.Context())
	if got := state(book); !strings.Contains(got, "revoked") {
		t.Errorf("after the older list: %q", got)
	}
	ahead = 0
	byOCSP, answers := w.fetcher(t, t.TempDir(), now, revocation.Target{OCSPURL: server.URL + "/ocsp"})
	byOCSP.Pass(t.Context())
	if got := state(answers); !strings.Contains(got, "revoked") {
		t.Errorf("revoked by OCSP: %q %+v", got, byOCSP.Status())
	}
	// A responder that hangs holds up nothing but its own fetch.
	status.Store(0)
	slow, unknown := w.fetcher(t, t.TempDir(), now, target)
	slow.Pass(t.Context())
	if got := slow.Status()[0].Problem; got == "" || !strings.Contains(state(unknown), "nothing is known") {
		t.Errorf("slow: %q", got)
	}
}

func large(t testing.TB, w *world) []byte {
	return w.crl(t, func(l *x509.RevocationList) {
		for i := range 100_000 {
			serial := new(big.Int).Add(new(big.Int).Lsh(big.NewInt(1), 120), big.NewInt(int64(i)*2))
			l.RevokedCertificateEntries = append(l.RevokedCertificateEntries, x509.RevocationListEntry{SerialNumber: serial, RevocationTime: noon})
		}
		l.RevokedCertificateEntries = append(l.RevokedCertificateEntries, revoked(w.leaf.X509Cert.SerialNumber, noon))
	})
}

func TestLargeCRL(t *testing.T) {
	w := newWorld(t)
	v := w.known(t, large(t, w), noon).Judge(w.chain, revocation.Policy{Mode: revocation.Hard}, noon)
	if !strings.Contains(v.Refused, "revoked") {
		t.Errorf("judged %+v", v)
	}
}

func BenchmarkReadLargeCRL(b *testing.B) {
	w := newWorld(b)
	der := large(b, w)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := revocation.ReadCRL(der, []*x509.Certificate{w.Issuing.X509Cert}, noon); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkJudgeLargeCRL(b *testing.B) {
	w := newWorld(b)
	known := w.known(b, large(b, w), noon)
	for b.Loop() {
		known.Judge(w.chain, revocation.Policy{Mode: revocation.Hard}, noon)
	}
}

func FuzzReadCRL(f *testing.F) {
	w := newWorld(f)
	f.Add(w.crl(f, nil))
	f.Add(w.crl(f, func(l *x509.RevocationList) {
		l.ExtraExtensions = []pkix.Extension{extension(true, []byte{0x30, 3, 0x81, 1, 0xFF}, 2, 5, 29, 28)}
		l.RevokedCertificateEntries = []x509.RevocationListEntry{revoked(big.NewInt(5), noon)}
	}))
	addHostile(f, blockCRL)
	f.Fuzz(func(t *testing.T, data []byte) {
		if c, err := revocation.ReadCRL(data, []*x509.Certificate{w.Issuing.X509Cert}, noon); c == nil && err == nil {
			t.Error("neither CRL nor error")
		}
	})
}

func FuzzReadOCSP(f *testing.F) {
	w := newWorld(f)
	refusal, err := asn1.Marshal(struct{ Status asn1.Enumerated }{3})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(refusal)
	addHostile(f, blockOCSP)
	f.Fuzz(func(t *testing.T, data []byte) {
		if a, err := revocation.ReadOCSP(data, w.chain[0], noon); a == nil && err == nil {
			t.Error("neither answer nor error")
		}
	})
}
