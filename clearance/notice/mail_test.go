package notice_test

import (
	"flag"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net"
	netmail "net/mail"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ecogate/ecogate/clearance"
	"github.com/ecogate/ecogate/clearance/notice"
	"github.com/ecogate/ecogate/internal/mailtest"
	"github.com/ecogate/ecogate/internal/pkitest"
)

var keepMails = flag.String("keep-mails", "", "folder to leave the mails of the tests in, raw and as HTML, to be looked at")

// opened is a mail taken apart.
type opened struct {
	netmail.Header
	subject, text, html string
}

// open reads a mail with the standard library.
func open(t *testing.T, raw string) opened {
	t.Helper()
	m, err := netmail.ReadMessage(strings.NewReader(raw))
	if err != nil {
		t.Fatalf("mail cannot be read: %v\n%s", err, raw)
	}
	o := opened{Header: m.Header}
	if o.subject, err = new(mime.WordDecoder).DecodeHeader(m.Header.Get("Subject")); err != nil {
		t.Fatal(err)
	}
	mediaType, parameters, err := mime.ParseMediaType(m.Header.Get("Content-Type"))
	if err != nil || mediaType != "multipart/alternative" {
		t.Fatalf("media type %q, %v", mediaType, err)
	}
	for parts := multipart.NewReader(m.Body, parameters["boundary"]); ; {
		part, err := parts.NextRawPart()
		if err == io.EOF {
			return o
		}
		if err != nil {
			t.Fatal(err)
		}
		if part.Header.Get("Content-Transfer-Encoding") != "quoted-printable" {
			t.Errorf("part header %v", part.Header)
		}
		body, err := io.ReadAll(quotedprintable.NewReader(part))
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasPrefix(part.Header.Get("Content-Type"), "text/plain") {
			o.text = string(body)
		} else {
			o.html = string(body)
		}
	}
}

