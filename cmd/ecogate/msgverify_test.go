package main

import (
	"bytes"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/google/go-cmp/cmp"

	"github.com/ecogate/ecogate/ebms"
	"github.com/ecogate/ecogate/exchange"
	"github.com/ecogate/ecogate/internal/pkitest"
	"github.com/ecogate/ecogate/signing"
)

var update = flag.Bool("update", false, "write the signed message of testdata/offline anew, with a new key, and what is reported of it")

const offline = "testdata/offline/"

// offlineRun runs the program on a file and gives what it wrote.
func offlineRun(t *testing.T, stdin io.Reader, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errOut bytes.Buffer
	code = (&cli{in: stdin, out: &out, errOut: &errOut, now: time.Now}).run(t.Context(), append([]string{"msg"}, args...))
	return code, out.String(), errOut.String()
}

func lastLine(text string) string {
	lines := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
	return lines[len(lines)-1]
}

func TestVerifyReportsAsRecorded(t *testing.T) {
	if *update {
		writeOffline(t)
	}
	for _, golden := range []struct {
		name string
		args []string
	}{
		{"verify.txt", []string{"verify", offline + "signed.http", "--credential", offline + "signer.pem"}},
		{"verify.json", []string{"verify", offline + "signed.http", "--credential", offline + "signer.pem", "--json"}},
		{"inspect.txt", []string{"inspect", offline + "signed.http"}},
		{"inspect.json", []string{"inspect", offline + "signed.http", "--json"}},
	} {
		t.Run(golden.name, func(t *testing.T) {
			code, stdout, stderr := offlineRun(t, nil, golden.args...)
			if code != exitOK || stderr != "" {
				t.Fatalf("exit code %d: %s", code, stderr)
			}
			if *update {
				if err := os.WriteFile(offline+golden.name, []byte(stdout), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			if diff := cmp.Diff(string(readFile(t, offline+golden.name)), stdout); diff != "" {
				t.Errorf("report differs (-recorded +now)\n%s", diff)
			}
		})
	}
}

func readFile(tb testing.TB, name string) []byte {
	tb.Helper()
	data, err := os.ReadFile(name)
	if err != nil {
		tb.Fatal(err)
	}
	return data
}

// writeOffline makes a message that uses every line of the report that a valid one can have, the credentials of its signer
// and of somebody else, and its envelope and parts as files of their own.
func writeOffline(t *testing.T) {
	t.Helper()
	pki := pkitest.NewTest(t, pkitest.Options{Country: "VN", Organisation: "General Department of Customs"})
	signer := pki.Must(pki.Issue(pkitest.Request{Name: "node VN", Use: pkitest.MessageSignature}))
	other := pki.Must(pki.Issue(pkitest.Request{Name: "node LA", Use: pkitest.MessageSignature}))
	at := time.Date(2026, 11, 20, 10, 15, 0, 0, time.UTC)
	m := &ebms.Message{
		From:           ebms.Party{IDs: []ebms.PartyID{{Type: "iso3166", Value: "VN"}, {Value: "urn:customs:vn"}}, Role: "exporter"},
		To:             ebms.Party{IDs: []ebms.PartyID{{Type: "iso3166", Value: "TH"}}, Role: "importer"},
		CPAID:          "vn-th-1",
		ConversationID: "conversation-7",
		Service:        ebms.Service{Type: "asw", Value: "certificate of origin"},
		Action:         "Submit",
		MessageID:      "0193f1f0-7a55-7a0b-9c55-0d9d2f4b8a11@vn.example",
		Timestamp:      at, RefToMessageID: "earlier@th.example", TimeToLive: at.Add(4 * time.Hour),
		DuplicateElimination: true,
		Description:          "Form D with a \u202etrap\u202c",
		AckRequested:         &ebms.AckRequested{Signed: true, Actor: ebms.ActorToPartyMSH},
		SyncReply:            true,
		Manifest:             []ebms.ManifestReference{{Href: "cid:certificate@vn.example"}, {Href: "cid:invoice@vn.example"}},
	}
	bare, err := m.Envelope()
	if err != nil {
		t.Fatal(err)
	}
	pkg := &ebms.Package{Envelope: bare, Parts: []ebms.Part{
		{ContentID: "certificate@vn.example", ContentType: "application/xml", Content: ebms.Bytes([]byte("<CO>4711</CO>\n"))},
		{ContentID: "invoice@vn.example", ContentType: "text/plain", Content: ebms.Bytes([]byte("100 USD"))},
	}}
	envelope, _, err := signing.SignMessage(bare, exchange.SignedParts(m.Manifest, pkg), signing.Key{Signer: signer.Key, Chain: signer.Chain})
	if err != nil {
		t.Fatal(err)
	}
	body := "--b0193f1f0\r\nContent-Type: text/xml; charset=UTF-8\r\nContent-ID: <envelope@vn.example>\r\n\r\n" + string(envelope) + "\r\n"
	for _, part := range pkg.Parts {
		content, err := ebms.ReadAll(part.Content, 0)
		if err != nil {
			t.Fatal(err)
		}
		body += "--b0193f1f0\r\nContent-Type: " + part.ContentType + "\r\nContent-ID: <" + part.ContentID + ">\r\n\r\n" + string(content) + "\r\n"
	}
	body += "--b0193f1f0--\r\n"
	head := fmt.Sprintf("POST /ebms HTTP/1.1\r\nHost: th.example\r\nSOAPAction: \"ebXML\"\r\nContent-Length: %d\r\n"+
		"Content-Type: multipart/related; type=\"text/xml\"; boundary=\"b0193f1f0\"\r\n\r\n", len(body))
	for name, data := range map[string][]byte{
		"signed.http": []byte(head + body), "signed.mime": []byte(body), "envelope.xml": envelope, "unsigned.xml": bare,
		"certificate.xml": []byte("<CO>4711</CO>\n"), "invoice.txt": []byte("100 USD"),
		"signer.pem": signer.ChainPEM(), "other.pem": other.ChainPEM(),
	} {
		if err := os.WriteFile(offline+name, data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// The messages of another product are what a node gets in its first days with a partner.
func TestRecordedMessagesOfHermesVerifyWithSHA1Only(t *testing.T) {
	for _, name := range []string{"signed-message.http", "signed-acknowledgment.xml"} {
		t.Run(name, func(t *testing.T) {
			file := sharedFile(t, "vectors/hermes/"+name)
			code, stdout, _ := offlineRun(t, nil, "verify", file)
			if last := lastLine(stdout); code != exitNotValid || !strings.HasPrefix(last, "not valid: ") || !strings.HasSuffix(last, "uses SHA-1") {
				t.Errorf("exit code %d, %s", code, last)
			}
			code, stdout, _ = offlineRun(t, nil, "verify", file, "--allow-sha1")
			if last := lastLine(stdout); code != exitOK || last != "valid under the message's own X.509 certificate; nothing says whose it is (--credential)" {
				t.Errorf("exit code %d, %s", code, last)
			}
			code, stdout, _ = offlineRun(t, nil, "verify", file, "--allow-sha1", "--credential", offline+"other.pem")
			if last := lastLine(stdout); code != exitNotValid || !strings.HasPrefix(last, "not valid: unknown signer") {
				t.Errorf("under another credential: exit code %d, %s", code, last)
			}
			if name == "signed-acknowledgment.xml" && !strings.Contains(stdout, "cid:payload-1 sha1 2ZyoOKYTYxYw0NLtAKBDQI9oZOY=") {
				t.Errorf("the confirmed digests are not shown:\n%s", stdout)
			}
		})
	}
}

const messageFiles = "../../testdata/hostile/messagefiles/*.http"

func TestFilesThatAreNoMessageAreUnreadable(t *testing.T) {
	says := map[string]string{
		"empty":                "there is nothing in it",
		"chunked":              `the body is in Transfer-Encoding "chunked"`,
		"compressed":           `the body is in Content-Encoding "gzip"`,
		"transfer-encoded":     `the body is in Content-Transfer-Encoding "base64"`,
		"content-type-twice":   "2 fields Content-Type",
		"content-type-missing": "0 fields Content-Type",
		"cut-off":              "the body has 4 bytes, Content-Length says 400",
		"length-negative":      `Content-Length "-4" is not a number of bytes`,
		"head-alone":           "nor a head that ends with an empty line",
		"json":                 "nor an HTTP or MIME head",
		"control-characters":   `\x1b]0;title`,
		"line-ends-changed":    "every line of the body ends in LF alone",
		"boundary-empty":       `boundary ""`,
		"not-an-envelope":      "not a SOAP 1.1 Envelope",
		"not-xml":              "malformed",
	}
	files, err := filepath.Glob(messageFiles)
	if err != nil || len(files) != len(says) {
		t.Fatalf("%d files for %d expectations: %v", len(files), len(says), err)
	}
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".http")
		t.Run(name, func(t *testing.T) {
			for _, verb := range []string{"verify", "inspect"} {
				code, stdout, stderr := offlineRun(t, bytes.NewReader(readFile(t, file)), verb, "-")
				if code != exitUnreadable || stdout != "" || !strings.Contains(stderr, says[name]) || says[name] == "" {
					t.Errorf("%s: exit code %d, %q, want %q", verb, code, stderr, says[name])
				}
				if !onlyPrintable(stderr) {
					t.Errorf("%s: %q steers the terminal", verb, stderr)
				}
			}
		})
	}
}

// onlyPrintable tells whether a terminal shows a text as it is.
func onlyPrintable(text string) bool {
	return strings.IndexFunc(text, func(r rune) bool { return r != '\n' && !unicode.IsPrint(r) }) < 0
}

// Payloads are larger than the memory of the machine that looks at them.
func TestPartsAreReadAsTheyPass(t *testing.T) {
	const size = 64 << 20
	large := writeTemp(t, "large", nil)
	if err := os.Truncate(large, size); err != nil {
		t.Fatal(err)
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	code, stdout, stderr := offlineRun(t, nil, "verify", offline+"envelope.xml",
		"--part", "cid:certificate@vn.example="+offline+"certificate.xml", "--part", "cid:invoice@vn.example="+large)
	runtime.ReadMemStats(&after)
	if code != exitNotValid || !strings.Contains(stdout, "cid:invoice@vn.example sha256: differs") {
		t.Errorf("exit code %d: %s%s", code, stdout, stderr)
	}
	if used := after.TotalAlloc - before.TotalAlloc; used > size/8 {
		t.Errorf("%d bytes of memory for a part of %d", used, size)
	}
}

func TestVerifyReadsEveryFormOfAMessage(t *testing.T) {
	body := string(readFile(t, offline+"signed.mime"))
	envelope := string(readFile(t, offline+"envelope.xml"))
	const contentType = `Content-Type: multipart/related; type="text/xml"; boundary="b0193f1f0"`
	length := fmt.Sprintf("Content-Length: %d", len(body))
	for _, test := range []struct{ name, file string }{
		{"request", "POST /ebms HTTP/1.1\r\nHost: th\r\n" + contentType + "\r\n\r\n" + body},
		{"answer", "HTTP/1.1 200 OK\r\n" + contentType + "\r\n\r\n" + body},
		{"head without request line", "SOAPAction: \"ebXML\"\r\n" + contentType + "\r\n\r\n" + body},
		{"LF in the head", "POST /ebms HTTP/1.1\n" + contentType + "\n" + length + "\n\n" + body},
		{"folded head", "Content-Type: multipart/related; type=\"text/xml\";\r\n\tboundary=\"b0193f1f0\"\r\n\r\n" + body},
		{"MIME entity", "MIME-Version: 1.0\r\nContent-Transfer-Encoding: 8bit\r\n" + contentType + "\r\n\r\n" + body},
		{"more than Content-Length", contentType + "\r\n" + length + "\r\n\r\n" + body + "HTTP/1.1 204 No Content\r\n\r\n"},
		{"body alone", body},
		{"envelope alone", envelope},
		{"envelope with a head", "Content-Type: text/xml; charset=UTF-8\r\n\r\n" + envelope},
	} {
		t.Run(test.name, func(t *testing.T) {
			args := []string{"verify", "-", "--credential", offline + "signer.pem"}
			if strings.HasPrefix(test.name, "envelope") {
				args = append(args, "--part", "cid:certificate%40vn.example="+offline+"certificate.xml", "--part", "cid:invoice@vn.example="+offline+"invoice.txt")
			}
			code, stdout, stderr := offlineRun(t, strings.NewReader(test.file), args...)
			if code != exitOK || !strings.HasPrefix(lastLine(stdout), "valid: ") {
				t.Errorf("exit code %d, %s%s", code, stdout, stderr)
			}
		})
	}
}

// A part that is signed and that the Manifest does not list is refused by a node, and here.
func TestVerifyHoldsThePartsToTheManifest(t *testing.T) {
	pki := pkitest.NewTest(t, pkitest.Options{Country: "VN", Organisation: "Customs"})
	signer := pki.Must(pki.Issue(pkitest.Request{Name: "node VN", Use: pkitest.MessageSignature}))
	signed, _, err := signing.SignMessage(readFile(t, offline+"unsigned.xml"), []signing.Part{
		{URI: "cid:certificate@vn.example", Content: ebms.Bytes([]byte("a"))}, {URI: "cid:invoice@vn.example", Content: ebms.Bytes([]byte("b"))},
		{URI: "cid:unlisted", Content: ebms.Bytes([]byte("c"))},
	}, signing.Key{Signer: signer.Key, Chain: signer.Chain})
	if err != nil {
		t.Fatal(err)
	}
	args := []string{"verify", "-"}
	for uri, content := range map[string]string{"cid:certificate@vn.example": "a", "cid:invoice@vn.example": "b", "cid:unlisted": "c"} {
		args = append(args, "--part", uri+"="+writeTemp(t, "part", []byte(content)))
	}
	code, stdout, _ := offlineRun(t, bytes.NewReader(signed), args...)
	if code != exitNotValid || !strings.HasPrefix(lastLine(stdout), "not valid: MimeProblem at //Body/Manifest") {
		t.Errorf("exit code %d: %s", code, stdout)
	}
}

// A SOAP Fault and an empty message of the messaging service are messages too.
func TestInspectSaysWhatAMessageIs(t *testing.T) {
	fault := ebms.Fault{Code: ebms.FaultClient, Text: "no such\u202e thing " + strings.Repeat("x", 400)}
	at := time.Date(2026, 11, 20, 10, 15, 0, 0, time.UTC)
	party := func(id string) ebms.Party { return ebms.Party{IDs: []ebms.PartyID{{Value: id}}} }
	signal := func(action string) []byte {
		m := &ebms.Message{
			From: party("urn:customs:vn"), To: party("urn:customs:th"), CPAID: "vn-th-1", ConversationID: "c", MessageID: "m@vn", Timestamp: at,
			Service: ebms.Service{Value: ebms.MSHService}, Action: action,
		}
		if action == ebms.ActionPong || action == ebms.ActionStatusResponse {
			m.RefToMessageID = "p@th"
		}
		switch action {
		case ebms.ActionStatusRequest:
			m.StatusRequest = &ebms.StatusRequest{RefToMessageID: "p@vn"}
		case ebms.ActionStatusResponse:
			m.StatusResponse = &ebms.StatusResponse{RefToMessageID: "p@vn", Status: ebms.StatusNotRecognized}
		}
		envelope, err := m.Envelope()
		if err != nil {
			t.Fatal(err)
		}
		return envelope
	}
	for _, test := range []struct {
		name     string
		envelope []byte
		want     string
	}{
		{"ping", signal(ebms.ActionPing), "kind          ping\n"},
		{"pong", signal(ebms.ActionPong), "kind          pong\n"},
		{"status request", signal(ebms.ActionStatusRequest), "kind          status request\n"},
		{"status response", signal(ebms.ActionStatusResponse), "kind          status response\n"},
		{"fault", fault.Envelope(), "kind       SOAP fault\nfault      Client: no such\\u202e thing xxx"},
	} {
		t.Run(test.name, func(t *testing.T) {
			code, stdout, stderr := offlineRun(t, bytes.NewReader(test.envelope), "inspect", "-")
			if code != exitOK || !strings.HasPrefix(stdout, test.want) || strings.Contains(stdout, strings.Repeat("x", 301)) {
				t.Errorf("exit code %d, want %q:\n%s%s", code, test.want, stdout, stderr)
			}
			code, stdout, _ = offlineRun(t, bytes.NewReader(test.envelope), "verify", "-")
			if code != exitNotValid || !strings.HasPrefix(lastLine(stdout), "not valid: not signed") {
				t.Errorf("exit code %d: %s", code, stdout)
			}
		})
	}
}

// FuzzMessageFile: whatever a file holds, the commands end with a report that a terminal shows as it is, and call nothing
// valid that has a digest amiss.
func FuzzMessageFile(f *testing.F) {
	for _, pattern := range []string{"../../testdata/messages/*.http", "../../testdata/hostile/ebms/*.http", messageFiles, offline + "*"} {
		files, err := filepath.Glob(pattern)
		if err != nil || len(files) == 0 {
			f.Fatalf("no files %s: %v", pattern, err)
		}
		for _, file := range files {
			f.Add(readFile(f, file))
		}
	}
	given, err := readCandidates("credential", []string{offline + "signer.pem"})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		pkg, err := readMessage(ebms.Bytes(data), nil)
		if err != nil {
			return
		}
		x, err := examine(pkg, signing.Policy{Exceptions: []signing.Exception{{Name: signing.ExceptionSHA1}}})
		if err != nil {
			return
		}
		for _, candidates := range [][]candidate{nil, given} {
			v, err := x.judge(candidates)
			if err != nil {
				t.Fatal(err)
			}
			r, err := x.report()
			if err != nil {
				t.Fatal(err)
			}
			r.Verdict = &v
			checkReport(t, r)
		}
	})
}

func checkReport(t *testing.T, r *messageReport) {
	t.Helper()
	for _, asJSON := range []bool{false, true} {
		var out bytes.Buffer
		c := &cli{out: &out, json: asJSON}
		if err := c.print(r, func(w *columns) { reportFields(w, r) }); err != nil {
			t.Fatal(err)
		}
		if !onlyPrintable(out.String()) {
			t.Fatalf("%q steers the terminal", out.String())
		}
		if last := lastLine(out.String()); !asJSON && strings.HasPrefix(last, "valid") != r.Verdict.Valid {
			t.Fatalf("%+v, but the last line is %q", r.Verdict, last)
		}
	}
	if !r.Verdict.Valid {
		return
	}
	if r.Signer == nil || r.Signature == nil || r.Signature.Refused != "" || len(r.Signature.Uncovered) > 0 || r.Problem != "" {
		t.Fatalf("valid, but %+v", r)
	}
	for _, ref := range r.Signature.References {
		if ref.Finding != string(signing.FindingMatches) {
			t.Fatalf("valid, but %q %s", ref.URI, ref.Finding)
		}
	}
}

func TestInspectShowsWhatEachKindOfMessageSays(t *testing.T) {
	const examples, messages = "../../docs/examples/", "../../testdata/messages/"
	for _, test := range []struct {
		name, file string
		want       []string
	}{
		{"order", messages + "hermes-ordered.http", []string{"number in it  17\n"}},
		{"status request", examples + "status-request.http", []string{"asks about       00000000-0000-4000-8000-000000000004@kr\n"}},
		{"status response", examples + "status-response.http", []string{
			"status of        00000000-0000-4000-8000-000000000004@kr\n", "status           Processed\n", "received         2026-11-22T09:00:01Z\n",
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			code, stdout, stderr := offlineRun(t, nil, "inspect", test.file)
			if code != exitOK {
				t.Fatalf("exit code %d: %s", code, stderr)
			}
			for _, want := range test.want {
				if !strings.Contains(stdout, want) {
					t.Errorf("report lacks %q:\n%s", want, stdout)
				}
			}
		})
	}
}

func TestAnswerWithoutBodyHoldsNoMessage(t *testing.T) {
	code, _, stderr := offlineRun(t, nil, "verify", "../../docs/examples/certificate-response.http")
	if code != exitUnreadable || !strings.Contains(stderr, "there is a head and no message after it") {
		t.Errorf("exit code %d: %s", code, stderr)
	}
}
