package main

import (
	"bytes"
	"crypto/x509"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/ecogate/ecogate/ebms"
	"github.com/ecogate/ecogate/exchange"
	"github.com/ecogate/ecogate/internal/pair"
	"github.com/ecogate/ecogate/partners"
	"github.com/ecogate/ecogate/signing"
)

// What this gateway puts on the wire is judged here by programs that know nothing of it: mime/multipart, xmlsec1, xmllint.

// interop is what a demonstration left behind, and a MessageError.
type interop struct {
	pair.Pair
	kr, tw records
}

// demonstrated runs the demonstration, and then sends TW a message that KR signed and that lacks its certificate.
func demonstrated(t *testing.T) *interop {
	t.Helper()
	dir := t.TempDir()
	launch(t, installedProgram(t), nil, "demo", "--once", "--dir", dir).exits(exitOK)
	two, err := pair.Make(dir, pair.Options{}) // gives what is there
	if err != nil {
		t.Fatal(err)
	}
	i := &interop{Pair: two, kr: readRecords(t, two.KR)}
	tw := &site{t: t, program: installedProgram(t), Side: two.TW}
	tw.start()
	m := i.kr.certificateMessages()[0]
	contentType, empty := withoutCertificate(t, two.KR, i.kr.entity(t, m).envelope)
	client := overTLS(t, two.TW, filepath.Join(two.KR.Dir, "pki/tls-client.pem"), filepath.Join(two.KR.Dir, "pki/tls-client.key"))
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, tw.PartnerURL, bytes.NewReader(empty))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", contentType)
	req.Header.Set("SOAPAction", m.SOAPAction)
	res, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if res.StatusCode/100 != 2 {
		t.Fatalf("POST of a message without certificate answers %s", res.Status)
	}
	tw.stop()
	i.tw = readRecords(t, two.TW)
	return i
}

// emptyMessage is the MessageId of the message without certificate.
const emptyMessage = "without-certificate@kr"

// withoutCertificate is a message like the one in envelope without a payload, under the side's signature.
func withoutCertificate(t *testing.T, side pair.Side, envelope []byte) (contentType string, body []byte) {
	t.Helper()
	message, err := ebms.Parse(envelope)
	if err != nil {
		t.Fatal(err)
	}
	message.MessageID, message.Manifest = emptyMessage, nil
	bare, err := message.Envelope()
	if err != nil {
		t.Fatal(err)
	}
	pki := filepath.Join(side.Dir, "pki")
	key, err := partners.ReadKey(partners.KeyConfig{KeyFile: filepath.Join(pki, "node.key"), ChainFile: filepath.Join(pki, "node.pem")})
	if err != nil {
		t.Fatal(err)
	}
	signed, _, err := signing.SignMessage(bare, nil, key)
	if err != nil {
		t.Fatal(err)
	}
	return "text/xml; charset=UTF-8", signed
}

// certificateMessages are the messages with certificates that the node sent.
func (r records) certificateMessages() []exchange.Message {
	return slices.DeleteFunc(slices.Clone(r.messages), func(m exchange.Message) bool {
		return m.Direction != exchange.Outbound || m.Kind != exchange.KindCertificate
	})
}

// tool is the path of a program; the test skips without it.
func tool(t *testing.T, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		t.Skipf("%s is not installed", name)
	}
	return path
}

// sharedFile is the path of a file of the reference material beside the repository; the test skips without it.
func sharedFile(t *testing.T, name string) string {
	t.Helper()
	path := filepath.Join("../../../shared", name)
	if _, err := os.Stat(path); err != nil {
		t.Skipf("../shared/%s is absent", name)
	}
	return path
}