// keep leaves a mail to be looked at.
func keep(t *testing.T, name, raw string) {
	t.Helper()
	if *keepMails == "" {
		return
	}
	for suffix, text := range map[string]string{".eml": raw, ".html": open(t, raw).html} {
		if err := os.WriteFile(filepath.Join(*keepMails, name+suffix), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func TestImporterIsMailedOnArrival(t *testing.T) {
	p := newPost(t, nil)
	for _, c := range []struct {
		name string
		set  func(*notice.MailOptions)
	}{
		{"STARTTLS", nil},
		{"implicit TLS", func(o *notice.MailOptions) { o.Port, o.Security = p.TLSPort, notice.Implicit }},
		{"AUTH PLAIN", func(o *notice.MailOptions) { o.Auth = notice.AuthPlain }},
		{"AUTH LOGIN", func(o *notice.MailOptions) { o.Auth = notice.AuthLogin }},
		{"AUTH SCRAM-SHA-256", func(o *notice.MailOptions) { o.Auth = notice.AuthSCRAM }},
		{"AUTH SCRAM-SHA-1 with implicit TLS", func(o *notice.MailOptions) {
			o.Port, o.Security, o.Auth = p.TLSPort, notice.Implicit, notice.AuthSCRAM1
		}},
		{"AUTH PLAIN with implicit TLS", func(o *notice.MailOptions) {
			o.Port, o.Security, o.Auth = p.TLSPort, notice.Implicit, notice.AuthPlain
		}},
		{"no AUTH", func(o *notice.MailOptions) { o.Auth = notice.AuthNone }},
	} {
		t.Run(c.name, func(t *testing.T) {
			before := len(p.Mails(t))
			w := newWorld(t, nil)
			w.options.Mailer = p.mailer(t, w.clock, c.set)
			w.restart()
			w.tell(importer())
			w.arrives(certificate("K001-26-00001"))
			w.follow()
			w.send()
			if n := w.only(); n.State != notice.Sent || n.Attempts != 1 || n.Problem != "" {
				t.Fatalf("notice %+v", n)
			}
			mails := p.Wait(t, before+1)
			raw := mails[len(mails)-1]
			m := open(t, raw)
			for field, want := range map[string]string{
				"From": `"Customs of Taiwan" <eco@customs.example>`, "To": "<import@importers.example>", "Reply-To": "<desk@customs.example>",
				"Auto-Submitted": "auto-generated", "Date": "Sun, 29 Nov 2026 12:00:00 +0000", "Content-Language": "en",
				"List-Unsubscribe": "<mailto:desk@customs.example?subject=unsubscribe%20formosa>",
				"Message-Id":       "<" + w.only().Mark() + "@customs.example>",
			} {
				if got := m.Get(field); got != want {
					t.Errorf("%s: %q, want %q", field, got, want)
				}
			}
			if m.subject != "Certificate K001-26-00001 has arrived" {
				t.Errorf("subject %q", m.subject)
			}
			for _, want := range []string{"K001-26-00001", "Formosa Tools Ltd.", "Hanbit Precision Co., Ltd", "KCCI", "Customs of Taiwan"} {
				if !strings.Contains(m.text, want) || !strings.Contains(m.html, want) {
					t.Errorf("mail does not say %q:\n%s\n%s", want, m.text, m.html)
				}
			}
			for _, secret := range []string{"98765", "Secret Producer", "INV-SECRET-7"} {
				if strings.Contains(raw+m.text+m.html, secret) {
					t.Errorf("mail says %q", secret)
				}
			}
			keep(t, "arrived", raw)
		})
	}
}

func TestMailInEveryLanguageSaysWhatHappened(t *testing.T) {
	p := newPost(t, nil)
	w := newWorld(t, nil)
	w.options.Mailer = p.mailer(t, w.clock, nil)
	w.restart()
	subjects := map[string]string{"en": "has arrived", "ko": "도착", "vi": "đã đến", "lo": "ມາຮອດແລ້ວ", "zh-TW": "已送達", "zh": "has arrived", "ko-KR": "도착", "fr": "has arrived"}
	var all []notice.Recipient
	for language := range subjects {
		r := importer()
		r.ID, r.Language, r.Address = language, language, language+"@"+mailtest.Domain
		all = append(all, r)
	}
	w.tell(all...)
	w.arrives(certificate("K001-26-00001"))
	w.follow()
	w.send()
	for _, raw := range p.Wait(t, len(all)) {
		m := open(t, raw)
		language, _, _ := strings.Cut(strings.TrimPrefix(m.Get("To"), "<"), "@")
		if !strings.Contains(m.subject, subjects[language]) || !strings.Contains(m.text, subjects[language]) || !strings.Contains(m.html, "K001-26-00001") {
			t.Errorf("%s: %q\n%s", language, m.subject, m.text)
		}
		for _, l := range strings.Split(raw, "\n") {
			if len(l) > 998 {
				t.Errorf("%s: line of %d octets", language, len(l))
			}
		}
		keep(t, "arrived-"+language, raw)
	}
}

// A certificate is written by others: nothing in it makes a field, a part or markup.
func TestMailSaysNothingThatACertificatePutsIn(t *testing.T) {
	p := newPost(t, nil)
	w := newWorld(t, nil)
	w.options.Mailer = p.mailer(t, w.clock, nil)
	w.restart()
	w.tell(importer())
	c := certificate("K1\r\nBcc: evil@importers.example\r\n\r\n<h1>hello</h1>")
	c.Exporter.Name = "<script>alert(1)</script>\r\n--boundary\r\nContent-Type: text/html\r\n\r\n<img src=x onerror=alert(2)>\u202egnp.exe"
	c.Consignee.Name = "{{.Facts}} =?utf-8?q?=0D=0ABcc=3A?= \x00\x1b[2J"
	w.arrives(c)
	w.follow()
	w.send()
	raw := p.Wait(t, 1)[0]
	m := open(t, raw)
	if m.Get("Bcc") != "" || strings.Contains(m.subject, "\n") || !strings.HasPrefix(m.subject, "Certificate K1 Bcc: evil@importers.example <h1>hello</h1>") {
		t.Errorf("subject %q, header %v", m.subject, m.Header)
	}
	if strings.Contains(m.html, "<script") || strings.Contains(m.html, "<img") || strings.Contains(m.html, "<h1>hello") {
		t.Errorf("markup in %s", m.html)
	}
	if strings.ContainsAny(m.text+m.html, "\u202e\x00\x1b") || !strings.Contains(m.text, "{{.Facts}}") {
		t.Errorf("text %q", m.text)
	}
	keep(t, "hostile", raw)
}

func TestMailAboutATestSaysSo(t *testing.T) {
	p := newPost(t, nil)
	w := newWorld(t, nil)
	w.options.Mailer = p.mailer(t, w.clock, nil)
	w.restart()
	w.tell(operator())
	w.happens("kr", "certificate.conflict", clearance.Key{Country: "KR", Form: "ATIGA-D", Reference: "K1", Test: true}.String(), "")
	w.follow()
	w.send()
	if m := open(t, p.Wait(t, 1)[0]); m.subject != "[TEST] Alert: two certificates under one number" || !strings.Contains(m.html, "[TEST]") {
		t.Errorf("subject %q", m.subject)
	}
}

func TestDigestIsOneMailOfEverything(t *testing.T) {
	p := newPost(t, nil)
	w := newWorld(t, func(o *notice.Options) { o.DigestAt = 22 * time.Hour })
	w.options.Mailer = p.mailer(t, w.clock, nil)
	w.restart()
	hourly, daily := importer(), importer()
	hourly.ID, hourly.Digest = "hourly", notice.Hourly
	daily.ID, daily.Digest, daily.Language = "daily", notice.Daily, "zh-TW"
	w.tell(hourly, daily)
	w.pass(10 * time.Minute)
	for i := range 3 {
		w.arrives(certificate(fmt.Sprintf("K001-26-0000%d", i)))
	}
	w.follow()
	w.send()
	w.pass(49 * time.Minute)
	w.send()
	if n := w.notices()[0]; n.Attempts != 0 || n.State != notice.Queued {
		t.Fatalf("a digest did not wait for its hour: %+v", n)
	}
	w.pass(time.Minute)
	w.send()
	if m := open(t, p.Wait(t, 1)[0]); m.subject != "3 notices from Customs of Taiwan" || strings.Count(m.text, "has arrived") != 6 {
		t.Errorf("hourly digest %q\n%s", m.subject, m.text)
	}
	w.pass(8*time.Hour + 59*time.Minute)
	w.send()
	if got := len(p.Mails(t)); got != 1 {
		t.Fatalf("%d mails before the hour of the daily digest", got)
	}
	w.pass(time.Minute)
	w.send()
	raw := p.Wait(t, 2)[1]
	if m := open(t, raw); !strings.Contains(m.subject, "3 則") {
		t.Errorf("daily digest %q", m.subject)
	}
	keep(t, "digest", raw)
	for _, n := range w.notices() {
		if n.State != notice.Sent {
			t.Errorf("notice %+v", n)
		}
	}
}

// failing is one way in which a mail server does not take a mail.
type failing struct {
	name   string
	server func(*pkitest.Test, *mailtest.Options)
	mailer func(*testing.T, *post, *notice.MailOptions)
	decide func(mailtest.Step) string
	stops  bool // the server ends, and so has to be this case's own
	// state and problem are what becomes of the notice. alert: an operator is told at once, since he has to mend something.
	state   notice.State
	problem string
	alert   bool
}

// at answers with an action at one step.
func at(state, action string) func(mailtest.Step) string {
	return func(s mailtest.Step) string {
		if s.State == state {
			return action
		}
		return mailtest.Accept
	}
}

func TestMailThatIsNotTakenWaitsOrFails(t *testing.T) {
	silent := func(t *testing.T, greet string) int {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = l.Close() })
		go func() {
			for {
				conn, err := l.Accept()
				if err != nil {
					return
				}
				_, _ = io.WriteString(conn, greet)
				t.Cleanup(func() { _ = conn.Close() })
			}
		}()
		return l.Addr().(*net.TCPAddr).Port
	}
	var decide atomic.Pointer[func(mailtest.Step) string]
	shared := newPost(t, func(_ *pkitest.Test, o *mailtest.Options) {
		o.Decide = func(s mailtest.Step) string {
			if d := decide.Load(); d != nil && *d != nil {
				return (*d)(s)
			}
			return mailtest.Accept
		}
	})
	for _, c := range []failing{
		{name: "451 at MAIL", decide: at("MAIL", "451 4.3.0 try later"), state: notice.Queued, problem: `451 "4.3.0`},
		{name: "450 at RCPT", decide: at("RCPT", "450 4.2.1 mailbox busy"), state: notice.Queued, problem: `450 "4.2.1`},
		{name: "452 at RCPT", decide: at("RCPT", "452 4.2.2 mailbox full"), state: notice.Queued, problem: `452 "4.2.2`},
		{name: "450 at DATA", decide: at("DATA", "450 4.7.1 not now"), state: notice.Queued, problem: `450 "4.7.1`},
		{name: "451 after the message", decide: at("END-OF-MESSAGE", "451 4.7.1 content not looked at"), state: notice.Queued, problem: `451 "4.7.1`},
		{name: "550 at MAIL", decide: at("MAIL", "550 5.7.1 sender not allowed"), state: notice.Queued, problem: `550 "5.7.1`, alert: true},
		{name: "550 at RCPT", decide: at("RCPT", "550 5.1.1 no such user"), state: notice.Failed, problem: `550 "5.1.1`},
		{name: "554 at DATA", decide: at("DATA", "554 5.7.1 no"), state: notice.Failed, problem: `554 "5.7.1`},
		{name: "554 after the message", decide: at("END-OF-MESSAGE", "554 5.7.1 looks like spam"), state: notice.Failed, problem: `554 "5.7.1`},
		{name: "421 at the connection", decide: at("CONNECT", "421 4.7.0 too many connections"), state: notice.Queued, problem: "421"},
		{name: "554 at the connection", decide: at("CONNECT", "554 5.7.1 not you"), state: notice.Queued, problem: "554", alert: true},
		{name: "421 in the session", decide: at("RCPT", "421 4.3.2 shutting down"), state: notice.Queued, problem: "421"},
		{name: "message too large", server: func(_ *pkitest.Test, o *mailtest.Options) {
			o.Settings = map[string]string{"message_size_limit": "1000", "virtual_mailbox_limit": "1000"}
		}, state: notice.Failed, problem: "552"},
		{name: "no STARTTLS offered", server: func(_ *pkitest.Test, o *mailtest.Options) { o.KeyFile, o.User = "", "" },
			mailer: func(_ *testing.T, _ *post, o *notice.MailOptions) { o.Auth = notice.AuthNone },
			state:  notice.Queued, problem: "does not support STARTTLS", alert: true},
		{name: "wrong CA", mailer: func(t *testing.T, p *post, o *notice.MailOptions) {
			stranger, err := p.pki.Impostor()
			if err != nil {
				t.Fatal(err)
			}
			o.Roots = (&post{pki: &pkitest.Test{PKI: stranger}}).roots()
		}, state: notice.Queued, problem: "signed by unknown authority", alert: true},
		{name: "expired credential", server: func(p *pkitest.Test, o *mailtest.Options) {
			o.KeyFile, o.ChainFile = p.Write(p.Must(p.Expired(pkitest.Request{Name: "mail", Use: pkitest.TLSServer, Hosts: []string{"127.0.0.1"}}, noon)), "expired")
		}, state: notice.Queued, problem: "expired", alert: true},
		{name: "credential for another host", server: func(p *pkitest.Test, o *mailtest.Options) {
			_, o.KeyFile, o.ChainFile = p.IssueFiles("other", pkitest.Request{Name: "other", Use: pkitest.TLSServer, Hosts: []string{"mail.example"}})
		}, state: notice.Queued, problem: "127.0.0.1", alert: true},
		{name: "wrong password", mailer: func(t *testing.T, _ *post, o *notice.MailOptions) {
			if err := os.WriteFile(o.PasswordFile, []byte("another password"), 0o600); err != nil {
				t.Fatal(err)
			}
		}, state: notice.Queued, problem: "535", alert: true},
		{name: "no password file", mailer: func(t *testing.T, _ *post, o *notice.MailOptions) { o.PasswordFile += ".gone" },
			state: notice.Queued, problem: "no such file", alert: true},
		{name: "AUTH not offered", server: func(_ *pkitest.Test, o *mailtest.Options) { o.User = "" }, state: notice.Queued, problem: "does not support SMTP AUTH", alert: true},
		{name: "no mechanism in common", server: func(_ *pkitest.Test, o *mailtest.Options) { o.Mechanisms = "login" },
			mailer: func(_ *testing.T, _ *post, o *notice.MailOptions) { o.Auth = notice.AuthSCRAM },
			state:  notice.Queued, problem: "SCRAM-SHA-256", alert: true},
		{name: "plain text where TLS was agreed", mailer: func(_ *testing.T, _ *post, o *notice.MailOptions) { o.Security = notice.Implicit },
			state: notice.Queued, problem: "tls:", alert: true},
		{name: "connection refused", stops: true, mailer: func(_ *testing.T, p *post, _ *notice.MailOptions) { p.Stop() }, state: notice.Queued, problem: "connection refused"},
		{name: "server says nothing", mailer: func(t *testing.T, _ *post, o *notice.MailOptions) {
			o.Port, o.Timeout = silent(t, ""), 300*time.Millisecond
		}, state: notice.Queued, problem: "i/o timeout"},
		{name: "server hangs after its greeting", mailer: func(t *testing.T, _ *post, o *notice.MailOptions) {
			o.Port, o.Timeout = silent(t, "220 mail.example ESMTP\r\n"), 300*time.Millisecond
		}, state: notice.Queued, problem: "i/o timeout"},
		{name: "no name server knows it", mailer: func(_ *testing.T, _ *post, o *notice.MailOptions) { o.Host = "mail.invalid" }, state: notice.Queued, problem: "mail.invalid"},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := shared
			decide.Store(&c.decide)
			if c.server != nil || c.stops {
				p = newPost(t, func(pki *pkitest.Test, o *mailtest.Options) {
					if c.server != nil {
						c.server(pki, o)
					}
				})
			}
			w := newWorld(t, nil)
			w.options.Mailer = p.mailer(t, w.clock, func(o *notice.MailOptions) {
				if c.mailer != nil {
					c.mailer(t, p, o)
				}
			})
			w.restart()
			w.tell(importer())
			w.arrives(certificate("K001-26-00001"))
			w.follow()
			w.send()
			n := w.only()
			if n.State != c.state || n.Attempts != 1 || !strings.Contains(n.Problem, c.problem) {
				t.Errorf("notice %s after %d attempts: %s; want %s, %q", n.State, n.Attempts, n.Problem, c.state, c.problem)
			}
			if strings.Contains(n.Problem, mailPassword) {
				t.Errorf("problem tells the password: %s", n.Problem)
			}
			if n.State == notice.Queued && !n.Next.Equal(noon.Add(notice.DefaultRetryFirst)) {
				t.Errorf("next attempt at %s", n.Next)
			}
			if told, detail := w.audited(notice.EntryChannelFailing); told != map[bool]int{true: 1}[c.alert] {
				t.Errorf("an operator is told %d times: %s", told, detail)
			}
			if len(p.Mails(t)) != 0 {
				t.Error("a mail was delivered")
			}
		})
	}
}

