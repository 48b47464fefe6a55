package partners_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ecogate/ecogate/internal/pkitest"
	"github.com/ecogate/ecogate/partners"
	"github.com/ecogate/ecogate/store/bolt"
)

// desk is a Directory over a store that can be opened again.
type desk struct {
	*partners.Directory
	world    *world
	registry *partners.Registry
	store    *bolt.Store
	dir      string
	log      *bytes.Buffer
}

func newDesk(t *testing.T) *desk {
	t.Helper()
	d := &desk{world: newWorld(t), dir: t.TempDir()}
	d.start(t)
	return d
}

// start opens store, registry and directory as a process does, after closing those of the one before.
func (d *desk) start(t *testing.T) {
	t.Helper()
	if err := d.tryStart(t); err != nil {
		t.Fatal(err)
	}
}

func (d *desk) tryStart(t *testing.T) error {
	t.Helper()
	if d.store != nil {
		if err := d.store.Close(); err != nil {
			t.Fatal(err)
		}
	}
	now := func() time.Time { return summer }
	var err error
	if d.store, err = bolt.Open(d.dir, bolt.Options{Now: now}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.store.Close() })
	d.registry, d.log = d.world.open(t), new(bytes.Buffer)
	d.Directory, err = partners.NewDirectory(t.Context(), d.world.config, partners.DirectoryOptions{
		Store: d.store, Registry: d.registry, Now: now, Log: slog.New(slog.NewTextHandler(d.log, nil)),
	})
	return err
}

func (d *desk) rename(t *testing.T, e partners.Edit, name string) (partners.Entry, error) {
	t.Helper()
	return d.EditPartner(t.Context(), e, "tw", func(p *partners.PartnerConfig) error {
		p.Name = name
		return nil
	})
}

// nameOf is what the registry calls partner tw.
func (d *desk) nameOf(id string) string {
	p, _ := d.registry.Partner(id)
	return p.Name
}

var byOperator = partners.Edit{By: "operator", Why: "letter of 2026-06-30"}

func TestEditIsInForceAtOnceAndAfterARestart(t *testing.T) {
	d := newDesk(t)
	before := d.registry.Snapshot()
	e, err := d.rename(t, byOperator, "Taiwan")
	if err != nil {
		t.Fatal(err)
	}
	if e.Version != 1 || e.By != "operator" || e.Why != byOperator.Why || !e.At.Equal(summer) || e.FileSHA256 == "" {
		t.Errorf("entry %+v", e)
	}
	if p, _ := before.Partner("tw"); p.Name != "Customs of tw" {
		t.Errorf("the state before calls the partner %q", p.Name)
	}
	for range 2 {
		if name := d.nameOf("tw"); name != "Taiwan" {
			t.Errorf("the partner is called %q", name)
		}
		if got := names(d.registry.Credentials("tw", partners.UseMessageSignature, summer)); got != "tw message-signature" {
			t.Errorf("credentials %q", got)
		}
		if c := d.Config(); c.Partners[0].Name != "Taiwan" || c.Partners[1].ID != "my" || len(c.Partners) != 2 {
			t.Errorf("effective partners %+v", c.Partners)
		}
		d.start(t)
	}
}

// The first edit copies what the files hold, so that the entry stands on its own.
func TestEditedPartnerNeedsItsFilesNoMore(t *testing.T) {
	d := newDesk(t)
	e, err := d.rename(t, byOperator, "Taiwan")
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(e.Text, "_file") || strings.Contains(e.Text, "file:") || strings.Count(e.Text, "pem: |") != len(usesOf("tw"))+1 {
		t.Errorf("text\n%s", e.Text)
	}
	if err := os.Remove(d.world.file("tw", "root.pem")); err != nil {
		t.Fatal(err)
	}
	d.world.config.Partners = d.world.config.Partners[1:] // the registry of New reads the file's alone
	d.world.config.Agreements[0], d.world.config.Agreements[1] = d.world.config.Agreements[1], d.world.config.Agreements[0]
	d.world.config.Agreements = d.world.config.Agreements[:1]
	d.start(t)
	if got := names(d.registry.Credentials("tw", partners.UseTLSClient, summer)); got != "tw tls-client" {
		t.Errorf("credentials %q", got)
	}
}

