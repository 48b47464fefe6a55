package storetest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/ecogate/ecogate/clearance"
	"github.com/ecogate/ecogate/eco"
	"github.com/ecogate/ecogate/exchange"
)

// docket is a new one of a kind.
func docket(kind clearance.Kind, id string, terms ...string) clearance.Docket {
	return clearance.Docket{Kind: kind, ID: id, Terms: terms, Value: json.RawMessage(`{"id":` + fmt.Sprintf("%q", id) + `}`)}
}

func (s *suite) file(b clearance.Batch) {
	s.Helper()
	if err := s.File(s.Context(), b); err != nil {
		s.Fatalf("File: %v", err)
	}
}

func (s *suite) dockets(q clearance.DocketQuery) []clearance.Docket {
	s.Helper()
	found, err := s.Dockets(s.Context(), q)
	if err != nil {
		s.Fatalf("Dockets(%+v): %v", q, err)
	}
	return found
}

func named(dockets []clearance.Docket) (list []string) {
	for _, d := range dockets {
		list = append(list, d.ID)
	}
	return list
}

func docketsAreFiledAndFound(s *suite) {
	long := strings.Repeat("x", 400)
	first, second, other := docket("watch", "a", "broker:1", "ref:K1", "broker:1"), docket("watch", "b", "broker:1", long), docket("mandate", "a", "broker:1")
	empty := docket("watch", long)
	s.file(clearance.Batch{Dockets: []clearance.Docket{first, second}})
	s.file(clearance.Batch{Dockets: []clearance.Docket{other, empty}})
	for range 2 {
		for _, c := range []struct {
			query clearance.DocketQuery
			want  []string
		}{
			{clearance.DocketQuery{Kind: "watch"}, []string{"a", "b", long}},
			{clearance.DocketQuery{Kind: "watch", Limit: 2}, []string{"a", "b"}},
			{clearance.DocketQuery{Kind: "watch", ID: "b"}, []string{"b"}},
			{clearance.DocketQuery{Kind: "watch", ID: long}, []string{long}},
			{clearance.DocketQuery{Kind: "watch", ID: "c"}, nil},
			{clearance.DocketQuery{Kind: "watch", ID: "b", Term: "ref:K1"}, nil},
			{clearance.DocketQuery{Kind: "watch", Term: "broker:1"}, []string{"a", "b"}},
			{clearance.DocketQuery{Kind: "watch", Term: "broker:"}, nil},
			{clearance.DocketQuery{Kind: "watch", Term: long}, []string{"b"}},
			{clearance.DocketQuery{Kind: "mandate", Term: "broker:1"}, []string{"a"}},
			{clearance.DocketQuery{Kind: "wat"}, nil},
		} {
			same(s, fmt.Sprintf("%.80v", c.query), named(s.dockets(c.query)), c.want)
		}
		got := s.dockets(clearance.DocketQuery{Kind: "watch", ID: "a"})[0]
		want := docket("watch", "a", "broker:1", "ref:K1")
		want.Revision, want.Filed = 1, got.Filed
		same(s, "a docket", got, want)
		s.reopen()
	}
	if err := s.File(s.Context(), clearance.Batch{Dockets: []clearance.Docket{docket("watch", "")}}); err == nil {
		s.Error("a docket without an id was filed")
	}
	if err := s.File(s.Context(), clearance.Batch{Dockets: []clearance.Docket{docket("watch", "d", "")}}); err == nil {
		s.Error("a docket with an empty term was filed")
	}
}

func docketsByDueAndPage(s *suite) {
	for i, due := range []int{30, 10, 0, 20} {
		d := docket("handover", fmt.Sprint(i))
		if due > 0 {
			d.Due = at(due)
		}
		s.file(clearance.Batch{Dockets: []clearance.Docket{d}})
	}
	same(s, "due", named(s.dockets(clearance.DocketQuery{Kind: "handover", DueBy: at(20)})), []string{"1", "3"})
	same(s, "the earliest due", named(s.dockets(clearance.DocketQuery{Kind: "handover", DueBy: at(99), Limit: 1})), []string{"1"})
	same(s, "before any", named(s.dockets(clearance.DocketQuery{Kind: "handover", DueBy: at(9)})), nil)
	first := s.dockets(clearance.DocketQuery{Kind: "handover", Limit: 2})
	same(s, "next page", named(s.dockets(clearance.DocketQuery{Kind: "handover", After: first[1].Filed})), []string{"2", "3"})
	done := s.dockets(clearance.DocketQuery{Kind: "handover", ID: "1"})[0]
	done.Due = time.Time{}
	s.file(clearance.Batch{Dockets: []clearance.Docket{done}})
	same(s, "due after one is done", named(s.dockets(clearance.DocketQuery{Kind: "handover", DueBy: at(20)})), []string{"3"})
}

