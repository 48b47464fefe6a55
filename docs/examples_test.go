package docs_test

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/ecogate/ecogate/ebms"
	"github.com/ecogate/ecogate/eco"
	"github.com/ecogate/ecogate/eco/ecotest"
	"github.com/ecogate/ecogate/exchange"
	"github.com/ecogate/ecogate/internal/config"
	"github.com/ecogate/ecogate/partners"
	"github.com/ecogate/ecogate/store/bolt"
)

var update = flag.Bool("update", false, "write the messages of docs/examples anew, and what ebms-profile.md quotes of them")

// The messages in docs/examples are what two nodes of this program say to each other under the agreement of
// config.example.yaml, with the keys in testdata, a clock that stands still between two posts, and identifiers that count.
func TestExamplesAreWhatTheProgramSends(t *testing.T) {
	said := conversations(t)
	page := read(t, "ebms-profile.md")
	for _, name := range slices.Sorted(maps.Keys(said)) {
		file := filepath.Join("examples", name+".http")
		if *update {
			if err := os.WriteFile(file, said[name], 0o644); err != nil {
				t.Fatal(err)
			}
			page = quote(t, page, name, said[name])
		}
		if want, err := os.ReadFile(file); err != nil || !bytes.Equal(want, said[name]) {
			t.Errorf("%s is not what the program sends (%v); -update writes it anew:\n%s", file, err, said[name])
		}
		if page != quote(t, page, name, said[name]) {
			t.Errorf("ebms-profile.md quotes %s wrongly; -update mends it", file)
		}
	}
	if *update {
		if err := os.WriteFile("ebms-profile.md", []byte(page), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for _, file := range exampleFiles(t) {
		if name := strings.TrimSuffix(filepath.Base(file), ".http"); said[name] == nil {
			t.Errorf("nothing makes %s", file)
		}
		if !strings.Contains(page, "]("+file+")") {
			t.Errorf("ebms-profile.md does not name %s", file)
		}
	}
	for _, m := range regexp.MustCompile(`<!-- begin examples/(.*?)\.http`).FindAllStringSubmatch(page, -1) {
		if said[m[1]] == nil {
			t.Errorf("ebms-profile.md quotes an example %s, which there is not", m[1])
		}
	}
}

// conversations gives the HTTP requests and responses of two nodes by name.
func conversations(t *testing.T) map[string][]byte {
	t.Helper()
	counted := &counter{}
	uuid.SetRand(counted)
	t.Cleanup(func() { uuid.SetRand(nil) })

	said := map[string][]byte{}
	c := ecotest.Load(t, "nonpreferential-kcci")
	w := newExchange(t, partners.SyncReplyNone)
	sent := w.send(c)
	if ping, err := w.kr.Ping(t.Context(), "operator", "tw", ""); err != nil || ping.Signer == "" {
		t.Fatalf("ping %+v: %v", ping, err)
	}
	if status, err := w.kr.AskStatus(t.Context(), "operator", "tw", sent.MessageID); err != nil || status.Status != string(ebms.StatusProcessed) {
		t.Fatalf("status %+v: %v", status, err)
	}
	if sent.State != exchange.StateDelivered {
		t.Fatalf("the certificate is %s: %+v", sent.State, sent.Reason)
	}
	w.delay = 3 * time.Hour
	c.Reference = "001-26-0912346"
	if late := w.send(c); late.State != exchange.StateFailed || late.Reason.Code != string(ebms.CodeTimeToLiveExpired) {
		t.Fatalf("the late certificate is %s: %+v", late.State, late.Reason)
	}
	maps.Copy(said, w.said)

	w = newExchange(t, partners.SyncReplyBoth)
	if sent := w.send(ecotest.Load(t, "nonpreferential-kcci")); sent.State != exchange.StateDelivered {
		t.Fatalf("the certificate is %s: %+v", sent.State, sent.Reason)
	}
	for name, message := range w.said {
		said["sync-"+name] = message
	}
	for name, message := range businessMessages(t) {
		if _, there := said[name]; !there {
			said[name] = message
		}
	}
	return said
}

// businessMessages gives one of each that two nodes send about a certificate which is there.
func businessMessages(t *testing.T) map[string][]byte {
	t.Helper()
	w := newExchange(t, partners.SyncReplyNone)
	ctx, c := t.Context(), ecotest.Load(t, "nonpreferential-kcci")
	q := exchange.CertificateQuery{Reference: c.Reference}
	submit := func() {
		_, err := w.kr.Submit(ctx, "issuer", "tw", c)
		w.must(err)
		w.carry()
	}
	submit()
	_, err := w.kr.Resend(ctx, "issuer", q)
	w.must(err)
	w.carry()
	asking, stop := context.WithCancel(ctx)
	w.queued = stop // nobody carries the question while it is waited for
	_, err = w.kr.AskCertificate(asking, "issuer", "tw", eco.CertificateID{IssuingCountry: c.IssuingCountry, Form: c.Form, Reference: c.Reference})
	if !errors.Is(err, exchange.ErrNoAnswer) {
		t.Fatal(err)
	}
	w.carry()
	_, err = w.tw.RequestVerification(ctx, "officer", q, exchange.Doubt{
		Ground: eco.VerifyForDoubt, Reasons: []eco.Reason{{Code: eco.ReasonSignature, Text: "Signature differs from earlier ones"}},
		Questions: []eco.Question{{Text: "Who signed box 12?"}},
	})
	w.must(err)
	w.carry()
	_, err = w.kr.ReplyVerification(ctx, "issuer", q, exchange.Clarification{
		Result: eco.VerifiedConfirmed, Replies: []eco.QuestionReply{{Question: 1, Text: "Our new officer"}},
	})
	w.must(err)
	w.carry()
	_, err = w.tw.Respond(ctx, "officer", q, exchange.Decision{Declaration: "CX/26/541/A0012", Items: []eco.ItemOutcome{
		{Item: 1, Status: eco.CustomsUsedUp}, {Item: 2, Status: eco.CustomsUsedInPart, Quantity: &eco.Measure{Value: "100", Unit: "C62"}},
	}})
	w.must(err)
	w.carry()
	c.Reference = "001-26-0912350"
	submit()
	_, err = w.kr.Cancel(ctx, "issuer", exchange.CertificateQuery{Reference: c.Reference}, "EXPORT DID NOT TAKE PLACE")
	w.must(err)
	w.carry()
	for store, want := range map[*bolt.Store]exchange.CertificateState{w.krStore: exchange.CertificateCancelled, w.twStore: exchange.CertificateCancelled} {
		found, err := store.Certificates(ctx, exchange.CertificateQuery{})
		w.must(err)
		if len(found) != 2 || found[0].State != want || found[1].State != exchange.CertificateUsedInPart {
			t.Fatalf("%d certificates, %s and %s", len(found), found[0].State, found[len(found)-1].State)
		}
	}
	return w.said
}

// carry delivers what either node has queued, until nothing new is queued.
func (w *twoNodes) carry() {
	w.Helper()
	for again := true; again; {
		again = false
		for _, way := range []struct {
			to   string
			from *bolt.Store
		}{{"tw", w.krStore}, {"kr", w.twStore}} {
			to, from := way.to, way.from
			queued, err := from.Messages(w.Context(), exchange.MessageQuery{Direction: exchange.Outbound, State: exchange.StateQueued})
			w.must(err)
			for _, m := range slices.Backward(queued) {
				if w.carried[m.MessageID] {
					continue
				}
				w.carried[m.MessageID], again = true, true
				raw, err := from.Raw(w.Context(), m.Raw)
				w.must(err)
				_, err = w.deliver(w.Context(), to, ebms.Outgoing{URL: m.Endpoint, ContentType: m.ContentType, SOAPAction: m.SOAPAction, Body: raw})
				w.must(err)
			}
		}
	}
}

// counter is a source of identifiers that count: 00000000-0000-4000-8000-000000000001 and so on.
type counter struct {
	mu sync.Mutex
	n  uint64
}

func (c *counter) Read(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.n++
	clear(p)
	binary.BigEndian.PutUint64(p[len(p)-8:], c.n)
	return len(p), nil
}

// twoNodes are Korea's node of config.example.yaml and Taiwan's, which is its partner.
type twoNodes struct {
	testing.TB
	kr, tw   *exchange.Node
	krStore  *bolt.Store
	twStore  *bolt.Store
	servers  map[string]*recorder // by the partner's id
	said     map[string][]byte
	ended    func() // stops kr's deliveries when one has ended
	queued   func() // called when kr has queued a message
	delay    time.Duration
	answered map[uint64]bool // messages of tw that were posted
	carried  map[string]bool // messages of either that carry has posted

	mu sync.Mutex
	at time.Time
}

func newExchange(t *testing.T, syncReply string) *twoNodes {
	t.Helper()
	w := &twoNodes{TB: t, at: ecotest.Now(), said: map[string][]byte{}, servers: map[string]*recorder{}, answered: map[uint64]bool{}, carried: map[string]bool{}, ended: func() {}, queued: func() {}}
	kr := exampleConfig(t, syncReply)
	w.kr, w.krStore = w.node(kr)
	w.tw, w.twStore = w.node(mirror(kr))
	w.servers["kr"], w.servers["tw"] = w.serve(w.kr), w.serve(w.tw)
	return w
}

// exampleConfig is config.example.yaml with the keys of testdata.
func exampleConfig(t *testing.T, syncReply string) partners.Config {
	t.Helper()
	loaded, err := config.Load("../config.example.yaml", nil)
	if err != nil {
		t.Fatal(err)
	}
	c := loaded.Registry()
	c.Node.Keys = []partners.KeyConfig{testKey("kr-message", partners.UseMessageSignature)}
	c.Node.Issuers[0].Keys = []partners.KeyConfig{testKey("kr-kcci")}
	c.Node.Issuers[0].XAdES, c.Node.Issuers[0].TimeStamp = partners.XAdESNone, partners.TimeStampConfig{} // no authority answers here
	tw := &c.Partners[0]
	tw.TimeStampAnchorFiles, tw.TimeStampAnchors = nil, nil
	tw.Anchors, tw.Intermediates = nil, nil
	tw.Policies, tw.PermittedNames, tw.Revocation = nil, nil, partners.RevocationConfig{}
	tw.AnchorFiles, tw.IntermediateFiles, tw.Issuers = []string{"testdata/tw-message.pem"}, nil, nil
	tw.Credentials = []partners.CredentialConfig{{Uses: []partners.Use{partners.UseMessageSignature}, File: "testdata/tw-message.pem"}}
	c.Agreements[0].SyncReply = syncReply
	return c
}

func testKey(name string, uses ...partners.Use) partners.KeyConfig {
	return partners.KeyConfig{Uses: uses, KeyFile: "testdata/" + name + ".key", ChainFile: "testdata/" + name + ".pem"}
}

// mirror is the other side of the same agreement.
func mirror(kr partners.Config) partners.Config {
	tw := kr.Partners[0]
	agreement := kr.Agreements[0]
	agreement.Partner = kr.Node.ID
	agreement.OwnRole, agreement.PartnerRole = agreement.PartnerRole, agreement.OwnRole
	agreement.Endpoint = strings.Replace(agreement.Endpoint, ".tw.", ".kr.", 1)
	agreement.AckEndpoint, agreement.ErrorEndpoint = "", "" // a node of this program has one address for everything
	body := kr.Node.Issuers[0]
	return partners.Config{
		Node: partners.NodeConfig{
			ID: tw.ID, Name: tw.Name, Country: tw.Country, PartyIDs: tw.PartyIDs, Role: tw.Role,
			Keys: []partners.KeyConfig{testKey("tw-message", partners.UseMessageSignature)},
		},
		Partners: []partners.PartnerConfig{{
			ID: kr.Node.ID, Name: kr.Node.Name, Country: kr.Node.Country, PartyIDs: kr.Node.PartyIDs, Role: kr.Node.Role,
			AnchorFiles: []string{"testdata/kr-message.pem", "testdata/kr-kcci.pem"},
			Credentials: []partners.CredentialConfig{{Uses: []partners.Use{partners.UseMessageSignature}, File: "testdata/kr-message.pem"}},
			Issuers: []partners.IssuerConfig{{
				ID: body.ID, Name: body.Name, Forms: body.Forms, Credentials: []partners.CredentialConfig{{File: "testdata/kr-kcci.pem"}},
			}},
		}},
		Agreements: []partners.AgreementConfig{agreement},
	}
}

func (w *twoNodes) node(c partners.Config) (*exchange.Node, *bolt.Store) {
	w.Helper()
	registry, err := partners.New(c)
	w.must(err)
	store, err := bolt.Open(filepath.Join(w.TempDir(), "store"), bolt.Options{Now: w.now})
	w.must(err)
	w.Cleanup(func() { w.must(store.Close()) })
	node, err := exchange.New(exchange.Options{
		Store: store, Keeper: store, Registry: registry, Post: w, Now: w.now, Observe: w.observe,
		Workers: 1, // another one would find the lease of an attempt over when its delay has passed
	})
	w.must(err)
	return node, store
}

func (w *twoNodes) must(err error) {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
}

func (w *twoNodes) now() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.at
}

func (w *twoNodes) observe(e exchange.Event) {
	if e.Partner == "tw" && e.Step == "queued" {
		w.queued()
	}
	if e.Partner == "tw" && (e.Step == "receipted" || e.Step == "failed") {
		w.ended()
	}
}

// send submits a certificate, delivers it, and gives the record of its message.
func (w *twoNodes) send(c eco.Certificate) exchange.Message {
	w.Helper()
	ctx, stop := context.WithTimeout(w.Context(), time.Minute)
	defer stop()
	w.ended = stop
	submission, err := w.kr.Submit(ctx, "issuer", "tw", c)
	w.must(err)
	w.must(w.kr.Run(ctx))
	found, err := w.krStore.Messages(w.Context(), exchange.MessageQuery{MessageID: submission.Message.MessageID, Direction: exchange.Outbound})
	w.must(err)
	if len(found) != 1 {
		w.Fatalf("%d messages %s", len(found), submission.Message.MessageID)
	}
	return found[0]
}

// Post implements exchange.Poster for Korea's node: it takes the message to Taiwan's, and what that has to say back.
func (w *twoNodes) Post(ctx context.Context, _ string, out ebms.Outgoing) (ebms.Response, error) {
	ctx = context.WithoutCancel(ctx) // the acknowledgment that ends Run is on its way in here
	response, err := w.deliver(ctx, "tw", out)
	if err != nil {
		return response, err
	}
	answers, err := w.twStore.Messages(ctx, exchange.MessageQuery{Direction: exchange.Outbound, State: exchange.StateQueued})
	if err != nil {
		return response, err
	}
	for _, m := range slices.Backward(answers) {
		if w.answered[m.Seq] {
			continue
		}
		w.answered[m.Seq] = true
		raw, err := w.twStore.Raw(ctx, m.Raw)
		if err != nil {
			return response, err
		}
		if _, err := w.deliver(ctx, "kr", ebms.Outgoing{URL: m.Endpoint, ContentType: m.ContentType, SOAPAction: m.SOAPAction, Body: raw}); err != nil {
			return response, err
		}
	}
	return response, nil
}

// deliver posts a message to a node over HTTP, and notes both directions under the message's name.
func (w *twoNodes) deliver(ctx context.Context, to string, out ebms.Outgoing) (ebms.Response, error) {
	w.mu.Lock()
	w.at = w.at.Add(time.Second + w.delay)
	w.mu.Unlock()
	server := w.servers[to]
	agreed, err := url.Parse(out.URL)
	if err != nil {
		return ebms.Response{}, err
	}
	local := *agreed
	local.Scheme, local.Host = "http", server.address
	out.URL = local.String()
	client := ebms.NewClient(ebms.ClientOptions{})
	defer client.CloseIdleConnections()
	response, err := client.Post(ctx, out)
	if err != nil {
		return response, err
	}
	request, answer := server.take()
	name := exampleName(w, out)
	if _, there := w.said[name]; !there {
		w.said[name] = bytes.Replace(request, []byte("Host: "+server.address), []byte("Host: "+agreed.Host), 1)
		if len(response.Body) == 0 && name != "certificate" {
			return response, nil // one empty answer is like the other
		}
		w.said[name+"-response"] = httpDate.ReplaceAll(answer, []byte("Date: "+w.now().Format(http.TimeFormat)))
	}
	return response, nil
}

// httpDate is the one thing in a response that the clock of the tests does not make.
var httpDate = regexp.MustCompile(`Date: [^\r]*`)

// exampleName names a message by its Action.
func exampleName(tb testing.TB, out ebms.Outgoing) string {
	tb.Helper()
	pkg, err := ebms.ReadPackage(out.ContentType, out.Body, ebms.Limits{})
	if err != nil {
		tb.Fatal(err)
	}
	defer pkg.Close()
	header, err := ebms.Parse(pkg.Envelope)
	if err != nil {
		tb.Fatal(err)
	}
	names := map[string]string{
		"SubmitCertificateOfOrigin": "certificate", ebms.ActionAcknowledgment: "acknowledgment", ebms.ActionMessageError: "error",
		partners.DefaultResendAction: "retransmission", partners.DefaultCancelAction: "cancellation", partners.DefaultResponseAction: "customs-response",
		partners.DefaultStatusRequestAction: "certificate-status-request", partners.DefaultStatusReportAction: "certificate-status-report",
		partners.DefaultVerificationRequestAction: "verification-request", partners.DefaultVerificationReplyAction: "verification-reply",
		ebms.ActionPing: "ping", ebms.ActionPong: "pong", ebms.ActionStatusRequest: "status-request", ebms.ActionStatusResponse: "status-response",
	}
	return cmp.Or(names[header.Action], header.Action)
}

// recorder is a server that remembers the octets of the connections to it.
type recorder struct {
	net.Listener
	address string

	mu      sync.Mutex
	in, out bytes.Buffer
}

func (w *twoNodes) serve(n *exchange.Node) *recorder {
	w.Helper()
	inner, err := net.Listen("tcp", "127.0.0.1:0")
	w.must(err)
	r := &recorder{Listener: inner, address: inner.Addr().String()}
	server := &http.Server{Handler: ebms.Handler(ebms.HandlerOptions{Receive: n.Receive, Now: w.now})}
	go func() { _ = server.Serve(r) }() // ends with Close
	w.Cleanup(func() { _ = server.Close() })
	return r
}

func (r *recorder) Accept() (net.Conn, error) {
	c, err := r.Listener.Accept()
	return &recordedConn{c, r}, err
}

// take gives what went in and out since the last call.
func (r *recorder) take() (in, out []byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	in, out = bytes.Clone(r.in.Bytes()), bytes.Clone(r.out.Bytes())
	r.in.Reset()
	r.out.Reset()
	return in, out
}

type recordedConn struct {
	net.Conn
	recorder *recorder
}

func (c *recordedConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.recorder.mu.Lock()
	defer c.recorder.mu.Unlock()
	c.recorder.in.Write(p[:n])
	return n, err
}

func (c *recordedConn) Write(p []byte) (int, error) {
	c.recorder.mu.Lock()
	c.recorder.out.Write(p)
	c.recorder.mu.Unlock()
	return c.Conn.Write(p)
}

func exampleFiles(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob("examples/*.http")
	if err != nil || len(files) == 0 {
		t.Fatalf("no examples: %v", err)
	}
	return files
}

// readExample takes an example apart; nil if it has no body.
func readExample(t *testing.T, data []byte) *ebms.Package {
	t.Helper()
	head, body, found := bytes.Cut(data, []byte("\r\n\r\n"))
	if !found {
		t.Fatal("no empty line after the header")
	}
	var contentType string
	for line := range strings.SplitSeq(string(head), "\r\n") {
		if value, ok := strings.CutPrefix(line, "Content-Type: "); ok {
			contentType = value
		}
	}
	if len(body) == 0 {
		return nil
	}
	pkg, err := ebms.ReadPackage(contentType, ebms.Bytes(body), ebms.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	return pkg
}

// Whoever reads an example with the tools of HTTP reads the same octets.
func TestExamplesAreHTTP(t *testing.T) {
	for _, file := range exampleFiles(t) {
		data := []byte(read(t, file))
		reader := bufio.NewReader(bytes.NewReader(data))
		var body io.Reader
		if bytes.HasPrefix(data, []byte("HTTP/")) {
			response, err := http.ReadResponse(reader, nil)
			if err != nil {
				t.Fatalf("%s: %v", file, err)
			}
			body = response.Body
		} else {
			request, err := http.ReadRequest(reader)
			if err != nil {
				t.Fatalf("%s: %v", file, err)
			}
			body = request.Body
		}
		_, want, _ := bytes.Cut(data, []byte("\r\n\r\n"))
		if got, err := io.ReadAll(body); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s: the header tells of %d bytes, %d are there (%v)", file, len(got), len(want), err)
		}
	}
}

func TestExamplesFollowTheSchemaOfTheStandard(t *testing.T) {
	xmllint := tool(t, "xmllint")
	schema := "../../shared/ebms/xsd/msg-header-2_0.xsd"
	if _, err := os.Stat(schema); err != nil {
		t.Skipf("the schema is not here: %v", err)
	}
	for _, file := range exampleFiles(t) {
		pkg := readExample(t, []byte(read(t, file)))
		if pkg == nil {
			continue
		}
		if out, err := exec.Command(xmllint, "--noout", "--nonet", "--schema", soapAndHeader(t, filepath.Dir(schema)), save(t, "envelope.xml", pkg.Envelope)).CombinedOutput(); err != nil {
			t.Errorf("%s: %v\n%s", file, err, out)
		}
	}
}

// soapAndHeader is a schema that knows SOAP's elements and those of ebMS, so that both are checked.
func soapAndHeader(t *testing.T, dir string) string {
	t.Helper()
	dir, err := filepath.Abs(dir)
	if err != nil {
		t.Fatal(err)
	}
	return save(t, "both.xsd", fmt.Appendf(nil, `<schema xmlns="http://www.w3.org/2001/XMLSchema">
<import namespace="http://schemas.xmlsoap.org/soap/envelope/" schemaLocation="%s/envelope.xsd"/>
<import namespace="http://www.oasis-open.org/committees/ebxml-msg/schema/msg-header-2_0.xsd" schemaLocation="%[1]s/msg-header-2_0.xsd"/>
</schema>`, dir))
}

func TestXmlsecVerifiesTheSignaturesOfTheExamples(t *testing.T) {
	xmlsec := tool(t, "xmlsec1")
	for _, file := range exampleFiles(t) {
		pkg := readExample(t, []byte(read(t, file)))
		if pkg == nil {
			continue
		}
		arguments := []string{"--verify", "--enabled-key-data", "x509", "--verification-time", "2026-11-22 09:00:00"}
		for _, credential := range []string{"kr-message", "tw-message"} {
			arguments = append(arguments, "--trusted-pem", "testdata/"+credential+".pem")
		}
		for _, part := range pkg.Parts {
			octets, err := ebms.ReadAll(part.Content, 0)
			if err != nil {
				t.Fatal(err)
			}
			arguments = append(arguments, "--url-map:"+ebms.CIDToHref(part.ContentID), save(t, "part", octets))
		}
		if out, err := exec.Command(xmlsec, append(arguments, save(t, "envelope.xml", pkg.Envelope))...).CombinedOutput(); err != nil {
			t.Errorf("%s: %v\n%s", file, err, out)
		}
	}
}

func tool(t *testing.T, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		t.Skipf("%s is not installed", name)
	}
	return path
}

