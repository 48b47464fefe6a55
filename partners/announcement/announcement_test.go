package announcement_test

import (
	"bufio"
	"bytes"
	"crypto/x509"
	"errors"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/ecogate/ecogate/internal/pkitest"
	"github.com/ecogate/ecogate/partners"
	"github.com/ecogate/ecogate/partners/announcement"
	"github.com/ecogate/ecogate/signing"
)

var (
	now  = time.Date(2026, time.June, 1, 10, 0, 0, 0, time.UTC)
	from = now.AddDate(0, 0, 14)
)

var twIDs = []partners.PartyID{{Type: "country", Value: "TW"}, {Value: "urn:customs:tw"}}

// keyOf makes a key of the PKI.
func keyOf(tb testing.TB, pki *pkitest.Test, name string, use pkitest.Use) signing.Key {
	tb.Helper()
	c := pki.Must(pki.Issue(pkitest.Request{Name: name, Use: use, Key: must(pkitest.GenerateKey(pkitest.P256)), NotBefore: now.AddDate(0, -1, 0), NotAfter: now.AddDate(2, 0, 0)}))
	return signing.Key{Signer: c.Key, Chain: c.Chain}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func successors(tb testing.TB) []partners.Successor {
	pki := pkitest.NewTest(tb, pkitest.Options{Country: "TW", Organisation: "Customs"})
	message, body := keyOf(tb, pki, "message", pkitest.MessageSignature), keyOf(tb, pki, "body", pkitest.DocumentSignature)
	return []partners.Successor{
		{Key: message, Uses: []partners.Use{partners.UseMessageSignature, partners.UseTLSClient}, From: from, OldUntil: from.AddDate(0, 0, 14)},
		{Key: body, Uses: []partners.Use{partners.UseDocumentSignature}, Body: "CHAMBER & CO", From: from},
	}
}

func TestAnnouncementIsReadAsItWasWritten(t *testing.T) {
	written, document, err := announcement.Of(partners.Self{ID: "tw", PartyIDs: twIDs}, successors(t), now)
	if err != nil {
		t.Fatal(err)
	}
	read, err := announcement.Read(document, signing.Policy{})
	if err != nil {
		t.Fatalf("%v\n%s", err, document)
	}
	if !reflect.DeepEqual(read, written) {
		t.Errorf("read\n%+v\nwritten\n%+v", read, written)
	}
	if !read.IsOf(twIDs) || read.IsOf(twIDs[:1]) || read.Number != uint64(now.Unix()) {
		t.Errorf("of %v, number %d", read.Party, read.Number)
	}
	validate(t, document)
}

func TestAnswerIsReadAsItWasWritten(t *testing.T) {
	written := announcement.Answer{Number: 7, Outcomes: []announcement.Outcome{
		{SHA256: strings.Repeat("0a", 32), Use: partners.UseMessageSignature, Result: announcement.ResultStaged, Verified: 12, Failed: 1},
		{SHA256: strings.Repeat("ff", 32), Use: partners.UseDocumentSignature, Body: "BODY", Result: announcement.ResultRefused, Told: "a < b"},
	}}
	read, err := announcement.ReadAnswer(written.Marshal())
	if err != nil || !reflect.DeepEqual(read, written) {
		t.Errorf("read %+v, %v, written %+v", read, err, written)
	}
	if !read.Accepts(written.Outcomes[0].SHA256, partners.UseMessageSignature) || read.Accepts(written.Outcomes[1].SHA256, partners.UseDocumentSignature) {
		t.Error("it accepts what it refuses, or the other way round")
	}
	validate(t, written.Marshal())
}

func TestNothingIsAnnouncedWithoutSuccessor(t *testing.T) {
	if _, _, err := announcement.Of(partners.Self{PartyIDs: twIDs}, nil, now); !errors.Is(err, announcement.ErrNothing) {
		t.Errorf("error %v", err)
	}
}

// validate asks xmllint about a document.
func validate(t *testing.T, document []byte) {
	t.Helper()
	xmllint, err := exec.LookPath("xmllint")
	if err != nil {
		t.Log("xmllint is not installed")
		return
	}
	file := filepath.Join(t.TempDir(), "document.xml")
	if err := os.WriteFile(file, document, 0o600); err != nil {
		t.Fatal(err)
	}
	schema := filepath.Join("..", "..", "docs", "schema", "credentials-1.xsd")
	if out, err := exec.Command(xmllint, "--nonet", "--noout", "--schema", schema, file).CombinedOutput(); err != nil {
		t.Errorf("xmllint: %v\n%s", err, out)
	}
}

var update = flag.Bool("update", false, "make the hostile files anew")

var hostile = filepath.Join("..", "..", "testdata", "hostile", "announcements")

// TestHostileAnnouncementsAreRefused reads each file: a head of "key: value" lines, an empty line, the document.
func TestHostileAnnouncementsAreRefused(t *testing.T) {
	if *update {
		writeHostile(t)
	}
	files, err := filepath.Glob(filepath.Join(hostile, "*.txt"))
	if err != nil || len(files) == 0 {
		t.Fatal("no files", err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			head, document := readHostile(t, file)
			read := func() error { _, err := announcement.Read(document, signing.Policy{}); return err }
			if head["read-as"] == "answer" {
				read = func() error { _, err := announcement.ReadAnswer(document); return err }
			}
			err := read()
			want := map[string]error{"ErrDocument": announcement.ErrDocument, "ErrProof": announcement.ErrProof, "": nil}[head["expect"]]
			if !errors.Is(err, want) || want != nil && !strings.Contains(err.Error(), head["text"]) {
				t.Errorf("error %v, want %s with %q", err, head["expect"], head["text"])
			}
		})
	}
}

