package main

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/ecogate/ecogate/internal/pkitest"
	"github.com/ecogate/ecogate/internal/tsatest"
	"github.com/ecogate/ecogate/partners"
	"github.com/ecogate/ecogate/signing"
	"github.com/ecogate/ecogate/ubl"
)

// xmlRun runs a verb of "ecogate xml" and gives what it wrote.
func xmlRun(tb testing.TB, stdin string, args ...string) (code int, stdout, stderr string) {
	tb.Helper()
	var out, errOut bytes.Buffer
	code = (&cli{in: strings.NewReader(stdin), out: &out, errOut: &errOut, now: time.Now}).run(tb.Context(), append([]string{"xml"}, args...))
	return code, out.String(), errOut.String()
}

// differences are where canonicalizers are known to differ from the specification.
var differences = []struct {
	name, doc, options, want string
}{
	{"header of a message: attributes by namespace name", `<eb:MessageHeader xmlns:eb="http://www.oasis-open.org/committees/ebxml-msg/schema/msg-header-2_0.xsd" ` +
		`xmlns:s="http://schemas.xmlsoap.org/soap/envelope/" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" ` +
		`xsi:schemaLocation="l" eb:version="2.0" eb:id="i" s:mustUnderstand="1"/>`, "",
		`<eb:MessageHeader xmlns:eb="http://www.oasis-open.org/committees/ebxml-msg/schema/msg-header-2_0.xsd" ` +
			`xmlns:s="http://schemas.xmlsoap.org/soap/envelope/" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" ` +
			`s:mustUnderstand="1" eb:id="i" eb:version="2.0" xsi:schemaLocation="l"></eb:MessageHeader>`},
	{"namespace names against prefixes and local names", `<a xmlns:b="urn:z" xmlns:c="urn:a" b:aaa="1" c:zzz="2"/>`, "",
		`<a xmlns:b="urn:z" xmlns:c="urn:a" c:zzz="2" b:aaa="1"></a>`},
	{"same local name, declared on an ancestor", `<a xmlns:b="urn:1" xmlns:c="urn:2"><e c:k="c" b:k="b"/></a>`, "",
		`<a xmlns:b="urn:1" xmlns:c="urn:2"><e b:k="b" c:k="c"></e></a>`},
	{"plain attributes named like prefixes", `<a xmlns:b="urn:9" xmlns:c="urn:0"><e b="urn:0" c="urn:9" b:k="b" c:k="c"/></a>`, "",
		`<a xmlns:b="urn:9" xmlns:c="urn:0"><e b="urn:0" c="urn:9" c:k="c" b:k="b"></e></a>`},
	{"default namespace undone at the element", `<a xmlns="urn:a"><b xmlns="" Id="s"/></a>`, "--id s", `<b Id="s"></b>`},
	{"default namespace undone at the element, exclusive", `<a xmlns="urn:a"><b xmlns="" Id="s"/></a>`, "--exclusive --id s", `<b Id="s"></b>`},
	{"default namespace set again", `<a xmlns="urn:a"><b xmlns=""><c xmlns="urn:a" Id="s"/></b></a>`, "--id s", `<c xmlns="urn:a" Id="s"></c>`},
	{"prefix bound anew", `<p:r xmlns:p="urn:1"><p:x xmlns:p="urn:2" Id="s"/></p:r>`, "--id s", `<p:x xmlns:p="urn:2" Id="s"></p:x>`},
	{"namespaces of ancestors", `<r xmlns:p="urn:1" xmlns="urn:d"><p:x xmlns:q="urn:2" Id="s"/></r>`, "--id s",
		`<p:x xmlns="urn:d" xmlns:p="urn:1" xmlns:q="urn:2" Id="s"></p:x>`},
	{"prefix declared on an ancestor, exclusive", `<r xmlns:p="urn:1" xmlns:q="urn:2"><p:x Id="s"/></r>`, "--exclusive --id s",
		`<p:x xmlns:p="urn:1" Id="s"></p:x>`},
	{"default namespace of an ancestor, exclusive", `<a xmlns="urn:a"><d Id="s"/></a>`, "--exclusive --id s", `<d xmlns="urn:a" Id="s"></d>`},
	{"without #default in the list", `<a xmlns="urn:a" xmlns:p="urn:p"><p:d Id="s"/></a>`, "--exclusive --id s", `<p:d xmlns:p="urn:p" Id="s"></p:d>`},
	{"with #default in the list", `<a xmlns="urn:a" xmlns:p="urn:p"><p:d Id="s"/></a>`, "--exclusive --id s --prefix-list #default",
		`<p:d xmlns="urn:a" xmlns:p="urn:p" Id="s"></p:d>`},
	{"with prefixes in the list", `<a xmlns:q="urn:q" xmlns:p="urn:p"><d Id="s"/></a>`, "--exclusive --id s --prefix-list q\tp",
		`<d xmlns:p="urn:p" xmlns:q="urn:q" Id="s"></d>`},
	{"nearest xml:lang", `<a xml:lang="fr"><b xml:lang="en"><c xml:lang="de" Id="s"/></b></a>`, "--id s", `<c Id="s" xml:lang="de"></c>`},
	{"xml: attributes of ancestors", `<a xml:lang="fr" xml:base="http://a.example/"><b xml:space="preserve"><c Id="s"/></b></a>`, "--id s",
		`<c Id="s" xml:base="http://a.example/" xml:lang="fr" xml:space="preserve"></c>`},
	{"xml: attributes of ancestors, exclusive", `<a xml:lang="fr"><c Id="s"/></a>`, "--exclusive --id s", `<c Id="s"></c>`},
	{"xml:id of an ancestor", `<a xml:id="t"><c Id="s"/></a>`, "--id s", `<c Id="s" xml:id="t"></c>`},
	{"xml declared", `<a xmlns:xml="http://www.w3.org/XML/1998/namespace" xml:lang="en"/>`, "", `<a xml:lang="en"></a>`},
	{"literal white space in an attribute value", "<a x=\"\t1\n2\r3\r\n4\"/>", "", `<a x=" 1 2 3 4"></a>`},
	{"instructions and comments outside the root element", "<?one?><!-- c --><a/><?two  b?>\n<!-- d -->", "", "<?one?>\n<a></a>\n<?two b?>"},
	{"line ends in an instruction", "<a><?pi 1\r\n2?></a>", "", "<a><?pi 1\n2?></a>"},
	{"CR as a reference, CDATA, escapes", "\uFEFF<a>&#13;<![CDATA[<&>]]>\U0001F30D</a>", "", "<a>&#xD;&lt;&amp;&gt;\U0001F30D</a>"},
	{"identifier ID", `<a><b ID="s"/></a>`, "--id s", `<b ID="s"></b>`},
	{"identifier id", `<a><b id="s"/></a>`, "--id s", `<b id="s"></b>`},
	{"identifier xml:id", `<a><b xml:id="s"/></a>`, "--id s", `<b xml:id="s"></b>`},
	{"identifier of WS-Security, under any prefix", `<a xmlns:u="http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-utility-1.0.xsd"><b u:Id="s"/></a>`,
		"--exclusive --id s", `<b xmlns:u="http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-utility-1.0.xsd" u:Id="s"></b>`},
	{"one element with two identifiers", `<a><b Id="s" ID="s"/></a>`, "--id s", `<b ID="s" Id="s"></b>`},
}

