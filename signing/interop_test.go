package signing_test

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"encoding/xml"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/ecogate/ecogate/signing"
)

var rsa3072Key = sync.OnceValues(func() (crypto.Signer, error) { return rsa.GenerateKey(rand.Reader, 3072) })

// santuarioJar is where Debian's libxml-security-java puts Apache Santuario, and santuarioNeeds what it needs beside it.
const (
	santuarioJar   = "/usr/share/java/xmlsec.jar"
	santuarioNeeds = ":/usr/share/java/commons-codec.jar:/usr/share/java/slf4j-api.jar:/usr/share/java/slf4j-nop.jar"
)

// ublPath leads to the place of the signature in the certificates of testdata.
var ublPath = []xml.Name{
	{Space: "urn:oasis:names:specification:ubl:schema:xsd:CertificateOfOrigin-2", Local: "CertificateOfOrigin"},
	{Space: "urn:oasis:names:specification:ubl:schema:xsd:CommonExtensionComponents-2", Local: "UBLExtensions"},
	{Space: "urn:oasis:names:specification:ubl:schema:xsd:CommonExtensionComponents-2", Local: "UBLExtension"},
	{Space: "urn:oasis:names:specification:ubl:schema:xsd:CommonExtensionComponents-2", Local: "ExtensionContent"},
	{Space: "urn:oasis:names:specification:ubl:schema:xsd:CommonSignatureComponents-2", Local: "UBLDocumentSignatures"},
	{Space: "urn:oasis:names:specification:ubl:schema:xsd:SignatureAggregateComponents-2", Local: "SignatureInformation"},
}

// column is what is signed in one column of the matrix.
type column struct {
	name    string
	key     signing.Key
	message bool // an ebMS message with two parts; otherwise a UBL certificate
}

// sign has us sign what stands in the column.
func (c column) sign() ([]byte, error) {
	if !c.message {
		unsigned, err := c.unsigned()
		if err != nil {
			return nil, err
		}
		return signing.SignDocument(unsigned, ublPath, c.key)
	}
	signed, _, err := signing.SignMessage([]byte(envelope), parts, c.key)
	return signed, err
}

func (c column) unsigned() ([]byte, error) {
	if c.message {
		return []byte(envelope), nil
	}
	return os.ReadFile(filepath.Join("..", "testdata", "certificates", "atiga-form-d.xml"))
}

// verify has us verify what another product signed.
func (c column) verify(signed []byte) error {
	if c.message {
		verified, err := signing.VerifyMessage(signed, parts, c.key.Chain, signing.Policy{})
		if err == nil && bytes.Contains(verified.Octets, []byte("SyncReply")) {
			return fmt.Errorf("the octets have what the XPath filter leaves out")
		}
		return err
	}
	_, err := signing.VerifyDocument(signed, ublPath, c.key.Chain, signing.Policy{})
	return err
}

// folder writes a folder for Folder.java: the key, and what there is to sign or to verify.
func (c column) folder(t testing.TB, name string, content []byte) string {
	t.Helper()
	var attached []signing.Part
	if c.message {
		attached = parts
	}
	files := folderOf(t, c.key, attached)
	files[name] = content
	return writeFolder(t, t.TempDir(), files)
}

// folderOf gives the files that do not depend on the signature.
func folderOf(t testing.TB, key signing.Key, attached []signing.Part) map[string][]byte {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(key.Signer)
	if err != nil {
		t.Fatal(err)
	}
	files := map[string][]byte{
		"key.der": der, "credential.der": key.Chain[0].Raw,
		"credential.pem": pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: key.Chain[0].Raw}),
	}
	for _, part := range attached {
		files[filepath.Join("parts", strings.TrimPrefix(part.URI, "cid:"))] = octetsOf(part)
	}
	return files
}

