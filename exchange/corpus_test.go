package exchange_test

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/asn1"
	"encoding/base64"
	"math/big"
	"net/textproto"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/ecogate/ecogate/ebms"
	"github.com/ecogate/ecogate/exchange"
	"github.com/ecogate/ecogate/internal/pkitest"
	"github.com/ecogate/ecogate/partners"
	"github.com/ecogate/ecogate/signing"
)

// hostileRequest is the message of a hostile file, made with the keys of w as the directives in its header say. Each text that
// they change must be there:
//
//	Sign     who signs envelope and parts: KR, TW, VN, the issuing body KCCI, or an impostor with KR's names
//	Info     old => new, in the ds:SignedInfo before its value is computed
//	Value    der: the ECDSA value in ASN.1; hmac: a value under the partner's public key as the secret
//	After    old => new, in the body after it was signed; with HEAD before old, in the Content-Type
//
// In all of them {signature}, {SignedInfo}, {header}, {x509} and {part} stand for these elements of the signed message, the last for
// the ds:Reference of a part; {signed} for its envelope; {evil} for a MessageHeader of other content; {KR} and {impostor} for their
// credentials in base64; {crlf} for a line end.
func (w *world) hostileRequest(header textproto.MIMEHeader, body []byte) ebms.Request {
	w.Helper()
	contentType := header.Get("Content-Type")
	signer := header.Get("Sign")
	if signer == "" {
		return w.request(contentType, body)
	}
	keys := map[string]func() signing.Key{
		"KR":   func() signing.Key { return w.KR.key(w, partners.UseMessageSignature, "") },
		"TW":   func() signing.Key { return w.TW.key(w, partners.UseMessageSignature, "") },
		"VN":   func() signing.Key { return w.VN.message },
		"KCCI": func() signing.Key { return w.KR.key(w, partners.UseDocumentSignature, "KCCI") },
		"impostor": func() signing.Key {
			credential, err := w.impostor().Issue(pkitest.Request{Name: "Korea e-CO hub", Use: pkitest.MessageSignature})
			w.must(err)
			return keyOf(credential)
		},
	}
	key := keys[signer]()
	pkg, err := ebms.ReadPackage(contentType, ebms.Bytes(body), ebms.Limits{})
	w.must(err)
	m, err := ebms.Parse(pkg.Envelope)
	w.must(err)
	envelope, _, err := signing.SignMessage(pkg.Envelope, exchange.SignedParts(m.Manifest, pkg), key)
	w.must(err)
	if info := header["Info"]; len(info) > 0 || header.Get("Value") != "" {
		envelope = w.resigned(envelope, info, header.Get("Value"), key)
	}
	text := string(bytes.Replace(body, pkg.Envelope, envelope, 1))
	placeholders := w.placeholders(string(envelope))
	placeholders = append(placeholders, "{KR}", base64.StdEncoding.EncodeToString(keys["KR"]().Chain[0].Raw))
	placeholders = append(placeholders, "{impostor}", base64.StdEncoding.EncodeToString(keys["impostor"]().Chain[0].Raw))
	for _, edit := range header["After"] {
		if head, ok := strings.CutPrefix(edit, "HEAD "); ok {
			contentType = w.edited(contentType, head, placeholders)
			continue
		}
		text = w.edited(text, edit, placeholders)
	}
	return w.request(contentType, []byte(text))
}

// placeholders are the pieces of a signed envelope that edits name.
func (w *world) placeholders(envelope string) []string {
	w.Helper()
	signed := envelope[strings.Index(envelope, "<soap:Envelope"):]
	header := element(signed, "<eb:MessageHeader", "</eb:MessageHeader>")
	return []string{
		"{signature}", element(signed, "<ds:Signature ", "</ds:Signature>"),
		"{SignedInfo}", element(signed, "<ds:SignedInfo", "</ds:SignedInfo>"),
		"{x509}", strings.TrimSuffix(strings.TrimPrefix(element(signed, "<ds:X509Certificate>", "</ds:X509Certificate>"), "<ds:X509Certificate>"), "</ds:X509Certificate>"),
		"{part}", element(signed, `<ds:Reference URI="cid:`, "</ds:Reference>"),
		"{signed}", signed, "{header}", header, "{evil}", strings.Replace(header, "<eb:MessageId>", "<eb:MessageId>evil-", 1),
		"{crlf}", "\r\n",
	}
}

