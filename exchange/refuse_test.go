package exchange_test

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"net/textproto"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/ecogate/ecogate/ebms"
	"github.com/ecogate/ecogate/eco"
	"github.com/ecogate/ecogate/exchange"
	"github.com/ecogate/ecogate/internal/config"
	"github.com/ecogate/ecogate/internal/pkitest"
	"github.com/ecogate/ecogate/partners"
	"github.com/ecogate/ecogate/signing"
	"github.com/ecogate/ecogate/ubl"
)

// refusal is a message that TW must not take.
type refusal struct {
	name string
	// tw is what TW's agreement has of its own.
	tw func(*config.Config)
	// make changes a right message, send the request that it becomes.
	make func(w *world, d *draft)
	send func(w *world, r *ebms.Request)
	code ebms.Code
}

// refusedUnestablished are messages of which nobody knows who sent them: the answer is an unsigned error in the response.
func refusedUnestablished() []refusal {
	return []refusal{
		{"signed with another key under the same name", nil, func(w *world, d *draft) {
			credential, err := w.impostor().Issue(pkitest.Request{Name: "Korea e-CO hub", Use: pkitest.MessageSignature})
			w.must(err)
			d.key = keyOf(credential)
		}, nil, ebms.CodeSecurityFailure},
		{"signed by another partner", nil, func(w *world, d *draft) { d.key = w.VN.message }, nil, ebms.CodeSecurityFailure},
		{"signed by an issuing body", nil, func(w *world, d *draft) {
			d.key = w.KR.key(w, partners.UseDocumentSignature, "KCCI")
		}, nil, ebms.CodeSecurityFailure},
		{"unsigned", nil, func(_ *world, d *draft) { d.key = signing.Key{} }, nil, ebms.CodeSecurityFailure},
		{"SOAPAction that is not tolerated", func(c *config.Config) { c.Agreements[0].Tolerate = []string{} }, nil, func(_ *world, r *ebms.Request) {
			r.SOAPAction = "urn:other"
		}, ebms.CodeInconsistent},
		{"envelope changed after it was signed", nil, func(_ *world, d *draft) {
			d.tamper = func(p *ebms.Package) { p.Envelope = replace(">c1<", ">c2<")(p.Envelope) }
		}, nil, ebms.CodeSecurityFailure},
		{"document changed after it was signed", nil, func(_ *world, d *draft) {
			d.tamper = func(p *ebms.Package) {
				p.Parts[0].Content = ebms.Bytes(replace("HANBIT", "HANBAT")(octets(p.Parts[0].Content)))
			}
		}, nil, ebms.CodeSecurityFailure},
		{"part taken out", nil, func(_ *world, d *draft) {
			d.tamper = func(p *ebms.Package) { p.Parts = nil }
		}, nil, ebms.CodeSecurityFailure},
		{"part put in", nil, func(_ *world, d *draft) {
			d.beside = []ebms.Part{{ContentID: "more", ContentType: "text/plain", Content: ebms.Bytes([]byte("more"))}}
		}, nil, ebms.CodeSecurityFailure},
		{"part put in and listed", nil, func(_ *world, d *draft) {
			d.beside = []ebms.Part{{ContentID: "more", ContentType: "text/plain", Content: ebms.Bytes([]byte("more"))}}
			d.header.Manifest = append(d.header.Manifest, ebms.ManifestReference{Href: "cid:more"})
		}, nil, ebms.CodeSecurityFailure},
		{"credential expired", nil, nil, func(w *world, r *ebms.Request) { r.Received = r.Received.AddDate(20, 0, 0) }, ebms.CodeSecurityFailure},
		{"credential not yet valid", nil, nil, func(w *world, r *ebms.Request) { r.Received = r.Received.AddDate(-3, 0, 0) }, ebms.CodeSecurityFailure},
		{"credential withdrawn", func(c *config.Config) {
			c.Partners[0].Credentials[0].Until = time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC)
		},
			nil, nil, ebms.CodeSecurityFailure},
		{"TLS client is another partner", nil, nil, func(w *world, r *ebms.Request) { r.TLS = client(w.VN.tls.X509Cert) }, ebms.CodeSecurityFailure},
		{"TLS client is nobody's", nil, nil, func(w *world, r *ebms.Request) {
			r.TLS = client(w.impostor().Issuing.X509Cert)
		}, ebms.CodeSecurityFailure},
		{"signed badly over the partner's own connection", nil, func(w *world, d *draft) { d.key = w.VN.message }, func(w *world, r *ebms.Request) {
			r.TLS = client(w.KR.key(w, partners.UseTLSClient, "").Chain[0])
		}, ebms.CodeSecurityFailure},
		{"unknown CPAId", nil, func(_ *world, d *draft) { d.header.CPAID = "urn:unknown" }, nil, ebms.CodeValueNotRecognized},
		{"agreement of another partner", nil, func(_ *world, d *draft) { d.header.CPAID = vnCPA }, nil, ebms.CodeInconsistent},
		{"unknown service", nil, func(_ *world, d *draft) { d.header.Service.Value = "Tariff" }, nil, ebms.CodeValueNotRecognized},
		{"unknown action", nil, func(_ *world, d *draft) { d.header.Action = "Delete" }, nil, ebms.CodeValueNotRecognized},
		{"from nobody known", nil, func(_ *world, d *draft) { d.header.From.IDs[0].Value = "XX-HUB" }, nil, ebms.CodeInconsistent},
		{"to somebody else", nil, func(_ *world, d *draft) { d.header.To.IDs[0].Value = "XX-HUB" }, nil, ebms.CodeInconsistent},
		{"from two parties", nil, func(_ *world, d *draft) {
			d.header.From.IDs = append(d.header.From.IDs, ebms.PartyID{Type: "other", Value: "VN-HUB"})
		}, nil, ebms.CodeInconsistent},
	}
}

