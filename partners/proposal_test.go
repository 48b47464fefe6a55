package partners_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/ecogate/ecogate/partners"
)

// newDeskOfTwo is a desk on which each change takes two operators.
func newDeskOfTwo(t *testing.T) *desk {
	t.Helper()
	d := &desk{world: newWorld(t), dir: t.TempDir()}
	d.world.config.SecondOperator = true
	d.start(t)
	return d
}

// propose has an operator ask for a change of name and gives the number of the proposal.
func (d *desk) propose(t *testing.T, by, name string) uint64 {
	t.Helper()
	_, err := d.rename(t, partners.Edit{By: by, Why: "letter"}, name)
	var waits *partners.Proposed
	if !errors.As(err, &waits) {
		t.Fatalf("%v, want a *Proposed", err)
	}
	return waits.Proposal.Number
}

func TestChangeWaitsForAnotherOperator(t *testing.T) {
	d := newDeskOfTwo(t)
	number := d.propose(t, "first", "Taiwan")
	if d.nameOf("tw") != "Customs of tw" {
		t.Error("a proposal is in force")
	}
	d.start(t) // it is durable
	if _, err := d.Confirm(t.Context(), number, "first", ""); !errors.Is(err, partners.ErrSameOperator) {
		t.Errorf("confirmed by who made it: %v", err)
	}
	if _, err := d.Reject(t.Context(), number, "first", ""); !errors.Is(err, partners.ErrSameOperator) {
		t.Errorf("rejected by who made it: %v", err)
	}
	e, err := d.Confirm(t.Context(), number, "second", "compared with the letter")
	if err != nil || e.Version != 1 || e.By != "first" || e.ConfirmedBy != "second" || d.nameOf("tw") != "Taiwan" {
		t.Errorf("%+v, %v; the partner is called %q", e, err, d.nameOf("tw"))
	}
	for _, decide := range []func() error{
		func() error { _, err := d.Confirm(t.Context(), number, "second", ""); return err },
		func() error { _, err := d.Reject(t.Context(), number, "second", ""); return err },
	} {
		if err := decide(); !errors.Is(err, partners.ErrDecided) {
			t.Errorf("decided again: %v", err)
		}
	}
	if _, err := d.Confirm(t.Context(), 9, "second", ""); !errors.Is(err, partners.ErrUnknownProposal) {
		t.Errorf("%v", err)
	}
	records, err := d.store.Audit(t.Context(), 0, 0)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, r := range records {
		got = append(got, strings.Join([]string{r.Actor, r.Event, r.Subject, r.Detail}, "|"))
	}
	want := "first|proposal.made|1|partner tw, version 1 by first: letter\n" +
		"second|proposal.confirmed|1|partner tw, version 1 by first: compared with the letter\n" +
		"first|partner.changed|tw|version 1, confirmed by second: letter"
	if text := strings.Join(got, "\n"); text != want {
		t.Errorf("audit log\n%s\nwant\n%s", text, want)
	}
	d.start(t)
	if d.nameOf("tw") != "Taiwan" {
		t.Error("a confirmed change is gone after a restart")
	}
}

func TestRejectedChangeIsNeverMade(t *testing.T) {
	d := newDeskOfTwo(t)
	number := d.propose(t, "first", "Taiwan")
	p, err := d.Reject(t.Context(), number, "second", "no such letter")
	if err != nil || p.State != partners.ProposalRejected || p.DecidedBy != "second" || !p.DecidedAt.Equal(summer) {
		t.Errorf("%+v, %v", p, err)
	}
	if _, err := d.Confirm(t.Context(), number, "third", ""); !errors.Is(err, partners.ErrDecided) {
		t.Errorf("%v", err)
	}
	if list, err := d.Proposals(t.Context()); err != nil || len(list) != 1 || list[0].DecidedWhy != "no such letter" || d.nameOf("tw") != "Customs of tw" {
		t.Errorf("%+v, %v", list, err)
	}
}

func TestProposalForAnOlderVersionIsStale(t *testing.T) {
	d := newDeskOfTwo(t)
	one, other := d.propose(t, "first", "one"), d.propose(t, "first", "other")
	if _, err := d.Confirm(t.Context(), one, "second", ""); err != nil {
		t.Fatal(err)
	}
	if _, err := d.Confirm(t.Context(), other, "second", ""); !errors.Is(err, partners.ErrStale) || d.nameOf("tw") != "one" {
		t.Errorf("%v; the partner is called %q", err, d.nameOf("tw"))
	}
	if _, err := d.Reject(t.Context(), other, "second", ""); err != nil {
		t.Error(err)
	}
}