// element is the first stretch of text from open to the end of close; empty if there is none.
func element(text, open, end string) string {
	from := strings.Index(text, open)
	if from < 0 {
		return ""
	}
	length := strings.Index(text[from:], end)
	if length < 0 {
		return ""
	}
	return text[from : from+length+len(end)]
}

// edited makes one change, "old => new".
func (w *world) edited(text, edit string, placeholders []string) string {
	w.Helper()
	old, with, ok := strings.Cut(edit, " =>")
	with = strings.TrimPrefix(with, " ")
	replacer := strings.NewReplacer(placeholders...)
	old, with = replacer.Replace(old), replacer.Replace(with)
	if !ok || old == "" || !strings.Contains(text, old) {
		w.Fatalf("edit %q: the message has no such text", edit)
	}
	return strings.Replace(text, old, with, 1)
}

// resigned changes the SignedInfo of a signed envelope and computes the value of the signature again, with SHA-256 whatever it
// says.
func (w *world) resigned(envelope []byte, edits []string, how string, key signing.Key) []byte {
	w.Helper()
	text := string(envelope)
	info := element(text, "<ds:SignedInfo", "</ds:SignedInfo>")
	changed := info
	for _, edit := range edits {
		changed = w.edited(changed, edit, w.placeholders(text))
	}
	// The canonical form of an element in the midst of a document has the namespaces of those around it.
	const around = `<ds:SignedInfo xmlns:ds="http://www.w3.org/2000/09/xmldsig#" xmlns:eb="http://www.oasis-open.org/committees/ebxml-msg/schema/msg-header-2_0.xsd"` +
		` xmlns:soap="http://schemas.xmlsoap.org/soap/envelope/" xmlns:xlink="http://www.w3.org/1999/xlink"`
	octets, err := signing.Canonicalize([]byte(strings.Replace(changed, "<ds:SignedInfo", around, 1)))
	w.must(err)
	sum := sha256.Sum256(octets)
	value, err := key.Signer.Sign(rand.Reader, sum[:], crypto.SHA256)
	w.must(err)
	public := key.Signer.Public().(*ecdsa.PublicKey)
	switch how {
	case "hmac":
		mac := hmac.New(sha256.New, key.Chain[0].RawSubjectPublicKeyInfo)
		mac.Write(octets)
		value = mac.Sum(nil)
	case "":
		var pair struct{ R, S *big.Int }
		_, err = asn1.Unmarshal(value, &pair)
		w.must(err)
		width := (public.Params().BitSize + 7) / 8
		value = append(pair.R.FillBytes(make([]byte, width)), pair.S.FillBytes(make([]byte, width))...)
	}
	text = strings.Replace(text, info, changed, 1)
	old := element(text, "<ds:SignatureValue", "</ds:SignatureValue>")
	return []byte(strings.Replace(text, old, "<ds:SignatureValue>"+base64.StdEncoding.EncodeToString(value)+"</ds:SignatureValue>", 1))
}

// TestEveryHostileFileIsInTheTable compares testdata/hostile/README.md with the folders: what it names is there, and what is there it
// names.
func TestEveryHostileFileIsInTheTable(t *testing.T) {
	const root = "../testdata/hostile"
	table, err := os.ReadFile(filepath.Join(root, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	named := map[string]bool{}
	for _, pattern := range regexp.MustCompile("`((?:ebms|exchange|signing|xsw|issuerlists|revocation|proxy|cusdec|declarations)/[^`]*\\.(?:http|txt|pem))`").FindAllStringSubmatch(string(table), -1) {
		files, err := filepath.Glob(filepath.Join(root, pattern[1]))
		if err != nil || len(files) == 0 {
			t.Errorf("%s: no such file", pattern[1])
		}
		for _, file := range files {
			named[file] = true
		}
	}
	for _, pattern := range []string{"ebms/*.http", "exchange/*.http", "signing/*.txt", "signing/xades/*.txt", "xsw/*.txt", "issuerlists/*.txt", "revocation/*.pem", "proxy/*.txt", "cusdec/*.txt", "declarations/*.txt"} {
		files, err := filepath.Glob(filepath.Join(root, pattern))
		if err != nil || len(files) == 0 {
			t.Errorf("%s: no files", pattern)
		}
		for _, file := range files {
			if !named[file] {
				t.Errorf("%s stands in no row of the table", file)
			}
		}
	}
}