func readHostile(tb testing.TB, file string) (map[string]string, []byte) {
	tb.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		tb.Fatal(err)
	}
	top, document, _ := bytes.Cut(data, []byte("\n\n"))
	head := map[string]string{}
	for lines := bufio.NewScanner(bytes.NewReader(top)); lines.Scan(); {
		key, value, _ := strings.Cut(lines.Text(), ": ")
		head[key] = value
	}
	return head, document
}

// writeHostile makes the files. Keys are made anew each time.
func writeHostile(t *testing.T) {
	list := successors(t)
	_, document, err := announcement.Of(partners.Self{PartyIDs: twIDs}, list, now)
	if err != nil {
		t.Fatal(err)
	}
	valid := string(document)
	stranger := keyOf(t, pkitest.NewTest(t, pkitest.Options{Country: "XX", Organisation: "Nobody"}), "stranger", pkitest.MessageSignature)
	a, err := announcement.Read(document, signing.Policy{})
	if err != nil {
		t.Fatal(err)
	}
	foreign, err := a.Sign([]signing.Key{list[0].Key, stranger})
	if err != nil {
		t.Fatal(err)
	}
	both := a
	both.Credentials = append(both.Credentials[:0:0], both.Credentials...)
	both.Credentials[0].Chain = []*x509.Certificate{stranger.Chain[0]}
	swapped, err := both.Sign([]signing.Key{list[1].Key, stranger})
	if err != nil {
		t.Fatal(err)
	}
	root := strings.Index(valid, "<CredentialAnnouncement ")
	signatures := valid[strings.Index(valid, "<ds:Signature "):strings.Index(valid, "</CredentialAnnouncement>")]
	answer := string(announcement.Answer{Number: 1, Outcomes: []announcement.Outcome{{SHA256: strings.Repeat("0a", 32), Use: partners.UseMessageSignature, Result: announcement.ResultStaged}}}.Marshal())
	for _, c := range []struct{ name, expect, text, document string }{
		{"valid", "", "", valid},
		{"valid-without-proof", "", "", strings.Replace(valid, signatures, "", 1)},
		{"proof-by-a-stranger", "ErrProof", "none of the 2 candidates", string(foreign)},
		{"proof-of-another-credential", "ErrProof", "", strings.Replace(string(swapped), between(string(swapped), "<X509Certificate>", "</X509Certificate>"), between(valid, "<X509Certificate>", "</X509Certificate>"), 1)},
		{"proof-moved", "ErrDocument", "Signature is not expected", strings.Replace(strings.Replace(valid, signatures, "", 1), "<Party>", "<Party>"+signatures, 1)},
		{"number-changed", "ErrProof", "not what was signed", strings.Replace(valid, "<Number>", "<Number>9", 1)},
		{"party-changed", "ErrProof", "not what was signed", strings.Replace(valid, "urn:customs:tw", "urn:customs:my", 1)},
		{"date-changed", "ErrProof", "not what was signed", strings.Replace(valid, "<ActiveFrom>2026", "<ActiveFrom>2025", 1)},
		{"number-zero", "ErrDocument", "number 0", strings.Replace(valid, between(valid, "<Number>", "</Number>"), "0", 1)},
		{"number-negative", "ErrDocument", `Number "-1"`, strings.Replace(valid, between(valid, "<Number>", "</Number>"), "-1", 1)},
		{"number-twice", "ErrDocument", "Number stands where Issued is expected", strings.Replace(valid, "<Issued>", "<Number>1</Number><Issued>", 1)},
		{"party-none", "ErrDocument", "no party", valid[:strings.Index(valid, "<PartyId")] + valid[strings.Index(valid, "</Party>"):]},
		{"use-unknown", "ErrDocument", `"time-stamp" is not a use`, strings.Replace(valid, "message-signature", "time-stamp", 1)},
		{"use-twice", "ErrDocument", "stands there twice", strings.Replace(valid, "tls-client", "message-signature", 1)},
		{"body-with-another-use", "ErrDocument", "an issuing body goes with document-signature", strings.Replace(valid, "document-signature", "tls-server", 1)},
		{"credential-none", "ErrDocument", "0 credentials", valid[:strings.Index(valid, "<Credential>")] + valid[strings.LastIndex(valid, "</Credential>")+len("</Credential>"):]},
		{"credential-not-base64", "ErrDocument", "not base64", strings.Replace(valid, "<X509Certificate>", "<X509Certificate>?", 1)},
		{"credential-not-x509", "ErrDocument", "X509Certificate 1:", strings.Replace(valid, between(valid, "<X509Certificate>", "</X509Certificate>"), "AAAA", 1)},
		{"credentials-many", "ErrDocument", "more than 16 credentials", repeated(valid, "<Credential>", "</Credential>", 17)},
		{"chain-long", "ErrDocument", "more than 8 X.509 certificates", repeated(valid, "<X509Certificate>", "</X509Certificate>", 9)},
		{"instant-without-zone", "ErrDocument", "is not an instant", strings.Replace(valid, "00:00Z</ActiveFrom>", "00:00</ActiveFrom>", 1)},
		{"old-retires-before", "ErrDocument", "before this one is active", strings.Replace(valid, "<OldRetires>2026", "<OldRetires>2025", 1)},
		{"element-unknown", "ErrDocument", "Trust is not expected", strings.Replace(valid, "</OldRetires>", "</OldRetires><Trust>all</Trust>", 1)},
		{"element-of-another-namespace", "ErrDocument", "Number stands where Number is expected", strings.Replace(valid, "<Number>", `<Number xmlns="urn:other">`, 1)},
		{"attribute-unknown", "ErrDocument", "an attribute of Credential", strings.Replace(valid, "<Credential>", `<Credential trusted="true">`, 1)},
		{"version-other", "ErrDocument", `version "2"`, strings.Replace(valid, `version="1">`, `version="2">`, 1)},
		{"root-other", "ErrDocument", "the root element is", answer},
		{"document-type", "ErrDocument", "", valid[:root] + "<!DOCTYPE CredentialAnnouncement>" + valid[root:]},
		{"comment-splits-number", "ErrProof", "not what was signed", strings.Replace(valid, "<Number>", "<Number>1<!-- -->", 1)},
		{"deep", "ErrDocument", "deep", strings.Replace(valid, "<Party>", "<Party>"+strings.Repeat("<a>", 20)+strings.Repeat("</a>", 20), 1)},
		{"empty", "ErrDocument", "", ""},
		{"answer-result-unknown", "ErrDocument", `"active" is not a result`, strings.Replace(answer, "staged", "active", 1)},
		{"answer-digest-short", "ErrDocument", "64 lower-case", strings.Replace(answer, "0a0a", "0a", 1)},
		{"answer-count-negative", "ErrDocument", `Failed "-1"`, strings.Replace(answer, "<Failed>0", "<Failed>-1", 1)},
	} {
		head := "expect: " + c.expect + "\ntext: " + c.text + "\n"
		if strings.HasPrefix(c.name, "answer-") {
			head = "read-as: answer\n" + head
		}
		if err := os.WriteFile(filepath.Join(hostile, c.name+".txt"), []byte(head+"\n"+c.document), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func between(text, begin, end string) string {
	_, rest, _ := strings.Cut(text, begin)
	inner, _, _ := strings.Cut(rest, end)
	return inner
}

// repeated has the first element of a name n times.
func repeated(text, begin, end string, n int) string {
	one := begin + between(text, begin, end) + end
	return strings.Replace(text, one, strings.Repeat(one, n), 1)
}

// FuzzRead looks for panics, for errors of another kind, and for an announcement that cannot be written again.
func FuzzRead(f *testing.F) {
	files, err := filepath.Glob(filepath.Join(hostile, "*.txt"))
	if err != nil || len(files) == 0 {
		f.Fatal("no files", err)
	}
	for _, file := range files {
		_, document := readHostile(f, file)
		f.Add(document)
	}
	f.Fuzz(func(t *testing.T, document []byte) {
		a, err := announcement.Read(document, signing.Policy{})
		if err != nil && !errors.Is(err, announcement.ErrDocument) && !errors.Is(err, announcement.ErrProof) {
			t.Fatalf("error of another kind: %v", err)
		}
		if err == nil {
			again, err := a.Sign(nil)
			if err != nil {
				t.Fatalf("written again: %v", err)
			}
			b, err := announcement.Read(again, signing.Policy{})
			if err != nil || !reflect.DeepEqual(a.Summary(), b.Summary()) {
				t.Fatalf("%v, read %+v, before %+v", err, b.Summary(), a.Summary())
			}
		}
		answer, err := announcement.ReadAnswer(document)
		if err != nil && !errors.Is(err, announcement.ErrDocument) {
			t.Fatalf("error of another kind: %v", err)
		}
		if err == nil {
			if _, err := announcement.ReadAnswer(answer.Marshal()); err != nil {
				t.Fatalf("written again: %v\n%s", err, answer.Marshal())
			}
		}
	})
}