// impostor is a PKI with the names of KR's.
func (w *world) impostor() *pkitest.PKI {
	w.Helper()
	p, err := pkitest.New(pkitest.Options{Country: "KR", Organisation: "Demonstration Korea"})
	w.must(err)
	return p
}

func client(x509Cert *x509.Certificate) *tls.ConnectionState {
	return &tls.ConnectionState{PeerCertificates: []*x509.Certificate{x509Cert}}
}

// refusedEstablished are messages of the partner that it must not send: the answer is a signed error as a message of its own.
func refusedEstablished() []refusal {
	return []refusal{
		{"no payload", nil, func(_ *world, d *draft) { d.parts, d.header.Manifest = nil, nil }, nil, ebms.CodeMimeProblem},
		{"listed part is not there", nil, func(_ *world, d *draft) { d.parts = nil }, nil, ebms.CodeMimeProblem},
		{"part is not listed", nil, func(_ *world, d *draft) {
			d.parts = append(d.parts, ebms.Part{ContentID: "more", ContentType: "text/plain", Content: ebms.Bytes([]byte("more"))})
		}, nil, ebms.CodeMimeProblem},
		{"listed part is elsewhere", nil, func(_ *world, d *draft) {
			d.parts, d.header.Manifest[0].Href = nil, "https://example.org/co.xml"
		}, nil, ebms.CodeMimeProblem},
		{"time to live ended", nil, func(w *world, d *draft) {
			d.header.Timestamp, d.header.TimeToLive = w.now().Add(-2*time.Hour), w.now()
		}, nil, ebms.CodeTimeToLiveExpired},
		{"agreement not begun", func(c *config.Config) { c.Agreements[0].Start = time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC) }, nil, nil, ebms.CodeInconsistent},
		{"agreement ended", func(c *config.Config) { c.Agreements[0].End = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC) }, nil, nil, ebms.CodeInconsistent},
		{"AckRequested against the agreement", askNothing, nil, nil, ebms.CodeInconsistent},
		{"signed acknowledgment against the agreement", func(c *config.Config) { c.Agreements[0].AckSigned = new(false) }, nil, nil, ebms.CodeInconsistent},
		{"DuplicateElimination against the agreement", func(c *config.Config) { c.Agreements[0].DuplicateElimination = new(false) },
			nil, nil, ebms.CodeInconsistent},
		{"form that is not agreed", refuseForm, nil, nil, ebms.CodeValueNotRecognized},
		{"document is no XML", nil, func(_ *world, d *draft) { d.content([]byte("%PDF-1.7")) }, nil, ebms.CodeSecurityFailure},
		{"document is unsigned", nil, func(w *world, d *draft) {
			unsigned, err := ubl.Marshal(sample(w), eco.DefaultForms())
			w.must(err)
			d.content(unsigned)
		}, nil, ebms.CodeSecurityFailure},
		{"document is signed by the node", nil, func(w *world, d *draft) {
			d.content(w.document(sample(w), w.KR.key(w, partners.UseMessageSignature, "")))
		}, nil, ebms.CodeSecurityFailure},
		{"document is signed by another body", nil, func(w *world, d *draft) {
			d.content(w.document(sample(w), w.KR.key(w, partners.UseDocumentSignature, "MOIC")))
		}, nil, ebms.CodeSecurityFailure},
		{"document is signed by another partner's body", nil, func(w *world, d *draft) {
			d.content(w.document(sample(w), w.VN.document))
		}, nil, ebms.CodeSecurityFailure},
		{"document is changed", nil, func(_ *world, d *draft) { d.content(replace("HANBIT", "HANBAT")(octets(d.parts[0].Content))) }, nil, ebms.CodeSecurityFailure},
		{"document is another UBL document", nil, func(w *world, d *draft) { d.content(w.renamed("CertificateOfOrigin", "Invoice")) }, nil, ebms.CodeSecurityFailure},
		{"document lacks what every certificate has", nil, func(w *world, d *draft) { d.content(w.renamed("IssueDate", "IssueDay")) }, nil, ebms.CodeInconsistent},
		{"document has a date that is none", nil, func(w *world, d *draft) { d.content(w.renamed("2026-11-12", "2026-13-12")) }, nil, ebms.CodeOtherXML},
		{"form is unknown", nil, func(w *world, d *draft) {
			d.content(w.renamed(">"+string(eco.FormNonPreferential)+"<", ">FORM-Z<"))
		}, nil, ebms.CodeValueNotRecognized},
		{"issuing body may not issue the form", func(c *config.Config) {
			c.Partners[0].Issuers[0].Forms = []eco.FormCode{"ATIGA-D"}
		}, nil, nil, ebms.CodeSecurityFailure},
		{"issuing body may not issue any more", func(c *config.Config) {
			c.Partners[0].Issuers[0].Until = time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)
		}, nil, nil, ebms.CodeSecurityFailure},
		{"issuing body's credential is withdrawn", func(c *config.Config) {
			c.Partners[0].Issuers[0].Credentials[0].Until = time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)
		}, nil, nil, ebms.CodeSecurityFailure},
		{"certificate breaks its form's rules", nil, func(w *world, d *draft) {
			c := sample(w)
			c.Items[0].GrossWeight.Value = "-1"
			d.content(w.document(c, w.KR.key(w, partners.UseDocumentSignature, "KCCI")))
		}, nil, ebms.CodeInconsistent},
		{"Ping after the agreement ended", func(c *config.Config) { c.Agreements[0].End = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC) }, func(_ *world, d *draft) {
			d.asPing()
		}, nil, ebms.CodeInconsistent},
		{"Ping that was not agreed", func(c *config.Config) { c.Agreements[0].Ping = new(false) }, func(_ *world, d *draft) {
			d.asPing()
		}, nil, ebms.CodeNotSupported},
		{"StatusRequest that was not agreed", func(c *config.Config) { c.Agreements[0].MessageStatus = new(false) }, func(_ *world, d *draft) {
			d.asPing()
			d.header.Action, d.header.StatusRequest = ebms.ActionStatusRequest, &ebms.StatusRequest{RefToMessageID: "x@y"}
		}, nil, ebms.CodeNotSupported},
		{"more parts than agreed", func(c *config.Config) { c.Agreements[0].MaxParts = 2 }, func(_ *world, d *draft) {
			d.parts = append(d.parts, ebms.Part{ContentID: "more", ContentType: "text/plain", Content: ebms.Bytes([]byte("more"))})
			d.header.Manifest = append(d.header.Manifest, ebms.ManifestReference{Href: "cid:more"})
		}, nil, ebms.CodeMimeProblem},
		{"larger than agreed", func(c *config.Config) { c.Agreements[0].MaxBytes = 4096 }, nil, nil, ebms.CodeMimeProblem},
		{"another Role than agreed", nil, func(_ *world, d *draft) { d.header.From.Role = "urn:other" }, nil, ebms.CodeInconsistent},
		{"another Role of ours than agreed", nil, func(_ *world, d *draft) { d.header.To.Role = "urn:other" }, nil, ebms.CodeInconsistent},
		{"AckRequested is missing", nil, func(_ *world, d *draft) { d.header.AckRequested = nil }, nil, ebms.CodeInconsistent},
		{"unsigned acknowledgment asked for", nil, func(_ *world, d *draft) { d.header.AckRequested.Signed = false }, nil, ebms.CodeInconsistent},
		{"DuplicateElimination is missing", nil, func(_ *world, d *draft) { d.header.DuplicateElimination = false }, nil, ebms.CodeInconsistent},
		{"MessageOrder that was not agreed", nil, func(_ *world, d *draft) { d.header.Order = &ebms.MessageOrder{} }, nil, ebms.CodeInconsistent},
		{"MessageOrder is missing", ordered, nil, nil, ebms.CodeInconsistent},
		{"acknowledgment by the next MSH asked for", nil, func(_ *world, d *draft) {
			d.edit = replace("</soap:Header>", hopRequest+"</soap:Header>")
		}, nil, ebms.CodeNotSupported},
	}
}

