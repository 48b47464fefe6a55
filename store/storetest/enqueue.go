package storetest

import (
	"bytes"
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/ecogate/ecogate/exchange"
)

func enqueueRecordsAll(s *suite) {
	first, second := export("m1@kr", "K001-26-0000001", "a"), signal("m2@kr", "VN")
	results := s.enqueue(first, second)
	for i, d := range []exchange.Departure{first, second} {
		r := results[i]
		if !r.Fresh || r.Err != nil {
			s.Errorf("result %d: Fresh %v, Err %v", i, r.Fresh, r.Err)
		}
		want := d.Message
		want.Seq, want.Raw = uint64(i+1), r.Message.Raw
		same(s, "the result's message", r.Message, want)
		same(s, "the stored message", s.message(exchange.MessageQuery{MessageID: want.MessageID}), want)
		s.rawIs(r.Message.Raw, d.Raw)
	}
	if ref := results[0].Message.Raw; ref.Digest != digest(octets(first.Raw)) || ref.Size != first.Raw.Size() || ref.Month != "2026-11" {
		s.Errorf("raw reference %+v", ref)
	}
	found := s.certificates(exchange.CertificateQuery{Message: "m1@kr"})
	if len(found) != 1 {
		s.Fatalf("%d certificates, want 1", len(found))
	}
	want := *first.Certificate
	want.Seq, want.Document = 1, found[0].Document
	same(s, "the stored certificate", found[0], want)
	s.rawIs(found[0].Document, bytes.NewReader(first.Document))
}

func enqueueAgainGivesTheFirstMessage(s *suite) {
	first := s.enqueue(export("m1@kr", "K1", "a"))[0]
	again := s.enqueue(export("m2@kr", "K1", "a"), export("m3@kr", "K2", "b"), export("m4@kr", "K2", "b"))
	for i, want := range []struct {
		id    string
		fresh bool
	}{{"m1@kr", false}, {"m3@kr", true}, {"m3@kr", false}} {
		if r := again[i]; r.Err != nil || r.Fresh != want.fresh || r.Message.MessageID != want.id {
			s.Errorf("result %d: %q, Fresh %v, Err %v, want %q, %v", i, r.Message.MessageID, r.Fresh, r.Err, want.id, want.fresh)
		}
	}
	same(s, "the message given again", again[0].Message, first.Message)
	for _, unwritten := range []string{"m2@kr", "m4@kr"} {
		if found := s.messages(exchange.MessageQuery{MessageID: unwritten}); len(found) != 0 {
			s.Errorf("%s was written", unwritten)
		}
	}
	if n := len(s.certificates(exchange.CertificateQuery{})); n != 2 {
		s.Errorf("%d certificates, want 2", n)
	}
}

func enqueueAfterFailureSendsAnew(s *suite) {
	for i, end := range []exchange.State{exchange.StateFailed, exchange.StateExpired} {
		reference := fmt.Sprint("K", i)
		first, second := fmt.Sprint("first", i, "@kr"), fmt.Sprint("second", i, "@kr")
		s.enqueue(export(first, reference, "a"))
		s.settle(s.claim(start, 1)[0].Message, end, at(1))
		if r := s.enqueue(export(second, reference, "a"))[0]; r.Err != nil || !r.Fresh || r.Message.MessageID != second {
			s.Errorf("after %s: %q, Fresh %v, Err %v, want %q, true", end, r.Message.MessageID, r.Fresh, r.Err, second)
		}
		found := s.certificates(exchange.CertificateQuery{Reference: reference})
		if len(found) != 1 || found[0].Message != second || found[0].State != exchange.CertificateReleased {
			s.Errorf("after %s: certificates %+v, want one, released in %q", end, found, second)
		}
		if r := s.enqueue(export("third@kr", reference, "a"))[0]; r.Fresh || r.Message.MessageID != second {
			s.Errorf("while the second is under way: %q, Fresh %v", r.Message.MessageID, r.Fresh)
		}
		if r := s.enqueue(export("other@kr", reference, "b"))[0]; !errors.Is(r.Err, exchange.ErrConflict) {
			s.Errorf("other content: Err %v, want ErrConflict", r.Err)
		}
		if !s.settle(s.claim(start, 1)[0].Message, exchange.StateDelivered, at(2)) {
			s.Error("the second message was not settled")
		}
	}
}