func docketsFollowTheNewest(s *suite) {
	s.file(clearance.Batch{Dockets: []clearance.Docket{docket("watch", "a", "x")}})
	old := s.dockets(clearance.DocketQuery{Kind: "watch"})[0]
	next, err := old.With(map[string]int{"n": 2})
	if err != nil {
		s.Fatal(err)
	}
	next.Terms = []string{"y"}
	s.file(clearance.Batch{Dockets: []clearance.Docket{next}})
	same(s, "by a term of before", named(s.dockets(clearance.DocketQuery{Kind: "watch", Term: "x"})), nil)
	now := s.dockets(clearance.DocketQuery{Kind: "watch", Term: "y"})[0]
	var value map[string]int
	if err := now.Into(&value); err != nil || value["n"] != 2 || now.Revision != 2 || now.Filed != old.Filed {
		s.Errorf("the next version: %+v, %v", now, err)
	}
	for what, b := range map[string]clearance.Batch{
		"an old revision":         {Dockets: []clearance.Docket{old}},
		"a new one of that name":  {Dockets: []clearance.Docket{docket("watch", "a")}},
		"a next one of none":      {Dockets: []clearance.Docket{{Kind: "watch", ID: "b", Revision: 1, Value: json.RawMessage("{}")}}},
		"the same twice":          {Dockets: []clearance.Docket{now, now}},
		"dropped in old revision": {Drop: []clearance.DocketName{old.Name()}},
		"dropped and filed":       {Dockets: []clearance.Docket{now}, Drop: []clearance.DocketName{now.Name()}},
		"dropped and not there":   {Drop: []clearance.DocketName{{Kind: "watch", ID: "b"}}},
	} {
		if err := s.File(s.Context(), b); !errors.Is(err, clearance.ErrChanged) {
			s.Errorf("%s: %v, want ErrChanged", what, err)
		}
	}
	s.file(clearance.Batch{Drop: []clearance.DocketName{now.Name()}})
	s.reopen()
	same(s, "after it was dropped", s.dockets(clearance.DocketQuery{Kind: "watch"}), nil)
	same(s, "by term after it was dropped", s.dockets(clearance.DocketQuery{Kind: "watch", Term: "y"}), nil)
	s.file(clearance.Batch{Dockets: []clearance.Docket{docket("watch", "a")}})
	if again := s.dockets(clearance.DocketQuery{Kind: "watch"})[0]; again.Revision != 1 || again.Filed <= now.Filed {
		s.Errorf("filed anew: %+v", again)
	}
}

// importedOne is the only imported certificate with a reference.
func (s *suite) importedOne(reference string) clearance.Imported {
	s.Helper()
	found, err := s.Imported(s.Context(), clearance.ImportedQuery{Reference: reference})
	if err != nil || len(found) != 1 {
		s.Fatalf("%d imported certificates with reference %q, %v", len(found), reference, err)
	}
	return found[0]
}

// citing is the move of a certificate that a declaration cites.
func (s *suite) citing(c clearance.Imported, declaration string) clearance.Move {
	s.Helper()
	m, err := c.Moved(eco.Event{Kind: eco.EventCite, At: at(1), By: "broker", Reference: declaration})
	if err != nil {
		s.Fatal(err)
	}
	return m
}

func fileIsAllOrNothing(s *suite) {
	s.accept(imports("m1@th", "TH", "R1", "a"), imports("m2@th", "TH", "R2", "b"))
	stale := s.citing(s.importedOne("R2"), "D1")
	stale.Revision++
	entries := s.happenings(0)
	for what, b := range map[string]clearance.Batch{
		"a stale move":        {Moves: []clearance.Move{s.citing(s.importedOne("R1"), "D1"), stale}},
		"one moved twice":     {Moves: []clearance.Move{s.citing(s.importedOne("R1"), "D1"), s.citing(s.importedOne("R1"), "D2")}},
		"one that is not":     {Moves: []clearance.Move{s.citing(s.importedOne("R1"), "D1"), {Seq: 99}}},
		"a docket of another": {Moves: []clearance.Move{s.citing(s.importedOne("R1"), "D1")}, Dockets: []clearance.Docket{{Kind: "declaration", ID: "D1", Revision: 3}}},
	} {
		b.Dockets = append([]clearance.Docket{docket("declaration", "D0")}, b.Dockets...)
		b.Audit = []clearance.Happening{{At: at(1), Actor: "broker", Event: "declaration.lodged", Subject: "D1"}}
		for i := range b.Dockets {
			b.Dockets[i].Value = json.RawMessage("{}")
		}
		if err := s.File(s.Context(), b); !errors.Is(err, clearance.ErrChanged) {
			s.Errorf("%s: %v, want ErrChanged", what, err)
		}
	}
	if c := s.importedOne("R1"); c.State != eco.StateAvailable || c.Revision != 0 {
		s.Errorf("the certificate is %s in revision %d", c.State, c.Revision)
	}
	same(s, "dockets", s.dockets(clearance.DocketQuery{Kind: "declaration"}), nil)
	same(s, "audit log", s.happenings(0), entries)
}

