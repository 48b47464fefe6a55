package storetest

import (
	"bytes"
	"fmt"
	"io"
	"time"

	"github.com/ecogate/ecogate/exchange"
)

// expel expels a message with a reply, or none.
func (s *suite) expel(seq uint64, reply *exchange.Departure) bool {
	s.Helper()
	results, err := s.Expel(s.Context(), []exchange.Expulsion{expulsion(seq, at(100), reply)})
	if err != nil || len(results) != 1 {
		s.Fatalf("Expel: %v, %v", results, err)
	}
	return results[0]
}

func expulsion(seq uint64, now time.Time, reply *exchange.Departure) exchange.Expulsion {
	return exchange.Expulsion{
		Seq: seq, At: now, Reason: exchange.Reason{Code: exchange.ReasonDeliveryFailure, Told: "out of order", Cause: "message 0 did not come"}, Reply: reply,
		Audit: []exchange.AuditEntry{{At: now, Actor: "node", Event: "message.expelled", Subject: fmt.Sprint(seq)}},
	}
}

// failure is the message that tells a partner of an expulsion.
func failure(id, about string) *exchange.Departure {
	d := signal(id, "TH")
	d.Message.Kind, d.Message.RefToMessageID = exchange.KindError, about
	return &d
}

func expelEndsTheWait(s *suite) {
	a := answered(numbered(1), "ack1@kr", true)
	m := s.accept(a)[0].Message
	if !s.expel(m.Seq, failure("error1@kr", "m1@th")) {
		s.Fatal("a message that waits was not expelled")
	}
	s.reopen()
	expelled := s.message(exchange.MessageQuery{Seq: m.Seq})
	reply := s.message(exchange.MessageQuery{MessageID: "error1@kr"})
	want := m
	reason := expulsion(m.Seq, at(100), nil).Reason
	want.State, want.Reason, want.Settled, want.Reply = exchange.StateQuarantined, &reason, at(100), reply.Seq
	same(s, "the message", expelled, want)
	same(s, "certificate", s.states("T1"), []exchange.CertificateState{exchange.CertificateRefused})
	if jobs := s.claim(start, 9); len(jobs) != 1 || jobs[0].Message.Seq != reply.Seq {
		s.Errorf("%d jobs, want the reply", len(jobs))
	} else {
		s.settle(jobs[0].Message, exchange.StateDelivered, at(101))
	}
	a.Held, a.Message.Created = false, at(102)
	r := s.accept(a)[0]
	if r.Fresh || r.Conflict || r.Waits || r.Message.Seq != m.Seq || r.Message.Copies != 1 || r.Message.Reply != reply.Seq {
		s.Errorf("a copy: %+v", r)
	}
	if jobs := s.claim(at(102), 9); len(jobs) != 1 || jobs[0].Message.Seq != reply.Seq {
		s.Errorf("%d jobs after a copy, want the reply of the expulsion", len(jobs))
	}
	a.Message.Content = digest("other")
	if r := s.accept(a)[0]; !r.Conflict {
		s.Errorf("other content under its MessageID: %+v", r)
	}
	r = s.accept(numbered(0))[0]
	if len(r.Released) != 0 || r.Waits {
		s.Errorf("the one that was missing: %+v", r)
	}
	same(s, "certificate", s.states("T1"), []exchange.CertificateState{exchange.CertificateRefused})
}

func expelOnlyWhatWaits(s *suite) {
	accepted := s.accept(numbered(0))[0].Message
	released := s.accept(numbered(2), numbered(1))[0].Message
	quarantined := inbound("bad@th", "TH", "b")
	quarantined.Message.State = exchange.StateQuarantined
	bad := s.accept(quarantined)[0].Message
	out := s.enqueue(signal("out@kr", "TH"))[0].Message
	waits := s.accept(numbered(4))[0].Message
	var all []exchange.Expulsion
	for i, seq := range []uint64{accepted.Seq, released.Seq, bad.Seq, out.Seq, 99, waits.Seq, waits.Seq} {
		all = append(all, expulsion(seq, at(100), failure(fmt.Sprintf("error%d@kr", i), "x")))
	}
	before := s.messages(exchange.MessageQuery{Before: waits.Seq})
	results, err := s.Expel(s.Context(), all)
	if err != nil {
		s.Fatal(err)
	}
	same(s, "results", results, []bool{false, false, false, false, false, true, false})
	same(s, "messages that did not wait", s.messages(exchange.MessageQuery{Before: waits.Seq}), before)
	if n := len(s.messages(exchange.MessageQuery{Kind: exchange.KindError})); n != 1 {
		s.Errorf("%d replies, want 1", n)
	}
	taken := expulsion(s.accept(numbered(6))[0].Message.Seq, at(100), failure("out@kr", "m6@th"))
	if _, err := s.Expel(s.Context(), []exchange.Expulsion{taken}); err == nil {
		s.Error("expelled with a reply whose MessageID is taken")
	}
	if m := s.message(exchange.MessageQuery{MessageID: "m6@th"}); m.State != exchange.StateReceived {
		s.Errorf("after a call that failed the message is %q", m.State)
	}
}