func TestTwoEditorsWithOneBase(t *testing.T) {
	for _, base := range []uint64{partners.BaseFile, 1} {
		t.Run(fmt.Sprint(base), func(t *testing.T) {
			d := newDesk(t)
			if base == 1 {
				if _, err := d.rename(t, byOperator, "first"); err != nil {
					t.Fatal(err)
				}
			}
			const editors = 4
			results := make([]error, editors)
			var wait sync.WaitGroup
			for i := range editors {
				wait.Go(func() {
					_, results[i] = d.rename(t, partners.Edit{By: fmt.Sprint("editor ", i), Base: base}, fmt.Sprint("name ", i))
				})
			}
			wait.Wait()
			winner := -1
			for i, err := range results {
				switch {
				case err == nil && winner >= 0:
					t.Error("two editors won")
				case err == nil:
					winner = i
				case !errors.Is(err, partners.ErrStale):
					t.Error(err)
				}
			}
			if name := d.nameOf("tw"); name != fmt.Sprint("name ", winner) {
				t.Errorf("editor %d won, the partner is called %q", winner, name)
			}
		})
	}
}

func TestEditThatBreaksTheConfigurationWritesNothing(t *testing.T) {
	d := newDesk(t)
	tests := []struct {
		name, key, text string
		edit            func() (partners.Entry, error)
	}{
		{"country", "partner tw.country", "is not a country", func() (partners.Entry, error) {
			return d.EditPartner(t.Context(), byOperator, "tw", func(p *partners.PartnerConfig) error { p.Country = "Taiwan"; return nil })
		}},
		{"id", "partner tw.id", "cannot be changed", func() (partners.Entry, error) {
			return d.EditPartner(t.Context(), byOperator, "tw", func(p *partners.PartnerConfig) error { p.ID = "TW"; return nil })
		}},
		{"what an agreement needs", "agreements[0].partner", "not an id in partners", func() (partners.Entry, error) {
			return d.Remove(t.Context(), byOperator, partners.KindPartner, "tw")
		}},
		{"another's key", fmt.Sprintf("partner my.credentials[%d].pem", len(usesOf("my"))), "the same key is configured for partner \"tw\"", func() (partners.Entry, error) {
			return d.EditPartner(t.Context(), byOperator, "my", func(p *partners.PartnerConfig) error {
				p.AnchorFiles = append(p.AnchorFiles, d.world.file("tw", "root.pem"))
				p.Anchors = append(p.Anchors, string(read(t, d.world.file("tw", "root.pem"))))
				p.Credentials = append(p.Credentials, partners.CredentialConfig{Uses: []partners.Use{partners.UseTLSClient}, File: d.world.file("tw", "tls-client.pem")})
				return nil
			})
		}},
		{"the node's key", "node node.issuers[0]", "", func() (partners.Entry, error) {
			return d.EditNode(t.Context(), byOperator, func(k *partners.NodeKeys) error {
				k.Issuers[0].Keys[0].KeyFile = d.world.file("kr", "tls-client.key")
				return nil
			})
		}},
		{"text", "line 1: nmae", "did you mean \"name\"?", func() (partners.Entry, error) {
			return d.Put(t.Context(), byOperator, partners.KindPartner, "tw", "nmae: x\n")
		}},
		{"file", "anchor_files[0]", "names a file", func() (partners.Entry, error) {
			return d.Put(t.Context(), byOperator, partners.KindPartner, "vn", "id: vn\nanchor_files: [/etc/passwd]\n")
		}},
		{"private key", "partner tw.credentials[0].pem", "private key", func() (partners.Entry, error) {
			return d.EditPartner(t.Context(), byOperator, "tw", func(p *partners.PartnerConfig) error {
				p.Credentials[0].PEM = string(read(t, d.world.file("tw", "tls-client.key")))
				return nil
			})
		}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := test.edit()
			var wrong *partners.ConfigError
			if !errors.As(err, &wrong) {
				t.Fatalf("%v, want a *ConfigError", err)
			}
			for _, p := range wrong.Problems {
				if strings.HasPrefix(p.Key, test.key) && strings.Contains(p.Text, test.text) {
					return
				}
			}
			t.Errorf("no problem of %s with %q in\n%v", test.key, test.text, err)
		})
	}
	if list, err := d.store.Entries(t.Context()); err != nil || len(list) != 0 {
		t.Errorf("entries %v, %v", list, err)
	}
	if records, err := d.store.Audit(t.Context(), 0, 0); err != nil || len(records) != 0 {
		t.Errorf("audit records %v, %v", records, err)
	}
	if name := d.nameOf("tw"); name != "Customs of tw" {
		t.Errorf("the partner is called %q", name)
	}
}