// What a server did not take for a while is taken later, once.
func TestMailIsTakenAfterGreylistingAndAfterTheServerDied(t *testing.T) {
	var mu sync.Mutex
	seen := 0
	var die func()
	p := newPost(t, func(_ *pkitest.Test, o *mailtest.Options) {
		o.Decide = func(s mailtest.Step) string {
			mu.Lock()
			defer mu.Unlock()
			if s.State == "RCPT" {
				if seen++; seen == 1 {
					return "450 4.2.0 greylisted"
				}
			}
			if s.State == "DATA" && die != nil {
				kill := die
				die = nil
				go kill()
				time.Sleep(2 * time.Second) // the server is gone before this is answered
			}
			return mailtest.Accept
		}
	})
	w := newWorld(t, nil)
	w.options.Mailer = p.mailer(t, w.clock, nil)
	w.restart()
	w.tell(importer())
	w.arrives(certificate("K001-26-00001"))
	w.follow()
	w.send()
	w.send() // not yet due
	if n := w.only(); n.State != notice.Queued || n.Attempts != 1 {
		t.Fatalf("notice %+v", n)
	}
	w.pass(notice.DefaultRetryFirst)
	w.send()
	if n := w.only(); n.State != notice.Sent || n.Attempts != 2 {
		t.Fatalf("notice %+v", n)
	}
	p.Wait(t, 1)

	mu.Lock()
	die = p.Stop
	mu.Unlock()
	w.arrives(certificate("K001-26-00002"))
	w.follow()
	w.send()
	list := w.notices()
	if n := list[1]; n.State != notice.Queued || n.Attempts != 1 || n.Problem == "" {
		t.Fatalf("notice of a server that died %+v", n)
	}
}