// renamed is the sample's document with a text replaced before it was signed.
func (w *world) renamed(old, with string) []byte {
	w.Helper()
	unsigned, err := ubl.Marshal(sample(w), eco.DefaultForms())
	w.must(err)
	path := ubl.SignaturePath()
	if old == path[0].Local {
		path[0].Local = with
	}
	changed := bytes.ReplaceAll(unsigned, []byte(old), []byte(with))
	if bytes.Equal(changed, unsigned) {
		w.Fatalf("the document has no %q", old)
	}
	path[0].Space = strings.ReplaceAll(path[0].Space, old, with)
	signed, err := signing.SignDocument(changed, path, w.KR.key(w, partners.UseDocumentSignature, "KCCI"))
	w.must(err)
	return signed
}

func (r refusal) run(t *testing.T) (*world, ebms.Reply) {
	t.Helper()
	w := newWorld(t, setup{tw: r.tw})
	d := w.certificateDraft(sample(t))
	if r.make != nil {
		r.make(w, d)
	}
	request := d.request(w)
	if r.send != nil {
		r.send(w, &request)
	}
	reply := w.TW.receive(w, request)
	kept := w.TW.message(w, exchange.MessageQuery{Direction: exchange.Inbound})
	if kept.State != exchange.StateQuarantined || kept.Reason == nil || kept.Reason.Code != string(r.code) || kept.Reason.Cause == "" {
		t.Errorf("kept as %s %+v, want quarantined %s with its cause", kept.State, kept.Reason, r.code)
	}
	if !bytes.Equal(w.TW.raw(w, kept.Raw), octets(request.Body)) || kept.ContentType != request.ContentType || kept.MessageID != d.header.MessageID {
		t.Error("the message is not kept as it came")
	}
	if got := w.TW.certificates(w); len(got) != 0 {
		t.Errorf("%d certificates were stored", len(got))
	}
	if got := strings.Join(w.TW.events(w), "; "); !strings.Contains(got, "message.quarantined") {
		t.Errorf("audit log %q", got)
	}
	return w, reply
}

