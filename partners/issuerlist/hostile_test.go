package issuerlist_test

import (
	"bufio"
	"bytes"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/ecogate/ecogate/internal/pkitest"
	"github.com/ecogate/ecogate/partners/issuerlist"
	"github.com/ecogate/ecogate/signing"
)

var update = flag.Bool("update", false, "make the hostile files anew")

var hostile = filepath.Join("..", "..", "testdata", "hostile", "issuerlists")

// TestHostileListsAreRefused reads testdata/hostile/issuerlists: a head with the kind of error, a text of it and the credential that may
// sign lists, in base64, an empty line, then the list.
func TestHostileListsAreRefused(t *testing.T) {
	if *update {
		writeHostile(t)
	}
	files, err := filepath.Glob(filepath.Join(hostile, "*.txt"))
	if err != nil || len(files) == 0 {
		t.Fatal("no files", err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			head, list, signer := readHostile(t, file)
			want := map[string]error{"ErrDocument": issuerlist.ErrDocument, "ErrSignature": issuerlist.ErrSignature, "": nil}[head["expect"]]
			_, err := issuerlist.Read(list, []*x509.Certificate{signer}, signing.Policy{})
			if !errors.Is(err, want) || want != nil && !strings.Contains(err.Error(), head["text"]) {
				t.Errorf("error %v, want %s with %q", err, head["expect"], head["text"])
			}
		})
	}
}

func readHostile(tb testing.TB, file string) (head map[string]string, list []byte, signer *x509.Certificate) {
	tb.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		tb.Fatal(err)
	}
	top, list, _ := bytes.Cut(data, []byte("\n\n"))
	head = map[string]string{}
	for lines := bufio.NewScanner(bytes.NewReader(top)); lines.Scan(); {
		key, value, _ := strings.Cut(lines.Text(), ": ")
		head[key] = value
	}
	der, err := base64.StdEncoding.DecodeString(head["signer"])
	if err == nil {
		signer, err = x509.ParseCertificate(der)
	}
	if err != nil {
		tb.Fatalf("%s: signer: %v", file, err)
	}
	return head, list, signer
}