func TestC14NIsRightWhereOthersAreNot(t *testing.T) {
	for _, test := range differences {
		t.Run(test.name, func(t *testing.T) {
			args := []string{"c14n", "-"}
			if test.options != "" {
				args = append(args, strings.Split(test.options, " ")...)
			}
			code, stdout, stderr := xmlRun(t, test.doc, args...)
			if code != exitOK || stdout != test.want || stderr != "" {
				t.Errorf("exit code %d, %s\n got %s\nwant %s", code, stderr, stdout, test.want)
			}
		})
	}
}

const xmlFiles = "../../testdata/hostile/xml/*.txt"

// refusal is what standard error says of a refused document. The reader's own words come last.
var refusal = regexp.MustCompile(`^standard input:(\d+:\d+: [^:]+): .+\n$`)

func TestRefusalsSayThePlaceAndTheRule(t *testing.T) {
	files, err := filepath.Glob(xmlFiles)
	if err != nil || len(files) == 0 {
		t.Fatalf("no files %s: %v", xmlFiles, err)
	}
	signer := newSigner(t, pkitest.P256)
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			head, doc, _ := strings.Cut(string(readFile(t, file)), "\n\n")
			want := strings.TrimPrefix(head, "refused: ")
			code, stdout, stderr := xmlRun(t, doc, "c14n", "-")
			said := refusal.FindStringSubmatch(stderr)
			if code != exitNotValid || stdout != "" || said == nil || said[1] != want || !strings.Contains(stderr, ": expected ") {
				t.Errorf("c14n: exit code %d, %q, want %s", code, stderr, want)
			}
			if !onlyPrintable(stderr) {
				t.Errorf("%q steers the terminal", stderr)
			}
			code, stdout, stderr = xmlRun(t, doc, "sign", "-", "--key", signer.key, "--chain", signer.x509Cert)
			if said := refusal.FindStringSubmatch(stderr); code != exitNotValid || stdout != "" || said == nil || said[1] != want {
				t.Errorf("sign: exit code %d, %q, want %s", code, stderr, want)
			}
			code, stdout, stderr = xmlRun(t, doc, "verify", "-")
			if code != exitUnreadable || stdout != "" || !strings.HasPrefix(stderr, "ecogate: standard input:"+want+": ") {
				t.Errorf("verify: exit code %d, %q, want %s", code, stderr, want)
			}
		})
	}
}

