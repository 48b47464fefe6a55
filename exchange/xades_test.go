package exchange_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ecogate/ecogate/eco"
	"github.com/ecogate/ecogate/eco/ecotest"
	"github.com/ecogate/ecogate/exchange"
	"github.com/ecogate/ecogate/internal/config"
	"github.com/ecogate/ecogate/internal/pair"
	"github.com/ecogate/ecogate/internal/pkitest"
	"github.com/ecogate/ecogate/internal/tsatest"
	"github.com/ecogate/ecogate/partners"
	"github.com/ecogate/ecogate/signing"
	"github.com/ecogate/ecogate/ubl"
)

// signedAs has every issuing body of a side sign in this form.
func signedAs(xades string, stamp partners.TimeStampConfig) func(*config.Config) {
	return func(c *config.Config) {
		for i := range c.Node.Issuers {
			c.Node.Issuers[i].XAdES, c.Node.Issuers[i].TimeStamp = xades, stamp
		}
	}
}

// knowing has a side verify the time-stamps of every partner with the anchors in these files.
func knowing(files ...string) func(*config.Config) {
	return func(c *config.Config) {
		for i := range c.Partners {
			c.Partners[i].TimeStampAnchorFiles = files
		}
	}
}

// TestEveryCertificateIsReadFromItsXAdESDocument signs the corpus, with one time-stamp authority.
func TestEveryCertificateIsReadFromItsXAdESDocument(t *testing.T) {
	w := newWorld(t, setup{})
	authority := tsatest.Open(t, time.Time{})
	key := w.KR.key(w, partners.UseDocumentSignature, "KCCI")
	x := signing.XAdES{SigningTime: w.now(), Authority: signing.HTTPAuthority{URL: authority.URL, Client: http.DefaultClient}}
	x.TimeStampAnchors = append(x.TimeStampAnchors, authority.PKI.Root.X509Cert)
	for _, name := range ecotest.Names(t) {
		t.Run(name, func(t *testing.T) {
			c := ecotest.Load(t, name)
			unsigned, err := ubl.Marshal(c, eco.DefaultForms())
			w.must(err)
			signed, err := signing.SignXAdES(t.Context(), unsigned, ubl.SignaturePath(), key, x)
			w.must(err)
			verified, err := signing.VerifyDocument(signed, ubl.SignaturePath(), key.Chain, signing.Policy{TimeStampAnchors: x.TimeStampAnchors})
			w.must(err)
			if !verified.SigningTime.Equal(w.now()) || verified.TimeStamp == nil || verified.TimeStamp.Authority == nil {
				t.Errorf("signed at %s, time-stamp %+v", verified.SigningTime, verified.TimeStamp)
			}
			read, _, err := ubl.Unmarshal(verified.Octets, eco.DefaultForms())
			w.must(err)
			if diff := cmp.Diff(c, read); diff != "" {
				t.Errorf("certificate changed (-signed +read):\n%s", diff)
			}
		})
	}
}

// TestXAdESDocumentIsValid has another's program hold a document to the schemas of UBL from 2.2 on. Those of 2.1 have an
// edition of XAdES without SigningCertificateV2.
func TestXAdESDocumentIsValid(t *testing.T) {
	if _, err := exec.LookPath("xmllint"); err != nil {
		t.Skipf("xmllint is not installed: %v", err)
	}
	authority := tsatest.Open(t, time.Time{})
	w := newWorld(t, setup{})
	unsigned, err := ubl.Marshal(sample(t), eco.DefaultForms())
	w.must(err)
	x := signing.XAdES{SigningTime: w.now(), Authority: signing.HTTPAuthority{URL: authority.URL, Client: http.DefaultClient}}
	signed, err := signing.SignXAdES(t.Context(), unsigned, ubl.SignaturePath(), w.KR.key(w, partners.UseDocumentSignature, "KCCI"), x)
	w.must(err)
	file := filepath.Join(t.TempDir(), "signed.xml")
	w.must(os.WriteFile(file, signed, 0o600))
	for _, version := range []string{"2.3", "2.4"} {
		schema := filepath.Join("..", "..", "shared", "ubl", "xsd", version, "maindoc", "UBL-CertificateOfOrigin-"+version+".xsd")
		if _, err := os.Stat(schema); err != nil {
			t.Skipf("../shared is absent: %v", err)
		}
		if out, err := exec.Command("xmllint", "--nonet", "--noout", "--schema", schema, file).CombinedOutput(); err != nil {
			t.Errorf("UBL %s: %v\n%s", version, err, out)
		}
	}
}