// What was right when it was proposed may be wrong by the time it is confirmed.
func TestConfirmedChangeIsCheckedAgain(t *testing.T) {
	d := newDeskOfTwo(t)
	_, err := d.EditPartner(t.Context(), partners.Edit{By: "first"}, "tw", func(p *partners.PartnerConfig) error {
		p.PartyIDs = append(p.PartyIDs, partners.PartyID{Type: "other", Value: "X"})
		return nil
	})
	var waits *partners.Proposed
	if !errors.As(err, &waits) {
		t.Fatal(err)
	}
	d.world.config.Partners[1].PartyIDs = append(d.world.config.Partners[1].PartyIDs, partners.PartyID{Type: "other", Value: "X"})
	if err := d.Reload(d.world.config); err != nil {
		t.Fatal(err)
	}
	var wrong *partners.ConfigError
	if _, err := d.Confirm(t.Context(), waits.Proposal.Number, "second", ""); !errors.As(err, &wrong) {
		t.Errorf("%v, want a *ConfigError", err)
	}
	if list, err := d.Proposals(t.Context()); err != nil || list[0].State != partners.ProposalOpen {
		t.Errorf("%+v, %v", list, err)
	}
}

func TestProgramItselfNeedsNoSecondOperator(t *testing.T) {
	d := newDeskOfTwo(t)
	if e, err := d.rename(t, partners.Edit{By: partners.ByNode}, "Taiwan"); err != nil || e.Version != 1 || d.nameOf("tw") != "Taiwan" {
		t.Errorf("%+v, %v", e, err)
	}
	dry := partners.Edit{By: "first", DryRun: true}
	if e, err := d.rename(t, dry, "Formosa"); err != nil || e.Version != 2 {
		t.Errorf("a dry run: %+v, %v", e, err)
	}
	if list, err := d.Proposals(t.Context()); err != nil || len(list) != 0 {
		t.Errorf("%+v, %v", list, err)
	}
}

// What the file says by the time of the decision is what the second operator knows; a proposal that was made of what it said before would
// silently take it back.
func TestProposalForAFileThatChangedIsStale(t *testing.T) {
	d := newDeskOfTwo(t)
	number := d.propose(t, "first", "Taiwan")
	d.world.config.Partners[0].Mode = partners.ModeTest
	if err := d.Reload(d.world.config); err != nil {
		t.Fatal(err)
	}
	if _, err := d.Confirm(t.Context(), number, "second", ""); !errors.Is(err, partners.ErrStale) {
		t.Errorf("%v, want ErrStale", err)
	}
	if p, _ := d.registry.Partner("tw"); p.Mode != partners.ModeTest {
		t.Errorf("the partner is in mode %s", p.Mode)
	}
	again := d.propose(t, "first", "Taiwan")
	if _, err := d.Confirm(t.Context(), again, "second", ""); err != nil {
		t.Error(err)
	}
}

// What is asked for again waits once, so that whoever asks again and again fills nothing.
func TestSameProposalIsKeptOnce(t *testing.T) {
	d := newDeskOfTwo(t)
	one := d.propose(t, "first", "Taiwan")
	if again := d.propose(t, "first", "Taiwan"); again != one {
		t.Errorf("proposal %d, then %d", one, again)
	}
	if other := d.propose(t, "second", "Taiwan"); other == one {
		t.Error("another operator's is the same proposal")
	}
	if _, err := d.Reject(t.Context(), one, "second", ""); err != nil {
		t.Fatal(err)
	}
	if again := d.propose(t, "first", "Taiwan"); again == one {
		t.Error("a proposal that was rejected waits again")
	}
}

// A partner's announcement waits for a second operator as the partner's; one that is called as the program itself would wait for nobody.
func TestNoPartnerIsCalledAsTheProgram(t *testing.T) {
	w := newWorld(t)
	w.config.Agreements = nil
	w.config.Partners[0].ID = partners.ByNode
	var wrong *partners.ConfigError
	if _, err := partners.New(w.config); !errors.As(err, &wrong) || wrong.Problems[0].Key != "partners[0].id" {
		t.Errorf("%v", err)
	}
}

// Where one operator takes trust away the log tells the other; who asks for no second operator is told nothing.
func TestWithdrawalLeavesANoteForTheSecondOperator(t *testing.T) {
	for _, d := range []*desk{newDeskOfTwo(t), newDesk(t)} {
		second := d.world.config.SecondOperator
		e, err := d.rename(t, partners.Edit{By: "first", Withdraws: true}, "Taiwan")
		if err != nil || e.Unconfirmed != second || d.nameOf("tw") != "Taiwan" {
			t.Errorf("second operator %t: %+v, %v", second, e, err)
		}
		if got := strings.Contains(d.log.String(), "a second operator has to look at it"); got != second {
			t.Errorf("second operator %t: log\n%s", second, d.log)
		}
	}
}

// A partner whose announcements wait for an operator cannot fill the store with them.
func TestProposalsThatWaitAreCounted(t *testing.T) {
	d := newDeskOfTwo(t)
	for i := range 20 {
		d.propose(t, "first", fmt.Sprint("name ", i))
	}
	if _, err := d.rename(t, partners.Edit{By: "first"}, "one more"); !errors.Is(err, partners.ErrManyProposals) {
		t.Errorf("%v", err)
	}
	d.propose(t, "second", "of another")
	if _, err := d.Reject(t.Context(), 1, "second", ""); err != nil {
		t.Fatal(err)
	}
	d.propose(t, "first", "one more")
}
