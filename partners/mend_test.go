package partners_test

import (
	"cmp"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/ecogate/ecogate/partners"
)

// spoil writes entries into the store that the program does not take, as one of another version may have.
func (d *desk) spoil(t *testing.T, id string, version uint64, line string) {
	t.Helper()
	e := partners.Entry{Kind: partners.KindPartner, ID: id, Version: version, At: summer, By: "operator", Text: "id: " + id + "\n" + line + "\n"}
	if err := d.store.PutEntry(t.Context(), e); err != nil {
		t.Fatal(err)
	}
}

func (d *desk) mender(t *testing.T) *partners.Mender {
	t.Helper()
	m, err := partners.NewMender(t.Context(), d.world.config, partners.DirectoryOptions{Store: d.store, Now: func() time.Time { return summer }})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestMenderMendsOneEntryAfterTheOther(t *testing.T) {
	d := newDeskOfTwo(t)
	d.spoil(t, "tw", 1, "colour: red")
	d.spoil(t, "tw", 2, "shade: dark")
	d.spoil(t, "my", 1, "colour: red")
	err := d.tryStart(t)
	var invalid *partners.InvalidEntries
	if !errors.As(err, &invalid) || len(invalid.Entries) != 2 || invalid.Entries[1].ID != "tw" || invalid.Entries[1].Version != 2 {
		t.Fatalf("%v, want version 1 of my and version 2 of tw", err)
	}
	if text := err.Error(); !strings.Contains(text, "partner tw.line 2: shade: ") || !strings.Contains(text, "(version 2 of the registry, 2026-") {
		t.Errorf("%s", text)
	}

	m := d.mender(t)
	var wrong *partners.ConfigError
	if _, err := m.Restore(t.Context(), partners.Edit{}, partners.KindPartner, "tw", 1); !errors.As(err, &wrong) || !strings.Contains(err.Error(), "colour") {
		t.Errorf("restored what is not valid either: %v", err)
	}
	if _, err := m.Remove(t.Context(), partners.Edit{}, partners.KindPartner, "vn"); !errors.Is(err, partners.ErrUnknownEntry) {
		t.Errorf("%v", err)
	}
	tried, err := m.Restore(t.Context(), partners.Edit{DryRun: true}, partners.KindPartner, "tw", 0)
	if err != nil || tried.Entry.Version != 3 || len(tried.Left) != 1 {
		t.Errorf("%+v, %v", tried, err)
	}
	mended, err := m.Restore(t.Context(), partners.Edit{Why: "update"}, partners.KindPartner, "tw", 0)
	if err != nil || mended.Entry.Version != 3 || len(mended.Left) != 1 || !strings.HasPrefix(mended.Left[0].Key, "partner my.") {
		t.Errorf("%+v, %v", mended, err)
	}
	if err := d.tryStart(t); err == nil {
		t.Error("partner my is not valid, and the directory is made")
	}
	m = d.mender(t)
	if _, err := m.Remove(t.Context(), partners.Edit{}, partners.KindPartner, "my"); !errors.As(err, &wrong) || !strings.Contains(err.Error(), "remove the agreement first") {
		t.Errorf("removed a partner with an agreement: %v", err)
	}
	for _, a := range d.world.config.Agreements {
		if a.Partner != "my" {
			continue
		}
		if _, err := m.Remove(t.Context(), partners.Edit{}, partners.KindAgreement, cmp.Or(a.ID, a.CPAID)); err != nil {
			t.Error(err)
		}
	}
	mended, err = m.Remove(t.Context(), partners.Edit{}, partners.KindPartner, "my")
	if err != nil || !mended.Entry.Removed || len(mended.Left) != 0 {
		t.Errorf("%+v, %v", mended, err)
	}
	d.start(t)
	if d.nameOf("tw") != "Customs of tw" || d.nameOf("my") != "" {
		t.Errorf("partners are called %q and %q", d.nameOf("tw"), d.nameOf("my"))
	}
	records, err := d.store.Audit(t.Context(), 0, 0)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, r := range records[len(records)-3:] {
		got = append(got, strings.Join([]string{r.Actor, r.Event, r.Subject, r.Detail}, "|"))
	}
	if want := "offline|partner.changed|tw|version 3: update offline|agreement.removed|cpa-my|version 1 offline|partner.removed|my|version 2"; strings.Join(got, " ") != want {
		t.Errorf("audit log %q, want %q", got, want)
	}
}

// A partner that an agreement of the file needs cannot be removed, whatever else is wrong.
func TestMenderBreaksNothingElse(t *testing.T) {
	d := newDesk(t)
	if len(d.world.config.Agreements) == 0 {
		t.Fatal("the world has no agreement")
	}
	id := d.world.config.Agreements[0].Partner
	_, err := d.mender(t).Remove(t.Context(), partners.Edit{}, partners.KindPartner, id)
	var wrong *partners.ConfigError
	if !errors.As(err, &wrong) {
		t.Errorf("%v, want a *ConfigError", err)
	}
	if list, err := d.mender(t).Versions(t.Context(), partners.KindPartner, id); err != nil || len(list) != 1 {
		t.Errorf("%d versions, %v", len(list), err)
	}
}