func TestCertificateTravelsUnderXAdES(t *testing.T) {
	authority, stranger := tsatest.Open(t, time.Time{}), tsatest.Open(t, time.Time{})
	stamp := partners.TimeStampConfig{URL: authority.URL, AnchorFiles: []string{authority.AnchorFile}}
	for _, test := range []struct {
		name    string
		xades   string
		stamp   partners.TimeStampConfig
		known   []string // authorities, at TW
		refusal string
	}{
		{"BES", partners.XAdESBES, partners.TimeStampConfig{}, nil, ""},
		{"BES where time-stamps are known", partners.XAdESBES, partners.TimeStampConfig{}, []string{authority.AnchorFile}, ""},
		{"T of a known authority", partners.XAdEST, stamp, []string{stranger.AnchorFile, authority.AnchorFile}, ""},
		{"T where none is known", partners.XAdEST, stamp, nil, ""},
		{"T of another authority", partners.XAdEST, stamp, []string{stranger.AnchorFile}, "time-stamp does not verify"},
	} {
		t.Run(test.name, func(t *testing.T) {
			var log bytes.Buffer
			change := func(o *exchange.Options) { o.Log = slog.New(slog.NewTextHandler(&log, nil)) }
			w := newWorld(t, setup{kr: signedAs(test.xades, test.stamp), tw: knowing(test.known...), options: change})
			request, sent := w.composed(sample(t))
			if raw := string(w.KR.raw(w, sent.Raw)); strings.Contains(raw, "SignatureTimeStamp") != (test.xades == partners.XAdEST) || !strings.Contains(raw, "SigningCertificateV2") {
				t.Errorf("the message has another form of signature:\n%s", raw)
			}
			w.TW.receive(w, request)
			if test.refusal == "" {
				if c := w.TW.certificate(w); c.State != exchange.CertificateAvailable {
					t.Errorf("certificate is %s", c.State)
				}
				if !strings.Contains(log.String(), "signing_time="+w.now().Format("2006-01-02T15:04:05")) || strings.Contains(log.String(), "authority=") != (test.xades == partners.XAdEST) ||
					strings.Contains(log.String(), "authority=\"not verified\"") != (test.xades == partners.XAdEST && test.known == nil) {
					t.Errorf("log:\n%s", log.String())
				}
				return
			}
			in := w.TW.messages(w, exchange.MessageQuery{Direction: exchange.Inbound})
			if len(in) != 1 || in[0].Reason == nil || in[0].Reason.Code != "SecurityFailure" || !strings.Contains(in[0].Reason.Cause, test.refusal) {
				t.Errorf("recorded %+v", in)
			}
			if got := len(w.TW.certificates(w)); got != 0 {
				t.Errorf("%d certificates, want none", got)
			}
		})
	}
}