func read(t *testing.T, file string) []byte {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func TestRestOfTheFileIsKeptTo(t *testing.T) {
	d := newDesk(t)
	file := d.world.config
	file.Rest = func(c partners.Config) []partners.Problem {
		for i, p := range c.Partners {
			if p.Concurrency > 8 {
				return []partners.Problem{{Key: fmt.Sprintf("partners[%d].concurrency", i), Text: "is more than delivery.workers (8)"}}
			}
		}
		return nil
	}
	if err := d.Reload(file); err != nil {
		t.Fatal(err)
	}
	_, err := d.EditPartner(t.Context(), byOperator, "my", func(p *partners.PartnerConfig) error { p.Concurrency = 9; return nil })
	if err == nil || !strings.Contains(err.Error(), "partner my.concurrency: is more than delivery.workers (8)") {
		t.Errorf("%v", err)
	}
}

func TestDryRunChecksAndChangesNothing(t *testing.T) {
	d := newDesk(t)
	dry := byOperator
	dry.DryRun = true
	e, err := d.rename(t, dry, "Taiwan")
	if err != nil || e.Version != 1 || !strings.Contains(e.Text, "name: Taiwan") {
		t.Errorf("%+v, %v", e, err)
	}
	if _, err := d.EditPartner(t.Context(), dry, "tw", func(p *partners.PartnerConfig) error { p.Country = "x"; return nil }); err == nil {
		t.Error("a dry run found nothing wrong")
	}
	if list, err := d.store.Entries(t.Context()); err != nil || len(list) != 0 || d.nameOf("tw") != "Customs of tw" {
		t.Errorf("entries %v, %v; the partner is called %q", list, err, d.nameOf("tw"))
	}
}

func TestEditWithoutDifferenceIsNone(t *testing.T) {
	d := newDesk(t)
	if e, err := d.rename(t, byOperator, "Customs of tw"); err != nil || e.Version != 0 {
		t.Errorf("%+v, %v", e, err)
	}
	for range 2 {
		if e, err := d.rename(t, byOperator, "Taiwan"); err != nil || e.Version != 1 {
			t.Errorf("%+v, %v", e, err)
		}
	}
}

// failingStore fails after the entry is durable, as a process that ends there does.
type failingStore struct {
	*bolt.Store
	after error
}

func (s failingStore) PutEntry(ctx context.Context, e partners.Entry) error {
	if err := s.Store.PutEntry(ctx, e); err != nil {
		return err
	}
	if err, ok := s.after.(interface{ crash() }); ok {
		err.crash()
	}
	return s.after
}

type crash struct{ error }

func (c crash) crash() { panic(c) }

func TestDurableEntryIsInForceAfterACrash(t *testing.T) {
	d := newDesk(t)
	directory, err := partners.NewDirectory(t.Context(), d.world.config, partners.DirectoryOptions{
		Store: failingStore{d.store, crash{errors.New("kill")}}, Registry: d.registry, Now: func() time.Time { return summer },
	})
	if err != nil {
		t.Fatal(err)
	}
	func() {
		defer func() {
			if recover() == nil {
				t.Error("nothing crashed")
			}
		}()
		_, _ = directory.EditPartner(t.Context(), byOperator, "tw", func(p *partners.PartnerConfig) error { p.Name = "Taiwan"; return nil })
	}()
	if name := d.nameOf("tw"); name != "Customs of tw" {
		t.Errorf("before the restart the partner is called %q", name)
	}
	d.start(t)
	if name := d.nameOf("tw"); name != "Taiwan" {
		t.Errorf("after the restart the partner is called %q", name)
	}
}

func TestStoreThatFailsAfterWritingIsFollowed(t *testing.T) {
	d := newDesk(t)
	directory, err := partners.NewDirectory(t.Context(), d.world.config, partners.DirectoryOptions{
		Store: failingStore{d.store, errors.New("last sync")}, Registry: d.registry, Now: func() time.Time { return summer },
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := directory.EditPartner(t.Context(), byOperator, "tw", func(p *partners.PartnerConfig) error { p.Name = "Taiwan"; return nil }); err == nil {
		t.Error("the store's error was lost")
	}
	if name := d.nameOf("tw"); name != "Taiwan" {
		t.Errorf("the partner is called %q, the store has Taiwan", name)
	}
}

func TestVersionsAreRestored(t *testing.T) {
	d := newDesk(t)
	for _, name := range []string{"first", "second"} {
		if _, err := d.rename(t, byOperator, name); err != nil {
			t.Fatal(err)
		}
	}
	for _, test := range []struct {
		version, becomes uint64
		name             string
	}{{1, 3, "first"}, {0, 4, "Customs of tw"}, {2, 5, "second"}} {
		e, err := d.Restore(t.Context(), byOperator, partners.KindPartner, "tw", test.version)
		if err != nil || e.Version != test.becomes || d.nameOf("tw") != test.name {
			t.Errorf("restoring %d: version %d, %v; the partner is called %q", test.version, e.Version, err, d.nameOf("tw"))
		}
	}
	if _, err := d.Restore(t.Context(), byOperator, partners.KindPartner, "tw", 9); !errors.Is(err, partners.ErrUnknownEntry) {
		t.Errorf("%v, want ErrUnknownEntry", err)
	}
	list, err := d.Versions(t.Context(), partners.KindPartner, "tw")
	if err != nil || len(list) != 6 || list[0].Version != 0 || list[5].Version != 5 {
		t.Errorf("%d versions, %v", len(list), err)
	}
}

func TestPartnerIsAddedAndRemoved(t *testing.T) {
	d := newDesk(t)
	d.world.pki["vn"] = pkitest.NewTest(t, pkitest.Options{Country: "VN", Organisation: "Customs vn"})
	text := "# from the letter\nid: vn\ncountry: VN\nparty_ids:\n- {type: country, value: VN}\nanchors:\n- |\n  " +
		strings.ReplaceAll(strings.TrimSpace(string(read(t, d.world.file("vn", "root.pem")))), "\n", "\n  ") + "\n"
	e, err := d.Put(t.Context(), partners.Edit{By: "operator", Base: partners.BaseFile}, partners.KindPartner, "vn", text)
	if err != nil || e.Version != 1 {
		t.Fatalf("%+v, %v", e, err)
	}
	agreed, err := d.Put(t.Context(), byOperator, partners.KindAgreement, "cpa-vn",
		"cpa_id: cpa-vn\npartner: vn\nforms: [NON-PREFERENTIAL]\nservice: {value: 'urn:services:eco'}\naction: Submit\nendpoint: https://vn.example/ebms\n")
	if err != nil {
		t.Fatal(err)
	}
	if a, err := d.registry.Outbound("vn", form, summer); err != nil || a.CPAID != agreed.ID {
		t.Errorf("agreement %q, %v", a.CPAID, err)
	}
	if list := d.Entries(partners.KindPartner); len(list) != 3 || list[2].ID != "vn" || list[2].Version != 1 || list[0].Version != 0 {
		t.Errorf("entries %v", list)
	}
	for _, id := range []string{"cpa-vn", "cpa-tw"} {
		if _, err := d.Remove(t.Context(), byOperator, partners.KindAgreement, id); err != nil {
			t.Fatal(err)
		}
	}
	for _, id := range []string{"vn", "tw"} { // the file still has tw
		if e, err := d.Remove(t.Context(), byOperator, partners.KindPartner, id); err != nil || !e.Removed || e.Text != "" {
			t.Errorf("%+v, %v", e, err)
		}
	}
	for range 2 {
		if len(d.registry.Partners()) != 1 || len(d.Config().Agreements) != 1 {
			t.Errorf("partners %v, agreements %v", d.registry.Partners(), d.Config().Agreements)
		}
		d.start(t)
	}
	if _, err := d.rename(t, byOperator, "x"); !errors.Is(err, partners.ErrUnknownEntry) {
		t.Errorf("editing one that was removed: %v", err)
	}
	if e, err := d.Current(partners.KindPartner, "tw"); err != nil || !e.Removed {
		t.Errorf("%+v, %v", e, err)
	}
	if _, err := d.Current(partners.KindPartner, "nobody"); !errors.Is(err, partners.ErrUnknownEntry) {
		t.Errorf("%v", err)
	}
	if _, err := d.Restore(t.Context(), byOperator, partners.KindPartner, "tw", 0); err != nil || d.nameOf("tw") != "Customs of tw" {
		t.Errorf("%v; the partner is called %q", err, d.nameOf("tw"))
	}
}

func TestNodeKeysAreEdited(t *testing.T) {
	d := newDesk(t)
	_, key, chain := d.world.pki["kr"].IssueFiles("next", pkitest.Request{Name: "kr next", Use: pkitest.Use(partners.UseMessageSignature)})
	e, err := d.EditNode(t.Context(), byOperator, func(k *partners.NodeKeys) error {
		k.Keys = append(k.Keys, partners.KeyConfig{Uses: []partners.Use{partners.UseMessageSignature}, KeyFile: key, ChainFile: chain, From: spring})
		return nil
	})
	if err != nil || e.ID != partners.NodeID || strings.Contains(e.Text, "PRIVATE") {
		t.Fatalf("%+v, %v", e, err)
	}
	for range 2 {
		own, err := d.registry.Key(partners.UseMessageSignature, "", summer)
		if err != nil || own.Chain[0].Subject.CommonName != "kr next" {
			t.Errorf("%v, %v", own.Chain[0].Subject, err)
		}
		if _, err := d.registry.Key(partners.UseDocumentSignature, "BODY", summer); err != nil {
			t.Error(err)
		}
		d.start(t)
	}
	if _, err := d.Remove(t.Context(), byOperator, partners.KindNode, partners.NodeID); err != nil {
		t.Fatal(err)
	}
	if own, err := d.registry.Key(partners.UseMessageSignature, "", summer); err != nil || own.Chain[0].Subject.CommonName != "kr message-signature" {
		t.Errorf("%v, %v", own.Chain[0].Subject, err)
	}
	if e, err := d.EditNode(t.Context(), byOperator, func(k *partners.NodeKeys) error { k.Keys[0].From = spring; return nil }); err != nil || e.Version != 3 {
		t.Errorf("%+v, %v", e, err)
	}
}

// What the file says has version 0, whatever it says: who has seen it before a reload does not write over it.
func TestEditOfAFileThatChangedIsStale(t *testing.T) {
	d := newDesk(t)
	seen, err := d.Current(partners.KindPartner, "tw")
	if err != nil {
		t.Fatal(err)
	}
	d.world.config.Partners[0].Mode = partners.ModeTest
	if err := d.Reload(d.world.config); err != nil {
		t.Fatal(err)
	}
	e := byOperator
	e.Base, e.File = partners.BaseFile, seen.FileSHA256
	if _, err := d.Put(t.Context(), e, partners.KindPartner, "tw", seen.Text); !errors.Is(err, partners.ErrStale) {
		t.Errorf("%v, want ErrStale", err)
	}
	if p, _ := d.registry.Partner("tw"); p.Mode != partners.ModeTest {
		t.Errorf("mode %s", p.Mode)
	}
	if seen, err = d.Current(partners.KindPartner, "tw"); err != nil {
		t.Fatal(err)
	}
	e.File = seen.FileSHA256
	if _, err := d.rename(t, e, "Taiwan"); err != nil {
		t.Error(err)
	}
}

// Whoever stages a key names files of the node's machine: none that does not end, and no library that its administrator has not named.
func TestStagedKeyIsReadWithinBounds(t *testing.T) {
	d := newDesk(t)
	_, key, chain := d.world.pki["kr"].IssueFiles("next", pkitest.Request{Name: "kr next", Use: pkitest.Use(partners.UseMessageSignature)})
	stage := func(k partners.KeyConfig) error {
		k.Uses = []partners.Use{partners.UseMessageSignature}
		_, err := d.EditNode(t.Context(), byOperator, func(own *partners.NodeKeys) error { return own.Stage("", k, summer) })
		return err
	}
	token := partners.TokenKeyConfig{Module: "/usr/lib/evil.so", TokenLabel: "token", PINFile: key, KeyLabel: "key"}
	for _, test := range []struct {
		key  partners.KeyConfig
		want string
	}{
		{partners.KeyConfig{KeyFile: key, ChainFile: "/dev/zero"}, "no regular file"},
		{partners.KeyConfig{KeyFile: "/dev/zero", ChainFile: chain}, "no regular file"},
		{partners.KeyConfig{PKCS12File: "/dev/zero"}, "no regular file"},
		{partners.KeyConfig{ChainFile: chain, PKCS11: token}, "does not name"},
	} {
		if err := stage(test.key); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%+v: %v, want %q", test.key, err, test.want)
		}
	}
	d.world.config.Modules = []string{token.Module}
	if err := d.Reload(d.world.config); err != nil {
		t.Fatal(err)
	}
	if err := stage(partners.KeyConfig{ChainFile: chain, PKCS11: token}); err == nil || strings.Contains(err.Error(), "does not name") {
		t.Errorf("a module that the file names: %v", err)
	}
}

func TestFileThatChangedIsToldToPlayNoPart(t *testing.T) {
	d := newDesk(t)
	if _, err := d.rename(t, byOperator, "Taiwan"); err != nil {
		t.Fatal(err)
	}
	d.start(t)
	if d.log.Len() != 0 {
		t.Errorf("log without a change:\n%s", d.log)
	}
	d.world.config.Partners[0].Name = "Formosa"
	if err := d.Reload(d.world.config); err != nil {
		t.Fatal(err)
	}
	if text := d.log.String(); !strings.Contains(text, "plays no part") || !strings.Contains(text, "id=tw") || d.nameOf("tw") != "Taiwan" {
		t.Errorf("log:\n%sthe partner is called %q", text, d.nameOf("tw"))
	}
}

func TestFaultBetweenFileAndStoreIsToldAtItsPlace(t *testing.T) {
	d := newDesk(t)
	if _, err := d.rename(t, byOperator, "Taiwan"); err != nil {
		t.Fatal(err)
	}
	file := d.world.config
	file.Partners = append([]partners.PartnerConfig{file.Partners[1]}, file.Partners[0])
	file.Partners[0].Country = "x"
	file.Node.PartyIDs = partyIDs("tw")
	err := d.Reload(file)
	for _, want := range []string{"partners[0].country: ", "partner tw.party_ids[0].value: "} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("no %q in %v", want, err)
		}
	}
	if d.nameOf("tw") != "Taiwan" || d.Config().Partners[1].Country != "MY" {
		t.Error("a reload with errors changed something")
	}
}

