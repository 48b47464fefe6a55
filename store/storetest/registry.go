package storetest

import (
	"errors"
	"strings"
	"sync"

	"github.com/ecogate/ecogate/partners"
)

// entry is a version of partner id's entry.
func entry(id string, version uint64) partners.Entry {
	return partners.Entry{Kind: partners.KindPartner, ID: id, Version: version, At: at(int(version)), By: "operator", Why: "why", Text: "name: " + id + "\n"}
}

func (s *suite) put(entries ...partners.Entry) {
	s.Helper()
	for _, e := range entries {
		if err := s.PutEntry(s.Context(), e); err != nil {
			s.Fatalf("PutEntry of version %d of %s %s: %v", e.Version, e.Kind, e.ID, err)
		}
	}
}

func (s *suite) entries() []partners.Entry {
	s.Helper()
	list, err := s.Entries(s.Context())
	if err != nil {
		s.Fatal(err)
	}
	return list
}

// versions are those of an entry with their texts.
func (s *suite) versions(kind partners.Kind, id string) []partners.Entry {
	s.Helper()
	list, err := s.EntryVersions(s.Context(), kind, id)
	if err != nil {
		s.Fatal(err)
	}
	for i, e := range list {
		if list[i], err = s.EntryVersion(s.Context(), kind, id, e.Version); err != nil {
			s.Fatal(err)
		}
		whole := list[i]
		whole.Text = ""
		same(s, "a version among all", e, whole)
	}
	for _, unknown := range []uint64{0, uint64(len(list)) + 1} {
		if e, err := s.EntryVersion(s.Context(), kind, id, unknown); !errors.Is(err, partners.ErrUnknownEntry) {
			s.Errorf("version %d: %+v, %v", unknown, e, err)
		}
	}
	return list
}

func entriesKeepTheirVersions(s *suite) {
	if n := len(s.entries()) + len(s.versions(partners.KindPartner, "TW")); n != 0 {
		s.Fatalf("a new store has %d entries", n)
	}
	removed := entry("TW", 3)
	removed.Text, removed.Removed, removed.FileSHA256 = "", true, strings.Repeat("0", 64)
	agreement := entry("TW", 1)
	agreement.Kind = partners.KindAgreement
	beside := entry("TWX", 1)
	s.put(entry("TW", 1), beside, entry("TW", 2), agreement, removed)
	for range 2 {
		same(s, "the newest", s.entries(), []partners.Entry{agreement, removed, beside})
		same(s, "versions", s.versions(partners.KindPartner, "TW"), []partners.Entry{entry("TW", 1), entry("TW", 2), removed})
		same(s, "versions of another kind", s.versions(partners.KindAgreement, "TW"), []partners.Entry{agreement})
		same(s, "versions of an unknown one", s.versions(partners.KindPartner, "T"), nil)
		s.reopen()
	}
	s.put(entry("TW", 4))
	same(s, "one that was removed", s.entries()[1], entry("TW", 4))
}

func entriesFollowTheNewest(s *suite) {
	s.put(entry("TW", 1), entry("TW", 2))
	for _, version := range []uint64{0, 1, 2, 4} {
		e := entry("TW", version)
		e.Text = "name: another\n"
		if err := s.PutEntry(s.Context(), e); !errors.Is(err, partners.ErrStale) {
			s.Errorf("version %d after version 2: %v, want ErrStale", version, err)
		}
	}
	if err := s.PutEntry(s.Context(), entry("VN", 2)); !errors.Is(err, partners.ErrStale) {
		s.Errorf("a first version 2: %v, want ErrStale", err)
	}
	for _, e := range []partners.Entry{{ID: "TW", Version: 1}, {Kind: partners.KindPartner, Version: 1}} {
		if err := s.PutEntry(s.Context(), e); err == nil {
			s.Errorf("%+v was written", e)
		}
	}
	if err := s.PutEntry(ended(s.Context()), entry("TW", 3)); err == nil {
		s.Error("an entry was written after its context had ended")
	}
	same(s, "versions", s.versions(partners.KindPartner, "TW"), []partners.Entry{entry("TW", 1), entry("TW", 2)})
}

func entriesTogetherOneWins(s *suite) {
	s.put(entry("TW", 1))
	const writers = 8
	results := make([]error, writers)
	var wait sync.WaitGroup
	for i := range writers {
		wait.Go(func() { results[i] = s.PutEntry(s.Context(), entry("TW", 2)) })
	}
	wait.Wait()
	won := 0
	for _, err := range results {
		switch {
		case err == nil:
			won++
		case !errors.Is(err, partners.ErrStale):
			s.Error(err)
		}
	}
	if n := len(s.versions(partners.KindPartner, "TW")); won != 1 || n != 2 {
		s.Errorf("%d of %d writers won, there are %d versions", won, writers, n)
	}
}

// proposed proposes a version and gives what the store made of it.
func (s *suite) proposed(e partners.Entry) partners.Proposal {
	s.Helper()
	p, err := s.Propose(s.Context(), e)
	if err != nil {
		s.Fatal(err)
	}
	same(s, "proposal", p, partners.Proposal{Number: p.Number, State: partners.ProposalOpen, Entry: e})
	return p
}

// decided is p with a decision.
func decided(p partners.Proposal, state partners.ProposalState) partners.Proposal {
	p.State, p.DecidedAt, p.DecidedBy, p.DecidedWhy = state, at(50), "second", "why"
	return p
}

func proposalsAreDecidedOnce(s *suite) {
	first, second, third := s.proposed(entry("TW", 1)), s.proposed(entry("TW", 1)), s.proposed(entry("VN", 1))
	if first.Number != 1 || second.Number != 2 || third.Number != 3 {
		s.Errorf("numbers %d, %d, %d", first.Number, second.Number, third.Number)
	}
	list := func() []partners.Proposal {
		s.Helper()
		list, err := s.Proposals(s.Context())
		if err != nil {
			s.Fatal(err)
		}
		return list
	}
	s.reopen()
	same(s, "proposals", list(), []partners.Proposal{first, second, third})
	same(s, "entries before a decision", s.entries(), nil)
	confirmed, rejected := decided(first, partners.ProposalConfirmed), decided(third, partners.ProposalRejected)
	for _, p := range []partners.Proposal{confirmed, rejected} {
		if err := s.Decide(s.Context(), p); err != nil {
			s.Fatal(err)
		}
	}
	unknown := decided(third, partners.ProposalConfirmed)
	unknown.Number = 9
	for _, refused := range []struct {
		p    partners.Proposal
		want error
	}{
		{confirmed, partners.ErrDecided},
		{decided(third, partners.ProposalConfirmed), partners.ErrDecided},
		{second, partners.ErrDecided}, // which is no decision
		{unknown, partners.ErrUnknownProposal},
		{decided(second, partners.ProposalConfirmed), partners.ErrStale}, // TW has a version 1
	} {
		if err := s.Decide(s.Context(), refused.p); !errors.Is(err, refused.want) {
			s.Errorf("deciding about %d as %s: %v, want %v", refused.p.Number, refused.p.State, err, refused.want)
		}
	}
	s.reopen()
	same(s, "proposals", list(), []partners.Proposal{confirmed, second, rejected})
	same(s, "entries", s.entries(), []partners.Entry{entry("TW", 1)})
}
