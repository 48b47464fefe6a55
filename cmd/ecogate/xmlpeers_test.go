package main

import (
	"crypto/sha256"
	"encoding/base64"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/ecogate/ecogate/internal/pkitest"
	"github.com/ecogate/ecogate/signing"
)

// digestValue is the digest in a signature that xmlsec1 made.
var digestValue = regexp.MustCompile(`<DigestValue>([^<]+)</DigestValue>`)

// TestC14NOfAnElementIsWhatXmlsecDigests compares elements in their place with what libxml2 makes of them, by way of a
// signature that refers to the element. xmlsec1 knows xml:id as an identifier without a schema.
func TestC14NOfAnElementIsWhatXmlsecDigests(t *testing.T) {
	program := tool(t, "xmlsec1")
	signer := newSigner(t, pkitest.P256)
	for _, test := range differences {
		if !strings.Contains(test.options, "--id s") || !strings.Contains(test.doc, ` Id="s"`) {
			continue
		}
		t.Run(test.name, func(t *testing.T) {
			doc := strings.Replace(test.doc, ` Id="s"`, ` xml:id="s"`, 1)
			options := strings.Split(test.options, " ")
			code, canonical, stderr := xmlRun(t, doc, append([]string{"c14n", "-"}, options...)...)
			if code != exitOK {
				t.Fatal(stderr)
			}
			c14n := `<Transform Algorithm="http://www.w3.org/TR/2001/REC-xml-c14n-20010315"/>`
			if options[0] == "--exclusive" {
				const space = "http://www.w3.org/2001/10/xml-exc-c14n#"
				c14n = `<Transform Algorithm="` + space + `"><InclusiveNamespaces xmlns="` + space + `" PrefixList="` + options[len(options)-1] + `"/></Transform>`
				if len(options) == len([]string{"--exclusive", "--id", "s"}) {
					c14n = `<Transform Algorithm="` + space + `"/>`
				}
			}
			signature := signatureTemplate("http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256", "http://www.w3.org/2001/10/xml-exc-c14n#", "#s", c14n)
			end := strings.LastIndex(doc, "</")
			file := writeTemp(t, "template.xml", []byte(doc[:end]+signature+doc[end:]))
			out, err := exec.Command(program, "--sign", "--privkey-pem", signer.key+","+signer.x509Cert, file).CombinedOutput()
			if err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			digest := sha256.Sum256([]byte(canonical))
			if said := digestValue.FindSubmatch(out); said == nil || string(said[1]) != base64.StdEncoding.EncodeToString(digest[:]) {
				t.Errorf("xmlsec1 digested something else than %s\n%s", canonical, out)
			}
		})
	}
}