// TestTimeStampIsRequiredIfThatIsAgreed has TW take documents with a time-stamp of one authority only.
func TestTimeStampIsRequiredIfThatIsAgreed(t *testing.T) {
	authority, stranger := tsatest.Open(t, time.Time{}), tsatest.Open(t, time.Time{})
	by := func(a *tsatest.Authority) partners.TimeStampConfig {
		return partners.TimeStampConfig{URL: a.URL, AnchorFiles: []string{a.AnchorFile}}
	}
	for _, test := range []struct {
		name    string
		xades   string
		stamp   partners.TimeStampConfig
		refusal string
	}{
		{"plain", partners.XAdESNone, partners.TimeStampConfig{}, "no time-stamp (XAdES-T) of a known authority"},
		{"BES", partners.XAdESBES, partners.TimeStampConfig{}, "no time-stamp (XAdES-T) of a known authority"},
		{"T of another authority", partners.XAdEST, by(stranger), "time-stamp does not verify"},
		{"T of the authority", partners.XAdEST, by(authority), ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			asked := func(c *config.Config) {
				knowing(authority.AnchorFile)(c)
				for i := range c.Agreements {
					c.Agreements[i].TimeStampRequired = true
				}
			}
			w := newWorld(t, setup{kr: signedAs(test.xades, test.stamp), tw: asked})
			request, _ := w.composed(sample(t))
			w.TW.receive(w, request)
			in := w.TW.messages(w, exchange.MessageQuery{Direction: exchange.Inbound})
			if test.refusal == "" {
				if len(in) != 1 || in[0].State != exchange.StateAccepted || w.TW.certificate(w).State != exchange.CertificateAvailable {
					t.Errorf("recorded %+v", in)
				}
				return
			}
			if len(in) != 1 || in[0].State != exchange.StateQuarantined || in[0].Reason.Code != "SecurityFailure" || !strings.Contains(in[0].Reason.Cause, test.refusal) {
				t.Errorf("recorded %+v", in)
			}
			if got := len(w.TW.certificates(w)); got != 0 {
				t.Errorf("%d certificates, want none", got)
			}
		})
	}
}

// TestNodeSignsWithTheAlgorithmsThatAreConfigured sends a message and a document under RSA-PSS, to a partner that takes it and to
// one that does not.
func TestNodeSignsWithTheAlgorithmsThatAreConfigured(t *testing.T) {
	const pss = "http://www.w3.org/2007/05/xmldsig-more#sha256-rsa-MGF1"
	signed := func(c *config.Config) {
		for i := range c.Agreements {
			c.Agreements[i].SignatureAlgorithm = "sha256-rsa-MGF1"
		}
		for i := range c.Node.Issuers {
			c.Node.Issuers[i].SignatureAlgorithm = "http://www.w3.org/2007/05/xmldsig-more#sha384-rsa-MGF1"
		}
	}
	for _, test := range []struct {
		name    string
		takes   []string
		refusal string
	}{
		{"taken by default", nil, ""},
		{"agreed", []string{pss, "sha384-rsa-MGF1"}, ""},
		{"not for documents", []string{pss}, "sha384-rsa-MGF1 is not one of those agreed"},
		{"not agreed", []string{"rsa-sha256"}, "sha256-rsa-MGF1 is not one of those agreed"},
	} {
		t.Run(test.name, func(t *testing.T) {
			takes := func(c *config.Config) {
				for i := range c.Agreements {
					c.Agreements[i].Algorithms = test.takes
				}
			}
			w := newWorld(t, setup{pair: pair.Options{Algorithm: pkitest.RSA2048}, kr: signed, tw: takes})
			request, sent := w.composed(sample(t))
			raw := string(w.KR.raw(w, sent.Raw))
			if strings.Count(raw, `SignatureMethod Algorithm="`+pss) != 1 || strings.Count(raw, "#sha384-rsa-MGF1") != 1 {
				t.Errorf("the message is signed otherwise:\n%s", raw)
			}
			w.TW.receive(w, request)
			in := w.TW.messages(w, exchange.MessageQuery{Direction: exchange.Inbound})
			switch {
			case len(in) != 1:
				t.Errorf("recorded %+v", in)
			case test.refusal == "" && in[0].State != exchange.StateAccepted:
				t.Errorf("refused: %+v", in[0].Reason)
			case test.refusal != "" && (in[0].State != exchange.StateQuarantined || !strings.Contains(in[0].Reason.Cause, test.refusal)):
				t.Errorf("recorded as %s: %+v", in[0].State, in[0].Reason)
			}
		})
	}
}

