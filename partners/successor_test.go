package partners_test

import (
	"slices"
	"testing"

	"github.com/ecogate/ecogate/internal/pkitest"
	"github.com/ecogate/ecogate/partners"
)

func TestSuccessorsAreOwnKeysWhoseTimeHasYetToCome(t *testing.T) {
	w := newWorld(t)
	uses := []partners.Use{partners.UseMessageSignature, partners.UseTLSClient}
	add := func(name string, change func(*partners.KeyConfig)) {
		_, keyFile, chainFile := w.pki["kr"].IssueFiles(name, pkitest.Request{Name: name, Use: pkitest.MessageSignature, NotBefore: spring, NotAfter: autumn.AddDate(1, 0, 0)})
		key := partners.KeyConfig{Uses: uses, KeyFile: keyFile, ChainFile: chainFile}
		change(&key)
		w.config.Node.Keys = append(w.config.Node.Keys, key)
	}
	w.config.Node.Keys[0].Until = autumn.AddDate(0, 0, 14) // message-signature
	add("next", func(k *partners.KeyConfig) { k.From = autumn })
	add("without a date", func(k *partners.KeyConfig) { k.Activate = partners.ActivateByHand })
	registry := w.open(t)
	got := registry.Successors(summer)
	if len(got) != 1 || got[0].Key.Chain[0].Subject.CommonName != "next" || !slices.Equal(got[0].Uses, uses) || got[0].Body != "" || !got[0].From.Equal(autumn) {
		t.Fatalf("successors %+v", got)
	}
	if !got[0].OldUntil.After(autumn) || got[0].Key.Signer == nil {
		t.Errorf("the old one ends %s", got[0].OldUntil)
	}
	if got = registry.Successors(autumn); len(got) != 0 {
		t.Errorf("at its time %+v", got)
	}
	if staged := registry.Staged("", partners.UseMessageSignature, summer); len(staged) != 2 {
		t.Errorf("staged %s", names(staged))
	}
	if staged := registry.Staged("tw", partners.UseMessageSignature, summer); len(staged) != 0 {
		t.Errorf("staged of tw %s", names(staged))
	}
}