// checkErrorList reads an error as its receiver would.
func (r refusal) checkErrorList(t *testing.T, contentType string, body []byte, signed bool) {
	t.Helper()
	pkg, err := ebms.ReadPackage(contentType, ebms.Bytes(body), ebms.Limits{})
	if err != nil {
		t.Fatalf("answer %q: %v", body, err)
	}
	m, err := ebms.Parse(pkg.Envelope)
	if err != nil {
		t.Fatalf("answer %q: %v", body, err)
	}
	if m.Action != ebms.ActionMessageError || m.Errors.Errors[0].Code != r.code || m.Signed != signed {
		t.Errorf("%s %+v signed %v, want %s signed %v", m.Action, m.Errors, m.Signed, r.code, signed)
	}
}

func TestRefusalOfAnUnestablishedSender(t *testing.T) {
	t.Parallel()
	for _, test := range refusedUnestablished() {
		t.Run(test.name, func(t *testing.T) {
			w, reply := test.run(t)
			if reply.Status != 200 {
				t.Fatalf("answered %d, want 200 with an error", reply.Status)
			}
			test.checkErrorList(t, reply.ContentType, reply.Body, false)
			// Posted, it would reach the partner in whose name somebody else sent this.
			if got := w.TW.messages(w, exchange.MessageQuery{Direction: exchange.Outbound}); len(got) != 0 {
				t.Errorf("%d messages were enqueued for a sender that is not established", len(got))
			}
		})
	}
}