// Waits double up to the longest one; after GiveUp the notice fails, and the address does not.
func TestMailIsGivenUpAfterItsTime(t *testing.T) {
	p := newPost(t, nil)
	w := newWorld(t, func(o *notice.Options) { o.GiveUp = 24 * time.Hour })
	w.options.Mailer = p.mailer(t, w.clock, nil)
	p.Stop()
	w.restart()
	w.tell(importer())
	w.arrives(certificate("K001-26-00001"))
	w.follow()
	var waits []time.Duration
	for w.notices()[0].State == notice.Queued {
		w.send()
		if n := w.notices()[0]; n.State == notice.Queued {
			waits = append(waits, n.Next.Sub(w.clock()))
			w.pass(n.Next.Sub(w.clock()))
		}
	}
	if n := w.notices()[0]; n.State != notice.Failed || !strings.Contains(n.Problem, "connection refused") {
		t.Errorf("notice %+v", n)
	}
	want := []time.Duration{1, 2, 4, 8, 16, 32, 60, 60}
	for i := range want {
		if waits[i] != want[i]*time.Minute {
			t.Errorf("waits %v", waits)
			break
		}
	}
	if told, detail := w.audited(notice.EntryChannelFailing); told != 1 || !strings.Contains(detail, "mail: ") {
		t.Errorf("an operator is told %d times that the server is away: %s", told, detail)
	}
	if failed, _ := w.audited(notice.EntryAddressFailed); failed != 0 {
		t.Error("the address counts as failed")
	}
}