// writeHostile makes the files: what was signed and then changed, and what somebody signed who may sign it and who breaks a rule of lists.
func writeHostile(t *testing.T) {
	list, key := sample(t)
	valid := string(signed(t, list, key, false))
	signature := "<ds:Signature " + between(valid, "<ds:Signature ", "</ds:Signature>") + "</ds:Signature>"
	plain := strings.Replace(valid, signature, "", 1)
	stranger := issued(t, pkitest.NewTest(t, pkitest.Options{Country: "XX", Organisation: "Nobody"}), "stranger", pkitest.IssuerList)
	later := list
	later.Number = 18
	other := string(signed(t, later, key, false))
	root := strings.Index(valid, "<IssuerList ")
	asCMS := func(document string) string {
		der, err := signing.SignAnnouncement([]byte(document), key, now)
		if err != nil {
			t.Fatal(err)
		}
		return string(pem.EncodeToMemory(&pem.Block{Type: "CMS", Bytes: der}))
	}
	for _, c := range []struct{ name, expect, text, list string }{
		{"valid", "", "", valid},
		{"valid-cms", "", "", asCMS(plain)},

		{"unsigned", "ErrSignature", "no ds:Signature", plain},
		{"empty", "ErrSignature", "", ""},
		{"signed-by-a-stranger", "ErrSignature", "none of the 1 candidates", string(signed(t, list, stranger, false))},
		{"signed-by-a-stranger-cms", "ErrSignature", "not one of the 1 candidates", pemOf(signed(t, list, stranger, true))},
		{"signed-by-a-credential-on-it", "ErrSignature", "none of the 1 candidates", string(signed(t, list, issued(t, pkitest.NewTest(t, pkitest.Options{Country: "KR"}), "body", pkitest.DocumentSignature), false))},
		{"number-changed", "ErrSignature", "not what was signed", strings.Replace(valid, "<Number>17", "<Number>18", 1)},
		{"office-added", "ErrSignature", "not what was signed", strings.Replace(valid, "<Office>", "<Office><ID>666</ID></Office><Office>", 1)},
		{"form-added", "ErrSignature", "not what was signed", strings.Replace(valid, "<Form>", "<Form>LA-GSP-A</Form><Form>", 1)},
		{"credential-swapped", "ErrSignature", "not what was signed", strings.Replace(valid, between(valid, "<X509Certificate>", "</X509Certificate>"), base64.StdEncoding.EncodeToString(stranger.Chain[0].Raw), 1)},
		{"body-taken-out", "ErrSignature", "not what was signed", valid[:strings.LastIndex(valid, "<IssuingBody>")] + valid[strings.LastIndex(valid, "</IssuingBody>")+len("</IssuingBody>"):]},
		{"signature-moved", "ErrSignature", "not in its place", strings.Replace(plain, "<IssuingBody>", "<IssuingBody>"+signature, 1)},
		{"signature-of-another-list", "ErrSignature", "not what was signed", strings.Replace(other, between(other, "<ds:Signature ", "</ds:Signature>"), between(valid, "<ds:Signature ", "</ds:Signature>"), 1)},
		{"signature-twice", "ErrSignature", "", strings.Replace(valid, signature, signature+signature, 1)},
		{"wrapped", "ErrSignature", "not in its place", valid[:root] + `<IssuerList xmlns="urn:ecogate:issuers:1" version="1">` + valid[root:] + "</IssuerList>"},
		{"comment-splits-number", "ErrSignature", "not what was signed", strings.Replace(valid, "<Number>1", "<Number><!-- -->2", 1)},
		{"instruction-splits-number", "ErrSignature", "processing instructions", strings.Replace(valid, "<Number>1", "<Number>1<?x?>", 1)},
		{"document-type", "ErrSignature", "", valid[:root] + "<!DOCTYPE IssuerList>" + valid[root:]},
		{"entity", "ErrSignature", "", valid[:root] + `<!DOCTYPE IssuerList [<!ENTITY x SYSTEM "file:///etc/passwd">]>` + strings.Replace(valid[root:], "Seoul", "&x;", 1)},
		{"cms-changed", "ErrSignature", "", strings.Replace(asCMS(plain), "MI", "MJ", 1)},
		{"cms-cut-short", "ErrSignature", "", pemOf(signed(t, list, key, true)[:500])},

		{"cms-of-something-else", "ErrDocument", "", asCMS("issuing bodies: all of them")},
		{"cms-of-a-signed-list", "ErrDocument", "Signature is not expected", asCMS(valid)},
		{"root-other", "ErrDocument", "the root element is", asCMS(strings.ReplaceAll(plain, "IssuerList", "IssuersList"))},
		{"namespace-other", "ErrDocument", "the root element is", asCMS(strings.Replace(plain, "issuers:1", "issuers:2", 1))},
		{"version-other", "ErrDocument", `version "2"`, asCMS(strings.Replace(plain, `version="1">`, `version="2">`, 1))},
		{"attribute-unknown", "ErrDocument", "an attribute of Office", asCMS(strings.Replace(plain, "<Office>", `<Office trusted="true">`, 1))},
		{"attribute-of-another-namespace", "ErrDocument", "an attribute of PartyId", asCMS(strings.Replace(plain, `<PartyId type="country">`, `<PartyId xmlns:x="urn:x" x:type="country">`, 1))},
		{"element-unknown", "ErrDocument", "Trust is not expected", asCMS(strings.Replace(plain, "</Office>", "<Trust>all</Trust></Office>", 1))},
		{"element-of-another-namespace", "ErrDocument", "Number stands where Number is expected", asCMS(strings.Replace(plain, "<Number>", `<Number xmlns="urn:other">`, 1))},
		{"element-out-of-order", "ErrDocument", "Issued stands where Number is expected", asCMS(strings.Replace(plain, "<Number>", "<Issued>2026-11-29T10:00:00Z</Issued><Number>", 1))},
		{"element-in-a-text", "ErrDocument", "Number has child elements", asCMS(strings.Replace(plain, "<Number>17", "<Number>17<Number/>", 1))},
		{"text-between-elements", "ErrDocument", "text between its elements", asCMS(strings.Replace(plain, "<Office>", "<Office>every", 1))},
		{"deep", "ErrDocument", "deep", asCMS(strings.Replace(plain, "<Office>", strings.Repeat("<Office>", 12)+strings.Repeat("</Office>", 11), 1))},
		{"administration-none", "ErrDocument", "no administration", asCMS(strings.Replace(plain, "<Administration>"+between(plain, "<Administration>", "</Administration>"), "<Administration>", 1))},
		{"administration-without-value", "ErrDocument", "a PartyId without value", asCMS(strings.Replace(plain, "urn:customs:kr", " ", 1))},
		{"number-zero", "ErrDocument", `Number "0"`, asCMS(strings.Replace(plain, "<Number>17", "<Number>0", 1))},
		{"number-negative", "ErrDocument", `Number "-17"`, asCMS(strings.Replace(plain, "<Number>17", "<Number>-17", 1))},
		{"number-without-end", "ErrDocument", `is not a number`, asCMS(strings.Replace(plain, "<Number>17", "<Number>17"+strings.Repeat("0", 20), 1))},
		{"instant-without-zone", "ErrDocument", "is not an instant", asCMS(strings.Replace(plain, "00:00Z</Issued>", "00:00</Issued>", 1))},
		{"instant-that-is-none", "ErrDocument", "is not an instant", asCMS(strings.Replace(plain, "<ValidFrom>2026-11", "<ValidFrom>2026-13", 1))},
		{"next-update-before", "ErrDocument", "the next update is due", asCMS(strings.Replace(plain, "<NextUpdate>2027", "<NextUpdate>2025", 1))},
		{"country-none", "ErrDocument", `country "Korea"`, asCMS(strings.Replace(plain, "<Country>KR", "<Country>Korea", 1))},
		{"form-none", "ErrDocument", "it may issue no form", asCMS(strings.Replace(plain, "<Form>LA-GSP-A</Form>", "", 1))},
		{"body-without-id", "ErrDocument", "it has no ID", asCMS(strings.Replace(plain, "<ID>MOIC", "<ID>", 1))},
		{"body-window", "ErrDocument", "is not after from", asCMS(strings.Replace(plain, "<From>2021-11-29T10:00:00Z</From>", "<From>2021-11-29T10:00:00Z</From><Until>2021-11-29T10:00:00Z</Until>", 1))},
		{"office-twice", "ErrDocument", "stands there twice", asCMS(strings.Replace(plain, "<ID>002", "<ID>001", 1))},
		{"office-window", "ErrDocument", `office "002": until`, asCMS(strings.Replace(plain, "<Until>2027-11-29T10:00:00Z</Until>", "<Until>2020-11-29T10:00:00Z</Until>", 1))},
		{"signatory-without-name", "ErrDocument", "a signatory without name", asCMS(strings.Replace(plain, "<Name>KIM", "<Name>", 1))},
		{"signatory-of-unknown-office", "ErrDocument", `office "009" is not one of the body's`, asCMS(strings.Replace(plain, "<OfficeID>001", "<OfficeID>009", 1))},
		{"credential-of-unknown-office", "ErrDocument", `credential 2: office "009" is not one of the body's`, asCMS(strings.Replace(plain, "<OfficeID>002", "<OfficeID>009", 1))},
		{"credential-of-unknown-form", "ErrDocument", `credential 2: form "LA-GSP-A" is not one of the body's`, asCMS(strings.Replace(plain, "</OfficeID>\n<Form>ATIGA-D", "</OfficeID>\n<Form>LA-GSP-A", 1))},
		{"credential-none", "ErrDocument", "0 X.509 certificates", asCMS(strings.Replace(plain, "<Credential>"+between(plain, "<Credential>", "</Credential>"), "<Credential>", 1))},
		{"credential-not-base64", "ErrDocument", "not base64", asCMS(strings.Replace(plain, "<X509Certificate>", "<X509Certificate>?", 1))},
		{"credential-not-x509", "ErrDocument", "X509Certificate 1:", asCMS(strings.Replace(plain, between(plain, "<X509Certificate>", "</X509Certificate>"), "AAAA", 1))},
		{"chain-long", "ErrDocument", "more than 8 X.509 certificates", asCMS(repeated(plain, "<X509Certificate>", "</X509Certificate>", 9))},
	} {
		head := "expect: " + c.expect + "\ntext: " + c.text + "\nsigner: " + base64.StdEncoding.EncodeToString(key.Chain[0].Raw) + "\n"
		if err := os.WriteFile(filepath.Join(hostile, c.name+".txt"), []byte(head+"\n"+c.list), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func pemOf(der []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "CMS", Bytes: der}))
}

