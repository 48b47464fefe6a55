package partners_test

import (
	"errors"
	"testing"
	"testing/fstest"
	"time"

	"github.com/ecogate/ecogate/eco"
	"github.com/ecogate/ecogate/partners"
)

func TestQuirksAreTheAgreementsOrThePartners(t *testing.T) {
	w := newWorld(t)
	partner, own := eco.Quirks{KeepNumber: true, MaxItems: 50}, eco.Quirks{MaxItems: 20}
	w.config.Partners[0].Quirks = partner
	next := agreement(w.config.Partners[0].ID)
	next.CPAID, next.Start, next.Quirks = "next", summer, own
	w.config.Agreements[0].Partner = w.config.Partners[0].ID
	w.config.Agreements = append(w.config.Agreements, next)
	r := w.open(t)
	tests := []struct {
		name, partner string
		form          eco.FormCode
		at            time.Time
		want          eco.Quirks
		err           error
	}{
		{"the partner's", w.config.Partners[0].ID, form, spring, partner, nil},
		{"the agreement's in place of them", w.config.Partners[0].ID, form, summer, own, nil},
		{"another partner", w.config.Partners[1].ID, form, summer, eco.Quirks{}, nil},
		{"unknown partner", "xx", form, summer, eco.Quirks{}, partners.ErrUnknownPartner},
		{"form without an agreement", w.config.Partners[0].ID, otherForm, summer, eco.Quirks{}, partners.ErrNoAgreement},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			quirks, err := w.config.QuirksFor(tt.partner, tt.form, tt.at)
			if quirks != tt.want || !errors.Is(err, tt.err) {
				t.Errorf("from the configuration %+v, %v; want %+v, %v", quirks, err, tt.want, tt.err)
			}
			a, err := r.Outbound(tt.partner, tt.form, tt.at)
			if a.Quirks != tt.want || !errors.Is(err, tt.err) {
				t.Errorf("from the registry %+v, %v; want %+v, %v", a.Quirks, err, tt.want, tt.err)
			}
		})
	}
}

func TestCheckQuirks(t *testing.T) {
	runCheckTests(t, []checkTest{
		{"days without unit", func(c *partners.Config) { c.Partners[1].Quirks.RetroactiveDays = 3 }, "partners[1].quirks.retroactive_unit", []string{"is required"}},
		{"less than no items", func(c *partners.Config) { c.Agreements[0].Quirks.MaxItems = -1 }, "agreements[0].quirks.max_items", []string{"less than 0"}},
		{"sense", func(c *partners.Config) {
			c.Agreements[0].Quirks = eco.Quirks{RetroactiveDays: 3, RetroactiveUnit: eco.WorkingDays, RetroactiveBase: eco.FromSailing}
		}, "", nil},
	})
}

func TestFormsOfTheConfigurationMayBeNamed(t *testing.T) {
	const club = "code: CLUB-1\ntitle: CLUB\nagreement: ours\ndocument_type: \"861\"\n"
	forms, err := eco.DefaultForms().With(fstest.MapFS{"club.yaml": {Data: []byte(club)}}, "forms")
	if err != nil {
		t.Fatal(err)
	}
	w := newWorld(t)
	w.config.Agreements[0].Forms = []eco.FormCode{"CLUB-1"}
	w.wantRefused(t, "agreements[0].forms", `"CLUB-1" is not a form`, "ATIGA-D")
	w.config.Forms = forms
	if f, ok := w.open(t).Forms().ByCode("CLUB-1"); !ok || f.Title != "CLUB" {
		t.Errorf("the registry's form is %q, %t", f.Title, ok)
	}
	r := w.open(t)
	w.config.Forms, w.config.Agreements[0].Forms = eco.Forms{}, []eco.FormCode{form}
	if err := r.Reload(w.config); err != nil {
		t.Fatal(err)
	}
	if _, ok := r.Forms().ByCode("CLUB-1"); ok {
		t.Error("a form that the configuration has no more is still known after a reload")
	}
}
