package storetest

import (
	"errors"
	"fmt"
	"math/rand/v2"

	"github.com/ecogate/ecogate/exchange"
)

// inOrder gives an arrival its place in a conversation.
func inOrder(a exchange.Arrival, conversation string, sequence uint32) exchange.Arrival {
	a.Message.ConversationID, a.Message.Order = conversation, &exchange.Order{Sequence: sequence}
	return a
}

// numbered is the message with a sequence number in conversation c of TH, which carries certificate T<number>.
func numbered(sequence int) exchange.Arrival {
	a := imports(fmt.Sprintf("m%d@th", sequence), "TH", fmt.Sprintf("T%d", sequence), fmt.Sprint(sequence))
	return inOrder(a, "c", uint32(sequence))
}

func ids(messages []exchange.Message) (ids []string) {
	for _, m := range messages {
		ids = append(ids, m.MessageID)
	}
	return ids
}

func acceptInOrder(s *suite) {
	for i := range 3 {
		r := s.accept(numbered(i))[0]
		if !r.Fresh || r.Waits || r.Conflict || len(r.Released) != 0 || r.Message.State != exchange.StateAccepted {
			s.Errorf("message %d: %+v", i, r)
		}
		same(s, "certificate", s.states(fmt.Sprint("T", i)), []exchange.CertificateState{exchange.CertificateAvailable})
		same(s, "order", s.message(exchange.MessageQuery{Seq: r.Message.Seq}).Order, &exchange.Order{Sequence: uint32(i)})
	}
}

func acceptWaitsForThoseBefore(s *suite) {
	third := acceptAhead(s, 3)
	first := acceptAhead(s, 1)
	s.reopen()
	var found []uint64
	for _, m := range s.messages(exchange.MessageQuery{State: exchange.StateReceived}) {
		found = append(found, m.Seq)
	}
	same(s, "messages that wait", found, []uint64{first, third})
	releaseFirst(s)
	releaseRest(s)
	if r := s.accept(inbound("free@th", "TH", "x"))[0]; r.Waits || r.Message.State != exchange.StateAccepted {
		s.Errorf("a message without order: %+v", r)
	}
}

// acceptAhead has message i of a line accepted before its turn: it waits, a copy of it changes nothing, and other content
// under its MessageID is a conflict. It returns the message's number in the store.
func acceptAhead(s *suite, i int) uint64 {
	a := answered(numbered(i), fmt.Sprintf("ack%d@kr", i), false)
	r := s.accept(a)[0]
	if !r.Fresh || !r.Waits || r.Message.State != exchange.StateReceived || r.Message.Reply == 0 {
		s.Errorf("message %d: %+v", i, r)
	}
	same(s, "the stored message", s.message(exchange.MessageQuery{Seq: r.Message.Seq}), r.Message)
	same(s, "certificate", s.states(fmt.Sprint("T", i)), []exchange.CertificateState{exchange.CertificateReceived})
	if r := s.accept(a)[0]; r.Fresh || r.Conflict || !r.Waits || r.Message.Copies != 1 {
		s.Errorf("its copy: %+v", r)
	}
	other := a
	other.Message.Content = digest("other")
	if r := s.accept(other)[0]; !r.Conflict || r.Message.State != exchange.StateQuarantined {
		s.Errorf("other content under its MessageID: %+v", r)
	}
	return r.Message.Seq
}

// releaseFirst has message 0 accepted while 1 and 3 wait: 1 is released with it.
func releaseFirst(s *suite) {
	r := s.accept(numbered(0))[0]
	same(s, "released by the first", ids(r.Released), []string{"m1@th"})
	if r.Waits || r.Message.State != exchange.StateAccepted || r.Released[0].State != exchange.StateAccepted {
		s.Errorf("the first: %+v", r)
	}
	same(s, "the released message", s.message(exchange.MessageQuery{Seq: r.Released[0].Seq}), r.Released[0])
	same(s, "its certificate", s.states("T1"), []exchange.CertificateState{exchange.CertificateAvailable})
	same(s, "the certificate that still waits", s.states("T3"), []exchange.CertificateState{exchange.CertificateReceived})
}

// releaseRest has messages 2 and 4 accepted together while 3 waits: nothing waits any more.
func releaseRest(s *suite) {
	results := s.accept(numbered(2), numbered(4))
	same(s, "released by the third", ids(results[0].Released), []string{"m3@th"})
	if results[1].Waits || len(results[1].Released) != 0 {
		s.Errorf("the one behind all: %+v", results[1])
	}
	if n := len(s.messages(exchange.MessageQuery{State: exchange.StateReceived})); n != 0 {
		s.Errorf("%d messages still wait", n)
	}
}

