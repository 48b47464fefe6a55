//go:build pkcs11

package main

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	mathbig "math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ecogate/ecogate/exchange"
	"github.com/ecogate/ecogate/internal/pkitest"
	"github.com/ecogate/ecogate/partners"
)

// TestPKCS11 has one token for all: SoftHSM reads where it lies once in a process.
func TestPKCS11(t *testing.T) {
	hsm := pkitest.NewToken(t)
	for _, test := range []struct {
		name string
		run  func(*testing.T, *pkitest.Token)
	}{
		{"a key signs the messages of a node", signsMessagesOfANode},
		{"a key signs XML", signsXML},
		{"the key of a node is replaced", replacesTheKeyOfANode},
	} {
		t.Run(test.name, func(t *testing.T) { test.run(t, hsm) })
	}
}

// signsMessagesOfANode runs two nodes, where the message key of KR and the key of its issuing bodies lie in
// SoftHSM and nowhere else. It delivers before and after a reload, which logs in to the token anew.
func signsMessagesOfANode(t *testing.T, hsm *pkitest.Token) {
	two := newPair(t)
	text, err := os.ReadFile(two.KR.ConfigFile)
	if err != nil {
		t.Fatal(err)
	}
	changed := string(text)
	for name, id := range map[string]string{"node": "0a01", "body-KCCI": "0a02", "body-MOIC": "0a03"} {
		file := filepath.Join(two.KR.Dir, "pki", name+".key")
		hsm.Import(t, file, name, id)
		if err := os.Remove(file); err != nil {
			t.Fatal(err)
		}
		token := "pkcs11: {module: " + hsm.Module + ", token_label: " + hsm.Label + ", pin_file: pin, key_label: " + name + ", key_id: " + id + "}"
		changed = strings.Replace(changed, "key_file: pki/"+name+".key", token, 1)
	}
	for name, content := range map[string]string{two.KR.ConfigFile: changed, filepath.Join(two.KR.Dir, "pin"): hsm.PIN + "\n"} {
		if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}

	receipted := make(chan struct{}, 2)
	tw := startSide(t, two.TW, nil)
	toTW := "ECOGATE_AGREEMENTS_0_ENDPOINT=" + tw.PartnerURL
	kr := startSide(t, two.KR, func(e exchange.Event) {
		if e.Step == "receipted" {
			receipted <- struct{}{}
		}
	}, toTW)
	if err := tw.Reload(loadSide(t, two.TW, "ECOGATE_AGREEMENTS_0_ENDPOINT="+kr.PartnerURL)); err != nil {
		t.Fatal(err)
	}
	for _, reference := range []string{"LA26010137", "LA26010138"} {
		if err := submit(t.Context(), kr, two.KR, reference); err != nil {
			t.Fatal(err)
		}
		select {
		case <-receipted:
		case <-time.After(20 * time.Second):
			t.Fatalf("%s was not receipted", reference)
		}
		if err := kr.Reload(loadSide(t, two.KR, toTW)); err != nil {
			t.Fatal(err)
		}
	}

	// Whoever tries a change, as each announcement of a partner does, uses the token that is open: it needs no PIN.
	if err := os.Remove(filepath.Join(two.KR.Dir, "pin")); err != nil {
		t.Fatal(err)
	}
	text, err = os.ReadFile(filepath.Join(two.TW.Dir, "pki", "node.pem"))
	if err != nil {
		t.Fatal(err)
	}
	staging := partners.Staging{Credential: partners.CredentialConfig{Uses: []partners.Use{partners.UseTLSClient}, PEM: string(text)}}
	if e, err := kr.Directory.Config().ExamineStaging("TW", staging, scriptTime); err != nil || len(e.Refused) > 0 {
		t.Errorf("%q, %v", e.Refused, err)
	}
}