// acceptedPieces are the XML documents in the files of testdata: whole files, and what stands between the first "<" at the
// beginning of a line and the last ">" of it or of a part of a MIME body.
func acceptedPieces(t *testing.T) []string {
	t.Helper()
	var pieces []string
	known := map[string]bool{}
	add := func(piece string) {
		if _, err := signing.CanonicalizeWith([]byte(piece), signing.CanonicalOptions{}); err == nil && !known[piece] {
			known[piece] = true
			pieces = append(pieces, piece)
		}
	}
	err := filepath.WalkDir("../../testdata", func(path string, entry os.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		data := string(readFile(t, path))
		add(data)
		for _, part := range regexp.MustCompile(`(?m)^--[^\r\n]*\r?$`).Split(data, -1) {
			from, to := strings.Index("\n"+part, "\n<"), strings.LastIndexByte(part, '>')
			if from >= 0 && from < to {
				add(part[from : to+1])
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return pieces
}

// commentAround is a comment in a canonical form with comments. A "<" stands nowhere else but in tags and instructions.
var commentAround = regexp.MustCompile(`(?s)<!--.*?-->`)

// TestC14NWritesWhatXmllintWrites compares with libxml2. xmllint keeps comments; they are taken out of what it writes.
func TestC14NWritesWhatXmllintWrites(t *testing.T) {
	program := tool(t, "xmllint")
	pieces := acceptedPieces(t)
	if len(pieces) < 100 {
		t.Fatalf("only %d documents", len(pieces))
	}
	compared := 0
	for _, piece := range pieces {
		file := writeTemp(t, "piece.xml", []byte(piece))
		for option, args := range map[string][]string{"--c14n": nil, "--exc-c14n": {"--exclusive"}} {
			out, err := exec.Command(program, "--nonet", "--huge", option, file).Output()
			if err != nil {
				t.Errorf("xmllint %s refuses what we accept: %v\n%.300s", option, err, piece)
				continue
			}
			code, got, stderr := xmlRun(t, "", append([]string{"c14n", file}, args...)...)
			if code != exitOK || stderr != "" {
				t.Fatalf("exit code %d: %s", code, stderr)
			}
			if want := withoutComments(string(out)); got != want {
				t.Errorf("%s of\n%.2000s\n got %.2000s\nwant %.2000s", option, piece, got, want)
			}
			compared++
		}
	}
	t.Logf("%d canonical forms of %d documents", compared, len(pieces))
}

// withoutComments takes the comments out of a canonical form, outside the root element with their line feed.
func withoutComments(canonical string) string {
	before, rest := "", canonical
	for strings.HasPrefix(rest, "<!--") || strings.HasPrefix(rest, "<?") {
		line := rest[:strings.Index(rest, map[bool]string{true: "-->\n", false: "?>\n"}[rest[1] == '!'])+len("?>\n")]
		if rest[1] == '!' {
			line = rest[:len(line)+1]
		} else {
			before += line
		}
		rest = rest[len(line):]
	}
	root := regexp.MustCompile(`^<([^ >]+)`).FindStringSubmatch(rest)[1]
	end := strings.LastIndex(rest, "</"+root+">") + len("</"+root+">")
	after := regexp.MustCompile(`(?s)\n<!--.*?-->`).ReplaceAllString(rest[end:], "")
	return before + commentAround.ReplaceAllString(rest[:end], "") + after
}

func TestXmlsecVerifiesWhatXMLSignWrites(t *testing.T) {
	program := tool(t, "xmlsec1")
	for _, algorithm := range []pkitest.Algorithm{pkitest.RSA2048, pkitest.P256} {
		signer := newSigner(t, algorithm)
		for _, at := range []string{"", "/CertificateOfOrigin/ext:Extensions/Information"} {
			args := []string{"sign", "-", "--key", signer.key, "--chain", signer.x509Cert, "--at", at}
			code, signed, stderr := xmlRun(t, ordinary, args...)
			if code != exitOK || stderr != "" {
				t.Fatalf("exit code %d: %s", code, stderr)
			}
			out, err := exec.Command(program, "--verify", "--enabled-key-data", "x509", "--trusted-pem", signer.root,
				"--untrusted-pem", signer.issuing, writeTemp(t, "signed.xml", []byte(signed))).CombinedOutput()
			if err != nil {
				t.Errorf("%v at %q: %v\n%s\n%s", algorithm, at, err, out, signed)
			}
			code, stdout, stderr := xmlRun(t, signed, "verify", "-", "--credential", signer.x509Cert)
			if code != exitOK || lastLine(stdout) != "valid: the document is as the signer signed it" {
				t.Errorf("%v at %q: exit code %d: %s%s", algorithm, at, code, stdout, stderr)
			}
		}
	}
}

// signatureTemplate is what xmlsec1 fills in. c14n is the form of ds:SignedInfo, transforms are those of the only reference.
func signatureTemplate(algorithm, c14n, uri, transforms string) string {
	return `<Signature xmlns="` + dsigSpace + `"><SignedInfo><CanonicalizationMethod Algorithm="` + c14n + `"/>` +
		`<SignatureMethod Algorithm="` + algorithm + `"/><Reference URI="` + uri + `"><Transforms>` + transforms + `</Transforms>` +
		`<DigestMethod Algorithm="http://www.w3.org/2001/04/xmlenc#sha256"/><DigestValue/></Reference>` +
		`</SignedInfo><SignatureValue/><KeyInfo><X509Data/></KeyInfo></Signature>`
}

const dsigSpace = "http://www.w3.org/2000/09/xmldsig#"

// template is the ordinary document with an enveloped signature for xmlsec1 to fill in.
func template(algorithm, c14n string) string {
	signature := signatureTemplate(algorithm, c14n, "",
		`<Transform Algorithm="`+dsigSpace+`enveloped-signature"/><Transform Algorithm="`+c14n+`"/>`)
	return strings.Replace(ordinary, "<Information/>", "<Information>"+signature+"</Information>", 1)
}

func TestXMLVerifyReadsWhatXmlsecSigns(t *testing.T) {
	program := tool(t, "xmlsec1")
	for _, test := range []struct {
		name, uri string
		algorithm pkitest.Algorithm
	}{
		{"RSA", "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256", pkitest.RSA2048},
		{"P-256", "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256", pkitest.P256},
	} {
		for _, c14n := range []string{"http://www.w3.org/TR/2001/REC-xml-c14n-20010315", "http://www.w3.org/2001/10/xml-exc-c14n#"} {
			t.Run(test.name+" "+algorithmName(c14n), func(t *testing.T) {
				signer := newSigner(t, test.algorithm)
				out, err := exec.Command(program, "--sign", "--privkey-pem", signer.key+","+signer.x509Cert, writeTemp(t, "template.xml", []byte(template(test.uri, c14n)))).Output()
				if err != nil {
					t.Fatalf("%v\n%s", err, out)
				}
				code, stdout, stderr := xmlRun(t, string(out), "verify", "-", "--credential", signer.x509Cert)
				if code != exitOK || lastLine(stdout) != "valid: the document is as the signer signed it" ||
					!strings.Contains(stdout, "signature in  /CertificateOfOrigin/Extensions/Information\n") {
					t.Errorf("exit code %d: %s%s\n%s", code, stdout, stderr, out)
				}
				changed := strings.Replace(string(out), "KE-2026-1", "KE-2026-2", 1)
				code, stdout, _ = xmlRun(t, changed, "verify", "-", "--credential", signer.x509Cert)
				if code != exitNotValid || !strings.Contains(stdout, "document sha256: differs") {
					t.Errorf("changed: exit code %d: %s", code, stdout)
				}
			})
		}
	}
}
