package storetest

import (
	"bytes"
	"fmt"
	"sync/atomic"

	"github.com/ecogate/ecogate/exchange"
)

func acceptRecordsAll(s *suite) {
	a := answered(imports("m1@th", "TH", "T1", "a"), "ack1@kr", false)
	b := inbound("m2@vn", "VN", "b")
	results := s.accept(a, b)
	for i, in := range []exchange.Arrival{a, b} {
		r := results[i]
		if !r.Fresh || r.Conflict || r.Settled {
			s.Errorf("result %d: %+v", i, r)
		}
		want := in.Message
		want.Seq, want.Raw, want.Reply = r.Message.Seq, r.Message.Raw, r.Message.Reply
		same(s, "the result's message", r.Message, want)
		same(s, "the stored message", s.message(exchange.MessageQuery{Seq: r.Message.Seq}), want)
		s.rawIs(r.Message.Raw, in.Raw)
	}
	if results[1].Message.Seq <= results[0].Message.Seq || results[0].Message.Seq == 0 {
		s.Errorf("numbers %d, %d do not rise from 1", results[0].Message.Seq, results[1].Message.Seq)
	}
	found := s.certificates(exchange.CertificateQuery{Reference: "T1"})
	if len(found) != 1 {
		s.Fatalf("%d certificates, want 1", len(found))
	}
	want := *a.Certificate
	want.Seq, want.Document = 1, found[0].Document
	same(s, "the stored certificate", found[0], want)
	s.rawIs(found[0].Document, bytes.NewReader(a.Document))

	reply := s.message(exchange.MessageQuery{RefToMessageID: "m1@th"})
	if reply.Seq != results[0].Message.Reply || reply.State != exchange.StateQueued || results[1].Message.Reply != 0 {
		s.Errorf("reply %d is %q; messages name replies %d and %d", reply.Seq, reply.State, results[0].Message.Reply, results[1].Message.Reply)
	}
	if jobs := s.claim(start, 10); len(jobs) != 1 || !equal(jobs[0].Raw, a.Reply.Raw) {
		s.Errorf("claimed %d jobs, want the reply", len(jobs))
	}
}

func acceptHeldReplyIsDelivered(s *suite) {
	a := answered(inbound("m1@th", "TH", "a"), "ack1@kr", true)
	for range 2 { // the duplicate gets the stored bytes in its response, so nothing becomes due
		m := s.accept(a)[0].Message
		reply := s.message(exchange.MessageQuery{Seq: m.Reply})
		if reply.State != exchange.StateDelivered {
			s.Errorf("reply is %q", reply.State)
		}
		s.rawIs(reply.Raw, a.Reply.Raw)
		if jobs := s.claim(at(9999), 10); len(jobs) != 0 {
			s.Errorf("%d jobs, want none", len(jobs))
		}
	}
}

func acceptCopyThatIsNotHeldMakesTheReplyDue(s *suite) {
	a := answered(inbound("m1@th", "TH", "a"), "ack1@kr", true)
	m := s.accept(a)[0].Message
	a.Held, a.Message.Created = false, at(5)
	s.accept(a)
	jobs := s.claim(at(5), 10)
	if len(jobs) != 1 || jobs[0].Message.Seq != m.Reply || !equal(jobs[0].Raw, a.Reply.Raw) {
		s.Fatalf("%d jobs, want the reply that went in a response before", len(jobs))
	}
	s.settle(jobs[0].Message, exchange.StateDelivered, at(6))
	a.Held = true
	if s.accept(a); len(s.claim(at(9999), 10)) != 0 {
		s.Error("the reply to a held copy became due")
	}
}

func acceptDuplicateOnlyCounts(s *suite) {
	first := s.accept(imports("m1@th", "TH", "T1", "a"))[0].Message
	copied := answered(settling("m1@th", "TH", "out@kr", exchange.StateDelivered), "ack2@kr", false)
	copied.Message = first
	copied.Message.Created = at(5)
	s.enqueue(signal("out@kr", "TH"))
	for i := range 3 {
		r := s.accept(copied)[0]
		if r.Fresh || r.Conflict || r.Settled {
			s.Errorf("copy %d: %+v", i, r)
		}
		want := first
		want.Copies = i + 1
		same(s, "the first message", r.Message, want)
		same(s, "the stored message", s.message(exchange.MessageQuery{MessageID: "m1@th"}), want)
	}
	if n := len(s.messages(exchange.MessageQuery{})); n != 2 {
		s.Errorf("%d messages, want 2", n)
	}
	if r := s.accept(inbound("m1@th", "VN", "a"))[0]; !r.Fresh {
		s.Error("the MessageID of another partner counts as a duplicate")
	}
}