func writeTemp(t *testing.T, name string, data []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// entity is an HTTP entity taken apart by the standard library.
type entity struct {
	envelope []byte
	payloads map[string][]byte // by "cid:" URI
}

func split(t *testing.T, contentType string, body []byte) entity {
	t.Helper()
	mediaType, params, err := mime.ParseMediaType(contentType)
	if err != nil {
		t.Fatal(err)
	}
	if mediaType == "text/xml" {
		return entity{envelope: body}
	}
	if mediaType != "multipart/related" || params["type"] != "text/xml" {
		t.Fatalf("media type %q", contentType)
	}
	e := entity{payloads: make(map[string][]byte)}
	parts := multipart.NewReader(bytes.NewReader(body), params["boundary"])
	for {
		part, err := parts.NextRawPart()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		content, err := io.ReadAll(part)
		if err != nil {
			t.Fatal(err)
		}
		id := part.Header.Get("Content-ID")
		if e.envelope == nil {
			if id != params["start"] {
				t.Errorf("the first part is %q, the root is %q", id, params["start"])
			}
			e.envelope = content
			continue
		}
		e.payloads["cid:"+strings.Trim(id, "<>")] = content
	}
	return e
}

func (r records) entity(t *testing.T, m exchange.Message) entity {
	t.Helper()
	return split(t, m.ContentType, r.raw[m.Raw.Digest])
}

// verifyMessage asks xmlsec1 about a message under the root and the issuing CA of side. Keys come from X.509 data only.
func (e entity) verifyMessage(t *testing.T, side pair.Side) (string, error) {
	t.Helper()
	args := []string{
		"--verify", "--enabled-key-data", "x509",
		"--trusted-pem", filepath.Join(side.Dir, "pki/root.pem"), "--untrusted-pem", filepath.Join(side.Dir, "pki/issuing.pem"),
	}
	for uri, content := range e.payloads {
		args = append(args, "--url-map:"+uri, writeTemp(t, "payload", content))
	}
	out, err := exec.Command(tool(t, "xmlsec1"), append(args, writeTemp(t, "envelope.xml", e.envelope))...).CombinedOutput()
	return string(out), err
}

func TestXmlsecVerifiesWhatTheDemoExchanged(t *testing.T) {
	tool(t, "xmlsec1")
	i := demonstrated(t)
	for _, m := range i.kr.certificateMessages() {
		t.Run(m.Certificate.Reference, func(t *testing.T) {
			message := i.kr.entity(t, m)
			if len(message.payloads) != 1 {
				t.Fatalf("%d payloads", len(message.payloads))
			}
			if out, err := message.verifyMessage(t, i.KR); err != nil || !strings.Contains(out, "References (ok/all): 2/2") {
				t.Errorf("message: %v\n%s", err, out)
			}
			if _, err := message.verifyMessage(t, i.TW); err == nil {
				t.Error("the message verifies under TW's PKI")
			}
			received := i.tw.about(t, exchange.Outbound, exchange.KindAcknowledgment, m.MessageID)
			ack := i.tw.entity(t, received)
			if out, err := ack.verifyMessage(t, i.TW); err != nil || !strings.Contains(out, "References (ok/all): 1/1") {
				t.Errorf("acknowledgment: %v\n%s", err, out)
			}
			message.wantChangesFound(t, i.KR)
			ack.wantChangesFound(t, i.TW)
		})
	}
	t.Run("MessageError", func(t *testing.T) {
		refusal := i.tw.about(t, exchange.Outbound, exchange.KindError, emptyMessage)
		if out, err := i.tw.entity(t, refusal).verifyMessage(t, i.TW); err != nil {
			t.Errorf("%v\n%s", err, out)
		}
	})
	for _, c := range i.tw.certificates {
		t.Run("document "+c.Key.Reference, func(t *testing.T) { i.verifyDocument(t, c) })
	}
}

// wantChangesFound changes envelope and payloads, one at a time, and wants xmlsec1 to refuse.
func (e entity) wantChangesFound(t *testing.T, side pair.Side) {
	t.Helper()
	changed := entity{envelope: bytes.Replace(e.envelope, []byte("-HUB<"), []byte("-HUP<"), 1), payloads: e.payloads}
	if bytes.Equal(changed.envelope, e.envelope) {
		t.Error("nothing to change in the envelope")
	}
	if _, err := changed.verifyMessage(t, side); err == nil {
		t.Error("a changed envelope verifies")
	}
	for uri, content := range e.payloads {
		changed := entity{envelope: e.envelope, payloads: map[string][]byte{uri: append(bytes.Clone(content), ' ')}}
		if _, err := changed.verifyMessage(t, side); err == nil {
			t.Error("a changed payload verifies")
		}
	}
}

// verifyDocument asks xmlsec1 about a document under the credential of the issuing body that it names, and of others.
func (i *interop) verifyDocument(t *testing.T, c exchange.Certificate) {
	document := i.tw.raw[c.Document.Digest]
	bodies, err := filepath.Glob(filepath.Join(i.KR.Dir, "pki/body-*.pem"))
	if err != nil || len(bodies) < 2 {
		t.Fatal("credentials of issuing bodies:", bodies, err)
	}
	verify := func(document []byte, credential string) (string, error) {
		// With other key data switched off, KeyInfo does not count: the key is the given one.
		out, err := exec.Command(tool(t, "xmlsec1"), "--verify", "--enabled-key-data", "rsa", "--pubkey-cert-pem", credential,
			writeTemp(t, "document.xml", document)).CombinedOutput()
		return string(out), err
	}
	for _, credential := range bodies {
		own := filepath.Base(credential) == "body-"+c.Data.IssuingBody.ID+".pem"
		if out, err := verify(document, credential); (err == nil) != own {
			t.Errorf("under %s: %v\n%s", filepath.Base(credential), err, out)
		}
		if _, err := verify(bytes.Replace(document, []byte("<cbc:IssueDate>20"), []byte("<cbc:IssueDate>21"), 1), credential); err == nil {
			t.Errorf("a changed document verifies under %s", filepath.Base(credential))
		}
	}
}

func TestSchemasAcceptWhatTheDemoExchanged(t *testing.T) {
	lint := tool(t, "xmllint")
	header := sharedFile(t, "ebms/xsd/msg-header-2_0.xsd")
	documents := make(map[string]string)
	for _, version := range []string{"2.1", "2.3", "2.4"} {
		documents[version] = sharedFile(t, "ubl/xsd/"+version+"/maindoc/UBL-CertificateOfOrigin-"+version+".xsd")
	}
	validate := func(t *testing.T, schema string, data []byte) error {
		out, err := exec.Command(lint, "--nonet", "--noout", "--schema", schema, writeTemp(t, "data.xml", data)).CombinedOutput()
		if err != nil {
			t.Log(string(out))
		}
		return err
	}
	i := demonstrated(t)
	kinds := make(map[exchange.Kind]int)
	for _, m := range append(i.kr.certificateMessages(), i.tw.messages...) {
		if m.Direction == exchange.Inbound {
			continue
		}
		kinds[m.Kind]++
		envelope := i.kr.merged(i.tw).entity(t, m).envelope
		if err := validate(t, header, envelope); err != nil {
			t.Errorf("%s %s: %v", m.Kind, m.MessageID, err)
		}
		if err := validate(t, header, bytes.ReplaceAll(envelope, []byte("eb:CPAId"), []byte("eb:CPAid"))); err == nil {
			t.Errorf("%s: the schema accepts anything", m.Kind)
		}
	}
	samples := len(sampleReferences(t))
	if kinds[exchange.KindCertificate] != samples || kinds[exchange.KindAcknowledgment] != samples || kinds[exchange.KindError] != 1 {
		t.Errorf("messages by kind: %v", kinds)
	}
	for _, c := range i.tw.certificates {
		document := i.tw.raw[c.Document.Digest]
		for version, schema := range documents {
			if err := validate(t, schema, document); err != nil {
				t.Errorf("%s under UBL %s: %v", c.Key.Reference, version, err)
			}
			if err := validate(t, schema, bytes.ReplaceAll(document, []byte("cbc:IssueDate>"), []byte("cbc:DateOfIssue>"))); err == nil {
				t.Errorf("the schema of UBL %s accepts anything", version)
			}
		}
	}
}

// merged can read the bytes of both nodes.
func (r records) merged(other records) records {
	raw := make(map[string][]byte, len(r.raw)+len(other.raw))
	for _, from := range []records{r, other} {
		for digest, content := range from.raw {
			raw[digest] = content
		}
	}
	return records{raw: raw}
}

func rootPool(t *testing.T, pem []byte) *x509.CertPool {
	t.Helper()
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		t.Fatal("no root in PEM")
	}
	return pool
}
