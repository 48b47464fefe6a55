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

func (s *suite) versions(kind partners.Kind, id string) []partners.Entry {
	s.Helper()
	list, err := s.EntryVersions(s.Context(), kind, id)
	if err != nil {
		s.Fatal(err)
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