func TestRefusalOfTheEstablishedPartner(t *testing.T) {
	t.Parallel()
	for _, test := range refusedEstablished() {
		t.Run(test.name, func(t *testing.T) {
			w, reply := test.run(t)
			if reply.Status != 204 || len(reply.Body) > 0 {
				t.Errorf("answered %d %q, want 204 and a message of its own", reply.Status, reply.Body)
			}
			out := w.TW.message(w, exchange.MessageQuery{Direction: exchange.Outbound})
			if out.Kind != exchange.KindError || out.Partner != "KR" || out.State != exchange.StateQueued {
				t.Errorf("%s to %q %s, want an error queued for KR", out.Kind, out.Partner, out.State)
			}
			test.checkErrorList(t, out.ContentType, w.TW.raw(w, out.Raw), true)
			if in := w.TW.message(w, exchange.MessageQuery{Direction: exchange.Inbound}); in.Reply != out.Seq {
				t.Errorf("the message names record %d as its reply, want %d", in.Reply, out.Seq)
			}
		})
	}
}

// TestHostileMessages walks testdata/hostile/exchange. Each file says in its header, before the header and the body as sent:
//
//	Expect    the ebXML error code under which the message is kept
//	Says      text that the cause holds, so that the right thing was refused
//	Answer    the HTTP status of the answer: 200 has an unsigned error, 400 and 500 a SOAP Fault, 204 nothing
//	Sign ...  see hostileRequest; Expect none is then a Ping that is answered
func TestHostileMessages(t *testing.T) {
	t.Parallel()
	w := newWorld(t, setup{})
	files, err := filepath.Glob("../testdata/hostile/exchange/*.http")
	if err != nil || len(files) == 0 {
		t.Fatalf("no hostile messages: %v", err)
	}
	answered := 0
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".http"), func(t *testing.T) {
			header, body := readHostile(t, file)
			w.TB = t
			request := w.hostileRequest(header, body)
			reply := w.TW.receive(w, request)
			kept := w.TW.messages(w, exchange.MessageQuery{Direction: exchange.Inbound, Limit: 1})[0]
			if header.Get("Expect") == "none" {
				answered++
				if kept.State != exchange.StateAccepted || kept.Kind != exchange.KindPing || kept.Signer == "" {
					t.Errorf("%s %s %+v; want an accepted Ping", kept.State, kept.Kind, kept.Reason)
				}
				return
			}
			if kept.State != exchange.StateQuarantined || kept.Reason.Code != header.Get("Expect") || !strings.Contains(kept.Reason.Cause, header.Get("Says")) {
				t.Errorf("%s %+v; want quarantined %s with %q", kept.State, kept.Reason, header.Get("Expect"), header.Get("Says"))
			}
			if sent := octets(request.Body); len(sent) > 0 && !bytes.Equal(w.TW.raw(w, kept.Raw), sent) {
				t.Error("the message is not kept as it came")
			}
			if header.Get("Sign") == "KR" && header.Get("Answer") == "204" {
				answered++ // it is the partner's, who is told in a message
			}
			if got := strconv.Itoa(reply.Status); got != header.Get("Answer") {
				t.Errorf("answered %s, want %s", got, header.Get("Answer"))
			}
			switch fault := bytes.Contains(reply.Body, []byte("Fault>")); {
			case reply.Status == 200:
				refusal{code: ebms.Code(header.Get("Expect"))}.checkErrorList(t, reply.ContentType, reply.Body, false)
			case fault != (reply.Status >= 400):
				t.Errorf("answered %d with %q", reply.Status, reply.Body)
			}
		})
	}
	w.TB = t
	if got := w.TW.messages(w, exchange.MessageQuery{Direction: exchange.Outbound}); len(got) != answered {
		t.Errorf("%d messages were enqueued, %d are for the partner", len(got), answered)
	}
	if got := w.TW.certificates(w); len(got) != 0 {
		t.Errorf("%d certificates were stored", len(got))
	}
}