func save(t *testing.T, name string, data []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// quoted finds what ebms-profile.md quotes of an example; a second group says that the signature is left out.
const quoted = `(?s)(<!-- begin examples/%s\.http( without ds:Signature)? -->\n).*?(<!-- end -->)`

// quote puts what is readable of an example between its markers in page, if it has some.
func quote(t *testing.T, page, name string, message []byte) string {
	t.Helper()
	at := regexp.MustCompile(fmt.Sprintf(quoted, regexp.QuoteMeta(name)))
	return at.ReplaceAllStringFunc(page, func(found string) string {
		m := at.FindStringSubmatch(found)
		text := readable(t, message)
		if m[2] != "" {
			text = signatureBlock.ReplaceAllString(text, "\n    [ds:Signature]")
		}
		return m[1] + "```http\n" + text + "```\n" + m[3]
	})
}

var signatureBlock = regexp.MustCompile(`(?s)\n    <ds:Signature .*?</ds:Signature>`)

// readable is a message for people: the header as it is, envelopes indented, other payloads by their size, long base64 cut.
func readable(t *testing.T, message []byte) string {
	t.Helper()
	head, body, _ := strings.Cut(string(message), "\r\n\r\n")
	text := strings.ReplaceAll(head, "\r\n", "\n") + "\n"
	boundary := regexp.MustCompile(`boundary="([^"]*)"`).FindStringSubmatch(head)
	switch {
	case body == "":
		return text
	case boundary == nil:
		return text + "\n" + indented(body)
	}
	parts := strings.Split(body, "--"+boundary[1])
	for i, part := range parts[1 : len(parts)-1] {
		partHead, content, _ := strings.Cut(strings.TrimPrefix(part, "\r\n"), "\r\n\r\n")
		content = strings.TrimSuffix(content, "\r\n")
		text += "\n--" + boundary[1] + "\n" + strings.ReplaceAll(partHead, "\r\n", "\n") + "\n\n"
		if i == 0 {
			text += indented(content)
		} else {
			text += fmt.Sprintf("[%d bytes]\n", len(content))
		}
	}
	return text + "--" + boundary[1] + "--\n"
}

var (
	xmlToken   = regexp.MustCompile(`<[^>]*>|[^<]+`)
	longBase64 = regexp.MustCompile(`^[A-Za-z0-9+/=]{61,}$`)
)

// indented is XML with an element a line.
func indented(xml string) string {
	var out strings.Builder
	depth := 0
	inline := false // the line has an opened element and perhaps its text
	for _, token := range xmlToken.FindAllString(xml, -1) {
		closing := strings.HasPrefix(token, "</")
		if closing {
			depth--
		}
		switch {
		case strings.TrimSpace(token) == "":
			continue
		case !strings.HasPrefix(token, "<"):
			if longBase64.MatchString(token) {
				token = token[:24] + "[...]" + token[len(token)-8:]
			}
			out.WriteString(token)
			continue
		case closing && inline:
		case out.Len() > 0:
			out.WriteString("\n" + strings.Repeat("  ", depth))
		}
		out.WriteString(token)
		inline = !closing && !strings.HasSuffix(token, "/>") && !strings.HasPrefix(token, "<?")
		if inline {
			depth++
		}
	}
	return out.String() + "\n"
}
