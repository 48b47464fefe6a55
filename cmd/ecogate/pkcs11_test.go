//go:build pkcs11

package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ecogate/ecogate/exchange"
	"github.com/ecogate/ecogate/internal/pkitest"
	"github.com/ecogate/ecogate/partners"
)

// TestPKCS11KeySignsTheMessagesOfANode runs two nodes, where the message key of KR and the key of its issuing bodies lie in
// SoftHSM and nowhere else. It delivers before and after a reload, which logs in to the token anew.
func TestPKCS11KeySignsTheMessagesOfANode(t *testing.T) {
	hsm := pkitest.NewToken(t)
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

// TestXMLSignWithAKeyInAToken signs a document with a key that lies in SoftHSM and nowhere else.
func TestXMLSignWithAKeyInAToken(t *testing.T) {
	hsm := pkitest.NewToken(t)
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