func TestAddressThatIsRefusedFails(t *testing.T) {
	gone := true
	var mu sync.Mutex
	p := newPost(t, func(_ *pkitest.Test, o *mailtest.Options) {
		o.Decide = func(s mailtest.Step) string {
			mu.Lock()
			defer mu.Unlock()
			if s.State == "RCPT" && strings.HasPrefix(s.Recipient, "import@") && gone {
				return "550 5.1.1 no such user"
			}
			return mailtest.Accept
		}
	})
	w := newWorld(t, nil)
	w.options.Mailer = p.mailer(t, w.clock, nil)
	w.restart()
	w.tell(importer(), operator())
	for i := range 5 {
		w.arrives(certificate(fmt.Sprintf("K001-26-%05d", i)))
		w.follow()
		w.send()
	}
	if failed, detail := w.audited(notice.EntryAddressFailed); failed != 1 || !strings.Contains(detail, "refused 3 times in a row") {
		t.Fatalf("told %d times: %s", failed, detail)
	}
	w.follow()
	w.send()
	if m := open(t, p.Wait(t, 1)[0]); m.Get("To") != "<ops@importers.example>" || !strings.Contains(m.text, "no such user") {
		t.Errorf("an operator gets %q: %s", m.Get("To"), m.text)
	}
	var ofImporter []notice.Notice
	for _, n := range w.notices() {
		if n.Recipient == "formosa" {
			ofImporter = append(ofImporter, n)
		}
	}
	if len(ofImporter) != 3 {
		t.Fatalf("%d notices for an address that has failed: %v", len(ofImporter), w.brief())
	}
	// An operator has one of them tried again, and with it the address.
	mu.Lock()
	gone = false
	mu.Unlock()
	if _, err := w.service.Retry(t.Context(), "operations", ofImporter[0].ID); err != nil {
		t.Fatal(err)
	}
	w.send()
	w.arrives(certificate("K001-26-00009"))
	w.follow()
	w.send()
	if mails := p.Wait(t, 3); !strings.Contains(open(t, mails[2]).subject, "K001-26-00009") {
		t.Errorf("notices after the address was mended: %v", w.brief())
	}
}