// acceptShuffledInOrder sends 200 messages in any order and twice, and opens the store again in the middle.
func acceptShuffledInOrder(s *suite) {
	const total = 200
	order := rand.New(rand.NewPCG(9, 2)).Perm(2 * total)
	var used []string
	for n, i := range order {
		if n == total {
			s.reopen()
		}
		r := s.accept(numbered(i % total))[0]
		if r.Fresh && !r.Waits {
			used = append(append(used, r.Message.MessageID), ids(r.Released)...)
		}
	}
	if len(used) != total {
		s.Fatalf("%d of %d messages were used", len(used), total)
	}
	for i, id := range used {
		if want := fmt.Sprintf("m%d@th", i); id != want {
			s.Fatalf("number %d to be used is %s, want %s", i, id, want)
		}
	}
}

func acceptSequenceOfAnother(s *suite) {
	s.accept(numbered(0), numbered(2))
	for _, taken := range []uint32{0, 2} {
		a := inOrder(answered(imports(fmt.Sprintf("x%d@th", taken), "TH", "X1", "x"), "xack@kr", false), "c", taken)
		for range 2 {
			r := s.accept(a)[0]
			if !r.Conflict || !r.Fresh || r.Waits || r.Message.State != exchange.StateQuarantined || r.Message.Reason == nil || r.Message.Reason.Code != exchange.ReasonInconsistent {
				s.Errorf("sequence number %d again: %+v", taken, r)
			}
		}
	}
	if n := len(s.certificates(exchange.CertificateQuery{Reference: "X1"})) + len(s.messages(exchange.MessageQuery{MessageID: "xack@kr"})); n != 0 {
		s.Error("more than the message was stored")
	}
	for name, a := range map[string]exchange.Arrival{
		"another conversation": inOrder(inbound("y1@th", "TH", "y"), "d", 0),
		"another partner":      inOrder(inbound("y2@vn", "VN", "y"), "c", 0),
		"the one that misses":  numbered(1),
	} {
		if r := s.accept(a)[0]; r.Conflict || r.Waits {
			s.Errorf("%s: %+v", name, r)
		}
	}
	bad := inOrder(inbound("z@th", "TH", "z"), "c", 1)
	bad.Message.State, bad.Message.Reason = exchange.StateQuarantined, &exchange.Reason{Code: "SecurityFailure"}
	if r := s.accept(bad)[0]; r.Conflict || r.Waits || r.Message.Reason.Code != "SecurityFailure" {
		s.Errorf("a quarantined message: %+v", r)
	}
}

func acceptReset(s *suite) {
	s.accept(numbered(0), numbered(1), numbered(3))
	reset := inOrder(imports("r0@th", "TH", "R0", "r"), "c", 0)
	reset.Message.Order.Reset = true
	if r := s.accept(reset)[0]; r.Conflict || r.Waits || len(r.Released) != 0 {
		s.Errorf("a reset: %+v", r)
	}
	if r := s.accept(reset)[0]; r.Fresh || r.Message.Copies != 1 {
		s.Errorf("its copy: %+v", r)
	}
	if r := s.accept(inOrder(inbound("r2@th", "TH", "2"), "c", 2))[0]; !r.Waits {
		s.Errorf("a number of the new beginning: %+v", r)
	}
	s.reopen()
	r := s.accept(inOrder(inbound("r1@th", "TH", "1"), "c", 1))[0]
	same(s, "released", ids(r.Released), []string{"r2@th"})
	if r := s.accept(inOrder(inbound("r3@th", "TH", "3"), "c", 3))[0]; r.Conflict || r.Waits || len(r.Released) != 0 {
		s.Errorf("a number that waits since before the reset: %+v", r)
	}
	if r := s.accept(inOrder(inbound("r0b@th", "TH", "0"), "c", 0))[0]; !r.Conflict {
		s.Errorf("the reset's own number: %+v", r)
	}
	old := s.message(exchange.MessageQuery{MessageID: "m3@th"})
	if old.State != exchange.StateReceived || !s.expel(old.Seq, nil) {
		s.Errorf("what waited before the reset is %q and was not expelled", old.State)
	}
	bad := numbered(7)
	bad.Message.Order.Reset = true
	if _, err := s.Accept(s.Context(), []exchange.Arrival{bad}); err == nil {
		s.Error("a reset with sequence number 7 was accepted")
	}
}