func enqueueToEachPartnerOnce(s *suite) {
	s.enqueue(exportTo("TH", "m1@kr", "K1", "a"))
	results := s.enqueue(exportTo("VN", "m2@kr", "K1", "a"), exportTo("VN", "m3@kr", "K1", "a"), exportTo("TH", "m4@kr", "K1", "a"),
		exportTo("LA", "m5@kr", "K1", "other"))
	for i, want := range []struct {
		id    string
		fresh bool
	}{{"m2@kr", true}, {"m2@kr", false}, {"m1@kr", false}} {
		if r := results[i]; r.Err != nil || r.Fresh != want.fresh || r.Message.MessageID != want.id {
			s.Errorf("result %d: %q, Fresh %v, Err %v, want %q, %v", i, r.Message.MessageID, r.Fresh, r.Err, want.id, want.fresh)
		}
	}
	if r := results[3]; r.Fresh || !errors.Is(r.Err, exchange.ErrConflict) {
		s.Errorf("other content to a third partner: Fresh %v, Err %v, want ErrConflict", r.Fresh, r.Err)
	}
	if n := len(s.messages(exchange.MessageQuery{})); n != 2 {
		s.Errorf("%d messages, want one to each of two partners", n)
	}
	s.accept(settling("s1@vn", "VN", "m2@kr", exchange.StateDelivered))
	for partner, want := range map[string]exchange.CertificateState{"TH": exchange.CertificateReleased, "VN": exchange.CertificateReceipted} {
		found := s.certificates(exchange.CertificateQuery{Reference: "K1", Partner: partner})
		if len(found) != 1 || found[0].State != want {
			s.Errorf("%d records of the certificate to %s, %+v; want one, %s", len(found), partner, found, want)
		}
	}
}

func enqueueOtherContentIsAConflict(s *suite) {
	s.enqueue(export("m1@kr", "K1", "a"))
	results := s.enqueue(export("m2@kr", "K1", "other"), export("m3@kr", "K2", "b"))
	if !errors.Is(results[0].Err, exchange.ErrConflict) || results[0].Fresh {
		s.Errorf("Fresh %v, Err %v, want ErrConflict", results[0].Fresh, results[0].Err)
	}
	if !results[1].Fresh || results[1].Err != nil {
		s.Errorf("the departure beside it: Fresh %v, Err %v", results[1].Fresh, results[1].Err)
	}
	if found := s.messages(exchange.MessageQuery{MessageID: "m2@kr"}); len(found) != 0 {
		s.Error("the message in conflict was written")
	}
	same(s, "certificates of K1", s.states("K1"), []exchange.CertificateState{exchange.CertificateReleased})

	// The key is more than the reference, and imported certificates are apart.
	other := export("m4@kr", "K1", "c")
	other.Certificate.Key.Form = "AK"
	if r := s.enqueue(other)[0]; !r.Fresh || r.Err != nil {
		s.Errorf("another form under the same reference: Fresh %v, Err %v", r.Fresh, r.Err)
	}
	s.accept(imports("m5@th", "TH", "K1", "d"))
	same(s, "certificates of K1", s.states("K1"), []exchange.CertificateState{
		exchange.CertificateReleased, exchange.CertificateReleased, exchange.CertificateAvailable})
}

func enqueueMessageIDIsUnique(s *suite) {
	first := s.enqueue(signal("m1@kr", "TH"))[0]
	other := signal("m1@kr", "TH")
	other.Message.Content = digest("other")
	results := s.enqueue(signal("m1@kr", "TH"), other, signal("m1@kr", "VN"))
	if results[0].Fresh || results[0].Err != nil || results[0].Message.Seq != first.Message.Seq {
		s.Errorf("equal content: %+v", results[0])
	}
	for i, what := range map[int]string{1: "other content", 2: "another partner"} {
		if results[i].Fresh || !errors.Is(results[i].Err, exchange.ErrConflict) {
			s.Errorf("%s: Fresh %v, Err %v", what, results[i].Fresh, results[i].Err)
		}
	}
	if n := len(s.messages(exchange.MessageQuery{MessageID: "m1@kr"})); n != 1 {
		s.Errorf("%d records, want 1", n)
	}
}

func enqueueTogetherIsFreshOnce(s *suite) {
	var fresh atomic.Int64
	err := together(64, func(i int) error {
		results, err := s.Enqueue(s.Context(), []exchange.Departure{export(fmt.Sprintf("m%d@kr", i), "K1", "a")})
		if err == nil && results[0].Fresh {
			fresh.Add(1)
		}
		return err
	})
	if err != nil || fresh.Load() != 1 {
		s.Errorf("%d were fresh, want 1; %v", fresh.Load(), err)
	}
	if n := len(s.messages(exchange.MessageQuery{})); n != 1 {
		s.Errorf("%d messages, want 1", n)
	}
}

func enqueueLeasedIsItsCallers(s *suite) {
	for i, settles := range []bool{true, false} {
		d := signal(fmt.Sprintf("ping%d@kr", i), "TH")
		d.Message.Owner, d.Lease = "caller", at(30)
		m := s.enqueue(d)[0].Message
		if m.State != exchange.StateSending || m.Attempts != 1 || m.Owner != "caller" || len(s.claim(at(29), 10)) != 0 {
			s.Errorf("leased message is %q after %d attempts, owned by %q, or another may claim it", m.State, m.Attempts, m.Owner)
		}
		if settles && !s.settle(m, exchange.StateFailed, at(5)) {
			s.Error("the caller cannot settle it")
		}
		if jobs := s.claim(at(31), 10); (len(jobs) == 0) != settles {
			s.Errorf("settled %t: %d jobs after the lease", settles, len(jobs))
		}
	}
}