// TestHostileEnvelopes walks what package ebms refuses: whatever it is, it is kept, answered and not accepted.
func TestHostileEnvelopes(t *testing.T) {
	t.Parallel()
	w := newWorld(t, setup{})
	files, err := filepath.Glob("../testdata/hostile/ebms/*.http")
	if err != nil || len(files) == 0 {
		t.Skipf("no corpus of package ebms: %v", err)
	}
	for _, file := range files {
		header, body := readHostile(t, file)
		reply := w.TW.receive(w, w.request(header.Get("Content-Type"), body))
		if reply.Status == 503 {
			t.Errorf("%s: answered 503, as if it were to come again", file)
		}
	}
	if got := w.TW.messages(w, exchange.MessageQuery{Direction: exchange.Inbound, State: exchange.StateAccepted}); len(got) != 0 {
		t.Errorf("%d of them were accepted", len(got))
	}
	if got := w.TW.messages(w, exchange.MessageQuery{Direction: exchange.Inbound}); len(got) != len(files) {
		t.Errorf("%d of %d were kept", len(got), len(files))
	}
}

// readHostile reads the header and the body of a file of a corpus.
func readHostile(tb testing.TB, file string) (textproto.MIMEHeader, []byte) {
	tb.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		tb.Fatal(err)
	}
	head, body, _ := bytes.Cut(data, []byte("\r\n\r\n"))
	if i := bytes.Index(data, []byte("\n\n")); i >= 0 && i < len(head) {
		head, body = data[:i], data[i+2:]
	}
	header, err := textproto.NewReader(bufio.NewReader(bytes.NewReader(append(bytes.Clone(head), "\r\n\r\n"...)))).ReadMIMEHeader()
	if err != nil {
		tb.Fatalf("%s: %v", file, err)
	}
	// The corpus of package ebms says of bombs how often a line stands there.
	if number, line, ok := strings.Cut(header.Get("Repeat"), " "); ok {
		n, err := strconv.Atoi(number)
		if err != nil {
			tb.Fatalf("%s: %v", file, err)
		}
		line += "\r\n"
		body = bytes.Replace(body, []byte("\r\n"+line), []byte("\r\n"+strings.Repeat(line, n)), 1)
	}
	return header, body
}