func expelledCertificateComesAgain(s *suite) {
	refused, received, available := exchange.CertificateRefused, exchange.CertificateReceived, exchange.CertificateAvailable
	expel := func(id, conversation string, sequence uint32, reference string) {
		m := s.accept(inOrder(imports(id, "TH", reference, "a"), conversation, sequence))[0].Message
		s.expel(m.Seq, nil)
		same(s, id+" expelled", s.states(reference), []exchange.CertificateState{refused})
	}
	expel("m1@th", "c", 1, "T1")
	s.accept(imports("m2@th", "TH", "T1", "a"))
	same(s, "in a message without order", s.states("T1"), []exchange.CertificateState{available})
	found := s.certificates(exchange.CertificateQuery{Message: "m2@th"})
	if len(found) != 1 || len(s.certificates(exchange.CertificateQuery{Message: "m1@th"})) != 0 {
		s.Errorf("%d certificates are those of the message that brought it, want 1", len(found))
	}
	expel("m3@th", "c", 1, "T2")
	s.accept(inOrder(imports("m4@th", "TH", "T2", "a"), "d", 1))
	same(s, "in a message that waits", s.states("T2"), []exchange.CertificateState{received})
	s.accept(inOrder(inbound("m5@th", "TH", "b"), "d", 0))
	same(s, "when its turn has come", s.states("T2"), []exchange.CertificateState{available})

	first := s.accept(inOrder(imports("m6@th", "TH", "T3", "a"), "e", 1))[0].Message
	s.accept(inOrder(imports("m7@th", "TH", "T3", "a"), "f", 1))
	s.expel(first.Seq, nil)
	same(s, "expelled while another message with it waits", s.states("T3"), []exchange.CertificateState{refused})
	s.reopen()
	s.accept(inOrder(inbound("m8@th", "TH", "b"), "f", 0))
	same(s, "when that one's turn has come", s.states("T3"), []exchange.CertificateState{available})
	expel("m9@th", "g", 1, "T4")
	s.accept(imports("m10@th", "TH", "T4", "other"))
	same(s, "other content", s.states("T4"), []exchange.CertificateState{exchange.CertificateInConflict, exchange.CertificateInConflict})
}

func expelledPlaceIsFree(s *suite) {
	m := s.accept(numbered(1))[0].Message
	s.expel(m.Seq, nil)
	s.accept(numbered(0))
	again := inOrder(imports("again@th", "TH", "T1", "1"), "c", 1)
	if r := s.accept(again)[0]; r.Conflict || r.Waits || r.Message.State != exchange.StateAccepted {
		s.Errorf("another message in its place: %+v", r)
	}
	same(s, "certificate", s.states("T1"), []exchange.CertificateState{exchange.CertificateAvailable})
}

func pauses(s *suite) {
	set := func(p exchange.Pause) {
		s.Helper()
		if err := s.SetPause(s.Context(), p, []exchange.AuditEntry{{At: at(1), Actor: p.By, Event: "partner.paused", Subject: p.Partner}}); err != nil {
			s.Fatal(err)
		}
	}
	inForce := func(want ...exchange.Pause) {
		s.Helper()
		got, err := s.Pauses(s.Context())
		if err != nil {
			s.Fatal(err)
		}
		same(s, "pauses", got, want)
	}
	vn := exchange.Pause{Partner: "VN", Since: at(1), By: "operator", Why: "their system is down"}
	longer := exchange.Pause{Partner: "LAOS", Since: at(2), By: "operator"}
	inForce()
	set(vn)
	set(longer)
	inForce(longer, vn)
	s.reopen()
	vn.Since, vn.Why = at(3), "still"
	set(vn)
	inForce(longer, vn)
	set(exchange.Pause{Partner: "VN", By: "operator"})
	set(exchange.Pause{Partner: "TH", By: "operator"})
	s.reopen()
	inForce(longer)
	if err := s.SetPause(s.Context(), exchange.Pause{Since: at(1)}, nil); err == nil {
		s.Error("a pause without a partner was recorded")
	}
	if err := s.SetPause(ended(s.Context()), vn, nil); err == nil {
		s.Error("a pause was recorded after its context had ended")
	}
}

// largeContent is more than a store may want to have in memory.
func largeContent(s *suite) {
	content := bytes.NewReader(bytes.Repeat([]byte("0123456789abcdef\n"), 200_000))
	a, d := imports("m1@th", "TH", "T1", "a"), signal("m2@kr", "TH")
	a.Raw, d.Raw = content, content
	a.Document = bytes.Repeat([]byte("document"), 300_000)
	m := s.accept(a)[0].Message
	out := s.enqueue(d)[0].Message
	if m.Raw.Size != content.Size() || m.Raw.Month != "2026-11" || m.Raw.Digest != out.Raw.Digest {
		s.Errorf("references %+v, %+v", m.Raw, out.Raw)
	}
	if r := s.accept(a)[0]; r.Fresh || r.Conflict {
		s.Errorf("its copy: %+v", r)
	}
	for range 2 {
		s.rawIs(m.Raw, content)
		s.rawIs(s.certificates(exchange.CertificateQuery{Reference: "T1"})[0].Document, bytes.NewReader(a.Document))
		jobs := s.claim(at(600*out.Attempts), 1)
		if len(jobs) != 1 || !equal(jobs[0].Raw, content) {
			s.Fatalf("%d jobs, want the message with its bytes", len(jobs))
		}
		s.settle(jobs[0].Message, exchange.StateQueued, at(-4000))
		s.reopen()
	}
	raw, err := s.Raw(s.Context(), m.Raw)
	if err != nil {
		s.Fatal(err)
	}
	err = together(8, func(i int) error {
		piece := make([]byte, 1000)
		n, err := raw.ReadAt(piece, content.Size()-500)
		if n != 500 || err != io.EOF || string(piece[:16]) == "" {
			return fmt.Errorf("reading over the end: %d bytes, %w", n, err)
		}
		if _, err := raw.ReadAt(piece, int64(i*17)); err != nil || string(piece[:17]) != "0123456789abcdef\n" {
			return fmt.Errorf("reading at %d: %q, %w", i*17, piece[:17], err)
		}
		return nil
	})
	if err != nil {
		s.Error(err)
	}
}