// signsXML signs a document with a key that lies in SoftHSM and nowhere else.
func signsXML(t *testing.T, hsm *pkitest.Token) {
	signer := newSigner(t, pkitest.RSA2048)
	hsm.Import(t, signer.key, "offline", "0a07")
	if err := os.Remove(signer.key); err != nil {
		t.Fatal(err)
	}
	pin := filepath.Join(t.TempDir(), "pin")
	if err := os.WriteFile(pin, []byte(hsm.PIN+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	flags := []string{"sign", "-", "--pkcs11-module", hsm.Module, "--token-label", hsm.Label, "--pin-file", pin, "--key-label", "offline", "--chain", signer.x509Cert}
	for _, algorithm := range []string{"rsa-sha256", "sha256-rsa-MGF1"} {
		code, signed, stderr := xmlRun(t, ordinary, append(flags, "--algorithm", algorithm)...)
		if code != exitOK || !strings.Contains(signed, "#"+algorithm) {
			t.Fatalf("%s: exit code %d: %s", algorithm, code, stderr)
		}
		if code, stdout, _ := xmlRun(t, signed, "verify", "-", "--credential", signer.x509Cert); code != exitOK {
			t.Errorf("%s: %s", algorithm, stdout)
		}
	}
}

// replacesTheKeyOfANode replaces the message key of a running node by one in SoftHSM: a request and the CA's answer, staged,
// and active from a date on.
func replacesTheKeyOfANode(t *testing.T, hsm *pkitest.Token) {
	two := newPair(t)
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	if err := os.WriteFile(at("pin"), []byte(hsm.PIN+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	// The node has a key in the token from the beginning, so that its configuration names the token's library.
	hsm.Import(t, filepath.Join(two.KR.Dir, "pki", "body-MOIC.key"), "first", "0b02")
	text, err := os.ReadFile(two.KR.ConfigFile)
	if err != nil {
		t.Fatal(err)
	}
	inToken := "pkcs11: {module: " + hsm.Module + ", token_label: " + hsm.Label + ", pin_file: " + at("pin") + ", key_id: 0b02}"
	text = bytes.Replace(text, []byte("key_file: pki/body-MOIC.key"), []byte(inToken), 1)
	if err := os.WriteFile(two.KR.ConfigFile, text, 0o600); err != nil {
		t.Fatal(err)
	}
	kr := startSide(t, two.KR, nil)
	t.Setenv("ECOGATE_API_URL", kr.APIURL)
	t.Setenv("ECOGATE_API_KEY_FILE", two.KR.KeyFile("operator"))
	do := func(want int, args ...string) string {
		t.Helper()
		var out, errOut bytes.Buffer
		code := (&cli{in: strings.NewReader(""), out: &out, errOut: &errOut, now: func() time.Time { return scriptTime }}).run(t.Context(), args)
		if code != want {
			t.Fatalf("ecogate %s: exit code %d, want %d\n%s%s", strings.Join(args, " "), code, want, out.String(), errOut.String())
		}
		return out.String() + errOut.String()
	}
	tell := func(text, want string) {
		t.Helper()
		if !strings.Contains(text, want) {
			t.Errorf("the output holds no %q:\n%s", want, text)
		}
	}
	token := func(args ...string) []string {
		return append(args, "--pkcs11-module", hsm.Module, "--token-label", hsm.Label, "--pin-file", at("pin"), "--key-id", "0b01")
	}

	tell(do(exitUsage, token("key", "new", "--type", "RSA-3072")...), "--key-label is missing")
	tell(do(exitUsage, token("key", "new", "--type", "Ed25519", "--key-label", "next")...), "does not make keys of this type")
	tell(do(exitUsage, token("key", "new", "--type", "P-256", "--key-label", "next", "--out", at("new.key"))...), "--out excludes")
	tell(do(exitOK, token("key", "new", "--type", "RSA-3072", "--key-label", "next")...), "RSA 3072")
	tell(do(exitFailure, token("key", "new", "--type", "P-256", "--key-label", "other")...), "already")
	tell(do(exitOK, token("key", "csr", "--subject", "CN=KR Gateway 2027,C=KR", "--out", at("new.csr"))...), "CN=KR Gateway 2027")
	tell(do(exitUsage, "key", "csr", "--subject", "CN=X", "--out", at("no.csr"), "--pkcs11-module", hsm.Module), "--token-label is required")
	writeAnswer(t, at("new.csr"), at("answer.pem"))
	tell(do(exitOK, token("key", "import", "--chain", at("answer.pem"), "--out", at("new"))...), hsm.Label)

	tell(do(exitUsage, token("key", "stage", "a.key", "--chain", at("new.pem"), "--use", "message-signature")...), `"a.key" is one too many`)
	tell(do(exitRefused, token("key", "stage", "--chain", filepath.Join(two.KR.Dir, "pki", "body-KCCI.pem"), "--use", "message-signature", "--dry-run")...), hsm.Label)
	tell(do(exitOK, token("key", "stage", "--chain", at("new.pem"), "--use", "message-signature")...), "staged, by-hand")
	date := scriptTime.Add(72 * time.Hour).Format(time.RFC3339)
	tell(do(exitOK, "key", "activate", at("new.pem"), "--at", date), date)
	list := do(exitOK, "key", "list")
	tell(list, "CN=KR Gateway 2027")
	tell(list, date)
}

// writeAnswer is the CA that answers a certification request with a credential.
func writeAnswer(t *testing.T, request, answer string) {
	t.Helper()
	text, err := os.ReadFile(request)
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(text)
	asked, err := x509.ParseCertificateRequest(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	ca, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: mathbig.NewInt(7), Subject: asked.Subject, NotBefore: scriptTime.Add(-time.Hour), NotAfter: scriptTime.Add(8760 * time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature,
	}
	issuer := &x509.Certificate{Subject: pkix.Name{CommonName: "Korea CA"}}
	der, err := x509.CreateCertificate(rand.Reader, template, issuer, asked.PublicKey, ca)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(answer, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
}