func TestAddressOfAnotherNameIsNew(t *testing.T) {
	p := newPost(t, func(_ *pkitest.Test, o *mailtest.Options) {
		o.Decide = func(s mailtest.Step) string {
			if s.State == "RCPT" && strings.HasPrefix(s.Recipient, "import@") {
				return "550 5.1.1 no such user"
			}
			return mailtest.Accept
		}
	})
	w := newWorld(t, func(o *notice.Options) { o.Refusals = 1 })
	w.options.Mailer = p.mailer(t, w.clock, nil)
	w.restart()
	w.tell(importer())
	w.arrives(certificate("K001-26-00001"))
	w.follow()
	w.send()
	moved := importer()
	moved.Address = "trade@" + mailtest.Domain
	w.tell(moved)
	w.arrives(certificate("K001-26-00002"))
	w.follow()
	w.send()
	if m := open(t, p.Wait(t, 1)[0]); !strings.Contains(m.subject, "K001-26-00002") {
		t.Errorf("mail %q", m.subject)
	}
}

func TestTestMailSaysWhatTheServerMadeOfIt(t *testing.T) {
	p := newPost(t, func(_ *pkitest.Test, o *mailtest.Options) { o.Decide = at("RCPT", mailtest.Accept) })
	w := newWorld(t, nil)
	w.options.Mailer = p.mailer(t, w.clock, nil)
	w.restart()
	if err := w.service.Test(t.Context(), "operations", "desk@"+mailtest.Domain, "ko"); err != nil {
		t.Fatal(err)
	}
	if m := open(t, p.Wait(t, 1)[0]); m.subject != "알림 시험" {
		t.Errorf("subject %q", m.subject)
	}
	for address, want := range map[string]string{"desk": "not one such as", "desk@elsewhere.example": "Relay access denied"} {
		if err := w.service.Test(t.Context(), "operations", address, ""); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", address, err)
		}
	}
	if told, detail := w.audited(notice.EntryTested); told != 2 {
		t.Errorf("audited %d times: %s", told, detail)
	}
}

func TestMailerRefusesWhatCannotWork(t *testing.T) {
	ok := notice.MailOptions{Host: "mail.example", Port: 587, From: "eco@customs.example", Now: time.Now}
	if _, err := notice.NewMailer(ok); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, want string
		set        func(*notice.MailOptions)
	}{
		{"no host", "required", func(o *notice.MailOptions) { o.Host = "" }},
		{"no port", "required", func(o *notice.MailOptions) { o.Port = 0 }},
		{"password in the clear", "in the clear", func(o *notice.MailOptions) { o.Security, o.Auth = notice.Plain, notice.AuthPlain }},
		{"unknown auth", "not one of", func(o *notice.MailOptions) { o.Auth = "cram-md5" }},
		{"sender that is none", "is not an address", func(o *notice.MailOptions) { o.From = "eco" }},
		{"sender with a line break", "is not an address", func(o *notice.MailOptions) { o.From = "A\r\nBcc: b@c.example <eco@customs.example>" }},
	} {
		o := ok
		c.set(&o)
		if _, err := notice.NewMailer(o); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}