func acceptDuplicateRearmsReply(s *suite) {
	cases := []struct {
		name  string
		reach func(reply exchange.Message) // brings the claimed reply into a state
		want  exchange.State
	}{
		{"queued for later", func(m exchange.Message) { s.settle(m, exchange.StateQueued, start) }, exchange.StateQueued},
		{"awaiting", func(m exchange.Message) { s.settle(m, exchange.StateAwaiting, start) }, exchange.StateQueued},
		{"delivered", func(m exchange.Message) { s.settle(m, exchange.StateDelivered, start) }, exchange.StateQueued},
		{"failed", func(m exchange.Message) { s.settle(m, exchange.StateFailed, start) }, exchange.StateQueued},
		{"expired", func(m exchange.Message) { s.settle(m, exchange.StateExpired, start) }, exchange.StateQueued},
		{"sending", func(exchange.Message) {}, exchange.StateSending},
	}
	for i, c := range cases {
		a := answered(inbound(fmt.Sprintf("m%d@th", i), "TH", "a"), fmt.Sprintf("ack%d@kr", i), false)
		m := s.accept(a)[0].Message
		jobs := s.claim(start, 1)
		if len(jobs) != 1 || jobs[0].Message.Seq != m.Reply {
			s.Fatalf("%s: the reply was not claimed", c.name)
		}
		c.reach(jobs[0].Message)
		a.Message.Created = at(20)
		s.accept(a)
		reply := s.message(exchange.MessageQuery{Seq: m.Reply})
		if reply.State != c.want {
			s.Errorf("%s: reply is %q, want %q", c.name, reply.State, c.want)
		}
		if c.want != exchange.StateQueued {
			continue
		}
		if !reply.Due.Equal(at(20)) || reply.Reason != nil || !reply.Settled.IsZero() {
			s.Errorf("%s: due %s, reason %v, settled %s", c.name, reply.Due, reply.Reason, reply.Settled)
		}
		if jobs := s.claim(at(20), 1); len(jobs) != 1 || jobs[0].Message.Seq != m.Reply || !equal(jobs[0].Raw, a.Reply.Raw) {
			s.Errorf("%s: the stored reply is not due again", c.name)
		}
	}
}

func acceptOtherContentIsQuarantined(s *suite) {
	first := s.accept(imports("m1@th", "TH", "T1", "a"))[0].Message
	s.enqueue(signal("out@kr", "TH"))
	other := answered(imports("m1@th", "TH", "T2", "b"), "ack2@kr", false)
	other.Settles = settling("x", "TH", "out@kr", exchange.StateDelivered).Settles
	for range 2 {
		r := s.accept(other)[0]
		if !r.Conflict || r.Settled || r.Message.State != exchange.StateQuarantined || r.Message.Reason == nil || r.Message.Reason.Code != exchange.ReasonInconsistent {
			s.Errorf("result %+v", r)
		}
		s.rawIs(r.Message.Raw, other.Raw)
	}
	same(s, "the first message", s.message(exchange.MessageQuery{MessageID: "m1@th", State: exchange.StateAccepted}), first)
	if n := len(s.messages(exchange.MessageQuery{State: exchange.StateQuarantined})); n != 2 {
		s.Errorf("%d in quarantine, want 2", n)
	}
	if n := len(s.certificates(exchange.CertificateQuery{Reference: "T2"})); n != 0 {
		s.Error("the certificate of a message in quarantine is there")
	}
	if n := len(s.messages(exchange.MessageQuery{MessageID: "ack2@kr"})); n != 0 {
		s.Error("a message in quarantine is acknowledged")
	}
	if state := s.message(exchange.MessageQuery{MessageID: "out@kr"}).State; state != exchange.StateQueued {
		s.Errorf("a message in quarantine settled another: %q", state)
	}
}

func acceptQuarantinedIsAlwaysRecorded(s *suite) {
	bad := inbound("m1@th", "TH", "a")
	bad.Message.State = exchange.StateQuarantined
	bad.Message.Reason = &exchange.Reason{Code: "SecurityFailure", Cause: "forged"}
	bad.Message.Settled = at(1) // which only expelled messages have
	unread := bad
	unread.Message.MessageID, unread.Message.Partner, unread.Message.Kind = "", "", exchange.KindUnknown
	for _, a := range []exchange.Arrival{bad, unread, bad, unread} {
		if r := s.accept(a)[0]; !r.Fresh || r.Conflict {
			s.Errorf("result %+v", r)
		}
	}
	if r := s.accept(inbound("m1@th", "TH", "genuine"))[0]; !r.Fresh || r.Conflict {
		s.Error("a message in quarantine took the MessageID of the genuine one")
	}
	if n := len(s.messages(exchange.MessageQuery{State: exchange.StateQuarantined})); n != 4 {
		s.Errorf("%d in quarantine, want 4", n)
	}
	bad.Message.MessageID = "m1@th"
	if r := s.accept(bad)[0]; !r.Fresh || r.Conflict {
		s.Error("a message in quarantine counts as a duplicate of an accepted one")
	}
}

