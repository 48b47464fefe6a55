package storetest

import (
	"errors"
	"time"

	"github.com/ecogate/ecogate/eco"
	"github.com/ecogate/ecogate/exchange"
)

// changing is what moves a certificate to a state, made of it as it is now; number marks it.
func changing(c exchange.Certificate, state exchange.CertificateState, number int) exchange.Change {
	d := c.Dealings
	d.Items = []exchange.ItemStanding{{ItemOutcome: eco.ItemOutcome{Item: number, Status: eco.CustomsUsedInPart}, Said: at(number), Message: "r@th"}}
	d.Life = &eco.Life{Side: eco.SideExporting, State: eco.State(state), Messages: []string{c.Message}}
	return exchange.Change{Seq: c.Seq, Revision: c.Revision, Was: c.State, State: state, Dealings: d}
}

// only is the one certificate with a reference.
func (s *suite) only(reference string) exchange.Certificate {
	s.Helper()
	found := s.certificates(exchange.CertificateQuery{Reference: reference})
	if len(found) != 1 {
		s.Fatalf("%d certificates with reference %s, want 1", len(found), reference)
	}
	return found[0]
}

func changeComesWithItsMessage(s *suite) {
	s.enqueue(export("m1@kr", "R1", "a"))
	was := s.only("R1")
	a := inbound("m1@th", "TH", "used")
	a.Message.Kind = exchange.KindResponse
	a.Message.Business = &exchange.Business{Response: &eco.CustomsResponse{Declaration: "D1"}}
	change := changing(was, exchange.CertificateUsedInPart, 1)
	a.Changes = []exchange.Change{change}
	if r := s.accept(a)[0]; !r.Fresh || r.Stale {
		s.Fatalf("%+v", r)
	}
	change.Dealings.Items[0].Item = 99 // the caller's own
	want := was
	want.State, want.Revision, want.Dealings = exchange.CertificateUsedInPart, 1, changing(was, exchange.CertificateUsedInPart, 1).Dealings
	for range 2 {
		same(s, "certificate", s.only("R1"), want)
		if m := s.message(exchange.MessageQuery{MessageID: "m1@th"}); m.Business == nil || m.Business.Response.Declaration != "D1" {
			s.Errorf("the message says %+v", m.Business)
		}
		s.reopen()
	}
	d := signal("m2@kr", "TH")
	d.Message.Kind = exchange.KindCancellation
	d.Changes = []exchange.Change{changing(want, exchange.CertificateCancelled, 2)}
	if r := s.enqueue(d)[0]; !r.Fresh || s.only("R1").State != exchange.CertificateCancelled || s.only("R1").Revision != 2 {
		s.Errorf("%+v, certificate %s", r, s.only("R1").State)
	}
}

func changeThatDoesNotFitWritesNothing(s *suite) {
	s.enqueue(export("m1@kr", "R1", "a"))
	c := s.only("R1")
	fits := changing(c, exchange.CertificateUsedInPart, 1)
	for name, spoil := range map[string]func(*exchange.Change){
		"revision": func(c *exchange.Change) { c.Revision++ }, "state": func(c *exchange.Change) { c.Was = exchange.CertificateSent },
		"number": func(c *exchange.Change) { c.Seq = 99 }, "no number": func(c *exchange.Change) { c.Seq = 0 },
	} {
		wrong := fits
		spoil(&wrong)
		a, d := answered(inbound("m1@th", "TH", "x"), "ack@kr", false), exportTo("TH", "m2@kr", "R2", "b")
		a.Changes, d.Changes = []exchange.Change{fits, wrong}, []exchange.Change{fits, wrong}
		if r := s.accept(a)[0]; !r.Stale || r.Fresh || r.Conflict {
			s.Errorf("%s: accepted %+v", name, r)
		}
		if r := s.enqueue(d)[0]; !errors.Is(r.Err, exchange.ErrChanged) || r.Fresh {
			s.Errorf("%s: enqueued %+v", name, r)
		}
	}
	same(s, "certificate", s.only("R1"), c)
	if n := len(s.messages(exchange.MessageQuery{})); n != 1 || len(s.certificates(exchange.CertificateQuery{})) != 1 {
		s.Errorf("%d messages, want the first alone", n)
	}
	quarantined := inbound("bad@th", "TH", "b")
	quarantined.Message.State, quarantined.Changes = exchange.StateQuarantined, []exchange.Change{fits}
	if _, err := s.Accept(s.Context(), []exchange.Arrival{quarantined}); err == nil {
		s.Error("a message in quarantine changed a certificate")
	}
	replying := answered(inbound("m3@th", "TH", "x"), "ack3@kr", false)
	replying.Reply.Changes = []exchange.Change{fits}
	if _, err := s.Accept(s.Context(), []exchange.Arrival{replying}); err == nil {
		s.Error("a reply changed a certificate")
	}
}