func acceptOrderAndConflict(s *suite) {
	conflict := exchange.CertificateInConflict
	s.accept(inOrder(imports("m2@th", "TH", "T1", "a"), "c", 2))
	s.accept(inOrder(imports("m1@th", "TH", "T1", "b"), "c", 1))
	same(s, "while both wait", s.states("T1"), []exchange.CertificateState{conflict, conflict})
	r := s.accept(numbered(0))[0]
	same(s, "released", ids(r.Released), []string{"m1@th", "m2@th"})
	same(s, "after both were released", s.states("T1"), []exchange.CertificateState{conflict, conflict})
	late := s.accept(inOrder(imports("m4@th", "TH", "T1", "a"), "c", 4))[0].Message
	s.expel(late.Seq, nil)
	same(s, "after one was expelled", s.states("T1"), []exchange.CertificateState{conflict, conflict})
}

func acceptWaitingCertificateByAnotherMessage(s *suite) {
	first := s.accept(inOrder(imports("m1@th", "TH", "T1", "a"), "c", 1))[0].Message
	s.accept(inOrder(imports("m2@th", "TH", "T1", "a"), "c", 2))
	same(s, "while both wait", s.states("T1"), []exchange.CertificateState{exchange.CertificateReceived})
	s.accept(imports("m9@th", "TH", "T1", "a"))
	same(s, "brought without an order", s.states("T1"), []exchange.CertificateState{exchange.CertificateAvailable})
	s.expel(first.Seq, nil)
	same(s, "after the first was expelled", s.states("T1"), []exchange.CertificateState{exchange.CertificateAvailable})
	s.accept(numbered(0))
	s.accept(inOrder(inbound("m1b@th", "TH", "x"), "c", 1)) // the turn of m2@th has come
	if found := s.certificates(exchange.CertificateQuery{Message: "m9@th"}); len(found) != 1 {
		s.Errorf("%d certificates are those of the message that brought it, want 1", len(found))
	}
	s.accept(inOrder(imports("m4@th", "TH", "T4", "a"), "c", 4))
	second := s.accept(inOrder(imports("m5@th", "TH", "T4", "a"), "c", 5))[0].Message
	s.expel(second.Seq, nil)
	same(s, "after one that confirmed it was expelled", s.states("T4"), []exchange.CertificateState{exchange.CertificateReceived})
	answer := inOrder(inbound("m6@th", "TH", "b"), "d", 1) // names the certificate and does not bring it
	answer.Message.Kind, answer.Message.Certificate = exchange.KindAnswer, certificate("T4", "a").Key
	s.accept(answer, inOrder(inbound("m7@th", "TH", "b"), "d", 0))
	same(s, "after an answer about it", s.states("T4"), []exchange.CertificateState{exchange.CertificateReceived})
}

// replacing is an arrival whose certificate takes the place of held.
func replacing(a exchange.Arrival, held exchange.Certificate) exchange.Arrival {
	a.Changes = []exchange.Change{changing(held, exchange.CertificateReplaced, 1)}
	return a
}

// acceptReplacementThatWaits: of two certificates with one key each follows the message that brought it.
func acceptReplacementThatWaits(s *suite) {
	replaced, received, available := exchange.CertificateReplaced, exchange.CertificateReceived, exchange.CertificateAvailable
	s.accept(inOrder(imports("m1@th", "TH", "T1", "a"), "c", 1))
	next := s.accept(replacing(inOrder(imports("m2@th", "TH", "T1", "b"), "d", 1), s.only("T1")))[0].Message
	s.accept(inOrder(imports("m3@th", "TH", "T1", "a"), "e", 1)) // the replaced one once more
	same(s, "while all wait", s.states("T1"), []exchange.CertificateState{replaced, received})
	for _, first := range []exchange.Arrival{inOrder(inbound("c0@th", "TH", "x"), "c", 0), inOrder(inbound("e0@th", "TH", "x"), "e", 0)} {
		if r := s.accept(first)[0]; len(r.Released) != 1 {
			s.Errorf("released by %s: %v", first.Message.MessageID, ids(r.Released))
		}
		same(s, "when it was the turn of what was replaced", s.states("T1"), []exchange.CertificateState{replaced, received})
		s.reopen()
	}
	if found := s.certificates(exchange.CertificateQuery{Message: "m2@th"}); len(found) != 1 || found[0].Content != digest("b") {
		s.Errorf("certificates of the message that waits: %+v", found)
	}
	s.expel(next.Seq, nil)
	same(s, "when the replacement was expelled", s.states("T1"), []exchange.CertificateState{replaced, exchange.CertificateRefused})
	s.accept(inOrder(imports("m4@th", "TH", "T1", "b"), "d", 1))
	same(s, "when it waits again", s.states("T1"), []exchange.CertificateState{replaced, received})
	s.accept(inOrder(inbound("d0@th", "TH", "x"), "d", 0))
	same(s, "when its turn has come", s.states("T1"), []exchange.CertificateState{replaced, available})
}