// signerFiles are the files of a signer: its key, its certificate, and the CAs above it.
type signerFiles struct{ key, x509Cert, issuing, root string }

func newSigner(tb testing.TB, algorithm pkitest.Algorithm) signerFiles {
	tb.Helper()
	pki := pkitest.NewTest(tb, pkitest.Options{Country: "VN", Organisation: "Customs"})
	signer := pki.Must(pki.Issue(pkitest.Request{Name: "VCCI", Use: pkitest.DocumentSignature, Algorithm: algorithm}))
	keyPEM, err := signer.KeyPEM()
	if err != nil {
		tb.Fatal(err)
	}
	dir := tb.TempDir()
	write := func(name string, data []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, data, 0o600); err != nil {
			tb.Fatal(err)
		}
		return path
	}
	x509PEM := func(x509Cert *x509.Certificate) []byte {
		return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: x509Cert.Raw})
	}
	return signerFiles{
		write("key.pem", keyPEM), write("x509.pem", x509PEM(signer.X509Cert)),
		write("issuing.pem", x509PEM(pki.Issuing.X509Cert)), write("root.pem", x509PEM(pki.Root.X509Cert)),
	}
}

// hostileDocuments are the documents of testdata/hostile/signing, without the head of their files.
func hostileDocuments(tb testing.TB) map[string]string {
	tb.Helper()
	files, err := filepath.Glob("../../testdata/hostile/signing/document-*.txt")
	if err != nil || len(files) == 0 {
		tb.Fatalf("no files: %v", err)
	}
	docs := map[string]string{}
	for _, file := range files {
		_, doc, _ := strings.Cut(string(readFile(tb, file)), "\n\n")
		docs[strings.TrimSuffix(filepath.Base(file), ".txt")] = doc
	}
	return docs
}

func TestVerifyJudgesHostileDocuments(t *testing.T) {
	for name, doc := range hostileDocuments(t) {
		t.Run(name, func(t *testing.T) {
			code, stdout, stderr := xmlRun(t, doc, "verify", "-", "--credential", "../../testdata/hostile/signing/credential.pem")
			last := lastLine(stdout)
			if name == "document-valid" {
				if code != exitOK || last != "valid: the document is as the signer signed it" {
					t.Errorf("exit code %d: %s%s", code, stdout, stderr)
				}
				return
			}
			if code != exitNotValid || !strings.HasPrefix(last, "not valid: ") {
				t.Errorf("exit code %d: %s%s", code, stdout, stderr)
			}
		})
	}
}

// ordinary is a document with what a canonicalizer must get right.
const ordinary = `<?xml version="1.0" encoding="UTF-8"?>
<!-- certificate --><?style sheet?>
<CertificateOfOrigin xmlns="urn:co" xmlns:ext="urn:ext" xmlns:b="urn:z" xmlns:c="urn:a" xml:lang="en" b:x="1" c:y="2">
 <ext:Extensions xml:space="preserve"><Information/></ext:Extensions>
 <ID>KE-2026-1 &lt;</ID><Note a="
 b"><![CDATA[<&>]]></Note>
</CertificateOfOrigin>
`

// A reader that gives nothing but an error, as standard input may.
type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

func TestInputThatEndsBadlyIsUnreadable(t *testing.T) {
	for _, verb := range []string{"c14n", "verify"} {
		var out, errOut bytes.Buffer
		code := (&cli{in: broken{}, out: &out, errOut: &errOut, now: time.Now}).run(t.Context(), []string{"xml", verb, "-"})
		if code != exitUnreadable || out.Len() > 0 || !strings.Contains(errOut.String(), "unexpected EOF") {
			t.Errorf("%s: exit code %d: %s%s", verb, code, out.String(), errOut.String())
		}
	}
}