func changeOfACopyIsNotMadeAgain(s *suite) {
	s.accept(imports("m1@th", "TH", "T1", "a"))
	c := s.only("T1")
	a := inbound("m2@th", "TH", "x")
	a.Changes = []exchange.Change{changing(c, exchange.CertificateCancelled, 1)}
	s.accept(a)
	if r := s.accept(a)[0]; r.Fresh || r.Stale || r.Message.Copies != 1 {
		s.Errorf("a copy: %+v", r)
	}
	other := a
	other.Message.Content = digest("other")
	if r := s.accept(other)[0]; !r.Conflict || r.Stale {
		s.Errorf("other content: %+v", r)
	}
	if got := s.only("T1"); got.Revision != 1 || got.State != exchange.CertificateCancelled {
		s.Errorf("changed %d times, %s", got.Revision, got.State)
	}
}

func changesTogetherSeeEachOther(s *suite) {
	s.enqueue(export("m1@kr", "R1", "a"))
	c := s.only("R1")
	made := make(chan bool, 16)
	err := together(8, func(i int) error {
		a, d := inbound(string(rune('a'+i))+"@th", "TH", "x"), signal(string(rune('a'+i))+"@kr", "TH")
		a.Changes = []exchange.Change{changing(c, exchange.CertificateUsedInPart, i)}
		d.Changes = []exchange.Change{changing(c, exchange.CertificateCancelled, i)}
		accepted, err := s.Accept(s.Context(), []exchange.Arrival{a})
		if err != nil {
			return err
		}
		enqueued, err := s.Enqueue(s.Context(), []exchange.Departure{d})
		if err != nil {
			return err
		}
		made <- accepted[0].Fresh
		made <- enqueued[0].Fresh
		return nil
	})
	if err != nil {
		s.Fatal(err)
	}
	n := 0
	for range 16 {
		if <-made {
			n++
		}
	}
	if n != 1 || s.only("R1").Revision != 1 {
		s.Errorf("%d of 16 changes of one revision were made", n)
	}
}

func effectFollowsItsMessage(s *suite) {
	s.enqueue(export("m1@kr", "R1", "a"))
	s.accept(settling("ack1@th", "TH", "m1@kr", exchange.StateDelivered))
	c := s.only("R1")
	cancel := signal("m2@kr", "TH")
	cancel.Message.Kind, cancel.Message.AckRequired = exchange.KindCancellation, true
	cancel.Message.Effect = &exchange.Effect{Certificate: c.Seq, Before: c.State, After: exchange.CertificateCancelled}
	cancel.Changes = []exchange.Change{changing(c, exchange.CertificateCancelled, 1)}
	s.enqueue(cancel)
	state := func(what string, want exchange.CertificateState) {
		s.Helper()
		same(s, what, s.states("R1"), []exchange.CertificateState{want})
	}
	state("cancelled", exchange.CertificateCancelled)
	jobs := s.claim(start, 9)
	s.settle(jobs[0].Message, exchange.StateExpired, at(1))
	state("when its delivery has ended", exchange.CertificateReceipted)
	s.reopen()
	s.accept(settling("ack2@th", "TH", "m2@kr", exchange.StateDelivered))
	state("when it was acknowledged late", exchange.CertificateCancelled)

	s.enqueue(export("m3@kr", "R2", "a"))
	s.accept(settling("ack3@th", "TH", "m3@kr", exchange.StateDelivered))
	c = s.only("R2")
	cancel.Message.MessageID, cancel.Message.Effect.Certificate = "m4@kr", c.Seq
	cancel.Message.Content = digest("m4")
	cancel.Changes = []exchange.Change{changing(c, exchange.CertificateCancelled, 1)}
	s.enqueue(cancel)
	a := inbound("m5@th", "TH", "used")
	a.Changes = []exchange.Change{changing(s.only("R2"), exchange.CertificateUsedUp, 2)}
	s.accept(a)
	s.accept(settling("error@th", "TH", "m4@kr", exchange.StateFailed))
	same(s, "refused after a use", s.states("R2"), []exchange.CertificateState{exchange.CertificateUsedUp})
}