// acceptWaitingBesideOneInForce: a replacement that was undone leaves two certificates with one key that are in no conflict.
func acceptWaitingBesideOneInForce(s *suite) {
	used, conflict := exchange.CertificateUsedInPart, exchange.CertificateInConflict
	beside := func(reference string) exchange.Message {
		s.accept(imports("a"+reference+"@th", "TH", reference, "a"))
		m := s.accept(replacing(inOrder(imports("b"+reference+"@th", "TH", reference, "b"), reference, 1), s.only(reference)))[0].Message
		undone := inbound("c"+reference+"@th", "TH", "x")
		undone.Changes = []exchange.Change{changing(s.certificates(exchange.CertificateQuery{Reference: reference})[1], used, 2)}
		s.accept(undone)
		same(s, reference+" waits", s.states(reference), []exchange.CertificateState{used, exchange.CertificateReceived})
		return m
	}
	m := beside("T1")
	s.expel(m.Seq, nil)
	same(s, "expelled", s.states("T1"), []exchange.CertificateState{used, exchange.CertificateRefused})
	beside("T2")
	s.accept(inOrder(inbound("d@th", "TH", "x"), "T2", 0))
	same(s, "when its turn has come", s.states("T2"), []exchange.CertificateState{used, exchange.CertificateAvailable})
	m = beside("T3")
	s.accept(imports("e@th", "TH", "T3", "c"))
	same(s, "with a third content", s.states("T3"), []exchange.CertificateState{conflict, conflict, conflict})
	s.expel(m.Seq, nil)
	same(s, "expelled from a conflict", s.states("T3"), []exchange.CertificateState{conflict, conflict, conflict})
}

// acceptRefusalOfWhatCameOutOfOrder: the partner acknowledged a message and could not use it, since those before it did not come.
func acceptRefusalOfWhatCameOutOfOrder(s *suite) {
	ordered := inLine(export("m1@kr", "K1", "a"), "line", "c", 0)
	s.enqueue(ordered, export("m2@kr", "K2", "a"))
	refusal := func(id, about string) exchange.Arrival {
		a := settling(id, "TH", about, exchange.StateFailed)
		a.Settles.Reason.Code = exchange.ReasonDeliveryFailure
		return a
	}
	for i, c := range []struct {
		name    string
		arrival exchange.Arrival
		settled bool
		state   exchange.State
		late    bool
		co      exchange.CertificateState
	}{
		{"acknowledged", settling("s1@th", "TH", "m1@kr", exchange.StateDelivered), true, exchange.StateDelivered, false, exchange.CertificateReceipted},
		{"refused for another reason", settling("s2@th", "TH", "m1@kr", exchange.StateFailed), false, exchange.StateDelivered, false, exchange.CertificateReceipted},
		{"not used", refusal("s3@th", "m1@kr"), true, exchange.StateFailed, false, exchange.CertificateFailed},
		{"not used, again", refusal("s4@th", "m1@kr"), false, exchange.StateFailed, false, exchange.CertificateFailed},
		{"acknowledged late", settling("s5@th", "TH", "m1@kr", exchange.StateDelivered), true, exchange.StateDelivered, true, exchange.CertificateReceipted},
	} {
		if r := s.accept(c.arrival)[0]; r.Settled != c.settled {
			s.Errorf("%s: Settled %v", c.name, r.Settled)
		}
		if m := s.message(exchange.MessageQuery{MessageID: "m1@kr"}); m.State != c.state || m.Late != c.late {
			s.Errorf("step %d, %s: message is %q, late %v", i, c.name, m.State, m.Late)
		}
		same(s, c.name, s.states("K1"), []exchange.CertificateState{c.co})
	}
	s.accept(settling("s6@th", "TH", "m2@kr", exchange.StateDelivered))
	if r := s.accept(refusal("s7@th", "m2@kr"))[0]; r.Settled {
		s.Error("a delivered message without order was settled as failed")
	}
}

// inLine gives a departure its place in a line.
func inLine(d exchange.Departure, line, conversation string, sequence uint32) exchange.Departure {
	d.Line, d.Message.ConversationID, d.Message.Order = line, conversation, &exchange.Order{Sequence: sequence}
	return d
}

// outOfLine fails the test unless a result tells what the next message of the line has.
func (s *suite) outOfLine(what string, r exchange.Enqueued, conversation string, next uint32) {
	s.Helper()
	var out *exchange.OutOfLineError
	if r.Fresh || !errors.As(r.Err, &out) || out.ConversationID != conversation || out.Next != next {
		s.Errorf("%s: Fresh %v, Err %v, want message %d of %q to be asked for", what, r.Fresh, r.Err, next, conversation)
	}
}