// TestVerifyJudgesTimeStamps has openssl make the time-stamp of a certificate of origin.
func TestVerifyJudgesTimeStamps(t *testing.T) {
	authority, stranger := tsatest.Open(t, time.Time{}), tsatest.Open(t, time.Time{})
	signer := newSigner(t, pkitest.P256)
	key, err := partners.ReadKey(partners.KeyConfig{KeyFile: signer.key, ChainFile: signer.x509Cert})
	if err != nil {
		t.Fatal(err)
	}
	x := signing.XAdES{SigningTime: time.Now(), Authority: signing.HTTPAuthority{URL: authority.URL, Client: http.DefaultClient}}
	unsigned := readFile(t, "../../testdata/certificates/atiga-form-d.xml")
	signed, err := signing.SignXAdES(t.Context(), unsigned, ubl.SignaturePath(), key, x)
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name    string
		anchors []string
		code    int
		want    string
	}{
		{"without anchors", nil, exitOK, "(its authority was not verified)"},
		{"by a known authority", []string{"--timestamp-anchor", stranger.AnchorFile, "--timestamp-anchor", authority.AnchorFile}, exitOK, "time-stamp by "},
		{"by another", []string{"--timestamp-anchor", stranger.AnchorFile}, exitNotValid, "not valid: time-stamp does not verify"},
		{"anchor that is not there", []string{"--timestamp-anchor", "nothing.pem"}, exitUnreadable, "timestamp-anchor: open nothing.pem"},
	} {
		t.Run(test.name, func(t *testing.T) {
			code, stdout, stderr := xmlRun(t, string(signed), append([]string{"verify", "-", "--credential", signer.x509Cert}, test.anchors...)...)
			if code != test.code || !strings.Contains(stdout+stderr, test.want) {
				t.Errorf("exit code %d, want %d with %q:\n%s%s", code, test.code, test.want, stdout, stderr)
			}
		})
	}
}

// TestECDSAInDERIsAllowedByFlag verifies a document that is right but for the form of its value.
func TestECDSAInDERIsAllowedByFlag(t *testing.T) {
	_, doc, _ := strings.Cut(string(readFile(t, "../../testdata/hostile/xsw/downgrade-ecdsa-der-document.txt")), "\n\n")
	for _, test := range []struct {
		flags []string
		code  int
		last  string
	}{
		{nil, exitNotValid, "not valid: "},
		{[]string{"--allow-sha1"}, exitNotValid, "not valid: "},
		{[]string{"--allow-ecdsa-der"}, exitOK, "valid: "},
	} {
		code, stdout, stderr := xmlRun(t, doc, append([]string{"verify", "-", "--credential", "../../testdata/hostile/xsw/credential.pem"}, test.flags...)...)
		if code != test.code || !strings.HasPrefix(lastLine(stdout), test.last) {
			t.Errorf("%v: exit code %d: %s%s", test.flags, code, stdout, stderr)
		}
	}
}

// TestCMSVerifyJudgesHostileAnnouncements: of what is not valid nothing is written and nobody is named.
func TestCMSVerifyJudgesHostileAnnouncements(t *testing.T) {
	const folder = "../../testdata/hostile/cms/"
	files, err := filepath.Glob(folder + "*.pem")
	if err != nil || len(files) == 0 {
		t.Fatalf("no files: %v", err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			content := filepath.Join(t.TempDir(), "content")
			var out, errOut bytes.Buffer
			c := &cli{in: strings.NewReader(""), out: &out, errOut: &errOut, now: time.Now}
			code := c.run(t.Context(), []string{"cms", "verify", file, "--credential", folder + "credential.crt", "--out", content})
			_, missing := os.Stat(content)
			if filepath.Base(file) == "valid.pem" {
				if code != exitOK || missing != nil || !strings.HasPrefix(lastLine(out.String()), "valid: ") {
					t.Errorf("exit code %d, %v: %s%s", code, missing, out.String(), errOut.String())
				}
				return
			}
			if code != exitNotValid || missing == nil || !strings.HasPrefix(out.String(), "not valid: ") {
				t.Errorf("exit code %d, %v: %s%s", code, missing, out.String(), errOut.String())
			}
		})
	}
}