// TestSubmitAgainUnderXAdESChangesNothing: each document has a time of its own, the certificate is the same.
func TestSubmitAgainUnderXAdESChangesNothing(t *testing.T) {
	authority := tsatest.Open(t, time.Time{})
	stamp := partners.TimeStampConfig{URL: authority.URL, AnchorFiles: []string{authority.AnchorFile}}
	answers := true
	change := func(o *exchange.Options) {
		o.Authority = func(url string) signing.TimeStampAuthority {
			if !answers {
				return silent{}
			}
			return signing.HTTPAuthority{URL: url, Client: http.DefaultClient}
		}
	}
	w := newWorld(t, setup{kr: signedAs(partners.XAdEST, stamp), options: change})
	first := w.submit(sample(t))
	again := w.submit(sample(t))
	answers = false // a certificate that is queued has its time-stamp, whoever asks again
	without := w.submit(sample(t))
	for _, s := range []exchange.Submission{again, without} {
		if s.Fresh || s.Message.MessageID != first.Message.MessageID || s.Key != first.Key || len(s.Findings) != len(first.Findings) {
			t.Errorf("second submission fresh %v, message %s, key %v; want that of the first, %s", s.Fresh, s.Message.MessageID, s.Key, first.Message.MessageID)
		}
	}
	other := sample(t)
	other.Remarks = "OTHER"
	if _, err := w.KR.Submit(context.Background(), "issuer", "TW", other); !errors.Is(err, exchange.ErrNoTimeStamp) {
		t.Errorf("other content without its time-stamp: %v, want %v", err, exchange.ErrNoTimeStamp)
	}
	answers = true
	if _, err := w.KR.Submit(context.Background(), "issuer", "TW", other); !errors.Is(err, exchange.ErrConflict) {
		t.Errorf("other content under the same reference: %v, want %v", err, exchange.ErrConflict)
	}
	if got := w.KR.messages(w, exchange.MessageQuery{}); len(got) != 1 {
		t.Errorf("%d messages, want 1", len(got))
	}
}

// silent is an authority that cannot be reached.
type silent struct{}

func (silent) Ask(context.Context, []byte) ([]byte, error) { return nil, errors.New("not reached") }

// hanging is an authority that takes requests and never answers.
type hanging struct{}

func (hanging) Ask(ctx context.Context, _ []byte) ([]byte, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}

// TestSubmitQueuesNothingWithoutItsTimeStamp has more submissions wait for an authority than there are processors, and
// certificates of the partner arrive meanwhile.
func TestSubmitQueuesNothingWithoutItsTimeStamp(t *testing.T) {
	t.Parallel()
	file := tsatest.Open(t, time.Time{}).AnchorFile
	stamp := partners.TimeStampConfig{URL: "http://tsa.example/", AnchorFiles: []string{file}, Timeout: 7 * time.Second}
	var log bytes.Buffer
	change := func(o *exchange.Options) {
		o.Authority = func(string) signing.TimeStampAuthority { return hanging{} }
		o.Log = slog.New(slog.NewTextHandler(&log, nil))
	}
	bubble(t, setup{kr: signedAs(partners.XAdEST, stamp), options: change}, func(w *world) {
		began := w.now()
		var waiting sync.WaitGroup
		for range runtime.GOMAXPROCS(0) + 2 {
			waiting.Go(func() {
				_, err := w.KR.Submit(context.Background(), "issuer", "TW", sample(w))
				if !errors.Is(err, exchange.ErrNoTimeStamp) || !errors.Is(err, context.DeadlineExceeded) {
					w.Errorf("submission: %v", err)
				}
			})
		}
		synctest.Wait()
		// A Ping is signed and verified while the others wait.
		if _, err := w.KR.Ping(context.Background(), "operator", "TW", krtwCPA); err != nil {
			w.Errorf("ping: %v", err)
		}
		if w.now().Sub(began) >= stamp.Timeout {
			w.Errorf("the node stood still for %s", w.now().Sub(began))
		}
		waiting.Wait()
		if waited := w.now().Sub(began); waited != stamp.Timeout {
			w.Errorf("waited %s, want %s", waited, stamp.Timeout)
		}
		if got := w.KR.messages(w, exchange.MessageQuery{Direction: exchange.Outbound, Kind: exchange.KindCertificate}); len(got) != 0 {
			w.Errorf("%d messages queued", len(got))
		}
		if got := w.KR.certificates(w); len(got) != 0 {
			w.Errorf("%d certificates recorded", len(got))
		}
		if !strings.Contains(log.String(), "no time-stamp for a certificate") || !strings.Contains(log.String(), "issuing_body=KCCI") {
			w.Errorf("log:\n%s", log.String())
		}
	})
}
