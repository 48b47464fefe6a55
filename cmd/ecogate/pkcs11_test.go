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
}