func replacedIsNoConflict(s *suite) {
	s.enqueue(export("m1@kr", "R1", "a"))
	next := export("m2@kr", "R1", "b")
	if r := s.enqueue(next)[0]; !errors.Is(r.Err, exchange.ErrConflict) {
		s.Errorf("other content without a replacement: %+v", r)
	}
	next.Changes = []exchange.Change{changing(s.only("R1"), exchange.CertificateReplaced, 1)}
	if r := s.enqueue(next)[0]; !r.Fresh {
		s.Fatalf("%+v", r)
	}
	same(s, "exported", s.states("R1"), []exchange.CertificateState{exchange.CertificateReplaced, exchange.CertificateReleased})
	if r := s.enqueue(next)[0]; r.Fresh || r.Err != nil || r.Message.MessageID != "m2@kr" {
		s.Errorf("again: %+v", r)
	}
	if r := s.enqueue(export("m3@kr", "R1", "c"))[0]; !errors.Is(r.Err, exchange.ErrConflict) {
		s.Errorf("a third content: %+v", r)
	}
	s.accept(imports("m1@th", "TH", "T1", "a"))
	a := imports("m2@th", "TH", "T1", "b")
	a.Changes = []exchange.Change{changing(s.only("T1"), exchange.CertificateReplaced, 1)}
	s.accept(a)
	same(s, "imported", s.states("T1"), []exchange.CertificateState{exchange.CertificateReplaced, exchange.CertificateAvailable})
	s.accept(imports("m3@th", "TH", "T1", "a"))
	same(s, "the old one again", s.states("T1"), []exchange.CertificateState{exchange.CertificateReplaced, exchange.CertificateAvailable})
	s.accept(imports("m4@th", "TH", "T1", "c"))
	same(s, "a third content", s.states("T1"), []exchange.CertificateState{exchange.CertificateReplaced, exchange.CertificateInConflict, exchange.CertificateInConflict})
}

func verificationsThatAreOpen(s *suite) {
	verify := func(reference, reply string, asked time.Time) {
		c := s.only(reference)
		d := c.Dealings
		d.Verifications = []exchange.Verification{{Request: "v@th", ID: "V" + reference, Asked: asked, Reply: reply}}
		a := inbound("v"+reference+reply+"@th", "TH", "v")
		a.Changes = []exchange.Change{{Seq: c.Seq, Revision: c.Revision, Was: c.State, State: c.State, Dealings: d}}
		s.accept(a)
	}
	open := func(want ...string) {
		s.Helper()
		var found []string
		for _, c := range s.certificates(exchange.CertificateQuery{Verifying: true}) {
			found = append(found, c.Key.Reference)
		}
		same(s, "open", found, want)
	}
	for _, reference := range []string{"R1", "R2", "R3"} {
		s.enqueue(export("m"+reference+"@kr", reference, "a"))
	}
	open()
	verify("R1", "", at(1))
	verify("R3", "", at(2))
	open("R3", "R1")
	s.reopen()
	verify("R3", "reply", at(2))
	open("R1")
	if found := s.certificates(exchange.CertificateQuery{Verifying: true, Reference: "R3"}); len(found) != 0 {
		s.Errorf("%d with a reference and an open verification, want none", len(found))
	}
	if found := s.certificates(exchange.CertificateQuery{Verifying: true, Direction: exchange.Inbound}); len(found) != 0 {
		s.Errorf("%d imported ones, want none", len(found))
	}
}