func acceptTogetherIsFreshOnce(s *suite) {
	var fresh atomic.Int64
	err := together(64, func(int) error {
		results, err := s.Accept(s.Context(), []exchange.Arrival{answered(imports("m1@th", "TH", "T1", "a"), "ack1@kr", false)})
		if err == nil && results[0].Fresh {
			fresh.Add(1)
		}
		return err
	})
	if err != nil || fresh.Load() != 1 {
		s.Errorf("%d were fresh, want 1; %v", fresh.Load(), err)
	}
	if m := s.message(exchange.MessageQuery{MessageID: "m1@th"}); m.Copies != 63 {
		s.Errorf("%d copies counted, want 63", m.Copies)
	}
	if n := len(s.certificates(exchange.CertificateQuery{})); n != 1 {
		s.Errorf("%d certificates, want 1", n)
	}
}

func acceptCertificateIsConfirmedAgain(s *suite) {
	s.accept(imports("m1@th", "TH", "T1", "a"))
	if r := s.accept(imports("m2@th", "TH", "T1", "a"))[0]; !r.Fresh || r.Conflict {
		s.Errorf("result %+v", r)
	}
	s.message(exchange.MessageQuery{MessageID: "m2@th"})
	same(s, "certificates", s.states("T1"), []exchange.CertificateState{exchange.CertificateAvailable})
}

func acceptCertificatesInConflict(s *suite) {
	conflict := exchange.CertificateInConflict
	s.accept(imports("m1@th", "TH", "T1", "a"))
	if r := s.accept(imports("m2@th", "TH", "T1", "b"))[0]; !r.Fresh || r.Conflict {
		s.Errorf("the message itself is no conflict: %+v", r)
	}
	same(s, "after other content", s.states("T1"), []exchange.CertificateState{conflict, conflict})
	s.accept(imports("m3@th", "TH", "T1", "a"))
	same(s, "after the first content again", s.states("T1"), []exchange.CertificateState{conflict, conflict})
	s.accept(imports("m4@th", "TH", "T1", "c"))
	same(s, "after a third content", s.states("T1"), []exchange.CertificateState{conflict, conflict, conflict})
	for _, c := range s.certificates(exchange.CertificateQuery{Reference: "T1"}) {
		if c.Data.Reference != "T1" || len(c.Data.Items) != 1 {
			s.Errorf("certificate %d lost its data: %+v", c.Seq, c.Data)
		}
	}
}

func acceptRefusedAgainInConflict(s *suite) {
	s.accept(imports("m1@th", "TH", "T1", "a"))
	s.accept(imports("m2@th", "TH", "T1", "b"))
	var changes []exchange.Change
	for _, c := range s.certificates(exchange.CertificateQuery{Reference: "T1"}) { // an officer decides that the second one holds
		to := map[string]exchange.CertificateState{"m1@th": exchange.CertificateRefused, "m2@th": exchange.CertificateAvailable}[c.Message]
		changes = append(changes, changing(c, to, 1))
	}
	if err := s.Change(s.Context(), changes, nil); err != nil {
		s.Fatal(err)
	}
	settled := []exchange.CertificateState{exchange.CertificateRefused, exchange.CertificateAvailable}
	for i, content := range []string{"a", "b", "a"} {
		if r := s.accept(imports(fmt.Sprintf("m%d@th", 3+i), "TH", "T1", content))[0]; !r.Fresh {
			s.Errorf("result %+v", r)
		}
		same(s, "after content "+content+" again", s.states("T1"), settled)
	}
	s.accept(inOrder(imports("m6@th", "TH", "T1", "a"), "c", 1))
	s.accept(inOrder(inbound("m7@th", "TH", "x"), "c", 0))
	same(s, "after it came in its turn", s.states("T1"), settled)
}