func fileTogetherOneWins(s *suite) {
	s.accept(imports("m1@th", "TH", "R1", "a"))
	c := s.importedOne("R1")
	won := make(chan string, 16)
	err := together(16, func(i int) error {
		id := fmt.Sprint("D", i)
		err := s.File(s.Context(), clearance.Batch{Moves: []clearance.Move{s.citing(c, id)}, Dockets: []clearance.Docket{docket("declaration", id)}})
		if errors.Is(err, clearance.ErrChanged) {
			return nil
		}
		won <- id
		return err
	})
	if err != nil {
		s.Fatal(err)
	}
	close(won)
	var winners []string
	for id := range won {
		winners = append(winners, id)
	}
	same(s, "winners", len(winners), 1)
	same(s, "dockets", named(s.dockets(clearance.DocketQuery{Kind: "declaration"})), winners)
	same(s, "declarations of the certificate", s.importedOne("R1").Life.Declarations, winners)
}

func movesChangeCertificates(s *suite) {
	s.accept(imports("m1@th", "TH", "R1", "a"))
	s.file(clearance.Batch{Moves: []clearance.Move{s.citing(s.importedOne("R1"), "D1")}})
	s.reopen()
	c := s.importedOne("R1")
	if c.State != eco.StateCited || c.Life.State != eco.StateCited || c.Revision != 1 || !slices.Equal(c.Life.Declarations, []string{"D1"}) {
		s.Errorf("the certificate after a move: %+v", c)
	}
	same(s, "the record's state", s.states("R1"), []exchange.CertificateState{"cited"})
	// What a message makes of it sees the move, and the other way about.
	a := inbound("m2@th", "TH", "x")
	record := s.certificates(exchange.CertificateQuery{Reference: "R1"})[0]
	record.Revision--
	a.Changes = []exchange.Change{changing(record, exchange.CertificateCancelled, 1)}
	if r := s.accept(a)[0]; !r.Stale {
		s.Errorf("a change of the certificate as it was before the move: %+v", r)
	}
}

func importedFilters(s *suite) {
	s.accept(imports("m1@th", "TH", "R-1", "a"), imports("m2@tw", "TW", "R1", "b"))
	s.accept(imports("m3@th", "TH", "R2", "c"))
	s.enqueue(export("m4@kr", "R3", "d"))
	r2 := s.importedOne("R2")
	octets, err := s.Document(s.Context(), r2.Seq)
	if err != nil || !bytes.Equal(octets, []byte("document R2 c")) {
		s.Errorf("document %q, %v", octets, err)
	}
	exported := s.certificates(exchange.CertificateQuery{Reference: "R3"})[0]
	for _, seq := range []uint64{0, exported.Seq, 99} {
		if octets, err := s.Document(s.Context(), seq); !errors.Is(err, clearance.ErrNotFound) {
			s.Errorf("document of certificate %d: %q, %v", seq, octets, err)
		}
	}
	for _, c := range []struct {
		query clearance.ImportedQuery
		want  int
	}{
		{clearance.ImportedQuery{}, 3},
		{clearance.ImportedQuery{Reference: "r 1"}, 2},
		{clearance.ImportedQuery{Reference: "R1", Partner: "TW"}, 1},
		{clearance.ImportedQuery{Reference: "--"}, 0},
		{clearance.ImportedQuery{Reference: "R3"}, 0},
		{clearance.ImportedQuery{Seq: r2.Seq}, 1},
		{clearance.ImportedQuery{Before: r2.Seq}, 2},
		{clearance.ImportedQuery{Limit: 1}, 1},
		{r2.Key.Query(), 1},
		{clearance.ImportedQuery{Reference: "R2", Country: "XX"}, 0},
		{clearance.ImportedQuery{Reference: "R2", Form: "XX"}, 0},
	} {
		found, err := s.Imported(s.Context(), c.query)
		if err != nil || len(found) != c.want {
			s.Errorf("%+v: %d certificates, %v, want %d", c.query, len(found), err, c.want)
		}
	}
}

func (s *suite) happenings(after uint64) []clearance.Happening {
	s.Helper()
	list, err := s.Happenings(s.Context(), after, 0)
	if err != nil {
		s.Fatal(err)
	}
	return list
}

func happeningsAreTheAuditLog(s *suite) {
	s.accept(imports("m1@th", "TH", "R1", "a"))
	told := clearance.Happening{At: at(5), Actor: "broker", Event: "declaration.lodged", Subject: "D1", Detail: "office 3"}
	s.file(clearance.Batch{Audit: []clearance.Happening{told}})
	all := s.happenings(0)
	told.Seq = uint64(len(all))
	for i, h := range all {
		if h.Seq != uint64(i+1) {
			s.Errorf("entry %d has number %d", i, h.Seq)
		}
	}
	same(s, "the last entry", all[len(all)-1], told)
	same(s, "what follows the last but one", s.happenings(told.Seq-1), []clearance.Happening{told})
	same(s, "what follows the last", s.happenings(told.Seq), nil)
	one, err := s.Happenings(s.Context(), 0, 1)
	if err != nil || len(one) != 1 || one[0].Seq != 1 {
		s.Errorf("at most one: %+v, %v", one, err)
	}
	if none, err := s.Happenings(s.Context(), ^uint64(0), 0); err != nil || none != nil {
		s.Errorf("after the greatest number: %+v, %v", none, err)
	}
}
