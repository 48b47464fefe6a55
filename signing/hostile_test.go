package signing_test

import (
	"bytes"
	"encoding/base64"
	"encoding/pem"
	"encoding/xml"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ecogate/ecogate/signing"
)

var update = flag.Bool("update", false, "write the hostile messages and documents anew, with a new key")

var hostileFolder = filepath.Join("..", "testdata", "hostile", "signing")

// kinds are the words that the hostile files use for what they expect.
var kinds = map[string]error{
	"none": nil, "ErrUnsigned": signing.ErrUnsigned, "ErrUnknownSigner": signing.ErrUnknownSigner, "ErrDigest": signing.ErrDigest,
	"ErrSignature": signing.ErrSignature, "ErrTimeStamp": signing.ErrTimeStamp, "ErrPolicy": signing.ErrPolicy, "ErrMalformed": signing.ErrMalformed,
}

// hostileFile is a header of "key: value" lines, an empty line and what is to be verified.
type hostileFile struct {
	kind, expect, reason string
	parts                []signing.Part
	body                 []byte
}

func readHostile(tb testing.TB, path string) hostileFile {
	tb.Helper()
	header, body, found := bytes.Cut(read(tb, path), []byte("\n\n"))
	if !found {
		tb.Fatalf("%s has no header", path)
	}
	file := hostileFile{body: body}
	for line := range strings.Lines(string(header)) {
		key, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), ": ")
		switch key {
		case "kind":
			file.kind = value
		case "about": // for the reader
		case "expect":
			file.expect = value
		case "reason":
			file.reason = value
		case "part":
			uri, content, _ := strings.Cut(value, " ")
			octets, err := base64.StdEncoding.DecodeString(content)
			if err != nil {
				tb.Fatalf("%s: %v", path, err)
			}
			file.parts = append(file.parts, signing.Part{URI: uri, Content: bytes.NewReader(octets)})
		default:
			tb.Fatalf("%s: unknown header %q", path, key)
		}
	}
	return file
}

// TestHostileFilesAreRefused verifies every file of the corpus with the credential that stands beside them.
func TestHostileFilesAreRefused(t *testing.T) {
	if *update {
		writeHostile(t)
	}
	refuseHostile(t, hostileFolder)
}

// refuseHostile verifies every file of a folder with the credentials that stand beside them.
func refuseHostile(t *testing.T, folder string) {
	t.Helper()
	candidates, err := signing.ReadCredentials(read(t, filepath.Join(folder, "credential.pem")))
	if err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(folder, "*.txt"))
	if err != nil || len(files) == 0 {
		t.Fatal("no files", err)
	}
	for _, path := range files {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".txt"), func(t *testing.T) {
			file := readHostile(t, path)
			want, known := kinds[file.expect]
			if !known {
				t.Fatalf("unknown expectation %q", file.expect)
			}
			if file.kind == "message" {
				_, err = signing.VerifyMessage(file.body, file.parts, candidates, signing.Policy{})
			} else {
				_, err = signing.VerifyDocument(file.body, documentPath, candidates, signing.Policy{})
			}
			if !errors.Is(err, want) || err != nil && !strings.Contains(err.Error(), file.reason) {
				t.Errorf("got  %v\nwant %v with %q", err, want, file.reason)
			}
		})
	}
}

// writeHostile makes the corpus: a valid message and document, and what attackers make of them.
func writeHostile(t *testing.T) {
	t.Helper()
	key, attacker := keyOf(t, rsaKey), keyOf(t, otherRSAKey)
	message := string(craft(t, crafted{}, key))
	signed, err := signing.SignDocument([]byte(document), documentPath, key)
	if err != nil {
		t.Fatal(err)
	}
	var cases []hostileCase
	cases = append(cases, wrapped(message)...)
	cases = append(cases, edited(message)...)
	cases = append(cases, signedBadly(t, key, attacker)...)
	cases = append(cases, hostileDocuments(string(signed))...)
	writeCases(t, hostileFolder, cases, key)
}