func writeFolder(t testing.TB, folder string, files map[string][]byte) string {
	t.Helper()
	for name, content := range files {
		path := filepath.Join(folder, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return folder
}

// product is another implementation of XML signatures. Its functions give "yes" or "no: reason" for each folder: whether
// it verified signed.xml, or made it of unsigned.xml.
type product struct {
	name         string
	verify, sign func(t *testing.T, columns []column, folders []string) []string
}

// products are those that are installed; absent says what the others want.
func products(t *testing.T) (there []product, absent []string) {
	t.Helper()
	if program, err := exec.LookPath("xmlsec1"); err == nil {
		x := xmlsec{program}
		there = append(there, product{"xmlsec1", x.verify, x.sign})
	} else {
		absent = append(absent, "xmlsec1: install xmlsec1")
	}
	classes, err := compileJava(t)
	if err != nil {
		return there, append(absent, "JDK, Santuario: "+err.Error())
	}
	there = append(there, javaProduct("JDK", "Jsr105", classes))
	if _, err := os.Stat(santuarioJar); err == nil {
		there = append(there, javaProduct("Santuario", "Santuario", classes))
	} else {
		absent = append(absent, "Santuario: install libxml-security-java")
	}
	return there, absent
}

// compileJava compiles testdata/interop, without Santuario's program where its library is absent, and gives the class path.
func compileJava(t testing.TB) (string, error) {
	t.Helper()
	for _, name := range []string{"java", "javac"} {
		if _, err := exec.LookPath(name); err != nil {
			return "", fmt.Errorf("install default-jdk-headless: there is no %s", name)
		}
	}
	out := t.TempDir()
	sources := []string{"Folder.java", "Jsr105.java"}
	if _, err := os.Stat(santuarioJar); err == nil {
		sources = append(sources, "Santuario.java")
	}
	arguments := []string{"-cp", santuarioJar, "-d", out}
	for _, source := range sources {
		arguments = append(arguments, filepath.Join("testdata", "interop", source))
	}
	if text, err := exec.Command("javac", arguments...).CombinedOutput(); err != nil {
		t.Fatalf("javac: %v\n%s", err, text)
	}
	return out + ":" + santuarioJar + santuarioNeeds, nil
}

// javaProduct runs a program of testdata/interop once for all folders, because a JVM starts slowly.
func javaProduct(name, class, classPath string) product {
	run := func(verb string) func(*testing.T, []column, []string) []string {
		return func(t *testing.T, _ []column, folders []string) []string {
			t.Helper()
			arguments := append([]string{"-cp", classPath, class, verb}, folders...)
			command := exec.Command("java", arguments...)
			command.Stderr = t.Output()
			out, err := command.Output()
			lines := strings.Split(strings.TrimSpace(string(out)), "\n")
			if err != nil || len(lines) != len(folders) {
				t.Fatalf("java %s %s: %v\n%s", class, verb, err, out)
			}
			return lines
		}
	}
	return product{name, run("verify"), run("sign")}
}

// xmlsec is the program of the XML Security Library, once for each folder.
type xmlsec struct{ program string }

func (x xmlsec) verify(t *testing.T, columns []column, folders []string) []string {
	t.Helper()
	var results []string
	for i, folder := range folders {
		arguments := []string{"--verify", "--enabled-key-data", "x509", "--trusted-pem", filepath.Join(folder, "credential.pem")}
		results = append(results, x.run(arguments, columns[i], folder, "signed.xml"))
	}
	return results
}

// sign fills a template that stands where the signature goes.
func (x xmlsec) sign(t *testing.T, columns []column, folders []string) []string {
	t.Helper()
	var results []string
	for i, folder := range folders {
		c := columns[i]
		algorithm := "rsa-sha256"
		if _, ok := c.key.Signer.(*rsa.PrivateKey); !ok {
			algorithm = "ecdsa-sha256"
		}
		transforms, references, place := enveloped+canonical, "", "</sac:SignatureInformation>"
		if c.message {
			transforms, place = enveloped+xpath(hermesXPath)+canonical, "</soap:Header>"
			for _, part := range parts {
				references += `<ds:Reference URI="` + part.URI + `"><ds:DigestMethod Algorithm=` + sha256URI + `/><ds:DigestValue/></ds:Reference>`
			}
		}
		template := `<ds:Signature xmlns:ds="http://www.w3.org/2000/09/xmldsig#"><ds:SignedInfo><ds:CanonicalizationMethod Algorithm=` + c14n10 +
			`/><ds:SignatureMethod Algorithm="http://www.w3.org/2001/04/xmldsig-more#` + algorithm + `"/><ds:Reference URI=""><ds:Transforms>` + transforms +
			`</ds:Transforms><ds:DigestMethod Algorithm=` + sha256URI + `/><ds:DigestValue/></ds:Reference>` + references +
			`</ds:SignedInfo><ds:SignatureValue/><ds:KeyInfo><ds:X509Data/></ds:KeyInfo></ds:Signature>`
		unsigned := string(read(t, filepath.Join(folder, "unsigned.xml")))
		writeFolder(t, folder, map[string][]byte{"template.xml": []byte(strings.Replace(unsigned, place, template+place, 1))})
		private, credential := keyFiles(t, c.key)
		arguments := []string{"--sign", "--privkey-pem", private + "," + credential, "--output", filepath.Join(folder, "signed.xml")}
		results = append(results, x.run(arguments, c, folder, "template.xml"))
	}
	return results
}

func (x xmlsec) run(arguments []string, c column, folder, name string) string {
	if c.message {
		for _, part := range parts {
			arguments = append(arguments, "--url-map:"+part.URI, filepath.Join(folder, "parts", strings.TrimPrefix(part.URI, "cid:")))
		}
	}
	out, err := exec.Command(x.program, append(arguments, filepath.Join(folder, name))...).CombinedOutput()
	if err != nil {
		return "no: " + strings.ReplaceAll(string(out), "\n", " ")
	}
	return "yes"
}

// excuse gives the reason why a product cannot do a cell, or "".
func excuse(result string) string {
	if strings.Contains(result, "REC-xpath-19991116") && strings.Contains(result, "secure validation") {
		return "jdk.xml.dsig.secureValidationPolicy of this JDK refuses the XPath transform, which ebMS 2.0 §4.1.3 demands"
	}
	return ""
}

// matrix collects the cells: a row for each product and direction.
type matrix struct {
	text    strings.Builder
	reasons []string
}

func (m *matrix) row(t *testing.T, name string, columns []column, results []string) {
	t.Helper()
	fmt.Fprintf(&m.text, "%-30s", name)
	for i, result := range results {
		cell := "yes"
		if result != "yes" {
			cell = "NO"
			if reason := excuse(result); reason != "" {
				cell = "-"
				m.reasons = append(m.reasons, fmt.Sprintf("- %s, %s: %s", name, columns[i].name, reason))
			} else {
				t.Errorf("%s, %s: %s", name, columns[i].name, result)
			}
		}
		fmt.Fprintf(&m.text, "%-20s", cell)
	}
	m.text.WriteByte('\n')
}

// TestOtherProductsAgree signs for other products and has them sign for us, and prints the matrix.
func TestOtherProductsAgree(t *testing.T) {
	var columns []column
	var m matrix
	fmt.Fprintf(&m.text, "%-30s", "")
	for _, kind := range []string{"message", "document"} {
		for _, key := range []struct {
			name string
			make func() (crypto.Signer, error)
		}{{"RSA-2048", rsaKey}, {"RSA-3072", rsa3072Key}, {"P-256", p256Key}} {
			columns = append(columns, column{kind + " " + key.name, keyOf(t, key.make), kind == "message"})
			fmt.Fprintf(&m.text, "%-20s", columns[len(columns)-1].name)
		}
	}
	m.text.WriteByte('\n')

	there, absent := products(t)
	var ours, unsigned []string
	for _, c := range columns {
		signed, err := c.sign()
		if err != nil {
			t.Fatal(err)
		}
		ours = append(ours, c.folder(t, "signed.xml", signed))
	}
	for _, p := range there {
		m.row(t, "we sign, "+p.name+" verifies", columns, p.verify(t, columns, ours))
	}
	for _, p := range there {
		unsigned = nil
		for _, c := range columns {
			content, err := c.unsigned()
			if err != nil {
				t.Fatal(err)
			}
			unsigned = append(unsigned, c.folder(t, "unsigned.xml", content))
		}
		results := p.sign(t, columns, unsigned)
		for i, c := range columns {
			if results[i] != "yes" {
				continue
			}
			if err := c.verify(read(t, filepath.Join(unsigned[i], "signed.xml"))); err != nil {
				results[i] = "no: " + err.Error()
			}
		}
		m.row(t, p.name+" signs, we verify", columns, results)
	}
	for _, reason := range append(m.reasons, absent...) {
		m.text.WriteString(reason + "\n")
	}
	t.Log("\n" + m.text.String())
	if len(there) == 0 {
		t.Skip("no other product is installed: " + strings.Join(absent, "; "))
	}
}

// TestOtherProductsRefuse makes sure that the matrix can say no.
func TestOtherProductsRefuse(t *testing.T) {
	there, absent := products(t)
	if len(there) == 0 {
		t.Skip(strings.Join(absent, "; "))
	}
	c := column{"message", keyOf(t, rsaKey), true}
	signed, err := c.sign()
	if err != nil {
		t.Fatal(err)
	}
	changed := bytes.Replace(signed, []byte("a &amp; b"), []byte("a &amp; c"), 1)
	for _, p := range there {
		result := p.verify(t, []column{c}, []string{c.folder(t, "signed.xml", changed)})
		if result[0] == "yes" {
			t.Errorf("%s verifies a changed message", p.name)
		}
	}
}