// onHold has an arrival bring a certificate whose issuer is in doubt.
func onHold(a exchange.Arrival) exchange.Arrival {
	a.Certificate.State = exchange.CertificateSuspended
	a.Certificate.Dealings.Life = &eco.Life{
		Side: eco.SideImporting, State: eco.StateSuspended, Resume: eco.StateAvailable, Requests: []eco.Verification{{ID: "issuer", Asked: start}},
	}
	return a
}

func changeWithoutAMessage(s *suite) {
	s.accept(onHold(imports("m1@th", "TH", "T1", "a")), imports("m2@th", "TH", "T2", "a"))
	held := s.certificates(exchange.CertificateQuery{OnHold: true})
	if len(held) != 1 || held[0].Key.Reference != "T1" || held[0].State != exchange.CertificateSuspended {
		s.Fatalf("on hold: %+v", held)
	}
	if found := s.certificates(exchange.CertificateQuery{OnHold: true, Reference: "T2"}); len(found) != 0 {
		s.Errorf("%d with another reference on hold", len(found))
	}
	other := s.only("T2")
	fits := exchange.Change{Seq: held[0].Seq, Revision: held[0].Revision, Was: held[0].State, State: exchange.CertificateAvailable}
	stale := exchange.Change{Seq: other.Seq, Revision: other.Revision + 1, Was: other.State, State: exchange.CertificateDenied}
	entry := exchange.AuditEntry{At: at(1), Actor: "officer", Event: "certificate.released", Subject: "T1"}
	if err := s.Change(s.Context(), []exchange.Change{fits, stale}, []exchange.AuditEntry{entry}); !errors.Is(err, exchange.ErrChanged) {
		s.Errorf("a change that does not fit: %v", err)
	}
	same(s, "when one does not fit", s.only("T1"), held[0])
	if err := s.Change(s.Context(), []exchange.Change{fits}, []exchange.AuditEntry{entry}); err != nil {
		s.Fatal(err)
	}
	s.reopen()
	want := held[0]
	want.State, want.Revision, want.Dealings = exchange.CertificateAvailable, 1, exchange.Dealings{}
	same(s, "changed", s.only("T1"), want)
	if found := s.certificates(exchange.CertificateQuery{OnHold: true}); len(found) != 0 {
		s.Errorf("%d on hold afterwards", len(found))
	}
	if err := s.Change(ended(s.Context()), nil, []exchange.AuditEntry{entry}); err == nil {
		s.Error("a change under an ended context was made")
	}
}

// holdOutlivesTheWait: whose issuer is in doubt is suspended when its turn has come, and one that comes again is as it came then.
func holdOutlivesTheWait(s *suite) {
	m := s.accept(onHold(numbered(1)))[0].Message
	same(s, "while it waits", s.states("T1"), []exchange.CertificateState{exchange.CertificateReceived})
	s.accept(onHold(numbered(2)), numbered(0))
	same(s, "in its turn", s.states("T1"), []exchange.CertificateState{exchange.CertificateSuspended})
	s.expel(s.accept(onHold(numbered(4)))[0].Message.Seq, nil)
	again := imports("again@th", "TH", "T4", "4")
	s.accept(again)
	if c := s.only("T4"); c.State != exchange.CertificateAvailable || c.Dealings.OnHold() || c.Message != "again@th" {
		s.Errorf("refused, and then beyond doubt: %s, on hold %t", c.State, c.Dealings.OnHold())
	}
	if m.State != exchange.StateReceived {
		s.Errorf("the message was %s", m.State)
	}
}