func between(text, begin, end string) string {
	_, rest, _ := strings.Cut(text, begin)
	inner, _, _ := strings.Cut(rest, end)
	return inner
}

// repeated is text with its first element of that kind n times.
func repeated(text, begin, end string, n int) string {
	one := begin + between(text, begin, end) + end
	return strings.Replace(text, one, strings.Repeat(one, n), 1)
}

// FuzzRead holds that no input breaks the reader, and that a list which is taken can be written and read again.
func FuzzRead(f *testing.F) {
	files, err := filepath.Glob(filepath.Join(hostile, "*.txt"))
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range files {
		_, list, signer := readHostile(f, file)
		f.Add(list, signer.Raw)
	}
	_, key := sample(f)
	// What is signed anew is read past its signature, which no fuzzer makes.
	f.Fuzz(func(t *testing.T, file, der []byte) {
		if signer, err := x509.ParseCertificate(der); err == nil {
			_, err := issuerlist.Read(file, []*x509.Certificate{signer}, signing.Policy{})
			checkKind(t, err)
		}
		if len(file) > 1<<20 {
			return
		}
		cms, err := signing.SignAnnouncement(file, key, now)
		if err != nil {
			t.Fatal(err)
		}
		read, err := issuerlist.Read(cms, key.Chain[:1], signing.Policy{})
		checkKind(t, err)
		if err != nil {
			return
		}
		again, err := issuerlist.Read(signed(t, read.List, key, false), key.Chain[:1], signing.Policy{})
		if err != nil || !reflect.DeepEqual(again.List, read.List) {
			t.Errorf("read again: %+v, %v\nat first: %+v", again.List, err, read.List)
		}
	})
}

func checkKind(t *testing.T, err error) {
	if err != nil && !errors.Is(err, issuerlist.ErrDocument) && !errors.Is(err, issuerlist.ErrSignature) {
		t.Errorf("error of no kind: %v", err)
	}
}