func acceptSettles(s *suite) {
	released, receipted, failed := exchange.CertificateReleased, exchange.CertificateReceipted, exchange.CertificateFailed
	cases := []struct {
		name    string
		from    exchange.State
		partner string
		to      exchange.State
		settled bool
		message exchange.State
		co      exchange.CertificateState
	}{
		{"queued, acknowledged", exchange.StateQueued, "TH", exchange.StateDelivered, true, exchange.StateDelivered, receipted},
		{"sending, acknowledged", exchange.StateSending, "TH", exchange.StateDelivered, true, exchange.StateDelivered, receipted},
		{"awaiting, acknowledged", exchange.StateAwaiting, "TH", exchange.StateDelivered, true, exchange.StateDelivered, receipted},
		{"awaiting, refused", exchange.StateAwaiting, "TH", exchange.StateFailed, true, exchange.StateFailed, failed},
		{"failed, acknowledged late", exchange.StateFailed, "TH", exchange.StateDelivered, true, exchange.StateDelivered, receipted},
		{"expired, acknowledged late", exchange.StateExpired, "TH", exchange.StateDelivered, true, exchange.StateDelivered, receipted},
		{"failed, refused", exchange.StateFailed, "TH", exchange.StateFailed, false, exchange.StateFailed, failed},
		{"expired, refused", exchange.StateExpired, "TH", exchange.StateFailed, false, exchange.StateExpired, failed},
		{"delivered, refused", exchange.StateDelivered, "TH", exchange.StateFailed, false, exchange.StateDelivered, receipted},
		{"delivered, acknowledged", exchange.StateDelivered, "TH", exchange.StateDelivered, false, exchange.StateDelivered, receipted},
		{"cancelled, acknowledged", exchange.StateCancelled, "TH", exchange.StateDelivered, false, exchange.StateCancelled, failed},
		{"another partner", exchange.StateAwaiting, "VN", exchange.StateDelivered, false, exchange.StateAwaiting, released},
	}
	for i, c := range cases {
		id, reference := fmt.Sprintf("m%d@kr", i), fmt.Sprintf("K%d", i)
		s.enqueue(export(id, reference, "a"))
		if c.from != exchange.StateQueued {
			job := s.claim(start, 1)[0]
			if c.from != exchange.StateSending && !s.settle(job.Message, c.from, start) {
				s.Fatalf("%s: not settled", c.name)
			}
		}
		before := s.message(exchange.MessageQuery{MessageID: id})
		if r := s.accept(settling(fmt.Sprintf("s%d@th", i), c.partner, id, c.to))[0]; r.Settled != c.settled || !r.Fresh {
			s.Errorf("%s: Settled %v, Fresh %v", c.name, r.Settled, r.Fresh)
		}
		m := s.message(exchange.MessageQuery{MessageID: id})
		if m.State != c.message {
			s.Errorf("%s: message is %q, want %q", c.name, m.State, c.message)
		}
		same(s, c.name+": certificate", s.states(reference), []exchange.CertificateState{c.co})
		if !c.settled {
			same(s, c.name+": message", m, before)
		} else if m.SettledBy != fmt.Sprintf("s%d@th", i) || !m.Settled.Equal(at(30)) || !m.Due.IsZero() || (m.Reason == nil) != (c.to == exchange.StateDelivered) {
			s.Errorf("%s: settled by %q at %s, due %s, reason %v", c.name, m.SettledBy, m.Settled, m.Due, m.Reason)
		}
	}
	if r := s.accept(settling("sx@th", "TH", "unknown@kr", exchange.StateDelivered))[0]; r.Settled {
		s.Error("an unknown message was settled")
	}
}

