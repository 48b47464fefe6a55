package main

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/ecogate/ecogate/internal/pkitest"
	"github.com/ecogate/ecogate/partners"
)

// TestRegistryEditsUnderLoadLoseNothing is TestRotationUnderLoadLosesNothing with edits of the registry in the place of reloads, and with
// others beside them that change nothing that a message is judged by.
func TestRegistryEditsUnderLoadLoseNothing(t *testing.T) {
	s := newSoak(t)
	for i := range 8 {
		s.flow(t, 3)
		s.rotateByEdits(t, s.sides[i%2], soakUses[i/2])
		for _, side := range s.sides {
			side.editPartner(t, func(p *partners.PartnerConfig) { p.Name = fmt.Sprint("edit ", i) })
		}
	}
	s.flow(t, 10)
	s.stop(t)
	for _, side := range s.sides {
		s.judge(t, side)
	}
}

var soakEdit = partners.Edit{By: "soak"}

// What the registry has taken the place of may be gone from the disk when the node starts again: keys that were replaced are destroyed.
func TestNodeStartsWithoutWhatWasReplaced(t *testing.T) {
	two := newPair(t)
	pki := pkitest.NewTest(t, pkitest.Options{Country: "KR", Organisation: "Demonstration Korea"})
	_, keyFile, chainFile := pki.IssueFiles("next", pkitest.Request{Name: "next", Use: pkitest.MessageSignature})
	cfg := loadSide(t, two.KR)
	i := slices.IndexFunc(cfg.Node.Keys, func(k partners.KeyConfig) bool { return slices.Contains(k.Uses, partners.UseMessageSignature) })
	old := cfg.Node.Keys[i]
	start := func() *runningNode {
		t.Helper()
		n, err := startNode(t.Context(), cfg, nodeOptions{Now: func() time.Time { return scriptTime }})
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	n := start()
	_, err := n.Directory.EditNode(t.Context(), soakEdit, func(k *partners.NodeKeys) error {
		k.Keys[i].KeyFile, k.Keys[i].ChainFile = keyFile, chainFile
		return nil
	})
	if err := errors.Join(err, n.Close(), os.Remove(old.KeyFile), os.Remove(old.ChainFile)); err != nil {
		t.Fatal(err)
	}
	n = start()
	own, err := n.Registry.Key(partners.UseMessageSignature, "", scriptTime)
	if err := errors.Join(err, n.Close()); err != nil || own.Chain[0].Subject.CommonName != "next" {
		t.Errorf("%v, %v", own.Chain, err)
	}
}

func (s *soak) rotateByEdits(t *testing.T, side *soakSide, use partners.Use) {
	t.Helper()
	key := side.issue(t, use)
	key.From = side.node.now()
	next := partners.CredentialConfig{Uses: key.Uses, File: key.ChainFile, From: key.From}
	credentials := func(p *partners.PartnerConfig) *[]partners.CredentialConfig {
		if use == partners.UseDocumentSignature {
			return &p.Issuers[0].Credentials
		}
		return &p.Credentials
	}
	before := 0
	side.other.editPartner(t, func(p *partners.PartnerConfig) {
		list := credentials(p)
		before = len(*list)
		*list = append(*list, next)
	})
	s.flow(t, 2)
	_, err := side.node.Directory.EditNode(t.Context(), soakEdit, func(k *partners.NodeKeys) error {
		own := &k.Keys
		if use == partners.UseDocumentSignature {
			own = &k.Issuers[0].Keys
		}
		*own = append(*own, key)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	s.turnOver(t)
	side.other.editPartner(t, func(p *partners.PartnerConfig) {
		for i, c := range (*credentials(p))[:before] {
			if c.Until.IsZero() && fmt.Sprint(c.Uses) == fmt.Sprint(writtenUses(use)) {
				(*credentials(p))[i].Until = side.node.now()
			}
		}
	})
}

func (side *soakSide) editPartner(t *testing.T, change func(p *partners.PartnerConfig)) {
	t.Helper()
	_, err := side.node.Directory.EditPartner(t.Context(), soakEdit, side.other.ID, func(p *partners.PartnerConfig) error {
		change(p)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