// Two agreements with one CPAId are told apart by an id of their own.
func TestAgreementsWithOneCPAIdNeedAnID(t *testing.T) {
	d := newDesk(t)
	other := d.world.config.Agreements[0]
	other.Action = "SubmitOther"
	other.Actions = partners.Actions{Resend: "a", Cancel: "b", Response: "c", StatusRequest: "d", StatusReport: "e", VerificationRequest: "f", VerificationReply: "g"}
	other.AnswerAction, other.Start = "AnswerOther", spring
	d.world.config.Agreements = append(d.world.config.Agreements, other)
	if err := d.Reload(d.world.config); err != nil {
		t.Fatal(err)
	}
	edit := func(id string) error {
		_, err := d.EditAgreement(t.Context(), byOperator, id, func(a *partners.AgreementConfig) error { a.Endpoint = "https://new.example/ebms"; return nil })
		return err
	}
	if err := edit("cpa-tw"); err == nil || !strings.Contains(err.Error(), "give each an id of its own") || len(d.Entries(partners.KindAgreement)) != 3 {
		t.Errorf("%v, entries %v", err, d.Entries(partners.KindAgreement))
	}
	d.world.config.Agreements[2].ID = "cpa-tw-other"
	if err := d.Reload(d.world.config); err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{"cpa-tw", "cpa-tw-other"} {
		if err := edit(id); err != nil {
			t.Error(err)
		}
	}
	if c := d.Config(); c.Agreements[0].Endpoint != c.Agreements[2].Endpoint || c.Agreements[1].Endpoint == c.Agreements[0].Endpoint {
		t.Errorf("agreements %+v", c.Agreements)
	}
	d.world.config.Agreements[2].ID = ""
	if err := d.Reload(d.world.config); err == nil || !strings.Contains(err.Error(), "give each an id of its own") {
		t.Errorf("a file in which both have the id of one entry: %v", err)
	}
}

// A version of before a key was lost has to be restored with open eyes.
func TestRestoringTrustIsTold(t *testing.T) {
	d := newDesk(t)
	if _, err := d.rename(t, byOperator, "Taiwan"); err != nil {
		t.Fatal(err)
	}
	if _, err := d.EditPartner(t.Context(), byOperator, "tw", func(p *partners.PartnerConfig) error {
		p.Credentials[0].Distrusted = spring
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if text := d.log.String(); strings.Contains(text, "believed again") {
		t.Errorf("log of distrusting\n%s", text)
	}
	if _, err := d.Restore(t.Context(), byOperator, partners.KindPartner, "tw", 1); err != nil {
		t.Fatal(err)
	}
	if text := d.log.String(); strings.Count(text, "believed again") != 1 || !strings.Contains(text, "partner=tw") {
		t.Errorf("log of restoring\n%s", text)
	}
}