// acceptRefusalOfWhatWasTaken: without an agreed acknowledgment a 2xx answer ends delivery, and a refusal may come after it.
func acceptRefusalOfWhatWasTaken(s *suite) {
	d := export("m1@kr", "K1", "a")
	d.Message.AckRequired = false
	s.enqueue(d)
	s.settle(s.claim(start, 1)[0].Message, exchange.StateDelivered, at(1))
	steps := []struct {
		name    string
		arrival exchange.Arrival
		settled bool
		message exchange.State
		by      string
		co      exchange.CertificateState
	}{
		{"expired", settling("s1@th", "TH", "m1@kr", exchange.StateExpired), false, exchange.StateDelivered, "", exchange.CertificateSent},
		{"acknowledged", settling("s2@th", "TH", "m1@kr", exchange.StateDelivered), false, exchange.StateDelivered, "", exchange.CertificateSent},
		{"refused by another", settling("s3@vn", "VN", "m1@kr", exchange.StateFailed), false, exchange.StateDelivered, "", exchange.CertificateSent},
		{"refused", settling("s4@th", "TH", "m1@kr", exchange.StateFailed), true, exchange.StateFailed, "s4@th", exchange.CertificateFailed},
		{"refused again", settling("s5@th", "TH", "m1@kr", exchange.StateFailed), false, exchange.StateFailed, "s4@th", exchange.CertificateFailed},
		{"acknowledged late", settling("s6@th", "TH", "m1@kr", exchange.StateDelivered), true, exchange.StateDelivered, "s6@th", exchange.CertificateSent},
		{"refused after that", settling("s7@th", "TH", "m1@kr", exchange.StateFailed), false, exchange.StateDelivered, "s6@th", exchange.CertificateSent},
	}
	for _, c := range steps {
		if r := s.accept(c.arrival)[0]; r.Settled != c.settled || !r.Fresh {
			s.Errorf("%s: Settled %v, Fresh %v", c.name, r.Settled, r.Fresh)
		}
		m := s.message(exchange.MessageQuery{MessageID: "m1@kr"})
		if m.State != c.message || m.SettledBy != c.by || (m.Reason == nil) != (c.message == exchange.StateDelivered) {
			s.Errorf("%s: message is %q by %q with reason %v, want %q by %q", c.name, m.State, m.SettledBy, m.Reason, c.message, c.by)
		}
		same(s, c.name+": certificate", s.states("K1"), []exchange.CertificateState{c.co})
	}
	// A reply that went in the HTTP response was not posted: a refusal must not make it one to post.
	a := answered(inbound("m2@th", "TH", "a"), "ack2@kr", true)
	s.accept(a)
	if r := s.accept(settling("s8@th", "TH", "ack2@kr", exchange.StateFailed))[0]; r.Settled {
		s.Error("a reply in the HTTP response was settled as failed")
	}
	if s.accept(a); len(s.claim(at(9999), 10)) != 0 {
		s.Error("a reply in the HTTP response is due")
	}
}

func acceptSettlementFencesOutTheWorker(s *suite) {
	s.enqueue(signal("m1@kr", "TH"))
	job := s.claim(start, 1)[0]
	s.accept(settling("s1@th", "TH", "m1@kr", exchange.StateDelivered))
	if s.settle(job.Message, exchange.StateAwaiting, at(1)) {
		s.Error("the worker's outcome counts after the acknowledgment")
	}
	if s.settle(job.Message, exchange.StateAwaiting, at(1)) {
		s.Error("the worker's outcome counts the second time")
	}
	m := s.message(exchange.MessageQuery{MessageID: "m1@kr"})
	if m.State != exchange.StateDelivered || m.SettledBy != "s1@th" || len(m.Log) != 1 || m.Owner != "" {
		s.Errorf("message is %q by %q with %d attempts, owner %q; want delivered by the acknowledgment, with the worker's one attempt", m.State, m.SettledBy, len(m.Log), m.Owner)
	}
}

func acceptIsAllOrNothing(s *suite) {
	s.enqueue(signal("ack@kr", "TH"))
	bad := answered(inbound("m2@th", "TH", "b"), "ack@kr", false) // its reply's MessageID is taken
	bad.Reply.Message.Content = digest("other")
	if _, err := s.Accept(s.Context(), []exchange.Arrival{imports("m1@th", "TH", "T1", "a"), bad}); err == nil {
		s.Fatal("a reply under a MessageID that is taken was recorded")
	}
	if n := len(s.messages(exchange.MessageQuery{})); n != 1 {
		s.Errorf("%d messages after a failed call, want 1", n)
	}
	if n := len(s.certificates(exchange.CertificateQuery{})); n != 0 {
		s.Errorf("%d certificates after a failed call, want 0", n)
	}
	if r := s.accept(imports("m1@th", "TH", "T1", "a"))[0]; !r.Fresh || r.Message.Seq != 2 {
		s.Errorf("after a failed call: %+v", r)
	}
}

func acceptCertificateOfATestIsAnother(s *suite) {
	tried := func(id, content string) exchange.Arrival {
		a := imports(id, "TH", "T1", content)
		a.Message.Certificate.Test, a.Certificate.Key.Test, a.Certificate.Mode = true, true, "test"
		return a
	}
	available, conflict := exchange.CertificateAvailable, exchange.CertificateInConflict
	s.accept(tried("m1@th", "a"))
	s.accept(imports("m2@th", "TH", "T1", "a"))
	s.accept(imports("m3@th", "TH", "T1", "a")) // confirms the second
	s.reopen()
	same(s, "tried and real", s.states("T1"), []exchange.CertificateState{available, available})
	s.accept(tried("m4@th", "b"))
	same(s, "tried otherwise", s.states("T1"), []exchange.CertificateState{conflict, available, conflict})
	if c := s.certificates(exchange.CertificateQuery{Message: "m1@th"}); len(c) != 1 || !c[0].Key.Test || c[0].Mode != "test" {
		s.Errorf("the record of what was tried: %+v", c)
	}
}