// writeCases writes a folder anew: the cases, and the credentials that they are verified with.
func writeCases(t *testing.T, folder string, cases []hostileCase, keys ...signing.Key) {
	t.Helper()
	if err := os.MkdirAll(folder, 0o755); err != nil {
		t.Fatal(err)
	}
	old, _ := filepath.Glob(filepath.Join(folder, "*.txt"))
	for _, path := range old {
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
	}
	var credentials []byte
	for _, key := range keys {
		credentials = append(credentials, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: key.Chain[0].Raw})...)
	}
	if err := os.WriteFile(filepath.Join(folder, "credential.pem"), credentials, 0o644); err != nil {
		t.Fatal(err)
	}
	for _, c := range cases {
		header := ""
		if c.about != "" {
			header = "about: " + c.about + "\n"
		}
		header += fmt.Sprintf("kind: %s\nexpect: %s\n", c.kind, c.expect)
		if c.reason != "" {
			header += "reason: " + c.reason + "\n"
		}
		for _, part := range c.parts {
			header += "part: " + part.URI + " " + base64.StdEncoding.EncodeToString(octetsOf(part)) + "\n"
		}
		if err := os.WriteFile(filepath.Join(folder, c.name+".txt"), []byte(header+"\n"+c.body), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func TestVerifyDocumentReadsWhatSignDocumentWrites(t *testing.T) {
	for name, path := range map[string][]xml.Name{"deep": documentPath, "root": documentPath[:1]} {
		t.Run(name, func(t *testing.T) {
			key := keyOf(t, p256Key)
			signed, err := signing.SignDocument([]byte(document), path, key)
			if err != nil {
				t.Fatal(err)
			}
			verified, err := signing.VerifyDocument(signed, path, key.Chain, signing.Policy{})
			if err != nil {
				t.Fatal(err)
			}
			want, err := signing.Canonicalize([]byte(document))
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(verified.Octets, want) || verified.Signer != key.Chain[0] {
				t.Errorf("octets\n%s\nwant\n%s", verified.Octets, want)
			}
			if _, err := signing.SignDocument(signed, path, key); !errors.Is(err, signing.ErrMalformed) {
				t.Errorf("signed again: %v", err)
			}
			changed := bytes.Replace(signed, []byte("KE-2026-1"), []byte("KE-2026-2"), 1)
			if _, err := signing.VerifyDocument(changed, path, key.Chain, signing.Policy{}); !errors.Is(err, signing.ErrDigest) {
				t.Errorf("changed: %v", err)
			}
			above := append([]xml.Name{{Local: "above"}}, path...)
			for _, other := range [][]xml.Name{path[:len(path)-1], above} {
				if _, err := signing.VerifyDocument(signed, other, key.Chain, signing.Policy{}); !errors.Is(err, signing.ErrMalformed) {
					t.Errorf("expected at %v: %v", other, err)
				}
			}
		})
	}
}

func TestSignDocumentRefusesPlaces(t *testing.T) {
	key := keyOf(t, p256Key)
	for _, test := range []struct {
		name, doc string
		path      []xml.Name
	}{
		{"absent", "<a><c/></a>", []xml.Name{{Local: "a"}, {Local: "b"}}},
		{"twice", "<a><b/><b/></a>", []xml.Name{{Local: "a"}, {Local: "b"}}},
		{"deeper", "<x><a><b/></a></x>", []xml.Name{{Local: "a"}, {Local: "b"}}},
		{"other namespace", `<a><b xmlns="urn:b"/></a>`, []xml.Name{{Local: "a"}, {Local: "b"}}},
		{"no path", "<a/>", nil},
		{"instruction inside", "<a><?pi?></a>", []xml.Name{{Local: "a"}}},
		{"not XML", "<a>", []xml.Name{{Local: "a"}}},
	} {
		t.Run(test.name, func(t *testing.T) {
			if _, err := signing.SignDocument([]byte(test.doc), test.path, key); !errors.Is(err, signing.ErrMalformed) {
				t.Errorf("got %v", err)
			}
		})
	}
}
