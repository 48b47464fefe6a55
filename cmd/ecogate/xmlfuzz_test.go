package main

import (
	"bytes"
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ecogate/ecogate/internal/pkitest"
	"github.com/ecogate/ecogate/partners"
	"github.com/ecogate/ecogate/signing"
)

// FuzzXMLFile: whatever a file holds, c14n ends with a canonical form that is its own canonical form or with a place and a
// rule; verify ends with a report that a terminal shows as it is and calls nothing valid that has a digest amiss; and what
// sign writes verifies.
func FuzzXMLFile(f *testing.F) {
	for _, pattern := range []string{"../../testdata/certificates/*.xml", "../../testdata/answers/*.xml"} {
		files, err := filepath.Glob(pattern)
		if err != nil || len(files) == 0 {
			f.Fatalf("no files %s: %v", pattern, err)
		}
		for _, file := range files {
			f.Add(string(readFile(f, file)), "")
		}
	}
	refused, err := filepath.Glob(xmlFiles)
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range refused {
		_, doc, _ := strings.Cut(string(readFile(f, file)), "\n\n")
		f.Add(doc, "")
	}
	for _, doc := range hostileDocuments(f) {
		f.Add(doc, "")
	}
	f.Add(ordinary, "/CertificateOfOrigin/ext:Extensions")
	f.Add(`<a><b Id="s"/><c ID="s"/></a>`, "s")
	files := newSigner(f, pkitest.P256)
	key, err := partners.ReadKey(partners.KeyConfig{KeyFile: files.key, ChainFile: files.x509Cert})
	if err != nil {
		f.Fatal(err)
	}
	given, err := readCandidates("credential", []string{files.x509Cert})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, doc, wanted string) {
		fuzzC14N(t, doc, wanted)
		fuzzVerify(t, doc, nil)
		fuzzVerify(t, doc, given)
		at := ""
		if strings.HasPrefix(wanted, "/") {
			at = wanted
		}
		signed, err := (&cli{now: time.Now}).signDocument(t.Context(), []byte(doc), at, key, false)
		if err != nil {
			code, _, stderr := onDocument("", func(c *cli) error { return c.refuseDocument("-", err) })
			checkRefusal(t, code, string(signed), stderr)
			return
		}
		if code, report := fuzzVerify(t, string(signed), given); code != exitOK {
			t.Fatalf("signed, and exit code %d: %s", code, report)
		}
	})
}

// onDocument runs what a verb does after its command line was read.
func onDocument(doc string, verb func(*cli) error) (code int, stdout, stderr string) {
	var out, errOut bytes.Buffer
	c := &cli{in: strings.NewReader(doc), out: &out, errOut: &errOut}
	err := verb(c)
	if err != nil && !errors.Is(err, errNotValid) {
		c.complain(err)
	}
	return exitCode(err), out.String(), errOut.String()
}

func fuzzVerify(t *testing.T, doc string, given []candidate) (code int, stdout string) {
	t.Helper()
	code, stdout, stderr := onDocument(doc, func(c *cli) error { return c.verifyDocument("-", given, sha1Policy()) })
	if !onlyPrintable(stdout + stderr) {
		t.Fatalf("%q steers the terminal", stdout+stderr)
	}
	last := lastLine(stdout)
	if (code == exitOK) != strings.HasPrefix(last, "valid") || (code == exitNotValid) != strings.HasPrefix(last, "not valid: ") {
		t.Fatalf("exit code %d: %s%s", code, stdout, stderr)
	}
	if code == exitOK && strings.Count(stdout, "\nreference ") != strings.Count(stdout, ": matches\n") {
		t.Fatalf("valid, but %s", stdout)
	}
	return code, stdout
}

func fuzzC14N(t *testing.T, doc, id string) {
	t.Helper()
	for _, o := range []signing.CanonicalOptions{
		{}, {Exclusive: true}, {Exclusive: true, Prefixes: []string{"#default", "p"}}, {ID: id}, {ID: id, Exclusive: true},
	} {
		code, canonical, stderr := onDocument(doc, func(c *cli) error { return c.canonicalize("-", o) })
		if code != exitOK {
			checkRefusal(t, code, canonical, stderr)
			continue
		}
		code, again, stderr := onDocument(canonical, func(c *cli) error {
			return c.canonicalize("-", signing.CanonicalOptions{Exclusive: o.Exclusive, Prefixes: o.Prefixes})
		})
		if code != exitOK || again != canonical {
			t.Fatalf("%+v: exit code %d, %q becomes %q: %s", o, code, canonical, again, stderr)
		}
	}
}

func checkRefusal(t *testing.T, code int, stdout, stderr string) {
	t.Helper()
	if code != exitNotValid || stdout != "" || !refusal.MatchString(stderr) || !onlyPrintable(stderr) {
		t.Fatalf("exit code %d: %q, %q", code, stdout, stderr)
	}
}