func enqueueInLine(s *suite) {
	line := func(id string, sequence uint32) exchange.Departure {
		return inLine(export(id, "K"+id, id), "certificates", "c", sequence)
	}
	s.outOfLine("the second without the first", s.enqueue(line("m1", 1))[0], "", 0)
	results := s.enqueue(line("m0", 0), line("m1", 1), line("x", 1), line("y", 3))
	for i, r := range results[:2] {
		if !r.Fresh || r.Err != nil {
			s.Errorf("message %d: Fresh %v, Err %v", i, r.Fresh, r.Err)
		}
	}
	s.outOfLine("a repetition", results[2], "c", 2)
	s.outOfLine("a gap", results[3], "c", 2)
	s.reopen()
	s.outOfLine("another conversation", s.enqueue(inLine(export("z", "Kz", "z"), "certificates", "d", 0))[0], "c", 2)
	if r := s.enqueue(line("m1", 1))[0]; r.Fresh || r.Err != nil || r.Message.MessageID != "m1" {
		s.Errorf("a certificate that is there: Fresh %v, Err %v", r.Fresh, r.Err)
	}
	if n := len(s.messages(exchange.MessageQuery{})); n != 2 {
		s.Errorf("%d messages, want the two in line", n)
	}
	apart := s.enqueue(inLine(signal("other", "TH"), "answers", "d", 0), inLine(signal("vn", "VN"), "certificates", "e", 0), inLine(signal("a", "TH"), "more", "c", 0))
	for i, r := range apart[:2] {
		if !r.Fresh || r.Err != nil {
			s.Errorf("line %d of its own: Fresh %v, Err %v", i, r.Fresh, r.Err)
		}
	}
	s.outOfLine("a conversation of another line", apart[2], "", 0)
	if r := s.enqueue(line("m2", 2))[0]; !r.Fresh || r.Message.Order == nil || r.Message.Order.Sequence != 2 {
		s.Errorf("the next: Fresh %v, Err %v", r.Fresh, r.Err)
	}
	for _, bad := range []exchange.Departure{{Message: signal("n", "TH").Message, Line: "l"}, inLine(signal("n", "TH"), "l", "", 0), inLine(signal("n", "TH"), "l", "c2", exchange.MaxSequence+1)} {
		if _, err := s.Enqueue(s.Context(), []exchange.Departure{bad}); err == nil {
			s.Errorf("conversation %q, %+v was recorded in a line", bad.Message.ConversationID, bad.Message.Order)
		}
	}
}

func enqueueLineEnds(s *suite) {
	for i, end := range []exchange.State{exchange.StateFailed, exchange.StateExpired, exchange.StateCancelled} {
		c := fmt.Sprint("c", i)
		id := func(n int) string { return fmt.Sprint(end, n) }
		s.enqueue(inLine(export(id(0), id(0), "a"), "l", c, 0), inLine(export(id(1), id(1), "a"), "l", c, 1))
		jobs := s.claim(start, 2)
		s.settle(jobs[1].Message, exchange.StateAwaiting, at(1))
		if !s.settle(jobs[0].Message, end, at(1)) {
			s.Fatalf("%s: not settled", end)
		}
		s.reopen()
		s.outOfLine("what follows a gap", s.enqueue(inLine(export(id(2), id(2), "a"), "l", c, 2))[0], "", 0)
		s.outOfLine("the old conversation anew", s.enqueue(inLine(export(id(2), id(2), "a"), "l", c, 0))[0], "", 0)
		s.accept(settling(fmt.Sprintf("s%d@th", i), "TH", id(0), exchange.StateDelivered), settling(fmt.Sprintf("t%d@th", i), "TH", id(1), exchange.StateDelivered))
	}
	// Delivered ones leave it open, and a failure in a conversation before does not close the next.
	s.enqueue(inLine(signal("n0", "TH"), "l", "c9", 0))
	s.settle(s.claim(start, 1)[0].Message, exchange.StateDelivered, at(1))
	if r := s.enqueue(inLine(signal("n1", "TH"), "l", "c9", 1))[0]; !r.Fresh {
		s.Errorf("after a delivery: %v", r.Err)
	}
	s.accept(settling("s9@th", "TH", "n1", exchange.StateFailed))
	s.outOfLine("after the partner's refusal", s.enqueue(inLine(signal("n2", "TH"), "l", "c9", 2))[0], "", 0)
}
